package intram

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/intram/intram-go/internal/match"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/wire"
)

const (
	// keyLifetime is how long the API keeps an idempotency key (Merchant API docs,
	// Idempotency). No call with an intent is made that long after it, by the clock of
	// the machine that calls.
	keyLifetime = 24 * time.Hour
	// lookBackSlack is how far the clock that dated an intent may have been from the
	// server's. A signature is dated by a clock that is corrected by less than the
	// lifetime of a key, so what a clock further off dated was never accepted.
	lookBackSlack = 25 * time.Hour
	// givenKeyLookBack is how long before its intent a key that the caller gave may have
	// been used, and is still found. It spans a long weekend, and is less than a week:
	// what is paid every week to one person is not last week's.
	givenKeyLookBack = 6 * 24 * time.Hour
)

// firstYear is before all operations of the API.
var firstYear = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// ErrNeverSent is behind the [*Error] of a Resume that has proved that no operation came
// of the intent: the list of operations was read through the whole time in which it could
// have been executed, and everything in it is something else. The outcome is
// [OutcomeNotSent], and a new intent with a new key is safe.
var ErrNeverSent = redact.Sentinel("intram: no operation came of the intent, and its key has expired: a new intent is safe")

// ErrCannotTell is behind the [*CannotTellError] of a Resume that could not find out
// whether the intent was executed. The money may have moved. Do not make a new intent
// before a person has looked at the candidates.
var ErrCannotTell = redact.Sentinel("intram: cannot tell whether the intent was executed")

// CannotTellError is a Resume that could not find out whether its intent was executed.
// Its outcome is [OutcomeUnknown], and errors.Is(err, [ErrCannotTell]) holds.
type CannotTellError struct {
	// IdempotencyKey is the intent's.
	IdempotencyKey string
	// Candidates are the operations that may be the intent's: several that match, one
	// that matches in all but what identifies it, or one that cannot be compared since
	// its payload does not say enough.
	Candidates []*Operation
	// RetryAt is set when nothing was found but it is too early to conclude from that: a
	// last call may have been accepted so lately that the list does not show it yet.
	// Resume again at that time.
	RetryAt time.Time
	// Err is why the list could not be read to its end, nil if it was. Resume again when
	// it can be read.
	Err error
}

// Error implements error: one line, without personal data.
func (e *CannotTellError) Error() string {
	var why []string
	if n := len(e.Candidates); n > 0 {
		const shown = 5
		ids := make([]string, 0, shown)
		for _, op := range e.Candidates[:min(n, shown)] {
			ids = append(ids, scrubID(op.ID))
		}
		if n > shown {
			ids = append(ids, "…")
		}
		what := fmt.Sprintf("%d operations", n)
		if n == 1 {
			what = "1 operation"
		}
		why = append(why, fmt.Sprintf("%s may have come of it (%s): compare with your records", what, strings.Join(ids, ", ")))
	}
	if !e.RetryAt.IsZero() {
		why = append(why, "the list shows none yet: resume again at "+e.RetryAt.UTC().Format(time.RFC3339))
	}
	if e.Err != nil {
		why = append(why, "the list of operations does not prove it: "+causeText(e.Err))
	}
	return ErrCannotTell.Error() + ": " + strings.Join(why, "; ") +
		" [it may have been executed: make no new intent before you know; idempotency key " + e.IdempotencyKey + "]"
}

// Format implements [fmt.Formatter]: every verb prints what Error returns.
func (e *CannotTellError) Format(f fmt.State, _ rune) { writeString(f, e.Error()) }

// Is reports whether target is [ErrCannotTell].
func (e *CannotTellError) Is(target error) bool { return target == ErrCannotTell }

// Unwrap returns why the list could not be read, nil if it was.
func (e *CannotTellError) Unwrap() error { return e.Err }

// Resume finishes a payout whose intent was saved, after a crash, an outage of any
// length, or an error that left it in doubt. While the key is good it sends the payout,
// as [PayoutsService.Create] does with [WithIntent]: what was executed is not executed
// twice. Afterwards it sends nothing, and looks for the payout in the list of operations
// instead.
//
// A payout is found by its Reference, with its amount and its destination: give each
// payout a reference that is never reused. Without one, a payout of the same amount to
// the same account is a candidate, and never taken for this one.
//
// Errors, after [IntentHorizon]: [ErrNeverSent] when the list proves that nothing was
// executed, so that a new intent is safe; a [*CannotTellError] when it proves nothing.
// "Not found" is a proof only if the list was read through all the time in which the
// payout could have been made, by the server's clock and with a day to spare, if
// everything in it could be compared, and if the intent is 24 hours old by both clocks.
// Before that: those of Create with an intent.
//
// An intent that may have been sent and is 11 hours old, and each intent whose key was
// given to Prepare, is looked for before it is sent: a clock that was set in the
// meantime, or an earlier use of the key, may have made the key older than the intent
// says. A first use of a given key is found up to six days before the date of the intent;
// a key first used before that is sent. What is then found that may be the payout, and is
// older than the horizon, is a [*CannotTellError] too, and so is a list that cannot be
// read: nothing is sent then. To resume many intents, share what is read of the list: see
// [LookBack].
//
// Endpoints: POST /payouts, GET /operations. Docs: Merchant API, Idempotency.
func (s *PayoutsService) Resume(ctx context.Context, params PayoutParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationPayout, intent, opts)
}

// Resume finishes a refund whose intent was saved: see [PayoutsService.Resume]. A refund
// has no reference of its own. It is found by its transaction and amount, and by Metadata
// that no other refund of that transaction has; without Metadata, a refund that matches
// is a candidate of a [*CannotTellError].
//
// Endpoints: POST /refunds, GET /operations. Errors: those of [PayoutsService.Resume].
// Docs: Merchant API, Idempotency.
func (s *RefundsService) Resume(ctx context.Context, params RefundParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationRefund, intent, opts)
}

// Resume finishes a payment request whose intent was saved: see [PayoutsService.Resume].
// A payment request has no reference of its own. It is found by its invoice, and by
// WebhookData that no other request has; without WebhookData, a request that matches is a
// candidate of a [*CannotTellError].
//
// Endpoints: POST /payment-requests, GET /operations. Errors: those of
// [PayoutsService.Resume]. Docs: Merchant API, Idempotency.
func (s *PaymentRequestsService) Resume(ctx context.Context, params PaymentRequestParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationPaymentRequest, intent, opts)
}

// resume sends a call while its key is good, and looks for its operation afterwards.
// Where the age of the key is less certain than that, or the public key has changed, it
// looks first.
func (c *Client) resume(ctx context.Context, r request, typ OperationType, intent *Intent, opts []CallOption) (*Operation, error) {
	opts = append(slices.Clone(opts), WithIntent(intent))
	changed := c.merchant.keysChanged(intent)
	if changed || c.merchant.ageIsUncertain(intent) {
		again := r
		cfg := newCallConfig(opts)
		if ready, refused := c.merchant.prepare(ctx, &again, cfg); refused == nil {
			l, broken := c.lookBack(ctx, &again, typ, ready.key, cfg)
			switch {
			case broken != nil:
				return nil, l.cannotTell(broken)
			case len(l.found) == 1:
				return l.found[0], nil
			case (changed || l.outlivedItsKey()) && l.unreadable != nil:
				return nil, l.cannotTell(l.unreadable)
			case l.outlivedItsKey(), changed && len(l.found)+len(l.maybe) > 0:
				return nil, l.cannotTell(nil)
			}
		}
	}
	resumed := intent.resumed()
	op, err := doModel[Operation, operationWire](ctx, c, r, opts)
	if e, ok := errors.AsType[*Error](err); ok && resumed && !changed && e.Attempts == 1 && e.hint == changedInDoubt {
		return c.resume(ctx, r, typ, intent, opts) // its only attempt was refused: it looks, now that the keys have changed
	}
	if !errors.Is(err, ErrIntentExpired) {
		return op, err
	}
	cfg := newCallConfig(opts)
	key, _, err := c.merchant.chooseKey(cfg)
	if err != nil {
		return nil, err
	}
	l, broken := c.lookBack(ctx, &r, typ, key, cfg)
	switch {
	case broken != nil:
		return nil, l.cannotTell(broken)
	case len(l.found) == 1:
		return l.found[0], nil
	case len(l.found)+len(l.maybe) == 0 && l.unreadable == nil && l.retryAt.IsZero():
		c.merchant.doubts.settle(key.value)
		return nil, &Error{
			Method: r.method, Path: r.template, Outcome: OutcomeNotSent,
			IdempotencyKey: key.value, Reference: r.reference, cause: ErrNeverSent,
		}
	case l.unreadable != nil:
		return nil, l.cannotTell(l.unreadable)
	}
	return nil, l.cannotTell(nil)
}

// ageIsUncertain reports whether a key may be older than its intent says: it was the
// caller's, who may have sent it by an earlier intent, or the intent may have been sent,
// and is so old that a clock that was set in the meantime makes the difference.
func (p *protocol) ageIsUncertain(intent *Intent) bool {
	return intent != nil &&
		(intent.KeyGiven || intent.resumed() && wallTime(p.clock).Sub(intent.FirstSentAt) > keyLifetime/2-time.Hour)
}

// keysChanged reports whether an intent may have been sent under another public key than
// the client's. The API may keep its idempotency key for that one.
func (p *protocol) keysChanged(intent *Intent) bool {
	now := p.keys.publicKeyHash()
	if now == "" || !intent.resumed() {
		return false
	}
	then := cmp.Or(intent.PublicKeySHA256, intent.AccountSHA256) // the latter of one that was saved before WithCredentials
	return then != "" && then != now
}

// lookBack looks for the operation of a call in the list of operations.
type lookBack struct {
	key string
	// found are those that are the call's, and maybe those that may be; unreadable is one
	// that cannot be read.
	found, maybe []*Operation
	unreadable   *ItemError
	// date is when the list was read, by the server's clock. retryAt is set when that is
	// too early to prove anything.
	date, retryAt time.Time
}

func (c *Client) lookBack(ctx context.Context, r *request, kind OperationType, key callKey, cfg *callConfig) (*lookBack, error) {
	l := &lookBack{key: key.value}
	body, err := json.Marshal(r.params) // as it was a moment ago, when its hash was compared
	if err != nil {
		return l, err
	}
	from := key.firstSentAt.Add(-lookBackSlack)
	if cfg.intent.KeyGiven {
		from = key.firstSentAt.Add(-givenKeyLookBack)
	}
	until := cfg.intent.FirstSentAt.Add(keyLifetime + lookBackSlack)
	provenFrom := cfg.intent.FirstSentAt.Add(keyLifetime + time.Second - 1).Truncate(time.Second) // Date has whole seconds
	h, broken := cfg.lookBack.history(ctx, c, kind, from, until, provenFrom, cfg.maxAttempts)
	l.date = h.date
	if ahead := cfg.intent.FirstSentAt.Sub(h.date); broken == nil && ahead > lookBackSlack {
		broken = redact.Sentinel(fmt.Sprintf("the intent is dated %v after the server's time: the clock was wrong that dated it", ahead.Round(time.Hour)))
	}
	if h.date.Before(provenFrom) || wallTime(c.clock).Before(provenFrom) {
		l.retryAt = provenFrom
	}
	within := func(at time.Time) bool {
		impossible := at.Before(firstYear) || at.Sub(h.date) > lookBackSlack // such a date says nothing of when it was made
		return impossible || !at.Before(from) && at.Before(until)
	}
	sent := wire.ReadObject(body)
	for _, op := range h.operations {
		if within(op.CreatedAt) {
			l.compare(c, kind, sent, op)
		}
	}
	for _, item := range h.unreadable {
		if within(item.CreatedAt) {
			l.unreadable = item
		}
	}
	return l, broken // what was read until then are candidates
}

func (l *lookBack) cannotTell(err error) *CannotTellError {
	e := &CannotTellError{IdempotencyKey: l.key, Candidates: slices.Concat(l.found, l.maybe), Err: err}
	if len(e.Candidates) == 0 && err == nil {
		e.RetryAt = l.retryAt
	}
	return e
}

// outlivedItsKey reports whether something that may be the call's is so old that the API
// may have forgotten its key. What is younger is harmless: if it is the call's, the key
// brings it back.
func (l *lookBack) outlivedItsKey() bool {
	old := func(at time.Time) bool { return at.IsZero() || l.date.Sub(at) > IntentHorizon }
	if l.unreadable != nil && old(l.unreadable.CreatedAt) {
		return true
	}
	return slices.ContainsFunc(slices.Concat(l.found, l.maybe), func(op *Operation) bool { return old(op.CreatedAt) })
}

// compare sorts an operation: it is the call's, may be, or is another's.
func (l *lookBack) compare(c *Client, kind OperationType, sent map[string]any, op *Operation) {
	switch op.Type {
	case kind:
	case OperationPayout, OperationPaymentRequest, OperationRefund:
		return // a server that does not know the filter
	}
	// The result says some of it again, for a list that leaves payloads out.
	verdict := match.Compare(match.Kind(kind), sent, wire.ReadObject(op.Payload), op.resultObject())
	elsewhere := op.Environment != "" && op.Environment != c.environment
	switch {
	case verdict == match.Differs:
	case verdict == match.Same && !elsewhere && op.ID != "":
		l.found = append(l.found, op)
	default:
		l.maybe = append(l.maybe, op)
	}
}

// LookBack shares what Resume reads of the list of operations among many intents, which
// would read it once each otherwise: give it to each Resume with [WithLookBack]. It is
// for one run over saved intents: keep it no longer, since it keeps the operations of
// several days. The zero value is ready, for one client. It is safe for concurrent use.
type LookBack struct {
	mu      sync.Mutex
	client  *Client
	known   map[OperationType]*history
	reading chan struct{} // closed when the read that is under way ends
}

// WithLookBack lets a Resume use what others have read of the list of operations, and
// adds what it reads. Other calls read no such list, and leave this option aside.
func WithLookBack(l *LookBack) CallOption {
	return callOption(func(cfg *callConfig) {
		cfg.invalid.check(l != nil, "WithLookBack", "WithLookBack is nil: give the address of an intram.LookBack")
		cfg.lookBack = l
	})
}

// history is what the list of operations told of a time.
type history struct {
	from, until time.Time
	// date is when it was read, by the server's clock: for all of its pages at the
	// earliest.
	date       time.Time
	operations []*Operation
	unreadable []*ItemError
}

// history reads the list, or brings back what was read of it. What is shared goes back a
// day further, for the intents that come after, and up to the newest.
func (l *LookBack) history(ctx context.Context, c *Client, kind OperationType, from, until, provenFrom time.Time, maxAttempts int) (*history, error) {
	if l == nil {
		return readHistory(ctx, c, kind, from, until, maxAttempts)
	}
	for {
		l.mu.Lock()
		if l.client != c {
			l.client, l.known = c, map[OperationType]*history{}
		}
		h, reading := l.known[kind], l.reading
		known := h != nil && !from.Before(h.from) && (!h.date.Before(provenFrom) || wallTime(c.clock).Before(provenFrom))
		if !known && reading == nil {
			l.reading = make(chan struct{})
		}
		l.mu.Unlock()
		switch {
		case known:
			return h, nil
		case reading == nil:
			return l.fill(ctx, c, kind, from.Add(-keyLifetime), maxAttempts)
		}
		select {
		case <-reading:
		case <-ctx.Done():
			return new(history), context.Cause(ctx)
		}
	}
}

// fill reads the list for all that wait.
func (l *LookBack) fill(ctx context.Context, c *Client, kind OperationType, from time.Time, maxAttempts int) (*history, error) {
	h, err := readHistory(ctx, c, kind, from, time.Time{}, maxAttempts)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.client == c {
		l.known[kind] = h
	}
	close(l.reading)
	l.reading = nil
	return h, err
}

// readHistory reads everything that the list has of a time. The error is why it could not
// be read to its end, and comes with what was read until then.
//
// The end of the list is not taken from its cursor alone: what lies before the oldest
// item is asked for once more, so that a list that ends early is noticed.
func readHistory(ctx context.Context, c *Client, kind OperationType, from, until time.Time, maxAttempts int) (*history, error) {
	h := &history{from: from, until: until}
	seen := map[string]bool{}
	q := listQuery{limit: maxPageLimit, typ: string(kind), before: until}
	for empty := 0; ; {
		page, err := h.page(ctx, c, q, maxAttempts)
		if err != nil {
			return h, err
		}
		fresh := 0
		var newest, oldest time.Time
		for op, unreadable := range inOrder[Operation](page) {
			id, at := identityOf[Operation](op, unreadable)
			if !at.IsZero() {
				if newest.IsZero() || at.After(newest) {
					newest = at
				}
				if oldest.IsZero() || at.Before(oldest) {
					oldest = at
				}
			}
			switch {
			case seen[id]:
				continue
			case unreadable != nil:
				h.unreadable = append(h.unreadable, unreadable)
			default:
				h.operations = append(h.operations, op)
			}
			seen[id] = true
			fresh++
		}
		next := page.NextBefore.Truncate(time.Millisecond)
		if page.HasMore() && fresh > 0 && next.Before(oldest) {
			next = oldest // the cursor leaves out what lies between
		}
		switch {
		case !newest.IsZero() && newest.Before(from) && (!page.HasMore() || next.Before(from)):
			return h, nil
		case page.HasMore() && next.Before(from):
			return h, nil
		case !page.HasMore() && fresh == 0 && !page.full(q.limit):
			return h, nil
		case !page.HasMore() && oldest.IsZero():
			return h, redact.Sentinel("its items have no dates, so its end is not certain")
		case !page.HasMore():
			next = oldest
		}
		if fresh > 0 {
			empty = 0
		} else if empty++; empty > maxEmptyPages {
			return h, ErrEndlessList
		}
		before := next.Add(time.Millisecond) // what shares the cursor's millisecond comes again
		if fresh == 0 && !q.before.IsZero() && !before.Before(q.before) {
			if before = next; page.full(q.limit) || !before.Before(q.before) {
				return h, ErrPageOverflow
			}
		}
		q.before = before
	}
}

// page reads one page. What a cache kept is a list of the past, and proves nothing.
func (h *history) page(ctx context.Context, c *Client, q listQuery, maxAttempts int) (*Page[Operation], error) {
	var resp Response
	opts := []CallOption{WithResponseInto(&resp)}
	if maxAttempts > 0 {
		opts = append(opts, WithMaxAttempts(maxAttempts))
	}
	page, err := listPage[Operation, operationWire](ctx, c, "/operations", q, opts)
	if err != nil {
		return nil, err
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	switch {
	case !page.confirmed:
		return nil, redact.Sentinel("the response does not say error: false, so it may not be the API's")
	case resp.Header.Get("Age") != "":
		return nil, redact.Sentinel("it comes from a cache")
	case err != nil:
		return nil, redact.Sentinel("the response has no Date, so the server's time is not known")
	case h.date.IsZero() || at.Before(h.date):
		h.date = at
	}
	return page, nil
}

// raw is the result as it came.
func (r *PayoutResult) raw() RawMessage         { return r.Raw }
func (r *PaymentRequestResult) raw() RawMessage { return r.Raw }
func (r *RefundResult) raw() RawMessage         { return r.Raw }
func (r *UnknownResult) raw() RawMessage        { return r.Raw }
