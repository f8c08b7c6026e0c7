package renewal_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/renewal"
	"github.com/intram/intram-go/internal/system"
)

type value struct{ n int }

// counted supplies 1, 2, 3 and so on, each after a second.
func counted(asked *atomic.Int64) func(context.Context, *value) (*value, error) {
	return func(ctx context.Context, _ *value) (*value, error) {
		n := int(asked.Add(1))
		if err := (system.Clock{}).Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
		return &value{n}, nil
	}
}

func TestAThousandCallersAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		source := renewal.New(time.Minute, counted(&asked))
		assert.Nil(t, source.Load())
		first, err := source.Renew(t.Context(), nil)
		require.NoError(t, err)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				assert.NoError(t, system.Clock{}.Sleep(t.Context(), time.Duration(i)*2*time.Millisecond)) // half of them when the value is there already
				next, err := source.Renew(t.Context(), first)
				assert.NoError(t, err)
				assert.Equal(t, 2, next.n)
			})
		}
		all.Wait()
		assert.EqualValues(t, 2, asked.Load(), "one for the first value, and one for all of them")
		next, err := source.Renew(t.Context(), source.Load())
		require.NoError(t, err)
		assert.Equal(t, 3, next.n, "a value that was refused after it was supplied is asked for again")
	})
}

func TestAnUnchangedValueIsNotAskedForAgainByThoseWhoHadItBefore(t *testing.T) {
	t.Parallel()
	asked := 0
	source := renewal.New(time.Minute, func(context.Context, *value) (*value, error) { asked++; return &value{7}, nil })
	before, err := source.Renew(t.Context(), nil)
	require.NoError(t, err)
	_, err = source.Renew(t.Context(), before)
	require.NoError(t, err)
	late, err := source.Renew(t.Context(), before)
	require.NoError(t, err)
	assert.Equal(t, 7, late.n)
	assert.Equal(t, 2, asked)
}

func TestACallerWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		source := renewal.New(time.Minute, counted(&asked))
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, cause)
		defer cancel()
		begun := time.Now()
		_, err := source.Renew(ctx, nil)
		require.ErrorIs(t, err, cause)
		assert.Equal(t, time.Millisecond, time.Since(begun))
		next, err := source.Renew(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, next.n, "the request goes on, for the others")
	})
}

func TestAFunctionThatHangsStopsNobodyForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int64
		source := renewal.New(time.Minute, func(context.Context, *value) (*value, error) {
			n := int(asked.Add(1))
			if n == 1 {
				<-release // whatever its context says
			}
			return &value{n}, nil
		})
		begun := time.Now()
		_, err := source.Renew(t.Context(), nil)
		require.EqualError(t, err, "the function has not returned within 1m0s: check that it returns when its context is done")
		assert.Equal(t, time.Minute, time.Since(begun))
		next, err := source.Renew(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 2, next.n)
		close(release)
		synctest.Wait()
		assert.Equal(t, 2, source.Load().n, "what comes after it was given up is of the past")
	})
}

func TestAFunctionSlowerThanTheLimitSuppliesTheNextCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pause := system.Clock{}.Sleep
		asked := 0
		source := renewal.New(2*time.Second, func(context.Context, *value) (*value, error) {
			asked++
			n := asked
			return &value{n}, pause(context.WithoutCancel(t.Context()), 3*time.Second)
		})
		_, err := source.Renew(t.Context(), nil)
		require.ErrorContains(t, err, "has not returned within 2s")
		require.NoError(t, pause(t.Context(), time.Second))
		synctest.Wait()
		first := source.Load()
		require.NotNil(t, first)
		_, err = source.Renew(t.Context(), first)
		require.Error(t, err)
		assert.Same(t, first, source.Load())
		require.NoError(t, pause(t.Context(), time.Second))
		synctest.Wait()
		assert.Equal(t, 2, source.Load().n)
	})
}

func TestWhatFailsLeavesTheValueAlone(t *testing.T) {
	t.Parallel()
	own := errors.New("no vault")
	for name, tt := range map[string]struct {
		fail func() (*value, error)
		says string
	}{
		"an error":          {func() (*value, error) { return &value{9}, own }, "no vault"},
		"a panic":           {func() (*value, error) { panic("sk_live_CANARY") }, "the function panicked with a string"},
		"a runtime's panic": {func() (*value, error) { var v *value; return &value{v.n}, nil }, "the function panicked: runtime error: invalid memory address or nil pointer dereference"},
		"no return":         {func() (*value, error) { runtime.Goexit(); return new(value), nil }, "the function ended its goroutine instead of returning"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := renewal.New(time.Minute, func(_ context.Context, held *value) (*value, error) {
				if held == nil {
					return &value{1}, nil
				}
				return tt.fail()
			})
			first, err := source.Renew(t.Context(), nil)
			require.NoError(t, err)
			_, err = source.Renew(t.Context(), first)
			require.EqualError(t, err, tt.says)
			assert.Same(t, first, source.Load())
		})
	}
}
