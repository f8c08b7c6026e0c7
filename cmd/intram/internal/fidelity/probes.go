package fidelity

import (
	"context"
	"net/http"
	"strings"
)

// need is what a probe needs besides the sandbox's keys.
type need int

const (
	needsNothing need = iota
	needsPayin        // credentials of payin sessions
)

// Probe plays one line of the ledger.
type Probe struct {
	Line

	needs need
	play  func(context.Context, *Session) (Observation, error)
}

// Probes returns all probes, in the order in which they are played.
func Probes() []Probe {
	var all []Probe
	for _, some := range [][]Probe{
		accessProbes, idempotencyProbes, payloadProbes, payoutProbes, paymentProbes, refundProbes, transactionProbes, webhookProbes, payinProbes,
	} {
		all = append(all, some...)
	}
	return all
}

// step is one call, whose outcome is a fact.
type step struct {
	fact string
	request
}

// outcomes plays calls one after the other, and sees the outcome of each.
func (s *Session) outcomes(ctx context.Context, steps []step, see func(*response) string) (Observation, error) {
	seen := Observation{}
	for _, st := range steps {
		r, err := s.send(ctx, st.request)
		if err != nil {
			return nil, err
		}
		seen[st.fact] = see(r)
	}
	return seen, nil
}

// steps makes a probe of calls whose outcomes are all that there is to see.
func steps(list func(*Session) []step) func(context.Context, *Session) (Observation, error) {
	return func(ctx context.Context, s *Session) (Observation, error) {
		return s.outcomes(ctx, list(s), (*response).outcome)
	}
}

// refusals is steps for calls whose refusals name fields.
func refusals(list func(*Session) []step) func(context.Context, *Session) (Observation, error) {
	return func(ctx context.Context, s *Session) (Observation, error) {
		return s.outcomes(ctx, list(s), (*response).refused)
	}
}

func getting(fact, target string) step {
	return step{fact, request{method: http.MethodGet, target: target}}
}

func posting(fact, target, body string) step {
	return step{fact, request{method: http.MethodPost, target: target, body: body}}
}

// without takes a header away after signing.
func without(name string) func(http.Header) {
	return func(h http.Header) { h.Del(name) }
}

// with gives a header another value after signing.
func with(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

// reason is why a signature was refused, one of the documented words in the message.
func (r *response) reason() string {
	message := text(dig(r.body, "message"))
	for _, known := range []string{
		"missing_signature", "missing_timestamp", "invalid_timestamp_format", "timestamp_out_of_window", "signature_mismatch",
	} {
		if strings.Contains(message, known) {
			return r.outcome() + ": " + known
		}
	}
	return r.outcome()
}
