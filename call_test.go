package intram_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestACallOfItsOwnIsSignedAndKeyed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	client := server.Client()
	var resp intram.Response
	body, err := client.Do(t.Context(), http.MethodPost, "/payouts", map[string]any{
		"amount": 25000, "destination": map[string]any{"type": "mobile_money", "provider_code": intram.MTNBenin, "msisdn": "22961000000"},
	}, intram.WithResponseInto(&resp))
	require.NoError(t, err)
	var created struct {
		Data intram.Operation `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &created))
	assert.NotEmpty(t, resp.IdempotencyKey)
	_, err = client.Payouts.Wait(t.Context(), created.Data.ID)
	require.NoError(t, err)

	body, err = client.Do(t.Context(), http.MethodGet, "/operations", url.Values{"type": {"payout"}, "limit": {"1"}})
	require.NoError(t, err)
	assert.Contains(t, string(body), created.Data.ID)
	assert.Contains(t, string(body), `"paging"`)

	_, err = client.Do(t.Context(), http.MethodGet, "/operations/op_unknown", nil)
	require.ErrorIs(t, err, intram.CodeOperationNotFound)
	assert.ErrorContains(t, err, "GET /operations/op_unknown")
}

func TestACallOfItsOwnIsRetriedWithItsKey(t *testing.T) {
	t.Parallel()
	client, s := scripted(t, answer(502, "<html>"), answer(202, accepted))
	_, err := client.Do(t.Context(), http.MethodPatch, "/payouts/22961234567/note", nil, intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	require.Len(t, s.sent, 2)
	for _, sent := range s.sent {
		assert.Equal(t, "{}", sent.Body)
		assert.Equal(t, ownKey, sent.Header.Get("Idempotency-Key"))
		assert.NotEmpty(t, sent.Header.Get("X-Signature"))
	}

	client, s = scripted(t, answer(403, "<html>"))
	_, err = client.Do(t.Context(), http.MethodPut, "/payouts/22961234567/note", struct {
		Note string `json:"note"`
	}{"x"})
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "PUT /payouts/{id}/note")
	assert.NotContains(t, err.Error(), "61234567")
	assert.Equal(t, `{"note":"x"}`, s.sent[0].Body)

	client, s = scripted(t, answer(200, `{"error":false}`))
	_, err = client.Do(t.Context(), http.MethodDelete, "/cards/tok-abc", url.Values{"force": {"yes"}, "a": {"1"}})
	require.NoError(t, err)
	assert.Empty(t, s.sent[0].Header.Get("Idempotency-Key"))
	assert.Equal(t, "a=1&force=yes", s.sent[0].Query)

	client, _ = scripted(t, answer(200, `{"data":{}}`))
	_, err = client.Do(t.Context(), http.MethodGet, "/cards", nil)
	assert.ErrorContains(t, err, "does not say what was done")
}

// An intent that was read back is of a call that may have been executed: it is made with
// the same key, and a refusal leaves it in doubt.
func TestACallOfItsOwnIsPrepared(t *testing.T) {
	t.Parallel()
	client, s := scripted(t, answer(422, `{"error":true,"code":"unknown_currency","message":"no"}`))
	params := map[string]any{"amount": 1}
	intent, err := client.PrepareDo(http.MethodPost, "/cards", params, intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	saved, err := json.Marshal(intent)
	require.NoError(t, err)
	back := new(intram.Intent)
	require.NoError(t, json.Unmarshal(saved, back))
	_, err = client.Do(t.Context(), http.MethodPost, "/cards", params, intram.WithIntent(back))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	require.Len(t, s.sent, 1)
	assert.Equal(t, ownKey, s.sent[0].Header.Get("Idempotency-Key"))
	_, err = client.Do(t.Context(), http.MethodPost, "/cards", map[string]any{"amount": 2}, intram.WithIntent(back))
	require.ErrorIs(t, err, intram.ErrIntentMismatch)

	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		_, err = client.PrepareDo(method, "/cards", nil)
		require.ErrorContains(t, err, "method must be POST, PUT or PATCH")
	}
	assert.Len(t, s.sent, 1)
}

func TestACallOfItsOwnIsCheckedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path string
		params       any
		field        string
	}{
		"no slash":              {"GET", "payouts", nil, "path"},
		"no path":               {"GET", "", nil, "path"},
		"the public path":       {"GET", "/v1/balance", nil, "path"},
		"the signed path":       {"POST", "/api/v1/merchant/payouts", nil, "path"},
		"only a slash":          {"GET", "/", nil, "path"},
		"a slash too many":      {"GET", "/payouts//x", nil, "path"},
		"steps up":              {"GET", "/payouts/../balance", nil, "path"},
		"a query":               {"GET", "/payouts?limit=1", nil, "path"},
		"escapes":               {"GET", "/payouts/%2e%2e", nil, "path"},
		"a line":                {"GET", "/payouts/a\r\nb", nil, "path"},
		"no method":             {"", "/payouts", nil, "method"},
		"small letters":         {"get", "/payouts", nil, "method"},
		"two lines":             {"GET\r\nX: y", "/payouts", nil, "method"},
		"HEAD":                  {"HEAD", "/payouts", nil, "method"},
		"a body of GET":         {"GET", "/payouts", map[string]any{}, "params"},
		"two values":            {"GET", "/payouts", url.Values{"a": {"1", "2"}}, "params"},
		"a value to be escaped": {"GET", "/payouts", url.Values{"a": {"1 2"}}, "params"},
		"no key":                {"DELETE", "/payouts", url.Values{"": {"1"}}, "params"},
		"no object":             {"POST", "/payouts", []int{1}, "params"},
		"null":                  {"POST", "/payouts", (*struct{})(nil), "params"},
		"a channel":             {"POST", "/payouts", make(chan int), "params"},
		"not UTF-8":             {"POST", "/payouts", map[string]string{"a": "\xff"}, "params"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t)
			_, err := client.Do(t.Context(), c.method, c.path, c.params)
			e := new(intram.Error)
			require.ErrorAs(t, err, &e)
			assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
			require.NotEmpty(t, e.Details)
			assert.Equal(t, c.field, e.Details[0].Path)
			assert.NotContains(t, err.Error(), "\n")
			assert.Empty(t, s.sent)
		})
	}
}

// Fields of next year's API are sent beside the known ones, and are part of what an
// intent is for.
func TestExtraFieldsOfEachCreation(t *testing.T) {
	t.Parallel()
	extra := map[string]any{"split": map[string]any{"to": "B"}, "a_new_field": json.Number("12345678901234567890")}
	const sent = `,"a_new_field":12345678901234567890,"split":{"to":"B"}}`
	calls := map[string]func(client *intram.Client, extra map[string]any) error{
		"payout": func(client *intram.Client, extra map[string]any) error {
			p := mobilePayout()
			p.Extra = extra
			_, err := client.Payouts.Create(t.Context(), p)
			return err
		},
		"refund": func(client *intram.Client, extra map[string]any) error {
			_, err := client.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF", Extra: extra})
			return err
		},
		"payment request": func(client *intram.Client, extra map[string]any) error {
			_, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
				Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF}, Extra: extra,
			})
			return err
		},
		"webhook": func(client *intram.Client, extra map[string]any) error {
			_, err := client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://shop.example/hook", Event: "*", Extra: extra})
			return err
		},
	}
	known := map[string]string{"payout": "Note", "refund": "reason", "payment request": "webhook_data", "webhook": "event"}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, answer(400, `{"error":true,"code":"validation_error"}`))
			require.ErrorIs(t, call(client, extra), intram.CodeValidationError)
			require.Len(t, s.sent, 1)
			assert.Contains(t, s.sent[0].Body, sent)

			for _, bad := range []map[string]any{{known[name]: 1}, {"x": make(chan int)}, {"x": "\xff"}, {"": 1}, {"amount\x00": 1}} {
				err := call(client, bad)
				assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
				assert.ErrorContains(t, err, "extra")
			}
			require.Len(t, s.sent, 1)
		})
	}
}

func TestExtraFieldsOfAPayinSession(t *testing.T) {
	t.Parallel()
	s := &script{t: t, steps: []step{answer(400, `{"error":true,"code":"validation_error"}`)}}
	client, err := intram.NewPayinClient("key", "client", intram.WithHTTPClient(&http.Client{Transport: s}))
	require.NoError(t, err)
	_, err = client.CreateSession(t.Context(), intram.PayinSessionParams{
		Reference: "order-1", Amount: intram.NewAmount(1000), MSISDN: "+2250700000000", CustomerName: "Ada", Country: "CI",
		Extra: map[string]any{"channel": "web"},
	})
	require.Error(t, err)
	require.Len(t, s.sent, 1)
	assert.Contains(t, s.sent[0].Body, `,"channel":"web"}`)
}

func TestExtraFieldsGoThroughJSONAndAreTheIntents(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	params := mobilePayout()
	params.Extra = map[string]any{"limit": json.Number("12345678901234567890"), "who": "ops"}
	intent, err := client.Payouts.Prepare(params)
	require.NoError(t, err)
	stored, err := json.Marshal(params)
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", params, params, params), "ops")
	var back intram.PayoutParams
	require.NoError(t, json.Unmarshal(stored, &back))
	op, err := client.Payouts.Create(t.Context(), back, intram.WithIntent(intent))
	require.NoError(t, err)

	back.Extra["who"] = "else"
	_, err = client.Payouts.Create(t.Context(), back, intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.ErrIntentMismatch)
	server.Advance(30 * time.Hour)
	found, err := client.Payouts.Resume(t.Context(), params, intent)
	require.NoError(t, err)
	assert.Equal(t, op.ID, found.ID)

	for _, v := range []any{
		&intram.RefundParams{TransactionReference: "AB12CD34EF", Extra: params.Extra},
		&intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1), Currency: intram.XOF}, Extra: params.Extra},
	} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(data), `"extra":{"limit":12345678901234567890,"who":"ops"}`)
		again, err := json.Marshal(readBack(t, data, v))
		require.NoError(t, err)
		assert.JSONEq(t, string(data), string(again))
	}
}

func readBack(t *testing.T, data []byte, v any) any {
	t.Helper()
	switch v.(type) {
	case *intram.RefundParams:
		back := new(intram.RefundParams)
		require.NoError(t, json.Unmarshal(data, back))
		return back
	default:
		back := new(intram.PaymentRequestParams)
		require.NoError(t, json.Unmarshal(data, back))
		return back
	}
}

// A call of one's own has no Resume, and its error does not advise one.
func TestAnExpiredIntentOfACallOfOnesOwnIsNotResumed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	params := map[string]any{"reason": "typed twice"}
	intent, err := server.Client().PrepareDo(http.MethodPost, "/payouts/op_1/cancel", params)
	require.NoError(t, err)
	server.Advance(25 * time.Hour)
	_, err = server.Client().Do(t.Context(), http.MethodPost, "/payouts/op_1/cancel", params, intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
	assert.NotContains(t, err.Error(), "call Resume")
	assert.Contains(t, err.Error(), "find out what it did")
}
