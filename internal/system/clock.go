// Package system provides the machine's clock and randomness. Nothing else in the SDK
// reads either, so that tests can control both.
package system

import (
	"context"
	"time"
)

// Clock is the machine's own clock. It is the only place in the SDK that calls time.Now
// or creates a timer.
type Clock struct{}

// Now returns the current time.
func (Clock) Now() time.Time { return time.Now() }

// Sleep waits for d, or until ctx ends. It returns ctx's error if ctx ended first.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
