package intram

import (
	"sync"
	"time"
)

// pollRate bounds the look-ups of all waits of a client: each takes its part of a second, and no more than one second is saved up.
type pollRate struct {
	cost time.Duration // of a look-up

	mu    sync.Mutex
	spent time.Time // all time before is
	until time.Time // the server has asked for no look-ups before
}

func newPollRate(perSecond int) *pollRate {
	return &pollRate{cost: time.Second / time.Duration(perSecond)}
}

// take takes the time for a look-up, or says how long it is until there is enough.
func (r *pollRate) take(now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if saved := now.Sub(r.spent); saved > time.Second || saved < 0 { // below 0, the clock was set back
		r.spent = now.Add(-max(0, min(saved, time.Second)))
	}
	if wait := r.spent.Add(r.cost).Sub(now); wait > 0 {
		return wait
	}
	r.spent = r.spent.Add(r.cost)
	return 0
}

// hold stops all look-ups for a time. Of two holds, the longer one counts.
func (r *pollRate) hold(now time.Time, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := now.Add(d); until.After(r.until) {
		r.until = until
	}
}

// held is how long there may be no look-up, 0 when there may.
func (r *pollRate) held(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.Sub(now) > longestPause {
		r.until = now // the clock was set back
	}
	return max(0, r.until.Sub(now))
}
