package intram_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// lives are what can happen to one object, in the order that it happens.
var lives = [][]intram.EventType{
	{intram.EventPayoutCompleted},
	{intram.EventPayoutQueued, intram.EventPayoutFailed},
	{intram.EventPayoutQueued, intram.EventPayoutCompleted, intram.EventPayoutFailed}, // returned by the bank
	{intram.EventPaymentRequestCreated, intram.EventPaymentRequestPending, intram.EventPaymentRequestPaid},
	{intram.EventPaymentRequestCreated, intram.EventPaymentRequestFailed, intram.EventPaymentRequestPaid},
	{intram.EventRefundPending, intram.EventRefundCompleted},
	{intram.EventRefundPending, intram.EventRefundFailed},
	{intram.EventTransferFailed, intram.EventTransferCompleted},
}

func TestInWhateverOrderEventsArriveTheFurthestStateIsKept(t *testing.T) {
	t.Parallel()
	for _, life := range lives {
		events := make([]*intram.Event, len(life))
		for i, typ := range life {
			events[i] = &intram.Event{Type: typ, OperationID: "op_1", OccurredAt: newHandClock().at.Add(time.Duration(i) * time.Second)}
		}
		for _, order := range permutations(len(events)) {
			t.Run(fmt.Sprint(life, order), func(t *testing.T) {
				t.Parallel()
				var progress intram.EventOrder
				furthest := -1
				for _, i := range append(order, order...) { // each comes twice
					next, moved := progress.Apply(events[i])
					assert.Equal(t, i > furthest, moved, "event %d after %d", i, furthest)
					progress, furthest = next, max(furthest, i)
				}
				last := events[len(events)-1]
				assert.Equal(t, intram.EventOrder{Event: last.Type, OperationID: "op_1", OccurredAt: last.OccurredAt}, progress)
			})
		}
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			q := append([]int(nil), p[:at]...)
			all = append(all, append(append(q, n-1), p[at:]...))
		}
	}
	return all
}

func TestWhatIsNotAboutTheSameThingMovesNothing(t *testing.T) {
	t.Parallel()
	at := newHandClock().at
	progress, moved := intram.EventOrder{}.Apply(&intram.Event{Type: intram.EventPayoutQueued, OperationID: "op_1", OccurredAt: at})
	require.True(t, moved)
	for name, event := range map[string]*intram.Event{
		"another operation": {Type: intram.EventPayoutCompleted, OperationID: "op_2", OccurredAt: at.Add(time.Second)},
		"another family":    {Type: intram.EventRefundCompleted, OperationID: "op_1", OccurredAt: at.Add(time.Second)},
		"an unknown state":  {Type: "payout.reversed", OperationID: "op_1", OccurredAt: at.Add(time.Second)},
		"a ping":            {Type: intram.EventTestPing, OperationID: "op_1", OccurredAt: at.Add(time.Second)},
		"the same":          {Type: intram.EventPayoutQueued, OperationID: "op_1", OccurredAt: at.Add(time.Second)},
	} {
		next, moved := progress.Apply(event)
		assert.False(t, moved, name)
		assert.Equal(t, progress, next, name)
	}
	_, moved = intram.EventOrder{}.Apply(&intram.Event{Type: "payout.reversed", OperationID: "op_1"})
	assert.False(t, moved)
}

// Of two ends at the same moment the first to arrive stands: there is nothing to tell
// which was later.
func TestTwoEndsAtTheSameMomentDoNotMoveEachOther(t *testing.T) {
	t.Parallel()
	at := newHandClock().at
	progress, _ := intram.EventOrder{}.Apply(&intram.Event{Type: intram.EventRefundCompleted, OperationID: "op_1", OccurredAt: at})
	_, moved := progress.Apply(&intram.Event{Type: intram.EventRefundFailed, OperationID: "op_1", OccurredAt: at})
	assert.False(t, moved)
}

// The bank returned a completed payout, no delivery told of it, and the operation has no
// updated_date: the reconciler dates the return by when the payout was queued.
func TestABankReturnWithoutADateIsNotLost(t *testing.T) {
	t.Parallel()
	server := undatedReturn{t}
	client := newClient(t, server)
	inbox := new(intram.MemoryInbox)
	var returned *intram.Event
	reconciler, err := intram.NewReconciler(client, inbox, func(_ context.Context, event *intram.Event) error {
		if event.Type == intram.EventPayoutFailed {
			returned = event
		}
		return nil
	})
	require.NoError(t, err)
	_, err = reconciler.Run(t.Context(), time.Now().Add(-48*time.Hour))
	require.NoError(t, err)
	require.NotNil(t, returned)

	completed := &intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1", OccurredAt: returned.OccurredAt.Add(time.Hour)}
	progress, _ := intram.EventOrder{}.Apply(completed)
	progress, moved := progress.Apply(returned)
	assert.True(t, moved)
	assert.Equal(t, intram.EventPayoutFailed, progress.Event)
	progress, moved = progress.Apply(completed)
	assert.False(t, moved, "a late retry of the older news")
	assert.Equal(t, intram.EventPayoutFailed, progress.Event)
}

// undatedReturn is an API with one bank payout, which was returned, and whose operation
// says only when it was queued.
type undatedReturn struct{ t *testing.T }

func (s undatedReturn) RoundTrip(r *http.Request) (*http.Response, error) {
	items := "[]"
	if r.URL.Path == "/v1/operations" {
		at := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
		items = fmt.Sprintf(`[{"operation_id":"op_1","type":"payout","status":"succeeded","env":"sandbox","date":%q,"completed_date":%q,`+
			`"result":{"amount":500,"currency":"XOF","status":"failed","destination":{"type":"bank_account","account_number":"1234567890"}}}]`, at, at)
	}
	return answer(200, `{"error":false,"data":`+items+`,"paging":{"limit":100,"next_before":null}}`, "Date", time.Now().UTC().Format(http.TimeFormat))(r)
}

func TestProgressIsKeptAsJSON(t *testing.T) {
	t.Parallel()
	progress := intram.EventOrder{Event: intram.EventPayoutQueued, OperationID: "op_1", OccurredAt: newHandClock().at}
	text, err := json.Marshal(progress)
	require.NoError(t, err)
	assert.JSONEq(t, `{"event":"payout.queued","operation_id":"op_1","occurred_at":"2026-05-20T10:30:00Z"}`, string(text))
	var back intram.EventOrder
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, progress, back)
}

func TestAnOrderGoesThroughAColumn(t *testing.T) {
	t.Parallel()
	order := intram.EventOrder{Event: intram.EventPayoutQueued, OperationID: "op_1", OccurredAt: newHandClock().at}
	value, err := order.Value()
	require.NoError(t, err)
	assert.IsType(t, "", value)
	for _, column := range []any{value, []byte(value.(string))} {
		var back intram.EventOrder
		require.NoError(t, back.Scan(column))
		assert.Equal(t, order, back)
	}
	back := order
	require.NoError(t, back.Scan(nil))
	assert.Zero(t, back)
	back = order
	require.ErrorContains(t, back.Scan(42), "cannot scan a int")
	require.ErrorContains(t, back.Scan("{22961234567"), "not the JSON")
	assert.NotContains(t, back.Scan("{22961234567").Error(), "22961234567")
	assert.Equal(t, order, back, "what cannot be read changes nothing")
}
