//go:build !race

package poll_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// A wait takes at most so many bytes besides its goroutine, also when its item was seen.
//
//nolint:paralleltest // it measures the heap, which tests share
func TestPendingWaitsAreSmall(t *testing.T) {
	const n, mostPerWait, mostInBatch = 10_000, 600, 420
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
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
