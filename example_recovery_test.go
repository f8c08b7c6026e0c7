package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// salary is what a program keeps of one payout: what to pay, and the intent that pays it
// once.
type salary struct {
	Params intram.PayoutParams `json:"params"`
	Intent *intram.Intent      `json:"intent"`
}

// prepareSalaries makes the intents and saves all of them before anything is sent. It
// returns what a database or a file keeps.
func prepareSalaries(client *intram.Client, references ...string) ([]byte, error) {
	var salaries []salary
	for i, reference := range references {
		params := intram.PayoutParams{
			Amount: intram.NewAmount(150_000 + 10_000*int64(i)), Reference: reference,
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"},
		}
		intent, err := client.Payouts.Prepare(params)
		if err != nil {
			return nil, err
		}
		salaries = append(salaries, salary{params, intent})
	}
	return json.Marshal(salaries)
}

// sendSalaries reads what was saved, and sends each payout: in the first run, and in
// every run after a crash.
func sendSalaries(ctx context.Context, client *intram.Client, saved []byte, accepted func(*intram.Operation)) error {
	var salaries []salary
	if err := json.Unmarshal(saved, &salaries); err != nil {
		return err
	}
	for _, s := range salaries {
		op, err := client.Payouts.Resume(ctx, s.Params, s.Intent)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Params.Reference, err) // intram.ErrNeverSent, intram.ErrCannotTell: see Resume
		}
		accepted(op)
	}
	return nil
}

// A program saves three salaries, and is killed after it has sent two. It has noted no
// operation id. The next run starts from what was saved: it sends all three again with
// the same keys, and waits for all of them together. Each is paid once.
func Example_recovery() {
	server, client := fake()
	defer server.Close()

	saved, err := prepareSalaries(client, "SALARY-2026-05-001", "SALARY-2026-05-002", "SALARY-2026-05-003")
	if err != nil {
		fmt.Println(err)
		return
	}
	killed, kill := context.WithCancel(context.Background())
	sent := 0
	err = sendSalaries(killed, client, saved, func(*intram.Operation) {
		if sent++; sent == 2 {
			kill()
		}
	})
	fmt.Println("first run: sent", sent, "and stopped:", errors.Is(err, context.Canceled))

	ctx := context.Background() // the next process
	var ids []string
	if err := sendSalaries(ctx, client, saved, func(op *intram.Operation) { ids = append(ids, op.ID) }); err != nil {
		fmt.Println(err)
		return
	}
	for op, err := range client.WaitMany(ctx, ids) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(op.Reference(), op.Amount().Grouped(), op.Status)
	}

	payouts := 0
	for _, err := range client.Payouts.All(ctx, intram.OperationListParams{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		payouts++
	}
	fmt.Println("payouts:", payouts)
	// Unordered output:
	// first run: sent 2 and stopped: true
	// SALARY-2026-05-001 150 000 succeeded
	// SALARY-2026-05-002 160 000 succeeded
	// SALARY-2026-05-003 170 000 succeeded
	// payouts: 3
}

// A payout is written down before it is asked for. The program dies, and the next one
// finds the record and asks again: the same payout.
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

// A program finds an intent that is two days old. Whether the payout was made is not
// known, and the API has forgotten its key. Resume looks back.
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
