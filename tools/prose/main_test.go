package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWordsAreFoundInCommentsTextsAndDocuments(t *testing.T) {
	t.Parallel()
	all, err := parseRules("# words\nwhoever\tthe caller\nlook-ups?\tlookup\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := all.source("p.go", []byte("package p\n\n// Do is for whoever calls, and `whoever` is quoted.\n//\n//\twhoever = code\nvar text = \"one look-up\"\n\nvar word = \"whoever\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`p.go:3: "whoever": write the caller`, `p.go:6: "look-up": write lookup`}
	if !slices.Equal(got, want) {
		t.Errorf("source: %q", got)
	}
	if got := all.markdown("p.md", "Whoever reads.\n```\nwhoever\n```\nNone here.\n"); !slices.Equal(got, []string{`p.md:1: "Whoever": write the caller`}) {
		t.Errorf("markdown: %q", got)
	}
	if got, _ := all.source("p_test.go", []byte("package p\n\nvar text = \"one look-up\"\n")); got != nil {
		t.Errorf("a test's texts are its own: %q", got)
	}
}

func TestCommentsAreWrappedAndNothingElse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 22)
	text := "package p\n\n// F does " + long + "end.\n// It goes on.\n//\n//\tcode " + long + "\n//\n//   - item " + long + "\n//   - next\n//\n//nolint:all " + long + "\nfunc F() { // " + long + "\n\t// Inside " + long + "\n\t// on.\n}\n\nfunc Example() {\n\t// Output:\n\t// one " + long + "\n\t// two\n}\n"
	got := string(wrapComments([]byte(text)))
	for line := range strings.SplitSeq(got, "\n") {
		if columns(line) > maxColumns && canWrap(line) && !strings.Contains(line, "// one ") {
			t.Errorf("too wide: %s", line)
		}
	}
	if strings.Join(strings.Fields(strings.ReplaceAll(got, "//", "")), " ") != strings.Join(strings.Fields(strings.ReplaceAll(text, "//", "")), " ") {
		t.Errorf("words were lost or moved:\n%s", got)
	}
	for _, kept := range []string{"//\tcode " + long + "\n", "//nolint:all " + long + "\n", "func F() { // " + long + "\n", "\n//   - next\n", "\t// Output:\n\t// one " + long + "\n\t// two\n"} {
		if !strings.Contains(got, kept) {
			t.Errorf("changed: %q\n%s", kept, got)
		}
	}
	if again := string(wrapComments([]byte(got))); again != got {
		t.Errorf("a second run changes it:\n%s", again)
	}
	found, err := rules(nil).source("p.go", []byte(got))
	if err != nil || found != nil {
		t.Errorf("%q %v", found, err)
	}
}
