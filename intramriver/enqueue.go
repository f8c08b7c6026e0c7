package intramriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	intram "github.com/intram/intram-go"
)

// maxAttempts is how often River tries a job before it discards it: never, as good as. A
// row that is in doubt may not lose its job.
const maxAttempts = 30_000

// PayoutTx plans a payout in a transaction of yours: with the commit it will be made,
// once, and without it never. Params.Reference is required, and names the payout for
// ever: asking again returns the record that is there, and plans nothing. References are
// compared and sent in Unicode's NFC.
//
// Errors: [*intram.Error] with intram.CodeValidationError for parameters that the API
// would refuse, and [*MismatchError] for a reference that was used with other parameters.
// After either the transaction is still good.
//
// Endpoint: POST /payouts, by a job.
func (w *Work) PayoutTx(ctx context.Context, tx pgx.Tx, params intram.PayoutParams) (*Record, error) {
	return w.enqueue(ctx, tx, w.payout(params))
}

// Payout does what [Work.PayoutTx] does, in a transaction of its own. After an error ask
// again with the same parameters.
func (w *Work) Payout(ctx context.Context, params intram.PayoutParams) (*Record, error) {
	return w.inTx(ctx, func(tx pgx.Tx) (*Record, error) { return w.PayoutTx(ctx, tx, params) })
}

// RefundTx plans a refund in a transaction of yours: see [Work.PayoutTx]. The API has no
// reference of refunds, so yours is an argument. It is sent in the Metadata, as
// [ReferenceKey].
//
// Endpoint: POST /refunds, by a job.
func (w *Work) RefundTx(ctx context.Context, tx pgx.Tx, reference string, params intram.RefundParams) (*Record, error) {
	c, err := w.refund(reference, params)
	if err != nil {
		return nil, err
	}
	return w.enqueue(ctx, tx, c)
}

// Refund does what [Work.RefundTx] does, in a transaction of its own.
func (w *Work) Refund(ctx context.Context, reference string, params intram.RefundParams) (*Record, error) {
	return w.inTx(ctx, func(tx pgx.Tx) (*Record, error) { return w.RefundTx(ctx, tx, reference, params) })
}

// PaymentRequestTx plans a payment request in a transaction of yours: see
// [Work.PayoutTx]. The API has no reference of payment requests, so yours is an argument.
// It is sent in the WebhookData, as [ReferenceKey], and so is in the events. The record
// is Completed when the checkout page is there; events tell when it is paid.
//
// Endpoint: POST /payment-requests, by a job.
func (w *Work) PaymentRequestTx(ctx context.Context, tx pgx.Tx, reference string, params intram.PaymentRequestParams) (*Record, error) {
	c, err := w.paymentRequest(reference, params)
	if err != nil {
		return nil, err
	}
	return w.enqueue(ctx, tx, c)
}

// PaymentRequest does what [Work.PaymentRequestTx] does, in a transaction of its own.
func (w *Work) PaymentRequest(ctx context.Context, reference string, params intram.PaymentRequestParams) (*Record, error) {
	return w.inTx(ctx, func(tx pgx.Tx) (*Record, error) { return w.PaymentRequestTx(ctx, tx, reference, params) })
}

func (w *Work) inTx(ctx context.Context, do func(tx pgx.Tx) (*Record, error)) (*Record, error) {
	var r *Record
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) (err error) {
		r, err = do(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

const planSQL = `
INSERT INTO {records} (merchant, environment, kind, reference, amount, currency, params, intent, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}, {now})
ON CONFLICT (merchant, environment, kind, reference) DO NOTHING
RETURNING ` + recordColumns

// enqueue writes the row and its job.
func (w *Work) enqueue(ctx context.Context, tx pgx.Tx, c *call) (*Record, error) {
	if tx == nil {
		return nil, errors.New("intramriver: the transaction is nil")
	}
	if err := checkReference(c.reference); err != nil {
		return nil, err
	}
	intent, err := c.prepare()
	if err != nil {
		return nil, err
	}
	params, err := c.canonical()
	if err != nil {
		return nil, err
	}
	sealedParams, err := w.sealRow(c.kind, c.reference, columnParams, params)
	if err != nil {
		return nil, err
	}
	sealedIntent, err := w.sealIntent(c.kind, c.reference, intent)
	if err != nil {
		return nil, err
	}
	var amount any
	if c.amount.IsSet() {
		amount = c.amount
	}
	r, err := scanRecord(tx.QueryRow(ctx, w.sql(planSQL), w.merchant, w.environment, string(c.kind), c.reference, amount, string(c.currency), sealedParams, sealedIntent))
	if errors.Is(err, pgx.ErrNoRows) {
		return w.same(ctx, tx, c, intent, params)
	}
	if err != nil {
		return nil, fmt.Errorf("intramriver: plan: %w", err)
	}
	if err := w.insertJob(ctx, tx, r.ID); err != nil {
		return nil, err
	}
	return r, nil
}

func (w *Work) insertJob(ctx context.Context, tx pgx.Tx, record int64) error {
	_, err := w.river.InsertTx(ctx, tx, sendArgs{Merchant: w.merchant, Environment: w.environment, Record: record},
		&river.InsertOpts{Queue: w.queue, MaxAttempts: maxAttempts})
	if err != nil {
		return fmt.Errorf("intramriver: plan: %w", err)
	}
	return nil
}

const sameSQL = `SELECT ` + recordColumns + `, params, intent FROM {records}
WHERE merchant = $1 AND environment = $2 AND kind = $3 AND reference = $4`

// same returns the record that has the reference, if it is of the same parameters.
func (w *Work) same(ctx context.Context, tx pgx.Tx, c *call, intent *intram.Intent, params []byte) (*Record, error) {
	var sealedParams, sealedIntent []byte
	r, err := scanRecord(tx.QueryRow(ctx, w.sql(sameSQL), w.merchant, w.environment, string(c.kind), c.reference), &sealedParams, &sealedIntent)
	if err != nil {
		return nil, fmt.Errorf("intramriver: plan: %w", err)
	}
	mismatch := &MismatchError{
		Kind: c.kind, Reference: c.reference, State: r.State,
		Stored: Summary{Amount: r.Amount, Currency: r.Currency}, Asked: Summary{Amount: c.amount, Currency: c.currency, Receiver: c.shown},
	}
	if sealedIntent == nil { // pruned, without a Seal: no hash was kept
		if sameAmount(r.Amount, c.amount) && r.Currency == c.currency {
			return r, nil
		}
		return nil, mismatch
	}
	saved, err := w.openIntent(c.kind, c.reference, sealedIntent)
	if err != nil {
		return nil, err
	}
	if saved.CallSHA256 == intent.CallSHA256 {
		return r, nil
	}
	if sealedParams == nil {
		return nil, mismatch
	}
	stored, err := w.openRow(c.kind, c.reference, columnParams, sealedParams)
	if err != nil {
		return nil, err
	}
	before, err := w.read(c.kind, c.reference, stored)
	if err != nil {
		return nil, err
	}
	// Another version of the SDK may have written the same call in other bytes.
	if again, err := before.prepare(); err == nil && again.CallSHA256 == intent.CallSHA256 {
		return r, nil
	}
	mismatch.Stored.Receiver = before.shown
	mismatch.Fields = differences(stored, params)
	return nil, mismatch
}

func sameAmount(a, b intram.Amount) bool {
	return a.IsSet() == b.IsSet() && (!a.IsSet() || a.Equal(b))
}

// The columns that are sealed.
const (
	columnParams = "params"
	columnIntent = "intent"
)

func (w *Work) bound(kind Kind, reference, column string) []byte {
	return additional("intram_records", column, w.merchant, w.environment, string(kind), reference)
}

func (w *Work) sealRow(kind Kind, reference, column string, text []byte) ([]byte, error) {
	sealed, err := w.seal.Seal(text, w.bound(kind, reference, column))
	if err != nil {
		return nil, fmt.Errorf("intramriver: seal: %w", err)
	}
	return sealed, nil
}

func (w *Work) openRow(kind Kind, reference, column string, sealed []byte) ([]byte, error) {
	text, err := w.seal.Open(sealed, w.bound(kind, reference, column))
	if err != nil {
		return nil, fmt.Errorf("intramriver: open: %w", err)
	}
	return text, nil
}

func (w *Work) sealIntent(kind Kind, reference string, intent *intram.Intent) ([]byte, error) {
	text, err := json.Marshal(intent)
	if err != nil {
		return nil, err
	}
	return w.sealRow(kind, reference, columnIntent, text)
}

func (w *Work) openIntent(kind Kind, reference string, sealed []byte) (*intram.Intent, error) {
	text, err := w.openRow(kind, reference, columnIntent, sealed)
	if err != nil {
		return nil, err
	}
	intent := new(intram.Intent)
	if err := json.Unmarshal(text, intent); err != nil {
		return nil, errors.New("intramriver: the saved intent cannot be read: is the Seal the one that it was stored with?")
	}
	return intent, nil
}

// Summary is what a [MismatchError] shows of a call: no personal data.
type Summary struct {
	Amount   intram.Amount
	Currency intram.Currency
	// Receiver is the destination of a payout with its number masked. It is empty when it
	// is not known, after Prune.
	Receiver string
}

func (s Summary) String() string {
	amount := "all"
	if s.Amount.IsSet() {
		amount = s.Amount.String()
	}
	return strings.Join(slices.DeleteFunc([]string{amount, string(s.Currency), s.Receiver}, func(part string) bool { return part == "" }), " ")
}

// MismatchError is a reference that was used before, with other parameters. Nothing was
// planned. If a second call is meant, give it a reference of its own.
type MismatchError struct {
	Kind      Kind
	Reference string
	// State is how far the record that has the reference has come.
	State State
	// Stored is what was asked for then, Asked what is asked for now.
	Stored, Asked Summary
	// Fields are the parameters that differ, as the API names them. It is empty after
	// Prune, which keeps no parameters.
	Fields []string
}

// Error implements error: one line, without personal data.
func (e *MismatchError) Error() string {
	fields := "parameters that were pruned"
	if len(e.Fields) > 0 {
		fields = strings.Join(e.Fields, ", ")
	}
	return fmt.Sprintf("intramriver: another %s has this reference (%s, %s), asked for now: %s; different: %s; nothing was planned: "+
		"repeat the first call as it was, or use another reference", e.Kind, e.State, e.Stored, e.Asked, fields)
}
