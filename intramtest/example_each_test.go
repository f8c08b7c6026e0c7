package intramtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// startWith starts a server with options for an example, at a fixed time.
func startWith(opts ...intramtest.Option) (*intramtest.Server, *intram.Client) {
	server, err := intramtest.Start(append([]intramtest.Option{
		intramtest.WithoutListener(), intramtest.WithSeed(1),
		intramtest.WithFrozenClock(time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return server, server.Client()
}

// exampleSession asks for a payin session, and returns its reference.
func exampleSession(client *intram.Client) string {
	s, err := client.Payin.CreateSession(context.Background(), intram.PayinSessionParams{
		Reference: "order-4521", Amount: intram.NewAmount(5000), Country: "CI", MSISDN: "+2250702968786", CustomerName: "Ada Lovelace",
		SuccessURL: "https://shop.example.com/ok", FailureURL: "https://shop.example.com/no",
	})
	if err != nil {
		panic(err)
	}
	return s.Reference
}

// mustPayOut is payOut for what cannot fail.
func mustPayOut(client *intram.Client, msisdn string) string {
	op, err := payOut(client, msisdn)
	if err != nil {
		panic(err)
	}
	return op.ID
}

// acknowledge is a webhook receiver that takes everything.
var acknowledge = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

func ExampleWithAddress() {
	server, err := intramtest.Start(intramtest.WithAddress("127.0.0.1:0")) // a socket, for programs in other languages
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	fmt.Println(server.URL != "")
	// Output: true
}

func ExampleWithoutListener() {
	server, client := startWith() // which gives this option: calls stay in the process, for testing/synctest
	defer server.Close()
	_, err := client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithFrozenClock() {
	server, _ := startWith(intramtest.WithFrozenClock(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)))
	defer server.Close()
	server.Advance(time.Hour) // it moves only so
	fmt.Println(server.Now().Format(time.RFC3339))
	// Output: 2026-05-01T01:00:00Z
}

func ExampleWithRunningClock() {
	server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithRunningClock()) // for intram serve and the like
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	before := server.Now()
	fmt.Println(!server.Now().Before(before))
	// Output: true
}

func ExampleWithSeed() {
	one, _ := startWith(intramtest.WithSeed(7))
	defer one.Close()
	another, _ := startWith(intramtest.WithSeed(7))
	defer another.Close()
	fmt.Println(one.PublicKey == another.PublicKey)
	// Output: true
}

func ExampleServer_Seed() {
	server, _ := startWith(intramtest.WithSeed(7))
	defer server.Close()
	fmt.Println(server.Seed()) // of a test that failed: give it to WithSeed
	// Output: 7
}

func ExampleWithBalance() {
	server, client := startWith(intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 500))
	defer server.Close()
	_, err := client.Payouts.Wait(context.Background(), mustPayOut(client, "2290161000000"))
	fmt.Println(errors.Is(err, intram.CodeInsufficientBalance))
	// Output: true
}

func ExampleWithoutWallets() {
	server, client := startWith(intramtest.WithoutWallets(intram.Sandbox))
	defer server.Close()
	balance, err := client.Balance.Get(context.Background())
	fmt.Println(len(balance.PaymentMethods), err)
	// Output: 0 <nil>
}

func ExampleWithFeeBasisPoints() {
	server, client := startWith(intramtest.WithFeeBasisPoints(100)) // 1 %
	defer server.Close()
	reference, err := requestPayment(client)
	if err == nil {
		err = server.Pay(reference)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Get(context.Background(), reference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Amount, payment.Fees, payment.NetAmount)
	// Output: 12000 120 11880
}

func ExampleWithPayoutFeeBasisPoints() {
	server, client := startWith(intramtest.WithPayoutFeeBasisPoints(100)) // 1 %, on top
	defer server.Close()
	if _, err := client.Payouts.Wait(context.Background(), mustPayOut(client, "2290161000000")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output: 974750
}

func ExampleWithPaymentExpiry() {
	server, client := startWith(intramtest.WithPaymentExpiry(time.Minute))
	defer server.Close()
	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(2 * time.Minute) // the customer never came
	payment, err := client.Transactions.Get(context.Background(), reference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status)
	// Output: ERROR
}

func ExampleWithInvoiceLimits() {
	server, client := startWith(intramtest.WithInvoiceLimits(20_000, 50_000))
	defer server.Close()
	_, err := requestPayment(client) // of 12 000
	fmt.Println(errors.Is(err, intram.CodeAmountTooSmall))
	// Output: true
}

func ExampleWithIPAllowlist() {
	server, _ := startWith(intramtest.WithIPAllowlist("203.0.113.0/28"), intramtest.WithPeerAddress("198.51.100.7"))
	defer server.Close()
	_, err := server.LiveClient().Balance.Get(context.Background())
	refused, _ := errors.AsType[*intram.Error](err)
	fmt.Println(refused.Code, refused.ClientIP)
	// Output: ip_not_allowed 198.51.100.7
}

func ExampleWithPeerAddress() {
	server, _ := startWith(intramtest.WithIPAllowlist("203.0.113.7"), intramtest.WithPeerAddress("203.0.113.7")) // where calls come from
	defer server.Close()
	_, err := server.LiveClient().Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithTrustedProxies() {
	server, err := intramtest.Start(intramtest.WithTrustedProxies("10.0.0.0/8")) // whose X-Real-IP counts
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Close()
	_, err = intramtest.Start(intramtest.WithTrustedProxies("somewhere"))
	fmt.Println(err != nil)
	// Output: true
}

func ExampleWithStrictWebhookURLs() {
	server, client := startWith(intramtest.WithStrictWebhookURLs()) // https only, loopback too
	defer server.Close()
	_, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: "http://127.0.0.1:8080/hook", Event: intram.EventAll})
	fmt.Println(errors.Is(err, intram.CodeValidationError))
	// Output: true
}

func ExampleWithDeliveryAttempts() {
	server, client := startWith(intramtest.WithDeliveryAttempts(5)) // as one page of the documentation has it; 6 unless set
	defer server.Close()
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(refuse), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	server.Advance(24 * time.Hour)
	delivery := server.Deliveries()[0]
	fmt.Println(len(delivery.Attempts), delivery.Status)
	// Output: 5 exhausted
}

func ExampleWithJournalSize() {
	server, client := startWith(intramtest.WithJournalSize(2)) // the last two requests
	defer server.Close()
	for range 3 {
		if _, err := client.Balance.Get(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(len(server.Requests()))
	// Output: 2
}

func ExampleWithMerchantName() {
	server, client := startWith(intramtest.WithMerchantName("Chez Kandi")) // as the checkout page shows it
	defer server.Close()
	reference, err := requestPayment(client)
	fmt.Println(reference != "", err)
	// Output: true <nil>
}

func ExampleWithWorker() {
	server, client := startWith(intramtest.WithWorker(intramtest.ByHand()))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	op, err := client.Payouts.Get(context.Background(), id)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(op.Status) // until Process, Complete or Fail
	// Output: queued
}

func ExampleByHand() {
	server, client := startWith(intramtest.WithWorker(intramtest.ByHand()))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	if err := server.Complete(id); err != nil {
		fmt.Println(err)
		return
	}
	op, err := client.Payouts.Get(context.Background(), id)
	fmt.Println(op.Status, err)
	// Output: succeeded <nil>
}

func ExampleAtOnce() {
	server, client := startWith(intramtest.WithWorker(intramtest.AtOnce()))
	defer server.Close()
	op, err := client.Payouts.Get(context.Background(), mustPayOut(client, "2290161000000"))
	fmt.Println(op.Status, err) // the first lookup sees the end
	// Output: succeeded <nil>
}

func ExampleAfter() {
	server, client := startWith(intramtest.WithWorker(intramtest.After(5 * time.Second)))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	for range 2 {
		op, err := client.Payouts.Get(context.Background(), id)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(op.Status)
		server.Advance(time.Minute)
	}
	// Output:
	// queued
	// succeeded
}

func ExampleAfterPolls() {
	server, client := startWith(intramtest.WithWorker(intramtest.AfterPolls(3)))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	for range 3 {
		op, err := client.Payouts.Get(context.Background(), id)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(op.Status)
	}
	// Output:
	// queued
	// processing
	// succeeded
}

func ExampleServer_SetWorker() {
	server, client := start()
	defer server.Close()
	if err := server.SetWorker(intramtest.ByHand()); err != nil { // from now on
		fmt.Println(err)
		return
	}
	op, err := client.Payouts.Get(context.Background(), mustPayOut(client, "2290161000000"))
	fmt.Println(op.Status, err)
	// Output: queued <nil>
}

func ExampleServer_Process() {
	server, client := startWith(intramtest.WithWorker(intramtest.ByHand()))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	if err := server.Process(id); err != nil { // debited, and it stays there
		fmt.Println(err)
		return
	}
	fmt.Println(server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output: 975000
}

func ExampleServer_Complete() {
	server, client := start()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(500_000), Destination: intram.BankAccount{AccountNumber: "BJ0610100100144390000769"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	queued, err := client.Payouts.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Complete(op.ID); err != nil { // the bank has paid
		fmt.Println(err)
		return
	}
	settled, err := client.Payouts.Wait(ctx, op.ID)
	fmt.Println(queued.Paid(), settled.Paid(), err)
	// Output: false true <nil>
}

func ExampleServer_Fail() {
	server, client := startWith(intramtest.WithWorker(intramtest.ByHand()))
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	if err := server.Fail(id, intram.CodeProviderUnavailable); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.Payouts.Wait(context.Background(), id)
	fmt.Println(errors.Is(err, intram.CodeProviderUnavailable), intram.OutcomeOf(err))
	// Output: true unknown
}

func ExampleServer_FailPayment() {
	server, client := start()
	defer server.Close()
	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.FailPayment(reference, intram.CodeProviderUnavailable); err != nil {
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Get(context.Background(), reference)
	fmt.Println(payment.Status, err)
	// Output: ERROR <nil>
}

func ExampleServer_PayWith() {
	server, client := start()
	defer server.Close()
	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.PayWith(reference, intram.MoovBenin, "2290194000000"); err != nil { // the customer chose another operator
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Get(context.Background(), reference)
	fmt.Println(payment.PaymentMethod.Name, payment.Status, err)
	// Output: Moov Bénin SUCCESS <nil>
}

func ExampleServer_SettlePayment() {
	server, client := start()
	defer server.Close()
	ctx := context.Background()
	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.PayWith(reference, intram.MTNBenin, "2290161000008"); err != nil { // confirmed after 30 s
		fmt.Println(err)
		return
	}
	if err := server.SettlePayment(reference); err != nil { // now
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Get(ctx, reference)
	fmt.Println(payment.Status, err)
	// Output: SUCCESS <nil>
}

func ExampleServer_SetProviderDown() {
	server, client := start()
	defer server.Close()
	if err := server.SetProviderDown(intram.MTNBenin, true); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.Payouts.Wait(context.Background(), mustPayOut(client, "2290161000000"))
	fmt.Println(errors.Is(err, intram.CodeProviderUnavailable))
	// Output: true
}

func ExampleServer_SetMerchantActive() {
	server, _ := startWith(intramtest.WithIPAllowlist("203.0.113.7"), intramtest.WithPeerAddress("203.0.113.7"))
	defer server.Close()
	if err := server.SetMerchantActive(server.PublicKey, false); err != nil {
		fmt.Println(err)
		return
	}
	_, err := server.LiveClient().Balance.Get(context.Background())
	fmt.Println(errors.Is(err, intram.CodeMerchantInactive)) // live only
	// Output: true
}

func ExampleServer_SetIPAllowlist() {
	server, _ := startWith(intramtest.WithPeerAddress("203.0.113.7"))
	defer server.Close()
	if err := server.SetIPAllowlist(server.LivePublicKey, "203.0.113.7"); err != nil {
		fmt.Println(err)
		return
	}
	_, err := server.LiveClient().Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_AddMerchant() {
	server, client := start()
	defer server.Close()
	other, err := server.AddMerchant("Chez Parakou")
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs, err := other.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = theirs.Operations.Get(context.Background(), mustPayOut(client, "2290161000000"))
	fmt.Println(errors.Is(err, intram.CodeOperationNotFound)) // merchants do not see each other
	// Output: true
}

func ExampleMerchant_NewClient() {
	server, _ := start()
	defer server.Close()
	other, err := server.AddMerchant("Chez Parakou")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := other.NewClient(intram.WithMaxAttempts(1))
	fmt.Println(client.Environment(), err)
	// Output: sandbox <nil>
}

func ExampleMerchant_NewLiveClient() {
	server, _ := start()
	defer server.Close()
	other, err := server.AddMerchant("Chez Parakou")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := other.NewLiveClient()
	fmt.Println(client.Environment(), err)
	// Output: live <nil>
}

func ExampleServer_Client() {
	server, _ := start()
	defer server.Close()
	client := server.Client(intram.WithMaxAttempts(1)) // with the sandbox keys and the server's clock
	_, err := client.Balance.Get(context.Background())
	fmt.Println(client.Environment(), err)
	// Output: sandbox <nil>
}

func ExampleServer_NewClient() {
	server, _ := start()
	defer server.Close()
	_, err := server.NewClient(intram.WithTimeout(-1)) // as Client, with the error of an option
	fmt.Println(err != nil)
	// Output: true
}

func ExampleServer_LiveClient() {
	server, _ := startWith(intramtest.WithIPAllowlist("203.0.113.7"), intramtest.WithPeerAddress("203.0.113.7"))
	defer server.Close()
	fmt.Println(server.LiveClient().Environment())
	// Output: live
}

func ExampleServer_PayinClient() {
	server, _ := start()
	defer server.Close()
	payin, err := server.PayinClient() // for a merchant who takes payin sessions alone
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = payin.Get(context.Background(), "order-4521")
	fmt.Println(errors.Is(err, intram.CodeTransactionDoesNotExist))
	// Output: true
}

func ExampleServer_Transport() {
	server, _ := start()
	defer server.Close()
	client, err := intram.NewClient(server.PublicKey, server.SecretKey,
		intram.WithClock(server.Clock()), intram.WithHTTPClient(&http.Client{Transport: server.Transport()}))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_HTTPClient() {
	server, _ := start()
	defer server.Close()
	client, err := intram.NewClient(server.PublicKey, server.SecretKey, intram.WithClock(server.Clock()), intram.WithHTTPClient(server.HTTPClient()))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_Clock() {
	server, _ := start()
	defer server.Close()
	server.Advance(time.Hour)
	fmt.Println(server.Clock().Now().Format(time.RFC3339)) // for your inbox, your verifier, your client
	// Output: 2026-05-20T11:30:00Z
}

func ExampleServer_Now() {
	server, _ := start()
	defer server.Close()
	fmt.Println(server.Now().Format(time.RFC3339))
	// Output: 2026-05-20T10:30:00Z
}

func ExampleServer_Close() {
	server, client := start()
	defer server.Close() // NewServer does it when the test ends
	_, err := client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_Receive() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge) + "/hook", Event: "payout.*"}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	fmt.Println(server.Deliveries()[0].Event, server.Deliveries()[0].Status)
	// Output: payout.completed delivered
}

func ExampleServer_Deliveries() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	for _, delivery := range server.Deliveries() {
		fmt.Println(delivery.Event, len(delivery.Attempts))
	}
	// Output: payout.completed 1
}

func ExampleServer_Events() {
	server, client := start()
	defer server.Close()
	mustPayOut(client, "2290161000003") // declined
	server.Advance(time.Minute)
	for _, event := range server.Events() { // whether or not a subscription matched
		fmt.Println(event.Type, len(event.Deliveries))
	}
	// Output: payout.failed 0
}

func ExampleServer_Resend() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	if err := server.Resend(server.Deliveries()[0].ID); err != nil { // a second time: your handler must not mind
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)
	fmt.Println(len(server.Deliveries()[0].Attempts))
	// Output: 2
}

func ExampleServer_Idle() {
	server, client := start()
	defer server.Close()
	mustPayOut(client, "2290161000000")
	fmt.Println(server.Idle(context.Background())) // no delivery is under way
	// Output: <nil>
}

func ExampleServer_Trigger() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	id := mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	if err := server.Trigger(intram.EventPayoutFailed, id); err != nil { // as a bank's return would be told
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)
	deliveries := server.Deliveries()
	fmt.Println(deliveries[len(deliveries)-1].Event)
	// Output: payout.failed
}

func ExampleServer_TriggerRaw() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	if err := server.TriggerRaw("dispute.opened", "op_1", []byte(`{"amount":12000}`)); err != nil { // an event of tomorrow
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)
	fmt.Println(server.Deliveries()[0].Event)
	// Output: dispute.opened
}

func ExampleServer_RotateWebhookSecret() {
	server, client := start()
	defer server.Close()
	subscription, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret, err := server.RotateWebhookSecret(subscription.ID)
	fmt.Println(secret != subscription.Secret, err)
	// Output: true <nil>
}

func ExampleServer_PreviousWebhookSecret() {
	server, client := start()
	defer server.Close()
	subscription, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := server.RotateWebhookSecret(subscription.ID); err != nil {
		fmt.Println(err)
		return
	}
	previous, err := server.PreviousWebhookSecret(subscription.ID)
	fmt.Println(previous == subscription.Secret, err)
	// Output: true <nil>
}

func ExampleServer_AwaitOperation() {
	server, client := start()
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	state, err := server.AwaitOperation(context.Background(), id)
	fmt.Println(state.Status, err)
	// Output: succeeded <nil>
}

func ExampleServer_AwaitTransaction() {
	server, client := start()
	defer server.Close()
	reference, err := requestPayment(client)
	if err == nil {
		err = server.Pay(reference)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	state, err := server.AwaitTransaction(context.Background(), reference)
	fmt.Println(state.Status, state.Amount, state.Fees, err)
	// Output: SUCCESS 12000 240 <nil>
}

func ExampleServer_AwaitEvent() {
	server, client := start()
	defer server.Close()
	id := mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	event, err := server.AwaitEvent(context.Background(), intram.EventPayoutCompleted, id)
	fmt.Println(event.Type, err)
	// Output: payout.completed <nil>
}

func ExampleServer_AwaitDelivery() {
	server, client := start()
	defer server.Close()
	if _, err := client.Webhooks.Create(context.Background(), intram.WebhookParams{URL: server.Receive(acknowledge), Event: intram.EventAll}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	delivery, err := server.AwaitDelivery(context.Background(), server.Deliveries()[0].ID)
	fmt.Println(delivery.Status, err)
	// Output: delivered <nil>
}

func ExampleServer_AwaitPayin() {
	server, client := start()
	defer server.Close()
	reference := exampleSession(client)
	if err := server.ConfirmPayin(reference); err != nil {
		fmt.Println(err)
		return
	}
	state, err := server.AwaitPayin(context.Background(), reference)
	fmt.Println(state.Confirmation, state.Transaction, err)
	// Output: accepted completed <nil>
}

func ExampleServer_DeclinePayin() {
	server, client := start()
	defer server.Close()
	reference := exampleSession(client)
	if err := server.DeclinePayin(reference); err != nil { // the customer, on the page
		fmt.Println(err)
		return
	}
	ended, err := client.Payin.Get(context.Background(), reference)
	fmt.Println(ended.Outcome(), err)
	// Output: declined <nil>
}

func ExampleServer_ExpirePayin() {
	server, client := start()
	defer server.Close()
	reference := exampleSession(client)
	if err := server.ExpirePayin(reference); err != nil { // no confirmation came in time
		fmt.Println(err)
		return
	}
	ended, err := client.Payin.Get(context.Background(), reference)
	fmt.Println(ended.Outcome(), err)
	// Output: expired <nil>
}

func ExampleServer_FailPayin() {
	server, client := start()
	defer server.Close()
	reference := exampleSession(client)
	if err := server.FailPayin(reference, intram.CodeClientNotEnoughCash); err != nil {
		fmt.Println(err)
		return
	}
	ended, err := client.Payin.Get(context.Background(), reference)
	fmt.Println(ended.Outcome(), ended.Failure.Code, err)
	// Output: failed client_not_enough_cash <nil>
}

func ExampleServer_SettlePayin() {
	server, client := start()
	defer server.Close()
	reference := exampleSession(client)
	if err := server.FailPayin(reference, intram.CodeTransactionError); err != nil {
		fmt.Println(err)
		return
	}
	if err := server.SettlePayin(reference); err != nil { // paid late, within 48 hours
		fmt.Println(err)
		return
	}
	ended, err := client.Payin.Get(context.Background(), reference)
	fmt.Println(ended.Outcome(), err)
	// Output: paid <nil>
}

func ExampleServer_PayinSession() {
	server, client := start()
	defer server.Close()
	state, err := server.PayinSession(exampleSession(client))
	fmt.Println(state.Status, state.Amount, state.Fee, err)
	// Output: processing 5000 100 <nil>
}

func ExampleServer_SetPayinWebhook() {
	server, client := start()
	defer server.Close()
	if err := server.SetPayinWebhook(server.Receive(acknowledge), "a-secret-of-the-portal"); err != nil {
		fmt.Println(err)
		return
	}
	if err := server.ConfirmPayin(exampleSession(client)); err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)
	fmt.Println(server.Deliveries()[0].Event)
	// Output: payin.confirmed
}

func ExampleSignPayinNotification() {
	body := []byte(`{"id":"pr_1","reference":"order-4521","type":"payin.confirmed"}`)
	header := intramtest.SignPayinNotification("a-secret-of-the-portal", body)
	fmt.Println(len(header.Get("X-Signature-Value")))
	// Output: 64
}

func ExampleWithPayinCredentials() {
	server, err := intramtest.Start(intramtest.WithoutListener(),
		intramtest.WithPayinCredentials(intram.Sandbox, intramtest.PayinCredentials{APIKey: "my-key", APIClient: "my-client"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithPayinExpiry() {
	server, client := startWith(intramtest.WithPayinExpiry(time.Minute))
	defer server.Close()
	reference := exampleSession(client)
	server.Advance(2 * time.Minute)
	ended, err := client.Payin.Get(context.Background(), reference)
	fmt.Println(ended.Outcome(), err)
	// Output: expired <nil>
}

func ExampleWithFirstPayinRevision() {
	server, _ := startWith(intramtest.WithFirstPayinRevision()) // which requires an account
	defer server.Close()
	_, err := server.Client().Payin.CreateSession(context.Background(), intram.PayinSessionParams{
		Reference: "order-4521", Amount: intram.NewAmount(5000), Country: "CI", MSISDN: "+2250702968786", CustomerName: "Ada Lovelace",
	})
	fmt.Println(errors.Is(err, intram.CodeValidationError))
	// Output: true
}

func ExampleLedger_Balance() {
	server, client := start()
	defer server.Close()
	if _, err := client.Payouts.Wait(context.Background(), mustPayOut(client, "2290161000000")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output: 975000
}

func ExampleLedger_Accounts() {
	server, _ := start()
	defer server.Close()
	fmt.Println(slices.Contains(server.Ledger().Accounts(), server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output: true
}

func ExampleLedger_For() {
	server, client := start()
	defer server.Close()
	id := mustPayOut(client, "2290161000002") // no money
	server.Advance(time.Minute)
	fmt.Println(len(server.Ledger().For(id)))
	// Output: 0
}

func ExampleLedger_Sum() {
	server, client := start()
	defer server.Close()
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	fmt.Println(server.Ledger().Sum()) // every movement is double entry
	// Output: 0
}

func ExampleServer_WalletAccount() {
	server, _ := start()
	defer server.Close()
	fmt.Println(server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MoovBenin)))
	// Output: 1000000
}

func ExampleServer_PendingFaults() {
	server, client := start()
	defer server.Close()
	if err := server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}); err != nil {
		fmt.Println(err)
		return
	}
	before := len(server.PendingFaults())
	mustPayOut(client, "2290161000000") // retried with the same key: paid once
	fmt.Println(before, len(server.PendingFaults()))
	// Output: 1 0
}

func ExampleServer_Fired() {
	server, client := start()
	defer server.Close()
	if err := server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}); err != nil {
		fmt.Println(err)
		return
	}
	mustPayOut(client, "2290161000000")
	fmt.Println(server.Fired()[intramtest.DropResponse]) // a test that thinks it met a fault makes sure
	// Output: 1
}

func ExampleServer_ClearFaults() {
	server, _ := start()
	defer server.Close()
	if err := server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 5}); err != nil {
		fmt.Println(err)
		return
	}
	server.ClearFaults()
	fmt.Println(len(server.PendingFaults()))
	// Output: 0
}

func ExampleFaultKinds() {
	fmt.Println(slices.Contains(intramtest.FaultKinds(), intramtest.DropResponse))
	// Output: true
}

func ExampleServer_Snapshot() {
	server, client := start()
	defer server.Close()
	before := server.Snapshot()
	mustPayOut(client, "2290161000000")
	server.Advance(time.Minute)
	if err := server.Restore(before); err != nil { // the payout has never been
		fmt.Println(err)
		return
	}
	fmt.Println(server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output: 1000000
}

func ExampleServer_Restore() {
	server, client := start()
	defer server.Close()
	empty := server.Snapshot()
	for range 3 { // each case begins with the same books
		mustPayOut(client, "2290161000000")
		server.Advance(time.Minute)
		if err := server.Restore(empty); err != nil {
			fmt.Println(err)
			return
		}
	}
	page, err := client.Payouts.List(context.Background(), intram.OperationListParams{})
	fmt.Println(len(page.Items), err)
	// Output: 0 <nil>
}

func ExampleServer_CredentialsOf() {
	server, _ := start()
	defer server.Close()
	client, err := intram.NewClient("", "", intram.WithCredentials(server.CredentialsOf(server.PublicKey)),
		intram.WithClock(server.Clock()), intram.WithHTTPClient(server.HTTPClient()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, _, err := server.RotateKeys(server.PublicKey, 0); err != nil { // the client asks for the new ones
		fmt.Println(err)
		return
	}
	_, err = client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_RotateKeys() {
	server, client := start()
	defer server.Close()
	if _, _, err := server.RotateKeys(server.PublicKey, time.Hour); err != nil { // the old ones are good for an hour
		fmt.Println(err)
		return
	}
	_, err := client.Balance.Get(context.Background())
	fmt.Println(err)
	server.Advance(2 * time.Hour)
	_, err = client.Balance.Get(context.Background())
	fmt.Println(errors.Is(err, intram.CodeInvalidAPIKey))
	// Output:
	// <nil>
	// true
}

func ExampleServer_RotateSecretKey() {
	server, client := start()
	defer server.Close()
	if _, err := server.RotateSecretKey(server.PublicKey, 0); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.Balance.Get(context.Background())
	fmt.Println(errors.Is(err, intram.CodeSignatureInvalid))
	// Output: true
}
