package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/pgtest"
)

var shared pgtest.Shared

// playMain is the variable of a test binary that plays the program.
const playMain = "EXAMPLE_PLAY_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(playMain) != "" {
		main()
		os.Exit(0)
	}
	status := m.Run()
	shared.Stop()
	os.Exit(status)
}

// needPostgreSQL skips the test on a laptop without PostgreSQL, and fails in CI.
func needPostgreSQL(t *testing.T) (address string) {
	t.Helper()
	return shared.URL(t)
}

func TestTheBooksEqualTheLedgerAlthoughAWorkerIsStopped(t *testing.T) {
	address := needPostgreSQL(t)
	t.Setenv(databaseURL, address)
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, false), "%s", &out)
	t.Log(out.String())
	assert.Contains(t, out.String(), "checks hold")
	for _, line := range []string{
		`payout SAL-2026-11-001 +-85000 +-85000`,
		`payout SAL-2026-11-005 +0 +0`,
		`order ORD-0002 +24500 +24500`,
		`refund ORD-0002 +-25000 +-25000`,
	} {
		assert.Regexp(t, line, out.String())
	}

	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	schema := regexp.MustCompile(`intram_example_\w+`).FindString(out.String())
	require.NotEmpty(t, schema)
	var left int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema).Scan(&left))
	assert.Zero(t, left, "the schema is dropped from a database that is not the example's own")
}

func TestAnAddressIsAURLOrAListOfKeys(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"postgres://u@127.0.0.1/shop", "postgres://u@127.0.0.1/shop?sslmode=disable", "host=127.0.0.1 user=u dbname=shop"} {
		config, err := pgx.ParseConfig(withSearchPath(address, "intram_example_x"))
		require.NoError(t, err, address)
		assert.Equal(t, "intram_example_x", config.RuntimeParams["search_path"], address)
		assert.Equal(t, "shop", config.Database, address)
	}
}
