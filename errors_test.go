package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	call := func(o intram.Outcome) error { return &intram.Error{Outcome: o} }
	failed := &intram.OperationError{Code: intram.CodeInsufficientBalance}
	for name, tt := range map[string]struct {
		err  error
		want intram.Outcome
	}{
		"nothing":                         {nil, ""},
		"not sent":                        {call(intram.OutcomeNotSent), intram.OutcomeNotSent},
		"rejected":                        {call(intram.OutcomeRejected), intram.OutcomeRejected},
		"unknown":                         {call(intram.OutcomeUnknown), intram.OutcomeUnknown},
		"wrapped":                         {fmt.Errorf("payout 7: %w", call(intram.OutcomeNotSent)), intram.OutcomeNotSent},
		"wrapped twice":                   {fmt.Errorf("a: %w", fmt.Errorf("b: %w", call(intram.OutcomeRejected))), intram.OutcomeRejected},
		"joined":                          {errors.Join(errors.New("x"), call(intram.OutcomeNotSent)), intram.OutcomeNotSent},
		"failed operation":                {failed, intram.OutcomeRejected},
		"failed operation, wrapped":       {fmt.Errorf("x: %w", failed), intram.OutcomeRejected},
		"wait over a refused lookup":      {&intram.WaitError{Err: call(intram.OutcomeRejected)}, intram.OutcomeUnknown},
		"wait over a lookup not sent":     {&intram.WaitError{Err: call(intram.OutcomeNotSent)}, intram.OutcomeUnknown},
		"wait, wrapped":                   {fmt.Errorf("x: %w", &intram.WaitError{Err: context.Canceled}), intram.OutcomeUnknown},
		"unexpected result":               {fmt.Errorf("%w: x", intram.ErrUnexpectedResult), intram.OutcomeUnknown},
		"context":                         {context.Canceled, intram.OutcomeUnknown},
		"somebody else's":                 {errors.New("x"), intram.OutcomeUnknown},
		"a bare code":                     {intram.CodeInsufficientBalance, intram.OutcomeUnknown},
		"an error without an outcome":     {&intram.Error{}, intram.OutcomeUnknown},
		"overflow":                        {intram.ErrPageOverflow, intram.OutcomeUnknown},
		"a webhook's":                     {intram.ErrInvalidSignature, intram.OutcomeUnknown},
		"two payouts, one in doubt":       {errors.Join(call(intram.OutcomeRejected), call(intram.OutcomeUnknown)), intram.OutcomeUnknown},
		"two payouts, one not sent":       {errors.Join(call(intram.OutcomeNotSent), call(intram.OutcomeRejected)), intram.OutcomeRejected},
		"a rejected and a failed one":     {errors.Join(call(intram.OutcomeNotSent), failed), intram.OutcomeRejected},
		"a failed one and one in doubt":   {errors.Join(failed, call(intram.OutcomeUnknown)), intram.OutcomeUnknown},
		"joined with somebody else's":     {errors.Join(call(intram.OutcomeRejected), errors.New("x")), intram.OutcomeRejected},
		"two refused, wrapped and joined": {fmt.Errorf("batch: %w", errors.Join(call(intram.OutcomeRejected), fmt.Errorf("y: %w", call(intram.OutcomeUnknown)))), intram.OutcomeUnknown},
	} {
		assert.Equal(t, tt.want, intram.OutcomeOf(tt.err), name)
	}
}

// One test serves a code whatever way it came.
func TestCodesAreErrors(t *testing.T) {
	t.Parallel()
	code := intram.CodeInsufficientBalance
	for _, err := range []error{
		&intram.Error{Code: code}, &intram.OperationError{Code: code}, fmt.Errorf("x: %w", &intram.Error{Code: code}),
		fmt.Errorf("x: %w", &intram.OperationError{Code: code}), &intram.WaitError{Err: &intram.Error{Code: code}}, code,
	} {
		require.ErrorIs(t, err, code)
		require.NotErrorIs(t, err, intram.CodeNotRefundable)
		require.NotErrorIs(t, err, intram.ErrorCode(""))
		if as, ok := errors.AsType[intram.ErrorCode](err); ok {
			assert.Equal(t, code, as)
		}
	}
	require.NotErrorIs(t, &intram.Error{}, intram.ErrorCode(""), "no code is no code")
	require.NotErrorIs(t, &intram.OperationError{}, intram.ErrorCode(""))
	require.ErrorIs(t, &intram.Error{Code: "code_of_2027"}, intram.ErrorCode("code_of_2027"), "codes that are not listed work the same")
	assert.Equal(t, "insufficient_balance", code.Error())
}

// Every code of section 6 of the spec has its constant; the list is read from the
// documentation of the constants themselves.
func TestEveryCodeHasAConstant(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]intram.ErrorCode{
		"missing_api_key": intram.CodeMissingAPIKey, "invalid_api_key": intram.CodeInvalidAPIKey, "signature_invalid": intram.CodeSignatureInvalid,
		"merchant_inactive": intram.CodeMerchantInactive, "ip_allowlist_empty": intram.CodeIPAllowlistEmpty, "ip_not_allowed": intram.CodeIPNotAllowed,
		"missing_idempotency_key": intram.CodeMissingIdempotencyKey, "invalid_idempotency_key": intram.CodeInvalidIdempotencyKey,
		"idempotency_conflict": intram.CodeIdempotencyConflict, "validation_error": intram.CodeValidationError, "invalid_body": intram.CodeInvalidBody,
		"missing_invoice": intram.CodeMissingInvoice, "unknown_currency": intram.CodeUnknownCurrency, "amount_too_small": intram.CodeAmountTooSmall,
		"amount_too_large": intram.CodeAmountTooLarge, "transaction_not_found": intram.CodeTransactionNotFound,
		"operation_not_found": intram.CodeOperationNotFound, "not_refundable": intram.CodeNotRefundable, "internal_error": intram.CodeInternalError,
		"auth_error": intram.CodeAuthError, "idempotency_error": intram.CodeIdempotencyError,
		"insufficient_balance": intram.CodeInsufficientBalance, "merchant_wallet_missing": intram.CodeMerchantWalletMissing,
		"provider_rejected": intram.CodeProviderRejected, "provider_unavailable": intram.CodeProviderUnavailable,
		"provider_error": intram.CodeProviderError, "missing_provider_code": intram.CodeMissingProviderCode,
		"amount_exceeds_transaction": intram.CodeAmountExceedsTransaction, "transaction_not_settled": intram.CodeTransactionNotSettled,
		"stripe_unavailable": intram.CodeStripeUnavailable, "unsupported_payment_method": intram.CodeUnsupportedPaymentMethod,
	} {
		assert.Equal(t, want, intram.ErrorCode(name))
	}
	for name, want := range map[string]intram.EventType{
		"payout.completed": intram.EventPayoutCompleted, "payout.queued": intram.EventPayoutQueued, "payout.failed": intram.EventPayoutFailed,
		"payment_request.created": intram.EventPaymentRequestCreated, "payment_request.paid": intram.EventPaymentRequestPaid,
		"payment_request.pending": intram.EventPaymentRequestPending, "payment_request.failed": intram.EventPaymentRequestFailed,
		"refund.completed": intram.EventRefundCompleted, "refund.pending": intram.EventRefundPending, "refund.failed": intram.EventRefundFailed,
		"test.ping": intram.EventTestPing, "transfer.completed": intram.EventTransferCompleted, "transfer.failed": intram.EventTransferFailed,
		"*": intram.EventAll,
	} {
		assert.Equal(t, want, intram.EventType(name))
	}
	// And the other way round: a constant whose word is a typo would be here and nowhere
	// in the spec.
	source, err := os.ReadFile("errors.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`\t(Code\w+)\s+ErrorCode = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		camel := strings.NewReplacer("APIKey", "ApiKey", "APIToken", "ApiToken", "IPAllow", "IpAllow", "IPNot", "IpNot", "KYC", "Kyc", "OTP", "Otp").Replace(m[1])
		snake := strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(strings.TrimPrefix(camel, "Code"), "${1}_${2}"))
		assert.Equal(t, m[2], snake, "the constant's name is its word in camel case")
	}
}

// A proxy's page on the path says what to try, for each of the base URLs.
func TestProxysNotFoundAdvisesTheOtherBaseURL(t *testing.T) {
	t.Parallel()
	page := answer(404, "<html><h1>404 Not Found</h1></html>", "Content-Type", "text/html")
	for base, says := range map[string]string{
		"":                           "intram.WithBaseURL(intram.BaseURLDirect)",
		intram.BaseURL:               "intram.WithBaseURL(intram.BaseURLDirect)",
		intram.BaseURL + "/":         "intram.WithBaseURL(intram.BaseURLDirect)",
		intram.BaseURLDirect:         "intram.WithBaseURL(intram.BaseURL)",
		"https://proxy.example.com/": "/v1 or /api/v1/merchant",
	} {
		for _, body := range []step{page, answer(404, ""), answer(404, `{"message":"no Route matched with those values"}`), answer(404, "404 page not found\n")} {
			var opts []intram.ClientOption
			if base != "" {
				opts = append(opts, intram.WithBaseURL(base))
			}
			client := newClient(t, &script{t: t, steps: []step{body}}, opts...)
			_, err := client.Payouts.Create(t.Context(), mobilePayout())
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, http.StatusNotFound, e.StatusCode)
			assert.Empty(t, e.Code)
			assert.Contains(t, err.Error(), says)
			assert.Contains(t, err.Error(), "HTTP 404")
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), "<")
		}
	}
	// The API's own 404 is no proxy's.
	client, _ := scripted(t, answer(404, `{"error":true,"code":"operation_not_found","message":"Operation not found"}`))
	_, err := client.Operations.Get(t.Context(), "op_1")
	assert.NotContains(t, err.Error(), "WithBaseURL")
	assert.Equal(t, "intram: GET /operations/{id}: operation_not_found (HTTP 404): there is none of this id with this merchant and in this environment", err.Error())
	// Nor is another status.
	client, _ = scripted(t, answer(403, "<html>"))
	_, err = client.Balance.Get(t.Context())
	assert.NotContains(t, err.Error(), "WithBaseURL")
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(400, example(t, "error.validation.json")))
	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey("mine-0001"))
	assert.Equal(t, "intram: POST /payouts: validation_error (HTTP 400): amount [idempotency key mine-0001]", err.Error())

	client, _ = scripted(t, answer(500, `{"error":true,"code":"internal_error","message":"Internal error"}`), lost, lost, lost)
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey("mine-0001"))
	assert.Equal(t, "intram: POST /payouts: internal_error (HTTP 500): the API failed: read tcp: connection reset by peer "+
		"[4 attempts; it may have been executed: call again with the same idempotency key and parameters; idempotency key mine-0001]", err.Error())

	client, _ = scripted(t, refused)
	_, err = client.Balance.Get(t.Context(), intram.WithMaxAttempts(1))
	assert.Equal(t, "intram: GET /balance: no response: dial tcp: connection refused [nothing was sent]", err.Error())

	client, _ = scripted(t, answer(503, "", "Retry-After", "3600"))
	_, err = client.Payouts.Create(t.Context(), mobilePayout())
	assert.Contains(t, err.Error(), "the server asks to come back in 1h0m0s, longer than the 30s that a call waits")
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 1, e.Attempts)

	client, _ = scripted(t, answer(403, example(t, "error.ip_not_allowed.json")))
	_, err = client.Balance.Get(t.Context())
	assert.Equal(t, "intram: GET /balance: ip_not_allowed (HTTP 403): the API sees your server at 203.0.113.99: add that to the allowlist of the account", err.Error())
	client, _ = scripted(t, answer(403, `{"error":true,"code":"ip_not_allowed","client_ip":"Ada Lovelace"}`))
	_, err = client.Balance.Get(t.Context())
	assert.Equal(t, "intram: GET /balance: ip_not_allowed (HTTP 403): your server's address is not on the allowlist of the account: see Error.ClientIP", err.Error())

	// The documented reasons of a refused signature are words of the documentation;
	// anything else is a sentence.
	client, _ = scripted(t, answer(401, `{"error":true,"code":"signature_invalid","message":"Signature verification failed: signature_mismatch"}`))
	_, err = client.Balance.Get(t.Context())
	assert.Equal(t, "intram: GET /balance: signature_invalid (HTTP 401): signature_mismatch: check that the secret key belongs to the public key, "+
		"and that nothing rewrites path, query or body", err.Error())
	client, _ = scripted(t, answer(401, `{"error":true,"code":"signature_invalid","message":"Signature verification failed: lovelace"}`))
	_, err = client.Balance.Get(t.Context())
	assert.Equal(t, "intram: GET /balance: signature_invalid (HTTP 401): the API's own words are in Message", err.Error())
	client, _ = scripted(t, answer(422, `{"error":true,"code":"code_of_2027","message":"Madame May Long est absente"}`))
	_, err = client.Balance.Get(t.Context())
	assert.Equal(t, "intram: GET /balance: code_of_2027 (HTTP 422): the API's own words are in Message", err.Error())
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "Madame May Long est absente", e.Message, "whole")

	// What the SDK itself says comes through whole.
	params := mobilePayout()
	params.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "33612345678"}
	_, err = client.Payouts.Create(t.Context(), params, intram.WithIdempotencyKey("mine-0001"))
	assert.Contains(t, err.Error(), "destination.msisdn does not begin with 229, the calling code of its operator")

	// Several fields, and a field whose message does not name it.
	client, _ = scripted(t, answer(400, `{"error":true,"code":"validation_error","details":[{"path":"amount","msg":"must be > 0"},{"path":"reference","msg":"is required"}]}`))
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey("mine-0001"))
	assert.Equal(t, "intram: POST /payouts: validation_error (HTTP 400): amount, reference [idempotency key mine-0001]", err.Error())

	assert.Equal(t, "intram: no response", (&intram.Error{}).Error(), "an empty one does not panic")
	assert.Equal(t, "intram: operation  failed: ", (&intram.OperationError{}).Error())
	assert.NotPanics(t, func() { _ = (&intram.WaitError{}).Error() })
	assert.NotPanics(t, func() {
		_ = fmt.Sprintf("%v %+v %#v", (*intram.Error)(nil), (*intram.OperationError)(nil), (*intram.WaitError)(nil))
	})
}

// What is behind a call without a response can be asked for.
func TestErrorsUnwrap(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset by peer")
	client, _ := scripted(t, repeat(4, failWith(cause))...)
	_, err := client.Payouts.Create(t.Context(), mobilePayout())
	require.ErrorIs(t, err, cause)
	var e *intram.Error
	require.ErrorAs(t, fmt.Errorf("x: %w", err), &e)
	assert.Equal(t, "POST", e.Method)
	assert.Equal(t, "/payouts", e.Path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client, s := scripted(t)
	_, err = client.Payouts.Create(ctx, mobilePayout())
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
	assert.Empty(t, s.requests())
}

// The cause that the owner of a context gave is kept by calls and by waits.
func TestTheCauseOfAContextIsKept(t *testing.T) {
	t.Parallel()
	why := errors.New("the shop is closing")
	ended := func() context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		return ctx
	}
	inFlight := func(t *testing.T) (context.Context, step) {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		return ctx, func(req *http.Request) (*http.Response, error) {
			cancel(why)
			return hang(req)
		}
	}
	for name, call := range map[string]func(t *testing.T) error{
		"a call before it is sent": func(t *testing.T) error {
			client, _ := scripted(t)
			_, err := client.Payouts.Create(ended(), mobilePayout())
			return err
		},
		"a call under way": func(t *testing.T) error {
			ctx, hangs := inFlight(t)
			client, _ := scripted(t, hangs)
			_, err := client.Payouts.Create(ctx, mobilePayout())
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
			return err
		},
		"a wait before it begins": func(t *testing.T) error {
			client, _ := scripted(t)
			_, err := client.Payouts.Wait(ended(), "op_1")
			return err
		},
		"a wait under way": func(t *testing.T) error {
			ctx, hangs := inFlight(t)
			client, _ := scripted(t, hangs)
			_, err := client.Payouts.Wait(ctx, "op_1")
			return err
		},
		"a list of waits": func(t *testing.T) error {
			client, _ := scripted(t)
			for _, err := range client.WaitMany(ended(), []string{"op_1"}) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := call(t)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, why)
			assert.NotContains(t, err.Error(), "the shop", "its text is not the SDK's")
		})
	}
	// One failed call that cancels others says nothing of them.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("payout 1: %w", &intram.OperationError{Code: intram.CodeInsufficientBalance}))
	client, _ := scripted(t)
	_, err := client.Payouts.Create(ctx, mobilePayout())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, intram.CodeInsufficientBalance)
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(intram.CodeInsufficientBalance)
	_, err = client.Payouts.Create(ctx, mobilePayout())
	require.NotErrorIs(t, err, intram.CodeInsufficientBalance)
}

// On an error the value is nil, always; without one it never is.
func TestValueIsNilExactlyOnErrors(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"refused": {answer(400, `{"error":true,"code":"x"}`)}, "lost": {lost, lost, lost, lost}, "page": {answer(200, "<html>")}, "empty": {answer(200, "{}")},
	} {
		client, s := scripted(t)
		again := func() *intram.Client {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.steps = append([]step(nil), steps...)
			return client
		}
		if v, err := again().Balance.Get(t.Context()); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Payouts.Create(t.Context(), mobilePayout()); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().PaymentRequests.Create(t.Context(), paymentRequest()); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Refunds.Create(t.Context(), refund()); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Transactions.Get(t.Context(), "AB12CD34EF"); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Transactions.List(t.Context(), intram.TransactionListParams{}); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Operations.Get(t.Context(), "op_1"); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Operations.List(t.Context(), intram.OperationListParams{}); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://x.example", Event: "*"}); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
		if v, err := again().Webhooks.List(t.Context()); assert.Error(t, err, name) {
			assert.Nil(t, v)
		}
	}
}

// The name of the SDK stands at the beginning of an error, however many of its errors are
// in it.
func TestAnErrorNamesTheSDKOnce(t *testing.T) {
	t.Parallel()
	refused := answer(401, `{"error":true,"http_status":401,"code":"invalid_api_key"}`)
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	intent, err := newClient(t, sealed{t}, intram.WithClock(fixedClock{at})).Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	late, _ := scripted(t, refused, refused, refused)
	other := mobilePayout()
	other.Note = "another"
	var event intram.Event
	var params intram.RefundParams
	errs := map[string]error{
		"a stored event":     json.Unmarshal([]byte(`{"signed_body":"bnVsbA=="}`), &event),
		"a body":             json.Unmarshal([]byte(`{"event":7`), &event),
		"a stored parameter": json.Unmarshal([]byte(`{"amount":"many"}`), &params),
	}
	_, errs["an expired intent"] = late.Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(afterCrash(t, intent)))
	_, errs["another call's intent"] = newClient(t, sealed{t}, intram.WithClock(fixedClock{at})).Payouts.Create(t.Context(), other, intram.WithIntent(intent))
	_, errs["a look-back"] = late.Payouts.Resume(t.Context(), mobilePayout(), afterCrash(t, intent))
	_, errs["a wait"] = late.Payouts.Wait(t.Context(), "op_1", intram.WithMaxWait(time.Nanosecond))
	_, errs["an option"] = intram.NewClient(publicKey, secretKey, intram.WithBaseURL("ftp://x"), intram.WithTimeout(-1))
	_, errs["a base URL"] = intram.NewClient(publicKey, secretKey, intram.WithBaseURL("ftp://x"))
	_, errs["a payin option"] = intram.NewClient(publicKey, secretKey, intram.WithPayin("a-key", "a-client", intram.WithPayinLanguage("de")))
	_, errs["a payin URL"] = intram.NewPayinClient("a-key", "a-client", intram.WithPayinBaseURL("ftp://x"))
	client, _ := scripted(t, refused)
	reconciler, err := intram.NewReconciler(client, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil })
	require.NoError(t, err)
	_, errs["a reconciler"] = reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
	for name, err := range errs {
		if assert.Error(t, err, name) {
			assert.NotContains(t, strings.TrimPrefix(err.Error(), "intram: "), "intram: ", name)
		}
	}
	require.ErrorIs(t, errs["a reconciler"], intram.CodeInvalidAPIKey)
	require.ErrorIs(t, errs["an expired intent"], intram.ErrIntentExpired)
}

// The advice of an error is one that helps.
func TestErrorsAdviseWhatHelps(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	_, err := client.WaitForOperation(t.Context(), "op_of_nobody", intram.WithMaxWait(time.Minute))
	require.ErrorIs(t, err, intram.CodeOperationNotFound)
	assert.ErrorContains(t, err, "check the id, and that the client's keys are of its merchant and environment")
	assert.NotContains(t, err.Error(), "wait again")

	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{})
	e := new(intram.Error)
	require.ErrorAs(t, err, &e)
	assert.NotEmpty(t, e.IdempotencyKey)
	assert.NotContains(t, err.Error(), "idempotency key", "no attempt carried one")
}

// A report shows the SDK's words, which name no person.
func TestACodeExplainsItself(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "the merchant's wallet has too little", intram.CodeInsufficientBalance.Explanation())
	assert.Empty(t, intram.ErrorCode("code_of_next_year").Explanation())
}
