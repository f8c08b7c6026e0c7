package intram_test

import (
	"context"

	intram "github.com/intram/intram-go"
)

// countingTracer counts what begins and what ends.
type countingTracer struct{}

func (t *countingTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return ctx
}
func (t *countingTracer) TraceCallEnd(context.Context, intram.TraceCallEnd) {}

func (t *countingTracer) TraceDeliveryStart(ctx context.Context, _ intram.TraceDelivery) context.Context {
	return ctx
}
func (t *countingTracer) TraceDeliveryEnd(context.Context, intram.TraceDeliveryEnd) {}
