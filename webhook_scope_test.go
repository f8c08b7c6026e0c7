package intram_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// receiver is one merchant's handler on an inbox that others use too.
type receiver struct {
	handler http.Handler
	secret  string
	effects int
}

func newReceiver(t *testing.T, inbox intram.Inbox, secret string, opts ...intram.HandlerOption) *receiver {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	r := &receiver{secret: secret}
	r.handler = intram.NewWebhookHandler(verifier, inbox, func(context.Context, *intram.Event) error { r.effects++; return nil }, opts...)
	return r
}

func (r *receiver) deliver(body string) int { return deliverSigned(r.handler, r.secret, body) }

func deliverSigned(handler http.Handler, secret, body string) int {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w.Code
}

// A merchant signs, with a secret of its own, an event of another merchant's operation.
func TestOneMerchantCannotMakeAnothersEventKnown(t *testing.T) {
	t.Parallel()
	inbox := new(intram.MemoryInbox)
	a := newReceiver(t, inbox, "whsec_a", intram.WithInboxScope("a/live"))
	b := newReceiver(t, inbox, "whsec_b", intram.WithInboxScope("b/live"))
	for _, body := range []string{payoutBody("op_1"), `{"event":"dispute.opened","operation_id":"op_2","data":{}}`} {
		a.effects, b.effects = 0, 0
		assert.Equal(t, 200, b.deliver(body))
		assert.Equal(t, 200, a.deliver(body))
		assert.Equal(t, 200, a.deliver(body))
		assert.Equal(t, 1, a.effects, "known to the other merchant only")
		assert.Equal(t, 1, b.effects)
	}
}

// One handler for two merchants: the secret that the signature fits says whose event it
// is.
func TestTheSecretSaysWhoseEventItIs(t *testing.T) {
	t.Parallel()
	scoped := func(secret, scope string) *intram.WebhookVerifier {
		v, err := intram.NewWebhookVerifier(secret)
		require.NoError(t, err)
		return v.WithInboxScope(scope)
	}
	verifier, err := intram.JoinVerifiers(scoped("whsec_a", "a"), scoped("whsec_b", "b"), scoped("whsec_a2", "a"))
	require.NoError(t, err)
	effects := make(map[string]int)
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(_ context.Context, e *intram.Event) error {
		effects[e.Scope]++
		return nil
	}, intram.WithInboxScope("neither"))
	for _, secret := range []string{"whsec_b", "whsec_a", "whsec_a2", "whsec_b"} { // a2: rotated
		assert.Equal(t, 200, deliverSigned(handler, secret, payoutBody("op_1")))
	}
	assert.Equal(t, map[string]int{"a": 1, "b": 1}, effects)

	event, err := verifier.Verify(intram.SignWebhook("whsec_b", time.Now(), []byte(payoutBody("op_1"))), []byte(payoutBody("op_1")))
	require.NoError(t, err)
	assert.Equal(t, "b", event.Scope)

	for name, bad := range map[string][]*intram.WebhookVerifier{
		"none": nil, "a nil one": {scoped("whsec_a", "a"), nil},
		"one secret in two scopes": {scoped("whsec_a", "a"), scoped("whsec_a", "b")},
	} {
		_, err := intram.JoinVerifiers(bad...)
		require.ErrorContains(t, err, "JoinVerifiers", name)
	}
}

// What version 0.1.0 noted is known, in whatever scope the merchant is now.
func TestWhatTookEffectWithoutAScopeStillCounts(t *testing.T) {
	t.Parallel()
	inbox := new(intram.MemoryInbox)
	before := newReceiver(t, inbox, "whsec_a")
	require.Equal(t, 200, before.deliver(payoutBody("op_1")))
	// printf 'state\npayout.completed\nop_1' | sha256sum: what 0.1.0 has stored.
	claim, err := inbox.Claim(t.Context(), "da4c69663d679abf5b5dc2454ee27e5f48a35cd88ed2018c3c710028e4fdd484", time.Minute)
	require.NoError(t, err)
	require.Equal(t, intram.ClaimDone, claim.State)

	after := newReceiver(t, inbox, "whsec_a", intram.WithInboxScope("a/live"))
	assert.Equal(t, 200, after.deliver(payoutBody("op_1")))
	assert.Zero(t, after.effects)
	alone := newReceiver(t, inbox, "whsec_a", intram.WithInboxScope("a/live"), intram.WithScopedKeysOnly())
	assert.Equal(t, 200, alone.deliver(payoutBody("op_1")))
	assert.Zero(t, alone.effects, "noted in its scope by now")

	other := newReceiver(t, inbox, "whsec_b", intram.WithInboxScope("b/live"), intram.WithScopedKeysOnly())
	assert.Equal(t, 200, other.deliver(payoutBody("op_1")))
	assert.Equal(t, 1, other.effects, "another merchant's keys are none of its business")

	// A replica of 0.1.0 is at it: the scoped one waits.
	held, err := inbox.Claim(t.Context(), (&intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_2"}).InboxKey(), time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 503, after.deliver(payoutBody("op_2")))
	require.NoError(t, inbox.Release(t.Context(), held))
	assert.Equal(t, 200, after.deliver(payoutBody("op_2")))
	assert.Equal(t, 1, after.effects)
	// What takes effect in a scope stays unknown outside: or merchant b could make it
	// known to a merchant without one.
	assert.Equal(t, 200, before.deliver(payoutBody("op_2")))
	assert.Equal(t, 2, before.effects)
}

func TestAHandlerAndAReconcilerOfOneScopeShareTheirKeys(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	handle := func(context.Context, *intram.Event) error { return nil }
	reconciler := func(scope string) *intram.Reconciler {
		made, err := intram.NewReconciler(r.client, r.inbox, handle, intram.WithInboxScope(scope))
		require.NoError(t, err)
		return made
	}
	run := func(scope string) *intram.Reconciliation {
		result, err := reconciler(scope).Run(t.Context(), r.server.Now().Add(-time.Hour))
		require.NoError(t, err)
		return result
	}
	r.swallow = func(int) bool { return true }
	op := r.payout("22961000000")
	// Merchant b forges the event in its own scope.
	b := newReceiver(t, r.inbox, "whsec_b", intram.WithInboxScope("b"))
	require.Equal(t, 200, b.deliver(payoutBody(op.ID)))
	assert.Equal(t, 1, run("a").Missing)
	a := newReceiver(t, r.inbox, "whsec_a", intram.WithInboxScope("a"))
	assert.Equal(t, 200, a.deliver(payoutBody(op.ID)))
	assert.Zero(t, a.effects, "the reconciler has had it")
	assert.Equal(t, 1, run("a").Known)
}

func TestTheKeyOfAScopeIsStored(t *testing.T) {
	t.Parallel()
	event := intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1", Scope: "a/live"}
	// printf 'scope\n6:a/live\n%s' $(printf 'state\npayout.completed\nop_1' | sha256sum |
	// cut -c1-64) | sha256sum
	assert.Equal(t, "ae85d170271d1e88102561834ca435e6dfc079862408d4a3ba2c804b2aa9363d", event.InboxKey())
	keys := make(map[string]bool)
	for _, scope := range []string{"", "a", "a\n", "1:a", "b", "a/sandbox", "a/live"} {
		event.Scope = scope
		keys[event.InboxKey()] = true
	}
	assert.Len(t, keys, 7)
}

// That an operation reaches a state once is an assumption. What breaks it is seen.
func TestAStateThatSaysSomethingElseIsCountedAndLogged(t *testing.T) {
	t.Parallel()
	var conflicts []*intram.Event
	m := newMailboxWith(t, new(intram.MemoryInbox), nil, intram.WithConflictHook(func(_ context.Context, e *intram.Event) {
		conflicts = append(conflicts, e)
		panic("in the hook")
	}))
	first := payoutBody("op_1")
	assert.Equal(t, 200, m.deliver(first).Code)
	for name, body := range map[string]string{
		"the same":         first,
		"dated anew":       strings.Replace(first, "10:31:14", "10:31:15", 1),
		"written anew":     strings.Replace(first, `"amount":25000,"currency":"XOF"`, `"currency":"XOF", "amount":25000`, 1),
		"both":             strings.Replace(strings.Replace(first, "10:31:14", "10:31:15", 1), `"amount":25000,"currency":"XOF"`, `"currency":"XOF", "amount":25000`, 1),
		"more of it known": strings.Replace(first, `"amount":25000`, `"amount":25000,"reversement_id":"r1"`, 1),
	} {
		assert.Equal(t, 200, m.deliver(body).Code, name)
		assert.Empty(t, conflicts, name)
	}
	assert.Equal(t, 200, m.deliver(strings.Replace(strings.Replace(first, "10:31:14", "11:00:00", 1), "25000", "26000", 1)).Code)
	require.Len(t, conflicts, 1)
	assert.Equal(t, "op_1", conflicts[0].OperationID)
	assert.Contains(t, m.logged(), "says something else")
	assert.Contains(t, m.logged(), "hook panicked")
	assert.NotContains(t, m.logged(), "26000")
	assert.Len(t, m.took(), 1)
}

func TestAScopeOrAHookThatIsEmptyIsAMistake(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t, intramtest.WithoutListener()).Client()
	handle := func(context.Context, *intram.Event) error { return nil }
	for says, opt := range map[string]intram.HandlerOption{
		"WithInboxScope": intram.WithInboxScope(""), "WithConflictHook": intram.WithConflictHook(nil),
		"WithHandlerTracer": intram.WithHandlerTracer(nil), "WithHandlerTracer: the tracer": intram.WithHandlerTracer((*countingTracer)(nil)),
	} {
		_, err := intram.NewReconciler(client, new(intram.MemoryInbox), handle, opt)
		require.ErrorContains(t, err, says)
	}
}

// API gateways hand headers on in lower case.
func TestAHeaderMapInLowerCaseVerifies(t *testing.T) {
	t.Parallel()
	body := payoutBody("op_1")
	lower := http.Header{}
	for name, values := range intram.SignWebhook(inboxSecret, newHandClock().at, []byte(body)) {
		lower[strings.ToLower(name)] = values
	}
	event, err := verifierAt(t, newHandClock().at, inboxSecret).Verify(lower, []byte(body))
	require.NoError(t, err)
	assert.Equal(t, "whd_test", event.DeliveryID)
	assert.Equal(t, 1, event.Attempt)

	lower["X-Intram-Signature"] = lower["x-intram-signature"]
	_, err = verifierAt(t, newHandClock().at, inboxSecret).Verify(lower, []byte(body))
	require.ErrorIs(t, err, intram.ErrDuplicateHeader)

	note := `{"reference":"R1","confirmation_status":"ACCEPTED"}`
	payin := http.Header{}
	for name, values := range intramtest.SignPayinNotification("s1", []byte(note)) {
		payin[strings.ToLower(name)] = values
	}
	_, err = intram.VerifyPayinNotification(payin, []byte(note), "s1")
	require.NoError(t, err)
}

// Merchant b signs, with its own secret, that merchant a's payout is completed. The wait
// for the payout is ended by the API's response to a's client.
func TestAnotherMerchantsEventOnlyCausesALookup(t *testing.T) {
	t.Parallel()
	body := strings.Replace(payoutBody("op_1"), "25000", "1", 1)
	for name, tt := range map[string]struct {
		scopeA, scopeB string
		opts           []intram.HandlerOption
		signedBy       string
	}{
		"b, and the client has no scope":    {"a", "b", nil, "whsec_b"},
		"b, and the client is a's":          {"a", "b", []intram.HandlerOption{intram.WithInboxScope("a")}, "whsec_b"},
		"b, which has no scope":             {"a", "", nil, "whsec_b"},
		"a, and the client has no scope":    {"a", "b", nil, "whsec_a"},
		"a, and the client is a's":          {"a", "b", []intram.HandlerOption{intram.WithInboxScope("a")}, "whsec_a"},
		"a, with two secrets in one scope":  {"a", "a", nil, "whsec_a"},
		"a, with two secrets and no scopes": {"", "", nil, "whsec_a"},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50, finished(t))
			scoped := func(secret, scope string) *intram.WebhookVerifier {
				v, err := intram.NewWebhookVerifier(secret)
				require.NoError(t, err)
				return v.WithInboxScope(scope)
			}
			verifier, err := intram.JoinVerifiers(scoped("whsec_a", tt.scopeA), scoped("whsec_b", tt.scopeB))
			require.NoError(t, err)
			handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox),
				func(context.Context, *intram.Event) error { return nil }, append(tt.opts, intram.WithNotify(client))...)
			assert.Equal(t, 200, deliverSigned(handler, tt.signedBy, body), name)
			_, err = client.WaitForOperation(t.Context(), "op_1", intram.WithInitialDelay(time.Minute))
			require.NoError(t, err, name)
			assert.Len(t, s.requests(), 1, name)
			synctest.Wait()
		})
	}
	// Notify itself is told of no scope.
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, finished(t))
		event := eventOf(intram.EventPayoutCompleted, &intram.PayoutEventData{})
		event.Scope = "b"
		client.Notify(event)
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithInitialDelay(time.Minute))
		require.NoError(t, err)
		assert.Len(t, s.requests(), 1)
	})
}
