package intram_test

import (
	"net/http"
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

// Among many operations of another type, a page of one type reaches further.
func TestPagesAreOfTheTypeThatIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		var ids []string
		for range 60 {
			ids = append(ids, payMany(t, client, 1, 2*time.Millisecond)...)
			for range 4 { // other business
				_, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{Invoice: intram.Invoice{
					Amount: intram.NewAmount(1000), Currency: intram.XOF, Customer: intram.Customer{Email: "a@example.com"},
				}})
				require.NoError(t, err)
				require.NoError(t, intram.SystemClock.Sleep(t.Context(), 2*time.Millisecond))
			}
		}
		var all, payouts atomic.Int64
		requests.edit = func(route string, resp *http.Response) {
			switch {
			case route != "GET /operations":
			case strings.Contains(resp.Request.URL.RawQuery, "type=payout"):
				payouts.Add(1)
			default:
				all.Add(1)
			}
		}
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				_, err := client.WaitForOperation(t.Context(), id, intram.WithInitialDelay(time.Second))
				assert.NoError(t, err)
			})
		}
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 45*time.Second))
		for _, id := range ids {
			require.NoError(t, server.Complete(id))
		}
		wg.Wait()
		assert.LessOrEqual(t, all.Load(), int64(5), "until their type has been seen")
		assert.Positive(t, payouts.Load())
		assert.LessOrEqual(t, payouts.Load(), int64(20), "then a page or two for all sixty at a time")
		assert.LessOrEqual(t, requests.of("GET /operations/{id}"), 3)
	})
}

// Far apart, they are not on one page, and a page would only be a larger response.
func TestOperationsFarApartAreLookedUpByID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		var ids []string
		for range 5 {
			ids = append(ids, payMany(t, client, 1, 0)...)
			payMany(t, client, 150, 20*time.Millisecond)
		}
		n := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for op, err := range client.WaitMany(t.Context(), ids) {
				assert.NoError(t, err)
				assert.Contains(t, ids, op.ID)
				n++
			}
		}()
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 10*time.Minute))
		for _, id := range ids {
			require.NoError(t, server.Complete(id))
		}
		<-done
		assert.Equal(t, 5, n)
		assert.Greater(t, requests.of("GET /operations/{id}"), requests.of("GET /operations"))
	})
}

// An hour of waiting takes no time in a bubble, and about one lookup in ten seconds.
func TestAnHourOfWaitingTakesNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 50, 3*time.Millisecond)
		began := time.Now()
		go func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), time.Hour))
			for _, id := range ids {
				assert.NoError(t, server.Complete(id))
			}
		}()
		n := 0
		for _, err := range client.WaitMany(t.Context(), ids) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, 50, n)
		assert.GreaterOrEqual(t, time.Since(began), time.Hour)
		assert.Less(t, time.Since(began), time.Hour+20*time.Second)
		assert.InDelta(t, 360, requests.looks(), 40, "one page every ten seconds, for all fifty")
	})
}
