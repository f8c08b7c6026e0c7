package intram

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/transport"
)

// ClientOption is a setting of a client, given to [NewClient].
type ClientOption interface {
	applyClient(*clientConfig) error
}

// CallOption is a setting of one call. It wins over the client's. One that is nil is left out.
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
	userAgent    string
	payin        payinConfig
}

func defaultConfig() *clientConfig {
	return &clientConfig{
		baseURL: BaseURL, timeout: DefaultTimeout, maxAttempts: DefaultMaxAttempts,
		clock: systemClock{}, rand: randomJitter, pollRate: DefaultPollRate, userAgent: userAgent(),
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

// transportOf is what all protocols of a client share, with what is one protocol's own. dated says that its
// signatures have an age.
func (cfg *clientConfig) transportOf(base *url.URL, authorize func(time.Time, *transport.Call) transport.Proof, keyHeader string, readError func(int, []byte) transport.Word, dated bool) transport.Config {
	return transport.Config{
		BaseURL:     base,
		HTTP:        cfg.roundTripper(),
		Authorize:   authorize,
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

// WithBaseURL sets where the API is: [BaseURL] (the default), [BaseURLDirect], or a fake's address. It must be https;
// plain http is for loopback only. An address without a path means its /v1.
func WithBaseURL(baseURL string) ClientOption {
	return clientOption(func(cfg *clientConfig) error { cfg.baseURL, cfg.baseURLGiven = baseURL, true; return nil })
}

// WithHTTPClient makes the calls through the transport of hc, for a proxy, an own root certificate or tracing. A nil
// Transport means http.DefaultTransport, as it does to net/http. Its Timeout, when
// set, bounds an attempt unless [WithTimeout] comes after. Its CheckRedirect and Jar are not used: the SDK follows
// no redirects, and the API sets no cookies.
//
// A transport of your own is used as it is. The API speaks HTTP/2, where one connection carries all calls, and a dead one carries each
// until it times out, for a quarter of an hour. So give it health checks, and room for as many idle connections as you make calls
// at once:
//
//	t := http.DefaultTransport.(*http.Transport).Clone()
//	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second}
//	t.MaxIdleConnsPerHost = 256
//
// The SDK's own transport has both, and uses no HTTP/2 connection again on which an attempt has timed out.
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

// WithTimeout bounds one attempt, from the connection to the last byte of the answer; the default is 30 s. The call as a
// whole is bounded by its context.
func WithTimeout(d time.Duration) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v is not a positive duration", d)
		}
		cfg.timeout = d
		return nil
	})
}

// WithLogger writes one line an attempt to l: method, path template, status, duration, attempt number and request id. Never a
// secret, a body or a phone number. Answers are logged at Info, failed attempts at Warn.
func WithLogger(l *slog.Logger) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		cfg.logger = l
		return nil
	})
}

// WithPollRate bounds the look-ups of all waits of a client together, to so many a second; the default is [DefaultPollRate]. However many wait,
// the API is asked no more often. It must be 1 to 1000. Payin sessions, which have an API of their own, have a bound of
// their own, of the same size.
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

// WithAppInfo adds your application's name and version to the User-Agent, which helps Intram's support to find your
// calls. The version may be empty.
func WithAppInfo(name, version string) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		product := name
		if version != "" {
			product += "/" + version
		}
		token := func(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 }
		if !allOf(name, token) || !allOf(version, token) || name == "" {
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

// WithMaxAttempts is how many times a request is tried at most, [DefaultMaxAttempts] unless set and 1 for no retries. It is an
// option of a client, and of one call. What is tried again, with the same idempotency key and the same bytes: network failures,
// 5xx, 429, and 409 idempotency_in_progress.
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

// WithIdempotencyKey gives a call your own key instead of a random UUID: 8 to 128 characters of [A-Za-z0-9_-]. Keep it before
// you call, and a crash leaves you able to call again without paying twice; [DeriveIdempotencyKey] makes one from your own
// reference. Reads and deletions carry no key, and leave this option aside: it changes nothing about them. An intent
// ([WithIntent]) is refused there.
//
// A key that a call of this client left in doubt stays in doubt until the API answers it, and is not sent again when the API may have
// forgotten it ([ErrIntentExpired]). What an earlier process left in doubt is known by an [Intent] only.
//
// Docs: Merchant API, Idempotency.
func WithIdempotencyKey(key string) CallOption {
	return callOption(func(cfg *callConfig) { cfg.idempotencyKey, cfg.keyGiven = key, true })
}

// WithResponseInto fills resp with what the HTTP answer said, on success and on failure. Where one call makes several
// requests, as All does, it is the last one's. A nil resp asks for nothing.
func WithResponseInto(resp *Response) CallOption {
	return callOption(func(cfg *callConfig) { cfg.response = resp })
}

// withTimeout bounds the call's attempts.
func withTimeout(d time.Duration) CallOption {
	return callOption(func(cfg *callConfig) { cfg.timeout = d })
}
