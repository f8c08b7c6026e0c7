package intram_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// TestTransportEdgeCasesThroughHTTPMock drives the client as many users' tests do: an
// http.Client whose transport is a mock. Such a transport reports no connections, so what
// it fails at counts as sent unless the error itself says otherwise.
func TestTransportEdgeCasesThroughHTTPMock(t *testing.T) {
	t.Parallel()
	const accepted = `{"error":false,"http_status":202,"data":{"operation_id":"op_1","type":"payout","status":"queued"}}`
	const refused = `{"error":true,"http_status":400,"code":"unknown_currency","message":"Unknown currency"}`
	unavailable := func(retryAfter string) httpmock.Responder {
		return httpmock.NewStringResponder(http.StatusServiceUnavailable, "").HeaderSet(http.Header{"Retry-After": {retryAfter}})
	}
	text := httpmock.NewStringResponder
	lost := httpmock.NewErrorResponder(errors.New("connection reset by peer"))

	var nilPair httpmock.Responder = func(*http.Request) (*http.Response, error) {
		return nil, nil //nolint:nilnil // the mistake that the client has to bear
	}

	for name, tc := range map[string]struct {
		answers  httpmock.Responder
		attempts int
		outcome  intram.Outcome // empty for success
		waited   time.Duration
	}{
		"accepted at once":                    {answers: text(202, accepted), attempts: 1},
		"lost twice, then accepted":           {answers: lost.Then(lost).Then(text(202, accepted)), attempts: 3},
		"asked to wait, and accepted":         {answers: unavailable("7").Then(text(202, accepted)), attempts: 2, waited: 7 * time.Second},
		"asked to wait too long":              {answers: unavailable("86400"), attempts: 1, outcome: intram.OutcomeUnknown},
		"refused":                             {answers: text(400, refused), attempts: 1, outcome: intram.OutcomeRejected},
		"lost, then refused":                  {answers: lost.Then(text(400, refused)), attempts: 2, outcome: intram.OutcomeUnknown},
		"limited four times":                  {answers: text(429, "{}"), attempts: 4, outcome: intram.OutcomeRejected},
		"a proxy's page for an answer":        {answers: text(200, "<html>welcome</html>"), attempts: 1, outcome: intram.OutcomeUnknown},
		"an answer without an operation id":   {answers: text(202, `{"error":false,"data":{}}`), attempts: 1, outcome: intram.OutcomeUnknown},
		"an empty answer":                     {answers: text(202, ""), attempts: 1, outcome: intram.OutcomeUnknown},
		"redirected":                          {answers: text(307, "").HeaderSet(http.Header{"Location": {"https://elsewhere.example.com/"}}), attempts: 1, outcome: intram.OutcomeUnknown},
		"a transport that returns a nil pair": {answers: nilPair, attempts: 4, outcome: intram.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mock := httpmock.NewMockTransport()
				mock.RegisterResponder(http.MethodPost, intram.BaseURL+"/payouts", tc.answers)
				client, err := intram.NewClient("pk_sandbox_a1", "sk_sandbox_b2", intram.WithHTTPClient(&http.Client{Transport: mock}))
				require.NoError(t, err)

				began := time.Now()
				var answer intram.Response
				_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithResponseInto(&answer))
				assert.Equal(t, tc.outcome, intram.OutcomeOf(err), "%v", err)
				assert.Equal(t, tc.attempts, answer.Attempts)
				assert.Equal(t, tc.attempts, mock.GetTotalCallCount())
				if tc.waited > 0 {
					assert.Equal(t, tc.waited, time.Since(began))
				}
			})
		})
	}
}
