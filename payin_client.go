package intram

import (
	"crypto/fips140"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/strictjson"
	"github.com/intram/intram-go/internal/transport"

	"github.com/intram/intram-go/internal/wire"
)

// Where payin sessions are (Payin docs, Transport). Unlike the Merchant API, each
// environment has its own address.
const (
	PayinBaseURLLive = "https://business.novasend.app"
	// PayinBaseURLSandbox is no playground: according to the provider's guide the sandbox
	// of payin sessions moves real money. Test with package intramtest or intram serve,
	// which move none.
	PayinBaseURLSandbox = "https://sandbox.novasend.app"
)

// payinOption is a setting of payin sessions alone.
type payinOption func(*payinConfig) error

func (f payinOption) applyClient(cfg *clientConfig) error { return f(&cfg.payin) }

// payinConfig is what the payin options came to.
type payinConfig struct {
	apiKey, apiClient credential.Secret
	baseURL           string
	account           string
	language          string
}

// WithPayin gives a client the credentials of payin sessions, which are not those of the
// Merchant API. The sessions are in the environment of the client's keys unless an option
// says otherwise. The options are those whose names begin with WithPayin. The sandbox of
// payin sessions moves real money: see [PayinBaseURLSandbox].
//
// Docs: Payin, Transport.
func WithPayin(apiKey, apiClient string, opts ...ClientOption) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if err := checkPayinCredentials(apiKey, apiClient); err != nil {
			return fmt.Errorf("WithPayin: %w", err)
		}
		cfg.payin.apiKey, cfg.payin.apiClient = credential.NewSecret(apiKey), credential.NewSecret(apiClient)
		for _, opt := range opts {
			if _, own := opt.(payinOption); !own {
				return errors.New("WithPayin: an option is nil or is not for payin sessions: give others to the client")
			}
			if err := opt.applyClient(cfg); err != nil {
				return err
			}
		}
		return nil
	})
}

// WithPayinEnvironment takes payin sessions to the documented address of [Live] or
// [Sandbox]. Both move real money: see [PayinBaseURLSandbox].
func WithPayinEnvironment(environment Environment) ClientOption {
	return payinOption(func(cfg *payinConfig) error {
		base, ok := payinBaseURLs[environment]
		if !ok {
			return errors.New("WithPayinEnvironment: the environment is intram.Live or intram.Sandbox")
		}
		cfg.baseURL = base
		return nil
	})
}

// WithPayinBaseURL takes payin sessions to another address, such as a fake's. It must be
// https; plain http is for loopback only.
func WithPayinBaseURL(baseURL string) ClientOption {
	return payinOption(func(cfg *payinConfig) error { cfg.baseURL = baseURL; return nil })
}

// WithPayinAccount sets the account of sessions that name none, for accounts that the
// first revision of the docs speaks of.
func WithPayinAccount(accountID string) ClientOption {
	return payinOption(func(cfg *payinConfig) error { cfg.account = accountID; return nil })
}

// WithPayinLanguage picks the language of error messages: "en" or "fr".
func WithPayinLanguage(language string) ClientOption {
	return payinOption(func(cfg *payinConfig) error {
		if language != "en" && language != "fr" {
			return errors.New(`WithPayinLanguage: the language is "en" or "fr"`)
		}
		cfg.language = language
		return nil
	})
}

// PayinClient makes calls for payin sessions alone. It has the methods of [PayinService],
// and is safe for concurrent use.
type PayinClient struct{ *PayinService }

// CloseIdleConnections closes the connections that no call is using. A program that keeps
// its client needs it at the end only.
func (c *PayinClient) CloseIdleConnections() { c.protocol.transport.CloseIdleConnections() }

// NewPayinClient returns a client for payin sessions alone, for merchants without keys of
// the Merchant API. It speaks to [PayinBaseURLLive] unless an option says otherwise. It
// sends nothing.
//
// Docs: Payin, Transport.
func NewPayinClient(apiKey, apiClient string, opts ...ClientOption) (_ *PayinClient, err error) {
	defer markNotSent(&err)
	cfg := defaultConfig()
	if err := cfg.apply(append([]ClientOption{WithPayin(apiKey, apiClient)}, opts...)); err != nil {
		return nil, err
	}
	if cfg.baseURLGiven {
		return nil, errors.New("intram: WithBaseURL is the Merchant API's address: use WithPayinBaseURL")
	}
	c := &Client{environment: Live, clock: cfg.clock, rand: cfg.rand, timeout: cfg.timeout, trace: newTracing(cfg)}
	if cfg.payin.baseURL == PayinBaseURLSandbox {
		c.environment = Sandbox
	}
	service, err := newPayinService(c, cfg)
	if err != nil {
		return nil, err
	}
	return &PayinClient{service}, nil
}

var payinBaseURLs = map[Environment]string{Live: PayinBaseURLLive, Sandbox: PayinBaseURLSandbox}

// payinEnvironment is the side that an address is on: the client's unless it is the
// documented one of the other.
func payinEnvironment(baseURL string, client Environment) Environment {
	for environment, documented := range payinBaseURLs {
		if baseURL == documented {
			return environment
		}
	}
	return client
}

// newPayinService makes the client's payin service; without credentials, one whose calls
// say so.
func newPayinService(c *Client, cfg *clientConfig) (*PayinService, error) {
	s := &PayinService{client: c, account: cfg.payin.account}
	if cfg.payin.apiKey.Value() == "" {
		if given := cfg.payin; given.baseURL != "" || given.account != "" || given.language != "" {
			return nil, errors.New("intram: an option of payin sessions without their credentials: give it to WithPayin, or give WithPayin too")
		}
	}
	if cfg.payin.baseURL == "" {
		cfg.payin.baseURL = payinBaseURLs[c.environment]
	}
	base, err := parseBaseURL(cfg.payin.baseURL, "")
	if err != nil {
		return nil, fmt.Errorf("intram: WithPayinBaseURL: %w", within(err))
	}
	s.trace = c.trace.calls("payin", payinEnvironment(cfg.payin.baseURL, c.environment), base)
	s.waits = newPayinWaits(c, cfg.pollRateOf(base.Host), s)
	if cfg.payin.apiKey.Value() == "" {
		return s, nil
	}
	wire := cfg.transportOf(base, cfg.payin.keys(), "X-Idempotency-Key", readPayinError, false)
	wire.Limit = limitAttempts(cfg.limiter, payinKind)
	wire.Hooks = s.trace.hooks()
	cfg.joinPlatform(&wire)
	s.protocol = &protocol{
		transport: transport.New(wire),
		trace:     s.trace,
		clock:     cfg.clock,
		baseURL:   base.String(),
		// The API client is random, and is hashed: it cannot be read back. The API key
		// may be renewed.
		account: accountHash("payin", string(c.environment), cfg.payin.apiClient.Value()),
		newKey:  newPayinKey, validKey: validPayinKey, keyRule: payinKeyRule,
		adviseExpired: "look the session up by its reference, with Payin.Get, before you offer another",
		doubts:        doubts{anyCase: true}, // a UUID is the same in upper and lower case
	}
	return s, nil
}

// payinSigner sets Basic credentials, which is why the address must be https.
type payinSigner struct{ proof transport.Proof }

// Authorize implements [transport.Signer].
func (s *payinSigner) Authorize(time.Time, *transport.Call) transport.Proof { return s.proof }

// Reread implements [transport.Signer]: nothing is signed.
func (s *payinSigner) Reread(*transport.Call, bool) bool { return false }

func (cfg *payinConfig) keys() transport.Keys {
	basic := base64.StdEncoding.EncodeToString([]byte(cfg.apiKey.Value() + ":" + cfg.apiClient.Value()))
	proof := transport.Proof{{"Authorization", "Basic " + basic}}
	if cfg.language != "" {
		proof[1].Name, proof[1].Value = "Accept-Language", cfg.language
	}
	return transport.FixedKeys{Only: &payinSigner{proof}}
}

// readPayinError says whether the body of an error response is the payin API's own word
// (Payin docs, Errors): an object with a code, and with the status of the response.
func readPayinError(status int, body []byte) transport.Word {
	var own struct {
		Code   ErrorCode   `json:"code"`
		Status wire.Status `json:"statusCode"`
	}
	if json.Unmarshal(body, &own) != nil || own.Status == 0 || strictjson.Check(body) != nil {
		return transport.NoWord
	}
	return own.Code.word(status, own.Status)
}

func checkPayinCredentials(apiKey, apiClient string) error {
	if mistake := credential.Mistake(credential.PayinKey, apiKey); mistake != "" {
		return errors.New("apiKey " + mistake)
	}
	if mistake := credential.Mistake(credential.PayinKey, apiClient); mistake != "" {
		return errors.New("apiClient " + mistake)
	}
	if strings.Contains(apiKey, ":") {
		return errors.New("apiKey has a colon, which no key has: give apiKey and apiClient one by one")
	}
	return nil
}

const payinKeyRule = "a UUID, such as intram.DerivePayinKey makes"

func newPayinKey() (string, error) { return newIdempotencyKey() }

// validPayinKey takes a UUID in its usual form of 36 characters only.
func validPayinKey(key string) bool { return len(key) == 36 && uuid.Validate(key) == nil }

// payinKeySpace is the namespace of derived keys. It must never change: a key that
// changed would charge twice.
var payinKeySpace = uuid.MustParse("8a6d0f0e-4c1b-5e57-9d43-5b1f6e3f7a10")

// DerivePayinKey makes the idempotency key of a payin session from your own reference of
// it: a version-5 UUID, the same for the same reference. A program that crashed can
// create the session again with it, and the customer is charged once.
//
// Docs: Payin, Transport.
func DerivePayinKey(reference string) (_ string, err error) {
	defer markNotSent(&err)
	if reference == "" {
		return "", errors.New("intram: reference is empty: give your own identifier of this one payment")
	}
	var key uuid.UUID
	// A version-5 UUID is made with SHA-1, which Go's strict FIPS mode refuses. It names
	// the payment here, and protects nothing; another hash would make other keys, and
	// charge twice.
	fips140.WithoutEnforcement(func() { key = uuid.NewSHA1(payinKeySpace, []byte(reference)) })
	return key.String(), nil
}
