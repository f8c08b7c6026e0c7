package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
)

// databaseURL is the variable that names a database, as for the command intram.
const databaseURL = "INTRAM_DATABASE_URL"

// tables are the merchant's own.
const tables = `
CREATE TABLE orders (
	id           text PRIMARY KEY,
	item         text NOT NULL,
	amount       bigint NOT NULL,
	state        text NOT NULL DEFAULT 'open', -- open, paid, failed, refund_due, refunded, for_a_person
	operation_id text UNIQUE,
	checkout_url text,
	transaction  text,
	progress     jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE salaries (
	reference text PRIMARY KEY,
	employee  text NOT NULL,
	amount    bigint NOT NULL,
	state     text NOT NULL DEFAULT 'planned'
);
CREATE TABLE books (
	id        text PRIMARY KEY, -- what the API calls it: the operation
	reference text NOT NULL,    -- what the merchant calls it
	amount    bigint NOT NULL   -- what came in, or went out when negative
)`

// database is a schema of the example's own.
type database struct {
	address string // of the schema
	server  pgtest.Shared
	named   string // the address of the server, if it is not a private one
	schema  string
}

// openDatabase starts a private PostgreSQL, unless there is a named one, and makes the
// tables of River, of intramriver and of the merchant.
func openDatabase(ctx context.Context) (*database, error) {
	db := &database{server: pgtest.Shared{Apart: true}, named: os.Getenv(databaseURL), schema: "intram_example_" + strings.ToLower(rand.Text()[:8])}
	server := db.named
	if server == "" {
		var err error
		server, err = db.server.Open() // as the user postgres if this is root
		if errors.Is(err, pgtest.ErrMissing) {
			return nil, fmt.Errorf("%w: there is no PostgreSQL on this machine; install it, or name a database with %s", errNoDatabase, databaseURL)
		}
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL does not start: %w", err)
		}
	}
	db.address = withSearchPath(server, db.schema)
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

var errNoDatabase = errors.New("no database")

// withSearchPath adds a search_path to an address, which is a URL or a list of
// key=value.
func withSearchPath(address, schema string) string {
	switch {
	case !strings.Contains(address, "://"):
		return address + " search_path=" + schema
	case strings.Contains(address, "?"):
		return address + "&search_path=" + url.QueryEscape(schema)
	}
	return address + "?search_path=" + url.QueryEscape(schema)
}

func (db *database) migrate(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, db.address)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CREATE SCHEMA "+db.schema); err != nil {
		return fmt.Errorf("the database of %s: %w", databaseURL, err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: logger()})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if err := intramriver.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, tables)
	return err
}

// close removes the private server, or the schema of the named one.
func (db *database) close() error {
	if db.named == "" {
		db.server.Stop()
		return nil
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, db.address)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+db.schema+" CASCADE")
	return errors.Join(err, conn.Close(ctx))
}
