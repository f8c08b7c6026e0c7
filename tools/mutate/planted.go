package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

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

// parse reads mutations: a line "=== name", then "file:", "test:" and, for tests of
// another module than the root's, "module:", then the old text after "--- old" and the
// new one after "--- new", each with a line feed after it that is not part of it, and a
// blank line. Lines before the first mutation, and lines with # between a name and its
// old text, are comments.
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

// red finds the commands that fail before anything is planted, since their red would
// prove nothing. All tests of a package are run at once, and one command after the other
// only when that fails.
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

// plant puts one bug in, runs its tests, and takes it out again. It returns what killed
// it.
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
