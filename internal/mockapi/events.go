package mockapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// eventTypes are the documented events (intram.md section 8). The transfer ones belong to
// the earlier revision: they can be subscribed to, and are only ever triggered by hand.
var eventTypes = []string{
	"payout.completed", "payout.queued", "payout.failed",
	"payment_request.created", "payment_request.paid", "payment_request.pending", "payment_request.failed",
	"refund.completed", "refund.pending", "refund.failed",
	"transfer.completed", "transfer.failed",
	pingEvent,
}

const (
	pingEvent     = "test.ping"
	pingOperation = "op_test"
)

// event is an occurrence that subscribers are told of. Its body is built when it is first
// needed, which is never without a subscriber; what it is built from does not change any
// more.
type event struct {
	account   *account
	kind      string
	operation string
	about     [3]string // the ids it is about: the operation's, the transactions'
	occurred  time.Time
	data      []byte
	made      []byte // the body, once it is made
	// A payout's data is made with the body, from what does not change any more.
	payout  *operation
	status  string
	failure *operationFailure

	suppressed bool // by a test number
	deliveries []string
}

// Event is an event of the log.
type Event struct {
	Type        string
	Environment string
	OperationID string
	OccurredAt  time.Time
	Body        []byte
	// About are the ids it is about: the operation's, the transactions'.
	About [3]string
	// Suppressed is set on an event that a test number keeps from being sent.
	Suppressed bool
	// Deliveries are the ids of its deliveries, one for each subscription that matched.
	Deliveries []string
}

// newEvent makes an event about an operation that happens now.
func (s *Server) newEvent(op *operation, kind string, data []byte) *event {
	e := op.firstEvent
	if op.firstEvent = nil; e == nil {
		e = &event{}
	}
	*e = event{account: op.account, kind: kind, operation: op.id, occurred: s.date(), data: data}
	e.about[0], e.about[1] = op.id, op.reference
	if op.refund != nil {
		e.about[2] = op.refund.reference
	}
	return e
}

// body returns the bytes to send. The caller holds the server's lock.
func (e *event) body() []byte {
	if e.made == nil {
		data := e.data
		if e.payout != nil {
			data = e.payout.payoutData(e.status, e.failure)
		}
		b := make([]byte, 0, len(data)+160)
		b = appendStringField(append(b, '{'), "event", e.kind)
		b = appendStringField(b, "operation_id", e.operation)
		b = appendTimeField(b, "occurred_at", e.occurred)
		e.made = append(appendRawField(b, "data", data), '}')
		e.data, e.payout = nil, nil
	}
	return e.made
}

// emit publishes an event of an operation, as its test number says.
func (s *Server) emit(op *operation, kind string, data []byte) {
	s.publish(s.newEvent(op, kind, data), op.script)
}

// publish logs an event and starts a delivery for each subscription that matches. The
// caller holds the lock.
func (s *Server) publish(e *event, script script) {
	e.suppressed = script.silent
	s.logEvent(e)
	if !e.suppressed {
		for _, sub := range s.state.books[e.account].subscriptions {
			if sub.matches(e.kind) {
				d := s.deliver(sub, e)
				d.repeat = script.twice
			}
		}
	}
	s.notify()
}

func (s *Server) logEvent(e *event) {
	s.touchEvent(e)
	s.state.events = append(s.state.events, e)
	if excess := len(s.state.events) - s.journalSize; excess > 0 {
		s.state.events = slices.Delete(s.state.events, 0, max(excess, s.journalSize/8)) // in blocks, not one by one
	}
}

// Events returns the last events, oldest first.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := make([]Event, len(s.state.events))
	for i, e := range s.state.events {
		events[i] = e.public()
	}
	return events
}

func (e *event) public() Event {
	return Event{
		Type: e.kind, Environment: e.account.environment, About: e.about, OperationID: e.operation, OccurredAt: e.occurred, Body: e.body(),
		Suppressed: e.suppressed, Deliveries: slices.Clone(e.deliveries),
	}
}

// Trigger publishes an event about an existing object by hand, whatever state the object
// is in: about an operation, by its id, about a payment or refund, by its reference, or
// about a payin session, by either of its own. Nothing else changes. An event type the
// fake has no payload for carries the object as GET shows it.
func (s *Server) Trigger(kind, id string) error {
	if !isEventName(kind) {
		return fmt.Errorf("intramtest: Trigger: %q is not the name of an event", kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, err := s.anyPayin(id); err == nil {
		s.publishPayin(s.newPayinEvent(p, kind), payinScript{})
		return nil
	}
	op := s.state.operations[id]
	tx := s.transaction(id)
	if op == nil && tx != nil {
		op = s.state.operations[tx.operation]
	}
	if op == nil {
		return fmt.Errorf("intramtest: Trigger: there is no operation or transaction %q", id)
	}
	data := s.triggeredData(op, kind)
	s.publish(s.newEvent(op, kind, data), script{}) // by hand: the test number has no say
	return nil
}

// TriggerRaw publishes an event with data of the caller's own, to the account of a public
// key: an event of tomorrow, or one with fields the fake does not know.
func (s *Server) TriggerRaw(publicKey, kind, operationID string, data []byte) error {
	a := s.accountOf(publicKey)
	switch {
	case a == nil:
		return errUnknownKey
	case !isEventName(kind):
		return fmt.Errorf("intramtest: TriggerRaw: %q is not the name of an event", kind)
	case !json.Valid(data):
		return errors.New("intramtest: TriggerRaw: the data is not JSON")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data = bytes.Clone(data)
	s.publish(&event{
		account: a, kind: kind, operation: operationID, occurred: s.date(), about: [3]string{operationID},
		data: data,
	}, script{})
	return nil
}

func (s *Server) triggeredData(op *operation, kind string) []byte {
	family, status, _ := strings.Cut(kind, ".")
	var f *operationFailure
	if status == "failed" {
		if f = op.failure; f == nil {
			f = failureOf("provider_error")
		}
	}
	switch tx := s.state.transactions[op.reference]; {
	case family == op.kind && op.kind == kindPayout:
		if status == "queued" {
			status = "queued_for_settlement"
		}
		return op.payoutData(status, f)
	case family == op.kind && op.kind == kindRefund:
		return op.refundData(status, f)
	case family == op.kind && tx != nil && status == "created":
		return s.paymentCreatedData(op, tx)
	case family == op.kind && tx != nil:
		return s.paymentData(tx, status, f)
	case family == op.kind && op.kind == kindPaymentRequest && f != nil:
		return op.payment.failedData(f)
	}
	return op.appendJSON(nil)
}

// isEventPattern: an event, a family such as payout.*, or everything.
func isEventPattern(pattern string) bool {
	if pattern == "*" || pattern == "all" {
		return true
	}
	if family, ok := strings.CutSuffix(pattern, ".*"); ok {
		return slices.ContainsFunc(eventTypes, func(e string) bool { return strings.HasPrefix(e, family+".") })
	}
	return slices.Contains(eventTypes, pattern)
}

// isEventName: two words of lower-case letters and underscores, joined by a dot.
func isEventName(kind string) bool {
	family, name, ok := strings.Cut(kind, ".")
	return ok && isLowerWord(family) && isLowerWord(name)
}

func isLowerWord(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return s != ""
}
