package intram_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// TestAnswersThatCanBeReadInTwoWaysAreInDoubt has the API respond to a payout with what
// encoding/json alone would take.
func TestAnswersThatCanBeReadInTwoWaysAreInDoubt(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"an id twice":             `{"error":false,"data":{"operation_id":"op_1","operation_id":"op_2","status":"queued"}}`,
		"an id in two cases":      `{"error":false,"data":{"operation_id":"op_1","OPERATION_ID":"op_2","status":"queued"}}`,
		"an amount twice":         `{"error":false,"data":{"operation_id":"op_1","type":"payout","result":{"amount":1,"amount":2}}}`,
		"data twice":              `{"error":false,"data":{"operation_id":"op_1"},"data":{"operation_id":"op_2"}}`,
		"something after it":      `{"error":false,"data":{"operation_id":"op_1"}}{"error":true}`,
		"a word after it":         `{"error":false,"data":{"operation_id":"op_1"}} x`,
		"more levels than wanted": `{"error":false,"data":{"operation_id":"op_1","x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &payinServer{answers: []payinAnswer{{status: http.StatusAccepted, body: body}}}
			client, err := intram.NewClient("pk_sandbox_a1", "sk_sandbox_b2", intram.WithHTTPClient(&http.Client{Transport: server}))
			require.NoError(t, err)
			op, err := client.Payouts.Create(t.Context(), intentParams())
			assert.Nil(t, op)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%v", err)
		})
	}
}

func TestEventsThatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier("whsec_a1")
	require.NoError(t, err)
	verify := func(body string) (*intram.Event, error) {
		return verifier.Verify(intram.SignWebhook("whsec_a1", time.Now(), []byte(body)), []byte(body))
	}
	event, err := verify(`{"event":"payout.completed","operation_id":"op_1","data":{"amount":1,"AMOUNT":2}}`)
	require.NoError(t, err, "what is signed is not lost")
	assert.Equal(t, intram.EventPayoutCompleted, event.Type)
	assert.IsType(t, (*intram.UnknownEventData)(nil), event.Data, "and not guessed at")

	for _, body := range []string{
		`{"event":"payout.completed","event":"payout.failed","data":{}}`,
		`{"event":"payout.completed","operation_id":"op_1","Operation_ID":"op_2"}`,
	} {
		_, err := verify(body)
		require.ErrorIs(t, err, intram.ErrInvalidPayload, body)
	}
}

// A byte order mark in front of a response or a delivery is passed over. What was signed
// is the bytes with it.
func TestAByteOrderMarkIsPassedOver(t *testing.T) {
	t.Parallel()
	const mark = "\ufeff"
	client, _ := scripted(t,
		answer(202, mark+`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"queued"}}`),
		answer(400, mark+`{"error":true,"code":"amount_too_small"}`),
		answer(200, mark+`{"error":false,"data":[{"operation_id":"op_1"}]}`))
	op, err := client.Payouts.Create(t.Context(), intentParams())
	require.NoError(t, err)
	assert.Equal(t, "op_1", op.ID)
	_, err = client.Payouts.Create(t.Context(), intentParams())
	require.ErrorIs(t, err, intram.CodeAmountTooSmall)
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))
	page, err := client.Operations.List(t.Context(), intram.OperationListParams{})
	require.NoError(t, err)
	assert.Len(t, page.Items, 1)

	verifier, err := intram.NewWebhookVerifier("whsec_a1")
	require.NoError(t, err)
	body := []byte(mark + `{"event":"payout.completed","operation_id":"op_1","data":{"status":"completed"}}`)
	header := intram.SignWebhook("whsec_a1", time.Now(), body)
	event, err := verifier.Verify(header, body)
	require.NoError(t, err)
	assert.Equal(t, body, []byte(event.Raw), "as it was signed")
	out, err := json.Marshal(event)
	require.NoError(t, err, "and still JSON when it is written")
	assert.NotContains(t, string(out), mark)
	assert.Equal(t, "op_1", event.OperationID)
	_, err = verifier.Verify(header, body[len(mark):])
	require.ErrorIs(t, err, intram.ErrInvalidSignature)

	body = []byte(mark + `{"reference":"order-1","status":"processed"}`)
	note, err := intram.VerifyPayinNotification(intramtest.SignPayinNotification("secret", body), body, "secret")
	require.NoError(t, err)
	assert.Equal(t, "order-1", note.Payin.Reference)
}

// nested is an object of the caller's own with so many levels.
func nested(levels int) map[string]any {
	if levels == 1 {
		return map[string]any{"a": 1}
	}
	return map[string]any{"a": nested(levels - 1)}
}

// What the SDK sends it can read when it comes back; what is too deep is refused before
// it is sent.
func TestDeepMetadataIsReadOrRefused(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	for _, levels := range []int{1, 62, 64} {
		params := intentParams()
		params.Metadata = nested(levels)
		op, err := client.Payouts.Create(t.Context(), params)
		require.NoError(t, err, levels)
		_, err = client.Payouts.Wait(t.Context(), op.ID)
		require.NoError(t, err, levels)
	}
	page, err := client.Operations.List(t.Context(), intram.OperationListParams{})
	require.NoError(t, err)
	assert.Len(t, page.Items, 3)
	assert.Empty(t, page.Unreadable)

	params := intentParams()
	params.Metadata = nested(65)
	_, err = client.Payouts.Create(t.Context(), params)
	requireRefused(t, err, "metadata")
	_, err = client.Payouts.Prepare(params)
	requireRefused(t, err, "metadata")
	_, err = client.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF", Metadata: nested(65)})
	requireRefused(t, err, "metadata")
	_, err = client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(100), Currency: intram.XOF}, WebhookData: nested(65),
	})
	requireRefused(t, err, "webhook_data")
}

func requireRefused(t *testing.T, err error, field string) {
	t.Helper()
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
	require.Len(t, e.Details, 1)
	assert.Equal(t, field, e.Details[0].Path)
}
