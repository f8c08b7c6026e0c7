package intram

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/strictjson"
	"github.com/intram/intram-go/internal/transport"
	"github.com/intram/intram-go/internal/wire"
)

// shape is how the API writes a T: a struct of its own, so that a whole response is read
// in one pass, whatever the revision of the docs it follows.
type shape[T any] interface {
	// model returns what was read, with the JSON that it was read from, which it keeps.
	model(raw RawMessage) T
}

// whole is implemented by models that can tell a response which lacks what makes it one.
// A 202 without an operation id is no proof that a payout was accepted.
type whole interface{ complete() error }

// doModel makes a call of the Merchant API that returns one T. On error the value is nil
// and the error is an [*Error].
func doModel[T any, W shape[T]](ctx context.Context, c *Client, r request, opts []CallOption) (*T, error) {
	var value *T
	about, environment := r.asked, c.environment
	err := c.merchant.do(ctx, r, opts, func(body []byte) (operationID string, err error) {
		if value, err = readModel[T, W](body); err != nil {
			return "", err
		}
		return operationIDOf(value), checkSubject(value, about, environment)
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// operationIDOf is the id of a response that is an operation, empty for any other.
func operationIDOf(value any) string {
	if o, ok := value.(*Operation); ok {
		return o.ID
	}
	return ""
}

// doVerdict makes a call whose response has no data that the docs show, and returns its
// body.
func doVerdict(ctx context.Context, c *Client, r request, opts []CallOption) (RawMessage, error) {
	var raw RawMessage
	err := c.merchant.do(ctx, r, opts, func(body []byte) (string, error) {
		raw = body
		envelope, _, err := wire.ReadEnvelope[wire.Part](body)
		if err == nil && envelope.Failed != wire.SaysSuccess {
			err = errors.New("the response does not say what was done")
		}
		return "", err
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// readModel reads a response with one T. What it keeps is the body itself, which has no
// other owner.
func readModel[T any, W shape[T]](body []byte) (*T, error) {
	envelope, parts, err := wire.ReadData[W](body)
	if err != nil {
		return nil, err
	}
	if !wire.IsObject(parts.Data) {
		return nil, fmt.Errorf("the response's data is not what the docs describe: %w", wire.ErrNoObject)
	}
	value := envelope.Data.model(parts.Data)
	if err := complete(&value); err != nil {
		return nil, err
	}
	return &value, nil
}

// doList makes a call that returns a list which has no pages.
func doList[T any, W shape[T]](ctx context.Context, c *Client, r request, opts []CallOption) ([]T, error) {
	var list []T
	err := c.merchant.do(ctx, r, opts, func(body []byte) (string, error) {
		envelope, parts, err := wire.ReadData[[]W](body)
		if err != nil {
			return "", err
		}
		if wire.FirstByte(parts.Data) != '[' {
			return "", errNoList
		}
		list = make([]T, len(parts.Items))
		for i := range list {
			if item := parts.Items[i]; !wire.IsObject(item) && !wire.IsNull(item) {
				return "", errNoList
			}
			list[i] = envelope.Data[i].model(keep(parts.Items[i]))
		}
		return "", nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// complete reports what a value lacks that makes it one.
func complete(value any) error {
	if w, ok := value.(whole); ok {
		return w.complete()
	}
	return nil
}

// readValue is UnmarshalJSON of a model. The data is the caller's: what is kept is a
// copy.
func readValue[T any, W shape[T]](data []byte, value *T) error {
	var w W
	if err := wire.UnmarshalObject(data, &w); err != nil {
		return err
	}
	*value = w.model(keep(data))
	return nil
}

// readPage reads a response with a list of T. Each item keeps a copy of its own part of
// the body: one item that is kept does not keep the page. An item that cannot be read is
// told beside the others.
func readPage[T any, W shape[T]](body []byte) (*Page[T], error) {
	f, parts, err := wire.ReadPage[[]W](body)
	if err != nil {
		return readPageOneByOne[T, W](body)
	}
	if len(parts.Items) != len(f.Data) {
		return nil, errNoList
	}
	if err := checkList(parts); err != nil {
		return nil, err
	}
	page := newPage[T](&f.Paging, f.Failed, parts)
	for i := range f.Data {
		page.take(i, parts, func(raw RawMessage) (T, error) { return f.Data[i].model(raw), nil })
	}
	return page, nil
}

// readPageOneByOne reads a page that has an item which cannot be read.
func readPageOneByOne[T any, W shape[T]](body []byte) (*Page[T], error) {
	f, parts, err := wire.ReadPage[wire.Part](body)
	if err != nil {
		return nil, err
	}
	if err := checkList(parts); err != nil {
		return nil, err
	}
	page := newPage[T](&f.Paging, f.Failed, parts)
	for i := range parts.Items {
		page.take(i, parts, func(raw RawMessage) (T, error) {
			var w W
			err := wire.Unmarshal(raw, &w)
			return w.model(raw), err
		})
	}
	return page, nil
}

var errNoList = errors.New("the response's data is not the list that the docs describe")

// checkList reports what is no list, or may hide the list's cursor. An empty array is how
// some servers write an empty object.
func checkList(parts strictjson.Parts) error {
	switch p := parts.Paging; {
	case wire.FirstByte(parts.Data) != '[':
		return errNoList
	case len(p) == 0, wire.IsObject(p), wire.IsNull(p), string(p) == "[]":
		return nil
	}
	return errors.New("the response's paging is not what the docs describe")
}

func newPage[T any](p *wire.Paging, failed wire.Verdict, parts strictjson.Parts) *Page[T] {
	return &Page[T]{
		Items: make([]T, 0, len(parts.Items)), Limit: int(p.Limit), NextBefore: p.NextBefore.Time.Time,
		confirmed: failed == wire.SaysSuccess,
	}
}

// take reads the item at i.
func (p *Page[T]) take(i int, parts strictjson.Parts, read func(RawMessage) (T, error)) {
	raw, err := keep(parts.Items[i]), parts.Refused[i]
	if err == nil && !wire.IsObject(raw) {
		err = wire.ErrNoObject
	}
	if err == nil {
		var item T
		if item, err = read(raw); err == nil {
			p.Items = append(p.Items, item)
			if err = complete(&p.Items[len(p.Items)-1]); err == nil {
				return
			}
			p.Items = p.Items[:len(p.Items)-1]
		}
	}
	p.Unreadable = append(p.Unreadable, newItemError(i, parts.Items[i], err))
}

// newItemError reads what can be told of an item that cannot be read.
func newItemError(index int, raw []byte, err error) *ItemError {
	var w struct {
		OperationID wire.Text `json:"operation_id"`
		Reference   wire.Text `json:"reference"`
		ID          wire.Text `json:"id"`
		Date        wire.Time `json:"date"`
		CreatedAt   wire.Time `json:"created_at"`
	}
	_ = wire.Unmarshal(raw, &w) // as far as it can be read
	return &ItemError{
		Index: index, ID: cmp.Or(string(w.OperationID), string(w.Reference), string(w.ID)),
		CreatedAt: cmp.Or(w.Date, w.CreatedAt).Time, Raw: bytes.Clone(raw), Err: err,
	}
}

// keep returns a copy of JSON as it came, nil for null.
func keep(data []byte) RawMessage {
	if wire.IsNull(data) {
		return nil
	}
	return bytes.Clone(data)
}

// usableID reports whether an id that the API gave can be one, and become a segment of a
// path.
func usableID(id string) bool {
	var v validation
	v.pathID("id", id)
	return len(v.fields) == 0
}

// ErrResponseMismatch is behind the [*Error] of a response that is about something else
// than what was asked for, or was asked to be created: another id, type, environment or
// reference. A cache, a proxy or a connection that mixes responses up does that. It says
// nothing of the money: the outcome is [OutcomeUnknown], and a wait looks again.
var ErrResponseMismatch = errors.New("intram: the response is about something else")

// askedFor is what a response must be about. The zero value says nothing.
type askedFor struct {
	lookup  string        // the id that was looked up
	only    OperationType // the type that it must have, when it was looked up as one of these
	creates OperationType // the type of what was to be created
	// field of the payload holds the reference that was sent.
	field, reference string
}

// about is implemented by models that can tell whether they are what a call was about.
type about interface {
	about(s askedFor, environment Environment) error
}

// checkSubject reports a response about something else.
func checkSubject(value any, s askedFor, environment Environment) error {
	if a, ok := value.(about); ok {
		return a.about(s, environment)
	}
	return nil
}

func mismatch(what string) error { return fmt.Errorf("%w: %s", ErrResponseMismatch, what) }

// isNamed reports whether two ids name one thing. Case is not what tells two ids of the
// API apart.
func isNamed(id, asked string) bool { return id != "" && strings.EqualFold(id, asked) }

func (o *Operation) about(s askedFor, environment Environment) error {
	switch {
	case s.lookup != "":
		if !isNamed(o.ID, s.lookup) {
			return mismatch("it has another operation_id")
		}
		if s.only != "" && o.Type != "" && !wire.EqualFold(o.Type, s.only) {
			return mismatch("the operation is a " + redact.Word(string(o.Type)) + ", not a " + string(s.only))
		}
	case s.creates == "":
	case o.Type != "" && !wire.EqualFold(o.Type, s.creates):
		return mismatch("its type is not the one that was to be created")
	case o.Environment != "" && !wire.EqualFold(o.Environment, environment):
		return mismatch("it belongs to another environment than the client's keys")
	case s.reference != "" && hasOtherText(o.Payload, s.field, s.reference):
		return mismatch("its payload has another " + s.field + " than what was sent")
	}
	return nil
}

// hasOtherText reports whether an object has a field with another text. A field that is
// absent, or is no text, has none.
func hasOtherText(object RawMessage, field, want string) bool {
	value := strictjson.Member(object, field)
	if len(value) == len(want)+2 && value[0] == '"' && string(value[1:len(value)-1]) == want && !strings.Contains(want, `\`) {
		return false // as nearly always, and without an allocation
	}
	var told wire.Text
	_ = told.UnmarshalJSON(value) // reads every kind
	return (told != "" || wire.FirstByte(value) == '"') && strings.TrimSpace(string(told)) != strings.TrimSpace(want)
}

func (t *Transaction) about(s askedFor, _ Environment) error {
	switch {
	case s.lookup == "", isNamed(t.Reference, s.lookup), isNamed(t.ID, s.lookup):
		return nil
	case t.ID == "" && isInternalID(s.lookup):
		return nil // the current revision of the docs does not show the id that it was asked for
	}
	return mismatch("it has another reference")
}

// isInternalID reports whether an id is one of those that the API gives to what it
// stores: 24 hexadecimal digits.
func isInternalID(id string) bool {
	return len(id) == 24 && allOf(id, func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' })
}

// about reports a session that is another's. A session is created under the merchant's
// reference, and looked up by that or by the system's, of which the revisions of the docs
// show one or two; known are both, if the session was seen before.
func (p *Payin) about(r *request, known payinNames) error {
	if r.method == http.MethodPost {
		if p.Reference != r.reference {
			return mismatch("it has another reference than what was sent")
		}
		return nil
	}
	if known.contradictedBy(p) {
		return mismatch("it has another reference than the session has that was looked up")
	}
	if isNamed(p.Reference, r.reference) || isNamed(p.ID, r.reference) || isNamed(p.Reference, known.other(r.reference)) {
		return nil
	}
	// Where a session shows three names, the model keeps two.
	var names struct {
		Reference wire.Text `json:"reference"`
	}
	if wire.Unmarshal(p.Raw, &names) == nil && isNamed(string(names.Reference), r.reference) {
		return nil
	}
	prefix, _, systems := strings.Cut(r.reference, "_")
	if p.ID == "" && systems && (prefix == "tr" || prefix == "mtr" || prefix == "pr") {
		return nil // it does not show the system's reference that it was asked for
	}
	return mismatch("it has another reference")
}

// failure is the frame of a refusal.
type failure struct {
	Code     ErrorCode       `json:"code"`
	Message  string          `json:"message"`
	Details  json.RawMessage `json:"details"`
	ClientIP string          `json:"client_ip"`
}

// readError says whether the body of an error response is the Merchant API's own word:
// error is true, there is a code, and the body's own status, when it has one, is the
// response's. Everything else, such as a proxy's page or a gateway's JSON, says nothing
// about what the API has done.
func readError(status int, body []byte) transport.Word {
	var own struct {
		Failed bool        `json:"error"`
		Code   ErrorCode   `json:"code"`
		Status wire.Status `json:"http_status"`
	}
	if json.Unmarshal(body, &own) != nil || !own.Failed || strictjson.Check(body) != nil {
		return transport.NoWord
	}
	return own.Code.word(status, own.Status)
}

// word is what a refusal with this code says. stated is the status that the body names, 0
// when it names none.
func (c ErrorCode) word(status int, stated wire.Status) transport.Word {
	if c == "" || stated != 0 && int(stated) != status {
		return transport.NoWord
	}
	switch ErrorCode(strings.ToLower(string(c))) { // statuses are read in any case, and so is what leaves a doubt
	case CodeInternalError, CodeIdempotencyError:
		if status < http.StatusInternalServerError {
			return transport.NoWord // something in between changed the status of a 500, which may come after the work
		}
	case CodeIdempotencyInProgress:
		return transport.KeyBusy
	case CodeIdempotencyConflict, CodeTransactionIsAlreadyProcessed, CodeTransactionAlreadyRefunded:
		return transport.KeyTaken
	case CodeProviderError, CodeProviderUnavailable, CodeStripeUnavailable, CodeOperationExpired, ErrorCode(OperationExpired): // the last by its status word
		return transport.Unclear
	}
	if !refusalCodes[c] {
		return wordOfUnknownCode(c, status)
	}
	return transport.Refused
}

// refusalStatuses are those with which an API refuses a call by a code of its own.
var refusalStatuses = map[int]bool{
	http.StatusBadRequest: true, http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true,
	http.StatusMethodNotAllowed: true, http.StatusRequestEntityTooLarge: true, http.StatusUnsupportedMediaType: true,
	http.StatusUnprocessableEntity: true, http.StatusTooManyRequests: true,
}

// wordOfUnknownCode reads a refusal whose code the SDK does not list. A conflict is one
// with an earlier request, and what speaks of the operator says nothing about the money.
// Status 0 stands for any status.
func wordOfUnknownCode(c ErrorCode, status int) transport.Word {
	name := strings.ToLower(string(c))
	switch {
	case status == http.StatusConflict, strings.Contains(name, "already"), strings.Contains(name, "duplicate"):
		return transport.KeyTaken
	case strings.HasPrefix(name, "provider_"), strings.HasPrefix(name, "operator_"), strings.HasPrefix(name, "stripe_"),
		strings.Contains(name, "timeout"):
		return transport.Unclear
	case status != 0 && status < http.StatusInternalServerError && !refusalStatuses[status]:
		return transport.NoWord
	}
	return transport.Refused
}

// decodeFailure fills e from a refusal's body. A body that is not the API's own, such as
// a proxy's page, leaves the code empty and says what it was instead.
func (e *Error) decodeFailure(header http.Header, body []byte) {
	var f failure
	if err := json.Unmarshal(body, &f); err != nil {
		// Only the code is stable: a field of another type beside it changes nothing.
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); !other {
			e.note = "the response is not JSON" + mediaType(header)
			e.Message = e.note
			return
		}
		if f.Code == "" {
			e.note = "the response is JSON of another kind than the API's"
			e.Message = e.note
			return
		}
	}
	e.Code, e.Message, e.ClientIP = f.Code, f.Message, f.ClientIP
	// Details may also be an operator's object: it stays readable in Body.
	var fields []InvalidField
	if json.Unmarshal(f.Details, &fields) == nil {
		e.Details = fields
	}
}

// mediaType names the kinds of pages that proxies send. Any other is left out, since it
// may be anything.
func mediaType(header http.Header) string {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch kind {
	case "text/html", "text/plain", "text/xml", "application/xml", "application/json", "application/octet-stream":
		return " (" + kind + ")"
	}
	return ""
}

// newError is the error of a call that came to res without success.
func newError(call *transport.Call, res *transport.Result) *Error {
	e := &Error{
		Method: call.Method, Path: call.Template,
		StatusCode: res.Status, Outcome: outcomes[res.Outcome], IdempotencyKey: call.IdempotencyKey,
		Attempts: res.Attempts, RetryAfter: res.RetryAfter, Body: res.Body, cause: res.Err, hint: res.StoppedBy,
		foreign: res.Status >= http.StatusBadRequest && res.Word == transport.NoWord,
	}
	if res.Status != 0 {
		e.RequestID = res.Header.Get("X-Request-Id")
		if res.Status >= http.StatusMultipleChoices {
			e.decodeFailure(res.Header, res.Body)
		}
	}
	return e
}

var outcomes = map[transport.Outcome]Outcome{
	transport.NotSent:  OutcomeNotSent,
	transport.Rejected: OutcomeRejected,
	transport.Unknown:  OutcomeUnknown,
}

// What to do about a refusal that decides nothing: of an earlier call, or in the
// operator's name. The usual advice in the state of an [Error] would send the caller
// round in circles: the same key gets the same refusal.
const (
	adviseConflict = "another request with this key was taken before, with other parameters, and may have been executed: " +
		"look its operation up before you pay; do not use a new key until you know that it did not happen"
	adviseBusy = "another request with this key is under way and may be executed: " +
		"call again with the same key and parameters, or look its operation up before you pay; do not use a new key"
	adviseTaken = "an earlier request about the same thing was taken, and may have been executed: look its operation up before you " +
		"pay; do not use a new key until you know what became of it"
	adviseProcessed = "a payment with this reference was taken before: look the session up by its reference before you ask " +
		"again; do not use a new key or a new reference until you know what became of it"
	adviseOperator = "the operator may have paid: look the payment up there, or ask Intram's support, before you pay again; " +
		"do not use a new key until you know"
)

// adviseDoubt is the advice of a refusal that decides nothing by its code, empty for
// other refusals.
func (e *Error) adviseDoubt() string {
	switch e.Code.word(e.StatusCode, 0) {
	case transport.KeyBusy:
		return adviseBusy
	case transport.KeyTaken:
		switch ErrorCode(strings.ToLower(string(e.Code))) {
		case CodeIdempotencyConflict:
			return adviseConflict
		case CodeTransactionIsAlreadyProcessed, CodeTransactionAlreadyRefunded:
			return adviseProcessed
		}
		return adviseTaken
	case transport.Unclear:
		return adviseOperator
	}
	return ""
}

// adviseBaseURL says what to try when a proxy, not the API, did not know the path. Some
// accounts are served at one of the two base URLs only.
func adviseBaseURL(base string) string {
	switch base {
	case BaseURL:
		return "there is no API at this address for your account: try intram.WithBaseURL(intram.BaseURLDirect)"
	case BaseURLDirect:
		return "there is no API at this address for your account: try intram.WithBaseURL(intram.BaseURL)"
	default:
		return "there is no API at this address: check the base URL's path, which ends in /v1 or /api/v1/merchant"
	}
}

// Each type that prints less than it holds has a method named shown. Its methods Format
// and LogValue, for fmt and slog, are generated from that.
//
//go:generate go -C tools run ./redacted ..

const redacted = "[redacted]"

func writeString(w io.Writer, s string) { _, _ = io.WriteString(w, s) }

// hidden returns what a type prints that shows only a part of itself.
func hidden(kind string, parts ...string) string {
	return kind + "{" + strings.Join(parts, " ") + "}"
}

// RawMessage is JSON exactly as the API sent it, so that nothing it says is lost to a
// caller who needs a field that the SDK does not know. It holds what customers typed, so
// it prints as its length only; use string(raw), or json.Unmarshal, to read it.
type RawMessage []byte

// shown returns what is printed: the length, never the content.
func (m RawMessage) shown() string { return fmt.Sprintf("RawMessage(%d bytes)", len(m)) }

// MarshalJSON implements [json.Marshaler]. An empty RawMessage is null.
func (m RawMessage) MarshalJSON() ([]byte, error) {
	if len(m) == 0 {
		return []byte("null"), nil
	}
	return wire.WithoutBOM(m), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It keeps a copy; null leaves the message
// empty.
func (m *RawMessage) UnmarshalJSON(data []byte) error {
	if wire.IsNull(data) {
		*m = nil
		return nil
	}
	*m = bytes.Clone(data)
	return nil
}

// marshalRaw is MarshalJSON for what came from the API: it goes out as it came in.
func marshalRaw(raw RawMessage, fallback any) ([]byte, error) {
	if len(raw) > 0 {
		return raw.MarshalJSON()
	}
	return json.Marshal(fallback)
}
