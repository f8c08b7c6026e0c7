package poll

import (
	"context"
	"slices"
	"sync"
	"time"
)

// PageSize is the largest page of a list, which is what a Poller asks for.
const PageSize = 100

// Clock is the time that a Poller goes by.
type Clock interface {
	// Now returns the time.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its error at once.
	Sleep(ctx context.Context, d time.Duration) error
}

// Config says what a Poller polls, and how. Older and Abridge may be nil.
type Config[T any] struct {
	Clock Clock
	// Random returns the jitter of a pause, from 0 to 1.
	Random func() float64
	// Rate bounds the lookups. Several pollers may share one.
	Rate *Rate
	// Timeout bounds each lookup.
	Timeout time.Duration

	// Get looks one item up. The pause that the server asks for counts after a failure
	// too.
	Get func(ctx context.Context, id string, timeout time.Duration) (item *T, pause time.Duration, err error)
	// List reads a page, newest first. It is nil where there is no list.
	List func(ctx context.Context, q Query, timeout time.Duration) (page *Page[T], pause time.Duration, err error)
	// Transient reports whether a lookup that failed is worth another one.
	Transient func(error) bool
	// NotFound recognizes the error of an id that the server does not know.
	NotFound func(error) bool

	Describe func(item *T) State
	// Older reports whether item shows an earlier state than seen does: a slow page can
	// be overtaken by another lookup.
	Older func(item, seen *T) bool
	// Abridge returns what is kept of an unfinished item while it is waited for.
	Abridge func(item *T) *T
}

// State is what a Poller needs to know about an item.
type State struct {
	// IDs are the names that a wait may know it by. Either may be empty.
	IDs [2]string
	// Created is its place in the list.
	Created time.Time
	// Kind is what its list can be filtered by.
	Kind     string
	Finished bool
	// Complete reports whether a finished item has all that a wait returns. An item of a
	// list may lack it.
	Complete bool
}

// Query selects a page of PageSize items.
type Query struct {
	Kind   string    // empty for all
	Before time.Time // exclusive; zero for the newest
}

// Page is a page of a list.
type Page[T any] struct {
	Items      []T
	Unreadable []string // ids of items that cannot be read
	Full       bool     // there may be another page
}

// Poller looks up what is waited for, for all waits together. Its methods are safe for
// concurrent use.
type Poller[T any] struct {
	cfg Config[T]

	mu      sync.Mutex
	targets map[string]*target[T]
	lookups map[*lookup[T]]struct{} // in flight
	events  pendingEvents
	closed  error // what waits end with, once the poller is closed

	epoch  time.Time
	now    time.Duration // since epoch, as last read
	jitter int64         // of the last lookup, of jitterParts

	running bool
	wake    context.CancelFunc // ends the goroutine's sleep
	wakeAt  time.Duration      // when the sleep ends, or was ended
	blocked bool               // a lookup is due, and waits for the rate or for another lookup

	alarms   alarms[T]
	queues   queues[T]
	placed   placed[T]
	unplaced map[*target[T]]struct{} // their place in the list is unknown
	lists    listStats

	batches int // begun so far
	steps   int // targets visited, for tests of what it costs
}

// New returns a Poller. It does nothing until something is waited for.
func New[T any](cfg Config[T]) *Poller[T] {
	if cfg.Older == nil {
		cfg.Older = func(*T, *T) bool { return false }
	}
	if cfg.Abridge == nil {
		cfg.Abridge = func(item *T) *T { return item }
	}
	return &Poller[T]{
		cfg: cfg, epoch: cfg.Clock.Now(),
		targets: map[string]*target[T]{}, lookups: map[*lookup[T]]struct{}{}, unplaced: map[*target[T]]struct{}{},
	}
}

// Wait waits until the item has finished, and returns it. With an error, the item is what
// was last seen of it, nil if it never was. The error is the context's, a
// [*TimeoutError], the lookup's if that is not transient, or the clock's.
//
// progress, unless nil, is called with the item each time it was looked up, on the
// caller's goroutine.
func (p *Poller[T]) Wait(ctx context.Context, id string, s *Schedule, progress func(*T)) (item *T, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.wait(ctx, 0, []string{id}, s, progress, func(_ string, last *T, why error) bool {
		item, err = last, why
		return true
	})
	if err == nil && progress != nil {
		progress(item)
	}
	return item, err
}

// WaitMany waits for all of the ids and yields each once, as its wait ends, with what
// Wait would return. It ends with the last of them, or when yield returns false. progress
// is called for unfinished items only.
func (p *Poller[T]) WaitMany(ctx context.Context, ids []string, s *Schedule, progress func(*T), yield func(id string, item *T, err error) bool) {
	p.mu.Lock()
	p.batches++
	batch := p.batches
	p.mu.Unlock()
	p.wait(ctx, batch, ids, s, progress, yield)
}

func (p *Poller[T]) wait(ctx context.Context, batch int, ids []string, s *Schedule, progress func(*T), yield func(string, *T, error) bool) {
	w := &waiter[T]{ctx: ctx, batch: batch, schedule: s, progress: progress != nil, changed: make(chan struct{}, 1)}
	targets := p.join(w, ids)
	defer p.leave(w, targets) // progress and yield may panic
	for left := len(targets); left > 0; {
		var ended error
		select {
		case <-w.changed:
		case <-ctx.Done():
			ended = ctx.Err()
		}
		for _, u := range p.collect(w, targets, ended) {
			if !u.done {
				progress(u.item)
				continue
			}
			left--
			if !yield(u.id, u.item, u.err) {
				return
			}
		}
	}
}

// join adds a waiter to the targets of all ids.
func (p *Poller[T]) join(w *waiter[T], ids []string) []*target[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, s := p.readClock(), w.schedule
	w.deadline = forever
	if s.MaxWait > 0 {
		w.deadline = min(forever, now+s.MaxWait)
	}
	targets := make([]*target[T], 0, len(ids))
	for _, id := range ids {
		t := p.targets[id]
		switch {
		case p.closed != nil:
			t = &target[T]{id: id} // no lookup will be made for it
			w.push(update[T]{id: id, err: p.closed, done: true})
			targets = append(targets, t)
			continue
		case t == nil:
			t = &target[T]{id: id, due: now + s.InitialDelay, waiters: []*waiter[T]{w}}
			p.targets[id] = t
			p.unplaced[t] = struct{}{}
			if p.events.has(id) {
				p.expedite(t)
			}
		case t.waiters[len(t.waiters)-1] == w:
			continue // given twice
		default:
			t.waiters = append(t.waiters, w)
			t.due, t.polls = min(t.due, now+max(s.Min, s.InitialDelay)), 0
			t.searched, t.queue = false, nil // it may be more urgent now
			if t.seen.notFoundUntil != 0 {
				t.seen.notFoundUntil = now + notFoundFor // a wait that has just begun has as much time as any
			}
		}
		targets = append(targets, t)
		p.setAlarm(t)
		if p.blocked {
			p.wakeBy(t.deadline())
		} else {
			p.wakeBy(t.next())
		}
	}
	return targets
}

// collect takes the updates of a waiter. If its context has ended, so do the waits that
// are left.
func (p *Poller[T]) collect(w *waiter[T], targets []*target[T], ended error) []update[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	updates := w.updates
	w.updates = nil
	if ended != nil {
		for _, t := range targets {
			if p.remove(t, w) {
				updates = append(updates, update[T]{id: t.id, item: t.seen.item, err: ended, done: true})
			}
		}
	}
	return updates
}

// leave ends what is left of a waiter's waits.
func (p *Poller[T]) leave(w *waiter[T], targets []*target[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range targets {
		p.remove(t, w)
	}
}

// remove ends one waiter's wait for t, and reports whether it had not ended.
func (p *Poller[T]) remove(t *target[T], w *waiter[T]) bool {
	at := slices.Index(t.waiters, w)
	if at < 0 {
		return false
	}
	t.waiters = slices.Delete(t.waiters, at, at+1)
	p.release(t)
	return true
}

// expire ends the waits for t that are too late.
func (p *Poller[T]) expire(t *target[T], tooLate func(*waiter[T]) bool) {
	for _, w := range slices.Backward(t.waiters) {
		if tooLate(w) {
			w.push(update[T]{id: t.id, item: t.seen.item, err: &TimeoutError{After: w.schedule.MaxWait, Lookup: t.seen.err}, done: true})
			p.remove(t, w)
		}
	}
}

// finish ends all waits for t.
func (p *Poller[T]) finish(t *target[T], item *T, err error) {
	for _, w := range t.waiters {
		w.push(update[T]{id: t.id, item: item, err: err, done: true})
	}
	t.waiters = nil
	p.release(t)
}

// release forgets a target that is no longer waited for, and cancels its lookup.
func (p *Poller[T]) release(t *target[T]) {
	p.setAlarm(t)
	if t.wanted() {
		return
	}
	delete(p.targets, t.id)
	delete(p.unplaced, t)
	if t.inFlight {
		for l := range p.lookups {
			l.cancelIfUnwanted()
		}
	}
	p.wakeBy(0)
}

// Notify says that an event has come about an item: it is looked up at once, and so is
// one that is waited for only later, while its event is among the last 1024.
func (p *Poller[T]) Notify(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events.add(id)
	if t := p.targets[id]; t != nil {
		p.readClock()
		p.expedite(t)
		p.wakeBy(p.now)
	}
}

// expedite makes a lookup of t due now.
func (p *Poller[T]) expedite(t *target[T]) {
	t.due, t.polls = p.now, 0
	t.searched, t.queue, t.notified = false, nil, true
	t.stale = t.inFlight
	p.setAlarm(t)
}

// Close ends all waits with an error, and those that begin later.
func (p *Poller[T]) Close(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = why
	for _, t := range p.targets {
		p.finish(t, t.seen.item, why)
	}
}

// Pending returns how many items are waited for or being looked up.
func (p *Poller[T]) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.targets) + len(p.lookups)
}

// Steps returns how many targets all lookups together have visited: a measure of the work
// that does not depend on the machine.
func (p *Poller[T]) Steps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steps
}
