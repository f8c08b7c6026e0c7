package intram

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Tracer is told of each call that a client makes, with [WithTracer]. Its methods take
// what happened as data, and return as soon as they can: the call waits for them. The
// context that a start method returns is the context of what it begins, and of its end
// method, so that a span can travel in it; a nil one is ignored. A panic in a method is
// recovered and logged, and changes nothing about the call.
//
// A Tracer may implement more: [AttemptTracer], [RetryTracer], [WaitTracer] and
// [HeaderTracer]. It must be safe for concurrent use. Without one, none of this costs
// anything.
//
// No field names a person, and no field that is part of a metric's or a span's name has
// an id in it: Template is a path without ids, and IdempotencyKeyHash a hash. Module
// otelintram makes OpenTelemetry spans and metrics of these facts.
type Tracer interface {
	// TraceCallStart is called before anything is checked or sent.
	TraceCallStart(ctx context.Context, call TraceCall) context.Context
	// TraceCallEnd is called when the call's result is known.
	TraceCallEnd(ctx context.Context, end TraceCallEnd)
}

// AttemptTracer is a [Tracer] that is told of each HTTP request of a call.
type AttemptTracer interface {
	TraceAttemptStart(ctx context.Context, attempt TraceAttempt) context.Context
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
	TraceWaitStart(ctx context.Context, wait TraceWait) context.Context
	TraceWaitEnd(ctx context.Context, end TraceWaitEnd)
}

// HeaderTracer is a [Tracer] that adds headers to an attempt, such as traceparent. The
// signature does not cover them, and they go to a third party. Headers that the SDK sets
// itself are not replaced.
type HeaderTracer interface {
	TraceHeaders(ctx context.Context, header http.Header)
}

// DeliveryTracer is told of each delivery that a webhook handler receives, and of each
// event that a [Reconciler] finds, with [WithHandlerTracer]. The rules of [Tracer] hold.
type DeliveryTracer interface {
	TraceDeliveryStart(ctx context.Context, delivery TraceDelivery) context.Context
	TraceDeliveryEnd(ctx context.Context, end TraceDeliveryEnd)
}

// InboxTracer is a [DeliveryTracer] that is told of each request to the inbox.
type InboxTracer interface {
	TraceInboxStart(ctx context.Context, request TraceInbox) context.Context
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
	// Err is nil after a success. It is what the call returns.
	Err error
	// Outcome and Code are the error's, and empty after a success.
	Outcome Outcome
	Code    ErrorCode
	// Replayed says that the API had executed the key before.
	Replayed bool
	// OperationID is the operation that the call created, empty if it created none or
	// failed. It links the call to the deliveries about it.
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
	// Err says why there is no response; it names neither address nor id.
	Err error
	// RetryAfter is what the response asked to wait, 0 without that.
	RetryAfter time.Duration
	// Retry says that another attempt follows, after Wait.
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
	// Err is nil if the wait saw each item end, however it ended.
	Err error
	// Pending is how many items had not ended.
	Pending int
}

// TraceDelivery describes a delivery before it is verified.
type TraceDelivery struct {
	// Source is "webhook" or "reconciler".
	Source string
	// Header is the request's, nil for the reconciler. It is not verified.
	Header http.Header
}

// TraceDeliveryEnd describes what became of a delivery.
type TraceDeliveryEnd struct {
	TraceDelivery

	Duration time.Duration
	// Verdict says what became of it, in a word: took_effect, took_before, under_way,
	// store_down, failed, outlived, not_recorded, inbox_broken, refused.
	Verdict string
	// StatusCode is the response's, 0 for the reconciler.
	StatusCode int
	// Type, OperationID and Age are the verified event's, and zero if it was refused. Age
	// is how long ago the event occurred.
	Type        EventType
	OperationID string
	Age         time.Duration
	// Attempt is which delivery of the event it is. It is not signed.
	Attempt int
	Err     error
}

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
	Err      error
}
