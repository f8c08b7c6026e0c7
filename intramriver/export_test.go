package intramriver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/riverqueue/river"

	intram "github.com/intram/intram-go"
)

// What tests look at and change.

// SetNow replaces the database's clock.
func (w *Work) SetNow(expression, schema string) { w.names = names(schema, expression) }

// StopAt makes each step call at: an error stops the process there.
func (w *Work) StopAt(at func(ctx context.Context, step string) error) { w.at = at }

// SetIntervals replaces how often the sweep runs, for how long one keeps others away, and
// when it takes a job for stuck.
func (w *Work) SetIntervals(every, lease, stuck time.Duration) {
	w.sweepEvery, w.sweepLease, w.stuckAfter = every, lease, stuck
}

// SetEndTimeout replaces how long the record of an operation may hold up a sweep.
func (w *Work) SetEndTimeout(operation string, d time.Duration) {
	w.endTimeout = func(id string) time.Duration {
		if id == operation {
			return d
		}
		return endTimeout
	}
}

// Send does what a job of the record does.
func (w *Work) Send(ctx context.Context, record int64) error { return w.send(ctx, record, 1) }

// Sweep does what the job of the sweep does, and returns its numbers.
func (w *Work) Sweep(ctx context.Context) (requests, ended, failedEnds, orphans int, err error) {
	s, err := w.sweep(ctx)
	return s.Requests, s.Ended, s.Failed, s.Orphans, err
}

// EndOperation does what an event does that tells of an operation's end.
func (w *Work) EndOperation(ctx context.Context, op *intram.Operation) (bool, error) {
	return w.end(ctx, endingOf(op))
}

// WaitOf returns when a job that ended with the error runs again.
func WaitOf(err error) (after time.Duration, snooze, ok bool) {
	again, ok := err.(*againError) //nolint:errorlint // as send returns it
	if !ok {
		return 0, false, false
	}
	return again.after, again.snooze, true
}

// Transitions returns the table of transitions.
func Transitions() map[State][]State { return transitions }

// Kinds of jobs.
var (
	SendKind  = sendArgs{}.Kind()
	SweepKind = sweepArgs{}.Kind()
	EndKind   = endArgs{}.Kind()
)

// SweepArgs returns the arguments of the job of the sweep.
func SweepArgs(w *Work) river.JobArgs { return sweepJob{sweepArgs{w.merchant, w.environment}, w} }

// sweepJob is the job as River's leader inserts it.
type sweepJob struct {
	sweepArgs

	w *Work
}

// InsertOpts implements river.JobArgsWithInsertOpts.
func (j sweepJob) InsertOpts() river.InsertOpts { return *j.w.sweepOptions() }

// MarshalJSON writes the arguments alone.
func (j sweepJob) MarshalJSON() ([]byte, error) { return json.Marshal(j.sweepArgs) }

// ReconcileJob returns the periodic job of the reconciler.
func (w *Work) ReconcileJob() (args river.JobArgs, opts *river.InsertOpts) {
	return reconcileArgs{w.merchant, w.environment}, w.sweepOptions()
}

// Statements are those that run often, or that a probe runs, with arguments.
func (w *Work) Statements(id int64, operationID string, at time.Time) map[string]struct {
	SQL  string
	Args []any
} {
	type statement = struct {
		SQL  string
		Args []any
	}
	ids := []string{operationID, "op_none"}
	from, to := succeeded.follow(Payout)
	return map[string]statement{
		"claim":   {w.sql(claimSQL), []any{id, w.merchant, w.environment, at, unsent, restoredAge}},
		"again":   {w.sql(againSQL), []any{id, 0, 1, ""}},
		"doubt":   {w.sql(doubtSQL), []any{id, 0, ""}},
		"accept":  {w.sql(acceptSQL), []any{id, operationID, at, before(Accepted), []string{}}},
		"end":     {w.sql(endSQL), []any{w.merchant, w.environment, operationID, string(Payout), from, to, "", ""}},
		"same":    {w.sql(sameSQL), []any{w.merchant, w.environment, string(Payout), "PO-1"}},
		"newest":  {w.sql(newestDueSQL), []any{w.merchant, w.environment, nil}},
		"due":     {w.sql(dueSQL), []any{w.merchant, w.environment, ids}},
		"later":   {w.sql(lookLaterSQL), []any{w.merchant, w.environment, ids}},
		"missing": {w.sql(missingSQL), []any{w.merchant, w.environment, at, at, ids, 10}},
		"orphans": {w.sql(orphansSQL), []any{w.merchant, w.environment, orphanAge, orphanBatch}},
		"others":  {w.sql(othersSQL), []any{w.merchant, w.environment}},
		"health":  {w.sql(healthSQL), []any{w.merchant, w.environment}},
		"prune":   {w.sql(pruneSQL), []any{w.merchant, w.environment, time.Hour, true, pruneBatch}},
	}
}

// Passing is the inbox of the handler.
var Passing intram.Inbox = passing{}

// DatabaseNow is the database's clock, as statements name it.
const DatabaseNow = databaseNow
