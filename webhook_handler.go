package intram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/system"
)

// Bounds of the webhook handler.
const (
	// MaxWebhookBody is the largest delivery that is read, 1 MiB. Intram's are a few
	// hundred bytes.
	MaxWebhookBody = 1 << 20
	// defaultHandlerTimeout is how long the merchant's function may take.
	defaultHandlerTimeout = 10 * time.Second
	// maxHandlerTimeout is the longest it can be given: Intram waits 15 s for the
	// response, and the inbox has its share of them.
	maxHandlerTimeout = 11 * time.Second
	// defaultClaimLease is how long an event stays claimed by a replica that crashed. It
	// is less than the minute that Intram waits before it tries again, so that the first
	// retry finds the event free.
	defaultClaimLease = 30 * time.Second
	// leaseMargin is how much longer than the function's deadline a lease must be: what
	// the inbox may take, and some more for a function that is slow to give up.
	leaseMargin = 5 * time.Second
)

// ErrTryLater is returned by a function, wrapped or not, that could not do its work
// because what it needs is not available: a database, a queue. The webhook handler then
// responds 503 with Retry-After, as for an inbox that is down, instead of 500.
var ErrTryLater = redact.Sentinel("intram: webhook: not available now; try again later")

// HandlerOption is a setting of [NewWebhookHandler] and of [NewReconciler].
type HandlerOption func(*handlerConfig) error

type handlerConfig struct {
	timeout, lease time.Duration
	logger         *slog.Logger
	notify         *Client
	scope          string
	scopedOnly     bool
	conflict       func(context.Context, *Event)
	failure        func(ReconciliationFailure)
	horizon        time.Duration
	tracer         DeliveryTracer
}

// WithInboxScope says whose events the handler or reconciler is for, such as "acme/live":
// any text that stays the same. It goes into [Event.InboxKey], so that merchants and
// environments can share one inbox: without it, a holder of a secret of one merchant can
// make events of another look as if they had taken effect. Give the handler and the
// reconciler of one merchant the same scope; a reconciler with another one repeats
// everything it finds. Do not derive it from a secret or a key, which change. One handler
// for several merchants gets the scope from the secret: [WebhookVerifier.WithInboxScope].
//
// What took effect without a scope still counts: an event that is new in its scope is
// also looked up without it, which costs one more claim and its release.
// [WithScopedKeysOnly] ends that.
func WithInboxScope(scope string) HandlerOption {
	return func(cfg *handlerConfig) error {
		if scope == "" {
			return errors.New("WithInboxScope: the scope is empty")
		}
		cfg.scope = scope
		return nil
	}
}

// WithScopedKeysOnly no longer looks for what took effect without a scope. Set it for a
// merchant that always had a scope, and otherwise [InboxRetention] after the last replica
// without one has stopped. As long as it is not set, an event that takes effect in the
// same inbox without a scope counts for this scope too.
func WithScopedKeysOnly() HandlerOption {
	return func(cfg *handlerConfig) error { cfg.scopedOnly = true; return nil }
}

// WithConflictHook sets a function that is called when an event of a state that has taken
// effect comes again with another OccurredAt and other data. That an operation reaches a
// state once is an assumption; this is how an event that breaks it is counted, and looked
// at. The event does not take effect, is logged as a warning, and is acknowledged.
//
// The inbox has to keep [Claim].Note. Events of the reconciler's are not compared.
func WithConflictHook(conflict func(ctx context.Context, event *Event)) HandlerOption {
	return func(cfg *handlerConfig) error {
		if conflict == nil {
			return errors.New("WithConflictHook: the function is nil")
		}
		cfg.conflict = conflict
		return nil
	}
}

// WithFailureHook sets a function that a [Reconciler] calls for each event that it could
// not make take effect, as soon as that is known. [Reconciliation].Failures holds 1000 of
// them at most, and a run that ends with an error returns none. It does nothing for a
// handler, whose failures Intram delivers again.
func WithFailureHook(failed func(ReconciliationFailure)) HandlerOption {
	return func(cfg *handlerConfig) error {
		if failed == nil {
			return errors.New("WithFailureHook: the function is nil")
		}
		cfg.failure = failed
		return nil
	}
}

// WithHandlerTimeout sets the deadline of the function's context, 10 s unless set and 11
// s at most. What takes longer belongs into a queue of your own: put it there, and
// return.
func WithHandlerTimeout(d time.Duration) HandlerOption {
	return func(cfg *handlerConfig) error {
		if d <= 0 || d > maxHandlerTimeout {
			return errors.New("WithHandlerTimeout: the timeout must be above 0 and at most " + maxHandlerTimeout.String())
		}
		cfg.timeout = d
		return nil
	}
}

// WithClaimLease sets how long a claim lasts, 30 s unless set; it must be 5 s longer than
// the function's deadline at least. A longer one protects a function that ignores its
// deadline; a shorter one frees the events of a crashed replica sooner.
func WithClaimLease(d time.Duration) HandlerOption {
	return func(cfg *handlerConfig) error { cfg.lease = d; return nil } // newIntake compares it with the timeout
}

// WithNotify gives each verified event to [Client.Notify], so that a wait in this process
// for what it is about is woken at once. The event is given before the inbox is asked and
// whether or not it is new: to wake a wait twice does no harm.
//
// An event causes a lookup with the client's own keys. So the events of other merchants,
// which a handler with secrets of several scopes receives ([JoinVerifiers]), end no wait.
func WithNotify(c *Client) HandlerOption {
	return func(cfg *handlerConfig) error {
		if c == nil {
			return errors.New("WithNotify: the client is nil")
		}
		cfg.notify = c
		return nil
	}
}

// WithHandlerLogger writes a line for each delivery to l: what it was and what became of
// it, without bodies, secrets or what identifies a person. What your function returns as
// an error is shown with numbers and addresses masked.
func WithHandlerLogger(l *slog.Logger) HandlerOption {
	return func(cfg *handlerConfig) error {
		if l == nil {
			return errors.New("WithHandlerLogger: the logger is nil")
		}
		cfg.logger = l
		return nil
	}
}

// newIntake checks what the handler and the reconciler have in common. The intake is
// there even when the error is not nil, with a logger.
func newIntake(inbox Inbox, handle EventHandler, opts []HandlerOption) (*intake, error) {
	cfg := handlerConfig{timeout: defaultHandlerTimeout, lease: defaultClaimLease, horizon: defaultReconcileHorizon, logger: slog.New(slog.DiscardHandler)}
	var invalid error
	for _, opt := range opts {
		if opt != nil && invalid == nil {
			invalid = opt(&cfg)
		}
	}
	in := &intake{inbox: inbox, handle: handle, timeout: cfg.timeout, lease: cfg.lease, clock: system.Clock{}, logger: cfg.logger, notify: cfg.notify,
		scope: cfg.scope, scopedOnly: cfg.scopedOnly, conflict: cfg.conflict, failure: cfg.failure, horizon: cfg.horizon}
	in.trace = newDeliveryTracing(cfg.tracer, in.clock, cfg.logger)
	switch {
	case invalid != nil:
		return in, invalid
	case isNil(inbox):
		return in, errors.New("the inbox is nil")
	case handle == nil:
		return in, errors.New("the function is nil")
	case cfg.lease < cfg.timeout+leaseMargin || cfg.lease > InboxRetention:
		return in, errors.New("WithClaimLease: the lease must be at least " + leaseMargin.String() +
			" longer than the function's timeout, and at most " + InboxRetention.String())
	}
	return in, nil
}

// NewWebhookHandler receives Intram's deliveries: it verifies each one, claims the event
// in the inbox, calls handle, completes the claim, and only then acknowledges. No event
// is lost: a failure at any step makes Intram send it again. None takes effect twice:
// what took effect is remembered, by [Event.InboxKey], for longer than Intram retries.
//
// Mount it where the raw body still is to be read: on [http.ServeMux], chi, gin or echo,
// before anything that decodes or decompresses. docs/webhooks.md has each of them.
//
// # What handle has to do
//
// It is called with a context that ends after 10 s, unless [WithHandlerTimeout] says
// otherwise, and that does not end when the client hangs up. Return nil when the event
// has taken effect, or when it is nothing to you; return an error to have it sent again.
//
// Between handle's effect and the completion of its claim lies an instant in which the
// machine can fail. Close it with InTx of pginbox, redisinbox or sqlinbox, which put both
// into one transaction, or make the effect idempotent by Event.InboxKey. Obey the
// context: a function that goes on after its deadline keeps its claim as long as it runs,
// but not beyond the lease; after that another replica may start the same event, and only
// the transaction keeps the two apart.
//
// # Responses
//
//	200  the event has taken effect, now or before, or no handler is registered for it
//	400  signed, and not an event; or the body could not be read
//	401  "bad signature", or "stale timestamp" when the signature is good
//	405  not a POST
//	413  larger than MaxWebhookBody
//	415  a content encoding: what is signed is the plain body
//	500  handle failed, panicked or outlived its deadline; the inbox panicked; or the handler was made with a mistake, which the answer names
//	503  with Retry-After: the secrets are not available ([NewWebhookVerifierFunc]); another replica holds the claim, or the inbox is down, or has not taken note of the effect yet;
//	     or handle returned ErrTryLater
//
// A completion that the inbox does not take is tried again after the 503 too, until the
// lease ends and for 2 minutes at least: an effect that was made is not forgotten because
// a database failed over. Give the inbox connections of its own: when your function
// shares them, a burst of deliveries keeps completions waiting for functions.
//
// The Content-Type is not looked at: the documentation promises none, and the signature
// says more.
//
// A mistake in the parameters makes a handler that responds 500 to everything, says why,
// and loses no event.
//
// Docs: Merchant API, Webhooks.
func NewWebhookHandler(verifier *WebhookVerifier, inbox Inbox, handle EventHandler, opts ...HandlerOption) http.Handler {
	in, err := newIntake(inbox, handle, opts)
	if verifier == nil {
		err = errors.New("the verifier is nil")
	}
	if err != nil {
		return misconfigured(in, err)
	}
	in.trace.setClock(verifier.clock)
	return &webhookHandler{verifier: verifier, intake: in}
}

type webhookHandler struct {
	verifier *WebhookVerifier
	intake   *intake

	// Of a platform: verified, when set, is called when the verifier has spoken.
	verified func()
}

// verify verifies a delivery.
func (h *webhookHandler) verify(ctx context.Context, r *http.Request, body []byte) (*Event, error) {
	event, err := h.verifier.verify(ctx, r.Header, body)
	if h.verified != nil {
		h.verified()
	}
	return event, err
}

// ServeHTTP implements [http.Handler].
func (h *webhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, delivery := h.intake.trace.start(r.Context(), sourceWebhook, r.Header)
	defer delivery.close()
	body, refused := readDelivery(w, r)
	if refused != nil {
		h.refuse(ctx, w, r, refused, delivery)
		return
	}
	event, err := h.verify(ctx, r, body)
	if err != nil {
		h.refuse(ctx, w, r, refusalOf(err), delivery)
		return
	}
	delivery.verified(event)
	if h.intake.notify != nil {
		h.intake.notify.Notify(event)
	}
	o := h.intake.take(ctx, event)
	delivery.came(o.verdict, respondTo(w, o), o.err)
}

// respondTo responds to a delivery that was verified. It returns the status.
func respondTo(w http.ResponseWriter, o outcome) (status int) {
	switch o.verdict {
	case tookEffect, tookBefore:
		return respond(w, http.StatusOK, "ok")
	case underWay:
		return respondLater(w, o.retryIn, "being handled")
	case storeDown:
		return respondLater(w, o.retryIn, "the inbox is not available")
	case notRecorded:
		return respondLater(w, o.retryIn, "handled, and not recorded")
	case inboxBroken:
		return respond(w, http.StatusInternalServerError, "the inbox panicked")
	case failed:
		if errors.Is(o.err, ErrTryLater) {
			return respondLater(w, o.retryIn, "not available")
		}
		return respond(w, http.StatusInternalServerError, "the event was not handled")
	case outlived, abandoned, notVerified:
	}
	return respond(w, http.StatusInternalServerError, "the event was not handled in time")
}

// refusal is a delivery that does not get as far as the inbox.
type refusal struct {
	status int
	answer string // the text of the response, which tells a stranger nothing
	reason string // for the merchant's log
	err    error
}

// readDelivery reads the raw body of what looks like a delivery.
func readDelivery(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &refusal{status: http.StatusMethodNotAllowed, answer: "only POST", reason: "not a POST"}
	}
	for name, encodings := range r.Header {
		if strings.EqualFold(name, "Content-Encoding") && slices.ContainsFunc(encodings, isEncoding) {
			return nil, &refusal{
				status: http.StatusUnsupportedMediaType, answer: "no content encoding, please",
				reason: "the body is encoded",
			}
		}
	}
	if r.Body == nil { // a request that no server has made
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxWebhookBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, answer: "too large", reason: "the body is too large"}
	case err != nil:
		return nil, &refusal{
			status: http.StatusBadRequest, answer: "the body could not be read",
			reason: "the body could not be read", err: err,
		}
	}
	return body, nil
}

// isEncoding reports whether a Content-Encoding changes the body.
func isEncoding(encoding string) bool {
	return encoding != "" && !strings.EqualFold(encoding, "identity")
}

// refusalOf returns the response to a delivery that was not verified.
func refusalOf(err error) *refusal {
	switch {
	case errors.Is(err, ErrSecretsUnavailable):
		return &refusal{http.StatusServiceUnavailable, "not available", "the secrets are not available", ownWordsError{err}}
	case errors.Is(err, ErrInvalidPayload):
		return &refusal{http.StatusBadRequest, "not an event", "signed, and not an event", ownWordsError{err}}
	case errors.Is(err, ErrStaleTimestamp):
		return &refusal{http.StatusUnauthorized, "stale timestamp", "the timestamp is stale", ownWordsError{err}}
	default:
		return &refusal{http.StatusUnauthorized, "bad signature", "the signature is not good", ownWordsError{err}}
	}
}

func (h *webhookHandler) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, why *refusal, delivery *tracedDelivery) {
	defer why.respond(w)
	delivery.came(notVerified, why.status, cmp.Or(why.err, redact.Sentinel(why.reason)))
	if !h.intake.logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	deliveryID, _ := onlyHeader(r.Header, headerWebhookDelivery, nil)
	attrs := []slog.Attr{slog.String("reason", why.reason), slog.Int("status", why.status), slog.String("delivery_id", scrubID(deliveryID))}
	if why.err != nil {
		attrs = append(attrs, slog.String("error", causeText(why.err)))
	}
	h.intake.logger.LogAttrs(ctx, slog.LevelWarn, "webhook refused", attrs...)
}

func (why *refusal) respond(w http.ResponseWriter) {
	if why.status == http.StatusServiceUnavailable {
		respondLater(w, storeRetryAfter, why.answer)
		return
	}
	respond(w, why.status, why.answer)
}

func respond(w http.ResponseWriter, status int, text string) int {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	writeString(w, text+"\n")
	return status
}

// respondLater asks to be sent the delivery again, in whole seconds and after one at
// least.
func respondLater(w http.ResponseWriter, in time.Duration, text string) int {
	seconds := max(1, int64((in+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	return respond(w, http.StatusServiceUnavailable, text)
}

// misconfigured responds 500 to everything, so that Intram retries after the handler is
// fixed.
func misconfigured(in *intake, err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, delivery := in.trace.start(r.Context(), sourceWebhook, r.Header)
		defer delivery.close()
		in.logger.LogAttrs(ctx, slog.LevelError, "webhook handler was made with a mistake", slog.String("error", err.Error()))
		status := respond(w, http.StatusInternalServerError, "webhook handler: "+err.Error())
		delivery.came(notVerified, status, ownWordsError{err})
	})
}

// intake gives each event to the merchant's function once: it claims the event, calls the
// function, and completes or releases the claim. The webhook handler and the reconciler
// are two ways into the same one.
type intake struct {
	inbox   Inbox
	handle  EventHandler
	timeout time.Duration // what the function may take
	lease   time.Duration
	clock   Clock
	logger  *slog.Logger
	notify  *Client // of what was delivered; nil for none
	// scope is the scope of events that come without one, and scopedOnly whether their
	// keys without it count no more.
	scope      string
	scopedOnly bool
	conflict   func(context.Context, *Event)
	failure    func(ReconciliationFailure) // of the reconciler
	horizon    time.Duration               // of the reconciler
	trace      *deliveryTracing            // nil for no tracer
}

const (
	// storeTimeout is how long the inbox may take to respond, before the function and
	// again after it.
	storeTimeout = 2 * time.Second
	// storePause is the wait before a completion that failed is tried again. It doubles
	// each time, up to maxStorePause.
	storePause    = 50 * time.Millisecond
	maxStorePause = time.Second
	// completionTime is how long a completion is tried at least. It may go on after the
	// lease: a late completion succeeds as long as no other replica has claimed the
	// event, and does nothing once one has.
	completionTime = 2 * time.Minute
	// storeRetryAfter is how long Intram is asked to wait when nothing says how long the
	// store will be down.
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
	outlived                       // the function was still running when the response was due
	notRecorded                    // the function succeeded, and the inbox does not know yet
	inboxBroken                    // the inbox panicked
	notVerified                    // it was refused before the inbox was asked
	abandoned                      // a panic ended it
)

// word is the verdict as a tracer gets it.
func (v verdict) word() string {
	switch v {
	case tookEffect:
		return "took_effect"
	case tookBefore:
		return "took_before"
	case underWay:
		return "under_way"
	case storeDown:
		return "store_down"
	case failed:
		return "failed"
	case outlived:
		return "outlived"
	case notRecorded:
		return "not_recorded"
	case inboxBroken:
		return "inbox_broken"
	case notVerified:
		return "refused"
	case abandoned:
	}
	return "abandoned"
}

// outcome is a verdict with its reason, and for how long it will not change.
type outcome struct {
	verdict verdict
	retryIn time.Duration
	err     error
}

var (
	errOutlived = redact.Sentinel("intram: webhook: the function is still running after its deadline: check that it returns when its context is done")
	errExited   = redact.Sentinel("intram: webhook: the function ended its goroutine instead of returning")
)

// take brings one event to its effect. It returns when the function has, and a little
// after the function's deadline at the latest.
//
// What has begun is not broken off when ctx ends: a client that hangs up must not stop an
// effect half-way. A function that ignores its deadline cannot be stopped; it goes on,
// and keeps its claim until it returns or the lease runs out, since its effect may still
// come.
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

// claimEvent claims the event's key. An event that is new in its scope may have taken
// effect before it had one, so its unscoped key is asked too. That key is only looked at,
// and never completed: another merchant's handler must not be able to make an event known
// that is not in its own scope.
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
	ctx, request := in.trace.startInbox(ctx, inboxClaim)
	defer func() { request.close(claim.State, err) }()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	claim, err = in.inbox.Claim(ctx, key, in.lease)
	if err == nil && claim.State != ClaimHeld && claim.State != ClaimBusy && claim.State != ClaimDone {
		err = fmt.Errorf("intram: inbox: it returned a claim with state %d", int(claim.State))
	}
	return claim, err
}

// contradicted tells of an event of a state that is known, and that says something else
// than the first one.
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

// tellFailure calls the failure hook.
func (in *intake) tellFailure(failure ReconciliationFailure) {
	defer func() {
		if value := recover(); value != nil {
			in.log(context.Background(), slog.LevelError, "reconciler's failure hook panicked", failure.Event, panicked(value))
		}
	}()
	in.failure(failure)
}

// settle tells the inbox what came of the function, and responds as soon as that is
// known, or cannot be known in time. What took effect and could not be recorded by then
// is recorded later: it goes on until the inbox takes note.
func (in *intake) settle(ctx context.Context, event *Event, claim Claim, failure error, answer func(outcome)) {
	if failure != nil {
		in.log(ctx, slog.LevelError, "webhook function failed", event, failure)
		in.release(ctx, event, claim)
		answer(outcome{verdict: failed, retryIn: storeRetryAfter, err: failure})
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

// complete tries for some time: the effect is there, and a store that restarts or fails
// over comes back.
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
	ctx, request := in.trace.startInbox(ctx, inboxComplete)
	defer func() { request.close(0, err) }()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	return in.inbox.Complete(ctx, claim)
}

func (in *intake) releaseOnce(ctx context.Context, claim Claim) (err error) {
	ctx, request := in.trace.startInbox(ctx, inboxRelease)
	defer func() { request.close(0, err) }()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer inboxPanic(&err)
	return in.inbox.Release(ctx, claim)
}

// errInboxPanicked is a mistake in an inbox. It fails the delivery, not the program.
var errInboxPanicked = redact.Sentinel("intram: inbox: it panicked")

// inboxPanic makes an error of an inbox's panic, to be deferred. As in panicked, only the
// runtime's own words are shown.
func inboxPanic(err *error) {
	switch value := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%w: %w", errInboxPanicked, value)
	default:
		*err = fmt.Errorf("%w with a %T", errInboxPanicked, value)
	}
}

// isNil reports whether an interface holds nothing, or a nil pointer: a constructor's
// result whose error was not looked at.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// release is tried once: a claim that is not released runs out by itself. ErrLeaseLost is
// no news here: a transaction whose commit was not confirmed has completed the claim.
func (in *intake) release(ctx context.Context, event *Event, claim Claim) {
	if err := in.releaseOnce(ctx, claim); err != nil {
		in.log(ctx, slog.LevelWarn, "webhook claim was not released", event, err)
	}
}

// panicked makes an error of what a function panicked with.
func panicked(value any) error { return redact.Panicked("intram: webhook: the function", value) }

// log writes a line about an event: what happened to what, and nothing of the data. The
// delivery id and the attempt are not signed.
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
