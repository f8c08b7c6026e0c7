package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// library is a published module that programs import, with what the documentation shows
// of it.
type library struct {
	dir      string // of the module
	snippets []snippet
	// test is a file of tests that runs the snippets, for what nothing but the module is
	// needed.
	test string
}

// snippet selects blocks of Go from a document. A block is a whole file, declarations,
// or the statements of a function.
type snippet struct {
	doc   string // from the root of the repository
	holds string // what the one block has that is meant; empty: each block marked go is a program of its own
	// head is the function whose statements the block is, and end what they end with
	// unless that is a return.
	head, end string
}

// libraries are the libraries of this repository.
var libraries = []library{
	{dir: ".", snippets: []snippet{{
		doc: "README.md", head: "func _(ctx context.Context, client *intram.Client) error", end: "return nil",
	}}},
	{
		dir: "batch",
		snippets: []snippet{
			{doc: "docs/batch.md", holds: "func paySalaries("},
			{doc: "docs/batch.md", holds: "var lines []batch.Line", head: "func salaries() []batch.Line", end: "return lines"},
		},
		test: `package snippet

import (
	"path/filepath"
	"testing"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestTheListIsPaidOnce(t *testing.T) {
	server := intramtest.NewServer(t)
	journal := filepath.Join(t.TempDir(), "salaries.journal")
	for range 2 {
		if err := paySalaries(t.Context(), server.Client(), journal, salaries()); err != nil {
			t.Fatal(err)
		}
	}
	paid := 0
	for _, err := range server.Client().Payouts.All(t.Context(), intram.OperationListParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		paid++
	}
	if paid != len(salaries()) {
		t.Errorf("%d payouts for %d lines", paid, len(salaries()))
	}
}
`,
	},
	{dir: "inbox/pginbox", snippets: []snippet{
		{
			doc: "docs/webhooks.md", holds: "pginbox.Migrate(",
			head: "func _(ctx context.Context, pool *pgxpool.Pool, verifier *intram.WebhookVerifier) (http.Handler, error)",
		},
		{doc: "docs/webhooks.md", holds: "func recordPayout("},
	}},
	{dir: "inbox/redisinbox", snippets: []snippet{{
		doc: "docs/webhooks.md", holds: "redisinbox.New(",
		head: "func _(verifier *intram.WebhookVerifier) (http.Handler, error)",
	}}},
	{dir: "limit/redislimit", snippets: []snippet{{doc: "docs/platforms.md", holds: "redislimit.New("}}},
	{dir: "inbox/sqlinbox", snippets: []snippet{
		{doc: "README.md", holds: "sqlinbox.OpenSQLite(", head: "func _() error", end: "return nil"},
		{doc: "docs/webhooks.md", holds: "sqlinbox.OpenSQLite(", head: "func _() error"},
		{
			doc: "docs/inboxes.md", holds: "sqlinbox.Migrate(ctx",
			head: "func _(ctx context.Context, db *sql.DB, verifier *intram.WebhookVerifier) (http.Handler, error)",
		},
		{doc: "docs/inboxes.md", holds: "func keepPayout("},
	}},
	{dir: "intramriver", snippets: []snippet{{doc: "intramriver/README.md"}}},
	{dir: "otelintram", snippets: []snippet{{doc: "otelintram/README.md"}}},
}

// importPaths are the packages that a block may use without importing them, by name.
var importPaths = map[string]string{
	"batch":       "github.com/intram/intram-go/batch",
	"boltjournal": "github.com/intram/intram-go/batch/boltjournal",
	"context":     "context",
	"errors":      "errors",
	"fmt":         "fmt",
	"http":        "net/http",
	"intram":      "github.com/intram/intram-go",
	"intramtest":  "github.com/intram/intram-go/intramtest",
	"json":        "encoding/json",
	"log":         "log",
	"os":          "os",
	"pginbox":     "github.com/intram/intram-go/inbox/pginbox",
	"pgx":         "github.com/jackc/pgx/v5",
	"pgxpool":     "github.com/jackc/pgx/v5/pgxpool",
	"redis":       "github.com/redis/go-redis/v9",
	"redisinbox":  "github.com/intram/intram-go/inbox/redisinbox",
	"redislimit":  "github.com/intram/intram-go/limit/redislimit",
	"sql":         "database/sql",
	"sqlinbox":    "github.com/intram/intram-go/inbox/sqlinbox",
	"testing":     "testing",
	"time":        "time",
}

// block is a fenced block of a document.
type block struct {
	language string
	line     int // of its first line
	text     string
}

// blocks returns the blocks of Go in a document. Those marked golang are tested in a
// module of their own, and no less Go.
func blocks(text string) []block {
	var (
		found []block
		in    *block
		fence string
	)
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case in == nil && strings.HasPrefix(trimmed, "```"):
			fence = strings.Repeat(" ", len(line)-len(trimmed)) // how far the block is indented
			in = &block{language: strings.TrimSpace(strings.TrimLeft(trimmed, "`")), line: i + 2}
		case in != nil && strings.TrimSpace(line) == "```":
			if in.language == "go" || in.language == "golang" {
				found = append(found, *in)
			}
			in = nil
		case in != nil:
			in.text += strings.TrimPrefix(line, fence) + "\n"
		}
	}
	return found
}

// program returns the files of a module that uses a library as the documentation shows
// it, by path. packages are what blocks may use without importing them, read returns a
// document.
func program(lib library, packages map[string]string, read func(doc string) (string, error)) (map[string]string, error) {
	files := map[string]string{}
	for i, s := range lib.snippets {
		text, err := read(s.doc)
		if err != nil {
			return nil, err
		}
		if s.holds == "" {
			for j, b := range blocks(text) {
				if b.language != "go" {
					continue
				}
				if err := addFile(files, fmt.Sprintf("snippet%02d/snippet", j), packages, s, b); err != nil {
					return nil, err
				}
			}
			if len(files) == 0 {
				return nil, fmt.Errorf("%s shows no Go", s.doc)
			}
			continue
		}
		found := slices.DeleteFunc(blocks(text), func(b block) bool { return !strings.Contains(b.text, s.holds) })
		if len(found) != 1 {
			return nil, fmt.Errorf("%s has %d blocks of Go with %q: want one", s.doc, len(found), s.holds)
		}
		if err := addFile(files, fmt.Sprintf("snippet/snippet%02d", i), packages, s, found[0]); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("tools/release/snippets.go: no snippet shows how module %s is used", lib.dir)
	}
	if lib.test != "" {
		files["snippet/run_test.go"] = lib.test
	}
	return files, nil
}

// addFile adds a block as a Go file whose name begins with base. The compiler counts its
// lines as the document does.
func addFile(files map[string]string, base string, packages map[string]string, s snippet, b block) error {
	fset := token.NewFileSet()
	text := fmt.Sprintf("//line %s:%d\n%s", s.doc, b.line, b.text)
	if file, err := parser.ParseFile(fset, "", b.text, parser.PackageClauseOnly); err == nil {
		if strings.HasSuffix(file.Name.Name, "_test") {
			base += "_test"
		}
		files[base+".go"] = text
		return nil
	}
	const head = "package snippet\n"
	source := head + b.text
	file, err := parser.ParseFile(fset, "", source, 0)
	if err == nil {
		files[suffixed(base, file)] = head + imports(file, packages) + text
		return nil
	}
	if s.head == "" {
		return fmt.Errorf("%s:%d: neither a file nor declarations: %w", s.doc, b.line, err)
	}
	// A block to itself, which may declare anew what the function has.
	opening, closing := s.head+" {\n{\n", "}\n}\n"
	file, err = parser.ParseFile(fset, "", head+opening+b.text+closing, 0)
	if err != nil {
		return fmt.Errorf("%s:%d: not Go: %w", s.doc, b.line, err)
	}
	if s.end != "" && !returns(file) {
		closing = s.end + "\n" + closing
	}
	files[base+".go"] = head + imports(file, packages) + opening + text + closing
	return nil
}

// returns reports whether the statements of a block end with a return.
func returns(file *ast.File) bool {
	f, ok := file.Decls[len(file.Decls)-1].(*ast.FuncDecl)
	if !ok || len(f.Body.List) != 1 {
		return false
	}
	inner, ok := f.Body.List[0].(*ast.BlockStmt)
	if !ok || len(inner.List) == 0 {
		return false
	}
	_, ok = inner.List[len(inner.List)-1].(*ast.ReturnStmt)
	return ok
}

// suffixed returns the name of a file, which is that of a test if it declares one.
func suffixed(base string, file *ast.File) string {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			return base + "_test.go"
		}
	}
	return base + ".go"
}

// imports returns the import declarations of what a file uses and does not declare.
func imports(file *ast.File, packages map[string]string) string {
	used := map[string]string{}
	for _, name := range file.Unresolved {
		if p, ok := packages[name.Name]; ok {
			used[name.Name] = p
		}
	}
	var b strings.Builder
	for _, name := range sorted(used) {
		if path.Base(used[name]) == name {
			fmt.Fprintf(&b, "import %q\n", used[name])
		} else {
			fmt.Fprintf(&b, "import %s %q\n", name, used[name])
		}
	}
	return b.String()
}
