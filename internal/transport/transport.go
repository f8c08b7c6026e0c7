// Package transport turns one call of the SDK into one or more HTTP attempts.
//
// What happens once per call is kept apart from what happens once per attempt:
//
//   - per call: the body is marshalled and the idempotency key is chosen, by the caller
//     of this package; [Client.Do] decides how many attempts are made and what the whole
//     of them means (retry.go, outcome.go);
//   - per attempt: a RoundTripper inside the retrying client clones the request, dates
//     and signs it, sends it, reads the whole capped answer and writes one log line
//     (attempt.go).
//
// It is the only package that imports go-retryablehttp, and nothing of it shows outside.
// The library runs the loop: it asks after each attempt whether to make another
// (checkRetry), waits (prepareRetry) and rewinds. What it does not know is ours: what an
// attempt without a response may have done, what a refusal decides, Retry-After with a
// cap, jitter on an injected clock, the retry budget, and attempts that are free because
// only the date or the reading of the query was wrong. Its logger, its backoff and its
// draining of connections are off.
package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Clock is the time as the transport sees it; intram.Clock satisfies it.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Config is what all calls of a client share. Every field is required but Logger and
// Reread.
type Config struct {
	// BaseURL is joined with each call's path. Its path has no slash at the end.
	BaseURL *url.URL
	// HTTP sends one attempt. It must not follow redirects, and [http.RoundTripper]
	// implementations do not.
	HTTP http.RoundTripper
	// Authorize returns the headers that prove who is calling, for one attempt at a time.
	Authorize func(at time.Time, call *Call) Proof
	// ReadError reads the body of a response with a status of 400 or above. It returns
	// NoWord unless the body is the API's own error object.
	ReadError func(status int, body []byte) Word
	// Dated says that Authorize's proof has an age: a refusal for it is met by correcting
	// the clock.
	Dated bool
	// Reread is told of a read whose signature was refused, and reports whether Authorize
	// signs its query in another way from now on. again says that it did so for this call
	// already. Nil when there is one way only.
	Reread func(call *Call, again bool) bool
	// KeyHeader is the header that carries the idempotency key, in canonical form.
	KeyHeader string
	// UserAgent is sent as it is.
	UserAgent string
	// Clock dates attempts and waits between them.
	Clock Clock
	// Rand draws from [0, 1) for the jitter.
	Rand func() float64
	// Timeout bounds one attempt, its answer's body included.
	Timeout time.Duration
	// MaxAttempts is at least 1.
	MaxAttempts int
	// Logger gets one line an attempt, or is nil.
	Logger *slog.Logger
}

// Proof is the headers that prove who is calling. Unused ones have no name.
type Proof [3]struct {
	Name  string // in canonical form
	Value string
}

// Limits that are not settings.
const (
	// maxResponseBytes caps an answer's body, after decompression. A page of 100
	// transactions with their QR codes is well below 2 MiB.
	maxResponseBytes = 8 << 20
	// backoffBase and backoffCap bound the full jitter: a wait is drawn from [0, min(cap,
	// base × 2ⁿ)).
	backoffBase = 500 * time.Millisecond
	backoffCap  = 8 * time.Second
	// MaxRetryAfter is the longest Retry-After that is waited for. A longer one ends the
	// call.
	MaxRetryAfter = 30 * time.Second
)

// Client makes calls. It is safe for concurrent use.
type Client struct {
	cfg     Config
	retry   *retryablehttp.Client
	skew    *skew
	budgets budgets
}

// New returns a client for cfg.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, budgets: newBudgets()}
	attempts := &attempter{cfg: &c.cfg, userAgent: []string{cfg.UserAgent}}
	c.skew = &attempts.skew
	c.retry = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: attempts,
			// A redirect is an answer, not an address: the signature must not travel on.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Logger: nil, // its lines would show URLs; attempt.go writes ours
		// The number of attempts is each call's own: decide counts, so the library must
		// not.
		RetryMax:   maxInt,
		CheckRetry: c.checkRetry,
		// The wait goes through the clock, in prepareRetry.
		Backoff:      func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 },
		PrepareRetry: c.prepareRetry,
		// The call's record holds the last answer: nothing to wrap or close here.
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c
}

const maxInt = int(^uint(0) >> 1)

// noHeader is the header of every call before it is attempted. It is never written to.
var noHeader = make(http.Header)

// Call is one call: the same for all of its attempts.
type Call struct {
	Method string
	// Template is the path as documentation, logs and errors show it, without the ids:
	// /operations/{id}.
	Template string
	// Path is the endpoint below the base URL, percent-encoded.
	Path string
	// Query is sorted, and has no character that needs encoding.
	Query string
	// Body is sent as it is, and is nil for methods without one.
	Body []byte
	// IdempotencyKey is empty for methods without one.
	IdempotencyKey string
	// Resumed says that an earlier call, of which nothing is known, may have carried the
	// same key. The call is in doubt from the start.
	Resumed bool
	// NotAfter, unless zero, is when the last attempt may begin: the server forgets the
	// key, and would execute it again.
	NotAfter time.Time
	// Header holds what this call alone sends. It is not changed.
	Header http.Header
	// MaxAttempts and Timeout, when above zero, stand for those of Config.
	MaxAttempts int
	Timeout     time.Duration
}

// Result is what all the attempts of a call came to.
type Result struct {
	// Status, Header and Body are the last answer that came whole. Status is 0 when none
	// did.
	Status int
	Header http.Header
	Body   []byte
	// Err says why the last attempt has no answer, or why the call stopped between two
	// attempts. When it is nil there is an answer.
	Err error
	// Attempts counts the attempts begun.
	Attempts int
	// Outcome says what a failed call may have done. It is meaningless for an answered
	// success.
	Outcome Outcome
	// Word is what the body of the last answer says, when it is an error.
	Word Word
	// RetryAfter is what the last answer asked for, 0 when it did not ask.
	RetryAfter time.Duration
	// StoppedBy says that attempts were left when the call ended, and why. Empty
	// otherwise.
	StoppedBy string
}

// Do makes the call. It returns when an attempt was answered for good, when there are no
// more attempts to make, or when ctx ends.
func (c *Client) Do(ctx context.Context, call *Call) Result {
	rec := &record{
		Context: ctx, call: *call, url: *c.cfg.BaseURL, key: [1]string{call.IdempotencyKey},
		maxAttempts: call.MaxAttempts, inDoubt: call.Resumed,
	}
	if rec.maxAttempts <= 0 {
		rec.maxAttempts = c.cfg.MaxAttempts
	}
	rec.url.Path, rec.url.RawPath = joinPath(c.cfg.BaseURL, call.Path)
	rec.url.RawQuery = call.Query
	req := &retryablehttp.Request{Request: (&http.Request{
		Method: call.Method, URL: &rec.url, Host: rec.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		// The header and the body are each attempt's own.
		Header: noHeader,
	}).WithContext(rec)}
	if err := ctx.Err(); err != nil {
		rec.err = err
		return rec.result()
	}
	resp, err := c.retry.Do(req)
	if resp != nil {
		resp.Body.Close() //nolint:errcheck // always http.NoBody: the attempt has read the real one
	}
	if err != nil && rec.err == nil && !errors.Is(err, errTooLate) {
		// The library stopped for a reason of its own: the context ended, or the request
		// could not be made.
		rec.err = unwrapURLError(err)
	}
	return rec.result()
}

// Ahead is how far the server's clock is ahead of this machine's, as far as it has said;
// 0 when it is not.
func (c *Client) Ahead() time.Duration { return max(0, c.skew.get()) }

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() {
	if ci, ok := c.cfg.HTTP.(interface{ CloseIdleConnections() }); ok {
		ci.CloseIdleConnections()
	}
}

// joinPath appends an encoded endpoint path to the base URL's path.
func joinPath(base *url.URL, endpoint string) (path, rawPath string) {
	rawPath = base.EscapedPath() + endpoint
	path, err := url.PathUnescape(rawPath)
	if err != nil {
		return rawPath, ""
	}
	if path == rawPath {
		return path, ""
	}
	return path, rawPath
}
