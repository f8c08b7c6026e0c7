package intram_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// callLog writes a line for each call, with the ids of a span that it begins. A tracing
// library has a span where this has a number.
type callLog struct{ log *slog.Logger }

type traceIDKey struct{}

func (c callLog) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return context.WithValue(ctx, traceIDKey{}, "0af7651916cd43dd")
}

func (c callLog) TraceCallEnd(ctx context.Context, end intram.TraceCallEnd) {
	c.log.LogAttrs(ctx, slog.LevelInfo, "intram call", slog.Any("intram", end))
}

// withTraceIDs is a slog.Handler that writes the ids of the context's span beside each
// line, the SDK's own too.
type withTraceIDs struct{ slog.Handler }

func (h withTraceIDs) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(traceIDKey{}).(string); ok {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the ids in what With and WithGroup of a logger return.
func (h withTraceIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withTraceIDs{h.Handler.WithAttrs(attrs)}
}
func (h withTraceIDs) WithGroup(name string) slog.Handler {
	return withTraceIDs{h.Handler.WithGroup(name)}
}

// untimed leaves out what differs from run to run.
func untimed(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, slog.LevelKey, "duration", "idempotency_key_hash", "server", "port":
		return slog.Attr{}
	}
	return a
}

func ExampleWithTracer() {
	server, _ := fake()
	defer server.Close()
	logger := slog.New(withTraceIDs{slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: untimed})})
	client := server.Client(intram.WithTracer(callLog{logger}), intram.WithLogger(logger))
	_ = server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST /payouts", Times: 1})

	_, err := client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount:      intram.NewAmount(25000),
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// msg="intram attempt" method=POST path=/payouts attempt=1 status=503 request_id=req_0 trace_id=0af7651916cd43dd
	// msg="intram attempt" method=POST path=/payouts attempt=2 status=202 request_id=req_1e535eede31428f0 trace_id=0af7651916cd43dd
	// msg="intram call" intram.api=merchant intram.method=POST intram.path=/payouts intram.environment=sandbox intram.attempts=2 intram.status=202 intram.operation_id=op_8056fe377381362e trace_id=0af7651916cd43dd
}

// deliveryLog prints what became of each delivery.
type deliveryLog struct{}

func (deliveryLog) TraceDeliveryStart(ctx context.Context, delivery intram.TraceDelivery) context.Context {
	return context.WithValue(ctx, traceIDKey{}, delivery.Header.Get("Traceparent"))
}

func (deliveryLog) TraceDeliveryEnd(_ context.Context, end intram.TraceDeliveryEnd) {
	fmt.Println(end.Verdict, end.StatusCode, end.Type, end.OperationID, end.Age.Round(time.Minute))
}

func ExampleWithHandlerTracer() {
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	handle := func(context.Context, *intram.Event) error { return nil }
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), handle, intram.WithHandlerTracer(deliveryLog{}))

	occurred := time.Now().Add(-3 * time.Minute).UTC().Format(time.RFC3339)
	body := `{"event":"payout.completed","operation_id":"op_2f4a","occurred_at":"` + occurred + `","data":{"reference":"PO-2026-0001","amount":25000}}`
	deliver(handler, body)
	deliver(handler, body)
	forged, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/", http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler.ServeHTTP(discarded{}, forged)
	// Output:
	// took_effect 200 payout.completed op_2f4a 3m0s
	// took_before 200 payout.completed op_2f4a 3m0s
	// refused 401   0s
}

// discarded is a response that is not read.
type discarded struct{}

func (discarded) Header() http.Header         { return http.Header{} }
func (discarded) Write(b []byte) (int, error) { return len(b), nil }
func (discarded) WriteHeader(int)             {}
