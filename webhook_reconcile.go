package intram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Reconciler finds what webhooks cannot promise. Intram gives a delivery up after 2½ to
// 15 hours, a subscription can be missing for a day, and a receiver can be down for
// longer than that. The reconciler lists operations and transactions, makes of each the
// event that should have come, and gives it to the same inbox and the same function as
// the webhook handler does.
//
// # Why nothing takes effect twice
//
// An event that was made from a list has no signed body to tell it by. But it says that
// an operation reached a state, and so does the delivery: [Event.InboxKey] of both is
// made of the state and the operation id. Whichever comes first claims the key and takes
// effect; the other one, at the same moment or a week later, finds it busy or done. The
// function must be the same for both, or at least do the same.
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
// What has passed without a trace in the API is not made up: a payment_request.pending,
// and a refund.pending whose refund has ended since. A payment that is REFUNDED gives its
// refund's events only, since a payment that was cancelled before it was paid looks the
// same. Operations of types that the SDK does not know are counted and left alone. What
// cannot be read, a status that is missing or that the SDK does not know among it, is a
// failure, since it may hide an event.
//
// # What ends later
//
// A payment link is paid days after it was made, and a bank settles when it does. What
// has not ended when it is seen, and what has an event that failed, is kept in view and
// looked up by later runs, for 30 days unless [WithReconcileHorizon] says otherwise. An
// inbox that is a [PendingStore] keeps it over restarts; with another one a restart
// forgets it, and the first run sees what was created since its since. An event that may
// have taken effect longer ago than the inbox remembers is a failure with
// [ErrBeyondHorizon], and does not take effect: look yourself.
//
// # Restarts
//
// Use an inbox that outlives the process. A [MemoryInbox] is empty after a restart, so
// that everything that Run finds takes effect again: with one, do not let since lie
// before the start of the process.
//
// An event of the reconciler's has no Raw, no DeliveryID and Attempt 0. Its Data is what
// the API shows: of a failed operation what was asked for, and why it failed. OccurredAt
// is when the operation ended, or for a payment when it began.
type Reconciler struct {
	client  *Client
	intake  *intake
	pending PendingStore
}

// Errors of a [Reconciler], as the Err of a [ReconciliationFailure]. Test for them with
// [errors.Is].
var (
	// ErrCannotReconcile: the operation or its transaction has a state that cannot be
	// read, so that its events are not known.
	ErrCannotReconcile = errors.New("intram: reconciler: the state cannot be read")
	// ErrBeyondHorizon: the event may have taken effect longer ago than the inbox
	// remembers, or the operation has not ended within the reconciler's horizon and is
	// looked up no more. It is reported once.
	ErrBeyondHorizon = errors.New("intram: reconciler: beyond the horizon: look it up and decide yourself")
)

// NewReconciler makes a reconciler. Inbox and function are those of your webhook handler;
// the options mean the same. The error names what is missing.
func NewReconciler(client *Client, inbox Inbox, handle EventHandler, opts ...HandlerOption) (_ *Reconciler, err error) {
	defer markNotSent(&err)
	in, err := newIntake(inbox, handle, opts)
	if client == nil {
		err = errors.New("the client is nil")
	}
	if err != nil {
		return nil, fmt.Errorf("intram: reconciler: %w", within(err))
	}
	if _, forgets := inbox.(*MemoryInbox); forgets {
		in.logger.LogAttrs(context.Background(), slog.LevelWarn,
			"the reconciler has an inbox in memory: what took effect before this process started takes effect again if since lies before it")
	}
	return &Reconciler{client: client, intake: in, pending: pendingStoreOf(inbox)}, nil
}

// Reconciliation is what a run found.
type Reconciliation struct {
	// Operations and Transactions are how many were looked at in the lists, and Pending
	// how many operations are kept in view for the next run. Unknown is how many
	// operations have a type that the SDK does not know.
	Operations, Transactions, Pending, Unknown int
	// Missing is how many events took effect now: no delivery had brought them.
	Missing int
	// Known is how many had taken effect before.
	Known int
	// Busy is how many a delivery is bringing at this moment.
	Busy int
	// Failures are the events that are still missing. The next run tries them again.
	Failures []ReconciliationFailure
}

// ReconciliationFailure is an event that did not take effect, and why. For an operation
// or a transaction that cannot be read Err is an [*ItemError], and Event has no type and
// no data: what it should have told is not known.
type ReconciliationFailure struct {
	Event *Event
	Err   error
}

// Run looks at everything that was created since a point in time, oldest first, and makes
// take effect what has not. A failure of one event is noted in the result and does not
// end the run.
//
// What counts is when an operation was created, not when it ended; what had not ended
// then is kept in view. Every hour, for the last two days, is a good habit.
//
// Run refuses a since that is too far back, because the inbox may have forgotten the
// events, and they would take effect again. The limit is what the inbox remembers
// ([InboxRetention], or its [InboxHorizon]) less 12 hours: 60 hours ago, unless the inbox
// remembers longer. The 12 hours are the largest difference between this machine's clock,
// which since is read from, and the server's, which dates the operations, with which the
// client still sends requests.
//
// Run stops when ctx ends, between two events. With [WithNotify] each event wakes the
// waits of the client. Endpoints: GET /operations, GET /transactions, and up to 500 times
// GET /operations/{id} and GET /transactions/{reference}. Errors: those of
// [OperationsService.All] and [TransactionsService.All], and of the [PendingStore]. Docs:
// Merchant API, Operations and Transactions.
func (r *Reconciler) Run(ctx context.Context, since time.Time) (*Reconciliation, error) {
	now := r.client.clock.Now()
	horizon := horizonOf(r.intake.inbox)
	if age, limit := now.Sub(since), horizon-reconcileSlack; age > limit {
		return nil, fmt.Errorf("intram: reconciler: since is %s ago, and an inbox may forget after %s: the limit is %s, since clocks differ by up to %s",
			age.Round(time.Minute), horizon, limit, reconcileSlack)
	}
	operations, oddOperations, err := listSince(r.client.Operations.All(ctx, OperationListParams{Limit: maxPageLimit}), since)
	if err != nil {
		return nil, err
	}
	transactions, oddTransactions, err := listSince(r.client.Transactions.All(ctx, TransactionListParams{Limit: maxPageLimit}), since)
	if err != nil {
		return nil, err
	}
	kept, err := r.pending.Pending(ctx, r.scope())
	if err != nil {
		return nil, fmt.Errorf("intram: reconciler: what is pending: %w", within(err))
	}
	run := reconcileRun{
		Reconciler: r, now: now, horizon: horizon, payments: make(map[string]*Transaction),
		result: &Reconciliation{Operations: len(operations), Transactions: len(transactions)},
	}
	result := run.result
	for _, t := range transactions {
		run.payments[t.Reference] = t
	}
	err = run.all(ctx, kept, operations, oddOperations)
	for _, unreadable := range slices.Concat(oddOperations, oddTransactions) {
		run.fail(unreadable.ID, unreadable)
	}
	// What was found out is kept, however the run ended.
	result.Pending += len(run.keep)
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if keepErr := r.pending.KeepPending(keeping, r.scope(), run.keep, run.ended); keepErr != nil && err == nil {
		err = fmt.Errorf("intram: reconciler: what is pending: %w", within(keepErr))
	}
	if err != nil {
		return nil, err
	}
	r.intake.logger.LogAttrs(ctx, slog.LevelInfo, "webhook events reconciled",
		slog.Int("operations", result.Operations), slog.Int("transactions", result.Transactions),
		slog.Int("missing", result.Missing), slog.Int("known", result.Known),
		slog.Int("busy", result.Busy), slog.Int("pending", result.Pending), slog.Int("failures", len(result.Failures)))
	return result, nil
}

// scope is whose pending operations these are. Sandbox and live never share theirs.
func (r *Reconciler) scope() string {
	return string(r.client.Environment()) + "/" + r.intake.scope
}

// reconcileSlack is how much earlier than its inbox the reconciler takes an event for
// forgotten. It is the largest difference between this machine's clock and the server's
// that the client corrects (maxSkew of the transport): with a larger one nothing can be
// listed.
const reconcileSlack = 12 * time.Hour

// keepTimeout is how long the inbox may take to keep what is pending.
const keepTimeout = 30 * time.Second

// reconcileRun is one run.
type reconcileRun struct {
	*Reconciler
	now      time.Time // before the lists were read
	horizon  time.Duration
	payments map[string]*Transaction
	result   *Reconciliation
	keep     []PendingOperation
	ended    []string
}

func (r *reconcileRun) fail(operationID string, err error) {
	r.result.Failures = append(r.result.Failures, ReconciliationFailure{Event: &Event{OperationID: operationID}, Err: err})
}

// all takes what was kept in view and is not in the list, and then the list.
func (r *reconcileRun) all(ctx context.Context, kept []PendingOperation, listed []*Operation, odd []*ItemError) error {
	view := make(map[string]PendingOperation, len(kept))
	for _, p := range kept {
		view[p.ID] = p
	}
	inList := make(map[string]bool, len(listed))
	for _, op := range listed {
		inList[op.ID] = true
	}
	for _, item := range odd {
		// Not renewed: what it has told by now is not known.
		if _, known := view[item.ID]; !known && item.ID != "" {
			r.keep = append(r.keep, PendingOperation{ID: item.ID, CreatedAt: item.CreatedAt, Since: item.CreatedAt})
		}
		inList[item.ID] = true
	}
	slices.SortFunc(kept, func(a, b PendingOperation) int { return a.Since.Compare(b.Since) })
	looked := 0
	for _, p := range kept {
		if inList[p.ID] {
			continue
		}
		if looked++; looked > maxPendingLookups {
			r.result.Pending++
			continue
		}
		if err := r.lookUp(ctx, p); err != nil {
			return err
		}
	}
	for _, op := range listed {
		p, ok := view[op.ID]
		if !ok {
			p = PendingOperation{ID: op.ID, CreatedAt: op.CreatedAt, Since: op.CreatedAt}
		}
		if err := r.one(ctx, op, p, ok, false); err != nil {
			return err
		}
	}
	return nil
}

// lookUp takes an operation that is older than the list.
func (r *reconcileRun) lookUp(ctx context.Context, p PendingOperation) error {
	if !p.CreatedAt.IsZero() && r.now.Sub(p.CreatedAt) > r.intake.horizon {
		r.fail(p.ID, ErrBeyondHorizon)
		r.ended = append(r.ended, p.ID)
		return nil
	}
	op, err := r.client.Operations.Get(ctx, p.ID)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("intram: reconciler: %w", within(whyEnded(ctx)))
		}
		r.fail(p.ID, err) // it stays in view
		r.result.Pending++
		return nil
	}
	return r.one(ctx, op, p, true, true)
}

// one takes the events of one operation, and decides whether it stays in view. One that
// is older than the list was kept in view, and what of it the inbox may have forgotten
// does not take effect.
func (r *reconcileRun) one(ctx context.Context, op *Operation, p PendingOperation, kept, older bool) error {
	if reference := op.awaitedPayment(); reference != "" && r.payments[reference] == nil {
		t, err := r.client.Transactions.Get(ctx, reference)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("intram: reconciler: %w", within(whyEnded(ctx)))
		case err != nil:
			r.fail(op.ID, err)
			r.view(p, false)
			return nil
		}
		r.payments[reference] = t
	}
	events, open, err := eventsOf(op, r.payments)
	if errors.Is(err, errUnknownType) {
		r.result.Unknown++
		err = nil
	}
	certain := err == nil
	if err != nil {
		r.fail(op.ID, err)
		open = true
	}
	for _, event := range events {
		if slices.Contains(p.Told, event.Type) {
			r.result.Known++
			continue
		}
		if ctx.Err() != nil {
			r.view(p, false)
			return fmt.Errorf("intram: reconciler: %w", within(whyEnded(ctx)))
		}
		event.Scope = r.intake.scope
		if older && r.now.Sub(p.Since) > r.horizon-reconcileSlack && r.now.Sub(event.OccurredAt) > r.horizon-reconcileSlack {
			r.result.Failures = append(r.result.Failures, ReconciliationFailure{Event: event, Err: ErrBeyondHorizon})
			p.Told = append(p.Told, event.Type) // said once
			continue
		}
		if r.intake.notify != nil {
			r.intake.notify.Notify(event)
		}
		o := r.intake.take(ctx, event)
		r.result.add(event, o)
		switch o.verdict {
		case tookEffect, tookBefore:
			p.Told = append(p.Told, event.Type)
		case failed, outlived, notRecorded:
			open = true // the inbox did not know of it: that much is certain
		case underWay, storeDown, inboxBroken:
			open, certain = true, false
		}
	}
	switch {
	case open:
		r.view(p, certain)
	case kept:
		r.ended = append(r.ended, p.ID)
	}
	return nil
}

// view keeps an operation in view. It is certain when the inbox and the API have said all
// there was until this run.
func (r *reconcileRun) view(p PendingOperation, certain bool) {
	if certain {
		p.Since = r.now
	}
	r.keep = append(r.keep, p)
}

// awaitedPayment is the reference of the transaction that a payment request waits for.
func (o *Operation) awaitedPayment() string {
	if result, ok := o.Result.(*PaymentRequestResult); ok && o.Status == OperationSucceeded {
		return result.TransactionReference
	}
	return ""
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

// listSince collects a list that comes newest first, until an item is too old, and turns
// it around. What cannot be read is told beside it.
func listSince[T any, P listItem[T]](all iter.Seq2[P, error], since time.Time) (items []P, unreadable []*ItemError, err error) {
	for item, err := range all {
		var odd *ItemError
		if err != nil && !errors.As(err, &odd) {
			return nil, nil, fmt.Errorf("intram: reconciler: %w", within(err))
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

// errUnknownType: the operation has a type that the SDK does not know, so that nothing is
// known of its events.
var errUnknownType = errors.New("intram: reconciler: an operation of an unknown type")

// eventsOf makes the events that should have told of an operation, in their order. It is
// open when more of them may come. The error says what of its state cannot be read.
func eventsOf(op *Operation, payments map[string]*Transaction) (events []*Event, open bool, err error) {
	switch typ := OperationType(strings.ToLower(string(op.Type))); typ {
	case OperationPayout, OperationPaymentRequest, OperationRefund:
		op.Type = typ
	case "":
		return nil, false, fmt.Errorf("%w: the operation has no type", ErrCannotReconcile)
	default:
		return nil, false, errUnknownType
	}
	switch op.Status {
	case OperationQueued, OperationProcessing:
		return nil, true, nil
	case OperationSucceeded:
		if _, unknown := op.Result.(*UnknownResult); unknown || op.Result == nil {
			return nil, false, fmt.Errorf("%w: the result of the operation", ErrCannotReconcile)
		}
	case OperationFailed, OperationExpired:
	default:
		return nil, true, fmt.Errorf("%w: the status of the operation", ErrCannotReconcile)
	}
	switch op.Type {
	case OperationPayout:
		return payoutEvents(op)
	case OperationPaymentRequest:
		return paymentEvents(op, payments)
	default:
		return refundEvents(op)
	}
}

// event makes an event of the operation's. It occurred when the operation ended, as far
// as the API says.
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

// own is the caller's own data as the operation's payload has it, word for word.
func (o *Operation) own() RawMessage {
	var payload struct {
		Metadata    RawMessage `json:"metadata"`
		WebhookData RawMessage `json:"webhook_data"`
	}
	_ = json.Unmarshal(o.Payload, &payload) // what cannot be read has none
	if o.Type == OperationPaymentRequest {
		return payload.WebhookData
	}
	return payload.Metadata
}

// unsuccessful reports whether the operation ended without a result.
func (o *Operation) unsuccessful() bool {
	return o.Status == OperationFailed || o.Status == OperationExpired
}

func payoutEvents(op *Operation) (events []*Event, open bool, err error) {
	if op.unsuccessful() {
		data := &PayoutEventData{Error: op.eventError()}
		// A payout's request has the fields of its result. One that cannot be read leaves
		// them empty: the failure is the news.
		_ = json.Unmarshal(op.Payload, &data.PayoutResult)
		data.Status, data.Raw, data.Metadata = PayoutFailed, nil, op.own()
		return []*Event{op.event(EventPayoutFailed, data)}, false, nil
	}
	result, ok := op.Result.(*PayoutResult)
	if !ok {
		return nil, false, fmt.Errorf("%w: the result of the payout", ErrCannotReconcile)
	}
	at := func(typ EventType, status PayoutStatus) *Event {
		data := &PayoutEventData{PayoutResult: *result, Error: op.eventError(), Metadata: op.own()}
		data.Status = status
		return op.event(typ, data)
	}
	if _, bank := result.Destination.(BankAccount); bank || result.Status == PayoutQueuedForSettlement {
		events = append(events, at(EventPayoutQueued, PayoutQueuedForSettlement))
	}
	switch result.Status {
	case PayoutCompleted:
		events = append(events, op.settled(at(EventPayoutCompleted, PayoutCompleted)))
	case PayoutFailed:
		events = append(events, op.settled(at(EventPayoutFailed, PayoutFailed)))
	case PayoutQueuedForSettlement:
		open = true
	default:
		err = fmt.Errorf("%w: the status of the payout", ErrCannotReconcile)
	}
	return events, open, err
}

// settled dates the end of a bank payout: the operation completed when it was queued, and
// changed once more.
func (o *Operation) settled(event *Event) *Event {
	if o.UpdatedAt.After(event.OccurredAt) {
		event.OccurredAt = o.UpdatedAt
	}
	return event
}

func paymentEvents(op *Operation, payments map[string]*Transaction) (events []*Event, open bool, err error) {
	if op.unsuccessful() {
		var payload struct {
			Invoice json.RawMessage `json:"invoice"`
		}
		data := &PaymentRequestEventData{Error: op.eventError()}
		_ = json.Unmarshal(op.Payload, &payload) // as above
		_ = json.Unmarshal(payload.Invoice, &data.PaymentRequestResult)
		data.Status, data.Raw, data.WebhookData = "failed", nil, op.own()
		return []*Event{op.event(EventPaymentRequestFailed, data)}, false, nil
	}
	result, ok := op.Result.(*PaymentRequestResult)
	if !ok || result.TransactionReference == "" {
		return nil, false, fmt.Errorf("%w: the result of the payment request", ErrCannotReconcile)
	}
	events = []*Event{op.event(EventPaymentRequestCreated, &PaymentRequestEventData{PaymentRequestResult: *result, WebhookData: op.own()})}
	t := payments[result.TransactionReference]
	if t == nil {
		return events, true, nil
	}
	ended := func(typ EventType, status string) *Event {
		data := &PaymentRequestEventData{
			PaymentRequestResult: *result, WebhookData: t.WebhookData, Fees: t.Fees, NetAmount: t.NetAmount, PaymentMethod: t.PaymentMethod,
		}
		data.Status, data.Amount, data.Raw = status, t.Amount, t.Raw
		if len(data.WebhookData) == 0 {
			data.WebhookData = op.own()
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
	case TransactionPending:
		open = true
	case TransactionRefunded:
	default:
		open, err = true, fmt.Errorf("%w: the status of the transaction", ErrCannotReconcile)
	}
	return events, open, err
}

func refundEvents(op *Operation) (events []*Event, open bool, err error) {
	var payload struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(op.Payload, &payload) // as above
	data := &RefundEventData{Reason: payload.Reason, Error: op.eventError()}
	if op.unsuccessful() {
		_ = json.Unmarshal(op.Payload, &data.RefundResult) // as above
		data.Status, data.Raw = "failed", nil
		return []*Event{op.event(EventRefundFailed, data)}, false, nil
	}
	result, ok := op.Result.(*RefundResult)
	if !ok {
		return nil, false, fmt.Errorf("%w: the result of the refund", ErrCannotReconcile)
	}
	data.RefundResult = *result
	switch result.Status {
	case RefundCompleted:
		return []*Event{op.event(EventRefundCompleted, data)}, false, nil
	case RefundPending:
		return []*Event{op.event(EventRefundPending, data)}, true, nil
	case RefundFailed:
		return []*Event{op.event(EventRefundFailed, data)}, false, nil
	default:
		return nil, false, fmt.Errorf("%w: the status of the refund", ErrCannotReconcile)
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
