package intram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// intake gives each event to the merchant's function once: it claims the event, calls the function, and completes or releases the
// claim. The webhook handler and the reconciler are two ways into the same one.
type intake struct {
	inbox   Inbox
	handle  func(context.Context, *Event) error
	timeout time.Duration // what the function may take
	lease   time.Duration
	clock   Clock
	logger  *slog.Logger
	notify  *Client // of what was delivered; nil for none
	// scope is the scope of events that come without one, and scopedOnly whether their keys without it count no more.
	scope      string
	scopedOnly bool
	conflict   func(context.Context, *Event)
	horizon    time.Duration // of the reconciler
}

const (
	// storeTimeout is how long the inbox may take to answer, before the function and again after it.
	storeTimeout = 2 * time.Second
	// storePause is the wait before a completion that failed is tried again. It doubles each time, up to maxStorePause.
	storePause    = 50 * time.Millisecond
	maxStorePause = time.Second
	// completionTime is how long a completion is tried at least. It may go on after the lease: a late completion
	// succeeds as long as no other replica has claimed the event, and does nothing once one has.
	completionTime = 2 * time.Minute
	// storeRetryAfter is how long Intram is asked to wait when nothing says how long the store will be down.
	storeRetryAfter = 10 * time.Second
)

// verdict is what became of an event.
type verdict int

const (
	tookEffect  verdict = iota + 1 // the function succeeded, and the inbox knows
	tookBefore                     // the inbox knew it already
	underWay                       // another holds the claim
	storeDown                      // the inbox could not say
	failed                         // the function failed, and another try may be made
	outlived                       // the function was still running when the answer was due
	notRecorded                    // the function succeeded, and the inbox does not know yet
	inboxBroken                    // the inbox panicked
)

// outcome is a verdict with its reason, and for how long it will not change.
type outcome struct {
	verdict verdict
	retryIn time.Duration
	err     error
}

var (
	errOutlived = errors.New("intram: webhook: the function is still running after its deadline: does it heed its context?")
	errExited   = errors.New("intram: webhook: the function ended its goroutine instead of returning")
)

// take brings one event to its effect. It returns when the function has, and a little after the function's deadline at the latest.
//
// What has begun is not broken off when ctx ends: a client that hangs up must not stop an effect half-way. A
// function that ignores its deadline cannot be stopped; it goes on, and keeps its claim until it returns or the lease
// runs out, since its effect may still come.
func (in *intake) take(ctx context.Context, event *Event) outcome {
	ctx = context.WithoutCancel(ctx)
	if event.Scope == "" {
		event.Scope = in.scope
	}
	claim, err := in.claimEvent(ctx, event)
	switch {
	case errors.Is(err, errInboxPanicked):
		in.log(ctx, slog.LevelError, "webhook inbox panicked", event, err)
		return outcome{verdict: inboxBroken, err: err}
	case err != nil:
		in.log(ctx, slog.LevelError, "webhook inbox failed", event, err)
		return outcome{verdict: storeDown, retryIn: storeRetryAfter, err: err}
	}
	note := event.note()
	switch claim.State {
	case ClaimDone:
		if contradicts(claim.Note, note) {
			in.contradicted(ctx, event)
			return outcome{verdict: tookBefore}
		}
		in.log(ctx, slog.LevelInfo, "webhook event took effect before", event, nil)
		return outcome{verdict: tookBefore}
	case ClaimBusy:
		in.log(ctx, slog.LevelInfo, "webhook event is being handled elsewhere", event, nil)
		return outcome{verdict: underWay, retryIn: claim.RetryIn}
	case ClaimHeld:
	}

	claim.Note = note
	handling, cancel := context.WithTimeout(withClaim(ctx, claim), in.timeout)
	due, cancelDue := context.WithTimeout(ctx, in.timeout+storeTimeout)
	defer cancelDue()
	ended := make(chan outcome, 1)
	go func() {
		defer cancel()
		err := errExited
		defer func() {
			if value := recover(); value != nil {
				err = panicked(value)
				in.logger.LogAttrs(ctx, slog.LevelError, "webhook function panicked", slog.String("stack", string(debug.Stack())))
			}
			in.settle(ctx, event, claim, err, func(o outcome) { ended <- o })
		}()
		err = in.handle(handling, event)
	}()
	select {
	case o := <-ended:
		return o
	case <-due.Done():
	}
	select {
	case o := <-ended: // at the very same time
		return o
	default:
		in.log(ctx, slog.LevelError, "webhook function outlived its deadline", event, errOutlived)
		return outcome{verdict: outlived, err: errOutlived}
	}
}

// claimEvent claims the event's key. An event that is new in its scope may have taken effect before it had one, so its
// unscoped key is asked too. That key is only looked at, and never completed: another merchant's handler must not be able
// to make an event known that is not in its own scope.
func (in *intake) claimEvent(ctx context.Context, event *Event) (Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	claim, err := in.claim(ctx, event.InboxKey())
	if err != nil || claim.State != ClaimHeld || event.Scope == "" || in.scopedOnly {
		return claim, err
	}
	unscoped, err := in.claim(ctx, event.unscopedKey())
	switch {
	case err != nil:
		in.release(ctx, event, claim)
		return Claim{}, err
	case unscoped.State == ClaimHeld:
		in.release(ctx, event, unscoped)
		return claim, nil
	case unscoped.State == ClaimDone:
		if err := in.completeOnce(ctx, claim); err != nil {
			in.log(ctx, slog.LevelWarn, "webhook event that took effect without a scope was not noted in it", event, err)
		}
	default:
		in.release(ctx, event, claim)
	}
	return unscoped, nil
}

func (in *intake) claim(ctx context.Context, key string) (claim Claim, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	claim, err = in.inbox.Claim(ctx, key, in.lease)
	if err == nil && claim.State != ClaimHeld && claim.State != ClaimBusy && claim.State != ClaimDone {
		err = fmt.Errorf("intram: inbox: it answered a claim with state %d", int(claim.State))
	}
	return claim, err
}

// contradicted tells of an event of a state that is known, and that says something else than the first one.
func (in *intake) contradicted(ctx context.Context, event *Event) {
	in.log(ctx, slog.LevelWarn, "webhook event of a state that took effect before says something else, and had no effect", event, nil)
	if in.conflict == nil {
		return
	}
	defer func() {
		if value := recover(); value != nil {
			in.log(ctx, slog.LevelError, "webhook conflict hook panicked", event, panicked(value))
		}
	}()
	in.conflict(ctx, event)
}

// settle tells the inbox what came of the function, and answers as soon as that is known, or cannot be known in time. What took
// effect and could not be recorded by then is recorded later: it goes on until the inbox takes note.
func (in *intake) settle(ctx context.Context, event *Event, claim Claim, failure error, answer func(outcome)) {
	if failure != nil {
		in.log(ctx, slog.LevelError, "webhook function failed", event, failure)
		in.release(ctx, event, claim)
		answer(outcome{verdict: failed, err: failure})
		return
	}
	err := in.complete(ctx, claim, storeTimeout)
	if err == nil {
		in.log(ctx, slog.LevelInfo, "webhook event took effect", event, nil)
		answer(outcome{verdict: tookEffect})
		return
	}
	o := outcome{verdict: notRecorded, retryIn: storeRetryAfter, err: err}
	if errors.Is(err, errInboxPanicked) {
		o.verdict = inboxBroken
	}
	in.log(ctx, slog.LevelError, "webhook event took effect, and the inbox did not take note of it", event, err)
	answer(o)
	if errors.Is(err, ErrLeaseLost) {
		return
	}
	if err := in.complete(ctx, claim, max(in.lease, completionTime)); err != nil {
		in.log(ctx, slog.LevelError, "webhook event took effect, is not recorded, and takes effect again when it comes again", event, err)
		return
	}
	in.log(ctx, slog.LevelInfo, "webhook event took effect", event, nil)
}

// complete tries for some time: the effect is there, and a store that restarts or fails over comes back.
func (in *intake) complete(ctx context.Context, claim Claim, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for pause := storePause; ; pause = min(2*pause, maxStorePause) {
		err := in.completeOnce(ctx, claim)
		if err == nil || errors.Is(err, ErrLeaseLost) || in.clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

func (in *intake) completeOnce(ctx context.Context, claim Claim) (err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	return in.inbox.Complete(ctx, claim)
}

func (in *intake) releaseOnce(ctx context.Context, claim Claim) (err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	return in.inbox.Release(ctx, claim)
}

// errInboxPanicked is a mistake in an inbox. It fails the delivery, not the program.
var errInboxPanicked = errors.New("intram: inbox: it panicked")

// inboxPanic makes an error of an inbox's panic, to be deferred. As in panicked, only the runtime's own words are shown.
func inboxPanic(err *error) {
	switch value := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%w: %w", errInboxPanicked, value)
	default:
		*err = fmt.Errorf("%w with a %T", errInboxPanicked, value)
	}
}

// isNil reports whether an interface holds nothing, or a nil pointer: a constructor's result whose error was not looked at.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// release is tried once: a claim that is not released runs out by itself. ErrLeaseLost is no news here: a transaction
// whose commit was not confirmed has completed the claim.
func (in *intake) release(ctx context.Context, event *Event, claim Claim) {
	if err := in.releaseOnce(ctx, claim); err != nil {
		in.log(ctx, slog.LevelWarn, "webhook claim was not released", event, err)
	}
}

// panicked makes an error of what a function panicked with. Only the runtime's own words are shown: the rest may be anything,
// a customer's name included.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("intram: webhook: the function panicked: %w", err)
	}
	return fmt.Errorf("intram: webhook: the function panicked with a %T", value)
}

// log writes a line about an event: what happened to what, and nothing of the data. The delivery id and the attempt are not
// signed.
func (in *intake) log(ctx context.Context, level slog.Level, msg string, event *Event, err error) {
	if !in.logger.Enabled(ctx, level) {
		return
	}
	attrs := append(eventAttrs(event), slog.String("inbox_key", event.InboxKey()))
	if err != nil {
		attrs = append(attrs, slog.String("error", redact.Text(err.Error())))
	}
	in.logger.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // every caller gives a literal
}

func eventAttrs(event *Event) []slog.Attr {
	return []slog.Attr{
		slog.String("event", redact.Text(string(event.Type))),
		slog.String("operation_id", scrubID(event.OperationID)),
		slog.String("delivery_id", scrubID(event.DeliveryID)),
		slog.Int("attempt", event.Attempt),
	}
}
