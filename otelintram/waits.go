package otelintram

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	intram "github.com/intram/intram-go"
)

// waitAttributes are those of intram.wait.pending.
func waitAttributes(w *intram.TraceWait) metric.MeasurementOption {
	return metric.WithAttributes(
		waitKindKey.String(known(w.Kind, waitKinds)), environmentKey.String(known(string(w.Environment), environments)),
	)
}

// TraceWaitStart implements [intram.WaitTracer].
func (t *Tracer) TraceWaitStart(ctx context.Context, wait intram.TraceWait) context.Context {
	t.waiting.Add(ctx, int64(wait.Items), waitAttributes(&wait))
	kind := known(wait.Kind, waitKinds)
	return t.start(ctx, waitKey, "wait "+kind, trace.WithAttributes(
		waitKindKey.String(kind), waitItemsKey.Int(wait.Items), environmentKey.String(known(string(wait.Environment), environments)),
	))
}

// TraceWaitEnd implements [intram.WaitTracer].
func (t *Tracer) TraceWaitEnd(ctx context.Context, end intram.TraceWaitEnd) {
	t.waiting.Add(ctx, -int64(end.Items), waitAttributes(&end.TraceWait))
	span := spanIn(ctx, waitKey)
	if span.IsRecording() {
		span.SetAttributes(waitPendingKey.Int(end.Pending))
		if end.Err != nil {
			span.SetAttributes(errorAttribute(0, end.Err))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
