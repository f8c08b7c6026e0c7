package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// lists name the folder of each module of a repository once: in published if users may
// require it, in private if only this repository builds it. Tools, and what is in a
// folder named internal, are private without being listed. Any other go.mod that is in
// neither list fails every command, so that its author decides.
type lists struct{ published, private []string }

// ours are the lists of this repository.
var ours = lists{
	published: []string{".", "batch", "cmd/intram", "inbox/pginbox", "inbox/redisinbox", "inbox/sqlinbox", "intramriver", "limit/redislimit", "otelintram"},
	// The two examples are read and copied, the rest are checks, measurements and the
	// site.
	private: []string{"bench", "docs/routers", "examples/shop", "intramriver/example", "site"},
}

// isPrivate reports whether the module of a folder is never published.
func (l lists) isPrivate(dir string) bool {
	parts := strings.Split(dir, "/")
	return slices.Contains(l.private, dir) || parts[0] == "tools" || slices.Contains(parts, "internal")
}

// repository is a tree with its modules, as a commit of it would hold them.
type repository struct {
	root  string
	files []string // of the whole tree, relative to root, with slashes
	// modules are the published ones, each after those that it requires, then the private
	// ones.
	modules []*module
	version string // what intram.go says, with a v
}

// module is one module of a repository.
type module struct {
	dir       string // relative to the root, with slashes; "." is the root
	path      string
	published bool
	gomod     []byte
	gosum     []byte
	requires  map[string]string // modules of the same repository, and the versions required
}

// file returns the path of one of the module's files from the repository's root.
func (m *module) file(name string) string { return path.Join(m.dir, name) }

// versionFile says the version of the SDK.
const versionFile = "intram.go"

var versionLine = regexp.MustCompile(`(?m)^const Version = "([^"\n]*)"$`)

// openRepository reads the modules of the tree at root.
func openRepository(ctx context.Context, root string, l lists) (*repository, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	r := &repository{root: root}
	if r.files, err = listFiles(ctx, root); err != nil {
		return nil, err
	}
	source, err := os.ReadFile(filepath.Join(root, versionFile)) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	m := versionLine.FindSubmatch(source)
	if m == nil {
		return nil, errors.New(`intram.go has no line: const Version = "…"`)
	}
	r.version = "v" + string(m[1])
	if !isVersion(r.version) {
		return nil, fmt.Errorf("intram.go: Version %q is not a semantic version, such as 0.2.0", m[1])
	}
	return r, r.readModules(l)
}

// isVersion reports whether version may be the version of a module.
func isVersion(version string) bool {
	return semver.IsValid(version) && semver.Canonical(version) == version
}

// listFiles returns the files of a tree that a commit would hold: tracked ones that are
// still there, and new ones that are not ignored.
func listFiles(ctx context.Context, root string) ([]string, error) {
	out, err := git(ctx, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimRight(out, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case info.Mode().IsRegular(): // a symbolic link is not part of a module
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// readModules reads each go.mod, and puts the modules in order.
func (r *repository) readModules(l lists) error {
	found := map[string]*module{} // by path
	var dirs []string
	for _, name := range r.files {
		if path.Base(name) != "go.mod" || slices.Contains(strings.Split(name, "/"), "testdata") {
			continue
		}
		dir := path.Dir(name)
		published, private := slices.Contains(l.published, dir), l.isPrivate(dir)
		if published == private {
			return fmt.Errorf("%s: put the folder %s into one of the two lists of tools/release/modules.go: published or private", name, dir)
		}
		m, err := r.readModule(dir)
		if err != nil {
			return err
		}
		m.published = published
		if other := found[m.path]; other != nil {
			return fmt.Errorf("%s: %s is the module of %s too", name, m.path, other.file("go.mod"))
		}
		found[m.path] = m
		dirs = append(dirs, dir)
	}
	for _, dir := range slices.Concat(l.published, l.private) {
		if !slices.Contains(dirs, dir) {
			return fmt.Errorf("%s: the lists of tools/release/modules.go name it, and it does not exist", path.Join(dir, "go.mod"))
		}
	}
	for _, m := range found {
		parsed, err := modfile.Parse(m.file("go.mod"), m.gomod, nil)
		if err != nil {
			return err
		}
		for _, req := range parsed.Require {
			other := found[req.Mod.Path]
			if other == nil {
				continue
			}
			if m.published && !other.published {
				return fmt.Errorf("%s requires %s, which is not published", m.file("go.mod"), other.path)
			}
			m.requires[other.path] = req.Mod.Version
		}
	}
	var err error
	slices.SortStableFunc(dirs, func(a, b string) int { return rank(l, a) - rank(l, b) })
	r.modules, err = inOrder(found, dirs)
	return err
}

// rank returns the place of a folder among the published ones, or one after them.
func rank(l lists, dir string) int {
	if at := slices.Index(l.published, dir); at >= 0 {
		return at
	}
	return len(l.published)
}

func (r *repository) readModule(dir string) (*module, error) {
	m := &module{dir: dir, requires: map[string]string{}}
	var err error
	if m.gomod, err = os.ReadFile(r.abs(m.file("go.mod"))); err != nil {
		return nil, err
	}
	if m.gosum, err = os.ReadFile(r.abs(m.file("go.sum"))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m.path = modfile.ModulePath(m.gomod)
	if m.path == "" {
		return nil, fmt.Errorf("%s names no module", m.file("go.mod"))
	}
	return m, nil
}

// inOrder returns the modules in the order of dirs, but each after those that it
// requires.
func inOrder(found map[string]*module, dirs []string) ([]*module, error) {
	byDir := map[string]*module{}
	for _, m := range found {
		byDir[m.dir] = m
	}
	var (
		order []*module
		under []string // the modules that are being placed
		place func(m *module) error
	)
	place = func(m *module) error {
		if slices.Contains(order, m) {
			return nil
		}
		if slices.Contains(under, m.path) {
			return fmt.Errorf("modules require each other: %s", strings.Join(append(under, m.path), " requires "))
		}
		under = append(under, m.path)
		for _, other := range sorted(m.requires) {
			if err := place(found[other]); err != nil {
				return err
			}
		}
		under = under[:len(under)-1]
		order = append(order, m)
		return nil
	}
	for _, dir := range dirs {
		if err := place(byDir[dir]); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// abs returns where a file of the repository is.
func (r *repository) abs(name string) string {
	return filepath.Join(r.root, filepath.FromSlash(name))
}

// published returns the published modules, each after those that it requires.
func (r *repository) published() []*module {
	var published []*module
	for _, m := range r.modules {
		if m.published {
			published = append(published, m)
		}
	}
	return published
}

// paths returns the paths of all modules.
func (r *repository) paths() []string {
	var paths []string
	for _, m := range r.modules {
		paths = append(paths, m.path)
	}
	return paths
}

// git runs a git command in dir and returns what it prints. An error has what git said.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // git, with arguments of this program
	cmd.Dir, cmd.Env = dir, environ(dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// environ is the environment of a command in dir, without the variables by which a hook
// of Git names its repository: they win over the folder that a command runs in.
func environ(dir string) []string {
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{
			"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE",
			"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
		}, name)
	})
	return append(env, "PWD="+dir)
}
