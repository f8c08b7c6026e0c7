package intram_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// standard are the methods that fmt, errors, encoding, database/sql and slog call, and
// no user.
var standard = []string{
	"Error", "Unwrap", "Is", "String", "GoString", "Format", "LogValue",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Scan", "Value",
}

// withoutExample are the exported functions and methods that have no Example, by the
// folder of their package, and why.
var withoutExample = map[string]map[string]string{
	".": {
		"MemoryInbox.Claim":    "ExampleMemoryInbox shows the three methods of an Inbox together",
		"MemoryInbox.Complete": "ExampleMemoryInbox",
		"MemoryInbox.Release":  "ExampleMemoryInbox",
		"MemoryInbox.Horizon":  "the reconciler calls it",
	},
	"intramtest": {
		"Merchant.SetPayinWebhook":   "as ExampleServer_SetPayinWebhook",
		"Server.SetLivePayinWebhook": "as ExampleServer_SetPayinWebhook",
		"Server.ServeHTTP":           "net/http calls it",
	},
}

// pkg.go.dev shows how each function is called. A new one needs an Example with checked
// output, or a reason above.
func TestEachFunctionThatAUserCallsHasAnExample(t *testing.T) {
	t.Parallel()
	for dir, excused := range withoutExample {
		missing := functionsWithoutExample(t, dir, nil)
		for _, name := range missing {
			assert.NotEmpty(t, excused[name], "%s: write Example%s, with its output", dir, strings.ReplaceAll(name, ".", "_"))
		}
		for name := range excused {
			assert.Contains(t, missing, name, "it has an Example: take it off the list")
		}
	}
}

// Each service says in its comment how it is called, in three lines at least.
func TestEachServiceShowsItsLines(t *testing.T) {
	t.Parallel()
	services := 0
	for _, of := range packageDoc(t, ".", nil).Types {
		if strings.HasSuffix(of.Name, "Service") {
			services++
			assert.GreaterOrEqual(t, strings.Count(of.Doc, "\n\t"), 3, "lines of code in the comment of %s", of.Name)
		}
	}
	assert.Equal(t, 8, services)
}

// The package page begins with a list of tasks, and what it links to is there.
func TestThePackagePageBeginsWithTasks(t *testing.T) {
	t.Parallel()
	pkg := packageDoc(t, ".", nil)
	_, tasks, found := strings.Cut(pkg.Doc, "\n# By task\n")
	require.True(t, found)
	tasks, _, _ = strings.Cut(tasks, "\n# ")
	links := regexp.MustCompile(`\[(\w+)(?:\.(\w+))?\]`).FindAllStringSubmatch(tasks, -1)
	assert.Greater(t, len(links), 20)
	for _, link := range links {
		assert.True(t, declares(pkg, link[1], link[2]), "there is no %s", link[0])
	}
}

// declares reports whether a package has a function, or a type with a method.
func declares(pkg *doc.Package, name, method string) bool {
	funcs := pkg.Funcs
	for _, of := range pkg.Types {
		if of.Name == name {
			return method == "" || slices.ContainsFunc(of.Methods, func(f *doc.Func) bool { return f.Name == method })
		}
		funcs = append(funcs, of.Funcs...)
	}
	return slices.ContainsFunc(funcs, func(f *doc.Func) bool { return f.Name == name })
}

func TestAFunctionWithoutAnExampleIsFound(t *testing.T) {
	t.Parallel()
	library := `package shop
type Basket struct{}
func New() *Basket { return nil }
func (*Basket) Pay() {}
func (*Basket) Leave() {}
func (*Basket) String() string { return "" }
func (*Basket) hidden() {}
`
	examples := `package shop_test
func ExampleBasket_Pay() {
	// Output:
}
`
	assert.Equal(t, []string{"Basket.Leave", "New"}, functionsWithoutExample(t, "", map[string]string{"shop.go": library, "shop_test.go": examples}))
}

// packageDoc is what pkg.go.dev shows of the package in dir, or of the given files.
func packageDoc(t *testing.T, dir string, sources map[string]string) *doc.Package {
	t.Helper()
	if sources == nil {
		sources = make(map[string]string)
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			sources[name] = readDocument(t, name).text
		}
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		file, err := parser.ParseFile(fset, name, sources[name], parser.ParseComments)
		require.NoError(t, err)
		if strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(file.Name.Name, "_test") {
			continue // tests of the package itself show nothing to users
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "example.com/library")
	require.NoError(t, err)
	return pkg
}

// functionsWithoutExample are the exported functions and methods of the package in dir,
// or of the given files, that no Example is of.
func functionsWithoutExample(t *testing.T, dir string, sources map[string]string) []string {
	t.Helper()
	pkg := packageDoc(t, dir, sources)
	var missing []string
	note := func(name string, examples []*doc.Example) {
		if len(examples) == 0 {
			missing = append(missing, name)
		}
	}
	for _, f := range pkg.Funcs {
		note(f.Name, f.Examples)
	}
	for _, of := range pkg.Types {
		for _, f := range of.Funcs {
			note(f.Name, f.Examples)
		}
		for _, m := range of.Methods {
			if !slices.Contains(standard, m.Name) {
				note(of.Name+"."+m.Name, m.Examples)
			}
		}
	}
	slices.Sort(missing)
	return missing
}
