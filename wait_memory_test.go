//go:build !race

package intram_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// mostPerWait bounds what a pending wait costs, in bytes.
const mostPerWait = 600

// What a pending wait costs, besides its caller's goroutine.
//
//nolint:paralleltest // it measures the heap, which tests share
func TestPendingWaitsAreSmall(t *testing.T) {
	const n = 10_000
	s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
		id := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
		return answer(200, `{"error":false,"data":{"operation_id":"`+id+`","type":"payout","status":"processing","env":"sandbox","attempts":1}}`)(req)
	}}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("op_%05d", i)
	}
	measure := func(wait func(ctx context.Context, id string), waiting func() int) int64 {
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		before := heap()
		for _, id := range ids {
			wg.Go(func() { wait(ctx, id) })
		}
		for waiting() < n {
			runtime.Gosched()
		}
		after := heap()
		cancel()
		wg.Wait()
		return (after - before) / n
	}
	never := make(chan struct{})
	var begun atomic.Int64
	idle := func(ctx context.Context, _ string) {
		begun.Add(1)
		select { // a goroutine that waits for two things at once, as any caller's does
		case <-ctx.Done():
		case <-never:
		}
	}
	var client *intram.Client
	wait := func(ctx context.Context, id string) { _, _ = client.WaitForOperation(ctx, id) }
	many := func(ctx context.Context, id string) {
		if id == ids[0] {
			for op, err := range client.WaitMany(ctx, ids) {
				_, _ = op, err
			}
		}
	}
	pending := func() int { return intram.PendingWaits(client) }
	var ones, ofMany []int64
	for round := range 6 {
		// Without the tracer of newClient, which has its own memory.
		var err error
		client, err = intram.NewClient(publicKey, secretKey, intram.WithHTTPClient(&http.Client{Transport: s}), intram.WithPollRate(1))
		require.NoError(t, err)
		begun.Store(0)
		goroutine := measure(idle, func() int { return int(begun.Load()) })
		one, many := measure(wait, pending)-goroutine, measure(many, pending)
		if round > 0 { // the first makes what the runtime keeps for the others
			ones, ofMany = append(ones, one), append(ofMany, many)
		}
	}
	// A map that has just grown takes more than another, and a busy machine has calls
	// under way that are counted too: what all rounds take is what a wait takes.
	slices.Sort(ones)
	slices.Sort(ofMany)
	t.Logf("a wait is %d B more than its goroutine (%d to %d), one of many %d B", ones[0], ones[0], ones[4], ofMany[0])
	assert.LessOrEqual(t, ones[0], int64(mostPerWait))
	assert.LessOrEqual(t, ofMany[0], int64(mostPerWait))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
