package sqlinbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the migrations of a dialect as files, for your own migration tool.
// Each is one step, named by its number, and never changes once released. They are also
// in the module's folder migrations. Errors: [ErrDialect].
func Migrations(d Dialect) (fs.FS, error) {
	def, err := d.definition()
	if err != nil {
		return nil, err
	}
	return fs.Sub(migrations, "migrations/"+def.dir)
}

// Migrate brings the inbox's tables up to date, in the database that the connections
// name, in PostgreSQL in the first schema of their search_path. Every replica may call it
// at every start: one migrates, and the others wait. In PostgreSQL and SQLite all steps
// are made, or none. The table intram_sqlinbox_migrations records the steps that were
// made; those of a later version of this package stay. Errors: [ErrDialect].
//
// The account needs the right to create tables; [New] needs only to read and write them.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	if db == nil {
		return errNilDB
	}
	def, err := d.definition()
	if err != nil {
		return err
	}
	if err := def.migrate(ctx, db); err != nil {
		return def.failed("migrate", err)
	}
	return nil
}

func (d *dialect) migrate(ctx context.Context, db *sql.DB) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := d.ask(ctx, conn); err != nil {
		return err
	}
	if d.begin != "" {
		if _, err := conn.ExecContext(ctx, d.begin); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, d.finish(ctx, conn, err == nil)) }()
	if err := d.alone(ctx, conn); err != nil {
		return err
	}
	return d.steps(ctx, conn)
}

// alone waits until no other replica migrates.
func (d *dialect) alone(ctx context.Context, conn *sql.Conn) error {
	for held := d.lock == ""; !held; {
		var got sql.NullBool
		if err := conn.QueryRowContext(ctx, d.lock).Scan(&got); err != nil {
			return err
		}
		if !got.Valid {
			return errors.New("no database is chosen: name one in the DSN")
		}
		held = got.Bool
	}
	return nil
}

// finish ends the transaction and gives the lock back, also when the context has ended.
func (d *dialect) finish(ctx context.Context, conn *sql.Conn, commit bool) error {
	ctx = context.WithoutCancel(ctx)
	end := "ROLLBACK"
	if commit {
		end = "COMMIT"
	}
	_, err := conn.ExecContext(ctx, end)
	if d.unlock != "" {
		var released sql.NullBool
		err = errors.Join(err, conn.QueryRowContext(ctx, d.unlock).Scan(&released))
	}
	if !commit {
		return nil // what failed is told already
	}
	return err
}

func (d *dialect) steps(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS intram_sqlinbox_migrations (version integer NOT NULL PRIMARY KEY)")
	if err != nil {
		return err
	}
	dir := "migrations/" + d.dir
	files, err := fs.ReadDir(migrations, dir) // sorted by name
	if err != nil {
		return err
	}
	made, err := versions(conn.QueryContext(ctx, "SELECT version FROM intram_sqlinbox_migrations"))
	if err != nil {
		return err
	}
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.Atoi(number)
		if err == nil && !slices.Contains(made, version) {
			err = d.step(ctx, conn, dir+"/"+file.Name(), version)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return nil
}

// step makes one step and records it.
func (d *dialect) step(ctx context.Context, conn *sql.Conn, name string, version int) error {
	text, err := fs.ReadFile(migrations, name)
	if err != nil {
		return err
	}
	// One by one: go-sql-driver/mysql takes several only if its DSN says so.
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, d.sql("INSERT INTO intram_sqlinbox_migrations (version) VALUES (?)"), version)
	return err
}

func versions(rows *sql.Rows, err error) (all []int, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var version int
		if err := rows.Scan(&version); err != nil {
			return nil, err
		}
		all = append(all, version)
	}
	return all, rows.Err()
}
