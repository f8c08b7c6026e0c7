package pginbox

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	intram "github.com/intram/intram-go"
)

// InTx makes the function for intram.NewWebhookHandler and intram.NewReconciler of one
// that takes a transaction. What handle writes through tx and the completion of the event
// are committed together: an event takes effect once, wherever the machine, the network
// or the database fails. The inbox that is given to the handler must be this one.
//
// The transaction is rolled back when handle returns an error or panics, when its context
// has ended, and when its lease was lost: whoever claimed the event since makes it take
// effect, and only that one. handle must not commit or roll back itself, and what it does
// elsewhere is not part of the transaction.
func (in *Inbox) InTx(handle func(ctx context.Context, tx pgx.Tx, event *intram.Event) error) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return func(ctx context.Context, event *intram.Event) error {
		claim, ok := intram.ClaimFromContext(ctx)
		if !ok {
			return ErrNoClaim
		}
		return pgx.BeginFunc(ctx, in.pool, func(tx pgx.Tx) error {
			if err := handle(ctx, tx, event); err != nil {
				return err
			}
			// Last, so that the row is locked for an instant and nobody who asks for the
			// event has to wait for handle.
			completed, err := tx.Exec(ctx, completeSQL, claim.Key, claim.Token, claim.Note)
			if err != nil {
				return err
			}
			if completed.RowsAffected() == 0 {
				return intram.ErrLeaseLost
			}
			return nil
		})
	}
}

// Transactional makes the function for intram.NewWebhookHandler and intram.NewReconciler
// of one that does not take a transaction, such as the Handle of an intram.EventRouter:
// [Tx] gives its functions the transaction. All else is as with [Inbox.InTx].
//
//	router := new(intram.EventRouter)
//	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, payout *intram.PayoutEventData) error {
//		_, err := pginbox.Tx(ctx).Exec(ctx, "UPDATE payouts SET amount = $1 WHERE operation_id = $2", payout.Amount.String(), e.OperationID)
//		return err
//	})
//	handler := intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle))
func (in *Inbox) Transactional(handle intram.EventHandler) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return in.InTx(func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
		return handle(context.WithValue(ctx, txKey{}, tx), event)
	})
}

type txKey struct{}

// Tx returns the transaction of a function that [Inbox.Transactional] calls. It is never
// nil: with a context of another origin, whatever it is asked for fails with
// [ErrNoTransaction].
func Tx(ctx context.Context) pgx.Tx {
	if tx, ok := ctx.Value(txKey{}).(pgx.Tx); ok {
		return tx
	}
	return noTx{}
}

// noTx is a transaction that there is not.
type noTx struct{}

func (noTx) Begin(context.Context) (pgx.Tx, error) { return nil, ErrNoTransaction }
func (noTx) Commit(context.Context) error          { return ErrNoTransaction }
func (noTx) Rollback(context.Context) error        { return ErrNoTransaction }
func (noTx) LargeObjects() pgx.LargeObjects        { return pgx.LargeObjects{} }
func (noTx) Conn() *pgx.Conn                       { return nil }

func (noTx) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, ErrNoTransaction
}

func (noTx) SendBatch(_ context.Context, b *pgx.Batch) pgx.BatchResults {
	return pgx.FailedBatchResults(b, ErrNoTransaction)
}

func (noTx) Prepare(context.Context, string, string) (*pgconn.StatementDescription, error) {
	return nil, ErrNoTransaction
}

func (noTx) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, ErrNoTransaction
}

func (noTx) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, ErrNoTransaction }
func (noTx) QueryRow(context.Context, string, ...any) pgx.Row        { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return ErrNoTransaction }
