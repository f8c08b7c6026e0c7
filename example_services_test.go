package intram_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

func ExamplePayoutsService_Get() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, examplePayout(25000))
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)

	op, err = client.Payouts.Get(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if result, ok := op.Result.(*intram.PayoutResult); ok {
		fmt.Println(op.Status, result.Reference, result.Paid())
	}
	// Output: succeeded PO-2026-0001 true
}

func ExamplePayoutsService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	for _, units := range []int64{25000, 26000, 27000} {
		if _, err := client.Payouts.Create(ctx, examplePayout(units)); err != nil {
			fmt.Println(err)
			return
		}
		server.Advance(time.Minute)
	}
	page, err := client.Payouts.List(ctx, intram.OperationListParams{Limit: 2}) // newest first
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, op := range page.Items {
		fmt.Println(op.Amount(), op.Status)
	}
	fmt.Println("more:", page.HasMore())
	// Output:
	// 27000 succeeded
	// 26000 succeeded
	// more: true
}

func ExamplePage_HasMore() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	for range 3 {
		if _, err := client.Payouts.Create(ctx, examplePayout(25000)); err != nil {
			fmt.Println(err)
			return
		}
		server.Advance(time.Minute)
	}
	// Page by page, for a table that a person turns. For all of them use All, which loses
	// nothing between pages.
	params := intram.OperationListParams{Limit: 2}
	for {
		page, err := client.Operations.List(ctx, params)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("a page of", len(page.Items))
		if !page.HasMore() {
			return
		}
		params.Before = page.NextBefore
	}
	// Output:
	// a page of 2
	// a page of 1
}

func ExamplePayoutResult_Failed() {
	for _, status := range []intram.PayoutStatus{intram.PayoutCompleted, intram.PayoutQueuedForSettlement, intram.PayoutFailed, "a word of tomorrow"} {
		result := intram.PayoutResult{Status: status}
		fmt.Println(result.Paid(), result.Failed()) // neither: it is open, do not pay again
	}
	// Output:
	// true false
	// false false
	// false true
	// false false
}

func ExamplePaymentRequestsService_Get() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.PaymentRequests.Create(ctx, exampleInvoice(12000))
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)

	op, err = client.PaymentRequests.Get(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if page, ok := op.Result.(*intram.PaymentRequestResult); ok {
		fmt.Println(op.Status, page.Status, page.GatewayURL != "") // the page is there, and not paid yet
	}
	// Output: succeeded pending true
}

func ExamplePaymentRequestsService_Wait() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.PaymentRequests.Create(ctx, exampleInvoice(12000))
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.PaymentRequests.Wait(ctx, op.ID) // for the checkout page, not for the payment
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Amount, page.Currency, page.Paid())
	if err := server.Pay(page.TransactionReference); err != nil { // the customer, on the page
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Wait(ctx, page.TransactionReference)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status, payment.Paid())
	// Output:
	// 12000 XOF false
	// SUCCESS true
}

func ExamplePaymentRequestsService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.PaymentRequests.Create(ctx, exampleInvoice(12000)); err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.PaymentRequests.List(ctx, intram.OperationListParams{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, op := range page.Items {
		fmt.Println(op.Amount(), op.Metadata()["order"])
	}
	// Output: 12000 4521
}

func ExamplePaymentRequestsService_All() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	for _, units := range []int64{12000, 5000} {
		if _, err := client.PaymentRequests.Create(ctx, exampleInvoice(units)); err != nil {
			fmt.Println(err)
			return
		}
		server.Advance(time.Minute)
	}
	for op, err := range client.PaymentRequests.All(ctx, intram.OperationListParams{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(op.Type, op.Amount())
	}
	// Output:
	// payment_request 5000
	// payment_request 12000
}

func ExamplePaymentRequestsService_Prepare() {
	server, client := fake()
	defer server.Close()
	intent, err := client.PaymentRequests.Prepare(exampleInvoice(12000)) // save it with the order, before anything is sent
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(intent.IdempotencyKey != "", len(server.Requests()))
	// Output: true 0
}

func ExamplePaymentRequestsService_Resume() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	intent, err := client.PaymentRequests.Prepare(exampleInvoice(12000))
	if err != nil {
		fmt.Println(err)
		return
	}
	op, err := client.PaymentRequests.Resume(ctx, exampleInvoice(12000), intent) // now, and again after a crash
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := client.PaymentRequests.Resume(ctx, exampleInvoice(12000), intent)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(again.ID == op.ID) // one checkout page
	// Output: true
}

func ExamplePaymentRequestResult_Paid() {
	for _, status := range []string{intram.PaymentRequestPending, intram.PaymentRequestPaid, intram.PaymentRequestFailed} {
		result := intram.PaymentRequestResult{Status: status}
		fmt.Println(status, result.Paid())
	}
	// Output:
	// pending false
	// paid true
	// failed false
}

func ExamplePaymentRequestResult_Failed() {
	result := intram.PaymentRequestResult{Status: "a word of tomorrow"}
	fmt.Println(result.Paid(), result.Failed()) // not finished yet
	// Output: false false
}

func ExampleRefundsService_Get() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: payment(ctx, server, client, 12000)})
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(time.Minute)

	op, err = client.Refunds.Get(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if result, ok := op.Result.(*intram.RefundResult); ok {
		fmt.Println(result.Amount, result.Refunded())
	}
	// Output: 12000 true
}

func ExampleRefundsService_Wait() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	paid := payment(ctx, server, client, 12000)
	for _, units := range []int64{2000, 20000} {
		op, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: paid, Amount: intram.NewAmount(units)})
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := client.Refunds.Wait(ctx, op.ID)
		if errors.Is(err, intram.CodeAmountExceedsTransaction) {
			fmt.Println("more than is left:", intram.OutcomeOf(err))
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Amount, result.Status)
	}
	// Output:
	// 2000 completed
	// more than is left: rejected
}

func ExampleRefundsService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: payment(ctx, server, client, 12000), Amount: intram.NewAmount(2000)}); err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.Refunds.List(ctx, intram.OperationListParams{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, op := range page.Items {
		fmt.Println(op.Type, op.Amount())
	}
	// Output: refund 2000
}

func ExampleRefundsService_All() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	paid := payment(ctx, server, client, 12000)
	for _, units := range []int64{2000, 3000} {
		if _, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: paid, Amount: intram.NewAmount(units)}); err != nil {
			fmt.Println(err)
			return
		}
		server.Advance(time.Minute)
	}
	sum := intram.NewAmount(0)
	for op, err := range client.Refunds.All(ctx, intram.OperationListParams{Status: intram.OperationSucceeded}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		sum = sum.Add(op.Amount())
	}
	fmt.Println("given back:", sum)
	// Output: given back: 5000
}

func ExampleRefundsService_Prepare() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	intent, err := client.Refunds.Prepare(intram.RefundParams{
		TransactionReference: payment(ctx, server, client, 12000), Amount: intram.NewAmount(2000), Metadata: map[string]any{"ticket": "T-9001"},
	})
	fmt.Println(intent.IdempotencyKey != "", err) // save it, then Resume

	_, err = client.Refunds.Prepare(intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: intram.NewAmount(0)})
	fmt.Println(errors.Is(err, intram.CodeValidationError)) // a computed zero is not "all of it"
	// Output:
	// true <nil>
	// true
}

func ExampleRefundsService_Resume() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := intram.RefundParams{
		TransactionReference: payment(ctx, server, client, 12000), Amount: intram.NewAmount(2000), Metadata: map[string]any{"ticket": "T-9001"},
	}
	intent, err := client.Refunds.Prepare(params)
	if err != nil {
		fmt.Println(err)
		return
	}
	op, err := client.Refunds.Resume(ctx, params, intent)
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(72 * time.Hour) // an outage: the key is forgotten, and the list is read
	found, err := client.Refunds.Resume(ctx, params, intent)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.ID == op.ID, found.Status)
	// Output: true succeeded
}

func ExampleRefundResult_Refunded() {
	for _, status := range []intram.RefundStatus{intram.RefundCompleted, intram.RefundPending, intram.RefundFailed} {
		result := intram.RefundResult{Status: status}
		fmt.Println(status, result.Refunded())
	}
	// Output:
	// completed true
	// pending false
	// failed false
}

func ExampleRefundResult_Failed() {
	result := intram.RefundResult{Status: intram.RefundPending}
	fmt.Println(result.Refunded(), result.Failed()) // its operator will say later: do not refund again
	// Output: false false
}

func ExampleTransactionsService_Wait() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.PaymentRequests.Create(ctx, exampleInvoice(12000))
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Decline(page.TransactionReference); err != nil { // the customer says no
		fmt.Println(err)
		return
	}
	payment, err := client.Transactions.Wait(ctx, page.TransactionReference) // six minutes at most
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.Status, payment.Paid())
	// Output: ERROR false
}

func ExampleTransaction_Paid() {
	for _, status := range []intram.TransactionStatus{intram.TransactionPending, intram.TransactionSuccess, intram.TransactionError, intram.TransactionRefunded} {
		payment := intram.Transaction{Status: status}
		fmt.Println(status, payment.Paid())
	}
	// Output:
	// PENDING false
	// SUCCESS true
	// ERROR false
	// REFUNDED false
}

func ExampleTransactionStatus_Finished() {
	fmt.Println(intram.TransactionPending.Finished(), intram.TransactionError.Finished(), intram.TransactionStatus("NEW").Finished())
	// Output: false true false
}

func ExampleOperationStatus_Finished() {
	fmt.Println(intram.OperationProcessing.Finished(), intram.OperationFailed.Finished(), intram.OperationStatus("paused").Finished())
	// Output: false true false
}

func ExampleOperationsService_List() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.Payouts.Create(ctx, examplePayout(25000)); err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.Operations.List(ctx, intram.OperationListParams{Type: intram.OperationPayout, Limit: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Items), len(page.Unreadable)) // an item that cannot be read is beside the others
	// Output: 1 0
}

func ExampleOperation_Reference() {
	op := exampleOperation()
	fmt.Println(op.Reference()) // as you gave it to Payouts.Create
	// Output: PO-2026-0001
}

func ExampleOperation_Amount() {
	op := exampleOperation()
	fmt.Println(op.Amount(), op.Amount().IsSet()) // not set when a list leaves the payload out
	// Output: 25000 true
}

func ExampleOperation_Metadata() {
	op := exampleOperation()
	fmt.Println(op.Metadata()["shop"])
	// Output: kandi
}

func ExampleWebhooksService_SendTest() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: "https://shop.example.com/intram/webhook", Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Webhooks.SendTest(ctx, subscription.ID)) // a test.ping is on its way
	// Output: <nil>
}

func ExampleWebhooksService_Delete() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: "https://shop.example.com/intram/webhook", Event: intram.EventAll})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Webhooks.Delete(ctx, subscription.ID); err != nil { // deliveries under way go on
		fmt.Println(err)
		return
	}
	left, err := client.Webhooks.List(ctx)
	fmt.Println(len(left), err)
	// Output: 0 <nil>
}

func ExamplePayinService_Prepare() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := orderSession("order-4521", "+2250702968786")
	intent, err := client.Payin.Prepare(params) // save it, before the customer can be charged
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := client.Payin.CreateSession(ctx, params, intram.WithIntent(intent))
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := client.Payin.CreateSession(ctx, params, intram.WithIntent(intent)) // after a crash
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(again.ID == session.ID)
	// Output: true
}

func ExamplePayinService_Refresh() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	session, err := client.Payin.CreateSession(ctx, orderSession("order-4521", "+2250702968786"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.ConfirmPayin("order-4521"); err != nil { // the customer, on the page
		fmt.Println(err)
		return
	}
	// Both names that you have saved: reports differ on which one the API takes.
	session, err = client.Payin.Refresh(ctx, &intram.Payin{Reference: session.Reference, ID: session.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Outcome())
	// Output: paid
}

func ExamplePayin_Outcome() {
	session := intram.Payin{Status: intram.PayinStatusProcessed} // the customer confirmed, which says nothing of the money
	fmt.Println(session.Outcome())
	session.Transaction = &intram.PayinTransaction{Status: intram.PayinTransactionCompleted}
	fmt.Println(session.Outcome())
	// Output:
	// pending
	// paid
}

func ExamplePayinOutcome_Finished() {
	fmt.Println(intram.PayinOutcomePending.Finished(), intram.PayinOutcomePaid.Finished(), intram.PayinOutcomeRefused.Finished())
	// Output: false true true
}

func ExamplePayinClient_CloseIdleConnections() {
	payin, err := intram.NewPayinClient("my-api-key", "my-api-client")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer payin.CloseIdleConnections() // at the end of the program only
	fmt.Println(payin != nil)
	// Output: true
}

func ExampleErrorCode_Explanation() {
	fmt.Println(intram.CodeIPNotAllowed.Explanation())
	// Output: your server's address is not on the allowlist of the account: see Error.ClientIP
}

// exampleInvoice is the payment request of the examples.
func exampleInvoice(units int64) intram.PaymentRequestParams {
	return intram.PaymentRequestParams{
		Invoice:     intram.Invoice{Amount: intram.NewAmount(units), Currency: intram.XOF, Description: "Order 4521"},
		WebhookData: map[string]any{"order": "4521"},
	}
}

// exampleOperation is a payout as the API accepted it.
func exampleOperation() *intram.Operation {
	server, client := fake()
	defer server.Close()
	params := examplePayout(25000)
	params.Metadata = map[string]any{"shop": "kandi"}
	op, err := client.Payouts.Create(context.Background(), params)
	if err != nil {
		panic(err)
	}
	return op
}
