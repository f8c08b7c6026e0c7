package intram_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// streamStore is an inbox that keeps the reconciler's cursor, as pginbox does. It counts
// what the reconciler hands it at once.
type streamStore struct {
	keepingInbox
	cursors map[string]intram.ReconcileCursor
	saved   func(intram.ReconcileCursor)
	largest int
}

func newStreamStore(inbox *intram.MemoryInbox) *streamStore {
	return &streamStore{
		keepingInbox: keepingInbox{inbox, make(map[string]intram.PendingOperation)},
		cursors:      make(map[string]intram.ReconcileCursor), saved: func(intram.ReconcileCursor) {},
	}
}

func (s *streamStore) KeepPending(ctx context.Context, scope string, pending []intram.PendingOperation, ended []string) error {
	s.largest = max(s.largest, len(pending)+len(ended))
	return s.keepingInbox.KeepPending(ctx, scope, pending, ended)
}

func (*streamStore) Pending(context.Context, string) ([]intram.PendingOperation, error) {
	return nil, errors.New("all of it at once")
}

func (s *streamStore) PendingAmong(_ context.Context, scope string, ids []string) (among []intram.PendingOperation, _ error) {
	s.largest = max(s.largest, len(ids))
	for _, id := range ids {
		if p, ok := s.pending[scope+" "+id]; ok {
			among = append(among, p)
		}
	}
	return among, nil
}

func (s *streamStore) PendingBefore(ctx context.Context, scope string, created time.Time, limit int) ([]intram.PendingOperation, error) {
	all, err := s.keepingInbox.Pending(ctx, scope)
	all = slices.DeleteFunc(all, func(p intram.PendingOperation) bool { return !p.CreatedAt.IsZero() && !p.CreatedAt.Before(created) })
	slices.SortFunc(all, func(a, b intram.PendingOperation) int { return a.Since.Compare(b.Since) })
	return all[:min(limit, len(all))], err
}

func (s *streamStore) CountPending(ctx context.Context, scope string) (int, error) {
	all, err := s.keepingInbox.Pending(ctx, scope)
	return len(all), err
}

func (s *streamStore) Cursor(_ context.Context, scope string) (intram.ReconcileCursor, error) {
	return s.cursors[scope], nil
}

func (s *streamStore) SaveCursor(_ context.Context, scope string, cursor intram.ReconcileCursor) error {
	s.saved(cursor)
	s.cursors[scope] = cursor
	return nil
}

// history is an API with a long history that is made as it is listed: n payouts, one
// every step and every tenth of them open, and each third one a payment request, paid.
type history struct {
	t     *testing.T
	now   time.Time
	step  time.Duration
	n     int
	lists func(kind string, before time.Time)
}

const historyTime = "2006-01-02T15:04:05.000Z"

func (h *history) RoundTrip(req *http.Request) (*http.Response, error) {
	kind := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
	before := h.now.Add(time.Millisecond)
	if text := req.URL.Query().Get("before"); text != "" {
		at, err := time.Parse(historyTime, text)
		require.NoError(h.t, err)
		before = at
	}
	if h.lists != nil {
		h.lists(kind, before)
	}
	// The i-th item was created i steps ago.
	first := int(h.now.Sub(before)/h.step) + 1
	if before.After(h.now) {
		first = 0
	}
	var items []string
	for i := first; i < min(first+100, h.n); i++ {
		at := h.now.Add(-time.Duration(i) * h.step).Format(historyTime)
		switch kind {
		case "operations":
			items = append(items, h.operation(i, at))
		case "transactions":
			items = append(items, fmt.Sprintf(`{"reference":"T%09d","status":"SUCCESS","type":"CREDIT","amount":500,"date":%q}`, i, at))
		default:
			h.t.Errorf("GET %s: every transaction is near its operation", req.URL.Path)
		}
	}
	next := "null"
	if first+100 < h.n {
		next = `"` + h.now.Add(-time.Duration(first+99)*h.step).Format(historyTime) + `"`
	}
	return answer(200, `{"error":false,"data":[`+strings.Join(items, ",")+`],"paging":{"limit":100,"next_before":`+next+`}}`)(req)
}

func (*history) operation(i int, at string) string {
	if i%3 == 0 {
		return fmt.Sprintf(`{"operation_id":"op_%d","type":"payment_request","status":"succeeded","date":%q,"result":{"transaction_reference":"T%09d","amount":500}}`, i, at, i)
	}
	status := `"succeeded","result":{"status":"completed","amount":500}`
	if i%10 == 1 {
		status = `"processing"`
	}
	return fmt.Sprintf(`{"operation_id":"op_%d","type":"payout","date":%q,"status":%s}`, i, at, status)
}

// knowing is an inbox that knows everything, and keeps nothing.
type knowing struct{ *streamStore }

func (knowing) Claim(_ context.Context, key string, _ time.Duration) (intram.Claim, error) {
	return intram.Claim{Key: key, State: intram.ClaimDone}, nil
}

// What a run holds does not grow with its window. Holding the lists took about 1.5 KB an
// operation: 300 MB for these.
func TestWhatARunHoldsDoesNotGrowWithItsWindow(t *testing.T) { //nolint:paralleltest // it measures the heap
	n := 200_000
	if raceDetector || testing.Short() {
		n = 20_000
	}
	var most, pages uint64
	h := &history{t: t, now: time.Now().UTC().Truncate(time.Millisecond), step: 100 * time.Millisecond, n: n}
	h.lists = func(string, time.Time) {
		if pages++; pages%50 == 0 {
			runtime.GC()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	client := newClient(t, h)
	inbox := knowing{newStreamStore(new(intram.MemoryInbox))}
	reconciler, err := intram.NewReconciler(client, inbox, func(context.Context, *intram.Event) error { return nil })
	require.NoError(t, err)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	result, err := reconciler.Run(t.Context(), h.now.Add(-48*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, n, result.Operations)
	assert.Equal(t, n, result.Transactions)
	assert.Empty(t, result.Failures)
	assert.Len(t, inbox.pending, result.Pending)
	assert.LessOrEqual(t, inbox.largest, 100, "handed to the store at once")
	kept := uint64(len(inbox.pending)) * 400 // the test's own store
	held := max(most, before.HeapAlloc) - before.HeapAlloc
	t.Logf("%d operations and as many transactions in %d requests: the heap grew by %d KB at most, %d KB of that by the test's own store", n, pages, held>>10, kept>>10)
	assert.Less(t, held, kept+10<<20)
}

// Failures are bounded too: a thousand are in the result, and the hook sees all of them.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	h := &history{t: t, now: time.Now().UTC().Truncate(time.Millisecond), step: time.Second, n: 3000}
	hooked := 0
	reconciler, err := intram.NewReconciler(newClient(t, h), newStreamStore(new(intram.MemoryInbox)), func(context.Context, *intram.Event) error {
		return errors.New("no")
	}, intram.WithFailureHook(func(f intram.ReconciliationFailure) {
		hooked++
		if hooked == 1 {
			panic(f.Err)
		}
	}))
	require.NoError(t, err)
	result, err := reconciler.Run(t.Context(), h.now.Add(-48*time.Hour))
	require.NoError(t, err)
	assert.Len(t, result.Failures, 1000)
	assert.Positive(t, result.FailuresLeftOut)
	assert.Equal(t, hooked, 1000+result.FailuresLeftOut)
	_, err = intram.NewReconciler(newClient(t, h), new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil }, intram.WithFailureHook(nil))
	require.ErrorContains(t, err, "WithFailureHook")
}

// A run that is killed is continued by another process, and does not begin anew.
func TestARunThatWasKilledIsContinued(t *testing.T) {
	t.Parallel()
	h := &history{t: t, now: time.Now().UTC().Truncate(time.Millisecond), step: time.Second, n: 5000}
	inbox := newStreamStore(new(intram.MemoryInbox))
	effects := make(map[string]int)
	newProcess := func() *intram.Reconciler {
		reconciler, err := intram.NewReconciler(newClient(t, h), inbox, func(_ context.Context, e *intram.Event) error {
			effects[string(e.Type)+" "+e.OperationID]++
			return nil
		})
		require.NoError(t, err)
		return reconciler
	}
	since := h.now.Add(-48 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	saves := 0
	inbox.saved = func(intram.ReconcileCursor) {
		if saves++; saves == 30 {
			cancel()
		}
	}
	_, err := newProcess().Run(ctx, since)
	require.ErrorIs(t, err, context.Canceled)
	listed := map[string]int{}
	oldest := h.now
	h.lists = func(kind string, before time.Time) {
		listed[kind]++
		if kind == "operations" && listed[kind] == 1 {
			oldest = before
		}
	}
	killedAt := inbox.cursors["live/"]
	require.False(t, killedAt.Before.IsZero())
	result, err := newProcess().Run(t.Context(), since)
	require.NoError(t, err)
	assert.True(t, result.Resumed)
	assert.WithinDuration(t, killedAt.Before, oldest, time.Millisecond, "it goes on where the other one had come to")
	// 20 pages are left, and what is newer than the first run is looked at again with its
	// overlap of a minute, in one.
	assert.LessOrEqual(t, listed["operations"], 23)
	assert.Zero(t, inbox.cursors["live/"])
	events := 0
	for i := range h.n {
		switch {
		case i%3 == 0:
			events += 2 // created and paid
		case i%10 != 1:
			events++
		}
	}
	assert.Len(t, effects, events)
	for id, n := range effects {
		assert.Equal(t, 1, n, id)
	}
	again, err := newProcess().Run(t.Context(), since)
	require.NoError(t, err)
	assert.False(t, again.Resumed)
	assert.Equal(t, 5000, again.Operations)
	assert.Zero(t, again.Missing)
}

// A reconciler whose runs never come to their end still comes to everything.
func TestRunsThatAreAllKilledComeToEverything(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	inbox := newStreamStore(r.inbox)
	var cancel context.CancelFunc
	left := 0
	inbox.saved = func(c intram.ReconcileCursor) {
		if left--; left == 0 && !c.Until.IsZero() {
			cancel()
		}
	}
	for range 250 {
		r.payout("22961000000")
		r.server.Advance(time.Second)
	}
	killed := 0
	for range 12 {
		for range 60 { // it goes on
			r.payout("22961000000")
			r.server.Advance(time.Second)
		}
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		left = 2
		_, err := r.newReconciler(inbox).Run(ctx, r.server.Now().Add(-48*time.Hour))
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			killed++
		}
		cancel()
	}
	require.Greater(t, killed, 3)
	left = 0
	require.NotZero(t, inbox.cursors["sandbox/"])
	for range 60 {
		r.payout("22961000000")
		r.server.Advance(2 * time.Second)
	}
	_, err := r.newReconciler(inbox).Run(t.Context(), r.server.Now().Add(-48*time.Hour))
	require.NoError(t, err)
	r.server.Advance(time.Minute)
	require.NoError(t, r.server.Idle(t.Context()))
	for id := range r.published() {
		assert.Equal(t, 1, r.effects[id], id)
	}
	assert.Len(t, slices.Collect(maps.Keys(r.effects)), 250+13*60)
}

// A since that lies further back than the interrupted run's looks at all of it.
func TestASinceFurtherBackLooksAtAllOfIt(t *testing.T) {
	t.Parallel()
	h := &history{t: t, now: time.Now().UTC().Truncate(time.Millisecond), step: time.Second, n: 4000}
	inbox := newStreamStore(new(intram.MemoryInbox))
	// A run from -10 min, interrupted by a second one that came to -5 min.
	inbox.cursors["live/"] = intram.ReconcileCursor{
		Until: h.now, Before: h.now.Add(-5 * time.Minute), Floor: h.now.Add(-8 * time.Minute), Since: h.now.Add(-10 * time.Minute),
	}
	for ago, operations := range map[time.Duration]int{
		9 * time.Minute:  3*60 + 1,  // from -5 to the floor at -8
		20 * time.Minute: 15*60 + 1, // from -5 to -20: beyond -10 no run has looked
		4 * time.Minute:  60 + 1,    // there is nothing left of it but the overlap
	} {
		store := newStreamStore(new(intram.MemoryInbox))
		maps.Copy(store.cursors, inbox.cursors)
		reconciler, err := intram.NewReconciler(newClient(t, h), store, func(context.Context, *intram.Event) error { return nil })
		require.NoError(t, err)
		result, err := reconciler.Run(t.Context(), h.now.Add(-ago))
		require.NoError(t, err)
		newer := 61 // the second walk, with its overlap of a minute
		if ago == 4*time.Minute {
			newer = 0
		}
		assert.InDelta(t, operations+newer, result.Operations, 1, "%s", ago)
		assert.Zero(t, store.cursors["live/"])
	}
}
