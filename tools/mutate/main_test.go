package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a module with a function that a test looks at, and one that none does.
func tree(t *testing.T, mutations string) (root, file string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module example.test/tree\n\ngo 1.26.0\n",
		"tree.go":      "package tree\n\nfunc Looked(n int) int { return n + 1 }\n\nfunc Unlooked(n int) int { return n - 1 }\n",
		"tree_test.go": "package tree\n\nimport \"testing\"\n\nfunc TestLooked(t *testing.T) {\n\tt.Run(\"one\", func(t *testing.T) {\n\t\tif Looked(1) != 2 {\n\t\t\tt.Fatal(\"not 2\")\n\t\t}\n\t})\n}\n\nfunc TestRed(t *testing.T) { t.Fatal(\"always\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(t.TempDir(), "mutations.txt")
	if err := os.WriteFile(file, []byte(mutations), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, file
}

func mutationOf(test, before, after string) string {
	return "A comment.\n\n=== a bug\nfile: tree.go\ntest: . " + test + "\n# another\n--- old\n" + before + "\n--- new\n" + after + "\n"
}

func TestEachIsReportedAndAllAreCounted(t *testing.T) {
	t.Parallel()
	rename := func(name, mutation string) string {
		_, mutation, _ = strings.Cut(mutation, "=== a bug")
		return "=== " + name + mutation
	}
	root, file := tree(t, rename("one", mutationOf("TestLooked", "return n + 1", "return n + 2"))+"\n"+
		rename("two", mutationOf("TestLooked", "return n - 1", "return n - 2"))+"\n"+
		rename("three", mutationOf("TestRed", "return n + 1", "return n + 3"))+"\n"+
		rename("four", mutationOf("TestLooked", "return n + 1", "return n + 4")))
	var out bytes.Buffer
	err := run([]string{"-root", root, file}, &out)
	if err == nil {
		t.Fatal("two of them are failures")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{"TestLooked/one", "ALIVE", "NOT TRIED", "TestLooked/one", "4 planted: 2 killed, 1 alive, 1 not tried"} {
		if i >= len(lines) || !strings.HasSuffix(lines[i], want) {
			t.Fatalf("line %d: want %q in\n%s", i+1, want, &out)
		}
	}
}

func TestMutationsAreKilledOrReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mutations, want string }{
		"killed":             {mutationOf("TestLooked", "return n + 1", "return n + 2"), ""},
		"survived":           {mutationOf("TestLooked", "return n - 1", "return n - 2"), "survived go test . TestLooked"},
		"text that is gone":  {mutationOf("TestLooked", "return n * 1", "return n - 2"), `"a bug": its old text is 0 times in tree.go`},
		"text of two places": {mutationOf("TestLooked", "return n", "return -n"), "2 times in tree.go"},
		"does not compile":   {mutationOf("TestLooked", "return n + 1", "return nn + 1"), "does not compile"},
		"red before":         {mutationOf("TestRed", "return n + 1", "return n + 2"), "red before anything is planted"},
		"nothing changed":    {mutationOf("TestLooked", "return n + 1", "return n + 1"), "changes nothing"},
		"no mutations":       {"nothing here\n", "no mutations"},
		"no test":            {"=== a bug\nfile: tree.go\n--- old\na\n--- new\nb\n", "want a file, and a test"},
		"no new text":        {"=== a bug\nfile: tree.go\ntest: . T\n--- old\na\n", "want --- old and --- new"},
		"unknown setting":    {"=== a bug\nflie: tree.go\n--- old\na\n--- new\nb\n", "neither file, func, test nor module"},
		"two of one name":    {mutationOf("T", "a", "b") + mutationOf("T", "a", "b"), "there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, file := tree(t, c.mutations)
			var out bytes.Buffer
			err := run([]string{"-root", root, file}, &out)
			if c.want == "" {
				if err != nil || !bytes.Contains(out.Bytes(), []byte("TestLooked/one\n1 planted: 1 killed, 0 alive, 0 not tried\n")) {
					t.Fatalf("%v\n%s", err, &out)
				}
				return
			}
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			text, _ := os.ReadFile(filepath.Join(root, "tree.go"))
			if !bytes.Contains(text, []byte("return n + 1")) {
				t.Fatal("the tree itself was changed")
			}
		})
	}
}

func TestTestsOfAnotherModuleAreRunThere(t *testing.T) {
	t.Parallel()
	root, first := tree(t, mutationOf("TestLooked", "return n + 1", "return n + 2"))
	for name, text := range map[string]string{
		"go.mod":        "module example.test/inner\n\ngo 1.26.0\n",
		"inner.go":      "package inner\n\nfunc Twice(n int) int { return 2 * n }\n",
		"inner_test.go": "package inner\n\nimport \"testing\"\n\nfunc TestTwice(t *testing.T) {\n\tif Twice(2) != 4 {\n\t\tt.Fatal(\"not 4\")\n\t}\n}\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "inner", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := filepath.Join(t.TempDir(), "inner.txt")
	text := "=== another bug\nfile: inner/inner.go\nmodule: inner\ntest: . TestTwice\n--- old\n2 * n\n--- new\n3 * n\n"
	if err := os.WriteFile(second, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"-root", root, first, second}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "TestTwice\n2 planted: 2 killed") {
		t.Errorf("the bug of the inner module was not killed by its test:\n%s", &out)
	}
	if err := run([]string{"-root", root, "-check", first, first}, &out); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("one name in two files: got %v", err)
	}
}
