package mockapi

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attemptsAfter is when the attempts of a delivery were made, counted from the start.
func attemptsAfter(d Delivery) []time.Duration {
	var after []time.Duration
	for _, a := range d.Attempts {
		after = append(after, a.Time.Sub(start))
	}
	return after
}

// One attempt is held back once: the second fault waits for another one.
func TestAttemptIsLateOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.subscribe("*", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookLate, Delay: time.Hour, Times: 2}))
	f.payout(1, "22961234567")
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, []time.Duration{time.Hour}, attemptsAfter(f.s.Deliveries()[0]))
	require.Len(t, f.s.PendingFaults(), 1)
	f.s.Clock().Advance(time.Hour + time.Minute)
	assert.Equal(t, []time.Duration{time.Hour, 2*time.Hour + time.Minute}, attemptsAfter(f.s.Deliveries()[0]))
	assert.Empty(t, f.s.PendingFaults())
	assert.Equal(t, string(FaultWebhookLate), f.s.Deliveries()[0].Attempts[1].Fault)
}

// What was held back is sent once after the next, whatever else is on its way, and then
// follows its own schedule.
func TestReorderedAttemptIsReleasedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var answered atomic.Int32
	var order [3]string // of the first attempts
	busy, gate := make(chan struct{}), make(chan struct{})
	f.subscribe("*", func(w http.ResponseWriter, r *http.Request) {
		n := answered.Add(1)
		if n <= 3 {
			order[n-1] = r.Header.Get("X-Intram-Delivery")
		}
		if n == 1 {
			close(busy)
			<-gate
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookReordered, Delay: 30 * time.Second}))
	f.payout(1, "22961234567")
	f.payout(2, "22961234567")
	<-busy // the second is being delivered, the first is held back, and a third waits behind both
	f.payout(3, "22961234567")
	close(gate)
	f.idle()
	require.EqualValues(t, 3, answered.Load())
	sent := f.s.Deliveries()
	assert.Equal(t, sent[1].ID, order[0], "the second before the first, which is released behind what waits")
	assert.Positive(t, slices.Index(order[:], sent[0].ID))
	for _, d := range f.s.Deliveries() {
		assert.Equal(t, []time.Duration{0}, attemptsAfter(d))
	}
	f.s.Clock().Advance(2 * time.Minute)
	for _, d := range f.s.Deliveries() {
		assert.Equal(t, []time.Duration{0, time.Minute}, attemptsAfter(d), "the schedule begins with the attempt, and nothing is left of the fault")
	}
	assert.Empty(t, f.s.state.behind)
}

// A delivery that was acknowledged, or is sent again by hand, is no longer hit.
func TestWebhookFaultsLeaveWhatWasDelivered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
	f.payout(1, "22961234567")
	f.idle()
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookDropped}))
	delivered := f.s.Deliveries()[0]
	require.NoError(t, f.s.Resend(delivered.ID))
	f.idle()
	assert.Len(t, f.s.Deliveries()[0].Attempts, 2)
	assert.Len(t, f.s.PendingFaults(), 1)

	f.payout(2, "22961234567")
	f.idle()
	dropped := f.s.Deliveries()[1]
	assert.Equal(t, DeliveryDropped, dropped.Status)
	f.s.Clock().Advance(24 * time.Hour)
	assert.Empty(t, f.s.Deliveries()[1].Attempts)
	require.NoError(t, f.s.Resend(dropped.ID))
	f.idle()
	assert.Equal(t, DeliveryDelivered, f.s.Deliveries()[1].Status, "a person can still send it")
}

// A snapshot holds what is held back.
func TestSnapshotKeepsWhatIsHeldBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	var got received
	f.subscribe("*", got.ServeHTTP)
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookReordered, Delay: time.Hour}))
	f.payout(1, "22961234567")
	snap := f.s.Snapshot()
	f.s.Clock().Advance(time.Hour)
	require.Equal(t, 1, got.count())
	require.NoError(t, f.s.Restore(snap))
	f.payout(2, "22961234567")
	f.idle()
	require.Equal(t, 3, got.count(), "released again, by the next one")
}
