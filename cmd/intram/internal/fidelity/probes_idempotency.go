package fidelity

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
)

var idempotencyProbes = []Probe{
	{Line: Line{sectionIdempotency, "`missing_idempotency_key`, `invalid_idempotency_key`: 400, on POST alone; 8 to 128 characters of [A-Za-z0-9_-]"}, play: steps(func(s *Session) []step {
		post := func(fact, key string) step {
			return step{fact, request{method: http.MethodPost, target: "/refunds", body: "{}", key: key, withoutKey: key == ""}}
		}
		unique := s.next("key")
		short := hash(unique)
		return []step{
			getting("GET without a key", "/balance"),
			post("POST without a key", ""),
			post("7 characters", short[:7]),
			post("8 characters", short[:8]),
			post("128 characters", unique+strings.Repeat("k", 128-len(unique))),
			post("129 characters", unique+strings.Repeat("k", 129-len(unique))),
			post("every kind of character", unique+"_AZ"),
			post("another character", unique+".a"),
		}
	})},
	{Line: Line{sectionIdempotency, "The same key and request replay status and body byte for byte, with Idempotent-Replay: true"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		r := request{method: http.MethodPost, target: "/payment-requests", body: paymentBody("100", ""), key: s.next("key")}
		first, err := s.send(ctx, r)
		if err != nil {
			return nil, err
		}
		again, err := s.send(ctx, r)
		if err != nil {
			return nil, err
		}
		return Observation{
			"first response": first.outcome(), "second response": again.outcome(), "same bytes": yes(bytes.Equal(first.body, again.body)),
			"Idempotent-Replay of the first": first.has("Idempotent-Replay"), "Idempotent-Replay of the second": replayed(again),
		}, nil
	}},
	{Line: Line{sectionIdempotency, "`idempotency_conflict`: 409 for the same key with another request"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		key := s.next("key")
		return s.outcomes(ctx, []step{
			{"first request", request{method: http.MethodPost, target: "/payment-requests", body: paymentBody("100", ""), key: key}},
			{"another amount", request{method: http.MethodPost, target: "/payment-requests", body: paymentBody("101", ""), key: key}},
		}, (*response).outcome)
	}},
	{Line: Line{sectionIdempotency, "The fingerprint covers method, path and body"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		key := s.next("key")
		post := func(fact, target, body string) step {
			return step{fact, request{method: http.MethodPost, target: target, body: body, key: key}}
		}
		return s.outcomes(ctx, []step{
			post("first request", "/refunds", `{}`), post("another path", "/payouts", `{}`),
			post("the same JSON in other bytes", "/refunds", `{ }`), post("the same request", "/refunds", `{}`),
		}, (*response).outcome)
	}},
	{Line: Line{sectionIdempotency, "Two requests with one key at once: one is executed, the other waits for its response"}, play: playTwins},
	{Line: Line{sectionIdempotency, "Refusals that come after the key was checked are stored too, refusals before it are not"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		refused := request{method: http.MethodPost, target: "/refunds", body: "{}", key: s.next("key")}
		unsigned := request{method: http.MethodPost, target: "/refunds", body: "{}", key: s.next("key"), edit: with("X-Signature", wrongSignature)}
		signed := request{method: http.MethodPost, target: "/refunds", body: `{"amount":1}`, key: unsigned.key}
		return s.outcomes(ctx, []step{
			{"refused for its body", refused}, {"refused for its body, again", refused},
			{"refused for its signature", unsigned}, {"another request with the key of that one", signed},
		}, func(r *response) string { return r.outcome() + ", Idempotent-Replay " + replayed(r) })
	}},
}

// replayed is the header of a replay, whose value is documented.
func replayed(r *response) string {
	if r.header.Get("Idempotent-Replay") == "true" {
		return "true"
	}
	return r.has("Idempotent-Replay")
}

// playTwins sends one request twice at once. Which one is executed is not told, only what
// both come to.
func playTwins(ctx context.Context, s *Session) (Observation, error) {
	r := request{method: http.MethodPost, target: "/payment-requests", body: paymentBody("102", ""), key: s.next("key")}
	var (
		wg        sync.WaitGroup
		responses [2]*response
		errs      [2]error
	)
	for i := range responses {
		wg.Go(func() { responses[i], errs[i] = s.send(ctx, r) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	both := []string{responses[0].outcome(), responses[1].outcome()}
	replays := []string{replayed(responses[0]), replayed(responses[1])}
	slices.Sort(both)
	slices.Sort(replays)
	return Observation{
		"responses": strings.Join(both, " and "), "Idempotent-Replay": strings.Join(replays, " and "),
		"same bytes": yes(bytes.Equal(responses[0].body, responses[1].body)),
	}, nil
}
