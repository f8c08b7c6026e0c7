package intram

import "time"

// noticesKept is how many notices are kept of what nobody waits for yet: an event can be faster than the answer to the call that
// caused it.
const noticesKept = 1024

// Notify tells the client's waits of a verified event. Whoever waits for its operation, or for the transaction that it is about, looks it
// up at once instead of when the next look-up is due; with [WithTrustedEvents] an event that says how the operation ended is enough. An event
// of something that nobody waits for yet is kept in mind for a while.
//
// [WithNotify] makes a webhook handler call it. Events that are not verified must not come here. It never blocks and sends nothing itself.
//
// Notify does not know which scope the client belongs to. An event with a Scope may be another
// merchant's, so it only causes a lookup, with [WithTrustedEvents] too.
//
// Docs: Merchant API, Webhooks.
func (c *Client) Notify(event *Event) {
	c.notify(event, event != nil && event.Scope == "")
}

// notify does the work of [Client.Notify]. The data of an event end a wait only if trusted is
// true: the event was signed with a secret of the client's own merchant.
func (c *Client) notify(event *Event, trusted bool) {
	if event == nil {
		return
	}
	if event.OperationID != "" {
		news := notice[Operation]{event: event.Type, at: event.OccurredAt}
		if trusted {
			news.item = operationOf(event)
		}
		c.operationWaits.notify(event.OperationID, news)
	}
	var reference string
	switch data := event.Data.(type) {
	case *PaymentRequestEventData:
		reference = data.TransactionReference
	case *RefundEventData:
		reference = data.TransactionReference
	}
	if reference != "" && event.Type != EventPaymentRequestCreated {
		c.transactionWaits.notify(reference, notice[Transaction]{event: event.Type, at: event.OccurredAt})
	}
}

// operationOf is the operation that ended, as its event tells of it, nil when the event does not say that it ended, or not how, or not
// what a caller needs of it.
func operationOf(event *Event) *Operation {
	op := &Operation{ID: event.OperationID, Status: OperationSucceeded, CompletedAt: event.OccurredAt}
	var failure *OperationError
	var incomplete bool
	switch data := event.Data.(type) {
	case *PayoutEventData:
		op.Type, op.Result, failure = OperationPayout, &data.PayoutResult, data.Error
	case *PaymentRequestEventData:
		op.Type, op.Result, failure = OperationPaymentRequest, &data.PaymentRequestResult, data.Error
		incomplete = data.GatewayURL == ""
	case *RefundEventData:
		op.Type, op.Result, failure = OperationRefund, &data.RefundResult, data.Error
	}
	switch event.Type {
	case EventPayoutCompleted, EventPaymentRequestCreated, EventRefundCompleted:
		if op.Result == nil || failure != nil || incomplete {
			return nil
		}
		return op
	case EventPayoutFailed, EventRefundFailed:
		if failure == nil {
			return nil
		}
		op.Status, op.Result = OperationFailed, nil
		op.Error = &OperationError{OperationID: op.ID, Code: failure.Code, Message: failure.Message, Details: failure.Details}
		return op
	default:
		return nil
	}
}

// notify wakes those who wait for id.
func (p *poller[T, P]) notify(id string, news notice[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notices.keep(id, news)
	w := p.watches[id]
	if w == nil || w.news == nil {
		return
	}
	now := p.now()
	item, _ := p.notices.take(id)
	p.notice(w, item, now)
	p.stir(now)
}

// notice takes in what events say about what somebody waits for. The item is the subject as it ended, when that is known.
func (p *poller[T, P]) notice(w *watch[T], item *T, now int64) {
	trusted := item != nil
	for one := w.first(); one != nil; one = one.next {
		trusted = trusted && one.cfg.trustEvents
	}
	if trusted {
		p.end(w, &sight[T]{item: item})
		return
	}
	w.due, w.polls = now, 0
	w.flags = w.flags&^searched | noticed
	p.soon(w)
	if w.flags.has(inFlight) {
		w.flags |= stale
	}
}

// notices are what the latest events have said, each of one subject.
type notices[T any] struct {
	items map[string]notice[T]
	order []string // a ring, oldest at next
	next  int
}

// notice is the latest event of one subject.
type notice[T any] struct {
	item  *T // as it ended; nil when the event does not say, or a wait has had it
	event EventType
	at    time.Time
	place int // in the ring
}

// keep takes in an event. Of two, the one that occurred later stands: a bank can return a payout. Of two that occurred together and
// differ, neither says how it ended.
func (n *notices[T]) keep(id string, news notice[T]) {
	known, ok := n.items[id]
	switch {
	case !ok:
	case news.at.Before(known.at), news.at.Equal(known.at) && news.event == known.event:
		return
	case news.at.Equal(known.at):
		news.item = nil
	}
	if n.items == nil {
		n.items = map[string]notice[T]{}
	}
	if len(n.order) < noticesKept {
		n.order = append(n.order, "")
		n.next = len(n.order) - 1
	}
	news.place = n.next
	if oldest := n.order[n.next]; n.items[oldest].place == n.next {
		delete(n.items, oldest)
	}
	n.order[n.next], n.items[id] = id, news
	n.next = (n.next + 1) % noticesKept
}

// take returns what is known of id, for the waits of now: a later one looks for itself, since the end may not have been the last.
func (n *notices[T]) take(id string) (item *T, known bool) {
	latest, known := n.items[id]
	if known {
		item, latest.item = latest.item, nil
		n.items[id] = latest
	}
	return item, known
}
