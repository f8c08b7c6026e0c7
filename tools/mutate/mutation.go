package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// mutation is one bug.
type mutation struct {
	name        string
	place       string   // a file or the folder of a package, in the tree
	declaration string   // of Go, where the old text is looked for: prepare, (*protocol) prepare
	module      string   // the directory of its tests' module, empty for the root's
	tests       []string // arguments of go test
	old, new    string
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

// parse reads mutations: a line "=== name", then settings, then the old text after "---
// old" and the new one after "--- new", each with a line feed after it that is not part
// of it, and a blank line. Lines before the first mutation, and lines with # between a
// name and its old text, are comments. The settings are "file:" and "test:", for Go also
// "func:", and "module:" for tests of another module than the root's.
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
				m.place = value
			case key == "func":
				m.declaration = value
			case key == "module":
				m.module = value
			case key == "test":
				m.tests = strings.Fields(value)
			default:
				return nil, fmt.Errorf("%q: %q sets neither file, func, test nor module", name, line)
			}
		}
		switch {
		case names[name]:
			return nil, fmt.Errorf("%q is there twice", name)
		case m.place == "" || len(m.tests) < 2:
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
