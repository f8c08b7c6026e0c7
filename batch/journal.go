package batch

import (
	"context"
	"errors"
	"slices"
	"time"

	intram "github.com/intram/intram-go"
)

// Errors of a journal.
var (
	// ErrLocked: another run holds the batch.
	ErrLocked = errors.New("batch: another run holds the batch: wait until it has ended")
	// ErrLost: the journal has given the batch to another run, since the lease of this
	// one has ended.
	ErrLost = errors.New("batch: the lease of the batch was lost to another run")
	// ErrDamaged: the journal does not hold what was written to it.
	ErrDamaged = errors.New("batch: the journal is damaged, or is another program's")
	// ErrOtherBatch: the journal was begun with other lines, another public key or
	// another environment.
	ErrOtherBatch = errors.New("batch: the journal belongs to another batch")
)

// Journal remembers one batch: which of its lines may have been sent, and what became of
// them. Package boltjournal keeps it in a file; batchtest.TestJournal checks an
// implementation.
type Journal interface {
	// Acquire takes the batch for one run, until the run releases it. A batch that is not
	// there is begun with the binding, and is durable when Acquire returns. Of a batch
	// that is there, the binding stays as it was: [Open] compares it.
	//
	// A hold by a lease is renewed by the journal itself until it is released. While
	// another run holds the batch, the error wraps [ErrLocked]; a journal that cannot be
	// read is [ErrDamaged].
	Acquire(ctx context.Context, begin Binding) (Held, error)
}

// Held is a batch that a run holds. Its methods are safe for concurrent use.
type Held interface {
	// Binding returns what the batch was begun with.
	Binding() Binding
	// Records returns all records by the numbers of their lines.
	Records(ctx context.Context) (map[int]Record, error)
	// Put replaces the record of a line in one step, and returns when it is durable: what
	// it has returned for survives a crash. It must not write for a run that has lost its
	// hold, for instance since a lease has ended: that is an error that wraps [ErrLost],
	// decided in the same transaction as the write. A run stops at any error of Put.
	//
	// The context is not cancelled when that of the run is: what the API has said is
	// kept.
	Put(ctx context.Context, line int, record Record) error
	// Release ends the hold. It is called once.
	Release() error
}

// Binding is what a journal belongs to. It is part of the stored format: keep its JSON as
// it is.
type Binding struct {
	// Version of the format: 2, or 1 for a journal of intram 0.1.0, which is bound to the
	// bytes of its file.
	Version int `json:"version"`
	// SHA256 is a hash of the lines with their numbers, in hex; of the file's bytes in
	// version 1.
	SHA256 string `json:"sha256"`
	// Keys is a hash of the lines in any order, in hex: the idempotency keys follow from
	// it. In version 1 they follow from SHA256.
	Keys        string             `json:"keys,omitempty"`
	Environment intram.Environment `json:"environment"`
	PublicKey   string             `json:"public_key"`
}

// The versions of a [Binding].
const (
	versionBytes = 1
	versionLines = 2
)

// State is how far a line has come. A line without a record was never sent.
type State string

// The states of a line. A [Record] has one of the first six.
const (
	Intended State = "intended"              // the intent is saved; it may have been sent
	Accepted State = "accepted"              // the API has the operation, which has not ended
	Paid     State = "paid"                  // the operator has paid
	Queued   State = "queued_for_settlement" // a bank has it, and has not paid yet
	Failed   State = "failed"                // the operation ended, and no money moved
	Refused  State = "refused"               // the API refused the call, and no money moved

	// FailedUnclear is how a [Result] reports a failed line whose code does not say that
	// the operator has not paid.
	FailedUnclear State = "failed_unclear"
	// NotSent, InDoubt and Unfinished are how a [Result] reports a line without a record,
	// an intended and an accepted one.
	NotSent    State = "not_sent"
	InDoubt    State = "in_doubt"
	Unfinished State = "unfinished"
)

// Ended reports whether a record with this state changes no more.
func (s State) Ended() bool { return s == Paid || s == Queued || s == Failed || s == Refused }

// stored reports whether s is a state that a record can have.
func (s State) stored() bool {
	return slices.Contains([]State{Intended, Accepted, Paid, Queued, Failed, Refused}, s)
}

// Record is what a journal holds of a line. It is part of the stored format, as JSON, and
// contains no personal data.
type Record struct {
	State  State          `json:"state"`
	Intent *intram.Intent `json:"intent,omitempty"`
	// Generation counts the intents that expired and of which the list proved that
	// nothing came.
	Generation           int              `json:"generation,omitempty"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	ProviderReference    string           `json:"provider_reference,omitempty"`
	Code                 intram.ErrorCode `json:"code,omitempty"`
	// Unclear marks a failed line that may have been paid all the same.
	Unclear bool   `json:"unclear,omitempty"`
	Fees    string `json:"fees,omitempty"`
	// AcceptedAt and EndedAt are the times of the operation by the API, or by this
	// machine when the API gave none.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// begun is when the line was begun, zero if the record does not say.
func (r Record) begun() time.Time {
	if r.Intent != nil {
		return r.Intent.FirstSentAt
	}
	return r.AcceptedAt
}

// usable reports whether a run can go on from the record: it would otherwise send a line
// without its key, or wait for no operation.
func (r Record) usable() bool {
	return r.State.stored() && (r.State != Intended || r.Intent != nil) && (r.State != Accepted || r.OperationID != "")
}
