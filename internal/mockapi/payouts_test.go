package mockapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBalanceShowsWalletsInTheCatalogueOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{
		"sandbox": {moovBenin: 440_000, mtnBenin: 800_000},
	}}})
	a := f.get("/balance").ok(200)
	assert.JSONEq(t, `{"error":false,"http_status":200,"data":{"currency":"XOF","payment_method_balances":[
		{"payment_method":"MTN Bénin","available":800000,"pending":0},
		{"payment_method":"Moov Bénin","available":440000,"pending":0}]}}`, string(a.body))
}

func TestMerchantWithoutWallet(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {}}}})
	assert.JSONEq(t, string(testdata(t, "examples", "balance.no_wallet.current.json")), string(f.get("/balance").ok(200).body))
	f.failedWith(f.payout(1, "22961234567"), "merchant_wallet_missing")
	f.failedWith(f.post("/payouts", bankBody(1)).ok(202).text("data.operation_id"), "merchant_wallet_missing")
	f.failedWith(f.post("/payment-requests", paymentBody(1000, "", "")).ok(202).text("data.operation_id"), "merchant_wallet_missing")
}

func TestPayoutDebitsItsProvidersWallet(t *testing.T) {
	t.Parallel()
	for code, name := range map[string]string{mtnBenin: "MTN Bénin", moovBenin: "Moov Bénin", sbinBenin: "SBIN Bénin"} {
		f := newFixture(t, Config{})
		id := f.post("/payouts", strings.Replace(payoutBody(25_000, "22961234567"), mtnBenin, code, 1)).ok(202).text("data.operation_id")
		op := f.operation(id)
		assert.Equal(t, "succeeded", op.text("data.status"))
		assert.Equal(t, "completed", op.text("data.result.status"))
		assert.Equal(t, "25000", op.text("data.result.amount"))
		assert.Equal(t, "22961234567", op.text("data.result.destination.msisdn"))
		assert.Equal(t, "00", op.text("data.result.provider_response.responsecode"))
		assert.EqualValues(t, 975_000, f.wallet(code))
		assert.Equal(t, []string{"payout.completed"}, f.events(id))
		list := f.get("/transactions?type=DEBIT").ok(200)
		assert.Equal(t, "SUCCESS", list.text("data.0.status"))
		assert.Equal(t, name, list.text("data.0.payment_method"))
	}
}

func TestPayoutWithoutTheProvidersWallet(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {moovBenin: 10}}}})
	f.failedWith(f.payout(1, "22961234567"), "merchant_wallet_missing")
}

func TestPayoutNeedsTheWholeAmount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {mtnBenin: 1000}}}})
	id := f.payout(1001, "22961234567")
	f.failedWith(id, "insufficient_balance")
	assert.Equal(t, []string{"payout.failed"}, f.events(id))
	assert.Empty(t, f.get("/transactions").at("data"), "no money moved, so there is no transaction")
	f.payout(1000, "22961234567")
	assert.Zero(t, f.wallet(mtnBenin))
}

// The wallet has to hold the fees beside the amount, and is debited with both.
func TestPayoutFeesComeOnTop(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{PayoutFeeBasisPoints: 100, Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {mtnBenin: 10_099}}}})
	account := func(name string) int64 {
		var sum int64
		for _, e := range f.s.Ledger() {
			if strings.HasPrefix(e.Account, name) {
				sum += e.Amount
			}
		}
		return sum
	}
	for _, body := range []string{payoutBody(10_000, "22961234567"), bankBody(10_000)} {
		f.failedWith(f.post("/payouts", body).ok(202).text("data.operation_id"), "insufficient_balance")
	}
	assert.EqualValues(t, 10_099, f.wallet(mtnBenin), "the amount alone is there, and nothing moves")

	require.NoError(t, f.s.TopUp(sandbox, mtnBenin, 1))
	f.post("/payouts", payoutBody(10_000, "22961000003")).ok(202) // declined
	assert.EqualValues(t, 10_100, f.wallet(mtnBenin), "the fees are credited back too")
	id := f.payout(10_000, "22961234567")
	assert.Zero(t, f.wallet(mtnBenin))
	tx := f.get("/transactions?type=DEBIT&status=SUCCESS").ok(200)
	assert.Equal(t, []any{"10000", "100", "10000"}, []any{tx.at("data.0.amount"), tx.at("data.0.fees"), tx.at("data.0.net_amount")})
	assert.Equal(t, "10000", f.operation(id).at("data.result.amount"))
	assert.EqualValues(t, 100, account("fees:"))
	assert.EqualValues(t, 10_000, account("provider:"+sandbox+":"+mtnBenin))

	require.NoError(t, f.s.TopUp(sandbox, mtnBenin, 5000)) // the amount alone
	require.NoError(t, f.s.TopUp(sandbox, moovBenin, 5050))
	bank := f.post("/payouts", bankBody(5000)).ok(202).text("data.operation_id")
	assert.EqualValues(t, 5000, f.wallet(mtnBenin))
	assert.Zero(t, f.wallet(moovBenin), "the first wallet that holds amount and fees")
	require.NoError(t, f.s.Complete(bank))
	assert.EqualValues(t, 150, account("fees:"))
	assert.EqualValues(t, 5000, account("provider:"+sandbox+":"+bankCode))
}

func TestPayoutWithoutProviderCodeFailsInTheWorker(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	id := f.post("/payouts", `{"amount":5,"destination":{"type":"mobile_money","msisdn":"22961234567"}}`).ok(202).text("data.operation_id")
	f.failedWith(id, "missing_provider_code")
	assert.Equal(t, []string{"payout.failed"}, f.events(id))
}

// The operators are examples, not a closed list: one that the country does not have is
// accepted, and fails in the worker.
func TestAnOperatorThatNobodyHandlesFailsInTheWorker(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{
		`"provider_code":"ORANGE_CI_225","msisdn":"2250700000000"`,
		`"provider_code":"CARD","msisdn":"22961000000"`,
		`"provider_code":"MTN_BENIN_229","country_code":"FR","msisdn":"22961000000"`,
	} {
		f := newFixture(t, Config{})
		id := f.post("/payouts", `{"amount":5,"destination":{"type":"mobile_money",`+destination+`}}`).ok(202).text("data.operation_id")
		f.failedWith(id, "provider_unavailable")
		assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
		assert.Equal(t, []string{"payout.failed"}, f.events(id))
	}
	f := newFixture(t, Config{})
	for _, country := range []string{`"country_code":"BJ",`, ""} { // it is optional
		id := f.post("/payouts", `{"amount":5,"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229",`+country+`"msisdn":"22961000000"}}`).
			ok(202).text("data.operation_id")
		assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	}
}

// A payout's metadata is sent on in each of its events, word for word.
func TestMetadataIsInTheEventsOfAPayout(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, destination := range []string{
		`"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000000"`,
		`"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000004"`,
		`"type":"bank_account","account_number":"1"`,
	} {
		id := f.post("/payouts", `{"amount":5,"metadata":{"n":12345678901234567890,"é":[]},"destination":{`+destination+`}}`).ok(202).text("data.operation_id")
		f.operation(id)
		events := f.s.Events()
		event := events[len(events)-1]
		assert.Equal(t, id, event.OperationID)
		assert.Contains(t, string(event.Body), `"metadata":{"n":12345678901234567890,"é":[]}`)
		if event.Type == "payout.queued" {
			require.NoError(t, f.s.Complete(id))
			events = f.s.Events()
			assert.Equal(t, "payout.completed", events[len(events)-1].Type)
			assert.Contains(t, string(events[len(events)-1].Body), `"metadata":{"n":12345678901234567890,"é":[]}`)
		}
	}
	f.payout(5, "22961000000")
	events := f.s.Events()
	assert.NotContains(t, string(events[len(events)-1].Body), "metadata")
}

func TestRefusedPayoutIsCreditedBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	id := f.payout(5000, "22961000004")
	op := f.failedWith(id, "provider_rejected")
	assert.Equal(t, "102", op.text("data.error.details.responsecode"))
	assert.Equal(t, "Subscriber not found", op.text("data.error.details.responsemsg"))
	assert.Equal(t, "Subscriber not found", op.text("data.error.message"))
	assert.Nil(t, op.at("data.result"))
	assert.Equal(t, []string{"payout.failed"}, f.events(id))
	assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
	assert.Equal(t, "ERROR", f.get("/transactions").text("data.0.status"))
	var memos []string
	for _, e := range f.s.Ledger() {
		if e.OperationID == id {
			memos = append(memos, e.Memo)
		}
	}
	assert.Equal(t, []string{"payout debited", "payout debited", "payout failed", "payout failed"}, memos)
}

func TestProviderThatIsDown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.SetProviderDown(mtnBenin, true))
	id := f.payout(5, "22961234567")
	f.failedWith(id, "provider_unavailable")
	f.failedWith(f.post("/payouts", strings.Replace(payoutBody(5, "22961000001"), mtnBenin, moovBenin, 1)).ok(202).text("data.operation_id"), "provider_error")
	f.post("/payouts", strings.Replace(payoutBody(5, "22961234567"), mtnBenin, moovBenin, 1)).ok(202)
	require.NoError(t, f.s.SetProviderDown(mtnBenin, false))
	assert.Equal(t, "succeeded", f.operation(f.payout(5, "22961234567")).text("data.status"))
	require.Error(t, f.s.SetProviderDown("ORANGE", true))
}

func TestBankPayoutWaitsForItsSettlement(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {mtnBenin: 100, moovBenin: 900, sbinBenin: 900}}}})
	id := f.post("/payouts", bankBody(500)).ok(202).text("data.operation_id")
	op := f.operation(id)
	assert.Equal(t, "succeeded", op.text("data.status"))
	assert.Equal(t, "queued_for_settlement", op.text("data.result.status"))
	assert.NotContains(t, string(op.body), "provider_response")
	assert.Equal(t, "BJ0610100100144390000769", op.text("data.result.destination.account_number"))
	queued := answer{t: t, body: f.s.Events()[0].Body}
	assert.Equal(t, "BJ0610100100144390000769", queued.text("data.destination.account_number"))
	assert.EqualValues(t, 400, f.wallet(moovBenin), "the first wallet that holds enough")
	assert.Equal(t, []string{"payout.queued"}, f.events(id))
	assert.Equal(t, "PENDING", f.get("/transactions").text("data.0.status"))

	f.s.Clock().Advance(time.Hour)
	require.NoError(t, f.s.Complete(id))
	op = f.operation(id)
	assert.Equal(t, "completed", op.text("data.result.status"))
	assert.Equal(t, wireTime(start.Add(time.Hour)), op.text("data.updated_date"))
	assert.Equal(t, []string{"payout.queued", "payout.completed"}, f.events(id))
	assert.Equal(t, "SUCCESS", f.get("/transactions").text("data.0.status"))
	require.ErrorContains(t, f.s.Complete(id), "already succeeded")

	rejected := f.post("/payouts", bankBody(400)).ok(202).text("data.operation_id")
	require.NoError(t, f.s.Fail(rejected, "provider_rejected"))
	assert.Equal(t, "failed", f.operation(rejected).text("data.result.status"))
	assert.Equal(t, []string{"payout.queued", "payout.failed"}, f.events(rejected))
	assert.EqualValues(t, 400, f.wallet(moovBenin))
	f.failedWith(f.post("/payouts", bankBody(901)).ok(202).text("data.operation_id"), "insufficient_balance")
	f.post("/payouts", bankBody(900)).ok(202)
	assert.Zero(t, f.wallet(sbinBenin), "exactly enough is enough")
}

func TestPayoutNamesItsPayeeByNameAndSurname(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.post("/payouts", strings.Replace(payoutBody(5, "22961234567"), `"msisdn"`, `"account_name":"Ada","account_surname":"Lovelace","msisdn"`, 1)).ok(202)
	assert.Equal(t, "Ada Lovelace", f.get("/transactions").text("data.0.customer.name"))
}

func TestPayoutWithoutReferenceGetsTheTransactions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	id := f.post("/payouts", strings.Replace(payoutBody(5, "22961234567"), `,"reference":"PO-1"`, "", 1)).ok(202).text("data.operation_id")
	reference := f.operation(id).text("data.result.reference")
	assert.Equal(t, "5", f.transaction(reference).text("data.amount"))
}

func TestPayloadIsEchoedCompact(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	a := f.post("/payouts", "{ \"amount\" : 1.0e3,\n \"destination\":{\"type\":\"bank_account\",\"account_number\":\"1 2\"} , \"metadata\":{\"é\":\"✓\"}}").ok(202)
	var body struct {
		Data struct{ Payload json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(a.body, &body))
	assert.Equal(t, `{"amount":1.0e3,"destination":{"type":"bank_account","account_number":"1 2"},"metadata":{"é":"✓"}}`, string(body.Data.Payload))
}
