package signature_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A time that was signed in local time is told in every zone that there is.
func TestATimeIsToldInTheZonesAtBothEndsOfTheWorld(t *testing.T) {
	t.Parallel()
	for zone, signed := range map[string]string{
		"-12:00": "2026-05-20T00:00:00.000-12:00", "-11:45": "2026-05-20T00:15:00-11:45", "+05:45": "2026-05-20T17:45:00.000+05:45",
		"+14:00": "2026-05-21T02:00:00.000+14:00",
	} {
		v := wrongCall{text: withTime(signed)}.explain(t)
		assert.True(t, v.Explained, zone)
		require.Equal(t, []string{"timestamp-other-form"}, ids(v), zone)
		assert.Contains(t, v.Findings[0].What, "in local time, "+zone)
	}
}
