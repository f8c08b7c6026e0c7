package simulation_test

import (
	"context"
	"errors"
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
)

var storeFaults = []string{claimFails, claimReplyLost, claimSlow, completeFails, completeLost, releaseFails}

// shakyInbox is a MemoryInbox behind a connection that fails. It stands for a shared one: it outlives the process.
type shakyInbox struct {
	m     *merchant
	store *intram.MemoryInbox

	mu  sync.Mutex
	ops map[string]int
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

// eventOf is what the event with a key is called. Keys are made of operation ids, which come in the order of the calls and may
// not be the same in a replay; names are.
func (w *world) eventOf(key string) string {
	w.mu.Lock()
	name := w.names[key]
	w.mu.Unlock()
	if name != "" {
		return name
	}
	for _, e := range w.server.Events() { // one that was not delivered yet
		w.named(intram.Event{Type: e.Type, OperationID: e.OperationID, Raw: e.Body}, textOf(e.Body, "reference"))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names[key]
}

// named notes what an event is called.
func (w *world) named(event intram.Event, reference string) {
	key := event.InboxKey()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[key] = reference + " " + string(event.Type)
}

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

// Complete implements intram.Inbox. It does not fail for as long as the SDK tries: a store that does leaves only a transaction.
func (s *shakyInbox) Complete(ctx context.Context, claim intram.Claim) error {
	at := s.at("complete ", claim.Key)
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
	if s.strikes(s.at("release ", claim.Key), releaseFails, 15) {
		return errStore
	}
	return s.store.Release(ctx, claim)
}
