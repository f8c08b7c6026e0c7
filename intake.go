package intram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	notify  *Client // of what was delivered; nil for nobody
}

const (
	// storeTimeout is how long the inbox may take to answer, before the function and again after it.
	storeTimeout = 2 * time.Second
	// storePause is the wait before a completion that failed is tried again. It doubles each time.
	storePause = 50 * time.Millisecond
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
	notRecorded                    // the function succeeded, and the inbox may not know
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
	claim, err := in.claim(ctx, event.InboxKey())
	if err != nil {
		in.log(ctx, slog.LevelError, "webhook inbox failed", event, err)
		return outcome{verdict: storeDown, retryIn: storeRetryAfter, err: err}
	}
	switch claim.State {
	case ClaimDone:
		in.log(ctx, slog.LevelInfo, "webhook event took effect before", event, nil)
		return outcome{verdict: tookBefore}
	case ClaimBusy:
		in.log(ctx, slog.LevelInfo, "webhook event is being handled elsewhere", event, nil)
		return outcome{verdict: underWay, retryIn: claim.RetryIn}
	case ClaimHeld:
	}

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
			ended <- in.settle(ctx, event, claim, err)
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

func (in *intake) claim(ctx context.Context, key string) (Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	claim, err := in.inbox.Claim(ctx, key, in.lease)
	if err == nil && claim.State != ClaimHeld && claim.State != ClaimBusy && claim.State != ClaimDone {
		err = fmt.Errorf("intram: inbox: it answered a claim with state %d", int(claim.State))
	}
	return claim, err
}

// settle tells the inbox what came of the function.
func (in *intake) settle(ctx context.Context, event *Event, claim Claim, failure error) outcome {
	if failure != nil {
		in.log(ctx, slog.LevelError, "webhook function failed", event, failure)
		in.release(ctx, event, claim)
		return outcome{verdict: failed, err: failure}
	}
	if err := in.complete(ctx, claim); err != nil {
		in.log(ctx, slog.LevelError, "webhook event took effect, and the inbox did not take note of it", event, err)
		return outcome{verdict: notRecorded, retryIn: storeRetryAfter, err: err}
	}
	in.log(ctx, slog.LevelInfo, "webhook event took effect", event, nil)
	return outcome{verdict: tookEffect}
}

// complete tries more than once: the effect is there, and a store that restarts is back before Intram tries again.
func (in *intake) complete(ctx context.Context, claim Claim) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for pause := storePause; ; pause *= 2 {
		err := in.inbox.Complete(ctx, claim)
		if err == nil || errors.Is(err, ErrLeaseLost) || in.clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// release is tried once: a claim that is not released runs out by itself. ErrLeaseLost is no news here: a transaction
// whose commit was not confirmed has completed the claim.
func (in *intake) release(ctx context.Context, event *Event, claim Claim) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := in.inbox.Release(ctx, claim); err != nil {
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
