package intramriver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

// openEndError is an event that does not say how its operation ended: it is to be looked
// up, outside of the transaction.
type openEndError struct{ operationID string }

func (e *openEndError) Error() string {
	return "intramriver: event: the end of its operation is to be looked up"
}

// endByEvent ends the record that an event is about, if there is one, in the event's
// transaction. The operation is there when it was looked up.
func (w *Work) endByEvent(ctx context.Context, tx pgx.Tx, event *intram.Event, op *intram.Operation) error {
	if op != nil {
		_, err := w.endTx(ctx, tx, endingOf(op))
		return err
	}
	e, certain := endingOfEvent(event)
	if e.verdict == notEnded {
		return nil
	}
	if !certain {
		mine, err := w.hasOperation(ctx, tx, e.operationID)
		if err != nil || !mine {
			return err
		}
		return &openEndError{e.operationID}
	}
	_, err := w.endTx(ctx, tx, e)
	return err
}

const hasOperationSQL = `SELECT EXISTS (SELECT FROM {records} WHERE merchant = $1 AND environment = $2 AND operation_id = $3)`

func (w *Work) hasOperation(ctx context.Context, tx pgx.Tx, id string) (mine bool, err error) {
	if err := tx.QueryRow(ctx, w.sql(hasOperationSQL), w.merchant, w.environment, id).Scan(&mine); err != nil {
		return false, fmt.Errorf("intramriver: event: %w", err)
	}
	return mine, nil
}

const earlyEventsSQL = `
SELECT key, source, headers, body FROM {events}
WHERE merchant = $1 AND environment = $2 AND operation_id = $3 AND done_at IS NOT NULL AND body IS NOT NULL ORDER BY id`

// endByStored ends a record with the events of its operation that came before the
// response to its call. What fails here is learned by the sweep.
func (w *Work) endByStored(ctx context.Context, operationID string) {
	err := func() error {
		rows, err := w.pool.Query(ctx, w.sql(earlyEventsSQL), w.merchant, w.environment, operationID)
		if err != nil {
			return err
		}
		early, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s storedEvent, err error) {
			err = row.Scan(&s.key, &s.source, &s.headers, &s.body)
			return s, err
		})
		if err != nil {
			return err
		}
		for _, stored := range early {
			event, err := w.openEvent(stored)
			if err != nil {
				return err
			}
			if e, certain := endingOfEvent(event); certain {
				if _, err := w.end(ctx, e); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	if err != nil {
		w.logger.LogAttrs(ctx, slog.LevelWarn, "intramriver: an end that is known was not written; the sweep writes it",
			slog.String("operation", operationID), slog.String("error", err.Error()))
	}
}

// endingOfEvent reads how far an event says that its operation has come. It is not
// certain when the event leaves open whether the operation failed or its money came back.
func endingOfEvent(event *intram.Event) (e ending, certain bool) {
	e = ending{operationID: event.OperationID}
	switch data := event.Data.(type) {
	case *intram.PayoutEventData:
		e.kind, e.result = Payout, &data.PayoutResult
		switch event.Type {
		case intram.EventPayoutCompleted:
			e.verdict = succeeded
		case intram.EventPayoutQueued:
			e.verdict = queued
		case intram.EventPayoutFailed:
			e.fail(data.Error)
			_, mobile := data.Destination.(intram.MobileMoney)
			return e, mobile // a bank returns what it has taken
		}
	case *intram.RefundEventData:
		e.kind, e.result = Refund, &data.RefundResult
		switch event.Type {
		case intram.EventRefundCompleted:
			e.verdict = succeeded
		case intram.EventRefundPending:
			e.verdict = queued
		case intram.EventRefundFailed:
			e.fail(data.Error)
			return e, false // at once, or after it was pending
		}
	case *intram.PaymentRequestEventData:
		e.kind, e.result, e.transaction = PaymentRequest, &data.PaymentRequestResult, data.TransactionReference
		switch event.Type {
		case intram.EventPaymentRequestCreated, intram.EventPaymentRequestPaid, intram.EventPaymentRequestPending:
			e.verdict = succeeded // the page is there
		case intram.EventPaymentRequestFailed:
			if data.TransactionReference != "" {
				e.verdict = succeeded // so is it when a payment fails
				break
			}
			e.fail(data.Error)
			return e, false // a list without payloads names no transaction either
		}
	}
	return e, true
}

// fail sets why the operation failed.
func (e *ending) fail(failure *intram.OperationError) {
	e.verdict, e.result = failed, nil
	e.failure = &intram.OperationError{OperationID: e.operationID}
	if failure != nil {
		e.failure.Code, e.failure.Message, e.failure.Details = failure.Code, failure.Message, failure.Details
	}
	e.code = e.failure.Code
}
