package fidelity

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramtest"
)

// testTime is when the tests take place.
var testTime = time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)

// sandbox is a fake behind a socket, in the place of the real sandbox.
func sandbox(t *testing.T, opts ...intramtest.Option) (*intramtest.Server, Config) {
	t.Helper()
	server := intramtest.NewServer(t, append([]intramtest.Option{intramtest.WithSeed(2), intramtest.WithFrozenClock(testTime)}, opts...)...)
	receiver := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	return server, Config{
		BaseURL: server.URL + "/v1", PublicKey: server.PublicKey, SecretKey: server.SecretKey,
		Payin:     &PayinConfig{BaseURL: server.URL, APIKey: server.PayinAPIKey, APIClient: server.PayinAPIClient},
		Transport: server.Transport(), Clock: server.Clock(), WebhookURL: receiver + "/webhooks",
		Pause: time.Millisecond, Longest: time.Minute, Nonce: "test",
	}
}

func discard(*Report) error { return nil }

func play(t *testing.T, config Config) (*Report, Activity) {
	t.Helper()
	report, activity, err := Run(t.Context(), config, discard)
	require.NoError(t, err)
	return report, activity
}

func playFake(t *testing.T) *Report {
	t.Helper()
	report, _, err := RunFake(t.Context(), testTime, true)
	require.NoError(t, err)
	return report
}

func TestEveryProbeAgreesWithTheFake(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t)
	report, activity := play(t, config)
	assert.True(t, report.Finished)
	played := 0
	for _, c := range Compare(report, playFake(t)) {
		if unplayable(c.Line) != "" {
			assert.Equal(t, NotPlayed, c.Verdict, "%s", c.Behaviour)
			continue
		}
		played++
		assert.Equal(t, Agrees, c.Verdict, "%s: %s %v", c.Behaviour, c.Why, c.Differences)
	}
	assert.Len(t, Probes(), played)
	assert.Equal(t, activity.Calls, report.Calls)
}
