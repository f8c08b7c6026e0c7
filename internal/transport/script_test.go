package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start is when the tests' clock begins.
var start = time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)

// stepClock is a clock that moves only when it is slept on, and remembers for how long.
type stepClock struct {
	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
	// onSleep, when set, runs at the start of each sleep.
	onSleep func()
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.onSleep != nil {
		c.onSleep()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.advance(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleeps = append(c.sleeps, d)
	return nil
}

func (c *stepClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sentRequest is what one attempt put on the wire.
type sentRequest struct {
	method, url string
	header      http.Header
	body        string
	length      int64
}

// step is what happens to one attempt.
type step func(*http.Request) (*http.Response, error)

// script is a RoundTripper that plays its steps, one an attempt, and fails the test on an
// attempt too many.
type script struct {
	t     *testing.T
	mu    sync.Mutex
	steps []step
	sent  []sentRequest
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	s.mu.Lock()
	s.sent = append(s.sent, sentRequest{req.Method, req.URL.String(), req.Header.Clone(), string(body), req.ContentLength})
	if len(s.steps) == 0 {
		s.mu.Unlock()
		s.t.Errorf("attempt %d was not expected", len(s.sent))
		return nil, errors.New("the script is over")
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	s.mu.Unlock()
	return next(req)
}

// It returns a complete response. Headers come in pairs; a name may come twice.
func answer(status int, body string, headers ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Add(headers[i], headers[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
		}, nil
	}
}

// lost is an attempt that was sent, and had no response.
func lost(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// refused is an attempt that never had a connection.
func refused(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// truncated is a response whose body ends too early.
func truncated(status int) step {
	return func(req *http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"error":fal`), errReader{io.ErrUnexpectedEOF})
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: 500, Request: req}, nil
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// rig is a client whose every part a test holds.
type rig struct {
	*Client
	script *script
	clock  *stepClock
}

func newRig(t *testing.T, steps ...step) *rig {
	t.Helper()
	r := &rig{script: &script{t: t, steps: steps}, clock: &stepClock{now: start}}
	r.Client = New(config(t, r.script, r.clock))
	return r
}

func config(t *testing.T, rt http.RoundTripper, clock Clock) Config {
	t.Helper()
	base, err := url.Parse("https://api.example.test/v1")
	require.NoError(t, err)
	return Config{
		BaseURL: base, HTTP: rt, KeyHeader: "Idempotency-Key", UserAgent: "test/1", Clock: clock,
		ReadError: readWord, Rand: draw(50), Timeout: 10 * time.Second, MaxAttempts: 4,
		Keys: FixedKeys{testSigner{}},
	}
}

type testSigner struct{}

func (testSigner) Authorize(at time.Time, call *Call) Proof {
	return Proof{
		{"X-Timestamp", at.Format(time.RFC3339Nano)},
		{"X-Signature", "signature of " + call.Path + " at " + at.Format(time.RFC3339Nano)},
	}
}

func (testSigner) Reread(*Call, bool) bool { return false }

// noThanks is a refusal in the API's own words, taken one about an earlier request, busy
// one about a request under way, and unclear one in the name of an operator that may have
// paid.
const (
	noThanks = `{"error":true}`
	taken    = `{"error":true,"taken":true}`
	busy     = `{"error":true,"busy":true}`
	unclear  = `{"error":true,"unclear":true}`
)

func readWord(_ int, body []byte) Word {
	switch string(body) {
	case taken:
		return KeyTaken
	case busy:
		return KeyBusy
	case unclear:
		return Unclear
	}
	if strings.HasPrefix(string(body), `{"error":true`) {
		return Refused
	}
	return NoWord
}

// draw is a source of jitter that always draws the same percentage.
func draw(percent int) func() float64 {
	return func() float64 { return float64(percent) / 100 }
}

// payout is a call that moves money.
func payout() *Call {
	return &Call{
		Method: http.MethodPost, Template: "/payouts", Path: "/payouts",
		Body: []byte(`{"amount":25000}`), IdempotencyKey: "key-0001",
	}
}

// lookup is a call that moves nothing.
func lookup() *Call {
	return &Call{Method: http.MethodGet, Template: "/operations/{id}", Path: "/operations/op_1"}
}
