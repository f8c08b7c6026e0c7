package intram

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/poll"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/internal/transport"
)

// Environment is the sandbox or the live side of an account. The key decides it, never
// the URL.
type Environment string

// The environments of an account (Merchant API docs, Environments).
const (
	Sandbox Environment = "sandbox" // toy wallet, isolated; no IP allowlist
	Live    Environment = "live"    // real money; calls only from addresses on the allowlist
)

// Defaults of the client's options.
const (
	DefaultTimeout     = 30 * time.Second
	defaultMaxAttempts = 4
)

// Client speaks the Merchant API for one merchant in one environment. It never changes
// once made, and is safe for concurrent use: make one and share it, since it keeps the
// connections.
type Client struct {
	Balance         *BalanceService
	Payouts         *PayoutsService
	PaymentRequests *PaymentRequestsService
	Refunds         *RefundsService
	Transactions    *TransactionsService
	Operations      *OperationsService
	Webhooks        *WebhooksService
	// Payin needs credentials of its own: see [WithPayin].
	Payin *PayinService

	environment Environment
	keys        *keyring
	clock       Clock
	rand        func() float64
	timeout     time.Duration
	merchant    *protocol
	trace       *tracing // nil for no tracer

	operationWaits   *poll.Poller[Operation]
	transactionWaits *poll.Poller[Transaction]
}

// NewClient makes a client from the public key (pk_…, sent with each call) and the secret
// key (sk_…, never sent: it signs) of one environment. It sends nothing. The error names
// the key or the option that is wrong.
//
// Docs: Merchant API, Authentication.
func NewClient(publicKey, secretKey string, opts ...ClientOption) (_ *Client, err error) {
	defer markNotSent(&err)
	cfg := defaultConfig()
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	keys, err := newKeyring(publicKey, secretKey, cfg)
	if err != nil {
		return nil, err
	}
	base, err := parseBaseURL(cfg.baseURL, "/v1")
	if err != nil {
		return nil, fmt.Errorf("intram: WithBaseURL: %w", within(err))
	}
	wire := cfg.transportOf(base, keys, "Idempotency-Key", readError, true)
	wire.Limit = limitAttempts(cfg.limiter, merchantKind)
	cfg.joinPlatform(&wire)
	trace := newTracing(cfg)
	calls := trace.calls("merchant", keys.environment, base)
	wire.Hooks = calls.hooks()
	c := &Client{
		environment: keys.environment, keys: keys, clock: cfg.clock, rand: cfg.rand, timeout: cfg.timeout, trace: trace,
		merchant: &protocol{
			transport: transport.New(wire),
			clock:     cfg.clock,
			baseURL:   base.String(),
			account:   keys.hash(),
			keys:      keys,
			newKey:    newIdempotencyKey, validKey: validIdempotencyKey, keyRule: idempotencyKeyRule,
			adviseNotFound: adviseBaseURL, adviseExpired: "call Resume with the intent before you do anything else",
			trace: calls,
		},
	}
	c.Balance = &BalanceService{client: c}
	c.Payouts = &PayoutsService{client: c}
	c.PaymentRequests = &PaymentRequestsService{client: c}
	c.Refunds = &RefundsService{client: c}
	c.Transactions = &TransactionsService{client: c}
	c.Operations = &OperationsService{client: c}
	c.Webhooks = &WebhooksService{client: c}
	rate := cfg.pollRateOf(base.Host)
	c.operationWaits = newOperationWaits(c, rate)
	c.transactionWaits = newTransactionWaits(c, rate)
	if c.Payin, err = newPayinService(c, cfg); err != nil {
		return nil, err
	}
	cfg.pinInDoubt(c)
	return c, nil
}

// NewClientFromEnv makes a client from the environment variables INTRAM_PUBLIC_KEY and
// INTRAM_SECRET_KEY, and from INTRAM_BASE_URL when it is set. Options come after, and
// win.
func NewClientFromEnv(opts ...ClientOption) (_ *Client, err error) {
	defer markNotSent(&err)
	publicKey, secretKey := os.Getenv("INTRAM_PUBLIC_KEY"), os.Getenv("INTRAM_SECRET_KEY")
	if publicKey == "" {
		return nil, errors.New("intram: INTRAM_PUBLIC_KEY is not set")
	}
	if secretKey == "" {
		return nil, errors.New("intram: INTRAM_SECRET_KEY is not set")
	}
	if base := os.Getenv("INTRAM_BASE_URL"); base != "" {
		opts = append([]ClientOption{WithBaseURL(base)}, opts...)
	}
	return NewClient(publicKey, secretKey, opts...)
}

// Environment is [Sandbox] or [Live], as the public key says.
func (c *Client) Environment() Environment { return c.environment }

// PublicKey returns the public key that calls are made with now. It is no secret. Without
// [WithCredentials] it never changes, and names the account.
func (c *Client) PublicKey() string {
	if c.keys == nil {
		return ""
	}
	return c.keys.current().apiKey
}

// Account returns the [Credentials].Account of the client's keys, which never changes. It
// is empty without [WithCredentials].
func (c *Client) Account() string {
	if c.keys == nil {
		return ""
	}
	return c.keys.account
}

// Clock returns the clock that the client dates and waits by: the machine's own, or that
// of [WithClock].
func (c *Client) Clock() Clock { return c.clock }

// CloseIdleConnections closes the connections that no call is using. A program that keeps
// its client needs it at the end only.
func (c *Client) CloseIdleConnections() {
	for _, p := range []*protocol{c.merchant, c.Payin.protocol} {
		if p != nil {
			p.transport.CloseIdleConnections()
		}
	}
}

// shown returns what is printed: the environment and the base URL, never a key.
func (c *Client) shown() string {
	if c == nil {
		return "intram.Client(nil)"
	}
	return "intram.Client(" + string(c.environment) + " " + c.merchant.baseURL + ")"
}

func userAgent() string {
	return "intram-go/" + Version + " " + strings.Replace(runtime.Version(), "go", "go/", 1) +
		" (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// parseBaseURL checks a base URL and brings it to one form: no slash at the end, and the
// default path when it has none.
func parseBaseURL(raw, defaultPath string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("not an absolute URL: write it with https:// and the host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("it must have no user, query or fragment")
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		return nil, errors.New("it must start with https:// (http:// is for loopback addresses only)")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	if u.Path == "" {
		u.Path = defaultPath
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// roundTripper is the user's, or one of our own that all protocols of the client share.
func (cfg *clientConfig) roundTripper() http.RoundTripper {
	if cfg.httpClient == nil {
		cfg.httpClient = &http.Client{Transport: transport.NewRenewing(newHTTPTransport())}
	}
	if cfg.httpClient.Transport == nil {
		return defaultTransport{}
	}
	return cfg.httpClient.Transport
}

// defaultTransport sends a request through http.DefaultTransport as it is at that moment,
// which is what a nil Transport means to http.Client: a program may replace it, for a
// proxy or in a test.
type defaultTransport struct{}

func (defaultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(req) //nolint:forbidigo // the user asked for it, by a nil Transport
}

func (defaultTransport) CloseIdleConnections() {
	(&http.Client{}).CloseIdleConnections()
}

// newHTTPTransport keeps a connection for each of many concurrent calls, where net/http's
// default keeps two.
func newHTTPTransport() *http.Transport {
	const connections = 256
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A connection on which nothing arrives is asked whether it is alive, and closed
		// when it does not say so: on HTTP/2 it would carry every call until the system
		// gives it up, a quarter of an hour later. Together less than half of
		// DefaultTimeout.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second},
	}
}

// ClientOption is a setting of a client, given to [NewClient].
type ClientOption interface {
	applyClient(*clientConfig) error
}

// CallOption is a setting of one call. It wins over the client's. One that is nil is left
// out.
type CallOption interface {
	applyCall(*callConfig)
}

type clientOption func(*clientConfig) error

func (f clientOption) applyClient(cfg *clientConfig) error { return f(cfg) }

type callOption func(*callConfig)

func (f callOption) applyCall(cfg *callConfig) { f(cfg) }

type clientConfig struct {
	baseURL      string
	baseURLGiven bool
	httpClient   *http.Client
	timeout      time.Duration
	maxAttempts  int
	logger       *slog.Logger
	clock        Clock
	rand         func() float64
	pollRate     int
	limiter      Limiter
	platform     *Platform // nil for a client of none
	merchantID   string    // by which the platform knows the client
	userAgent    string
	tracer       Tracer
	payin        payinConfig
	credentials  func(context.Context) (Credentials, error)
}

func defaultConfig() *clientConfig {
	return &clientConfig{
		baseURL: BaseURL, timeout: DefaultTimeout, maxAttempts: defaultMaxAttempts,
		clock: system.Clock{}, rand: system.Jitter, pollRate: defaultPollRate, userAgent: userAgent(),
	}
}

func (cfg *clientConfig) apply(opts []ClientOption) error {
	for _, opt := range opts {
		if opt == nil {
			return errors.New("intram: a ClientOption is nil")
		}
		if err := opt.applyClient(cfg); err != nil {
			return fmt.Errorf("intram: %w", within(err))
		}
	}
	cfg.jitter()
	return nil
}

// jitter takes the clock's jitter, if it has one.
func (cfg *clientConfig) jitter() {
	if clock, ok := cfg.clock.(interface{ Jitter() float64 }); ok { //nolint:forbidigo // no money
		cfg.rand = clock.Jitter
	}
}

// transportOf is what all protocols of a client share, with what is one protocol's own.
// dated says that its signatures have an age.
func (cfg *clientConfig) transportOf(base *url.URL, keys transport.Keys, keyHeader string, readError func(int, []byte) transport.Word, dated bool) transport.Config {
	return transport.Config{
		BaseURL:     base,
		HTTP:        cfg.roundTripper(),
		Keys:        keys,
		ReadError:   readError,
		Dated:       dated,
		KeyHeader:   keyHeader,
		UserAgent:   cfg.userAgent,
		Clock:       cfg.clock,
		Rand:        cfg.rand,
		Timeout:     cfg.timeout,
		MaxAttempts: cfg.maxAttempts,
		Logger:      cfg.logger,
	}
}

// WithBaseURL sets where the API is: [BaseURL] (the default), [BaseURLDirect], or a
// fake's address. It must be https; plain http is for loopback only. An address without a
// path means its /v1.
func WithBaseURL(baseURL string) ClientOption {
	return clientOption(func(cfg *clientConfig) error { cfg.baseURL, cfg.baseURLGiven = baseURL, true; return nil })
}

// WithHTTPClient makes the calls through the transport of hc, for a proxy, an own root
// certificate or tracing. A nil Transport means http.DefaultTransport, as it does to
// net/http. Its Timeout, when set, bounds an attempt unless [WithTimeout] comes after.
// Its CheckRedirect and Jar are not used: the SDK follows no redirects, and the API sets
// no cookies.
//
// A transport of your own is used as it is. The API speaks HTTP/2, where one connection
// carries all calls, and a dead one carries each until it times out, for a quarter of an
// hour. So give it health checks, and room for as many idle connections as you make calls
// at once:
//
//	t := http.DefaultTransport.(*http.Transport).Clone()
//	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second}
//	t.MaxIdleConnsPerHost = 256
//
// The SDK's own transport has both, and uses no HTTP/2 connection again on which an
// attempt has timed out.
func WithHTTPClient(hc *http.Client) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if hc == nil {
			return errors.New("WithHTTPClient: the client is nil")
		}
		if t, ok := hc.Transport.(*http.Transport); ok && t == nil {
			return errors.New("WithHTTPClient: the Transport is a nil *http.Transport: leave it out for http.DefaultTransport")
		}
		cfg.httpClient = hc
		if hc.Timeout > 0 {
			cfg.timeout = hc.Timeout
		}
		return nil
	})
}

// WithTimeout bounds one attempt, from the connection to the last byte of the response;
// the default is 30 s. The call as a whole is bounded by its context.
func WithTimeout(d time.Duration) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v is not a positive duration", d)
		}
		cfg.timeout = d
		return nil
	})
}

// WithLogger writes one line an attempt to l: method, path template, status, duration,
// attempt number and request id. Never a secret, a body or a phone number. Responses are
// logged at Info, failed attempts at Warn.
func WithLogger(l *slog.Logger) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		cfg.logger = l
		return nil
	})
}

// WithPollRate bounds the lookups of all waits of a client together, to so many a second;
// the default is 20. However many wait, the API is asked no more often. It must be 1 to
// 1000. Payin sessions, which have an API of their own, have a bound of their own, of the
// same size.
func WithPollRate(perSecond int) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if perSecond < 1 || perSecond > 1000 {
			return fmt.Errorf("WithPollRate: %d is not 1 to 1000 a second", perSecond)
		}
		cfg.pollRate = perSecond
		return nil
	})
}

// WithClock dates requests and waits by clock instead of the machine's own, for tests.
func WithClock(clock Clock) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if clock == nil {
			return errors.New("WithClock: the clock is nil")
		}
		cfg.clock = clock
		return nil
	})
}

// WithAppInfo adds your application's name and version to the User-Agent, which helps
// Intram's support to find your calls. The version may be empty.
func WithAppInfo(name, version string) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		product := name
		if version != "" {
			product += "/" + version
		}
		if !transport.IsToken(name) || version != "" && !transport.IsToken(version) {
			return errors.New("WithAppInfo: name must be one word of letters, digits, - and ., and version likewise or empty")
		}
		cfg.userAgent = userAgent() + " " + product
		return nil
	})
}

// withRand replaces the source of jitter.
func withRand(draw func() float64) ClientOption {
	return clientOption(func(cfg *clientConfig) error { cfg.rand = draw; return nil })
}

// WithMaxAttempts is how many times a request is tried at most, 4
// unless set and 1 for no retries. It is an option of a client, and of one call. What is
// tried again, with the same idempotency key and the same bytes: network failures, 5xx,
// 429, and 409 idempotency_in_progress.
func WithMaxAttempts(n int) interface {
	ClientOption
	CallOption
} {
	return maxAttempts(n)
}

type maxAttempts int

func (n maxAttempts) applyClient(cfg *clientConfig) error {
	if n < 1 {
		return fmt.Errorf("WithMaxAttempts: %d is below 1", int(n))
	}
	cfg.maxAttempts = int(n)
	return nil
}

func (n maxAttempts) applyCall(cfg *callConfig) {
	cfg.invalid.check(n >= 1, "WithMaxAttempts", "WithMaxAttempts must be at least 1")
	cfg.maxAttempts = int(n)
}

// WithIdempotencyKey gives a call your own key instead of a random UUID: 8 to 128
// characters of [A-Za-z0-9_-]. Keep it before you call, and a crash leaves you able to
// call again without paying twice; [DeriveIdempotencyKey] makes one from your own
// reference. Reads and deletions carry no key, and leave this option aside: it changes
// nothing about them. An intent ([WithIntent]) is refused there.
//
// A key that a call of this client left in doubt stays in doubt until the API responds to
// it, and is not sent again when the API may have forgotten it ([ErrIntentExpired]). What
// an earlier process left in doubt is known by an [Intent] only.
//
// Docs: Merchant API, Idempotency.
func WithIdempotencyKey(key string) CallOption {
	return callOption(func(cfg *callConfig) { cfg.idempotencyKey, cfg.keyGiven = key, true })
}

// WithResponseInto fills resp with what the HTTP response said, on success and on
// failure. Where one call makes several requests, as All does, it is the last one's. A
// nil resp asks for nothing.
func WithResponseInto(resp *Response) CallOption {
	return callOption(func(cfg *callConfig) { cfg.response = resp })
}

// Clock is where the SDK reads the time and waits. The default is the machine's clock;
// tests inject their own with [WithClock], and a client made by intramtest uses the fake
// server's.
//
// A Clock must be safe for concurrent use. One that has a method Jitter() float64, from 0
// to 1, also decides how retries and polls are spread, for tests that have to run the
// same way every time.
type Clock interface {
	// Now is the current time. Requests are signed with it, to the millisecond.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its error at once.
	Sleep(ctx context.Context, d time.Duration) error
}
