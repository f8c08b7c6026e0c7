package intram_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// An outage in which nothing succeeds: lookups by the hundred are tried once each in the
// end, and the recovery of a payout still has all of its attempts. When those are spent
// too, the error says so, and is the last response.
func TestLookUpsOfAnOutageLeaveAPayoutItsRetries(t *testing.T) {
	t.Parallel()
	s := &script{t: t, forever: answer(http.StatusServiceUnavailable, `{"error":true,"code":"internal_error","message":"Try later"}`)}
	client := newClient(t, s, intram.WithClock(fixedClock{}))
	var last intram.Response
	for range 200 {
		_, err := client.Operations.Get(t.Context(), "op_1", intram.WithResponseInto(&last))
		require.Error(t, err)
	}
	require.Equal(t, 1, last.Attempts, "the lookups have spent their retries")

	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithResponseInto(&last))
	assert.Equal(t, 4, last.Attempts, "and not the payout's")
	assert.NotContains(t, err.Error(), "have failed lately")

	for last.Attempts > 1 {
		_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithResponseInto(&last))
	}
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, http.StatusServiceUnavailable, e.StatusCode, "the last answer")
	assert.Equal(t, intram.CodeInternalError, e.Code)
	assert.Equal(t, intram.OutcomeUnknown, e.Outcome)
	assert.ErrorContains(t, err, "retry budget exhausted (too many recent failures)")
	assert.Equal(t, ownKey, e.IdempotencyKey, "the way on stays open")

	s.forever = answer(http.StatusAccepted, accepted)
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
}
