package intram

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/intram/intram-go/internal/poll"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/internal/wire"
)

// PayinService takes payments by payin sessions: a mobile-money payment that the customer
// confirms through a link. It is a protocol of its own, with its own host and
// credentials; see [WithPayin] and [NewPayinClient].
//
//	session, err := client.Payin.CreateSession(ctx, params, intram.WithIdempotencyKey(key))
//	…
//	session, err = client.Payin.Wait(ctx, session.Reference) // session.Outcome() says whether it is paid
type PayinService struct {
	client   *Client
	protocol *protocol // nil without credentials
	trace    *callTracing
	account  string
	waits    *poll.Poller[Payin]
	seen     payinMemory
}

// PayinSessionParams is a payment to take.
type PayinSessionParams struct {
	// Reference is your own unique name of the payment, of any characters (order/7,
	// commande n° 7) and any length, but with no . or .. as a part of a path; a UUID is
	// recommended, and generated when it is empty. It comes back in [Payin].Reference,
	// and in [Error].Reference when the call fails.
	Reference string
	// AccountID is the merchant account or sub-account. When empty, that of
	// [WithPayinAccount] is used, if any.
	AccountID string
	// Amount is in whole units, without decimals, above zero. Required. The API takes 100
	// to 2 000 000 XOF, and refuses others; Cameroon has limits of its own, which the
	// docs do not name, so that the SDK refuses none.
	Amount Amount
	// MSISDN is the customer's phone number in international form, with + or without:
	// +2250700000000. [ParseMSISDN] makes it of what people write. Required.
	MSISDN string
	// CustomerName is optional on the docs' newer page, required by the first revision.
	CustomerName string
	// Country is ISO 3166 alpha-2: CI, SN, TG, …, which pay in XOF, or CM, which pays in
	// XAF. Required.
	Country string
	// SuccessURL and FailureURL are where the customer is sent back to: absolute URLs of
	// any scheme. The newer revision of the docs requires both, the first one has
	// neither: give both or none.
	SuccessURL, FailureURL string
	// Extra has fields of the API that this version of the SDK does not know. They are
	// sent beside the others, at the top level, and checked like the Metadata of
	// [PayoutParams].
	Extra map[string]any `json:",omitzero"`
}

// PayinStatus is how far a session has come. It says nothing of the money: see
// [Payin.Outcome].
type PayinStatus string

// Statuses of payin sessions (Payin docs, Status).
const (
	PayinStatusProcessing PayinStatus = "processing" // confirmation or technical validation under way
	PayinStatusProcessed  PayinStatus = "processed"  // the customer confirmed
	PayinStatusExpired    PayinStatus = "expired"    // the confirmation came too late, or not at all

	// The newer pages of the docs end a session with one of these.
	PayinStatusSuccess PayinStatus = "success" // the money has moved
	PayinStatusFailed  PayinStatus = "failed"  // it has not; it still may, see [PayinFailureWindow]
)

// PayinFailureWindow is how long a payin that failed may still become paid: it failed,
// and within 48 hours a notification says that it succeeded after all. Docs: Payin,
// Status.
const PayinFailureWindow = 48 * time.Hour

// UnmarshalJSON reads a status in any case.
func (s *PayinStatus) UnmarshalJSON(data []byte) error {
	return wire.UnmarshalWord(data, s, PayinStatusProcessing, PayinStatusProcessed, PayinStatusExpired, PayinStatusSuccess, PayinStatusFailed)
}

// PayinConfirmation is what the customer decided.
type PayinConfirmation string

// Decisions of the customer (Payin docs, Status).
const (
	PayinConfirmationNone     PayinConfirmation = "none" // also written "pending"
	PayinConfirmationAccepted PayinConfirmation = "accepted"
	PayinConfirmationDeclined PayinConfirmation = "declined"
	PayinConfirmationExpired  PayinConfirmation = "expired"
)

// UnmarshalJSON reads a decision in any case.
func (c *PayinConfirmation) UnmarshalJSON(data []byte) error {
	return wire.UnmarshalWord(data, c, PayinConfirmationNone, "pending", PayinConfirmationAccepted, PayinConfirmationDeclined, PayinConfirmationExpired)
}

// PayinOutcome is what became of a payment, as [Payin.Outcome] reads it.
type PayinOutcome string

// The outcomes of a payment.
const (
	PayinOutcomePending  PayinOutcome = "pending"  // not finished yet: ask again later
	PayinOutcomePaid     PayinOutcome = "paid"     // the money has moved
	PayinOutcomeRefused  PayinOutcome = "refused"  // confirmed by the customer, and then refused; it may still become paid
	PayinOutcomeDeclined PayinOutcome = "declined" // the customer said no
	PayinOutcomeExpired  PayinOutcome = "expired"  // the customer did not respond in time
	PayinOutcomeFailed   PayinOutcome = "failed"   // see Payin.Failure; it may still become paid
)

// Finished reports whether the session has ended, which is where [PayinService.Wait]
// returns. [PayinOutcomeFailed] and [PayinOutcomeRefused] are ends that do not hold for
// certain: the payment may become [PayinOutcomePaid] within [PayinFailureWindow]. A
// customer who has paid otherwise by then has paid twice.
func (o PayinOutcome) Finished() bool { return o != PayinOutcomePending && o != "" }

// Payin is a payin session.
type Payin struct {
	// ID is the system's own reference (tr_… or pr_…).
	ID string
	// Reference is yours.
	Reference            string
	Status               PayinStatus
	ConfirmationStatus   PayinConfirmation
	ConfirmationRequired bool
	// Amount is what you asked for, Fee what is added, ChargedAmount what the customer
	// pays.
	Amount, Fee, ChargedAmount Amount
	Currency                   Currency
	Customer                   PayinCustomer
	// PaymentURL is where the customer confirms. Show it when ConfirmationRequired.
	PaymentURL string
	// Transaction is the movement of the money, nil until the customer has confirmed.
	Transaction *PayinTransaction
	// Failure is set when the payment failed.
	Failure   *PayinFailure
	CreatedAt time.Time
	// Raw is the session as it came.
	Raw RawMessage
}

// PayinCustomer is who pays. It prints without the number and the name.
type PayinCustomer struct{ Name, PhoneNumber string }

// PayinTransactionStatus is the final word on a payment.
type PayinTransactionStatus string

// Statuses of a payin's transaction (Payin docs, Status).
const (
	PayinTransactionPending   PayinTransactionStatus = "pending"
	PayinTransactionCompleted PayinTransactionStatus = "completed"
	PayinTransactionFailed    PayinTransactionStatus = "failed"
)

// UnmarshalJSON reads a status in any case.
func (s *PayinTransactionStatus) UnmarshalJSON(data []byte) error {
	return wire.UnmarshalWord(data, s, PayinTransactionPending, PayinTransactionCompleted, PayinTransactionFailed)
}

// PayinTransaction is the movement of a payin's money.
type PayinTransaction struct {
	Reference                   string
	Status                      PayinTransactionStatus
	Amount, Fees, ChargedAmount Amount
	Currency                    Currency
	Customer                    PayinCustomer
	ProcessedAt                 time.Time
}

// PayinFailure says why a payment failed.
type PayinFailure struct {
	Code    ErrorCode `json:"code"`
	Message string    `json:"message"`
}

// UnmarshalJSON reads a failure of any kind: what is no object is its message.
func (f *PayinFailure) UnmarshalJSON(data []byte) error {
	var w struct {
		Code    wire.Text `json:"code"`
		Message wire.Text `json:"message"`
	}
	var err error
	if wire.IsObject(data) {
		err = wire.Unmarshal(data, &w)
	} else if value := string(bytes.TrimSpace(data)); value != "false" && value != "0" {
		err = w.Message.UnmarshalJSON(data)
	}
	*f = PayinFailure{Code: ErrorCode(w.Code), Message: string(w.Message)}
	return err
}

// Outcome reads the session: what became of the payment? The statuses contradict each
// other at times, so they are asked in this order:
//
//  1. the transaction's status, when there is one, is the final word: completed is paid,
//     failed is refused, anything else is not finished yet;
//  2. the status success is paid, whatever else the session kept of a failure before;
//  3. a failure is failed;
//  4. a declined confirmation is declined;
//  5. an expired session or confirmation is expired;
//  6. the status failed, without a reason, is failed;
//  7. everything else, words that are not known included, is pending.
//
// A session that failed or was refused may become paid within [PayinFailureWindow]: look
// it up again when a notification comes, and once more after that time before you take
// the failure as the last word.
//
// Docs: Payin, Status.
func (p *Payin) Outcome() PayinOutcome {
	if p.Transaction != nil {
		switch p.Transaction.Status {
		case PayinTransactionCompleted:
			return PayinOutcomePaid
		case PayinTransactionFailed:
			return PayinOutcomeRefused
		case PayinTransactionPending:
			return PayinOutcomePending
		default:
			return PayinOutcomePending
		}
	}
	switch {
	case p.Status == PayinStatusSuccess:
		return PayinOutcomePaid
	case p.Failure != nil:
		return PayinOutcomeFailed
	case p.ConfirmationStatus == PayinConfirmationDeclined:
		return PayinOutcomeDeclined
	case p.ConfirmationStatus == PayinConfirmationExpired, p.Status == PayinStatusExpired:
		return PayinOutcomeExpired
	case p.Status == PayinStatusFailed:
		return PayinOutcomeFailed
	}
	return PayinOutcomePending
}

// CreateSession asks for a payment. Nothing is debited until the customer confirms at the
// session's PaymentURL; [PayinService.Wait] or a notification tells.
//
// The session is created once for each idempotency key, which must be a UUID:
// [DerivePayinKey] makes one from your reference, so that a program that crashed cannot
// charge twice.
//
// Endpoint: POST /v1/payin/sessions. Errors: [*Error] with [CodeValidationError],
// [CodeAPITokenInvalid], [CodeWalletNotFound], [CodeCountryNotFound],
// [CodeProviderNotFound] and the like. Docs: Payin, Create a session.
func (s *PayinService) CreateSession(ctx context.Context, params PayinSessionParams, opts ...CallOption) (*Payin, error) {
	if params.Reference == "" {
		// A key of the caller's names one session, whose bytes must be the same on every
		// call.
		params.Reference = newCallConfig(opts).idempotencyKey
	}
	if params.Reference == "" {
		reference, err := uuid.NewRandom()
		if err == nil { // without one, the check of the parameters says that it is missing
			params.Reference = reference.String()
		}
	}
	return s.do(ctx, s.request(params), payinNames{}, opts)
}

// Prepare makes the record of a session to save before it is asked for, with
// [WithIntent]. It checks the parameters, the reference included, which must be yours,
// and sends nothing. It takes [WithIdempotencyKey]; other options are the call's.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Payin, Transport.
func (s *PayinService) Prepare(params PayinSessionParams, opts ...CallOption) (*Intent, error) {
	r := s.request(params)
	p := s.withCredentials(&r)
	return p.intend(r, opts)
}

// request is the call that these parameters make.
func (s *PayinService) request(params PayinSessionParams) request {
	const path = "/v1/payin/sessions"
	r := request{method: http.MethodPost, template: path, path: path, reference: params.Reference}
	if params.AccountID == "" {
		params.AccountID = s.account
	}
	body := params.wire(&r.invalid)
	if written := body.Amount.canonical(); written != body.Amount {
		r.legacy = body
		body.Amount = written
	}
	r.params = body
	return r.with(params.Extra)
}

// withCredentials is the protocol to make a call with. Without credentials it is one that
// refuses the call before sending.
func (s *PayinService) withCredentials(r *request) *protocol {
	if s.protocol != nil {
		return s.protocol
	}
	r.invalid.fail("credentials", "payin sessions have credentials of their own: give intram.WithPayin to NewClient, or use NewPayinClient")
	return &protocol{clock: system.Clock{}, trace: s.trace, newKey: newPayinKey, validKey: validPayinKey, keyRule: payinKeyRule}
}

// Wait waits until the session has ended, and returns it, paid or not: look at its
// [Payin.Outcome]. It asks every 5 to 10 seconds, as documented, for 10 minutes unless
// told otherwise. A failure that it returns may still become a payment within
// [PayinFailureWindow], which a notification tells, or [PayinService.Get].
//
// Errors: [*WaitError] when the wait ended first. Docs: Payin, Status.
func (s *PayinService) Wait(ctx context.Context, reference string, opts ...WaitOption) (*Payin, error) {
	waiting, wait := s.client.startWait(ctx, waitPayin, 1)
	defer wait.close()
	cfg, err := payinWait.with(ctx, opts, "reference", reference)
	if err != nil {
		return nil, wait.failed(err)
	}
	p, err := s.waits.Wait(waiting, reference, &cfg.Schedule, nil)
	if err != nil {
		return nil, wait.failed(waitFailure(ctx, err, &WaitError{Payin: p, ID: reference}))
	}
	wait.finished()
	return p, nil
}

// do makes a call. names are those of the session that is looked up, as far as they are
// known.
func (s *PayinService) do(ctx context.Context, r request, names payinNames, opts []CallOption) (*Payin, error) {
	var p *Payin
	err := s.withCredentials(&r).do(ctx, r, opts, func(body []byte) (_ string, err error) {
		if p, err = readPayin(body); err != nil {
			return "", err
		}
		return "", p.about(&r, names)
	})
	if err != nil {
		return nil, err
	}
	if names.other(r.reference) == "" {
		s.seen.keep(payinNames{p.Reference, p.ID}, "")
	}
	return p, nil
}

// readPayin reads a response with a session, which has no envelope.
func readPayin(body []byte) (*Payin, error) {
	var w payinWire
	if _, err := wire.Read(body, &w); err != nil {
		return nil, err
	}
	p := w.model(body)
	switch {
	case p.ID == "" && p.Reference == "":
		return nil, errors.New("the response has no reference")
	case p.ID != "" && !usableID(p.ID), p.Reference != "" && !usablePayinReference(p.Reference):
		return nil, errors.New("the response's reference cannot be one")
	}
	return &p, nil
}

// payinBody is POST /v1/payin/sessions as the docs write it.
type payinBody struct {
	Reference    string       `json:"reference"`
	AccountID    string       `json:"accountId,omitempty"`
	Amount       Amount       `json:"amount"`
	MSISDN       string       `json:"msisdn"`
	CustomerName string       `json:"customerName,omitempty"`
	Country      string       `json:"country"`
	Action       *payinAction `json:"action,omitempty"`
}

type payinAction struct {
	SuccessURL string `json:"successUrl"`
	FailureURL string `json:"failureUrl"`
}

// wire checks the parameters and gives them the docs' shape.
func (p PayinSessionParams) wire(v *validation) payinBody {
	body := payinBody{
		Reference: p.Reference, AccountID: p.AccountID, Amount: p.Amount,
		CustomerName: p.CustomerName, Country: p.Country,
	}
	v.payinReference("reference", p.Reference)
	v.text("accountId", p.AccountID, 0)
	if before := len(v.fields); p.Country == "CM" { // another currency, without decimals too
		v.amount("amount", p.Amount, XAF)
		v.check(len(v.fields) > before || p.Amount.isWhole(), "amount", "amount must be whole: XAF has no decimals")
	} else {
		v.amount("amount", p.Amount, XOF)
	}
	if v.required("msisdn", p.MSISDN, "the customer's phone number in international form") {
		body.MSISDN = "+" + v.msisdn("msisdn", p.MSISDN, "")
	}
	v.text("customerName", p.CustomerName, 0)
	if v.required("country", p.Country, "two capital letters, such as CI") {
		v.country("country", p.Country)
	}
	if p.SuccessURL != "" || p.FailureURL != "" {
		body.Action = &payinAction{SuccessURL: p.SuccessURL, FailureURL: p.FailureURL}
		v.absoluteURL("action.successUrl", p.SuccessURL)
		v.absoluteURL("action.failureUrl", p.FailureURL)
	}
	return body
}

// payinWire is a session as both revisions of the docs write it.
type payinWire struct {
	ID                   wire.Text         `json:"id"`
	Reference            wire.ID           `json:"reference"`
	CustomerReference    wire.ID           `json:"customerReference"`
	Status               PayinStatus       `json:"status"`
	ConfirmationStatus   PayinConfirmation `json:"confirmationStatus"`
	ConfirmationRequired wire.Flag         `json:"confirmationRequired"`
	Amount               Amount            `json:"amount"`
	Fee                  *Amount           `json:"fee"`
	Fees                 Amount            `json:"fees"` // notifications say it so
	ChargedAmount        Amount            `json:"chargedAmount"`
	Currency             Currency          `json:"currency"`
	Customer             payinCustomerWire `json:"customer"`
	CustomerName         wire.Text         `json:"customerName"`
	PhoneNumber          wire.Text         `json:"phoneNumber"`
	PaymentURL           wire.Text         `json:"paymentUrl"`
	Transaction          *PayinTransaction `json:"transaction"`
	Failure              *PayinFailure     `json:"failure"`
	CreatedAt            wire.Time         `json:"createdAt"`
}

// model implements shape.
func (w payinWire) model(raw RawMessage) Payin {
	p := Payin{
		ID: string(w.ID), Reference: string(w.Reference), Status: w.Status, ConfirmationStatus: w.ConfirmationStatus,
		ConfirmationRequired: bool(w.ConfirmationRequired), Amount: w.Amount, Fee: w.Fees,
		ChargedAmount: w.ChargedAmount, Currency: w.Currency, PaymentURL: string(w.PaymentURL),
		Customer: PayinCustomer{
			Name:        string(cmp.Or(w.Customer.Name, w.CustomerName)),
			PhoneNumber: string(cmp.Or(w.Customer.PhoneNumber, w.PhoneNumber)),
		},
		Transaction: w.Transaction, Failure: w.Failure, CreatedAt: w.CreatedAt.Time, Raw: raw,
	}
	if w.Fee != nil {
		p.Fee = *w.Fee
	}
	if p.ConfirmationStatus == "pending" {
		p.ConfirmationStatus = PayinConfirmationNone
	}
	// In the first revision, reference is the system's and customerReference the
	// merchant's.
	if w.CustomerReference != "" {
		p.ID, p.Reference = cmp.Or(string(w.ID), string(w.Reference)), string(w.CustomerReference)
	}
	// {} means the same as null: the customer has not confirmed.
	if p.Transaction != nil && p.Transaction.isEmpty() {
		p.Transaction = nil
	}
	if p.Failure != nil && *p.Failure == (PayinFailure{}) {
		p.Failure = nil
	}
	return p
}

// UnmarshalJSON reads both revisions of the docs.
func (p *Payin) UnmarshalJSON(data []byte) error { return readValue[Payin, payinWire](data, p) }

type payinCustomerWire struct {
	Name        wire.Text `json:"name"`
	PhoneNumber wire.Text `json:"phoneNumber"`
}

// isEmpty reports a transaction that says nothing.
func (t *PayinTransaction) isEmpty() bool { return t.Reference == "" && t.Status == "" }

// UnmarshalJSON reads the transaction; its amounts come as strings.
func (t *PayinTransaction) UnmarshalJSON(data []byte) error {
	var w struct {
		Reference     wire.Text              `json:"reference"`
		Status        PayinTransactionStatus `json:"status"`
		Amount        Amount                 `json:"amount"`
		Fees          Amount                 `json:"fees"`
		ChargedAmount Amount                 `json:"chargedAmount"`
		Currency      Currency               `json:"currency"`
		CustomerName  wire.Text              `json:"customerName"`
		PhoneNumber   wire.Text              `json:"phoneNumber"`
		ProcessedAt   wire.Time              `json:"processedAt"`
	}
	*t = PayinTransaction{}
	switch string(bytes.TrimSpace(data)) {
	case "[]", `""`, "false": // written by servers for null
		return nil
	}
	// It has the final word on the money: what is no object is no word.
	if err := wire.UnmarshalObject(data, &w); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	*t = PayinTransaction{
		Reference: string(w.Reference), Status: w.Status, Amount: w.Amount, Fees: w.Fees,
		ChargedAmount: w.ChargedAmount, Currency: w.Currency,
		Customer:    PayinCustomer{Name: string(w.CustomerName), PhoneNumber: string(w.PhoneNumber)},
		ProcessedAt: w.ProcessedAt.Time,
	}
	return nil
}

// MarshalJSON writes what the API sent.
func (p Payin) MarshalJSON() ([]byte, error) {
	type plain Payin
	return marshalRaw(p.Raw, plain(p))
}

// shown returns what is printed: nothing that identifies the customer.
func (PayinCustomer) shown() string { return hidden("PayinCustomer", redacted) }

// shown returns what is printed: the amount and the country, nothing that identifies the
// customer.
func (p PayinSessionParams) shown() string {
	return hidden("PayinSessionParams", p.Amount.String(), p.Country)
}

// payinNames are the two names of a session, of which a lookup takes one or the other:
// reports differ.
type payinNames struct{ reference, id string }

// other is the other name, empty if there is none.
func (n payinNames) other(name string) string {
	switch {
	case n.reference == n.id:
		return ""
	case name == n.reference:
		return n.id
	case name == n.id:
		return n.reference
	}
	return ""
}

// contradictedBy reports whether a session shows two names, and ours is not among them.
func (n payinNames) contradictedBy(p *Payin) bool {
	return n.reference != "" && p.Reference != "" && p.ID != "" && !isNamed(p.Reference, n.reference)
}

// rememberedPayins is of how many sessions a client keeps the names.
const rememberedPayins = 1000

// payinMemory keeps the names of the sessions that a client has seen last. It is safe for
// concurrent use.
type payinMemory struct {
	mu     sync.Mutex
	byName map[string]*rememberedPayin
	oldest []*rememberedPayin // a ring, full of sessions once it has them all
	next   int
}

type rememberedPayin struct {
	names   payinNames
	refused string // the name that the API did not know the session by, though it knew it by the other one
}

// of are the names of the session that has this one, and the one that the API does not
// know it by.
func (m *payinMemory) of(name string) (names payinNames, refused string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen := m.byName[name]; seen != nil {
		return seen.names, seen.refused
	}
	return payinNames{}, ""
}

// keep remembers the names of a session, and which of them the API did not know, if that
// is known.
func (m *payinMemory) keep(names payinNames, refused string) {
	if names.reference == "" || names.id == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen := m.byName[names.reference]; seen != nil && seen.names == names {
		if refused != "" {
			seen.refused = refused
		}
		return
	}
	if m.byName == nil {
		m.byName = map[string]*rememberedPayin{}
	}
	seen := &rememberedPayin{names, refused}
	if len(m.oldest) < rememberedPayins {
		m.oldest = append(m.oldest, seen)
	} else {
		for _, name := range [...]string{m.oldest[m.next].names.reference, m.oldest[m.next].names.id} {
			if m.byName[name] == m.oldest[m.next] {
				delete(m.byName, name)
			}
		}
		m.oldest[m.next] = seen
		m.next = (m.next + 1) % rememberedPayins
	}
	m.byName[names.reference], m.byName[names.id] = seen, seen
}

// Get looks a session up, by your reference or the system's ([Payin].ID).
//
// Reports differ on which of the two the API takes. When it does not know the one that
// you give, and this client has seen the session before (it keeps the names of the last 1
// 000 that it created or looked up), the other one is tried, and asked for first from
// then on. A program that has just started has seen none: [PayinService.Refresh] takes
// both names.
//
// Endpoint: GET /v1/payin/{reference}. Errors: [*Error] with
// [CodeTransactionDoesNotExist] for an unknown reference, which proves little while the
// other one was not tried, and around [ErrResponseMismatch] when the response is about
// another session. Docs: Payin, Status.
func (s *PayinService) Get(ctx context.Context, reference string, opts ...CallOption) (*Payin, error) {
	names, refused := s.seen.of(reference)
	return s.lookUp(ctx, reference, names, refused, opts)
}

// Refresh looks a session up again, by its Reference and, if the API does not know that
// one, by its ID. It takes what a notification brought, or the two names that you have
// saved:
//
//	payin, err := client.Payin.Refresh(ctx, &intram.Payin{Reference: order.Reference, ID: order.PayinID})
//
// Endpoint: GET /v1/payin/{reference}. Errors: as [PayinService.Get]'s, with
// [CodeTransactionDoesNotExist] when the API knows neither. Docs: Payin, Status.
func (s *PayinService) Refresh(ctx context.Context, p *Payin, opts ...CallOption) (*Payin, error) {
	if p == nil {
		p = new(Payin) // which has no reference, as the error says
	}
	names := payinNames{p.Reference, p.ID}
	asked := cmp.Or(names.reference, names.id)
	known, refused := s.seen.of(asked)
	if known != names {
		refused = ""
	}
	return s.lookUp(ctx, asked, names, refused, opts)
}

// lookUp asks for a session by one name, and by its other one when the API does not know
// the first.
func (s *PayinService) lookUp(ctx context.Context, asked string, names payinNames, refused string, opts []CallOption) (*Payin, error) {
	first, second := asked, names.other(asked)
	if second != "" && refused == first {
		first, second = second, first
	}
	p, err := s.look(ctx, first, names, opts)
	if second == "" || !errors.Is(err, CodeTransactionDoesNotExist) {
		return p, err
	}
	p, again := s.look(ctx, second, names, opts)
	switch {
	case again == nil:
		s.seen.keep(names, first) // and not what the session shows now: by these it was found
	case errors.Is(again, CodeTransactionDoesNotExist):
		return nil, err
	}
	return p, again
}

func (s *PayinService) look(ctx context.Context, name string, names payinNames, opts []CallOption) (*Payin, error) {
	r := request{
		method: http.MethodGet, template: "/v1/payin/{reference}", path: "/v1/payin/" + url.PathEscape(name), reference: name,
	}
	r.invalid.payinReference("reference", name)
	return s.do(ctx, r, names, opts)
}
