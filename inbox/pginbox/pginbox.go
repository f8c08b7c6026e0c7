// Package pginbox provides an intram.Inbox in PostgreSQL, shared by all replicas of a
// webhook receiver.
//
//	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
//	err = pginbox.Migrate(ctx, pool)
//	inbox, err := pginbox.New(pool)
//	handler := intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
//		func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
//			_, err := tx.Exec(ctx, "INSERT INTO news (operation_id, event) VALUES ($1, $2)", event.OperationID, event.Type)
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
// # Time
//
// Leases use the clock of the database server, never a replica's. If that clock is set
// back, a lease lasts its full length from then on, and no longer. If it is set forward,
// a lease ends early: two replicas may then handle one event, and one of them cannot
// complete it.
//
// # Durability
//
// An acknowledged event must stay recorded: leave synchronous_commit on, and fail over
// only to a replica that has every committed transaction.
package pginbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	intram "github.com/intram/intram-go"
)

var errNilPool = errors.New("pginbox: the pool is nil")

// Errors of this package. Test for them with errors.Is.
var (
	// ErrNoClaim: a function made by [Inbox.InTx] was not called by intram's webhook
	// handler or reconciler.
	ErrNoClaim = errors.New("pginbox: no claim in the context: let intram.NewWebhookHandler or intram.NewReconciler call the function")
	// ErrNoTransaction: [Tx] was given a context that [Inbox.Transactional] did not make.
	ErrNoTransaction = errors.New("pginbox: no transaction in the context: wrap the function in Inbox.Transactional")
)

// Inbox is an intram.Inbox in PostgreSQL. It is safe for concurrent use.
type Inbox struct {
	pool      *pgxpool.Pool
	retention time.Duration
}

// Option is a setting of [New].
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

// New returns an inbox on a migrated database; see [Migrate]. It finds the table through
// the search_path of the pool's connections.
//
// Give the inbox its own pool. If the merchant's function uses the same one, a burst of
// deliveries fills it with functions, and claims and completions must wait for them.
func New(pool *pgxpool.Pool, opts ...Option) (*Inbox, error) {
	if pool == nil {
		return nil, errNilPool
	}
	in := &Inbox{pool: pool, retention: intram.InboxRetention}
	for _, opt := range opts {
		if opt != nil {
			opt(in)
		}
	}
	if in.retention < intram.InboxRetention {
		return nil, fmt.Errorf("pginbox: WithRetention: %v is less than %v", in.retention, intram.InboxRetention)
	}
	return in, nil
}

const (
	// claimSQL claims a key that is new, whose lease has expired, or that this claim
	// already holds: the reply to the first try was lost.
	claimSQL = `
INSERT INTO intram_inbox AS held (key, token, lease, leased_until)
VALUES ($1, $2, $3::interval, clock_timestamp() + $3::interval)
ON CONFLICT (key) DO UPDATE
SET token = excluded.token, lease = excluded.lease, leased_until = excluded.leased_until
WHERE held.completed_at IS NULL AND (held.leased_until <= clock_timestamp() OR held.token = excluded.token)`

	// lookSQL returns why a key could not be claimed.
	lookSQL = `
SELECT completed_at IS NOT NULL, leased_until - clock_timestamp(), leased_until > clock_timestamp() + lease, note
FROM intram_inbox WHERE key = $1`

	// shortenSQL limits a lease to its own length from now, after the clock was set back.
	shortenSQL = `
UPDATE intram_inbox SET leased_until = clock_timestamp() + lease
WHERE key = $1 AND completed_at IS NULL AND leased_until > clock_timestamp() + lease`

	completeSQL = `
UPDATE intram_inbox SET note = CASE WHEN completed_at IS NULL THEN $3 ELSE note END,
	completed_at = coalesce(completed_at, clock_timestamp())
WHERE key = $1 AND token = $2`

	releaseSQL = `DELETE FROM intram_inbox WHERE key = $1 AND token = $2 AND completed_at IS NULL`
)

// Claim implements intram.Inbox.
func (in *Inbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	if err := intram.CheckClaim(key, lease); err != nil {
		return intram.Claim{}, err
	}
	token := newToken()
	for {
		claimed, err := in.exec(ctx, claimSQL, key, token, lease)
		if err != nil {
			return intram.Claim{}, fmt.Errorf("pginbox: claim: %w", err)
		}
		if claimed {
			return intram.Claim{Key: key, State: intram.ClaimHeld, Token: token}, nil
		}
		claim, err := in.look(ctx, key)
		if !errors.Is(err, errGone) {
			return claim, err
		}
	}
}

// errGone: between the two statements of a claim the other claim ended, so the key can be
// claimed.
var errGone = errors.New("pginbox: the claim is gone")

// look returns the state of a key that could not be claimed.
func (in *Inbox) look(ctx context.Context, key string) (intram.Claim, error) {
	claim := intram.Claim{Key: key}
	var (
		done, tooLong bool
		left          time.Duration
		note          string
	)
	err := in.pool.QueryRow(ctx, lookSQL, key).Scan(&done, &left, &tooLong, &note)
	if err == nil && tooLong && !done {
		if _, err = in.exec(ctx, shortenSQL, key); err == nil {
			err = in.pool.QueryRow(ctx, lookSQL, key).Scan(&done, &left, &tooLong, &note)
		}
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return intram.Claim{}, errGone
	case err != nil:
		return intram.Claim{}, fmt.Errorf("pginbox: claim: %w", err)
	case done:
		claim.State, claim.Note = intram.ClaimDone, note
	case left <= 0:
		return intram.Claim{}, errGone
	default:
		claim.State, claim.RetryIn = intram.ClaimBusy, left
	}
	return claim, nil
}

// Complete implements intram.Inbox.
func (in *Inbox) Complete(ctx context.Context, claim intram.Claim) error {
	return in.end(ctx, "complete", completeSQL, claim.Key, claim.Token, claim.Note)
}

// Release implements intram.Inbox.
func (in *Inbox) Release(ctx context.Context, claim intram.Claim) error {
	return in.end(ctx, "release", releaseSQL, claim.Key, claim.Token)
}

func (in *Inbox) end(ctx context.Context, what, sql string, args ...any) error {
	mine, err := in.exec(ctx, sql, args...)
	switch {
	case err != nil:
		return fmt.Errorf("pginbox: %s: %w", what, err)
	case !mine:
		return intram.ErrLeaseLost
	}
	return nil
}

// exec runs a statement and reports whether it found its row. A connection that the
// server has closed fails only when it is used. So a statement that failed with its
// connection is sent again, over other connections of the pool; all of them may be
// closed. The token identifies a claim or a completion that the first try made.
func (in *Inbox) exec(ctx context.Context, sql string, args ...any) (found bool, err error) {
	for range 3 {
		var tag pgconn.CommandTag
		tag, err = in.pool.Exec(ctx, sql, args...)
		if err == nil {
			return tag.RowsAffected() > 0, nil
		}
		if ctx.Err() != nil || !connectionLost(err) {
			break
		}
	}
	return false, err
}

// connectionLost reports whether the statement failed because its connection did. Class
// 57P is a server that stops or starts.
func connectionLost(err error) bool {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(answer.Code, "57P")
	}
	return true
}
