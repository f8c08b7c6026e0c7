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

// TransactionsService looks up money that moved, or is about to.
//
//	payment, err := client.Transactions.Get(ctx, reference)
//	…
//	for t, err := range client.Transactions.All(ctx, intram.TransactionListParams{Since: yesterday}) { … }
type TransactionsService struct{ client *Client }

// TransactionStatus is how far a transaction has come. A status that is not listed here
// means "not finished yet".
type TransactionStatus string

// Statuses of transactions (Merchant API docs, Transactions).
const (
	TransactionPending  TransactionStatus = "PENDING"
	TransactionSuccess  TransactionStatus = "SUCCESS"
	TransactionError    TransactionStatus = "ERROR"
	TransactionRefunded TransactionStatus = "REFUNDED"
)

// Finished reports whether the transaction has ended, in whatever way. An unknown status
// has not.
func (s TransactionStatus) Finished() bool {
	return s == TransactionSuccess || s == TransactionError || s == TransactionRefunded
}

// UnmarshalJSON reads a status in any case.
func (s *TransactionStatus) UnmarshalJSON(data []byte) error {
	var w wire.Word
	if err := w.UnmarshalJSON(data); err != nil {
		return err
	}
	*s = transactionStatus(w)
	return nil
}

// transactionStatus reads a status in any case.
func transactionStatus(w wire.Word) TransactionStatus {
	switch upper := TransactionStatus(strings.ToUpper(string(w))); upper {
	case TransactionPending, TransactionSuccess, TransactionError, TransactionRefunded:
		return upper
	default:
		return TransactionStatus(w)
	}
}

// TransactionType is which way the money goes, seen from the merchant's wallet.
type TransactionType string

// Types of transactions (Merchant API docs, Transactions).
const (
	TransactionCredit TransactionType = "CREDIT"
	TransactionDebit  TransactionType = "DEBIT"
	TransactionRefund TransactionType = "REFUND"
)

// Transaction is money that moved, or is about to.
type Transaction struct {
	// Reference is the public reference, 10 letters and digits.
	Reference string
	// ID is the internal id, when the API shows it.
	ID          string
	Status      TransactionStatus
	Type        TransactionType
	Environment Environment
	// Amount, Fees and NetAmount are in whole units of Currency.
	Amount, Fees, NetAmount Amount
	// Currency is empty when the API does not say.
	Currency      Currency
	PaymentMethod TransactionPaymentMethod
	Customer      TransactionCustomer
	Source        TransactionSource
	// ServiceReference is the operator's own reference, when the API shows it.
	ServiceReference string
	// DeclinedReason says why a payment failed, when the API shows it.
	DeclinedReason string
	// WebhookData is what the payment request carried, when the API shows it.
	WebhookData RawMessage
	// CreatedAt is when it began, RefundedAt when nothing was left of it; zero when the
	// API does not say.
	CreatedAt, RefundedAt time.Time
	// Refunds lists what was given back.
	Refunds []RefundEntry
	// Raw is the transaction as it came.
	Raw RawMessage
}

// Paid reports whether the money has moved: the status is [TransactionSuccess] in any
// case. Every other word, one that the SDK does not know or none at all included, is not
// paid. Of a [TransactionRefunded] payment nothing is left.
func (t *Transaction) Paid() bool { return wire.EqualFold(t.Status, TransactionSuccess) }

// TransactionPaymentMethod is how a transaction was paid. The current revision of the
// docs gives the name only.
type TransactionPaymentMethod struct {
	Name string
	Code ProviderCode
	Type string
}

// TransactionCustomer is who paid. It prints without what identifies a person.
type TransactionCustomer struct {
	Email string
	// Name is the full name; where the API gives it in two parts, both joined.
	Name                string
	ID                  string
	FirstName, LastName string
}

// TransactionSource is where the money came from. It prints without the number.
type TransactionSource struct {
	// Number is the payer's MSISDN or account, empty when the API does not say.
	Number string
}

// RefundEntry is a refund in a transaction's list.
type RefundEntry struct {
	Reference        string
	ServiceReference string
	Status           TransactionStatus
	// Amount is what was given back, not set when the API does not say.
	Amount    Amount
	Reason    string
	CreatedAt time.Time
}

// Get looks a transaction up, by its public reference (10 letters and digits) or its
// internal id (24 hexadecimal digits).
//
// Endpoint: GET /transactions/{reference}. Errors: [*Error] with
// [CodeTransactionNotFound] for a reference that is unknown, another merchant's or the
// other environment's, and around [ErrResponseMismatch] when the response is about
// another transaction. Docs: Merchant API, Transactions.
func (s *TransactionsService) Get(ctx context.Context, reference string, opts ...CallOption) (*Transaction, error) {
	r := request{method: http.MethodGet, template: "/transactions/{reference}", path: "/transactions/" + url.PathEscape(reference)}
	r.asked.lookup = reference
	r.invalid.pathID("reference", reference)
	return doModel[Transaction, transactionWire](ctx, s.client, r, opts)
}

// Wait waits until the transaction is no longer pending, and returns it, paid or not:
// look at its Status. A customer takes 5 to 30 seconds as a rule and 6 minutes at most,
// so that is how long it waits unless told otherwise.
//
// Errors: [*WaitError] when the wait ended first. Docs: Merchant API, Payment requests.
func (s *TransactionsService) Wait(ctx context.Context, reference string, opts ...WaitOption) (*Transaction, error) {
	waiting, wait := s.client.startWait(ctx, waitTransaction, 1)
	defer wait.close()
	cfg, err := paymentWait.with(ctx, opts, "reference", reference)
	if err != nil {
		return nil, wait.failed(err)
	}
	t, err := s.client.transactionWaits.Wait(waiting, reference, &cfg.Schedule, nil)
	if err != nil {
		return nil, wait.failed(waitFailure(ctx, err, &WaitError{Transaction: t, ID: reference}))
	}
	wait.finished()
	return t, nil
}

// TransactionListParams selects transactions. The zero value selects all of them.
type TransactionListParams struct {
	// Limit is the size of a page, 1 to 100; 0 is the API's default of 20.
	Limit  int
	Status TransactionStatus
	Type   TransactionType
	// Since leaves out what was created before that time, and ends the list there. The
	// SDK applies it: the API has no such parameter.
	Since time.Time
	// Before leaves out what was created at that time or later.
	Before time.Time
}

// List reads one page of transactions, newest first. For all of them use
// [TransactionsService.All], which loses nothing between pages. An item that cannot be
// read is in [Page].Unreadable. A page that is larger than the SDK reads (8 MiB) is asked
// for again with half its limit.
//
// Endpoint: GET /transactions. Errors: [*Error] with [CodeValidationError] and the
// authentication codes. Docs: Merchant API, Transactions.
func (s *TransactionsService) List(ctx context.Context, params TransactionListParams, opts ...CallOption) (*Page[Transaction], error) {
	return s.page(ctx, params.query(), opts)
}

// All reads all transactions, newest first, page by page as you range over it. An error
// is yielded once, with a nil transaction, and ends the sequence; only an [*ItemError],
// for an item that cannot be read, does not: go on after it, and do not take what is
// missing for absent. Transactions that share a millisecond with a page's end come out
// once each.
//
// Endpoint: GET /transactions. Errors: those of [TransactionsService.List], [*ItemError],
// [ErrPageOverflow] and [ErrEndlessList]. Docs: Merchant API, Transactions.
func (s *TransactionsService) All(ctx context.Context, params TransactionListParams, opts ...CallOption) iter.Seq2[*Transaction, error] {
	return allItems(params.query(), func(q listQuery) (*Page[Transaction], error) {
		return s.page(ctx, q, opts)
	})
}

func (s *TransactionsService) page(ctx context.Context, q listQuery, opts []CallOption) (*Page[Transaction], error) {
	page, err := listPage[Transaction, transactionWire](ctx, s.client, "/transactions", q, opts)
	if err != nil {
		return nil, err
	}
	return cut(page, q.since), nil
}

func (p TransactionListParams) query() listQuery {
	return listQuery{limit: p.Limit, typ: string(p.Type), status: string(p.Status), since: p.Since, before: p.Before}
}

// identity and created are what pagination knows an item by.
func (t *Transaction) identity() string   { return cmp.Or(t.Reference, t.ID, string(t.Raw)) }
func (t *Transaction) created() time.Time { return t.CreatedAt }

// complete implements whole.
func (t *Transaction) complete() error {
	switch {
	case t.Reference == "" && t.ID == "":
		return errors.New("the response has no reference")
	case t.Reference != "" && !usableID(t.Reference), t.ID != "" && !usableID(t.ID):
		return errors.New("the response's reference cannot be one")
	}
	return nil
}

// transactionWire is a transaction as both revisions of the docs write it.
type transactionWire struct {
	Reference        wire.ID           `json:"reference"`
	ID               wire.Text         `json:"id"`
	Status           wire.Word         `json:"status"`
	Type             wire.Word         `json:"type"`
	Environment      wire.Word         `json:"env"`
	Amount           Amount            `json:"amount"`
	Fees             Amount            `json:"fees"`
	NetAmount        Amount            `json:"net_amount"`
	Currency         Currency          `json:"currency"`
	PaymentMethod    paymentMethodWire `json:"payment_method"`
	Customer         customerWire      `json:"customer"`
	Source           sourceWire        `json:"source"`
	SourceMSISDN     wire.Text         `json:"source_msisdn"`
	ServiceReference wire.Text         `json:"service_reference"`
	DeclinedReason   wire.Text         `json:"declined_reason"`
	WebhookData      wire.Part         `json:"webhook_data"`
	Date             wire.Time         `json:"date"`
	CreatedAt        wire.Time         `json:"created_at"`
	RefundedAt       wire.Time         `json:"refunded_at"`
	Refunds          []refundEntryWire `json:"refunds"`
}

// model implements shape.
func (w transactionWire) model(raw RawMessage) Transaction {
	t := Transaction{
		Reference: string(w.Reference), ID: string(w.ID), Status: transactionStatus(w.Status), Type: TransactionType(w.Type),
		Environment: Environment(w.Environment), Amount: w.Amount, Fees: w.Fees, NetAmount: w.NetAmount, Currency: w.Currency,
		PaymentMethod: TransactionPaymentMethod(w.PaymentMethod), Customer: w.Customer.model(),
		Source:           TransactionSource{Number: cmp.Or(string(w.Source.Number), string(w.SourceMSISDN))},
		ServiceReference: string(w.ServiceReference), DeclinedReason: string(w.DeclinedReason), WebhookData: w.WebhookData.Of(raw),
		CreatedAt: cmp.Or(w.Date, w.CreatedAt).Time, RefundedAt: w.RefundedAt.Time, Raw: raw,
	}
	if w.Refunds != nil {
		t.Refunds = make([]RefundEntry, len(w.Refunds))
		for i, refund := range w.Refunds {
			t.Refunds[i] = refund.model()
		}
	}
	return t
}

// UnmarshalJSON reads both revisions of the docs.
func (t *Transaction) UnmarshalJSON(data []byte) error {
	return readValue[Transaction, transactionWire](data, t)
}

// MarshalJSON writes what the API sent.
func (t Transaction) MarshalJSON() ([]byte, error) {
	type plain Transaction
	return marshalRaw(t.Raw, plain(t))
}

// paymentMethodWire is a name, or an object.
type paymentMethodWire TransactionPaymentMethod

// UnmarshalJSON reads both revisions of the docs. Another kind of value says nothing.
func (m *paymentMethodWire) UnmarshalJSON(data []byte) error {
	*m = paymentMethodWire{}
	switch wire.FirstByte(data) {
	case '"':
		return wire.UnmarshalString(data, &m.Name)
	case '{':
		var w struct {
			Name wire.Text `json:"name"`
			Code wire.Text `json:"code"`
			Type wire.Text `json:"type"`
		}
		if err := wire.Unmarshal(data, &w); err != nil {
			return err
		}
		*m = paymentMethodWire{Name: string(w.Name), Code: ProviderCode(w.Code), Type: string(w.Type)}
	}
	return nil
}

// UnmarshalJSON reads both revisions of the docs: a name, or an object.
func (m *TransactionPaymentMethod) UnmarshalJSON(data []byte) error {
	return (*paymentMethodWire)(m).UnmarshalJSON(data)
}

// sourceWire is where the money came from.
type sourceWire struct {
	Number wire.Text `json:"number"`
}

// customerWire has one name, or two.
type customerWire struct {
	Email     wire.Text `json:"email"`
	Name      wire.Text `json:"name"`
	ID        wire.Text `json:"id"`
	FirstName wire.Text `json:"first_name"`
	LastName  wire.Text `json:"last_name"`
}

func (w customerWire) model() TransactionCustomer {
	c := TransactionCustomer{
		Email: string(w.Email), Name: string(w.Name), ID: string(w.ID), FirstName: string(w.FirstName), LastName: string(w.LastName),
	}
	if c.Name == "" {
		c.Name = strings.TrimSpace(c.FirstName + " " + c.LastName)
	}
	return c
}

// UnmarshalJSON reads both revisions of the docs: one name, or two.
func (c *TransactionCustomer) UnmarshalJSON(data []byte) error {
	var w customerWire
	if err := wire.UnmarshalObject(data, &w); err != nil {
		return err
	}
	*c = w.model()
	return nil
}

// refundEntryWire is a refund in the list, in both revisions of the docs.
type refundEntryWire struct {
	Reference        wire.Text `json:"reference"`
	ServiceReference wire.Text `json:"service_reference"`
	Status           wire.Text `json:"status"`
	Amount           Amount    `json:"amount"`
	Reason           wire.Text `json:"reason"`
	Date             wire.Time `json:"date"`
	CreatedAt        wire.Time `json:"created_at"`
}

func (w refundEntryWire) model() RefundEntry {
	return RefundEntry{
		Reference: string(w.Reference), ServiceReference: string(w.ServiceReference), Status: transactionStatus(wire.Word(w.Status)),
		Amount: w.Amount, Reason: string(w.Reason), CreatedAt: cmp.Or(w.Date, w.CreatedAt).Time,
	}
}

// UnmarshalJSON reads both revisions of the docs.
func (r *RefundEntry) UnmarshalJSON(data []byte) error {
	var w refundEntryWire
	if err := wire.UnmarshalObject(data, &w); err != nil {
		return err
	}
	*r = w.model()
	return nil
}

// shown returns what is printed: what moved, and nothing that identifies the customer.
func (t Transaction) shown() string {
	return hidden("Transaction", scrubID(t.Reference), redact.Word(string(t.Status)), t.Amount.String(), redact.Word(string(t.Currency)))
}

// shown returns what is printed: the refund, without its reason.
func (r RefundEntry) shown() string {
	return hidden("RefundEntry", scrubID(r.Reference), redact.Word(string(r.Status)))
}

// shown returns what is printed: nothing that identifies the customer.
func (TransactionCustomer) shown() string { return hidden("TransactionCustomer", redacted) }

// shown returns what is printed: the end of the number.
func (s TransactionSource) shown() string {
	return hidden("TransactionSource", redact.Number(s.Number))
}
