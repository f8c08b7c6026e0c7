package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What all attempts of a payout together say about the money.
func TestOutcomeIsOverAllAttempts(t *testing.T) {
	t.Parallel()
	replay := []string{"Idempotent-Replay", "true"}
	tests := []struct {
		name     string
		steps    []step
		outcome  Outcome
		attempts int
		status   int
		fails    bool // Err is set: the last attempt has no response
	}{
		{"never connected", []step{refused, refused, refused, refused}, NotSent, 4, 0, true},
		{"never connected, then refused by the API", []step{refused, answer(400, noThanks)}, Rejected, 2, 400, false},
		{"refused at once", []step{answer(400, noThanks)}, Rejected, 1, 400, false},
		{"lost, then refused", []step{lost, answer(400, noThanks)}, Unknown, 2, 400, false},
		{"lost, then never connected", []step{lost, refused, refused, refused}, Unknown, 4, 0, true},
		{"lost every time", []step{lost, lost, lost, lost}, Unknown, 4, 0, true},
		{"truncated, then refused", []step{truncated(202), answer(400, noThanks)}, Unknown, 2, 400, false},
		{"truncated refusal, then refused", []step{truncated(400), answer(400, noThanks)}, Unknown, 2, 400, false},
		{"503, then refused", []step{answer(503, ""), answer(400, noThanks)}, Unknown, 2, 400, false},
		{"500, then 409 without replay", []step{answer(500, "{}"), answer(409, noThanks)}, Unknown, 2, 409, false},
		{"502 every time", []step{answer(502, ""), answer(502, ""), answer(502, ""), answer(502, "")}, Unknown, 4, 502, false},
		{"504 every time", []step{answer(504, ""), answer(504, ""), answer(504, ""), answer(504, "")}, Unknown, 4, 504, false},
		{"429 every time", []step{answer(429, "{}"), answer(429, "{}"), answer(429, "{}"), answer(429, "{}")}, Rejected, 4, 429, false},
		{"429, then lost", []step{answer(429, "{}"), lost, answer(400, noThanks)}, Unknown, 3, 400, false},
		{"lost, then 429 every time", []step{lost, answer(429, "{}"), answer(429, "{}"), answer(429, "{}")}, Unknown, 4, 429, false},
		{"503, then lost", []step{answer(503, "{}"), lost, lost, lost}, Unknown, 4, 503, true},

		// The stored response to the same key settles what the lost attempt did.
		{"lost, then a replayed refusal", []step{lost, answer(400, noThanks, replay...)}, Rejected, 2, 400, false},
		{"lost, then a replayed 409", []step{lost, answer(409, noThanks, replay...)}, Rejected, 2, 409, false},
		// But not when what was stored is itself in doubt.
		{"500, then the same 500 replayed", []step{answer(500, "{}"), answer(500, "{}", replay...)}, Unknown, 2, 500, false},
		{"a replayed 500", []step{answer(500, "{}", replay...)}, Unknown, 1, 500, false},
		{"a replayed 408", []step{answer(408, "{}", replay...)}, Unknown, 1, 408, false},
		{"a replayed redirect", []step{answer(302, "", replay...)}, Unknown, 1, 302, false},
		{"lost, then 429 with a replay header", []step{lost, answer(429, "{}", replay...), answer(400, noThanks)}, Unknown, 3, 400, false},
		{"a replay header of another word", []step{lost, answer(400, noThanks, "Idempotent-Replay", "false")}, Unknown, 2, 400, false},

		// At the edges of the classes.
		{"the first redirect", []step{answer(300, "")}, Unknown, 1, 300, false},
		{"the last redirect", []step{answer(399, noThanks)}, Unknown, 1, 399, false},
		{"the first refusal", []step{answer(400, noThanks)}, Rejected, 1, 400, false},
		{"the last refusal", []step{answer(499, noThanks)}, Rejected, 1, 499, false},
		{"a page with the first status of refusal", []step{answer(400, "<html>")}, Unknown, 1, 400, false},
		{"a page with the last", []step{answer(499, "<html>")}, Unknown, 1, 499, false},

		// Statuses of refusal in a body that is not the API's.
		{"a firewall's page", []step{answer(403, "<html>")}, Unknown, 1, 403, false},
		{"a proxy's 404", []step{answer(404, "<html>")}, Unknown, 1, 404, false},
		{"a page for a stored answer", []step{answer(403, "<html>", replay...)}, Unknown, 1, 403, false},
		{"a proxy that wants a login", []step{answer(407, "<html>")}, Rejected, 1, 407, false},
		{"another host's connection", []step{answer(421, "")}, Rejected, 1, 421, false},
		{"an API's own 408", []step{answer(408, noThanks)}, Unknown, 1, 408, false},
		{"a request that was taken before", []step{answer(409, taken)}, Unknown, 1, 409, false},
		{"a request that was taken before, replayed", []step{answer(409, taken, replay...)}, Unknown, 1, 409, false},
		{"a request under way, then accepted", []step{answer(409, busy), answer(202, "{}")}, Rejected, 2, 202, false}, // no failure: no doubt is left
		{"a request under way, then refused", []step{answer(409, busy), answer(400, noThanks)}, Unknown, 2, 400, false},
		{"a request under way, for long", []step{answer(409, busy), answer(409, busy), answer(409, busy), answer(409, busy)}, Unknown, 4, 409, false},
		{"a request under way, until tomorrow", []step{answer(409, busy, "Retry-After", "86400")}, Unknown, 1, 409, false},

		// Neither is the API's word.
		{"a redirect", []step{answer(302, "", "Location", "https://elsewhere.test/")}, Unknown, 1, 302, false},
		{"a 303 after the work", []step{answer(303, "", "Location", "/x")}, Unknown, 1, 303, false},
		{"a redirect to nowhere", []step{answer(302, "", "Location", "http://[::1")}, Unknown, 1, 302, true},
		{"a proxy's 408", []step{answer(408, "")}, Unknown, 1, 408, false},
		{"not modified", []step{answer(304, "")}, Unknown, 1, 304, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.steps...)
			res := r.Do(t.Context(), payout())
			assert.Equal(t, tt.outcome, res.Outcome, "outcome (0 not sent, 1 rejected, 2 unknown)")
			assert.Equal(t, tt.attempts, res.Attempts, "attempts")
			assert.Equal(t, tt.status, res.Status, "status")
			assert.Equal(t, tt.fails, res.Err != nil, "error: %v", res.Err)
			assert.Empty(t, r.script.steps, "steps that were not reached")
		})
	}
}

// Sequences by which an attacker might make money move twice.
func TestNothingButAnAnswerToTheKeySettlesADoubt(t *testing.T) {
	t.Parallel()
	hour := start.Add(time.Hour)
	late := answer(503, "", "Retry-After", "3600")
	tests := []struct {
		name     string
		resumed  bool
		steps    []step
		outcome  Outcome
		attempts int
		status   int
	}{
		{"lost, then a wrong clock, then refused with the right one", false, []step{lost, refusedAt(hour), answer(401, stale)}, Unknown, 3, 401},
		{"lost, then a wrong clock, then another refusal", false, []step{lost, refusedAt(hour), answer(403, noThanks)}, Unknown, 3, 403},
		{"a wrong clock, then lost, then refused", false, []step{refusedAt(hour), lost, answer(400, noThanks)}, Unknown, 3, 400},
		{"a wrong clock, then never connected", false, []step{refusedAt(hour), refused, refused, refused, refused}, Rejected, 5, 401},
		{"a wrong clock, then refused", false, []step{refusedAt(hour), answer(400, noThanks)}, Rejected, 2, 400},
		{"lost, then asked to come back much later", false, []step{lost, late}, Unknown, 2, 503},
		{"lost, then limited for an hour", false, []step{lost, answer(429, "", "Retry-After", "3600")}, Unknown, 2, 429},
		{"lost, then redirected", false, []step{lost, answer(303, "", "Location", "/x")}, Unknown, 2, 303},
		{"lost, then a certificate that does not fit", false, []step{lost, badCertificateStep}, Unknown, 2, 0},
		{"a certificate that does not fit", false, []step{badCertificateStep}, NotSent, 1, 0},
		{"a certificate that does not fit, later", true, []step{badCertificateStep}, Unknown, 1, 0},
		{"lost, then too large", false, []step{lost, tooLarge}, Unknown, 2, 0},
		{"a refusal too large to read", false, []step{tooLarge}, Unknown, 1, 0},
		{"lost, then another protocol", false, []step{lost, answer(101, ""), answer(400, noThanks)}, Unknown, 3, 400},
		{"a status that nobody knows", false, []step{answer(999, ""), answer(400, noThanks)}, Unknown, 2, 400},
		{"a status of zero", false, []step{answer(0, "")}, Unknown, 1, 0},
		{"an early hint for an answer", false, []step{answer(103, "")}, Unknown, 1, 103},
		{"sent before, then never connected", true, []step{refused, refused, refused, refused}, Unknown, 4, 0},
		{"sent before, then refused", true, []step{answer(400, noThanks)}, Unknown, 1, 400},
		{"sent before, then a conflict", true, []step{answer(409, noThanks)}, Unknown, 1, 409},
		{"sent before, then a wrong clock", true, []step{refusedAt(hour), answer(401, stale)}, Unknown, 2, 401},
		{"sent before, then the kept refusal", true, []step{answer(400, noThanks, "Idempotent-Replay", "true")}, Rejected, 1, 400},
		{"sent before, then accepted", true, []step{answer(202, "{}")}, Rejected, 1, 202}, // no failure: the outcome has no meaning but that no doubt is left
		{"sent before, the kept refusal truncated", true, []step{
			truncatedWith(400, http.Header{"Idempotent-Replay": {"true"}}), refused, refused, refused,
		}, Unknown, 4, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := datedRig(t, nil, tt.steps...)
			call := payout()
			call.Resumed = tt.resumed
			res := r.Do(t.Context(), call)
			assert.Equal(t, tt.outcome, res.Outcome, "outcome (0 not sent, 1 rejected, 2 unknown)")
			assert.Equal(t, tt.attempts, res.Attempts, "attempts")
			assert.Equal(t, tt.status, res.Status, "status")
			assert.Empty(t, r.script.steps, "steps that were not reached")
		})
	}
}

func badCertificateStep(*http.Request) (*http.Response, error) {
	return nil, x509.UnknownAuthorityError{}
}

func tooLarge(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, ContentLength: 1 << 40, Body: http.NoBody, Request: req}, nil
}

// truncatedWith is a truncated response whose header is complete.
func truncatedWith(status int, header http.Header) step {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := truncated(status)(req)
		resp.Header = header
		return resp, err
	}
}

func TestSuccessAfterDoubtIsSuccess(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]step{
		"lost": lost, "not connected": refused, "truncated": truncated(202), "503": answer(503, ""), "429": answer(429, ""), "500": answer(500, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, before, answer(202, `{"error":false}`))
			res := r.Do(t.Context(), payout())
			require.NoError(t, res.Err)
			assert.Equal(t, 202, res.Status)
			assert.Equal(t, 2, res.Attempts)
			assert.JSONEq(t, `{"error":false}`, string(res.Body))
			assert.Empty(t, r.script.steps)
		})
	}
}

// A call that has a response keeps it, even if its time was up the moment after: the
// money has moved.
// money has moved.
func TestAnswerWinsOverAContextThatEndsWithIt(t *testing.T) {
	t.Parallel()
	for _, status := range []int{202, 400} {
		ctx, cancel := context.WithCancel(t.Context())
		r := newRig(t, func(req *http.Request) (*http.Response, error) {
			resp, err := answer(status, `{"error":false}`)(req)
			cancel()
			return resp, err
		})
		res := r.Do(ctx, payout())
		require.NoError(t, res.Err, "status %d", status)
		assert.Equal(t, status, res.Status)
	}
}

// The context may end while the response's body is on its way: then there is no response.
func TestContextThatEndsBeforeTheAnswerLeavesDoubt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newRig(t, func(*http.Request) (*http.Response, error) {
		cancel()
		return nil, context.Canceled
	})
	res := r.Do(ctx, payout())
	require.ErrorIs(t, res.Err, context.Canceled)
	assert.Equal(t, Unknown, res.Outcome)
	assert.Equal(t, 1, res.Attempts)
}

func TestContextThatEndsBetweenAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		first   step
		outcome Outcome
		status  int
	}{
		{"after no connection", refused, NotSent, 0},
		{"after a lost answer", lost, Unknown, 0},
		{"after 503", answer(503, ""), Unknown, 503},
		{"after 429", answer(429, ""), Rejected, 429},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			r := newRig(t, tt.first)
			r.clock.onSleep = cancel
			res := r.Do(ctx, payout())
			require.ErrorIs(t, res.Err, context.Canceled)
			assert.Equal(t, tt.outcome, res.Outcome)
			assert.Equal(t, tt.status, res.Status, "the last answer is kept")
			assert.Equal(t, 1, res.Attempts)
		})
	}
}

func TestContextThatHasEndedSendsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res := newRig(t).Do(ctx, payout())
	require.ErrorIs(t, res.Err, context.Canceled)
	assert.Equal(t, NotSent, res.Outcome)
	assert.Zero(t, res.Attempts)

	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	res = newRig(t).Do(ctx, payout())
	require.ErrorIs(t, res.Err, context.DeadlineExceeded)
	assert.Equal(t, NotSent, res.Outcome)
}

// A transport that reports its connections is believed before any error it returns.
func TestConnectionTraceDecidesWhetherBytesLeft(t *testing.T) {
	t.Parallel()
	reporting := func(connected bool, err error) step {
		return func(req *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(req.Context())
			if trace == nil {
				return nil, errors.New("the attempt is not traced")
			}
			trace.GetConn("api.example.test:443")
			if connected {
				trace.GotConn(httptrace.GotConnInfo{})
			}
			return nil, err
		}
	}
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		call := payout()
		if method == http.MethodDelete {
			call = &Call{Method: method, Template: "/webhooks/{id}", Path: "/webhooks/whs_1"}
		}
		call.MaxAttempts = 1
		// net/http wrote to a connection that died, and could not dial the next one.
		res := newRig(t, reporting(true, dial)).Do(t.Context(), call)
		assert.Equal(t, Unknown, res.Outcome, "%s: a connection was had before the dial error", method)
		// It never had one, whatever the error looks like.
		res = newRig(t, reporting(false, errors.New("proxy said no"))).Do(t.Context(), call)
		assert.Equal(t, NotSent, res.Outcome, "%s: no connection was had", method)
	}
}

func TestErrorsThatComeBeforeSending(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		err      error
		outcome  Outcome
		attempts int
	}{
		{"dial", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, NotSent, 2},
		{"proxy", &net.OpError{Op: "proxyconnect", Err: errors.New("refused")}, NotSent, 2},
		{"name", &net.DNSError{Err: "no such host", Name: "api.example.test"}, NotSent, 2},
		{"read", &net.OpError{Op: "read", Err: errors.New("reset")}, Unknown, 2},
		{"write", &net.OpError{Op: "write", Err: errors.New("broken pipe")}, Unknown, 2},
		// No further attempt changes a certificate.
		{"unknown authority", x509.UnknownAuthorityError{}, NotSent, 1},
		{"other host's certificate", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, NotSent, 1},
		{"expired certificate", x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, NotSent, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fail := func(*http.Request) (*http.Response, error) { return nil, tt.err }
			r := newRig(t, []step{fail, fail}[:tt.attempts]...)
			call := payout()
			call.MaxAttempts = 2
			res := r.Do(t.Context(), call)
			require.ErrorIs(t, res.Err, tt.err)
			assert.Equal(t, tt.outcome, res.Outcome)
			assert.Equal(t, tt.attempts, res.Attempts)
		})
	}
}

// A read changes nothing: a page instead of a response leaves no doubt, whatever its
// status.
func TestAReadIsNeverInDoubtForAPage(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 499} {
		r := newRig(t, answer(status, "<html>"))
		got := r.Do(t.Context(), lookup())
		assert.NotEqual(t, Unknown, got.Outcome, "HTTP %d", status)
	}
	for word, want := range map[string]Outcome{unclear: Rejected, noThanks: Rejected, taken: Unknown} {
		assert.Equal(t, want, newRig(t, answer(422, word)).Do(t.Context(), lookup()).Outcome, "a read: %s", word)
	}
	assert.Equal(t, Unknown, newRig(t, answer(422, unclear)).Do(t.Context(), payout()).Outcome, "a payout")
	r := newRig(t, answer(399, "<html>"))
	assert.Equal(t, Unknown, r.Do(t.Context(), lookup()).Outcome, "no refusal at all")
}
