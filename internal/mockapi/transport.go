package mockapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Transport returns an [http.RoundTripper] that calls the server with no socket between.
// It works inside testing/synctest, ends with the request's context, and fails as a
// network does where a fault or a test number says so.
//
// A response is passed on when it is complete, and not while the server still writes it,
// except where a fault makes its body slow. The hooks of an httptrace in the request's
// context are called as net/http calls them; a refused connection is wanted and never
// got.
func (s *Server) Transport() http.RoundTripper {
	return &inProcess{handler: s, remote: "127.0.0.1:49152", refuse: s.refuseDial}
}

// Dialing wraps a network transport so that a FaultRefuse refuses the connection, which
// the server itself can no longer do once it has accepted one.
func (s *Server) Dialing(network http.RoundTripper) http.RoundTripper {
	return &dialing{server: s, network: network}
}

// inProcess calls a handler in a goroutine of its own, so that a caller whose context
// ends is not held up by it.
type inProcess struct {
	handler http.Handler
	remote  string
	refuse  func(*http.Request) error // may refuse the connection; nil when nothing does
}

func (t *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		closeBody(r)
		return nil, err
	}
	// The body is read here, as a network transport does: the caller may reuse what is
	// behind it on return.
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		closeBody(r)
		if err != nil {
			return nil, err
		}
	}
	trace := tracing(r)
	trace.GetConn(hostPort(r.URL))
	if t.refuse != nil {
		if err := t.refuse(r); err != nil {
			return nil, err
		}
	}
	trace.GotConn(httptrace.GotConnInfo{Conn: inProcessConn{}})
	trace.WroteRequest(httptrace.WroteRequestInfo{})
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
		resp, err := rec.response()
		if err == nil {
			trace.GotFirstResponseByte()
		}
		return resp, err
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

	mu       sync.Mutex
	header   http.Header
	sent     http.Header // the header as it was when it was written
	status   int
	body     bytes.Buffer
	streamed *streamedBody
	ended    cutKind
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

// stream sends the rest of the response as a fault says, while the client reads it.
func (w *recorder) stream(body *streamedBody) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streamed = body
}

// cut ends the call without a response.
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
	if w.streamed != nil {
		return w.answer(w.streamed.length, w.reading()), nil
	}
	body := w.body.Bytes()
	if w.request.Method == http.MethodHead {
		body = nil
	}
	return w.answer(int64(len(body)), bytes.NewReader(body)), nil
}

func (w *recorder) answer(length int64, body io.Reader) *http.Response {
	return &http.Response{
		Status: httpStatus(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: io.NopCloser(body), ContentLength: length,
		Request: w.request,
	}
}

// reading returns a body that is produced while it is read, until the request's context
// is done.
func (w *recorder) reading() io.Reader {
	ctx := w.request.Context()
	from := w.streamed.open(ctx)
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return from.Read(p)
	})
}

// err returns the error of a network transport whose connection ends this way.
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
	if err := t.server.refuseDial(r); err != nil {
		closeBody(r)
		tracing(r).GetConn(hostPort(r.URL))
		return nil, err
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

// tracing returns the trace of a request's context, with every hook that is called here
// set.
func tracing(r *http.Request) httptrace.ClientTrace {
	var trace httptrace.ClientTrace
	if t := httptrace.ContextClientTrace(r.Context()); t != nil {
		trace = *t
	}
	if trace.GetConn == nil {
		trace.GetConn = func(string) {}
	}
	if trace.GotConn == nil {
		trace.GotConn = func(httptrace.GotConnInfo) {}
	}
	if trace.WroteRequest == nil {
		trace.WroteRequest = func(httptrace.WroteRequestInfo) {}
	}
	if trace.GotFirstResponseByte == nil {
		trace.GotFirstResponseByte = func() {}
	}
	return trace
}

// hostPort returns the address as net/http names it to a trace.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "80", false: "443"}[u.Scheme == "http"]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// inProcessConn stands for the connection that there is not, in the hooks of a trace.
// Nothing can be sent over it.
type inProcessConn struct{}

func (inProcessConn) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (inProcessConn) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (inProcessConn) Close() error                     { return nil }
func (inProcessConn) LocalAddr() net.Addr              { return fakeAddr }
func (inProcessConn) RemoteAddr() net.Addr             { return fakeAddr }
func (inProcessConn) SetDeadline(time.Time) error      { return nil }
func (inProcessConn) SetReadDeadline(time.Time) error  { return nil }
func (inProcessConn) SetWriteDeadline(time.Time) error { return nil }
