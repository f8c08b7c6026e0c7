package intramtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// start starts a server for an example: always at the same time, with the same ids. A
// test calls [intramtest.NewServer].
func start() (*intramtest.Server, *intram.Client) {
	server, err := intramtest.Start(
		intramtest.WithoutListener(), intramtest.WithSeed(1),
		intramtest.WithFrozenClock(time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)))
	if err != nil {
		panic(err)
	}
	return server, server.Client()
}

// payOut asks for a payout to a number.
func payOut(client *intram.Client, msisdn string, opts ...intram.CallOption) (*intram.Operation, error) {
	return client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount:      intram.NewAmount(25000),
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
	}, opts...)
}

// requestPayment asks for a payment, and returns its reference.
func requestPayment(client *intram.Client) (string, error) {
	op, err := client.PaymentRequests.Create(context.Background(), intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(12000), Currency: intram.XOF, Description: "Order 4521"},
	})
	if err != nil {
		return "", err
	}
	page, err := client.PaymentRequests.Wait(context.Background(), op.ID)
	if err != nil {
		return "", err
	}
	return page.TransactionReference, nil
}

// A test starts with one line; the server closes with it.
func ExampleNewServer() {
	testPayout := func(t *testing.T) {
		server := intramtest.NewServer(t)
		client := server.Client()
		op, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
			Amount:      intram.NewAmount(25000),
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
		})
		if err != nil {
			t.Fatal(err)
		}
		result, err := client.Payouts.Wait(t.Context(), op.ID)
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != intram.PayoutCompleted {
			t.Errorf("the payout is %s", result.Status)
		}
	}
	fmt.Println(passes(testPayout)) // as go test would run it
	// Output: true
}

func ExampleStart() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := intram.NewClient(server.PublicKey, server.SecretKey, intram.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	balance, err := client.Balance.Get(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Environment(), balance.PaymentMethods[0].Available, balance.Currency)
	// Output: sandbox 1000000 XOF
}

func ExampleServer_Pay() {
	server, client := start()
	defer server.Close()

	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Pay(reference); err != nil { // the customer pays
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Wait(context.Background(), reference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status, payment.NetAmount)
	// Output: SUCCESS 11760
}

func ExampleServer_Decline() {
	server, client := start()
	defer server.Close()

	reference, err := requestPayment(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Decline(reference); err != nil { // the customer does not
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Wait(context.Background(), reference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status)
	// Output: ERROR
}

// A number that ends in 000008 succeeds after 30 seconds. They pass at once.
func ExampleServer_Advance() {
	server, client := start()
	defer server.Close()
	ctx := context.Background()

	op, err := payOut(client, "22961000008")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range []time.Duration{20 * time.Second, 20 * time.Second} {
		server.Advance(d)
		if op, err = client.Operations.Get(ctx, op.ID); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(server.Now().Format(time.TimeOnly), op.Status)
	}
	// Output:
	// 10:30:20 processing
	// 10:30:40 succeeded
}

// The response to a payout is lost on the way. The call is made again with the same key,
// so the money moves once.
func ExampleServer_Fault() {
	server, client := start()
	defer server.Close()

	if err := server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts"}); err != nil {
		fmt.Println(err)
		return
	}
	var answer intram.Response
	op, err := payOut(client, "22961234567", intram.WithResponseInto(&answer))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Payouts.Wait(context.Background(), op.ID); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("attempts:", answer.Attempts, "replayed:", answer.Replayed)
	fmt.Println("left in the wallet:", server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output:
	// attempts: 2 replayed: true
	// left in the wallet: 975000
}

// A fifth of all calls fails, and ten payouts are made all the same, once each. Another
// seed brings other failures.
func ExampleServer_SeededFaults() {
	server, client := start()
	defer server.Close()

	if err := server.SeededFaults(7,
		intramtest.FaultRate{PerThousand: 100, Fault: intramtest.Fault{Kind: intramtest.DropResponse, Times: 2}},
		intramtest.FaultRate{PerThousand: 100, Fault: intramtest.Fault{Kind: intramtest.ServerError, Times: 2}},
	); err != nil {
		fmt.Println(err)
		return
	}
	for i := range 10 {
		op, err := payOut(client, "22961234567", intram.WithIdempotencyKey(fmt.Sprintf("payout-%04d", i)))
		if err == nil {
			_, err = client.Payouts.Wait(context.Background(), op.ID)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fired := server.Fired()
	fmt.Println("some responses were lost:", fired[intramtest.DropResponse] > 0, "and some calls failed:", fired[intramtest.ServerError] > 0)
	fmt.Println("left in the wallet:", server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
	// Output:
	// some responses were lost: true and some calls failed: true
	// left in the wallet: 750000
}

// Every posting of the ledger sums to zero: what leaves the wallet is somewhere.
func ExampleServer_Ledger() {
	server, client := start()
	defer server.Close()

	op, err := payOut(client, "22961234567")
	if err == nil {
		_, err = client.Payouts.Wait(context.Background(), op.ID)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	ledger := server.Ledger()
	var moved int64
	for _, entry := range ledger.For(op.ID) {
		if entry.Account == server.WalletAccount(intram.Sandbox, intram.MTNBenin) {
			moved += entry.Amount
		}
	}
	fmt.Println(moved, ledger.Sum())
	// Output: -25000 0
}

// A receiver in the same process needs no address. The first attempt fails, and the fake
// tries again, as Intram does.
func ExampleServer_Subscribe() {
	server, client := start()
	defer server.Close()

	failures := 1
	server.Subscribe("/intram/webhook", func(verifier *intram.WebhookVerifier) http.Handler {
		handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(_ context.Context, event *intram.Event) error {
			fmt.Println("took effect:", event.Type)
			return nil
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if failures > 0 {
				failures--
				http.Error(w, "the database is down", http.StatusInternalServerError)
				return
			}
			handler.ServeHTTP(w, r)
		})
	})
	if _, err := payOut(client, "22961234567"); err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Hour)
	for _, delivery := range server.Deliveries() {
		fmt.Println(delivery.Event, delivery.Status)
		for _, attempt := range delivery.Attempts {
			fmt.Println(attempt.Number, attempt.Status, attempt.Response)
		}
	}
	// Output:
	// took effect: payout.completed
	// payout.completed delivered
	// 1 500 the database is down
	// 2 200
}

// The journal says what a call has sent, and why it was refused.
func ExampleServer_Requests() {
	server, _ := start()
	defer server.Close()

	client, err := server.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Transactions.Get(context.Background(), "AB12CD34EF")
	fmt.Println(errors.Is(err, intram.CodeTransactionNotFound))
	for _, request := range server.Requests() {
		fmt.Println(request.Method, request.Endpoint, request.Status, request.Code)
	}
	// Output:
	// true
	// GET /transactions/:reference 404 transaction_not_found
}

// A customer confirms by hand: the session is pending until then.
func ExampleServer_ConfirmPayin() {
	server, client := start()
	defer server.Close()
	ctx := context.Background()

	for _, answer := range []struct {
		name string
		by   func(reference string) error
	}{{"order-1", server.ConfirmPayin}, {"order-2", server.DeclinePayin}, {"order-3", server.ExpirePayin}} {
		session, err := client.Payin.CreateSession(ctx, intram.PayinSessionParams{
			Reference: answer.name, Amount: intram.NewAmount(5000), Country: "CI", MSISDN: "+2250702968786", CustomerName: "Ada Lovelace",
			SuccessURL: "https://shop.example.com/ok", FailureURL: "https://shop.example.com/no",
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		before := session.Outcome()
		if err := answer.by(session.Reference); err != nil {
			fmt.Println(err)
			return
		}
		session, err = client.Payin.Wait(ctx, session.Reference)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(answer.name, before, session.Outcome())
	}
	// Output:
	// order-1 pending paid
	// order-2 pending declined
	// order-3 pending expired
}

// An inbox of your own is held to the same promises as the SDK's.
func ExampleTestInbox() {
	testMyInbox := func(t *testing.T) {
		intramtest.TestInbox(t, func(*testing.T) intramtest.InboxStore {
			clock := &inboxClock{at: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)}
			inbox := &intram.MemoryInbox{Clock: clock} // yours, on your database
			return intramtest.InboxStore{
				Open: func(*testing.T) intram.Inbox { return inbox },
				Pass: func(_ *testing.T, d time.Duration) { clock.pass(d) },
			}
		})
	}
	fmt.Println(passes(testMyInbox)) // as go test would run it
	// Output: true
}

// passes runs a test inside an example. What go test -v says of it is no output of the
// example.
func passes(test func(*testing.T)) bool {
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }() //nolint:reassign // go test -v writes there, and the example would be compared with it
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = null.Close() }()
	os.Stdout = null //nolint:reassign // likewise
	return testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "Test", F: test}})
}
