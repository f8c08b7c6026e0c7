package intram_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// questions is how many questions of merchants the index has at least, each a link away
// from the page that replies to it.
const questions = 15

func TestTheIndexHasTheQuestionsOfMerchants(t *testing.T) {
	t.Parallel()
	assert.Contains(t, readDocument(t, "README.md").links(1, 40), "docs/README.md", "the README names the index at its top")

	index := readDocument(t, "docs/README.md")
	asked := index.section("## Questions")
	count := 0
	for line := range strings.Lines(asked) {
		if question, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), "?"); ok && strings.HasPrefix(line, "| ") {
			count++
			assert.Regexp(t, `\[[a-z-]+\.md\]\([a-z-]+\.md(#[a-z0-9-]+)?\)`, line, question)
		}
	}
	assert.GreaterOrEqual(t, count, questions)

	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	links := index.links(0, len(index.text))
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" {
			assert.Contains(t, links, name, "the index leaves %s out", name)
		}
	}
}

// Each page that replies to merchants begins with what to copy and ends with what proves
// it. The pages that were there before have forms of their own.
func TestEachPageBeginsWithCodeAndEndsWithItsProof(t *testing.T) {
	t.Parallel()
	pages := []string{"accounting", "errors", "faq", "from-fedapay", "from-kkiapay", "from-legacy", "from-stripe", "going-live", "payments", "payouts", "proxies-and-certificates", "refunds", "several-shops"}
	for _, name := range pages {
		page := readDocument(t, "docs/"+name+".md")
		complaints := page.shape()
		assert.Empty(t, complaints)
	}
}

func TestAPageWithoutCodeOrProofIsReported(t *testing.T) {
	t.Parallel()
	begins, ends := "# A\n\nWhat it is.\n\n```go\nx()\n```\n\n## B\n\n", "## What proves it\n\n| claim | proved by |\n|---|---|\n"
	row := "| it holds | `TestItHolds` |\n"
	for text, want := range map[string][]string{
		begins + ends + row:                             nil,
		"# A\n\n## B\n\n```go\nx()\n```\n" + ends + row: {"a.md: no Go code comes before the first section"},
		begins:        {"a.md: there is no section \"What proves it\""},
		begins + ends: {"a.md: nothing is proved"},
		begins + ends + "| it holds | somehow |\n":             {"a.md: no test proves: | it holds | somehow |"},
		begins + ends + row + "\n## C\n\nMore that is said.\n": {"a.md: the proof is not the last section"},
	} {
		assert.Equal(t, want, document{name: "a.md", text: text}.shape(), text)
	}
}

// Whatever a document calls by a test's or an example's name is there.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	there := declaredTests(t)
	named := regexp.MustCompile("`(?:[a-z0-9/]+/)?((?:Test|Fuzz|Example)[A-Z_][A-Za-z0-9_]+)`")
	count := 0
	for _, d := range documents(t) {
		d.walk(func(line int, text string, in *fence) {
			if in != nil || d.name == "CONTRIBUTING.md" { // whose names are made up, to show how names are made
				return
			}
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				count++
				assert.True(t, there[m[1]], "%s:%d: there is no %s", d.name, line, m[1])
			}
		})
	}
	assert.Greater(t, count, 400)
}

// declaredTests are the names of all tests, fuzz targets and examples of the repository.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Za-z0-9_]*)\((?:t \*testing\.T|f \*testing\.F)?\)`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declared.FindAllStringSubmatch(string(source), -1) {
			there[match[1]] = true
		}
		return err
	})
	require.NoError(t, err)
	return there
}

// shape says what a page lacks of the form that all pages for merchants have.
func (d document) shape() (complaints []string) {
	complain := func(text string) { complaints = append(complaints, d.name+": "+text) }
	before, _, _ := strings.Cut(d.text, "\n## ")
	if !strings.Contains(before, "\n```go\n") {
		complain("no Go code comes before the first section")
	}
	const heading = "## What proves it"
	proof := d.section(heading)
	if proof == "" {
		complain(`there is no section "What proves it"`)
		return complaints
	}
	if strings.Contains(d.text[strings.Index(d.text, heading)+len(heading):], "\n## ") {
		complain("the proof is not the last section")
	}
	rows := 0
	for line := range strings.Lines(proof) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| claim ") {
			rows++
			if !regexp.MustCompile("`(Test|Fuzz|Example)[A-Z_]").MatchString(line) {
				complain("no test proves: " + strings.TrimSpace(line))
			}
		}
	}
	if rows == 0 {
		complain("nothing is proved")
	}
	return complaints
}

// section is the text below a heading, up to the next one of its level.
func (d document) section(heading string) string {
	_, text, ok := strings.Cut(d.text, "\n"+heading+"\n")
	if !ok {
		return ""
	}
	level := heading[:strings.Index(heading, " ")+1]
	text, _, _ = strings.Cut(text, "\n"+level)
	return text
}

// links are the targets of the links in the lines from first to last.
func (d document) links(first, last int) (links []string) {
	d.walk(func(line int, text string, in *fence) {
		if in == nil && line >= first && line <= last {
			for _, m := range inlineLink.FindAllStringSubmatch(text, -1) {
				name, _, _ := strings.Cut(m[1], "#")
				links = append(links, name)
			}
		}
	})
	return links
}

// The function that accounting.md shows is the one that a test runs.
func TestTheAccountingPageShowsWhatIsTested(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	tested := readDocument(t, "accounting_test.go").text
	file, err := parser.ParseFile(fset, "", tested, 0)
	require.NoError(t, err)
	i := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Name.Name == "moved"
	})
	require.GreaterOrEqual(t, i, 0)
	function := tested[fset.Position(file.Decls[i].Pos()).Offset:fset.Position(file.Decls[i].End()).Offset]
	assert.Contains(t, readDocument(t, "docs/accounting.md").text, function)
}
