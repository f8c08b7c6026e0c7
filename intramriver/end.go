package intramriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

// End is what [Config.OnEnd] gets: a record that has come to an end.
type End struct {
	// Record is the record after the end: its State says which.
	Record *Record
	// Operation is the operation as the API shows it. It is nil for Refused, and when an
	// event told of the end.
	Operation *intram.Operation
	// Result is what the operation came to: an *intram.PayoutResult, *intram.RefundResult
	// or *intram.PaymentRequestResult; nil for Refused and Failed.
	Result intram.OperationResult
	// Failure is why the operation failed, nil if it did not.
	Failure *intram.OperationError
}

// Outcome says whether the money may have moved although the record did not end well. It
// is empty for Completed, Settled and QueuedForSettlement. A Failed whose outcome is
// intram.OutcomeUnknown may have been paid by the operator: look it up there before you
// pay again.
func (e End) Outcome() intram.Outcome {
	switch e.Record.State {
	case Refused, Returned:
		return intram.OutcomeRejected
	case Failed:
		if e.Failure != nil {
			return intram.OutcomeOf(e.Failure)
		}
		return intram.OutcomeUnknown
	}
	return ""
}

// ending is what is known of an operation that ended, from whatever source.
type ending struct {
	operationID string
	kind        Kind
	verdict     verdict
	code        intram.ErrorCode
	transaction string
	operation   *intram.Operation
	result      intram.OperationResult
	failure     *intram.OperationError
}

// endingOf reads an operation.
func endingOf(op *intram.Operation) ending {
	e := ending{operationID: op.ID, kind: Kind(op.Type), verdict: verdictOf(op), operation: op, result: op.Result}
	if r, ok := op.Result.(*intram.PaymentRequestResult); ok {
		e.transaction = r.TransactionReference
	}
	if e.verdict == failed || e.verdict == returned {
		failure := intram.OperationError{OperationID: op.ID, Operation: op}
		if op.Error != nil {
			failure.Code, failure.Message, failure.Details = op.Error.Code, op.Error.Message, op.Error.Details
		}
		switch {
		case failure.Code != "":
		case e.verdict == returned:
			failure.Code = intram.CodeResultFailed
		case op.Status == intram.OperationExpired:
			failure.Code = intram.CodeOperationExpired
		}
		e.failure, e.code = &failure, failure.Code
	}
	return e
}

const endSQL = `
UPDATE {records} SET state = ($6::text[])[array_position($5::text[], state)], code = $7,
	transaction_reference = CASE WHEN $8 = '' THEN transaction_reference ELSE $8 END,
	ended_at = {now}, changed_at = {now}, look_at = {now} + interval '5 minutes'
WHERE merchant = $1 AND environment = $2 AND operation_id = $3 AND kind = $4 AND state = ANY($5)
RETURNING ` + recordColumns

// endTx ends the record of an operation in a transaction, with OnEnd. ended is false if
// there is no such record, or if it has come as far already.
func (w *Work) endTx(ctx context.Context, tx pgx.Tx, e ending) (ended bool, err error) {
	from, to := e.verdict.follow(e.kind)
	if len(from) == 0 || e.operationID == "" {
		return false, nil
	}
	r, err := scanRecord(tx.QueryRow(ctx, w.sql(endSQL), w.merchant, w.environment, e.operationID, string(e.kind), from, to, string(e.code), e.transaction))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("intramriver: end: %w", err)
	}
	if err := w.step(ctx, "ended"); err != nil {
		return false, err
	}
	return true, w.callOnEnd(ctx, tx, End{Record: r, Operation: e.operation, Result: e.result, Failure: e.failure})
}

// end does what endTx does, in a transaction of its own.
func (w *Work) end(ctx context.Context, e ending) (ended bool, err error) {
	err = pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		ended, err = w.endTx(ctx, tx, e)
		return err
	})
	if err != nil && ended && w.onEnd != nil && !errors.Is(err, errOnEnd) {
		// OnEnd left an error of the database aside, or has broken a deferred constraint.
		err = fmt.Errorf("%w: its transaction cannot be committed: %w", errOnEnd, err)
	}
	return ended && err == nil, err
}

// errOnEnd is behind the error of an end that was rolled back because OnEnd failed.
var errOnEnd = errors.New("intramriver: OnEnd failed")

// callOnEnd calls the merchant's function. A panic is an error: the sweep goes on with
// other records. Only its type is kept: the value may be anything.
func (w *Work) callOnEnd(ctx context.Context, tx pgx.Tx, end End) (err error) {
	if w.onEnd == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: OnEnd panicked", slog.Int64("record", end.Record.ID), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("%w: it panicked with a %T", errOnEnd, v)
		}
	}()
	if err := w.onEnd(ctx, lentTx{tx}, end); err != nil {
		return fmt.Errorf("%w: %w", errOnEnd, err)
	}
	return nil
}

// endByID looks an operation up, and ends its record.
func (w *Work) endByID(ctx context.Context, operationID string) error {
	op, err := w.client.Operations.Get(ctx, operationID)
	if err != nil {
		return err
	}
	_, err = w.end(ctx, endingOf(op))
	return err
}
