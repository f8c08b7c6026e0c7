package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRetriedAnswersAndFailures(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 500, 501, 502, 503, 504, 599} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, slices.Repeat([]step{answer(status, "{}")}, 4)...)
			res := r.Do(t.Context(), payout())
			assert.Equal(t, 4, res.Attempts)
			assert.Equal(t, status, res.Status)
			require.NoError(t, res.Err, "the last answer is the result")
			assert.Len(t, r.clock.sleeps, 3)
		})
	}
	for _, status := range []int{200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 408, 409, 410, 422, 425, 451, 499} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answer(status, "{}"))
			res := r.Do(t.Context(), payout())
			assert.Equal(t, 1, res.Attempts)
			assert.Equal(t, status, res.Status)
			assert.Empty(t, r.clock.sleeps)
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7} {
		r := newRig(t, slices.Repeat([]step{lost}, n)...)
		call := payout()
		call.MaxAttempts = n
		assert.Equal(t, n, r.Do(t.Context(), call).Attempts, "the call's own number")

		r = newRig(t, slices.Repeat([]step{lost}, n)...)
		r.cfg.MaxAttempts = n
		assert.Equal(t, n, r.Do(t.Context(), payout()).Attempts, "the client's number")
	}
}

// Each attempt is dated and signed anew, and carries the same key and the same bytes.
func TestAttemptsAreSignedAfreshAndOtherwiseTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, lost, answer(503, ""), answer(429, ""), answer(202, "{}"))
	call := payout()
	call.Query = "a=1&b=2"
	call.Header = http.Header{"X-Extra": {"yes"}}
	res := r.Do(t.Context(), call)
	require.NoError(t, res.Err)
	require.Len(t, r.script.sent, 4)
	first := r.script.sent[0]
	assert.Equal(t, "POST", first.method)
	assert.Equal(t, "https://api.example.test/v1/payouts?a=1&b=2", first.url)
	assert.Equal(t, `{"amount":25000}`, first.body)
	assert.Equal(t, http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"key-0001"},
		"User-Agent": {"test/1"}, "X-Extra": {"yes"},
		"X-Timestamp": {"2026-05-20T10:30:00Z"}, "X-Signature": {"signature of /payouts at 2026-05-20T10:30:00Z"},
	}, first.header)
	signatures := map[string]bool{}
	at := start
	for i, sent := range r.script.sent {
		assert.Equal(t, first.method, sent.method)
		assert.Equal(t, first.url, sent.url)
		assert.Equal(t, first.body, sent.body)
		assert.Equal(t, first.header["Idempotency-Key"], sent.header["Idempotency-Key"])
		assert.Equal(t, at.Format(time.RFC3339Nano), sent.header.Get("X-Timestamp"))
		assert.EqualValues(t, len(first.body), sent.length, "gateways refuse a body that is sent in chunks")
		signatures[sent.header.Get("X-Signature")] = true
		if i < len(r.clock.sleeps) {
			at = at.Add(r.clock.sleeps[i])
		}
	}
	assert.Len(t, signatures, 4, "every attempt has a signature of its own")
	assert.Equal(t, http.Header{"X-Extra": {"yes"}}, call.Header, "the call's header is not written to")
}

func TestReadsCarryNeitherKeyNorBody(t *testing.T) {
	t.Parallel()
	r := newRig(t, answer(200, "{}"))
	require.NoError(t, r.Do(t.Context(), lookup()).Err)
	sent := r.script.sent[0]
	assert.Empty(t, sent.body)
	assert.Zero(t, sent.length)
	assert.NotContains(t, sent.header, "Idempotency-Key")
	assert.NotContains(t, sent.header, "Content-Type")
}

// Full jitter: anywhere from zero to the exponential bound, never above it.
func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	bounds := []time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second, 8 * time.Second,
	}
	for percent := range 100 {
		r := newRig(t)
		r.cfg.Rand = draw(percent)
		for i, bound := range bounds {
			got := r.backoff(i + 1)
			assert.InDelta(t, int64(bound)*int64(percent)/100, int64(got), 100, "attempt %d, %d %% of %v", i+1, percent, bound)
			assert.Less(t, got, bound)
			assert.GreaterOrEqual(t, got, time.Duration(0))
		}
		// Past the cap nothing grows, and nothing overflows.
		for attempts := len(bounds); attempts < 200; attempts++ {
			assert.Equal(t, r.backoff(len(bounds)), r.backoff(attempts), "attempt %d", attempts)
		}
		assert.Equal(t, r.backoff(len(bounds)), r.backoff(math.MaxInt))
	}
}

func TestWaitsBetweenAttemptsGrow(t *testing.T) {
	t.Parallel()
	r := newRig(t, slices.Repeat([]step{lost}, 7)...)
	call := payout()
	call.MaxAttempts = 7
	r.Do(t.Context(), call)
	ms := time.Millisecond
	assert.Equal(t, []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 4000 * ms}, r.clock.sleeps)
}

func TestRetryAfterIsHonouredUpToTheCap(t *testing.T) {
	t.Parallel()
	httpDate := func(d time.Duration) string { return start.Add(d).Format(http.TimeFormat) }
	const backoff = 250 * time.Millisecond // what half the jitter makes of the first wait
	tests := []struct {
		name   string
		values []string
		wait   time.Duration
	}{
		{"seconds", []string{"7"}, 7 * time.Second},
		{"spaces around", []string{" 7 "}, 7 * time.Second},
		{"leading zeros", []string{"007"}, 7 * time.Second},
		{"the cap", []string{"30"}, 30 * time.Second},
		{"date", []string{httpDate(9 * time.Second)}, 9 * time.Second},
		{"date at the cap", []string{httpDate(30 * time.Second)}, 30 * time.Second},
		{"RFC 850 date", []string{start.Add(5 * time.Second).Format("Monday, 02-Jan-06 15:04:05 GMT")}, 5 * time.Second},
		{"ANSI C date", []string{start.Add(5 * time.Second).Format(time.ANSIC)}, 5 * time.Second},
		// Nothing that a client should wait for: its own backoff goes on.
		{"zero", []string{"0"}, backoff},
		{"now", []string{httpDate(0)}, backoff},
		{"a date that has passed", []string{httpDate(-time.Hour)}, backoff},
		{"1970", []string{"Thu, 01 Jan 1970 00:00:00 GMT"}, backoff},
		{"negative", []string{"-5"}, backoff},
		{"negative overflow", []string{"-99999999999999999999"}, backoff},
		{"plus", []string{"+5"}, backoff},
		{"fraction", []string{"1.5"}, backoff},
		{"exponent", []string{"1e3"}, backoff},
		{"hexadecimal", []string{"0x10"}, backoff},
		{"words", []string{"soon"}, backoff},
		{"empty", []string{""}, backoff},
		{"spaces", []string{"  "}, backoff},
		{"a list", []string{"3, 4"}, backoff},
		{"unit", []string{"3s"}, backoff},
		{"other digits", []string{"٣"}, backoff},
		{"twice", []string{"3", "4"}, backoff},
		{"twice the same", []string{"3", "3"}, backoff},
		{"one good, one garbage", []string{"3", "soon"}, backoff},
		{"none", nil, backoff},
	}
	for _, tt := range tests {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprintf("%s on %d", tt.name, status), func(t *testing.T) {
				t.Parallel()
				headers := []string{}
				for _, v := range tt.values {
					headers = append(headers, "Retry-After", v)
				}
				r := newRig(t, answer(status, "{}", headers...), answer(202, "{}"))
				res := r.Do(t.Context(), payout())
				require.NoError(t, res.Err)
				assert.Equal(t, []time.Duration{tt.wait}, r.clock.sleeps)
				assert.Empty(t, res.StoppedBy)
			})
		}
	}
}

// A wait that the context cannot outlast would end in the context's error, and lose what
// the server said.
func TestRetryAfterBeyondTheDeadlineEndsTheCallAtOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		deadline time.Duration // by the client's clock
		asks     string
		stops    bool
	}{
		"beyond the deadline":          {10 * time.Second, "11", true},
		"a date beyond the deadline":   {10 * time.Second, start.Add(11 * time.Second).Format(http.TimeFormat), true},
		"within the deadline":          {10 * time.Second, "9", false},
		"no Retry-After":               {10 * time.Millisecond, "", false},
		"a deadline of another clock":  {-time.Hour, "11", false},
		"a deadline far in the future": {24 * time.Hour, "11", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := []string{}
			if tt.asks != "" {
				headers = append(headers, "Retry-After", tt.asks)
			}
			r := newRig(t, answer(429, "{}", headers...), answer(202, "{}"))
			res := r.Do(deadlined{t.Context(), start.Add(tt.deadline)}, payout())
			if !tt.stops {
				require.NoError(t, res.Err)
				assert.Equal(t, 202, res.Status)
				return
			}
			assert.Equal(t, 429, res.Status, "the server's word is the result")
			assert.Equal(t, 1, res.Attempts)
			assert.Empty(t, r.clock.sleeps)
			require.ErrorIs(t, res.Err, context.DeadlineExceeded)
			assert.Contains(t, res.Err.Error(), "asks to come back in 11s, and the context ends before that")
			assert.Equal(t, 11*time.Second, res.RetryAfter)
		})
	}
}

// deadlined is a context with a deadline by the tests' clock, which does not end.
type deadlined struct {
	context.Context //nolint:containedctx // it is one
	at              time.Time
}

func (d deadlined) Deadline() (time.Time, bool) { return d.at, true }

func TestRetryAfterBeyondTheCapEndsTheCallAndSaysSo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value  string
		asks   string
		atMost time.Duration
	}{
		"just beyond":          {"31", "31s", 31 * time.Second},
		"an hour":              {"3600", "1h0m0s", time.Hour},
		"overflows a duration": {"9223372037", "", longestWait},
		"overflows an integer": {"99999999999999999999999999", "", longestWait},
		"the year 9999":        {"Fri, 31 Dec 9999 23:59:59 GMT", "", longestWait},
		"date beyond":          {start.Add(31 * time.Second).Format(http.TimeFormat), "31s", 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, answer(503, `{"code":"x"}`, "Retry-After", tt.value))
			res := r.Do(t.Context(), payout())
			require.NoError(t, res.Err)
			assert.Equal(t, 1, res.Attempts)
			assert.Equal(t, 503, res.Status)
			assert.Equal(t, Unknown, res.Outcome)
			assert.Empty(t, r.clock.sleeps, "nothing is waited for")
			assert.Contains(t, res.StoppedBy, "the server asks to come back in "+tt.asks)
			assert.Contains(t, res.StoppedBy, "30s")
			assert.Equal(t, tt.atMost, res.RetryAfter)
		})
	}
}

// A date is read at the time the response came, not when the request was sent.
func TestRetryAfterDateCountsFromTheAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.script.steps = []step{
		func(req *http.Request) (*http.Response, error) {
			r.clock.advance(25 * time.Second)
			return answer(503, "", "Retry-After", start.Add(35*time.Second).Format(http.TimeFormat))(req)
		},
		answer(202, "{}"),
	}
	res := r.Do(t.Context(), payout())
	require.NoError(t, res.Err)
	assert.Equal(t, 202, res.Status, "10 s after the answer is no reason to stop")
	assert.Equal(t, []time.Duration{10 * time.Second}, r.clock.sleeps)
}

// The date is of the server's clock, and this machine's may be hours off.
func TestRetryAfterDateIsOfTheServersClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"right": 0, "ahead": 3 * time.Hour, "behind": -3 * time.Hour, "two years": -2 * 365 * 24 * time.Hour} {
		server := start.Add(-off)
		date := func(at time.Time) string { return at.Format(http.TimeFormat) }
		r := newRig(t, answer(503, "", "Date", date(server), "Retry-After", date(server.Add(10*time.Second))), answer(202, "{}"))
		res := r.Do(t.Context(), payout())
		require.NoError(t, res.Err, name)
		assert.Equal(t, 202, res.Status, name)
		assert.Equal(t, []time.Duration{10 * time.Second}, r.clock.sleeps, name)

		r = newRig(t, answer(503, "", "Date", date(server), "Retry-After", date(server.Add(time.Hour))))
		res = r.Do(t.Context(), payout())
		assert.Equal(t, 503, res.Status, "%s: an hour is too long", name)
		assert.Equal(t, time.Hour, res.RetryAfter, name)
	}
	// What passed while the body came is waited for no more. A cached Date tells no time.
	r := newRig(t)
	r.script.steps = []step{
		func(req *http.Request) (*http.Response, error) {
			resp, err := answer(503, "", "Date", start.Add(time.Hour).Format(http.TimeFormat), "Retry-After", start.Add(time.Hour+20*time.Second).Format(http.TimeFormat))(req)
			resp.Body = slowBody{r.clock}
			return resp, err
		},
		answer(503, "", "Age", "3600", "Date", start.Add(-time.Hour).Format(http.TimeFormat), "Retry-After", start.Add(20*time.Second).Format(http.TimeFormat)),
		answer(202, "{}"),
	}
	require.NoError(t, r.Do(t.Context(), payout()).Err)
	assert.Equal(t, []time.Duration{15 * time.Second}, r.clock.sleeps[:1])
	assert.Len(t, r.clock.sleeps, 2)
}

// slowBody takes 5 seconds to come, and is empty.
type slowBody struct{ clock *stepClock }

func (b slowBody) Read([]byte) (int, error) {
	b.clock.advance(5 * time.Second)
	return 0, io.EOF
}

func (slowBody) Close() error { return nil }

// Only the wait that the last response asked for is reported.
func TestRetryAfterOfTheLastAnswerIsReported(t *testing.T) {
	t.Parallel()
	r := newRig(t, answer(503, "", "Retry-After", "3"), answer(400, noThanks))
	assert.Zero(t, r.Do(t.Context(), payout()).RetryAfter)
	r = newRig(t, answer(503, "", "Retry-After", "3"), lost)
	call := payout()
	call.MaxAttempts = 2
	assert.Zero(t, r.Do(t.Context(), call).RetryAfter)
	r = newRig(t, answer(200, "{}", "Retry-After", "4"))
	assert.Equal(t, 4*time.Second, r.Do(t.Context(), lookup()).RetryAfter, "on a success too: a poll may be told to slow down")
}

// The machine is suspended while a call waits, and wakes up when the server has forgotten
// the key.
func TestNothingIsSentAfterAWaitThatTookADay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first   step
		outcome Outcome
		status  int
	}{
		"after a lost answer": {lost, Unknown, 0},
		"after 503":           {answer(503, ""), Unknown, 503},
		"after 429":           {answer(429, ""), Rejected, 429},
		"after a wrong clock": {refusedAt(start.Add(time.Hour)), Rejected, 401},
		"after no connection": {refused, NotSent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := datedRig(t, nil, tt.first)
			r.clock.onSleep = func() { r.clock.advance(25 * time.Hour) }
			call := payout()
			call.NotAfter = start.Add(23 * time.Hour)
			res := r.Do(t.Context(), call)
			assert.Equal(t, 1, res.Attempts)
			assert.Equal(t, tt.outcome, res.Outcome)
			assert.Equal(t, tt.status, res.Status)
			assert.Contains(t, res.StoppedBy, "may have expired the idempotency key")
			if res.Err != nil {
				assert.NotContains(t, res.Err.Error(), "too late")
			}
		})
	}
	// It does not even wait when the key would be too old after the wait.
	early := newRig(t, lost)
	old := payout()
	old.NotAfter = start.Add(100 * time.Millisecond)
	res := early.Do(t.Context(), old)
	assert.Empty(t, early.clock.sleeps)
	assert.Equal(t, Unknown, res.Outcome)
	assert.Contains(t, res.StoppedBy, "may have expired the idempotency key")
	// To the last moment it is.
	r := newRig(t, lost, answer(202, "{}"))
	r.clock.onSleep = func() { r.clock.advance(time.Hour) }
	call := payout()
	call.NotAfter = start.Add(time.Hour + 250*time.Millisecond)
	assert.Equal(t, 202, r.Do(t.Context(), call).Status)
}

func TestClockThatFailsEndsTheCall(t *testing.T) {
	t.Parallel()
	broken := errors.New("the clock is broken")
	r := newRig(t, answer(503, ""))
	r.cfg.Clock = brokenClock{r.clock, broken}
	res := r.Do(t.Context(), payout())
	require.ErrorIs(t, res.Err, broken)
	assert.Equal(t, Unknown, res.Outcome)
}

type brokenClock struct {
	*stepClock
	err error
}

func (c brokenClock) Sleep(context.Context, time.Duration) error { return c.err }

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "7", "30", "31", " 7 ", "007", "-5", "+5", "1.5", "1e3", "0x10", "soon", "3, 4",
		"9223372036", "9223372037", "99999999999999999999999999", "٣",
		"Wed, 20 May 2026 10:30:09 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
		"Wednesday, 20-May-26 10:30:05 GMT", "Wed May 20 10:30:05 2026",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := parseRetryAfter([]string{value}, start)
		require.GreaterOrEqual(t, got.wait, time.Duration(0), "a wait is never negative")
		if !got.given {
			require.Zero(t, got.wait)
		}
		require.Equal(t, retryAfter{}, parseRetryAfter([]string{value, value}, start), "two values are none")

		trimmed := strings.TrimSpace(value)
		seconds, isInteger := new(big.Int).SetString(trimmed, 10)
		isDigits := isInteger && !strings.ContainsAny(trimmed, "+-_")
		at, dateErr := http.ParseTime(trimmed)
		require.Equal(t, isDigits || dateErr == nil, got.given, "given for digits and dates only")
		switch {
		case isDigits:
			limit := big.NewInt(int64(longestWait / time.Second))
			if seconds.Cmp(limit) > 0 {
				require.Equal(t, longestWait, got.wait)
			} else {
				require.Equal(t, time.Duration(seconds.Int64())*time.Second, got.wait)
			}
		case dateErr == nil:
			require.Equal(t, max(0, at.Sub(start)), got.wait)
		}
	})
}
