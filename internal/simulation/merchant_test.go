package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	intram "github.com/intram/intram-go"
)

// merchant is one customer of the SDK: a database and an inbox that outlive everything,
// and a process that does not.
type merchant struct {
	w                    *world
	n                    int
	name                 string
	chance               chance
	publicKey, secretKey string
	secrets              []string      // of its subscriptions
	transactional        bool          // the effect of an event and its completion are one transaction
	hoursOff             time.Duration // of its clock, all the time

	db    *database
	inbox *shakyInbox

	mu    sync.Mutex
	proc  *process // nil while it is down
	gens  int      // processes so far
	tries map[string]int
}

// process is the merchant's program from a start to a crash.
type process struct {
	m       *merchant
	gen     int
	ctx     context.Context //nolint:containedctx // the process's own life: it ends with a crash
	kill    context.CancelFunc
	client  *intram.Client
	network *network
	handler http.Handler
	outage  atomic.Bool
	orders  sync.WaitGroup
}

// crashPoints are the moments a process may die at.
var crashPoints = []string{
	"crash: before the intent is saved", "crash: with the intent saved and nothing sent", "crash: in the middle of a call",
	"crash: with the answer not yet saved", "crash: while it waits", "crash: as an event arrives",
	"crash: with an event's effect committed", "crash: for more than a day",
}

// newMerchant opens an account and its subscriptions, while everything still works.
func newMerchant(ctx context.Context, w *world, n int) (*merchant, error) {
	m := &merchant{
		w: w, n: n, name: fmt.Sprintf("m%d", n), chance: w.chance.of("merchant", n), tries: map[string]int{},
	}
	m.transactional = m.chance.of("transactional").percent(60)
	if c := m.chance.of("hours off"); c.percent(12) {
		m.hoursOff = c.of("by").between(30*time.Minute, 11*time.Hour)
		if c.of("behind").percent(50) {
			m.hoursOff = -m.hoursOff
		}
		w.tally.saw(clockHoursOff)
	}
	account, err := w.server.AddMerchant(m.name)
	if err != nil {
		return nil, err
	}
	m.publicKey, m.secretKey = account.PublicKey, account.SecretKey
	m.db = newDatabase(m)
	m.inbox = &shakyInbox{m: m, store: &intram.MemoryInbox{Clock: w.clock, Retention: inboxRemembers}, ops: map[string]int{}, leases: map[string]time.Time{}}
	client, err := account.NewClient()
	if err != nil {
		return nil, err
	}
	if n == merchants-1 { // the last two share a store, as the customers of a platform do
		m.inbox.store = w.merchants[n-1].inbox.store
	}
	events := []intram.EventType{intram.EventAll}
	if m.chance.of("second subscription").percent(30) {
		events = append(events, "payout.*")
	}
	for n, event := range events {
		url := w.server.Receive(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { m.receive(n, rw, r) }))
		subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: event})
		if err != nil {
			return nil, err
		}
		m.secrets = append(m.secrets, subscription.Secret)
	}
	return m, nil
}

// skew returns how far the merchant's clock is off now. For some merchants it is wrong by
// hours, all the time: it is set to another time zone. For others it is wrong for some
// hours, by more than the API takes, and never by so much that an intent's age is
// misjudged by the hour that the SDK keeps in hand.
func (m *merchant) skew() time.Duration {
	if m.hoursOff != 0 {
		return m.hoursOff
	}
	c := m.chance.of("skew")
	if m.w.calm.Load() || !c.percent(40) {
		return 0
	}
	now := m.w.now()
	from := c.of("from").between(0, 4*time.Hour)
	if now < from || now > from+c.of("for").between(time.Hour, 5*time.Hour) {
		return 0
	}
	off := c.of("off").between(3*time.Minute, 25*time.Minute)
	if c.of("slow").percent(50) {
		return -off
	}
	return off
}

// scope returns the scope of the merchant's events. One that has a store of its own needs
// none.
func (m *merchant) scope() string {
	if m.neighbour() == nil && m.chance.of("no scope").percent(50) {
		return ""
	}
	return m.name + "/sandbox"
}

func (m *merchant) scoped() []intram.HandlerOption {
	if m.scope() == "" {
		return nil
	}
	opts := []intram.HandlerOption{intram.WithInboxScope(m.scope())}
	if m.chance.of("scoped only").percent(50) {
		opts = append(opts, intram.WithScopedKeysOnly())
	}
	return opts
}

// neighbour returns the merchant that shares its store with this one, or nil.
func (m *merchant) neighbour() *merchant {
	if m.n < merchants-2 {
		return nil
	}
	return m.w.merchants[2*merchants-3-m.n]
}

// try numbers the times that something is done, crashes and all.
func (m *merchant) try(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries[what]++
	return m.tries[what]
}

// start runs the merchant's program.
func (m *merchant) start() {
	w := m.w
	m.mu.Lock()
	m.gens++
	p := &process{m: m, gen: m.gens}
	m.mu.Unlock()
	p.ctx, p.kill = context.WithCancel(w.ctx)
	err := p.connect()
	w.require(err == nil, m.name, "no client: %v", err)
	secrets := m.secrets
	if m.chance.of("rotated").percent(50) {
		secrets = append([]string{"whsec_of_last_year"}, secrets...)
	}
	verifier, err := intram.NewWebhookVerifier(secrets...)
	w.require(err == nil, m.name, "no verifier: %v", err)
	opts := m.scoped()
	if m.chance.of("notifies").percent(50) {
		opts = append(opts, intram.WithNotify(p.client))
	}
	p.handler = intram.NewWebhookHandler(verifier.WithClock(merchantClock{m}), m.inbox, p.handle, opts...)
	m.mu.Lock()
	m.proc = p
	m.mu.Unlock()
	w.note(m.name, "start", fmt.Sprint("process ", p.gen))

	for _, o := range m.db.open() {
		p.orders.Add(1)
		w.do(func() {
			defer p.orders.Done()
			p.pay(o)
		})
	}
	w.do(p.reconcileNowAndThen)
	if m.n == 0 && p.gen == 1 && w.chance.of("outage").percent(12) {
		w.do(p.pollThroughAnOutage)
	}
}

// connect makes the process's client.
func (p *process) connect() (err error) {
	m, w := p.m, p.m.w
	p.network = &network{
		w: w, p: p, reports: m.chance.of("reports").percent(50), offsets: []time.Duration{0}, budget: newBudgetModel(),
	}
	p.client, err = intram.NewClient(m.publicKey, m.secretKey, intram.WithBaseURL(w.server.URL),
		intram.WithHTTPClient(&http.Client{Transport: p.network}), intram.WithClock(merchantClock{m}))
	return err
}

// crash ends the process in the middle of whatever it does, and arranges for the next
// one.
func (p *process) crash(why string) {
	m, w := p.m, p.m.w
	m.mu.Lock()
	if m.proc != p || w.calm.Load() {
		m.mu.Unlock()
		return
	}
	m.proc = nil
	m.mu.Unlock()
	w.tally.saw(why)
	w.note(m.name, why, "")
	p.kill()
	c := m.chance.of("down", p.gen)
	down := c.between(time.Second, 5*time.Minute)
	switch kind := c.of("kind").below(100); {
	case kind < 4:
		w.tally.saw("crash: for more than a day")
		down = c.between(24*time.Hour, 30*time.Hour)
	case kind < 14:
		down = c.between(3*time.Hour, 10*time.Hour)
	case kind < 35:
		down = c.between(5*time.Minute, 3*time.Hour)
	}
	w.do(func() {
		if w.sleep(w.ctx, down) {
			m.revive()
		}
	})
}

// revive starts the program if it is down.
func (m *merchant) revive() {
	m.mu.Lock()
	down := m.proc == nil
	m.mu.Unlock()
	if down {
		m.start()
	}
}

// maybeCrash lets the process die here, once in a while.
func (p *process) maybeCrash(point string, at chance, percent int) bool {
	if p.dead() {
		return true
	}
	if p.m.w.calm.Load() || !at.of(point).percent(percent) {
		return false
	}
	p.crash(point)
	return p.dead()
}

func (p *process) dead() bool { return p.ctx.Err() != nil }

// running returns the process that is up, or nil.
func (m *merchant) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc
}

// finishOrders waits until every payout has ended, on a network that works.
func (m *merchant) finishOrders(context.Context) { m.running().orders.Wait() }

// stop ends the program in an orderly way.
func (m *merchant) stop() { m.running().kill() }

// database is what the merchant has saved.
type database struct {
	m  *merchant
	mu sync.Mutex

	orders   []*order
	effects  map[string]int // how often an event took effect, by its key
	progress map[string]intram.EventOrder
}

// order is a payout that the merchant owes. It is paid at most once, whatever it takes.
type order struct {
	m       *merchant
	n       int
	name    string
	chance  chance
	amount  int64
	bank    bool
	msisdn  string
	invalid bool // the API refuses it, whatever is done
	due     time.Duration

	// Saved.
	mu      sync.Mutex
	intents []*intentRecord
	closed  bool
}

// intentRecord is one intent of an order: what was saved, and what came of it.
type intentRecord struct {
	o         *order
	n         int
	reference string
	saved     []byte // the intent, as JSON; nil when the process died before it was saved
	key       string
	state     intentState
	operation string
	createdAs time.Time
	tries     int
	doubted   bool

	mu    sync.Mutex
	body  string // of every attempt ever made
	first time.Duration
	sent  bool
	ids   []string // that second processes were told
}

// told notes which operation a second process was told of.
func (r *intentRecord) told(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, id)
}

// wereTold returns which operations second processes were told of.
func (r *intentRecord) wereTold() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

type intentState int

const (
	open intentState = iota
	accepted
	refused // the SDK said that nothing has moved
	absent  // too old to send, and not in the list
)

func newDatabase(m *merchant) *database {
	db := &database{m: m, effects: map[string]int{}, progress: map[string]intram.EventOrder{}}
	for n := range ordersPerMerchant {
		c := m.chance.of("order", n)
		o := &order{m: m, n: n, name: fmt.Sprintf("%s-p%02d", m.name, n), chance: c, due: c.of("due").between(0, ordersWithin)}
		if m.chance.of("payday").percent(30) { // all at once, so that they are waited for together
			o.due = m.chance.of("payday at").between(0, ordersWithin) + c.of("on payday").between(0, 10*time.Second)
		}
		o.amount = int64(100 + c.of("amount").below(20_000))
		o.bank = c.of("bank").percent(15)
		o.invalid = c.of("invalid").percent(6)
		// Most numbers are anybody's; the others choose what happens (fake.md, Test
		// numbers).
		o.msisdn = fmt.Sprintf("229611%05d", 10_000+c.of("number").below(80_000))
		if c.of("test number").percent(50) {
			o.msisdn = fmt.Sprintf("2296%07d", c.of("outcome").below(14))
		}
		db.orders = append(db.orders, o)
	}
	return db
}

// open returns the orders that are not closed.
func (db *database) open() []*order {
	var found []*order
	for _, o := range db.orders {
		o.mu.Lock()
		if !o.closed {
			found = append(found, o)
		}
		o.mu.Unlock()
	}
	return found
}

// params returns the same payout for every call with an intent, whichever process makes
// it. They are made anew each time, as a program does that reads its database after a
// restart: the same amount in another scale, and no metadata as no map or as an empty
// one.
func (o *order) params(reference string, at chance) intram.PayoutParams {
	p := intram.PayoutParams{
		Amount: intram.NewAmount(o.amount), Currency: intram.XOF, Reference: reference, Note: "Salaire de mai",
		Metadata: map[string]any{"order": o.name, "batch": 5},
	}
	if o.chance.of("no metadata").percent(30) {
		p.Metadata = nil
		if at.of("empty metadata").percent(50) {
			p.Metadata = map[string]any{}
		}
	}
	if scale := at.of("scale").below(4); scale > 0 {
		text := []string{".0", ".00", ".0000"}[scale-1]
		amount, err := intram.ParseAmount(strconv.FormatInt(o.amount, 10) + text)
		o.m.w.require(err == nil, o.name, "no amount: %v", err)
		p.Amount = amount
		o.m.w.tally.saw(rebuilt)
	}
	if o.invalid {
		p.Currency = "EUR" // a currency, and not the wallet's
	}
	if o.bank {
		p.Destination = intram.BankAccount{AccountNumber: "BJ0660010012345678901234", SWIFT: "ECOCBJBJ", AccountName: "Ada", AccountSurname: "Lovelace"}
	} else {
		p.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: o.msisdn, CountryCode: "BJ"}
	}
	return p
}

// save writes an intent down.
func (o *order) save(rec *intentRecord, intent *intram.Intent) error {
	saved, err := json.Marshal(intent)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	rec.saved, rec.key, rec.createdAs = saved, intent.IdempotencyKey, intent.FirstSentAt
	o.intents = append(o.intents, rec)
	return nil
}

// current returns the intent that is under way, or nil when the next step is to make one.
func (o *order) current() *intentRecord {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.intents) == 0 {
		return nil
	}
	last := o.intents[len(o.intents)-1]
	if last.state == refused || last.state == absent {
		return nil
	}
	return last
}

func (o *order) set(rec *intentRecord, state intentState, operation string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rec.state, rec.operation = state, operation
}

func (o *order) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// inspect checks an attempt against all others that were ever made for the intent.
func (r *intentRecord) inspect(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, who, now := x.w, x.call.who, x.w.now()
	if !r.sent {
		r.sent, r.body, r.first = true, string(x.body), now
	}
	w.require(x.req.Header.Get("Idempotency-Key") == r.key, who, "an attempt carries another key")
	w.require(string(x.body) == r.body, who, "an attempt carries other bytes")
	w.require(now-r.first < 24*time.Hour, who, "an attempt %v after the first: the API has forgotten the key", now-r.first)
}
