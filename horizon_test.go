package intram_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestRetriesOfACallEndBeforeItsKeyIsForgotten(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client(intram.WithMaxAttempts(1000))
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts"}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent), intram.WithMaxAttempts(1))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	// The second call begins in time, and an outage keeps it trying: 55 s a try, which
	// would be past the 24th hour at the 66th.
	server.Advance(intram.IntentHorizon - time.Second)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Latency, On: "POST /payouts", Times: 70, Delay: 25 * time.Second}))
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST /payouts", Times: 70, RetryAfter: "30"}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.Error(t, err)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "expired the idempotency key")
	age := server.Now().Sub(intent.FirstSentAt)
	assert.Less(t, age, 24*time.Hour-5*time.Minute)
	assert.Greater(t, age, intram.IntentHorizon+25*time.Minute, "it was tried for a good while")

	wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "paid once")
}

func TestRetriesOfACallWithoutAnIntentEndBeforeItsKeyIsForgotten(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client(intram.WithMaxAttempts(1000))
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Latency, On: "POST /payouts", Times: 70, Delay: 24 * time.Hour}))
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "POST /payouts", Times: 70, Executed: true}))
	_, err := client.Payouts.Create(t.Context(), intentParams())
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Equal(t, 1, payoutPosts(server))
}

// A proxy refuses a payout for its timestamp, with a Date that is far ahead, to have it
// signed for that day. What it collects is worth nothing once the API has forgotten the
// key.
func TestForgedDateCollectsNoSignatureForALaterDay(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{2 * 365 * 24 * time.Hour, 25 * time.Hour, 11 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			client := server.Client()
			intent, err := client.Payouts.Prepare(intentParams())
			require.NoError(t, err)
			require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.ClockSkewForged, Skew: ahead, On: "POST /payouts", Times: 2}))
			_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
			require.ErrorIs(t, err, intram.CodeSignatureInvalid)
			want := intram.OutcomeRejected
			if ahead < 12*time.Hour {
				want = intram.OutcomeUnknown // what it has collected is good in some hours
			} else {
				assert.ErrorContains(t, err, "set this machine's clock")
			}
			assert.Equal(t, want, intram.OutcomeOf(err))
			collected := server.Requests()
			server.ClearFaults()

			// The caller goes on as it is told to: with the same intent.
			_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
			require.NoError(t, err)
			for passed := time.Duration(0); passed < 48*time.Hour; passed += 5 * time.Minute {
				if passed == 47*time.Hour {
					server.Advance(ahead)
				}
				for _, r := range collected {
					req, err := http.NewRequestWithContext(t.Context(), r.Method, server.URL+"/v1/payouts", bytes.NewReader(r.Body))
					require.NoError(t, err)
					req.Header = r.Header.Clone()
					resp, err := server.Transport().RoundTrip(req)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
				}
				server.Advance(5 * time.Minute)
			}
			wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
			assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "paid once")
		})
	}
}

// The server's clock is hours ahead, and an intent is as old as the server says.
func TestIntentIsAsOldAsTheServerSays(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	server.Advance(14 * time.Hour)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.ClockSkew, Skew: 10 * time.Hour, On: "GET /balance", Times: 2}))
	_, err = client.Balance.Get(t.Context())
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.ErrIntentExpired)
}
