package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/cmd/intram/internal/serve/dashboard"
	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
	"github.com/intram/intram-go/internal/mockapi"
)

// server is a running "intram serve".
type server struct {
	options
	core      *mockapi.Server
	listener  net.Listener
	url       string
	certFile  string
	localFile string
	store     *store // nil without --state
	presets   *preset.Active
	dashboard *dashboard.Dashboard
	web       *http.Server
	resumed   bool // the state was there already
	closers   []func()
}

// run serves until the context ends.
func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	s := &server{options: o}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	serving := make(chan error, 1)
	go func() {
		defer close(serving)
		serving <- s.web.Serve(s.listener)
	}()
	err := s.announce()
	if err == nil {
		err = s.wait(ctx, serving)
	}
	err = errors.Join(err, s.shutdown())
	for range serving { // until it has ended too
		continue
	}
	return err
}

// wait returns when the context ends, without an error, or when the server cannot go on.
func (s *server) wait(ctx context.Context, serving <-chan error) error {
	var failed <-chan error
	if s.store != nil {
		failed = s.store.failed
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-serving:
		return err
	case err := <-failed:
		_ = s.web.Close() // no response goes out that is not saved
		s.store.release()
		return err
	}
}

// open makes everything that a call needs. What it has opened, close closes.
func (s *server) open(ctx context.Context) error {
	var data []byte
	if s.state != "" {
		path := statePath(s.state)
		s.store = newStore(path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("--state: %w", err)
		}
		release, err := lock(path)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, release)
		if data, err = readState(path); err != nil {
			return fmt.Errorf("--state: %w", err)
		}
		if err := s.takeSeed(data); err != nil {
			return err
		}
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.makeCore(data); err != nil {
		return err
	}
	s.dashboard = dashboard.New(dashboard.Config{
		Core: s.core, URL: s.url, Presets: s.presets, Curl: s.curl(), Committed: s.committed, StateFile: s.stateFile(),
	})
	s.web = &http.Server{
		Handler:           &guard{names: s.hosts(), addresses: s.allowRemote, next: s.handler()},
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // a browser that refuses the certificate is no news
	}
	return nil
}

// takeSeed goes on with the seed of a saved state.
func (s *server) takeSeed(data []byte) error {
	if data == nil {
		return nil
	}
	seed, err := mockapi.SavedSeed(data)
	if err != nil {
		return fmt.Errorf("--state: %s: %w", statePath(s.state), err)
	}
	if s.seedSet && s.seed != seed {
		return fmt.Errorf("--seed: %s was made with the seed %d: leave --seed out, or name another file", statePath(s.state), seed)
	}
	s.seed, s.resumed = seed, true
	return nil
}

func (s *server) listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("--addr: %w: is another intram serve running? Another port: --addr 127.0.0.1:0", err)
	}
	s.listener = listener
	s.closers = append(s.closers, func() { _ = listener.Close() })
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1" // every address, of which this one is always right here
	}
	s.url = "http://" + net.JoinHostPort(host, port)
	if !s.tls {
		return nil
	}
	dir, err := certificateDir()
	if err != nil {
		return fmt.Errorf("--tls: %w", err)
	}
	cert, file, err := certificate(dir, host)
	if err != nil {
		return err
	}
	s.url, s.certFile = "https://"+net.JoinHostPort(host, port), file
	s.listener = tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	})
	return nil
}

// certificateDir is beside the folder that says where servers are.
func certificateDir() (string, error) {
	path, err := local.Path()
	return filepath.Join(filepath.Dir(path), "tls"), err
}

func (s *server) makeCore(data []byte) error {
	worker, err := s.worker()
	if err != nil {
		return err
	}
	balances, err := s.openingBalances()
	if err != nil {
		return err
	}
	config := mockapi.Config{
		Seed: s.seed, Running: s.clock == clockRunning, BaseURL: s.url, Worker: worker, PayinRevision: payinRevisions[s.payin],
		ReadNumber: func(text, method string) (string, error) { return typed.MSISDN(text, "", intram.ProviderCode(method)) },
		Merchant:   mockapi.MerchantConfig{Name: "Boutique Démo", Balances: balances, IPAllowlist: []string{"127.0.0.0/8", "::1"}},
	}
	if s.allowRemote {
		config.Merchant.IPAllowlist = []string{"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"} // every address, which one entry may not be
	}
	if s.store != nil {
		config.BeforeAnswer = s.store.committed
	}
	if s.core, err = mockapi.New(config); err != nil {
		return err
	}
	s.closers = append(s.closers, s.core.Close)
	if data != nil {
		if err := s.core.Load(data); err != nil {
			return fmt.Errorf("--state: %s: %w: move it away to begin anew", statePath(s.state), err)
		}
	}
	if s.presets, err = preset.New(s.core, s.faults...); err != nil {
		return fmt.Errorf("--fault: %w", err)
	}
	if err := s.forward(); err != nil {
		return err
	}
	// Keys and the secrets of --forward-to follow from the seed. Ids must not, or they
	// repeat at each start: a receiver with a persistent inbox would take new events for
	// known ones. With a saved state too: an event may have gone out that the last save
	// before a crash does not have.
	if err := s.core.FreshIDs(); err != nil {
		return err
	}
	if s.store != nil {
		return s.store.start(s.core)
	}
	return nil
}

// forward subscribes --forward-to to everything in both environments, unless a saved
// state has it subscribed already.
func (s *server) forward() error {
	if s.forwardTo == "" {
		return nil
	}
	m := s.core.Merchant()
	// In a fixed order, so that each environment's secret is the same at each start.
	for _, keys := range []struct{ environment, publicKey string }{{"sandbox", m.Sandbox.Public}, {"live", m.Live.Public}} {
		environment, publicKey := keys.environment, keys.publicKey
		if _, there := s.forwarded(environment, false); there {
			continue
		}
		sub, err := s.core.Subscribe(publicKey, s.forwardTo, "*")
		if err != nil {
			return errors.New("--forward-to: the URL must be https, or http on this machine's loopback")
		}
		apiKey := m.SandboxPayin.APIKey
		if environment == "live" {
			apiKey = m.LivePayin.APIKey
		}
		// The portal lets a merchant choose this secret. One and the same is easier to
		// set up.
		if err := s.core.SetPayinWebhook(apiKey, s.forwardTo, sub.Secret); err != nil {
			return err
		}
	}
	return nil
}

// forwarded is the subscription of --forward-to, that of payins or the other one.
func (s *server) forwarded(environment string, payin bool) (mockapi.Subscription, bool) {
	for _, sub := range s.core.Subscriptions(environment) {
		if sub.URL == s.forwardTo && sub.Payin == payin && (payin || sub.Event == "*") {
			return sub, true
		}
	}
	return mockapi.Subscription{}, false
}

// handler sends the dashboard's paths to the dashboard, and everything else to the API. A
// browser that goes where nothing is, or asks for an icon, gets a page or the icon, and
// is no call.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case mockapi.Serves(r.URL.EscapedPath()) || !dashboard.IsPage(r):
			s.core.ServeHTTP(w, r)
		case dashboard.IsIcon(r):
			s.dashboard.Icon(w, r)
		default:
			s.dashboard.Lost(w, r)
		}
	})
	mux.Handle(dashboard.Path, s.dashboard)
	mux.Handle("GET /{$}", http.RedirectHandler(dashboard.Path, http.StatusSeeOther))
	return mux
}

// hosts are the names the server may be called by.
func (s *server) hosts() []string {
	names := make([]string, 0, len(s.allowHosts)+1)
	for _, name := range s.allowHosts {
		names = append(names, strings.ToLower(name))
	}
	if host, _, err := net.SplitHostPort(s.addr); err == nil && host != "" {
		names = append(names, strings.ToLower(host))
	}
	return names
}

func (s *server) committed() {
	if s.store != nil {
		s.store.committed()
	}
}

func (s *server) stateFile() string {
	if s.store == nil {
		return ""
	}
	return s.store.path
}

// announce tells other commands and the person where the server is.
func (s *server) announce() error {
	dir, err := local.Path()
	if err != nil {
		return err
	}
	m := s.core.Merchant()
	state := local.Server{
		URL: s.url, CertificateFile: s.certFile, PID: os.Getpid(),
		Sandbox: local.Keys{PublicKey: m.Sandbox.Public, SecretKey: m.Sandbox.Secret, PayinAPIKey: m.SandboxPayin.APIKey, PayinAPIClient: m.SandboxPayin.APIClient},
		Live:    local.Keys{PublicKey: m.Live.Public, SecretKey: m.Live.Secret, PayinAPIKey: m.LivePayin.APIKey, PayinAPIClient: m.LivePayin.APIClient},
	}
	if s.localFile, err = local.Write(dir, state); err != nil {
		return fmt.Errorf("saying where the server is, for --local: %w", err)
	}
	_, err = fmt.Fprint(s.out, s.banner())
	return err
}

// shutdown lets the calls under way end, saves what is left, and returns when nothing of
// the server runs any more.
func (s *server) shutdown() error {
	s.dashboard.Close()
	ctx, cancel := context.WithTimeout(context.Background(), gracePeriod)
	defer cancel()
	if s.web.Shutdown(ctx) != nil {
		_ = s.web.Close() // a connection is still open
	}
	var err error
	if s.store != nil {
		err = s.store.close()
		s.store.release()
	}
	if s.localFile != "" {
		err = errors.Join(err, local.Remove(s.localFile))
	}
	return err
}

// close closes what was opened, the last first.
func (s *server) close() {
	for _, c := range slices.Backward(s.closers) {
		c()
	}
}
