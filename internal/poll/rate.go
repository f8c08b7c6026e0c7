package poll

import (
	"sync"
	"time"
)

// longestPause bounds the pause that a server can ask for.
const longestPause = 5 * time.Minute

// Rate bounds the lookups of the pollers that share it. At most one second's worth is
// saved up.
type Rate struct {
	clock Clock
	cost  time.Duration // of a lookup

	mu        sync.Mutex
	spent     time.Time // up to here, all time is spent
	heldUntil time.Time
}

// NewRate returns a Rate of so many lookups a second.
func NewRate(clock Clock, perSecond int) *Rate {
	return &Rate{clock: clock, cost: time.Second / time.Duration(perSecond)}
}

// take takes the time for a lookup, or returns how long it is until there is enough.
func (r *Rate) take() (wait time.Duration) {
	if held := r.held(); held > 0 {
		return held
	}
	now := r.clock.Now()
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

// hold stops all lookups for a time. Of two holds, the longer one counts.
func (r *Rate) hold(d time.Duration) {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := now.Add(d); until.After(r.heldUntil) {
		r.heldUntil = until
	}
}

// held returns how long no lookup may begin.
func (r *Rate) held() time.Duration {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heldUntil.Sub(now) > longestPause {
		r.heldUntil = now // the clock was set back
	}
	return max(0, r.heldUntil.Sub(now))
}
