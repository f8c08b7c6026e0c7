package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sweep plants what the operators propose, in every file of the targets, and fails when
// fewer die than the floor asks for, or when one lives that the list of survivors does
// not excuse.
func sweep(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("mutate sweep", flag.ContinueOnError)
	root := flags.String("root", ".", "the `directory` of the tree")
	only := flags.String("only", "", "sweep only the targets whose folder contains this `text`")
	changed := flags.String("changed", "", "sweep only files that changed since this `commit`")
	most := flags.Int("most", 0, "plant at most this many, spread over all by the seed; 0 plants all")
	seed := flags.Uint64("seed", 1, "chooses which, with -most")
	floor := flags.Int("floor", 90, "the least `percent` that must die")
	limit := flags.Duration("limit", 2*time.Minute, "how long the tests of one change may take")
	survivors := flags.String("survivors", "", "the `file` of changes that live, each with the reason why it is no bug")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name the file with the targets")
	}
	targets, err := readTargets(flags.Arg(0))
	if err != nil {
		return err
	}
	excused, err := readSurvivors(*survivors)
	if err != nil {
		return err
	}
	var touched map[string]bool
	if *changed != "" {
		if touched, err = changedSince(*root, *changed); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "sweep")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := copyTree(*root, dir); err != nil {
		return err
	}
	b := broom{lab: lab{dir: dir, limit: *limit, out: out}, excused: excused}
	var picked []planned
	for _, t := range targets {
		if !strings.Contains(t.folder(), *only) {
			continue
		}
		all, err := t.changes(dir, touched)
		if err != nil {
			return err
		}
		for _, c := range all {
			picked = append(picked, planned{t, c})
		}
	}
	if *most > 0 && len(picked) > *most {
		picked = sample(picked, *most, *seed)
	}
	if len(picked) == 0 {
		fmt.Fprintln(out, "0 planted: no file of the targets is concerned")
		return nil
	}
	return b.all(picked, *floor)
}

// target is a package whose files are changed, and whose tests must notice.
type target struct {
	module, pkg string   // as go test wants them: a folder of the tree, and a package in it
	patterns    []string // names of the package's files
	also        string   // a package whose tests are run when those of pkg let a change live
	short       bool
}

// planned is a change with the target it belongs to.
type planned struct {
	target *target
	change change
}

// readTargets reads lines of "module package pattern …"; a pattern that starts with !
// takes files away again, one that starts with + names another package whose tests have a
// say. -short among the patterns runs the tests so. Lines with # are comments.
func readTargets(file string) ([]*target, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the caller names it
	if err != nil {
		return nil, err
	}
	var targets []*target
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("%s: %q: want a module, a package and names of files", file, strings.TrimSpace(line))
		}
		t := &target{module: words[0], pkg: words[1]}
		for _, word := range words[2:] {
			if word == "-short" {
				t.short = true
				continue
			}
			if pkg, ok := strings.CutPrefix(word, "+"); ok {
				t.also = pkg
				continue
			}
			t.patterns = append(t.patterns, word)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// folder is where the target's files are.
func (t *target) folder() string { return path.Join(t.module, t.pkg) }

// changes lists what is proposed for the target's files, or for those of them that were
// touched.
func (t *target) changes(root string, touched map[string]bool) ([]change, error) {
	entries, err := os.ReadDir(filepath.Join(root, t.folder()))
	if err != nil {
		return nil, err
	}
	var all []change
	for _, entry := range entries {
		file := path.Join(t.folder(), entry.Name())
		if entry.IsDir() || strings.HasSuffix(file, "_test.go") || !t.takes(entry.Name()) || touched != nil && !touched[file] {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, file)) //nolint:gosec // a file of the copy
		if err != nil {
			return nil, err
		}
		some, err := changes(file, src)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (t *target) takes(name string) bool {
	takes := false
	for _, pattern := range t.patterns {
		bare, without := strings.CutPrefix(pattern, "!")
		if ok, err := path.Match(bare, name); err == nil && ok {
			takes = !without
		}
	}
	return takes
}

// sample picks n of all, the same for one seed, in their order.
func sample(all []planned, n int, seed uint64) []planned {
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(all))[:n]
	slices.Sort(order)
	picked := make([]planned, 0, n)
	for _, i := range order {
		picked = append(picked, all[i])
	}
	return picked
}

// changedSince asks git which files differ from a commit.
func changedSince(root, commit string) (map[string]bool, error) {
	cmd := exec.CommandContext(context.Background(), "git", "-C", root, "diff", "--name-only", "--relative", commit, "--") //nolint:gosec // the caller names the commit
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git diff %s: %w", commit, err)
	}
	touched := map[string]bool{}
	for line := range strings.Lines(string(output)) {
		touched[strings.TrimSpace(line)] = true
	}
	return touched, nil
}

// readSurvivors reads the changes that live and are no bugs: a line with the change's
// name, and below it, indented, the reason.
func readSurvivors(file string) (map[string]string, error) {
	excused := map[string]string{}
	if file == "" {
		return excused, nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // the caller names it
	if err != nil {
		return nil, err
	}
	var name string
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case line[0] != ' ' && line[0] != '\t':
			name = text
			if _, twice := excused[name]; twice {
				return nil, fmt.Errorf("%s: %q is there twice", file, name)
			}
			excused[name] = ""
		case name == "":
			return nil, fmt.Errorf("%s: %q is the reason of nothing", file, text)
		default:
			excused[name] = strings.TrimSpace(excused[name] + " " + text)
		}
	}
	for name, reason := range excused {
		if reason == "" {
			return nil, fmt.Errorf("%s: %q has no reason", file, name)
		}
	}
	return excused, nil
}

// broom sweeps: it knows, for each target, which tests run which lines.
type broom struct {
	lab

	excused map[string]string
	suites  map[*target]*suite
}

// fate is what became of one change.
type fate int

const (
	killed fate = iota
	notCompiled
	excusedAlive
	alive
)

func (b *broom) all(picked []planned, floor int) error {
	b.suites = map[*target]*suite{}
	var counts [4]int
	var failures []error
	for n, p := range picked {
		began := time.Now()
		fate, by, err := b.try(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.change.name(), err)
		}
		counts[fate]++
		if fate == alive {
			failures = append(failures, fmt.Errorf("%s:%d: lives: %s", p.change.file, p.change.line, p.change.name()))
		}
		if fate != notCompiled {
			fmt.Fprintf(b.out, "%4d/%d  %-80s %4.0f s  %s\n", n+1, len(picked), p.change.name(), time.Since(began).Seconds(), by)
		}
	}
	planted := counts[killed] + counts[excusedAlive] + counts[alive]
	fmt.Fprintf(b.out, "%d planted: %d killed, %d alive, %d alive and no bugs; %d did not compile\n",
		planted, counts[killed], counts[alive], counts[excusedAlive], counts[notCompiled])
	for _, failure := range failures {
		fmt.Fprintln(b.out, failure)
	}
	if judged := counts[killed] + counts[alive]; judged > 0 && 100*counts[killed] < floor*judged {
		return fmt.Errorf("%d of %d died: fewer than %d %%", counts[killed], judged, floor)
	}
	return nil
}

// try plants one change and runs the tests that come by.
func (b *broom) try(p planned) (fate, string, error) {
	s := b.suites[p.target]
	if s == nil {
		var err error
		if s, err = b.suiteOf(p.target); err != nil {
			return 0, "", err
		}
		b.suites[p.target] = s
	}
	tests := s.reach(p.change)
	if len(tests) == 0 {
		return b.survived(p.change, "NOT RUN BY ANY TEST")
	}
	file := filepath.Join(b.dir, p.change.file)
	sane, err := os.ReadFile(file) //nolint:gosec // a file of the copy
	if err != nil {
		return 0, "", err
	}
	sick := slices.Concat(sane[:p.change.start], []byte(p.change.new), sane[p.change.end:])
	if err := os.WriteFile(file, sick, 0o600); err != nil { //nolint:gosec // likewise
		return 0, "", err
	}
	defer os.WriteFile(file, sane, 0o600) //nolint:errcheck // a copy: the next read would show it
	binary := filepath.Join(b.dir, "sick.test")
	if _, err := b.compile(p.target, binary, false); err != nil {
		return notCompiled, "", nil
	}
	// The quickest tests first: most changes die by one of them.
	first := min(len(tests), quick)
	for _, batch := range [][]string{tests[:first], tests[first:]} {
		if len(batch) == 0 {
			continue
		}
		output, err := b.run(p.target, binary, batch, "", min(b.limit, s.patience(batch)))
		if err != nil {
			return killed, killedBy(output), nil
		}
	}
	if p.target.also != "" {
		args := []string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout=" + b.limit.String(), p.target.also}
		if output, err := b.goTool(p.target.module, args); err != nil {
			return killed, killedBy(output), nil
		}
	}
	return b.survived(p.change, "ALIVE")
}

// quick is how many tests are tried before the rest.
const quick = 25

func (b *broom) survived(c change, how string) (fate, string, error) {
	if reason, ok := b.excused[c.name()]; ok {
		return excusedAlive, "alive: " + reason, nil
	}
	return alive, how, nil
}
