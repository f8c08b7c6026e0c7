// Package transport turns one call of the SDK into one or more HTTP attempts.
//
// What happens once per call is kept apart from what happens once per attempt:
//
//   - per call: the body is marshalled and the idempotency key is chosen, by the caller
//     of this package; [Client.Do] decides how many attempts are made and what the whole
//     of them means (retry.go, outcome.go);
//   - per attempt: a RoundTripper inside the retrying client clones the request, dates
//     and signs it, sends it, reads the complete response up to a limit and writes one log line
//     (attempt.go).
//
// It is the only package that imports go-retryablehttp, whose types it does not export.
// The library runs the loop: it asks after each attempt whether to make another
// (checkRetry), waits (prepareRetry) and rewinds. This package does the rest: what an
// attempt without a response may have done, what a refusal decides, Retry-After with a
// cap, jitter on an injected clock, the retry budget, and attempts that are free because
// only the date or the reading of the query was wrong. The library's logger, backoff and
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
	// Now returns the current time.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Config holds what all calls of a client share. Every field is required except Logger,
// Limit, Closed, Budget and Hooks.
type Config struct {
	// BaseURL is joined with each call's path. Its path has no slash at the end.
	BaseURL *url.URL
	// HTTP sends one attempt. It must not follow redirects, and [http.RoundTripper]
	// implementations do not.
	HTTP http.RoundTripper
	// Keys are those that authenticate the caller.
	Keys Keys
	// ReadError reads the body of a response with a status of 400 or above. It returns
	// NoWord unless the body is the API's own error object.
	ReadError func(status int, body []byte) Word
	// Dated says that the proof of a [Signer] has an age: after a refusal for it, the
	// clock is corrected.
	Dated bool
	// KeyHeader is the header that carries the idempotency key, in canonical form.
	KeyHeader string
	// UserAgent is sent unchanged.
	UserAgent string
	// Clock dates attempts and waits between them.
	Clock Clock
	// Rand draws from [0, 1) for the jitter.
	Rand func() float64
	// Timeout bounds one attempt, including the response's body.
	Timeout time.Duration
	// MaxAttempts is at least 1.
	MaxAttempts int
	// Logger gets one line an attempt, unless nil.
	Logger *slog.Logger
	// Limit, unless nil, is called before each attempt, and returns when that may begin.
	// After an error there are no more attempts.
	Limit func(ctx context.Context, call *Call) error
	// Closed, unless nil, returns an error when no more attempts may begin.
	Closed func() error
	// Budget is shared with other clients of the host. Nil is one of the client's own.
	Budget *Budget
	// Hooks are told of attempts, unless nil.
	Hooks *Hooks
}

// Signer authenticates attempts with one set of keys.
type Signer interface {
	// Authorize returns the headers that authenticate the caller, for one attempt.
	Authorize(at time.Time, call *Call) Proof
	// Reread is called after a read whose signature was refused. It reports whether
	// Authorize signs its query in another way from now on. again says that it already
	// did so for this call.
	Reread(call *Call, again bool) bool
}

// Keys supplies the keys that attempts are authenticated with.
type Keys interface {
	// Signer returns the one of the next attempt.
	Signer() Signer
	// Renew is called once a call at most, when the API has refused the keys of an
	// attempt. It returns another signer to try at once, or nil and why there is none; no
	// reason if keys do not change. inDoubt says that an earlier attempt of the call, or
	// an earlier call with its key, may have been executed.
	Renew(ctx context.Context, refused Signer, inDoubt bool) (next Signer, reason string)
}

// FixedKeys never change.
type FixedKeys struct{ Only Signer }

// Signer implements [Keys].
func (k FixedKeys) Signer() Signer { return k.Only }

// Renew implements [Keys]: there are no others.
func (FixedKeys) Renew(context.Context, Signer, bool) (Signer, string) { return nil, "" }

// Proof is the headers that authenticate the caller. Unused ones have no name.
type Proof [3]struct {
	Name  string // in canonical form
	Value string
}

// Limits that are not settings.
const (
	// maxResponseBytes caps a response's body, after decompression. A page of 100
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
	c := &Client{cfg: cfg, budgets: newBudgets(cfg.Budget)}
	attempts := &attempter{cfg: &c.cfg, userAgent: []string{cfg.UserAgent}}
	c.skew = &attempts.skew
	c.retry = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: attempts,
			// A redirect is a response like any other: following it would send the
			// signature on.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Logger: nil, // its lines would show URLs; attempt.go writes ours
		// Each call has its own number of attempts: decide counts them, so the library
		// must not.
		RetryMax:   maxInt,
		CheckRetry: c.attempted,
		// The wait goes through the clock, in prepareRetry.
		Backoff:      func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 },
		PrepareRetry: c.prepareRetry,
		// The call's record holds the last response: nothing to wrap or close here.
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c
}

const maxInt = int(^uint(0) >> 1)

// noHeader is the header of every call before it is attempted. It is never written to.
var noHeader = make(http.Header)

// Call is one call, the same for all of its attempts.
type Call struct {
	Method string
	// Template is the path as documentation, logs and errors show it, without the ids:
	// /operations/{id}.
	Template string
	// Path is the endpoint below the base URL, percent-encoded.
	Path string
	// Query is sorted, and has no character that needs encoding.
	Query string
	// Body is sent unchanged, and is nil for methods without one.
	Body []byte
	// IdempotencyKey is empty for methods without one.
	IdempotencyKey string
	// Resumed says that an earlier call with the same key may have been sent. The call is
	// in doubt from the start.
	Resumed bool
	// NotAfter, unless zero, is when the last attempt may begin. Later the server has
	// forgotten the key, and would execute the call again.
	NotAfter time.Time
	// Header holds headers of this call only. It is not changed.
	Header http.Header
	// MaxAttempts and Timeout, when above zero, replace those of Config.
	MaxAttempts int
	Timeout     time.Duration
	// Poll says that a wait makes the call.
	Poll bool
}

// Result is the result of all attempts of a call.
type Result struct {
	// Status, Header and Body are those of the last complete response. Status is 0 if
	// there was none.
	Status int
	Header http.Header
	Body   []byte
	// Err says why the last attempt has no response, or why the call stopped between two
	// attempts. If it is nil there is a response.
	Err error
	// Attempts counts the attempts begun.
	Attempts int
	// Outcome says what a failed call may have done. It is meaningless after a success.
	Outcome Outcome
	// Word classifies the body of the last response, if it is an error.
	Word Word
	// RetryAfter is the wait that the last response asked for, 0 without one.
	RetryAfter time.Duration
	// StoppedBy says why the call ended although attempts were left. Empty otherwise.
	StoppedBy string
}

// Do makes the call. It returns after a final response, when no attempts are left, or
// when ctx ends.
func (c *Client) Do(ctx context.Context, call *Call) Result {
	rec := &record{
		Context: ctx, call: *call, url: *c.cfg.BaseURL, key: [1]string{call.IdempotencyKey},
		inDoubt: call.Resumed,
	}
	if rec.call.MaxAttempts <= 0 {
		rec.call.MaxAttempts = c.cfg.MaxAttempts
	}
	rec.url.Path, rec.url.RawPath = joinPath(c.cfg.BaseURL, call.Path)
	rec.url.RawQuery = call.Query
	req := &retryablehttp.Request{Request: (&http.Request{
		Method: call.Method, URL: &rec.url, Host: rec.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		// The header and the body are made for each attempt.
		Header: noHeader,
	}).WithContext(rec)}
	if err := ctx.Err(); err != nil {
		rec.err = err
		return rec.result()
	}
	if c.limit(rec) != nil {
		return rec.result()
	}
	if c.cfg.Limit != nil && c.tooLate(rec, 0) {
		rec.err = ErrTooLate
		return rec.result()
	}
	if c.cfg.Hooks != nil {
		defer c.abandon(rec)
	}
	resp, err := c.retry.Do(req)
	if resp != nil {
		resp.Body.Close() //nolint:errcheck // always http.NoBody: the attempt has read the real one
	}
	if err != nil && rec.err == nil && !errors.Is(err, errTooLate) {
		// The library stopped for its own reason: the context ended, or the request could
		// not be made.
		rec.err = unwrapURLError(err)
	}
	return rec.result()
}

// Ahead returns how far the server's clock is ahead of this machine's, as far as known; 0
// if it is not.
func (c *Client) Ahead() time.Duration { return max(0, c.skew.get()) }

// InDebt reports whether the client has spent retries of a shared budget that it has not
// earned back.
func (c *Client) InDebt() bool { return c.budgets.reads.inDebt() || c.budgets.writes.inDebt() }

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
