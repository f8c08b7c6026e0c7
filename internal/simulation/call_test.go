package simulation_test

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// call is what the network and the clock know of one call of the SDK, or of one wait. It
// travels in the context, and holds what the next step must look like: the run is checked
// as it goes on.
type call struct {
	w      *world
	m      *merchant
	p      *process
	who    string
	chance chance
	kind   callKind
	rec    *intentRecord // what it is the call of, when it has an intent

	maxAttempts int
	maxWait     time.Duration // of a wait
	began       time.Duration
	skew        time.Duration

	mu           sync.Mutex
	method, path string
	attempts     int
	offset       time.Duration // that the last attempt was dated with
	readsOnly    bool          // nothing may be sent that could move money
	corrections  int           // attempts that only a wrong clock cost
	decided      bool          // nothing may be sent any more
	slept        bool
	redated      bool // the next attempt is the corrected one, which costs nothing
	next         wanted
	answeredAt   time.Duration
	look         *call // the reads of a payout that looks for its operation before it is sent
}

type callKind int

const (
	single  callKind = iota // one call of the SDK
	polling                 // a wait: the lookups that are made on its behalf
	several                 // a list or a reconciliation: calls of any kind
)

// wanted is what the next sleep must be.
type wanted struct {
	redate bool          // none at all: the same again, dated by the server
	exact  time.Duration // a Retry-After
}

type callKey struct{}

func (c *call) in(ctx context.Context) context.Context { return context.WithValue(ctx, callKey{}, c) }

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// making returns the call that a request is made for. What a payout reads of the list
// before it is sent is a call of its own.
func (c *call) making(method string) *call {
	if c == nil || c.rec == nil {
		return c
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case method != http.MethodGet:
		c.look = nil
		return c
	case c.look == nil:
		c.w.require(!c.decided, c.who, "looked back after a final answer")
		c.w.tally.saw("call: looked back before it was sent")
		c.look = &call{
			w: c.w, m: c.m, p: c.p, who: c.who + " look-back", chance: c.chance.of("look-back"), kind: several,
			began: c.w.now(), skew: c.skew, maxAttempts: c.maxAttempts, readsOnly: true,
		}
	}
	return c.look
}

// waiting returns the call that a wait belongs to.
func (c *call) waiting() *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.look != nil {
		return c.look
	}
	return c
}

// newCall describes a call that is about to be made.
func (p *process) newCall(who string, at chance, kind callKind) *call {
	return &call{
		w: p.m.w, m: p.m, p: p, who: who, chance: at, kind: kind, began: p.m.w.now(),
		skew: p.m.skew(), maxAttempts: 4, // as a client unless told otherwise
	}
}

// skewed reports whether the merchant's clock was set since the call began: what it
// measured is then off by as much.
func (c *call) skewed() bool { return c.m.skew() != c.skew }

// merchantClock is the clock of a merchant's machine: off at times. Its Sleep checks what
// the SDK waits for, and draws the jitter of retries anew from the seed, within the same
// bounds.
type merchantClock struct{ m *merchant }

// Jitter returns the jitter of the polls, by the seed.
func (c merchantClock) Jitter() float64 { //nolint:forbidigo // as the SDK's jitter is
	return float64(c.m.chance.of("jitter", int(c.m.w.now())).below(1000)) / 1000 //nolint:forbidigo // likewise
}

func (c merchantClock) Now() time.Time { return c.m.w.clock.Now().Add(c.m.skew()) }

func (c merchantClock) Sleep(ctx context.Context, d time.Duration) error {
	if call := callOf(ctx); call != nil {
		d = call.waiting().pause(d)
	}
	return c.m.w.clock.Sleep(ctx, d)
}

// Bounds of the SDK's own waits, as its documentation gives them.
const (
	backoffBase   = 500 * time.Millisecond
	backoffCap    = 8 * time.Second
	retryAfterCap = 30 * time.Second
	longestPause  = 5 * time.Minute
)

// pause checks a wait of the SDK's and returns the one to make.
func (c *call) pause(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := c.next
	c.next, c.slept, c.redated = wanted{}, true, want.redate
	switch {
	case want.redate:
		c.w.require(d == 0, c.who, "waited %v for the corrected attempt", d)
		return 0
	case want.exact > 0:
		c.w.require(c.kind == several || d == want.exact, c.who, "waited %v, and the server asked for %v", d, want.exact)
		c.w.tally.saw("call: Retry-After waited for")
		return d
	case c.kind == several:
		c.w.require(d >= 0 && d <= retryAfterCap, c.who, "waited %v", d)
		if d == 0 || d > backoffCap {
			return d
		}
		return c.chance.of("several", c.attempts).between(0, backoffBase) // any wait within the bounds will do
	default:
		bound := backoffCap
		if made := c.attempts - c.corrections; made < 5 {
			bound = min(bound, backoffBase<<max(made-1, 0))
		}
		// A corrected attempt counts for the backoff as it does not for the number of
		// attempts.
		bound = min(backoffCap, bound<<c.corrections)
		c.w.require(d >= 0 && d <= bound, c.who, "backed off for %v after attempt %d, beyond %v", d, c.attempts, bound)
		return c.chance.of("backoff", c.attempts).between(0, bound)
	}
}

// polled checks that a lookup on behalf of a wait obeys the Retry-After of the one
// before.
func (c *call) polled() {
	want := min(c.next.exact, longestPause)
	c.next.exact = 0
	if want == 0 || c.skewed() || c.redated {
		return
	}
	waited := c.w.now() - c.answeredAt
	c.w.require(waited >= want, c.who, "was looked up %v after the server had asked for %v", waited, want)
	c.w.tally.saw("wait: Retry-After waited for")
}

// judged records the verdict on what the SDK received, and what must follow.
func (c *call) judged(verdict answerVerdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.answeredAt = verdict.wanted, c.w.now()
	if verdict.redate {
		c.corrections++
	}
	c.decided = verdict.final && c.kind == single
}

// answerVerdict is what the documentation says about a response: whether there may be
// another attempt, and when.
type answerVerdict struct {
	wanted
	final bool
	// decided: the server has said what it did, so that retries are paid for again.
	decided bool
}

// budgetModel is the retry budget as it is documented: a retry costs 5, a success brings
// 1, and 500 are the most. The SDK may never spend what the model does not have.
type budgetModel struct{ reads, writes int }

func newBudgetModel() budgetModel { return budgetModel{500, 500} }

func (b *budgetModel) of(method string) *int {
	if method == http.MethodGet {
		return &b.reads
	}
	return &b.writes
}
