package serve

import "time"

// The machine's time, for the certificate, and how long Ctrl-C waits for calls under way.
const (
	gracePeriod   = 3 * time.Second
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

func now() time.Time { return time.Now() }
