package intram

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// Longest texts of the API, in characters.
const (
	maxReference   = 100
	maxNote        = 500
	maxDescription = 500
	maxReason      = 500
)

// PayoutsService sends money from the merchant's wallet to a mobile-money account or a
// bank account.
//
//	op, err := client.Payouts.Create(ctx, intram.PayoutParams{Amount: amount, Destination: wallet, Reference: "PO-2026-0001"})
//	…
//	result, err := client.Payouts.Wait(ctx, op.ID) // result.Paid() says whether the money has arrived
//
// For a call that must survive a crash, save what [PayoutsService.Prepare] returns, and
// call [PayoutsService.Resume] now and after the crash.
type PayoutsService struct{ client *Client }

// PayoutParams is a payout to make.
type PayoutParams struct {
	// Amount is in whole units of the currency, above zero. Required.
	Amount Amount
	// Currency is optional; the API's default is the wallet's.
	Currency Currency
	// Destination is a [MobileMoney] or a [BankAccount]. Required.
	Destination Destination
	// Reference is your own name for the payout, at most 100 characters. It comes back in
	// the result and in events. Its bytes count: an accent written in two ways (Unicode
	// NFC and NFD) makes two references.
	Reference string
	// Note is at most 500 characters.
	Note string
	// Metadata is yours; it comes back with the operation. It must be writable as JSON,
	// in at most 64 levels and valid UTF-8. It is sent with its keys in order, whatever
	// it is made of, and read back as maps, slices and [json.Number].
	Metadata map[string]any
	// Extra has fields of the API that this version of the SDK does not know. They are
	// sent beside the others, at the top level, and checked like Metadata.
	Extra map[string]any
}

// Destination is where a payout goes: a [MobileMoney] or a [BankAccount], and on the way
// back, a destination of a kind that the SDK does not know, an [UnknownDestination].
type Destination interface{ isDestination() }

// MobileMoney is a customer's mobile-money account. It prints without its number and
// names.
//
// Benin's numbers went from 8 digits to 10 on 2024-11-30, the old ones with 01 in front.
// Both name the same wallet:
//
//	before      61 23 45 67     MSISDN: "22961234567"
//	since then  01 61 23 45 67  MSISDN: "2290161234567"
//
// Send the form of today. [ParseMSISDN] makes it of either, and [SameWallet] compares
// them.
type MobileMoney struct {
	// ProviderCode is the operator. The API accepts a payout without one, and then fails
	// its operation with [CodeMissingProviderCode]; and with one that it does not handle
	// in the country, with [CodeProviderUnavailable].
	ProviderCode ProviderCode
	// MSISDN is the phone number: in international form, 8 to 15 digits, 2290161234567.
	// [ParseMSISDN] makes it of what people write. It must begin with the calling code at
	// the end of ProviderCode, if there is one, or be a test number as the docs print it,
	// 61000000 of MTN and 94000000 of Moov. A + in front is left out. Required.
	MSISDN string
	// CountryCode is ISO 3166 alpha-2; the API's default is BJ.
	CountryCode string
	// AccountName and AccountSurname are the holder's.
	AccountName, AccountSurname string
}

// BankAccount is a bank account. It prints without its number and names.
type BankAccount struct {
	// AccountNumber is local, as it is printed, or an IBAN. Required.
	AccountNumber string
	// SWIFT is the bank's BIC, 8 or 11 letters and digits.
	SWIFT string
	// AccountName and AccountSurname are the holder's.
	AccountName, AccountSurname string
}

// UnknownDestination is a destination of a kind that the SDK does not know. It cannot be
// paid out to.
type UnknownDestination struct {
	Type string
	Raw  RawMessage
}

func (MobileMoney) isDestination()        {}
func (BankAccount) isDestination()        {}
func (UnknownDestination) isDestination() {}

// PayoutStatus is how far a payout has come.
type PayoutStatus string

// Statuses of a payout's result (Merchant API docs, Payouts), read in any case. A word
// that is not listed here is kept, and means neither paid nor failed.
const (
	PayoutCompleted           PayoutStatus = "completed"
	PayoutQueuedForSettlement PayoutStatus = "queued_for_settlement" // a bank payout, in the back office's hands
	PayoutFailed              PayoutStatus = "failed"                // such as a bank payout that the bank returned
)

// UnmarshalJSON reads a status in any case.
func (s *PayoutStatus) UnmarshalJSON(data []byte) error {
	return wire.UnmarshalWord(data, s, PayoutCompleted, PayoutQueuedForSettlement, PayoutFailed)
}

// PayoutResult is what a payout's operation came to.
type PayoutResult struct {
	Reference        string
	Amount           Amount
	Currency         Currency
	Destination      Destination
	Status           PayoutStatus
	ProviderResponse ProviderResponse
	// Raw is the result as it came.
	Raw RawMessage
}

// Paid reports whether the money has reached the destination: the status is
// [PayoutCompleted] in any case. Every other word, one that the SDK does not know or none
// at all included, is not paid.
func (r *PayoutResult) Paid() bool { return wire.EqualFold(r.Status, PayoutCompleted) }

// Failed reports whether the result says that the payout failed, as a bank payout does
// that the bank returned. A result that is neither Paid nor Failed leaves the payout
// open: do not pay again on its word.
func (r *PayoutResult) Failed() bool { return wire.EqualFold(r.Status, PayoutFailed) }

// judge implements judged.
func (r *PayoutResult) judge() resultVerdict {
	return judgeWord(r.Status, PayoutFailed, PayoutCompleted, PayoutQueuedForSettlement)
}

// ProviderResponse is what the operator said.
type ProviderResponse struct {
	ResponseCode    string `json:"responsecode"`
	ResponseMessage string `json:"responsemsg"`
	// ServiceReference is the operator's own reference.
	ServiceReference string `json:"serviceref"`
	// Raw is set when the response had another shape than the docs show.
	Raw RawMessage `json:"-"`
}

// UnmarshalJSON reads what the operator said, whatever its shape: a number is taken as it
// is written, and what is no object is kept in Raw.
func (p *ProviderResponse) UnmarshalJSON(data []byte) error {
	*p = ProviderResponse{}
	type plain ProviderResponse
	if wire.IsNull(data) || wire.IsObject(data) && json.Unmarshal(data, (*plain)(p)) == nil {
		return nil
	}
	var w struct {
		ResponseCode     wire.Text `json:"responsecode"`
		ResponseMessage  wire.Text `json:"responsemsg"`
		ServiceReference wire.Text `json:"serviceref"`
	}
	if wire.IsObject(data) {
		if err := wire.Unmarshal(data, &w); err != nil {
			return err
		}
	}
	*p = ProviderResponse{
		ResponseCode: string(w.ResponseCode), ResponseMessage: string(w.ResponseMessage), ServiceReference: string(w.ServiceReference),
	}
	return p.Raw.UnmarshalJSON(data)
}

func (p ProviderResponse) isZero() bool {
	return p.ResponseCode == "" && p.ResponseMessage == "" && p.ServiceReference == "" && len(p.Raw) == 0
}

// Create asks for a payout. It returns as soon as the API has accepted it, with the
// operation queued; the money moves, or does not, later: [PayoutsService.Wait] or a
// webhook tells.
//
// On an error, [OutcomeOf] says whether the payout may have been accepted all the same,
// and [Error].IdempotencyKey is the key to call again with.
//
// Endpoint: POST /payouts. Errors: [*Error] with [CodeValidationError],
// [CodeUnknownCurrency], [CodeIdempotencyConflict] and the authentication codes. Docs:
// Merchant API, Payouts.
func (s *PayoutsService) Create(ctx context.Context, params PayoutParams, opts ...CallOption) (*Operation, error) {
	return doModel[Operation, operationWire](ctx, s.client, params.request(), opts)
}

// Prepare makes the record of a payout to save before it is asked for, with Resume or
// [WithIntent]. It checks the parameters, and sends nothing. It takes
// [WithIdempotencyKey]; other options are the call's.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Merchant API, Idempotency.
func (s *PayoutsService) Prepare(params PayoutParams, opts ...CallOption) (*Intent, error) {
	return s.client.merchant.intend(params.request(), opts)
}

// Get looks a payout up by its operation's id. The Result of one that succeeded is a
// [*PayoutResult].
//
// Endpoint: GET /operations/{id}. Errors: those of [OperationsService.Get];
// [ErrResponseMismatch] is also behind that of an operation of another type. Docs:
// Merchant API, Operations.
func (s *PayoutsService) Get(ctx context.Context, operationID string, opts ...CallOption) (*Operation, error) {
	return s.client.operation(ctx, OperationPayout, operationID, opts)
}

// List reads one page of payouts, newest first: [OperationsService.List] without
// operations of other types. Leave Type empty.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.List]. Docs: Merchant
// API, Operations.
func (s *PayoutsService) List(ctx context.Context, params OperationListParams, opts ...CallOption) (*Page[Operation], error) {
	return s.client.operations(ctx, params.query(OperationPayout), opts)
}

// All reads all payouts, newest first: [OperationsService.All] without operations of
// other types. Leave Type empty. With Since it stops by itself.
//
// Endpoint: GET /operations. Errors: those of [OperationsService.All]. Docs: Merchant
// API, Operations.
func (s *PayoutsService) All(ctx context.Context, params OperationListParams, opts ...CallOption) iter.Seq2[*Operation, error] {
	return s.client.allOperations(ctx, params.query(OperationPayout), opts)
}

// Wait waits until the payout's operation has ended, and returns its result. A bank
// payout's operation ends as [PayoutQueuedForSettlement], before the money has moved:
// only [PayoutResult.Paid] says that it has.
//
// Errors: [*OperationError] when the payout failed, with [CodeResultFailed] when its
// operation succeeded and its result says that it failed, as after a bank returned it;
// [*WaitError] when the wait ended first; and [ErrUnexpectedResult] when the operation is
// no payout, or its result has a status that the SDK does not know. Docs: Merchant API,
// Operations.
func (s *PayoutsService) Wait(ctx context.Context, operationID string, opts ...WaitOption) (*PayoutResult, error) {
	return waitForResult[*PayoutResult](ctx, s.client, operationID, opts)
}

// payoutBody is POST /payouts as the docs write it.
type payoutBody struct {
	Amount      Amount          `json:"amount"`
	Currency    Currency        `json:"currency,omitempty"`
	Destination destinationBody `json:"destination"`
	Reference   string          `json:"reference,omitempty"`
	Note        string          `json:"note,omitempty"`
	Metadata    map[string]any  `json:"metadata,omitzero"`
}

// destinationBody has the fields of both kinds: only one kind's are set.
type destinationBody struct {
	Type           string       `json:"type"`
	CountryCode    string       `json:"country_code,omitempty"`
	ProviderCode   ProviderCode `json:"provider_code,omitempty"`
	MSISDN         string       `json:"msisdn,omitempty"`
	SWIFT          string       `json:"swift,omitempty"`
	AccountNumber  string       `json:"account_number,omitempty"`
	AccountName    string       `json:"account_name,omitempty"`
	AccountSurname string       `json:"account_surname,omitempty"`
}

const (
	typeMobileMoney = "mobile_money"
	typeBankAccount = "bank_account"
)

// request is the call that these parameters make.
func (p PayoutParams) request() request {
	r := request{method: http.MethodPost, template: "/payouts", path: "/payouts"}
	r.asked = askedFor{creates: OperationPayout, field: "reference", reference: p.Reference}
	body := p.wire(&r.invalid)
	written := body.Amount.canonical()
	own, changed := r.invalid.own("metadata", body.Metadata)
	if written != body.Amount || changed {
		r.legacy = body
		body.Amount, body.Metadata = written, own
	}
	r.params = body
	return r.with(p.Extra)
}

// wire checks the parameters and gives them the docs' shape.
func (p PayoutParams) wire(v *validation) payoutBody {
	v.amount("amount", p.Amount, p.Currency)
	v.currency("currency", p.Currency)
	v.text("reference", p.Reference, maxReference)
	v.text("note", p.Note, maxNote)
	return payoutBody{
		Amount: p.Amount, Currency: p.Currency, Destination: destinationWire(v, p.Destination),
		Reference: p.Reference, Note: p.Note, Metadata: p.Metadata,
	}
}

func destinationWire(v *validation, d Destination) destinationBody {
	switch d := d.(type) {
	case MobileMoney:
		return d.wire(v)
	case *MobileMoney:
		if d != nil {
			return d.wire(v)
		}
	case BankAccount:
		return d.wire(v)
	case *BankAccount:
		if d != nil {
			return d.wire(v)
		}
	case UnknownDestination, *UnknownDestination:
		v.fail("destination.type", "destination.type must be %s or %s", typeMobileMoney, typeBankAccount)
		return destinationBody{}
	}
	v.fail("destination", "destination is required: an intram.MobileMoney or an intram.BankAccount")
	return destinationBody{}
}

func (m MobileMoney) wire(v *validation) destinationBody {
	v.country("destination.country_code", m.CountryCode)
	v.text("destination.provider_code", string(m.ProviderCode), 0)
	body := m.body()
	if v.required("destination.msisdn", m.MSISDN, "the phone number in international form") {
		body.MSISDN = v.msisdn("destination.msisdn", m.MSISDN, m.ProviderCode)
	}
	v.text("destination.account_name", m.AccountName, 0)
	v.text("destination.account_surname", m.AccountSurname, 0)
	return body
}

func (m MobileMoney) body() destinationBody {
	return destinationBody{
		Type: typeMobileMoney, CountryCode: m.CountryCode, ProviderCode: m.ProviderCode, MSISDN: m.MSISDN,
		AccountName: m.AccountName, AccountSurname: m.AccountSurname,
	}
}

func (b BankAccount) wire(v *validation) destinationBody {
	if v.required("destination.account_number", b.AccountNumber, "a local number or an IBAN") {
		v.text("destination.account_number", b.AccountNumber, 0)
	}
	v.check(b.SWIFT == "" || (len(b.SWIFT) == 8 || len(b.SWIFT) == 11) &&
		allOf(b.SWIFT, func(c byte) bool { return isCapital(c) || isDigit(c) }), "destination.swift",
		"destination.swift must be a BIC of 8 or 11 capitals and digits, such as ECOCBJBJ")
	v.text("destination.account_name", b.AccountName, 0)
	v.text("destination.account_surname", b.AccountSurname, 0)
	return b.body()
}

func (b BankAccount) body() destinationBody {
	return destinationBody{
		Type: typeBankAccount, SWIFT: b.SWIFT, AccountNumber: b.AccountNumber,
		AccountName: b.AccountName, AccountSurname: b.AccountSurname,
	}
}

// decodeDestination reads a destination of any kind. null is none.
func decodeDestination(data []byte) Destination {
	if len(data) == 0 || wire.IsNull(data) {
		return nil
	}
	var w struct {
		Type           wire.Text `json:"type"`
		CountryCode    wire.Text `json:"country_code"`
		ProviderCode   wire.Text `json:"provider_code"`
		MSISDN         wire.Text `json:"msisdn"`
		SWIFT          wire.Text `json:"swift"`
		AccountNumber  wire.Text `json:"account_number"`
		AccountName    wire.Text `json:"account_name"`
		AccountSurname wire.Text `json:"account_surname"`
	}
	_ = wire.Unmarshal(data, &w) // reads every kind
	switch w.Type {
	case typeMobileMoney:
		return MobileMoney{
			ProviderCode: ProviderCode(w.ProviderCode), MSISDN: string(w.MSISDN), CountryCode: string(w.CountryCode),
			AccountName: string(w.AccountName), AccountSurname: string(w.AccountSurname),
		}
	case typeBankAccount:
		return BankAccount{
			AccountNumber: string(w.AccountNumber), SWIFT: string(w.SWIFT),
			AccountName: string(w.AccountName), AccountSurname: string(w.AccountSurname),
		}
	default:
		return UnknownDestination{Type: string(w.Type), Raw: RawMessage(data)}
	}
}

// payoutResultWire is a payout's result as the docs write it. An event has its fields
// too.
type payoutResultWire struct {
	Reference        wire.Text        `json:"reference"`
	Amount           Amount           `json:"amount"`
	Currency         Currency         `json:"currency"`
	Destination      wire.Part        `json:"destination"`
	Status           PayoutStatus     `json:"status"`
	ProviderResponse ProviderResponse `json:"provider_response"`
}

// model implements shape.
func (w payoutResultWire) model(raw RawMessage) PayoutResult {
	return PayoutResult{
		Reference: string(w.Reference), Amount: w.Amount, Currency: w.Currency, Destination: decodeDestination(w.Destination.Of(raw)),
		Status: w.Status, ProviderResponse: w.ProviderResponse, Raw: raw,
	}
}

// UnmarshalJSON reads both revisions of the docs.
func (r *PayoutResult) UnmarshalJSON(data []byte) error {
	return readValue[PayoutResult, payoutResultWire](data, r)
}

// MarshalJSON writes what the API sent.
func (r PayoutResult) MarshalJSON() ([]byte, error) {
	type plain PayoutResult
	return marshalRaw(r.Raw, plain(r))
}

// shown returns what is printed: the payout, without its destination and the operator's
// words.
func (r PayoutResult) shown() string {
	return hidden("PayoutResult", scrubID(r.Reference), r.Amount.String(), redact.Word(string(r.Currency)), redact.Word(string(r.Status)))
}

// shown returns what is printed: the operator's code, not its words.
func (p ProviderResponse) shown() string {
	return hidden("ProviderResponse", redact.OperatorCode(p.ResponseCode))
}

// shown returns what is printed: the kind.
func (u UnknownDestination) shown() string { return hidden("UnknownDestination", redact.Word(u.Type)) }

// shown returns what is printed: the operator and the end of the number.
func (m MobileMoney) shown() string {
	return hidden("MobileMoney", redact.Word(string(m.ProviderCode)), redact.Number(m.MSISDN))
}

// shown returns what is printed: the bank and the end of the number.
func (b BankAccount) shown() string {
	return hidden("BankAccount", redact.Word(b.SWIFT), redact.Number(b.AccountNumber))
}

// MarshalJSON writes the parameters as the docs name them, to be queued or stored and
// read back without loss. What was not set is left out. What JSON cannot hold, a text
// that is not valid UTF-8, is an error that names the field.
func (p PayoutParams) MarshalJSON() ([]byte, error) {
	w := payoutParamsJSON{
		Amount: p.Amount.orNothing(), Currency: p.Currency, Reference: p.Reference, Note: p.Note, Metadata: p.Metadata, Extra: p.Extra,
	}
	var err error
	if w.Destination, err = encodeDestination(p.Destination); err != nil {
		return nil, err
	}
	return lossless("", w)
}

// UnmarshalJSON reads what MarshalJSON wrote. Numbers in Metadata are read as
// [json.Number], to the last digit.
func (p *PayoutParams) UnmarshalJSON(data []byte) error {
	var w payoutParamsJSON
	if err := decodeParams(data, &w); err != nil {
		return err
	}
	*p = PayoutParams{
		Amount: amountOf(w.Amount), Currency: w.Currency, Destination: decodeDestination(w.Destination),
		Reference: w.Reference, Note: w.Note, Metadata: w.Metadata, Extra: w.Extra,
	}
	return nil
}

type payoutParamsJSON struct {
	Amount      *Amount         `json:"amount,omitempty"`
	Currency    Currency        `json:"currency,omitempty"`
	Destination json.RawMessage `json:"destination,omitempty"`
	Reference   string          `json:"reference,omitempty"`
	Note        string          `json:"note,omitempty"`
	Metadata    map[string]any  `json:"metadata,omitzero"`
	Extra       map[string]any  `json:"extra,omitzero"`
}

// encodeDestination writes what decodeDestination reads.
func encodeDestination(d Destination) (json.RawMessage, error) {
	switch d := d.(type) {
	case MobileMoney:
		return lossless("destination.", d.body())
	case *MobileMoney:
		if d != nil {
			return lossless("destination.", d.body())
		}
	case BankAccount:
		return lossless("destination.", d.body())
	case *BankAccount:
		if d != nil {
			return lossless("destination.", d.body())
		}
	case UnknownDestination:
		return d.Raw.MarshalJSON()
	case *UnknownDestination:
		if d != nil {
			return d.Raw.MarshalJSON()
		}
	}
	return nil, nil
}

// decodeParams reads parameters that were stored. Numbers of the caller's own keep their
// digits, and with them the bytes that are sent.
func decodeParams(data []byte, params any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(params)
}

// shown returns what is printed: the amount and the destination, without note and
// metadata.
func (p PayoutParams) shown() string {
	return hidden("PayoutParams", p.Amount.String(), redact.Word(string(p.Currency)), fmt.Sprint(p.Destination))
}
