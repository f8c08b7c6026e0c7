package sqlinbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // a driver
	_ "github.com/jackc/pgx/v5/stdlib" // a driver
	_ "github.com/lib/pq"              // a driver
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/mariatest"
	"github.com/intram/intram-go/internal/pgtest"
)

// durable is what OpenSQLite opens outside of these tests.
var durable = sqlinbox.SQLiteSource("/intram.db")

func TestMain(m *testing.M) {
	sqlinbox.WithoutDisk()
	if isReplica() {
		os.Exit(runReplica())
	}
	status := m.Run()
	postgres.Stop()
	mariadb.Stop()
	os.Exit(status)
}

// The servers of all tests but those that restart theirs.
var (
	postgres pgtest.Shared
	mariadb  mariatest.Shared
)

// setup is a database server, and a driver with its settings.
type setup struct {
	dialect sqlinbox.Dialect
	driver  string
	// settings go to the end of the DSN, after a question mark or an ampersand.
	settings string
}

// The setups that every test of behaviour runs with.
var setups = map[string]setup{
	"SQLite":            {dialect: sqlinbox.SQLite, driver: "sqlite"},
	"PostgreSQL by pgx": {dialect: sqlinbox.PostgreSQL, driver: "pgx"},
	"PostgreSQL by pq":  {dialect: sqlinbox.PostgreSQL, driver: "postgres"},
	"MariaDB":           {dialect: sqlinbox.MySQL, driver: "mysql"},
}

// each runs a test with each setup.
func each(t *testing.T, test func(t *testing.T, s *store)) {
	t.Helper()
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, with.migrated(t))
		})
	}
}

// store is a database of one test.
type store struct {
	setup
	dsn  string
	path string // of SQLite's file
}

var names atomic.Int64

// empty makes a database without tables, on the shared server.
func (s setup) empty(t *testing.T) *store {
	t.Helper()
	switch s.dialect {
	case sqlinbox.PostgreSQL:
		return s.on(t, postgres.URL(t))
	case sqlinbox.MySQL:
		return s.on(t, mariadb.DSN(t))
	}
	return s.on(t, filepath.Join(t.TempDir(), "intram inbox?#%.db"))
}

// on makes a database without tables, on a server, or the file at a path.
func (s setup) on(t *testing.T, server string) *store {
	t.Helper()
	name := fmt.Sprintf("sqlinbox_%d_%d", os.Getpid(), names.Add(1))
	made := &store{setup: s}
	var create, drop string
	switch s.dialect {
	case sqlinbox.PostgreSQL:
		made.dsn = server + "&search_path=" + name
		create, drop = "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE"
	case sqlinbox.MySQL:
		made.dsn = server + "/" + name
		create, drop = "CREATE DATABASE "+name, "DROP DATABASE "+name
		server += "/"
	default:
		made.path = server
		made.dsn = "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(server) +
			"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
		return made
	}
	if s.settings != "" {
		separator := "?"
		if strings.Contains(made.dsn, "?") {
			separator = "&"
		}
		made.dsn += separator + s.settings
	}
	admin, err := sql.Open(s.driver, server)
	require.NoError(t, err)
	_, err = admin.ExecContext(t.Context(), create)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = admin.ExecContext(context.Background(), drop)
		_ = admin.Close()
	})
	return made
}

// migrated makes a database with the inbox's tables, on the shared server.
func (s setup) migrated(t *testing.T) *store {
	t.Helper()
	made := s.empty(t)
	made.migrate(t)
	return made
}

func (s *store) migrate(t *testing.T) {
	t.Helper()
	require.NoError(t, sqlinbox.Migrate(t.Context(), s.pool(t), s.dialect))
}

// pool opens a pool that is closed with the test.
func (s *store) pool(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(s.driver, s.dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(4)
	if s.dialect == sqlinbox.SQLite {
		db.SetMaxOpenConns(1)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// inbox opens an inbox with a pool of its own, as one more replica has it.
func (s *store) inbox(t *testing.T) *sqlinbox.Inbox {
	t.Helper()
	if s.dialect == sqlinbox.SQLite {
		in, err := sqlinbox.OpenSQLite(s.path)
		require.NoError(t, err)
		t.Cleanup(func() { _ = in.Close() })
		return in
	}
	in, err := sqlinbox.New(s.pool(t), s.dialect)
	require.NoError(t, err)
	return in
}

// exec runs a statement.
func (s *store) exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

// marked writes placeholders as the dialect does.
func (s *store) marked(statement string) string {
	if s.dialect != sqlinbox.PostgreSQL {
		return statement
	}
	for n := 1; strings.Contains(statement, "?"); n++ {
		statement = strings.Replace(statement, "?", "$"+strconv.Itoa(n), 1)
	}
	return statement
}

// count returns what a query of one number does.
func (s *store) count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// pass lets time go by for what is stored: the server's clock is not ours to set, so the
// stored times move the other way.
func (s *store) pass(t *testing.T, db *sql.DB, d time.Duration) {
	t.Helper()
	s.exec(t, db, fmt.Sprintf("UPDATE intram_sqlinbox SET leased_until_us = leased_until_us - (%d), completed_us = completed_us - (%d)",
		d.Microseconds(), d.Microseconds()))
}

// hold claims a key that must be free.
func hold(t *testing.T, in intram.Inbox, key string) intram.Claim {
	t.Helper()
	claim, err := in.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Equal(t, intram.ClaimHeld, claim.State, key)
	return claim
}

// state returns what a claim of the key is told.
func state(t *testing.T, in intram.Inbox, key string) intram.ClaimState {
	t.Helper()
	claim, err := in.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	return claim.State
}
