package otelintram_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/otelintram"
)

func baggageOf(name, value string) (func(context.Context) context.Context, error) {
	member, err := baggage.NewMember(name, value)
	if err != nil {
		return nil, err
	}
	all, err := baggage.New(member)
	return func(ctx context.Context) context.Context { return baggage.ContextWithBaggage(ctx, all) }, err
}

var delivered = intram.TraceDelivery{Source: "webhook"}

// create tells the tracer of a call that created an operation, and returns its span.
func (r recorder) create(t *testing.T, id string) trace.SpanContext {
	t.Helper()
	ctx := r.TraceCallStart(t.Context(), payout)
	r.TraceCallEnd(ctx, intram.TraceCallEnd{TraceCall: payout, StatusCode: 202, OperationID: id})
	return trace.SpanContextFromContext(ctx)
}

// deliver tells the tracer of an event, and returns the delivery's span.
func (r recorder) deliver(t *testing.T, end intram.TraceDeliveryEnd) tracetest.SpanStub {
	t.Helper()
	r.TraceDeliveryEnd(r.TraceDeliveryStart(t.Context(), end.TraceDelivery), end)
	spans := r.exporter.GetSpans()
	return spans[len(spans)-1]
}

func TestADeliveryIsAServerSpanLinkedToItsCall(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	created := r.create(t, "op_1")
	ctx := r.TraceDeliveryStart(t.Context(), delivered)
	claim := intram.TraceInbox{Request: "claim"}
	r.TraceInboxEnd(r.TraceInboxStart(ctx, claim), intram.TraceInboxEnd{TraceInbox: claim, State: intram.ClaimHeld})
	complete := intram.TraceInbox{Request: "complete"}
	r.TraceInboxEnd(r.TraceInboxStart(ctx, complete), intram.TraceInboxEnd{TraceInbox: complete, Err: errors.New("down")})
	r.TraceDeliveryEnd(ctx, intram.TraceDeliveryEnd{
		TraceDelivery: delivered, Duration: 80 * time.Millisecond, Verdict: "took_effect", StatusCode: 200,
		Type: intram.EventPayoutCompleted, OperationID: "op_1", Age: 1500 * time.Millisecond, Attempt: 2,
	})
	span := r.span(t, "webhook payout.completed")
	assert.Equal(t, trace.SpanKindServer, span.SpanKind)
	assert.Equal(t, codes.Unset, span.Status.Code)
	require.Len(t, span.Links, 1)
	assert.Equal(t, created, span.Links[0].SpanContext)
	assert.NotEqual(t, created.TraceID(), span.SpanContext.TraceID())
	assert.Equal(t, map[string]any{
		"http.request.method": "POST", "http.response.status_code": int64(200), "intram.webhook.source": "webhook",
		"intram.webhook.type": "payout.completed", "intram.webhook.verdict": "took_effect", "intram.operation_id": "op_1",
		"intram.event.age": 1.5, "intram.webhook.attempt": int64(2),
	}, attributesOf(span.Attributes))

	held := r.span(t, "inbox claim")
	assert.Equal(t, span.SpanContext, held.Parent)
	assert.Equal(t, trace.SpanKindInternal, held.SpanKind)
	assert.Equal(t, codes.Unset, held.Status.Code)
	assert.Equal(t, map[string]any{"intram.inbox.request": "claim", "intram.inbox.state": "held"}, attributesOf(held.Attributes))
	broken := r.span(t, "inbox complete")
	assert.Equal(t, span.SpanContext, broken.Parent)
	assert.Equal(t, codes.Error, broken.Status.Code)
	assert.Equal(t, map[string]any{"intram.inbox.request": "complete", "error.type": "_OTHER"}, attributesOf(broken.Attributes))

	r.assertMetric(t, timed("intram.webhook.duration", "Duration of handling a delivery, or an event that the reconciler found.",
		80*time.Millisecond, 5, attribute.String("intram.webhook.type", "payout.completed"),
		attribute.String("intram.webhook.verdict", "took_effect"), attribute.String("intram.webhook.source", "webhook")))
	r.assertMetric(t, counted("intram.inbox.claims", "{claim}", "Claims of events in the inbox, by what became of them.",
		attribute.String("intram.inbox.state", "held")))
}

func TestClaimsAreCountedByState(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]intram.TraceInboxEnd{
		"held": {State: intram.ClaimHeld}, "busy": {State: intram.ClaimBusy}, "done": {State: intram.ClaimDone},
		"invalid": {State: 99}, "error": {State: intram.ClaimHeld, Err: errors.New("down")},
	} {
		r := newRecorder(t)
		end.TraceInbox = intram.TraceInbox{Request: "claim"}
		r.TraceInboxEnd(r.TraceInboxStart(t.Context(), end.TraceInbox), end)
		r.assertMetric(t, counted("intram.inbox.claims", "{claim}", "Claims of events in the inbox, by what became of them.",
			attribute.String("intram.inbox.state", want)))
	}
}

func TestWhatADeliveryIsCalled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end  intram.TraceDeliveryEnd
		name string
		kind trace.SpanKind
		code codes.Code
	}{
		{intram.TraceDeliveryEnd{TraceDelivery: delivered, Verdict: "refused", StatusCode: 401, Err: errors.New("signature")}, "webhook", trace.SpanKindServer, codes.Unset},
		{intram.TraceDeliveryEnd{TraceDelivery: delivered, Verdict: "failed", StatusCode: 500, Type: "payout.failed", Err: errors.New("x")}, "webhook payout.failed", trace.SpanKindServer, codes.Error},
		{intram.TraceDeliveryEnd{TraceDelivery: delivered, Verdict: "under_way", StatusCode: 503, Type: "payout.failed"}, "webhook payout.failed", trace.SpanKindServer, codes.Error},
		{intram.TraceDeliveryEnd{TraceDelivery: delivered, Verdict: "took_effect", StatusCode: 200, Type: "salary.paid"}, "webhook other", trace.SpanKindServer, codes.Unset},
		{intram.TraceDeliveryEnd{TraceDelivery: intram.TraceDelivery{Source: "reconciler"}, Verdict: "took_effect", Type: "refund.completed"}, "reconcile refund.completed", trace.SpanKindInternal, codes.Unset},
		{intram.TraceDeliveryEnd{TraceDelivery: intram.TraceDelivery{Source: "reconciler"}, Verdict: "failed", Type: "refund.completed", Err: errors.New("x")}, "reconcile refund.completed", trace.SpanKindInternal, codes.Error},
	} {
		span := newRecorder(t).deliver(t, c.end)
		assert.Equal(t, c.name, span.Name)
		assert.Equal(t, c.kind, span.SpanKind, c.name)
		assert.Equal(t, c.code, span.Status.Code, "%s %s", c.name, c.end.Verdict)
	}
}

func TestTheOldestOperationIsForgottenFirst(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, otelintram.WithSpanLinks(3))
	created := map[string]trace.SpanContext{}
	for i := range 5 {
		id := fmt.Sprint("op_", i)
		created[id] = r.create(t, id)
		r.create(t, id) // a replay: the first call is the one that created it
	}
	r.create(t, "") // a call that created nothing
	for i := range 5 {
		id := fmt.Sprint("op_", i)
		links := r.deliver(t, intram.TraceDeliveryEnd{TraceDelivery: delivered, OperationID: id}).Links
		if i < 2 {
			assert.Empty(t, links, id)
			continue
		}
		require.Len(t, links, 1, id)
		assert.Equal(t, created[id], links[0].SpanContext, id)
	}
	assert.Empty(t, r.deliver(t, intram.TraceDeliveryEnd{TraceDelivery: delivered}).Links)
}

func TestLinksCanBeLeftOut(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, otelintram.WithSpanLinks(0))
	r.create(t, "op_1")
	assert.Empty(t, r.deliver(t, intram.TraceDeliveryEnd{TraceDelivery: delivered, OperationID: "op_1"}).Links)
}
