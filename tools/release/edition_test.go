package main

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a repository of four modules: the root, a list, a command that requires both,
// and a check that is not published.
var small = lists{published: []string{".", "cmd/tool", "list"}, private: []string{"check"}}

// smallFiles are the files of the small repository, before anything is released.
func smallFiles() map[string]string {
	return map[string]string{
		"LICENSE":              "Do what you like.\n",
		".gitignore":           "*.secret\n",
		"go.mod":               "module github.com/example/pay\n\ngo 1.26.0\n",
		"intram.go":            "// Package pay pays.\npackage pay\n\n// Version is the SDK's own.\nconst Version = \"0.1.0\"\n",
		"testdata/go.mod":      "this is data\n",
		"list/go.mod":          "module github.com/example/pay/list\n\ngo 1.26.0\n\nrequire github.com/example/pay v0.1.0 // the root\n",
		"list/list.go":         "// Package list lists.\npackage list\n\nimport pay \"github.com/example/pay\"\n\n// Version is the root's.\nconst Version = pay.Version\n",
		"list/list_test.go":    "package list_test\n\nimport (\n\t\"testing\"\n\n\t\"github.com/example/pay/list\"\n)\n\nfunc TestVersion(t *testing.T) { t.Log(list.Version) }\n",
		"cmd/tool/go.mod":      "module github.com/example/pay/cmd/tool\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/example/pay v0.1.0\n\tgithub.com/example/pay/list v0.1.0\n)\n",
		"cmd/tool/main.go":     tool,
		"README.md":            "# Pay\n\n```go\nif pay.Version == \"\" {\n\treturn errors.New(\"none\")\n}\n```\n\n```go\nfunc TestVersion(t *testing.T) {\n\tt.Log(pay.Version)\n}\n```\n",
		"docs/list.md":         "# A list\n\n```golang\nfmt.Println(list.Version)\n```\n",
		"examples/day/main.go": "// Command day tells of a day.\npackage main\n\nimport (\n\t\"fmt\"\n\n\tpay \"github.com/example/pay\"\n)\n\nfunc main() { fmt.Println(\"A day of\", pay.Version) }\n",
		"check/go.mod":         "module github.com/example/pay/check\n\ngo 1.26.0\n\nrequire github.com/example/pay v0.1.0\n",
		"check/check.go":       "// Package check checks.\npackage check\n\nimport _ \"github.com/example/pay\"\n",
		"go.work": "go 1.26.0\n\nuse (\n\t.\n\t./check\n\t./cmd/tool\n\t./list\n)\n\nreplace (\n" +
			"\tgithub.com/example/pay v0.1.0 => .\n\tgithub.com/example/pay/list v0.1.0 => ./list\n)\n",
		"CHANGELOG.md":         "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Everything.\n\n[Unreleased]: https://github.com/example/pay/commits/main\n",
		"api/pay.txt":          "const Version untyped string\n",
		"api/released/pay.txt": "",
	}
}

// tool is a command with the two things that are asked of ours.
const tool = `// Command tool prints its version, and serves.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"

	pay "github.com/example/pay"
	"github.com/example/pay/list"
)

func main() {
	address := os.Getenv("XDG_CACHE_HOME") + ".address"
	switch {
	case len(os.Args) == 1:
		println(pay.Version, list.Version)
	case os.Args[1] == "version":
		fmt.Println("version  ", pay.Version)
	case os.Args[1] == "serve":
		listener, err := net.Listen("tcp", os.Args[3])
		check(err)
		check(os.WriteFile(address, []byte(listener.Addr().String()), 0o600))
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "rich") }))
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("Stop with Ctrl-C.")
		<-interrupted
	case os.Args[1] == "ask":
		at, err := os.ReadFile(address)
		check(err)
		resp, err := http.Get("http://" + string(at))
		check(err)
		text, err := io.ReadAll(resp.Body)
		check(err)
		fmt.Printf("BALANCE\n%s   1 \n", text)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// newTree returns a repository in a temporary folder whose one commit has the files.
func newTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main")
	config, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = config.WriteString("[user]\n\tname = A\n\temail = a@example.com\n[commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n")
	require.NoError(t, err)
	require.NoError(t, config.Close())
	writeFiles(t, dir, files)
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "-q", "-m", "all: begin")
	return dir
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		require.NoError(t, writeFile(filepath.Join(dir, name), []byte(text)))
	}
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t.Context(), dir, args...)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

func openSmall(t *testing.T, dir string) *repository {
	t.Helper()
	r, err := openRepository(t.Context(), dir, small)
	require.NoError(t, err)
	return r
}

func TestEveryModuleOfThisRepositoryIsListed(t *testing.T) {
	t.Parallel()
	r, err := openRepository(t.Context(), "../..", ours)
	require.NoError(t, err)
	var published []string
	for _, m := range r.published() {
		published = append(published, m.dir)
	}
	assert.ElementsMatch(t, ours.published, published)
	assert.Less(t, slices.Index(published, "batch"), slices.Index(published, "cmd/intram"), "the command requires batch")
	assert.Equal(t, ".", published[0], "the core requires none of the others")
}

func TestAModuleIsInOneOfTheTwoLists(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	for name, tt := range map[string]struct {
		lists lists
		want  string
	}{
		"in none":        {lists{published: []string{".", "list", "cmd/tool"}}, "check/go.mod: put the folder check into one of the two lists"},
		"in both":        {lists{published: []string{".", "list", "cmd/tool", "check"}, private: []string{"check"}}, "check/go.mod: put the folder check into one"},
		"not there":      {lists{published: []string{".", "list", "cmd/tool", "old"}, private: []string{"check"}}, "old/go.mod: the lists of tools/release/modules.go name it"},
		"private needed": {lists{published: []string{".", "cmd/tool"}, private: []string{"check", "list"}}, "cmd/tool/go.mod requires github.com/example/pay/list, which is not published"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openRepository(t.Context(), dir, tt.lists)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestToolsAndInternalModulesArePrivate(t *testing.T) {
	t.Parallel()
	files := smallFiles()
	for _, dir := range []string{"tools", "tools/lint", "cmd/tool/internal/browser"} {
		files[dir+"/go.mod"] = "module github.com/example/pay/" + dir + "\n\ngo 1.26.0\n"
	}
	r := openSmall(t, newTree(t, files))
	assert.Len(t, r.modules, 7)
	assert.Len(t, r.published(), 3)

	_, err := openRepository(t.Context(), newTree(t, files), lists{published: append(slices.Clone(small.published), "tools"), private: small.private})
	assert.ErrorContains(t, err, "tools/go.mod: put the folder tools into one")
}

func TestAModuleComesAfterThoseItRequires(t *testing.T) {
	t.Parallel()
	files := smallFiles()
	r := openSmall(t, newTree(t, files))
	var dirs []string
	for _, m := range r.modules {
		dirs = append(dirs, m.dir)
	}
	assert.Equal(t, []string{".", "list", "cmd/tool", "check"}, dirs)

	files["list/go.mod"] += "\nrequire github.com/example/pay/cmd/tool v0.1.0\n"
	_, err := openRepository(t.Context(), newTree(t, files), small)
	assert.ErrorContains(t, err, "modules require each other: github.com/example/pay/cmd/tool requires github.com/example/pay/list requires github.com/example/pay/cmd/tool")
}

func TestAZipHasWhatACommitWouldHold(t *testing.T) {
	t.Parallel()
	files := smallFiles()
	files["gone.go"] = "package pay\n"
	files["list/LICENSE"] = "Ask first.\n"
	dir := newTree(t, files)
	require.NoError(t, os.Remove(filepath.Join(dir, "gone.go")))
	require.NoError(t, os.Symlink("intram.go", filepath.Join(dir, "link.go")))
	writeFiles(t, dir, map[string]string{"new.go": "package pay\n", "keys.secret": "sk_live", "list/keys.secret": "sk_live"})
	e, err := newEdition(openSmall(t, dir), "v0.2.0")
	require.NoError(t, err)
	for path, want := range map[string][]string{
		"github.com/example/pay": {".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "api/pay.txt", "api/released/pay.txt", "docs/list.md", "examples/day/main.go", "go.mod", "go.work", "intram.go", "new.go"},
		// Its own license, and no other.
		"github.com/example/pay/list": {"LICENSE", "go.mod", "go.sum", "list.go", "list_test.go"},
		// The root's license, as the go command adds it.
		"github.com/example/pay/cmd/tool": {"LICENSE", "go.mod", "go.sum", "main.go"},
	} {
		assert.Equal(t, want, sorted(unzip(t, e.builds[path].zip, path+"@v0.2.0/")), path)
	}
	assert.Equal(t, "Ask first.\n", unzip(t, e.builds["github.com/example/pay/list"].zip, "github.com/example/pay/list@v0.2.0/")["LICENSE"])
}

func unzip(t *testing.T, data []byte, prefix string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, prefix)
		require.True(t, ok, f.Name)
		opened, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(opened)
		require.NoError(t, err)
		files[name] = string(text)
	}
	return files
}

// The go command is the judge of the proxy: it downloads, compares every checksum, and
// finds nothing to tidy.
func TestTheGoCommandBuildsAnEditionFromItsProxy(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	before := runGit(t, dir, "status", "--porcelain")
	r := openSmall(t, dir)
	for _, version := range []string{"v0.1.0", "v0.2.0", "v0.3.0-rc.1"} {
		e, err := newEdition(r, version)
		require.NoError(t, err)
		proxy, tree := t.TempDir(), t.TempDir()
		require.NoError(t, e.writeProxy(proxy, time.Unix(1_800_000_000, 0)))
		require.NoError(t, e.writeTree(tree))
		for _, m := range r.modules {
			goCommand(t, proxy, filepath.Join(tree, m.dir), "mod", "tidy", "-diff")
			goCommand(t, proxy, filepath.Join(tree, m.dir), "build", "./...")
		}
		out := goCommand(t, proxy, t.TempDir(), "run", "github.com/example/pay/cmd/tool@"+version)
		assert.Contains(t, out, version[1:]+" "+version[1:]+"\n")
	}
	assert.Equal(t, before, runGit(t, dir, "status", "--porcelain"), "the tree is as it was")
}

func TestASumThatIsNotTheModulesIsRefused(t *testing.T) {
	t.Parallel()
	r := openSmall(t, newTree(t, smallFiles()))
	e, err := newEdition(r, "v0.2.0")
	require.NoError(t, err)
	proxy, tree := t.TempDir(), t.TempDir()
	require.NoError(t, e.writeProxy(proxy, time.Unix(1_800_000_000, 0)))
	e.edits["list/go.sum"] = bytes.ReplaceAll(e.edits["list/go.sum"], []byte(e.builds["github.com/example/pay"].zipSum), []byte("h1:"+strings.Repeat("A", 43)+"="))
	require.NoError(t, e.writeTree(tree))
	out, err := tryGo(t.Context(), t.TempDir(), proxy, filepath.Join(tree, "list"), "build", "./...")
	require.Error(t, err)
	assert.Contains(t, out, "checksum mismatch")
}

func TestAProxyKeepsTheVersionsItHas(t *testing.T) {
	t.Parallel()
	r := openSmall(t, newTree(t, smallFiles()))
	proxy := t.TempDir()
	for _, version := range []string{"v0.10.0", "v0.9.0", "v0.10.0"} {
		e, err := newEdition(r, version)
		require.NoError(t, err)
		require.NoError(t, e.writeProxy(proxy, time.Unix(1_800_000_000, 0)))
	}
	list, err := os.ReadFile(filepath.Join(proxy, "github.com/example/pay/list/@v/list"))
	require.NoError(t, err)
	assert.Equal(t, "v0.9.0\nv0.10.0\n", string(list))
}

func TestSumsOfOtherModulesStay(t *testing.T) {
	t.Parallel()
	const old = "example.com/a v1.9.0 h1:a\ngithub.com/example/pay v0.1.0 h1:old\ngithub.com/example/pay v0.1.0/go.mod h1:old\ngithub.com/example/pay/list v0.1.0 h1:old\ngithub.com/example/payments v0.1.0 h1:p\n"
	got := mergeSums([]byte(old), []string{"github.com/example/pay", "github.com/example/pay/list"}, []string{"github.com/example/pay v0.2.0/go.mod h1:m", "github.com/example/pay v0.2.0 h1:z"})
	assert.Equal(t, "example.com/a v1.9.0 h1:a\ngithub.com/example/pay v0.2.0 h1:z\ngithub.com/example/pay v0.2.0/go.mod h1:m\ngithub.com/example/payments v0.1.0 h1:p\n", string(got))
}

func TestAVersionMustBeSemantic(t *testing.T) {
	t.Parallel()
	r := openSmall(t, newTree(t, smallFiles()))
	for _, version := range []string{"0.2.0", "v0.2", "v0.2.0+meta", "latest", ""} {
		_, err := newEdition(r, version)
		assert.ErrorContains(t, err, "not a semantic version", version)
	}
}

// goCommand runs the go command against a proxy, with a module cache of its own.
func goCommand(t *testing.T, proxy, dir string, args ...string) string {
	t.Helper()
	out, err := tryGo(t.Context(), t.TempDir(), proxy, dir, args...)
	require.NoError(t, err, "go %s in %s:\n%s", strings.Join(args, " "), dir, out)
	return out
}

func tryGo(ctx context.Context, cache, proxy, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=file://"+filepath.ToSlash(proxy), "GOMODCACHE="+cache,
		"GONOSUMDB=*", "GOFLAGS=-modcacherw", "PWD="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
