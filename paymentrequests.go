package intram

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"net/mail"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// PaymentRequestsService asks customers for money through a checkout page.
//
//	op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{Invoice: invoice, WebhookData: order})
//	…
//	page, err := client.PaymentRequests.Wait(ctx, op.ID)                      // send the customer to page.GatewayURL
//	…
//	payment, err := client.Transactions.Wait(ctx, page.TransactionReference) // payment.Paid()
type PaymentRequestsService struct{ client *Client }

// PaymentRequestParams is a payment to ask for.
type PaymentRequestParams struct {
	// Invoice is what is to be paid, and by whom. Required.
	Invoice Invoice
	// PaymentMethod is a suggestion that the checkout page starts with. Optional.
	PaymentMethod PaymentMethod
	// ReturnURLs are where the checkout page sends the customer afterwards. Optional.
	ReturnURLs ReturnURLs
	// WebhookData is yours; it comes back in the events of this payment. It must be
	// writable as JSON, in at most 64 levels and valid UTF-8. It is sent with its keys in
	// order, whatever it is made of.
	WebhookData map[string]any
	// Extra has fields of the API that this version of the SDK does not know. They are
	// sent beside the others, at the top level, and checked like WebhookData.
	Extra map[string]any
}

// Invoice is what a customer is asked to pay.
type Invoice struct {
	// Amount is in whole units of the currency, above zero and within the API's limits
	// for it. Required.
	Amount Amount
	// Currency is an ISO 4217 code. Required.
	Currency Currency
	// Description is at most 500 characters. The customer sees it.
	Description string
	Customer    Customer
}

// Customer is who pays. All of it is optional. It prints without what identifies a
// person.
type Customer struct {
	Email     string `json:"email,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	// Phone is any text: the API documents a plain string. [ParseMSISDN] makes a number
	// of what people write.
	Phone string `json:"phone,omitempty"`
}

// PaymentMethod suggests how to pay. It prints without the number.
type PaymentMethod struct {
	Code        ProviderCode `json:"code,omitempty"`
	CountryCode string       `json:"country_code,omitempty"`
	// MSISDN is the customer's phone number, as in [MobileMoney].
	MSISDN string `json:"msisdn,omitempty"`
}

// ReturnURLs are where the checkout page sends the customer afterwards: absolute URLs of
// any scheme, an app's (myapp://paid) included.
type ReturnURLs struct {
	Success string `json:"success,omitempty"`
	Cancel  string `json:"cancel,omitempty"`
}

// PaymentRequestResult is what a payment request's operation came to: a checkout page.
// The customer has not paid yet; see [TransactionsService.Wait] and
// [EventPaymentRequestPaid].
type PaymentRequestResult struct {
	// TransactionReference is what to wait for, look up or refund.
	TransactionReference string
	// Status is [PaymentRequestPending] until the customer has paid. In events it is also
	// [PaymentRequestPaid] or [PaymentRequestFailed].
	Status   string
	Amount   Amount
	Currency Currency
	// GatewayURL is the checkout page to send the customer to.
	GatewayURL string
	ReceiptURL string
	// QRCode is a PNG of GatewayURL as a data: URL, ready for an <img>.
	QRCode string
	// Raw is the result as it came.
	Raw RawMessage
}

// Statuses of a payment request's result and of its events (Merchant API docs, Payment
// requests and Webhooks), read in any case. A word that is not listed here is kept, and
// means neither paid nor failed.
const (
	PaymentRequestPending = "pending"
	PaymentRequestPaid    = "paid"
	PaymentRequestFailed  = "failed"
)

// Paid reports whether the customer has paid: the status is [PaymentRequestPaid] in any
// case. Every other word, one that the SDK does not know or none at all included, is not
// paid.
func (r *PaymentRequestResult) Paid() bool { return wire.EqualFold(r.Status, PaymentRequestPaid) }

// Failed reports whether the result says that the payment failed.
func (r *PaymentRequestResult) Failed() bool { return wire.EqualFold(r.Status, PaymentRequestFailed) }

// judge implements judged. The wait is for the checkout page, and whether it is there is
// no question of the word.
func (r *PaymentRequestResult) judge() resultVerdict {
	if r.Failed() {
		return saidFailed
	}
	return saidNothing
}

// Create asks for a payment request. It returns as soon as the API has accepted it, with
// the operation queued; the checkout page's address comes with its end:
// [PaymentRequestsService.Wait].
//
// Endpoint: POST /payment-requests. Errors: [*Error] with [CodeValidationError],
// [CodeMissingInvoice], [CodeUnknownCurrency], [CodeAmountTooSmall],
// [CodeAmountTooLarge], [CodeIdempotencyConflict] and the authentication codes. Docs:
// Merchant API, Payment requests.
func (s *PaymentRequestsService) Create(ctx context.Context, params PaymentRequestParams, opts ...CallOption) (*Operation, error) {
	return doModel[Operation, operationWire](ctx, s.client, params.request(), opts)
}

// Prepare makes the record of a payment request to save before it is asked for, with
// Resume or [WithIntent]. It checks the parameters, and sends nothing. It takes
// [WithIdempotencyKey]; other options are the call's.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Merchant API, Idempotency.
func (s *PaymentRequestsService) Prepare(params PaymentRequestParams, opts ...CallOption) (*Intent, error) {
	return s.client.merchant.intend(params.request(), opts)
}

// Get looks a payment request up by its operation's id. The Result of one that succeeded
// is a [*PaymentRequestResult].
//
// Endpoint: GET /operations/{id}. Errors: those of [OperationsService.Get];
// [ErrResponseMismatch] is also behind that of an operation of another type. Docs:
// Merchant API, Operations.
func (s *PaymentRequestsService) Get(ctx context.Context, operationID string, opts ...CallOption) (*Operation, error) {
	return s.client.operation(ctx, OperationPaymentRequest, operationID, opts)
}

// List reads one page of payment requests, newest first: [OperationsService.List] without
// operations of other types. Leave Type empty.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.List]. Docs: Merchant
// API, Operations.
func (s *PaymentRequestsService) List(ctx context.Context, params OperationListParams, opts ...CallOption) (*Page[Operation], error) {
	return s.client.operations(ctx, params.query(OperationPaymentRequest), opts)
}

// All reads all payment requests, newest first: [OperationsService.All] without
// operations of other types. Leave Type empty. With Since it stops by itself.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.All]. Docs: Merchant
// API, Operations.
func (s *PaymentRequestsService) All(ctx context.Context, params OperationListParams, opts ...CallOption) iter.Seq2[*Operation, error] {
	return s.client.allOperations(ctx, params.query(OperationPaymentRequest), opts)
}

// Wait waits until the checkout page is there, not until it is paid.
//
// Errors: [*OperationError] when the request failed, with [CodeResultFailed] when its
// operation succeeded and its result says that the payment failed; [*WaitError] when the
// wait ended first; and [ErrUnexpectedResult] when the operation is no payment request.
// Docs: Merchant API, Operations.
func (s *PaymentRequestsService) Wait(ctx context.Context, operationID string, opts ...WaitOption) (*PaymentRequestResult, error) {
	return waitForResult[*PaymentRequestResult](ctx, s.client, operationID, opts)
}

// paymentRequestBody is POST /payment-requests as the docs write it.
type paymentRequestBody struct {
	Invoice       invoiceBody    `json:"invoice"`
	PaymentMethod *PaymentMethod `json:"payment_method,omitempty"`
	ReturnURLs    *ReturnURLs    `json:"return_urls,omitempty"`
	WebhookData   map[string]any `json:"webhook_data,omitzero"`
}

type invoiceBody struct {
	Amount      Amount   `json:"amount"`
	Currency    Currency `json:"currency,omitempty"`
	Description string   `json:"description,omitempty"`
	// Customer is required by the API, even when nothing is known of the customer.
	Customer Customer `json:"customer"`
}

// request is the call that these parameters make.
func (p PaymentRequestParams) request() request {
	r := request{method: http.MethodPost, template: "/payment-requests", path: "/payment-requests"}
	r.asked = askedFor{creates: OperationPaymentRequest}
	body := p.wire(&r.invalid)
	written := body.Invoice.Amount.canonical()
	own, changed := r.invalid.own("webhook_data", body.WebhookData)
	if written != body.Invoice.Amount || changed {
		r.legacy = body
		body.Invoice.Amount, body.WebhookData = written, own
	}
	r.params = body
	return r.with(p.Extra)
}

// wire checks the parameters and gives them the docs' shape.
func (p PaymentRequestParams) wire(v *validation) paymentRequestBody {
	body := paymentRequestBody{
		Invoice: invoiceBody{
			Amount: p.Invoice.Amount, Currency: p.Invoice.Currency,
			Description: p.Invoice.Description, Customer: p.Invoice.Customer,
		},
		WebhookData: p.WebhookData,
	}
	v.amount("invoice.amount", p.Invoice.Amount, p.Invoice.Currency)
	if v.required("invoice.currency", string(p.Invoice.Currency), "an ISO 4217 code, such as XOF") {
		v.currency("invoice.currency", p.Invoice.Currency)
	}
	v.text("invoice.description", p.Invoice.Description, maxDescription)
	p.Invoice.Customer.check(v)
	if m := p.PaymentMethod; m != (PaymentMethod{}) {
		body.PaymentMethod = &m
		v.text("payment_method.code", string(m.Code), 0)
		v.country("payment_method.country_code", m.CountryCode)
		m.MSISDN = v.msisdn("payment_method.msisdn", m.MSISDN, m.Code)
	}
	if u := p.ReturnURLs; u != (ReturnURLs{}) {
		body.ReturnURLs = &u
		if u.Success != "" {
			v.absoluteURL("return_urls.success", u.Success)
		}
		if u.Cancel != "" {
			v.absoluteURL("return_urls.cancel", u.Cancel)
		}
	}
	return body
}

func (c Customer) check(v *validation) {
	if c.Email != "" {
		address, err := mail.ParseAddress(c.Email)
		v.check(err == nil && address.Address == c.Email, "invoice.customer.email",
			"invoice.customer.email must be one e-mail address, without a name")
	}
	v.text("invoice.customer.first_name", c.FirstName, 0)
	v.text("invoice.customer.last_name", c.LastName, 0)
	v.text("invoice.customer.phone", c.Phone, 0)
}

// paymentRequestResultWire is a payment request's result as the docs write it. An event
// has its fields too.
type paymentRequestResultWire struct {
	TransactionReference wire.ID   `json:"transaction_reference"`
	Status               wire.Word `json:"status"`
	Amount               Amount    `json:"amount"`
	Currency             Currency  `json:"currency"`
	GatewayURL           wire.Text `json:"gateway_url"`
	PaymentURL           wire.Text `json:"payment_url"`
	ReceiptURL           wire.Text `json:"receipt_url"`
	QRCode               wire.Text `json:"qr_code"`
}

// model implements shape.
func (w paymentRequestResultWire) model(raw RawMessage) PaymentRequestResult {
	return PaymentRequestResult{
		TransactionReference: string(w.TransactionReference), Status: string(w.Status), Amount: w.Amount, Currency: w.Currency,
		GatewayURL: string(cmp.Or(w.GatewayURL, w.PaymentURL)), ReceiptURL: string(w.ReceiptURL), QRCode: string(w.QRCode), Raw: raw,
	}
}

// UnmarshalJSON reads both revisions of the docs.
func (r *PaymentRequestResult) UnmarshalJSON(data []byte) error {
	return readValue[PaymentRequestResult, paymentRequestResultWire](data, r)
}

// MarshalJSON writes what the API sent.
func (r PaymentRequestResult) MarshalJSON() ([]byte, error) {
	type plain PaymentRequestResult
	return marshalRaw(r.Raw, plain(r))
}

// shown returns what is printed: the transaction and the amount, without the page's
// address.
func (r PaymentRequestResult) shown() string {
	return hidden("PaymentRequestResult", scrubID(r.TransactionReference), r.Amount.String(), redact.Word(string(r.Currency)), redact.Word(r.Status))
}

// shown returns what is printed: the amount, and nothing of the customer.
func (i Invoice) shown() string {
	return hidden("Invoice", i.Amount.String(), redact.Word(string(i.Currency)))
}

// shown returns what is printed: the hosts, since the rest may hold a token.
func (u ReturnURLs) shown() string { return hidden("ReturnURLs", hostOf(u.Success), hostOf(u.Cancel)) }

// shown returns what is printed: nothing that identifies the customer.
func (Customer) shown() string { return hidden("Customer", redacted) }

// shown returns what is printed: the operator and the end of the number.
func (m PaymentMethod) shown() string {
	return hidden("PaymentMethod", redact.Word(string(m.Code)), redact.Number(m.MSISDN))
}

// MarshalJSON writes the parameters as the docs name them, to be queued or stored and
// read back without loss. What was not set is left out. What JSON cannot hold, a text
// that is not valid UTF-8, is an error that names the field.
func (p PaymentRequestParams) MarshalJSON() ([]byte, error) {
	w := paymentRequestParamsJSON{
		Invoice: invoiceParamsJSON{
			Amount: p.Invoice.Amount.orNothing(), Currency: p.Invoice.Currency,
			Description: p.Invoice.Description, Customer: p.Invoice.Customer,
		},
		PaymentMethod: p.PaymentMethod, ReturnURLs: p.ReturnURLs, WebhookData: p.WebhookData, Extra: p.Extra,
	}
	return lossless("", w)
}

// UnmarshalJSON reads what MarshalJSON wrote, and what version 0.1.0 wrote. Numbers in
// WebhookData are read as [json.Number], to the last digit.
func (p *PaymentRequestParams) UnmarshalJSON(data []byte) error {
	var w struct {
		paymentRequestParamsJSON

		// As 0.1.0 wrote them.
		OldMethod PaymentMethod  `json:"PaymentMethod"`
		OldURLs   ReturnURLs     `json:"ReturnURLs"`
		OldData   map[string]any `json:"WebhookData"`
	}
	if err := decodeParams(data, &w); err != nil {
		return err
	}
	*p = PaymentRequestParams{
		Invoice: Invoice{
			Amount: amountOf(w.Invoice.Amount), Currency: w.Invoice.Currency,
			Description: w.Invoice.Description, Customer: w.Invoice.Customer,
		},
		PaymentMethod: w.PaymentMethod, ReturnURLs: w.ReturnURLs, WebhookData: w.WebhookData, Extra: w.Extra,
	}
	if p.PaymentMethod == (PaymentMethod{}) {
		p.PaymentMethod = w.OldMethod
	}
	if p.ReturnURLs == (ReturnURLs{}) {
		p.ReturnURLs = w.OldURLs
	}
	if p.WebhookData == nil {
		p.WebhookData = w.OldData
	}
	return nil
}

type paymentRequestParamsJSON struct {
	Invoice       invoiceParamsJSON `json:"invoice"`
	PaymentMethod PaymentMethod     `json:"payment_method,omitzero"`
	ReturnURLs    ReturnURLs        `json:"return_urls,omitzero"`
	WebhookData   map[string]any    `json:"webhook_data,omitzero"`
	Extra         map[string]any    `json:"extra,omitzero"`
}

type invoiceParamsJSON struct {
	Amount      *Amount  `json:"amount,omitempty"`
	Currency    Currency `json:"currency,omitempty"`
	Description string   `json:"description,omitempty"`
	Customer    Customer `json:"customer,omitzero"`
}

// shown returns what is printed: the amount, and nothing of the customer or your own
// data.
func (p PaymentRequestParams) shown() string {
	return hidden("PaymentRequestParams", p.Invoice.Amount.String(), redact.Word(string(p.Invoice.Currency)))
}
