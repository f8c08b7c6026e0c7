package otelintram_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/otelintram"
)

// recorder is a Tracer whose spans and metrics are kept in memory.
type recorder struct {
	*otelintram.Tracer
	exporter *tracetest.InMemoryExporter
	reader   *sdkmetric.ManualReader
}

func newRecorder(t *testing.T, opts ...otelintram.Option) recorder {
	t.Helper()
	r := recorder{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.exporter))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	var err error
	r.Tracer, err = otelintram.New(append([]otelintram.Option{
		otelintram.WithTracerProvider(traces), otelintram.WithMeterProvider(meters),
	}, opts...)...)
	require.NoError(t, err)
	return r
}

// span returns the one span with a name and kind that has ended.
func (r recorder) span(t *testing.T, name string) tracetest.SpanStub {
	t.Helper()
	var found []tracetest.SpanStub
	for _, s := range r.exporter.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, name)
	return found[0]
}

// metrics returns what has been measured, by name.
func (r recorder) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &all))
	byName := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		assert.Equal(t, instrumentation.Scope{
			Name: "github.com/intram/intram-go/otelintram", Version: intram.Version, SchemaURL: otelintram.SchemaURL,
		}, scope.Scope)
		for _, m := range scope.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// assertMetric compares all of a metric but its times.
func (r recorder) assertMetric(t *testing.T, want metricdata.Metrics) {
	t.Helper()
	got, ok := r.metrics(t)[want.Name]
	require.True(t, ok, "%s was not measured", want.Name)
	metricdatatest.AssertEqual(t, want, got, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

// attributesOf returns attributes by key.
func attributesOf(list []attribute.KeyValue) map[string]any {
	all := map[string]any{}
	for _, kv := range list {
		all[string(kv.Key)] = kv.Value.AsInterface()
	}
	return all
}

// counted is a counter that has counted once.
func counted(name, unit, description string, attributes ...attribute.KeyValue) metricdata.Metrics {
	return metricdata.Metrics{Name: name, Unit: unit, Description: description, Data: metricdata.Sum[int64]{
		Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
		DataPoints: []metricdata.DataPoint[int64]{{Attributes: attribute.NewSet(attributes...), Value: 1}},
	}}
}

var secondsBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10} //nolint:forbidigo // seconds are not money

// timed is a histogram with one value, which is in the given bucket.
func timed(name, description string, d time.Duration, bucket int, attributes ...attribute.KeyValue) metricdata.Metrics {
	counts := make([]uint64, len(secondsBounds)+1)
	counts[bucket] = 1
	return metricdata.Metrics{Name: name, Unit: "s", Description: description, Data: metricdata.Histogram[float64]{ //nolint:forbidigo // seconds are not money
		Temporality: metricdata.CumulativeTemporality,
		DataPoints: []metricdata.HistogramDataPoint[float64]{{ //nolint:forbidigo // seconds are not money
			Attributes: attribute.NewSet(attributes...), Count: 1, Bounds: secondsBounds, BucketCounts: counts,
			Min: metricdata.NewExtrema(d.Seconds()), Max: metricdata.NewExtrema(d.Seconds()), Sum: d.Seconds(),
		}},
	}}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]otelintram.Option{
		"otelintram: an option is nil":                               nil,
		"otelintram: WithTracerProvider: the provider is nil":        otelintram.WithTracerProvider(nil),
		"otelintram: WithMeterProvider: the provider is nil":         otelintram.WithMeterProvider(nil),
		"otelintram: WithPropagator: the propagator is nil":          otelintram.WithPropagator(nil),
		"otelintram: WithSpanLinks: the number must not be negative": otelintram.WithSpanLinks(-1),
	} {
		tracer, err := otelintram.New(opt)
		assert.EqualError(t, err, want)
		assert.Nil(t, tracer)
	}
}

// The one test that sets the providers of the whole process.
func TestTheGlobalProvidersAreTheDefault(t *testing.T) { //nolint:paralleltest // they are the whole process's
	exporter, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	traces, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetTracerProvider(traces); otel.SetMeterProvider(meters) })
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	tracer, err := otelintram.New()
	require.NoError(t, err)
	r := recorder{tracer, exporter, reader}
	r.TraceCallEnd(r.TraceCallStart(t.Context(), payout), intram.TraceCallEnd{TraceCall: payout})
	r.span(t, "POST /payouts")
	r.TraceDoubt(t.Context(), payout, 1)
	assert.Contains(t, r.metrics(t), "intram.client.doubts")
}

func TestTheOldestEventIsObserved(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	_, err := r.ObserveOldest("orders", nil)
	require.EqualError(t, err, "otelintram: ObserveOldest: the function is nil")
	age, failure := 90*time.Second, error(nil)
	stop, err := r.ObserveOldest("orders", func(context.Context) (time.Duration, error) { return age, failure })
	require.NoError(t, err)
	gauge := metricdata.Metrics{
		Name: "intram.inbox.oldest_event.age", Unit: "s", Description: "Age of the oldest event that has not taken effect.",
		Data: metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{{ //nolint:forbidigo // seconds are not money
			Attributes: attribute.NewSet(attribute.String("intram.inbox.name", "orders")), Value: 90,
		}}},
	}
	r.assertMetric(t, gauge)

	failure = errors.New("the database is down")
	var all metricdata.ResourceMetrics
	require.ErrorContains(t, r.reader.Collect(t.Context(), &all), "otelintram: age of the oldest event: the database is down")
	for _, scope := range all.ScopeMetrics {
		assert.Empty(t, scope.Metrics, "an age that is not known has no value")
	}

	failure = nil
	require.NoError(t, stop())
	assert.NotContains(t, r.metrics(t), gauge.Name)
}
