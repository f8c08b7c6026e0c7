package poll_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

// sharing gives a poller a share of a rate.
func sharing(rate *poll.Rate) func(*poll.Config[item]) {
	return func(cfg *poll.Config[item]) { cfg.Rate = rate.Share() }
}

// all returns the times of all lookups.
func (s *server) all() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, times := range s.asked {
		all = append(all, times...)
	}
	slices.Sort(all)
	return all
}

// One merchant waits for 50,000 items, and nine more for a thousand each: another one's
// lookups come a round later at most.
func TestFiftyThousandWaitsOfOneShareDoNotStarveAnother(t *testing.T) {
	t.Parallel()
	for _, busy := range []int{1, 10} {
		synctest.Test(t, func(t *testing.T) {
			const perSecond = 20
			rate := poll.NewRate(clock{}, perSecond)
			ctx, cancel := context.WithCancel(t.Context())
			servers := make([]*server, 0, busy)
			for i := range busy {
				s, _ := newServer(0, 0)
				s.respond(pending)
				n := 50_000
				if i > 0 {
					n = 1000
				}
				drain(ctx, s.poller(0, unlisted, sharing(rate)), numbered("op", n))
				servers = append(servers, s)
			}
			sleep(t, 30*sec)
			b, _ := newServer(0, 0)
			b.respond(pending)
			_, err := b.poller(0, unlisted, sharing(rate)).Wait(t.Context(), "op_1", schedule, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			due, most := time.Duration(0), time.Duration(0)
			for i, at := range b.times("op_1") {
				most = max(most, at-due)
				due = at + []time.Duration{1000 * ms, 1500 * ms, 2250 * ms, 3375 * ms, 5062500 * time.Microsecond, 7593750 * time.Microsecond, 10 * sec}[min(i, 6)]
			}
			t.Logf("%d busy: a lookup of another is %v late at most", busy, most)
			assert.LessOrEqual(t, most, time.Duration(busy+1)*sec/perSecond)
			assert.Len(t, b.times("op_1"), 11, "as many as it makes alone")
			var all []time.Duration
			for _, s := range append(servers, b) {
				assert.Greater(t, len(s.all()), 10, "none is starved")
				for _, at := range s.all() {
					all = append(all, at+s.began.Sub(servers[0].began))
				}
			}
			slices.Sort(all)
			boundedBy(t, perSecond, all)
			assert.Greater(t, len(all), 80*perSecond, "the rate is used")
			cancel()
			synctest.Wait()
		})
	}
}

// boundedBy checks each window: one second's worth may be saved up.
func boundedBy(t *testing.T, perSecond int, all []time.Duration) {
	t.Helper()
	for i := range all {
		for _, j := range []int{i + perSecond + 1, i + 2*perSecond, i + 10*perSecond} {
			if j < len(all) && time.Duration(j-i-perSecond)*sec/time.Duration(perSecond) > all[j]-all[i] {
				assert.Failf(t, "too many", "%d in %v", j-i+1, all[j]-all[i])
				return
			}
		}
	}
}

// The API asks one merchant to pause, for longer than another one's wait.
func TestAPauseOfOneShareStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rate := poll.NewRate(clock{}, 20)
		a, _ := newServer(0, 0)
		a.respond(func(context.Context, string) (*item, time.Duration, error) { return nil, time.Minute, errTransient })
		b, _ := newServer(0, 0)
		b.respond(responses(pending, pending, done))
		ctx, cancel := context.WithCancel(t.Context())
		drain(ctx, a.poller(0, unlisted, sharing(rate)), numbered("op", 1000))
		sleep(t, sec)
		began := time.Now()
		_, err := b.poller(0, unlisted, sharing(rate)).Wait(t.Context(), "op_1", schedule, nil)
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 4*sec)
		sleep(t, 50*sec)
		assert.LessOrEqual(t, len(a.all()), 20, "the pause holds for the one that was asked")
		cancel()
		synctest.Wait()
	})
}

// A thousand merchants have a turn, and want it no more: their turns are not saved up.
func TestTurnsThatAreNotUsedAreLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 20
		rate := poll.NewRate(clock{}, perSecond)
		s, _ := newServer(0, 0)
		s.respond(pending)
		pollers := make([]*poll.Poller[item], 1000)
		for i := range pollers {
			pollers[i] = s.poller(0, unlisted, sharing(rate))
		}
		wait := func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			defer cancel()
			for _, p := range pollers {
				go func() { _, _ = p.Wait(ctx, "op_1", endless, nil) }()
			}
			sleep(t, sec)
		}
		wait()
		sleep(t, 2*time.Minute)
		wait()
		boundedBy(t, perSecond, s.all())
		// Nor does one of them wait for the rounds that were not used.
		_, _ = pollers[0].Wait(t.Context(), "op_2", maxWait(time.Minute), nil)
		assert.NotEmpty(t, s.times("op_2"))
	})
}
