package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// lab is where mutations are planted: a copy of the tree.
type lab struct {
	dir     string
	sources *sources
	limit   time.Duration // of the tests of one mutation, without building them
	out     io.Writer
}

// buildTime is how long building tests may take, and go test to end a process that
// ignores its limit.
const buildTime = 5 * time.Minute

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	// What the testing package says at its limit, and go test of a process that does not
	// react to it.
	timedOut = regexp.MustCompile(`(?m)^(panic: test timed out after|\*\*\* Test killed)`)
	running  = regexp.MustCompile(`(?m)^\s*running tests:\n\s*(\S+)`)
)

// killedBy is the deepest of the tests that failed first, the test that ran into the
// limit, or the panic.
func killedBy(output string) string {
	if timedOut.MatchString(output) {
		if name := running.FindStringSubmatch(output); name != nil {
			return "timed out: " + name[1]
		}
		return "timed out"
	}
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

// test runs go test in a module of the copy, whose tests have the limit to themselves: it
// does not count while they are built. What go test prints is returned with the error.
func (l lab) test(module string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.limit+buildTime)
	defer cancel()
	// Vetting and the tables of a debugger take longer than most tests, and kill nothing.
	args = append([]string{"test", "-count=1", "-failfast", "-timeout=" + l.limit.String(), "-vet=off", "-ldflags=-s -w", args[0], "-run"}, args[1:]...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the commands are the project's own
	cmd.Dir, cmd.WaitDelay = filepath.Join(l.dir, module), 5*time.Second
	cmd.Env = append(os.Environ(), "GOWORK=auto")
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
