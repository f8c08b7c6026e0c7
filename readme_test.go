package intram_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the documentation shows is compiled, and where it points is looked up.
//
// Every fenced block marked go in README.md, AGENTS.md and docs/*.md is one of three
// things:
//
//   - a block that starts with a package clause (comments may come first) is a whole
//     file;
//   - a block of declarations is a file without its head;
//   - anything else is the body of a function that has [snippetScope] in scope and
//     returns an error.
//
// The second and third need no imports: the packages of [snippetImports] are imported
// when they are used. Each block is a package of its own, so a variable that a block
// declares must be used in that block.

// snippetScope is what the body of a function may use without declaring it.
const snippetScope = "ctx context.Context, client *intram.Client, server *intramtest.Server, t *testing.T"

// snippetImports are the packages that a block may use without importing them, by the
// name it uses.
var snippetImports = map[string]string{
	"assert":     "github.com/stretchr/testify/assert",
	"bytes":      "bytes",
	"context":    "context",
	"errors":     "errors",
	"fmt":        "fmt",
	"http":       "net/http",
	"httptest":   "net/http/httptest",
	"intram":     "github.com/intram/intram-go",
	"intramtest": "github.com/intram/intram-go/intramtest",
	"io":         "io",
	"json":       "encoding/json",
	"log":        "log",
	"os":         "os",
	"require":    "github.com/stretchr/testify/require",
	"slog":       "log/slog",
	"strings":    "strings",
	"synctest":   "testing/synctest",
	"testing":    "testing",
	"time":       "time",
}

func TestSnippetsInTheDocumentationCompile(t *testing.T) {
	t.Parallel()
	var snippets []snippet
	for _, doc := range snippetDocuments(t) {
		found := doc.snippets(t)
		if doc.name == "README.md" {
			require.NotEmpty(t, found, "README.md shows no Go code")
		}
		snippets = append(snippets, found...)
	}
	assert.Empty(t, compile(t, snippets))
}

// A checker that cannot fail would let every snippet rot: each kind of block is broken
// here once, and each must be reported with the document and the line.
func TestSnippetsThatDoNotCompileAreReportedWithTheirLine(t *testing.T) {
	t.Parallel()
	cases := []struct {
		doc   string
		block string // starts on line 4 of the document
		want  string // empty: it compiles
	}{
		{
			"whole.md",
			"// Command x shows a file.\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(1) }", "",
		},
		{
			"whole-mistaken.md",
			"package main\n\nfunc main() {\n\tundeclared()\n}", ":7: undefined: undeclared",
		},
		{
			"declarations.md",
			"func pay(ctx context.Context, c *intram.Client) error {\n\t_, err := c.Balance.Get(ctx)\n\treturn err\n}", "",
		},
		{
			"declarations-mistaken.md",
			"type shop struct {\n\tclient *intram.Customer1\n}", ":5: undefined: intram.Customer1",
		},
		{
			"body.md",
			"balance, err := client.Balance.Get(ctx)\nif err != nil {\n\treturn err\n}\nfmt.Println(balance)", "",
		},
		{
			"body-mistaken.md",
			"_, err := client.Balance.Get(ctx)\nif err != nil {\n\treturn err\n}\nclient.Balances()",
			":8: client.Balances undefined",
		},
		{
			"body-unused.md",
			"balance, err := client.Balance.Get(ctx)\nif err != nil {\n\treturn err\n}", ":4: declared and not used: balance",
		},
		{
			"test.md",
			"func TestIt(t *testing.T) {\n\tserver := intramtest.NewServer(t)\n\trequire.NotEmpty(t, server.URL)\n}", "",
		},
		{
			"test-file.md",
			"package shop_test\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) {\n\tt.Fatalf(\"%d\", \"x\")\n}",
			`:9: (*testing.common).Fatalf format %d has arg "x" of wrong type string`,
		},
		{
			"verb.md",
			"fmt.Printf(\"%d\\n\", \"x\")", `:4: fmt.Printf format %d has arg "x" of wrong type string`,
		},
		{
			"not-go.md",
			"fmt.Println(1)\nbalance, := client", ":5:",
		},
	}
	var snippets []snippet
	for _, tt := range cases {
		doc := document{name: tt.doc, text: "# Title\n\n```go\n" + tt.block + "\n```\n"}
		snippets = append(snippets, doc.snippets(t)...)
	}
	got := compile(t, snippets) // in one run: the go command has its own pace
	for _, tt := range cases {
		var about []string
		for line := range strings.Lines(got) {
			if strings.Contains(line, string(filepath.Separator)+tt.doc+":") {
				about = append(about, line)
			}
		}
		if tt.want == "" {
			assert.Empty(t, about, tt.doc)
		} else {
			assert.Contains(t, strings.Join(about, ""), tt.doc+tt.want)
		}
	}
}

func TestDocumentationPointsAtWhatExists(t *testing.T) {
	t.Parallel()
	targets := makeTargets(t)
	for _, doc := range documents(t) {
		for _, complaint := range doc.dangling(targets) {
			t.Error(complaint)
		}
	}
}

func TestDanglingPointersAreReportedWithTheirLine(t *testing.T) {
	t.Parallel()
	text := strings.Join([]string{
		"# A title, with `code`",
		"[file](go.mod) [none](none.md) [top](#a-title-with-code) [nowhere](#nowhere) [web](https://example.com/none.md)",
		"[ref]: none/either.md",
		"`make lint` then `make everything`, and `FUZZTIME=1s make fuzz fuss`",
		"```sh",
		"make test",
		"make tea  # comment",
		"go run ./none",
		"go run ./internal/..",
		"[not](a-link.md)",
		"```",
	}, "\n")
	got := document{name: "DOC.md", text: text}.dangling([]string{"lint", "fuzz", "test"})
	assert.Equal(t, []string{
		"DOC.md:2: none.md does not exist",
		"DOC.md:2: there is no heading #nowhere",
		"DOC.md:3: none/either.md does not exist",
		"DOC.md:4: the Makefile has no target everything",
		"DOC.md:4: the Makefile has no target fuss",
		"DOC.md:7: the Makefile has no target tea",
		"DOC.md:8: ./none does not exist",
	}, got)
}

// The two commands that the README promises are the ones that CI runs, to the letter.
// writesState matches a statement that writes how far something has come.
var writesState = regexp.MustCompile(`(?i)UPDATE [\w{}]+ SET (state|status|progress)\b|\b(state|status)\[[^]]+\] = `)

// A late payout.queued must not overwrite completed in what people copy.
func TestNoSampleOfAnEventOverwritesALaterState(t *testing.T) {
	t.Parallel()
	samples := make(map[string]string)
	for _, d := range append(documents(t), readDocument(t, "intramriver/README.md"), readDocument(t, "cmd/intram/README.md")) {
		for _, block := range d.fences(t) {
			samples[fmt.Sprintf("%s:%d", d.name, block.line)] = block.text
		}
	}
	for _, pattern := range []string{"example*_test.go", "examples/*/main.go", "docs/*/*.go", "inbox/*/example_test.go", "inbox/*/tx.go", "intramriver/example*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, name := range files {
			samples[name] = readDocument(t, name).text
		}
	}
	writing := 0
	for name, text := range samples {
		if strings.Contains(text, "*intram.Event") && writesState.MatchString(text) {
			writing++
			assert.Contains(t, text, ".Apply(", "%s keeps a state and does not ask EventOrder", name)
		}
	}
	assert.Greater(t, writing, 3)
}

func TestCIRunsTheCommandsOfTheREADME(t *testing.T) {
	t.Parallel()
	readme := readDocument(t, "README.md")
	var commands []string
	for _, block := range readme.fences(t) {
		if block.language != "go" {
			commands = append(commands, strings.Split(block.text, "\n")...)
		}
	}
	ci, makefile := readDocument(t, ".ci/run").text, readDocument(t, "Makefile").text
	for command, in := range map[string]string{
		"go test -race ./...":          ci,
		"go run ./examples/quickstart": makefile,
	} {
		assert.Contains(t, commands, command, "a line of a block of README.md")
		assert.Regexp(t, `(?m)\s`+regexp.QuoteMeta(command)+`( 2>&1 \| tee "\$testlog")?$`, in)
	}
	assert.Contains(t, ci, " make quickstart\n")
}

// document is a file of the repository, by its path from the root.
type document struct{ name, text string }

func readDocument(t *testing.T, name string) document {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	require.NoError(t, err)
	return document{name: name, text: string(text)}
}

// snippetDocuments are the documents that a user copies code from.
func snippetDocuments(t *testing.T) []document {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	var docs []document
	for _, name := range append([]string{"README.md", "AGENTS.md"}, names...) {
		docs = append(docs, readDocument(t, name))
	}
	return docs
}

// documents are all documents about the project. NOTICE.md is texts of lawyers, who make
// a term enforceable.
func documents(t *testing.T) []document {
	t.Helper()
	docs := snippetDocuments(t)
	names, err := filepath.Glob("*.md")
	require.NoError(t, err)
	french, err := filepath.Glob("docs/fr/*.md")
	require.NoError(t, err)
	for _, name := range slices.Concat(names, french) {
		if name != "README.md" && name != "AGENTS.md" && name != "NOTICE.md" {
			docs = append(docs, readDocument(t, name))
		}
	}
	return docs
}

// fence is a fenced block: its language, the line that its text starts on, and its text.
type fence struct {
	language string
	line     int
	text     string
}

var (
	fenceLine   = regexp.MustCompile("^( *)(```+|~~~+) *([^ `]*)")
	inlineLink  = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)
	linkTarget  = regexp.MustCompile(`^\s*\[[^\]]+\]:\s*(\S+)`)
	codeSpan    = regexp.MustCompile("`([^`]+)`")
	headingLine = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	anchorLine  = regexp.MustCompile(`^<a id="([^"]+)"></a>$`)
	makeCommand = regexp.MustCompile(`(?:^|\s)make((?: +[A-Za-z][\w-]*(?:=\S*)?)+)`)
	goRun       = regexp.MustCompile(`\bgo run (?:-\S+ )*(\./\S+)`)
	targetLine  = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// walk calls visit for each line, with the fence that it is in, if any. It returns the
// fences.
func (d document) walk(visit func(line int, text string, in *fence)) (fences []fence, open bool) {
	var (
		in              *fence
		indent, closing string
	)
	for i, text := range strings.Split(d.text, "\n") {
		line := i + 1
		switch m := fenceLine.FindStringSubmatch(text); {
		case in == nil && m != nil:
			in = &fence{language: m[3], line: line + 1}
			indent, closing = m[1], m[2]
		case in != nil && m != nil && strings.HasPrefix(m[2], closing) && m[3] == "":
			fences = append(fences, *in)
			in = nil
		case in != nil:
			text = strings.TrimPrefix(text, indent)
			in.text += text + "\n"
			visit(line, text, in)
		default:
			visit(line, text, nil)
		}
	}
	return fences, in != nil
}

func (d document) fences(t *testing.T) []fence {
	t.Helper()
	fences, open := d.walk(func(int, string, *fence) {})
	require.False(t, open, "%s: a fenced block is not closed", d.name)
	return fences
}

// dangling says, with the line, which links, make targets and programs do not exist.
func (d document) dangling(targets []string) (complaints []string) {
	d.walk(func(line int, text string, in *fence) {
		complain := func(format string, args ...any) {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s", d.name, line, fmt.Sprintf(format, args...)))
		}
		var commands []string
		if in != nil {
			command, _, _ := strings.Cut(text, " #")
			if in.language != "go" && in.language != "text" { // which shows what is printed
				commands = []string{command}
			}
		} else {
			for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
				commands = append(commands, span[1])
			}
			prose := codeSpan.ReplaceAllString(text, "")
			for _, m := range slices.Concat(inlineLink.FindAllStringSubmatch(prose, -1), linkTarget.FindAllStringSubmatch(prose, -1)) {
				if complaint := d.follow(m[1]); complaint != "" {
					complain("%s", complaint)
				}
			}
		}
		for _, command := range commands {
			for _, m := range makeCommand.FindAllStringSubmatch(command, -1) {
				for word := range strings.FieldsSeq(m[1]) {
					if !strings.Contains(word, "=") && !slices.Contains(targets, word) {
						complain("the Makefile has no target %s", word)
					}
				}
			}
			for _, m := range goRun.FindAllStringSubmatch(command, -1) {
				if _, err := os.Stat(m[1]); err != nil {
					complain("%s does not exist", m[1])
				}
			}
		}
	})
	return complaints
}

// follow returns what is wrong with a link, or nothing. The web is not asked: a test
// needs no network.
func (d document) follow(link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	name, anchor, hasAnchor := strings.Cut(link, "#")
	target := d
	if name != "" {
		path := filepath.Join(filepath.Dir(d.name), filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil {
			return name + " does not exist"
		}
		if !hasAnchor {
			return ""
		}
		if info.IsDir() {
			return name + " is a folder and has no heading #" + anchor
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		target = document{name: path, text: string(text)}
	}
	if hasAnchor && !slices.Contains(target.anchors(), anchor) {
		return "there is no heading #" + link[strings.Index(link, "#")+1:]
	}
	return ""
}

// anchors are what a link may point to: the headings, and the ids of empty links, which
// the French pages have before their headings.
func (d document) anchors() []string {
	anchors := d.ownAnchors()
	d.walk(func(_ int, text string, in *fence) {
		if m := anchorLine.FindStringSubmatch(text); m != nil && in == nil {
			anchors = append(anchors, m[1])
		}
	})
	return anchors
}

// ownAnchors are the headings as they are linked to: lower case, without punctuation,
// with hyphens for spaces, and numbered when they repeat.
func (d document) ownAnchors() (anchors []string) {
	seen := make(map[string]int)
	d.walk(func(_ int, text string, in *fence) {
		m := headingLine.FindStringSubmatch(text)
		if in != nil || m == nil {
			return
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1])
		if n := seen[anchor]; n > 0 {
			anchors = append(anchors, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			anchors = append(anchors, anchor)
		}
		seen[anchor]++
	})
	return anchors
}

func makeTargets(t *testing.T) (targets []string) {
	t.Helper()
	for _, m := range targetLine.FindAllStringSubmatch(readDocument(t, "Makefile").text, -1) {
		targets = append(targets, m[1])
	}
	require.Contains(t, targets, "help")
	return targets
}

// snippet is a block as a Go file whose positions are those of its document.
type snippet struct {
	file   string // its name: go vet wants tests in test files
	source string
}

func (d document) snippets(t *testing.T) (snippets []snippet) {
	t.Helper()
	for _, block := range d.fences(t) {
		if block.language == "go" {
			snippets = append(snippets, newSnippet(d.name, block))
		}
	}
	return snippets
}

func newSnippet(doc string, block fence) snippet {
	// From here on the compiler counts lines as the document does.
	text := fmt.Sprintf("//line %s:%d\n%s", doc, block.line, block.text)
	fset := token.NewFileSet()
	if file, err := parser.ParseFile(fset, "", block.text, parser.PackageClauseOnly); err == nil {
		name := "snippet.go"
		if strings.HasSuffix(file.Name.Name, "_test") {
			name = "snippet_test.go"
		}
		return snippet{file: name, source: text}
	}
	const head = "package snippet\n"
	if file, err := parser.ParseFile(fset, "", head+block.text, 0); err == nil {
		return snippet{file: "snippet.go", source: head + imports(file, "") + text}
	}
	// The body has a block to itself, so that it may declare what the scope already has.
	opening, ending := "func _("+snippetScope+") error {\n{\n", "}\nreturn nil\n}\n"
	file, err := parser.ParseFile(fset, "", head+opening+block.text+ending, 0)
	if err != nil {
		file = &ast.File{} // not Go: the compiler says where
	}
	return snippet{file: "snippet.go", source: head + imports(file, snippetScope) + opening + text + ending}
}

// imports are the declarations of what file uses, and of what the scope names.
func imports(file *ast.File, scope string) string {
	used := make(map[string]string)
	note := func(name string) {
		if path, ok := snippetImports[name]; ok {
			used[name] = path
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				note(x.Name)
			}
		}
		return true
	})
	for _, m := range regexp.MustCompile(`(\w+)\.`).FindAllStringSubmatch(scope, -1) {
		note(m[1])
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&b, "import %s %q\n", name, used[name])
	}
	return b.String()
}

// compile type-checks and vets each snippet as a package of a module that requires this
// one, and returns what is wrong with them, by document and line. It needs no network:
// the module has this one's requirements.
func compile(t *testing.T, snippets []snippet) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	require.NoError(t, err, "the go command compiles the snippets")
	root, err := filepath.Abs(".")
	require.NoError(t, err)
	dir := t.TempDir()

	mod := readDocument(t, "go.mod").text
	const own = "module github.com/intram/intram-go\n"
	require.Contains(t, mod, own)
	mod = strings.Replace(mod, own, "module snippets\n", 1)
	mod += "\nrequire github.com/intram/intram-go v0.0.0\n\nreplace github.com/intram/intram-go => " + root + "\n"
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("go.mod", mod)
	write("go.sum", readDocument(t, "go.sum").text)
	for i, s := range snippets {
		write(filepath.Join(fmt.Sprintf("s%03d", i), s.file), s.source)
	}

	// A return at the end of a body makes what the checker puts after it unreachable.
	command := exec.CommandContext(t.Context(), goTool, "vet", "-unreachable=false", "./...")
	command.Dir = dir
	// The flags of the run that this test is part of (coverage among them) are not for
	// the snippets.
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	output, err := command.CombinedOutput()
	if err != nil && len(output) == 0 {
		return err.Error()
	}
	return string(output)
}
