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
	ErrLocked = errors.New("batch: another run holds the batch: wait until it ends")
	// ErrLost: the lease of this run has expired, and the journal has given the batch to
	// another run.
	ErrLost = errors.New("batch: another run has taken the batch, since the lease of this one expired")
	// ErrDamaged: the journal does not contain what was written to it.
	ErrDamaged = errors.New("batch: the journal is damaged, or belongs to another program")
	// ErrOtherBatch: the journal was begun with other lines, another public key or
	// another environment.
	ErrOtherBatch = errors.New("batch: the journal belongs to another batch")
)

// Journal records one batch: which of its lines may have been sent, and their results.
// Package boltjournal keeps it in a file; batchtest.TestJournal checks an implementation.
type Journal interface {
	// Acquire takes the batch for one run, until the run releases it. If the batch does
	// not exist, it is begun with the binding, and is durable when Acquire returns. If it
	// exists, its binding stays as it was: [Open] compares it.
	//
	// The journal itself renews a hold by a lease until it is released. While another run
	// holds the batch, the error wraps [ErrLocked]. If the journal cannot be read, it
	// wraps [ErrDamaged].
	Acquire(ctx context.Context, begin Binding) (Held, error)
}

// Held is a batch that a run holds. Its methods are safe for concurrent use.
type Held interface {
	// Binding returns what the batch was begun with.
	Binding() Binding
	// Records returns all records by line number.
	Records(ctx context.Context) (map[int]Record, error)
	// Put replaces the record of a line in one step, and returns when it is durable:
	// after a nil error the record survives a crash. It must not write for a run that has
	// lost its hold, for instance because a lease expired: the error then wraps
	// [ErrLost], and is decided in the same transaction as the write. A run stops at any
	// error of Put.
	//
	// The context is not cancelled when the run's context is: the API's response is
	// always recorded.
	Put(ctx context.Context, line int, record Record) error
	// Release ends the hold. It is called once.
	Release() error
}

// Binding identifies the batch that a journal belongs to. It is part of the stored
// format: keep its JSON unchanged.
type Binding struct {
	// Version of the format: 2, or 1 for a journal of intram 0.1.0, which is bound to the
	// bytes of its file.
	Version int `json:"version"`
	// SHA256 is a hash of the lines with their numbers, in hex; of the file's bytes in
	// version 1.
	SHA256 string `json:"sha256"`
	// Keys is a hash of the lines in any order, in hex: the idempotency keys are derived
	// from it. In version 1 they are derived from SHA256.
	Keys        string             `json:"keys,omitempty"`
	Environment intram.Environment `json:"environment"`
	PublicKey   string             `json:"public_key"`
	// Account is that of [intram.Credentials], for a client whose keys change. A batch
	// that was begun with it goes on under any public key of it.
	Account string `json:"account,omitempty"`
}

// The versions of a [Binding].
const (
	versionBytes = 1
	versionLines = 2
)

// State is the progress of a line. A line without a record was never sent.
type State string

// The states of a line. A [Record] has one of the first six.
const (
	Intended State = "intended"              // the intent is saved; it may have been sent
	Accepted State = "accepted"              // the API has the operation, which has not ended
	Paid     State = "paid"                  // the operator has paid
	Queued   State = "queued_for_settlement" // a bank has it, and has not paid yet
	Failed   State = "failed"                // the operation ended, and no money moved
	Refused  State = "refused"               // the API refused the call, and no money moved

	// FailedUnclear is, in a [Result], the state of a failed line whose code does not
	// exclude that the operator has paid.
	FailedUnclear State = "failed_unclear"
	// NotSent, InDoubt and Unfinished are, in a [Result], the states of a line without a
	// record, with an intended one, and with an accepted one.
	NotSent    State = "not_sent"
	InDoubt    State = "in_doubt"
	Unfinished State = "unfinished"
)

// Ended reports whether a record with this state is final.
func (s State) Ended() bool { return s == Paid || s == Queued || s == Failed || s == Refused }

// stored reports whether s is a state that a record can have.
func (s State) stored() bool {
	return slices.Contains([]State{Intended, Accepted, Paid, Queued, Failed, Refused}, s)
}

// Record is a journal's entry for a line. It is part of the stored format, as JSON, and
// contains no personal data.
type Record struct {
	State  State          `json:"state"`
	Intent *intram.Intent `json:"intent,omitempty"`
	// Generation counts the expired intents for which the list proved that no payout was
	// made.
	Generation           int              `json:"generation,omitempty"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	ProviderReference    string           `json:"provider_reference,omitempty"`
	Code                 intram.ErrorCode `json:"code,omitempty"`
	// Unclear marks a failed line that may nevertheless have been paid.
	Unclear bool   `json:"unclear,omitempty"`
	Fees    string `json:"fees,omitempty"`
	// AcceptedAt and EndedAt are the operation's times according to the API, or this
	// machine's if the API gave none.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// begun returns when the line was begun, zero if the record does not say.
func (r Record) begun() time.Time {
	if r.Intent != nil {
		return r.Intent.FirstSentAt
	}
	return r.AcceptedAt
}

// usable reports whether a run can continue from the record. Without this check it would
// send a line without its key, or wait for no operation.
func (r Record) usable() bool {
	return r.State.stored() && (r.State != Intended || r.Intent != nil) && (r.State != Accepted || r.OperationID != "")
}
