package transport

import (
	"net/http"
	"sync"
)

// Renewing sends attempts through a transport of net/http. Once an attempt on HTTP/2 has
// timed out, it uses a new one with the same settings.
//
// On HTTP/1, net/http closes the connection of a request that was given up. On HTTP/2 it
// resets the stream and keeps the connection, since others use it: if the connection is
// dead, the next attempt and each later call wait on it in vain. net/http cannot be told
// to avoid one connection, but another transport has none of them. Requests on the old
// one continue.
type Renewing struct {
	mu       sync.Mutex
	current  *http.Transport
	previous *http.Transport // to be closed with the current one
	http1    bool            // the last response came over HTTP/1
}

// NewRenewing begins with t, which must not be changed afterwards.
func NewRenewing(t *http.Transport) *Renewing { return &Renewing{current: t} }

// RoundTrip implements [http.RoundTripper].
func (r *Renewing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, _, err := r.send(req)
	return resp, err
}

// send sends one attempt, and returns the transport it used.
func (r *Renewing) send(req *http.Request) (*http.Response, *http.Transport, error) {
	r.mu.Lock()
	used := r.current
	r.mu.Unlock()
	resp, err := used.RoundTrip(req)
	if resp != nil {
		r.answered(resp)
	}
	return resp, used, err
}

func (r *Renewing) answered(resp *http.Response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.http1 = resp.ProtoMajor == 1
}

// timedOut replaces the transport on which an attempt timed out. Of many such attempts,
// one replaces it.
func (r *Renewing) timedOut(used *http.Transport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != used || r.http1 {
		return
	}
	if r.previous != nil {
		r.previous.CloseIdleConnections()
	}
	r.previous, r.current = used, used.Clone()
	used.CloseIdleConnections()
}

// CloseIdleConnections closes the connections that no attempt is using.
func (r *Renewing) CloseIdleConnections() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.previous != nil {
		r.previous.CloseIdleConnections()
	}
	r.current.CloseIdleConnections()
}
