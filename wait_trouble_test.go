package intram_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"path"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// Times so long that they stand for "no end" are no end.
func TestWaitsTakeTimesOfAnyLength(t *testing.T) {
	t.Parallel()
	const most = time.Duration(math.MaxInt64)
	for name, tt := range map[string]struct {
		opts  []intram.WaitOption
		after time.Duration
	}{
		"max wait":    {[]intram.WaitOption{intram.WithMaxWait(most)}, sec},
		"first look":  {[]intram.WaitOption{intram.WithInitialDelay(most), intram.WithMaxWait(time.Hour)}, time.Hour},
		"both":        {[]intram.WaitOption{intram.WithInitialDelay(30 * sec), intram.WithMaxWait(most - 1)}, 31 * sec},
		"highest":     {[]intram.WaitOption{intram.WithPollInterval(sec, most)}, sec},
		"lowest, too": {[]intram.WaitOption{intram.WithPollInterval(most, most), intram.WithMaxWait(time.Hour)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				require.NoError(t, intram.SystemClock.Sleep(t.Context(), sec))
				client, _ := waiting(t, 100, operation("queued"), finished(t))
				require.NoError(t, intram.SystemClock.Sleep(t.Context(), sec))
				began := time.Now()
				if name == "first look" {
					client, _ = waiting(t, 100, finished(t))
				}
				_, err := client.WaitForOperation(t.Context(), "op_1", tt.opts...)
				require.NoError(t, err)
				assert.WithinDuration(t, began.Add(tt.after), time.Now(), 300*ms)
			})
		})
	}
}

// A function that is given to WithProgress may panic, and its wait is over then.
func TestWaitEndsWithAPanicOfItsProgress(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(*testing.T, *intram.Client, ...intram.WaitOption){
		"one": func(t *testing.T, c *intram.Client, opts ...intram.WaitOption) {
			t.Helper()
			_, err := c.WaitForOperation(t.Context(), "op_1", opts...)
			assert.NoError(t, err)
		},
		"many": func(t *testing.T, c *intram.Client, opts ...intram.WaitOption) {
			t.Helper()
			for op, err := range c.WaitMany(t.Context(), []string{"op_1"}, opts...) {
				t.Error(op, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, s := waiting(t, 50)
				s.forever = operation("processing")
				opts := []intram.WaitOption{intram.WithMaxWait(0), intram.WithProgress(func(*intram.Operation) { panic("the caller's own") })}
				assert.PanicsWithValue(t, "the caller's own", func() { wait(t, client, opts...) })
				synctest.Wait()
				assert.Zero(t, intram.PendingWaits(client))
				sent := len(s.requests())
				require.NoError(t, intram.SystemClock.Sleep(t.Context(), time.Minute))
				assert.Len(t, s.requests(), sent)
			})
		})
	}
}

// A transport that breaks a lookup off by a context of its own has not ended the
// caller's.
func TestLookUpThatItsTransportBreaksOffIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, broken := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			client, _ := waiting(t, 50, func(*http.Request) (*http.Response, error) { return nil, broken }, finished(t))
			_, err := client.WaitForOperation(t.Context(), "op_1")
			require.NoError(t, err)
		})
	}
}

// Many waiters come, go, are told of events, and meet every kind of trouble: each one
// ends, in time, with what is true.
func TestWaitersInAnyTroubleEndInTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { trouble(t, seed) })
	}
}

func trouble(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 7))
	var mu sync.Mutex
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	began := time.Now()
	ends := map[string]time.Duration{}
	state := func(id string) string {
		status := "processing"
		if end := ends[id]; time.Since(began) >= end {
			status = "succeeded"
		}
		return fmt.Sprintf(`{"operation_id":%q,"type":"payout","status":%q,"attempts":1,"date":%q,"result":{"reference":"R","status":"completed"}}`,
			id, status, began.Add(-time.Duration(len(namesOf(ends))-number(id))*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	const n = 30
	for i := range n {
		ends[fmt.Sprintf("op_%d", i)] = time.Duration(draw(60)) * sec
	}
	s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
		id := path.Base(req.URL.Path)
		list := id == "operations"
		var body string
		if !list {
			body = `{"error":false,"data":` + state(id) + `}`
		} else {
			body = `{"error":false,"data":[`
			for i := n - 1; i >= 0; i-- {
				if i < n-1 {
					body += ","
				}
				body += state(fmt.Sprintf("op_%d", i))
			}
			body += `],"paging":{"limit":100,"next_before":null}}`
		}
		switch draw(12) {
		case 0:
			return hang(req)
		case 1:
			return lost(req)
		case 2:
			return answer(429, "{}", "Retry-After", fmt.Sprint(draw(8)))(req)
		case 3:
			return answer(500, "")(req)
		case 4:
			return answer(200, "<html>")(req)
		case 5, 6:
			if err := intram.SystemClock.Sleep(req.Context(), time.Duration(draw(8000))*ms); err != nil {
				return nil, err
			}
		case 7:
			return answer(200, body, "Retry-After", fmt.Sprint(draw(8)))(req)
		}
		return answer(200, body)(req)
	}}
	client := newClient(t, s, intram.WithJitter(draw(101)), intram.WithPollRate(1+draw(20)))
	var wg sync.WaitGroup
	for range 150 {
		pauses, id := time.Duration(draw(60_000))*ms, fmt.Sprintf("op_%d", draw(n))
		maxWait, gone := time.Duration(draw(40))*sec, time.Duration(draw(200))*sec
		opts := []intram.WaitOption{intram.WithMaxWait(maxWait), intram.WithInitialDelay(time.Duration(draw(2)*draw(30)) * sec)}
		if draw(3) == 0 {
			opts = append(opts, intram.WithProgress(func(op *intram.Operation) { assert.NotEmpty(t, op.ID) }))
		}
		many := draw(5) == 0
		wg.Go(func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), pauses))
			ctx, cancel := context.WithTimeout(t.Context(), gone)
			defer cancel()
			start := time.Now()
			check := func(op *intram.Operation, err error) {
				took := time.Since(start)
				if maxWait > 0 {
					assert.LessOrEqual(t, took, maxWait+sec+150*ms)
				}
				assert.LessOrEqual(t, took, gone)
				if err == nil {
					assert.GreaterOrEqual(t, time.Since(began), ends[op.ID], "it has ended")
					return
				}
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.True(t, took >= gone || maxWait > 0 && took >= maxWait, "%v of %v and %v", took, maxWait, gone)
			}
			if !many {
				op, err := client.WaitForOperation(ctx, id, opts...)
				if err == nil {
					assert.Equal(t, id, op.ID)
				}
				check(op, err)
				return
			}
			names, seen := namesOf(ends), 0
			for op, err := range client.WaitMany(ctx, append(names, names...), opts...) {
				seen++
				check(op, err)
			}
			assert.Equal(t, n, seen)
		})
	}
	for id, end := range ends {
		wg.Go(func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), end))
			client.Notify(&intram.Event{Type: intram.EventPayoutCompleted, OperationID: id, OccurredAt: time.Now(), Data: &intram.PayoutEventData{
				PayoutResult: intram.PayoutResult{Reference: "R", Status: "completed"},
			}})
		})
	}
	wg.Wait()
	synctest.Wait()
	assert.Zero(t, intram.PendingWaits(client))
}

func number(id string) (n int) {
	_, _ = fmt.Sscanf(id, "op_%d", &n)
	return n
}

func namesOf(of map[string]time.Duration) []string {
	names := make([]string, 0, len(of))
	for i := range len(of) {
		names = append(names, fmt.Sprintf("op_%d", i))
	}
	return names
}
