package batch

import (
	"time"

	intram "github.com/intram/intram-go"
)

// Result is what became of one line.
type Result struct {
	Line                 int              `json:"line"`
	Reference            string           `json:"reference"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	ProviderReference    string           `json:"provider_reference,omitempty"`
	Status               State            `json:"status"`
	Code                 intram.ErrorCode `json:"error_code,omitempty"`
	// Reason says in words why the line is not paid, without personal data; "" for a line
	// that is.
	Reason string `json:"reason,omitempty"`
	Fees   string `json:"fees,omitempty"`
	// AcceptedAt and EndedAt are the times of the operation by the API, or by this
	// machine when the API gave none.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// unclear reports whether an operation that failed with a code may have been paid all the
// same, as the SDK judges it. An operator that was away, that made an error or that never
// said how it ended may have paid, although the wallet was credited back.
func unclear(code intram.ErrorCode) bool {
	return intram.OutcomeOf(&intram.OperationError{Code: code}) != intram.OutcomeRejected
}

// Results returns what became of all lines so far, in the order of the lines.
func (r *Run) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	results := make([]Result, len(r.lines))
	for i, line := range r.lines {
		record, ok := r.records[line.Number]
		status := record.State
		switch {
		case !ok:
			status = NotSent
		case status == Intended:
			status = InDoubt
		case status == Accepted:
			status = Unfinished
		case status == Failed && (record.Unclear || unclear(record.Code)):
			status = FailedUnclear
		}
		results[i] = Result{
			Line: line.Number, Reference: line.Params.Reference, OperationID: record.OperationID,
			TransactionReference: record.TransactionReference, ProviderReference: record.ProviderReference,
			Status: status, Code: record.Code, Reason: reason(status, record.Code), Fees: record.Fees, AcceptedAt: record.AcceptedAt, EndedAt: record.EndedAt,
		}
	}
	return results
}

// reason says in words what a status and a code mean.
func reason(status State, code intram.ErrorCode) string {
	explanation := code.Explanation()
	switch {
	case status == Paid:
		return ""
	case status == Queued:
		return "a bank has it, and has not paid yet"
	case status == FailedUnclear:
		return join("it may have been paid: ask the operator before you pay again", explanation)
	case status == InDoubt && code == codeCannotTell:
		return "it may have been paid: compare it with the list of operations before you pay again"
	case status == InDoubt && code != "":
		return "another request has its idempotency key, and may have paid it"
	case status == InDoubt:
		return "it may have been sent: pay again to find out"
	case status == Unfinished && code == codeUnknownResult:
		return "it ended with a status that this version does not know"
	case status == Unfinished:
		return "the operation has not ended"
	case status == NotSent:
		return "it was not sent"
	default: // failed or refused
		return join("no money moved", explanation)
	}
}

func join(words, explanation string) string {
	if explanation == "" {
		return words
	}
	return words + "; " + explanation
}
