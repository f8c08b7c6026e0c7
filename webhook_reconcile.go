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
// # Large windows
//
// A run reads the two lists a page at a time, newest first, and is done with a page
// before it reads on: it holds a few pages at once, however many operations there are.
// After each page it stores how far it has come. A run that ended before its end is
// continued by the next one, which then looks at what was created since. With an inbox
// that is a [ReconcileStore] this holds over restarts, and what is kept in view is not
// held in memory either; with another one the next run of this Reconciler continues.
//
// The events of an operation take effect in their order, and those of a page oldest
// first. Between operations there is no order, as there is none between deliveries: use
// [EventOrder].
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
	client *Client
	intake *intake
	store  func(ctx context.Context, scope string) (ReconcileStore, error)
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
	in.trace.setClock(client.clock)
	if _, forgets := inbox.(*MemoryInbox); forgets {
		in.logger.LogAttrs(context.Background(), slog.LevelWarn,
			"the reconciler has an inbox in memory: what took effect before this process started takes effect again if since lies before it")
	}
	return &Reconciler{client: client, intake: in, store: reconcileStoreOf(inbox)}, nil
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
	// Failures are the events that are still missing, 1000 at most. The next run tries
	// them again. FailuresLeftOut is how many more there were: [WithFailureHook] is
	// called for each.
	Failures        []ReconciliationFailure
	FailuresLeftOut int
	// Resumed is whether the run continued one that ended before its end. What that one
	// had looked at is not counted here.
	Resumed bool
}

// maxFailures is how many failures a result holds.
const maxFailures = 1000

// ReconciliationFailure is an event that did not take effect, and why. For an operation
// or a transaction that cannot be read Err is an [*ItemError], and Event has no type and
// no data: what it should have told is not known.
type ReconciliationFailure struct {
	Event *Event
	Err   error
}

// Run looks at everything that was created since a point in time, and makes take effect
// what has not. A failure of one event is noted in the result and does not end the run.
// What an earlier run that ended before its end has looked at is left to the next one.
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
// GET /operations/{id}, and GET /transactions/{reference} for a payment whose transaction
// is not near it in the list. Errors: those of [OperationsService.All] and
// [TransactionsService.All], and of the [PendingStore]. Docs: Merchant API, Operations
// and Transactions.
func (r *Reconciler) Run(ctx context.Context, since time.Time) (*Reconciliation, error) {
	now := r.client.clock.Now()
	horizon := horizonOf(r.intake.inbox)
	if age, limit := now.Sub(since), horizon-reconcileSlack; age > limit {
		return nil, fmt.Errorf("intram: reconciler: since is %s ago, and an inbox may forget after %s: the limit is %s, since clocks differ by up to %s",
			age.Round(time.Minute), horizon, limit, reconcileSlack)
	}
	store, err := r.store(ctx, r.scope())
	if err != nil {
		return nil, reconcileStoreError(err)
	}
	run := reconcileRun{
		Reconciler: r, store: store, now: now, horizon: horizon,
		payments: make(map[string]*Transaction), looked: make(map[string]bool), result: new(Reconciliation),
	}
	if err := run.all(ctx, since); err != nil {
		return nil, err
	}
	result := run.result
	r.intake.logger.LogAttrs(ctx, slog.LevelInfo, "webhook events reconciled",
		slog.Int("operations", result.Operations), slog.Int("transactions", result.Transactions),
		slog.Int("missing", result.Missing), slog.Int("known", result.Known),
		slog.Int("busy", result.Busy), slog.Int("pending", result.Pending),
		slog.Int("failures", len(result.Failures)+result.FailuresLeftOut), slog.Bool("resumed", result.Resumed))
	return result, nil
}

func reconcileStoreError(err error) error {
	return fmt.Errorf("intram: reconciler: what is pending: %w", within(err))
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

const (
	// maxPayments is how many transactions a run holds, the last that it has read.
	maxPayments = 2000
	// reconcileOverlap is how much more than it has to a run reads: a transaction begins
	// after its operation, and an operation may be listed a little after its date.
	reconcileOverlap = time.Minute
)

// reconcileRun is one run.
type reconcileRun struct {
	*Reconciler
	store    ReconcileStore
	now      time.Time // before the lists were read
	horizon  time.Duration
	payments map[string]*Transaction
	recent   []string        // the references of payments, in the order in which they were read
	looked   map[string]bool // the operations that were looked up
	result   *Reconciliation
	keep     []PendingOperation
	ended    []string
}

// fail notes an event that is still missing.
func (r *reconcileRun) fail(event *Event, err error) {
	failure := ReconciliationFailure{Event: event, Err: err}
	if r.intake.failure != nil {
		r.intake.tellFailure(failure)
	}
	if len(r.result.Failures) >= maxFailures {
		r.result.FailuresLeftOut++
		return
	}
	r.result.Failures = append(r.result.Failures, failure)
}

// failed notes an operation or a transaction whose events are not known.
func (r *reconcileRun) failed(id string, err error) { r.fail(&Event{OperationID: id}, err) }

// all continues the run that ended before its end, if there is one, and walks through
// what was created after that began. Otherwise it walks from now back to since.
func (r *reconcileRun) all(ctx context.Context, since time.Time) error {
	stored, err := r.store.Cursor(ctx, r.scope())
	if err != nil {
		return reconcileStoreError(err)
	}
	cursor := stored
	if since.Before(cursor.Since) {
		cursor.Floor, cursor.Since = time.Time{}, time.Time{}
	}
	lookUp := func() error { return r.lookUpAll(ctx, since) }
	if cursor.Before.After(since) {
		r.result.Resumed = true
		if err := r.walk(ctx, cursor, since, lookUp); err != nil {
			return err
		}
		lookUp = func() error { return nil }
	}
	if cursor.Until.After(since) {
		cursor = ReconcileCursor{Floor: cursor.Until.Add(-reconcileOverlap), Since: since}
	} else {
		cursor = ReconcileCursor{}
	}
	if err := r.walk(ctx, cursor, since, lookUp); err != nil {
		return err
	}
	if err := r.store.SaveCursor(ctx, r.scope(), ReconcileCursor{}); err != nil {
		return reconcileStoreError(err)
	}
	if r.result.Pending, err = r.store.CountPending(ctx, r.scope()); err != nil {
		return reconcileStoreError(err)
	}
	return nil
}

// walk reads both lists from the cursor back to its floor or since, whichever is later,
// and takes the operations page by page. It calls ready once both lists have responded.
func (r *reconcileRun) walk(ctx context.Context, cursor ReconcileCursor, since time.Time, ready func() error) error {
	if cursor.Floor.After(since) {
		since = cursor.Floor
	}
	var begun time.Time
	if !cursor.Before.IsZero() {
		begun = cursor.Before.Add(reconcileOverlap)
	}
	operations, err := readBack(r.client.Operations.All(ctx, OperationListParams{Limit: maxPageLimit, Before: cursor.Before}), since)
	defer operations.stop()
	if err != nil {
		return err
	}
	transactions, err := readBack(r.client.Transactions.All(ctx, TransactionListParams{Limit: maxPageLimit, Before: begun}), since)
	defer transactions.stop()
	if err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	for operations.peek() != nil {
		page, odd, oldest := operations.page()
		if cursor.Until.IsZero() {
			cursor.Until = operations.newest
		}
		if !oldest.IsZero() {
			cursor.Before = oldest.Add(time.Millisecond) // others may share its millisecond
		}
		err := r.page(ctx, page, odd, func() error { return r.readPayments(transactions, oldest) })
		// What was found out is kept, however the page ended.
		if keepErr := r.flush(ctx); err == nil {
			err = keepErr
		}
		if err != nil {
			return err
		}
		if cursor.Before.IsZero() {
			continue // nothing on the page has a date
		}
		if err := r.store.SaveCursor(ctx, r.scope(), cursor); err != nil {
			return reconcileStoreError(err)
		}
	}
	if operations.err != nil {
		return operations.err
	}
	return r.readPayments(transactions, time.Time{})
}

// page takes the operations of one page, oldest first.
func (r *reconcileRun) page(ctx context.Context, page []*Operation, odd []*ItemError, payments func() error) error {
	ids := make([]string, 0, len(page)+len(odd))
	for _, op := range page {
		ids = append(ids, op.ID)
	}
	for _, item := range odd {
		ids = append(ids, item.ID)
	}
	kept, err := r.store.PendingAmong(ctx, r.scope(), ids)
	if err != nil {
		return reconcileStoreError(err)
	}
	view := make(map[string]PendingOperation, len(kept))
	for _, p := range kept {
		view[p.ID] = p
	}
	for _, item := range odd {
		// Not renewed: what it has told by now is not known.
		if _, known := view[item.ID]; !known && item.ID != "" {
			r.keep = append(r.keep, PendingOperation{ID: item.ID, CreatedAt: item.CreatedAt, Since: item.CreatedAt})
		}
		r.failed(item.ID, item)
	}
	if err := payments(); err != nil {
		return err
	}
	r.result.Operations += len(page)
	for _, op := range slices.Backward(page) {
		if r.looked[op.ID] {
			continue
		}
		p, ok := view[op.ID]
		if !ok {
			p = PendingOperation{ID: op.ID, CreatedAt: op.CreatedAt, Since: op.CreatedAt}
		}
		// A long run comes to what the inbox may have forgotten since the run began.
		older := !op.CreatedAt.IsZero() && r.client.clock.Now().Sub(op.CreatedAt) > r.horizon-reconcileSlack
		if err := r.one(ctx, op, p, ok, older); err != nil {
			return err
		}
	}
	return nil
}

// readPayments reads transactions back to a time, all of them when it is zero, and holds
// the last of them.
func (r *reconcileRun) readPayments(list *backwards[Transaction, *Transaction], to time.Time) error {
	for {
		head := list.peek()
		if head == nil {
			return list.err
		}
		if !to.IsZero() && !head.created.IsZero() && head.created.Before(to) {
			return nil
		}
		list.head = nil
		if head.odd != nil {
			r.failed(head.odd.ID, head.odd)
			continue
		}
		r.result.Transactions++
		r.hold(head.item)
	}
}

// hold keeps a transaction for the payment requests that are read next.
func (r *reconcileRun) hold(t *Transaction) {
	if _, held := r.payments[t.Reference]; !held {
		if len(r.recent) >= maxPayments {
			delete(r.payments, r.recent[0])
			r.recent = r.recent[1:]
		}
		r.recent = append(r.recent, t.Reference)
	}
	r.payments[t.Reference] = t
}

// flush stores what was found out about operations.
func (r *reconcileRun) flush(ctx context.Context) error {
	if len(r.keep) == 0 && len(r.ended) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := r.store.KeepPending(ctx, r.scope(), r.keep, r.ended); err != nil {
		return reconcileStoreError(err)
	}
	r.keep, r.ended = r.keep[:0], r.ended[:0]
	return nil
}

// lookUpAll looks up what was kept in view and is older than the lists.
func (r *reconcileRun) lookUpAll(ctx context.Context, since time.Time) error {
	kept, err := r.store.PendingBefore(ctx, r.scope(), since, maxPendingLookups)
	if err != nil {
		return reconcileStoreError(err)
	}
	for _, p := range kept {
		r.looked[p.ID] = true
		if err = r.lookUp(ctx, p); err != nil {
			break
		}
	}
	if keepErr := r.flush(ctx); err == nil {
		err = keepErr
	}
	return err
}

// lookUp takes an operation that is older than the list.
func (r *reconcileRun) lookUp(ctx context.Context, p PendingOperation) error {
	if !p.CreatedAt.IsZero() && r.now.Sub(p.CreatedAt) > r.intake.horizon {
		r.failed(p.ID, ErrBeyondHorizon)
		r.ended = append(r.ended, p.ID)
		return nil
	}
	op, err := r.client.Operations.Get(ctx, p.ID)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("intram: reconciler: %w", within(whyEnded(ctx)))
		}
		r.failed(p.ID, err) // it stays in view
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
			r.failed(op.ID, err)
			r.view(p, false)
			return nil
		}
		r.hold(t)
	}
	events, open, err := eventsOf(op, r.payments)
	if errors.Is(err, errUnknownType) {
		r.result.Unknown++
		err = nil
	}
	certain := err == nil
	if err != nil {
		r.failed(op.ID, err)
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
		now := r.client.clock.Now()
		if older && now.Sub(p.Since) > r.horizon-reconcileSlack && now.Sub(event.OccurredAt) > r.horizon-reconcileSlack {
			r.fail(event, ErrBeyondHorizon)
			p.Told = append(p.Told, event.Type) // said once
			continue
		}
		if r.intake.notify != nil {
			r.intake.notify.Notify(event)
		}
		o := r.intake.reconcile(ctx, event)
		r.add(event, o)
		switch o.verdict {
		case tookEffect, tookBefore:
			p.Told = append(p.Told, event.Type)
		case failed, outlived, notRecorded:
			open = true // the inbox did not know of it: that much is certain
		case underWay, storeDown, inboxBroken, notVerified, abandoned:
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
func (r *reconcileRun) add(event *Event, o outcome) {
	switch o.verdict {
	case tookEffect:
		r.result.Missing++
	case tookBefore:
		r.result.Known++
	case underWay:
		r.result.Busy++
	case storeDown, failed, outlived, notRecorded, inboxBroken, notVerified, abandoned:
		r.fail(event, o.err)
	}
}

// reconcile takes an event that was made from a list.
func (in *intake) reconcile(ctx context.Context, event *Event) outcome {
	ctx, delivery := in.trace.start(ctx, sourceReconciler, nil)
	defer delivery.close()
	delivery.verified(event)
	o := in.take(ctx, event)
	delivery.came(o.verdict, 0, o.err)
	return o
}

// backwards reads a list that comes newest first, until an item is too old. It reads a
// page of the API's when it has none.
type backwards[T any, P listItem[T]] struct {
	pull   func() (P, error, bool)
	stop   func()
	since  time.Time
	head   *listed[P] // read, and not taken yet
	err    error      // ends the list
	ended  bool
	newest time.Time // the date of the first item that has one
}

// listed is an item of a list, or why it cannot be read.
type listed[P any] struct {
	item    P
	odd     *ItemError
	created time.Time
}

// readBack reads the first item. The list has to be stopped, also after an error.
func readBack[T any, P listItem[T]](all iter.Seq2[P, error], since time.Time) (*backwards[T, P], error) {
	b := &backwards[T, P]{since: since}
	b.pull, b.stop = iter.Pull2(all)
	b.peek()
	return b, b.err
}

// peek returns the next item, nil at the end of the list or when err is set.
func (b *backwards[T, P]) peek() *listed[P] {
	if b.head != nil || b.ended {
		return b.head
	}
	item, err, ok := b.pull()
	var odd *ItemError
	if err != nil && !errors.As(err, &odd) {
		b.err, b.ended = fmt.Errorf("intram: reconciler: %w", within(err)), true
		return nil
	}
	if !ok {
		b.ended = true
		return nil
	}
	_, created := identityOf[T](item, odd)
	if !created.IsZero() && created.Before(b.since) {
		b.ended = true
		return nil
	}
	if b.newest.IsZero() {
		b.newest = created
	}
	b.head = &listed[P]{item: item, odd: odd, created: created}
	return b.head
}

// page takes as many items as the API's largest page has, and returns the date of the
// last that has one. What cannot be read is beside them.
func (b *backwards[T, P]) page() (items []P, odd []*ItemError, oldest time.Time) {
	for range maxPageLimit {
		head := b.peek()
		if head == nil {
			break
		}
		b.head = nil
		if head.odd != nil {
			odd = append(odd, head.odd)
		} else {
			items = append(items, head.item)
		}
		if !head.created.IsZero() {
			oldest = head.created
		}
	}
	return items, odd, oldest
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
