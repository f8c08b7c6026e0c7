package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/mod/semver"
)

// checking is how the modules are installed from a proxy, as users do.
type checking struct {
	root      string
	lists     lists
	libraries []library
	packages  map[string]string // what blocks of Go may use without importing them, by name
	command   string            // the module of the command, which has "version" and "serve"
	request   []string          // what the command calls its own server with
	example   string            // a program of the root module that runs anywhere
	version   string            // empty: the next minor version
	temp      string            // where the temporary folder is made; empty: the system's
	proxies   string            // where others are from; empty: what GOPROXY says
	out       io.Writer
}

func runCheck(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(out)
	c := checking{
		lists: ours, libraries: libraries, packages: importPaths, command: "cmd/intram", request: []string{"balance", "--local"}, example: "examples/quickstart", out: out,
	}
	flags.StringVar(&c.root, "root", "..", "the directory of the tree")
	flags.StringVar(&c.version, "version", "", "the version to build; without it, the next minor one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return c.check(ctx)
}

// installer installs an edition's modules from a proxy, with a module cache of its own.
type installer struct {
	*checking
	edition *edition
	work    string
	env     []string
	hidden  *strings.Replacer // of paths and hosts of this machine, in what is printed
	private []string          // the same, which nothing that is published may name
	sums    map[string]string // of third parties, by the first two fields of a go.sum's lines
	rows    [][]string
}

// check builds the tree as the next version, installs all of it in empty modules and
// folders, and prints what it installed. Nothing of it stays.
func (c *checking) check(ctx context.Context) (err error) {
	began := time.Now()
	r, err := openRepository(ctx, c.root, c.lists)
	if err != nil {
		return err
	}
	if err := r.unpublishable(); err != nil {
		return err
	}
	if c.version == "" {
		c.version = nextVersion(r.version)
	}
	e, err := newEdition(r, c.version)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(c.temp, "release-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	in, err := c.newInstaller(ctx, e, work)
	if err != nil {
		return err
	}
	if err := in.install(ctx); err != nil {
		return errors.New(in.hidden.Replace(err.Error()))
	}
	in.row(began, "in all", c.version, fmt.Sprintf("%d modules published", len(r.published())), "")
	return in.print()
}

// nextVersion returns the minor version after v, or the version that v leads to if it is
// a pre-release.
func nextVersion(v string) string {
	if pre := semver.Prerelease(v); pre != "" {
		return strings.TrimSuffix(v, pre)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(v, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return v // which isVersion has seen
	}
	return fmt.Sprintf("v%d.%d.0", major, minor+1)
}

func (c *checking) newInstaller(ctx context.Context, e *edition, work string) (*installer, error) {
	in := &installer{checking: c, edition: e, work: work, sums: map[string]string{}}
	cmd := exec.CommandContext(ctx, "go", "env", "-json", "GOPROXY", "GOMODCACHE", "GOCACHE")
	cmd.Dir = work
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var machine struct{ GOPROXY, GOMODCACHE, GOCACHE string }
	if err := json.Unmarshal(out, &machine); err != nil {
		return nil, err
	}
	if c.proxies == "" {
		c.proxies = machine.GOPROXY
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	var pairs []string
	hide := func(private, shown string) {
		in.private = append(in.private, private)
		pairs = append(pairs, private, shown)
	}
	for _, folder := range [][2]string{{work, "$WORK/"}, {e.repo.root, "./"}, {machine.GOMODCACHE, "$GOMODCACHE/"}, {machine.GOCACHE, "$GOCACHE/"}, {home, "~/"}} {
		// A user of a container may have the home /, which says nothing.
		if name := filepath.ToSlash(filepath.Clean(folder[0])); name != "/" {
			hide(name+"/", folder[1])
		}
	}
	for _, proxy := range strings.FieldsFunc(c.proxies, func(c rune) bool { return c == ',' || c == '|' }) {
		if u, err := url.Parse(proxy); err == nil && u.Host != "" {
			hide(u.Host, "a proxy")
		}
	}
	in.hidden = strings.NewReplacer(pairs...)

	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		// Neither keys nor settings of the machine, nor an exception from the proxies.
		if !strings.HasPrefix(name, "INTRAM_") && !strings.HasPrefix(name, "XDG_") && !slices.Contains([]string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB"}, name) {
			in.env = append(in.env, variable)
		}
	}
	in.env = append(in.env,
		"GOWORK=off", "GOTOOLCHAIN=local", "GOENV=off", "GOBIN="+filepath.Join(work, "bin"), "GOCACHE="+machine.GOCACHE,
		"GOMODCACHE="+filepath.Join(work, "modules"),
		// Writable, so that it can be removed. What is compiled does not depend on the
		// folder of the module cache, so that the next run finds it in the build cache.
		"GOFLAGS=-modcacherw -trimpath",
		// What this machine has is not downloaded again.
		"GOPROXY="+fileURL(filepath.Join(work, "proxy"))+","+fileURL(filepath.Join(machine.GOMODCACHE, "cache", "download"))+","+c.proxies,
		// No checksum database knows this version. What others published is compared with
		// the tree's go.sum files.
		"GOSUMDB=off",
		"HOME="+filepath.Join(work, "home"), "XDG_CACHE_HOME="+filepath.Join(work, "home", "cache"), "XDG_CONFIG_HOME="+filepath.Join(work, "home", "config"),
	)
	for _, m := range e.repo.modules {
		for line := range strings.Lines(string(m.gosum)) {
			if fields := strings.Fields(line); len(fields) == 3 {
				in.sums[fields[0]+" "+fields[1]] = fields[2]
			}
		}
	}
	for p, b := range e.builds {
		in.sums[p+" "+e.version], in.sums[p+" "+e.version+"/go.mod"] = b.zipSum, b.modSum
	}
	return in, os.MkdirAll(filepath.Join(work, "home"), 0o750)
}

func fileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// install takes each step, and stops at the first that fails.
func (in *installer) install(ctx context.Context) error {
	r := in.edition.repo
	if err := in.edition.writeProxy(filepath.Join(in.work, "proxy"), time.Unix(0, 0)); err != nil {
		return err
	}
	if err := in.checkZips(); err != nil {
		return err
	}
	for _, m := range r.published() {
		if m.dir == in.command {
			continue
		}
		at := slices.IndexFunc(in.libraries, func(l library) bool { return l.dir == m.dir })
		if at < 0 {
			return fmt.Errorf("tools/release/snippets.go has no snippet of module %s", m.dir)
		}
		if err := in.library(ctx, m, in.libraries[at]); err != nil {
			return fmt.Errorf("module %s: %w", m.dir, err)
		}
	}
	if err := in.program(ctx); err != nil {
		return fmt.Errorf("module %s: %w", in.command, err)
	}
	if err := in.anywhere(ctx); err != nil {
		return err
	}
	return in.alone(ctx)
}

// checkZips looks for what names this machine in what is published.
func (in *installer) checkZips() error {
	for _, m := range in.edition.repo.published() {
		files := in.edition.zipFiles(m)
		for _, file := range files {
			content, err := in.edition.content(m.file(file.Path()))
			if err != nil {
				if file.Path() == license {
					continue // the root's
				}
				return err
			}
			if err := in.leak(m.file(file.Path()), content); err != nil {
				return err
			}
		}
	}
	return nil
}

// leak returns an error if content names a folder or a proxy of this machine.
func (in *installer) leak(name string, content []byte) error {
	for _, private := range in.private {
		if bytes.Contains(content, []byte(private)) {
			return fmt.Errorf("%s names %s of the machine that it was made on", name, in.hidden.Replace(private))
		}
	}
	return nil
}

// library gets a module into an empty one, and compiles and tests what the documentation
// shows of it.
func (in *installer) library(ctx context.Context, m *module, lib library) error {
	began := time.Now()
	files, err := program(lib, in.packages, func(doc string) (string, error) {
		text, err := in.edition.content(doc)
		return string(text), err
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(in.work, "importer", filepath.FromSlash(m.dir))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, args := range [][]string{{"mod", "init", "example.com/importer"}, {"get", m.path + "@" + in.version}} {
		if _, err := in.run(ctx, dir, "go", args...); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text)); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"vet", "./..."}, {"mod", "verify"}} {
		if _, err := in.run(ctx, dir, "go", args...); err != nil {
			return err
		}
	}
	tested, err := in.run(ctx, dir, "go", "test", "./...")
	if err != nil {
		return err
	}
	passed := len(regexp.MustCompile(`(?m)^ok\s`).FindAllString(tested, -1))
	lines, err := in.checkSums(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	listed, err := in.run(ctx, dir, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")
	if err != nil {
		return err
	}
	brought := map[string]string{}
	for line := range strings.Lines(listed) {
		p, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		brought[p] = version
	}
	if err := in.checkVersions(brought); err != nil {
		return err
	}
	output := fmt.Sprintf("%d of its documents' programs compile", programs(files))
	if passed > 0 {
		output += fmt.Sprintf(", %d of them pass as tests", passed)
	}
	in.row(began, "go get "+m.path, brought[m.path], output, fmt.Sprintf("zip %s, go.sum of %d lines", megabytes(len(in.edition.builds[m.path].zip)), lines))
	return nil
}

// checkVersions returns an error if one of our modules is among others at another
// version.
func (in *installer) checkVersions(brought map[string]string) error {
	for _, p := range in.edition.repo.paths() {
		if version, ok := brought[p]; ok && version != in.version {
			return fmt.Errorf("%s is brought at %s: want %s", p, version, in.version)
		}
	}
	return nil
}

// programs returns the number of packages that files are in.
func programs(files map[string]string) int {
	dirs := map[string]bool{}
	for name := range files {
		dirs[path.Dir(name)] = true
	}
	return len(dirs)
}

// checkSums returns an error unless each line of an importer's go.sum is in one of the
// tree's, and returns the number of its lines.
func (in *installer) checkSums(name string) (int, error) {
	gosum, err := os.ReadFile(name) //nolint:gosec // a file of the temporary folder
	if err != nil {
		return 0, err
	}
	lines := 0
	for line := range strings.Lines(string(gosum)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return 0, fmt.Errorf("go.sum: line %q", line)
		}
		want, ok := in.sums[fields[0]+" "+fields[1]]
		if !ok {
			return 0, fmt.Errorf("go.sum: %s %s is in no go.sum of the repository: nothing was tested with it", fields[0], fields[1])
		}
		if want != fields[2] {
			return 0, fmt.Errorf("go.sum: %s %s has the checksum %s: want %s, as in the repository", fields[0], fields[1], fields[2], want)
		}
		lines++
	}
	return lines, nil
}

// program installs the command, asks it for its version, and has it call its own server.
func (in *installer) program(ctx context.Context) error {
	began := time.Now()
	at := slices.IndexFunc(in.edition.repo.modules, func(m *module) bool { return m.dir == in.command })
	if at < 0 {
		return errors.New("it does not exist")
	}
	empty, err := in.empty("install")
	if err != nil {
		return err
	}
	p := in.edition.repo.modules[at].path
	if _, err := in.run(ctx, empty, "go", "install", p+"@"+in.version); err != nil {
		return err
	}
	binary := filepath.Join(in.work, "bin", path.Base(p))
	content, err := os.ReadFile(binary) //nolint:gosec // what was installed
	if err != nil {
		return err
	}
	if err := in.leak("the binary", content); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	brought := map[string]string{info.Main.Path: info.Main.Version}
	for _, dep := range info.Deps {
		brought[dep.Path] = dep.Version
	}
	if err := in.checkVersions(brought); err != nil {
		return err
	}
	in.row(began, "go install "+p, info.Main.Version, fmt.Sprintf("a binary of %d modules", len(brought)), megabytes(len(content)))

	began = time.Now()
	out, err := in.run(ctx, empty, binary, "version")
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(in.version, "v")
	if !slices.Contains(strings.Fields(out), version) {
		return fmt.Errorf("%s version prints %q: want %s", path.Base(p), out, version)
	}
	first, _, _ := strings.Cut(out, "\n")
	in.row(began, path.Base(p)+" version", in.version, strings.Join(strings.Fields(first), " "), "")

	began = time.Now()
	out, err = in.serve(ctx, empty, binary)
	if err != nil {
		return err
	}
	in.row(began, path.Base(p)+" serve", in.version, strings.Join(append([]string{path.Base(p)}, in.request...), " ")+": "+lastLine(out), "")
	return nil
}

// lastLine returns the last line of an output, its columns one space apart.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(strings.Fields(lines[len(lines)-1]), " ")
}

// megabytes returns a size in tenths of a megabyte.
func megabytes(n int) string { return fmt.Sprintf("%d.%d MB", n/1e6, n/1e5%10) }

// serve starts the command's server, waits until it says that it is ready, and returns
// what a call of it prints.
func (in *installer) serve(ctx context.Context, dir, binary string) (response string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, binary, "serve", "--addr", "127.0.0.1:0")
	server.Dir, server.Env = dir, append(slices.Clone(in.env), "INTRAM_LANG=en") // its last line is looked for
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	server.Stderr = &stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	lines, ready := bufio.NewScanner(stdout), false
	for !ready && lines.Scan() {
		ready = strings.HasPrefix(lines.Text(), "Stop with")
	}
	if ready {
		response, err = in.run(ctx, dir, binary, in.request...)
	}
	_ = server.Cancel() // one that has ended already says so below
	// Its output is read to the end, or it could wait for a reader.
	_, _ = io.Copy(io.Discard, stdout)
	waitErr := server.Wait()
	if !ready {
		return "", errors.Join(fmt.Errorf("serve ended before it was ready: %s", strings.TrimSpace(stderr.String())), waitErr)
	}
	return response, errors.Join(err, waitErr)
}

// anywhere runs the example in an empty folder, without a module.
func (in *installer) anywhere(ctx context.Context) error {
	began := time.Now()
	empty, err := in.empty("anywhere")
	if err != nil {
		return err
	}
	p := in.edition.repo.modules[0].path + "/" + in.example
	out, err := in.run(ctx, empty, "go", "run", p+"@"+in.version)
	if err != nil {
		return err
	}
	in.row(began, "go run "+p, in.version, lastLine(out), "")
	return nil
}

// alone compiles each published module and its tests by its own go.mod and go.sum. In the
// workspace it has the greatest versions that any of the modules requires.
func (in *installer) alone(ctx context.Context) error {
	began := time.Now()
	tree := filepath.Join(in.work, "tree")
	if err := in.edition.writeTree(tree); err != nil {
		return err
	}
	published := in.edition.repo.published()
	for _, m := range published {
		if _, err := in.run(ctx, filepath.Join(tree, filepath.FromSlash(m.dir)), "go", "vet", "./..."); err != nil {
			return fmt.Errorf("module %s, alone: %w", m.dir, err)
		}
	}
	in.row(began, "go vet ./... without go.work", in.version, fmt.Sprintf("%d modules compile alone, with their tests", len(published)), "")
	return nil
}

// empty makes an empty folder.
func (in *installer) empty(name string) (string, error) {
	dir := filepath.Join(in.work, "empty", name)
	return dir, os.MkdirAll(dir, 0o750)
}

// run runs a program and returns what it prints on stdout.
func (in *installer) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the go command, or what it installed
	cmd.Dir, cmd.Env = dir, append(slices.Clone(in.env), "PWD="+dir)
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, indent(stderr.String()), indent(string(out)))
	}
	return string(out), nil
}

// row adds a line to the table.
func (in *installer) row(began time.Time, what, version, output, size string) {
	seconds := time.Since(began).Round(100 * time.Millisecond)
	in.rows = append(in.rows, []string{what, version, output, size, fmt.Sprintf("%.1f", seconds.Seconds())})
}

// print prints the table.
func (in *installer) print() error {
	w := tabwriter.NewWriter(in.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{{"installed", "version", "output", "size", "seconds"}}, in.rows...) {
		fmt.Fprintln(w, in.hidden.Replace(strings.Join(row, "\t")))
	}
	return w.Flush()
}
