package simulation_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

// The ways the inbox's store goes wrong.
const (
	claimFails     = "inbox: a claim fails"
	claimReplyLost = "inbox: a claim is made and its reply lost"
	claimSlow      = "inbox: a claim takes too long"
	completeFails  = "inbox: a completion fails, and succeeds later"
	completeLost   = "inbox: a completion is made and its reply lost"
	releaseFails   = "inbox: a release fails"
	storeAway      = "inbox: the store is away for a while"
	awayOnComplete = "inbox: the store is away when an effect was made"
)

var storeFaults = []string{claimFails, claimReplyLost, claimSlow, completeFails, completeLost, releaseFails, storeAway, awayOnComplete}

// shakyInbox is a MemoryInbox behind a connection that fails. It stands for a shared one:
// it outlives the process.
type shakyInbox struct {
	m     *merchant
	store *intram.MemoryInbox

	mu     sync.Mutex
	ops    map[string]int
	away   time.Time            // until when the store is
	leases map[string]time.Time // when the present claim of a key ends
}

// inboxRemembers is longer than a run in trouble by the 12 h that the reconciler allows
// for clocks, so that each of its runs can look at all of it.
const inboxRemembers = intram.InboxRetention + 12*time.Hour

// Horizon implements [intram.InboxHorizon].
func (s *shakyInbox) Horizon() time.Duration { return s.store.Horizon() }

// keepsAway makes the store fail for 1 to 40 s, as a failover does. It reports whether it
// does so now.
//
// An effect without a transaction of its own is forgotten if the store stays away until
// the lease ends, as docs/webhooks.md says. So it is back a little before that.
func (s *shakyInbox) keepsAway(at chance, key, now string) bool {
	w := s.m.w
	if w.calm.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.clock.Now().Before(s.away) {
		if !at.of("away").percent(2) {
			return false
		}
		s.away = w.clock.Now().Add(at.of("away for").between(time.Second, 40*time.Second))
	}
	if now == awayOnComplete && !s.m.transactional && !w.clock.Now().Before(s.leases[key].Add(-3*time.Second)) {
		s.away = time.Time{}
		return false
	}
	w.tally.saw(now)
	return true
}

var errStore = errors.New("the inbox's store has gone away")

// at is the chance of this operation on this key.
func (s *shakyInbox) at(what, key string) chance {
	what += s.m.w.eventOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops[what]++
	return s.m.chance.of(what, s.ops[what])
}

// eventOf is what the event with a key is called. Keys are made of operation ids, which
// come in the order of the calls and may not be the same in a replay; names are.
func (w *world) eventOf(key string) string {
	w.mu.Lock()
	name := w.names[key]
	w.mu.Unlock()
	if name != "" {
		return name
	}
	for _, e := range w.server.Events() { // one that was not delivered yet
		reference := textOf(e.Body, "reference")
		w.merchantOf(reference).named(intram.Event{Type: e.Type, OperationID: e.OperationID, Raw: e.Body}, reference)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names[key]
}

// named notes what one of the merchant's events is called, with and without its scope. A
// neighbour may claim it too.
func (m *merchant) named(event intram.Event, reference string) {
	w, name := m.w, reference+" "+string(event.Type)
	keys := map[string]string{event.InboxKey(): name}
	for _, other := range []*merchant{m, m.neighbour()} {
		if other != nil && other.scope() != "" {
			event.Scope = other.scope()
			keys[event.InboxKey()] = name + " of " + other.name
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.names, keys)
}

// merchantOf is whose payout has the reference.
func (w *world) merchantOf(reference string) *merchant {
	for _, m := range w.merchants {
		if m.owns(reference) {
			return m
		}
	}
	w.violate(reference, "is no merchant's")
	return w.merchants[0]
}

func (m *merchant) owns(reference string) bool { return strings.HasPrefix(reference, m.name+"-") }

func (s *shakyInbox) strikes(at chance, fault string, percent int) bool {
	if s.m.w.calm.Load() || !at.of(fault).percent(percent) {
		return false
	}
	s.m.w.tally.saw(fault)
	return true
}

// Claim implements intram.Inbox.
func (s *shakyInbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	at := s.at("claim ", key)
	if s.keepsAway(at, key, storeAway) {
		return intram.Claim{}, errStore
	}
	if s.strikes(at, claimFails, 4) {
		return intram.Claim{}, errStore
	}
	if s.strikes(at, claimSlow, 2) {
		<-ctx.Done()
		return intram.Claim{}, ctx.Err()
	}
	claim, err := s.store.Claim(ctx, key, lease)
	if err != nil {
		return claim, err
	}
	switch claim.State {
	case intram.ClaimHeld:
		s.mu.Lock()
		s.leases[key] = s.m.w.clock.Now().Add(lease)
		s.mu.Unlock()
	case intram.ClaimBusy:
		s.m.w.tally.saw("event: claimed elsewhere")
	case intram.ClaimDone:
		s.m.w.tally.saw("event: known already")
	}
	if s.strikes(at, claimReplyLost, 3) {
		return intram.Claim{}, errStore
	}
	return claim, nil
}

// Complete implements intram.Inbox. It does not fail until the lease ends: a store that
// does leaves only a transaction.
func (s *shakyInbox) Complete(ctx context.Context, claim intram.Claim) error {
	at := s.at("complete ", claim.Key)
	if s.keepsAway(at, claim.Key, awayOnComplete) {
		return errStore
	}
	if s.strikes(at, completeFails, 8) {
		return errStore
	}
	err := s.store.Complete(ctx, claim)
	if err == nil && s.strikes(at, completeLost, 5) {
		return errStore
	}
	return err
}

// Release implements intram.Inbox.
func (s *shakyInbox) Release(ctx context.Context, claim intram.Claim) error {
	at := s.at("release ", claim.Key)
	if s.keepsAway(at, claim.Key, storeAway) || s.strikes(at, releaseFails, 15) {
		return errStore
	}
	return s.store.Release(ctx, claim)
}
