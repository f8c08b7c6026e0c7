package mockapi

import (
	"slices"
	"time"
)

// Entry is one side of a posting: an amount put into an account, or taken out of it when negative. The
// entries of a posting always sum to zero, and so does the ledger.
type Entry struct {
	Posting     int // shared by the entries of one movement, from 1
	Time        time.Time
	Account     string
	Amount      int64 // whole units of the currency
	OperationID string
	Reference   string // the transaction's
	Memo        string
}

// move takes an amount out of one account and puts it into another.
type move struct {
	from, to string
	amount   int64
}

// ledger is the only thing that moves money. It is made of moves, so that nothing can be put in without being
// taken out. Balances are kept beside the entries: reading one does not depend on how long the history is.
type ledger struct {
	entries  []Entry
	balances map[string]int64
	postings int
}

func newLedger() ledger { return ledger{balances: map[string]int64{}} }

// post records the moves of one event.
func (l *ledger) post(at time.Time, operationID, reference, memo string, moves ...move) {
	l.postings++
	e := Entry{Posting: l.postings, Time: at, OperationID: operationID, Reference: reference, Memo: memo}
	for _, m := range moves {
		if m.amount == 0 {
			continue
		}
		l.balances[m.from] -= m.amount
		l.balances[m.to] += m.amount
		e.Account, e.Amount = m.from, -m.amount
		l.entries = append(l.entries, e)
		e.Account, e.Amount = m.to, m.amount
		l.entries = append(l.entries, e)
	}
}

func (l *ledger) balance(account string) int64 { return l.balances[account] }

func (l *ledger) clone() ledger {
	copied := ledger{entries: slices.Clone(l.entries), balances: make(map[string]int64, len(l.balances)), postings: l.postings}
	for account, balance := range l.balances {
		copied.balances[account] = balance
	}
	return copied
}

// Ledger returns every entry of the ledger, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.ledger.entries)
}
