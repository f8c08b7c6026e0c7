package pginbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

const (
	keepPendingSQL = `
INSERT INTO intram_inbox_pending (scope, operation_id, created_at, since, told) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, operation_id) DO UPDATE
SET created_at = excluded.created_at, since = excluded.since, told = excluded.told`

	endPendingSQL = `DELETE FROM intram_inbox_pending WHERE scope = $1 AND operation_id = ANY($2)`

	pendingSQL = `SELECT operation_id, created_at, since, told FROM intram_inbox_pending WHERE scope = $1`
)

// KeepPending implements intram.PendingStore, in one transaction.
func (in *Inbox) KeepPending(ctx context.Context, scope string, pending []intram.PendingOperation, ended []string) error {
	if len(pending) == 0 && len(ended) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, in.pool, func(tx pgx.Tx) error {
		batch := new(pgx.Batch)
		for _, p := range pending {
			told := make([]string, len(p.Told))
			for i, typ := range p.Told {
				told[i] = string(typ)
			}
			batch.Queue(keepPendingSQL, scope, p.ID, known(p.CreatedAt), known(p.Since), told)
		}
		batch.Queue(endPendingSQL, scope, ended)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("pginbox: keep pending: %w", err)
	}
	return nil
}

// Pending implements intram.PendingStore.
func (in *Inbox) Pending(ctx context.Context, scope string) ([]intram.PendingOperation, error) {
	var all []intram.PendingOperation
	var (
		id             string
		created, since *time.Time
		told           []string
	)
	rows, err := in.pool.Query(ctx, pendingSQL, scope)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&id, &created, &since, &told}, func() error {
			p := intram.PendingOperation{ID: id}
			if created != nil {
				p.CreatedAt = created.UTC()
			}
			if since != nil {
				p.Since = since.UTC()
			}
			for _, typ := range told {
				p.Told = append(p.Told, intram.EventType(typ))
			}
			all = append(all, p)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("pginbox: pending: %w", err)
	}
	return all, nil
}

// known returns a time, or nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
