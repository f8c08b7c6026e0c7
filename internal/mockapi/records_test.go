package mockapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJournalExplainsARefusedSignature(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	body := payoutBody(25_000, "22961234567")
	f.do(call{method: "POST", endpoint: "/payouts", query: "b=2&a=1", body: body, edit: func(r *http.Request) {
		// A client that forgot to sort its query.
		r.Header.Set("X-Signature", sign(f.keys.Secret, r.Header.Get("X-Timestamp")+"\nPOST\n/api/v1/merchant/payouts\nb=2&a=1\n"+body))
	}}).refused(401, "signature_invalid")
	r := f.s.Requests()[0]
	assert.Equal(t, "2026-05-20T10:30:00.000Z\nPOST\n/api/v1/merchant/payouts\na=1&b=2\n"+body, r.Canonical())
	assert.Equal(t, "signature_mismatch", r.Reason)
	assert.Equal(t, "signature_invalid", r.Code)
	assert.Equal(t, 401, r.Status)
	assert.Equal(t, "/v1/payouts", r.Path)
	assert.Equal(t, "b=2&a=1", r.Query)
	assert.Equal(t, "/payouts", r.Endpoint)
	assert.Equal(t, "sandbox", r.Environment)
	assert.Equal(t, f.keys.Public, r.PublicKey)
	assert.Equal(t, "127.0.0.1", r.ClientIP)
	assert.Equal(t, body, string(r.Body))
	assert.NotEmpty(t, r.Signature)
	assert.NotEmpty(t, r.IdempotencyKey)
	assert.Contains(t, string(r.Response), "signature_mismatch")
	printed := fmt.Sprintf("%v %+v %#v %s", r, r, r, r)
	assert.NotContains(t, printed, "22961234567")
	assert.NotContains(t, printed, r.Signature)
	assert.Contains(t, printed, "POST /v1/payouts -> 401 signature_invalid signature_mismatch")

	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { r.Header.Del("X-Api-Key") }})
	assert.Empty(t, f.s.Requests()[1].Canonical(), "the signature was not looked at")
}

func TestJournalKeepsTheLastRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{JournalSize: 3})
	assert.Empty(t, f.s.Requests())
	for i := range 5 {
		f.get(fmt.Sprintf("/operations/op_%d", i))
		var got []string
		for _, r := range f.s.Requests() {
			got = append(got, strings.TrimPrefix(r.Path, "/v1/operations/op_"))
		}
		want := []string{"0", "1", "2", "3", "4"}[max(0, i-2) : i+1]
		assert.Equal(t, want, got)
	}
	f.s.Requests()[0].Header.Set("X-Api-Key", "changed")
	assert.NotEqual(t, "changed", f.s.Requests()[0].Header.Get("X-Api-Key"), "the journal is copied")
}

func TestAnswersCarryTheServersDateAndARequestID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	a := f.get("/balance")
	assert.Equal(t, "Wed, 20 May 2026 10:30:00 GMT", a.header.Get("Date"))
	assert.Equal(t, f.s.Requests()[0].ID, a.header.Get("X-Request-Id"))
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, "Wed, 20 May 2026 10:31:00 GMT", f.get("/balance").header.Get("Date"))
	for endpoint, status := range map[string]int{"/operations/op_nothing": 404, "/payouts": 405, "/nothing": 404, "/transactions?limit=0": 400} {
		assert.NotEmpty(t, f.get(endpoint).ok(status).header.Get("X-Request-Id"), endpoint)
	}
	assert.NotEmpty(t, f.do(call{method: "GET", endpoint: "/balance", keys: f.s.Merchant().Live}).ok(403).header.Get("X-Request-Id"))
	assert.NotEmpty(t, f.browse("GET", "/v1/payin/order-1", nil, nil).ok(401).header.Get("X-Request-Id"))
}

func TestSnapshotAndRestore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(10 * time.Second)})
	var got received
	got.answer(500)
	f.subscribe("*", got.ServeHTTP)
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "before-snapshot"}
	first := f.do(c).ok(202)
	id := first.text("data.operation_id")
	f.s.Clock().Advance(7 * time.Second)
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset, On: "/nothing"}))
	snapshot := f.s.Snapshot()
	requests := len(f.s.Requests())

	var histories []string
	for range 2 {
		assert.Equal(t, start.Add(7*time.Second), f.s.Clock().Now())
		assert.Equal(t, "processing", f.operation(id).text("data.status"))
		assert.Len(t, f.s.PendingFaults(), 1)
		f.s.ClearFaults()
		assert.Equal(t, "true", f.do(c).ok(202).header.Get("Idempotent-Replay"), "keys are part of it")
		f.s.Clock().Advance(3 * time.Second)
		assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
		require.NoError(t, f.s.SetWorker(WorkAtOnce()))
		reference := f.paid(500)
		f.refund(reference, 100)
		f.idle()
		assert.Equal(t, start.Add(70*time.Second), f.s.Deliveries()[0].NextAttempt)
		var history strings.Builder
		for _, e := range f.s.Ledger() {
			fmt.Fprintf(&history, "%+v\n", e)
		}
		histories = append(histories, history.String())
		require.NoError(t, f.s.Restore(snapshot))
		assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
		assert.Empty(t, f.s.Deliveries())
		f.get("/transactions/"+reference).refused(404, "transaction_not_found")
	}
	assert.Equal(t, histories[0], histories[1], "the same calls after a restore make the same ids and movements")
	assert.Greater(t, len(f.s.Requests()), requests, "the journal goes on")
	require.Error(t, f.s.Restore(nil))
	require.Error(t, newFixture(t, Config{}).s.Restore(snapshot))
}

func TestRestoreForgetsTheKeysUsedSince(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(10, "22961234567"), key: "used-before"}
	f.do(c).ok(202)
	snapshot := f.s.Snapshot()
	since := call{method: "POST", endpoint: "/payouts", body: payoutBody(10, "22961234567"), key: "used-since"}
	f.do(since).ok(202)
	require.NoError(t, f.s.Restore(snapshot))
	assert.Equal(t, "true", f.do(c).ok(202).header.Get("Idempotent-Replay"))
	assert.Empty(t, f.do(since).ok(202).header.Get("Idempotent-Replay"))
	assert.EqualValues(t, 999_980, f.wallet(mtnBenin))
}

func TestReferencesAreUnique(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, taken := f.requestPayment(1000, "", "")
	op := &operation{id: "op_1", account: f.s.accountOf(f.keys.Public), prepared: &transaction{reference: taken, account: f.s.accountOf(f.keys.Public)}}
	f.s.mu.Lock()
	tx := f.s.newTransaction(op, typeDebit)
	f.s.mu.Unlock()
	assert.NotEqual(t, taken, tx.reference)
	assert.Equal(t, op.reference, tx.reference)
}

func TestRestoreKeepsWhatCannotBeUndone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	queued := func() string {
		require.NoError(t, f.s.SetWorker(WorkByHand()))
		return f.payout(10, "22961234567")
	}()
	snapshot := f.s.Snapshot()
	other, err := f.s.AddMerchant(MerchantConfig{})
	require.NoError(t, err)
	require.NoError(t, f.s.Complete(queued))
	require.NoError(t, f.s.Restore(snapshot))
	f.do(call{method: "GET", endpoint: "/balance", keys: other.Sandbox}).ok(200)
	third, err := f.s.AddMerchant(MerchantConfig{})
	require.NoError(t, err)
	assert.NotEqual(t, other.Sandbox.Public, third.Sandbox.Public, "keys stay unique although the same draws come again")
	assert.Equal(t, "queued", f.operation(queued).text("data.status"))
	require.NoError(t, f.s.Complete(queued))
	assert.EqualValues(t, 999_990, f.wallet(mtnBenin))
}

func TestRestoreOnARunningClockRunsWhatIsOverdue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Running: true, Worker: WorkAfter(time.Hour)})
	id := f.payout(10, "22961234567")
	snapshot := f.s.Snapshot()
	f.s.Clock().Advance(2 * time.Hour)
	require.NoError(t, f.s.Restore(snapshot))
	f.s.Clock().Advance(30 * time.Minute) // it started at once, late, and takes the other half from there
	op, err := f.s.AwaitOperation(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", op.Status)
}

func TestSameSeedSameServer(t *testing.T) {
	t.Parallel()
	story := func(seed uint64) string {
		f := newFixture(t, Config{Seed: seed})
		f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
		reference := f.paid(1000)
		f.refund(reference, 0)
		f.idle()
		var all strings.Builder
		for _, r := range f.s.Requests() {
			all.Write(r.Response)
		}
		m := f.s.Merchant()
		all.WriteString(m.Sandbox.Public + m.Sandbox.Secret + m.Live.Public + m.Live.Secret)
		for _, d := range f.s.Deliveries() {
			all.WriteString(d.ID)
		}
		return all.String()
	}
	first := story(7)
	assert.Equal(t, first, story(7))
	assert.NotEqual(t, story(7), story(8))
	a, b := newFixture(t, Config{}), newFixture(t, Config{})
	assert.NotEqual(t, a.s.Seed(), b.s.Seed())
	assert.NotZero(t, a.s.Seed())
}

func TestKeysAndIdsLookLikeTheRealOnes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	m := f.s.Merchant()
	assert.Regexp(t, `^pk_sandbox_[0-9a-f]{24}$`, m.Sandbox.Public)
	assert.Regexp(t, `^sk_sandbox_[0-9a-f]{32}$`, m.Sandbox.Secret)
	assert.Regexp(t, `^pk_live_[0-9a-f]{24}$`, m.Live.Public)
	assert.Regexp(t, `^sk_live_[0-9a-f]{32}$`, m.Live.Secret)
	id, reference := f.requestPayment(1000, "", "")
	assert.Regexp(t, `^op_[0-9a-f]{16}$`, id)
	assert.Regexp(t, `^[A-Z0-9]{10}$`, reference)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for wrong, c := range map[string]Config{
		"Currency":             {Currency: "francs"},
		"FeeBasisPoints":       {FeeBasisPoints: 10_001},
		"PayoutFeeBasisPoints": {PayoutFeeBasisPoints: -1},
		"MinAmount":            {MinAmount: 10, MaxAmount: 5},
		"MaxAmount":            {MaxAmount: maxUnits + 1},
		"JournalSize":          {JournalSize: -1},
		"environment":          {Merchant: MerchantConfig{Balances: map[string]map[string]int64{"staging": {}}}},
		"payment method":       {Merchant: MerchantConfig{Balances: map[string]map[string]int64{"live": {"ORANGE": 1}}}},
		"balance":              {Merchant: MerchantConfig{Balances: map[string]map[string]int64{"live": {mtnBenin: -1}}}},
		"is neither":           {TrustedProxies: []string{"proxy"}},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, wrong)
	}
	f := newFixture(t, Config{Merchant: MerchantConfig{Inactive: true}})
	f.keys = f.s.Merchant().Live
	f.get("/balance").refused(403, "merchant_inactive")
	_, err := f.s.AddMerchant(MerchantConfig{IPAllowlist: []string{"nonsense"}})
	require.Error(t, err)
	require.Error(t, f.s.Listen("nowhere:-1"))
}

func TestAwaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(10 * time.Second)})
	var got received
	f.subscribe("*", got.ServeHTTP)
	id := f.payout(1, "22961234567")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.s.AwaitOperation(ended, id)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "operation "+id+" is queued")
	require.ErrorContains(t, err, "due in 5s")
	_, err = f.s.AwaitEvent(ended, "payout.completed", id)
	require.ErrorContains(t, err, "there was no payout.completed about "+id)
	_, err = f.s.AwaitOperation(ended, "op_nothing")
	require.ErrorContains(t, err, "there is no operation op_nothing")
	_, err = f.s.AwaitTransaction(ended, "NOTHING000")
	require.ErrorContains(t, err, "there is no transaction")
	_, err = f.s.AwaitDelivery(ended, "whd_nothing")
	require.ErrorContains(t, err, "there is no delivery")

	go f.s.Clock().Advance(10 * time.Second)
	op, err := f.s.AwaitOperation(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", op.Status)
	assert.Equal(t, "payout", op.Type)
	assert.Equal(t, sandbox, op.Environment)
	assert.Contains(t, string(op.Result), `"status":"completed"`)
	event, err := f.s.AwaitEvent(t.Context(), "payout.completed", id)
	require.NoError(t, err)
	require.Len(t, event.Deliveries, 1)
	assert.Equal(t, 1, got.count(), "delivered by then")
	byReference, err := f.s.AwaitEvent(t.Context(), "payout.completed", op.Reference)
	require.NoError(t, err)
	assert.Equal(t, event, byReference)
	d, err := f.s.AwaitDelivery(t.Context(), event.Deliveries[0])
	require.NoError(t, err)
	assert.Equal(t, id, d.OperationID)

	f.idle()
	_, err = f.s.AwaitOperation(ended, "op_nothing")
	require.ErrorContains(t, err, "nothing is due")
	_, ok := f.s.Operation("op_nothing")
	assert.False(t, ok)

	require.NoError(t, f.s.SetWorker(WorkAtOnce()))
	_, reference := f.requestPayment(1000, mtnBenin, "22961000009")
	require.NoError(t, f.s.Pay(reference))
	go f.s.Clock().Advance(time.Minute)
	tx, err := f.s.AwaitTransaction(t.Context(), reference)
	require.NoError(t, err)
	assert.Equal(t, txError, tx.Status)
	assert.EqualValues(t, 1000, tx.Amount)

	failed, _ := f.s.Operation(f.payout(1, "22961000001"))
	assert.Equal(t, "provider_error", failed.ErrorCode)
}

func TestTransportKeepsTheRulesOfARoundTripper(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r := f.request(call{method: "GET", endpoint: "/balance"}).WithContext(ended)
	closed := &closeRecorder{Reader: strings.NewReader("")}
	r.Body = closed
	_, err := f.s.Transport().RoundTrip(r)
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, closed.closed, "the body is closed on an error too")

	broken := &closeRecorder{Reader: failingReader{}}
	r = f.request(call{method: "POST", endpoint: "/payouts"})
	r.Body, r.ContentLength = broken, 5
	_, err = f.s.Transport().RoundTrip(r)
	require.ErrorContains(t, err, "gone")
	assert.True(t, broken.closed)

	r = f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567")})
	header := r.Header.Clone()
	resp, err := f.s.Transport().RoundTrip(r)
	require.NoError(t, err)
	assert.Equal(t, "202 Accepted", resp.Status)
	assert.Same(t, r, resp.Request)
	assert.Equal(t, header, r.Header, "the request is not changed")

	// A handler that writes nothing responds 200; one that writes a body first, too; a
	// second status is ignored.
	for _, h := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) {},
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			w.WriteHeader(http.StatusInternalServerError)
		},
	} {
		rt := &inProcess{handler: h}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://receiver.intram.test", http.NoBody)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(r)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func TestErrorsOfReplies(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "unexpected EOF", bodyError(io.ErrUnexpectedEOF))
	assert.Equal(t, "read error", bodyError(errors.New("x")))
	assert.Equal(t, "cancelled", deliveryError(context.Canceled, false))
	var empty operationFailure
	assert.Equal(t, "null", string((*operationFailure)(nil).appendJSON(nil)))
	assert.Contains(t, string(empty.appendJSON(nil)), `"details":null`)
}
