package pginbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/internal/inboxtest"
	"github.com/intram/intram-go/internal/pgtest"
)

// replicaDatabase, when set, makes this test binary a replica on that database.
const replicaDatabase = "INTRAM_TEST_REPLICA_DATABASE"

func isReplica() bool { return os.Getenv(replicaDatabase) != "" }

// runReplica is a merchant's webhook receiver: what it does about an event is a row of
// its own.
func runReplica() int {
	pool, err := pgxpool.New(context.Background(), os.Getenv(replicaDatabase))
	if err == nil {
		var inbox *pginbox.Inbox
		if inbox, err = pginbox.New(pool); err == nil {
			err = inboxtest.ServeReplica(inbox, inbox.InTx(func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
				_, err := tx.Exec(ctx, "INSERT INTO effects (event) VALUES ($1)", event.InboxKey())
				return err
			}))
		}
	}
	_, _ = fmt.Fprintln(os.Stderr, "replica:", err)
	return 1
}

// Five thousand events, three replicas, fifty of them killed, two crashes of PostgreSQL:
// each event takes effect once.
func TestEachOfFiveThousandEventsTakesEffectOnce(t *testing.T) {
	t.Parallel()
	events := 5000
	if raceDetector {
		events = 600
	}
	server := pgtest.New(t)
	address := newSchema(t, server.URL())
	pool := newPool(t, address)
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	// No unique constraint: whatever took effect twice is there twice.
	_, err := pool.Exec(t.Context(), "CREATE TABLE effects (event text NOT NULL)")
	require.NoError(t, err)
	inboxtest.Chaos{
		Events: events,
		Replica: func() *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = []string{replicaDatabase + "=" + address}
			return cmd
		},
		Restart: server.Restart,
		Pass: func(d time.Duration) error {
			_, err := pool.Exec(t.Context(), "UPDATE intram_inbox SET leased_until = leased_until - $1::interval", d)
			return err
		},
		Effects: func() (map[string]int, error) {
			rows, err := pool.Query(t.Context(), "SELECT event, count(*) FROM effects GROUP BY event")
			if err != nil {
				return nil, err
			}
			effects := make(map[string]int)
			var event string
			var times int
			_, err = pgx.ForEachRow(rows, []any{&event, &times}, func() error { effects[event] = times; return nil })
			return effects, err
		},
	}.Run(t)
}
