package intram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

const (
	// keyLifetime is how long the API keeps an idempotency key (Merchant API docs, Idempotency).
	// No call with an intent is made that long after it, by the clock of the machine that calls.
	keyLifetime = 24 * time.Hour
	// lookBackSlack is how far the clock that dated an intent may have been from the server's. A
	// signature is dated by a clock that is corrected by less than the lifetime of a key, so what a
	// clock further off dated was never accepted.
	lookBackSlack = 25 * time.Hour
)

// ErrNeverSent is behind the [*Error] of a Resume that has proved that no operation came of the
// intent: the list of operations was read through the whole time in which it could have been
// executed, and everything in it is something else. The outcome is [OutcomeNotSent], and a new intent
// with a new key is safe.
var ErrNeverSent = redact.Sentinel("intram: no operation came of the intent, and its key has expired: a new intent is safe")

// ErrCannotTell is behind the [*CannotTellError] of a Resume that could not find out whether the intent
// was executed. The money may have moved. Do not make a new intent before a person has looked at the
// candidates.
var ErrCannotTell = redact.Sentinel("intram: cannot tell whether the intent was executed")

// CannotTellError is a Resume that could not find out whether its intent was executed. Its outcome
// is [OutcomeUnknown], and errors.Is(err, [ErrCannotTell]) holds.
type CannotTellError struct {
	// IdempotencyKey is the intent's.
	IdempotencyKey string
	// Candidates are the operations that may be the intent's: several that match, one that matches in
	// all but what identifies it, or one that cannot be compared since its payload does not say enough.
	Candidates []*Operation
	// RetryAt is set when nothing was found but it is too early to conclude from that: a last call may
	// have been accepted so lately that the list does not show it yet. Resume again at that time.
	RetryAt time.Time
	// Err is why the list could not be read to its end, nil if it was.
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
		why = append(why, fmt.Sprintf("%d operations may have come of it (%s): compare them with your records", n, strings.Join(ids, ", ")))
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

// Resume finishes a payout whose intent was saved, after a crash, an outage of any length, or an error
// that left it in doubt. While the key is good it sends the payout, as [PayoutsService.Create] does with
// [WithIntent]: what was executed is not executed twice. Afterwards it sends nothing, and looks for the
// payout in the list of operations instead.
//
// A payout is found by its Reference, with its amount and its destination: give each payout a reference
// that is never reused. Without one, a payout of the same amount to the same account is a candidate, and
// never taken for this one.
//
// Errors, after [IntentHorizon]: [ErrNeverSent] when the list proves that nothing was executed, so that
// a new intent is safe; a [*CannotTellError] when it proves nothing. "Not found" is a proof only if the
// list was read through all the time in which the payout could have been made, by the server's clock and
// with a day to spare, if everything in it could be compared, and if the intent is 24 hours old by both
// clocks. Before that: those of Create with an intent.
//
// Endpoints: POST /payouts, GET /operations. Docs: Merchant API, Idempotency.
func (s *PayoutsService) Resume(ctx context.Context, params PayoutParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationPayout, intent, opts)
}

// Resume finishes a refund whose intent was saved: see [PayoutsService.Resume]. A refund has no reference
// of its own. It is found by its transaction and amount, and by Metadata that no other refund of that
// transaction has; without Metadata, a refund that matches is a candidate of a [*CannotTellError].
//
// Endpoints: POST /refunds, GET /operations. Errors: those of [PayoutsService.Resume].
// Docs: Merchant API, Idempotency.
func (s *RefundsService) Resume(ctx context.Context, params RefundParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationRefund, intent, opts)
}

// Resume finishes a payment request whose intent was saved: see [PayoutsService.Resume]. A payment request
// has no reference of its own. It is found by its invoice, and by WebhookData that no other request
// has; without WebhookData, a request that matches is a candidate of a [*CannotTellError].
//
// Endpoints: POST /payment-requests, GET /operations. Errors: those of [PayoutsService.Resume].
// Docs: Merchant API, Idempotency.
func (s *PaymentRequestsService) Resume(ctx context.Context, params PaymentRequestParams, intent *Intent, opts ...CallOption) (*Operation, error) {
	return s.client.resume(ctx, params.request(), OperationPaymentRequest, intent, opts)
}

// resume sends a call while its key is good, and looks for its operation afterwards.
func (c *Client) resume(ctx context.Context, r request, typ OperationType, intent *Intent, opts []CallOption) (*Operation, error) {
	opts = append(slices.Clone(opts), WithIntent(intent))
	op, err := doModel[Operation, operationWire](ctx, c, r, opts)
	if !errors.Is(err, ErrIntentExpired) {
		return op, err
	}
	cfg := newCallConfig(opts)
	if err := c.merchant.chooseKey(cfg); err != nil {
		return nil, err
	}
	body, err := json.Marshal(r.params) // as it was a moment ago, when its hash was compared
	if err != nil {
		return nil, err
	}
	l := lookBack{
		client: c, kind: typ, maxAttempts: cfg.maxAttempts,
		from:       cfg.firstSentAt.Add(-lookBackSlack),
		until:      intent.FirstSentAt.Add(keyLifetime + lookBackSlack),
		provenFrom: intent.FirstSentAt.Add(keyLifetime + time.Second - 1).Truncate(time.Second), // Date has whole seconds
	}
	l.sent = readObject(body)
	broken := l.read(ctx)
	if broken == nil && l.unreadable != nil && len(l.found) == 0 {
		broken = l.unreadable
	}
	switch {
	case broken == nil && len(l.found) == 1:
		return l.found[0], nil
	case broken == nil && len(l.found)+len(l.maybe) == 0 && l.retryAt.IsZero():
		c.merchant.doubts.settle(cfg.idempotencyKey)
		return nil, &Error{
			Method: r.method, Path: r.template, Outcome: OutcomeNotSent,
			IdempotencyKey: cfg.idempotencyKey, Reference: r.reference, cause: ErrNeverSent,
		}
	}
	e := &CannotTellError{IdempotencyKey: cfg.idempotencyKey, Candidates: slices.Concat(l.found, l.maybe), Err: broken}
	if len(e.Candidates) == 0 {
		e.RetryAt = l.retryAt
	}
	return nil, e
}

// lookBack looks for the operation of one call in the list of operations.
type lookBack struct {
	client      *Client
	kind        OperationType
	sent        map[string]any // the call's body
	maxAttempts int
	// from and until bound when the operation can have been made, by the server's clock.
	from, until time.Time
	// provenFrom is when a list without the operation proves that there is none.
	provenFrom time.Time

	found, maybe []*Operation
	unreadable   *ItemError // an item of the window that may be the call's
	retryAt      time.Time
}

// read compares everything in the list that the window has. The error is why it could not be read to its end.
//
// The end of the list is not taken from its cursor alone: what lies before the oldest item is asked for
// once more, so that a list that ends early is noticed.
func (l *lookBack) read(ctx context.Context) error {
	seen := map[string]bool{}
	q := listQuery{limit: maxPageLimit, typ: string(l.kind), before: l.until}
	for empty := 0; ; {
		page, err := l.page(ctx, q)
		if err != nil {
			return err
		}
		fresh := 0
		var newest, oldest time.Time
		for i := range page.Items {
			op := &page.Items[i]
			if at := op.CreatedAt; !at.IsZero() {
				if newest.IsZero() || at.After(newest) {
					newest = at
				}
				if oldest.IsZero() || at.Before(oldest) {
					oldest = at
				}
			}
			if id := op.identity(); !seen[id] {
				seen[id] = true
				fresh++
				l.compare(op)
			}
		}
		for _, item := range page.Unreadable {
			if item.CreatedAt.IsZero() || !item.CreatedAt.Before(l.from) {
				l.unreadable = item
			}
		}
		next := page.NextBefore.Truncate(time.Millisecond)
		switch {
		case !newest.IsZero() && newest.Before(l.from):
			return nil
		case page.HasMore() && next.Before(l.from):
			return nil
		case !page.HasMore() && fresh == 0 && !page.full(q.limit):
			return nil
		case !page.HasMore() && oldest.IsZero():
			return redact.Sentinel("its items have no dates, so its end is not certain")
		case !page.HasMore():
			next = oldest
		}
		if fresh > 0 {
			empty = 0
		} else if empty++; empty > maxEmptyPages {
			return redact.Sentinel(fmt.Sprintf("%d pages in a row bring nothing new", empty))
		}
		before := next.Add(time.Millisecond) // what shares the cursor's millisecond comes again
		if fresh == 0 && !before.Before(q.before) {
			if before = next; page.full(q.limit) || !before.Before(q.before) {
				return ErrPageOverflow
			}
		}
		q.before = before
	}
}

// page reads one page, and notes until when it proves nothing. What a cache kept is a list of the past.
func (l *lookBack) page(ctx context.Context, q listQuery) (*Page[Operation], error) {
	var resp Response
	opts := []CallOption{WithResponseInto(&resp)}
	if l.maxAttempts > 0 {
		opts = append(opts, WithMaxAttempts(l.maxAttempts))
	}
	page, err := listPage[Operation, operationWire](ctx, l.client, "/operations", q, opts)
	if err != nil {
		return nil, err
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	switch {
	case resp.Header.Get("Age") != "":
		return nil, redact.Sentinel("it comes from a cache")
	case err != nil:
		return nil, redact.Sentinel("the response has no Date, so the server's time is not known")
	case at.Before(l.provenFrom), wallTime(l.client.clock).Before(l.provenFrom):
		l.retryAt = l.provenFrom
	}
	return page, nil
}

// compare sorts an operation: it is the call's, may be, or is another's.
func (l *lookBack) compare(op *Operation) {
	if at := op.CreatedAt; !at.IsZero() && at.Before(l.from) {
		return
	}
	switch op.Type {
	case l.kind:
	case OperationPayout, OperationPaymentRequest, OperationRefund:
		return // a server that does not know the filter
	}
	// The result says some of it again, for a list that leaves payloads out.
	var result map[string]any
	if r, ok := op.Result.(interface{ raw() RawMessage }); ok {
		result = readObject(r.raw())
	}
	verdict := match(l.kind, l.sent, readObject(op.Payload), result)
	elsewhere := op.Environment != "" && op.Environment != l.client.environment
	switch {
	case verdict == differs:
	case verdict == same && !elsewhere && op.ID != "":
		l.found = append(l.found, op)
	default:
		l.maybe = append(l.maybe, op)
	}
}

// sameness is what a comparison came to.
type sameness int

const (
	unknown sameness = iota // not told, or told in another form: it may be the same
	same
	differs
)

// matchRules name what tells one call from another, with how each field is compared. Only what no
// server has a reason to write otherwise is a difference.
var matchRules = map[OperationType][]matchRule{
	OperationPayout: {
		{path: "reference", compare: sameText, identifies: true},
		{path: "amount", compare: sameNumber, needed: true},
		{path: "currency", compare: sameText},
		{path: "destination.type", compare: sameText},
		{path: "destination.msisdn", compare: sameAccount},
		{path: "destination.account_number", compare: sameAccount},
		{path: "metadata", compare: sameObject},
	},
	OperationRefund: {
		{path: "transaction_reference", compare: sameTransaction, needed: true},
		{path: "amount", compare: sameNumber, needed: true},
		{path: "metadata", compare: sameObject, identifies: true},
	},
	OperationPaymentRequest: {
		{path: "invoice.amount", compare: sameNumber, needed: true},
		{path: "invoice.currency", compare: sameText},
		{path: "webhook_data", compare: sameObject, identifies: true},
	},
}

type matchRule struct {
	path    string
	compare func(sent, told any) sameness
	// identifies says that equal values name one call; needed, that a call is only identified with it.
	identifies, needed bool
}

// match compares a call's body with what an operation says of itself: its payload, and where that is
// silent, its result. It is the same only if something identifies it.
func match(kind OperationType, sent, payload, result map[string]any) sameness {
	identified, complete, doubtful := false, true, false
	for _, rule := range matchRules[kind] {
		value := at(sent, rule.path)
		if value == nil {
			continue // not said by the caller: the server may have filled it in
		}
		told := at(payload, rule.path)
		if told == nil {
			told = at(result, rule.path)
		}
		s := unknown
		if told != nil {
			s = rule.compare(value, told)
		}
		switch {
		case s == differs && rule.path == "metadata" && identified:
			doubtful = true // the reference is the stronger word
		case s == differs:
			return differs
		case s == same:
			identified = identified || rule.identifies
		case rule.needed:
			complete = false
		}
	}
	if identified && complete && !doubtful {
		return same
	}
	return unknown
}

// at is the value under a path of names, nil when there is none.
func at(object map[string]any, path string) any {
	var value any = object
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// readObject reads a JSON object with its numbers as they are written. It returns nil for anything else.
func readObject(data []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil
	}
	return object
}

// sameText compares words. A difference counts only between words that nothing on the way rewrites:
// normalised accents, escaped signs, trimmed spaces and changed case leave it open.
func sameText(sent, told any) sameness {
	a, b := textOf(sent), textOf(told)
	switch {
	case a == "" || b == "":
		return unknown
	case a == b:
		return same
	case !isPlainWord(a) || !isPlainWord(b) || strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)):
		return unknown
	}
	return differs
}

// textOf is a word, which may be written as a number.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func isPlainWord(s string) bool {
	return allOf(s, func(c byte) bool { return isAlphanumeric(c) || strings.IndexByte(" _-.:,/#", c) >= 0 })
}

// sameNumber compares amounts, as a number or in a string, by their value.
func sameNumber(sent, told any) sameness {
	a, errSent := parseAmount(textOf(sent))
	b, errTold := parseAmount(textOf(told))
	switch {
	case errSent != nil || errTold != nil:
		return unknown
	case a.Equal(b):
		return same
	}
	return differs
}

// sameAccount compares phone and account numbers, which are written with and without spaces, +, country
// codes and the 01 that Benin put in front of its numbers. Their last eight signs stay.
func sameAccount(sent, told any) sameness {
	const enough = 8
	a, b := accountOf(sent), accountOf(told)
	switch {
	case a == "" || b == "" || !allOf(b, isAlphanumeric) || strings.Contains(b, "XX"):
		return unknown // not told, or hidden in part
	case a == b:
		return same
	case len(a) < enough || len(b) < enough || a[len(a)-enough:] == b[len(b)-enough:]:
		return unknown
	}
	return differs
}

func accountOf(value any) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", ".", "", "+", "", "(", "", ")", "").Replace(textOf(value)))
}

// sameTransaction compares the references of payments. One payment has two, of different lengths: the
// public one and an internal id.
func sameTransaction(sent, told any) sameness {
	s := sameText(sent, told)
	if s == differs && len(textOf(sent)) != len(textOf(told)) {
		return unknown
	}
	return s
}

// sameObject compares the caller's own data, of which the server may have added to or rounded some.
func sameObject(sent, told any) sameness {
	a, ok := sent.(map[string]any)
	b, ok2 := told.(map[string]any)
	if !ok || !ok2 || len(a) == 0 {
		return unknown
	}
	result := same
	for name, value := range a {
		switch sameValue(value, b[name]) {
		case differs:
			return differs
		case unknown:
			result = unknown
		}
	}
	return result
}

func sameValue(sent, told any) sameness {
	switch a := sent.(type) {
	case map[string]any:
		if len(a) == 0 {
			break
		}
		return sameObject(a, told)
	case json.Number:
		if sameNumber(a, told) == same {
			return same
		}
		return unknown // a server that counts in floats rounds it
	case string:
		if b, ok := told.(string); ok {
			if a == b {
				return same
			}
			return sameText(a, b)
		}
		return unknown
	}
	if a, err := json.Marshal(sent); err == nil {
		if b, err := json.Marshal(told); err == nil && bytes.Equal(a, b) {
			return same
		}
	}
	return unknown
}

// raw is the result as it came.
func (r *PayoutResult) raw() RawMessage         { return r.Raw }
func (r *PaymentRequestResult) raw() RawMessage { return r.Raw }
func (r *RefundResult) raw() RawMessage         { return r.Raw }
func (r *UnknownResult) raw() RawMessage        { return r.Raw }

// Reference returns the caller's own reference, as the operation's payload says it: that of
// [PayoutParams]. It is empty when the operation has none, or was listed without its payload.
func (o *Operation) Reference() string {
	return textOf(readObject(o.Payload)["reference"])
}

// Metadata returns the caller's own data, as the operation's payload says it: the Metadata of [PayoutParams]
// and [RefundParams], the WebhookData of [PaymentRequestParams]. Numbers are [json.Number], to the last
// digit. It is nil when the operation has none, or was listed without its payload.
func (o *Operation) Metadata() map[string]any {
	name := "metadata"
	if o.Type == OperationPaymentRequest {
		name = "webhook_data"
	}
	own, _ := readObject(o.Payload)[name].(map[string]any)
	return own
}
