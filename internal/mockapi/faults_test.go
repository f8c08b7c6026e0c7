package mockapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFaultsHitTheCallsTheyMatchAndAreGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, On: "POST /payouts", Times: 2}))
	f.get("/balance").ok(200)
	f.post("/refunds", refundBody("ZZZZZZZZZZ", 0)).refused(404, "transaction_not_found")
	f.post("/payouts", payoutBody(1, "22961234567")).refused(500, "internal_error")
	require.Len(t, f.s.PendingFaults(), 1)
	assert.Equal(t, 1, f.s.PendingFaults()[0].Times)
	f.post("/payouts", payoutBody(1, "22961234567")).refused(500, "internal_error")
	f.post("/payouts", payoutBody(1, "22961234567")).ok(202)
	assert.Empty(t, f.s.PendingFaults())
	assert.EqualValues(t, 999_999, f.wallet(mtnBenin))
	assert.Equal(t, "server_error", f.s.Requests()[2].Fault)
}

func TestFaultPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on, method, endpoint string
		hit                  bool
	}{
		{"", "GET", "/balance", true},
		{"GET", "GET", "/balance", true},
		{"GET", "POST", "/payouts", false},
		{"/balance", "GET", "/balance", true},
		{"/balance", "GET", "/operations", false},
		{"GET /operations/:id", "GET", "/operations/op_1", true},
		{"GET /operations/:id", "GET", "/operations", false},
		{"/operations/op_1", "GET", "/operations/op_2", false},
		{"/webhooks/*/test", "POST", "/webhooks/whs_1/test", true},
		{"/nothing", "GET", "/nothing", true}, // also where there is no route
	} {
		f := newFixture(t, Config{})
		require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset, On: c.on}))
		_, err := f.send(call{method: c.method, endpoint: c.endpoint, body: map[bool]string{true: "{}"}[c.method == "POST"]})
		assert.Equal(t, c.hit, err != nil, "%+v", c)
	}
}

func TestFaultsEndInTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset, Times: 10, For: time.Minute}))
	_, err := f.send(call{method: "GET", endpoint: "/balance"})
	require.Error(t, err)
	f.s.Clock().Advance(time.Minute)
	f.get("/balance").ok(200)
	assert.Empty(t, f.s.PendingFaults())
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset, Times: 10}))
	f.s.ClearFaults()
	f.get("/balance").ok(200)
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, c := range []struct {
		fault Fault
		wrong string
	}{
		{Fault{}, "unknown kind"},
		{Fault{Kind: "explosion"}, `unknown kind "explosion"`},
		{Fault{Kind: FaultReset, Times: -1}, "negative"},
		{Fault{Kind: FaultReset, For: -1}, "negative"},
		{Fault{Kind: FaultLatency}, "Fault.Delay"},
		{Fault{Kind: FaultServerError, Status: 404}, "404 is not a server error"},
		{Fault{Kind: FaultServerError, Status: 600}, "600"},
		{Fault{Kind: FaultUnavailable, Status: 500}, "want one of [503 429]"},
		{Fault{Kind: FaultReset, On: "post payouts"}, "Fault.On"},
		{Fault{Kind: FaultReset, On: "GET POST"}, "Fault.On"},
		{Fault{Kind: FaultReset, On: "/a /b"}, "Fault.On"},
	} {
		require.ErrorContains(t, f.s.AddFault(c.fault), c.wrong)
	}
	assert.Empty(t, f.s.PendingFaults())
}

func TestLatencyPassesOnTheServersClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultLatency, Delay: 3 * time.Second}))
	f.get("/balance").ok(200)
	assert.Equal(t, start.Add(3*time.Second), f.s.Clock().Now())

	// Latency comes before another fault, and both are spent.
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError}))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultLatency, Delay: time.Second}))
	f.get("/balance").refused(500, "internal_error")
	assert.Equal(t, start.Add(4*time.Second), f.s.Clock().Now())
	assert.Empty(t, f.s.PendingFaults())
}

func TestClientThatGivesUpDuringLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Config{Running: true})
		require.NoError(t, f.s.AddFault(Fault{Kind: FaultLatency, Delay: time.Minute}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := f.s.Transport().RoundTrip(f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567")}).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		synctest.Wait() // the server does not know that the client left, and executes the call
		assert.EqualValues(t, 999_999, f.wallet(mtnBenin))
	})
}

func TestRefusedAndResetConnectionsExecuteNothing(t *testing.T) {
	t.Parallel()
	for kind, errno := range map[FaultKind]syscall.Errno{FaultRefuse: syscall.ECONNREFUSED, FaultReset: syscall.ECONNRESET} {
		f := newFixture(t, Config{})
		require.NoError(t, f.s.AddFault(Fault{Kind: kind, On: "POST /payouts"}))
		c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), key: "cut-connection"}
		_, err := f.send(c)
		require.ErrorIs(t, err, errno)
		assert.Empty(t, f.get("/operations").at("data"))
		logged := f.s.Requests()[0]
		assert.Equal(t, string(kind), logged.Fault)
		assert.True(t, logged.Lost)
		assert.Empty(t, f.do(c).ok(202).header.Get("Idempotent-Replay"))
	}
}

func TestDroppedResponseIsExecuted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultDropResponse}))
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "dropped-response"}
	_, err := f.send(c)
	require.ErrorIs(t, err, io.EOF)
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
	assert.Equal(t, "true", f.do(c).ok(202).header.Get("Idempotent-Replay"))
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
}

func TestServerErrorAfterExecution(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, Status: 502, Executed: true}))
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "executed-500"}
	f.do(c).refused(502, "internal_error")
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
	assert.Equal(t, "true", f.do(c).ok(202).header.Get("Idempotent-Replay"))
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  Fault
		status int
		header string
	}{
		{Fault{Kind: FaultUnavailable}, 503, "1"},
		{Fault{Kind: FaultUnavailable, Status: 429, RetryAfter: "7"}, 429, "7"},
		{Fault{Kind: FaultUnavailable, RetryAfter: "Wed, 20 May 2026 10:31:00 GMT"}, 503, "Wed, 20 May 2026 10:31:00 GMT"},
		{Fault{Kind: FaultUnavailable, RetryAfter: "-"}, 503, ""},
	} {
		f := newFixture(t, Config{})
		require.NoError(t, f.s.AddFault(c.fault))
		a := f.post("/payouts", payoutBody(1, "22961234567")).ok(c.status)
		assert.Equal(t, c.header, a.header.Get("Retry-After"))
		assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
	}
}

func TestFaultsOnARealConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.Listen("127.0.0.1:0"))
	network := &http.Transport{DisableKeepAlives: true}
	post := func(rt http.RoundTripper) error {
		r := f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567")})
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(f.s.BaseURL(), "http://")
		r.GetBody = nil
		resp, err := rt.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	require.NoError(t, post(network))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultReset}))
	require.ErrorIs(t, post(network), syscall.ECONNRESET)
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultRefuse}))
	require.Error(t, post(network), "the server can only reset a connection it has accepted")
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultRefuse}))
	dialing := f.s.Dialing(network)
	require.ErrorIs(t, post(dialing), syscall.ECONNREFUSED, "a client of the server's own sees the refusal")
	require.NoError(t, post(dialing))
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultDropResponse}))
	require.ErrorIs(t, post(network), io.EOF)
	assert.EqualValues(t, 1_000_000-3, f.wallet(mtnBenin), "three were executed: two answered, one dropped")
	dialing.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	f.s.Dialing(f.s.Transport()).(interface{ CloseIdleConnections() }).CloseIdleConnections()
	found := false
	for _, r := range f.s.Requests() {
		found = found || r.Fault == "refuse" && r.ID == ""
	}
	assert.True(t, found, "the refused dial is in the journal")
}

func TestIdempotencyInProgressIsNotKept(t *testing.T) {
	t.Parallel()
	for executed, wallet := range map[bool]int64{false: 1_000_000, true: 999_000} {
		f := newFixture(t, Config{})
		require.NoError(t, f.s.AddFault(Fault{Kind: FaultIdempotencyInProgress, Executed: executed}))
		c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "under-way"}
		f.do(c).refused(409, "idempotency_in_progress")
		assert.Equal(t, wallet, f.wallet(mtnBenin))
		f.do(c).ok(202)
		assert.EqualValues(t, 999_000, f.wallet(mtnBenin), "executed once, before or after the refusal")
	}
}
