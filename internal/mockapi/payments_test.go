package mockapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPaymentRequestSucceedsWithTheCheckoutURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{BaseURL: "https://pay.example.com/"})
	id, reference := f.requestPayment(12_000, mtnBenin, "22961234567")
	op := f.operation(id)
	assert.Equal(t, "succeeded", op.text("data.status"))
	assert.Equal(t, "pending", op.text("data.result.status"))
	assert.Len(t, reference, 10)
	gateway := "https://pay.example.com/gateway/" + reference
	for _, field := range []string{"gateway_url", "payment_url", "receipt_url"} {
		assert.Equal(t, gateway, op.text("data.result."+field))
	}
	assert.True(t, strings.HasPrefix(op.text("data.result.qr_code"), "data:image/png;base64,"))
	tx := f.transaction(reference)
	assert.Equal(t, "PENDING", tx.text("data.status"))
	assert.Equal(t, "CREDIT", tx.text("data.type"))
	assert.Equal(t, "Ada Lovelace", tx.text("data.customer.name"))
	assert.Equal(t, []string{"payment_request.created"}, f.events(id))
	assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin), "nothing moves before the customer pays")
}

func TestPaidPaymentCreditsTheNetAmount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(12_000, mtnBenin, "22961234567")
	require.NoError(t, f.s.Pay(reference))
	assert.Equal(t, []string{"payment_request.created", "payment_request.paid"}, f.events(reference))
	tx := f.transaction(reference)
	assert.Equal(t, "SUCCESS", tx.text("data.status"))
	assert.Equal(t, []string{"12000", "240", "11760"}, []string{tx.text("data.amount"), tx.text("data.fees"), tx.text("data.net_amount")})
	assert.Equal(t, "MTN Bénin", tx.text("data.payment_method"))
	assert.Equal(t, "22961234567", tx.text("data.source.number"))
	assert.EqualValues(t, 1_011_760, f.wallet(mtnBenin))
	fees := int64(0)
	for _, e := range f.s.Ledger() {
		if strings.HasPrefix(e.Account, "fees:") {
			fees += e.Amount
			assert.Equal(t, reference, e.Reference)
		}
	}
	assert.EqualValues(t, 480, fees, "the customer pays 12 240, and 11 760 are credited")
}

func TestFeesAreRoundedHalfUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ points, amount, fee int64 }{
		{0, 12_000, 240}, {0, 100, 2}, {0, 124, 2}, {0, 125, 3}, {0, 149, 3}, {0, 174, 3}, {0, 175, 4}, {0, 2_000_000, 40_000},
		{-1, 12_000, 0}, {10_000, 777, 777}, {1, 4999, 0}, {1, 5000, 1}, {150, 999_999_999_999_999, 15_000_000_000_000},
	} {
		s := newFixture(t, Config{FeeBasisPoints: c.points}).s
		assert.Equal(t, c.fee, feeOf(c.amount, s.feeBasisPoints), "%d at %d", c.amount, c.points)
	}
}

func TestPaymentWithoutSuggestionLearnsItsMethodFromTheCustomer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, "", "")
	tx := f.transaction(reference)
	assert.Nil(t, tx.at("data.payment_method"))
	assert.Nil(t, tx.at("data.source.number"))
	require.Error(t, f.s.PayWith(reference, "ORANGE", ""))
	require.NoError(t, f.s.PayWith(reference, moovBenin, "22994123456"))
	tx = f.transaction(reference)
	assert.Equal(t, "Moov Bénin", tx.text("data.payment_method"))
	assert.Equal(t, "22994123456", tx.text("data.source.number"))
	assert.EqualValues(t, 1_000_980, f.wallet(moovBenin))

	_, reference = f.requestPayment(1000, "", "")
	require.NoError(t, f.s.Pay(reference))
	assert.EqualValues(t, 1_000_980, f.wallet(mtnBenin), "MTN when nobody says")
}

func TestCustomersPhoneCanBeATestNumber(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	body := strings.Replace(paymentBody(1000, "", ""), `"first_name"`, `"phone":"22961000003","first_name"`, 1)
	id := f.post("/payment-requests", body).ok(202).text("data.operation_id")
	reference := f.operation(id).text("data.result.transaction_reference")
	require.NoError(t, f.s.Pay(reference))
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.status"))
}

// A payment that is not paid ends: after 6 minutes with mobile money, after a day with a
// card.
func TestAPaymentThatIsNotPaidEnds(t *testing.T) {
	t.Parallel()
	for method, open := range map[string]time.Duration{"": 6 * time.Minute, mtnBenin: 6 * time.Minute, cardCode: 24 * time.Hour, bankCode: 24 * time.Hour} {
		f := newFixture(t, Config{})
		body := strings.TrimSuffix(paymentBody(1000, method, ""), "}") + `,"webhook_data":{"order":"4521"}}`
		id := f.post("/payment-requests", body).ok(202).text("data.operation_id")
		reference := f.operation(id).text("data.result.transaction_reference")
		f.s.Clock().Advance(open - time.Millisecond)
		assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"))
		assert.Contains(t, string(f.browse("GET", gatewayPath+reference, nil, nil).body), "<form")
		f.s.Clock().Advance(time.Millisecond)
		assert.Equal(t, "ERROR", f.transaction(reference).text("data.status"), method)
		assert.Equal(t, []string{"payment_request.created", "payment_request.failed"}, f.events(id))
		events := f.s.Events()
		last := answer{t: t, body: events[len(events)-1].Body}
		assert.Equal(t, start.Add(open), events[len(events)-1].OccurredAt)
		assert.Equal(t, []string{"failed", "provider_rejected", "4521"}, []string{last.text("data.status"), last.text("data.error.code"), last.text("data.webhook_data.order")})
		assert.Equal(t, "succeeded", f.operation(id).text("data.status"), "the operation made the page")

		require.Error(t, f.s.PayWith(reference, mtnBenin, "22961234567"), "it is no more payable")
		require.Error(t, f.s.Decline(reference))
		page := f.browse("POST", gatewayPath+reference+"/pay", url.Values{"method": {mtnBenin}, "msisdn": {"22961234567"}}, nil)
		assert.Equal(t, 409, page.status)
		assert.NotContains(t, string(page.body), "<form")
		f.failedWith(f.refund(reference, 0), "not_refundable")
		assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
	}
}

// What the customer has confirmed is not ended by the time there was to pay.
func TestAPaymentThatIsMadeInTimeDoesNotEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for number, status := range map[string]string{"22961234567": "SUCCESS", "22961000007": "PENDING", "22961000008": "SUCCESS"} {
		_, reference := f.requestPayment(1000, mtnBenin, number)
		f.s.Clock().Advance(6*time.Minute - time.Second)
		require.NoError(t, f.s.Pay(reference))
		f.s.Clock().Advance(time.Second)
		assert.NotEqual(t, "ERROR", f.transaction(reference).text("data.status"), number)
		f.s.Clock().Advance(time.Hour)
		assert.Equal(t, status, f.transaction(reference).text("data.status"), number)
	}
	patient := newFixture(t, Config{PaymentExpiry: 48 * time.Hour})
	_, reference := patient.requestPayment(1000, mtnBenin, "")
	_, byCard := patient.requestPayment(1000, cardCode, "")
	patient.s.Clock().Advance(48*time.Hour - time.Second)
	require.NoError(t, patient.s.Pay(reference))
	require.NoError(t, patient.s.Pay(byCard))
}

func TestDeclinedPayment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	id, reference := f.requestPayment(1000, mtnBenin, "")
	require.NoError(t, f.s.Decline(reference))
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.status"))
	assert.Equal(t, []string{"payment_request.created", "payment_request.failed"}, f.events(id))
	_, refused := f.requestPayment(1000, mtnBenin, "22961000003")
	require.NoError(t, f.s.Pay(refused))
	assert.Equal(t, "ERROR", f.transaction(refused).text("data.status"))
	assert.Equal(t, []string{"payment_request.created", "payment_request.failed"}, f.events(refused), "refused by the operator")
	require.Error(t, f.s.Decline(reference))
	require.Error(t, f.s.Pay(reference))
	require.ErrorContains(t, f.s.Pay("NOTHING000"), `"NOTHING000"`)
	require.Error(t, f.s.Decline("NOTHING000"))
	payout := f.payout(1, "22961234567")
	op, _ := f.s.Operation(payout)
	require.ErrorContains(t, f.s.Pay(op.Reference), "no payment")
}

func TestUnsupportedPaymentMethodFailsInTheWorker(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	id := f.post("/payment-requests", paymentBody(1000, "ORANGE_CI", "")).ok(202).text("data.operation_id")
	f.failedWith(id, "unsupported_payment_method")
	assert.Equal(t, []string{"payment_request.failed"}, f.events(id))
}

func TestPaymentWaitsForItsProviderAsPendingMoney(t *testing.T) {
	t.Parallel()
	for _, method := range []string{cardCode, bankCode} {
		f := newFixture(t, Config{})
		id, reference := f.requestPayment(1000, method, "22961234567") // which a card does not have
		require.NoError(t, f.s.Pay(reference))
		assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"))
		balance := f.get("/balance").ok(200)
		last := "data.payment_method_balances.3."
		assert.Equal(t, methodByCode(method).name, balance.text(last+"payment_method"), "the wallet opens with its first payment")
		assert.Equal(t, "980", balance.text(last+"pending"))
		assert.Equal(t, "0", balance.text(last+"available"))
		f.s.Clock().Advance(lateAnswer)
		balance = f.get("/balance").ok(200)
		assert.Equal(t, "0", balance.text(last+"pending"))
		assert.Equal(t, "980", balance.text(last+"available"))
		assert.Equal(t, []string{"payment_request.created", "payment_request.pending", "payment_request.paid"}, f.events(id))
		assert.Nil(t, f.transaction(reference).at("data.source.number"))
	}
}

func TestPaymentsEndedByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, mtnBenin, "22961000007")
	require.ErrorContains(t, f.s.SettlePayment(reference), "not waiting")
	require.NoError(t, f.s.Pay(reference))
	require.NoError(t, f.s.SettlePayment(reference))
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
	require.Error(t, f.s.SettlePayment(reference))
	require.Error(t, f.s.FailPayment(reference, "provider_error"))

	_, late := f.requestPayment(1000, mtnBenin, "22961000008")
	require.NoError(t, f.s.Pay(late))
	require.NoError(t, f.s.FailPayment(late, "provider_error"))
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, "ERROR", f.transaction(late).text("data.status"), "the scheduled end does not come after")
	assert.Equal(t, "0", f.get("/balance").text("data.payment_method_balances.0.pending"))

	_, open := f.requestPayment(1000, mtnBenin, "")
	require.NoError(t, f.s.FailPayment(open, "provider_unavailable"))
	assert.Equal(t, "ERROR", f.transaction(open).text("data.status"))
	require.Error(t, f.s.SettlePayment("NOTHING000"))
}

func TestTransactionByInternalID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(1000)
	tx, ok := f.s.Transaction(reference)
	require.True(t, ok)
	require.Len(t, tx.ID, 24)
	assert.Equal(t, reference, f.transaction(tx.ID).text("data.reference"))
	f.get("/transactions/"+strings.Repeat("0", 24)).refused(404, "transaction_not_found")
	f.get("/transactions/ZZZZZZZZZZ").refused(404, "transaction_not_found")
	f.get("/operations/op_nothing").refused(404, "operation_not_found")
	_, ok = f.s.Transaction("ZZZZZZZZZZ")
	assert.False(t, ok)
	f.failedWith(f.refund(tx.ID, 2000), "amount_exceeds_transaction")
}

func TestListsGoBackInTimeAndEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var want []string
	for i := range 45 {
		f.s.Clock().Advance(time.Second)
		want = append([]string{f.payout(int64(i+1), "22961234567")}, want...)
	}
	got := 0
	before := ""
	for page := 0; ; page++ {
		query := "limit=20"
		if before != "" {
			query = "before=" + before + "&limit=20"
		}
		a := f.do(call{method: "GET", endpoint: "/operations", query: query}).ok(200)
		items := a.at("data").([]any)
		for i := range items {
			assert.Equal(t, want[got], a.text(fmt.Sprintf("data.%d.operation_id", i)), "newest first")
			got++
		}
		if a.at("paging.next_before") == nil {
			assert.Equal(t, 2, page, "45 items on pages of 20")
			assert.Nil(t, a.at("paging.next_before"))
			break
		}
		before = a.text("paging.next_before")
		assert.Equal(t, a.text(fmt.Sprintf("data.%d.date", len(items)-1)), before, "the date of the last item")
	}
	assert.Len(t, want, got)
}

func TestListsFilter(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.payout(1, "22961234567")
	failed := f.payout(1, "22961000001")
	reference := f.paid(1000)
	refund := f.refund(reference, 100)
	count := func(query string) int { return len(f.get(query).ok(200).at("data").([]any)) }
	assert.Equal(t, 4, count("/operations"))
	assert.Equal(t, 2, count("/operations?type=payout"))
	assert.Equal(t, 1, count("/operations?type=payout&status=failed"))
	assert.Equal(t, failed, f.get("/operations?status=failed").text("data.0.operation_id"))
	assert.Equal(t, refund, f.get("/operations?limit=1&type=refund").text("data.0.operation_id"))
	assert.Equal(t, 0, count("/operations?type=transfer"))
	assert.Equal(t, 4, count("/transactions"))
	assert.Equal(t, 2, count("/transactions?type=DEBIT"))
	assert.Equal(t, 1, count("/transactions?type=CREDIT"))
	assert.Equal(t, 1, count("/transactions?type=REFUND"))
	assert.Equal(t, 1, count("/transactions?status=ERROR"))
}

// What the spec warns of: a literal reading of the cursor loses items of one millisecond,
// and one millisecond more does not.
func TestCursorIsStrictlyBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for range 3 {
		f.payout(1, "22961234567")
	}
	a := f.get("/operations?limit=2").ok(200)
	cursor := a.text("paging.next_before")
	assert.Empty(t, f.get("/operations?before="+cursor+"&limit=2").at("data"))
	more := f.get("/operations?before=" + wireTime(start.Add(time.Millisecond)) + "&limit=3").ok(200)
	assert.Len(t, more.at("data"), 3)
	assert.Nil(t, more.at("paging.next_before"))
}
