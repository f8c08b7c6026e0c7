package mockapi

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFullRefund(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(12_000)
	id := f.refund(reference, 0)
	op := f.operation(id)
	assert.Equal(t, "succeeded", op.text("data.status"))
	assert.Equal(t, "completed", op.text("data.result.status"))
	assert.Equal(t, "12000", op.text("data.result.amount"))
	assert.Equal(t, reference, op.text("data.result.transaction_reference"))
	tx := f.transaction(reference)
	assert.Equal(t, "REFUNDED", tx.text("data.status"))
	assert.Equal(t, op.text("data.result.refund_reference"), tx.text("data.refunds.0.reference"))
	assert.Equal(t, "SUCCESS", tx.text("data.refunds.0.status"))
	assert.Nil(t, tx.at("data.refunds.0.reason"))
	assert.Equal(t, []string{"refund.completed"}, f.events(id))
	assert.EqualValues(t, 1_000_000-240, f.wallet(mtnBenin), "the fee is not given back")
	refund := f.transaction(op.text("data.result.refund_reference"))
	assert.Equal(t, "REFUND", refund.text("data.type"))
	assert.Equal(t, "12000", refund.text("data.amount"))
	f.failedWith(f.refund(reference, 0), "not_refundable")
}

func TestPartialRefundsAddUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(10_000)
	f.refund(reference, 4000)
	tx := f.transaction(reference)
	assert.Equal(t, "SUCCESS", tx.text("data.status"), "something is left to refund")
	assert.Equal(t, "Demande client", tx.text("data.refunds.0.reason"))
	events := f.s.Events()
	told := answer{t: t, body: events[len(events)-1].Body}
	assert.Equal(t, []string{"refund.completed", "Demande client"}, []string{told.text("event"), told.text("data.reason")})
	f.failedWith(f.refund(reference, 6001), "amount_exceeds_transaction")
	f.refund(reference, 3000)
	rest := f.refund(reference, 0) // all that is left
	assert.Equal(t, "3000", f.operation(rest).text("data.result.amount"))
	tx = f.transaction(reference)
	assert.Equal(t, "REFUNDED", tx.text("data.status"))
	assert.Len(t, tx.at("data.refunds"), 3)
	assert.EqualValues(t, 1_000_000-200, f.wallet(mtnBenin))
}

func TestRefundsThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {mtnBenin: 0, moovBenin: 0}}}})
	f.post("/refunds", refundBody("ZZZZZZZZZZ", 0)).refused(404, "transaction_not_found")
	assert.Empty(t, f.get("/operations").at("data"), "a 404 creates no operation")

	reference := f.paid(1000)
	refused := func(id, code string) {
		f.failedWith(id, code)
		assert.Equal(t, []string{"refund.failed"}, f.events(id), code)
	}
	refused(f.refund(reference, 1001), "amount_exceeds_transaction")
	f.failedWith(f.refund(reference, 1000), "insufficient_balance") // the wallet holds the net amount only

	_, open := f.requestPayment(1000, mtnBenin, "")
	refused(f.refund(open, 0), "transaction_not_settled")
	_, unknown := f.requestPayment(1000, "", "")
	f.failedWith(f.refund(unknown, 0), "transaction_not_settled")
	require.NoError(t, f.s.Decline(open))
	refused(f.refund(open, 0), "not_refundable")
	assert.Empty(t, f.transaction(open).at("data.refunds"))

	payout, _ := f.s.Operation(f.payout(100, "22961234567"))
	f.failedWith(f.refund(payout.Reference, 0), "not_refundable")

	require.NoError(t, f.s.SetProviderDown(mtnBenin, true))
	f.failedWith(f.refund(reference, 10), "provider_unavailable")

	_, bank := f.requestPayment(1000, bankCode, "")
	require.NoError(t, f.s.Pay(bank))
	f.s.Clock().Advance(lateAnswer)
	f.failedWith(f.refund(bank, 0), "unsupported_payment_method")

	_, card := f.requestPayment(1000, cardCode, "")
	require.NoError(t, f.s.SetProviderDown(cardCode, true))
	f.failedWith(f.refund(card, 0), "stripe_unavailable")
}

func TestRefundOfAPendingCardPaymentCancelsIt(t *testing.T) {
	t.Parallel()
	for name, confirm := range map[string]bool{"open": false, "confirmed": true, "open transfer": false, "confirmed transfer": true} {
		f := newFixture(t, Config{})
		method := cardCode
		if strings.HasSuffix(name, "transfer") {
			method = bankCode
		}
		_, reference := f.requestPayment(1000, method, "")
		if confirm {
			require.NoError(t, f.s.Pay(reference))
		}
		f.failedWith(f.refund(reference, 999), "transaction_not_settled") // a part of it cannot be cancelled
		op := f.operation(f.refund(reference, 0))
		assert.Equal(t, "succeeded", op.text("data.status"), name)
		f.s.Clock().Advance(time.Hour)
		tx := f.transaction(reference)
		assert.Equal(t, "REFUNDED", tx.text("data.status"))
		assert.Equal(t, "SUCCESS", tx.text("data.refunds.0.status"))
		assert.NotContains(t, f.events(reference), "payment_request.paid")
		require.Error(t, f.s.Pay(reference))
		for _, e := range f.s.Ledger() {
			if e.Account == WalletAccount(f.s.Merchant().ID, sandbox, method) {
				t.Errorf("the available balance moved: %+v", e)
			}
		}
	}
}

func TestCancellationThatFailsLetsThePaymentGoOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, cardCode, "")
	require.NoError(t, f.s.Pay(reference))
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	id := f.refund(reference, 0)
	require.NoError(t, f.s.Process(id))
	require.ErrorContains(t, f.s.SettlePayment(reference), "being cancelled")
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"), "it waits for what becomes of its cancellation")
	require.NoError(t, f.s.Fail(id, "stripe_unavailable"))
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.refunds.0.status"))
	f.s.Clock().Advance(lateAnswer)
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
}

// A cancellation moves no money, and so waits for no operator, whatever number the
// request suggests.
func TestACancellationWaitsForNoOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, cardCode, "22961000014")
	id := f.refund(reference, 0)
	assert.Equal(t, "completed", f.operation(id).text("data.result.status"))
	assert.Equal(t, []string{"refund.completed"}, f.events(id))
	assert.Equal(t, "REFUNDED", f.transaction(reference).text("data.status"))
}

// A payment whose cancellation failed ends when it is not paid.
func TestCancellationThatFailsLeavesTheTimeToPay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, cardCode, "")
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	id := f.refund(reference, 0)
	require.NoError(t, f.s.Process(id))
	f.s.Clock().Advance(time.Hour)
	require.NoError(t, f.s.Fail(id, "stripe_unavailable"))
	f.s.Clock().Advance(23*time.Hour - time.Millisecond)
	assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"))
	f.s.Clock().Advance(time.Millisecond)
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.status"), "a day after the request")
	assert.Equal(t, []string{"payment_request.created", "refund.failed", "payment_request.failed"}, f.events(reference))
}

func TestRefundUnderWayCountsAsRefunded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(1000)
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	first, second := f.refund(reference, 600), f.refund(reference, 600)
	require.NoError(t, f.s.Process(first))
	assert.Equal(t, "PENDING", f.transaction(reference).text("data.refunds.0.status"))
	require.ErrorContains(t, f.s.Complete(second), "amount_exceeds_transaction")
	require.NoError(t, f.s.Fail(first, "provider_error"))
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.refunds.0.status"))
	assert.EqualValues(t, 1_000_980, f.wallet(mtnBenin), "credited back")
	third := f.refund(reference, 1000)
	require.NoError(t, f.s.Complete(third))
	assert.Equal(t, "REFUNDED", f.transaction(reference).text("data.status"))
}

func TestTwoRefundsUnderWayMakeItRefundedWhenBothEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(1000)
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	first, second := f.refund(reference, 600), f.refund(reference, 400)
	require.NoError(t, f.s.Process(first))
	require.NoError(t, f.s.Process(second))
	require.NoError(t, f.s.Complete(first))
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
	require.NoError(t, f.s.Complete(second))
	assert.Equal(t, "REFUNDED", f.transaction(reference).text("data.status"))
}

func TestRefundsFollowThePayersNumber(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, late := f.requestPayment(1000, mtnBenin, "22961000008")
	require.NoError(t, f.s.Pay(late))
	f.s.Clock().Advance(lateAnswer)
	id := f.refund(late, 100)
	assert.Equal(t, "processing", f.operation(id).text("data.status"))
	f.s.Clock().Advance(lateAnswer)
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))

	_, reordered := f.requestPayment(1000, mtnBenin, "22961000012")
	require.NoError(t, f.s.Pay(reordered))
	assert.Equal(t, []string{"refund.completed", "refund.pending"}, f.events(f.refund(reordered, 100)))
}

// A mobile-money refund may wait for its operator: its operation has succeeded, and its
// money has not arrived.
func TestARefundWaitsForItsOperator(t *testing.T) {
	t.Parallel()
	for number, end := range map[string]string{"22961000014": "completed", "22961000015": "failed"} {
		for _, byHand := range []bool{false, true} {
			f := newFixture(t, Config{})
			_, reference := f.requestPayment(1000, mtnBenin, number)
			require.NoError(t, f.s.Pay(reference))
			before := f.wallet(mtnBenin)
			id := f.refund(reference, 400)
			op := f.operation(id)
			assert.Equal(t, "succeeded", op.text("data.status"))
			assert.Equal(t, "pending", op.text("data.result.status"))
			assert.Equal(t, []string{"refund.pending"}, f.events(id))
			assert.Equal(t, before-400, f.wallet(mtnBenin), "debited while the operator thinks")
			assert.Equal(t, "PENDING", f.transaction(reference).text("data.refunds.0.status"))

			f.s.Clock().Advance(30*time.Second - time.Millisecond)
			assert.Equal(t, "pending", f.operation(id).text("data.result.status"))
			switch {
			case !byHand:
				f.s.Clock().Advance(time.Millisecond)
				assert.Equal(t, end, f.operation(id).text("data.result.status"))
			case end == "failed":
				require.NoError(t, f.s.Fail(id, "provider_error"))
			default:
				require.NoError(t, f.s.Complete(id))
			}
			f.s.Clock().Advance(time.Hour)
			op = f.operation(id)
			assert.Equal(t, "succeeded", op.text("data.status"))
			assert.Equal(t, end, op.text("data.result.status"))
			assert.Equal(t, []string{"refund.pending", "refund." + end}, f.events(id), "each once")
			if end == "failed" {
				assert.Equal(t, before, f.wallet(mtnBenin), "credited back")
				assert.Equal(t, "ERROR", f.transaction(reference).text("data.refunds.0.status"))
				f.operation(f.refund(reference, 1000)) // all of it can be refunded again
			} else {
				assert.Equal(t, before-400, f.wallet(mtnBenin))
				assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.refunds.0.status"))
			}
			require.Error(t, f.s.Complete(id))
			require.Error(t, f.s.Fail(id, "provider_error"))
		}
	}
}
