package mockapi

import (
	"maps"
	"slices"
	"time"
)

// state is everything the fake remembers about money and events, all of it under the
// server's lock. It holds data only, so that a snapshot is a copy of it.
type state struct {
	ledger       ledger
	books        map[*account]*book
	operations   map[string]*operation
	transactions map[string]*transaction // by reference
	payins       payinState
	deliveries   map[string]*delivery
	deliveryLog  []*delivery     // oldest first, capped
	events       []*event        // oldest first, capped
	down         map[string]bool // providers that are unavailable, by payment method code
	behind       []string        // ids of deliveries that a fault holds back until another of their subscription
	latest       time.Time       // the newest date given to an object
}

// book is what one account owns.
type book struct {
	wallets       []*wallet
	operations    []*operation   // oldest first
	transactions  []*transaction // oldest first
	subscriptions []*subscription
	payinWebhook  *subscription // nil without one
}

// wallet is where a payment method's money is: two ledger accounts.
type wallet struct {
	method             *method
	available, pending accountNumber
}

func newState() state {
	return state{
		ledger:       newLedger(),
		books:        map[*account]*book{},
		operations:   map[string]*operation{},
		transactions: map[string]*transaction{},
		payins:       newPayinState(),
		deliveries:   map[string]*delivery{},
		down:         map[string]bool{},
	}
}

// WalletAccount is the ledger's account of what a merchant's wallet has available. What
// is only announced is in the same account with ":pending".
func WalletAccount(merchantID, environment, methodCode string) string {
	return "wallet:" + merchantID + ":" + environment + ":" + methodCode
}

func (b *book) walletCodes() []string {
	var codes []string
	for _, w := range b.wallets {
		codes = append(codes, w.method.code)
	}
	return codes
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
func (b *book) openWallet(l *ledger, a *account, m *method) *wallet {
	available := WalletAccount(a.merchant.id, a.environment, m.code)
	w := &wallet{method: m, available: l.account(available), pending: l.account(available + ":pending")}
	at := len(b.wallets)
	for i, other := range b.wallets {
		if other.method.index > m.index {
			at = i
			break
		}
	}
	b.wallets = slices.Insert(b.wallets, at, w)
	return w
}

// date is the present, in the milliseconds that go over the wire, and never before the
// last date given: lists are in the order of creation and in the order of dates at once.
func (s *Server) date() time.Time {
	now := s.clock.Now().Truncate(time.Millisecond)
	if now.Before(s.state.latest) {
		return s.state.latest
	}
	s.state.latest = now
	return now
}

// operation finds an account's own operation: another merchant's, or the other
// environment's, is unknown.
func (s *Server) operationOf(a *account, id string) *operation {
	if op := s.state.operations[id]; op != nil && op.account == a {
		return op
	}
	return nil
}

func (s *Server) transactionOf(a *account, reference string) *transaction {
	if tx := s.transaction(reference); tx != nil && tx.account == a {
		return tx
	}
	return nil
}

// transaction finds a transaction by its reference, or by its internal id.
func (s *Server) transaction(name string) *transaction {
	return s.state.transactions[referenceOf(name)]
}

func (s *Server) addOperation(op *operation) {
	s.state.operations[op.id] = op
	s.touchOperation(op)
	b := s.state.books[op.account]
	b.operations = append(b.operations, op)
}

func (s *Server) addTransaction(tx *transaction) {
	s.state.transactions[tx.reference] = tx
	s.touchTransaction(tx)
	b := s.state.books[tx.account]
	b.transactions = append(b.transactions, tx)
}

func (st *state) clone() state {
	c := newState()
	c.ledger = st.ledger.clone()
	c.latest = st.latest
	c.behind = slices.Clone(st.behind)
	c.payins = st.payins.clone()
	maps.Copy(c.down, st.down)
	for id, op := range st.operations {
		copied := *op
		copied.firstEvent = nil // an event is made for one history only
		if op.prepared != nil {
			prepared := *op.prepared
			copied.prepared = &prepared
		}
		c.operations[id] = &copied
	}
	for reference, tx := range st.transactions {
		copied := *tx
		copied.refunds = slices.Clone(tx.refunds)
		c.transactions[reference] = &copied
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
		copied := &book{wallets: slices.Clone(b.wallets), subscriptions: slices.Clone(b.subscriptions), payinWebhook: b.payinWebhook}
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
