package intram_test

import (
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

	// The second call begins in time, and an outage keeps it trying: 55 s a try, which would be past the 24th hour at the 66th.
	server.Advance(intram.IntentHorizon - time.Second)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Latency, On: "POST /payouts", Times: 70, Delay: 25 * time.Second}))
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST /payouts", Times: 70, RetryAfter: "30"}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.Error(t, err)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "forget its key")
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
