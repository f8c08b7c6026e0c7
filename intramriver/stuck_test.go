package intramriver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
)

// fetch does what River does when it hands all jobs of records to a machine.
func (s *shop) fetch() {
	s.t.Helper()
	_, err := s.pool.Exec(s.t.Context(), `UPDATE river_job SET state = 'running', attempt = attempt + 1,
		attempted_at = clock_timestamp() + (SELECT skew FROM test_clock) WHERE kind = $1 AND state = 'available'`, intramriver.SendKind)
	require.NoError(s.t, err)
}

// orphans sweeps, and returns how many records got a new job.
func (s *shop) orphans() int {
	s.t.Helper()
	_, _, _, orphans, err := s.work.Sweep(s.t.Context())
	require.NoError(s.t, err)
	return orphans
}

// River gives a killed job to another machine after an hour.
func TestTheRecordOfAKilledMachineIsSentWithinMinutes(t *testing.T) {
	t.Parallel()
	errKilled := errors.New("killed")
	for _, step := range []string{"fetched", "claimed", "called"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.plan("PO-1", "000000")
			s.fetch()
			killed := s.machine(nil)
			killed.StopAt(func(_ context.Context, at string) error {
				if at == step {
					return errKilled
				}
				return nil
			})
			if step != "fetched" {
				require.ErrorIs(t, killed.Send(t.Context(), r.ID), errKilled)
			}

			s.pass(time.Minute)
			assert.Zero(t, s.orphans(), "a call may take a minute")
			s.pass(2 * time.Minute)
			assert.Equal(t, 1, s.orphans())
			assert.Zero(t, s.orphans(), "it has a new job")
			assert.Equal(t, 2, s.count("SELECT count(*) FROM river_job WHERE kind = 'intram_send'"))

			s.fetch() // and the second machine is killed as well
			s.pass(3 * time.Minute)
			assert.Equal(t, 1, s.orphans())
			require.NoError(t, s.work.Send(t.Context(), r.ID))
			s.pass(3 * time.Minute)
			assert.Zero(t, s.orphans(), "what is accepted needs no job")
			assert.Equal(t, 1, s.moved("PO-1"))
			assert.Equal(t, []string{"completed"}, s.books("PO-1"))
		})
	}
}

func TestAJobThatReadsTheListHasItsTime(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	s.fetch()
	s.work.StopAt(func(context.Context, string) error { return errors.New("killed") })
	require.Error(t, s.work.Send(t.Context(), r.ID))
	s.work.StopAt(nil)
	s.pass(11 * time.Hour)
	_, err := s.pool.Exec(t.Context(), "UPDATE intram_records SET changed_at = changed_at + interval '11 hours'") // it began to look back now
	require.NoError(t, err)
	s.pass(20 * time.Minute)
	assert.Zero(t, s.orphans())
	s.pass(15 * time.Minute)
	assert.Equal(t, 1, s.orphans())
}

func TestAJobThatAPersonCancelsIsNotReplaced(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.plan("PO-1", "000000")
	s.fetch()
	jobs, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{})
	require.NoError(t, err)
	var id int64
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT id FROM river_job").Scan(&id))
	_, err = jobs.JobCancel(t.Context(), id)
	require.NoError(t, err)
	s.pass(3 * time.Minute)
	assert.Zero(t, s.orphans())
}

// For River the job of a killed sweep runs for another hour.
func TestASweepThatWasKilledKeepsNoOtherAway(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	jobs, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{})
	require.NoError(t, err)
	insert := func(at time.Time) bool {
		inserted, err := jobs.Insert(t.Context(), intramriver.SweepArgs(s.work), &river.InsertOpts{ScheduledAt: at})
		require.NoError(t, err)
		return !inserted.UniqueSkippedAsDuplicate
	}
	now := time.Now()
	assert.True(t, insert(now))
	assert.False(t, insert(now))
	_, err = s.pool.Exec(t.Context(), "UPDATE river_job SET state = 'running', attempted_at = now()")
	require.NoError(t, err)
	assert.True(t, insert(now.Add(time.Minute)))

	// The killed one has left its lease.
	_, err = s.pool.Exec(t.Context(), "INSERT INTO intram_sweeps VALUES ('default', 'sandbox', NULL, clock_timestamp() + interval '2 minutes')")
	require.NoError(t, err)
	s.plan("PO-1", "000000")
	s.fetch()
	s.pass(90 * time.Second)
	assert.Zero(t, s.orphans(), "another one may be under way")
	health, err := s.work.Health(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, -1, health.SweepAge, "none has finished")
	s.pass(time.Minute)
	assert.Equal(t, 1, s.orphans())
	assert.Zero(t, s.count("SELECT count(*) FROM intram_sweeps WHERE busy_until IS NOT NULL OR finished_at IS NULL"))
}

// A lease never ends later than its length from now, unless the clock was set back.
func TestALeaseOfAClockThatWasSetBackKeepsNoSweepAway(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	_, err := s.pool.Exec(t.Context(), "INSERT INTO intram_sweeps VALUES ('default', 'sandbox', NULL, clock_timestamp() + interval '9 hours')")
	require.NoError(t, err)
	s.sweep()
	assert.Zero(t, s.count("SELECT count(*) FROM intram_sweeps WHERE busy_until IS NOT NULL OR finished_at IS NULL"))
}

// An outage of the API, which fails the pages, is when machines hang.
func TestAKilledMachinesRecordIsFoundWhileTheListIsAway(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.plan("PO-1", "000000")
	accepted := s.plan("PO-2", "000007")
	require.NoError(t, s.work.Send(t.Context(), accepted.ID))
	s.fetch()
	s.pass(3 * time.Minute)
	s.server.Close()
	_, _, _, orphans, err := s.work.Sweep(t.Context())
	require.Error(t, err)
	assert.Equal(t, 1, orphans)
	assert.Zero(t, s.count("SELECT count(*) FROM intram_sweeps WHERE busy_until IS NOT NULL"), "the next sweep need not wait")
}
