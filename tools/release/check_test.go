package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkOf is a check of the small repository in dir, whose temporary folder is in temp.
func checkOf(dir, temp string, out *bytes.Buffer) *checking {
	return &checking{
		root: dir, lists: small, out: out, temp: temp, proxies: "off",
		libraries: []library{
			{dir: ".", snippets: []snippet{{doc: "README.md", head: "func _() error", end: "return nil"}}},
			{
				dir: "list", snippets: []snippet{{doc: "docs/list.md", holds: "list.Version", head: "func show()"}},
				test: "package snippet\n\nimport \"testing\"\n\nfunc TestShow(t *testing.T) { show() }\n",
			},
		},
		packages: map[string]string{
			"errors": "errors", "fmt": "fmt", "testing": "testing", "pay": "github.com/example/pay", "list": "github.com/example/pay/list",
		},
		command: "cmd/tool", request: []string{"ask"}, example: "examples/day",
	}
}

func TestEveryModuleIsInstalledAndUsed(t *testing.T) {
	t.Parallel()
	dir, temp := newTree(t, smallFiles()), t.TempDir()
	before := state(t, dir)
	var out bytes.Buffer
	require.NoError(t, checkOf(dir, temp, &out).check(t.Context()))
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"go get github.com/example/pay v0.2.0 2 of its documents' programs compile, 1 of them pass as tests zip 0.0 MB, go.sum of 2 lines",
		"go get github.com/example/pay/list v0.2.0 1 of its documents' programs compile, 1 of them pass as tests zip 0.0 MB, go.sum of 4 lines",
		"go install github.com/example/pay/cmd/tool v0.2.0 a binary of 3 modules",
		"tool version v0.2.0 version 0.2.0",
		"tool serve v0.2.0 tool ask: rich 1",
		"go run github.com/example/pay/examples/day v0.2.0 A day of 0.2.0",
		"go vet ./... without go.work v0.2.0 3 modules compile alone, with their tests",
		"in all v0.2.0 3 modules published",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, out.String(), temp, "a path of this machine")
	assert.Equal(t, before, state(t, dir))
	assertEmpty(t, temp)
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the temporary folder is removed")
}

func TestWhatDoesNotInstallIsReported(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, old, now string
		spoil          func(c *checking)
		want           string
	}{
		"a replace":              {"cmd/tool/go.mod", "\n)\n", "\n)\n\nreplace github.com/example/pay => ../..\n", nil, "cmd/tool/go.mod replaces github.com/example/pay"},
		"an exclude":             {"list/go.mod", "// the root\n", "\n\nexclude golang.org/x/text v0.1.0\n", nil, "list/go.mod excludes golang.org/x/text@v0.1.0"},
		"another sibling":        {"cmd/tool/go.mod", "pay/list v0.1.0", "pay/list v0.0.0", nil, "cmd/tool/go.mod requires github.com/example/pay/list v0.0.0: want v0.1.0"},
		"an ignored file":        {"list/list.go", "import", "import _ \"embed\"\n\n//go:embed list.secret\nvar _ string\n\nimport", nil, "module list: go vet ./...: exit status 1\n"},
		"statements":             {"README.md", "if pay.Version", "if pay.Edition", nil, "README.md:4: undefined: pay.Edition"},
		"declarations":           {"README.md", "t.Log(", "t.Print(", nil, "README.md:11: t.Print undefined"},
		"no Go":                  {"README.md", "if pay.Version", "for if", nil, "README.md:4: not Go"},
		"a test of a snippet":    {"docs/list.md", "fmt.Println(list.Version)", "at := 9\nfmt.Println(list.Version[at:])", nil, "module list: go test ./...: exit status 1\n"},
		"a snippet that is gone": {"docs/list.md", "list.Version", "list.Edition", nil, `docs/list.md has 0 blocks of Go with "list.Version": want one`},
		"a library without one":  {"", "", "", func(c *checking) { c.libraries = c.libraries[:1] }, "tools/release/snippets.go has no snippet of module list"},
		"an unfinished import":   {"intram.go", "// Version", "import _ \"github.com/example/none\"\n\n// Version", nil, "cannot find module providing package github.com/example/none"},
		"a path of the machine":  {"list/list.go", "// Version", "// Built in %s/list.\n\n// Version", nil, "list/list.go names ./ of the machine that it was made on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := smallFiles()
			if tt.file != "" {
				require.Contains(t, files[tt.file], tt.old)
				files[tt.file] = strings.Replace(files[tt.file], tt.old, tt.now, 1)
			}
			dir, temp := newTree(t, files), t.TempDir()
			if strings.Contains(tt.now, "%s") {
				writeFiles(t, dir, map[string]string{tt.file: strings.Replace(files[tt.file], "%s", dir, 1)})
			}
			writeFiles(t, dir, map[string]string{"list/list.secret": "it is here, and in no commit"})
			var out bytes.Buffer
			c := checkOf(dir, temp, &out)
			if tt.spoil != nil {
				tt.spoil(c)
			}
			err := c.check(t.Context())
			require.ErrorContains(t, err, tt.want)
			if tt.file != "" && name == "an ignored file" {
				assert.ErrorContains(t, err, "pattern list.secret: no matching files found")
			}
			assert.NotContains(t, err.Error(), temp, "a path of this machine")
			assert.NotContains(t, err.Error(), dir, "a path of this machine")
			assertEmpty(t, temp)
		})
	}
}

func TestWhatDoesNotRunIsReported(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, old, now, want string }{
		"another version":       {"cmd/tool/main.go", `"version  ", pay.Version`, `"version  ", "0.1.0"`, `tool version prints "version   0.1.0\n": want 0.2.0`},
		"a server that ends":    {"cmd/tool/main.go", `net.Listen("tcp", os.Args[3])`, `net.Listen("none", os.Args[3])`, "serve ended before it was ready: listen none: unknown network none"},
		"a call that fails":     {"cmd/tool/main.go", `http.Get("http://"`, `http.Get("none://"`, "tool ask: exit status 1\n"},
		"a server that fails":   {"cmd/tool/main.go", "<-interrupted\n", "<-interrupted\n\t\tos.Exit(3)\n", "exit status 3"},
		"an example that fails": {"examples/day/main.go", "func main() {", "func main() {\n\tdefer panic(\"night\")\n\t", "panic: night"},
		// In the workspace it compiles.
		"a test of an unrequired module": {"list/list_test.go", "pay/list\"", "pay/list\"\n\t_ \"github.com/example/pay/check\"", "module list, alone: go vet ./...: exit status 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := smallFiles()
			require.Contains(t, files[tt.file], tt.old)
			files[tt.file] = strings.Replace(files[tt.file], tt.old, tt.now, 1)
			work := t.TempDir()
			var out bytes.Buffer
			c := checkOf(newTree(t, files), "", &out)
			c.version = "v0.2.0"
			e, err := newEdition(openSmall(t, c.root), c.version)
			require.NoError(t, err)
			in, err := c.newInstaller(t.Context(), e, work)
			require.NoError(t, err)
			require.NoError(t, e.writeProxy(filepath.Join(work, "proxy"), time.Unix(0, 0)))
			step := in.program
			switch {
			case strings.HasPrefix(tt.file, c.example):
				step = in.anywhere
			case strings.HasPrefix(tt.file, "list/"):
				step = in.alone
			}
			assert.ErrorContains(t, step(t.Context()), tt.want)
		})
	}
}

func TestAnInterruptedCheckLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, temp := newTree(t, smallFiles()), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.Error(t, checkOf(dir, temp, &out).check(ctx))
	assertEmpty(t, temp)
}

// A module of another author that is not the one which this repository was tested with.
func TestAnotherChecksumOfAThirdPartyIsReported(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/go.sum"
	in := &installer{sums: map[string]string{"example.com/a v1.0.0": "h1:a", "example.com/a v1.0.0/go.mod": "h1:m"}}
	for text, want := range map[string]string{
		"example.com/a v1.0.0 h1:a\nexample.com/a v1.0.0/go.mod h1:m\n": "",
		"example.com/b v1.0.0 h1:b\n":                                   "example.com/b v1.0.0 is in no go.sum of the repository",
		"example.com/a v1.0.0 h1:b\n":                                   "example.com/a v1.0.0 has the checksum h1:b: want h1:a",
		"example.com/a v1.0.0\n":                                        "go.sum: line",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		lines, err := in.checkSums(file)
		if want == "" {
			require.NoError(t, err)
			assert.Equal(t, 2, lines)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestAModuleAtAnotherVersionIsReported(t *testing.T) {
	t.Parallel()
	e, err := newEdition(openSmall(t, newTree(t, smallFiles())), "v0.2.0")
	require.NoError(t, err)
	in := &installer{checking: &checking{version: "v0.2.0"}, edition: e}
	require.NoError(t, in.checkVersions(map[string]string{"github.com/example/pay": "v0.2.0", "example.com/other": "v0.1.0"}))
	assert.ErrorContains(t, in.checkVersions(map[string]string{"github.com/example/pay": "v0.1.0"}), "github.com/example/pay is brought at v0.1.0: want v0.2.0")
}

func TestTheNextVersionIsTheNextMinor(t *testing.T) {
	t.Parallel()
	for v, next := range map[string]string{"v0.1.0": "v0.2.0", "v1.9.3": "v1.10.0", "v0.2.0-rc.1": "v0.2.0"} {
		assert.Equal(t, next, nextVersion(v))
	}
}

func TestEveryLibraryOfThisRepositoryHasASnippet(t *testing.T) {
	t.Parallel()
	for _, dir := range ours.published {
		if dir == "cmd/intram" {
			continue
		}
		shown := false
		for _, lib := range libraries {
			if lib.dir != dir {
				continue
			}
			files, err := program(lib, importPaths, func(doc string) (string, error) {
				text, err := os.ReadFile("../../" + doc)
				return string(text), err
			})
			require.NoError(t, err)
			shown = len(files) > 0
		}
		assert.True(t, shown, "tools/release/snippets.go has no snippet of module %s", dir)
	}
}

// A user of a container without an entry in /etc/passwd has the home /, which with a
// slash is in every URL.
func TestAHomeIsLookedForHoweverItIsWritten(t *testing.T) { //nolint:paralleltest // it sets HOME
	dir := newTree(t, smallFiles())
	e, err := newEdition(openSmall(t, dir), "v0.2.0")
	require.NoError(t, err)
	for home, want := range map[string]bool{"/": false, "/home/ama": true, "/home/ama/": true} {
		t.Setenv("HOME", home)
		in, err := (&checking{}).newInstaller(t.Context(), e, t.TempDir())
		require.NoError(t, err)
		err = in.leak("a.go", []byte("// https://example.com, and /home/ama/key"))
		assert.Equal(t, want, err != nil, "%s: %v", home, err)
	}
}
