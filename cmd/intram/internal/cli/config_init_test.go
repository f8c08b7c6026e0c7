package cli

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

const (
	typedPublic = "pk_sandbox_0123456789abcdef01234567"
	typedSecret = "sk_sandbox_0123456789abcdef0123456789abcdef"
)

func TestAConfigurationIsBegunWithTheKeysThatAPersonTypes(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	require.NoError(t, os.Remove(filepath.Join(b.home, "intram")))
	b.person, b.stdin, b.hidden = true, typedPublic+"\n", typedSecret
	r := b.run(t, "config", "init")
	require.Zero(t, r.code, r.err)
	assert.NotContains(t, r.out+r.err, typedSecret)
	assert.Regexp(t, `(?s)^Secret key .*Public key `, r.err, "the terminal shows the second of two lines that are pasted at once")
	path := filepath.Join(b.home, "intram", "config.toml")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	folder, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	b.golden(t, "config-init", mustRead(t, path))

	var got shown
	b.json(t, &got, "config", "show")
	assert.Equal(t, typedPublic, got.Settings["public_key"].Value)
	assert.Equal(t, "sk_sandbox_…", got.Settings["secret_key"].Value)
	assert.Equal(t, b.ok(t, "config"), b.ok(t, "config", "show"))

	// A second shop comes to the end of the same file, and what is there stays.
	before := mustRead(t, path)
	b.person = false
	secret := b.file(t, "shop2.key", "sk_live_0123456789abcdef0123456789abcdef\n")
	b.ok(t, "config", "init", "--profile", "shop2", "--public-key", "pk_live_0123456789abcdef01234567", "--secret", "@"+secret)
	assert.True(t, strings.HasPrefix(mustRead(t, path), before))
	b.json(t, &got, "config", "--profile", "shop2")
	assert.Equal(t, "sk_live_…", got.Settings["secret_key"].Value)
	b.json(t, &got, "config")
	assert.Equal(t, typedPublic, got.Settings["public_key"].Value, "the first one is used without --profile")
}

func TestAConfigurationThatIsInterruptedIsNotWritten(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	b.person, b.stdin, b.hidden = true, typedPublic+"\n", typedSecret
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := b.runWith(t, ctx, "config", "init")
	assert.Equal(t, exitInterrupted, r.code)
	assert.Contains(t, r.err, "nothing was written")
	assert.NoFileExists(t, filepath.Join(b.home, "intram", "config.toml"))
}

func TestAConfigurationIsNeverWrittenOver(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	path := b.file(t, "intram/config.toml", "# mine\n[profiles.sandbox]\npublic_key = \"pk_sandbox_1\"")
	require.NoError(t, os.Chmod(path, 0o600))
	b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"] = typedPublic, typedSecret
	for _, test := range []struct {
		says string
		args []string
	}{
		{"has a profile sandbox, which stays as it is", nil},
		{"has a profile sandbox, which stays as it is", []string{"--profile", "sandbox"}},
		{"letters, digits", []string{"--profile", "two shops"}},
		{"--secret takes no secret itself", []string{"--profile", "shop2", "--secret", "sk_sandbox_feedfacefeedfacefeedface"}},
		{"of the live, and the secret key of the sandbox side", []string{"--profile", "shop2", "--public-key", "pk_live_0123456789abcdef01234567"}},
		{"public_key of --public-key is a secret key", []string{"--profile", "shop2", "--public-key", "sk_sandbox_feedfacefeedfacefeedface"}},
		{"--local has the keys", []string{"--local"}},
	} {
		r := b.run(t, append([]string{"config", "init"}, test.args...)...)
		assert.Equal(t, exitUsage, r.code, test.says)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), test.says)
		assert.NotContains(t, r.err, "feedface")
	}
	assert.NotContains(t, mustRead(t, path), "sk_")
	require.NoError(t, os.Chmod(path, 0o644))
	r := b.run(t, "config", "init", "--profile", "shop2")
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "chmod 600", "others would read the secret")
	require.NoError(t, os.Chmod(path, 0o600))
	b.ok(t, "config", "init", "--profile", "shop2")
	text := mustRead(t, path)
	assert.True(t, strings.HasPrefix(text, "# mine\n[profiles.sandbox]\npublic_key = \"pk_sandbox_1\"\n"), text)
	require.NoError(t, os.WriteFile(path, []byte("no TOML"), 0o600))
	r = b.run(t, "config", "init", "--profile", "shop2")
	assert.Equal(t, exitUsage, r.code)
	assert.Equal(t, "no TOML", mustRead(t, path))
}

// No person is there, and no key is given: the file has the lines to fill in, and is one
// that the command reads.
func TestAConfigurationWithoutKeysIsThereToFillIn(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	out := b.ok(t, "config", "init", "--profile", "shop2")
	assert.Contains(t, out, "Write your keys into it.")
	text := mustRead(t, filepath.Join(b.home, "intram", "config.toml"))
	assert.Contains(t, text, "\n# public_key = \"pk_...\"\n")
	assert.Contains(t, b.ok(t, "config"), "shop2")
}

func TestTheVersionSaysWhatWasBuilt(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	assert.Regexp(t, `^version +\d+\.\d+\.\d+`, b.ok(t, "version"))
	var v version
	b.json(t, &v, "version")
	assert.NotEmpty(t, v.Go)
	assert.Contains(t, v.Platform, "/")
	v = versionOf(&debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "5f7110d"}, {Key: "vcs.time", Value: "2026-05-20T10:30:00Z"}, {Key: "vcs.modified", Value: "true"}, {Key: "GOOS", Value: "x"},
	}}, stamp{})
	assert.Equal(t, intram.Version, v.Version)
	assert.Equal(t, "5f7110d", v.Commit)
	assert.Equal(t, "2026-05-20T10:30:00Z", v.Time)
	assert.True(t, v.Modified)
}

// What the linker was told counts: the build information of a packaged binary is that of
// the clone in which it was built.
func TestAPackagedBinarySaysWhatItWasBuiltFrom(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "5f7110d"}, {Key: "vcs.modified", Value: "true"}}}
	packaged := stamp{version: "0.2.1", commit: "2bcf200", time: "2026-11-26T16:29:22Z"}
	v := versionOf(info, packaged)
	assert.Equal(t, "0.2.1", v.Version)
	assert.Equal(t, "2bcf200", v.Commit)
	assert.Equal(t, "2026-11-26T16:29:22Z", v.Time)
	assert.False(t, v.Modified)

	assert.True(t, released(info, packaged))
	packaged.version = "0.2.2-snapshot.g2bcf2002fcab"
	assert.False(t, released(info, packaged), "a snapshot")
	assert.False(t, released(info, stamp{}), "a clone")
}
