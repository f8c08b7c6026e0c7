package mockapi

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bare is a clock with a log of the tasks it ran.
func bare(running bool) (*Clock, *[]string) {
	var log []string
	c := newClock(start, running)
	c.run = func(k task) { log = append(log, k.id+"@"+c.Now().Sub(start).Round(time.Millisecond).String()) }
	c.idle = func(<-chan struct{}) {}
	return c, &log
}

func TestAdvanceRunsWhatComesDueInTimeOrder(t *testing.T) {
	t.Parallel()
	c, log := bare(false)
	for id, after := range map[string]time.Duration{"c": 3 * time.Second, "a": time.Second, "b": 2 * time.Second, "d": 4 * time.Second} {
		c.schedule(task{at: start.Add(after), id: id})
	}
	c.schedule(task{at: start.Add(2 * time.Second), id: "b2"}) // of two for one moment, the first scheduled comes first
	c.Advance(3500 * time.Millisecond)
	assert.Equal(t, []string{"a@1s", "b@2s", "b2@2s", "c@3s"}, *log)
	assert.Equal(t, start.Add(3500*time.Millisecond), c.Now())
	c.Advance(-time.Hour)
	assert.Equal(t, start.Add(3500*time.Millisecond), c.Now(), "time does not go back")
	next, ok := c.NextDue()
	assert.True(t, ok)
	assert.Equal(t, start.Add(4*time.Second), next)
	c.Advance(time.Hour)
	_, ok = c.NextDue()
	assert.False(t, ok)
}

func TestAdvanceRunsWhatTasksSchedule(t *testing.T) {
	t.Parallel()
	c := newClock(start, false)
	c.idle = func(<-chan struct{}) {}
	n := 0
	c.run = func(task) {
		if n++; n < 100 {
			c.schedule(task{at: c.Now().Add(time.Second)})
		}
	}
	c.schedule(task{at: start})
	c.Advance(time.Minute)
	assert.Equal(t, 61, n)
}

func TestCancelledTasksDoNotRun(t *testing.T) {
	t.Parallel()
	c, log := bare(false)
	first := c.schedule(task{at: start.Add(time.Second), id: "first"})
	c.schedule(task{at: start.Add(2 * time.Second), kind: "k", id: "second"})
	c.schedule(task{at: start.Add(2 * time.Second), kind: "other", id: "second"})
	c.schedule(task{at: start.Add(3 * time.Second), kind: "k", id: "second"})
	c.cancel(first)
	c.cancel(first)
	c.cancelTasks("k", "second")
	c.Advance(time.Minute)
	assert.Equal(t, []string{"second@2s"}, *log)
}

func TestSleepMovesAFrozenClock(t *testing.T) {
	t.Parallel()
	c, log := bare(false)
	c.schedule(task{at: start.Add(time.Second), id: "a"})
	c.schedule(task{at: start.Add(time.Minute), id: "b"})
	require.NoError(t, c.Sleep(t.Context(), 10*time.Second))
	assert.Equal(t, []string{"a@1s"}, *log)
	assert.Equal(t, start.Add(10*time.Second), c.Now())
	require.NoError(t, c.Sleep(t.Context(), 0))
	require.NoError(t, c.Sleep(t.Context(), -time.Second))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Sleep(ended, time.Hour), context.Canceled)
	assert.Equal(t, start.Add(10*time.Second), c.Now())
	assert.False(t, c.Running())
}

func TestSleepOnAFrozenClockEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := newClock(start, false)
	ctx, cancel := context.WithCancel(t.Context())
	c.idle = func(<-chan struct{}) {}
	c.run = func(task) { cancel() }
	c.schedule(task{at: start.Add(time.Second)})
	c.schedule(task{at: start.Add(2 * time.Second)})
	require.ErrorIs(t, c.Sleep(ctx, time.Hour), context.Canceled)
	assert.Equal(t, start.Add(time.Second), c.Now())
}

func TestSleepIsNotHeldUpByADeliveryThatWaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Config{})
		// A receiver that waits with a context of its own, as one behind a real socket
		// does.
		f.subscribe("*", func(http.ResponseWriter, *http.Request) { _ = f.s.Clock().Sleep(context.Background(), time.Second) })
		began := time.Now()
		f.payout(1, "22961234567")
		f.idle()
		assert.LessOrEqual(t, time.Since(began), sleeperPatience)
		assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[0].Status)
	})
}

func TestRunningClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, log := bare(true)
		defer c.close()
		assert.True(t, c.Running())
		assert.Equal(t, start, c.Now().Round(time.Millisecond))
		c.schedule(task{at: start.Add(time.Second), id: "a"})
		c.schedule(task{at: start.Add(time.Hour), id: "b"})
		cancelled := c.schedule(task{at: start.Add(2 * time.Second), id: "never"})
		c.cancel(cancelled)
		time.Sleep(3 * time.Second) //nolint:forbidigo // the bubble's time
		synctest.Wait()
		assert.Equal(t, []string{"a@1s"}, *log)

		woke := make(chan time.Time, 1)
		go func() {
			_ = c.Sleep(context.Background(), 30*time.Minute)
			woke <- time.Now()
		}()
		synctest.Wait()
		began := time.Now()
		c.Advance(2 * time.Hour)
		assert.Equal(t, began, <-woke, "Advance wakes sleepers")
		assert.Equal(t, []string{"a@1s", "b@1h0m0s"}, *log)
		assert.Equal(t, 2*time.Hour+3*time.Second, c.Now().Sub(start).Round(time.Millisecond))

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		_, pending := c.NextDue()
		assert.False(t, pending, "a sleeper that left is forgotten")
		require.NoError(t, c.Sleep(context.Background(), time.Second))
	})
}

func TestClosingWakesSleepers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := bare(true)
		got := make(chan error, 1)
		go func() { got <- c.Sleep(context.Background(), time.Hour) }()
		synctest.Wait()
		c.close()
		c.close()
		require.ErrorIs(t, <-got, ErrClosed)
	})
}

func TestClockStartsAtThePresentByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, time.Now().UTC(), newClock(time.Time{}, false).Now())
		assert.Equal(t, time.Now().UTC(), newClock(time.Time{}, true).Now().Round(0))
	})
}

// A delivery is attempted at the time it is due, also when the clock is moved far beyond
// it at once.
func TestAdvanceWaitsForDeliveriesBeforeItGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(2 * time.Second)})
	var got received
	f.subscribe("*", got.ServeHTTP)
	f.payout(1, "22961234567")
	f.s.Clock().Advance(time.Second)
	f.payout(1, "22961234567")
	f.s.Clock().Advance(24 * time.Hour)
	require.Equal(t, 2, got.count())
	assert.Equal(t, wireTime(start.Add(2*time.Second)), got.requests[0].Header.Get("X-Intram-Timestamp"))
	assert.Equal(t, wireTime(start.Add(3*time.Second)), got.requests[1].Header.Get("X-Intram-Timestamp"))
}
