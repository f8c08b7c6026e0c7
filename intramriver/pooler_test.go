package intramriver_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// A pooler needs pgx to send each statement without having asked for its types.
func TestEventsBehindAPooler(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			c := r.pool.Config()
			c.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), c)
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			r.work = r.machine(func(c *intramriver.Config) { r.withEvents(c); c.Pool = pool })
			r.handler = r.work.Handler(r.verifier(webhookSecret))
			assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)), r.log.String())
			r.fetchEvents()
			r.pass(3 * time.Minute)
			_, _, _, orphans, err := r.work.Sweep(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 1, orphans)
			events, err := r.work.Events(t.Context(), intramriver.EventFilter{})
			require.NoError(t, err)
			assert.Equal(t, "whd_1", events[0].Headers["X-Intram-Delivery"])
			_, err = r.work.Replay(t.Context(), intramriver.EventFilter{})
			require.NoError(t, err)
			rec, err := r.work.Payout(t.Context(), payout("PO-1", "000000"))
			require.NoError(t, err)
			require.NoError(t, r.work.Send(t.Context(), rec.ID))
			_, err = r.work.Reconcile(t.Context())
			require.NoError(t, err)
			r.pass(3 * time.Hour)
			_, err = r.work.Reconcile(t.Context())
			require.NoError(t, err)
			_, err = r.work.Prune(t.Context(), 0)
			require.NoError(t, err)
		})
	}
}
