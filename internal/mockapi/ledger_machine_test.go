package mockapi

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// TestLedgerAgainstItsModel posts, opens accounts, keeps copies and goes back to them in
// any order, and compares every balance with a map that knows nothing of blocks, numbers
// or copies.
func TestLedgerAgainstItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &ledgerMachine{ledger: newLedger(), model: map[string]int64{}}
		m.Open(t)
		t.Repeat(rapid.StateMachineActions(m))
	})
}

type ledgerMachine struct {
	ledger ledger
	model  map[string]int64
	posted int // postings with a movement
	copies []ledgerCopy
}

type ledgerCopy struct {
	ledger ledger
	model  map[string]int64
	posted int
}

// Open mentions an account, a new one or one that there is.
func (m *ledgerMachine) Open(t *rapid.T) {
	name := fmt.Sprintf("account-%d", rapid.IntRange(0, 5).Draw(t, "account"))
	before := len(m.ledger.accounts)
	n := m.ledger.account(name)
	if got := m.ledger.accounts[n].name; got != name {
		t.Fatalf("account %q has the number of %q", name, got)
	}
	if _, known := m.model[name]; known != (len(m.ledger.accounts) == before) {
		t.Fatalf("account %q was known: %v, and there are %d accounts after %d", name, known, len(m.ledger.accounts), before)
	}
	m.model[name] += 0
}

// Post moves money, often enough to fill blocks, from an account to the same one too, and
// nothing at times.
func (m *ledgerMachine) Post(t *rapid.T) {
	times := rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 2, 3, postingBlock - 1, postingBlock + 1}).Draw(t, "times")
	var p posting
	names := make([][2]string, len(p.moves))
	for i := range p.moves {
		from := accountNumber(rapid.IntRange(0, len(m.ledger.accounts)-1).Draw(t, "from"))
		to := accountNumber(rapid.IntRange(0, len(m.ledger.accounts)-1).Draw(t, "to"))
		p.moves[i] = move{from, to, rapid.Int64Range(0, 1_000_000).Draw(t, "amount") * rapid.SampledFrom([]int64{0, 1, 1}).Draw(t, "any")}
		names[i] = [2]string{m.ledger.accounts[from].name, m.ledger.accounts[to].name}
	}
	p.memo = fmt.Sprintf("posting of %d and %d", p.moves[0].amount, p.moves[1].amount)
	for range times {
		m.ledger.post(p)
		m.posted++
		for i, mv := range p.moves {
			m.model[names[i][0]] -= mv.amount
			m.model[names[i][1]] += mv.amount
		}
	}
}

// Keep copies the ledger, as a snapshot does.
func (m *ledgerMachine) Keep(*rapid.T) {
	m.copies = append(m.copies, ledgerCopy{m.ledger.clone(), maps.Clone(m.model), m.posted})
}

// Restore goes back to a copy, which stays what it is.
func (m *ledgerMachine) Restore(t *rapid.T) {
	if len(m.copies) == 0 {
		t.Skip("nothing was kept")
	}
	c := m.copies[rapid.IntRange(0, len(m.copies)-1).Draw(t, "copy")]
	m.ledger, m.model, m.posted = c.ledger.clone(), maps.Clone(c.model), c.posted
}

// Check adds the whole history up.
func (m *ledgerMachine) Check(t *rapid.T) {
	sums, postings := map[string]int64{}, map[int]int64{}
	last := 0
	for _, e := range m.ledger.entries() {
		sums[e.Account] += e.Amount
		postings[e.Posting] += e.Amount
		if e.Amount == 0 || e.Posting < last || e.Posting > m.posted {
			t.Fatalf("entry %+v after posting %d of %d", e, last, m.posted)
		}
		last = e.Posting
	}
	for n, sum := range postings {
		if sum != 0 {
			t.Fatalf("posting %d sums to %d", n, sum)
		}
	}
	var whole int64
	for name, want := range m.model {
		n, ok := m.ledger.numbers[name]
		if !ok {
			t.Fatalf("account %q is gone", name)
		}
		if got := m.ledger.balance(n); got != want || sums[name] != want {
			t.Fatalf("account %q has %d and entries of %d, want %d", name, got, sums[name], want)
		}
		whole += want
	}
	if whole != 0 || len(m.ledger.accounts) != len(m.model) {
		t.Fatalf("the whole sums to %d in %d accounts, want 0 in %d", whole, len(m.ledger.accounts), len(m.model))
	}
}
