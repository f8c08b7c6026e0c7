package intramriver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
)

// One record whose OnEnd is at fault does not hold the others up.
func TestAnOnEndThatGoesWrongHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func(context.Context, pgx.Tx) error{
		"leaves an error aside": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "SELECT 1/0")
			return nil
		},
		"breaks a deferred constraint": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO paid VALUES ('nobody')")
			return err
		},
		"hangs":      func(ctx context.Context, _ pgx.Tx) error { <-ctx.Done(); return ctx.Err() },
		"rolls back": func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
		"panics":     func(context.Context, pgx.Tx) error { panic("Awa Dossou") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, rich)
			_, err := s.pool.Exec(t.Context(), "CREATE TABLE people (name text PRIMARY KEY); CREATE TABLE paid (name text REFERENCES people DEFERRABLE INITIALLY DEFERRED)")
			require.NoError(t, err)
			repaired := false
			s.work = s.machine(func(c *intramriver.Config) {
				c.OnEnd = func(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
					if end.Record.Reference == "PO-2" && !repaired {
						return wrong(ctx, tx)
					}
					return keep(ctx, tx, end)
				}
			})
			for _, reference := range []string{"PO-1", "PO-2", "PO-3"} {
				require.NoError(t, s.work.Send(t.Context(), s.plan(reference, "000000").ID))
			}
			if name == "hangs" {
				s.work.SetEndTimeout(s.record("PO-2").OperationID, time.Second)
			}
			s.pass(time.Minute)
			_, ended, failed, _, err := s.work.Sweep(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 2, ended)
			assert.Equal(t, 1, failed)
			assert.Equal(t, intramriver.Accepted, s.state("PO-2"))
			op, err := s.server.Client().Operations.Get(t.Context(), s.record("PO-2").OperationID)
			require.NoError(t, err)
			if name != "hangs" { // a slow machine's second ends before OnEnd begins
				assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job WHERE kind = 'intram_end'"), "a job tries it again")
				_, err = s.work.EndOperation(t.Context(), op)
				require.ErrorContains(t, err, "OnEnd failed")
				assert.NotContains(t, err.Error(), "Awa")
				assert.NotContains(t, s.log.String(), "Awa")
			}
			repaired = true
			_, err = s.work.EndOperation(t.Context(), op)
			require.NoError(t, err)
			for _, reference := range []string{"PO-1", "PO-2", "PO-3"} {
				assert.Equal(t, []string{"completed"}, s.books(reference), reference)
			}
		})
	}
}

// The job of an event may hold a row for ten minutes.
func TestARowThatIsHeldHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	for _, reference := range []string{"PO-1", "PO-2", "PO-3"} {
		require.NoError(t, s.work.Send(t.Context(), s.plan(reference, "000000").ID))
	}
	s.work.SetEndTimeout(s.record("PO-2").OperationID, 50*time.Millisecond)
	s.pass(time.Minute)
	held := errors.New("held")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT FROM intram_records WHERE reference = 'PO-2' FOR UPDATE")
		require.NoError(t, err)
		_, ended, failed, _, err := s.work.Sweep(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, ended)
		assert.Equal(t, 1, failed)
		return held
	}), held)
	s.work.SetEndTimeout("", 0)
	_, ended, _, _, err := s.work.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, ended)
	assert.Equal(t, []string{"completed"}, s.books("PO-2"))
}

// What was committed would be done again with the next try.
func TestOnEndCannotCommit(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	s.onEnd = func(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
		require.NoError(t, keep(ctx, tx, end))
		return tx.Commit(ctx)
	}
	require.NoError(t, s.work.Send(t.Context(), s.plan("PO-1", "000000").ID))
	s.pass(time.Minute)
	_, _, failed, _, err := s.work.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, failed)
	assert.Empty(t, s.books("PO-1"))
	assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
}
