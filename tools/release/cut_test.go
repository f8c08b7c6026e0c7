package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cutOf is a release of the small repository in dir.
func cutOf(dir string, out *bytes.Buffer) *cutting {
	return &cutting{
		root: dir, lists: small, version: "v0.2.0", yes: true, day: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC),
		checks: [][]string{{"sh", "-c", "grep -q 0.1.0 intram.go"}},
		// What is generated shows the new version.
		generators: [][]string{{"sh", "-c", "grep 'const Version' intram.go | cut -d' ' -f2- > api/pay.txt"}},
		before:     func(string) error { return nil },
		out:        out,
	}
}

// state is all that a release may change.
func state(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(runGit(t, dir, "status", "--porcelain", "--branch") + "\n")
	b.WriteString(runGit(t, dir, "show-ref") + "\n")
	b.WriteString(runGit(t, dir, "ls-files", "--stage") + "\n")
	files, err := listFiles(t.Context(), dir)
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		b.WriteString("== " + name + "\n" + string(text))
	}
	return b.String()
}

func TestAReleaseIsACommitWithATagForEachModule(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	first := runGit(t, dir, "rev-parse", "HEAD")
	var out bytes.Buffer
	require.NoError(t, cutOf(dir, &out).run(t.Context()))

	assert.Empty(t, runGit(t, dir, "status", "--porcelain"), "tree and index are those of the commit")
	assert.Equal(t, "main", runGit(t, dir, "symbolic-ref", "--short", "HEAD"))
	assert.Equal(t, first, runGit(t, dir, "rev-parse", "HEAD^"), "one commit")
	assert.Equal(t, "release: v0.2.0", runGit(t, dir, "log", "-1", "--format=%s"))
	assert.Equal(t, "A <a@example.com>", runGit(t, dir, "log", "-1", "--format=%an <%ae>"), "of who runs it")
	head := runGit(t, dir, "rev-parse", "HEAD")
	for tag, message := range map[string]string{
		"v0.2.0": "github.com/example/pay v0.2.0", "list/v0.2.0": "github.com/example/pay/list v0.2.0", "cmd/tool/v0.2.0": "github.com/example/pay/cmd/tool v0.2.0",
	} {
		assert.Equal(t, "tag", runGit(t, dir, "cat-file", "-t", tag), "annotated")
		assert.Equal(t, head, runGit(t, dir, "rev-parse", tag+"^{commit}"))
		assert.Equal(t, message, runGit(t, dir, "tag", "-l", "--format=%(contents:subject)", tag))
	}
	assert.Len(t, strings.Fields(runGit(t, dir, "tag")), 3, "what is private has no tag")

	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(text)
	}
	assert.Contains(t, read("intram.go"), "\nconst Version = \"0.2.0\"\n")
	assert.Contains(t, read("list/go.mod"), "\nrequire github.com/example/pay v0.2.0 // the root\n")
	assert.Contains(t, read("check/go.mod"), "\nrequire github.com/example/pay v0.2.0\n")
	assert.Contains(t, read("go.work"), "\tgithub.com/example/pay v0.2.0 => .\n\tgithub.com/example/pay/list v0.2.0 => ./list\n)")
	assert.Equal(t, "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- Everything.\n\n"+
		"[Unreleased]: "+home+"/compare/v0.2.0...HEAD\n[0.2.0]: "+home+"/releases/tag/v0.2.0\n", read("CHANGELOG.md"))
	assert.Equal(t, "Version = \"0.2.0\"\n", read("api/pay.txt"), "what is generated")
	assert.Equal(t, "Version = \"0.2.0\"\n", read("api/released/pay.txt"), "what the next release is compared with")

	// Every module of the commit builds by its own go.mod, from what the tags hold.
	e, err := newEdition(openSmall(t, dir), "v0.2.0")
	require.NoError(t, err)
	assert.Empty(t, e.edits, "the tree is the edition")
	proxy := t.TempDir()
	require.NoError(t, e.writeProxy(proxy, time.Unix(1_800_000_000, 0)))
	for _, module := range []string{"list", "cmd/tool", "check"} {
		goCommand(t, proxy, filepath.Join(dir, module), "mod", "tidy", "-diff")
	}

	text := out.String()
	branch, core, rest := strings.Index(text, "git push --atomic origin main v0.2.0\n"), 0, strings.Index(text, "git push --atomic origin list/v0.2.0 cmd/tool/v0.2.0\n")
	assert.Less(t, core, branch)
	assert.Less(t, branch, rest, "the root, which the others require, is pushed first: %s", text)
	assert.Contains(t, text, "git tag -d v0.2.0 list/v0.2.0 cmd/tool/v0.2.0 && git reset --keep "+first[:12]+"\n")
	assert.Contains(t, text, e.builds["github.com/example/pay/list"].zipSum)
	assert.NotContains(t, text, dir, "a path of this machine")
}

// A release is signed if the commits of the repository are.
func TestAReleaseIsSignedAsTheRepositoryIs(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	program := filepath.Join(t.TempDir(), "sign")
	script := "#!/bin/sh\ncat > /dev/null\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho '-----END PGP SIGNATURE-----'\n"
	require.NoError(t, os.WriteFile(program, []byte(script), 0o700))
	config, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = config.WriteString("[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n[gpg]\n\tprogram = " + filepath.ToSlash(program) + "\n")
	require.NoError(t, err)
	require.NoError(t, config.Close())
	var out bytes.Buffer
	require.NoError(t, cutOf(dir, &out).run(t.Context()))
	assert.Contains(t, runGit(t, dir, "cat-file", "commit", "HEAD"), "gpgsig -----BEGIN PGP SIGNATURE-----")
	assert.Contains(t, runGit(t, dir, "cat-file", "tag", "list/v0.2.0"), "-----BEGIN PGP SIGNATURE-----")
}

func TestWithoutYesNothingIsChanged(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	before := state(t, dir)
	var out bytes.Buffer
	c := cutOf(dir, &out)
	c.yes = false
	require.NoError(t, c.run(t.Context()))
	assert.Equal(t, before, state(t, dir))
	assert.Contains(t, out.String(), "Nothing was changed. YES=1 makes the commit and the tags")
	assert.Contains(t, out.String(), "git push --atomic origin main v0.2.0\n")
	for _, file := range []string{"CHANGELOG.md", "intram.go", "list/go.mod", "list/go.sum", "cmd/tool/go.sum", "check/go.sum", "go.work", "api/released/pay.txt"} {
		assert.Contains(t, out.String(), file)
	}
}

func TestASecondReleaseIsComparedWithTheFirst(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	var out bytes.Buffer
	require.NoError(t, cutOf(dir, &out).run(t.Context()))
	c := cutOf(dir, &out)
	c.version = "v0.2.1"
	require.ErrorContains(t, c.run(t.Context()), "no entry under Unreleased")
	text, err := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	require.NoError(t, err)
	writeFiles(t, dir, map[string]string{
		"CHANGELOG.md": strings.Replace(string(text), "## [Unreleased]\n", "## [Unreleased]\n\n- A fix.\n", 1),
		"fix.go":       "package pay\n",
		// Of a package that is no more.
		"api/released/gone.txt": "",
	})
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "-q", "-m", "pay: fix")
	c.checks = [][]string{{"sh", "-c", "grep -q 0.2.0 intram.go"}}
	require.NoError(t, c.run(t.Context()))
	assert.NoFileExists(t, filepath.Join(dir, "api/released/gone.txt"))
	text, err = os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "\n[Unreleased]: "+home+"/compare/v0.2.1...HEAD\n[0.2.1]: "+home+"/compare/v0.2.0...v0.2.1\n[0.2.0]: ")
	sums, err := os.ReadFile(filepath.Join(dir, "list/go.sum"))
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(string(sums)), "\n"), 2, "the sums of the first are gone: %s", sums)
}

func TestAReleaseIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, dir string, c *cutting)
		want  string
	}{
		"changed file": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			writeFiles(t, dir, map[string]string{"list/list.go": "package list\n"})
		}, "the tree is not clean: commit or remove\n   M list/list.go"},
		"new file": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			writeFiles(t, dir, map[string]string{"new.go": "package pay\n"})
		}, "?? new.go"},
		"another branch": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "checkout", "-q", "-b", "topic")
		}, "the branch is topic: releases are made on main"},
		"no branch": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "checkout", "-q", "--detach")
		}, "no branch is checked out"},
		"behind origin": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "all: elsewhere")
			runGit(t, dir, "update-ref", "refs/remotes/origin/main", "HEAD")
			runGit(t, dir, "reset", "-q", "--hard", "HEAD^")
		}, "origin/main has commits that main has not"},
		"no version":          {func(_ *testing.T, _ string, c *cutting) { c.version = "" }, `VERSION "" is not a semantic version`},
		"a version without v": {func(_ *testing.T, _ string, c *cutting) { c.version = "0.2.0" }, `VERSION "0.2.0" is not a semantic version`},
		"two numbers":         {func(_ *testing.T, _ string, c *cutting) { c.version = "v0.2" }, `VERSION "v0.2" is not a semantic version`},
		"the last version": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "tag", "v0.2.0")
		}, "VERSION v0.2.0 is not greater than the last tag, v0.2.0"},
		"a lesser version": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "tag", "v0.9.0")
			runGit(t, dir, "tag", "v0.10.0")
			runGit(t, dir, "tag", "vnext")
		}, "VERSION v0.2.0 is not greater than the last tag, v0.10.0"},
		"less than intram.go":   {func(_ *testing.T, _ string, c *cutting) { c.version = "v0.1.0-rc.1" }, "VERSION v0.1.0-rc.1 is less than that of intram.go, v0.1.0"},
		"another major version": {func(_ *testing.T, _ string, c *cutting) { c.version = "v2.0.0" }, "should be v0 or v1, not v2"},
		"a tag of one module": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			runGit(t, dir, "tag", "list/v0.2.0")
		}, "the tag list/v0.2.0 exists"},
		"nothing in the changelog": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			recommit(t, dir, "CHANGELOG.md", "- Everything.\n", "")
		}, "no entry under Unreleased"},
		"a replace": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			recommit(t, dir, "cmd/tool/go.mod", "\n)\n", "\n)\n\nreplace github.com/example/pay => ../..\n")
		}, "cmd/tool/go.mod replaces github.com/example/pay"},
		"an exclude": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			recommit(t, dir, "list/go.mod", "// the root\n", "\n\nexclude golang.org/x/text v0.1.0\n")
		}, "list/go.mod excludes golang.org/x/text@v0.1.0"},
		"a sibling that was not there": {func(t *testing.T, dir string, _ *cutting) {
			t.Helper()
			recommit(t, dir, "list/go.mod", "pay v0.1.0", "pay v0.0.9")
		}, "list/go.mod requires github.com/example/pay v0.0.9: want v0.1.0"},
		"a check that fails": {func(_ *testing.T, _ string, c *cutting) {
			c.checks = [][]string{{"sh", "-c", "echo $PWD; exit 4"}}
		}, "exit status 4:\n  .\n"},
		"a generator that fails": {func(_ *testing.T, _ string, c *cutting) {
			c.generators = [][]string{{"sh", "-c", "echo no such test; exit 3"}}
		}, "exit status 3:\n  no such test\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newTree(t, smallFiles())
			var out bytes.Buffer
			c := cutOf(dir, &out)
			tt.spoil(t, dir, c)
			before := state(t, dir)
			err := c.run(t.Context())
			require.ErrorContains(t, err, tt.want)
			assert.Equal(t, before, state(t, dir))
			assert.NotContains(t, err.Error(), filepath.Dir(dir), "a path of this machine")
		})
	}
}

// recommit replaces text in a file of the first commit.
func recommit(t *testing.T, dir, name, old, now string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Contains(t, string(text), old)
	writeFiles(t, dir, map[string]string{name: strings.Replace(string(text), old, now, 1)})
	runGit(t, dir, "commit", "-q", "-a", "--amend", "--no-edit")
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	runGit(t, dir, "checkout", "-q", "-b", "topic")
	writeFiles(t, dir, map[string]string{"CHANGELOG.md": "# Changelog\n"})
	var out bytes.Buffer
	c := cutOf(dir, &out)
	c.version = "0.2.0"
	err := c.run(t.Context())
	for _, want := range []string{"the branch is topic", "the tree is not clean", "is not a semantic version", "no heading"} {
		assert.ErrorContains(t, err, want)
	}
}

// Wherever a release ends early, by an error or by Ctrl-C, everything is as it was.
func TestAnInterruptedReleaseChangesNothing(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	before := state(t, dir)
	var steps []string
	{
		var out bytes.Buffer
		c := cutOf(newTree(t, smallFiles()), &out)
		c.before = func(step string) error { steps = append(steps, step); return nil }
		require.NoError(t, c.run(t.Context()))
	}
	require.Contains(t, steps, "refs")
	for _, step := range steps {
		for _, how := range []string{"error", "Ctrl-C"} {
			ctx, cancel := context.WithCancel(t.Context())
			var out bytes.Buffer
			c := cutOf(dir, &out)
			c.before = func(at string) error {
				switch {
				case at != step:
				case how == "error":
					return errors.New("the disk is full")
				default:
					cancel()
				}
				return nil
			}
			require.Error(t, c.run(ctx), "%s before %s", how, step)
			assert.Equal(t, before, state(t, dir), "%s before %s", how, step)
			cancel()
		}
	}
	var out bytes.Buffer
	require.NoError(t, cutOf(dir, &out).run(t.Context()), "and then it works")
}

// The branch and the tags change together or not at all: here a tag appears, or the
// branch moves, at the last moment.
func TestARaceForATagOrTheBranchChangesNothing(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"tag":    {"tag", "cmd/tool/v0.2.0"},
		"branch": {"update-ref", "refs/heads/main", "HEAD^"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newTree(t, smallFiles())
			runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "all: the same files")
			var (
				out    bytes.Buffer
				before string
			)
			c := cutOf(dir, &out)
			c.before = func(step string) error {
				if step == "files" {
					runGit(t, dir, args...)
					before = state(t, dir)
				}
				return nil
			}
			require.ErrorContains(t, c.run(t.Context()), "git update-ref")
			assert.Equal(t, before, state(t, dir))
		})
	}
}

// A tree that is changed while the release is made is left alone.
func TestAChangeMeanwhileIsKept(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	var out bytes.Buffer
	c := cutOf(dir, &out)
	c.before = func(step string) error {
		if step == "fetch" {
			writeFiles(t, dir, map[string]string{"list/list.go": "package list // work of an hour\n"})
		}
		return nil
	}
	require.ErrorContains(t, c.run(t.Context()), "the tree was changed meanwhile:\n   M list/list.go")
	text, err := os.ReadFile(filepath.Join(dir, "list/list.go"))
	require.NoError(t, err)
	assert.Equal(t, "package list // work of an hour\n", string(text))
	assert.Empty(t, runGit(t, dir, "tag"))
}

// A hook of Git has variables that name its repository, which win over the folder that
// Git runs in: the copy's commit and tags would be made there, even without YES=1.
func TestAReleaseFromAHookChangesNothing(t *testing.T) {
	dir := newTree(t, smallFiles())
	before := state(t, dir)
	var out bytes.Buffer
	c := cutOf(dir, &out)
	c.yes = false
	c.checks = [][]string{{"sh", "-c", `test -z "$GIT_DIR$GIT_INDEX_FILE"`}}
	t.Setenv("GIT_DIR", filepath.Join(dir, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(dir, ".git", "index"))
	err := c.run(t.Context())
	require.NoError(t, os.Unsetenv("GIT_DIR"))
	require.NoError(t, os.Unsetenv("GIT_INDEX_FILE"))
	assert.NoError(t, err)
	assert.Equal(t, before, state(t, dir))
}

// Who commits is often said by a file that the configuration includes for some folders
// only, which the copy is not in.
func TestAReleaseIsOfWhoCommitsInTheRepository(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	writeFiles(t, dir, map[string]string{".git/work": "[user]\n\tname = B\n\temail = b@example.com\n[commit]\n\tstatus\n"})
	config, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = config.WriteString("[includeIf \"gitdir:" + filepath.ToSlash(dir) + "/\"]\n\tpath = work\n")
	require.NoError(t, err)
	require.NoError(t, config.Close())
	var out bytes.Buffer
	require.NoError(t, cutOf(dir, &out).run(t.Context()))
	assert.Equal(t, "B <b@example.com>", runGit(t, dir, "log", "-1", "--format=%an <%ae>"))
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, cloneOf(t.Context(), dir, copied))
	assert.Equal(t, "true", runGit(t, copied, "config", "--type=bool", "commit.status"), "without a value")
	assert.Equal(t, "B <b@example.com>", runGit(t, dir, "tag", "-l", "--format=%(taggername) %(taggeremail)", "list/v0.2.0"))
}

// Git that is killed leaves its locks behind, with which nothing works any more. Once the
// branch and the tags are being written, Ctrl-C is too late.
func TestAnInterruptDuringTheLastStepIsTooLate(t *testing.T) {
	t.Parallel()
	dir := newTree(t, smallFiles())
	asked, told := filepath.Join(dir, ".git", "asked"), filepath.Join(dir, ".git", "told")
	hook := filepath.Join(dir, ".git", "hooks", "reference-transaction")
	writeFiles(t, dir, map[string]string{".git/hooks/reference-transaction": "#!/bin/sh\n" +
		"if grep -q refs/tags/v0.2.0 && test \"$1\" = prepared; then echo >'" + asked + "'; cat '" + told + "'; fi\n"})
	require.NoError(t, os.Chmod(hook, 0o755))
	require.NoError(t, exec.CommandContext(t.Context(), "mkfifo", asked, told).Run())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, _ = os.ReadFile(asked)
		cancel()
		_ = os.WriteFile(told, nil, 0o600)
	}()
	var out bytes.Buffer
	assert.NoError(t, cutOf(dir, &out).run(ctx))
	locks, err := filepath.Glob(filepath.Join(dir, ".git", "refs", "heads", "*.lock"))
	require.NoError(t, err)
	assert.Empty(t, locks)
	assert.Equal(t, "release: v0.2.0", runGit(t, dir, "log", "-1", "--format=%s"))
	assert.Len(t, strings.Fields(runGit(t, dir, "tag")), 3)
}

// What is tagged is what the go command downloads: a commit whose go.sum has another
// checksum, or whose files are not those that were built, is no release.
func TestATagWithOtherChecksumsIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(e *edition, sums map[string]download)
		want  string
	}{
		"as it is": {func(*edition, map[string]download) {}, ""},
		"another zip": {func(_ *edition, sums map[string]download) {
			d := sums["github.com/example/pay"]
			d.Sum = "h1:other"
			sums[d.Path] = d
		}, "github.com/example/pay: its tag has the checksums h1:other and "},
		"another go.mod": {func(_ *edition, sums map[string]download) {
			d := sums["github.com/example/pay/list"]
			d.GoModSum = "h1:other"
			sums[d.Path] = d
		}, "github.com/example/pay/list: its tag has the checksums"},
		"not downloaded": {func(_ *edition, sums map[string]download) {
			delete(sums, "github.com/example/pay/cmd/tool")
		}, "github.com/example/pay/cmd/tool: its tag has the checksums"},
		"a go.sum without it": {func(e *edition, _ map[string]download) {
			_ = os.Remove(e.repo.abs("check/go.sum"))
		}, `check/go.sum has no line "github.com/example/pay v0.2.0 h1:`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newTree(t, smallFiles())
			var out bytes.Buffer
			require.NoError(t, cutOf(dir, &out).run(t.Context()))
			e, err := newEdition(openSmall(t, dir), "v0.2.0")
			require.NoError(t, err)
			sums, err := prove(t.Context(), e, t.TempDir())
			require.NoError(t, err)
			tt.spoil(e, sums)
			err = compareSums(e, sums)
			if tt.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, tt.want)
			}
		})
	}
}
