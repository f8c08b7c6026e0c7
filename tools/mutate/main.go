// Command mutate plants bugs in a copy of the tree, one at a time, and fails when the
// tests let one live.
//
//	mutate -root . mutations/*.txt
//	mutate -root . -only 'Retry-After' mutations/*.txt
//	mutate sweep -root . -survivors mutations/sweep/survivors.txt mutations/sweep/targets.txt
//
// A mutation names a file, the exact text to replace, which must be there once, the text
// to put in its place, and the tests that must then be red, in the root's module or in
// the one that it names. A mutation whose text is no longer there, that does not compile,
// or that the tests survive is a failure; so is a test that is red before anything is
// planted, since its red would prove nothing.
//
// A sweep plants what operators propose instead: each comparison, condition, number,
// statement and returned error of the files of its targets, SQL and Lua included. It runs
// the tests that come by the changed line, the quickest first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (err error) {
	if len(args) > 0 && args[0] == "sweep" {
		return sweep(args[1:], out)
	}
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
