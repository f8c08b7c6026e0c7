package pginbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
)

// A router's functions write in the transaction of the completion, and a late
// payout.queued does not undo completed.
func TestARouterWritesInTheTransactionAndInOrder(t *testing.T) {
	t.Parallel()
	var router *intram.EventRouter
	s := newShop(t, writeEffect)
	_, err := s.pool.Exec(t.Context(), `CREATE TABLE payouts (operation_id text PRIMARY KEY, progress jsonb NOT NULL DEFAULT '{}')`)
	require.NoError(t, err)
	fail := true
	router = new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		if err := recordPayout(ctx, pginbox.Tx(ctx), e); err != nil {
			return err
		}
		if _, err := pginbox.Tx(ctx).Exec(ctx, "INSERT INTO effects VALUES ($1)", e.OperationID); err != nil {
			return err
		}
		if fail {
			fail = false
			return fmt.Errorf("after the writes")
		}
		return nil
	})
	require.NoError(t, router.Err())
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier, s.inbox, s.inbox.Transactional(router.Handle))
	deliver := func(typ string, second int) int {
		body := fmt.Sprintf(`{"event":%q,"operation_id":"op_1","occurred_at":"2026-05-20T10:31:%02d.000Z","data":{"amount":1}}`, typ, second)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, 500, deliver("payout.completed", 14))
	assert.Zero(t, s.effects(t), "rolled back")
	assert.Equal(t, 200, deliver("payout.completed", 14))
	assert.Equal(t, 200, deliver("payout.queued", 10))
	var state string
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT progress->>'event' FROM payouts").Scan(&state))
	assert.Equal(t, "payout.completed", state)
	assert.Equal(t, 2, s.effects(t))
	assert.Nil(t, s.inbox.Transactional(nil))
}

// A pooler between the program and the database prepares no statements.
func TestAnOrderIsStoredInEveryModeOfTheDriver(t *testing.T) {
	t.Parallel()
	s := newShop(t, writeEffect)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		config := s.pool.Config().ConnConfig.Copy()
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `CREATE TEMPORARY TABLE orders (progress jsonb NOT NULL DEFAULT '{}', words text)`)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "INSERT INTO orders DEFAULT VALUES")
		require.NoError(t, err)
		var none intram.EventOrder
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT progress FROM orders").Scan(&none), mode)
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT words FROM orders").Scan(&none), mode)
		next, moved := none.Apply(&intram.Event{Type: intram.EventPayoutQueued, OperationID: "op_1", OccurredAt: time.Date(2026, 5, 20, 10, 31, 0, 0, time.UTC)})
		require.True(t, moved)
		_, err = conn.Exec(t.Context(), "UPDATE orders SET progress = $1, words = $2", next, next)
		require.NoError(t, err, mode)
		var stored, words intram.EventOrder
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT progress, words FROM orders WHERE progress->>'event' = 'payout.queued'").Scan(&stored, &words), mode)
		assert.Equal(t, next, stored, mode)
		assert.Equal(t, next, words, mode)
		require.NoError(t, conn.Close(t.Context()))
	}
}

func TestWithoutATransactionEverythingSaysSo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tx := pginbox.Tx(ctx)
	_, err := tx.Exec(ctx, "SELECT 1")
	require.ErrorIs(t, err, pginbox.ErrNoTransaction)
	_, err = tx.Query(ctx, "SELECT 1") //nolint:sqlclosecheck // there are no rows
	require.ErrorIs(t, err, pginbox.ErrNoTransaction)
	require.ErrorIs(t, tx.QueryRow(ctx, "SELECT 1").Scan(), pginbox.ErrNoTransaction)
	require.ErrorIs(t, tx.SendBatch(ctx, new(pgx.Batch)).Close(), pginbox.ErrNoTransaction)
	_, err = tx.CopyFrom(ctx, nil, nil, nil)
	require.ErrorIs(t, err, pginbox.ErrNoTransaction)
	_, err = tx.Begin(ctx)
	require.ErrorIs(t, err, pginbox.ErrNoTransaction)
	_, err = tx.Prepare(ctx, "", "")
	require.ErrorIs(t, err, pginbox.ErrNoTransaction)
	require.ErrorIs(t, tx.Commit(ctx), pginbox.ErrNoTransaction)
	require.ErrorIs(t, tx.Rollback(ctx), pginbox.ErrNoTransaction)
}
