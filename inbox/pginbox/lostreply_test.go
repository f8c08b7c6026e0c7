package pginbox_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/internal/inboxtest"
)

func TestALostReplyIsNoDuplicate(t *testing.T) {
	t.Parallel()
	address := newSchema(t, shared.URL(t))
	require.NoError(t, pginbox.Migrate(t.Context(), newPool(t, address)))
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	losing := new(atomic.Int32)
	config.MaxConns = 1
	config.ConnConfig.DialFunc = inboxtest.DialLosing(losing)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	inbox := newInbox(t, pool)
	// The connection is up and its statements are prepared: the next reply, to an
	// executed statement, is lost.
	warm, err := inbox.Claim(t.Context(), "warm", time.Minute)
	require.NoError(t, err)
	require.NoError(t, inbox.Complete(t.Context(), warm))

	losing.Store(1)
	claim, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	assert.Negative(t, losing.Load(), "the answer was lost")
	require.Equal(t, intram.ClaimHeld, claim.State, "and the claim is ours: nobody else has the event")

	require.NoError(t, inbox.Complete(t.Context(), claim)) // prepares it on the new connection
	losing.Store(1)
	require.NoError(t, inbox.Complete(t.Context(), claim))
	again, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, again.State)
}
