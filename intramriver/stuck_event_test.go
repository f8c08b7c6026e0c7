package intramriver_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// fetchEvents does what River does when it hands all jobs of events to a machine.
func (r *receiver) fetchEvents() {
	r.t.Helper()
	_, err := r.pool.Exec(r.t.Context(), `UPDATE river_job SET state = 'running', attempt = attempt + 1,
		attempted_at = clock_timestamp() + (SELECT skew FROM test_clock) WHERE kind = 'intram_event' AND state IN ('available', 'scheduled')`)
	require.NoError(r.t, err)
}

// River gives a killed job to another machine after an hour.
func TestTheEventOfAKilledMachineTakesEffectWithinMinutes(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.fetchEvents()
	r.pass(time.Minute)
	assert.Zero(t, r.orphans(), "it may be about to begin")
	r.pass(2 * time.Minute)

	// A process that lives holds the row.
	held := errors.New("held")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT FROM intram_events FOR UPDATE")
		require.NoError(t, err)
		assert.Zero(t, r.orphans())
		return held
	}), held)
	other := r.machine(func(c *intramriver.Config) { c.Merchant = "another" })
	_, _, _, orphans, err := other.Sweep(t.Context())
	require.NoError(t, err)
	assert.Zero(t, orphans, "it is another merchant's")

	assert.Equal(t, 1, r.orphans())
	assert.Zero(t, r.orphans(), "it has a new job")
	events, err := r.work.Events(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	assert.Equal(t, intramriver.EventWaiting, events[0].State)
	assert.Equal(t, 1, events[0].Attempts)
	assert.Equal(t, "the process that worked on it was killed", events[0].Error)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE state = 'running' AND metadata ? 'cancel_attempted_at'"))

	// And River runs the old one again all the same.
	_, err = r.pool.Exec(t.Context(), "UPDATE river_job SET state = 'available', metadata = '{}' WHERE state = 'running'")
	require.NoError(t, err)
	r.settle()
	assert.Equal(t, []string{"payout.completed op_1"}, r.effects())
	r.pass(time.Hour)
	assert.Zero(t, r.orphans())
}

// An event that kills each process is not tried without end.
func TestAnEventThatKillsItsProcessIsDeadInTheEnd(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	kills := 0
	for r.fetchEvents(); ; r.fetchEvents() {
		r.pass(3 * time.Minute)
		if kills++; r.orphans() == 0 {
			break
		}
	}
	assert.Equal(t, 25, kills)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE state = 'running' AND NOT metadata ? 'cancel_attempted_at'"), "River discards it")
	assert.Equal(t, 2, r.count("SELECT count(*) FROM river_job WHERE scheduled_at > created_at + interval '3 days'"), "with River's pauses")
}
