package simulation_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// What a run is made of.
const (
	merchants         = 5
	ordersPerMerchant = 10
	// ordersWithin is how long after the start new payouts come in, and troubleFor how
	// long things go wrong. What is unfinished then is finished on a network that works.
	ordersWithin = 6 * time.Hour
	troubleFor   = 36 * time.Hour
	// deliveriesEnd is longer than the whole schedule of a delivery, 14.6 h.
	deliveriesEnd = 15 * time.Hour
)

// world is one run: everything of one seed.
type world struct {
	seed      uint64
	chance    chance
	server    *intramtest.Server
	clock     intram.Clock // the fake's, which all waiting goes through
	began     time.Time
	tally     *tally
	merchants []*merchant

	calm atomic.Bool     // nothing goes wrong any more
	over chan struct{}   // closed when all is checked: what "died" may end now
	ctx  context.Context //nolint:containedctx // the run's own life
	wg   sync.WaitGroup

	open atomic.Int64 // response bodies that were handed out and not closed

	mu         sync.Mutex
	trace      []line
	violations []string
	names      map[string]string // of events, by their key
}

// line is one thing that happened.
type line struct {
	at        time.Duration
	who, what string
	detail    string
}

// do runs f beside the run. The world ends when all of them have.
func (w *world) do(f func()) { w.wg.Go(f) }

// now returns how far the run is.
func (w *world) now() time.Duration { return w.clock.Now().Sub(w.began) }

// sleep waits in virtual time, and reports whether ctx lasted as long.
func (w *world) sleep(ctx context.Context, d time.Duration) bool { return w.clock.Sleep(ctx, d) == nil }

// note adds a line to the trace.
func (w *world) note(who, what, detail string) {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, line{at, who, what, detail})
}

// violate records that a promise was broken.
func (w *world) violate(who, format string, args ...any) {
	text := who + ": " + fmt.Sprintf(format, args...)
	w.note(who, "VIOLATION", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, text)
}

// require calls violate unless ok.
func (w *world) require(ok bool, who, format string, args ...any) {
	if !ok {
		w.violate(who, format, args...)
	}
}

// lines returns the trace in order of time, and what happens at once in an order of its
// own: two goroutines that wake at the same moment run in any.
func (w *world) lines() []line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(w.trace), func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.who, b.who))
	})
}

// story returns the trace of the merchant that a violation names, or the whole one.
func (w *world) story(about string, all bool) string {
	var b strings.Builder
	for _, l := range w.lines() {
		if all || strings.HasPrefix(l.who, about) || strings.Contains(l.detail, about) {
			fmt.Fprintf(&b, "  %14s  %-14s %s %s\n", l.at.Round(time.Microsecond), l.who, l.what, l.detail)
		}
	}
	return b.String()
}

// digest returns a hash of the whole trace: the same for two runs in which the same
// things happened at the same times.
func (w *world) digest() uint64 {
	h := chance(0)
	for _, l := range w.lines() {
		h = h.of(l.who, int(l.at)).of(l.what).of(l.detail)
	}
	return uint64(h)
}

// newWorld starts the fake and the merchants.
func newWorld(ctx context.Context, seed uint64, tally *tally) (*world, error) {
	w := &world{seed: seed, chance: chance(mix(seed)), tally: tally, over: make(chan struct{}), ctx: ctx, names: map[string]string{}}
	worker := intramtest.After(w.chance.of("worker").between(time.Second, 40*time.Second))
	switch w.chance.of("worker mode").below(10) {
	case 0, 1, 2:
		worker = intramtest.AtOnce()
	case 3:
		worker = intramtest.AfterPolls(3)
	}
	server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithSeed(mix(seed)|1),
		intramtest.WithWorker(worker), intramtest.WithJournalSize(1024),
		intramtest.WithDeliveryAttempts(5+w.chance.of("delivery attempts").below(2)))
	if err != nil {
		return nil, err
	}
	w.server, w.clock = server, server.Clock()
	w.began = w.clock.Now()
	for n := range merchants {
		m, err := newMerchant(ctx, w, n)
		if err != nil {
			return nil, err
		}
		w.merchants = append(w.merchants, m)
	}
	return w, nil
}

// run lives through the whole of it. It returns when nothing is left to happen.
func (w *world) run() {
	ctx := w.ctx
	for _, m := range w.merchants {
		m.start()
	}
	w.do(w.backOffice)
	w.sleep(ctx, troubleFor)

	w.calm.Store(true)
	w.note("world", "calm", "")
	for _, m := range w.merchants {
		m.revive()
	}
	for _, m := range w.merchants {
		m.finishOrders(ctx)
	}
	w.settleAll(ctx, false)
	w.sleep(ctx, deliveriesEnd)
	w.settleDaysLater(ctx)
	for _, m := range w.merchants {
		m.reconcileAll(ctx)
	}
	w.check(ctx)
	for _, m := range w.merchants {
		m.stop()
	}
	close(w.over)
	w.wg.Wait()
	w.require(w.open.Load() == 0, "world", "%d response bodies were not closed", w.open.Load())
	w.server.Close()
}
