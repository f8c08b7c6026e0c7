package intramriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// send runs a job of a record until it is done with, as River would.
func (s *shop) send(work *intramriver.Work, id int64) {
	s.t.Helper()
	for range 20 {
		err := work.Send(s.t.Context(), id)
		if err == nil {
			return
		}
		after, _, ok := intramriver.WaitOf(err)
		require.True(s.t, ok, "%v", err)
		s.pass(after)
	}
	s.t.Fatal("the job does not come to an end")
}

// sweep lets what was accepted become due, and runs the sweep.
func (s *shop) sweep() (requests, ended int) {
	s.t.Helper()
	s.pass(time.Minute)
	requests, ended, _, _, err := s.work.Sweep(s.t.Context())
	require.NoError(s.t, err)
	return requests, ended
}

func TestAPayoutIsPaidOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	got := s.record("PO-1")
	assert.Equal(t, intramriver.Accepted, got.State)
	assert.NotEmpty(t, got.OperationID)
	assert.Empty(t, s.books("PO-1"))
	// The job may run again, whenever.
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.posts())

	s.sweep()
	assert.Equal(t, intramriver.Completed, s.state("PO-1"))
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
	assert.Equal(t, 1, s.moved("PO-1"))
	s.sweep()
	op, err := s.server.Client().Operations.Get(t.Context(), got.OperationID)
	require.NoError(t, err)
	ended, err := s.work.EndOperation(t.Context(), op)
	require.NoError(t, err)
	assert.False(t, ended, "an event comes late")
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
	assert.False(t, s.record("PO-1").EndedAt.IsZero())
}

func TestALostAnswerIsInDoubtAndPaidOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000013") // executed, and the response is lost
	err := s.work.Send(t.Context(), r.ID)
	after, snooze, ok := intramriver.WaitOf(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.False(t, snooze, "River shows the error")
	assert.Equal(t, 5*time.Second, after.Round(2*time.Second+500*time.Millisecond))
	assert.Equal(t, intramriver.InDoubt, s.state("PO-1"))
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
	assert.Equal(t, 1, s.moved("PO-1"))
}

var errStopped = errors.New("the process was killed")

// Each crash point: the process stops there, and another machine goes on.
func TestWhereverAProcessStopsThePayoutIsPaidOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"claimed", "called", "accepted", "ended"} {
		for _, outcome := range []string{"000000", "000013"} {
			t.Run(step+" "+outcome, func(t *testing.T) {
				t.Parallel()
				s := newShop(t)
				r := s.plan("PO-1", outcome)
				dying, stopped := s.machine(nil), 0
				dying.StopAt(func(_ context.Context, at string) error {
					if at == step {
						stopped++
						return errStopped
					}
					return nil
				})
				for range 3 {
					if err := dying.Send(t.Context(), r.ID); err == nil || errors.Is(err, errStopped) {
						break
					}
				}
				s.pass(time.Minute)
				_, _, _, _, _ = dying.Sweep(t.Context()) //nolint:dogsled // it is killed in there, or was before
				assert.Positive(t, stopped, "never came to %s", step)

				s.send(s.work, r.ID)
				s.sweep()
				s.sweep()
				assert.Equal(t, intramriver.Completed, s.state("PO-1"))
				assert.Equal(t, []string{"completed"}, s.books("PO-1"))
				assert.Equal(t, 1, s.moved("PO-1"))
			})
		}
	}
}

// The intent is saved, in a transaction of its own, before the first byte leaves.
func TestTheIntentIsSavedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	seen := false
	work := s.machine(nil)
	work.StopAt(func(_ context.Context, step string) error {
		if step == "claimed" {
			seen = true
			assert.Zero(t, s.posts())
			assert.Equal(t, intramriver.Sending, s.state("PO-1")) // over another connection
			assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE first_sent_at IS NOT NULL AND intent IS NOT NULL AND tries = 1"))
		}
		return nil
	})
	require.NoError(t, work.Send(t.Context(), r.ID))
	assert.True(t, seen)
}

// River takes a job for stuck that is not, and another worker has it too.
func TestTwoWorkersWithOneRowSendOneKey(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"claimed", "called"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.plan("PO-1", "000000")
			slow := s.machine(nil)
			slow.StopAt(func(ctx context.Context, at string) error {
				if at == step {
					return s.work.Send(ctx, r.ID) // the other one does all of its work here
				}
				return nil
			})
			require.NoError(t, slow.Send(t.Context(), r.ID))
			assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
			assert.Equal(t, 1, s.moved("PO-1"))
			keys := map[string]bool{}
			for _, request := range s.server.Requests() {
				if request.Method == http.MethodPost {
					keys[request.IdempotencyKey] = true
				}
			}
			assert.Len(t, keys, 1)
			assert.Equal(t, 2, s.posts())
			s.sweep()
			assert.Equal(t, []string{"completed"}, s.books("PO-1"))
		})
	}
}

func TestManyWorkersAtOnceSendOneKey(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000013")
	var running sync.WaitGroup
	for range 6 {
		machine := s.machine(nil)
		running.Go(func() { _ = machine.Send(t.Context(), r.ID) })
	}
	running.Wait()
	s.send(s.work, r.ID)
	s.sweep()
	assert.Equal(t, 1, s.moved("PO-1"))
	assert.Equal(t, []string{"completed"}, s.books("PO-1"))
}

// A virtual machine is suspended between saving the intent and sending it, for longer
// than the API keeps keys.
func TestAProcessThatSleepsPastTheHorizonSendsNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	work := s.machine(nil)
	slept := false
	work.StopAt(func(_ context.Context, step string) error {
		switch {
		case step == "claimed" && !slept:
			slept = true
			s.pass(30 * time.Hour)
		case step == "called" && s.record("PO-1").Generation == 0:
			assert.Zero(t, s.posts(), "the old key is not sent")
		}
		return nil
	})
	require.NoError(t, work.Send(t.Context(), r.ID))
	got := s.record("PO-1")
	assert.Equal(t, intramriver.Accepted, got.State)
	assert.Equal(t, 1, got.Generation, "a new intent, after the proof that the old one did nothing")
	assert.Equal(t, 1, s.posts())
	assert.Equal(t, 1, s.moved("PO-1"))
}

// Another machine has gone on meanwhile.
func TestAProcessThatSleptFindsWhatAnotherHasDone(t *testing.T) {
	t.Parallel()
	for _, recorded := range []bool{true, false} {
		t.Run(fmt.Sprintf("recorded %v", recorded), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.plan("PO-1", "000000")
			slow := s.machine(nil)
			slept := false
			slow.StopAt(func(ctx context.Context, step string) error {
				if step != "claimed" || slept {
					return nil
				}
				slept = true
				s.pass(30 * time.Hour)
				other := s.machine(nil)
				other.StopAt(func(_ context.Context, step string) error {
					if step == "called" && !recorded && s.posts() > 0 {
						return errStopped
					}
					return nil
				})
				if err := other.Send(ctx, r.ID); !errors.Is(err, errStopped) {
					return err
				}
				return nil
			})
			require.NoError(t, slow.Send(t.Context(), r.ID))
			s.sweep()
			assert.Equal(t, []string{"completed"}, s.books("PO-1"))
			assert.Equal(t, 1, s.moved("PO-1"))
			assert.Equal(t, 1, s.posts())
		})
	}
}

// Everything stops for 30 hours in the middle of 100 sends.
func TestAfterThirtyHoursEachOfAHundredSendsIsPaidOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	const n = 100
	ids := make([]int64, n)
	outcomes := []string{"000000", "000013"}
	for i := range n {
		ids[i] = s.plan(fmt.Sprintf("PO-%d", i), outcomes[i%2]).ID
	}
	for i := range n {
		dying := s.machine(nil)
		dying.StopAt(func(_ context.Context, step string) error {
			if i%4 < 2 && step == []string{"claimed", "called"}[i%4] {
				return errStopped
			}
			return nil
		})
		if i < 80 { // twenty are not begun
			_ = dying.Send(t.Context(), ids[i])
		}
	}
	s.pass(30 * time.Hour)
	for i := range n {
		s.send(s.work, ids[i])
	}
	s.sweep()
	s.sweep()
	for i := range n {
		reference := fmt.Sprintf("PO-%d", i)
		assert.Equal(t, []string{"completed"}, s.books(reference), reference)
	}
	assert.Zero(t, s.count("SELECT count(*) FROM intram_records WHERE state <> 'completed'"))
	seen := map[string]int{}
	for op, err := range s.server.Client().Operations.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		require.NoError(t, err)
		seen[op.Reference()]++
	}
	assert.Len(t, seen, n)
	for reference, times := range seen {
		assert.Equal(t, 1, times, reference)
	}
}

func TestARefusalEndsTheRecord(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r, err := s.work.Refund(t.Context(), "RE-1", intram.RefundParams{TransactionReference: "AB12CD34EF"})
	require.NoError(t, err)
	broken := true
	s.onEnd = func(_ context.Context, _ pgx.Tx, end intramriver.End) error {
		assert.Equal(t, intram.OutcomeRejected, end.Outcome())
		if broken {
			panic("the books are closed")
		}
		return nil
	}
	err = s.work.Send(t.Context(), r.ID)
	require.ErrorContains(t, err, "OnEnd failed: it panicked with a string")
	assert.Empty(t, s.books("RE-1"))
	broken = false
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	got, err := s.work.Record(t.Context(), intramriver.Refund, "RE-1")
	require.NoError(t, err)
	assert.Equal(t, intramriver.Refused, got.State)
	assert.Equal(t, intram.CodeTransactionNotFound, got.Code)
	assert.Equal(t, []string{"refused"}, s.books("RE-1"))
	assert.Equal(t, 1, s.posts(), "the refusal is kept: the same call would be in doubt")
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.posts())
}

// A call that was never executed leaves no doubt: a refusal afterwards is one.
func TestARefusalAfterAnOutageIsARefusal(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r, err := s.work.Refund(t.Context(), "RE-1", intram.RefundParams{TransactionReference: "AB12CD34EF"})
	require.NoError(t, err)
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST", Status: 429, RetryAfter: "120"}))
	err = s.work.Send(t.Context(), r.ID)
	after, _, ok := intramriver.WaitOf(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, 120*time.Second, after, "Retry-After")
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	got, err := s.work.Record(t.Context(), intramriver.Refund, "RE-1")
	require.NoError(t, err)
	assert.Equal(t, intramriver.Refused, got.State)
}

func TestARecordThatCannotBeToldNeedsAPerson(t *testing.T) {
	t.Parallel()
	doubtful := func(t *testing.T) (*shop, *intramriver.Record) {
		t.Helper()
		s := newShop(t, intramtest.WithWorker(intramtest.ByHand())) // a result would say the reference
		r := s.plan("PO-1", "000013")
		require.Error(t, s.work.Send(t.Context(), r.ID))
		s.pass(30 * time.Hour)
		require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.NoPayload, Times: 1000}))
		require.NoError(t, s.work.Send(t.Context(), r.ID))
		s.server.ClearFaults()
		got := s.record("PO-1")
		require.Equal(t, intramriver.NeedsPerson, got.State)
		require.Len(t, got.Candidates, 1)
		// Nothing is sent until a person has decided.
		require.NoError(t, s.work.Send(t.Context(), r.ID))
		assert.Equal(t, 1, s.posts())
		listed, err := s.work.Records(t.Context(), intramriver.Filter{States: []intramriver.State{intramriver.NeedsPerson}})
		require.NoError(t, err)
		require.Len(t, listed, 1)
		assert.Equal(t, got, listed[0])
		assert.Equal(t, 1, strings.Count(s.log.String(), "needs a person"))
		return s, got
	}
	t.Run("Adopt", func(t *testing.T) {
		t.Parallel()
		s, r := doubtful(t)
		require.NoError(t, s.server.Complete(r.Candidates[0]))
		require.NoError(t, s.work.Adopt(t.Context(), r.ID, r.Candidates[0]))
		assert.Equal(t, intramriver.Completed, s.state("PO-1"))
		assert.Equal(t, []string{"completed"}, s.books("PO-1"))
		assert.Equal(t, 1, s.moved("PO-1"))
		require.ErrorIs(t, s.work.Adopt(t.Context(), r.ID, r.Candidates[0]), intramriver.ErrNotForPerson)
		require.ErrorIs(t, s.work.SendAnew(t.Context(), r.ID), intramriver.ErrNotForPerson)
		require.ErrorIs(t, s.work.Abandon(t.Context(), 999), intramriver.ErrNoRecord)
	})
	t.Run("SendAnew", func(t *testing.T) {
		t.Parallel()
		s, r := doubtful(t)
		require.NoError(t, s.work.SendAnew(t.Context(), r.ID))
		assert.Equal(t, intramriver.Planned, s.state("PO-1"))
		assert.Equal(t, 2, s.count("SELECT count(*) FROM river_job"))
		s.send(s.work, r.ID)
		assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
		assert.Equal(t, 1, s.record("PO-1").Generation)
	})
	t.Run("Abandon", func(t *testing.T) {
		t.Parallel()
		s, r := doubtful(t)
		require.NoError(t, s.work.Abandon(t.Context(), r.ID))
		assert.Equal(t, intramriver.Refused, s.state("PO-1"))
		assert.Equal(t, []string{"refused"}, s.books("PO-1"))
		require.ErrorIs(t, s.work.Abandon(t.Context(), r.ID), intramriver.ErrNotForPerson)
	})
}

// One process has a clock that is wrong.
func TestAClockThatIsOffChangesNothing(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute, 5 * time.Hour, -5 * time.Hour, 30 * time.Hour, -30 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			wrong := s.machine(nil, intram.WithClock(skewed{s.server.Clock(), off}))
			for i, outcome := range []string{"000000", "000013", "000013"} {
				r := s.plan(fmt.Sprintf("PO-%d", i), outcome)
				for range 3 {
					_ = wrong.Send(t.Context(), r.ID)
				}
				s.pass(time.Minute)
				assert.Equal(t, 0, s.count("SELECT count(*) FROM intram_pauses"), "one machine's clock stops no other")
				s.send(s.work, r.ID)
				s.sweep()
				assert.Equal(t, []string{"completed"}, s.books(fmt.Sprintf("PO-%d", i)))
				assert.Equal(t, 1, s.moved(fmt.Sprintf("PO-%d", i)))
			}
		})
	}
}

type skewed struct {
	intram.Clock

	off time.Duration
}

func (s skewed) Now() time.Time { return s.Clock.Now().Add(s.off) }

func TestOtherKeysSendNothingThatIsInDoubt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	begun, fresh := s.plan("PO-1", "000013"), s.plan("PO-2", "000000")
	require.Error(t, s.work.Send(t.Context(), begun.ID))
	other, err := s.server.AddMerchant("rotated")
	require.NoError(t, err)
	client, err := other.NewClient()
	require.NoError(t, err)
	work, err := intramriver.New(client, intramriver.Config{Pool: s.pool, Seal: testSeal(t)})
	require.NoError(t, err)
	work.SetNow("(clock_timestamp() + (SELECT skew FROM test_clock))", "")
	before := s.posts()
	require.ErrorContains(t, work.Send(t.Context(), begun.ID), "was sent with other keys")
	assert.Equal(t, before, s.posts())
	assert.Equal(t, intramriver.InDoubt, s.state("PO-1"))
	// What was never sent may go with the new keys.
	require.NoError(t, work.Send(t.Context(), fresh.ID))
	assert.Equal(t, intramriver.Accepted, s.state("PO-2"))
}

func TestAnotherMerchantsRecordsAreOutOfReach(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	other := s.machine(func(c *intramriver.Config) { c.Merchant = "another" })
	require.NoError(t, other.Send(t.Context(), r.ID))
	assert.Zero(t, s.posts())
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	op, err := s.server.Client().Operations.Get(t.Context(), s.record("PO-1").OperationID)
	require.NoError(t, err)
	ended, err := other.EndOperation(t.Context(), op)
	require.NoError(t, err)
	assert.False(t, ended)
	require.ErrorIs(t, other.Requeue(t.Context(), r.ID), intramriver.ErrNoRecord)
	ended, err = s.work.EndOperation(t.Context(), op)
	require.NoError(t, err)
	assert.True(t, ended)
}

// A 429 says nothing of the call before it, whose response was lost: the age of the key
// stays.
func TestARefusalAfterALostAnswerLeavesTheDoubt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000013")
	require.Error(t, s.work.Send(t.Context(), r.ID))
	s.pass(time.Hour)
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST", Status: 429}))
	require.Error(t, s.machine(nil).Send(t.Context(), r.ID))
	assert.Equal(t, intramriver.InDoubt, s.state("PO-1"))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE first_sent_at < (SELECT clock_timestamp() + skew - interval '59 minutes' FROM test_clock)"))
}

// Two jobs have the row. What the API says to the first one, that nothing was executed,
// is not true of the second one's call.
func TestADoubtOfAnotherJobIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000013")
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST", Status: 429}))
	slow := s.machine(nil)
	slow.StopAt(func(ctx context.Context, step string) error {
		if step == "called" {
			other := s.machine(nil)
			other.StopAt(func(_ context.Context, step string) error {
				if step == "called" {
					return errStopped
				}
				return nil
			})
			require.ErrorIs(t, other.Send(ctx, r.ID), errStopped)
		}
		return nil
	})
	require.Error(t, slow.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE tries = 2 AND first_sent_at IS NOT NULL"))
	s.send(s.work, r.ID)
	assert.Equal(t, 1, s.moved("PO-1"))
}

// The process is told to stop while the API executes the call.
func TestAShutdownKeepsWhatTheAPISaid(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	ctx, stop := context.WithCancel(t.Context())
	work := s.machine(nil)
	work.StopAt(func(_ context.Context, step string) error {
		if step == "called" {
			stop()
		}
		return nil
	})
	require.NoError(t, work.Send(ctx, r.ID))
	assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
}
