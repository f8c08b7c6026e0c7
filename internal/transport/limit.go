package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// longestLimit bounds the wait for [Config].Limit, for calls whose context has no
// deadline.
const longestLimit = 10 * time.Minute

// ErrTooLate is the error of a call whose first attempt would have begun after
// [Call].NotAfter.
var ErrTooLate = errors.New("too late for the first attempt")

// LimitError is the error of a call whose limiter refused an attempt.
type LimitError struct{ err error }

func (e *LimitError) Error() string { return "the limiter let no request pass: " + e.err.Error() }

// OwnText leaves out what the limiter says, which may be anything.
func (e *LimitError) OwnText() string { return "the limiter let no request pass" }

// Unwrap returns the limiter's error.
func (e *LimitError) Unwrap() error { return e.err }

var (
	errLimiterHangs  = fmt.Errorf("it has not returned within %v", longestLimit)
	errLimiterExited = errors.New("it ended its goroutine instead of returning")
)

// limit asks whether the next attempt may begin, and when, and sets the record's error if
// there must be none. It returns when the call's context ends, whatever the limiter does.
func (c *Client) limit(rec *record) error {
	var err error
	if c.cfg.Closed != nil {
		err = c.cfg.Closed()
	}
	if err == nil && c.cfg.Limit != nil {
		err = c.askLimiter(rec.Context, &rec.call)
		if ctxErr := rec.Err(); ctxErr != nil {
			err = ctxErr
		}
	}
	if err != nil {
		rec.err = err
	}
	return err
}

// askLimiter calls the limiter in a goroutine of its own: it may panic, or hang.
func (c *Client) askLimiter(ctx context.Context, call *Call) error {
	limited, cancel := context.WithTimeout(ctx, longestLimit)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := errLimiterExited
		defer func() {
			if value := recover(); value != nil {
				err = redact.Panicked("it", value)
			}
			ended <- err
		}()
		err = c.cfg.Limit(limited, call)
	}()
	select {
	case err := <-ended:
		if err == nil {
			return nil
		}
		return &LimitError{err}
	case <-limited.Done():
		return &LimitError{errLimiterHangs} // or the call's context has ended, which counts first
	}
}
