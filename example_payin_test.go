package intram_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	intram "github.com/intram/intram-go"
)

func ExampleNewPayinClient() {
	// For a merchant who takes payin sessions alone; WithPayin adds them to a client of
	// the Merchant API.
	payin, err := intram.NewPayinClient("my-api-key", "my-api-client",
		intram.WithPayinEnvironment(intram.Sandbox), intram.WithPayinLanguage("fr"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payin != nil)

	_, err = intram.NewPayinClient("my-api-key", "")
	fmt.Println(err)
	// Output:
	// true
	// intram: WithPayin: apiClient is empty
}

func ExampleWithPayin() {
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithPayin("my-api-key", "my-api-client"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Environment(), client.Payin != nil) // the keys' environment is the sessions' too
	// Output: sandbox true
}

func ExampleDerivePayinKey() {
	key, err := intram.DerivePayinKey("order-4521")
	fmt.Println(key, err)
	again, err := intram.DerivePayinKey("order-4521")
	fmt.Println(again == key, err)
	// Output:
	// 11fe8cef-c2ed-5fa7-b05e-1a60b936ed44 <nil>
	// true <nil>
}

// orderSession is the payment of one order.
func orderSession(reference, msisdn string) intram.PayinSessionParams {
	return intram.PayinSessionParams{
		Reference: reference, Amount: intram.NewAmount(5000), MSISDN: msisdn, CustomerName: "Ada Lovelace", Country: "CI",
		SuccessURL: "https://shop.example.com/paid", FailureURL: "https://shop.example.com/not-paid",
	}
}

func ExamplePayinService_CreateSession() {
	server, client := fake()
	defer server.Close()

	key, err := intram.DerivePayinKey("order-4521") // asked for again after a crash, it is the same session
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := client.Payin.CreateSession(context.Background(), intram.PayinSessionParams{
		Reference:    "order-4521",
		Amount:       intram.NewAmount(5000),
		MSISDN:       "+2250702968786",
		CustomerName: "Ada Lovelace",
		Country:      "CI",
		SuccessURL:   "https://shop.example.com/paid",
		FailureURL:   "https://shop.example.com/not-paid",
	}, intram.WithIdempotencyKey(key))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Outcome(), session.ConfirmationRequired)
	fmt.Println(session.Amount, "+", session.Fee, "=", session.ChargedAmount, session.Currency)
	fmt.Println(session.PaymentURL != "") // show it to the customer
	// Output:
	// pending true
	// 5000 + 100 = 5100 XOF
	// true
}

func ExamplePayinService_CreateSession_refused() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	if _, err := client.Payin.CreateSession(ctx, orderSession("order-4521", "+2250702968786")); err != nil {
		fmt.Println(err)
		return
	}
	// The same order once more, without the key of the first time. The payment that was
	// taken then may be paid: look it up.
	_, err := client.Payin.CreateSession(ctx, orderSession("order-4521", "+2250702968786"))
	fmt.Println(errors.Is(err, intram.CodeTransactionIsAlreadyProcessed), intram.OutcomeOf(err))
	// Output: true unknown
}

func ExamplePayinService_Get() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	session, err := client.Payin.CreateSession(ctx, orderSession("order-4521", "+2250700000002"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.ConfirmPayin("order-4521"); err != nil { // the customer, on the page
		fmt.Println(err)
		return
	}
	for _, reference := range []string{"order-4521", session.ID} { // yours or the system's
		payin, err := client.Payin.Get(ctx, reference)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(payin.Outcome(), payin.Failure.Code)
	}
	// Output:
	// failed client_not_enough_cash
	// failed client_not_enough_cash
}

func ExamplePayinService_Wait() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	if _, err := client.Payin.CreateSession(ctx, orderSession("order-4521", "+2250702968786")); err != nil {
		fmt.Println(err)
		return
	}
	if err := server.ConfirmPayin("order-4521"); err != nil { // the customer, on the page
		fmt.Println(err)
		return
	}
	payin, err := client.Payin.Wait(ctx, "order-4521")
	if err != nil {
		fmt.Println(err) // an *intram.WaitError: not finished, which is not the same as not paid
		return
	}
	if payin.Outcome() == intram.PayinOutcomePaid {
		fmt.Println("ship it:", payin.Transaction.Amount, payin.Currency)
	}
	// Output: ship it: 5000.00 XOF
}

func ExampleVerifyPayinNotification() {
	server, client := fake()
	defer server.Close()
	const secret = "the one set in the portal"

	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		note, err := intram.VerifyPayinNotification(r.Header, body, secret)
		if err != nil {
			http.Error(w, "not a payin notification", http.StatusUnauthorized)
			return
		}
		// Nothing dates the message: it says where to look, and Get says what happened.
		payin, err := client.Payin.Get(r.Context(), note.Payin.Reference)
		if err != nil {
			http.Error(w, "later", http.StatusServiceUnavailable) // it is sent again
			return
		}
		fmt.Println(note.Type, payin.Reference, payin.Outcome())
		w.WriteHeader(http.StatusNoContent)
	}

	ctx := context.Background()
	if err := server.SetPayinWebhook(server.Receive(http.HandlerFunc(receive)), secret); err != nil {
		fmt.Println(err)
		return
	}
	for _, order := range []struct {
		reference string
		answer    func(string) error
	}{{"order-4521", server.ConfirmPayin}, {"order-4522", server.DeclinePayin}} {
		if _, err := client.Payin.CreateSession(ctx, orderSession(order.reference, "+2250702968786")); err != nil {
			fmt.Println(err)
			return
		}
		if err := errors.Join(order.answer(order.reference), server.Idle(ctx)); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// payin.confirmed order-4521 paid
	// payin.declined order-4522 declined
}
