package mockapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rule is one row of a table of validation: a body, and the path of the field that is
// wrong (empty: none is) with a part of its message.
type rule struct{ name, body, path, msg string }

func checkRules(t *testing.T, endpoint string, accepted int, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			a := f.post(endpoint, r.body)
			if r.path == "" {
				a.ok(accepted)
				return
			}
			details := a.refused(400, "validation_error")
			require.Contains(t, details, r.path)
			assert.Contains(t, details[r.path], r.path+" ", "the message names the field")
			assert.Contains(t, details[r.path], r.msg)
			assert.Len(t, details, 1, "%v", details)
		})
	}
}

func TestPayoutRules(t *testing.T) {
	t.Parallel()
	mobile := `"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961234567"}`
	bank := `"destination":{"type":"bank_account","account_number":"123"}`
	queued := newFixture(t, Config{}).post("/payouts", `{"amount":1,`+mobile+`}`).ok(202)
	assert.Equal(t, []string{"payout", "queued"}, []string{queued.text("data.type"), queued.text("data.status")})
	with := func(fields string) string { return `{"amount":1000,` + mobile + fields + `}` }
	to := func(destination string) string { return `{"amount":1000,"destination":` + destination + `}` }
	checkRules(t, "/payouts", 202, []rule{
		{"the least", `{"amount":1,` + mobile + `}`, "", ""},
		{"exponent", `{"amount":1e3,` + mobile + `}`, "", ""},
		{"decimal point", `{"amount":1000.00,` + mobile + `}`, "", ""},
		{"white space", "{ \"amount\" : 1000 ,\n" + mobile + " }\n", "", ""},
		{"no amount", `{` + mobile + `}`, "amount", "is required"},
		{"null amount", `{"amount":null,` + mobile + `}`, "amount", "is required"},
		{"zero", `{"amount":0,` + mobile + `}`, "amount", "must be > 0"},
		{"minus zero", `{"amount":-0.0,` + mobile + `}`, "amount", "must be > 0"},
		{"negative", `{"amount":-5,` + mobile + `}`, "amount", "must be > 0"},
		{"negative fraction", `{"amount":-0.5,` + mobile + `}`, "amount", "must be > 0"},
		{"fraction", `{"amount":0.1,` + mobile + `}`, "amount", "whole number"},
		{"tiny", `{"amount":1e-999999999999,` + mobile + `}`, "amount", "whole number"},
		{"string", `{"amount":"1000",` + mobile + `}`, "amount", "must be a number"},
		{"too large", `{"amount":9223372036854775808,` + mobile + `}`, "amount", "too large"},
		{"huge", `{"amount":1e999999999999,` + mobile + `}`, "amount", "too large"},
		{"last of two", `{"amount":0,"amount":5,` + mobile + `}`, "", ""},
		{"escaped name", `{"\u0061mount":5,` + mobile + `}`, "", ""},

		{"currency", with(`,"currency":"XOF"`), "", ""},
		{"null currency", with(`,"currency":null`), "", ""},
		{"lower-case currency", with(`,"currency":"xof"`), "currency", "ISO 4217"},
		{"empty currency", with(`,"currency":""`), "currency", "ISO 4217"},
		{"number for a currency", with(`,"currency":952`), "currency", "must be a string"},

		{"no destination", `{"amount":1000}`, "destination", "is required"},
		{"destination is a string", `{"amount":1000,"destination":"x"}`, "destination", "must be an object"},
		{"no type", to(`{"msisdn":"22961234567"}`), "destination.type", "is required"},
		{"empty type", to(`{"type":""}`), "destination.type", "is required"},
		{"unknown type", to(`{"type":"cash"}`), "destination.type", "mobile_money or bank_account"},
		{"type is a number", to(`{"type":1}`), "destination.type", "must be a string"},
		{"no provider_code", to(`{"type":"mobile_money","msisdn":"22961234567"}`), "", ""},
		{"unknown provider_code", to(`{"type":"mobile_money","provider_code":"ORANGE_CI","msisdn":"22961234567"}`), "", ""},
		{"card as provider_code", to(`{"type":"mobile_money","provider_code":"CARD","msisdn":"22961234567"}`), "", ""},
		{"no msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229"}`), "destination.msisdn", "is required"},
		{"plus in msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"+22961234567"}`), "destination.msisdn", "no +"},
		{"short msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"2296123"}`), "destination.msisdn", "8 to 15"},
		{"long msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"2296123456789012"}`), "destination.msisdn", "8 to 15"},
		{"local number", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"61234567"}`), "destination.msisdn", "not a number of the operator's country"},
		{"another country's number", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"2250700000000"}`), "destination.msisdn", "not a number of the operator's country"},
		{"letters in msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"229612345AB"}`), "destination.msisdn", "digits"},
		{"msisdn is a number", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":22961234567}`), "destination.msisdn", "must be a string"},
		{"national msisdn", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"061234567"}`), "destination.msisdn", "country code"},
		{"country", to(`{"type":"mobile_money","country_code":"TG","provider_code":"MTN_BENIN_229","msisdn":"22961234567"}`), "", ""},
		{"long country", to(`{"type":"mobile_money","country_code":"BEN","provider_code":"MTN_BENIN_229","msisdn":"22961234567"}`), "destination.country_code", "ISO 3166"},
		{"lower-case country", to(`{"type":"mobile_money","country_code":"bj","provider_code":"MTN_BENIN_229","msisdn":"22961234567"}`), "destination.country_code", "ISO 3166"},
		{"account_name is a number", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961234567","account_name":1}`), "destination.account_name", "must be a string"},
		{"account_surname is a number", to(`{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961234567","account_surname":1}`), "destination.account_surname", "must be a string"},

		{"bank", `{"amount":1000,` + bank + `}`, "", ""},
		{"no account_number", to(`{"type":"bank_account"}`), "destination.account_number", "is required"},
		{"swift of 8", to(`{"type":"bank_account","account_number":"1","swift":"ECOCBJBJ"}`), "", ""},
		{"swift of 11", to(`{"type":"bank_account","account_number":"1","swift":"ECOCBJBJXXX"}`), "", ""},
		{"swift of 9", to(`{"type":"bank_account","account_number":"1","swift":"ECOCBJBJX"}`), "destination.swift", "BIC"},
		{"dash in swift", to(`{"type":"bank_account","account_number":"1","swift":"ECOC-JBJ"}`), "destination.swift", "BIC"},

		{"reference of 100", with(`,"reference":"` + strings.Repeat("é", 100) + `"`), "", ""},
		{"reference of 101", with(`,"reference":"` + strings.Repeat("é", 101) + `"`), "reference", "at most 100"},
		{"reference is a number", with(`,"reference":1`), "reference", "must be a string"},
		{"note of 500", with(`,"note":"` + strings.Repeat("é", 500) + `"`), "", ""},
		{"escaped note of 500", with(`,"note":"` + strings.Repeat(`\u00e9`, 500) + `"`), "", ""},
		{"note of 501", with(`,"note":"` + strings.Repeat("n", 501) + `"`), "note", "at most 500"},
		{"note is an object", with(`,"note":{}`), "note", "must be a string"},
		{"metadata", with(`,"metadata":{"a":[1,{"b":"}"}]}`), "", ""},
		{"null metadata", with(`,"metadata":null`), "", ""},
		{"metadata is an array", with(`,"metadata":[]`), "metadata", "must be an object"},
		{"unknown field", with(`,"anything":[1,2]`), "", ""},
	})
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	a := f.post("/payouts", `{"amount":0,"currency":"x","destination":{"type":"mobile_money","msisdn":"1","country_code":""},"metadata":1}`)
	details := a.refused(400, "validation_error")
	assert.ElementsMatch(t, []string{"amount", "currency", "destination.msisdn", "destination.country_code", "metadata"}, keysOf(details))
	assert.Equal(t, "Invalid payout request", a.text("message"))
	assert.Equal(t, "amount must be > 0", details["amount"], "as the published example says it")
	assert.Contains(t, f.s.Requests()[0].Reason, "destination.msisdn")
}

func TestPaymentRequestRules(t *testing.T) {
	t.Parallel()
	customer := `"customer":{"email":"a@example.com"}`
	invoice := func(fields string) string { return `{"invoice":{` + fields + `}}` }
	good := `"invoice":{"amount":1000,"currency":"XOF",` + customer + `}`
	with := func(fields string) string { return `{` + good + `,` + fields + `}` }
	checkRules(t, "/payment-requests", 202, []rule{
		{"the least", `{` + good + `}`, "", ""},
		{"empty customer", invoice(`"amount":1000,"currency":"XOF","customer":{}`), "", ""},
		{"invoice is a list", `{"invoice":[]}`, "invoice", "must be an object"},
		{"no amount", invoice(`"currency":"XOF",` + customer), "invoice.amount", "is required"},
		{"zero", invoice(`"amount":0,"currency":"XOF",` + customer), "invoice.amount", "must be > 0"},
		{"fraction", invoice(`"amount":150.5,"currency":"XOF",` + customer), "invoice.amount", "whole number"},
		{"string", invoice(`"amount":"1000","currency":"XOF",` + customer), "invoice.amount", "must be a number"},
		{"no currency", invoice(`"amount":1000,` + customer), "invoice.currency", "is required"},
		{"odd currency", invoice(`"amount":1000,"currency":"francs",` + customer), "invoice.currency", "ISO 4217"},
		{"no customer", invoice(`"amount":1000,"currency":"XOF"`), "invoice.customer", "is required"},
		{"customer is a string", invoice(`"amount":1000,"currency":"XOF","customer":"Ada"`), "invoice.customer", "must be an object"},
		{"email is a number", invoice(`"amount":1000,"currency":"XOF","customer":{"email":1}`), "invoice.customer.email", "must be a string"},
		{"first_name is a number", invoice(`"amount":1000,"currency":"XOF","customer":{"first_name":1}`), "invoice.customer.first_name", "must be a string"},
		{"last_name is a number", invoice(`"amount":1000,"currency":"XOF","customer":{"last_name":1}`), "invoice.customer.last_name", "must be a string"},
		{"phone is a number", invoice(`"amount":1000,"currency":"XOF","customer":{"phone":1}`), "invoice.customer.phone", "must be a string"},
		{"description of 500", invoice(`"amount":1000,"currency":"XOF","description":"` + strings.Repeat("d", 500) + `",` + customer), "", ""},
		{"description of 501", invoice(`"amount":1000,"currency":"XOF","description":"` + strings.Repeat("d", 501) + `",` + customer), "invoice.description", "at most 500"},
		{"payment_method is a string", with(`"payment_method":"MTN"`), "payment_method", "must be an object"},
		{"odd msisdn", with(`"payment_method":{"msisdn":"+229"}`), "payment_method.msisdn", "8 to 15"},
		{"odd country", with(`"payment_method":{"country_code":"B"}`), "payment_method.country_code", "ISO 3166"},
		{"code is a number", with(`"payment_method":{"code":1}`), "payment_method.code", "must be a string"},
		{"return_urls", with(`"return_urls":{"success":"https://shop.example.com/ok","cancel":"http://localhost/no"}`), "", ""},
		{"return_urls is a string", with(`"return_urls":"https://shop.example.com"`), "return_urls", "must be an object"},
		{"relative success URL", with(`"return_urls":{"success":"/ok"}`), "return_urls.success", "absolute"},
		{"scripted cancel URL", with(`"return_urls":{"cancel":"javascript:alert(1)"}`), "return_urls.cancel", "absolute"},
		{"data as URL", with(`"return_urls":{"cancel":"data:text/html,<script>alert(1)</script>"}`), "return_urls.cancel", "absolute"},
		{"older script", with(`"return_urls":{"cancel":"vbscript:alert(1)"}`), "return_urls.cancel", "absolute"},
		{"URL of an app", with(`"return_urls":{"success":"myapp://paid","cancel":"http://shop.example.com"}`), "", ""},
		{"customer's e-mail", with(`"invoice":{"amount":1000,"currency":"XOF","customer":{"email":"Ada <ada@example.com>"}}`), "invoice.customer.email", "valid email"},
		{"broken cancel URL", with(`"return_urls":{"cancel":"https://%zz"}`), "return_urls.cancel", "absolute"},
		{"long success URL", with(`"return_urls":{"success":"https://shop.example.com/` + strings.Repeat("a", 2048) + `"}`), "", ""},
		{"webhook_data is a list", with(`"webhook_data":[]`), "webhook_data", "must be an object"},
	})
}

func TestPaymentRequestCodes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.post("/payment-requests", `{}`).refused(400, "missing_invoice")
	f.post("/payment-requests", `{"invoice":null}`).refused(400, "missing_invoice")
	f.post("/payment-requests", strings.Replace(paymentBody(1000, "", ""), "XOF", "EUR", 1)).refused(400, "unknown_currency")
	for amount, code := range map[int64]string{99: "amount_too_small", 100: "", 20_000_000: "", 20_000_001: "amount_too_large"} {
		if a := f.post("/payment-requests", paymentBody(amount, "", "")); code == "" {
			a.ok(202)
		} else {
			a.refused(400, code)
		}
	}
	f.post("/payment-requests", strings.Replace(paymentBody(777, "", ""), "777", "1e400", 1)).refused(400, "amount_too_large")
	f.post("/payouts", strings.Replace(payoutBody(1, "22961234567"), "XOF", "EUR", 1)).refused(400, "unknown_currency")

	other := newFixture(t, Config{MinAmount: 5, MaxAmount: 10, Currency: "EUR"})
	body := strings.Replace(paymentBody(5, "", ""), "XOF", "EUR", 1)
	other.post("/payment-requests", body).ok(202)
	other.post("/payment-requests", strings.Replace(body, `"amount":5`, `"amount":4`, 1)).refused(400, "amount_too_small")
	other.post("/payment-requests", strings.Replace(body, `"amount":5`, `"amount":11`, 1)).refused(400, "amount_too_large")
}

// The sandbox is more permissive than live.
func TestLiveHasTheStandardLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{PeerAddress: "203.0.113.7", Merchant: MerchantConfig{IPAllowlist: []string{"203.0.113.7"}}})
	f.keys = f.s.Merchant().Live
	for amount, status := range map[int64]int{2_000_000: 202, 2_000_001: 400} {
		f.post("/payment-requests", paymentBody(amount, "", "")).ok(status)
	}
	f.keys = f.s.Merchant().Sandbox
	f.post("/payment-requests", paymentBody(2_000_001, "", "")).ok(202)
	for _, keys := range []Keys{f.s.Merchant().Live, f.s.Merchant().Sandbox} { // each message names its own limit
		f.keys = keys
		limit := map[Keys]string{f.s.Merchant().Live: "at most 2000000 XOF", f.s.Merchant().Sandbox: "at most 20000000 XOF"}[keys]
		assert.Contains(t, f.post("/payment-requests", paymentBody(20_000_001, "", "")).text("message"), limit)
	}
}

func TestRefundRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.paid(10_000)
	for _, r := range []rule{
		{"no reference", `{}`, "transaction_reference", "is required"},
		{"empty reference", `{"transaction_reference":""}`, "transaction_reference", "is required"},
		{"reference is a number", `{"transaction_reference":1}`, "transaction_reference", "must be a string"},
		{"zero", fmt.Sprintf(`{"transaction_reference":%q,"amount":0}`, reference), "amount", "must be > 0"},
		{"negative", fmt.Sprintf(`{"transaction_reference":%q,"amount":-1}`, reference), "amount", "must be > 0"},
		{"fraction", fmt.Sprintf(`{"transaction_reference":%q,"amount":1.5}`, reference), "amount", "whole number"},
		{"too large", fmt.Sprintf(`{"transaction_reference":%q,"amount":1e30}`, reference), "amount", "too large"},
		{"string", fmt.Sprintf(`{"transaction_reference":%q,"amount":"1"}`, reference), "amount", "must be a number"},
		{"long reason", fmt.Sprintf(`{"transaction_reference":%q,"reason":"%s"}`, reference, strings.Repeat("r", 501)), "reason", "at most 500"},
		{"metadata", fmt.Sprintf(`{"transaction_reference":%q,"metadata":"x"}`, reference), "metadata", "must be an object"},
	} {
		details := f.post("/refunds", r.body).refused(400, "validation_error")
		assert.Contains(t, details[r.path], r.msg, r.name)
	}
	f.post("/refunds", refundBody("ZZZZZZZZZZ", 0)).refused(404, "transaction_not_found")
	assert.Empty(t, f.get("/operations?type=refund").at("data"), "no operation of what is refused at once")
	queued := f.post("/refunds", refundBody(reference, 1)).ok(202)
	assert.Equal(t, []string{"refund", "queued"}, []string{queued.text("data.type"), queued.text("data.status")})
	f.post("/refunds", fmt.Sprintf(`{"transaction_reference":%q,"amount":null,"reason":"%s","metadata":{"a":1}}`, reference, strings.Repeat("r", 500))).ok(202)
}

func TestSubscriptionRules(t *testing.T) {
	t.Parallel()
	sub := func(url, event string) string { return fmt.Sprintf(`{"url":%q,"event":%q}`, url, event) }
	rules := []rule{
		{"https", sub("https://my-app.example.com/hook", "payout.*"), "", ""},
		{"no url", `{"event":"*"}`, "url", "is required"},
		{"no event", `{"url":"https://my-app.example.com"}`, "event", "is required"},
		{"url is a number", `{"url":1,"event":"*"}`, "url", "must be a string"},
		{"http", sub("http://my-app.example.com", "*"), "url", "https://"},
		{"http on loopback", sub("http://127.0.0.1:8080/hook", "*"), "", ""},
		{"http on v6 loopback", sub("http://[::1]:8080/hook", "*"), "", ""},
		{"http on localhost", sub("http://localhost/hook", "*"), "", ""},
		{"http on a lookalike", sub("http://localhost.example.com/hook", "*"), "url", "https://"},
		{"ftp", sub("ftp://127.0.0.1", "*"), "url", "https://"},
		{"relative", sub("/hook", "*"), "url", "https://"},
		{"broken", sub("https://%zz", "*"), "url", "https://"},
		{"with a password", sub("https://me:secret@my-app.example.com", "*"), "url", "https://"},
		{"everything", sub("https://a.example.com", "all"), "", ""},
		{"unknown event", sub("https://a.example.com", "payout.exploded"), "event", "must be an event"},
		{"unknown family", sub("https://a.example.com", "dispute.*"), "event", "must be an event"},
		{"half a family", sub("https://a.example.com", "pay.*"), "event", "must be an event"},
	}
	for _, e := range eventTypes {
		family, _, _ := strings.Cut(e, ".")
		rules = append(rules, rule{e, sub("https://a.example.com", e), "", ""}, rule{family, sub("https://a.example.com", family+".*"), "", ""})
	}
	checkRules(t, "/webhooks", 201, rules)
	strict := newFixture(t, Config{StrictWebhookURLs: true})
	strict.post("/webhooks", sub("http://127.0.0.1:8080/hook", "*")).refused(400, "validation_error")
	strict.post("/webhooks", sub("https://127.0.0.1:8080/hook", "*")).ok(201)
}

func TestListRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, endpoint := range []string{"/operations", "/transactions"} {
		for query, path := range map[string]string{
			"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "limit=": "limit", "limit=1.5": "limit",
			"status=nothing": "status", "status=": "status", "type=nothing": "type",
			"before=yesterday": "before", "before=": "before", "before=2026-05": "before", "before=20260520": "before",
		} {
			details := f.do(call{method: "GET", endpoint: endpoint, query: query}).refused(400, "validation_error")
			assert.Contains(t, details, path, query)
		}
		for _, query := range []string{"limit=1", "limit=100", "before=2026-05-20T10:30:00.000Z", "before=2026-05-20T10:30:00Z", "before=2026-05-20", "before=2026-05-20T11:30:00%2B01:00", "unknown=1"} {
			f.do(call{method: "GET", endpoint: endpoint, query: query}).ok(200)
		}
		f.do(call{method: "GET", endpoint: endpoint, query: "a=%zz"}).refused(400, "validation_error")
	}
	midnight := newFixture(t, Config{Start: time.Date(2026, 5, 19, 23, 59, 59, 999_000_000, time.UTC)})
	midnight.payout(1, "22961234567")
	midnight.s.Clock().Advance(time.Millisecond)
	midnight.payout(1, "22961234567")
	for _, form := range []string{"2026-05-20", "2026-05-20T00:00:00Z", "2026-05-20T00:00:00.000000Z", "2026-05-20T01:00:00%2B01:00"} {
		assert.Len(t, midnight.get("/operations?before="+form).ok(200).at("data"), 1, form)
	}
	for _, word := range operationStatuses {
		f.get("/operations?status=" + word).ok(200)
	}
	for _, word := range operationKinds {
		f.get("/operations?type=" + word).ok(200)
	}
	for _, word := range transactionStatuses {
		f.get("/transactions?status=" + word).ok(200)
	}
	for _, word := range transactionTypes {
		f.get("/transactions?type=" + word).ok(200)
	}
	assert.Equal(t, "20", f.get("/operations").at("paging.limit"))
}

func TestBodyMustBeAJSONObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, body := range []string{"", "not json", "[]", `"x"`, "1", "null", `{"a":1}x`, `{"a":}`, "{", `{"a":01}`, "{'a':1}"} {
		f.post("/payouts", body).refused(400, "invalid_body")
	}
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), edit: func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}}).refused(400, "invalid_body")
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), edit: func(r *http.Request) {
		r.Header.Del("Content-Type")
	}}).refused(400, "invalid_body")
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), edit: func(r *http.Request) {
		r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	}}).ok(202)
}

func TestAmountsAreReadExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		literal            string
		units              int64
		whole, fits, minus bool
	}{
		{"0", 0, true, true, false},
		{"-0", 0, true, true, false},
		{"0e99999999999999", 0, true, true, false},
		{"25000", 25000, true, true, false},
		{"-25000", -25000, true, true, true},
		{"1e3", 1000, true, true, false},
		{"1E+3", 1000, true, true, false},
		{"1.5e1", 15, true, true, false},
		{"1.50", 0, false, false, false},
		{"100e-2", 1, true, true, false},
		{"101e-2", 0, false, false, false},
		{"153.00", 153, true, true, false},
		{"0.0001e4", 1, true, true, false},
		{"9223372036854775807", 9223372036854775807, true, true, false},
		{"9223372036854775808", 0, true, false, false},
		{"123456789012345678901234567890", 0, true, false, false},
		{"1e18", 1_000_000_000_000_000_000, true, true, false},
		{"1e19", 0, true, false, false},
		{"0.1", 0, false, false, false},
		{"1e-1", 0, false, false, false},
		{"1e99999999999999999999", 0, true, false, false},
		{"1e-99999999999999999999", 0, false, false, false},
		{"9007199254740993", 9007199254740993, true, true, false}, // not a float64
	} {
		a := document(c.literal).number()
		assert.Equal(t, amount{negative: c.minus, whole: c.whole, fits: c.fits, units: c.units}, a, c.literal)
	}
}

func TestDocumentsAreReadAsEncodingJSONReadsThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"a":"x","b":{"c":[1,"]}",{"d":null}]},"e":true,"f":-1.5e3}`,
		"{ \"a\" :\t\"quote \\\" and \\\\ and \\u00e9 and 😀\" , \"b\":[ ]\r\n}",
		`{}`, `{"":""}`, `{"a":{"a":{"a":1}}}`, "{\"a\":\"\xff\"}",
	} {
		d, ok := parseDocument([]byte("\n " + text + " "))
		require.True(t, ok, text)
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		members := d.members(nil)
		assert.Len(t, members, len(want), text)
		for name, value := range want {
			got := members.field(name)
			assert.JSONEq(t, string(value), string(got), name)
			var s string
			if json.Unmarshal(value, &s) == nil {
				assert.Equal(t, s, got.text())
			} else {
				assert.Empty(t, got.text())
			}
		}
		assert.Nil(t, members.field("absent"))
		var compacted map[string]any
		require.NoError(t, json.Unmarshal(d.compact(), &compacted))
	}
	assert.Nil(t, document("[]").members(nil))
	assert.Equal(t, amount{}, document(`"1"`).number())
	assert.Equal(t, `{"a":1,"b":"x y"}`, string(document("{\"a\": 1,\n\t\"b\":\"x y\"}").compact()))
	same := document(`{"b":"x y"}`)
	assert.Same(t, &same[0], &same.compact()[0], "white space in a string is no reason to copy")
}

func TestStringsAreEscaped(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"quoted"`, `back\slash`, "line\nbreak", "é <>& ✓", "\xff"} {
		var back string
		require.NoError(t, json.Unmarshal(appendString(nil, s), &back))
		assert.Equal(t, strings.ToValidUTF8(s, "\uFFFD"), back)
	}
	assert.Equal(t, `"<a>"`, string(appendString(nil, "<a>")))
}

func keysOf(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
