package mockapi

import (
	"maps"
	"slices"
	"time"
)

// Entry is one side of a posting: an amount put into an account, or taken out of it when
// negative. The entries of a posting always sum to zero, and so does the ledger.
type Entry struct {
	Posting     int // shared by the entries of one movement, from 1
	Time        time.Time
	Account     string
	Amount      int64 // whole units of the currency
	OperationID string
	Reference   string // the transaction's
	Memo        string
}

// accountNumber is an account of the ledger.
type accountNumber int

// move takes an amount out of one account and puts it into another.
type move struct {
	from, to accountNumber
	amount   int64
}

// posting is the moves of one event. Two are enough for all there are: a payment moves
// the net amount and the fee.
type posting struct {
	at                           time.Time
	operationID, reference, memo string
	moves                        [2]move
}

// ledger is the only thing that moves money. It is made of moves, so that nothing can be
// put in without being taken out. Balances are kept beside the postings: reading one does
// not depend on how long the history is.
type ledger struct {
	accounts []ledgerAccount
	numbers  map[string]accountNumber
	// postings are kept in blocks, so that a long history is never copied to make room.
	postings [][]posting
}

type ledgerAccount struct {
	name    string
	balance int64
}

const postingBlock = 256

func newLedger() ledger { return ledger{numbers: map[string]accountNumber{}} }

// account is the number of an account, which opens with its first mention.
func (l *ledger) account(name string) accountNumber {
	n, ok := l.numbers[name]
	if !ok {
		n = accountNumber(len(l.accounts))
		l.accounts = append(l.accounts, ledgerAccount{name: name})
		l.numbers[name] = n
	}
	return n
}

// post records a posting. Moves of nothing are left out.
func (l *ledger) post(p posting) {
	for _, m := range p.moves {
		l.accounts[m.from].balance -= m.amount
		l.accounts[m.to].balance += m.amount
	}
	last := len(l.postings) - 1
	if last < 0 || len(l.postings[last]) == postingBlock {
		l.postings = append(l.postings, make([]posting, 0, postingBlock))
		last++
	}
	l.postings[last] = append(l.postings[last], p)
}

// size is how many postings there are.
func (l *ledger) size() int {
	if len(l.postings) == 0 {
		return 0
	}
	last := len(l.postings) - 1
	return last*postingBlock + len(l.postings[last])
}

func (l *ledger) balance(n accountNumber) int64 { return l.accounts[n].balance }

// entries is the whole history, oldest first.
func (l *ledger) entries() []Entry {
	var entries []Entry
	number := 0
	for _, block := range l.postings {
		for _, p := range block {
			number++
			e := Entry{Posting: number, Time: p.at, OperationID: p.operationID, Reference: p.reference, Memo: p.memo}
			for _, m := range p.moves {
				if m.amount == 0 {
					continue
				}
				e.Account, e.Amount = l.accounts[m.from].name, -m.amount
				entries = append(entries, e)
				e.Account, e.Amount = l.accounts[m.to].name, m.amount
				entries = append(entries, e)
			}
		}
	}
	return entries
}

func (l *ledger) clone() ledger {
	copied := ledger{accounts: slices.Clone(l.accounts), numbers: make(map[string]accountNumber, len(l.numbers))}
	maps.Copy(copied.numbers, l.numbers)
	for _, block := range l.postings {
		copied.postings = append(copied.postings, append(make([]posting, 0, postingBlock), block...))
	}
	return copied
}

// Ledger returns every entry of the ledger, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ledger.entries()
}
