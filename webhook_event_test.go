package intram_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
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
