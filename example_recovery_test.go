package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// A payout is written down before it is asked for. The program dies, and the next one finds the record and asks again: the
// same payout.
func ExamplePayoutsService_Prepare() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: "PO-2026-0001",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	}

	intent, err := client.Payouts.Prepare(params)
	if err != nil {
		fmt.Println(err)
		return
	}
	saved, err := json.Marshal(intent) // into your database, before the call
	if err != nil {
		fmt.Println(err)
		return
	}
	first, err := client.Payouts.Create(ctx, params, intram.WithIntent(intent))
	if err != nil {
		fmt.Println(err)
		return
	}

	var found intram.Intent // by the next process
	if err := json.Unmarshal(saved, &found); err != nil {
		fmt.Println(err)
		return
	}
	second, err := client.Payouts.Create(ctx, params, intram.WithIntent(&found))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("one payout:", first.ID == second.ID)

	params.Amount = intram.NewAmount(30000)
	_, err = client.Payouts.Create(ctx, params, intram.WithIntent(&found))
	fmt.Println(errors.Is(err, intram.ErrIntentMismatch))
	// Output:
	// one payout: true
	// true
}

// A program finds an intent that is two days old. Whether the payout was made is not known, and the API has forgotten its
// key. Resume looks back.
func ExamplePayoutsService_Resume() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	pay := func(reference string) (intram.PayoutParams, *intram.Intent) {
		params := intram.PayoutParams{
			Amount: intram.NewAmount(25000), Reference: reference,
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
		}
		intent, err := client.Payouts.Prepare(params)
		if err != nil {
			fmt.Println(err)
		}
		return params, intent
	}
	sent, sentIntent := pay("PO-2026-0001")
	if _, err := client.Payouts.Create(ctx, sent, intram.WithIntent(sentIntent)); err != nil {
		fmt.Println(err)
		return
	}
	unsent, unsentIntent := pay("PO-2026-0002")

	server.Advance(48 * time.Hour)
	op, err := client.Payouts.Resume(ctx, sent, sentIntent)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(op.Reference(), op.Status)
	_, err = client.Payouts.Resume(ctx, unsent, unsentIntent)
	fmt.Println("a new intent is safe:", errors.Is(err, intram.ErrNeverSent))
	// Output:
	// PO-2026-0001 succeeded
	// a new intent is safe: true
}

func ExampleWebhooksService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	for _, event := range []intram.EventType{intram.EventPayoutCompleted, "refund.*"} {
		if _, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: "https://shop.example.com/intram/webhook", Event: event}); err != nil {
			fmt.Println(err)
			return
		}
	}
	subscriptions, err := client.Webhooks.List(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range subscriptions {
		fmt.Println(s.Event, s.Secret == "") // the secret is shown once, on creation
		if err := client.Webhooks.Delete(ctx, s.ID); err != nil {
			fmt.Println(err)
			return
		}
	}
	subscriptions, err = client.Webhooks.List(ctx)
	fmt.Println(len(subscriptions), err)
	// Output:
	// payout.completed true
	// refund.* true
	// 0 <nil>
}
