package intram_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// resultWords are what a result's status may say, and what a wait makes of it.
var resultWords = map[intram.OperationType]struct{ done, open, failed, unknown []string }{
	intram.OperationPayout: {
		done: []string{"completed", "COMPLETED"}, open: []string{"queued_for_settlement", "Queued_For_Settlement"},
		failed: []string{"failed", "FAILED", "Failed"}, unknown: []string{"returned", "succeeded", "paid", "on_hold", "?"},
	},
	intram.OperationRefund: {
		done: []string{"completed", "Completed"}, open: []string{"pending", "PENDING"},
		failed: []string{"failed", "FAILED"}, unknown: []string{"returned", "succeeded", "refunded"},
	},
	// The wait is for the checkout page: whether it is there is no question of the word.
	intram.OperationPaymentRequest: {
		done: []string{"paid", "PAID"}, open: []string{"pending", "PENDING", "created", "succeeded"}, failed: []string{"failed", "FAILED"},
	},
}

// paid says whether a result is paid, and whether it failed.
func paid(t *testing.T, result intram.OperationResult) (paid, failed bool) {
	t.Helper()
	switch result := result.(type) {
	case *intram.PayoutResult:
		return result.Paid(), result.Failed()
	case *intram.RefundResult:
		return result.Refunded(), result.Failed()
	case *intram.PaymentRequestResult:
		return result.Paid(), result.Failed()
	}
	require.Failf(t, "no result", "%T", result)
	return false, false
}

func succeededWith(typ intram.OperationType, word string) step {
	return answer(200, fmt.Sprintf(`{"error":false,"data":{"operation_id":"op_1","type":%q,"status":"succeeded","result":{"status":%q}}}`, typ, word))
}

// waitFor waits for a result in each of the ways there are.
func waitFor(ctx context.Context, c *intram.Client, typ intram.OperationType) map[string]func() (intram.OperationResult, error) {
	return map[string]func() (intram.OperationResult, error){
		"Wait": func() (intram.OperationResult, error) {
			switch typ {
			case intram.OperationPayout:
				return untyped(c.Payouts.Wait(ctx, "op_1"))
			case intram.OperationRefund:
				return untyped(c.Refunds.Wait(ctx, "op_1"))
			default:
				return untyped(c.PaymentRequests.Wait(ctx, "op_1"))
			}
		},
		"WaitForOperation": func() (intram.OperationResult, error) {
			op, err := c.WaitForOperation(ctx, "op_1")
			if err != nil {
				return nil, err
			}
			return op.Result, nil
		},
		"WaitMany": func() (intram.OperationResult, error) {
			for op, err := range c.WaitMany(ctx, []string{"op_1"}) {
				if err != nil {
					return nil, err
				}
				return op.Result, nil
			}
			return nil, nil
		},
	}
}

func untyped[R intram.OperationResult](result R, err error) (intram.OperationResult, error) {
	if err != nil {
		return nil, err
	}
	return result, nil
}

// An operation succeeds, and its result says that the money came back, or says something
// unknown: no wait takes that for paid.
func TestAWaitJudgesTheWordOfTheResult(t *testing.T) {
	t.Parallel()
	for typ, words := range resultWords {
		for _, way := range []string{"Wait", "WaitForOperation", "WaitMany"} {
			result := func(word string) (intram.OperationResult, error) {
				client, _ := scripted(t, succeededWith(typ, word))
				return waitFor(t.Context(), client, typ)[way]()
			}
			t.Run(string(typ)+" "+way, func(t *testing.T) {
				t.Parallel()
				for _, word := range words.done {
					got, err := result(word)
					require.NoError(t, err, word)
					done, failed := paid(t, got)
					assert.True(t, done, word)
					assert.False(t, failed, word)
				}
				for _, word := range append(words.open, "") {
					got, err := result(word)
					require.NoError(t, err, word)
					done, failed := paid(t, got)
					assert.False(t, done, word)
					assert.False(t, failed, word)
				}
				for _, word := range words.failed {
					_, err := result(word)
					var failed *intram.OperationError
					require.ErrorAs(t, err, &failed, word)
					require.ErrorIs(t, err, intram.CodeResultFailed, word)
					assert.Equal(t, "op_1", failed.OperationID)
					require.NotNil(t, failed.Operation, word)
					done, said := paid(t, failed.Operation.Result)
					assert.False(t, done, word)
					assert.True(t, said, word)
				}
				for _, word := range words.unknown {
					_, err := result(word)
					require.ErrorIs(t, err, intram.ErrUnexpectedResult, word)
					var open *intram.WaitError
					require.ErrorAs(t, err, &open, word)
					assert.Equal(t, "op_1", open.ID)
					assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), word)
				}
			})
		}
	}
}

// What the API says of the failure goes before the SDK's own code.
func TestAResultThatFailedKeepsTheCodeOfItsOperation(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(200, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded",
		"result":{"status":"failed"},"error":{"code":"provider_rejected"}}}`))
	_, err := client.Payouts.Wait(t.Context(), "op_1")
	require.ErrorIs(t, err, intram.CodeProviderRejected)
}

// Events carry the words of results, and are judged by the same methods.
func TestEventsAreJudgedAsResultsAre(t *testing.T) {
	t.Parallel()
	for word, want := range map[string][2]bool{
		"completed": {true, false}, "COMPLETED": {true, false}, "failed": {false, true}, "FAILED": {false, true},
		"queued_for_settlement": {}, "returned": {}, "success": {}, "": {},
	} {
		var data intram.PayoutEventData
		require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"status":%q}`, word), &data))
		assert.Equal(t, want, [2]bool{data.Paid(), data.Failed()}, word)
	}
	for word, want := range map[string]bool{"SUCCESS": true, "success": true, "PENDING": false, "ERROR": false, "REFUNDED": false, "PAID": false, "": false} {
		tx := getTransaction(t, `{"error":false,"data":{"reference":"AB12CD34EF","status":"`+word+`"}}`)
		assert.Equal(t, want, tx.Paid(), word)
	}
}
