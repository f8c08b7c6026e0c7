package intram

import (
	"context"
	"time"
)

// Clock is where the SDK reads the time and waits. The default is the machine's clock; tests inject
// their own with [WithClock], and a client made by intramtest uses the fake server's.
//
// A Clock must be safe for concurrent use. One that has a method Jitter() float64, from 0 to 1, also decides how retries and polls are spread,
// for tests that have to run the same way every time.
type Clock interface {
	// Now is the current time. Requests are signed with it, to the millisecond.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its error at once.
	Sleep(ctx context.Context, d time.Duration) error
}

// systemClock is the machine's own clock. It is the only place in the SDK that calls time.Now
// or makes a timer.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
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
