package intram_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheArchitecturePageNamesWhatExists checks each `file.go` of the page, and that a
// `function` in the same sentence as files is declared in one of them.
func TestTheArchitecturePageNamesWhatExists(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	_, hops, found := strings.Cut(string(data), "## The way of a payout")
	require.True(t, found)
	quoted := regexp.MustCompile("`([^`]+)`")
	isFunction := regexp.MustCompile(`^[A-Za-z]+(\.[A-Za-z]+)?$`)
	checked := 0
	last := map[string]bool{} // what the files that were named last declare
	for _, hop := range regexp.MustCompile(`(?m)^\d+\. `).Split(hops, -1)[1:] {
		names := quoted.FindAllStringSubmatch(hop, -1)
		declared := map[string]bool{}
		dir := ""
		for _, name := range names {
			if !strings.HasSuffix(name[1], ".go") {
				continue
			}
			path := name[1]
			if filepath.Dir(path) != "." {
				dir = filepath.Dir(path)
			} else if _, err := os.Stat(path); err != nil {
				path = filepath.Join(dir, path) // the folder of the file before
			}
			for name := range declarations(t, path) {
				declared[name] = true
			}
			checked++
		}
		for name := range last {
			declared[name] = true
		}
		for _, name := range names {
			_, function, method := strings.Cut(name[1], ".")
			if !method {
				function = name[1]
			}
			if isFunction.MatchString(name[1]) && !strings.HasSuffix(name[1], ".go") && !inOtherFiles[name[1]] {
				assert.True(t, declared[function], "docs/architecture.md: %s is in none of the files of its hop: %s", name[1], hop)
				checked++
			}
		}
		if len(declared) > 0 {
			last = declared
		}
	}
	assert.Greater(t, checked, 40)
}

// TestTheArchitecturePageNamesEveryModule compares the page's table with the folders that
// have a go.mod.
func TestTheArchitecturePageNamesEveryModule(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(data), "## The modules\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\|([^|]*)\|`).FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			named = append(named, name[1])
		}
	}
	var modules []string
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if err == nil && entry.Name() == "go.mod" && path != "go.mod" {
			modules = append(modules, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	}))
	assert.ElementsMatch(t, modules, named)
}

// inOtherFiles are exported names that hops speak of, and that are no hop themselves.
var inOtherFiles = map[string]bool{"Outcome": true, "Inbox": true, "EventHandler": true, "ErrNeverSent": true, "WithNotify": true}

// declarations returns the names that a file declares.
func declarations(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err, "docs/architecture.md names %s", path)
	names := map[string]bool{}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			names[decl.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					names[named.Name.Name] = true
				}
			}
		}
	}
	return names
}
