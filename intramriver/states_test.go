package intramriver_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// The database refuses what the table of transitions does not have, whatever program
// writes.
func TestTheDatabaseAllowsTheTransitionsAndNoOther(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	_, err := s.pool.Exec(t.Context(), "UPDATE intram_records SET operation_id = 'op_1'")
	require.NoError(t, err)
	for _, from := range intramriver.States() {
		for _, to := range intramriver.States() {
			if from == to {
				continue
			}
			_, err := s.pool.Exec(t.Context(), fmt.Sprintf("ALTER TABLE intram_records DISABLE TRIGGER intram_records_guard; UPDATE intram_records SET state = '%s'; ALTER TABLE intram_records ENABLE TRIGGER intram_records_guard", from))
			require.NoError(t, err)
			_, err = s.pool.Exec(t.Context(), "UPDATE intram_records SET state = $1, generation = generation + 1 WHERE id = $2", string(to), r.ID)
			allowed := slices.Contains(intramriver.Transitions()[from], to)
			assert.Equal(t, allowed, err == nil, "%s to %s: %v", from, to, err)
		}
	}
	// Planned anew only with a new intent.
	_, err = s.pool.Exec(t.Context(), "ALTER TABLE intram_records DISABLE TRIGGER intram_records_guard; UPDATE intram_records SET state = 'in_doubt'; ALTER TABLE intram_records ENABLE TRIGGER intram_records_guard")
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), "UPDATE intram_records SET state = 'planned'")
	require.ErrorContains(t, err, "without a new generation")
}

// Jobs, events, sweeps and old pages in any order: each change is one of the table's,
// and OnEnd is called once for each end.
func TestNoStateGoesBackwardsInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			random := rand.New(rand.NewPCG(seed, 1))
			params := payout("PO-1", "000000")
			params.Destination = intram.BankAccount{AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ", AccountName: "Awa", AccountSurname: "Dossou"}
			r, err := s.work.Payout(t.Context(), params)
			require.NoError(t, err)
			require.NoError(t, s.work.Send(t.Context(), r.ID))
			id := s.record("PO-1").OperationID
			// What the API has shown of it over time.
			var shown []*intram.Operation
			look := func() {
				op, err := s.server.Client().Operations.Get(t.Context(), id)
				require.NoError(t, err)
				shown = append(shown, op)
			}
			look()
			require.NoError(t, s.server.Complete(id))
			look()
			if seed%3 == 0 {
				back := *shown[1]
				back.Result = &intram.PayoutResult{Status: intram.PayoutFailed}
				shown = append(shown, &back)
			}
			last := s.state("PO-1")
			for range 30 {
				switch random.IntN(3) {
				case 0:
					require.NoError(t, s.work.Send(t.Context(), r.ID))
				default:
					_, err := s.work.EndOperation(t.Context(), shown[random.IntN(len(shown))])
					require.NoError(t, err)
				}
				if now := s.state("PO-1"); now != last {
					assert.Contains(t, intramriver.Transitions()[last], now)
					last = now
				}
			}
			books := s.books("PO-1")
			assert.Equal(t, string(last), books[len(books)-1])
			assert.Len(t, slices.Compact(slices.Sorted(slices.Values(books))), len(books), "once each: %v", books)
			if seed%3 == 0 {
				assert.Equal(t, intramriver.Returned, last)
			}
		})
	}
}

// The picture in the README has all states.
func TestTheReadmeNamesEachState(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, state := range intramriver.States() {
		assert.Contains(t, string(text), string(state))
		assert.Equal(t, state.Ended(), strings.Contains(string(text), "| `"+string(state)+"` | end |"), "%s", state)
	}
}
