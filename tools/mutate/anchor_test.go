package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shopFiles is a package of three files, in a folder, with a query and a script beside
// it.
var shopFiles = map[string]string{
	"shop/cart.go": `package shop

import "errors"

// limit is 5 < 10.
const limit = 5

const (
	query  = "SELECT 1 FROM carts WHERE id < $1 FOR UPDATE"
	other  = "SELECT 2"
	one, two = 1, 2
)

var errFull = errors.New("full")

type cart struct {
	items []int
	total int64
}

func (c *cart) add(n int) error {
	// A cart holds limit items: len(c.items) < limit.
	if len(c.items) < limit {
		c.items = append(
			c.items,
			n,
		)
		return nil
	}
	return errFull
}
`,
	"shop/list.go": `package shop

type list[T any] struct{ all []T }

func (l *list[T]) add(n T) { l.all = append(l.all, n) }

func (l list[T]) size() int { return len(l.all) }

func add(a, b int) int { return a + b }
`,
	"shop/cart_test.go": "package shop\n\nfunc helper() int { return 7 }\n",
	"shop/lock.lua":     "redis.call('DEL', KEYS[1])\n",
	"broken/broken.go":  "package broken\n\nfunc half( {\n",
	"docs/readme.md":    "limit = 5\n",
}

func shop(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range shopFiles {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAnAnchorIsFoundInItsDeclaration(t *testing.T) {
	t.Parallel()
	root := shop(t)
	for name, c := range map[string]struct{ place, declaration, old, new, want string }{
		"of a method":               {"shop", "(*cart) add", "len(c.items) < limit", "true", "if true {"},
		"of a generic type":         {"shop", "(*list) add", "append(l.all, n)", "nil", "l.all = nil }"},
		"of a value receiver":       {"shop", "(list) size", "len(l.all)", "0", "return 0 }"},
		"of a function":             {"shop", "add", "a + b", "a - b", "return a - b }"},
		"of a constant":             {"shop", "limit", "const limit = 5", "const limit = 6", "\nconst limit = 6\n"},
		"of one in a group":         {"shop", "other", `"SELECT 2"`, `""`, "other  = \"\"\n"},
		"of one of two names":       {"shop", "two", "1, 2", "1, 3", "one, two = 1, 3\n"},
		"of a variable":             {"shop", "errFull", `errors.New("full")`, "error(nil)", "var errFull = error(nil)\n"},
		"of a type":                 {"shop", "cart", "total int64", "total int32", "\ttotal int32\n"},
		"in a named file":           {"shop/list.go", "add", "a + b", "a - b", "return a - b }"},
		"over line breaks":          {"shop", "(*cart) add", "append(c.items, n)", "c.items", "c.items = c.items\n"},
		"with other line breaks":    {"shop", "(*list) add", "append(\n  l.all,\n  n,\n)", "nil", "l.all = nil }"},
		"of several statements":     {"shop", "(*cart) add", "return nil\n}\nreturn errFull", "}\nreturn nil", "\n\t\t}\nreturn nil\n}"},
		"without its comment":       {"shop", "limit", "5", "50", "// limit is 5 < 10.\nconst limit = 50\n"},
		"in a part of a string":     {"shop", "query", " FOR UPDATE", "", "id < $1\"\n"},
		"in a comparison of SQL":    {"shop", "query", "id < $1", "id <= $1", "WHERE id <= $1 FOR"},
		"in a string with an error": {"shop", "query", "< $1", "= $1", "id = $1 FOR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mutation{name: "a bug", place: c.place, declaration: c.declaration, old: c.old, new: c.new}
			found, err := newSources(root).find(m)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(found.planted(m.new)); !strings.Contains(got, c.want) {
				t.Errorf("%q is missing in\n%s", c.want, got)
			}
		})
	}
}

func TestAnAnchorThatIsNotThereOnceIsReported(t *testing.T) {
	t.Parallel()
	root := shop(t)
	for name, c := range map[string]struct{ place, declaration, old, want string }{
		"gone":                 {"shop", "(*cart) add", "c.total++", `"a bug": its old text is 0 times in (*cart) add in shop, want once; update the entry`},
		"twice":                {"shop", "(*cart) add", "c.items", `"a bug": its old text is 3 times in (*cart) add in shop, want once; update the entry`},
		"twice in a string":    {"shop", "query", "1 ", "2 times in query in shop"},
		"a part of a name":     {"shop", "(*cart) add", "errFul", "0 times in (*cart) add in shop"},
		"in a comment only":    {"shop", "(*cart) add", "holds limit", "0 times in (*cart) add in shop"},
		"moved":                {"shop", "(*cart) add", "a + b", "0 times in (*cart) add in shop, want once, but once in add (shop/list.go); update the entry"},
		"function renamed":     {"shop", "(*cart) put", "len(c.items) < limit", `"a bug": no declaration (*cart) put in shop, but once in (*cart) add (shop/cart.go); update func`},
		"receiver changed":     {"shop", "(list) add", "a * b", "no declaration (list) add in shop, but there is (*cart) add (shop/cart.go), (*list) add (shop/list.go), add (shop/list.go); update func"},
		"function gone":        {"shop", "remove", "a * b", `"a bug": no declaration remove in shop; update func`},
		"in another file":      {"shop/list.go", "(*cart) add", "limit", `"a bug": no declaration (*cart) add in shop/list.go`},
		"in a test":            {"shop", "helper", "7", `"a bug": no declaration helper in shop`},
		"no such folder":       {"shops", "add", "a + b", `"a bug": add in shops: stat `},
		"a folder without Go":  {"docs", "add", "a + b", `"a bug": add in docs: no Go files there`},
		"Go that has an error": {"broken", "half", "x", `"a bug": half in broken: broken/broken.go:3:12: expected`},
		"func of a script":     {"shop/lock.lua", "add", "DEL", `"a bug": add in shop/lock.lua: func is for Go only`},
		"a folder, no func":    {"shop", "", "a + b", `"a bug": no func, and shop is a folder: name the declaration, or a file`},
		"text that is gone":    {"shop/lock.lua", "", "KEYS[2]", `"a bug": its old text is 0 times in shop/lock.lua, want once; update the entry`},
		"exact without func":   {"shop/list.go", "", "a+b", `"a bug": its old text is 0 times in shop/list.go, want once; update the entry`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mutation{name: "a bug", place: c.place, declaration: c.declaration, old: c.old}
			if _, err := newSources(root).find(m); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestExactTextIsFoundInFilesOfOtherKinds(t *testing.T) {
	t.Parallel()
	found, err := newSources(shop(t)).find(mutation{place: "shop/lock.lua", old: "KEYS[1]"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(found.planted("KEYS[2]")); got != "redis.call('DEL', KEYS[2])\n" {
		t.Errorf("got %q", got)
	}
}

func TestAPackageIsReadOnce(t *testing.T) {
	t.Parallel()
	root := shop(t)
	tree := newSources(root)
	m := mutation{place: "shop", declaration: "add", old: "a + b"}
	if _, err := tree.find(m); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "shop")); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.find(m); err != nil {
		t.Errorf("read again: %v", err)
	}
}

func TestABugOfADeclarationIsPlantedAndTakenOut(t *testing.T) {
	t.Parallel()
	text := "=== a bug\nfile: .\nfunc: Looked\ntest: . TestLooked\n--- old\nn+1\n--- new\nn + 2\n\n" +
		"=== another\nfile: .\nfunc: Looked\ntest: . TestLooked\n--- old\nreturn  n + 1\n--- new\nreturn 2\n"
	root, file := tree(t, text)
	var out bytes.Buffer
	err := run([]string{"-root", root, file}, &out)
	if err == nil || !strings.Contains(out.String(), "2 planted: 1 killed, 1 alive, 0 not tried\n") {
		t.Fatalf("%v\n%s", err, &out)
	}
}

func TestATestThatRunsIntoTheLimitKills(t *testing.T) {
	t.Parallel()
	root, file := tree(t, mutationOf("TestLooked", "return n + 1", "for { n++ }"))
	var out bytes.Buffer
	if err := run([]string{"-root", root, "-limit", "3s", file}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "timed out: TestLooked") || !strings.Contains(out.String(), "1 planted: 1 killed") {
		t.Errorf("got\n%s", &out)
	}
}

func TestWhatKilledIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ output, want string }{
		"the deepest failure": {"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n--- FAIL: TestC (0.00s)\n", "TestA/b"},
		"a panic":             {"panic: nil map\n\ngoroutine 1", "panic: nil map"},
		"the limit":           {"log\npanic: test timed out after 2s\n\trunning tests:\n\t\tTestA (2s)\n", "timed out: TestA"},
		"a process that hangs": {
			"SIGQUIT: quit\n*** Test killed with quit: ran too long (1m2s).\n", "timed out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := killedBy(c.output); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
