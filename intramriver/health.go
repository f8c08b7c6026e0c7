package intramriver

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Health is how the work of a merchant stands, for a probe. Ages are by the database's
// clock.
type Health struct {
	// OldestPending is how long ago the oldest operation was accepted that has not ended,
	// 0 if there is none. Those that are queued for settlement are not counted: a bank
	// takes days.
	OldestPending time.Duration
	// OldestPlanned is how long the oldest record waits to be sent.
	OldestPlanned time.Duration
	// InDoubt counts the records of which a call may have been executed, and NeedsPerson
	// those that only a person can decide.
	InDoubt, NeedsPerson int
	// Dead counts planned records whose job is gone, and jobs that River discarded, at
	// most 1000 each.
	Dead int
	// OldestEvent is how long ago the oldest event was received that has not taken effect
	// and is not dead, and DeadEvents counts the dead ones, at most 1000.
	OldestEvent time.Duration
	DeadEvents  int
	// SweepAge is how long ago the last sweep ended; -1 if there was none.
	SweepAge time.Duration
	// Paused is why the queue stands, nil if it does not.
	Paused *Pause
}

const healthSQL = `
SELECT
	coalesce({now} - (SELECT operation_at FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'accepted'
		ORDER BY operation_at LIMIT 1), interval '0'),
	coalesce({now} - (SELECT changed_at FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'planned'
		ORDER BY changed_at LIMIT 1), interval '0'),
	(SELECT count(*) FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'in_doubt'),
	(SELECT count(*) FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'needs_person'),
	(SELECT count(*) FROM (SELECT 1 FROM {records} WHERE merchant = $1 AND environment = $2 AND state = 'planned' AND code = 'no_job' LIMIT 1000) dead),
	coalesce({now} - (SELECT min(received_at) FROM {events} WHERE merchant = $1 AND environment = $2 AND done_at IS NULL AND dead_at IS NULL), interval '0'),
	(SELECT count(*) FROM (SELECT 1 FROM {events} WHERE merchant = $1 AND environment = $2 AND dead_at IS NOT NULL LIMIT 1000) dead),
	coalesce({now} - (SELECT finished_at FROM {sweeps} WHERE merchant = $1 AND environment = $2), interval '-1 microsecond')`

// Health reads how the work stands. It sends nothing.
func (w *Work) Health(ctx context.Context) (*Health, error) {
	h := new(Health)
	err := w.pool.QueryRow(ctx, w.sql(healthSQL), w.merchant, w.environment).
		Scan(&h.OldestPending, &h.OldestPlanned, &h.InDoubt, &h.NeedsPerson, &h.Dead, &h.OldestEvent, &h.DeadEvents, &h.SweepAge)
	if err != nil {
		return nil, fmt.Errorf("intramriver: health: %w", err)
	}
	if h.SweepAge < 0 {
		h.SweepAge = -1
	}
	jobs, err := w.river.JobList(ctx, w.ownJobs(sendArgs{}.Kind(), endArgs{}.Kind()).States(rivertype.JobStateDiscarded).First(1000))
	if err != nil {
		return nil, fmt.Errorf("intramriver: health: %w", err)
	}
	h.Dead += len(jobs.Jobs)
	if h.Paused, err = w.paused(ctx); err != nil {
		return nil, fmt.Errorf("intramriver: health: %w", err)
	}
	return h, nil
}
