package poll

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A scan of all targets finds what is due. With a great many targets there is not one for each
// lookup: the queues keep what the last scan has found, and the next one comes when anything else
// falls due, as seldom as scanTime says. So a lookup costs the same however many wait, and a
// target is noticed a little later: 5 ms with a thousand, a second with 200,000. Targets of
// batches without a deadline have more time: a page for each hundred of them takes longer.
const (
	scanTime      = 5 * time.Microsecond // for each target, from one scan to the next
	scanTimeBatch = 20 * time.Microsecond
	// scanAlways is how many targets may be visited for each lookup.
	scanAlways = 64
)

// queues are the targets that are due. Those at a deadline go first, then the first lookups of
// single waits, whose callers have seen nothing yet. All others take turns: repeated lookups,
// each batch, and the searches. So no batch, however large, keeps others waiting for longer than
// one lookup.
type queues[T any] struct {
	scanned time.Duration // when they were made
	next    time.Duration // when anything falls due that was not due by then
	// nextBatch is next for targets of batches only, without a deadline.
	nextBatch time.Duration

	last     queue[T]
	first    queue[T]
	turns    []*queue[T] // repeated lookups of single waits, and batches
	turn     int         // whose it is: after all turns, the first search's
	chosen   int         // the turn that choose has found
	searches []*search[T]
}

// queue is the due targets of one kind, in the order of their turns.
type queue[T any] struct {
	batch   int // 0 for single waits
	targets []*target[T]
}

func (q *queue[T]) pop() *target[T] {
	t := q.targets[0]
	q.targets = q.targets[1:]
	return t
}

// compare orders targets: what has been due for longer goes first, and of what fell due together
// the newest, which pages begin with. Where no creation is known, ids may grow with time.
func compare[T any](a, b *target[T]) int {
	return cmp.Or(cmp.Compare(a.next(), b.next()), newestFirst(a.created, b.created), cmp.Compare(b.id, a.id))
}

// newestFirst orders times; one that is unknown is likely now.
func newestFirst(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return -1
	case b.IsZero():
		return 1
	}
	return b.Compare(a)
}

// expect makes sure that t is noticed when it falls due.
func (q *queues[T]) expect(t *target[T]) { q.expectAt(t, t.next()) }

func (q *queues[T]) expectAt(t *target[T], at time.Duration) {
	if t.inBatchesOnly() && t.deadline() == forever {
		q.nextBatch = min(q.nextBatch, at)
	} else {
		q.next = min(q.next, at)
	}
}

// survey scans if it is time to, and returns when anything else falls due. The waits whose time
// was up by until end.
func (p *Poller[T]) survey(until time.Duration) (next time.Duration) {
	q, n := &p.queues, len(p.targets)
	soonest := q.scanned + time.Duration(n)*scanTime
	soonestBatch := q.scanned + time.Duration(n)*scanTimeBatch
	due := p.now >= max(q.next, soonest) || p.now >= max(q.nextBatch, soonestBatch)
	if n <= scanAlways || 2*p.abandoned >= n || due {
		p.scan(until)
		return min(q.next, q.nextBatch)
	}
	return max(p.now+1, min(max(q.next, soonest), max(q.nextBatch, soonestBatch)))
}

// scan visits all targets: it forgets those that are no longer waited for, ends the waits whose
// time was up by until, and queues what is due.
func (p *Poller[T]) scan(until time.Duration) {
	held := p.cfg.Rate.held() // the server has asked for a pause
	limit := until
	if held == 0 {
		limit -= finalLookup
	}
	q := &p.queues
	*q = queues[T]{
		scanned: p.now, next: forever, nextBatch: forever, turn: q.turn, searches: q.searches,
	}
	turns := map[int]*queue[T]{}
	p.unplaced, p.candidates, p.abandoned = nil, 0, 0
	for id, t := range p.targets {
		p.steps++
		if t.wanted() && t.inFlight {
			continue // expireDuring ends its waits
		}
		p.expire(t, func(w *waiter[T]) bool { return w.deadline <= limit })
		if !t.wanted() {
			delete(p.targets, id)
			continue
		}
		unplaced := t.created.IsZero() && !t.byID && !t.searched
		if unplaced {
			p.candidates++
		}
		deadline := t.deadline()
		switch {
		case !t.ready(p.now) && t.searched:
			q.expectAt(t, deadline)
		case !t.ready(p.now):
			q.expect(t)
		case held > 0:
			q.expectAt(t, min(p.now+held, deadline))
		default:
			if deadline != forever {
				q.expectAt(t, deadline+finalLookup)
			}
			if deadline > p.now {
				q.expectAt(t, deadline)
			}
			if unplaced {
				p.unplaced = append(p.unplaced, t)
			}
			into := p.queueOf(t, turns)
			into.targets = append(into.targets, t)
		}
	}
	p.abandoned = 0
	p.placed.settle()
	q.turns = slices.SortedFunc(maps.Values(turns), func(a, b *queue[T]) int { return cmp.Compare(a.batch, b.batch) })
	for _, one := range append([]*queue[T]{&q.last, &q.first}, q.turns...) {
		slices.SortFunc(one.targets, compare)
	}
}

// queueOf returns the queue that a due target belongs to.
func (p *Poller[T]) queueOf(t *target[T], turns map[int]*queue[T]) *queue[T] {
	batch := 0
	switch {
	case t.deadline() <= p.now:
		return &p.queues.last
	case t.inBatchesOnly():
		batch = t.waiters[0].batch
	case t.polls == 0:
		return &p.queues.first
	}
	if turns[batch] == nil {
		turns[batch] = &queue[T]{batch: batch}
	}
	return turns[batch]
}

// choose returns the queue whose turn it is, or the search.
func (p *Poller[T]) choose() (*queue[T], *search[T]) {
	if p.cfg.Rate.held() > 0 {
		return nil, nil
	}
	q := &p.queues
	for _, urgent := range []*queue[T]{&q.last, &q.first} {
		if p.hasReady(urgent) {
			return urgent, nil
		}
	}
	slots := len(q.turns) + 1
	for i := range slots {
		q.chosen = (q.turn + i) % slots
		if q.chosen < len(q.turns) {
			if p.hasReady(q.turns[q.chosen]) {
				return q.turns[q.chosen], nil
			}
			continue
		}
		for len(q.searches) > 0 {
			if s := q.searches[0]; p.lists.enabled(p.now) && s.page() != nil {
				return nil, s
			}
			p.stopSearch(q.searches[0])
			q.searches = q.searches[1:]
		}
	}
	return nil, nil
}

// hasReady drops what has been looked up since the scan, or is no longer waited for, and reports
// whether anything is left.
func (p *Poller[T]) hasReady(q *queue[T]) bool {
	for len(q.targets) > 0 {
		p.steps++
		if q.targets[0].ready(p.now) {
			return true
		}
		q.pop()
	}
	return false
}

// take takes the turn that choose has found.
func (p *Poller[T]) take(from *queue[T], s *search[T]) *lookup[T] {
	q := &p.queues
	if from != &q.last && from != &q.first {
		q.turn = q.chosen + 1
	}
	if s != nil {
		q.searches = q.searches[1:]
		return s.page()
	}
	return p.plan(from.pop())
}
