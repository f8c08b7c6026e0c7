package intram_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// quiet is the log of servers whose clients are meant to fail.
var quiet = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

// act is what a server does with one request, on a real socket.
type act func(w http.ResponseWriter, r *http.Request)

// reply is a whole response. Headers come in pairs.
func reply(status int, body string, headers ...string) act {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// accepted is what the API responds to a payout.
const accepted = `{"error":false,"http_status":202,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"queued"}}`

// reset reads the request, and drops the connection without a response.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not a polite end
	}
	_ = conn.Close()
}

// raw writes bytes on the connection, and closes it.
func raw(text string) act {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = buf.WriteString(text)
		_ = buf.Flush()
		_ = conn.Close()
	}
}

// silent sends nothing while the client waits.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// actor is a server on a loopback socket that plays its acts, one a request, and counts
// what it saw.
type actor struct {
	*httptest.Server
	t     *testing.T
	mu    sync.Mutex
	acts  []act
	seen  []sentRequest
	conns atomic.Int64
}

func newActor(t *testing.T, acts ...act) *actor {
	t.Helper()
	a := &actor{t: t, acts: acts}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.conns.Add(1)
		}
	}
	a.Start()
	t.Cleanup(a.Close)
	return a
}

func (a *actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	a.mu.Lock()
	a.seen = append(a.seen, sentRequest{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: string(body),
	})
	if len(a.acts) == 0 {
		a.mu.Unlock()
		a.t.Errorf("request %d was not expected", len(a.seen))
		w.WriteHeader(http.StatusTeapot)
		return
	}
	next := a.acts[0]
	a.acts = a.acts[1:]
	a.mu.Unlock()
	next(w, r)
}

func (a *actor) requests() []sentRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]sentRequest(nil), a.seen...)
}

// client speaks to the actor through the SDK's own transport, and retries without
// waiting.
func (a *actor) client(t *testing.T, opts ...intram.ClientOption) *intram.Client {
	t.Helper()
	opts = append([]intram.ClientOption{intram.WithBaseURL(a.URL), intram.WithJitter(0), intram.WithTracer(newCountingTracer(t))}, opts...)
	c, err := intram.NewClient(publicKey, secretKey, opts...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// What all attempts together say about the money, on real sockets.
func TestOutcomesOnRealSockets(t *testing.T) {
	t.Parallel()
	refusal := `{"error":true,"code":"validation_error","message":"no"}`
	tests := []struct {
		name     string
		acts     []act
		outcome  intram.Outcome // empty: success
		attempts int
		code     intram.ErrorCode
	}{
		{"accepted", []act{reply(202, accepted)}, "", 1, ""},
		{"refused", []act{reply(400, refusal)}, intram.OutcomeRejected, 1, intram.CodeValidationError},
		{"reset, then accepted", []act{reset, reply(202, accepted)}, "", 2, ""},
		{"503, then accepted", []act{reply(503, ""), reply(202, accepted)}, "", 2, ""},
		{"429, then accepted", []act{reply(429, "{}"), reply(202, accepted)}, "", 2, ""},
		{"reset, then the replayed acceptance", []act{reset, reply(202, accepted, "Idempotent-Replay", "true")}, "", 2, ""},
		{"reset, then refused", []act{reset, reply(400, refusal)}, intram.OutcomeUnknown, 2, intram.CodeValidationError},
		{"503, then refused", []act{reply(503, ""), reply(400, refusal)}, intram.OutcomeUnknown, 2, intram.CodeValidationError},
		{
			"reset, then a conflict", []act{reset, reply(409, `{"error":true,"code":"idempotency_conflict"}`)},
			intram.OutcomeUnknown, 2, intram.CodeIdempotencyConflict,
		},
		{
			"reset, then the replayed refusal", []act{reset, reply(400, `{"error":true,"code":"x"}`, "Idempotent-Replay", "true")},
			intram.OutcomeRejected, 2, "x",
		},
		{"reset every time", []act{reset, reset, reset, reset}, intram.OutcomeUnknown, 4, ""},
		{"429 every time", []act{reply(429, "{}"), reply(429, "{}"), reply(429, "{}"), reply(429, "{}")}, intram.OutcomeRejected, 4, ""},
		{
			"500 every time", []act{
				reply(500, `{"error":true,"code":"internal_error"}`), reply(500, `{"error":true,"code":"internal_error"}`),
				reply(500, `{"error":true,"code":"internal_error"}`), reply(500, `{"error":true,"code":"internal_error"}`),
			}, intram.OutcomeUnknown, 4, intram.CodeInternalError,
		},
		{"a proxy's 502, then accepted", []act{reply(502, "<html>", "Content-Type", "text/html"), reply(202, accepted)}, "", 2, ""},
		{"not JSON", []act{reply(202, "<html>It works!</html>")}, intram.OutcomeUnknown, 1, ""},
		{"accepted without a body", []act{reply(202, "")}, intram.OutcomeUnknown, 1, ""},
		{"no content", []act{reply(204, "")}, intram.OutcomeUnknown, 1, ""},
		{"truncated, then accepted", []act{raw("HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{\"error\":fa"), reply(202, accepted)}, "", 2, ""},
		{
			"truncated, then refused", []act{raw("HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"), reply(400, refusal)},
			intram.OutcomeUnknown, 2, intram.CodeValidationError,
		},
		{
			"a chunk cut off, then refused", []act{raw("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"er"), reply(400, refusal)},
			intram.OutcomeUnknown, 2, intram.CodeValidationError,
		},
		{"not HTTP, then accepted", []act{raw("SSH-2.0-OpenSSH_9.6\r\n"), reply(202, accepted)}, "", 2, ""},
		{"headers cut off, then accepted", []act{raw("HTTP/1.1 202 Acc"), reply(202, accepted)}, "", 2, ""},
		{"a redirect", []act{reply(307, "", "Location", "/v1/elsewhere")}, intram.OutcomeUnknown, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newActor(t, tt.acts...)
			op, err := a.client(t).Payouts.Create(t.Context(), mobilePayout())
			seen := a.requests()
			assert.Len(t, seen, tt.attempts)
			for _, one := range seen {
				assert.Equal(t, seen[0].Body, one.Body, "the same bytes")
				assert.Equal(t, seen[0].Header["Idempotency-Key"], one.Header["Idempotency-Key"], "the same key")
				assert.Equal(t, secondSignature(secretKey, one.Header.Get("X-Timestamp"), "POST", "/payouts", "", one.Body), one.Header.Get("X-Signature"))
			}
			if tt.outcome == "" {
				require.NoError(t, err)
				assert.Equal(t, "op_2f4a8b1c", op.ID)
				return
			}
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.outcome, e.Outcome)
			assert.Equal(t, tt.attempts, e.Attempts)
			assert.Equal(t, tt.code, e.Code)
			assert.Equal(t, seen[0].Header.Get("Idempotency-Key"), e.IdempotencyKey)
		})
	}
}

// A port where nothing listens: no byte left this machine, whatever the number of
// attempts.
func TestRefusedConnectionIsNotSent(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL("http://"+addr), intram.WithJitter(0))
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), mobilePayout())
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
	assert.Equal(t, 4, e.Attempts)
	assert.Contains(t, err.Error(), "connection refused")
	assert.Contains(t, err.Error(), "nothing was sent")
	// A deletion too: it is not only what has a body that matters.
	err = client.Webhooks.Delete(t.Context(), "whs_1")
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
}

// A connection that was refused, then one that was reset, then nothing again: the reset
// one leaves the doubt.
func TestRefusedConnectionsDoNotSettleADoubt(t *testing.T) {
	t.Parallel()
	a := newActor(t, reset)
	var dials atomic.Int64
	transport := intram.NewHTTPTransport()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == 2 {
			return dial(ctx, network, addr)
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	_, err := a.client(t, intram.WithHTTPClient(&http.Client{Transport: transport})).Payouts.Create(t.Context(), mobilePayout())
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Equal(t, int64(4), dials.Load())
}

// net/http itself resends a request whose idle connection was closed as it was written.
// That, too, carries the same bytes and the same key, within one attempt.
func TestNetHTTPsOwnResendIsTheSameRequest(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	requests := make(chan sentRequest, 10)
	var served sync.WaitGroup
	served.Go(func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close() //nolint:errcheck // the server's end of a test
				in := bufio.NewReader(conn)
				for i := 1; ; i++ {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, _ := io.ReadAll(req.Body)
					requests <- sentRequest{Header: req.Header, Body: string(body), Method: req.Method}
					if n == 1 && i == 2 {
						return // the second request of the first connection is dropped unanswered
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: "+
						strconv.Itoa(len(accepted))+"\r\n\r\n"+accepted)
				}
			})
		}
	})
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL("http://"+l.Addr().String()), intram.WithJitter(0))
	require.NoError(t, err)
	var resp intram.Response
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp))
	require.NoError(t, err)
	<-requests
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp))
	require.NoError(t, err)
	dropped, resent := <-requests, <-requests
	assert.Equal(t, 1, resp.Attempts, "one attempt of ours, two of net/http's")
	assert.Equal(t, dropped.Header, resent.Header, "key, timestamp and signature")
	assert.Equal(t, dropped.Body, resent.Body)
	assert.NotEmpty(t, resent.Body)
	assert.Equal(t, resp.IdempotencyKey, resent.Header.Get("Idempotency-Key"))
	client.CloseIdleConnections()
	require.NoError(t, l.Close())
	served.Wait()
}

// The connection was there, and then nothing was: the request may have been read before
// the connection died.
func TestLostConnectionThenNobodyIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var served sync.WaitGroup
		served.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close() //nolint:errcheck // the server's end of a test
			in := bufio.NewReader(conn)
			for i := 1; i <= 2; i++ {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				if i == 2 {
					_ = l.Close() // it was read, and perhaps executed; and the server is gone
					return
				}
				body := `{"error":false,"data":{"currency":"XOF"}}`
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
			}
		})
		client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL("http://"+l.Addr().String()), intram.WithJitter(0))
		require.NoError(t, err)
		_, err = client.Balance.Get(t.Context())
		require.NoError(t, err)
		if method == http.MethodPost {
			_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithMaxAttempts(1))
		} else {
			err = client.Webhooks.Delete(t.Context(), "whs_1", intram.WithMaxAttempts(1))
		}
		require.Error(t, err)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s: %v", method, err)
		served.Wait()
		client.CloseIdleConnections()
	}
}

// A redirect is a response, not an address: the signature does not travel on.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		other := newActor(t) // fails on any request
		a := newActor(t, reply(status, "", "Location", other.URL+"/v1/payouts"), reply(status, "", "Location", other.URL+"/v1/balance"))
		follow := &http.Client{
			Transport:     intram.NewHTTPTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return nil }, // the user's own policy does not count
		}
		t.Cleanup(follow.CloseIdleConnections)
		client := a.client(t, intram.WithHTTPClient(follow))
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		var e *intram.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, status, e.StatusCode)
		assert.Equal(t, intram.OutcomeUnknown, e.Outcome, "303 may follow a request that was executed")
		assert.Equal(t, 1, e.Attempts)
		_, err = client.Balance.Get(t.Context())
		require.Error(t, err)
		assert.Len(t, a.requests(), 2)
		assert.Empty(t, other.requests())
	}
}

// Failing calls do not flush the pool: one connection serves them all.
func TestPoolSurvivesFailures(t *testing.T) {
	t.Parallel()
	var acts []act
	for range 30 {
		acts = append(acts, reply(400, `{"error":true,"code":"x"}`), reply(500, `{"error":true,"code":"internal_error"}`), reply(404, "<html>"))
	}
	a := newActor(t, acts...)
	client := a.client(t, intram.WithMaxAttempts(1))
	for range 90 {
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		require.Error(t, err)
	}
	assert.Equal(t, int64(1), a.conns.Load(), "connections")
}

// A second connection for a second concurrent call, and both kept.
func TestPoolKeepsAConnectionForEachConcurrentCall(t *testing.T) {
	t.Parallel()
	const calls = 32
	var acts []act
	var arrived sync.WaitGroup
	for range 3 {
		var gate sync.WaitGroup
		gate.Add(calls)
		for range calls {
			acts = append(acts, func(w http.ResponseWriter, r *http.Request) {
				gate.Done()
				gate.Wait() // all calls of a round are in flight at once
				reply(202, accepted)(w, r)
			})
		}
	}
	a := newActor(t, acts...)
	client := a.client(t)
	for range 3 {
		for range calls {
			arrived.Go(func() {
				_, err := client.Payouts.Create(t.Context(), mobilePayout())
				assert.NoError(t, err)
			})
		}
		arrived.Wait()
	}
	assert.LessOrEqual(t, a.conns.Load(), int64(calls), "connections are used again")
}

func TestHTTP2OverTLS(t *testing.T) {
	t.Parallel()
	a := &actor{t: t, acts: []act{
		func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, 2, r.ProtoMajor)
			reply(503, "")(w, r)
		},
		func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, 2, r.ProtoMajor)
			reply(202, accepted)(w, r)
		},
	}}
	a.Server = httptest.NewUnstartedServer(a)
	a.EnableHTTP2 = true
	a.StartTLS()
	t.Cleanup(a.Close)
	transport := intram.NewHTTPTransport()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	transport.TLSClientConfig.RootCAs = roots
	client := a.client(t, intram.WithHTTPClient(&http.Client{Transport: transport}))
	op, err := client.Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	assert.Equal(t, "op_2f4a8b1c", op.ID)
	seen := a.requests()
	require.Len(t, seen, 2)
	assert.Equal(t, seen[0].Body, seen[1].Body)
	assert.Equal(t, seen[0].Header["Idempotency-Key"], seen[1].Header["Idempotency-Key"])
}

// A certificate that does not fit is not tried again, and nothing was sent.
func TestUntrustedServer(t *testing.T) {
	t.Parallel()
	a := &actor{t: t}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = quiet
	a.StartTLS()
	t.Cleanup(a.Close)
	_, err := a.client(t).Payouts.Create(t.Context(), mobilePayout())
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
	assert.Equal(t, 1, e.Attempts)
	assert.Contains(t, err.Error(), "certificate")
	assert.Empty(t, a.requests())
}

// A gateway of the merchant's own, with a root certificate of its own, that asks for a
// client certificate: docs/proxies-and-certificates.md.
func TestOwnRootAndClientCertificate(t *testing.T) {
	t.Parallel()
	shown := make(chan int, 1)
	a := &actor{t: t, acts: []act{func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		reply(200, `{"error":false,"data":{}}`)(w, r)
	}}}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = quiet
	a.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	a.StartTLS()
	t.Cleanup(a.Close)
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	get := func(certificates ...tls.Certificate) error {
		transport := intram.NewHTTPTransport()
		t.Cleanup(transport.CloseIdleConnections)
		transport.TLSClientConfig.RootCAs = roots
		transport.TLSClientConfig.Certificates = certificates
		client := a.client(t, intram.WithHTTPClient(&http.Client{Transport: transport}), intram.WithMaxAttempts(1))
		_, err := client.Balance.Get(t.Context())
		return err
	}
	require.Error(t, get(), "no certificate was shown")
	assert.Empty(t, a.requests())
	require.NoError(t, get(a.TLS.Certificates...))
	assert.Equal(t, 1, <-shown)
}

// TLS 1.1 is history.
func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	a := &actor{t: t}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = quiet
	a.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	a.StartTLS()
	t.Cleanup(a.Close)
	transport := intram.NewHTTPTransport()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	transport.TLSClientConfig.RootCAs = roots
	_, err := a.client(t, intram.WithHTTPClient(&http.Client{Transport: transport}), intram.WithMaxAttempts(1)).Balance.Get(t.Context())
	require.Error(t, err)
	assert.Empty(t, a.requests())
}

// Of the user's http.Client, the transport and the timeout are used; the jar is not.
func TestUsersHTTPClient(t *testing.T) {
	t.Parallel()
	a := newActor(t, reply(200, `{"error":false,"data":{}}`, "Set-Cookie", "session=canary; Path=/"), reply(200, `{"error":false,"data":{}}`))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	u, err := url.Parse(a.URL)
	require.NoError(t, err)
	jar.SetCookies(u, []*http.Cookie{{Name: "tracking", Value: "1"}})
	var used atomic.Int64
	inner := intram.NewHTTPTransport()
	t.Cleanup(inner.CloseIdleConnections)
	client := a.client(t, intram.WithHTTPClient(&http.Client{Jar: jar, Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		used.Add(1)
		return inner.RoundTrip(req)
	})}))
	for range 2 {
		_, err = client.Balance.Get(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, int64(2), used.Load(), "the user's transport carries the calls")
	for _, one := range a.requests() {
		assert.Empty(t, one.Header["Cookie"])
	}
	assert.Len(t, jar.Cookies(u), 1, "nothing was stored")
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The attempt's timeout bounds each attempt, from the user's client or from the option,
// whichever comes last.
func TestTimeoutBoundsAnAttempt(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]intram.ClientOption{
		"option":                  {intram.WithTimeout(50 * time.Millisecond)},
		"the user's client":       {intram.WithHTTPClient(&http.Client{Timeout: 50 * time.Millisecond})},
		"option after the client": {intram.WithHTTPClient(&http.Client{Timeout: time.Hour}), intram.WithTimeout(50 * time.Millisecond)},
		"client after the option": {intram.WithTimeout(time.Hour), intram.WithHTTPClient(&http.Client{Timeout: 50 * time.Millisecond})},
		"a client without one":    {intram.WithTimeout(50 * time.Millisecond), intram.WithHTTPClient(&http.Client{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newActor(t, silent, silent)
			_, err := a.client(t, append(opts, intram.WithMaxAttempts(2))...).Payouts.Create(t.Context(), mobilePayout())
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 2, e.Attempts)
			assert.Equal(t, intram.OutcomeUnknown, e.Outcome)
			assert.Contains(t, err.Error(), "no response within 50ms")
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
		})
	}
}

// A response that never ends is cut off, and is not asked for again.
func TestEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	a := newActor(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := strings.Repeat("x", 1<<16)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	_, err := a.client(t).Payouts.Create(t.Context(), mobilePayout())
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, intram.OutcomeUnknown, e.Outcome)
	assert.Equal(t, 1, e.Attempts)
	assert.Contains(t, err.Error(), "larger than")
}

// httpmock stands where a user's tests may put it: in the http.Client.
func TestThroughHTTPMock(t *testing.T) {
	t.Parallel()
	mock := httpmock.NewMockTransport()
	var keys []string
	mock.RegisterResponder("POST", "https://api.intram.org/v1/payouts",
		func(req *http.Request) (*http.Response, error) {
			keys = append(keys, req.Header.Get("Idempotency-Key"))
			return httpmock.NewStringResponse(503, "busy"), nil
		})
	mock.RegisterResponder("GET", "https://api.intram.org/v1/balance", httpmock.ResponderFromMultipleResponses([]*http.Response{
		httpmock.NewStringResponse(502, "<html>"), httpmock.NewStringResponse(429, "{}"), httpmock.NewStringResponse(200, example(t, "balance.current.json")),
	}))
	mock.RegisterResponder("GET", "https://api.intram.org/v1/webhooks", httpmock.NewErrorResponder(errors.New("no route to host")))
	mock.RegisterResponder("DELETE", "https://api.intram.org/v1/webhooks/whs_1", httpmock.NewStringResponder(200, `{"error":false}`).Times(1))
	mock.RegisterResponder("GET", `=~^https://api\.intram\.org/v1/transactions\?limit=7$`, httpmock.NewStringResponder(200, `{"error":false,"data":[]}`))
	client := newClient(t, mock)

	_, err := client.Payouts.Create(t.Context(), mobilePayout())
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	require.Len(t, keys, 4)
	assert.Equal(t, []string{keys[0], keys[0], keys[0], keys[0]}, keys)

	balance, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "1240000", balance.Available.String())
	_, err = client.Webhooks.List(t.Context())
	require.ErrorContains(t, errors.Unwrap(err), "no route to host", "behind the error, and not in its text")
	assert.NotContains(t, err.Error(), "no route to host")
	require.NoError(t, client.Webhooks.Delete(t.Context(), "whs_1"))
	_, err = client.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 7})
	require.NoError(t, err)
	_, err = client.Operations.Get(t.Context(), "op_1")
	require.ErrorContains(t, errors.Unwrap(err), "no responder found", "behind the error, and not in its text")
	assert.NotContains(t, err.Error(), "no responder found")
	calls := mock.GetCallCountInfo()
	assert.Equal(t, 4, calls["POST https://api.intram.org/v1/payouts"])
	assert.Equal(t, 3, calls["GET https://api.intram.org/v1/balance"])
	assert.Equal(t, 4, calls["GET https://api.intram.org/v1/webhooks"])
	assert.Equal(t, 1, calls["DELETE https://api.intram.org/v1/webhooks/whs_1"])
}

// As everywhere in Go, and at the moment of the call: a test or a proxy may replace it.
func TestAClientWithoutATransportUsesTheDefaultOne(t *testing.T) { //nolint:paralleltest // it replaces http.DefaultTransport
	before := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = before }) //nolint:reassign // the test is about that
	client, err := intram.NewClient(publicKey, secretKey, intram.WithHTTPClient(&http.Client{}), intram.WithPayin("payin-key", "payin-client"))
	require.NoError(t, err)
	s := &script{t: t, steps: []step{answerFile(t, 200, "balance.current.json"), answer(200, `{"reference":"r-0001"}`)}}
	http.DefaultTransport = s //nolint:reassign // likewise
	_, err = client.Balance.Get(t.Context())
	require.NoError(t, err)
	_, err = client.Payin.Get(t.Context(), "r-0001")
	require.NoError(t, err)
	assert.Len(t, s.requests(), 2)
	client.CloseIdleConnections()

	_, err = intram.NewClient(publicKey, secretKey, intram.WithHTTPClient(&http.Client{Transport: (*http.Transport)(nil)}))
	require.ErrorContains(t, err, "nil *http.Transport")
}
