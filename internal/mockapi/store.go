package mockapi

import (
	"slices"
	"time"
)

// state is everything the fake remembers about money and events, all of it under the server's lock. It
// holds data only, so that a snapshot is a copy of it.
type state struct {
	ledger       ledger
	books        map[*account]*book
	operations   map[string]*operation
	transactions map[string]*transaction // by reference and by internal id
	deliveries   map[string]*delivery
	deliveryLog  []*delivery     // oldest first, capped
	events       []*event        // oldest first, capped
	down         map[string]bool // providers that are unavailable, by payment method code
	latest       time.Time       // the newest date given to an object
}

// book is what one account owns.
type book struct {
	wallets       []*wallet
	operations    []*operation   // oldest first
	transactions  []*transaction // oldest first
	subscriptions []*subscription
}

// wallet is where a payment method's money is: two ledger accounts.
type wallet struct {
	method             *method
	available, pending string
}

func newState() state {
	return state{
		ledger:       newLedger(),
		books:        map[*account]*book{},
		operations:   map[string]*operation{},
		transactions: map[string]*transaction{},
		deliveries:   map[string]*delivery{},
		down:         map[string]bool{},
	}
}

func (b *book) wallet(code string) *wallet {
	for _, w := range b.wallets {
		if w.method.code == code {
			return w
		}
	}
	return nil
}

// openWallet adds the wallet of a payment method, keeping the catalogue's order.
func (b *book) openWallet(a *account, m *method) *wallet {
	owner := a.merchant.id + ":" + a.environment + ":" + m.code
	w := &wallet{method: m, available: "wallet:" + owner, pending: "wallet_pending:" + owner}
	at := len(b.wallets)
	for i, other := range b.wallets {
		if slices.Index(methods[:], other.method) > slices.Index(methods[:], m) {
			at = i
			break
		}
	}
	b.wallets = slices.Insert(b.wallets, at, w)
	return w
}

// providerAccount is the world outside, beyond a payment method.
func providerAccount(environment, code string) string { return "provider:" + environment + ":" + code }

// date is the present, in the milliseconds that go over the wire, and never before the last date given:
// lists are in the order of creation and in the order of dates at once.
func (s *Server) date() time.Time {
	now := s.clock.Now().Truncate(time.Millisecond)
	if now.Before(s.state.latest) {
		return s.state.latest
	}
	s.state.latest = now
	return now
}

// operation finds an account's own operation: another merchant's, or the other environment's, is unknown.
func (s *Server) operationOf(a *account, id string) *operation {
	if op := s.state.operations[id]; op != nil && op.account == a {
		return op
	}
	return nil
}

func (s *Server) transactionOf(a *account, reference string) *transaction {
	if tx := s.state.transactions[reference]; tx != nil && tx.account == a {
		return tx
	}
	return nil
}

func (s *Server) addOperation(op *operation) {
	s.state.operations[op.id] = op
	b := s.state.books[op.account]
	b.operations = append(b.operations, op)
}

func (s *Server) addTransaction(tx *transaction) {
	s.state.transactions[tx.reference] = tx
	s.state.transactions[tx.id] = tx
	b := s.state.books[tx.account]
	b.transactions = append(b.transactions, tx)
}

func (st *state) clone() state {
	c := newState()
	c.ledger = st.ledger.clone()
	c.latest = st.latest
	for code, down := range st.down {
		c.down[code] = down
	}
	for id, op := range st.operations {
		copied := *op
		c.operations[id] = &copied
	}
	for key, tx := range st.transactions {
		if key != tx.reference {
			continue
		}
		copied := *tx
		copied.refunds = slices.Clone(tx.refunds)
		c.transactions[tx.reference], c.transactions[tx.id] = &copied, &copied
	}
	for id, d := range st.deliveries {
		copied := *d
		copied.attempts = slices.Clone(d.attempts)
		c.deliveries[id] = &copied
	}
	for _, d := range st.deliveryLog {
		c.deliveryLog = append(c.deliveryLog, c.deliveries[d.id])
	}
	c.events = slices.Clone(st.events)
	for a, b := range st.books {
		copied := &book{wallets: slices.Clone(b.wallets), subscriptions: slices.Clone(b.subscriptions)}
		for _, op := range b.operations {
			copied.operations = append(copied.operations, c.operations[op.id])
		}
		for _, tx := range b.transactions {
			copied.transactions = append(copied.transactions, c.transactions[tx.reference])
		}
		c.books[a] = copied
	}
	return c
}
