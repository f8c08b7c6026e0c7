package intram

import "context"

// watch is one thing that is waited for. There may be a great many of them, so it is small: what was seen is shared, times are
// nanoseconds since the poller's epoch, its id is the key that it is kept under, and the first waiter is a part of it. When that is
// nobody, nobody waits, and it will be forgotten.
type watch[T any] struct {
	seen *sight[T] // nil until it was looked up
	// created is when it was made, in milliseconds since 1970, and 0 while that is not known.
	created int64
	due     int64
	polls   uint8 // since the pace was set back to its start
	misses  uint8 // pages that should have had it
	flags   watchFlags
	waiter
}

type watchFlags uint8

const (
	inFlight watchFlags = 1 << iota // a look-up is under way
	over                            // there will be no other look-up; seen says how it ended
	alone                           // to be looked up by its id, not on a page
	noticed                         // an event says that something has happened
	searched                        // a search goes through the list for it
	stale                           // an event has come since the look-up under way began
)

func (f watchFlags) has(flag watchFlags) bool { return f&flag != 0 }

// sight is what was seen of a subject, and why the last look-up failed.
type sight[T any] struct {
	item *T
	err  error
	// absentUntil is until when the API's word that there is no such thing is not the last; 0 when it has not said so.
	absentUntil int64
}

// waiter is somebody who waits. The zero value is nobody.
type waiter struct {
	news     chan struct{}   // there is something to look at
	ctx      context.Context //nolint:containedctx // a look-up is made on behalf of somebody who asked for it, with the values of his context
	cfg      *waitConfig
	deadline int64 // 0 for none
	next     *waiter
}

// next is when w wants to be looked up: when its pace says so, and at the end of each wait.
func (w *watch[T]) next() int64 { return min(w.due, w.earliest()) }

// ready reports whether a look-up of w can begin: it is due, or the last moment of a wait for it has come.
func (w *watch[T]) ready(now int64) bool {
	switch {
	case w.news == nil, w.flags.has(over), w.flags.has(inFlight), w.next() > now:
		return false
	}
	return !w.flags.has(searched) || w.earliest() <= now
}

// earliest is the first deadline of all who wait.
func (w *watch[T]) earliest() int64 {
	at := forever
	for one := w.first(); one != nil; one = one.next {
		if one.deadline != 0 {
			at = min(at, one.deadline)
		}
	}
	return at
}

// end is when a look-up that began then has to be answered: by the deadline, if that leaves it lastLook. One that had to queue has
// what is left of that.
func (one *waiter) end(started int64) int64 {
	if one.deadline == 0 {
		return forever
	}
	return max(one.deadline, min(started, one.deadline)+int64(lastLook), started+int64(lastMoment))
}

// expired is somebody who has a deadline and is too late, nil for nobody.
func (w *watch[T]) expired(tooLate func(*waiter) bool) chan struct{} {
	for one := w.first(); one != nil; one = one.next {
		if one.deadline != 0 && tooLate(one) {
			return one.news
		}
	}
	return nil
}

// first is the first who waits, nil for nobody.
func (w *watch[T]) first() *waiter {
	if w.news == nil {
		return nil
	}
	return &w.waiter
}

func (w *watch[T]) has(news chan struct{}) bool {
	for one := w.first(); one != nil; one = one.next {
		if one.news == news {
			return true
		}
	}
	return false
}

// drop takes a waiter out.
func (w *watch[T]) drop(news chan struct{}) {
	if w.news == news {
		if w.waiter.next == nil {
			w.waiter = waiter{}
		} else {
			w.waiter = *w.waiter.next
		}
		return
	}
	for one := &w.waiter; one.next != nil; one = one.next {
		if one.next.news == news {
			one.next = one.next.next
			return
		}
	}
}

// failing is what was seen of w, with why the last look-up failed.
func (w *watch[T]) failing(err error) *sight[T] {
	failed := sight[T]{err: err}
	if w.seen != nil {
		failed.item, failed.absentUntil = w.seen.item, w.seen.absentUntil
	}
	return &failed
}
