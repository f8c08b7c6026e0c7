// Package pipeline_test sends the spans and metrics of a whole day through real
// exporters: to a receiver of OTLP, and to a Prometheus that scrapes them.
package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
	"github.com/intram/intram-go/otelintram"
)

// Who a customer is, and a secret. scripts/no-secrets.sh looks for them, as for those of
// redaction_test.go.
const (
	canarySecret = "sk_sandbox_ca5ec2e7ca5ec2e7"
	canaryMSISDN = "22987654321"
	canaryEmail  = "zebulon@canary.example"
	canaryFirst  = "Zebulon"
	canaryLast   = "Quixote"
	canaryText   = "zanzibar"
)

// newTracer returns a Tracer that sends where the options say.
func newTracer(t *testing.T, spans []sdktrace.TracerProviderOption, metrics []sdkmetric.Option) *otelintram.Tracer {
	t.Helper()
	traces := sdktrace.NewTracerProvider(append(spans, sdktrace.WithSampler(sdktrace.AlwaysSample()))...)
	meters := sdkmetric.NewMeterProvider(metrics...)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		assert.NoError(t, traces.Shutdown(ctx))
		assert.NoError(t, meters.Shutdown(ctx))
	})
	tracer, err := otelintram.New(otelintram.WithTracerProvider(traces), otelintram.WithMeterProvider(meters), otelintram.WithPropagation())
	require.NoError(t, err)
	return tracer
}

// story is a day in which each thing happens that a span or a metric is about.
type story struct {
	server *intramtest.Server
	client *intram.Client
	tracer *otelintram.Tracer
	failed atomic.Bool // the delivery that fails has
	told   int         // how often
}

// newStory connects a tracer to a fake of its own, with a webhook handler.
func newStory(t *testing.T, tracer *otelintram.Tracer) *story {
	t.Helper()
	s := &story{server: intramtest.NewServer(t, intramtest.WithoutListener()), tracer: tracer}
	s.client = s.server.Client(intram.WithTracer(tracer))
	s.server.Subscribe("/intram/webhook", func(verifier *intram.WebhookVerifier) http.Handler {
		return intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), s.handle, intram.WithHandlerTracer(tracer))
	})
	return s
}

// handle fails the first event of a payment, for everyone to see whose it was.
func (s *story) handle(_ context.Context, event *intram.Event) error {
	if event.Type == intram.EventPaymentRequestPaid && s.failed.CompareAndSwap(false, true) {
		return errors.New("no order of " + canaryFirst + " " + canaryLast + ", " + canaryMSISDN)
	}
	return nil
}

func payout() intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: canaryText, Note: canaryText,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: canaryMSISDN, AccountName: canaryFirst, AccountSurname: canaryLast},
	}
}

// payOut makes a payout whose first attempt meets a fault, and waits for its event. The
// operation is worked off when it has been looked up once, so that no webhook overtakes
// the response to the call.
func (s *story) payOut(ctx context.Context, t *testing.T) *intram.Operation {
	t.Helper()
	require.NoError(t, s.server.SetWorker(intramtest.AfterPolls(2)))
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST /payouts"}))
	op, err := s.client.Payouts.Create(ctx, payout())
	require.NoError(t, err)
	_, err = s.client.Payouts.Wait(ctx, op.ID)
	require.NoError(t, err)
	require.NoError(t, s.server.SetWorker(intramtest.AtOnce()))
	require.NoError(t, s.server.Idle(ctx))
	return op
}

// payIn takes a payment, refunds a part, and takes another by a payin session.
func (s *story) payIn(ctx context.Context, t *testing.T) {
	t.Helper()
	op, err := s.client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(12000), Currency: intram.XOF, Description: canaryText,
			Customer: intram.Customer{Email: canaryEmail, FirstName: canaryFirst, LastName: canaryLast, Phone: canaryMSISDN},
		},
		ReturnURLs: intram.ReturnURLs{Success: "https://shop.example.com/" + canaryText, Cancel: "https://shop.example.com/" + canaryText},
	})
	require.NoError(t, err)
	request, err := s.client.PaymentRequests.Wait(ctx, op.ID)
	require.NoError(t, err)
	require.NoError(t, s.server.Pay(request.TransactionReference))
	paid, err := s.client.Transactions.Wait(ctx, request.TransactionReference)
	require.NoError(t, err)
	refund, err := s.client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: paid.Reference, Amount: intram.NewAmount(2000), Reason: canaryText,
	})
	require.NoError(t, err)
	_, err = s.client.Refunds.Wait(ctx, refund.ID)
	require.NoError(t, err)

	session, err := s.client.Payin.CreateSession(ctx, intram.PayinSessionParams{
		Reference: fmt.Sprint(canaryText, s.told), Amount: intram.NewAmount(5000), MSISDN: "+" + canaryMSISDN, CustomerName: canaryFirst + " " + canaryLast, Country: "BJ",
		SuccessURL: "https://shop.example.com/" + canaryText, FailureURL: "https://shop.example.com/" + canaryText,
	})
	require.NoError(t, err)
	require.NoError(t, s.server.ConfirmPayin(session.Reference))
	_, err = s.client.Payin.Wait(ctx, session.Reference)
	require.NoError(t, err)
	s.server.Advance(2 * time.Minute) // for the delivery that failed
	require.NoError(t, s.server.Idle(ctx))
}

// fail makes a call in doubt, one with a wrong key, one that is limited, and so many
// failures that there are no retries left.
func (s *story) fail(ctx context.Context, t *testing.T) {
	t.Helper()
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts"}))
	_, err := s.client.Payouts.Create(ctx, payout(), intram.WithMaxAttempts(1))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	wrong, err := intram.NewClient(s.server.PublicKey, canarySecret, intram.WithBaseURL(s.server.URL),
		intram.WithHTTPClient(s.server.HTTPClient()), intram.WithClock(s.server.Clock()), intram.WithTracer(s.tracer))
	require.NoError(t, err)
	_, err = wrong.Balance.Get(ctx)
	require.ErrorIs(t, err, intram.CodeSignatureInvalid)

	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, Status: http.StatusTooManyRequests, On: "GET /balance"}))
	_, err = s.client.Balance.Get(ctx)
	require.NoError(t, err)

	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "GET /operations/:id", Times: 1000}))
	for last := (intram.Response{Attempts: 2}); last.Attempts > 1; {
		_, err = s.client.Operations.Get(ctx, "op_"+canaryText, intram.WithResponseInto(&last))
		require.Error(t, err)
	}
	s.server.ClearFaults()
	_, err = s.client.Do(ctx, http.MethodGet, "/customers/"+canaryFirst, nil, nil)
	require.Error(t, err)
}

// tell lets all of it happen, again if it is called again.
func (s *story) tell(ctx context.Context, t *testing.T) {
	t.Helper()
	s.told++
	s.failed.Store(false)
	s.payOut(ctx, t)
	s.payIn(ctx, t)
	s.fail(ctx, t)
}
