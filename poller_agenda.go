package intram

import (
	"cmp"
	"slices"
	"time"
)

// What is due is found by going through all watches. With a great many of them that is not done for each look-up: the agenda has what
// is up next, and is made anew when anything else falls due, as seldom as scanTime says. So a look-up costs the same however many
// wait, and a watch is noticed a little later: 5 ms with a thousand, a second with 200,000. What only batches wait for, without an
// end, has more time: a page of each hundred takes longer than that.
const (
	scanTime      = 5 * time.Microsecond // for each watch, from one scan to the next
	scanTimeBatch = 20 * time.Microsecond
	// scanAlways is how many watches may be gone through for each look-up.
	scanAlways = 64
	// agendaRoom is how many a queue of the agenda has room for: what the highest rate takes until the next scan. Of a batch, of which
	// a page takes a hundred, it is one in agendaPart at least: so many scans are made for a look at each.
	agendaRoom = 256
	agendaPart = 16
)

// agenda is what is up next. Last looks go first, for their time is up, then the first looks of waits of their own, behind which is a
// caller who has seen nothing yet. All others take turns: repeated looks, each batch, and searches. So no batch, however large,
// keeps others waiting for longer than a look-up of its own.
type agenda[T any] struct {
	scanned int64 // when it was made
	next    int64 // when anything falls due that had not by then
	// nextBatch is next for what only batches wait for, without an end.
	nextBatch int64
	last      queue[T]
	first     queue[T]
	again     queue[T]
	batches   map[chan struct{}]*queue[T]
	turns     []*queue[T] // again, and batches
	turn      int         // whose it is: after all turns, the first search's
	chosen    int         // the turn that upNext has found
	searches  []*search[T]
}

// queue is what is due of one kind, in the order of its turns.
type queue[T any] struct {
	entries []entry[T]
	room    int
	full    bool // more was due than there is room for
	order   int  // of the batch
}

type entry[T any] struct {
	id string
	w  *watch[T]
}

// add puts an entry in its place, if there is room. Once full, a queue keeps what comes first.
func (q *queue[T]) add(e entry[T]) {
	if q.full && !e.before(q.entries[q.room-1]) {
		return
	}
	if q.entries = append(q.entries, e); len(q.entries) == 2*q.room {
		q.sort()
		clear(q.entries[q.room:])
		q.entries, q.full = q.entries[:q.room], true
	}
}

func (q *queue[T]) sort() {
	slices.SortFunc(q.entries, func(a, b entry[T]) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
}

// head drops what has been looked up since, or is waited for no more, and reports whether anything is left.
func (q *queue[T]) head(ready func(*watch[T]) bool) bool {
	for len(q.entries) > 0 && !ready(q.entries[0].w) {
		q.pop()
	}
	return len(q.entries) > 0
}

func (q *queue[T]) pop() entry[T] {
	e := q.entries[0]
	q.entries[0] = entry[T]{}
	q.entries = q.entries[1:]
	return e
}

// before orders look-ups of one kind: what has been due for longer goes first, and of what fell due together the newest, which
// the pages begin with.
func (e entry[T]) before(other entry[T]) bool {
	a, b := e.w, other.w
	if da, db := a.next(), b.next(); da != db {
		return da < db
	}
	if a.created != b.created {
		return a.created == 0 || b.created != 0 && a.created > b.created
	}
	return e.id < other.id
}

// soon makes sure that w is noticed when it falls due.
func (p *poller[T, P]) soon(w *watch[T]) { p.noticeAt(w, w.next()) }

func (p *poller[T, P]) noticeAt(w *watch[T], at int64) {
	a := &p.agenda
	if w.waiter.next == nil && w.deadline == 0 && p.batches[w.news] != nil {
		a.nextBatch = min(a.nextBatch, at)
		return
	}
	a.next = min(a.next, at)
}

// survey brings the agenda up to date, and says when anything else falls due.
func (p *poller[T, P]) survey(now, until int64) (next int64) {
	a := &p.agenda
	n := len(p.watches)
	wait := func(each time.Duration) int64 { return a.scanned + int64(n)*int64(each) }
	due := now >= a.next && now >= wait(scanTime) || now >= a.nextBatch && now >= wait(scanTimeBatch)
	if n <= scanAlways || 2*p.gone >= n || due || a.exhausted() {
		p.scan(now, until)
		return min(a.next, a.nextBatch)
	}
	return max(now+1, min(max(a.next, wait(scanTime)), max(a.nextBatch, wait(scanTimeBatch))))
}

// exhausted reports whether a queue has nothing left that has had more than there was room for.
func (a *agenda[T]) exhausted() bool {
	empty := func(q *queue[T]) bool { return q.full && len(q.entries) == 0 }
	return empty(&a.last) || empty(&a.first) || slices.ContainsFunc(a.turns, empty)
}

// scan goes through all watches. It forgets those that nobody waits for, ends the waits whose time was up by until, and
// makes the agenda of those that are due.
func (p *poller[T, P]) scan(now, until int64) {
	held := p.rate.held(p.client.clock.Now()) // the server has asked for a pause
	limit := until
	if held == 0 {
		limit -= int64(lastLook)
	}
	tooLate := func(one *waiter) bool { return one.deadline <= limit }
	a := &p.agenda
	*a = agenda[T]{
		scanned: now, next: forever, nextBatch: forever, turn: a.turn, searches: a.searches, batches: map[chan struct{}]*queue[T]{},
		last: queue[T]{room: agendaRoom}, first: queue[T]{room: agendaRoom}, again: queue[T]{room: agendaRoom},
	}
	p.unseen, p.likely = nil, 0
	for id, w := range p.watches {
		p.steps++
		if w.news != nil && w.flags.has(inFlight) {
			continue // bound sees to the waiters
		}
		if p.expire(w, tooLate); w.news == nil {
			delete(p.watches, id)
			continue
		}
		unplaced := w.created == 0 && w.flags&(alone|searched) == 0
		if unplaced {
			p.likely++
		}
		end := w.earliest()
		switch {
		case !w.ready(now):
			if w.flags.has(searched) {
				p.noticeAt(w, end)
			} else {
				p.noticeAt(w, w.next())
			}
		case held > 0:
			p.noticeAt(w, min(now+int64(held), end))
		default:
			if end != forever {
				p.noticeAt(w, end+int64(lastLook))
			}
			if end > now {
				p.noticeAt(w, end)
			}
			if unplaced {
				p.unseen = append(p.unseen, w)
			}
			p.queueFor(w, now).add(entry[T]{id, w})
		}
	}
	p.gone = 0
	p.places.settle()
	for _, q := range append(a.turns, &a.last, &a.first) {
		q.sort()
	}
	// Two scans go through batches in the same order, whatever the map does.
	slices.SortFunc(a.turns, func(x, y *queue[T]) int { return cmp.Compare(x.order, y.order) })
}

// queueFor is where a watch that is due waits for its turn.
func (p *poller[T, P]) queueFor(w *watch[T], now int64) *queue[T] {
	a := &p.agenda
	if w.earliest() <= now {
		return &a.last
	}
	for one := w.first(); one != nil; one = one.next {
		if p.batches[one.news] != nil {
			continue
		}
		if w.polls == 0 {
			return &a.first
		}
		if a.again.entries == nil {
			a.turns = append(a.turns, &a.again)
		}
		return &a.again
	}
	q := a.batches[w.news]
	if q == nil {
		q = &queue[T]{room: max(agendaRoom, len(p.watches)/agendaPart), order: p.batches[w.news].order}
		a.batches[w.news] = q
		a.turns = append(a.turns, q)
	}
	return q
}

// upNext is whose turn it is: the head of a queue, or a search.
func (p *poller[T, P]) upNext(now int64) (*queue[T], *search[T]) {
	a := &p.agenda
	if p.rate.held(p.client.clock.Now()) > 0 {
		return nil, nil
	}
	ready := func(w *watch[T]) bool { p.steps++; return w.ready(now) }
	for _, q := range []*queue[T]{&a.last, &a.first} {
		if q.head(ready) {
			return q, nil
		}
	}
	slots := len(a.turns) + 1
	for i := range slots {
		a.chosen = (a.turn + i) % slots
		if a.chosen < len(a.turns) {
			if q := a.turns[a.chosen]; q.head(ready) {
				return q, nil
			}
			continue
		}
		for len(a.searches) > 0 {
			if s := a.searches[0]; now >= p.lore.noLists && s.goesOn() {
				return nil, s
			}
			p.release(a.searches[0])
			a.searches = a.searches[1:]
		}
	}
	return nil, nil
}

// take takes the turn that upNext has found.
func (p *poller[T, P]) take(q *queue[T], s *search[T], now int64) *flight[T] {
	a := &p.agenda
	if q != &a.last && q != &a.first {
		a.turn = a.chosen + 1
	}
	if s != nil {
		a.searches = a.searches[1:]
		return s.page()
	}
	return p.plan(q.pop(), now)
}
