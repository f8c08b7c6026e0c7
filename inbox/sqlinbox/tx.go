package sqlinbox

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	intram "github.com/intram/intram-go"
)

// A savepoint that is there at the end proves that the transaction of the beginning is.
// It may have ended with a statement of the function's, or in MySQL and SQLite with an
// error that the function dropped: what follows is then committed by itself.
const (
	guardSQL   = "SAVEPOINT intram_sqlinbox"
	guardedSQL = "RELEASE SAVEPOINT intram_sqlinbox"
)

// InTx returns a function for intram.NewWebhookHandler and intram.NewReconciler that
// calls handle in a transaction. What handle writes through tx and the completion of the
// event are committed together: an event takes effect once, wherever the machine, the
// network or the database fails. Give the handler this same inbox.
//
// The transaction is rolled back when handle returns an error or panics, when its context
// has ended, and when its lease was lost: the next claim of the event then makes it take
// effect, and only that one. After a deadlock or a serialization failure the transaction
// is rolled back and handle is called again at once, up to 5 times in all, so handle must
// return the errors of tx, wrapped with %w if at all. Its effects elsewhere are not part
// of the transaction. handle must not commit or roll back itself, also not by a
// statement, such as COMMIT, or CREATE TABLE in MySQL: [ErrTransactionEnded].
func (in *Inbox) InTx(handle func(ctx context.Context, tx *sql.Tx, event *intram.Event) error) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return func(ctx context.Context, event *intram.Event) (err error) {
		claim, ok := intram.ClaimFromContext(ctx)
		if !ok {
			return ErrNoClaim
		}
		for range tries {
			err = in.transact(ctx, func(tx *sql.Tx) error {
				return in.complete(ctx, tx, claim, func() error { return handle(ctx, tx, event) })
			})
			if err == nil || ctx.Err() != nil || !in.dialect.conflicts(err) {
				break
			}
		}
		return err
	}
}

// complete calls handle and completes the claim after it, in their transaction.
func (in *Inbox) complete(ctx context.Context, tx *sql.Tx, claim intram.Claim, handle func() error) error {
	if _, err := tx.ExecContext(ctx, guardSQL); err != nil {
		return err
	}
	if err := handle(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, guardedSQL); err != nil {
		return in.ended(ctx, err)
	}
	// Last, so that the row is locked only briefly and other claims of the event do not
	// wait for handle.
	result, err := tx.ExecContext(ctx, in.completeSQL, claim.Note, claim.Key, claim.Token)
	if err != nil {
		return in.ended(ctx, err)
	}
	completed, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if completed == 0 {
		return intram.ErrLeaseLost
	}
	return nil
}

// ended tells a transaction that is over from a connection that failed.
func (in *Inbox) ended(ctx context.Context, err error) error {
	over := errors.Is(err, sql.ErrTxDone) || !in.dialect.passes(err)
	if over && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrTransactionEnded, err)
	}
	return err
}

// Transactional returns a function for intram.NewWebhookHandler and intram.NewReconciler
// from one that takes no transaction, such as the Handle of an intram.EventRouter: [Tx]
// returns the transaction to it. Everything else is as with [Inbox.InTx].
//
//	router := new(intram.EventRouter)
//	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
//		return recordPayout(ctx, sqlinbox.Tx(ctx), e)
//	})
//	handler := intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle))
//
// Events come in any order: the example of [Tx] has a recordPayout that does not let a
// late payout.queued overwrite payout.completed.
func (in *Inbox) Transactional(handle intram.EventHandler) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return in.InTx(func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
		return handle(context.WithValue(ctx, txKey{}, tx), event)
	})
}

type txKey struct{}

// Tx returns the transaction of a function that [Inbox.Transactional] calls. It is never
// nil: with any other context, each use of the transaction fails with [ErrNoTransaction].
func Tx(ctx context.Context) *sql.Tx {
	if tx, ok := ctx.Value(txKey{}).(*sql.Tx); ok {
		return tx
	}
	return noTx()
}

// noTx returns the transaction that stands for a missing one. It is one of a driver that
// does nothing.
var noTx = sync.OnceValue(func() *sql.Tx {
	db := sql.OpenDB(nowhere{})
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil { // it cannot be
		tx = new(sql.Tx)
	}
	_ = db.Close() // the transaction keeps its connection
	return tx
})

// nowhere is a driver whose statements fail.
type nowhere struct{}

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nowhere{}, nil }
func (nowhere) Driver() driver.Driver                        { return nowhere{} }
func (nowhere) Open(string) (driver.Conn, error)             { return nowhere{}, nil }
func (nowhere) Prepare(string) (driver.Stmt, error)          { return nil, ErrNoTransaction }
func (nowhere) Close() error                                 { return nil }
func (nowhere) Begin() (driver.Tx, error)                    { return nowhere{}, nil }
func (nowhere) Commit() error                                { return ErrNoTransaction }
func (nowhere) Rollback() error                              { return ErrNoTransaction }
