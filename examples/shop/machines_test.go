package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// Two machines find out that nothing came of an old intent: the second one's is not
// taken, since the first one's may have been sent.
func TestOneMachineBeginsAnew(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	seen := c.order()
	require.NoError(t, c.beginAnew(t.Context(), seen))
	begun := c.order().Intent.IdempotencyKey
	assert.NotEqual(t, seen.Intent.IdempotencyKey, begun)
	require.NoError(t, c.beginAnew(t.Context(), seen))
	assert.Equal(t, begun, c.order().Intent.IdempotencyKey)
}

// The payment arrives while another machine puts the goods back on the shelf: the event
// waits for that, and sees it.
func TestAnEventWaitsForTheOtherChangeOfItsOrder(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	tx, err := c.db.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it is committed, or the test has failed
	_, err = tx.Exec(t.Context(), "UPDATE orders SET state = 'abandoned'")
	require.NoError(t, err)
	require.NoError(t, c.intram.Pay(c.order().Transaction))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.intram.Advance(time.Second)
	}()
	for waits := false; !waits; { // until the event's transaction waits for this one
		require.NoError(t, tx.QueryRow(t.Context(),
			"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))").Scan(&waits))
		select {
		case <-done:
			waits = true
		default:
		}
	}
	require.NoError(t, tx.Commit(t.Context()))
	<-done
	c.intram.Advance(time.Hour)
	assert.Equal(t, "refund_due", c.order().State)
}

// What a person sends back by hand is not the shop's refund.
func TestAnotherRefundLeavesItsOrderAlone(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	require.NoError(t, c.intram.Pay(c.order().Transaction))
	c.intram.Advance(time.Minute)
	require.Equal(t, "paid", c.order().State)
	_, err := c.client.Refunds.Create(t.Context(), intram.RefundParams{
		TransactionReference: c.order().Transaction, Amount: intram.NewAmount(1000), Reason: "a torn corner",
	})
	require.NoError(t, err)
	c.intram.Advance(time.Hour)
	assert.Equal(t, "paid", c.order().State)
}
