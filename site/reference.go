package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// module is the path of the core module. The other modules are below it.
const module = "github.com/intram/intram-go"

// library is one published package.
type library struct {
	doc   *doc.Package
	files *token.FileSet
}

func (l library) name() string { return l.doc.Name }

// route is where the package's page is.
func (l library) route() string {
	return path.Join("reference", strings.ReplaceAll(strings.TrimPrefix(cmpPath(l.doc.ImportPath), "/"), "/", "-"))
}

func cmpPath(importPath string) string {
	if importPath == module {
		return "intram"
	}
	return strings.TrimPrefix(importPath, module)
}

// unpublished are the folders whose packages no program of a merchant imports.
var unpublished = []string{"internal", "testdata", "tools", "bench", "site", "docs", "examples", "example", "cmd", "node_modules", "mutations"}

// findPackages reads the packages that a merchant can import, with their examples.
func findPackages(root string) ([]library, error) {
	var found []library
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); dir != root && (strings.HasPrefix(name, ".") || slices.Contains(unpublished, name)) {
			return filepath.SkipDir
		}
		below, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		l, err := readPackage(dir, path.Join(module, filepath.ToSlash(below)))
		if err == nil && l != nil {
			found = append(found, *l)
		}
		return err
	})
	return found, err
}

// readPackage reads the package in a folder, nil if it holds none.
func readPackage(dir, importPath string) (*library, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, entry.Name()); err != nil || !ok {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(dir, entry.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if !slices.ContainsFunc(files, func(f *ast.File) bool { return !strings.HasSuffix(f.Name.Name, "_test") }) || files[0].Name.Name == "main" {
		return nil, nil //nolint:nilnil // there is no package, and nothing wrong
	}
	p, err := doc.NewFromFiles(set, files, importPath)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", importPath, err)
	}
	return &library{p, set}, nil
}

// reference writes the page of a package.
type reference struct {
	library

	all []library
	b   strings.Builder
}

// markdown returns the page of the package: its comment, and each exported name with its
// declaration, comment and examples.
func (l library) markdown(all []library) string {
	r := &reference{library: l, all: all}
	r.printf("# package %s\n\n```go\nimport %q\n```\n\n", l.doc.Name, l.doc.ImportPath)
	r.comment(l.doc.Doc, 2)
	r.examples(l.doc.Examples)
	r.values("Constants", l.doc.Consts)
	r.values("Variables", l.doc.Vars)
	if len(l.doc.Funcs) > 0 {
		r.printf("## Functions\n\n")
		r.functions(l.doc.Funcs, 3, "")
	}
	if len(l.doc.Types) > 0 {
		r.printf("## Types\n\n")
	}
	for _, t := range l.doc.Types {
		r.printf("### %s {#%s}\n\n", t.Name, t.Name)
		r.declaration(t.Decl)
		r.comment(t.Doc, 5)
		r.examples(t.Examples)
		for _, v := range append(slices.Clone(t.Consts), t.Vars...) {
			r.declaration(v.Decl)
			r.comment(v.Doc, 5)
		}
		r.functions(t.Funcs, 4, "")
		r.functions(t.Methods, 4, t.Name+".")
	}
	return r.b.String()
}

func (r *reference) printf(form string, args ...any) { fmt.Fprintf(&r.b, form, args...) }

func (r *reference) values(title string, values []*doc.Value) {
	if len(values) == 0 {
		return
	}
	r.printf("## %s\n\n", title)
	for _, v := range values {
		r.declaration(v.Decl)
		r.comment(v.Doc, 4)
	}
}

func (r *reference) functions(functions []*doc.Func, level int, of string) {
	for _, f := range functions {
		r.printf("%s %s%s {#%s%s}\n\n", strings.Repeat("#", level), of, f.Name, of, f.Name)
		r.declaration(f.Decl)
		r.comment(f.Doc, level+1)
		r.examples(f.Examples)
	}
}

// declaration writes what is declared, without the bodies of functions.
func (r *reference) declaration(decl ast.Decl) {
	if f, ok := decl.(*ast.FuncDecl); ok {
		without := *f
		without.Body, without.Doc = nil, nil
		decl = &without
	}
	if g, ok := decl.(*ast.GenDecl); ok {
		without := *g
		without.Doc = nil
		decl = &without
	}
	r.code(decl, "")
}

func (r *reference) code(node any, output string) {
	var b bytes.Buffer
	if err := format.Node(&b, r.files, node); err != nil {
		fmt.Fprintf(&b, "// %v", err) // not of what was parsed a moment ago
	}
	r.printf("```go\n%s\n```\n\n", strings.TrimSpace(b.String()))
	if output != "" {
		r.printf("```text\n%s\n```\n\n", strings.TrimSpace(output))
	}
}

// comment writes a doc comment. Its links lead to the pages of the packages.
func (r *reference) comment(text string, heading int) {
	if text == "" {
		return
	}
	writer := r.doc.Printer()
	writer.HeadingLevel = heading
	writer.HeadingID = func(*comment.Heading) string { return "" }
	writer.DocLinkURL = r.link
	code, blanks := false, ""
	for line := range strings.Lines(string(writer.Markdown(r.doc.Parser().Parse(text)))) {
		indented, ok := strings.CutPrefix(line, "\t")
		switch {
		case code && strings.TrimSpace(line) == "":
			blanks += "\n" // within the code, or behind it
		case ok && !code:
			code = true
			r.printf("```go\n%s", indented)
		case ok:
			r.printf("%s%s", blanks, indented)
			blanks = ""
		default:
			if code {
				r.printf("```\n\n")
				code, blanks = false, ""
			}
			r.printf("%s", strings.NewReplacer("{{", "{<!-- -->{", "<", "&lt;").Replace(line))
		}
	}
	if code {
		r.printf("```\n")
	}
	r.printf("\n")
}

// link returns where a link of a doc comment leads.
func (r *reference) link(to *comment.DocLink) string {
	name := to.Name
	if to.Recv != "" {
		name = to.Recv + "." + name
	}
	if name != "" {
		name = "#" + name
	}
	if to.ImportPath == "" {
		return r.anchored(name)
	}
	for _, l := range r.all {
		if l.doc.ImportPath == to.ImportPath {
			return "/" + l.route() + ".md" + l.known(name)
		}
	}
	return "https://pkg.go.dev/" + to.ImportPath + name
}

// anchored returns the anchor of a name of this package, or its section's.
func (r *reference) anchored(name string) string {
	if known := r.known(name); known != "" {
		return known
	}
	return "/" + r.route() + ".md"
}

// known returns an anchor if the package's page has it: constants and variables have
// none, nor have the fields of a type.
func (l library) known(anchor string) string {
	has := func(functions []*doc.Func, of string) bool {
		return slices.ContainsFunc(functions, func(f *doc.Func) bool { return anchor == "#"+of+f.Name })
	}
	if has(l.doc.Funcs, "") {
		return anchor
	}
	for _, t := range l.doc.Types {
		if anchor == "#"+t.Name || has(t.Funcs, "") || has(t.Methods, t.Name+".") {
			return anchor
		}
		if strings.HasPrefix(anchor, "#"+t.Name+".") {
			return "#" + t.Name
		}
	}
	return ""
}

// examples writes examples folded, with the output that a test checks.
func (r *reference) examples(examples []*doc.Example) {
	for _, e := range examples {
		title := "Example"
		if e.Suffix != "" {
			title += " (" + e.Suffix + ")"
		}
		r.printf("::: details %s\n\n", title)
		r.comment(e.Doc, 6)
		switch code := e.Code.(type) {
		case *ast.BlockStmt:
			r.block(e, code)
		default:
			r.code(code, e.Output)
		}
		r.printf(":::\n\n")
	}
}

// block writes the statements of an example, without the braces around them.
func (r *reference) block(e *doc.Example, block *ast.BlockStmt) {
	var b bytes.Buffer
	if err := format.Node(&b, r.files, &printer.CommentedNode{Node: block, Comments: e.Comments}); err != nil {
		_ = format.Node(&b, r.files, block)
	}
	lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), "{"), "}"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "\t")
	}
	r.printf("```go\n%s\n```\n\n", strings.TrimSpace(strings.Join(lines, "\n")))
	if e.Output != "" {
		r.printf("```text\n%s\n```\n\n", strings.TrimSpace(e.Output))
	}
}
