package intram_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// What is signed and of an odd shape is the merchant's to look at: a 400 would lose it
// when the retries end.
func TestASignedDeliveryOfAnOddShapeIsHandedOver(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body, operationID string
		typ               intram.EventType
		unknown           bool
	}{
		"a numeric operation": {`{"event":"payout.completed","operation_id":8142,"data":{"amount":1}}`, "8142", intram.EventPayoutCompleted, false},
		"a type in capitals":  {`{"event":"PAYOUT.COMPLETED","operation_id":"op_1","data":{"amount":1}}`, "op_1", "PAYOUT.COMPLETED", true},
		"an operation object": {`{"event":"payout.completed","operation_id":{"id":"op_1"},"data":{"amount":1}}`, "", intram.EventPayoutCompleted, true},
		"a type object":       {`{"event":{"name":"payout.completed"},"operation_id":"op_1","data":{}}`, "op_1", "", true},
		"no type":             {`{"operation_id":"op_1","data":{"amount":1}}`, "op_1", "", true},
		"no data":             {`{"event":"payout.completed","operation_id":"op_1"}`, "op_1", intram.EventPayoutCompleted, true},
		"data in words":       {`{"event":"payout.completed","operation_id":"op_1","data":"paid"}`, "op_1", intram.EventPayoutCompleted, true},
		"an amount in words":  {`{"event":"payout.completed","operation_id":"op_1","data":{"amount":"mille"}}`, "op_1", intram.EventPayoutCompleted, true},
		"a date as a number":  {`{"event":"payout.completed","operation_id":"op_1","occurred_at":1779273074,"data":{"amount":1}}`, "op_1", intram.EventPayoutCompleted, false},
		"a byte order mark":   {"\uFEFF" + payoutBody("op_1"), "op_1", intram.EventPayoutCompleted, false},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *intram.Event
			m := newMailbox(t, func(_ context.Context, e *intram.Event) error { got = e; return nil })
			assert.Equal(t, 200, m.deliver(tt.body).Code)
			require.NotNil(t, got)
			assert.Equal(t, tt.typ, got.Type)
			assert.Equal(t, tt.operationID, got.OperationID)
			assert.Equal(t, tt.body, string(got.Raw))
			_, unknown := got.Data.(*intram.UnknownEventData)
			assert.Equal(t, tt.unknown, unknown, "%T", got.Data)
		})
	}
}

// A router that knows no function for an odd type must not pass it for handled.
func TestARouterDoesNotSwallowATypeThatCannotBeRead(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, *intram.Event) error { return nil }
	router := new(intram.EventRouter).On(intram.EventPayoutCompleted, handle)
	for _, typ := range []intram.EventType{"", "PAYOUT.COMPLETED", "Payout.completed"} {
		require.ErrorIs(t, router.Handle(t.Context(), &intram.Event{Type: typ}), intram.ErrUnexpectedData, typ)
	}
	require.NoError(t, router.Handle(t.Context(), &intram.Event{Type: "dispute.opened"}))
	router.Default(handle)
	require.NoError(t, router.Handle(t.Context(), &intram.Event{Type: "PAYOUT.COMPLETED"}))
}

func TestAnEventGoesThroughJSONWithoutLoss(t *testing.T) {
	t.Parallel()
	bodies := []string{
		payoutBody("op_1"),
		"\uFEFF" + payoutBody("op_1") + "\n ",
		`{"event":"dispute.opened", "operation_id" : "op_1","data":{"b":1.50,"a":[1e2]},"more":true}`,
		`{"event":"payout.completed","operation_id":"op_1","data":{"reference":"a\u0000b\ud800","amount":1}}`,
		"{\"event\":\"payout.completed\",\"operation_id\":\"op_\\u0000\",\"data\":{\"reference\":\"\xff\"}}",
		`{"operation_id":"op_1"}`,
	}
	for _, body := range bodies {
		verifier := verifierAt(t, newHandClock().at, inboxSecret).WithInboxScope("a/live")
		event, err := verifier.Verify(intram.SignWebhook(inboxSecret, newHandClock().at, []byte(body)), []byte(body))
		require.NoError(t, err, body)
		assertRoundTrip(t, event)

		// What 0.1.0 wrote was the body.
		var old intram.Event
		if text := strings.TrimPrefix(body, "\uFEFF"); json.Valid([]byte(text)) {
			require.NoError(t, json.Unmarshal([]byte(text), &old))
			assert.Equal(t, event.Data, old.Data)
			assert.Equal(t, event.OperationID, old.OperationID)
		}
	}
	var event intram.Event
	for _, bad := range []string{`{}`, `[]`, `{"signed_body":"!"}`, `{"signed_body":"e30="}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &event), intram.ErrInvalidPayload, bad)
	}
}

func TestWhatTheReconcilerMadeGoesThroughJSONToo(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.business()
	r.server.Advance(7 * time.Minute)
	r.run()
	require.NotEmpty(t, r.events)
	for id, event := range r.events {
		back := through(t, event)
		assert.Equal(t, event.InboxKey(), back.InboxKey(), id)
		assert.Equal(t, facts(event.Data), facts(back.Data), id)
		assert.True(t, event.OccurredAt.Equal(back.OccurredAt), id)
		assert.Empty(t, back.Raw, id)
		assert.IsType(t, event.Data, back.Data, id)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		first, err := json.Marshal(event)
		require.NoError(t, err)
		assert.JSONEq(t, string(first), string(again), id)
	}
}

func assertRoundTrip(t *testing.T, event *intram.Event) {
	t.Helper()
	back := through(t, event)
	assert.Equal(t, event, back)
	assert.Equal(t, event.InboxKey(), back.InboxKey())
}

// through sends an event through a store that writes JSON anew, as jsonb does: members
// sorted, numbers as numbers.
func through(t *testing.T, event *intram.Event) *intram.Event {
	t.Helper()
	text, err := json.Marshal(event)
	require.NoError(t, err)
	assert.NotContains(t, string(text), `\u0000`, "jsonb refuses it")
	var anew any
	require.NoError(t, json.Unmarshal(text, &anew))
	text, err = json.Marshal(anew)
	require.NoError(t, err)
	back := new(intram.Event)
	require.NoError(t, json.Unmarshal(text, back))
	return back
}

// An event without a body is written from what is known of it, and from nothing that was
// read away.
func TestEachFieldOfAMadeEventGoesThroughJSON(t *testing.T) {
	t.Parallel()
	raw := intram.RawMessage(`{"status":"completed","error":{"code":"provider_error"},"extra":1}`)
	for _, data := range []intram.EventData{
		&intram.PayoutEventData{
			PayoutResult: intram.PayoutResult{
				Reference: "PO-1", Amount: intram.NewAmount(5), Currency: intram.XOF, Status: intram.PayoutCompleted,
				Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"}, Raw: raw,
			}, Metadata: intram.RawMessage(`{"batch":"B"}`),
		},
		&intram.PaymentRequestEventData{
			PaymentRequestResult: intram.PaymentRequestResult{
				TransactionReference: "AB12CD34EF", Status: "paid", Amount: intram.NewAmount(5), Currency: intram.XOF,
				GatewayURL: "https://g.example/1", ReceiptURL: "https://g.example/2", QRCode: "data:image/png;base64,AA==", Raw: raw,
			},
			WebhookData: intram.RawMessage(`{"order":"1"}`), Fees: intram.NewAmount(1), NetAmount: intram.NewAmount(4),
			PaymentMethod: intram.TransactionPaymentMethod{Name: "MTN Bénin", Code: intram.MTNBenin, Type: "mobile_money"},
		},
		&intram.RefundEventData{
			RefundResult: intram.RefundResult{
				Status: intram.RefundFailed, RefundReference: "RF1", Amount: intram.NewAmount(5), TransactionReference: "AB12CD34EF", Raw: raw,
			}, Reason: "double paid",
		},
	} {
		text, err := json.Marshal(intram.Event{Type: "x", OperationID: "op_1", Data: data})
		require.NoError(t, err)
		var wire struct{ Data json.RawMessage }
		require.NoError(t, json.Unmarshal(text, &wire))
		back := reflect.New(reflect.TypeOf(data).Elem())
		require.NoError(t, json.Unmarshal(wire.Data, back.Interface()))
		assert.Equal(t, withoutRaw(data), withoutRaw(back.Interface()))
	}
}

// withoutRaw is an event's data as its fields say it.
func withoutRaw(data any) any {
	switch d := data.(type) {
	case *intram.PayoutEventData:
		d.Raw = nil
	case *intram.PaymentRequestEventData:
		d.Raw = nil
	case *intram.RefundEventData:
		d.Raw = nil
	}
	return data
}

// The data is beside the signed body wherever jsonb takes it, and nowhere else.
func TestTheDataOfAnEventIsThereWhereJsonbTakesIt(t *testing.T) {
	t.Parallel()
	for body, there := range map[string]bool{
		`{"event":"x","data":{"a":"é"}}`:            true,
		"\ufeff" + `{"event":"x","data":{"a":"é"}}`: true,
		`{"event":"x","data":{"a":"\ud83d\ude00"}}`: false,
		`{"event":"x","data":{"a":"\uD83D\uDE00"}}`: false,
		`{"event":"x","data":{"a":"\u0000"}}`:       false,
	} {
		text, err := json.Marshal(intram.Event{Type: "x", Raw: intram.RawMessage(body), DeliveryID: "whd_\x00"})
		require.NoError(t, err)
		assert.NotContains(t, string(text), `\u0000`, body)
		var wire map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &wire))
		assert.Equal(t, there, wire["data"] != nil, body)
	}
}
