package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const good = `permissions:
  contents: read
concurrency:
  group: x
jobs:
  one:
    timeout-minutes: 5
    strategy:
      matrix:
        target: [lint, fuzz-smoke]
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - run: make test lint
      - run: make ${{ matrix.target }}
`

func TestAWorkflowCallsTheMakefileAndNothingElse(t *testing.T) {
	t.Parallel()
	targets := targetsOf(".PHONY: test\ntest: ## runs\n\tgo test\nlint: tools\nfuzz-smoke:\nFUZZ := 1\n")
	assert.Equal(t, []string{"test", "lint", "fuzz-smoke"}, targets)
	for name, c := range map[string]struct{ old, now, want string }{
		"as it is to be":         {"", "", ""},
		"a target that is gone":  {"make test lint", "make test lints", "job one: line 15: the Makefile has no target lints"},
		"a target of the matrix": {"fuzz-smoke]", "fuzz]", "job one: line 16: the Makefile has no target fuzz"},
		"no such matrix":         {"matrix.target }}", "matrix.goal }}", "line 16: the matrix has no list goal"},
		"another program":        {"make test lint", "go test ./...", `line 15: "go test ./..." is not a call of make with targets only`},
		"make, and another":      {"make test lint", "make test && rm -r x", "is not a call of make with targets only"},
		"a variable":             {"make test lint", "make test SHELL=x", "is not a call of make with targets only"},
		"an expression":          {"make test lint", "make ${{ github.head_ref }}", "is not a call of make with targets only"},
		"a tag":                  {"@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7", "line 12: pin actions/checkout@v7 to a commit, with its version in a comment"},
		"no version":             {" # v7.0.1", "", "line 12: pin actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 to a commit"},
		"credentials stay":       {"persist-credentials: false", "fetch-depth: 0", "checkout is to have persist-credentials: false"},
		"no permissions":         {"permissions:\n  contents: read\n", "", "its permissions are to be contents: read"},
		"may write":              {"contents: read", "contents: write", "its permissions are to be contents: read"},
		"may read more":          {"contents: read", "contents: read\n  issues: read", "its permissions are to be contents: read"},
		"a job may write issues": {"timeout-minutes: 5", "timeout-minutes: 5\n    permissions: {issues: write}", "job one may write issues"},
		"no limit":               {"    timeout-minutes: 5\n", "", "job one has no timeout-minutes"},
		"no concurrency":         {"concurrency:\n  group: x\n", "", "it has no concurrency group"},
		"no jobs":                {"jobs:", "job:", "it has no jobs"},
		"no YAML":                {"jobs:", "jobs", "yaml: line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.old)
			err := errors.Join(checkWorkflow([]byte(strings.Replace(good, c.old, c.now, 1)), targets)...)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDependabotLooksAtEveryModule(t *testing.T) {
	t.Parallel()
	const config = `updates:
  - package-ecosystem: gomod
    directories: [/, /a/b]
  - package-ecosystem: github-actions
    directory: /
  - package-ecosystem: npm
    directory: /a/testdata
`
	files := []string{"go.mod", "a/b/go.mod", "a/testdata/package.json", "a/testdata/m/go.mod", "a/b/b.go"}
	require.NoError(t, errors.Join(checkDependabot([]byte(config), files)...))
	require.EqualError(t, errors.Join(checkDependabot([]byte(config), append(files, "c/go.mod"))...), "gomod: /c is missing")
	require.EqualError(t, errors.Join(checkDependabot([]byte(config), append(files, "d/package.json"))...), "npm: /d is missing")
	require.EqualError(t, errors.Join(checkDependabot([]byte(config), append(files[:1:1], files[2:]...))...), "gomod: /a/b has no go.mod")
	require.EqualError(t, errors.Join(checkDependabot([]byte(strings.Replace(config, "github-", "", 1)), files)...), "github-actions: / is missing")
}

func TestATreeIsCheckedWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	check := func() (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), []string{"-root", dir}, &out)
		return out.String(), err
	}
	said, err := exec.CommandContext(t.Context(), "git", "-C", dir, "init", "-q").CombinedOutput()
	require.NoError(t, err, "%s", said)
	write("Makefile", "test:\nlint:\nfuzz-smoke:\n")
	write("go.mod", "module m\n")
	_, err = check()
	require.ErrorContains(t, err, "there are no workflows")
	write(".github/workflows/test.yml", good)
	write(".github/dependabot.yml", "updates:\n  - {package-ecosystem: gomod, directory: /}\n  - {package-ecosystem: github-actions, directory: /}\n")
	out, err := check()
	require.NoError(t, err)
	assert.Equal(t, "1 workflows call the Makefile and nothing else, and dependabot looks at every module\n", out)

	write("Makefile", "test:\nlint:\n")
	write("new/go.mod", "module m/new\n")
	_, err = check()
	require.EqualError(t, err, "test.yml: job one: line 16: the Makefile has no target fuzz-smoke\ndependabot.yml: gomod: /new is missing")
}
