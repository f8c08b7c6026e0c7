package intram_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

const exampleSecret = "whsec_b4c3a2d1e0f9a8b7"

// deliver sends an event as Intram would, and returns the response's status.
func deliver(handler http.Handler, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/intram/webhook", strings.NewReader(body))
	r.Header = intram.SignWebhook(exampleSecret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

func ExampleNewWebhookHandler() {
	verifier, err := intram.NewWebhookVerifier(exampleSecret) // while you rotate: the new secret and the old one
	if err != nil {
		fmt.Println(err)
		return
	}
	databaseUp := false
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(_ context.Context, event *intram.Event) error {
		if !databaseUp {
			return errors.New("the database is down")
		}
		fmt.Println("took effect:", event.Type, event.OperationID)
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("/intram/webhook", handler)

	body := `{"event":"payout.completed","operation_id":"op_2f4a","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-2026-0001","amount":25000}}`
	fmt.Println(deliver(mux, body)) // Intram will send it again
	databaseUp = true
	fmt.Println(deliver(mux, body))
	fmt.Println(deliver(mux, body)) // and perhaps once more than needed
	// Output:
	// 500
	// took effect: payout.completed op_2f4a
	// 200
	// 200
}

func ExampleWithNotify() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	// Webhooks go to the program that waits.
	var handler http.Handler
	address := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: address, Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := intram.NewWebhookVerifier(subscription.Secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	handle := func(context.Context, *intram.Event) error { return nil }
	handler = intram.NewWebhookHandler(verifier.WithClock(server.Clock()), new(intram.MemoryInbox), handle, intram.WithNotify(client))

	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount:      intram.NewAmount(25000),
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The event wakes the wait. If none came in 30 s, the wait would poll.
	result, err := client.Payouts.Wait(ctx, op.ID, intram.WithInitialDelay(30*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Status, result.Amount)
	// Output: completed 25000
}

func ExampleEventRouter() {
	router := new(intram.EventRouter)
	intram.OnData(router, intram.EventPayoutCompleted, func(_ context.Context, _ *intram.Event, payout *intram.PayoutEventData) error {
		fmt.Println("paid out", payout.Amount, payout.Currency, "for", payout.Reference)
		return nil
	})
	router.On("refund.*", func(_ context.Context, e *intram.Event) error {
		fmt.Println("a refund:", e.Type)
		return nil
	})
	router.Default(func(_ context.Context, e *intram.Event) error {
		fmt.Println("something else:", e.Type)
		return nil
	})
	if err := router.Err(); err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), router.Handle)

	deliver(handler, `{"event":"payout.completed","operation_id":"op_1","data":{"reference":"PO-1","amount":25000,"currency":"XOF"}}`)
	deliver(handler, `{"event":"refund.failed","operation_id":"op_2","data":{}}`)
	deliver(handler, `{"event":"dispute.opened","operation_id":"op_3","data":{}}`)
	// Output:
	// paid out 25000 XOF for PO-1
	// a refund: refund.failed
	// something else: dispute.opened
}

func ExampleMemoryInbox() {
	ctx := context.Background()
	inbox := &intram.MemoryInbox{Capacity: 10_000}

	claim, err := inbox.Claim(ctx, "an event's key", time.Minute)
	fmt.Println(claim.State, err)
	other, err := inbox.Claim(ctx, "an event's key", time.Minute)
	fmt.Println(other.State, other.RetryIn > 0, err)

	fmt.Println(inbox.Complete(ctx, claim))
	other, err = inbox.Claim(ctx, "an event's key", time.Minute)
	fmt.Println(other.State, err)
	fmt.Println(errors.Is(inbox.Release(ctx, claim), intram.ErrLeaseLost)) // what is done stays done
	// Output:
	// held <nil>
	// busy true <nil>
	// <nil>
	// done <nil>
	// true
}

func ExampleEventOrder_Apply() {
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	// Paid, and only then the news that the payment page was created.
	arrived := []*intram.Event{
		{Type: intram.EventPaymentRequestPaid, OperationID: "op_4d2a", OccurredAt: at.Add(20 * time.Second)},
		{Type: intram.EventPaymentRequestCreated, OperationID: "op_4d2a", OccurredAt: at},
	}
	var order struct{ Payment intram.EventOrder } // kept in your database, with the order
	for _, event := range arrived {
		next, moved := order.Payment.Apply(event)
		if moved {
			order.Payment = next
		}
		fmt.Println(event.Type, moved)
	}
	fmt.Println("the order is", order.Payment.Event)
	// Output:
	// payment_request.paid true
	// payment_request.created false
	// the order is payment_request.paid
}

func ExampleReconciler_Run() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	handle := func(_ context.Context, event *intram.Event) error {
		fmt.Println("took effect:", event.Type)
		return nil
	}
	inbox := &intram.MemoryInbox{Clock: server.Clock()} // the webhook handler's

	// There is no subscription, or the receiver was down for a day: no event of this
	// payout arrives.
	_, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(25000), Currency: intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	reconciler, err := intram.NewReconciler(client, inbox, handle)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // every hour, in a program
		result, err := reconciler.Run(ctx, server.Now().Add(-48*time.Hour))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d missing, %d known\n", result.Missing, result.Known)
	}
	// Output:
	// took effect: payout.completed
	// 1 missing, 0 known
	// 0 missing, 1 known
}

func ExampleNewWebhookVerifierFunc_unavailable() {
	up := false
	verifier, err := intram.NewWebhookVerifierFunc(func(context.Context) ([]intram.WebhookSecret, error) {
		if !up {
			return nil, errors.New("the vault is sealed")
		}
		return []intram.WebhookSecret{{Secret: exampleSecret, Scope: "acme/live"}}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := intram.NewWebhookHandler(verifier.WithClock(&vaultClock{now: time.Now()}), new(intram.MemoryInbox), func(_ context.Context, event *intram.Event) error {
		fmt.Println("took effect:", event.Type, event.OperationID, "of", event.Scope)
		return nil
	})
	body := `{"event":"payout.completed","operation_id":"op_2f4a","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-2026-0001","amount":25000}}`
	fmt.Println(deliver(handler, body)) // Intram will send it again
	up = true
	fmt.Println(deliver(handler, body))
	// Output:
	// 503
	// took effect: payout.completed op_2f4a of acme/live
	// 200
}

// vaultClock goes on by a second each time it is read, so that the example need not wait
// until the store may be asked again.
type vaultClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *vaultClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func (c *vaultClock) Sleep(context.Context, time.Duration) error { return nil }
