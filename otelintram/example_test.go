package otelintram_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
	"github.com/intram/intram-go/otelintram"
)

func Example() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	// Your program has an exporter of OTLP here.
	exporter := tracetest.NewInMemoryExporter()
	tracer, err := otelintram.New(otelintram.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))))
	if err != nil {
		fmt.Println(err)
		return
	}
	client := server.Client(intram.WithTracer(tracer))
	if err := server.Fault(intramtest.Fault{Kind: intramtest.Unavailable}); err != nil { // the first request gets 503
		fmt.Println(err)
		return
	}
	if _, err := client.Balance.Get(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	for _, span := range exporter.GetSpans() {
		fmt.Print(span.Name)
		for _, kv := range span.Attributes {
			switch kv.Key {
			case "http.response.status_code", "http.request.resend_count", "intram.attempts":
				fmt.Printf(" %s=%v", kv.Key, kv.Value.AsInterface())
			}
		}
		fmt.Println()
	}
	// Output:
	// GET /balance http.response.status_code=503
	// GET /balance http.request.resend_count=1 http.response.status_code=200
	// GET /balance intram.attempts=2 http.response.status_code=200
}

func ExampleWithPropagation() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	provider := sdktrace.NewTracerProvider()
	tracer, err := otelintram.New(otelintram.WithTracerProvider(provider), otelintram.WithPropagation())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, span := provider.Tracer("shop").Start(context.Background(), "pay an order")
	defer span.End()
	if _, err := server.Client(intram.WithTracer(tracer)).Balance.Get(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, request := range server.Requests() {
		sent := request.Header.Get("Traceparent")
		fmt.Println(len(sent), sent[3:35] == span.SpanContext().TraceID().String())
	}
	// Output: 55 true
}

func ExampleTracer_ObserveOldest() {
	reader := sdkmetric.NewManualReader()
	tracer, err := otelintram.New(otelintram.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		fmt.Println(err)
		return
	}
	stop, err := tracer.ObserveOldest("orders", func(context.Context) (time.Duration, error) {
		return 90 * time.Second, nil // of intramriver: work.Health(ctx), and its OldestEvent
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = stop() }()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		fmt.Println(err)
		return
	}
	m := all.ScopeMetrics[0].Metrics[0]
	fmt.Println(m.Name, m.Data.(metricdata.Gauge[float64]).DataPoints[0].Value, m.Unit)
	// Output: intram.inbox.oldest_event.age 90 s
}

// traceIDs adds the ids of the context's span to each line.
type traceIDs struct{ slog.Handler }

func (h traceIDs) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the ids in what With and WithGroup of a logger return.
func (h traceIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceIDs{h.Handler.WithAttrs(attrs)}
}
func (h traceIDs) WithGroup(name string) slog.Handler { return traceIDs{h.Handler.WithGroup(name)} }

// The lines of the SDK get the ids of the span that they belong to: a line about an HTTP
// request those of the request's.
func Example_logs() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	exporter := tracetest.NewInMemoryExporter()
	tracer, err := otelintram.New(otelintram.WithTracerProvider(sdktrace.NewTracerProvider(
		sdktrace.WithSyncer(exporter), sdktrace.WithIDGenerator(new(fixedIDs)))))
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" || a.Key == "request_id" {
			return slog.Attr{}
		}
		return a
	}})
	client := server.Client(intram.WithTracer(tracer), intram.WithLogger(slog.New(traceIDs{lines})))
	_, err = client.Operations.Get(context.Background(), "op_missing")
	fmt.Println(errors.Is(err, intram.CodeOperationNotFound))
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, span.SpanContext.SpanID())
	}
	// Output:
	// level=WARN msg="intram attempt" method=GET path=/operations/{id} attempt=1 status=404 trace_id=01000000000000000000000000000000 span_id=0200000000000000
	// true
	// GET /operations/{id} 0200000000000000
	// GET /operations/{id} 0100000000000000
}

// fixedIDs are ids that an example can show; a program leaves the SDK's own.
type fixedIDs struct{ spans byte }

func (f *fixedIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	return trace.TraceID{1}, f.NewSpanID(ctx, trace.TraceID{1})
}

func (f *fixedIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	f.spans++
	return trace.SpanID{f.spans}
}
