package intram

import (
	"sync"
	"time"
)

// pollRate bounds the look-ups of all waits of a client: a bucket that holds those of one second.
type pollRate struct {
	perSecond int

	mu     sync.Mutex
	tokens float64
	filled time.Time
	until  time.Time // the server has asked for no look-ups before
}

func newPollRate(perSecond int) *pollRate {
	return &pollRate{perSecond: perSecond, tokens: float64(perSecond)}
}

// take takes a token, or says how long it is until there is one.
func (r *pollRate) take(now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone := now.Sub(r.filled); !r.filled.IsZero() && gone > 0 {
		r.tokens = min(float64(r.perSecond), r.tokens+gone.Seconds()*float64(r.perSecond))
	}
	r.filled = now
	if r.tokens >= 1 {
		r.tokens--
		return 0
	}
	return time.Duration((1-r.tokens)/float64(r.perSecond)*float64(time.Second)) + 1
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
	return max(0, min(r.until.Sub(now), longestPause))
}
