package intramtest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// Server is a merchant API of your own. It is safe for concurrent use.
type Server struct {
	// URL is where it is reached, without a path: "http://127.0.0.1:40123". It serves /v1
	// and /api/v1/merchant.
	URL string
	// PublicKey and SecretKey are the merchant's in the sandbox, LivePublicKey and
	// LiveSecretKey the live ones. They are the first ones: see [Server.RotateKeys].
	PublicKey, SecretKey         string
	LivePublicKey, LiveSecretKey string
	// PayinAPIKey and PayinAPIClient are the merchant's credentials of payin sessions in
	// the sandbox, LivePayinAPIKey and LivePayinAPIClient the live ones. PayinAccountID
	// is the account that sessions of the first revision name.
	PayinAPIKey, PayinAPIClient         string
	LivePayinAPIKey, LivePayinAPIClient string
	PayinAccountID, LivePayinAccountID  string

	core    *mockapi.Server
	tb      testing.TB // nil for a program
	client  *http.Client
	network *http.Transport // nil without a listener
}

// NewServer starts a server for a test, with a frozen clock and a listener on the
// loopback. It closes when the test ends, and prints its seed when the test has failed.
// An option that is wrong fails the test.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := start(false, opts)
	if err != nil {
		tb.Fatalf("intramtest: NewServer: %v", err)
		return nil
	}
	s.tb = tb
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("intramtest: this server's seed was %d: intramtest.WithSeed(%d) brings its keys and ids back", s.Seed(), s.Seed())
			s.logRefusedDeliveries()
		}
		s.Close()
	})
	return s
}

// Start starts a server for a program, with a running clock and a listener on the
// loopback. The program closes it.
func Start(opts ...Option) (*Server, error) { return start(true, opts) }

func start(running bool, opts []Option) (*Server, error) {
	set := settings{
		core: mockapi.Config{Running: running}, address: "127.0.0.1:0", allowlist: []string{"127.0.0.0/8", "::1"},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&set)
		}
	}
	set.core.Merchant.IPAllowlist = set.allowlist
	set.core.ReadNumber = readNumber
	core, err := mockapi.New(set.core)
	if err != nil {
		return nil, err
	}
	s := &Server{core: core}
	if set.address == "" {
		s.client = &http.Client{Transport: core.Transport()}
	} else {
		if err := core.Listen(set.address); err != nil {
			core.Close()
			return nil, err
		}
		// No proxy of the environment comes between a test and its own server.
		s.network = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
		s.client = &http.Client{Transport: core.Dialing(s.network)}
	}
	s.URL = core.BaseURL()
	keys := core.Merchant()
	s.PublicKey, s.SecretKey = keys.Sandbox.Public, keys.Sandbox.Secret
	s.LivePublicKey, s.LiveSecretKey = keys.Live.Public, keys.Live.Secret
	s.PayinAPIKey, s.PayinAPIClient, s.PayinAccountID = keys.SandboxPayin.APIKey, keys.SandboxPayin.APIClient, keys.SandboxPayin.AccountID
	s.LivePayinAPIKey, s.LivePayinAPIClient, s.LivePayinAccountID = keys.LivePayin.APIKey, keys.LivePayin.APIClient, keys.LivePayin.AccountID
	return s, nil
}

// readNumber reads what a customer types on the checkout page. The operators of the fake
// are Benin's.
func readNumber(text, _ string) (string, error) {
	number, err := intram.ParseMSISDN(text, "BJ")
	if err == nil && intram.SameWallet(number, text) {
		return strings.TrimPrefix(text, "+"), nil // as the test wrote it, which may compare it
	}
	return number, err
}

// Close ends the server. A server made by [NewServer] closes by itself. It must not be
// called by a webhook receiver of the server's.
func (s *Server) Close() {
	if s.network != nil {
		s.network.CloseIdleConnections()
	}
	s.core.Close()
}

// Client returns a client of the server's sandbox, payin sessions included, which waits
// through the server's clock. Options of yours come after and win. In a test, an invalid
// option fails the test; in a program it panics, and [Server.NewClient] returns the
// error.
func (s *Server) Client(opts ...intram.ClientOption) *intram.Client {
	if s.tb != nil {
		s.tb.Helper()
	}
	return s.must(s.NewClient(opts...))
}

// LiveClient does what [Server.Client] does, for the live environment.
func (s *Server) LiveClient(opts ...intram.ClientOption) *intram.Client {
	if s.tb != nil {
		s.tb.Helper()
	}
	return s.must(s.newClient(s.LivePublicKey, s.LiveSecretKey, s.withPayin(s.LivePayinAPIKey, s.LivePayinAPIClient), opts))
}

// NewClient does what [Server.Client] does, and returns the error.
func (s *Server) NewClient(opts ...intram.ClientOption) (*intram.Client, error) {
	return s.newClient(s.PublicKey, s.SecretKey, s.withPayin(s.PayinAPIKey, s.PayinAPIClient), opts)
}

// CredentialsOf returns a function that returns the keys that an account has now, for the
// function of [intram.WithCredentials]:
//
//	intram.WithCredentials(server.CredentialsOf(server.PublicKey))
//
// The account is that of a public key, current or earlier. The Account of the credentials
// is the first one.
func (s *Server) CredentialsOf(publicKey string) func(context.Context) (intram.Credentials, error) {
	return func(context.Context) (intram.Credentials, error) {
		account, keys, version, err := s.core.CurrentKeys(publicKey)
		return intram.Credentials{Account: account, PublicKey: keys.Public, SecretKey: keys.Secret, Version: strconv.Itoa(version)}, err
	}
}

// RotateKeys gives the account of a public key, current or earlier, a new public and
// secret key. The current ones stay valid for overlap by the server's clock: 0 for not a
// moment longer. Everything else stays: money, operations, webhooks, and idempotency
// keys. The API has no call for that: the portal rotates keys. A client of
// [Server.Client] has the first keys unless an option says otherwise.
//
// A snapshot does not bring earlier keys back.
func (s *Server) RotateKeys(publicKey string, overlap time.Duration) (newPublicKey, newSecretKey string, err error) {
	keys, err := s.core.RotateKeys(publicKey, overlap, false)
	return keys.Public, keys.Secret, err
}

// RotateSecretKey does what [Server.RotateKeys] does, and leaves the public key as it is.
func (s *Server) RotateSecretKey(publicKey string, overlap time.Duration) (newSecretKey string, err error) {
	keys, err := s.core.RotateKeys(publicKey, overlap, true)
	return keys.Secret, err
}

func (s *Server) newClient(publicKey, secretKey string, payin intram.ClientOption, opts []intram.ClientOption) (*intram.Client, error) {
	for _, opt := range opts {
		if _, supplied := opt.(interface{ SuppliesKeys() }); supplied {
			publicKey, secretKey = "", ""
		}
	}
	own := []intram.ClientOption{intram.WithBaseURL(s.URL), intram.WithHTTPClient(s.client), intram.WithClock(s.Clock()), payin}
	return intram.NewClient(publicKey, secretKey, append(own, opts...)...)
}

func (s *Server) must(client *intram.Client, err error) *intram.Client {
	if err == nil {
		return client
	}
	if s.tb != nil {
		s.tb.Helper()
	}
	s.fail("Client: " + err.Error())
	return nil
}

// fail ends the test, or the program.
func (s *Server) fail(message string) {
	if s.tb == nil {
		panic("intramtest: " + message) //nolint:forbidigo // documented where it is called
	}
	s.tb.Helper()
	s.tb.Fatalf("intramtest: %s", message)
}

// HTTPClient reaches the server as its clients do: over the network, or directly when it
// has no listener. It follows redirects, as a browser on the checkout page would.
func (s *Server) HTTPClient() *http.Client { return s.client }

// Transport returns the transport of [Server.HTTPClient], for a client of your own.
func (s *Server) Transport() http.RoundTripper { return s.client.Transport }

// ServeHTTP responds as the server does over the network, for a listener or a middleware
// of your own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.core.ServeHTTP(w, r) }

// Seed returns the seed of the server's keys, ids and references.
func (s *Server) Seed() uint64 { return s.core.Seed() }

// Clock returns the server's clock. Sleeping on a frozen one moves it.
func (s *Server) Clock() intram.Clock { return s.core.Clock() }

// Now returns the server's time.
func (s *Server) Now() time.Time { return s.core.Clock().Now() }

// Advance moves the clock ahead, runs in time order whatever comes due on the way, and
// returns when no delivery is under way. It must not be called by a webhook receiver.
func (s *Server) Advance(d time.Duration) { s.core.Clock().Advance(d) }

// Receive makes a handler a webhook receiver in this process and returns the URL to
// subscribe with, without a path: append the path that a mux knows, as with httptest's
// URL. See [Server.Subscribe] for a handler that needs the secret.
func (s *Server) Receive(h http.Handler) string { return s.core.Receive(h) }

// Merchant is another merchant of the server's.
type Merchant struct {
	ID, Name                     string
	PublicKey, SecretKey         string // in the sandbox
	LivePublicKey, LiveSecretKey string
	// The credentials of payin sessions, in the sandbox and live; see [Server].
	PayinAPIKey, PayinAPIClient         string
	LivePayinAPIKey, LivePayinAPIClient string
	PayinAccountID, LivePayinAccountID  string

	server *Server
}

// AddMerchant adds a merchant with its own keys, and 1 000 000 in each of its wallets.
// Its live calls may come from the loopback.
func (s *Server) AddMerchant(name string) (*Merchant, error) {
	m, err := s.core.AddMerchant(mockapi.MerchantConfig{Name: name, IPAllowlist: []string{"127.0.0.0/8", "::1"}})
	if err != nil {
		return nil, err
	}
	return &Merchant{
		ID: m.ID, Name: m.Name, PublicKey: m.Sandbox.Public, SecretKey: m.Sandbox.Secret,
		LivePublicKey: m.Live.Public, LiveSecretKey: m.Live.Secret,
		PayinAPIKey: m.SandboxPayin.APIKey, PayinAPIClient: m.SandboxPayin.APIClient, PayinAccountID: m.SandboxPayin.AccountID,
		LivePayinAPIKey: m.LivePayin.APIKey, LivePayinAPIClient: m.LivePayin.APIClient, LivePayinAccountID: m.LivePayin.AccountID,
		server: s,
	}, nil
}

// NewClient returns a client of the merchant's sandbox.
func (m *Merchant) NewClient(opts ...intram.ClientOption) (*intram.Client, error) {
	return m.server.newClient(m.PublicKey, m.SecretKey, m.server.withPayin(m.PayinAPIKey, m.PayinAPIClient), opts)
}

// NewLiveClient returns a client of the merchant's live environment.
func (m *Merchant) NewLiveClient(opts ...intram.ClientOption) (*intram.Client, error) {
	return m.server.newClient(m.LivePublicKey, m.LiveSecretKey, m.server.withPayin(m.LivePayinAPIKey, m.LivePayinAPIClient), opts)
}

// SetMerchantActive switches the merchant that a public key belongs to on or off. Live
// calls of one that is off get 403 merchant_inactive; its sandbox stays open.
func (s *Server) SetMerchantActive(publicKey string, active bool) error {
	return s.core.SetMerchantActive(publicKey, active)
}

// SetIPAllowlist replaces the allowlist of the merchant that a public key belongs to; see
// [WithIPAllowlist].
func (s *Server) SetIPAllowlist(publicKey string, entries ...string) error {
	return s.core.SetIPAllowlist(publicKey, entries...)
}

// Idle waits until no webhook delivery is queued or under way.
func (s *Server) Idle(ctx context.Context) error { return s.core.Idle(ctx) }

// Snapshot is a server's state at a moment; see [Server.Snapshot].
type Snapshot struct{ core *mockapi.Snapshot }

// Snapshot keeps the state: money, operations, transactions, subscriptions, deliveries,
// idempotency keys, scripted faults, and what is scheduled. The journal of requests and
// the merchants' settings are not part of it.
func (s *Server) Snapshot() *Snapshot { return &Snapshot{s.core.Snapshot()} }

// Restore goes back to a snapshot of this server, any number of times. A frozen clock
// goes back too.
func (s *Server) Restore(snapshot *Snapshot) error {
	if snapshot == nil {
		return s.core.Restore(nil)
	}
	return s.core.Restore(snapshot.core)
}
