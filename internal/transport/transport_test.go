package transport

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The path that is signed is the path that is sent, byte for byte.
func TestPathsAreSentAsTheyAreSigned(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, path, wire string }{
		{"https://api.example.test/v1", "/balance", "/v1/balance"},
		{"https://api.example.test/api/v1/merchant", "/operations/op_1", "/api/v1/merchant/operations/op_1"},
		{"https://api.example.test/v1", "/operations/" + url.PathEscape("a?b"), "/v1/operations/a%3Fb"},
		{"https://api.example.test/v1", "/operations/" + url.PathEscape("a/b"), "/v1/operations/a%2Fb"},
		{"https://api.example.test/v1", "/operations/" + url.PathEscape("a;b,c"), "/v1/operations/a%3Bb%2Cc"},
		{"https://api.example.test/v1", "/operations/" + url.PathEscape("a!(b)*'"), "/v1/operations/a%21%28b%29%2A%27"},
		{"https://api.example.test/v1", "/operations/" + url.PathEscape("é"), "/v1/operations/%C3%A9"},
		{"https://api.example.test/v1", "/operations/a:b@c&d=e+f$g", "/v1/operations/a:b@c&d=e+f$g"},
		{"https://api.example.test/a%2Fb", "/balance", "/a%2Fb/balance"},
		{"https://api.example.test/a%2Fb", "/operations/x%3Fy", "/a%2Fb/operations/x%3Fy"},
	}
	for _, tt := range tests {
		base, err := url.Parse(tt.base)
		require.NoError(t, err)
		r := newRig(t, answer(200, "{}"))
		r.cfg.BaseURL = base
		require.NoError(t, r.Do(t.Context(), &Call{Method: http.MethodGet, Template: "/x", Path: tt.path}).Err)
		assert.Equal(t, "https://api.example.test"+tt.wire, r.script.sent[0].url, "%s + %s", tt.base, tt.path)
	}
	// A path that is not well encoded is the caller's mistake; it is sent as text, not
	// lost.
	path, raw := joinPath(&url.URL{Path: "/v1"}, "/50%")
	assert.Equal(t, "/v1/50%", path)
	assert.Empty(t, raw)
}

func TestQueriesAreSentAsTheyAreSigned(t *testing.T) {
	t.Parallel()
	const query = "before=2026-05-19T12:34:56.000Z&limit=100"
	r := newRig(t, answer(200, "{}"))
	require.NoError(t, r.Do(t.Context(), &Call{Method: http.MethodGet, Template: "/x", Path: "/x", Query: query}).Err)
	assert.Equal(t, "https://api.example.test/v1/x?"+query, r.script.sent[0].url)
}

// One client serves any number of calls at once: each keeps its own record.
func TestCallsDoNotMix(t *testing.T) {
	t.Parallel()
	clock := &stepClock{now: start}
	c := New(config(t, echo{}, clock))
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			body := string(rune('a' + i%26))
			res := c.Do(t.Context(), &Call{
				Method: http.MethodPost, Template: "/x", Path: "/x", Body: []byte(body), IdempotencyKey: "key-000" + body,
			})
			assert.NoError(t, res.Err)
			assert.Equal(t, body, string(res.Body))
			assert.Equal(t, 1, res.Attempts)
		})
	}
	group.Wait()
}

// echo responds with what it was sent.
type echo struct{}

func (echo) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: req.Body, ContentLength: req.ContentLength, Request: req}, nil
}

// A failing call must not flush the pool: only the user's own CloseIdleConnections
// reaches the transport.
func TestOnlyTheUserClosesIdleConnections(t *testing.T) {
	t.Parallel()
	spy := &idleSpy{script: &script{t: t, steps: []step{lost, lost, answer(500, ""), answer(400, "")}}}
	c := New(config(t, spy, &stepClock{now: start}))
	call := payout()
	call.MaxAttempts = 1
	for range 4 {
		c.Do(t.Context(), call)
	}
	assert.Zero(t, spy.closed)
	c.CloseIdleConnections()
	assert.Equal(t, 1, spy.closed)
	New(config(t, echo{}, &stepClock{now: start})).CloseIdleConnections() // one that has nothing to close
}

type idleSpy struct {
	*script
	closed int
}

func (s *idleSpy) CloseIdleConnections() { s.closed++ }
