package intram_test

import (
	"context"
	"fmt"
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
		for _, trusted := range []bool{false, true} {
			before := requests.looks()
			id := payMany(t, client, 1, 0)[0]
			began := time.Now()
			opts := []intram.WaitOption{intram.WithFirstLook(30 * time.Second)}
			if trusted {
				opts = append(opts, intram.WithTrustedEvents())
			}
			result, err := client.Payouts.Wait(t.Context(), id, opts...)
			require.NoError(t, err)
			assert.Equal(t, 17*time.Second, time.Since(began), "when it ended, and not at the first look")
			assert.Equal(t, "completed", string(result.Status))
			assert.True(t, result.Amount.Equal(intram.NewAmount(1)))
			want := 1
			if trusted {
				want = 0
			}
			assert.Equal(t, want, requests.looks()-before, "one confirming look-up, or none when events are trusted")
		}
	})
}

// Without an event the wait goes on by polling.
func TestWaitThatNoEventReachesPollsInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, requests := manyWaits(t, intramtest.After(17*time.Second))
		id := payMany(t, client, 1, 0)[0]
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), id, intram.WithFirstLook(30*time.Second))
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, time.Since(began))
		assert.Equal(t, 1, requests.looks())
	})
}

// An event can be faster than the answer to the call that caused it: it is kept in mind.
func TestEventThatComesBeforeTheWaitIsNotLost(t *testing.T) {
	t.Parallel()
	completed := eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{PayoutResult: intram.PayoutResult{Reference: "R-1", Status: "completed"}})
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, finished(t))
		client.Notify(completed)
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithFirstLook(time.Minute))
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
		assert.Len(t, s.requests(), 1)

		later := *completed
		later.OccurredAt = at1030.Add(time.Second)
		client.Notify(&later)
		op, err := client.WaitForOperation(t.Context(), "op_1", intram.WithTrustedEvents())
		require.NoError(t, err)
		assert.Equal(t, "op_1", op.ID)
		assert.Len(t, s.requests(), 1, "nothing was asked")
		synctest.Wait()
		assert.Zero(t, intram.PendingWaits(client))
	})
	// Not without end: the events of what nobody waits for make room for others.
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, finished(t))
		client.Notify(completed)
		for n := range 1024 {
			other := *completed
			other.OperationID = fmt.Sprintf("op_other_%d", n)
			client.Notify(&other)
		}
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithFirstLook(20*time.Second), intram.WithTrustedEvents())
		require.NoError(t, err)
		assert.Equal(t, 20*time.Second, time.Since(began))
		assert.Len(t, s.requests(), 1)
	})
}

// What an event says of how an operation ended, and what it does not say.
func TestTrustedEventsEndOnlyWhatTheySayHasEnded(t *testing.T) {
	t.Parallel()
	failure := &intram.OperationError{Code: intram.CodeProviderRejected, Message: "rejected"}
	payout := intram.PayoutResult{Reference: "R-1", Status: "completed", Amount: intram.NewAmount(500)}
	for _, tt := range []struct {
		event *intram.Event
		ends  bool
		code  intram.ErrorCode
	}{
		{eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{PayoutResult: payout}), true, ""},
		{eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{PayoutResult: payout, Error: failure}), true, intram.CodeProviderRejected},
		{eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{PayoutResult: payout}), false, ""},
		{eventOf(intram.EventPayoutQueued, &intram.PayoutEventData{PayoutResult: payout}), false, ""},
		{eventOf(intram.EventRefundCompleted, &intram.RefundEventData{}), true, ""},
		{eventOf(intram.EventRefundFailed, &intram.RefundEventData{Error: failure}), true, intram.CodeProviderRejected},
		{eventOf(intram.EventRefundPending, &intram.RefundEventData{}), false, ""},
		{eventOf(intram.EventPaymentRequestCreated, &intram.PaymentRequestEventData{
			PaymentRequestResult: intram.PaymentRequestResult{GatewayURL: "https://gateway.intram.org/AB12CD34EF"},
		}), true, ""},
		{eventOf(intram.EventPaymentRequestPaid, &intram.PaymentRequestEventData{}), false, ""},
		{eventOf(intram.EventPayoutCompleted, &intram.UnknownEventData{}), false, ""},
		{eventOf("payout.teleported", &intram.UnknownEventData{}), false, ""},
		{eventOf(intram.EventPayoutCompleted, nil), false, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50)
			s.forever = finished(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				op, err := client.WaitForOperation(t.Context(), "op_1", intram.WithFirstLook(time.Minute), intram.WithMaxWait(0), intram.WithTrustedEvents())
				if tt.code != "" {
					var failed *intram.OperationError
					assert.ErrorAs(t, err, &failed)
					assert.ErrorIs(t, err, tt.code)
					assert.Equal(t, "op_1", failed.OperationID)
					assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))
					return
				}
				if assert.NoError(t, err) && tt.ends {
					assert.Equal(t, intram.OperationSucceeded, op.Status)
					assert.Equal(t, at1030, op.CompletedAt)
					assert.NotNil(t, op.Result)
				}
			}()
			synctest.Wait()
			client.Notify(tt.event)
			began := time.Now()
			<-done
			assert.Zero(t, time.Since(began), "%s", tt.event.Type)
			looks := 1
			if tt.ends {
				looks = 0
			}
			assert.Len(t, s.requests(), looks, "%s", tt.event.Type)
		})
	}
}

// One who trusts events does not decide for another who waits for the same operation.
func TestTrustIsEachWaitersOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, finished(t))
		var wg sync.WaitGroup
		for _, opts := range [][]intram.WaitOption{{intram.WithTrustedEvents()}, nil} {
			opts = append(opts, intram.WithFirstLook(time.Minute), intram.WithMaxWait(0))
			wg.Go(func() {
				_, err := client.WaitForOperation(t.Context(), "op_1", opts...)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		client.Notify(eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{}))
		wg.Wait()
		assert.Len(t, s.requests(), 1)
	})
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
		tx, err := client.Transactions.Wait(t.Context(), created.TransactionReference, intram.WithFirstLook(5*time.Minute))
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

// Thousands of events wake their waits for about one look-up each at most, and without polling.
func TestEventsOfThousandsOfOperationsCostFewLookUps(t *testing.T) {
	t.Parallel()
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
				_, err := client.WaitForOperation(t.Context(), id, intram.WithFirstLook(2*time.Minute), intram.WithMaxWait(0))
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
		t.Logf("%d operations, each with its event: %d pages and %d single look-ups, 0.%03d an operation; from the event to the waiter %v in the middle, %v for 99 %%",
			n, requests.of("GET /operations"), requests.of("GET /operations/{id}"), thousandths, lags[n/2], lags[n*99/100])
		assert.LessOrEqual(t, thousandths, 1050)
	})
}

// An event that comes while a look-up is under way may be newer than its answer: it is looked up once more, at once.
func TestEventDuringALookUpLeadsToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(req *http.Request) (*http.Response, error) {
			if err := intram.SystemClock.Sleep(req.Context(), 400*ms); err != nil {
				return nil, err
			}
			return operation("processing")(req)
		}
		client, s := waiting(t, 50, slow, finished(t))
		began := time.Now()
		go func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), 300*ms))
			client.Notify(eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{}))
		}()
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Equal(t, 400*ms, time.Since(began))
		assert.Len(t, s.requests(), 2)
	})
}

// A bank can return a payout: of two events that say how it ended, the later one is believed, in whatever order they come.
func TestOfTwoEndsTheLaterOneIsTrusted(t *testing.T) {
	t.Parallel()
	completed := eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{PayoutResult: intram.PayoutResult{Reference: "R-1", Status: "completed"}})
	returned := eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{Error: &intram.OperationError{Code: intram.CodeProviderRejected}})
	returned.OccurredAt = at1030.Add(time.Hour)
	unexplained := eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{})
	unexplained.OccurredAt = at1030.Add(time.Hour)
	atOnce := eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{Error: &intram.OperationError{Code: intram.CodeProviderRejected}})
	queued := eventOf(intram.EventPayoutQueued, &intram.PayoutEventData{})
	queued.OccurredAt = at1030.Add(-time.Minute)
	for name, tt := range map[string]struct {
		events []*intram.Event
		code   intram.ErrorCode
		looks  int
	}{
		"returned":                      {[]*intram.Event{completed, returned}, intram.CodeProviderRejected, 0},
		"returned, told late":           {[]*intram.Event{returned, completed}, intram.CodeProviderRejected, 0},
		"returned for no known reason":  {[]*intram.Event{completed, unexplained}, "", 1},
		"and told the other way around": {[]*intram.Event{unexplained, completed}, "", 1},
		"both at the same time":         {[]*intram.Event{completed, atOnce}, "", 1},
		"queued before":                 {[]*intram.Event{queued, completed}, "", 0},
		"queued, told late":             {[]*intram.Event{completed, queued}, "", 0},
		"twice":                         {[]*intram.Event{completed, completed}, "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50)
			s.forever = finished(t)
			for _, event := range tt.events {
				client.Notify(event)
			}
			_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithTrustedEvents(), intram.WithFirstLook(time.Minute), intram.WithMaxWait(0))
			if tt.code != "" {
				require.ErrorIs(t, err, tt.code, name)
			} else {
				require.NoError(t, err, name)
			}
			assert.Len(t, s.requests(), tt.looks, name)
		})
	}
}

// An event that is delivered late, or once more, does not answer for a wait that begins after a newer one has ended another.
func TestEventThatIsOutOfDateEndsNoWait(t *testing.T) {
	t.Parallel()
	completed := eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{PayoutResult: intram.PayoutResult{Reference: "R-1", Status: "completed"}})
	returned := eventOf(intram.EventPayoutFailed, &intram.PayoutEventData{Error: &intram.OperationError{Code: intram.CodeProviderRejected}})
	returned.OccurredAt = at1030.Add(time.Hour)
	for _, waitingThen := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50)
			s.forever = answer(200, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"failed","error":{"code":"provider_rejected"}}}`)
			wait := func() {
				_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithTrustedEvents(), intram.WithFirstLook(time.Minute))
				assert.ErrorIs(t, err, intram.CodeProviderRejected)
			}
			client.Notify(returned)
			wait()
			assert.Empty(t, s.requests())
			if !waitingThen {
				client.Notify(completed)
				wait()
			} else {
				var wg sync.WaitGroup
				wg.Go(wait)
				synctest.Wait()
				client.Notify(completed)
				wg.Wait()
			}
			assert.Len(t, s.requests(), 1)
		})
	}
}

// An event that lacks what the caller waits for, or contradicts itself, is confirmed by a look-up.
func TestEventWithoutWhatIsWaitedForIsNotTrusted(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]*intram.Event{
		"no checkout page": eventOf(intram.EventPaymentRequestCreated, &intram.PaymentRequestEventData{
			PaymentRequestResult: intram.PaymentRequestResult{TransactionReference: "AB12CD34EF"},
		}),
		"completed with an error": eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{
			Error: &intram.OperationError{Code: intram.CodeProviderRejected},
		}),
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50, finished(t))
			client.Notify(event)
			_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithTrustedEvents(), intram.WithFirstLook(time.Minute))
			require.NoError(t, err)
			assert.Len(t, s.requests(), 1, name)
		})
	}
}

// What has been waited for before makes no notice go sooner than others.
func TestNoticeIsKeptAsLongAsAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = finished(t)
		about := func(id string) *intram.Event {
			return &intram.Event{Type: intram.EventPayoutQueued, OperationID: id, OccurredAt: at1030, Data: &intram.PayoutEventData{}}
		}
		look := func() time.Duration {
			began := time.Now()
			_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithFirstLook(20*sec))
			require.NoError(t, err)
			return time.Since(began)
		}
		client.Notify(about("op_1"))
		for n := range 1000 {
			client.Notify(about(fmt.Sprintf("op_a%d", n)))
		}
		assert.Zero(t, look())
		later := about("op_1")
		later.Type, later.OccurredAt = intram.EventPayoutCompleted, at1030.Add(time.Hour)
		client.Notify(later)
		for n := range 100 {
			client.Notify(about(fmt.Sprintf("op_b%d", n)))
		}
		assert.Zero(t, look(), "it is one of the last 1024")
	})
}
