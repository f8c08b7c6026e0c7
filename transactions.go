package intram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// TransactionsService looks up money that moved, or is about to.
type TransactionsService struct{ client *Client }

// TransactionStatus is how far a transaction has come. A status that is not listed here means "not finished yet".
type TransactionStatus string

// Statuses of transactions (Merchant API docs, Transactions).
const (
	TransactionPending  TransactionStatus = "PENDING"
	TransactionSuccess  TransactionStatus = "SUCCESS"
	TransactionError    TransactionStatus = "ERROR"
	TransactionRefunded TransactionStatus = "REFUNDED"
)

// Finished reports whether the transaction has ended, in whatever way. An unknown status has not.
func (s TransactionStatus) Finished() bool {
	return s == TransactionSuccess || s == TransactionError || s == TransactionRefunded
}

// UnmarshalJSON reads a status in any case.
func (s *TransactionStatus) UnmarshalJSON(data []byte) error {
	var word string
	if err := json.Unmarshal(data, &word); err != nil {
		return err
	}
	switch upper := TransactionStatus(strings.ToUpper(word)); upper {
	case TransactionPending, TransactionSuccess, TransactionError, TransactionRefunded:
		*s = upper
	default:
		*s = TransactionStatus(word)
	}
	return nil
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
	// CreatedAt is when it began, RefundedAt when nothing was left of it; zero when the API does not say.
	CreatedAt, RefundedAt time.Time
	// Refunds lists what was given back.
	Refunds []RefundEntry
	// Raw is the transaction as it came.
	Raw RawMessage
}

// TransactionPaymentMethod is how a transaction was paid. The current revision of the docs gives the name only.
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
	Reason           string
	CreatedAt        time.Time
}

// Get looks a transaction up, by its public reference (10 letters and digits) or its internal id (24 hexadecimal digits).
//
// Endpoint: GET /transactions/{reference}. Errors: [*Error] with [CodeTransactionNotFound] for a reference that is unknown,
// another merchant's or the other environment's. Docs: Merchant API, Transactions.
func (s *TransactionsService) Get(ctx context.Context, reference string, opts ...CallOption) (*Transaction, error) {
	r := request{method: http.MethodGet, template: "/transactions/{reference}", path: "/transactions/" + url.PathEscape(reference)}
	r.invalid.pathID("reference", reference)
	env, err := do[Transaction](ctx, s.client, r, opts)
	if err != nil {
		return nil, err
	}
	return &env.Data, nil
}

// Wait waits until the transaction is no longer pending, and returns it, paid or not: look at its Status. A
// customer takes 5 to 30 seconds as a rule and 6 minutes at most, so that is how long it waits unless told otherwise.
//
// Errors: [*WaitError] when the wait ended first. Docs: Merchant API, Payment requests.
func (s *TransactionsService) Wait(ctx context.Context, reference string, opts ...WaitOption) (*Transaction, error) {
	defaults := waitDefaults
	defaults.maxWait = defaultPaymentWait
	t, err := awaitOne(ctx, s.client.transactionWaits, "reference", reference, defaults, opts)
	if err != nil {
		return nil, waitFailure(err, &WaitError{Transaction: t, ID: reference})
	}
	return t, nil
}

// TransactionListParams selects transactions. The zero value selects all of them.
type TransactionListParams struct {
	// Limit is the size of a page, 1 to 100; 0 is the API's default of 20.
	Limit  int
	Status TransactionStatus
	Type   TransactionType
	// Before leaves out what was created at that time or later.
	Before time.Time
}

// List reads one page of transactions, newest first. For all of them use [TransactionsService.All], which loses nothing
// between pages.
//
// Endpoint: GET /transactions. Errors: [*Error] with [CodeValidationError] and the authentication codes.
// Docs: Merchant API, Transactions.
func (s *TransactionsService) List(ctx context.Context, params TransactionListParams, opts ...CallOption) (*Page[Transaction], error) {
	return listPage[Transaction](ctx, s.client, "/transactions", params.query(), opts)
}

// All reads all transactions, newest first, page by page as you range over it. An error is yielded once, with a nil
// transaction, and ends the sequence. Transactions that share a millisecond with a page's end come out once each.
//
// Endpoint: GET /transactions. Errors: those of [TransactionsService.List], and [ErrPageOverflow].
// Docs: Merchant API, Transactions.
func (s *TransactionsService) All(ctx context.Context, params TransactionListParams, opts ...CallOption) iter.Seq2[*Transaction, error] {
	return allItems(params.query(), func(q listQuery) (*Page[Transaction], error) {
		return listPage[Transaction](ctx, s.client, "/transactions", q, opts)
	})
}

func (p TransactionListParams) query() listQuery {
	return listQuery{limit: p.Limit, typ: string(p.Type), status: string(p.Status), before: p.Before}
}

// identity and created are what pagination knows an item by.
func (t *Transaction) identity() string   { return firstWord(t.Reference, t.ID, string(t.Raw)) }
func (t *Transaction) created() time.Time { return t.CreatedAt }

// What the waits need to know of a transaction.
func (t *Transaction) names() [2]string                        { return [2]string{t.Reference, t.ID} }
func (t *Transaction) kind() string                            { return string(t.Type) }
func (t *Transaction) ended() (ended, whole bool)              { return t.Status.Finished(), true }
func (t *Transaction) abridged() (*Transaction, string)        { return t, "" }
func (t *Transaction) recalled(string, time.Time) *Transaction { return t }

// complete implements answer.
func (t *Transaction) complete() error {
	if t.Reference == "" {
		return errors.New("the answer has no reference")
	}
	return nil
}

// UnmarshalJSON reads both revisions of the docs.
func (t *Transaction) UnmarshalJSON(data []byte) error {
	var wire struct {
		Reference        string                   `json:"reference"`
		ID               string                   `json:"id"`
		Status           TransactionStatus        `json:"status"`
		Type             TransactionType          `json:"type"`
		Environment      Environment              `json:"env"`
		Amount           Amount                   `json:"amount"`
		Fees             Amount                   `json:"fees"`
		NetAmount        Amount                   `json:"net_amount"`
		Currency         Currency                 `json:"currency"`
		PaymentMethod    TransactionPaymentMethod `json:"payment_method"`
		Customer         TransactionCustomer      `json:"customer"`
		Source           TransactionSource        `json:"source"`
		SourceMSISDN     string                   `json:"source_msisdn"`
		ServiceReference string                   `json:"service_reference"`
		DeclinedReason   string                   `json:"declined_reason"`
		WebhookData      RawMessage               `json:"webhook_data"`
		Date             timestamp                `json:"date"`
		CreatedAt        timestamp                `json:"created_at"`
		RefundedAt       timestamp                `json:"refunded_at"`
		Refunds          []RefundEntry            `json:"refunds"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.Source.Number == "" {
		wire.Source.Number = wire.SourceMSISDN
	}
	*t = Transaction{
		Reference: wire.Reference, ID: wire.ID, Status: wire.Status, Type: wire.Type, Environment: wire.Environment,
		Amount: wire.Amount, Fees: wire.Fees, NetAmount: wire.NetAmount, Currency: wire.Currency,
		PaymentMethod: wire.PaymentMethod, Customer: wire.Customer, Source: wire.Source,
		ServiceReference: wire.ServiceReference, DeclinedReason: wire.DeclinedReason, WebhookData: wire.WebhookData,
		CreatedAt: firstTime(wire.Date, wire.CreatedAt), RefundedAt: wire.RefundedAt.Time, Refunds: wire.Refunds,
	}
	return t.Raw.UnmarshalJSON(data)
}

// MarshalJSON writes what the API sent.
func (t Transaction) MarshalJSON() ([]byte, error) {
	type plain Transaction
	return marshalRaw(t.Raw, plain(t))
}

// UnmarshalJSON reads both revisions of the docs: a name, or an object.
func (m *TransactionPaymentMethod) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &m.Name)
	}
	var wire struct {
		Name string       `json:"name"`
		Code ProviderCode `json:"code"`
		Type string       `json:"type"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*m = TransactionPaymentMethod(wire)
	return nil
}

// UnmarshalJSON reads both revisions of the docs: one name, or two.
func (c *TransactionCustomer) UnmarshalJSON(data []byte) error {
	var wire struct {
		Email     string `json:"email"`
		Name      string `json:"name"`
		ID        string `json:"id"`
		FirstName string `json:"first_name"`
		LastName  string `json:"last_name"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*c = TransactionCustomer(wire)
	if c.Name == "" {
		c.Name = strings.TrimSpace(c.FirstName + " " + c.LastName)
	}
	return nil
}

// UnmarshalJSON reads both revisions of the docs.
func (r *RefundEntry) UnmarshalJSON(data []byte) error {
	var wire struct {
		Reference        string            `json:"reference"`
		ServiceReference string            `json:"service_reference"`
		Status           TransactionStatus `json:"status"`
		Reason           string            `json:"reason"`
		Date             timestamp         `json:"date"`
		CreatedAt        timestamp         `json:"created_at"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*r = RefundEntry{
		Reference: wire.Reference, ServiceReference: wire.ServiceReference, Status: wire.Status,
		Reason: wire.Reason, CreatedAt: firstTime(wire.Date, wire.CreatedAt),
	}
	return nil
}

// Format implements [fmt.Formatter]: what moved, and nothing that identifies the customer.
func (t Transaction) Format(f fmt.State, _ rune) {
	writeString(f, hidden("Transaction", scrubID(t.Reference), redact.Word(string(t.Status)), t.Amount.String(), redact.Word(string(t.Currency))))
}

// LogValue implements [slog.LogValuer].
func (t Transaction) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// Format implements [fmt.Formatter]: the refund, without its reason.
func (r RefundEntry) Format(f fmt.State, _ rune) {
	writeString(f, hidden("RefundEntry", scrubID(r.Reference), redact.Word(string(r.Status))))
}

// LogValue implements [slog.LogValuer].
func (r RefundEntry) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// Format implements [fmt.Formatter]: nothing that identifies the customer.
func (TransactionCustomer) Format(f fmt.State, _ rune) {
	writeString(f, hidden("TransactionCustomer", redacted))
}

// LogValue implements [slog.LogValuer].
func (c TransactionCustomer) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// Format implements [fmt.Formatter]: the end of the number.
func (s TransactionSource) Format(f fmt.State, _ rune) {
	writeString(f, hidden("TransactionSource", redact.Number(s.Number)))
}

// LogValue implements [slog.LogValuer].
func (s TransactionSource) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
