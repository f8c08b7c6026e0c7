package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// verdict is what one attempt decides about the next one.
type verdict struct {
	retry bool
	// free asks for one more attempt at once, dated by the server's clock or signed in
	// another way. Nothing was executed, and the server is healthy: it costs neither an
	// attempt nor budget.
	free       bool
	retryAfter retryAfter
}

// attempted decides, for go-retryablehttp, whether to make another attempt, and tells the
// hooks.
func (c *Client) attempted(ctx context.Context, resp *http.Response, err error) (bool, error) {
	retry, failure := c.checkRetry(ctx, resp, err)
	recordOf(ctx).close(c.cfg.Hooks, retry && failure == nil)
	return retry, failure
}

// checkRetry decides whether to make another attempt. It depends
// only on the record and the budgets.
func (c *Client) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	rec := recordOf(ctx)
	if rec.err == nil {
		if err != nil {
			// http.Client refused the request, or could not read where a redirect leads.
			return false, err
		}
		if !rec.last.retry {
			// A final response. It stays final if the context ended in the meantime: the
			// money has moved, or has been refused.
			if rec.decided {
				c.budgets.of(rec.call.Method).refill()
			}
			return false, nil
		}
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		rec.err = ctxErr
		return false, ctxErr
	}
	if rec.last.free {
		rec.wait = 0
		return true, nil
	}
	rec.charged++
	if !rec.last.retry || rec.charged >= rec.call.MaxAttempts {
		return false, nil
	}
	rec.wait = c.backoff(rec.attempts)
	if after := rec.last.retryAfter; after.given {
		if after.wait > MaxRetryAfter {
			rec.stoppedBy = fmt.Sprintf("the server asks to come back in %v, longer than the %v that a call waits",
				after.wait.Round(time.Second), MaxRetryAfter)
			return false, nil
		}
		if after.wait > 0 {
			rec.wait = after.wait
		}
		if left, bounded := c.timeLeft(ctx); bounded && rec.wait > left {
			rec.err = beyondDeadlineError{rec.wait.Round(time.Second)}
			return false, nil
		}
	}
	if c.tooLate(rec, rec.wait) {
		rec.stoppedBy = stoppedByAge
		return false, nil
	}
	if !c.budgets.of(rec.call.Method).spend() {
		rec.stoppedBy = "retry budget exhausted (too many recent failures); this is the last attempt's result"
		if hooks := c.cfg.Hooks; hooks != nil && hooks.BudgetSpent != nil {
			hooks.BudgetSpent(rec, &rec.call)
		}
		return false, nil
	}
	return true, nil
}

// beyondDeadlineError is the error of a call whose context ends before the server accepts
// another request. It is context.DeadlineExceeded, as it would be after sleeping until
// then.
type beyondDeadlineError struct{ asked time.Duration }

func (e beyondDeadlineError) Error() string {
	return fmt.Sprintf("the server asks to come back in %v, and the context ends before that", e.asked)
}
func (e beyondDeadlineError) OwnText() string { return e.Error() }
func (e beyondDeadlineError) Unwrap() error   { return context.DeadlineExceeded }

// timeLeft returns how long ctx lasts, by the client's clock. A deadline that has passed
// while ctx has not ended belongs to another clock than the client's, such as a test's,
// and is ignored.
func (c *Client) timeLeft(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	left := deadline.Sub(c.cfg.Clock.Now())
	return left, left > 0
}

const stoppedByAge = "not retried: the server may have expired the idempotency key; this is the last attempt's result"

// tooLate reports whether an attempt after wait would begin when the server may have
// forgotten the call's key.
func (c *Client) tooLate(rec *record, wait time.Duration) bool {
	end := rec.call.NotAfter
	return !end.IsZero() && c.cfg.Clock.Now().Add(wait).After(end)
}

// prepareRetry waits, by the clock and for the limiter, and no longer than the context
// lasts.
func (c *Client) prepareRetry(req *http.Request) error {
	rec := recordOf(req.Context())
	if err := c.cfg.Clock.Sleep(req.Context(), rec.wait); err != nil {
		rec.err = err
		return err
	}
	if err := c.limit(rec); err != nil {
		return err
	}
	// A machine that was suspended meanwhile wakes up much later than planned.
	if c.tooLate(rec, 0) {
		rec.stoppedBy = stoppedByAge
		return errTooLate
	}
	return nil
}

// errTooLate ends the library's loop. The call's result is that of its last attempt.
var errTooLate = errors.New("too late for another attempt")

// backoff returns a wait with full jitter, anywhere below the exponential bound: clients
// that failed together do not come back together.
func (c *Client) backoff(attempts int) time.Duration {
	bound := backoffCap
	if shift := attempts - 1; shift < 5 {
		bound = min(backoffCap, backoffBase<<shift)
	}
	return time.Duration(c.cfg.Rand() * float64(bound))
}

// retryAfter is the wait that a Retry-After header asks for.
type retryAfter struct {
	given bool
	wait  time.Duration
}

// longestWait stands for any Retry-After that a Duration cannot hold.
const longestWait = time.Duration(1<<63 - 1)

// parseRetryAfter reads seconds or an HTTP date. Anything else, including more than one
// value, counts as absent; a past date is a wait of zero. now is the time of the server
// that wrote the date.
func parseRetryAfter(values []string, now time.Time) retryAfter {
	if len(values) != 1 {
		return retryAfter{}
	}
	v := strings.TrimSpace(values[0])
	if v != "" && strings.Trim(v, "0123456789") == "" {
		return retryAfter{given: true, wait: seconds(v)}
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return retryAfter{}
	}
	return retryAfter{given: true, wait: max(0, at.Sub(now))}
}

// seconds parses decimal digits, and saturates at the longest wait instead of
// overflowing.
func seconds(digits string) time.Duration {
	const limit = int64(longestWait / time.Second)
	var n int64
	for _, d := range digits {
		n = n*10 + int64(d-'0')
		if n > limit {
			return longestWait
		}
	}
	return time.Duration(n) * time.Second
}
