package intramriver

import (
	"slices"

	intram "github.com/intram/intram-go"
)

// Kind is what a record asks the API for.
type Kind string

// The kinds of records. Each has its own references.
const (
	Payout         Kind = "payout"
	Refund         Kind = "refund"
	PaymentRequest Kind = "payment_request"
)

// operationType is the kind in the words of the API's list.
func (k Kind) operationType() intram.OperationType { return intram.OperationType(k) }

// State is how far a record has come.
type State string

// The states of a record. README.md shows them as a picture.
const (
	// Planned: nothing was sent with its intent.
	Planned State = "planned"
	// Sending: the intent is saved, and the call may have been made.
	Sending State = "sending"
	// InDoubt: a call was made, and its result is not known. It is repeated with the same
	// intent, and looked for in the list of operations after 23 hours.
	InDoubt State = "in_doubt"
	// NeedsPerson: the API shows operations that may be this record's, and nothing tells
	// whether they are. Nothing more is sent: see [Work.Adopt], [Work.SendAnew] and
	// [Work.Abandon].
	NeedsPerson State = "needs_person"
	// Accepted: the API has an operation of it, which has not ended.
	Accepted State = "accepted"
	// Refused: the API refused the call in its own words, or a person abandoned it. No
	// money moved. An end.
	Refused State = "refused"
	// Completed: the money has moved, or the checkout page of a payment request is there.
	// An end.
	Completed State = "completed"
	// Failed: the operation failed. See [End.Outcome]. An end.
	Failed State = "failed"
	// QueuedForSettlement: the operation ended, and the bank or the operator of a refund
	// has yet to say how. An end, and Settled or Returned follows.
	QueuedForSettlement State = "queued_for_settlement"
	// Settled: after QueuedForSettlement, the money has arrived. An end.
	Settled State = "settled"
	// Returned: the bank or the operator returned the money, possibly after it was
	// Completed or Settled. An end.
	Returned State = "returned"
)

// transitions are the states that may follow each state. No other change is made, in
// whatever order jobs, events and sweeps come: each statement names the states that it
// starts from, and a trigger in the database refuses the rest. Planned follows only with
// a new generation: a new intent, after the proof that the old one did nothing. Accepted
// follows Planned if that proof was wrong and another process finds the operation before
// the new intent is sent.
var transitions = map[State][]State{
	Planned:             {Sending, Accepted},
	Sending:             {InDoubt, Accepted, Refused, NeedsPerson, Planned},
	InDoubt:             {Accepted, Refused, NeedsPerson, Planned},
	NeedsPerson:         {Accepted, Planned, Refused},
	Accepted:            {Completed, Failed, QueuedForSettlement, Returned},
	QueuedForSettlement: {Settled, Returned},
	Completed:           {Returned},
	Settled:             {Returned},
	Refused:             nil,
	Failed:              nil,
	Returned:            nil,
}

// States returns all states.
func States() []State {
	return []State{Planned, Sending, InDoubt, NeedsPerson, Accepted, Refused, Completed, Failed, QueuedForSettlement, Settled, Returned}
}

// Ended reports whether the state is an end: [Config.OnEnd] was called for it.
func (s State) Ended() bool {
	return slices.Contains([]State{Refused, Completed, Failed, QueuedForSettlement, Settled, Returned}, s)
}

// before returns the states that a state may follow, as SQL takes them.
func before(s State) []string {
	var from []string
	for _, one := range States() {
		if slices.Contains(transitions[one], s) {
			from = append(from, string(one))
		}
	}
	return from
}

// unsent are the states of records that have no operation yet, and that a job works on.
var unsent = []string{string(Planned), string(Sending), string(InDoubt)}

// verdict is what the API says of an operation that ended.
type verdict int

const (
	notEnded  verdict = iota // or in a word that the SDK does not know
	succeeded                // the money has moved
	queued                   // a bank or an operator will say later
	failed                   // the operation failed
	returned                 // it succeeded, and the money came back
)

// follow returns the states in which a verdict changes a record, and what each becomes.
func (v verdict) follow(kind Kind) (from, to []string) {
	add := func(a, b State) { from, to = append(from, string(a)), append(to, string(b)) }
	switch v {
	case notEnded:
	case succeeded:
		add(Accepted, Completed)
		add(QueuedForSettlement, Settled)
	case queued:
		add(Accepted, QueuedForSettlement)
	case failed:
		add(Accepted, Failed)
	case returned:
		add(Accepted, Returned)
	}
	if kind != PaymentRequest && (v == failed || v == returned) {
		add(QueuedForSettlement, Returned)
		add(Completed, Returned)
		add(Settled, Returned)
	}
	return from, to
}

// verdictOf reads an operation. A status or a result that the SDK does not know is no
// end.
func verdictOf(op *intram.Operation) verdict {
	switch op.Status {
	case intram.OperationFailed, intram.OperationExpired:
		return failed
	case intram.OperationSucceeded:
	default:
		return notEnded
	}
	switch r := op.Result.(type) {
	case *intram.PayoutResult:
		switch {
		case r.Paid():
			return succeeded
		case r.Failed():
			return returned
		case r.Status == intram.PayoutQueuedForSettlement:
			return queued
		}
	case *intram.RefundResult:
		switch {
		case r.Refunded():
			return succeeded
		case r.Failed():
			return returned
		case r.Status == intram.RefundPending:
			return queued
		}
	case *intram.PaymentRequestResult:
		return succeeded // the page is there; whether it is paid is told by events
	}
	return notEnded
}
