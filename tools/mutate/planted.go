package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

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
	site, err := l.sources.find(m)
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.dir, site.source.name)
	if err := os.WriteFile(path, site.planted(m.new), 0o600); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, site.source.text, 0o600)) }()
	output, testErr := l.test(m.module, m.tests)
	switch {
	case testErr == nil:
		return "", fmt.Errorf("%w %s", errSurvived, m.command())
	case errors.Is(testErr, context.DeadlineExceeded):
		return "", fmt.Errorf("no result: building and running its tests took longer than %v", l.limit+buildTime)
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return "", errors.New("it does not compile:\n" + output)
	}
	return killedBy(output), nil
}
