package intram_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// What something between the caller and the API may send after the API has done the work.
var foreignRefusals = map[string]step{
	"a firewall's page":                  answer(403, "<html>Request blocked</html>", "Content-Type", "text/html"),
	"error_page 502 =404":                answer(404, "<html>404 Not Found</html>", "Content-Type", "text/html"),
	"a gateway's conflict":               answer(409, `{"message":"Conflict"}`),
	"a court's order":                    answer(451, `{"message":"Unavailable For Legal Reasons"}`),
	"a response too large for a gateway": answer(413, `{"message":"Request Too Long"}`),
	"a page for the method":              answer(405, "<html>"),
	"an empty refusal":                   answer(400, ""),
	"a gateway that wants a login":       answer(401, `{"message":"Unauthorized"}`),
	"error is false":                     answer(400, `{"error":false,"http_status":400,"message":"Bad Request"}`),
	"error is false, with a code":        answer(400, `{"error":false,"code":"validation_error"}`),
	"error is a word":                    answer(400, `{"error":"Bad Request","code":"validation_error"}`),
	"no error at all":                    answer(400, `{"code":"validation_error","message":"no"}`),
	"no code":                            answer(400, `{"error":true,"message":"no"}`),
	"an empty code":                      answer(400, `{"error":true,"code":""}`),
	"a code that is no word":             answer(400, `{"error":true,"code":7}`),
	"error said twice":                   answer(400, `{"error":false,"error":true,"code":"validation_error"}`),
	"another status inside":              answer(404, `{"error":true,"http_status":502,"code":"validation_error"}`),
	"a 500 that was made a 400":          answer(400, `{"error":true,"code":"internal_error"}`),
	"a list":                             answer(400, `[{"error":true,"code":"validation_error"}]`),
	"a page with a replay's header":      answer(403, "<html>", "Idempotent-Replay", "true"),
	"error is false, replayed":           answer(400, `{"error":false}`, "Idempotent-Replay", "true"),
}

// A refusal in a body that is not the API's says nothing about the money, whatever the
// status.
func TestOnlyTheAPIsOwnWordDecides(t *testing.T) {
	t.Parallel()
	for name, foreign := range foreignRefusals {
		for _, given := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/key given %v", name, given), func(t *testing.T) {
				t.Parallel()
				client, s := scripted(t, foreign)
				var opts []intram.CallOption
				if given {
					opts = append(opts, intram.WithIdempotencyKey(ownKey))
				}
				_, err := client.Payouts.Create(t.Context(), mobilePayout(), opts...)
				var e *intram.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, intram.OutcomeUnknown, e.Outcome, "%v", err)
				assert.Equal(t, 1, e.Attempts, "what a firewall refuses once is not sent to it again")
				assert.ErrorContains(t, err, "it may have been executed")

				// The key stays usable, and in doubt until the API responds to it.
				key := intram.WithIdempotencyKey(e.IdempotencyKey)
				s.steps = []step{refused}
				_, err = client.Payouts.Create(t.Context(), mobilePayout(), key, intram.WithMaxAttempts(1))
				assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
				s.steps = []step{answer(202, accepted, "Idempotent-Replay", "true")}
				_, err = client.Payouts.Create(t.Context(), mobilePayout(), key)
				require.NoError(t, err)
			})
		}
	}
}

// A few statuses cannot come after the work, whatever their body is.
func TestStatusesThatCannotComeAfterTheWorkDecide(t *testing.T) {
	t.Parallel()
	for _, status := range []int{407, 414, 421, 429, 431} {
		client, _ := scripted(t, answer(status, "<html>"))
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithMaxAttempts(1))
		assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err), "%d", status)
	}
}

func TestTheAPIsOwnWordDecides(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":true,"code":"validation_error"}`,
		`{"error":true,"http_status":400,"code":"validation_error","message":{"fr":"non"},"details":7}`,
		`{"error":true,"http_status":"400","code":"validation_error"}`,
		`{"error":true,"http_status":null,"code":"a_code_of_next_year"}`,
	} {
		client, _ := scripted(t, answer(400, body))
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err), body)
	}
}

// A code of next year is the API's word about this call only where a refusal is all that
// it can mean.
func TestCodesThatTheSDKDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   intram.Outcome
		advice string
	}{
		{400, "reference_too_long", intram.OutcomeRejected, ""},
		{403, "merchant_suspended", intram.OutcomeRejected, ""},
		{422, "destination_not_served", intram.OutcomeRejected, ""},
		{409, "duplicate_reference", intram.OutcomeUnknown, "an earlier request"},
		{409, "state_changed", intram.OutcomeUnknown, "an earlier request"},
		{400, "Payout_Already_Sent", intram.OutcomeUnknown, "an earlier request"},
		{400, "duplicate_payout", intram.OutcomeUnknown, "an earlier request"},
		{400, "provider_timeout", intram.OutcomeUnknown, "the operator may have paid"},
		{422, "operator_failed", intram.OutcomeUnknown, "the operator may have paid"},
		{400, "stripe_error", intram.OutcomeUnknown, "the operator may have paid"},
		{400, "gateway_timeout", intram.OutcomeUnknown, "the operator may have paid"},
		{499, "client_closed_request", intram.OutcomeUnknown, "call again with the same idempotency key"},
		{425, "too_early", intram.OutcomeUnknown, "call again with the same idempotency key"},
	} {
		client, _ := scripted(t, answer(c.status, `{"error":true,"code":"`+c.code+`"}`))
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		assert.Equal(t, c.want, intram.OutcomeOf(err), c.code)
		assert.ErrorContains(t, err, c.advice)
	}
}

// 203 is a copy that something in between changed, 206 a part: neither is the API's list.
func TestAReadThatSomethingChangedOnTheWayIsNone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{203, 206} {
		client, _ := scripted(t, answer(status, `{"error":false,"data":[]}`))
		_, err := client.Operations.List(t.Context(), intram.OperationListParams{})
		assert.ErrorContains(t, err, fmt.Sprintf("changed the response to HTTP %d", status))
	}
}

// A read does nothing, and a deletion does something without a key.
func TestForeignRefusalsOfCallsWithoutAKey(t *testing.T) {
	t.Parallel()
	for name, foreign := range foreignRefusals {
		client, _ := scripted(t, foreign, foreign)
		err := client.Webhooks.Delete(t.Context(), "whs_1")
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
		if strings.Contains(name, "replay") {
			continue // nothing is replayed to a read
		}
		_, err = client.Balance.Get(t.Context())
		assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err), name)
	}
}

func TestOnlyThePayinAPIsOwnWordDecides(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status  int
		body    string
		outcome intram.Outcome
	}{
		"its own":                 {403, `{"code":"client_kyc_not_approved","message":"no","statusCode":403}`, intram.OutcomeRejected},
		"its own, as a string":    {403, `{"code":"wallet_not_found","message":"no","statusCode":"403"}`, intram.OutcomeRejected},
		"a firewall's page":       {403, `<html>blocked</html>`, intram.OutcomeUnknown},
		"a gateway's JSON":        {409, `{"message":"Conflict"}`, intram.OutcomeUnknown},
		"no status":               {400, `{"code":"validation_error","message":"no"}`, intram.OutcomeUnknown},
		"no code":                 {400, `{"message":"Invalid amount","statusCode":400}`, intram.OutcomeUnknown},
		"another status":          {404, `{"code":"internal_error","message":"no","statusCode":500}`, intram.OutcomeUnknown},
		"the other API's":         {400, `{"error":true,"http_status":400,"code":"validation_error"}`, intram.OutcomeUnknown},
		"processed already":       {409, `{"code":"transaction_is_already_processed","message":"no","statusCode":409}`, intram.OutcomeUnknown},
		"refunded already":        {409, `{"code":"transaction_already_refunded","message":"no","statusCode":409}`, intram.OutcomeUnknown},
		"a conflict":              {409, `{"code":"idempotency_conflict","message":"no","statusCode":409}`, intram.OutcomeUnknown},
		"a limit, without a word": {429, `slow down`, intram.OutcomeRejected},
	} {
		server := &payinServer{answers: []payinAnswer{{status: tt.status, body: tt.body}}}
		_, err := newPayin(t, server).CreateSession(t.Context(), payinParams(), intram.WithMaxAttempts(1))
		assert.Equal(t, tt.outcome, intram.OutcomeOf(err), "%s: %v", name, err)
	}
	server := &payinServer{answers: []payinAnswer{{status: 409, body: `{"code":"transaction_is_already_processed","message":"no","statusCode":409}`}}}
	_, err := newPayin(t, server).CreateSession(t.Context(), payinParams(), intram.WithIdempotencyKey(uuid.NewString()))
	require.ErrorIs(t, err, intram.CodeTransactionIsAlreadyProcessed)
	assert.ErrorContains(t, err, "look the session up by its reference")
	assert.NotContains(t, err.Error(), "call again with the same idempotency key")
	assert.Len(t, server.requests, 1)
}

// A refusal that speaks of an earlier request leaves open what became of that one.
func TestAKeyThatWasTakenIsInDoubt(t *testing.T) {
	t.Parallel()
	conflict := `{"error":true,"http_status":409,"code":"idempotency_conflict","message":"Idempotency-Key already used"}`
	key, err := intram.DeriveIdempotencyKey("payout", "PO-2026-0001")
	require.NoError(t, err)
	for name, opts := range map[string]func(*intram.Client) []intram.CallOption{
		"given": func(*intram.Client) []intram.CallOption {
			return []intram.CallOption{intram.WithIdempotencyKey(ownKey)}
		},
		"derived": func(*intram.Client) []intram.CallOption {
			return []intram.CallOption{intram.WithIdempotencyKey(key)}
		},
		"saved": func(c *intram.Client) []intram.CallOption {
			intent, err := c.Payouts.Prepare(mobilePayout())
			require.NoError(t, err)
			return []intram.CallOption{intram.WithIntent(intent)}
		},
		// Something between the two has sent it before, and changed it.
		"made by this call": func(*intram.Client) []intram.CallOption { return nil },
	} {
		for _, header := range [][]string{nil, {"Idempotent-Replay", "true"}} {
			client, s := scripted(t, answer(409, conflict, header...))
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), opts(client)...)
			require.ErrorIs(t, err, intram.CodeIdempotencyConflict, name)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
			assert.ErrorContains(t, err, "look its operation up before you pay; do not use a new key", name)
			assert.NotContains(t, err.Error(), "call again with the same idempotency key", "that is refused again")
			assert.Len(t, s.requests(), 1, name)
		}
	}
}

// A refusal in the operator's name leaves as much open as an operation that failed with
// its code.
func TestARefusalInTheOperatorsNameIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, code := range []intram.ErrorCode{
		intram.CodeProviderError, intram.CodeProviderUnavailable, intram.CodeStripeUnavailable, intram.CodeOperationExpired, "expired", "PROVIDER_ERROR",
	} {
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(&intram.OperationError{OperationID: "op_1", Code: code}), code)
		for _, status := range []int{400, 402, 409, 421, 422, 429, 500, 502, 503} {
			for _, header := range [][]string{nil, {"Idempotent-Replay", "true"}} {
				refusal := answer(status, fmt.Sprintf(`{"error":true,"http_status":%d,"code":%q}`, status, code), header...)
				client, s := scripted(t, refusal, refusal)
				_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithMaxAttempts(1))
				require.ErrorIs(t, err, code)
				assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s %d", code, status)
				assert.ErrorContains(t, err, "the operator may have paid", "%s %d", code, status)
				assert.NotContains(t, err.Error(), "call again with the same idempotency key")
				assert.Len(t, s.requests(), 1)

				// The doubt stays while later calls say nothing else.
				s.steps = []step{answer(401, `{"error":true,"http_status":401,"code":"invalid_api_key"}`)}
				_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
				assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s %d", code, status)
			}
		}
		// A read pays nothing.
		client, _ := scripted(t, answer(400, fmt.Sprintf(`{"error":true,"http_status":400,"code":%q}`, code)))
		_, err := client.Balance.Get(t.Context())
		assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err), code)
	}
	client, _ := scripted(t, answer(400, `{"error":true,"http_status":400,"code":"provider_rejected"}`))
	_, err := client.Payouts.Create(t.Context(), mobilePayout())
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))
}

// What the body says of another request holds under the statuses that come before the
// work, too.
func TestAKeyThatWasTakenIsInDoubtWhateverTheStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []intram.ErrorCode{intram.CodeIdempotencyConflict, intram.CodeIdempotencyInProgress} {
		for _, status := range []int{407, 409, 414, 421, 422, 429, 431} {
			client, _ := scripted(t, answer(status, fmt.Sprintf(`{"error":true,"http_status":%d,"code":%q}`, status, code)))
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithMaxAttempts(1))
			require.ErrorIs(t, err, code)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s %d", code, status)
		}
	}
}

func TestAKeyUnderWayIsAskedForAgain(t *testing.T) {
	t.Parallel()
	busy := answer(409, `{"error":true,"http_status":409,"code":"idempotency_in_progress"}`)
	client, s := scripted(t, busy, busy, answer(202, accepted, "Idempotent-Replay", "true"))
	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	keys := map[string]bool{}
	for _, r := range s.requests() {
		keys[r.Header.Get("Idempotency-Key")] = true
	}
	assert.Equal(t, map[string]bool{ownKey: true}, keys)

	s.steps = []step{busy, busy, busy, busy}
	_, err = client.Payouts.Create(t.Context(), mobilePayout())
	require.ErrorIs(t, err, intram.CodeIdempotencyInProgress)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "do not use a new key")
	s.steps = []step{busy, answer(400, `{"error":true,"code":"validation_error"}`)}
	_, err = client.Payouts.Create(t.Context(), mobilePayout())
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "the request under way is not this one")
}

// The advice of this table, followed to the letter, pays once.
func TestAFirewallThatBlocksResponsesPaysOnce(t *testing.T) {
	t.Parallel()
	for _, fault := range []intramtest.Fault{
		{Kind: intramtest.ProxyRefusal}, {Kind: intramtest.ProxyRefusal, Status: 404}, {Kind: intramtest.GatewayJSON},
		{Kind: intramtest.GatewayJSON, Status: 451}, {Kind: intramtest.ErrorFalse}, {Kind: intramtest.IdempotencyInProgress, Times: 4},
	} {
		server := intramtest.NewServer(t, intramtest.WithoutListener())
		client := server.Client()
		fault.On, fault.Executed = "POST /payouts", true
		require.NoError(t, server.Fault(fault))
		keys := []string{ownKey, "a-new-key"}
		for {
			_, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(keys[0]))
			if err == nil {
				break
			}
			if intram.OutcomeOf(err) != intram.OutcomeUnknown {
				keys = keys[1:]
			}
		}
		server.Advance(0)
		wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
		assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "%s %d", fault.Kind, fault.Status)
	}
}

// A page of a proxy says nothing of an operation, and nothing of the lists.
func TestForeignRefusalsDoNotEndAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var steps []step
		for name, foreign := range foreignRefusals {
			if !strings.Contains(name, "replay") {
				steps = append(steps, foreign)
			}
		}
		client, s := waiting(t, 50, append(steps, finished(t))...)
		_, err := client.Payouts.Wait(t.Context(), "op_1", intram.WithMaxWait(0))
		require.NoError(t, err)
		assert.Len(t, s.requests(), len(steps)+1)
	})
	synctest.Test(t, func(t *testing.T) {
		server := &payinServer{answers: []payinAnswer{
			{status: 403, body: "<html>"}, {status: 404, body: `{"message":"no Route matched"}`},
			{status: 404, body: `{"code":"transaction_does_not_exist","message":"no","statusCode":404}`},
		}}
		_, err := newPayin(t, server).Wait(t.Context(), "order-1")
		require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
		assert.Greater(t, len(server.requests), 3, "asked again until it is believed")
	})
}

func TestOnePageOfAProxyDoesNotSwitchTheListsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock())
		client := server.Client()
		var ids []string
		for range 50 {
			params := intentParams()
			params.Amount = intram.NewAmount(100)
			params.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000008"} // paid after 30 s
			op, err := client.Payouts.Create(t.Context(), params)
			require.NoError(t, err)
			ids = append(ids, op.ID)
		}
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.ProxyRefusal, On: "GET /operations"}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range client.WaitMany(ctx, ids) {
			require.NoError(t, err)
		}
		lists, lookups := 0, 0
		for _, r := range server.Requests() {
			switch {
			case r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/operations"):
				lists++
			case r.Method == http.MethodGet:
				lookups++
			}
		}
		assert.Greater(t, lists, 2, "lists are read again")
		assert.Less(t, lookups, len(ids), "ids are not asked for one by one")
	})
}

// What a failed operation says of the money depends on its code: the documentation's
// payout.failed includes network errors towards the operator.
func TestOutcomesOfFailedOperations(t *testing.T) {
	t.Parallel()
	for code, want := range map[intram.ErrorCode]intram.Outcome{
		intram.CodeInsufficientBalance: intram.OutcomeRejected, intram.CodeMerchantWalletMissing: intram.OutcomeRejected,
		intram.CodeProviderRejected: intram.OutcomeRejected, intram.CodeMissingProviderCode: intram.OutcomeRejected,
		intram.CodeAmountExceedsTransaction: intram.OutcomeRejected, intram.CodeTransactionNotSettled: intram.OutcomeRejected,
		intram.CodeNotRefundable: intram.OutcomeRejected, intram.CodeUnsupportedPaymentMethod: intram.OutcomeRejected,
		intram.CodeResultFailed:  intram.OutcomeRejected,
		intram.CodeProviderError: intram.OutcomeUnknown, intram.CodeProviderUnavailable: intram.OutcomeUnknown,
		intram.CodeStripeUnavailable: intram.OutcomeUnknown, intram.CodeOperationExpired: intram.OutcomeUnknown,
		intram.CodeInternalError: intram.OutcomeUnknown, "a_code_of_next_year": intram.OutcomeUnknown, "": intram.OutcomeUnknown,
	} {
		err := fmt.Errorf("payout 7: %w", &intram.OperationError{OperationID: "op_1", Code: code})
		assert.Equal(t, want, intram.OutcomeOf(err), code)
		assert.Equal(t, want == intram.OutcomeUnknown, strings.Contains(err.Error(), "look it up there before you pay again"), "%v", err)
	}
	expired := &intram.OperationError{Code: intram.CodeInsufficientBalance, Operation: &intram.Operation{Status: intram.OperationExpired}}
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(expired))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf((*intram.OperationError)(nil)))
}

// Nothing has left the machine when a constructor fails.
func TestErrorsOfConstructorsAreNotSent(t *testing.T) {
	t.Setenv("INTRAM_PUBLIC_KEY", "")
	client, err := intram.NewClient(publicKey, secretKey)
	require.NoError(t, err)
	for name, construct := range map[string]func() error{
		"NewClient":    func() error { _, err := intram.NewClient("", secretKey); return err },
		"an option":    func() error { _, err := intram.NewClient(publicKey, secretKey, intram.WithTimeout(-1)); return err },
		"a nil option": func() error { _, err := intram.NewClient(publicKey, secretKey, nil); return err },
		"a base URL": func() error {
			_, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL("ftp://x"))
			return err
		},
		"NewClientFromEnv":     func() error { _, err := intram.NewClientFromEnv(); return err },
		"NewPayinClient":       func() error { _, err := intram.NewPayinClient("", ""); return err },
		"NewWebhookVerifier":   func() error { _, err := intram.NewWebhookVerifier(); return err },
		"NewReconciler":        func() error { _, err := intram.NewReconciler(client, nil, nil); return err },
		"DeriveIdempotencyKey": func() error { _, err := intram.DeriveIdempotencyKey("payout", ""); return err },
		"DerivePayinKey":       func() error { _, err := intram.DerivePayinKey(""); return err },
		"an option of payin": func() error {
			_, err := intram.NewClient(publicKey, secretKey, intram.WithPayinAccount("a"))
			return err
		},
		"a language of payin": func() error {
			_, err := intram.NewClient(publicKey, secretKey, intram.WithPayinLanguage("fr"))
			return err
		},
		"an address of payin": func() error {
			_, err := intram.NewClient(publicKey, secretKey, intram.WithPayinEnvironment(intram.Live))
			return err
		},
		"the other API's": func() error {
			_, err := intram.NewPayinClient("key", "client", intram.WithBaseURL(intram.BaseURL))
			return err
		},
	} {
		err := construct()
		require.Error(t, err, name)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), "%s: %v", name, err)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(fmt.Errorf("at start: %w", err)), name)
		assert.True(t, strings.HasPrefix(err.Error(), "intram: "), "%s: %v", name, err)
	}
}

// An option that a call has no use for is refused, or its documentation says that it is
// left aside.
func TestOptionsThatACallCannotUseAreRefused(t *testing.T) {
	t.Parallel()
	client, s := scripted(t)
	intent, err := client.Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	s.forever = answer(400, `{"error":true,"code":"x"}`)
	for name, call := range everyCall {
		before := len(s.requests())
		err := call(t.Context(), client, intram.WithIntent(intent))
		var e *intram.Error
		require.ErrorAs(t, err, &e, name)
		if e.Method == http.MethodPost {
			continue // what an intent is for
		}
		require.NotEmpty(t, e.Details, name)
		assert.Equal(t, "intent", e.Details[0].Path, name)
		assert.Equal(t, intram.OutcomeNotSent, e.Outcome, name)
		assert.Len(t, s.requests(), before, name)
	}
	_, err = client.Operations.Get(t.Context(), "op_1", intram.WithIntent(nil))
	require.ErrorIs(t, err, intram.CodeValidationError)
}
