package pginbox_test

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
)

// losingConn loses an answer when it is told to: the answer has been read, and the reader is told that the connection has failed.
type losingConn struct {
	net.Conn
	losing *atomic.Int32
	broken atomic.Bool
}

func (c *losingConn) Read(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.ECONNRESET
	}
	n, err := c.Conn.Read(p)
	if err == nil && c.losing.Add(-1) >= 0 {
		c.broken.Store(true)
		return 0, syscall.ECONNRESET
	}
	return n, err
}

func TestALostReplyIsNoDuplicate(t *testing.T) {
	t.Parallel()
	address := newSchema(t, sharedURL(t))
	require.NoError(t, pginbox.Migrate(t.Context(), newPool(t, address)))
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	losing := new(atomic.Int32)
	config.MaxConns = 1
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &losingConn{Conn: conn, losing: losing}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	inbox := newInbox(t, pool)
	// The connection is up and its statements are prepared: what is lost next is the answer to one that was executed.
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
