package intram

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// flight is a look-up that is under way: of one subject by its id, or of a page of the list.
type flight[T any] struct {
	id      string
	page    *listQuery  // of a look-up that is not by id
	search  *search[T]  // that the page is a part of
	asked   []*watch[T] // what it is for
	started int64
	cancel  context.CancelFunc
	broken  bool // off, for nobody waits for it any more
}

// breakOff ends a look-up that is for nobody any more.
func (f *flight[T]) breakOff() {
	for _, w := range f.asked {
		if w.news != nil {
			return
		}
	}
	if f.search != nil && f.search.goesOn() {
		return // for those of the search that it was not made on behalf of
	}
	f.broken = true
	f.cancel()
}

// send starts a look-up.
func (p *poller[T, P]) send(f *flight[T], now int64) {
	values := context.WithoutCancel(f.asked[0].ctx)
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(values)
	f.started = now
	p.flights[f] = struct{}{}
	var timeout time.Duration
	for _, w := range f.asked {
		w.flags = w.flags&^stale | inFlight
		for one := w.first(); one != nil; one = one.next {
			timeout = max(timeout, min(p.client.timeout, time.Duration(one.end(now)-now)))
		}
	}
	if f.search != nil && len(f.search.watches) > len(f.asked) {
		timeout = p.client.timeout // others of the search may have more time
	}
	go func() {
		defer f.cancel()
		var resp Response
		// The wait is the retry loop.
		opts := []CallOption{WithMaxAttempts(1), WithResponseInto(&resp), withTimeout(timeout)}
		if f.page == nil {
			item, err := p.get(ctx, f.id, opts)
			p.land(f, resp.RetryAfter, err, func(now int64, draw int64) { p.landOne(f, item, now, draw) })
			return
		}
		page, err := p.list(ctx, *f.page, opts)
		p.land(f, resp.RetryAfter, err, func(now int64, draw int64) { p.landPage(f, page, now, draw) })
	}()
}

// bound ends the waits whose time is up while the look-up is under way, and says when that of others is: it may be for others who have
// more, or take a second attempt because of a wrong clock.
func (p *poller[T, P]) bound(f *flight[T], until int64) (next int64) {
	const margin = int64(10 * time.Millisecond) // what is answered, or given up, in the last moment comes before
	next = forever
	for _, w := range f.asked {
		if w.news == nil {
			continue
		}
		p.expire(w, func(one *waiter) bool { return one.end(f.started)+margin <= until })
		for one := w.first(); one != nil; one = one.next {
			next = min(next, one.end(f.started)+margin)
		}
	}
	return next
}

// land takes in what a look-up has brought.
func (p *poller[T, P]) land(f *flight[T], retryAfter time.Duration, err error, bring func(now int64, draw int64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flights, f)
	now, draw := p.now(), int64(p.client.rand()*jitterParts)
	for _, w := range f.asked {
		w.flags &^= inFlight
	}
	retryAfter = min(retryAfter, longestPause)
	switch {
	case f.broken:
	case err == nil:
		bring(now, draw)
	case transient(err):
		if retryAfter > 0 {
			p.rate.hold(p.client.clock.Now(), retryAfter)
			p.agenda.next, p.agenda.nextBatch = now, now
		}
		failed := func(w *watch[T]) {
			p.missed(w, err, now, draw)
			if retryAfter > 0 {
				w.due = now + int64(retryAfter)
			}
		}
		if f.page != nil {
			p.pageFailed(now)
		}
		if f.search != nil {
			p.each(f.search, failed)
			break
		}
		for _, w := range f.asked {
			failed(w)
		}
		retryAfter = 0
	case f.page != nil:
		p.lore.noLists = forever // what was asked for is still due, and is looked up by its id
	default:
		p.refused(f.asked[0], err, now, draw)
	}
	if f.search != nil && (f.broken || p.lore.noLists == forever) {
		p.release(f.search)
	}
	for _, w := range f.asked {
		if retryAfter > 0 {
			w.due = now + int64(retryAfter)
		}
		p.soon(w)
	}
	p.stir(0)
}

// absentFor is how long an id may be unknown to the API: what was just created is not yet on the replica that a look-up may meet.
const absentFor = 15 * time.Second

// refused takes in that a look-up by id was refused. That there is no such thing is the last word only when it was said for a while, or of
// what had been seen.
func (p *poller[T, P]) refused(w *watch[T], err error, now, draw int64) {
	if w.news == nil || w.flags.has(over) {
		return
	}
	failed := w.failing(err)
	if failed.absentUntil == 0 {
		failed.absentUntil = now + int64(absentFor)
	}
	if !isAbsent(err) || failed.item != nil || now >= failed.absentUntil {
		p.end(w, failed)
		return
	}
	w.seen = failed
	p.pace(w, now, draw)
	w.due = min(w.due, failed.absentUntil)
}

// isAbsent recognises the answer to an id that the API does not know.
func isAbsent(err error) bool {
	return errors.Is(err, CodeOperationNotFound) || errors.Is(err, CodeTransactionNotFound) || errors.Is(err, CodeTransactionDoesNotExist)
}

// landOne takes in what a look-up by id has brought.
func (p *poller[T, P]) landOne(f *flight[T], item *T, now int64, draw int64) {
	w := f.asked[0]
	found, again := w.created == 0, w.flags.has(stale)
	w.flags &^= alone | noticed
	p.saw(w, item, now, draw)
	if again {
		w.flags, w.due = w.flags|noticed, now
	}
	if found && w.created != 0 {
		p.hint(w.created, now)
	}
}

// saw takes in a look-up that was answered.
func (p *poller[T, P]) saw(w *watch[T], item *T, now int64, draw int64) {
	if w.news == nil || w.flags.has(over) {
		return
	}
	if created := P(item).created(); !created.IsZero() && w.created == 0 {
		w.created = created.UnixMilli()
		p.places.put(w)
	}
	w.misses, w.flags = 0, w.flags&^searched
	if ended, _ := P(item).ended(); ended {
		p.end(w, &sight[T]{item: item})
		return
	}
	if w.seen != nil && w.seen.item != nil && P(item).olderThan(w.seen.item) {
		p.pace(w, now, draw)
		return
	}
	w.seen = p.keep(w, item)
	for one := w.first(); one != nil; one = one.next {
		if one.cfg.progress == nil {
			continue
		}
		if b := p.batches[one.news]; b != nil {
			b.seen = append(b.seen, item)
		}
		signal(one.news)
	}
	p.pace(w, now, draw)
}

// keep is what stays of a subject until it is looked up again. Who shows progress shows all of it.
func (p *poller[T, P]) keep(w *watch[T], item *T) *sight[T] {
	for one := w.first(); one != nil; one = one.next {
		if one.cfg.progress != nil {
			return &sight[T]{item: item}
		}
	}
	short, key := P(item).abridged()
	if key == "" {
		return &sight[T]{item: short}
	}
	s := p.kept[key]
	if s == nil {
		const most = 1000 // more than there are combinations of status and attempts
		if len(p.kept) >= most {
			clear(p.kept)
		}
		s = &sight[T]{item: short}
		p.kept[key] = s
	}
	return s
}

// missed takes in a look-up that was not answered, or not about w.
func (p *poller[T, P]) missed(w *watch[T], err error, now int64, draw int64) {
	if w.news == nil || w.flags.has(over) {
		return
	}
	if err != nil {
		w.seen = w.failing(err)
	}
	p.pace(w, now, draw)
}

// pace ends the waits whose time is up, and decides when the next look-up is due: when the most eager who waits wants it.
func (p *poller[T, P]) pace(w *watch[T], now int64, draw int64) {
	if p.expire(w, func(one *waiter) bool { return one.deadline <= now }); w.news == nil {
		return
	}
	pause := time.Duration(forever)
	for one := w.first(); one != nil; one = one.next {
		pause = min(pause, one.cfg.pause(w.polls, draw))
	}
	w.due = now + int64(pause)
	if w.polls < 1<<8-1 {
		w.polls++
	}
}

// transient reports whether a look-up that failed is worth another: it was not answered for good. A look-up moves no
// money, so trying again is always safe.
func transient(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Outcome {
	case OutcomeUnknown:
		return true
	case OutcomeNotSent:
		return e.Code != CodeValidationError
	case OutcomeRejected:
		return e.StatusCode == http.StatusTooManyRequests || e.foreign // a proxy's page says nothing of what is waited for
	}
	return false
}
