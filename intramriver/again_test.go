package intramriver_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// The first machine was killed after its call and before it wrote the result. What the
// second one is told before the API looks at the key says nothing of the first call.
func TestARefusalAfterAKillIsNotTheFirstCallsResult(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]intramtest.Fault{
		"rate limit": {Kind: intramtest.Unavailable, On: "POST /payouts", Status: http.StatusTooManyRequests},
		"signature":  {Kind: intramtest.ClockSkewForged, On: "POST /payouts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.plan("PO-1", "000000")
			killed := s.machine(nil)
			errKilled := errors.New("killed")
			killed.StopAt(func(_ context.Context, step string) error {
				if step == "called" {
					return errKilled
				}
				return nil
			})
			require.ErrorIs(t, killed.Send(t.Context(), r.ID), errKilled)

			require.NoError(t, s.server.Fault(refuse))
			require.Error(t, s.work.Send(t.Context(), r.ID))
			assert.NotEqual(t, intramriver.Refused, s.state("PO-1"))
			assert.Equal(t, 2, s.count("SELECT tries FROM intram_records"), "the first call is not forgotten")
			assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE first_sent_at IS NOT NULL"))

			s.server.ClearFaults()
			require.NoError(t, s.work.Send(t.Context(), r.ID))
			s.pass(time.Minute)
			s.sweep()
			assert.Equal(t, 1, s.moved("PO-1"))
			assert.Equal(t, []string{"completed"}, s.books("PO-1"))
		})
	}
}
