package pginbox

import (
	"context"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

// InTx makes the function for intram.NewWebhookHandler and intram.NewReconciler of one that takes a transaction. What handle writes through tx and
// the completion of the event are committed together: an event takes effect once, wherever the machine, the network or
// the database fails. The inbox that is given to the handler must be this one.
//
// The transaction is rolled back when handle returns an error or panics, when its context has ended, and when its lease was lost: whoever claimed the
// event since makes it take effect, and only that one. handle must not commit or roll back itself, and what it does elsewhere is
// not part of the transaction.
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
			// Last, so that the row is locked for an instant and nobody who asks for the event has to wait for handle.
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
