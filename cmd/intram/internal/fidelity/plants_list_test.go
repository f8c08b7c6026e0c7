package fidelity

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	get  = http.MethodGet
	post = http.MethodPost

	windowRefused   = `{"error":true,"http_status":401,"code":"signature_invalid","message":"Signature verification failed: timestamp_out_of_window"}`
	mismatchRefused = `{"error":true,"http_status":401,"code":"signature_invalid","message":"Signature verification failed: signature_mismatch"}`
	subscribed201   = `{"error":false,"http_status":201,"data":{"subscription_id":"whs_planted","secret":"whsec_planted"}}`
)

// plants are differences, one or more for each probe.
func plants() []plant {
	return slices.Concat(accessPlants(), idempotencyPlants(), payloadPlants(), payoutPlants(), paymentPlants(), listPlants(), webhookPlants(), payinPlants())
}

func accessPlants() []plant {
	return []plant{
		{name: "no /v1", line: "Both prefixes", match: nth(2, func(r *http.Request) bool { return r.URL.Path == "/v1/balance" }), change: answer(http.StatusNotFound, "<html></html>")},
		{name: "JSON", line: "An unknown path", match: calls(get, "/no-such-endpoint"), change: refusal(http.StatusNotFound, "not_found")},
		{name: "404", line: "A wrong method", match: call(http.MethodPatch, "/balance"), change: status(http.StatusNotFound)},
		{name: "no Allow", line: "A wrong method", match: call(http.MethodPatch, "/balance"), change: noHeader("Allow")},
		{name: "body first", line: "The checks come", match: and(call(post, "/payment-requests"), header("X-Signature", wrongSignature)), change: refusal(http.StatusBadRequest, "invalid_body")},
		{name: "403", line: "`missing_api_key`", also: []string{"The checks come"}, match: header("X-Api-Key", unknownKey), change: status(http.StatusForbidden)},
		{name: "renamed", line: "`missing_api_key`", match: header("X-Api-Key", ""), change: replace("missing_api_key", "api_key_missing")},
		{name: "no reason", line: "`signature_invalid`", also: []string{"A timestamp exactly", "Errors and messages"}, change: replace("Signature verification failed: timestamp_out_of_window", "Signature verification failed")},
		{name: "reason renamed", line: "`signature_invalid`", match: header("X-Timestamp", "yesterday"), change: replace("invalid_timestamp_format", "signature_mismatch")},
		{name: "é refused", line: "The canonical string", match: sends("é"), change: answer(http.StatusUnauthorized, mismatchRefused)},
		{name: "not sorted", line: "The canonical string", match: queried("type=payout&limit=1"), change: answer(http.StatusUnauthorized, mismatchRefused)},
		{name: "the raw reading alone", line: "A signature that fits", match: later("%3A"), change: answer(http.StatusUnauthorized, mismatchRefused)},
		{name: "milliseconds alone", line: "X-Timestamp is taken", match: func(r *http.Request, _ string) bool {
			return strings.HasPrefix(r.Header.Get("X-Timestamp"), "20") && !strings.Contains(r.Header.Get("X-Timestamp"), ".")
		}, change: answer(http.StatusUnauthorized, mismatchRefused)},
		{name: "a shorter window", line: "A timestamp exactly", match: stamped(-window, -window+5*time.Second), change: answer(http.StatusUnauthorized, windowRefused)},
		{name: "a longer window", line: "A timestamp exactly", match: stamped(window, window+5*time.Second), change: accepted},
		{name: "none at all", line: "Every response has", change: noHeader("X-Request-Id")},
		{name: "none on a page", line: "Every response has", match: calls(get, "/no-such-endpoint"), change: noHeader("X-Request-Id")},
	}
}

func idempotencyPlants() []plant {
	requests := call(post, "/payment-requests")
	return []plant{
		{name: "renamed", line: "`missing_idempotency_key`", also: []string{"The checks come"}, match: either(call(post, "/refunds"), call(post, "/payment-requests")), change: replace("missing_idempotency_key", "idempotency_key_missing")},
		{name: "9 characters", line: "`missing_idempotency_key`", match: func(r *http.Request, _ string) bool { return len(r.Header.Get("Idempotency-Key")) == 8 }, change: refusal(http.StatusBadRequest, "invalid_idempotency_key")},
		{name: "no header", line: "The same key and request replay", also: []string{"Two requests with one key"}, match: requests, change: noHeader("Idempotent-Replay")},
		{name: "other bytes", line: "The same key and request replay", match: second(and(requests, sends(`"amount":100`))), change: replace(`{"error":false,`, `{"error": false,`)},
		{name: "422", line: "`idempotency_conflict`", match: and(requests, sends(`"amount":101`)), change: status(http.StatusUnprocessableEntity)},
		{name: "renamed", line: "`idempotency_conflict`", match: requests, change: replace("idempotency_conflict", "idempotency_mismatch")},
		{name: "not the path", line: "The fingerprint covers", match: first("/v1/payouts"), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "JSON compared", line: "The fingerprint covers", match: and(call(post, "/refunds"), sends("{ }")), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "in progress", line: "Two requests with one key", match: second(and(requests, sends(`"amount":102`))), change: refusal(http.StatusConflict, "idempotency_in_progress")},
		{name: "refusals not kept", line: "Refusals that come after", match: call(post, "/refunds"), change: noHeader("Idempotent-Replay")},
		{name: "refusals before kept", line: "Refusals that come after", also: []string{"Errors and messages"}, match: func(_ *http.Request, body string) bool { return body == `{"amount":1}` }, change: refusal(http.StatusConflict, "idempotency_conflict")},
	}
}

func payloadPlants() []plant {
	return []plant{
		{name: "renamed", line: "Responses have the field names", match: calls(get, "/operations/"), change: replace(`"completed_date"`, `"completed_at"`)},
		{name: "a number as string", line: "Responses have the field names", also: []string{"`payment_request.paid`"}, match: calls(get, "/transactions/"), change: replace(`"net_amount":98`, `"net_amount":"98"`)},
		{name: "null", line: "Responses have the field names", match: calls(get, "/operations/"), change: replace(`"_links":{`, `"_links":null,"links":{`)},
		{name: "another order", line: "Responses have the field names", match: call(post, "/payment-requests"), change: replace(`{"error":false,"http_status":202,`, `{"http_status":202,"error":false,`)},
		{name: "other words", line: "Errors and messages", match: call(post, "/refunds"), change: replace("already used with a different", "used before with another")},
		{name: "no words", line: "Errors and messages", match: calls(http.MethodDelete, "/webhooks/"), change: replace("Webhook deleted", "OK")},
		{name: "the first mistake alone", line: "`validation_error`", match: sends(`"note":1,"metadata":[]`), change: replace(`},{"path":"currency"`, `},{"path":"amount"`)},
		{name: "422", line: "`validation_error`", match: call(post, "/webhooks"), also: []string{"https only", "Exact events"}, change: func(_ *http.Request, w *httptest.ResponseRecorder) {
			if w.Code == http.StatusBadRequest {
				w.Code = http.StatusUnprocessableEntity
			}
		}},
		{name: "arrays", line: "`invalid_body`", match: and(call(post, "/refunds"), sends("[]")), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "forms", line: "`invalid_body`", match: header("Content-Type", "application/x-www-form-urlencoded"), change: refusal(http.StatusUnsupportedMediaType, "unsupported_media_type")},
		{name: "strings", line: "Amounts are JSON numbers", match: sends(`"amount":"1000"`), rewrite: func(body string) string { return strings.Replace(body, `"1000"`, "1000", 1) }},
		{name: "1e3 refused", line: "Amounts are JSON numbers", match: sends("1e3"), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "1e3", line: "Amounts are JSON numbers", match: sends("1e3"), rewrite: func(body string) string { return strings.Replace(body, "1e3", "101", 1) }},
	}
}

func payoutPlants() []plant {
	payouts := call(post, "/payouts")
	return []plant{
		{name: "renamed", line: "`GET /balance`", match: call(get, "/balance"), change: replace(`"pending"`, `"on_hold"`)},
		{name: "a string", line: "`GET /balance`", match: call(get, "/balance"), change: replace(`"pending":0`, `"pending":"0"`)},
		{name: "refused", line: "`POST /payouts`", match: and(payouts, sends(`"msisdn":"22961000000"}}`), sends(mtnOperator), sends("BJ")), change: refusal(http.StatusForbidden, "payouts_disabled"), also: []string{
			"Responses have", "MTN Bénin", "A payout costs", "A payout debits", "`000000`", "The list of transactions", "Errors and messages",
		}},
		{name: "long references", line: "`POST /payouts`", match: and(payouts, sends("rrrrr")), change: accepted},
		{name: "another field", line: "`POST /payouts`", match: payouts, change: replace(`"path":"destination.account_number"`, `"path":"destination.iban"`)},
		{name: "in the worker", line: "A number that does not begin", match: sends(foreignOperator), change: answer(http.StatusAccepted, `{"error":false,"http_status":202,"data":{}}`)},
		{name: "not debited", line: "A payout debits", match: payouts, rewrite: func(body string) string { return strings.Replace(body, `"amount":100,`, `"amount":50,`, 1) }},
		{name: "a fee", line: "A payout debits", match: payouts, rewrite: func(body string) string { return strings.Replace(body, `"amount":100,`, `"amount":102,`, 1) }},
		{name: "at once", line: "`missing_provider_code`", match: and(payouts, sends(`"BJ","msisdn"`)), change: refusal(http.StatusBadRequest, "missing_provider_code")},
		{name: "another code", line: "`missing_provider_code`", match: calls(get, "/operations/"), change: replace("missing_provider_code", "provider_error")},
		{name: "at once", line: "An operator that is not handled", match: and(payouts, sends(noOperator)), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "paid", line: "An operator that is not handled", match: sends(noOperator), rewrite: func(body string) string { return strings.Replace(body, noOperator, mtnOperator, 1) }},
		{name: "printed without its code", line: "`61000000`", match: sends(`"msisdn":"94000000"`), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "another name", line: "MTN Bénin", change: replace("MTN Bénin", "MTN Benin")},
		{name: "fees", line: "A payout costs no fees", match: queried("type=DEBIT"), change: replace(`"fees":0`, `"fees":2`)},
		{name: "Moov fails", line: "`000000`", match: sends(moovNumber), rewrite: func(body string) string { return strings.Replace(body, moovNumber, "22994000001", 1) }},
	}
}

func paymentPlants() []plant {
	requests := call(post, "/payment-requests")
	return []plant{
		{name: "refused", line: "`POST /payment-requests`", match: and(requests, sends(`"amount":100,`)), change: refusal(http.StatusBadRequest, "validation_error"), also: []string{
			"The same key", "`idempotency_conflict`", "Limits", "`unsupported_payment_method`", "Responses have", "The QR code", "`payment_request.paid`", "`not_refundable`", "`GET /", "Newest first", "The cursor", "The response to a creation",
		}},
		{name: "two addresses", line: "`POST /payment-requests`", match: calls(get, "/operations/"), change: replace(`"payment_url":"http`, `"payment_url":"https://example.com/http`)},
		{name: "ready at once", line: "`POST /payment-requests`", match: and(requests, sends(`"amount":100`)), also: []string{"The same key", "Limits", "`unsupported_payment_method`", "`idempotency_conflict`"}, change: func(_ *http.Request, w *httptest.ResponseRecorder) {
			if w.Code == http.StatusAccepted {
				w.Code = http.StatusCreated
			}
		}},
		{name: "renamed", line: "`missing_invoice`", change: replace("missing_invoice", "invoice_missing")},
		{name: "checked first", line: "`missing_invoice`", match: and(requests, sends("XXX")), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "from 99", line: "Limits of an invoice", match: sends(`"amount":99,`), rewrite: func(body string) string { return strings.Replace(body, "99", "100", 1) }},
		{name: "up to 19 999 999", line: "Limits of an invoice", match: sends(`"amount":20000000,`), change: refusal(http.StatusBadRequest, "amount_too_large")},
		{name: "those of live", line: "The sandbox has limits of its own", match: sends(`"amount":2000001,`), change: refusal(http.StatusBadRequest, "amount_too_large")},
		{name: "3 %", line: "`payment_request.paid`", match: calls(get, "/transactions/"), change: replace(`"fees":2,"net_amount":98`, `"fees":3,"net_amount":97`)},
		{name: "SVG", line: "The QR code", match: calls(get, "/operations/"), change: replace("data:image/png;base64,", "data:image/svg+xml;base64,")},
		{name: "at once", line: "`unsupported_payment_method`", match: sends("FIDELITY_NO_SUCH_METHOD"), change: refusal(http.StatusBadRequest, "unsupported_payment_method")},
		{name: "400", line: "`POST /refunds`", match: call(post, "/refunds"), change: func(_ *http.Request, w *httptest.ResponseRecorder) {
			if w.Code == http.StatusNotFound {
				w.Code = http.StatusBadRequest
			}
		}},
		{name: "another code", line: "`not_refundable`", match: calls(get, "/operations/"), change: replace("transaction_not_settled", "not_refundable")},
	}
}

func listPlants() []plant {
	return []plant{
		{name: "400", line: "`GET /transactions/:reference`", match: calls(get, "/transactions/0000"), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "another one", line: "`GET /transactions/:reference`", match: calls(get, "/transactions/"), change: replace(`"reference":"`, `"reference":"X`)},
		{name: "limit 101", line: "`GET /transactions`, `GET /operations`", match: and(call(get, "/operations"), queried("limit=101")), change: accepted},
		{name: "no filter", line: "`GET /transactions`, `GET /operations`", match: queried("type=CREDIT"), change: replace(`"type":"CREDIT"`, `"type":"DEBIT"`)},
		{name: "not listed", line: "The list of transactions holds", also: []string{"MTN Bénin", "A payout costs no fees"}, match: queried("type=DEBIT"), change: accepted},
		{name: "no days", line: "`before` takes those forms", match: queried("before=2020-01-01&"), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "another cursor", line: "Newest first", match: and(call(get, "/operations"), queried("limit=2")), change: replace(`"next_before":"2026-`, `"next_before":"2025-`)},
		{name: "an end without null", line: "Newest first", match: queried("before=2000"), change: replace(`"next_before":null`, `"next_before":""`)},
		{name: "oldest first", line: "Newest first", match: and(call(get, "/transactions"), queried("limit=2")), change: reversed},
		{name: "inclusive", line: "The cursor is strictly before", match: and(call(get, "/transactions"), queried("limit=20")), change: inclusive},
		{name: "renamed", line: "`GET /operations/:id`", match: calls(get, "/operations/"), change: replace("operation_not_found", "not_found")},
		{name: "completed", line: "`GET /operations/:id`", also: []string{"`000000`", "`61000000`", "`POST /payment-requests`"}, match: calls(get, "/operations/"), change: replace(`"status":"succeeded"`, `"status":"completed"`)},
		{name: "processing", line: "The response to a creation", match: call(post, "/payment-requests"), change: replace(`"status":"queued"`, `"status":"processing"`)},
	}
}

func webhookPlants() []plant {
	subscriptions := call(post, "/webhooks")
	return []plant{
		{name: "the secret again", line: "`POST /webhooks`", match: call(get, "/webhooks"), change: replace(`"date"`, `"secret":"whsec_planted","date"`)},
		{name: "204", line: "`POST /webhooks`", match: calls(http.MethodDelete, "/webhooks/"), change: replace("webhook_not_found", "subscription_not_found")},
		{name: "an address that exists", line: "`POST /webhooks`", also: []string{"Exact events", "Errors and messages"}, match: and(subscriptions, sends("receiver-"), sends(`"event":"payout.completed"`)), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "a ping", line: "`POST /webhooks`", match: call(post, "/test"), change: status(http.StatusOK)},
		{name: "http", line: "https only", match: and(subscriptions, sends(`"http://`)), change: answer(http.StatusCreated, subscribed201)},
		{name: "no families", line: "Exact events", match: and(subscriptions, sends("payout.*")), change: refusal(http.StatusBadRequest, "validation_error")},
		{name: "anything", line: "Exact events", match: and(subscriptions, sends("no such event")), change: answer(http.StatusCreated, subscribed201)},
	}
}

func payinPlants() []plant {
	sessions := call(post, "/payin/sessions")
	return []plant{
		{name: "401", line: "`GET /health`", match: call(get, "/health"), change: status(http.StatusUnauthorized)},
		{name: "the body first", line: "Basic credentials are checked first", match: and(sessions, sends("[]")), change: answer(http.StatusBadRequest, `{"code":"invalid_body","message":"no","statusCode":400}`)},
		{name: "401", line: "A malformed or wrong pair", match: header("Authorization", "Basic ***"), change: status(http.StatusUnauthorized)},
		{name: "any key", line: "X-Idempotency-Key is required", match: header("X-Idempotency-Key", "fidelity-0001"), change: replace("invalid_idempotency_key", "validation_error")},
		{name: "renamed", line: "`transaction_greater_than_zero`", match: and(sessions, sends("action")), change: replace("transaction_greater_than_zero", "amount_invalid")},
		{name: "no action", line: "The newer revision requires", match: sends(`"fidelity":{`), change: answer(http.StatusForbidden, `{"code":"transaction_greater_than_zero","message":"no","statusCode":403}`)},
		{name: "one field", line: "Malformed fields", match: sessions, change: replace("msisdn", "number")},
		{name: "not kept", line: "Responses are kept 24 hours", match: second(and(sessions, func(_ *http.Request, body string) bool { return body == "{}" })), change: replace(`{"code"`, `{ "code"`)},
		{name: "a header", line: "Responses are kept 24 hours", match: sessions, change: func(_ *http.Request, w *httptest.ResponseRecorder) { w.Header().Set("Idempotent-Replay", "true") }},
		{name: "renamed", line: "`GET /v1/payin/{reference}`", match: calls(get, noPayin), change: replace("transaction_does_not_exist", "not_found")},
		{name: "one language", line: "Messages come in English or French", match: header("Accept-Language", "fr"), change: replace("La transaction n'existe pas", "The transaction does not exist")},
		{name: "404", line: "A creation gets 200", match: calls(http.MethodDelete, noPayin), change: status(http.StatusNotFound)},
	}
}

// first is hit by the first call of a path alone.
func first(path string) matchFunc {
	return nth(1, func(r *http.Request) bool { return r.URL.Path == path })
}

// later is hit by all but the first call with such a query.
func later(query string) matchFunc {
	begun := nth(1, func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, query) })
	return func(r *http.Request, body string) bool {
		return strings.Contains(r.URL.RawQuery, query) && !begun(r, body)
	}
}

func nth(n int, of func(*http.Request) bool) matchFunc {
	var mu sync.Mutex
	seen := 0
	return func(r *http.Request, _ string) bool {
		if !of(r) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		return seen == n
	}
}

// page is a list of the API, for changing it.
type page struct {
	Error  bool              `json:"error"`
	Status int               `json:"http_status"`
	Data   []json.RawMessage `json:"data"`
	Paging json.RawMessage   `json:"paging"`
}

func edited(w *httptest.ResponseRecorder, edit func(*page)) {
	var p page
	if json.Unmarshal(w.Body.Bytes(), &p) != nil {
		return
	}
	edit(&p)
	data, err := json.Marshal(p)
	if err != nil {
		return
	}
	w.Body = bytes.NewBuffer(data)
}

func reversed(_ *http.Request, w *httptest.ResponseRecorder) {
	edited(w, func(p *page) { slices.Reverse(p.Data) })
}

// inclusive puts an item of the cursor's own time in front.
func inclusive(r *http.Request, w *httptest.ResponseRecorder) {
	before := r.URL.Query().Get("before")
	if before == "" {
		return
	}
	edited(w, func(p *page) {
		p.Data = append([]json.RawMessage{json.RawMessage(`{"date":"` + before + `"}`)}, p.Data...)
	})
}
