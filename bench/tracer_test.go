package bench

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	intram "github.com/intram/intram-go"
)

// BenchmarkTracer is read by cmd/ratio, against its own "none" of the same round. The
// response comes without a network, so that nothing hides what a tracer costs.
func BenchmarkTracer(b *testing.B) {
	for _, c := range []struct {
		name string
		opts []intram.ClientOption
	}{
		{"none", nil},
		{"calls", []intram.ClientOption{intram.WithTracer(callTracer{})}},
		{"full", []intram.ClientOption{intram.WithTracer(fullTracer{})}},
	} {
		client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6",
			append(c.opts, intram.WithHTTPClient(&http.Client{Transport: accepting{}}))...)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("payout/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.Payouts.Create(b.Context(), intram.PayoutParams{
					Amount: intram.NewAmount(25000), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type accepting struct{}

const acceptedPayout = `{"error":false,"http_status":202,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"queued"}}`

func (accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusAccepted, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(acceptedPayout)),
		ContentLength: int64(len(acceptedPayout)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// callTracer is told of calls, and does nothing.
type callTracer struct{}

func (callTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context { return ctx }
func (callTracer) TraceCallEnd(context.Context, intram.TraceCallEnd)                      {}

// fullTracer is told of attempts too, and adds a header.
type fullTracer struct{ callTracer }

func (fullTracer) TraceAttemptStart(ctx context.Context, _ intram.TraceAttempt) context.Context {
	return ctx
}
func (fullTracer) TraceAttemptEnd(context.Context, intram.TraceAttemptEnd) {}

func (fullTracer) TraceHeaders(_ context.Context, header http.Header) {
	header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
}
