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

// Pause is a queue that was paused because the API refuses all calls.
type Pause struct {
	Queue string
	// Code is what the calls were refused with, such as intram.CodeInvalidAPIKey. It is
	// empty if a person paused the queue.
	Code  intram.ErrorCode
	Since time.Time
}

// pausedBy pauses the queue, and lets the job wait: nothing is wrong with its call.
func (w *Work) pausedBy(ctx context.Context, c *claimed, d decision, cause error) error {
	if d.untouched {
		if _, err := w.pool.Exec(ctx, w.sql(againSQL), c.ID, c.Generation, c.tries, string(d.code)); err != nil {
			return errors.Join(cause, err)
		}
	}
	if err := w.pauseQueue(ctx, d.code); err != nil {
		return errors.Join(cause, err)
	}
	return &againError{after: pausedSnooze, snooze: true, err: cause}
}

const pauseSQL = `
INSERT INTO {pauses} (merchant, environment, queue, code, since) VALUES ($1, $2, $3, $4, {now})
ON CONFLICT (merchant, environment) DO UPDATE SET queue = excluded.queue, code = excluded.code, since = excluded.since`

// othersSQL asks whether calls of the merchant were accepted within the last minute.
const othersSQL = `SELECT EXISTS (SELECT 1 FROM {records} WHERE merchant = $1 AND environment = $2 AND state IN ('accepted', 'queued_for_settlement')
	AND operation_at > {now} - interval '1 minute' AND changed_at > {now} - interval '1 minute')`

// pauseQueue pauses the queue once for all machines, and says so once. The row is locked
// first, so that a second machine finds the queue paused. While calls of others are
// accepted, it is this process that is wrong, and the queue goes on.
func (w *Work) pauseQueue(ctx context.Context, code intram.ErrorCode) error {
	said := false
	var others bool
	if err := w.pool.QueryRow(ctx, w.sql(othersSQL), w.merchant, w.environment).Scan(&others); err != nil {
		return fmt.Errorf("intramriver: pause: %w", err)
	}
	if others {
		w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: the API refuses this process's calls and takes those of others: compare its keys and its address",
			slog.String("merchant", w.merchant), slog.String("environment", w.environment), slog.String("code", string(code)))
		return nil
	}
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, w.sql(pauseSQL), w.merchant, w.environment, w.queue, string(code)); err != nil {
			return err
		}
		queue, err := w.river.QueueGetTx(ctx, tx, w.queue)
		switch {
		case errors.Is(err, river.ErrNotFound):
			return nil // no client works it: nothing to pause
		case err != nil:
			return err
		case queue.PausedAt != nil:
			return errAlreadyPaused
		}
		said = true
		return w.river.QueuePauseTx(ctx, tx, w.queue, nil)
	})
	switch {
	case errors.Is(err, errAlreadyPaused):
		return nil
	case err != nil:
		return fmt.Errorf("intramriver: pause: %w", err)
	case said:
		w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: the API refuses all calls: the queue is paused; repair the cause, then call ResumeQueue",
			slog.String("queue", w.queue), slog.String("merchant", w.merchant), slog.String("environment", w.environment), slog.String("code", string(code)),
			slog.String("meaning", code.Explanation()))
	}
	return nil
}

// errAlreadyPaused rolls the second pause back: the first one's code and time stay.
var errAlreadyPaused = errors.New("intramriver: the queue is paused already")

// ResumeQueue lets the jobs of the queue run again, after what the API refused was
// repaired: the keys, or the list of addresses. If the API still refuses, the next call
// pauses the queue again. Resuming the queue in River's own way does the same.
func (w *Work) ResumeQueue(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, w.sql(`DELETE FROM {pauses} WHERE merchant = $1 AND environment = $2`), w.merchant, w.environment); err != nil {
			return err
		}
		return w.river.QueueResumeTx(ctx, tx, w.queue, nil)
	})
	if err != nil {
		return fmt.Errorf("intramriver: resume the queue: %w", err)
	}
	return nil
}

// paused returns why and since when the queue is paused, nil if it is not.
func (w *Work) paused(ctx context.Context) (*Pause, error) {
	queue, err := w.river.QueueGet(ctx, w.queue)
	switch {
	case errors.Is(err, river.ErrNotFound):
		return nil, nil //nolint:nilnil // there is none, and that is no error
	case err != nil:
		return nil, err
	case queue.PausedAt == nil:
		return nil, nil //nolint:nilnil // likewise
	}
	p := &Pause{Queue: w.queue, Since: *queue.PausedAt}
	err = w.pool.QueryRow(ctx, w.sql(`SELECT code, since FROM {pauses} WHERE merchant = $1 AND environment = $2`), w.merchant, w.environment).Scan(&p.Code, &p.Since)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	return p, nil
}
