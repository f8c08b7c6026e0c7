package signature_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// signedAt is a request that was signed at a time as the documentation asks, with the
// time that it says it was sent at.
func signedAt(t *testing.T, target string, signed, sent time.Time) *signature.Request {
	t.Helper()
	headers, err := signature.Sign("pk_sandbox_1", "sk_sandbox_1", "GET", target, nil, signed)
	require.NoError(t, err)
	header := http.Header{}
	for _, h := range headers {
		header.Set(h[0], h[1])
	}
	header.Set("X-Timestamp", sent.UTC().Format("2006-01-02T15:04:05.000Z"))
	return &signature.Request{Method: "GET", Target: target, Header: header}
}

var noon = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)

func explained(t *testing.T, r *signature.Request) *signature.Verdict {
	t.Helper()
	v, err := signature.Explain(r, []signature.Key{{Label: "the secret key", Value: "sk_sandbox_1"}}, noon)
	require.NoError(t, err)
	return v
}

// A clock that is wrong is told from local time that was sent as UTC, and in which
// direction it is off.
func TestHowFarATimeIsOffIsToldAsItIs(t *testing.T) {
	t.Parallel()
	const window, local = "timestamp-window", "timestamp-local-time"
	for off, want := range map[time.Duration]string{
		5 * time.Minute: "", -5 * time.Minute: "", 5*time.Minute + time.Millisecond: window, -5*time.Minute - time.Millisecond: window,
		time.Hour: local, -time.Hour: local, time.Hour + time.Minute: local, 5*time.Hour + 30*time.Minute: local, -14 * time.Hour: local,
		47*time.Minute + 30*time.Second: window, time.Hour + 4*time.Minute: window, -50 * time.Minute: window, 15 * time.Minute: window,
		20 * time.Hour: window, -15 * time.Hour: window, 24 * time.Hour: window, 300 * 24 * time.Hour: window,
	} {
		at := noon.Add(off)
		v := explained(t, signedAt(t, "/v1/balance", at, at))
		if want == "" {
			assert.True(t, v.Good, "%v: %v", off, v.Findings)
			continue
		}
		require.Equal(t, []string{want}, ids(v), "%v", off)
		assert.False(t, v.Good)
		assert.Contains(t, v.Findings[0].What, map[bool]string{true: " ahead", false: " behind"}[off > 0], "%v", off)
		assert.NotContains(t, v.Findings[0].What, map[bool]string{true: " behind", false: " ahead"}[off > 0], "%v", off)
		assert.Contains(t, v.Findings[0].What, off.Abs().Round(time.Second).String())
	}
}

// The clock was read twice: the time that was signed is found when it is up to three
// seconds from the one that was sent.
func TestATimeThatWasReadTwiceIsToldWithItsDirection(t *testing.T) {
	t.Parallel()
	for off, says := range map[time.Duration]string{
		time.Millisecond: "1ms later", -time.Millisecond: "1ms earlier", 3 * time.Second: "3s later", -2999 * time.Millisecond: "2.999s earlier", 3001 * time.Millisecond: "",
	} {
		v := explained(t, signedAt(t, "/v1/balance", noon.Add(off), noon))
		assert.False(t, v.Good)
		if says == "" {
			assert.False(t, v.Explained)
			continue
		}
		require.Equal(t, []string{"other-timestamp"}, ids(v), "%v", off)
		assert.True(t, strings.HasSuffix(v.Findings[0].What, says), v.Findings[0].What)
	}
}

func TestAHeaderThatCameTwiceIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-Api-Key", "X-Timestamp", "X-Signature"} {
		r := signedAt(t, "/v1/balance", noon, noon)
		r.Header.Add(name, r.Header.Get(name))
		v := explained(t, r)
		assert.False(t, v.Good, name)
		require.Equal(t, []string{"duplicate-header"}, ids(v), name)
		assert.Contains(t, v.Findings[0].What, name+" came 2 times")
	}
}

// Pairs of one key stay in the order in which they are sent.
func TestTheQueryIsSortedByItsKeysAlone(t *testing.T) {
	t.Parallel()
	v := explained(t, signedAt(t, "/v1/operations?type=refund&limit=5&type=payout&a", noon, noon))
	assert.True(t, v.Good)
	assert.Equal(t, "a&limit=5&type=refund&type=payout", strings.Split(v.Canonical, "\n")[3])
}

// curl -v shows the response's headers too. They are not the request's.
func TestTheHeadersOfTheAnswerAreNotTheRequests(t *testing.T) {
	t.Parallel()
	header, err := signature.ParseHeaders([]byte("> GET /v1/balance HTTP/2\n> X-Timestamp: a\n< HTTP/2 200\n< X-Timestamp: b\n< X-Request-Id: c\n"))
	require.NoError(t, err)
	assert.Equal(t, http.Header{"X-Timestamp": {"a"}}, header)
}
