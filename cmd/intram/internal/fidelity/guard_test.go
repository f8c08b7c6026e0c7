package fidelity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// roundTripper is a transport of a test's own.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNothingIsSentToWhatMayBeLive(t *testing.T) {
	t.Parallel()
	server, good := sandbox(t)
	for name, spoil := range map[string]func(*Config){
		"a live public key":                    func(c *Config) { c.PublicKey = server.LivePublicKey },
		"a live secret key":                    func(c *Config) { c.SecretKey = server.LiveSecretKey },
		"a key of no environment":              func(c *Config) { c.PublicKey = "pk_123" },
		"no secret key":                        func(c *Config) { c.SecretKey = "" },
		"another host":                         func(c *Config) { c.BaseURL = "https://api.example.com/v1" },
		"a host that looks like it":            func(c *Config) { c.BaseURL = "https://api.intram.org.example.com/v1" },
		"a host that begins like this machine": func(c *Config) { c.BaseURL = "http://localhost.example.com/v1" },
		"a private network":                    func(c *Config) { c.BaseURL = "http://192.168.1.4/v1" },
		"another path":                         func(c *Config) { c.BaseURL = "https://api.intram.org/v2" },
		"another port":                         func(c *Config) { c.BaseURL = "https://api.intram.org:8443/v1" },
		"http":                                 func(c *Config) { c.BaseURL = "http://api.intram.org/v1" },
		"a user in the address":                func(c *Config) { c.BaseURL = "https://a@api.intram.org/v1" },
		"no address":                           func(c *Config) { c.BaseURL = "" },
		"the live address of payins":           func(c *Config) { c.Payin.BaseURL = intram.PayinBaseURLLive },
		"another address of payins":            func(c *Config) { c.Payin.BaseURL = "https://example.com" },
		"a scheme of another protocol":         func(c *Config) { c.BaseURL = "ftp://127.0.0.1/v1" },
		"the Merchant API for the payins":      func(c *Config) { c.Payin.BaseURL = intram.BaseURL },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			payin := *good.Payin
			config.Payin = &payin
			spoil(&config)
			config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				t.Errorf("sent: %s %s", r.Method, r.URL)
				return nil, errors.New("no")
			})
			_, _, err := Run(t.Context(), config, func(*Report) error { t.Error("saved"); return nil })
			require.Error(t, err)
			for _, secret := range []string{server.LiveSecretKey, server.LivePublicKey, server.SecretKey} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestTheDocumentedSandboxIsTaken(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t)
	for _, address := range []string{intram.BaseURL, intram.BaseURLDirect, intram.BaseURL + "/", "http://localhost:4010/v1", "https://[::1]:4010/v1"} {
		config.BaseURL = address
		require.NoError(t, config.Check(), address)
	}
	config.Payin.BaseURL = intram.PayinBaseURLSandbox
	require.NoError(t, config.Check())
}

// The keys say sandbox, and the server says live: what the server says wins.
func TestAServerThatSaysLiveEndsTheRun(t *testing.T) {
	t.Parallel()
	config := behind(t, plant{
		match:  func(r *http.Request, _ string) bool { return r.Method == http.MethodPost },
		change: replace(`"env":"sandbox"`, `"env":"live"`),
	})
	report, activity, err := Run(t.Context(), config, discard)
	require.ErrorIs(t, err, errLive)
	assert.False(t, report.Finished)
	assert.Zero(t, activity.Payouts, "a payment request comes first")
}

func TestPayoutsGoToPublishedNumbersInSmallAmounts(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	play(t, config)
	sent := 0
	for _, r := range server.Requests() {
		if r.Endpoint != "/payouts" {
			continue
		}
		sent++
		if number := text(dig(r.Body, "destination", "msisdn")); number != "" {
			assert.Contains(t, []string{mtnNumber, moovNumber, "+" + mtnNumber, "61000000", "94000000"}, number)
		}
		assert.Nil(t, dig(r.Body, "destination", "account_number"))
		if amount := string(dig(r.Body, "amount")); amount != "" {
			assert.Contains(t, []string{"100", "0", "0.5"}, amount)
		}
	}
	assert.Greater(t, sent, 10)
}

// A session of payins is never begun: the provider's sandbox moves real money.
func TestNoPayinSessionIsBegun(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	play(t, config)
	posts := 0
	for _, r := range server.Requests() {
		if r.Endpoint == "/payin/sessions" {
			posts++
			assert.NotEqual(t, http.StatusOK, r.Status)
			if amount := string(dig(r.Body, "amount")); amount != "" {
				assert.Equal(t, "0", amount)
			}
		}
	}
	assert.Positive(t, posts)
}

func TestSubscriptionsAreDeletedAgain(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	play(t, config)
	list, err := server.Client().Webhooks.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestAConfigurationShowsNothing(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t, intramtest.WithSeed(3))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		shown := fmt.Sprintf(verb+" "+verb, config, *config.Payin)
		assert.NotContains(t, shown, server.SecretKey)
		assert.NotContains(t, shown, server.PayinAPIKey)
	}
}

// What a fact has of the run's own secrets is hidden, wherever it comes from.
func TestAFactWithASecretOfTheRunIsHidden(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t)
	s, err := newSession(config)
	require.NoError(t, err)
	for _, secret := range []string{
		config.PublicKey, config.SecretKey, config.Payin.APIKey, config.Payin.APIClient, config.Nonce, "whsec_",
	} {
		assert.Equal(t, Observation{"a": hidden, "b": "yes"}, s.scrub(Observation{"a": "x" + secret + "y", "b": "yes"}), secret)
	}
}

// A report names its merchant by the hash of the public key, which is no secret, and by
// no part of a key.
func TestAReportNamesItsMerchantByAHash(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t)
	report, _ := play(t, config)
	sum := sha256.Sum256([]byte(config.PublicKey))
	assert.Equal(t, hex.EncodeToString(sum[:6]), report.Merchant)
}
