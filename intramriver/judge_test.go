package intramriver

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	intram "github.com/intram/intram-go"
)

func TestTheOutcomeOfACallDecidesWhatFollows(t *testing.T) {
	t.Parallel()
	refused := func(status int, code intram.ErrorCode, outcome intram.Outcome) *intram.Error {
		return &intram.Error{StatusCode: status, Code: code, Outcome: outcome}
	}
	later := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	item := &intram.ItemError{ID: "op_odd"}
	for name, row := range map[string]struct {
		err  error
		want decision
	}{
		"no answer":                {refused(0, "", intram.OutcomeUnknown), decision{do: doubt}},
		"nothing left":             {refused(0, "", intram.OutcomeNotSent), decision{do: tryAgain, untouched: true}},
		"500":                      {refused(500, intram.CodeInternalError, intram.OutcomeUnknown), decision{do: doubt, code: intram.CodeInternalError}},
		"500 before the work":      {refused(500, intram.CodeAuthError, intram.OutcomeRejected), decision{do: tryAgain, code: intram.CodeAuthError, untouched: true}},
		"a refusal":                {refused(400, intram.CodeUnknownCurrency, intram.OutcomeRejected), decision{do: refusal, code: intram.CodeUnknownCurrency, untouched: true}},
		"the SDK's own":            {refused(0, intram.CodeValidationError, intram.OutcomeNotSent), decision{do: refusal, code: intram.CodeValidationError, untouched: true}},
		"the SDK's own, in doubt":  {refused(0, intram.CodeValidationError, intram.OutcomeUnknown), decision{do: person, code: intram.CodeValidationError}},
		"a refusal, in doubt":      {refused(400, intram.CodeUnknownCurrency, intram.OutcomeUnknown), decision{do: doubt, code: intram.CodeUnknownCurrency}},
		"another body":             {refused(409, intram.CodeIdempotencyConflict, intram.OutcomeUnknown), decision{do: doubt, code: intram.CodeIdempotencyConflict}},
		"a proxy's 431":            {refused(431, "", intram.OutcomeRejected), decision{do: tryAgain, untouched: true}},
		"a firewall's page":        {refused(403, "", intram.OutcomeUnknown), decision{do: doubt}},
		"401":                      {refused(401, intram.CodeInvalidAPIKey, intram.OutcomeRejected), decision{do: pause, code: intram.CodeInvalidAPIKey, untouched: true}},
		"401, in doubt":            {refused(401, intram.CodeInvalidAPIKey, intram.OutcomeUnknown), decision{do: pause, code: intram.CodeInvalidAPIKey}},
		"403":                      {refused(403, intram.CodeIPNotAllowed, intram.OutcomeRejected), decision{do: pause, code: intram.CodeIPNotAllowed, untouched: true}},
		"a code with other status": {refused(500, intram.CodeInvalidAPIKey, intram.OutcomeUnknown), decision{do: doubt, code: intram.CodeInvalidAPIKey}},
		"429":                      {&intram.Error{StatusCode: http.StatusTooManyRequests, Code: "too_many", Outcome: intram.OutcomeRejected, RetryAfter: time.Minute}, decision{do: tryAgain, code: "too_many", after: time.Minute, untouched: true}},
		"a Retry-After of a year":  {&intram.Error{StatusCode: 503, Outcome: intram.OutcomeUnknown, RetryAfter: 365 * 24 * time.Hour}, decision{do: doubt, after: time.Hour}},
		"this machine's clock": {
			&intram.Error{StatusCode: 401, Code: intram.CodeSignatureInvalid, Outcome: intram.OutcomeRejected, Message: "Signature verification failed: timestamp_out_of_window"},
			decision{do: tryAgain, code: intram.CodeSignatureInvalid, after: pausedSnooze, untouched: true},
		},
		"the secret": {
			&intram.Error{StatusCode: 401, Code: intram.CodeSignatureInvalid, Outcome: intram.OutcomeRejected, Message: "Signature verification failed: signature_mismatch"},
			decision{do: pause, code: intram.CodeSignatureInvalid, untouched: true},
		},
		"shutdown":             {context.Canceled, decision{do: doubt}},
		"proved":               {fmt.Errorf("later: %w", intram.ErrNeverSent), decision{do: planAnew}},
		"too early":            {&intram.CannotTellError{RetryAt: later}, decision{do: doubt, code: CodeCannotTell, until: later}},
		"the list is away":     {&intram.CannotTellError{Err: context.DeadlineExceeded, Candidates: []*intram.Operation{{ID: "op_1"}}}, decision{do: doubt, code: CodeCannotTell, candidates: []string{"op_1"}}},
		"two candidates":       {&intram.CannotTellError{Candidates: []*intram.Operation{{ID: "op_1"}, {ID: "op_2"}}}, decision{do: person, code: CodeCannotTell, candidates: []string{"op_1", "op_2"}}},
		"one cannot be read":   {&intram.CannotTellError{Err: item}, decision{do: person, code: CodeCannotTell, candidates: []string{"op_odd"}}},
		"what is not the SDKs": {assert.AnError, decision{do: doubt}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.want, judge(row.err))
		})
	}
}

// In doubt it is soon, and often enough within the horizon.
func TestTheWaitsOfAJobFitTheHorizon(t *testing.T) {
	t.Parallel()
	total, tries := time.Duration(0), 0
	for total < intram.IntentHorizon {
		tries++
		wait := backoff(tries)
		assert.LessOrEqual(t, wait, longestBackoff*6/5)
		assert.GreaterOrEqual(t, wait, firstBackoff*4/5)
		total += wait
	}
	assert.Greater(t, tries, 60)
	assert.Less(t, tries, 200, "each is an error that River keeps with the job")
	assert.Less(t, backoff(1), 7*time.Second)
	assert.LessOrEqual(t, backoff(maxAttempts), longestBackoff*6/5)
}
