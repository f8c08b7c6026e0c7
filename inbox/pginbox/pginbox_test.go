package pginbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramtest"
)

const secret = "whsec_b4c3a2d1e0f9a8b7"

func newInbox(t *testing.T, pool *pgxpool.Pool) *pginbox.Inbox {
	t.Helper()
	inbox, err := pginbox.New(pool)
	require.NoError(t, err)
	return inbox
}

// pass lets time go by for what is stored: the server's clock is not ours to set, so the
// stored times move the other way.
func pass(t *testing.T, pool *pgxpool.Pool, d time.Duration) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `UPDATE intram_inbox
		SET leased_until = leased_until - $1::interval, completed_at = completed_at - $1::interval`, d)
	require.NoError(t, err)
}

func TestPostgresPassesTheSuite(t *testing.T) {
	t.Parallel()
	intramtest.TestInbox(t, func(t *testing.T) intramtest.InboxStore {
		server, restart := shared.URL(t), (func(*testing.T))(nil)
		if strings.HasSuffix(t.Name(), "restart_of_the_store") { // not under the feet of the others
			own := pgtest.New(t)
			server, restart = own.URL(), func(t *testing.T) { require.NoError(t, own.Restart()) }
		}
		address := newSchema(t, server)
		pool := newPool(t, address)
		require.NoError(t, pginbox.Migrate(t.Context(), pool))
		return intramtest.InboxStore{
			Open:    func(t *testing.T) intram.Inbox { return newInbox(t, newPool(t, address)) },
			Pass:    func(t *testing.T, d time.Duration) { pass(t, pool, d) },
			Restart: restart,
		}
	})
}

func TestWhatPostgresHasCommittedSurvivesItsCrash(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	address := newSchema(t, server.URL())
	pool := newPool(t, address)
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	inbox := newInbox(t, pool)

	done, err := inbox.Claim(t.Context(), "done", time.Minute)
	require.NoError(t, err)
	require.NoError(t, inbox.Complete(t.Context(), done))
	held, err := inbox.Claim(t.Context(), "held", time.Minute)
	require.NoError(t, err)

	require.NoError(t, server.Restart())

	// The pool does not know yet that its connections are dead.
	again, err := inbox.Claim(t.Context(), "done", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, again.State)
	again, err = inbox.Claim(t.Context(), "held", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimBusy, again.State)
	require.NoError(t, inbox.Complete(t.Context(), held))

	server.Crash()
	_, err = inbox.Claim(t.Context(), "new", time.Minute)
	require.Error(t, err)
	require.NotErrorIs(t, inbox.Complete(t.Context(), held), intram.ErrLeaseLost, "a server that is down has lost no lease")
	require.NoError(t, server.Start())
	_, err = inbox.Claim(t.Context(), "new", time.Minute)
	require.NoError(t, err)
}

func TestMigratingTwiceAndAtOnceMigratesOnce(t *testing.T) {
	t.Parallel()
	address := newSchema(t, shared.URL(t))
	var work sync.WaitGroup
	for range 6 {
		pool := newPool(t, address)
		work.Go(func() { assert.NoError(t, pginbox.Migrate(t.Context(), pool)) })
	}
	work.Wait()
	pool := newPool(t, address)
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	var steps int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM intram_inbox_migrations").Scan(&steps))
	files, err := fs.Glob(pginbox.Migrations(), "migrations/*.sql")
	require.NoError(t, err)
	assert.NotEmpty(t, files)
	assert.Len(t, files, steps)
}

func TestWithoutAPoolThereIsNoInbox(t *testing.T) {
	t.Parallel()
	_, err := pginbox.New(nil)
	require.ErrorContains(t, err, "the pool is nil")
	require.ErrorContains(t, pginbox.Migrate(t.Context(), nil), "the pool is nil")
}

func TestBeforeMigrationTheErrorNamesTheTable(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, newPool(t, newSchema(t, shared.URL(t))))
	_, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.ErrorContains(t, err, "intram_inbox")
}

func TestPruneForgetsWhatIsOldEnoughAndNothingElse(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	inbox := newInbox(t, pool)
	const old = 2500 // more than two batches
	_, err := pool.Exec(t.Context(), `INSERT INTO intram_inbox
		SELECT 'done ' || n, 't', interval '1 minute', clock_timestamp(), clock_timestamp() - interval '73 hours' FROM generate_series(1, $1) n
		UNION ALL SELECT 'abandoned ' || n, 't', '1 minute', clock_timestamp() - interval '73 hours', NULL FROM generate_series(1, 10) n
		UNION ALL SELECT 'recent', 't', '1 minute', clock_timestamp() - interval '71 hours', clock_timestamp() - interval '71 hours'
		UNION ALL SELECT 'expired', 't', '1 minute', clock_timestamp() - interval '71 hours', NULL`, old)
	require.NoError(t, err)
	deleted, err := inbox.Prune(t.Context(), intram.InboxRetention)
	require.NoError(t, err)
	assert.Equal(t, int64(old+10), deleted)
	var left []string
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT array_agg(key ORDER BY key) FROM intram_inbox").Scan(&left))
	assert.Equal(t, []string{"expired", "recent"}, left)

	_, err = inbox.Prune(t.Context(), intram.InboxRetention-time.Second)
	require.ErrorContains(t, err, "keep")
}

// shop is a merchant's receiver that writes in the inbox's transaction.
type shop struct {
	pool    *pgxpool.Pool
	inbox   *pginbox.Inbox
	handler http.Handler
}

func newShop(t *testing.T, handle func(context.Context, pgx.Tx, *intram.Event) error) *shop {
	t.Helper()
	pool := newDatabase(t)
	_, err := pool.Exec(t.Context(), "CREATE TABLE effects (operation_id text)")
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	s := &shop{pool: pool, inbox: newInbox(t, pool)}
	s.handler = intram.NewWebhookHandler(verifier, s.inbox, s.inbox.InTx(handle))
	return s
}

func writeEffect(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
	_, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1)", event.OperationID)
	return err
}

func (s *shop) deliver() int {
	body := `{"event":"payout.completed","operation_id":"op_1","data":{}}`
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code
}

func (s *shop) effects(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM effects").Scan(&n))
	return n
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
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			s := newShop(t, func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
				if err := writeEffect(ctx, tx, event); err != nil {
					return err
				}
				if calls++; calls == 1 {
					return tt.first()
				}
				return nil
			})
			assert.Equal(t, tt.status, s.deliver())
			if tt.status != 200 {
				assert.Zero(t, s.effects(t), "rolled back")
			}
			assert.Equal(t, 200, s.deliver())
			assert.Equal(t, 200, s.deliver())
			assert.Equal(t, 1, s.effects(t))
		})
	}
}

// A holder that slept through its lease finds its transaction refused.
func TestAnEffectWhoseLeaseWasLostIsRolledBack(t *testing.T) {
	t.Parallel()
	var s *shop
	calls := 0
	s = newShop(t, func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
		if calls++; calls == 1 {
			pass(t, s.pool, time.Hour)
			if status := s.deliver(); status != 200 { // another replica takes the event over
				return fmt.Errorf("the other replica answered %d", status)
			}
		}
		return writeEffect(ctx, tx, event)
	})
	assert.Equal(t, 500, s.deliver())
	assert.Equal(t, 2, calls)
	assert.Equal(t, 1, s.effects(t), "the other's")
	assert.Equal(t, 200, s.deliver())
	assert.Equal(t, 1, s.effects(t))
}

// What follows a statement that ends the transaction is committed by itself: the event
// must not be completed so.
func TestAStatementThatEndsTheTransactionCompletesNothing(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"ROLLBACK", "COMMIT", "COMMIT; BEGIN"} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			ends := true
			s := newShop(t, func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
				if !ends {
					return writeEffect(ctx, tx, event)
				}
				ends = false
				_, err := tx.Exec(ctx, statement)
				return err
			})
			assert.Equal(t, 500, s.deliver())
			assert.Equal(t, 200, s.deliver())
			assert.Equal(t, 1, s.effects(t))
		})
	}
}

func TestInTxNeedsAClaimAndAFunction(t *testing.T) {
	t.Parallel()
	s := newShop(t, writeEffect)
	err := s.inbox.InTx(writeEffect)(t.Context(), &intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1"})
	require.ErrorIs(t, err, pginbox.ErrNoClaim)
	assert.Zero(t, s.effects(t))
	assert.Nil(t, s.inbox.InTx(nil))
}

// The commit arrives, its confirmation does not: the function looks as if it had failed,
// and the release must not undo it.
func TestACommitWhoseConfirmationIsLostIsKept(t *testing.T) {
	t.Parallel()
	s := newShop(t, writeEffect)
	committed := s.inbox.InTx(writeEffect)
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	s.handler = intram.NewWebhookHandler(verifier, s.inbox, func(ctx context.Context, event *intram.Event) error {
		if err := committed(ctx, event); err != nil {
			return err
		}
		return errors.New("connection reset by peer")
	})
	assert.Equal(t, 500, s.deliver())
	assert.Equal(t, 200, s.deliver())
	assert.Equal(t, 1, s.effects(t))
}
