package intram

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// How long and how often the SDK asks, unless told otherwise (Merchant API docs, Operations and Payment requests).
const (
	DefaultPollMin = time.Second
	DefaultPollMax = 10 * time.Second
	DefaultMaxWait = 60 * time.Second
	// DefaultPollRate is how many look-ups a second all waits of a client make together at most: see [WithPollRate].
	DefaultPollRate = 20

	// longestPause bounds what a Retry-After can make of a wait that has no end of its own.
	longestPause = 5 * time.Minute
)

// WaitOption is a setting of one wait.
type WaitOption func(*waitConfig)

type waitConfig struct {
	pollMin, pollMax time.Duration
	maxWait          time.Duration
	firstLook        time.Duration
	trustEvents      bool
	progress         func(*Operation)
}

// WithPollInterval sets the time between two polls: it starts at lowest and grows by half up to highest, each one jittered. The default
// is 1 s to 10 s, as documented. A Retry-After in an answer goes first, and [WithPollRate] bounds all waits of a client together.
func WithPollInterval(lowest, highest time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.pollMin, cfg.pollMax = lowest, highest }
}

// WithMaxWait ends the wait after d, with a [*WaitError]; the default is 60 s, 6 minutes for a customer's payment, and no end for
// [Client.WaitMany]. 0 waits for as long as the context lasts. The operation is looked up once more at the end, for which the server
// has up to a second.
func WithMaxWait(d time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.maxWait = d }
}

// WithFirstLook leaves out all polls in the first d of a wait, for merchants whose webhooks call [Client.Notify]: the event wakes the wait, and
// polling begins only when none has come. Without it the first look is at once. 30 s is a good value, for most operations end
// before.
func WithFirstLook(d time.Duration) WaitOption {
	return func(cfg *waitConfig) { cfg.firstLook = d }
}

// WithTrustedEvents lets a verified event that was given to [Client.Notify] end a wait for an operation without a look-up. The operation
// then is what the event says: id, type, status, result or error, and CompletedAt; there is no Payload and no Raw. Events
// that do not say how the operation ended, like payout.queued, only lead to a look-up. Waits for transactions and payin
// sessions have no such events, and leave this option aside.
func WithTrustedEvents() WaitOption {
	return func(cfg *waitConfig) { cfg.trustEvents = true }
}

// WithProgress calls f with the operation each time it was looked up, on the waiting goroutine. Waits for transactions
// and payin sessions have no operation, and do not call it.
func WithProgress(f func(*Operation)) WaitOption {
	return func(cfg *waitConfig) { cfg.progress = f }
}

// WaitForOperation waits until an operation has ended, and returns it when it succeeded. The id is all it needs: a
// wait can go on in another process, days later.
//
// It looks the operation up at once, then after 1 s, then after half as long again each time, up to 10 s. Network
// failures, 5xx and 429 in between do not end it, nor does [CodeOperationNotFound] in the first 15 s of an operation that was never seen,
// which a replica may not have yet. An unknown status is "not finished yet". Any number of waits of a client share their look-ups:
// one serves all who wait for the same operation, and where three or more operations are waited for, pages of the list do.
//
// Endpoints: GET /operations/{id} and GET /operations. Errors: [*OperationError] when the operation failed or expired; [*WaitError],
// with what was last seen of the operation, when the wait ended first. Docs: Merchant API, Operations.
func (c *Client) WaitForOperation(ctx context.Context, operationID string, opts ...WaitOption) (*Operation, error) {
	op, err := awaitOne(ctx, c.operationWaits, "operation_id", operationID, &operationWait, opts)
	if err != nil {
		return nil, waitFailure(err, &WaitError{Operation: op, ID: operationID})
	}
	return succeeded(op)
}

// succeeded makes the error of an operation that ended without success, and of one that succeeded with a result that says
// otherwise, or says what the SDK does not know.
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

// judge reads what the operation's result adds to its success. A payout or a refund whose result cannot be read is never
// taken for paid.
func (o *Operation) judge() resultVerdict {
	result, ok := o.Result.(judged)
	if !ok {
		return saidNothing
	}
	verdict := result.judge()
	_, unread := o.Result.(*UnknownResult)
	if unread && verdict == saidNothing && (foldedEqual(o.Type, OperationPayout) || foldedEqual(o.Type, OperationRefund)) {
		return saidUnknown
	}
	return verdict
}

// judge implements judged, by the one word that all results have.
func (r *UnknownResult) judge() resultVerdict {
	if foldedEqual(textOf(readObject(r.Raw)["status"]), string(PayoutFailed)) {
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
	isStatus := func(word S) bool { return foldedEqual(status, word) }
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

// awaitOne checks what was asked for, and waits.
func awaitOne[T any, P subject[T]](ctx context.Context, p *poller[T, P], name, id string, defaults *waitConfig, opts []WaitOption) (*T, error) {
	cfg, err := defaults.with(ctx, opts, name, id)
	if err != nil {
		return nil, err
	}
	return p.await(ctx, id, cfg)
}

// The waits of the documentation, which all waits without options share.
var (
	operationWait = waitConfig{pollMin: DefaultPollMin, pollMax: DefaultPollMax, maxWait: DefaultMaxWait}
	paymentWait   = waitConfig{pollMin: DefaultPollMin, pollMax: DefaultPollMax, maxWait: 6 * time.Minute}
	payinWait     = waitConfig{pollMin: 5 * time.Second, pollMax: DefaultPollMax, maxWait: 10 * time.Minute}
	manyWait      = waitConfig{pollMin: DefaultPollMin, pollMax: DefaultPollMax}
)

// with is the configuration that the options make, once it and what is waited for were checked.
func (cfg *waitConfig) with(ctx context.Context, opts []WaitOption, name string, ids ...string) (*waitConfig, error) {
	if len(opts) > 0 {
		own := *cfg
		cfg = &own
		for _, opt := range opts {
			if opt != nil {
				opt(cfg)
			}
		}
		for _, d := range []*time.Duration{&own.pollMin, &own.pollMax, &own.maxWait, &own.firstLook} {
			*d = min(*d, time.Duration(forever))
		}
	}
	var v validation
	v.check(ctx != nil, "ctx", "ctx is nil: give context.Background() if nothing bounds the wait")
	v.check(cfg.pollMin > 0, "poll_interval", "poll_interval must start above 0")
	v.check(cfg.pollMax >= cfg.pollMin, "poll_interval", "poll_interval must not end below its start")
	v.check(cfg.maxWait >= 0, "max_wait", "max_wait must not be negative")
	v.check(cfg.firstLook >= 0, "first_look", "first_look must not be negative")
	for _, id := range ids {
		v.pathID(name, id)
	}
	if len(v.fields) > 0 {
		return nil, &Error{Code: CodeValidationError, Message: "nothing was sent", Details: v.fields, Outcome: OutcomeNotSent}
	}
	return cfg, nil
}

// jitterParts is how finely the jitter is drawn.
const jitterParts = 1024

// pause is how long to wait after so many polls: half as long again each time, spread by a quarter either way so that waits that began
// together do not stay together, within the bounds that were asked for.
func (cfg *waitConfig) pause(polls uint8, draw int64) time.Duration {
	interval := cfg.pollMin
	for ; polls > 0 && interval < cfg.pollMax; polls-- {
		interval = min(cfg.pollMax, interval+interval/2)
	}
	spread := interval - interval/4 + interval/2*time.Duration(draw)/jitterParts
	return min(max(spread, cfg.pollMin), cfg.pollMax)
}

// waitFailure makes the error of a wait that ended first. Parameters that were refused are no wait at all.
func waitFailure(err error, failure *WaitError) error {
	var e *Error
	if errors.As(err, &e) && e.Outcome == OutcomeNotSent && e.Code == CodeValidationError {
		return err
	}
	failure.Err = err
	return failure
}

// WaitMany waits for any number of operations and yields each as it ends: those of a batch, or those that an earlier process has left
// behind. The ids are all it needs. It goes on until all have ended or ctx does. [WithMaxWait] bounds the wait for each operation, and
// [WithProgress] is told of those that have not ended each time they were looked up.
//
// An operation that succeeded is yielded with a nil error. For any other the operation is nil, and the error an
// [*OperationError] when it failed or expired, and a [*WaitError] when nothing more will be heard of it: the context ended, or the API
// refused to tell, as it does of an id that it does not know after 15 s. Both name the operation. The waiting ends when the range does. An id
// that is given twice is yielded once. If an id cannot be one, an [*Error] is all that is yielded, and nothing is waited for. Without
// [WithMaxWait] and a deadline of ctx the wait has no limit.
//
// Endpoints: GET /operations and GET /operations/{id}. Docs: Merchant API, Operations.
func (c *Client) WaitMany(ctx context.Context, operationIDs []string, opts ...WaitOption) iter.Seq2[*Operation, error] {
	return func(yield func(*Operation, error) bool) {
		cfg, err := manyWait.with(ctx, opts, "operation_id", operationIDs...)
		if err != nil {
			yield(nil, err)
			return
		}
		c.operationWaits.awaitMany(ctx, operationIDs, cfg, func(id string, op *Operation, err error) bool {
			if err != nil {
				return yield(nil, waitFailure(err, &WaitError{Operation: op, ID: id}))
			}
			return yield(succeeded(op))
		})
	}
}

// awaitMany waits for all ids and hands over each as it ends, until hand says that it is enough.
func (p *poller[T, P]) awaitMany(ctx context.Context, ids []string, cfg *waitConfig, hand func(id string, item *T, err error) bool) {
	news := make(chan struct{}, 1)
	waiting := p.joinAll(ctx, ids, cfg, news)
	defer func() { p.leaveAll(waiting, news) }()
	for len(waiting) > 0 {
		var ended error
		select {
		case <-news:
		case <-ctx.Done():
			ended = whyEnded(ctx)
		}
		done, seen := p.collect(news)
		for _, item := range seen {
			cfg.show(item)
		}
		if ended != nil {
			done = slices.Collect(maps.Keys(waiting))
		}
		for _, w := range done {
			id, mine := waiting[w]
			if !mine {
				continue
			}
			item, _, err := p.look(id, w, news, cfg, ended)
			delete(waiting, w)
			if !hand(id, item, err) {
				return
			}
		}
	}
}

// joinAll begins to wait for all of the ids.
func (p *poller[T, P]) joinAll(ctx context.Context, ids []string, cfg *waitConfig, news chan struct{}) map[*watch[T]]string {
	p.mu.Lock()
	p.joined++
	p.batches[news] = &batch[T]{order: p.joined}
	p.mu.Unlock()
	waiting := make(map[*watch[T]]string, len(ids))
	known := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		if _, twice := known[id]; twice {
			continue
		}
		known[id] = struct{}{}
		waiting[p.join(ctx, id, cfg, news)] = id
	}
	return waiting
}

// leaveAll ends what is left of a batch.
func (p *poller[T, P]) leaveAll(waiting map[*watch[T]]string, news chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range waiting {
		p.leave(w, news)
	}
	delete(p.batches, news)
}

// collect takes what a batch has to look at.
func (p *poller[T, P]) collect(news chan struct{}) (done []*watch[T], seen []*T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.batches[news]
	done, seen = b.done, b.seen
	b.done, b.seen = nil, nil
	return done, seen
}

// show calls the function that was given for operations.
func (cfg *waitConfig) show(item any) {
	if op, ok := item.(*Operation); ok && cfg.progress != nil {
		cfg.progress(op)
	}
}
