package intram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/jsstringify"
	"github.com/intram/intram-go/intramtest"
)

const (
	payinKey    = "payin-key-canary"
	payinClient = "payin-client-canary"
)

// payinServer responds to payin calls from a script, and remembers what it was asked.
type payinServer struct {
	answers  []payinAnswer // the last one repeats
	requests []*http.Request
	bodies   []string
}

type payinAnswer struct {
	status int
	body   string
	header http.Header
	err    error
}

func (s *payinServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, body)
	a := s.answers[min(len(s.requests), len(s.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	header := a.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func newPayin(t *testing.T, s *payinServer, opts ...intram.ClientOption) *intram.PayinService {
	t.Helper()
	p, err := intram.NewPayinClient(payinKey, payinClient,
		append([]intram.ClientOption{intram.WithHTTPClient(&http.Client{Transport: s}), intram.WithTracer(newCountingTracer(t))}, opts...)...)
	require.NoError(t, err)
	return p.PayinService
}

// paidReference is the merchant's reference of the sessions in the examples of
// payin.status.
const paidReference = "55a4e677-5700-4ed0-9a2a-9300db894ddb"

func payinExample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "examples", name))
	require.NoError(t, err)
	return string(data)
}

func payinParams() intram.PayinSessionParams {
	return intram.PayinSessionParams{
		Reference: "ef76fb64-af0b-4c37-8729-bf61d85721fd", AccountID: "merchant_9923lkdz", Amount: intram.NewAmount(300),
		MSISDN: "+2250702968786", CustomerName: "John Doe", Country: "CI",
	}
}

func TestPayinSessionIsSentAsTheDocsShow(t *testing.T) {
	t.Parallel()
	server := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.created.first.json")}}}
	payin, err := newPayin(t, server, intram.WithPayinLanguage("fr")).CreateSession(t.Context(), payinParams())
	require.NoError(t, err)

	require.Len(t, server.requests, 1)
	r := server.requests[0]
	assert.Equal(t, "POST", r.Method)
	assert.Equal(t, "https://business.novasend.app/v1/payin/sessions", r.URL.String())
	assert.JSONEq(t, payinExample(t, "payin.request.json"), server.bodies[0])
	key, secret, ok := r.BasicAuth()
	assert.True(t, ok)
	assert.Equal(t, payinKey, key)
	assert.Equal(t, payinClient, secret)
	assert.Equal(t, "fr", r.Header.Get("Accept-Language"))
	id, err := uuid.Parse(r.Header.Get("X-Idempotency-Key"))
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(4), id.Version())
	assert.Empty(t, r.Header.Get("X-Signature"), "payin requests are not signed")

	assert.Equal(t, "ef76fb64-af0b-4c37-8729-bf61d85721fd", payin.Reference)
	assert.Equal(t, "tr_fhchi842jyimwiugjgszcxvb8n", payin.ID)
	assert.Equal(t, "https://link.novasend.app/link/QGRD4D", payin.PaymentURL)
	assert.Equal(t, intram.PayinOutcomePending, payin.Outcome())
}

func TestPayinActionURLsAreSentTogether(t *testing.T) {
	t.Parallel()
	server := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.created.newer.json")}}}
	params := payinParams()
	params.AccountID, params.SuccessURL, params.FailureURL = "", "https://shop.example.com/ok", "https://shop.example.com/no"
	params.Reference = "0f3fed58-0590-434e-8a00-5d6cd3560382"
	payin, err := newPayin(t, server, intram.WithPayinAccount("acc_default")).CreateSession(t.Context(), params)
	require.NoError(t, err)
	assert.JSONEq(t, `{"reference":"0f3fed58-0590-434e-8a00-5d6cd3560382","accountId":"acc_default","amount":300,"msisdn":"+2250702968786",
		"customerName":"John Doe","country":"CI","action":{"successUrl":"https://shop.example.com/ok","failureUrl":"https://shop.example.com/no"}}`,
		server.bodies[0])
	assert.Equal(t, "pr_bakvkozbmqcmte1d8izelffjlz", payin.ID)
	assert.Equal(t, "0f3fed58-0590-434e-8a00-5d6cd3560382", payin.Reference)
	assert.Equal(t, "Ada", payin.Customer.Name)
	assert.True(t, payin.Fee.Equal(intram.NewAmount(7)))
}

func TestPayinReferenceIsGeneratedAndReported(t *testing.T) {
	t.Parallel()
	server := &payinServer{answers: []payinAnswer{{status: 403, body: payinExample(t, "payin.error.json")}}}
	params := payinParams()
	params.Reference = ""
	_, err := newPayin(t, server).CreateSession(t.Context(), params)
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	require.NoError(t, uuid.Validate(e.Reference))
	assert.Contains(t, server.bodies[0], e.Reference)
	assert.ErrorIs(t, err, intram.CodeAPITokenInvalid)
	assert.Equal(t, intram.OutcomeRejected, e.Outcome)
	assert.Equal(t, 403, e.StatusCode)
	assert.NotContains(t, fmt.Sprintf("%#v %+v", err, err), payinClient)
}

func TestPayinRetriesKeepTheKeyAndTheBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := intram.DerivePayinKey("order-4521")
		require.NoError(t, err)
		server := &payinServer{answers: []payinAnswer{
			{err: io.ErrUnexpectedEOF}, {status: 502, body: "<html>"}, {status: 200, body: payinExample(t, "payin.created.first.json")},
		}}
		_, err = newPayin(t, server).CreateSession(t.Context(), payinParams(), intram.WithIdempotencyKey(key))
		require.NoError(t, err)
		require.Len(t, server.requests, 3)
		for i, r := range server.requests {
			assert.Equal(t, key, r.Header.Get("X-Idempotency-Key"), "attempt %d", i+1)
			assert.Equal(t, server.bodies[0], server.bodies[i], "attempt %d", i+1)
		}
	})
}

func TestDerivePayinKeyIsAStableVersion5UUID(t *testing.T) {
	t.Parallel()
	key, err := intram.DerivePayinKey("order-4521")
	require.NoError(t, err)
	// Pinned, and computed by another implementation of RFC 9562: a key that changed
	// between two releases would charge a customer twice.
	assert.Equal(t, "11fe8cef-c2ed-5fa7-b05e-1a60b936ed44", key)
	id, err := uuid.Parse(key)
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(5), id.Version())
	other, err := intram.DerivePayinKey("order-4522")
	require.NoError(t, err)
	assert.NotEqual(t, key, other)
	_, err = intram.DerivePayinKey("")
	assert.ErrorContains(t, err, "reference")
}

func TestPayinParametersAreCheckedBeforeSending(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*intram.PayinSessionParams)
		opts   []intram.CallOption
		path   string
	}{
		"no amount":           {change: func(p *intram.PayinSessionParams) { p.Amount = intram.Amount{} }, path: "amount"},
		"negative amount":     {change: func(p *intram.PayinSessionParams) { p.Amount = intram.NewAmount(-1) }, path: "amount"},
		"amount with cents":   {change: func(p *intram.PayinSessionParams) { p.Amount = mustAmount("0.5") }, path: "amount"},
		"no msisdn":           {change: func(p *intram.PayinSessionParams) { p.MSISDN = "" }, path: "msisdn"},
		"msisdn with letters": {change: func(p *intram.PayinSessionParams) { p.MSISDN = "+22507029687AB" }, path: "msisdn"},
		"msisdn too long":     {change: func(p *intram.PayinSessionParams) { p.MSISDN = "+1234567890123456" }, path: "msisdn"},
		"msisdn too short":    {change: func(p *intram.PayinSessionParams) { p.MSISDN = "+1234567" }, path: "msisdn"},
		"msisdn from zero":    {change: func(p *intram.PayinSessionParams) { p.MSISDN = "+0123456789" }, path: "msisdn"},
		"broken name":         {change: func(p *intram.PayinSessionParams) { p.CustomerName = "Ad\xff" }, path: "customerName"},
		"XAF with cents": {change: func(p *intram.PayinSessionParams) {
			p.Country, p.MSISDN, p.Amount = "CM", "+237650000000", mustAmount("100.5")
		}, path: "amount"},
		"no XAF":              {change: func(p *intram.PayinSessionParams) { p.Country, p.Amount = "CM", intram.Amount{} }, path: "amount"},
		"no country":          {change: func(p *intram.PayinSessionParams) { p.Country = "" }, path: "country"},
		"country in small":    {change: func(p *intram.PayinSessionParams) { p.Country = "ci" }, path: "country"},
		"country of three":    {change: func(p *intram.PayinSessionParams) { p.Country = "CIV" }, path: "country"},
		"reference with path": {change: func(p *intram.PayinSessionParams) { p.Reference = "../x" }, path: "reference"},
		"reference .":         {change: func(p *intram.PayinSessionParams) { p.Reference = "." }, path: "reference"},
		"a step within":       {change: func(p *intram.PayinSessionParams) { p.Reference = `a\..\b` }, path: "reference"},
		"broken reference":    {change: func(p *intram.PayinSessionParams) { p.Reference = "\xff" }, path: "reference"},
		"one URL alone":       {change: func(p *intram.PayinSessionParams) { p.SuccessURL = "https://shop.example.com" }, path: "action.failureUrl"},
		"relative URL": {change: func(p *intram.PayinSessionParams) {
			p.SuccessURL, p.FailureURL = "/paid", "https://shop.example.com"
		}, path: "action.successUrl"},
		"key that is no UUID": {opts: []intram.CallOption{intram.WithIdempotencyKey("payout-0001")}, path: "idempotency_key"},
		"key in braces":       {opts: []intram.CallOption{intram.WithIdempotencyKey("{" + uuid.NewString() + "}")}, path: "idempotency_key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &payinServer{}
			params := payinParams()
			if tc.change != nil {
				tc.change(&params)
			}
			_, err := newPayin(t, server).CreateSession(t.Context(), params, tc.opts...)
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
			require.Len(t, e.Details, 1, "%v", err)
			assert.Equal(t, tc.path, e.Details[0].Path)
			assert.Empty(t, server.requests)
		})
	}
}

// What the docs leave open, or say of some countries alone, is the API's to refuse.
func TestPayinParametersAreNoStricterThanTheDocs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*intram.PayinSessionParams){
		"below the limit of XOF": func(p *intram.PayinSessionParams) { p.Amount = intram.NewAmount(99) },
		"above the limit of XOF": func(p *intram.PayinSessionParams) { p.Amount = intram.NewAmount(2_000_001) },
		"Cameroon":               func(p *intram.PayinSessionParams) { p.Country, p.MSISDN = "CM", "+237650000000" },
		"a long name":            func(p *intram.PayinSessionParams) { p.CustomerName = strings.Repeat("é", 300) },
		"a long account":         func(p *intram.PayinSessionParams) { p.AccountID = strings.Repeat("m", 300) },
		"no name":                func(p *intram.PayinSessionParams) { p.CustomerName = "" },
		"URLs of an app": func(p *intram.PayinSessionParams) {
			p.SuccessURL, p.FailureURL = "myapp://paid", "http://shop.example.com"
		},
	} {
		server := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.created.first.json")}}}
		params := payinParams()
		change(&params)
		_, err := newPayin(t, server).CreateSession(t.Context(), params)
		require.NoError(t, err, name)
		assert.Equal(t, params.CustomerName != "", strings.Contains(server.bodies[0], "customerName"), "%s: %s", name, server.bodies[0])
	}
}

// The docs exclude no character from the merchant's own reference: each one is escaped in
// the path, and finds the session again.
func TestAPayinReferenceHasAnyCharacters(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	payin := server.Client().Payin
	for _, reference := range []string{
		"order/1", "a b", "commande n° 7", "a?b", "#1", "a%2Fb", "%2e%2e", "100%", "x&y=z", "a+b", `q"q`, "<b>", "a\\b", "//", "...", "日本 😀",
		" lead", "nl\nhere", strings.Repeat("x", 300),
	} {
		p, err := payin.CreateSession(t.Context(), intram.PayinSessionParams{
			Reference: reference, Amount: intram.NewAmount(300), MSISDN: "+2250702968786", Country: "CI",
			SuccessURL: "https://shop.example.com/ok", FailureURL: "https://shop.example.com/no",
		})
		require.NoError(t, err, "%q", reference)
		assert.Equal(t, reference, p.Reference)
		found, err := payin.Get(t.Context(), reference)
		require.NoError(t, err, "%q", reference)
		assert.Equal(t, p.ID, found.ID, "%q", reference)
		found, err = payin.Refresh(t.Context(), p)
		require.NoError(t, err, "%q", reference)
		assert.Equal(t, reference, found.Reference)
	}
}

func mustAmount(s string) intram.Amount {
	a, err := intram.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

func TestPayinWithoutCredentialsSaysSoBeforeSending(t *testing.T) {
	t.Parallel()
	client, err := intram.NewClient("pk_sandbox_a1", "sk_sandbox_b2")
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"create": func() error { _, err := client.Payin.CreateSession(t.Context(), payinParams()); return err },
		"get":    func() error { _, err := client.Payin.Get(t.Context(), "order-1"); return err },
		"wait":   func() error { _, err := client.Payin.Wait(t.Context(), paidReference); return err },
	} {
		err := call()
		assert.ErrorContains(t, err, "intram.WithPayin", name)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), name)
	}
}

func TestPayinSpeaksToTheAddressOfItsEnvironment(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, service func(*payinServer) *intram.PayinService) string {
		t.Helper()
		server := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.status.paid.json")}}}
		_, err := service(server).Get(t.Context(), paidReference)
		require.NoError(t, err)
		return server.requests[0].URL.String()
	}
	onClient := func(publicKey, secretKey string, opts ...intram.ClientOption) func(*payinServer) *intram.PayinService {
		return func(s *payinServer) *intram.PayinService {
			client, err := intram.NewClient(publicKey, secretKey, intram.WithHTTPClient(&http.Client{Transport: s}),
				intram.WithPayin(payinKey, payinClient, opts...))
			require.NoError(t, err)
			return client.Payin
		}
	}
	assert.Equal(t, "https://sandbox.novasend.app/v1/payin/"+paidReference, ask(t, onClient("pk_sandbox_a1", "sk_sandbox_b2")))
	assert.Equal(t, "https://business.novasend.app/v1/payin/"+paidReference, ask(t, onClient("pk_live_a1", "sk_live_b2")))
	assert.Equal(t, "https://business.novasend.app/v1/payin/"+paidReference,
		ask(t, onClient("pk_sandbox_a1", "sk_sandbox_b2", intram.WithPayinEnvironment(intram.Live))))
	assert.Equal(t, "http://127.0.0.1:9/v1/payin/"+paidReference,
		ask(t, onClient("pk_sandbox_a1", "sk_sandbox_b2", intram.WithPayinBaseURL("http://127.0.0.1:9/"))))
	assert.Equal(t, "https://sandbox.novasend.app/v1/payin/"+paidReference, ask(t, func(s *payinServer) *intram.PayinService {
		return newPayin(t, s, intram.WithPayinEnvironment(intram.Sandbox))
	}))
}

func TestPayinOptionsAreRefusedAtConstruction(t *testing.T) {
	t.Parallel()
	for want, construct := range map[string]func() error{
		"apiKey is empty":      func() error { _, err := intram.NewPayinClient("", payinClient); return err },
		"apiClient is empty":   func() error { _, err := intram.NewPayinClient(payinKey, ""); return err },
		"apiKey has a colon":   func() error { _, err := intram.NewPayinClient("a:b", payinClient); return err },
		"apiClient has spaces": func() error { _, err := intram.NewPayinClient(payinKey, "a b"); return err },
		"WithPayinBaseURL": func() error {
			_, err := intram.NewPayinClient(payinKey, payinClient, intram.WithPayinBaseURL("http://example.com"))
			return err
		},
		"use WithPayinBaseURL": func() error {
			_, err := intram.NewPayinClient(payinKey, payinClient, intram.WithBaseURL("https://example.com"))
			return err
		},
		"WithPayinLanguage": func() error {
			_, err := intram.NewPayinClient(payinKey, payinClient, intram.WithPayinLanguage("de"))
			return err
		},
		"WithPayinEnvironment": func() error {
			_, err := intram.NewPayinClient(payinKey, payinClient, intram.WithPayinEnvironment("test"))
			return err
		},
		"WithPayin: an option is nil": func() error {
			_, err := intram.NewClient("pk_live_a1", "sk_live_b2", intram.WithPayin(payinKey, payinClient, nil))
			return err
		},
		"not for payin sessions": func() error {
			_, err := intram.NewClient("pk_live_a1", "sk_live_b2", intram.WithPayin(payinKey, payinClient, intram.WithMaxAttempts(1)))
			return err
		},
	} {
		err := construct()
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), payinKey)
		assert.NotContains(t, err.Error(), payinClient)
	}
}

func TestPayinExamplesReadAsTheTableSays(t *testing.T) {
	t.Parallel()
	want := map[string]intram.PayinOutcome{
		"payin.created.first.json":            intram.PayinOutcomePending,
		"payin.created.newer.json":            intram.PayinOutcomePending,
		"payin.status.paid.json":              intram.PayinOutcomePaid,
		"payin.status.refused.json":           intram.PayinOutcomeRefused,
		"payin.status.declined.json":          intram.PayinOutcomeDeclined,
		"payin.status.expired.json":           intram.PayinOutcomeExpired,
		"payin.status.failure.json":           intram.PayinOutcomeFailed,
		"payin.status.unconfirmed_null.json":  intram.PayinOutcomePending,
		"payin.status.unconfirmed_empty.json": intram.PayinOutcomePending,
	}
	files, err := filepath.Glob("testdata/examples/payin.*.json")
	require.NoError(t, err)
	read := 0
	for _, file := range files {
		name := filepath.Base(file)
		if name == "payin.error.json" || name == "payin.request.json" {
			continue
		}
		read++
		var p intram.Payin
		require.NoError(t, json.Unmarshal([]byte(payinExample(t, name)), &p), name)
		outcome, known := want[name]
		require.True(t, known, "%s has no expected outcome", name)
		assert.Equal(t, outcome, p.Outcome(), name)
		assert.Equal(t, outcome != intram.PayinOutcomePending, p.Outcome().Finished(), name)
		again, err := json.Marshal(p)
		require.NoError(t, err)
		assert.JSONEq(t, payinExample(t, name), string(again), name)
	}
	assert.Equal(t, len(want), read)
}

func TestPayinAmountsAreExactWhetherNumbersOrStrings(t *testing.T) {
	t.Parallel()
	var p intram.Payin
	require.NoError(t, json.Unmarshal([]byte(payinExample(t, "payin.status.paid.json")), &p))
	assert.True(t, p.Amount.Equal(intram.NewAmount(300)))
	assert.True(t, p.ChargedAmount.Equal(p.Amount.Add(p.Fee)))
	require.NotNil(t, p.Transaction)
	assert.True(t, p.Transaction.Amount.Equal(intram.NewAmount(153)))
	assert.Equal(t, "153.00", p.Transaction.Amount.String())
	assert.Equal(t, time.Date(2025, 11, 5, 16, 12, 42, 96e6, time.UTC), p.Transaction.ProcessedAt)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, *p.Transaction), "+225")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, *p.Transaction), "Habib")
}

// TestPayinOutcomeOfEveryCombination goes through all statuses, confirmations,
// transactions and failures, the contradictory ones included. The expectation is written
// as the rules of the docs in words, not as the code has them.
func TestPayinOutcomeOfEveryCombination(t *testing.T) {
	t.Parallel()
	statuses := []string{"processing", "processed", "expired", "failed", "success", "", "brand_new_word"}
	confirmations := []string{"none", "accepted", "declined", "expired", "brand_new_word"}
	transactions := []string{"null", `{}`, `{"reference":"tr_1","status":"completed"}`, `{"reference":"tr_1","status":"failed"}`, `{"reference":"tr_1","status":"brand_new_word"}`}
	failures := []string{"null", `{"code":"client_not_enough_cash","message":"Solde insuffisant"}`}

	counts := map[intram.PayinOutcome]int{}
	for _, status := range statuses {
		for _, confirmation := range confirmations {
			for ti, transaction := range transactions {
				for fi, failure := range failures {
					want := intram.PayinOutcomePending
					switch {
					case ti == 2:
						want = intram.PayinOutcomePaid
					case ti == 3:
						want = intram.PayinOutcomeRefused
					case ti == 4:
						want = intram.PayinOutcomePending
					case status == "success":
						want = intram.PayinOutcomePaid
					case fi == 1:
						want = intram.PayinOutcomeFailed
					case confirmation == "declined":
						want = intram.PayinOutcomeDeclined
					case confirmation == "expired" || status == "expired":
						want = intram.PayinOutcomeExpired
					case status == "failed":
						want = intram.PayinOutcomeFailed
					}
					counts[want]++
					body := fmt.Sprintf(`{"reference":"r","status":%q,"confirmationStatus":%q,"transaction":%s,"failure":%s}`,
						status, confirmation, transaction, failure)
					var p intram.Payin
					require.NoError(t, json.Unmarshal([]byte(body), &p), body)
					assert.Equal(t, want, p.Outcome(), body)
				}
			}
		}
	}
	assert.Equal(t, map[intram.PayinOutcome]int{
		intram.PayinOutcomePaid: 70 + 2*10, intram.PayinOutcomeRefused: 70, intram.PayinOutcomeFailed: 2*6*5 + 2*3,
		intram.PayinOutcomePending: 70 + 2*4*3, intram.PayinOutcomeDeclined: 2 * 6, intram.PayinOutcomeExpired: 2 * (6 + 3),
	}, counts, "350 combinations")
}

func TestPayinPendingTransactionAndOtherWordForNoneArePending(t *testing.T) {
	t.Parallel()
	var p intram.Payin
	require.NoError(t, json.Unmarshal([]byte(`{"reference":"r","status":"processed","confirmationStatus":"pending","transaction":{"status":"pending"}}`), &p))
	assert.Equal(t, intram.PayinOutcomePending, p.Outcome())
	assert.Equal(t, intram.PayinConfirmationNone, p.ConfirmationStatus)
}

func TestPayinWaitAsksEveryFiveToTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pending, paid := payinExample(t, "payin.status.unconfirmed_null.json"), payinExample(t, "payin.status.paid.json")
		server := &payinServer{answers: []payinAnswer{{status: 200, body: pending}}}
		for range 9 {
			server.answers = append(server.answers, payinAnswer{status: 200, body: pending})
		}
		server.answers = append(server.answers, payinAnswer{status: 200, body: paid})
		var at []time.Time
		transport := payinTransport(func(r *http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return server.RoundTrip(r)
		})
		payin, err := newPayin(t, server, intram.WithHTTPClient(&http.Client{Transport: transport})).Wait(t.Context(), paidReference)
		require.NoError(t, err)
		assert.Equal(t, intram.PayinOutcomePaid, payin.Outcome())
		require.Len(t, at, 11)
		for i := 1; i < len(at); i++ {
			pause := at[i].Sub(at[i-1])
			assert.GreaterOrEqual(t, pause, 5*time.Second)
			assert.LessOrEqual(t, pause, 10*time.Second)
		}
	})
}

func TestPayinWaitThatEndsFirstGivesTheLastSeenSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &payinServer{answers: []payinAnswer{{status: 200, body: payinExample(t, "payin.status.unconfirmed_null.json")}}}
		_, err := newPayin(t, server).Wait(t.Context(), paidReference, intram.WithMaxWait(20*time.Second))
		var e *intram.WaitError
		require.ErrorAs(t, err, &e)
		require.NotNil(t, e.Payin)
		assert.Equal(t, intram.PayinStatusProcessing, e.Payin.Status)
		assert.ErrorContains(t, err, "last seen pending")
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	})
}

func TestPayinAnswerWithoutReferenceIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `[]`, `<html>`, `{"reference":1}`, ``} {
		server := &payinServer{answers: []payinAnswer{{status: 200, body: body}}}
		_, err := newPayin(t, server).CreateSession(t.Context(), payinParams())
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), body)
		assert.Len(t, server.requests, 1, body)
	}
}

type payinVector struct{ Name, Secret, Body, Signature string }

func payinVectors(tb testing.TB) []payinVector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors/payin_webhooks.json")
	require.NoError(tb, err)
	var vectors []payinVector
	require.NoError(tb, json.Unmarshal(data, &vectors))
	require.NotEmpty(tb, vectors)
	return vectors
}

func TestPayinNotificationVectorsVerify(t *testing.T) {
	t.Parallel()
	for _, v := range payinVectors(t) {
		for name, signature := range map[string]string{"lower": v.Signature, "upper": strings.ToUpper(v.Signature)} {
			note, err := intram.VerifyPayinNotification(http.Header{"X-Signature-Value": {signature}}, []byte(v.Body), "old-secret", v.Secret)
			require.NoError(t, err, name)
			assert.Equal(t, "TRX-69806a329d1b9", note.Payin.Reference)
			assert.Equal(t, "tr_bbodj27lqhckrc7yomyjlo", note.Payin.ID)
			assert.True(t, note.Payin.Amount.Equal(intram.NewAmount(306)))
			assert.Empty(t, note.Type)
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", note, note, *note), "+225")
		}
		assert.Equal(t, v.Signature, intramtest.SignPayinNotification(v.Secret, []byte(v.Body)).Get("X-Signature-Value"))
	}
}

// The API's sentence stays in Message, in whatever language it came.
func TestPayinErrorsInFrenchReadAsInEnglish(t *testing.T) {
	t.Parallel()
	const sentence = "La transaction de Mme Long n'existe pas"
	for _, language := range []string{"en", "fr"} {
		server := &payinServer{answers: []payinAnswer{{status: http.StatusNotFound, body: `{"statusCode":404,"code":"transaction_does_not_exist","message":"` + sentence + `"}`}}}
		payin, err := intram.NewPayinClient("payin-key", "payin-client", intram.WithPayinLanguage(language), intram.WithHTTPClient(&http.Client{Transport: server}))
		require.NoError(t, err)
		_, err = payin.Get(t.Context(), "order-1")
		require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
		assert.Equal(t, "intram: GET /v1/payin/{reference}: transaction_does_not_exist (HTTP 404): the API's own words are in Message", err.Error())
		var e *intram.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, sentence, e.Message)
	}
}

func TestPayinNotificationsThatAreRefused(t *testing.T) {
	t.Parallel()
	v := payinVectors(t)[0]
	good := http.Header{"X-Signature-Value": {v.Signature}}
	for name, tc := range map[string]struct {
		header  http.Header
		body    string
		secrets []string
		want    error
	}{
		"no signature":   {http.Header{}, v.Body, []string{v.Secret}, intram.ErrMissingSignature},
		"two signatures": {http.Header{"X-Signature-Value": {v.Signature, v.Signature}}, v.Body, []string{v.Secret}, intram.ErrDuplicateHeader},
		"not hex":        {http.Header{"X-Signature-Value": {"sha256=" + v.Signature}}, v.Body, []string{v.Secret}, intram.ErrInvalidSignature},
		"short":          {http.Header{"X-Signature-Value": {v.Signature[:62]}}, v.Body, []string{v.Secret}, intram.ErrInvalidSignature},
		"another secret": {good, v.Body, []string{"another"}, intram.ErrInvalidSignature},
		"one byte more":  {good, v.Body + " ", []string{v.Secret}, intram.ErrInvalidSignature},
		"no JSON":        {intramtest.SignPayinNotification("s", []byte("{")), "{", []string{"s"}, intram.ErrInvalidPayload},
		"no reference":   {intramtest.SignPayinNotification("s", []byte("{}")), "{}", []string{"s"}, intram.ErrInvalidPayload},
	} {
		note, err := intram.VerifyPayinNotification(tc.header, []byte(tc.body), tc.secrets...)
		require.ErrorIs(t, err, tc.want, name)
		assert.Nil(t, note, name)
		assert.NotContains(t, err.Error(), v.Secret, name)
	}
	_, err := intram.VerifyPayinNotification(good, []byte(v.Body))
	assert.ErrorContains(t, err, "at least one secret")
	_, err = intram.VerifyPayinNotification(good, []byte(v.Body), "")
	assert.ErrorContains(t, err, "secret 1 is empty")
	for secret, says := range map[string]string{
		`"` + v.Secret + `"`: "secret 2 has quotes around it", v.Secret + "\n": "secret 2 has spaces or a line break around it",
		"sk_live_canary": "secret 2 is a secret key (sk_…)", "whsec_canary": "secret 2 is a webhook secret (whsec_…)",
	} {
		// Whatever came: a forged notification must not hide the mistake.
		_, err = intram.VerifyPayinNotification(http.Header{}, nil, v.Secret, secret)
		require.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), "canary")
	}
}

// The docs' sample signs JSON.stringify(JSON.parse(body)). The signatures are of texts
// that Node made.
func TestPayinNotificationsVerifyAsTheDocsSampleSignsThem(t *testing.T) {
	t.Parallel()
	const secret = "payin-webhook-secret"
	verify := func(body, signed string) (*intram.PayinNotification, error) {
		return intram.VerifyPayinNotification(intramtest.SignPayinNotification(secret, []byte(signed)), []byte(body), "old-secret", secret)
	}
	for body, signed := range map[string]string{
		payinVectors(t)[0].Body: strings.ReplaceAll(payinVectors(t)[0].Body, `\/`, `/`),
		"{ \"reference\" : \"r\",\n \"amount\": 306.00, \"customer\": {\"name\": \"Ren\\u00e9e \\ud83d\\ude00\"} }\n": `{"reference":"r","amount":306,"customer":{"name":"Renée 😀"}}`,
		"\ufeff{\"b\":1e2,\"reference\":\"r\",\"1\":null}":                                                            `{"1":null,"b":100,"reference":"r"}`,
	} {
		note, err := verify(body, signed)
		require.NoError(t, err, body)
		assert.Equal(t, signed, string(note.Payin.Raw), "what was signed is what is read")
		_, err = verify(body, signed+" ")
		require.ErrorIs(t, err, intram.ErrInvalidSignature)
	}
	// What JavaScript reads otherwise than Go is read as it was signed.
	const paid = `{"reference":"r","amount":306,"transaction":{"reference":"t","status":"failed","amount":"306.00"}}`
	for _, body := range []string{
		`{"reference":"r","amount":1,"amount":306,"transaction":{"reference":"t","status":"completed"},"transaction":{"reference":"t","status":"failed","amount":"306.00"}}`,
		`{"reference":"r","amount":306.000000000000000001,"transaction":{"reference":"t","status":"failed","amount":"306.00"}}`,
	} {
		note, err := verify(body, paid)
		require.NoError(t, err, body)
		assert.Equal(t, "306", note.Payin.Amount.String())
		assert.Equal(t, intram.PayinOutcomeRefused, note.Payin.Outcome())
	}
	// Nothing else is taken for it.
	for _, body := range []string{
		`{"reference":"r","amount":307}`, `{"Reference":"r","amount":306}`, `{"amount":306,"reference":"r"}`, `{"reference":"r","amount":"306"}`, `{"reference":"r","amount":306,}`, "", "{\"reference\":\"r\xff\"}",
		`{"reference":"r","amount":306}` + strings.Repeat(" ", 1<<20),
	} {
		_, err := verify(body, `{"reference":"r","amount":306}`)
		require.ErrorIs(t, err, intram.ErrInvalidSignature, body[:min(len(body), 60)])
	}
}

func TestPayinNotificationTypeFollowsTheConfirmation(t *testing.T) {
	t.Parallel()
	for confirmation, want := range map[string]intram.EventType{
		"accepted": intram.EventPayinConfirmed, "declined": intram.EventPayinDeclined, "none": "", "expired": "", "new": "",
	} {
		body := fmt.Appendf(nil, `{"reference":"r","confirmationStatus":%q}`, confirmation)
		note, err := intram.VerifyPayinNotification(intramtest.SignPayinNotification("s", body), body, "s")
		require.NoError(t, err)
		assert.Equal(t, want, note.Type, confirmation)
	}
}

func FuzzVerifyPayinNotification(f *testing.F) {
	for _, v := range payinVectors(f) {
		f.Add(v.Signature, v.Body)
	}
	f.Add("", "{}")
	f.Add("", ` {"reference":"a\/b","2":1,"1":1e2,"1":"\ud800"} `)
	f.Fuzz(func(t *testing.T, signature, body string) {
		note, err := intram.VerifyPayinNotification(http.Header{"X-Signature-Value": {signature}}, []byte(body), "secret")
		if (note == nil) == (err == nil) {
			t.Fatalf("a nil value with a nil error, or both: %v, %v", note, err)
		}
		forms := [][]byte{[]byte(body)}
		if rewritten, ok := jsstringify.Rewrite(bytes.TrimPrefix([]byte(body), []byte("\ufeff"))); ok {
			forms = append(forms, rewritten)
		}
		signed := false
		for _, form := range forms {
			header := intramtest.SignPayinNotification("secret", form)
			signed = signed || strings.EqualFold(signature, header.Get("X-Signature-Value"))
			if _, err := intram.VerifyPayinNotification(header, []byte(body), "secret"); err != nil {
				require.ErrorIs(t, err, intram.ErrInvalidPayload)
			}
		}
		if err == nil && !signed {
			t.Fatalf("signature %q was taken for %q", signature, body)
		}
	})
}

func FuzzPayinOutcome(f *testing.F) {
	files, err := filepath.Glob("testdata/examples/payin.*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, body string) {
		var p intram.Payin
		if json.Unmarshal([]byte(body), &p) != nil {
			return
		}
		outcome := p.Outcome()
		paid := p.Status == intram.PayinStatusSuccess
		if p.Transaction != nil {
			paid = p.Transaction.Status == intram.PayinTransactionCompleted
		}
		if (outcome == intram.PayinOutcomePaid) != paid {
			t.Fatalf("%q of %s: only a completed transaction, or a success without one, is paid", outcome, body)
		}
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var second intram.Payin
		require.NoError(t, json.Unmarshal(again, &second))
		if second.Outcome() != outcome {
			t.Fatalf("%q became %q after a round trip of %s", outcome, second.Outcome(), body)
		}
	})
}

// payinTransport is a function that makes attempts.
type payinTransport func(*http.Request) (*http.Response, error)

func (f payinTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// There is no list of sessions, and so no Resume: the error says what there is.
func TestAnExpiredPayinKeySaysWhatToDoInstead(t *testing.T) {
	t.Parallel()
	s := &payinServer{answers: []payinAnswer{{err: errors.New("reset")}}}
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	p := newPayin(t, s, intram.WithClock(fixedClock{at}), intram.WithMaxAttempts(1))
	intent, err := p.Prepare(payinParams())
	require.NoError(t, err)
	_, err = p.CreateSession(t.Context(), payinParams(), intram.WithIntent(intent))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	sent := len(s.requests)
	_, err = newPayin(t, s, intram.WithClock(fixedClock{at.Add(24 * time.Hour)})).CreateSession(t.Context(), payinParams(), intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "look the session up by its reference, with Payin.Get")
	assert.NotContains(t, err.Error(), "Resume")
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, payinParams().Reference, e.Reference)
	assert.Len(t, s.requests, sent)
}

// A UUID is the same in upper and in lower case: so is the doubt about it.
func TestADoubtAboutAPayinKeyIsOfEverySpelling(t *testing.T) {
	t.Parallel()
	const key = "ef76fb64-af0b-4c37-8729-bf61d85721fd"
	refused := payinAnswer{status: http.StatusForbidden, body: `{"code":"api_token_invalid","message":"no","statusCode":403}`}
	s := &payinServer{answers: []payinAnswer{{err: errors.New("reset")}, refused, {status: 200, body: payinExample(t, "payin.created.first.json")}, refused}}
	p := newPayin(t, s, intram.WithMaxAttempts(1))
	create := func(key string) error {
		_, err := p.CreateSession(t.Context(), payinParams(), intram.WithIdempotencyKey(key))
		return err
	}
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create(key)))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create(strings.ToUpper(key))), "the first call may have been executed")
	require.NoError(t, create(strings.ToUpper(key)))
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(create(key)))
	assert.Equal(t, strings.ToUpper(key), s.requests[1].Header.Get("X-Idempotency-Key"), "it is sent as it was given")
}

// onlyBySystem responds to creations, and lookups by the system's reference alone.
func onlyBySystem(lookups *[]string) payinTransport {
	return func(r *http.Request) (*http.Response, error) {
		status, body := http.StatusOK, `{"id":"pr_1","reference":"order-1","status":"success"}`
		if r.Method == http.MethodGet {
			name := strings.TrimPrefix(r.URL.Path, "/v1/payin/")
			*lookups = append(*lookups, name)
			if name != "pr_1" {
				status, body = http.StatusNotFound, `{"code":"transaction_does_not_exist","message":"no","statusCode":404}`
			}
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func payinOver(t *testing.T, transport http.RoundTripper) *intram.PayinService {
	t.Helper()
	return newPayin(t, nil, intram.WithHTTPClient(&http.Client{Transport: transport}), intram.WithMaxAttempts(1))
}

func TestPayinIsLookedUpByItsOtherReference(t *testing.T) {
	t.Parallel()
	var lookups []string
	p := payinOver(t, onlyBySystem(&lookups))
	_, err := p.Get(t.Context(), "order-1")
	require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
	assert.Equal(t, []string{"order-1"}, lookups, "the other one is not known")

	params := payinParams()
	params.Reference, lookups = "order-1", nil
	_, err = p.CreateSession(t.Context(), params)
	require.NoError(t, err)
	for range 2 {
		found, err := p.Get(t.Context(), "order-1")
		require.NoError(t, err)
		assert.Equal(t, intram.PayinOutcomePaid, found.Outcome())
	}
	_, err = p.Wait(t.Context(), "order-1")
	require.NoError(t, err)
	_, err = p.Get(t.Context(), "pr_1")
	require.NoError(t, err)
	_, err = p.Get(t.Context(), "order-2")
	require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
	assert.Equal(t, []string{"order-1", "pr_1", "pr_1", "pr_1", "pr_1", "order-2"}, lookups, "the one that is known is asked for first")
}

func TestPayinIsRefreshedByWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	var lookups []string
	for _, known := range []*intram.Payin{{Reference: "order-1", ID: "pr_1"}, {ID: "pr_1"}} {
		found, err := payinOver(t, onlyBySystem(&lookups)).Refresh(t.Context(), known)
		require.NoError(t, err)
		assert.Equal(t, "order-1", found.Reference)
	}
	assert.Equal(t, []string{"order-1", "pr_1", "pr_1"}, lookups)

	p := payinOver(t, onlyBySystem(&lookups))
	_, err := p.Refresh(t.Context(), &intram.Payin{Reference: "order-1", ID: "pr_2"})
	require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist, "neither is known")
	_, err = p.Refresh(t.Context(), &intram.Payin{Reference: "order-2", ID: "pr_1"})
	require.ErrorIs(t, err, intram.ErrResponseMismatch, "the session of that id is another's")
	for _, none := range []*intram.Payin{nil, {}} {
		_, err = p.Refresh(t.Context(), none)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
		assert.ErrorContains(t, err, "reference is required")
	}
}

// What a second try could not find out is not "there is none".
func TestPayinThatIsUnknownByOneNameMayExistByTheOther(t *testing.T) {
	t.Parallel()
	none := payinAnswer{status: http.StatusNotFound, body: `{"code":"transaction_does_not_exist","message":"no","statusCode":404}`}
	s := &payinServer{answers: []payinAnswer{none, {status: http.StatusBadGateway, body: "<html>"}}}
	_, err := newPayin(t, s, intram.WithMaxAttempts(1)).Refresh(t.Context(), &intram.Payin{Reference: "order-1", ID: "pr_1"})
	require.Error(t, err)
	require.NotErrorIs(t, err, intram.CodeTransactionDoesNotExist)

	// A proxy's 404 is no word of the API, and leads nowhere else.
	s = &payinServer{answers: []payinAnswer{{status: http.StatusNotFound, body: "<html>"}}}
	_, err = newPayin(t, s, intram.WithMaxAttempts(1)).Refresh(t.Context(), &intram.Payin{Reference: "order-1", ID: "pr_1"})
	require.Error(t, err)
	assert.Len(t, s.requests, 1)

	// The first revision names a session otherwise while it is not confirmed.
	s = &payinServer{answers: []payinAnswer{none, {status: http.StatusOK, body: `{"reference":"mtr_2","customerReference":"order-1"}`}}}
	p := newPayin(t, s)
	found, err := p.Refresh(t.Context(), &intram.Payin{Reference: "order-1", ID: "tr_1"})
	require.NoError(t, err)
	assert.Equal(t, "mtr_2", found.ID)
	_, err = p.Get(t.Context(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, "/v1/payin/tr_1", s.requests[2].URL.Path, "by the name that it was found by")
}

func TestAPayinThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"reference":"order-1","amount":1,"amount":306}`, `{"reference":"order-1","status":"processed","Status":"success"}`,
		`{"reference":"order-1","transaction":{"status":"completed","status":"failed"}}`, `{"reference":"order-1","data":[{"a":1,"a":2}]}`,
	} {
		p := payinOver(t, payinTransport(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}))
		session, err := p.Get(t.Context(), "order-1")
		require.ErrorContains(t, err, "can be read in two ways", body)
		assert.Nil(t, session)
		_, err = intram.VerifyPayinNotification(intramtest.SignPayinNotification("secret", []byte(body)), []byte(body), "secret")
		require.ErrorIs(t, err, intram.ErrInvalidPayload, body)
	}
}

func TestPayinsThatWereSeenLongAgoAreForgotten(t *testing.T) {
	t.Parallel()
	var lookups []string
	p := payinOver(t, payinTransport(func(r *http.Request) (*http.Response, error) {
		name := strings.TrimPrefix(r.URL.Path, "/v1/payin/")
		lookups = append(lookups, name)
		status, body := http.StatusOK, fmt.Sprintf(`{"id":%q,"reference":%q}`, name, "order-"+strings.TrimPrefix(name, "pr_"))
		if strings.HasPrefix(name, "order-") {
			status, body = http.StatusNotFound, `{"code":"transaction_does_not_exist","message":"no","statusCode":404}`
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}))
	for i := range 1001 {
		_, err := p.Get(t.Context(), fmt.Sprintf("pr_%d", i))
		require.NoError(t, err)
	}
	lookups = nil
	_, err := p.Get(t.Context(), "order-0")
	require.ErrorIs(t, err, intram.CodeTransactionDoesNotExist)
	_, err = p.Get(t.Context(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, []string{"order-0", "order-1", "pr_1"}, lookups)
}

func TestAPayinClientClosesItsConnections(t *testing.T) {
	t.Parallel()
	closed := 0
	client, err := intram.NewPayinClient(payinKey, payinClient, intram.WithHTTPClient(&http.Client{Transport: closing{&closed}}))
	require.NoError(t, err)
	client.CloseIdleConnections()
	assert.Equal(t, 1, closed)
}

// closing counts how often its idle connections are closed.
type closing struct{ closed *int }

func (closing) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }
func (c closing) CloseIdleConnections()                         { *c.closed++ }
