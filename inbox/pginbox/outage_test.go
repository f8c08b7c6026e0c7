package pginbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/internal/inboxtest"
	"github.com/intram/intram-go/internal/pgtest"
)

// A pool of four that the inbox shares with the function, and forty deliveries at once:
// completions queue behind functions for longer than a delivery waits.
func TestABurstOnASharedPoolTakesEffectOnce(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	receiver := inboxtest.Receiver{
		Inbox: newInbox(t, pool),
		During: func(ctx context.Context) error {
			_, err := pool.Exec(ctx, "SELECT pg_sleep(0.4)")
			return err
		},
		Pass: func(d time.Duration) error { pass(t, pool, d); return nil },
	}
	receiver.Burst(t, 40)
}

func TestAnEffectIsNotForgottenDuringAFailover(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	pool := newPool(t, newSchema(t, server.URL()))
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	var once sync.Once
	receiver := inboxtest.Receiver{
		Inbox:  newInbox(t, pool),
		During: func(context.Context) error { once.Do(server.Crash); return nil },
		Pass:   func(d time.Duration) error { pass(t, pool, d); return nil },
	}
	receiver.Failover(t, server.Start)
}
