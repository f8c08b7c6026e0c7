package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sweptTree is a module of one function that a test pins, and one that a test only runs.
func sweptTree(t *testing.T) (root, targets string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/swept\n\ngo 1.26.0\n",
		"swept.go": `package swept

func Pinned(n int) bool { return n < 10 }

func Run(n int) int {
	total := 0
	for range n {
		total++
	}
	return total
}

func NeverRun(ok bool) bool { return !ok }
`,
		"swept_test.go": `package swept

import "testing"

func TestPinned(t *testing.T) {
	if !Pinned(9) || Pinned(10) {
		t.Fatal("9 is, 10 is not")
	}
}

func TestRun(t *testing.T) { Run(3) }

func TestRed(t *testing.T) { t.Fatal("always") }
`,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	targets = filepath.Join(t.TempDir(), "targets.txt")
	if err := os.WriteFile(targets, []byte("# one\n. . *.go !other.go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, targets
}

func TestASweepPlantsWhatItsOperatorsProposeAndCountsWhatLives(t *testing.T) {
	t.Parallel()
	root, targets := sweptTree(t)
	var out bytes.Buffer
	err := run([]string{"sweep", "-root", root, targets}, &out)
	if err == nil || !strings.Contains(err.Error(), "fewer than 90 %") {
		t.Errorf("got %v, want a failure: more live than may\n%s", err, &out)
	}
	for _, want := range []string{
		"TestRed is red before anything is planted, and left out",
		"swept.go: Pinned: swap <: n < 10",
		"swept.go: Pinned: number + 1: 10",
		"swept.go:8: lives: swept.go: Run: leave out: total++",
		"lives: swept.go: NeverRun: drop !: !ok",
		"NOT RUN BY ANY TEST",
		"5 planted: 2 killed, 3 alive, 0 alive and no bugs",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestASurvivorIsExcusedByItsNameAndReason(t *testing.T) {
	t.Parallel()
	root, targets := sweptTree(t)
	survivors := filepath.Join(t.TempDir(), "survivors.txt")
	text := `# known
swept.go: Run: leave out: total++
	Run is called for its time only.
swept.go: Run: number + 1: 0
	Likewise.
swept.go: NeverRun: drop !: !ok
	It goes with the next version.
`
	if err := os.WriteFile(survivors, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"sweep", "-root", root, "-survivors", survivors, targets}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "2 killed, 0 alive, 3 alive and no bugs") {
		t.Errorf("got\n%s", &out)
	}
	if err := os.WriteFile(survivors, []byte("swept.go: Run: leave out: total++\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"sweep", "-root", root, "-survivors", survivors, targets}, &out); err == nil || !strings.Contains(err.Error(), "no reason") {
		t.Errorf("a survivor without a reason: got %v", err)
	}
}

func TestOperatorsOfGo(t *testing.T) {
	t.Parallel()
	src := "package p\n\ntype T struct{}\n\nfunc (t *T) Do(a, b int, ok bool) (bool, error) {\n" +
		"\tif ok {\n\t\tt.log()\n\t\treturn true, err\n\t}\n\tt.n = a - b\n\treturn a == b && !ok, nil\n}\n"
	all, err := changes("p.go", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		got = append(got, c.operator+": "+c.old+" -> "+c.new)
		if c.function != "T.Do" {
			t.Errorf("%s: got function %q", c.name(), c.function)
		}
	}
	want := []string{
		"leave out: t.n = a - b -> _ = a - b",
		"negate condition: ok -> !(ok)",
		"leave out: t.log() -> ",
		"return false: true -> false",
		"forget the error: err -> nil",
		"swap -: a - b -> a + b",
		"swap &&: a == b && !ok -> a == b || !ok",
		"swap ==: a == b -> a != b",
		"drop !: !ok -> ok",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOperatorsOfSQLAndLua(t *testing.T) {
	t.Parallel()
	goSrc := "package p\n\nconst q = `SELECT 1 FROM t WHERE a < $1 AND done -- and not this\nFOR UPDATE`\n\nconst other = `not sql < 1`\n"
	for name, c := range map[string]struct{ file, src, want string }{
		"a script":  {"a.lua", "if a <= 2 and b == 'x' then\n  redis.call('DEL', k)\nend\n", "<= -> <|== -> ~=|and -> or|2 -> 3|redis.call('DEL', k) -> "},
		"a query":   {"a.sql", "UPDATE t SET x = true WHERE until > now() OR NOT held", "> -> >=|OR -> and|NOT -> |true -> false"},
		"inside Go": {"a.go", goSrc, "< -> <=|AND -> or|1 -> 2|1 -> 2|FOR UPDATE -> "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := changes(c.file, []byte(c.src))
			if err != nil || len(all) == 0 {
				t.Fatalf("got %d changes, %v", len(all), err)
			}
			var got []string
			for _, one := range all {
				got = append(got, strings.TrimSpace(one.old)+" -> "+strings.TrimSpace(one.new))
				if c.src[one.start:one.end] != one.old {
					t.Errorf("%s: the text at its place is %q", one.name(), c.src[one.start:one.end])
				}
			}
			if strings.Join(got, "|") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), c.want)
			}
		})
	}
}

func TestASampleIsTheSameForOneSeed(t *testing.T) {
	t.Parallel()
	var all []planned
	for n := range 100 {
		all = append(all, planned{change: change{line: n}})
	}
	one, again, other := sample(all, 10, 1), sample(all, 10, 1), sample(all, 10, 2)
	same := func(a, b []planned) bool {
		for i := range a {
			if a[i].change.line != b[i].change.line {
				return false
			}
		}
		return len(a) == len(b)
	}
	if !same(one, again) || same(one, other) {
		t.Errorf("got %v, %v and %v", one, again, other)
	}
}
