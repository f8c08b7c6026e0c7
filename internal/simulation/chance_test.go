package simulation_test

import "time"

// chance is where every decision comes from: a hash of the seed and of what is decided
// about.
type chance uint64

// of is the chance of something inside of another: of this call, of that call's third
// attempt.
func (c chance) of(what string, n ...int) chance {
	h := uint64(c)
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 0x100000001b3
	}
	for _, v := range n {
		h = mix(h ^ uint64(v))
	}
	return chance(mix(h))
}

// mix is SplitMix64's finish: every bit of the result depends on every bit of z.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws from 0 to n-1.
func (c chance) below(n int) int {
	return int(uint64(c) >> 1 % uint64(n))
}

// percent is true that often.
func (c chance) percent(n int) bool { return c.of("percent").below(100) < n }

// between draws a time from lo up to hi, to the nanosecond, so that two things hardly
// ever happen at once.
func (c chance) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(uint64(c.of("between"))>>1%uint64(hi-lo))
}
