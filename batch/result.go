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
	Fees                 string           `json:"fees,omitempty"`
	// AcceptedAt and EndedAt are the times of the operation by the API, or by this machine when the API gave none.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// unclear reports whether an operation that failed with a code may have been paid all the same, as the SDK judges it. An operator
// that was away, that made an error or that never said how it ended may have paid, although the wallet was credited back.
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
			Status: status, Code: record.Code, Fees: record.Fees, AcceptedAt: record.AcceptedAt, EndedAt: record.EndedAt,
		}
	}
	return results
}
