package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sources finds the places of mutations in a tree. It reads and parses each package once.
type sources struct {
	dir      string
	packages map[string][]*source // by the file or folder that a mutation names
}

// source is a file of the tree.
type source struct {
	name         string // in the tree
	text         []byte
	lexemes      []lexeme
	declarations []declaration
}

// declaration is a function, or one spec of a const, var or type declaration.
type declaration struct {
	names   []string // prepare, (*protocol) prepare
	source  *source
	lexemes []lexeme
}

// site is where a bug goes: a part of a source's text.
type site struct {
	source     *source
	start, end int
}

func newSources(dir string) *sources {
	return &sources{dir: dir, packages: map[string][]*source{}}
}

// planted is the source's text with the bug in it.
func (s site) planted(bug string) []byte {
	return slices.Concat(s.source.text[:s.start], []byte(bug), s.source.text[s.end:])
}

// find looks for the old text of a mutation, which must be in its place once.
func (t *sources) find(m mutation) (site, error) {
	if m.declaration == "" {
		return t.findText(m)
	}
	files, err := t.parsed(m.place)
	if err != nil {
		return site{}, fmt.Errorf("%q: %s in %s: %w", m.name, m.declaration, m.place, err)
	}
	var scope []declaration
	for _, d := range declarations(files) {
		if slices.Contains(d.names, m.declaration) {
			scope = append(scope, d)
		}
	}
	if len(scope) == 0 {
		hint := elsewhere(files, m)
		if hint == "" {
			hint = namesakes(files, m)
		}
		return site{}, fmt.Errorf("%q: no declaration %s in %s%s; update func", m.name, m.declaration, m.place, hint)
	}
	found := findIn(scope, m.old)
	if len(found) == 1 {
		return found[0], nil
	}
	hint := ""
	if len(found) == 0 {
		hint = elsewhere(files, m)
	}
	return site{}, fmt.Errorf("%q: its old text is %d times in %s in %s, want once%s; update the entry",
		m.name, len(found), m.declaration, m.place, hint)
}

// findText looks for exact text in a file of any kind.
func (t *sources) findText(m mutation) (site, error) {
	file := filepath.Join(t.dir, m.place)
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return site{}, fmt.Errorf("%q: no func, and %s is a folder: name the declaration, or a file", m.name, m.place)
	}
	text, err := os.ReadFile(file) //nolint:gosec // a file of the tree
	if err != nil {
		return site{}, fmt.Errorf("%q: %w", m.name, err)
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return site{}, fmt.Errorf("%q: its old text is %d times in %s, want once; update the entry", m.name, n, m.place)
	}
	start := bytes.Index(text, []byte(m.old))
	return site{&source{name: m.place, text: text}, start, start + len(m.old)}, nil
}

// findIn lists where the tokens of old are in the declarations. A text that is part of a
// string, as SQL in Go is, is none of the tokens: it is looked for within the literals.
func findIn(scope []declaration, old string) []site {
	var found []site
	pattern, err := scan([]byte(old))
	for _, d := range scope {
		if err == nil && len(pattern) > 0 {
			found = append(found, d.match(pattern)...)
		}
	}
	if len(found) > 0 {
		return found
	}
	for _, d := range scope {
		found = append(found, d.within(old)...)
	}
	return found
}

// match lists where the tokens of a pattern are.
func (d declaration) match(pattern []lexeme) []site {
	var found []site
	for i := range d.lexemes {
		if n := matched(d.lexemes[i:], pattern); n > 0 {
			found = append(found, site{d.source, d.lexemes[i].start, d.lexemes[i+n-1].end})
		}
	}
	return found
}

// within lists where a text is inside of the declaration's strings.
func (d declaration) within(old string) []site {
	var found []site
	for _, l := range d.lexemes {
		if l.token != token.STRING {
			continue
		}
		for from := 0; old != ""; {
			at := strings.Index(l.text[from:], old)
			if at < 0 {
				break
			}
			found = append(found, site{d.source, l.start + from + at, l.start + from + at + len(old)})
			from += at + len(old)
		}
	}
	return found
}

// elsewhere names the declarations that have a mutation's old text once, which is what a
// rename looks like.
func elsewhere(files []*source, m mutation) string {
	return ofFew(", but once in ", declarations(files), func(d declaration) bool {
		return len(findIn([]declaration{d}, m.old)) == 1
	})
}

// namesakes names the declarations that differ from a mutation's by the receiver only.
func namesakes(files []*source, m mutation) string {
	return ofFew(", but there is ", declarations(files), func(d declaration) bool {
		return slices.ContainsFunc(d.names, func(name string) bool { return bare(name) == bare(m.declaration) })
	})
}

// ofFew lists the declarations that are chosen, unless there are so many that they say
// nothing.
func ofFew(prefix string, all []declaration, chosen func(declaration) bool) string {
	const most = 3
	var few []string
	for _, d := range all {
		if chosen(d) {
			few = append(few, d.names[0]+" ("+d.source.name+")")
		}
	}
	if len(few) == 0 || len(few) > most {
		return ""
	}
	return prefix + strings.Join(few, ", ")
}

// bare is a declaration's name without its receiver.
func bare(name string) string { return name[strings.LastIndexByte(name, ' ')+1:] }

func declarations(files []*source) []declaration {
	var all []declaration
	for _, file := range files {
		all = append(all, file.declarations...)
	}
	return all
}

// parsed reads the Go files of a folder that are not tests, or the one file.
func (t *sources) parsed(place string) ([]*source, error) {
	if files, ok := t.packages[place]; ok {
		return files, nil
	}
	names := []string{place}
	info, err := os.Stat(filepath.Join(t.dir, place))
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		if names, err = goFiles(t.dir, place); err != nil {
			return nil, err
		}
	case path.Ext(place) != ".go":
		return nil, errors.New("func is for Go only")
	}
	var files []*source
	for _, name := range names {
		file, err := parseSource(t.dir, name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	t.packages[place] = files
	return files, nil
}

// goFiles lists the Go files of a folder that are not tests.
func goFiles(dir, folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() && path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") {
			names = append(names, path.Join(folder, name))
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no Go files there")
	}
	return names, nil
}

// parseSource reads one file and takes it apart into declarations.
func parseSource(dir, name string) (*source, error) {
	text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	file := &source{name: name, text: text}
	if file.lexemes, err = scan(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	add := func(node ast.Node, names ...string) {
		position := func(p token.Pos) int { return set.Position(p).Offset }
		from, _ := slices.BinarySearchFunc(file.lexemes, position(node.Pos()), byStart)
		to, _ := slices.BinarySearchFunc(file.lexemes, position(node.End()), byStart)
		file.declarations = append(file.declarations, declaration{names, file, file.lexemes[from:to]})
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add(d, nameOf(d))
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names := namesOf(spec)
				switch {
				case len(names) == 0:
				case d.Lparen.IsValid():
					add(spec, names...)
				default: // with its keyword
					add(d, names...)
				}
			}
		}
	}
	return file, nil
}

// nameOf is a function's name, with the receiver's type: (*protocol) prepare.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	receiver, star := f.Recv.List[0].Type, ""
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver, star = t.X, "*"
			continue
		case *ast.IndexExpr:
			receiver = t.X
			continue
		case *ast.IndexListExpr:
			receiver = t.X
			continue
		case *ast.Ident:
			return "(" + star + t.Name + ") " + f.Name.Name
		}
		return f.Name.Name
	}
}

// namesOf lists what a spec declares; an import declares nothing.
func namesOf(spec ast.Spec) []string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		names := make([]string, len(s.Names))
		for i, name := range s.Names {
			names[i] = name.Name
		}
		return names
	}
	return nil
}
