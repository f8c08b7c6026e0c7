package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// ErrResponseTooLarge is the cause when a response's body is larger than the SDK reads.
var ErrResponseTooLarge = redact.Sentinel(fmt.Sprintf("response larger than %d MiB", maxResponseBytes>>20))

// record holds what a call knows of its attempts. It is the request's context, the one
// value that go-retryablehttp passes to each of its hooks. Attempts come one after the
// other.
type record struct {
	context.Context //nolint:containedctx // the caller's: the record ends with the call

	call     Call
	url      url.URL
	key      [1]string // its idempotency key, as a header's value
	attempts int
	charged  int // attempts that count towards maxAttempts: see verdict.free
	last     verdict

	// The last complete response.
	status     int
	header     http.Header
	body       []byte
	retryAfter time.Duration
	word       Word

	err       error
	wait      time.Duration
	stoppedBy string

	signer Signer // of the last attempt

	open *openAttempt // for the hooks; nil without them, and between attempts

	sent      bool // an attempt may have put bytes on the wire
	inDoubt   bool // an attempt may have been executed, and had no response
	corrected bool // the clock's offset was learned from one of the responses
	reread    bool // the query was signed in another way after a refusal
	decided   bool // it says what was done, finally
	renewed   bool // new keys were asked for
}

type recordKey struct{}

// Value implements [context.Context]. It returns the record itself, or the value of the
// caller's context.
func (r *record) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return r
	}
	return r.Context.Value(key)
}

// recordOf returns the record, which is the context of every request that Do makes.
func recordOf(ctx context.Context) *record {
	rec, _ := ctx.Value(recordKey{}).(*record)
	return rec
}

func (r *record) result() Result {
	return Result{
		Status: r.status, Header: r.header, Body: r.body, Err: r.err, Attempts: r.attempts,
		Outcome: r.outcome(), RetryAfter: r.retryAfter, StoppedBy: r.stoppedBy,
		Word: r.word,
	}
}

// attempter is the RoundTripper inside the retrying client: one RoundTrip is one attempt.
//
// It has no CloseIdleConnections on purpose. go-retryablehttp calls that after each
// failed call. It would flush the whole pool and make an outage more expensive still.
type attempter struct {
	cfg       *Config
	userAgent []string // the header's value
	skew      skew

	headerLogged sync.Once // that a hook's header was left out
}

// RoundTrip dates and signs a clone of req, sends it, and reads the complete response
// into the call's record. The response it returns has no body left to read.
func (a *attempter) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := recordOf(req.Context())
	call := &rec.call
	rec.attempts++
	rec.stoppedBy = "" // clears the previous attempt's reason

	timeout := call.Timeout
	if timeout <= 0 {
		timeout = a.cfg.Timeout
	}
	traced := a.begin(req.Context(), rec)
	var added http.Header
	if hooks := a.cfg.Hooks; hooks != nil && hooks.Headers != nil {
		added = make(http.Header)
		hooks.Headers(traced, added)
	}
	ctx, cancel := context.WithTimeout(traced, timeout)
	defer cancel() // the body is read before RoundTrip returns

	var own struct { // what belongs to this attempt alone, in one allocation
		conn  connTrace
		proof [len(Proof{})]string
	}
	if call.Method != http.MethodGet {
		// A read changes nothing, sent or not. For any other call it matters whether a
		// connection was ever made.
		ctx = httptrace.WithClientTrace(ctx, own.conn.hooks())
	}
	if rec.signer == nil || !rec.inDoubt {
		rec.signer = a.cfg.Keys.Signer() // an attempt in doubt is repeated with the keys that it had
	}
	start := a.cfg.Clock.Now()
	attempt := req.WithContext(ctx)
	offset := a.skew.get()
	attempt.Header = a.header(rec, a.skew.date(start, offset, call), &own.proof)
	if added != nil {
		a.addHeaders(traced, attempt.Header, added)
	}
	attempt.ContentLength = int64(len(call.Body))
	if call.Body != nil {
		attempt.Body = io.NopCloser(bytes.NewReader(call.Body))
		// net/http may itself resend on a connection that died as it was taken, with the
		// same bytes.
		attempt.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(call.Body)), nil
		}
	}

	resp, used, err := a.send(attempt)
	var body []byte
	var arrived time.Time
	if err == nil {
		arrived = a.cfg.Clock.Now()
		body, err = readBody(resp)
	}
	if err != nil {
		if own, ok := a.cfg.HTTP.(*Renewing); ok && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			own.timedOut(used) // by its own time limit, or the caller's
		}
		err = explain(req.Context(), ctx, err, timeout)
		rec.failed(err, &own.conn)
		a.tell(traced, rec, resp, nil, start)
		return nil, err
	}
	now := a.cfg.Clock.Now()
	word := NoWord
	if resp.StatusCode >= http.StatusBadRequest {
		word = a.cfg.ReadError(resp.StatusCode, body)
	}
	var after retryAfter
	if values := resp.Header["Retry-After"]; len(values) > 0 {
		// A date counts from now, by the clock of the server that wrote it: the attempt
		// may have taken long.
		serverNow := now.Add(offset)
		if at, ok := serverTime(resp.Header); ok {
			serverNow = at.Truncate(time.Second).Add(now.Sub(arrived)) // to the second, as the other date is
		}
		after = parseRetryAfter(values, serverNow)
	}
	if own.conn.resent(resp) {
		rec.inDoubt = true // until a response to the key settles it
	}
	rec.answered(resp, body, after, word)
	a.tell(traced, rec, resp, body, start)
	tooOld := a.cfg.Dated && refusedForAge(resp.StatusCode, body)
	if tooOld && offset > 0 && call.Method != http.MethodGet {
		// Dated ahead of this machine's clock, and refused for now. A program that has
		// the request can send it again when its time comes.
		rec.inDoubt = true
	}
	if tooOld && a.skew.correct(rec, a.cfg.Logger, resp.Header, offset, now) {
		rec.last = verdict{retry: true, free: true}
	}
	if word == Refused && refusedForKeys(resp.StatusCode, body) && !rec.renewed {
		a.renew(req.Context(), rec)
	}
	if !rec.last.free && call.Method == http.MethodGet && call.Query != "" && refusedForSignature(resp.StatusCode, body) {
		again := rec.reread
		if rec.reread = true; rec.signer.Reread(call, again) {
			rec.last = verdict{retry: true, free: true}
		}
	}
	resp.Body = http.NoBody
	return resp, nil
}

// renew asks for new keys after a refusal of those of the last attempt. Nothing was
// executed by it. Should there be none, the refusal stands.
func (a *attempter) renew(ctx context.Context, rec *record) {
	rec.renewed = true
	next, reason := a.cfg.Keys.Renew(ctx, rec.signer, rec.inDoubt)
	if next == nil {
		rec.stoppedBy = reason
		return
	}
	rec.signer = next
	rec.last = verdict{retry: true, free: true}
}

// send sends an attempt. It returns which of the SDK's own transports it used, nil for
// the user's.
func (a *attempter) send(attempt *http.Request) (*http.Response, *http.Transport, error) {
	if own, ok := a.cfg.HTTP.(*Renewing); ok {
		return own.send(attempt)
	}
	resp, err := a.cfg.HTTP.RoundTrip(attempt)
	return resp, nil, err
}

// header returns an attempt's own headers. values has room for those that authenticate
// the caller.
func (a *attempter) header(rec *record, at time.Time, values *[len(Proof{})]string) http.Header {
	call := &rec.call
	h := make(http.Header, 8+len(call.Header))
	maps.Copy(h, call.Header)
	h["Accept"] = acceptJSON
	h["User-Agent"] = a.userAgent
	if call.Body != nil {
		h["Content-Type"] = contentTypeJSON
	}
	if call.IdempotencyKey != "" {
		h[a.cfg.KeyHeader] = rec.key[:]
	}
	for i, header := range rec.signer.Authorize(at, call) {
		if header.Name != "" {
			values[i] = header.Value
			h[header.Name] = values[i : i+1 : i+1]
		}
	}
	return h
}

// Shared by all attempts, and never written to.
var (
	acceptJSON      = []string{"application/json"}
	contentTypeJSON = []string{"application/json"}
)

// byteOrderMark is put in front of JSON by some servers and proxies. No JSON parser
// accepts it.
var byteOrderMark = []byte("\ufeff")

// readBody reads the response up to the limit, and closes it. The transport may be the
// user's own, so it also checks what http.Client would have checked.
func readBody(resp *http.Response) ([]byte, error) {
	if resp == nil {
		return nil, errNoResponse
	}
	if resp.Body == nil {
		return nil, nil
	}
	defer resp.Body.Close() //nolint:errcheck // reading told everything there is to know
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the connection itself, which no time limit ends.
		return nil, errSwitchingProtocols
	}
	if resp.ContentLength > maxResponseBytes {
		return nil, ErrResponseTooLarge
	}
	// Room for the announced length and one byte more: only another read may show the
	// end.
	room := resp.ContentLength + 1
	if room <= 1 {
		room = bytes.MinRead
	}
	body := make([]byte, 0, room)
	for {
		n, err := resp.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxResponseBytes:
			return nil, ErrResponseTooLarge
		case err == io.EOF:
			return bytes.TrimPrefix(body, byteOrderMark), nil
		case err != nil:
			return nil, redact.Wrap(fmt.Sprintf("response (HTTP %d) cut short", resp.StatusCode), err)
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

var (
	errNoResponse         = redact.Sentinel("the transport returned neither a response nor an error")
	errSwitchingProtocols = redact.Sentinel("the server switched to another protocol (HTTP 101) that was not requested")
)

// explain distinguishes the caller's own time limit from the attempt's, and both from any
// other.
func explain(callCtx, attemptCtx context.Context, err error, timeout time.Duration) error {
	if callCtx.Err() != nil {
		return callCtx.Err()
	}
	err = unwrapURLError(err)
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	case attemptCtx.Err() != nil:
		return &attemptTimeoutError{timeout}
	default:
		return innerTimeoutError{err}
	}
}

// attemptTimeoutError is the error of an attempt that exceeded its own timeout. It is not
// context.DeadlineExceeded: the caller's context has not ended.
type attemptTimeoutError struct{ after time.Duration }

func (e *attemptTimeoutError) Error() string   { return fmt.Sprintf("no response within %v", e.after) }
func (e *attemptTimeoutError) OwnText() string { return e.Error() }
func (e *attemptTimeoutError) Timeout() bool   { return true }
func (e *attemptTimeoutError) Temporary() bool { return true }

// innerTimeoutError is a time limit inside the transport, such as a dialer's. The net
// package calls that context.DeadlineExceeded too; here it would be mistaken for the
// caller's.
type innerTimeoutError struct{ err error }

func (e innerTimeoutError) Error() string      { return e.err.Error() }
func (e innerTimeoutError) OwnText() string    { return redact.Cause(e.err, nil) }
func (e innerTimeoutError) Timeout() bool      { return true }
func (e innerTimeoutError) Temporary() bool    { return true }
func (e innerTimeoutError) As(target any) bool { return errors.As(e.err, target) }

// unwrapURLError removes the wrapping that repeats the URL, which contains ids.
func unwrapURLError(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

// connTrace records whether an attempt ever had a connection to write to.
type connTrace struct {
	wanted atomic.Bool
	got    atomic.Int32
	trace  httptrace.ClientTrace
}

func (t *connTrace) hooks() *httptrace.ClientTrace {
	t.trace.GetConn = func(string) { t.wanted.Store(true) }
	t.trace.GotConn = func(httptrace.GotConnInfo) { t.got.Add(1) }
	return &t.trace
}

// nothingSent reports whether err ended the attempt before a byte of it was written.
//
// Only a transport that reports its connections is believed: net/http may lose a
// connection after writing to it and fail to dial the next one. The error is then the
// dial's.
func (t *connTrace) nothingSent(err error) bool {
	if t.wanted.Load() {
		return t.got.Load() == 0
	}
	return beforeSending(err)
}

// resent reports whether net/http sent the attempt more than once by itself: on HTTP/1 it
// does so when a connection that was in use before dies without a response, and the first
// copy may have been executed. On HTTP/2 it repeats only what the server did not process.
func (t *connTrace) resent(resp *http.Response) bool { return resp.ProtoMajor != 2 && t.got.Load() > 1 }

// tell writes the attempt's line, and keeps what the hooks are told when it is known
// whether another attempt follows.
func (a *attempter) tell(ctx context.Context, rec *record, resp *http.Response, body []byte, start time.Time) {
	if a.cfg.Logger == nil && rec.open == nil {
		return
	}
	took := a.cfg.Clock.Now().Sub(start)
	rec.note(resp, body, took)
	if a.cfg.Logger != nil {
		a.log(ctx, rec, resp, took)
	}
}

// log writes the attempt's line: what an operator needs, without customer data or
// secrets.
func (a *attempter) log(ctx context.Context, rec *record, resp *http.Response, took time.Duration) {
	level := slog.LevelInfo
	attrs := make([]slog.Attr, 0, 7)
	attrs = append(attrs,
		slog.String("method", rec.call.Method),
		slog.String("path", rec.call.Template),
		slog.Int("attempt", rec.attempts),
		slog.Duration("duration", took))
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode))
		if id := resp.Header.Get("X-Request-Id"); id != "" {
			attrs = append(attrs, slog.String("request_id", redact.ID(id)))
		}
	}
	if rec.err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", redact.Cause(rec.err, nil)))
	} else if resp.StatusCode >= http.StatusBadRequest {
		level = slog.LevelWarn
	}
	a.cfg.Logger.LogAttrs(ctx, level, "intram attempt", attrs...)
}
