package poll_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

func TestWaitersOfOneIDShareItsLookups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(1, ms)
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			_ = clock{}.Sleep(ctx, ms) // until all have joined
			return pending(ctx, id)
		}
		p := s.poller(20)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				got, err := p.Wait(t.Context(), ids[0], schedule, nil)
				if assert.NoError(t, err) {
					assert.Equal(t, ids[0], got.id)
				}
			})
		}
		sleep(t, 5*sec)
		s.respond(done)
		wg.Wait()
		times := s.times(ids[0])
		for i := range times {
			times[i] = times[i].Truncate(100 * ms)
		}
		assert.Equal(t, []time.Duration{0, sec, 2500 * ms, 4700 * ms, 8100 * ms}, times, "for all of them")
		_, pages := s.lookups()
		assert.Zero(t, pages)
	})
}

// A waiter that comes later is served no later than if it were alone, and does not make
// the polls more frequent than its schedule's shortest pause.
func TestJoiningAWaitSetsItsPaceBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(1, ms)
		p := s.poller(20)
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				assert.NoError(t, clock{}.Sleep(t.Context(), time.Duration(n)*100*ms))
				_, err := p.Wait(t.Context(), ids[0], maxWait(20*sec), nil)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		sleep(t, 10*sec)
		assert.InDelta(t, 10, len(s.times(ids[0])), 2, "once a second while others join")
		wg.Wait()
	})
}

// A wait that ends, in whatever way, leaves the others as they are.
func TestWaitersComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(1, ms)
		p := s.poller(20)
		var wg sync.WaitGroup
		wait := func(cancelAfter time.Duration, schedule *poll.Schedule, want time.Duration, end error) {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if cancelAfter > 0 {
					go func() {
						if (clock{}).Sleep(ctx, cancelAfter) == nil {
							cancel()
						}
					}()
				}
				last, err := p.Wait(ctx, ids[0], schedule, nil)
				assert.ErrorIs(t, err, end)
				assert.Equal(t, ids[0], last.id, "what was last seen of it")
				assert.Equal(t, want, time.Since(s.began))
			})
		}
		wait(3*sec, endless, 3*sec, context.Canceled)
		wait(0, maxWait(4*sec), 4*sec, context.DeadlineExceeded)
		wait(7*sec, endless, 7*sec, context.Canceled)
		wait(0, maxWait(2500*ms), 2500*ms, context.DeadlineExceeded)
		var last time.Duration
		wg.Go(func() {
			_, err := p.Wait(t.Context(), ids[0], schedule, nil)
			assert.NoError(t, err)
			last = time.Since(s.began)
		})
		sleep(t, 9*sec)
		s.set(ids[0], finished)
		wg.Wait()
		assert.Greater(t, last, 9*sec)
		assert.Less(t, last, 20*sec)
	})
}

// A wait that is over leaves nothing behind: no goroutine, no lookup in flight, no memory
// of it.
func TestNothingIsLeftOfAWaitThatWasGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		canceled := make(chan struct{})
		s.get = func(ctx context.Context, _ string) (*item, time.Duration, error) {
			<-ctx.Done()
			close(canceled)
			return nil, 0, errTransient
		}
		p := s.poller(20)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, err := p.Wait(ctx, "op_1", schedule, nil)
			assert.ErrorIs(t, err, context.Canceled)
		}()
		synctest.Wait()
		began := time.Now()
		cancel()
		<-ended
		<-canceled
		synctest.Wait()
		assert.Zero(t, time.Since(began), "at once, and its lookup too")
		assert.Zero(t, p.Pending())
	})
}

func TestAWaitEndsWithAPanicOfItsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(pending)
		p := s.poller(20)
		shout := func(*item) { panic("the caller's own") }
		assert.PanicsWithValue(t, "the caller's own", func() { _, _ = p.Wait(t.Context(), "op_1", endless, shout) })
		assert.PanicsWithValue(t, "the caller's own", func() {
			p.WaitMany(t.Context(), []string{"op_1"}, endless, shout, func(string, *item, error) bool { return true })
		})
		synctest.Wait()
		assert.Zero(t, p.Pending())
	})
}

// Progress of a single wait ends with the finished item; that of a batch shows unfinished
// ones only.
func TestProgressShowsEachLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		fail := func(context.Context, string) (*item, time.Duration, error) { return nil, 0, errTransient }
		var one, many []int
		s.respond(responses(pending, fail, pending, done))
		_, err := s.poller(20).Wait(t.Context(), "op_1", schedule, func(i *item) { one = append(one, i.state) })
		require.NoError(t, err)
		assert.Equal(t, []int{processing, processing, finished}, one)
		s.respond(responses(pending, fail, pending, done))
		s.poller(20).WaitMany(t.Context(), []string{"op_1"}, schedule, func(i *item) { many = append(many, i.state) }, func(_ string, i *item, err error) bool {
			assert.NoError(t, err)
			assert.Equal(t, finished, i.state)
			return true
		})
		assert.Equal(t, []int{processing, processing}, many)
	})
}

// A waiter that has less time than a lookup takes is not kept by one that has more,
// whichever came first.
func TestADeadlineHoldsDuringALookupForAnotherWaiter(t *testing.T) {
	t.Parallel()
	for _, joins := range []time.Duration{0, 2 * sec} { // before the lookup begins, and while it is in flight
		synctest.Test(t, func(t *testing.T) {
			s, _ := newServer(0, 0)
			s.respond(responses(pending, hang, done))
			p := s.poller(20)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := p.Wait(t.Context(), "op_1", endless, nil)
				assert.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(s.began), 30*sec, "the lookup hangs until its own timeout")
			})
			sleep(t, joins)
			began := time.Now()
			_, err := p.Wait(t.Context(), "op_1", maxWait(5*sec), nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.WithinDuration(t, began.Add(5*sec), time.Now(), 20*ms)
			wg.Wait()
		})
	}
}

// However many wait, and whatever the lookups return, no wait takes longer than it
// should and a second.
func TestDeadlinesHoldWhenLookupsHaveToQueue(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 3, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, _ := newServer(0, 0)
				s.respond(hang)
				s.list = func(context.Context, poll.Query) (*poll.Page[item], time.Duration, error) { return nil, 0, errRefused }
				p := s.poller(rate)
				var wg sync.WaitGroup
				for i := range 60 {
					wg.Go(func() {
						most := time.Duration(i+1) * sec / 3
						_, err := p.Wait(t.Context(), fmt.Sprintf("op_%d", i), maxWait(most), nil)
						assert.ErrorIs(t, err, context.DeadlineExceeded)
						assert.GreaterOrEqual(t, time.Since(s.began), most)
						assert.LessOrEqual(t, time.Since(s.began), most+sec+150*ms, "op_%d", i)
					})
				}
				wg.Wait()
				synctest.Wait()
				assert.Zero(t, p.Pending())
				_, pages := s.lookups()
				assert.LessOrEqual(t, pages, 1, "a list that is refused is not asked for again")
			})
		})
	}
}

// The error of a wait whose time is up has that of its last lookup.
func TestTimeoutErrorNamesTheLastLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(responses(pending, func(context.Context, string) (*item, time.Duration, error) { return nil, 0, errTransient }))
		last, err := s.poller(20).Wait(t.Context(), "op_1", maxWait(5*sec), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTransient)
		var timeout *poll.TimeoutError
		require.ErrorAs(t, err, &timeout)
		assert.Equal(t, 5*sec, timeout.After)
		assert.Equal(t, "poll: maximum wait of 5s has passed", timeout.Error())
		assert.Equal(t, processing, last.state)
		assert.NotErrorIs(t, &poll.TimeoutError{}, errTransient)
	})
}

// "Not found" is believed after 15 s, or of what was seen before. Another refusal ends
// the wait.
func TestRefusalsEndAWait(t *testing.T) {
	t.Parallel()
	fail := func(err error) func(context.Context, string) (*item, time.Duration, error) {
		return func(context.Context, string) (*item, time.Duration, error) { return nil, 0, err }
	}
	for name, tt := range map[string]struct {
		get   func(context.Context, string) (*item, time.Duration, error)
		err   error
		after time.Duration
	}{
		"not found yet":         {responses(fail(errNotFound), fail(errNotFound), done), nil, 2500 * ms},
		"not found":             {fail(errNotFound), errNotFound, 15 * sec},
		"seen, then not found":  {responses(pending, fail(errNotFound)), errNotFound, sec},
		"refused":               {fail(errRefused), errRefused, 0},
		"transient, then found": {responses(fail(errTransient), done), nil, sec},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newServer(0, 0)
			s.respond(tt.get)
			_, err := s.poller(20).Wait(t.Context(), "op_1", endless, nil)
			require.ErrorIs(t, err, tt.err, name)
			assert.Equal(t, tt.after, time.Since(s.began), name)
		})
	}
	synctest.Test(t, func(t *testing.T) { // a wait that begins while another has been told so for a while
		s, _ := newServer(0, 0)
		p := s.poller(20)
		go func() { _, _ = p.Wait(t.Context(), "op_1", endless, nil) }()
		sleep(t, 14*sec)
		_, err := p.Wait(t.Context(), "op_1", endless, nil)
		require.ErrorIs(t, err, errNotFound)
		assert.Equal(t, 29*sec, time.Since(s.began))
	})
}

func TestWaitManyYieldsEachOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(6, 5*ms)
		p := s.poller(20)
		go func() {
			for i := range ids {
				assert.NoError(t, clock{}.Sleep(t.Context(), 20*sec))
				s.set(ids[len(ids)-1-i], finished)
			}
		}()
		var order []string
		p.WaitMany(t.Context(), append(ids, ids...), endless, nil, func(id string, i *item, err error) bool {
			assert.NoError(t, err)
			assert.Equal(t, id, i.id)
			order = append(order, id)
			assert.WithinDuration(t, s.began.Add(time.Duration(len(order))*20*sec), time.Now(), 11*sec, "as it ends, not when all have")
			return true
		})
		assert.Equal(t, []string{ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]}, order)
		p.WaitMany(t.Context(), nil, endless, nil, func(string, *item, error) bool { t.Error("nothing was waited for"); return true })
		// Leaving early leaves nothing behind, and so does a context that ends.
		s.set(ids[0], processing)
		s.set(ids[1], processing)
		p.WaitMany(t.Context(), ids, endless, nil, func(string, *item, error) bool { return false })
		synctest.Wait()
		assert.Zero(t, p.Pending())
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*sec, errors.New("cause"))
		defer cancel()
		unfinished := map[string]error{}
		p.WaitMany(ctx, ids, endless, nil, func(id string, i *item, err error) bool {
			if err != nil {
				unfinished[id] = err
				assert.Equal(t, id, i.id)
			}
			return true
		})
		assert.Equal(t, map[string]error{ids[0]: context.DeadlineExceeded, ids[1]: context.DeadlineExceeded}, unfinished)
		synctest.Wait()
		assert.Zero(t, p.Pending())
	})
}

// An event makes a lookup due at once, also for a wait that begins later. Only the latest
// are kept.
func TestAnEventMakesALookupDue(t *testing.T) {
	t.Parallel()
	delayed := &poll.Schedule{Min: sec, Max: 10 * sec, InitialDelay: 20 * sec}
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(done)
		p := s.poller(20)
		took := func(id string) time.Duration {
			began := time.Now()
			_, err := p.Wait(t.Context(), id, delayed, nil)
			require.NoError(t, err)
			return time.Since(began)
		}
		assert.Equal(t, 20*sec, took("op_1"))
		go func() {
			assert.NoError(t, clock{}.Sleep(t.Context(), 3*sec))
			p.Notify("op_1")
		}()
		assert.Equal(t, 3*sec, took("op_1"))
		for _, id := range numbered("other", 1023) {
			p.Notify(id)
		}
		assert.Zero(t, took("op_1"), "it is one of the last 1024")
		p.Notify("op_1")
		for _, id := range numbered("again", 1023) {
			p.Notify(id)
		}
		assert.Zero(t, took("op_1"), "and is kept as long as any other when it comes twice")
		p.Notify("one more")
		assert.Equal(t, 20*sec, took("op_1"))
	})
	synctest.Test(t, func(t *testing.T) { // an event during a lookup may be newer than the response
		s, _ := newServer(0, 0)
		slow := func(ctx context.Context, id string) (*item, time.Duration, error) {
			_ = clock{}.Sleep(ctx, 400*ms)
			return pending(ctx, id)
		}
		s.respond(responses(slow, done))
		p := s.poller(20)
		go func() {
			assert.NoError(t, clock{}.Sleep(t.Context(), 300*ms))
			p.Notify("op_1")
		}()
		_, err := p.Wait(t.Context(), "op_1", schedule, nil)
		require.NoError(t, err)
		assert.Equal(t, 400*ms, time.Since(s.began))
	})
}
