package intramriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// sentByAnother sends a record anew from a machine that is killed once the API has
// executed the call.
func (s *shop) sentByAnother(ctx context.Context, id int64) {
	s.t.Helper()
	before := s.posts()
	other := s.machine(nil)
	other.StopAt(func(_ context.Context, step string) error {
		if step == "called" && s.posts() > before {
			return errStopped
		}
		return nil
	})
	require.ErrorIs(s.t, other.Send(ctx, id), errStopped)
}

// A job has the proof that the first intent did nothing, and sleeps. What another job has
// sent with the second intent is not covered by it.
func TestAnOldProofMakesNoThirdIntent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	slow, slept := s.machine(nil), false
	slow.StopAt(func(ctx context.Context, step string) error {
		switch {
		case step == "claimed" && s.posts() == 0:
			s.pass(30 * time.Hour)
		case step == "called" && !slept:
			slept = true
			require.Zero(t, s.posts())
			s.sentByAnother(ctx, r.ID)
		}
		return nil
	})
	require.NoError(t, slow.Send(t.Context(), r.ID))
	s.sweep()
	assert.True(t, slept)
	assert.Equal(t, 1, s.record("PO-1").Generation)
	assert.Equal(t, 1, s.moved("PO-1"))
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
}

// A job had a refusal, and sleeps. Another one has found nothing in the list, and its
// call with a new intent is executed: the refusal is not of that.
func TestAnOldRefusalEndsNoNewIntent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	slow, slept := s.machine(nil, intram.WithHTTPClient(&http.Client{Transport: saysNo{}})), false
	slow.StopAt(func(ctx context.Context, step string) error {
		if step == "called" && !slept {
			slept = true
			s.pass(30 * time.Hour)
			s.sentByAnother(ctx, r.ID)
		}
		return nil
	})
	require.NoError(t, slow.Send(t.Context(), r.ID))
	assert.True(t, slept)
	assert.Equal(t, intramriver.Sending, s.state("PO-1"))
	assert.Empty(t, s.books("PO-1"))
	s.send(s.work, r.ID)
	s.sweep()
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
}

// saysNo refuses each call as the API does.
type saysNo struct{}

func (saysNo) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"error":true,"code":"unknown_currency","message":"no"}`)),
	}, nil
}

// A machine is killed after its call, and the next one's keys are refused: that says
// nothing of the first call, whose key keeps its age.
func TestRefusedKeysLeaveTheDoubt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	s.sentByAnother(t.Context(), r.ID)
	s.pass(time.Hour)
	door := &refusing{RoundTripper: http.DefaultTransport}
	door.refuse.Store(true)
	require.Error(t, s.machine(nil, intram.WithHTTPClient(&http.Client{Transport: door})).Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE tries = 2 AND first_sent_at < (SELECT clock_timestamp() + skew - interval '59 minutes' FROM test_clock)"))
	s.send(s.work, r.ID)
	assert.Equal(t, 1, s.moved("PO-1"))
}

// The API has executed a call, and the record has another operation meanwhile: both are
// to be seen.
func TestASecondOperationIsNotSilent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	twin, err := s.server.Client().Payouts.Create(t.Context(), payout("PO-1", "000000"))
	require.NoError(t, err)
	slow := s.machine(nil)
	slow.StopAt(func(ctx context.Context, step string) error {
		if step != "called" {
			return nil
		}
		_, err := s.pool.Exec(ctx, "UPDATE intram_records SET state = 'accepted', operation_id = $1, operation_at = now() WHERE id = $2", twin.ID, r.ID)
		return err
	})
	require.NoError(t, slow.Send(t.Context(), r.ID))
	got := s.record("PO-1")
	assert.Equal(t, twin.ID, got.OperationID)
	require.Len(t, got.Candidates, 1)
	assert.NotEqual(t, twin.ID, got.Candidates[0])
	assert.Contains(t, s.log.String(), "an operation does not fit its record")
}

// What a merchant abandons and cannot book is not abandoned.
func TestAnAbandonedRecordAndItsEndAreOne(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	_, err := s.pool.Exec(t.Context(), "UPDATE intram_records SET state = 'sending'")
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), "UPDATE intram_records SET state = 'needs_person'")
	require.NoError(t, err)
	s.onEnd = func(context.Context, pgx.Tx, intramriver.End) error { return errors.New("the books are closed") }
	require.ErrorContains(t, s.work.Abandon(t.Context(), r.ID), "the books are closed")
	assert.Equal(t, intramriver.NeedsPerson, s.state("PO-1"))
	s.onEnd = nil
	require.NoError(t, s.work.Abandon(t.Context(), r.ID))
	assert.Equal(t, []string{"refused"}, s.books("PO-1"))
}

// Two merchants share the tables. One's calls, its reconciler and its Prune leave the
// other's alone.
func TestMerchantsLeaveEachOthersRowsAlone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	other := r.machine(func(c *intramriver.Config) { c.Merchant = "another" })

	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.pass(2 * time.Hour)
	_, err := other.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events WHERE dead_at IS NOT NULL"), "its job waits")

	_, err = r.work.Reconcile(t.Context())
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), `UPDATE intram_reconciliations SET cursor = '{}' WHERE merchant = 'default'`)
	require.NoError(t, err)
	_, err = other.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM intram_reconciliations WHERE cursor IS NOT NULL"), "a run that was killed")

	r.acceptedPayout("PO-1", payout("", "000000"))
	door := &refusing{RoundTripper: http.DefaultTransport}
	door.refuse.Store(true)
	locked := r.machine(func(c *intramriver.Config) { c.Merchant = "another" }, intram.WithHTTPClient(&http.Client{Transport: door}))
	record, err := locked.Payout(t.Context(), payout("PO-1", "000000"))
	require.NoError(t, err)
	require.Error(t, locked.Send(t.Context(), record.ID))
	assert.NotContains(t, r.log.String(), "takes those of others", "those were not its own")

	r.pass(time.Minute)
	_, _, _, _, err = r.work.Sweep(t.Context()) //nolint:dogsled // the books say it
	require.NoError(t, err)
	require.Equal(t, []string{"completed"}, r.books("PO-1"))
	r.pass(24 * time.Hour)
	pruned, err := other.Prune(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.Zero(t, pruned)
}

// A body of one event opens as no other, also of the same merchant.
func TestABodyOpensForItsOwnEventAlone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for _, id := range []string{"op_1", "op_2"} {
		require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, id, mobileData)))
	}
	_, err := r.pool.Exec(t.Context(), "UPDATE intram_events SET body = (SELECT body FROM intram_events WHERE operation_id = 'op_1')")
	require.NoError(t, err)
	_, _, err = r.work.Event(t.Context(), int64(r.count("SELECT id FROM intram_events WHERE operation_id = 'op_2'")))
	require.ErrorIs(t, err, intramriver.ErrSealed)
}

// A function that cancels its job has had the last attempt.
func TestAnEventWhoseJobIsCancelledByItsFunctionIsDead(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.onEvent = func(context.Context, *intram.Event) error { return river.JobCancel(errors.New("no such customer")) }
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.settle()
	assert.Equal(t, 1, r.count("SELECT count(*) FROM intram_events WHERE dead_at IS NOT NULL AND attempts = 1 AND error LIKE '%no such customer'"))
}

// A sweep that failed is no sweep: a probe of Health's SweepAge sees it.
func TestASweepThatFailedHasNotFinished(t *testing.T) {
	t.Parallel()
	s := newShop(t, intramtest.WithWorker(intramtest.ByHand()))
	s.many(1)
	s.sweep()
	s.pass(time.Hour)
	s.server.Close()
	_, _, _, _, err := s.work.Sweep(t.Context()) //nolint:dogsled // it fails
	require.Error(t, err)
	health, err := s.work.Health(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, health.SweepAge, time.Hour)
}
