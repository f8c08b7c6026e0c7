// Package system is the machine: its clock and its randomness. Nothing else in the SDK
// reads either, so that a test decides both.
package system

import (
	"context"
	"time"
)

// Clock is the machine's own clock. It is the only place in the SDK that calls time.Now
// or makes a timer.
type Clock struct{}

// Now returns the current time.
func (Clock) Now() time.Time { return time.Now() }

// Sleep waits for d, or until ctx ends, and then returns its error.
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
