package mockapi

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync/atomic"
)

const (
	sandbox = "sandbox"
	live    = "live"

	// maxAllowlist is how many entries an IP allowlist holds at most (intram.md section
	// 3).
	maxAllowlist = 20
)

// MerchantConfig describes a merchant. Its zero value is an active one with generated
// keys, the default wallets in both environments and an empty allowlist, which refuses
// every live call.
type MerchantConfig struct {
	// Name is shown on the checkout page. Default "Test merchant".
	Name string
	// Inactive refuses every call with 403 merchant_inactive.
	Inactive bool
	// IPAllowlist says where live calls may come from: exact addresses or CIDR, at most
	// 20.
	IPAllowlist []string
	// Balances are the opening balances of the wallets by environment ("sandbox", "live")
	// and payment method code. An environment that is absent gets 1 000 000 in each
	// mobile-money wallet; one that is there and empty gets no wallet at all.
	Balances map[string]map[string]int64
	// Payin are the credentials of payin sessions by environment. What is left empty is
	// generated.
	Payin map[string]PayinKeys
}

// Keys are a merchant's credentials in one environment.
type Keys struct{ Public, Secret string }

// Merchant is a merchant of the fake.
type Merchant struct {
	ID            string
	Name          string
	Sandbox, Live Keys
	// SandboxPayin and LivePayin are the credentials of payin sessions.
	SandboxPayin, LivePayin PayinKeys
}

// merchant is the part that the checks of a call need.
type merchant struct {
	id, name  string
	active    atomic.Bool
	allowlist atomic.Pointer[[]netip.Prefix]
}

// account is one merchant in one environment: whom a key belongs to. It never changes but
// for its keys, what it owns is in its book.
type account struct {
	merchant    *merchant
	environment string
	keys        Keys                        // the first ones, whose public key names the account
	current     atomic.Pointer[currentKeys] // see RotateKeys

	// The accounts of the ledger it uses beside its wallets.
	clearing, settlement, fees, opening accountNumber
	providers                           [len(methods)]accountNumber
	payin                               payinAccount
}

// provider returns the account of everything beyond a payment method.
func (a *account) provider(m *method) accountNumber { return a.providers[m.index] }

// AddMerchant adds a merchant with its own keys and wallets.
func (s *Server) AddMerchant(c MerchantConfig) (Merchant, error) {
	allowlist, err := parseAllowlist(c.IPAllowlist)
	if err != nil {
		return Merchant{}, err
	}
	if c.Name == "" {
		c.Name = "Test merchant"
	}
	m := &merchant{id: s.entropy.id("mer_", 12), name: c.Name}
	m.active.Store(!c.Inactive)
	m.allowlist.Store(&allowlist)

	public := Merchant{ID: m.id, Name: m.name}
	var accounts []*account
	for _, environment := range []string{sandbox, live} {
		keys := Keys{Public: s.entropy.id("pk_"+environment+"_", 24), Secret: s.entropy.id("sk_"+environment+"_", 32)}
		for s.accountOf(keys.Public) != nil { // after a Restore the same draws come again
			keys.Public = s.entropy.id("pk_"+environment+"_", 24)
		}
		a := newAccount(m, environment, keys)
		if a.payin.keys, err = s.payinKeys(environment, c.Payin); err != nil {
			return Merchant{}, err
		}
		accounts = append(accounts, a)
		if environment == sandbox {
			public.Sandbox, public.SandboxPayin = a.keys, a.payin.keys
		} else {
			public.Live, public.LivePayin = a.keys, a.payin.keys
		}
	}
	if err := s.open(accounts, c.Balances); err != nil {
		return Merchant{}, err
	}
	return public, nil
}

func newAccount(m *merchant, environment string, keys Keys) *account {
	a := &account{merchant: m, environment: environment, keys: keys}
	a.current.Store(&currentKeys{keys, 1})
	return a
}

// openAccounts gives an account its numbers in the ledger.
func (a *account) openAccounts(l *ledger) {
	owner := ":" + a.merchant.id + ":" + a.environment
	a.clearing, a.settlement = l.account("clearing"+owner), l.account("settlement"+owner)
	a.fees, a.opening = l.account("fees"+owner), l.account("opening"+owner)
	a.payin.wallet = l.account(WalletAccount(a.merchant.id, a.environment, PayinMethod))
	a.payin.provider = l.account("provider:" + a.environment + ":" + PayinMethod)
	for i, m := range methods {
		a.providers[i] = l.account("provider:" + a.environment + ":" + m.code)
	}
}

// open gives the accounts their wallets and makes their keys known.
func (s *Server) open(accounts []*account, balances map[string]map[string]int64) error {
	for environment, wallets := range balances {
		if environment != sandbox && environment != live {
			return fmt.Errorf("intramtest: Balances: unknown environment %q, want sandbox or live", environment)
		}
		for code, balance := range wallets {
			if methodByCode(code) == nil {
				return fmt.Errorf("intramtest: Balances: unknown payment method %q", code)
			}
			if balance < 0 || balance > maxUnits {
				return fmt.Errorf("intramtest: Balances: %s: a balance is between 0 and %d", code, int64(maxUnits))
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.openPayin(accounts); err != nil {
		return err
	}
	now := s.clock.Now()
	for _, a := range accounts {
		opening, ok := balances[a.environment]
		if !ok {
			opening = map[string]int64{mtnBenin: 1_000_000, moovBenin: 1_000_000, sbinBenin: 1_000_000}
		}
		a.openAccounts(&s.state.ledger)
		b := &book{}
		s.state.books[a] = b
		for _, m := range methods {
			balance, ok := opening[m.code]
			if !ok {
				continue
			}
			w := b.openWallet(&s.state.ledger, a, m)
			s.state.ledger.post(posting{at: now, memo: "opening balance", moves: [2]move{{a.opening, w.available, balance}}})
		}
	}
	known := *s.accounts.Load()
	keys := make(map[string]*apiKey, len(known)+len(accounts))
	maps.Copy(keys, known)
	for _, a := range accounts {
		keys[a.keys.Public] = &apiKey{account: a, secrets: []apiSecret{{key: newSigningKey(a.keys.Secret)}}}
	}
	s.accounts.Store(&keys)
	return nil
}

// SetMerchantActive switches the merchant that a public key belongs to on or off.
func (s *Server) SetMerchantActive(publicKey string, active bool) error {
	a := s.accountOf(publicKey)
	if a == nil {
		return errUnknownKey
	}
	a.merchant.active.Store(active)
	return nil
}

// SetIPAllowlist replaces the allowlist of the merchant that a public key belongs to.
func (s *Server) SetIPAllowlist(publicKey string, entries ...string) error {
	a := s.accountOf(publicKey)
	if a == nil {
		return errUnknownKey
	}
	allowlist, err := parseAllowlist(entries)
	if err != nil {
		return err
	}
	a.merchant.allowlist.Store(&allowlist)
	return nil
}

var errUnknownKey = errors.New("intramtest: no merchant has this public key")

// accountOf returns the account of a public key, one that is no longer valid included.
func (s *Server) accountOf(publicKey string) *account {
	if k := (*s.accounts.Load())[publicKey]; k != nil {
		return k.account
	}
	return nil
}

// parseAllowlist reads exact addresses and CIDR ranges. A range of everything is refused,
// as the API does.
func parseAllowlist(entries []string) ([]netip.Prefix, error) {
	if len(entries) > maxAllowlist {
		return nil, fmt.Errorf("intramtest: IPAllowlist: %d entries, at most %d are allowed", len(entries), maxAllowlist)
	}
	prefixes := make([]netip.Prefix, 0, len(entries))
	for _, e := range entries {
		p, err := parsePrefix(e)
		if err != nil {
			return nil, fmt.Errorf("intramtest: IPAllowlist: %q is neither an IP address nor a CIDR range", e)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("intramtest: IPAllowlist: %q allows every address, which the API refuses", e)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}
