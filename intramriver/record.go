package intramriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
)

// Record is a payout, a refund or a payment request, and how far it has come. It holds
// no personal data but what a reference of yours may be.
type Record struct {
	// ID is the row's.
	ID int64
	// Merchant is the Config.Merchant, Environment the client's.
	Merchant    string
	Environment intram.Environment
	Kind        Kind
	// Reference is your own, in Unicode's NFC.
	Reference string
	State     State
	// Amount is what was asked for, in whole units; not set in a refund of all.
	Amount   intram.Amount
	Currency intram.Currency
	// Generation counts the intents that are proved to have done nothing.
	Generation int
	// OperationID is the API's, once it was accepted.
	OperationID string
	// TransactionReference is the payment's, of a payment request that was completed.
	TransactionReference string
	// Code is why it failed, was refused or is in doubt; empty otherwise.
	Code intram.ErrorCode
	// Candidates are the operations that may be this record's, when it needs a person.
	Candidates []string
	// CreatedAt, ChangedAt and EndedAt are by the database's clock; EndedAt is zero
	// before the end. OperationAt is when the operation was created, by the API's clock,
	// zero before it was.
	CreatedAt, ChangedAt, OperationAt, EndedAt time.Time
}

// Ended reports whether the record has come to an end.
func (r *Record) Ended() bool { return r.State.Ended() }

// recordColumns are what scanRecord reads.
const recordColumns = `id, merchant, environment, kind, reference, state, amount, currency, generation, operation_id,
	transaction_reference, code, candidates, created_at, changed_at, operation_at, ended_at`

// scanRecord reads the columns of recordColumns, and more behind them.
func scanRecord(row pgx.Row, more ...any) (*Record, error) {
	r := new(Record)
	var amount *intram.Amount
	var operation *string
	var operationAt, endedAt *time.Time
	dest := append([]any{
		&r.ID, &r.Merchant, &r.Environment, &r.Kind, &r.Reference, &r.State, &amount, &r.Currency, &r.Generation, &operation,
		&r.TransactionReference, &r.Code, &r.Candidates, &r.CreatedAt, &r.ChangedAt, &operationAt, &endedAt,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return nil, err
	}
	if amount != nil {
		r.Amount = *amount
	}
	if operation != nil {
		r.OperationID = *operation
	}
	if operationAt != nil {
		r.OperationAt = *operationAt
	}
	if endedAt != nil {
		r.EndedAt = *endedAt
	}
	return r, nil
}

// Filter selects records of [Work.Records].
type Filter struct {
	// States are those to list; empty is all.
	States []State
	// Kind is the kind to list; empty is all.
	Kind Kind
	// After is the ID of the last record of the page before, 0 for the first page.
	After int64
	// Limit is the size of a page, 1 to 1000; 0 is 100.
	Limit int
}

const recordsSQL = `SELECT ` + recordColumns + ` FROM {records}
WHERE merchant = $1 AND environment = $2 AND ($3 = '' OR kind = $3) AND id > $4 AND `

// Records lists the merchant's records, oldest first: those that need a person, say.
func (w *Work) Records(ctx context.Context, filter Filter) ([]*Record, error) {
	switch {
	case filter.Limit == 0:
		filter.Limit = 100
	case filter.Limit < 0 || filter.Limit > 1000:
		return nil, errors.New("intramriver: Filter.Limit must be 1 to 1000")
	}
	// Written out, so that the planner sees which of the partial indexes have them.
	in := "true"
	if len(filter.States) > 0 {
		known := make([]string, 0, len(filter.States))
		for _, s := range filter.States {
			if !slices.Contains(States(), s) {
				return nil, fmt.Errorf("intramriver: Filter.States has %q: use the constants", string(s))
			}
			known = append(known, "'"+string(s)+"'")
		}
		in = "state IN (" + strings.Join(known, ", ") + ")"
	}
	rows, err := w.pool.Query(ctx, w.sql(recordsSQL)+in+" ORDER BY id LIMIT $5", w.merchant, w.environment, string(filter.Kind), filter.After, filter.Limit)
	if err != nil {
		return nil, fmt.Errorf("intramriver: records: %w", err)
	}
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Record, error) { return scanRecord(row) })
	if err != nil {
		return nil, fmt.Errorf("intramriver: records: %w", err)
	}
	return records, nil
}

const recordSQL = `SELECT ` + recordColumns + ` FROM {records}
WHERE merchant = $1 AND environment = $2 AND kind = $3 AND reference = $4`

// Record returns the record of a reference. Errors: [ErrNoRecord].
func (w *Work) Record(ctx context.Context, kind Kind, reference string) (*Record, error) {
	r, err := scanRecord(w.pool.QueryRow(ctx, w.sql(recordSQL), w.merchant, w.environment, string(kind), sameReference(reference)))
	return r, recordError("record", err)
}

// recordError names what was done when a row was read.
func recordError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNoRecord
	}
	return fmt.Errorf("intramriver: %s: %w", what, err)
}
