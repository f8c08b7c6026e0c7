package intram

import (
	"sync"
	"time"
)

// maxDoubts is how many keys in doubt a client remembers. An outage can leave more behind; then the oldest are forgotten.
const maxDoubts = 10_000

// doubts are the idempotency keys that a client's calls have left in doubt, each with the time of its first call. The way on from
// [OutcomeUnknown] is to call again with the same key, and what that call is told must not hide what the first may have
// done: a refused connection, or a refusal that came before the API looked at the key, says nothing of it.
//
// A process that starts anew has none of them; for that there is [Intent]. The zero value is empty.
type doubts struct {
	mu   sync.Mutex
	keys map[string]time.Time
}

// since reports when the key was first sent, if it is in doubt.
func (d *doubts) since(key string) (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first, ok := d.keys[key]
	return first, ok
}

// note records what a call left of the key, which was first sent at the time given: a doubt, or none any more.
func (d *doubts) note(key string, first time.Time, inDoubt bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !inDoubt {
		delete(d.keys, key)
		return
	}
	if d.keys == nil {
		d.keys = map[string]time.Time{}
	}
	d.keys[key] = first
	if len(d.keys) > maxDoubts {
		oldest := key
		for other, at := range d.keys {
			if at.Before(d.keys[oldest]) {
				oldest = other
			}
		}
		delete(d.keys, oldest)
	}
}
