package intram

import (
	"container/list"
	"context"
	"strconv"
	"sync"
	"time"
)

// DefaultInboxCapacity is how many keys a [MemoryInbox] holds unless told otherwise. They take about 30 MB.
const DefaultInboxCapacity = 100_000

// MemoryInbox is an [Inbox] for a receiver that is a single process: it forgets everything when the process ends, so an event
// that is delivered again after a restart takes effect again. For real money use a shared one, pginbox or redisinbox.
//
// It is bounded. When it is full of keys that are too young to be forgotten, it claims no more and returns [ErrInboxFull],
// which the handler answers with a 503: a late event is better than one that takes effect twice.
//
// The zero value is ready to use. Do not change the fields once it is in use.
type MemoryInbox struct {
	// Capacity is how many keys are held at most; 0 and less mean [DefaultInboxCapacity].
	Capacity int
	// Retention is how long a key is remembered; less than [InboxRetention] means InboxRetention.
	Retention time.Duration
	// Clock is what leases run by; nil is the machine's.
	Clock Clock

	mu      sync.Mutex
	entries map[string]*memoryEntry
	done    list.List // the completed entries, oldest first
	held    list.List // the others, by the time of their claim
	claims  uint64
}

// memoryEntry is a key that is claimed or done.
type memoryEntry struct {
	key, token string
	note       string
	done       bool
	lease      time.Duration
	since      time.Time     // when it was claimed, and then when it was completed
	place      *list.Element // in the list it is in
}

// Claim implements [Inbox].
func (m *MemoryInbox) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	if err := CheckClaim(key, lease); err != nil {
		return Claim{}, err
	}
	if err := ctx.Err(); err != nil {
		return Claim{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.forget(now)
	e := m.entries[key]
	switch {
	case e == nil:
		if len(m.entries) >= m.capacity() {
			return Claim{}, ErrInboxFull
		}
		e = &memoryEntry{key: key}
		if m.entries == nil {
			m.entries = make(map[string]*memoryEntry)
		}
		m.entries[key] = e
	case e.done:
		return Claim{Key: key, State: ClaimDone, Note: e.note}, nil
	default:
		if left := e.left(now); left > 0 {
			return Claim{Key: key, State: ClaimBusy, RetryIn: left}, nil
		}
		m.held.Remove(e.place)
	}
	m.claims++
	e.token, e.lease, e.since = strconv.FormatUint(m.claims, 10), lease, now
	e.place = m.held.PushBack(e)
	return Claim{Key: key, State: ClaimHeld, Token: e.token}, nil
}

// Complete implements [Inbox].
func (m *MemoryInbox) Complete(ctx context.Context, claim Claim) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[claim.Key]
	if e == nil || e.token != claim.Token {
		return ErrLeaseLost
	}
	if e.done {
		return nil
	}
	m.held.Remove(e.place)
	e.done, e.since, e.note = true, m.now(), claim.Note
	e.place = m.done.PushBack(e)
	return nil
}

// Release implements [Inbox].
func (m *MemoryInbox) Release(ctx context.Context, claim Claim) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[claim.Key]
	if e == nil || e.done || e.token != claim.Token {
		return ErrLeaseLost
	}
	m.held.Remove(e.place)
	delete(m.entries, claim.Key)
	return nil
}

// left is how long the lease still runs. When the clock was set back, it is never more than the whole lease from now.
func (e *memoryEntry) left(now time.Time) time.Duration {
	if now.Before(e.since) {
		e.since = now
	}
	return e.lease - now.Sub(e.since)
}

// forget drops what is old enough: keys that were done long ago, and claims that nobody came back for.
func (m *MemoryInbox) forget(now time.Time) {
	for _, old := range []*list.List{&m.done, &m.held} {
		for first := old.Front(); first != nil; first = old.Front() {
			e, ok := first.Value.(*memoryEntry)
			if !ok || now.Sub(e.since) < max(m.Retention, InboxRetention, e.lease) {
				break
			}
			old.Remove(first)
			delete(m.entries, e.key)
		}
	}
}

func (m *MemoryInbox) now() time.Time {
	if m.Clock != nil {
		return m.Clock.Now()
	}
	return systemClock{}.Now()
}

func (m *MemoryInbox) capacity() int {
	if m.Capacity > 0 {
		return m.Capacity
	}
	return DefaultInboxCapacity
}
