package intram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// How long and how often the SDK asks, unless told otherwise (Merchant API docs, Operations and Payment requests).
const (
	DefaultPollMin     = time.Second
	DefaultPollMax     = 10 * time.Second
	DefaultMaxWait     = 60 * time.Second
	defaultPaymentWait = 6 * time.Minute

	pollFactor = 1.5
	// longestPause bounds what a Retry-After can make of a wait that has no end of its own.
	longestPause = 5 * time.Minute
)

// WaitOption is a setting of one wait.
type WaitOption func(*waitConfig)

type waitConfig struct {
	pollMin, pollMax time.Duration
	maxWait          time.Duration
	progress         func(*Operation)
}

// WithPollInterval sets the time between two polls: it starts at lowest and grows by half up to highest, each one jittered. The default
// is 1 s to 10 s, as documented. A Retry-After in an answer goes first.
func WithPollInterval(lowest, highest time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.pollMin, cfg.pollMax = lowest, highest }
}

// WithMaxWait ends the wait after d, with a [*WaitError]; the default is 60 s, and 6 minutes for a customer's payment. 0 waits for as
// long as the context lasts. The operation is looked up once more at the end, for which the server has up to a second.
func WithMaxWait(d time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.maxWait = d }
}

// WithProgress calls f with the operation each time it was looked up, on the waiting goroutine. Waits for transactions have
// no operation, and do not call it.
func WithProgress(f func(*Operation)) WaitOption {
	return func(cfg *waitConfig) { cfg.progress = f }
}

// WaitForOperation waits until an operation has ended, and returns it when it succeeded. The id is all it needs: a
// wait can go on in another process, days later.
//
// It looks the operation up at once, then after 1 s, then after half as long again each time, up to 10 s. Network
// failures, 5xx and 429 in between do not end it. An unknown status is "not finished yet".
//
// Errors: [*OperationError] when the operation failed or expired; [*WaitError], with the operation as last seen, when the
// wait ended first. Docs: Merchant API, Operations.
func (c *Client) WaitForOperation(ctx context.Context, operationID string, opts ...WaitOption) (*Operation, error) {
	var last *Operation
	err := wait(ctx, c, defaultWait(DefaultMaxWait), opts, func(cfg *waitConfig, callOpts []CallOption) (bool, error) {
		op, err := c.Operations.Get(ctx, operationID, callOpts...)
		if err != nil {
			return false, err
		}
		last = op
		if cfg.progress != nil {
			cfg.progress(op)
		}
		return op.Status.Finished(), nil
	})
	if err != nil {
		return nil, waitFailure(err, &WaitError{Operation: last, id: operationID})
	}
	if last.Status != OperationSucceeded {
		return nil, last.failure()
	}
	return last, nil
}

// waitForResult waits for an operation and unpacks its result.
func waitForResult[R OperationResult](ctx context.Context, c *Client, operationID string, opts []WaitOption) (R, error) {
	var none R
	op, err := c.WaitForOperation(ctx, operationID, opts...)
	if err != nil {
		return none, err
	}
	result, ok := op.Result.(R)
	if !ok {
		return none, fmt.Errorf("%w: operation %s is a %s with a %T, not a %T",
			ErrUnexpectedResult, scrubID(op.ID), redact.Word(string(op.Type)), op.Result, none)
	}
	return result, nil
}

// wait polls until the look-up says that it is done. The error is the look-up's when it refuses for good, the context's, or
// maxWaitError.
func wait(ctx context.Context, c *Client, cfg waitConfig, opts []WaitOption,
	poll func(*waitConfig, []CallOption) (done bool, err error),
) error {
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if err := cfg.check(); err != nil {
		return err
	}
	deadline := c.clock.Now().Add(cfg.maxWait)
	for interval := cfg.pollMin; ; interval = cfg.grow(interval) {
		var resp Response
		callOpts := []CallOption{
			// The wait is the retry loop, and its end is the limit of each look-up too.
			WithMaxAttempts(1), WithResponseInto(&resp), withTimeout(c.pollTimeout(&cfg, deadline)),
		}
		done, err := poll(&cfg, callOpts)
		if done {
			return nil
		}
		if err != nil && !transient(err) {
			return err
		}
		pause := cfg.jitter(interval, c.rand)
		if resp.RetryAfter > 0 {
			pause = min(resp.RetryAfter, longestPause)
		}
		if cfg.maxWait > 0 {
			left := deadline.Sub(c.clock.Now())
			if left <= 0 {
				return maxWaitError{after: cfg.maxWait, lookup: err}
			}
			pause = min(pause, left)
		}
		if err := c.clock.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func defaultWait(maxWait time.Duration) waitConfig {
	return waitConfig{pollMin: DefaultPollMin, pollMax: DefaultPollMax, maxWait: maxWait}
}

func (cfg *waitConfig) check() error {
	var v validation
	v.check(cfg.pollMin > 0, "poll_interval", "poll_interval must start above 0")
	v.check(cfg.pollMax >= cfg.pollMin, "poll_interval", "poll_interval must not end below its start")
	v.check(cfg.maxWait >= 0, "max_wait", "max_wait must not be negative")
	if len(v.fields) > 0 {
		return &Error{Code: CodeValidationError, Message: "nothing was sent", Details: v.fields, Outcome: OutcomeNotSent}
	}
	return nil
}

// jitter spreads waits that began together, within the bounds that were asked for.
func (cfg *waitConfig) jitter(interval time.Duration, draw func() float64) time.Duration {
	spread := time.Duration(float64(interval) * (0.75 + draw()/2))
	return min(max(spread, cfg.pollMin), cfg.pollMax)
}

func (cfg *waitConfig) grow(interval time.Duration) time.Duration {
	if interval >= cfg.pollMax {
		return cfg.pollMax
	}
	return min(cfg.pollMax, time.Duration(float64(interval)*pollFactor))
}

// lastLook is what the look-up at the end of a wait has to be answered in: with nothing left of the wait, it would be
// broken off before any network could carry it.
const lastLook = time.Second

// pollTimeout keeps a look-up within the wait.
func (c *Client) pollTimeout(cfg *waitConfig, deadline time.Time) time.Duration {
	if cfg.maxWait == 0 {
		return c.timeout
	}
	return min(c.timeout, max(lastLook, deadline.Sub(c.clock.Now())))
}

// transient reports whether a look-up that failed is worth another: it was not answered for good. A look-up moves no
// money, so trying again is always safe.
func transient(err error) bool {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch e.Outcome {
	case OutcomeUnknown:
		return true
	case OutcomeNotSent:
		return e.Code != CodeValidationError
	case OutcomeRejected:
		return e.StatusCode == http.StatusTooManyRequests
	}
	return false
}

// waitFailure makes the error of a wait that ended first. Parameters that were refused are no wait at all.
func waitFailure(err error, failure *WaitError) error {
	var e *Error
	if errors.As(err, &e) && e.Outcome == OutcomeNotSent && e.Code == CodeValidationError {
		return err
	}
	failure.Err = err
	return failure
}
