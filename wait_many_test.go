package intram_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestWaitManyYieldsEachAsItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 6, 5*time.Millisecond)
		go func() {
			for i := range ids {
				assert.NoError(t, intram.SystemClock.Sleep(t.Context(), 20*time.Second))
				if i%2 == 0 {
					assert.NoError(t, server.Complete(ids[len(ids)-1-i]))
				} else {
					assert.NoError(t, server.Fail(ids[len(ids)-1-i], intram.CodeInsufficientBalance))
				}
			}
		}()
		began := time.Now()
		var order []string
		looked := 0
		progress := intram.WithProgress(func(op *intram.Operation) {
			looked++
			assert.Contains(t, ids, op.ID)
			assert.False(t, op.Status.Finished())
			assert.NotEmpty(t, op.Raw, "who looks on sees all of it")
		})
		for op, err := range client.WaitMany(t.Context(), append(ids, ids...), progress) {
			n := len(order)
			if n%2 == 0 {
				require.NoError(t, err)
				order = append(order, op.ID)
			} else {
				var failed *intram.OperationError
				require.ErrorAs(t, err, &failed)
				require.ErrorIs(t, err, intram.CodeInsufficientBalance)
				assert.Nil(t, op)
				order = append(order, failed.OperationID)
			}
			assert.WithinDuration(t, began.Add(time.Duration(n+1)*20*time.Second), time.Now(), 11*time.Second, "as it ended, not when all had")
		}
		want := []string{ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]}
		assert.Equal(t, want, order, "each once, though each was given twice")
		assert.Positive(t, looked)
		synctest.Wait()
		assert.Zero(t, intram.PendingWaits(client))
	})
}

// Unknown ids, and those of the other environment, are told apart from those that have
// not ended.
func TestWaitManyTellsOfIDsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, requests := manyWaits(t, intramtest.AtOnce())
		live, err := intram.NewClient(server.LivePublicKey, server.LiveSecretKey, intram.WithBaseURL(server.URL), intram.WithClock(server.Clock()),
			intram.WithHTTPClient(server.HTTPClient()))
		require.NoError(t, err)
		ids := payMany(t, client, 5, 5*time.Millisecond)
		ids = append(ids, payMany(t, live, 5, 5*time.Millisecond)...)
		ids = append(ids, "op_nobody_knows", "op_nor_this_one")
		known, unknown := 0, 0
		for op, err := range client.WaitMany(t.Context(), ids) {
			if err == nil {
				known++
				assert.Contains(t, ids[:5], op.ID)
				continue
			}
			unknown++
			var wait *intram.WaitError
			require.ErrorAs(t, err, &wait)
			require.ErrorIs(t, err, intram.CodeOperationNotFound)
			assert.Contains(t, ids[5:], wait.ID)
			assert.Nil(t, wait.Operation)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		}
		assert.Equal(t, 5, known)
		assert.Equal(t, 7, unknown)
		assert.Less(t, requests.looks(), 50, "seven are asked for six times, until they are believed not to be there")
	})
}

func TestWaitManyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 10, 5*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, server.Complete(ids[3]))
		seen := map[string]bool{}
		for op, err := range client.WaitMany(ctx, ids) {
			if err == nil {
				assert.Equal(t, ids[3], op.ID)
				seen[op.ID] = true
				continue
			}
			var wait *intram.WaitError
			require.ErrorAs(t, err, &wait)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, intram.OperationQueued, wait.Operation.Status)
			assert.Equal(t, wait.ID, wait.Operation.ID)
			seen[wait.ID] = true
		}
		assert.Len(t, seen, 10, "each that is left is named, to wait for it again")
		synctest.Wait()
		assert.Zero(t, intram.PendingWaits(client))
	})
}

func TestWaitManyBoundsTheWaitForEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, _ := manyWaits(t, intramtest.ByHand())
		ids := payMany(t, client, 10, 5*time.Millisecond)
		began, n := time.Now(), 0
		for _, err := range client.WaitMany(t.Context(), ids, intram.WithMaxWait(20*time.Second)) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			n++
		}
		assert.Equal(t, 10, n)
		assert.WithinDuration(t, began.Add(20*time.Second), time.Now(), 1100*time.Millisecond)
	})
}

// A range that is left early leaves nothing behind.
func TestWaitManyCanBeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, requests := manyWaits(t, intramtest.After(5*time.Second))
		ids := payMany(t, client, 10, 5*time.Millisecond)
		for op, err := range client.WaitMany(t.Context(), ids) {
			require.NoError(t, err)
			assert.NotNil(t, op)
			break
		}
		synctest.Wait()
		assert.Zero(t, intram.PendingWaits(client))
		before := requests.looks()
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), time.Minute))
		assert.Equal(t, before, requests.looks(), "nothing is asked for nobody")
	})
}

func TestWaitManyChecksWhatItIsGiven(t *testing.T) {
	t.Parallel()
	client, s := waiting(t, 50)
	for name, wait := range map[string]func(yield func(*intram.Operation, error) bool){
		"operation_id":     client.WaitMany(t.Context(), []string{"op_1", "..", "op_2"}),
		"ctx":              client.WaitMany(nil, []string{"op_1"}), //nolint:staticcheck // what a careless caller does
		"WithMaxWait":      client.WaitMany(t.Context(), []string{"op_1"}, intram.WithMaxWait(-1)),
		"WithInitialDelay": client.WaitMany(t.Context(), []string{"op_1"}, intram.WithInitialDelay(-1)),
		"WithPollInterval": client.WaitMany(t.Context(), []string{"op_1"}, intram.WithPollInterval(0, 0)),
	} {
		n := 0
		for op, err := range wait {
			n++
			assert.Nil(t, op)
			var refused *intram.Error
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, intram.CodeValidationError)
			assert.Equal(t, name, refused.Details[0].Path)
			assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
		}
		assert.Equal(t, 1, n)
	}
	assert.Empty(t, s.requests())
	for op, err := range client.WaitMany(t.Context(), nil) {
		t.Error("nothing was asked for", op, err)
	}
}
