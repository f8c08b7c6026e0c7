package poll

import (
	"context"
	"time"
)

// notFoundFor is how long an id may be unknown to the server: what was just created is
// not yet on the replica that a lookup may meet.
const notFoundFor = 15 * time.Second

// lookup is a request in flight: for one target by its id, or for a page of the list.
type lookup[T any] struct {
	id       string
	query    *Query       // of a page
	search   *search[T]   // that the page is a part of
	targets  []*target[T] // that it is made for
	started  time.Duration
	cancel   context.CancelFunc
	canceled bool
}

// cancelIfUnwanted cancels a lookup whose targets are no longer waited for.
func (l *lookup[T]) cancelIfUnwanted() {
	for _, t := range l.targets {
		if t.wanted() {
			return
		}
	}
	if l.search != nil && l.search.open() {
		return // for the other targets of the search
	}
	l.canceled = true
	l.cancel()
}

// start sends a lookup.
func (p *Poller[T]) start(l *lookup[T]) {
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(l.targets[0].waiters[0].ctx))
	l.started = p.now
	p.lookups[l] = struct{}{}
	var timeout time.Duration
	for _, t := range l.targets {
		t.stale, t.inFlight, t.queue = false, true, nil
		p.setAlarm(t)
		for _, w := range t.waiters {
			timeout = max(timeout, min(p.cfg.Timeout, w.end(p.now)-p.now))
		}
	}
	if l.search != nil && len(l.search.targets) > len(l.targets) {
		timeout = p.cfg.Timeout // other targets of the search may have more time
	}
	go func() {
		defer l.cancel()
		if l.query == nil {
			item, pause, err := p.cfg.Get(ctx, l.id, timeout)
			p.complete(l, pause, err, func() { p.readOne(l.targets[0], item) })
			return
		}
		page, pause, err := p.cfg.List(ctx, *l.query, timeout)
		p.complete(l, pause, err, func() { p.readPage(l, page) })
	}()
}

// complete handles a lookup's response. read is called if it is a success.
func (p *Poller[T]) complete(l *lookup[T], pause time.Duration, err error, read func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lookups, l)
	p.readClock()
	p.jitter = int64(p.cfg.Random() * jitterParts) // one for all, so that what one page shows stays together
	for _, t := range l.targets {
		t.inFlight = false
	}
	pause = min(pause, longestPause)
	switch {
	case l.canceled:
	case err == nil:
		read()
	case p.cfg.Transient(err):
		p.failed(l, err, pause)
	case l.query != nil:
		p.lists.disabledUntil = forever // the targets are still due, and are looked up by id
	default:
		p.refused(l.targets[0], err)
	}
	if l.search != nil && (l.canceled || p.lists.disabledUntil == forever) {
		p.stopSearch(l.search)
	}
	for _, t := range l.targets {
		if pause > 0 {
			t.due = p.now + pause
		}
		p.setAlarm(t)
	}
	p.wakeBy(0)
}

// failed handles a lookup that is worth another.
func (p *Poller[T]) failed(l *lookup[T], err error, pause time.Duration) {
	if pause > 0 {
		p.cfg.Rate.hold(pause)
	}
	retry := func(t *target[T]) {
		t.seen.err = err
		p.pace(t)
		if pause > 0 {
			t.due = p.now + pause
		}
	}
	if l.query != nil {
		p.lists.failed(p.now)
	}
	if l.search != nil {
		p.endSearch(l.search, retry)
		return
	}
	for _, t := range l.targets {
		retry(t)
	}
}

// refused handles a lookup by id that failed permanently. "Not found" is believed of what
// was seen before, and when the server has said so for notFoundFor.
func (p *Poller[T]) refused(t *target[T], err error) {
	t.seen.err = err
	if t.seen.notFoundUntil == 0 {
		t.seen.notFoundUntil = p.now + notFoundFor
	}
	if !p.cfg.NotFound(err) || t.seen.item != nil || p.now >= t.seen.notFoundUntil {
		p.finish(t, t.seen.item, err)
		return
	}
	p.pace(t)
	t.due = min(t.due, t.seen.notFoundUntil)
}

// readOne reads the response of a lookup by id.
func (p *Poller[T]) readOne(t *target[T], item *T) {
	found, again := t.created.IsZero(), t.stale
	t.byID, t.notified = false, false
	p.saw(t, item)
	if again {
		t.notified, t.due = true, p.now
	}
	if found && !t.created.IsZero() {
		p.searchFrom(t.created)
	}
}

// saw handles an item that a lookup has shown.
func (p *Poller[T]) saw(t *target[T], item *T) {
	if !t.wanted() {
		return
	}
	state := p.cfg.Describe(item)
	if t.created.IsZero() && !state.Created.IsZero() {
		t.created = state.Created.Truncate(time.Millisecond)
		p.placed.add(t)
		delete(p.unplaced, t)
	}
	t.misses, t.searched = 0, false
	if state.Finished {
		p.finish(t, item, nil)
		return
	}
	if t.seen.item == nil || !p.cfg.Older(item, t.seen.item) {
		t.seen = snapshot[T]{item: p.cfg.Abridge(item)}
		for _, w := range t.waiters {
			if w.progress {
				w.push(update[T]{id: t.id, item: item})
			}
		}
	}
	p.pace(t)
}

// pace ends the waits that have reached their deadline, and sets when the next lookup is
// due: as soon as the most eager waiter wants it.
func (p *Poller[T]) pace(t *target[T]) {
	p.expire(t, func(w *waiter[T]) bool { return w.deadline <= p.now })
	pause := forever
	for _, w := range t.waiters {
		pause = min(pause, w.schedule.pause(t.polls, p.jitter))
	}
	t.due = p.now + pause
	if t.polls < mostPolls {
		t.polls++
	}
	p.setAlarm(t)
}
