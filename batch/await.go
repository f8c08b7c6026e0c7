package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	intram "github.com/intram/intram-go"
)

// await waits for the accepted operations in turn, a while for each.
func (r *Run) await(ctx context.Context, accepted chan Line, waiting *sync.WaitGroup) {
	for line := range accepted {
		again, err := r.awaitOne(ctx, line)
		if err != nil {
			r.halt(err)
		}
		if again {
			accepted <- line // never blocks: it has room for every line
			continue
		}
		waiting.Done()
	}
}

// awaitOne waits for one operation for a while. It reports whether to wait for it again.
func (r *Run) awaitOne(ctx context.Context, line Line) (again bool, err error) {
	defer r.recovered(line)
	r.mu.Lock()
	left, record := awaitStep, r.records[line.Number]
	if r.sent {
		left = min(left, r.deadline.Sub(r.clock.Now()))
	}
	r.mu.Unlock()
	if r.maxWait <= 0 || left <= 0 {
		return false, nil
	}
	op, err := r.client.WaitForOperation(ctx, record.OperationID, intram.WithMaxWait(left))
	var failed *intram.OperationError
	switch {
	case err == nil:
		return false, r.put(ctx, line, r.ended(record, op))
	case errors.Is(err, intram.ErrUnexpectedResult):
		record.Code = codeUnknownResult
		return false, r.put(ctx, line, record)
	case errors.As(err, &failed):
		record.State, record.Code = Failed, failed.Code
		record.Unclear = intram.OutcomeOf(failed) != intram.OutcomeRejected
		record.ProviderReference, record.EndedAt = failed.Details.ServiceReference, r.clock.Now().UTC()
		if op := failed.Operation; op != nil && !op.CompletedAt.IsZero() {
			record.EndedAt = op.CompletedAt.UTC()
		}
		return false, r.put(ctx, line, record)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return true, nil
	case ctx.Err() == nil && stopsAll(err):
		return false, fmt.Errorf("batch: stopped: %w", err)
	}
	return false, nil // the API did not say: the line stays accepted, and the next run asks again
}

// codeUnknownResult marks, in a result, a line whose operation ended with a status that
// this version does not know. The line is neither paid nor failed: the next run looks it
// up again.
const codeUnknownResult = "unknown_result"

// ended returns the record of a payout whose operation succeeded. Only the documented
// statuses make it paid or queued; a result that says failed is an
// [*intram.OperationError] of the wait.
func (r *Run) ended(record Record, op *intram.Operation) Record {
	result, ok := op.Result.(*intram.PayoutResult)
	if !ok {
		record.Code = codeUnknownResult
		return record
	}
	switch result.Status {
	case intram.PayoutCompleted:
		record.State, record.Code = Paid, ""
	case intram.PayoutQueuedForSettlement:
		record.State, record.Code = Queued, ""
	default:
		record.Code = codeUnknownResult
		return record
	}
	record.EndedAt = cmp.Or(op.CompletedAt, r.clock.Now()).UTC()
	record.ProviderReference = result.ProviderResponse.ServiceReference
	// The documentation names neither field for a payout; both are used if the API sends
	// them.
	var more struct {
		TransactionReference string        `json:"transaction_reference"`
		Fees                 intram.Amount `json:"fees"`
	}
	if json.Unmarshal(result.Raw, &more) == nil {
		record.TransactionReference = more.TransactionReference
		if !more.Fees.IsZero() {
			record.Fees = more.Fees.String()
		}
	}
	return record
}
