package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// change is one small alteration of a file's text that an operator proposes.
type change struct {
	file       string // slash-separated, relative to the root
	function   string // the function it is in, empty outside of functions
	operator   string
	start, end int // bytes of the file
	line, col  int
	old, new   string
	nth        int // counts the changes of one function, operator and old text, from 1
}

// name identifies the change as long as its function keeps this expression. Lines of the
// file may come and go.
func (c change) name() string {
	name := fmt.Sprintf("%s: %s: %s: %s", c.file, c.function, c.operator, strings.Join(strings.Fields(c.old), " "))
	if c.nth > 1 {
		name += " #" + strconv.Itoa(c.nth)
	}
	return name
}

// changes lists what the operators propose for a file, by its kind.
func changes(file string, src []byte) ([]change, error) {
	var all []change
	var err error
	switch filepath.Ext(file) {
	case ".go":
		all, err = goChanges(file, src)
	case ".sql", ".lua":
		all = textChanges(file, src, 0, src, "")
	default:
		return nil, fmt.Errorf("%s: no operator knows files of its kind", file)
	}
	seen := map[string]int{}
	for i := range all {
		all[i].nth = 0
		name := all[i].name()
		seen[name]++
		all[i].nth = seen[name]
	}
	return all, err
}

// swaps are the operators of binary expressions: each is a mistake that people make.
var swaps = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.EQL: "!=", token.NEQ: "==",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*",
}

// goChanges walks the functions of a Go file.
func goChanges(file string, src []byte) ([]change, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	g := &goFile{file: file, src: src, fset: fset}
	for _, decl := range tree.Decls {
		g.function = ""
		if fn, ok := decl.(*ast.FuncDecl); ok {
			g.function = functionName(fn)
		}
		ast.Inspect(decl, g.visit)
	}
	return g.all, nil
}

// goFile collects the changes of one Go file.
type goFile struct {
	file, function string
	src            []byte
	fset           *token.FileSet
	all            []change
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
		case *ast.IndexExpr:
			receiver = t.X
		case *ast.IndexListExpr:
			receiver = t.X
		case *ast.Ident:
			return t.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// propose records that the text of a node is replaced.
func (g *goFile) propose(operator string, from, to token.Pos, text string) {
	pos := g.fset.Position(from)
	start, end := pos.Offset, g.fset.Position(to).Offset
	g.all = append(g.all, change{
		file: g.file, function: g.function, operator: operator,
		start: start, end: end, line: pos.Line, col: pos.Column, old: string(g.src[start:end]), new: text,
	})
}

func (g *goFile) text(n ast.Node) string {
	return string(g.src[g.fset.Position(n.Pos()).Offset:g.fset.Position(n.End()).Offset])
}

func (g *goFile) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		if n.Tok == token.IMPORT {
			return false
		}
	case *ast.BinaryExpr:
		if swapped, ok := swaps[n.Op]; ok {
			whole := g.text(n.X) + " " + swapped + " " + g.text(n.Y)
			g.propose("swap "+n.Op.String(), n.Pos(), n.End(), whole)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			g.propose("drop !", n.Pos(), n.End(), g.text(n.X))
		}
	case *ast.IfStmt:
		if _, binary := n.Cond.(*ast.BinaryExpr); !binary {
			g.propose("negate condition", n.Cond.Pos(), n.Cond.End(), "!("+g.text(n.Cond)+")")
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			if value, err := strconv.ParseInt(n.Value, 0, 32); err == nil {
				g.propose("number + 1", n.Pos(), n.End(), strconv.FormatInt(value+1, 10))
			}
		} else if n.Kind == token.STRING && n.Value[0] == '`' {
			g.all = append(g.all, g.embedded(n)...)
		}
	case *ast.ReturnStmt:
		g.visitReturn(n)
	case *ast.BlockStmt:
		g.visitStatements(n.List)
	case *ast.CaseClause:
		g.visitStatements(n.Body)
	}
	return true
}

// visitReturn forgets errors and turns booleans round.
func (g *goFile) visitReturn(n *ast.ReturnStmt) {
	for i, result := range n.Results {
		ident, ok := result.(*ast.Ident)
		switch {
		case ok && ident.Name == "true":
			g.propose("return false", ident.Pos(), ident.End(), "false")
		case ok && ident.Name == "false":
			g.propose("return true", ident.Pos(), ident.End(), "true")
		case ok && ident.Name == "err" && i == len(n.Results)-1:
			g.propose("forget the error", ident.Pos(), ident.End(), "nil")
		}
	}
}

// visitStatements leaves out one statement at a time, where the rest still means
// something.
func (g *goFile) visitStatements(list []ast.Stmt) {
	for _, stmt := range list {
		switch s := stmt.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt:
			g.propose("leave out", s.Pos(), s.End(), "")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				// The values are still used, so that it compiles.
				var values []string
				for _, value := range s.Rhs {
					values = append(values, g.text(value))
				}
				blanks := strings.TrimSuffix(strings.Repeat("_, ", len(s.Lhs)), ", ")
				g.propose("leave out", s.Pos(), s.End(), blanks+" = "+strings.Join(values, ", "))
			}
		case *ast.BranchStmt:
			if s.Tok == token.BREAK || s.Tok == token.CONTINUE {
				g.propose("leave out", s.Pos(), s.End(), "")
			}
		}
	}
}

var looksLikeSQL = regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|with|create|alter)\b`)

// embedded proposes changes of SQL that stands in a Go file.
func (g *goFile) embedded(lit *ast.BasicLit) []change {
	if !looksLikeSQL.MatchString(lit.Value[1:]) {
		return nil
	}
	start := g.fset.Position(lit.Pos()).Offset + 1
	return textChanges(g.file, g.src, start, []byte(lit.Value[1:len(lit.Value)-1]), g.function)
}

// textOperator is an operator of SQL and Lua, which are changed word by word.
type textOperator struct {
	name    string
	pattern *regexp.Regexp
	by      func(string) string
}

func replaced(by string) func(string) string { return func(string) string { return by } }

var textOperators = []textOperator{
	{"swap <=", regexp.MustCompile(`<=`), replaced("<")},
	{"swap >=", regexp.MustCompile(`>=`), replaced(">")},
	{"swap <", regexp.MustCompile(`<(?:[^=>]|$)`), func(s string) string { return "<=" + s[1:] }},
	{"swap >", regexp.MustCompile(`[^<=]>(?:[^=]|$)`), func(s string) string { return s[:1] + ">=" + s[2:] }},
	{"swap ==", regexp.MustCompile(`==`), replaced("~=")},
	{"swap ~=", regexp.MustCompile(`~=`), replaced("==")},
	{"swap AND", regexp.MustCompile(`(?i)\band\b`), replaced("or")},
	{"swap OR", regexp.MustCompile(`(?i)\bor\b`), replaced("and")},
	{"swap +", regexp.MustCompile(` \+ `), replaced(" - ")},
	{"number + 1", regexp.MustCompile(`\b[0-9]+\b`), func(s string) string {
		n, err := strconv.Atoi(s)
		if err != nil {
			return s + "1"
		}
		return strconv.Itoa(n + 1)
	}},
	{"no NOT", regexp.MustCompile(`(?i)\bnot `), replaced("")},
	{"swap true", regexp.MustCompile(`\btrue\b`), replaced("false")},
	{"swap false", regexp.MustCompile(`\bfalse\b`), replaced("true")},
	{"leave out", regexp.MustCompile(`(?m)^\s*redis\.call\(.*\)\s*$`), replaced("")},
	{"leave out FOR UPDATE", regexp.MustCompile(`(?i)\bfor update\b`), replaced("")},
}

// textChanges goes through a piece of a file that starts at base. Comments are left
// alone.
func textChanges(file string, src []byte, base int, piece []byte, function string) []change {
	var all []change
	for _, op := range textOperators {
		for _, at := range op.pattern.FindAllIndex(piece, -1) {
			start, end := base+at[0], base+at[1]
			line := strings.Count(string(src[:start]), "\n") + 1
			begin := strings.LastIndexByte(string(src[:start]), '\n') + 1
			if strings.Contains(string(src[begin:start]), "--") {
				continue
			}
			old := string(src[start:end])
			all = append(all, change{
				file: file, function: function, operator: op.name, start: start, end: end,
				line: line, col: start - begin + 1, old: old, new: op.by(old),
			})
		}
	}
	return all
}
