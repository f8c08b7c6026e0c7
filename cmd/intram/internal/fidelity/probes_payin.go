package fidelity

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The provider's sandbox moves real money: what is sent here begins no session. Bodies
// are empty or have an amount of 0.
const (
	noPayin   = "/v1/payin/fidelity-no-such-reference"
	emptyBody = `{"reference":"fidelity","amount":0,"msisdn":"+2250000000000","customerName":"fidelity","country":"CI",` +
		`"action":{"successUrl":"https://example.com/ok","failureUrl":"https://example.com/no"}}`
)

var payinProbes = []Probe{
	{Line: Line{sectionPayin, "`GET /health` needs no credentials"}, needs: needsPayin, play: payinOutcomes(func(*Session) []step {
		return []step{{"without credentials", request{method: http.MethodGet, target: "/health", edit: without("Authorization"), page: true}}}
	})},
	{Line: Line{sectionPayin, "Basic credentials are checked first; `api_token_invalid`: 403, `api_token_not_found`: 404, and 401 for none"}, needs: needsPayin, play: payinOutcomes(func(s *Session) []step {
		post := func(fact, authorization string) step {
			edit := without("Authorization")
			if authorization != "" {
				edit = with("Authorization", authorization)
			}
			return step{fact, request{method: http.MethodPost, target: "/v1/payin/sessions", body: "[]", edit: edit}}
		}
		return []step{
			post("none", ""), post("another API client", basic(s.config.Payin.APIKey+":fidelity-wrong-client")),
			post("an unknown API key", basic("fidelity-no-such-key:fidelity-wrong-client")),
		}
	})},
	{Line: Line{sectionPayin, "A malformed or wrong pair, or an inactive merchant's, is 403; an unknown API key is 404; no credentials or another scheme is 401 unauthorized"}, needs: needsPayin, play: payinOutcomes(func(*Session) []step {
		get := func(fact, authorization string) step {
			return step{fact, request{method: http.MethodGet, target: noPayin, edit: with("Authorization", authorization)}}
		}
		return []step{
			get("another scheme", "Bearer fidelity"), get("not base64", "Basic ***"), get("no pair", basic("fidelity")),
			get("an unknown API key", basic("fidelity-no-such-key:fidelity-wrong-client")),
		}
	})},
	{Line: Line{sectionPayin, "X-Idempotency-Key is required on a POST, and a UUID"}, needs: needsPayin, play: payinOutcomes(func(*Session) []step {
		post := func(fact, key string) step {
			return step{fact, request{method: http.MethodPost, target: "/v1/payin/sessions", body: "{}", key: key}}
		}
		return []step{post("no key", ""), post("a key that is no UUID", "fidelity-0001")}
	})},
	{Line: Line{sectionPayin, "`transaction_greater_than_zero`, `country_not_found`, `provider_not_found`: each wrong field is refused"}, needs: needsPayin, play: payinOutcomes(func(s *Session) []step {
		return []step{{"an amount of 0", request{method: http.MethodPost, target: "/v1/payin/sessions", body: emptyBody, key: s.uuid()}}}
	})},
	{Line: Line{sectionPayin, "The newer revision requires action.successUrl and action.failureUrl, and leaves accountId aside"}, needs: needsPayin, play: payinOutcomes(func(s *Session) []step {
		body := strings.Replace(emptyBody, "action", "fidelity", 1)
		return []step{{"an amount of 0 without action", request{method: http.MethodPost, target: "/v1/payin/sessions", body: body, key: s.uuid()}}}
	})},
	{Line: Line{sectionPayin, "Malformed fields are validation_error, 400, all named in the message; an amount of zero or less is transaction_greater_than_zero: 403"}, needs: needsPayin, play: func(ctx context.Context, s *Session) (Observation, error) {
		r, err := s.sendPayin(ctx, request{method: http.MethodPost, target: "/v1/payin/sessions", body: "{}", key: s.uuid()})
		if err != nil {
			return nil, err
		}
		seen := Observation{"an empty body": r.outcome()}
		for _, field := range []string{"reference", "amount", "msisdn", "country"} {
			seen["the message names "+field] = yes(bytes.Contains(dig(r.body, "message"), []byte(field)))
		}
		return seen, nil
	}},
	{Line: Line{sectionPayin, "Responses are kept 24 hours, refusals too; a replay has no header; the same key with another body is idempotency_conflict, 409; a UUID has no case"}, needs: needsPayin, play: func(ctx context.Context, s *Session) (Observation, error) {
		r := request{method: http.MethodPost, target: "/v1/payin/sessions", body: "{}", key: s.uuid()}
		first, err := s.sendPayin(ctx, r)
		if err != nil {
			return nil, err
		}
		again, err := s.sendPayin(ctx, r)
		if err != nil {
			return nil, err
		}
		r.body = "{ }"
		other, err := s.sendPayin(ctx, r)
		if err != nil {
			return nil, err
		}
		return Observation{
			"a refusal": first.outcome(), "again": again.outcome(), "same bytes": yes(bytes.Equal(first.body, again.body)),
			"Idempotent-Replay": again.has("Idempotent-Replay"), "another body": other.outcome(),
		}, nil
	}},
	{Line: Line{sectionPayin, "`GET /v1/payin/{reference}` takes the system's and the merchant's reference; `transaction_does_not_exist`: 404 for an unknown one or another merchant's"}, needs: needsPayin, play: func(ctx context.Context, s *Session) (Observation, error) {
		r, err := s.sendPayin(ctx, request{method: http.MethodGet, target: noPayin})
		if err != nil {
			return nil, err
		}
		return Observation{"an unknown reference": r.outcome(), "fields of the error": shape(r.body)}, nil
	}},
	{Line: Line{sectionPayin, "Messages come in English or French, as Accept-Language asks"}, needs: needsPayin, play: func(ctx context.Context, s *Session) (Observation, error) {
		var said [2]string
		for i, language := range []string{"en", "fr"} {
			r, err := s.sendPayin(ctx, request{method: http.MethodGet, target: noPayin, edit: with("Accept-Language", language)})
			if err != nil {
				return nil, err
			}
			said[i] = text(dig(r.body, "message"))
		}
		return Observation{"two messages": yes(said[0] != said[1]), "both have words": yes(said[0] != "" && said[1] != "")}, nil
	}},
	{Line: Line{sectionPayin, "A creation gets 200; payin paths are under /v1 alone; other methods get 405, other paths a proxy's 404"}, needs: needsPayin, play: payinOutcomes(func(*Session) []step {
		return []step{
			{"another method", request{method: http.MethodDelete, target: noPayin, page: true}},
			{"another path", request{method: http.MethodGet, target: "/v1/payin-no-such-path/a", page: true}},
			{"without /v1", request{method: http.MethodGet, target: "/payin/fidelity-no-such-reference", page: true}},
		}
	})},
}

// payinOutcomes is steps for payin sessions.
func payinOutcomes(list func(*Session) []step) func(context.Context, *Session) (Observation, error) {
	return func(ctx context.Context, s *Session) (Observation, error) {
		seen := Observation{}
		all := list(s)
		if slices.ContainsFunc(all, func(st step) bool { return st.page }) {
			// Where a firewall sends a page for everything, a page says nothing about one
			// path.
			if _, err := s.sendPayin(ctx, request{method: http.MethodGet, target: noPayin}); err != nil {
				return nil, err
			}
		}
		for _, st := range all {
			r, err := s.sendPayin(ctx, st.request)
			if err != nil {
				return nil, err
			}
			seen[st.fact] = r.outcome()
		}
		return seen, nil
	}
}

// uuid is an idempotency key of payin sessions, which follows from the run's own name.
func (s *Session) uuid() string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(s.next("payin"))).String()
}

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
