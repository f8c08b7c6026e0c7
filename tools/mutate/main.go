// Command mutate plants bugs in a copy of the tree, one at a time, and fails when the
// tests let one live.
//
//	mutate -root . mutations/*.txt
//	mutate -root . -only 'Retry-After' mutations/*.txt
//	mutate sweep -root . -survivors mutations/sweep/survivors.txt mutations/sweep/targets.txt
//
// A mutation of Go names a package, a declaration of it, the expression to replace, which
// must be there once, what to put in its place, and the tests that must then fail, in the
// root's module or in the one that it names. Expressions are compared token by token, so
// line breaks and alignment do not matter. A mutation of another file, or without a
// declaration, names the file and the exact text. A mutation whose old text is no longer
// there, that does not compile, or that the tests survive is a failure; so is a test that
// fails before anything is planted, since its failure would prove nothing. A test that
// runs into the limit kills.
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
	limit := flags.Duration("limit", 2*time.Minute, "how long the tests of one mutation may run, which kills it")
	check := flags.Bool("check", false, "only check that every old text is there once")
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
	tree := newSources(*root)
	for _, m := range picked {
		if _, err := tree.find(m); err != nil {
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
	l := lab{dir: dir, sources: newSources(dir), limit: *limit, out: out}
	return l.all(picked)
}
