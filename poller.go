package intram

import (
	"context"
	"sync"
	"time"
)

const (
	// pollsUnderWay bounds the look-ups that a poller has under way at once.
	pollsUnderWay = 8
	// lastLook is what the look-up at the end of a wait has to be answered in: with nothing left of the wait, it would be
	// broken off before any network could carry it.
	lastLook = time.Second
	// lastMoment is what a look-up has in any case, however late it began.
	lastMoment = 100 * time.Millisecond
)

// subject is what can be waited for: an operation, a transaction or a payin session.
type subject[T any] interface {
	*T
	// names are what a wait may know it by.
	names() [2]string
	created() time.Time
	// kind is its type, as its list is filtered by.
	kind() string
	// ended reports whether it has come to its end, and whether all that a wait returns is there.
	ended() (ended, whole bool)
	// olderThan reports whether it shows an earlier state than what was seen: a look-up can be overtaken by another.
	olderThan(seen *T) bool
	// abridged is what a wait keeps of it until it ends, and a key: what has the same key is kept once for all. Without a
	// key it is kept for each.
	abridged() (*T, string)
	// recalled is what was kept, as that of one subject.
	recalled(id string, created time.Time) *T
}

// poller looks up what is waited for, for all waiters of a client together: one look-up serves everybody who waits for the same thing,
// and one page of the list serves many (poller_plan.go). It has one goroutine and one timer while there is anything to wait for, and
// none otherwise. Its rate bounds the look-ups, however many wait.
type poller[T any, P subject[T]] struct {
	client *Client
	rate   *pollRate
	get    func(ctx context.Context, id string, opts []CallOption) (*T, error)
	// list reads a page of the largest size. It is nil where there is no list.
	list func(ctx context.Context, q listQuery, opts []CallOption) (*Page[T], error)

	mu      sync.Mutex
	watches map[string]*watch[T]
	batches map[chan struct{}]*batch[T]
	flights map[*flight[T]]struct{}
	kept    map[string]*sight[T] // what is kept once for many
	notices notices[T]
	epoch   time.Time
	latest  int64 // reading of the clock
	running bool
	wake    context.CancelFunc // ends the goroutine's sleep
	wakeAt  int64              // when it ends, or was ended
	stuck   bool               // something is due, and has to wait for its turn

	agenda agenda[T]
	places places[T]
	unseen []*watch[T] // due, and of no known place
	likely int         // how many have no known place, due or not
	gone   int         // watches that nobody waits for any more
	joined int         // batches so far
	steps  int         // watches that were gone through, for tests of what it costs

	lore lore
}

// batch is somebody who waits for many, and what there is to look at.
type batch[T any] struct {
	order int
	done  []*watch[T] // ended, or out of time
	seen  []*T        // when progress is shown
}

func newPoller[T any, P subject[T]](c *Client, rate *pollRate,
	get func(context.Context, string, []CallOption) (*T, error),
	list func(context.Context, listQuery, []CallOption) (*Page[T], error),
) *poller[T, P] {
	return &poller[T, P]{
		client: c, rate: rate, get: get, list: list, epoch: c.clock.Now(), watches: map[string]*watch[T]{},
		batches: map[chan struct{}]*batch[T]{}, flights: map[*flight[T]]struct{}{}, kept: map[string]*sight[T]{},
	}
}

// await waits until the subject has ended. With an error, the subject is as it was last seen, nil if it never was.
func (p *poller[T, P]) await(ctx context.Context, id string, cfg *waitConfig) (*T, error) {
	if ctx.Err() != nil {
		return nil, whyEnded(ctx)
	}
	news := make(chan struct{}, 1)
	w := p.join(ctx, id, cfg, news)
	defer p.quit(w, news) // what shows progress may panic
	var shown *T
	for {
		var ended error
		select {
		case <-news:
		case <-ctx.Done():
			ended = whyEnded(ctx)
		}
		item, done, err := p.look(id, w, news, cfg, ended)
		if err == nil && item != nil && item != shown {
			shown = item
			cfg.show(item)
		}
		if done {
			return item, err
		}
	}
}

// join begins to wait. Whoever joins looks at the watch when there are news, until he is done.
func (p *poller[T, P]) join(ctx context.Context, id string, cfg *waitConfig, news chan struct{}) *watch[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	one := waiter{news: news, ctx: ctx, cfg: cfg}
	if cfg.maxWait > 0 {
		one.deadline = now + int64(cfg.maxWait)
	}
	w := p.watches[id]
	if w == nil || w.news == nil {
		w = &watch[T]{due: now + int64(cfg.firstLook), waiter: one}
		p.watches[id] = w
		if item, known := p.notices.take(id); known {
			p.notice(w, item, now)
		}
	} else {
		first := w.waiter
		one.next = &first
		w.waiter = one
		w.due, w.polls = min(w.due, now+int64(max(cfg.pollMin, cfg.firstLook))), 0
		w.flags &^= searched // whose turn may come late
		if w.seen != nil && w.seen.absentUntil != 0 {
			w.seen.absentUntil = now + int64(absentFor) // a wait that has just begun gives it as much time as any
		}
	}
	p.soon(w)
	switch {
	case w.flags.has(over):
	case p.stuck:
		p.stir(w.earliest())
	default:
		p.stir(w.next())
	}
	return w
}

// look tells a waiter where he stands: what was seen, whether he is done, and why without success.
func (p *poller[T, P]) look(id string, w *watch[T], news chan struct{}, cfg *waitConfig, ended error) (item *T, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case w.flags.has(over):
		if w.seen.err == nil {
			return w.seen.item, true, nil // an answer wins over a context that ends with it
		}
		return p.last(id, w), true, w.seen.err
	case !w.has(news): // his time was up
		timeout := maxWaitError{after: cfg.maxWait}
		if w.seen != nil {
			timeout.lookup = w.seen.err
		}
		return p.last(id, w), true, timeout
	case ended != nil:
		p.leave(w, news)
		return p.last(id, w), true, ended
	case w.seen == nil || w.seen.err != nil:
		return nil, false, nil
	}
	return w.seen.item, false, nil
}

// last is the subject as it was last seen, nil if it never was.
func (p *poller[T, P]) last(id string, w *watch[T]) *T {
	if w.seen == nil || w.seen.item == nil {
		return nil
	}
	var created time.Time
	if w.created != 0 {
		created = time.UnixMilli(w.created).UTC()
	}
	return P(w.seen.item).recalled(id, created)
}

// quit ends one waiter's wait, if it has not ended.
func (p *poller[T, P]) quit(w *watch[T], news chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(w, news)
}

// leave is quit for who holds the lock.
func (p *poller[T, P]) leave(w *watch[T], news chan struct{}) {
	if w.has(news) {
		w.drop(news)
		p.abandon(w)
	}
}

// abandon breaks off the look-up of what nobody waits for any more, and lets the goroutine forget it.
func (p *poller[T, P]) abandon(w *watch[T]) {
	if w.news != nil {
		return
	}
	p.gone++
	if w.flags.has(inFlight) {
		for f := range p.flights {
			f.breakOff()
		}
	}
	p.stir(0)
}

// end ends the waits of all who wait for w.
func (p *poller[T, P]) end(w *watch[T], with *sight[T]) {
	w.seen = with
	w.flags |= over
	for one := w.first(); one != nil; one = one.next {
		p.tell(w, one.news)
	}
	w.waiter = waiter{}
	p.abandon(w)
}

// tell lets a waiter look at a watch that has ended for him.
func (p *poller[T, P]) tell(w *watch[T], news chan struct{}) {
	if b := p.batches[news]; b != nil {
		b.done = append(b.done, w)
	}
	signal(news)
}

// signal never waits: one signal that was not yet heard is enough.
func signal(news chan struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}

// now is the time. It never goes back, whatever is done to the clock.
func (p *poller[T, P]) now() int64 {
	now := int64(p.client.clock.Now().Sub(p.epoch))
	if now < p.latest {
		p.epoch = p.epoch.Add(time.Duration(now - p.latest))
		now = p.latest
	}
	p.latest = now
	return now
}

// stir makes sure that the goroutine is awake by then.
func (p *poller[T, P]) stir(at int64) {
	switch {
	case !p.running:
		p.running = true
		go p.run()
	case p.wake != nil && at < p.wakeAt:
		p.wake()
		p.wake, p.wakeAt = nil, min(p.wakeAt, p.now())
	}
}

// forever is when nothing is due: in a hundred years, so that sums do not overflow.
const forever = int64(100 * 365 * 24 * time.Hour)

// run looks up what is due, and sleeps until more is, as long as anybody waits.
func (p *poller[T, P]) run() {
	for {
		p.mu.Lock()
		now := p.now()
		// A clock that leaps, as a fake server's does, ends no wait that began or should have been looked up on its way.
		until := min(now, p.wakeAt)
		next := p.depart(now, until)
		for f := range p.flights {
			next = min(next, p.bound(f, until))
		}
		if next <= now {
			next = now + int64(lastMoment)
		}
		if len(p.watches) == 0 && len(p.flights) == 0 {
			p.running, p.wake = false, nil
			clear(p.kept)
			p.lore, p.agenda, p.places, p.unseen = lore{}, agenda[T]{}, places[T]{}, nil
			p.mu.Unlock()
			return
		}
		sleep, wake := context.WithCancel(context.Background())
		p.wake, p.wakeAt = wake, next
		flying := len(p.flights) > 0
		p.mu.Unlock()
		err := p.sleep(sleep, next-now, flying)
		switch {
		case sleep.Err() != nil: // woken
		case err != nil:
			p.giveUp(err)
		default:
			p.passed(next)
		}
		wake()
	}
}

// passed makes it that late at least, for it was slept for, whatever the clock says.
func (p *poller[T, P]) passed(until int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = max(p.latest, until)
}

// sleep waits for d or to be woken. A clock that jumps when it is slept on, as a fake server's may, must not do so while a look-up is
// under way: it would come back late.
func (p *poller[T, P]) sleep(ctx context.Context, d int64, flying bool) error {
	if !flying {
		return p.client.clock.Sleep(ctx, time.Duration(d))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d))
	defer cancel()
	<-ctx.Done()
	return nil
}

// giveUp ends all waits: the clock has said that there is no waiting by it.
func (p *poller[T, P]) giveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.watches {
		p.end(w, w.failing(err))
	}
}

// depart starts the look-ups that are due, and says when to look again.
func (p *poller[T, P]) depart(now, until int64) int64 {
	for {
		next := p.survey(now, until)
		queue, search := p.upNext(now)
		if p.stuck = queue != nil || search != nil; !p.stuck || len(p.flights) >= pollsUnderWay {
			return next
		}
		if token := p.rate.take(p.client.clock.Now()); token > 0 {
			return min(next, now+int64(token))
		}
		p.send(p.take(queue, search, now), now)
	}
}

// expire ends the waits for w that have an end, and are too late.
func (p *poller[T, P]) expire(w *watch[T], tooLate func(*waiter) bool) {
	for one := w.expired(tooLate); one != nil; one = w.expired(tooLate) {
		w.drop(one)
		p.tell(w, one)
	}
	p.abandon(w)
}
