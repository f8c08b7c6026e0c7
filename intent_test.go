package intram_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func intentParams() intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: "PO-1",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	}
}

// afterCrash is the intent as a new process reads it back.
func afterCrash(t *testing.T, intent *intram.Intent) *intram.Intent {
	t.Helper()
	saved, err := json.Marshal(intent)
	require.NoError(t, err)
	assert.NotContains(t, string(saved), "22961234567", "an intent holds nothing of the customer")
	read := new(intram.Intent)
	require.NoError(t, json.Unmarshal(saved, read))
	return read
}

// payoutPosts counts the calls for a payout that reached the server.
func payoutPosts(server *intramtest.Server) int {
	n := 0
	for _, r := range server.Requests() {
		if r.Method == http.MethodPost && r.Endpoint == "/payouts" {
			n++
		}
	}
	return n
}

func TestIntentSurvivesACrashAndPaysOnce(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	assert.Empty(t, server.Requests(), "Prepare sends nothing")
	require.NoError(t, uuid.Validate(intent.IdempotencyKey))
	assert.Equal(t, server.Now(), intent.FirstSentAt)

	// The first call is executed, its responses are lost, and the program dies.
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 4}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	op, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(afterCrash(t, intent)))
	require.NoError(t, err)
	_, err = client.Payouts.Wait(t.Context(), op.ID)
	require.NoError(t, err)
	wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "paid once")
}

func TestIntentOfAnEarlierProcessIsInDoubtUntilItsKeyIsAnswered(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	wrong, err := intram.NewClient(server.PublicKey, "sk_sandbox_wrong", intram.WithBaseURL(server.URL),
		intram.WithHTTPClient(server.HTTPClient()), intram.WithClock(server.Clock()))
	require.NoError(t, err)
	intent, err := wrong.Payouts.Prepare(intentParams())
	require.NoError(t, err)

	// A refusal of a fresh intent is a refusal.
	_, err = wrong.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.CodeSignatureInvalid)
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))

	// The same refusal after a crash says nothing of what the key did before. Nor does a
	// second use in one process.
	for name, resumed := range map[string]*intram.Intent{
		"read back": afterCrash(t, intent), "used again": intent, "known by its date": intent.SentAt(intent.FirstSentAt),
	} {
		_, err = wrong.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(resumed))
		require.ErrorIs(t, err, intram.CodeSignatureInvalid, name)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Payouts.Create(cancelled, intentParams(), intram.WithIntent(afterCrash(t, intent)))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "not sent now, and perhaps before")

	// The stored refusal of the key itself is definitive.
	unknown := intram.RefundParams{TransactionReference: "AB12CD34EF"}
	refund, err := client.Refunds.Prepare(unknown)
	require.NoError(t, err)
	_, err = client.Refunds.Create(t.Context(), unknown, intram.WithIntent(refund))
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	_, err = client.Refunds.Create(t.Context(), unknown, intram.WithIntent(afterCrash(t, refund)))
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))
}

func TestSentAtNeverMakesAKeyYounger(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	intent, err := server.Client().Payouts.Prepare(intentParams())
	require.NoError(t, err)
	made := intent.FirstSentAt
	assert.Equal(t, made, intent.SentAt(made.Add(time.Hour)).FirstSentAt)
	assert.Equal(t, made.Add(-time.Hour), intent.SentAt(made.Add(-time.Hour)).FirstSentAt)
	assert.Equal(t, made, intent.FirstSentAt, "the intent itself is as it was")

	_, err = server.Client().Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent.SentAt(made.Add(-24*time.Hour))))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
}

func TestIntentIsNotSentOnceItsKeyMayBeForgotten(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.NoError(t, err)

	server.Advance(intram.IntentHorizon)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(afterCrash(t, intent)))
	require.NoError(t, err, "23 hours to the second are good")
	server.Advance(time.Millisecond)
	sent := payoutPosts(server)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(afterCrash(t, intent)))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "an earlier call may have moved the money")
	assert.Equal(t, sent, payoutPosts(server))
	assert.ErrorContains(t, err, intent.IdempotencyKey)

	// One that was never used cannot have moved anything.
	unused, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	server.Advance(24 * time.Hour)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(unused))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
}

func TestIntentIsForOneCallWithItsOwnParameters(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	other := intentParams()
	other.Amount = intram.NewAmount(25001)

	for name, call := range map[string]func() error{
		"another amount": func() error {
			_, err := client.Payouts.Create(t.Context(), other, intram.WithIntent(intent))
			return err
		},
		"another endpoint": func() error {
			_, err := client.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF"}, intram.WithIntent(intent))
			return err
		},
	} {
		err := call()
		require.ErrorIs(t, err, intram.ErrIntentMismatch, name)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), name)
	}
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(nil))
	assert.ErrorContains(t, err, "intent is nil")
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent), intram.WithIdempotencyKey("another-key"))
	assert.ErrorContains(t, err, "another than the intent's")
	_, err = client.Payouts.Prepare(intentParams(), intram.WithIntent(intent))
	assert.ErrorContains(t, err, "leave WithIntent to the call itself")
	_, err = client.Payouts.Prepare(intram.PayoutParams{})
	require.ErrorIs(t, err, intram.CodeValidationError)
	assert.Empty(t, server.Requests())

	// The key of a prepared call may be the caller's own.
	own, err := client.Payouts.Prepare(intentParams(), intram.WithIdempotencyKey("my-own-key"))
	require.NoError(t, err)
	assert.Equal(t, "my-own-key", own.IdempotencyKey)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(own), intram.WithIdempotencyKey("my-own-key"))
	require.NoError(t, err)
}

func TestEveryCallThatMovesMoneyCanBePrepared(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	request := intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF}}
	intent, err := client.PaymentRequests.Prepare(request)
	require.NoError(t, err)
	first, err := client.PaymentRequests.Create(t.Context(), request, intram.WithIntent(intent))
	require.NoError(t, err)
	again, err := client.PaymentRequests.Create(t.Context(), request, intram.WithIntent(afterCrash(t, intent)))
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)

	s := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.created.first.json")}}}
	payins := newPayin(t, s)
	intent, err = payins.Prepare(payinParams())
	require.NoError(t, err)
	_, err = payins.CreateSession(t.Context(), payinParams(), intram.WithIntent(intent))
	require.NoError(t, err)
	assert.Equal(t, intent.IdempotencyKey, s.requests[0].Header.Get("X-Idempotency-Key"))
	nameless := payinParams()
	nameless.Reference = ""
	_, err = payins.Prepare(nameless)
	assert.ErrorContains(t, err, "reference is required")
	assert.NotContains(t, fmt.Sprintf("%+v", intent), "2250702968786")
}

// Another account does not know the key, and would ask for the session again.
func TestAPayinIntentIsForOneAccount(t *testing.T) {
	t.Parallel()
	s := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.created.first.json")}}}
	intent, err := newPayin(t, s).Prepare(payinParams())
	require.NoError(t, err)
	another, err := intram.NewPayinClient(payinKey, "another-client", intram.WithHTTPClient(&http.Client{Transport: s}))
	require.NoError(t, err)
	_, err = another.CreateSession(t.Context(), payinParams(), intram.WithIntent(afterCrash(t, intent)))
	require.ErrorIs(t, err, intram.ErrIntentMismatch)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Empty(t, s.requests)

	// The key of an account may be renewed.
	renewed, err := intram.NewPayinClient("another-key", payinClient, intram.WithHTTPClient(&http.Client{Transport: s}))
	require.NoError(t, err)
	_, err = renewed.CreateSession(t.Context(), payinParams(), intram.WithIntent(afterCrash(t, intent)))
	require.NoError(t, err)
}
