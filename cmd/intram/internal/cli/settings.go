package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/internal/credential"
)

// setting is one value of the configuration, and its source.
type setting struct {
	name   string
	value  string
	source string // empty when it is not set
	secret bool
}

// settings is the configuration of one run: flags first, then the environment, then the
// file, then the defaults.
type settings struct {
	profile       setting
	publicKey     setting
	secretKey     setting
	baseURL       setting
	payinAPIKey   setting
	payinClient   setting
	payinBaseURL  setting
	webhookSecret setting
	timeout       setting
	// certificate is the PEM file of a local server's own certificate.
	certificate setting

	// of is the environment that the profile says it is of, by its name or in the file;
	// empty when only its keys tell.
	of intram.Environment
}

// all lists the settings in the order in which they are shown.
func (s *settings) all() []*setting {
	return []*setting{
		&s.profile, &s.publicKey, &s.secretKey, &s.baseURL, &s.payinAPIKey, &s.payinClient, &s.payinBaseURL,
		&s.webhookSecret, &s.timeout, &s.certificate,
	}
}

// masked returns the value in a form that is safe to show.
func (s setting) masked() string {
	switch {
	case s.value == "":
		return "(not set)"
	case !s.secret:
		return s.value
	}
	for _, prefix := range []string{"sk_sandbox_", "sk_live_", "sk_", "whsec_"} {
		if strings.HasPrefix(s.value, prefix) {
			return prefix + "…"
		}
	}
	return "(set)"
}

// Format implements [fmt.Formatter]: a setting never shows a secret, whatever the verb.
func (s setting) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.name+"="+s.masked()) }

// Format implements [fmt.Formatter]: all settings, each as it may be shown.
func (s settings) Format(f fmt.State, _ rune) {
	for i, one := range s.all() {
		if i > 0 {
			fmt.Fprint(f, " ")
		}
		fmt.Fprint(f, *one)
	}
}

// configuration is the content of the file.
type configuration struct {
	Profile  string                          `toml:"profile"`
	Profiles map[string]profileConfiguration `toml:"profiles"`
}

// profileConfiguration is one profile of the file. Each secret can stand in a file of its
// own instead.
type profileConfiguration struct {
	Environment        string `toml:"environment"`
	PublicKey          string `toml:"public_key"`
	SecretKey          string `toml:"secret_key"`
	SecretKeyFile      string `toml:"secret_key_file"`
	BaseURL            string `toml:"base_url"`
	PayinAPIKey        string `toml:"payin_api_key"`
	PayinAPIKeyFile    string `toml:"payin_api_key_file"`
	PayinAPIClient     string `toml:"payin_api_client"`
	PayinAPIClientFile string `toml:"payin_api_client_file"`
	PayinBaseURL       string `toml:"payin_base_url"`
	WebhookSecret      string `toml:"webhook_secret"`
	WebhookSecretFile  string `toml:"webhook_secret_file"`
	Timeout            string `toml:"timeout"`
}

func (p profileConfiguration) hasSecret() bool {
	return p.SecretKey != "" || p.PayinAPIKey != "" || p.PayinAPIClient != "" || p.WebhookSecret != ""
}

const defaultProfile = string(intram.Sandbox)

// settings reads the configuration, and refuses contradictions.
func (a *app) settings() (*settings, error) {
	g := a.gather()
	if len(g.mistakes) > 0 {
		return nil, g.mistakes[0].err
	}
	s, profile := g.settings, a.connection.profile
	if p := g.profile; profile != "" && (p.SecretKey != "" || p.SecretKeyFile != "") && strings.HasPrefix(s.secretKey.source, "INTRAM_") {
		a.note("The secret key is that of %s, which comes before the one of --profile %s.", s.secretKey.source, profile)
	}
	return s, nil
}

// gathered is the configuration of one run, as far as it can be read, with everything
// that is wrong with it.
type gathered struct {
	settings *settings
	path     string // of the file, which need not be there
	profile  profileConfiguration
	profiles []string         // that can be chosen
	mistakes []settingMistake // in the order in which they were found
}

// settingMistake is what is wrong with one setting, or with the file ("file").
type settingMistake struct {
	name string
	err  error
}

func (g *gathered) mistake(name string, err error) {
	if err != nil {
		g.mistakes = append(g.mistakes, settingMistake{name, err})
	}
}

// gather reads the configuration. It goes on after a mistake.
func (a *app) gather() *gathered {
	f := a.connection
	if f.local {
		return a.gatherLocal()
	}
	g, s := &gathered{}, &settings{}
	file, path, err := a.readConfig()
	g.settings, g.path, g.profiles = s, path, file.names()
	g.mistake("file", err)
	s.profile = a.layered("profile", f.profile, "--profile", "INTRAM_PROFILE", file.Profile, path, defaultProfile)
	p, found := file.Profiles[s.profile.value]
	if !found && !isEnvironment(s.profile.value) && err == nil {
		name := s.profile.value
		if keyPrefix.MatchString(name) {
			name = "(a key)"
		}
		g.mistake("profile", usagef("%s: there is no profile %q in %s: it has %s", s.profile.source, name, path, join(file.names())))
	}
	g.profile = p
	s.of = p.environment(s.profile.value)
	here := path + " [profiles." + s.profile.value + "]"
	s.publicKey = a.layered("public_key", f.publicKey, "--public-key", "INTRAM_PUBLIC_KEY", p.PublicKey, here, "")
	s.baseURL = a.layered("base_url", f.baseURL, "--base-url", "INTRAM_BASE_URL", p.BaseURL, here, intram.BaseURL)
	s.payinBaseURL = a.layered("payin_base_url", f.payinBaseURL, "--payin-base-url", "INTRAM_PAYIN_BASE_URL", p.PayinBaseURL, here, "")
	s.timeout = a.layered("timeout", f.timeout, "--timeout", "INTRAM_TIMEOUT", p.Timeout, here, intram.DefaultTimeout.String())
	for _, secret := range []struct {
		into              *setting
		name, variable    string
		inFile, otherFile string
	}{
		{&s.secretKey, "secret_key", "INTRAM_SECRET_KEY", p.SecretKey, p.SecretKeyFile},
		{&s.payinAPIKey, "payin_api_key", "INTRAM_PAYIN_API_KEY", p.PayinAPIKey, p.PayinAPIKeyFile},
		{&s.payinClient, "payin_api_client", "INTRAM_PAYIN_API_CLIENT", p.PayinAPIClient, p.PayinAPIClientFile},
		{&s.webhookSecret, "webhook_secret", "INTRAM_WEBHOOK_SECRET", p.WebhookSecret, p.WebhookSecretFile},
	} {
		*secret.into, err = a.layeredSecret(secret.name, secret.variable, secret.inFile, secret.otherFile, path, here)
		g.mistake(secret.name, err)
	}
	s.certificate = setting{name: "certificate"}
	s.check(g)
	return g
}

// check finds settings that contradict each other.
func (s *settings) check(g *gathered) {
	if s.profile.source != "" && s.profile.source != defaultSource && s.of != "" {
		for _, key := range []setting{s.publicKey, s.secretKey} {
			if of, prefix := environmentOf(key.value); of != "" && of != s.of {
				name := string(s.of)
				if s.profile.value != name {
					name = s.profile.value + ", which is " + name
				}
				g.mistake("profile", usagef("the profile is %s (%s), and the %s of %s starts with %s", name, s.profile.source, key.name, key.source, prefix))
				break
			}
		}
	}
	if d, err := time.ParseDuration(s.timeout.value); err != nil || d <= 0 {
		g.mistake("timeout", usagef("%s: timeout must be a duration such as 30s", s.timeout.source))
	}
}

// environment returns that of the profile, or else that of its keys; empty if neither
// tells.
func (s *settings) environment() intram.Environment {
	if s.of != "" {
		return s.of
	}
	of, _ := environmentOf(s.publicKey.value)
	if of == "" {
		of, _ = environmentOf(s.secretKey.value)
	}
	return of
}

// environmentOf returns the environment of a key, and the prefix that tells.
func environmentOf(key string) (of intram.Environment, prefix string) {
	for _, environment := range []intram.Environment{intram.Sandbox, intram.Live} {
		for _, kind := range []string{"pk_", "sk_"} {
			if prefix = kind + string(environment) + "_"; strings.HasPrefix(key, prefix) {
				return environment, prefix
			}
		}
	}
	return "", ""
}

// defaultSource is the source of a value that was not set.
const defaultSource = "default"

// isEnvironment reports whether a profile has the name of an environment. Such a profile
// need not be in the file.
func isEnvironment(name string) bool {
	return name == string(intram.Sandbox) || name == string(intram.Live)
}

// profileName is how a profile may be named.
var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// names returns the profiles that can be chosen.
func (c configuration) names() []string {
	names := []string{string(intram.Sandbox), string(intram.Live)}
	for _, name := range slices.Sorted(maps.Keys(c.Profiles)) {
		if !isEnvironment(name) {
			names = append(names, name)
		}
	}
	return names
}

// environment returns the environment of a profile with that name.
func (p profileConfiguration) environment(name string) intram.Environment {
	if isEnvironment(name) {
		return intram.Environment(name)
	}
	return intram.Environment(p.Environment)
}

// mistake returns what is wrong with a profile of that name.
func (p profileConfiguration) mistake(name string) string {
	switch {
	case !profileName.MatchString(name):
		return "invalid profile name: use only letters, digits, - and _"
	case p.Environment != "" && !isEnvironment(p.Environment):
		return "invalid environment: write sandbox or live"
	case isEnvironment(name) && p.Environment != "" && p.Environment != name:
		return "this profile is of the environment of its name"
	}
	return ""
}

// layered returns the first of the values that is set.
func (a *app) layered(name, flag, flagName, variable, inFile, file, fallback string) setting {
	env, _ := a.lookupEnv(variable)
	for _, layer := range []struct{ value, source string }{
		{flag, flagName}, {env, variable}, {inFile, file}, {fallback, defaultSource},
	} {
		if layer.value != "" {
			return setting{name: name, value: layer.value, source: layer.source}
		}
	}
	return setting{name: name}
}

// layeredSecret is likewise the first of a secret's values. There is no flag for one: the
// arguments of a process are for all to see.
func (a *app) layeredSecret(name, variable, inFile, otherFile, config, here string) (setting, error) {
	found := func(value, source string) (setting, error) {
		return setting{name: name, value: value, source: source, secret: true}, nil
	}
	if value, _ := a.lookupEnv(variable); value != "" {
		return found(value, variable)
	}
	if path, _ := a.lookupEnv(variable + "_FILE"); path != "" {
		value, err := readSecretFile(path)
		if err != nil {
			return setting{name: name, secret: true}, usagef("%s_FILE: %w", variable, err)
		}
		return found(value, variable+"_FILE")
	}
	if inFile != "" && otherFile != "" {
		return setting{name: name, secret: true}, usagef("%s has both %s and %s_file: keep one", here, name, name)
	}
	if inFile != "" {
		return found(inFile, here)
	}
	if otherFile != "" {
		path := otherFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(config), path)
		}
		value, err := readSecretFile(path)
		if err != nil {
			return setting{name: name, secret: true}, usagef("%s: %s_file: %w", here, name, err)
		}
		return found(value, path)
	}
	return setting{name: name, secret: true}, nil
}

// readConfig reads the file of --config, or the one in its usual place, which need not be
// there.
func (a *app) readConfig() (configuration, string, error) {
	path, asked := a.configFile, false
	if value, _ := a.lookupEnv("INTRAM_CONFIG"); value != "" {
		path, asked = value, true
	}
	if a.connection.config != "" {
		path, asked = a.connection.config, true
	}
	if path == "" {
		return configuration{}, "", nil
	}
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return configuration{}, path, nil
	}
	if err != nil {
		return configuration{}, path, usagef("the configuration cannot be read: %w", err)
	}
	c, err := parseConfig(data, path)
	if err != nil {
		return c, path, err
	}
	for _, p := range c.Profiles {
		if p.hasSecret() {
			if err := onlyOwner(path); err != nil {
				return c, path, usagef("the configuration has a secret in it: %w", err)
			}
		}
	}
	return c, path, nil
}

// largestConfig is the size of a file of the configuration at most. A device such as
// /dev/zero never ends.
const largestConfig = 1 << 20

// readSmall reads a file of the configuration.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the user's own choice
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(io.LimitReader(f, largestConfig+1))
	if err == nil && len(data) > largestConfig {
		err = fmt.Errorf("%s is larger than 1 MiB: it is no file of the configuration", path)
	}
	return data, err
}

// parseConfig parses a configuration file.
func parseConfig(data []byte, path string) (configuration, error) {
	var c configuration
	if credential.UTF16(data) {
		return c, usagef("the configuration %s %s", path, utf16Mistake)
	}
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&c); err != nil {
		return c, usagef("%s: %s", path, configMistake(err))
	}
	for name, p := range c.Profiles {
		if mistake := p.mistake(name); mistake != "" {
			return c, usagef("%s: [profiles.%s]: %s", path, name, mistake)
		}
	}
	return c, nil
}

// configMistake returns where a file is wrong. It shows no value: the line may contain a
// secret.
func configMistake(err error) string {
	var (
		unknown *toml.StrictMissingError
		wrong   *toml.DecodeError
	)
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		row, _ := unknown.Errors[0].Position()
		return fmt.Sprintf("line %d: unknown setting %s", row, strings.Join(unknown.Errors[0].Key(), "."))
	case errors.As(err, &wrong):
		row, _ := wrong.Position()
		return fmt.Sprintf("line %d is not TOML, or not of the type that the setting has: write name = \"value\"", row)
	default:
		return "it is not TOML"
	}
}

// utf16Mistake follows the name of a file.
const utf16Mistake = "is UTF-16 text, as PowerShell's > writes it: save it as UTF-8"

// kinds maps each setting with a key to its kind.
var kinds = map[string]credential.Kind{
	"public_key": credential.PublicKey, "secret_key": credential.SecretKey, "payin_api_key": credential.PayinKey,
	"payin_api_client": credential.PayinKey,
}

// mistake returns what is wrong with a key, without showing it. A webhook secret may also
// be that of payin notifications, which a merchant may have chosen.
func (s setting) mistake() string {
	kind, known := kinds[s.name]
	switch {
	case s.value == "":
		return ""
	case known:
		return credential.Mistake(kind, s.value)
	case s.name == "webhook_secret":
		return webhookMistake(s.value, false)
	}
	return ""
}

// webhookMistake returns what is wrong with the secret of a delivery, or of a payin
// notification.
func webhookMistake(value string, payin bool) string {
	kind := credential.WebhookSecret
	if payin || !strings.HasPrefix(value, "whsec_") && credential.Mistake(credential.PayinSecret, value) == "" {
		kind = credential.PayinSecret
	}
	return credential.Mistake(kind, value)
}

// keyPrefix matches what begins as a key does.
var keyPrefix = regexp.MustCompile(`(?i)^\W*(sk|pk|whsec)_`)

// readSecretFile reads a secret from a file that contains nothing else. It removes one
// line break at the end, which an editor adds.
func readSecretFile(path string) (string, error) {
	data, err := readSmall(path)
	if err != nil {
		if !strings.ContainsAny(path, "/\\.") || keyPrefix.MatchString(path) {
			return "", errors.New("there is no such file; its name is not shown, since it may be the secret itself: this setting is the name of a file that holds the secret")
		}
		return "", err
	}
	if err := onlyOwner(path); err != nil {
		return "", err
	}
	if credential.UTF16(data) {
		return "", fmt.Errorf("%s %s", path, utf16Mistake)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	if strings.ContainsAny(value, "\r\n") {
		return "", fmt.Errorf("%s has more than one line: it must hold the secret and nothing else", path)
	}
	return value, nil
}

// onlyOwner refuses a file that others can read. A pipe has no owner: <(pass show intram)
// is fine.
func onlyOwner(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others can read %s: run: chmod 600 %s", path, path)
	}
	return nil
}

// gatherLocal returns the settings of a running "intram serve".
func (a *app) gatherLocal() *gathered {
	s, err := a.localSettings()
	g := &gathered{settings: s}
	g.mistake("file", err)
	if err == nil {
		s.check(g)
	}
	return g
}

// localSettings returns the settings of a running "intram serve".
func (a *app) localSettings() (*settings, error) {
	f := a.connection
	if f.baseURL != "" || f.publicKey != "" || f.payinBaseURL != "" {
		return nil, usagef("--local has the address and the keys of the local server: leave out --base-url, --payin-base-url and --public-key")
	}
	server, err := local.Read(a.localDir)
	if err != nil {
		return nil, usagef("--local: %w", err)
	}
	profile := setting{name: "profile", value: defaultProfile, source: defaultSource}
	if f.profile != "" {
		profile.value, profile.source = f.profile, "--profile"
	}
	keys := server.Sandbox
	switch profile.value {
	case string(intram.Sandbox):
	case string(intram.Live):
		keys = server.Live
	default:
		return nil, usagef("--profile: the local server's profiles are sandbox and live, not %q", profile.value)
	}
	of := func(name, value string, secret bool) setting {
		if value == "" {
			return setting{name: name, secret: secret}
		}
		return setting{name: name, value: value, source: "--local (" + a.localDir + ")", secret: secret}
	}
	s := &settings{
		of: intram.Environment(profile.value), profile: profile, publicKey: of("public_key", keys.PublicKey, false), secretKey: of("secret_key", keys.SecretKey, true),
		baseURL: of("base_url", server.URL, false), payinAPIKey: of("payin_api_key", keys.PayinAPIKey, true),
		payinClient: of("payin_api_client", keys.PayinAPIClient, true), payinBaseURL: of("payin_base_url", server.URL, false),
		certificate: of("certificate", server.CertificateFile, false),
	}
	s.webhookSecret = setting{name: "webhook_secret", secret: true}
	s.timeout = a.layered("timeout", f.timeout, "--timeout", "INTRAM_TIMEOUT", "", "", intram.DefaultTimeout.String())
	return s, nil
}
