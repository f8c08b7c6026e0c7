package intram

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/system"
)

// InboxRetention is how long an [Inbox] remembers at least what took effect. Intram
// retries a delivery for 14.6 hours; the rest is for a person who has a delivery sent
// again after a weekend, and for the [Reconciler].
const InboxRetention = 72 * time.Hour

// Inbox remembers which events have taken effect, so that each does once, whatever Intram
// sends again and however many replicas receive it. It is shared by all replicas of a
// receiver, and by the [Reconciler].
//
// A key goes from unknown to claimed to done. A claim is a lease: its holder calls the
// merchant's function, and no other replica does in the meantime. A holder that crashes
// completes nothing, and its lease runs out. A done key stays done for [InboxRetention]
// at least.
//
// An Inbox must be safe for concurrent use. Which clock leases run by is the
// implementation's: a shared one uses its store's, never that of one replica. Package
// intramtest has a suite that every implementation must pass; [MemoryInbox] is for one
// process. The module inbox/sqlinbox is for one machine or several, and inbox/pginbox and
// inbox/redisinbox are for several.
type Inbox interface {
	// Claim takes the key for the length of lease, unless it is done or another's lease
	// is running. Claim.State says which; that is not an error. An error means that the
	// store could not say: nothing is known to be claimed.
	Claim(ctx context.Context, key string, lease time.Duration) (Claim, error)
	// Complete marks a claimed key done. Once a lease has run out, another may have
	// claimed the key: then Complete changes nothing and returns [ErrLeaseLost]. As long
	// as none has, it succeeds, late as it is: the effect is there, and forgetting it
	// would be worse. Completing a claim again is no error, so that a response that was
	// lost on the way can be asked for again.
	Complete(ctx context.Context, claim Claim) error
	// Release gives a claimed key up, because the function failed; it can be claimed
	// again at once. What is done stays done: releasing a completed claim, or one whose
	// lease was lost, changes nothing and returns [ErrLeaseLost].
	Release(ctx context.Context, claim Claim) error
}

// ClaimState is what became of a claim. The zero value is no state: a Claim that no Inbox
// has made.
type ClaimState int

// States of a claim.
const (
	ClaimHeld ClaimState = iota + 1 // the caller's, until the lease runs out
	ClaimBusy                       // another holds it
	ClaimDone                       // the key is done
)

// String is the state in a word.
func (s ClaimState) String() string {
	switch s {
	case ClaimHeld:
		return "held"
	case ClaimBusy:
		return "busy"
	case ClaimDone:
		return "done"
	}
	return "invalid"
}

// Claim is the result of a claim, and what completes and releases it.
type Claim struct {
	Key   string
	State ClaimState
	// Token fences the claim: it differs from that of every other claim of the key, so
	// that a holder whose lease was lost cannot complete or release what is another's by
	// now. It is set when the claim is held.
	Token string
	// RetryIn is how long the other's lease still runs, when the claim is busy.
	RetryIn time.Duration
	// Note is a short text, of at most [MaxClaimNote] bytes, that Complete stores with
	// the key when the caller has set it, and that Claim returns when the key is done.
	// The handler notes what an event said, so that a later event of the same state that
	// says something else is seen.
	Note string
}

// MaxClaimNote is how long a [Claim].Note can be.
const MaxClaimNote = 128

// What an [Inbox] refuses. Test for it with [errors.Is].
var (
	// ErrLeaseLost: the claim is no longer the caller's. It took longer than its lease,
	// and another has claimed the key since.
	ErrLeaseLost = redact.Sentinel("intram: inbox: the lease was lost: it ran out and another claimed the key, or the claim has ended")
	// ErrInboxFull: a [MemoryInbox] holds as many keys as it may, all of them young.
	ErrInboxFull = redact.Sentinel("intram: inbox: full: every key it holds is younger than it has to be kept")
	// ErrInvalidClaim: the key is empty, or the lease is not positive. It is a mistake of
	// the caller's.
	ErrInvalidClaim = redact.Sentinel("intram: inbox: a claim needs a key, and a lease above zero")
)

// CheckClaim returns [ErrInvalidClaim] for a key or a lease that no Inbox takes. It is
// for implementations.
func CheckClaim(key string, lease time.Duration) error {
	if key == "" || lease <= 0 {
		return ErrInvalidClaim
	}
	return nil
}

// InboxKey is what the event is told from others by, in an [Inbox] or in a table of
// yours: 64 hexadecimal digits. It is made of signed content alone; the X-Intram-Delivery
// header is not signed, and anybody who saw a delivery could send it again under another
// id, or send another under this one.
//
// For the states that the API shows of an operation (payout.completed, payout.queued,
// payout.failed, payment_request.created, .paid and .failed, refund.completed, .pending
// and .failed) it is a hash of the event type and the operation id. An operation reaches
// such a state once: a delivery that was written anew with another occurred_at, and an
// event that the [Reconciler] read from the API instead of receiving it, say the same and
// have the same key.
//
// For all others, unknown types and test.ping among them, it is the SHA-256 of the body:
// each distinct body is an event of its own. A retry of Intram's carries the same bytes,
// whatever its timestamp.
//
// An event that has a Scope has another key in each scope; see [WithInboxScope]. That an
// operation reaches a state once is chosen, not documented by Intram: see
// [WithConflictHook].
func (e *Event) InboxKey() string {
	if e.Scope == "" {
		return e.unscopedKey()
	}
	// The length keeps two scopes apart of which one begins with the other.
	sum := sha256.Sum256(fmt.Appendf(nil, "scope\n%d:%s\n%s", len(e.Scope), e.Scope, e.unscopedKey()))
	return hex.EncodeToString(sum[:])
}

// unscopedKey is the key of an event that has no scope. Version 0.1.0 stored no other.
func (e *Event) unscopedKey() string {
	var sum [sha256.Size]byte
	if e.Type.isState() && e.OperationID != "" {
		// A type has no line feed in it, so that no two pairs make one text; the first
		// word keeps the keys apart from those of bodies, which are JSON.
		sum = sha256.Sum256([]byte("state\n" + string(e.Type) + "\n" + e.OperationID))
	} else {
		sum = sha256.Sum256(e.Raw)
	}
	return hex.EncodeToString(sum[:])
}

// note describes what a state's event says: when it occurred, and a hash of its data. It
// is empty for an event whose key is its body, and for one that the reconciler made,
// whose data is written in another way.
func (e *Event) note() string {
	if !e.Type.isState() || e.OperationID == "" || len(e.Raw) == 0 {
		return ""
	}
	var body struct {
		Data any `json:"data"`
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Raw))
	decoder.UseNumber()
	if decoder.Decode(&body) != nil {
		return ""
	}
	data, err := json.Marshal(body.Data) // with its names sorted: their order says nothing
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return strconv.FormatInt(e.OccurredAt.UnixMilli(), 10) + noteSeparator + hex.EncodeToString(sum[:])
}

// noteSeparator is between the two parts of a note.
const noteSeparator = " "

// contradicts reports whether two notes of one state differ in both parts. A delivery
// that was only written anew differs in one of them.
func contradicts(stored, note string) bool {
	storedAt, storedData, ok := strings.Cut(stored, noteSeparator)
	at, data, alsoOK := strings.Cut(note, noteSeparator)
	return ok && alsoOK && storedAt != at && storedData != data
}

// isState reports whether e says that an operation reached a state that GET shows too.
// The list is part of what is stored: a type that joins it changes the key of its events,
// and an event that is delivered on both sides of such an update would take effect twice.
func (e EventType) isState() bool {
	switch e {
	case EventPayoutCompleted, EventPayoutQueued, EventPayoutFailed,
		EventPaymentRequestCreated, EventPaymentRequestPaid, EventPaymentRequestFailed,
		EventRefundCompleted, EventRefundPending, EventRefundFailed:
		return true
	}
	return false
}

type claimContextKey struct{}

// ClaimFromContext returns the claim under which the merchant's function is called. A
// store that keeps the function's own writes completes it in the same transaction, as
// pginbox.InTx does.
func ClaimFromContext(ctx context.Context) (claim Claim, ok bool) {
	claim, ok = ctx.Value(claimContextKey{}).(Claim)
	return claim, ok
}

func withClaim(ctx context.Context, claim Claim) context.Context {
	return context.WithValue(ctx, claimContextKey{}, claim)
}

// defaultInboxCapacity is how many keys a [MemoryInbox] holds unless told otherwise. They
// take about 30 MB.
const defaultInboxCapacity = 100_000

// MemoryInbox is an [Inbox] for a receiver that is a single process: it forgets
// everything when the process ends, so an event that is delivered again after a restart
// takes effect again. For real money use sqlinbox, which can be a file, pginbox or
// redisinbox.
//
// It is bounded. When it is full of keys that are too young to be forgotten, it claims no
// more and returns [ErrInboxFull], for which the handler responds 503: a late event is
// better than one that takes effect twice.
//
// The zero value is ready to use. Do not change the fields once it is in use.
type MemoryInbox struct {
	// Capacity is how many keys are held at most; 0 and less mean 100 000, which take
	// about 30 MB.
	Capacity int
	// Retention is how long a key is remembered; less than [InboxRetention] means
	// InboxRetention.
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

// left is how long the lease still runs. When the clock was set back, it is never more
// than the whole lease from now.
func (e *memoryEntry) left(now time.Time) time.Duration {
	if now.Before(e.since) {
		e.since = now
	}
	return e.lease - now.Sub(e.since)
}

// forget drops what is old enough: keys that were done long ago, and claims whose holder
// never came back.
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
	return system.Clock{}.Now()
}

func (m *MemoryInbox) capacity() int {
	if m.Capacity > 0 {
		return m.Capacity
	}
	return defaultInboxCapacity
}

// defaultReconcileHorizon is how long the [Reconciler] keeps what has not ended in view,
// from its creation on.
const defaultReconcileHorizon = 30 * 24 * time.Hour

// maxPendingLookups is how many operations that are kept in view one run looks up. Those
// it has not seen for longest come first.
const maxPendingLookups = 500

// InboxHorizon is what an [Inbox] can be besides. It bounds how far back [Reconciler.Run]
// looks; an inbox that does not say remembers for [InboxRetention].
type InboxHorizon interface {
	// Horizon returns how long what took effect is remembered at least.
	Horizon() time.Duration
}

// PendingStore is what an [Inbox] can be besides: it keeps what the [Reconciler] has to
// look up again, over restarts and for all replicas. pginbox, redisinbox and sqlinbox are
// one; without one the Reconciler keeps it in memory, and forgets it with its process.
type PendingStore interface {
	// KeepPending stores or replaces operations under their ids, and forgets those that
	// have ended.
	KeepPending(ctx context.Context, scope string, pending []PendingOperation, ended []string) error
	// Pending returns what is kept for the scope, in any order.
	Pending(ctx context.Context, scope string) ([]PendingOperation, error)
}

// PendingOperation is an operation that the [Reconciler] keeps in view: it had not ended,
// or an event of it had not taken effect.
type PendingOperation struct {
	ID        string
	CreatedAt time.Time
	// Since is a time before which none of the operation's events had taken effect but
	// those in Told.
	Since time.Time
	// Told are the events that have taken effect.
	Told []EventType
}

// WithReconcileHorizon sets how long after its creation a [Reconciler] keeps an operation
// in view that has not ended, 30 days unless set: a payment link that was not paid, a
// bank payout that was not settled. What is older is reported once as a failure, and
// dropped. It does nothing for a handler.
func WithReconcileHorizon(d time.Duration) HandlerOption {
	return func(cfg *handlerConfig) error {
		if d < InboxRetention {
			return errors.New("WithReconcileHorizon: the horizon must be at least " + InboxRetention.String())
		}
		cfg.horizon = d
		return nil
	}
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

// ReconcileStore is a [PendingStore] that a [Reconciler] asks for parts of what is
// pending, so that it need not hold all of it, and that keeps how far a run has come. It
// is what an [Inbox] can be besides; pginbox and sqlinbox are one.
type ReconcileStore interface {
	PendingStore
	// PendingAmong returns what is kept for the scope of the operations with these ids,
	// in any order.
	PendingAmong(ctx context.Context, scope string, ids []string) ([]PendingOperation, error)
	// PendingBefore returns at most limit operations of the scope that were created
	// before a time, or whose CreatedAt is zero. Those with the earliest Since come
	// first.
	PendingBefore(ctx context.Context, scope string, created time.Time, limit int) ([]PendingOperation, error)
	// CountPending returns how many operations are kept for the scope.
	CountPending(ctx context.Context, scope string) (int, error)
	// Cursor returns what SaveCursor stored for the scope, or the zero cursor.
	Cursor(ctx context.Context, scope string) (ReconcileCursor, error)
	// SaveCursor stores how far a run has come. The zero cursor is stored when a run has
	// looked at all of its window.
	SaveCursor(ctx context.Context, scope string, cursor ReconcileCursor) error
}

// ReconcileCursor is how far a run of a [Reconciler] has come. A run goes from the newest
// operation to older ones: what was created from Before to Until has been looked at, and
// what was created from Since to Floor, by an earlier run.
type ReconcileCursor struct {
	Until  time.Time `json:"until"`
	Before time.Time `json:"before"`
	Floor  time.Time `json:"floor"` // zero: no earlier run
	Since  time.Time `json:"since"`
}

// reconcileStoreOf returns the inbox's own store, or one that holds what is pending while
// a run lasts, and the cursor as long as the process.
func reconcileStoreOf(inbox Inbox) func(context.Context, string) (ReconcileStore, error) {
	if store, ok := inbox.(ReconcileStore); ok {
		return func(context.Context, string) (ReconcileStore, error) { return store, nil }
	}
	pending, ok := inbox.(PendingStore)
	if !ok {
		pending = new(memoryPending)
	}
	cursor := new(memoryCursor)
	return func(ctx context.Context, scope string) (ReconcileStore, error) {
		all, err := pending.Pending(ctx, scope)
		if err != nil {
			return nil, err
		}
		kept := &heldPending{memoryCursor: cursor, PendingStore: pending}
		return kept, kept.items.KeepPending(ctx, scope, all, nil)
	}
}

// memoryCursor keeps the cursor of one scope.
type memoryCursor struct {
	mu     sync.Mutex
	cursor ReconcileCursor
}

func (m *memoryCursor) Cursor(context.Context, string) (ReconcileCursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor, nil
}

func (m *memoryCursor) SaveCursor(_ context.Context, _ string, cursor ReconcileCursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursor = cursor
	return nil
}

// heldPending is a PendingStore whose content one run holds.
type heldPending struct {
	*memoryCursor
	PendingStore

	items memoryPending
}

func (h *heldPending) KeepPending(ctx context.Context, scope string, pending []PendingOperation, ended []string) error {
	if err := h.PendingStore.KeepPending(ctx, scope, pending, ended); err != nil {
		return err
	}
	return h.items.KeepPending(ctx, scope, pending, ended)
}

func (h *heldPending) PendingAmong(_ context.Context, _ string, ids []string) (among []PendingOperation, _ error) {
	for _, id := range ids {
		if p, ok := h.items.items[id]; ok {
			among = append(among, p)
		}
	}
	return among, nil
}

func (h *heldPending) PendingBefore(ctx context.Context, scope string, created time.Time, limit int) ([]PendingOperation, error) {
	all, err := h.items.Pending(ctx, scope)
	all = slices.DeleteFunc(all, func(p PendingOperation) bool { return !p.CreatedAt.IsZero() && !p.CreatedAt.Before(created) })
	slices.SortFunc(all, func(a, b PendingOperation) int { return a.Since.Compare(b.Since) })
	return all[:min(limit, len(all))], err
}

func (h *heldPending) CountPending(context.Context, string) (int, error) {
	return len(h.items.items), nil
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
