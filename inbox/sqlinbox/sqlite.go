package sqlinbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// sqliteSettings are those of each connection. A writer of another process is waited for,
// up to 10 s or the end of the context, as long as a function of the webhook handler may
// take. A commit is on the disk before it is confirmed. A transaction of InTx is a
// writer's from its beginning on: one that began by reading could not become one once
// another had written.
var sqliteSettings = url.Values{
	"_txlock": {"immediate"},
	"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
}

// OpenSQLite opens the database file at path, creates it if there is none, and brings its
// tables up to date. [Inbox.Close] closes it. It is the inbox of a receiver that is one
// process, or several on one machine: what took effect stays recorded when they end.
//
// A new file can be read and written by its owner only. Beside it are a file -wal and a
// file -shm while it is open: copy or move all three, or none. The file must be on a disk
// of this machine: the locks of network file systems do not hold.
//
// The database has one connection ([Inbox.DB]), since SQLite has one writer at a time. A
// function of [Inbox.InTx] must use its transaction alone: the connection is taken. Other
// processes can open the same file, in this way or in another.
//
// Errors: [ErrNotDatabase], [ErrDiskFull]; an empty path, ":memory:" and URIs are
// refused: use intram.MemoryInbox for what is to be forgotten.
func OpenSQLite(path string, opts ...Option) (*Inbox, error) {
	in, err := openSQLite(path, opts)
	if err != nil {
		return nil, dialects[SQLite].failed("open", err)
	}
	return in, nil
}

func openSQLite(path string, opts []Option) (*Inbox, error) {
	switch {
	case path == "" || path == ":memory:":
		return nil, errors.New("the path names no file: for an inbox that forgets everything use intram.MemoryInbox")
	case strings.HasPrefix(path, "file:"):
		return nil, errors.New("the path is a URI: give the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// SQLite would create it readable for everybody. Its other files get its permissions.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the caller's
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	in, err := New(db, SQLite, opts...)
	if err == nil {
		err = patiently(func() error { return dialects[SQLite].migrate(context.Background(), db) })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	in.own = true
	in.checked.Store(true)
	return in, nil
}

// patiently opens a file that others open for the first time too, or for the last: while
// the file changes its journal, SQLite fails at once instead of waiting.
func patiently(open func() error) (err error) {
	for wait := time.Millisecond; wait < longestWait; wait *= 2 {
		if err = open(); !dialects[SQLite].conflicts(err) {
			break
		}
		pause(wait)
	}
	return err
}

// longestWait is what doubles up to it: 8 s in all.
const longestWait = 8 * time.Second

// dataSource returns the URI of a file, whatever characters its path has.
func dataSource(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	address := url.URL{Scheme: "file", Path: path, RawQuery: sqliteSettings.Encode()}
	return address.String()
}
