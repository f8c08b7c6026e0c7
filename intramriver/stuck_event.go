package intramriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
)

// findStuckEvents gives events a new job whose process was killed while it worked on
// them. A process that lives holds the row of its event while the merchant's function
// runs, and a row that is held is left alone.
func (w *Work) findStuckEvents(ctx context.Context, s *swept) error {
	jobs, err := w.river.JobList(ctx, w.stuckJobs(eventArgs{}.Kind()).Where("attempt < max_attempts"))
	if err != nil {
		return fmt.Errorf("intramriver: sweep: %w", err)
	}
	for _, job := range jobs.Jobs {
		var args eventArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return fmt.Errorf("intramriver: sweep: %w", err)
		}
		replaced := false
		err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) (err error) {
			replaced, err = w.replaceEventJob(ctx, tx, job, args)
			return err
		})
		if err != nil {
			return fmt.Errorf("intramriver: sweep: %w", err)
		}
		if replaced {
			s.Orphans++
		}
	}
	return nil
}

const stuckEventSQL = `
UPDATE {events} SET attempts = attempts + 1, error = 'the process that worked on it was killed', failed_at = {now}, look_at = {now} + $4::interval
WHERE id = (SELECT id FROM {events} WHERE id = $1 AND merchant = $2 AND environment = $3 AND done_at IS NULL AND dead_at IS NULL FOR UPDATE SKIP LOCKED)
RETURNING id`

// replaceEventJob cancels a job that is stuck, and gives its event one with the tries
// that are left: an event that kills its process is dead in the end.
func (w *Work) replaceEventJob(ctx context.Context, tx pgx.Tx, job *rivertype.JobRow, args eventArgs) (replaced bool, err error) {
	var id int64
	err = tx.QueryRow(ctx, w.sql(stuckEventSQL), args.Event, w.merchant, w.environment, orphanAge).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := w.river.JobCancelTx(ctx, tx, job.ID); err != nil {
		return false, err
	}
	opts := w.eventOptions()
	opts.MaxAttempts = job.MaxAttempts - job.Attempt
	tried := max(1, eventAttempts-opts.MaxAttempts)
	opts.ScheduledAt = riverNow().Add(time.Duration(tried*tried*tried*tried) * time.Second) // River's own pauses
	_, err = w.river.InsertTx(ctx, tx, args, opts)
	return true, err
}
