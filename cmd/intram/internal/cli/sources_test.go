package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
)

// place is one of the places that a setting can be given in.
type place int

// The places, in the order in which they are looked at.
const (
	inFlag place = iota
	inEnv
	inEnvFile // the file that the environment names
	inFile
	inFileFile // the file that the file names
	places
)

func (p place) String() string {
	return [...]string{"flag", "env", "envfile", "file", "filefile"}[p]
}

// source is a setting in a test of precedence: what its names are follows from the one
// that it has.
type source struct {
	name     string
	secret   bool
	hasFlag  bool
	fallback string
	at       [places]bool // where it is given
}

func (s *source) variable() string { return "INTRAM_" + strings.ToUpper(s.name) }
func (s *source) flag() string     { return "--" + strings.ReplaceAll(s.name, "_", "-") }

// can reports whether the setting can be given in a place at all.
func (s *source) can(p place) bool {
	switch p {
	case inFlag:
		return s.hasFlag
	case inEnvFile, inFileFile:
		return s.secret
	}
	return true
}

// value is one that no other setting, place or profile has.
func (s *source) value(p place, profile string) string {
	switch {
	case s.name == "profile": // the places contradict each other
		return []string{"live", "sandbox"}[int(p)%2]
	case s.name == "timeout":
		return fmt.Sprintf("%ds", 100+10*int(p)+len(profile))
	case strings.HasSuffix(s.name, "_url"):
		return fmt.Sprintf("https://%v.%s.example.com/%s", p, strings.ReplaceAll(s.name, "_", "-"), profile)
	}
	prefix := map[string]string{"public_key": "pk_" + profile + "_", "secret_key": "sk_" + profile + "_", "webhook_secret": "whsec_"}[s.name]
	return prefix + strings.ReplaceAll(s.name, "_", "") + "0" + p.String() + "0" + profile
}

// knownSources are all settings, as the command itself lists them.
func knownSources(t *testing.T) []*source {
	t.Helper()
	a := settingsApp(t, nil, "")
	config, _, err := a.newRoot().Find([]string{"config"})
	require.NoError(t, err)
	s, err := a.settings()
	require.NoError(t, err)
	var all []*source
	for _, one := range s.all() {
		if one.name == "certificate" {
			continue // only a local server has one
		}
		known := &source{name: one.name, secret: one.secret, fallback: one.value}
		known.hasFlag = config.PersistentFlags().Lookup(strings.TrimPrefix(known.flag(), "--")) != nil
		assert.NotEqual(t, known.secret, known.hasFlag, "%s: a secret is no argument, and everything else can be one", one.name)
		all = append(all, known)
	}
	require.GreaterOrEqual(t, len(all), 9)
	return all
}

// Every setting in every combination of its places, while the others are in other
// combinations of theirs. What is expected is generated from the list of the settings: a
// new one is in the test without a line of it.
func TestEverySettingComesFromTheFirstOfItsPlacesWhateverTheOthersHave(t *testing.T) {
	t.Parallel()
	all := knownSources(t)
	for round := range 4 {
		for i := range 1 << places {
			for j, s := range all {
				mask := i*(2*j+1) + 5*j + 11*round // of each setting, each mask comes once a round
				for p := range places {
					s.at[p] = mask&(1<<p) != 0 && s.can(p)
				}
				s.at[inFileFile] = s.at[inFileFile] && !s.at[inFile] // both at once are refused
			}
			requirePlaces(t, all)
		}
	}
}

// requirePlaces gives the settings where they say, and compares.
func requirePlaces(t *testing.T, all []*source) {
	t.Helper()
	env := map[string]string{}
	a := settingsApp(t, env, "")
	home := filepath.Dir(a.configFile)
	profile, profileSource := "", ""
	for _, s := range all {
		if s.name == "profile" {
			profile, profileSource = s.expected(a.configFile, "")
		}
	}
	secretFile := func(value string) string {
		path := filepath.Join(home, value+".key")
		require.NoError(t, os.WriteFile(path, []byte(value+"\n"), 0o600))
		return path
	}
	var args []string
	config, sections := "", map[string]string{"sandbox": "", "live": ""}
	for _, s := range all {
		if s.at[inFlag] {
			args = append(args, s.flag(), s.value(inFlag, profile))
		}
		env[s.variable()], env[s.variable()+"_FILE"] = "", "" // as a shell has them whose variables are empty
		if s.at[inEnv] {
			env[s.variable()] = s.value(inEnv, profile)
		}
		if s.at[inEnvFile] {
			env[s.variable()+"_FILE"] = secretFile(s.value(inEnvFile, profile))
		}
		if s.name == "profile" {
			if s.at[inFile] {
				config = fmt.Sprintf("profile = %q\n", s.value(inFile, ""))
			}
			continue
		}
		for section := range sections {
			if s.at[inFile] {
				sections[section] += fmt.Sprintf("%s = %q\n", s.name, s.value(inFile, section))
			}
			if s.at[inFileFile] {
				sections[section] += fmt.Sprintf("%s_file = %q\n", s.name, secretFile(s.value(inFileFile, section)))
			}
		}
	}
	config += "[profiles.sandbox]\n" + sections["sandbox"] + "[profiles.live]\n" + sections["live"]
	require.NoError(t, os.WriteFile(a.configFile, []byte(config), 0o600))

	command, _, err := a.newRoot().Find([]string{"config"})
	require.NoError(t, err)
	require.NoError(t, command.ParseFlags(args))
	got, err := a.settings()
	require.NoError(t, err, "%v %v\n%s", args, env, config)
	byName := map[string]*setting{}
	for _, one := range got.all() {
		byName[one.name] = one
	}
	require.Equal(t, profileSource, byName["profile"].source)
	for _, s := range all {
		value, source := s.expected(a.configFile, profile)
		require.Equal(t, value, byName[s.name].value, "%s of %v: %v %v\n%s", s.name, s.at, args, env, config)
		require.Equal(t, source, byName[s.name].source, "%s of %v", s.name, s.at)
	}
}

// expected is the value of the first place that has the setting, and how that place is
// named.
func (s *source) expected(configFile, profile string) (value, from string) {
	for p := range places {
		if !s.at[p] {
			continue
		}
		value = s.value(p, profile)
		switch {
		case p == inFlag:
			return value, s.flag()
		case p == inEnv:
			return value, s.variable()
		case p == inEnvFile:
			return value, s.variable() + "_FILE"
		case p == inFile && s.name == "profile":
			return value, configFile
		case p == inFile:
			return value, configFile + " [profiles." + profile + "]"
		default:
			return value, filepath.Join(filepath.Dir(configFile), value+".key")
		}
	}
	if s.fallback != "" {
		return s.fallback, defaultSource
	}
	return "", ""
}

// A local server's keys go to it, and no other keys do: with --local, neither the
// environment nor the file has a word in it but for the timeout.
func TestALocalServerIsCalledWithItsOwnKeysAlone(t *testing.T) {
	t.Parallel()
	all := knownSources(t)
	server := local.Server{
		URL: "http://127.0.0.1:4010", CertificateFile: "/tmp/localhost.pem",
		Sandbox: local.Keys{PublicKey: "pk_sandbox_local", SecretKey: "sk_sandbox_local", PayinAPIKey: "key-local", PayinAPIClient: "client-local"},
		Live:    local.Keys{PublicKey: "pk_live_local", SecretKey: "sk_live_local", PayinAPIKey: "live-key-local", PayinAPIClient: "live-client-local"},
	}
	for _, profile := range []string{"", "sandbox", "live"} {
		for _, flagged := range []bool{true, false} {
			env := map[string]string{}
			a := settingsApp(t, env, "this is no TOML: it is not read")
			writeServer(t, a.localDir, server)
			for _, s := range all {
				env[s.variable()] = s.value(inEnv, "live")
			}
			args := []string{"--local"}
			if profile != "" {
				args = append(args, "--profile", profile)
			}
			if flagged {
				args = append(args, "--timeout", "3s")
			}
			command, _, err := a.newRoot().Find([]string{"config"})
			require.NoError(t, err)
			require.NoError(t, command.ParseFlags(args))
			s, err := a.settings()
			require.NoError(t, err)
			keys := server.Sandbox
			if profile == "live" {
				keys = server.Live
			}
			timeout := env["INTRAM_TIMEOUT"]
			if flagged {
				timeout = "3s"
			}
			want := map[string]string{
				"profile": map[string]string{"": "sandbox", "sandbox": "sandbox", "live": "live"}[profile], "public_key": keys.PublicKey,
				"secret_key": keys.SecretKey, "base_url": server.URL, "payin_api_key": keys.PayinAPIKey, "payin_api_client": keys.PayinAPIClient,
				"payin_base_url": server.URL, "webhook_secret": "", "timeout": timeout, "certificate": server.CertificateFile,
			}
			for _, one := range s.all() {
				assert.Equal(t, want[one.name], one.value, "%s of %q", one.name, profile)
			}
		}
	}
	// Nothing that would send its keys to another address goes with it.
	for _, s := range all {
		if !s.hasFlag || s.name == "profile" || s.name == "timeout" {
			continue
		}
		a := settingsApp(t, nil, "")
		writeServer(t, a.localDir, server)
		command, _, err := a.newRoot().Find([]string{"config"})
		require.NoError(t, err)
		require.NoError(t, command.ParseFlags([]string{"--local", s.flag(), s.value(inFlag, "sandbox")}))
		_, err = a.settings()
		require.ErrorContains(t, err, "leave out", s.name)
	}
}

// sentTo is what a call carried to an address.
type sentTo struct{ host, key, payinKey string }

// Where a call goes and which keys it carries belong together, whatever place each of the
// two comes from.
func TestTheKeysGoToTheAddressOfTheirSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, args := range [][]string{{"balance"}, {"payin", "get", "order-1"}} {
		for name, want := range map[string]string{"--base-url": "flag.example.com", "--payin-base-url": "flag.example.com", "": "env.example.com"} {
			env := map[string]string{
				"INTRAM_PUBLIC_KEY": b.server.PublicKey, "INTRAM_SECRET_KEY": b.server.SecretKey, "INTRAM_BASE_URL": "https://env.example.com/v1",
				"INTRAM_PAYIN_API_KEY": b.server.PayinAPIKey, "INTRAM_PAYIN_API_CLIENT": b.server.PayinAPIClient, "INTRAM_PAYIN_BASE_URL": "https://env.example.com",
			}
			var seen []sentTo
			one := &bench{home: t.TempDir(), env: env, clock: b.clock, opts: []intram.ClientOption{seeing(&seen)}}
			line := append([]string(nil), args...)
			if name != "" {
				line = append(line, name, "https://flag.example.com")
			}
			one.run(t, line...)
			require.NotEmpty(t, seen, "%v", line)
			payin := args[0] == "payin"
			if payin == (name == "--base-url") && name != "" {
				want = "env.example.com" // the other API's address
			}
			for _, call := range seen {
				assert.Equal(t, want, call.host, "%v", line)
				assert.Equal(t, payin, call.payinKey != "", "%v", line)
				assert.Equal(t, !payin, call.key != "", "%v", line)
			}
		}
	}
	// A key does not go over a line that others read.
	for _, address := range []string{"http://api.example.com/v1", "http://10.0.0.1", "http://localhost.example.com", "ftp://127.0.0.1", "https://", "//example.com"} {
		var seen []sentTo
		one := &bench{home: t.TempDir(), env: map[string]string{
			"INTRAM_PUBLIC_KEY": b.server.PublicKey, "INTRAM_SECRET_KEY": b.server.SecretKey, "INTRAM_BASE_URL": address,
			"INTRAM_PAYIN_API_KEY": b.server.PayinAPIKey, "INTRAM_PAYIN_API_CLIENT": b.server.PayinAPIClient, "INTRAM_PAYIN_BASE_URL": address,
		}, clock: b.clock, opts: []intram.ClientOption{seeing(&seen)}}
		for _, args := range [][]string{{"balance"}, {"payin", "get", "order-1"}} {
			r := one.run(t, args...)
			assert.Equal(t, exitUsage, r.code, "%s: %s", address, r.err)
		}
		assert.Empty(t, seen, address)
	}
}

// looking notes where each call goes, and refuses it.
type looking struct{ seen *[]sentTo }

func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	_, client, _ := r.BasicAuth()
	*l.seen = append(*l.seen, sentTo{r.URL.Host, r.Header.Get("X-Api-Key"), client})
	return answering{http.StatusUnauthorized, `{"error":true,"code":"invalid_api_key","message":"no"}`}.RoundTrip(r)
}

func seeing(seen *[]sentTo) intram.ClientOption {
	return intram.WithHTTPClient(&http.Client{Transport: looking{seen}})
}

// A link has every bit set: what counts is the file behind it.
func TestASecretBehindALinkIsLookedAtAsOne(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		home := t.TempDir()
		secret, link := filepath.Join(home, "secret.key"), filepath.Join(home, "link.key")
		require.NoError(t, os.WriteFile(secret, []byte("sk_sandbox_0000000000000000000000000000feed"), 0o600))
		require.NoError(t, os.Chmod(secret, mode))
		require.NoError(t, os.Symlink(secret, link))
		_, err := settingsApp(t, map[string]string{"INTRAM_SECRET_KEY_FILE": link}, "").settings()
		if refused {
			require.ErrorContains(t, err, "chmod 600", "%o", mode)
			continue
		}
		require.NoError(t, err, "%o", mode)
	}
}
