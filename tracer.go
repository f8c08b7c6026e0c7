package intram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Tracer is told of each call that a client makes, with [WithTracer]. Its methods take
// what happened as data, and return as soon as they can: the call waits for them, however
// long they take.
//
// The values of the context that a start method returns are those of what it begins, and
// of its end method, so that a span can travel in it. Its deadline and its end are not
// used: what it begins lasts as long as the caller's context, and has the caller's values
// too where the returned context has none. A nil context is ignored.
//
// No method changes what it is told of. Each runs on a goroutine of its own, so that a
// panic or [runtime.Goexit] ends nothing else; the first one of each method is logged, to
// [WithLogger]. For each start there is one end, after a panic of the transport too.
//
// A Tracer may implement more: [AttemptTracer], [RetryTracer], [WaitTracer] and
// [HeaderTracer]. It must be safe for concurrent use. Without one, none of this costs
// anything.
//
// No field names a person, and no field that is part of a metric's or a span's name has
// an id in it: Template is a path without ids, and IdempotencyKeyHash a hash. As a value
// of log/slog, each of them is a group of the names that docs/observability.md lists. Err
// prints without ids of persons or a server's words, and is left out of JSON. Module
// otelintram makes OpenTelemetry spans and metrics of these facts.
type Tracer interface {
	// TraceCallStart is called before anything is checked or sent.
	TraceCallStart(ctx context.Context, call TraceCall) context.Context
	// TraceCallEnd is called when the call's result is known, once for each start.
	TraceCallEnd(ctx context.Context, end TraceCallEnd)
}

// AttemptTracer is a [Tracer] that is told of each HTTP request of a call.
type AttemptTracer interface {
	// TraceAttemptStart is called before each HTTP request.
	TraceAttemptStart(ctx context.Context, attempt TraceAttempt) context.Context
	// TraceAttemptEnd is called when its response was read, or there is none.
	TraceAttemptEnd(ctx context.Context, end TraceAttemptEnd)
}

// RetryTracer is a [Tracer] that is told what happens between and after attempts.
type RetryTracer interface {
	// TraceBudgetSpent is called when a call is not retried because too many calls have
	// failed lately.
	TraceBudgetSpent(ctx context.Context, call TraceCall)
	// TraceDoubt is called when a call leaves its idempotency key in doubt: see
	// [OutcomeUnknown]. keys is how many keys of the client are in doubt now.
	TraceDoubt(ctx context.Context, call TraceCall, keys int)
}

// WaitTracer is a [Tracer] that is told of each wait for an operation, a transaction or a
// payin session.
type WaitTracer interface {
	// TraceWaitStart is called before a wait's first lookup.
	TraceWaitStart(ctx context.Context, wait TraceWait) context.Context
	// TraceWaitEnd is called when the wait returns.
	TraceWaitEnd(ctx context.Context, end TraceWaitEnd)
}

// HeaderTracer is a [Tracer] that adds headers to an attempt, such as traceparent. The
// signature does not cover them, and they go to a third party.
type HeaderTracer interface {
	// TraceHeaders adds to header, which is empty, and does not keep it. Left out are
	// headers that the SDK or net/http sets itself, or that change how a request is read,
	// names and values that HTTP does not allow, values that are not ASCII, and what is
	// beyond 32 headers or 12 KiB. The first one is logged, by its name.
	TraceHeaders(ctx context.Context, header http.Header)
}

// DeliveryTracer is told of each delivery that a webhook handler receives, and of each
// event that a [Reconciler] finds, with [WithHandlerTracer]. The rules of [Tracer] hold.
type DeliveryTracer interface {
	// TraceDeliveryStart is called before the delivery is verified.
	TraceDeliveryStart(ctx context.Context, delivery TraceDelivery) context.Context
	// TraceDeliveryEnd is called when what became of it is known.
	TraceDeliveryEnd(ctx context.Context, end TraceDeliveryEnd)
}

// InboxTracer is a [DeliveryTracer] that is told of each request to the inbox.
type InboxTracer interface {
	// TraceInboxStart is called before the inbox is asked.
	TraceInboxStart(ctx context.Context, request TraceInbox) context.Context
	// TraceInboxEnd is called when it has responded.
	TraceInboxEnd(ctx context.Context, end TraceInboxEnd)
}

// WithTracer tells t of each call that the client makes, of payin sessions too, and of
// its waits. Give the client one tracer: the last one given counts.
func WithTracer(t Tracer) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if isNil(t) {
			return errors.New("WithTracer: the tracer is nil")
		}
		cfg.tracer = t
		return nil
	})
}

// WithHandlerTracer tells t of each delivery that the handler receives, or of each event
// that the reconciler finds.
func WithHandlerTracer(t DeliveryTracer) HandlerOption {
	return func(cfg *handlerConfig) error {
		if isNil(t) {
			return errors.New("WithHandlerTracer: the tracer is nil")
		}
		cfg.tracer = t
		return nil
	}
}

// TraceCall describes a call.
type TraceCall struct {
	// API is "merchant" or "payin".
	API string
	// Method is the HTTP method, and Template the path without ids: /operations/{id}.
	Method, Template string
	// ServerAddress and ServerPort are the base URL's.
	ServerAddress string
	ServerPort    int
	Environment   Environment
	// IdempotencyKeyHash is the beginning of the key's SHA-256, 16 hexadecimal digits. It
	// is empty for calls without a key, and until the key is chosen.
	IdempotencyKeyHash string
}

// TraceCallEnd describes how a call ended.
type TraceCallEnd struct {
	TraceCall

	Duration time.Duration
	Attempts int
	// StatusCode is the last response's, 0 without one.
	StatusCode int
	// Err is nil after a success. It is what the call returns, or says that it panicked.
	Err error `json:"-"`
	// Outcome and Code are the error's, and empty after a success.
	Outcome Outcome
	Code    ErrorCode
	// Replayed says that the API had executed the key before.
	Replayed bool
	// OperationID is the operation that the call created, empty if it created none or
	// failed, and for [Client.Do]. It links the call to the deliveries about it.
	OperationID string
}

// TraceAttempt describes one HTTP request of a call.
type TraceAttempt struct {
	TraceCall

	// Number counts from 1.
	Number int
}

// TraceAttemptEnd describes how an attempt ended.
type TraceAttemptEnd struct {
	TraceAttempt

	Duration   time.Duration
	StatusCode int       // 0 without a response
	Code       ErrorCode // the API's word for its refusal
	RequestID  string    // X-Request-Id, empty unless sent and harmless
	Protocol   string    // the response's, such as HTTP/2.0
	// Err says why there is no response, or not a whole one. It may print a machine's
	// address; [errors.Is] and [errors.As] find the error itself.
	Err error `json:"-"`
	// RetryAfter is what the response asked to wait, 0 without that.
	RetryAfter time.Duration
	// Retry says that another attempt follows after Wait, unless the context ends first.
	Retry bool
	Wait  time.Duration
}

// TraceWait describes a wait.
type TraceWait struct {
	// Kind is "operation", "transaction" or "payin_session".
	Kind        string
	Environment Environment
	// Items is how many ids are waited for.
	Items int
}

// TraceWaitEnd describes how a wait ended.
type TraceWaitEnd struct {
	TraceWait

	Duration time.Duration
	// Err is nil if the wait saw each item end, however it ended. Of several it is the
	// first.
	Err error `json:"-"`
	// Pending is how many items had not ended.
	Pending int
}

// TraceDelivery describes a delivery before it is verified.
type TraceDelivery struct {
	// Source is "webhook" or "reconciler".
	Source string
	// Header is a copy of the request's without what authenticates it: its signature,
	// Authorization and Cookie. Nil for the reconciler. It is not verified, and is not
	// printed.
	Header http.Header `json:"-"`
}

// TraceDeliveryEnd describes what became of a delivery.
type TraceDeliveryEnd struct {
	TraceDelivery

	Duration time.Duration
	// Verdict says what became of it, in a word: took_effect, took_before, under_way,
	// store_down, failed, outlived, not_recorded, inbox_broken, refused, or abandoned
	// after a panic.
	Verdict string
	// StatusCode is the response's, 0 for the reconciler.
	StatusCode int
	// Type, OperationID and Age are the verified event's, and zero if it was refused. Age
	// is how long ago the event occurred, 0 if its clock is ahead.
	Type        EventType
	OperationID string
	Age         time.Duration
	// Attempt is which delivery of the event it is. It is not signed.
	Attempt int
	// Err prints without the text of errors that are not the SDK's. [errors.Is] and
	// [errors.As] find what your function or the inbox returned.
	Err error `json:"-"`
}

// Format implements [fmt.Formatter]: the source, without the headers.
func (d TraceDelivery) Format(f fmt.State, _ rune) { writeString(f, hidden("TraceDelivery", d.Source)) }

// Format implements [fmt.Formatter]: what became of the delivery, without the headers.
func (e TraceDeliveryEnd) Format(f fmt.State, _ rune) { writeString(f, e.LogValue().String()) }

// TraceInbox describes a request to the inbox.
type TraceInbox struct {
	// Request is "claim", "complete" or "release".
	Request string
}

// TraceInboxEnd describes the inbox's response.
type TraceInboxEnd struct {
	TraceInbox

	Duration time.Duration
	State    ClaimState // of a claim
	// Err prints without the text of errors that are not the SDK's.
	Err error `json:"-"`
}

// Each description is a group for log/slog: the names are those of the SDK's own lines,
// and are listed in docs/observability.md. What is empty is left out.

// LogValue implements [slog.LogValuer].
func (c TraceCall) LogValue() slog.Value { return slog.GroupValue(c.attrs()...) }

// LogValue implements [slog.LogValuer].
func (e TraceCallEnd) LogValue() slog.Value {
	attrs := append(e.attrs(), slog.Duration("duration", e.Duration), slog.Int("attempts", e.Attempts))
	attrs = addNumber(attrs, "status", e.StatusCode)
	attrs = addText(attrs, "outcome", string(e.Outcome))
	attrs = addText(attrs, "code", redact.Code(string(e.Code)))
	if e.Replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	attrs = addText(attrs, "operation_id", scrubID(e.OperationID))
	return slog.GroupValue(addError(attrs, e.Err)...)
}

// LogValue implements [slog.LogValuer].
func (a TraceAttempt) LogValue() slog.Value { return slog.GroupValue(a.attrs()...) }

// LogValue implements [slog.LogValuer].
func (e TraceAttemptEnd) LogValue() slog.Value {
	attrs := append(e.attrs(), slog.Duration("duration", e.Duration))
	attrs = addNumber(attrs, "status", e.StatusCode)
	attrs = addText(attrs, "code", redact.Code(string(e.Code)))
	attrs = addText(attrs, "request_id", redact.ID(e.RequestID))
	attrs = addText(attrs, "protocol", e.Protocol)
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.Retry {
		attrs = append(attrs, slog.Bool("retry", true), slog.Duration("wait", e.Wait))
	}
	return slog.GroupValue(addError(attrs, e.Err)...)
}

// LogValue implements [slog.LogValuer].
func (w TraceWait) LogValue() slog.Value { return slog.GroupValue(w.attrs()...) }

// LogValue implements [slog.LogValuer].
func (e TraceWaitEnd) LogValue() slog.Value {
	attrs := append(e.attrs(), slog.Duration("duration", e.Duration), slog.Int("pending", e.Pending))
	return slog.GroupValue(addError(attrs, e.Err)...)
}

// LogValue implements [slog.LogValuer].
func (d TraceDelivery) LogValue() slog.Value { return slog.GroupValue(slog.String("source", d.Source)) }

// LogValue implements [slog.LogValuer].
func (e TraceDeliveryEnd) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("source", e.Source), slog.Duration("duration", e.Duration), slog.String("verdict", e.Verdict)}
	attrs = addNumber(attrs, "status", e.StatusCode)
	if e.Type != "" {
		attrs = append(attrs, slog.String("event", redact.Word(string(e.Type))), slog.Duration("age", e.Age))
	}
	attrs = addText(attrs, "operation_id", scrubID(e.OperationID))
	attrs = addNumber(attrs, "attempt", e.Attempt)
	return slog.GroupValue(addError(attrs, e.Err)...)
}

// LogValue implements [slog.LogValuer].
func (i TraceInbox) LogValue() slog.Value { return slog.GroupValue(slog.String("request", i.Request)) }

// LogValue implements [slog.LogValuer].
func (e TraceInboxEnd) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("request", e.Request), slog.Duration("duration", e.Duration)}
	if e.State != 0 {
		attrs = append(attrs, slog.String("state", e.State.String()))
	}
	return slog.GroupValue(addError(attrs, e.Err)...)
}

func (c TraceCall) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("api", c.API), slog.String("method", c.Method), slog.String("path", c.Template),
		slog.String("server", c.ServerAddress), slog.Int("port", c.ServerPort), slog.String("environment", string(c.Environment)),
	}
	return addText(attrs, "idempotency_key_hash", c.IdempotencyKeyHash)
}

func (a TraceAttempt) attrs() []slog.Attr { return addNumber(a.TraceCall.attrs(), "attempt", a.Number) }

func (w TraceWait) attrs() []slog.Attr {
	return []slog.Attr{slog.String("kind", w.Kind), slog.String("environment", string(w.Environment)), slog.Int("items", w.Items)}
}

func addText(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(name, value))
}

func addNumber(attrs []slog.Attr, name string, value int) []slog.Attr {
	if value == 0 {
		return attrs
	}
	return append(attrs, slog.Int(name, value))
}

func addError(attrs []slog.Attr, err error) []slog.Attr {
	if err == nil {
		return attrs
	}
	return append(attrs, slog.String("error", err.Error()))
}
