package intram

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/intram/intram-go/internal/poll"
	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// Default settings of a wait (Merchant API docs, Operations and Payment requests).
const (
	defaultPollMin = time.Second
	defaultPollMax = 10 * time.Second
	defaultMaxWait = 60 * time.Second
	// defaultPollRate is how many lookups a second all waits of a client make together at
	// most: see [WithPollRate].
	defaultPollRate = 20
)

// WaitOption is a setting of one wait.
type WaitOption func(*waitConfig)

type waitConfig struct {
	poll.Schedule

	progress func(*Operation)
}

// WithPollInterval sets the time between two lookups: it starts at lowest and grows by
// half up to highest, each time with a jitter. The default is 1 s to 10 s, as documented.
// A Retry-After in a response takes precedence, and [WithPollRate] bounds all waits of a
// client together. lowest must be above 0, and highest no less than lowest.
func WithPollInterval(lowest, highest time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.Min, cfg.Max = lowest, highest }
}

// WithMaxWait ends the wait after d, with a [*WaitError]; the default is 60 s, 6 minutes
// for a customer's payment, 10 minutes for a payin session, and no end for
// [Client.WaitMany]. 0 waits for as long as the context lasts. One more lookup is made at
// the end, which may take up to a second.
func WithMaxWait(d time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.MaxWait = d }
}

// WithInitialDelay makes no lookup in the first d of a wait, for merchants whose webhooks
// call [Client.Notify]: the event wakes the wait, and polling begins only if none has
// come. Without it the first lookup is made at once. 30 s is a good value, since most
// operations end before.
func WithInitialDelay(d time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.InitialDelay = d }
}

// WithProgress calls f with the operation each time it was looked up, on the waiting
// goroutine. Waits for transactions and payin sessions have no operation, and do not call
// it.
func WithProgress(f func(*Operation)) WaitOption {
	return func(cfg *waitConfig) { cfg.progress = f }
}

// WaitForOperation waits until an operation has finished, and returns it if it succeeded.
// The id is all it needs: a wait can go on in another process, days later.
//
// It looks the operation up at once, after 1 s, and then after half as long again each
// time, up to 10 s. Network failures, 5xx and 429 do not end it, nor does
// [CodeOperationNotFound] in the first 15 s for an operation that was never seen, which a
// replica may not have yet. An unknown status is "not finished yet". All waits of a
// client share their lookups: one serves all waits for the same operation, and where
// three or more operations are waited for, pages of the list do.
//
// Endpoints: GET /operations/{id} and GET /operations. Errors: [*OperationError] if the
// operation failed or expired; [*WaitError], with what was last seen of the operation, if
// the wait ended first. Docs: Merchant API, Operations.
func (c *Client) WaitForOperation(ctx context.Context, operationID string, opts ...WaitOption) (*Operation, error) {
	waiting, wait := c.startWait(ctx, waitOperation, 1)
	defer wait.close()
	cfg, err := operationWait.with(ctx, opts, "operation_id", operationID)
	if err != nil {
		return nil, wait.failed(err)
	}
	op, err := c.operationWaits.Wait(waiting, operationID, &cfg.Schedule, cfg.progress)
	if err != nil {
		return nil, wait.failed(waitFailure(ctx, err, &WaitError{Operation: op, ID: operationID}))
	}
	wait.finished()
	return succeeded(op)
}

// succeeded returns the error of an operation that finished without success, and of one
// that succeeded with a result that says otherwise, or that the SDK does not know.
func succeeded(op *Operation) (*Operation, error) {
	if op.Status != OperationSucceeded || op.Error != nil && op.Error.Code != "" {
		return nil, op.failure()
	}
	switch op.judge() {
	case saidNothing:
	case saidFailed:
		return nil, op.failure()
	case saidUnknown:
		return nil, &WaitError{ID: op.ID, Operation: op, Err: fmt.Errorf("%w: its status is unknown to this version of the SDK", ErrUnexpectedResult)}
	}
	return op, nil
}

// judge reads what the operation's result adds to its success. A payout or a refund whose
// result cannot be read is never taken for paid.
func (o *Operation) judge() resultVerdict {
	result, ok := o.Result.(judged)
	if !ok {
		return saidNothing
	}
	verdict := result.judge()
	_, unread := o.Result.(*UnknownResult)
	if unread && verdict == saidNothing && (wire.EqualFold(o.Type, OperationPayout) || wire.EqualFold(o.Type, OperationRefund)) {
		return saidUnknown
	}
	return verdict
}

// judge implements judged, by the one word that all results have.
func (r *UnknownResult) judge() resultVerdict {
	if wire.EqualFold(wire.TextOf(wire.ReadObject(r.Raw)["status"]), string(PayoutFailed)) {
		return saidFailed
	}
	return saidNothing
}

// judged is a result with a word of its own about the money.
type judged interface{ judge() resultVerdict }

// resultVerdict is what a result's word adds to the success of its operation.
type resultVerdict int

const (
	saidNothing resultVerdict = iota // no word, or one that agrees with the operation
	saidFailed
	saidUnknown
)

func judgeWord[S ~string](status, failed S, known ...S) resultVerdict {
	isStatus := func(word S) bool { return wire.EqualFold(status, word) }
	switch {
	case isStatus(failed):
		return saidFailed
	case status == "" || slices.ContainsFunc(known, isStatus):
		return saidNothing
	default:
		return saidUnknown
	}
}

// waitForResult waits for an operation and unpacks its result.
func waitForResult[R OperationResult](ctx context.Context, c *Client, operationID string, opts []WaitOption) (R, error) {
	var none R
	op, err := c.WaitForOperation(ctx, operationID, opts...)
	if err != nil {
		return none, err
	}
	result, ok := op.Result.(R)
	if !ok {
		return none, fmt.Errorf("%w: operation %s is a %s with a %T, not a %T",
			ErrUnexpectedResult, scrubID(op.ID), redact.Word(string(op.Type)), op.Result, none)
	}
	return result, nil
}

// The documented waits. All waits without options share them.
var (
	operationWait = waitConfig{Schedule: poll.Schedule{Min: defaultPollMin, Max: defaultPollMax, MaxWait: defaultMaxWait}}
	paymentWait   = waitConfig{Schedule: poll.Schedule{Min: defaultPollMin, Max: defaultPollMax, MaxWait: 6 * time.Minute}}
	payinWait     = waitConfig{Schedule: poll.Schedule{Min: 5 * time.Second, Max: defaultPollMax, MaxWait: 10 * time.Minute}}
	manyWait      = waitConfig{Schedule: poll.Schedule{Min: defaultPollMin, Max: defaultPollMax}}
)

// with applies the options, and checks the result, the context and the ids.
func (cfg *waitConfig) with(ctx context.Context, opts []WaitOption, name string, ids ...string) (*waitConfig, error) {
	if len(opts) > 0 {
		own := *cfg
		for _, opt := range opts {
			if opt != nil {
				opt(&own)
			}
		}
		own.Limit()
		cfg = &own
	}
	var v validation
	v.check(ctx != nil, "ctx", "ctx is nil: give context.Background() if nothing bounds the wait")
	v.check(cfg.Min > 0, "WithPollInterval", "WithPollInterval: lowest must be above 0")
	v.check(cfg.Max >= cfg.Min, "WithPollInterval", "WithPollInterval: highest must not be below lowest")
	v.check(cfg.MaxWait >= 0, "WithMaxWait", "WithMaxWait: the time must not be negative")
	v.check(cfg.InitialDelay >= 0, "WithInitialDelay", "WithInitialDelay: the time must not be negative")
	for _, id := range ids {
		v.pathID(name, id)
	}
	if len(v.fields) > 0 {
		return nil, &Error{Code: CodeValidationError, Message: "nothing was sent", Details: v.fields, Outcome: OutcomeNotSent}
	}
	return cfg, nil
}

// waitFailure returns the error of a wait that ended before what it waits for. A lookup
// that was refused before it was sent is no wait at all: its error is returned as it is.
func waitFailure(ctx context.Context, err error, failure *WaitError) error {
	var refused *Error
	var timeout *poll.TimeoutError
	switch {
	case errors.As(err, &refused) && refused.Outcome == OutcomeNotSent && refused.Code == CodeValidationError:
		return err
	case errors.As(err, &timeout):
		err = maxWaitError{after: timeout.After, lookup: timeout.Lookup}
	case err == ctx.Err(): //nolint:errorlint // the context's own, not one that a lookup failed with
		err = whyEnded(ctx)
	}
	failure.Err = err
	return failure
}

// WaitMany waits for any number of operations and yields each as it finishes: those of a
// batch, or those that an earlier process has left behind. The ids are all it needs. It
// goes on until all have finished or ctx is done. [WithMaxWait] bounds the wait for each
// operation; without it and without a deadline of ctx the wait has no limit.
// [WithProgress] shows each lookup of those that have not finished.
//
// An operation that succeeded is yielded with a nil error. For any other the operation is
// nil. The error is an [*OperationError] if it failed or expired, and a [*WaitError] if
// the wait ended first: ctx was done, or the API refused the lookup, as it does for an id
// that it does not know after 15 s. Both name the operation. The waits end when the range
// is left. An id that is given twice is yielded once. If an id cannot be one, an [*Error]
// is all that is yielded, and no wait begins.
//
// Endpoints: GET /operations and GET /operations/{id}. Docs: Merchant API, Operations.
func (c *Client) WaitMany(ctx context.Context, operationIDs []string, opts ...WaitOption) iter.Seq2[*Operation, error] {
	return func(yield func(*Operation, error) bool) {
		waiting, wait := c.startWait(ctx, waitOperation, distinct(operationIDs, c.trace))
		defer wait.close()
		cfg, err := manyWait.with(ctx, opts, "operation_id", operationIDs...)
		if err != nil {
			yield(nil, wait.failed(err))
			return
		}
		c.operationWaits.WaitMany(waiting, operationIDs, &cfg.Schedule, cfg.progress, func(id string, op *Operation, err error) bool {
			if err != nil {
				return wait.left(yield(nil, wait.failed(waitFailure(ctx, err, &WaitError{Operation: op, ID: id}))))
			}
			wait.finished()
			return wait.left(yield(succeeded(op)))
		})
	}
}

// Notify tells the client's waits about a verified event. A wait for its operation, or
// for the transaction that it is about, looks that up at once instead of when the next
// lookup is due. The events of what is not yet waited for are kept, the last 1024 of
// them, for a wait that begins later.
//
// [WithNotify] makes a webhook handler call it. Do not give it events that are not
// verified. It never blocks and sends nothing itself, and an event's data end no wait:
// only a lookup does. So an event of another merchant's ([Event].Scope) does no harm.
//
// Docs: Merchant API, Webhooks.
func (c *Client) Notify(event *Event) {
	if event == nil {
		return
	}
	if event.OperationID != "" {
		c.operationWaits.Notify(event.OperationID)
	}
	var reference string
	switch data := event.Data.(type) {
	case *PaymentRequestEventData:
		reference = data.TransactionReference
	case *RefundEventData:
		reference = data.TransactionReference
	}
	if reference != "" && event.Type != EventPaymentRequestCreated {
		c.transactionWaits.Notify(reference)
	}
}

// newOperationWaits returns the poller of a client's operations.
func newOperationWaits(c *Client, rate *poll.Rate) *poll.Poller[Operation] {
	cfg := pollConfig(c, rate, c.Operations.Get, func(o *Operation) poll.State {
		return poll.State{
			IDs: [2]string{o.ID}, Created: o.CreatedAt, Kind: string(o.Type),
			Finished: o.Status.Finished(), Complete: o.Result != nil || o.Error != nil,
		}
	})
	cfg.List = pollList[Operation, operationWire](c, "/operations")
	cfg.Older = func(o, seen *Operation) bool {
		return o.Status == OperationQueued && seen.Status != OperationQueued || !o.UpdatedAt.IsZero() && o.UpdatedAt.Before(seen.UpdatedAt)
	}
	cfg.Abridge = func(o *Operation) *Operation {
		return &Operation{
			ID: o.ID, Type: o.Type, Status: o.Status, Environment: o.Environment, Attempts: o.Attempts,
			CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
		}
	}
	return poll.New(cfg)
}

// newTransactionWaits returns the poller of a client's transactions. They have one state
// before the end, so a slow page cannot take one back.
func newTransactionWaits(c *Client, rate *poll.Rate) *poll.Poller[Transaction] {
	cfg := pollConfig(c, rate, c.Transactions.Get, func(t *Transaction) poll.State {
		return poll.State{
			IDs: [2]string{t.Reference, t.ID}, Created: t.CreatedAt, Kind: string(t.Type),
			Finished: t.Status.Finished(), Complete: true,
		}
	})
	cfg.List = pollList[Transaction, transactionWire](c, "/transactions")
	return poll.New(cfg)
}

// newPayinWaits returns the poller of payin sessions, which no list shows.
func newPayinWaits(c *Client, rate *poll.Rate, s *PayinService) *poll.Poller[Payin] {
	return poll.New(pollConfig(c, rate, s.Get, func(p *Payin) poll.State {
		return poll.State{IDs: [2]string{p.Reference, p.ID}, Created: p.CreatedAt, Finished: p.Outcome().Finished(), Complete: true}
	}))
}

// pollConfig returns what all pollers of a client have in common.
func pollConfig[T any](c *Client, rate *poll.Rate, get func(context.Context, string, ...CallOption) (*T, error),
	describe func(*T) poll.State,
) poll.Config[T] {
	return poll.Config[T]{
		Clock: c.clock, Random: c.rand, Rate: rate, Timeout: c.timeout,
		Get: func(ctx context.Context, id string, timeout time.Duration) (*T, time.Duration, error) {
			var resp Response
			item, err := get(ctx, id, lookupOptions(&resp, timeout)...)
			return item, resp.RetryAfter, err
		},
		Transient: isTransient, NotFound: isNotFound, Describe: describe,
	}
}

// pollList returns the function that reads a page for a poller.
func pollList[T any, W shape[T]](c *Client, path string) func(context.Context, poll.Query, time.Duration) (*poll.Page[T], time.Duration, error) {
	return func(ctx context.Context, q poll.Query, timeout time.Duration) (*poll.Page[T], time.Duration, error) {
		var resp Response
		page, err := listPage[T, W](ctx, c, path, listQuery{limit: poll.PageSize, typ: q.Kind, before: q.Before}, lookupOptions(&resp, timeout))
		if err != nil {
			return nil, resp.RetryAfter, err
		}
		read := &poll.Page[T]{Items: page.Items, Full: page.full(poll.PageSize)}
		for _, item := range page.Unreadable {
			read.Unreadable = append(read.Unreadable, item.ID)
		}
		return read, resp.RetryAfter, nil
	}
}

// lookupOptions are the options of a poller's lookup, for which the wait is the retry
// loop.
func lookupOptions(resp *Response, timeout time.Duration) []CallOption {
	return []CallOption{callOption(func(cfg *callConfig) {
		cfg.maxAttempts, cfg.response, cfg.timeout, cfg.poll = 1, resp, timeout, true
	})}
}

// isTransient reports whether a lookup that failed is worth another one. A lookup moves
// no money, so another one is always safe.
func isTransient(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Outcome {
	case OutcomeUnknown:
		return true
	case OutcomeNotSent:
		return e.Code != CodeValidationError
	case OutcomeRejected:
		return e.StatusCode == http.StatusTooManyRequests || e.foreign // a proxy's page says nothing about the operation
	}
	return false
}

// isNotFound recognizes the error of an id that the API does not know.
func isNotFound(err error) bool {
	return errors.Is(err, CodeOperationNotFound) || errors.Is(err, CodeTransactionNotFound) || errors.Is(err, CodeTransactionDoesNotExist)
}
