package poll

import (
	"context"
	"time"
)

// mostLookups bounds the lookups in flight.
const mostLookups = 8

// readClock reads the time. It never goes back, whatever is done to the clock.
func (p *Poller[T]) readClock() time.Duration {
	now := p.cfg.Clock.Now().Sub(p.epoch)
	if now < p.now {
		p.epoch = p.epoch.Add(now - p.now)
		now = p.now
	}
	p.now = now
	return now
}

// wakeBy makes sure that the goroutine is awake by then.
func (p *Poller[T]) wakeBy(at time.Duration) {
	switch {
	case !p.running:
		p.running = true
		go p.run()
	case p.wake != nil && at < p.wakeAt:
		p.wake()
		p.wake, p.wakeAt = nil, min(p.wakeAt, p.readClock())
	}
}

// run dispatches lookups as they fall due, and ends when nothing is waited for.
func (p *Poller[T]) run() {
	for {
		p.mu.Lock()
		now := p.readClock()
		// A clock that leaps, as a fake server's does, ends no wait that began, or was
		// due for a lookup, in between.
		until := min(now, p.wakeAt)
		next := p.dispatch(until)
		for l := range p.lookups {
			next = min(next, p.expireDuring(l, until))
		}
		if next <= now {
			next = now + shortestLookup
		}
		if len(p.targets) == 0 && len(p.lookups) == 0 {
			p.running, p.wake = false, nil
			p.lists, p.alarms, p.queues, p.placed = listStats{}, nil, queues[T]{}, placed[T]{}
			p.mu.Unlock()
			return
		}
		ctx, wake := context.WithCancel(context.Background())
		p.wake, p.wakeAt = wake, next
		busy := len(p.lookups) > 0
		p.mu.Unlock()
		err := p.sleep(ctx, next-now, busy)
		woken := ctx.Err() != nil
		wake()
		if woken {
			continue
		}
		p.mu.Lock()
		if err == nil {
			p.now = max(p.now, next) // that much time has passed, whatever the clock says
		} else { // no wait can go by this clock
			for _, t := range p.targets {
				p.finish(t, t.seen.item, err)
			}
		}
		p.mu.Unlock()
	}
}

// sleep waits for d or to be woken. A clock that jumps when it is slept on, as a fake
// server's may, must not do so while a lookup is in flight: the lookup would come back
// late.
func (p *Poller[T]) sleep(ctx context.Context, d time.Duration, busy bool) error {
	if !busy {
		return p.cfg.Clock.Sleep(ctx, d)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
	return nil
}

// dispatch starts the lookups that are due, and returns when to look again.
func (p *Poller[T]) dispatch(until time.Duration) time.Duration {
	for {
		p.attend(until)
		q := p.choose()
		if p.blocked = q != nil; !p.blocked || len(p.lookups) >= mostLookups {
			return p.nextAlarm()
		}
		if wait := p.cfg.Rate.take(); wait > 0 {
			return min(p.nextAlarm(), p.now+wait)
		}
		p.start(p.take(q))
	}
}

// expireDuring ends the waits whose time is up while a lookup is in flight, and returns
// when that of others is: the lookup may be for others that have more time, or take a
// second attempt because of a wrong clock.
func (p *Poller[T]) expireDuring(l *lookup[T], until time.Duration) (next time.Duration) {
	const margin = 10 * time.Millisecond // a response, or a timeout, of the last moment comes first
	next = forever
	for _, t := range l.targets {
		p.expire(t, func(w *waiter[T]) bool { return w.end(l.started)+margin <= until })
		for _, w := range t.waiters {
			next = min(next, w.end(l.started)+margin)
		}
	}
	return next
}
