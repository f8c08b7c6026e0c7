package intramtest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer is NewServer with the check every test of money ends with.
func newServer(t *testing.T, opts ...intramtest.Option) *intramtest.Server {
	t.Helper()
	server := intramtest.NewServer(t, opts...)
	t.Cleanup(func() { assert.Zero(t, server.Ledger().Sum(), "the ledger must sum to zero") })
	return server
}

// connections are the two ways to a server. Whatever a client does must come out the
// same.
var connections = []struct {
	name string
	opts []intramtest.Option
}{
	{"over a listener", nil},
	{"in process", []intramtest.Option{intramtest.WithoutListener()}},
}

func payment(amount int64) intram.PaymentRequestParams {
	return intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(amount), Currency: intram.XOF,
			Customer: intram.Customer{Email: "client@example.com", FirstName: "Ada", LastName: "Lovelace"},
		},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: "22961234567"},
	}
}

func TestWholeStoryOverBothConnections(t *testing.T) {
	t.Parallel()
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			server := newServer(t, c.opts...)
			client := server.Client()

			events := make(chan *intram.Event, 16)
			var verifier *intram.WebhookVerifier
			url := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := make([]byte, r.ContentLength)
				_, _ = r.Body.Read(body)
				event, err := verifier.WithClock(server.Clock()).Verify(r.Header, body)
				if err != nil {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				events <- event
			}))
			subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: intram.EventAll})
			require.NoError(t, err)
			verifier, err = intram.NewWebhookVerifier(subscription.Secret)
			require.NoError(t, err)

			op, err := client.Payouts.Create(ctx, intram.PayoutParams{
				Amount: intram.NewAmount(25000), Currency: intram.XOF,
				Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
			})
			require.NoError(t, err)
			result, err := client.Payouts.Wait(ctx, op.ID)
			require.NoError(t, err)
			assert.Equal(t, "25000", result.Amount.String())
			event, err := server.AwaitEvent(ctx, intram.EventPayoutCompleted, op.ID)
			require.NoError(t, err)
			delivery, err := server.AwaitDelivery(ctx, event.Deliveries[0])
			require.NoError(t, err)
			assert.Equal(t, intramtest.DeliveryDelivered, delivery.Status)
			assert.Equal(t, intram.EventPayoutCompleted, (<-events).Type)

			request, err := client.PaymentRequests.Create(ctx, payment(12000))
			require.NoError(t, err)
			checkout, err := client.PaymentRequests.Wait(ctx, request.ID)
			require.NoError(t, err)
			require.NoError(t, server.Pay(checkout.TransactionReference))
			paid, err := client.Transactions.Wait(ctx, checkout.TransactionReference)
			require.NoError(t, err)
			assert.Equal(t, intram.TransactionSuccess, paid.Status)
			assert.Equal(t, "11760", paid.NetAmount.String())

			refund, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: paid.Reference, Amount: intram.NewAmount(5000)})
			require.NoError(t, err)
			_, err = client.Refunds.Wait(ctx, refund.ID)
			require.NoError(t, err)

			ledger := server.Ledger()
			assert.EqualValues(t, 1_000_000-25_000+11_760-5_000, ledger.Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
			assert.NotEmpty(t, ledger.For(op.ID))
			require.NoError(t, server.Idle(ctx))
		})
	}
}

func TestEverythingWorksInsideSynctest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock(), intramtest.WithWorker(intramtest.After(8*time.Second)))
		client := server.Client()
		received := make(chan time.Time, 1)
		url := server.Receive(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received <- time.Now() }))
		ctx := context.Background()
		_, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: intram.EventPayoutCompleted})
		require.NoError(t, err)
		began := time.Now()
		op, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount: intram.NewAmount(500), Destination: intram.MobileMoney{ProviderCode: intram.MoovBenin, MSISDN: "22994000000"},
		})
		require.NoError(t, err)
		_, err = client.Payouts.Wait(ctx, op.ID)
		require.NoError(t, err)
		assert.Equal(t, 8*time.Second, (<-received).Sub(began))
	})
}
