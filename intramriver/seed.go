package intramriver

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"
)

// newSalt fills a salt, which never repeats.
func newSalt(salt []byte) { _, _ = rand.Read(salt) } // never fails: see crypto/rand

// spread returns a wait between 80 and 120 per cent of d, so that jobs that failed
// together do not come back together.
func spread(d time.Duration) time.Duration {
	if fifth := int64(d) / 5; fifth > 0 {
		d += time.Duration(mathrand.Int64N(2*fifth) - fifth)
	}
	return d
}
