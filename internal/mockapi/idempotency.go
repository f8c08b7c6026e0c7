package mockapi

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// idempotencyWindow is how long a response is kept for its key (intram.md section 4).
const idempotencyWindow = 24 * time.Hour

type fingerprint [sha256.Size]byte

// idempotency keeps the responses of idempotency keys. It knows nothing of the API: a
// scope separates the keys of different credentials.
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
	done    chan struct{} // made when a request waits
	ended   bool
	answer  *reply // nil when the execution crashed, so that nothing is kept
}

func newIdempotency() *idempotency {
	return &idempotency{entries: map[idempotencyKey]*execution{}}
}

// claim returns what to do with a request: execute it and call end, repeat an earlier
// response, or refuse a key that another request used. A request whose key is under way
// waits for the response; if that execution panics, the request takes its place.
func (i *idempotency) claim(ctx context.Context, id idempotencyKey, of fingerprint, now time.Time) (mine *execution, earlier *reply, conflict bool, err error) {
	fresh := &execution{id: id, of: of, expires: now.Add(idempotencyWindow)}
	for {
		i.mu.Lock()
		i.expire(now)
		e := i.entries[id]
		switch {
		case e == nil, e.ended && !e.expires.After(now): // a request that took over has its own, earlier time
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
		// A request that waited gets the response even if the key expired meanwhile. It
		// does not change any more.
		if e.answer != nil {
			return nil, e.answer, false, nil
		}
	}
}

// end keeps the response of an execution, or forgets the key when it is nil.
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

// expire forgets keys that are older than the window and not under way. Keys usually
// arrive in the order of time, so only the oldest are looked at.
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

// size returns how many keys are held.
func (i *idempotency) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.entries)
}

// keep copies the finished executions for a snapshot. Those under way belong to requests
// that a snapshot cannot hold.
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

// fingerprintOf returns SHA-256 over method, path and body. The path is the signed one,
// so that a retry through the other base URL is the same request.
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
