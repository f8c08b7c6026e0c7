// Command notice writes NOTICE.md: the modules that are linked into each module of this
// repository and into its command, with their licences, and the texts of these.
//
//	go -C tools run ./notice -root ..           # write NOTICE.md
//	go -C tools run ./notice -root .. -check    # fail if it is not current
//
// Both fail for a module whose licence is not in [allowed], or is not recognised.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed lists the licences under which a module may be linked, as SPDX names them. All
// of them let a program under any licence be shipped with it.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// platforms lists the systems that are looked at: some modules are linked into one only.
var platforms = []string{"linux/amd64", "darwin/arm64", "windows/amd64"}

// unshipped matches the folders of modules that no user links: they check or show the
// others.
var unshipped = regexp.MustCompile(`^(tools|bench|examples|docs|site)(/|$)|/internal/|/example$`)

// coverage is how much of a licence file must be the text of known licences, in percent.
// The rest is names of authors.
const coverage = 75

// publicDomain is what texts say by which authors gave their rights up.
const publicDomain = "public domain"

// read are the texts, by their SHA-256, that have few words of a licence, and that a
// person has read: what they say, or "" for nothing about what is linked.
var read = map[string]string{
	"8438c9c89b849131ead81d5435cb97fcf052df5b0b286dda8a2d4c29e6cb3fd0": publicDomain, // SQLite's authors
	"5ae5bee3072a841376451b48d8cfcec7188e10543926d5870828d36c8a750dc5": "",           // the address of a picture
}

// licenceFile matches the names of files that hold a licence, or a notice that goes with
// it.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice)([-.][a-z0-9.]+)?$|^licen[cs]e-3rd-party`)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("notice", flag.ContinueOnError)
	root := flags.String("root", ".", "the `directory` of the tree")
	check := flags.Bool("check", false, "compare NOTICE.md with what it would be, and write nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	text, err := notice(ctx, dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "NOTICE.md")
	old, err := os.ReadFile(file) //nolint:gosec // a folder of the caller's
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch {
	case bytes.Equal(old, text):
		fmt.Fprintln(out, "NOTICE.md is current")
		return nil
	case *check:
		return fmt.Errorf("NOTICE.md is not current: run make notice\n%s", difference(string(old), string(text)))
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // a document
}

// notice returns the text of NOTICE.md.
func notice(ctx context.Context, root string) ([]byte, error) {
	own, err := ownModules(ctx, root)
	if err != nil {
		return nil, err
	}
	links := map[module][]string{} // the modules of this repository into which each is linked
	packages := map[module][]string{}
	for _, m := range own {
		if unshipped.MatchString(m.dir) {
			continue
		}
		linked, err := m.linked(ctx, root, own)
		if err != nil {
			return nil, err
		}
		for dependency, dirs := range linked {
			links[dependency] = append(links[dependency], m.name())
			packages[dependency] = append(packages[dependency], dirs...)
		}
	}
	std, err := standardLibrary(ctx)
	if err != nil {
		return nil, err
	}
	texts := []licence{std}
	var table []row
	var refused []error
	for _, m := range slices.SortedFunc(keys(links), module.compare) {
		l, err := m.licence(packages[m])
		if err != nil {
			refused = append(refused, err)
			continue
		}
		texts = append(texts, l)
		table = append(table, row{m, l.names, links[m]})
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	return render(table, texts), nil
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// ownModule is a module of this repository.
type ownModule struct {
	dir      string // relative to the root, "." for the root
	path     string
	goLine   string            // the version of Go in go.mod
	requires map[string]string // path and version
}

// name is what the table calls the module.
func (m ownModule) name() string {
	if m.dir == "." {
		return "core"
	}
	return m.dir
}

// ownModules lists the modules of the repository, new ones that are not ignored included.
func ownModules(ctx context.Context, root string) ([]ownModule, error) {
	list, err := output(ctx, root, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "go.mod", "*/go.mod")
	if err != nil {
		return nil, err
	}
	var own []ownModule
	for file := range strings.FieldsSeq(string(list)) {
		if strings.Contains("/"+file, "/testdata/") {
			continue
		}
		data, err := output(ctx, filepath.Join(root, path.Dir(file)), nil, "go", "mod", "edit", "-json")
		if err != nil {
			return nil, err
		}
		var mod struct {
			Module  struct{ Path string }
			Go      string
			Require []struct{ Path, Version string }
		}
		if err := json.Unmarshal(data, &mod); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		m := ownModule{dir: path.Dir(file), path: mod.Module.Path, goLine: mod.Go, requires: map[string]string{}}
		for _, r := range mod.Require {
			m.requires[r.Path] = r.Version
		}
		own = append(own, m)
	}
	slices.SortFunc(own, func(a, b ownModule) int { return cmp.Compare(a.dir, b.dir) })
	return own, nil
}

// workspace returns a go.work of the module and those of this repository that it
// requires, one by way of another. Versions are then the ones that a user of the module
// gets, and not those that the whole workspace agrees on.
func (m ownModule) workspace(root string, own []ownModule) string {
	here := map[string]ownModule{}
	for _, o := range own {
		here[o.path] = o
	}
	var b strings.Builder
	fmt.Fprintf(&b, "go %s\nuse %q\n", m.goLine, filepath.Join(root, m.dir))
	used := []string{m.path}
	var replaced []string
	for i := 0; i < len(used); i++ {
		for p, version := range here[used[i]].requires {
			o, ok := here[p]
			if !ok {
				continue
			}
			if !slices.Contains(used, p) {
				used = append(used, p)
				fmt.Fprintf(&b, "use %q\n", filepath.Join(root, o.dir))
			}
			// As in go.work: the version that is required may not be published yet.
			if line := fmt.Sprintf("replace %s %s => %q\n", p, version, filepath.Join(root, o.dir)); !slices.Contains(replaced, line) {
				replaced = append(replaced, line)
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// module is a module that is linked, at a version.
type module struct{ path, version, dir string }

func (m module) compare(o module) int {
	return cmp.Or(cmp.Compare(m.path, o.path), cmp.Compare(m.version, o.version))
}

// linked returns the modules that a program links which imports the module's packages, or
// that its command links, with the folders of the packages in question.
func (m ownModule) linked(ctx context.Context, root string, own []ownModule) (_ map[module][]string, err error) {
	temp, err := os.MkdirTemp("", "notice")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	work := filepath.Join(temp, "go.work")
	if err := os.WriteFile(work, []byte(m.workspace(root, own)), 0o600); err != nil {
		return nil, err
	}
	linked := map[module][]string{}
	for _, platform := range platforms {
		system, arch, _ := strings.Cut(platform, "/")
		env := []string{"GOWORK=" + work, "GOFLAGS=", "CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + arch}
		dir := filepath.Join(root, m.dir)
		list, err := output(ctx, dir, env, "go", "list", "-f", "{{.Name}} {{.ImportPath}}", "./...")
		if err != nil {
			return nil, err
		}
		roots := shipped(string(list), m.path)
		if len(roots) == 0 {
			return nil, fmt.Errorf("module %s has no package that is shipped", m.dir)
		}
		list, err = output(ctx, dir, env, "go", append([]string{"list", "-deps", "-json=Dir,Module"}, roots...)...)
		if err != nil {
			return nil, err
		}
		if err := addPackages(linked, list); err != nil {
			return nil, err
		}
	}
	return linked, nil
}

// shipped picks the packages that a user links from lines of a name and an import path:
// the command, and otherwise what can be imported and is not there for tests.
func shipped(list, modulePath string) []string {
	var roots []string
	for line := range strings.Lines(list) {
		name, pkg, _ := strings.Cut(strings.TrimSpace(line), " ")
		inner := strings.TrimPrefix(pkg, modulePath)
		switch {
		case name == "main" && inner == "":
			return []string{pkg}
		case name == "main", strings.HasSuffix(name, "test"), strings.Contains(inner+"/", "/internal/"):
		default:
			roots = append(roots, pkg)
		}
	}
	return roots
}

// addPackages adds what go list says of packages to the modules that they are in.
func addPackages(linked map[module][]string, list []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(list))
	for {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case p.Module == nil || p.Module.Main: // the standard library, or ours
			continue
		}
		m := module{p.Module.Path, p.Module.Version, p.Module.Dir}
		if !slices.Contains(linked[m], p.Dir) {
			linked[m] = append(linked[m], p.Dir)
		}
	}
}

// licence is what the files of a module say.
type licence struct {
	owner string   // whose it is, with a version
	names []string // SPDX names
	text  string   // the files, one after the other
}

// licence reads the files from the folders of the linked packages up to the module's.
func (m module) licence(packages []string) (licence, error) {
	l := licence{owner: strings.TrimSpace(m.path + " " + m.version)}
	var dirs []string
	for _, dir := range packages {
		for !slices.Contains(dirs, dir) && within(dir, m.dir) {
			dirs = append(dirs, dir)
			dir = filepath.Dir(dir)
		}
	}
	slices.Sort(dirs)
	var texts []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return l, err
		}
		for _, e := range entries {
			if e.IsDir() || !licenceFile.MatchString(e.Name()) {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // in the module cache
			if err != nil {
				return l, err
			}
			texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n")))
			if isNotice(e.Name()) { // says whose work it is, not under what terms
				continue
			}
			names, err := classify(data)
			if err != nil {
				return l, fmt.Errorf("%s: %s: %w", l.owner, e.Name(), err)
			}
			l.names = append(l.names, names...)
		}
	}
	if len(l.names) == 0 {
		return l, fmt.Errorf("%s: there is no file with a licence", l.owner)
	}
	slices.Sort(l.names)
	l.names, l.text = slices.Compact(l.names), strings.Join(texts, "\n\n")
	return l, nil
}

func isNotice(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "notice") || strings.Contains(name, "3rd-party")
}

func within(dir, parent string) bool {
	inner, err := filepath.Rel(parent, dir)
	return err == nil && filepath.IsLocal(inner)
}

// classify returns the SPDX names of the licences of a text. One that is not allowed is
// an error, and so is a text that is more than licences.
func classify(text []byte) ([]string, error) {
	if says, ok := read[fmt.Sprintf("%x", sha256.Sum256(text))]; ok {
		if says == "" {
			return nil, nil
		}
		return []string{says}, nil
	}
	found := licensecheck.Scan(text)
	if found.Percent < coverage {
		return nil, fmt.Errorf("the licence is not recognised (%.0f %% of its words)", found.Percent)
	}
	var names []string
	for _, match := range found.Match {
		if match.IsURL { // in the text of a licence that is there
			continue
		}
		if !slices.Contains(allowed, match.ID) {
			return nil, fmt.Errorf("the licence is %s: allowed are %s", match.ID, strings.Join(allowed, ", "))
		}
		names = append(names, match.ID)
	}
	return names, nil
}

func standardLibrary(ctx context.Context) (licence, error) {
	root, err := output(ctx, ".", nil, "go", "env", "GOROOT")
	if err != nil {
		return licence{}, err
	}
	std := module{path: "Go standard library", dir: strings.TrimSpace(string(root))}
	return std.licence([]string{std.dir})
}

// row is a line of the table.
type row struct {
	module

	licences []string
	into     []string
}

const head = `# Notices

Written by ` + "`make notice`" + `: do not edit. It lists the modules of others that are linked into programs which use a module of this
repository, and into the command ` + "`intram`" + ` (` + "`cmd/intram`" + `), with their versions and licences. What only tests use is not listed. The
command also contains the Go standard library (BSD-3-Clause). The texts of all licences are below: keep this file with a binary that
you ship, and its conditions on copyright notices are met. The packages and archives of the command contain it.

Some modules are under the Mozilla Public License 2.0: ` + "`go-retryablehttp`" + ` and ` + "`go-cleanhttp`" + ` in every program, River with ` + "`intramriver`" + ` and in the command.
It asks two things of those who ship a binary: tell its users where the source of these modules is, as the table does
(` + "`https://<module>`" + `, at the version shown), and if you change files of these modules, offer the changed files under the MPL too.
Your own files may be under any licence. This repository changes none of the modules.

| module | version | licence | linked into |
|---|---|---|---|
`

func render(table []row, texts []licence) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, r := range table {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.path, r.version, strings.Join(r.licences, ", "), strings.Join(r.into, ", "))
	}
	b.WriteString("\n## Texts of the licences\n")
	// A text that several modules have is there once.
	owners := map[string][]string{}
	var order []string
	for _, l := range texts {
		if owners[l.text] == nil {
			order = append(order, l.text)
		}
		owners[l.text] = append(owners[l.text], l.owner)
	}
	for _, text := range order {
		fence := "```"
		if strings.Contains(text, fence) { // Markdown itself
			fence += "`"
		}
		fmt.Fprintf(&b, "\n### %s\n\n%stext\n%s\n%s\n", strings.Join(owners[text], ", "), fence, text, fence)
	}
	return b.Bytes()
}

// difference lists the lines of two texts that the other does not have, up to ten of
// each.
func difference(old, now string) string {
	var b strings.Builder
	list := func(sign, a, other string) {
		known, n := strings.Split(other, "\n"), 0
		for line := range strings.SplitSeq(a, "\n") {
			if n < 10 && !slices.Contains(known, line) {
				n++
				fmt.Fprintf(&b, "%s %s\n", sign, line)
			}
		}
	}
	list("-", old, now)
	list("+", now, old)
	return b.String()
}

func output(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // git and go, with folders of the tree
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("in %s: %s %s: %w: %s", dir, name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
