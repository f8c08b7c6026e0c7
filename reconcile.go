package intram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Reconciler finds what webhooks cannot promise. Intram gives a delivery up after 15 hours, a subscription can be missing for a day, and
// a receiver can be down for longer than that. The reconciler lists operations and transactions, makes of each the event that should
// have come, and gives it to the same inbox and the same function as the webhook handler does.
//
// # Why nothing takes effect twice
//
// An event that was made from a list has no signed body to tell it by. But it says that an operation reached a state, and so does the delivery:
// [Event.InboxKey] of both is made of the state and the operation id. Whichever comes first claims the key and takes effect; the other
// one, at the same moment or a week later, finds it busy or done. The function must be the same for both, or at least do the same.
//
// # What it finds
//
//	an operation that is a     and is                         becomes
//	payout                     failed, expired                payout.failed
//	                           completed                      payout.completed
//	                           queued for settlement          payout.queued
//	                           completed, to a bank account   payout.queued, payout.completed
//	                           returned by the bank           payout.queued, payout.failed
//	payment request            succeeded                      payment_request.created
//	                           failed, expired                payment_request.failed
//	refund                     completed, pending, failed     refund.completed, .pending, .failed
//
//	a transaction that is      SUCCESS                        payment_request.paid
//	a payment and              ERROR                          payment_request.failed
//
// What has passed without a trace in the API is not made up: a payment_request.pending, and a refund.pending whose refund has ended since. A
// payment that is REFUNDED gives its refund's events only, since a payment that was cancelled before it was paid
// looks the same. Operations of types that the SDK does not know are left alone.
//
// An event of the reconciler's has no Raw, no DeliveryID and Attempt 0. Its Data is what the API shows: of a failed
// operation what was asked for, and why it failed. OccurredAt is when the operation ended, or for a payment when it began.
type Reconciler struct {
	client *Client
	intake *intake
}

// NewReconciler makes a reconciler. Inbox and function are those of your webhook handler; the options mean the same. The error
// names what is missing.
func NewReconciler(client *Client, inbox Inbox, handle func(context.Context, *Event) error, opts ...HandlerOption) (_ *Reconciler, err error) {
	defer markNotSent(&err)
	in, err := newIntake(inbox, handle, opts)
	if client == nil {
		err = errors.New("the client is nil")
	}
	if err != nil {
		return nil, fmt.Errorf("intram: reconciler: %w", err)
	}
	return &Reconciler{client: client, intake: in}, nil
}

// Reconciliation is what a run found.
type Reconciliation struct {
	// Operations and Transactions are how many were looked at.
	Operations, Transactions int
	// Missing is how many events took effect now: no delivery had brought them.
	Missing int
	// Known is how many had taken effect before.
	Known int
	// Busy is how many a delivery is bringing at this moment.
	Busy int
	// Failures are the events that are still missing. The next run tries them again.
	Failures []ReconciliationFailure
}

// ReconciliationFailure is an event that did not take effect, and why. For an operation or a transaction that cannot be read Err
// is an [*ItemError], and Event has no type and no data: what it should have told is not known.
type ReconciliationFailure struct {
	Event *Event
	Err   error
}

// Run looks at everything that was created since a point in time, oldest first, and makes take effect what has not. A failure of one event
// is noted in the result and does not end the run.
//
// What counts is when an operation was created, not when it ended, so reach far back: since should lie before the creation of
// anything whose event may still be missing. Every hour, for the last two days, is a good habit; every [InboxRetention] or
// longer ago, the inbox may have forgotten, and the event would take effect again, so an earlier since is refused.
//
// Run stops when ctx ends, between two events. Endpoints: GET /operations, GET /transactions. Errors: those of
// [OperationsService.All] and [TransactionsService.All]. Docs: Merchant API, Operations and Transactions.
func (r *Reconciler) Run(ctx context.Context, since time.Time) (*Reconciliation, error) {
	if age := r.client.clock.Now().Sub(since); age > InboxRetention {
		return nil, fmt.Errorf("intram: reconciler: since is %s ago, and an inbox may forget after %s", age.Round(time.Minute), InboxRetention)
	}
	operations, oddOperations, err := listSince(r.client.Operations.All(ctx, OperationListParams{Limit: maxPageLimit}), since)
	if err != nil {
		return nil, err
	}
	transactions, oddTransactions, err := listSince(r.client.Transactions.All(ctx, TransactionListParams{Limit: maxPageLimit}), since)
	if err != nil {
		return nil, err
	}
	result := &Reconciliation{Operations: len(operations), Transactions: len(transactions)}
	for _, unreadable := range slices.Concat(oddOperations, oddTransactions) {
		result.Failures = append(result.Failures, ReconciliationFailure{Event: &Event{OperationID: unreadable.ID}, Err: unreadable})
	}
	payments := make(map[string]*Transaction)
	for _, t := range transactions {
		payments[t.Reference] = t
	}
	for _, op := range operations {
		for _, event := range eventsOf(op, payments) {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("intram: reconciler: %w", whyEnded(ctx))
			}
			result.add(event, r.intake.take(ctx, event))
		}
	}
	r.intake.logger.LogAttrs(ctx, slog.LevelInfo, "webhook events reconciled",
		slog.Int("operations", result.Operations), slog.Int("transactions", result.Transactions),
		slog.Int("missing", result.Missing), slog.Int("known", result.Known),
		slog.Int("busy", result.Busy), slog.Int("failures", len(result.Failures)))
	return result, nil
}

// add counts what became of an event.
func (r *Reconciliation) add(event *Event, o outcome) {
	switch o.verdict {
	case tookEffect:
		r.Missing++
	case tookBefore:
		r.Known++
	case underWay:
		r.Busy++
	case storeDown, failed, outlived, notRecorded, inboxBroken:
		r.Failures = append(r.Failures, ReconciliationFailure{Event: event, Err: o.err})
	}
}

// listSince collects a list that comes newest first, until an item is too old, and turns it around. What cannot be read is told
// beside it.
func listSince[T any, P listItem[T]](all iter.Seq2[P, error], since time.Time) (items []P, unreadable []*ItemError, err error) {
	for item, err := range all {
		var odd *ItemError
		if err != nil && !errors.As(err, &odd) {
			return nil, nil, fmt.Errorf("intram: reconciler: %w", err)
		}
		if _, created := identityOf[T](item, odd); !created.IsZero() && created.Before(since) {
			break
		}
		if odd != nil {
			unreadable = append(unreadable, odd)
			continue
		}
		items = append(items, item)
	}
	slices.Reverse(items)
	return items, unreadable, nil
}

// eventsOf makes the events that should have told of an operation, in their order.
func eventsOf(op *Operation, payments map[string]*Transaction) []*Event {
	switch op.Type {
	case OperationPayout:
		return payoutEvents(op)
	case OperationPaymentRequest:
		return paymentEvents(op, payments)
	case OperationRefund:
		return refundEvents(op)
	default:
		return nil
	}
}

// event makes an event of the operation's. It occurred when the operation ended, as far as the API says.
func (o *Operation) event(typ EventType, data EventData) *Event {
	occurred := o.CompletedAt
	if occurred.IsZero() {
		occurred = o.UpdatedAt
	}
	if occurred.IsZero() {
		occurred = o.CreatedAt
	}
	return &Event{Type: typ, OperationID: o.ID, OccurredAt: occurred, Data: data}
}

// unsuccessful reports whether the operation ended without a result.
func (o *Operation) unsuccessful() bool {
	return o.Status == OperationFailed || o.Status == OperationExpired
}

func payoutEvents(op *Operation) []*Event {
	if op.unsuccessful() {
		data := &PayoutEventData{Error: op.eventError()}
		// A payout's request has the fields of its result. One that cannot be read leaves them empty: the failure is the news.
		_ = json.Unmarshal(op.Payload, &data.PayoutResult)
		data.Status, data.Raw = PayoutFailed, nil
		return []*Event{op.event(EventPayoutFailed, data)}
	}
	result, ok := op.Result.(*PayoutResult)
	if op.Status != OperationSucceeded || !ok {
		return nil
	}
	at := func(typ EventType, status PayoutStatus) *Event {
		data := &PayoutEventData{PayoutResult: *result, Error: op.eventError()}
		data.Status = status
		return op.event(typ, data)
	}
	var events []*Event
	if _, bank := result.Destination.(BankAccount); bank || result.Status == PayoutQueuedForSettlement {
		events = append(events, at(EventPayoutQueued, PayoutQueuedForSettlement))
	}
	switch result.Status {
	case PayoutCompleted:
		events = append(events, op.settled(at(EventPayoutCompleted, PayoutCompleted)))
	case PayoutFailed:
		events = append(events, op.settled(at(EventPayoutFailed, PayoutFailed)))
	case PayoutQueuedForSettlement:
	}
	return events
}

// settled dates the end of a bank payout: the operation completed when it was queued, and changed once more.
func (o *Operation) settled(event *Event) *Event {
	if o.UpdatedAt.After(event.OccurredAt) {
		event.OccurredAt = o.UpdatedAt
	}
	return event
}

func paymentEvents(op *Operation, payments map[string]*Transaction) []*Event {
	if op.unsuccessful() {
		var payload struct {
			Invoice     json.RawMessage `json:"invoice"`
			WebhookData RawMessage      `json:"webhook_data"`
		}
		data := &PaymentRequestEventData{Error: op.eventError()}
		_ = json.Unmarshal(op.Payload, &payload) // as above
		_ = json.Unmarshal(payload.Invoice, &data.PaymentRequestResult)
		data.Status, data.Raw, data.WebhookData = "failed", nil, payload.WebhookData
		return []*Event{op.event(EventPaymentRequestFailed, data)}
	}
	result, ok := op.Result.(*PaymentRequestResult)
	if op.Status != OperationSucceeded || !ok {
		return nil
	}
	events := []*Event{op.event(EventPaymentRequestCreated, &PaymentRequestEventData{PaymentRequestResult: *result})}
	t := payments[result.TransactionReference]
	if t == nil {
		return events
	}
	ended := func(typ EventType, status string) *Event {
		data := &PaymentRequestEventData{PaymentRequestResult: *result, WebhookData: t.WebhookData}
		data.Status, data.Amount, data.Raw = status, t.Amount, t.Raw
		if len(data.WebhookData) == 0 {
			var payload struct {
				WebhookData RawMessage `json:"webhook_data"`
			}
			_ = json.Unmarshal(op.Payload, &payload) // as above
			data.WebhookData = payload.WebhookData
		}
		if t.DeclinedReason != "" {
			data.Error = &OperationError{OperationID: op.ID, Message: t.DeclinedReason}
		}
		return op.event(typ, data)
	}
	switch t.Status {
	case TransactionSuccess:
		events = append(events, ended(EventPaymentRequestPaid, "paid"))
	case TransactionError:
		events = append(events, ended(EventPaymentRequestFailed, "failed"))
	case TransactionPending, TransactionRefunded:
	}
	return events
}

func refundEvents(op *Operation) []*Event {
	var payload struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(op.Payload, &payload) // as above
	data := &RefundEventData{Reason: payload.Reason, Error: op.eventError()}
	if op.unsuccessful() {
		_ = json.Unmarshal(op.Payload, &data.RefundResult) // as above
		data.Status, data.Raw = "failed", nil
		return []*Event{op.event(EventRefundFailed, data)}
	}
	result, ok := op.Result.(*RefundResult)
	if op.Status != OperationSucceeded || !ok {
		return nil
	}
	data.RefundResult = *result
	switch result.Status {
	case RefundCompleted:
		return []*Event{op.event(EventRefundCompleted, data)}
	case RefundPending:
		return []*Event{op.event(EventRefundPending, data)}
	default:
		return nil
	}
}

// eventError is why the operation failed, as an event has it.
func (o *Operation) eventError() *OperationError {
	if o.Error == nil && !o.unsuccessful() {
		return nil
	}
	failure := o.failure()
	failure.Operation = nil
	return failure
}

// String is what is missing and why, without the data.
func (f ReconciliationFailure) String() string {
	return redact.Text(string(f.Event.Type)) + " " + scrubID(f.Event.OperationID) + ": " + redact.Text(f.Err.Error())
}
