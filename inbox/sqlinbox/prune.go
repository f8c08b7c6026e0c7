package sqlinbox

import (
	"context"
	"fmt"
	"time"
)

// pruneBatch is how many rows one statement deletes, few enough to keep its locks short.
const pruneBatch = 500

// old are the rows that are forgotten: events that took effect long ago, and claims that
// were abandoned as long ago.
var old = []string{
	`completed_us < {now} - ?`,
	`completed_us IS NULL AND leased_until_us < {now} - ?`,
}

// Prune deletes, in small batches, events that took effect longer ago than keep, and
// claims that were abandoned as long ago. It returns how many rows it deleted, also after
// an error or when its context ends. Call it once a day; several replicas may call it at
// once.
//
// The smallest keep is intram.InboxRetention (72 h), or the value of [WithRetention]:
// Intram might otherwise send a forgotten event again.
func (in *Inbox) Prune(ctx context.Context, keep time.Duration) (deleted int64, err error) {
	if keep < in.retention {
		return 0, fmt.Errorf("sqlinbox: prune: keep is %v: use at least %v", keep, in.retention)
	}
	if err := in.check(ctx); err != nil {
		return 0, in.dialect.failed("prune", err)
	}
	for _, condition := range old {
		for {
			keys, err := in.oldest(ctx, condition, keep)
			if err != nil {
				return deleted, in.dialect.failed("prune", err)
			}
			if len(keys) == 0 {
				break
			}
			// The condition once more: another replica may have pruned a key, and an
			// event have claimed it since.
			statement := `DELETE FROM intram_sqlinbox WHERE ` + condition + ` AND event_key IN (` + marks(len(keys)) + `)`
			n, err := in.exec(ctx, in.dialect.sql(statement), append([]any{keep.Microseconds()}, keys...)...)
			if err != nil {
				return deleted, in.dialect.failed("prune", err)
			}
			deleted += n
		}
	}
	return deleted, nil
}

// oldest returns some keys that are to be forgotten, in the order in which two replicas
// lock them without a deadlock.
func (in *Inbox) oldest(ctx context.Context, condition string, keep time.Duration) (keys []any, err error) {
	statement := in.dialect.sql(`SELECT event_key FROM intram_sqlinbox WHERE ` + condition + ` ORDER BY completed_us, leased_until_us LIMIT ?`)
	err = in.do(ctx, func(q querier) error {
		keys = nil
		rows, err := q.QueryContext(ctx, statement, keep.Microseconds(), pruneBatch)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return rows.Err()
	})
	return keys, err
}
