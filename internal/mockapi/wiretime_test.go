package mockapi

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var isoForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d(:?\d\d)?)$`)

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-05-20T10:30:00.000Z", "2024-02-29T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "2026-00-10T00:00:00.000Z", "2026-13-01T00:00:00.000Z",
		"2026-05-32T10:30:00.000Z", "2026-05-20T24:00:00.000Z", "2026-05-20T10:60:00.000Z", "2026-05-20T10:30:60.000Z", "0000-01-01T00:00:00.000Z",
		"2026-05-20t10:30:00.000Z", "2026-05-20T10:30:00,000Z", "2026-05-20T10:30:00.000z", "2026-05-20T10:30:00Z", "", "2026-05-20T10:30:00.0000",
		"+026-05-20T10:30:00.000Z", "2026-05-20T 1:30:00.000Z", "2026-05-20T1:30:00.000Z", "2026-05-20T10:30:00+01", "2026-05-20T10:30:00-0330", "2026-05-20T10:30:00.Z",
		"2026-05-20T10:30:00.123456+01:00", "2026-05-20T10:30:00+25:00", "2026-05-20T10:30:00+0060", "2026-05-20T10:30:00 00:00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTime(s)
		if !ok {
			return
		}
		assert.Regexp(t, isoForm, s)
		assert.Equal(t, s[14:16], got.Add(zoneOf(s)).Format("04"), "the minute as it is written")
		again, ok := parseTime(got.Format(time.RFC3339Nano))
		assert.True(t, ok || got.Year() < 0 || got.Year() > 9999, s)
		assert.True(t, !ok || again.Equal(got), s)
	})
}

// zoneOf is the offset at the end of a date that is of the form.
func zoneOf(s string) time.Duration {
	parts := regexp.MustCompile(`([+-])(\d\d):?(\d\d)?$`).FindStringSubmatch(s)
	if parts == nil || strings.HasSuffix(s, "Z") {
		return 0
	}
	minutes, _ := time.ParseDuration(parts[1] + "0" + parts[3] + "m")
	hours, _ := time.ParseDuration(parts[1] + parts[2] + "h")
	return hours + minutes
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
