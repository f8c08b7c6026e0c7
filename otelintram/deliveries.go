package otelintram

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
)

// TraceDeliveryStart implements [intram.DeliveryTracer].
func (t *Tracer) TraceDeliveryStart(ctx context.Context, delivery intram.TraceDelivery) context.Context {
	kind := trace.SpanKindServer
	attributes := []attribute.KeyValue{sourceKey.String(known(delivery.Source, sources))}
	if delivery.Source == "webhook" {
		attributes = append(attributes, semconv.HTTPRequestMethodPost)
	} else {
		kind = trace.SpanKindInternal
	}
	return t.start(ctx, deliveryKey, deliveryName(&delivery, ""), trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

// deliveryName returns the name of a delivery's span, without a type while that is not
// known.
func deliveryName(d *intram.TraceDelivery, typ string) string {
	name := "reconcile"
	if d.Source == "webhook" {
		name = "webhook"
	}
	if typ != "" {
		name += " " + typ
	}
	return name
}

// TraceDeliveryEnd implements [intram.DeliveryTracer].
func (t *Tracer) TraceDeliveryEnd(ctx context.Context, end intram.TraceDeliveryEnd) {
	verdict, typ := known(end.Verdict, verdicts), ""
	measured := []attribute.KeyValue{verdictKey.String(verdict), sourceKey.String(known(end.Source, sources))}
	if end.Type != "" { // a refused delivery has none
		typ = known(end.Type, eventTypes)
		measured = append(measured, typeKey.String(typ))
	}
	t.deliveries.Record(ctx, end.Duration.Seconds(), metric.WithAttributes(measured...))
	span := spanIn(ctx, deliveryKey)
	if span.IsRecording() {
		span.SetName(deliveryName(&end.TraceDelivery, typ))
		attributes := []attribute.KeyValue{verdictKey.String(verdict)}
		if end.StatusCode != 0 {
			attributes = append(attributes, semconv.HTTPResponseStatusCode(end.StatusCode))
		}
		if typ != "" {
			attributes = append(attributes, typeKey.String(typ), eventAgeKey.Float64(end.Age.Seconds()))
		}
		if end.OperationID != "" {
			attributes = append(attributes, operationIDKey.String(end.OperationID))
		}
		if end.Attempt != 0 {
			attributes = append(attributes, deliveryAttemptKey.Int(end.Attempt))
		}
		if failedDelivery(&end) {
			attributes = append(attributes, errorAttribute(end.StatusCode, end.Err))
			span.SetStatus(codes.Error, "")
		}
		span.SetAttributes(attributes...)
		if created, ok := t.links.of(end.OperationID); ok {
			span.AddLink(trace.Link{SpanContext: created})
		}
	}
	span.End()
}

// failedDelivery reports whether a span's status is an error. A refused delivery is the
// sender's mistake, which the conventions leave out of a server span's status.
func failedDelivery(end *intram.TraceDeliveryEnd) bool {
	if end.StatusCode != 0 {
		return end.StatusCode >= http.StatusInternalServerError
	}
	return end.Err != nil
}

// TraceInboxStart implements [intram.InboxTracer].
func (t *Tracer) TraceInboxStart(ctx context.Context, request intram.TraceInbox) context.Context {
	word := known(request.Request, inboxWords)
	return t.start(ctx, inboxKey, "inbox "+word, trace.WithAttributes(inboxRequestKey.String(word)))
}

// TraceInboxEnd implements [intram.InboxTracer].
func (t *Tracer) TraceInboxEnd(ctx context.Context, end intram.TraceInboxEnd) {
	state := end.State.String()
	if end.Err != nil {
		state = "error"
	}
	claim := end.Request == "claim"
	if claim {
		t.claims.Add(ctx, 1, metric.WithAttributes(inboxStateKey.String(state)))
	}
	span := spanIn(ctx, inboxKey)
	if span.IsRecording() {
		if claim {
			span.SetAttributes(inboxStateKey.String(state))
		}
		if end.Err != nil {
			span.SetAttributes(errorAttribute(0, end.Err))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
