package redislimit_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
	"github.com/intram/intram-go/limit/redislimit"
)

// hourly is a rate of which nothing comes back during a test.
func hourly(burst int) redislimit.Rate {
	return redislimit.Rate{Requests: 1, Per: time.Hour, Burst: burst}
}

func newLimiter(t *testing.T, rdb redis.UniversalClient, rate redislimit.Rate, opts ...redislimit.Option) *redislimit.Limiter {
	t.Helper()
	limiter, err := redislimit.New(rdb, "acme/live", rate, append([]redislimit.Option{redislimit.WithRedisTimeout(time.Minute)}, opts...)...)
	require.NoError(t, err)
	return limiter
}

// passing counts the requests that pass before one has to wait.
func passing(t *testing.T, limiter *redislimit.Limiter, kind intram.LimitKind) int {
	t.Helper()
	for n := 0; ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		waiting, sleeping := make(chan error, 1), limiter.Sleeping()
		go func() { waiting <- limiter.Wait(ctx, kind) }()
		select {
		case err := <-waiting:
			require.NoError(t, err)
		case <-sleeping:
			cancel()
			require.ErrorIs(t, <-waiting, context.Canceled)
			return n
		}
		cancel()
	}
}

func TestOneNameIsOneLimit(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	one, two := newLimiter(t, server.client(t), hourly(5)), newLimiter(t, server.client(t), hourly(5))
	require.NoError(t, one.Wait(t.Context(), intram.LimitRead))
	require.NoError(t, two.Wait(t.Context(), intram.LimitWrite))
	assert.Equal(t, 3, passing(t, one, intram.LimitPoll))
	assert.Equal(t, 0, passing(t, two, intram.LimitPayin))
	assert.Equal(t, 0, passing(t, two, "another kind"))
	other, err := redislimit.New(server.client(t), "other/live", hourly(2))
	require.NoError(t, err)
	assert.Equal(t, 2, passing(t, other, intram.LimitRead))
}

func TestAKindWithARateOfItsOwn(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	limiter := newLimiter(t, server.client(t), hourly(2), redislimit.WithKindRate(intram.LimitPayin, hourly(3)))
	assert.Equal(t, 3, passing(t, limiter, intram.LimitPayin))
	assert.Equal(t, 2, passing(t, limiter, intram.LimitRead))
}

// Polls queue, and a write does not queue behind them.
func TestAWriteDoesNotQueueBehindPolls(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	limiter := newLimiter(t, server.client(t), hourly(2))
	leave := limiter.Occupy(intram.LimitPoll)
	ctx, cancel := context.WithCancel(t.Context())
	polls := make(chan error, 1)
	go func() { polls <- limiter.Wait(ctx, intram.LimitPoll) }()
	require.NoError(t, limiter.Wait(t.Context(), intram.LimitWrite))
	cancel()
	require.ErrorIs(t, <-polls, context.Canceled)
	leave()
	require.NoError(t, limiter.Wait(t.Context(), intram.LimitPoll))
}

func TestRedisThatIsAwayFailsClosed(t *testing.T) {
	t.Parallel()
	server, api := newServer(t), intramtest.NewServer(t)
	limiter := newLimiter(t, server.client(t), hourly(5))
	client := api.Client(intram.WithLimiter(limiter))
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)

	server.crash()
	require.ErrorIs(t, limiter.Wait(t.Context(), intram.LimitRead), redislimit.ErrUnavailable)
	before := len(api.Requests())
	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(2500), Currency: intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	})
	require.ErrorIs(t, err, redislimit.ErrUnavailable)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
	assert.Len(t, api.Requests(), before)

	require.NoError(t, server.start())
	limiter.AskAgain()
	_, err = client.Balance.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 4, passing(t, limiter, intram.LimitRead), "Redis has forgotten what passed: one more burst")
}

func TestRedisThatIsAwayLeavesEachProcessItsShare(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	limiter := newLimiter(t, server.client(t), redislimit.Rate{Requests: 8, Per: 24 * time.Hour, Burst: 8}, redislimit.WithLocalShare(4),
		redislimit.WithKindRate(intram.LimitPayin, hourly(2)))
	require.NoError(t, limiter.Wait(t.Context(), intram.LimitRead))
	server.crash()
	assert.Equal(t, 2, local(t, limiter, intram.LimitRead), "8 / 4")
	assert.Equal(t, 0, local(t, limiter, intram.LimitWrite))
	assert.Equal(t, 1, local(t, limiter, intram.LimitPayin), "at least one")
	require.NoError(t, server.start())
	limiter.AskAgain()
	assert.Equal(t, 8, passing(t, limiter, intram.LimitRead))
}

// local counts the requests that pass at once without Redis.
func local(t *testing.T, limiter *redislimit.Limiter, kind intram.LimitKind) int {
	t.Helper()
	for n := 0; ; n++ {
		// An hour is less than what another one takes: it is refused at once.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := limiter.Wait(ctx, kind)
		cancel()
		if err != nil {
			return n
		}
	}
}

// A Redis that takes connections and says nothing, and a client that ignores contexts.
func TestRedisThatHangsIsAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.Map
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
		}
	}()
	rdb := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), ReadTimeout: -1, WriteTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Range(func(conn, _ any) bool {
			if conn, ok := conn.(net.Conn); ok {
				_ = conn.Close()
			}
			return true
		})
		_ = rdb.Close()
	})
	limiter := newLimiter(t, rdb, hourly(4), redislimit.WithRedisTimeout(50*time.Millisecond))
	require.ErrorIs(t, limiter.Wait(t.Context(), intram.LimitWrite), redislimit.ErrUnavailable)
	shared := newLimiter(t, rdb, hourly(4), redislimit.WithRedisTimeout(50*time.Millisecond), redislimit.WithLocalShare(2))
	assert.Equal(t, 2, local(t, shared, intram.LimitWrite))
}

// The call ends while Redis is asked: that says nothing about Redis.
func TestACallThatEndsDoesNotMakeRedisAway(t *testing.T) {
	t.Parallel()
	limiter := newLimiter(t, newServer(t).client(t), hourly(1))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, limiter.Wait(ended, intram.LimitRead), context.Canceled)
	require.NoError(t, limiter.Wait(t.Context(), intram.LimitRead))
}

// Redis's clock was a day ahead, and was corrected. Of two processes that find it, one
// forgets the key.
func TestAClockOfRedisThatIsSetBackStopsNobody(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	rdb := server.client(t)
	limiter := newLimiter(t, rdb, redislimit.Rate{Requests: 10, Burst: 5})
	now, err := rdb.Time(t.Context()).Result()
	require.NoError(t, err)
	reached := func(ahead time.Duration) string { // as redis_rate counts
		return fmt.Sprintf("%d.%06d", now.Add(ahead).Unix()-1483228800, now.Nanosecond()/1000)
	}
	require.NoError(t, rdb.Set(t.Context(), limiter.Key(), reached(24*time.Hour), time.Hour).Err())
	require.NoError(t, limiter.Wait(t.Context(), intram.LimitWrite))
	assert.Positive(t, rdb.Exists(t.Context(), limiter.Key()).Val())

	// A key that another rate explains is kept.
	kept := reached(30 * time.Second)
	require.NoError(t, rdb.Set(t.Context(), limiter.Key(), kept, time.Hour).Err())
	assert.Equal(t, 0, passing(t, limiter, intram.LimitWrite))
	assert.Equal(t, kept, rdb.Get(t.Context(), limiter.Key()).Val())
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = rdb.Close() })
	good := redislimit.Rate{Requests: 1, Burst: 1}
	for want, try := range map[string]func() (*redislimit.Limiter, error){
		"the client of Redis is nil": func() (*redislimit.Limiter, error) { return redislimit.New(nil, "a", good) },
		"the name is empty":          func() (*redislimit.Limiter, error) { return redislimit.New(rdb, "", good) },
		"it has 0 Requests":          func() (*redislimit.Limiter, error) { return redislimit.New(rdb, "a", redislimit.Rate{Burst: 1}) },
		"it has a Burst of 0":        func() (*redislimit.Limiter, error) { return redislimit.New(rdb, "a", redislimit.Rate{Requests: 1}) },
		"it has a Per of 1µs": func() (*redislimit.Limiter, error) {
			return redislimit.New(rdb, "a", redislimit.Rate{Requests: 1, Burst: 1, Per: time.Microsecond})
		},
		"an Option is nil": func() (*redislimit.Limiter, error) { return redislimit.New(rdb, "a", good, nil) },
		"WithKindRate: poll: it has -1 Requests": func() (*redislimit.Limiter, error) {
			return redislimit.New(rdb, "a", good, redislimit.WithKindRate("poll", redislimit.Rate{Requests: -1, Burst: 1}))
		},
		"WithKindRate: the kind must be a word": func() (*redislimit.Limiter, error) {
			return redislimit.New(rdb, "a", good, redislimit.WithKindRate("", good))
		},
		"WithLocalShare: 0 processes": func() (*redislimit.Limiter, error) {
			return redislimit.New(rdb, "a", good, redislimit.WithLocalShare(0))
		},
		"WithRedisTimeout: 0s": func() (*redislimit.Limiter, error) {
			return redislimit.New(rdb, "a", good, redislimit.WithRedisTimeout(0))
		},
	} {
		_, err := try()
		assert.ErrorContains(t, err, "redislimit: ")
		assert.ErrorContains(t, err, want)
	}
}

// Merchants choose their names: none has the key of another's kind.
func TestNoNameIsAnothersKey(t *testing.T) {
	t.Parallel()
	rdb := newServer(t).client(t)
	rate := hourly(1)
	name := t.Name()
	one, err := redislimit.New(rdb, name, rate, redislimit.WithKindRate(intram.LimitPayin, rate))
	require.NoError(t, err)
	require.NoError(t, one.Wait(t.Context(), intram.LimitPayin))
	for _, odd := range []string{name + ":payin", "payin:" + name, "kind:payin:" + name} {
		other, err := redislimit.New(rdb, odd, rate)
		require.NoError(t, err)
		require.NoError(t, other.Wait(t.Context(), intram.LimitRead), odd)
	}
}
