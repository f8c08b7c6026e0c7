package intramriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	intram "github.com/intram/intram-go"
)

// Errors of events. Test for them with errors.Is.
var (
	// ErrNoEvent is behind the error of an id that no event has.
	ErrNoEvent = errors.New("intramriver: there is no such event")
	// ErrPruned is behind the error of an event whose body was pruned.
	ErrPruned = errors.New("intramriver: the body of the event was pruned")
)

// EventState is how far an event has come.
type EventState string

// The states of an event.
const (
	// EventWaiting: its job will run, or runs.
	EventWaiting EventState = "waiting"
	// EventDead: River has discarded its job, or a person has cancelled or deleted it.
	EventDead EventState = "dead"
	// EventDone: it has taken effect.
	EventDone EventState = "done"
)

// StoredEvent is an event as its row shows it, without its body.
type StoredEvent struct {
	// ID is the row's.
	ID          int64
	State       EventState
	Type        intram.EventType
	OperationID string
	// OccurredAt is what the event says, zero if it does not.
	OccurredAt time.Time
	// ReceivedAt, FailedAt and DoneAt are by the database's clock; zero if it has not
	// failed, or not taken effect.
	ReceivedAt, FailedAt, DoneAt time.Time
	// Source is "delivery", or "reconciler" for one that no delivery had brought.
	Source string
	// Headers are those of the first delivery that matter: its id and attempt, its
	// timestamp and signature.
	Headers map[string]string
	// Attempts is how often it failed to take effect, and Error the last error, as
	// Config.OnEvent returned it.
	Attempts int
	Error    string
}

const eventColumns = `id, CASE WHEN done_at IS NOT NULL THEN 'done' WHEN dead_at IS NOT NULL THEN 'dead' ELSE 'waiting' END,
	type, operation_id, occurred_at, received_at, failed_at, done_at, source, headers, attempts, error`

// scanEvent reads the columns of eventColumns, and more behind them.
func scanEvent(row pgx.Row, more ...any) (*StoredEvent, error) {
	e := new(StoredEvent)
	var occurred, failedAt, done *time.Time
	dest := append([]any{
		&e.ID, &e.State, &e.Type, &e.OperationID, &occurred, &e.ReceivedAt, &failedAt, &done, &e.Source, &e.Headers, &e.Attempts, &e.Error,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return nil, err
	}
	for at, from := range map[*time.Time]*time.Time{&e.OccurredAt: occurred, &e.FailedAt: failedAt, &e.DoneAt: done} {
		if from != nil {
			*at = *from
		}
	}
	return e, nil
}

// EventFilter selects events. The zero value selects all.
type EventFilter struct {
	// IDs are the rows to select; empty is all.
	IDs []int64
	// States and Types are those to select; empty is all.
	States []EventState
	Types  []intram.EventType
	// OperationID selects the events of one operation.
	OperationID string
	// Since and Until select what was received from Since on and before Until, by the
	// database's clock; zero is no bound.
	Since, Until time.Time
	// After is the ID of the last event of the page before, 0 for the first page. Limit
	// is the size of a page of [Work.Events], 1 to 1000; 0 is 100. [Work.Replay] has no
	// use for Limit.
	After int64
	Limit int
}

const selectedEvents = `merchant = $1 AND environment = $2 AND id > $3
	AND (cardinality($4::bigint[]) = 0 OR id = ANY($4))
	AND (cardinality($5::text[]) = 0 OR type = ANY($5))
	AND ($6 = '' OR operation_id = $6)
	AND ($7::timestamptz IS NULL OR received_at >= $7) AND ($8::timestamptz IS NULL OR received_at < $8)
	AND ($9 AND done_at IS NULL AND dead_at IS NULL OR $10 AND dead_at IS NOT NULL OR $11 AND done_at IS NOT NULL)`

// args are the arguments of selectedEvents.
func (f EventFilter) args(w *Work) ([]any, error) {
	want := map[EventState]bool{}
	for _, s := range f.States {
		switch s {
		case EventWaiting, EventDead, EventDone:
			want[s] = true
		default:
			return nil, errors.New("intramriver: EventFilter.States: use waiting, dead and done")
		}
	}
	if len(want) == 0 {
		want = map[EventState]bool{EventWaiting: true, EventDead: true, EventDone: true}
	}
	types := make([]string, 0, len(f.Types))
	for _, t := range f.Types {
		types = append(types, string(t))
	}
	ids := append([]int64{}, f.IDs...)
	return []any{
		w.merchant, w.environment, f.After, ids, types, f.OperationID, orNull(f.Since), orNull(f.Until),
		want[EventWaiting], want[EventDead], want[EventDone],
	}, nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Events lists the merchant's events, oldest first.
func (w *Work) Events(ctx context.Context, filter EventFilter) ([]*StoredEvent, error) {
	switch {
	case filter.Limit == 0:
		filter.Limit = 100
	case filter.Limit < 0 || filter.Limit > 1000:
		return nil, errors.New("intramriver: EventFilter.Limit must be 1 to 1000")
	}
	args, err := filter.args(w)
	if err != nil {
		return nil, err
	}
	rows, err := w.pool.Query(ctx, w.sql(`SELECT `+eventColumns+` FROM {events} WHERE `+selectedEvents+` ORDER BY id LIMIT $12`), append(args, filter.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("intramriver: events: %w", err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*StoredEvent, error) { return scanEvent(row) })
	if err != nil {
		return nil, fmt.Errorf("intramriver: events: %w", err)
	}
	return events, nil
}

// Event returns one event with its body opened: it holds personal data.
//
// Errors: [ErrNoEvent], [ErrPruned] with the row, and those of the [Seal].
func (w *Work) Event(ctx context.Context, id int64) (*StoredEvent, *intram.Event, error) {
	var stored storedEvent
	row, err := scanEvent(w.pool.QueryRow(ctx, w.sql(`SELECT `+eventColumns+`, key, body FROM {events} WHERE id = $1 AND merchant = $2 AND environment = $3`),
		id, w.merchant, w.environment), &stored.key, &stored.body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, ErrNoEvent
	case err != nil:
		return nil, nil, fmt.Errorf("intramriver: event: %w", err)
	}
	stored.source, stored.headers = row.Source, row.Headers
	event, err := w.openEvent(stored)
	return row, event, err
}

// replayBatch is how many events one transaction gives new jobs.
const replayBatch = 1000

const replaySQL = `
UPDATE {events} SET done_at = NULL, dead_at = NULL, look_at = {now} + $12::interval
WHERE id IN (SELECT id FROM {events} WHERE ` + selectedEvents + ` AND body IS NOT NULL ORDER BY id LIMIT $13 FOR UPDATE SKIP LOCKED)
RETURNING id`

// Replay gives events a new job, and returns how many: those that are dead, unless
// filter.States says otherwise. With [EventDone] among the states, what took effect takes
// effect again; records do not end again by it. It has no effect on an event that waits,
// and on one whose body was pruned.
//
// By one: IDs. By query: Types, OperationID. All since a time: Since.
func (w *Work) Replay(ctx context.Context, filter EventFilter) (replayed int, err error) {
	states := filter.States
	filter.States = nil
	for _, s := range states {
		if s != EventWaiting {
			filter.States = append(filter.States, s)
		}
	}
	switch {
	case len(states) == 0:
		filter.States = []EventState{EventDead}
	case len(filter.States) == 0:
		return 0, nil
	}
	for {
		args, err := filter.args(w)
		if err != nil {
			return replayed, err
		}
		var ids []int64
		err = pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, w.sql(replaySQL), append(args, orphanAge, replayBatch)...)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(ids) == 0 {
				return err
			}
			return w.insertEventJobs(ctx, tx, ids...)
		})
		if err != nil {
			return replayed, fmt.Errorf("intramriver: replay: %w", err)
		}
		replayed += len(ids)
		if len(ids) < replayBatch {
			return replayed, nil
		}
		for _, id := range ids {
			filter.After = max(filter.After, id)
		}
	}
}

// DeadJob is a call that nothing works on any more: its job was discarded, cancelled or
// deleted.
type DeadJob struct {
	// Record is the call.
	Record *Record
	// JobID is River's, 0 when the job is gone. Attempts is how often it ran.
	JobID    int64
	Attempts int
	// Error is the last error, as River keeps it, and At when it was.
	Error string
	At    time.Time
}

// DeadFilter selects dead jobs. The zero value selects all.
type DeadFilter struct {
	// Records are the IDs of the records to select; empty is all.
	Records []int64
	// Since selects what died from then on; zero is no bound.
	Since time.Time
}

const (
	// maxDead is how many dead jobs are listed at most.
	maxDead = 1000

	noJobSQL = `SELECT ` + recordColumns + ` FROM {records}
WHERE merchant = $1 AND environment = $2 AND state = 'planned' AND code = 'no_job' ORDER BY id LIMIT $3`

	recordOfSQL = `SELECT ` + recordColumns + ` FROM {records}
WHERE merchant = $1 AND environment = $2 AND (id = $3 OR operation_id = $4)`
)

// deadStates are the states of jobs that run no more, and whose work is not done.
var deadStates = []rivertype.JobState{rivertype.JobStateDiscarded, rivertype.JobStateCancelled}

// Dead lists the calls that nothing works on any more, with the last error, at most 1000:
// a job that River discarded or a person cancelled, and a record whose job is gone. Dead
// events are [Work.Events] with [EventDead].
func (w *Work) Dead(ctx context.Context, filter DeadFilter) ([]*DeadJob, error) {
	var dead []*DeadJob
	jobs, err := w.river.JobList(ctx, w.ownJobs(sendArgs{}.Kind(), endArgs{}.Kind()).States(deadStates...).First(maxDead))
	if err != nil {
		return nil, fmt.Errorf("intramriver: dead: %w", err)
	}
	seen := map[int64]bool{}
	for _, job := range jobs.Jobs {
		r, err := w.recordOf(ctx, job)
		if err != nil {
			return nil, err
		}
		if r == nil || !worked(job.Kind, r.State) || seen[r.ID] {
			continue
		}
		if live, err := w.hasLive(ctx, job); err != nil {
			return nil, err
		} else if live {
			continue // another job has taken over
		}
		seen[r.ID] = true
		d := &DeadJob{Record: r, JobID: job.ID, Attempts: job.Attempt}
		if job.FinalizedAt != nil {
			d.At = *job.FinalizedAt
		}
		if len(job.Errors) > 0 {
			d.Error = job.Errors[len(job.Errors)-1].Error
		}
		dead = append(dead, d)
	}
	rows, err := w.pool.Query(ctx, w.sql(noJobSQL), w.merchant, w.environment, maxDead)
	if err != nil {
		return nil, fmt.Errorf("intramriver: dead: %w", err)
	}
	gone, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Record, error) { return scanRecord(row) })
	if err != nil {
		return nil, fmt.Errorf("intramriver: dead: %w", err)
	}
	for _, r := range gone {
		if !seen[r.ID] {
			dead = append(dead, &DeadJob{Record: r, Error: "its job is gone", At: r.ChangedAt})
		}
	}
	return filter.of(dead), nil
}

func (f DeadFilter) of(dead []*DeadJob) (selected []*DeadJob) {
	wanted := make(map[int64]bool, len(f.Records))
	for _, id := range f.Records {
		wanted[id] = true
	}
	for _, d := range dead {
		if (len(wanted) == 0 || wanted[d.Record.ID]) && !d.At.Before(f.Since) && len(selected) < maxDead {
			selected = append(selected, d)
		}
	}
	return selected
}

// worked reports whether a job of the kind has work with a record of the state.
func worked(kind string, s State) bool {
	switch s {
	case Planned, Sending, InDoubt:
		return kind == sendArgs{}.Kind()
	case Accepted, QueuedForSettlement:
		return kind == endArgs{}.Kind()
	}
	return false
}

// ownJobs selects jobs of this merchant and environment.
func (w *Work) ownJobs(kinds ...string) *river.JobListParams {
	return river.NewJobListParams().Kinds(kinds...).Where("args @> jsonb_build_object('merchant', @merchant::text, 'environment', @environment::text)",
		river.NamedArgs{"merchant": w.merchant, "environment": w.environment})
}

// recordOf returns the record that a job is about, nil if there is none.
func (w *Work) recordOf(ctx context.Context, job *rivertype.JobRow) (*Record, error) {
	var args struct {
		Record      int64  `json:"record"`
		OperationID string `json:"operation_id"`
	}
	if err := unmarshalArgs(job, &args); err != nil {
		return nil, err
	}
	var operation *string
	if args.OperationID != "" {
		operation = &args.OperationID
	}
	r, err := scanRecord(w.pool.QueryRow(ctx, w.sql(recordOfSQL), w.merchant, w.environment, args.Record, operation))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	return r, recordError("dead", err)
}

// hasLive reports whether another job with the same arguments will run.
func (w *Work) hasLive(ctx context.Context, job *rivertype.JobRow) (bool, error) {
	jobs, err := w.river.JobList(ctx, river.NewJobListParams().Kinds(job.Kind).States(liveStates...).
		Where("args @> @args::jsonb", river.NamedArgs{"args": string(job.EncodedArgs)}).First(1))
	if err != nil {
		return false, fmt.Errorf("intramriver: dead: %w", err)
	}
	return len(jobs.Jobs) > 0, nil
}

// Retry lets dead calls be worked on again, and returns how many. What was sent before is
// sent with the same intent, so no money moves twice.
func (w *Work) Retry(ctx context.Context, filter DeadFilter) (retried int, err error) {
	dead, err := w.Dead(ctx, filter)
	if err != nil {
		return 0, err
	}
	for _, d := range dead {
		if d.Record.State == Accepted || d.Record.State == QueuedForSettlement {
			if _, err = w.river.JobRetry(ctx, d.JobID); err != nil {
				return retried, fmt.Errorf("intramriver: retry: %w", err)
			}
		} else if err = w.Requeue(ctx, d.Record.ID); err != nil {
			return retried, err
		}
		retried++
	}
	return retried, nil
}
