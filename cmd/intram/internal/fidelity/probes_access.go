package fidelity

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const (
	// unknownKey is a public key of the sandbox that no merchant has.
	unknownKey = "pk_sandbox_00000000000000000000000000000000"
	// wrongSignature has the form of one.
	wrongSignature = "sha256=0000000000000000000000000000000000000000000000000000000000000000"
	window         = 5 * time.Minute
)

var accessProbes = []Probe{
	{Line: Line{sectionAccess, "Both prefixes, `/v1/…` and `/api/v1/merchant/…`, work; the signed path is the same for both"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		seen, pages := Observation{}, 0
		for _, prefix := range []string{"/v1", "/api/v1/merchant"} {
			r, err := s.send(ctx, request{method: http.MethodGet, target: "/balance", prefix: prefix, page: true})
			if err != nil {
				return nil, err
			}
			if r.page {
				pages++
			}
			seen["GET "+prefix+"/balance"] = r.outcome()
		}
		if pages == len(seen) {
			return nil, inconclusive("each response was a page instead of the API's JSON")
		}
		return seen, nil
	}},
	{Line: Line{sectionAccess, "An unknown path gets a proxy's HTML 404"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		if err := s.reachesAPI(ctx); err != nil {
			return nil, err
		}
		r, err := s.send(ctx, request{method: http.MethodGet, target: "/no-such-endpoint", page: true})
		if err != nil {
			return nil, err
		}
		media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
		return Observation{"response": r.outcome(), "it is HTML": yes(strings.EqualFold(media, "text/html"))}, nil
	}},
	{Line: Line{sectionAccess, "A wrong method gets 405"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		if err := s.reachesAPI(ctx); err != nil {
			return nil, err
		}
		r, err := s.send(ctx, request{method: http.MethodPatch, target: "/balance", body: "{}", page: true})
		if err != nil {
			return nil, err
		}
		return Observation{"PATCH /balance": r.outcome(), "header Allow": r.has("Allow")}, nil
	}},
	{Line: Line{sectionAccess, "The checks come in the documented order, the address before the body is read"}, play: steps(func(*Session) []step {
		post := func(fact string, r request) step {
			r.method, r.target, r.body = http.MethodPost, "/payment-requests", "[]"
			return step{fact, r}
		}
		return []step{
			post("all wrong", request{withoutKey: true, edit: func(h http.Header) { h.Set("X-Api-Key", unknownKey); h.Set("X-Signature", wrongSignature) }}),
			post("signature, idempotency key and body wrong", request{withoutKey: true, edit: with("X-Signature", wrongSignature)}),
			post("idempotency key and body wrong", request{withoutKey: true}),
			post("body wrong", request{}),
		}
	})},
	{Line: Line{sectionAccess, "`missing_api_key`, `invalid_api_key`: 401"}, play: steps(func(*Session) []step {
		return []step{
			{"without a key", request{method: http.MethodGet, target: "/balance", edit: without("X-Api-Key")}},
			{"with an unknown key", request{method: http.MethodGet, target: "/balance", edit: with("X-Api-Key", unknownKey)}},
		}
	})},
	{Line: Line{sectionAccess, "`signature_invalid`: 401, with each of the five reasons"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		get := func(fact string, off time.Duration, edit func(http.Header)) step {
			return step{fact, request{method: http.MethodGet, target: "/balance", off: off, edit: edit}}
		}
		return s.outcomes(ctx, []step{
			get("no signature", 0, without("X-Signature")),
			get("no timestamp", 0, without("X-Timestamp")),
			get("a timestamp that is none", 0, with("X-Timestamp", "yesterday")),
			get("a timestamp of an hour ago", -time.Hour, nil),
			get("another signature", 0, with("X-Signature", wrongSignature)),
		}, (*response).reason)
	}},
	{Line: Line{sectionAccess, "The canonical string and the HMAC, against vectors made with openssl"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		return s.outcomes(ctx, []step{
			getting("GET without a query", "/balance"),
			getting("GET with a query that is not sorted", "/operations?type=payout&limit=1"),
			posting("POST with a body", "/refunds", `{"reason":"é & 💶"}`),
		}, (*response).outcome)
	}},
	{Line: Line{sectionAccess, "A signature that fits the raw or the decoded reading of the query is taken"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		const raw = "/operations?before=2026-01-01T00%3A00%3A00.000Z&limit=1"
		return s.outcomes(ctx, []step{
			{"signed as it is sent", request{method: http.MethodGet, target: raw}},
			{"signed decoded", request{method: http.MethodGet, target: raw, signed: strings.ReplaceAll(raw, "%3A", ":")}},
		}, (*response).reason)
	}},
	{Line: Line{sectionAccess, "X-Timestamp is taken in each form of ISO 8601 that has a time and an offset: no fraction or one of any length, `Z` or an offset; the signature covers the header's own bytes"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		get := func(fact, layout string) step {
			return step{fact, request{method: http.MethodGet, target: "/balance", layout: layout}}
		}
		return s.outcomes(ctx, []step{
			get("no fraction", "2006-01-02T15:04:05Z"), get("microseconds", "2006-01-02T15:04:05.000000Z"), get("nanoseconds", "2006-01-02T15:04:05.000000000Z"),
			get("an offset", "2006-01-02T15:04:05.000+00:00"), get("no offset", "2006-01-02T15:04:05.000"), get("a space", "2006-01-02 15:04:05.000Z"),
		}, (*response).reason)
	}},
	{Line: Line{sectionAccess, "A timestamp exactly five minutes off is good, either way"}, play: playWindow},
	{Line: Line{sectionAccess, "Every response has an X-Request-Id"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		return s.outcomes(ctx, []step{
			getting("a success", "/balance"),
			{"a refusal", request{method: http.MethodGet, target: "/balance", edit: without("X-Api-Key")}},
			{"a page", request{method: http.MethodGet, target: "/no-such-endpoint", page: true}},
		}, func(r *response) string { return r.has("X-Request-Id") })
	}},
}

// playWindow stays a second or more off the edge: the Date header has seconds, and the
// way takes its time.
func playWindow(ctx context.Context, s *Session) (Observation, error) {
	if _, err := s.get(ctx, "/balance"); err != nil { // which tells the server's time
		return nil, err
	}
	correction, within := s.precisely()
	if within > window/10 {
		return nil, inconclusive("the server's clock is not known well enough: a response takes too long")
	}
	margin := (within + time.Second/2).Round(time.Second)
	get := func(fact string, off time.Duration) step {
		return step{fact, request{method: http.MethodGet, target: "/balance", off: correction + off}}
	}
	return s.outcomes(ctx, []step{
		get("just inside, behind", -window+margin), get("just outside, behind", -window-margin),
		get("just inside, ahead", window-margin), get("just outside, ahead", window+margin),
	}, (*response).reason)
}
