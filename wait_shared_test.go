package intram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// counted counts a client's requests, by method and route.
type counted struct {
	next http.RoundTripper

	mu     sync.Mutex
	counts map[string]int
	live   int
	most   int
	// edit, when set, changes the response.
	edit func(route string, resp *http.Response)
}

func (c *counted) RoundTrip(req *http.Request) (*http.Response, error) {
	route := req.Method + " " + strings.TrimPrefix(req.URL.Path, "/v1")
	if strings.HasPrefix(route, "GET /operations/") {
		route = "GET /operations/{id}"
	}
	c.mu.Lock()
	c.counts[route]++
	c.live++
	c.most = max(c.most, c.live)
	edit := c.edit
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.live--
		c.mu.Unlock()
	}()
	resp, err := c.next.RoundTrip(req)
	if err == nil && edit != nil {
		edit(route, resp)
	}
	return resp, err
}

// rewrite replaces a response's body.
func rewrite(resp *http.Response, status int, body []byte) {
	_ = resp.Body.Close()
	resp.StatusCode, resp.ContentLength, resp.Body = status, int64(len(body)), io.NopCloser(bytes.NewReader(body))
}

// editItems rewrites a page's items; those for which edit returns false are left out.
func editItems(t *testing.T, resp *http.Response, edit func(item map[string]any) bool) {
	t.Helper()
	var page struct {
		Error  bool             `json:"error"`
		Status int              `json:"http_status"`
		Data   []map[string]any `json:"data"`
		Paging map[string]any   `json:"paging"`
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &page))
	page.Data = slices.DeleteFunc(page.Data, func(item map[string]any) bool { return !edit(item) })
	body, err = json.Marshal(page)
	require.NoError(t, err)
	rewrite(resp, resp.StatusCode, body)
}

func (c *counted) of(route string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[route]
}

// looks is how many lookups there were.
func (c *counted) looks() int { return c.of("GET /operations") + c.of("GET /operations/{id}") }

// manyWaits is a fake and a client in a synctest bubble, with the client's requests
// counted.
func manyWaits(t *testing.T, worker intramtest.Worker, opts ...intram.ClientOption) (*intramtest.Server, *intram.Client, *counted) {
	t.Helper()
	server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithSeed(1), intramtest.WithRunningClock(), intramtest.WithWorker(worker),
		intramtest.WithJournalSize(1))
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c := &counted{next: server.Transport(), counts: map[string]int{}}
	client, err := intram.NewClient(server.PublicKey, server.SecretKey, append([]intram.ClientOption{
		intram.WithBaseURL(server.URL), intram.WithHTTPClient(&http.Client{Transport: c}), intram.WithClock(server.Clock()), intram.WithJitter(50),
	}, opts...)...)
	require.NoError(t, err)
	return server, client, c
}

// payMany creates n payouts, one every so often, and returns their operations' ids.
func payMany(t *testing.T, client *intram.Client, n int, every time.Duration) []string {
	t.Helper()
	var ids []string
	for range n {
		op, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
			Amount: intram.NewAmount(1), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000", CountryCode: "BJ"},
		})
		require.NoError(t, err)
		ids = append(ids, op.ID)
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), every))
	}
	return ids
}

func TestTenThousandWaitsShareTheirLookUps(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out the tests of thousands of waits") //nolint:forbidigo // asked for; CI runs without -short
	}
	n := 10_000
	if raceDetector {
		n = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, n, 2*time.Millisecond)
		var wg sync.WaitGroup
		ended := make(map[string]time.Time, n) // by the fake
		var mu sync.Mutex
		var lags []time.Duration
		began := time.Now()
		for _, id := range ids {
			wg.Go(func() {
				op, err := client.WaitForOperation(t.Context(), id, intram.WithMaxWait(2*time.Minute))
				if assert.NoError(t, err) {
					mu.Lock()
					defer mu.Unlock()
					assert.Equal(t, id, op.ID)
					lags = append(lags, time.Since(ended[id]))
				}
			})
		}
		synctest.Wait()
		// They finish over 60 seconds, in an order of their own.
		for i := range ids {
			id := ids[(i*7919)%len(ids)]
			if wait := time.Duration(i)*60*time.Second/time.Duration(n) - time.Since(began); wait > 0 {
				require.NoError(t, intram.SystemClock.Sleep(t.Context(), wait))
			}
			mu.Lock()
			ended[id] = time.Now()
			mu.Unlock()
			require.NoError(t, server.Complete(id))
		}
		wg.Wait()
		slices.Sort(lags)
		thousandths := requests.looks() * 1000 / n
		t.Logf("%d operations: %d pages and %d single lookups, 0.%03d an operation; from the end to the waiter %v in the middle, %v for 99 %%, %v at most",
			n, requests.of("GET /operations"), requests.of("GET /operations/{id}"), thousandths, lags[n/2], lags[n*99/100], lags[n-1])
		if !raceDetector {
			assert.LessOrEqual(t, thousandths, 150)
		}
		assert.LessOrEqual(t, requests.most, 64)
	})
}

// A clock that is corrected costs a lookup a second attempt, which must not make the wait
// longer.
func TestCorrectedClockDoesNotProlongAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := func(req *http.Request) (*http.Response, error) {
			if err := intram.SystemClock.Sleep(req.Context(), 9*sec); err != nil {
				return nil, err
			}
			return answer(401, `{"error":true,"code":"signature_invalid","message":"Signature verification failed: timestamp_out_of_window"}`,
				"Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))(req)
		}
		client, s := waiting(t, 50, late, hang)
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(10*sec))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.WithinDuration(t, began.Add(10*sec), time.Now(), 20*ms)
		assert.Len(t, s.requests(), 2)
	})
}

// The poll rate bounds all waits together, and the oldest gets its turn however many
// come.
func TestPollRateBoundsAllWaitsAndStarvesNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand(), intram.WithPollRate(5))
		requests.edit = func(route string, resp *http.Response) {
			if route == "GET /operations" {
				rewrite(resp, 403, []byte(`{"error":true,"code":"merchant_inactive"}`)) // so that each costs a lookup of its own
			}
		}
		oldest := payMany(t, client, 1, time.Millisecond)[0]
		var ended atomic.Int64
		var wg sync.WaitGroup
		began := time.Now()
		wg.Go(func() {
			_, err := client.WaitForOperation(t.Context(), oldest, intram.WithMaxWait(0))
			assert.NoError(t, err)
			ended.Store(int64(time.Since(began)))
		})
		ctx, cancel := context.WithCancel(t.Context())
		for range 30 { // new ones, all the time, more than the rate has lookups for
			for _, id := range payMany(t, client, 10, time.Millisecond) {
				wg.Go(func() { _, _ = client.WaitForOperation(ctx, id, intram.WithMaxWait(0)) })
			}
			require.NoError(t, intram.SystemClock.Sleep(ctx, time.Second))
		}
		require.NoError(t, server.Complete(oldest))
		require.NoError(t, intram.SystemClock.Sleep(ctx, 2*time.Minute))
		assert.NotZero(t, ended.Load(), "300 operations at 5 a second: the oldest has its turn within a minute")
		assert.LessOrEqual(t, requests.looks(), 5*int(time.Since(began)/time.Second)+5+1)
		cancel()
		wg.Wait()
	})
}

// The list may be some seconds behind, and say of what has ended that it has not.
func TestListThatLagsMisleadsNobody(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*testing.T, *http.Response){
		"new operations are not on it yet": func(t *testing.T, resp *http.Response) {
			t.Helper()
			editItems(t, resp, func(item map[string]any) bool {
				date, err := time.Parse(time.RFC3339Nano, fmt.Sprint(item["date"]))
				return err == nil && time.Since(date) > 20*time.Second
			})
		},
		"it says processing for a while": func(t *testing.T, resp *http.Response) {
			t.Helper()
			editItems(t, resp, func(item map[string]any) bool {
				updated, err := time.Parse(time.RFC3339Nano, fmt.Sprint(item["updated_date"]))
				if err == nil && time.Since(updated) < 30*time.Second {
					item["status"], item["result"] = "processing", nil
				}
				return true
			})
		},
		"it is empty": func(t *testing.T, resp *http.Response) {
			t.Helper()
			editItems(t, resp, func(map[string]any) bool { return false })
		},
		"it leaves out the results": func(t *testing.T, resp *http.Response) {
			t.Helper()
			editItems(t, resp, func(item map[string]any) bool { delete(item, "result"); return true })
		},
		"it is refused": func(_ *testing.T, resp *http.Response) {
			rewrite(resp, 403, []byte(`{"error":true,"code":"merchant_inactive"}`))
		},
		"it fails": func(_ *testing.T, resp *http.Response) {
			rewrite(resp, 500, []byte(`{"error":true,"code":"internal_error"}`))
		},
		"it is odd":   func(_ *testing.T, resp *http.Response) { rewrite(resp, 200, []byte(`{"error":false,"data":[{}]}`)) },
		"it is odder": func(_ *testing.T, resp *http.Response) { rewrite(resp, 200, []byte(`<html>`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, client, requests := manyWaits(t, intramtest.After(5*time.Second))
				requests.edit = func(route string, resp *http.Response) {
					if route == "GET /operations" {
						edit(t, resp)
					}
				}
				ids := payMany(t, client, 40, 3*time.Millisecond)
				n := 0
				for op, err := range client.WaitMany(t.Context(), ids, intram.WithMaxWait(5*time.Minute)) {
					require.NoError(t, err)
					assert.Contains(t, ids, op.ID)
					result, ok := op.Result.(*intram.PayoutResult)
					require.True(t, ok, "with its result")
					assert.Equal(t, "completed", string(result.Status))
					n++
				}
				assert.Equal(t, 40, n)
			})
		})
	}
}

// More than a page was made in one millisecond: the cursor cannot get past it, and the
// ids do.
func TestOperationsOfOneMillisecondAreAllSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, requests := manyWaits(t, intramtest.After(3*time.Second))
		ids := payMany(t, client, 250, 0)
		n := 0
		for op, err := range client.WaitMany(t.Context(), ids) {
			require.NoError(t, err)
			assert.Contains(t, ids, op.ID)
			n++
		}
		assert.Equal(t, 250, n)
		assert.Less(t, requests.looks(), 1000)
	})
}

// Ids of an earlier process, of days ago and with others between them, are found without
// asking for each.
func TestWaitsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 1000, 5*time.Millisecond)
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 48*time.Hour))
		payMany(t, client, 300, 50*time.Millisecond) // newer ones, which are none of ours
		for _, id := range ids[:990] {
			require.NoError(t, server.Complete(id))
		}
		requests := &counted{next: server.Transport(), counts: map[string]int{}}
		after, err := intram.NewClient(server.PublicKey, server.SecretKey, intram.WithBaseURL(server.URL), intram.WithClock(server.Clock()),
			intram.WithHTTPClient(&http.Client{Transport: requests}))
		require.NoError(t, err)
		began, n := time.Now(), 0
		for op, err := range after.WaitMany(t.Context(), ids) {
			require.NoError(t, err)
			assert.Contains(t, ids, op.ID)
			if n++; n == 990 {
				t.Logf("990 ended operations found after %v by %d pages and %d single lookups", time.Since(began),
					requests.of("GET /operations"), requests.of("GET /operations/{id}"))
				assert.Less(t, requests.looks(), 150)
				for _, id := range ids[990:] {
					require.NoError(t, server.Complete(id))
				}
			}
		}
		assert.Equal(t, 1000, n)
	})
}

// Waits for transactions share their lookups too.
func TestWaitsForTransactionsShareTheirLookUps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.AtOnce())
		var references []string
		for range 100 {
			op, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{Invoice: intram.Invoice{
				Amount: intram.NewAmount(1000), Currency: intram.XOF, Customer: intram.Customer{Email: "a@example.com"},
			}})
			require.NoError(t, err)
			created, err := client.PaymentRequests.Wait(t.Context(), op.ID)
			require.NoError(t, err)
			references = append(references, created.TransactionReference)
			require.NoError(t, intram.SystemClock.Sleep(t.Context(), 10*time.Millisecond))
		}
		var wg sync.WaitGroup
		for _, reference := range references {
			wg.Go(func() {
				tx, err := client.Transactions.Wait(t.Context(), reference)
				if assert.NoError(t, err) {
					assert.Equal(t, reference, tx.Reference)
					assert.Equal(t, intram.TransactionSuccess, tx.Status)
				}
			})
		}
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), time.Minute))
		for _, reference := range references {
			require.NoError(t, server.Pay(reference))
		}
		wg.Wait()
		single := 0
		for route, n := range requests.counts {
			if strings.HasPrefix(route, "GET /transactions/") {
				single += n
			}
		}
		assert.LessOrEqual(t, single+requests.of("GET /transactions"), 40)
	})
}

// A clock that cannot be waited by ends the waits instead of spinning.
func TestClockThatFailsEndsAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, forever: operation("processing")}
		broken := errors.New("the clock is broken")
		client := newClient(t, s, intram.WithClock(brokenClock{broken}))
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.ErrorIs(t, err, broken)
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, intram.OperationProcessing, wait.Operation.Status)
		assert.Equal(t, "op_1", wait.Operation.ID)
		assert.Equal(t, "op_1", wait.ID)
	})
}

type brokenClock struct{ err error }

func (brokenClock) Now() time.Time                               { return time.Now() }
func (c brokenClock) Sleep(context.Context, time.Duration) error { return c.err }

// A page that took long shows what was, and a lookup that overtook it what is.
func TestSlowPageDoesNotTakeAStateBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 4, 5*time.Millisecond)
		requests.edit = func(route string, _ *http.Response) {
			if route == "GET /operations" {
				_ = intram.SystemClock.Sleep(context.Background(), 5*time.Second) // it has been made, and is on its way
			}
		}
		var wg sync.WaitGroup
		for _, id := range ids[:3] {
			wg.Go(func() {
				_, err := client.WaitForOperation(t.Context(), id, intram.WithInitialDelay(time.Second))
				assert.NoError(t, err)
			})
		}
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 1500*time.Millisecond))
		require.Equal(t, 1, requests.of("GET /operations"))
		require.NoError(t, server.Process(ids[3])) // the page that is on its way says queued
		var shown []intram.OperationStatus
		wg.Go(func() {
			_, err := client.WaitForOperation(t.Context(), ids[3], intram.WithProgress(func(op *intram.Operation) { shown = append(shown, op.Status) }))
			assert.NoError(t, err)
		})
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 8*time.Second))
		for _, id := range ids {
			require.NoError(t, server.Complete(id))
		}
		wg.Wait()
		assert.NotContains(t, shown, intram.OperationQueued)
		assert.Contains(t, shown, intram.OperationProcessing)
	})
}
