package mockapi

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNumbersThatAreTestNumbers(t *testing.T) {
	t.Parallel()
	for number, isTwo := range map[string]bool{
		"22961000002": true, "2290161000002": true, "+2250700000002": true,
		"61000002": true, "000002": true, "00002": false, "": false, "22961100002": false, "22961234567": false,
	} {
		assert.Equal(t, isTwo, scriptOf(sandbox, number) == scripts[2], number)
		assert.Equal(t, script{}, scriptOf(live, number), "live knows no test numbers")
	}
	assert.Equal(t, script{}, scriptOf(sandbox, "22961000016"), "beyond the table")
	assert.Equal(t, script{}, scriptOf(sandbox, "229610000AB"))
	assert.Len(t, scripts, 16)
	for _, published := range []string{"61000000", "94000000"} {
		assert.Equal(t, script{}, scriptOf(sandbox, published), "the published numbers succeed")
	}
}

// outcome is a row of the table: how the operation ends, when, and which events are sent.
type outcome struct {
	nn     string
	after  time.Duration // when it ends; before that it is processing (payout) or PENDING (payment)
	status string        // of the payout's operation
	code   string
	events []string // of the payout
	tx     string   // of the payment
	paid   []string // events of the payment, after created
}

var outcomes = []outcome{
	{"00", 0, "succeeded", "", []string{"payout.completed"}, "SUCCESS", []string{"payment_request.paid"}},
	{"01", 0, "failed", "provider_error", []string{"payout.failed"}, "ERROR", []string{"payment_request.failed"}},
	{"02", 0, "failed", "insufficient_balance", []string{"payout.failed"}, "ERROR", []string{"payment_request.failed"}},
	{"03", 0, "failed", "provider_rejected", []string{"payout.failed"}, "ERROR", []string{"payment_request.failed"}},
	{"04", 0, "failed", "provider_rejected", []string{"payout.failed"}, "ERROR", []string{"payment_request.failed"}},
	{"05", 0, "failed", "provider_rejected", []string{"payout.failed"}, "ERROR", []string{"payment_request.failed"}},
	{"06", 6 * time.Minute, "expired", "provider_unavailable", []string{"payout.failed"}, "ERROR", []string{"payment_request.pending", "payment_request.failed"}},
	{"07", -1, "processing", "", nil, "PENDING", nil},
	{"08", 30 * time.Second, "succeeded", "", []string{"payout.completed"}, "SUCCESS", []string{"payment_request.pending", "payment_request.paid"}},
	{"09", 30 * time.Second, "failed", "provider_error", []string{"payout.failed"}, "ERROR", []string{"payment_request.pending", "payment_request.failed"}},
	{"10", 0, "succeeded", "", nil, "SUCCESS", nil},
	{"11", 0, "succeeded", "", []string{"payout.completed"}, "SUCCESS", []string{"payment_request.paid"}},
	{"12", 0, "succeeded", "", []string{"payout.completed", "payout.queued"}, "SUCCESS", []string{"payment_request.paid", "payment_request.created"}},
}

func TestOutcomesOfPayouts(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		t.Run(o.nn, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			id := f.payout(1000, "229610000"+o.nn)
			if o.after != 0 {
				assert.Equal(t, "processing", f.operation(id).text("data.status"))
				assert.EqualValues(t, 999_000, f.wallet(mtnBenin), "debited while the provider thinks")
			}
			if o.after > 0 {
				f.s.Clock().Advance(o.after - time.Millisecond)
				assert.Equal(t, "processing", f.operation(id).text("data.status"))
				f.s.Clock().Advance(time.Millisecond)
			} else {
				f.s.Clock().Advance(24 * time.Hour)
			}
			op := f.operation(id)
			assert.Equal(t, o.status, op.text("data.status"))
			if o.code != "" {
				assert.Equal(t, o.code, op.text("data.error.code"))
				assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
			} else {
				assert.Nil(t, op.at("data.error"))
				assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
			}
			assert.Equal(t, o.events, f.events(id))
		})
	}
}

func TestOutcomesOfPayments(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		t.Run(o.nn, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			_, reference := f.requestPayment(1000, mtnBenin, "229610000"+o.nn)
			want := append([]string{"payment_request.created"}, o.paid...)
			if o.nn == "12" {
				assert.Empty(t, f.events(reference), "held back")
				want = o.paid
			}
			require.NoError(t, f.s.Pay(reference))
			if o.after > 0 {
				f.s.Clock().Advance(o.after - time.Millisecond)
				assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"))
				announced := "980"
				if o.nn == "06" { // the payer did not respond: no money is under way
					announced = "0"
				}
				assert.Equal(t, announced, f.get("/balance").text("data.payment_method_balances.0.pending"))
				f.s.Clock().Advance(time.Millisecond)
			} else {
				f.s.Clock().Advance(24 * time.Hour)
			}
			assert.Equal(t, o.tx, f.transaction(reference).text("data.status"))
			assert.Equal(t, want, f.events(reference))
			if o.tx == "SUCCESS" {
				assert.EqualValues(t, 1_000_980, f.wallet(mtnBenin))
			} else {
				assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
			}
			require.Error(t, f.s.Pay(reference), "it is not open any more")
		})
	}
}

func TestRejectionsSayWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for nn, want := range map[string][]string{
		"03": {"101", "Declined by the payer"}, "04": {"102", "Subscriber not found"}, "05": {"103", "Limit reached"},
	} {
		op := f.failedWith(f.payout(1, "229610000"+nn), "provider_rejected")
		assert.Equal(t, want, []string{op.text("data.error.details.responsecode"), op.text("data.error.details.responsemsg")})
	}
}

// The docs print the numbers without a country code.
func TestPublishedTestNumbersAreTakenAsPrinted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{PeerAddress: "203.0.113.7", Merchant: MerchantConfig{IPAllowlist: []string{"203.0.113.7"}}})
	for number, operator := range map[string]string{"61000000": mtnBenin, "94000000": moovBenin} {
		body := strings.Replace(payoutBody(1000, number), mtnBenin, operator, 1)
		assert.Equal(t, "succeeded", f.operation(f.post("/payouts", body).ok(202).text("data.operation_id")).text("data.status"))
		_, reference := f.requestPayment(1000, operator, number)
		require.NoError(t, f.s.Pay(reference))
		assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
		f.do(call{method: "POST", endpoint: "/payouts", body: body, keys: f.s.Merchant().Live}).refused(400, "validation_error")
	}
	for number, other := range map[string]string{"61000000": moovBenin, "94000000": mtnBenin} {
		f.post("/payouts", strings.Replace(payoutBody(1000, number), mtnBenin, other, 1)).refused(400, "validation_error")
	}
}

func TestLiveKnowsNoTestNumbers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: []string{"127.0.0.1"}}})
	f.keys = f.s.Merchant().Live
	assert.Equal(t, "succeeded", f.operation(f.payout(1, "22961000001")).text("data.status"))
}

func TestEventDeliveredTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var mu sync.Mutex
	var attempts, ids, bodies []string
	f.subscribe("*", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		attempts = append(attempts, r.Header.Get("X-Intram-Attempt"))
		ids = append(ids, r.Header.Get("X-Intram-Delivery"))
		bodies = append(bodies, string(body))
	})
	id := f.payout(1, "22961000011")
	f.idle()
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	assert.Equal(t, []string{"1", "2"}, attempts)
	assert.Equal(t, ids[0], ids[1])
	assert.Equal(t, bodies[0], bodies[1])
}

func TestEventNeverSentIsStillLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.subscribe("*", func(http.ResponseWriter, *http.Request) { t.Error("delivered") })
	id := f.payout(1, "22961000010")
	f.s.Clock().Advance(48 * time.Hour)
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	events := f.s.Events()
	require.Len(t, events, 1)
	assert.True(t, events[0].Suppressed)
	assert.Empty(t, events[0].Deliveries)
}

func TestEventsOutOfOrderSayWhenTheyHappened(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(2 * time.Second)})
	id := f.payout(1, "22961000012")
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	events := f.s.Events()
	require.Len(t, events, 2)
	assert.Equal(t, id, events[1].OperationID)
	assert.True(t, events[1].OccurredAt.Before(events[0].OccurredAt))
}

func TestLostResponse(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961000013"), key: "lost-response"}
	_, err := f.send(c)
	require.ErrorIs(t, err, io.EOF)
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin), "executed all the same")
	again := f.do(c).ok(202)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replay"), "the same key tells what became of it")
	assert.Equal(t, "succeeded", f.operation(again.text("data.operation_id")).text("data.status"))
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
	logged := f.s.Requests()[0]
	assert.True(t, logged.Lost)
	assert.Zero(t, logged.Status)

	p := call{method: "POST", endpoint: "/payment-requests", body: paymentBody(1000, mtnBenin, "22961000013"), key: "lost-payment"}
	_, err = f.send(p)
	require.ErrorIs(t, err, io.EOF)
	id := f.do(p).ok(202).text("data.operation_id")
	reference := f.operation(id).text("data.result.transaction_reference")
	require.NoError(t, f.s.Pay(reference))
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
	_, err = f.send(call{method: "POST", endpoint: "/refunds", body: refundBody(reference, 0), key: "lost-refund"})
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "REFUNDED", f.transaction(reference).text("data.status"))
}

func TestLostResponseCutsARealConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.Listen("127.0.0.1:0"))
	r := f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961000013")})
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(f.s.BaseURL(), "http://")
	r.GetBody = nil // or net/http would repeat a request that carries an idempotency key
	network := &http.Transport{DisableKeepAlives: true}
	_, err := network.RoundTrip(r)
	require.Error(t, err)
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
}
