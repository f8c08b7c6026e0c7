package sqlinbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/inboxtest"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// dialed opens a pool of one connection over a network of the test's, and sends each
// statement in one message, so that its reply is the next one.
func (s *store) dialed(t *testing.T, dial dial) *sql.DB {
	t.Helper()
	var db *sql.DB
	switch s.driver {
	case "pgx":
		config, err := pgx.ParseConfig(s.dsn)
		require.NoError(t, err)
		config.DialFunc = dial
		db = stdlib.OpenDB(*config)
	case "postgres":
		connector, err := pq.NewConnector(s.dsn + "&binary_parameters=yes")
		require.NoError(t, err)
		connector.Dialer(dialer(dial))
		db = sql.OpenDB(connector)
	default:
		config, err := mysql.ParseDSN(s.dsn)
		require.NoError(t, err)
		config.InterpolateParams = true
		config.DialFunc = dial
		connector, err := mysql.NewConnector(config)
		require.NoError(t, err)
		db = sql.OpenDB(connector)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// dialer is what lib/pq dials with.
type dialer dial

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, _ time.Duration) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

func TestALostReplyIsNoDuplicate(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, with setup) {
		s := with.migrated(t)
		losing := new(atomic.Int32)
		inbox, err := sqlinbox.New(s.dialed(t, inboxtest.DialLosing(losing)), s.dialect)
		require.NoError(t, err)
		// The connection is up and its statements are prepared: the next reply, to an
		// executed statement, is lost.
		require.NoError(t, inbox.Complete(t.Context(), hold(t, inbox, "warm")))

		losing.Store(1)
		claim := hold(t, inbox, "key")
		assert.Negative(t, losing.Load(), "the answer was lost")

		require.NoError(t, inbox.Complete(t.Context(), claim)) // prepares it on the new connection
		losing.Store(1)
		require.NoError(t, inbox.Complete(t.Context(), claim))
		assert.Negative(t, losing.Load())
		assert.Equal(t, intram.ClaimDone, state(t, inbox, "key"))

		// A lease that was taken over is held once.
		hold(t, inbox, "expired")
		s.pass(t, s.pool(t), time.Hour)
		warm := hold(t, inbox, "expired")
		require.NoError(t, inbox.Release(t.Context(), warm))
		hold(t, inbox, "expired")
		s.pass(t, s.pool(t), time.Hour)
		losing.Store(3) // of the insert, the look and the take-over, or of their repetition
		hold(t, inbox, "expired")
		assert.Negative(t, losing.Load())
	})
}

// The commit arrives, its confirmation does not: the function looks as if it had failed,
// and the release must not undo it.
func TestACommitWhoseConfirmationIsLostIsKept(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, with setup) {
		s := with.migrated(t)
		network := new(losingCommits)
		p := newShop(t, s, nil)
		var err error
		p.inbox, err = sqlinbox.New(s.dialed(t, network.dial), s.dialect)
		require.NoError(t, err)
		p.receive(t, p.inbox.InTx(s.writeEffect))
		assert.Equal(t, 200, p.deliver("op_0"))
		network.armed.Store(true)
		assert.Equal(t, 500, p.deliver("op_1"))
		assert.False(t, network.armed.Load(), "the confirmation was lost")
		assert.Equal(t, 2, p.effects(t), "the commit was made")
		assert.Equal(t, 200, p.deliver("op_1"))
		assert.Equal(t, 2, p.effects(t))
	})
}

// losingCommits is a network on which, once it is armed, a connection fails after it has
// sent a COMMIT.
type losingCommits struct{ armed atomic.Bool }

func (l *losingCommits) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &committingConn{Conn: conn, network: l}, err
}

type committingConn struct {
	net.Conn
	network *losingCommits
	lost    atomic.Bool
}

func (c *committingConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToUpper(p), []byte("COMMIT")) && c.network.armed.CompareAndSwap(true, false) {
		c.lost.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *committingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p) // the server has made it
	if c.lost.Load() {
		return 0, &net.OpError{Op: "read", Net: "unix", Err: net.ErrClosed}
	}
	return n, err
}
