package cli

import (
	"testing"
	"time"
	_ "time/tzdata" // not every machine has the zones

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/system"
)

// stoppedClock shows one time.
type stoppedClock struct {
	system.Clock
	now time.Time
}

func (c stoppedClock) Now() time.Time { return c.now }

// Where clocks are moved, a day of the calendar has 23 hours once a year, and 25 once.
func TestDaysAreTheCalendarsWhereClocksAreMoved(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	for _, c := range []struct {
		now  string
		want map[string]string
	}{
		{"2026-03-30T09:00:00Z", map[string]string{
			"today": "2026-03-29T22:00:00Z", "yesterday": "2026-03-28T23:00:00Z", "1d": "2026-03-29T09:00:00Z", "2d": "2026-03-28T10:00:00Z",
			"1w": "2026-03-23T10:00:00Z", "48h": "2026-03-28T09:00:00Z", "2026-03-29": "2026-03-28T23:00:00Z",
		}},
		{"2026-10-26T10:00:00Z", map[string]string{
			"today": "2026-10-25T23:00:00Z", "yesterday": "2026-10-24T22:00:00Z", "1d": "2026-10-25T10:00:00Z", "2d": "2026-10-24T09:00:00Z",
			"1w": "2026-10-19T09:00:00Z", "48h": "2026-10-24T10:00:00Z", "2026-10-25": "2026-10-24T22:00:00Z",
		}},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		a := &app{clock: stoppedClock{now: now}, location: paris}
		for text, want := range c.want {
			got, err := a.readTime("--since", text)
			require.NoError(t, err, text)
			assert.Equal(t, want, got.UTC().Format(time.RFC3339), "%s at %s", text, c.now)
		}
	}
}
