package intram_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// notifying subscribes a handler that gives its events to the client's waits.
func notifying(t *testing.T, server *intramtest.Server, client *intram.Client) {
	t.Helper()
	var handler http.Handler
	subscription, err := client.Webhooks.Create(t.Context(), intram.WebhookParams{
		URL: server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) })), Event: intram.EventAll,
	})
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier(subscription.Secret)
	require.NoError(t, err)
	handler = intram.NewWebhookHandler(verifier.WithClock(server.Clock()), &intram.MemoryInbox{Clock: server.Clock()},
		func(context.Context, *intram.Event) error { return nil }, intram.WithNotify(client))
}

// event is one about op_1, with data.
func eventOf(kind intram.EventType, data intram.EventData) *intram.Event {
	return &intram.Event{Type: kind, OperationID: "op_1", OccurredAt: at1030, Data: data}
}

func TestEventWakesAWaitAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.After(17*time.Second))
		notifying(t, server, client)
		id := payMany(t, client, 1, 0)[0]
		began := time.Now()
		result, err := client.Payouts.Wait(t.Context(), id, intram.WithInitialDelay(30*time.Second))
		require.NoError(t, err)
		assert.Equal(t, 17*time.Second, time.Since(began), "when it ended, and not after the delay")
		assert.Equal(t, "completed", string(result.Status))
		assert.True(t, result.Amount.Equal(intram.NewAmount(1)))
		assert.Equal(t, 1, requests.looks(), "one confirming lookup")
	})
}

// Without an event the wait goes on by polling.
func TestWaitThatNoEventReachesPollsInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, requests := manyWaits(t, intramtest.After(17*time.Second))
		id := payMany(t, client, 1, 0)[0]
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), id, intram.WithInitialDelay(30*time.Second))
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, time.Since(began))
		assert.Equal(t, 1, requests.looks())
	})
}

// An event ends no wait by itself, whatever it says: what a wait returns is the API's own
// response.
func TestAnEventLeadsToALookup(t *testing.T) {
	t.Parallel()
	failed := &intram.OperationError{Code: intram.CodeProviderRejected}
	for _, event := range []*intram.Event{
		eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{PayoutResult: intram.PayoutResult{Reference: "R-1", Status: "completed"}}),
		eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{Error: failed}),
		eventOf(intram.EventPayoutQueued, &intram.PayoutEventData{}),
		eventOf("payout.teleported", &intram.UnknownEventData{}),
		eventOf(intram.EventPayoutCompleted, nil),
	} {
		for _, before := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				client, s := waiting(t, 50, finished(t))
				began := time.Now()
				if before {
					client.Notify(event)
				} else {
					go func() {
						synctest.Wait()
						client.Notify(event)
					}()
				}
				op, err := client.WaitForOperation(t.Context(), "op_1", intram.WithInitialDelay(time.Minute), intram.WithMaxWait(0))
				require.NoError(t, err, "%s", event.Type)
				assert.Equal(t, intram.OperationSucceeded, op.Status)
				assert.NotEmpty(t, op.Raw)
				assert.Zero(t, time.Since(began), "%s", event.Type)
				assert.Len(t, s.requests(), 1, "%s", event.Type)
			})
		}
	}
}

// The list can be behind an event. It is not believed then.
func TestEventIsNotForgottenOverAListThatLags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		notifying(t, server, client)
		requests.edit = func(route string, resp *http.Response) {
			if route == "GET /operations" {
				editItems(t, resp, func(item map[string]any) bool {
					item["status"], item["result"] = "processing", nil
					return true
				})
			}
		}
		var wg sync.WaitGroup
		ids := payMany(t, client, 20, 2*time.Millisecond)
		began := time.Now()
		for _, id := range ids {
			wg.Go(func() {
				_, err := client.WaitForOperation(t.Context(), id)
				assert.NoError(t, err)
				assert.Less(t, time.Since(began), 12*time.Second)
			})
		}
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 11*time.Second))
		for _, id := range ids {
			require.NoError(t, server.Complete(id))
		}
		wg.Wait()
		assert.NotZero(t, requests.of("GET /operations"))
	})
}

// A customer who pays wakes the wait for the transaction.
func TestEventWakesTheWaitForATransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := manyWaits(t, intramtest.AtOnce())
		notifying(t, server, client)
		op, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{Invoice: intram.Invoice{
			Amount: intram.NewAmount(1000), Currency: intram.XOF, Customer: intram.Customer{Email: "a@example.com"},
		}})
		require.NoError(t, err)
		created, err := client.PaymentRequests.Wait(t.Context(), op.ID)
		require.NoError(t, err)
		go func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), 45*time.Second))
			assert.NoError(t, server.Pay(created.TransactionReference))
		}()
		began := time.Now()
		tx, err := client.Transactions.Wait(t.Context(), created.TransactionReference, intram.WithInitialDelay(5*time.Minute))
		require.NoError(t, err)
		assert.Equal(t, intram.TransactionSuccess, tx.Status)
		assert.Equal(t, 45*time.Second, time.Since(began).Truncate(time.Second))
	})
}

// Nothing that is given to Notify can do harm.
func TestNotifyTakesWhateverItIsGiven(t *testing.T) {
	t.Parallel()
	client, _ := waiting(t, 50)
	client.Notify(nil)
	client.Notify(&intram.Event{})
	client.Notify(eventOf(intram.EventPaymentRequestPaid, nil))
	verifier, err := intram.NewWebhookVerifier("whsec_test")
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil }, intram.WithNotify(nil))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}")))
	assert.Equal(t, 500, w.Code)
	assert.Contains(t, w.Body.String(), "WithNotify: the client is nil")
}

// Thousands of events wake their waits for about one lookup each at most, and without
// polling.
func TestEventsOfThousandsOfOperationsCostFewLookUps(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out the tests of thousands of waits") //nolint:forbidigo // asked for; CI runs without -short
	}
	n := 5000
	if raceDetector {
		n = 500
	}
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		notifying(t, server, client)
		ids := payMany(t, client, n, 2*time.Millisecond)
		var mu sync.Mutex
		ended := make(map[string]time.Time, n)
		var lags []time.Duration
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				_, err := client.WaitForOperation(t.Context(), id, intram.WithInitialDelay(2*time.Minute), intram.WithMaxWait(0))
				if assert.NoError(t, err) {
					mu.Lock()
					defer mu.Unlock()
					lags = append(lags, time.Since(ended[id]))
				}
			})
		}
		synctest.Wait()
		for i := range ids {
			id := ids[(i*7919)%len(ids)]
			mu.Lock()
			ended[id] = time.Now()
			mu.Unlock()
			require.NoError(t, server.Complete(id))
			require.NoError(t, intram.SystemClock.Sleep(t.Context(), 60*time.Second/time.Duration(n)))
		}
		wg.Wait()
		slices.Sort(lags)
		thousandths := requests.looks() * 1000 / n
		t.Logf("%d operations, each with its event: %d pages and %d single lookups, 0.%03d an operation; from the event to the waiter %v in the middle, %v for 99 %%",
			n, requests.of("GET /operations"), requests.of("GET /operations/{id}"), thousandths, lags[n/2], lags[n*99/100])
		assert.LessOrEqual(t, thousandths, 1050)
	})
}
