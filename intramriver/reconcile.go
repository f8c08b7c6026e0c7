package intramriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	intram "github.com/intram/intram-go"
)

const (
	// reconcileEvery is how often the reconciler runs, and reconcileWindow how far back
	// it looks.
	reconcileEvery  = time.Hour
	reconcileWindow = 48 * time.Hour
	// eventRetention is how long a row is kept whose event has taken effect.
	eventRetention = 30 * 24 * time.Hour
	// lostBatch is how many events one run asks for whether their job is still there.
	lostBatch = 1000
)

// reconcileArgs is the job of the reconciler.
type reconcileArgs struct {
	Merchant    string `json:"merchant"`
	Environment string `json:"environment"`
}

// Kind implements river.JobArgs.
func (reconcileArgs) Kind() string { return "intram_reconcile" }

type reconcileWorker struct {
	river.WorkerDefaults[reconcileArgs]

	works dispatch
}

// Timeout implements river.Worker. It is less than the hour after which River takes a job
// for stuck; the next run continues.
func (*reconcileWorker) Timeout(*river.Job[reconcileArgs]) time.Duration { return 45 * time.Minute }

// NextRetry implements river.Worker.
func (*reconcileWorker) NextRetry(*river.Job[reconcileArgs]) time.Time {
	return riverNow().Add(sweepEvery)
}

// Work implements river.Worker.
func (s *reconcileWorker) Work(ctx context.Context, job *river.Job[reconcileArgs]) error {
	w, err := s.works.of(ctx, job.Kind, job.Args.Merchant, job.Args.Environment)
	if err != nil {
		return err
	}
	_, err = w.Reconcile(ctx)
	return err
}

// reconcileJob is the periodic job of the reconciler.
func (w *Work) reconcileJob() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(reconcileEvery), func() (river.JobArgs, *river.InsertOpts) {
		return reconcileArgs{w.merchant, w.environment}, w.sweepOptions()
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// Reconcile finds the events of the last two days that no delivery has brought, and
// stores them like deliveries: see intram.Reconciler, which it is. River's leader does it
// every hour; a run that was killed is continued by the next one, on any machine. What
// was created before the first run of a merchant is left alone: another receiver may have
// had it.
//
// It also finds events whose job is gone, which are dead from then on.
func (w *Work) Reconcile(ctx context.Context) (*intram.Reconciliation, error) {
	now := w.client.Clock().Now()
	since, err := w.reconcileSince(ctx, now)
	if err != nil {
		return nil, err
	}
	store := func(ctx context.Context, event *intram.Event) error { return w.store(ctx, event, sourceReconciler) }
	// Each failure is logged as it is found: a run that ends with an error returns none.
	failed := func(f intram.ReconciliationFailure) {
		w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: the reconciler could not store what may be an event", slog.String("failure", f.String()))
	}
	reconciler, err := intram.NewReconciler(w.client, eventInbox{w: w}, store, intram.WithFailureHook(failed), intram.WithHandlerLogger(slog.New(warnings{w.logger.Handler()})))
	if err != nil {
		return nil, err
	}
	result, err := reconciler.Run(ctx, since)
	if err != nil {
		return nil, err
	}
	if err := w.findLostEvents(ctx); err != nil {
		return nil, err
	}
	_, err = w.pool.Exec(ctx, w.sql(`UPDATE {reconciliations} SET finished_at = {now} WHERE merchant = $1 AND environment = $2`), w.merchant, w.environment)
	if err != nil {
		return nil, fmt.Errorf("intramriver: reconcile: %w", err)
	}
	return result, nil
}

const reconcileSinceSQL = `
INSERT INTO {reconciliations} AS kept (merchant, environment, began_at) VALUES ($1, $2, $3)
ON CONFLICT (merchant, environment) DO UPDATE SET began_at = kept.began_at RETURNING began_at`

func (w *Work) reconcileSince(ctx context.Context, now time.Time) (since time.Time, err error) {
	if err := w.pool.QueryRow(ctx, w.sql(reconcileSinceSQL), w.merchant, w.environment, now).Scan(&since); err != nil {
		return since, fmt.Errorf("intramriver: reconcile: %w", err)
	}
	if back := now.Add(-reconcileWindow); back.After(since) {
		since = back
	}
	return since, nil
}

const lostEventsSQL = `
SELECT id FROM {events}
WHERE merchant = $1 AND environment = $2 AND done_at IS NULL AND dead_at IS NULL AND look_at <= {now}
ORDER BY look_at LIMIT $3`

const lookAtEventsSQL = `
UPDATE {events} SET look_at = {now} + $2::interval,
	dead_at = CASE WHEN id = ANY($3) THEN NULL ELSE {now} END,
	error = CASE WHEN id = ANY($3) OR error <> '' THEN error ELSE 'its job is gone' END
WHERE id = ANY($1) AND done_at IS NULL AND dead_at IS NULL`

// findLostEvents marks events dead whose job is gone: a person has deleted or cancelled
// it, or a process was killed in its last attempt.
func (w *Work) findLostEvents(ctx context.Context) error {
	rows, err := w.pool.Query(ctx, w.sql(lostEventsSQL), w.merchant, w.environment, lostBatch)
	if err != nil {
		return fmt.Errorf("intramriver: lost events: %w", err)
	}
	waiting, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(waiting) == 0 {
		return err
	}
	jobs, err := w.river.JobList(ctx, w.ownJobs(eventArgs{}.Kind()).States(liveStates...).
		Where("(args->>'event')::bigint = ANY(@events::bigint[])", river.NamedArgs{"events": waiting}).First(10*lostBatch))
	if err != nil {
		return fmt.Errorf("intramriver: lost events: %w", err)
	}
	live := make([]int64, 0, len(jobs.Jobs))
	for _, job := range jobs.Jobs {
		var args eventArgs
		if err := unmarshalArgs(job, &args); err != nil {
			return err
		}
		live = append(live, args.Event)
	}
	if _, err := w.pool.Exec(ctx, w.sql(lookAtEventsSQL), waiting, orphanAge, live); err != nil {
		return fmt.Errorf("intramriver: lost events: %w", err)
	}
	return nil
}

func unmarshalArgs(job *rivertype.JobRow, args any) error {
	if err := json.Unmarshal(job.EncodedArgs, args); err != nil {
		return fmt.Errorf("intramriver: the arguments of job %d cannot be read", job.ID)
	}
	return nil
}

// eventInbox is the table of events, as the reconciler sees it. An event that is stored
// is done: its job does the rest.
type eventInbox struct {
	passing

	w *Work
}

var _ intram.ReconcileStore = eventInbox{}

// Claim implements intram.Inbox. Two that store one event at once are told apart by the
// unique key.
func (i eventInbox) Claim(ctx context.Context, key string, _ time.Duration) (intram.Claim, error) {
	claim := intram.Claim{Key: key, State: intram.ClaimHeld}
	var stored bool
	err := i.w.pool.QueryRow(ctx, i.w.sql(`SELECT EXISTS (SELECT FROM {events} WHERE merchant = $1 AND environment = $2 AND key = $3)`),
		i.w.merchant, i.w.environment, key).Scan(&stored)
	if stored {
		claim.State = intram.ClaimDone
	}
	return claim, err
}

// Horizon implements intram.InboxHorizon.
func (eventInbox) Horizon() time.Duration { return eventRetention }

const keepPendingSQL = `
INSERT INTO {pending} (merchant, environment, operation_id, created_at, since, told) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant, environment, operation_id) DO UPDATE
SET created_at = excluded.created_at, since = excluded.since, told = excluded.told`

// KeepPending implements intram.PendingStore. The scope is this work's.
func (i eventInbox) KeepPending(ctx context.Context, _ string, pending []intram.PendingOperation, ended []string) error {
	return pgx.BeginFunc(ctx, i.w.pool, func(tx pgx.Tx) error {
		batch := new(pgx.Batch)
		for _, p := range pending {
			told := make([]string, 0, len(p.Told))
			for _, typ := range p.Told {
				told = append(told, string(typ))
			}
			batch.Queue(i.w.sql(keepPendingSQL), i.w.merchant, i.w.environment, p.ID, orNull(p.CreatedAt), orNull(p.Since), told)
		}
		batch.Queue(i.w.sql(`DELETE FROM {pending} WHERE merchant = $1 AND environment = $2 AND operation_id = ANY($3)`), i.w.merchant, i.w.environment, ended)
		return tx.SendBatch(ctx, batch).Close()
	})
}

const pendingSQL = `SELECT operation_id, created_at, since, told FROM {pending} WHERE merchant = $1 AND environment = $2`

// Pending implements intram.PendingStore.
func (i eventInbox) Pending(ctx context.Context, _ string) ([]intram.PendingOperation, error) {
	return i.pending(ctx, pendingSQL)
}

// PendingAmong implements intram.ReconcileStore.
func (i eventInbox) PendingAmong(ctx context.Context, _ string, ids []string) ([]intram.PendingOperation, error) {
	return i.pending(ctx, pendingSQL+` AND operation_id = ANY($3)`, ids)
}

// PendingBefore implements intram.ReconcileStore.
func (i eventInbox) PendingBefore(ctx context.Context, _ string, created time.Time, limit int) ([]intram.PendingOperation, error) {
	return i.pending(ctx, pendingSQL+` AND (created_at IS NULL OR created_at < $3) ORDER BY since NULLS FIRST LIMIT $4`, created, limit)
}

func (i eventInbox) pending(ctx context.Context, sql string, args ...any) ([]intram.PendingOperation, error) {
	rows, err := i.w.pool.Query(ctx, i.w.sql(sql), append([]any{i.w.merchant, i.w.environment}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p intram.PendingOperation, err error) {
		var created, since *time.Time
		err = row.Scan(&p.ID, &created, &since, &p.Told)
		if created != nil {
			p.CreatedAt = created.UTC()
		}
		if since != nil {
			p.Since = since.UTC()
		}
		return p, err
	})
}

// CountPending implements intram.ReconcileStore.
func (i eventInbox) CountPending(ctx context.Context, _ string) (n int, err error) {
	err = i.w.pool.QueryRow(ctx, i.w.sql(`SELECT count(*) FROM {pending} WHERE merchant = $1 AND environment = $2`), i.w.merchant, i.w.environment).Scan(&n)
	return n, err
}

// Cursor implements intram.ReconcileStore.
func (i eventInbox) Cursor(ctx context.Context, _ string) (cursor intram.ReconcileCursor, err error) {
	err = i.w.pool.QueryRow(ctx, i.w.sql(`SELECT cursor FROM {reconciliations} WHERE merchant = $1 AND environment = $2 AND cursor IS NOT NULL`),
		i.w.merchant, i.w.environment).Scan(&cursor)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return cursor, err
}

// SaveCursor implements intram.ReconcileStore.
func (i eventInbox) SaveCursor(ctx context.Context, _ string, cursor intram.ReconcileCursor) error {
	var saved *string
	if cursor != (intram.ReconcileCursor{}) {
		text, err := json.Marshal(cursor) // as text: with a pooler, pgx does not know that the column is jsonb
		if err != nil {
			return err
		}
		saved = new(string(text))
	}
	_, err := i.w.pool.Exec(ctx, i.w.sql(`UPDATE {reconciliations} SET cursor = $3::jsonb WHERE merchant = $1 AND environment = $2`), i.w.merchant, i.w.environment, saved)
	return err
}
