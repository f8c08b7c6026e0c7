package sqlinbox_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
)

func TestAnInboxInAFileRemembersOverARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "intram.db")
	inbox, err := sqlinbox.OpenSQLite(path, sqlinbox.WithRetention(100*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 100*time.Hour, inbox.Horizon())
	require.NoError(t, inbox.Complete(t.Context(), hold(t, inbox, "done")))
	hold(t, inbox, "held")
	require.NoError(t, inbox.Close())
	_, err = inbox.Claim(t.Context(), "new", time.Minute)
	require.ErrorContains(t, err, "database is closed")

	again, err := sqlinbox.OpenSQLite(path)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, state(t, again, "done"))
	assert.Equal(t, intram.ClaimBusy, state(t, again, "held"))
	require.NoError(t, again.Close())
	assert.NoFileExists(t, path+"-wal", "closed properly, it is one file")
}

func TestTheFileIsReadableByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has no such permissions
	}
	path := filepath.Join(t.TempDir(), "intram.db")
	inbox, err := sqlinbox.OpenSQLite(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, inbox.Close()) }()
	hold(t, inbox, "key")
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestAPathMayHaveAnyCharacters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := "a b?mode=memory&x=%41#é'.db"
	if runtime.GOOS == "windows" {
		name = "a b&x=%41#é'.db"
	}
	inbox, err := sqlinbox.OpenSQLite(filepath.Join(dir, name))
	require.NoError(t, err)
	hold(t, inbox, "key")
	require.NoError(t, inbox.Close())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.Equal(t, name, files[0].Name())
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		"":                                "intram.MemoryInbox",
		":memory:":                        "intram.MemoryInbox",
		"file::memory:?cache=shared":      "give the path of a file",
		"file:" + dir + "/x.db":           "give the path of a file",
		dir:                               dir,
		filepath.Join(dir, "no", "in.db"): filepath.Join(dir, "no"),
	} {
		_, err := sqlinbox.OpenSQLite(path)
		require.ErrorContains(t, err, want, path)
		require.ErrorContains(t, err, "sqlinbox: open: ", path)
	}
	_, err := sqlinbox.OpenSQLite(filepath.Join(dir, "in.db"), sqlinbox.WithRetention(time.Hour))
	require.ErrorContains(t, err, "WithRetention")
}

func TestAFileThatIsNoDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.txt")
	text := strings.Repeat("These are my notes. ", 100)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	_, err := sqlinbox.OpenSQLite(path)
	require.ErrorIs(t, err, sqlinbox.ErrNotDatabase)
	require.ErrorContains(t, err, path)
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, string(left), "untouched")
}

// A database that may grow no further fails as one does whose disk is full.
func TestAFullDiskIsNamedAndLosesNothing(t *testing.T) {
	t.Parallel()
	inbox, err := sqlinbox.OpenSQLite(filepath.Join(t.TempDir(), "intram.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, inbox.Close()) }()
	done := hold(t, inbox, "done")
	require.NoError(t, inbox.Complete(t.Context(), done))
	held := hold(t, inbox, "held")

	var pages int
	require.NoError(t, inbox.DB().QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	_, err = inbox.DB().ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	require.NoError(t, err)
	for i := 0; err == nil; i++ {
		require.Less(t, i, 1000, "the disk is never full")
		_, err = inbox.Claim(t.Context(), fmt.Sprintf("%0200d", i), time.Minute)
	}
	require.ErrorIs(t, err, sqlinbox.ErrDiskFull)
	require.ErrorContains(t, err, "sqlinbox: claim: the disk of the database is full")
	assert.Equal(t, intram.ClaimDone, state(t, inbox, "done"))

	_, err = inbox.DB().ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages+1000))
	require.NoError(t, err)
	require.NoError(t, inbox.Complete(t.Context(), held))
	hold(t, inbox, "new")
}

// What was confirmed is on the disk, and a writer of another process is waited for.
func TestTheSettingsOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "intram.db")
	db, err := sql.Open("sqlite", strings.Replace(durable, "/intram.db", filepath.ToSlash(path), 1))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "busy_timeout": "10000", "foreign_keys": "1"} {
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	other, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=busy_timeout(1)")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	_, err = other.ExecContext(t.Context(), "CREATE TABLE x (y)")
	require.ErrorContains(t, err, "SQLITE_BUSY", "a transaction is a writer's from its beginning on")
}

// Several replicas open a file that is not there yet.
func TestAFileIsOpenedForTheFirstTimeByManyAtOnce(t *testing.T) {
	t.Parallel()
	for range 40 {
		path := filepath.Join(t.TempDir(), "intram.db")
		var work sync.WaitGroup
		var held sync.Map
		for i := range 8 {
			work.Go(func() {
				inbox, err := sqlinbox.OpenSQLite(path)
				if !assert.NoError(t, err) {
					return
				}
				claim, err := inbox.Claim(t.Context(), "key", time.Minute)
				assert.NoError(t, err)
				if claim.State == intram.ClaimHeld {
					held.Store(i, true)
				}
				assert.NoError(t, inbox.Close())
			})
		}
		work.Wait()
		holders := 0
		held.Range(func(any, any) bool { holders++; return true })
		assert.Equal(t, 1, holders)
	}
}

// The end of its context ends a claim that waits for the writer of another process.
func TestAClaimDoesNotWaitLongerThanItsContext(t *testing.T) {
	t.Parallel()
	s := setups["SQLite"].migrated(t)
	inbox, rival := s.inbox(t), s.inbox(t)
	tx, err := rival.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	ctx, cancel := contextWithTimeout(t, 50*time.Millisecond)
	defer cancel()
	_, err = inbox.Claim(ctx, "key", time.Minute)
	require.ErrorIs(t, err, ctx.Err())
	require.NoError(t, tx.Rollback())
	hold(t, inbox, "key")
}
