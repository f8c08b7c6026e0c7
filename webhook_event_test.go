package intram_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// received is a signed delivery, as a receiver sees it.
func received(t *testing.T, body string) *intram.Event {
	t.Helper()
	event, err := verifierAt(t, at1030, "whsec_1").Verify(intram.SignWebhook("whsec_1", at1030, []byte(body)), []byte(body))
	require.NoError(t, err)
	return event
}

func TestEventsOfEachFamily(t *testing.T) {
	t.Parallel()
	const frame = `{"event":"%s","operation_id":"op_1","occurred_at":"2026-05-20T10:30:00.000Z","data":%s}`
	of := func(typ, data string) *intram.Event {
		return received(t, fmt.Sprintf(frame, typ, data))
	}
	payout := `{"reference":"PO-2026-0001","metadata":{"batch_id":"B-42"},"amount":25000,"currency":"XOF","status":"completed","destination":{"type":"mobile_money","msisdn":"22961234567"},
		"provider_response":{"responsecode":"00","responsemsg":"Success","serviceref":"MTN1"}}`
	for _, typ := range []intram.EventType{intram.EventPayoutCompleted, intram.EventPayoutQueued, intram.EventPayoutFailed, "payout.reversed_in_2027"} {
		event := of(string(typ), payout)
		assert.Equal(t, typ, event.Type)
		assert.Equal(t, "op_1", event.OperationID)
		assert.Equal(t, at1030, event.OccurredAt)
		data, ok := event.Data.(*intram.PayoutEventData)
		require.True(t, ok, "%s: %T", typ, event.Data)
		assert.Equal(t, "PO-2026-0001", data.Reference)
		assert.Equal(t, "25000", data.Amount.String())
		assert.Equal(t, intram.XOF, data.Currency)
		assert.Equal(t, intram.PayoutCompleted, data.Status)
		assert.Equal(t, intram.MobileMoney{MSISDN: "22961234567"}, data.Destination)
		assert.Equal(t, "MTN1", data.ProviderResponse.ServiceReference)
		assert.JSONEq(t, `{"batch_id":"B-42"}`, string(data.Metadata))
		assert.Nil(t, data.Error)
		assert.JSONEq(t, payout, string(data.Raw))
		out, err := json.Marshal(event)
		require.NoError(t, err)
		back := new(intram.Event)
		require.NoError(t, json.Unmarshal(out, back))
		assert.Equal(t, event, back)
		out, err = json.Marshal(event.Data)
		require.NoError(t, err)
		assert.JSONEq(t, payout, string(out))
	}

	for _, typ := range []intram.EventType{
		intram.EventPaymentRequestCreated, intram.EventPaymentRequestPaid, intram.EventPaymentRequestPending, intram.EventPaymentRequestFailed,
	} {
		body := `{"transaction_reference":"AB12CD34EF","status":"pending","amount":12000,"currency":"XOF",
			"payment_url":"https://gateway.intram.org/AB12CD34EF","webhook_data":{"order_id":"4521"},"error":{"code":"provider_rejected","message":"no"}}`
		data, ok := of(string(typ), body).Data.(*intram.PaymentRequestEventData)
		require.True(t, ok)
		assert.Equal(t, "AB12CD34EF", data.TransactionReference)
		assert.Equal(t, "https://gateway.intram.org/AB12CD34EF", data.GatewayURL)
		assert.JSONEq(t, `{"order_id":"4521"}`, string(data.WebhookData))
		require.ErrorIs(t, data.Error, intram.CodeProviderRejected)
		out, err := json.Marshal(data)
		require.NoError(t, err)
		assert.JSONEq(t, body, string(out))
	}

	for _, typ := range []intram.EventType{intram.EventRefundCompleted, intram.EventRefundPending, intram.EventRefundFailed} {
		body := `{"refund_reference":"9DEFGH1234","transaction_reference":"AB12CD34EF","amount":"12000.00","status":"pending","reason":"Refusé",
			"error":{"code":"not_refundable"}}`
		data, ok := of(string(typ), body).Data.(*intram.RefundEventData)
		require.True(t, ok)
		assert.Equal(t, "9DEFGH1234", data.RefundReference)
		assert.Equal(t, "12000.00", data.Amount.String())
		assert.Equal(t, intram.RefundPending, data.Status)
		assert.Equal(t, "Refusé", data.Reason)
		require.ErrorIs(t, data.Error, intram.CodeNotRefundable)
		out, err := json.Marshal(data)
		require.NoError(t, err)
		assert.JSONEq(t, body, string(out))
	}

	ping, ok := of("test.ping", `{"test":true,"sent_at":"2026-05-20T10:30:00.000Z"}`).Data.(*intram.PingData)
	require.True(t, ok)
	assert.Equal(t, intram.PingData{Test: true, SentAt: at1030}, *ping)
}

// An event that is signed is never refused for what it says.
func TestEventsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	for body, data := range map[string]string{
		`{"event":"dispute.opened","data":{"anything":[1,2,3]}}`:                `{"anything":[1,2,3]}`,
		`{"event":"transfer.completed","data":{"reference":"T-1"}}`:             `{"reference":"T-1"}`,
		`{"event":"word_without_a_dot","data":7}`:                               `7`,
		`{"event":"payout.completed","data":"a string"}`:                        `"a string"`,
		`{"event":"payout.completed","data":{"amount":"lots"}}`:                 `{"amount":"lots"}`,
		`{"event":"payment_request.paid","data":[1]}`:                           `[1]`,
		`{"event":"payout.completed","data":null}`:                              `null`,
		`{"event":"payout.completed"}`:                                          `null`,
		`{"event":"payout.completed","operation_id":null,"occurred_at":"soon"}`: `null`,
		`{"event":"PAYOUT.COMPLETED","data":{}}`:                                `{}`,
	} {
		event := received(t, body)
		unknown, ok := event.Data.(*intram.UnknownEventData)
		require.True(t, ok, "%s: %T", body, event.Data)
		out, err := json.Marshal(unknown)
		require.NoError(t, err)
		assert.JSONEq(t, data, string(out), body)
		assert.Equal(t, body, string(event.Raw))
	}
	event := received(t, `{"event":"payout.completed","occurred_at":"soon","new_field":{"x":1}}`)
	assert.True(t, event.OccurredAt.IsZero())
	assert.Equal(t, time.UTC, event.OccurredAt.Location())
	// An event that a program made up for its own tests is marshalled too.
	out, err := json.Marshal(intram.Event{Type: intram.EventTestPing, OperationID: "op_test"})
	require.NoError(t, err)
	assert.Contains(t, string(out), `"test.ping"`)
}

// However an event is written, it says what encoding/json reads.
func TestAnEventSaysWhatItsJSONSays(t *testing.T) {
	t.Parallel()
	bodies := []string{
		payoutBody("op_1"),
		" {\t\"data\" : [1,{\"a\":\"]}\\\\\"}] ,\r\n\"event\":\"a.b\" , \"operation_id\" : \"op\" } \n",
		`{"event":"a.b"}`,
		`{"event":"a.b","occurred_at":"2026-05-20T10:31:14+02:00","operation_id":"op_1","data":null}`,
		`{"event":"a.b","n":-1.5e9,"t":true,"data":{"x":"\"}","y":"\\\\"},"f":false}`,
		`{"event":"pay\u006fut.completed","operation_id":"op_\u00e9"}`, // escapes
		`{"event":"a.b","operation_id":"opé"}`,
		`{"event":"a.b","operation_id":null,"occurred_at":"yesterday"}`,
		`{"event":"a.b","\u006fperation_id":"op_1"}`,
	}
	for _, vector := range webhookVectors(t) {
		bodies = append(bodies, vector.Body)
	}
	for _, body := range bodies {
		header := intram.SignWebhook(inboxSecret, newHandClock().at, []byte(body))
		event, err := verifierAt(t, newHandClock().at, inboxSecret).Verify(header, []byte(body))
		require.NoError(t, err, body)
		var want struct {
			Event       intram.EventType `json:"event"`
			OperationID string           `json:"operation_id"`
			OccurredAt  string           `json:"occurred_at"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &want))
		at, _ := time.Parse(time.RFC3339Nano, want.OccurredAt)
		assert.Equal(t, want.Event, event.Type, body)
		assert.Equal(t, want.OperationID, event.OperationID, body)
		assert.True(t, at.Equal(event.OccurredAt), body)
		assert.Equal(t, body, string(event.Raw))
		assert.Equal(t, "whd_test", event.DeliveryID, body)
		assert.Equal(t, 1, event.Attempt, body)
	}
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	t.Parallel()
	at := newHandClock().at
	verifier := verifierAt(t, at, inboxSecret)
	for _, body := range []string{
		"", "null", "[]", `"event"`, "{", `{"event"`, `{"event":`, `{"event":"a.b"`, `{"event":"a.b",`, `{"event":"a.b"}}`, `{"event":"a.b"} x`,
		`{"event":""}`, `{"event":1}`, `{"event":null}`, `{"x":"op_1"}`, `{"event":"a.b" "operation_id":"op_1"}`,
		`{"event":"a.b","event":"c.d"}`, `{"event":"a.b","EVENT":"c.d"}`,
		`{"data":"`, `{"data":{"a":1,"event":"a.b"}`, `{"data":"\"`, `{"event":"a.b","data":}`, "{\"event\":\"a\nb\"}",
	} {
		header := intram.SignWebhook(inboxSecret, at, []byte(body))
		_, err := verifier.Verify(header, []byte(body))
		require.ErrorIs(t, err, intram.ErrInvalidPayload, body)
		_, err = verifier.Verify(intram.SignWebhook("whsec_other", at, []byte(body)), []byte(body))
		require.ErrorIs(t, err, intram.ErrInvalidSignature, body)
	}
}

func FuzzEvent(f *testing.F) {
	for _, vector := range webhookVectors(f) {
		f.Add(vector.Body)
	}
	f.Add(`{"data":{"a":"\\\"}"},"event":"a.b"}`)
	f.Add(`{"dAtA":{}}`)                      // an odd delivery, kept as an unknown event
	f.Add("\ufeff" + `{"event":"test.ping"}`) // a byte order mark is no fault of the event
	at := newHandClock().at
	verifier := verifierAt(f, at, inboxSecret)
	f.Fuzz(func(t *testing.T, body string) {
		event, err := verifier.Verify(intram.SignWebhook(inboxSecret, at, []byte(body)), []byte(body))
		if err != nil {
			return
		}
		if string(event.Raw) != body {
			t.Fatalf("the event has another body than %q", body)
		}
		queued, err := json.Marshal(event)
		require.NoError(t, err)
		again := new(intram.Event)
		require.NoError(t, json.Unmarshal(queued, again))
		if again.Type != event.Type || again.OperationID != event.OperationID || !again.OccurredAt.Equal(event.OccurredAt) {
			t.Fatalf("the queue made %+v of %+v", again, event)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &members); err != nil {
			t.Fatalf("what is no JSON object passed for an event: %v", err)
		}
		for name := range members {
			if slices.ContainsFunc([]string{"event", "operation_id", "occurred_at", "data"}, func(member string) bool { return strings.EqualFold(name, member) }) {
				return
			}
		}
		t.Fatal("an object with none of an event's members passed for one")
	})
}

func TestAuthenticatingDoesNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	if raceDetector {
		return // under it a sync.Pool drops at random what it is given
	}
	body := []byte(payoutBody("op_1"))
	header := intram.SignWebhook(inboxSecret, newHandClock().at, body)
	verifier := verifierAt(t, newHandClock().at, inboxSecret)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = verifier.Authenticate(header, body) }))
}

// A delivery is decoded once: the strict check and the choice of the data's type cost no
// allocation.
func TestVerifyingAllocatesLittle(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	if raceDetector {
		return // under it a sync.Pool drops at random what it is given
	}
	body := []byte(strings.Replace(payoutBody("op_1"), "payout.completed", "payment_request.paid", 1))
	header := intram.SignWebhook(inboxSecret, newHandClock().at, body)
	verifier := verifierAt(t, newHandClock().at, inboxSecret)
	n := testing.AllocsPerRun(1000, func() { _, _ = verifier.Verify(header, body) })
	t.Logf("%.0f allocations", n)
	assert.LessOrEqual(t, n, 14.0)
}
