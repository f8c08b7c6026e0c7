package intramriver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

func (s *shop) count(query string) int {
	s.t.Helper()
	var n int
	require.NoError(s.t, s.pool.QueryRow(s.t.Context(), query).Scan(&n))
	return n
}

func TestTheRowAndItsJobAreInTheCallersTransaction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	errRolledBack := errors.New("no stock")
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := s.work.PayoutTx(t.Context(), tx, payout("PO-1", "000000")); err != nil {
			return err
		}
		return errRolledBack
	})
	require.ErrorIs(t, err, errRolledBack)
	assert.Zero(t, s.count("SELECT count(*) FROM intram_records"))
	assert.Zero(t, s.count("SELECT count(*) FROM river_job"))

	require.NoError(t, pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		r, err := s.work.PayoutTx(t.Context(), tx, payout("PO-1", "000000"))
		if err != nil {
			return err
		}
		assert.Equal(t, intramriver.Planned, r.State)
		assert.Equal(t, "25000", r.Amount.String())
		return nil
	}))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records"))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job WHERE queue = 'intram' AND max_attempts > 10000"))
	assert.Zero(t, s.posts(), "nothing is sent before a job runs")
}

func TestAskingTwiceIsTheSameRow(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first := s.plan("PO-é", "000000")
	again := payout("PO-e\u0301", "000000") // the same word, written in another way
	again.Amount, _ = intram.ParseAmount("25000.00")
	again.Metadata = map[string]any{}
	second, err := s.work.Payout(t.Context(), again)
	require.NoError(t, err)
	assert.Equal(t, first.ID, second.ID)
	assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job"))

	// Each kind has references of its own, and so has each merchant and environment.
	refund, err := s.work.Refund(t.Context(), "PO-é", intram.RefundParams{TransactionReference: "AB12CD34EF"})
	require.NoError(t, err)
	assert.NotEqual(t, first.ID, refund.ID)
	assert.False(t, refund.Amount.IsSet(), "all of it")
	request := intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(500), Currency: intram.XOF}, WebhookData: map[string]any{"order": 1},
	}
	asked, err := s.work.PaymentRequest(t.Context(), "PO-é", request)
	require.NoError(t, err)
	assert.Equal(t, "500", asked.Amount.String())
	askedAgain, err := s.work.PaymentRequest(t.Context(), "PO-é", request)
	require.NoError(t, err)
	assert.Equal(t, asked.ID, askedAgain.ID)
	assert.Equal(t, map[string]any{"order": 1}, request.WebhookData, "the caller's parameters are the caller's")
	other := s.machine(func(c *intramriver.Config) { c.Merchant = "another" })
	theirs, err := other.Payout(t.Context(), again)
	require.NoError(t, err)
	assert.NotEqual(t, first.ID, theirs.ID)
	_, err = other.Record(t.Context(), intramriver.Refund, "PO-é")
	require.ErrorIs(t, err, intramriver.ErrNoRecord)
	assert.Equal(t, 4, s.count("SELECT count(*) FROM river_job"))
}

func TestOtherParametersAreAnErrorThatShowsBoth(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.plan("PO-1", "000000")
	other := payout("PO-1", "000001")
	other.Amount = intram.NewAmount(30_000)
	other.Note, other.Metadata = "salary of Awa", map[string]any{"awa": "dossou"}
	// After the error the transaction is still good.
	require.NoError(t, pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		_, err := s.work.PayoutTx(t.Context(), tx, other)
		var mismatch *intramriver.MismatchError
		require.ErrorAs(t, err, &mismatch)
		assert.Equal(t, []string{"amount", "destination.msisdn", "metadata", "note"}, mismatch.Fields)
		assert.Equal(t, "25000", mismatch.Stored.Amount.String())
		assert.Equal(t, "30000", mismatch.Asked.Amount.String())
		assert.Equal(t, intramriver.Planned, mismatch.State)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%#v", mismatch.Stored)} {
			for _, personal := range []string{"Awa", "Dossou", "awa", "salary", "2290161000000", "2290161000001", "PO-1"} {
				if personal == "PO-1" && text != err.Error() {
					continue
				}
				assert.NotContains(t, text, personal)
			}
		}
		assert.Contains(t, err.Error(), "25000 XOF")
		assert.Contains(t, err.Error(), "30000 XOF")
		_, err = tx.Exec(t.Context(), "SELECT 1")
		return err
	}))
	assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job"))
}

func TestInvalidParametersAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	nobody := payout("PO-1", "000000")
	nobody.Destination = nil
	_, err := s.work.Payout(t.Context(), nobody)
	require.ErrorIs(t, err, intram.CodeValidationError)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
	for reference, says := range map[string]string{
		"": "reference is required", "a\x00b": "control characters", "a\nb": "control characters", "a\xff": "UTF-8",
		"PO-1 ": "white space", " PO-1": "white space", "PO-1\u00a0": "white space", "PO\u00a01": "invisible", "PO-1\u200b": "invisible",
	} {
		_, err = s.work.Refund(t.Context(), reference, intram.RefundParams{TransactionReference: "AB12CD34EF"})
		require.ErrorContains(t, err, says)
	}
	_, err = s.work.Payout(t.Context(), payout("", "000000"))
	require.ErrorContains(t, err, "reference is required")
	_, err = s.work.Refund(t.Context(), "RE-1", intram.RefundParams{
		TransactionReference: "AB12CD34EF", Metadata: map[string]any{intramriver.ReferenceKey: "RE-2"},
	})
	require.ErrorContains(t, err, "metadata.intram_reference")
	_, err = s.work.PayoutTx(t.Context(), nil, payout("PO-1", "000000"))
	require.ErrorContains(t, err, "transaction is nil")
	assert.Zero(t, s.count("SELECT count(*) FROM intram_records"))
}

func TestNothingPersonalIsReadableInTheDatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	intent, err := s.server.Client().Payouts.Prepare(payout("PO-1", "000000"))
	require.NoError(t, err)
	var row, job []byte
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT row_to_json(r)::text || encode(params, 'escape') || encode(intent, 'escape') FROM intram_records r").Scan(&row))
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT row_to_json(r)::text FROM river_job r").Scan(&job))
	for _, personal := range []string{"2290161000000", "161000000", "Awa", "Dossou", intent.CallSHA256} {
		assert.NotContains(t, string(row), personal)
		assert.NotContains(t, string(job), personal)
	}
	// What is sealed belongs to its row and its column.
	for _, move := range []string{
		"UPDATE intram_records SET params = intent", "UPDATE intram_records SET reference = 'PO-2'", "UPDATE intram_records SET params = NULL",
	} {
		_, err := s.pool.Exec(t.Context(), move)
		require.NoError(t, err)
		require.Error(t, s.work.Send(t.Context(), r.ID), move)
	}
	assert.Zero(t, s.posts())
}

// What the database stores for a job stays readable for the version before and after.
func TestTheArgumentsOfAJobAreSmallAndStable(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	var args []byte
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT args FROM river_job").Scan(&args))
	assert.JSONEq(t, fmt.Sprintf(`{"merchant": "default", "environment": "sandbox", "record": %d}`, r.ID), string(args))
}

func TestTwoTransactionsWithOneReferencePlanOnePayout(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	tx, err := s.pool.Begin(t.Context())
	require.NoError(t, err)
	first, err := s.work.PayoutTx(t.Context(), tx, payout("PO-1", "000000"))
	require.NoError(t, err)
	type result struct {
		r   *intramriver.Record
		err error
	}
	second := make(chan result)
	go func() {
		r, err := s.work.Payout(context.WithoutCancel(t.Context()), payout("PO-1", "000000"))
		second <- result{r, err}
	}()
	require.NoError(t, tx.Commit(t.Context()))
	got := <-second
	require.NoError(t, got.err)
	assert.Equal(t, first.ID, got.r.ID)
	assert.Equal(t, 1, s.count("SELECT count(*) FROM river_job"))
}
