package intram

import (
	"context"
	"sync"
	"time"
)

// DefaultReconcileHorizon is how long the [Reconciler] keeps what has not ended in view, from its creation on.
const DefaultReconcileHorizon = 30 * 24 * time.Hour

// maxPendingLookups is how many operations that are kept in view one run looks up. Those it has not seen for longest
// come first.
const maxPendingLookups = 500

// InboxHorizon is what an [Inbox] can be besides. It bounds how far back [Reconciler.Run] looks; an inbox that does not say remembers for
// [InboxRetention].
type InboxHorizon interface {
	// Horizon returns how long what took effect is remembered at least.
	Horizon() time.Duration
}

// PendingStore is what an [Inbox] can be besides: it keeps what the [Reconciler] has to look up again, over restarts and for all
// replicas. pginbox and redisinbox are one; without one the Reconciler keeps it in memory, and forgets it with its process.
type PendingStore interface {
	// KeepPending stores or replaces operations under their ids, and forgets those that have ended.
	KeepPending(ctx context.Context, scope string, pending []PendingOperation, ended []string) error
	// Pending returns what is kept for the scope, in any order.
	Pending(ctx context.Context, scope string) ([]PendingOperation, error)
}

// PendingOperation is an operation that the [Reconciler] keeps in view: it had not ended, or an event of it had not taken effect.
type PendingOperation struct {
	ID        string
	CreatedAt time.Time
	// Since is a time before which none of the operation's events had taken effect but those in Told.
	Since time.Time
	// Told are the events that have taken effect.
	Told []EventType
}

// WithReconcileHorizon sets how long after its creation a [Reconciler] keeps an operation in view that has not ended,
// [DefaultReconcileHorizon] unless set: a payment link that was not paid, a bank payout that was not settled. What is
// older is reported once as a failure, and dropped. It does nothing for a handler.
func WithReconcileHorizon(d time.Duration) HandlerOption {
	return func(cfg *handlerConfig) { cfg.horizon = d }
}

// Horizon implements [InboxHorizon].
func (m *MemoryInbox) Horizon() time.Duration { return max(m.Retention, InboxRetention) }

// horizonOf is how long an inbox remembers at least.
func horizonOf(inbox Inbox) time.Duration {
	if says, ok := inbox.(InboxHorizon); ok {
		return max(says.Horizon(), InboxRetention)
	}
	return InboxRetention
}

// pendingStoreOf is the inbox's own store of what is pending, or one in memory.
func pendingStoreOf(inbox Inbox) PendingStore {
	if store, ok := inbox.(PendingStore); ok {
		return store
	}
	return new(memoryPending)
}

// memoryPending is a PendingStore of one process and one scope.
type memoryPending struct {
	mu    sync.Mutex
	items map[string]PendingOperation
}

func (m *memoryPending) KeepPending(_ context.Context, _ string, pending []PendingOperation, ended []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = make(map[string]PendingOperation)
	}
	for _, p := range pending {
		m.items[p.ID] = p
	}
	for _, id := range ended {
		delete(m.items, id)
	}
	return nil
}

func (m *memoryPending) Pending(context.Context, string) ([]PendingOperation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]PendingOperation, 0, len(m.items))
	for _, p := range m.items {
		all = append(all, p)
	}
	return all, nil
}
