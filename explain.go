package intram

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/intram/intram-go/internal/phrases"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/transport"
)

// Language is a language of [Explain].
type Language string

// The languages of [Explain].
const (
	English Language = "en"
	French  Language = "fr"
)

// Explain says what err means to a merchant's operator, who pays and refunds and reads no
// code: what became of the money, which always comes first, then why, and what to do. Any
// language but [French] is English.
//
//	log.Print(err)                                  // for the developer and for Intram's support
//	page.Notice = intram.Explain(err, intram.French) // for the person at the screen
//
// It explains the errors of this package, wrapped or joined: where there are several, the
// one that leaves most open ([OutcomeOf]). While the money may have moved, it never
// advises another payment or a new idempotency key. An [ErrorCode] by itself is explained
// without a word on the money, for a list of codes. A code or an error that the SDK does
// not know is said to be unknown. For nil it is "".
//
// It contains no id, number, name or secret. Of the API's words only the code, the names
// of refused parameters and, with [CodeIPNotAllowed], your server's address are in it.
// The sentences may change with any version: do not compare them.
func Explain(err error, language Language) (text string) {
	if err == nil {
		return ""
	}
	e := explainer{phrases.In(string(language))}
	defer func() {
		if recover() != nil { // a method of err panicked, such as that of a nil pointer
			text = e.Respace(e.unknown())
		}
	}()
	return e.Respace(e.explain(err))
}

// explainer writes what Explain returns.
type explainer struct{ *phrases.Catalogue }

// joinSentences joins those sentences that are not empty.
func joinSentences(texts ...string) string {
	said := texts[:0]
	for _, text := range texts {
		if text != "" {
			said = append(said, text)
		}
	}
	return strings.Join(said, " ")
}

func (x explainer) explain(err error) string {
	if code, bare := err.(ErrorCode); bare && code != "" { //nolint:errorlint // a code by itself, and none that an error of a call wraps
		why := x.why(code)
		return joinSentences(why.Why, why.Do)
	}
	if endless(err) {
		return x.unknown()
	}
	switch e := decisive(err).(type) { //nolint:errorlint // decisive has unwrapped
	case *Error:
		if e != nil {
			return x.call(e)
		}
	case *OperationError:
		if e != nil {
			return x.operation(e)
		}
	case *WaitError:
		if e != nil {
			return x.wait(e)
		}
	case *CannotTellError:
		if e != nil {
			return x.cannotTell(e)
		}
	case notSentError:
		reason := x.Reasons["settings"]
		if known, ok := x.sentinel(e); ok {
			reason = known
		}
		return joinSentences(x.Fate("not_sent", ""), reason.Why, reason.Do)
	case nil:
		if reason, ok := x.sentinel(err); ok { // of a delivery or a text: no call was made
			return joinSentences(reason.Why, reason.Do)
		}
		if reason, ok := x.network(err); ok {
			return joinSentences(x.Fate("unknown", ""), reason.Why, reason.Do)
		}
	}
	return x.unknown()
}

// unknown explains an error that the SDK does not know.
func (x explainer) unknown() string {
	reason := x.Reasons["unknown_error"]
	return joinSentences(x.Fate("unknown", ""), reason.Why, reason.Do)
}

// decisive returns the error in err that decides its outcome, nil when there is none of
// the SDK's calls.
func decisive(err error) error {
	switch e := err.(type) { //nolint:errorlint // this is the walk that errors.As would make, over all branches
	case *WaitError, *CannotTellError, *OperationError, *Error, notSentError:
		return err
	case interface{ Unwrap() error }:
		return decisive(e.Unwrap())
	case interface{ Unwrap() []error }:
		var most error
		for _, one := range e.Unwrap() {
			if found := decisive(one); found != nil && (most == nil || moreDecisive(found, most)) {
				most = found
			}
		}
		return most
	}
	return nil
}

// moreDecisive reports whether an error leaves more open than another. A call that moves
// no money gives way to one that may have.
func moreDecisive(err, than error) bool {
	a, b := OutcomeOf(err), OutcomeOf(than)
	return a.leavesMoreOpen(b) || a == b && movesNothing(than) && !movesNothing(err)
}

// movesNothing reports whether an error is of a call that cannot move money.
func movesNothing(err error) bool {
	e, ok := err.(*Error) //nolint:errorlint // decisive has unwrapped
	if !ok || e == nil {
		return false
	}
	asked := subjectOf(e.Method, e.Path)
	return asked == askedLookup || asked == askedSettings
}

// call explains a call that was refused or got no response.
func (x explainer) call(e *Error) string {
	asked := subjectOf(e.Method, e.Path)
	outcome := OutcomeOf(e)
	fate := x.Fate(string(outcome), asked)
	reason := x.reasonOf(e)
	if outcome != OutcomeUnknown {
		return joinSentences(fate, reason.Why, reason.Do)
	}
	if reason.Do == "" || !reason.Safe {
		reason.Do = x.afterDoubt(e, asked)
	}
	return joinSentences(fate, reason.Why, reason.Do)
}

// afterDoubt says what to do about a call that may have been executed.
func (x explainer) afterDoubt(e *Error, asked string) string {
	switch asked {
	case askedPayin:
		return x.Reasons["by_reference"].Do
	case askedLookup:
		return x.Reasons["ask_again_later"].Do
	case askedSettings:
		return ""
	}
	switch {
	case errors.Is(e.cause, ErrIntentExpired):
		return x.Reasons["intent_expired"].Do
	case e.adviseDoubt() == adviseOperator:
		return x.Reasons["ask_operator"].Do
	case e.IdempotencyKey == "" || e.adviseDoubt() != "":
		return x.Reasons["look_up"].Do
	}
	return x.Reasons["same_key"].Do
}

// What a call asked for, as the fates are named.
const (
	askedPayout         = "payout"
	askedRefund         = "refund"
	askedPaymentRequest = "payment_request"
	askedTransaction    = "transaction"
	askedPayin          = "payin"
	askedLookup         = "lookup"
	askedSettings       = "settings"
)

// subjectOf tells what a call asks for by its method and path. A call that is not known
// may move money.
func subjectOf(method, path string) string {
	switch path, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); {
	case method == http.MethodGet:
		return askedLookup
	case path == "webhooks":
		return askedSettings
	case path == "payouts":
		return askedPayout
	case path == "refunds":
		return askedRefund
	case path == "payment-requests":
		return askedPaymentRequest
	}
	if strings.HasPrefix(path, "/v1/payin/") {
		return askedPayin
	}
	return ""
}

// reasonOf says why a call failed, from what is most certain to what is least.
func (x explainer) reasonOf(e *Error) phrases.Reason {
	if reason, ok := x.sentinel(e.cause); ok {
		return reason
	}
	switch {
	case len(e.Details) > 0 && !e.foreign:
		return x.fields(e)
	case e.StatusCode == 0 && e.Code == CodeValidationError:
		return x.Reasons["settings"]
	case e.StatusCode == http.StatusTooManyRequests && (e.foreign || e.Code == ""):
		return x.Reasons["too_many"]
	case e.foreign || e.Code == "" && e.StatusCode >= http.StatusMultipleChoices:
		reason := x.Reasons["intermediary"]
		reason.Why = fmt.Sprintf(reason.Why, e.StatusCode)
		return reason
	case e.Code == CodeSignatureInvalid:
		reason := x.why(e.Code)
		if text, ok := x.Signatures[signatureWord(e.Message)]; ok {
			reason.Why = text
		}
		return reason
	case e.Code == CodeIPNotAllowed:
		return x.address(e)
	case e.Code != "":
		return x.why(e.Code)
	}
	if reason, ok := x.network(e.cause); ok {
		return reason
	}
	if e.StatusCode != 0 {
		return x.Reasons["unreadable"]
	}
	return x.Reasons["network"]
}

// why is the sentences about a code. An unknown code is shown if it has a code's form.
func (x explainer) why(code ErrorCode) phrases.Reason {
	if code == "" {
		return phrases.Reason{}
	}
	reason, ok := x.Codes[strings.ToLower(string(code))]
	if !ok {
		reason = x.Reasons["unknown_code"]
		reason.Why = fmt.Sprintf(reason.Why, redact.Code(string(code)))
	}
	return reason
}

// address adds the address that the API saw, which is that of the merchant's own server.
func (x explainer) address(e *Error) phrases.Reason {
	reason := x.why(e.Code)
	if ip, err := netip.ParseAddr(e.ClientIP); err == nil {
		reason.Why = strings.TrimSuffix(reason.Why, ".") + " (" + ip.WithZone("").String() + ")."
	}
	return reason
}

var optionName = regexp.MustCompile(`^With[A-Za-z]+$`)

// fields names the parameters that were refused.
func (x explainer) fields(e *Error) phrases.Reason {
	const shown = 5
	var names []string
	for _, d := range e.Details {
		path := redact.Path(d.Path)
		if e.StatusCode == 0 && optionName.MatchString(d.Path) {
			path = d.Path
		}
		if len(names) == shown {
			names = append(names, "…")
			break
		}
		names = append(names, x.Field(path))
	}
	reason := x.Reasons["fields"]
	reason.Why = fmt.Sprintf(reason.Why, strings.Join(names, ", "))
	return reason
}

// operation explains an operation that ended and failed.
func (x explainer) operation(e *OperationError) string {
	var asked string
	if e.Operation != nil {
		asked = string(e.Operation.Type)
	}
	reason := x.why(e.Code)
	if e.outcome() != OutcomeUnknown {
		return joinSentences(x.Fate("failed", asked), reason.Why, reason.Do)
	}
	if reason.Do == "" || !reason.Safe {
		reason.Do = x.Reasons["ask_operator"].Do
	}
	return joinSentences(x.Fate("open", asked), reason.Why, reason.Do)
}

// wait explains a wait that ended first.
func (x explainer) wait(e *WaitError) string {
	if errors.Is(e.Err, CodeOperationNotFound) || errors.Is(e.Err, CodeTransactionNotFound) || errors.Is(e.Err, CodeTransactionDoesNotExist) {
		return joinSentences(x.Fate("waiting", "not_found"), x.Reasons["check_id"].Do)
	}
	var asked string
	switch {
	case e.Operation != nil:
		asked = string(e.Operation.Type)
	case e.Transaction != nil:
		asked = askedTransaction
	case e.Payin != nil:
		asked = askedPayin
	}
	fate := x.Fate("waiting", asked)
	if errors.Is(e.Err, ErrUnexpectedResult) {
		return joinSentences(x.Fate("unknown", asked), x.Reasons["result"].Why, x.Reasons["result"].Do)
	}
	reason := x.Reasons["wait_failed"]
	failed, refused := errors.AsType[*Error](e.Err)
	switch {
	case refused:
		why := x.reasonOf(failed)
		reason.Why = joinSentences(reason.Why, why.Why)
		if why.Safe {
			reason.Do = why.Do
		}
	case errors.Is(e.Err, context.DeadlineExceeded):
		reason = x.Reasons["max_wait"]
	case errors.Is(e.Err, context.Canceled):
		reason = x.Reasons["canceled"]
	}
	return joinSentences(fate, reason.Why, reason.Do, x.Reasons["wait_again"].Do)
}

// cannotTell explains an intent of which it is not known whether it was executed.
func (x explainer) cannotTell(e *CannotTellError) string {
	said := []string{x.Fate("unknown", "")}
	if len(e.Candidates) > 0 {
		reason := x.Reasons["candidates"]
		said = append(said, reason.Why, reason.Do)
	}
	if !e.RetryAt.IsZero() {
		reason := x.Reasons["too_early"]
		said = append(said, reason.Why, fmt.Sprintf(reason.Do, x.When(e.RetryAt)))
	}
	if e.Err != nil {
		reason := x.Reasons["list_unread"]
		said = append(said, reason.Why, reason.Do)
	}
	return joinSentences(said...)
}

// sentinels are the errors of the SDK that are values, with their sentences.
var sentinels = []struct {
	err    error
	reason string
}{
	{ErrNeverSent, "never_sent"},
	{ErrIntentExpired, "intent_expired"},
	{ErrIntentMismatch, "intent_mismatch"},
	{ErrCredentials, "no_keys"},
	{ErrPlatformClosed, "platform_closed"},
	{ErrUnexpectedResult, "result"},
	{ErrResponseMismatch, "response_about"},
	{ErrPageOverflow, "list_overflow"},
	{ErrEndlessList, "list_endless"},
	{ErrInvalidMSISDN, "msisdn"},
	{ErrAmbiguousAmount, "ambiguous_amount"},
	{ErrUnknownMerchant, "webhook_merchant"},
	{ErrSecretsUnavailable, "webhook_secrets"},
	{ErrMissingSignature, "webhook_signature"},
	{ErrInvalidSignature, "webhook_signature"},
	{ErrDuplicateHeader, "webhook_signature"},
	{ErrMissingTimestamp, "webhook_timestamp"},
	{ErrInvalidTimestamp, "webhook_timestamp"},
	{ErrStaleTimestamp, "webhook_timestamp"},
	{ErrInvalidPayload, "webhook_payload"},
	{ErrTryLater, "webhook_later"},
	{ErrUnexpectedData, "webhook_data"},
	{ErrLeaseLost, "inbox_lease"},
	{ErrInboxFull, "inbox_full"},
	{ErrInvalidClaim, "inbox_claim"},
	{ErrCannotReconcile, "reconcile_state"},
	{ErrBeyondHorizon, "reconcile_beyond"},
}

// sentinel is the sentences about an error that is, or wraps, a value of the SDK's.
func (x explainer) sentinel(err error) (phrases.Reason, bool) {
	if err == nil {
		return phrases.Reason{}, false
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			return x.Reasons[known.reason], true
		}
	}
	if _, ok := errors.AsType[*ItemError](err); ok {
		return x.Reasons["item"], true
	}
	return phrases.Reason{}, false
}

// network is the sentences about an error of the network, or of a context.
func (x explainer) network(err error) (phrases.Reason, bool) {
	if err == nil {
		return phrases.Reason{}, false
	}
	timeout, isNet := errors.AsType[net.Error](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return x.Reasons["canceled"], true
	case isA[*transport.LimitError](err): // which may be about its own network
		return x.Reasons["limited"], true
	case isA[*net.DNSError](err):
		return x.Reasons["dns"], true
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return x.Reasons["timeout"], true
	case isA[*tls.CertificateVerificationError](err), isA[tls.RecordHeaderError](err), isA[tls.AlertError](err),
		isA[x509.UnknownAuthorityError](err), isA[x509.HostnameError](err), isA[x509.CertificateInvalidError](err):
		return x.Reasons["certificate"], true
	case isOp && op.Op == "dial":
		return x.Reasons["unreachable"], true
	case isOp, isNet:
		return x.Reasons["network"], true
	}
	return phrases.Reason{}, false
}

// isA reports whether an error of the type is in err.
func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
