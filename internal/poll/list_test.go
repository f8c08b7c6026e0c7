package poll_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

// waitForAll waits for all ids in single waits.
func waitForAll(t *testing.T, p *poll.Poller[item], ids []string, s *poll.Schedule) *sync.WaitGroup {
	t.Helper()
	wg := new(sync.WaitGroup)
	for _, id := range ids {
		wg.Go(func() {
			got, err := p.Wait(t.Context(), id, s, nil)
			if assert.NoError(t, err) {
				assert.Equal(t, id, got.id)
			}
		})
	}
	return wg
}

// Waits for neighbors share pages, of their kind once it is known.
func TestNeighborsShareAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, all := newServer(400, 2*ms)
		var ids []string
		for i, id := range all {
			if i%5 == 0 {
				ids = append(ids, id)
			} else {
				s.items[len(all)-1-i].kind = "refund"
			}
		}
		wg := waitForAll(t, s.poller(20), ids, &poll.Schedule{Min: sec, Max: 10 * sec, InitialDelay: sec})
		sleep(t, 45*sec)
		for _, id := range ids {
			s.set(id, finished)
		}
		wg.Wait()
		single, pages := s.lookups()
		assert.LessOrEqual(t, single, 3)
		assert.LessOrEqual(t, pages, 25, "a page or two for all eighty at a time")
		mixed := slices.DeleteFunc(slices.Clone(s.pages), func(q poll.Query) bool { return q.Kind == "payout" })
		assert.LessOrEqual(t, len(mixed), 5, "until their kind has been seen")
	})
}

// Items that are far apart are not on one page.
func TestDistantItemsAreLookedUpByID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, all := newServer(755, 20*ms)
		ids := []string{all[0], all[151], all[302], all[453], all[604]}
		wg := waitForAll(t, s.poller(20), ids, endless)
		sleep(t, 10*time.Minute)
		for _, id := range ids {
			s.set(id, finished)
		}
		wg.Wait()
		single, pages := s.lookups()
		assert.Greater(t, single, pages)
	})
}

// A list may lag, leave things out, fail, or be refused. It makes waits slower, and never
// wrong.
func TestAListThatMisleads(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(s *server, page *poll.Page[item]) error{
		"empty": func(_ *server, page *poll.Page[item]) error { *page = poll.Page[item]{}; return nil },
		"behind": func(s *server, page *poll.Page[item]) error {
			for i := range page.Items {
				if time.Since(s.began) < 40*sec {
					page.Items[i].state = queued
				}
			}
			return nil
		},
		"without results": func(_ *server, page *poll.Page[item]) error {
			for i := range page.Items {
				page.Items[i].partial = true
			}
			return nil
		},
		"unreadable": func(_ *server, page *poll.Page[item]) error {
			for _, i := range page.Items {
				page.Unreadable = append(page.Unreadable, i.id, "")
			}
			page.Items = nil
			return nil
		},
		"refused": func(*server, *poll.Page[item]) error { return errRefused },
		"failing": func(*server, *poll.Page[item]) error { return errTransient },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, ids := newServer(40, 3*ms)
				s.list = func(_ context.Context, q poll.Query) (*poll.Page[item], time.Duration, error) {
					page := s.read(q)
					if err := edit(s, page); err != nil {
						return nil, 0, err
					}
					return page, 0, nil
				}
				p := s.poller(20)
				n := 0
				go func() {
					assert.NoError(t, clock{}.Sleep(t.Context(), 5*sec))
					for _, id := range ids {
						s.set(id, finished)
						if name == "behind" { // an event counts for more than a list
							p.Notify(id)
						}
					}
				}()
				p.WaitMany(t.Context(), ids, maxWait(5*time.Minute), nil, func(_ string, i *item, err error) bool {
					if assert.NoError(t, err) {
						assert.False(t, i.partial, "with its result")
					}
					n++
					return true
				})
				assert.Equal(t, 40, n)
				assert.Less(t, time.Since(s.began), 30*sec)
				_, pages := s.lookups()
				assert.Less(t, pages, 30)
			})
		})
	}
}

// More items than a page were created in one millisecond: no cursor gets past them, and
// ids do.
func TestMoreThanAPageInOneMillisecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(250, 0)
		p := s.poller(20)
		wg := waitForAll(t, p, ids, maxWait(5*time.Minute))
		sleep(t, 3*sec)
		for _, id := range ids {
			s.set(id, finished)
		}
		wg.Wait()
		single, pages := s.lookups()
		assert.Less(t, single+pages, 1000)
	})
}

// Ids of an earlier process, from days ago and with others between them, are found
// without a lookup for each.
func TestOldItemsAreFoundByDates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, all := newServer(2300, 5*ms)
		ids := all[:1000]
		for i := range s.items {
			if s.items[i].id <= ids[999] {
				s.items[i].created = s.items[i].created.Add(-48 * time.Hour)
				s.items[i].state = finished
			}
		}
		waitForAll(t, s.poller(20), ids, endless).Wait()
		single, pages := s.lookups()
		t.Logf("found after %v by %d pages and %d lookups by id", time.Since(s.began), pages, single)
		assert.Less(t, single+pages, 150)
	})
}

// A page that took long shows what was, and a lookup that overtook it what is.
func TestASlowPageTakesNoStateBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(4, 5*ms)
		s.list = func(ctx context.Context, q poll.Query) (*poll.Page[item], time.Duration, error) {
			page := s.read(q)
			_ = clock{}.Sleep(ctx, 5*sec) // on its way
			return page, 0, nil
		}
		p := s.poller(20)
		wg := waitForAll(t, p, ids[:3], &poll.Schedule{Min: sec, Max: 10 * sec, InitialDelay: sec})
		sleep(t, 1500*ms)
		_, pages := s.lookups()
		require.Equal(t, 1, pages)
		s.set(ids[3], processing) // the page that is on its way says queued
		var shown []int
		wg.Go(func() {
			_, err := p.Wait(t.Context(), ids[3], schedule, func(i *item) { shown = append(shown, i.state) })
			assert.NoError(t, err)
		})
		sleep(t, 8*sec)
		for _, id := range ids {
			s.set(id, finished)
		}
		wg.Wait()
		assert.NotContains(t, shown, queued)
		assert.Contains(t, shown, processing)
	})
}

// A search whose targets all have a lookup in flight, at the deadlines of their waits,
// has none to make its next page for.
func TestASearchWhoseTargetsAreAllAtTheirDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := newServer(300, ms)
		s.list = func(ctx context.Context, q poll.Query) (*poll.Page[item], time.Duration, error) {
			page := s.read(q)
			_ = clock{}.Sleep(ctx, 2*sec)
			return page, 0, nil
		}
		s.get = func(ctx context.Context, id string) (*item, time.Duration, error) {
			if id == "slow down" {
				return nil, 8 * sec, errTransient
			}
			return hang(ctx, id)
		}
		p := s.poller(20)
		var wg sync.WaitGroup
		wait := func(id string, s *poll.Schedule) {
			wg.Go(func() {
				_, err := p.Wait(t.Context(), id, s, nil)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		// Three are on the first page, which is asked for at 1 s and read at 3 s, and
		// three on the second, which has to wait until 10 s, when their time is up.
		for _, id := range ids[297:] {
			wait(id, &poll.Schedule{Min: sec, Max: 10 * sec, MaxWait: 30 * sec, InitialDelay: sec})
		}
		for _, id := range ids[150:153] {
			wait(id, &poll.Schedule{Min: sec, Max: 10 * sec, MaxWait: 10 * sec, InitialDelay: sec})
		}
		sleep(t, 2*sec)
		wait("slow down", maxWait(30*sec))
		sleep(t, 8500*ms)
		for _, id := range ids[150:153] {
			assert.Equal(t, []time.Duration{10 * sec}, s.times(id), "the lookup at the deadline")
		}
		wg.Wait()
		synctest.Wait()
		assert.Zero(t, p.Pending())
	})
}

// Of two responses that ask for a pause, the longer pause is kept, whichever comes last;
// and it has a bound.
func TestTheLongerPauseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		pauses := func(after, pause time.Duration) func(context.Context, string) (*item, time.Duration, error) {
			return func(ctx context.Context, _ string) (*item, time.Duration, error) {
				_ = clock{}.Sleep(ctx, after) // both on their way
				return nil, pause, errTransient
			}
		}
		s.respond(responses(pauses(sec, 25*sec), pauses(2*sec, 5*sec), done))
		var wg sync.WaitGroup
		p := s.poller(20)
		for _, id := range []string{"op_1", "op_2"} {
			wg.Go(func() {
				_, err := p.Wait(t.Context(), id, endless, nil)
				assert.NoError(t, err)
				assert.Equal(t, 26*sec, time.Since(s.began))
			})
		}
		wg.Wait()

		began := time.Now()
		s.respond(responses(pauses(0, time.Hour), done))
		waitForAll(t, s.poller(20), []string{"op_1"}, endless).Wait()
		assert.Equal(t, 5*time.Minute, time.Since(began))

		// A success can ask for one as well, for its own item.
		began = time.Now()
		s.respond(responses(func(ctx context.Context, id string) (*item, time.Duration, error) {
			i, _, err := pending(ctx, id)
			return i, 7 * sec, err
		}, done))
		waitForAll(t, s.poller(20), []string{"op_1"}, endless).Wait()
		assert.Equal(t, 7*sec, time.Since(began))

		// A wait whose time is up meanwhile ends without a lookup.
		began = time.Now()
		s.respond(pauses(0, time.Minute))
		_, err := s.poller(20).Wait(t.Context(), "op_1", maxWait(10*sec), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*sec, time.Since(began))
	})
}

// The rate saves up one second's worth of lookups.
func TestRateSavesUpASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(0, 0)
		s.respond(done)
		p := s.poller(5, unlisted)
		sleep(t, time.Hour)
		began := time.Now()
		waitForAll(t, p, numbered("op", 15), endless).Wait()
		assert.Equal(t, 2*sec, time.Since(began), "five at once, and then five a second")
	})
}
