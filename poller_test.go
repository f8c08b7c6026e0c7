package intram_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
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
	each   func(*http.Request)
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
	each := c.each
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.live--
		c.mu.Unlock()
	}()
	if each != nil {
		each(req)
	}
	return c.next.RoundTrip(req)
}

func (c *counted) of(route string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[route]
}

// looks is how many look-ups there were.
func (c *counted) looks() int { return c.of("GET /operations") + c.of("GET /operations/{id}") }

// manyWaits is a fake and a client in a synctest bubble, with the client's requests counted.
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
		perOperation := float64(requests.looks()) / float64(n)
		t.Logf("%d operations: %d pages and %d single look-ups, %.3f an operation; from the end to the waiter %v in the middle, %v for 99 %%, %v at most",
			n, requests.of("GET /operations"), requests.of("GET /operations/{id}"), perOperation, lags[n/2], lags[n*99/100], lags[n-1])
		if !raceDetector {
			assert.LessOrEqual(t, perOperation, 0.15)
		}
		assert.LessOrEqual(t, requests.most, 64)
	})
}
