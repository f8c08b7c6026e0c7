package intram_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// One call in a hundred fails, in each of the ways that there are, and is not tried
// again. A connection is lost to the failures that break one; a pool that is flushed by
// each of them would open thousands.
//
// The callers go in rounds, so that the bound is exact. While calls come and go as they
// like, it is not: a request that finds no idle connection dials, and takes one that
// comes free meanwhile; the caller that let that one go dials as well, and so on until
// the first dial is done. In a round no response is sent before all requests have
// arrived, so nothing comes free while a connection is dialled: a round opens as many as
// were not given back in the one before. net/http tries a request again that was reset,
// and may dial for it: that replaces the one that broke. What was given back is
// net/http's own word, since it also drops a connection when it does not know within 50
// ms of the response that the request was written, as on a busy machine.
func TestOneFailingCallInAHundredLeavesThePoolAlone(t *testing.T) {
	t.Parallel()
	const callers, rounds = 64, 60
	var requests, broken, failing, conns, used, givenBack atomic.Int64
	var current atomic.Pointer[barrier]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := requests.Add(1)
		current.Load().pass()
		if n%100 != 0 {
			reply(http.StatusAccepted, accepted)(w, r)
			return
		}
		failing.Add(1)
		switch n / 100 % 3 {
		case 0:
			reply(http.StatusInternalServerError, `{"error":true,"code":"internal_error"}`)(w, r)
		case 1:
			broken.Add(1)
			reset(w, r)
		case 2:
			broken.Add(1)
			raw("HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{\"error\":fa")(w, r)
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL(server.URL), intram.WithMaxAttempts(1))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)

	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { used.Add(1) },
		PutIdleConn: func(err error) {
			if err == nil {
				givenBack.Add(1)
			}
		},
	})
	var failed atomic.Int64
	for range rounds {
		current.Store(newBarrier(callers))
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				if _, err := client.Payouts.Create(ctx, mobilePayout()); err != nil {
					failed.Add(1)
					assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%v", err)
				}
			})
		}
		group.Wait()
	}
	// net/http tries a call once more itself when its connection was reset, so not every
	// reset is a failed call.
	assert.Greater(t, failing.Load(), int64(rounds*callers/100-1))
	assert.Positive(t, failed.Load())
	assert.LessOrEqual(t, failed.Load(), failing.Load())
	lost := used.Load() - givenBack.Load()
	assert.GreaterOrEqual(t, lost, broken.Load())
	assert.LessOrEqual(t, conns.Load(), callers+lost, "connections")
	t.Logf("%d requests, %d failed, %d connections broken and %d lost, %d opened",
		requests.Load(), failing.Load(), broken.Load(), lost, conns.Load())
}

// barrier lets requests pass when one of each caller has arrived.
type barrier struct {
	arrived atomic.Int64
	callers int64
	group   sync.WaitGroup
}

func newBarrier(callers int) *barrier {
	b := &barrier{callers: int64(callers)}
	b.group.Add(callers)
	return b
}

func (b *barrier) pass() {
	if b.arrived.Add(1) <= b.callers { // what net/http sends once more comes after them
		b.group.Done()
	}
	b.group.Wait()
}

// closer is a server that responds to a request on each connection and closes it at the
// first byte of the next one, as a server does whose patience with an idle connection
// ends just then. The requests that it reads go to the handler.
type closer struct {
	net.Listener
	handler http.Handler
	wait    sync.WaitGroup
	cut     atomic.Int64
}

func newCloser(t *testing.T, handler http.Handler) *closer {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &closer{Listener: l, handler: handler}
	c.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.wait.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.wait.Wait()
	})
	return c
}

func (c *closer) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // closing is what it is for
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, req)
	body := answer.Body.String()
	_, _ = io.WriteString(conn, "HTTP/1.1 "+strconv.Itoa(answer.Code)+" X\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	if _, err := in.Peek(1); err == nil {
		c.cut.Add(1)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
}

// Every request but the first meets a connection that dies as it is written. None is
// lost, and none is executed twice.
func TestRequestsOnDyingConnectionsAreNotLost(t *testing.T) {
	t.Parallel()
	stripped := func(next http.RoundTripper) http.RoundTripper { // what a middleware may do to a request
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.GetBody = nil
			return next.RoundTrip(req)
		})
	}
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"net/http resends by itself":              func(next http.RoundTripper) http.RoundTripper { return next },
		"a middleware keeps net/http from it":     stripped,
		"a middleware hides the idempotency keys": hideKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock())
			seen := &recorded{next: server}
			front := newCloser(t, seen)
			network := intram.NewHTTPTransport()
			t.Cleanup(network.CloseIdleConnections)
			client := server.Client(intram.WithBaseURL("http://"+front.Addr().String()), intram.WithJitter(0),
				intram.WithHTTPClient(&http.Client{Transport: wrap(network)}), intram.WithTimeout(10*time.Second))
			const payouts = 20
			for range payouts {
				op, err := client.Payouts.Create(t.Context(), intentParams())
				require.NoError(t, err)
				require.NotEmpty(t, op.ID)
			}
			assert.Positive(t, front.cut.Load(), "no connection died")
			seen.check(t, payouts)
			wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
			assert.Equal(t, int64(1_000_000-payouts*25_000), server.Ledger().Balance(wallet), "each paid once")
		})
	}
}

// hideKeys takes the key out of net/http's sight, which resends only what it takes for
// safe, and puts it back on the wire.
func hideKeys(next http.RoundTripper) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		req.Header["idempotency-key"] = req.Header["Idempotency-Key"] // the same on the wire; net/http looks for the canonical name
		delete(req.Header, "Idempotency-Key")
		return next.RoundTrip(req)
	})
}

// A deletion has no key, so that net/http does not resend it; the SDK does.
func TestDeletionOnADyingConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	front := newCloser(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			reply(200, `{"error":false}`)(w, r)
			return
		}
		reply(200, `{"error":false,"data":{"currency":"XOF"}}`)(w, r)
	}))
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL("http://"+front.Addr().String()), intram.WithJitter(0))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	for range 10 {
		_, err = client.Balance.Get(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.Webhooks.Delete(t.Context(), "whs_1"))
	}
	assert.Positive(t, front.cut.Load())
}

// recorded hands requests on, and remembers them.
type recorded struct {
	next http.Handler
	mu   sync.Mutex
	sent []sentRequest
}

func (r *recorded) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.sent = append(r.sent, sentRequest{
		Method: req.Method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery, Header: req.Header.Clone(), Body: string(body),
	})
	r.mu.Unlock()
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	r.next.ServeHTTP(w, req)
}

// check finds one key for each payout, and with each key always the same bytes.
func (r *recorded) check(t *testing.T, payouts int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	bodies := map[string]string{}
	for _, one := range r.sent {
		key := one.Header.Get("Idempotency-Key")
		require.NotEmpty(t, key)
		require.NotEmpty(t, one.Body)
		if body, again := bodies[key]; again {
			assert.Equal(t, body, one.Body, "the same bytes under one key")
		}
		bodies[key] = one.Body
	}
	assert.Len(t, bodies, payouts, "keys")
}

// A response's header is read up to a size, like its body.
func TestHeaderOfAnAnswerIsReadUpToASize(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 1<<10)
	header := func(lines int) act {
		return raw("HTTP/1.1 202 Accepted\r\nContent-Length: " + strconv.Itoa(len(accepted)) + "\r\n" +
			strings.Repeat("X-Padding: "+large+"\r\n", lines) + "\r\n" + accepted)
	}
	a := newActor(t, header(60))
	_, err := a.client(t, intram.WithMaxAttempts(1)).Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err, "60 KiB")

	endless := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // the server's end of a test
		_, err = io.WriteString(conn, "HTTP/1.1 202 Accepted\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X-Padding: "+large+"\r\n")
		}
	}
	for name, one := range map[string]act{"70 KiB": header(70), "endless": endless} {
		a := newActor(t, one, one)
		_, err := a.client(t, intram.WithMaxAttempts(2)).Payouts.Create(t.Context(), mobilePayout())
		var e *intram.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, intram.OutcomeUnknown, e.Outcome, name)
		assert.Equal(t, 2, e.Attempts, name)
		assert.ErrorContains(t, err, "exceeded", name)
	}
}

// A server that switches to another protocol keeps the connection, and would keep the
// caller beyond every time limit.
func TestSwitchedProtocolDoesNotHoldTheCaller(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	var held sync.WaitGroup
	hold := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		held.Go(func() {
			<-released
			_ = conn.Close()
		})
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\n")
	}
	a := newActor(t, hold, reply(400, `{"error":true,"code":"validation_error"}`))
	_, err := a.client(t, intram.WithTimeout(5*time.Second)).Payouts.Create(t.Context(), mobilePayout())
	close(released)
	held.Wait()
	require.ErrorIs(t, err, intram.CodeValidationError)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
}
