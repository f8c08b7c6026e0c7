package intramtest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

const payinWebhookSecret = "set-in-the-portal"

func session(reference, msisdn string) intram.PayinSessionParams {
	return intram.PayinSessionParams{
		Reference: reference, Amount: intram.NewAmount(5000), MSISDN: msisdn, CustomerName: "Ada", Country: "CI",
		SuccessURL: "https://shop.example.com/ok", FailureURL: "https://shop.example.com/no",
	}
}

// payinReceiver does as the docs of intram.VerifyPayinNotification say: receive, verify,
// then get.
type payinReceiver struct {
	client *intram.Client

	mu       sync.Mutex
	types    []intram.EventType
	outcomes []intram.PayinOutcome
}

func (r *payinReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	note, err := intram.VerifyPayinNotification(request.Header, body, payinWebhookSecret)
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	payin, err := r.client.Payin.Get(request.Context(), note.Payin.Reference)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.types = append(r.types, note.Type)
	r.outcomes = append(r.outcomes, payin.Outcome())
}

func (r *payinReceiver) got() ([]intram.EventType, []intram.PayinOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]intram.EventType(nil), r.types...), append([]intram.PayinOutcome(nil), r.outcomes...)
}

func TestPayinStoryOverBothConnections(t *testing.T) {
	t.Parallel()
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, c.opts...)
			client := server.Client()
			receiver := &payinReceiver{client: client}
			require.NoError(t, server.SetPayinWebhook(server.Receive(receiver), payinWebhookSecret))

			created, err := client.Payin.CreateSession(t.Context(), session("order-1", "+2250702968786"))
			require.NoError(t, err)
			assert.Equal(t, intram.PayinOutcomePending, created.Outcome())
			assert.Equal(t, "order-1", created.Reference)
			assert.True(t, strings.HasPrefix(created.PaymentURL, server.URL+"/link/"), created.PaymentURL)
			assert.True(t, created.ChargedAmount.Equal(intram.NewAmount(5100)))
			for _, r := range []struct{ method, url string }{{"GET", created.PaymentURL}, {"POST", created.PaymentURL + "/confirm"}} {
				request, err := http.NewRequestWithContext(t.Context(), r.method, r.url, http.NoBody)
				require.NoError(t, err)
				response, err := server.HTTPClient().Do(request)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, 200, response.StatusCode)
			}
			state, err := server.AwaitPayin(t.Context(), "order-1")
			require.NoError(t, err)
			assert.Equal(t, intram.PayinTransactionCompleted, state.Transaction)
			require.NoError(t, server.Idle(t.Context()))
			types, outcomes := receiver.got()
			assert.Equal(t, []intram.EventType{intram.EventPayinConfirmed}, types)
			assert.Equal(t, []intram.PayinOutcome{intram.PayinOutcomePaid}, outcomes)
			for _, reference := range []string{"order-1", created.ID} {
				payin, err := client.Payin.Get(t.Context(), reference)
				require.NoError(t, err)
				assert.Equal(t, intram.PayinOutcomePaid, payin.Outcome())
				assert.True(t, payin.Transaction.ChargedAmount.Equal(payin.ChargedAmount))
			}
			ledger := server.Ledger()
			assert.EqualValues(t, 5000, ledger.Balance(server.WalletAccount(intram.Sandbox, intramtest.PayinWallet)))
			assert.Len(t, ledger.For(created.ID), 4, "amount and fee, each from one account to another")
		})
	}
}

func TestPayinOutcomesByHand(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := server.Client()
	receiver := &payinReceiver{client: client}
	require.NoError(t, server.SetPayinWebhook(server.Receive(receiver), payinWebhookSecret))
	for reference, tc := range map[string]struct {
		number string
		act    func(string) error
		want   intram.PayinOutcome
	}{
		"confirmed": {"+2250702968786", server.ConfirmPayin, intram.PayinOutcomePaid},
		"declined":  {"+2250702968786", server.DeclinePayin, intram.PayinOutcomeDeclined},
		"expired":   {"+2250702968786", server.ExpirePayin, intram.PayinOutcomeExpired},
		"failed": {"+2250702968786", func(r string) error {
			return server.FailPayin(r, intram.CodeClientNotEnoughCash)
		}, intram.PayinOutcomeFailed},
		"settled": {"+2250700000007", func(r string) error {
			if err := server.ConfirmPayin(r); err != nil {
				return err
			}
			return server.SettlePayin(r)
		}, intram.PayinOutcomePaid},
	} {
		_, err := client.Payin.CreateSession(t.Context(), session(reference, tc.number))
		require.NoError(t, err, reference)
		require.NoError(t, tc.act(reference), reference)
		payin, err := client.Payin.Wait(t.Context(), reference)
		require.NoError(t, err, reference)
		assert.Equal(t, tc.want, payin.Outcome(), reference)
		state, err := server.PayinSession(reference)
		require.NoError(t, err)
		assert.Equal(t, payin.Status, state.Status)
		assert.Equal(t, payin.ConfirmationStatus, state.Confirmation)
		assert.Equal(t, intram.Sandbox, state.Environment)
		if payin.Failure != nil {
			assert.Equal(t, state.Failure, payin.Failure.Code)
		}
		assert.Error(t, tc.act(reference), "%s: twice", reference)
	}
	require.NoError(t, server.Idle(t.Context()))
	types, _ := receiver.got()
	assert.ElementsMatch(t, []intram.EventType{intram.EventPayinConfirmed, intram.EventPayinDeclined}, types,
		"the stuck number's notification is never sent, and nothing tells of expiry")
	_, err := server.PayinSession("nobody")
	assert.Error(t, err)
}

func TestPayinWaitMovesTheFrozenClockToTheExpiry(t *testing.T) {
	t.Parallel()
	server := newServer(t, intramtest.WithPayinExpiry(9*time.Minute))
	client := server.Client()
	_, err := client.Payin.CreateSession(t.Context(), session("order-1", "+2250702968786"))
	require.NoError(t, err)
	before := server.Now()
	payin, err := client.Payin.Wait(t.Context(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, intram.PayinOutcomeExpired, payin.Outcome())
	assert.GreaterOrEqual(t, server.Now().Sub(before), 9*time.Minute)
}

func TestPayinWorksInASynctestBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock())
		client := server.Client()
		receiver := &payinReceiver{client: client}
		require.NoError(t, server.SetPayinWebhook(server.Receive(receiver), payinWebhookSecret))
		_, err := client.Payin.CreateSession(t.Context(), session("order-1", "+2250700000008"))
		require.NoError(t, err)
		require.NoError(t, server.ConfirmPayin("order-1"))
		payin, err := client.Payin.Wait(t.Context(), "order-1")
		require.NoError(t, err)
		assert.Equal(t, intram.PayinOutcomePaid, payin.Outcome())
		_, outcomes := receiver.got()
		assert.Equal(t, []intram.PayinOutcome{intram.PayinOutcomePending}, outcomes, "confirmed, and the money still under way")
	})
}

// A failure is not the last word: within 48 hours a notification may say that the payin
// was paid after all.
func TestPayinThatFailedIsPaidLate(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := server.Client()
	receiver := &payinReceiver{client: client}
	require.NoError(t, server.SetPayinWebhook(server.Receive(receiver), payinWebhookSecret))
	for reference, number := range map[string]string{"by-number": "+2250700000015", "by-hand": "+2250700000002"} {
		_, err := client.Payin.CreateSession(t.Context(), session(reference, number))
		require.NoError(t, err)
		require.NoError(t, server.ConfirmPayin(reference))
		failed, err := client.Payin.Wait(t.Context(), reference)
		require.NoError(t, err)
		assert.Equal(t, intram.PayinOutcomeFailed, failed.Outcome())
		assert.Equal(t, intram.PayinStatusFailed, failed.Status)
	}
	require.NoError(t, server.Idle(t.Context()))
	_, outcomes := receiver.got()
	assert.Equal(t, []intram.PayinOutcome{intram.PayinOutcomeFailed, intram.PayinOutcomeFailed}, outcomes)

	server.Advance(intram.PayinFailureWindow)
	require.NoError(t, server.SettlePayin("by-hand"))
	require.NoError(t, server.Idle(t.Context()))
	types, outcomes := receiver.got()
	assert.Equal(t, []intram.PayinOutcome{intram.PayinOutcomePaid, intram.PayinOutcomePaid}, outcomes[2:])
	assert.Equal(t, intram.EventPayinConfirmed, types[3])
	for _, reference := range []string{"by-number", "by-hand"} {
		paid, err := client.Payin.Wait(t.Context(), reference)
		require.NoError(t, err)
		assert.Equal(t, intram.PayinOutcomePaid, paid.Outcome())
		assert.Equal(t, intram.PayinStatusSuccess, paid.Status)
		assert.Nil(t, paid.Failure)
	}
	assert.Error(t, server.SettlePayin("by-hand"), "once")
}

func TestPayinLostResponseChargesOnce(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := server.Client()
	payin, err := client.Payin.CreateSession(t.Context(), session("order-1", "+2250700000013"))
	require.NoError(t, err, "the SDK asks again with the same key")
	assert.Equal(t, "order-1", payin.Reference)
	require.NoError(t, server.ConfirmPayin("order-1"))
	assert.EqualValues(t, 5000, server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intramtest.PayinWallet)))
}

func TestPayinEnvironmentsAndMerchantsAreApart(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	other, err := server.AddMerchant("Other")
	require.NoError(t, err)
	otherSandbox, err := other.NewClient()
	require.NoError(t, err)
	otherLive, err := other.NewLiveClient()
	require.NoError(t, err)
	alone, err := server.PayinClient()
	require.NoError(t, err)
	clients := []*intram.Client{server.Client(), server.LiveClient(), otherSandbox, otherLive}
	ids := map[string]bool{}
	for i, client := range clients {
		payin, err := client.Payin.CreateSession(t.Context(), session("order-1", "+2250702968786"))
		require.NoError(t, err, "client %d", i)
		ids[payin.ID] = true
		for j, another := range clients {
			_, err := another.Payin.Get(t.Context(), payin.ID)
			if i == j {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, intram.CodeTransactionDoesNotExist, "%d sees %d's", j, i)
			}
		}
	}
	assert.Len(t, ids, 4)
	payin, err := alone.Get(t.Context(), "order-1")
	require.NoError(t, err)
	assert.True(t, ids[payin.ID], "the sandbox's own")

	receiver := &payinReceiver{client: otherSandbox}
	require.NoError(t, other.SetPayinWebhook(server.Receive(receiver), payinWebhookSecret))
	live := &payinReceiver{client: server.LiveClient()}
	require.NoError(t, server.SetLivePayinWebhook(server.Receive(live), payinWebhookSecret))
	for id := range ids {
		require.NoError(t, server.ConfirmPayin(id))
	}
	require.NoError(t, server.Idle(context.WithoutCancel(t.Context())))
	for name, r := range map[string]*payinReceiver{"the other merchant's": receiver, "live": live} {
		_, outcomes := r.got()
		assert.Equal(t, []intram.PayinOutcome{intram.PayinOutcomePaid}, outcomes, name)
	}
}

func TestPayinSettingsOfAServer(t *testing.T) {
	t.Parallel()
	server := newServer(t, intramtest.WithFirstPayinRevision(), intramtest.WithPayinCredentials(intram.Sandbox, intramtest.PayinCredentials{
		APIKey: "key", APIClient: "client", AccountID: "merchant_9923lkdz",
	}))
	assert.Equal(t, []string{"key", "client", "merchant_9923lkdz"}, []string{server.PayinAPIKey, server.PayinAPIClient, server.PayinAccountID})
	params := session("order-1", "+2250702968786")
	_, err := server.Client().Payin.CreateSession(t.Context(), params)
	require.ErrorIs(t, err, intram.CodeValidationError)
	assert.Contains(t, messageOf(t, err), "accountId is required")
	payin, err := server.Client(intram.WithPayinAccount(server.PayinAccountID)).Payin.CreateSession(t.Context(), params)
	require.NoError(t, err)
	assert.Equal(t, "order-1", payin.Reference)
	assert.Regexp(t, "^tr_", payin.ID)

	french := newServer(t).Client(intram.WithPayinLanguage("fr"))
	_, err = french.Payin.Get(t.Context(), "nobody")
	require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
	assert.Contains(t, messageOf(t, err), "n'existe pas")

	for name, opt := range map[string]intramtest.Option{
		"no expiry at all": intramtest.WithPayinExpiry(0), "a negative expiry": intramtest.WithPayinExpiry(-time.Second),
		"a key with a colon": intramtest.WithPayinCredentials(intram.Live, intramtest.PayinCredentials{APIKey: "a:b"}),
		"no environment":     intramtest.WithPayinCredentials("test", intramtest.PayinCredentials{}),
	} {
		_, err := intramtest.Start(opt)
		assert.Error(t, err, name)
	}
	program, err := intramtest.Start()
	require.NoError(t, err)
	defer program.Close()
	_, err = program.PayinClient(intram.WithPayinLanguage("de"))
	assert.ErrorContains(t, err, "WithPayinLanguage")
	require.ErrorContains(t, program.SetPayinWebhook("http://shop.example.com", "s"), "https")
}

// messageOf is what the API said, which an error's one line keeps to itself where it
// could be personal.
func messageOf(t *testing.T, err error) string {
	t.Helper()
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	return e.Message
}
