// Package mockapi is a whole Intram merchant API in memory: not canned responses, but
// accounts, a double-entry ledger, a worker, a checkout page and signed webhook
// deliveries, behind the checks the real API makes.
//
// A [Server] is an [http.Handler]. It serves from a listener of its own ([Server.Listen])
// or, with no socket at all, through [Server.Transport]. Time is its [Clock]'s,
// randomness follows from one seed, and nothing is shared between two servers, so any
// number of them run side by side.
//
// It reads the wire format from the specification and shares no code with the client it
// is used to test.
package mockapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxUnits bounds configured amounts, so that sums of them cannot overflow.
const maxUnits = 1_000_000_000_000_000

// Config describes a server. Its zero value is a frozen clock at the present, one
// merchant, and a worker that runs operations at once.
type Config struct {
	// Start is the time the clock starts at. Default: the present.
	Start time.Time
	// Running makes the clock follow the wall clock from Start on. Default: it stands
	// still until moved.
	Running bool
	// Seed is where keys, ids and references come from. Default: a random one, which Seed
	// returns.
	Seed uint64
	// BaseURL is where the checkout pages are, scheme and host. Default
	// "https://api.intram.test"; Listen sets it.
	BaseURL string
	// Merchant is the first merchant.
	Merchant MerchantConfig
	// Worker says when operations are worked off. Default: at once.
	Worker WorkerMode
	// Currency is the one currency of the API. Default XOF.
	Currency string
	// FeeBasisPoints is the fee of a payment in hundredths of a percent. Default 200 (2
	// %); -1 for none.
	FeeBasisPoints int64
	// PayoutFeeBasisPoints is the fee of a payout, which its wallet is debited with
	// beside the amount. Default none.
	PayoutFeeBasisPoints int64
	// MinAmount and MaxAmount are the limits of an invoice, in whole units. Default 100
	// and 2 000 000; the sandbox is more permissive, and takes 20 000 000.
	MinAmount, MaxAmount int64
	sandboxMaxAmount     int64
	// TrustedProxies are the peers whose X-Real-IP is believed: addresses or CIDR.
	TrustedProxies []string
	// PeerAddress stands for the address of every caller, in place of the socket's.
	PeerAddress string
	// StrictWebhookURLs refuses http:// webhook URLs on loopback too, as the real API
	// does.
	StrictWebhookURLs bool
	// DeliveryAttempts is how often a delivery is tried, 5 or 6: the documentation says
	// both. Default 6.
	DeliveryAttempts int
	// JournalSize is how many requests, and how many deliveries and events, are
	// remembered. Default 4096.
	JournalSize int
	// PayinRevision is the revision of the payin documentation that is followed. Default
	// PayinNewer.
	PayinRevision PayinRevision
	// BeforeAnswer is called before each response is sent, which waits for it. A program
	// that saves the state (Save) in it whenever Version has changed has saved every call
	// that got a response.
	BeforeAnswer func()
	// ReadNumber reads the number that a customer types on the checkout page, for a
	// payment method's code, and returns it with the country's calling code, digits only.
	// Default: spaces and a plus in front are left out.
	ReadNumber func(text, methodCode string) (string, error)
	// PaymentExpiry is how long a mobile-money payment waits for its customer. Default 6
	// minutes. One by card or bank waits for a day at least.
	PaymentExpiry time.Duration
	// PayinExpiry is how long a payin session waits for its confirmation. Default 6
	// minutes.
	PayinExpiry time.Duration
}

// Server is the fake. It is safe for concurrent use.
type Server struct {
	clock    *Clock
	entropy  *entropy
	requests journal
	faults   faults
	keys     *idempotency
	accounts atomic.Pointer[map[string]*apiKey] // by public key
	merchant Merchant

	currency             string
	feeBasisPoints       int64
	payoutFeeBasisPoints int64
	paymentExpiry        time.Duration
	minAmount, maxAmount int64
	sandboxMaxAmount     int64
	trustedProxies       []netip.Prefix
	peerAddress          string
	strictURLs           bool
	journalSize          int
	retryDelays          []time.Duration
	dateHeader           atomic.Pointer[dateHeader]
	pages                pages
	payin                payinProtocol
	// tasks says how each kind of scheduled task is run. A second protocol adds its own
	// kinds.
	tasks map[string]func(id string)

	readNumber   func(text, methodCode string) (string, error)
	beforeAnswer func()        // nil for none
	version      atomic.Uint64 // counts changes
	watched      atomic.Bool   // calls wake the waiters too
	// executing is held for reading from a call's first effect until its idempotency key
	// has its response, so that a state is saved with both or with neither.
	executing sync.RWMutex

	mu        sync.Mutex
	recorder  *Recorder // nil when no changes are noted
	state     state
	worker    WorkerMode
	baseURL   string
	changed   chan struct{} // closed at the next change; nil while no caller waits
	lanes     map[string]*lane
	inFlight  int // deliveries queued or under way
	receivers receivers
	closed    bool

	ctx      context.Context //nolint:containedctx // ends with the server; every delivery hangs on it
	cancel   context.CancelFunc
	running  sync.WaitGroup // delivery lanes and the listener's goroutine
	web      *http.Server
	outgoing http.RoundTripper
}

// New makes a server.
func New(c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	entropy, err := newEntropy(c.Seed)
	if err != nil {
		return nil, err
	}
	s := &Server{
		clock:                newClock(c.Start, c.Running),
		entropy:              entropy,
		requests:             journal{ring: make([]atomic.Pointer[Request], c.JournalSize)},
		keys:                 newIdempotency(),
		currency:             c.Currency,
		feeBasisPoints:       c.FeeBasisPoints,
		payoutFeeBasisPoints: c.PayoutFeeBasisPoints,
		paymentExpiry:        c.PaymentExpiry,
		minAmount:            c.MinAmount,
		maxAmount:            c.MaxAmount,
		sandboxMaxAmount:     c.sandboxMaxAmount,
		peerAddress:          c.PeerAddress,
		strictURLs:           c.StrictWebhookURLs,
		journalSize:          c.JournalSize,
		retryDelays:          retryDelays[:c.DeliveryAttempts-1],
		readNumber:           c.ReadNumber,
		beforeAnswer:         c.BeforeAnswer,
		state:                newState(),
		worker:               c.Worker,
		baseURL:              strings.TrimSuffix(c.BaseURL, "/"),
		lanes:                map[string]*lane{},
		receivers:            newReceivers(),
		outgoing:             newOutgoing(),
	}
	for _, p := range c.TrustedProxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("intramtest: TrustedProxies: %q is neither an IP address nor a CIDR range", p)
		}
		s.trustedProxies = append(s.trustedProxies, prefix)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.accounts.Store(&map[string]*apiKey{})
	s.tasks = map[string]func(string){
		taskStart:   s.taskStartOperation,
		taskFinish:  s.taskFinishOperation,
		taskPayment: s.taskEndPayment,
		taskRefund:  s.taskEndRefund,
		taskDeliver: s.taskDeliver,
	}
	s.startPayin(c)
	s.clock.run = func(t task) { s.tasks[t.kind](t.id) }
	s.clock.idle = s.waitIdle
	s.clock.moved = s.touch
	if s.merchant, err = s.AddMerchant(c.Merchant); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.BaseURL == "" {
		c.BaseURL = "https://api.intram.test"
	}
	if c.Currency == "" {
		c.Currency = "XOF"
	}
	if c.FeeBasisPoints == 0 {
		c.FeeBasisPoints = 200
	}
	if c.PaymentExpiry == 0 {
		c.PaymentExpiry = unanswered
	}
	if c.MinAmount == 0 {
		c.MinAmount = 100
	}
	if c.MaxAmount == 0 {
		c.MaxAmount, c.sandboxMaxAmount = 2_000_000, 20_000_000
	} else {
		c.sandboxMaxAmount = c.MaxAmount
	}
	if c.DeliveryAttempts == 0 {
		c.DeliveryAttempts = len(retryDelays) + 1
	}
	if c.JournalSize == 0 {
		c.JournalSize = 4096
	}
	if c.ReadNumber == nil {
		c.ReadNumber = func(text, _ string) (string, error) {
			return strings.TrimPrefix(strings.Join(strings.Fields(text), ""), "+"), nil
		}
	}
	switch {
	case !isUpper(c.Currency, 3):
		return c, fmt.Errorf("intramtest: Config.Currency: %q is not an ISO 4217 code", c.Currency)
	case c.FeeBasisPoints < -1 || c.FeeBasisPoints > 10_000:
		return c, fmt.Errorf("intramtest: Config.FeeBasisPoints: %d, want 0 to 10000, or -1 for no fee", c.FeeBasisPoints)
	case c.PayoutFeeBasisPoints < 0 || c.PayoutFeeBasisPoints > 10_000:
		return c, fmt.Errorf("intramtest: Config.PayoutFeeBasisPoints: %d, want 0 to 10000", c.PayoutFeeBasisPoints)
	case c.MinAmount < 1 || c.MaxAmount < c.MinAmount || c.MaxAmount > maxUnits:
		return c, fmt.Errorf("intramtest: Config.MinAmount and MaxAmount: %d and %d, want 1 ≤ MinAmount ≤ MaxAmount ≤ %d", c.MinAmount, c.MaxAmount, int64(maxUnits))
	case c.PaymentExpiry < 0:
		return c, fmt.Errorf("intramtest: Config.PaymentExpiry: %v is negative", c.PaymentExpiry)
	case c.DeliveryAttempts != len(retryDelays) && c.DeliveryAttempts != len(retryDelays)+1:
		return c, fmt.Errorf("intramtest: Config.DeliveryAttempts: %d, want 5 or 6", c.DeliveryAttempts)
	case c.JournalSize < 1:
		return c, fmt.Errorf("intramtest: Config.JournalSize: %d, want at least 1", c.JournalSize)
	}
	c.FeeBasisPoints = max(c.FeeBasisPoints, 0)
	return c, errors.Join(c.Worker.validate(), c.checkPayin())
}

// Clock returns the server's clock.
func (s *Server) Clock() *Clock { return s.clock }

// Seed returns the seed of the server's randomness.
func (s *Server) Seed() uint64 { return s.entropy.seed }

// Merchant returns the first merchant.
func (s *Server) Merchant() Merchant { return s.merchant }

// BaseURL returns the address of the server, scheme and host.
func (s *Server) BaseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.baseURL
}

// Listen serves on a TCP address, such as "127.0.0.1:0", until Close, and sets BaseURL to
// it.
func (s *Server) Listen(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.web != nil:
		return errors.New("intramtest: the server listens already")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("intramtest: listening: %w", err)
	}
	s.baseURL = "http://" + listener.Addr().String()
	// Without timeouts, which cost two system calls a request: the only slow client here
	// is a test.
	s.web = &http.Server{Handler: s, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)} //nolint:gosec // G112: a fake has nothing to protect from a slow client
	web := s.web
	s.running.Go(func() { _ = web.Serve(listener) }) // ends with ErrServerClosed
	return nil
}

// Close ends the server: its listener, its clock, its deliveries. Waits return ErrClosed.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	web := s.web
	s.notify()
	s.mu.Unlock()
	s.clock.close()
	s.cancel()
	if web != nil {
		_ = web.Close()
	}
	s.running.Wait()
}

// ServeHTTP serves the API on both prefixes, payin sessions, and the pages of both.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, gatewayPath) {
		s.serveGateway(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, linkPath) {
		s.serveLink(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, elsewherePath+"/") {
		s.serveElsewhere(w, r)
		return
	}
	x, _ := exchanges.Get().(*exchange) // New makes nothing else
	*x = exchange{
		server: s, request: r, now: s.clock.Now(),
		entry: &Request{
			ID: s.entropy.requestID(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
			Header: journalHeader(r.Header), IdempotencyKey: keyHeader(r.URL.Path, r.Header),
		},
	}
	x.entry.Time, x.entry.remote = x.now, r.RemoteAddr
	x.entry.idHeader[0] = x.entry.ID
	rep, cut := x.respond()
	s.committed()
	x.finish(w, rep, cut)
	*x = exchange{}
	exchanges.Put(x)
}

// exchanges are reused: a new one for each call would be as large as a small response.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// exchange is one call on its way through the server.
type exchange struct {
	server   *Server
	request  *http.Request
	entry    *Request
	now      time.Time
	endpoint string // the path after the prefix, escaped as it came
	id       string // the one in the path
	account  *account
	body     []byte
	document document
	payin    bool // of the payin protocol

	effect effect // of a fault
}

// cutKind is how a connection ends without a response.
type cutKind int

const (
	noCut cutKind = iota
	cutSilently
	cutReset
	cutRefused
)

// respond returns the response of a call, without writing it.
func (x *exchange) respond() (reply, cutKind) {
	r := x.request
	endpoint, ok := endpointOf(r.URL.EscapedPath())
	if !ok {
		return proxied(http.StatusNotFound), noCut
	}
	x.endpoint, x.payin = endpoint, isPayinPath(r.URL.EscapedPath())
	table := routes[:]
	if x.payin {
		table = payinRoutes[:]
	}
	route, id, allow := findRoute(table, r.Method, endpoint)
	if route != nil {
		x.entry.Endpoint, x.id = route.template, id
	}
	fault := x.fault(route != nil)
	if fault != nil {
		if rep, cut, ended := x.beforeExecuting(fault); ended {
			return rep, cut
		}
	}
	switch {
	case route != nil:
	case allow != "":
		return methodNotAllowed(allow), noCut
	default:
		return proxied(http.StatusNotFound), noCut
	}
	rep := x.execute(route)
	switch {
	case rep.lost:
		return rep, cutSilently
	case fault != nil:
		return x.afterExecuting(fault, rep)
	}
	return rep, noCut
}

// execute makes the checks and runs the endpoint, once for each idempotency key.
func (x *exchange) execute(route *route) (rep reply) {
	defer func() {
		if p := recover(); p != nil {
			rep = x.serverError(http.StatusInternalServerError, "internal_error")
			rep.reason = fmt.Sprint("panic: ", p)
		}
	}()
	authenticate := (*exchange).authenticate
	switch {
	case x.endpoint == healthPath:
		return route.handle(x)
	case x.payin:
		authenticate = (*exchange).authenticatePayin
	}
	if refused := authenticate(x); refused != nil {
		return *refused
	}
	if !route.keyed {
		return route.handle(x)
	}
	return x.once(route)
}

// finish journals the call, then writes the response or closes the connection.
func (x *exchange) finish(w http.ResponseWriter, rep reply, cut cutKind) {
	e := x.entry
	e.Code, e.Reason, e.Replayed = rep.code, rep.reason, rep.replayed
	if cut == noCut {
		e.Status, e.Response = rep.status, rep.body
	} else {
		e.Lost = true
	}
	streamed := x.effect.streamed
	if streamed != nil {
		e.Response, e.Lost = rep.body[:streamed.sent], streamed.lost
	}
	x.server.requests.add(e)
	if x.server.watched.Load() {
		x.server.mu.Lock()
		x.server.wake()
		x.server.mu.Unlock()
	}
	if cut != noCut {
		cutConnection(w, cut)
		return
	}
	h := w.Header()
	h["Date"] = x.server.dateValue(x.now.Add(x.effect.dateOff))
	h["X-Request-Id"] = e.idHeader[:]
	h["Content-Type"] = jsonType
	if rep.html {
		h["Content-Type"] = htmlType
	}
	if rep.replayed && !x.payin { // the payin docs know no such header
		h["Idempotent-Replay"] = []string{"true"}
	}
	if rep.allow != "" {
		h["Allow"] = []string{rep.allow}
	}
	if x.effect.retryAfter != nil {
		h["Retry-After"] = slices.Clone(x.effect.retryAfter)
	}
	if x.effect.location != "" {
		h["Location"] = []string{x.effect.location}
	}
	if x.effect.age != "" {
		h["Age"] = []string{x.effect.age}
	}
	if streamed != nil {
		writeStreamed(w, x.request, rep.status, streamed)
		return
	}
	w.WriteHeader(rep.status)
	if x.request.Method != http.MethodHead {
		_, _ = w.Write(rep.body) // the client may be gone
	}
}

// Header values that every response shares. They are never changed.
var (
	jsonType = []string{"application/json; charset=utf-8"}
	htmlType = []string{"text/html"}
)

// cutConnection ends the connection without a response. The in-process transport does so
// by itself; a real connection is closed, with a reset where the request was not to be
// read.
func cutConnection(w http.ResponseWriter, cut cutKind) {
	if c, ok := w.(interface{ cut(cutKind) }); ok {
		c.cut(cut)
		return
	}
	if cut != cutSilently {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // a reset, not an orderly end
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to say: close the connection, log nothing
}

// dateHeader is the Date of responses, formatted once a second.
type dateHeader struct {
	second int64
	value  []string
}

// dateValue returns the server's time as a Date header, by which a client with a wrong
// clock corrects it.
func (s *Server) dateValue(now time.Time) []string {
	d := s.dateHeader.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateHeader{now.Unix(), []string{now.UTC().Format(http.TimeFormat)}}
		s.dateHeader.Store(d)
	}
	return d.value
}

// notify counts a change and wakes the waiters. The caller holds the lock.
func (s *Server) notify() {
	s.version.Add(1)
	s.wake()
}

// wake wakes those that wait for a change. The caller holds the lock.
func (s *Server) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Changed returns a channel that is closed at the next change of anything, a call that
// arrives included.
func (s *Server) Changed() <-chan struct{} {
	s.watched.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes()
}

// changes returns a channel that is closed at the next change. The caller holds the lock.
func (s *Server) changes() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}
