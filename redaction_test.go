package intram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// What must never be seen: a secret, and what tells who a customer is.
const (
	canaryPublic  = "pk_sandbox_ca4a7ca4a7ca4a7"
	canarySecret  = "sk_sandbox_ca5ec2e7ca5ec2e7"
	canaryHook    = "whsec_ca5ec2e7"
	canaryMSISDN  = "22987654321"
	canaryAccount = "BJ0619876543219876543210"
	canaryEmail   = "zebulon@canary.example"
	canaryFirst   = "Zebulon"
	canaryLast    = "Quixote"
	canaryText    = "zanzibar" // in texts and data that customers and merchants type
)

var canaries = []string{
	canaryPublic[11:], canarySecret[11:], canaryHook[6:], canaryMSISDN, canaryMSISDN[3:], canaryAccount, canaryEmail, "canary.example",
	canaryFirst, canaryLast, canaryText, strings.ToUpper(canaryFirst),
}

func assertNoCanary(t *testing.T, text, where string) {
	t.Helper()
	for _, c := range canaries {
		assert.NotContains(t, strings.ToLower(text), strings.ToLower(c), where)
	}
	// Not in hexadecimal either, which is what %x makes of a string.
	assert.NotContains(t, text, fmt.Sprintf("%x", canarySecret), where)
	assert.NotContains(t, text, fmt.Sprintf("%x", canaryMSISDN), where)
}

// canaryJSON writes a template with the canaries in it.
func canaryJSON(template string) string {
	return strings.NewReplacer(
		"MSISDN", canaryMSISDN, "ACCOUNT", canaryAccount, "EMAIL", canaryEmail, "FIRST", canaryFirst, "LAST", canaryLast,
		"TEXT", canaryText, "HOOK", canaryHook,
	).Replace(template)
}

// canaryValues is one of every exported type that holds something of a customer's, or a
// secret.
func canaryValues(t *testing.T) map[string]any {
	t.Helper()
	tx := getTransaction(t, canaryJSON(`{"error":false,"data":{
		"reference":"AB12CD34EF","status":"SUCCESS","amount":12000,"customer":{"email":"EMAIL","name":"FIRST LAST","id":"x","first_name":"FIRST","last_name":"LAST"},
		"source":{"number":"MSISDN"},"declined_reason":"TEXT FIRST","webhook_data":{"x":"TEXT"},"refunds":[{"reference":"R","reason":"TEXT for FIRST"}],
		"qr_code":"data:TEXT"}}`))
	payout := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"payout","status":"succeeded","payload":{"destination":{"msisdn":"MSISDN","account_name":"FIRST"}},
		"result":{"reference":"PO-1","amount":1,"destination":{"type":"mobile_money","msisdn":"MSISDN","account_name":"FIRST","account_surname":"LAST"},
		"provider_response":{"responsecode":"00","responsemsg":"paid to FIRST LAST MSISDN","serviceref":"x"}}}}`))
	bank := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"payout","status":"succeeded",
		"result":{"destination":{"type":"bank_account","account_number":"ACCOUNT","swift":"ECOCBJBJ","account_name":"FIRST LAST"}}}}`))
	strange := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"payout","status":"succeeded","result":{"destination":{"type":"new","who":"FIRST"}}}}`))
	failed := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"payout","status":"failed","payload":{"msisdn":"MSISDN"},
		"error":{"code":"provider_rejected","message":"Subscriber FIRST LAST (MSISDN, EMAIL) not found","details":{"responsecode":"102","responsemsg":"FIRST LAST TEXT"}}}}`))
	request := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"payment_request","status":"succeeded","result":{"transaction_reference":"AB12CD34EF","gateway_url":"https://gateway.intram.org/x",
		"customer":{"name":"FIRST"}}}}`))
	refunded := getOperation(t, canaryJSON(`{"error":false,"data":{
		"operation_id":"op_1","type":"refund","status":"succeeded","result":{"refund_reference":"R","provider_response":{"responsemsg":"FIRST LAST"}}}}`))
	unknown := getOperation(t, canaryJSON(`{"error":false,"data":{"operation_id":"op_1","type":"x","status":"FIRST LAST","result":{"who":"FIRST"}}}`))
	subscription := get(t, canaryJSON(`{"error":false,"data":{"subscription_id":"whs_1","url":"https://shop.example.com/hook/TEXT?t=TEXT","event":"*","secret":"HOOK"}}`),
		func(c *intram.Client) (*intram.WebhookSubscription, error) {
			return c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://x.example", Event: "*"})
		})
	client, err := intram.NewClient(canaryPublic, canarySecret)
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier(canaryHook, canaryHook+"2")
	require.NoError(t, err)
	values := map[string]any{
		"client": client, "nil client": (*intram.Client)(nil), "verifier": verifier, "nil verifier": (*intram.WebhookVerifier)(nil),
		"subscription": subscription, "subscriptions": []intram.WebhookSubscription{*subscription},
		"transaction": tx, "transactions": []intram.Transaction{*tx}, "page": intram.Page[intram.Transaction]{Items: []intram.Transaction{*tx}},
		"customer": tx.Customer, "source": tx.Source, "refund entry": tx.Refunds[0], "raw": tx.Raw,
		"payout": payout, "payout result": payout.Result, "destination": payout.Result.(*intram.PayoutResult).Destination,
		"provider response": payout.Result.(*intram.PayoutResult).ProviderResponse,
		"bank":              bank, "bank result": bank.Result, "bank destination": bank.Result.(*intram.PayoutResult).Destination,
		"strange payout": strange, "strange destination": strange.Result.(*intram.PayoutResult).Destination,
		"failed": failed, "operation error": failed.Error, "details": failed.Error.Details,
		"request": request, "request result": request.Result, "refund": refunded, "refund result": refunded.Result,
		"unknown": unknown, "unknown result": unknown.Result, "operations": []*intram.Operation{payout, failed},
		"payout params": intram.PayoutParams{
			Amount: intram.NewAmount(1), Reference: canaryText, Note: canaryText, Metadata: map[string]any{canaryText: canaryFirst},
			Destination: intram.MobileMoney{MSISDN: canaryMSISDN, AccountName: canaryFirst, AccountSurname: canaryLast},
		},
		"bank params": intram.PayoutParams{
			Destination: &intram.BankAccount{AccountNumber: canaryAccount, AccountName: canaryFirst, AccountSurname: canaryLast},
		},
		"request params": intram.PaymentRequestParams{
			Invoice: intram.Invoice{
				Amount: intram.NewAmount(1), Description: canaryText,
				Customer: intram.Customer{Email: canaryEmail, FirstName: canaryFirst, LastName: canaryLast, Phone: canaryMSISDN},
			},
			PaymentMethod: intram.PaymentMethod{MSISDN: canaryMSISDN}, WebhookData: map[string]any{"x": canaryText},
			ReturnURLs: intram.ReturnURLs{Success: "https://x.example/" + canaryText},
		},
		"customer of an invoice": intram.Customer{Email: canaryEmail, FirstName: canaryFirst, LastName: canaryLast, Phone: canaryMSISDN},
		"invoice": intram.Invoice{
			Amount: intram.NewAmount(1), Description: canaryText, Customer: intram.Customer{FirstName: canaryFirst},
		},
		"return urls":    intram.ReturnURLs{Success: "https://x.example/" + canaryText, Cancel: "https://x.example/?t=" + canaryText},
		"refund params":  intram.RefundParams{TransactionReference: "AB12CD34EF", Reason: canaryText, Metadata: map[string]any{"x": canaryText}},
		"webhook params": intram.WebhookParams{URL: "https://x.example/" + canaryText, Event: "*"},
		"payment method": intram.PaymentMethod{Code: intram.MTNBenin, MSISDN: canaryMSISDN},
		"wait error": &intram.WaitError{
			Operation: failed, Transaction: tx, Err: errors.New("malformed HTTP response \"" + canaryFirst + " " + canaryMSISDN + "\""),
		},
	}
	for name, body := range map[string]string{
		"payout event": `{"event":"payout.failed","operation_id":"op_1","data":{"destination":{"type":"mobile_money","msisdn":"MSISDN"},
			"provider_response":{"responsemsg":"FIRST"},"error":{"code":"x","message":"FIRST"},"reference":"PO-1"}}`,
		"payment event": `{"event":"payment_request.paid","data":{"customer":{"name":"FIRST"},"webhook_data":{"x":"TEXT"},"error":{"code":"c","message":"FIRST"}}}`,
		"refund event":  `{"event":"refund.failed","data":{"reason":"TEXT FIRST","provider_response":{"responsemsg":"FIRST"}}}`,
		"new event":     `{"event":"dispute.opened","data":{"who":"FIRST LAST"}}`,
		"odd event":     `{"event":"FIRST LAST MSISDN","operation_id":"MSISDN","data":null}`,
	} {
		body := canaryJSON(body)
		v, err := intram.NewWebhookVerifier("s")
		require.NoError(t, err)
		event, err := v.Verify(intram.SignWebhook("s", time.Now(), []byte(body)), []byte(body))
		require.NoError(t, err)
		values[name], values[name+" data"] = event, event.Data
	}
	return values
}

// Whatever the verb, whatever the nesting.
func TestFormattingShowsNobody(t *testing.T) {
	t.Parallel()
	for name, value := range canaryValues(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, nested := range []any{value, &value, []any{value}, map[string]any{"k": value}, struct{ V any }{value}} {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%10v", "%t"} {
					text := fmt.Sprintf(verb, nested)
					assertNoCanary(t, text, verb)
				}
			}
			if name != "nil client" && name != "nil verifier" {
				assert.NotEmpty(t, fmt.Sprint(value))
			}
		})
	}
}

// fmt reads the unexported fields of a caller's struct without asking their methods. What
// holds a secret lies behind a pointer or a function, where fmt finds an address.
func TestASecretInACallersUnexportedFieldIsNotPrinted(t *testing.T) {
	t.Parallel()
	values := canaryValues(t)
	verifier := values["verifier"].(*intram.WebhookVerifier)
	client := values["client"].(*intram.Client)
	payin := intram.WithPayin("payin-"+canarySecret[11:], canarySecret[11:])
	type store struct {
		verifier intram.WebhookVerifier
		client   intram.Client
		option   intram.ClientOption
	}
	held := store{verifier: *verifier, client: *client, option: payin}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(verb, held) + fmt.Sprintf(verb, &held)
		for _, secret := range []string{canarySecret[11:], canaryHook[6:], fmt.Sprintf("%x", canarySecret[11:]), fmt.Sprintf("%x", canaryHook[6:])} {
			assert.NotContains(t, text, secret, verb)
		}
	}
}

// A subscription is a plain value: it is made in a literal, its zero value reads as
// empty, and neither prints a secret.
func TestASubscriptionIsAPlainValueThatPrintsNoSecret(t *testing.T) {
	t.Parallel()
	assert.Empty(t, intram.WebhookSubscription{}.Secret)
	read := canaryValues(t)["subscription"].(*intram.WebhookSubscription)
	made := intram.WebhookSubscription{ID: "whs_1", URL: "https://shop.example.com/hook/" + canaryText + "?t=" + canaryText, Event: intram.EventAll, Secret: canaryHook}
	assert.Equal(t, made, *read)
	type exported struct{ Subscription any }
	for _, value := range []any{made, &made, []intram.WebhookSubscription{made}, []*intram.WebhookSubscription{&made}, exported{made}, exported{&made}} {
		texts := make([]string, 0, 10)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
		out, err := json.Marshal(value)
		require.NoError(t, err)
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", slog.Any("value", value))
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", slog.Any("value", value))
		texts = append(texts, string(out), logged.String())
		for _, text := range texts {
			assert.NotContains(t, text, canaryHook[6:])
			assert.NotContains(t, text, fmt.Sprintf("%x", canaryHook[6:]))
		}
	}
}

// And in the lines that an application logs itself.
func TestLoggingShowsNobody(t *testing.T) {
	t.Parallel()
	for name, value := range canaryValues(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch name {
			case "transactions", "operations", "subscriptions":
				return // slog asks no element of a slice what it wants to be logged as
			}
			var out bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				l := slog.New(h)
				l.Info("x", slog.Any("value", value), slog.Group("g", slog.Any("value", value)))
				l.With(slog.Any("value", value)).Info("y")
			}
			assertNoCanary(t, out.String(), name)
		})
	}
}

// What the values are for is still in them.
func TestFormattingSaysWhatItMay(t *testing.T) {
	t.Parallel()
	values := canaryValues(t)
	for name, says := range map[string][]string{
		"transaction":      {"AB12CD34EF", "SUCCESS", "12000"},
		"payout":           {"op_1", "payout", "succeeded"},
		"failed":           {"op_1", "payout", "failed", "provider_rejected"},
		"operation error":  {"op_1", "provider_rejected", "the operator refused"},
		"payout result":    {"PO-1"},
		"refund result":    {"R"},
		"request result":   {"AB12CD34EF"},
		"destination":      {"MobileMoney", "21}"},
		"bank destination": {"ECOCBJBJ", "10}"},
		"payout event":     {"payout.failed", "op_1"},
		"subscription":     {"whs_1", "shop.example.com"},
		"client":           {"sandbox", "https://api.intram.org/v1"},
		"verifier":         {"2 secrets"},
		"refund params":    {"AB12CD34EF"},
		"raw":              {"bytes"},
	} {
		for _, one := range says {
			assert.Contains(t, fmt.Sprint(values[name]), one, name)
		}
	}
}

// JSON is for storing, and stores what came; but never a secret.
func TestSecretsAreNotMarshalled(t *testing.T) {
	t.Parallel()
	values := canaryValues(t)
	out, err := json.Marshal(values["subscription"])
	require.NoError(t, err)
	assert.NotContains(t, string(out), canaryHook)
	assert.JSONEq(t, `{"subscription_id":"whs_1","url":"https://shop.example.com/hook/zanzibar?t=zanzibar","event":"*","date":"0001-01-01T00:00:00Z"}`, string(out))
	out, err = json.Marshal(values["client"])
	require.NoError(t, err)
	assertNoCanary(t, string(out), "client")
	out, err = json.Marshal(values["verifier"])
	require.NoError(t, err)
	assertNoCanary(t, string(out), "verifier")
}

// noisyServer responds to everything with the customer's data, in every place where a
// response has room for it.
func noisyAnswers() map[string][]step {
	body := canaryJSON(`{"error":true,"code":"validation_error","message":"Customer FIRST LAST (MSISDN, EMAIL) of TEXT\nrefused",
		"details":[{"path":"destination.msisdn","msg":"MSISDN of FIRST LAST is not registered at TEXT"},{"path":"FIRST","msg":"EMAIL"}],"client_ip":"203.0.113.9"}`)
	plain := canaryJSON(`{"error":true,"code":"FIRST LAST","message":"FIRST LAST MSISDN EMAIL"}`)
	return map[string][]step{
		"refusal":      {answer(400, body)},
		"odd code":     {answer(400, plain)},
		"page":         {answer(404, canaryJSON("<html>FIRST LAST MSISDN EMAIL</html>"), "Content-Type", canaryJSON("text/html FIRST MSISDN"))},
		"not JSON":     {answer(200, canaryJSON("FIRST LAST MSISDN"))},
		"odd JSON":     {answer(200, canaryJSON(`{"error":false,"data":{"operation_id":MSISDN,"reference":MSISDN,"amount":"FIRST"}}`))},
		"5xx":          {answer(500, body), answer(500, body), answer(500, body), answer(500, body)},
		"broken":       repeat(4, failWith(errors.New(canaryJSON("net/http: HTTP/1.x transport connection broken: malformed HTTP response \"FIRST LAST MSISDN\"")))),
		"broken value": repeat(4, failWith(errors.New(canaryJSON("malformed MIME header: missing colon: \"FIRST EMAIL")))),
		"redirect":     {answer(302, "", "Location", canaryJSON("https://elsewhere.example/?who=FIRST&n=MSISDN"))},
		"odd redirect": {answer(302, "", "Location", canaryJSON("http://[FIRST MSISDN"))},
		"request id":   {answer(400, body, "X-Request-Id", "req-1", "Retry-After", canaryFirst)},
	}
}

func failWith(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func repeat(n int, s step) []step {
	var all []step
	for range n {
		all = append(all, s)
	}
	return all
}

// Whatever the server says, no error and no line of the log repeats it.
func TestErrorsAndLogLinesShowNobody(t *testing.T) {
	t.Parallel()
	for name, steps := range noisyAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text, lines bytes.Buffer
			for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&text, nil)), slog.New(slog.NewJSONHandler(&lines, nil))} {
				for method, call := range everyCall {
					s := &script{t: t, steps: append([]step(nil), steps...)}
					client, err := intram.NewClient(canaryPublic, canarySecret, intram.WithHTTPClient(&http.Client{Transport: s}),
						intram.WithJitter(0), intram.WithLogger(logger))
					require.NoError(t, err)
					err = call(t.Context(), client)
					if name == "odd JSON" && (method == "test" || method == "unsubscribe" || method == "balance") {
						continue // what is odd is not in these
					}
					require.Error(t, err, method)
					for _, e := range []error{err, fmt.Errorf("wrapped: %w", err), errors.Join(err, io.EOF)} {
						for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
							assertNoCanary(t, fmt.Sprintf(verb, e), method+" "+verb)
						}
					}
					assert.NotContains(t, err.Error(), "\n", "one line")
					logger.Error("failed", slog.Any("error", err))
				}
			}
			assertNoCanary(t, text.String(), "text log")
			assertNoCanary(t, lines.String(), "JSON log")
		})
	}
}

func TestWaitErrorsShowNobody(t *testing.T) {
	t.Parallel()
	failed := canaryJSON(`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"failed","payload":{"msisdn":"MSISDN"},
		"error":{"code":"provider_rejected","message":"Subscriber FIRST LAST (MSISDN) not found","details":{"responsecode":"FIRST","responsemsg":"FIRST"}}}}`)
	client, _ := scripted(t, answer(200, failed))
	_, err := client.Payouts.Wait(t.Context(), "op_1")
	require.ErrorIs(t, err, intram.CodeProviderRejected)
	assertNoCanary(t, fmt.Sprintf("%v %+v %#v", err, err, err), "operation error")
	assert.Equal(t, "intram: operation op_1 failed: provider_rejected: the operator refused: see OperationError.Details (operator's code …)", err.Error())

	synctest.Test(t, func(t *testing.T) {
		client, s := scripted(t)
		s.forever = answer(404, canaryJSON(`{"error":true,"code":"operation_not_found","message":"FIRST MSISDN"}`))
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.ErrorIs(t, err, intram.CodeOperationNotFound)
		assertNoCanary(t, fmt.Sprintf("%v %+v %#v", err, err, err), "wait error")

		// An id that looks like a number is one, as far as anyone can tell.
		_, err = client.WaitForOperation(t.Context(), canaryMSISDN)
		require.ErrorIs(t, err, intram.CodeOperationNotFound)
		assertNoCanary(t, fmt.Sprintf("%v %+v %#v", err, err, err), "wait for a number")
	})

	client, _ = scripted(t, answer(200, canaryJSON(`{"error":false,"data":{"operation_id":"op_1","type":"FIRST","status":"succeeded","result":{"a":"FIRST"}}}`)))
	_, err = client.Refunds.Wait(t.Context(), "op_1")
	require.ErrorIs(t, err, intram.ErrUnexpectedResult)
	assertNoCanary(t, fmt.Sprintf("%v %+v %#v", err, err, err), "unexpected result")
}

// One line an attempt, with what an operator needs.
func TestLogLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &script{t: t, steps: []step{
		answer(503, "", "X-Request-Id", "req-1"), lost, answer(202, example(t, "payout.accepted.current.json"), "X-Request-Id", "req-2"),
		answer(404, `{"error":true,"code":"operation_not_found"}`),
	}}
	client := newClient(t, s, intram.WithLogger(slog.New(slog.NewJSONHandler(&out, nil))))
	_, err := client.Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	_, err = client.Operations.Get(t.Context(), "op_1")
	require.Error(t, err)
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		assert.NotNil(t, m["time"])
		assert.NotNil(t, m["duration"])
		assert.EqualValues(t, "intram attempt", m["msg"])
		lines = append(lines, m)
	}
	require.Len(t, lines, 4, "one line an attempt")
	for i, want := range []struct {
		level, method, path string
		attempt             int
		status              int
		requestID           any
	}{
		{"WARN", "POST", "/payouts", 1, 503, "req-1"},
		{"WARN", "POST", "/payouts", 2, 0, nil},
		{"INFO", "POST", "/payouts", 3, 202, "req-2"},
		{"WARN", "GET", "/operations/{id}", 1, 404, nil},
	} {
		assert.Equal(t, want.level, lines[i]["level"])
		assert.Equal(t, want.method, lines[i]["method"])
		assert.Equal(t, want.path, lines[i]["path"], "the template, not the id")
		assert.EqualValues(t, want.attempt, lines[i]["attempt"])
		assert.Equal(t, want.requestID, lines[i]["request_id"])
		if want.status == 0 {
			assert.NotContains(t, lines[i], "status")
			assert.Equal(t, "read tcp: connection reset by peer", lines[i]["error"])
		} else {
			assert.EqualValues(t, want.status, lines[i]["status"])
		}
	}
	assert.NotContains(t, out.String(), "op_1")
}
