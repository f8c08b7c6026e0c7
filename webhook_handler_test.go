package intram_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

const inboxSecret = "whsec_b4c3a2d1e0f9a8b7"

// standingClock never moves; what waits on it returns at once.
type standingClock struct{ at time.Time }

func (c standingClock) Now() time.Time                                 { return c.at }
func (standingClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// mailbox is a receiver under test: its handler, what took effect, and what was logged.
type mailbox struct {
	inbox    intram.Inbox
	verifier *intram.WebhookVerifier
	handler  http.Handler
	now      func() time.Time

	mu      sync.Mutex
	effects []string
	log     bytes.Buffer
}

// newMailbox makes a receiver whose function is handle, or one that counts the event and
// succeeds.
func newMailbox(t *testing.T, handle intram.EventHandler) *mailbox {
	t.Helper()
	return newMailboxWith(t, new(intram.MemoryInbox), handle)
}

func newMailboxWith(t *testing.T, inbox intram.Inbox, handle intram.EventHandler, opts ...intram.HandlerOption) *mailbox {
	t.Helper()
	m := &mailbox{inbox: inbox, now: time.Now}
	verifier, err := intram.NewWebhookVerifier(inboxSecret)
	require.NoError(t, err)
	m.verifier = verifier
	if handle == nil {
		handle = m.takeEffect
	}
	opts = append([]intram.HandlerOption{intram.WithHandlerLogger(m.logger()), intram.WithHandlerTracer(newCountingTracer(t))}, opts...)
	m.handler = intram.NewWebhookHandler(verifier, inbox, handle, opts...)
	return m
}

func (m *mailbox) logger() *slog.Logger { return slog.New(slog.NewTextHandler(lockedLog{m}, nil)) }

type lockedLog struct{ m *mailbox }

func (l lockedLog) Write(p []byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.m.log.Write(p)
}

func (m *mailbox) takeEffect(_ context.Context, event *intram.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.effects = append(m.effects, string(event.Type)+" "+event.OperationID)
	return nil
}

func (m *mailbox) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.effects...)
}

func (m *mailbox) logged() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.String()
}

// delivery is a signed request for a body.
func (m *mailbox) delivery(body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
	sign(r, inboxSecret, m.now(), body)
	for _, f := range change {
		f(r)
	}
	return r
}

func (m *mailbox) receive(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w
}

func (m *mailbox) deliver(body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	return m.receive(m.delivery(body, change...))
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func payoutBody(operationID string) string {
	return fmt.Sprintf(`{"event":"payout.completed","operation_id":%q,"occurred_at":"2026-05-20T10:31:14.000Z",`+
		`"data":{"reference":"PO-2026-0001","amount":25000,"currency":"XOF","status":"completed",`+
		`"destination":{"type":"mobile_money","msisdn":"22961234567","account_name":"Lovelace"}}}`, operationID)
}

// elapse lets time go by in a synctest bubble.
func elapse(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestHandlerRefusesWhatIsNoDelivery(t *testing.T) {
	t.Parallel()
	body := payoutBody("op_1")
	cases := map[string]struct {
		change func(*mailbox, *http.Request)
		body   string
		status int
		answer string
		log    string
	}{
		"a GET":              {func(_ *mailbox, r *http.Request) { r.Method = http.MethodGet }, body, 405, "only POST", "not a POST"},
		"a HEAD":             {func(_ *mailbox, r *http.Request) { r.Method = http.MethodHead }, body, 405, "only POST", "not a POST"},
		"a PUT":              {func(_ *mailbox, r *http.Request) { r.Method = http.MethodPut }, body, 405, "only POST", "not a POST"},
		"gzip":               {func(_ *mailbox, r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, body, 415, "no content encoding", "is encoded"},
		"a second encoding":  {func(_ *mailbox, r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "br"} }, body, 415, "no content encoding", "is encoded"},
		"no signature":       {func(_ *mailbox, r *http.Request) { r.Header.Del("X-Intram-Signature") }, body, 401, "bad signature", "signature is not good"},
		"no timestamp":       {func(_ *mailbox, r *http.Request) { r.Header.Del("X-Intram-Timestamp") }, body, 401, "bad signature", "signature is not good"},
		"two signatures":     {func(_ *mailbox, r *http.Request) { r.Header.Add("X-Intram-Signature", "sha256=") }, body, 401, "bad signature", "signature is not good"},
		"another body":       {func(_ *mailbox, r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, body, 401, "bad signature", "signature is not good"},
		"another secret":     {func(m *mailbox, r *http.Request) { sign(r, "whsec_other", m.now(), body) }, body, 401, "bad signature", "signature is not good"},
		"six minutes old":    {func(m *mailbox, r *http.Request) { sign(r, inboxSecret, m.now().Add(-6*time.Minute), body) }, body, 401, "stale timestamp", "timestamp is stale"},
		"six minutes early":  {func(m *mailbox, r *http.Request) { sign(r, inboxSecret, m.now().Add(6*time.Minute), body) }, body, 401, "stale timestamp", "timestamp is stale"},
		"stale and unsigned": {func(m *mailbox, r *http.Request) { sign(r, "whsec_other", m.now().Add(-time.Hour), body) }, body, 401, "bad signature", "signature is not good"},
		"not JSON":           {nil, "payout.completed", 400, "not an event", "signed, and not an event"},
		"nothing in it":      {nil, `{"x":1}`, 400, "not an event", "signed, and not an event"},
		"an empty body":      {nil, "", 400, "not an event", "signed, and not an event"},
		"too large":          {nil, strings.Repeat(" ", intram.MaxWebhookBody) + "!", 413, "too large", "too large"},
		"a body that breaks off": {
			func(_ *mailbox, r *http.Request) {
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), brokenReader{}))
			}, body, 400, "could not be read", "could not be read",
		},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailbox(t, nil)
			w := m.deliver(tt.body, func(r *http.Request) {
				if tt.change != nil {
					tt.change(m, r)
				}
			})
			assert.Equal(t, tt.status, w.Code)
			assert.Contains(t, w.Body.String(), tt.answer)
			assert.Contains(t, m.logged(), tt.log)
			assert.Empty(t, m.took())
			if tt.status == 405 {
				assert.Equal(t, "POST", w.Header().Get("Allow"))
			}
			// A refusal leaves nothing behind that could shadow the real event.
			assert.Equal(t, 200, m.deliver(body).Code)
			assert.Len(t, m.took(), 1)
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func sign(r *http.Request, secret string, at time.Time, body string) {
	maps.Copy(r.Header, intram.SignWebhook(secret, at, []byte(body)))
}

func TestHandlerTakesABodyOfExactlyOneMebibyte(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, nil)
	body := payoutBody("op_1")
	body += strings.Repeat(" ", intram.MaxWebhookBody-len(body))
	assert.Equal(t, 200, m.deliver(body).Code)
	assert.Len(t, m.took(), 1)
}

func TestAnEventTakesEffectOnceUnderWhateverDeliveryID(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, nil)
	body := payoutBody("op_1")
	for attempt := range 5 {
		w := m.deliver(body, withHeader("X-Intram-Delivery", fmt.Sprintf("whd_%d", attempt)),
			withHeader("X-Intram-Attempt", fmt.Sprint(attempt)))
		assert.Equal(t, 200, w.Code)
	}
	assert.Equal(t, []string{"payout.completed op_1"}, m.took())
	assert.Contains(t, m.logged(), "delivery_id=whd_4", "the id is shown")
}

func TestAForgedDeliveryIDCannotShadowARealEvent(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, nil)
	// A stranger saw a delivery and sends it again under the id that the next one will
	// have.
	m.deliver(payoutBody("op_1"), withHeader("X-Intram-Delivery", "whd_2"))
	w := m.deliver(payoutBody("op_2"), withHeader("X-Intram-Delivery", "whd_2"))
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, []string{"payout.completed op_1", "payout.completed op_2"}, m.took())
}

func TestUnknownEventsAreGivenToTheFunctionAndAcknowledged(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, nil)
	for _, body := range []string{
		`{"event":"dispute.opened","operation_id":"op_9","data":{"n":1}}`,
		`{"event":"dispute.opened","operation_id":"op_9","data":{"n":2}}`, // another body: another event
		`{"event":"dispute.opened","operation_id":"op_9","data":{"n":2}}`,
		`{"event":"test.ping","operation_id":"op_test","data":{"sent_at":"2026-05-20T10:30:00.000Z"}}`,
		`{"event":"test.ping","operation_id":"op_test","data":{"sent_at":"2026-05-20T10:31:00.000Z"}}`,
	} {
		assert.Equal(t, 200, m.deliver(body).Code)
	}
	assert.Equal(t, []string{"dispute.opened op_9", "dispute.opened op_9", "test.ping op_test", "test.ping op_test"}, m.took())
}

// An event that was written anew says the same of the same operation.
func TestAStateOfAnOperationTakesEffectOnceWhateverElseTheBodySays(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, nil)
	body := payoutBody("op_1")
	m.deliver(body)
	assert.Equal(t, 200, m.deliver(strings.Replace(body, "10:31:14", "10:31:15", 1)).Code)
	assert.Len(t, m.took(), 1)
	m.deliver(strings.Replace(body, "payout.completed", "payout.failed", 1))
	assert.Len(t, m.took(), 2, "another state is another event")
}

func TestAFunctionThatFailsIsCalledAgain(t *testing.T) {
	t.Parallel()
	panics := func(value any) func() error { return func() error { panic(value) } }
	cases := map[string]struct {
		fail func() error
		log  string
	}{
		"an error":                 {func() error { return errors.New("no row for 22961234567") }, "no row for"},
		"a panic":                  {panics("Ada Lovelace"), "panicked with a string"},
		"a runtime panic":          {func() error { none, at := []int{}, 1; return fmt.Errorf("%d", none[at]) }, "index out of range"},
		"panic(nil)":               {panics(nil), "nil"},
		"an abort":                 {panics(http.ErrAbortHandler), "panicked"},
		"an exit of its goroutine": {func() error { runtime.Goexit(); return nil }, "ended its goroutine"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			var m *mailbox
			m = newMailbox(t, func(ctx context.Context, e *intram.Event) error {
				if calls++; calls == 1 {
					return tt.fail()
				}
				return m.takeEffect(ctx, e)
			})
			w := m.deliver(payoutBody("op_1"))
			assert.Equal(t, 500, w.Code)
			assert.Contains(t, m.logged(), tt.log)
			assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code, "the claim was released")
			assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
			assert.Equal(t, 2, calls)
			assert.Len(t, m.took(), 1)
		})
	}
}

func TestLogsShowNeitherBodiesNorSecretsNorPersonalData(t *testing.T) {
	t.Parallel()
	calls := 0
	m := newMailbox(t, func(context.Context, *intram.Event) error {
		switch calls++; calls {
		case 1:
			panic("Ada Lovelace")
		case 2:
			return errors.New("22961234567 ada@example.com")
		}
		return nil
	})
	for range 4 {
		m.deliver(payoutBody("op_1"), withHeader("X-Intram-Delivery", "whd_1 22961234567"))
	}
	m.deliver("22961234567 Lovelace")
	m.deliver(payoutBody("op_2"), withHeader("X-Intram-Signature", "sha256=none"))
	log := m.logged()
	assert.Contains(t, log, "took effect before")
	for _, hidden := range []string{"22961234567", "Lovelace", "ada@", "PO-2026-0001", "25000", inboxSecret, "sha256=none"} {
		assert.NotContains(t, log, hidden)
	}
}

func TestAFunctionThatHeedsItsDeadlineReleasesItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var m *mailbox
		m = newMailbox(t, func(ctx context.Context, e *intram.Event) error {
			if calls++; calls == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return m.takeEffect(ctx, e)
		})
		began := time.Now()
		assert.Equal(t, 500, m.deliver(payoutBody("op_1")).Code)
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
		assert.Len(t, m.took(), 1)
	})
}

func TestAFunctionThatSucceedsLateStillTookEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m *mailbox
		m = newMailbox(t, func(ctx context.Context, e *intram.Event) error {
			<-ctx.Done()
			return m.takeEffect(ctx, e)
		})
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
		assert.Len(t, m.took(), 1)
	})
}

// Nothing can stop a function that ignores its deadline. Its effect may still come, so no
// other replica may have the event.
func TestAFunctionThatIgnoresItsDeadlineKeepsItsClaim(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		late   error
		calls  int
		status int
	}{
		"and succeeds": {nil, 1, 200},
		"and fails":    {errors.New("late"), 2, 500},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release, calls := make(chan struct{}), 0
				m := newMailbox(t, func(context.Context, *intram.Event) error {
					calls++
					<-release
					return tt.late
				})
				began := time.Now()
				w := m.deliver(payoutBody("op_1"))
				assert.Equal(t, 500, w.Code)
				assert.Equal(t, 12*time.Second, time.Since(began), "within the 15 s that Intram waits")
				assert.Contains(t, m.logged(), "outlived its deadline")

				w = m.deliver(payoutBody("op_1"))
				assert.Equal(t, 503, w.Code)
				assert.Equal(t, "18", w.Header().Get("Retry-After"), "the rest of the lease of 30 s")
				close(release)
				synctest.Wait()
				assert.Equal(t, tt.status, m.deliver(payoutBody("op_1")).Code)
				assert.Equal(t, tt.calls, calls)
			})
		})
	}
}

func TestALeaseThatWasLostIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, calls := make(chan struct{}), atomic.Int32{}
		m := newMailbox(t, func(context.Context, *intram.Event) error {
			if calls.Add(1) == 1 {
				<-release
			}
			return nil
		})
		assert.Equal(t, 500, m.deliver(payoutBody("op_1")).Code)
		elapse(t, 18*time.Second)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code, "as a crashed replica's, it is taken over")
		close(release)
		synctest.Wait()
		assert.Contains(t, m.logged(), "the lease was lost")
		assert.Equal(t, int32(2), calls.Load())
	})
}

func TestAClientThatHangsUpDoesNotBreakAnEffectOff(t *testing.T) {
	t.Parallel()
	var m *mailbox
	m = newMailbox(t, func(ctx context.Context, e *intram.Event) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 10*time.Second {
			return errors.New("no deadline")
		}
		return m.takeEffect(ctx, e)
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, 200, m.receive(m.delivery(payoutBody("op_1")).WithContext(gone)).Code)
	assert.Len(t, m.took(), 1)
}

func TestWhileAnotherReplicaHoldsTheClaimTheAnswerIsLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inbox := new(intram.MemoryInbox)
		m := newMailboxWith(t, inbox, nil)
		event, err := m.verifier.Verify(m.delivery(payoutBody("op_1")).Header, []byte(payoutBody("op_1")))
		require.NoError(t, err)
		_, err = inbox.Claim(t.Context(), event.InboxKey(), 4500*time.Millisecond)
		require.NoError(t, err)

		w := m.deliver(payoutBody("op_1"))
		assert.Equal(t, 503, w.Code)
		assert.Equal(t, "5", w.Header().Get("Retry-After"))
		elapse(t, 4500*time.Millisecond)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code, "the other replica crashed")
		assert.Len(t, m.took(), 1)
	})
}

// faultyInbox fails as it is told to.
type faultyInbox struct {
	intram.Inbox
	claim, complete, release func(calls int) error
	calls                    [3]int
}

func (f *faultyInbox) fail(i int, how func(int) error) error {
	f.calls[i]++
	if how == nil {
		return nil
	}
	return how(f.calls[i])
}

func (f *faultyInbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	if err := f.fail(0, f.claim); err != nil {
		return intram.Claim{}, err
	}
	return f.Inbox.Claim(ctx, key, lease)
}

func (f *faultyInbox) Complete(ctx context.Context, claim intram.Claim) error {
	if err := f.fail(1, f.complete); err != nil {
		return err
	}
	return f.Inbox.Complete(ctx, claim)
}

func (f *faultyInbox) Release(ctx context.Context, claim intram.Claim) error {
	if err := f.fail(2, f.release); err != nil {
		return err
	}
	return f.Inbox.Release(ctx, claim)
}

func TestWithoutItsStoreTheHandlerTakesNothing(t *testing.T) {
	t.Parallel()
	inbox := &faultyInbox{Inbox: new(intram.MemoryInbox), claim: func(calls int) error {
		if calls == 1 {
			return errors.New("connection refused")
		}
		return nil
	}}
	m := newMailboxWith(t, inbox, nil)
	w := m.deliver(payoutBody("op_1"))
	assert.Equal(t, 503, w.Code)
	assert.Equal(t, "10", w.Header().Get("Retry-After"))
	assert.Empty(t, m.took())
	assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
	assert.Len(t, m.took(), 1)
}

func TestACompletionThatFailsIsTriedAgainBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inbox := &faultyInbox{Inbox: new(intram.MemoryInbox), complete: func(calls int) error {
			if calls < 5 {
				return errors.New("restarting")
			}
			return nil
		}}
		m := newMailboxWith(t, inbox, nil)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
		assert.Len(t, m.took(), 1)
	})
}

func TestAnEffectThatCannotBeRecordedIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		inbox := &faultyInbox{Inbox: new(intram.MemoryInbox), complete: func(int) error {
			if !up.Load() {
				return errors.New("connection refused")
			}
			return nil
		}}
		m := newMailboxWith(t, inbox, nil)
		began := time.Now()
		w := m.deliver(payoutBody("op_1"))
		assert.Equal(t, 503, w.Code)
		assert.Equal(t, 2*time.Second, time.Since(began))
		assert.Contains(t, m.logged(), "did not take note")
		assert.Equal(t, 503, m.deliver(payoutBody("op_1")).Code, "the claim is still held: nothing may start the event again so soon")
		up.Store(true)
		elapse(t, 2*time.Second)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code, "recorded after the answer")
		assert.Len(t, m.took(), 1)
	})
}

func TestAStoreThatHangsDoesNotHoldUpTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailboxWith(t, hangingInbox{}, nil)
		began := time.Now()
		assert.Equal(t, 503, m.deliver(payoutBody("op_1")).Code)
		assert.Equal(t, 2*time.Second, time.Since(began))
	})
}

type hangingInbox struct{ intram.Inbox }

func (hangingInbox) Claim(ctx context.Context, _ string, _ time.Duration) (intram.Claim, error) {
	<-ctx.Done()
	return intram.Claim{}, ctx.Err()
}

func TestAnInboxThatAnswersNonsenseIsAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	m := newMailboxWith(t, nonsenseInbox{}, nil)
	assert.Equal(t, 503, m.deliver(payoutBody("op_1")).Code)
	assert.Empty(t, m.took())
}

type nonsenseInbox struct{ intram.Inbox }

func (nonsenseInbox) Claim(context.Context, string, time.Duration) (intram.Claim, error) {
	return intram.Claim{}, nil
}

func TestAReleaseThatFailsLeavesTheEventToTheEndOfItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inbox := &faultyInbox{Inbox: new(intram.MemoryInbox), release: func(int) error { return errors.New("connection refused") }}
		calls := 0
		m := newMailboxWith(t, inbox, func(context.Context, *intram.Event) error {
			if calls++; calls == 1 {
				return errors.New("failed")
			}
			return nil
		}, intram.WithHandlerTimeout(time.Second), intram.WithClaimLease(6*time.Second))
		assert.Equal(t, 500, m.deliver(payoutBody("op_1")).Code)
		assert.Equal(t, 503, m.deliver(payoutBody("op_1")).Code)
		elapse(t, 6*time.Second)
		assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
	})
}

func TestAHandlerMadeWithAMistakeSaysSoAndLosesNothing(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier(inboxSecret)
	require.NoError(t, err)
	inbox := new(intram.MemoryInbox)
	handle := func(context.Context, *intram.Event) error { return nil }
	cases := map[string]struct {
		handler http.Handler
		says    string
	}{
		"no verifier":     {intram.NewWebhookHandler(nil, inbox, handle), "the verifier is nil"},
		"no inbox":        {intram.NewWebhookHandler(verifier, nil, handle), "the inbox is nil"},
		"no function":     {intram.NewWebhookHandler(verifier, inbox, nil), "the function is nil"},
		"no logger":       {intram.NewWebhookHandler(verifier, inbox, handle, intram.WithHandlerLogger(nil)), "WithHandlerLogger"},
		"no time":         {intram.NewWebhookHandler(verifier, inbox, handle, intram.WithHandlerTimeout(0)), "WithHandlerTimeout"},
		"too much time":   {intram.NewWebhookHandler(verifier, inbox, handle, intram.WithHandlerTimeout(12*time.Second)), "WithHandlerTimeout"},
		"too short lease": {intram.NewWebhookHandler(verifier, inbox, handle, intram.WithClaimLease(14*time.Second)), "WithClaimLease"},
		"too long lease":  {intram.NewWebhookHandler(verifier, inbox, handle, intram.WithClaimLease(100*time.Hour)), "WithClaimLease"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &mailbox{handler: tt.handler, now: time.Now}
			w := m.deliver(payoutBody("op_1"))
			assert.Equal(t, 500, w.Code)
			assert.Contains(t, w.Body.String(), tt.says)
		})
	}
}

// A deployment that rotates its secret passes through three configurations, replica by
// replica, while Intram goes over from the old secret to the new one. Whatever a replica
// refuses is sent again.
func TestRotatingTheSecretUnderLoadLosesNoEvent(t *testing.T) {
	t.Parallel()
	const events, senders = 1200, 4
	const oldSecret, newSecret = "whsec_old", "whsec_new"
	clock := standingClock{time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)}
	inbox := new(intram.MemoryInbox)
	var mu sync.Mutex
	effects := make(map[string]int)
	replica := func(secrets ...string) http.Handler {
		verifier, err := intram.NewWebhookVerifier(secrets...)
		require.NoError(t, err)
		return intram.NewWebhookHandler(verifier.WithClock(clock), inbox, func(_ context.Context, e *intram.Event) error {
			mu.Lock()
			defer mu.Unlock()
			effects[e.OperationID]++
			return nil
		})
	}
	var replicas [2]atomic.Value // of http.Handler
	configure := func(i int, secrets ...string) { replicas[i].Store(replica(secrets...)) }
	configure(0, oldSecret)
	configure(1, oldSecret)

	var sent atomic.Int32
	var secret atomic.Value
	secret.Store(oldSecret)
	var work sync.WaitGroup
	for sender := range senders {
		work.Go(func() {
			for i := sender; i < events; i += senders {
				body := payoutBody(fmt.Sprintf("op_%d", i))
				for attempt := 0; ; attempt++ {
					handler, ok := replicas[(i+attempt)%2].Load().(http.Handler)
					key, isSecret := secret.Load().(string)
					if !ok || !isSecret {
						return
					}
					r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
					sign(r, key, clock.at, body)
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if w.Code == 200 {
						break
					}
				}
				switch sent.Add(1) { // the rotation goes on while the others send
				case events * 1 / 6:
					configure(0, newSecret, oldSecret)
				case events * 2 / 6:
					configure(1, newSecret, oldSecret)
				case events * 3 / 6:
					secret.Store(newSecret)
				case events * 4 / 6:
					configure(0, newSecret)
				case events * 5 / 6:
					configure(1, newSecret)
				}
			}
		})
	}
	work.Wait()
	assert.Len(t, effects, events)
	for id, n := range effects {
		assert.Equal(t, 1, n, id)
	}
	// After the rotation the old secret opens nothing.
	m := &mailbox{now: time.Now}
	m.handler, _ = replicas[0].Load().(http.Handler)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(payoutBody("op_x")))
	sign(r, oldSecret, clock.at, payoutBody("op_x"))
	assert.Equal(t, 401, m.receive(r).Code)
}

// A test or an adapter may call the handler with a request that no server has made.
func TestARequestWithoutABodyIsNoPanic(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier("whsec_0123456789abcdef")
	require.NoError(t, err)
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	assert.Equal(t, http.StatusUnauthorized, w.Code)
}

// What the function needs may be down, as an inbox may: it says so, and Intram sends the
// event again.
func TestAFunctionThatAsksForLaterAnswers503(t *testing.T) {
	t.Parallel()
	away := true
	m := newMailboxWith(t, new(intram.MemoryInbox), func(context.Context, *intram.Event) error {
		if away {
			return fmt.Errorf("the queue: %w", intram.ErrTryLater)
		}
		return nil
	})
	w := m.deliver(payoutBody("op_1"))
	assert.Equal(t, 503, w.Code)
	assert.Equal(t, "10", w.Header().Get("Retry-After"))
	away = false
	assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code, "the claim was released")
}
