package mockapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/jsstringify"
)

// TestPayinNotificationsAreSignedAsTheVectorsAre pins the fake's signature to vectors
// that no Go code made.
func TestPayinNotificationsAreSignedAsTheVectorsAre(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Name, Secret, Body, Signature string }
	require.NoError(t, json.Unmarshal(testdata(t, "vectors", "payin_webhooks.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		assert.Equal(t, v.Signature, signPayin(v.Secret, []byte(v.Body)), v.Name)
		assert.NotEqual(t, v.Signature, signPayin(v.Secret+" ", []byte(v.Body)), v.Name)
	}
}

// verifyNote checks a signature as a receiver does, with nothing of the server's own
// code.
func verifyNote(t *testing.T, n note, secret string) {
	t.Helper()
	got, err := hex.DecodeString(n.header.Get("X-Signature-Value"))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(n.body)
	assert.True(t, hmac.Equal(mac.Sum(nil), got), "the signature is of the raw body")
}

func TestPayinNotificationIsTheSessionSignedAndUndated(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Body string }
	require.NoError(t, json.Unmarshal(testdata(t, "vectors", "payin_webhooks.json"), &vectors))
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	f.subscribe("*", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	created := f.create("order/1", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order/1"))
	f.idle()
	notes := r.got()
	require.Len(t, notes, 1)
	n := notes[0]
	verifyNote(t, n, payinSecret)
	assert.Equal(t, fieldOrder(t, []byte(vectors[0].Body)), fieldOrder(t, n.body), "the fields of the one that was seen")
	assert.Equal(t, created.text("id"), n.at(t, "id"))
	assert.Equal(t, "order/1", n.at(t, "reference"))
	assert.Equal(t, "accepted", n.at(t, "confirmationStatus"))
	assert.Equal(t, "6", n.at(t, "fees"))
	assert.Equal(t, "306", n.at(t, "chargedAmount"))

	// A receiver that signs what it has parsed and written again, as the documentation's
	// sample does, finds the same bytes.
	assert.Contains(t, string(n.body), `"reference":"order/1"`)
	rewritten, ok := jsstringify.Rewrite(n.body)
	require.True(t, ok)
	assert.Equal(t, string(rewritten), string(n.body))

	assert.Equal(t, "application/json", n.header.Get("Content-Type"))
	for name := range n.header {
		assert.NotContains(t, name, "Intram", "the headers of the Merchant API are not sent")
	}
	deliveries := f.s.Deliveries()
	require.Len(t, deliveries, 1, "subscriptions of the Merchant API hear nothing of payins")
	d := deliveries[0]
	assert.Equal(t, "payin.confirmed", d.Event)
	assert.Equal(t, created.text("id"), d.OperationID)
	assert.Equal(t, DeliveryDelivered, d.Status)
	assert.Equal(t, n.header.Get("X-Signature-Value"), d.Attempts[0].Signature)
	assert.Empty(t, d.Attempts[0].Timestamp, "nothing dates a notification")

	f.create("order/2", payinNumber)
	require.NoError(t, f.s.DeclinePayin("order/2"))
	f.idle()
	declined := r.got()[1]
	verifyNote(t, declined, payinSecret)
	assert.Equal(t, "declined", declined.at(t, "confirmationStatus"))
	assert.Equal(t, "payin.declined", f.s.Deliveries()[1].Event)

	for _, id := range []string{created.text("id"), "order/1"} {
		e, err := f.s.AwaitEvent(t.Context(), "payin.confirmed", id)
		require.NoError(t, err)
		assert.Equal(t, []string{d.ID}, e.Deliveries)
	}
}

// JSON.stringify leaves alone what encoding/json escapes.
func TestPayinNotificationIsWrittenAsJSONStringifyWritesIt(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	body := f.session("a<b>&c/d", payinNumber, func(m map[string]any) { m["customerName"] = "Ada \u2028\u007f\b\"é😀\\" })
	f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).ok(200)
	require.NoError(t, f.s.ConfirmPayin("a<b>&c/d"))
	f.idle()
	n := r.got()[0]
	verifyNote(t, n, payinSecret)
	assert.Contains(t, string(n.body), `"name":"Ada `+"\u2028\u007f"+`\b\"é😀\\"`)
	assert.Contains(t, string(n.body), `"reference":"a<b>&c/d"`)
	assert.Contains(t, string(n.body), `"paymentUrl":"http`)
	assert.NotContains(t, string(n.body), `\/`)
}

func TestPayinNotificationIsRetriedOnTheScheduleAndThenGivenUp(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{answer: func(int) int { return http.StatusInternalServerError }}
	f.listen(r)
	f.create("order-1", payinNumber)
	require.NoError(t, f.s.DeclinePayin("order-1"))
	f.idle()
	for i, delay := range retryDelays {
		assert.Len(t, r.got(), i+1)
		f.s.Clock().Advance(delay - time.Millisecond)
		assert.Len(t, r.got(), i+1, "not before %v", delay)
		f.s.Clock().Advance(time.Millisecond)
		assert.Len(t, r.got(), i+2, "after %v", delay)
	}
	f.s.Clock().Advance(100 * time.Hour)
	notes := r.got()
	require.Len(t, notes, 6)
	d := f.s.Deliveries()[0]
	assert.Equal(t, DeliveryExhausted, d.Status)
	assert.Equal(t, "payin.declined", d.Event)
	for i, n := range notes {
		verifyNote(t, n, payinSecret)
		assert.Equal(t, string(notes[0].body), string(n.body), "the same bytes")
		assert.Equal(t, i+1, d.Attempts[i].Number)
		assert.Equal(t, 500, d.Attempts[i].Status)
	}

	r.answer = nil
	require.NoError(t, f.s.Resend(d.ID))
	f.idle()
	assert.Len(t, r.got(), 7)
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status)
}

func TestPayinNotificationThatIsAcknowledgedIsSentOnce(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{answer: func(n int) int {
		if n == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}}
	f.listen(r)
	f.create("order-1", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.s.Clock().Advance(100 * time.Hour)
	assert.Len(t, r.got(), 2)
}

// What a number stands for is what becomes of a session that is left to itself.
func TestPayinThatIsDeclinedByHandIsNotifiedWhateverItsNumberSays(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	for i, number := range []string{"+2250700000010", "+2250700000011"} { // never notified, and notified twice
		f.create(number, number)
		require.NoError(t, f.s.DeclinePayin(number))
		f.s.Clock().Advance(100 * time.Hour)
		assert.Len(t, r.got(), i+1, "once for each")
	}
}

func TestPayinNotificationsOutOfOrderEndWithTheOlderOne(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	f.create("order-1", "+2250700000012")
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.idle()
	notes := r.got()
	require.Len(t, notes, 2)
	assert.Equal(t, []any{"processed", "accepted"}, []any{notes[0].at(t, "status"), notes[0].at(t, "confirmationStatus")})
	assert.Equal(t, []any{"processing", "none"}, []any{notes[1].at(t, "status"), notes[1].at(t, "confirmationStatus")})
	assert.Equal(t, "completed", f.get("order-1").text("transaction.status"), "GET has the last word")
	for _, n := range notes {
		verifyNote(t, n, payinSecret)
	}
}

func TestPayinNotificationWithoutConfirmationLooksAsTheOneThatWasSeen(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	f.create("order-1", "+2250700000014")
	f.idle()
	notes := r.got()
	require.Len(t, notes, 1)
	assert.Equal(t, "processing", notes[0].at(t, "status"))
	assert.Equal(t, "none", notes[0].at(t, "confirmationStatus"))
	assert.Equal(t, false, notes[0].at(t, "confirmationRequired"))
}

func TestPayinWebhookIsSetChangedAndTakenAway(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	before, after, liveOne := &receiver{}, &receiver{answer: func(int) int { return 500 }}, &receiver{}
	f.listen(before)
	require.NoError(t, f.s.SetPayinWebhook(f.s.Merchant().LivePayin.APIKey, f.s.Receive(liveOne), "live-secret"))
	f.create("order-1", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	require.NoError(t, f.s.SetPayinWebhook(f.payin.APIKey, f.s.Receive(after), "new-secret"))
	f.create("order-2", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-2"))
	f.idle()
	require.NoError(t, f.s.SetPayinWebhook(f.payin.APIKey, "", ""))
	f.create("order-3", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-3"))
	f.s.Clock().Advance(time.Minute)
	require.Len(t, before.got(), 1)
	require.Len(t, after.got(), 2, "a delivery under way goes on")
	assert.Empty(t, liveOne.got(), "the environments are apart")
	verifyNote(t, after.got()[1], "new-secret")

	for want, err := range map[string]error{
		"API key":         f.s.SetPayinWebhook("nobody", "https://a.example", "s"),
		"must be https":   f.s.SetPayinWebhook(f.payin.APIKey, "http://shop.example.com", "s"),
		"secret is empty": f.s.SetPayinWebhook(f.payin.APIKey, "https://shop.example.com", " "),
	} {
		assert.ErrorContains(t, err, want)
	}
	strict := newPayinFixture(t, Config{StrictWebhookURLs: true})
	assert.ErrorContains(t, strict.s.SetPayinWebhook(strict.payin.APIKey, "http://127.0.0.1:9/", "s"), "must be https")
}

func TestPayinNotificationIsTriggeredByHand(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	f.create("order-1", "+2250700000010") // the number that is never told about
	require.NoError(t, f.s.Trigger("payin.declined", "order-1"))
	f.idle()
	require.Len(t, r.got(), 1)
	assert.Equal(t, "none", r.got()[0].at(t, "confirmationStatus"), "nothing else changes")
	verifyNote(t, r.got()[0], payinSecret)
	assert.Equal(t, "payin.declined", f.s.Deliveries()[0].Event)
}

func TestPayinNotificationReachesARealListener(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	web := httptest.NewServer(r)
	defer web.Close()
	f := newPayinFixture(t, Config{Running: true})
	require.NoError(t, f.s.Listen("127.0.0.1:0"))
	require.NoError(t, f.s.SetPayinWebhook(f.payin.APIKey, web.URL+"/payin", payinSecret))
	created := f.create("order-1", payinNumber)
	assert.True(t, strings.HasPrefix(created.text("paymentUrl"), f.s.BaseURL()+"/link/"))
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.idle()
	require.Len(t, r.got(), 1)
	verifyNote(t, r.got()[0], payinSecret)
}

func TestPayinJournalsAreCapped(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{JournalSize: 8})
	f.listen(&receiver{})
	for i := range 40 {
		reference := fmt.Sprintf("order-%d", i)
		f.create(reference, payinNumber)
		require.NoError(t, f.s.ConfirmPayin(reference))
		f.idle()
	}
	assert.LessOrEqual(t, len(f.s.Events()), 8)
	assert.LessOrEqual(t, len(f.s.Deliveries()), 9)
}
