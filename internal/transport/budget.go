package transport

import (
	"net/http"
	"sync/atomic"
)

// A budget bounds the retries that a client adds to an outage. A client whose calls keep
// failing spends its tokens. After that it makes one attempt a call until calls succeed
// again, during an outage of any length.
//
// The numbers are integers: a retry costs 5, a success adds 1, and the maximum is 500. So
// one in five calls may be retried indefinitely, and a full budget allows a hundred
// retries in a row.
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

// spend takes the cost of a retry, and reports whether there was enough.
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

// refill adds what a success earns.
func (b *budget) refill() {
	for {
		have := b.tokens.Load()
		if have >= budgetMost || b.tokens.CompareAndSwap(have, min(budgetMost, have+budgetSuccess)) {
			return
		}
	}
}

// budgets keeps reads and writes apart: thousands of failing polls must not use up the
// retries of a payout.
type budgets struct{ reads, writes *budget }

func newBudgets() budgets { return budgets{reads: newBudget(), writes: newBudget()} }

func (b budgets) of(method string) *budget {
	if method == http.MethodGet || method == http.MethodHead {
		return b.reads
	}
	return b.writes
}
