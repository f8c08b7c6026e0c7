package pginbox_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/internal/pgtest"
)

func TestMain(m *testing.M) {
	if isReplica() {
		os.Exit(runReplica())
	}
	status := m.Run()
	shared.Stop()
	os.Exit(status)
}

// shared is the server of all tests but those that restart theirs.
var shared pgtest.Shared

var schemas atomic.Int64

// newSchema makes a schema for one test on a server, and returns the server's address
// with the schema as search_path.
func newSchema(t *testing.T, server string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	name := fmt.Sprintf("pginbox_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = conn.Exec(ctx, "CREATE SCHEMA "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), server); err == nil {
			_, _ = conn.Exec(context.Background(), "DROP SCHEMA "+name+" CASCADE")
			_ = conn.Close(context.Background())
		}
	})
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + name
}

// newPool opens a pool that is closed with the test.
func newPool(t *testing.T, address string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// newDatabase makes a migrated schema on the shared server.
func newDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := newPool(t, newSchema(t, shared.URL(t)))
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	return pool
}
