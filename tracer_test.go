package intram_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// countingTracer implements everything a tracer can. It fails the test unless each thing
// that begins ends once, with the context that its start method returned. The clients and
// handlers of this package's tests have one, so that this holds for each failure that is
// tested here.
type countingTracer struct {
	t    *testing.T
	mu   sync.Mutex
	idle *sync.Cond
	last int
	open map[int]string
	told []any // what the methods were given, without the starts

	parent string // is sent as traceparent, unless empty
}

type spanKey struct{ kind string }

func newCountingTracer(t *testing.T) *countingTracer {
	t.Helper()
	c := &countingTracer{t: t, open: make(map[int]string)}
	c.idle = sync.NewCond(&c.mu)
	t.Cleanup(func() { // what a wait or a handler has left running ends too
		c.mu.Lock()
		defer c.mu.Unlock()
		for len(c.open) > 0 {
			c.idle.Wait()
		}
	})
	return c
}

func (c *countingTracer) start(ctx context.Context, kind string) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.open[c.last] = kind
	return context.WithValue(ctx, spanKey{kind}, c.last)
}

func (c *countingTracer) end(ctx context.Context, kind string, end any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, _ := ctx.Value(spanKey{kind}).(int)
	if c.open[id] != kind {
		c.t.Errorf("%s %d has ended before, or never begun", kind, id)
	}
	delete(c.open, id)
	c.told = append(c.told, end)
	c.idle.Broadcast()
}

// unfinished is what has begun and not ended.
func (c *countingTracer) unfinished() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.open))
}

// toldOf returns what the tracer was told of one kind.
func toldOf[T any](c *countingTracer) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []T
	for _, one := range c.told {
		if one, ok := one.(T); ok {
			all = append(all, one)
		}
	}
	return all
}

func (c *countingTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return c.start(ctx, "call")
}
func (c *countingTracer) TraceCallEnd(ctx context.Context, e intram.TraceCallEnd) {
	c.end(ctx, "call", e)
}

func (c *countingTracer) TraceAttemptStart(ctx context.Context, _ intram.TraceAttempt) context.Context {
	return c.start(ctx, "attempt")
}
func (c *countingTracer) TraceAttemptEnd(ctx context.Context, e intram.TraceAttemptEnd) {
	c.end(ctx, "attempt", e)
}

func (c *countingTracer) TraceWaitStart(ctx context.Context, _ intram.TraceWait) context.Context {
	return c.start(ctx, "wait")
}
func (c *countingTracer) TraceWaitEnd(ctx context.Context, e intram.TraceWaitEnd) {
	c.end(ctx, "wait", e)
}

func (c *countingTracer) TraceDeliveryStart(ctx context.Context, _ intram.TraceDelivery) context.Context {
	return c.start(ctx, "delivery")
}
func (c *countingTracer) TraceDeliveryEnd(ctx context.Context, e intram.TraceDeliveryEnd) {
	c.end(ctx, "delivery", e)
}

func (c *countingTracer) TraceInboxStart(ctx context.Context, _ intram.TraceInbox) context.Context {
	return c.start(ctx, "inbox")
}
func (c *countingTracer) TraceInboxEnd(ctx context.Context, e intram.TraceInboxEnd) {
	c.end(ctx, "inbox", e)
}

type budgetSpent intram.TraceCall

type doubtKept struct {
	intram.TraceCall

	keys int
}

func (c *countingTracer) TraceBudgetSpent(_ context.Context, call intram.TraceCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, budgetSpent(call))
}

func (c *countingTracer) TraceDoubt(_ context.Context, call intram.TraceCall, keys int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, doubtKept{call, keys})
}

func (c *countingTracer) TraceHeaders(_ context.Context, h http.Header) {
	if c.parent != "" {
		h.Set("Traceparent", c.parent)
	}
}

const traceKey = "mine-0001" // an idempotency key, and the hash that a tracer is told

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

func TestATracerIsToldOfACallAndItsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tracer := newCountingTracer(t)
		tracer.parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		slow := func(next step) step {
			return func(r *http.Request) (*http.Response, error) { elapse(t, 2*time.Second); return next(r) }
		}
		s := &script{t: t, steps: []step{
			slow(answer(503, `{"error":true,"code":"internal_error"}`, "Retry-After", "3", "X-Request-Id", "req-1")),
			slow(lost), slow(answer(202, accepted, "Idempotent-Replay", "true")),
		}}
		client := newClient(t, s, intram.WithTracer(tracer))
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
		require.NoError(t, err)
		call := intram.TraceCall{
			API: "merchant", Method: "POST", Template: "/payouts", ServerAddress: "api.intram.org", ServerPort: 443, Environment: intram.Live,
			IdempotencyKeyHash: hashOf(traceKey),
		}
		assert.Equal(t, []intram.TraceCallEnd{{
			TraceCall: call, Duration: 9 * time.Second, Attempts: 3, StatusCode: http.StatusAccepted, Replayed: true, OperationID: "op_2f4a8b1c",
		}}, toldOf[intram.TraceCallEnd](tracer))
		attempts := toldOf[intram.TraceAttemptEnd](tracer)
		require.Len(t, attempts, 3)
		require.ErrorIs(t, attempts[1].Err, syscall.ECONNRESET)
		assert.Equal(t, "read tcp: connection reset by peer", attempts[1].Err.Error())
		attempts[1].Err = nil
		at := func(n int) intram.TraceAttempt { return intram.TraceAttempt{TraceCall: call, Number: n} }
		assert.Equal(t, []intram.TraceAttemptEnd{
			{
				TraceAttempt: at(1), Duration: 2 * time.Second, StatusCode: 503, Code: intram.CodeInternalError, RequestID: "req-1",
				RetryAfter: 3 * time.Second, Retry: true, Wait: 3 * time.Second,
			},
			{TraceAttempt: at(2), Duration: 2 * time.Second, Retry: true},
			{TraceAttempt: at(3), Duration: 2 * time.Second, StatusCode: 202},
		}, attempts)
		assert.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", s.last().Header.Get("traceparent"))
	})
}

// A refusal is told with what the caller gets, a call of payin sessions with its own API.
func TestATracerIsToldWhyACallFailed(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	s := &script{t: t, steps: []step{answer(400, `{"error":true,"code":"unknown_currency"}`), lost}}
	client := newClient(t, s, intram.WithTracer(tracer), intram.WithMaxAttempts(1))
	_, refusedErr := client.Payouts.Create(t.Context(), mobilePayout())
	_, lostErr := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
	_, invalid := client.Operations.Get(t.Context(), "a/b")
	_, without := client.Payin.Get(t.Context(), "order-1")
	_, canceled := func() (*intram.Balance, error) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return client.Balance.Get(ctx)
	}()
	ends := toldOf[intram.TraceCallEnd](tracer)
	require.Len(t, ends, 5)
	for i, want := range []struct {
		err      error
		outcome  intram.Outcome
		code     intram.ErrorCode
		status   int
		attempts int
		api      string
	}{
		{refusedErr, intram.OutcomeRejected, intram.CodeUnknownCurrency, 400, 1, "merchant"},
		{lostErr, intram.OutcomeUnknown, "", 0, 1, "merchant"},
		{invalid, intram.OutcomeNotSent, intram.CodeValidationError, 0, 0, "merchant"},
		{without, intram.OutcomeNotSent, intram.CodeValidationError, 0, 0, "payin"},
		{canceled, intram.OutcomeNotSent, "", 0, 0, "merchant"},
	} {
		end := ends[i]
		require.Error(t, want.err)
		assert.Equal(t, want.err, end.Err, "%d", i)
		assert.Equal(t, want.outcome, end.Outcome, "%d", i)
		assert.Equal(t, want.code, end.Code, "%d", i)
		assert.Equal(t, want.status, end.StatusCode, "%d", i)
		assert.Equal(t, want.attempts, end.Attempts, "%d", i)
		assert.Equal(t, want.api, end.API, "%d", i)
		assert.Empty(t, end.OperationID)
	}
	assert.Equal(t, "/operations/{id}", ends[2].Template)
	assert.Empty(t, ends[2].IdempotencyKeyHash, "a read has none")
	doubts := toldOf[doubtKept](tracer)
	require.Len(t, doubts, 1, "a refusal leaves none")
	assert.Equal(t, hashOf(traceKey), doubts[0].IdempotencyKeyHash)
	assert.Equal(t, 1, doubts[0].keys)
}

func TestATracerIsToldOfPayinSessions(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	tracer.parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	server := &payinServer{answers: []payinAnswer{{status: 403, body: `{"code":"api_token_invalid","statusCode":403}`}}}
	_, err := newPayin(t, server, intram.WithTracer(tracer)).Get(t.Context(), "order-1")
	require.ErrorIs(t, err, intram.CodeAPITokenInvalid)
	ends := toldOf[intram.TraceAttemptEnd](tracer)
	require.Len(t, ends, 1)
	assert.Equal(t, intram.TraceCall{
		API: "payin", Method: "GET", Template: "/v1/payin/{reference}", ServerAddress: "business.novasend.app", ServerPort: 443, Environment: intram.Live,
	}, ends[0].TraceCall)
	assert.Equal(t, intram.CodeAPITokenInvalid, ends[0].Code)
	assert.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", server.requests[0].Header.Get("Traceparent"))
}

// A lookup is about an operation, and has not created it.
func TestATracerIsToldOfACreatedOperationOnly(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	client := newClient(t, &script{t: t, steps: []step{finished(t), answer(202, accepted)}}, intram.WithTracer(tracer))
	_, err := client.Operations.Get(t.Context(), "op_1")
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	ends := toldOf[intram.TraceCallEnd](tracer)
	assert.Empty(t, ends[0].OperationID)
	assert.Equal(t, "op_2f4a8b1c", ends[1].OperationID)
}

func TestATracerIsToldThatTheBudgetIsSpent(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	s := &script{t: t, forever: answer(503, "", "Retry-After", "0")}
	client := newClient(t, s, intram.WithTracer(tracer), intram.WithJitter(0))
	calls := 0
	for len(toldOf[budgetSpent](tracer)) == 0 && calls < 60 { // 100 retries, 3 a call
		_, err := client.Balance.Get(t.Context())
		require.Error(t, err)
		calls++
	}
	assert.Equal(t, 34, calls)
	assert.Equal(t, "/balance", toldOf[budgetSpent](tracer)[0].Template)
	attempts := toldOf[intram.TraceAttemptEnd](tracer)
	assert.False(t, attempts[len(attempts)-1].Retry)
}

// badTracer does in one of its methods what a tracer must not do.
type badTracer struct {
	*countingTracer

	in  string
	bad func(context.Context) context.Context
}

func (b *badTracer) or(ctx context.Context, method string, good func() context.Context) context.Context {
	good()
	if b.in == method {
		return b.bad(ctx)
	}
	return ctx
}

// silently is a countingTracer's end that the bad method's context may have lost.
func silently(f func()) func() context.Context { return func() context.Context { f(); return nil } }

func (b *badTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return b.or(ctx, "TraceCallStart", silently(func() {}))
}
func (b *badTracer) TraceCallEnd(ctx context.Context, e intram.TraceCallEnd) {
	b.or(ctx, "TraceCallEnd", silently(func() { b.note(e) }))
}
func (b *badTracer) TraceAttemptStart(ctx context.Context, _ intram.TraceAttempt) context.Context {
	return b.or(ctx, "TraceAttemptStart", silently(func() {}))
}
func (b *badTracer) TraceAttemptEnd(ctx context.Context, e intram.TraceAttemptEnd) {
	b.or(ctx, "TraceAttemptEnd", silently(func() { b.note(e) }))
}
func (b *badTracer) TraceBudgetSpent(ctx context.Context, _ intram.TraceCall) {
	b.or(ctx, "TraceBudgetSpent", silently(func() {}))
}
func (b *badTracer) TraceDoubt(ctx context.Context, _ intram.TraceCall, _ int) {
	b.or(ctx, "TraceDoubt", silently(func() {}))
}
func (b *badTracer) TraceWaitStart(ctx context.Context, _ intram.TraceWait) context.Context {
	return b.or(ctx, "TraceWaitStart", silently(func() {}))
}
func (b *badTracer) TraceWaitEnd(ctx context.Context, e intram.TraceWaitEnd) {
	b.or(ctx, "TraceWaitEnd", silently(func() { b.note(e) }))
}
func (b *badTracer) TraceHeaders(ctx context.Context, _ http.Header) {
	b.or(ctx, "TraceHeaders", silently(func() {}))
}
func (b *badTracer) TraceDeliveryStart(ctx context.Context, _ intram.TraceDelivery) context.Context {
	return b.or(ctx, "TraceDeliveryStart", silently(func() {}))
}
func (b *badTracer) TraceDeliveryEnd(ctx context.Context, e intram.TraceDeliveryEnd) {
	b.or(ctx, "TraceDeliveryEnd", silently(func() { b.note(e) }))
}
func (b *badTracer) TraceInboxStart(ctx context.Context, _ intram.TraceInbox) context.Context {
	return b.or(ctx, "TraceInboxStart", silently(func() {}))
}
func (b *badTracer) TraceInboxEnd(ctx context.Context, e intram.TraceInboxEnd) {
	b.or(ctx, "TraceInboxEnd", silently(func() { b.note(e) }))
}
func (c *countingTracer) note(end any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, end)
}

var tracerMethods = []string{
	"TraceCallStart", "TraceCallEnd", "TraceAttemptStart", "TraceAttemptEnd", "TraceBudgetSpent", "TraceDoubt", "TraceHeaders",
	"TraceWaitStart", "TraceWaitEnd", "TraceDeliveryStart", "TraceDeliveryEnd", "TraceInboxStart", "TraceInboxEnd",
}

// misbehaviour is what a method may do that it must not, and whether that is logged.
var misbehaviour = map[string]struct {
	do     func(context.Context) context.Context
	logged string
}{
	"a panic":             {func(context.Context) context.Context { panic("Ada Lovelace 22961234567") }, "panic with a string"},
	"a runtime panic":     {func(context.Context) context.Context { var none *int; *none = 1; return nil }, "nil pointer dereference"},
	"panic(nil)":          {func(context.Context) context.Context { panic(nil) }, "panic called with nil argument"},
	"Goexit":              {func(context.Context) context.Context { runtime.Goexit(); return nil }, "it ended its goroutine"},
	"a nil context":       {func(context.Context) context.Context { return nil }, ""},
	"another context":     {func(context.Context) context.Context { return context.Background() }, ""},
	"a context that ends": {func(ctx context.Context) context.Context { ctx, end := context.WithCancel(ctx); end(); return ctx }, ""},
}

// Whatever a method does, what it is told of goes on, and each start has its end.
func TestATracerChangesNothing(t *testing.T) {
	t.Parallel()
	for name, wrong := range misbehaviour {
		for _, method := range tracerMethods {
			t.Run(method+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tracer := &badTracer{&countingTracer{t: t, open: map[int]string{}}, method, wrong.do}
					m := &mailbox{}
					s := &script{t: t, steps: []step{
						answer(503, "", "Retry-After", "1"), answer(202, accepted), operation("processing"), finished(t), lost, lost, lost, lost,
					}}
					client := newClient(t, s, intram.WithTracer(tracer), intram.WithLogger(m.logger()))
					op, err := client.Payouts.Create(t.Context(), mobilePayout())
					require.NoError(t, err)
					assert.Equal(t, "op_2f4a8b1c", op.ID)
					result, err := client.Payouts.Wait(t.Context(), "op_1")
					require.NoError(t, err)
					assert.True(t, result.Paid())
					_, err = client.Payouts.Create(t.Context(), mobilePayout())
					assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
					s.forever = answer(503, "", "Retry-After", "0")
					for range 40 { // the budget of reads
						_, err = client.Balance.Get(t.Context())
						require.Error(t, err)
					}
					assert.Len(t, toldOf[intram.TraceCallEnd](tracer.countingTracer), 2+2+40, "two lookups")
					assert.Len(t, toldOf[intram.TraceAttemptEnd](tracer.countingTracer), 8+40+100)
					assert.Len(t, toldOf[intram.TraceWaitEnd](tracer.countingTracer), 1)

					box := newMailboxWith(t, new(intram.MemoryInbox), nil, intram.WithHandlerTracer(tracer), intram.WithHandlerLogger(m.logger()))
					assert.Equal(t, http.StatusOK, box.deliver(payoutBody("op_1")).Code)
					assert.Equal(t, http.StatusOK, box.deliver(payoutBody("op_1")).Code)
					assert.Len(t, box.took(), 1)
					assert.Len(t, toldOf[intram.TraceDeliveryEnd](tracer.countingTracer), 2)
					assert.Len(t, toldOf[intram.TraceInboxEnd](tracer.countingTracer), 3)

					failures := strings.Count(m.logged(), `msg="intram tracer failed"`)
					if wrong.logged == "" {
						assert.Zero(t, failures)
						return
					}
					assert.Equal(t, 1, failures, "once: %s", m.logged())
					assert.Contains(t, m.logged(), "hook="+method)
					assert.Contains(t, m.logged(), wrong.logged)
					assert.NotContains(t, m.logged(), "Lovelace")
				})
			})
		}
	}
}

type callersKey struct{}

// contextTracer returns contexts of its own making.
type contextTracer struct {
	*countingTracer

	call, attempt func(context.Context) context.Context
}

func (c contextTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return c.call(ctx)
}
func (c contextTracer) TraceCallEnd(context.Context, intram.TraceCallEnd) {}
func (c contextTracer) TraceAttemptStart(ctx context.Context, _ intram.TraceAttempt) context.Context {
	return c.attempt(ctx)
}
func (c contextTracer) TraceAttemptEnd(context.Context, intram.TraceAttemptEnd) {}

// What a start method returns gives values, and neither time nor end.
func TestACallLastsAsLongAsTheCallersContext(t *testing.T) {
	t.Parallel()
	ended := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errors.New("the tracer's"))
		return ctx
	}
	for name, made := range map[string]func(context.Context) context.Context{
		"the caller's":      func(ctx context.Context) context.Context { return ctx },
		"nil":               func(context.Context) context.Context { return nil },
		"another":           func(context.Context) context.Context { return context.Background() },
		"another that ends": func(context.Context) context.Context { return ended(context.Background()) },
		"the caller's, ended": func(ctx context.Context) context.Context {
			return ended(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				with := func(value string) func(context.Context) context.Context {
					return func(ctx context.Context) context.Context {
						if ctx = made(ctx); ctx != nil {
							ctx = context.WithValue(ctx, spanKey{value}, value)
						}
						return ctx
					}
				}
				var seen context.Context
				s := &script{t: t, forever: func(r *http.Request) (*http.Response, error) {
					seen = r.Context() //nolint:fatcontext // to be looked at
					return hang(r)
				}}
				client := newClient(t, s, intram.WithTracer(contextTracer{newCountingTracer(t), with("call"), with("attempt")}))
				why := errors.New("the shop closes")
				ctx, cancel := context.WithTimeoutCause(context.WithValue(context.WithValue(t.Context(), callersKey{}, "kept"), spanKey{"call"}, "the caller's"), 5*time.Second, why)
				defer cancel()
				began := time.Now()
				_, err := client.Balance.Get(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, why, "and why")
				assert.Equal(t, 5*time.Second, time.Since(began))
				deadline, ok := seen.Deadline()
				assert.True(t, ok)
				assert.Equal(t, began.Add(5*time.Second), deadline)
				assert.Equal(t, "kept", seen.Value(callersKey{}))
				if name != "nil" {
					assert.Equal(t, "call", seen.Value(spanKey{"call"}), "and not the caller's, which is its parent")
					assert.Equal(t, "attempt", seen.Value(spanKey{"attempt"}))
				}
			})
		})
	}
}

// A transport of the user's may panic, or end its goroutine: the tracer is told, and the
// key is in doubt for the next call with it.
func TestAPanicOfTheTransportIsTold(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*http.Request) (*http.Response, error){
		"a panic":               func(*http.Request) (*http.Response, error) { panic("the user's own") },
		"Goexit":                func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, //nolint:nilnil // it does not come to that
		"a panic of the body's": answerWith(panickingBody{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer := newCountingTracer(t)
			s := &script{t: t, steps: []step{end, answer(401, `{"error":true,"code":"invalid_api_key"}`)}}
			client := newClient(t, s, intram.WithTracer(tracer))
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				_, _ = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
			}()
			if value := <-done; name != "Goexit" {
				assert.Equal(t, "the user's own", value, "the caller still sees it")
			}
			assert.Empty(t, tracer.unfinished())
			calls, attempts := toldOf[intram.TraceCallEnd](tracer), toldOf[intram.TraceAttemptEnd](tracer)
			require.Len(t, calls, 1)
			require.Len(t, attempts, 1)
			assert.ErrorContains(t, calls[0].Err, "ended by a panic")
			assert.Equal(t, intram.OutcomeUnknown, calls[0].Outcome)
			assert.ErrorContains(t, attempts[0].Err, "panicked")
			assert.Len(t, toldOf[doubtKept](tracer), 1)

			_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
			require.ErrorIs(t, err, intram.CodeInvalidAPIKey)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "the first one may have been executed")
		})
	}
}

type panickingBody struct{}

func (panickingBody) Read([]byte) (int, error) { panic("the user's own") }
func (panickingBody) Close() error             { return nil }

func answerWith(body io.ReadCloser) step {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: body, ContentLength: -1, Request: r}, nil
	}
}

// Nothing was sent when the parameters' own code panics.
func TestAPanicOfTheParametersIsTold(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	client := newClient(t, sealed{t}, intram.WithTracer(tracer))
	params := mobilePayout()
	params.Metadata = map[string]any{"x": panickingJSON{}}
	assert.Panics(t, func() { _, _ = client.Payouts.Create(t.Context(), params) })
	assert.Empty(t, tracer.unfinished())
	for _, end := range toldOf[intram.TraceCallEnd](tracer) {
		assert.Equal(t, intram.OutcomeNotSent, end.Outcome)
	}
}

type panickingJSON struct{}

func (panickingJSON) MarshalJSON() ([]byte, error) { panic("the user's own") }

// headerTracer adds headers.
type headerTracer struct{ add http.Header }

func (headerTracer) TraceCallStart(ctx context.Context, _ intram.TraceCall) context.Context {
	return ctx
}
func (headerTracer) TraceCallEnd(context.Context, intram.TraceCallEnd)    {}
func (h headerTracer) TraceHeaders(_ context.Context, header http.Header) { maps.Copy(header, h.add) }

func TestOnlyHeadersThatChangeNothingAreAdded(t *testing.T) {
	t.Parallel()
	many := make(http.Header)
	for i := range 33 {
		many[fmt.Sprintf("X-Many-%02d", i)] = []string{"1"}
	}
	for name, c := range map[string]struct {
		add  http.Header
		sent http.Header // of what was added, nil for nothing
		says string
	}{
		"traceparent":          {http.Header{"traceparent": {"00-1-2-01"}}, http.Header{"Traceparent": {"00-1-2-01"}}, ""},
		"several":              {http.Header{"B3": {"1"}, "Tracestate": {"a=1", "b=2"}}, http.Header{"B3": {"1"}, "Tracestate": {"a=1", "b=2"}}, ""},
		"no values":            {http.Header{"B3": {}}, nil, ""},
		"the signature":        {http.Header{"X-Signature": {"evil"}}, nil, "X-Signature"},
		"in another case":      {http.Header{"x-api-KEY": {"evil"}}, nil, "X-Api-Key"},
		"the idempotency key":  {http.Header{"Idempotency-Key": {"evil"}}, nil, "Idempotency-Key"},
		"the time":             {http.Header{"X-Timestamp": {"evil"}}, nil, "X-Timestamp"},
		"the user agent":       {http.Header{"User-Agent": {"evil"}}, nil, "User-Agent"},
		"the host":             {http.Header{"Host": {"evil.example"}}, nil, "Host"},
		"the length":           {http.Header{"Content-Length": {"1"}}, nil, "Content-Length"},
		"the encoding":         {http.Header{"Content-Encoding": {"gzip"}}, nil, "Content-Encoding"},
		"what is accepted":     {http.Header{"Accept-Encoding": {"br"}}, nil, "Accept-Encoding"},
		"chunks":               {http.Header{"Transfer-Encoding": {"chunked"}}, nil, "Transfer-Encoding"},
		"a condition":          {http.Header{"If-None-Match": {"*"}}, nil, "If-None-Match"},
		"a login":              {http.Header{"Authorization": {"Basic x"}, "Cookie": {"x"}}, nil, "Authorization"},
		"another client":       {http.Header{"X-Forwarded-For": {"10.0.0.1"}}, nil, "X-Forwarded-For"},
		"another request":      {http.Header{"B3": {"1\r\nX-Evil: 1"}}, nil, "B3"},
		"one bad value of two": {http.Header{"B3": {"1", "\x00"}}, nil, "B3"},
		"not ASCII":            {http.Header{"Baggage": {"name=Zoé"}}, nil, "Baggage"},
		"no name":              {http.Header{"": {"1"}}, nil, "header="},
		"a name of two words":  {http.Header{"Trace Parent": {"1"}}, nil, "…"},
		"a bad one beside":     {http.Header{"B3": {"1"}, "X-Signature": {"evil"}}, http.Header{"B3": {"1"}}, "X-Signature"},
		"too large":            {http.Header{"Baggage": {strings.Repeat("x", 13<<10)}}, nil, "Baggage"},
		"large":                {http.Header{"Baggage": {strings.Repeat("x", 8<<10)}}, http.Header{"Baggage": {strings.Repeat("x", 8<<10)}}, ""},
		"too many":             {http.Header{"B3": make([]string, 33)}, nil, "B3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, bare := scripted(t, answer(202, accepted))
			_, err := plain.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
			require.NoError(t, err)
			m := new(mailbox)
			s := &script{t: t, steps: []step{answer(202, accepted)}}
			client := newClient(t, s, intram.WithTracer(headerTracer{c.add}), intram.WithLogger(m.logger()))
			_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(traceKey))
			require.NoError(t, err)
			want, got := bare.last().Header, s.last().Header
			for _, varies := range []string{"X-Timestamp", "X-Signature"} {
				assert.NotEqual(t, "evil", got.Get(varies))
				want.Del(varies)
				got.Del(varies)
			}
			maps.Copy(want, c.sent)
			assert.Equal(t, want, got)
			if c.says == "" {
				assert.NotContains(t, m.logged(), "left out")
			} else {
				assert.Contains(t, m.logged(), `msg="intram tracer header left out"`)
				assert.Contains(t, m.logged(), c.says)
				assert.NotContains(t, m.logged(), "evil")
			}
		})
	}
	s := &script{t: t, steps: []step{answer(202, accepted)}}
	_, err := newClient(t, s, intram.WithTracer(headerTracer{many})).Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	assert.Equal(t, "1", s.last().Header.Get("X-Many-31"))
	assert.Empty(t, s.last().Header.Get("X-Many-32"))
}

func TestATracerIsToldOfWaits(t *testing.T) {
	t.Parallel()
	failed := exampleOf(t, "operation.failed.current.json")
	for name, c := range map[string]struct {
		steps   []step
		forever step
		wait    func(context.Context, *intram.Client) error
		want    intram.TraceWaitEnd
		err     error
	}{
		"a payout": {steps: []step{operation("processing"), finished(t)}, wait: func(ctx context.Context, c *intram.Client) error {
			_, err := c.Payouts.Wait(ctx, "op_1")
			return err
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "operation", Items: 1}, Duration: time.Second}},
		"a payout that fails": {steps: []step{answer(200, failed)}, wait: func(ctx context.Context, c *intram.Client) error {
			_, err := c.Payouts.Wait(ctx, "op_1")
			if _, ok := errors.AsType[*intram.OperationError](err); !ok {
				return errors.New("it did not fail")
			}
			return nil
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "operation", Items: 1}}},
		"a transaction": {forever: answer(200, `{"error":false,"data":{"reference":"AB12CD34EF","status":"PENDING"}}`), wait: func(ctx context.Context, c *intram.Client) error {
			_, err := c.Transactions.Wait(ctx, "AB12CD34EF", intram.WithMaxWait(10*time.Second))
			return err
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "transaction", Items: 1}, Pending: 1, Duration: 10 * time.Second}, err: context.DeadlineExceeded},
		"an id that cannot be one": {wait: func(ctx context.Context, c *intram.Client) error {
			_, err := c.WaitForOperation(ctx, "a/b")
			return err
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "operation", Items: 1}, Pending: 1}, err: intram.CodeValidationError},
		"no context": {wait: func(_ context.Context, c *intram.Client) error {
			_, err := c.WaitForOperation(nil, "op_1") //nolint:staticcheck // what is tested
			return err
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "operation", Items: 1}, Pending: 1}, err: intram.CodeValidationError},
		"many, of which one is left": {forever: func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/op_1") {
				return finished(t)(r)
			}
			return operation("processing")(r)
		}, wait: func(ctx context.Context, c *intram.Client) error {
			for range c.WaitMany(ctx, []string{"op_1", "op_2", "op_1"}) { //nolint:errcheck // it ends early
				break
			}
			return nil
		}, want: intram.TraceWaitEnd{TraceWait: intram.TraceWait{Kind: "operation", Items: 2}, Pending: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tracer := newCountingTracer(t)
				client := newClient(t, &script{t: t, steps: c.steps, forever: c.forever}, intram.WithJitter(50), intram.WithTracer(tracer))
				err := c.wait(t.Context(), client)
				ends := toldOf[intram.TraceWaitEnd](tracer)
				require.Len(t, ends, 1)
				end := ends[0]
				switch {
				case c.err != nil:
					require.ErrorIs(t, err, c.err)
					assert.Equal(t, err, end.Err)
				case c.want.Pending > 0:
					assert.ErrorContains(t, end.Err, "the range was left")
				default:
					require.NoError(t, err)
					require.NoError(t, end.Err)
				}
				end.Err, c.want.Environment = nil, intram.Live
				if name != "many, of which one is left" {
					assert.Equal(t, c.want, end)
				}
				assert.Equal(t, c.want.Pending, end.Pending)
				assert.Equal(t, c.want.Items, end.Items)
			})
		})
	}
}

func TestATracerIsToldTheFirstOfManyFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tracer := newCountingTracer(t)
		client := newClient(t, &script{t: t, forever: func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/op_1") {
				return answer(403, `{"error":true,"code":"forbidden"}`)(r)
			}
			return operation("processing")(r)
		}}, intram.WithTracer(tracer))
		var failures []error
		for _, err := range client.WaitMany(t.Context(), []string{"op_1", "op_2"}, intram.WithMaxWait(10*time.Second)) {
			failures = append(failures, err)
		}
		require.Len(t, failures, 2)
		require.ErrorIs(t, failures[1], context.DeadlineExceeded)
		ends := toldOf[intram.TraceWaitEnd](tracer)
		require.Len(t, ends, 1)
		assert.Equal(t, failures[0], ends[0].Err)
		assert.Equal(t, 2, ends[0].Pending)
	})
}

// A loop over WaitMany may panic.
func TestAPanicInAWaitIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tracer := newCountingTracer(t)
		client := newClient(t, &script{t: t, forever: finished(t)}, intram.WithTracer(tracer))
		assert.PanicsWithValue(t, "the caller's own", func() {
			for range client.WaitMany(t.Context(), []string{"op_1", "op_2"}) { //nolint:errcheck // it panics
				panic("the caller's own")
			}
		})
		ends := toldOf[intram.TraceWaitEnd](tracer)
		require.Len(t, ends, 1)
		require.Error(t, ends[0].Err)
		assert.Equal(t, 1, ends[0].Pending)
	})
}

// The lookups of a wait have the values of its context, so that their spans are its
// children.
func TestLookupsOfAWaitAreCallsOfItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen context.Context
		s := &script{t: t, forever: func(r *http.Request) (*http.Response, error) {
			seen = r.Context() //nolint:fatcontext // to be looked at
			return finished(t)(r)
		}}
		tracer := newCountingTracer(t)
		client := newClient(t, s, intram.WithTracer(tracer))
		_, err := client.Payouts.Wait(t.Context(), "op_1")
		require.NoError(t, err)
		for _, kind := range []string{"wait", "call", "attempt"} {
			assert.NotNil(t, seen.Value(spanKey{kind}), kind)
		}
		assert.Len(t, toldOf[intram.TraceCallEnd](tracer), 1)
	})
}

func TestATracerIsToldOfDeliveries(t *testing.T) {
	t.Parallel()
	body := payoutBody("op_1")
	event := func(want intram.TraceDeliveryEnd) intram.TraceDeliveryEnd {
		want.Type, want.OperationID, want.Attempt, want.Age = intram.EventPayoutCompleted, "op_1", 2, time.Minute
		return want
	}
	broken := errors.New("no rows for Ada Lovelace")
	for name, c := range map[string]struct {
		inbox  intram.Inbox
		handle intram.EventHandler
		change func(*http.Request)
		before func(*mailbox)
		want   intram.TraceDeliveryEnd
		err    string
		inner  error
		inboxs []string // the requests to the inbox
	}{
		"it takes effect": {want: event(intram.TraceDeliveryEnd{Verdict: "took_effect", StatusCode: 200}), inboxs: []string{"claim held", "complete "}},
		"it took effect before": {
			before: func(m *mailbox) { m.deliver(body) },
			want:   event(intram.TraceDeliveryEnd{Verdict: "took_before", StatusCode: 200}), inboxs: []string{"claim done"},
		},
		"the function fails": {
			handle: func(context.Context, *intram.Event) error { return broken }, err: "error of type *errors.errorString (errors.Unwrap shows it)", inner: broken,
			want: event(intram.TraceDeliveryEnd{Verdict: "failed", StatusCode: 500}), inboxs: []string{"claim held", "release "},
		},
		"the function panics": {
			handle: func(context.Context, *intram.Event) error { panic("Ada Lovelace") }, err: "webhook: the function panicked with a string",
			want: event(intram.TraceDeliveryEnd{Verdict: "failed", StatusCode: 500}), inboxs: []string{"claim held", "release "},
		},
		"later": {
			handle: func(context.Context, *intram.Event) error { return intram.ErrTryLater }, err: "webhook: not available now; try again later", inner: intram.ErrTryLater,
			want: event(intram.TraceDeliveryEnd{Verdict: "failed", StatusCode: 503}), inboxs: []string{"claim held", "release "},
		},
		"the inbox is away": {
			inbox: &faultyInbox{Inbox: new(intram.MemoryInbox), claim: func(int) error { return broken }}, inner: broken,
			err:  "error of type *errors.errorString (errors.Unwrap shows it)",
			want: event(intram.TraceDeliveryEnd{Verdict: "store_down", StatusCode: 503}), inboxs: []string{"claim : error of type *errors.errorString (errors.Unwrap shows it)"},
		},
		"the inbox panics": {
			inbox: panickingInbox{Inbox: new(intram.MemoryInbox), claim: true}, err: "inbox: it panicked",
			want: event(intram.TraceDeliveryEnd{Verdict: "inbox_broken", StatusCode: 500}), inboxs: []string{"claim : inbox: it panicked"},
		},
		"a bad signature": {
			change: withHeader("X-Intram-Signature", "sha256=00"), err: "webhook: ", inner: intram.ErrInvalidSignature,
			want: intram.TraceDeliveryEnd{Verdict: "refused", StatusCode: 401},
		},
		"not a POST": {
			change: func(r *http.Request) { r.Method = http.MethodGet }, err: "not a POST",
			want: intram.TraceDeliveryEnd{Verdict: "refused", StatusCode: 405},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer := newCountingTracer(t)
			inbox := c.inbox
			if inbox == nil {
				inbox = new(intram.MemoryInbox)
			}
			m := newMailboxWith(t, inbox, c.handle, intram.WithHandlerTracer(tracer))
			at := time.Date(2026, 5, 20, 10, 32, 14, 0, time.UTC)
			m.now = func() time.Time { return at }
			handle := c.handle
			if handle == nil {
				handle = m.takeEffect
			}
			m.handler = intram.NewWebhookHandler(m.verifier.WithClock(standingClock{at}), inbox, handle, intram.WithHandlerTracer(tracer))
			if c.before != nil {
				c.before(m)
			}
			before := len(toldOf[intram.TraceInboxEnd](tracer))
			change := []func(*http.Request){
				withHeader("X-Intram-Attempt", "2"), withHeader("Traceparent", "00-1-2-01"), withHeader("Authorization", "Basic x"),
				func(r *http.Request) {
					r.Header["x-intram-signature"] = []string{"sha256=00"}
					delete(r.Header, "x-intram-signature")
				},
			}
			if c.change != nil {
				change = append(change, c.change)
			}
			response := m.deliver(body, change...)
			ends := toldOf[intram.TraceDeliveryEnd](tracer)
			require.NotEmpty(t, ends)
			end := ends[len(ends)-1]
			assert.Equal(t, response.Code, end.StatusCode)
			assert.Equal(t, "00-1-2-01", end.Header.Get("Traceparent"))
			for name := range end.Header {
				assert.NotContains(t, []string{"x-intram-signature", "authorization", "cookie"}, strings.ToLower(name))
			}
			if c.err == "" {
				require.NoError(t, end.Err)
			} else {
				require.ErrorContains(t, end.Err, c.err)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", end.Err, end.Err, end), "Lovelace")
			}
			if c.inner != nil {
				require.ErrorIs(t, end.Err, c.inner)
			}
			end.Err, end.Header, c.want.Source = nil, nil, "webhook"
			assert.Equal(t, c.want, end)
			var requests []string
			for _, request := range toldOf[intram.TraceInboxEnd](tracer)[before:] {
				says := request.Request + " "
				if request.State != 0 {
					says += request.State.String()
				}
				if request.Err != nil {
					says += ": " + request.Err.Error()
				}
				requests = append(requests, says)
			}
			assert.Equal(t, c.inboxs, requests)
		})
	}
}

func TestATracerIsToldOfWhatTheReconcilerFinds(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	op, err := client.Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	server.Advance(time.Hour)
	tracer := newCountingTracer(t)
	var seen context.Context
	reconciler, err := intram.NewReconciler(client, &intram.MemoryInbox{Clock: server.Clock()}, func(ctx context.Context, _ *intram.Event) error {
		seen = ctx //nolint:fatcontext // to be looked at
		return nil
	}, intram.WithHandlerTracer(tracer))
	require.NoError(t, err)
	result, err := reconciler.Run(t.Context(), server.Clock().Now().Add(-2*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 1, result.Missing)
	ends := toldOf[intram.TraceDeliveryEnd](tracer)
	require.Len(t, ends, 1)
	assert.Positive(t, ends[0].Age)
	assert.LessOrEqual(t, ends[0].Age, time.Hour, "by the client's clock")
	ends[0].Age, ends[0].Duration = 0, 0
	assert.Equal(t, intram.TraceDeliveryEnd{
		TraceDelivery: intram.TraceDelivery{Source: "reconciler"}, Verdict: "took_effect", Type: intram.EventPayoutCompleted, OperationID: op.ID,
	}, ends[0])
	assert.NotNil(t, seen.Value(spanKey{"delivery"}), "the function sees the delivery's context")
}

// A handler that was made with a mistake refuses everything, and says so.
func TestADeliveryToAMisconfiguredHandlerIsTold(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	m := newMailbox(t, nil)
	m.handler = intram.NewWebhookHandler(nil, m.inbox, m.takeEffect, intram.WithHandlerTracer(tracer))
	assert.Equal(t, http.StatusInternalServerError, m.deliver(payoutBody("op_1")).Code)
	ends := toldOf[intram.TraceDeliveryEnd](tracer)
	require.Len(t, ends, 1)
	assert.Equal(t, "refused", ends[0].Verdict)
	assert.ErrorContains(t, ends[0].Err, "the verifier is nil")
}

// A server aborts a handler by a panic of its ResponseWriter's.
func TestAPanicOfTheResponseIsTold(t *testing.T) {
	t.Parallel()
	tracer := newCountingTracer(t)
	m := newMailboxWith(t, new(intram.MemoryInbox), nil, intram.WithHandlerTracer(tracer))
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { m.handler.ServeHTTP(abortingWriter{}, m.delivery(payoutBody("op_1"))) })
	ends := toldOf[intram.TraceDeliveryEnd](tracer)
	require.Len(t, ends, 1)
	assert.Equal(t, "abandoned", ends[0].Verdict)
	assert.Len(t, m.took(), 1)
}

type abortingWriter struct{}

func (abortingWriter) Header() http.Header       { return http.Header{} }
func (abortingWriter) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }
func (abortingWriter) WriteHeader(int)           { panic(http.ErrAbortHandler) }

// A clock that is set back, or a sender's clock that is ahead: no time has passed, and no
// duration is negative.
func TestNoDurationIsNegative(t *testing.T) {
	t.Parallel()
	clock := &backwards{}
	tracer := newCountingTracer(t)
	client := newClient(t, &script{t: t, forever: finished(t)}, intram.WithTracer(tracer), intram.WithClock(clock))
	_, err := client.Operations.Get(t.Context(), "op_1")
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier("whsec_test")
	require.NoError(t, err)
	body := `{"event":"payout.completed","operation_id":"op_1","occurred_at":"2100-01-01T00:00:00.000Z","data":{}}`
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil }, intram.WithHandlerTracer(tracer))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook("whsec_test", time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	for _, end := range toldOf[intram.TraceCallEnd](tracer) {
		assert.Zero(t, end.Duration)
	}
	for _, end := range toldOf[intram.TraceAttemptEnd](tracer) {
		assert.Zero(t, end.Duration)
	}
	deliveries := toldOf[intram.TraceDeliveryEnd](tracer)
	require.Len(t, deliveries, 1)
	assert.Zero(t, deliveries[0].Age)
}

// backwards is a clock that is set back by a second each time it is read.
type backwards struct{ n atomic.Int64 }

func (b *backwards) Now() time.Time                                   { return time.Now().Add(-time.Duration(b.n.Add(1)) * time.Second) }
func (b *backwards) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
