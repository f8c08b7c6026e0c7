package sqlinbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/mariatest"
	"github.com/intram/intram-go/internal/pgtest"
)

// crashing is a private server that a test may kill.
type crashing interface {
	Crash()
	Start() error
	Restart() error
}

// own makes a migrated database on a server of its own; SQLite has no server to crash.
func (s setup) own(t *testing.T) (*store, crashing) {
	t.Helper()
	var made *store
	var server crashing
	if s.dialect == sqlinbox.PostgreSQL {
		own := pgtest.New(t)
		made, server = s.on(t, own.URL()), own
	} else {
		own := mariatest.New(t)
		made, server = s.on(t, own.DSN()), own
	}
	made.migrate(t)
	return made, server
}

// eachServer runs a test with each setup that has a server.
func eachServer(t *testing.T, test func(t *testing.T, with setup)) {
	t.Helper()
	for name, with := range setups {
		if with.dialect == sqlinbox.SQLite {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, with)
		})
	}
}

func TestWhatAServerHasCommittedSurvivesItsCrash(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, with setup) {
		s, server := with.own(t)
		inbox := s.inbox(t)
		require.NoError(t, inbox.Complete(t.Context(), hold(t, inbox, "done")))
		held := hold(t, inbox, "held")

		require.NoError(t, server.Restart())

		// The pool does not know yet that its connections are dead.
		assert.Equal(t, intram.ClaimDone, state(t, inbox, "done"))
		assert.Equal(t, intram.ClaimBusy, state(t, inbox, "held"))
		require.NoError(t, inbox.Complete(t.Context(), held))

		server.Crash()
		_, err := inbox.Claim(t.Context(), "new", time.Minute)
		require.Error(t, err)
		err = inbox.Complete(t.Context(), held)
		require.Error(t, err)
		require.NotErrorIs(t, err, intram.ErrLeaseLost, "a server that is down has lost no lease")
		require.NoError(t, server.Start())
		hold(t, inbox, "new")
	})
}

func TestMigratingTwiceAndAtOnceMigratesOnce(t *testing.T) {
	t.Parallel()
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := with.empty(t)
			var work sync.WaitGroup
			for range 6 {
				db := s.pool(t)
				work.Go(func() { assert.NoError(t, sqlinbox.Migrate(t.Context(), db, s.dialect)) })
			}
			work.Wait()
			db := s.pool(t)
			// One of a later version stays.
			s.exec(t, db, "INSERT INTO intram_sqlinbox_migrations (version) VALUES (4711)")
			inbox := s.inbox(t)
			require.NoError(t, inbox.Complete(t.Context(), hold(t, inbox, "key")))
			require.NoError(t, sqlinbox.Migrate(t.Context(), db, s.dialect))
			assert.Equal(t, intram.ClaimDone, state(t, inbox, "key"))
			files, err := sqlinbox.Migrations(s.dialect)
			require.NoError(t, err)
			steps, err := fs.Glob(files, "*.sql")
			require.NoError(t, err)
			assert.NotEmpty(t, steps)
			assert.Len(t, steps, s.count(t, db, "SELECT count(*) FROM intram_sqlinbox_migrations")-1)
		})
	}
}

// A migration that was interrupted is made by the next one.
func TestAMigrationThatFailedIsMadeLater(t *testing.T) {
	t.Parallel()
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := with.empty(t)
			db := s.pool(t)
			s.exec(t, db, "CREATE VIEW intram_sqlinbox_cursor AS SELECT 1 AS one") // in the way of the last table
			err := sqlinbox.Migrate(t.Context(), db, s.dialect)
			if s.dialect != sqlinbox.MySQL { // which takes a view for the table that may be there
				require.ErrorContains(t, err, "0001_inbox.sql")
				_, err = db.ExecContext(t.Context(), "SELECT 1 FROM intram_sqlinbox_pending")
				require.Error(t, err, "all or none")
			}
			s.exec(t, db, "DROP VIEW intram_sqlinbox_cursor")
			if s.dialect == sqlinbox.MySQL {
				s.exec(t, db, "DELETE FROM intram_sqlinbox_migrations") // as if it had been killed before it took note
			}
			require.NoError(t, sqlinbox.Migrate(t.Context(), db, s.dialect))
			inbox := s.inbox(t)
			require.NoError(t, inbox.SaveCursor(t.Context(), "scope", intram.ReconcileCursor{Until: time.Unix(1, 0)}))
			require.NoError(t, inbox.Complete(t.Context(), hold(t, inbox, "key")))
		})
	}
}

func TestWithoutADatabaseOrADialectThereIsNoInbox(t *testing.T) {
	t.Parallel()
	_, err := sqlinbox.New(nil, sqlinbox.SQLite)
	require.ErrorContains(t, err, "the *sql.DB is nil")
	require.ErrorContains(t, sqlinbox.Migrate(t.Context(), nil, sqlinbox.SQLite), "the *sql.DB is nil")
	_, err = sqlinbox.New(new(sql.DB), 0)
	require.ErrorIs(t, err, sqlinbox.ErrDialect)
	require.ErrorContains(t, err, "Dialect(0): use sqlinbox.MySQL, sqlinbox.PostgreSQL or sqlinbox.SQLite")
	require.ErrorIs(t, sqlinbox.Migrate(t.Context(), new(sql.DB), 9), sqlinbox.ErrDialect)
	_, err = sqlinbox.Migrations(-1)
	require.ErrorIs(t, err, sqlinbox.ErrDialect)
	_, err = sqlinbox.New(new(sql.DB), sqlinbox.SQLite, nil, sqlinbox.WithRetention(intram.InboxRetention-1))
	require.ErrorContains(t, err, "WithRetention")
	longer, err := sqlinbox.New(new(sql.DB), sqlinbox.SQLite, sqlinbox.WithRetention(100*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 100*time.Hour, longer.Horizon())
	require.NoError(t, longer.Close(), "it is not ours to close")
}

func TestAWrongDialectIsNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		db := s.pool(t)
		for _, wrong := range []sqlinbox.Dialect{sqlinbox.MySQL, sqlinbox.PostgreSQL, sqlinbox.SQLite} {
			if wrong == s.dialect {
				continue
			}
			inbox, err := sqlinbox.New(db, wrong)
			require.NoError(t, err)
			want := fmt.Sprintf("wrong dialect: it is %s, and the database speaks %s: use sqlinbox.%s", wrong, s.dialect, s.dialect)
			_, err = inbox.Claim(t.Context(), "key", time.Minute)
			require.ErrorIs(t, err, sqlinbox.ErrDialect)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, inbox.Complete(t.Context(), intram.Claim{Key: "key", Token: "1"}), want)
			require.ErrorContains(t, sqlinbox.Migrate(t.Context(), db, wrong), want)
			_, err = inbox.Pending(t.Context(), "scope")
			require.ErrorIs(t, err, sqlinbox.ErrDialect)
			_, err = inbox.Prune(t.Context(), intram.InboxRetention)
			require.ErrorIs(t, err, sqlinbox.ErrDialect)
		}
		hold(t, s.inbox(t), "key")
	})
}

func TestBeforeMigrationTheErrorNamesTheTable(t *testing.T) {
	t.Parallel()
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := with.empty(t)
			inbox, err := sqlinbox.New(s.pool(t), s.dialect)
			require.NoError(t, err)
			_, err = inbox.Claim(t.Context(), "key", time.Minute)
			require.ErrorContains(t, err, "intram_sqlinbox")
		})
	}
}

func TestMySQLNeedsADatabase(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("mysql", mariadb.DSN(t)+"/")
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	require.ErrorContains(t, sqlinbox.Migrate(t.Context(), db, sqlinbox.MySQL), "no database is chosen")
}

func TestPruneForgetsWhatIsOldEnoughAndNothingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		const old = 1200 // more than two batches
		db, inbox := s.pool(t), s.inbox(t)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		insert := s.marked("INSERT INTO intram_sqlinbox (event_key, token, lease_us, leased_until_us, completed_us, note, writes) VALUES (?, 't', 60000000, ?, ?, '', 1)")
		ago := func(hours int) int64 { return time.Now().Add(-time.Duration(hours) * time.Hour).UnixMicro() }
		for n := range old {
			_, err = tx.ExecContext(t.Context(), insert, fmt.Sprint("done ", n), ago(0), ago(73))
			require.NoError(t, err)
		}
		for key, row := range map[string][2]any{
			"abandoned": {ago(73), nil}, "recent": {ago(71), ago(71)}, "expired": {ago(71), nil}, "late": {ago(73), ago(1)},
		} {
			_, err = tx.ExecContext(t.Context(), insert, key, row[0], row[1])
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())

		// Two replicas at once.
		var deleted [2]int64
		var work sync.WaitGroup
		for i := range deleted {
			replica := s.inbox(t)
			work.Go(func() {
				var err error
				deleted[i], err = replica.Prune(t.Context(), intram.InboxRetention)
				assert.NoError(t, err)
			})
		}
		work.Wait()
		assert.Equal(t, int64(old+1), deleted[0]+deleted[1])
		assert.Equal(t, 3, s.count(t, db, "SELECT count(*) FROM intram_sqlinbox WHERE event_key IN ('recent', 'expired', 'late')"))
		assert.Equal(t, 3, s.count(t, db, "SELECT count(*) FROM intram_sqlinbox"))

		_, err = inbox.Prune(t.Context(), intram.InboxRetention-time.Second)
		require.ErrorContains(t, err, "keep")
		longer, err := sqlinbox.New(db, s.dialect, sqlinbox.WithRetention(100*time.Hour))
		require.NoError(t, err)
		_, err = longer.Prune(t.Context(), intram.InboxRetention)
		require.ErrorContains(t, err, "use at least 100h0m0s", "it would forget what it promises to remember")
		none, err := inbox.Prune(t.Context(), intram.InboxRetention)
		require.NoError(t, err)
		assert.Zero(t, none)
	})
}

// A lease shorter than the unit of the clock ends too.
func TestTheShortestLease(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		inbox := s.inbox(t)
		claim, err := inbox.Claim(t.Context(), "key", time.Nanosecond)
		require.NoError(t, err)
		assert.Equal(t, intram.ClaimHeld, claim.State)
		s.pass(t, s.pool(t), time.Second)
		require.NoError(t, inbox.Release(t.Context(), hold(t, inbox, "key")))
	})
}

func TestWhatMySQLWouldCutOffIsRefused(t *testing.T) {
	t.Parallel()
	s := setup{dialect: sqlinbox.MySQL, driver: "mysql", settings: "sql_mode=''"}.migrated(t)
	inbox := s.inbox(t)
	long := strings.Repeat("k", 512)
	hold(t, inbox, long)
	_, err := inbox.Claim(t.Context(), long+"k", time.Minute)
	require.ErrorContains(t, err, "the key has 513 bytes: MySQL keeps at most 512")
	pending := []intram.PendingOperation{{ID: "op_1"}}
	require.NoError(t, inbox.KeepPending(t.Context(), long, pending, nil))
	require.ErrorContains(t, inbox.KeepPending(t.Context(), long+"k", pending, nil), "the scope has 513 bytes")
	require.ErrorContains(t, inbox.SaveCursor(t.Context(), long+"k", intram.ReconcileCursor{Until: time.Unix(1, 0)}), "the scope has 513 bytes")
	require.ErrorContains(t, inbox.KeepPending(t.Context(), "s", []intram.PendingOperation{{ID: long + "k"}}, nil), "the operation id has 513 bytes")
}

func TestTheLastOfTwoThatHaveOneIDIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		inbox := s.inbox(t)
		at := time.Date(2026, 5, 20, 10, 30, 0, 123456000, time.UTC)
		require.NoError(t, inbox.KeepPending(t.Context(), "s", []intram.PendingOperation{{ID: "a"}, {ID: "a", Since: at}, {ID: "b"}}, []string{"b"}))
		all, err := inbox.Pending(t.Context(), "s")
		require.NoError(t, err)
		assert.Equal(t, []intram.PendingOperation{{ID: "a", Since: at}}, all)
		require.NoError(t, inbox.KeepPending(t.Context(), "s", nil, nil))
	})
}

func TestAnEndedContextIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		inbox := s.inbox(t)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := inbox.Cursor(ended, "s")
		require.ErrorIs(t, err, context.Canceled)
		_, err = inbox.CountPending(ended, "s")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, sqlinbox.Migrate(ended, inbox.DB(), s.dialect), context.Canceled)
	})
}
