package poll

import (
	"context"
	"slices"
	"time"
)

const (
	// finalLookup is how long the lookup at the end of a wait may take: with nothing left
	// of the wait, it would be canceled before any network could carry it.
	finalLookup = time.Second
	// shortestLookup is how long a lookup may take in any case, however late it began.
	shortestLookup = 100 * time.Millisecond
	// forever is a hundred years, so that sums do not overflow.
	forever = 100 * 365 * 24 * time.Hour
	// jitterParts is how finely the jitter is drawn.
	jitterParts = 1024
	// mostPolls is where a target's polls are no longer counted: every pause is the
	// longest by then.
	mostPolls = 255
)

// target is one thing that is waited for. Times are since the poller's epoch.
type target[T any] struct {
	id      string
	waiters []*waiter[T] // empty when it is no longer waited for
	seen    snapshot[T]
	created time.Time // to the millisecond; zero while unknown
	due     time.Duration
	alarm   time.Duration // when it needs attention
	index   int           // in the alarms, from 1; 0 for none
	queue   *queue[T]     // that it is in
	polls   uint8         // since the pace was set back, at most mostPolls
	misses  uint8         // pages that should have shown it

	inFlight bool // a lookup is in flight
	byID     bool // to be looked up by its id, not on a page
	notified bool // an event has come since the last lookup by id
	searched bool // a search goes through the list for it
	stale    bool // an event has come since the lookup in flight began
}

// snapshot is what was last seen of a target.
type snapshot[T any] struct {
	item *T    // nil until it was seen
	err  error // of the last lookup
	// notFoundUntil is when "not found" is believed; 0 if the server has not said so.
	notFoundUntil time.Duration
}

// waiter is one call of Wait or WaitMany.
type waiter[T any] struct {
	ctx      context.Context //nolint:containedctx // a lookup has the values of the context of a wait that it serves
	schedule *Schedule
	progress bool          // it wants unfinished items, too
	batch    int           // which WaitMany it is; 0 for Wait
	deadline time.Duration // forever for none
	changed  chan struct{} // there are updates
	updates  []update[T]
}

// update is a lookup's result, or the end of the wait for id.
type update[T any] struct {
	id   string
	item *T
	err  error
	done bool
}

// push gives a waiter an update. It never blocks.
func (w *waiter[T]) push(u update[T]) {
	w.updates = append(w.updates, u)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// end returns when a lookup that began then must be over: at the deadline, unless that
// leaves it less than finalLookup. A lookup that had to queue has what is left of that.
func (w *waiter[T]) end(started time.Duration) time.Duration {
	return max(w.deadline, min(started, w.deadline)+finalLookup, started+shortestLookup)
}

func (t *target[T]) wanted() bool { return len(t.waiters) > 0 }

// next returns when t wants to be looked up: when its pace says so, and at each deadline.
func (t *target[T]) next() time.Duration { return min(t.due, t.deadline()) }

// deadline returns the first deadline of all waiters.
func (t *target[T]) deadline() time.Duration {
	first := forever
	for _, w := range t.waiters {
		first = min(first, w.deadline)
	}
	return first
}

// ready reports whether a lookup of t may begin. A search that goes on for it does not
// hold up the lookup at a deadline.
func (t *target[T]) ready(now time.Duration) bool {
	return t.wanted() && !t.inFlight && t.next() <= now && (!t.searched || t.deadline() <= now)
}

// inBatchesOnly reports whether only calls of WaitMany wait for t.
func (t *target[T]) inBatchesOnly() bool {
	return !slices.ContainsFunc(t.waiters, func(w *waiter[T]) bool { return w.batch == 0 })
}

// Schedule says when a wait polls and when it ends.
type Schedule struct {
	// Min and Max bound the time between two lookups. It grows from Min by half each
	// time.
	Min, Max time.Duration
	// MaxWait ends the wait; 0 for no end.
	MaxWait time.Duration
	// InitialDelay is the time before the first lookup.
	InitialDelay time.Duration
}

// pause returns the time to the next lookup: half as long again as the last one, give or
// take a quarter so that waits that began together spread, within the bounds.
func (s *Schedule) pause(polls uint8, jitter int64) time.Duration {
	interval := s.Min
	for ; polls > 0 && interval < s.Max; polls-- {
		interval = min(s.Max, interval+interval/2)
	}
	spread := interval - interval/4 + interval/2*time.Duration(jitter)/jitterParts
	return min(max(spread, s.Min), s.Max)
}

// Limit makes times of more than a hundred years that long, so that their sums do not
// overflow.
func (s *Schedule) Limit() {
	for _, d := range []*time.Duration{&s.Min, &s.Max, &s.MaxWait, &s.InitialDelay} {
		*d = min(*d, forever)
	}
}

// TimeoutError is the error of a wait that has reached its MaxWait.
type TimeoutError struct {
	After time.Duration
	// Lookup is why the last lookup failed; nil if it did not.
	Lookup error
}

func (e *TimeoutError) Error() string {
	return "poll: maximum wait of " + e.After.String() + " has passed"
}

// Unwrap returns [context.DeadlineExceeded] and the error of the last lookup.
func (e *TimeoutError) Unwrap() []error {
	if e.Lookup == nil {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, e.Lookup}
}
