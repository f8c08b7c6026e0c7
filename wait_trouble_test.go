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

// A waiter who joins while a look-up for others is under way has his own deadline.
func TestDeadlineOfWhoJoinsDuringALookUpHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := waiting(t, 50, hang, finished(t))
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(0))
			assert.NoError(t, err)
		})
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 2*sec))
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(5*sec))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.WithinDuration(t, began.Add(5*sec), time.Now(), 20*ms)
		wg.Wait()
	})
}

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

// A clock that is set back while the server wants a pause does not make the pause longer than the server may ask for.
func TestClockThatIsSetBackDoesNotProlongAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := new(steppedClock)
		s := &script{t: t, steps: []step{answer(429, "{}", "Retry-After", "20")}, forever: finished(t)}
		client := newClient(t, s, intram.WithClock(clock), intram.WithJitter(50))
		began := time.Now()
		go func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), 5*time.Second))
			clock.step.Store(int64(-24 * time.Hour))
		}()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(0))
		require.NoError(t, err)
		assert.WithinDuration(t, began.Add(20*sec), time.Now(), 6*time.Minute)
	})
}

// However many wait, and whatever becomes of the look-ups, nobody waits longer than he wanted to and a second.
func TestDeadlinesHoldWhenLookUpsHaveToQueue(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 3, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
					if path.Base(req.URL.Path) == "operations" {
						return answer(403, `{"error":true}`)(req)
					}
					return hang(req)
				}}
				client := newClient(t, s, intram.WithJitter(50), intram.WithPollRate(rate))
				var wg sync.WaitGroup
				for i := range 60 {
					wg.Go(func() {
						began, most := time.Now(), time.Duration(i+1)*sec/3
						_, err := client.WaitForOperation(t.Context(), fmt.Sprintf("op_%d", i), intram.WithMaxWait(most))
						assert.ErrorIs(t, err, context.DeadlineExceeded)
						assert.GreaterOrEqual(t, time.Since(began), most)
						assert.LessOrEqual(t, time.Since(began), most+sec+150*ms, "op_%d", i)
					})
				}
				wg.Wait()
				synctest.Wait()
				assert.Zero(t, intram.PendingWaits(client))
			})
		})
	}
}

// leapingClock moves when it is slept on, like a fake server's, and tells of it before.
type leapingClock struct {
	countingClock

	before func(d time.Duration)
}

func (c *leapingClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.before != nil {
		c.before(d)
	}
	return c.countingClock.Sleep(context.WithoutCancel(ctx), d)
}

// Who begins to wait in the moment in which a fake clock leaps is looked up all the same.
func TestWaitIsLookedUpThoughTheClockLeapsOverItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leapingClock{countingClock: countingClock{now: at1030}}
		s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
			if path.Base(req.URL.Path) == "op_2" {
				return answer(200, exampleOf(t, "operation.payout.succeeded.current.json", "op_2"))(req)
			}
			return operation("processing")(req)
		}}
		client := newClient(t, s, intram.WithClock(clock), intram.WithJitter(50))
		var once sync.Once
		var wg sync.WaitGroup
		clock.before = func(time.Duration) {
			once.Do(func() {
				began := make(chan struct{})
				wg.Go(func() {
					close(began)
					_, err := client.WaitForOperation(t.Context(), "op_2", intram.WithMaxWait(5*sec))
					assert.NoError(t, err)
				})
				<-began
				for intram.PendingWaits(client) < 2 {
					assert.NoError(t, intram.SystemClock.Sleep(t.Context(), ms))
				}
			})
		}
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithPollInterval(20*sec, 20*sec), intram.WithMaxWait(time.Minute))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		wg.Wait()
	})
}

// On a clock that stands still unless it is slept on, a look-up that hangs holds up nobody else.
func TestLookUpThatHangsOnAFrozenClockHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &countingClock{now: at1030}
		polls := 0
		s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
			if path.Base(req.URL.Path) == "op_1" {
				return hang(req)
			}
			if polls++; polls < 4 {
				return answer(200, `{"error":false,"data":{"operation_id":"op_2","type":"payout","status":"processing"}}`)(req)
			}
			return answer(200, exampleOf(t, "operation.payout.succeeded.current.json", "op_2"))(req)
		}}
		client := newClient(t, s, intram.WithClock(clock), intram.WithJitter(50))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := client.WaitForOperation(ctx, "op_1", intram.WithMaxWait(0))
			assert.ErrorIs(t, err, context.Canceled)
		})
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_2")
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 10*sec)
		cancel()
		wg.Wait()
	})
}

// A transport that breaks a look-up off by a context of its own has not ended the caller's.
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

// hastyClock comes back from a sleep at once, and its time does not move.
type hastyClock struct{}

func (hastyClock) Now() time.Time                                   { return at1030 }
func (hastyClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// What was slept for has passed, whatever the clock then says.
func TestWaitEndsOnAClockThatNeverMoves(t *testing.T) {
	t.Parallel()
	s := &script{t: t, forever: operation("processing")}
	client := newClient(t, s, intram.WithClock(hastyClock{}), intram.WithJitter(50))
	ctx, cancel := context.WithTimeout(t.Context(), 20*sec)
	defer cancel()
	_, err := client.WaitForOperation(ctx, "op_1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ctx.Err(), "it ended by itself")
	assert.Len(t, s.requests(), 11)
}

// Many waiters come, go, are told of events, and meet every kind of trouble: each one ends, in time, with what is true.
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
