package intramriver

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoTransaction is the error of each use of [Tx] with a context that [Config.OnEvent]
// was not called with.
var ErrNoTransaction = errors.New("intramriver: no transaction in the context: Tx is for functions that Config.OnEvent calls")

type txKey struct{}

func withTx(ctx context.Context, tx pgx.Tx) context.Context {
	return context.WithValue(ctx, txKey{}, lentTx{tx})
}

// lentTx is a transaction that the merchant's function may use but not commit: what it
// wrote would be done before the job is, and be done again.
type lentTx struct{ pgx.Tx }

// Commit implements [pgx.Tx].
func (lentTx) Commit(context.Context) error { return errLent }

var errLent = errors.New("intramriver: the transaction is committed when OnEnd or OnEvent has returned: do not commit it")

// Tx returns the transaction in which an event takes effect, to [Config.OnEvent] and what
// it calls, such as the functions of an intram.EventRouter. What is written through it is
// committed with the completion of the event's job, or not at all. Do not commit it or
// roll it back.
//
// It is never nil: with any other context, each use fails with [ErrNoTransaction].
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
