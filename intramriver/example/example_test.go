package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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

func TestMain(m *testing.M) {
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

func TestServeShowsTheJobsInRiversWebInterface(t *testing.T) {
	needPostgreSQL(t)
	t.Setenv(databaseURL, "") // a private server
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, writer, true)
		_ = writer.Close()
		done <- err
	}()
	address := ""
	lines := bufio.NewScanner(reader)
	for address == "" && lines.Scan() {
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/riverui`).FindString(lines.Text())
	}
	if address == "" {
		require.NoError(t, errors.Join(<-done, errors.New("no address was printed")))
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()

	assert.Contains(t, string(get(t, address+"/")), "<html")
	var jobs struct {
		Data []struct{ Kind string }
	}
	require.NoError(t, json.Unmarshal(get(t, address+"/api/jobs?state=completed&limit=100"), &jobs))
	kinds := map[string]bool{}
	for _, job := range jobs.Data {
		kinds[job.Kind] = true
	}
	assert.True(t, kinds["intram_send"] && kinds["intram_event"], "%v", kinds)

	cancel()
	assert.NoError(t, <-done)
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	return body
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
