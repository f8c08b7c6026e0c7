package transport

import (
	"bytes"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const stale = `{"error":true,"code":"signature_invalid","message":"Signature verification failed: timestamp_out_of_window"}`

// datedRig is a rig whose signatures have an age.
func datedRig(t *testing.T, log *bytes.Buffer, steps ...step) *rig {
	t.Helper()
	r := newRig(t, steps...)
	cfg := r.cfg
	cfg.Dated = true
	if log != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	r.Client = New(cfg)
	return r
}

// refusedAt is a refusal for the timestamp's age, by a server whose clock shows that time.
func refusedAt(at time.Time, headers ...string) step {
	return answer(http.StatusUnauthorized, stale, append([]string{"Date", at.Format(http.TimeFormat)}, headers...)...)
}

func (r *rig) signedAt(t *testing.T, attempt int) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, r.script.sent[attempt].header.Get("X-Timestamp"))
	require.NoError(t, err)
	return at
}

func TestWrongClockIsCorrectedOnceByTheServersDate(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{"slow": 20 * time.Minute, "fast": -26 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			r := datedRig(t, &log, refusedAt(start.Add(offset)), answer(202, "{}"), answer(202, "{}"))
			res := r.Do(t.Context(), payout())
			require.NoError(t, res.Err)
			assert.Equal(t, 202, res.Status)
			assert.Equal(t, 2, res.Attempts)
			assert.WithinDuration(t, start.Add(offset), r.signedAt(t, 1), time.Second)
			assert.Equal(t, r.script.sent[0].body, r.script.sent[1].body)
			assert.Equal(t, r.script.sent[0].header.Get("Idempotency-Key"), r.script.sent[1].header.Get("Idempotency-Key"))
			assert.Empty(t, r.clock.sleeps[1:], "it does not wait")

			// The next call knows.
			r.Do(t.Context(), payout())
			assert.WithinDuration(t, start.Add(offset), r.signedAt(t, 2), time.Second)
			assert.Contains(t, log.String(), "clock is off")
			assert.Contains(t, log.String(), "offset="+offset.String())
		})
	}
}

func TestClockIsCorrectedEvenWhenNoRetriesAreLeft(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(time.Hour)), answer(200, "{}"))
	call := lookup()
	call.MaxAttempts = 1
	assert.Equal(t, 200, r.Do(t.Context(), call).Status)
}

func TestCorrectionThatDoesNotHelpIsUnlearned(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(time.Hour)), refusedAt(start.Add(time.Hour)), answer(202, "{}"))
	res := r.Do(t.Context(), payout())
	assert.Equal(t, http.StatusUnauthorized, res.Status)
	assert.Equal(t, 2, res.Attempts, "once a call")
	assert.Equal(t, Rejected, res.Outcome)
	r.Do(t.Context(), payout())
	assert.Equal(t, start, r.signedAt(t, 2), "the machine's own clock again")
}

func TestClockThatWasSetRightIsLearnedAnew(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(time.Hour)), answer(202, "{}"), refusedAt(start.Add(time.Hour)), answer(202, "{}"))
	require.Equal(t, 202, r.Do(t.Context(), payout()).Status)
	r.clock.advance(time.Hour) // the operator has set the clock
	require.Equal(t, 202, r.Do(t.Context(), payout()).Status)
	assert.WithinDuration(t, start.Add(time.Hour), r.signedAt(t, 3), time.Second)
}

func TestClockIsLeftAloneWithoutProof(t *testing.T) {
	t.Parallel()
	hour := start.Add(time.Hour)
	for name, refusal := range map[string]step{
		"another reason":   answer(401, `{"message":"Signature verification failed: signature_mismatch"}`, "Date", hour.Format(http.TimeFormat)),
		"another status":   answer(400, stale, "Date", hour.Format(http.TimeFormat)),
		"no date":          answer(401, stale),
		"not a date":       answer(401, stale, "Date", "yesterday"),
		"two dates":        refusedAt(hour, "Date", hour.Format(http.TimeFormat)),
		"a cached answer":  refusedAt(hour, "Age", "3600"),
		"clocks agree":     refusedAt(start),
		"clocks are close": refusedAt(start.Add(50 * time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := datedRig(t, nil, refusal, answer(202, "{}"))
			assert.Equal(t, 1, r.Do(t.Context(), payout()).Attempts)
			r.Do(t.Context(), payout())
			assert.Equal(t, start, r.signedAt(t, 1))
		})
	}
}

func TestProtocolWithoutDatesHasNoClockToCorrect(t *testing.T) {
	t.Parallel()
	r := newRig(t, refusedAt(start.Add(time.Hour)))
	assert.Equal(t, 1, r.Do(t.Context(), payout()).Attempts)
}
