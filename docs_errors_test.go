package intram_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// Who acts on an error.
const (
	developer = "your developer"
	operator  = "you, in Intram's portal or dashboard"
	customer  = "your customer"
	support   = "Intram's support, asked by you"
	program   = "your program"
	person    = "a person, before anything is paid again"
)

// errorEntry is what docs/errors.md says of a code or an error besides what the SDK says.
type errorEntry struct {
	who    string
	status int    // of the refused call; 0: a failed operation
	note   string // what a developer does about it
}

// errorGroups are the sections of docs/errors.md, in their order.
var errorGroups = []struct {
	heading, intro string
	payin          bool
	entries        map[intram.ErrorCode]errorEntry
}{
	{"Codes of refused calls", "The API refused a call: an `*intram.Error`, with the HTTP status.", false, map[intram.ErrorCode]errorEntry{
		intram.CodeMissingAPIKey:         {developer, 401, ""},
		intram.CodeInvalidAPIKey:         {operator, 401, "Check that the public key is of the environment that you mean."},
		intram.CodeSignatureInvalid:      {developer, 401, "The end of the message is the reason: `missing_signature`, `missing_timestamp`, `invalid_timestamp_format`, `timestamp_out_of_window` (the clock; the SDK corrects it by up to 12 hours) or `signature_mismatch` (the secret key, or a proxy that rewrites). `intram explain-signature` finds the mistake of a client of your own."},
		intram.CodeMerchantInactive:      {support, 403, "Live only."},
		intram.CodeIPAllowlistEmpty:      {operator, 403, "Live only. See [going-live.md](going-live.md#allowlist-and-egress-address)."},
		intram.CodeIPNotAllowed:          {operator, 403, "Live only. `Error.ClientIP` is the address that the API saw."},
		intram.CodeMissingIdempotencyKey: {developer, 400, "The SDK always sends one."},
		intram.CodeInvalidIdempotencyKey: {developer, 400, "The SDK checks keys before it sends them."},
		intram.CodeIdempotencyConflict:   {person, 409, "With the first request's parameters, call again with the same key: you get its operation. Without them, read `Operations.All` over the last day and compare `Operation.Reference()`."},
		intram.CodeIdempotencyInProgress: {program, 409, "The SDK has tried again already."},
		intram.CodeValidationError:       {developer, 400, "`Error.Details` names each field and says what it must be. The SDK finds most of them before anything is sent: then `StatusCode` is 0."},
		intram.CodeInvalidBody:           {developer, 400, ""},
		intram.CodeMissingInvoice:        {developer, 400, ""},
		intram.CodeUnknownCurrency:       {developer, 400, ""},
		intram.CodeAmountTooSmall:        {customer, 400, "The limits are not documented."},
		intram.CodeAmountTooLarge:        {customer, 400, "The limits are not documented."},
		intram.CodeTransactionNotFound:   {developer, 404, "Unknown, another merchant's, or the other environment's. A refund of such a payment is refused at once."},
		intram.CodeOperationNotFound:     {developer, 404, "Unknown, another merchant's, or the other environment's. A wait takes it for a replica that lags in the first 15 seconds."},
		intram.CodeNotRefundable:         {operator, 400, "It also comes as the code of a failed operation."},
		intram.CodeInternalError:         {program, 500, "The SDK has tried again already, with the same key."},
		intram.CodeAuthError:             {program, 500, "The SDK has tried again already, with the same key."},
		intram.CodeIdempotencyError:      {program, 500, "The SDK has tried again already, with the same key."},
	}},
	{"Codes of failed operations", "The call was accepted, and its operation failed: an `*intram.OperationError`, from a wait, a lookup or an event. What was debited has been credited back.", false, map[intram.ErrorCode]errorEntry{
		intram.CodeInsufficientBalance:      {operator, 0, "Judged on the amount and the fees. Fund the wallet, [by operator](payouts.md#balance-by-operator); then a new key."},
		intram.CodeMerchantWalletMissing:    {support, 0, ""},
		intram.CodeProviderRejected:         {customer, 0, "`OperationError.Details` has the operator's own code and words."},
		intram.CodeProviderUnavailable:      {person, 0, "The operator may have paid and then failed to say so. An operator that Intram does not handle in that country fails like this too."},
		intram.CodeProviderError:            {person, 0, "The operator may have paid and then failed to say so."},
		intram.CodeMissingProviderCode:      {developer, 0, "Name the operator in `MobileMoney.ProviderCode`."},
		intram.CodeAmountExceedsTransaction: {operator, 0, "`Transaction.Refunds` says what was given back before."},
		intram.CodeTransactionNotSettled:    {operator, 0, "Try again later, with a new key: see [refunds.md](refunds.md#a-payment-that-is-not-settled)."},
		intram.CodeStripeUnavailable:        {person, 0, "Cards. The card network may have done it."},
		intram.CodeUnsupportedPaymentMethod: {developer, 0, ""},
	}},
	{"Codes of payin sessions", "Of [the second API](payin.md), as an `*intram.Error`, or as the `Failure` of a session.", true, map[intram.ErrorCode]errorEntry{
		intram.CodeAPITokenInvalid:               {developer, 403, ""},
		intram.CodeTransactionError:              {program, 403, "As a session's failure, it may still be paid within 48 hours."},
		intram.CodeTransactionNotRefundable:      {operator, 403, ""},
		intram.CodeTransactionNotProcessed:       {program, 403, ""},
		intram.CodeWalletNotEnoughCash:           {operator, 403, ""},
		intram.CodeWalletShouldBeDifferent:       {developer, 403, ""},
		intram.CodeClientKYCNotApproved:          {support, 403, ""},
		intram.CodeClientNotEnoughCash:           {customer, 403, "As a session's failure, it may still be paid within 48 hours."},
		intram.CodeTransactionOTPRequired:        {customer, 403, ""},
		intram.CodeTransactionGreaterThanZero:    {developer, 403, ""},
		intram.CodeAPITokenNotFound:              {developer, 404, ""},
		intram.CodeWalletNotFound:                {developer, 404, "`WithPayinAccount` or `AccountID` names an account that is not yours."},
		intram.CodeClientNotFound:                {customer, 404, ""},
		intram.CodeCountryNotFound:               {developer, 404, ""},
		intram.CodeProviderNotFound:              {developer, 404, "The number is of no operator in that country."},
		intram.CodeTransactionDoesNotExist:       {developer, 404, "After a lost response this proves little: reports differ on which of a session's two references the API takes."},
		intram.CodeTransactionIsAlreadyProcessed: {person, 409, "A payment with this reference was taken: look the session up with `Payin.Get` before you ask again."},
		intram.CodeTransactionAlreadyRefunded:    {operator, 409, ""},
	}},
	{"Codes of the SDK", "Made by the SDK, for an operation that ended without a code.", false, map[intram.ErrorCode]errorEntry{
		intram.CodeOperationExpired: {person, 0, "The operation ended as `expired`, a status that the documentation reserves."},
		intram.CodeResultFailed:     {operator, 0, "A bank returned the payout, or an operator refused the refund after it was pending. The event says why."},
	}},
}

// sentinelGroups are the sections of errors that are no codes.
var sentinelGroups = []struct {
	heading, intro string
	entries        map[string]errorEntry
}{
	{"Errors of intents, lists and responses", "Test for them with `errors.Is`.", map[string]errorEntry{
		"ErrNeverSent":        {program, 0, "From `Resume`: nothing was executed, and nothing will be. A new intent is safe."},
		"ErrCannotTell":       {person, 0, "From `Resume`: it may have been executed. `errors.As` gives a `*CannotTellError`: with `RetryAt`, call `Resume` again at that time; with `Err`, when the list can be read; with `Candidates`, compare them with your records."},
		"ErrIntentExpired":    {program, 0, "Call `Resume` with the intent before you do anything else. Payin sessions and `Client.Do` have no `Resume`: look for what the call should have made."},
		"ErrIntentMismatch":   {developer, 0, "Call `Resume` with the parameters and keys of the intent. After a rotation of one merchant's keys, empty `Intent.AccountSHA256`."},
		"ErrUnexpectedResult": {person, 0, "The result has a status that this version does not know: look the operation up before you pay again."},
		"ErrResponseMismatch": {program, 0, "A cache or a proxy can mix responses up. It says nothing of the money."},
		"ErrPageOverflow":     {developer, 0, ""},
		"ErrEndlessList":      {developer, 0, ""},
		"ErrCredentials":      {developer, 0, "From `NewClient` with `WithCredentials`: the function's own error is behind it."},
		"ErrPlatformClosed":   {program, 0, "Of a `Platform` after `Close`: nothing more is sent, and waits end with it. The operations go on."},
		"ErrInvalidMSISDN":    {customer, 0, "From `ParseMSISDN`."},
		"ErrAmbiguousAmount":  {customer, 0, "From `ParseTypedAmount`: `25.000` is 25 to a program and 25 000 to many an office."},
	}},
	{"Errors of webhooks", "From `Verify`, and in the log of the handler.", map[string]errorEntry{
		"ErrMissingSignature":   {developer, 0, ""},
		"ErrSecretsUnavailable": {developer, 0, "Of `NewWebhookVerifierFunc`: the handler responds 503, and Intram delivers again."},
		"ErrUnknownMerchant":    {developer, 0, "Your `MerchantSecrets` function returns it: the handler responds 401, as to a bad signature."},
		"ErrMissingTimestamp":   {developer, 0, ""},
		"ErrDuplicateHeader":    {developer, 0, ""},
		"ErrInvalidSignature":   {developer, 0, "Check the secret of the subscription, and that nothing reads or rewrites the body before the handler."},
		"ErrInvalidTimestamp":   {developer, 0, ""},
		"ErrStaleTimestamp":     {developer, 0, "This machine's clock, or a delivery that was replayed."},
		"ErrInvalidPayload":     {developer, 0, ""},
		"ErrUnexpectedData":     {developer, 0, "From a function of `OnData`."},
		"ErrTryLater":           {program, 0, "Your function returns it when its database is away: the handler responds 503, and Intram delivers again."},
	}},
	{"Errors of the inbox and the reconciler", "For authors of an inbox, and in `Reconciliation.Failures`.", map[string]errorEntry{
		"ErrLeaseLost":       {program, 0, "Another replica has the event."},
		"ErrInboxFull":       {developer, 0, "Of a `MemoryInbox`: raise `Capacity`, or use a shared inbox."},
		"ErrInvalidClaim":    {developer, 0, ""},
		"ErrCannotReconcile": {person, 0, "It may hide an event: look the operation up."},
		"ErrBeyondHorizon":   {person, 0, "Your function was not called: look the operation up and decide."},
	}},
}

const (
	errorsPage   = "docs/errors.md"
	errorsBegin  = "<!-- made by TestTheErrorsPageIsWhatTheSDKSays: make docs -->\n"
	errorsFinish = "<!-- end of what is made -->\n"
)

// docs/errors.md and its French have every code and error of the source, with what the
// SDK says of it. With UPDATE_DOCS=1 (make docs) the test writes them.
func TestTheErrorsPageIsWhatTheSDKSays(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]errorWords{errorsPage: errorWordsInEnglish, frenchName(errorsPage): errorWordsInFrench} {
		page := readDocument(t, name).text
		before, rest, ok := strings.Cut(page, errorsBegin)
		require.True(t, ok, name)
		_, after, ok := strings.Cut(rest, errorsFinish)
		require.True(t, ok, name)
		want := before + errorsBegin + errorEntries(t, in) + errorsFinish + after
		if os.Getenv("UPDATE_DOCS") != "" {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o600))
			continue
		}
		lines := strings.Split(page, "\n")
		for i, line := range strings.Split(want, "\n") { // the first that differs says enough
			require.Less(t, i, len(lines), "make docs writes the page anew")
			require.Equal(t, line, lines[i], "%s:%d: make docs writes the page anew", name, i+1)
		}
		assert.Len(t, page, len(want), "make docs writes the page anew")
	}
}

// errorWords are what differs between the page in one language and in another.
type errorWords struct {
	failed, acts string
	say          func(t *testing.T, text string) string // text in this language
	heading      func(text, say string) string
	explain      func(explained error, note string) string
}

var errorWordsInEnglish = errorWords{
	failed:  "a failed operation",
	acts:    "Who acts: ",
	say:     func(_ *testing.T, text string) string { return text },
	heading: func(_, say string) string { return "## " + say },
	explain: func(explained error, note string) string {
		text := intram.Explain(explained, intram.English) + "\n"
		if note != "" {
			text += note + "\n"
		}
		return text + "\n> " + intram.Explain(explained, intram.French) + "\n"
	},
}

// errorEntries is the middle of the page.
func errorEntries(t *testing.T, in errorWords) string {
	t.Helper()
	codes, sentinels := packageValues(t)
	names := make(map[intram.ErrorCode]string)
	for name, code := range codes {
		names[intram.ErrorCode(code)] = name
	}
	var b strings.Builder
	begin := func(heading, intro string) {
		fmt.Fprintf(&b, "%s\n\n%s\n\n", in.heading(heading, in.say(t, heading)), in.say(t, intro))
	}
	write := func(entry errorEntry, explained, printed error) {
		fmt.Fprintf(&b, "%s%s.\n\n%s\n```text\n%s\n```\n\n", in.acts, in.say(t, entry.who), in.explain(explained, in.say(t, entry.note)), printed)
	}
	for _, group := range errorGroups {
		begin(group.heading, group.intro)
		for _, code := range slices.Sorted(maps.Keys(group.entries)) {
			entry := group.entries[code]
			require.Contains(t, names, code)
			err := errorOf(t, code, entry.status, group.payin)
			where := in.failed
			if entry.status != 0 {
				where = fmt.Sprint("HTTP ", entry.status)
			}
			fmt.Fprintf(&b, "### `%s`\n\n`intram.%s`, %s, `%s`. ", code, names[code], where, intram.OutcomeOf(err))
			write(entry, code, err)
			delete(names, code)
		}
	}
	assert.Empty(t, names, "codes that the page leaves out")
	for _, group := range sentinelGroups {
		begin(group.heading, group.intro)
		for _, name := range slices.Sorted(maps.Keys(group.entries)) {
			require.Contains(t, sentinels, name)
			sentinels = slices.DeleteFunc(sentinels, func(one string) bool { return one == name })
			err := notOfCalls[name]
			if name == "ErrCannotTell" {
				err = &intram.CannotTellError{IdempotencyKey: "po-2026-0001-key", Err: intram.CodeInternalError}
			}
			fmt.Fprintf(&b, "### `%s`\n\n`intram.%s`. ", name, name)
			write(group.entries[name], err, err)
		}
	}
	assert.Empty(t, sentinels, "errors that the page leaves out")
	return b.String()
}

// errorOf is the error that a user gets when the API says code: of a call with a status,
// of a wait for its operation without one.
func errorOf(t *testing.T, code intram.ErrorCode, status int, payin bool) error {
	t.Helper()
	said := fmt.Sprintf(`{"error":true,"http_status":%d,"code":%q,"message":"said"}`, status, code)
	switch {
	case code == intram.CodeSignatureInvalid:
		said = strings.Replace(said, "said", "Signature verification failed: signature_mismatch", 1)
	case code == intram.CodeIPNotAllowed:
		said = strings.Replace(said, `"message"`, `"client_ip":"203.0.113.7","message"`, 1)
	case code == intram.CodeValidationError:
		said = strings.Replace(said, `"message"`, `"details":[{"path":"destination.msisdn","msg":"said"}],"message"`, 1)
	case payin:
		said = fmt.Sprintf(`{"code":%q,"message":"said","statusCode":%d}`, code, status)
	case code == intram.CodeOperationExpired:
		said = `{"error":false,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"expired"}}`
	case code == intram.CodeResultFailed:
		said = `{"error":false,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"succeeded","result":{"status":"failed"}}}`
	case status == 0:
		said = fmt.Sprintf(`{"error":false,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"failed","error":{"code":%q,"message":"said","details":{"responsecode":"101"}}}}`, code)
		if code != intram.CodeProviderRejected {
			said = strings.Replace(said, `,"details":{"responsecode":"101"}`, "", 1)
		}
	}
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithMaxAttempts(1), intram.WithPayin("key", "client"),
		intram.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: max(status, 200), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(said)),
			}, nil
		})}))
	require.NoError(t, err)
	ctx := t.Context()
	switch {
	case status == 0:
		_, err = client.Payouts.Wait(ctx, "op_2f4a8b1c")
	case payin:
		_, err = client.Payin.Get(ctx, "order-4521")
	case code == intram.CodeTransactionNotFound || code == intram.CodeNotRefundable:
		_, err = client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: "AB12CD34EF"}, intram.WithIdempotencyKey("refund-T-9001"))
	case code == intram.CodeOperationNotFound:
		_, err = client.Operations.Get(ctx, "op_2f4a8b1c")
	case code == intram.CodeMissingInvoice || code == intram.CodeAmountTooSmall || code == intram.CodeAmountTooLarge || code == intram.CodeUnknownCurrency:
		_, err = client.PaymentRequests.Create(ctx, exampleInvoice(12000), intram.WithIdempotencyKey("order-4521-1"))
	default:
		_, err = client.Payouts.Create(ctx, examplePayout(25000), intram.WithIdempotencyKey("po-2026-0001-key"))
	}
	require.True(t, errors.Is(err, code), "%s: %v", code, err) //nolint:testifylint // ErrorIs wants a value to compare in its message
	return err
}
