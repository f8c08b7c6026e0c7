package intram_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// TestAnswersThatCanBeReadInTwoWaysAreInDoubt has the API answer a payout with what encoding/json alone would take.
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
