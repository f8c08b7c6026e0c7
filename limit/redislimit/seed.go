package redislimit

import (
	"math/rand/v2"
	"time"
)

// spread returns a random time below d.
func spread(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(max(1, int64(d))))
}
