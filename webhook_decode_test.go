package intram_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// Whatever the fast reader takes, the strict one reads the same way.
func TestAnEnvelopeSaysWhatTheEventSays(t *testing.T) {
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
		verifier := verifierAt(t, newHandClock().at, inboxSecret)
		event, err := verifier.Verify(header, []byte(body))
		require.NoError(t, err, body)
		envelope, err := verifier.VerifyEnvelope(header, []byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, event.Type, envelope.Type, body)
		assert.Equal(t, event.OperationID, envelope.OperationID, body)
		assert.True(t, event.OccurredAt.Equal(envelope.OccurredAt), body)
		assert.Equal(t, event.Raw, envelope.Raw, body)
		assert.Equal(t, event.DeliveryID, envelope.DeliveryID, body)
		assert.Equal(t, event.Attempt, envelope.Attempt, body)
		whole, err := envelope.Event()
		require.NoError(t, err, body)
		assert.Equal(t, event, whole, body)
	}
}

func TestAnEnvelopeIsRefusedLikeItsEvent(t *testing.T) {
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
		_, strict := verifier.Verify(header, []byte(body))
		require.ErrorIs(t, strict, intram.ErrInvalidPayload, body)
		_, err := verifier.VerifyEnvelope(header, []byte(body))
		if body != `{"event":"a.b","data":}` { // the data has not been looked at
			require.ErrorIs(t, err, intram.ErrInvalidPayload, body)
		}
		_, err = verifier.VerifyEnvelope(intram.SignWebhook("whsec_other", at, []byte(body)), []byte(body))
		require.ErrorIs(t, err, intram.ErrInvalidSignature, body)
	}
	_, err := (&intram.EventEnvelope{Raw: intram.RawMessage(`{"event":"a.b","data":}`)}).Event()
	require.ErrorIs(t, err, intram.ErrInvalidPayload)
}

func FuzzEventEnvelope(f *testing.F) {
	for _, vector := range webhookVectors(f) {
		f.Add(vector.Body)
	}
	f.Add(`{"data":{"a":"\\\"}"},"event":"a.b"}`)
	f.Add(`{"dAtA":{}}`)                      // an odd delivery, kept as an unknown event
	f.Add("\ufeff" + `{"event":"test.ping"}`) // a byte order mark is no fault of the event
	at := newHandClock().at
	verifier := verifierAt(f, at, inboxSecret)
	f.Fuzz(func(t *testing.T, body string) {
		header := intram.SignWebhook(inboxSecret, at, []byte(body))
		envelope, err := verifier.VerifyEnvelope(header, []byte(body))
		event, strict := verifier.Verify(header, []byte(body))
		if strict != nil || err != nil {
			// Of a document that is valid JSON, both say the same, but for what is not in the envelope.
			if strict == nil {
				t.Fatalf("the event is good, and the envelope is refused: %v", err)
			}
			return
		}
		if event.Type != envelope.Type || event.OperationID != envelope.OperationID || !event.OccurredAt.Equal(envelope.OccurredAt) {
			t.Fatalf("the envelope says %+v, the event %s %s %s", envelope, event.Type, event.OperationID, event.OccurredAt)
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
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = verifier.VerifyEnvelope(header, body) }), 4.0)
}
