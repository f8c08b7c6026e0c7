package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const branch = "main"

// cutting is how a release is made.
type cutting struct {
	root    string
	lists   lists
	version string
	yes     bool // false: do everything in a copy, and change nothing here
	day     time.Time
	// checks are run in a copy of the tree before anything is written.
	checks [][]string
	// generators are run in the copy of the tree once it has the new version, and write
	// what shows it.
	generators [][]string
	// before is called before each step, and ends the release with its error. Tests
	// interrupt there.
	before func(step string) error
	out    io.Writer
}

func runCut(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("cut", flag.ContinueOnError)
	flags.SetOutput(out)
	c := cutting{
		lists: ours, day: time.Now(), out: out,
		generators: [][]string{{"make", "api"}, {"make", "man"}},
		before:     func(string) error { return nil },
	}
	flags.StringVar(&c.root, "root", "..", "the directory of the tree")
	flags.StringVar(&c.version, "version", "", "the version to release, such as v0.2.0")
	flags.BoolVar(&c.yes, "yes", false, "commit and tag; without it, nothing is changed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c.checks = [][]string{{"make", "api-check"}, {"make", "release-check", "VERSION=" + c.version}}
	return c.run(ctx)
}

// release is a commit of a copy of the repository, with its tags.
type release struct {
	head   string // the commit that it was made from
	commit string
	clone  string            // the folder of the copy
	tags   []string          // in the order in which the modules require each other
	ids    map[string]string // the objects of the tags
}

// run makes the release in a copy, proves it, and then takes its commit and tags over.
// The tree, the branch and the tags of the repository are touched last, and are as they
// were after any error.
func (c *cutting) run(ctx context.Context) error {
	r, previous, err := c.check(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a folder in the temporary one
	made, sums, err := c.make(ctx, r, previous, work)
	if err != nil {
		return err
	}
	stat, err := git(ctx, made.clone, "show", "--stat", "--format=%h %s", made.commit)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s of %d modules, made from %s of %s.\n\n", c.version, len(made.tags), made.head[:12], branch)
	fmt.Fprintf(c.out, "The commit:\n\n%s\n", indent(stat))
	fmt.Fprintf(c.out, "The tags, and the checksums with which the go command downloads them, which are those of each go.sum:\n\n")
	for i, m := range r.published() {
		fmt.Fprintf(c.out, "  %-28s %s\n", made.tags[i], sums[m.path].Sum)
	}
	fmt.Fprintln(c.out)
	if !c.yes {
		fmt.Fprintln(c.out, "Nothing was changed. YES=1 makes the commit and the tags, after which there is to push:")
	} else {
		if err := c.take(ctx, r, made); err != nil {
			return err
		}
		fmt.Fprintln(c.out, "The commit and the tags are made, and nothing is pushed. Push, in this order:")
	}
	// A module that is asked for before those that it requires are there is not found,
	// and stays so for a while. GitHub starts no workflow for more than three tags at
	// once: the root's, which starts the release's, is pushed with the branch.
	fmt.Fprintf(c.out, "\n  git push --atomic origin %s %s\n", branch, made.tags[0])
	if len(made.tags) > 1 {
		fmt.Fprintf(c.out, "  git push --atomic origin %s\n", strings.Join(made.tags[1:], " "))
	}
	if c.yes {
		fmt.Fprintf(c.out, "\nUntil then, this undoes it:\n\n  git tag -d %s && git reset --keep %s\n", strings.Join(made.tags, " "), made.head[:12])
	}
	return nil
}

// check returns the repository and its last version, or all that keeps it from being
// released.
func (c *cutting) check(ctx context.Context) (r *repository, previous string, err error) {
	r, err = openRepository(ctx, c.root, c.lists)
	if err != nil {
		return nil, "", err
	}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if on, err := git(ctx, r.root, "symbolic-ref", "--short", "HEAD"); err != nil {
		problem("no branch is checked out: switch to %s", branch)
	} else if on = strings.TrimSpace(on); on != branch {
		problem("the branch is %s: releases are made on %s", on, branch)
	}
	status, err := git(ctx, r.root, "status", "--porcelain")
	if err != nil {
		return nil, "", err
	}
	if status != "" {
		problem("the tree is not clean: commit or remove\n%s", indent(status))
	}
	if _, err := git(ctx, r.root, "rev-parse", "-q", "--verify", "refs/remotes/origin/"+branch); err == nil {
		if _, err := git(ctx, r.root, "merge-base", "--is-ancestor", "refs/remotes/origin/"+branch, "HEAD"); err != nil {
			problem("origin/%s has commits that %s has not: pull first", branch, branch)
		}
	}
	if previous, err = lastVersion(ctx, r.root); err != nil {
		return nil, "", err
	}
	switch {
	case !isVersion(c.version):
		problem("VERSION %q is not a semantic version, such as v0.2.0", c.version)
	case previous != "" && semver.Compare(c.version, previous) <= 0:
		problem("VERSION %s is not greater than the last tag, %s", c.version, previous)
	case semver.Compare(c.version, r.version) < 0:
		problem("VERSION %s is less than that of %s, %s", c.version, versionFile, r.version)
	}
	for _, m := range r.published() {
		if _, err := git(ctx, r.root, "rev-parse", "-q", "--verify", "refs/tags/"+m.tag(c.version)); err == nil {
			problem("the tag %s exists", m.tag(c.version))
		}
	}
	changelog, err := os.ReadFile(r.abs("CHANGELOG.md"))
	if err != nil {
		return nil, "", err
	}
	if err := checkUnreleased(string(changelog)); err != nil {
		problem("%w", err)
	}
	problems = append(problems, r.unpublishable())
	return r, previous, errors.Join(problems...)
}

// unpublishable returns what an importer of the published modules would stumble over: a
// replace or exclude, which only counts in the main module, or a sibling at another
// version than the rest.
func (r *repository) unpublishable() error {
	var problems []error
	for _, m := range r.published() {
		f, err := modfile.Parse(m.file("go.mod"), m.gomod, nil)
		if err != nil {
			return err
		}
		for _, line := range f.Replace {
			problems = append(problems, fmt.Errorf("%s replaces %s: go install refuses the module, and importers ignore the line", m.file("go.mod"), line.Old.Path))
		}
		for _, line := range f.Exclude {
			problems = append(problems, fmt.Errorf("%s excludes %s: go install refuses the module, and importers ignore the line", m.file("go.mod"), line.Mod))
		}
		for _, sibling := range sorted(m.requires) {
			if got := m.requires[sibling]; got != r.version {
				problems = append(problems, fmt.Errorf("%s requires %s %s: want %s, the version of %s", m.file("go.mod"), sibling, got, r.version, versionFile))
			}
		}
	}
	return errors.Join(problems...)
}

// lastVersion returns the greatest version that the root module is tagged with, or
// nothing.
func lastVersion(ctx context.Context, root string) (string, error) {
	out, err := git(ctx, root, "tag", "--list", "v*")
	if err != nil {
		return "", err
	}
	last := ""
	for tag := range strings.FieldsSeq(out) {
		if isVersion(tag) && (last == "" || semver.Compare(tag, last) > 0) {
			last = tag
		}
	}
	return last, nil
}

// make commits and tags the release in a copy of the repository, and proves it.
func (c *cutting) make(ctx context.Context, r *repository, previous, work string) (*release, map[string]download, error) {
	made := &release{clone: filepath.Join(work, "clone"), ids: map[string]string{}}
	if err := c.before("clone"); err != nil {
		return nil, nil, err
	}
	head, err := git(ctx, r.root, "rev-parse", "HEAD")
	if err != nil {
		return nil, nil, err
	}
	made.head = strings.TrimSpace(head)
	if err := cloneOf(ctx, r.root, made.clone); err != nil {
		return nil, nil, err
	}
	if err := c.runAll(ctx, made.clone, c.checks); err != nil {
		return nil, nil, err
	}
	e, err := c.write(ctx, r, previous, made.clone)
	if err != nil {
		return nil, nil, err
	}
	if err := c.before("commit"); err != nil {
		return nil, nil, err
	}
	if _, err := git(ctx, made.clone, "add", "--all"); err != nil {
		return nil, nil, err
	}
	if _, err := git(ctx, made.clone, "commit", "-q", "-m", "release: "+c.version); err != nil {
		return nil, nil, err
	}
	for _, m := range r.published() {
		tag := m.tag(c.version)
		if _, err := git(ctx, made.clone, "tag", "-a", "-m", m.path+" "+c.version, tag); err != nil {
			return nil, nil, err
		}
		id, err := git(ctx, made.clone, "rev-parse", "refs/tags/"+tag)
		if err != nil {
			return nil, nil, err
		}
		made.tags = append(made.tags, tag)
		made.ids[tag] = strings.TrimSpace(id)
	}
	commit, err := git(ctx, made.clone, "rev-parse", "HEAD")
	if err != nil {
		return nil, nil, err
	}
	made.commit = strings.TrimSpace(commit)
	if err := c.before("prove"); err != nil {
		return nil, nil, err
	}
	sums, err := prove(ctx, e, work)
	return made, sums, err
}

// cloneOf copies a repository, with who commits there and how commits are signed: what
// its configuration includes for some folders is not included for the copy's.
func cloneOf(ctx context.Context, root, dir string) error {
	args := []string{"clone", "-q", "--shared", "--branch", branch}
	config, err := git(ctx, root, "config", "--null", "--get-regexp", `^(user|commit|tag|gpg)\.`)
	if err == nil { // an error: there is none
		for entry := range strings.SplitSeq(strings.TrimRight(config, "\x00"), "\x00") {
			// A key without a value, which is true, stays one.
			args = append(args, "-c", strings.Replace(entry, "\n", "=", 1))
		}
	}
	_, err = git(ctx, root, append(args, root, dir)...)
	return err
}

// runAll runs commands in the copy.
func (c *cutting) runAll(ctx context.Context, clone string, commands [][]string) error {
	for _, command := range commands {
		line := strings.Join(command, " ")
		if err := c.before(line); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s …\n", line)
		cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // a command of this program
		cmd.Dir, cmd.Env = clone, environ(clone)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w:\n%s", line, err, indent(strings.ReplaceAll(string(out), clone, ".")))
		}
	}
	return nil
}

// write writes the files of the release into the copy, and returns its modules.
func (c *cutting) write(ctx context.Context, r *repository, previous, clone string) (*edition, error) {
	if err := c.before("write"); err != nil {
		return nil, err
	}
	source, err := os.ReadFile(filepath.Join(clone, versionFile)) //nolint:gosec // a file of the copy
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(clone, versionFile), withVersion(source, c.version)); err != nil {
		return nil, err
	}
	changelog, err := os.ReadFile(filepath.Join(clone, "CHANGELOG.md")) //nolint:gosec // likewise
	if err != nil {
		return nil, err
	}
	text, err := releaseChangelog(string(changelog), c.version, previous, "https://"+r.modules[0].path, c.day)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(clone, "CHANGELOG.md"), []byte(text)); err != nil {
		return nil, err
	}
	if err := c.runAll(ctx, clone, c.generators); err != nil {
		return nil, err
	}
	if err := releaseSurface(clone); err != nil {
		return nil, err
	}
	// The checksums are of all that is written above.
	copied, err := openRepository(ctx, clone, c.lists)
	if err != nil {
		return nil, err
	}
	e, err := newEdition(copied, c.version)
	if err != nil {
		return nil, err
	}
	for name, content := range e.edits {
		if err := writeFile(copied.abs(name), content); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// releaseSurface makes the exported surface that of the last release.
func releaseSurface(clone string) error {
	released := filepath.Join(clone, "api", "released")
	if err := os.RemoveAll(released); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(clone, "api", "*.txt"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file) //nolint:gosec // a file of the copy
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(released, filepath.Base(file)), content); err != nil {
			return err
		}
	}
	return nil
}

// download is what `go mod download -json` says of a module.
type download struct {
	Path, Version, Sum, GoModSum, Error string
}

// prove has the go command download each tagged module from the copy as it does from the
// repository's home, and compares the checksums with those of every go.sum. It returns
// them by path.
func prove(ctx context.Context, e *edition, work string) (map[string]download, error) {
	empty := filepath.Join(work, "empty")
	if err := os.MkdirAll(empty, 0o750); err != nil {
		return nil, err
	}
	args := []string{"mod", "download", "-json"}
	for _, m := range e.repo.published() {
		args = append(args, m.path+"@"+e.version)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = empty
	cmd.Env = append(environ(empty), "GOWORK=off", "GOPROXY=direct", "GONOSUMDB=*", "GOFLAGS=-modcacherw",
		"GOMODCACHE="+filepath.Join(work, "cache"),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url."+e.repo.root+".insteadOf", "GIT_CONFIG_VALUE_0=https://"+e.repo.modules[0].path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	sums := map[string]download{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for decoder.More() {
		var d download
		if err := decoder.Decode(&d); err != nil {
			return nil, err
		}
		if d.Error != "" {
			return nil, fmt.Errorf("download of %s: %s", d.Path, d.Error)
		}
		sums[d.Path] = d
	}
	if runErr != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", runErr, stderr.String())
	}
	return sums, compareSums(e, sums)
}

// compareSums returns an error for each module whose checksums differ from those that the
// release built, or that a go.sum of the release has.
func compareSums(e *edition, sums map[string]download) error {
	var problems []error
	for _, m := range e.repo.published() {
		b, got := e.builds[m.path], sums[m.path]
		if got.Sum != b.zipSum || got.GoModSum != b.modSum {
			problems = append(problems, fmt.Errorf("%s: its tag has the checksums %s and %s, and the release was built with %s and %s", m.path, got.Sum, got.GoModSum, b.zipSum, b.modSum))
		}
	}
	for _, m := range e.repo.modules {
		gosum, err := os.ReadFile(e.repo.abs(m.file("go.sum")))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		lines := strings.Split(string(gosum), "\n")
		for _, p := range sorted(m.requires) {
			for _, want := range []string{
				fmt.Sprintf("%s %s %s", p, e.version, sums[p].Sum), fmt.Sprintf("%s %s/go.mod %s", p, e.version, sums[p].GoModSum),
			} {
				if !slices.Contains(lines, want) {
					problems = append(problems, fmt.Errorf("%s has no line %q", m.file("go.sum"), want))
				}
			}
		}
	}
	return errors.Join(problems...)
}

// take brings the commit and the tags of a release into the repository: first the objects
// that nothing refers to, then the files, and at last the branch and all tags at once.
func (c *cutting) take(ctx context.Context, r *repository, made *release) (err error) {
	if err := c.before("fetch"); err != nil {
		return err
	}
	fetch := []string{"fetch", "-q", "--no-tags", "--no-write-fetch-head", made.clone}
	for _, tag := range made.tags {
		fetch = append(fetch, "refs/tags/"+tag)
	}
	if _, err := git(ctx, r.root, fetch...); err != nil {
		return err
	}
	status, err := git(ctx, r.root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("the tree was changed meanwhile:\n%s", indent(status))
	}
	// From here on git is not killed, which would leave its locks behind.
	unstopped := context.WithoutCancel(ctx)
	defer func() {
		if err == nil {
			return
		}
		// The tree was clean, so this loses nothing.
		if _, resetErr := git(unstopped, r.root, "read-tree", "--reset", "-u", "HEAD"); resetErr != nil {
			err = errors.Join(err, resetErr, errors.New("git reset --hard brings the tree back: no branch and no tag was changed"))
		}
	}()
	if err := c.before("files"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := git(unstopped, r.root, "read-tree", "-m", "-u", made.head, made.commit); err != nil {
		return err
	}
	if err := c.before("refs"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var refs strings.Builder
	fmt.Fprintf(&refs, "start\nupdate refs/heads/%s %s %s\n", branch, made.commit, made.head)
	for _, tag := range made.tags {
		fmt.Fprintf(&refs, "create refs/tags/%s %s\n", tag, made.ids[tag])
	}
	refs.WriteString("prepare\ncommit\n")
	cmd := exec.CommandContext(unstopped, "git", "update-ref", "-m", "release: "+c.version, "--stdin") //nolint:gosec // git
	cmd.Dir, cmd.Env = r.root, environ(r.root)
	cmd.Stdin = strings.NewReader(refs.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git update-ref: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// tag returns the name of the tag that publishes a version of the module.
func (m *module) tag(version string) string { return path.Join(m.dir, version) }

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		b.WriteString("  " + line)
	}
	return b.String()
}
