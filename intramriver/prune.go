package intramriver

import (
	"context"
	"fmt"
	"time"
)

// pruneBatch is how many rows one statement changes, few enough to keep its locks short.
const pruneBatch = 1000

const pruneSQL = `
UPDATE {records} SET params = NULL, intent = CASE WHEN $4 THEN intent END
WHERE id = ANY(ARRAY(
	SELECT id FROM {records}
	WHERE merchant = $1 AND environment = $2 AND ended_at < {now} - $3::interval AND params IS NOT NULL
		AND state <> 'queued_for_settlement'
	ORDER BY ended_at LIMIT $5 FOR UPDATE SKIP LOCKED))`

// Prune forgets the parameters of records that ended longer ago than that, in small
// batches, and with them all personal data but what is in references. The rows stay, so
// that a reference is never paid twice. It returns how many were pruned, also after an
// error. Call it once a day; several machines may call it at once.
//
// It forgets the bodies of events that took effect longer ago than that too, and the
// events themselves after 30 days. Dead events stay, with their bodies.
//
// With [Config.Seal] the sealed intent stays, in which a hash of the call is: asking
// again with other parameters is still a [*MismatchError]. A reader of the database with
// the keys could guess a phone number by it, so destroy old keys. Without a Seal it goes
// too, and only amount and currency are compared.
func (w *Work) Prune(ctx context.Context, olderThan time.Duration) (pruned int64, err error) {
	if olderThan < 0 {
		return 0, fmt.Errorf("intramriver: prune: olderThan must not be negative")
	}
	for {
		tag, err := w.pool.Exec(ctx, w.sql(pruneSQL), w.merchant, w.environment, olderThan, w.sealed, pruneBatch)
		if err != nil {
			return pruned, fmt.Errorf("intramriver: prune: %w", err)
		}
		pruned += tag.RowsAffected()
		if tag.RowsAffected() < pruneBatch {
			break
		}
	}
	for _, statement := range []struct {
		sql string
		age time.Duration
	}{{forgetEventsSQL, olderThan}, {dropEventsSQL, max(olderThan, eventRetention)}} {
		for {
			tag, err := w.pool.Exec(ctx, w.sql(statement.sql), w.merchant, w.environment, statement.age, pruneBatch)
			if err != nil {
				return pruned, fmt.Errorf("intramriver: prune: %w", err)
			}
			pruned += tag.RowsAffected()
			if tag.RowsAffected() < pruneBatch {
				break
			}
		}
	}
	return pruned, nil
}

const (
	forgetEventsSQL = `
UPDATE {events} SET body = NULL WHERE id = ANY(ARRAY(
	SELECT id FROM {events}
	WHERE merchant = $1 AND environment = $2 AND done_at < {now} - $3::interval AND body IS NOT NULL
	ORDER BY done_at LIMIT $4 FOR UPDATE SKIP LOCKED))`

	dropEventsSQL = `
DELETE FROM {events} WHERE id = ANY(ARRAY(
	SELECT id FROM {events}
	WHERE merchant = $1 AND environment = $2 AND done_at < {now} - $3::interval
	ORDER BY done_at LIMIT $4 FOR UPDATE SKIP LOCKED))`
)
