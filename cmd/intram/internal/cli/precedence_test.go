package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// layers are the places that a setting of a test is given in.
type layers struct {
	flag, env, envFile, file, fileFile bool
}

// eachLayers calls test with every combination.
func eachLayers(test func(layers)) {
	for mask := range 32 {
		test(layers{mask&1 != 0, mask&2 != 0, mask&4 != 0, mask&8 != 0, mask&16 != 0})
	}
}

// settingsApp is an app with a configuration file of its own.
func settingsApp(t *testing.T, env map[string]string, config string) *app {
	t.Helper()
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, "config.toml"), []byte(config), 0o600))
	return &app{
		out: io.Discard, err: io.Discard, configFile: filepath.Join(home, "config.toml"), localDir: filepath.Join(home, "servers"),
		lookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
	}
}

// Every secret in every combination of its places, of which the file has two that exclude
// each other.
func TestEachSecretIsTakenFromTheFirstPlaceThatHasIt(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"sandbox", "live"} {
		for _, test := range []struct {
			name, variable, prefix string
			get                    func(*settings) setting
		}{
			{"secret_key", "INTRAM_SECRET_KEY", "sk_" + profile + "_", func(s *settings) setting { return s.secretKey }},
			{"payin_api_key", "INTRAM_PAYIN_API_KEY", "payin_key_", func(s *settings) setting { return s.payinAPIKey }},
			{"payin_api_client", "INTRAM_PAYIN_API_CLIENT", "payin_client_", func(s *settings) setting { return s.payinClient }},
			{"webhook_secret", "INTRAM_WEBHOOK_SECRET", "whsec_", func(s *settings) setting { return s.webhookSecret }},
		} {
			eachLayers(func(l layers) {
				if l.flag {
					return
				}
				env := map[string]string{"INTRAM_PROFILE": profile, test.variable: "", test.variable + "_FILE": ""}
				config := "[profiles." + profile + "]\n"
				if l.file {
					config += fmt.Sprintf("%s = %q\n", test.name, test.prefix+"0000000000000000file")
				}
				if l.fileFile {
					config += fmt.Sprintf("%s_file = %q\n", test.name, "secret.of.the.file")
				}
				if l.env {
					env[test.variable] = test.prefix + "000000000000000000env"
				}
				a := settingsApp(t, env, config)
				home := filepath.Dir(a.configFile)
				require.NoError(t, os.WriteFile(filepath.Join(home, "secret.of.the.file"), []byte(test.prefix+"000000000000fileFile\n"), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(home, "secret.of.env"), []byte(test.prefix+"0000000000000envFile\r\n"), 0o400))
				if l.envFile {
					env[test.variable+"_FILE"] = filepath.Join(home, "secret.of.env")
				}
				want, source := "", ""
				here := a.configFile + " [profiles." + profile + "]"
				s, err := a.settings()
				switch {
				case l.env:
					want, source = test.prefix+"000000000000000000env", test.variable
				case l.envFile:
					want, source = test.prefix+"0000000000000envFile", test.variable+"_FILE"
				case l.file && l.fileFile:
					require.ErrorContains(t, err, "keep one", "%s %+v", test.name, l)
					return
				case l.file:
					want, source = test.prefix+"0000000000000000file", here
				case l.fileFile:
					want, source = test.prefix+"000000000000fileFile", filepath.Join(home, "secret.of.the.file")
				}
				require.NoError(t, err, "%s %+v", test.name, l)
				assert.Equal(t, want, test.get(s).value, "%s: %+v", test.name, l)
				assert.Equal(t, source, test.get(s).source, "%s: %+v", test.name, l)
				assert.True(t, test.get(s).secret)
			})
		}
	}
}

func TestTheConfigurationIsTakenFromTheFirstPlaceThatNamesOne(t *testing.T) {
	t.Parallel()
	for mask := range 8 {
		env := map[string]string{}
		a := settingsApp(t, env, "[profiles.sandbox]\ntimeout = \"1s\"\n")
		home := filepath.Dir(a.configFile)
		for name, timeout := range map[string]string{"env.toml": "2s", "flag.toml": "3s"} {
			require.NoError(t, os.WriteFile(filepath.Join(home, name), fmt.Appendf(nil, "[profiles.sandbox]\ntimeout = %q\n", timeout), 0o644))
		}
		want := intram.DefaultTimeout.String()
		if mask&1 != 0 {
			want = "1s"
		} else {
			require.NoError(t, os.Remove(a.configFile)) // it need not be there
		}
		if mask&2 != 0 {
			env["INTRAM_CONFIG"] = filepath.Join(home, "env.toml")
			want = "2s"
		}
		if mask&4 != 0 {
			a.connection.config = filepath.Join(home, "flag.toml")
			want = "3s"
		}
		s, err := a.settings()
		require.NoError(t, err)
		assert.Equal(t, want, s.timeout.value, "%03b", mask)
		assert.Equal(t, a.configPath(), map[bool]string{true: filepath.Join(home, "flag.toml"), false: map[bool]string{true: filepath.Join(home, "env.toml"), false: a.configFile}[mask&2 != 0]}[mask&4 != 0])
	}
}

// No bit of the group's or the others' is harmless: who can write a file chooses the key
// that is used.
func TestASecretIsOnlyReadFromAFileOfItsOwnersAlone(t *testing.T) {
	t.Parallel()
	const secret = "sk_sandbox_0000000000000000000000000000feed"
	for mode := os.FileMode(0o400); mode <= 0o777; mode++ {
		if mode&0o400 == 0 || mode&0o077&(mode&0o077-1) != 0 { // readable by its owner; one more bit at a time
			continue
		}
		home := t.TempDir()
		path := filepath.Join(home, "secret.key")
		require.NoError(t, os.WriteFile(path, []byte(secret), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		fromEnv := settingsApp(t, map[string]string{"INTRAM_SECRET_KEY_FILE": path}, "")
		fromFile := settingsApp(t, nil, fmt.Sprintf("[profiles.sandbox]\nsecret_key_file = %q\n", path))
		// The secret of another profile is a secret too.
		inline := settingsApp(t, nil, "[profiles.live]\nsecret_key = \"sk_live_0000000000000000000000000000feed\"\n")
		require.NoError(t, os.Chmod(inline.configFile, mode))
		for name, a := range map[string]*app{"environment": fromEnv, "file": fromFile, "inline": inline} {
			_, err := a.settings()
			if mode&0o077 == 0 {
				require.NoError(t, err, "%s %o", name, mode)
				continue
			}
			require.ErrorContains(t, err, "chmod 600", "%s %o", name, mode)
			assert.NotContains(t, err.Error(), "feed")
		}
	}
}

// Each kind of secret makes a configuration one that others must not read.
func TestEverySecretOfAConfigurationCounts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"secret_key", "payin_api_key", "payin_api_client", "webhook_secret"} {
		a := settingsApp(t, nil, fmt.Sprintf("[profiles.sandbox]\n%s = %q\n", name, "0000000000000000000000000000feed"))
		require.NoError(t, os.Chmod(a.configFile, 0o640))
		_, err := a.settings()
		require.ErrorContains(t, err, "chmod 600", name)
	}
}

// A key of the other environment is refused whichever of the two keys it is, and wherever
// the profile comes from.
func TestAKeyOfTheOtherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	for profile, other := range map[string]string{"sandbox": "live", "live": "sandbox"} {
		for _, kind := range []string{"pk", "sk"} {
			keys := map[string]string{"pk": "pk_" + profile + "_00000000000000000000", "sk": "sk_" + profile + "_0000000000000000000000"}
			keys[kind] = kind + "_" + other + "_0000000000000000000000"
			for _, chosenBy := range []string{"--profile", "INTRAM_PROFILE", "file"} {
				env := map[string]string{"INTRAM_PUBLIC_KEY": keys["pk"], "INTRAM_SECRET_KEY": keys["sk"]}
				config := ""
				switch chosenBy {
				case "INTRAM_PROFILE":
					env[chosenBy] = profile
				case "file":
					config = fmt.Sprintf("profile = %q\n", profile)
				}
				a := settingsApp(t, env, config)
				if chosenBy == "--profile" {
					a.connection.profile = profile
				}
				_, err := a.settings()
				require.ErrorContains(t, err, "starts with "+kind+"_"+other+"_", "%s by %s", profile, chosenBy)
			}
		}
	}
}
