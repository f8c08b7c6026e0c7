package intramtest

import (
	"context"
	"net/http"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// PayinWallet stands for payins in [Server.WalletAccount]: their money has a wallet of
// its own, which GET /balance does not show. PayinWalletXAF is that of Cameroon's, which
// is in another currency.
const (
	PayinWallet    intram.ProviderCode = mockapi.PayinMethod
	PayinWalletXAF intram.ProviderCode = mockapi.PayinXAFMethod
)

// PayinCredentials are a merchant's credentials of payin sessions in one environment.
type PayinCredentials struct {
	// APIKey and APIClient are what [intram.WithPayin] and [intram.NewPayinClient] take.
	APIKey, APIClient string
	// AccountID is the merchant's account. The first revision of the docs requires it in
	// every session, the newer one has none; see [WithFirstPayinRevision].
	AccountID string
}

// withPayin points payin sessions at the server.
func (s *Server) withPayin(apiKey, apiClient string) intram.ClientOption {
	return intram.WithPayin(apiKey, apiClient, intram.WithPayinBaseURL(s.URL))
}

// WithPayinCredentials sets the payin credentials of an environment. What is left empty
// is generated.
func WithPayinCredentials(environment intram.Environment, credentials PayinCredentials) Option {
	return func(s *settings) {
		if s.core.Merchant.Payin == nil {
			s.core.Merchant.Payin = map[string]mockapi.PayinKeys{}
		}
		s.core.Merchant.Payin[string(environment)] = mockapi.PayinKeys(credentials)
	}
}

// WithFirstPayinRevision makes payin sessions follow the first revision of the docs:
// accountId and customerName are required and action is not, reference is the system's, a
// failure leaves the status as it was, amounts have no limits, Cameroon is unknown, and
// messages have one language. The account is merchant_9923lkdz unless
// [WithPayinCredentials] says otherwise, so that the request that the docs publish passes
// as it stands. The default is the newer revision.
func WithFirstPayinRevision() Option {
	return func(s *settings) { s.core.PayinRevision = mockapi.PayinFirst }
}

// WithPayinExpiry sets how long a payin session waits for its confirmation, on the
// server's clock. The default is 6 minutes.
func WithPayinExpiry(d time.Duration) Option {
	return func(s *settings) {
		if d == 0 {
			d = -1 // refused when the server starts; zero would be the default
		}
		s.core.PayinExpiry = d
	}
}

// PayinClient returns a client of payin sessions alone in the server's sandbox, as
// [intram.NewPayinClient] makes it. It waits through the server's clock. Options of yours
// come after and win; one that is wrong is an error, and fails the test.
func (s *Server) PayinClient(opts ...intram.ClientOption) (*intram.PayinClient, error) {
	own := []intram.ClientOption{
		intram.WithPayinBaseURL(s.URL), intram.WithHTTPClient(s.client), intram.WithClock(s.Clock()),
	}
	client, err := intram.NewPayinClient(s.PayinAPIKey, s.PayinAPIClient, append(own, opts...)...)
	if err != nil && s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("intramtest: PayinClient: %v", err)
	}
	return client, err
}

// ConfirmPayin confirms a session, as the customer does on its page. The reference is
// yours or the system's. What follows is the number's outcome.
func (s *Server) ConfirmPayin(reference string) error { return s.core.ConfirmPayin(reference) }

// DeclinePayin declines a session, as the customer does: payin.declined is sent.
func (s *Server) DeclinePayin(reference string) error { return s.core.DeclinePayin(reference) }

// ExpirePayin ends a session that is not confirmed, ahead of its time. No notification is
// sent.
func (s *Server) ExpirePayin(reference string) error { return s.core.ExpirePayin(reference) }

// SettlePayin completes a confirmed session whose money is still under way, whatever its
// number says. A session that failed in the last 48 hours is paid late: its status
// becomes success, and payin.confirmed is sent.
func (s *Server) SettlePayin(reference string) error { return s.core.SettlePayin(reference) }

// FailPayin ends a session that has not ended yet with a failure of this code. Money
// under way does not arrive, unless [Server.SettlePayin] follows within 48 hours.
func (s *Server) FailPayin(reference string, code intram.ErrorCode) error {
	return s.core.FailPayin(reference, string(code))
}

// SetPayinWebhook says where the sandbox's payin notifications go and what signs them, as
// the portal does. The secret is what [intram.VerifyPayinNotification] takes. An empty
// URL ends them.
func (s *Server) SetPayinWebhook(url, secret string) error {
	return s.core.SetPayinWebhook(s.PayinAPIKey, url, secret)
}

// SetLivePayinWebhook does what [Server.SetPayinWebhook] does, for the live environment.
func (s *Server) SetLivePayinWebhook(url, secret string) error {
	return s.core.SetPayinWebhook(s.LivePayinAPIKey, url, secret)
}

// SetPayinWebhook does what [Server.SetPayinWebhook] does, for this merchant's sandbox.
func (m *Merchant) SetPayinWebhook(url, secret string) error {
	return m.server.core.SetPayinWebhook(m.PayinAPIKey, url, secret)
}

// SignPayinNotification signs a body as a payin notification is signed, and returns the
// headers of the delivery, for testing your own receiver. It signs with any secret. Docs:
// Payin, Notifications.
func SignPayinNotification(secret string, body []byte) http.Header {
	return mockapi.SignPayinNotification(secret, body)
}

// PayinState is where a payin session is. Amounts are in whole units.
type PayinState struct {
	ID, Reference string // the system's reference and the merchant's
	Environment   intram.Environment
	Status        intram.PayinStatus
	Confirmation  intram.PayinConfirmation
	Transaction   intram.PayinTransactionStatus // empty while there is none
	Failure       intram.ErrorCode              // empty without one
	PaymentURL    string
	Amount, Fee   int64
}

// PayinSession looks a session up, of any merchant and environment, by the system's
// reference or the merchant's.
func (s *Server) PayinSession(reference string) (PayinState, error) {
	p, err := s.core.Payin(reference)
	return newPayinState(p), err
}

// AwaitPayin waits until a session has ended: paid, refused, declined, expired or failed.
// It moves no clock: on a frozen one, [Server.Advance] does, or a client's own waiting.
func (s *Server) AwaitPayin(ctx context.Context, reference string) (PayinState, error) {
	p, err := s.core.AwaitPayin(ctx, reference)
	return newPayinState(p), err
}

func newPayinState(p mockapi.Payin) PayinState {
	return PayinState{
		ID: p.ID, Reference: p.Reference, Environment: intram.Environment(p.Environment), Status: intram.PayinStatus(p.Status),
		Confirmation: intram.PayinConfirmation(p.Confirmation), Transaction: intram.PayinTransactionStatus(p.Transaction),
		Failure: intram.ErrorCode(p.Failure), PaymentURL: p.PaymentURL, Amount: p.Amount, Fee: p.Fee,
	}
}
