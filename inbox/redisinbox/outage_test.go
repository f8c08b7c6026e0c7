package redisinbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/intram/intram-go/internal/inboxtest"
)

// A pool of four that the inbox shares with the function, and forty deliveries at once:
// completions queue behind functions for longer than a delivery waits.
func TestABurstOnASharedPoolTakesEffectOnce(t *testing.T) {
	t.Parallel()
	prefix := newPrefix()
	client := newClient(t, sharedURL(t), func(o *redis.Options) { o.PoolSize, o.PoolTimeout = 4, time.Minute })
	receiver := inboxtest.Receiver{
		Inbox: newInbox(t, client, prefix),
		During: func(ctx context.Context) error {
			err := client.BLPop(ctx, time.Second, prefix+"nothing").Err() // holds its connection for a second
			if errors.Is(err, redis.Nil) {
				return nil
			}
			return err
		},
		Pass: func(d time.Duration) error { return pass(t.Context(), client, prefix, d) },
	}
	receiver.Burst(t, 24)
}

func TestAnEffectIsNotForgottenDuringAFailover(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	prefix, client := newPrefix(), newClient(t, server.url())
	var once sync.Once
	receiver := inboxtest.Receiver{
		Inbox:  newInbox(t, client, prefix),
		During: func(context.Context) error { once.Do(server.crash); return nil },
		Pass:   func(d time.Duration) error { return pass(t.Context(), client, prefix, d) },
	}
	receiver.Failover(t, server.start)
}
