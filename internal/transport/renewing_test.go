package transport

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// net/http closes the connection of a request that was given up on HTTP/1 itself: the
// others are kept.
func TestTimeoutOnHTTP1LeavesThePoolAlone(t *testing.T) {
	t.Parallel()
	first := &http.Transport{}
	r := NewRenewing(first)
	r.answered(&http.Response{ProtoMajor: 1})
	r.timedOut(first)
	assert.Same(t, first, r.current)
	r.answered(&http.Response{ProtoMajor: 2})
	r.timedOut(first)
	assert.NotSame(t, first, r.current)
}

// Many attempts time out on one connection at once. That makes one new transport.
func TestManyTimeoutsRenewOnce(t *testing.T) {
	t.Parallel()
	first := &http.Transport{}
	r := NewRenewing(first)
	r.timedOut(first)
	second := r.current
	assert.NotSame(t, first, second)
	r.timedOut(first)
	assert.Same(t, second, r.current)
}

// A client that closes its idle connections closes those of both transports, and can go
// on.
func TestIdleConnectionsOfBothTransportsAreClosed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	first := &http.Transport{}
	r := NewRenewing(first)
	call := func(transport http.RoundTripper) (reused bool) {
		idle := make(chan struct{})
		trace := &httptrace.ClientTrace{
			GotConn:     func(info httptrace.GotConnInfo) { reused = info.Reused },
			PutIdleConn: func(error) { close(idle) },
		}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		<-idle
		return reused
	}
	r.timedOut(first)
	second := r.current
	call(r)
	assert.True(t, call(second))
	call(first) // what was under way on the old one comes back
	r.CloseIdleConnections()
	r.CloseIdleConnections() // the lock is free again
	assert.False(t, call(first))
	assert.False(t, call(second))
	first.CloseIdleConnections()
	second.CloseIdleConnections()
}

// An attempt that timed out leaves its connection, and a caller that gives up does not.
func TestOnlyATimeLimitRenewsTheTransport(t *testing.T) {
	t.Parallel()
	for name, renewed := range map[string]bool{"time limit": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				end := make(chan struct{})
				defer close(end) // net/http goes on with a dial that was given up
				first := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					if !renewed {
						cancel()
					}
					<-end
					return nil, net.ErrClosed
				}}
				r := NewRenewing(first)
				call := lookup()
				call.MaxAttempts = 1
				res := New(config(t, r, &stepClock{now: start})).Do(ctx, call)
				require.Error(t, res.Err)
				assert.Equal(t, renewed, r.current != first)
			})
		})
	}
}
