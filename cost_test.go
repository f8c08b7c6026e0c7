package intram_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// What a call costs, as far as it can be counted: allocations, bytes, requests and
// connections. Counts are the same on every machine, so they are tests; times are in
// bench/README.md. The race detector allocates on its own account, so that the tests
// which count memory pass over it, and CI runs them once more without it (make cost).

// allocationsAPage is how many a page of 100 transactions may make: 13.3 an item. How
// much more than a bare call a call may cost is in cost_go126_test.go and
// cost_go127_test.go.
const allocationsAPage = 1330

// TestAPayoutAllocatesLittleMoreThanABareCall compares with two clients written by hand
// in this file: one that signs nothing, has no idempotency key and no time limit, and one
// that does what the API asks of a client.
func TestAPayoutAllocatesLittleMoreThanABareCall(t *testing.T) { //nolint:paralleltest // it counts the whole process
	if raceDetector {
		return
	}
	base := cannedServer(t, http.StatusAccepted, compact(t, example(t, "payout.accepted.current.json")))
	client := costClient(t, base)
	params := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Currency: intram.XOF, Reference: "PO-2026-0001", Note: "Settlement hebdomadaire",
		Destination: intram.MobileMoney{
			CountryCode: "BJ", ProviderCode: intram.MTNBenin, MSISDN: "22961234567", AccountName: "Ada", AccountSurname: "Lovelace",
		},
		Metadata: map[string]any{"batch_id": "B-42"},
	}
	own := costOf(t, func() error { _, err := client.Payouts.Create(t.Context(), params); return err })
	bare := costOf(t, bareCall(t, http.MethodPost, base+"/payouts", bareBody, false))
	signed := costOf(t, bareCall(t, http.MethodPost, base+"/payouts", bareBody, true))
	t.Logf("a payout: %v; bare: %v; bare and signed: %v", own, bare, signed)
	assert.LessOrEqual(t, own.allocations, bare.allocations+moreAllocations)
	assert.LessOrEqual(t, own.allocations, signed.allocations, "signed by hand")
	assert.LessOrEqual(t, own.bytes*10, signed.bytes*11, "signed by hand")
	assert.LessOrEqual(t, own.bytes*100, bare.bytes*(100+moreBytes))
}

func TestAReadAllocatesLittleMoreThanABareRead(t *testing.T) { //nolint:paralleltest // it counts the whole process
	if raceDetector {
		return
	}
	base := cannedServer(t, http.StatusOK, compact(t, example(t, "payout.accepted.current.json")))
	client := costClient(t, base)
	own := costOf(t, func() error { _, err := client.Operations.Get(t.Context(), "op_2f4a8b1c"); return err })
	bare := costOf(t, bareCall(t, http.MethodGet, base+"/operations/op_2f4a8b1c", nil, false))
	t.Logf("a lookup: %v; bare: %v", own, bare)
	assert.LessOrEqual(t, own.allocations, bare.allocations+moreAllocations)
	assert.LessOrEqual(t, own.bytes*10, bare.bytes*13)
}

// moreWithATracer is how many allocations a call may make more with a tracer that is told
// everything and allocates nothing itself.
const moreWithATracer = 50

// Without a tracer nothing is allocated for one. What a call allocates with one is
// bounded too.
func TestATracerAllocatesNothingWhenThereIsNone(t *testing.T) { //nolint:paralleltest // it counts the whole process
	if raceDetector {
		return
	}
	assert.Zero(t, testing.AllocsPerRun(1000, intram.Untraced(t.Context())))
	base := cannedServer(t, http.StatusAccepted, compact(t, example(t, "payout.accepted.current.json")))
	plain := costClient(t, base)
	traced, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL(base), intram.WithTracer(idleTracer{}))
	require.NoError(t, err)
	t.Cleanup(traced.CloseIdleConnections)
	params := mobilePayout()
	without := costOf(t, func() error { _, err := plain.Payouts.Create(t.Context(), params); return err })
	with := costOf(t, func() error { _, err := traced.Payouts.Create(t.Context(), params); return err })
	t.Logf("a payout: %v; with a tracer: %v", without, with)
	assert.LessOrEqual(t, with.allocations, without.allocations+moreWithATracer)
}

// idleTracer is told everything of calls, and does nothing.
type idleTracer struct{}

func (idleTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context { return ctx }
func (idleTracer) TraceCallEnd(context.Context, intram.TraceCallEnd)                      {}
func (idleTracer) TraceAttemptStart(ctx context.Context, _ intram.TraceAttempt) context.Context {
	return ctx
}
func (idleTracer) TraceAttemptEnd(context.Context, intram.TraceAttemptEnd) {}
func (idleTracer) TraceBudgetSpent(context.Context, intram.TraceCall)      {}
func (idleTracer) TraceDoubt(context.Context, intram.TraceCall, int)       {}
func (idleTracer) TraceHeaders(context.Context, http.Header)               {}

func TestAPageOfTransactionsAllocatesLittle(t *testing.T) { //nolint:paralleltest // it counts the whole process
	if raceDetector {
		return
	}
	body := transactionPage(t)
	allocations := testing.AllocsPerRun(100, func() {
		page, err := intram.DecodeTransactions(body)
		if err != nil || len(page.Items) != 100 {
			t.Error(err)
		}
	})
	t.Logf("a page of 100 transactions: %v allocations", allocations)
	assert.LessOrEqual(t, int(allocations), allocationsAPage)
}

func TestACallIsOneRequest(t *testing.T) {
	t.Parallel()
	accepted, page := compact(t, example(t, "payout.accepted.current.json")), transactionPage(t)
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer := accepted
		if r.URL.Path == "/v1/transactions" {
			answer = page
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	client := costClient(t, server.URL)
	for name, call := range map[string]func() error{
		"a payout": func() error {
			_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
				Amount: intram.NewAmount(1), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
			})
			return err
		},
		"a lookup": func() error { _, err := client.Operations.Get(t.Context(), "op_2f4a8b1c"); return err },
		"a page of 100 transactions": func() error {
			_, err := client.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 100})
			return err
		},
	} {
		before := requests.Load()
		require.NoError(t, call(), name)
		assert.Equal(t, int64(1), requests.Load()-before, name)
	}
}

// The callers go in rounds, so that the bound is exact: see
// TestOneFailingCallInAHundredLeavesThePoolAlone, which has failures among them.
func TestCallersShareConnections(t *testing.T) {
	t.Parallel()
	const callers, rounds = 64, 30
	accepted := compact(t, example(t, "payout.accepted.current.json"))
	var arrived, opened, used, givenBack atomic.Int64
	var current atomic.Pointer[barrier]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		current.Load().pass()
		_, _ = w.Write(accepted)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := costClient(t, server.URL)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { used.Add(1) },
		PutIdleConn: func(err error) {
			if err == nil {
				givenBack.Add(1)
			}
		},
	})
	for range rounds {
		current.Store(newBarrier(callers))
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				_, err := client.Operations.Get(ctx, "op_2f4a8b1c")
				assert.NoError(t, err)
			})
		}
		wg.Wait()
	}
	assert.Equal(t, int64(callers*rounds), arrived.Load())
	lost := used.Load() - givenBack.Load()
	assert.LessOrEqual(t, opened.Load(), callers+lost)
	assert.LessOrEqual(t, lost, int64(callers*rounds/3), "what net/http drops on a busy machine is the exception")
}

// cost is what one call takes.
type cost struct{ allocations, bytes int }

func (c cost) String() string { return fmt.Sprintf("%d allocations, %d bytes", c.allocations, c.bytes) }

// costOf makes a call often, with one processor, and counts what this process allocates.
// The server allocates nothing.
func costOf(t *testing.T, call func() error) cost {
	t.Helper()
	const warm, counted = 100, 2000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range warm {
		require.NoError(t, call())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range counted {
		if err := call(); err != nil {
			require.NoError(t, err)
		}
	}
	runtime.ReadMemStats(&after)
	// Whole ones, as testing.AllocsPerRun counts.
	return cost{int(after.Mallocs-before.Mallocs) / counted, int(after.TotalAlloc-before.TotalAlloc) / counted}
}

// costClient is the SDK as it comes.
func costClient(t *testing.T, base string) *intram.Client {
	t.Helper()
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// bareBody is a payout as a developer would write it who calls the API by hand.
func bareBody() any {
	type destination struct {
		Type           string `json:"type"`
		CountryCode    string `json:"country_code"`
		ProviderCode   string `json:"provider_code"`
		MSISDN         string `json:"msisdn"`
		AccountName    string `json:"account_name"`
		AccountSurname string `json:"account_surname"`
	}
	return struct {
		Amount      int64          `json:"amount"`
		Currency    string         `json:"currency"`
		Destination destination    `json:"destination"`
		Reference   string         `json:"reference"`
		Note        string         `json:"note"`
		Metadata    map[string]any `json:"metadata"`
	}{
		25000, "XOF", destination{"mobile_money", "BJ", "MTN_BENIN_229", "22961234567", "Ada", "Lovelace"},
		"PO-2026-0001", "Settlement hebdomadaire", map[string]any{"batch_id": "B-42"},
	}
}

// bareCall is the same call by net/http alone. signed adds what the API asks for: a
// signature, a key, and a time limit.
func bareCall(t *testing.T, method, url string, body func() any, signed bool) func() error {
	t.Helper()
	transport := intram.NewHTTPTransport()
	t.Cleanup(transport.CloseIdleConnections)
	hc := &http.Client{Transport: transport}
	if signed {
		hc.Timeout = 30 * time.Second
	}
	return func() error {
		var data []byte
		var reader io.Reader
		if body != nil {
			var err error
			if data, err = json.Marshal(body()); err != nil {
				return err
			}
			reader = bytes.NewReader(data)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url, reader)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", publicKey)
		if signed {
			timestamp := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
			mac := hmac.New(sha256.New, []byte(secretKey))
			mac.Write([]byte(timestamp + "\nPOST\n/api/v1/merchant/payouts\n\n"))
			mac.Write(data)
			req.Header.Set("X-Timestamp", timestamp)
			req.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
			req.Header.Set("Idempotency-Key", uuid.NewString())
		}
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		var operation struct {
			Error      bool `json:"error"`
			HTTPStatus int  `json:"http_status"`
			Data       struct {
				ID      string          `json:"operation_id"`
				Type    string          `json:"type"`
				Status  string          `json:"status"`
				Env     string          `json:"env"`
				Payload json.RawMessage `json:"payload"`
				Date    time.Time       `json:"date"`
			} `json:"data"`
		}
		return json.Unmarshal(answer, &operation)
	}
}

// cannedServer gives one response to everything, and allocates nothing for it. It returns
// its base URL.
func cannedServer(t *testing.T, status int, body []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answer := []byte(fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nDate: Wed, 20 May 2026 10:30:00 GMT\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveCanned(conn, answer) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait() // cleanups run last first: the clients have let go of their connections
	})
	return "http://" + listener.Addr().String() + "/v1"
}

func serveCanned(conn net.Conn, answer []byte) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 16<<10)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= len("\r\n") {
				break
			}
			if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(value))) // a short string that does not escape: no allocation
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
