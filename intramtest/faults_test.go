package intramtest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func payout(amount int64) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(amount), Currency: intram.XOF, Reference: "PO-1",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	}
}

// debits returns how many payouts have taken money out of a wallet.
func debits(server *intramtest.Server) int {
	n := 0
	for _, e := range server.Ledger().Entries {
		if e.Memo == "payout debited" && e.Amount < 0 {
			n++
		}
	}
	return n
}

// attemptsOf returns the requests that carried a key, without those that reached another
// host.
func attemptsOf(server *intramtest.Server, key string) []intramtest.Request {
	return slices.DeleteFunc(server.Requests(), func(r intramtest.Request) bool { return r.IdempotencyKey != key || r.Followed })
}

// callFault is a row of docs/faults.md: what a fault does to POST /payouts, and what the
// SDK makes of it.
type callFault struct {
	fault intramtest.Fault
	// executed is what one attempt that is hit does on the server.
	executed bool
	// outcome is of a call with a single attempt; empty for a success.
	outcome intram.Outcome
	// attempts are those of a call with four, and succeeds whether they bring success.
	attempts int
	succeeds bool
}

var callFaults = []callFault{
	{intramtest.Fault{Kind: intramtest.Latency, Delay: 3 * time.Second}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.Refuse}, false, intram.OutcomeNotSent, 2, true},
	{intramtest.Fault{Kind: intramtest.Reset}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.DropResponse}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.Truncate}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.SlowBody, Delay: 8 * time.Second}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.Oversized}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.NotJSON}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.OtherSubject}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.OddFields}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.NoPayload}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.UnreadableItem}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.ByteOrderMark}, true, "", 1, true},
	{intramtest.Fault{Kind: intramtest.ServerError}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.ServerError, Executed: true, Status: 503}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.IdempotencyError}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.IdempotencyError, Executed: true}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.AuthError}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.ProxyError}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.ProxyError, Status: 504, Executed: true}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.ProxyRefusal}, false, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.ProxyRefusal, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.ProxyRefusal, Status: 404, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.ProxyRefusal, Status: 451, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.GatewayJSON, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.GatewayJSON, Status: 451, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.ErrorFalse}, false, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.ErrorFalse, Executed: true}, true, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.IdempotencyInProgress}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.IdempotencyInProgress, Executed: true}, true, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.Unavailable}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.Unavailable, Status: 429}, false, intram.OutcomeRejected, 2, true},
	{intramtest.Fault{Kind: intramtest.RetryAfterNegative}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.RetryAfterHuge}, false, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.RetryAfterOverflow, Status: 429}, false, intram.OutcomeRejected, 1, false},
	{intramtest.Fault{Kind: intramtest.RetryAfterPast}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.RetryAfterGarbage}, false, intram.OutcomeUnknown, 2, true},
	{intramtest.Fault{Kind: intramtest.RetryAfterDuplicate}, false, intram.OutcomeUnknown, 2, true},
	// Hit twice: the refused attempt, and the one dated by the server, which costs none
	// of the call's attempts.
	{intramtest.Fault{Kind: intramtest.ClockSkew, Times: 2}, true, "", 2, true},
	{intramtest.Fault{Kind: intramtest.ClockSkew, Skew: -time.Hour, Times: 2}, true, "", 2, true},
	{intramtest.Fault{Kind: intramtest.ClockSkewWrongDate, Times: 2}, false, intram.OutcomeRejected, 2, false},
	{intramtest.Fault{Kind: intramtest.ClockSkewCached}, false, intram.OutcomeRejected, 1, false},
	{intramtest.Fault{Kind: intramtest.ClockSkewForged}, false, intram.OutcomeRejected, 1, false},
	{intramtest.Fault{Kind: intramtest.ClockSkewForged, Skew: 11 * time.Hour, Times: 2}, false, intram.OutcomeUnknown, 2, false},
	{intramtest.Fault{Kind: intramtest.Redirect}, false, intram.OutcomeUnknown, 1, false},
	{intramtest.Fault{Kind: intramtest.Redirect, Status: 303, Executed: true}, true, intram.OutcomeUnknown, 1, false},
}

func (c callFault) name() string {
	name := string(c.fault.Kind)
	if c.fault.Status != 0 {
		name += fmt.Sprintf(" %d", c.fault.Status)
	}
	if c.fault.Executed {
		name += " executed"
	}
	if c.fault.Skew != 0 {
		name += " " + c.fault.Skew.String()
	}
	return name
}

// Whatever goes wrong, the caller knows whether the money may have moved, and calling
// again with the same key moves it once.
func TestEveryFaultOfACall(t *testing.T) {
	t.Parallel()
	for _, connection := range connections {
		for _, c := range callFaults {
			for _, maxAttempts := range []int{1, 4} {
				t.Run(fmt.Sprintf("%s/%s/%d", connection.name, c.name(), maxAttempts), func(t *testing.T) {
					t.Parallel()
					server := newServer(t, connection.opts...)
					client := server.Client(intram.WithMaxAttempts(maxAttempts))
					fault := c.fault
					fault.On = "POST /payouts"
					require.NoError(t, server.Fault(fault))
					const key = "payout-under-fault"
					op, err := client.Payouts.Create(t.Context(), payout(500), intram.WithIdempotencyKey(key))
					checkFaultyCall(t, server, c, maxAttempts, key, op, err)

					// The way on: the same key and the same parameters.
					again, err := client.Payouts.Create(t.Context(), payout(500), intram.WithIdempotencyKey(key))
					require.NoError(t, err)
					if op != nil {
						assert.Equal(t, op.ID, again.ID)
					}
					assert.Equal(t, 1, debits(server), "the money moves once, whatever happened")
					assert.Empty(t, server.PendingFaults(), "the fault is spent")
					assert.Equal(t, map[intramtest.FaultKind]int{c.fault.Kind: max(c.fault.Times, 1)}, server.Fired())
					checkAttempts(t, attemptsOf(server, key))
				})
			}
		}
	}
}

func checkFaultyCall(t *testing.T, server *intramtest.Server, c callFault, maxAttempts int, key string, op *intram.Operation, err error) {
	t.Helper()
	attempts, succeeds, executed := c.attempts, c.succeeds, c.executed || c.succeeds
	if maxAttempts == 1 {
		succeeds = c.outcome == ""
		executed = c.executed
		if c.fault.Times == 0 {
			attempts = 1
		}
	}
	if succeeds {
		require.NoError(t, err)
		require.NotEmpty(t, op.ID)
	} else {
		require.Error(t, err)
		require.Nil(t, op)
		failed, ok := errors.AsType[*intram.Error](err)
		require.True(t, ok)
		assert.Equal(t, c.outcome, failed.Outcome, "%v", err)
		assert.Equal(t, attempts, failed.Attempts)
		assert.Equal(t, key, failed.IdempotencyKey)
	}
	assert.Len(t, attemptsOf(server, key), attempts)
	moved := debits(server)
	assert.Equal(t, executed, moved == 1, "executed %d times", moved)
	if c.outcome == intram.OutcomeNotSent || c.outcome == intram.OutcomeRejected {
		assert.True(t, succeeds || moved == 0, "%s says that nothing moved", c.outcome)
	}
	for _, r := range server.Requests() {
		assert.False(t, r.Followed, "a redirect was followed: %v", r)
	}
}

// checkAttempts: the same key, the same bytes, each dated when it was sent.
func checkAttempts(t *testing.T, attempts []intramtest.Request) {
	t.Helper()
	first := slices.IndexFunc(attempts, func(r intramtest.Request) bool { return len(r.Body) > 0 })
	for i, r := range attempts {
		if len(r.Body) > 0 {
			assert.Equal(t, string(attempts[first].Body), string(r.Body), "attempt %d", i+1)
		}
		at, err := time.Parse(time.RFC3339, r.Header.Get("X-Timestamp"))
		require.NoError(t, err)
		if !strings.HasPrefix(string(r.Fault), string(intramtest.ClockSkew)) && r.Code == "" && r.Status < 300 {
			assert.WithinDuration(t, r.Time, at, 10*time.Second, "attempt %d", i+1)
		}
	}
}

// The table above is complete, and so are those of webhooks and of the documentation.
func TestEveryKindOfFaultIsTested(t *testing.T) {
	t.Parallel()
	tested := map[intramtest.FaultKind]bool{}
	for _, c := range callFaults {
		tested[c.fault.Kind] = true
	}
	for _, c := range webhookFaults {
		tested[c.fault.Kind] = true
	}
	documented, err := os.ReadFile("../docs/faults.md")
	require.NoError(t, err)
	for _, kind := range intramtest.FaultKinds() {
		assert.True(t, tested[kind], "no row for %s", kind)
		assert.Contains(t, string(documented), "\n| `"+string(kind)+"` |", "docs/faults.md")
	}
	assert.Len(t, tested, len(intramtest.FaultKinds()))
}

// What a network says, and what the hooks of net/http say, must be the same with and
// without a socket: the SDK tells by them whether a byte was sent.
func TestFaultsLookTheSameWithAndWithoutASocket(t *testing.T) {
	t.Parallel()
	for _, connection := range connections {
		t.Run(connection.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				kind      intramtest.FaultKind
				connected bool
				failed    func(error) bool
				read      func(error) bool
			}{
				{kind: intramtest.Refuse, failed: isOp("dial", syscall.ECONNREFUSED)},
				{kind: intramtest.Reset, connected: true, failed: isOp("read", syscall.ECONNRESET)},
				{kind: intramtest.DropResponse, connected: true, failed: isError(io.EOF)},
				{kind: intramtest.Truncate, connected: true, read: isError(io.ErrUnexpectedEOF)},
				{kind: intramtest.NotJSON, connected: true, read: isError(nil)},
			} {
				server := newServer(t, connection.opts...)
				require.NoError(t, server.Fault(intramtest.Fault{Kind: c.kind, On: "GET /balance"}))
				var wanted, got, wrote atomic.Int32
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GetConn: func(hostPort string) {
						wanted.Add(1)
						_, _, err := net.SplitHostPort(hostPort)
						assert.NoError(t, err)
					},
					GotConn: func(info httptrace.GotConnInfo) {
						got.Add(1)
						assert.NotEmpty(t, info.Conn.RemoteAddr().String())
					},
					WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Add(1) },
				})
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/balance", nil)
				require.NoError(t, err)
				r.Header.Set("X-Api-Key", server.PublicKey)
				resp, err := server.Transport().RoundTrip(r)
				assert.EqualValues(t, 1, wanted.Load(), "%s", c.kind)
				assert.Equal(t, c.connected, got.Load() == 1, "%s", c.kind)
				assert.Equal(t, c.connected, wrote.Load() == 1, "%s", c.kind)
				if c.failed != nil {
					require.True(t, c.failed(err), "%s: %v", c.kind, err)
					continue
				}
				require.NoError(t, err, "%s", c.kind)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
				assert.True(t, c.read(err), "%s: %v", c.kind, err)
				if c.kind == intramtest.Truncate {
					assert.Greater(t, resp.ContentLength, int64(len(body)), "more was announced than came")
				}
			}
		})
	}
}

func isError(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func isOp(name string, errno error) func(error) bool {
	return func(err error) bool {
		op, ok := errors.AsType[*net.OpError](err)
		return ok && op.Op == name && errors.Is(err, errno)
	}
}

// On a connection that was in use before, net/http sends a call with an idempotency key
// again by itself. The SDK counts one attempt, and what arrives twice is the same to the
// byte, signature included.
func TestConnectionThatDiesAsItIsUsedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []intramtest.FaultKind{intramtest.Reset, intramtest.DropResponse} {
		server := newServer(t)
		client := server.Client(intram.WithMaxAttempts(1))
		_, err := client.Balance.Get(t.Context())
		require.NoError(t, err)
		require.NoError(t, server.Fault(intramtest.Fault{Kind: kind, On: "POST /payouts"}))
		var answer intram.Response
		_, err = client.Payouts.Create(t.Context(), payout(500), intram.WithIdempotencyKey("resent-by-net-http"), intram.WithResponseInto(&answer))
		require.NoError(t, err)
		assert.Equal(t, 1, answer.Attempts)
		assert.Equal(t, kind == intramtest.DropResponse, answer.Replayed)
		attempts := attemptsOf(server, "resent-by-net-http")
		require.Len(t, attempts, 2)
		assert.Equal(t, attempts[0].Header.Get("X-Signature"), attempts[1].Header.Get("X-Signature"))
		assert.Equal(t, 1, debits(server))
	}
}

// The first copy was executed, and a refusal of the second that came before the key was
// looked at says nothing of it.
func TestARefusalOfTheCopyThatNetHTTPSentLeavesTheCallInDoubt(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]http.HandlerFunc{
		"rate limit": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":true,"code":"invalid_api_key","message":"no"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			var copies atomic.Int32
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet:
					server.ServeHTTP(w, r)
				case copies.Add(1) == 1:
					server.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				default:
					refuse(w, r)
				}
			}))
			defer front.Close()
			client, err := intram.NewClient(server.PublicKey, server.SecretKey, intram.WithBaseURL(front.URL), intram.WithMaxAttempts(1))
			require.NoError(t, err)
			_, err = client.Balance.Get(t.Context()) // from now on the connection was in use before
			require.NoError(t, err)
			_, err = client.Payouts.Create(t.Context(), payout(500))
			require.Error(t, err)
			assert.EqualValues(t, 2, copies.Load())
			assert.Equal(t, 1, debits(server), "the first copy was executed")
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		})
	}
}

// A client of net/http's defaults follows the redirect with its signature; the journal is
// the witness.
func TestRedirectShowsWhoFollowsIt(t *testing.T) {
	t.Parallel()
	for _, connection := range connections {
		t.Run(connection.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, connection.opts...)
			require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Redirect}))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/payouts?a=b", strings.NewReader(`{"amount":1}`))
			require.NoError(t, err)
			r.Header.Set("X-Signature", "sha256=stolen")
			r.Header.Set("Idempotency-Key", "followed-key")
			resp, err := server.HTTPClient().Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusAccepted, resp.StatusCode, "the other host says yes")
			requests := server.Requests()
			require.Len(t, requests, 2)
			assert.Equal(t, intramtest.Redirect, requests[0].Fault)
			assert.False(t, requests[0].Followed)
			to, err := url.Parse(server.URL)
			require.NoError(t, err)
			assert.NotEqual(t, to.Hostname(), resp.Request.URL.Hostname(), "another host")
			followed := requests[1]
			assert.True(t, followed.Followed)
			assert.Equal(t, "/v1/payouts", followed.Path)
			assert.Equal(t, "a=b", followed.Query)
			assert.Equal(t, "sha256=stolen", followed.Signature)
			assert.Equal(t, "followed-key", followed.IdempotencyKey)
			assert.JSONEq(t, `{"amount":1}`, string(followed.Body))
			assert.Contains(t, followed.String(), "followed a redirect")
			assert.Zero(t, debits(server), "and nobody was paid")
		})
	}
}

func TestSlowBodyMeetsTheTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock())
		client := server.Client(intram.WithTimeout(10*time.Second), intram.WithMaxAttempts(1))
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.SlowBody, Delay: time.Minute}))
		began := time.Now()
		_, err := client.Payouts.Create(context.Background(), payout(500), intram.WithIdempotencyKey("slow-payout"))
		require.ErrorContains(t, err, "no response within 10s")
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 1, debits(server))

		// The pieces come one after the other, and the whole is there in the end.
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.SlowBody, Delay: 8 * time.Second}))
		began = time.Now()
		_, err = client.Payouts.Create(context.Background(), payout(500), intram.WithIdempotencyKey("slow-payout"))
		require.NoError(t, err)
		assert.Equal(t, 8*time.Second, time.Since(began))
		assert.Equal(t, 1, debits(server))
	})
}

// webhookFault is a row of docs/faults.md: what a fault does to the delivery of a
// payout's event, and what reaches the merchant's function.
type webhookFault struct {
	fault intramtest.Fault
	// handled is how often the event takes effect, attempts how many are made within a
	// day.
	handled, attempts int
	after             time.Duration // from the event to its effect
	status            intramtest.DeliveryStatus
}

var webhookFaults = []webhookFault{
	{intramtest.Fault{Kind: intramtest.WebhookDuplicate}, 1, 2, 0, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookLate, Delay: time.Hour}, 1, 1, time.Hour, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookReordered}, 1, 1, time.Minute, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookStale}, 1, 2, time.Minute, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookBadSignature}, 1, 2, time.Minute, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookPreviousSecret}, 1, 2, time.Minute, intramtest.DeliveryDelivered},
	{intramtest.Fault{Kind: intramtest.WebhookDropped}, 0, 0, 0, intramtest.DeliveryDropped},
}

// TestEveryFaultOfAWebhook delivers to the SDK's own handler, over the network and
// without one.
func TestEveryFaultOfAWebhook(t *testing.T) {
	t.Parallel()
	for _, connection := range connections {
		for _, c := range webhookFaults {
			t.Run(connection.name+"/"+string(c.fault.Kind), func(t *testing.T) {
				t.Parallel()
				r := newReceiver(t, newServer(t, connection.opts...), connection.opts == nil)
				fault := c.fault
				fault.On = "payout.*"
				require.NoError(t, r.server.Fault(fault))
				began := r.server.Now()
				op, err := r.client.Payouts.Create(t.Context(), payout(500))
				require.NoError(t, err)
				r.server.Advance(24 * time.Hour)

				effects := r.effects()
				require.Len(t, effects, c.handled)
				for _, e := range effects {
					assert.Equal(t, op.ID, e.operation)
					assert.Equal(t, c.after, e.at.Sub(began))
				}
				deliveries := r.server.Deliveries()
				require.Len(t, deliveries, 1)
				assert.Equal(t, c.status, deliveries[0].Status)
				require.Len(t, deliveries[0].Attempts, c.attempts)
				if c.attempts > 0 {
					assert.Equal(t, c.fault.Kind, deliveries[0].Attempts[0].Fault)
				}
				if c.attempts > 1 && c.fault.Kind != intramtest.WebhookDuplicate {
					assert.Equal(t, http.StatusUnauthorized, deliveries[0].Attempts[0].Status)
				}
				assert.Equal(t, map[intramtest.FaultKind]int{c.fault.Kind: 1}, r.server.Fired())
			})
		}
	}
}

// effect is an event that took effect at a merchant's.
type effect struct {
	operation string
	at        time.Time
}

// receiver is a merchant's webhook endpoint, made of the SDK's parts.
type receiver struct {
	server       *intramtest.Server
	client       *intram.Client
	subscription *intram.WebhookSubscription
	handler      atomic.Pointer[http.Handler]

	mu   sync.Mutex
	seen []effect
}

func newReceiver(t *testing.T, server *intramtest.Server, network bool) *receiver {
	t.Helper()
	r := &receiver{server: server, client: server.Client()}
	handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { (*r.handler.Load()).ServeHTTP(w, q) })
	var address string
	if network {
		web := httptest.NewServer(handler)
		t.Cleanup(web.Close)
		address = web.URL
	} else {
		address = server.Receive(handler)
	}
	var err error
	r.subscription, err = r.client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: address, Event: intram.EventAll})
	require.NoError(t, err)
	r.trust(t, r.subscription.Secret)
	return r
}

// trust makes the endpoint take the signatures of some secrets, with an inbox of its own.
func (r *receiver) trust(t *testing.T, secrets ...string) {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier(secrets...)
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier.WithClock(r.server.Clock()), new(intram.MemoryInbox), func(_ context.Context, e *intram.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = append(r.seen, effect{e.OperationID, r.server.Now()})
		return nil
	})
	r.handler.Store(&handler)
}

func (r *receiver) effects() []effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func (r *receiver) order() []string {
	var order []string
	for _, e := range r.effects() {
		order = append(order, e.operation)
	}
	return order
}

func TestReorderedDeliveryComesAfterTheNext(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, newServer(t), false)
	require.NoError(t, r.server.Fault(intramtest.Fault{Kind: intramtest.WebhookReordered, Delay: time.Hour}))
	began := r.server.Now()
	first, err := r.client.Payouts.Create(t.Context(), payout(1))
	require.NoError(t, err)
	require.NoError(t, r.server.Idle(t.Context()))
	assert.Empty(t, r.effects(), "it is held back")
	second, err := r.client.Payouts.Create(t.Context(), payout(2))
	require.NoError(t, err)
	require.NoError(t, r.server.Idle(t.Context()))
	assert.Equal(t, []string{second.ID, first.ID}, r.order())
	r.server.Advance(2 * time.Hour)
	require.Len(t, r.effects(), 2, "and is not sent again when its hour is over")
	assert.Equal(t, began, r.effects()[1].at)
}

func TestPreviousSecretIsTheOneBeforeTheRotation(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, newServer(t), false)
	made, err := r.server.PreviousWebhookSecret(r.subscription.ID)
	require.NoError(t, err)
	assert.NotEqual(t, r.subscription.Secret, made)
	assert.True(t, strings.HasPrefix(made, "whsec_"))

	rotated, err := r.server.RotateWebhookSecret(r.subscription.ID)
	require.NoError(t, err)
	previous, err := r.server.PreviousWebhookSecret(r.subscription.ID)
	require.NoError(t, err)
	assert.Equal(t, r.subscription.Secret, previous)

	// A receiver that knows both, as the SDK advises, takes the delivery at once.
	r.trust(t, rotated, previous)
	require.NoError(t, r.server.Fault(intramtest.Fault{Kind: intramtest.WebhookPreviousSecret}))
	_, err = r.client.Payouts.Create(t.Context(), payout(1))
	require.NoError(t, err)
	require.NoError(t, r.server.Idle(t.Context()))
	require.Len(t, r.effects(), 1)
	deliveries := r.server.Deliveries()
	require.Len(t, deliveries, 1)
	signed := deliveries[0].Attempts[0]
	mac := hmac.New(sha256.New, []byte(previous))
	mac.Write([]byte(signed.Timestamp + "." + string(deliveries[0].Body)))
	assert.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), signed.Signature, "by the secret before the rotation")

	_, err = r.server.RotateWebhookSecret("whs_unknown")
	require.ErrorContains(t, err, "whs_unknown")
	_, err = r.server.PreviousWebhookSecret("whs_unknown")
	require.ErrorContains(t, err, "whs_unknown")
}

// The reconciler finds what was lost by asking.
func TestReconcilerFindsADroppedEvent(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, newServer(t), false)
	require.NoError(t, r.server.Fault(intramtest.Fault{Kind: intramtest.WebhookDropped, On: "payout.completed"}))
	op, err := r.client.Payouts.Create(t.Context(), payout(1))
	require.NoError(t, err)
	r.server.Advance(time.Hour)
	delivery, err := r.server.AwaitDelivery(t.Context(), r.server.Deliveries()[0].ID)
	require.NoError(t, err)
	assert.Equal(t, intramtest.DeliveryDropped, delivery.Status)
	found := 0
	reconciler, err := intram.NewReconciler(r.client, new(intram.MemoryInbox), func(_ context.Context, e *intram.Event) error {
		if e.OperationID == op.ID {
			found++
		}
		return nil
	})
	require.NoError(t, err)
	_, err = reconciler.Run(t.Context(), r.server.Now().Add(-24*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 1, found)
}

func TestFaultThatMakesNoSenseIsAnError(t *testing.T) {
	t.Parallel()
	server, err := intramtest.Start(intramtest.WithoutListener())
	require.NoError(t, err)
	defer server.Close()
	require.ErrorContains(t, server.Fault(intramtest.Fault{Kind: "explosion"}), "explosion")
	require.ErrorContains(t, server.SeededFaults(1, intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.Reset, Times: 1}}), "PerThousand")
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Oversized, Times: 3}))
	assert.Equal(t, []intramtest.Fault{{Kind: intramtest.Oversized, Times: 3, Size: 16 << 20}}, server.PendingFaults())
	server.ClearFaults()
	assert.Empty(t, server.PendingFaults())
	assert.Empty(t, server.Fired())
}

// seededStory makes payouts concurrently under drawn faults, and tells what became of
// each: the fate that the journal shows of every call, in an order that does not depend
// on the run's.
func seededStory(t *testing.T, seed uint64, workers int) []string {
	t.Helper()
	server := newServer(t, intramtest.WithoutListener())
	r := newReceiver(t, server, false)
	require.NoError(t, server.SeededFaults(seed,
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.DropResponse, Times: 3}, PerThousand: 250},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.Refuse, Times: 3}, PerThousand: 150},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.ServerError, On: "GET", Times: 2}, PerThousand: 400},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.Latency, Delay: time.Millisecond, Times: 1}, PerThousand: 300},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.WebhookDuplicate, Times: 1}, PerThousand: 300},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.WebhookBadSignature, Times: 2}, PerThousand: 300},
	))
	work := make(chan int)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := range work {
				op, err := r.client.Payouts.Create(t.Context(), payout(int64(i+1)), intram.WithIdempotencyKey(fmt.Sprintf("seeded-payout-%02d", i)))
				if assert.NoError(t, err) {
					_, err = r.client.Operations.Get(t.Context(), op.ID)
					assert.NoError(t, err)
				}
			}
		})
	}
	for i := range 40 {
		work <- i
	}
	close(work)
	running.Wait()
	server.Advance(24 * time.Hour)

	fates := map[string]string{}
	keys := map[string]string{} // of the operations
	for _, q := range server.Requests() {
		if q.Method == http.MethodPost && strings.Contains(string(q.Response), "op_") {
			id := string(q.Response[strings.Index(string(q.Response), "op_"):][:len("op_")+16])
			keys[id] = q.IdempotencyKey
		}
	}
	for _, q := range server.Requests() {
		name := q.Method + " " + q.IdempotencyKey
		if id, ok := strings.CutPrefix(q.Path, "/v1/operations/"); ok {
			name += keys[id]
		}
		fates[name] += " " + string(q.Fault)
	}
	for _, d := range server.Deliveries() {
		name := "delivery " + keys[d.OperationID]
		for _, a := range d.Attempts {
			fates[name] += " " + string(a.Fault)
		}
	}
	var story []string
	for name, fate := range fates {
		if !strings.Contains(name, "seeded-payout") {
			continue // the subscription's own call, whose key is random
		}
		story = append(story, name+":"+fate)
	}
	slices.Sort(story)
	assert.Equal(t, 40, debits(server))
	assert.Len(t, r.effects(), 40)
	for kind, n := range server.Fired() {
		story = append(story, fmt.Sprintf("%s %d", kind, n))
		assert.Positive(t, n)
	}
	assert.Len(t, server.Fired(), 6, "each kind has hit")
	slices.Sort(story)
	return story
}

// The same seed gives each call the same fate, with one goroutine or with eight, whatever
// ids the server draws.
func TestSeededFaultsRepeatThemselves(t *testing.T) {
	t.Parallel()
	one := seededStory(t, 7, 1)
	assert.Equal(t, one, seededStory(t, 7, 8))
	assert.NotEqual(t, one, seededStory(t, 8, 1))
}
