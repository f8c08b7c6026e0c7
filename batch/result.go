package batch

import (
	"time"

	intram "github.com/intram/intram-go"
)

// Result is the result of one line.
type Result struct {
	Line                 int              `json:"line"`
	Reference            string           `json:"reference"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	ProviderReference    string           `json:"provider_reference,omitempty"`
	Status               State            `json:"status"`
	Code                 intram.ErrorCode `json:"error_code,omitempty"`
	// Reason says why the line is not paid, without personal data. It is "" for a paid
	// line.
	Reason string `json:"reason,omitempty"`
	Fees   string `json:"fees,omitempty"`
	// AcceptedAt and EndedAt are the operation's times according to the API, or this
	// machine's if the API gave none.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// unclear reports whether an operation that failed with a code may nevertheless have been
// paid, by the SDK's judgement. An operator that was unreachable, made an error or never
// reported the end may have paid, although the wallet was credited back.
func unclear(code intram.ErrorCode) bool {
	return intram.OutcomeOf(&intram.OperationError{Code: code}) != intram.OutcomeRejected
}

// Results returns the results of all lines so far, in the order of the lines.
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

// reason returns the meaning of a status and a code in words.
func reason(status State, code intram.ErrorCode) string {
	explanation := code.Explanation()
	switch {
	case status == Paid:
		return ""
	case status == Queued:
		return "with the bank, not paid yet"
	case status == FailedUnclear:
		return join("may have been paid: ask the operator before you pay again", explanation)
	case status == InDoubt && code == codeCannotTell:
		return "may have been paid: compare it with the list of operations before you pay again"
	case status == InDoubt && code != "":
		return "idempotency key used by another request, which may have paid it: compare it with the list of operations before you pay again"
	case status == InDoubt:
		return "may have been sent: run the batch again to find out"
	case status == Unfinished && code == codeUnknownResult:
		return "ended with a status that this version does not know: look the operation up"
	case status == Unfinished:
		return "operation not finished: run the batch again to wait for it"
	case status == NotSent:
		return "not sent"
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
