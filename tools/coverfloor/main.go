// Command coverfloor reads a coverage profile and fails when a package is covered less
// than a floor.
//
//	go tool cover -func says how much is covered; coverfloor says whether that is enough.
//
//	coverfloor -profile coverage.out -floor 90 package ...
//
// A profile written with -coverpkg lists each block once for every test binary; a block
// counts as covered when any of them ran it. A package of which the profile says nothing
// fails: not measured is not covered.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coverfloor:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("coverfloor", flag.ContinueOnError)
	profile := flags.String("profile", "coverage.out", "the profile that go test wrote")
	floor := flags.Int("floor", 90, "the least `percent` of each package's statements that must be covered")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *floor < 1 || *floor > 100 {
		return fmt.Errorf("-floor is %d: want 1 to 100", *floor)
	}
	if flags.NArg() == 0 {
		return errors.New("name the packages to check")
	}
	file, err := os.Open(*profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	counts, err := read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", *profile, err)
	}
	return check(out, counts, *floor, flags.Args())
}

// block is a run of statements in one file, as the profile names it:
// file:line.column,line.column.
type block struct {
	statements int
	covered    bool
}

// read returns the blocks of each package.
func read(r io.Reader) (map[string]map[string]block, error) {
	packages := make(map[string]map[string]block)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 && strings.HasPrefix(line, "mode: ") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: %q is not a block, a number of statements and a count", n, line)
		}
		file, _, found := strings.Cut(fields[0], ":")
		if !found {
			return nil, fmt.Errorf("line %d: %q names no file", n, line)
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: number of statements: %w", n, err)
		}
		count, err := strconv.ParseUint(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: count: %w", n, err)
		}
		blocks := packages[path.Dir(file)]
		if blocks == nil {
			blocks = make(map[string]block)
			packages[path.Dir(file)] = blocks
		}
		blocks[fields[0]] = block{statements: statements, covered: count > 0 || blocks[fields[0]].covered}
	}
	return packages, lines.Err()
}

func check(out io.Writer, counts map[string]map[string]block, floor int, packages []string) error {
	var failures []error
	for _, name := range packages {
		total, covered := 0, 0
		for _, b := range counts[name] {
			total += b.statements
			if b.covered {
				covered += b.statements
			}
		}
		if total == 0 {
			failures = append(failures, fmt.Errorf("%s: not in the profile", name))
			continue
		}
		// In tenths of a percent, rounded down: 89.99 is not 90.
		tenths := covered * 1000 / total
		fmt.Fprintf(out, "%3d.%d %%  %s\n", tenths/10, tenths%10, name)
		if tenths < floor*10 {
			failures = append(failures, fmt.Errorf("%s: %d.%d %% of %d statements are covered, want %d %%",
				name, tenths/10, tenths%10, total, floor))
		}
	}
	return errors.Join(failures...)
}
