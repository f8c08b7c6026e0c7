// Package redislimit provides an intram.Limiter in Redis, shared by all processes that
// give it the same name. It needs Redis 5 or later.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	limiter, err := redislimit.New(client, "acme/live", redislimit.Rate{Requests: 50, Per: time.Second, Burst: 10})
//	merchant, err := intram.NewClientFromEnv(intram.WithLimiter(limiter))
//
// The name says what is limited together: a merchant's key ("acme/live"), or a host that
// all merchants share. A process that is killed leaves nothing to clean up.
//
// # The bound
//
// In any time t, all processes together let at most Burst + t × Requests / Per requests
// pass, by the clock of the Redis server. No other clock counts. The algorithm is the
// generic cell rate algorithm of go-redis/redis_rate. One more burst may pass in each of
// these cases:
//
//   - Redis forgets the key: it was restarted without persistence, or a replica that
//     lagged behind was promoted.
//   - Redis goes away or comes back, with [WithLocalShare].
//   - The clock of the Redis server is set back by more than a minute. Without that burst
//     no request would pass until the clock is where it was.
//
// If processes have different rates for one name, each counts by its own.
//
// # When Redis is away
//
// There are two choices. Without an option the limiter fails closed: Wait returns
// [ErrUnavailable], and the call ends with intram.OutcomeNotSent unless an earlier
// attempt is in doubt. With [WithLocalShare] it fails open: each process limits itself to
// its share of the rate until Redis is back.
//
// # Order
//
// In one process each kind of request has a queue of its own, first in, first out, and
// one request of each queue asks Redis at a time: thousands of lookups hold up no payout,
// and Redis is asked about as often as requests pass. Between processes there is no
// order; the pauses are random, so that a process far from Redis has its share.
package redislimit

import (
	"context"
	_ "embed" // for the script
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/intram/intram-go"
)

// ErrUnavailable is the error of a limiter without [WithLocalShare] when Redis does not
// respond or refuses. It wraps what go-redis says.
var ErrUnavailable = errors.New("redislimit: Redis is not available")

// Rate is how many requests may pass.
type Rate struct {
	// Requests pass in each Per, at least 1.
	Requests int
	// Per is a second unless set.
	Per time.Duration
	// Burst is how many of them may pass at once after a pause, at least 1.
	Burst int
}

func (r Rate) check() error {
	switch {
	case r.Requests < 1:
		return fmt.Errorf("it has %d Requests, and must have at least 1", r.Requests)
	case r.Burst < 1:
		return fmt.Errorf("it has a Burst of %d, and must have at least 1", r.Burst)
	case r.Per < time.Millisecond || r.Per > 24*time.Hour:
		return fmt.Errorf("it has a Per of %v, which must be a millisecond to a day", r.Per)
	}
	return nil
}

// interval returns the time between two requests.
func (r Rate) interval() time.Duration { return r.Per / time.Duration(r.Requests) }

// Option is a setting of [New].
type Option func(*Limiter) error

// WithKindRate gives requests of one kind a rate of their own, that of New does not count
// them then. LimitPayin is worth one: the payin API is another host.
func WithKindRate(kind intram.LimitKind, r Rate) Option {
	return func(l *Limiter) error {
		if kind == "" || strings.Contains(string(kind), ":") {
			return errors.New("WithKindRate: the kind must be a word without a colon")
		}
		// The kind comes first: a merchant chooses its name, and none reads as another's
		// key.
		b, err := l.newBucket("kind:"+string(kind)+":"+l.name, r)
		if err != nil {
			return fmt.Errorf("WithKindRate: %s: %w", kind, err)
		}
		l.kinds[kind] = b
		return nil
	}
}

// WithLocalShare goes on without Redis while that is away: each process lets Requests /
// processes pass, with a burst of Burst / processes and at least 1. Give the number of
// processes that you run at most. Around an outage one more burst may pass, or processes
// requests if that is more.
func WithLocalShare(processes int) Option {
	return func(l *Limiter) error {
		if processes < 1 {
			return fmt.Errorf("WithLocalShare: %d processes: there must be at least 1", processes)
		}
		l.processes = processes
		return nil
	}
}

// WithRedisTimeout is how long Redis may take to respond before it counts as away, 500 ms
// unless set.
func WithRedisTimeout(d time.Duration) Option {
	return func(l *Limiter) error {
		if d <= 0 {
			return fmt.Errorf("WithRedisTimeout: %v is not a positive duration", d)
		}
		l.timeout = d
		return nil
	}
}

const (
	defaultTimeout = 500 * time.Millisecond
	// awayFor is how long Redis is not asked again after it failed.
	awayFor = time.Second
	// setBack is how far beyond what can be a key may reach into the future, before the
	// server's clock is taken to have been set back.
	setBack = time.Minute
)

// Limiter implements intram.Limiter. It is safe for concurrent use.
type Limiter struct {
	rdb       redis.UniversalClient
	redis     *redis_rate.Limiter
	name      string
	processes int // 0: fail closed
	timeout   time.Duration
	all       *bucket
	kinds     map[intram.LimitKind]*bucket

	awayUntil   atomic.Int64 // by now
	beforeSleep func()       // for tests
}

// bucket is one rate, and its key.
type bucket struct {
	key    string
	rate   Rate
	queues map[intram.LimitKind]queue
	local  *rate.Limiter // while Redis is away; nil to fail closed
}

// queue is held by the request that asks next. Those that wait get it in their order.
type queue chan struct{}

// New returns a limiter of all requests that ask it, in any process, by this name. It
// sends nothing. The error names the argument or option that is wrong.
func New(rdb redis.UniversalClient, name string, r Rate, opts ...Option) (*Limiter, error) {
	if rdb == nil {
		return nil, errors.New("redislimit: the client of Redis is nil")
	}
	if name == "" {
		return nil, errors.New("redislimit: the name is empty: give one that says what is limited together")
	}
	l := &Limiter{rdb: rdb, redis: redis_rate.NewLimiter(rdb), name: name, timeout: defaultTimeout, kinds: map[intram.LimitKind]*bucket{}, beforeSleep: func() {}}
	var err error
	if l.all, err = l.newBucket("all:"+name, r); err != nil {
		return nil, fmt.Errorf("redislimit: Rate: %w", err)
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("redislimit: an Option is nil")
		}
		if err := opt(l); err != nil {
			return nil, fmt.Errorf("redislimit: %w", err)
		}
	}
	if l.processes > 0 {
		l.all.share(l.processes)
		for _, b := range l.kinds {
			b.share(l.processes)
		}
	}
	return l, nil
}

func (l *Limiter) newBucket(name string, r Rate) (*bucket, error) {
	if r.Per == 0 {
		r.Per = time.Second
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	b := &bucket{key: "intram:" + name, rate: r, queues: map[intram.LimitKind]queue{}}
	for _, kind := range []intram.LimitKind{intram.LimitRead, intram.LimitWrite, intram.LimitPoll, intram.LimitPayin} {
		b.queues[kind] = make(queue, 1)
	}
	return b, nil
}

// share prepares the local limit.
func (b *bucket) share(processes int) {
	interval := b.rate.interval() * time.Duration(processes)
	b.local = rate.NewLimiter(rate.Every(interval), max(1, b.rate.Burst/processes))
}

func (b *bucket) queue(kind intram.LimitKind) queue {
	if q := b.queues[kind]; q != nil {
		return q
	}
	return b.queues[intram.LimitRead]
}

// Wait implements intram.Limiter. It returns when a request may be sent. Errors: that of
// ctx, and [ErrUnavailable] without [WithLocalShare].
func (l *Limiter) Wait(ctx context.Context, kind intram.LimitKind) error {
	b := l.kinds[kind]
	if b == nil {
		b = l.all
	}
	q := b.queue(kind)
	select {
	case q <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-q }()
	for {
		wait, err := l.ask(ctx, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && b.local == nil:
			return err
		case err != nil:
			return b.local.Wait(ctx)
		case wait <= 0:
			return nil
		}
		l.beforeSleep()
		if err := sleep(ctx, wait+spread(b.rate.interval())); err != nil {
			return err
		}
	}
}

// ask asks Redis for one request. It returns how long to wait before asking again, 0 if
// the request may pass.
func (l *Limiter) ask(ctx context.Context, b *bucket) (time.Duration, error) {
	if now() < l.awayUntil.Load() {
		return 0, fmt.Errorf("%w: it failed a moment ago", ErrUnavailable)
	}
	type reply struct {
		wait time.Duration
		err  error
	}
	replied := make(chan reply, 1)
	limited, cancel := context.WithTimeout(ctx, l.timeout)
	go func() { // go-redis may ignore the context
		defer cancel()
		wait, err := l.allow(limited, b)
		replied <- reply{wait, err}
	}()
	var r reply
	select {
	case r = <-replied:
	case <-limited.Done():
		select {
		case r = <-replied:
		default:
			r.err = limited.Err()
		}
	}
	if r.err == nil {
		return r.wait, nil
	}
	if ctx.Err() == nil {
		l.awayUntil.Store(now() + int64(awayFor))
	}
	return 0, fmt.Errorf("%w: %w", ErrUnavailable, r.err)
}

//go:embed setback.lua
var setBackSource string

var setBackScript = redis.NewScript(setBackSource)

func (l *Limiter) allow(ctx context.Context, b *bucket) (time.Duration, error) {
	limit := redis_rate.Limit{Rate: b.rate.Requests, Burst: b.rate.Burst, Period: b.rate.Per}
	result, err := l.redis.Allow(ctx, b.key, limit)
	if err != nil {
		return 0, err
	}
	if result.Allowed > 0 {
		return 0, nil
	}
	if most := 2*b.rate.interval()*time.Duration(b.rate.Burst) + setBack; result.RetryAfter > most {
		return time.Millisecond, setBackScript.Run(ctx, l.rdb, []string{keyPrefix + b.key}, most.Seconds()).Err()
	}
	return max(result.RetryAfter, time.Millisecond), nil
}

// keyPrefix is what redis_rate puts before its keys.
const keyPrefix = "rate:"
