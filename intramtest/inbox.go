package intramtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
)

// InboxStore is a store whose [intram.Inbox] is to be tested, empty when the test gets
// it.
type InboxStore struct {
	// Open returns an Inbox on the store, as one more replica would have it. Required; an
	// inbox that lives in one process returns the same one each time.
	Open func(t *testing.T) intram.Inbox
	// Pass lets time go by on the clock that leases run by; a negative duration sets it
	// back. Required. What cannot set its clock moves the times it has stored the other
	// way.
	Pass func(t *testing.T, d time.Duration)
	// Restart stops the store's server and starts it again, without warning to the
	// inboxes that are open. Optional.
	Restart func(t *testing.T)
}

// TestInbox runs the suite that every [intram.Inbox] must pass: one holder at a time,
// fencing, crashes between each two steps, leases that run out, clocks that jump,
// restarts, and ten thousand keys. newStore is called once for each test.
//
//	func TestMyInbox(t *testing.T) {
//		intramtest.TestInbox(t, func(t *testing.T) intramtest.InboxStore { … })
//	}
func TestInbox(t *testing.T, newStore func(t *testing.T) InboxStore) { //nolint:tparallel // whether it runs in parallel is its caller's to say
	t.Helper()
	for _, c := range inboxCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			if store.Open == nil || store.Pass == nil {
				t.Fatal("intramtest: an InboxStore needs Open and Pass")
			}
			c.run(&inboxTest{T: t, store: store, Inbox: store.Open(t)})
		})
	}
}

const inboxLease = time.Minute

var inboxCases = []struct {
	name string
	run  func(*inboxTest)
}{
	{"a key goes from unknown to claimed to done", (*inboxTest).lifecycle},
	{"a released key can be claimed at once", (*inboxTest).release},
	{"keys do not disturb each other", (*inboxTest).independence},
	{"a claim without a key or a lease is refused", (*inboxTest).invalid},
	{"a context that has ended claims nothing", (*inboxTest).endedContext},
	{"only its holder ends a claim", (*inboxTest).fencing},
	{"a completed claim stays completed", (*inboxTest).completedTwice},
	{"what was noted with a completion stays with the key", (*inboxTest).note},
	{"what is pending is kept, if the inbox keeps it", (*inboxTest).pending},
	{"a lease runs out", (*inboxTest).expiry},
	{"a late holder completes what has not been claimed since", (*inboxTest).lateCompletion},
	{"a lost lease is seen", (*inboxTest).lostLease},
	{"a lost lease is seen after the next holder gave up", (*inboxTest).lostAndReleased},
	{"a crash after claiming, before the effect or after it", (*inboxTest).crashAfterClaim},
	{"a crash after completing", (*inboxTest).crashAfterComplete},
	{"a crash after releasing", (*inboxTest).crashAfterRelease},
	{"a clock that is set back", (*inboxTest).clockBack},
	{"a clock that is set forward", (*inboxTest).clockForward},
	{"what is done is remembered for three days", (*inboxTest).retention},
	{"one of many claims at once", (*inboxTest).concurrency},
	{"one completion, whatever the others do", (*inboxTest).contention},
	{"a restart of the store", (*inboxTest).restart},
	{"ten thousand keys", (*inboxTest).tenThousand},
}

// inboxTest is one test of the suite, with an inbox on the store.
type inboxTest struct {
	*testing.T
	intram.Inbox
	store InboxStore
}

// state claims the key through an inbox of its own and gives it back if it got it: what
// is this key?
func (t *inboxTest) state(key string) intram.ClaimState {
	t.Helper()
	claim := t.claim(key)
	if claim.State == intram.ClaimHeld {
		if err := t.Release(t.Context(), claim); err != nil {
			t.Fatalf("Release(%s): %v", key, err)
		}
	}
	return claim.State
}

// claim claims a key and checks that the Claim is complete.
func (t *inboxTest) claim(key string) intram.Claim {
	t.Helper()
	claim, err := t.Claim(t.Context(), key, inboxLease)
	if err != nil {
		t.Fatalf("Claim(%s): %v", key, err)
	}
	if claim.Key != key {
		t.Fatalf("Claim(%s) returned the key %q", key, claim.Key)
	}
	switch claim.State {
	case intram.ClaimHeld:
		if claim.Token == "" {
			t.Fatalf("Claim(%s) is held, and has no token", key)
		}
	case intram.ClaimBusy:
		if claim.RetryIn <= 0 || claim.RetryIn > inboxLease {
			t.Fatalf("Claim(%s) is busy, and RetryIn is %v, want more than 0 and at most the lease of %v", key, claim.RetryIn, inboxLease)
		}
	case intram.ClaimDone:
	default:
		t.Fatalf("Claim(%s) returned the state %v", key, claim.State)
	}
	return claim
}

// hold claims a key that must be free.
func (t *inboxTest) hold(key string) intram.Claim {
	t.Helper()
	claim := t.claim(key)
	if claim.State != intram.ClaimHeld {
		t.Fatalf("Claim(%s) is %v, want held", key, claim.State)
	}
	return claim
}

func (t *inboxTest) want(key string, want intram.ClaimState) {
	t.Helper()
	if got := t.state(key); got != want {
		t.Fatalf("Claim(%s) is %v, want %v", key, got, want)
	}
}

func (t *inboxTest) complete(claim intram.Claim) {
	t.Helper()
	if err := t.Complete(t.Context(), claim); err != nil {
		t.Fatalf("Complete(%s): %v", claim.Key, err)
	}
}

func (t *inboxTest) lost(what string, err error) {
	t.Helper()
	if !errors.Is(err, intram.ErrLeaseLost) {
		t.Fatalf("%s: %v, want ErrLeaseLost", what, err)
	}
}

func (t *inboxTest) pass(d time.Duration) {
	t.Helper()
	t.store.Pass(t.T, d)
}

// replica returns another process's view of the store.
func (t *inboxTest) replica() *inboxTest {
	t.Helper()
	return &inboxTest{T: t.T, store: t.store, Inbox: t.store.Open(t.T)}
}

func (t *inboxTest) lifecycle() {
	claim := t.hold("key")
	t.replica().want("key", intram.ClaimBusy)
	t.complete(claim)
	t.replica().want("key", intram.ClaimDone)
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) release() {
	first := t.hold("key")
	if err := t.Release(t.Context(), first); err != nil {
		t.Fatalf("Release: %v", err)
	}
	second := t.replica().hold("key")
	if second.Token == first.Token {
		t.Fatal("two claims of a key have one token")
	}
	t.complete(second)
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) independence() {
	keys := []string{"a", "A", "a ", "a:b", "b", "clé", `"\'%_*?[`, fmt.Sprintf("%0200d", 0), fmt.Sprintf("%0199d", 0)}
	claims := make([]intram.Claim, len(keys))
	for i, key := range keys {
		claims[i] = t.hold(key)
	}
	for i, key := range keys {
		t.want(key, intram.ClaimBusy)
		if i%2 == 0 {
			t.complete(claims[i])
		} else if err := t.Release(t.Context(), claims[i]); err != nil {
			t.Fatalf("Release(%s): %v", key, err)
		}
	}
	for i, key := range keys {
		if i%2 == 0 {
			t.want(key, intram.ClaimDone)
		} else {
			t.want(key, intram.ClaimHeld)
		}
	}
}

func (t *inboxTest) invalid() {
	for _, c := range []struct {
		key   string
		lease time.Duration
	}{{"", inboxLease}, {"key", 0}, {"key", -time.Second}} {
		if _, err := t.Claim(t.Context(), c.key, c.lease); !errors.Is(err, intram.ErrInvalidClaim) {
			t.Errorf("Claim(%q, %v): %v, want ErrInvalidClaim", c.key, c.lease, err)
		}
	}
	t.lost("Complete of no claim", t.Complete(t.Context(), intram.Claim{}))
	t.lost("Release of no claim", t.Release(t.Context(), intram.Claim{}))
	t.lost("Complete of an unknown key", t.Complete(t.Context(), intram.Claim{Key: "key", Token: "1"}))
	t.want("key", intram.ClaimHeld)
}

func (t *inboxTest) endedContext() {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if claim, err := t.Claim(ended, "key", inboxLease); err == nil {
		t.Fatalf("Claim with a context that has ended is %v, want an error", claim.State)
	}
	claim := t.hold("key")
	if err := t.Complete(ended, claim); err == nil {
		t.Fatal("Complete with a context that has ended succeeded")
	}
	t.want("key", intram.ClaimBusy)
	t.complete(claim)
}

func (t *inboxTest) fencing() {
	claim := t.hold("key")
	for _, token := range []string{"", "0", claim.Token + "0"} {
		forged := intram.Claim{Key: "key", State: intram.ClaimHeld, Token: token}
		t.lost("Complete with another token", t.Complete(t.Context(), forged))
		t.lost("Release with another token", t.Release(t.Context(), forged))
	}
	busy := t.replica().claim("key")
	t.lost("Complete by who was told busy", t.Complete(t.Context(), busy))
	t.lost("Release by who was told busy", t.Release(t.Context(), busy))
	t.want("key", intram.ClaimBusy)
	t.complete(claim)
	done := t.claim("key")
	t.lost("Release by who was told done", t.Release(t.Context(), done))
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) completedTwice() {
	claim := t.hold("key")
	t.complete(claim)
	t.complete(claim) // the first response may have been lost
	if err := t.replica().Complete(t.Context(), claim); err != nil {
		t.Fatalf("Complete again, over another connection: %v", err)
	}
	t.lost("Release of a completed claim", t.Release(t.Context(), claim))
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) note() {
	longest := strings.Repeat("é", intram.MaxClaimNote/2)
	for _, note := range []string{"", "1779273074000 5f3a", longest} {
		key := "noted " + note
		claim := t.hold(key)
		claim.Note = note
		t.complete(claim)
		claim.Note = "another" // the same claim's completion, sent again: the first one counts
		t.complete(claim)
		if done := t.replica().claim(key); done.State != intram.ClaimDone || done.Note != note {
			t.Fatalf("the claim is %v with note %q, want done with %q", done.State, done.Note, note)
		}
	}
	first := t.hold("failed")
	first.Note = "first"
	if err := t.Release(t.Context(), first); err != nil {
		t.Fatalf("Release: %v", err)
	}
	second := t.hold("failed")
	second.Note = "second"
	t.complete(second)
	if done := t.claim("failed"); done.Note != "second" {
		t.Fatalf("the note is %q, want that of the completion, \"second\"", done.Note)
	}
}

func (t *inboxTest) pending() {
	store, ok := t.Inbox.(intram.PendingStore)
	if !ok {
		return // it need not
	}
	keep := func(scope string, pending []intram.PendingOperation, ended ...string) {
		if err := store.KeepPending(t.Context(), scope, pending, ended); err != nil {
			t.Fatalf("KeepPending(%s): %v", scope, err)
		}
	}
	want := func(scope string, want ...string) {
		other, ok := t.replica().Inbox.(intram.PendingStore)
		if !ok {
			t.Fatal("Open returned an inbox that is no PendingStore, and one that is")
		}
		all, err := other.Pending(t.Context(), scope)
		if err != nil {
			t.Fatalf("Pending(%s): %v", scope, err)
		}
		var got []string
		for _, p := range all {
			got = append(got, fmt.Sprint(p.ID, " ", p.CreatedAt.UnixMilli(), " ", p.Since.UnixMilli(), " ", p.Since.IsZero(), " ", p.Told))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("Pending(%s) is %q, want %q", scope, got, want)
		}
	}
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	want("a")
	keep("a", []intram.PendingOperation{{ID: "op_1", CreatedAt: at, Since: at.Add(time.Second), Told: []intram.EventType{"a.b", "c.d"}}, {ID: "op_2"}})
	keep("b", []intram.PendingOperation{{ID: "op_1", CreatedAt: at, Since: at}})
	zero := time.Time{}.UnixMilli()
	first := fmt.Sprint("op_1 ", at.UnixMilli(), " ", at.UnixMilli(), " false []")
	want("a", fmt.Sprint("op_1 ", at.UnixMilli(), " ", at.UnixMilli()+1000, " false [a.b c.d]"), fmt.Sprint("op_2 ", zero, " ", zero, " true []"))
	want("b", first)
	keep("a", []intram.PendingOperation{{ID: "op_1", CreatedAt: at, Since: at}}, "op_2", "op_3")
	want("a", first)
	keep("a", nil, "op_1")
	want("a")
	want("b", first)
	var many []intram.PendingOperation
	for i := range 2500 {
		many = append(many, intram.PendingOperation{ID: fmt.Sprint("op_", i), Since: at})
	}
	keep("many", many)
	if all, err := store.Pending(t.Context(), "many"); err != nil || len(all) != len(many) {
		t.Fatalf("Pending is %d operations and %v, want %d", len(all), err, len(many))
	}
	if store, ok := t.Inbox.(intram.ReconcileStore); ok {
		t.parts(store)
	}
}

// parts asks for parts of what is pending, and for the cursor.
func (t *inboxTest) parts(store intram.ReconcileStore) {
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	var pending []intram.PendingOperation
	for i := range 10 { // op_0 was created first and seen last
		created := at.Add(time.Duration(i) * time.Millisecond)
		pending = append(pending, intram.PendingOperation{ID: fmt.Sprint("op_", i), CreatedAt: created, Since: at.Add(-time.Duration(i) * time.Hour)})
	}
	pending = append(pending, intram.PendingOperation{ID: "undated"})
	for _, scope := range []string{"parts", "parts of another"} {
		if err := store.KeepPending(t.Context(), scope, pending, nil); err != nil {
			t.Fatalf("KeepPending(%s): %v", scope, err)
		}
	}
	if err := store.KeepPending(t.Context(), "parts", nil, []string{"op_9"}); err != nil {
		t.Fatalf("KeepPending(parts): %v", err)
	}
	other, ok := t.replica().Inbox.(intram.ReconcileStore)
	if !ok {
		t.Fatal("Open returned an inbox that is no ReconcileStore, and one that is")
	}
	if n, err := other.CountPending(t.Context(), "parts"); err != nil || n != 10 {
		t.Fatalf("CountPending is %d and %v, want 10", n, err)
	}
	ids := func(pending []intram.PendingOperation, err error) (ids []string) {
		if err != nil {
			t.Fatalf("what is pending: %v", err)
		}
		for _, p := range pending {
			ids = append(ids, p.ID)
		}
		return ids
	}
	among := ids(other.PendingAmong(t.Context(), "parts", []string{"op_2", "op_9", "op_1", "op_x"}))
	if slices.Sort(among); !slices.Equal(among, []string{"op_1", "op_2"}) {
		t.Fatalf("PendingAmong is %q, want op_1 and op_2", among)
	}
	if none := ids(other.PendingAmong(t.Context(), "parts", nil)); len(none) > 0 {
		t.Fatalf("PendingAmong of no ids is %q", none)
	}
	before := ids(other.PendingBefore(t.Context(), "parts", at.Add(5*time.Millisecond), 4))
	if !slices.Equal(before, []string{"undated", "op_4", "op_3", "op_2"}) {
		t.Fatalf("PendingBefore is %q, want the undated one, and then op_4, op_3 and op_2, which were not seen for longest", before)
	}

	cursor := func(scope string, want intram.ReconcileCursor) {
		got, err := other.Cursor(t.Context(), scope)
		if err != nil || !got.Until.Equal(want.Until) || !got.Before.Equal(want.Before) || !got.Floor.Equal(want.Floor) || !got.Since.Equal(want.Since) {
			t.Fatalf("Cursor(%s) is %v and %v, want %v", scope, got, err, want)
		}
	}
	first := intram.ReconcileCursor{Until: at, Before: at.Add(-time.Millisecond), Floor: at.Add(-time.Hour), Since: at.Add(-48 * time.Hour)}
	second := intram.ReconcileCursor{Until: at, Before: at.Add(-time.Minute)}
	cursor("parts", intram.ReconcileCursor{})
	for _, save := range []intram.ReconcileCursor{first, second, {}, second} {
		if err := store.SaveCursor(t.Context(), "parts", save); err != nil {
			t.Fatalf("SaveCursor: %v", err)
		}
		cursor("parts", save)
		cursor("parts of another", intram.ReconcileCursor{})
	}
}

func (t *inboxTest) expiry() {
	t.hold("key")
	other := t.replica()
	t.pass(inboxLease / 2)
	if busy := other.claim("key"); busy.State != intram.ClaimBusy || busy.RetryIn > inboxLease/2 {
		t.Fatalf("half-way through the lease the claim is %v for %v, want busy for at most %v", busy.State, busy.RetryIn, inboxLease/2)
	}
	t.pass(inboxLease / 2)
	other.want("key", intram.ClaimHeld)
}

func (t *inboxTest) lateCompletion() {
	claim := t.hold("key")
	t.pass(3 * inboxLease)
	t.complete(claim)
	t.replica().want("key", intram.ClaimDone)
}

func (t *inboxTest) lostLease() {
	first := t.hold("key")
	t.pass(inboxLease)
	second := t.replica().hold("key")
	t.lost("Complete with a lost lease", t.Complete(t.Context(), first))
	t.lost("Release with a lost lease", t.Release(t.Context(), first))
	t.want("key", intram.ClaimBusy)
	t.complete(second)
	t.lost("Complete with a lost lease, once the key is done", t.Complete(t.Context(), first))
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) lostAndReleased() {
	first := t.hold("key")
	t.pass(inboxLease)
	other := t.replica()
	if err := other.Release(t.Context(), other.hold("key")); err != nil {
		t.Fatalf("Release: %v", err)
	}
	t.lost("Complete with a lost lease", t.Complete(t.Context(), first))
	third := other.hold("key")
	t.lost("Complete with a lease lost twice", t.Complete(t.Context(), first))
	t.complete(third)
}

// A crash is a replica that does nothing any more. What it had claimed is another's when
// the lease has run out. The inbox cannot see whether the effect was there before the
// crash: a transaction closes that gap, or an effect that is idempotent.
func (t *inboxTest) crashAfterClaim() {
	t.replica().hold("key")
	t.want("key", intram.ClaimBusy)
	t.pass(inboxLease)
	t.complete(t.hold("key"))
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) crashAfterComplete() {
	crashed := t.replica()
	crashed.complete(crashed.hold("key"))
	t.want("key", intram.ClaimDone)
	t.pass(inboxLease)
	t.want("key", intram.ClaimDone)
}

func (t *inboxTest) crashAfterRelease() {
	crashed := t.replica()
	if err := crashed.Release(t.Context(), crashed.hold("key")); err != nil {
		t.Fatalf("Release: %v", err)
	}
	t.complete(t.hold("key"))
}

// After the clock was set back a lease must not last until the clock has come around.
func (t *inboxTest) clockBack() {
	t.pass(2 * time.Hour)
	done := t.hold("done")
	t.complete(done)
	claim := t.hold("key")
	t.pass(-time.Hour)
	t.want("key", intram.ClaimBusy) // claim checks that RetryIn is at most the lease
	t.want("done", intram.ClaimDone)
	t.pass(inboxLease)
	second := t.replica().hold("key")
	t.lost("Complete with a lost lease", t.Complete(t.Context(), claim))
	t.complete(second)
	t.want("key", intram.ClaimDone)
}

// After the clock was set forward a lease may be over early. No holder is told that it
// succeeded if it did not.
func (t *inboxTest) clockForward() {
	done := t.hold("done")
	t.complete(done)
	claim := t.hold("key")
	t.pass(time.Hour)
	second := t.replica().hold("key")
	t.lost("Complete with a lost lease", t.Complete(t.Context(), claim))
	t.complete(second)
	t.want("done", intram.ClaimDone)
}

func (t *inboxTest) retention() {
	claim := t.hold("key")
	t.complete(claim)
	for i := range 4 { // Intram's retries come over 14.6 hours, a person's over days
		t.pass(intram.InboxRetention/4 - time.Minute)
		t.complete(t.hold(fmt.Sprint("traffic ", i)))
		t.want("key", intram.ClaimDone)
	}
}

func (t *inboxTest) concurrency() {
	const replicas, claimants, rounds = 3, 12, 20
	inboxes := make([]*inboxTest, replicas)
	for i := range inboxes {
		inboxes[i] = t.replica()
	}
	for round := range rounds {
		key := fmt.Sprint("round ", round/2) // each key is released once before it is completed
		var (
			work sync.WaitGroup
			held atomic.Int32
			mu   sync.Mutex
			mine intram.Claim
		)
		for i := range claimants {
			work.Go(func() {
				claim, err := inboxes[i%replicas].Claim(t.Context(), key, inboxLease)
				switch {
				case err != nil:
					t.Errorf("Claim: %v", err)
				case claim.State == intram.ClaimHeld:
					held.Add(1)
					mu.Lock()
					mine = claim
					mu.Unlock()
				case claim.State != intram.ClaimBusy:
					t.Errorf("Claim is %v, want held or busy", claim.State)
				}
			})
		}
		work.Wait()
		if held.Load() != 1 {
			t.Fatalf("round %d: %d of %d claims at once are held, want 1", round, held.Load(), claimants)
		}
		if round%2 == 1 {
			t.complete(mine)
			t.want(key, intram.ClaimDone)
		} else if err := t.Release(t.Context(), mine); err != nil {
			t.Fatalf("Release: %v", err)
		}
	}
}

// contention lets workers fight for a few keys; some give up, some crash, and time
// passes.
func (t *inboxTest) contention() {
	const workers, keys = 6, 24
	var (
		work      sync.WaitGroup
		completed [keys]atomic.Int32
		steps     atomic.Int64
	)
	for worker := range workers {
		inbox := t.store.Open(t.T)
		work.Go(func() {
			for left, rounds := keys, 0; left > 0; rounds++ {
				if rounds == 100_000 {
					t.Errorf("%d keys were never done, though every lease ran out", left)
					return
				}
				left = 0
				for i := range keys {
					key := (i + worker) % keys
					claim, err := inbox.Claim(t.Context(), fmt.Sprint(key), inboxLease)
					if err != nil {
						t.Errorf("Claim: %v", err)
						return
					}
					if claim.State != intram.ClaimDone {
						left++
					}
					if claim.State != intram.ClaimHeld {
						continue
					}
					switch n := steps.Add(1); {
					case n < 5*keys && n%5 == 0: // a crash, and the lease runs out
						t.pass(inboxLease)
					case n < 5*keys && n%5 == 1:
						if err := inbox.Release(t.Context(), claim); err != nil && !errors.Is(err, intram.ErrLeaseLost) {
							t.Errorf("Release: %v", err)
						}
					default:
						if err := inbox.Complete(t.Context(), claim); err == nil {
							completed[key].Add(1)
						} else if !errors.Is(err, intram.ErrLeaseLost) {
							t.Errorf("Complete: %v", err)
						}
					}
				}
			}
		})
	}
	work.Wait()
	for key := range completed {
		if n := completed[key].Load(); n != 1 {
			t.Errorf("key %d was completed by %d claims, want 1", key, n)
		}
	}
}

func (t *inboxTest) restart() {
	done, held := t.hold("done"), t.hold("held")
	t.complete(done)
	if t.store.Restart != nil {
		t.store.Restart(t.T)
	}
	other := t.replica()
	other.want("done", intram.ClaimDone)
	other.want("held", intram.ClaimBusy)
	t.complete(held)
	other.want("held", intram.ClaimDone)
	t.complete(t.hold("new"))
}

func (t *inboxTest) tenThousand() {
	const keys, workers = 10_000, 8
	name := func(i int) string { return fmt.Sprintf("%064x", i) }
	each := func(do func(inbox intram.Inbox, key string, i int) error) {
		var work sync.WaitGroup
		for worker := range workers {
			inbox := t.store.Open(t.T)
			work.Go(func() {
				for i := worker; i < keys; i += workers {
					if err := do(inbox, name(i), i); err != nil {
						t.Errorf("key %d: %v", i, err)
						return
					}
				}
			})
		}
		work.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	each(func(inbox intram.Inbox, key string, i int) error {
		claim, err := inbox.Claim(t.Context(), key, inboxLease)
		switch {
		case err != nil:
			return err
		case claim.State != intram.ClaimHeld:
			return fmt.Errorf("a new key is %v", claim.State)
		case i%100 == 99:
			return nil // this replica crashed
		}
		return inbox.Complete(t.Context(), claim)
	})
	each(func(inbox intram.Inbox, key string, i int) error {
		claim, err := inbox.Claim(t.Context(), key, inboxLease)
		want := intram.ClaimDone
		if i%100 == 99 {
			want = intram.ClaimBusy
		}
		if err == nil && claim.State != want {
			err = fmt.Errorf("is %v, want %v", claim.State, want)
		}
		return err
	})
}
