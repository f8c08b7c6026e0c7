package transport

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Tests here were asked for by planted bugs that had survived (make mutations).

func TestCorrectionOfTheClockCostsNoAttempt(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(time.Hour)), answer(http.StatusInternalServerError, "{}"), answer(202, "{}"))
	call := payout()
	call.MaxAttempts = 2
	res := r.Do(t.Context(), call)
	assert.Equal(t, http.StatusAccepted, res.Status)
	assert.Equal(t, 3, res.Attempts, "the corrected one, and the two that were asked for")
}
