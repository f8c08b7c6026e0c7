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

// sharing is a client of a shared budget, with a transport that always responds so.
func sharing(t *testing.T, shared *Budget, next *step) *Client {
	t.Helper()
	cfg := config(t, always(func(r *http.Request) (*http.Response, error) { return (*next)(r) }), &stepClock{now: start})
	cfg.Budget = shared
	return New(cfg)
}

// retries makes calls, and counts the attempts beyond the first ones.
func retries(t *testing.T, c *Client, calls int) (n int) {
	t.Helper()
	for range calls {
		n += c.Do(t.Context(), payout()).Attempts - 1
	}
	return n
}

func TestABudgetIsSharedFairly(t *testing.T) {
	t.Parallel()
	bad, good := answer(http.StatusBadGateway, ""), answer(202, "{}")
	shared := NewBudget()
	a, b, c := sharing(t, shared, &bad), sharing(t, shared, &bad), sharing(t, shared, &bad)
	assert.Equal(t, 50, retries(t, a, 1000), "half, for the one that fails alone")
	assert.Equal(t, 25, retries(t, b, 1000), "half of the rest")
	assert.Equal(t, 3, retries(t, c, 1), "one call that fails has its retries")
	assert.True(t, a.InDebt())

	// Others are well: what they bring back is no endless supply for the one that fails.
	well := sharing(t, shared, &good)
	total := 0
	for range 100 {
		retries(t, well, 1000)
		total += retries(t, a, 100)
	}
	assert.LessOrEqual(t, 50+total, budgetMost/budgetRetry, "never more than a whole budget")
	retries(t, well, 1000)
	assert.Equal(t, 3, retries(t, sharing(t, shared, &bad), 1), "a client that has spent nothing has retries")
	assert.False(t, well.InDebt())
	for range 2 * budgetMost {
		a.budgets.writes.refill()
	}
	assert.False(t, a.InDebt(), "its own successes pay it")
	assert.Equal(t, 4, sharing(t, nil, &bad).Do(t.Context(), payout()).Attempts)
	assert.Equal(t, 100, retries(t, sharing(t, nil, &bad), 1000), "a client of no platform has all of its own")
}

// A merchant that was well for a year has no more than another when its calls fail.
func TestSuccessesSaveUpNoShare(t *testing.T) {
	t.Parallel()
	next := answer(202, "{}")
	client := sharing(t, NewBudget(), &next)
	retries(t, client, 1000)
	next = answer(http.StatusBadGateway, "")
	assert.Equal(t, 50, retries(t, client, 1000), "half, for the one that fails alone")
}

// An outage of the host is not amplified by the number of merchants.
func TestAnOutageIsNotAmplifiedByTheNumberOfClients(t *testing.T) {
	t.Parallel()
	bad := answer(http.StatusBadGateway, "")
	shared := NewBudget()
	total := 0
	for range 1000 {
		total += retries(t, sharing(t, shared, &bad), 10)
	}
	assert.LessOrEqual(t, total, budgetMost/budgetRetry)
	assert.Greater(t, total, 90)
}
