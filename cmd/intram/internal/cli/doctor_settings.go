package cli

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/doctor"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/internal/credential"
)

// gather reads the configuration, and checks the file, the profile, the variables and the
// timeout.
func (x *examination) gather(ctx context.Context) {
	x.gathered = x.read(ctx)
	if x.settings = x.gathered.settings; x.settings == nil { // a local server that does not run, or a pipe
		x.unread = true
		x.settings = &settings{
			publicKey: setting{name: "public_key"}, secretKey: setting{name: "secret_key"}, webhookSecret: setting{name: "webhook_secret"},
			payinAPIKey: setting{name: "payin_api_key"}, payinClient: setting{name: "payin_api_client"},
		}
	}
	x.add(x.fileCheck(), x.profileCheck(), x.variables(), x.timeoutCheck())
}

// read reads the configuration. A pipe that is never written to would block: it is given
// up after the timeout.
func (x *examination) read(ctx context.Context) *gathered {
	a := x.app
	limit, least := intram.DefaultTimeout, time.Second // a disk is no network
	if d, err := time.ParseDuration(a.layered("timeout", a.connection.timeout, "--timeout", "INTRAM_TIMEOUT", "", "", "").value); err == nil && d > 0 {
		limit = max(d, least)
	}
	ctx, cancel := a.machine(limit).Within(ctx, limit)
	defer cancel()
	done := make(chan *gathered, 1)
	go func() { done <- a.gather() }()
	select {
	case g := <-done:
		return g
	case <-ctx.Done():
		g := &gathered{path: a.configPath()}
		g.mistake("file", errUnread)
		return g
	}
}

var noConfiguration = doctor.Say("there is no configuration")

// errUnread is a configuration that blocks its reader.
var errUnread = errors.New("a file of it was not read to its end in time: it is a pipe that nothing is written to, or on a disk that is away")

// mistake returns what is wrong with a setting, nil if nothing is.
func (x *examination) mistake(name string) error {
	for _, m := range x.gathered.mistakes {
		if m.name == name {
			return m.err
		}
	}
	return nil
}

// words returns an error of the configuration, in public without the files and profiles
// that it names.
func (x *examination) words(err error) doctor.Text {
	shown := strings.TrimPrefix(doctor.Printable(err.Error()), "the configuration ")
	public := shown
	for _, own := range x.ownNames() {
		public = strings.ReplaceAll(public, own.value, "["+own.kind+"]")
	}
	return doctor.Both(x.tidy(shown), public)
}

type ownName struct{ value, kind string }

// ownNames are the files and profiles of the merchant's, the longest first.
func (x *examination) ownNames() []ownName {
	p := x.gathered.profile
	files := []string{x.app.configPath(), x.gathered.path, x.app.localDir, p.SecretKeyFile, p.PayinAPIKeyFile, p.PayinAPIClientFile, p.WebhookSecretFile}
	for _, name := range variableNames {
		if value, _ := x.app.lookupEnv(name); strings.HasSuffix(name, "_FILE") {
			files = append(files, value)
		}
	}
	for _, file := range slices.Clone(files) {
		files = append(files, doctor.Printable(file), filepath.Dir(file))
	}
	home, _ := x.app.lookupEnv("HOME")
	var names []ownName
	for _, file := range append(files, home) {
		if len(file) > 1 && file != "." {
			names = append(names, ownName{file, "file"})
		}
	}
	for _, name := range append(slices.Clone(x.gathered.profiles), x.settings.profile.value) {
		if !isEnvironment(name) {
			names = append(names, ownName{"[profiles." + name + "]", "profile"}, ownName{"profiles." + name, "profile"}, ownName{`"` + name + `"`, "profile"}, ownName{" " + name + ",", "profile"})
		}
	}
	slices.SortStableFunc(names, func(a, b ownName) int { return len(b.value) - len(a.value) })
	return names
}

// tidy writes the home folder as ~.
func (x *examination) tidy(text string) string {
	if home, _ := x.app.lookupEnv("HOME"); len(home) > 1 {
		return strings.ReplaceAll(text, home+string(filepath.Separator), "~"+string(filepath.Separator))
	}
	return text
}

func (x *examination) file(path string) any { return doctor.Own("file", x.tidy(path)) }

// source says where a setting is from.
func (x *examination) source(s *setting) doctor.Text {
	switch {
	case s.source == defaultSource:
		return doctor.Say("the default")
	case strings.HasPrefix(s.source, "INTRAM_"):
		return doctor.Say("%s", s.source)
	case strings.HasPrefix(s.source, "--"):
		flag, _, _ := strings.Cut(s.source, " ")
		return doctor.Say("%s", flag)
	case s.source == x.gathered.path:
		return doctor.Say("the file")
	case strings.HasPrefix(s.source, x.gathered.path+" ["):
		return doctor.Say("the profile %s of the file", x.profileName())
	}
	return doctor.Say("%s", x.file(s.source))
}

func (x *examination) profileName() any {
	if name := x.settings.profile.value; !isEnvironment(name) {
		return doctor.Own("name", name)
	}
	return x.settings.profile.value
}

func (x *examination) fileCheck() doctor.Check {
	const name = "configuration"
	a := x.app
	if err := x.mistake("file"); errors.Is(err, errUnread) {
		return doctor.Failure(name, doctor.Setting, x.words(err), doctor.Say("look at the files that --config, INTRAM_CONFIG and the variables ending in _FILE name"))
	}
	if a.connection.local {
		if err := x.mistake("file"); err != nil {
			do := doctor.Say("remove what is there, and start one in another terminal: intram serve")
			switch {
			case errors.Is(err, local.ErrNotRunning):
				do = doctor.Say("start one in another terminal: intram serve")
			case x.gathered.settings == nil && a.connection.baseURL+a.connection.publicKey+a.connection.payinBaseURL != "":
				do = doctor.Say("leave out those flags, or --local")
			}
			return doctor.Failure(name, doctor.Setting, x.words(err), do)
		}
		return doctor.Good(name, doctor.Say("--local: that of the local server, and no file"))
	}
	path := a.configPath()
	if err := x.mistake("file"); err != nil {
		do := doctor.Say("correct the file, or name another one with --config")
		switch {
		case strings.Contains(err.Error(), "chmod 600"):
			do = doctor.Say("only its owner may be able to read it: chmod 600 %s", x.file(path))
		case errors.Is(err, fs.ErrNotExist):
			do = doctor.Say("correct --config or INTRAM_CONFIG, or begin a file: intram config init")
		case errors.Is(err, fs.ErrPermission):
			do = doctor.Say("its owner must be the user who runs this command: ls -l %s", x.file(path))
		}
		return doctor.Failure(name, doctor.Setting, x.words(err), do)
	}
	if path == "" {
		return doctor.Good(name, doctor.Say("no file: this user has no folder for one, and the environment is used"))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return doctor.Good(name, doctor.Say("no file %s: the environment and the defaults are used", x.file(path)))
	}
	return doctor.Good(name, doctor.Say("%s", x.file(path)))
}

func (x *examination) profileCheck() doctor.Check {
	const name = "profile"
	if x.settings.profile.value == "" {
		return doctor.NotChecked(name, noConfiguration)
	}
	if err := x.mistake(name); err != nil {
		return doctor.Failure(name, doctor.Setting, x.words(err), doctor.Say("name another one with --profile or INTRAM_PROFILE, or correct the keys; intram config shows what there is"))
	}
	return doctor.Good(name, doctor.Say("%s, from %s", x.profileName(), x.source(&x.settings.profile)))
}

func (x *examination) timeout() time.Duration {
	if d, err := time.ParseDuration(x.settings.timeout.value); err == nil && d > 0 {
		return d
	}
	return intram.DefaultTimeout
}

func (x *examination) timeoutCheck() doctor.Check {
	s := &x.settings.timeout
	if x.mistake("timeout") != nil {
		return doctor.Failure("timeout", doctor.Setting, doctor.Say("not a duration, from %s", x.source(s)), doctor.Say("write a number and a unit, such as 30s"))
	}
	if s.value == "" {
		return doctor.NotChecked("timeout", noConfiguration)
	}
	if d := x.timeout(); d < time.Second {
		return doctor.Warning("timeout", doctor.Say("%s for one response, from %s", d, x.source(s)), doctor.Say("give it some seconds: a payout that is cut off is in doubt"))
	}
	return doctor.Good("timeout", doctor.Say("%s for one response, from %s", x.timeout(), x.source(s)))
}

// variableNames are the variables that the command reads.
var variableNames = []string{
	"INTRAM_CONFIG", "INTRAM_PROFILE", "INTRAM_PUBLIC_KEY", "INTRAM_SECRET_KEY", "INTRAM_SECRET_KEY_FILE", "INTRAM_BASE_URL",
	"INTRAM_PAYIN_API_KEY", "INTRAM_PAYIN_API_KEY_FILE", "INTRAM_PAYIN_API_CLIENT", "INTRAM_PAYIN_API_CLIENT_FILE", "INTRAM_PAYIN_BASE_URL",
	"INTRAM_WEBHOOK_SECRET", "INTRAM_WEBHOOK_SECRET_FILE", "INTRAM_TIMEOUT", "INTRAM_DATABASE_URL", "INTRAM_SEAL_KEYS", "INTRAM_LANG",
}

// guessed are names that people give to a variable, with the right one.
var guessed = map[string]string{ //nolint:gosec // names, not values
	"INTRAM_API_KEY": "INTRAM_PUBLIC_KEY", "INTRAM_KEY": "INTRAM_PUBLIC_KEY", "INTRAM_API_PUBLIC_KEY": "INTRAM_PUBLIC_KEY",
	"INTRAM_SECRET": "INTRAM_SECRET_KEY", "INTRAM_API_SECRET": "INTRAM_SECRET_KEY", "INTRAM_API_SECRET_KEY": "INTRAM_SECRET_KEY",
	"INTRAM_WEBHOOK_KEY": "INTRAM_WEBHOOK_SECRET", "INTRAM_WEBHOOK_SECRET_KEY": "INTRAM_WEBHOOK_SECRET",
	"INTRAM_API_URL": "INTRAM_BASE_URL", "INTRAM_API_BASE_URL": "INTRAM_BASE_URL", "INTRAM_ENV": "INTRAM_PROFILE", "INTRAM_ENVIRONMENT": "INTRAM_PROFILE",
}

// variables looks for variables that have no effect: mistyped, empty, or behind another
// source.
func (x *examination) variables() doctor.Check {
	var set, found, todo []string
	problem := func(what, do string) {
		found = append(found, what)
		if !slices.Contains(todo, do) {
			todo = append(todo, do)
		}
	}
	for _, variable := range x.app.environment() {
		right := guessed[variable]
		for _, known := range variableNames {
			upper := strings.ToUpper(variable)
			if variable != known && (upper == known || strings.HasPrefix(upper, "INTRAM") && !slices.Contains(variableNames, variable) && doctor.Near(variable, known)) {
				right = known
			}
		}
		if right != "" && !slices.Contains(variableNames, variable) {
			problem(variable+" is not read: it looks like "+right, "rename it")
		}
	}
	for _, variable := range variableNames {
		value, there := x.app.lookupEnv(variable)
		switch {
		case there && strings.TrimSpace(value) == "":
			problem(variable+" is set and empty", "unset it, or give it a value")
		case there:
			set = append(set, variable)
		}
	}
	if x.app.connection.local {
		return x.variablesOf(set, found, todo)
	}
	for _, s := range x.settings.all() {
		variable := "INTRAM_" + strings.ToUpper(s.name)
		value, _ := x.app.lookupEnv(variable)
		file, _ := x.app.lookupEnv(variable + "_FILE")
		switch {
		case s.name == "" || value == "" && file == "":
		case value != "" && file != "" && s.secret:
			problem(variable+" and "+variable+"_FILE are both set, and the first is used", "unset one of them")
		case strings.HasPrefix(s.source, "--"):
			problem(variable+" is set, and "+strings.Fields(s.source)[0]+" is used instead", "leave out one of them, unless it is meant")
		case strings.HasPrefix(s.source, variable) && x.gathered.profile.has(s.name, value):
			problem(variable+" is used, and not the "+s.name+" of the profile", "unset the variable, if the profile is meant")
		}
	}
	return x.variablesOf(set, found, todo)
}

func (x *examination) variablesOf(set, found, todo []string) doctor.Check {
	const name = "variables"
	switch {
	case len(found) > 0:
		return doctor.Warning(name, doctor.Say("%s", strings.Join(found, "; ")), doctor.Say("%s", strings.Join(todo, "; ")))
	case len(set) == 0:
		return doctor.Good(name, doctor.Say("none is set"))
	case x.app.connection.local:
		return doctor.Good(name, doctor.Say("those that are set have no effect with --local (but for INTRAM_TIMEOUT)"))
	}
	return doctor.Good(name, doctor.Say("%s", strings.Join(set, ", ")))
}

// has reports whether the profile has a value of its own for a setting.
func (p profileConfiguration) has(name, other string) bool {
	values := map[string][]string{
		"public_key": {p.PublicKey}, "secret_key": {p.SecretKey, p.SecretKeyFile}, "base_url": {p.BaseURL},
		"payin_api_key": {p.PayinAPIKey, p.PayinAPIKeyFile}, "payin_api_client": {p.PayinAPIClient, p.PayinAPIClientFile},
		"payin_base_url": {p.PayinBaseURL}, "webhook_secret": {p.WebhookSecret, p.WebhookSecretFile}, "timeout": {p.Timeout},
	}[name]
	return slices.ContainsFunc(values, func(v string) bool { return v != "" && v != other })
}

// keys checks the forms of the keys, and that they belong together.
func (x *examination) keys() {
	s := x.settings
	public, secret := x.key(&s.publicKey, "the public key"), x.key(&s.secretKey, "the secret key")
	set := s.publicKey.value != "" && s.secretKey.value != ""
	if payin := s.payinAPIKey.value != "" && s.payinClient.value != ""; payin && s.publicKey.value == "" && s.secretKey.value == "" && x.mistake("secret_key") == nil {
		public, secret = doctor.NotChecked("public_key", doctor.Say("not set: payin sessions alone are used")), doctor.NotChecked("secret_key", doctor.Say("not set: payin sessions alone are used"))
	}
	x.add(public, secret)
	switch {
	case !set:
		x.add(doctor.NotChecked("key_pair", doctor.Say("the keys are not both set")))
	case strings.HasPrefix(s.publicKey.value, "sk_") && strings.HasPrefix(s.secretKey.value, "pk_"):
		x.add(doctor.Failure("key_pair", doctor.Setting, doctor.Say("the public and the secret key are swapped"), doctor.Say("the public key begins with pk_, the secret key with sk_: exchange them")))
	case public.Status != doctor.OK || secret.Status != doctor.OK:
		x.add(doctor.NotChecked("key_pair", doctor.Say("a key is wrong by itself")))
	default:
		x.add(x.keyPair())
	}
	if s.webhookSecret.value == "" && x.mistake("webhook_secret") == nil {
		x.add(doctor.NotChecked("webhook_secret", doctor.Say("not set: only intram verify needs it")))
	} else {
		x.add(x.key(&s.webhookSecret, "a webhook secret"))
	}
	x.add(x.payinKeysCheck())
}

// key checks one key. It shows its kind and environment, and not a character of it more.
func (x *examination) key(s *setting, what string) doctor.Check {
	if err := x.mistake(s.name); err != nil {
		return doctor.Failure(s.name, doctor.Setting, x.words(err), doctor.Say("correct the file of the secret, or name another one"))
	}
	if s.value == "" {
		if x.unread {
			return doctor.NotChecked(s.name, noConfiguration)
		}
		return doctor.Failure(s.name, doctor.Setting, doctor.Say("not set"),
			doctor.Say("intram config init asks for the keys; or set INTRAM_%s; or try the fake: intram serve, and --local", strings.ToUpper(s.name)))
	}
	if mistake := s.mistake(); mistake != "" {
		return doctor.Failure(s.name, doctor.Setting, doctor.Say("%s %s, from %s", what, mistake, x.source(s)), doctor.Say("copy it from the portal again, alone and whole"))
	}
	if of, _ := environmentOf(s.value); of != "" {
		return doctor.Good(s.name, doctor.Say("%s of the %s environment, from %s", what, of, x.source(s)))
	}
	if (s.name == "public_key" || s.name == "secret_key") && !x.app.connection.local {
		prefix := map[string]string{"public_key": "pk_", "secret_key": "sk_"}[s.name]
		if !strings.HasPrefix(s.value, prefix) {
			return doctor.Failure(s.name, doctor.Setting, doctor.Say("%s does not begin with %s, from %s", what, prefix, x.source(s)),
				doctor.Say("copy it from the portal again; the private key of the older API does not sign"))
		}
	}
	return doctor.Good(s.name, doctor.Say("%s, from %s", what, x.source(s)))
}

// keyPair checks two keys that are well by themselves.
func (x *examination) keyPair() doctor.Check {
	s := x.settings
	if _, err := intram.NewClient(s.publicKey.value, s.secretKey.value); err != nil {
		return doctor.Failure("key_pair", doctor.Setting, doctor.Say("%s", trimPrefix(inShellWords(err.Error()))),
			doctor.Say("copy both keys of one environment from the portal"))
	}
	x.merchantKeys = true
	of, _ := environmentOf(s.publicKey.value)
	text := doctor.Say("both are of the %s environment", of)
	if s.publicKey.source != s.secretKey.source && strings.HasPrefix(s.publicKey.source, "INTRAM_") != strings.HasPrefix(s.secretKey.source, "INTRAM_") {
		return doctor.Warning("key_pair", doctor.Say("%s, and from two places: the environment variables and elsewhere", text),
			doctor.Say("check that they belong together; the signature is refused otherwise"))
	}
	return doctor.Good("key_pair", text)
}

func (x *examination) payinKeysCheck() doctor.Check {
	const name = "payin_keys"
	s := x.settings
	for _, key := range []*setting{&s.payinAPIKey, &s.payinClient} {
		if err := x.mistake(key.name); err != nil {
			return doctor.Failure(name, doctor.Setting, x.words(err), doctor.Say("correct the file of the secret, or name another one"))
		}
	}
	switch {
	case s.payinAPIKey.value == "" && s.payinClient.value == "":
		return doctor.NotChecked(name, doctor.Say("not set: only payin sessions need them"))
	case s.payinAPIKey.value == "" || s.payinClient.value == "":
		return doctor.Failure(name, doctor.Setting, doctor.Say("one of the two is not set"), doctor.Say("set both INTRAM_PAYIN_API_KEY and INTRAM_PAYIN_API_CLIENT"))
	}
	for _, key := range []*setting{&s.payinAPIKey, &s.payinClient} {
		if mistake := credential.Mistake(credential.PayinKey, key.value); mistake != "" {
			return doctor.Failure(name, doctor.Setting, doctor.Say("%s %s, from %s", key.name, mistake, x.source(key)), doctor.Say("copy it from the payin portal again"))
		}
	}
	if _, err := intram.NewPayinClient(s.payinAPIKey.value, s.payinClient.value); err != nil {
		return doctor.Failure(name, doctor.Setting, doctor.Say("%s", trimPrefix(inShellWords(err.Error()))), doctor.Say("copy both from the payin portal again"))
	}
	x.payinKeys = true
	return doctor.Good(name, doctor.Say("both are set, from %s", x.source(&s.payinAPIKey)))
}

// addresses checks the base URLs, and the proxies on the way to them.
func (x *examination) addresses() {
	s := x.settings
	x.merchant = x.address("base_url", &s.baseURL, doctor.Merchant, doctor.Payin)
	base := s.payinBaseURL
	switch {
	case base.value != "":
	case !x.payinKeys:
		x.add(doctor.NotChecked("payin_base_url", doctor.Say("payin sessions are not used")))
	case s.environment() == "":
		x.add(doctor.Failure("payin_base_url", doctor.Setting, doctor.Say("the environment of the profile %s is not known", x.profileName()),
			doctor.Say(`write environment = "live" or "sandbox" into the profile`)))
	default:
		base = setting{name: "payin_base_url", source: defaultSource, value: intram.PayinBaseURLSandbox}
		if s.environment() == intram.Live {
			base.value = intram.PayinBaseURLLive
		}
	}
	if base.value != "" {
		x.payin = x.address("payin_base_url", &base, doctor.Payin, doctor.Merchant)
	}
	x.add(x.machine.Proxy(x.merchant, x.payin))
}

// address checks one base URL, and returns it if it is usable.
func (x *examination) address(name string, s *setting, known, other []doctor.Known) *url.URL {
	if s.value == "" {
		x.add(doctor.NotChecked(name, noConfiguration))
		return nil
	}
	// What people paste around a value is the same as around a secret that they choose.
	if mistake := credential.Mistake(credential.PayinSecret, s.value); mistake != "" {
		x.add(doctor.Failure(name, doctor.Setting, doctor.Say("the value %s, from %s", mistake, x.source(s)), doctor.Say("write the URL alone")))
		return nil
	}
	check, u := doctor.BaseURL(name, s.value, x.source(s), known, other)
	if u != nil {
		option := intram.WithBaseURL(s.value)
		if name == "payin_base_url" {
			option = intram.WithPayin("k", "c", intram.WithPayinBaseURL(s.value))
		}
		if _, err := intram.NewClient("pk_sandbox_doctor", "sk_sandbox_doctor", option); err != nil {
			check, u = doctor.Failure(name, doctor.Setting, doctor.Say("%s, from %s", trimPrefix(inShellWords(err.Error())), x.source(s)), doctor.Say("write the URL as the documentation has it")), nil
		}
	}
	if live := "business.novasend.app"; u != nil && name == "payin_base_url" && check.Status == doctor.OK && !doctor.IsLoopback(u.Hostname()) &&
		x.settings.environment() != "" && (u.Hostname() == live) != (x.settings.environment() == intram.Live) {
		check = doctor.Warning(name, doctor.Say("%s is not of the %s environment, which the profile is of", doctor.Place(u), x.settings.environment()),
			doctor.Say("leave payin_base_url out: it follows from the environment"))
	}
	x.add(check)
	return u
}
