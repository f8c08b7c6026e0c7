package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// reconciled is a merchant with a subscription, a handler and a reconciler on one inbox.
type reconciled struct {
	*testing.T
	server     *intramtest.Server
	client     *intram.Client
	handler    http.Handler
	reconciler *intram.Reconciler
	inbox      *intram.MemoryInbox

	mu      sync.Mutex
	swallow func(n int) bool // whether the n-th delivery is acknowledged and dropped
	secret  string
	bodies  []string // of all deliveries, to be sent again
	dropped int
	fail    func(*intram.Event) error
	effects map[string]int
	events  map[string]*intram.Event // what took effect, by type and operation
}

func newReconciled(t *testing.T, opts ...intramtest.Option) *reconciled {
	t.Helper()
	// A payment stays open for longer than anything that is looked for: what ends days
	// later is what these tests are about.
	opts = append([]intramtest.Option{intramtest.WithoutListener(), intramtest.WithPaymentExpiry(90 * 24 * time.Hour)}, opts...)
	r := &reconciled{
		T: t, server: intramtest.NewServer(t, opts...), effects: make(map[string]int), events: make(map[string]*intram.Event),
	}
	r.client = r.server.Client()
	r.inbox = &intram.MemoryInbox{Clock: r.server.Clock()}
	subscription, err := r.client.Webhooks.Create(t.Context(), intram.WebhookParams{
		URL: r.server.Receive(http.HandlerFunc(r.receive)), Event: intram.EventAll,
	})
	require.NoError(t, err)
	r.secret = subscription.Secret
	verifier, err := intram.NewWebhookVerifier(r.secret)
	require.NoError(t, err)
	tracer := newCountingTracer(t)
	r.handler = intram.NewWebhookHandler(verifier.WithClock(r.server.Clock()), r.inbox, r.takeEffect, intram.WithHandlerTracer(tracer))
	r.reconciler, err = intram.NewReconciler(r.client, r.inbox, r.takeEffect, intram.WithHandlerTracer(tracer))
	require.NoError(t, err)
	return r
}

func (r *reconciled) takeEffect(_ context.Context, event *intram.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(event); err != nil {
			return err
		}
	}
	id := string(event.Type) + " " + event.OperationID
	r.effects[id]++
	r.events[id] = event
	return nil
}

// receive is the network between Intram and the handler.
func (r *reconciled) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.Errorf("reading a delivery: %v", err)
	}
	r.mu.Lock()
	n := len(r.bodies)
	r.bodies = append(r.bodies, string(body))
	drop := r.swallow != nil && r.swallow(n)
	if drop {
		r.dropped++
	}
	r.mu.Unlock()
	if !drop {
		w.WriteHeader(r.send(n))
	}
}

// send sends a delivery to the handler, once more perhaps, and dated anew as a retry is.
func (r *reconciled) send(n int) int {
	r.mu.Lock()
	body := r.bodies[n]
	r.mu.Unlock()
	again := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	again.Header = intram.SignWebhook(r.secret, r.server.Now(), []byte(body))
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, again)
	return w.Code
}

func (r *reconciled) run() *intram.Reconciliation {
	r.Helper()
	result, err := r.reconciler.Run(r.Context(), r.server.Now().Add(-48*time.Hour))
	require.NoError(r, err)
	return result
}

func (r *reconciled) must(err error) {
	r.Helper()
	require.NoError(r, err)
}

func (r *reconciled) payout(msisdn string) *intram.Operation {
	r.Helper()
	op, err := r.client.Payouts.Create(r.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(25000), Currency: intram.XOF, Reference: "PO-1",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
	})
	require.NoError(r, err)
	return op
}

func (r *reconciled) bankPayout() *intram.Operation {
	r.Helper()
	op, err := r.client.Payouts.Create(r.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(500), Currency: intram.XOF,
		Destination: intram.BankAccount{AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ"},
	})
	require.NoError(r, err)
	return op
}

func (r *reconciled) payment() (reference string) {
	r.Helper()
	op, err := r.client.PaymentRequests.Create(r.Context(), intram.PaymentRequestParams{
		Invoice:     intram.Invoice{Amount: intram.NewAmount(12000), Currency: intram.XOF},
		WebhookData: map[string]any{"order_id": "4521"},
	})
	require.NoError(r, err)
	result, err := r.client.PaymentRequests.Wait(r.Context(), op.ID)
	require.NoError(r, err)
	return result.TransactionReference
}

func (r *reconciled) refund(reference string, amount int64) *intram.Operation {
	r.Helper()
	params := intram.RefundParams{TransactionReference: reference, Reason: "Demande client"}
	if amount != 0 { // 0: all of it
		params.Amount = intram.NewAmount(amount)
	}
	op, err := r.client.Refunds.Create(r.Context(), params)
	require.NoError(r, err)
	return op
}

// business makes one of everything that ends, with a time of its own each.
func (r *reconciled) business() {
	r.Helper()
	steps := []func(){
		func() { r.payout("22961000000") },
		func() { r.payout("22961000004") }, // no such account
		func() { r.payout("22961000006") }, // expires
		func() { r.bankPayout() },
		func() { r.must(r.server.Complete(r.bankPayout().ID)) },
		func() { r.must(r.server.Fail(r.bankPayout().ID, intram.CodeProviderRejected)) },
		func() { r.payment() },
		func() { r.must(r.server.Pay(r.payment())) },
		func() { r.must(r.server.Decline(r.payment())) },
		func() {
			reference := r.payment()
			r.must(r.server.Pay(reference))
			r.refund(reference, 5000)
			r.refund(reference, 9000) // more than is left
		},
	}
	for _, step := range steps {
		step()
		r.server.Advance(time.Second)
	}
}

// published is what the fake says has happened.
func (r *reconciled) published() map[string]int {
	events := make(map[string]int)
	for _, e := range r.server.Events() {
		events[string(e.Type)+" "+e.OperationID] = 1
	}
	return events
}

// In a world where every tenth delivery is swallowed, nothing is missing at the
// end.
func TestTheReconcilerFindsWhatWasSwallowed(t *testing.T) {
	t.Parallel()
	const rounds = 40
	r := newReconciled(t, intramtest.WithJournalSize(10_000))
	r.swallow = func(n int) bool { return n%10 == 9 }
	for range rounds {
		r.business()
	}
	r.server.Advance(7 * time.Minute) // whatever expires has expired
	require.NoError(t, r.server.Idle(t.Context()))
	happened := r.published()
	require.Len(t, happened, len(r.bodies))
	require.Equal(t, len(r.bodies)/10, r.dropped)
	require.Len(t, r.effects, len(happened)-r.dropped)

	result := r.run()
	assert.Empty(t, result.Failures)
	assert.Equal(t, r.dropped, result.Missing)
	assert.Equal(t, len(happened)-r.dropped, result.Known)
	assert.Equal(t, happened, r.effects, "nothing is missing, and nothing is there that did not happen")
	t.Logf("%d events, %d swallowed, %d found in %d operations and %d transactions; %d took effect, each once",
		len(happened), r.dropped, result.Missing, result.Operations, result.Transactions, len(r.effects))

	// What was swallowed arrives after all, and so does everything else once more.
	for n := range r.bodies {
		require.Equal(t, 200, r.send(n))
	}
	again := r.run()
	assert.Zero(t, again.Missing)
	assert.Equal(t, len(happened), again.Known)
	assert.Equal(t, happened, r.effects)
}

// The same function serves both, so both must give it the same.
func TestAReconciledEventSaysWhatTheDeliveryWouldHaveSaid(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.business()
	r.server.Advance(7 * time.Minute)
	require.NoError(t, r.server.Idle(t.Context()))
	r.run()
	require.Len(t, r.events, len(r.bodies))
	for _, body := range r.bodies {
		delivered, err := verifierAt(t, r.server.Now(), inboxSecret).Verify(intram.SignWebhook(inboxSecret, r.server.Now(), []byte(body)), []byte(body))
		require.NoError(t, err)
		id := string(delivered.Type) + " " + delivered.OperationID
		event := r.events[id]
		require.NotNil(t, event, id)
		assert.Equal(t, delivered.InboxKey(), event.InboxKey(), id)
		assert.Equal(t, delivered.Type, event.Type)
		assert.Equal(t, facts(delivered.Data), facts(event.Data), id)
		assert.False(t, event.OccurredAt.IsZero(), id)
		assert.Empty(t, event.Raw, id)
		assert.Empty(t, event.DeliveryID, id)
		assert.Zero(t, event.Attempt, id)
	}
}

// facts is what an event says that a merchant acts on.
func facts(data intram.EventData) string {
	code := func(e *intram.OperationError) intram.ErrorCode {
		if e == nil {
			return ""
		}
		return e.Code
	}
	switch d := data.(type) {
	case *intram.PayoutEventData:
		if _, bank := d.Destination.(intram.BankAccount); bank {
			d.Error = nil // why a bank returned a payout is in its event only
		}
		return fmt.Sprint("payout ", d.Reference, " ", d.Amount, " ", d.Currency, " ", d.Status, " ", code(d.Error))
	case *intram.PaymentRequestEventData:
		// Why a payment failed is in its event only.
		return fmt.Sprint("payment ", d.TransactionReference, " ", d.Amount, " ", d.Currency, " ", d.Status, " ", string(d.WebhookData))
	case *intram.RefundEventData:
		return fmt.Sprint("refund ", d.TransactionReference, " ", d.Amount, " ", d.Status, " ", d.Reason, " ", code(d.Error))
	}
	return fmt.Sprintf("%T", data)
}

// A payment that was cancelled before it was paid, and one that was given back, both end
// as REFUNDED. No event says that the first was paid.
func TestARefundedPaymentIsNotSaidToBePaid(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	reference := r.payment()
	require.NoError(t, r.server.Pay(reference))
	refund := r.refund(reference, 0)
	result := r.run()
	assert.Equal(t, 2, result.Missing)
	assert.Contains(t, r.effects, "refund.completed "+refund.ID)
	for id := range r.effects {
		assert.NotContains(t, id, "paid")
	}
}

func TestWhatHasNotEndedIsNotReconciled(t *testing.T) {
	t.Parallel()
	r := newReconciled(t, intramtest.WithWorker(intramtest.ByHand()))
	op := r.payout("22961000000")
	assert.Zero(t, r.run().Missing)
	require.NoError(t, r.server.Process(op.ID))
	assert.Zero(t, r.run().Missing)
	r.swallow = func(int) bool { return true }
	require.NoError(t, r.server.Complete(op.ID))
	assert.Equal(t, 1, r.run().Missing)
}

// The oldest comes first: a payment request is created before it is paid.
func TestMissingEventsTakeEffectInTheirOrder(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	var order []string
	r.fail = func(e *intram.Event) error { order = append(order, string(e.Type)); return nil }
	require.NoError(t, r.server.Pay(r.payment()))
	r.server.Advance(time.Second)
	require.NoError(t, r.server.Complete(r.bankPayout().ID))
	r.run()
	assert.Equal(t, []string{"payment_request.created", "payment_request.paid", "payout.queued", "payout.completed"}, order)
}

func TestSinceIsAPointInTimeThatTheInboxRemembers(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.payout("22961000000")
	r.server.Advance(time.Hour)
	from := r.server.Now()
	r.payout("22961000000")
	result, err := r.reconciler.Run(t.Context(), from)
	require.NoError(t, err)
	assert.Equal(t, 1, result.Operations)
	assert.Equal(t, 1, result.Missing)
	result, err = r.reconciler.Run(t.Context(), from.Add(-time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 2, result.Operations)
	assert.Equal(t, 1, result.Missing)
	assert.Equal(t, 1, result.Known)

	_, err = r.reconciler.Run(t.Context(), r.server.Now().Add(-60*time.Hour))
	require.NoError(t, err)
	_, err = r.reconciler.Run(t.Context(), r.server.Now().Add(-60*time.Hour-time.Second))
	require.ErrorContains(t, err, "an inbox may forget")
}

func TestAFailureOfOneEventIsNotedAndTriedAgainByTheNextRun(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	bad := r.payout("22961000000")
	r.payout("22961000000")
	sentinel := errors.New("no row for 22961000000")
	r.fail = func(e *intram.Event) error {
		if e.OperationID == bad.ID {
			return sentinel
		}
		return nil
	}
	result := r.run()
	assert.Equal(t, 1, result.Missing)
	require.Len(t, result.Failures, 1)
	require.ErrorIs(t, result.Failures[0].Err, sentinel)
	assert.Equal(t, bad.ID, result.Failures[0].Event.OperationID)
	assert.NotContains(t, fmt.Sprint(result.Failures), "22961000000")

	r.fail = nil
	result = r.run()
	assert.Empty(t, result.Failures)
	assert.Equal(t, 1, result.Missing)
	assert.Equal(t, 1, result.Known)
}

func TestWhatADeliveryIsBringingIsLeftToIt(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	op := r.payout("22961000000")
	claim, err := r.inbox.Claim(t.Context(), (&intram.Event{Type: intram.EventPayoutCompleted, OperationID: op.ID}).InboxKey(), time.Minute)
	require.NoError(t, err)
	result := r.run()
	assert.Equal(t, 1, result.Busy)
	assert.Zero(t, result.Missing)
	require.NoError(t, r.inbox.Complete(t.Context(), claim))
	assert.Equal(t, 1, r.run().Known)
	assert.Empty(t, r.effects)
}

func TestARunEndsWithItsContextBetweenTwoEvents(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.payout("22961000000")
	r.payout("22961000000")
	ctx, cancel := context.WithCancel(t.Context())
	r.fail = func(*intram.Event) error { cancel(); return nil }
	result, err := r.reconciler.Run(ctx, r.server.Now().Add(-time.Hour))
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, result)
	assert.Len(t, r.effects, 1, "what had begun was not broken off")
}

func TestARunWhoseListsFailSaysSo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/operations", "/transactions"} {
		r := newReconciled(t)
		require.NoError(t, r.server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "GET " + path, Times: 100}))
		result, err := r.reconciler.Run(t.Context(), r.server.Now())
		require.ErrorContains(t, err, "reconciler", path)
		assert.Nil(t, result)
	}
}

func TestAReconcilerNeedsAllItsParts(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t, intramtest.WithoutListener()).Client()
	handle := func(context.Context, *intram.Event) error { return nil }
	_, err := intram.NewReconciler(nil, new(intram.MemoryInbox), handle)
	require.ErrorContains(t, err, "the client is nil")
	_, err = intram.NewReconciler(client, nil, handle)
	require.ErrorContains(t, err, "the inbox is nil")
	_, err = intram.NewReconciler(client, new(intram.MemoryInbox), nil)
	require.ErrorContains(t, err, "the function is nil")
	_, err = intram.NewReconciler(client, new(intram.MemoryInbox), handle, intram.WithHandlerTimeout(-1))
	require.ErrorContains(t, err, "WithHandlerTimeout")
}

// The documentation sends webhook_data on in every event of a payment request. The fake
// does, and the reconciler has what it has.
func TestEveryEventOfAPaymentRequestCarriesItsWebhookData(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.payment()
	r.must(r.server.Pay(r.payment()))
	r.must(r.server.Decline(r.payment()))
	failed, err := r.client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice:       intram.Invoice{Amount: intram.NewAmount(12000), Currency: intram.XOF},
		PaymentMethod: intram.PaymentMethod{Code: "NOBODY_BENIN_229"}, WebhookData: map[string]any{"order_id": "4521"},
	})
	require.NoError(t, err)
	r.server.Advance(time.Minute)
	for _, typ := range []intram.EventType{intram.EventPaymentRequestCreated, intram.EventPaymentRequestFailed} {
		require.NoError(t, r.server.Trigger(typ, failed.ID))
		require.NoError(t, r.server.Trigger(typ, r.payment()))
	}

	kinds := map[intram.EventType]int{}
	for _, published := range r.server.Events() {
		if !strings.HasPrefix(string(published.Type), "payment_request.") {
			continue
		}
		var event intram.Event
		require.NoError(t, json.Unmarshal(published.Body, &event))
		data, ok := event.Data.(*intram.PaymentRequestEventData)
		if !ok || data.TransactionReference == "" && event.Type == intram.EventPaymentRequestCreated {
			continue // triggered by hand, of a payment that was never opened
		}
		assert.JSONEq(t, `{"order_id":"4521"}`, string(data.WebhookData), event.Type)
		kinds[event.Type]++
	}
	assert.Len(t, kinds, 3)

	r.run()
	told := map[intram.EventType]int{}
	for _, event := range r.events {
		data, ok := event.Data.(*intram.PaymentRequestEventData)
		require.True(t, ok, event.Type)
		assert.JSONEq(t, `{"order_id":"4521"}`, string(data.WebhookData), event.Type)
		told[event.Type]++
	}
	assert.Equal(t, map[intram.EventType]int{
		intram.EventPaymentRequestCreated: 5, intram.EventPaymentRequestPaid: 1, intram.EventPaymentRequestFailed: 2,
	}, told)
}

// A list that leaves payloads out does not say what a payout was that failed: its event
// says that it failed, and which.
func TestAFailedPayoutOfAListWithoutPayloadHasNoData(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	op := r.payout("22961000004")
	r.server.Advance(time.Minute)
	require.NoError(t, r.server.Fault(intramtest.Fault{Kind: intramtest.NoPayload, On: "GET /operations", Times: 20}))
	r.run()
	event := r.events["payout.failed "+op.ID]
	require.NotNil(t, event)
	data, ok := event.Data.(*intram.PayoutEventData)
	require.True(t, ok)
	assert.Equal(t, intram.PayoutFailed, data.Status)
	require.ErrorIs(t, data.Error, intram.CodeProviderRejected)
	assert.Empty(t, data.Reference)
	assert.Nil(t, data.Destination)
	assert.False(t, data.Amount.IsSet())
}
