package fidelity

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var payloadProbes = []Probe{
	{Line: Line{sectionPayloads, "Responses have the field names, kinds and order of the current revision"}, play: playShapes},
	{Line: Line{sectionPayloads, "Errors and messages that the docs print are word for word theirs: the whole error, its details, `client_ip` at its top level"}, play: playMessages},
	{Line: Line{sectionPayloads, "`validation_error`: 400, each wrong field named in details, all at once"}, play: refusals(func(*Session) []step {
		return []step{
			posting("a payout with six wrong fields", "/payouts", `{"amount":0,"currency":"xof","destination":{"type":"mobile_money","country_code":"bj","msisdn":"+`+mtnNumber+`"},"note":1,"metadata":[]}`),
			posting("an empty payout", "/payouts", `{}`),
			posting("an empty refund", "/refunds", `{}`),
			posting("an empty subscription", "/webhooks", `{}`),
			getting("a list with two wrong parameters", "/operations?limit=0&status=no_such_status"),
		}
	})},
	{Line: Line{sectionPayloads, "`invalid_body`: 400 for a body that is no JSON object"}, play: steps(func(*Session) []step {
		return []step{
			posting("an array", "/refunds", `[]`), posting("broken JSON", "/refunds", `{"amount":`), posting("no body", "/refunds", ""),
			{"a form", request{method: http.MethodPost, target: "/refunds", body: "amount=1", contentType: "application/x-www-form-urlencoded"}},
		}
	})},
	{Line: Line{sectionPayloads, "Amounts are JSON numbers; 1e3 is 1000, a string is refused"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		seen, err := s.outcomes(ctx, []step{
			posting("a string", "/payment-requests", paymentBody(`"1000"`, "")),
			posting("half a unit", "/payouts", `{"amount":0.5,"destination":{"type":"mobile_money","provider_code":"`+mtnOperator+`","msisdn":"`+mtnNumber+`"}}`),
		}, (*response).refused)
		if err != nil {
			return nil, err
		}
		o, err := s.create(ctx, "/payment-requests", paymentBody("1e3", ""))
		if outcome, refused := refusedAs(err); refused {
			seen["1e3 is 1000"] = outcome
			return seen, nil
		}
		if err != nil {
			return nil, err
		}
		seen["1e3 is 1000"] = yes(string(o.data("result", "amount")) == "1000")
		return seen, nil
	}},
}

// playShapes looks at the fields of each kind of response.
func playShapes(ctx context.Context, s *Session) (Observation, error) {
	payment, err := s.payment(ctx)
	if err != nil {
		return nil, err
	}
	payout, err := s.payout(ctx, mtnOperator, mtnNumber)
	if err != nil {
		return nil, err
	}
	seen := Observation{
		"POST /payment-requests":             shape(payment.created.body),
		"POST /payment-requests: data":       shape(dig(payment.created.body, "data")),
		"operation of a payment":             shape(payment.data()),
		"operation of a payment: result":     shape(payment.data("result")),
		"POST /payouts":                      shape(payout.created.body),
		"POST /payouts: data":                shape(dig(payout.created.body, "data")),
		"POST /payouts: data._links":         shape(dig(payout.created.body, "data", "_links")),
		"operation of a payout":              shape(payout.data()),
		"operation of a payout: result":      shape(payout.data("result")),
		"operation of a payout: destination": shape(payout.data("result", "destination")),
		"operation of a payout: _links":      shape(payout.data("_links")),
	}
	for _, one := range []struct{ fact, target string }{
		{"GET /transactions/:reference", "/transactions/" + text(payment.data("result", "transaction_reference"))},
		{"GET /transactions", "/transactions?limit=1"},
		{"GET /operations", "/operations?limit=1"},
	} {
		r, err := s.get(ctx, one.target)
		if err != nil {
			return nil, err
		}
		seen[one.fact] = shape(r.body)
		if data := dig(r.body, "data"); kind(data) == "object" {
			seen[one.fact+": data"] = shape(data)
		}
		if paging := dig(r.body, "paging"); paging != nil {
			seen[one.fact+": paging"] = names(paging)
		}
	}
	r, err := s.post(ctx, "/refunds", "{}")
	if err != nil {
		return nil, err
	}
	seen["a refusal"] = shape(r.body)
	if details := items(dig(r.body, "details")); len(details) > 0 {
		seen["a refusal: details"] = shape(details[0])
	}
	return seen, nil
}

// playMessages compares messages with those that the documentation prints, and writes
// down whether they are the same.
func playMessages(ctx context.Context, s *Session) (Observation, error) {
	seen := Observation{}
	says := func(fact string, r *response, want string, path ...string) {
		seen[fact] = yes(text(dig(r.body, path...)) == want)
	}
	key := s.next("key")
	for _, call := range []struct {
		fact, want string
		request
	}{
		{"", "", request{method: http.MethodPost, target: "/refunds", body: "{}", key: key}},
		{"idempotency_conflict", "Idempotency-Key already used with a different request body", request{method: http.MethodPost, target: "/refunds", body: `{"amount":1}`, key: key}},
		{"signature_invalid", "Signature verification failed: timestamp_out_of_window", request{method: http.MethodGet, target: "/balance", off: -time.Hour}},
	} {
		r, err := s.send(ctx, call.request)
		if err != nil {
			return nil, err
		}
		if call.fact != "" {
			says(call.fact, r, call.want, "message")
		}
	}
	r, err := s.post(ctx, "/payouts", strings.Replace(payoutBody(`"provider_code":"`+mtnOperator+`","msisdn":"`+mtnNumber+`"`, ""), "100", "0", 1))
	if err != nil {
		return nil, err
	}
	says("validation_error", r, "Invalid payout request", "message")
	if details := items(dig(r.body, "details")); len(details) == 1 {
		seen["validation_error: details"] = yes(text(dig(details[0], "path")) == "amount" && text(dig(details[0], "msg")) == "amount must be > 0")
	}
	err = s.subscribed(ctx, "payout.completed", func(created *response, id string) error {
		says("a subscription is made", created, "Webhook created. Store the secret now — it will not be shown again.", "message")
		ping, err := s.send(ctx, request{method: http.MethodPost, target: "/webhooks/" + url.PathEscape(id) + "/test", body: "{}"})
		if err != nil {
			return err
		}
		deleted, err := s.send(ctx, request{method: http.MethodDelete, target: "/webhooks/" + url.PathEscape(id)})
		if err != nil {
			return err
		}
		says("a test is sent", ping, "Test delivery enqueued", "message")
		says("a subscription is deleted", deleted, "Webhook deleted", "message")
		return nil
	})
	return seen, err
}
