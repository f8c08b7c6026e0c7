package simulation_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a run is small and short: collecting its garbage would cost a third of the time
	goleak.VerifyTestMain(m)
}

var (
	seeds    = flag.Int("seeds", 200, "how many seeds TestSimulation runs")
	from     = flag.Uint64("from", 1, "the first of them")
	oneSeed  = flag.Uint64("seed", 0, "run this seed only, and show its trace")
	allTrace = flag.Bool("trace", false, "with -seed, show the trace of everybody")
)

// everything is the number of seeds from which on each kind of trouble must have come
// about.
const everything = 200

func TestSimulation(t *testing.T) {
	t.Parallel()
	tally := newTally()
	if *oneSeed != 0 {
		w := simulate(t, *oneSeed, tally)
		if w != nil {
			t.Logf("seed %d: %d violations, digest %016x\n%s", *oneSeed, len(w.violations), w.digest(), w.story("", *allTrace || len(w.violations) == 0))
		}
		return
	}
	shards := min(*seeds, 2*runtime.GOMAXPROCS(0))
	t.Cleanup(func() { // when all shards have ended
		if *seeds >= everything && !t.Failed() {
			assert.Empty(t, tally.missing(), "this never happened in %d seeds, so that nothing was proved about it", *seeds)
		}
		if testing.Verbose() {
			t.Logf("%d seeds of %d payouts:\n%s", *seeds, merchants*ordersPerMerchant, tally)
		}
	})
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
			t.Parallel()
			for n := shard; n < *seeds && !t.Failed(); n += shards {
				simulate(t, *from+uint64(n), tally)
			}
		})
	}
}

// simulate runs a seed, and fails the test with the command that replays it.
func simulate(t *testing.T, seed uint64, tally *tally) (w *world) {
	t.Helper()
	defer func() {
		// A bubble with a goroutine that never ends panics.
		if stuck := recover(); stuck != nil {
			t.Errorf("seed %d: %v\n%s", seed, stuck, replay(seed))
			if w != nil {
				t.Log(w.story("", true))
			}
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var err error
		w, err = newWorld(ctx, seed, tally)
		require.NoError(t, err)
		w.run()
	})
	if len(w.violations) > 0 {
		first := w.violations[0]
		about, _, _ := strings.Cut(first, ":")
		about, _, _ = strings.Cut(about, " ")
		t.Errorf("seed %d: %d violations, the first of them\n  %s\n%s\nwhat led there:\n%s",
			seed, len(w.violations), strings.Join(w.violations[:min(5, len(w.violations))], "\n  "), replay(seed), w.story(about, false))
	}
	return w
}

func replay(seed uint64) string {
	return fmt.Sprintf("replay it with: go test ./internal/simulation -run '^TestSimulation$' -count=1 -v -seed=%d", seed)
}

func TestASeedReplaysTheSameRun(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 5; seed++ {
		first, second := simulate(t, seed, newTally()), simulate(t, seed, newTally())
		assert.Equal(t, first.digest(), second.digest(), "seed %d went two ways", seed)
	}
}
