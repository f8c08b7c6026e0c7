package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// suite is what the tests of a target run: found out once, one test at a time.
type suite struct {
	tests []string                   // the quickest first
	took  map[string]time.Duration   // alone
	lines map[string]map[string]span // of each file's base name, what each test runs
}

// span is a set of lines.
type span map[int]bool

// suiteOf runs each test of the target alone, with coverage. A test that fails alone is
// left out, since it could kill nothing.
func (b *broom) suiteOf(t *target) (*suite, error) {
	binary := filepath.Join(b.dir, "sane.test")
	if output, err := b.compile(t, binary, true); err != nil {
		return nil, fmt.Errorf("%s: its tests do not compile: %s", t.folder(), output)
	}
	list, err := b.call(t, binary, b.limit, "-test.list", ".")
	if err != nil {
		return nil, fmt.Errorf("%s: its tests cannot be listed: %w", t.folder(), err)
	}
	s := &suite{lines: map[string]map[string]span{}, took: map[string]time.Duration{}}
	profile := filepath.Join(b.dir, "sane.cover")
	for test := range strings.FieldsSeq(list) {
		if !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Example") && !strings.HasPrefix(test, "Fuzz") {
			continue
		}
		began := time.Now()
		if output, err := b.run(t, binary, []string{test}, profile, b.limit); err != nil {
			fmt.Fprintf(b.out, "%s: %s is red before anything is planted, and left out:\n%s\n", t.folder(), test, tail(output))
			continue
		}
		s.took[test] = time.Since(began)
		if err := s.read(test, profile); err != nil {
			return nil, err
		}
	}
	s.tests = slices.SortedFunc(maps.Keys(s.took), func(a, b string) int { return int(s.took[a] - s.took[b]) })
	if len(s.tests) == 0 {
		return nil, fmt.Errorf("%s: it has no test that passes", t.folder())
	}
	fmt.Fprintf(b.out, "%s: %d tests\n", t.folder(), len(s.tests))
	return s, nil
}

// read adds the lines that a profile counts for a test.
func (s *suite) read(test, profile string) error {
	data, err := os.ReadFile(profile) //nolint:gosec // the suite's own
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		// example.test/module/file.go:12.3,15.2 4 1
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) != 3 || fields[2] == "0" {
			continue
		}
		from, to, _ := strings.Cut(fields[0], ",")
		first, last := lineOf(from), lineOf(to)
		file := path.Base(name)
		if s.lines[file] == nil {
			s.lines[file] = map[string]span{}
		}
		if s.lines[file][test] == nil {
			s.lines[file][test] = span{}
		}
		for n := first; n <= last; n++ {
			s.lines[file][test][n] = true
		}
	}
	return nil
}

func lineOf(position string) int {
	line, _, _ := strings.Cut(position, ".")
	n, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return n
}

// reach is the tests that run a change's line. Outside of functions, and in files that
// are not Go, coverage says nothing: all tests.
func (s *suite) reach(c change) []string {
	if c.function == "" || filepath.Ext(c.file) != ".go" {
		return s.tests
	}
	var tests []string
	for _, test := range s.tests {
		if s.lines[path.Base(c.file)][test][c.line] {
			tests = append(tests, test)
		}
	}
	return tests
}

// compile builds the target's tests. What the compiler says is returned with the error.
func (b *broom) compile(t *target, binary string, cover bool) (string, error) {
	args := []string{"test", "-c", "-vet=off", "-o", binary}
	if cover {
		args = append(args, "-covermode=set", "-coverpkg="+t.pkg)
	} else {
		args = append(args, "-ldflags=-s -w")
	}
	return b.goTool(t.module, append(args, t.pkg))
}

// goTool runs the go command in a module of the copy.
func (b *broom) goTool(module string, args []string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "go", args...) //nolint:gosec // the targets are the project's own
	cmd.Dir = filepath.Join(b.dir, module)
	cmd.Env = append(os.Environ(), "GOWORK=auto")
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// run runs some tests of a binary, where go test would. What they say is returned with
// the error.
func (b *broom) run(t *target, binary string, tests []string, profile string, limit time.Duration) (string, error) {
	args := []string{
		"-test.run=^(" + strings.Join(tests, "|") + ")$", "-test.failfast", "-test.count=1",
		"-test.timeout=" + limit.String(),
	}
	if profile != "" {
		args = append(args, "-test.coverprofile="+profile)
	}
	if t.short {
		args = append(args, "-test.short")
	}
	return b.call(t, binary, limit, args...)
}

func (b *broom) call(t *target, binary string, limit time.Duration, args ...string) (string, error) {
	// Longer than the limit that the tests set themselves, so that they are the ones to
	// say what hangs.
	ctx, cancel := context.WithTimeout(context.Background(), limit+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // a binary of the copy
	cmd.Dir, cmd.WaitDelay = filepath.Join(b.dir, t.folder()), 5*time.Second
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// patience is how long tests may take that took so long before: a change that makes them
// hang is noticed.
func (s *suite) patience(tests []string) time.Duration {
	var sane time.Duration
	for _, test := range tests {
		sane += s.took[test]
	}
	return 10*time.Second + 5*sane
}

// tail is the end of a long text.
func tail(text string) string {
	const most = 2000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
