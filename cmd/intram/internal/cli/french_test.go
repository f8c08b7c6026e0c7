package cli

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/fidelity"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
)

// frenchRoot is the command in French.
func frenchRoot() *cobra.Command { return (&app{lang: intram.French}).newRoot() }

// commandLines are the lines of an example without their comments.
func commandLines(example string) []string {
	var lines []string
	for line := range strings.Lines(example) {
		code, _, _ := strings.Cut(line, "# ")
		if code = strings.TrimSpace(code); code != "" {
			lines = append(lines, code)
		}
	}
	return lines
}

// TestHelpIsInFrenchThroughout walks over all commands in both languages. Nothing is left
// in English, and what the French was written from has not changed since.
func TestHelpIsInFrenchThroughout(t *testing.T) {
	t.Parallel()
	english := map[string]*cobra.Command{}
	for cmd := range commands((&app{}).newRoot()) {
		english[cmd.CommandPath()] = cmd
	}
	used := map[string]bool{}
	for cmd := range commands(frenchRoot()) {
		path := cmd.CommandPath()
		from := english[path]
		require.NotNil(t, from, path)
		help, ok := locale.HelpOf(path)
		if !assert.True(t, ok, "%s has no French help: write it into french_help.go", path) {
			continue
		}
		assert.Equal(t, locale.DigestOf(from), help.Of, "the English help of %s is another than its French was written from: "+
			"translate what has changed, then write Of: %q", path, locale.DigestOf(from))
		assert.NotEqual(t, from.Short, cmd.Short, path)
		assert.Equal(t, from.Long == "", cmd.Long == "", path)
		if from.Long != "" {
			assert.NotEqual(t, from.Long, cmd.Long, path)
		}
		assert.Equal(t, commandLines(from.Example), commandLines(cmd.Example), "%s: only comments of an example are translated", path)
		if strings.Contains(from.Example, "# ") {
			assert.NotEqual(t, from.Example, cmd.Example, "the comments of the examples of %s", path)
		}
		assert.NotContains(t, cmd.UseLine(), "[flags]", path)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || f.Name == "version" {
				return
			}
			before := from.Flag(f.Name)
			require.NotNil(t, before, "%s --%s", path, f.Name)
			used[before.Usage] = true
			assert.NotEqual(t, before.Usage, f.Usage, "%s --%s has no French: write it into french_help.go", path, f.Name)
			if f.Value.Type() != "bool" {
				assert.Contains(t, f.Usage, "`", "%s --%s: name its value between backquotes", path, f.Name)
			}
		})
	}
	for _, path := range locale.Commands() {
		assert.NotNil(t, english[path], "%s has French help, and is no command", path)
	}
	for _, usage := range locale.Flags() {
		assert.True(t, used[usage], "French of no flag: %q", usage)
	}
}

// TestEveryHelpInFrench keeps what each command prints.
func TestEveryHelpInFrench(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	b.env["LANG"] = "fr_BJ.UTF-8"
	folder := filepath.Join("testdata", "golden", "fr")
	kept := map[string]bool{}
	for cmd, path := range commands(frenchRoot()) {
		if cmd.Name() == "help" {
			continue
		}
		name := strings.Join(append([]string{"help"}, path...), "-")
		out := b.ok(t, append(path, "--help")...)
		for _, word := range []string{"Usage:", "Examples:", "Commands:", "Flags", "help for", "(default", "More about"} {
			assert.NotContains(t, out, word, "%v", path)
		}
		b.golden(t, filepath.Join("fr", name), out)
		kept[name+".txt"] = true
	}
	assert.Greater(t, len(kept), 50)
	files, err := fs.Glob(os.DirFS(folder), "help*.txt")
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, kept[file], "%s is the help of no command", file)
	}
}

// TestTheLanguage is chosen by --lang, by INTRAM_LANG and by the machine's settings.
func TestTheLanguage(t *testing.T) {
	t.Parallel()
	const french = "Afficher le contenu du portefeuille"
	for name, c := range map[string]struct {
		env    map[string]string
		args   []string
		french bool
	}{
		"nothing":                    {nil, nil, false},
		"LANG of Benin, in Latin-1":  {map[string]string{"LANG": "fr_BJ.ISO-8859-1"}, nil, true},
		"LANG with a path":           {map[string]string{"LANG": "../../fr"}, nil, false},
		"LANG with a path behind it": {map[string]string{"LANG": "fr/../en"}, nil, false},
		"LANG with an escape":        {map[string]string{"LANG": "\x1b[31mfr"}, nil, false},
		"LANG with a line break":     {map[string]string{"LANG": "fr\n"}, nil, false},
		"a blank LC_ALL decides":     {map[string]string{"LC_ALL": " ", "LANG": "fr_FR"}, nil, false},
		"LC_ALL of signs alone":      {map[string]string{"LC_ALL": "_@.-", "LANG": "fr_FR"}, nil, false},
		"LANG":                       {map[string]string{"LANG": "fr_BJ.UTF-8"}, nil, true},
		"LANG of another form":       {map[string]string{"LANG": "fr-FR"}, nil, true},
		"LANG with a modifier":       {map[string]string{"LANG": "fr_FR@euro"}, nil, true},
		"LANG alone":                 {map[string]string{"LANG": "fr"}, nil, true},
		"C":                          {map[string]string{"LANG": "C"}, nil, false},
		"C.UTF-8":                    {map[string]string{"LANG": "C.UTF-8"}, nil, false},
		"POSIX":                      {map[string]string{"LANG": "POSIX"}, nil, false},
		"an unknown language":        {map[string]string{"LANG": "yo_BJ.UTF-8"}, nil, false},
		"another that begins so":     {map[string]string{"LANG": "fra_xx"}, nil, false},
		"LC_MESSAGES before LANG":    {map[string]string{"LC_MESSAGES": "fr_FR", "LANG": "C"}, nil, true},
		"LC_ALL before LC_MESSAGES":  {map[string]string{"LC_ALL": "C", "LC_MESSAGES": "fr_FR", "LANG": "fr_FR"}, nil, false},
		"an empty LC_ALL is not set": {map[string]string{"LC_ALL": "", "LANG": "fr_FR"}, nil, true},
		"INTRAM_LANG before LC_ALL":  {map[string]string{"INTRAM_LANG": "fr", "LC_ALL": "C"}, nil, true},
		"INTRAM_LANG for English":    {map[string]string{"INTRAM_LANG": "en", "LC_ALL": "fr_FR"}, nil, false},
		"--lang before INTRAM_LANG":  {map[string]string{"INTRAM_LANG": "fr"}, []string{"--lang", "en"}, false},
		"--lang=fr":                  {map[string]string{"LANG": "C"}, []string{"--lang=fr"}, true},
		"--lang FR":                  {map[string]string{"LANG": "C"}, []string{"--lang", "FR"}, true},
		"the last --lang":            {nil, []string{"--lang", "en", "--lang", "fr"}, true},
		"the last --lang is English": {nil, []string{"--lang=fr", "--lang", "en"}, false},
		"--lang behind two dashes":   {map[string]string{"LANG": "C"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newConfigBench(t)
			maps.Copy(b.env, c.env)
			out := b.ok(t, append([]string{"balance", "--help"}, c.args...)...)
			assert.Equal(t, c.french, strings.Contains(out, french), out)
		})
	}
	b := newConfigBench(t)
	r := b.run(t, "balance", "--lang", "de")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), `the language is fr or en, not "de"`)
	b.env["INTRAM_LANG"] = "de"
	r = b.run(t, "balance")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, `INTRAM_LANG: the language is fr or en, not "de"`)
	lang, ok := locale.FromArgs([]string{"x", "--", "--lang", "fr"})
	assert.False(t, ok, lang)
}

// sources are the files whose messages have French.
var sources = []string{
	"*.go", "../sheet/*.go", "../doctor/*.go", "../serve/*.go", "../signature/webhook.go", "../signature/request.go",
	"../fidelity/run.go", "../fidelity/guard.go", "../fidelity/unplayable.go",
	"../../../../batch/*.go", "../../../../internal/typed/*.go", "../../../../internal/credential/*.go",
}

// errorSources are files of which only the errors are messages: their other texts are
// facts of the API, or have French beside them.
var errorSources = []string{"../fidelity/*.go", "../serve/preset/*.go"}

// englishFiles say nothing to people.
var englishFiles = []string{"version.go", "sdkwords.go", "columns.go", "elsewhere.go"}

// errorsOf returns the formats of a file's errors.
func errorsOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		name := ""
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			name = fun.Name
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok && slices.Contains([]string{"inconclusive", "Errorf", "New"}, name) {
			format, err := strconv.Unquote(text.Value)
			assert.NoError(t, err)
			all = append(all, format)
		}
		return true
	})
	return all
}

// messagesOf returns the texts of a file's strings, as formats: a part that is not a
// string is %s.
func messagesOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var format func(ast.Expr) (string, bool)
	format = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			return text, err == nil && e.Kind == token.STRING
		case *ast.BinaryExpr:
			left, isLeft := format(e.X)
			right, isRight := format(e.Y)
			if !isLeft {
				left = "%s"
			}
			if !isRight {
				right = "%s"
			}
			return left + right, isLeft || isRight
		}
		return "", false
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.KeyValueExpr:
			key, ok := n.Key.(*ast.Ident)
			return !ok || !slices.Contains([]string{"Use", "Short", "Long", "Example", "example"}, key.Name)
		case *ast.CallExpr: // the flags and the groups of commands are compared by their help
			if fun, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasSuffix(fun.Sel.Name, "Var") {
				return false
			}
			if fun, ok := n.Fun.(*ast.Ident); ok && fun.Name == "group" {
				return false
			}
		case ast.Expr:
			if text, ok := format(n); ok {
				all = append(all, text)
				return false
			}
		}
		return true
	})
	return all
}

// TestEveryMessageIsInFrench reads the source of the command and of its packages. A text
// with a space in it is a message: it has French, or is listed here.
func TestEveryMessageIsInFrench(t *testing.T) {
	t.Parallel()
	isMessage := regexp.MustCompile(`[a-z]{2,} [a-z%]|[a-z]{3,}: %`)
	isConfiguration := regexp.MustCompile(`^(?:# |\n\[)`) // what is written into a file
	found, ofLedger := map[string]bool{}, map[string]bool{}
	for _, line := range fidelity.Ledger() {
		ofLedger[line.Section], ofLedger[line.Behaviour] = true, true
	}
	check := func(path string, texts []string) {
		for _, text := range texts {
			found[text] = true
			if slices.Contains(englishFiles, filepath.Base(path)) || !isMessage.MatchString(text) || isConfiguration.MatchString(text) || locale.Has(text) || ofLedger[text] {
				continue
			}
			assert.True(t, notMessages[text], "%s: %q has no French: write it into internal/locale", path, text)
		}
	}
	for _, pattern := range slices.Concat(errorSources, sources) {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, path := range files {
			switch {
			case strings.HasSuffix(path, "_test.go"):
			case slices.Contains(errorSources, pattern):
				check(path, errorsOf(t, path))
			default:
				check(path, messagesOf(t, path))
			}
		}
	}
	for text := range notMessages {
		assert.True(t, found[text], "listed, and nowhere: %q", text)
	}
	for _, format := range locale.Messages() {
		assert.True(t, found[format] || composed[format], "French of no message: %q", format)
	}
}

// TestEachMessageIsFoundByItsFormat makes each message with values of its own, and
// expects its French and not that of another.
func TestEachMessageIsFoundByItsFormat(t *testing.T) {
	t.Parallel()
	verb := regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]`)
	letters := regexp.MustCompile(`[A-Za-z]`)
	place := regexp.MustCompile(`\{(\d)(?::[to])?\}`)
	for _, format := range locale.Messages() {
		french := locale.French(format)
		var values []string
		text := verb.ReplaceAllStringFunc(format, func(verb string) string {
			value := "Z" + strconv.Itoa(len(values)+1) + "Z"
			switch verb[len(verb)-1] {
			case 'd':
				value = strconv.Itoa(701 + len(values))
			case 'q':
				value = `"` + value + `"`
			}
			values = append(values, value)
			return value
		})
		if len(values) == 0 {
			continue
		}
		assert.GreaterOrEqual(t, len(letters.FindAllString(verb.ReplaceAllString(format, ""), -1)), 4, "%q fits too much", format)
		want := place.ReplaceAllStringFunc(french, func(mark string) string {
			n, err := strconv.Atoi(mark[1:2])
			require.NoError(t, err)
			require.LessOrEqual(t, n, len(values), "%q", format)
			return values[n-1]
		})
		plain := strings.NewReplacer("\u00a0", " ").Replace
		assert.Equal(t, plain(want), plain(locale.Message(intram.French, text)), "%q", format)
		assert.Equal(t, text, locale.Message(intram.English, text))
	}
}

// TestAmountsAndTimesAreWrittenAsPeopleDo is about what is shown; what is read stays.
func TestAmountsAndTimesAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for english, french := range map[string]string{
		"25 000 XOF":           "25\u00a0000\u00a0FCFA",
		"1 234 567.5 XOF":      "1\u00a0234\u00a0567,5\u00a0FCFA",
		"500 XOF":              "500\u00a0FCFA",
		"25 000 XAF":           "25 000 XAF",
		"2026-11-26 14:05:09Z": "26/11/2026 14:05\u00a0UTC",
		"2026-11-26T14:05:09Z": "2026-11-26T14:05:09Z",
		"--before 2026-11-26":  "--before 2026-11-26",
		"PO-2026-0001":         "PO-2026-0001",
		"op_12345 XOFA":        "op_12345 XOFA",
	} {
		assert.Equal(t, french, locale.Value(intram.French, english))
		assert.Equal(t, english, locale.Value(intram.English, english))
	}
}

// inFrench returns a bench whose person reads French.
func inFrench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.env["LANG"] = "fr_BJ.UTF-8"
	return b
}

// unwrapped returns what is shown without line breaks and no-break spaces.
func unwrapped(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\u00a0", " ")), " ")
}

// TestARealPayoutIsAskedAboutInFrench types one thing after the
// other: only the whole word goes on.
func TestARealPayoutIsAskedAboutInFrench(t *testing.T) {
	t.Parallel()
	payout := []string{"payouts", "create", "--amount", "25000", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567"}
	for typed, goes := range map[string]bool{"oui": true, "yes": true, "o": false, "y": false, "OUI": false, "non": false, "": false, "oui merci": false, "ou": false, "OUI ": false, "Oui": false, "oui\x00": false, "ouí": false, "non\noui": false} {
		b := inFrench(t)
		b.live()
		b.person, b.stdin = true, typed+"\n"
		r := b.run(t, payout...)
		assert.Contains(t, unwrapped(r.err), "Clés de production : ceci va reverser 25 000, avec de l'argent réel. Tapez oui pour continuer :")
		if goes {
			assert.Zero(t, r.code, "%q: %s", typed, r.err)
			continue
		}
		assert.Equal(t, exitUsage, r.code, "%q", typed)
		assert.Contains(t, unwrapped(r.err), "intram : pas de confirmation ; rien n'a été envoyé")
		for _, request := range b.server.Requests() {
			assert.NotEqual(t, "POST", request.Method, "%q", typed)
		}
	}
	b := newBench(t)
	b.live()
	b.person, b.stdin = true, "oui\n"
	assert.Equal(t, exitUsage, b.run(t, payout...).code, "oui goes on in French only")
}

// TestATerminalThatFailsConfirmsNothing loses the terminal while a person types.
func TestATerminalThatFailsConfirmsNothing(t *testing.T) {
	t.Parallel()
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded} {
		for typed, whole := range map[string]bool{"oui": true, "yes": true, "ou": false, "ye": false, "": false} {
			a := &app{
				in: io.MultiReader(strings.NewReader(typed), iotest.ErrReader(lost)), err: io.Discard,
				lang: intram.French, isTerminal: func(any) bool { return true },
			}
			err := a.askFirst("these are live keys", "pay", "Live keys.")
			if whole && lost == io.EOF { //nolint:errorlint // the reader's own
				require.NoError(t, err, typed)
			} else {
				require.ErrorContains(t, err, "nothing was sent", "%q %v", typed, lost)
			}
		}
	}
}

// TestWhatProgramsReadIsTheSameInFrench runs the same lines in both languages.
func TestWhatProgramsReadIsTheSameInFrench(t *testing.T) {
	t.Parallel()
	lines := [][]string{
		{"balance", "--json"},
		{"payouts", "create", "--amount", "25000", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567", "--idempotency-key", "key-0000-1", "--json", "--wait"},
		{"payouts", "create", "--amount", "25000", "--provider", "MTN_BENIN_229", "--msisdn", "22900000002", "--idempotency-key", "key-0000-2", "--json", "--wait"},
		{"operations", "get", "op_0", "--json"},
		{"payouts", "list", "--json"},
		{"payouts", "create", "--amount", "0", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567", "--json"},
		{"payouts", "create", "--json"},
		{"config", "--json"},
		{"version", "--json"},
		{"sign", "GET", "/balance"},
	}
	english, french := newBench(t), inFrench(t)
	for _, args := range lines {
		want, have := english.run(t, args...), french.run(t, args...)
		without := func(b *bench, text string) string {
			return someKey.ReplaceAllString(strings.NewReplacer(b.home, "HOME", b.server.URL, "URL").Replace(text), "KEY")
		}
		assert.Equal(t, want.code, have.code, "%v", args)
		assert.Equal(t, without(english, want.out), without(french, have.out), "%v", args)
		if slices.Contains(args, "--json") {
			assert.Equal(t, without(english, want.err), without(french, have.err), "%v", args)
		}
	}
}

// TestAFailureIsExplainedInFrench has the sentence for the operator first, then the SDK's
// own line for support.
func TestAFailureIsExplainedInFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	r := b.run(t, "payouts", "create", "--amount", "50000000", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567", "--wait")
	assert.Equal(t, exitFailed, r.code)
	said := unwrapped(r.err)
	assert.Contains(t, said, "intram : Le reversement a échoué : le bénéficiaire n'a pas été payé, et la somme débitée est revenue dans votre portefeuille. "+
		"Le portefeuille ne couvre pas le montant et ses frais.")
	assert.Contains(t, said, "Pour l'assistance : operation op_")
	assert.Contains(t, said, "insufficient_balance: the merchant's wallet has too little")
}

// TestABatchInFrench keeps all that a batch says: checks, results and errors.
func TestABatchInFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	wrong := b.file(t, "faux.csv", "reference,montant,opérateur,téléphone\nA,0,MTN_BENIN_229,2290161234567\nA,25.000,XX,123\nC,100 FCFA,MTN_BENIN_229,61234567\n,100,MTN_BENIN_229,61234567\n")
	r := b.run(t, "payouts", "batch", wrong, "--dry-run")
	assert.Equal(t, exitUsage, r.code)
	b.golden(t, "fr/batch-faux", r.out+r.err)

	right := b.file(t, "salaires.csv", "reference,amount,provider,msisdn\nA,25000,MTN_BENIN_229,22961234567\nB,1500,MOOV_AFRICA_BENIN_229,22994000002\nC,900,MTN_BENIN_229,22900000002\n")
	r = b.run(t, "payouts", "batch", right, "--dry-run")
	assert.Zero(t, r.code)
	b.golden(t, "fr/batch-essai", r.out+r.err)
	r = b.run(t, "payouts", "batch", right, "--max-wait", "1m")
	b.golden(t, "fr/batch", r.out) // the progress is by chance
	assert.Contains(t, unwrapped(r.err), "3 sur 3 faits, échecs : 2, reste : 0")
	assert.Contains(t, mustRead(t, strings.TrimSuffix(right, ".csv")+".results.csv"), "reference,amount,provider,msisdn,", "the results are for programs")
}

// TestTablesInFrench keeps tables and fields.
func TestTablesInFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	b.ok(t, "payouts", "create", "--amount", "25000", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567", "--reference", "PO-1", "--wait")
	var all strings.Builder
	for _, args := range [][]string{
		{"balance"}, {"payouts", "list"}, {"refunds", "list"}, {"operations", "list"}, {"transactions", "list"}, {"webhooks", "list"},
		{"payouts", "wait", "op_0"}, {"refunds", "create", "--transaction", ""}, {"payouts", "crate"}, {"balance", "--foo"}, {"events", "list"},
		{"operations", "list", "--since", "demain"}, {"payouts", "create", "--amount", "1,5", "--provider", "MTN_BENIN_229", "--msisdn", "22961234567"},
	} {
		r := b.run(t, args...)
		all.WriteString("$ intram " + strings.Join(args, " ") + "\n" + r.out + r.err + "\n")
	}
	b.golden(t, "fr/tables", all.String())
}

// TestTheDoctorSpeaksFrench looks for English in its report.
func TestTheDoctorSpeaksFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	r := b.run(t, "doctor")
	assert.NotRegexp(t, `\b(?:the|this|not set|from|checks|skipped|failed)\b`, r.out)
	said := unwrapped(r.out)
	assert.Contains(t, said, "authentication : l'API accepte les clés (GET /balance)")
	assert.Contains(t, said, "27 vérifications : 22 bonnes, 0 avertissements, 0 en échec, 5 laissées de côté.")
	b.env["INTRAM_SECRET_KEY"] = ""
	said = unwrapped(b.run(t, "doctor").out)
	assert.Contains(t, said, "ÉCHEC secret_key : non définie -> intram config init demande les clés")
	assert.Contains(t, said, "Pour un ticket : intram doctor --json")
}

// TestASignatureIsExplainedInFrench has the sentences of the dashboard.
func TestASignatureIsExplainedInFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	headers := b.file(t, "h.txt", "X-Api-Key: "+b.server.PublicKey+"\nX-Timestamp: 2026-05-20T10:30:00.000Z\n")
	r := b.run(t, "explain-signature", "GET", "/v1/balance", "--headers", "@"+headers)
	assert.Equal(t, exitRefused, r.code, r.err)
	said := unwrapped(r.out)
	assert.Contains(t, said, "Refus (requête) :")
	assert.Contains(t, said, "L'en-tête X-Signature manque.")
	assert.Contains(t, said, "Ce qui devrait être signé, sauts de ligne compris")
	assert.NotRegexp(t, `The header|Send `, said)
}

// TestADeliveryIsExplainedInFrench has the advice of a receiver, and not that of a
// signer.
func TestADeliveryIsExplainedInFrench(t *testing.T) {
	t.Parallel()
	b := inFrench(t)
	b.env["INTRAM_WEBHOOK_SECRET"] = "whsec_0123456789abcdef0123456789abcdef"
	body := `{"event":"payout.completed"}`
	sign := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("2026-05-20T10:30:00.000Z." + body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	ours := sign(b.env["INTRAM_WEBHOOK_SECRET"])
	for name, c := range map[string]struct {
		signature, body, at string
		french              []string
	}{
		"missing": {"", body, "2026-05-20T10:30:00Z", []string{"L'en-tête X-Intram-Signature manque.", "Elle ne vient pas d'Intram"}},
		"another": {sign("whsec_other"), body, "2026-05-20T10:30:00Z", []string{"La signature ne correspond pas au secret et au corps.", "chaque abonnement a le sien"}},
		"API key": {sign(b.server.SecretKey), body, "2026-05-20T10:30:00Z", []string{"Elle a été signée avec la clé secrète de l'API, et non avec le secret donné.", "Vérifiez avec le secret de l'abonnement."}},
		"old":     {ours, body, "2026-05-20T10:50:00Z", []string{"La signature est juste, mais elle date d'il y a 20m0s"}},
		"break":   {ours, body + "\n", "2026-05-20T10:30:00Z", []string{"Le corps a un saut de ligne final qui n'a pas été envoyé."}},
		"space":   {ours, strings.ReplaceAll(body, ":", ": "), "2026-05-20T10:30:00Z", []string{"Le corps a été décodé puis récrit ; forme de l'envoi :", "Vérifiez les octets bruts de la requête"}},
	} {
		head := "X-Intram-Timestamp: 2026-05-20T10:30:00.000Z\n"
		if c.signature != "" {
			head += "X-Intram-Signature: " + c.signature + "\n"
		}
		headers, file := b.file(t, "h.txt", head), b.file(t, "body.json", c.body)
		r := b.run(t, "verify", "--headers", "@"+headers, "--body", "@"+file, "--at", c.at)
		assert.Equal(t, exitRefused, r.code, "%s: %s", name, r.err)
		said := unwrapped(r.out)
		assert.Contains(t, said, "Refus (livraison) :", name)
		for _, french := range c.french {
			assert.Contains(t, said, french, name)
		}
		assert.NotRegexp(t, `\b(?:the|was|is|with|Envoyez|sk_)\b`, said, name)
	}
}

// TestFidelityInFrench keeps what its two commands say beside the lines of the ledger.
func TestFidelityInFrench(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	b.env["LANG"] = "fr_BJ.UTF-8"
	report := filepath.Join(b.home, "report.json")
	b.person, b.stdin = true, "oui\n"
	r := b.run(t, "fidelity", "run", "--payin", "--out", report)
	require.Zero(t, r.code, r.err)
	said := unwrapped(r.err)
	assert.Regexp(t, `^Environ \d+ appels vont partir vers http://127.0.0.1:\d+/v1, l'un après l'autre, .*Ils créent 7 reversements \(700 FCFA en tout, vers les numéros de test publiés\), `+
		`\d+ demandes de paiement \(jamais payées\), 1 remboursement \(d'une demande non payée\) et 6 abonnements webhook \(supprimés ensuite\)\. `+
		`Certains appels vont aux sessions payin de .*, et ne créent rien\. Tapez oui pour continuer : `, said)
	assert.Contains(t, said, "Pour le comparer au serveur simulé : intram fidelity compare "+report)
	assert.Regexp(t, `(?m)^observé       `, r.out)

	english, other := newBench(t), strings.Replace(mustRead(t, report), `"status": "401`, `"status": "499`, 1)
	changed := b.file(t, "other.json", other)
	want, have := english.run(t, "fidelity", "compare", report, "--json"), b.run(t, "fidelity", "compare", report, "--json")
	assert.Equal(t, want.out, have.out, "programs read it")
	r = b.run(t, "fidelity", "compare", report, "--against", changed)
	assert.Contains(t, unwrapped(r.out), "Le rapport est celui d'un serveur de cette machine, et ne dit rien du bac à sable.")
	assert.Regexp(t, `Identiques : \d+ ; différentes : \d+ ; sans résultat : 0 ; non jouées : \d+\.`, unwrapped(r.out))
	assert.Regexp(t, `(?m)^non joué      `, r.out)
	assert.Contains(t, unwrapped(r.out), "propre au serveur simulé : ses comptes et son horloge")
	assert.NotRegexp(t, `(?m)^(?:agrees|not played|DIFFERS)`, r.out)
}

// TestHelpOfNoCommandIsRefused says what "intram help" was asked about, in French too.
func TestHelpOfNoCommandIsRefused(t *testing.T) {
	t.Parallel()
	for _, b := range []*bench{newBench(t), inFrench(t)} {
		for _, args := range [][]string{{"help", "nothing"}, {"help", "payouts", "nothing"}} {
			r := b.run(t, args...)
			assert.Equal(t, exitUsage, r.code, r.out)
			assert.Empty(t, r.out)
			words := `has no command "nothing"`
			if b.env["LANG"] != "" {
				words = `n'a pas de commande "nothing"`
			}
			assert.Contains(t, unwrapped(r.err), words)
			assert.NotContains(t, r.err, "help topic")
		}
		assert.NotEmpty(t, b.ok(t, "help", "payouts", "list"))
	}
}
