package mockapi

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFaultTakesOnlyTheFieldsOfItsKind(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, c := range []struct {
		fault Fault
		wrong string
	}{
		{Fault{Kind: FaultReset, Delay: 1}, "Fault.Delay"},
		{Fault{Kind: FaultReset, Delay: -1}, "negative"},
		{Fault{Kind: FaultTruncate, Status: 500}, "Fault.Status"},
		{Fault{Kind: FaultAuthError, Status: 500}, "Fault.Status"},
		{Fault{Kind: FaultAuthError, Executed: true}, "Fault.Executed"},
		{Fault{Kind: FaultIdempotencyError, Code: "auth_error"}, "Fault.Code"},
		{Fault{Kind: FaultRetryAfterHuge, RetryAfter: "1"}, "Fault.RetryAfter"},
		{Fault{Kind: FaultRetryAfterHuge, Status: 500}, "Fault.Status: 500, want one of [503 429]"},
		{Fault{Kind: FaultProxyError, Status: 500}, "Fault.Status: 500, want one of [502 503 504]"},
		{Fault{Kind: FaultRedirect, Status: 304}, "Fault.Status"},
		{Fault{Kind: FaultLatency, Delay: 1, Skew: 1}, "Fault.Skew"},
		{Fault{Kind: FaultClockSkew, Skew: 5 * time.Minute}, "Fault.Skew"},
		{Fault{Kind: FaultClockSkewCached, Skew: -5 * time.Minute}, "Fault.Skew"},
		{Fault{Kind: FaultNotJSON, Size: 1}, "Fault.Size"},
		{Fault{Kind: FaultOversized, Size: -1}, "Fault.Size"},
		{Fault{Kind: FaultOversized, Size: 1<<30 + 1}, "Fault.Size"},
		{Fault{Kind: FaultSlowBody}, "Fault.Delay"},
		{Fault{Kind: FaultWebhookLate}, "Fault.Delay"},
		{Fault{Kind: FaultWebhookStale, Delay: 5 * time.Minute}, "Fault.Delay"},
		{Fault{Kind: FaultWebhookStale, On: "POST /payouts"}, "Fault.On"},
		{Fault{Kind: FaultWebhookDropped, On: "payout"}, "Fault.On"},
	} {
		require.ErrorContains(t, f.s.AddFault(c.fault), c.wrong, "%+v", c.fault)
	}
	for _, fault := range []Fault{
		{Kind: FaultWebhookDropped, On: "all"}, {Kind: FaultWebhookDropped, On: "payin.confirmed"}, {Kind: FaultWebhookStale, Delay: 5*time.Minute + 1},
		{Kind: FaultClockSkew, Skew: -5*time.Minute - 1}, {Kind: FaultServerError, Status: 599}, {Kind: FaultOversized, Size: 1},
	} {
		require.NoError(t, f.s.AddFault(fault))
	}
	assert.Len(t, f.s.PendingFaults(), 6)
}

func TestRatesAreChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	once := Fault{Kind: FaultReset, Times: 1}
	for _, c := range []struct {
		rates []FaultRate
		wrong string
	}{
		{[]FaultRate{{once, 0}}, "PerThousand"},
		{[]FaultRate{{once, 1001}}, "PerThousand"},
		{[]FaultRate{{once, 1}, {Fault{Kind: "explosion"}, 1}}, "rate 1: intramtest: Fault.Kind"},
		{[]FaultRate{{Fault{Kind: FaultReset}, 1}}, "Times and For: both missing"},
		{[]FaultRate{{once, 500}, {Fault{Kind: FaultRefuse, Times: 1}, 501}}, "sum to more than 1000"},
	} {
		require.ErrorContains(t, f.s.SeededFaults(1, c.rates...), c.wrong)
	}
	f.get("/balance").ok(200) // a mistake changes nothing
	require.NoError(t, f.s.SeededFaults(1, FaultRate{once, 1000}, FaultRate{Fault{Kind: FaultLatency, Delay: 1, Times: 1}, 1000},
		FaultRate{Fault{Kind: FaultWebhookDropped, Times: 1}, 1000}, FaultRate{Fault{Kind: FaultClockSkew, Times: 1}, 1000}))
}

// drawn sends one call n times and tells which attempts were hit.
func drawn(f *fixture, n int, c call) string {
	var story strings.Builder
	for range n {
		if _, err := f.send(c); err != nil {
			story.WriteByte('x')
		} else {
			story.WriteByte('.')
		}
	}
	return story.String()
}

func TestDrawnFaultsEndAndAreEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	balance := call{method: "GET", endpoint: "/balance"}
	require.NoError(t, f.s.SeededFaults(1, FaultRate{Fault{Kind: FaultReset, Times: 3}, 1000}))
	assert.Equal(t, "xxx..", drawn(f, 5, balance), "Times counts the attempts of one call")
	assert.Equal(t, "xxx..", drawn(f, 5, call{method: "GET", endpoint: "/operations"}))
	assert.Equal(t, map[FaultKind]int{FaultReset: 6}, f.s.FiredFaults())

	require.NoError(t, f.s.SeededFaults(1, FaultRate{Fault{Kind: FaultReset, For: time.Minute}, 1000}))
	assert.Equal(t, "xxxxx", drawn(f, 5, balance))
	f.s.Clock().Advance(time.Minute)
	assert.Equal(t, ".....", drawn(f, 5, balance))

	require.NoError(t, f.s.SeededFaults(1, FaultRate{Fault{Kind: FaultReset, On: "POST", Times: 3}, 1000}))
	assert.Equal(t, ".....", drawn(f, 5, balance))
	require.NoError(t, f.s.SeededFaults(1, FaultRate{Fault{Kind: FaultReset, Times: 9}, 1000}))
	require.NoError(t, f.s.SeededFaults(1))
	assert.True(t, f.s.faults.none(), "no rates, no faults")
	require.NoError(t, f.s.SeededFaults(1, FaultRate{Fault{Kind: FaultReset, Times: 9}, 1000}))
	f.s.ClearFaults()
	assert.Equal(t, ".....", drawn(f, 5, balance))
}

// The rates are those that were asked for, and independent of each other where they are
// drawn apart.
func TestDrawnFaultsKeepTheirRates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.SeededFaults(42,
		FaultRate{Fault{Kind: FaultLatency, Delay: time.Millisecond, Times: 1}, 500},
		FaultRate{Fault{Kind: FaultRefuse, Times: 1}, 100},
		FaultRate{Fault{Kind: FaultReset, Times: 1}, 200},
		FaultRate{Fault{Kind: FaultServerError, Times: 1}, 300},
	))
	const calls = 4000
	for i := range calls {
		_, _ = f.send(call{method: "GET", endpoint: fmt.Sprintf("/operations/op_%d", i)})
	}
	fired := f.s.FiredFaults()
	for kind, perThousand := range map[FaultKind]int{FaultRefuse: 100, FaultReset: 200, FaultServerError: 300} {
		assert.InDelta(t, calls*perThousand/1000, fired[kind], calls/40, "%s", kind)
	}
	// A refused connection never comes to a latency.
	assert.InDelta(t, calls/2*9/10, fired[FaultLatency], calls/40)
}

// A clock is off for a whole call, and drawn once for it.
func TestDrawnClockSkewHoldsForTheCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.SeededFaults(3, FaultRate{Fault{Kind: FaultClockSkew, Times: 3}, 500}))
	skewed := 0
	for i := range 40 {
		c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), key: fmt.Sprintf("skewed-%02d", i)}
		var statuses []int
		for range 4 {
			a, err := f.send(c)
			require.NoError(t, err)
			statuses = append(statuses, a.status)
		}
		if statuses[0] == http.StatusUnauthorized {
			skewed++
			assert.Equal(t, []int{401, 401, 401, 202}, statuses)
		} else {
			assert.Equal(t, []int{202, 202, 202, 202}, statuses)
		}
	}
	assert.Equal(t, 3*skewed, f.s.FiredFaults()[FaultClockSkew])
	assert.InDelta(t, 20, skewed, 12)
}

func TestClockSkewDates(t *testing.T) {
	t.Parallel()
	for kind, want := range map[FaultKind]struct {
		date time.Time
		age  string
	}{
		FaultClockSkew:          {start.Add(time.Hour), ""},
		FaultClockSkewWrongDate: {start.Add(-time.Hour), ""},
		FaultClockSkewForged:    {start.Add(time.Hour), ""},
		FaultClockSkewCached:    {start.Add(time.Hour - 30*time.Minute), "1800"},
	} {
		f := newFixture(t, Config{})
		require.NoError(t, f.s.AddFault(Fault{Kind: kind, Skew: time.Hour, Times: 2}))
		a := f.get("/balance")
		a.refused(401, "signature_invalid")
		assert.Contains(t, a.text("message"), "timestamp_out_of_window")
		assert.Equal(t, want.date.Format(http.TimeFormat), a.header.Get("Date"))
		assert.Equal(t, want.age, a.header.Get("Age"))
		// Signed by the clock that is off, the same call is right.
		at := wireTime(start.Add(time.Hour))
		again := f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
			r.Header.Set("X-Timestamp", at)
			r.Header.Set("X-Signature", signature(f.keys.Secret, at, "GET", "/balance", "", ""))
		}})
		if kind == FaultClockSkewForged {
			again.refused(401, "signature_invalid") // it only collects what is signed for another day
		} else {
			again.ok(200)
		}
		assert.Equal(t, start, f.s.Requests()[0].Time, "the journal keeps the server's own time")
	}
}

// A call without a signed date cannot notice a wrong clock, and one that is not executed
// cannot lose its response.
func TestFaultsPassByWhatTheyCannotHit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultClockSkew}))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultDropResponse}))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, Executed: true}))
	f.get("/nothing").ok(404)
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookStale}))
	assert.Len(t, f.s.PendingFaults(), 4)
	resp, err := f.s.Transport().RoundTrip(f.request(call{method: "GET", endpoint: "/health", prefix: "/unknown"}))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Len(t, f.s.PendingFaults(), 4)
}

func TestRestoreBringsDrawnFaultsBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.SeededFaults(5, FaultRate{Fault{Kind: FaultReset, Times: 20}, 500}))
	balance := call{method: "GET", endpoint: "/balance"}
	drawn(f, 3, balance)
	snap := f.s.Snapshot()
	rest := drawn(f, 10, balance)
	assert.Contains(t, rest, "x")
	assert.Contains(t, rest, ".")
	f.s.ClearFaults()
	require.NoError(t, f.s.Restore(snap))
	assert.Equal(t, rest, drawn(f, 10, balance), "the attempts go on counting where they were")
}

func TestFaultyBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	plain := f.get("/balance").ok(200)

	require.NoError(t, f.s.AddFault(Fault{Kind: FaultTruncate}))
	half, err := f.send(call{method: "GET", endpoint: "/balance"})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, plain.body[:len(plain.body)/2], half.body)
	logged := f.s.Requests()[1]
	assert.Equal(t, half.body, logged.Response)
	assert.Equal(t, 200, logged.Status)
	assert.True(t, logged.Lost)

	require.NoError(t, f.s.AddFault(Fault{Kind: FaultOversized, Size: 100_000}))
	big := f.get("/balance").ok(200)
	assert.Len(t, big.body, 100_000+len(plain.body))
	assert.Equal(t, string(plain.body), strings.TrimLeft(string(big.body), " "))

	require.NoError(t, f.s.AddFault(Fault{Kind: FaultSlowBody, Delay: 8 * time.Second}))
	resp, err := f.s.Transport().RoundTrip(f.request(call{method: "GET", endpoint: "/balance"}))
	require.NoError(t, err)
	assert.Equal(t, start, f.s.Clock().Now(), "nothing has come yet")
	first := make([]byte, 1)
	_, err = io.ReadFull(resp.Body, first)
	require.NoError(t, err)
	assert.Equal(t, start.Add(time.Second), f.s.Clock().Now())
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, plain.body, slices.Concat(first, rest))
	assert.Equal(t, start.Add(8*time.Second), f.s.Clock().Now())

	require.NoError(t, f.s.AddFault(Fault{Kind: FaultNotJSON}))
	page := f.get("/balance").ok(200)
	assert.Equal(t, "text/html", page.header.Get("Content-Type"))
	assert.Contains(t, string(page.body), "<html>")
}

// Drawn faults of deliveries follow the operation's key, not the ids that the server
// drew.
func TestDrawnWebhookFaultsFollowTheKey(t *testing.T) {
	t.Parallel()
	story := func(serverSeed uint64) string {
		f := newFixture(t, Config{Seed: serverSeed})
		f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
		require.NoError(t, f.s.SeededFaults(11, FaultRate{Fault{Kind: FaultWebhookDropped, Times: 1}, 300}, FaultRate{Fault{Kind: FaultWebhookLate, Delay: time.Hour, Times: 1}, 300}))
		for i := range 30 {
			f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), key: fmt.Sprintf("webhook-%02d", i)}).ok(202)
		}
		f.s.Clock().Advance(2 * time.Hour)
		var fates strings.Builder
		for _, d := range f.s.Deliveries() {
			fate := string(d.Status)
			for _, a := range d.Attempts {
				fate += " " + a.Fault
			}
			fates.WriteString(fate + "\n")
		}
		assert.Len(t, f.s.FiredFaults(), 2)
		return fates.String()
	}
	assert.Equal(t, story(1), story(2))
}
