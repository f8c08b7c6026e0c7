package cli

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
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
