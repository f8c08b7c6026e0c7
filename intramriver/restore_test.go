package intramriver_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
)

// backup copies the table of records, and returns what brings the copy back.
func (s *shop) backup() (restore func()) {
	s.t.Helper()
	_, err := s.pool.Exec(s.t.Context(), "CREATE TABLE backup AS SELECT * FROM intram_records")
	require.NoError(s.t, err)
	return func() {
		s.t.Helper()
		_, err := s.pool.Exec(s.t.Context(), "TRUNCATE intram_records; INSERT INTO intram_records OVERRIDING SYSTEM VALUE SELECT * FROM backup")
		require.NoError(s.t, err)
	}
}

// In the backup the payout is planned, and the API has made it since. It forgets the key
// after 24 hours.
func TestABackupThatIsRestoredPaysNothingTwice(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{time.Hour, 13 * time.Hour, 23*time.Hour + 30*time.Minute, 25 * time.Hour, 5 * 24 * time.Hour} {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, rich)
			paid, unpaid := s.plan("PO-1", "000000"), s.plan("PO-2", "000000")
			restore := s.backup()
			require.NoError(t, s.work.Send(t.Context(), paid.ID))
			s.pass(age)
			restore()
			for range 2 { // the second time, an intent that was too young for a proof is old enough
				for _, id := range []int64{paid.ID, unpaid.ID} {
					if _, _, waits := intramriver.WaitOf(s.work.Send(t.Context(), id)); waits {
						assert.Equal(t, 0, s.moved("PO-2"))
					}
				}
				s.pass(time.Hour)
			}
			for _, reference := range []string{"PO-1", "PO-2"} {
				assert.Equal(t, 1, s.moved(reference), reference)
				assert.NotEmpty(t, s.record(reference).OperationID, reference)
			}
		})
	}
}

// A queue may be paused for days.
func TestWhatWaitedForDaysIsSentOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	r := s.plan("PO-1", "000000")
	s.pass(3 * 24 * time.Hour)
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.moved("PO-1"))
	assert.Equal(t, 1, s.record("PO-1").Generation, "its first intent was proved to have done nothing")
}

// An intent is as old as the clock that is behind says.
func TestAClockOfTheDatabaseThatIsDaysBehind(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	turn := func(by time.Duration) {
		_, err := s.pool.Exec(context.WithoutCancel(t.Context()), "UPDATE test_clock SET skew = skew + $1::interval", by)
		require.NoError(t, err)
	}
	turn(-25 * time.Hour)
	r := s.plan("PO-1", "000000")
	before := len(s.server.Requests())
	err := s.work.Send(t.Context(), r.ID)
	require.ErrorContains(t, err, "compare the clock of the database")
	after, snooze, waits := intramriver.WaitOf(err)
	assert.True(t, waits)
	assert.False(t, snooze, "River shows the error")
	assert.Equal(t, 15*time.Minute, after)
	assert.LessOrEqual(t, len(s.server.Requests())-before, 8)
	assert.Zero(t, s.posts())
	assert.Equal(t, intramriver.Planned, s.state("PO-1"))

	turn(25 * time.Hour)
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, 1, s.moved("PO-1"))
}

// The queue was paused because the keys were refused, and they have been replaced since.
func TestWhatWaitedForNewKeysIsSentWithThem(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{13 * time.Hour, 30 * time.Hour} {
		t.Run(wait.String(), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.plan("PO-1", "000000")
			s.pass(wait)
			other, err := s.server.AddMerchant("rotated")
			require.NoError(t, err)
			client, err := other.NewClient()
			require.NoError(t, err)
			work, err := intramriver.New(client, intramriver.Config{Pool: s.pool, Seal: testSeal(t)})
			require.NoError(t, err)
			work.SetNow("(clock_timestamp() + (SELECT skew FROM test_clock))", "")
			require.NoError(t, work.Send(t.Context(), r.ID))
			assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
		})
	}
}
