package intram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// ErrorCode is the API's stable name of a refusal or a failure. It is an error itself, so
// that one test serves whatever way it came back:
//
//	errors.Is(err, intram.CodeInsufficientBalance)
//
// holds for an [*Error] and for an [*OperationError] alike. Codes that the SDK does not
// list arrive as they are.
type ErrorCode string

// Error implements error.
func (c ErrorCode) Error() string { return string(c) }

// Codes of refused calls (Merchant API docs, Errors). The HTTP status is beside each.
const (
	CodeMissingAPIKey         ErrorCode = "missing_api_key"         // 401
	CodeInvalidAPIKey         ErrorCode = "invalid_api_key"         // 401
	CodeSignatureInvalid      ErrorCode = "signature_invalid"       // 401: the message ends with the reason
	CodeMerchantInactive      ErrorCode = "merchant_inactive"       // 403
	CodeIPAllowlistEmpty      ErrorCode = "ip_allowlist_empty"      // 403: live keys need an allowlist
	CodeIPNotAllowed          ErrorCode = "ip_not_allowed"          // 403: see Error.ClientIP
	CodeMissingIdempotencyKey ErrorCode = "missing_idempotency_key" // 400
	CodeInvalidIdempotencyKey ErrorCode = "invalid_idempotency_key" // 400
	CodeIdempotencyConflict   ErrorCode = "idempotency_conflict"    // 409: the key was used with another body; OutcomeUnknown, look that request up
	CodeIdempotencyInProgress ErrorCode = "idempotency_in_progress" // 409: a request with the key is under way; retried with the same key
	CodeValidationError       ErrorCode = "validation_error"        // 400: Details names the fields; the SDK's own checks use it too
	CodeInvalidBody           ErrorCode = "invalid_body"            // 400
	CodeMissingInvoice        ErrorCode = "missing_invoice"         // 400
	CodeUnknownCurrency       ErrorCode = "unknown_currency"        // 400
	CodeAmountTooSmall        ErrorCode = "amount_too_small"        // 400
	CodeAmountTooLarge        ErrorCode = "amount_too_large"        // 400
	CodeTransactionNotFound   ErrorCode = "transaction_not_found"   // 404: unknown, another merchant's or the other environment's
	CodeOperationNotFound     ErrorCode = "operation_not_found"     // 404: likewise
	CodeNotRefundable         ErrorCode = "not_refundable"          // 400, or on the operation
	CodeInternalError         ErrorCode = "internal_error"          // 500: retried with the same key
	CodeAuthError             ErrorCode = "auth_error"              // 500
	CodeIdempotencyError      ErrorCode = "idempotency_error"       // 500: retried with the same key
)

// Codes of failed operations (Merchant API docs, Errors). They come with an
// [*OperationError].
const (
	CodeInsufficientBalance      ErrorCode = "insufficient_balance"
	CodeMerchantWalletMissing    ErrorCode = "merchant_wallet_missing"
	CodeProviderRejected         ErrorCode = "provider_rejected"    // Details has the operator's own code
	CodeProviderUnavailable      ErrorCode = "provider_unavailable" // OutcomeUnknown: the operator may have paid
	CodeProviderError            ErrorCode = "provider_error"       // OutcomeUnknown: the operator may have paid
	CodeMissingProviderCode      ErrorCode = "missing_provider_code"
	CodeAmountExceedsTransaction ErrorCode = "amount_exceeds_transaction"
	CodeTransactionNotSettled    ErrorCode = "transaction_not_settled"
	CodeStripeUnavailable        ErrorCode = "stripe_unavailable" // OutcomeUnknown
	CodeUnsupportedPaymentMethod ErrorCode = "unsupported_payment_method"
)

// Codes of payin sessions (Payin docs, Errors).
const (
	CodeAPITokenInvalid               ErrorCode = "api_token_invalid"                // 403
	CodeTransactionError              ErrorCode = "transaction_error"                // 403
	CodeTransactionNotRefundable      ErrorCode = "transaction_not_refundable"       // 403
	CodeTransactionNotProcessed       ErrorCode = "transaction_not_processed"        // 403
	CodeWalletNotEnoughCash           ErrorCode = "wallet_not_enough_cash"           // 403
	CodeWalletShouldBeDifferent       ErrorCode = "wallet_should_be_different"       // 403
	CodeClientKYCNotApproved          ErrorCode = "client_kyc_not_approved"          // 403
	CodeClientNotEnoughCash           ErrorCode = "client_not_enough_cash"           // 403, or as a session's failure
	CodeTransactionOTPRequired        ErrorCode = "transaction_otp_required"         // 403
	CodeTransactionGreaterThanZero    ErrorCode = "transaction_greater_than_zero"    // 403
	CodeAPITokenNotFound              ErrorCode = "api_token_not_found"              //nolint:gosec // 404; a word, not a token
	CodeWalletNotFound                ErrorCode = "wallet_not_found"                 // 404
	CodeClientNotFound                ErrorCode = "client_not_found"                 // 404
	CodeCountryNotFound               ErrorCode = "country_not_found"                // 404
	CodeProviderNotFound              ErrorCode = "provider_not_found"               // 404
	CodeTransactionDoesNotExist       ErrorCode = "transaction_does_not_exist"       // 404
	CodeTransactionIsAlreadyProcessed ErrorCode = "transaction_is_already_processed" // 409: OutcomeUnknown, look the session up
	CodeTransactionAlreadyRefunded    ErrorCode = "transaction_already_refunded"     // 409
)

// refusalCodes are the codes whose refusal of a call decides that this call did nothing.
var refusalCodes = map[ErrorCode]bool{
	CodeMissingAPIKey: true, CodeInvalidAPIKey: true, CodeSignatureInvalid: true, CodeMerchantInactive: true,
	CodeIPAllowlistEmpty: true, CodeIPNotAllowed: true, CodeMissingIdempotencyKey: true,
	CodeInvalidIdempotencyKey: true, CodeValidationError: true, CodeInvalidBody: true, CodeMissingInvoice: true,
	CodeUnknownCurrency: true, CodeAmountTooSmall: true, CodeAmountTooLarge: true, CodeTransactionNotFound: true,
	CodeOperationNotFound: true, CodeNotRefundable: true, CodeAuthError: true, CodeAPITokenInvalid: true,
	CodeTransactionError: true, CodeTransactionNotRefundable: true, CodeTransactionNotProcessed: true,
	CodeWalletNotEnoughCash: true, CodeWalletShouldBeDifferent: true, CodeClientKYCNotApproved: true,
	CodeClientNotEnoughCash: true, CodeTransactionOTPRequired: true, CodeTransactionGreaterThanZero: true,
	CodeAPITokenNotFound: true, CodeWalletNotFound: true, CodeClientNotFound: true, CodeCountryNotFound: true,
	CodeProviderNotFound: true, CodeTransactionDoesNotExist: true, CodeInsufficientBalance: true,
	CodeMerchantWalletMissing: true, CodeProviderRejected: true, CodeMissingProviderCode: true,
	CodeAmountExceedsTransaction: true, CodeTransactionNotSettled: true, CodeUnsupportedPaymentMethod: true,
}

// CodeOperationExpired is the SDK's own code for an operation that ended as
// [OperationExpired] without saying why. Its outcome is [OutcomeUnknown].
const CodeOperationExpired ErrorCode = "operation_expired"

// CodeResultFailed is the SDK's own code for an operation that succeeded with a result
// that says failed, without saying why: a bank payout that the bank returned, a refund
// that its operator refused after it was pending.
const CodeResultFailed ErrorCode = "result_failed"

// Outcome says, after a failed call, whether the money may have moved.
type Outcome string

// The outcomes of a call, over all of its attempts, and over the calls of the same client
// before it that left the same key in doubt. A program that was restarted remembers those
// by an [Intent]; without one, a doubt that it has written down stands until a call with
// the key succeeds, or is [OutcomeRejected] by a replayed response ([Response.Replayed]).
const (
	// OutcomeNotSent: nothing left this machine. No money moved.
	OutcomeNotSent Outcome = "not_sent"
	// OutcomeRejected: the API refused in its own words, and no attempt is in doubt. No
	// money moved. Correct the request, and use a new idempotency key.
	//
	// Only the API's own error object decides. A page, a gateway's JSON or
	// {"error":false} with any 4xx status may come after the work was done, and is
	// OutcomeUnknown. Without the API's words only 407, 414, 421, 429 and 431 are
	// OutcomeRejected: they cannot come after the work.
	OutcomeRejected Outcome = "rejected"
	// OutcomeUnknown: the API may have executed the call. Call again with the same
	// idempotency key and the same parameters within 24 hours, or look the operation up,
	// before doing anything else.
	//
	// It is also the outcome of a refusal that speaks of an earlier request:
	// [CodeIdempotencyConflict], [CodeIdempotencyInProgress],
	// [CodeTransactionIsAlreadyProcessed]. That request was taken. Look it up before you
	// pay, and do not use a new key. And it is that of a refusal in the operator's name,
	// with the codes that leave a failed operation open: [CodeProviderError],
	// [CodeProviderUnavailable], [CodeStripeUnavailable] and an expiry. A code that the
	// SDK does not list is read by its status and its words: 409, "already" and
	// "duplicate" speak of an earlier request, provider_, operator_, stripe_ and
	// "timeout" of the operator.
	OutcomeUnknown Outcome = "unknown"
)

// OutcomeOf says what err leaves open: may the money have moved? It looks through
// wrapping, and where several errors were joined, the one that leaves most open decides.
//
//   - a call's [*Error] has its own outcome;
//   - an [*OperationError] is [OutcomeRejected] when its code says that nothing moved,
//     such as [CodeInsufficientBalance] and [CodeProviderRejected]. It is
//     [OutcomeUnknown] for [CodeProviderError], [CodeProviderUnavailable],
//     [CodeStripeUnavailable], an expired operation and any code that is not known: the
//     operator may have paid before it failed to say so;
//   - an error of a constructor, such as [NewClient] or [DeriveIdempotencyKey], is
//     [OutcomeNotSent];
//   - a [*WaitError] is [OutcomeUnknown]: the operation was accepted, and may yet
//     succeed;
//   - a [*CannotTellError] is [OutcomeUnknown];
//   - any other error is [OutcomeUnknown], since nothing is known about it, as is one
//     that wraps itself or whose methods panic;
//   - nil has the empty outcome: nothing failed.
func OutcomeOf(err error) (outcome Outcome) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil { // a method of err panicked, such as that of a nil pointer
			outcome = OutcomeUnknown
		}
	}()
	if endless(err) {
		return OutcomeUnknown
	}
	if outcome := outcomeWithin(err); outcome != "" {
		return outcome
	}
	return OutcomeUnknown
}

// mostErrors is how many errors may be wrapped in one. More is one that wraps itself.
const mostErrors = 100_000

// endless reports whether err wraps itself: [errors.Is] would not return.
func endless(err error) bool {
	left := mostErrors
	return !countErrors(err, &left)
}

func countErrors(err error, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	switch e := err.(type) { //nolint:errorlint // this is the walk that errors.Is would make
	case interface{ Unwrap() error }:
		return countErrors(e.Unwrap(), left)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !countErrors(one, left) {
				return false
			}
		}
	}
	return true
}

// outcomeWithin is the outcome of the SDK's errors in err, empty when there are none.
func outcomeWithin(err error) Outcome {
	switch e := err.(type) { //nolint:errorlint // this is the walk that errors.As would make, over all branches
	case *WaitError, *CannotTellError:
		return OutcomeUnknown
	case notSentError:
		return OutcomeNotSent
	case *OperationError:
		return e.outcome()
	case *Error:
		if e != nil && (e.Outcome == OutcomeNotSent || e.Outcome == OutcomeRejected) {
			return e.Outcome
		}
		return OutcomeUnknown
	case interface{ Unwrap() error }:
		return outcomeWithin(e.Unwrap())
	case interface{ Unwrap() []error }:
		var most Outcome
		for _, one := range e.Unwrap() {
			if outcome := outcomeWithin(one); outcome.leavesMoreOpen(most) {
				most = outcome
			}
		}
		return most
	}
	return ""
}

// notSentError is an error of a constructor: it comes before any call.
type notSentError struct{ error }

func (e notSentError) Unwrap() error { return e.error }

// markNotSent makes *err the error of a constructor, if there is one.
func markNotSent(err *error) {
	if *err != nil {
		*err = notSentError{*err}
	}
}

// leavesMoreOpen orders the outcomes by what they leave open.
func (o Outcome) leavesMoreOpen(than Outcome) bool {
	order := []Outcome{"", OutcomeNotSent, OutcomeRejected, OutcomeUnknown}
	return slices.Index(order, o) > slices.Index(order, than)
}

// InvalidField names a parameter that was refused, as the docs name it
// (destination.msisdn), and says what is expected of it.
type InvalidField struct {
	Path string `json:"path"`
	Msg  string `json:"msg"`
}

// Error is a call that the API refused, that got no response, or that the SDK refused to
// send. Every method of the services returns it; get at it with [errors.As], or test for
// one code with [errors.Is].
//
// Its text is one line without secrets or personal data, whatever the verb. It is chosen
// by origin: the code, the status, the names of fields and the SDK's own words are in it,
// the API's sentence is not. Message, Details and Body hold the API's words whole, and
// with them what your customer typed: do not log those.
type Error struct {
	// Method and Path say which call it was. Path has placeholders for ids:
	// /operations/{id}.
	Method, Path string
	// StatusCode is the HTTP status of the last response, 0 when none came.
	StatusCode int
	// Code is the API's code, empty when the response had none (a proxy's page, no
	// response at all).
	Code ErrorCode
	// Message is for people, and changes without notice.
	Message string
	// Details names the fields of a [CodeValidationError].
	Details []InvalidField
	// ClientIP is the address the API saw, with [CodeIPNotAllowed].
	ClientIP string
	// Outcome says whether the money may have moved, over all attempts of the call.
	Outcome Outcome
	// IdempotencyKey is the key that all attempts carried, yours or a generated one.
	// Calling again with it and the same parameters is safe for 24 hours. Empty for calls
	// without one.
	IdempotencyKey string
	// Reference is the payin session's, given or generated: what to look it up by. Empty
	// for other calls.
	Reference string
	// Attempts is how many times the request was tried.
	Attempts int
	// RequestID is the server's X-Request-Id, when it sends one.
	RequestID string
	// RetryAfter is how long the server asked to wait, when it did.
	RetryAfter time.Duration
	// Body is the last response, as it came.
	Body []byte

	foreign bool // the last response is an error, and not in the API's own words

	cause error  // the network error, the context's error or the decoding error behind it
	note  string // what the SDK found out about a response that is not the API's
	hint  string // what to do next
}

// Error implements error: one line that says what failed, whether money may have moved,
// and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("intram: ")
	if e.Method != "" {
		fmt.Fprintf(&b, "%s %s: ", e.Method, e.Path)
	}
	switch {
	case e.Code != "" && e.StatusCode != 0:
		fmt.Fprintf(&b, "%s (HTTP %d)", redact.Code(string(e.Code)), e.StatusCode)
	case e.Code != "":
		b.WriteString(redact.Code(string(e.Code)))
	case e.StatusCode != 0:
		fmt.Fprintf(&b, "HTTP %d", e.StatusCode)
	case errors.Is(e.cause, ErrNeverSent):
		b.WriteString("not sent")
	default:
		b.WriteString("no response")
	}
	if text := e.explanation(); text != "" {
		b.WriteString(": " + text)
	}
	if e.cause != nil {
		b.WriteString(": " + causeText(e.cause))
	}
	b.WriteString(e.state())
	if e.hint != "" {
		b.WriteString("; " + e.hint)
	}
	return b.String()
}

// explanation is what is known of the refusal, in the SDK's own words.
func (e *Error) explanation() string {
	switch {
	case len(e.Details) > 0:
		fields := make([]string, 0, len(e.Details))
		separator := ", "
		for _, d := range e.Details {
			if e.StatusCode == 0 { // the SDK's own check, whose message names the field and holds nothing of the caller's
				fields, separator = append(fields, d.Msg), "; "
				continue
			}
			fields = append(fields, redact.Path(d.Path))
		}
		return strings.Join(fields, separator)
	case e.StatusCode == 0:
		return ""
	case e.note != "":
		return e.note
	case e.foreign: // a code that is not the API's word has not the API's meaning
		return ""
	case e.Code == CodeSignatureInvalid:
		return signatureReason(e.Message)
	case e.Code == CodeIPNotAllowed:
		// The address is that of the merchant's own server, and what has to be put on the
		// list.
		if ip, err := netip.ParseAddr(e.ClientIP); err == nil {
			return "the API sees your server at " + ip.WithZone("").String() + ": add that to the allowlist of the account"
		}
	}
	return explain(e.Code, e.Message)
}

// state is the part of the text that a caller acts on.
func (e *Error) state() string {
	var parts []string
	if e.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", e.Attempts))
	}
	switch e.Outcome {
	case OutcomeNotSent:
		parts = append(parts, "nothing was sent")
	case OutcomeUnknown:
		switch {
		case errors.Is(e.cause, ErrIntentExpired):
			parts = append(parts, "it may have been executed: do not send this key again")
		case e.IdempotencyKey != "" && e.adviseDoubt() == "" && e.hint != changedInDoubt:
			parts = append(parts, "it may have been executed: call again with the same idempotency key and parameters")
		}
	case OutcomeRejected:
	}
	// A key that was made for a call which the SDK then refused was carried by none.
	refused := e.StatusCode == 0 && e.Code == CodeValidationError && e.Outcome == OutcomeNotSent
	if e.IdempotencyKey != "" && !refused {
		parts = append(parts, "idempotency key "+e.IdempotencyKey)
	}
	if len(parts) == 0 {
		return ""
	}
	return " [" + strings.Join(parts, "; ") + "]"
}

// Format implements [fmt.Formatter]: every verb prints what Error returns, and so never
// the body.
func (e *Error) Format(f fmt.State, _ rune) { writeString(f, e.Error()) }

// Is reports whether target is this error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(ErrorCode)
	return ok && e.Code != "" && code == e.Code
}

// Unwrap returns what is behind a call without a response: a network error, or the
// context's.
func (e *Error) Unwrap() error { return e.cause }

// OperationError is an operation that ended, and failed. What was debited has been
// credited back (Merchant API docs, Payouts). Whether the receiver was paid all the same
// depends on the code: [OutcomeOf] says so. After [CodeProviderError],
// [CodeProviderUnavailable], [CodeStripeUnavailable] or an expiry it is not known, since
// network errors towards the operator end as these: look the payment up with the
// operator, or ask Intram's support, before you pay again.
type OperationError struct {
	OperationID string
	// Code is why, such as [CodeInsufficientBalance].
	Code ErrorCode
	// Message is for people, and changes without notice.
	Message string
	// Details is what the operator said, with [CodeProviderRejected].
	Details ProviderResponse
	// Operation is the whole operation, as last seen.
	Operation *Operation
}

// Error implements error: one line, without personal data. The API's sentence is in
// Message only.
func (e *OperationError) Error() string {
	s := fmt.Sprintf("intram: operation %s failed: %s", scrubID(e.OperationID), redact.Code(string(e.Code)))
	if text := explain(e.Code, e.Message); text != "" {
		s += ": " + text
	}
	if e.Details.ResponseCode != "" {
		s += " (operator's code " + redact.OperatorCode(e.Details.ResponseCode) + ")"
	}
	if e.OperationID != "" && e.outcome() == OutcomeUnknown {
		s += " [the operator may have paid: look it up there before you pay again]"
	}
	return s
}

// nothingMoved are the codes of failed operations that say that no money reached anyone.
var nothingMoved = map[ErrorCode]bool{
	CodeInsufficientBalance: true, CodeMerchantWalletMissing: true, CodeProviderRejected: true, CodeMissingProviderCode: true,
	CodeAmountExceedsTransaction: true, CodeTransactionNotSettled: true, CodeNotRefundable: true, CodeUnsupportedPaymentMethod: true,
	// The result says that the money came back, or was refused.
	CodeResultFailed: true,
	// Refusals of calls, in case the worker finds what the call did not.
	CodeValidationError: true, CodeInvalidBody: true, CodeMissingInvoice: true, CodeUnknownCurrency: true, CodeAmountTooSmall: true,
	CodeAmountTooLarge: true, CodeTransactionNotFound: true, CodeMerchantInactive: true,
}

// outcome says whether the money may have moved although the operation failed.
func (e *OperationError) outcome() Outcome {
	expired := e != nil && e.Operation != nil && e.Operation.Status == OperationExpired
	if e == nil || expired || !nothingMoved[e.Code] {
		return OutcomeUnknown
	}
	return OutcomeRejected
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e *OperationError) Format(f fmt.State, _ rune) { writeString(f, e.Error()) }

// Is reports whether target is this error's code.
func (e *OperationError) Is(target error) bool {
	code, ok := target.(ErrorCode)
	return ok && e.Code != "" && code == e.Code
}

// UnmarshalJSON reads the error of an operation: code, message, details. What has another
// kind describes as well as it can: a string is the message, and anything else is kept in
// Details.Raw.
func (e *OperationError) UnmarshalJSON(data []byte) error {
	*e = OperationError{}
	var w struct {
		Code    wire.Text        `json:"code"`
		Message wire.Text        `json:"message"`
		Details ProviderResponse `json:"details"`
	}
	switch wire.FirstByte(data) {
	case '{':
		if err := wire.Unmarshal(data, &w); err != nil {
			return err
		}
		e.Code, e.Message, e.Details = ErrorCode(w.Code), string(w.Message), w.Details
	case '"':
		return wire.UnmarshalString(data, &e.Message)
	default:
		if value := string(bytes.TrimSpace(data)); value != "false" && value != "0" && value != "[]" {
			return e.Details.Raw.UnmarshalJSON(data)
		}
	}
	return nil
}

// orNil is nil for an error that says nothing, as "error": false and "error": {} do.
func (e *OperationError) orNil() *OperationError {
	if e == nil || e.Code == "" && e.Message == "" && e.Details.isZero() {
		return nil
	}
	return e
}

// WaitError is a wait that ended before what it waited for did: the context ended, the
// maximum wait passed, or the API refused to say more. It says nothing about the money:
// the operation may still succeed or fail. Wait again with the same id, whenever you
// like.
//
// When time was up, errors.Is(err, context.DeadlineExceeded) holds.
type WaitError struct {
	// ID is what was waited for: an operation's id, or the reference of a transaction or
	// a payin session.
	ID string
	// Operation is what was last seen of the operation: its id, type, status,
	// environment, attempts and date. Payload and Raw are not kept while a wait lasts. It
	// is nil when it was never seen or when a transaction was waited for.
	Operation *Operation
	// Transaction is the transaction as last seen, when one was waited for.
	Transaction *Transaction
	// Payin is the payin session as last seen, when one was waited for.
	Payin *Payin
	// Err is why the wait ended.
	Err error
}

// Error implements error.
func (e *WaitError) Error() string {
	status := "it was never seen"
	switch {
	case e.Operation != nil:
		status = "last seen " + redact.Word(string(e.Operation.Status))
	case e.Transaction != nil:
		status = "last seen " + redact.Word(string(e.Transaction.Status))
	case e.Payin != nil:
		status = "last seen " + string(e.Payin.Outcome())
	}
	advice := "wait again with the same id"
	if errors.Is(e.Err, CodeOperationNotFound) || errors.Is(e.Err, CodeTransactionNotFound) || errors.Is(e.Err, CodeTransactionDoesNotExist) {
		advice = "check the id, and that the client's keys are of its merchant and environment"
	}
	text := fmt.Sprintf("intram: wait for %s ended before it finished (%s; %s)", scrubID(e.ID), status, advice)
	if e.Err != nil {
		text += ": " + causeText(e.Err)
	}
	return text
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e *WaitError) Format(f fmt.State, _ rune) { writeString(f, e.Error()) }

// Unwrap returns why the wait ended.
func (e *WaitError) Unwrap() error { return e.Err }

// maxWaitError is why a wait ended that had as long as it asked for.
type maxWaitError struct {
	after time.Duration
	// lookup is why the last lookup failed, nil when it did not.
	lookup error
}

func (e maxWaitError) Error() string {
	text := fmt.Sprintf("the maximum wait of %v has passed", e.after)
	if e.lookup != nil {
		text += "; the last lookup failed: " + causeText(e.lookup)
	}
	return text
}

func (e maxWaitError) Unwrap() []error {
	if e.lookup != nil {
		return []error{context.DeadlineExceeded, e.lookup}
	}
	return []error{context.DeadlineExceeded}
}

// endedError is a context that ended, with the cause that its owner gave.
type endedError struct{ err, cause error }

func (e endedError) Error() string   { return e.err.Error() }
func (e endedError) Unwrap() []error { return []error{e.err, e.cause} }

// whyEnded returns the error of a context that has ended, joined with its cause
// (context.Cause). A cause that is an error of another call stays out, and
// [context.Cause] still has it: where several calls share a context that the first
// failure cancels, that failure's code would pass for this call's.
func whyEnded(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) || outcomeWithin(cause) != "" {
		return err
	}
	if _, code := errors.AsType[ErrorCode](cause); code {
		return err
	}
	return endedError{err, cause}
}

// ownWordsError is an error that the SDK made. Its text is shown, but for what it wraps.
type ownWordsError struct{ error }

func (e ownWordsError) Unwrap() error { return e.error }

// OwnText is how the error is shown.
func (e ownWordsError) OwnText() string { return redact.Words(e.error) }

// causeText describes what is behind an error: the SDK's own words, and the kinds of
// errors that Go's network has. Any other text may repeat what a server sent, and is not
// shown.
func causeText(err error) string {
	return strings.ReplaceAll(redact.Cause(err, func(one error) (string, bool) {
		switch e := one.(type) { //nolint:errorlint // redact walks
		case *Error, *OperationError, *WaitError, *CannotTellError, *ItemError:
			return one.Error(), true
		case ErrorCode:
			return redact.Code(string(e)), true
		case endedError:
			return causeText(e.err), true
		case maxWaitError:
			return e.Error(), true
		}
		return "", false
	}), "intram: ", "") // which the text that it goes into begins with
}

// within is an error that another one of the SDK's names: its text without the name of
// the SDK, which that begins with.
func within(err error) error {
	if text, own := strings.CutPrefix(err.Error(), "intram: "); own {
		return innerError{text, err}
	}
	return err
}

type innerError struct {
	text string
	err  error
}

func (e innerError) Error() string { return e.text }
func (e innerError) Unwrap() error { return e.err }

// ErrUnexpectedResult is behind the error of a typed Wait whose operation succeeded with
// another kind of result: a refund's id given to Payouts.Wait, or a result that the SDK
// cannot read. It is behind the error of any wait when the result of a payout or a refund
// has a status that the SDK does not know: that is never taken for paid. Operations.Get
// shows the operation whole.
var ErrUnexpectedResult = redact.Sentinel("intram: the operation succeeded with another kind of result")

// scrubID keeps an id readable: ids are the API's, not the customer's. Only its shape is
// checked, and whether it is a number that someone took for an id.
func scrubID(id string) string {
	if len(id) > 6 && allOf(id, isDigit) {
		return redact.Number(id)
	}
	if len(id) > 64 || !allOf(id, func(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("_-.:", c) >= 0 }) {
		return "[malformed id]"
	}
	return id
}

// explanations are the SDK's own words on the API's codes: what is wrong, and what to do.
// The API's sentence may name a customer, and is not shown.
var explanations = map[ErrorCode]string{
	CodeMissingAPIKey:            "the public key did not arrive: look for a proxy that drops headers",
	CodeInvalidAPIKey:            "the API does not know the public key, or it was replaced",
	CodeMerchantInactive:         "the merchant account is not active: ask Intram",
	CodeIPAllowlistEmpty:         "live keys need an allowlist of addresses: add your server's in the portal",
	CodeIPNotAllowed:             "your server's address is not on the allowlist of the account: see Error.ClientIP",
	CodeMissingIdempotencyKey:    "the idempotency key did not arrive: look for a proxy that drops headers",
	CodeInvalidIdempotencyKey:    "the API takes keys of 8 to 128 letters, digits, - and _",
	CodeInvalidBody:              "the API could not read the body: look for a proxy that rewrites it",
	CodeMissingInvoice:           "the payment request has no invoice",
	CodeUnknownCurrency:          "the API does not know the currency",
	CodeAmountTooSmall:           "the amount is below what the API takes",
	CodeAmountTooLarge:           "the amount is above what the API takes",
	CodeTransactionNotFound:      "there is none of this reference with this merchant and in this environment",
	CodeOperationNotFound:        "there is none of this id with this merchant and in this environment",
	CodeNotRefundable:            "this transaction cannot be refunded",
	CodeInternalError:            "the API failed",
	CodeAuthError:                "the API failed to check the credentials",
	CodeIdempotencyError:         "the API failed to look the idempotency key up",
	CodeInsufficientBalance:      "the merchant's wallet has too little",
	CodeMerchantWalletMissing:    "the merchant has no wallet in this currency",
	CodeProviderRejected:         "the operator refused: see OperationError.Details",
	CodeProviderUnavailable:      "the operator could not be reached",
	CodeProviderError:            "the operator failed",
	CodeMissingProviderCode:      "the destination names no operator",
	CodeAmountExceedsTransaction: "the refund is larger than what is left of the transaction",
	CodeTransactionNotSettled:    "the transaction is not settled yet",
	CodeStripeUnavailable:        "card payments could not be reached",
	CodeUnsupportedPaymentMethod: "the payment method is not supported",
	CodeResultFailed:             "the bank returned the payment, or the operator refused it",
	CodeOperationExpired:         "the operator never said how it ended",
}

// Explanation says what the code means, in the SDK's own words: without a customer's
// data, for a report. It is "" for codes that the SDK does not explain.
func (c ErrorCode) Explanation() string { return explanations[c] }

// explain says what a code means. A code without an explanation has the API's sentence
// alone, which is where it was.
func explain(code ErrorCode, message string) string {
	if text := explanations[code]; text != "" {
		return text
	}
	if message != "" {
		return "the API's own words are in Message"
	}
	return ""
}

// signatureReasons are the reasons of [CodeSignatureInvalid] (Merchant API docs, Errors),
// which its message ends with.
var signatureReasons = map[string]string{
	"missing_signature":        "look for a proxy that drops headers",
	"missing_timestamp":        "look for a proxy that drops headers",
	"invalid_timestamp_format": "look for a proxy that rewrites headers",
	"timestamp_out_of_window":  "this machine's clock is more than 5 minutes off",
	"signature_mismatch":       "check that the secret key belongs to the public key, and that nothing rewrites path, query or body",
}

// signatureReason shows the reason when it is one of those that the API documents.
func signatureReason(message string) string {
	reason := signatureWord(message)
	if advice := signatureReasons[reason]; advice != "" {
		return reason + ": " + advice
	}
	return explain(CodeSignatureInvalid, message)
}

// signatureWord is the reason that a refused signature's message ends with.
func signatureWord(message string) string { return message[strings.LastIndexAny(message, ": ")+1:] }
