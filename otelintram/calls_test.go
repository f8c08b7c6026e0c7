package otelintram_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/otelintram"
)

var payout = intram.TraceCall{
	API: "merchant", Method: "POST", Template: "/payouts", ServerAddress: "api.intram.org", ServerPort: 443,
	Environment: intram.Sandbox, IdempotencyKeyHash: "0123456789abcdef",
}

// A payout whose first attempt got 503 and whose second one succeeded.
func TestACallIsASpanAndEachOfItsRequestsOneBelowIt(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	call := r.TraceCallStart(t.Context(), payout)
	first := intram.TraceAttempt{TraceCall: payout, Number: 1}
	r.TraceAttemptEnd(r.TraceAttemptStart(call, first), intram.TraceAttemptEnd{
		TraceAttempt: first, Duration: 80 * time.Millisecond, StatusCode: 503, Code: "service_unavailable", RequestID: "req_1",
		Protocol: "HTTP/1.1", Retry: true, Wait: 1500 * time.Millisecond,
	})
	second := intram.TraceAttempt{TraceCall: payout, Number: 2}
	r.TraceAttemptEnd(r.TraceAttemptStart(call, second), intram.TraceAttemptEnd{
		TraceAttempt: second, Duration: 300 * time.Millisecond, StatusCode: 202, Protocol: "HTTP/2.0",
	})
	r.TraceCallEnd(call, intram.TraceCallEnd{TraceCall: payout, Attempts: 2, StatusCode: 202, OperationID: "op_1", Replayed: true})

	spans := r.exporter.GetSpans()
	require.Len(t, spans, 3)
	for _, s := range spans {
		assert.Equal(t, "POST /payouts", s.Name)
		assert.Equal(t, trace.SpanKindClient, s.SpanKind)
		assert.Equal(t, otelintram.SchemaURL, s.InstrumentationScope.SchemaURL)
		assert.Equal(t, intram.Version, s.InstrumentationScope.Version)
	}
	of := spans[2]
	assert.False(t, of.Parent.IsValid())
	assert.Equal(t, of.SpanContext, spans[0].Parent)
	assert.Equal(t, of.SpanContext, spans[1].Parent)
	assert.Equal(t, sdktrace.Status{Code: codes.Error}, spans[0].Status)
	assert.Equal(t, sdktrace.Status{}, spans[1].Status)
	assert.Equal(t, sdktrace.Status{}, of.Status)
	assert.Equal(t, map[string]any{
		"http.request.method": "POST", "url.template": "/payouts", "server.address": "api.intram.org", "server.port": int64(443),
		"intram.environment": "sandbox", "http.response.status_code": int64(503), "error.type": "503", "network.protocol.version": "1.1",
		"intram.code": "service_unavailable", "intram.request_id": "req_1", "intram.retry.delay": 1.5,
	}, attributesOf(spans[0].Attributes))
	assert.Equal(t, map[string]any{
		"http.request.method": "POST", "url.template": "/payouts", "server.address": "api.intram.org", "server.port": int64(443),
		"intram.environment": "sandbox", "http.response.status_code": int64(202), "network.protocol.version": "2",
		"http.request.resend_count": int64(1),
	}, attributesOf(spans[1].Attributes))
	assert.Equal(t, map[string]any{
		"http.request.method": "POST", "url.template": "/payouts", "server.address": "api.intram.org", "server.port": int64(443),
		"intram.api": "merchant", "intram.environment": "sandbox", "http.response.status_code": int64(202), "intram.attempts": int64(2),
		"intram.idempotency_key_hash": "0123456789abcdef", "intram.operation_id": "op_1", "intram.replayed": true,
	}, attributesOf(of.Attributes))
}

func TestAFailedCallSaysWhetherMoneyMayHaveMoved(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	call := r.TraceCallStart(t.Context(), payout)
	r.TraceBudgetSpent(call, payout)
	r.TraceDoubt(call, payout, 3)
	r.TraceCallEnd(call, intram.TraceCallEnd{
		TraceCall: payout, Attempts: 1, Err: context.DeadlineExceeded, Outcome: intram.OutcomeUnknown, Code: "request_timeout",
	})
	span := r.span(t, "POST /payouts")
	assert.Equal(t, sdktrace.Status{Code: codes.Error}, span.Status)
	all := attributesOf(span.Attributes)
	assert.Equal(t, "unknown", all["intram.outcome"])
	assert.Equal(t, "request_timeout", all["intram.code"])
	assert.Equal(t, "timeout", all["error.type"])
	assert.NotContains(t, all, "http.response.status_code")
	require.Len(t, span.Events, 2)
	assert.Equal(t, "intram.budget_spent", span.Events[0].Name)
	assert.Equal(t, "intram.doubt", span.Events[1].Name)
	assert.Equal(t, map[string]any{"intram.keys_in_doubt": int64(3)}, attributesOf(span.Events[1].Attributes))

	which := []attribute.KeyValue{
		attribute.String("http.request.method", "POST"), attribute.String("url.template", "/payouts"), attribute.String("intram.environment", "sandbox"),
	}
	r.assertMetric(t, counted("intram.client.doubts", "{call}", "Calls that ended with an unknown outcome: money may have moved.", which...))
	r.assertMetric(t, counted("intram.client.budget", "{call}", "Calls that were not retried because the retry budget was spent.", which...))
}

func TestEachRequestIsMeasured(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	attempt := intram.TraceAttempt{TraceCall: payout, Number: 1}
	r.TraceAttemptEnd(r.TraceAttemptStart(t.Context(), attempt), intram.TraceAttemptEnd{
		TraceAttempt: attempt, Duration: 80 * time.Millisecond, StatusCode: 429, Code: "rate_limited", Protocol: "HTTP/1.1",
		Retry: true, RetryAfter: time.Second, Wait: time.Second,
	})
	method, template := attribute.String("http.request.method", "POST"), attribute.String("url.template", "/payouts")
	failed, environment := attribute.String("error.type", "429"), attribute.String("intram.environment", "sandbox")
	r.assertMetric(t, timed("http.client.request.duration", "Duration of HTTP client requests.", 80*time.Millisecond, 5,
		method, template, failed, attribute.Int("http.response.status_code", 429), attribute.String("network.protocol.version", "1.1"),
		attribute.String("server.address", "api.intram.org"), attribute.Int("server.port", 443), environment))
	r.assertMetric(t, counted("intram.client.retries", "{retry}", "HTTP requests that were followed by another attempt of the same call.",
		method, template, failed, environment))
	r.assertMetric(t, counted("intram.client.rate_limited", "{response}", "Responses with status 429.", method, template, environment))
}

func TestASuccessIsNeitherARetryNorAnError(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	attempt := intram.TraceAttempt{TraceCall: payout, Number: 1}
	r.TraceAttemptEnd(r.TraceAttemptStart(t.Context(), attempt), intram.TraceAttemptEnd{TraceAttempt: attempt, StatusCode: 202})
	all := r.metrics(t)
	assert.Len(t, all, 1)
	point := all["http.client.request.duration"].Data.(metricdata.Histogram[float64]).DataPoints[0] //nolint:forbidigo // seconds are not money
	_, failed := point.Attributes.Value("error.type")
	assert.False(t, failed)
}

func TestARequestWithoutAResponseHasNoStatus(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	attempt := intram.TraceAttempt{TraceCall: payout, Number: 1}
	r.TraceAttemptEnd(r.TraceAttemptStart(t.Context(), attempt), intram.TraceAttemptEnd{TraceAttempt: attempt, Err: errors.New("broken")})
	span := r.span(t, "POST /payouts")
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, "_OTHER", attributesOf(span.Attributes)["error.type"])
	assert.NotContains(t, attributesOf(span.Attributes), "http.response.status_code")
}

func TestAWaitIsASpanAndCountsWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	wait := intram.TraceWait{Kind: "operation", Environment: intram.Live, Items: 40}
	ctx := r.TraceWaitStart(t.Context(), wait)
	pending := func(value int64) metricdata.Metrics {
		return metricdata.Metrics{
			Name: "intram.wait.pending", Unit: "{item}", Description: "Operations, transactions and payin sessions in waits that are under way.",
			Data: metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, DataPoints: []metricdata.DataPoint[int64]{{
				Attributes: attribute.NewSet(attribute.String("intram.wait.kind", "operation"), attribute.String("intram.environment", "live")), Value: value,
			}}},
		}
	}
	r.assertMetric(t, pending(40))
	r.TraceWaitEnd(ctx, intram.TraceWaitEnd{TraceWait: wait, Err: context.Canceled, Pending: 7})
	r.assertMetric(t, pending(0))
	span := r.span(t, "wait operation")
	assert.Equal(t, trace.SpanKindInternal, span.SpanKind)
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, map[string]any{
		"intram.wait.kind": "operation", "intram.wait.items": int64(40), "intram.wait.pending": int64(7), "intram.environment": "live",
		"error.type": "canceled",
	}, attributesOf(span.Attributes))
}

func TestAWaitThatSawTheEndIsNoError(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	wait := intram.TraceWait{Kind: "transaction", Environment: intram.Sandbox, Items: 1}
	r.TraceWaitEnd(r.TraceWaitStart(t.Context(), wait), intram.TraceWaitEnd{TraceWait: wait})
	span := r.span(t, "wait transaction")
	assert.Equal(t, codes.Unset, span.Status.Code)
	assert.NotContains(t, attributesOf(span.Attributes), "error.type")
}

// headers are those of a request within a span.
func headers(t *testing.T, r recorder) (http.Header, trace.SpanContext) {
	t.Helper()
	member, err := baggageOf("tenant", "acme")
	require.NoError(t, err)
	ctx := r.TraceAttemptStart(member(t.Context()), intram.TraceAttempt{TraceCall: payout, Number: 1})
	header := http.Header{}
	r.TraceHeaders(ctx, header)
	return header, trace.SpanContextFromContext(ctx)
}

func TestHeadersAreAddedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	header, _ := headers(t, newRecorder(t))
	assert.Empty(t, header)

	header, span := headers(t, newRecorder(t, otelintram.WithPropagation()))
	assert.Equal(t, http.Header{"Traceparent": {"00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01"}}, header)

	header, _ = headers(t, newRecorder(t, otelintram.WithPropagator(propagation.Baggage{})))
	assert.Equal(t, http.Header{"Baggage": {"tenant=acme"}}, header)
}

// Another tracer's span in the same context is not ours to end.
func TestOnlyOurOwnSpansAreEnded(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	provider := sdktrace.NewTracerProvider()
	ctx, theirs := provider.Tracer("theirs").Start(t.Context(), "theirs")
	r.TraceCallEnd(ctx, intram.TraceCallEnd{TraceCall: payout})
	r.TraceAttemptEnd(ctx, intram.TraceAttemptEnd{})
	r.TraceWaitEnd(ctx, intram.TraceWaitEnd{})
	r.TraceDeliveryEnd(ctx, intram.TraceDeliveryEnd{})
	r.TraceInboxEnd(ctx, intram.TraceInboxEnd{})
	assert.True(t, theirs.IsRecording())

	call, within := provider.Tracer("theirs").Start(r.TraceCallStart(ctx, payout), "within")
	r.TraceCallEnd(call, intram.TraceCallEnd{TraceCall: payout})
	assert.True(t, within.IsRecording())
	r.span(t, "POST /payouts")
}
