package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	intram "github.com/intram/intram-go"
)

// send requests one payout, and reports whether the API has it.
func (r *Run) send(ctx context.Context, line Line) (has bool) {
	defer r.recovered(line)
	if ctx.Err() != nil {
		return false
	}
	record, begun := r.record(line)
	if !begun {
		if has, free := r.isFree(ctx, line, Record{}); !free {
			return has
		}
		intent, err := r.prepare(line, 0)
		if err != nil {
			r.halt(fmt.Errorf("batch: %v: %w", line, err))
			return false
		}
		record = Record{State: Intended, Intent: intent}
		// From here on the line may have been sent, whatever happens.
		if err := r.put(ctx, line, record); err != nil {
			r.halt(err)
			return false
		}
	}
	op, err := r.create(ctx, line, record.Intent, begun)
	if errors.Is(err, intram.ErrNeverSent) {
		// No operation came of the intent, and none can: its key has expired. A new one
		// is safe, unless the line was paid since.
		if has, free := r.isFree(ctx, line, record); !free {
			return has
		}
		generation := record.Generation + 1
		intent, err := r.prepare(line, generation)
		if err == nil {
			record = Record{State: Intended, Intent: intent, Generation: generation}
			err = r.put(ctx, line, record)
		}
		if err != nil {
			r.halt(fmt.Errorf("batch: %v: %w", line, err))
			return false
		}
		op, err = r.create(ctx, line, record.Intent, false)
		return r.settle(ctx, line, record, op, err)
	}
	return r.settle(ctx, line, record, op, err)
}

// isFree reports whether the line's reference is unused by payouts that are not in this
// journal. If one uses it, has reports whether the API has the line.
func (r *Run) isFree(ctx context.Context, line Line, record Record) (has, free bool) {
	op, err := r.paidElsewhere(ctx, line)
	switch {
	case err != nil:
		r.halt(fmt.Errorf("batch: stopped: cannot tell whether another run has paid %v: %w", line, err))
		return false, false
	case op == nil:
		return false, true
	case isPaymentOf(op, line):
		return r.settle(ctx, line, record, op, nil), false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubts = append(r.doubts, usedBefore(line, op))
	return false, false
}

// settle records the result of a call, and reports whether the API has the line.
func (r *Run) settle(ctx context.Context, line Line, record Record, op *intram.Operation, err error) bool {
	switch {
	case err == nil:
		if err := r.put(ctx, line, Record{
			State: Accepted, Intent: record.Intent, Generation: record.Generation, OperationID: op.ID, AcceptedAt: cmp.Or(op.CreatedAt, r.clock.Now()).UTC(),
		}); err != nil {
			r.halt(fmt.Errorf("%w (%v was accepted as operation %s)", err, line, op.ID))
			return false
		}
		r.answered()
		return true
	case ctx.Err() != nil:
		r.doubt(false)
	case stopsAll(err):
		r.halt(fmt.Errorf("batch: stopped: %w", err))
	case refusal(err):
		r.answered()
		if err := r.put(ctx, line, Record{State: Refused, Intent: record.Intent, Code: codeOf(err), EndedAt: r.clock.Now().UTC()}); err != nil {
			r.halt(err)
		}
	case taken(err):
		// The API has another request with this key, or one that is still running: it may
		// have paid the line.
		r.answered()
		record.Code = codeOf(err)
		r.inDoubt(ctx, line, record, err)
	case errors.As(err, new(*intram.CannotTellError)):
		record.Code = codeCannotTell
		r.inDoubt(ctx, line, record, err)
	default:
		r.doubt(true)
	}
	return false
}

// prepare makes the intent of a line. See [Binding] for its key.
func (r *Run) prepare(line Line, generation int) (*intram.Intent, error) {
	key, err := r.held.Binding().key(line.Params.Reference, generation)
	if err != nil {
		return nil, err
	}
	return r.client.Payouts.Prepare(line.Params, intram.WithIdempotencyKey(key))
}

// codeCannotTell marks, in a result, a line in doubt that only a person can settle.
const codeCannotTell = "cannot_tell"

// inDoubt records why a line stays in doubt. The run continues with the others.
func (r *Run) inDoubt(ctx context.Context, line Line, record Record, why error) {
	r.doubt(false)
	r.mu.Lock()
	r.doubts = append(r.doubts, Problem{Line: line.Number, Message: why.Error()})
	r.mu.Unlock()
	if err := r.put(ctx, line, record); err != nil {
		r.halt(err)
	}
}

// Doubts returns, in the order of the lines, why lines are in doubt or not sent, where
// another run does not settle it: a person must look. A problem of kind [KnownReference]
// names a payout made since the batch was begun, with the line's reference but another
// amount or account.
func (r *Run) Doubts() []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.doubts), func(a, b Problem) int { return a.Line - b.Line })
}

// create makes the call, and repeats it after no response. It uses the same key, so there
// is at most one payout. A line that an earlier run has begun is resumed: if its key is
// too old to be sent, it is looked up in the list of operations.
func (r *Run) create(ctx context.Context, line Line, intent *intram.Intent, begun bool) (op *intram.Operation, err error) {
	for _, pause := range pauses {
		if pause > 0 {
			if r.clock.Sleep(ctx, pause) != nil {
				return nil, err
			}
		}
		if !begun {
			op, err = r.client.Payouts.Create(ctx, line.Params, intram.WithIntent(intent))
			// The machine was suspended since the intent was made: the list shows what an
			// attempt has done.
			begun = errors.Is(err, intram.ErrIntentExpired)
		}
		if begun {
			op, err = r.client.Payouts.Resume(ctx, line.Params, intent, intram.WithLookBack(&r.lookBack))
		}
		cannot := new(intram.CannotTellError)
		if err == nil || stopsAll(err) || refusal(err) || errors.Is(err, intram.ErrNeverSent) || errors.As(err, &cannot) && cannot.Err == nil {
			break
		}
	}
	return op, err
}

// doubt counts a line without a response. Many in a row end the run.
func (r *Run) doubt(counts bool) {
	r.mu.Lock()
	r.progress.InDoubt++
	if counts {
		r.unsure++
	}
	tooMany := r.unsure >= mostUnsure
	r.reportProgress()
	r.mu.Unlock()
	if tooMany {
		r.halt(fmt.Errorf("batch: %d lines in a row had no response from the API: run the batch again later", mostUnsure))
	}
}

func (r *Run) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsure = 0
}

// stopsAll reports a refusal that every other line would meet too. It is about the
// merchant or this machine, and the API checks it before the idempotency key, so the
// line's key can still be used.
func stopsAll(err error) bool {
	if errors.Is(err, intram.ErrIntentMismatch) {
		return true
	}
	for _, code := range []intram.ErrorCode{
		intram.CodeMissingAPIKey, intram.CodeInvalidAPIKey, intram.CodeSignatureInvalid, intram.CodeMerchantInactive,
		intram.CodeIPAllowlistEmpty, intram.CodeIPNotAllowed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	// A 4xx without a code comes from a proxy, a firewall or a wrong address. The line's
	// result is not known, and the next lines would meet the same.
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code == "" && call.StatusCode >= 400 && call.StatusCode < 500 && !passing(call.StatusCode)
}

// passing reports whether a later attempt may not meet the status again.
func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// refusal reports whether the API itself has refused the line: with a code, and not
// because of its load or because another request has the line's key. Any other response
// says nothing about the money.
func refusal(err error) bool {
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code != "" && intram.OutcomeOf(err) == intram.OutcomeRejected &&
		!passing(call.StatusCode) && call.StatusCode != http.StatusConflict
}

// taken reports whether another request has the line's key.
func taken(err error) bool {
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code != "" && call.StatusCode == http.StatusConflict
}

// codeOf returns the code of a refusal.
func codeOf(err error) intram.ErrorCode {
	call := new(intram.Error)
	_ = errors.As(err, &call) // see refusal and taken
	return call.Code
}
