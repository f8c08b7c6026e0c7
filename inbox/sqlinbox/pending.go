package sqlinbox

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	intram "github.com/intram/intram-go"
)

var (
	_ intram.ReconcileStore = (*Inbox)(nil)
	_ intram.InboxHorizon   = (*Inbox)(nil)
)

// chunk is how many rows or ids one statement has, few enough for the placeholders of
// each database.
const chunk = 200

const (
	pendingSQL = `SELECT operation_id, created_us, since_us, told FROM intram_sqlinbox_pending WHERE scope = ?`

	pendingBeforeSQL = pendingSQL + ` AND created_us < ? ORDER BY since_us LIMIT ?`

	countPendingSQL = `SELECT count(*) FROM intram_sqlinbox_pending WHERE scope = ?`

	endPendingSQL = `DELETE FROM intram_sqlinbox_pending WHERE scope = ?`

	cursorSQL = `SELECT progress FROM intram_sqlinbox_cursor WHERE scope = ?`

	endCursorSQL = `DELETE FROM intram_sqlinbox_cursor WHERE scope = ?`
)

// among selects some ids of a scope.
func among(n int) string { return ` AND operation_id IN (` + marks(n) + `)` }

// KeepPending implements intram.PendingStore, in one transaction.
func (in *Inbox) KeepPending(ctx context.Context, scope string, pending []intram.PendingOperation, ended []string) error {
	if len(pending) == 0 && len(ended) == 0 {
		return nil
	}
	err := in.check(ctx)
	if err == nil {
		err = in.dialect.fits("scope", scope)
	}
	var rows []intram.PendingOperation
	if err == nil {
		rows, err = in.dialect.inOrder(pending)
	}
	if err == nil {
		err = in.doAtOnce(ctx, func(q querier) error {
			for part := range slices.Chunk(rows, chunk) {
				if err := in.keep(ctx, q, scope, part); err != nil {
					return err
				}
			}
			for part := range slices.Chunk(slices.Sorted(slices.Values(ended)), chunk) {
				statement := in.dialect.sql(endPendingSQL + among(len(part)))
				if _, err := q.ExecContext(ctx, statement, with(scope, part)...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return in.dialect.failed("keep pending", err)
	}
	return nil
}

// inOrder returns what is pending by id, so that two replicas lock the rows in one order,
// and the last one of each id.
func (d *dialect) inOrder(pending []intram.PendingOperation) ([]intram.PendingOperation, error) {
	byID := make(map[string]intram.PendingOperation, len(pending))
	for _, p := range pending {
		if err := d.fits("operation id", p.ID); err != nil {
			return nil, err
		}
		byID[p.ID] = p
	}
	rows := make([]intram.PendingOperation, 0, len(byID))
	for _, p := range byID {
		rows = append(rows, p)
	}
	slices.SortFunc(rows, func(a, b intram.PendingOperation) int { return cmp.Compare(a.ID, b.ID) })
	return rows, nil
}

func (in *Inbox) keep(ctx context.Context, q querier, scope string, rows []intram.PendingOperation) error {
	var args []any
	for _, p := range rows {
		told, err := json.Marshal(p.Told)
		if err != nil {
			return err
		}
		args = append(args, scope, p.ID, p.CreatedAt.UnixMicro(), p.Since.UnixMicro(), string(told))
	}
	statement := in.dialect.put("intram_sqlinbox_pending", []string{"scope", "operation_id"}, []string{"created_us", "since_us", "told"}, len(rows))
	_, err := q.ExecContext(ctx, statement, args...)
	return err
}

// with returns the arguments of a statement about some ids of a scope.
func with(scope string, ids []string) []any {
	args := []any{scope}
	for _, id := range ids {
		args = append(args, id)
	}
	return args
}

// Pending implements intram.PendingStore.
func (in *Inbox) Pending(ctx context.Context, scope string) ([]intram.PendingOperation, error) {
	return in.pending(ctx, pendingSQL, scope)
}

// PendingAmong implements intram.ReconcileStore.
func (in *Inbox) PendingAmong(ctx context.Context, scope string, ids []string) (all []intram.PendingOperation, err error) {
	for part := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), chunk) {
		some, err := in.pending(ctx, pendingSQL+among(len(part)), with(scope, part)...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// PendingBefore implements intram.ReconcileStore.
func (in *Inbox) PendingBefore(ctx context.Context, scope string, created time.Time, limit int) ([]intram.PendingOperation, error) {
	return in.pending(ctx, pendingBeforeSQL, scope, created.UnixMicro(), limit)
}

// CountPending implements intram.ReconcileStore.
func (in *Inbox) CountPending(ctx context.Context, scope string) (n int, err error) {
	if err = in.check(ctx); err == nil {
		err = in.do(ctx, func(q querier) error {
			return q.QueryRowContext(ctx, in.dialect.sql(countPendingSQL), scope).Scan(&n)
		})
	}
	if err != nil {
		return 0, in.dialect.failed("count pending", err)
	}
	return n, nil
}

// Cursor implements intram.ReconcileStore.
func (in *Inbox) Cursor(ctx context.Context, scope string) (cursor intram.ReconcileCursor, err error) {
	var text []byte
	if err = in.check(ctx); err == nil {
		err = in.do(ctx, func(q querier) error {
			return q.QueryRowContext(ctx, in.dialect.sql(cursorSQL), scope).Scan(&text)
		})
	}
	if errors.Is(err, sql.ErrNoRows) {
		return intram.ReconcileCursor{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &cursor)
	}
	if err != nil {
		return intram.ReconcileCursor{}, in.dialect.failed("cursor", err)
	}
	return cursor, nil
}

// SaveCursor implements intram.ReconcileStore.
func (in *Inbox) SaveCursor(ctx context.Context, scope string, cursor intram.ReconcileCursor) error {
	err := in.check(ctx)
	if err == nil {
		err = in.dialect.fits("scope", scope)
	}
	switch {
	case err != nil:
	case cursor == intram.ReconcileCursor{}:
		_, err = in.exec(ctx, in.dialect.sql(endCursorSQL), scope)
	default:
		var text []byte
		if text, err = json.Marshal(cursor); err == nil {
			_, err = in.exec(ctx, in.dialect.put("intram_sqlinbox_cursor", []string{"scope"}, []string{"progress"}, 1), scope, string(text))
		}
	}
	if err != nil {
		return in.dialect.failed("save cursor", err)
	}
	return nil
}

func (in *Inbox) pending(ctx context.Context, statement string, args ...any) (all []intram.PendingOperation, err error) {
	if err = in.check(ctx); err == nil {
		err = in.do(ctx, func(q querier) (err error) {
			all, err = readPending(q.QueryContext(ctx, in.dialect.sql(statement), args...))
			return err
		})
	}
	if err != nil {
		return nil, in.dialect.failed("pending", err)
	}
	return all, nil
}

func readPending(rows *sql.Rows, err error) (all []intram.PendingOperation, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			p              intram.PendingOperation
			created, since int64
			told           []byte
		)
		if err := rows.Scan(&p.ID, &created, &since, &told); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(told, &p.Told); err != nil {
			return nil, err
		}
		p.CreatedAt, p.Since = time.UnixMicro(created).UTC(), time.UnixMicro(since).UTC()
		all = append(all, p)
	}
	return all, rows.Err()
}
