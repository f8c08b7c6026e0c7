package sqlinbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
)

const secret = "whsec_b4c3a2d1e0f9a8b7"

// shop is a merchant's receiver that writes in the inbox's transaction.
type shop struct {
	*store
	db      *sql.DB
	inbox   *sqlinbox.Inbox
	handler http.Handler
}

type txHandler = func(context.Context, *sql.Tx, *intram.Event) error

func newShop(t *testing.T, s *store, handle txHandler) *shop {
	t.Helper()
	p := &shop{store: s, db: s.pool(t), inbox: s.inbox(t)}
	// No unique constraint: whatever took effect twice is there twice.
	s.exec(t, p.db, "CREATE TABLE effects (operation_id varchar(64))")
	s.exec(t, p.db, "CREATE TABLE stock (item varchar(8) NOT NULL PRIMARY KEY, n integer NOT NULL)")
	s.exec(t, p.db, "INSERT INTO stock VALUES ('a', 0), ('b', 0)")
	p.receive(t, p.inbox.InTx(handle))
	return p
}

func (p *shop) receive(t *testing.T, handle intram.EventHandler) {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	p.handler = intram.NewWebhookHandler(verifier, p.inbox, handle)
}

func (s *store) writeEffect(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
	_, err := tx.ExecContext(ctx, s.marked("INSERT INTO effects VALUES (?)"), event.OperationID)
	return err
}

func (p *shop) deliver(id string) int {
	body := fmt.Sprintf(`{"event":"payout.completed","operation_id":%q,"data":{}}`, id)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Code
}

func (p *shop) effects(t *testing.T) int {
	t.Helper()
	return p.count(t, p.db, "SELECT count(*) FROM effects")
}

func TestTheEffectAndTheCompletionAreOneTransaction(t *testing.T) {
	t.Parallel()
	fail := errors.New("after the write")
	cases := map[string]struct {
		first  func() error // what comes after the first write
		status int
	}{
		"both":              {func() error { return nil }, 200},
		"neither, failed":   {func() error { return fail }, 500},
		"neither, panicked": {func() error { panic("after the write") }, 500},
	}
	each(t, func(t *testing.T, s *store) {
		for name, tt := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				calls := 0
				s := s.migrated(t)
				p := newShop(t, s, func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
					if err := s.writeEffect(ctx, tx, event); err != nil {
						return err
					}
					if calls++; calls == 1 {
						return tt.first()
					}
					return nil
				})
				assert.Equal(t, tt.status, p.deliver("op_1"))
				if tt.status != 200 {
					assert.Zero(t, p.effects(t), "rolled back")
				}
				assert.Equal(t, 200, p.deliver("op_1"))
				assert.Equal(t, 200, p.deliver("op_1"))
				assert.Equal(t, 1, p.effects(t))
			})
		}
	})
}

// The note is what tells a contradiction from a repetition.
func TestTheNoteIsStoredInTheTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		var key, note string
		p := newShop(t, s, func(ctx context.Context, _ *sql.Tx, event *intram.Event) error {
			claim, _ := intram.ClaimFromContext(ctx)
			key, note = event.InboxKey(), claim.Note
			return nil
		})
		assert.Equal(t, 200, p.deliver("op_1"))
		require.NotEmpty(t, note)
		claim, err := p.inbox.Claim(t.Context(), key, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, intram.ClaimDone, claim.State)
		assert.Equal(t, note, claim.Note)
	})
}

// A holder that slept through its lease finds its transaction refused, also when its
// snapshot is older than the claim of the other.
func TestAnEffectWhoseLeaseWasLostIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, with := range merge(setups, isolated) {
		if with.dialect == sqlinbox.SQLite {
			continue // its transaction is a lock: no other replica can come between
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lostLease(t, with.migrated(t))
		})
	}
}

func lostLease(t *testing.T, s *store) {
	t.Helper()
	var p *shop
	calls := 0
	p = newShop(t, s, func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM intram_sqlinbox").Scan(&n); err != nil {
			return err // the snapshot is taken
		}
		if calls++; calls == 1 {
			s.pass(t, p.db, time.Hour)
			if status := p.deliver(event.OperationID); status != 200 { // another replica takes the event over
				return fmt.Errorf("the other replica answered %d", status)
			}
		}
		return s.writeEffect(ctx, tx, event)
	})
	assert.Equal(t, 500, p.deliver("op_1"))
	assert.GreaterOrEqual(t, calls, 2)
	assert.Equal(t, 1, p.effects(t), "the other's")
	assert.Equal(t, 200, p.deliver("op_1"))
	assert.Equal(t, 1, p.effects(t))
}

func TestInTxNeedsAClaimAndAFunction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		p := newShop(t, s, s.writeEffect)
		err := p.inbox.InTx(s.writeEffect)(t.Context(), &intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1"})
		require.ErrorIs(t, err, sqlinbox.ErrNoClaim)
		assert.Zero(t, p.effects(t))
		assert.Nil(t, p.inbox.InTx(nil))
		assert.Nil(t, p.inbox.Transactional(nil))
	})
}

// Two functions that lock the same rows in opposite orders: one of them is the victim,
// and is called again.
func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, with setup) {
		s := with.migrated(t)
		var met sync.WaitGroup
		met.Add(2)
		var mu sync.Mutex
		calls := make(map[string]int)
		p := newShop(t, s, func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
			mu.Lock()
			calls[event.OperationID]++
			first := calls[event.OperationID] == 1
			mu.Unlock()
			items := []string{"a", "b"}
			if event.OperationID == "op_2" {
				items = []string{"b", "a"}
			}
			for i, item := range items {
				if _, err := tx.ExecContext(ctx, s.marked("UPDATE stock SET n = n + 1 WHERE item = ?"), item); err != nil {
					return fmt.Errorf("%s of %s: %w", item, event.OperationID, err)
				}
				if i == 0 && first {
					met.Done()
					met.Wait()
				}
			}
			return s.writeEffect(ctx, tx, event)
		})
		var work sync.WaitGroup
		for _, id := range []string{"op_1", "op_2"} {
			work.Go(func() { assert.Equal(t, 200, p.deliver(id)) })
		}
		work.Wait()
		assert.GreaterOrEqual(t, calls["op_1"]+calls["op_2"], 3, "one was the victim, on a busy machine more than once")
		assert.Equal(t, 2, p.effects(t))
		assert.Equal(t, 4, p.count(t, p.db, "SELECT sum(n) FROM stock"))
	})
}

// A row that another transaction changed since the snapshot, and SQLite's read
// transaction that cannot become a writer's.
func TestASerializationFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]setup{
		"PostgreSQL by pgx": {sqlinbox.PostgreSQL, "pgx", "default_transaction_isolation=serializable"},
		"PostgreSQL by pq":  {sqlinbox.PostgreSQL, "postgres", "default_transaction_isolation=repeatable%20read"},
		"MariaDB":           {sqlinbox.MySQL, "mysql", "innodb_snapshot_isolation=ON"},
		"SQLite":            {dialect: sqlinbox.SQLite, driver: "sqlite"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := with.migrated(t)
			other := s.pool(t)
			calls := 0
			p := newShop(t, s, func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
				var n int
				if err := tx.QueryRowContext(ctx, "SELECT n FROM stock WHERE item = 'a'").Scan(&n); err != nil {
					return err
				}
				if calls++; calls == 1 {
					s.exec(t, other, "UPDATE stock SET n = 10 WHERE item = 'a'")
				}
				if _, err := tx.ExecContext(ctx, s.marked("UPDATE stock SET n = ? WHERE item = 'a'"), n+1); err != nil {
					return err
				}
				return s.writeEffect(ctx, tx, event)
			})
			if s.dialect == sqlinbox.SQLite { // as a merchant's pool without _txlock=immediate
				db, err := sql.Open("sqlite", strings.Replace(s.dsn, "_txlock=immediate&", "", 1))
				require.NoError(t, err)
				t.Cleanup(func() { _ = db.Close() })
				p.inbox, err = sqlinbox.New(db, s.dialect)
				require.NoError(t, err)
				deferred := p.inbox
				p.receive(t, deferred.InTx(func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
					var n int
					if err := tx.QueryRowContext(ctx, "SELECT n FROM stock WHERE item = 'a'").Scan(&n); err != nil {
						return err
					}
					if calls++; calls == 1 {
						s.exec(t, other, "UPDATE stock SET n = 10 WHERE item = 'a'")
					}
					if _, err := tx.ExecContext(ctx, "UPDATE stock SET n = ? WHERE item = 'a'", n+1); err != nil {
						return err
					}
					return s.writeEffect(ctx, tx, event)
				}))
			}
			assert.Equal(t, 200, p.deliver("op_1"))
			assert.Equal(t, 2, calls)
			assert.Equal(t, 11, p.count(t, p.db, "SELECT n FROM stock WHERE item = 'a'"), "no update is lost")
			assert.Equal(t, 1, p.effects(t))
		})
	}
}

// A conflict that comes back is given up.
func TestAConflictIsTriedFiveTimes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		calls := 0
		conflict := map[sqlinbox.Dialect]error{
			sqlinbox.MySQL: mysqlError(1213), sqlinbox.PostgreSQL: stateError("40001"), sqlinbox.SQLite: codeError(517),
		}[s.dialect]
		p := newShop(t, s, func(context.Context, *sql.Tx, *intram.Event) error {
			calls++
			return fmt.Errorf("wrapped: %w", errors.Join(errors.New("beside"), conflict))
		})
		assert.Equal(t, 500, p.deliver("op_1"))
		assert.Equal(t, 5, calls)
		calls = 0
		p.receive(t, p.inbox.InTx(func(context.Context, *sql.Tx, *intram.Event) error {
			calls++
			return errors.New("a mistake")
		}))
		assert.Equal(t, 500, p.deliver("op_1"))
		assert.Equal(t, 1, calls, "only a conflict is tried again")
	})
}

// The victim of a deadlock has lost its transaction. In MySQL its later statements would
// be committed one by one, and the event recorded without its effect.
func TestADroppedDeadlockDoesNotCompleteTheEvent(t *testing.T) {
	t.Parallel()
	s := setups["MariaDB"].migrated(t)
	rival := s.pool(t)
	calls, ended := 0, error(nil)
	p := newShop(t, s, nil)
	guarded := p.inbox.InTx(func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
		if err := s.writeEffect(ctx, tx, event); err != nil {
			return err
		}
		if calls++; calls > 1 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "UPDATE stock SET n = n + 1 WHERE item = 'a'"); err != nil {
			return err
		}
		// The rival has changed more rows, so that this transaction is the victim.
		other, err := rival.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = other.Rollback() }()
		if _, err := other.ExecContext(ctx, "INSERT INTO stock VALUES ('c', 0), ('d', 0), ('e', 0), ('f', 0)"); err != nil {
			return err
		}
		if _, err := other.ExecContext(ctx, "UPDATE stock SET n = n + 1 WHERE item = 'b'"); err != nil {
			return err
		}
		waiting := make(chan error, 1)
		go func() {
			_, err := other.ExecContext(ctx, "UPDATE stock SET n = n + 1 WHERE item = 'a'")
			waiting <- err
		}()
		_, dropped := tx.ExecContext(ctx, "UPDATE stock SET n = n + 1 WHERE item = 'b'")
		if rivalErr := <-waiting; rivalErr != nil || dropped == nil {
			return fmt.Errorf("the rival was the victim: %w, %w", rivalErr, dropped)
		}
		return nil // as if all were well
	})
	p.receive(t, func(ctx context.Context, event *intram.Event) error {
		err := guarded(ctx, event)
		if calls == 1 {
			ended = err
		}
		return err
	})
	assert.Equal(t, 500, p.deliver("op_1"))
	require.ErrorIs(t, ended, sqlinbox.ErrTransactionEnded)
	assert.Zero(t, p.effects(t))
	assert.Equal(t, 200, p.deliver("op_1"))
	assert.Equal(t, 1, p.effects(t))
}

func TestAFunctionThatEndsItsTransactionIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		ways := map[string]func(ctx context.Context, tx *sql.Tx) error{
			"rolled back": func(_ context.Context, tx *sql.Tx) error { return tx.Rollback() },
			"committed":   func(_ context.Context, tx *sql.Tx) error { return tx.Commit() },
		}
		if s.dialect == sqlinbox.MySQL {
			ways["a statement that commits"] = func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "CREATE TABLE later (n integer)")
				return err
			}
		}
		for _, statement := range []string{"ROLLBACK", "COMMIT"} {
			ways[statement] = func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			}
		}
		for name, end := range ways {
			p := newShopOnce(t, s)
			var ended error
			handle := p.inbox.InTx(func(ctx context.Context, tx *sql.Tx, _ *intram.Event) error { return end(ctx, tx) })
			p.receive(t, func(ctx context.Context, event *intram.Event) error {
				ended = handle(ctx, event)
				return ended
			})
			assert.Equal(t, 500, p.deliver(name), name)
			require.ErrorIs(t, ended, sqlinbox.ErrTransactionEnded, name)
			assert.Zero(t, p.count(t, p.db, "SELECT count(*) FROM intram_sqlinbox WHERE completed_us IS NOT NULL"), name)
		}
	})
}

func newShopOnce(t *testing.T, s *store) *shop {
	t.Helper()
	return newShop(t, s.migrated(t), nil)
}

func TestWithoutATransactionEverythingSaysSo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tx := sqlinbox.Tx(ctx)
	_, err := tx.ExecContext(ctx, "SELECT 1")
	require.ErrorIs(t, err, sqlinbox.ErrNoTransaction)
	_, err = tx.QueryContext(ctx, "SELECT 1") //nolint:sqlclosecheck // there are no rows
	require.ErrorIs(t, err, sqlinbox.ErrNoTransaction)
	require.ErrorIs(t, tx.QueryRowContext(ctx, "SELECT 1").Scan(), sqlinbox.ErrNoTransaction)
	_, err = tx.PrepareContext(ctx, "SELECT 1") //nolint:sqlclosecheck // there is no statement
	require.ErrorIs(t, err, sqlinbox.ErrNoTransaction)
}

// A router's functions write in the transaction of the completion, and a late
// payout.queued does not undo completed. An EventOrder goes into a column by itself.
func TestARouterWritesInTheTransactionAndInOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *store) {
		p := newShop(t, s, nil)
		s.exec(t, p.db, "CREATE TABLE payouts (operation_id varchar(64) NOT NULL PRIMARY KEY, progress varchar(255) NOT NULL)")
		fail := true
		router := new(intram.EventRouter)
		intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
			if err := s.recordPayout(ctx, sqlinbox.Tx(ctx), e); err != nil {
				return err
			}
			if err := s.writeEffect(ctx, sqlinbox.Tx(ctx), e); err != nil {
				return err
			}
			if fail {
				fail = false
				return errors.New("after the writes")
			}
			return nil
		})
		require.NoError(t, router.Err())
		p.receive(t, p.inbox.Transactional(router.Handle))
		deliver := func(typ string, second int) int {
			body := fmt.Sprintf(`{"event":%q,"operation_id":"op_1","occurred_at":"2026-05-20T10:31:%02d.000Z","data":{"amount":1}}`, typ, second)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
			w := httptest.NewRecorder()
			p.handler.ServeHTTP(w, r)
			return w.Code
		}
		assert.Equal(t, 500, deliver("payout.completed", 14))
		assert.Zero(t, p.effects(t), "rolled back")
		assert.Equal(t, 200, deliver("payout.completed", 14))
		assert.Equal(t, 200, deliver("payout.queued", 10))
		var progress intram.EventOrder
		require.NoError(t, p.db.QueryRowContext(t.Context(), "SELECT progress FROM payouts").Scan(&progress))
		text, err := progress.Value()
		require.NoError(t, err)
		assert.Contains(t, text, "payout.completed")
		assert.Equal(t, 2, p.effects(t))
	})
}

// recordPayout is that of the example, in any dialect.
func (s *store) recordPayout(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
	insert, lock := "INSERT INTO payouts VALUES (?, '{}') ON CONFLICT DO NOTHING", " FOR UPDATE"
	switch s.dialect {
	case sqlinbox.MySQL:
		insert = "INSERT IGNORE INTO payouts VALUES (?, '{}')"
	case sqlinbox.SQLite:
		lock = ""
	}
	if _, err := tx.ExecContext(ctx, s.marked(insert), event.OperationID); err != nil {
		return err
	}
	var progress intram.EventOrder
	err := tx.QueryRowContext(ctx, s.marked("SELECT progress FROM payouts WHERE operation_id = ?"+lock), event.OperationID).Scan(&progress)
	if err != nil {
		return err
	}
	next, moved := progress.Apply(event)
	if !moved {
		return nil
	}
	_, err = tx.ExecContext(ctx, s.marked("UPDATE payouts SET progress = ? WHERE operation_id = ?"), next, event.OperationID)
	return err
}
