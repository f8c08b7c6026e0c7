package intram_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

var (
	isTest = regexp.MustCompile(`^(Test|Fuzz|Example)`)
	isLog  = regexp.MustCompile(`^(Log|Print|Skip)`)
)

// testSources are the test files of one folder.
type testSources struct {
	source    []byte // every file, one after the other, without comments and logged text
	positions *token.FileSet
	decls     map[string][]ast.Node   // functions, methods, variables and constants by name
	asserted  map[string]map[int]bool // which arguments a helper compares, by its name
}

// loadTests parses the test files that match a pattern.
func loadTests(t *testing.T, pattern string) *testSources {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	s := &testSources{positions: token.NewFileSet(), decls: map[string][]ast.Node{}, asserted: map[string]map[int]bool{}}
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		s.add(t, file, source)
	}
	s.findHelpers()
	return s
}

func (s *testSources) add(t *testing.T, file string, source []byte) {
	t.Helper()
	parsed, err := parser.ParseFile(s.positions, file, source, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	start := s.positions.File(parsed.FileStart).Base()
	s.source = append(s.source, make([]byte, start+len(source)-len(s.source))...)
	copy(s.source[start:], source)
	for _, group := range parsed.Comments {
		s.blank(group)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && isLog.MatchString(calledName(call)) {
			s.blank(call)
		}
		return true
	})
	for _, decl := range parsed.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			s.decls[decl.Name.Name] = append(s.decls[decl.Name.Name], decl)
			if decl.Recv != nil {
				receiver := strings.TrimPrefix(types.ExprString(decl.Recv.List[0].Type), "*")
				s.decls[receiver] = append(s.decls[receiver], decl)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if value, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range value.Names {
						s.decls[name.Name] = append(s.decls[name.Name], value)
					}
				}
			}
		}
	}
}

func (s *testSources) blank(n ast.Node) {
	for i := n.Pos(); i < n.End(); i++ {
		s.source[i] = ' '
	}
}

// findHelpers marks the parameters of helpers that they compare, then those passed on to
// such a helper, until no more are found.
func (s *testSources) findHelpers() {
	for found := true; found; {
		found = false
		for name, decls := range s.decls {
			for _, decl := range decls {
				helper, ok := decl.(*ast.FuncDecl)
				if !ok || isTest.MatchString(name) {
					continue
				}
				i, compared := 0, s.comparedIn(helper.Body)
				for _, field := range helper.Type.Params.List {
					for _, param := range field.Names {
						if !s.asserted[name][i] && names(compared, param.Name) {
							if s.asserted[name] == nil {
								s.asserted[name] = map[int]bool{}
							}
							s.asserted[name][i], found = true, true
						}
						i++
					}
				}
			}
		}
	}
}

// names reports whether one of the expressions names a variable. t is none: each
// assertion names it.
func names(expressions []ast.Expr, variable string) bool {
	found := false
	for _, x := range expressions {
		ast.Inspect(x, func(n ast.Node) bool {
			ident, ok := n.(*ast.Ident)
			found = found || ok && ident.Name == variable && variable != "t"
			return !found
		})
	}
	return found
}

// assertions returns the source of what a test asserts, one string for each expression:
// what is compared by its own assertions and those of the functions it names, and the
// rows of the tables they go through. Comments, logged text and the messages of
// assertions are left out: they are printed, not compared.
func (s *testSources) assertions(test string) []string {
	var texts []string
	for _, body := range s.named(test) {
		for _, n := range s.comparedIn(body) {
			for _, shown := range append(s.literals(n, body), n) {
				texts = append(texts, strings.Join(strings.Fields(string(s.source[shown.Pos():shown.End()])), " "))
			}
		}
	}
	return texts
}

// comparedIn returns the expressions that a body compares: arguments of assertions and of
// helpers that compare them, conditions under which it fails the test, and tables whose
// rows are compared.
func (s *testSources) comparedIn(body ast.Node) []ast.Expr {
	var found []ast.Expr
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			found = append(found, s.compared(n)...)
		case *ast.IfStmt:
			if fails(n.Body) {
				found = append(found, n.Cond)
			}
		case *ast.RangeStmt:
			for _, row := range []ast.Expr{n.Key, n.Value} {
				if ident, ok := row.(*ast.Ident); ok && names(s.comparedIn(n.Body), ident.Name) {
					found = append(found, n.X)
				}
			}
		}
		return true
	})
	return found
}

// named returns a test, and the functions, variables and types' methods of its package
// that it names.
func (s *testSources) named(test string) []ast.Node {
	named := slices.Clone(s.decls[test])
	for _, body := range s.decls[test] {
		ast.Inspect(body, func(n ast.Node) bool {
			if ident, ok := n.(*ast.Ident); ok && ident.Name != test {
				named = append(named, s.decls[ident.Name]...)
			}
			return true
		})
	}
	return named
}

// literals returns the literals that the variable an expression names is given.
func (s *testSources) literals(x ast.Expr, body ast.Node) []ast.Expr {
	variable, ok := x.(*ast.Ident)
	if !ok {
		return nil
	}
	var found []ast.Expr
	given := func(name, value ast.Expr) {
		ident, ok := name.(*ast.Ident)
		if !ok || ident.Name != variable.Name {
			return
		}
		switch value.(type) {
		case *ast.CompositeLit, *ast.BasicLit:
			found = append(found, value)
		}
	}
	for _, in := range append(slices.Clone(s.decls[variable.Name]), body) {
		ast.Inspect(in, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i := range min(len(n.Lhs), len(n.Rhs)) {
					given(n.Lhs[i], n.Rhs[i])
				}
			case *ast.ValueSpec:
				for i := range min(len(n.Names), len(n.Values)) {
					given(n.Names[i], n.Values[i])
				}
			}
			return true
		})
	}
	return found
}

// compared returns the arguments that a call compares. Of an assertion of testify that is
// not the message after them.
func (s *testSources) compared(call *ast.CallExpr) []ast.Expr {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	var pkg *ast.Ident
	if ok {
		pkg, ok = selector.X.(*ast.Ident)
	}
	if !ok || pkg.Name != "assert" && pkg.Name != "require" {
		var found []ast.Expr
		for i, argument := range call.Args {
			if s.asserted[calledName(call)][i] {
				found = append(found, argument)
			}
		}
		return found
	}
	n := 2
	switch strings.TrimSuffix(selector.Sel.Name, "f") {
	case "True", "False", "Nil", "NotNil", "Empty", "NotEmpty", "Zero", "NotZero", "Positive", "Negative", "Error", "NoError", "Panics", "NotPanics":
		n = 1
	case "InDelta", "InEpsilon", "WithinDuration", "WithinRange", "Eventually", "Never":
		n = 3
	case "Fail", "FailNow":
		return nil // only a message; the condition around it is the assertion
	}
	if len(call.Args) < 1+n {
		return nil
	}
	return call.Args[1 : 1+n]
}

// fails reports whether a block fails the test by itself.
func fails(block *ast.BlockStmt) bool {
	return slices.ContainsFunc(block.List, func(stmt ast.Stmt) bool {
		expr, ok := stmt.(*ast.ExprStmt)
		if !ok {
			return false
		}
		call, ok := expr.X.(*ast.CallExpr)
		return ok && slices.Contains([]string{"Error", "Errorf", "Fatal", "Fatalf", "Fail", "Failf", "FailNow", "FailNowf"}, calledName(call))
	})
}

// calledName is the last part of the name of the function that a call calls.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// TestOnlyWhatATestComparesIsQuoted looks for fragments in a test that holds each of them
// in another way.
func TestOnlyWhatATestComparesIsQuoted(t *testing.T) {
	t.Parallel()
	s := &testSources{positions: token.NewFileSet(), decls: map[string][]ast.Node{}, asserted: map[string]map[int]bool{}}
	s.add(t, "planted_test.go", []byte(`package planted

var table = []string{"row of a package's table"}

var unused = []string{"row that nothing reads"}

func TestPlanted(t *testing.T) {
	// "in a comment"
	t.Log("logged")
	resp := post(t, "in a request", 202)
	require.Equal(t, "compared", resp.text("read in a comparison"), "in a message") // "beside an assertion"
	require.True(t, resp.ok, "message of one argument")
	assert.WithinDuration(t, a, b, 15*time.Second)
	want := []string{"wanted" /* "in a wanted literal" */}
	assert.Equal(t, want, resp.list)
	rapid.Check(t, rapid.StateMachineActions(&machine{}))
	set := []string{"set and only sent"}
	post(t, set...).keep()
	details := refused(t, resp, "argument of a helper", "only sent by a helper")
	if resp.code != "condition" {
		t.Errorf("failure's text")
	}
	if resp.code != "harmless condition" {
		t.Log("harmless")
	}
	for _, row := range table {
		assert.Contains(t, resp.list, row)
	}
	for _, c := range []struct{ sent, code string }{{"sent", "row of a table"}} {
		refused(t, resp, c.code, c.sent)
	}
	for _, c := range []string{"row of a loop that checks nothing"} {
		resp.list = append(resp.list, c)
	}
	rules(t, "/endpoint", []rule{{"row given to a helper"}})
	assert.Eventually(t, func() bool { t.Log("logged inside"); return resp.at == "polled" }, time.Second, time.Millisecond)
}

func refused(t *testing.T, resp answer, code, sent string) map[string]string {
	passed(t, code)
	resp.send(sent)
	further(t)
	return resp.details
}

func passed(t *testing.T, value string) { require.Equal(t, 403, value) }

func rules(t *testing.T, endpoint string, rules []rule) {
	require.NotEmpty(t, "told by a helper")
	for _, r := range rules {
		t.Run(endpoint, func(t *testing.T) { require.Equal(t, r.want, 1) })
	}
}

func further(t *testing.T) { require.True(t, "two steps away") }

func post(t *testing.T, body string, status int) answer {
	resp := answer{body}
	require.Equal(t, status, resp.status)
	return resp
}

type machine struct{}

func (m *machine) Step(t *rapid.T) {
	if c := m.step(); c.answer != "condition of a method" {
		t.Fatalf("no response")
	}
}

func TestAnother(t *testing.T) { require.Equal(t, "in another test", "") }
`))
	s.findHelpers()
	for fragment, want := range map[string]bool{
		`"compared"`: true, `text("read in a comparison")`: true, `"wanted"`: true, `15*time.Second`: true, `"argument of a helper"`: true,
		`"condition"`: true, `"row of a package's table"`: true, `"row of a table"`: true, `"told by a helper"`: true, `"row given to a helper"`: true, "202": true, "condition of a method": true, `"polled"`: true,
		"in a comment": false, "logged": false, "in a request": false, "in a message": false, "beside an assertion": false, "message of one argument": false,
		"in a wanted literal": false, "set and only sent": false, "only sent by a helper": false, "/endpoint": false, "failure's text": false, "harmless condition": false, "row that nothing reads": false,
		"row of a loop that checks nothing": false, "logged inside": false, "two steps away": false, "in another test": false, "nowhere": false,
	} {
		assert.Equal(t, want, quoted(s.assertions("TestPlanted"), fragment), fragment)
	}
}

// quoted reports whether a quote is part of one of the expressions that a test asserts.
func quoted(asserted []string, quote string) bool {
	return slices.ContainsFunc(asserted, func(text string) bool { return strings.Contains(text, quote) })
}

// pass lets time go by in a synctest bubble, for a function that has no test to fail.
func pass(d time.Duration) {
	if err := intram.SystemClock.Sleep(context.Background(), d); err != nil {
		panic(err)
	}
}
