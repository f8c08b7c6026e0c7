// Package sqlinbox provides an intram.Inbox over database/sql: in SQLite, which is a file
// and needs no server, in MySQL 8 or MariaDB, and in PostgreSQL.
//
// A receiver that is one process, or several on one machine:
//
//	inbox, err := sqlinbox.OpenSQLite("intram.db")
//	defer inbox.Close()
//	handler := intram.NewWebhookHandler(verifier, inbox, receive)
//
// Several machines share the database of the merchant, through its own *sql.DB:
//
//	db, err := sql.Open("mysql", dsn)
//	err = sqlinbox.Migrate(ctx, db, sqlinbox.MySQL)
//	inbox, err := sqlinbox.New(db, sqlinbox.MySQL)
//	handler := intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
//		func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
//			_, err := tx.ExecContext(ctx, "INSERT INTO news (operation_id, event) VALUES (?, ?)", event.OperationID, event.Type)
//			return err
//		}))
//
// Events arrive out of order: a function that keeps the state of a payout uses
// intram.EventOrder, as in the example of [Inbox.InTx]. [Inbox.Transactional] does the
// same for an intram.EventRouter.
//
// With [Inbox.InTx] your writes and the record that the event took effect are one
// transaction: both are committed, or neither, wherever the machine fails. Without it the
// inbox still lets one replica at a time handle an event, and remembers which took
// effect.
//
// # Drivers
//
// The package links modernc.org/sqlite and no other driver: import yours. The settings of
// a DSN may be any: time zones, parseTime, clientFoundRows, interpolateParams, charset
// and sql_mode of go-sql-driver/mysql, binary_parameters of lib/pq, the simple protocol
// of pgx, autocommit and isolation levels.
//
// # Time
//
// Leases use the clock of the database, never a replica's; SQLite's is that of its
// machine. If that clock is set back, a lease lasts its full length from then on, and no
// longer. If it is set forward, a lease ends early: two replicas may then handle one
// event, and one of them cannot complete it.
//
// # Durability
//
// An acknowledged event must stay recorded: leave synchronous_commit on in PostgreSQL,
// innodb_flush_log_at_trx_commit = 1 and sync_binlog = 1 in MySQL, and fail over only to
// a replica that has every committed transaction. A server that was demoted refuses to
// write: rejectReadOnly=true of go-sql-driver/mysql, and target_session_attrs=read-write
// of pgx, leave it for the new one.
package sqlinbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	intram "github.com/intram/intram-go"
)

// Errors of this package. Test for them with errors.Is.
var (
	// ErrDialect: the dialect is none of the package's, or not that of the database.
	ErrDialect = errors.New("sqlinbox: wrong dialect")
	// ErrDiskFull: the database has no room on its disk. Nothing was stored.
	ErrDiskFull = errors.New("the disk of the database is full")
	// ErrNotDatabase: the file that [OpenSQLite] was given is not a database of SQLite.
	ErrNotDatabase = errors.New("the file is not a SQLite database")
	// ErrNoClaim: a function made by [Inbox.InTx] was not called by intram's webhook
	// handler or reconciler.
	ErrNoClaim = errors.New("sqlinbox: no claim in the context: let intram.NewWebhookHandler or intram.NewReconciler call the function")
	// ErrNoTransaction: [Tx] was given a context that [Inbox.Transactional] did not make.
	ErrNoTransaction = errors.New("sqlinbox: no transaction in the context: wrap the function in Inbox.Transactional")
	// ErrTransactionEnded: the transaction of [Inbox.InTx] had ended before the event was
	// completed in it.
	ErrTransactionEnded = errors.New("sqlinbox: the transaction ended inside the function: it dropped the error of a deadlock, " +
		"committed or rolled back, or ran a statement that commits, such as CREATE TABLE")
)

var errNilDB = errors.New("sqlinbox: the *sql.DB is nil")

// Inbox is an intram.Inbox in a database. It is safe for concurrent use.
type Inbox struct {
	db        *sql.DB
	dialect   *dialect
	retention time.Duration
	own       bool // the database was opened by OpenSQLite

	claimSQL, lookSQL, shortenSQL, takeOverSQL, completeSQL, releaseSQL string

	checked  atomic.Bool // the database speaks the dialect
	explicit atomic.Bool // only a transaction is committed: autocommit is off
}

// Option is a setting of [New] and [OpenSQLite].
type Option func(*Inbox)

// WithRetention sets how long the inbox remembers events that took effect. The default
// and the minimum is intram.InboxRetention (72 h). [Inbox.Prune] keeps them at least as
// long, and intram.Reconciler may look back as far. Use the same value everywhere the
// database is used. Events that were pruned before you raised it are forgotten, and would
// take effect again: let [intram.Reconciler.Run] look back no further than before until
// the inbox has remembered for the new time.
func WithRetention(d time.Duration) Option { return func(in *Inbox) { in.retention = d } }

// Horizon implements intram.InboxHorizon.
func (in *Inbox) Horizon() time.Duration { return in.retention }

// New returns an inbox on a migrated database; see [Migrate]. It finds its tables in the
// database that the connections name, in PostgreSQL through their search_path. At its
// first use the inbox checks that the database speaks the dialect. Errors: [ErrDialect].
//
// Give the inbox its own pool. If the merchant's function uses the same one, a burst of
// deliveries fills it with functions, and claims and completions must wait for them.
func New(db *sql.DB, d Dialect, opts ...Option) (*Inbox, error) {
	if db == nil {
		return nil, errNilDB
	}
	def, err := d.definition()
	if err != nil {
		return nil, err
	}
	in := &Inbox{
		db: db, dialect: def, retention: intram.InboxRetention,
		claimSQL: def.sql(claimSQL + def.unlessThere), lookSQL: def.sql(lookSQL), shortenSQL: def.sql(shortenSQL),
		takeOverSQL: def.sql(takeOverSQL), completeSQL: def.sql(completeSQL), releaseSQL: def.sql(releaseSQL),
	}
	for _, opt := range opts {
		if opt != nil {
			opt(in)
		}
	}
	if in.retention < intram.InboxRetention {
		return nil, fmt.Errorf("sqlinbox: WithRetention: %v is less than %v", in.retention, intram.InboxRetention)
	}
	return in, nil
}

// DB returns the database of the inbox, such as the one that [OpenSQLite] opened, for
// tables of yours that a function of [Inbox.InTx] writes to.
func (in *Inbox) DB() *sql.DB { return in.db }

// Close closes the database that [OpenSQLite] opened. It leaves open one that was given
// to [New].
func (in *Inbox) Close() error {
	if !in.own {
		return nil
	}
	return in.db.Close()
}

const (
	// claimSQL claims a key that is new; the dialect says what becomes of one that is
	// not.
	claimSQL = `
INSERT INTO intram_sqlinbox (event_key, token, lease_us, leased_until_us, note, writes)
VALUES (?, ?, ?, {now} + ?, '', 1) `

	lookSQL = `
SELECT token, completed_us IS NOT NULL, leased_until_us - {now}, lease_us, note FROM intram_sqlinbox WHERE event_key = ?`

	// shortenSQL limits a lease to its own length from now, after the clock was set back.
	shortenSQL = `
UPDATE intram_sqlinbox SET leased_until_us = {now} + lease_us, writes = writes + 1
WHERE event_key = ? AND token = ? AND completed_us IS NULL AND leased_until_us > {now} + lease_us`

	// takeOverSQL claims a key whose lease was seen to be over, if it is still the same
	// one.
	takeOverSQL = `
UPDATE intram_sqlinbox SET token = ?, lease_us = ?, leased_until_us = {now} + ?, writes = writes + 1
WHERE event_key = ? AND token = ? AND completed_us IS NULL AND leased_until_us <= {now}`

	// completeSQL sets the note first: MySQL's next assignment sees the new value of the
	// column before it.
	completeSQL = `
UPDATE intram_sqlinbox SET note = CASE WHEN completed_us IS NULL THEN ? ELSE note END,
	completed_us = coalesce(completed_us, {now}), writes = writes + 1
WHERE event_key = ? AND token = ?`

	releaseSQL = `DELETE FROM intram_sqlinbox WHERE event_key = ? AND token = ? AND completed_us IS NULL`
)

// Claim implements intram.Inbox.
func (in *Inbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	if err := intram.CheckClaim(key, lease); err != nil {
		return intram.Claim{}, err
	}
	claim, err := in.claim(ctx, key, max(lease.Microseconds(), 1))
	if err != nil {
		return intram.Claim{}, in.dialect.failed("claim", err)
	}
	return claim, nil
}

func (in *Inbox) claim(ctx context.Context, key string, lease int64) (intram.Claim, error) {
	if err := in.dialect.fits("key", key); err != nil {
		return intram.Claim{}, err
	}
	if err := in.check(ctx); err != nil {
		return intram.Claim{}, err
	}
	held := intram.Claim{Key: key, State: intram.ClaimHeld, Token: newToken()}
	for {
		written, err := in.exec(ctx, in.claimSQL, key, held.Token, lease, lease)
		if err != nil {
			return intram.Claim{}, err
		}
		if written == 1 {
			return held, nil
		}
		seen, err := in.look(ctx, key)
		if err != nil {
			return intram.Claim{}, err
		}
		switch {
		case seen == nil: // it was released, or pruned, in the meantime
			continue
		case seen.done:
			return intram.Claim{Key: key, State: intram.ClaimDone, Note: seen.note}, nil
		case seen.token == held.Token: // the reply to the statement that claimed it was lost
			return held, nil
		case seen.left > 0:
			return intram.Claim{Key: key, State: intram.ClaimBusy, RetryIn: time.Duration(seen.left) * time.Microsecond}, nil
		}
		taken, err := in.exec(ctx, in.takeOverSQL, held.Token, lease, lease, key, seen.token)
		if err != nil {
			return intram.Claim{}, err
		}
		if taken > 0 {
			return held, nil
		}
	}
}

// row is what the inbox has of a key.
type row struct {
	token       string
	done        bool
	left, lease int64 // in microseconds
	note        string
}

// look returns what is stored of a key, or nil.
func (in *Inbox) look(ctx context.Context, key string) (*row, error) {
	seen, err := in.read(ctx, key)
	if err == nil && seen != nil && !seen.done && seen.left > seen.lease {
		if _, err = in.exec(ctx, in.shortenSQL, key, seen.token); err == nil {
			seen, err = in.read(ctx, key)
		}
	}
	if seen != nil {
		seen.left = min(seen.left, seen.lease) // the clock may have been set back again
	}
	return seen, err
}

func (in *Inbox) read(ctx context.Context, key string) (*row, error) {
	var seen row
	err := in.do(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, in.lookSQL, key).Scan(&seen.token, &seen.done, &seen.left, &seen.lease, &seen.note)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is no such row, which is no error
	}
	return &seen, err
}

// Complete implements intram.Inbox.
func (in *Inbox) Complete(ctx context.Context, claim intram.Claim) error {
	return in.end(ctx, "complete", in.completeSQL, claim.Note, claim.Key, claim.Token)
}

// Release implements intram.Inbox.
func (in *Inbox) Release(ctx context.Context, claim intram.Claim) error {
	return in.end(ctx, "release", in.releaseSQL, claim.Key, claim.Token)
}

func (in *Inbox) end(ctx context.Context, what, statement string, args ...any) error {
	err := in.check(ctx)
	var found int64
	if err == nil {
		found, err = in.exec(ctx, statement, args...)
	}
	switch {
	case err != nil:
		return in.dialect.failed(what, err)
	case found == 0:
		return intram.ErrLeaseLost
	}
	return nil
}
