package intram_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
)

const (
	payoutDone   = `{"event":"payout.completed","operation_id":"op_2f4a","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-2026-0001","amount":25000,"currency":"XOF"}}`
	payoutFailed = `{"event":"payout.failed","operation_id":"op_2f4a","occurred_at":"2026-05-20T10:32:00.000Z","data":{"reference":"PO-2026-0001","amount":25000,"currency":"XOF"}}`
)

func ExampleNewWebhookVerifier() {
	_, err := intram.NewWebhookVerifier("whsec_a1b2c3d4e5f6a7b8", "whsec_b4c3a2d1e0f9a8b7") // the new secret and the old one, while you rotate
	fmt.Println(err)

	_, err = intram.NewWebhookVerifier(`"whsec_a1b2c3d4e5f6a7b8"`) // copied with its quotes
	fmt.Println(err)
	// Output:
	// <nil>
	// intram: webhook secret 1 has quotes around it: leave them out
}

func ExampleNewWebhookVerifierFunc() {
	verifier, err := intram.NewWebhookVerifierFunc(func(context.Context) ([]intram.WebhookSecret, error) { // your secret store
		return []intram.WebhookSecret{{Secret: exampleSecret, Scope: "kandi/live"}}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := verifier.Verify(intram.SignWebhook(exampleSecret, time.Now(), []byte(payoutDone)), []byte(payoutDone))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Scope, event.Type)
	// Output: kandi/live payout.completed
}

func ExampleWebhookVerifier_Authenticate() {
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(payoutDone)
	header := intram.SignWebhook(exampleSecret, time.Now(), body)
	fmt.Println(verifier.Authenticate(header, body)) // hand the bytes on as they are

	body[len(body)-1] = ' '
	fmt.Println(errors.Is(verifier.Authenticate(header, body), intram.ErrInvalidSignature))
	// Output:
	// <nil>
	// true
}

func ExampleWebhookVerifier_WithClock() {
	server, _ := fake()
	defer server.Close()
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	header := intram.SignWebhook(exampleSecret, server.Clock().Now(), []byte(payoutDone))
	verifier = verifier.WithClock(server.Clock()) // in a test: the fake's time
	fmt.Println(verifier.Authenticate(header, []byte(payoutDone)))

	server.Advance(6 * time.Minute)
	fmt.Println(errors.Is(verifier.Authenticate(header, []byte(payoutDone)), intram.ErrStaleTimestamp))
	// Output:
	// <nil>
	// true
}

func ExampleWebhookVerifier_WithInboxScope() {
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier = verifier.WithInboxScope("kandi/live")
	event, err := verifier.Verify(intram.SignWebhook(exampleSecret, time.Now(), []byte(payoutDone)), []byte(payoutDone))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Scope, event.Type)
	// Output: kandi/live payout.completed
}

func ExampleJoinVerifiers() {
	secrets := map[string]string{"kandi/live": "whsec_a1b2c3d4e5f6a7b8", "parakou/live": exampleSecret}
	var verifiers []*intram.WebhookVerifier
	for scope, secret := range secrets {
		verifier, err := intram.NewWebhookVerifier(secret)
		if err != nil {
			fmt.Println(err)
			return
		}
		verifiers = append(verifiers, verifier.WithInboxScope(scope))
	}
	all, err := intram.JoinVerifiers(verifiers...) // for one URL
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := all.Verify(intram.SignWebhook(exampleSecret, time.Now(), []byte(payoutDone)), []byte(payoutDone))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Scope) // the secret that fits says whose event it is
	// Output: parakou/live
}

func ExampleOnData() {
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(_ context.Context, e *intram.Event, payout *intram.PayoutEventData) error {
		fmt.Println(e.Type, payout.Reference, payout.Amount)
		return nil
	})
	handler := exampleHandler(router.Handle)
	fmt.Println(deliver(handler, payoutDone))
	// Output:
	// payout.completed PO-2026-0001 25000
	// 200
}

func ExampleEventRouter_On() {
	router := new(intram.EventRouter).
		On(intram.EventPayoutFailed, func(_ context.Context, e *intram.Event) error { fmt.Println("failed:", e.OperationID); return nil }).
		On("payout.*", func(_ context.Context, e *intram.Event) error { fmt.Println("of the family:", e.Type); return nil })
	handler := exampleHandler(router.Handle)
	fmt.Println(deliver(handler, payoutDone))
	fmt.Println(deliver(handler, payoutFailed))
	// Output:
	// of the family: payout.completed
	// 200
	// failed: op_2f4a
	// 200
}

func ExampleEventRouter_Default() {
	router := new(intram.EventRouter).Default(func(_ context.Context, e *intram.Event) error {
		fmt.Println("for a person to look at:", e.Type)
		return nil
	})
	fmt.Println(deliver(exampleHandler(router.Handle), `{"event":"dispute.opened","operation_id":"op_3","data":{}}`))
	// Output:
	// for a person to look at: dispute.opened
	// 200
}

func ExampleEventRouter_Err() {
	router := new(intram.EventRouter)
	router.On("payout", func(context.Context, *intram.Event) error { return nil }) // no event type, and no family
	fmt.Println(router.Err())                                                      // ask when the program starts
	// Output: intram: EventRouter: On: "payout" is no event type, no family such as payout.* and not *
}

func ExampleEventRouter_Handle() {
	router := new(intram.EventRouter)
	router.On(intram.EventPayoutCompleted, func(_ context.Context, e *intram.Event) error { fmt.Println("paid:", e.OperationID); return nil })
	// A worker that takes events from a queue of yours calls it too.
	err := router.Handle(context.Background(), &intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_2f4a"})
	fmt.Println(err)
	// Output:
	// paid: op_2f4a
	// <nil>
}

func ExampleEvent_InboxKey() {
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys := make(map[string]bool) // or a unique column of a table
	for _, body := range []string{payoutDone, payoutDone, payoutFailed} {
		event, err := verifier.Verify(intram.SignWebhook(exampleSecret, time.Now(), []byte(body)), []byte(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		keys[event.InboxKey()] = true
	}
	fmt.Println(len(keys))
	// Output: 2
}

func ExampleWithInboxScope() {
	receive := func(_ context.Context, e *intram.Event) error { fmt.Println(e.Scope, e.Type); return nil }
	inbox := new(intram.MemoryInbox) // shared by the merchants
	kandi := exampleHandlerOf(inbox, receive, intram.WithInboxScope("kandi/live"))
	parakou := exampleHandlerOf(inbox, receive, intram.WithInboxScope("parakou/live"))
	deliver(kandi, payoutDone)
	deliver(parakou, payoutDone) // another merchant's event, whatever it says
	deliver(kandi, payoutDone)
	// Output:
	// kandi/live payout.completed
	// parakou/live payout.completed
}

func ExampleWithScopedKeysOnly() {
	handle := func(_ context.Context, e *intram.Event) error { fmt.Println(e.Type); return nil }
	// For a merchant that had its scope from the start: the keys of before are not looked
	// up.
	handler := exampleHandlerOf(new(intram.MemoryInbox), handle, intram.WithInboxScope("kandi/live"), intram.WithScopedKeysOnly())
	fmt.Println(deliver(handler, payoutDone))
	// Output:
	// payout.completed
	// 200
}

func ExampleWithHandlerTimeout() {
	handler := exampleHandler(func(ctx context.Context, _ *intram.Event) error {
		_, bounded := ctx.Deadline()
		fmt.Println("bounded:", bounded)
		return nil
	}, intram.WithHandlerTimeout(5*time.Second)) // 10 s unless set, 11 s at most: Intram waits for 15
	fmt.Println(deliver(handler, payoutDone))
	// Output:
	// bounded: true
	// 200
}

func ExampleWithClaimLease() {
	// A function that may go on after its deadline keeps its event for as long, and no
	// other replica takes it.
	handler := exampleHandler(func(context.Context, *intram.Event) error { return nil }, intram.WithClaimLease(2*time.Minute))
	fmt.Println(deliver(handler, payoutDone))
	// Output: 200
}

func ExampleWithHandlerLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" { // which differ from run to run
			return slog.Attr{}
		}
		return a
	}}))
	handler := exampleHandler(func(context.Context, *intram.Event) error { return nil }, intram.WithHandlerLogger(logger))
	fmt.Println(deliver(handler, payoutDone)) // a line for each delivery, without its body
	// Output:
	// level=INFO msg="webhook event took effect" event=payout.completed operation_id=op_2f4a delivery_id=whd_test attempt=1 inbox_key=caf0ec3ba24644fb7c1e03111ae7a7c74ed1b1792d6799db6095f096cf0e033b
	// 200
}

func ExampleWithConflictHook() {
	handler := exampleHandler(func(context.Context, *intram.Event) error { return nil },
		intram.WithConflictHook(func(_ context.Context, e *intram.Event) { fmt.Println("says something else:", e.OperationID) }))
	deliver(handler, payoutDone)
	deliver(handler, strings.ReplaceAll(strings.ReplaceAll(payoutDone, "25000", "26000"), "10:31", "10:45"))
	// Output: says something else: op_2f4a
}

func ExampleNewReconciler() {
	server, client := fake()
	defer server.Close()
	receive := func(context.Context, *intram.Event) error { return nil }
	_, err := intram.NewReconciler(client, &intram.MemoryInbox{Clock: server.Clock()}, receive) // those of the webhook handler
	fmt.Println(err)

	_, err = intram.NewReconciler(client, nil, receive)
	fmt.Println(err)
	// Output:
	// <nil>
	// intram: reconciler: the inbox is nil
}

func ExampleWithFailureHook() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.Payouts.Create(ctx, examplePayout(25000)); err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)
	reconciler, err := intram.NewReconciler(client, &intram.MemoryInbox{Clock: server.Clock()},
		func(context.Context, *intram.Event) error { return errors.New("the database is down") },
		intram.WithFailureHook(func(f intram.ReconciliationFailure) { fmt.Println("still missing:", f.Event.Type) })) // alert on it
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := reconciler.Run(ctx, server.Clock().Now().Add(-48*time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(result.Failures))
	// Output:
	// still missing: payout.completed
	// 1
}

func ExampleWithReconcileHorizon() {
	server, client := fake()
	defer server.Close()
	// A payment link that may be paid within a quarter of a year is kept in view for as
	// long.
	_, err := intram.NewReconciler(client, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil },
		intram.WithReconcileHorizon(90*24*time.Hour))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClaimFromContext() {
	handler := exampleHandler(func(ctx context.Context, _ *intram.Event) error {
		claim, ok := intram.ClaimFromContext(ctx) // for a store that completes it with the function's own writes
		fmt.Println(claim.State, ok)
		return nil
	})
	deliver(handler, payoutDone)
	// Output: held true
}

func ExampleCheckClaim() {
	fmt.Println(intram.CheckClaim("a key", time.Minute)) // the first line of Inbox.Claim of your own store
	fmt.Println(errors.Is(intram.CheckClaim("", time.Minute), intram.ErrInvalidClaim))
	// Output:
	// <nil>
	// true
}

// exampleHandler is a handler with an inbox in memory.
func exampleHandler(handle intram.EventHandler, opts ...intram.HandlerOption) http.Handler {
	return exampleHandlerOf(new(intram.MemoryInbox), handle, opts...)
}

func exampleHandlerOf(inbox intram.Inbox, handle intram.EventHandler, opts ...intram.HandlerOption) http.Handler {
	verifier, err := intram.NewWebhookVerifier(exampleSecret)
	if err != nil {
		panic(err)
	}
	return intram.NewWebhookHandler(verifier, inbox, handle, opts...)
}
