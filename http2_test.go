package intram_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// balance is what the wallet holds before anything is paid out of it.
const balance = 10_000_000

// http2Fake is the fake behind net/http's own HTTP/2 server, with what it was sent.
func http2Fake(t *testing.T, handle func(next http.Handler, w http.ResponseWriter, r *http.Request)) (*intramtest.Server, *recorded, *httptest.Server) {
	t.Helper()
	server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock(),
		intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, balance))
	seen := &recorded{next: server}
	tlsServer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		handle(seen, w, r)
	}))
	tlsServer.EnableHTTP2 = true
	tlsServer.Config.ErrorLog = quiet
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	return server, seen, tlsServer
}

// trusting is the SDK's own transport, which trusts the server's certificate and dials
// what dial says.
func trusting(t *testing.T, server *httptest.Server, dial func() string) *http.Transport {
	t.Helper()
	transport := intram.NewHTTPTransport()
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	inner := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return inner(ctx, network, dial()) }
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// A server is replaced again and again while payouts are asked for: each says goodbye as
// HTTP/2 does, with GOAWAY, and finishes what it has begun. No payout fails, and none is
// executed twice.
func TestPayoutsThroughServersThatSayGoodbye(t *testing.T) {
	t.Parallel()
	const callers, calls, servers = 8, 25, 5
	through := func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
	fake, seen, first := http2Fake(t, through)
	var address atomic.Value
	address.Store(first.Listener.Addr().String())
	client := fake.Client(intram.WithBaseURL(first.URL), intram.WithJitter(0),
		intram.WithHTTPClient(&http.Client{Transport: trusting(t, first, func() string { return address.Load().(string) })}))

	var done atomic.Int64
	var group sync.WaitGroup
	milestones := make(chan int64, callers*calls)
	for range callers {
		group.Go(func() {
			for range calls {
				_, err := client.Payouts.Create(t.Context(), intentParams())
				assert.NoError(t, err)
				milestones <- done.Add(1)
			}
		})
	}
	current := first
	for range servers {
		for range callers * calls / (servers + 1) {
			<-milestones // some payouts later,
		}
		next := httptest.NewUnstartedServer(current.Config.Handler)
		next.EnableHTTP2, next.TLS = true, &tls.Config{Certificates: first.TLS.Certificates, MinVersion: tls.VersionTLS12}
		next.Config.ErrorLog = quiet
		next.StartTLS()
		t.Cleanup(next.Close)
		address.Store(next.Listener.Addr().String())
		require.NoError(t, current.Config.Shutdown(t.Context())) // in the middle of the others
		current = next
	}
	group.Wait()
	seen.check(t, callers*calls)
	wallet := fake.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(balance-callers*calls*25_000), fake.Ledger().Balance(wallet), "each paid once")
}

// Frames of HTTP/2 (RFC 9113) that the tests below tell apart.
const (
	frameHeaders = 0x1
	frameGoAway  = 0x7
)

// frame is one frame, its header included.
type frame []byte

func readFrame(r io.Reader) (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	f := make(frame, len(head)+(int(head[0])<<16|int(head[1])<<8|int(head[2])))
	_, err := io.ReadFull(r, f[copy(f, head[:]):])
	return f, err
}

func newFrame(kind byte, stream uint32, payload ...uint32) frame {
	f := frame{0, 0, byte(4 * len(payload)), kind, 0}
	f = binary.BigEndian.AppendUint32(f, stream)
	for _, word := range payload {
		f = binary.BigEndian.AppendUint32(f, word)
	}
	return f
}

func (f frame) kind() byte     { return f[3] }
func (f frame) stream() uint32 { return binary.BigEndian.Uint32(f[5:9]) & 0x7fffffff }

// middlebox stands between the client and an HTTP/2 server, on the frames themselves. The
// first connection gives up the stream that giveUp names: its frames are not handed on,
// and the client is told with instead.
type middlebox struct {
	net.Listener
	instead func(giveUp uint32) frame
	giveUp  uint32
	told    chan struct{} // closed when the client was told
	// cut, when set, withholds the response to the stream before, and is closed to cut
	// the connection.
	cut   chan struct{}
	wait  sync.WaitGroup
	conns atomic.Int64
	done  chan struct{}
}

func newMiddlebox(t *testing.T, server *httptest.Server, giveUp uint32, cut chan struct{}, instead func(uint32) frame) *middlebox {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	front := &tls.Config{Certificates: server.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	back := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	m := &middlebox{Listener: l, giveUp: giveUp, cut: cut, instead: instead, told: make(chan struct{}), done: make(chan struct{})}
	m.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			dialer := tls.Dialer{Config: back}
			far, err := dialer.DialContext(context.WithoutCancel(t.Context()), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				_ = conn.Close()
				return
			}
			m.join(tls.Server(conn, front), far, m.conns.Add(1) == 1)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		close(m.done)
		m.wait.Wait()
	})
	return m
}

// join hands frames on between the client's connection and the server's until one of them
// ends.
func (m *middlebox) join(near, far net.Conn, first bool) {
	end := sync.OnceFunc(func() { _, _ = near.Close(), far.Close() })
	var writing sync.Mutex // to the client
	m.wait.Go(func() {
		defer end()
		preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if _, err := io.ReadFull(near, preface); err != nil {
			return
		}
		_, _ = far.Write(preface)
		gone := false
		for {
			f, err := readFrame(near)
			if err != nil {
				return
			}
			if first && f.stream() >= m.giveUp {
				if f.kind() == frameHeaders && !gone {
					gone = true
					writing.Lock()
					_, _ = near.Write(m.instead(m.giveUp))
					writing.Unlock()
					close(m.told)
				}
				continue
			}
			if _, err := far.Write(f); err != nil {
				return
			}
		}
	})
	m.wait.Go(func() {
		defer end()
		for {
			f, err := readFrame(far)
			if err != nil {
				return
			}
			if first && m.cut != nil && f.stream() != 0 && f.stream() == m.giveUp-2 {
				continue // the response to what is in flight is lost with the connection
			}
			writing.Lock()
			_, err = near.Write(f)
			writing.Unlock()
			if err != nil {
				return
			}
		}
	})
	cut := m.cut
	if !first {
		cut = nil
	}
	m.wait.Go(func() {
		select {
		case <-cut:
		case <-m.done:
		}
		end()
	})
}

// Two payouts are on their way when the server says GOAWAY: the first is in flight, and
// the second is above the last stream that the server takes up.
func TestGoAwayBetweenTwoPayouts(t *testing.T) {
	t.Parallel()
	const noError, internalError, calm = 0, 2, 11
	goAway := func(code uint32) func(uint32) frame {
		return func(giveUp uint32) frame { return newFrame(frameGoAway, 0, giveUp-2, code) }
	}
	for name, tt := range map[string]struct {
		instead  func(uint32) frame
		lost     bool           // the connection is cut when the first payout was executed, and before its response is sent
		inFlight intram.Outcome // of the payout in flight, with one attempt: empty for success
	}{
		"goodbye, and the one in flight is answered": {goAway(noError), false, ""},
		"goodbye, and the one in flight is lost":     {goAway(noError), true, intram.OutcomeUnknown},
		"an error, and the one in flight is lost":    {goAway(internalError), true, intram.OutcomeUnknown},
		"too many calls, and the one in flight lost": {goAway(calm), true, intram.OutcomeUnknown},
	} {
		for _, maxAttempts := range []int{1, 4} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				executed := make(chan struct{})
				release := make(chan struct{})
				inFlight, above := "payout-in-flight", "payout-above"
				var once sync.Once
				fake, seen, server := http2Fake(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Idempotency-Key") == inFlight {
						once.Do(func() {
							close(executed) // it has arrived: the second may come
							<-release
						})
					}
					next.ServeHTTP(w, r)
				})
				var cut chan struct{}
				if tt.lost {
					cut = make(chan struct{})
				}
				// Stream 1 is the look at the balance that opens the connection, 3 the
				// payout in flight, and 5 is given up.
				box := newMiddlebox(t, server, 5, cut, tt.instead)
				client := fake.Client(intram.WithBaseURL(server.URL), intram.WithJitter(0), intram.WithMaxAttempts(maxAttempts),
					intram.WithHTTPClient(&http.Client{Transport: trusting(t, server, func() string { return box.Addr().String() })}))
				_, err := client.Balance.Get(t.Context())
				require.NoError(t, err)

				results := map[string]*error{inFlight: new(error), above: new(error)}
				attempts := map[string]*intram.Response{inFlight: {}, above: {}}
				var group sync.WaitGroup
				pay := func(key string) {
					group.Go(func() {
						_, *results[key] = client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(key), intram.WithResponseInto(attempts[key]))
					})
				}
				pay(inFlight)
				<-executed
				pay(above)
				<-box.told
				close(release)
				if tt.lost {
					awaitExecution(t, fake, 1)
					close(cut)
				}
				group.Wait()

				wantInFlight := tt.inFlight
				if maxAttempts > 1 {
					wantInFlight = "" // tried again, and told what it had done
				}
				assert.Equal(t, wantInFlight, intram.OutcomeOf(*results[inFlight]), "in flight: %v", *results[inFlight])
				require.NoError(t, *results[above])
				assert.Equal(t, 1, attempts[above].Attempts, "what the server did not take up, net/http sends again itself")
				seen.checkPayouts(t, inFlight, above)
				wallet := fake.WalletAccount(intram.Sandbox, intram.MTNBenin)
				assert.Equal(t, int64(balance-2*25_000), fake.Ledger().Balance(wallet), "each paid once")
				assert.Equal(t, tt.lost && maxAttempts > 1, attempts[inFlight].Replayed)
			})
		}
	}
}

// awaitExecution waits until the fake has responded to n payouts, the last of them in
// full.
func awaitExecution(t *testing.T, fake *intramtest.Server, n int) {
	t.Helper()
	wallet := fake.WalletAccount(intram.Sandbox, intram.MTNBenin)
	require.Eventually(t, func() bool { return fake.Ledger().Balance(wallet) <= int64(balance-n*25_000) }, 10*time.Second, time.Millisecond)
}

// checkPayouts finds that each key was sent with the same bytes whenever it was, and no
// other key was.
func (r *recorded) checkPayouts(t *testing.T, keys ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := map[string]string{}
	for _, one := range r.sent {
		if one.Method != http.MethodPost {
			continue
		}
		key := one.Header.Get("Idempotency-Key")
		assert.Contains(t, keys, key)
		require.NotEmpty(t, one.Body)
		if body, again := sent[key]; again {
			assert.Equal(t, body, one.Body)
		}
		sent[key] = one.Body
	}
	assert.Len(t, sent, len(keys))
}

// blackhole hands bytes on between clients and a server, until a connection is to be
// swallowed: then it stays open, and nothing arrives on it any more.
type blackhole struct {
	net.Listener
	mu      sync.Mutex
	pairs   []*swallowed
	wait    sync.WaitGroup
	accepts atomic.Int64
}

type swallowed struct {
	dead      atomic.Bool
	near, far net.Conn
}

func newBlackhole(t *testing.T, server *httptest.Server) *blackhole {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &blackhole{Listener: l}
	b.wait.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			b.accepts.Add(1)
			var d net.Dialer
			far, err := d.DialContext(context.WithoutCancel(t.Context()), "tcp", server.Listener.Addr().String())
			if err != nil {
				_ = near.Close()
				continue
			}
			pair := &swallowed{near: near, far: far}
			b.mu.Lock()
			b.pairs = append(b.pairs, pair)
			b.mu.Unlock()
			b.wait.Go(func() { pair.pipe(far, near) })
			b.wait.Go(func() { pair.pipe(near, far) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		b.mu.Lock()
		for _, pair := range b.pairs {
			_, _ = pair.near.Close(), pair.far.Close()
		}
		b.mu.Unlock()
		b.wait.Wait()
	})
	return b
}

func (s *swallowed) pipe(to, from net.Conn) {
	defer from.Close() //nolint:errcheck // the end of it
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			if !s.dead.Load() {
				_ = to.Close()
			}
			return
		}
		if s.dead.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// swallow makes all connections of now dead.
func (b *blackhole) swallow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pair := range b.pairs {
		pair.dead.Store(true)
	}
}

// A connection dies without a word, as those of a NAT or a failed-over firewall do. An
// attempt times out on it, and the next one, and every later call, takes another.
func TestConnectionOnWhichAnAttemptTimedOutIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	through := func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
	for name, used := range map[string]bool{"in use before": true, "dead from its handshake": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, seen, server := http2Fake(t, through)
			hole := newBlackhole(t, server)
			transport := trusting(t, server, func() string { return hole.Addr().String() })
			if !used {
				transport.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error {
					if hole.accepts.Load() == 1 {
						hole.swallow()
					}
					return nil
				}
			}
			own := intram.Renewing(transport)
			client := fake.Client(intram.WithBaseURL(server.URL), intram.WithJitter(0), intram.WithTimeout(time.Second),
				intram.WithHTTPClient(&http.Client{Transport: own}))
			t.Cleanup(client.CloseIdleConnections)
			var balance, payout, later intram.Response
			if used {
				_, err := client.Balance.Get(t.Context(), intram.WithResponseInto(&balance))
				require.NoError(t, err)
				hole.swallow()
			}
			_, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey("payout-over-a-dead-connection"), intram.WithResponseInto(&payout))
			require.NoError(t, err)
			assert.Greater(t, payout.Attempts, 1)
			_, err = client.Balance.Get(t.Context(), intram.WithResponseInto(&later))
			require.NoError(t, err, "every later call has another connection too")
			timedOut := max(balance.Attempts-1, 0) + payout.Attempts - 1 + later.Attempts - 1 // one, unless the machine is busy
			assert.EqualValues(t, 1+timedOut, hole.accepts.Load(), "a connection for each attempt that timed out")
			seen.checkPayouts(t, "payout-over-a-dead-connection")
		})
	}
}

// It is the caller's own deadline that ends the call, and the next call must not meet the
// same connection.
func TestConnectionOnWhichACallersDeadlinePassedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	through := func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
	fake, _, server := http2Fake(t, through)
	hole := newBlackhole(t, server)
	client := fake.Client(intram.WithBaseURL(server.URL),
		intram.WithHTTPClient(&http.Client{Transport: intram.Renewing(trusting(t, server, func() string { return hole.Addr().String() }))}))
	t.Cleanup(client.CloseIdleConnections)
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
	hole.swallow()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = client.Balance.Get(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = client.Balance.Get(t.Context(), intram.WithMaxAttempts(1))
	require.NoError(t, err)
	assert.EqualValues(t, 2, hole.accepts.Load(), "connections")
}

// One call is slow, on a connection that is well. The others on it go on.
func TestCallsBesideOneThatTimedOutGoOn(t *testing.T) {
	t.Parallel()
	const slow, beside = "payout-that-is-slow", "payout-beside-it"
	arrived, release := make(chan struct{}), make(chan struct{})
	fake, _, server := http2Fake(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Idempotency-Key") {
		case slow:
			<-r.Context().Done()
			return
		case beside:
			close(arrived)
			<-release
		}
		next.ServeHTTP(w, r)
	})
	client := fake.Client(intram.WithBaseURL(server.URL), intram.WithMaxAttempts(1),
		intram.WithHTTPClient(&http.Client{Transport: intram.Renewing(trusting(t, server, func() string { return server.Listener.Addr().String() }))}))
	t.Cleanup(client.CloseIdleConnections)
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		_, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(beside))
		assert.NoError(t, err)
	})
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = client.Payouts.Create(ctx, intentParams(), intram.WithIdempotencyKey(slow))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	close(release)
	group.Wait()
}

// A dead connection is found without any time limit of a call: it is asked whether it is
// alive.
func TestDeadConnectionIsFoundByItsHealthCheck(t *testing.T) {
	t.Parallel()
	checks := intram.NewHTTPTransport().HTTP2
	require.NotNil(t, checks)
	assert.Positive(t, checks.SendPingTimeout)
	assert.Positive(t, checks.PingTimeout)
	assert.Less(t, checks.SendPingTimeout+checks.PingTimeout, intram.DefaultTimeout/2, "an attempt has time for another connection")
	assert.Positive(t, checks.WriteByteTimeout)

	through := func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
	fake, seen, server := http2Fake(t, through)
	hole := newBlackhole(t, server)
	transport := trusting(t, server, func() string { return hole.Addr().String() })
	transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = 300*time.Millisecond, 300*time.Millisecond
	client := fake.Client(intram.WithBaseURL(server.URL), intram.WithJitter(0), intram.WithTimeout(10*time.Minute),
		intram.WithHTTPClient(&http.Client{Transport: transport})) // as a transport of the user's own is
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
	hole.swallow()
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey("payout-over-a-dead-connection"))
	require.NoError(t, err)
	seen.checkPayouts(t, "payout-over-a-dead-connection")
}
