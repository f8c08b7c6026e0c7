package intramriver_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/inboxtest"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// The database commits, and its reply is lost: at any statement of a job.
func TestALostReplyOfTheDatabasePaysOnce(t *testing.T) {
	t.Parallel()
	for n := range int32(4) {
		s := newShop(t)
		r := s.plan("PO-1", "000000")
		config, err := pgxpool.ParseConfig(s.pool.Config().ConnString())
		require.NoError(t, err)
		losing := new(atomic.Int32)
		config.MaxConns = 1
		config.ConnConfig.DialFunc = inboxtest.DialLosing(losing)
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		require.NoError(t, pool.Ping(t.Context()))
		flaky := s.machine(func(c *intramriver.Config) { c.Pool = pool })
		losing.Store(n + 1)
		_ = flaky.Send(t.Context(), r.ID)
		s.send(s.work, r.ID)
		s.sweep()
		assert.Equal(t, []string{"completed"}, s.books("PO-1"), "reply %d", n)
		assert.Equal(t, 1, s.moved("PO-1"), "reply %d", n)
	}
}

// The database crashes while a call is under way, and comes back.
func TestACrashOfTheDatabaseDuringACallPaysOnce(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	s := &shop{t: t, log: new(log), pool: newPool(t, newSchema(t, server.URL()))}
	migrateAll(t, s.pool)
	s.server = intramtest.NewServer(t)
	s.work = s.machine(nil)
	r := s.plan("PO-1", "000000")
	machine := s.machine(nil)
	machine.StopAt(crashOnce(server, "called"))
	require.Error(t, machine.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.posts())
	require.NoError(t, server.Start())
	s.pool.Reset()
	s.send(s.work, r.ID)
	s.sweep()
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
	assert.Equal(t, 1, s.moved("PO-1"))
}

// crashOnce crashes a server at a step.
func crashOnce(server *pgtest.Server, at string) func(context.Context, string) error {
	crashed := false
	return func(_ context.Context, step string) error {
		if step == at && !crashed {
			crashed = true
			server.Crash()
		}
		return nil
	}
}
