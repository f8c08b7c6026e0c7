package intram

import (
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

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/poll"
	"github.com/intram/intram-go/internal/transport"
)

// Environment is the sandbox or the live side of an account. The key decides it, never the URL.
type Environment string

// The environments of an account (Merchant API docs, Environments).
const (
	Sandbox Environment = "sandbox" // toy wallet, isolated; no IP allowlist
	Live    Environment = "live"    // real money; calls only from addresses on the allowlist
)

// Defaults of the client's options.
const (
	DefaultTimeout     = 30 * time.Second
	DefaultMaxAttempts = 4
)

// Client speaks the Merchant API for one merchant in one environment. It never changes once made, and is safe for
// concurrent use: make one and share it, since it keeps the connections.
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
	publicKey   string
	clock       Clock
	rand        func() float64
	timeout     time.Duration
	merchant    *protocol

	operationWaits   *poll.Poller[Operation]
	transactionWaits *poll.Poller[Transaction]
}

// NewClient makes a client from the public key (pk_…, sent with each call) and the secret key (sk_…, never sent: it
// signs) of one environment. It sends nothing. The error names the key or the option that is wrong.
//
// Docs: Merchant API, Authentication.
func NewClient(publicKey, secretKey string, opts ...ClientOption) (_ *Client, err error) {
	defer markNotSent(&err)
	environment, err := checkKeys(publicKey, secretKey)
	if err != nil {
		return nil, err
	}
	cfg := defaultConfig()
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	base, err := parseBaseURL(cfg.baseURL, "/v1")
	if err != nil {
		return nil, fmt.Errorf("intram: WithBaseURL: %w", within(err))
	}
	signer := newSigner(publicKey, secretKey)
	wire := cfg.transportOf(base, signer.authorize, "Idempotency-Key", readError, true)
	wire.Reread = signer.reread
	c := &Client{
		environment: environment, publicKey: publicKey, clock: cfg.clock, rand: cfg.rand, timeout: cfg.timeout,
		merchant: &protocol{
			transport: transport.New(wire),
			clock:     cfg.clock,
			baseURL:   base.String(),
			account:   accountHash("merchant", string(environment), publicKey),
			newKey:    newIdempotencyKey, validKey: validIdempotencyKey, keyRule: idempotencyKeyRule,
			adviseNotFound: adviseBaseURL, adviseExpired: "call Resume with the intent before you do anything else",
		},
	}
	c.Balance = &BalanceService{client: c}
	c.Payouts = &PayoutsService{client: c}
	c.PaymentRequests = &PaymentRequestsService{client: c}
	c.Refunds = &RefundsService{client: c}
	c.Transactions = &TransactionsService{client: c}
	c.Operations = &OperationsService{client: c}
	c.Webhooks = &WebhooksService{client: c}
	rate := poll.NewRate(cfg.clock, cfg.pollRate)
	c.operationWaits = newOperationWaits(c, rate)
	c.transactionWaits = newTransactionWaits(c, rate)
	if c.Payin, err = newPayinService(c, cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// NewClientFromEnv makes a client from the environment variables INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY, and from
// INTRAM_BASE_URL when it is set. Options come after, and win.
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

// PublicKey returns the public key that the client was made with. It names the account, and is no secret.
func (c *Client) PublicKey() string { return c.publicKey }

// Clock returns the clock that the client dates and waits by: the machine's own, or that of [WithClock].
func (c *Client) Clock() Clock { return c.clock }

// CloseIdleConnections closes the connections that no call is using. A program that keeps its client needs
// it at the end only.
func (c *Client) CloseIdleConnections() {
	for _, p := range []*protocol{c.merchant, c.Payin.protocol} {
		if p != nil {
			p.transport.CloseIdleConnections()
		}
	}
}

// Format implements [fmt.Formatter]: the environment and the base URL, never a key.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		writeString(f, "intram.Client(nil)")
		return
	}
	writeString(f, "intram.Client("+string(c.environment)+" "+c.merchant.baseURL+")")
}

// LogValue implements [slog.LogValuer].
func (c *Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

func userAgent() string {
	return "intram-go/" + Version + " " + strings.Replace(runtime.Version(), "go", "go/", 1) +
		" (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// checkKeys tells the environment, and finds the mistakes that would otherwise come back as invalid_api_key or
// signature_mismatch. It shows no part of a key.
func checkKeys(publicKey, secretKey string) (Environment, error) {
	if strings.HasPrefix(publicKey, "sk_") && strings.HasPrefix(secretKey, "pk_") {
		return "", errors.New("intram: publicKey and secretKey are swapped: the public key starts with pk_, the secret key with sk_")
	}
	if mistake := credential.Mistake(credential.PublicKey, publicKey); mistake != "" {
		return "", errors.New("intram: publicKey " + mistake)
	}
	if mistake := credential.MACMistake(credential.SecretKey, secretKey); mistake != "" {
		return "", errors.New("intram: secretKey " + mistake)
	}
	var environment Environment
	switch {
	case strings.HasPrefix(publicKey, "pk_sandbox_"):
		environment = Sandbox
	case strings.HasPrefix(publicKey, "pk_live_"):
		environment = Live
	default:
		return "", errors.New("intram: publicKey must start with pk_sandbox_ or pk_live_")
	}
	switch {
	case !strings.HasPrefix(secretKey, "sk_"):
		return "", errors.New("intram: secretKey must start with sk_ (the private key of the legacy API does not sign)")
	case environment == Live && strings.HasPrefix(secretKey, "sk_sandbox_"),
		environment == Sandbox && strings.HasPrefix(secretKey, "sk_live_"):
		return "", errors.New("intram: publicKey and secretKey are of two environments: one is live, one is sandbox")
	}
	return environment, nil
}

// parseBaseURL checks a base URL and brings it to one form: no slash at the end, and the default path when it has none.
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

// defaultTransport sends a request through http.DefaultTransport as it is at that moment, which is
// what a nil Transport means to http.Client: a program may replace it, for a proxy or in a test.
type defaultTransport struct{}

func (defaultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(req) //nolint:forbidigo // the user asked for it, by a nil Transport
}

func (defaultTransport) CloseIdleConnections() {
	(&http.Client{}).CloseIdleConnections()
}

// newHTTPTransport keeps a connection for each of many concurrent calls, where net/http's default keeps two.
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
		// A connection on which nothing arrives is asked whether it is alive, and closed when it does not say so: on HTTP/2 it would
		// carry every call until the system gives it up, a quarter of an hour later. Together less than half of DefaultTimeout.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second},
	}
}
