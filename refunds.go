package intram

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// RefundsService gives customers their money back, all of it or a part.
//
//	op, err := client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: reference, Amount: part})
//	…
//	result, err := client.Refunds.Wait(ctx, op.ID) // result.Refunded() says whether the customer has it
type RefundsService struct{ client *Client }

// RefundParams is a refund to make.
type RefundParams struct {
	// TransactionReference is the payment's reference. Required.
	TransactionReference string
	// Amount is in whole units, and at most the original. Left unset, it refunds all of
	// it. A zero that was set, as a difference or by NewAmount(0), is refused: it asks to
	// refund nothing.
	Amount Amount
	// Reason is at most 500 characters.
	Reason string
	// Metadata is yours; it comes back with the operation. It must be writable as JSON,
	// in at most 64 levels and valid UTF-8. It is sent with its keys in order, whatever
	// it is made of.
	Metadata map[string]any
	// Extra has fields of the API that this version of the SDK does not know. They are
	// sent beside the others, at the top level, and checked like Metadata.
	Extra map[string]any
}

// RefundStatus is how far a refund has come.
type RefundStatus string

// Statuses of a refund's result (Merchant API docs, Refunds), read in any case. A word
// that is not listed here is kept, and means neither completed nor failed.
const (
	RefundCompleted RefundStatus = "completed"
	RefundPending   RefundStatus = "pending" // the provider has it, and will say later
	RefundFailed    RefundStatus = "failed"  // after it was pending
)

// UnmarshalJSON reads a status in any case.
func (s *RefundStatus) UnmarshalJSON(data []byte) error {
	return wire.UnmarshalWord(data, s, RefundCompleted, RefundPending, RefundFailed)
}

// RefundResult is what a refund's operation came to.
type RefundResult struct {
	Status               RefundStatus
	RefundReference      string
	Amount               Amount
	TransactionReference string
	ProviderResponse     ProviderResponse
	// Raw is the result as it came.
	Raw RawMessage
}

// Refunded reports whether the customer has the money back: the status is
// [RefundCompleted] in any case. Every other word, one that the SDK does not know or none
// at all included, is not refunded.
func (r *RefundResult) Refunded() bool { return wire.EqualFold(r.Status, RefundCompleted) }

// Failed reports whether the result says that the refund failed.
func (r *RefundResult) Failed() bool { return wire.EqualFold(r.Status, RefundFailed) }

// judge implements judged.
func (r *RefundResult) judge() resultVerdict {
	return judgeWord(r.Status, RefundFailed, RefundCompleted, RefundPending)
}

// Create asks for a refund, full or in part. It returns as soon as the API has accepted
// it, with the operation queued; [RefundsService.Wait] or a webhook tells how it ended.
// What can be refunded: a payment that succeeded, as far as its provider supports it, and
// a pending bank or card payment, which is then cancelled.
//
// Endpoint: POST /refunds. Errors: [*Error] with [CodeTransactionNotFound] at once for an
// unknown reference, [CodeNotRefundable], [CodeValidationError],
// [CodeIdempotencyConflict] and the authentication codes. Docs: Merchant API, Refunds.
func (s *RefundsService) Create(ctx context.Context, params RefundParams, opts ...CallOption) (*Operation, error) {
	return doModel[Operation, operationWire](ctx, s.client, params.request(), opts)
}

// Prepare makes the record of a refund to save before it is asked for, with Resume or
// [WithIntent]. It checks the parameters, and sends nothing. It takes
// [WithIdempotencyKey]; other options are the call's.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Merchant API, Idempotency.
func (s *RefundsService) Prepare(params RefundParams, opts ...CallOption) (*Intent, error) {
	return s.client.merchant.intend(params.request(), opts)
}

// Get looks a refund up by its operation's id. The Result of one that succeeded is a
// [*RefundResult].
//
// Endpoint: GET /operations/{id}. Errors: those of [OperationsService.Get];
// [ErrResponseMismatch] is also behind that of an operation of another type. Docs:
// Merchant API, Operations.
func (s *RefundsService) Get(ctx context.Context, operationID string, opts ...CallOption) (*Operation, error) {
	return s.client.operation(ctx, OperationRefund, operationID, opts)
}

// List reads one page of refunds, newest first: [OperationsService.List] without
// operations of other types. Leave Type empty.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.List]. Docs: Merchant
// API, Operations.
func (s *RefundsService) List(ctx context.Context, params OperationListParams, opts ...CallOption) (*Page[Operation], error) {
	return s.client.operations(ctx, params.query(OperationRefund), opts)
}

// All reads all refunds, newest first: [OperationsService.All] without operations of
// other types. Leave Type empty. With Since it stops by itself.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.All]. Docs: Merchant
// API, Operations.
func (s *RefundsService) All(ctx context.Context, params OperationListParams, opts ...CallOption) iter.Seq2[*Operation, error] {
	return s.client.allOperations(ctx, params.query(OperationRefund), opts)
}

// Wait waits until the refund's operation has ended, and returns its result. A
// mobile-money refund's operation ends as [RefundPending], before the money has moved:
// only [RefundResult.Refunded] says that it has.
//
// Errors: [*OperationError] when the refund failed ([CodeAmountExceedsTransaction],
// [CodeNotRefundable], [CodeTransactionNotSettled], [CodeInsufficientBalance], …, and
// [CodeResultFailed] when its operation succeeded and its result says that it failed),
// [*WaitError] when the wait ended first, and [ErrUnexpectedResult] when the operation is
// no refund, or its result has a status that the SDK does not know. Docs: Merchant API,
// Operations.
func (s *RefundsService) Wait(ctx context.Context, operationID string, opts ...WaitOption) (*RefundResult, error) {
	return waitForResult[*RefundResult](ctx, s.client, operationID, opts)
}

// refundBody is POST /refunds as the docs write it.
type refundBody struct {
	TransactionReference string         `json:"transaction_reference"`
	Amount               *Amount        `json:"amount,omitempty"`
	Reason               string         `json:"reason,omitempty"`
	Metadata             map[string]any `json:"metadata,omitzero"`
}

// request is the call that these parameters make.
func (p RefundParams) request() request {
	r := request{method: http.MethodPost, template: "/refunds", path: "/refunds"}
	r.asked = askedFor{creates: OperationRefund, field: "transaction_reference", reference: p.TransactionReference}
	body := p.wire(&r.invalid)
	written := p.Amount.canonical()
	own, changed := r.invalid.own("metadata", body.Metadata)
	if written != p.Amount || changed {
		r.legacy = body
		if body.Amount != nil {
			body.Amount = &written
		}
		body.Metadata = own
	}
	r.params = body
	return r.with(p.Extra)
}

// wire checks the parameters and gives them the docs' shape.
func (p RefundParams) wire(v *validation) refundBody {
	body := refundBody{
		TransactionReference: p.TransactionReference, Reason: p.Reason, Metadata: p.Metadata,
	}
	if v.required("transaction_reference", p.TransactionReference, "the reference of the payment to refund") {
		v.check(len(p.TransactionReference) <= 64 && allOf(p.TransactionReference, isAlphanumeric), "transaction_reference",
			"transaction_reference must be letters and digits, such as AB12CD34EF")
	}
	if p.Amount.state != amountUnset {
		if p.Amount.IsSet() && p.Amount.IsZero() {
			v.fail("amount", "amount must be greater than 0: a zero that was set refunds nothing; leave it unset to refund all")
		} else {
			v.amount("amount", p.Amount, "")
		}
		body.Amount = &p.Amount
	}
	v.text("reason", p.Reason, maxReason)
	return body
}

// refundResultWire is a refund's result as the docs write it. An event has its fields
// too.
type refundResultWire struct {
	Status               RefundStatus     `json:"status"`
	RefundReference      wire.Text        `json:"refund_reference"`
	Amount               Amount           `json:"amount"`
	TransactionReference wire.Text        `json:"transaction_reference"`
	ProviderResponse     ProviderResponse `json:"provider_response"`
}

// model implements shape.
func (w refundResultWire) model(raw RawMessage) RefundResult {
	return RefundResult{
		Status: w.Status, RefundReference: string(w.RefundReference), Amount: w.Amount,
		TransactionReference: string(w.TransactionReference), ProviderResponse: w.ProviderResponse, Raw: raw,
	}
}

// UnmarshalJSON reads both revisions of the docs.
func (r *RefundResult) UnmarshalJSON(data []byte) error {
	return readValue[RefundResult, refundResultWire](data, r)
}

// MarshalJSON writes what the API sent.
func (r RefundResult) MarshalJSON() ([]byte, error) {
	type plain RefundResult
	return marshalRaw(r.Raw, plain(r))
}

// shown returns what is printed: the refund, without the operator's words.
func (r RefundResult) shown() string {
	return hidden("RefundResult", scrubID(r.RefundReference), r.Amount.String(), redact.Word(string(r.Status)))
}

// MarshalJSON writes the parameters as the docs name them, to be queued or stored and
// read back without loss. What was not set is left out: an amount that is not there
// refunds all, and one of 0 is refused.
func (p RefundParams) MarshalJSON() ([]byte, error) {
	return lossless("", struct {
		refundBody

		Extra map[string]any `json:"extra,omitzero"`
	}{
		refundBody{
			TransactionReference: p.TransactionReference, Amount: p.Amount.orNothing(), Reason: p.Reason, Metadata: p.Metadata,
		}, p.Extra,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote, and what version 0.1.0 wrote. An amount of
// null is an error: it may be a number that could not be computed, and must not refund
// all. Numbers in Metadata are read as [json.Number], to the last digit.
func (p *RefundParams) UnmarshalJSON(data []byte) error {
	var w struct {
		TransactionReference string          `json:"transaction_reference"`
		FieldName            string          `json:"TransactionReference"` // as 0.1.0 wrote it
		Amount               json.RawMessage `json:"amount"`
		Reason               string          `json:"reason"`
		Metadata             map[string]any  `json:"metadata"`
		Extra                map[string]any  `json:"extra"`
	}
	if err := decodeParams(data, &w); err != nil {
		return err
	}
	var amount Amount
	switch {
	case w.Amount == nil:
	case wire.IsNull(w.Amount):
		return errors.New("intram: amount is null: leave it out to refund all")
	default:
		if err := amount.UnmarshalJSON(w.Amount); err != nil {
			return err
		}
	}
	*p = RefundParams{
		TransactionReference: cmp.Or(w.TransactionReference, w.FieldName),
		Amount:               amount, Reason: w.Reason, Metadata: w.Metadata, Extra: w.Extra,
	}
	return nil
}

// shown returns what is printed: the transaction and the amount, without reason and
// metadata.
func (p RefundParams) shown() string {
	return hidden("RefundParams", scrubID(p.TransactionReference), p.Amount.String())
}
