package transport

import (
	"net/http"
	"sync/atomic"
)

// A budget bounds what retries add to an outage. A client that fails all the time spends
// its tokens, and then makes one attempt a call until calls succeed again: some retries
// for each hundred successes, however bad it gets.
//
// The numbers are whole: a retry costs 5, a success brings 1, and 500 are the most that
// are kept. So one in five calls may be retried for good, and a client that was well can
// make a hundred retries in a row.
const (
	budgetMost    = 500
	budgetRetry   = 5
	budgetSuccess = 1
)

// budget is a token bucket. The zero value is empty; use newBudget.
type budget struct{ tokens atomic.Int64 }

func newBudget() *budget {
	b := &budget{}
	b.tokens.Store(budgetMost)
	return b
}

// spend takes what a retry costs, and reports whether there was enough.
func (b *budget) spend() bool {
	for {
		have := b.tokens.Load()
		if have < budgetRetry {
			return false
		}
		if b.tokens.CompareAndSwap(have, have-budgetRetry) {
			return true
		}
	}
}

// refill adds what a success brings.
func (b *budget) refill() {
	for {
		have := b.tokens.Load()
		if have >= budgetMost || b.tokens.CompareAndSwap(have, min(budgetMost, have+budgetSuccess)) {
			return
		}
	}
}

// budgets keep reads and writes apart: polls that fail by the thousand must not take the
// retries of a payout.
type budgets struct{ reads, writes *budget }

func newBudgets() budgets { return budgets{reads: newBudget(), writes: newBudget()} }

func (b budgets) of(method string) *budget {
	if method == http.MethodGet || method == http.MethodHead {
		return b.reads
	}
	return b.writes
}
