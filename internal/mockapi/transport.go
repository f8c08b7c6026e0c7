package mockapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Transport is an [http.RoundTripper] that calls the server with no socket between. It works inside testing/synctest,
// ends with the request's context, and fails as a network does where a fault or a test number says so.
//
// An answer is passed on when it is complete: nothing of it is seen while the server still writes it.
func (s *Server) Transport() http.RoundTripper {
	return &inProcess{handler: s, remote: "127.0.0.1:49152"}
}

// Dialing wraps a network transport so that a FaultRefuse refuses the connection, which the server itself can no longer
// do once it has accepted one.
func (s *Server) Dialing(network http.RoundTripper) http.RoundTripper {
	return &dialing{server: s, network: network}
}

// inProcess calls a handler in a goroutine of its own, so that a caller whose context ends is not held up by it.
type inProcess struct {
	handler http.Handler
	remote  string
}

func (t *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		closeBody(r)
		return nil, err
	}
	// The body is read here, as a network transport does: the caller may reuse what is behind it on return.
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		closeBody(r)
		if err != nil {
			return nil, err
		}
	}
	handlerCtx, cancel := context.WithCancel(ctx)
	incoming := r.Clone(handlerCtx)
	incoming.Body, incoming.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if len(body) == 0 {
		incoming.Body = http.NoBody
	}
	incoming.RemoteAddr = t.remote
	incoming.RequestURI = r.URL.RequestURI()
	if incoming.Host == "" {
		incoming.Host = r.URL.Host
	}
	rec := &recorder{header: http.Header{}, request: r}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		defer rec.recover()
		t.handler.ServeHTTP(rec, incoming)
	}()
	select {
	case <-done:
		return rec.response()
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// recorder is the response writer of an in-process call.
type recorder struct {
	request *http.Request

	mu     sync.Mutex
	header http.Header
	sent   http.Header // the header as it was when it was written
	status int
	body   bytes.Buffer
	ended  cutKind
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *recorder) writeHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	return w.body.Write(b)
}

// cut ends the call without an answer.
func (w *recorder) cut(kind cutKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = kind
}

// recover turns a handler's panic into a connection that ends, as net/http does.
func (w *recorder) recover() {
	if recover() != nil {
		w.cut(cutSilently)
	}
}

func (w *recorder) response() (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != noCut {
		return nil, w.ended.err()
	}
	w.writeHeader(http.StatusOK)
	body := w.body.Bytes()
	if w.request.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: httpStatus(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Request: w.request,
	}, nil
}

// err is what a network transport says when a connection ends this way.
func (k cutKind) err() error {
	switch k {
	case cutRefused:
		return &net.OpError{Op: "dial", Net: "tcp", Addr: fakeAddr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case cutReset:
		return &net.OpError{Op: "read", Net: "tcp", Addr: fakeAddr, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	default:
		return io.EOF
	}
}

var fakeAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}

// dialing looks for a refusal before the network is reached.
type dialing struct {
	server  *Server
	network http.RoundTripper
}

func (t *dialing) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoint, ok := endpointOf(r.URL.EscapedPath())
	s := t.server
	if ok && !s.faults.none() {
		now := s.clock.Now()
		if f := s.faults.take(r.Method, endpoint, now, isRefusal); f != nil {
			closeBody(r)
			s.requests.add(&Request{
				Time: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: journalHeader(r.Header.Clone()),
				IdempotencyKey: keyHeader(r.URL.Path, r.Header), Fault: string(f.Kind), Lost: true, remote: fakeAddr.String(),
			})
			return nil, cutRefused.err()
		}
	}
	return t.network.RoundTrip(r)
}

// CloseIdleConnections lets http.Client close what the network transport keeps.
func (t *dialing) CloseIdleConnections() {
	if c, ok := t.network.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func httpStatus(code int) string { return strconv.Itoa(code) + " " + http.StatusText(code) }
