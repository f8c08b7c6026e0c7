package redislimit

import (
	"context"
	"time"
)

var began = time.Now()

// now is the time since the program began, which no setting of a clock changes.
func now() int64 { return int64(time.Since(began)) + 1 }

// sleep waits for d, or until ctx ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
