package transport

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// always responds to every attempt in the same way.
type always step

func (a always) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func newAlways(t *testing.T, s step) *Client {
	t.Helper()
	return New(config(t, always(s), &stepClock{now: start}))
}

func TestOutageIsNotAmplifiedBeyondTheBudget(t *testing.T) {
	t.Parallel()
	c := newAlways(t, answer(http.StatusServiceUnavailable, ""))
	attempts := 0
	for range 1000 {
		attempts += c.Do(t.Context(), payout()).Attempts
	}
	assert.Equal(t, 1000+budgetMost/budgetRetry, attempts, "one attempt a call, and the retries that were saved up")

	last := c.Do(t.Context(), payout())
	assert.Equal(t, 1, last.Attempts)
	assert.Equal(t, http.StatusServiceUnavailable, last.Status, "the last answer comes with it")
	assert.Contains(t, last.StoppedBy, "retry budget exhausted")
	assert.Equal(t, Unknown, last.Outcome)
}

func TestSuccessesAndRefusalsRefillTheBudget(t *testing.T) {
	t.Parallel()
	for name, well := range map[string]step{"success": answer(202, "{}"), "refusal": answer(400, noThanks)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := answer(http.StatusBadGateway, "")
			c := newAlways(t, func(r *http.Request) (*http.Response, error) { return next(r) })
			for range 200 {
				c.Do(t.Context(), payout())
			}
			require.Equal(t, 1, c.Do(t.Context(), payout()).Attempts, "the budget is spent")
			next = well
			for range 2 * budgetRetry {
				c.Do(t.Context(), payout())
			}
			next = answer(http.StatusBadGateway, "")
			assert.Equal(t, 3, c.Do(t.Context(), payout()).Attempts, "ten answers bring two retries")
		})
	}
}

// A page of a proxy does not say that the API is well.
func TestPagesOfAProxyDoNotRefillTheBudget(t *testing.T) {
	t.Parallel()
	next := answer(http.StatusBadGateway, "")
	c := newAlways(t, func(r *http.Request) (*http.Response, error) { return next(r) })
	for _, call := range []func() *Call{payout, lookup} {
		next = answer(http.StatusBadGateway, "")
		for range 200 {
			c.Do(t.Context(), call())
		}
		for _, status := range []int{403, 407} {
			next = answer(status, "<html>")
			for range 2 * budgetRetry {
				c.Do(t.Context(), call())
			}
		}
		next = answer(http.StatusBadGateway, "")
		assert.Equal(t, 1, c.Do(t.Context(), call()).Attempts)
	}
}

func TestPollsDoNotTakeTheRetriesOfWrites(t *testing.T) {
	t.Parallel()
	c := newAlways(t, lost)
	for range 500 {
		c.Do(t.Context(), lookup())
	}
	require.Equal(t, 1, c.Do(t.Context(), lookup()).Attempts)
	assert.Equal(t, 4, c.Do(t.Context(), payout()).Attempts)
}

func TestBudgetNeitherOverflowsNorGoesBelowZero(t *testing.T) {
	t.Parallel()
	b := newBudget()
	b.refill()
	assert.Equal(t, int64(budgetMost), b.tokens.Load())
	spent := 0
	for b.spend() {
		spent++
	}
	assert.Equal(t, budgetMost/budgetRetry, spent)
	assert.GreaterOrEqual(t, b.tokens.Load(), int64(0))
	for range budgetRetry - 1 {
		b.refill()
	}
	assert.False(t, b.spend())
	b.refill()
	assert.True(t, b.spend())
}
