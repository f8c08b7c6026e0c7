// Package otelintram makes OpenTelemetry spans and metrics of what an intram client and a
// webhook handler do.
//
//	tracer, err := otelintram.New()
//	client, err := intram.NewClient(publicKey, secretKey, intram.WithTracer(tracer))
//	handler := intram.NewWebhookHandler(verifier, inbox, handle, intram.WithHandlerTracer(tracer))
//
// It needs the API of OpenTelemetry only, and follows the semantic conventions of
// [SchemaURL]. Where spans and metrics go is decided by the SDK of OpenTelemetry, which
// the program sets up: without it nothing is recorded.
//
// # Spans
//
// A call is a client span that is named after method and path template, such as POST
// /payouts. Each of its HTTP requests is a client span below it, with the same name;
// http.request.resend_count counts from the second request on. A wait is an internal
// span. A delivery is a server span, such as webhook payout.completed, linked to the call
// that created the operation if that was a call of the same Tracer. Requests to the inbox
// are internal spans below it. An event that the reconciler found is an internal span,
// such as reconcile payout.completed.
//
// # Metrics
//
// README.md lists them with their attributes. The folder dashboards has a dashboard for
// Grafana and alerting rules for Prometheus.
//
// # What is left out
//
// No span and no metric has a body, a key, a phone number, a name or an amount. No name
// and no attribute of a metric has an id in it, and words that the SDK does not know
// count as "other", so that the number of series is bounded. Spans have three ids as
// attributes: the operation's (intram.operation_id), the response's (intram.request_id),
// and the first 16 digits of the SHA-256 of the idempotency key. url.full, which the
// conventions ask for, is left out: paths have ids in them. url.template is there
// instead.
package otelintram

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
)

// SchemaURL names the version of the semantic conventions that spans and metrics follow.
const SchemaURL = semconv.SchemaURL

// scope is the name of the tracer and of the meter.
const scope = "github.com/intram/intram-go/otelintram"

// defaultLinks is how many operations are remembered unless [WithSpanLinks] says
// otherwise.
const defaultLinks = 10_000

// Tracer makes spans and metrics of what it is told. Give it to clients with
// [intram.WithTracer] and to handlers with [intram.WithHandlerTracer]. One is enough for
// a program, and links deliveries to calls only if both have the same. It is safe for
// concurrent use.
type Tracer struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator // nil: no headers are added
	links      *links
	instruments
}

var (
	_ intram.Tracer         = (*Tracer)(nil)
	_ intram.AttemptTracer  = (*Tracer)(nil)
	_ intram.RetryTracer    = (*Tracer)(nil)
	_ intram.WaitTracer     = (*Tracer)(nil)
	_ intram.HeaderTracer   = (*Tracer)(nil)
	_ intram.DeliveryTracer = (*Tracer)(nil)
	_ intram.InboxTracer    = (*Tracer)(nil)
)

// Option is a setting of [New].
type Option func(*config) error

type config struct {
	traces     trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	links      int
}

// WithTracerProvider sets where spans go: the global provider unless set.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(cfg *config) error {
		if provider == nil {
			return errors.New("WithTracerProvider: the provider is nil")
		}
		cfg.traces = provider
		return nil
	}
}

// WithMeterProvider sets where metrics go: the global provider unless set.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(cfg *config) error {
		if provider == nil {
			return errors.New("WithMeterProvider: the provider is nil")
		}
		cfg.meters = provider
		return nil
	}
}

// WithPropagation adds the headers traceparent and tracestate to each HTTP request.
// Without it none is added. The signature does not cover them, and they tell a third
// party the ids of your traces and whether they are sampled; tracestate has what your
// tracing system puts in. Baggage is not sent.
func WithPropagation() Option {
	return func(cfg *config) error { cfg.propagator = propagation.TraceContext{}; return nil }
}

// WithPropagator is [WithPropagation] with other headers. [propagation.Baggage] sends
// what any part of the program has put into its context to a third party.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(cfg *config) error {
		if p == nil {
			return errors.New("WithPropagator: the propagator is nil")
		}
		cfg.propagator = p
		return nil
	}
}

// WithSpanLinks sets how many operations are remembered, so that the spans of their
// deliveries link to the calls that created them: 10,000 unless set, about 2 MB. The
// oldest is forgotten first. 0 makes no links.
func WithSpanLinks(most int) Option {
	return func(cfg *config) error {
		if most < 0 {
			return errors.New("WithSpanLinks: the number must not be negative")
		}
		cfg.links = most
		return nil
	}
}

// New returns a Tracer. An error names the option that is wrong, or is that of the meter
// provider, which refused an instrument.
func New(opts ...Option) (*Tracer, error) {
	cfg := config{traces: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), links: defaultLinks}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("otelintram: an option is nil")
		}
		if err := opt(&cfg); err != nil {
			return nil, fmt.Errorf("otelintram: %w", err)
		}
	}
	version := intram.Version
	t := &Tracer{
		tracer:     cfg.traces.Tracer(scope, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(SchemaURL)),
		meter:      cfg.meters.Meter(scope, metric.WithInstrumentationVersion(version), metric.WithSchemaURL(SchemaURL)),
		propagator: cfg.propagator,
		links:      newLinks(cfg.links),
	}
	var err error
	if t.instruments, err = newInstruments(t.meter); err != nil {
		return nil, err
	}
	return t, nil
}

// key finds one of our spans in a context: the innermost span may be another's.
type key int

const (
	callKey key = iota
	attemptKey
	waitKey
	deliveryKey
	inboxKey
)

// start begins a span that end finds again in the context.
func (t *Tracer) start(ctx context.Context, k key, name string, opts ...trace.SpanStartOption) context.Context {
	ctx, span := t.tracer.Start(ctx, name, opts...)
	return context.WithValue(ctx, k, span)
}

// spanIn returns the span that start put into ctx, or one that records nothing.
func spanIn(ctx context.Context, k key) trace.Span {
	if span, ok := ctx.Value(k).(trace.Span); ok {
		return span
	}
	return trace.SpanFromContext(context.Background())
}
