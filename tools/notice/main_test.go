package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// isc is a short licence that is allowed, wtfpl a short one that is not.
const (
	isc = `Copyright (c) 2026 Somebody

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`
	wtfpl = `DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE
Version 2, December 2004

Copyright (C) 2004 Sam Hocevar <sam@hocevar.net>

Everyone is permitted to copy and distribute verbatim or modified copies of this license document, and changing it is allowed
as long as the name is changed.

DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE
TERMS AND CONDITIONS FOR COPYING, DISTRIBUTION AND MODIFICATION

0. You just DO WHAT THE FUCK YOU WANT TO.
`
)

// tree is a repository of a core, which links one module and tests with another, and of a
// module that uses the core. Folders stand for what would come from a proxy.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const replaced = "\nreplace example.com/linked v1.2.3 => \"%/third/linked\"\n\nreplace example.com/windows v1.0.0 => \"%/third/windows\"\n\nreplace example.com/fortests v1.0.0 => \"%/third/fortests\"\n"
	for name, text := range map[string]string{
		"go.mod":                   "module example.com/core\n\ngo 1.26.0\n\nrequire (\n\texample.com/linked v1.2.3\n\texample.com/fortests v1.0.0\n)\n" + replaced,
		"core.go":                  "package core\n\nimport _ \"example.com/linked/deep\"\n",
		"core_test.go":             "package core\n\nimport _ \"example.com/fortests\"\n",
		"extra/go.mod":             "module example.com/core/extra\n\ngo 1.26.0\n\nrequire (\n\texample.com/core v0.1.0\n\texample.com/linked v1.2.3\n\texample.com/windows v1.0.0\n\texample.com/fortests v1.0.0\n)\n" + replaced,
		"extra/extra.go":           "package extra\n\nimport _ \"example.com/core\"\n",
		"extra/extra_windows.go":   "package extra\n\nimport _ \"example.com/windows\"\n",
		"extra/extratest/x.go":     "package extratest\n\nimport _ \"example.com/fortests\"\n",
		"tools/go.mod":             "module example.com/core/tools\n\ngo 1.26.0\n",
		"tools/main.go":            "package main\n\nimport _ \"example.com/fortools\"\n\nfunc main() {}\n",
		".gitignore":               "/third/\n",
		"third/linked/go.mod":      "module example.com/linked\n",
		"third/linked/deep/x.go":   "package deep\n",
		"third/linked/LICENSE":     isc,
		"third/linked/NOTICE.txt":  "Made by Somebody.\n",
		"third/fortests/go.mod":    "module example.com/fortests\n",
		"third/fortests/x.go":      "package fortests\n",
		"third/windows/go.mod":     "module example.com/windows\n",
		"third/windows/x.go":       "package windows\n",
		"third/windows/LICENCE.md": isc,
	} {
		write(t, dir, name, strings.ReplaceAll(text, "%", dir))
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", dir, "init", "-q").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func noticed(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), append([]string{"-root", dir}, args...), &out)
	return out.String(), err
}

func TestWhatIsLinkedIsListedWithItsLicence(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	_, err := noticed(t, dir)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, "NOTICE.md"))
	require.NoError(t, err)
	text := string(data)
	assert.Contains(t, text, "| example.com/linked | v1.2.3 | ISC | core, extra |\n")
	assert.Contains(t, text, "| example.com/windows | v1.0.0 | ISC | extra |\n", "linked on one system only")
	assert.NotContains(t, text, "fortests")
	assert.NotContains(t, text, "fortools")
	assert.Contains(t, text, "### Go standard library\n\n```text\nCopyright 2009 The Go Authors.")
	assert.Contains(t, text, "### example.com/linked v1.2.3\n")
	assert.Contains(t, text, "Made by Somebody.", "a file that goes with the licence")

	out, err := noticed(t, dir, "-check")
	require.NoError(t, err)
	assert.Equal(t, "NOTICE.md is current\n", out)
}

func TestANoticeThatIsBehindIsRefused(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	_, err := noticed(t, dir)
	require.NoError(t, err)
	for _, name := range []string{"go.mod", "extra/go.mod"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		write(t, dir, name, strings.ReplaceAll(string(data), "linked v1.2.3", "linked v1.3.0"))
	}
	_, err = noticed(t, dir, "-check")
	require.ErrorContains(t, err, "NOTICE.md is not current: run make notice")
	require.ErrorContains(t, err, "- | example.com/linked | v1.2.3 | ISC | core, extra |\n")
	require.ErrorContains(t, err, "+ | example.com/linked | v1.3.0 | ISC | core, extra |\n")

	_, err = noticed(t, dir)
	require.NoError(t, err)
	_, err = noticed(t, dir, "-check")
	require.NoError(t, err)
}

// A text that a person has read counts as what it was found to say, to the letter.
func TestATextThatWasReadIsKnown(t *testing.T) {
	t.Parallel()
	const address = "https://commons.wikimedia.org/wiki/File:Memory_infra_logo.png\n"
	dir := tree(t)
	write(t, dir, "third/linked/LICENSE-LOGO", address)
	write(t, dir, "third/linked/LICENSE-3RD-PARTY.md", "```\nParts were made by Somebody Else.\n```\n")
	_, err := noticed(t, dir)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, "NOTICE.md"))
	require.NoError(t, err)
	assert.Contains(t, string(data), "| example.com/linked | v1.2.3 | ISC | core, extra |\n")
	assert.Contains(t, string(data), "\n```\nParts were made by Somebody Else.\n```\n")
	assert.Contains(t, string(data), "### example.com/linked v1.2.3\n\n````text\n", "a fence that the text does not end")
	write(t, dir, "third/linked/LICENSE-LOGO", address+"You may use this on Sundays.\n")
	_, err = noticed(t, dir)
	require.ErrorContains(t, err, "LICENSE-LOGO: the licence is not recognised")
}

func TestALicenceThatIsNotAllowedIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string // of a module; no text: the file is away
		want       string
	}{
		"not on the list":       {"third/linked/LICENSE", wtfpl, "example.com/linked v1.2.3: LICENSE: the licence is WTFPL: allowed are Apache-2.0"},
		"two, one not":          {"third/linked/LICENSE", isc + wtfpl, "the licence is WTFPL"},
		"in the package":        {"third/linked/deep/COPYING", wtfpl, "example.com/linked v1.2.3: COPYING: the licence is WTFPL"},
		"on one system":         {"third/windows/LICENCE.md", wtfpl, "example.com/windows v1.0.0: LICENCE.md: the licence is WTFPL"},
		"not known":             {"third/linked/LICENSE", "You may use this on Sundays.", "the licence is not recognised"},
		"allowed, and more":     {"third/linked/LICENSE", isc + strings.Repeat("You may use this on Sundays. ", 50), "the licence is not recognised"},
		"an address":            {"third/linked/LICENSE", "https://opensource.org/licenses/MIT", "the licence is not recognised"},
		"none":                  {"third/linked/LICENSE", "", "example.com/linked v1.2.3: there is no file with a licence"},
		"of what is not linked": {"third/linked/other/LICENSE", wtfpl, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t)
			if c.text == "" {
				require.NoError(t, os.Remove(filepath.Join(dir, c.file)))
			} else {
				write(t, dir, c.file, c.text)
			}
			_, err := noticed(t, dir)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.NoFileExists(t, filepath.Join(dir, "NOTICE.md"))
		})
	}
}

func TestOnlyWhatAUserLinksIsLookedAt(t *testing.T) {
	t.Parallel()
	list := "lib m\nsub m/sub\nmain m/cmd/tool\nlibtest m/libtest\ninner m/internal/inner\n"
	assert.Equal(t, []string{"m", "m/sub"}, shipped(list, "m"))
	assert.Equal(t, []string{"m/cmd/x"}, shipped("main m/cmd/x\nlib m/cmd/x/lib\n", "m/cmd/x"), "a command is what it links")
	assert.Empty(t, shipped("main m/a\n", "m"))
	for dir, not := range map[string]bool{
		"tools/release": true, "bench": true, "docs/routers": true, "site": true, "cmd/intram": false, "toolsets": false, "cmd/intram/internal/serve/browser": true,
		"intramriver/example": true, "intramriver": false,
	} {
		assert.Equal(t, not, unshipped.MatchString(dir), dir)
	}
}
