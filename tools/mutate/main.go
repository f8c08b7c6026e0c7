// Command mutate plants bugs in a copy of the tree, one at a time, and fails when the tests let one live.
//
//	mutate -root . mutations/*.txt
//	mutate -root . -only 'Retry-After' mutations/*.txt
//
// A mutation names a file, the exact text to replace, which must be there once, the text to put in its place, and the tests that
// must then be red, in the root's module or in the one that it names. A mutation whose text is no longer there, that does not compile, or that the tests survive is a failure; so
// is a test that is red before anything is planted, since its red would prove nothing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	root := flags.String("root", ".", "the `directory` of the tree")
	only := flags.String("only", "", "plant only those whose name matches this `regexp`")
	limit := flags.Duration("limit", 2*time.Minute, "how long the tests of one mutation may take")
	check := flags.Bool("check", false, "only check that every text is there once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all, err := parseFiles(flags.Args())
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	picked := slices.DeleteFunc(all, func(m mutation) bool { return !pattern.MatchString(m.name) })
	if len(picked) == 0 {
		return errors.New("no mutation has such a name")
	}
	var failures []error
	for _, m := range picked {
		if _, err := m.planted(*root); err != nil {
			failures = append(failures, err)
		}
	}
	if err := errors.Join(failures...); err != nil || *check {
		return err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := copyTree(*root, dir); err != nil {
		return err
	}
	l := lab{dir: dir, limit: *limit, out: out}
	return l.all(picked)
}

// mutation is one bug.
type mutation struct {
	name, file string
	module     string   // the directory of its tests' module, empty for the root's
	tests      []string // arguments of go test
	old, new   string
}

// parseFiles reads all files. A name is used once over all of them.
func parseFiles(files []string) ([]mutation, error) {
	if len(files) == 0 {
		return nil, errors.New("name the files with the mutations")
	}
	var all []mutation
	from := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // the caller names it
		if err != nil {
			return nil, err
		}
		some, err := parse(string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, m := range some {
			if other, twice := from[m.name]; twice {
				return nil, fmt.Errorf("%s: %q is there twice, also in %s", file, m.name, other)
			}
			from[m.name] = file
		}
		all = append(all, some...)
	}
	return all, nil
}

// parse reads mutations: a line "=== name", then "file:", "test:" and, for tests of another module than the root's, "module:", then the old text after "--- old" and the new one after "--- new",
// each with a line feed after it that is not part of it, and a blank line. Lines before the first mutation, and lines
// with # between a name and its old text, are comments.
func parse(data string) ([]mutation, error) {
	var all []mutation
	names := map[string]bool{}
	parts := strings.Split("\n"+data, "\n=== ")
	for _, part := range parts[1:] {
		head, rest, found := strings.Cut(part, "\n--- old\n")
		name, settings, _ := strings.Cut(head, "\n")
		m := mutation{name: name}
		before, after, both := strings.Cut(rest, "\n--- new\n")
		if !found || !both {
			return nil, fmt.Errorf("%q: want --- old and --- new", name)
		}
		m.old, m.new = before, strings.TrimSuffix(after, "\n")
		for line := range strings.Lines(settings) {
			line = strings.TrimSpace(line)
			key, value, _ := strings.Cut(line, ": ")
			switch {
			case line == "" || line[0] == '#':
			case key == "file":
				m.file = value
			case key == "module":
				m.module = value
			case key == "test":
				m.tests = strings.Fields(value)
			default:
				return nil, fmt.Errorf("%q: %q sets neither file nor test nor module", name, line)
			}
		}
		switch {
		case names[name]:
			return nil, fmt.Errorf("%q is there twice", name)
		case m.file == "" || len(m.tests) < 2:
			return nil, fmt.Errorf("%q: want a file, and a test: a package and a pattern", name)
		case m.old == m.new:
			return nil, fmt.Errorf("%q changes nothing", name)
		}
		names[name] = true
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, errors.New("it has no mutations")
	}
	return all, nil
}

// command is how its tests are called.
func (m mutation) command() string {
	command := "go test " + strings.Join(m.tests, " ")
	if m.module != "" {
		command += " in " + m.module
	}
	return command
}

// planted is the file with the bug in it.
func (m mutation) planted(dir string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, m.file)) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, fmt.Errorf("%q: %w", m.name, err)
	}
	if n := bytes.Count(data, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%q: its old text is %d times in %s, want once: bring it up to date", m.name, n, m.file)
	}
	return bytes.Replace(data, []byte(m.old), []byte(m.new), 1), nil
}

// lab is where mutations are planted: a copy of the tree.
type lab struct {
	dir   string
	limit time.Duration
	out   io.Writer
}

func (l lab) all(picked []mutation) error {
	var failures []error
	red := l.red(picked)
	killed, alive := 0, 0
	for n, m := range picked {
		began := time.Now()
		killer, err := "", red[m.command()]
		if err == nil {
			killer, err = l.plant(m)
		}
		switch {
		case err == nil:
			killed++
		case errors.Is(err, errSurvived):
			alive++
			killer = "ALIVE"
		default:
			killer = "NOT TRIED"
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%q: %w", m.name, err))
		}
		fmt.Fprintf(l.out, "%3d/%d  %-66s %4.0f s  %s\n", n+1, len(picked), m.name, time.Since(began).Seconds(), killer)
	}
	fmt.Fprintf(l.out, "%d planted: %d killed, %d alive, %d not tried\n", len(picked), killed, alive, len(picked)-killed-alive)
	return errors.Join(failures...)
}

// red finds the commands that fail before anything is planted, since their red would prove nothing. All tests of a package are
// run at once, and one command after the other only when that fails.
func (l lab) red(picked []mutation) map[string]error {
	type pkg struct{ module, name string }
	packageOf := func(m mutation) pkg { return pkg{m.module, m.tests[0]} }
	patterns := map[pkg][]string{}
	for _, m := range picked {
		if pattern := m.tests[1]; len(m.tests) == 2 && !slices.Contains(patterns[packageOf(m)], pattern) {
			patterns[packageOf(m)] = append(patterns[packageOf(m)], pattern)
		}
	}
	for p, all := range patterns {
		if _, err := l.test(p.module, []string{p.name, "(" + strings.Join(all, ")|(") + ")"}); err != nil {
			delete(patterns, p)
		}
	}
	red, known := map[string]error{}, map[string]bool{}
	for _, m := range picked {
		if len(m.tests) == 2 && patterns[packageOf(m)] != nil || known[m.command()] {
			continue
		}
		known[m.command()] = true
		if output, err := l.test(m.module, m.tests); err != nil {
			red[m.command()] = fmt.Errorf("%s is red before anything is planted:\n%s", m.command(), output)
		}
	}
	return red
}

// errSurvived is behind the error of a bug that no test has noticed.
var errSurvived = errors.New("it survived")

// plant puts one bug in, runs its tests, and takes it out again. It returns what killed it.
func (l lab) plant(m mutation) (killer string, err error) {
	path := filepath.Join(l.dir, m.file)
	sane, err := os.ReadFile(path) //nolint:gosec // a file of the copy
	if err != nil {
		return "", err
	}
	sick, err := m.planted(l.dir)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, sick, 0o600); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, sane, 0o600)) }() //nolint:gosec // likewise
	output, testErr := l.test(m.module, m.tests)
	switch {
	case testErr == nil:
		return "", fmt.Errorf("%w %s", errSurvived, m.command())
	case errors.Is(testErr, context.DeadlineExceeded):
		return "", fmt.Errorf("%w: nothing was red within %v", errSurvived, l.limit)
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return "", errors.New("it does not compile:\n" + output)
	}
	return killedBy(output), nil
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// killedBy is the deepest of the tests that failed first, or the panic.
func killedBy(output string) string {
	names := failed.FindAllStringSubmatch(output, -1)
	if len(names) == 0 {
		first, _, _ := strings.Cut(output, "\n")
		return first
	}
	deepest := names[0][1]
	for _, name := range names {
		if strings.HasPrefix(name[1], deepest+"/") {
			deepest = name[1]
		}
	}
	return deepest
}

// test runs go test in a module of the copy. What it says is returned with the error.
func (l lab) test(module string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.limit)
	defer cancel()
	// Vetting and the tables of a debugger take longer than most tests, and kill nothing.
	args = append([]string{"test", "-count=1", "-failfast", "-timeout=100s", "-vet=off", "-ldflags=-s -w", args[0], "-run"}, args[1:]...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the commands are the project's own
	cmd.Dir, cmd.WaitDelay = filepath.Join(l.dir, module), 5*time.Second
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(output), err
}

// copyTree copies what go test needs: everything but what starts with a dot.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		switch {
		case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path) //nolint:gosec // it is the tree that was named
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o600) //nolint:gosec // likewise
	})
}
