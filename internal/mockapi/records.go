package mockapi

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Wallet is what a payment method's wallet holds, in whole units.
type Wallet struct {
	Method, Name       string // the payment method's code and name
	Available, Pending int64
	Currency           string
	// Account is the wallet's name in the ledger. What is only announced is in the same
	// one with ":pending".
	Account string
}

// Subscription is where events go. The API shows its secret once; the fake, which made it
// up, at any time.
type Subscription struct {
	ID, URL, Event string
	Secret         string
	Created        time.Time
	// Payin is set on the webhook of payin sessions, which signs its notifications
	// otherwise.
	Payin bool
}

// GoString keeps the secret out of %#v.
func (sub Subscription) GoString() string { return sub.String() }

// String is one line without the secret.
func (sub Subscription) String() string { return sub.ID + " " + sub.Event + " to " + sub.URL }

func (sub *subscription) public() Subscription {
	return Subscription{ID: sub.id, URL: sub.url, Event: sub.event, Secret: sub.key.secret, Created: sub.created, Payin: sub.payin}
}

// own is what the first merchant owns in an environment, nil in an unknown one. The
// caller holds the lock.
func (s *Server) own(environment string) (*account, *book) {
	for a, b := range s.state.books {
		if a.environment == environment && a.merchant.id == s.merchant.ID {
			return a, b
		}
	}
	return nil, &book{}
}

// Wallets are the first merchant's wallets in an environment, that of payins last.
func (s *Server) Wallets(environment string) []Wallet {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.own(environment)
	if a == nil {
		return nil
	}
	l := &s.state.ledger
	wallets := make([]Wallet, 0, len(b.wallets)+1)
	for _, w := range b.wallets {
		wallets = append(wallets, Wallet{
			w.method.code, w.method.name, l.balance(w.available), l.balance(w.pending), s.currency, l.accounts[w.available].name,
		})
	}
	wallets = append(wallets, Wallet{PayinMethod, "Payin", l.balance(a.payin.wallet), 0, xof, l.accounts[a.payin.wallet].name})
	cameroon := WalletAccount(a.merchant.id, a.environment, PayinXAFMethod)
	if n, open := l.numbers[cameroon]; open { // with the first payment in it
		wallets = append(wallets, Wallet{PayinXAFMethod, "Payin Cameroon", l.balance(n), 0, xaf, cameroon})
	}
	return wallets
}

// TopUp puts an amount of whole units into a wallet of the first merchant, in an
// environment, and opens the wallet if the merchant has none of this payment method. The
// code [PayinMethod] is the wallet of payins.
func (s *Server) TopUp(environment, methodCode string, amount int64) error {
	m := methodByCode(methodCode)
	if m == nil && methodCode != PayinMethod {
		return fmt.Errorf("intramtest: TopUp: unknown payment method %q", methodCode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.own(environment)
	if a == nil {
		return fmt.Errorf("intramtest: TopUp: unknown environment %q, want sandbox or live", environment)
	}
	into := a.payin.wallet
	if m != nil {
		w := b.wallet(m.code)
		if w == nil {
			w = b.openWallet(&s.state.ledger, a, m)
		}
		into = w.available
	}
	if left := maxUnits - s.state.ledger.balance(into); amount < 1 || amount > left {
		return fmt.Errorf("intramtest: TopUp: the amount must be 1 to %d: a wallet holds %d at most", left, int64(maxUnits))
	}
	s.state.ledger.post(posting{at: s.date(), memo: "top-up", moves: [2]move{{a.opening, into, amount}}})
	s.notify()
	return nil
}

// Method is a payment method of the fake.
type Method struct {
	Code, Name string
	// Mobile is set on mobile money, which payouts go to.
	Mobile bool
}

// Methods are the payment methods, in the order in which the balance lists their wallets.
func Methods() []Method {
	var all []Method
	for _, m := range methods {
		all = append(all, Method{m.code, m.name, m.kind == mobileMoney})
	}
	return all
}

// Operations are the first merchant's in an environment, newest first, n at most.
func (s *Server) Operations(environment string, n int) []Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, b := s.own(environment)
	return newest(b.operations, n, (*operation).public)
}

// Transactions are the first merchant's in an environment, newest first, n at most.
func (s *Server) Transactions(environment string, n int) []Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, b := s.own(environment)
	return newest(b.transactions, n, (*transaction).public)
}

// Payins are the first merchant's sessions in an environment, newest first, n at most.
func (s *Server) Payins(environment string, n int) []Payin {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, _ := s.own(environment)
	var sessions []*payin
	for _, p := range s.state.payins.byID {
		if p.account == a {
			sessions = append(sessions, p)
		}
	}
	slices.SortFunc(sessions, func(p, q *payin) int {
		if c := p.created.Compare(q.created); c != 0 {
			return c
		}
		if p.id < q.id {
			return -1
		}
		return 1
	})
	return newest(sessions, n, s.publicPayin)
}

// Subscriptions are the first merchant's in an environment, oldest first, that of payins
// last.
func (s *Server) Subscriptions(environment string) []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, b := s.own(environment)
	var subscriptions []Subscription
	for _, sub := range b.subscriptions {
		subscriptions = append(subscriptions, sub.public())
	}
	if b.payinWebhook != nil {
		subscriptions = append(subscriptions, b.payinWebhook.public())
	}
	return subscriptions
}

// Subscribe subscribes the account of a public key to an event, as POST /webhooks does.
func (s *Server) Subscribe(publicKey, url, event string) (Subscription, error) {
	a := s.accountOf(publicKey)
	switch {
	case a == nil:
		return Subscription{}, errUnknownKey
	case !isWebhookURL(url, s.strictURLs):
		return Subscription{}, errors.New("intramtest: Subscribe: the URL must be https, or http on the loopback")
	case !isEventPattern(event):
		return Subscription{}, fmt.Errorf("intramtest: Subscribe: %q is no event, no family such as payout.*, and not *", event)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subscribe(a, url, event)
	s.notify()
	return sub.public(), nil
}

// subscribe makes a subscription. The caller holds the lock.
func (s *Server) subscribe(a *account, url, event string) *subscription {
	sub := &subscription{
		id: s.entropy.id("whs_", 12), url: url, event: event, key: newSigningKey(s.entropy.id("whsec_", 32)), created: s.date(),
	}
	b := s.state.books[a]
	b.subscriptions = append(b.subscriptions, sub)
	return sub
}

// Unsubscribe ends a subscription of any account, as DELETE /webhooks does.
func (s *Server) Unsubscribe(subscriptionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.state.books {
		if i := b.subscriptionIndex(subscriptionID); i >= 0 {
			b.subscriptions = slices.Delete(b.subscriptions, i, i+1)
			s.notify()
			return nil
		}
	}
	return fmt.Errorf("intramtest: Unsubscribe: subscription %q not found", subscriptionID)
}

// Ping sends test.ping to a subscription of any account, as POST
// /webhooks/:subscription_id/test does.
func (s *Server) Ping(subscriptionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, b := range s.state.books {
		if i := b.subscriptionIndex(subscriptionID); i >= 0 {
			s.ping(a, b.subscriptions[i])
			return nil
		}
	}
	return fmt.Errorf("intramtest: Ping: subscription %q not found", subscriptionID)
}

// EventTypes are the documented events of the Merchant API, and those of payins.
func EventTypes() []string {
	return append(slices.Clone(eventTypes), eventPayinConfirmed, eventPayinDeclined)
}

// newest is the last n of a list that is in the order of creation, the last first.
func newest[T, P any](items []T, n int, public func(T) P) []P {
	var shown []P
	for i := len(items) - 1; i >= 0 && len(shown) < n; i-- {
		shown = append(shown, public(items[i]))
	}
	return shown
}
