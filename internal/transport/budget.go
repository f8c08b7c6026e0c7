package transport

import (
	"net/http"
	"sync"
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

// Budget is a retry budget that several clients share, for one host. It keeps reads and
// writes apart: thousands of failing polls must not use up the retries of a payout.
type Budget struct{ reads, writes *budget }

// NewBudget returns a full budget.
func NewBudget() *Budget { return &Budget{reads: newBudget(), writes: newBudget()} }

// share is one client's part of a budget. Its debt is what it has spent and not earned
// back by successes of its own. A retry needs a debt, this retry included, that is not
// above what the budget has left before it. So a client that fails alone gets half of a
// full budget in a row, the next one that fails half of the rest, and a client that has
// spent nothing gets a retry as long as there is one. What the successes of others bring
// back is for all, and no client's debt grows above a full budget.
type share struct {
	*budget

	alone bool // the budget has no other client: there is no debt

	mu   sync.Mutex
	debt int64
}

func (s *share) spend() bool {
	if s.alone {
		return s.budget.spend()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.debt+budgetRetry > s.tokens.Load() || !s.budget.spend() {
		return false
	}
	s.debt += budgetRetry
	return true
}

func (s *share) refill() {
	s.budget.refill()
	if s.alone {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.debt = max(0, s.debt-budgetSuccess)
}

func (s *share) inDebt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.debt > 0
}

// budgets are a client's shares.
type budgets struct{ reads, writes *share }

// newBudgets returns the shares of a client in a budget, or of nil in one of its own.
func newBudgets(shared *Budget) budgets {
	alone := shared == nil
	if alone {
		shared = NewBudget()
	}
	return budgets{
		reads:  &share{budget: shared.reads, alone: alone},
		writes: &share{budget: shared.writes, alone: alone},
	}
}

func (b budgets) of(method string) *share {
	if method == http.MethodGet || method == http.MethodHead {
		return b.reads
	}
	return b.writes
}
