package pginbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// An event is queued in a jsonb column, which sorts its members and writes its numbers
// anew, and read by a worker.
func TestAnEventGoesThroughJSONBWithoutLoss(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	_, err := pool.Exec(t.Context(), "CREATE TABLE queue (event jsonb NOT NULL)")
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	for _, body := range []string{
		`{"event":"payout.completed","operation_id":"op_1","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-1","amount":2.50e4}}`,
		`{"event":"dispute.opened",  "operation_id":"op_1","data":{"z":1.10,"a":"\u0000 \ud800"}}`,
		"{\"event\":\"payout.completed\",\"operation_id\":\"op_\\u0000\",\"data\":{\"reference\":\"\xff\"}}",
	} {
		event, err := verifier.WithInboxScope("a/live").Verify(intram.SignWebhook(secret, time.Now(), []byte(body)), []byte(body))
		require.NoError(t, err)
		text, err := json.Marshal(event)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), "INSERT INTO queue VALUES ($1)", string(text))
		require.NoError(t, err, "%s", text)
		var stored []byte
		require.NoError(t, pool.QueryRow(t.Context(), "DELETE FROM queue RETURNING event::text").Scan(&stored))
		back := new(intram.Event)
		require.NoError(t, json.Unmarshal(stored, back))
		assert.Equal(t, event, back)
		assert.Equal(t, event.InboxKey(), back.InboxKey())
	}
}
