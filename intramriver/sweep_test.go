package intramriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// many plans and sends payouts, some at a time.
func (s *shop) many(n int) {
	s.t.Helper()
	var sending errgroup.Group
	sending.SetLimit(8)
	for i := range n {
		sending.Go(func() error {
			s.server.Advance(20 * time.Millisecond) // each has a date of its own
			r, err := s.work.Payout(s.t.Context(), payout(fmt.Sprintf("PO-%d", i), "000000"))
			if err != nil {
				return err
			}
			return s.work.Send(s.t.Context(), r.ID)
		})
	}
	require.NoError(s.t, sending.Wait())
}

func TestTheSweepAsksForPages(t *testing.T) {
	t.Parallel()
	const n = 500
	s := newShop(t, rich, intramtest.WithJournalSize(10*n), intramtest.WithWorker(intramtest.After(6*time.Minute)))
	s.many(n)
	total := 0
	for s.count("SELECT count(*) FROM intram_records WHERE state = 'accepted'") > 0 {
		require.Less(t, total, n, "too many requests")
		requests, _ := s.sweep()
		total += requests
	}
	t.Logf("%d operations pending for 6 minutes, a sweep a minute: %d requests", n, total)
	assert.LessOrEqual(t, 100*total, 15*n, "0.15 an operation")
	assert.Equal(t, n, s.count("SELECT count(*) FROM books WHERE state = 'completed'"))
	assert.Equal(t, n, s.count("SELECT count(DISTINCT reference) FROM books"))
	gets := 0
	for _, r := range s.server.Requests() {
		if r.Method == http.MethodGet {
			gets++
		}
	}
	assert.Equal(t, total, gets, "what the sweep says it asked for")
}

// Old ones in a long list are found without reading what lies between.
func TestTheSweepSkipsWhatIsNotIts(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich, intramtest.WithWorker(intramtest.ByHand()))
	s.many(3)
	other := s.server.Client()
	for i := range 400 {
		s.server.Advance(time.Second)
		_, err := other.Payouts.Create(t.Context(), payout(fmt.Sprintf("another program's %d", i), "000000"))
		require.NoError(t, err)
	}
	s.pass(time.Minute)
	require.NoError(t, s.work.Send(t.Context(), s.plan("PO-3", "000000").ID))
	for i := range 4 {
		require.NoError(t, s.server.Complete(s.record(fmt.Sprintf("PO-%d", i)).OperationID))
	}
	requests, ended := s.sweep()
	assert.Equal(t, 4, ended)
	assert.LessOrEqual(t, requests, 2)
}

// More operations than a page holds were created in one millisecond.
func TestAFullMillisecondIsSweptWhole(t *testing.T) {
	t.Parallel()
	const n = 110
	s := newShop(t, rich)
	var sending errgroup.Group
	sending.SetLimit(8)
	for i := range n {
		sending.Go(func() error {
			r, err := s.work.Payout(t.Context(), payout(fmt.Sprintf("PO-%d", i), "000000"))
			if err != nil {
				return err
			}
			return s.work.Send(t.Context(), r.ID)
		})
	}
	require.NoError(t, sending.Wait())
	require.Equal(t, 1, s.count("SELECT count(DISTINCT operation_at) FROM intram_records"))
	requests, ended := s.sweep()
	assert.Equal(t, n, ended)
	assert.Equal(t, 1+n-100, requests)
}

// One that never ends is asked for less and less.
func TestAStragglerCostsLittle(t *testing.T) {
	t.Parallel()
	s := newShop(t, intramtest.WithWorker(intramtest.ByHand()))
	s.many(1)
	total := 0
	const sweeps = 150
	for range sweeps {
		requests, _ := s.sweep()
		total += requests
	}
	assert.Less(t, total, sweeps/5)
	assert.Greater(t, total, 10)
	require.NoError(t, s.server.Complete(s.record("PO-0").OperationID))
	for s.state("PO-0") == intramriver.Accepted {
		s.pass(time.Hour)
		s.sweep()
	}
	assert.Equal(t, []string{"completed"}, s.books("PO-0"))
}

// A list that does not show an operation, or shows it without what it came to, hides
// nothing.
func TestWhatAPageDoesNotShowIsLookedUp(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.many(3)
	require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.UnreadableItem, On: "GET /operations"}))
	requests, ended := s.sweep()
	assert.Equal(t, 3, ended)
	assert.Equal(t, 2, requests)
	assert.Equal(t, 3, s.count("SELECT count(*) FROM books"))
}

func TestABankPayoutIsQueuedAndThenSettledOrReturned(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *shop, id string) error{
		"settled":  func(s *shop, id string) error { return s.server.Complete(id) },
		"returned": func(s *shop, id string) error { return s.server.Fail(id, intram.CodeProviderRejected) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			var ends []intramriver.End
			s.onEnd = func(_ context.Context, _ pgx.Tx, end intramriver.End) error { ends = append(ends, end); return nil }
			params := payout("PO-1", "000000")
			params.Destination = intram.BankAccount{AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ", AccountName: "Awa", AccountSurname: "Dossou"}
			r, err := s.work.Payout(t.Context(), params)
			require.NoError(t, err)
			require.NoError(t, s.work.Send(t.Context(), r.ID))
			s.sweep()
			assert.Equal(t, intramriver.QueuedForSettlement, s.state("PO-1"))
			s.pass(24 * time.Hour)
			s.sweep()
			require.NoError(t, end(s, s.record("PO-1").OperationID))
			for s.state("PO-1") == intramriver.QueuedForSettlement {
				s.pass(time.Hour)
				s.sweep()
			}
			assert.Equal(t, []string{"queued_for_settlement", name}, s.books("PO-1"))
			require.Len(t, ends, 2)
			assert.Empty(t, ends[0].Outcome())
			if name == "returned" {
				require.NotNil(t, ends[1].Failure)
				assert.Equal(t, intram.OutcomeRejected, ends[1].Outcome(), "the money came back")
			} else {
				assert.Empty(t, ends[1].Outcome())
			}
		})
	}
}

func TestAFailedPayoutSaysWhetherTheMoneyMayHaveMoved(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]struct {
		code    intram.ErrorCode
		outcome intram.Outcome
	}{
		"000001": {intram.CodeProviderError, intram.OutcomeUnknown},
		"000002": {intram.CodeInsufficientBalance, intram.OutcomeRejected},
	} {
		t.Run(string(want.code), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			var got intramriver.End
			s.onEnd = func(_ context.Context, _ pgx.Tx, end intramriver.End) error { got = end; return nil }
			require.NoError(t, s.work.Send(t.Context(), s.plan("PO-1", outcome).ID))
			s.sweep()
			assert.Equal(t, []string{"failed"}, s.books("PO-1"))
			assert.Equal(t, want.code, s.record("PO-1").Code)
			assert.Equal(t, want.outcome, got.Outcome())
			assert.NotNil(t, got.Operation)
		})
	}
}

func TestAPaymentRequestAndItsRefundEnd(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var ends []intramriver.End
	s.onEnd = func(_ context.Context, _ pgx.Tx, end intramriver.End) error { ends = append(ends, end); return nil }
	r, err := s.work.PaymentRequest(t.Context(), "ORDER-1", intram.PaymentRequestParams{
		Invoice:       intram.Invoice{Amount: intram.NewAmount(500), Currency: intram.XOF},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, MSISDN: "2290161000014"},
	})
	require.NoError(t, err)
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	s.sweep()
	require.Len(t, ends, 1)
	page, ok := ends[0].Result.(*intram.PaymentRequestResult)
	require.True(t, ok)
	assert.NotEmpty(t, page.GatewayURL)
	assert.Equal(t, page.TransactionReference, ends[0].Record.TransactionReference)
	require.NoError(t, s.server.Pay(page.TransactionReference))

	// The refund of this number waits 30 s for its operator.
	refund, err := s.work.Refund(t.Context(), "RE-1", intram.RefundParams{TransactionReference: page.TransactionReference})
	require.NoError(t, err)
	require.NoError(t, s.work.Send(t.Context(), refund.ID))
	s.pass(6 * time.Second)
	_, _, _, _, err = s.work.Sweep(t.Context()) //nolint:dogsled // the books say it
	require.NoError(t, err)
	assert.Equal(t, []string{"queued_for_settlement"}, s.books("RE-1"))
	for range 10 {
		s.sweep()
	}
	assert.Equal(t, []string{"queued_for_settlement", "settled"}, s.books("RE-1"))
}

// A refund has no reference in the API: what is sent with it finds it again.
func TestARefundInDoubtIsFoundAfterItsHorizon(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	client := s.server.Client()
	asked, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice:       intram.Invoice{Amount: intram.NewAmount(500), Currency: intram.XOF},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, MSISDN: "2290161000000"},
	})
	require.NoError(t, err)
	page, err := client.PaymentRequests.Wait(t.Context(), asked.ID)
	require.NoError(t, err)
	require.NoError(t, s.server.Pay(page.TransactionReference))
	for i, reference := range []string{"RE-1", "RE-2"} { // two alike
		r, err := s.work.Refund(t.Context(), reference, intram.RefundParams{TransactionReference: page.TransactionReference, Amount: intram.NewAmount(100)})
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "POST /refunds", Executed: true}))
			require.Error(t, s.work.Send(t.Context(), r.ID))
		} else {
			require.NoError(t, s.work.Send(t.Context(), r.ID))
		}
	}
	s.pass(30 * time.Hour)
	first, err := s.work.Record(t.Context(), intramriver.Refund, "RE-1")
	require.NoError(t, err)
	s.send(s.work, first.ID)
	s.sweep()
	assert.Equal(t, []string{"completed"}, s.books("RE-1"))
	assert.Equal(t, []string{"completed"}, s.books("RE-2"))
}

func TestAnOnEndThatFailsIsRolledBackAndStopsNoOther(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("the books are closed") },
		"panic": func() error { panic("the books are closed") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.many(5)
			broken := true
			s.onEnd = func(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
				if broken && end.Record.Reference == "PO-2" {
					if err := keep(ctx, tx, end); err != nil {
						return err
					}
					return fail()
				}
				return nil
			}
			s.pass(time.Minute)
			_, ended, failed, _, err := s.work.Sweep(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 4, ended)
			assert.Equal(t, 1, failed)
			assert.Equal(t, intramriver.Accepted, s.state("PO-2"))
			assert.Empty(t, s.books("PO-2"), "rolled back")
			assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job WHERE kind = 'intram_end'"), "River tries it again")
			s.pass(time.Minute)
			_, _, failed, _, err = s.work.Sweep(t.Context())
			require.NoError(t, err)
			assert.Zero(t, failed, "the sweep leaves it to its job")
			broken = false
			s.pass(24 * time.Hour)
			s.sweep()
			assert.Equal(t, []string{"completed"}, s.books("PO-2"))
		})
	}
}

func TestARecordWhoseJobIsGoneIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	planned, doubtful := s.plan("PO-1", "000000"), s.plan("PO-2", "000013")
	waiting := s.plan("PO-3", "000000")
	require.Error(t, s.work.Send(t.Context(), doubtful.ID))
	_, err := s.pool.Exec(t.Context(), "DELETE FROM river_job WHERE (args->>'record')::bigint <> $1", waiting.ID)
	require.NoError(t, err)
	s.sweep()
	assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job"), "too early: a job may be between two states")
	s.pass(2 * time.Hour)
	s.sweep()
	assert.Equal(t, 2, s.count("SELECT count(*) FROM river_job"), "money is in doubt: the job is back")
	h, err := s.work.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, h.Dead, "a person may have meant it")
	assert.Equal(t, 1, h.InDoubt)
	assert.Greater(t, h.OldestPlanned, 2*time.Hour)
	s.pass(2 * time.Hour)
	s.sweep()
	assert.Equal(t, 2, s.count("SELECT count(*) FROM river_job"), "once")
	require.NoError(t, s.work.Requeue(t.Context(), planned.ID))
	require.NoError(t, s.work.Requeue(t.Context(), planned.ID))
	assert.Equal(t, 3, s.count("SELECT count(*) FROM river_job"))
	h, err = s.work.Health(t.Context())
	require.NoError(t, err)
	assert.Zero(t, h.Dead)
}

func TestHealthSaysHowOldThingsAre(t *testing.T) {
	t.Parallel()
	s := newShop(t, intramtest.WithWorker(intramtest.ByHand()))
	h, err := s.work.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &intramriver.Health{SweepAge: -1}, h)
	s.many(1)
	s.sweep()
	s.pass(time.Hour)
	h, err = s.work.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, time.Hour, h.OldestPending.Round(10*time.Minute))
	assert.Equal(t, time.Hour, h.SweepAge.Round(10*time.Minute))
	assert.Zero(t, h.OldestPlanned)
}
