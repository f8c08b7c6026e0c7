package sqlinbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/inboxtest"
)

// occupying are statements that keep their connection for a while.
var occupying = map[sqlinbox.Dialect]string{
	sqlinbox.PostgreSQL: "SELECT pg_sleep(0.4)",
	sqlinbox.MySQL:      "SELECT SLEEP(0.4)",
	sqlinbox.SQLite:     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200000) SELECT max(n) FROM c",
}

// A pool of four that the inbox shares with the function, and forty deliveries at once:
// completions queue behind functions for longer than a delivery waits.
func TestABurstOnASharedPoolTakesEffectOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		db := s.pool(t)
		inbox, err := sqlinbox.New(db, s.dialect)
		require.NoError(t, err)
		receiver := inboxtest.Receiver{
			Inbox: inbox,
			During: func(ctx context.Context) error {
				_, err := db.ExecContext(ctx, occupying[s.dialect])
				return err
			},
			Pass: func(d time.Duration) error { s.pass(t, db, d); return nil },
		}
		receiver.Burst(t, 40)
	})
}

func TestAnEffectIsNotForgottenDuringAFailover(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, with setup) {
		s, server := with.own(t)
		db := s.pool(t)
		inbox, err := sqlinbox.New(db, s.dialect)
		require.NoError(t, err)
		var once sync.Once
		receiver := inboxtest.Receiver{
			Inbox:  inbox,
			During: func(context.Context) error { once.Do(server.Crash); return nil },
			Pass:   func(d time.Duration) error { s.pass(t, db, d); return nil },
		}
		receiver.Failover(t, server.Start)
	})
}
