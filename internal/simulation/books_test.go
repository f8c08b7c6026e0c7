package simulation_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// backOffice settles bank payouts, some hours after they were queued; some come back.
func (w *world) backOffice() {
	seen := map[string]bool{}
	for w.now() < troubleFor-5*time.Hour && w.sleep(w.ctx, 3*time.Hour) {
		for _, e := range w.server.Events() {
			if e.Type != intram.EventPayoutQueued || seen[e.OperationID] || !strings.Contains(string(e.Body), "bank_account") {
				continue
			}
			seen[e.OperationID] = true
			at := w.settlementOf(e.OperationID)
			if w.daysLater(textOf(e.Body, "reference"), at) {
				continue
			}
			w.do(func() {
				if w.sleep(w.ctx, at.of("settled in").between(time.Minute, 3*time.Hour)) {
					w.settle(e.OperationID, at)
				}
			})
		}
	}
}

// settlementOf returns the chance of a bank payout, by the merchant's reference.
func (w *world) settlementOf(operation string) chance {
	event := intram.Event{Type: intram.EventPayoutQueued, OperationID: operation}
	return w.chance.of("settlement of " + w.eventOf(event.InboxKey()))
}

func (w *world) settle(operation string, at chance) {
	if at.of("returned").percent(25) {
		w.tally.saw("settlement: returned by the bank")
		err := w.server.Fail(operation, intram.CodeProviderRejected)
		w.require(err == nil, operation, "not returned: %v", err)
		return
	}
	w.tally.saw("settlement: completed")
	err := w.server.Complete(operation)
	w.require(err == nil, operation, "not settled: %v", err)
}

// daysLater reports whether a bank takes longer for a payout than an inbox remembers, as
// it does in some seeds. A merchant whose clock refuses every delivery is left out: its
// events come from the reconciler alone, which looks back no further than the inbox.
func (w *world) daysLater(reference string, at chance) bool {
	return w.chance.of("days later").percent(15) && at.of("days later").percent(50) && w.merchantOf(reference).hoursOff == 0
}

// settleDaysLater lets days pass before the last settlements, and their events arrive.
func (w *world) settleDaysLater(ctx context.Context) {
	if !w.chance.of("days later").percent(15) {
		return
	}
	for _, m := range w.merchants {
		m.reconcileAll(ctx) // while the inbox remembers the first days
	}
	w.sleep(ctx, w.chance.of("days").between(inboxRemembers, 8*24*time.Hour))
	w.settleAll(ctx, true)
	w.sleep(ctx, deliveriesEnd)
}

// settleAll ends what would stay open without it: stuck operations and settlements that
// were never made.
func (w *world) settleAll(ctx context.Context, late bool) {
	for _, m := range w.merchants {
		for _, op := range m.operations(ctx) {
			result, ok := op.Result.(*intram.PayoutResult)
			switch {
			case !op.Status.Finished():
				err := w.server.Complete(op.ID)
				w.require(err == nil, m.name, "not ended: %v", err)
				if strings.Contains(string(op.Payload), "bank_account") {
					w.settle(op.ID, w.settlementOf(op.ID))
				}
			case ok && result.Status == intram.PayoutQueuedForSettlement:
				at := w.settlementOf(op.ID)
				if w.daysLater(result.Reference, at) {
					if !late {
						continue
					}
					w.tally.saw(settledDaysLater)
				}
				w.settle(op.ID, at)
			}
		}
	}
}

// operations returns the merchant's operations, as an auditor sees them: with a client of
// its own, on a network that works.
func (m *merchant) operations(ctx context.Context) []*intram.Operation {
	client, err := intram.NewClient(m.publicKey, m.secretKey, intram.WithBaseURL(m.w.server.URL),
		intram.WithHTTPClient(&http.Client{Transport: m.w.server.Transport()}), intram.WithClock(m.w.clock))
	m.w.require(err == nil, m.name, "no auditor: %v", err)
	var all []*intram.Operation
	for op, err := range client.Operations.All(ctx, intram.OperationListParams{Limit: 7}) {
		if err != nil {
			m.w.violate(m.name, "the auditor sees nothing: %v", err)
			break
		}
		all = append(all, op)
	}
	return all
}

// check compares what the merchants believe with the books of the fake, when all is over.
func (w *world) check(ctx context.Context) {
	books := newBooks(w)
	operations := 0
	for _, m := range w.merchants {
		all := m.operations(ctx)
		operations += len(all)
		m.check(all, books)
	}
	w.require(len(books.debits) <= operations, "world", "%d operations moved money, and %d are listed", len(books.debits), operations)
	w.checkJournal()
	for _, d := range w.server.Deliveries() {
		w.require(d.Status != intramtest.DeliveryPending, "world", "delivery %s is still pending", d.ID)
		if d.Status == intramtest.DeliveryExhausted {
			w.tally.saw("event: delivery exhausted")
		}
	}
}

// books are the ledger, by operation.
type books struct {
	debits, returns map[string]int64 // out of the wallet, and back into it
	debited         map[string]int   // how often
}

func newBooks(w *world) books {
	b := books{debits: map[string]int64{}, returns: map[string]int64{}, debited: map[string]int{}}
	postings := map[int]int64{}
	ledger := w.server.Ledger()
	for _, e := range ledger.Entries {
		postings[e.Posting] += e.Amount
		switch {
		case e.OperationID == "" || !strings.HasPrefix(e.Account, "wallet:"):
		case e.Amount < 0:
			b.debits[e.OperationID] -= e.Amount
			b.debited[e.OperationID]++
		default:
			b.returns[e.OperationID] += e.Amount
		}
	}
	w.require(ledger.Sum() == 0, "world", "the ledger sums to %d", ledger.Sum())
	for n, sum := range postings {
		w.require(sum == 0, "world", "posting %d sums to %d", n, sum)
	}
	return b
}

// check verifies what the whole run is for.
func (m *merchant) check(all []*intram.Operation, b books) {
	w := m.w
	byReference := map[string][]*intram.Operation{}
	for _, op := range all {
		reference := referenceOf(op.Payload)
		byReference[reference] = append(byReference[reference], op)
	}
	var spent int64
	for _, o := range m.db.orders {
		moved := 0
		for _, rec := range o.intents {
			ops := byReference[rec.reference]
			delete(byReference, rec.reference)
			moved += m.checkIntent(rec, ops, b)
			for _, op := range ops {
				spent += b.debits[op.ID] - b.returns[op.ID]
			}
		}
		w.require(moved <= 1, o.name, "was paid %d times", moved)
		w.require(o.closed, o.name, "was never brought to an end")
		w.require(!o.invalid || moved == 0, o.name, "was paid, and could not be")
	}
	for reference, ops := range byReference {
		w.violate(m.name, "%d operations of %q, which nobody meant", len(ops), reference)
	}
	w.require(spent >= 0, m.name, "the wallet has gained %d", -spent)
	m.checkEvents(all)
}

// checkIntent returns how many of the intent's operations moved money in the end.
func (m *merchant) checkIntent(rec *intentRecord, ops []*intram.Operation, b books) (moved int) {
	w, o := m.w, rec.o
	w.require(len(ops) <= 1, rec.reference, "was executed %d times", len(ops))
	switch rec.state {
	case accepted:
		w.require(len(ops) == 1 && ops[0].ID == rec.operation, rec.reference, "was accepted as %s, and there are %d operations", rec.operation, len(ops))
	case refused:
		w.require(len(ops) == 0, rec.reference, "was rejected or not sent, and executed")
	case absent:
		w.require(len(ops) == 0, rec.reference, "was not in the list, and executed")
	case open:
		w.violate(rec.reference, "is still open")
	}
	for _, id := range rec.wereTold() {
		w.require(len(ops) == 1 && ops[0].ID == id, rec.reference, "a second process was told of %s, and there are %d operations", id, len(ops))
	}
	for _, op := range ops {
		debits, returns := b.debits[op.ID], b.returns[op.ID]
		w.require(b.debited[op.ID] <= 1, rec.reference, "was debited %d times", b.debited[op.ID])
		result, _ := op.Result.(*intram.PayoutResult)
		paid := op.Status == intram.OperationSucceeded && result != nil && result.Status == intram.PayoutCompleted
		if paid {
			moved++
			w.tally.saw("order: paid")
			w.require(debits == o.amount && returns == 0, rec.reference, "is paid, and %d left the wallet and %d came back", debits, returns)
		} else {
			w.tally.saw("order: payout failed")
			w.require(op.Status.Finished(), rec.reference, "has never ended: %s", op.Status)
			w.require(debits == returns, rec.reference, "has failed, and %d left the wallet and %d came back", debits, returns)
		}
		m.checkProgress(rec, op, paid)
	}
	return moved
}

// checkProgress compares how far the merchant believes the payout to be.
func (m *merchant) checkProgress(rec *intentRecord, op *intram.Operation, paid bool) {
	want := intram.EventPayoutFailed
	if paid {
		want = intram.EventPayoutCompleted
	}
	m.w.require(m.db.progress[op.ID].Event == want, rec.reference, "ended with %s, and the merchant believes %q", want, m.db.progress[op.ID].Event)
}

// checkEvents checks that every event that happened took effect once, and nothing else
// did. Of events whose state the API no longer shows (a payout.queued of a mobile payout,
// sent out of order) no client can find out when their delivery was given up.
func (m *merchant) checkEvents(all []*intram.Operation) {
	w := m.w
	mine := map[string]*intram.Operation{}
	for _, op := range all {
		mine[op.ID] = op
	}
	delivered := map[string]bool{}
	for _, d := range w.server.Deliveries() {
		if d.Status == intramtest.DeliveryDelivered {
			delivered[string(d.Event)+" "+d.OperationID] = true
		}
	}
	expected := map[string]bool{}
	for _, e := range w.server.Events() {
		op := mine[e.OperationID]
		if op == nil {
			continue
		}
		event := intram.Event{Type: e.Type, OperationID: e.OperationID, Raw: e.Body, Scope: m.scope()}
		key, name := event.InboxKey(), referenceOf(op.Payload)+" "+string(e.Type)
		expected[key] = true
		passing := e.Type == intram.EventPayoutQueued && !strings.Contains(string(op.Payload), "bank_account")
		if n := m.db.effects[key]; !passing || delivered[string(e.Type)+" "+e.OperationID] {
			w.require(n == 1, name, "took effect %d times", n)
		}
	}
	for key, n := range m.db.effects {
		w.require(expected[key], m.name, "an event that never happened took effect %d times: %s", n, key)
	}
}

// checkJournal: the fake refused no signature but for its age, and no key was used for
// two things.
func (w *world) checkJournal() {
	for _, r := range w.server.Requests() {
		w.require(r.Reason == "" || r.Reason == "timestamp_out_of_window", "world", "%s", r)
		w.require(r.Code != intram.CodeIdempotencyConflict && r.Code != intram.CodeValidationError, "world", "%s", fmt.Sprint(r))
	}
}
