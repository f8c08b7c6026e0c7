package intramriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	intram "github.com/intram/intram-go"
)

const (
	// sweepPage is the API's largest page.
	sweepPage = 100
	// sweepLookups is how many operations one sweep looks up by their ids, because a page
	// did not show them.
	sweepLookups = 500
	// orphanAge is how long a record stays as it is before the sweep asks whether its job
	// is still there. It is longer than any wait of a job but one.
	orphanAge = time.Hour
	// orphanBatch is how many records of a state one sweep asks for.
	orphanBatch = 100
	// sweepLease is for how long a sweep keeps others away without renewing that, and so
	// how long none runs after a machine was killed in one.
	sweepLease = 2 * time.Minute
	// endTimeout is how long one record may hold up a sweep: an OnEnd that hangs, or
	// another transaction that holds the row.
	endTimeout = 15 * time.Second
)

// swept is what a sweep did.
type swept struct {
	Requests, Ended, Failed, Orphans int
}

// sweep learns how operations ended that no event has told of. Each page of the list is
// asked for from the newest record on that is due and that no page has shown, so that a
// page tells of one record at least, and of a hundred where they are dense. It holds one
// page at a time.
func (w *Work) sweep(ctx context.Context) (*swept, error) {
	s := &swept{}
	leased, err := w.pool.Exec(ctx, w.sql(leaseSQL), w.merchant, w.environment, w.sweepLease)
	switch {
	case err != nil:
		return s, fmt.Errorf("intramriver: sweep: %w", err)
	case leased.RowsAffected() == 0:
		return s, nil // another one is under way
	}
	err = w.sweepLeased(ctx, s)
	finished := err == nil
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if _, failed := w.pool.Exec(ending, w.sql(sweptSQL), w.merchant, w.environment, finished); failed != nil {
		err = errors.Join(err, fmt.Errorf("intramriver: sweep: %w", failed))
	}
	return s, err
}

const (
	leaseSQL = `INSERT INTO {sweeps} AS s (merchant, environment, busy_until) VALUES ($1, $2, {now} + $3::interval)
ON CONFLICT (merchant, environment) DO UPDATE SET busy_until = excluded.busy_until
WHERE s.busy_until IS NULL OR s.busy_until <= {now} OR s.busy_until > {now} + $3::interval` // a clock that was set back
	renewSQL = `UPDATE {sweeps} SET busy_until = {now} + $3::interval WHERE merchant = $1 AND environment = $2`
	sweptSQL = `UPDATE {sweeps} SET busy_until = NULL, finished_at = CASE WHEN $3 THEN {now} ELSE finished_at END WHERE merchant = $1 AND environment = $2`
)

// renew keeps other sweeps away for another while. Two at once do no harm: they ask for
// the same pages.
func (w *Work) renew(ctx context.Context) error {
	if _, err := w.pool.Exec(ctx, w.sql(renewSQL), w.merchant, w.environment, w.sweepLease); err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	return nil
}

func (w *Work) sweepLeased(ctx context.Context, s *swept) error {
	// First: they need no list, which may be away for hours.
	if err := w.findStuck(ctx, s); err != nil {
		return err
	}
	if err := w.findStuckEvents(ctx, s); err != nil {
		return err
	}
	if err := w.findOrphans(ctx, s); err != nil {
		return err
	}
	var before time.Time // what is older has not been shown yet
	lookups := 0
	for {
		if err := w.renew(ctx); err != nil {
			return err
		}
		newest, more, err := w.newestDue(ctx, before)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		s.Requests++
		page, err := w.client.Operations.List(ctx, intram.OperationListParams{Limit: sweepPage, Before: newest.Truncate(time.Millisecond).Add(time.Millisecond)})
		if err != nil {
			return w.sweepFailed(ctx, err)
		}
		oldest, ids, err := w.takePage(ctx, s, page, newest)
		if err != nil {
			return err
		}
		missing, err := w.missing(ctx, ids, oldest, newest, sweepLookups-lookups)
		if err != nil {
			return err
		}
		lookups += len(missing)
		for i, id := range missing {
			if i%10 == 9 {
				if err := w.renew(ctx); err != nil {
					return err
				}
			}
			if err := w.lookUp(ctx, s, id); err != nil {
				return err
			}
		}
		if lookups >= sweepLookups {
			break // the next sweep goes on: what was looked up is not due then
		}
		// What shares the millisecond of the page's end is on the next one, unless the
		// page has no other.
		if before = oldest; oldest.Before(newest) {
			before = oldest.Add(time.Millisecond)
		}
	}
	return nil
}

const newestDueSQL = `
SELECT operation_at FROM {records}
WHERE merchant = $1 AND environment = $2 AND state IN ('accepted', 'queued_for_settlement') AND operation_at < coalesce($3::timestamptz, 'infinity') AND look_at <= {now}
ORDER BY operation_at DESC LIMIT 1`

// newestDue returns when the newest operation was created that is due and older than
// before.
func (w *Work) newestDue(ctx context.Context, before time.Time) (at time.Time, more bool, err error) {
	err = w.pool.QueryRow(ctx, w.sql(newestDueSQL), w.merchant, w.environment, orNull(before)).Scan(&at)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return at, false, nil
	case err != nil:
		return at, false, fmt.Errorf("intramriver: sweep: %w", err)
	}
	return at, true, nil
}

const dueSQL = `
SELECT operation_id FROM {records}
WHERE merchant = $1 AND environment = $2 AND operation_id = ANY($3) AND state IN ('accepted', 'queued_for_settlement') AND look_at <= {now}`

// takePage ends the records of a page whose operations ended. It returns how far back the
// page goes, and what it shows.
func (w *Work) takePage(ctx context.Context, s *swept, page *intram.Page[intram.Operation], newest time.Time) (oldest time.Time, ids []string, err error) {
	oldest = newest
	shown := make(map[string]*intram.Operation, len(page.Items))
	ids = make([]string, 0, len(page.Items))
	for i := range page.Items {
		op := &page.Items[i]
		shown[op.ID] = op
		ids = append(ids, op.ID)
		if !op.CreatedAt.IsZero() && op.CreatedAt.Before(oldest) {
			oldest = op.CreatedAt
		}
	}
	rows, err := w.pool.Query(ctx, w.sql(dueSQL), w.merchant, w.environment, ids)
	if err != nil {
		return oldest, ids, fmt.Errorf("intramriver: sweep: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return oldest, ids, fmt.Errorf("intramriver: sweep: %w", err)
	}
	var open []string
	for _, id := range due {
		if ended, err := w.take(ctx, s, shown[id]); err != nil {
			return oldest, ids, err
		} else if !ended {
			open = append(open, id)
		}
	}
	return oldest, ids, w.lookLater(ctx, open)
}

// take ends the record of an operation, if that has ended. An OnEnd that fails does not
// stop the sweep: a job of its own tries it again, and shows the error.
func (w *Work) take(ctx context.Context, s *swept, op *intram.Operation) (ended bool, err error) {
	ending, cancel := context.WithTimeout(ctx, w.endTimeout(op.ID))
	defer cancel()
	ended, err = w.end(ending, endingOf(op))
	switch {
	case errors.Is(err, errOnEnd):
		s.Failed++
		return true, w.endLater(ctx, op.ID)
	case err != nil && ending.Err() != nil && ctx.Err() == nil:
		s.Failed++
		return true, nil // another transaction holds the row, and the next sweep asks again
	case err != nil:
		return false, err
	case ended:
		s.Ended++
	}
	return ended, nil
}

const heldSQL = `UPDATE {records} SET look_at = {now} + interval '1 day'
WHERE merchant = $1 AND environment = $2 AND operation_id = $3 AND state IN ('accepted', 'queued_for_settlement')`

func (w *Work) endLater(ctx context.Context, operationID string) error {
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, w.sql(heldSQL), w.merchant, w.environment, operationID); err != nil {
			return err
		}
		_, err := w.river.InsertTx(ctx, tx, endArgs{w.merchant, w.environment, operationID},
			&river.InsertOpts{Queue: w.sweepQueue(), UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}})
		return err
	})
	if err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	return nil
}

const lookLaterSQL = `
UPDATE {records} SET look_at = {now} + greatest(interval '5 seconds', least(({now} - operation_at) / 4, interval '6 hours'))
WHERE merchant = $1 AND environment = $2 AND operation_id = ANY($3) AND state IN ('accepted', 'queued_for_settlement') AND look_at <= {now}`

// lookLater says when to look again at operations that have not ended: the older, the
// later.
func (w *Work) lookLater(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := w.pool.Exec(ctx, w.sql(lookLaterSQL), w.merchant, w.environment, ids); err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	return nil
}

const missingSQL = `
SELECT operation_id FROM {records}
WHERE merchant = $1 AND environment = $2 AND state IN ('accepted', 'queued_for_settlement') AND look_at <= {now}
	AND (operation_at > $3 OR $3 = $4::timestamptz) AND operation_at BETWEEN $3 AND $4 AND NOT (operation_id = ANY($5))
ORDER BY operation_at DESC LIMIT $6`

// missing returns the operations that a page should have shown: the list is behind, an
// item could not be read, or the whole page is one millisecond.
func (w *Work) missing(ctx context.Context, shown []string, oldest, newest time.Time, most int) ([]string, error) {
	rows, err := w.pool.Query(ctx, w.sql(missingSQL), w.merchant, w.environment, oldest, newest, shown, most)
	if err != nil {
		return nil, fmt.Errorf("intramriver: sweep: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("intramriver: sweep: %w", err)
	}
	return ids, nil
}

// lookUp takes one operation by its id.
func (w *Work) lookUp(ctx context.Context, s *swept, id string) error {
	s.Requests++
	op, err := w.client.Operations.Get(ctx, id)
	if errors.Is(err, intram.CodeOperationNotFound) || errors.Is(err, intram.ErrResponseMismatch) {
		w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: the API does not show an operation that it accepted", slog.String("operation", id))
		return w.lookLater(ctx, []string{id})
	}
	if err != nil {
		return w.sweepFailed(ctx, err)
	}
	if ended, err := w.take(ctx, s, op); err != nil || ended {
		return err
	}
	return w.lookLater(ctx, []string{id})
}

// sweepFailed pauses the queue of the calls if the API refuses those too.
func (w *Work) sweepFailed(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*intram.Error](err); ok && refusesAllCalls(e) {
		return errors.Join(err, w.pauseQueue(ctx, e.Code))
	}
	return fmt.Errorf("intramriver: sweep: %w", err)
}

// orphansSQL takes so many of each state: a long queue of planned records hides no other.
const orphansSQL = `
(SELECT id, state FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'in_doubt' AND changed_at < {now} - $3::interval
	AND (look_at IS NULL OR look_at <= {now}) ORDER BY changed_at LIMIT $4)
UNION ALL
(SELECT id, state FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'sending' AND changed_at < {now} - $3::interval
	AND (look_at IS NULL OR look_at <= {now}) ORDER BY changed_at LIMIT $4)
UNION ALL
(SELECT id, state FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'planned' AND changed_at < {now} - $3::interval
	AND (look_at IS NULL OR look_at <= {now}) ORDER BY changed_at LIMIT $4)`

// findOrphans gives records whose job is gone a new one: a person has deleted or
// cancelled it, or a database was restored. One that was never sent waits for a person
// instead, who may have meant it: see [Work.Requeue].
func (w *Work) findOrphans(ctx context.Context, s *swept) error {
	rows, err := w.pool.Query(ctx, w.sql(orphansSQL), w.merchant, w.environment, orphanAge, orphanBatch)
	if err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	type candidate struct {
		ID    int64
		State State
	}
	quiet, err := pgx.CollectRows(rows, pgx.RowToStructByPos[candidate])
	if err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	for _, c := range quiet {
		err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
			live, err := w.hasJob(ctx, tx, c.ID)
			if err != nil {
				return err
			}
			code := ""
			if !live {
				s.Orphans++
				if c.State == Planned {
					code = string(CodeNoJob)
				} else if err := w.insertJob(ctx, tx, c.ID); err != nil {
					return err
				}
			}
			_, err = tx.Exec(ctx, w.sql(`UPDATE {records} SET look_at = {now} + $2::interval, code = CASE WHEN state = 'planned' THEN $3 ELSE code END WHERE id = $1 AND state = ANY($4)`),
				c.ID, orphanAge, code, unsent)
			return err
		})
		if err != nil {
			return fmt.Errorf("intramriver: sweep: %w", err)
		}
	}
	return nil
}

// hasJob reports whether a job of the record will run.
func (w *Work) hasJob(ctx context.Context, tx pgx.Tx, record int64) (bool, error) {
	return w.anyJob(ctx, tx, jobsOf(record))
}

// jobsOf selects the jobs of a record that will run.
func jobsOf(record int64) *river.JobListParams {
	return river.NewJobListParams().Kinds(sendArgs{}.Kind()).States(liveStates...).
		Where("args @> jsonb_build_object('record', @record::bigint)", river.NamedArgs{"record": record})
}

// anyJob reports whether there is a job among those that are selected.
func (w *Work) anyJob(ctx context.Context, tx pgx.Tx, params *river.JobListParams) (bool, error) {
	jobs, err := w.river.JobListTx(ctx, tx, params.First(1))
	if err != nil {
		return false, err
	}
	return len(jobs.Jobs) > 0, nil
}

// Requeue gives a record that has not ended a new job: a planned one whose job was
// cancelled, deleted or discarded. One that has a job gets none.
//
// Errors: [ErrNoRecord].
func (w *Work) Requeue(ctx context.Context, record int64) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		r, err := scanRecord(tx.QueryRow(ctx, w.sql(`UPDATE {records} SET code = CASE WHEN state = 'planned' THEN '' ELSE code END
			WHERE id = $1 AND merchant = $2 AND environment = $3 RETURNING `+recordColumns), record, w.merchant, w.environment))
		if err != nil {
			return recordError("requeue", err)
		}
		if r.State != Planned && r.State != Sending && r.State != InDoubt {
			return nil
		}
		if live, err := w.hasJob(ctx, tx, record); err != nil || live {
			return err
		}
		return w.insertJob(ctx, tx, record)
	})
}
