package sqlinbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/inboxtest"
)

// replicaDatabase, when set, makes this test binary a replica on that database, with the
// dialect and the driver of the other two.
const (
	replicaDatabase = "INTRAM_TEST_REPLICA_DATABASE"
	replicaDialect  = "INTRAM_TEST_REPLICA_DIALECT"
	replicaDriver   = "INTRAM_TEST_REPLICA_DRIVER"
)

func isReplica() bool { return os.Getenv(replicaDatabase) != "" }

// runReplica is a merchant's webhook receiver: what it does about an event is a row of
// its own.
func runReplica() int {
	number, err := strconv.Atoi(os.Getenv(replicaDialect))
	s := store{setup: setup{dialect: sqlinbox.Dialect(number), driver: os.Getenv(replicaDriver)}}
	var inbox *sqlinbox.Inbox
	switch {
	case err != nil:
	case s.dialect == sqlinbox.SQLite:
		inbox, err = sqlinbox.OpenSQLite(os.Getenv(replicaDatabase))
	default:
		var db *sql.DB
		if db, err = sql.Open(s.driver, os.Getenv(replicaDatabase)); err == nil {
			inbox, err = sqlinbox.New(db, s.dialect)
		}
	}
	if err == nil {
		err = inboxtest.ServeReplica(inbox, inbox.InTx(func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
			_, err := tx.ExecContext(ctx, s.marked("INSERT INTO effects (event) VALUES (?)"), event.InboxKey())
			return err
		}))
	}
	_, _ = fmt.Fprintln(os.Stderr, "replica:", err)
	return 1
}

// Two thousand events, three replicas, twenty of them killed, two crashes of the server:
// each event takes effect once.
func TestEachOfTwoThousandEventsTakesEffectOnce(t *testing.T) {
	t.Parallel()
	events := 2000
	if raceDetector {
		events = 400
	}
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *store
			restart, database := func() error { return nil }, "" // SQLite crashes with its replicas
			if with.dialect == sqlinbox.SQLite {
				s = with.migrated(t)
				database = s.path
			} else {
				var server crashing
				s, server = with.own(t)
				restart, database = server.Restart, s.dsn
			}
			db := s.pool(t)
			// No unique constraint: whatever took effect twice is there twice.
			s.exec(t, db, "CREATE TABLE effects (event varchar(64) NOT NULL)")
			inboxtest.Chaos{
				Events: events,
				Replica: func() *exec.Cmd {
					cmd := exec.CommandContext(t.Context(), os.Args[0])
					cmd.Env = []string{replicaDatabase + "=" + database, replicaDialect + "=" + strconv.Itoa(int(s.dialect)), replicaDriver + "=" + s.driver}
					return cmd
				},
				Restart: restart,
				Pass: func(d time.Duration) error {
					_, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE intram_sqlinbox SET leased_until_us = leased_until_us - %d", d.Microseconds()))
					return err
				},
				Effects: func() (map[string]int, error) {
					rows, err := db.QueryContext(t.Context(), "SELECT event, count(*) FROM effects GROUP BY event")
					require.NoError(t, err)
					defer func() { _ = rows.Close() }()
					effects := make(map[string]int)
					for rows.Next() {
						var event string
						var times int
						require.NoError(t, rows.Scan(&event, &times))
						effects[event] = times
					}
					return effects, rows.Err()
				},
			}.Run(t)
		})
	}
}
