package mockapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func TestPayinCredentialsAreCheckedFirst(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	live := f.s.Merchant().LivePayin
	for name, tc := range map[string]struct {
		header []string
		status int
		code   string
	}{
		"none":                    {nil, 401, "unauthorized"},
		"a bearer token":          {[]string{"Bearer abc"}, 401, "unauthorized"},
		"an empty one":            {[]string{""}, 401, "unauthorized"},
		"not base64":              {[]string{"Basic %%%"}, 403, "api_token_invalid"},
		"no base64":               {[]string{"Basic"}, 403, "api_token_invalid"},
		"no colon":                {[]string{basic("abc")}, 403, "api_token_invalid"},
		"no client":               {[]string{basic(f.payin.APIKey + ":")}, 403, "api_token_invalid"},
		"no key":                  {[]string{basic(":" + f.payin.APIClient)}, 403, "api_token_invalid"},
		"two":                     {[]string{basic("a:b"), basic("a:b")}, 403, "api_token_invalid"},
		"unknown key":             {[]string{basic("nobody:" + f.payin.APIClient)}, 404, "api_token_not_found"},
		"wrong client":            {[]string{basic(f.payin.APIKey + ":nobody")}, 403, "api_token_invalid"},
		"the live client":         {[]string{basic(f.payin.APIKey + ":" + live.APIClient)}, 403, "api_token_invalid"},
		"swapped":                 {[]string{basic(f.payin.APIClient + ":" + f.payin.APIKey)}, 404, "api_token_not_found"},
		"merchant API's own keys": {[]string{basic(f.keys.Public + ":" + f.keys.Secret)}, 404, "api_token_not_found"},
	} {
		for _, c := range []payinCall{
			{method: "GET", path: "/v1/payin/order-1"},
			{method: "POST", path: "/v1/payin/sessions", body: "not even JSON"},
		} {
			c.edit = func(r *http.Request) {
				r.Header["Authorization"] = tc.header
				if tc.header == nil {
					r.Header.Del("Authorization")
				}
				r.Header.Del("X-Idempotency-Key")
			}
			a := f.send(c)
			a.refusedPayin(tc.status, tc.code)
			assert.NotContains(t, string(a.body), f.payin.APIClient, name)
		}
	}
	// The scheme's case does not matter, and the environments do not see each other.
	f.send(payinCall{method: "GET", path: "/v1/payin/x", edit: func(r *http.Request) {
		r.Header.Set("Authorization", "basic"+strings.TrimPrefix(r.Header.Get("Authorization"), "Basic"))
	}}).refusedPayin(404, "transaction_does_not_exist")
	f.send(payinCall{method: "GET", path: "/v1/payin/x", keys: live}).refusedPayin(404, "transaction_does_not_exist")

	require.NoError(t, f.s.SetMerchantActive(f.keys.Public, false))
	f.send(payinCall{method: "GET", path: "/v1/payin/x"}).refusedPayin(403, "api_token_invalid")

	for _, r := range f.s.Requests() {
		assert.NotContains(t, fmt.Sprint(r.Header, r, fmt.Sprintf("%#v", r)), f.payin.APIClient)
		assert.NotContains(t, fmt.Sprint(r.Header), basic(f.payin.APIKey+":"+f.payin.APIClient))
	}
}

func TestPayinJournalSaysWhoseCallItWasAndWhyItWasRefused(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	key := "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"
	f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber), key: key})
	f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber), key: key})
	f.send(payinCall{method: "GET", path: "/v1/payin/order-1", keys: PayinKeys{APIKey: f.payin.APIKey, APIClient: "wrong"}})
	calls := f.s.Requests()
	require.Len(t, calls, 3)
	assert.Equal(t, "/payin/sessions", calls[0].Endpoint)
	assert.Equal(t, f.payin.APIKey, calls[0].PublicKey)
	assert.Equal(t, sandbox, calls[0].Environment)
	assert.Equal(t, key, calls[0].IdempotencyKey)
	assert.Equal(t, f.session("order-1", payinNumber), string(calls[0].Body))
	assert.False(t, calls[0].Replayed)
	assert.True(t, calls[1].Replayed)
	assert.Equal(t, "/payin/:reference", calls[2].Endpoint)
	assert.Equal(t, "api_token_invalid", calls[2].Code)
	assert.Equal(t, "the api_client is not the one of this API key", calls[2].Reason)
	assert.Empty(t, calls[2].Canonical(), "nothing is signed")
}

func TestPayinKeyIsRequiredAndAUUID(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	post := func(key string) answer {
		t.Helper()
		return f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: "not even JSON", edit: func(r *http.Request) {
			r.Header.Set("X-Idempotency-Key", key)
			r.Header.Set("Idempotency-Key", "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1") // the other protocol's does not count
			if key == "" {
				r.Header.Del("X-Idempotency-Key")
			}
		}})
	}
	post("").refusedPayin(400, "missing_idempotency_key")
	for _, key := range []string{
		"order-1", "0d5ca80f8d5e4ed6a8b36fb9a0a9e6a1", "{0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1}", "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6ag",
		"0d5ca80f_8d5e_4ed6_a8b3_6fb9a0a9e6a1",
	} {
		post(key).refusedPayin(400, "invalid_idempotency_key")
	}
	post("0D5CA80F-8d5e-4ed6-a8b3-6fb9a0a9e6a1").refusedPayin(400, "invalid_body")
}

func TestPayinReplayIsTheSameToTheByteAndCreatesNothing(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{
		method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber),
		key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1",
	}
	first := f.send(c).ok(200)
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.s.Clock().Advance(24*time.Hour - time.Millisecond)
	again := c
	again.edit = func(r *http.Request) { r.Header.Set("Accept-Language", "fr") }
	replay := f.send(again).ok(200)
	assert.Equal(t, string(first.body), string(replay.body), "the session as it was created")
	assert.Empty(t, replay.header.Get("Idempotent-Replay"), "the payin docs know no such header")
	c.key = strings.ToUpper(c.key)
	assert.Equal(t, string(first.body), string(f.send(c).ok(200).body), "a UUID has no case")
	assert.EqualValues(t, 300, f.payinWallet())

	other := c
	other.body = f.session("order-2", payinNumber)
	f.send(other).refusedPayin(409, "idempotency_conflict")
	other.keys = f.s.Merchant().LivePayin
	f.send(other).ok(200) // another environment's keys are another scope

	// After the window the reference still stands in the way of a second charge.
	f.s.Clock().Advance(time.Millisecond)
	f.send(c).refusedPayin(409, "transaction_is_already_processed")
	assert.EqualValues(t, 300, f.payinWallet())

	// A refusal is kept too.
	bad := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-3", "+2210702968786"), key: "1d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"}
	f.send(bad).refusedPayin(404, "provider_not_found")
	bad.edit = again.edit
	f.send(bad).refusedPayin(404, "provider_not_found")
	assert.NotContains(t, string(f.send(bad).body), "opérateur", "to the byte: in the language of the first answer")
}

func TestPayinTwinWaitsForTheAnswerOfTheFirst(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	const twins = 8
	var wait sync.WaitGroup
	bodies := make([]string, twins)
	c := payinCall{
		method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", "+2250700000014"),
		key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1",
	}
	for i := range twins {
		r := f.request(c)
		wait.Go(func() {
			resp, err := f.s.Transport().RoundTrip(r)
			if !assert.NoError(t, err) {
				return
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			bodies[i] = string(body)
		})
	}
	wait.Wait()
	for _, b := range bodies {
		assert.Equal(t, bodies[0], b)
	}
	assert.EqualValues(t, 300, f.payinWallet(), "charged once")
}

func TestPayinTwinThatLeavesExecutesNothing(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber), key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"}
	id := idempotencyKey{scope: "payin " + f.payin.APIKey, key: c.key}
	mine, _, _, err := f.s.keys.claim(t.Context(), id, fingerprintOf("POST", "/payin/sessions", []byte(c.body)), f.s.Clock().Now())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	x := &exchange{server: f.s, request: f.request(c).WithContext(ctx), now: f.s.Clock().Now(), entry: &Request{IdempotencyKey: c.key}, payin: true, endpoint: "/payin/sessions"}
	cancel()
	rep := x.execute(&payinRoutes[0])
	assert.True(t, rep.lost)
	assert.Contains(t, rep.reason, "the client left while")
	f.s.keys.end(mine, nil)
	f.send(payinCall{method: "GET", path: "/v1/payin/order-1"}).refusedPayin(404, "transaction_does_not_exist")
}

func TestPayinFieldsAreValidated(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	unset := func(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }
	raw := func(literal string) func(map[string]any) {
		return func(m map[string]any) { m["amount"] = jsonLiteral(literal) }
	}
	for name, tc := range map[string]struct {
		change func(map[string]any)
		status int
		code   string
		names  string // in the message
	}{
		"no reference":           {unset("reference"), 400, "validation_error", "reference is required"},
		"blank reference":        {set("reference", "  "), 400, "validation_error", "reference is required"},
		"long reference":         {set("reference", strings.Repeat("é", 101)), 200, "", ""},
		"numeric reference":      {set("reference", 12), 400, "validation_error", "reference must be a string"},
		"no amount":              {unset("amount"), 400, "validation_error", "amount is required"},
		"text amount":            {set("amount", "300"), 400, "validation_error", "amount must be a number"},
		"amount with cents":      {raw("300.5"), 400, "validation_error", "amount must be a whole number"},
		"amount without cents":   {raw("300.00"), 200, "", ""},
		"zero amount":            {raw("0"), 403, "transaction_greater_than_zero", ""},
		"negative amount":        {raw("-300"), 403, "transaction_greater_than_zero", ""},
		"amount below the limit": {raw("99"), 400, "validation_error", "Invalid amount"},
		"the smallest amount":    {raw("100"), 200, "", ""},
		"the largest amount":     {raw("2000000"), 200, "", ""},
		"amount above the limit": {raw("2000001"), 400, "validation_error", "Invalid amount"},
		"amount too large":       {raw("1e16"), 400, "validation_error", "Invalid amount"},
		"amount far too large":   {raw("1e99"), 400, "validation_error", "Invalid amount"},
		"far too large in Cameroon": {func(m map[string]any) {
			m["country"], m["msisdn"], m["amount"] = "CM", "+237650000000", jsonLiteral("1e99")
		}, 400, "validation_error", "Invalid amount"},
		"no msisdn":             {unset("msisdn"), 400, "validation_error", "msisdn is required"},
		"msisdn without plus":   {set("msisdn", "2250702968786"), 400, "validation_error", "msisdn must be in E.164"},
		"msisdn with letters":   {set("msisdn", "+22507029687AB"), 400, "validation_error", "msisdn must be in E.164"},
		"short msisdn":          {set("msisdn", "+2250702"), 400, "validation_error", "msisdn must be in E.164"},
		"long msisdn":           {set("msisdn", "+2250702968786123"), 400, "validation_error", "msisdn must be in E.164"},
		"msisdn from zero":      {set("msisdn", "+0702968786"), 400, "validation_error", "msisdn must be in E.164"},
		"no name":               {unset("customerName"), 200, "", ""},
		"null name":             {set("customerName", nil), 200, "", ""},
		"numeric name":          {set("customerName", 7), 400, "validation_error", "customerName must be a string"},
		"no country":            {unset("country"), 400, "validation_error", "country is required"},
		"small country":         {set("country", "ci"), 400, "validation_error", "country must be an ISO 3166"},
		"country of three":      {set("country", "CIV"), 400, "validation_error", "country must be an ISO 3166"},
		"unknown country":       {set("country", "FR"), 404, "country_not_found", ""},
		"number of another":     {set("country", "SN"), 404, "provider_not_found", ""},
		"no action":             {unset("action"), 400, "validation_error", "action.successUrl is required"},
		"action is text":        {set("action", "x"), 400, "validation_error", "action must be an object"},
		"one URL":               {set("action", map[string]any{"successUrl": "https://a.example"}), 400, "validation_error", "action.failureUrl is required"},
		"URL without a host":    {set("action", map[string]any{"successUrl": "https://", "failureUrl": "https://a.example"}), 400, "validation_error", "action.successUrl must be"},
		"URL of a script":       {set("action", map[string]any{"successUrl": "javascript:alert(1)", "failureUrl": "https://a.example"}), 400, "validation_error", "action.successUrl must be"},
		"URLs of an app":        {set("action", map[string]any{"successUrl": "myapp://paid", "failureUrl": "http://a.example"}), 200, "", ""},
		"accountId of nobody":   {set("accountId", "merchant_nobody"), 200, "", ""}, // the newer revision has none
		"no accountId":          {unset("accountId"), 200, "", ""},
		"unknown field":         {set("colour", "green"), 200, "", ""},
		"metadata":              {set("metadata", map[string]any{"a": 1}), 200, "", ""},
		"several at once: msis": {func(m map[string]any) { delete(m, "msisdn"); delete(m, "country") }, 400, "validation_error", "msisdn is required; country is required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPayinFixture(t, Config{})
			a := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber, tc.change)})
			if tc.status == 200 {
				a.ok(200)
				return
			}
			assert.Contains(t, a.refusedPayin(tc.status, tc.code), tc.names)
			assert.NotContains(t, string(a.body), "0702968786", "no number in an error")
			f.send(payinCall{method: "GET", path: "/v1/payin/order-1"}).refusedPayin(404, "transaction_does_not_exist")
		})
	}
}

func TestPayinTakesTheCountriesOfXOFAndCameroon(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	for country, number := range map[string]string{
		"BJ": "+2290161234567", "BF": "+22670123456", "CI": "+2250702968786", "GW": "+245955123456", "ML": "+22370123456", "NE": "+22790123456",
		"SN": "+221771234567", "TG": "+22890123456", "CM": "+237650123456",
	} {
		body := f.session("order-"+country, number, func(m map[string]any) { m["country"] = country })
		a := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).ok(200)
		assert.Equal(t, number, a.text("customer.phoneNumber"))
		assert.Equal(t, map[bool]string{true: "XAF", false: "XOF"}[country == "CM"], a.text("currency"), country)
	}
}

// jsonLiteral goes into a body as it stands.
type jsonLiteral string

func (l jsonLiteral) MarshalJSON() ([]byte, error) { return []byte(l), nil }

func TestPayinFirstRevisionRequiresAnAccountAndNoAction(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{PayinRevision: PayinFirst})
	post := func(change func(map[string]any)) answer {
		t.Helper()
		return f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber, change)})
	}
	assert.Contains(t, post(func(m map[string]any) { delete(m, "accountId") }).refusedPayin(400, "validation_error"), "accountId is required")
	post(func(m map[string]any) { m["accountId"] = "merchant_nobody" }).refusedPayin(404, "wallet_not_found")
	assert.Contains(t, post(func(m map[string]any) { delete(m, "customerName") }).refusedPayin(400, "validation_error"), "customerName is required")
	assert.Contains(t, post(func(m map[string]any) { m["amount"] = jsonLiteral("1e99") }).refusedPayin(400, "validation_error"), "amount is too large")
	unlimited := post(func(m map[string]any) { delete(m, "action"); m["amount"] = 1 }).ok(200)
	assert.Equal(t, "1", unlimited.at("amount"), "below the limit of the newer revision")
	// The published request passes as it stands.
	published := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: string(testdata(t, "examples", "payin.request.json"))}).ok(200)
	assert.Equal(t, "ef76fb64-af0b-4c37-8729-bf61d85721fd", published.text("customerReference"))
}

func TestPayinMessagesComeInTheLanguageThatIsAskedFor(t *testing.T) {
	t.Parallel()
	const english, french = "Insufficient balance", "Solde insuffisant"
	for language, want := range map[string]string{
		"": english, "en": english, "fr": french, "FR-bj, en;q=0.8": french, "de, en;q=0.5, fr": french, "de": english, "fr;q=0.3, en;q=0.7": english, "en;q=0.25, fr;q=0.3": french, "fr;q=x, en;q=0.1": english,
		"fr;q=0, en": english, "fr;q=0.0, en": english, "en;q=0,fr;q=1.0": french, "fr;q=0.9": french,
	} {
		f := newPayinFixture(t, Config{})
		f.create("order-1", "+2250700000002")
		require.NoError(t, f.s.ConfirmPayin("order-1"))
		speak := func(r *http.Request) { r.Header.Set("Accept-Language", language) }
		got := f.send(payinCall{method: "GET", path: "/v1/payin/order-1", edit: speak}).ok(200)
		assert.Equal(t, want, got.text("failure.message"), language)
		message := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: "{}", edit: speak}).refusedPayin(400, "validation_error")
		assert.Equal(t, want == french, strings.Contains(message, "est requis"), "%s: %s", language, message)
		small := f.session("order-2", payinNumber, func(m map[string]any) { m["amount"] = 99 })
		message = f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: small, edit: speak}).refusedPayin(400, "validation_error")
		assert.Equal(t, map[bool]string{true: "Montant invalide", false: "Invalid amount"}[want == french], message, language)
		message = f.send(payinCall{method: "GET", path: "/v1/payin/nobody", edit: speak}).refusedPayin(404, "transaction_does_not_exist")
		assert.Equal(t, want == french, strings.Contains(message, "n'existe pas"), "%s: %s", language, message)
	}
	first := newPayinFixture(t, Config{PayinRevision: PayinFirst})
	message := first.send(payinCall{method: "GET", path: "/v1/payin/nobody", edit: func(r *http.Request) {
		r.Header.Set("Accept-Language", "fr")
	}}).refusedPayin(404, "transaction_does_not_exist")
	assert.Equal(t, "The transaction does not exist", message, "the first revision has one language")
}

func TestPayinMessagesAreComplete(t *testing.T) {
	t.Parallel()
	for code, m := range payinMessages {
		assert.NotEmpty(t, m.en, code)
		assert.NotEmpty(t, m.fr, code)
	}
	for nn, s := range payinScripts {
		if s.failure != "" {
			assert.Contains(t, payinMessages, s.failure, "number %d", nn)
		}
	}
}

func TestPayinBodyMustBeJSON(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber)}
	c.edit = func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	f.send(c).refusedPayin(400, "invalid_body")
	for _, body := range []string{"", "null", "[]", "{", `{"reference":`} {
		f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).refusedPayin(400, "invalid_body")
	}
	f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: strings.Repeat(" ", maxBody+1)}).ok(413)
}

func TestPayinPathsAreItsOwn(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	f.create("order-1", payinNumber)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/api/v1/merchant/payin/order-1", "", 404}, {"GET", "/v1/payin/", "", 404}, {"GET", "/v1/payin", "", 404},
		{"GET", "/v1/payin/order-1/x", "", 404}, {"DELETE", "/v1/payin/order-1", "GET", 405}, {"PUT", "/v1/payin/sessions", "POST, GET", 405},
		{"GET", "/v1/health", "", 404}, {"POST", "/health", "GET", 405},
	} {
		a := f.send(payinCall{method: c.method, path: c.path}).ok(c.status)
		assert.Equal(t, "text/html", a.header.Get("Content-Type"), "%s %s: of the proxy", c.method, c.path)
		assert.Equal(t, c.allow, a.header.Get("Allow"), "%s %s", c.method, c.path)
	}
	head := f.send(payinCall{method: "HEAD", path: "/v1/payin/order-1"}).ok(200)
	assert.Empty(t, head.body)
	// A merchant's own keys are no payin credentials, and the other way round.
	f.do(call{method: "GET", endpoint: "/payin/order-1"}).refusedPayin(401, "unauthorized")
	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { r.Header.Set("X-Api-Key", f.payin.APIKey) }}).refused(401, "invalid_api_key")
}

func TestHealthNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	a := f.send(payinCall{method: "GET", path: "/health", edit: func(r *http.Request) { r.Header.Del("Authorization") }}).ok(200)
	assert.JSONEq(t, `{"status":"ok"}`, string(a.body))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultUnavailable, On: "/health"}))
	f.send(payinCall{method: "GET", path: "/health"}).ok(503)
	f.send(payinCall{method: "GET", path: "/health"}).ok(200)
}

func TestPayinCallsHaveFaultsToo(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{
		method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", "+2250700000014"), key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1",
	}
	on := "POST /payin/sessions"
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset, On: on}))
	_, err := f.trySend(c)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, On: on}))
	f.send(c).refusedPayin(500, "internal_error")
	assert.Zero(t, f.payinWallet(), "neither was executed")
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultDropResponse, On: on}))
	_, err = f.trySend(c)
	require.ErrorIs(t, err, io.EOF)
	assert.EqualValues(t, 300, f.payinWallet(), "executed, and nobody was told")
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, On: on, Executed: true, Status: 502}))
	f.send(c).refusedPayin(502, "internal_error")
	f.send(c).ok(200)
	assert.EqualValues(t, 300, f.payinWallet())

	// Refused before the network: the journal has the key, and not the credentials.
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultRefuse, On: on}))
	_, err = f.s.Dialing(unreachable{}).RoundTrip(f.request(c))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	calls := f.s.Requests()
	last := calls[len(calls)-1]
	assert.Equal(t, c.key, last.IdempotencyKey)
	assert.Equal(t, "[redacted]", last.Header.Get("Authorization"))
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the network must not be reached")
}

func TestPayinCrashIsA500ThatKeepsNoAnswer(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber), key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"}
	crash := route{"POST", "/payin/sessions", true, func(*exchange) reply { panic("a bug") }}
	x := &exchange{server: f.s, request: f.request(c), now: f.s.Clock().Now(), entry: &Request{IdempotencyKey: c.key}, payin: true, endpoint: crash.template}
	rep := x.execute(&crash)
	assert.Equal(t, 500, rep.status)
	assert.JSONEq(t, `{"code":"internal_error","message":"Internal server error","statusCode":500}`, string(rep.body))
	f.send(c).ok(200)
}
