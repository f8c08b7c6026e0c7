package pginbox

import (
	"context"
	"fmt"
	"time"
)

// pruneBatch is how many rows one statement deletes: few enough to keep its locks short.
const pruneBatch = 1000

const pruneSQL = `
DELETE FROM intram_inbox WHERE key IN (
	SELECT key FROM intram_inbox
	WHERE completed_at < clock_timestamp() - $1::interval
	   OR completed_at IS NULL AND leased_until < clock_timestamp() - $1::interval
	LIMIT $2 FOR UPDATE SKIP LOCKED)`

// Prune forgets what took effect longer ago than keep, and claims that were abandoned as
// long ago, in small batches. It returns how many rows it deleted, also when it ends with
// an error or with its context. Call it once a day; several replicas may at once.
//
// A keep of less than intram.InboxRetention (72 h), or than [WithRetention] says, is
// refused: Intram might send again what is forgotten.
func (in *Inbox) Prune(ctx context.Context, keep time.Duration) (deleted int64, err error) {
	if keep < in.retention {
		return 0, fmt.Errorf("pginbox: prune: keep is %v, and must be at least %v", keep, in.retention)
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
