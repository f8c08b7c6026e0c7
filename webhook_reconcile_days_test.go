package intram_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// keepingInbox is an inbox that keeps what is pending, as the shared ones do.
type keepingInbox struct {
	*intram.MemoryInbox
	pending map[string]intram.PendingOperation
}

func (k keepingInbox) KeepPending(_ context.Context, scope string, pending []intram.PendingOperation, ended []string) error {
	for _, p := range pending {
		k.pending[scope+" "+p.ID] = p
	}
	for _, id := range ended {
		delete(k.pending, scope+" "+id)
	}
	return nil
}

func (k keepingInbox) Pending(_ context.Context, scope string) (all []intram.PendingOperation, _ error) {
	for name, p := range k.pending {
		if name == scope+" "+p.ID {
			all = append(all, p)
		}
	}
	return all, nil
}

func (r *reconciled) newReconciler(inbox intram.Inbox, opts ...intram.HandlerOption) *intram.Reconciler {
	r.Helper()
	reconciler, err := intram.NewReconciler(r.client, inbox, r.takeEffect, opts...)
	require.NoError(r, err)
	return reconciler
}

// days lets days go by, with a run each.
func (r *reconciled) days(n int) *intram.Reconciliation {
	r.Helper()
	var result *intram.Reconciliation
	for range n {
		r.server.Advance(24 * time.Hour)
		result = r.run()
		assert.Empty(r, result.Failures)
	}
	return result
}

// A link that is paid on Tuesday and a bank that settles next week end long after they
// were created.
func TestWhatEndsDaysLaterIsFound(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	reference, settled, unpaid := r.payment(), r.bankPayout(), r.payment()
	assert.Equal(t, 3, r.run().Pending)
	r.days(5)
	before := len(r.effects)
	require.NoError(t, r.server.Pay(reference))
	require.NoError(t, r.server.Complete(settled.ID))
	assert.Equal(t, 1, r.days(1).Pending, "only the link that nobody paid")
	assert.Len(t, r.effects, before+2)
	assert.Contains(t, r.effects, "payout.completed "+settled.ID)
	r.days(3)
	for id, n := range r.effects {
		assert.Equal(t, 1, n, id) // payout.queued too, which the inbox has forgotten by now
	}
	require.NoError(t, r.server.Decline(unpaid))
	assert.Zero(t, r.days(1).Pending)
}

func TestWhatIsPendingIsKeptOverARestartByTheInbox(t *testing.T) {
	t.Parallel()
	for _, keeps := range []bool{true, false} {
		r := newReconciled(t)
		r.swallow = func(int) bool { return true }
		inbox := intram.Inbox(r.inbox)
		if keeps {
			inbox = keepingInbox{r.inbox, make(map[string]intram.PendingOperation)}
		}
		reference := r.payment()
		for range 5 { // a process each
			r.reconciler = r.newReconciler(inbox)
			r.run()
			r.server.Advance(24 * time.Hour)
		}
		require.NoError(t, r.server.Pay(reference))
		r.reconciler = r.newReconciler(inbox)
		r.run()
		if keeps {
			assert.Len(t, r.effects, 2, "created and paid")
		} else {
			assert.Len(t, r.effects, 1, "the documentation says so")
		}
	}
}

// Four days without a run: a delivery may have brought the event, and the inbox may have
// forgotten it since.
func TestWhatTheInboxMayHaveForgottenIsAFailureAndHasNoEffect(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	reference := r.payment()
	require.NoError(t, r.server.Idle(t.Context())) // a delivery that is still on its way would be one more that is not sure
	r.run()
	r.server.Advance(time.Hour)
	require.NoError(t, r.server.Pay(reference)) // delivered
	r.server.Advance(time.Second)
	require.NoError(t, r.server.Idle(t.Context()))
	require.Len(t, r.effects, 2)
	r.server.Advance(100 * time.Hour)
	result := r.run()
	require.Len(t, result.Failures, 1)
	require.ErrorIs(t, result.Failures[0].Err, intram.ErrBeyondHorizon)
	assert.Equal(t, intram.EventPaymentRequestPaid, result.Failures[0].Event.Type)
	assert.Equal(t, 1, r.effects["payment_request.paid "+result.Failures[0].Event.OperationID])
	assert.Empty(t, r.run().Failures, "said once")
}

func TestTheReconcilersOwnHorizonEndsAWatch(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.reconciler = r.newReconciler(r.inbox, intram.WithReconcileHorizon(96*time.Hour))
	r.payment()
	r.run()
	r.days(4)
	r.server.Advance(24 * time.Hour)
	result := r.run()
	require.Len(t, result.Failures, 1)
	require.ErrorIs(t, result.Failures[0].Err, intram.ErrBeyondHorizon)
	assert.Zero(t, r.days(1).Pending)
	_, err := intram.NewReconciler(r.client, r.inbox, r.takeEffect, intram.WithReconcileHorizon(time.Hour))
	require.ErrorContains(t, err, "WithReconcileHorizon")
}

// An event whose function fails for days is tried until it succeeds.
func TestAnEventThatFailsForDaysIsNotForgotten(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	r.payout("22961000000")
	r.fail = func(*intram.Event) error { return errors.New("the database is down") }
	for range 5 {
		assert.Len(t, r.run().Failures, 1)
		r.server.Advance(24 * time.Hour)
	}
	r.fail = nil
	assert.Equal(t, 1, r.run().Missing)
}

func TestTheInboxSaysHowFarBackARunMayLook(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.inbox.Retention = 30 * 24 * time.Hour
	r.reconciler = r.newReconciler(r.inbox)
	_, err := r.reconciler.Run(t.Context(), r.server.Now().Add(-29*24*time.Hour))
	require.NoError(t, err)
	_, err = r.reconciler.Run(t.Context(), r.server.Now().Add(-31*24*time.Hour))
	require.ErrorContains(t, err, "an inbox may forget")
}

// A state that cannot be read may hide an event: a failure, and never silence.
func TestAStateThatCannotBeReadIsAFailure(t *testing.T) {
	t.Parallel()
	transactions := `{"error":false,"data":[{"reference":"T1","status":"settled","amount":1},{"reference":"T2","status":"success","amount":1}]}`
	for name, tt := range map[string]struct {
		operation string
		failures  int
		missing   int
	}{
		"in capitals":             {`"type":"payout","status":"SUCCEEDED","result":{"status":"COMPLETED","amount":1}`, 0, 1},
		"a result word":           {`"type":"payout","status":"succeeded","result":{"status":"succeeded","amount":1}`, 1, 0},
		"no result word":          {`"type":"payout","status":"succeeded","result":{"amount":1}`, 1, 0},
		"no result":               {`"type":"payout","status":"succeeded"`, 1, 0},
		"an amount in words":      {`"type":"payout","status":"succeeded","result":{"status":"completed","amount":"mille"}`, 1, 0},
		"no status":               {`"type":"payout"`, 1, 0},
		"a new status":            {`"type":"payout","status":"reversed"`, 1, 0},
		"no type":                 {`"status":"succeeded"`, 1, 0},
		"a type of another name":  {`"type":"transfer","status":"succeeded"`, 0, 0},
		"a refund's word":         {`"type":"refund","status":"succeeded","result":{"status":"done","amount":1}`, 1, 0},
		"a refund that failed":    {`"type":"refund","status":"succeeded","result":{"status":"Failed","amount":1}`, 0, 1},
		"a payment's transaction": {`"type":"payment_request","status":"succeeded","result":{"transaction_reference":"T1","amount":1}`, 1, 1},
		"in lower case":           {`"type":"payment_request","status":"succeeded","result":{"transaction_reference":"T2","amount":1}`, 0, 2},
		"a payment without one":   {`"type":"payment_request","status":"succeeded","result":{"amount":1}`, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scripted(t, answer(200, `{"error":false,"data":[{"operation_id":"op_1",`+tt.operation+`}]}`), answer(200, transactions))
			inbox := keepingInbox{new(intram.MemoryInbox), make(map[string]intram.PendingOperation)}
			reconciler, err := intram.NewReconciler(client, inbox, func(context.Context, *intram.Event) error { return nil })
			require.NoError(t, err)
			result, err := reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
			require.NoError(t, err)
			assert.Equal(t, tt.missing, result.Missing)
			require.Len(t, result.Failures, tt.failures, "%v", result.Failures)
			assert.Len(t, inbox.pending, tt.failures, "it is looked up again")
			for _, f := range result.Failures {
				require.ErrorIs(t, f.Err, intram.ErrCannotReconcile)
				assert.Equal(t, "op_1", f.Event.OperationID)
			}
		})
	}
}

func TestTheReconcilerWakesWaits(t *testing.T) {
	t.Parallel()
	r := newReconciled(t, intramtest.WithWorker(intramtest.ByHand()))
	r.swallow = func(int) bool { return true }
	op := r.payout("22961000000")
	require.NoError(t, r.server.Process(op.ID))
	require.NoError(t, r.server.Complete(op.ID))
	r.reconciler = r.newReconciler(r.inbox, intram.WithNotify(r.client))
	require.Equal(t, 1, r.run().Missing)
	looked := len(r.server.Requests())
	// The event is known: the wait looks at once.
	began := r.server.Clock().Now()
	result, err := r.client.Payouts.Wait(t.Context(), op.ID, intram.WithInitialDelay(30*time.Second))
	require.NoError(t, err)
	assert.Equal(t, intram.PayoutCompleted, result.Status)
	assert.Zero(t, r.server.Clock().Now().Sub(began))
	assert.Len(t, r.server.Requests(), looked+1)
}

func TestAnInboxInMemoryIsWarnedOf(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	var log bytes.Buffer
	logger := intram.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil)))
	r.newReconciler(keepingInbox{r.inbox, nil}, logger)
	assert.Empty(t, log.String())
	r.newReconciler(r.inbox, logger)
	assert.Contains(t, log.String(), "in memory")
}

// behind is the clock of a machine that is behind the server's.
type behind struct {
	intram.Clock
	by time.Duration
}

func (b behind) Now() time.Time { return b.Clock.Now().Add(-b.by) }

// since is the machine's time, and what it is compared with the server's.
func TestAClockThatIsBehindMakesNothingTakeEffectTwice(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{0, 2 * time.Hour, 11 * time.Hour} {
		r := newReconciled(t)
		clock := behind{r.server.Clock(), by}
		r.client = r.server.Client(intram.WithClock(clock))
		r.reconciler = r.newReconciler(r.inbox)
		r.payout("22961000000")
		late := r.payment()
		r.server.Advance(time.Second)
		require.NoError(t, r.server.Idle(t.Context()))
		r.run()
		r.server.Advance(time.Hour)
		require.NoError(t, r.server.Pay(late)) // delivered, and no run looks for days
		r.server.Advance(time.Second)
		require.NoError(t, r.server.Idle(t.Context()))
		require.Len(t, r.effects, 3)

		r.server.Advance(72*time.Hour + 10*time.Minute) // the inbox has forgotten it all
		_, err := r.reconciler.Run(t.Context(), clock.Now().Add(-71*time.Hour))
		require.ErrorContains(t, err, "an inbox may forget")
		result, err := r.reconciler.Run(t.Context(), clock.Now().Add(-60*time.Hour))
		require.NoError(t, err)
		require.Len(t, result.Failures, 1)
		require.ErrorIs(t, result.Failures[0].Err, intram.ErrBeyondHorizon)
		for id, n := range r.effects {
			assert.Equal(t, 1, n, "%s, %s behind", id, by)
		}
	}
}

// Sandbox and live never share what is pending, whatever inbox they share.
func TestWhatIsPendingBelongsToAnEnvironment(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	inbox := keepingInbox{r.inbox, make(map[string]intram.PendingOperation)}
	r.payment()
	r.reconciler = r.newReconciler(inbox, intram.WithInboxScope("shop"))
	r.run()
	require.Len(t, inbox.pending, 1)
	for name := range inbox.pending {
		assert.Regexp(t, "^sandbox/shop ", name)
	}
}

// What could not be looked up stays in view, and is counted.
func TestWhatCannotBeLookedUpStaysInView(t *testing.T) {
	t.Parallel()
	created := time.Now().Add(-90 * time.Hour)
	inbox := keepingInbox{new(intram.MemoryInbox), map[string]intram.PendingOperation{
		"live/ op_1": {ID: "op_1", CreatedAt: created, Since: created},
	}}
	empty := answer(200, `{"error":false,"data":[]}`)
	client, _ := scripted(t, empty, empty, answer(404, `{"error":true,"code":"operation_not_found"}`))
	reconciler, err := intram.NewReconciler(client, inbox, func(context.Context, *intram.Event) error { return nil })
	require.NoError(t, err)
	result, err := reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, result.Failures, 1)
	assert.Equal(t, 1, result.Pending)
	assert.Contains(t, inbox.pending, "live/ op_1")
}

// A run that ends between two events of an operation keeps it, with what has taken
// effect.
func TestARunThatIsCutShortKeepsWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	inbox := keepingInbox{r.inbox, make(map[string]intram.PendingOperation)}
	op := r.bankPayout()
	require.NoError(t, r.server.Complete(op.ID))
	ctx, cancel := context.WithCancel(t.Context())
	reconciler, err := intram.NewReconciler(r.client, inbox, func(_ context.Context, e *intram.Event) error {
		cancel()
		return r.takeEffect(t.Context(), e)
	})
	require.NoError(t, err)
	_, err = reconciler.Run(ctx, r.server.Now().Add(-48*time.Hour))
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, inbox.pending, "sandbox/ "+op.ID)
	assert.Equal(t, []intram.EventType{intram.EventPayoutQueued}, inbox.pending["sandbox/ "+op.ID].Told)
	r.server.Advance(90 * time.Hour)
	r.reconciler = r.newReconciler(inbox)
	r.run()
	assert.Equal(t, 1, r.effects["payout.queued "+op.ID])
}

// An event that the inbox may have forgotten is told as a failure once, though its
// operation stays in view.
func TestAForgottenEventOfAnOpenOperationIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	reference := r.payment()
	inbox := keepingInbox{r.inbox, make(map[string]intram.PendingOperation)}
	r.reconciler = r.newReconciler(inbox)
	r.fail = func(*intram.Event) error { return errors.New("the database is down") }
	assert.Len(t, r.run().Failures, 1)
	r.fail = nil
	r.server.Advance(100 * time.Hour)
	result := r.run()
	require.Len(t, result.Failures, 1)
	require.ErrorIs(t, result.Failures[0].Err, intram.ErrBeyondHorizon)
	result = r.run()
	assert.Empty(t, result.Failures, "said once")
	assert.Zero(t, result.Missing, "and it does not take effect after all")
	require.NoError(t, r.server.Pay(reference))
	assert.Equal(t, 1, r.run().Missing, "it is still in view")
}

// busyInbox says of each event that a delivery is bringing it.
type busyInbox struct{ keepingInbox }

func (busyInbox) Claim(_ context.Context, key string, _ time.Duration) (intram.Claim, error) {
	return intram.Claim{Key: key, State: intram.ClaimBusy, RetryIn: time.Hour}, nil
}

// What a delivery is bringing may have taken effect a moment later: from when on nothing
// had is not moved ahead.
func TestWhatIsOnItsWayIsNotCertain(t *testing.T) {
	t.Parallel()
	r := newReconciled(t)
	r.swallow = func(int) bool { return true }
	op := r.payout("22961000000")
	r.server.Advance(time.Hour)
	inbox := busyInbox{keepingInbox{r.inbox, make(map[string]intram.PendingOperation)}}
	r.reconciler = r.newReconciler(inbox)
	assert.Equal(t, 1, r.run().Busy)
	kept := inbox.pending["sandbox/ "+op.ID]
	assert.True(t, kept.Since.Equal(kept.CreatedAt), "%v, created %v", kept.Since, kept.CreatedAt)
}

// A run looks 500 operations up, and first those that it has not seen for longest.
func TestWhatWasNotSeenForLongestIsLookedUpFirst(t *testing.T) {
	t.Parallel()
	inbox := keepingInbox{new(intram.MemoryInbox), make(map[string]intram.PendingOperation)}
	began := time.Now().Add(-90 * time.Hour)
	for i := range 502 {
		id := fmt.Sprintf("op_%03d", i)
		inbox.pending["live/ "+id] = intram.PendingOperation{ID: id, CreatedAt: began, Since: began.Add(time.Duration(i) * time.Minute)}
	}
	empty := answer(200, `{"error":false,"data":[]}`)
	client, s := scripted(t, empty, empty)
	s.forever = answer(404, `{"error":true,"code":"operation_not_found"}`)
	reconciler, err := intram.NewReconciler(client, inbox, func(context.Context, *intram.Event) error { return nil })
	require.NoError(t, err)
	result, err := reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 502, result.Pending)
	asked := s.requests()[2:]
	require.Len(t, asked, 500)
	assert.True(t, strings.HasSuffix(asked[0].Path, "/op_000"), asked[0].Path)
	assert.True(t, strings.HasSuffix(asked[499].Path, "/op_499"), asked[499].Path)
}

// Whatever has not ended stays in view.
func TestWhatHasNotEndedStaysInView(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"payout", "payment_request", "refund"} {
		for _, status := range []string{"queued", "processing"} {
			client, _ := scripted(t, answer(200, `{"error":false,"data":[{"operation_id":"op_1","type":"`+typ+`","status":"`+status+`"}]}`),
				answer(200, `{"error":false,"data":[]}`))
			inbox := keepingInbox{new(intram.MemoryInbox), make(map[string]intram.PendingOperation)}
			reconciler, err := intram.NewReconciler(client, inbox, func(context.Context, *intram.Event) error { return nil })
			require.NoError(t, err)
			result, err := reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
			require.NoError(t, err)
			assert.Equal(t, 1, result.Pending, "%s %s", typ, status)
			assert.Len(t, inbox.pending, 1)
		}
	}
}

// A refund that waits for its operator is told of twice: as pending, and as it ends.
func TestARefundThatWaitsIsReconciledToItsEnd(t *testing.T) {
	t.Parallel()
	for number, end := range map[string]string{"22961000014": "refund.completed ", "22961000015": "refund.failed "} {
		r := newReconciled(t)
		r.swallow = func(int) bool { return true }
		reference := r.payment()
		require.NoError(t, r.server.PayWith(reference, intram.MTNBenin, number))
		refund, err := r.client.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: reference})
		require.NoError(t, err)
		result, err := r.client.Refunds.Wait(t.Context(), refund.ID)
		require.NoError(t, err)
		assert.Equal(t, intram.RefundPending, result.Status)
		assert.False(t, result.Refunded())
		r.run()
		assert.Equal(t, 1, r.effects["refund.pending "+refund.ID])
		r.server.Advance(time.Minute)
		r.run()
		r.run()
		assert.Equal(t, 1, r.effects[end+refund.ID], r.effects)
	}
}
