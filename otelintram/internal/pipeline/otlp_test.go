package pipeline_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/intram/intram-go/otelintram"
)

// receiver is a server of OTLP over HTTP that keeps what it is sent.
type receiver struct {
	t *testing.T

	mu      sync.Mutex
	spans   []*trace.Span
	metrics map[string]*metrics.Metric
	schemas map[string]bool
}

func newReceiver(t *testing.T) (r *receiver, url string) {
	t.Helper()
	r = &receiver{t: t, metrics: map[string]*metrics.Metric{}, schemas: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.traces)
	mux.HandleFunc("POST /v1/metrics", r.measurements)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return r, server.URL
}

// read reads a request, and responds with an empty message.
func (r *receiver) read(w http.ResponseWriter, req *http.Request, into, response proto.Message) bool {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if !assert.NoError(r.t, err) {
			return false
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if !assert.NoError(r.t, err) || !assert.NoError(r.t, proto.Unmarshal(data, into)) {
		return false
	}
	out, err := proto.Marshal(response)
	assert.NoError(r.t, err)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, err = w.Write(out)
	return assert.NoError(r.t, err)
}

func (r *receiver) traces(w http.ResponseWriter, req *http.Request) {
	var sent collectortrace.ExportTraceServiceRequest
	if !r.read(w, req, &sent, new(collectortrace.ExportTraceServiceResponse)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.schemas[scope.GetSchemaUrl()] = true
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
}

func (r *receiver) measurements(w http.ResponseWriter, req *http.Request) {
	var sent collectormetrics.ExportMetricsServiceRequest
	if !r.read(w, req, &sent, new(collectormetrics.ExportMetricsServiceResponse)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range sent.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			r.schemas[scope.GetSchemaUrl()] = true
			for _, m := range scope.GetMetrics() {
				r.metrics[m.GetName()] = m
			}
		}
	}
}

// attributes are those of a span, as text.
func attributes(s *trace.Span) map[string]string {
	all := map[string]string{}
	for _, kv := range s.GetAttributes() {
		all[kv.GetKey()] = kv.GetValue().String()
	}
	return all
}

// What a collector gets over the wire from the exporter that programs use.
func TestACollectorGetsSpansAndMetrics(t *testing.T) {
	t.Parallel()
	collector, url := newReceiver(t)
	spans, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(url+"/v1/traces"))
	require.NoError(t, err)
	measurements, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(url+"/v1/metrics"))
	require.NoError(t, err)
	provider := sdktrace.NewBatchSpanProcessor(spans)
	reader := sdkmetric.NewPeriodicReader(measurements, sdkmetric.WithInterval(time.Hour))
	tracer := newTracer(t, []sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(provider)}, []sdkmetric.Option{sdkmetric.WithReader(reader)})
	s := newStory(t, tracer)
	op := s.payOut(t.Context(), t)
	require.NoError(t, provider.ForceFlush(t.Context()))
	require.NoError(t, reader.ForceFlush(t.Context()))

	collector.mu.Lock()
	defer collector.mu.Unlock()
	assert.Equal(t, map[string]bool{otelintram.SchemaURL: true}, collector.schemas)
	var call, delivery *trace.Span
	attempts := 0
	for _, span := range collector.spans {
		switch {
		case span.GetName() == "POST /payouts" && attributes(span)["intram.attempts"] != "":
			call = span
		case span.GetName() == "POST /payouts":
			attempts++
		case span.GetName() == "webhook payout.completed":
			delivery = span
		}
	}
	require.NotNil(t, call)
	require.NotNil(t, delivery)
	assert.Equal(t, 2, attempts)
	assert.Equal(t, trace.Span_SPAN_KIND_CLIENT, call.GetKind())
	assert.Equal(t, trace.Span_SPAN_KIND_SERVER, delivery.GetKind())
	assert.Contains(t, attributes(call)["intram.operation_id"], op.ID)
	require.Len(t, delivery.GetLinks(), 1)
	assert.Equal(t, call.GetSpanId(), delivery.GetLinks()[0].GetSpanId())
	assert.Equal(t, call.GetTraceId(), delivery.GetLinks()[0].GetTraceId())

	requests := collector.metrics["http.client.request.duration"]
	require.NotNil(t, requests)
	assert.Equal(t, "s", requests.GetUnit())
	assert.Equal(t, metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, requests.GetHistogram().GetAggregationTemporality())
	retries := collector.metrics["intram.client.retries"]
	require.NotNil(t, retries)
	assert.True(t, retries.GetSum().GetIsMonotonic())
	assert.Equal(t, int64(1), retries.GetSum().GetDataPoints()[0].GetAsInt())
}
