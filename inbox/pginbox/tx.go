package pginbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	intram "github.com/intram/intram-go"
)

// A savepoint that is there at the end proves that the transaction of the beginning is:
// after a statement that ends it, the completion would be committed by itself.
const (
	beginSQL   = "BEGIN; SAVEPOINT intram_pginbox"
	guardedSQL = "RELEASE SAVEPOINT intram_pginbox"
)

// InTx returns a function for intram.NewWebhookHandler and intram.NewReconciler that
// calls handle in a transaction. What handle writes through tx and the completion of the
// event are committed together: an event takes effect once, wherever the machine, the
// network or the database fails. Give the handler this same inbox.
//
// The transaction is rolled back when handle returns an error or panics, when its context
// has ended, and when its lease was lost: the next claim of the event then makes it take
// effect, and only that one. handle must not commit or roll back itself, also not by a
// statement: that is an error, and the event is not completed. Its effects elsewhere are
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
		return pgx.BeginTxFunc(ctx, in.pool, pgx.TxOptions{BeginQuery: beginSQL}, func(tx pgx.Tx) error {
			if err := handle(ctx, tx, event); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, guardedSQL); err != nil {
				return fmt.Errorf("pginbox: the transaction ended or failed inside the function: %w", err)
			}
			// Last, so that the row is locked only briefly and other claims of the event
			// do not wait for handle.
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

// Transactional returns a function for intram.NewWebhookHandler and intram.NewReconciler
// from one that takes no transaction, such as the Handle of an intram.EventRouter: [Tx]
// returns the transaction to it. Everything else is as with [Inbox.InTx].
//
//	router := new(intram.EventRouter)
//	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
//		return recordPayout(ctx, pginbox.Tx(ctx), e)
//	})
//	handler := intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle))
//
// Events come in any order: the example of [Tx] has a recordPayout that does not let a
// late payout.queued overwrite payout.completed.
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
// nil: with any other context, each use of the transaction fails with [ErrNoTransaction].
func Tx(ctx context.Context) pgx.Tx {
	if tx, ok := ctx.Value(txKey{}).(pgx.Tx); ok {
		return tx
	}
	return noTx{}
}

// noTx stands for a missing transaction: each use of it fails.
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
