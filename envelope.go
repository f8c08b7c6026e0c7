package intram

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/intram/intram-go/internal/strictjson"
	"github.com/intram/intram-go/internal/transport"
)

// envelope is the frame around every successful answer (Merchant API docs, Response format). The earlier
// revision has no http_status; nothing here depends on it.
type envelope[T any] struct {
	Data   T
	Paging paging
}

// paging is the frame's part for lists.
type paging struct {
	Limit      count  `json:"limit"`
	NextBefore cursor `json:"next_before"`
}

// cursor is a date that must be readable: taking a cursor that is not for the end of the list would lose the rest.
type cursor struct{ timestamp }

func (c *cursor) UnmarshalJSON(data []byte) error {
	if err := c.timestamp.UnmarshalJSON(data); err != nil {
		return err
	}
	if c.IsZero() && !isNull(data) && string(data) != `""` {
		return errors.New("paging.next_before is not a date")
	}
	return nil
}

// answer is implemented by models that can tell an answer which lacks what makes it one. A 202 without an
// operation id is no proof that a payout was accepted.
type answer interface{ complete() error }

// decodeEnvelope reads a 2xx answer. It must have data; where the docs show none (T is json.RawMessage), it must
// say at least that nothing failed.
func decodeEnvelope[T any](body []byte) (*envelope[T], error) {
	var wire struct {
		Failed *bool     `json:"error"`
		Code   text      `json:"code"`
		Status leniently `json:"http_status"`
		Data   *T        `json:"data"`
		Paging paging    `json:"paging"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, fmt.Errorf("the answer is not the JSON that the docs describe: %w", err)
	}
	if err := strictjson.Check(body); err != nil {
		return nil, fmt.Errorf("the answer can be read in two ways: %w", err)
	}
	env := envelope[T]{Paging: wire.Paging}
	if wire.Data != nil {
		env.Data = *wire.Data
	}
	_, withoutData := any(env.Data).(json.RawMessage)
	switch {
	case wire.Failed != nil && *wire.Failed, wire.Code != "", wire.Status >= http.StatusMultipleChoices:
		return nil, errors.New("the answer says success and failure at once")
	case withoutData && wire.Failed == nil:
		return nil, errors.New("the answer does not say what was done")
	case !withoutData && wire.Data == nil:
		return nil, errors.New("the answer has no data")
	}
	if a, ok := any(&env.Data).(answer); ok {
		if err := a.complete(); err != nil {
			return nil, err
		}
	}
	return &env, nil
}

// failure is the frame of a refusal.
type failure struct {
	Code     ErrorCode       `json:"code"`
	Message  string          `json:"message"`
	Details  json.RawMessage `json:"details"`
	ClientIP string          `json:"client_ip"`
}

// readError says whether the body of an error response is the Merchant API's own word: error is true, there is a
// code, and the body's own status, when it has one, is the response's. Everything else, such as a proxy's page or a
// gateway's JSON, says nothing about what the API has done.
func readError(status int, body []byte) transport.Word {
	var own struct {
		Failed bool      `json:"error"`
		Code   ErrorCode `json:"code"`
		Status leniently `json:"http_status"`
	}
	if json.Unmarshal(body, &own) != nil || !own.Failed || strictjson.Check(body) != nil {
		return transport.NoWord
	}
	return own.Code.word(status, own.Status)
}

// word is what a refusal with this code says. stated is the status that the body names, 0 when it names none.
func (c ErrorCode) word(status int, stated leniently) transport.Word {
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

// wordOfUnknownCode reads a refusal whose code the SDK does not list. A conflict is one with an earlier request, and
// what speaks of the operator says nothing about the money. Status 0 stands for any status.
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

// leniently is a status in a body: a number, or a number in quotes. Anything else is 0, as if it were not there.
type leniently int

func (n *leniently) UnmarshalJSON(data []byte) error {
	if i, err := strconv.Atoi(strings.Trim(string(data), `"`)); err == nil {
		*n = leniently(i)
	}
	return nil
}

// decodeFailure fills e from a refusal's body. A body that is not the API's own, such as a proxy's page, leaves the
// code empty and says what it was instead.
func (e *Error) decodeFailure(header http.Header, body []byte) {
	var f failure
	if err := json.Unmarshal(body, &f); err != nil {
		// Only the code is stable: a field of another type beside it changes nothing.
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); !other {
			e.note = "the answer is not JSON" + mediaType(header)
			e.Message = e.note
			return
		}
		if f.Code == "" {
			e.note = "the answer is JSON of another kind than the API's"
			e.Message = e.note
			return
		}
	}
	e.Code, e.Message, e.ClientIP = f.Code, f.Message, f.ClientIP
	// Details may also be an operator's object: it stays readable in Body.
	var fields []FieldError
	if json.Unmarshal(f.Details, &fields) == nil {
		e.Details = fields
	}
}

// mediaType names the kinds of pages that proxies send. Any other is left out, since it may be anything.
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

// What to do about a refusal that decides nothing: of an earlier call, or in the operator's name. The usual advice in the state of an [Error] would
// send the caller round in circles: the same key gets the same refusal.
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

// adviseDoubt is the advice of a refusal that decides nothing by its code, empty for other refusals.
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

// adviseBaseURL says what to try when a proxy, not the API, did not know the path. Some accounts are
// answered at one of the two base URLs only.
func adviseBaseURL(base string) string {
	switch base {
	case BaseURL:
		return "no API answers at this address for your account: try intram.WithBaseURL(intram.BaseURLDirect)"
	case BaseURLDirect:
		return "no API answers at this address for your account: try intram.WithBaseURL(intram.BaseURL)"
	default:
		return "no API answers at this address: check the base URL's path, which ends in /v1 or /api/v1/merchant"
	}
}
