//go:build !race

package poll_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A wait takes at most so many bytes besides its goroutine, also when its item was seen.
//
//nolint:paralleltest // it measures the heap, which tests share
func TestPendingWaitsAreSmall(t *testing.T) {
	const n, mostPerWait, mostInBatch = 10_000, 600, 420
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(n, ms)
		p := s.poller(1000)
		never := make(chan struct{})
		idle := func(ctx context.Context, _ string) {
			select { // two things at once, as any caller's goroutine does
			case <-ctx.Done():
			case <-never:
			}
		}
		one := func(ctx context.Context, id string) { _, _ = p.Wait(ctx, id, endless, nil) }
		many := func(ctx context.Context, id string) {
			if id == ids[0] {
				drain(ctx, p, ids)
			}
		}
		measure := func(wait func(context.Context, string)) int64 {
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			before := heap()
			for _, id := range ids {
				wg.Go(func() { wait(ctx, id) })
			}
			sleep(t, 20*sec)
			after := heap()
			cancel()
			wg.Wait()
			synctest.Wait()
			s.pages = nil
			clear(s.asked)
			return (after - before) / n
		}
		measure(one) // makes what the runtime keeps for the others
		goroutine := measure(idle)
		perWait, inBatch := measure(one)-goroutine, measure(many)
		t.Logf("a wait takes %d B more than its goroutine, one of a batch %d B", perWait, inBatch)
		assert.LessOrEqual(t, perWait, int64(mostPerWait))
		assert.LessOrEqual(t, inBatch, int64(mostInBatch))
	})
}

// A poller that is never idle keeps nothing of the waits that are over.
//
//nolint:paralleltest // it measures the heap, which tests share
func TestABusyPollerForgetsWhatHasFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			i, _, err := pending(ctx, id)
			if id != "op_busy" {
				i.state = finished
			}
			return i, 0, err
		}
		p := s.poller(1000)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = p.Wait(ctx, "op_busy", endless, nil) }()
		waits := func() {
			for _, id := range numbered("op", 20_000) {
				_, err := p.Wait(t.Context(), id, endless, nil)
				require.NoError(t, err)
			}
			clear(s.asked)
		}
		waits()
		before := heap()
		waits()
		assert.Less(t, heap()-before, int64(1<<20))
		cancel()
		synctest.Wait()
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
