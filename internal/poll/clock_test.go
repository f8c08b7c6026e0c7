package poll_test

import (
	"context"
	"errors"
	"path"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

func by(c poll.Clock) func(*poll.Config[item]) { return func(cfg *poll.Config[item]) { cfg.Clock = c } }

// steppedClock is set by hand.
type steppedClock struct {
	clock

	step atomic.Int64
}

func (c *steppedClock) Now() time.Time { return time.Now().Round(0).Add(time.Duration(c.step.Load())) }

func (c *steppedClock) stepAfter(t *testing.T, after, step time.Duration) {
	t.Helper()
	assert.NoError(t, c.Sleep(t.Context(), after))
	c.step.Store(int64(step))
}

// A clock that is set back during a wait does not prolong it, nor a pause that the server
// asks for.
func TestAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(pending)
		c := new(steppedClock)
		go c.stepAfter(t, 5*sec, -time.Hour)
		_, err := s.poller(20, by(c)).Wait(t.Context(), "op_1", schedule, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.WithinDuration(t, s.began.Add(time.Minute), time.Now(), 15*sec)
	})
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(responses(func(context.Context, string) (*item, time.Duration, error) { return nil, 20 * sec, errTransient }, done))
		c := new(steppedClock)
		go c.stepAfter(t, 5*sec, -24*time.Hour)
		_, err := s.poller(20, by(c)).Wait(t.Context(), "op_1", endless, nil)
		require.NoError(t, err)
		assert.WithinDuration(t, s.began.Add(20*sec), time.Now(), 6*time.Minute)
	})
}

// brokenClock cannot be waited by.
type brokenClock struct {
	clock

	err error
}

func (c brokenClock) Sleep(context.Context, time.Duration) error { return c.err }

// A clock that fails ends the waits instead of spinning.
func TestAClockThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(pending)
		broken := errors.New("the clock is broken")
		last, err := s.poller(20, by(brokenClock{err: broken})).Wait(t.Context(), "op_1", schedule, nil)
		require.ErrorIs(t, err, broken)
		assert.Equal(t, "op_1", last.id)
	})
}

// frozenClock moves when it is slept on.
type frozenClock struct {
	mu  sync.Mutex
	now time.Time
	// before, when set, runs when a sleep begins.
	before func()
}

func (c *frozenClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *frozenClock) Sleep(_ context.Context, d time.Duration) error {
	if c.before != nil {
		c.before()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return nil
}

// A wait that begins in the moment in which a fake clock leaps over its end has a lookup
// all the same.
func TestAClockThatLeapsOverAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			if id == "op_2" {
				return done(ctx, id)
			}
			return pending(ctx, id)
		}
		c := &frozenClock{now: someDay}
		p := s.poller(20, by(c))
		var once sync.Once
		var wg sync.WaitGroup
		c.before = func() {
			once.Do(func() {
				wg.Go(func() {
					_, err := p.Wait(t.Context(), "op_2", maxWait(5*sec), nil)
					assert.NoError(t, err)
				})
				for p.Pending() < 2 {
					assert.NoError(t, clock{}.Sleep(t.Context(), ms))
				}
			})
		}
		_, err := p.Wait(t.Context(), "op_1", &poll.Schedule{Min: 20 * sec, Max: 20 * sec, MaxWait: time.Minute}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		wg.Wait()
	})
}

// On a clock that stands still unless it is slept on, a lookup that hangs holds up no
// other wait.
func TestAFrozenClockIsNotSleptOnDuringALookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		two := responses(pending, pending, pending, done)
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			if path.Base(id) == "op_1" {
				return hang(ctx, id)
			}
			return two(ctx, id)
		}
		c := &frozenClock{now: someDay}
		p := s.poller(20, by(c))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := p.Wait(ctx, "op_1", endless, nil)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		_, err := p.Wait(t.Context(), "op_2", schedule, nil)
		require.NoError(t, err)
		assert.Less(t, time.Since(s.began), 10*sec)
		assert.Less(t, c.Now().Sub(someDay), sec, "it would have jumped ahead of the lookup in flight")
		cancel()
		wg.Wait()
	})
}

// stoppedClock returns from a sleep at once, and its time never moves.
type stoppedClock struct{}

func (stoppedClock) Now() time.Time                                   { return someDay }
func (stoppedClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// The time that was slept for has passed, whatever the clock says.
func TestAClockThatNeverMoves(t *testing.T) {
	t.Parallel()
	s, _ := newServer(0, 0)
	s.respond(pending)
	ctx, cancel := context.WithTimeout(t.Context(), 20*sec)
	defer cancel()
	_, err := s.poller(20, by(stoppedClock{})).Wait(ctx, "op_1", schedule, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ctx.Err(), "it ended by itself")
	assert.Len(t, s.times("op_1"), 11)
}
