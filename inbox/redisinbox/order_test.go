package redisinbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/redisinbox"
)

// recordPayout keeps the furthest state of a payout, whatever the order of its events.
func recordPayout(ctx context.Context, client *redis.Client, tx *redisinbox.Tx, prefix string, event *intram.Event) error {
	key := prefix + "payout:" + event.OperationID
	stored, err := client.Get(ctx, key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	var progress intram.EventOrder
	if stored != "" {
		if err := json.Unmarshal([]byte(stored), &progress); err != nil {
			return err
		}
	}
	next, moved := progress.Apply(event)
	if !moved {
		return nil // older news than what is known
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	tx.Unchanged(key, stored) // or another event has come between
	tx.Do("SET", key, text)
	return nil
}

func TestARouterWritesInTheTransactionAndInOrder(t *testing.T) {
	t.Parallel()
	client, prefix := newClient(t, sharedURL(t)), newPrefix()
	inbox := newInbox(t, client, prefix)
	disturb := 0
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		tx, err := redisinbox.TxFromContext(ctx)
		if err != nil {
			return err
		}
		if err := recordPayout(ctx, client, tx, prefix, e); err != nil {
			return err
		}
		if disturb > 0 { // another event of the payout comes between
			disturb--
			return client.Set(ctx, prefix+"payout:op_1", fmt.Sprintf(`{"operation_id":"op_1","event":"payout.queued","occurred_at":"2026-05-20T10:00:%02dZ"}`, disturb), 0).Err()
		}
		return nil
	})
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle))
	deliver := func(typ string) int {
		body := fmt.Sprintf(`{"event":%q,"operation_id":"op_1","occurred_at":"2026-05-20T10:31:14.000Z","data":{"amount":1}}`, typ)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	disturb = 5
	assert.Equal(t, 500, deliver("payout.completed"), "changed again and again")
	disturb = 4
	assert.Equal(t, 200, deliver("payout.completed"), "the fifth try finds it unchanged")
	assert.Equal(t, 200, deliver("payout.queued"))
	state, err := client.Get(t.Context(), prefix+"payout:op_1").Result()
	require.NoError(t, err)
	assert.Contains(t, state, "payout.completed")

	_, err = redisinbox.TxFromContext(t.Context())
	require.ErrorIs(t, err, redisinbox.ErrNoTransaction)
	assert.Nil(t, inbox.Transactional(nil))
}

// A key that is not there is unchanged as long as it is not there.
func TestTheFirstEventOfAPayoutFindsNothingAndTakesEffect(t *testing.T) {
	t.Parallel()
	client, prefix := newClient(t, sharedURL(t)), newPrefix()
	inbox := newInbox(t, client, prefix)
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier, inbox, inbox.InTx(func(_ context.Context, tx *redisinbox.Tx, _ *intram.Event) error {
		tx.Unchanged(prefix+"payout:op_1", "")
		tx.Do("SET", prefix+"payout:op_1", "queued")
		return nil
	}))
	const body = `{"event":"payout.queued","operation_id":"op_1","occurred_at":"2026-05-20T10:31:14.000Z","data":{"amount":1}}`
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	assert.Equal(t, 200, w.Code)
	state, err := client.Get(t.Context(), prefix+"payout:op_1").Result()
	require.NoError(t, err)
	assert.Equal(t, "queued", state)
}
