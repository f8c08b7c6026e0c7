package mockapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Tests here were asked for by planted bugs that had survived (make mutations).

func TestKeysAreKeptForTheWholeDay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "expiring-key"}
	first := f.do(c).ok(202)
	f.s.Clock().Advance(24*time.Hour - time.Millisecond)
	again := f.do(c).ok(202)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replay"))
	assert.Equal(t, first.text("data.operation_id"), again.text("data.operation_id"))
}
