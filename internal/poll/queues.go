package poll

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// alarms are the targets by when they need attention: when a lookup falls due, and at the
// end of a wait. It is a heap, so that a lookup costs about the same however many wait.
type alarms[T any] []*target[T]

func (a alarms[T]) Len() int           { return len(a) }
func (a alarms[T]) Less(i, j int) bool { return before(a[i], a[j]) }
func (a alarms[T]) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i+1, j+1
}

// Push implements [heap.Interface].
func (a *alarms[T]) Push(x any) {
	t, _ := x.(*target[T])
	*a = append(*a, t)
	t.index = len(*a)
}

// Pop implements [heap.Interface].
func (a *alarms[T]) Pop() any {
	last := len(*a) - 1
	t := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	t.index = 0
	return t
}

// before orders targets: what needs attention first, and of what does so together the
// newest, which pages begin with. A target of unknown age is likely new, and ids may grow
// with time.
func before[T any](a, b *target[T]) bool {
	switch {
	case a.alarm != b.alarm:
		return a.alarm < b.alarm
	case a.created.IsZero() != b.created.IsZero():
		return a.created.IsZero()
	}
	return cmp.Or(b.created.Compare(a.created), cmp.Compare(b.id, a.id)) < 0
}

// setAlarm sets when t needs attention, after anything that it depends on has changed.
func (p *Poller[T]) setAlarm(t *target[T]) {
	at := forever
	if t.wanted() && !t.inFlight { // the waits for a target in flight are ended by expireDuring
		if t.queue == nil && !t.searched {
			at = t.due
		}
		deadline := t.deadline()
		if t.queue == &p.queues.last {
			deadline += finalLookup
		}
		at = min(at, deadline)
	}
	t.alarm = at
	switch {
	case at == forever && t.index > 0:
		heap.Remove(&p.alarms, t.index-1)
	case at == forever:
	case t.index > 0:
		heap.Fix(&p.alarms, t.index-1)
	default:
		heap.Push(&p.alarms, t)
	}
}

// nextAlarm returns when a target needs attention.
func (p *Poller[T]) nextAlarm() time.Duration {
	if len(p.alarms) == 0 {
		return forever
	}
	return p.alarms[0].alarm
}

// attend queues the targets that are due, and ends the waits whose time was up by until:
// those that have had their last lookup, or get none because the server has asked for a
// pause.
func (p *Poller[T]) attend(until time.Duration) {
	if p.cfg.Rate.held() == 0 {
		until -= finalLookup
	}
	var due []*target[T]
	for p.nextAlarm() <= p.now {
		due = append(due, p.alarms[0])
		heap.Pop(&p.alarms)
	}
	for _, t := range due {
		p.steps++
		p.expire(t, func(w *waiter[T]) bool { return w.deadline <= until })
		if t.ready(p.now) {
			p.queues.add(t, p.now)
		}
		p.setAlarm(t)
	}
}

// queues are the targets that are due. Those at a deadline go first, then the first
// lookups of single waits, whose callers have seen nothing yet. All others take turns:
// repeated lookups, each batch, and each search. So no batch, however large, keeps others
// waiting for longer than one lookup.
type queues[T any] struct {
	last    queue[T]
	first   queue[T]
	turns   []*queue[T]
	batches map[int]*queue[T] // of turns, by batch; 0 is that of single waits
}

// queue is the due targets of one kind, in order, or a search whose next page is due.
type queue[T any] struct {
	batch   int
	targets []*target[T]
	search  *search[T]
}

// add queues a target that is due.
func (q *queues[T]) add(t *target[T], now time.Duration) {
	var into *queue[T]
	switch {
	case t.deadline() <= now:
		into = &q.last
	case t.inBatchesOnly():
		into = q.ofBatch(t.waiters[0].batch)
	case t.polls == 0:
		into = &q.first
	default:
		into = q.ofBatch(0)
	}
	if t.queue != into {
		t.queue, into.targets = into, append(into.targets, t)
	}
}

func (q *queues[T]) ofBatch(batch int) *queue[T] {
	if q.batches == nil {
		q.batches = map[int]*queue[T]{}
	}
	one := q.batches[batch]
	if one == nil {
		one = &queue[T]{batch: batch}
		q.batches[batch] = one
		q.turns = append(q.turns, one)
	}
	return one
}

// addSearch queues the next page of a search.
func (q *queues[T]) addSearch(s *search[T]) { q.turns = append(q.turns, &queue[T]{search: s}) }

// choose returns the queue whose turn it is, nil if nothing is due.
func (p *Poller[T]) choose() *queue[T] {
	q := &p.queues
	for _, urgent := range []*queue[T]{&q.last, &q.first} {
		if p.hasReady(urgent) {
			return urgent
		}
	}
	for len(q.turns) > 0 {
		one := q.turns[0]
		if p.hasReady(one) {
			return one
		}
		q.turns = q.turns[1:]
		if one.search != nil {
			p.stopSearch(one.search)
		} else {
			delete(q.batches, one.batch)
		}
	}
	return nil
}

// hasReady drops targets that need no lookup any more from the front of a queue, and
// reports whether anything is left.
func (p *Poller[T]) hasReady(q *queue[T]) bool {
	if q.search != nil {
		return p.lists.enabled(p.now) && q.search.page() != nil
	}
	for len(q.targets) > 0 {
		p.steps++
		t := q.targets[0]
		if t.queue == q && t.ready(p.now) {
			return true
		}
		q.targets = q.targets[1:]
		if t.queue == q {
			t.queue = nil
			p.setAlarm(t)
		}
	}
	q.targets = nil
	return false
}

// take returns the lookup of the queue whose turn it is.
func (p *Poller[T]) take(q *queue[T]) *lookup[T] {
	if turns := p.queues.turns; len(turns) > 0 && q == turns[0] {
		p.queues.turns = turns[1:]
		if q.search != nil {
			return q.search.page()
		}
		p.queues.turns = append(p.queues.turns, q)
	}
	t := q.targets[0]
	q.targets = q.targets[1:]
	return p.plan(t)
}

// placed are the targets whose place in the list is known, newest first.
type placed[T any] struct {
	sorted, added []*target[T]
}

func (s *placed[T]) add(t *target[T]) {
	if s.added = append(s.added, t); len(s.added) > len(s.sorted)+PageSize {
		s.sort()
	}
}

// sort takes in what was added, and forgets what is no longer waited for.
func (s *placed[T]) sort() {
	s.sorted = slices.DeleteFunc(append(s.sorted, s.added...), func(t *target[T]) bool { return !t.wanted() })
	s.added = nil
	slices.SortFunc(s.sorted, func(a, b *target[T]) int { return b.created.Compare(a.created) })
}

// from returns the targets that were created then or before.
func (s *placed[T]) from(created time.Time) []*target[T] {
	if len(s.added) > 0 {
		s.sort()
	}
	at, _ := slices.BinarySearchFunc(s.sorted, created, func(t *target[T], then time.Time) int { return then.Compare(t.created) })
	return s.sorted[at:]
}
