package intramriver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	// stuckAfter is how long a job may run before the sweep takes its process for dead.
	// River itself takes an hour. A call takes 30 seconds unless the client allows more;
	// a job that is taken for dead and is not shares its idempotency key with the new
	// one.
	stuckAfter = 2 * time.Minute
	// stuckPage is how many jobs the sweep reads at once. More than the workers of all
	// machines are there only after many were killed.
	stuckPage = 1000
)

// findStuck gives records a new job whose process was killed while it worked on them.
// River would run the old job again after an hour, which is late for money in doubt; it
// then finds nothing left to do.
func (w *Work) findStuck(ctx context.Context, s *swept) error {
	params := w.stuckJobs(sendArgs{}.Kind())
	for {
		page, err := w.river.JobList(ctx, params)
		if err != nil {
			return fmt.Errorf("intramriver: sweep: %w", err)
		}
		if len(page.Jobs) == 0 {
			return nil
		}
		var records []int64
		for _, row := range page.Jobs {
			var args sendArgs
			if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
				return fmt.Errorf("intramriver: sweep: %w", err)
			}
			records = append(records, args.Record)
		}
		if err := w.unstick(ctx, s, records); err != nil {
			return fmt.Errorf("intramriver: sweep: %w", err)
		}
		if len(page.Jobs) < stuckPage {
			return nil
		}
		params = params.After(page.LastCursor)
	}
}

// stuckJobs selects jobs of a kind that have run for too long, but those that a person
// cancels, a page at a time.
func (w *Work) stuckJobs(kind string) *river.JobListParams {
	return w.ownJobs(kind).States(rivertype.JobStateRunning).
		Where("attempted_at < "+w.sql("{now}")+" - @after::interval AND NOT metadata ? 'cancel_attempted_at'", river.NamedArgs{"after": w.stuckAfter}).
		OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(stuckPage)
}

// stuckSQL leaves out what another job has worked on since, and gives a job that reads
// the list of operations its time.
const stuckSQL = `
SELECT id FROM {records}
WHERE id = ANY($1) AND merchant = $2 AND environment = $3 AND state = ANY($4)
	AND changed_at < {now} - CASE WHEN first_sent_at < {now} - $5::interval THEN $6::interval ELSE $7::interval END
FOR UPDATE SKIP LOCKED`

func (w *Work) unstick(ctx context.Context, s *swept, records []int64) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, w.sql(stuckSQL), records, w.merchant, w.environment, unsent, lookBackAge, sendTimeout+w.stuckAfter, w.stuckAfter)
		if err != nil {
			return err
		}
		stuck, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for _, id := range stuck {
			live, err := w.hasLiveJob(ctx, tx, id)
			if err != nil {
				return err
			}
			if live {
				continue
			}
			if err := w.insertJob(ctx, tx, id); err != nil {
				return err
			}
			s.Orphans++
		}
		return nil
	})
}

// hasLiveJob does what hasJob does, without the jobs that are stuck.
func (w *Work) hasLiveJob(ctx context.Context, tx pgx.Tx, record int64) (bool, error) {
	return w.anyJob(ctx, tx, jobsOf(record).
		Where("NOT (state = 'running' AND attempted_at < "+w.sql("{now}")+" - @after::interval)", river.NamedArgs{"after": w.stuckAfter}))
}
