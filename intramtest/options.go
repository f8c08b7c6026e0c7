package intramtest

import (
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// Option is a setting of a server, given to [NewServer] or [Start].
type Option func(*settings)

// settings is what options change. They are checked together when the server starts.
type settings struct {
	core      mockapi.Config
	address   string // of the listener; empty for none
	allowlist []string
}

// WithSeed makes keys, ids and references come out as in an earlier run. A failed test
// prints its seed.
func WithSeed(seed uint64) Option { return func(s *settings) { s.core.Seed = seed } }

// WithFrozenClock starts the clock at a given time and freezes it there. A test's server
// is frozen at the present by default.
func WithFrozenClock(at time.Time) Option {
	return func(s *settings) { s.core.Start, s.core.Running = at, false }
}

// WithRunningClock makes the server's clock go with the machine's, as it does by default
// for [Start]. [Server.Advance] still moves it ahead.
func WithRunningClock() Option { return func(s *settings) { s.core.Running = true } }

// WithoutListener makes a server without a socket: its clients and its in-process
// receivers call it directly. It then works inside testing/synctest, started in the
// bubble.
func WithoutListener() Option { return func(s *settings) { s.address = "" } }

// WithAddress makes the server listen on a TCP address of your choice, such as
// "127.0.0.1:8080". The default is a free port on the loopback.
func WithAddress(address string) Option { return func(s *settings) { s.address = address } }

// WithWorker says when operations are worked off: [AtOnce] (the default), [After],
// [AfterPolls] or [ByHand].
func WithWorker(w Worker) Option { return func(s *settings) { s.core.Worker = w.mode } }

// WithBalance sets what a payment method's wallet holds at the start, in whole units.
// Wallets that are not set hold 1 000 000.
func WithBalance(environment intram.Environment, method intram.ProviderCode, units int64) Option {
	return func(s *settings) { s.wallets(environment)[string(method)] = units }
}

// WithoutWallets makes a merchant without a wallet in an environment: its balance has no
// currency, and payouts fail with merchant_wallet_missing. It undoes a [WithBalance]
// before it.
func WithoutWallets(environment intram.Environment) Option {
	return func(s *settings) { clear(s.wallets(environment)) }
}

// WithIPAllowlist says where live calls may come from: addresses or CIDR ranges, at most
// 20. Without entries every live call is refused, as the real API does; without this
// option the loopback is allowed. The sandbox has no allowlist.
func WithIPAllowlist(entries ...string) Option { return func(s *settings) { s.allowlist = entries } }

// WithPeerAddress makes every call seem to come from an address.
func WithPeerAddress(address string) Option {
	return func(s *settings) { s.core.PeerAddress = address }
}

// WithTrustedProxies names the peers whose X-Real-IP header is believed: addresses or
// CIDR ranges.
func WithTrustedProxies(entries ...string) Option {
	return func(s *settings) { s.core.TrustedProxies = entries }
}

// WithStrictWebhookURLs refuses webhook URLs with http:// on the loopback too, as the
// real API does.
func WithStrictWebhookURLs() Option { return func(s *settings) { s.core.StrictWebhookURLs = true } }

// WithFeeBasisPoints sets the fee of a payment in hundredths of a percent. The default is
// 200: 2 %.
func WithFeeBasisPoints(points int64) Option {
	return func(s *settings) {
		if points == 0 {
			points = -1 // none; zero would be the default
		} else if points < 0 {
			points = -2 // refused when the server starts
		}
		s.core.FeeBasisPoints = points
	}
}

// WithPayoutFeeBasisPoints sets the fee of a payout in hundredths of a percent. The
// wallet is debited with the amount and the fee, and has to hold both. The default is
// none: the documentation names no rate.
func WithPayoutFeeBasisPoints(points int64) Option {
	return func(s *settings) { s.core.PayoutFeeBasisPoints = points }
}

// WithPaymentExpiry sets how long a mobile-money payment waits for its customer, on the
// server's clock. Then it has failed, and cannot be paid any more. The default is 6
// minutes, as documented. A payment by card or bank waits for a day at least.
func WithPaymentExpiry(d time.Duration) Option {
	return func(s *settings) {
		if d == 0 {
			d = -1 // refused when the server starts; zero would be the default
		}
		s.core.PaymentExpiry = d
	}
}

// WithInvoiceLimits sets the smallest and the largest invoice, in whole units. The
// default is 100 to 2 000 000, and 20 000 000 in the sandbox, which is more permissive.
func WithInvoiceLimits(smallest, largest int64) Option {
	return func(s *settings) { s.core.MinAmount, s.core.MaxAmount = smallest, largest }
}

// WithMerchantName sets the name of the merchant on the checkout page.
func WithMerchantName(name string) Option { return func(s *settings) { s.core.Merchant.Name = name } }

// WithDeliveryAttempts sets how often a webhook delivery is tried: 5 times within 2 hours
// and 36 minutes, or 6 times within 14 hours and 36 minutes, the default. The
// documentation says both: a receiver must be safe under both.
func WithDeliveryAttempts(n int) Option {
	return func(s *settings) {
		if s.core.DeliveryAttempts = n; n == 0 {
			s.core.DeliveryAttempts = -1 // refused when the server starts: zero would be the default
		}
	}
}

// WithJournalSize sets how many requests, deliveries and events are remembered. The
// default is 4096.
func WithJournalSize(n int) Option { return func(s *settings) { s.core.JournalSize = n } }

// wallets returns the opening balances of an environment, which begin with the default
// ones.
func (s *settings) wallets(environment intram.Environment) map[string]int64 {
	if s.core.Merchant.Balances == nil {
		s.core.Merchant.Balances = map[string]map[string]int64{}
	}
	balances := s.core.Merchant.Balances
	if balances[string(environment)] == nil {
		balances[string(environment)] = map[string]int64{
			string(intram.MTNBenin): 1_000_000, string(intram.MoovBenin): 1_000_000, string(intram.SBINBenin): 1_000_000,
		}
	}
	return balances[string(environment)]
}

// Worker says when an operation goes from queued through processing to its end.
type Worker struct{ mode mockapi.WorkerMode }

// AtOnce ends an operation before its creation returns. The response still says queued.
func AtOnce() Worker { return Worker{mockapi.WorkAtOnce()} }

// After starts an operation after half of d on the server's clock and ends it after d.
func After(d time.Duration) Worker { return Worker{mockapi.WorkAfter(d)} }

// AfterPolls ends an operation at its n-th GET, which sees the end. The ones before see
// it processing, and the first of three or more sees it queued.
func AfterPolls(n int) Worker { return Worker{mockapi.WorkAfterPolls(n)} }

// ByHand leaves operations queued until [Server.Process], [Server.Complete] or
// [Server.Fail] is called.
func ByHand() Worker { return Worker{mockapi.WorkByHand()} }
