package mockapi

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"
)

// Payin sessions are a second protocol on the same server (payin.md): credentials,
// envelope, idempotency header and notifications are its own. The clock, the ledger, the
// journal and the deliveries are shared.

// PayinRevision is a revision of the payin documentation.
type PayinRevision int

// The revisions. They differ in what a request must have and in the form of responses.
const (
	PayinNewer PayinRevision = iota // id (pr_…), customer, action required; a failure's status is failed; limits; Cameroon
	PayinFirst                      // reference is the system's (tr_…), accountId and customerName required
)

// PayinMethod stands for payins in [WalletAccount]: their money has a wallet of its own.
// PayinXAFMethod is that of Cameroon's.
const (
	PayinMethod    = "PAYIN"
	PayinXAFMethod = "PAYIN_XAF"
)

// publishedAccountID is the accountId of the request that the first revision of the docs
// publishes, which passes as it stands.
const publishedAccountID = "merchant_9923lkdz"

// defaultPayinExpiry is the longest a customer's confirmation takes in the one
// documentation that says so (intram.md section 7).
const defaultPayinExpiry = unanswered

// payinLateWindow is how long a failed payin may still be paid.
const payinLateWindow = 48 * time.Hour

// PayinKeys are a merchant's payin credentials in one environment.
type PayinKeys struct {
	APIKey, APIClient string
	// AccountID is the merchant's account, which sessions of the first revision name.
	AccountID string
}

// payinProtocol is what the server has for payin sessions beside its state.
type payinProtocol struct {
	revision PayinRevision
	expiry   time.Duration
	accounts atomic.Pointer[map[string]*account] // by API key
}

func (c Config) checkPayin() error {
	switch {
	case c.PayinRevision != PayinNewer && c.PayinRevision != PayinFirst:
		return fmt.Errorf("intramtest: Config.PayinRevision: %d, want PayinNewer or PayinFirst", c.PayinRevision)
	case c.PayinExpiry < 0:
		return fmt.Errorf("intramtest: Config.PayinExpiry: %v is negative", c.PayinExpiry)
	}
	return nil
}

// startPayin gives the server its payin protocol.
func (s *Server) startPayin(c Config) {
	s.payin.revision, s.payin.expiry = c.PayinRevision, c.PayinExpiry
	if s.payin.expiry == 0 {
		s.payin.expiry = defaultPayinExpiry
	}
	s.payin.accounts.Store(&map[string]*account{})
	s.tasks[taskPayinExpire] = s.taskExpirePayin
	s.tasks[taskPayinEnd] = s.taskEndPayin
	s.tasks[taskPayinLate] = s.taskPayLate
}

// payinAccount is what an account has for payins. It never changes.
type payinAccount struct {
	keys             PayinKeys
	wallet, provider accountNumber
}

func (s *Server) payinAccountOf(apiKey string) *account { return (*s.payin.accounts.Load())[apiKey] }

// payinKeys completes the credentials of a configuration with generated ones.
func (s *Server) payinKeys(environment string, configured map[string]PayinKeys) (PayinKeys, error) {
	for name := range configured {
		if name != sandbox && name != live {
			return PayinKeys{}, fmt.Errorf("intramtest: Payin: unknown environment %q, want sandbox or live", name)
		}
	}
	k := configured[environment]
	if k.APIKey == "" {
		for k.APIKey == "" || s.payinAccountOf(k.APIKey) != nil { // after a Restore the same draws come again
			k.APIKey = s.entropy.id("payin_key_"+environment+"_", 24)
		}
	}
	if k.APIClient == "" {
		k.APIClient = s.entropy.id("payin_client_"+environment+"_", 32)
	}
	if k.AccountID == "" {
		k.AccountID = s.entropy.id("merchant_", 8)
		if s.payin.revision == PayinFirst {
			k.AccountID = publishedAccountID
		}
	}
	visible := func(text string) bool {
		for i := range len(text) {
			if text[i] <= ' ' || text[i] >= 0x7f {
				return false
			}
		}
		return true
	}
	if !visible(k.APIKey) || strings.Contains(k.APIKey, ":") || !visible(k.APIClient) {
		return k, errors.New("intramtest: Payin: an APIKey has no colon, and neither it nor an APIClient has spaces or control characters")
	}
	return k, nil
}

// openPayin makes the payin credentials of accounts known. The caller holds the lock.
func (s *Server) openPayin(accounts []*account) error {
	known := *s.payin.accounts.Load()
	keys := maps.Clone(known)
	for _, a := range accounts {
		if keys[a.payin.keys.APIKey] != nil {
			return errors.New("intramtest: Payin: an APIKey belongs to one merchant in one environment only")
		}
		keys[a.payin.keys.APIKey] = a
	}
	s.payin.accounts.Store(&keys)
	return nil
}

// Words of sessions and of their transactions (payin.md, GET).
const (
	payinProcessing = "processing"
	payinProcessed  = "processed"
	payinExpired    = "expired"
	payinSuccess    = "success"

	payinNone     = "none"
	payinAccepted = "accepted"
	payinDeclined = "declined"

	payinPending   = "pending"
	payinCompleted = "completed"
	payinFailed    = "failed"
)

// payin is a session. What was asked never changes once it is made.
type payin struct {
	id, reference, code    string // the system's, the merchant's, the page's
	account                *account
	number, customer       string
	successURL, failureURL string
	amount, fee            int64
	created                time.Time
	expires                time.Time
	script                 payinScript

	status, confirmation string
	answered             bool   // the customer has confirmed or declined, or the session has expired
	failure              string // the code, when it failed
	failed               time.Time
	transaction          payinTransaction
}

// payinTransaction is the movement of a session's money; without a reference there is
// none yet.
type payinTransaction struct {
	reference, status string
	processed         time.Time
}

func (p *payin) charged() int64 { return p.amount + p.fee }

// currency returns the currency of the customer's country, which the number tells.
func (p *payin) currency() string {
	if strings.HasPrefix(p.number, "+"+payinCountries[cameroon]) {
		return xaf
	}
	return xof
}

// mayBePaidLate reports whether the session has failed, and may still be paid: within 48
// hours (payin.md, GET).
func (p *payin) mayBePaidLate(now time.Time) bool {
	return (p.failure != "" || p.transaction.status == payinFailed) && !now.After(p.failed.Add(payinLateWindow))
}

// ended reports whether the session has ended. After a failure it may still be paid.
func (p *payin) ended() bool {
	if p.transaction.reference != "" {
		return p.transaction.status != payinPending
	}
	return p.failure != "" || p.confirmation == payinDeclined || p.status == payinExpired
}

// payinState is every session, under the server's lock.
type payinState struct {
	byID        map[string]*payin
	byReference map[payinReference]*payin
	byCode      map[string]*payin
}

// payinReference is a merchant's own reference. It means nothing to another merchant, or
// in the other environment.
type payinReference struct {
	account   *account
	reference string
}

func newPayinState() payinState {
	return payinState{byID: map[string]*payin{}, byReference: map[payinReference]*payin{}, byCode: map[string]*payin{}}
}

func (st *payinState) add(p *payin) {
	st.byID[p.id] = p
	st.byReference[payinReference{p.account, p.reference}] = p
	st.byCode[p.code] = p
}

// find looks an account's own session up by either reference.
func (st *payinState) find(a *account, reference string) *payin {
	if p := st.byID[reference]; p != nil && p.account == a {
		return p
	}
	return st.byReference[payinReference{a, reference}]
}

func (st *payinState) clone() payinState {
	c := newPayinState()
	for _, p := range st.byID {
		copied := *p
		c.add(&copied)
	}
	return c
}
