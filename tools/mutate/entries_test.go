package main

import (
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// The project's own entries: a whole file is a place only for what stands in no one
// declaration of Go.
func TestEveryEntryOfGoNamesItsDeclaration(t *testing.T) {
	t.Parallel()
	const root = "../.."
	files, err := filepath.Glob(filepath.Join(root, "mutations", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	tree := newSources(root)
	for _, m := range all {
		if m.declaration != "" || path.Ext(m.place) != ".go" {
			continue
		}
		found, err := tree.find(m)
		if err != nil {
			t.Error(err)
			continue
		}
		files, err := tree.parsed(m.place)
		if err != nil {
			t.Error(err)
			continue
		}
		start := found.start + len(m.old) - len(strings.TrimLeft(m.old, " \t\n"))
		for _, d := range declarations(files) {
			if d.lexemes[0].start <= start && found.end <= d.lexemes[len(d.lexemes)-1].end {
				t.Errorf("%q: want its declaration, file: %s and func: %s", m.name, path.Dir(m.place), d.names[0])
			}
		}
	}
}
