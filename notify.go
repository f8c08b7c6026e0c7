package intram

// noticesKept is how many notices are kept of what nobody waits for yet: an event can be faster than the answer to the call that
// caused it.
const noticesKept = 1024

// Notify tells the client's waits of a verified event. Whoever waits for its operation, or for the transaction that it is about, looks it
// up at once instead of when the next look-up is due; with [WithTrustedEvents] an event that says how the operation ended is enough. An event
// of something that nobody waits for yet is kept in mind for a while.
//
// [WithNotify] makes a webhook handler call it. Events that are not verified must not come here. It never blocks and sends nothing itself.
//
// Docs: Merchant API, Webhooks.
func (c *Client) Notify(event *Event) {
	if event == nil {
		return
	}
	if event.OperationID != "" {
		c.operationWaits.notify(event.OperationID, operationOf(event))
	}
	var reference string
	switch data := event.Data.(type) {
	case *PaymentRequestEventData:
		reference = data.TransactionReference
	case *RefundEventData:
		reference = data.TransactionReference
	}
	if reference != "" && event.Type != EventPaymentRequestCreated {
		c.transactionWaits.notify(reference, nil)
	}
}

// operationOf is the operation that ended, as its event tells of it, nil when the event does not say that it ended, or not how.
func operationOf(event *Event) *Operation {
	op := &Operation{ID: event.OperationID, Status: OperationSucceeded, CompletedAt: event.OccurredAt}
	var failure *OperationError
	switch data := event.Data.(type) {
	case *PayoutEventData:
		op.Type, op.Result, failure = OperationPayout, &data.PayoutResult, data.Error
	case *PaymentRequestEventData:
		op.Type, op.Result, failure = OperationPaymentRequest, &data.PaymentRequestResult, data.Error
	case *RefundEventData:
		op.Type, op.Result, failure = OperationRefund, &data.RefundResult, data.Error
	}
	switch event.Type {
	case EventPayoutCompleted, EventPaymentRequestCreated, EventRefundCompleted:
		if op.Result == nil {
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

// notify wakes those who wait for id. The item is the subject as it ended, when that is known.
func (p *poller[T, P]) notify(id string, item *T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watches[id]
	if w == nil || w.news == nil {
		p.notices.keep(id, item)
		return
	}
	now := p.now()
	p.notice(w, item, now)
	p.stir(now)
}

// notice takes in an event about what somebody waits for.
func (p *poller[T, P]) notice(w *watch[T], item *T, now int64) {
	trusted := item != nil
	for one := range w.waiters() {
		trusted = trusted && one.cfg.trustEvents
	}
	if trusted {
		p.end(w, &sight[T]{item: item})
		return
	}
	w.due, w.polls = now, 0
	w.flags |= noticed
}

// notices are the latest events of what nobody waited for.
type notices[T any] struct {
	items map[string]*T
	order []string // a ring, oldest at next
	next  int
}

func (n *notices[T]) keep(id string, item *T) {
	if n.items == nil {
		n.items = map[string]*T{}
	}
	if known, ok := n.items[id]; ok {
		if known == nil {
			n.items[id] = item
		}
		return
	}
	if len(n.order) < noticesKept {
		n.order = append(n.order, id)
	} else {
		delete(n.items, n.order[n.next])
		n.order[n.next] = id
		n.next = (n.next + 1) % noticesKept
	}
	n.items[id] = item
}

// take returns what is known of id, and forgets it.
func (n *notices[T]) take(id string) (item *T, known bool) {
	item, known = n.items[id]
	delete(n.items, id)
	return item, known
}
