package mockapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// received is what a receiver got.
type received struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	status   int
}

func (r *received) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req)
	r.bodies = append(r.bodies, string(body))
	if r.status != 0 {
		w.WriteHeader(r.status)
	}
}

func (r *received) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *received) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

func TestDeliveryIsSignedAndLabelled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	whs, secret := f.subscribe("payout.*", got.ServeHTTP)
	id := f.payout(25_000, "22961234567")
	f.idle()
	require.Equal(t, 1, got.count())
	r, body := got.requests[0], got.bodies[0]
	assert.Equal(t, "POST", r.Method)
	assert.Equal(t, "Intram-Webhooks/1.0", r.Header.Get("User-Agent"))
	assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
	assert.Equal(t, "payout.completed", r.Header.Get("X-Intram-Event"))
	assert.Equal(t, "1", r.Header.Get("X-Intram-Attempt"))
	assert.Equal(t, wireTime(start), r.Header.Get("X-Intram-Timestamp"))
	assert.Equal(t, sign(secret, wireTime(start)+"."+body), r.Header.Get("X-Intram-Signature"))
	assert.True(t, strings.HasPrefix(secret, "whsec_"))
	assert.JSONEq(t, fmt.Sprintf(`{"event":"payout.completed","operation_id":%q,"occurred_at":"2026-05-20T10:30:00.000Z",
		"data":{"reference":"PO-1","amount":25000,"currency":"XOF","status":"completed","destination":{"type":"mobile_money","msisdn":"22961234567"}}}`, id), body)
	d := f.s.Deliveries()[0]
	assert.Equal(t, r.Header.Get("X-Intram-Delivery"), d.ID)
	assert.True(t, strings.HasPrefix(d.ID, "whd_"))
	assert.Equal(t, DeliveryDelivered, d.Status)
	assert.Equal(t, whs, d.SubscriptionID)
	assert.Equal(t, body, string(d.Body))
	assert.Equal(t, 200, d.Attempts[0].Status)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", d, d, d), "22961234567")
}

func TestPatternsMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"*", []string{"payment_request.created", "payment_request.paid", "payout.completed"}},
		{"all", []string{"payment_request.created", "payment_request.paid", "payout.completed"}},
		{"payout.*", []string{"payout.completed"}},
		{"payment_request.*", []string{"payment_request.created", "payment_request.paid"}},
		{"payment_request.paid", []string{"payment_request.paid"}},
		{"refund.*", nil},
		{"test.ping", nil},
	} {
		f := newFixture(t, Config{})
		var got received
		f.subscribe(c.pattern, got.ServeHTTP)
		f.paid(1000)
		f.payout(1, "22961234567")
		f.idle()
		var kinds []string
		for _, r := range got.requests {
			kinds = append(kinds, r.Header.Get("X-Intram-Event"))
		}
		assert.Equal(t, c.want, kinds, c.pattern)
	}
}

func TestSubscriptionsOfOneURLAreDeliveredEachOnItsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	url := f.s.Receive(&got)
	f.subscribeURL("*", url)
	f.subscribeURL("payout.*", url)
	f.payout(1, "22961234567")
	f.idle()
	require.Equal(t, 2, got.count())
	assert.NotEqual(t, got.requests[0].Header.Get("X-Intram-Delivery"), got.requests[1].Header.Get("X-Intram-Delivery"))
	assert.NotEqual(t, got.requests[0].Header.Get("X-Intram-Signature"), got.requests[1].Header.Get("X-Intram-Signature"))
}

// The documentation counts attempts from 1 to 5 in one place, and six of them in another.
func TestFiveAttempts(t *testing.T) {
	t.Parallel()
	for attempts, horizon := range map[int]time.Duration{5: 2*time.Hour + 36*time.Minute, 6: 14*time.Hour + 36*time.Minute} {
		f := newFixture(t, Config{DeliveryAttempts: attempts})
		var got received
		got.answer(500)
		f.subscribe("*", got.ServeHTTP)
		f.payout(1, "22961234567")
		f.s.Clock().Advance(72 * time.Hour)
		assert.Equal(t, attempts, got.count())
		d := f.s.Deliveries()[0]
		assert.Equal(t, DeliveryExhausted, d.Status)
		assert.Equal(t, horizon, d.Attempts[attempts-1].Time.Sub(start))
	}
	for _, n := range []int{-1, 1, 4, 7} {
		_, err := New(Config{DeliveryAttempts: n})
		require.ErrorContains(t, err, "DeliveryAttempts")
	}
}

func TestRetrySchedule(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	got.answer(500)
	_, secret := f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.idle()
	due := start
	var waited []time.Duration
	for i, wait := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour} {
		assert.Equal(t, i+1, got.count())
		d := f.s.Deliveries()[0]
		assert.Equal(t, DeliveryPending, d.Status)
		due = due.Add(wait)
		assert.Equal(t, due, d.NextAttempt)
		waited = append(waited, d.NextAttempt.Sub(f.s.Clock().Now()))
		f.s.Clock().Advance(wait - time.Millisecond)
		assert.Equal(t, i+1, got.count())
		f.s.Clock().Advance(time.Millisecond)
		assert.Equal(t, i+2, got.count())
		last := got.requests[i+1]
		assert.Equal(t, fmt.Sprint(i+2), last.Header.Get("X-Intram-Attempt"))
		assert.Equal(t, wireTime(due), last.Header.Get("X-Intram-Timestamp"), "dated afresh")
		assert.Equal(t, sign(secret, wireTime(due)+"."+got.bodies[i+1]), last.Header.Get("X-Intram-Signature"), "and signed afresh")
		assert.Equal(t, got.requests[0].Header.Get("X-Intram-Delivery"), last.Header.Get("X-Intram-Delivery"))
		assert.Equal(t, got.bodies[0], got.bodies[i+1])
	}
	assert.Equal(t, []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}, waited)
	d := f.s.Deliveries()[0]
	assert.Equal(t, DeliveryExhausted, d.Status)
	assert.Len(t, d.Attempts, 6)
	assert.True(t, d.NextAttempt.IsZero())
	f.s.Clock().Advance(48 * time.Hour)
	assert.Equal(t, 6, got.count(), "exhausted is the end")
}

func TestRetryStopsWhenTheReceiverAccepts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	got.answer(503)
	f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.s.Clock().Advance(time.Minute)
	got.answer(204)
	f.s.Clock().Advance(24 * time.Hour)
	assert.Equal(t, 3, got.count())
	d, err := f.s.AwaitDelivery(t.Context(), f.s.Deliveries()[0].ID)
	require.NoError(t, err)
	assert.Equal(t, DeliveryDelivered, d.Status)
	assert.Equal(t, []int{503, 503, 204}, []int{d.Attempts[0].Status, d.Attempts[1].Status, d.Attempts[2].Status})
}

func TestOnlyA2xxAcknowledges(t *testing.T) {
	t.Parallel()
	for status, ok := range map[int]bool{200: true, 201: true, 204: true, 299: true, 301: false, 302: false, 307: false, 400: false, 404: false, 500: false} {
		f := newFixture(t, Config{})
		var got received
		got.answer(status)
		f.subscribe("*", got.ServeHTTP)
		f.payout(1, "22961234567")
		f.idle()
		assert.Equal(t, ok, f.s.Deliveries()[0].Status == DeliveryDelivered, status)
	}
}

func TestReceiverThatHangsIsGivenFifteenSeconds(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, Config{Running: running})
			f.subscribe("*", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			began := time.Now()
			f.payout(1, "22961234567")
			f.idle()
			assert.Equal(t, 15*time.Second, time.Since(began))
			a := f.s.Deliveries()[0].Attempts[0]
			assert.Equal(t, "timeout", a.Error)
			assert.Zero(t, a.Status)
		})
	}
}

func TestReceiverThatWaitsOnTheServersClock(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]string{14 * time.Second: "", 16 * time.Second: "timeout"} {
		f := newFixture(t, Config{})
		f.subscribe("*", func(_ http.ResponseWriter, r *http.Request) { _ = f.s.Clock().Sleep(r.Context(), wait) })
		f.payout(1, "22961234567")
		f.idle()
		a := f.s.Deliveries()[0].Attempts[0]
		assert.Equal(t, want, a.Error, wait)
		if want == "" {
			assert.Equal(t, wait, a.Latency)
		}
	}
}

func TestReceiverThatPanicsOrAborts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.subscribe("*", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	f.payout(1, "22961234567")
	f.idle()
	assert.Equal(t, "connection closed without a response", f.s.Deliveries()[0].Attempts[0].Error)
}

func TestDeliveryOverTheNetwork(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	receiver := httptest.NewServer(&got)
	defer receiver.Close()
	_, secret := f.subscribeURL("*", receiver.URL+"/hook?a=1")
	f.payout(1, "22961234567")
	f.idle()
	require.Equal(t, 1, got.count())
	assert.Equal(t, "/hook?a=1", got.requests[0].URL.String())
	assert.Equal(t, sign(secret, got.requests[0].Header.Get("X-Intram-Timestamp")+"."+got.bodies[0]), got.requests[0].Header.Get("X-Intram-Signature"))
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	elsewhere := httptest.NewServer(&got)
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	f.subscribeURL("*", redirecting.URL)
	f.payout(1, "22961234567")
	f.idle()
	assert.Equal(t, 307, f.s.Deliveries()[0].Attempts[0].Status)
	assert.Zero(t, got.count())
}

func TestDeliveryErrorsOverTheNetwork(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	closing := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer closing.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	for url, want := range map[string]string{
		refused: "connection refused", closing.URL: "connection closed without a response",
		strings.Replace(plain.URL, "http://", "https://", 1): "network error",
	} {
		f := newFixture(t, Config{})
		f.subscribeURL("*", url)
		f.payout(1, "22961234567")
		f.idle()
		assert.Equal(t, want, f.s.Deliveries()[0].Attempts[0].Error)
	}
}

func TestUnreachableURLIsAnAttemptThatFailed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.s.mu.Lock()
	d := &delivery{subscription: &subscription{url: "://", key: newSigningKey("x")}, event: &event{}}
	f.s.mu.Unlock()
	_, _, failure := f.s.send(d, Attempt{}, nil)
	assert.Equal(t, "invalid url", failure)
}

func TestSubscriptionsOverTheAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	url := f.s.Receive(&got)
	id, secret := f.subscribeURL("payout.completed", url)
	list := f.get("/webhooks").ok(200)
	assert.JSONEq(t, fmt.Sprintf(`{"error":false,"http_status":200,"data":[{"subscription_id":%q,"url":%q,"event":"payout.completed","date":"2026-05-20T10:30:00.000Z"}]}`, id, url), string(list.body))
	assert.NotContains(t, string(list.body), secret, "shown once")

	assert.Equal(t, "Test delivery enqueued", f.post("/webhooks/"+id+"/test", "{}").ok(202).text("message"))
	f.idle()
	assert.JSONEq(t, `{"event":"test.ping","operation_id":"op_test","occurred_at":"2026-05-20T10:30:00.000Z","data":{"test":true,"sent_at":"2026-05-20T10:30:00.000Z"}}`, got.bodies[0],
		"whatever the subscription is for")
	assert.Equal(t, "Webhook deleted", f.do(call{method: "DELETE", endpoint: "/webhooks/" + id}).ok(200).text("message"))
	f.do(call{method: "DELETE", endpoint: "/webhooks/" + id}).refused(404, "webhook_not_found")
	f.post("/webhooks/"+id+"/test", "{}").refused(404, "webhook_not_found")
	f.payout(1, "22961234567")
	f.idle()
	assert.Equal(t, 1, got.count())
}

func TestDeletingASubscriptionDoesNotCancelItsDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	got.answer(500)
	id, _ := f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.idle()
	f.do(call{method: "DELETE", endpoint: "/webhooks/" + id}).ok(200)
	got.answer(200)
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, 2, got.count())
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status)
}

func TestResend(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	got.answer(500)
	f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.idle()
	id := f.s.Deliveries()[0].ID
	require.NoError(t, f.s.Resend(id))
	f.idle()
	d := f.s.Deliveries()[0]
	assert.Equal(t, 2, got.count())
	assert.Equal(t, start.Add(time.Minute), d.NextAttempt, "the schedule goes on as it was")
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, 3, got.count())
	assert.Equal(t, start.Add(6*time.Minute), f.s.Deliveries()[0].NextAttempt)

	got.answer(200)
	require.NoError(t, f.s.Resend(id))
	f.idle()
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status)
	_, due := f.s.Clock().NextDue()
	assert.False(t, due, "what was scheduled is not needed any more")
	f.s.Clock().Advance(24 * time.Hour)
	assert.Equal(t, 4, got.count())

	got.answer(500)
	require.NoError(t, f.s.Resend(id))
	f.idle()
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status, "it was delivered once, and stays so")
	require.Error(t, f.s.Resend("whd_nothing"))
}

func TestResendOfAnExhaustedDelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	got.answer(500)
	f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.s.Clock().Advance(24 * time.Hour)
	id := f.s.Deliveries()[0].ID
	require.NoError(t, f.s.Resend(id))
	f.idle()
	assert.Equal(t, DeliveryExhausted, f.s.Deliveries()[0].Status)
	got.answer(200)
	require.NoError(t, f.s.Resend(id))
	f.idle()
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status)
}

func TestSlowReceiverHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Config{Running: true})
		f.subscribe("*", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		var got received
		f.subscribe("*", got.ServeHTTP)
		f.payout(1, "22961234567")
		synctest.Wait()
		assert.Equal(t, 1, got.count())
		f.idle()
	})
}

func TestReceiverMayCallTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, receiverMayCallTheServer)
}

func receiverMayCallTheServer(t *testing.T) {
	began := time.Now()
	defer func() {
		assert.Zero(t, time.Since(began), "no real time passes: the sleeper is known to be the receiver")
	}()
	f := newFixture(t, Config{})
	var status string
	f.subscribe("payout.*", func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			OperationID string `json:"operation_id"`
		}
		_ = json.NewDecoder(r.Body).Decode(&e)
		// As a client of the SDK does: call, wait on the clock, call again.
		_ = f.s.Clock().Sleep(r.Context(), time.Second)
		status = f.operation(e.OperationID).text("data.status")
	})
	f.payout(1, "22961234567")
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, "succeeded", status)
	assert.Equal(t, time.Second, f.s.Deliveries()[0].Attempts[0].Latency)
}

func TestAwaitEventWaitsForTheAttemptUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Config{})
		release := make(chan struct{})
		f.subscribe("*", func(http.ResponseWriter, *http.Request) { <-release })
		id := f.payout(1, "22961234567")
		var event Event
		go func() { event, _ = f.s.AwaitEvent(t.Context(), "payout.completed", id) }()
		synctest.Wait()
		assert.Empty(t, event.Type)
		close(release)
		synctest.Wait()
		assert.Equal(t, "payout.completed", event.Type)
	})
}

func TestDeliveryLogIsCapped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{JournalSize: 16})
	var got received
	f.subscribe("payout.*", got.ServeHTTP)
	for range 40 {
		f.payout(1, "22961234567")
		f.idle()
	}
	assert.LessOrEqual(t, len(f.s.Deliveries()), 16)
	assert.LessOrEqual(t, len(f.s.Events()), 16)
	assert.Len(t, f.s.Requests(), 16)
	assert.Len(t, f.s.state.deliveries, len(f.s.Deliveries()))

	pending := newFixture(t, Config{JournalSize: 16})
	got.answer(500)
	pending.subscribe("payout.*", got.ServeHTTP)
	for range 40 {
		pending.payout(1, "22961234567")
	}
	pending.idle()
	assert.Len(t, pending.s.Deliveries(), 40, "what is pending is not forgotten")
}

func TestTriggeredEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	f.subscribe("*", got.ServeHTTP)
	payout := f.payout(500, "22961000010") // its own event is never sent, but this one is triggered by hand
	_, reference := f.requestPayment(1000, mtnBenin, "")
	require.NoError(t, f.s.Pay(reference))
	refund := f.refund(reference, 100)
	refundReference := f.operation(refund).text("data.result.refund_reference")
	f.idle()
	for _, c := range []struct{ event, id, operation, field, value string }{
		{"payout.failed", payout, payout, "data.error.code", "provider_error"},
		{"payout.queued", payout, payout, "data.status", "queued_for_settlement"},
		{"payout.completed", payout, payout, "data.status", "completed"},
		{"payment_request.created", reference, "", "data.gateway_url", "https://api.intram.test/gateway/" + reference},
		{"payment_request.failed", reference, "", "data.error.code", "provider_error"},
		{"payment_request.paid", reference, "", "data.status", "paid"},
		{"refund.pending", refund, refund, "data.status", "pending"},
		{"refund.failed", refundReference, refund, "data.refund_reference", refundReference},
		{"dispute.opened", payout, payout, "data.operation_id", payout},
		{"transfer.completed", payout, payout, "data.type", "payout"},
		{"transfer.failed", payout, payout, "data.type", "payout"},
	} {
		before := got.count()
		require.NoError(t, f.s.Trigger(c.event, c.id), c.event)
		f.idle()
		require.Equal(t, before+1, got.count(), c.event)
		a := answer{t: t, body: []byte(got.bodies[before])}
		assert.Equal(t, c.event, a.text("event"))
		if c.operation != "" {
			assert.Equal(t, c.operation, a.text("operation_id"))
		}
		assert.Equal(t, c.value, a.text(c.field))
	}
	require.Error(t, f.s.Trigger("payout.completed", "op_nothing"))
	require.Error(t, f.s.Trigger("Not An Event", payout))

	require.NoError(t, f.s.TriggerRaw(f.keys.Public, "dispute.opened", "op_9", []byte(`{"anything":[1,2,3]}`)))
	f.idle()
	assert.Contains(t, got.bodies[got.count()-1], `"data":{"anything":[1,2,3]}`)
	require.Error(t, f.s.TriggerRaw("pk_nobody", "dispute.opened", "op_9", []byte(`{}`)))
	require.Error(t, f.s.TriggerRaw(f.keys.Public, "dispute", "op_9", []byte(`{}`)))
	require.Error(t, f.s.TriggerRaw(f.keys.Public, "dispute.opened", "op_9", []byte(`{`)))
}

func TestPaymentEventsCarryTheMerchantsData(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	f.subscribe("payment_request.paid", got.ServeHTTP)
	body := strings.TrimSuffix(paymentBody(12_000, mtnBenin, ""), "}") + `,"webhook_data":{"order_id": "4521"}}`
	id := f.post("/payment-requests", body).ok(202).text("data.operation_id")
	reference := f.operation(id).text("data.result.transaction_reference")
	require.NoError(t, f.s.Pay(reference))
	f.idle()
	assert.JSONEq(t, fmt.Sprintf(`{"event":"payment_request.paid","operation_id":%q,"occurred_at":"2026-05-20T10:30:00.000Z","data":{
		"transaction_reference":%q,"status":"paid","amount":12000,"currency":"XOF","fees":240,"net_amount":11760,
		"payment_method":"MTN Bénin","webhook_data":{"order_id":"4521"}}}`, id, reference), got.bodies[0])
}

// Whatever happens to a payment request, each of its events has its webhook_data.
func TestEveryPaymentEventCarriesTheMerchantsData(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	request := func(method string) string {
		body := strings.TrimSuffix(paymentBody(12_000, method, ""), "}") + `,"webhook_data":{"order_id": "4521"}}`
		return f.operation(f.post("/payment-requests", body).ok(202).text("data.operation_id")).text("data.result.transaction_reference")
	}
	card := request(cardCode)
	require.NoError(t, f.s.Pay(card))
	f.s.Clock().Advance(lateAnswer)
	declined := request(mtnBenin)
	require.NoError(t, f.s.Decline(declined))
	kinds := map[string]int{}
	for _, e := range f.s.Events() {
		kinds[e.Type]++
		assert.Equal(t, "4521", answer{t: t, body: e.Body}.at("data.webhook_data.order_id"), e.Type)
	}
	assert.Equal(t, map[string]int{
		"payment_request.created": 2, "payment_request.pending": 1, "payment_request.paid": 1, "payment_request.failed": 1,
	}, kinds)
}

func TestCloseEndsDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	entered := make(chan struct{})
	f.subscribe("*", func(_ http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done() })
	f.payout(1, "22961234567")
	id := f.s.Deliveries()[0].ID
	<-entered
	f.s.Close()
	f.s.Close()
	require.ErrorIs(t, f.s.Resend(id), ErrClosed)
	require.ErrorIs(t, f.s.Listen("127.0.0.1:0"), ErrClosed)
	_, err := f.s.AwaitDelivery(t.Context(), id)
	require.ErrorIs(t, err, ErrClosed)
	f.s.Clock().Advance(time.Hour)
	require.ErrorIs(t, f.s.Clock().Sleep(t.Context(), time.Hour), ErrClosed)
}
