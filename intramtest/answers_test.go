package intramtest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// Whatever a changed response says, waits end with the truth, and lists hide nothing.
func TestAnswersThatAreToldOtherwise(t *testing.T) {
	t.Parallel()
	for _, kind := range []intramtest.FaultKind{
		intramtest.OtherSubject, intramtest.OddFields, intramtest.NoPayload, intramtest.UnreadableItem, intramtest.ByteOrderMark,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			client := server.Client()
			var ids []string
			for range 5 {
				op, err := client.Payouts.Create(t.Context(), payout(500))
				require.NoError(t, err)
				ids = append(ids, op.ID)
			}
			require.NoError(t, server.Fault(intramtest.Fault{Kind: kind, On: "GET", Times: 4}))
			n := 0
			for op, err := range client.Operations.All(t.Context(), intram.OperationListParams{}) {
				if odd, ok := errors.AsType[*intram.ItemError](err); ok {
					assert.Equal(t, intramtest.UnreadableItem, kind)
					assert.Equal(t, ids[2], odd.ID)
				} else {
					require.NoError(t, err)
					assert.Contains(t, ids, op.ID)
				}
				n++
			}
			assert.Equal(t, len(ids), n, "each is there, in one way or the other")
			for _, id := range ids {
				result, err := client.Payouts.Wait(t.Context(), id)
				require.NoError(t, err)
				assert.True(t, result.Paid())
			}
			assert.Positive(t, server.Fired()[kind])
		})
	}
}
