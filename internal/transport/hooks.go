package transport

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Hooks are told of attempts. Each of them may be nil, and none may panic.
type Hooks struct {
	// Start is called before an attempt is dated and signed. It returns the attempt's
	// context, which ends when ctx does.
	Start func(ctx context.Context, call *Call, number int) context.Context
	// Headers adds headers to an empty set of them. Those that the SDK or net/http sets
	// itself are left out.
	Headers func(ctx context.Context, header http.Header)
	// End is called once for each attempt that was started.
	End func(ctx context.Context, call *Call, end *Attempt)
	// BudgetSpent is called when a call is not retried because the budget is spent.
	BudgetSpent func(ctx context.Context, call *Call)
}

// Attempt is what became of an attempt.
type Attempt struct {
	Number   int
	Duration time.Duration
	// Status, Header and Protocol are the response's, zero without one. Body is nil if it
	// could not be read to its end.
	Status   int
	Header   http.Header
	Protocol string
	Body     []byte
	Word     Word
	// Err says why there is no complete response.
	Err        error
	RetryAfter time.Duration
	// Retry says that another attempt follows after Wait, unless the context ends first.
	Retry bool
	Wait  time.Duration
}

// errAbandoned is the Err of an attempt that a panic ended.
var errAbandoned = redact.Sentinel("the transport panicked, or ended its goroutine")

// openAttempt is an attempt that has started, and whose end was not told yet.
type openAttempt struct {
	ctx   context.Context //nolint:containedctx // of the attempt
	start time.Time
	end   Attempt
}

// begin tells of an attempt's start. It returns the attempt's context.
func (a *attempter) begin(ctx context.Context, rec *record) context.Context {
	hooks := a.cfg.Hooks
	if hooks == nil {
		return ctx
	}
	if hooks.Start != nil {
		ctx = hooks.Start(ctx, &rec.call, rec.attempts)
	}
	rec.open = &openAttempt{ctx: ctx, start: a.cfg.Clock.Now(), end: Attempt{Number: rec.attempts}}
	return ctx
}

// note keeps what is known of the attempt until it is known whether another follows.
func (r *record) note(resp *http.Response, body []byte, took time.Duration) {
	if r.open == nil {
		return
	}
	end := &r.open.end
	end.Duration, end.Err = took, r.err
	if resp != nil {
		end.Status, end.Header, end.Protocol = resp.StatusCode, resp.Header, resp.Proto
	}
	if r.err == nil {
		end.Body, end.Word, end.RetryAfter = body, r.word, r.retryAfter
	}
}

// close tells of the end of the attempt, if one is open.
func (r *record) close(hooks *Hooks, retry bool) {
	if r.open == nil {
		return
	}
	open := r.open
	r.open = nil
	if open.end.Retry = retry; retry {
		open.end.Wait = r.wait
	}
	if hooks.End != nil {
		hooks.End(open.ctx, &r.call, &open.end)
	}
}

// abandon tells of the end of an attempt that had none: the transport panicked.
func (c *Client) abandon(rec *record) {
	if rec.open == nil {
		return
	}
	rec.open.end.Duration, rec.open.end.Err = c.cfg.Clock.Now().Sub(rec.open.start), errAbandoned
	rec.close(c.cfg.Hooks, false)
}

// Bounds of the headers that a hook may add. Within them a request is not refused for the
// size of its headers.
const maxHookHeaders, maxHookHeaderBytes = 32, 12 << 10

// addHeaders adds the hook's headers to an attempt's own.
func (a *attempter) addHeaders(ctx context.Context, own, added http.Header) {
	n, size := 0, 0
	for _, name := range slices.Sorted(maps.Keys(added)) {
		values := added[name]
		name = http.CanonicalHeaderKey(name)
		_, taken := own[name]
		for _, value := range values {
			size += len(name) + len(value)
			taken = taken || !validValue(value)
		}
		n += len(values)
		if taken || reserved(name, a.cfg.KeyHeader) || n > maxHookHeaders || size > maxHookHeaderBytes {
			a.leftOut(ctx, name)
			continue
		}
		if len(values) > 0 {
			own[name] = slices.Clone(values) // the hook may keep its own
		}
	}
}

// leftOut logs the first header that was left out.
func (a *attempter) leftOut(ctx context.Context, name string) {
	if a.cfg.Logger != nil {
		a.headerLogged.Do(func() {
			a.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "intram tracer header left out", slog.String("header", redact.ID(name)))
		})
	}
}

// reservedNames are headers that the SDK or net/http sets, or that change how a request
// or its response is read.
var reservedNames = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Authorization": true, "Cookie": true, "Expect": true,
	"Host": true, "Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Idempotency-Key": true, "X-Idempotency-Key": true, "X-Api-Key": true, "X-Timestamp": true, "X-Signature": true,
	"Range": true, "User-Agent": true, "Date": true, "Forwarded": true, "X-Http-Method-Override": true, "X-Method-Override": true,
}

// reserved reports whether a hook may not add a header of this name.
func reserved(name, keyHeader string) bool {
	for _, prefix := range []string{"Content-", "If-", "Proxy-", "Sec-", "X-Forwarded-", "X-Intram-", ":"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return reservedNames[name] || name == keyHeader || !IsToken(name)
}

// IsToken reports whether text is a token (RFC 9110, 5.6.2). net/http refuses a request
// with a header of any other name.
func IsToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return text != ""
}

// validValue reports whether a value is visible ASCII, spaces and tabs. Other bytes may
// be refused on the way.
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
