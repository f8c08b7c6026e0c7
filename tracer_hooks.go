package intram

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/hook"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/transport"
)

// How a call, a wait or a delivery ended that has no result of its own.
var (
	errAbandoned = redact.Sentinel("intram: ended by a panic, or with its goroutine, before its result was known")
	errRangeLeft = redact.Sentinel("intram: the range was left before each operation had ended")
)

// tracing is a client's tracer, with what it can do besides. A nil one traces nothing.
type tracing struct {
	guard  *hook.Guard
	clock  Clock
	tracer Tracer

	// nil unless the tracer implements it
	attempts AttemptTracer
	retries  RetryTracer
	waits    WaitTracer
	headers  HeaderTracer
}

func newTracing(cfg *clientConfig) *tracing {
	if cfg.tracer == nil {
		return nil
	}
	t := &tracing{guard: hook.NewGuard(cfg.logger), clock: cfg.clock, tracer: cfg.tracer}
	t.attempts, _ = cfg.tracer.(AttemptTracer)
	t.retries, _ = cfg.tracer.(RetryTracer)
	t.waits, _ = cfg.tracer.(WaitTracer)
	t.headers, _ = cfg.tracer.(HeaderTracer)
	return t
}

// callTracing traces the calls of one protocol.
type callTracing struct {
	*tracing

	facts TraceCall // what all of its calls have in common
}

// calls returns the tracing of a protocol's calls, nil for a nil t.
func (t *tracing) calls(api string, environment Environment, base *url.URL) *callTracing {
	if t == nil {
		return nil
	}
	port, err := strconv.Atoi(base.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[base.Scheme]
	}
	return &callTracing{t, TraceCall{API: api, Environment: environment, ServerAddress: base.Hostname(), ServerPort: port}}
}

// call describes a call to the tracer.
func (t *callTracing) call(method, template, key string) TraceCall {
	facts := t.facts
	facts.Method, facts.Template = method, template
	if key != "" {
		sum := sha256.Sum256([]byte(key))
		facts.IdempotencyKeyHash = hex.EncodeToString(sum[:8])
	}
	return facts
}

func (t *callTracing) of(call *transport.Call) TraceCall {
	return t.call(call.Method, call.Template, call.IdempotencyKey)
}

// hooks are what the transport tells of attempts, nil for a nil t.
func (t *callTracing) hooks() *transport.Hooks {
	if t == nil {
		return nil
	}
	hooks := new(transport.Hooks)
	if t.attempts != nil {
		hooks.Start, hooks.End = t.attemptStart, t.attemptEnd
	}
	if t.headers != nil {
		hooks.Headers = func(ctx context.Context, header http.Header) {
			t.guard.Run(ctx, "TraceHeaders", func() { t.headers.TraceHeaders(ctx, header) })
		}
	}
	if t.retries != nil {
		hooks.BudgetSpent = func(ctx context.Context, call *transport.Call) {
			facts := t.of(call)
			t.guard.Run(ctx, "TraceBudgetSpent", func() { t.retries.TraceBudgetSpent(ctx, facts) })
		}
	}
	return hooks
}

func (t *callTracing) attemptStart(ctx context.Context, call *transport.Call, number int) context.Context {
	attempt := TraceAttempt{TraceCall: t.of(call), Number: number}
	return t.guard.Start(ctx, "TraceAttemptStart", func(ctx context.Context) context.Context {
		return t.attempts.TraceAttemptStart(ctx, attempt)
	})
}

func (t *callTracing) attemptEnd(ctx context.Context, call *transport.Call, a *transport.Attempt) {
	end := TraceAttemptEnd{
		TraceAttempt: TraceAttempt{TraceCall: t.of(call), Number: a.Number},
		Duration:     max(0, a.Duration), StatusCode: a.Status, Protocol: redact.ID(a.Protocol),
		Err: shown(a.Err), RetryAfter: a.RetryAfter, Retry: a.Retry, Wait: a.Wait,
	}
	if a.Status != 0 {
		end.RequestID = redact.ID(a.Header.Get("X-Request-Id"))
	}
	if a.Word != transport.NoWord {
		var own struct {
			Code ErrorCode `json:"code"`
		}
		_ = json.Unmarshal(a.Body, &own) // it was read before
		end.Code = ErrorCode(redact.Code(string(own.Code)))
	}
	t.guard.Run(ctx, "TraceAttemptEnd", func() { t.attempts.TraceAttemptEnd(ctx, end) })
}

// tracedCall is a call that a tracer was told of. A nil one is of a client without.
type tracedCall struct {
	trace *callTracing
	ctx   context.Context //nolint:containedctx // that the start method returned; it ends with the call
	start time.Time
	end   TraceCallEnd
	sent  bool // the transport was asked
	told  bool // what became of it is known
}

// start tells of a call before it is checked.
func (t *callTracing) start(ctx context.Context, r *request) *tracedCall {
	if ctx == nil {
		ctx = context.Background() // the call is refused, and the tracer is told of it
	}
	c := &tracedCall{trace: t, start: t.clock.Now(), end: TraceCallEnd{TraceCall: t.call(r.method, r.template, "")}}
	c.ctx = t.guard.Start(ctx, "TraceCallStart", func(ctx context.Context) context.Context {
		return t.tracer.TraceCallStart(ctx, c.end.TraceCall)
	})
	return c
}

// chose notes the key that the call carries.
func (c *tracedCall) chose(call *transport.Call) {
	if c != nil {
		c.end.TraceCall = c.trace.of(call)
	}
}

// doubt tells that the call leaves its key in doubt.
func (c *tracedCall) doubt(keys int) {
	if c == nil || c.trace.retries == nil {
		return
	}
	facts := c.end.TraceCall
	c.trace.guard.Run(c.ctx, "TraceDoubt", func() { c.trace.retries.TraceDoubt(c.ctx, facts, keys) })
}

// came notes what the call came to.
func (c *tracedCall) came(res *transport.Result, operationID string, err error) {
	if c == nil {
		return
	}
	c.told = true
	c.end.Attempts, c.end.StatusCode, c.end.Replayed = res.Attempts, res.Status, replayed(res)
	c.end.OperationID = scrubID(operationID)
	if err != nil {
		c.end.Err, c.end.Outcome = err, OutcomeOf(err)
		if e, ok := errors.AsType[*Error](err); ok {
			c.end.Code = ErrorCode(redact.Code(string(e.Code)))
		}
	}
}

// close tells of the end of the call.
func (c *tracedCall) close() {
	if !c.told {
		c.end.Err, c.end.Outcome = errAbandoned, OutcomeNotSent
		if c.sent {
			c.end.Outcome = OutcomeUnknown
		}
	}
	c.end.Duration = passed(c.start, c.trace.clock.Now())
	c.trace.guard.Run(c.ctx, "TraceCallEnd", func() { c.trace.tracer.TraceCallEnd(c.ctx, c.end) })
}

// Kinds of waits.
const (
	waitOperation   = "operation"
	waitTransaction = "transaction"
	waitPayin       = "payin_session"
)

// tracedWait is a wait that a tracer was told of. A nil one is of a client without.
type tracedWait struct {
	trace *tracing
	ctx   context.Context //nolint:containedctx // that the start method returned; it ends with the wait
	start time.Time
	end   TraceWaitEnd
}

// startWait tells of a wait. It returns the context of the wait.
func (c *Client) startWait(ctx context.Context, kind string, items int) (context.Context, *tracedWait) {
	t := c.trace
	if t == nil || t.waits == nil {
		return ctx, nil
	}
	refused := ctx == nil // and the tracer is told of it
	if refused {
		ctx = context.Background()
	}
	wait := TraceWait{Kind: kind, Environment: c.environment, Items: items}
	w := &tracedWait{trace: t, start: t.clock.Now(), end: TraceWaitEnd{TraceWait: wait, Pending: items}}
	w.ctx = t.guard.Start(ctx, "TraceWaitStart", func(ctx context.Context) context.Context { return t.waits.TraceWaitStart(ctx, wait) })
	if refused {
		return nil, w
	}
	return w.ctx, w
}

// finished notes that one item has ended.
func (w *tracedWait) finished() {
	if w != nil {
		w.end.Pending--
	}
}

// failed notes why the wait for an item ended before the item did, and returns it.
func (w *tracedWait) failed(err error) error {
	if w != nil && w.end.Err == nil {
		w.end.Err = err
	}
	return err
}

// left notes that the range of a wait was left, unless it goes on.
func (w *tracedWait) left(goesOn bool) bool {
	if w != nil && !goesOn && w.end.Pending > 0 {
		_ = w.failed(errRangeLeft)
	}
	return goesOn
}

// distinct counts the ids of a wait that is traced.
func distinct(ids []string, t *tracing) int {
	if t == nil {
		return 0
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		seen[id] = true
	}
	return len(seen)
}

// close tells of the end of the wait.
func (w *tracedWait) close() {
	if w == nil {
		return
	}
	if w.end.Pending > 0 && w.end.Err == nil {
		w.end.Err = errAbandoned
	}
	w.end.Duration = passed(w.start, w.trace.clock.Now())
	w.trace.guard.Run(w.ctx, "TraceWaitEnd", func() { w.trace.waits.TraceWaitEnd(w.ctx, w.end) })
}

// deliveryTracing is the tracer of a handler or a reconciler. A nil one traces nothing.
type deliveryTracing struct {
	guard  *hook.Guard
	clock  Clock
	tracer DeliveryTracer
	inbox  InboxTracer // nil unless the tracer implements it
}

func newDeliveryTracing(tracer DeliveryTracer, clock Clock, logger *slog.Logger) *deliveryTracing {
	if tracer == nil {
		return nil
	}
	t := &deliveryTracing{guard: hook.NewGuard(logger), clock: clock, tracer: tracer}
	t.inbox, _ = tracer.(InboxTracer)
	return t
}

// setClock sets the clock that ages and durations are told by.
func (t *deliveryTracing) setClock(clock Clock) {
	if t != nil {
		t.clock = clock
	}
}

// Sources of deliveries, and requests to the inbox.
const (
	sourceWebhook    = "webhook"
	sourceReconciler = "reconciler"

	inboxClaim    = "claim"
	inboxComplete = "complete"
	inboxRelease  = "release"
)

// untracedHeaders authenticate a request.
var untracedHeaders = []string{headerWebhookSignature, "Authorization", "Cookie"}

// tracedDelivery is a delivery that a tracer was told of. A nil one is of a handler
// without.
type tracedDelivery struct {
	trace *deliveryTracing
	ctx   context.Context //nolint:containedctx // that the start method returned; it ends with the delivery
	start time.Time
	end   TraceDeliveryEnd
}

// start tells of a delivery before it is verified. It returns the delivery's context.
func (t *deliveryTracing) start(ctx context.Context, source string, header http.Header) (context.Context, *tracedDelivery) {
	if t == nil {
		return ctx, nil
	}
	delivery := TraceDelivery{Source: source, Header: header.Clone()}
	maps.DeleteFunc(delivery.Header, func(name string, _ []string) bool { // in any case, as gateways write it
		return slices.ContainsFunc(untracedHeaders, func(untraced string) bool { return strings.EqualFold(name, untraced) })
	})
	d := &tracedDelivery{trace: t, start: t.clock.Now(), end: TraceDeliveryEnd{TraceDelivery: delivery}}
	d.ctx = t.guard.Start(ctx, "TraceDeliveryStart", func(ctx context.Context) context.Context {
		return t.tracer.TraceDeliveryStart(ctx, delivery)
	})
	return d.ctx, d
}

// verified notes the event. The merchant's function may change it later.
func (d *tracedDelivery) verified(event *Event) {
	if d != nil {
		d.end.Type, d.end.OperationID = EventType(redact.Word(string(event.Type))), scrubID(event.OperationID)
		d.end.Attempt = event.Attempt
		d.end.Age = passed(event.OccurredAt, d.start)
	}
}

// came notes what became of the delivery.
func (d *tracedDelivery) came(v verdict, status int, err error) {
	if d != nil {
		d.end.Verdict, d.end.StatusCode, d.end.Err = v.word(), status, shown(err)
	}
}

// close tells of the end of the delivery.
func (d *tracedDelivery) close() {
	if d == nil {
		return
	}
	if d.end.Verdict == "" {
		d.end.Verdict, d.end.Err = abandoned.word(), errAbandoned
	}
	d.end.Duration = passed(d.start, d.trace.clock.Now())
	d.trace.guard.Run(d.ctx, "TraceDeliveryEnd", func() { d.trace.tracer.TraceDeliveryEnd(d.ctx, d.end) })
}

// tracedInbox is a request to the inbox that a tracer was told of. A nil one is of a
// handler without.
type tracedInbox struct {
	trace *deliveryTracing
	ctx   context.Context //nolint:containedctx // that the start method returned; it ends with the request
	start time.Time
	end   TraceInboxEnd
}

// startInbox tells of a request to the inbox. It returns the request's context.
func (t *deliveryTracing) startInbox(ctx context.Context, request string) (context.Context, *tracedInbox) {
	if t == nil || t.inbox == nil {
		return ctx, nil
	}
	i := &tracedInbox{trace: t, start: t.clock.Now(), end: TraceInboxEnd{TraceInbox: TraceInbox{Request: request}}}
	i.ctx = t.guard.Start(ctx, "TraceInboxStart", func(ctx context.Context) context.Context {
		return t.inbox.TraceInboxStart(ctx, i.end.TraceInbox)
	})
	return i.ctx, i
}

// close tells of the inbox's response.
func (i *tracedInbox) close(state ClaimState, err error) {
	if i == nil {
		return
	}
	i.end.Duration, i.end.Err = passed(i.start, i.trace.clock.Now()), shown(err)
	if err == nil {
		i.end.State = state
	}
	i.trace.guard.Run(i.ctx, "TraceInboxEnd", func() { i.trace.inbox.TraceInboxEnd(i.ctx, i.end) })
}

// shownError prints what may be shown of an error of others, with every verb, and unwraps
// to it.
type shownError struct {
	text string
	err  error
}

// shown returns err as a tracer gets it, nil for nil.
func shown(err error) error {
	if err == nil {
		return nil
	}
	return &shownError{cmp.Or(causeText(err), fmt.Sprintf("error of type %T", err)), err}
}

// Error implements error.
func (e *shownError) Error() string { return e.text }

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e *shownError) Format(f fmt.State, _ rune) { writeString(f, e.text) }

// Unwrap returns the error itself.
func (e *shownError) Unwrap() error { return e.err }

// passed returns the time from one moment to another. A clock that was set back, or that
// of Intram, may be ahead: no time has passed then.
func passed(from, to time.Time) time.Duration { return max(0, to.Sub(from)) }
