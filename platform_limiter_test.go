package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/intramtest"
)

// limiterFunc is a limiter that notes what it is asked for.
type limiterFunc struct {
	mu    sync.Mutex
	kinds []intram.LimitKind
	wait  func(ctx context.Context, asked int) error
}

func (l *limiterFunc) Wait(ctx context.Context, kind intram.LimitKind) error {
	l.mu.Lock()
	l.kinds = append(l.kinds, kind)
	asked := len(l.kinds)
	l.mu.Unlock()
	if l.wait == nil {
		return nil
	}
	return l.wait(ctx, asked)
}

func limited(t *testing.T, wait func(ctx context.Context, asked int) error, steps ...step) (*intram.Client, *script, *limiterFunc) {
	t.Helper()
	s, l := &script{t: t, steps: steps}, &limiterFunc{wait: wait}
	return newClient(t, s, intram.WithLimiter(l)), s, l
}

var errNoQuota = errors.New("no quota for 22961000000")

// refuseFrom refuses the attempts from that one on.
func refuseFrom(n int) func(context.Context, int) error {
	return func(_ context.Context, asked int) error {
		if asked >= n {
			return errNoQuota
		}
		return nil
	}
}

// passTime waits in the time of a bubble, whatever context ends.
func passTime(d time.Duration) error { return system.Clock{}.Sleep(context.Background(), d) }

// hangs is a limiter that ignores its context.
func hangs(context.Context, int) error { return passTime(time.Hour) }

func TestALimiterIsAskedBeforeEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s, l := limited(t, nil, answer(503, ""), lost, answerFile(t, 202, "payout.accepted.current.json"),
			operation("processing"), operation("processing"), finished(t))
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		require.NoError(t, err)
		_, err = client.Operations.Get(t.Context(), "op_1")
		require.NoError(t, err)
		_, err = client.WaitForOperation(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Equal(t, []intram.LimitKind{"write", "write", "write", "read", "poll", "poll"}, l.kinds)
		assert.Len(t, s.requests(), 6)
	})
	server := intramtest.NewServer(t)
	l := new(limiterFunc)
	client := server.Client(intram.WithLimiter(l))
	_, _ = client.Payin.Get(t.Context(), "nothing-1")
	_, _ = client.Webhooks.List(t.Context())
	assert.Equal(t, []intram.LimitKind{"payin", "read"}, l.kinds)
}

// The limiter's wait is the call's, not the attempt's, and the request is dated after it.
func TestALimiterMayTakeLongerThanAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, steps: []step{answerFile(t, 202, "payout.accepted.current.json")}}
		client := newClient(t, s, intram.WithTimeout(sec), intram.WithLimiter(&limiterFunc{wait: func(context.Context, int) error {
			return passTime(9 * time.Minute)
		}}))
		began := time.Now()
		_, err := client.Payouts.Create(t.Context(), mobilePayout())
		require.NoError(t, err)
		sent, err := time.Parse(time.RFC3339, s.requests()[0].Header.Get("X-Timestamp"))
		require.NoError(t, err)
		assert.WithinDuration(t, began.Add(9*time.Minute), sent, ms)
	})
}

// What a limiter says decides nothing about the attempts that were made.
func TestARefusalOfTheLimiterLeavesTheOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps   []step
		outcome intram.Outcome
	}{
		"nothing was sent":         {nil, intram.OutcomeNotSent},
		"no connection":            {[]step{refused}, intram.OutcomeNotSent},
		"a limit of the API's":     {[]step{answer(429, `{"error":true,"code":"rate_limited"}`)}, intram.OutcomeRejected},
		"lost":                     {[]step{lost}, intram.OutcomeUnknown},
		"lost, and then a refusal": {[]step{lost, answer(429, `{"error":true,"code":"rate_limited"}`)}, intram.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, s, l := limited(t, refuseFrom(len(c.steps)+1), c.steps...)
				_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
				var e *intram.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, c.outcome, e.Outcome, "%v", err)
				assert.Equal(t, len(c.steps), e.Attempts)
				assert.Len(t, s.requests(), len(c.steps))
				assert.Len(t, l.kinds, len(c.steps)+1)
				require.ErrorIs(t, err, errNoQuota)
				assert.Contains(t, err.Error(), "the limiter let no request pass")
				assert.NotContains(t, err.Error(), "22961000000")

				_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
				again := intram.OutcomeNotSent
				if c.outcome == intram.OutcomeUnknown {
					again = intram.OutcomeUnknown // the key is in doubt, whatever is sent now
				}
				assert.Equal(t, again, intram.OutcomeOf(err), "%v", err)
			})
		})
	}
}

func TestALimiterThatPanicsOrHangsEndsTheCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait func(context.Context, int) error
		want string
	}{
		"panics":                {func(context.Context, int) error { panic("whsec_secret") }, "the limiter let no request pass"},
		"panics with a runtime": {func(_ context.Context, asked int) error { return []error{nil}[asked+5] }, "the limiter let no request pass"},
		"exits":                 {func(context.Context, int) error { runtime.Goexit(); return nil }, "the limiter let no request pass"},
		"hangs":                 {hangs, "the limiter let no request pass"},
		"a call's own end":      {func(context.Context, int) error { return context.DeadlineExceeded }, "the limiter let no request pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, s, _ := limited(t, c.wait)
				began := time.Now()
				_, err := client.Payouts.Create(t.Context(), mobilePayout())
				assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), "%v", err)
				assert.ErrorContains(t, err, c.want)
				assert.NotContains(t, err.Error(), "whsec")
				assert.Empty(t, s.requests())
				assert.LessOrEqual(t, time.Since(began), 10*time.Minute)
				_ = passTime(2 * time.Hour) // what hangs comes back, and harms nothing
				assert.Empty(t, s.requests())
			})
		})
	}
}

func TestALimiterThatIgnoresItsContextHoldsNoCallBeyondIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s, _ := limited(t, hangs)
		ctx, cancel := context.WithTimeout(t.Context(), 5*sec)
		defer cancel()
		began := time.Now()
		_, err := client.Payouts.Create(ctx, mobilePayout())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
		assert.Equal(t, 5*sec, time.Since(began))
		assert.Empty(t, s.requests())
		_ = passTime(2 * time.Hour)
	})
	// It lets the request pass at the moment at which the call ends.
	synctest.Test(t, func(t *testing.T) {
		client, s, _ := limited(t, func(ctx context.Context, _ int) error { <-ctx.Done(); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 5*sec)
		defer cancel()
		_, err := client.Payouts.Create(ctx, mobilePayout())
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), "%v", err)
		assert.Empty(t, s.requests())
	})
}

func TestAWaitOutlivesRefusalsOfTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		client, s, l := limited(t, func(context.Context, int) error {
			if time.Since(began) < 20*sec {
				return errNoQuota
			}
			return nil
		}, finished(t))
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Len(t, s.requests(), 1)
		assert.Less(t, len(l.kinds), 12, "at the pace of the wait")
		assert.NotContains(t, l.kinds, intram.LimitRead)
	})
	synctest.Test(t, func(t *testing.T) {
		client, _, _ := limited(t, hangs)
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Less(t, time.Since(began), 62*sec)
		_ = passTime(2 * time.Hour)
	})
}

// A machine is suspended while a call waits for its limiter, and the API forgets its key.
func TestALimiterDoesNotLetAnExpiredIntentPass(t *testing.T) {
	t.Parallel()
	for _, resumed := range []bool{false, true} {
		server := intramtest.NewServer(t, intramtest.WithoutListener())
		client := server.Client(intram.WithLimiter(&limiterFunc{wait: func(context.Context, int) error {
			server.Advance(2 * time.Hour)
			return nil
		}}))
		intent, err := client.Payouts.Prepare(intentParams())
		require.NoError(t, err)
		want := intram.OutcomeNotSent
		if resumed {
			saved, err := json.Marshal(intent)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(saved, &intent))
			want = intram.OutcomeUnknown
		}
		server.Advance(intram.IntentHorizon - time.Minute)
		_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
		require.ErrorIs(t, err, intram.ErrIntentExpired)
		assert.ErrorContains(t, err, "call Resume with the intent")
		assert.Equal(t, want, intram.OutcomeOf(err))
		assert.Zero(t, payoutPosts(server))
	}
}

func TestALimiterThatIsNil(t *testing.T) {
	t.Parallel()
	var none *limiterFunc
	for _, limiter := range []intram.Limiter{nil, none} {
		_, err := intram.NewClient(publicKey, secretKey, intram.WithLimiter(limiter))
		assert.ErrorContains(t, err, "WithLimiter: the limiter is nil")
	}
}
