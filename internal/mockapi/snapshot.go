package mockapi

import (
	"errors"
	"time"
)

// Snapshot is a server's state at a moment: money, objects, subscriptions, deliveries,
// idempotency keys, faults, what is scheduled, and the randomness to come. Merchants and
// their settings are not part of it, nor is the journal of requests.
type Snapshot struct {
	server *Server
	state  state
	worker WorkerMode
	keys   []*execution
	faults keptFaults
	now    time.Time
	tasks  []task
	random uint64
}

// Snapshot waits until no delivery is under way and keeps the state.
func (s *Server) Snapshot() *Snapshot {
	s.waitIdle(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := &Snapshot{server: s, state: s.state.clone(), worker: s.worker, keys: s.keys.keep(), random: s.entropy.state.Load()}
	snap.now, snap.tasks = s.clock.keep()
	snap.faults = s.faults.keep()
	return snap
}

// Restore goes back to a snapshot of this server, any number of times. A frozen clock
// goes back too; a running one does not, and what the snapshot had scheduled for a time
// that has passed runs at once.
func (s *Server) Restore(snap *Snapshot) error {
	if snap == nil || snap.server != s {
		return errors.New("intramtest: Restore: the snapshot is not one of this server")
	}
	s.waitIdle(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, accounts := s.state.books, s.state.ledger.accounts
	s.state = snap.state.clone()
	for _, a := range accounts { // accounts keep their numbers, also those that opened since
		s.state.ledger.account(a.name)
	}
	for a := range opened {
		if s.state.books[a] == nil {
			s.state.books[a] = &book{} // a merchant added since: known, with nothing
		}
	}
	s.worker = snap.worker
	s.keys.restore(snap.keys)
	s.entropy.state.Store(snap.random)
	s.clock.restore(snap.now, snap.tasks)
	s.faults.restore(snap.faults)
	s.recorder = nil // it knows of other objects
	s.notify()
	return nil
}
