// Package intramriver makes payouts, refunds and payment requests from any number of
// machines, on River and the PostgreSQL that the merchant has already.
//
//	work, err := intramriver.New(client, intramriver.Config{Pool: pool, OnEnd: …})
//	err = work.Register(workers) // of your own River client, with the queues of work.Queues
//
//	tx, err := pool.Begin(ctx)   // the order and its payout are one transaction
//	_, err = work.PayoutTx(ctx, tx, intram.PayoutParams{…, Reference: "SAL-2026-W48-017"})
//	err = tx.Commit(ctx)
//
// A record of each call is never deleted: a reference is paid once. River's jobs send
// it, repeat it while its result is not known, and one sweep learns how operations ended.
// README.md shows the states of a record.
//
// # Who may do what twice
//
// Any job may run twice, on two machines at once. The two have the same idempotency key,
// so the API executes one; each change of a record's state names the states that it
// starts from, so one of the two makes it.
//
// # Time
//
// The age of an intent begins with the database's clock or this machine's, whichever is
// behind; package intram refuses to send what is too old by this machine's clock and the
// server's. A process that was suspended between the two sends nothing.
package intramriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	intram "github.com/intram/intram-go"
)

// Defaults of [Config].
const (
	DefaultMerchant = "default"
	DefaultQueue    = "intram"
)

// Config is what [New] makes a [Work] of.
type Config struct {
	// Pool is the database of the records and of River. Required. Jobs and the sweep use
	// it; the functions that end in Tx use the transaction that they are given.
	Pool *pgxpool.Pool
	// Merchant is your own id of whose calls these are, at most 100 bytes: several
	// merchants share one database, and their references do not meet. The default is
	// [DefaultMerchant]. It must never change.
	Merchant string
	// OnEnd is called in the transaction that ends a record: what it writes through tx
	// and the end are committed together, once. An error or a panic rolls both back, and
	// River tries again; other records do not wait. It is called once for each end that a
	// record comes to: once for most, and again for a bank payout that was queued for
	// settlement and then settled, or that was returned later. It must not commit or roll
	// back itself, and is best short. Optional.
	OnEnd func(ctx context.Context, tx pgx.Tx, end End) error
	// OnEvent lets an event take effect, in a job and in the transaction of its
	// completion, which [Tx] returns: an intram.EventRouter's Handle, say. It is called
	// once for each event, in any order, and after the event has ended its record. An
	// error or a panic rolls all of it back, and River tries again: 25 times within three
	// weeks. After that the event is dead: see [Work.Events] and [Work.Replay]. Its
	// errors are stored; put no personal data in them. Optional.
	OnEvent intram.EventHandler
	// Seal encrypts parameters, intents and the bodies of events at rest. Without it they
	// are stored as they are, names and phone numbers included.
	Seal Seal
	// Schema is where the tables of this package are, and RiverSchema where River's are:
	// the Schema of river.Config. Empty is the search_path of the connections.
	Schema, RiverSchema string
	// Queue is River's queue of the calls; the default is [DefaultQueue]. It is paused
	// when the API refuses all calls: merchants that share it then wait for each other.
	// The sweep has a queue of its own: see [Work.Queues].
	Queue string
	// Logger gets what a person should know: a paused queue, a record that needs a
	// person. The default is that of slog.
	Logger *slog.Logger
}

// Work makes the calls of one merchant in one environment. It is safe for concurrent use.
type Work struct {
	client      *intram.Client
	pool        *pgxpool.Pool
	river       *river.Client[pgx.Tx] // inserts jobs; the merchant's own client works them
	merchant    string
	environment string
	queue       string
	onEnd       func(ctx context.Context, tx pgx.Tx, end End) error
	onEvent     intram.EventHandler
	seal        Seal
	sealed      bool
	logger      *slog.Logger
	names       *strings.Replacer // what {…} stands for in statements
	lookBacks   lookBacks
	// The constants of the same names, but in tests.
	sweepEvery, sweepLease, stuckAfter time.Duration
	endTimeout                         func(operationID string) time.Duration
	// at is called between two steps by tests: an error stops the process there.
	at func(ctx context.Context, step string) error
}

// longestQueue leaves room for the name of the sweep's queue in River's 64 bytes.
const longestQueue = 50

var (
	queueName  = regexp.MustCompile(`^[a-z0-9]+(?:[_-]?[a-z0-9]+)*$`)
	schemaName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// New returns the work of a merchant on a migrated database; see [Migrate]. The
// environment is the client's. The error names what is wrong with the configuration;
// nothing is sent, and the database is not asked.
func New(client *intram.Client, config Config) (*Work, error) {
	c := config
	if c.Merchant == "" {
		c.Merchant = DefaultMerchant
	}
	if c.Queue == "" {
		c.Queue = DefaultQueue
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	switch {
	case client == nil:
		return nil, errors.New("intramriver: the client is nil")
	case c.Pool == nil:
		return nil, errors.New("intramriver: Config.Pool is nil: give the pool of the database that River uses")
	case len(c.Merchant) > longestName || !storable(c.Merchant):
		return nil, fmt.Errorf("intramriver: Config.Merchant must be at most %d bytes of UTF-8 without control characters", longestName)
	case len(c.Queue) > longestQueue || !queueName.MatchString(c.Queue):
		return nil, fmt.Errorf("intramriver: Config.Queue must be at most %d letters, digits, _ and -, in lower case", longestQueue)
	case c.Schema != "" && !schemaName.MatchString(c.Schema):
		return nil, errors.New("intramriver: Config.Schema must be letters, digits and _, and not begin with a digit")
	}
	inserter, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{Schema: c.RiverSchema, Logger: c.Logger})
	if err != nil {
		return nil, fmt.Errorf("intramriver: Config.RiverSchema: %w", err)
	}
	w := &Work{
		client: client, pool: c.Pool, river: inserter, merchant: c.Merchant, environment: string(client.Environment()),
		queue: c.Queue, onEnd: c.OnEnd, onEvent: c.OnEvent, seal: c.Seal, sealed: c.Seal != nil, logger: c.Logger, names: names(c.Schema, databaseNow),
		sweepEvery: sweepEvery, sweepLease: sweepLease, stuckAfter: stuckAfter, endTimeout: func(string) time.Duration { return endTimeout },
	}
	if w.seal == nil {
		w.seal = plain{}
	}
	return w, nil
}

// databaseNow is the database's clock when a statement begins. Unlike clock_timestamp, an
// index can be searched by it.
const databaseNow = "statement_timestamp()"

// names replaces the names of tables, and {now}, in statements. With a schema they do
// not depend on the search_path, which a pooler between may change.
func names(schema, now string) *strings.Replacer {
	if schema != "" {
		schema = pgx.Identifier{schema}.Sanitize() + "."
	}
	return strings.NewReplacer("{now}", now, "{", schema+"intram_", "}", "")
}

// sql is a statement with its names.
func (w *Work) sql(statement string) string { return w.names.Replace(statement) }

// step is called between two steps.
func (w *Work) step(ctx context.Context, name string) error {
	if w.at == nil {
		return nil
	}
	return w.at(ctx, name)
}
