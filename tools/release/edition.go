package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	modversion "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// edition is a repository as one version: intram.go says it, and every module requires
// the others at that version, with their checksums in its go.sum.
type edition struct {
	repo    *repository
	version string
	edits   map[string][]byte // files of the tree that are different in the edition
	builds  map[string]*build // of the published modules, by path
}

// build is a published module of an edition.
type build struct {
	zip    []byte
	zipSum string // h1 of the zip
	modSum string // h1 of go.mod
}

// newEdition builds each module of r at the version. The checksum of a module is known
// before those that require it are built.
func newEdition(r *repository, version string) (*edition, error) {
	if !isVersion(version) {
		return nil, fmt.Errorf("version %q is not a semantic version, such as v0.2.0", version)
	}
	e := &edition{repo: r, version: version, edits: map[string][]byte{}, builds: map[string]*build{}}
	if version != r.version {
		source, err := os.ReadFile(r.abs(versionFile))
		if err != nil {
			return nil, err
		}
		e.edits[versionFile] = withVersion(source, version)
	}
	if err := e.editWorkspaces(); err != nil {
		return nil, err
	}
	for _, m := range r.modules {
		if err := e.add(m); err != nil {
			return nil, fmt.Errorf("module %s: %w", m.dir, err)
		}
	}
	return e, nil
}

// withVersion returns the source of versionFile with another version.
func withVersion(source []byte, version string) []byte {
	return versionLine.ReplaceAll(source, fmt.Appendf(nil, "const Version = %q", strings.TrimPrefix(version, "v")))
}

// editWorkspaces has each go.work take the siblings' new version from their folders, if
// it takes the old one from there.
func (e *edition) editWorkspaces() error {
	for _, name := range e.repo.files {
		if path.Base(name) != "go.work" {
			continue
		}
		content, err := os.ReadFile(e.repo.abs(name))
		if err != nil {
			return err
		}
		f, err := modfile.ParseWork(name, content, nil)
		if err != nil {
			return err
		}
		for _, line := range slices.Clone(f.Replace) {
			old := line.Old
			if old.Version == "" || old.Version == e.version || !slices.Contains(e.repo.paths(), old.Path) {
				continue
			}
			if err := errors.Join(f.AddReplace(old.Path, e.version, line.New.Path, line.New.Version), f.DropReplace(old.Path, old.Version)); err != nil {
				return err
			}
			f.Cleanup()
			e.edits[name] = modfile.Format(f.Syntax)
		}
	}
	return nil
}

// add edits the go.mod and go.sum of a module, and builds it if it is published.
func (e *edition) add(m *module) error {
	gomod, err := requireVersions(m, func(string) string { return e.version })
	if err != nil {
		return err
	}
	var sums []string
	for _, p := range sorted(m.requires) {
		b := e.builds[p]
		sums = append(sums, fmt.Sprintf("%s %s %s", p, e.version, b.zipSum), fmt.Sprintf("%s %s/go.mod %s", p, e.version, b.modSum))
	}
	gosum := mergeSums(m.gosum, e.repo.paths(), sums)
	if !bytes.Equal(gomod, m.gomod) {
		e.edits[m.file("go.mod")] = gomod
	}
	if !bytes.Equal(gosum, m.gosum) {
		e.edits[m.file("go.sum")] = gosum
	}
	if !m.published {
		return nil
	}
	var buf bytes.Buffer
	if err := modzip.Create(&buf, modversion.Version{Path: m.path, Version: e.version}, e.zipFiles(m)); err != nil {
		return err
	}
	b := &build{zip: buf.Bytes()}
	if b.zipSum, err = hashZip(b.zip); err != nil {
		return err
	}
	if b.modSum, err = hashGoMod(gomod); err != nil {
		return err
	}
	e.builds[m.path] = b
	return nil
}

// files returns the names of all files of the edition.
func (e *edition) files() []string {
	files := slices.Concat(e.repo.files, sorted(e.edits))
	slices.Sort(files)
	return slices.Compact(files)
}

// content returns a file of the edition.
func (e *edition) content(name string) ([]byte, error) {
	if content, ok := e.edits[name]; ok {
		return content, nil
	}
	return os.ReadFile(e.repo.abs(name))
}

// zipFiles returns the files of a module as the go command finds them in a commit. A
// module in a folder takes the root's license if it has none.
func (e *edition) zipFiles(m *module) []modzip.File {
	prefix := m.dir + "/"
	if m.dir == "." {
		prefix = ""
	}
	var files []modzip.File
	licensed := false
	all := e.files()
	for _, name := range all {
		if inside, ok := strings.CutPrefix(name, prefix); ok {
			files = append(files, editedFile{name: inside, content: func() ([]byte, error) { return e.content(name) }})
			licensed = licensed || inside == license
		}
	}
	if !licensed && slices.Contains(all, license) {
		files = append(files, editedFile{name: license, content: func() ([]byte, error) { return e.content(license) }})
	}
	return files
}

const license = "LICENSE"

// editedFile is a file of an edition, for a module's zip.
type editedFile struct {
	name    string
	content func() ([]byte, error)
}

func (f editedFile) Path() string { return f.name }

func (f editedFile) Lstat() (fs.FileInfo, error) {
	content, err := f.content()
	return fileInfo{name: path.Base(f.name), size: int64(len(content))}, err
}

func (f editedFile) Open() (io.ReadCloser, error) {
	content, err := f.content()
	return io.NopCloser(bytes.NewReader(content)), err
}

// fileInfo is what a module's zip asks of a regular file.
type fileInfo struct {
	name string
	size int64
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o644 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// requireVersions returns the module's go.mod with the versions of its siblings as
// version says, by their path.
func requireVersions(m *module, version func(path string) string) ([]byte, error) {
	f, err := modfile.Parse(m.file("go.mod"), m.gomod, nil)
	if err != nil {
		return nil, err
	}
	changed := false
	for p, now := range m.requires {
		if want := version(p); want != now {
			changed = true
			if err := f.AddRequire(p, want); err != nil {
				return nil, err
			}
		}
	}
	if !changed {
		return m.gomod, nil
	}
	return f.Format()
}

// mergeSums returns a go.sum whose lines about the modules own are replaced by sums, in
// the order of the go command.
func mergeSums(gosum []byte, own, sums []string) []byte {
	lines := slices.Clone(sums)
	for line := range strings.Lines(string(gosum)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && !slices.Contains(own, fields[0]) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	byVersion := map[modversion.Version][]string{}
	for _, line := range lines {
		fields := strings.Fields(line)
		v := modversion.Version{Path: fields[0], Version: fields[1]}
		byVersion[v] = append(byVersion[v], line)
	}
	order := slices.Collect(maps.Keys(byVersion))
	modversion.Sort(order)
	var b strings.Builder
	for _, v := range order {
		for _, line := range byVersion[v] {
			b.WriteString(line + "\n")
		}
	}
	return []byte(b.String())
}

// hashGoMod returns the h1 of a go.mod.
func hashGoMod(gomod []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(gomod)), nil
	})
}

// hashZip returns the h1 of a module's zip.
func hashZip(data []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	return dirhash.Hash1(sorted(files), func(name string) (io.ReadCloser, error) { return files[name].Open() })
}

// writeProxy writes the published modules into dir as a file tree that the go command
// takes as a proxy: GOPROXY=file://dir. Other versions that are there stay.
func (e *edition) writeProxy(dir string, at time.Time) error {
	for _, m := range e.repo.published() {
		b := e.builds[m.path]
		gomod, err := e.content(m.file("go.mod"))
		if err != nil {
			return err
		}
		escaped, err := modversion.EscapePath(m.path)
		if err != nil {
			return err
		}
		base := filepath.Join(dir, filepath.FromSlash(escaped), "@v")
		info, err := json.Marshal(struct {
			Version string
			Time    time.Time
		}{e.version, at.UTC()})
		if err != nil {
			return err
		}
		for name, content := range map[string][]byte{".info": info, ".mod": gomod, ".zip": b.zip} {
			if err := writeFile(filepath.Join(base, e.version+name), content); err != nil {
				return err
			}
		}
		list := filepath.Join(base, "list")
		old, err := os.ReadFile(list) //nolint:gosec // a file of the folder that the caller named
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		versions := append(strings.Fields(string(old)), e.version)
		semver.Sort(versions)
		if err := writeFile(list, []byte(strings.Join(slices.Compact(versions), "\n")+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// writeTree writes a copy of the whole tree into dir, with the go.mod and go.sum of the
// edition, so that each module of it builds against the proxy with GOWORK=off.
func (e *edition) writeTree(dir string) error {
	for _, name := range e.files() {
		content, err := e.content(name)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // read by the go command of anybody
		return err
	}
	return os.WriteFile(name, content, 0o644) //nolint:gosec // likewise
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
