package pginbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

var _ intram.ReconcileStore = (*Inbox)(nil)

const (
	keepPendingSQL = `
INSERT INTO intram_inbox_pending (scope, operation_id, created_at, since, told) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, operation_id) DO UPDATE
SET created_at = excluded.created_at, since = excluded.since, told = excluded.told`

	endPendingSQL = `DELETE FROM intram_inbox_pending WHERE scope = $1 AND operation_id = ANY($2)`

	pendingSQL = `SELECT operation_id, created_at, since, told FROM intram_inbox_pending WHERE scope = $1`

	pendingAmongSQL = pendingSQL + ` AND operation_id = ANY($2)`

	pendingBeforeSQL = pendingSQL + ` AND (created_at IS NULL OR created_at < $2) ORDER BY since NULLS FIRST LIMIT $3`

	countPendingSQL = `SELECT count(*) FROM intram_inbox_pending WHERE scope = $1`

	cursorSQL = `SELECT cursor FROM intram_inbox_cursor WHERE scope = $1`

	saveCursorSQL = `
INSERT INTO intram_inbox_cursor (scope, cursor) VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET cursor = excluded.cursor`

	endCursorSQL = `DELETE FROM intram_inbox_cursor WHERE scope = $1`
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
	return in.pending(ctx, pendingSQL, scope)
}

// PendingAmong implements intram.ReconcileStore.
func (in *Inbox) PendingAmong(ctx context.Context, scope string, ids []string) ([]intram.PendingOperation, error) {
	return in.pending(ctx, pendingAmongSQL, scope, ids)
}

// PendingBefore implements intram.ReconcileStore.
func (in *Inbox) PendingBefore(ctx context.Context, scope string, created time.Time, limit int) ([]intram.PendingOperation, error) {
	return in.pending(ctx, pendingBeforeSQL, scope, created, limit)
}

// CountPending implements intram.ReconcileStore.
func (in *Inbox) CountPending(ctx context.Context, scope string) (n int, err error) {
	if err := in.pool.QueryRow(ctx, countPendingSQL, scope).Scan(&n); err != nil {
		return 0, fmt.Errorf("pginbox: count pending: %w", err)
	}
	return n, nil
}

// Cursor implements intram.ReconcileStore.
func (in *Inbox) Cursor(ctx context.Context, scope string) (cursor intram.ReconcileCursor, err error) {
	err = in.pool.QueryRow(ctx, cursorSQL, scope).Scan(&cursor)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return intram.ReconcileCursor{}, fmt.Errorf("pginbox: cursor: %w", err)
	}
	return cursor, nil
}

// SaveCursor implements intram.ReconcileStore.
func (in *Inbox) SaveCursor(ctx context.Context, scope string, cursor intram.ReconcileCursor) (err error) {
	if cursor == (intram.ReconcileCursor{}) {
		_, err = in.pool.Exec(ctx, endCursorSQL, scope)
	} else {
		_, err = in.pool.Exec(ctx, saveCursorSQL, scope, cursor)
	}
	if err != nil {
		return fmt.Errorf("pginbox: save cursor: %w", err)
	}
	return nil
}

func (in *Inbox) pending(ctx context.Context, sql string, args ...any) ([]intram.PendingOperation, error) {
	var all []intram.PendingOperation
	var (
		id             string
		created, since *time.Time
		told           []string
	)
	rows, err := in.pool.Query(ctx, sql, args...)
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
