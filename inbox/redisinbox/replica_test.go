package redisinbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/redisinbox"
	"github.com/intram/intram-go/internal/inboxtest"
)

// replicaRedis, when set, makes this test binary a replica on that server.
const replicaRedis = "INTRAM_TEST_REPLICA_REDIS"

func isReplica() bool { return os.Getenv(replicaRedis) != "" }

// runReplica is a merchant's webhook receiver: what it does about an event is a count of
// its own.
func runReplica() int {
	options, err := redis.ParseURL(os.Getenv(replicaRedis))
	if err == nil {
		options.ContextTimeoutEnabled = true
		var inbox *redisinbox.Inbox
		if inbox, err = redisinbox.New(redis.NewClient(options)); err == nil {
			err = inboxtest.ServeReplica(inbox, inbox.InTx(func(_ context.Context, tx *redisinbox.Tx, event *intram.Event) error {
				tx.Do("HINCRBY", "effects", event.InboxKey(), 1)
				return nil
			}))
		}
	}
	_, _ = fmt.Fprintln(os.Stderr, "replica:", err)
	return 1
}

// Five thousand events, three replicas, fifty of them killed, two crashes of Redis: each
// event takes effect once.
func TestEachOfFiveThousandEventsTakesEffectOnce(t *testing.T) {
	t.Parallel()
	events := 5000
	if raceDetector {
		events = 600
	}
	server := ownServer(t)
	client := newClient(t, server.url())
	inboxtest.Chaos{
		Events: events,
		Replica: func() *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = []string{replicaRedis + "=" + server.url()}
			return cmd
		},
		Restart: server.restart,
		Pass:    func(d time.Duration) error { return pass(t.Context(), client, redisinbox.DefaultPrefix, d) },
		Effects: func() (map[string]int, error) {
			counts, err := client.HGetAll(t.Context(), "effects").Result()
			if err != nil {
				return nil, err
			}
			effects := make(map[string]int)
			for event, count := range counts {
				if effects[event], err = strconv.Atoi(count); err != nil {
					return nil, err
				}
			}
			return effects, nil
		},
	}.Run(t)
}
