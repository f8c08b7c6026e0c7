package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/system"
)

// newConfigBench is a command line without a server, keys or environment.
func newConfigBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{home: t.TempDir(), env: map[string]string{}, clock: system.Clock{}}
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "intram"), 0o700))
	return b
}

// shown are the settings as "intram config --json" shows them.
type shown struct {
	File     string
	Found    bool `json:"file_found"`
	Settings map[string]struct{ Value, Source string }
}

const twoProfiles = `profile = "live"

[profiles.sandbox]
public_key = "pk_sandbox_of_the_file"
secret_key = "sk_sandbox_of_the_file"
base_url = "https://example.com/v1"

[profiles.live]
public_key = "pk_live_of_the_file"
secret_key_file = "live.key"
webhook_secret = "whsec_of_the_file"
timeout = "7s"
`

func TestFlagsComeBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	var got shown
	b.json(t, &got, "config")
	assert.False(t, got.Found)
	assert.Equal(t, "sandbox", got.Settings["profile"].Value)
	assert.Equal(t, "default", got.Settings["base_url"].Source)

	path := b.file(t, "intram/config.toml", twoProfiles)
	b.file(t, "intram/live.key", "sk_live_of_its_own_file\n")
	b.json(t, &got, "config")
	assert.Equal(t, path, got.File)
	assert.Equal(t, "live", got.Settings["profile"].Value)
	assert.Equal(t, "pk_live_of_the_file", got.Settings["public_key"].Value)
	assert.Equal(t, path+" [profiles.live]", got.Settings["public_key"].Source)
	assert.Equal(t, "sk_live_…", got.Settings["secret_key"].Value)
	assert.Equal(t, filepath.Join(b.home, "intram", "live.key"), got.Settings["secret_key"].Source)
	assert.Equal(t, "whsec_…", got.Settings["webhook_secret"].Value)
	assert.Equal(t, "7s", got.Settings["timeout"].Value)

	b.json(t, &got, "config", "--profile", "sandbox", "--timeout", "3s")
	assert.Equal(t, "--profile", got.Settings["profile"].Source)
	assert.Equal(t, "pk_sandbox_of_the_file", got.Settings["public_key"].Value)
	assert.Equal(t, "https://example.com/v1", got.Settings["base_url"].Value)
	assert.Equal(t, "--timeout", got.Settings["timeout"].Source)

	b.env["INTRAM_PROFILE"] = "sandbox"
	b.env["INTRAM_SECRET_KEY"] = "sk_sandbox_of_the_environment"
	b.env["INTRAM_BASE_URL"] = "https://example.com/environment"
	b.json(t, &got, "config")
	assert.Equal(t, "INTRAM_PROFILE", got.Settings["profile"].Source)
	assert.Equal(t, "INTRAM_SECRET_KEY", got.Settings["secret_key"].Source)
	assert.Equal(t, "https://example.com/environment", got.Settings["base_url"].Value)
	b.json(t, &got, "config", "--base-url", "https://example.com/flag", "--public-key", "pk_sandbox_of_the_flag")
	assert.Equal(t, "https://example.com/flag", got.Settings["base_url"].Value)
	assert.Equal(t, "--public-key", got.Settings["public_key"].Source)

	delete(b.env, "INTRAM_SECRET_KEY")
	b.env["INTRAM_SECRET_KEY_FILE"] = b.file(t, "sandbox.key", "sk_sandbox_of_a_file_of_the_environment")
	b.json(t, &got, "config")
	assert.Equal(t, "INTRAM_SECRET_KEY_FILE", got.Settings["secret_key"].Source)
	b.golden(t, "config", b.ok(t, "config"))
	other := b.file(t, "other.toml", "[profiles.sandbox]\npublic_key = \"pk_sandbox_of_another_file\"\n")
	b.json(t, &got, "config", "--config", other)
	assert.Equal(t, "pk_sandbox_of_another_file", got.Settings["public_key"].Value)
	b.env["INTRAM_CONFIG"] = other
	b.json(t, &got, "config")
	assert.Equal(t, "pk_sandbox_of_another_file", got.Settings["public_key"].Value)
}

func TestAConfigurationThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	const secret = "sk_sandbox_feedface"
	for _, test := range []struct {
		name, file string
		mode       os.FileMode
		env        map[string]string
		args       []string
		says       string
	}{
		{name: "readable by others", file: "[profiles.sandbox]\nsecret_key = \"" + secret + "\"\n", mode: 0o644, says: "chmod 600"},
		{name: "profile with a dot", file: "[profiles.\"shop.2\"]\n", says: "only letters, digits, - and _"},
		{name: "unknown environment", file: "[profiles.shop2]\nenvironment = \"production\"\n", says: "invalid environment: write sandbox or live"},
		{name: "sandbox that is live", file: "[profiles.sandbox]\nenvironment = \"live\"\n", says: "of the environment of its name"},
		{name: "unknown profile", file: "[profiles.shop2]\n", args: []string{"--profile", "shpo2"}, says: "it has sandbox, live, shop2"},
		{name: "unknown profile of the environment", env: map[string]string{"INTRAM_PROFILE": "shop2"}, says: "INTRAM_PROFILE: there is no profile"},
		{name: "unknown profile of the file", file: "profile = \"shop2\"\n[profiles.shop1]\n", says: "it has sandbox, live, shop1"},
		{
			name: "key of another environment than the profile's", file: "[profiles.shop2]\nenvironment = \"live\"\npublic_key = \"pk_sandbox_1\"\n",
			args: []string{"--profile", "shop2"}, says: "the profile is shop2, which is live (--profile), and the public_key of",
		},
		{name: "unknown setting", file: "[profiles.sandbox]\nsecret = \"" + secret + "\"\n", says: "line 2: unknown setting profiles.sandbox.secret"},
		{name: "no TOML", file: "[profiles.sandbox]\nsecret_key = " + secret + "\n", says: "line 2 is not TOML"},
		{name: "another type", file: "[profiles.sandbox]\ntimeout = 3\n", says: "line 2"},
		{name: "two secrets", file: "[profiles.sandbox]\nsecret_key = \"" + secret + "\"\nsecret_key_file = \"x\"\n", says: "keep one"},
		{name: "missing file of a secret", file: "[profiles.sandbox]\nsecret_key_file = \"x\"\n", says: "secret_key_file"},
		{name: "missing file of --config", args: []string{"--config", "missing.toml"}, says: "cannot be read"},
		{name: "another environment's key", env: map[string]string{"INTRAM_PUBLIC_KEY": "pk_live_1"}, args: []string{"--profile", "sandbox"}, says: "the profile is sandbox (--profile), and the public_key of INTRAM_PUBLIC_KEY starts with pk_live_"},
		{name: "timeout", env: map[string]string{"INTRAM_TIMEOUT": "soon"}, says: "timeout must be a duration"},
		{name: "keys swapped", env: map[string]string{"INTRAM_PUBLIC_KEY": "sk_sandbox_1", "INTRAM_SECRET_KEY": "pk_sandbox_1"}, says: "swapped"},
		{name: "no keys", says: "INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY"},
		{name: "plain http", env: map[string]string{"INTRAM_PUBLIC_KEY": "pk_sandbox_1", "INTRAM_SECRET_KEY": secret, "INTRAM_BASE_URL": "http://example.com"}, says: "https://"},
		{name: "empty file of a secret", env: map[string]string{"INTRAM_SECRET_KEY_FILE": "/dev/null"}, says: "is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newConfigBench(t)
			maps.Copy(b.env, test.env)
			if test.file != "" {
				path := b.file(t, "intram/config.toml", test.file)
				if test.mode != 0 {
					require.NoError(t, os.Chmod(path, test.mode))
				}
			}
			r := b.run(t, append([]string{"balance"}, test.args...)...)
			assert.Equal(t, exitUsage, r.code)
			assert.Contains(t, strings.Join(strings.Fields(r.err), " "), test.says)
			assert.NotContains(t, r.err, "feedface")
		})
	}
}

// Two shops are in one file, and each call is of the shop that was asked for.
func TestAProfileHasAnyName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other, err := b.server.AddMerchant("Shop 2")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "intram"), 0o700))
	keys := fmt.Sprintf("[profiles.shop-1]\npublic_key = %q\nsecret_key = %q\n[profiles.shop2]\npublic_key = %q\nsecret_key = %q\n",
		b.server.PublicKey, b.server.SecretKey, other.LivePublicKey, other.LiveSecretKey)
	b.file(t, "intram/config.toml", "profile = \"shop-1\"\n"+keys)
	address := b.env["INTRAM_BASE_URL"]
	b.env = map[string]string{"INTRAM_BASE_URL": address}
	asked := func(args ...string) string {
		t.Helper()
		b.ok(t, append([]string{"balance"}, args...)...)
		requests := b.server.Requests()
		return requests[len(requests)-1].PublicKey
	}
	assert.Equal(t, b.server.PublicKey, asked())
	assert.Equal(t, other.LivePublicKey, asked("--profile", "shop2"))
	b.env["INTRAM_PROFILE"] = "shop2"
	assert.Equal(t, other.LivePublicKey, asked())
	assert.Equal(t, b.server.PublicKey, asked("--profile", "shop-1"))

	assert.Contains(t, b.ok(t, "config"), "Its profiles: shop-1, shop2\n")

	r := b.run(t, payoutArgs()...)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "these are live keys", "whatever the profile is called")
	assert.Contains(t, b.ok(t, "__complete", "balance", "--profile", ""), "sandbox\nlive\nshop-1\nshop2\n")

	// The environment comes before the file, as ever; a person who names a profile is
	// told.
	b.env["INTRAM_PROFILE"] = ""
	b.env["INTRAM_SECRET_KEY"] = other.LiveSecretKey
	r = b.run(t, "balance", "--profile", "shop2")
	assert.Zero(t, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "The secret key is that of INTRAM_SECRET_KEY, which comes before the one of --profile shop2.")
}

// A profile with payin keys alone does not tell its environment by them, and real money
// is not asked for by guess.
func TestThePayinKeysOfAProfileAreOfItsEnvironment(t *testing.T) {
	t.Parallel()
	for environment, want := range map[string]intram.Environment{"": "", "environment = \"live\"\n": intram.Live, "public_key = \"pk_sandbox_1\"\n": intram.Sandbox} {
		a := settingsApp(t, map[string]string{"INTRAM_PROFILE": "shop2"},
			"[profiles.shop2]\npayin_api_key = \"0123456789abcdef0123\"\npayin_api_client = \"0123456789abcdef0123\"\n"+environment)
		_, got, err := a.payinClient()
		if want == "" {
			require.ErrorContains(t, err, `write environment = "live" or "sandbox" below [profiles.shop2]`)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestAFileWithoutSecretsMayBeRead(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	path := b.file(t, "intram/config.toml", "[profiles.sandbox]\npublic_key = \"pk_sandbox_1\"\n")
	require.NoError(t, os.Chmod(path, 0o644))
	assert.Contains(t, b.ok(t, "config"), "pk_sandbox_1")
}

func TestASettingShowsNoSecretWhateverTheVerb(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"sk_sandbox_feedface", "sk_live_feedface", "whsec_feedface", "feedface"} {
		s := settings{secretKey: setting{name: "secret_key", value: value, secret: true}}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			assert.NotContains(t, fmt.Sprintf(format, s.secretKey), "feedface")
			assert.NotContains(t, fmt.Sprintf(format, &s), "feedface", format)
		}
	}
}
