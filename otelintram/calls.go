package otelintram

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
)

func semconvMethod(m string) attribute.KeyValue {
	return semconv.HTTPRequestMethodKey.String(method(m))
}

func semconvTemplate(template string) attribute.KeyValue {
	return semconv.URLTemplate(known(template, templates))
}

// startAttributes are those that a sampler can decide by.
func startAttributes(c *intram.TraceCall) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		semconvMethod(c.Method), semconvTemplate(c.Template), semconv.ServerAddress(c.ServerAddress),
		environmentKey.String(known(string(c.Environment), environments)),
	}
	if c.ServerPort != 0 {
		attributes = append(attributes, semconv.ServerPort(c.ServerPort))
	}
	return attributes
}

// TraceCallStart implements [intram.Tracer].
func (t *Tracer) TraceCallStart(ctx context.Context, call intram.TraceCall) context.Context {
	return t.start(ctx, callKey, callName(&call), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(startAttributes(&call), apiKey.String(known(call.API, apis)))...))
}

// TraceCallEnd implements [intram.Tracer].
func (t *Tracer) TraceCallEnd(ctx context.Context, end intram.TraceCallEnd) {
	span := spanIn(ctx, callKey)
	t.links.add(end.OperationID, span.SpanContext())
	if span.IsRecording() {
		attributes := []attribute.KeyValue{attemptsKey.Int(end.Attempts), replayedKey.Bool(end.Replayed)}
		if end.StatusCode != 0 {
			attributes = append(attributes, semconv.HTTPResponseStatusCode(end.StatusCode))
		}
		if end.IdempotencyKeyHash != "" {
			attributes = append(attributes, idempotencyKey.String(end.IdempotencyKeyHash))
		}
		if end.OperationID != "" {
			attributes = append(attributes, operationIDKey.String(end.OperationID))
		}
		if end.Err != nil {
			attributes = append(attributes, errorAttribute(end.StatusCode, end.Err), outcomeKey.String(code(end.Outcome)))
			span.SetStatus(codes.Error, "")
		}
		if end.Code != "" {
			attributes = append(attributes, codeKey.String(code(end.Code)))
		}
		span.SetAttributes(attributes...)
	}
	span.End()
}

// TraceAttemptStart implements [intram.AttemptTracer].
func (t *Tracer) TraceAttemptStart(ctx context.Context, attempt intram.TraceAttempt) context.Context {
	attributes := startAttributes(&attempt.TraceCall)
	if attempt.Number > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(attempt.Number-1))
	}
	return t.start(ctx, attemptKey, callName(&attempt.TraceCall), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}

// TraceAttemptEnd implements [intram.AttemptTracer].
func (t *Tracer) TraceAttemptEnd(ctx context.Context, end intram.TraceAttemptEnd) {
	var response []attribute.KeyValue // what span and metric have in common
	if end.StatusCode != 0 {
		response = append(response, semconv.HTTPResponseStatusCode(end.StatusCode))
	}
	if version := protocolVersion(end.Protocol); version != "" {
		response = append(response, semconv.NetworkProtocolVersion(version))
	}
	failed := end.Err != nil || end.StatusCode >= http.StatusBadRequest
	if failed {
		response = append(response, errorAttribute(end.StatusCode, end.Err))
	}
	t.requests.Record(ctx, end.Duration.Seconds(), httpconv.RequestMethodAttr(method(end.Method)), end.ServerAddress, end.ServerPort,
		append(response, semconvTemplate(end.Template), environmentKey.String(known(string(end.Environment), environments)))...)
	if end.Retry {
		t.retries.Add(ctx, 1, callAttributes(&end.TraceCall), metric.WithAttributes(errorAttribute(end.StatusCode, end.Err)))
	}
	if end.StatusCode == http.StatusTooManyRequests {
		t.rateLimited.Add(ctx, 1, callAttributes(&end.TraceCall))
	}
	span := spanIn(ctx, attemptKey)
	if span.IsRecording() {
		if end.Code != "" {
			response = append(response, codeKey.String(code(end.Code)))
		}
		if end.RequestID != "" {
			response = append(response, requestIDKey.String(end.RequestID))
		}
		if end.Retry {
			response = append(response, retryDelayKey.Float64(end.Wait.Seconds()))
		}
		span.SetAttributes(response...)
		if failed {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// TraceBudgetSpent implements [intram.RetryTracer].
func (t *Tracer) TraceBudgetSpent(ctx context.Context, call intram.TraceCall) {
	t.budget.Add(ctx, 1, callAttributes(&call))
	spanIn(ctx, callKey).AddEvent("intram.budget_spent")
}

// TraceDoubt implements [intram.RetryTracer].
func (t *Tracer) TraceDoubt(ctx context.Context, call intram.TraceCall, keys int) {
	t.doubts.Add(ctx, 1, callAttributes(&call))
	spanIn(ctx, callKey).AddEvent("intram.doubt", trace.WithAttributes(keysInDoubtKey.Int(keys)))
}

// TraceHeaders implements [intram.HeaderTracer]. It adds nothing without
// [WithPropagation].
func (t *Tracer) TraceHeaders(ctx context.Context, header http.Header) {
	if t.propagator != nil {
		t.propagator.Inject(ctx, propagation.HeaderCarrier(header))
	}
}
