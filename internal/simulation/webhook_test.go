package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
)

// The ways a delivery goes wrong.
const (
	deliveryLost       = "webhook: lost on the way"
	deliveryAckLost    = "webhook: handled, and the acknowledgement lost"
	deliveryTwice      = "webhook: delivered twice within a millisecond"
	deliveryLate       = "webhook: late"
	deliveryAgain      = "webhook: a copy within the window"
	deliveryStale      = "webhook: a copy after the window"
	deliveryForged     = "webhook: a forged copy first"
	deliveryWrongKey   = "webhook: a copy signed with another's secret"
	deliveryOtherID    = "webhook: another delivery id"
	deliveryUnanswered = "webhook: handled after the 15 s"
	deliveryDown       = "webhook: nobody listens"
)

var webhookFaults = []string{
	deliveryLost, deliveryAckLost, deliveryTwice, deliveryLate, deliveryAgain, deliveryStale, deliveryForged, deliveryWrongKey,
	deliveryOtherID, deliveryUnanswered, deliveryDown,
}

// receive takes a delivery from the API to the merchant's handler.
func (m *merchant) receive(subscription int, rw http.ResponseWriter, r *http.Request) {
	w := m.w
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	d := m.deliveryOf(r.Header, body.Bytes())
	d.name += strings.Repeat(" again", subscription)
	at := m.chance.of(d.name, m.try("delivery "+d.name))
	fault := ""
	if pick := at.of("fault").below(200); !w.calm.Load() && pick < 8*(len(webhookFaults)-1) {
		fault = webhookFaults[pick/8]
	}
	if fault != "" {
		w.tally.saw(fault)
	}
	w.note(d.name, "delivery", fault)
	w.sleep(r.Context(), at.of("travel").between(time.Millisecond, 200*time.Millisecond))
	if other := m.neighbour(); other != nil && !w.calm.Load() && at.of("neighbour").percent(25) {
		// The neighbour knows what the operation is called, and signs its event with a
		// secret of its own, before it arrives.
		w.tally.saw(foreignEvent)
		header := intram.SignWebhook(other.secrets[0], w.clock.Now(), d.body)
		signed, _ := time.Parse(time.RFC3339Nano, header.Get("X-Intram-Timestamp"))
		other.hand(r.Context(), delivery{name: d.name + " of " + other.name, header: header, body: d.body, signed: signed})
	}
	copyLater := func(d delivery, lo, hi time.Duration) {
		w.do(func() {
			if w.sleep(w.ctx, at.of("copy").between(lo, hi)) {
				m.hand(w.ctx, d)
			}
		})
	}
	switch fault {
	case deliveryLost:
		panic(http.ErrAbortHandler)
	case deliveryLate:
		w.sleep(r.Context(), at.of("late").between(time.Second, 14*time.Second))
	case deliveryUnanswered:
		// The API gives up after 15 s; the copy that hung on the way arrives all the
		// same.
		copyLater(d, 16*time.Second, time.Minute)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case deliveryTwice:
		copyLater(d, time.Nanosecond, time.Millisecond)
	case deliveryAgain:
		copyLater(d, time.Millisecond, 4*time.Minute)
	case deliveryStale:
		copyLater(d, 6*time.Minute, 5*time.Hour)
	case deliveryForged:
		m.hand(r.Context(), d.forged(at))
	case deliveryWrongKey:
		other := d
		other.header = intram.SignWebhook("whsec_of_somebody_else", w.clock.Now(), d.body)
		other.forgery = true
		m.hand(r.Context(), other)
	case deliveryOtherID:
		d.header = d.header.Clone()
		d.header.Set("X-Intram-Delivery", fmt.Sprintf("whd_%016x", uint64(at.of("id"))))
	}
	status := m.hand(r.Context(), d)
	if status == 0 {
		w.tally.saw(deliveryDown)
		panic(http.ErrAbortHandler)
	}
	if fault == deliveryAckLost {
		panic(http.ErrAbortHandler)
	}
	rw.WriteHeader(status)
}

// delivery is one that is under way.
type delivery struct {
	name    string // whose, and what
	header  http.Header
	body    []byte
	signed  time.Time
	forgery bool
}

func (m *merchant) deliveryOf(header http.Header, body []byte) delivery {
	event := header.Get("X-Intram-Event")
	m.w.require(json.Valid(body), m.name, "a delivery is not JSON")
	reference := textOf(body, "reference")
	m.named(intram.Event{Type: intram.EventType(event), OperationID: textOf(body, "operation_id"), Raw: body}, reference)
	signed, err := time.Parse(time.RFC3339Nano, header.Get("X-Intram-Timestamp"))
	m.w.require(err == nil, m.name, "a delivery has no timestamp: %v", err)
	return delivery{name: reference + " " + event, header: header, body: body, signed: signed}
}

// forged returns the delivery with something in it changed, under the signature that it
// had.
func (d delivery) forged(at chance) delivery {
	f := delivery{name: d.name, header: d.header.Clone(), body: bytes.Clone(d.body), signed: d.signed, forgery: true}
	switch at.of("forgery").below(5) {
	case 0:
		f.body = bytes.Replace(f.body, []byte(`"amount":`), []byte(`"amount":9`), 1)
	case 1:
		f.body = bytes.Replace(f.body, []byte(`"operation_id":"op_`), []byte(`"operation_id":"op_0`), 1)
	case 2:
		f.header.Set("X-Intram-Timestamp", d.signed.Add(time.Second).UTC().Format("2006-01-02T15:04:05.000Z"))
	case 3:
		f.header.Set("X-Intram-Signature", strings.TrimPrefix(f.header.Get("X-Intram-Signature"), "sha256="))
	default:
		f.header.Set("X-Intram-Signature", "sha256="+strings.Repeat("0", 64))
	}
	return f
}

// hand passes a delivery to the merchant's handler and returns the status, 0 when the
// process is down or dies meanwhile.
func (m *merchant) hand(ctx context.Context, d delivery) int {
	w, p := m.w, m.running()
	if p == nil {
		return 0
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://merchant.example/webhooks", bytes.NewReader(d.body))
	if err != nil {
		w.violate(d.name, "no request: %v", err)
		return 0
	}
	r.Header = d.header.Clone()
	rec := httptest.NewRecorder()
	done := make(chan struct{})
	offset := m.skew()
	age := w.clock.Now().Add(offset).Sub(d.signed)
	w.do(func() {
		defer close(done)
		p.handler.ServeHTTP(rec, r)
	})
	select {
	case <-done:
	case <-p.ctx.Done():
		return 0
	}
	status := rec.Code
	stale := age > 5*time.Minute || age < -5*time.Minute
	switch {
	case d.forgery:
		w.require(status == http.StatusUnauthorized, d.name, "a forgery was answered %d", status)
		w.tally.saw("event: forgery refused")
	case stale:
		w.require(status == http.StatusUnauthorized, d.name, "a delivery %v off was answered %d", age, status)
		w.tally.saw("event: refused as stale")
	default:
		w.require(status == http.StatusOK || status >= 500, d.name, "a good delivery was answered %d", status)
	}
	return status
}

// The ways a merchant's function behaves.
const (
	fateFails     = "function: fails"
	fatePanics    = "function: panics"
	fateSlow      = "function: slow"
	fateOutlives  = "function: outlives its deadline, and then succeeds"
	fateGivesUp   = "function: gives up at its deadline"
	fateOversleep = "function: outlives its lease"
)

var handlerFates = []string{fateFails, fatePanics, fateSlow, fateOutlives, fateGivesUp, fateOversleep}

var (
	errFate      = errors.New("the merchant's function failed")
	errUnmatched = errors.New("the event does not say which payout it is about")
)

// handle is the merchant's handler. Its effect is not idempotent: a second one is a
// second one.
func (p *process) handle(ctx context.Context, e *intram.Event) error {
	m, w := p.m, p.m.w
	name := m.nameOf(e)
	switch data, ok := e.Data.(*intram.PayoutEventData); {
	case ok && data.Reference == "": // made by the reconciler of a list without payloads
		w.tally.saw(withoutData)
		return errUnmatched
	case ok && !m.owns(data.Reference):
		w.tally.saw(foreignIgnored)
		return nil // it did not make that payout
	}
	at := m.chance.of("handle "+name, m.try("handle "+name))
	if p.maybeCrash("crash: as an event arrives", at, 3) {
		<-w.over // the process is dead: this goroutine does nothing more
		return errFate
	}
	fate := ""
	if pick := at.of("fate").below(300); !w.calm.Load() && pick < 15*len(handlerFates) {
		fate = handlerFates[pick/15]
		if fate == fateOversleep && !m.transactional {
			fate = fateSlow // without a transaction, that is what docs/webhooks.md warns of
		}
		w.tally.saw(fate)
		w.note(name, fate, "")
	}
	switch fate {
	case fateFails:
		w.sleep(w.ctx, at.between(0, 5*time.Second))
		return errFate
	case fatePanics:
		panic("the merchant's function panics about " + e.OperationID)
	case fateSlow:
		w.sleep(w.ctx, at.between(time.Millisecond, 9*time.Second))
	case fateOutlives:
		w.sleep(w.ctx, at.between(11*time.Second, 25*time.Second))
	case fateGivesUp:
		<-ctx.Done()
		return ctx.Err()
	case fateOversleep:
		w.sleep(w.ctx, at.between(31*time.Second, 3*time.Minute))
	}
	if p.dead() {
		<-w.over
		return errFate
	}
	if err := m.db.take(ctx, e, name); err != nil {
		return err
	}
	if m.transactional && p.maybeCrash("crash: with an event's effect committed", at, 4) {
		<-w.over
	}
	return nil
}

// nameOf returns the name of an event in the trace.
func (m *merchant) nameOf(e *intram.Event) string {
	if data, ok := e.Data.(*intram.PayoutEventData); ok && data.Reference != "" {
		return data.Reference + " " + string(e.Type)
	}
	return m.name + " " + string(e.Type) + " " + e.OperationID
}

// take makes an event take effect: with the completion of its claim in one transaction,
// where the merchant does that.
func (db *database) take(ctx context.Context, e *intram.Event, name string) error {
	w, key := db.m.w, e.InboxKey()
	claim, ok := intram.ClaimFromContext(ctx)
	w.require(ok && claim.Key == key, name, "the function was called without its claim")
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.m.transactional {
		err := db.m.inbox.store.Complete(context.WithoutCancel(ctx), claim)
		if errors.Is(err, intram.ErrLeaseLost) {
			w.tally.saw("event: lease lost")
			w.note(name, "rolled back", "")
			return err
		}
		w.require(err == nil, name, "not completed: %v", err)
	}
	db.effects[key]++
	w.note(name, "took effect", "")
	w.require(db.effects[key] == 1, name, "took effect %d times", db.effects[key])
	db.checkData(e, name)

	before := db.progress[e.OperationID]
	after, moved := before.Apply(e)
	if !moved {
		w.tally.saw("event: out of order")
	}
	w.require(stageOf(after.Event) >= stageOf(before.Event), name, "went back from %s to %s", before.Event, after.Event)
	w.require(stageOf(after.Event) >= stageOf(e.Type), name, "stays at %s after %s", after.Event, e.Type)
	db.progress[e.OperationID] = after
	return nil
}

// stageOf returns how far a payout is, in the order in which it happens.
func stageOf(event intram.EventType) int {
	switch event {
	case intram.EventPayoutQueued:
		return 1
	case intram.EventPayoutCompleted, intram.EventPayoutFailed:
		return 2
	default:
		return 0
	}
}

// checkData compares an event with the order that it is about.
func (db *database) checkData(e *intram.Event, name string) {
	w := db.m.w
	data, ok := e.Data.(*intram.PayoutEventData)
	if !ok {
		w.violate(name, "has data of type %T", e.Data)
		return
	}
	for _, o := range db.orders {
		if strings.HasPrefix(data.Reference, o.name+"-g") {
			w.require(data.Amount.Equal(intram.NewAmount(o.amount)), name, "is about %s instead of %d", data.Amount, o.amount)
			return
		}
	}
	w.violate(name, "is about nothing that was asked for")
}

// reconcileNowAndThen runs the reconciler every few hours, over the same bad network,
// until that works: the last runs are reconcileAll's.
func (p *process) reconcileNowAndThen() {
	w := p.m.w
	for run := 0; !w.calm.Load(); run++ {
		at := p.m.chance.of("reconcile", p.gen, run)
		if !w.sleep(p.ctx, at.between(8*time.Hour, 20*time.Hour)) {
			return
		}
		if result, err := p.reconcile(at); err == nil {
			w.note(p.m.name, "reconciled", fmt.Sprint(result.Missing, " missing, ", result.Known, " known, ", len(result.Failures), " failed"))
		}
	}
}

func (p *process) reconcile(at chance) (*intram.Reconciliation, error) {
	w := p.m.w
	r, err := intram.NewReconciler(p.client, p.m.inbox, p.handle, p.m.scoped()...)
	if err != nil {
		w.violate(p.m.name, "no reconciler: %v", err)
		return nil, err
	}
	c := p.newCall(p.m.name+" reconciler", at, several)
	// A run can last longer than an inbox remembers. What is older has been found by an
	// earlier reconciliation. 12 h of what it remembers are the reconciler's allowance
	// for clocks.
	since := w.began.Add(-time.Minute)
	if oldest := (merchantClock{p.m}).Now().Add(13*time.Hour - inboxRemembers); oldest.After(since) {
		since = oldest
	}
	result, err := r.Run(c.in(p.ctx), since)
	for range resultOf(result).Missing {
		w.tally.saw("event: found by the reconciler")
	}
	return result, err
}

func resultOf(r *intram.Reconciliation) intram.Reconciliation {
	if r == nil {
		return intram.Reconciliation{}
	}
	return *r
}

// reconcileAll finds what is still missing, at the end.
func (m *merchant) reconcileAll(context.Context) {
	w, p := m.w, m.running()
	runs := 1
	if m.chance.of("reconciles again").percent(25) {
		runs = 2 // which must find nothing
	}
	for run := range runs {
		result, err := p.reconcile(m.chance.of("last", run))
		if err != nil {
			w.violate(m.name, "the last reconciliation failed: %v", err)
			return
		}
		w.require(len(result.Failures) == 0 && result.Busy == 0, m.name, "the last reconciliation has %d failures: %v", len(result.Failures), result.Failures)
		w.require(run == 0 || result.Missing == 0, m.name, "reconciliation %d found %d more", run+1, result.Missing)
	}
}
