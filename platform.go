package intram

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/intram/intram-go/internal/poll"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/transport"
)

// LimitKind is what a [Limiter] is asked for. Kinds may be added: treat one that you do
// not know as [LimitRead].
type LimitKind string

// Kinds of attempts.
const (
	LimitRead  LimitKind = "read"  // a GET of the Merchant API
	LimitWrite LimitKind = "write" // any other request of the Merchant API
	LimitPoll  LimitKind = "poll"  // a lookup that a wait makes; it is also bound by [WithPollRate]
	LimitPayin LimitKind = "payin" // any request of the payin API, which is another host
)

// Limiter bounds the requests of several clients or processes together. Module
// limit/redislimit has one for many processes, on Redis.
//
// A Limiter must be safe for concurrent use.
type Limiter interface {
	// Wait returns when one request may be sent, or an error if none may be. It must
	// return when ctx ends.
	Wait(ctx context.Context, kind LimitKind) error
}

// WithLimiter asks limiter before each attempt of each call: retries count, and so do the
// lookups of waits. The wait is bounded by the call's context, and by 10 minutes, but not
// by [WithTimeout], which begins after it. The request is signed after the wait.
//
// An error of the limiter's ends the call, with an [*Error] that wraps it. Its outcome is
// that of the attempts before: [OutcomeNotSent] if there was none, [OutcomeUnknown] if
// one of them is in doubt. A wait goes on, and makes its lookup later. So does it end if
// the limiter panics, or does not return: the limiter runs in a goroutine of its own.
func WithLimiter(limiter Limiter) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if isNil(limiter) {
			return errors.New("WithLimiter: the limiter is nil")
		}
		cfg.limiter = limiter
		return nil
	})
}

// limitAttempts is the limiter as the transport calls it, nil without one.
func limitAttempts(limiter Limiter, kindOf func(*transport.Call) LimitKind) func(context.Context, *transport.Call) error {
	if limiter == nil {
		return nil
	}
	return func(ctx context.Context, call *transport.Call) error { return limiter.Wait(ctx, kindOf(call)) }
}

func merchantKind(call *transport.Call) LimitKind {
	switch {
	case call.Poll:
		return LimitPoll
	case call.Method == http.MethodGet:
		return LimitRead
	default:
		return LimitWrite
	}
}

func payinKind(*transport.Call) LimitKind { return LimitPayin }

// ErrPlatformClosed is behind the errors of calls and waits of a [Platform] that was
// closed. A call that had not begun is [OutcomeNotSent].
var ErrPlatformClosed = redact.Sentinel("intram: the platform is closed")

// defaultIdleMerchants is how many merchants that nothing uses a platform keeps. A client
// takes about 5 KB.
const defaultIdleMerchants = 10_000

// Platform makes the clients of many merchants in one process. They share connections.
// Those that call the same host also share one poll rate and one retry budget, of which
// each has a fair share: a merchant with 50,000 waits delays a lookup of another one by a
// round of those that wait, and a merchant whose calls all fail leaves retries to the
// rest. A Retry-After of one merchant stops no other.
//
// Everything is in the memory of this process. Over several processes, share a limit with
// [WithLimiter], and the inbox of webhooks.
//
// It is safe for concurrent use.
type Platform struct {
	credentials func(ctx context.Context, merchantID string) (Credentials, error)
	shared      []ClientOption
	ofMerchant  func(merchantID string) []ClientOption
	mostIdle    int
	pollRate    int
	clock       Clock
	httpClient  *http.Client
	done        chan struct{} // closed by Close, which holds mu

	mu        sync.Mutex
	hosts     map[string]*platformHost
	merchants map[string]*platformMerchant
	kept      list.List // of *platformMerchant: those with a kept client, the last used one first
}

// platformHost is what the merchants of one host share.
type platformHost struct {
	rate   *poll.Rate
	budget *transport.Budget
}

// platformMerchant is a merchant whose client exists. An evicted client is found again as
// long as the program holds it: a second one would not know what the first one left in
// doubt.
type platformMerchant struct {
	id     string
	client weak.Pointer[Client]
	kept   *Client       // nil once it is evicted
	place  *list.Element // in Platform.kept
	// made is closed when the client exists, or err says why not.
	made chan struct{}
	err  error
}

// PlatformOption is a setting of [NewPlatform].
type PlatformOption func(*Platform) error

// WithSharedOptions gives options to the client of each merchant. [WithPollRate] is then
// the rate of all merchants of a host together. [WithCredentials] is not one of them.
func WithSharedOptions(opts ...ClientOption) PlatformOption {
	return func(p *Platform) error { p.shared = append(p.shared, opts...); return nil }
}

// WithMerchantOptions gives options to the client of one merchant, such as [WithPayin]
// with its credentials, or a [WithLimiter] of its own. The function is called when the
// client is made. Its options come after the shared ones, and win, except that the poll
// rate and the connections are shared.
func WithMerchantOptions(options func(merchantID string) []ClientOption) PlatformOption {
	return func(p *Platform) error {
		if options == nil {
			return errors.New("WithMerchantOptions: the function is nil")
		}
		p.ofMerchant = options
		return nil
	}
}

// WithIdleMerchants is how many clients a platform keeps that nothing uses; the default
// is 10,000. Those that were not used for longest go first. A client is kept beyond that,
// however many they are, while it waits, holds an idempotency key in doubt, or has spent
// retries that it has not earned back.
func WithIdleMerchants(n int) PlatformOption {
	return func(p *Platform) error {
		if n < 0 {
			return fmt.Errorf("WithIdleMerchants: %d is below 0", n)
		}
		p.mostIdle = n
		return nil
	}
}

// NewPlatform makes a platform. The function returns the keys of a merchant, by the id
// that [Platform.Merchant] is called with. It is called as that of [WithCredentials] is:
// when the client is made, and again when the API refuses the keys. It sends nothing.
//
// Errors: a nil function, and the option that is wrong.
func NewPlatform(credentials func(ctx context.Context, merchantID string) (Credentials, error), opts ...PlatformOption) (_ *Platform, err error) {
	defer markNotSent(&err)
	if credentials == nil {
		return nil, errors.New("intram: NewPlatform: the function is nil")
	}
	p := &Platform{
		credentials: credentials, mostIdle: defaultIdleMerchants, done: make(chan struct{}),
		hosts: map[string]*platformHost{}, merchants: map[string]*platformMerchant{},
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("intram: a PlatformOption is nil")
		}
		if err := opt(p); err != nil {
			return nil, fmt.Errorf("intram: %w", err)
		}
	}
	cfg := defaultConfig()
	if err := cfg.apply(p.shared); err != nil {
		return nil, err
	}
	if cfg.credentials != nil {
		return nil, errors.New("intram: WithSharedOptions: WithCredentials is of one merchant: NewPlatform takes the function")
	}
	cfg.roundTripper() // makes the connections that all share, unless an option has
	p.httpClient, p.pollRate, p.clock = cfg.httpClient, cfg.pollRate, cfg.clock
	return p, nil
}

// shown returns what is printed: how many merchants, and no key.
func (p *Platform) shown() string {
	if p == nil {
		return "intram.Platform(nil)"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("intram.Platform(%d merchants)", len(p.merchants))
}

// Merchant returns the client of a merchant. The first time it asks for the merchant's
// keys, once for all who ask at that moment; ctx bounds how long this caller waits for
// them. After that it takes less than a microsecond: call it for each request, and keep
// no client. As long as the program holds a client or the client is in use, Merchant
// returns the same one.
//
// An error is not kept: the next call tries again. Errors: [ErrCredentials] and the
// function's own, [ErrPlatformClosed], that of ctx.
func (p *Platform) Merchant(ctx context.Context, merchantID string) (_ *Client, err error) {
	defer markNotSent(&err)
	if merchantID == "" {
		return nil, errors.New("intram: Platform.Merchant: the id is empty")
	}
	m, client, err := p.find(merchantID)
	if client != nil || err != nil {
		return client, err
	}
	select {
	case <-m.made:
	case <-ctx.Done():
		return nil, whyEnded(ctx)
	}
	if m.err != nil {
		return nil, m.err
	}
	_, client, err = p.find(merchantID)
	if client == nil && err == nil {
		return p.Merchant(ctx, merchantID) // it was evicted at once
	}
	return client, err
}

// find returns the client, or who is to be waited for until it is made.
func (p *Platform) find(id string) (*platformMerchant, *Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.closedError(); err != nil {
		return nil, nil, err
	}
	m := p.merchants[id]
	if m != nil {
		if client := m.client.Value(); client != nil {
			p.keep(m, client)
			return m, client, nil
		}
		if m.place == nil && isClosed(m.made) { // evicted, and collected
			m = nil
		}
	}
	if m == nil {
		m = &platformMerchant{id: id, made: make(chan struct{})}
		p.merchants[id] = m
		go p.make(m)
	}
	return m, nil, nil
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// make makes the client of a merchant.
func (p *Platform) make(m *platformMerchant) {
	var client *Client
	err := errors.New("intram: WithMerchantOptions: the function ended its goroutine instead of returning")
	defer func() { p.finish(m, client, err) }()
	client, err = p.newClient(m.id)
}

// finish keeps the client that was made, or says why there is none.
func (p *Platform) finish(m *platformMerchant, client *Client, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(m.made)
	if err == nil {
		err = p.closedError()
	}
	if err != nil {
		m.err = err
		delete(p.merchants, m.id)
		return
	}
	m.client = weak.Make(client)
	// What is given to the cleanup must not keep the client, nor the platform that keeps
	// it.
	runtime.AddCleanup(client, forgetCollected, collected{weak.Make(p), m.id, m.client})
	p.keep(m, client)
}

func (p *Platform) newClient(id string) (client *Client, err error) {
	defer func() {
		if value := recover(); value != nil {
			client, err = nil, fmt.Errorf("intram: WithMerchantOptions: the function panicked with a %T", value)
		}
	}()
	opts := slices.Clone(p.shared)
	if p.ofMerchant != nil {
		opts = append(opts, p.ofMerchant(id)...)
	}
	opts = append(opts, clientOption(func(cfg *clientConfig) error {
		cfg.platform, cfg.merchantID, cfg.httpClient = p, id, p.httpClient
		return nil
	}), WithCredentials(func(ctx context.Context) (Credentials, error) { return p.credentials(ctx, id) }))
	return NewClient("", "", opts...)
}

// keep puts a client in front of those that are kept.
func (p *Platform) keep(m *platformMerchant, client *Client) {
	m.kept = client
	if m.place == nil {
		m.place = p.kept.PushFront(m)
	}
	p.kept.MoveToFront(m.place)
	p.evict()
}

// evict lets go of clients that nothing uses, while there are too many. Those in use are
// moved to the front, so that each client that is made costs a bounded number of looks.
func (p *Platform) evict() {
	const looks = 8
	for range looks {
		last := p.kept.Back()
		if p.kept.Len() <= p.mostIdle || last == nil {
			return
		}
		m, _ := last.Value.(*platformMerchant)
		if !m.kept.idle() {
			p.kept.MoveToFront(last)
			continue
		}
		p.kept.Remove(last)
		m.kept, m.place = nil, nil
	}
}

// collected is a client that was collected.
type collected struct {
	platform weak.Pointer[Platform]
	id       string
	client   weak.Pointer[Client]
}

func forgetCollected(c collected) {
	p := c.platform.Value()
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.merchants[c.id]; m != nil && m.client == c.client {
		delete(p.merchants, c.id)
	}
}

// pin keeps a client that has come into use again after it was evicted.
func (p *Platform) pin(client *Client, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.merchants[id]; m != nil && m.client.Value() == client {
		p.keep(m, client)
	}
}

// idle reports whether nothing is lost with the client.
func (c *Client) idle() bool {
	if c.operationWaits.Pending()+c.transactionWaits.Pending()+c.Payin.waits.Pending() > 0 {
		return false
	}
	for _, proto := range []*protocol{c.merchant, c.Payin.protocol} {
		if proto != nil && (proto.doubts.any() || proto.transport.InDebt()) {
			return false
		}
	}
	return true
}

// host returns what the merchants of a host share.
func (p *Platform) host(name string) *platformHost {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		h = &platformHost{rate: poll.NewRate(p.clock, p.pollRate), budget: transport.NewBudget()}
		p.hosts[name] = h
	}
	return h
}

// closedError is what a call of a closed platform is refused with.
func (p *Platform) closedError() error {
	if isClosed(p.done) {
		return ErrPlatformClosed
	}
	return nil
}

// Close ends all waits, with a [*WaitError] that wraps [ErrPlatformClosed], and closes
// the connections that no call uses. A call that is under way ends as it would, without
// further retries; one that begins later is not sent. A webhook handler of the platform
// responds 503 from then on. To close again does nothing.
func (p *Platform) Close() error {
	p.mu.Lock()
	if isClosed(p.done) {
		p.mu.Unlock()
		return nil
	}
	close(p.done)
	clients := make([]*Client, 0, len(p.merchants))
	for _, m := range p.merchants {
		if client := m.client.Value(); client != nil {
			clients = append(clients, client)
		}
	}
	p.merchants = map[string]*platformMerchant{}
	p.kept.Init()
	p.mu.Unlock()
	for _, client := range clients {
		client.operationWaits.Close(ErrPlatformClosed)
		client.transactionWaits.Close(ErrPlatformClosed)
		client.Payin.waits.Close(ErrPlatformClosed)
	}
	p.httpClient.CloseIdleConnections()
	return nil
}

// pollRateOf returns the rate of a client's waits for a host.
func (cfg *clientConfig) pollRateOf(host string) *poll.Rate {
	if cfg.platform == nil {
		return poll.NewRate(cfg.clock, cfg.pollRate)
	}
	return cfg.platform.host(host).rate.Share()
}

// pinInDoubt has the platform keep the client when it leaves a key in doubt.
func (cfg *clientConfig) pinInDoubt(c *Client) {
	p, id := cfg.platform, cfg.merchantID
	if p == nil {
		return
	}
	pin := func() { p.pin(c, id) }
	c.merchant.inDoubt = pin
	if c.Payin.protocol != nil {
		c.Payin.protocol.inDoubt = pin
	}
}

// joinPlatform gives a client's transport what its platform shares.
func (cfg *clientConfig) joinPlatform(wire *transport.Config) {
	if cfg.platform == nil {
		return
	}
	wire.Budget, wire.Closed = cfg.platform.host(wire.BaseURL.Host).budget, cfg.platform.closedError
	if limit := wire.Limit; limit != nil {
		id := cfg.merchantID
		wire.Limit = func(ctx context.Context, call *transport.Call) error { return limit(withMerchant(ctx, id), call) }
	}
}

type merchantContextKey struct{}

// MerchantFromContext returns the merchant for whom a [Platform] calls the merchant's
// webhook function, or a [Limiter].
func MerchantFromContext(ctx context.Context) (merchantID string, ok bool) {
	merchantID, ok = ctx.Value(merchantContextKey{}).(string)
	return merchantID, ok
}

func withMerchant(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, merchantContextKey{}, id)
}
