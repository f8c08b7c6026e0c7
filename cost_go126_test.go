//go:build !go1.27

package intram_test

const (
	// moreAllocations is how many allocations a call may make more than a bare one.
	moreAllocations = 8
	// moreBytes is how many bytes a payout may take more than a bare call, in percent.
	moreBytes = 20
)
