package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// fake starts a merchant API in memory for an example: always at the same time, with the
// same ids.
func fake() (*intramtest.Server, *intram.Client) {
	server, err := intramtest.Start(
		intramtest.WithoutListener(), intramtest.WithSeed(1),
		intramtest.WithFrozenClock(time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)))
	if err != nil {
		panic(err)
	}
	return server, server.Client()
}

func ExampleNewClient() {
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6",
		intram.WithTimeout(10*time.Second), intram.WithAppInfo("shop", "2.4"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Environment())
	fmt.Printf("%#v\n", client) // a key is never shown

	_, err = intram.NewClient("sk_sandbox_d4e5f6", "pk_sandbox_a1b2c3")
	fmt.Println(err)
	// Output:
	// sandbox
	// intram.Client(sandbox https://api.intram.org/v1)
	// intram: publicKey and secretKey are swapped: the public key starts with pk_, the secret key with sk_
}

func ExampleBalanceService_Get() {
	server, client := fake()
	defer server.Close()

	balance, err := client.Balance.Get(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range balance.PaymentMethods {
		fmt.Println(m.PaymentMethod, m.Available, balance.Currency)
	}
	// Output:
	// MTN Bénin 1000000 XOF
	// Moov Bénin 1000000 XOF
	// SBIN Bénin 1000000 XOF
}

func ExamplePayoutsService_Create() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount:      intram.NewAmount(25000), // 25 000 XOF
		Currency:    intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
		Reference:   "PO-2026-0001",
		Metadata:    map[string]any{"batch_id": "B-42"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(op.Type, op.Status)

	result, err := client.Payouts.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Reference, result.Amount, result.Currency, result.Status)
	// Output:
	// payout queued
	// PO-2026-0001 25000 XOF completed
}

func ExamplePayoutsService_Create_bankAccount() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(500000),
		Destination: intram.BankAccount{
			AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ", AccountName: "Ada Lovelace",
		},
		Reference: "PO-2026-WIRE-001",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A bank payout's operation ends when the back office has it; payout.completed comes
	// later.
	result, err := client.Payouts.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Amount, result.Status)
	// Output: 500000 queued_for_settlement
}

// A bank can return a payout after its operation has succeeded. Only Paid says that the
// money has arrived.
func ExamplePayoutResult_Paid() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(500000), Destination: intram.BankAccount{AccountNumber: "BJ0610100100144390000769"}, Reference: "PO-2026-WIRE-001",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Payouts.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Status, result.Paid())

	if err := server.Fail(op.ID, intram.CodeProviderRejected); err != nil { // the bank knows no such account
		fmt.Println(err)
		return
	}
	_, err = client.Payouts.Wait(ctx, op.ID)
	fmt.Println(errors.Is(err, intram.CodeResultFailed))
	// Output:
	// queued_for_settlement false
	// true
}

// A payout can be refused before it is sent, when it is sent, or when it is carried out.
// The same questions serve for all.
func ExamplePayoutsService_Wait_failure() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(25000),
		// In the sandbox, a number that ends in 000002 finds no money in the wallet.
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000002"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Payouts.Wait(ctx, op.ID)
	fmt.Println(errors.Is(err, intram.CodeInsufficientBalance))
	fmt.Println(intram.OutcomeOf(err))
	// Output:
	// true
	// rejected
}

func ExamplePaymentRequestsService_Create() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(12000), Currency: intram.XOF, Description: "Order 4521",
			Customer: intram.Customer{FirstName: "Ada", LastName: "Lovelace", Email: "ada@example.com"},
		},
		ReturnURLs:  intram.ReturnURLs{Success: "https://shop.example.com/ok", Cancel: "https://shop.example.com/no"},
		WebhookData: map[string]any{"order": "4521"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("send the customer to the page:", page.GatewayURL != "")

	_ = server.Pay(page.TransactionReference) // the customer's part

	payment, err := client.Transactions.Wait(ctx, page.TransactionReference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status, payment.Amount, "less", payment.Fees, "is", payment.NetAmount)
	// Output:
	// send the customer to the page: true
	// SUCCESS 12000 less 240 is 11760
}

func ExampleRefundsService_Create() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	reference := payment(ctx, server, client, 12000)

	op, err := client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: reference,
		Amount:               intram.NewAmount(2000), // leave it out to give all of it back
		Reason:               "One article came back",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Refunds.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Amount, result.Status)

	// More than is left: the operation fails, and nothing moves.
	op, err = client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: reference, Amount: intram.NewAmount(11000)})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Refunds.Wait(ctx, op.ID)
	fmt.Println(errors.Is(err, intram.CodeAmountExceedsTransaction))
	// Output:
	// 2000 completed
	// true
}

// payment has a customer pay, and returns the transaction's reference.
func payment(ctx context.Context, server *intramtest.Server, client *intram.Client, units int64) string {
	op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(units), Currency: intram.XOF}})
	if err != nil {
		panic(err)
	}
	page, err := client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		panic(err)
	}
	if err := server.Pay(page.TransactionReference); err != nil {
		panic(err)
	}
	return page.TransactionReference
}

func ExampleTransactionsService_All() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	for _, units := range []int64{1000, 2000, 3000} {
		payment(ctx, server, client, units)
	}

	// All three were made in the same millisecond, and each page has two: none is lost,
	// none comes twice.
	total := intram.Amount{}
	for t, err := range client.Transactions.All(ctx, intram.TransactionListParams{Limit: 2, Type: intram.TransactionCredit}) {
		if err != nil {
			fmt.Println(err) // the sequence ends here
			break
		}
		total = total.Add(t.Amount)
	}
	fmt.Println(total)
	// Output: 6000
}

func ExampleTransactionsService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	payment(ctx, server, client, 1000)

	page, err := client.Transactions.List(ctx, intram.TransactionListParams{Status: intram.TransactionSuccess, Limit: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range page.Items {
		fmt.Println(t.Type, t.Amount, t.CreatedAt.Format(time.DateOnly))
	}
	fmt.Println("more:", page.HasMore())
	// Output:
	// CREDIT 1000 2026-05-20
	// more: false
}

func ExampleTransactionsService_Get() {
	server, client := fake()
	defer server.Close()

	_, err := client.Transactions.Get(context.Background(), "AB12CD34EF")
	fmt.Println(errors.Is(err, intram.CodeTransactionNotFound))
	// Output: true
}

func ExampleOperationsService_Get() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(25000), Destination: intram.MobileMoney{ProviderCode: intram.MoovBenin, MSISDN: "22994000003"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	op, err = client.Operations.Get(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(op.Status)
	if op.Error != nil {
		fmt.Println(op.Error.Code, "/", op.Error.Details.ResponseMessage)
	}
	// Output:
	// failed
	// provider_rejected / Declined by the payer
}

func ExampleOperationsService_All() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	payment(ctx, server, client, 1000)

	for op, err := range client.Operations.All(ctx, intram.OperationListParams{Type: intram.OperationPaymentRequest}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		switch result := op.Result.(type) {
		case *intram.PaymentRequestResult:
			fmt.Println(op.Status, result.Amount)
		case nil:
			fmt.Println(op.Status)
		}
	}
	// Output: succeeded 1000
}

// The payouts of the last day, each with what it was for. The sequence stops by itself.
func ExamplePayoutsService_All() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	for _, reference := range []string{"SAL-1", "SAL-2"} {
		_, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount:      intram.NewAmount(25000),
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
			Reference:   reference,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	yesterday := server.Clock().Now().Add(-24 * time.Hour)
	for op, err := range client.Payouts.All(ctx, intram.OperationListParams{Since: yesterday}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(op.Reference(), op.Amount().Grouped(), op.Status)
	}
	// Unordered output:
	// SAL-2 25 000 succeeded
	// SAL-1 25 000 succeeded
}

// A call that the SDK has no method for yet.
func ExampleClient_Do() {
	server, client := fake()
	defer server.Close()
	body, err := client.Do(context.Background(), http.MethodGet, "/operations", url.Values{"type": {"payout"}, "limit": {"5"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var list struct {
		Data   []json.RawMessage `json:"data"`
		Paging json.RawMessage   `json:"paging"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(list.Data), string(list.Paging))
	// Output: 0 {"limit":5,"next_before":null}
}

func ExampleClient_WaitForOperation() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(25000),
		// This number never comes to an end.
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000007"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = client.WaitForOperation(ctx, op.ID, intram.WithMaxWait(20*time.Second))
	if unfinished, ok := errors.AsType[*intram.WaitError](err); ok {
		// It may still succeed: keep the id, and wait again later.
		fmt.Println(unfinished.Operation.Status, errors.Is(err, context.DeadlineExceeded), intram.OutcomeOf(err))
	}
	// Output: processing true unknown
}

func ExampleClient_WaitMany() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	var ids []string
	for _, msisdn := range []string{"22961000000", "22961000002", "22961000000"} { // the second one fails: the balance is too low
		op, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount:      intram.NewAmount(25000),
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		ids = append(ids, op.ID) // save them: a wait can go on in another process
	}

	for op, err := range client.WaitMany(ctx, ids) {
		if failed, ok := errors.AsType[*intram.OperationError](err); ok {
			fmt.Println("not paid:", failed.OperationID == ids[1], failed.Code)
			continue
		}
		if err != nil {
			fmt.Println(err) // an *intram.WaitError: wait again with its ID
			continue
		}
		fmt.Println("paid:", op.Status)
	}
	// Unordered output:
	// paid: succeeded
	// not paid: true insufficient_balance
	// paid: succeeded
}

func ExampleWebhooksService_Create() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{
		URL:   "https://shop.example.com/intram/webhook",
		Event: "payout.*", // or intram.EventPayoutCompleted, or intram.EventAll
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := subscription.Secret // shown this once
	fmt.Println(len(store) > 0, subscription.Event)

	subscriptions, err := client.Webhooks.List(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range subscriptions {
		fmt.Println(s.URL, s.Secret == "")
	}
	fmt.Println(client.Webhooks.Delete(ctx, subscription.ID))
	// Output:
	// true payout.*
	// https://shop.example.com/intram/webhook true
	// <nil>
}

func ExampleWebhookVerifier_Verify() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()

	var verifier *intram.WebhookVerifier
	receiver := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "unreadable body", http.StatusBadRequest)
			return
		}
		event, err := verifier.Verify(r.Header, body)
		if err != nil {
			http.Error(w, "not from Intram", http.StatusUnauthorized)
			return
		}
		switch data := event.Data.(type) {
		case *intram.PayoutEventData:
			fmt.Println(event.Type, data.Reference, data.Amount)
		case *intram.PingData:
			fmt.Println(event.Type)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: receiver, Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err = intram.NewWebhookVerifier(subscription.Secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier = verifier.WithClock(server.Clock()) // only because the fake's time stands still

	if err := client.Webhooks.SendTest(ctx, subscription.ID); err != nil {
		fmt.Println(err)
		return
	}
	_ = server.Idle(ctx)
	_, err = client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: "PO-2026-0001",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = server.Idle(ctx)
	// Output:
	// test.ping
	// payout.completed PO-2026-0001 25000
}

// SignWebhook makes the deliveries for a test of your own receiver.
func ExampleSignWebhook() {
	verifier, err := intram.NewWebhookVerifier("whsec_old", "whsec_new") // two secrets, while you rotate
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"event":"refund.completed","operation_id":"op_6f7c","occurred_at":"2026-05-20T10:31:14.000Z",
		"data":{"status":"completed","refund_reference":"9DEFGH1234","amount":2000,"transaction_reference":"AB12CD34EF"}}`)

	event, err := verifier.Verify(intram.SignWebhook("whsec_new", time.Now(), body), body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Type, event.OperationID)

	_, err = verifier.Verify(intram.SignWebhook("whsec_another", time.Now(), body), body)
	fmt.Println(errors.Is(err, intram.ErrInvalidSignature))
	_, err = verifier.Verify(intram.SignWebhook("whsec_new", time.Now().Add(-6*time.Minute), body), body)
	fmt.Println(errors.Is(err, intram.ErrStaleTimestamp))
	// Output:
	// refund.completed op_6f7c
	// true
	// true
}

func ExampleDeriveIdempotencyKey() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: "PO-2026-0001",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	}

	// The second time may be after a crash: the same lines, and still one payout.
	for range 2 {
		key, err := intram.DeriveIdempotencyKey("payout", params.Reference)
		if err != nil {
			fmt.Println(err)
			return
		}
		var answer intram.Response
		if _, err = client.Payouts.Create(ctx, params, intram.WithIdempotencyKey(key), intram.WithResponseInto(&answer)); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("replayed:", answer.Replayed)
	}
	balance, err := client.Balance.Get(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(balance.Available)
	// Output:
	// replayed: false
	// replayed: true
	// 2975000
}

// After a failed call, ask first whether the money may have moved.
func ExampleExplain() {
	server, client := fake()
	defer server.Close()

	op, err := client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount: intram.NewAmount(50000000), Reference: "PO-2026-0002",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Payouts.Wait(context.Background(), op.ID)
	for sentence := range strings.SplitAfterSeq(intram.Explain(err, intram.English), ". ") {
		fmt.Println(strings.TrimSpace(sentence))
	}
	french := strings.ReplaceAll(intram.Explain(err, intram.French), "\u00a0", " ") // it has no-break spaces
	for sentence := range strings.SplitAfterSeq(french, ". ") {
		fmt.Println(strings.TrimSpace(sentence))
	}
	// Output:
	// The payout failed: the receiver was not paid, and what was debited is back in your wallet.
	// The wallet does not hold the amount and its fees.
	// Top up the wallet, then make a new operation with a new idempotency key.
	// Le reversement a échoué : le bénéficiaire n'a pas été payé, et la somme débitée est revenue dans votre portefeuille.
	// Le portefeuille ne couvre pas le montant et ses frais.
	// Approvisionnez le portefeuille, puis créez une nouvelle opération avec une nouvelle clé d'idempotence.
}

func ExampleOutcomeOf() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	}

	// Every response is lost, although each call was executed.
	_ = server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 4})
	_, err := client.Payouts.Create(ctx, params)
	fmt.Println(intram.OutcomeOf(err))

	// So: the same key and the same parameters.
	var failed *intram.Error
	if errors.As(err, &failed) && failed.Outcome == intram.OutcomeUnknown {
		op, err := client.Payouts.Create(ctx, params, intram.WithIdempotencyKey(failed.IdempotencyKey))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(op.Type, "accepted")
	}
	balance, err := client.Balance.Get(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(balance.Available, "left: paid once")

	_, err = client.Payouts.Create(ctx, intram.PayoutParams{Amount: intram.NewAmount(-5)})
	fmt.Println(intram.OutcomeOf(err))
	// Output:
	// unknown
	// payout accepted
	// 2975000 left: paid once
	// not_sent
}

// What is wrong with the parameters is said at once, for each field as the docs name it.
func ExampleError() {
	server, client := fake()
	defer server.Close()

	_, err := client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount: intram.NewAmount(0), Destination: intram.MobileMoney{MSISDN: "01 61 23 45 67"},
	})
	if e, ok := errors.AsType[*intram.Error](err); ok {
		for _, d := range e.Details {
			fmt.Println(d.Path, "-", d.Msg)
		}
	}
	// Output:
	// amount - amount must be greater than 0
	// destination.msisdn - destination.msisdn must be an international number: 8 to 15 digits with the country's code, such as 2290161234567
}

// "25.000" is 25 to a program, and 25 thousand to many an office.
func ExampleParseTypedAmount() {
	for _, text := range []string{"25 000 FCFA", "25000,00", "25.000"} {
		amount, err := intram.ParseTypedAmount(text, intram.XOF)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(amount.Grouped(), "XOF")
	}
	// Output:
	// 25 000 XOF
	// 25 000 XOF
	// intram: amount: 25.000: 25 or 25000? write it without separators
}

func ExampleParseMSISDN() {
	for _, text := range []string{"01 61 23 45 67", "+229 61 23 45 67", "2,29E+12"} {
		msisdn, err := intram.ParseMSISDN(text, "BJ")
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(msisdn)
	}
	// Output:
	// 2290161234567
	// 2290161234567
	// intram: msisdn: not a phone number: a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again
}

func ExampleSameWallet() {
	fmt.Println(intram.SameWallet("22961234567", "2290161234567"))
	// Output: true
}

func ExampleParseAmount() {
	a, err := intram.ParseAmount("0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := intram.ParseAmount("0.2")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Add(b))

	_, err = intram.ParseAmount("25 000")
	fmt.Println(err)
	// Output:
	// 0.3
	// intram: amount: not a decimal number: write digits, such as "25000" or "153.00"
}

func ExampleWithCredentials_rotation() {
	server, _ := fake()
	defer server.Close()
	// What a secret store holds: {"Account": …, "PublicKey": …, "SecretKey": …,
	// "Version": …}
	store := server.CredentialsOf(server.PublicKey)
	client, err := intram.NewClient("", "", intram.WithCredentials(func(ctx context.Context) (intram.Credentials, error) {
		credentials, err := store(ctx)
		fmt.Println("asked for the keys: version", credentials.Version)
		return credentials, err
	}), intram.WithBaseURL(server.URL), intram.WithHTTPClient(server.HTTPClient()), intram.WithClock(server.Clock()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, _, err := server.RotateKeys(server.PublicKey, 0); err != nil { // in the portal; the old keys are valid no more
		fmt.Println(err)
		return
	}
	var resp intram.Response
	_, err = client.Balance.Get(context.Background(), intram.WithResponseInto(&resp))
	fmt.Println(resp.StatusCode, resp.Attempts, err)
	// Output:
	// asked for the keys: version 1
	// asked for the keys: version 2
	// 200 2 <nil>
}
