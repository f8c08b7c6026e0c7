package pginbox

import (
	"context"
	"fmt"
	"time"
)

// pruneBatch is how many rows one statement deletes, few enough to keep its locks short.
const pruneBatch = 1000

const pruneSQL = `
DELETE FROM intram_inbox WHERE key IN (
	SELECT key FROM intram_inbox
	WHERE completed_at < clock_timestamp() - $1::interval
	   OR completed_at IS NULL AND leased_until < clock_timestamp() - $1::interval
	LIMIT $2 FOR UPDATE SKIP LOCKED)`

// Prune deletes, in small batches, events that took effect longer ago than keep, and
// claims that were abandoned as long ago. It returns how many rows it deleted, also after
// an error or when its context ends. Call it once a day; several replicas may call it at
// once.
//
// The smallest keep is intram.InboxRetention (72 h), or the value of [WithRetention]:
// Intram might otherwise send a forgotten event again.
func (in *Inbox) Prune(ctx context.Context, keep time.Duration) (deleted int64, err error) {
	if keep < in.retention {
		return 0, fmt.Errorf("pginbox: prune: keep is %v: use at least %v", keep, in.retention)
	}
	for {
		tag, err := in.pool.Exec(ctx, pruneSQL, keep, pruneBatch)
		if err != nil {
			return deleted, fmt.Errorf("pginbox: prune: %w", err)
		}
		deleted += tag.RowsAffected()
		if tag.RowsAffected() < pruneBatch {
			return deleted, nil
		}
	}
}
