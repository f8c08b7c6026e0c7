package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// connectionFlags choose the API and the account.
type connectionFlags struct {
	local        bool
	profile      string
	config       string
	baseURL      string
	publicKey    string
	payinBaseURL string
	timeout      string
}

// connects gives a command, and its subcommands, the flags that choose the API. There is
// no flag for a secret.
func (a *app) connects(cmd *cobra.Command) *cobra.Command {
	f, flags := &a.connection, cmd.PersistentFlags()
	flags.BoolVar(&f.local, "local", false, `speak to the fake that "intram serve" runs on this machine`)
	a.profileFlag(cmd)
	flags.StringVar(&f.config, "config", "", "the configuration `file` to read instead of the usual one")
	flags.StringVar(&f.baseURL, "base-url", "", "the API's `URL`, if it is not "+intram.BaseURL)
	flags.StringVar(&f.publicKey, "public-key", "", "the public `key` (the secret one is never a flag)")
	flags.StringVar(&f.payinBaseURL, "payin-base-url", "", "the `URL` of the API of payin sessions")
	flags.StringVar(&f.timeout, "timeout", "", "how long to wait for one response, such as 30s")
	flags.BoolVar(&a.verbose, "verbose", false, "show the API's own message about a failure too: they may name a customer")
	return cmd
}

// profileFlag gives a command, and its subcommands, the choice between the keys of the
// configuration.
func (a *app) profileFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&a.connection.profile, "profile", "", "whose keys of the configuration to use: sandbox, live, or a `name` of your own in it")
	completeBy(cmd, "profile", func() []string {
		file, _, _ := a.readConfig() // without one there are the two
		return file.names()
	})
}

// client returns a client of the Merchant API, made from the configuration.
func (a *app) client() (*intram.Client, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	if s.publicKey.value == "" || s.secretKey.value == "" {
		return nil, usagef("the keys are not set: set INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY, or write them to %s "+
			"with intram config init, or use --local with a running intram serve", a.configPath())
	}
	opts := []intram.ClientOption{intram.WithBaseURL(s.baseURL.value)}
	shared, err := s.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, shared...)
	if s.payinAPIKey.value != "" && s.payinClient.value != "" {
		opts = append(opts, s.payin())
	}
	client, err := intram.NewClient(s.publicKey.value, s.secretKey.value, append(opts, a.clientOptions...)...)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return client, nil
}

// payinClient returns a client of payin sessions, which have other credentials, and its
// environment.
func (a *app) payinClient() (*intram.PayinService, intram.Environment, error) {
	payin, s, err := a.payinAccount()
	if err != nil {
		return nil, "", err
	}
	return payin, s.environment(), nil
}

// payinAccount is payinClient, and also returns the settings.
func (a *app) payinAccount() (*intram.PayinService, *settings, error) {
	s, err := a.settings()
	if err != nil {
		return nil, nil, err
	}
	if s.payinAPIKey.value == "" || s.payinClient.value == "" {
		return nil, nil, usagef("the credentials of payin sessions are not set: set INTRAM_PAYIN_API_KEY and INTRAM_PAYIN_API_CLIENT, "+
			"or write payin_api_key and payin_api_client to %s", a.configPath())
	}
	opts, err := s.options()
	if err != nil {
		return nil, nil, err
	}
	environment := s.environment()
	if environment == "" {
		return nil, nil, usagef("the environment of the profile %s is not known: write environment = \"live\" or \"sandbox\" below [profiles.%s] in %s",
			s.profile.value, s.profile.value, a.configPath())
	}
	address := intram.WithPayinEnvironment(environment)
	if s.payinBaseURL.value != "" {
		address = intram.WithPayinBaseURL(s.payinBaseURL.value)
	}
	opts = append(opts, address)
	payin, err := intram.NewPayinClient(s.payinAPIKey.value, s.payinClient.value, append(opts, a.clientOptions...)...)
	if err != nil {
		return nil, nil, usagef("%w", err)
	}
	return payin.PayinService, s, nil
}

// payin returns the credentials of payin sessions, for a client of both APIs.
func (s *settings) payin() intram.ClientOption {
	if s.payinBaseURL.value == "" {
		return intram.WithPayin(s.payinAPIKey.value, s.payinClient.value)
	}
	return intram.WithPayin(s.payinAPIKey.value, s.payinClient.value, intram.WithPayinBaseURL(s.payinBaseURL.value))
}

// options returns what both APIs' clients share.
func (s *settings) options() ([]intram.ClientOption, error) {
	timeout, err := time.ParseDuration(s.timeout.value)
	if err != nil {
		return nil, usagef("timeout must be a duration such as 30s")
	}
	opts := []intram.ClientOption{intram.WithAppInfo("intram-cli", intram.Version), intram.WithTimeout(timeout)}
	if s.certificate.value != "" {
		transport, err := trusting(s.certificate.value)
		if err != nil {
			return nil, usagef("the local server's certificate: %w", err)
		}
		opts = append(opts, intram.WithHTTPClient(&http.Client{Transport: transport}))
	}
	return opts, nil
}

// certificates reads the certificate of a local server.
func certificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // named by the local server
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the file: start intram serve --tls again")
	}
	return pool, nil
}

// trusting returns a transport that trusts one certificate.
func trusting(file string) (*http.Transport, error) {
	pool, err := certificates(file)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64,
	}, nil
}

// configPath returns where the configuration is, or would be.
func (a *app) configPath() string {
	if a.connection.config != "" {
		return a.connection.config
	}
	if value, _ := a.lookupEnv("INTRAM_CONFIG"); value != "" {
		return value
	}
	return a.configFile
}
