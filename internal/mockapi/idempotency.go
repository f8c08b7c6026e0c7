package mockapi

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// idempotencyWindow is how long an answer is kept for its key (intram.md section 4).
const idempotencyWindow = 24 * time.Hour

type fingerprint [sha256.Size]byte

// idempotency keeps the answers given for idempotency keys. It knows nothing of the API it serves: a scope
// keeps the keys of different credentials apart.
type idempotency struct {
	mu      sync.Mutex
	entries map[idempotencyKey]*execution
	// order holds the entries from the oldest on, from head: they expire in that order.
	order []*execution
	head  int
}

type idempotencyKey struct{ scope, key string }

// execution is the one execution of a request, under way until done is closed.
type execution struct {
	id      idempotencyKey
	of      fingerprint
	expires time.Time
	done    chan struct{} // made when somebody waits
	ended   bool
	answer  *reply // nil when the execution crashed, so that nothing is kept
}

func newIdempotency() *idempotency {
	return &idempotency{entries: map[idempotencyKey]*execution{}}
}

// claim says what to do with a request: execute it (the execution is the caller's to end), send again the
// answer of an earlier one, or refuse a key used for something else. The twin of a request under way waits for its
// answer; when that one crashes, the twin takes its place.
func (i *idempotency) claim(ctx context.Context, id idempotencyKey, of fingerprint, now time.Time) (mine *execution, earlier *reply, conflict bool, err error) {
	fresh := &execution{id: id, of: of, expires: now.Add(idempotencyWindow)}
	for {
		i.mu.Lock()
		i.expire(now)
		e := i.entries[id]
		switch {
		case e == nil, e.ended && !e.expires.After(now): // a twin that took over has brought its own, earlier time with it
			e = fresh
			i.entries[id] = e
			i.order = append(i.order, e)
			i.mu.Unlock()
			return e, nil, false, nil
		case e.of != of:
			i.mu.Unlock()
			return nil, nil, true, nil
		case e.ended:
			i.mu.Unlock()
			return nil, e.answer, false, nil
		}
		if e.done == nil {
			e.done = make(chan struct{})
		}
		done := e.done
		i.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return nil, nil, false, ctx.Err()
		}
		// Who has waited gets the answer, also when its key has expired meanwhile. It does not change any more.
		if e.answer != nil {
			return nil, e.answer, false, nil
		}
	}
}

// end keeps the answer of an execution, or forgets the key when there is none.
func (i *idempotency) end(e *execution, answer *reply) {
	i.mu.Lock()
	defer i.mu.Unlock()
	e.ended, e.answer = true, answer
	if answer == nil && i.entries[e.id] == e {
		delete(i.entries, e.id)
	}
	if e.done != nil {
		close(e.done)
	}
}

// expire forgets what is older than the window, and what is under way never. Keys arrive in time order as a rule, so only the
// oldest are looked at.
func (i *idempotency) expire(now time.Time) {
	for i.head < len(i.order) && i.order[i.head].ended && !i.order[i.head].expires.After(now) {
		if e := i.order[i.head]; i.entries[e.id] == e {
			delete(i.entries, e.id)
		}
		i.order[i.head] = nil
		i.head++
	}
	if i.head > 1024 && i.head > len(i.order)/2 {
		kept := copy(i.order, i.order[i.head:])
		clear(i.order[kept:])
		i.order, i.head = i.order[:kept], 0
	}
}

// size is how many keys are held.
func (i *idempotency) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.entries)
}

// keep copies the finished executions for a snapshot. Those under way belong to requests that a snapshot
// cannot hold.
func (i *idempotency) keep() []*execution {
	i.mu.Lock()
	defer i.mu.Unlock()
	var kept []*execution
	for _, e := range i.order[i.head:] {
		if e.ended && e.answer != nil {
			kept = append(kept, e)
		}
	}
	return kept
}

func (i *idempotency) restore(kept []*execution) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.entries = make(map[idempotencyKey]*execution, len(kept))
	i.order, i.head = append([]*execution(nil), kept...), 0
	for _, e := range kept {
		i.entries[e.id] = e
	}
}

var fingerprinted = sync.Pool{New: func() any { return new([]byte) }}

// fingerprintOf is SHA-256 over method, path and body. The path is the signed one, so that a retry through the
// other base URL is still the same request.
func fingerprintOf(method, endpoint string, body []byte) fingerprint {
	room, _ := fingerprinted.Get().(*[]byte) // New makes nothing else
	b := (*room)[:0]
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, endpoint...)
	b = append(b, '\n')
	b = append(b, body...)
	sum := sha256.Sum256(b)
	if cap(b) <= 64<<10 { // a rare large body is not worth holding on to
		*room = b
	}
	fingerprinted.Put(room)
	return sum
}
