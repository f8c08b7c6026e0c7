package mockapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func FuzzSignedTime(f *testing.F) {
	for _, s := range []string{
		"2026-05-20T10:30:00.000Z", "2024-02-29T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "2026-00-10T00:00:00.000Z", "2026-13-01T00:00:00.000Z",
		"2026-05-32T10:30:00.000Z", "2026-05-20T24:00:00.000Z", "2026-05-20T10:60:00.000Z", "2026-05-20T10:30:60.000Z", "0000-01-01T00:00:00.000Z",
		"2026-05-20t10:30:00.000Z", "2026-05-20T10:30:00,000Z", "2026-05-20T10:30:00.000z", "2026-05-20T10:30:00Z", "", "2026-05-20T10:30:00.0000",
		"+026-05-20T10:30:00.000Z", "2026-05-20T 1:30:00.000Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseSignedTime(s)
		want, err := time.Parse(wireLayout, s)
		// The exact form and nothing near it: what time.Parse reads and writes back the same.
		assert.Equal(t, err == nil && want.Format(wireLayout) == s, ok, s)
		if ok {
			assert.Equal(t, want, got)
			assert.Equal(t, s, wireTime(got))
		}
	})
}

func TestWireTimeIsTheLayout(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		start, start.Add(7 * time.Millisecond), start.Add(999_999 * time.Microsecond), start.In(time.FixedZone("WAT", 3600)),
		{}, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		assert.Equal(t, at.UTC().Format(wireLayout), wireTime(at))
	}
}
