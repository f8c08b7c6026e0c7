package intram_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// Keys of the tests. Those of the vectors are in the vectors.
const (
	publicKey = "pk_live_a1b2c3d4e5f60718" // as the docs' examples are
	secretKey = "sk_live_e5f6a7b8c9d0e1f2"
)

// sentRequest is what one attempt put on the wire.
type sentRequest struct {
	Method, URL, Path, Query string
	Header                   http.Header
	Body                     string
	At                       time.Time
}

// step is what happens to one attempt.
type step func(*http.Request) (*http.Response, error)

// script is a RoundTripper without a network: it plays its steps, one an attempt, and
// fails the test on an attempt too many. After the last step it repeats forever, when
// that is set.
type script struct {
	t       *testing.T
	mu      sync.Mutex
	steps   []step
	forever step
	sent    []sentRequest
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	s.mu.Lock()
	s.sent = append(s.sent, sentRequest{
		Method: req.Method, URL: req.URL.String(), Path: req.URL.EscapedPath(), Query: req.URL.RawQuery,
		Header: req.Header.Clone(), Body: string(body), At: time.Now(),
	})
	next := s.forever
	if len(s.steps) > 0 {
		next, s.steps = s.steps[0], s.steps[1:]
	}
	n := len(s.sent)
	s.mu.Unlock()
	if next == nil {
		s.t.Errorf("attempt %d was not expected: %s %s", n, req.Method, req.URL.Path)
		return nil, errors.New("the script is over")
	}
	return next(req)
}

func (s *script) requests() []sentRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sentRequest(nil), s.sent...)
}

// last is the last request that was sent.
func (s *script) last() sentRequest {
	all := s.requests()
	require.NotEmpty(s.t, all, "nothing was sent")
	return all[len(all)-1]
}

// It is a whole response. Headers come in pairs.
func answer(status int, body string, headers ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
		}, nil
	}
}

// answerFile is a response from testdata/examples.
func answerFile(t *testing.T, status int, name string) step {
	t.Helper()
	return answer(status, example(t, name))
}

// lost is an attempt that went out, and got no response.
func lost(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// refused is an attempt that never had a connection.
func refused(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// hang is an attempt that gets no response as long as it lasts.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// example is a file of testdata/examples.
func example(tb testing.TB, name string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "examples", name))
	require.NoError(tb, err)
	return string(data)
}

// exampleOf is an example of an operation, as the response to a lookup of op_1.
func exampleOf(tb testing.TB, name string) string {
	tb.Helper()
	return regexp.MustCompile(`"operation_id": *"[^"]*"`).ReplaceAllString(example(tb, name), `"operation_id": "op_1"`)
}

// scripted is a client that speaks to a script. It retries without waiting for long.
func scripted(t *testing.T, steps ...step) (*intram.Client, *script) {
	t.Helper()
	s := &script{t: t, steps: steps}
	return newClient(t, s), s
}

// newClient is a client on a transport of the test's own, without jitter.
func newClient(t *testing.T, rt http.RoundTripper, opts ...intram.ClientOption) *intram.Client {
	t.Helper()
	opts = append([]intram.ClientOption{
		intram.WithHTTPClient(&http.Client{Transport: rt}), intram.WithJitter(0), intram.WithTracer(newCountingTracer(t)),
	}, opts...)
	client, err := intram.NewClient(publicKey, secretKey, opts...)
	require.NoError(t, err)
	return client
}

// mobilePayout is a payout that every rule is content with.
func mobilePayout() intram.PayoutParams {
	return intram.PayoutParams{
		Amount:      intram.NewAmount(25000),
		Currency:    intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567", CountryCode: "BJ", AccountName: "Ada", AccountSurname: "Lovelace"},
		Reference:   "PO-2026-0001",
		Note:        "Settlement hebdomadaire",
		Metadata:    map[string]any{"batch_id": "B-42"},
	}
}
