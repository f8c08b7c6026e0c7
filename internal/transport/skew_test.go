package transport

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
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

// refusedAt is a refusal for the timestamp's age, by a server whose clock shows that
// time.
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
	for name, offset := range map[string]time.Duration{"slow": 20 * time.Minute, "fast": -11 * time.Hour} {
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
	assert.Equal(t, Unknown, res.Outcome, "what was dated ahead may be sent again when its time comes")
	r.Do(t.Context(), payout())
	assert.Equal(t, start, r.signedAt(t, 2), "the machine's own clock again")
}

func TestCorrectionBackwardsThatDoesNotHelpLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(-time.Hour)), refusedAt(start.Add(-time.Hour)))
	assert.Equal(t, Rejected, r.Do(t.Context(), payout()).Outcome, "a date that has passed is never accepted")
}

// A Date decides when a signature is good. One that is far off must not make signatures
// for another day.
func TestClockIsCorrectedWithinABound(t *testing.T) {
	t.Parallel()
	require.Less(t, maxSkew, 23*time.Hour, "below the horizon of keys")
	for offset, corrected := range map[time.Duration]bool{
		12*time.Hour - time.Second: true, 12*time.Hour + time.Second: false,
		-12 * time.Hour: true, -12*time.Hour - 2*time.Second: false,
		24 * time.Hour: false, 2 * 365 * 24 * time.Hour: false, -2 * 365 * 24 * time.Hour: false,
	} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			r := datedRig(t, &log, refusedAt(start.Add(offset)), answer(202, "{}"), answer(202, "{}"))
			res := r.Do(t.Context(), payout())
			if corrected {
				assert.Equal(t, 2, res.Attempts)
				assert.Equal(t, 1, strings.Count(log.String(), "clock is off"), "%s", &log)
				assert.WithinDuration(t, start.Add(offset), r.signedAt(t, 1), time.Second)
				return
			}
			assert.Equal(t, 1, res.Attempts)
			assert.Equal(t, Rejected, res.Outcome)
			assert.Contains(t, res.StoppedBy, "this machine's clock")
			r.Do(t.Context(), payout())
			assert.Equal(t, start, r.signedAt(t, 1))
		})
	}
}

func TestJumpOfTheClockIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	far := refusedAt(start.Add(2 * 365 * 24 * time.Hour))
	r := datedRig(t, &log, far, far, far)
	for range 3 {
		r.Do(t.Context(), payout())
	}
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "%s", &log)
	assert.Contains(t, log.String(), "offset=17520h")
}

// What was learned before is not kept when the server's Date leaves the bound: the
// machine's own clock is tried.
func TestDateBeyondTheBoundUnlearnsWhatWasLearned(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(time.Hour)), answer(202, "{}"), refusedAt(start.Add(1000*time.Hour)), answer(202, "{}"))
	r.Do(t.Context(), payout())
	assert.Equal(t, 202, r.Do(t.Context(), payout()).Status)
	assert.Equal(t, start, r.signedAt(t, 3))
}

// The server forgets a key some time. No signature with that key is good any longer than
// that.
func TestNoSignatureIsDatedPastTheEndOfItsKey(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil, refusedAt(start.Add(11*time.Hour)), refusedAt(start.Add(11*time.Hour)))
	call := payout()
	call.NotAfter = start.Add(3 * time.Hour)
	res := r.Do(t.Context(), call)
	assert.Equal(t, 2, res.Attempts)
	assert.Equal(t, call.NotAfter, r.signedAt(t, 1))
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
		"two dates":        refusedAt(hour, "Date", hour.Add(time.Minute).Format(http.TimeFormat)),
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

// A proxy that repeats the header repeats the date.
func TestARepeatedDateIsOneDate(t *testing.T) {
	t.Parallel()
	hour := start.Add(time.Hour)
	r := datedRig(t, nil, refusedAt(hour, "Date", hour.Format(http.TimeFormat)), answer(202, "{}"))
	assert.Equal(t, 2, r.Do(t.Context(), payout()).Attempts)
}

func TestProtocolWithoutDatesHasNoClockToCorrect(t *testing.T) {
	t.Parallel()
	r := newRig(t, refusedAt(start.Add(time.Hour)))
	assert.Equal(t, 1, r.Do(t.Context(), payout()).Attempts)
}

// Many calls begin before the first of them has learned what time it is.
func TestCallsThatWereDatedBeforeTheClockWasCorrectedAreDatedAgain(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil)
	other := func() {
		r.script.steps = append([]step{refusedAt(start.Add(time.Hour)), answer(202, "{}")}, r.script.steps...)
		assert.Equal(t, 202, r.Do(t.Context(), payout()).Status)
	}
	r.script.steps = []step{
		func(req *http.Request) (*http.Response, error) {
			other() // while this one is on its way, another call learns the offset
			return refusedAt(start.Add(time.Hour))(req)
		},
		answer(202, "{}"),
	}
	res := r.Do(t.Context(), payout())
	assert.Equal(t, 202, res.Status, "it was dated wrongly, and is dated again")
	assert.Equal(t, 2, res.Attempts)
	assert.WithinDuration(t, start.Add(time.Hour), r.signedAt(t, 3), time.Second)
}

// What one call learned wrongly is taken back, and not what another has learned since.
func TestOnlyTheOwnCorrectionIsUnlearned(t *testing.T) {
	t.Parallel()
	r := datedRig(t, nil)
	r.script.steps = []step{
		refusedAt(start.Add(9 * time.Hour)), // a wrong date
		func(req *http.Request) (*http.Response, error) {
			r.script.steps = append([]step{refusedAt(start.Add(time.Hour)), answer(202, "{}")}, r.script.steps...)
			assert.Equal(t, 202, r.Do(t.Context(), payout()).Status)
			return refusedAt(start.Add(time.Hour))(req)
		},
		answer(202, "{}"),
	}
	assert.Equal(t, http.StatusUnauthorized, r.Do(t.Context(), payout()).Status, "corrected once, and wrongly")
	require.Equal(t, 202, r.Do(t.Context(), payout()).Status)
	assert.WithinDuration(t, start.Add(time.Hour), r.signedAt(t, 4), time.Second, "the other call's correction holds")
}

// The operator sets the clock right, and responses no longer tell the time: the
// correction is wrong now.
func TestCorrectionIsUnlearnedWithoutADateToo(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]step{
		"no date": answer(401, stale), "a cached answer": refusedAt(start, "Age", "1"), "not a date": answer(401, stale, "Date", "soon"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			r := datedRig(t, &log, refusedAt(start.Add(time.Hour)), answer(202, "{}"), refusal, answer(202, "{}"), answer(202, "{}"))
			require.Equal(t, 202, r.Do(t.Context(), payout()).Status)
			log.Reset()
			require.Equal(t, 202, r.Do(t.Context(), payout()).Status)
			assert.Equal(t, start, r.signedAt(t, 3), "the machine's own clock again")
			assert.Contains(t, log.String(), "using the local clock again")
			r.Do(t.Context(), payout())
			assert.Equal(t, start, r.signedAt(t, 4))
		})
	}
}

// Responses with an impossible date cost no further attempt, and leave no correction.
func TestHostileDates(t *testing.T) {
	t.Parallel()
	for name, date := range map[string]string{
		"1970": "Thu, 01 Jan 1970 00:00:00 GMT", "the year 1": "Mon, 01 Jan 0001 00:00:00 GMT", "the year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := answer(401, stale, "Date", date)
			r := datedRig(t, nil, wrong, wrong, answer(202, "{}"))
			res := r.Do(t.Context(), payout())
			assert.Equal(t, 1, res.Attempts)
			assert.Equal(t, Rejected, res.Outcome)
			r.Do(t.Context(), payout())
			assert.Equal(t, start, r.signedAt(t, 1))
		})
	}
}
