package intram_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// proxy is an HTTP proxy that does with each request what the next of its acts says, and
// with the rest what it is for.
type proxy struct {
	*httptest.Server
	mu   sync.Mutex
	acts []act
	seen []*http.Request
	wait sync.WaitGroup
	open []net.Conn
}

func newProxy(t *testing.T, acts ...act) *proxy {
	t.Helper()
	p := &proxy{acts: acts}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.cut()
		p.Close()
		p.wait.Wait()
	})
	return p
}

// url is the proxy's address, with the password that some want.
func (p *proxy) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(p.URL)
	require.NoError(t, err)
	u.User = url.UserPassword("cotonou", "proxy-ca5ec2e7") // a canary: scripts/no-secrets.sh looks for it
	return u
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Clone(r.Context()))
	next := act(p.pass)
	if len(p.acts) > 0 {
		next, p.acts = p.acts[0], p.acts[1:]
	}
	p.mu.Unlock()
	next(w, r)
}

func (p *proxy) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.seen...)
}

// pass does what a proxy is for: it opens a tunnel, or sends the request on and its
// response back.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	resp, err := forward(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close() //nolint:errcheck // the proxy's end of a test
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// forward sends a proxy's request on.
func forward(r *http.Request) (*http.Response, error) {
	onward := r.Clone(r.Context())
	onward.RequestURI = ""
	onward.Header.Del("Proxy-Authorization")
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(onward)
}

// forwardedThen sends a request on, drops what comes back, and does something else.
func forwardedThen(next act) act {
	return func(w http.ResponseWriter, r *http.Request) {
		if resp, err := forward(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		next(w, r)
	}
}

func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	var dialer net.Dialer
	far, err := dialer.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	p.mu.Lock()
	p.open = append(p.open, near, far)
	p.mu.Unlock()
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	end := sync.OnceFunc(func() { _, _ = near.Close(), far.Close() })
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		p.wait.Go(func() {
			defer end()
			_, _ = io.Copy(way[0], way[1])
		})
	}
}

// cut ends all tunnels.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		_ = conn.Close()
	}
	p.open = nil
}

const (
	loginPage = "<html>Proxy Authentication Required</html>"
	badPage   = "<html>Bad Gateway</html>"
)

// On plain http, which is for loopback only, a proxy sees the requests themselves, and
// may respond instead of the API.
func TestCallsThroughAForwardingProxy(t *testing.T) {
	t.Parallel()
	login := reply(http.StatusProxyAuthRequired, loginPage, "Proxy-Authenticate", "Basic", "Content-Type", "text/html")
	bad := reply(http.StatusBadGateway, badPage, "Content-Type", "text/html")
	taken := reply(http.StatusAccepted, accepted)
	for name, tt := range map[string]struct {
		proxy    []act // then it passes
		api      int   // requests that reach the API
		outcome  intram.Outcome
		attempts int
		status   int
	}{
		"passed":                              {nil, 1, "", 1, 202},
		"the proxy wants a login":             {[]act{login}, 0, intram.OutcomeRejected, 1, 407},
		"the proxy is out of order":           {[]act{bad, bad, bad, bad}, 0, intram.OutcomeUnknown, 4, 502},
		"out of order once, then passed":      {[]act{bad}, 1, "", 2, 202},
		"passed, and then out of order":       {[]act{forwardedThen(bad), forwardedThen(bad), forwardedThen(bad), forwardedThen(bad)}, 4, intram.OutcomeUnknown, 4, 502},
		"passed, out of order, passed":        {[]act{forwardedThen(bad)}, 2, "", 2, 202},
		"passed, cut, and then wants a login": {[]act{forwardedThen(reset), login}, 1, intram.OutcomeUnknown, 2, 407},
		"out of order, then wants a login":    {[]act{bad, login}, 0, intram.OutcomeUnknown, 2, 407},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newActor(t, taken, taken, taken, taken)
			p := newProxy(t, tt.proxy...)
			transport := intram.NewHTTPTransport()
			transport.Proxy = http.ProxyURL(p.url(t))
			t.Cleanup(transport.CloseIdleConnections)
			var response intram.Response
			_, err := api.client(t, intram.WithHTTPClient(&http.Client{Transport: transport})).
				Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&response))
			assert.Equal(t, tt.outcome, intram.OutcomeOf(err), "%v", err)
			assert.Equal(t, tt.attempts, response.Attempts)
			assert.Equal(t, tt.status, response.StatusCode)
			assert.NotContains(t, fmt.Sprintf("%+v", err), "ca5ec2e7", "the proxy's password")

			arrived := api.requests()
			assert.Len(t, arrived, tt.api)
			for _, one := range arrived {
				assert.Equal(t, response.IdempotencyKey, one.Header.Get("Idempotency-Key"))
				assert.Equal(t, arrived[0].Body, one.Body)
				assert.Equal(t, secondSignature(secretKey, one.Header.Get("X-Timestamp"), "POST", "/payouts", "", one.Body), one.Header.Get("X-Signature"))
				assert.Empty(t, one.Header["Proxy-Authorization"])
			}
			for _, one := range p.requests() {
				assert.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("cotonou:proxy-ca5ec2e7")), one.Header.Get("Proxy-Authorization"))
			}
		})
	}
}

// On https a proxy opens a tunnel or does not. What it says of the tunnel is not the
// API's word, and nothing of the call has left by then.
func TestCallsThroughATunnel(t *testing.T) {
	t.Parallel()
	four := func(a act) []act { return []act{a, a, a, a} }
	login := reply(http.StatusProxyAuthRequired, loginPage, "Proxy-Authenticate", "Basic")
	bad := reply(http.StatusBadGateway, badPage)
	for name, tt := range map[string]struct {
		proxy    []act
		outcome  intram.Outcome
		attempts int
	}{
		"passed":                         {nil, "", 1},
		"the proxy wants a login":        {four(login), intram.OutcomeNotSent, 4},
		"the proxy is out of order":      {four(bad), intram.OutcomeNotSent, 4},
		"the proxy forbids it":           {four(reply(http.StatusForbidden, "")), intram.OutcomeNotSent, 4},
		"the proxy hangs up":             {four(reset), intram.OutcomeNotSent, 4},
		"the proxy redirects":            {four(reply(http.StatusFound, "", "Location", "https://elsewhere.example.com/")), intram.OutcomeNotSent, 4},
		"the proxy speaks something":     {four(raw("SSH-2.0-OpenSSH_9.6\r\n")), intram.OutcomeNotSent, 4},
		"out of order once, then passed": {[]act{bad}, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTLSActor(t, reply(http.StatusAccepted, accepted))
			p := newProxy(t, tt.proxy...)
			var response intram.Response
			_, err := throughTunnel(t, api, p.url(t)).Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&response))
			assert.Equal(t, tt.outcome, intram.OutcomeOf(err), "%v", err)
			assert.Equal(t, tt.attempts, response.Attempts)
			assert.NotContains(t, fmt.Sprintf("%+v", err), "ca5ec2e7", "the proxy's password")
			if tt.outcome == "" {
				assert.Len(t, api.requests(), 1)
			} else {
				assert.Empty(t, api.requests())
				assert.Zero(t, response.StatusCode, "what the proxy answers to CONNECT is not an answer to the call")
			}
			for _, one := range p.requests() {
				assert.Equal(t, http.MethodConnect, one.Method)
				for _, name := range []string{"X-Api-Key", "X-Signature", "X-Timestamp", "Idempotency-Key", "Authorization"} {
					assert.Empty(t, one.Header[name], "%s is none of the proxy's business", name)
				}
			}
		})
	}
}

// A tunnel that breaks after the request went through it leaves the doubt.
func TestTunnelThatBreaksLeavesDoubt(t *testing.T) {
	t.Parallel()
	var p *proxy
	api := newTLSActor(t, func(http.ResponseWriter, *http.Request) { p.cut() }, reply(http.StatusAccepted, accepted))
	p = newProxy(t)
	client := throughTunnel(t, api, p.url(t))
	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithMaxAttempts(1))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%v", err)
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	seen := api.requests()
	require.Len(t, seen, 2)
	assert.Equal(t, seen[0].Body, seen[1].Body)
}

func TestProxyThatIsNotThereIsNotSent(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	address := p.url(t)
	p.Close()
	for name, api := range map[string]*actor{"http": newActor(t), "https": newTLSActor(t)} {
		_, err := throughTunnel(t, api, address).Payouts.Create(t.Context(), mobilePayout())
		var e *intram.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, intram.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, 4, e.Attempts, name)
		assert.NotContains(t, fmt.Sprintf("%+v", err), "ca5ec2e7", "the proxy's password")
	}
}

// newTLSActor is an actor with a certificate, which speaks HTTP/1.1.
func newTLSActor(t *testing.T, acts ...act) *actor {
	t.Helper()
	a := &actor{t: t, acts: acts}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = quiet
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

// throughTunnel is a client whose calls go to the actor through a proxy.
func throughTunnel(t *testing.T, api *actor, address *url.URL) *intram.Client {
	t.Helper()
	transport := intram.NewHTTPTransport()
	if api.Certificate() != nil {
		transport = trusting(t, api.Server, nil)
		transport.DialContext = intram.NewHTTPTransport().DialContext
	}
	transport.Proxy = http.ProxyURL(address)
	t.Cleanup(transport.CloseIdleConnections)
	return api.client(t, intram.WithHTTPClient(&http.Client{Transport: transport}))
}
