package intram_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

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

// A delivery is decoded once: the strict check and the choice of the data's type cost no allocation.
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
