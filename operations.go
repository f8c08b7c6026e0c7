package intram

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// OperationsService looks up what became of payouts, payment requests and refunds.
//
//	op, err := client.Operations.Get(ctx, id)
//	…
//	for op, err := range client.Operations.All(ctx, intram.OperationListParams{Since: yesterday}) { … }
type OperationsService struct{ client *Client }

// OperationType is what an operation does.
type OperationType string

// Types of operations (Merchant API docs, Operations). Others may come.
const (
	OperationPayout         OperationType = "payout"
	OperationPaymentRequest OperationType = "payment_request"
	OperationRefund         OperationType = "refund"
	OperationTransfer       OperationType = "transfer" // earlier revision of the docs
)

// OperationStatus is how far an operation has come. A status that is not listed here
// means "not finished yet".
type OperationStatus string

// Statuses of operations (Merchant API docs, Operations). The word "completed", which
// some live operations have instead of "succeeded", is read as [OperationSucceeded]; Raw
// has the original.
const (
	OperationQueued     OperationStatus = "queued"
	OperationProcessing OperationStatus = "processing"
	OperationSucceeded  OperationStatus = "succeeded"
	OperationFailed     OperationStatus = "failed"
	OperationExpired    OperationStatus = "expired" // reserved by the docs
)

// Finished reports whether the operation has ended, in whatever way. An unknown status
// has not.
func (s OperationStatus) Finished() bool {
	return s == OperationSucceeded || s == OperationFailed || s == OperationExpired
}

// UnmarshalJSON reads a status in any case, and the word "completed".
func (s *OperationStatus) UnmarshalJSON(data []byte) error {
	var w wire.Word
	if err := w.UnmarshalJSON(data); err != nil {
		return err
	}
	*s = operationStatus(w)
	return nil
}

// operationStatus reads a status in any case, and the word "completed".
func operationStatus(w wire.Word) OperationStatus {
	switch lower := OperationStatus(strings.ToLower(string(w))); lower {
	case "completed":
		return OperationSucceeded
	case OperationQueued, OperationProcessing, OperationSucceeded, OperationFailed, OperationExpired:
		return lower
	default:
		return OperationStatus(w)
	}
}

// Operation is a payout, a payment request or a refund as the API carries it out.
type Operation struct {
	// ID is what to wait for and look up.
	ID          string
	Type        OperationType
	Status      OperationStatus
	Environment Environment
	// Payload is the request's body as the API took it.
	Payload RawMessage
	// Result is set when the operation succeeded: a [*PayoutResult],
	// [*PaymentRequestResult], [*RefundResult], or for what the SDK does not know, an
	// [*UnknownResult].
	Result OperationResult
	// Error is set when the operation failed.
	Error *OperationError
	// Attempts counts the API's own tries.
	Attempts int
	// CreatedAt, UpdatedAt and CompletedAt are zero when the API does not give them.
	CreatedAt, UpdatedAt, CompletedAt time.Time
	// Raw is the operation as it came.
	Raw RawMessage
}

// OperationResult is what an operation that succeeded came to.
type OperationResult interface{ isOperationResult() }

// UnknownResult is a result that the SDK does not know.
type UnknownResult struct{ Raw RawMessage }

func (*PayoutResult) isOperationResult()         {}
func (*PaymentRequestResult) isOperationResult() {}
func (*RefundResult) isOperationResult()         {}
func (*UnknownResult) isOperationResult()        {}

// MarshalJSON writes what the API sent.
func (r *UnknownResult) MarshalJSON() ([]byte, error) { return r.Raw.MarshalJSON() }

// Get looks an operation up.
//
// Endpoint: GET /operations/{id}. Errors: [*Error] with [CodeOperationNotFound] for an id
// that is unknown, another merchant's or the other environment's, and around
// [ErrResponseMismatch] when the response is about another operation. Docs: Merchant API,
// Operations.
func (s *OperationsService) Get(ctx context.Context, operationID string, opts ...CallOption) (*Operation, error) {
	return s.client.operation(ctx, "", operationID, opts)
}

// OperationListParams selects operations. The zero value selects all of them.
type OperationListParams struct {
	// Limit is the size of a page, 1 to 100; 0 is the API's default of 20.
	Limit  int
	Type   OperationType
	Status OperationStatus
	// Since leaves out what was created before that time, and ends the list there. The
	// SDK applies it: the API has no such parameter.
	Since time.Time
	// Before leaves out what was created at that time or later.
	Before time.Time
}

// List reads one page of operations, newest first. For all of them use
// [OperationsService.All], which loses nothing between pages. An item that cannot be read
// is in [Page].Unreadable. A page that is larger than the SDK reads (8 MiB) is asked for
// again with half its limit.
//
// Endpoint: GET /operations. Errors: [*Error] with [CodeValidationError] and the
// authentication codes. Docs: Merchant API, Operations.
func (s *OperationsService) List(ctx context.Context, params OperationListParams, opts ...CallOption) (*Page[Operation], error) {
	return s.client.operations(ctx, params.query(""), opts)
}

// All reads all operations, newest first, page by page as you range over it. An error is
// yielded once, with a nil operation, and ends the sequence; only an [*ItemError], for an
// item that cannot be read, does not: go on after it, and do not take what is missing for
// absent. Operations that share a millisecond with a page's end come out once each.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.List], [*ItemError],
// [ErrPageOverflow] and [ErrEndlessList]. Docs: Merchant API, Operations.
func (s *OperationsService) All(ctx context.Context, params OperationListParams, opts ...CallOption) iter.Seq2[*Operation, error] {
	return s.client.allOperations(ctx, params.query(""), opts)
}

// query selects operations of one type, or of the parameters' own when it is empty.
func (p OperationListParams) query(only OperationType) listQuery {
	return listQuery{
		limit: p.Limit, only: string(only), typ: cmp.Or(string(p.Type), string(only)), status: string(p.Status),
		since: p.Since, before: p.Before,
	}
}

// operation looks an operation up, of one type unless that is empty.
func (c *Client) operation(ctx context.Context, only OperationType, id string, opts []CallOption) (*Operation, error) {
	r := request{method: http.MethodGet, template: "/operations/{id}", path: "/operations/" + url.PathEscape(id)}
	r.asked.lookup, r.asked.only = id, only
	r.invalid.pathID("operation_id", id)
	return doModel[Operation, operationWire](ctx, c, r, opts)
}

func (c *Client) operations(ctx context.Context, q listQuery, opts []CallOption) (*Page[Operation], error) {
	page, err := listPage[Operation, operationWire](ctx, c, "/operations", q, opts)
	if err != nil {
		return nil, err
	}
	if q.only != "" { // a server may not know the filter
		page.drop(func(o *Operation) bool { return o.Type != "" && !wire.EqualFold(o.Type, OperationType(q.only)) },
			func(*ItemError) bool { return false })
	}
	return cut(page, q.since), nil
}

func (c *Client) allOperations(ctx context.Context, q listQuery, opts []CallOption) iter.Seq2[*Operation, error] {
	return allItems(q, func(q listQuery) (*Page[Operation], error) { return c.operations(ctx, q, opts) })
}

// Reference returns the caller's own reference, as the operation's payload says it: that
// of [PayoutParams]. It is empty when the operation has none, or was listed without its
// payload.
func (o *Operation) Reference() string {
	return wire.TextOf(wire.ReadObject(o.Payload)["reference"])
}

// Amount returns what the operation is about, as its payload says it, and where that is
// silent, its result: the amount of a payout or a refund, that of the invoice of a
// payment request. It is not set ([Amount.IsSet]) when neither says it, as in a refund of
// all.
func (o *Operation) Amount() Amount {
	payload := wire.ReadObject(o.Payload)
	for _, told := range []any{wire.At(payload, "invoice.amount"), wire.At(payload, "amount"), wire.At(o.resultObject(), "amount")} {
		if amount, err := parseAmount(wire.TextOf(told)); err == nil {
			return amount
		}
	}
	return Amount{}
}

// resultObject is the result as the API wrote it, nil when there is none.
func (o *Operation) resultObject() map[string]any {
	if r, ok := o.Result.(interface{ raw() RawMessage }); ok {
		return wire.ReadObject(r.raw())
	}
	return nil
}

// Metadata returns the caller's own data, as the operation's payload says it: the
// Metadata of [PayoutParams] and [RefundParams], the WebhookData of
// [PaymentRequestParams]. Numbers are [json.Number], to the last digit. It is nil when
// the operation has none, or was listed without its payload.
func (o *Operation) Metadata() map[string]any {
	name := "metadata"
	if o.Type == OperationPaymentRequest {
		name = "webhook_data"
	}
	own, _ := wire.ReadObject(o.Payload)[name].(map[string]any)
	return own
}

// identity and created are what pagination knows an item by.
func (o *Operation) identity() string   { return cmp.Or(o.ID, string(o.Raw)) }
func (o *Operation) created() time.Time { return o.CreatedAt }

// complete implements whole.
func (o *Operation) complete() error {
	switch {
	case o.ID == "":
		return errors.New("the response has no operation_id")
	case !usableID(o.ID):
		return errors.New("the response's operation_id cannot be one")
	}
	return nil
}

// operationWire is an operation as both revisions of the docs write it.
type operationWire struct {
	ID            wire.ID         `json:"operation_id"`
	Type          wire.Word       `json:"type"`
	Status        wire.Word       `json:"status"`
	Environment   wire.Word       `json:"env"`
	Payload       wire.Part       `json:"payload"`
	Result        wire.Part       `json:"result"`
	Error         *OperationError `json:"error"`
	Attempts      wire.Count      `json:"attempts"`
	Date          wire.Time       `json:"date"`
	CreatedAt     wire.Time       `json:"created_at"`
	UpdatedDate   wire.Time       `json:"updated_date"`
	UpdatedAt     wire.Time       `json:"updated_at"`
	CompletedDate wire.Time       `json:"completed_date"`
	CompletedAt   wire.Time       `json:"completed_at"`
}

// model implements shape.
func (w operationWire) model(raw RawMessage) Operation {
	o := Operation{
		ID: string(w.ID), Type: OperationType(w.Type), Status: operationStatus(w.Status), Environment: Environment(w.Environment), Payload: w.Payload.Of(raw),
		Result: decodeResult(OperationType(w.Type), w.Result.Of(raw)), Error: w.Error.orNil(), Attempts: int(w.Attempts),
		CreatedAt:   cmp.Or(w.Date, w.CreatedAt).Time,
		UpdatedAt:   cmp.Or(w.UpdatedDate, w.UpdatedAt).Time,
		CompletedAt: cmp.Or(w.CompletedDate, w.CompletedAt).Time,
		Raw:         raw,
	}
	if o.Error != nil {
		o.Error.OperationID = o.ID
	}
	return o
}

// UnmarshalJSON reads both revisions of the docs.
func (o *Operation) UnmarshalJSON(data []byte) error {
	return readValue[Operation, operationWire](data, o)
}

// MarshalJSON writes what the API sent.
func (o Operation) MarshalJSON() ([]byte, error) {
	type plain Operation
	return marshalRaw(o.Raw, plain(o))
}

// shown returns what is printed: what became of what, without payload and result.
func (o Operation) shown() string {
	return hidden("Operation", scrubID(o.ID), redact.Word(string(o.Type)), redact.Word(string(o.Status)), codeOf(o.Error))
}

// shown returns what is printed: the length, never the content.
func (r UnknownResult) shown() string { return hidden("UnknownResult", r.Raw.shown()) }

// decodeResult reads a result as its operation's type says. What does not fit is kept,
// not judged: a result that the SDK cannot read must not hide that the operation
// succeeded.
func decodeResult(typ OperationType, raw RawMessage) OperationResult {
	if raw == nil {
		return nil
	}
	var result OperationResult
	switch OperationType(strings.ToLower(string(typ))) {
	case OperationPayout:
		result = readResult[PayoutResult, payoutResultWire](raw)
	case OperationPaymentRequest:
		result = readResult[PaymentRequestResult, paymentRequestResultWire](raw)
	case OperationRefund:
		result = readResult[RefundResult, refundResultWire](raw)
	}
	if result == nil {
		return &UnknownResult{Raw: raw}
	}
	return result
}

// readResult reads a result that is written as a W, nil for what is none.
func readResult[T any, W shape[T], P interface {
	*T
	OperationResult
}](raw RawMessage) OperationResult {
	var w W
	if !wire.IsObject(raw) || wire.Unmarshal(raw, &w) != nil {
		return nil
	}
	result := w.model(raw)
	return P(&result)
}

// failure is the error of an operation that ended without success. Every such operation
// has one, with a code.
func (o *Operation) failure() *OperationError {
	failed := OperationError{OperationID: o.ID, Operation: o}
	if o.Error != nil {
		failed.Code, failed.Message, failed.Details = o.Error.Code, o.Error.Message, o.Error.Details
	}
	switch {
	case failed.Code != "":
	case o.Status == OperationExpired:
		failed.Code = CodeOperationExpired
	case o.Status == OperationSucceeded:
		failed.Code = CodeResultFailed
	}
	return &failed
}
