package sqlinbox_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
)

// Errors of the drivers, as a function may wrap them.
func mysqlError(number uint16) error { return &mysql.MySQLError{Number: number, Message: "made up"} }

type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return fmt.Sprint("code ", int(e)) }
func (e codeError) Code() int     { return int(e) }

// merge joins two lists of setups.
func merge(a, b map[string]setup) map[string]setup {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// isolated are setups with other levels of isolation than their server's default.
var isolated = map[string]setup{
	"MariaDB, read committed":         {sqlinbox.MySQL, "mysql", "tx_isolation='READ-COMMITTED'"},
	"MariaDB, serializable":           {sqlinbox.MySQL, "mysql", "tx_isolation='SERIALIZABLE'"},
	"MariaDB, snapshots are isolated": {sqlinbox.MySQL, "mysql", "innodb_snapshot_isolation=ON"},
	"pgx, repeatable read":            {sqlinbox.PostgreSQL, "pgx", "default_transaction_isolation=repeatable%20read"},
	"pgx, serializable":               {sqlinbox.PostgreSQL, "pgx", "default_transaction_isolation=serializable"},
	"pq, serializable":                {sqlinbox.PostgreSQL, "postgres", "default_transaction_isolation=serializable"},
}

// configured are setups with settings that change what a statement means, what a driver
// counts, or how it sends an argument.
var configured = map[string]setup{
	"MariaDB, rows that are found are counted": {sqlinbox.MySQL, "mysql", "clientFoundRows=true"},
	"MariaDB, arguments are put into the text": {sqlinbox.MySQL, "mysql", "interpolateParams=true"},
	"MariaDB, both": {sqlinbox.MySQL, "mysql", "interpolateParams=true&clientFoundRows=true"},
	"MariaDB, times are parsed, in another loc": {sqlinbox.MySQL, "mysql", "parseTime=true&loc=America%2FNew_York"},
	"MariaDB, time zone of the session":         {sqlinbox.MySQL, "mysql", "time_zone=%27%2B09%3A00%27"},
	"MariaDB, another character set":            {sqlinbox.MySQL, "mysql", "charset=latin1"},
	"MariaDB, collation without case":           {sqlinbox.MySQL, "mysql", "collation=utf8mb4_general_ci"},
	"MariaDB, ANSI":                             {sqlinbox.MySQL, "mysql", "sql_mode='ANSI'&interpolateParams=true"},
	"MariaDB, not strict":                       {sqlinbox.MySQL, "mysql", "sql_mode=''"},
	"MariaDB, backslashes":                      {sqlinbox.MySQL, "mysql", "sql_mode='NO_BACKSLASH_ESCAPES'&interpolateParams=true"},
	"MariaDB, assignments at once":              {sqlinbox.MySQL, "mysql", "sql_mode='SIMULTANEOUS_ASSIGNMENT'"},
	"MariaDB, Oracle":                           {sqlinbox.MySQL, "mysql", "sql_mode='ORACLE'"},
	"MariaDB, several statements":               {sqlinbox.MySQL, "mysql", "multiStatements=true"},
	"MariaDB, autocommit off":                   {sqlinbox.MySQL, "mysql", "autocommit=0"},
	"pgx, simple protocol":                      {sqlinbox.PostgreSQL, "pgx", "default_query_exec_mode=simple_protocol"},
	"pgx, exec":                                 {sqlinbox.PostgreSQL, "pgx", "default_query_exec_mode=exec"},
	"pgx, cache of descriptions":                {sqlinbox.PostgreSQL, "pgx", "default_query_exec_mode=cache_describe"},
	"pgx, time zone of the session":             {sqlinbox.PostgreSQL, "pgx", "timezone=Asia%2FTokyo"},
	"pq, binary parameters":                     {sqlinbox.PostgreSQL, "postgres", "binary_parameters=yes"},
}

func TestTheSettingsOfADriverChangeNothing(t *testing.T) {
	t.Parallel()
	for name, with := range merge(configured, isolated) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := with.migrated(t)
			claims(t, s)
			keys(t, s)
			pending(t, s)
			if with.settings != "autocommit=0" { // the shop's own statements are not committed
				lostLease(t, s)
			}
		})
	}
}

func claims(t *testing.T, s *store) {
	t.Helper()
	ctx := t.Context()
	plain := &store{setup: setup{dialect: s.dialect, driver: s.driver}, dsn: s.dsn}
	if s.settings == "autocommit=0" {
		plain.dsn = s.dsn[:len(s.dsn)-len("?autocommit=0")]
	}
	db, inbox, other := plain.pool(t), s.inbox(t), s.inbox(t)
	first := hold(t, inbox, "key")
	assert.Equal(t, intram.ClaimBusy, state(t, other, "key"))
	assert.Equal(t, intram.ClaimBusy, state(t, inbox, "key"))
	s.pass(t, db, time.Minute+time.Second)
	second := hold(t, other, "key")
	require.ErrorIs(t, inbox.Complete(ctx, first), intram.ErrLeaseLost)
	require.ErrorIs(t, inbox.Release(ctx, first), intram.ErrLeaseLost)
	require.NoError(t, other.Release(ctx, second))
	require.ErrorIs(t, other.Release(ctx, second), intram.ErrLeaseLost)
	third := hold(t, inbox, "key")
	third.Note = `1779273074000 é\'"`
	require.NoError(t, inbox.Complete(ctx, third))
	require.NoError(t, inbox.Complete(ctx, third), "again: the reply may have been lost")
	require.NoError(t, other.Complete(ctx, third))
	require.ErrorIs(t, other.Complete(ctx, second), intram.ErrLeaseLost)
	require.ErrorIs(t, inbox.Release(ctx, third), intram.ErrLeaseLost)
	done, err := other.Claim(ctx, "key", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, done.State)
	assert.Equal(t, third.Note, done.Note)
	assert.Equal(t, 1, s.count(t, db, "SELECT count(*) FROM intram_sqlinbox WHERE completed_us IS NOT NULL"), "committed, for all to see")

	// The server's clock, not ours, and a lease that is too long after it was set back.
	held := hold(t, inbox, "held")
	s.pass(t, db, -time.Hour)
	busy, err := other.Claim(ctx, "held", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimBusy, busy.State)
	assert.LessOrEqual(t, busy.RetryIn, time.Minute)
	s.pass(t, db, time.Minute+time.Second)
	hold(t, other, "held")
	require.ErrorIs(t, inbox.Complete(ctx, held), intram.ErrLeaseLost)
	s.pass(t, db, 100*time.Hour)
	deleted, err := inbox.Prune(ctx, intram.InboxRetention)
	require.NoError(t, err)
	assert.Equal(t, int64(2), deleted)
}

// Keys that a collation takes for one are different keys.
func keys(t *testing.T, s *store) {
	t.Helper()
	inbox := s.inbox(t)
	all := []string{"a", "A", "a ", "a  ", "a\t", "á", "e\u0301", "é", "ss", "ß", `a'`, `a\`, `a\'`, `a"`, "a%", "a?", "$1", "😀", "😁"}
	for i, key := range all {
		claim := hold(t, inbox, key)
		if i%2 == 0 {
			require.NoError(t, inbox.Complete(t.Context(), claim))
		}
	}
	for i, key := range all {
		want := intram.ClaimDone
		if i%2 == 1 {
			want = intram.ClaimBusy
		}
		assert.Equal(t, want, state(t, inbox, key), "%q", key)
	}
}

func pending(t *testing.T, s *store) {
	t.Helper()
	ctx := t.Context()
	inbox, other := s.inbox(t), s.inbox(t)
	at := time.Date(2026, 3, 29, 1, 30, 0, 987654000, time.UTC) // an hour that some zones do not have
	kept := []intram.PendingOperation{
		{ID: "op_1", CreatedAt: at, Since: at.Add(time.Hour), Told: []intram.EventType{"payout.queued", `é'\`}},
		{ID: "OP_1"},
	}
	require.NoError(t, inbox.KeepPending(ctx, "acme/live", kept, nil))
	require.NoError(t, inbox.KeepPending(ctx, "ACME/live", kept[:1], nil))
	require.NoError(t, inbox.KeepPending(ctx, "acme/live", kept, []string{"op_2"}))
	n, err := other.CountPending(ctx, "acme/live")
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	before, err := other.PendingBefore(ctx, "acme/live", at.Add(time.Microsecond), 5)
	require.NoError(t, err)
	assert.Equal(t, []intram.PendingOperation{kept[1], kept[0]}, before)
	among, err := other.PendingAmong(ctx, "acme/live", []string{"op_1", "op_1", "op_3"})
	require.NoError(t, err)
	assert.Equal(t, kept[:1], among)
	cursor := intram.ReconcileCursor{Until: at, Before: at.Add(-time.Hour)}
	for range 2 {
		require.NoError(t, inbox.SaveCursor(ctx, "acme/live", cursor))
	}
	got, err := other.Cursor(ctx, "acme/live")
	require.NoError(t, err)
	assert.Equal(t, cursor, got)
}
