package poll_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

// drain waits for a batch in the background.
func drain(ctx context.Context, p *poll.Poller[item], ids []string) {
	go p.WaitMany(ctx, ids, endless, nil, func(string, *item, error) bool { return true })
}

// A batch that no list shows takes 150 s for a lookup of each, as 3000 operations do at
// the usual rate. A customer's wait goes on beside it as if there were none, and so does
// a small batch.
func TestLargeBatchStarvesNoOtherWait(t *testing.T) {
	t.Parallel()
	for _, begun := range []time.Duration{sec, 160 * sec} { // among the first lookups of the batch, and among repeated ones
		synctest.Test(t, func(t *testing.T) {
			s, _ := newServer(0, 0)
			s.respond(pending)
			p := s.poller(5)
			ctx, cancel := context.WithCancel(t.Context())
			drain(ctx, p, numbered("op", 750))
			sleep(t, begun)
			small := numbered("small", 5)
			drain(ctx, p, small)
			start := time.Since(s.began)
			_, err := p.Wait(t.Context(), "customer", schedule, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			looks := s.times("customer")
			require.GreaterOrEqual(t, len(looks), 8, "of 10 that the schedule has")
			assert.Less(t, looks[0]-start, 3*sec, "the first lookup, when two pages have not shown it")
			assert.GreaterOrEqual(t, looks[len(looks)-1]-start, 60*sec, "the last lookup")
			for i := range looks[1:] {
				assert.Less(t, looks[i+1]-looks[i], 12*sec)
			}
			for _, id := range small {
				require.NotEmpty(t, s.times(id), id)
				assert.Less(t, s.times(id)[0]-start, 10*sec)
				assert.GreaterOrEqual(t, len(s.times(id)), 4, id)
			}
			total := 0
			for _, id := range numbered("op", 750) {
				total += len(s.times(id))
			}
			assert.Greater(t, total, int((begun+time.Minute)/sec)*3, "nor is the batch starved")
			cancel()
			synctest.Wait()
			assert.Zero(t, p.Pending())
		})
	}
}

// A single wait for an id that a large batch waits for too does not wait for the batch's
// turn.
func TestASingleWaitForAnIDOfABatchGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(pending)
		p := s.poller(5)
		ctx, cancel := context.WithCancel(t.Context())
		ids := numbered("op", 750)
		drain(ctx, p, ids)
		sleep(t, 160*sec)
		for _, id := range []string{ids[1], ids[300], ids[600]} {
			start := time.Since(s.began)
			single, stop := context.WithCancel(t.Context())
			go func() { _, _ = p.Wait(single, id, schedule, nil) }()
			sleep(t, 2*sec)
			times := s.times(id)
			assert.GreaterOrEqual(t, times[len(times)-1], start, id)
			stop()
		}
		cancel()
		synctest.Wait()
	})
}

// Waits that begin while others use up the rate have their first lookup, and their last.
func TestFirstAndLastLookupsGoBeforeRepeatedOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(pending)
		p := s.poller(5)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, id := range numbered("op", 400) { // each wants a lookup every ten seconds: 40 a second
			wg.Go(func() { _, _ = p.Wait(ctx, id, endless, nil) })
		}
		sleep(t, 3*time.Minute)
		start := time.Since(s.began)
		_, err := p.Wait(t.Context(), "late", maxWait(30*sec), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		looks := s.times("late")
		require.GreaterOrEqual(t, len(looks), 2)
		assert.Less(t, looks[0]-start, sec)
		assert.GreaterOrEqual(t, looks[len(looks)-1]-start, 30*sec)
		cancel()
		wg.Wait()
	})
}

// The rate bounds all waits together, and the oldest gets its turn however many come.
func TestRateBoundsAllWaitsAndStarvesNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			if id == "oldest" && time.Since(s.began) > 30*sec {
				return done(ctx, id)
			}
			return pending(ctx, id)
		}
		p := s.poller(5, unlisted)
		var ended atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := p.Wait(t.Context(), "oldest", endless, nil)
			assert.NoError(t, err)
			ended.Store(int64(time.Since(s.began)))
		})
		ctx, cancel := context.WithCancel(t.Context())
		ids := numbered("op", 300)
		for i := range 30 { // new ones, all the time, more than the rate has lookups for
			for _, id := range ids[i*10 : i*10+10] {
				wg.Go(func() { _, _ = p.Wait(ctx, id, endless, nil) })
			}
			sleep(t, sec)
		}
		sleep(t, 2*time.Minute)
		assert.NotZero(t, ended.Load(), "300 items at 5 a second: the oldest has its turn within a minute")
		single, _ := s.lookups()
		assert.LessOrEqual(t, single, 5*int(time.Since(s.began)/sec)+5+1)
		assert.GreaterOrEqual(t, single, 5*int(time.Since(s.began)/sec)-5, "and is used up")
		cancel()
		wg.Wait()
	})
}

// However many wait together, each costs the same.
func TestWorkOfABatchIsLinear(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1_000, 8_000} {
		synctest.Test(t, func(t *testing.T) {
			s, ids := newServer(n, ms)
			looked := map[string]int{} // an item finishes when it was shown once
			s.list = func(_ context.Context, q poll.Query) (*poll.Page[item], time.Duration, error) {
				page := s.read(q)
				s.mu.Lock()
				defer s.mu.Unlock()
				for i := range page.Items {
					one := &page.Items[i]
					if looked[one.id]++; looked[one.id] > 1 {
						one.state = finished
					}
				}
				return page, 0, nil
			}
			p := s.poller(20)
			ended := 0
			p.WaitMany(t.Context(), ids, endless, nil, func(_ string, _ *item, err error) bool {
				assert.NoError(t, err)
				ended++
				return true
			})
			require.Equal(t, n, ended)
			single, pages := s.lookups()
			t.Logf("%d items: %d steps, %d pages, %d lookups by id", n, p.Steps(), pages, single)
			assert.Less(t, p.Steps()/n, 20, "steps for each")
			assert.LessOrEqual(t, pages, 2*n/poll.PageSize+2)
		})
	}
}
