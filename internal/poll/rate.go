package poll

import (
	"sync"
	"time"
)

const (
	// longestPause bounds the pause that a server can ask for.
	longestPause = 5 * time.Minute
	// saved is how much unused time a Rate saves up, and how long a turn is kept.
	saved = time.Second
)

// Rate bounds the lookups of the pollers that share it. At most one second's worth is
// saved up.
//
// The rates that [Rate.Share] returns are bound together, and each has a fair share: the
// time of its next lookup is its turn, which it gets behind those that others have by
// now. So one that always wants more has one turn in each round, and another one waits
// for a round at most. A pause that the server asks for stops one rate, and no other.
type Rate struct {
	slots *slots

	mu        sync.Mutex
	turn      time.Duration // of the next lookup; 0 for none
	heldUntil time.Duration
}

// slots are the times of lookups, of all rates that are bound together.
type slots struct {
	clock Clock
	cost  time.Duration // of a lookup

	mu    sync.Mutex
	read  time.Time     // the clock, when it was last read
	now   time.Duration // since the first reading; it never goes back
	spent time.Duration // up to here, all time is spent
}

// NewRate returns a Rate of so many lookups a second.
func NewRate(clock Clock, perSecond int) *Rate {
	// It begins with a second saved up. A turn is never 0.
	return &Rate{slots: &slots{clock: clock, cost: time.Second / time.Duration(perSecond), read: clock.Now(), now: 2 * saved, spent: saved}}
}

// Share returns a Rate that is bound together with this one.
func (r *Rate) Share() *Rate { return &Rate{slots: r.slots} }

// time returns the time, which stands still while the clock is set back.
func (s *slots) time() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.now += max(0, now.Sub(s.read))
	s.read = now
	return s.now
}

// next returns the time of the next lookup, which may have passed.
func (s *slots) next(now time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent = max(s.spent, now-saved) + s.cost
	return s.spent
}

// take takes the time for a lookup, or returns how long it is until there is enough.
func (r *Rate) take() (wait time.Duration) {
	if held := r.held(); held > 0 {
		return held
	}
	now := r.slots.time()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn == 0 || now-r.turn > saved { // a turn that was not used is lost
		r.turn = r.slots.next(now)
	}
	if wait := r.turn - now; wait > 0 {
		return wait
	}
	r.turn = 0
	return 0
}

// hold stops all lookups of this rate for a time. Of two holds, the longer one counts.
func (r *Rate) hold(d time.Duration) {
	until := r.slots.time() + d
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heldUntil = max(r.heldUntil, until)
}

// held returns how long no lookup may begin.
func (r *Rate) held() time.Duration {
	now := r.slots.time()
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.heldUntil-now)
}
