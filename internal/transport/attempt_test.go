package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBodyCap(t *testing.T) {
	t.Parallel()
	const largest = 8 << 20
	body := func(n int64, declared int64) step {
		return func(req *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusAccepted, Header: http.Header{}, ContentLength: declared, Request: req,
				Body: io.NopCloser(io.LimitReader(zeros{}, n)),
			}, nil
		}
	}
	for _, declared := range []int64{-1, largest} {
		r := newRig(t, body(largest, declared))
		res := r.Do(t.Context(), payout())
		require.NoError(t, res.Err, "exactly the cap is read")
		assert.Len(t, res.Body, largest)
	}
	for name, s := range map[string]step{
		"declared":     body(0, largest+1),
		"not declared": body(largest+1, -1),
		"endless":      body(1<<62, -1),
		"lied about":   body(largest+1, 10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, s)
			res := r.Do(t.Context(), payout())
			require.ErrorIs(t, res.Err, ErrResponseTooLarge)
			assert.Equal(t, 1, res.Attempts, "asking again brings the same")
			assert.Equal(t, Unknown, res.Outcome, "it was executed, for all we know")
			assert.Empty(t, res.Body)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestTruncatedAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, truncated(202), answer(202, `{"error":false}`))
	res := r.Do(t.Context(), payout())
	require.NoError(t, res.Err)
	assert.Equal(t, 2, res.Attempts)

	r = newRig(t, truncated(202), truncated(202), truncated(202), truncated(202))
	res = r.Do(t.Context(), payout())
	require.ErrorIs(t, res.Err, io.ErrUnexpectedEOF)
	assert.ErrorContains(t, res.Err, "HTTP 202")
	assert.Equal(t, Unknown, res.Outcome)
	assert.Zero(t, res.Status, "half an answer is none")
}

// Every response's body is closed, whatever happens to it; otherwise the pool loses its
// connection.
// pool.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"whole": answer(202, "{}"), "refusal": answer(400, noThanks), "5xx": answer(503, "x"), "truncated": truncated(202),
		"too large": func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: 1 << 40, Body: http.NoBody, Request: req}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var closed bool
			r := newRig(t, func(req *http.Request) (*http.Response, error) {
				resp, err := s(req)
				resp.Body = closeSpy{resp.Body, &closed}
				return resp, err
			})
			call := payout()
			call.MaxAttempts = 1
			r.Do(t.Context(), call)
			assert.True(t, closed)
		})
	}
}

type closeSpy struct {
	io.Reader
	closed *bool
}

func (s closeSpy) Close() error { *s.closed = true; return nil }

// An attempt that runs out of its own time is tried again; the caller's context has not
// ended.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		r := newRig(t, hang, answer(202, "{}"))
		began := time.Now()
		res := r.Do(t.Context(), payout())
		require.NoError(t, res.Err)
		assert.Equal(t, 2, res.Attempts)
		assert.Equal(t, 10*time.Second, time.Since(began), "the client's timeout")

		r = newRig(t, hang, hang)
		call := payout()
		call.MaxAttempts, call.Timeout = 2, 3*time.Second
		began = time.Now()
		res = r.Do(t.Context(), call)
		assert.Equal(t, 6*time.Second, time.Since(began), "the call's own timeout, twice")
		require.EqualError(t, res.Err, "no response within 3s")
		assert.NotErrorIs(t, res.Err, context.DeadlineExceeded, "it is not the caller's deadline")
		var timeout net.Error
		require.ErrorAs(t, res.Err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.Equal(t, Unknown, res.Outcome)

		// The body counts too.
		r = newRig(t, func(req *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1, Request: req,
				Body: io.NopCloser(readerFunc(func([]byte) (int, error) {
					<-req.Context().Done()
					return 0, req.Context().Err()
				})),
			}, nil
		}, answer(202, "{}"))
		res = r.Do(t.Context(), payout())
		require.NoError(t, res.Err)
		assert.Equal(t, 2, res.Attempts)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A dialer has a time limit of its own, shorter than the attempt's. Its error must not
// claim the attempt's.
func TestTimeoutOfAnotherKindIsNotCalledTheAttempts(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: timeoutError{}}
	r := newRig(t, func(*http.Request) (*http.Response, error) { return nil, dial })
	call := payout()
	call.MaxAttempts = 1
	res := r.Do(t.Context(), call)
	require.Error(t, res.Err)
	assert.NotContains(t, res.Err.Error(), "no response within")
	assert.Contains(t, res.Err.Error(), "i/o timeout")
	assert.Equal(t, NotSent, res.Outcome)
	assert.NotErrorIs(t, res.Err, context.DeadlineExceeded, "the caller's context has not ended")
}

// timeoutError is what the net package makes of a dial that took too long.
type timeoutError struct{}

func (timeoutError) Error() string     { return "i/o timeout" }
func (timeoutError) Timeout() bool     { return true }
func (timeoutError) Temporary() bool   { return true }
func (timeoutError) Is(err error) bool { return err == context.DeadlineExceeded }

func TestCallersDeadlineIsTheCallersError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := newRig(t, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		res := r.Do(ctx, payout())
		require.ErrorIs(t, res.Err, context.DeadlineExceeded)
		assert.Equal(t, 1, res.Attempts)
		assert.Equal(t, Unknown, res.Outcome)
	})
}

// The error's text has no URL: it would hold ids.
func TestURLsAreDroppedFromErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset by peer")
	r := newRig(t, func(req *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: cause}
	})
	call := lookup()
	call.MaxAttempts = 1
	res := r.Do(t.Context(), call)
	require.ErrorIs(t, res.Err, cause)
	assert.NotContains(t, res.Err.Error(), "op_1")
}

// A 101 hands over the connection itself as its body, whose end no time limit brings.
func TestSwitchingProtocolsIsNoAnswer(t *testing.T) {
	t.Parallel()
	var closed bool
	r := newRig(t, func(req *http.Request) (*http.Response, error) {
		body := readerFunc(func([]byte) (int, error) {
			t.Error("it was read from")
			return 0, io.EOF
		})
		return &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: http.Header{}, Body: closeSpy{body, &closed}, Request: req}, nil
	}, answer(202, "{}"))
	res := r.Do(t.Context(), payout())
	require.NoError(t, res.Err)
	assert.Equal(t, 2, res.Attempts)
	assert.True(t, closed)
}

// A transport that breaks its contract costs an error, not a panic.
func TestBrokenTransports(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(*http.Request) (*http.Response, error) { return nil, nil }) //nolint:nilnil // the breach under test
	call := payout()
	call.MaxAttempts = 1
	res := r.Do(t.Context(), call)
	require.Error(t, res.Err)
	assert.Equal(t, Unknown, res.Outcome)

	r = newRig(t, func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Request: req}, nil
	})
	res = r.Do(t.Context(), call)
	require.NoError(t, res.Err, "a body left out is an empty one")
	assert.Equal(t, 202, res.Status)
	assert.Empty(t, res.Body)

	r = newRig(t, func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Request: req}, nil
	})
	res = r.Do(t.Context(), call)
	require.NoError(t, res.Err)
	assert.Empty(t, res.Header.Get("X-Request-Id"), "headers left out are none")
}

func TestLogHasOneLineAnAttempt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newRig(t)
	r.cfg.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	r.script.steps = []step{
		func(*http.Request) (*http.Response, error) {
			r.clock.advance(40 * time.Millisecond)
			return nil, syscall.ECONNRESET
		},
		answer(503, "busy", "X-Request-Id", strings.Repeat("r", 100)),
		answer(202, `{"secret":"body"}`, "X-Request-Id", "req-7"),
	}
	res := r.Do(t.Context(), payout())
	require.NoError(t, res.Err)
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		delete(m, "time")
		lines = append(lines, m)
	}
	assert.Equal(t, []map[string]any{
		{
			"level": "WARN", "msg": "intram attempt", "method": "POST", "path": "/payouts", "attempt": number(1),
			"duration": number(40 * time.Millisecond), "error": "connection reset by peer",
		},
		{
			"level": "WARN", "msg": "intram attempt", "method": "POST", "path": "/payouts", "attempt": number(2),
			"duration": number(0), "status": number(503), "request_id": strings.Repeat("r", 64),
		},
		{
			"level": "INFO", "msg": "intram attempt", "method": "POST", "path": "/payouts", "attempt": number(3),
			"duration": number(0), "status": number(202), "request_id": "req-7",
		},
	}, lines)
	assert.NotContains(t, out.String(), "secret")
	assert.NotContains(t, out.String(), "key-0001")
}

// number is a number as a JSON decoder gives it.
func number[N ~int | ~int64](n N) any {
	var v any
	_ = json.Unmarshal(fmt.Append(nil, int64(n)), &v)
	return v
}
