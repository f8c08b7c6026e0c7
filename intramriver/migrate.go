package intramriver

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations as files in the folder migrations, for your own
// migration tool: 001_records.up.sql makes a step, 001_records.down.sql undoes it. Their
// names of tables have no schema: set the search_path. A released file never changes.
func Migrations() fs.FS { return migrations }

// migrationLock keeps two machines that start at once from migrating at once. The number
// is "intramri" in ASCII.
const migrationLock = 0x696e7472616d7269

// Migrate brings the tables of this package up to date, in a schema that it makes, or
// with "" in the first of the connection's search_path. River's own tables are
// rivermigrate's. Every machine may call it at every start: all steps are made in one
// transaction, or none, and nothing outlasts that transaction. The table
// intram_migrations records the steps that were made.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	all, err := steps()
	if err != nil {
		return err
	}
	return MigrateTo(ctx, pool, schema, all[len(all)-1].version)
}

// MigrateTo brings the tables to a version, forwards or backwards; 0 removes them, with
// all they hold. Go back only while no process of a later version runs.
func MigrateTo(ctx context.Context, pool *pgxpool.Pool, schema string, version int) error {
	if pool == nil {
		return errors.New("intramriver: migrate: the pool is nil")
	}
	all, err := steps()
	if err != nil {
		return err
	}
	if last := all[len(all)-1].version; version < 0 || version > last {
		return fmt.Errorf("intramriver: migrate: version must be 0 to %d", last)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if schema != "" {
			name := pgx.Identifier{schema}.Sanitize()
			if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+name); err != nil {
				return err
			}
		}
		return migrate(ctx, tx, all, version)
	})
	if err != nil {
		return fmt.Errorf("intramriver: migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, tx pgx.Tx, all []step, version int) error {
	if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS intram_migrations (
		version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`); err != nil {
		return err
	}
	for _, s := range all {
		if s.version > version {
			break
		}
		if err := s.forwards(ctx, tx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, s := range slices.Backward(all) {
		if s.version <= version {
			break
		}
		if err := s.backwards(ctx, tx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// step is a migration: its name without .up.sql and .down.sql.
type step struct {
	version int
	name    string
}

func steps() ([]step, error) {
	files, err := fs.Glob(migrations, "migrations/*.up.sql") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("intramriver: migrate: %w", err)
	}
	all := make([]step, 0, len(files))
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".up.sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("intramriver: migrate: %s has no number", file)
		}
		all = append(all, step{version, name})
	}
	return all, nil
}

func (s step) forwards(ctx context.Context, tx pgx.Tx) error {
	noted, err := tx.Exec(ctx, "INSERT INTO intram_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING", s.version)
	if err != nil || noted.RowsAffected() == 0 {
		return err
	}
	return s.run(ctx, tx, ".up.sql")
}

func (s step) backwards(ctx context.Context, tx pgx.Tx) error {
	noted, err := tx.Exec(ctx, "DELETE FROM intram_migrations WHERE version = $1", s.version)
	if err != nil || noted.RowsAffected() == 0 {
		return err
	}
	return s.run(ctx, tx, ".down.sql")
}

func (s step) run(ctx context.Context, tx pgx.Tx, suffix string) error {
	sql, err := fs.ReadFile(migrations, "migrations/"+s.name+suffix)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, string(sql))
	return err
}
