package pginbox

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations as files in the folder migrations, for your own
// migration tool. Each is one step, named by its number, and never changes once released.
func Migrations() fs.FS { return migrations }

// migrationLock keeps two replicas that start at once from migrating at once. The number
// is "intram" in ASCII.
const migrationLock = 0x696e7472616d

// Migrate brings the inbox's tables up to date, in the first schema of the connection's
// search_path. Every replica may call it at every start: all steps are made in one
// transaction, or none. The table intram_inbox_migrations records the steps that were
// made.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if pool == nil {
		return errNilPool
	}
	steps, err := fs.ReadDir(migrations, "migrations") // sorted by name
	if err != nil {
		return fmt.Errorf("pginbox: migrate: %w", err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS intram_inbox_migrations (
			version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`); err != nil {
			return err
		}
		for _, step := range steps {
			if err := apply(ctx, tx, step.Name()); err != nil {
				return fmt.Errorf("%s: %w", step.Name(), err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("pginbox: migrate: %w", err)
	}
	return nil
}

// apply makes one step, unless it was made before.
func apply(ctx context.Context, tx pgx.Tx, name string) error {
	number, _, _ := strings.Cut(name, "_")
	version, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	noted, err := tx.Exec(ctx, "INSERT INTO intram_inbox_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING", version)
	if err != nil || noted.RowsAffected() == 0 {
		return err
	}
	sql, err := fs.ReadFile(migrations, "migrations/"+name)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, string(sql))
	return err
}
