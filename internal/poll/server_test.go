package poll_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/poll"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

var (
	errTransient = errors.New("transient")
	errNotFound  = errors.New("not found")
	errRefused   = errors.New("refused")

	schedule = &poll.Schedule{Min: sec, Max: 10 * sec, MaxWait: 60 * sec}
	endless  = &poll.Schedule{Min: sec, Max: 10 * sec}
)

// maxWait is the usual schedule with an end of its own.
func maxWait(d time.Duration) *poll.Schedule {
	return &poll.Schedule{Min: sec, Max: 10 * sec, MaxWait: d}
}

// clock is that of a synctest bubble.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	timer, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-timer.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(t *testing.T, d time.Duration) {
	t.Helper()
	require.NoError(t, clock{}.Sleep(t.Context(), d))
}

const (
	queued = iota
	processing
	finished
)

// item is as large as an operation.
type item struct {
	id, kind string
	created  time.Time
	state    int
	partial  bool // it lacks what a wait returns
	_        [150]byte
}

func describe(i *item) poll.State {
	return poll.State{IDs: [2]string{i.id}, Created: i.created, Kind: i.kind, Finished: i.state == finished, Complete: !i.partial}
}

// server is an API of items, newest first.
type server struct {
	began time.Time

	mu    sync.Mutex
	items []item
	asked map[string][]time.Duration // lookups by id, since the beginning
	pages []poll.Query
	// get and list, when set, take the place of a response.
	get  func(ctx context.Context, id string) (*item, time.Duration, error)
	list func(ctx context.Context, q poll.Query) (*poll.Page[item], time.Duration, error)
}

// newServer returns a server of n items, the last of them created a moment ago.
func newServer(n int, apart time.Duration) (*server, []string) {
	s := &server{began: time.Now(), asked: map[string][]time.Duration{}}
	ids := numbered("op", n)
	for i := n - 1; i >= 0; i-- {
		s.items = append(s.items, item{id: ids[i], kind: "payout", created: s.began.Add(-time.Duration(n-i) * apart)})
	}
	return s, ids
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s_%06d", prefix, i)
	}
	return ids
}

// poller returns a poller of the server, without jitter.
func (s *server) poller(rate int, edits ...func(*poll.Config[item])) *poll.Poller[item] {
	cfg := poll.Config[item]{
		Clock: clock{}, Random: func() float64 { return 0.5 }, Timeout: 30 * sec, Get: s.lookUp, List: s.page,
		Transient: func(err error) bool { return errors.Is(err, errTransient) },
		NotFound:  func(err error) bool { return errors.Is(err, errNotFound) },
		Describe:  describe,
		Older:     func(i, seen *item) bool { return i.state < seen.state },
		Abridge:   func(i *item) *item { short := *i; return &short },
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	if cfg.Rate == nil {
		cfg.Rate = poll.NewRate(cfg.Clock, rate)
	}
	return poll.New(cfg)
}

// unlisted is a server without a list.
func unlisted(cfg *poll.Config[item]) { cfg.List = nil }

func (s *server) lookUp(ctx context.Context, id string, timeout time.Duration) (*item, time.Duration, error) {
	s.mu.Lock()
	s.asked[id] = append(s.asked[id], time.Since(s.began))
	get, at := s.get, slices.IndexFunc(s.items, func(i item) bool { return i.id == id })
	var found item
	if at >= 0 {
		found = s.items[at]
	}
	s.mu.Unlock()
	if get != nil {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return get(ctx, id)
	}
	if at < 0 {
		return nil, 0, errNotFound
	}
	return &found, 0, nil
}

func (s *server) page(ctx context.Context, q poll.Query, timeout time.Duration) (*poll.Page[item], time.Duration, error) {
	s.mu.Lock()
	s.pages = append(s.pages, q)
	list := s.list
	s.mu.Unlock()
	if list != nil {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return list(ctx, q)
	}
	return s.read(q), 0, nil
}

// read returns a page as it is now.
func (s *server) read(q poll.Query) *poll.Page[item] {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := new(poll.Page[item])
	for _, i := range s.items {
		if (q.Before.IsZero() || i.created.Before(q.Before)) && (q.Kind == "" || q.Kind == i.kind) && len(page.Items) < poll.PageSize {
			page.Items = append(page.Items, i)
		}
	}
	page.Full = len(page.Items) == poll.PageSize
	return page
}

// respond sets what a lookup by id is given from now on.
func (s *server) respond(get func(context.Context, string) (*item, time.Duration, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.get = get
}

func (s *server) set(id string, state int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.items {
		if s.items[i].id == id {
			s.items[i].state = state
		}
	}
}

// times returns when an id was looked up.
func (s *server) times(id string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked[id])
}

// lookups returns how many lookups by id and of pages there were.
func (s *server) lookups() (single, pages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.asked {
		single += len(times)
	}
	return single, len(s.pages)
}

// hang responds only when its caller gives up.
func hang(ctx context.Context, _ string) (*item, time.Duration, error) {
	<-ctx.Done()
	return nil, 0, errTransient
}

var someDay = time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC)

// pending is an item of any id that has not finished.
func pending(_ context.Context, id string) (*item, time.Duration, error) {
	return &item{id: id, state: processing, created: someDay}, 0, nil
}

// responses are given one after the other, and the last one again and again.
func responses(all ...func(context.Context, string) (*item, time.Duration, error)) func(context.Context, string) (*item, time.Duration, error) {
	var mu sync.Mutex
	return func(ctx context.Context, id string) (*item, time.Duration, error) {
		mu.Lock()
		next := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		mu.Unlock()
		return next(ctx, id)
	}
}

func done(_ context.Context, id string) (*item, time.Duration, error) {
	return &item{id: id, state: finished}, 0, nil
}
