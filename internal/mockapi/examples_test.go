package mockapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The fake plays what the published payloads describe, and its responses have their keys,
// in their order, with their JSON types. It may have more keys where section 7 lists more
// than an example shows.
func TestAnswersLookLikeThePublishedPayloads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: []string{"127.0.0.1"}}})
	f.keys = f.s.Merchant().Live
	read := func(name string) string { return strings.TrimSpace(string(testdata(t, "examples", name))) }

	f.paid(1000) // an older one, so that a page of one has a next
	f.s.Clock().Advance(time.Minute)
	payout := f.post("/payouts", read("payout.mobile_money.request.json")).ok(202)
	payment := f.post("/payment-requests", read("payment_request.request.json")).ok(202)
	requested := f.operation(payment.text("data.operation_id"))
	reference := requested.text("data.result.transaction_reference")
	require.NoError(t, f.s.Pay(reference))
	refund := f.post("/refunds", strings.Replace(read("refund.request.json"), "AB12CD34EF", reference, 1)).ok(202)
	bank := f.post("/payouts", read("payout.bank_account.request.json")).ok(202)
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	rejected := f.post("/payouts", read("payout.mobile_money.request.json")).ok(202).text("data.operation_id")
	require.NoError(t, f.s.Fail(rejected, "provider_rejected"))
	poor := f.post("/payouts", read("payout.mobile_money.request.json")).ok(202).text("data.operation_id")
	require.NoError(t, f.s.Fail(poor, "insufficient_balance"))
	require.NoError(t, f.s.SetWorker(WorkAtOnce()))
	transaction := f.transaction(reference)
	whs := f.post("/webhooks", `{"url":"https://my-app.example.com/intram/webhook","event":"refund.pending"}`).ok(201)
	list := f.get("/webhooks")
	test := f.post("/webhooks/"+whs.text("data.subscription_id")+"/test", "{}")
	deleted := f.do(call{method: "DELETE", endpoint: "/webhooks/" + whs.text("data.subscription_id")})

	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), key: "the-same-key"})
	conflict := f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(2, "22961234567"), key: "the-same-key"})
	unsigned := f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
		r.Header.Set("X-Timestamp", "2020-01-01T00:00:00.000Z")
	}})
	invalid := f.post("/payouts", strings.Replace(read("payout.mobile_money.request.json"), "25000", "0", 1))
	page := f.get("/transactions?type=CREDIT&limit=1") // before the address is refused
	lastPage := f.do(call{method: "GET", endpoint: "/transactions", query: "before=2026-01-01T00:00:00.000Z&limit=20"})
	balance := f.get("/balance")
	operations := map[string]answer{}
	for name, id := range map[string]string{
		"operation.payout.succeeded.current.json":             payout.text("data.operation_id"),
		"operation.payout.queued_for_settlement.current.json": bank.text("data.operation_id"),
		"operation.provider_rejected.current.json":            rejected,
		"operation.failed.current.json":                       poor,
		"operation.refund.succeeded.current.json":             refund.text("data.operation_id"),
	} {
		operations[name] = f.operation(id)
	}
	require.NoError(t, f.s.SetIPAllowlist(f.keys.Public, "203.0.113.1"))
	refusedIP := f.get("/balance")

	answers := map[string]answer{
		"balance.current.json": balance, "payout.accepted.current.json": payout, "payment_request.accepted.current.json": payment,
		"refund.accepted.current.json": refund, "operation.payment_request.succeeded.current.json": requested,
		"transaction.current.json": transaction, "transactions.list.current.json": page, "transactions.last_page.current.json": lastPage,
		"webhook.created.current.json": whs, "webhooks.list.current.json": list, "webhook.test.current.json": test,
		"webhook.deleted.current.json": deleted, "error.idempotency_conflict.json": conflict, "error.validation.json": invalid,
		"error.ip_not_allowed.json": refusedIP, "error.signature_invalid.json": unsigned,
	}
	maps.Copy(answers, operations)
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameShape(t, "", shapeOf(t, testdata(t, "examples", name)), shapeOf(t, a.body))
		})
	}
}

// What the documentation says in words, the fake says in the same: the whole error, its
// details and where client_ip stands.
func TestPublishedMessagesAreWordForWord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{PeerAddress: "203.0.113.99", Merchant: MerchantConfig{IPAllowlist: []string{"203.0.113.1"}}})
	whole := func(a answer) any {
		var v any
		require.NoErrorf(t, json.Unmarshal(a.body, &v), "%s", a.body)
		return v
	}
	of := func(path string) func(answer) any { return func(a answer) any { return a.at(path) } }
	webhook := f.post("/webhooks", `{"url":"https://my-app.example.com/intram/webhook","event":"*"}`).ok(201)
	subscription := "/webhooks/" + webhook.text("data.subscription_id")
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), key: "the-same-key"}).ok(202)
	old := func(r *http.Request) { r.Header.Set("X-Timestamp", "2020-01-01T00:00:00.000Z") }
	payout := func(amount int64, number string) answer {
		return f.operation(f.post("/payouts", payoutBody(amount, number)).ok(202).text("data.operation_id"))
	}
	for _, c := range []struct {
		example string
		part    func(answer) any
		got     answer
	}{
		{"error.idempotency_conflict.json", whole, f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(2, "22961234567"), key: "the-same-key"})},
		{"error.ip_not_allowed.json", whole, f.do(call{method: "GET", endpoint: "/balance", keys: f.s.Merchant().Live})},
		{"error.validation.json", whole, f.post("/payouts", payoutBody(0, "22961234567"))},
		{"error.signature_invalid.json", of("code"), f.do(call{method: "GET", endpoint: "/balance", edit: old})},
		{"error.signature_invalid.json", of("message"), f.do(call{method: "GET", endpoint: "/balance", edit: old})},
		{"operation.failed.current.json", of("data.error"), payout(999_999_999, "22961234567")},
		{"operation.provider_rejected.current.json", of("data.error"), payout(1000, "22961000004")},
		{"webhook.created.current.json", of("message"), webhook},
		{"webhook.test.current.json", whole, f.post(subscription+"/test", "{}")},
		{"webhook.deleted.current.json", whole, f.do(call{method: "DELETE", endpoint: subscription})},
	} {
		published := answer{t: t, body: testdata(t, "examples", c.example)}
		assert.Equal(t, c.part(published), c.part(c.got), c.example)
	}
}

// A method has one name wherever it is shown.
func TestPaymentMethodsHaveTheirPublishedNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for code, name := range map[string]string{mtnBenin: "MTN Bénin", moovBenin: "Moov Bénin", cardCode: "Carte Visa"} {
		_, reference := f.requestPayment(1000, "", "")
		require.NoError(t, f.s.PayWith(reference, code, "22961234567"))
		f.s.Clock().Advance(lateAnswer)
		assert.Equal(t, name, f.transaction(reference).text("data.payment_method"))
		events := f.s.Events()
		body := answer{t: t, body: events[len(events)-1].Body}
		assert.Equal(t, []string{"payment_request.paid", name}, []string{body.text("event"), body.text("data.payment_method")})
		assert.Contains(t, string(f.get("/balance").body), `"payment_method":"`+name+`"`)
		_, open := f.requestPayment(1000, "", "")
		page := f.browse("GET", gatewayPath+open, nil, nil)
		assert.Contains(t, string(page.body), `<option value="`+code+`">`+name+`</option>`)
	}
}

// shape is the structure of a JSON value: its kind, and the members of an object in their
// order.
type shape struct {
	kind    string
	names   []string
	members map[string]shape
	items   []shape
}

func shapeOf(t *testing.T, raw []byte) shape {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	s, err := readShape(d)
	require.NoErrorf(t, err, "%s", raw)
	return s
}

func readShape(d *json.Decoder) (shape, error) {
	token, err := d.Token()
	if err != nil {
		return shape{}, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return shape{kind: fmt.Sprintf("%T", token)}, nil
	}
	s := shape{kind: delim.String(), members: map[string]shape{}}
	for d.More() {
		if delim == '[' {
			item, err := readShape(d)
			if err != nil {
				return s, err
			}
			s.items = append(s.items, item)
			continue
		}
		name, err := d.Token()
		if err != nil {
			return s, err
		}
		member, err := readShape(d)
		if err != nil {
			return s, err
		}
		s.names = append(s.names, name.(string))
		s.members[name.(string)] = member
	}
	_, err = d.Token()
	return s, err
}

// more lists the keys that a response may have beyond an example: http_status, which the
// earlier revision lacks, and the fields of an operation that section 7 lists and two of
// the examples leave out.
var more = map[string]bool{"http_status": true, "payload": true, "updated_date": true, "completed_date": true, "_links": true}

func sameShape(t *testing.T, path string, want, got shape) {
	t.Helper()
	require.Equal(t, want.kind, got.kind, path)
	var shared []string
	for _, name := range got.names {
		if _, ok := want.members[name]; ok {
			shared = append(shared, name)
			sameShape(t, path+"."+name, want.members[name], got.members[name])
		} else if !strings.HasPrefix(path, ".data.payload") {
			assert.Truef(t, more[name], "%s.%s is not in the example", path, name)
		}
	}
	if !strings.HasPrefix(path, ".data.payload") { // the payload is the request's own
		assert.Equal(t, want.names, shared, "%s: the same keys in the same order", path)
	}
	if len(want.items) > 0 {
		require.NotEmpty(t, got.items, path)
		for i := range got.items {
			sameShape(t, path+"[]", want.items[0], got.items[i])
		}
	}
}

// Events have the members and the order of the published ones.
func TestEventsLookLikeThePublishedOnes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	whs, _ := f.subscribe("*", got.ServeHTTP)
	f.payout(25_000, "22961234567")
	f.requestPayment(12_000, mtnBenin, "")
	f.post("/webhooks/"+whs+"/test", "{}").ok(202)
	f.idle()
	var vectors []struct{ Name, Body string }
	require.NoError(t, json.Unmarshal(testdata(t, "vectors", "webhooks.json"), &vectors))
	compared := map[string]int{}
	for _, v := range vectors {
		for i, r := range got.requests {
			if r.Header.Get("X-Intram-Event") == v.Name {
				sameShape(t, "", shapeOf(t, []byte(v.Body)), shapeOf(t, []byte(got.bodies[i])))
				compared[v.Name]++
			}
		}
	}
	assert.Equal(t, map[string]int{"payout.completed": 1, "payment_request.created": 1, "test.ping": 1}, compared)
}
