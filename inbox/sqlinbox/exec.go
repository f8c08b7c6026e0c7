package sqlinbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// tries is how often a statement is sent that fails with its connection, or because
// another transaction is in its way. A connection that the server has closed fails only
// when it is used, and all of a pool's may be closed.
const tries = 5

// querier is a database or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// do runs what may be run again: every statement that it is given for names a token, or
// means the same when it is made twice.
func (in *Inbox) do(ctx context.Context, statement func(querier) error) error {
	return in.again(ctx, func() error {
		if in.explicit.Load() {
			return in.transact(ctx, func(tx *sql.Tx) error { return statement(tx) })
		}
		return statement(in.db)
	})
}

// doAtOnce is do for several statements, in one transaction.
func (in *Inbox) doAtOnce(ctx context.Context, statements func(querier) error) error {
	return in.again(ctx, func() error {
		return in.transact(ctx, func(tx *sql.Tx) error { return statements(tx) })
	})
}

func (in *Inbox) again(ctx context.Context, try func() error) (err error) {
	for range tries {
		err = try()
		if err == nil || ctx.Err() != nil || errors.Is(err, sql.ErrNoRows) || !in.dialect.passes(err) {
			break
		}
	}
	return err
}

// exec runs a statement and returns how many rows it found.
func (in *Inbox) exec(ctx context.Context, statement string, args ...any) (found int64, err error) {
	err = in.do(ctx, func(q querier) error {
		result, err := q.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		found, err = result.RowsAffected()
		return err
	})
	return found, err
}

// transact commits what use does, or nothing of it, if it returns an error or panics.
func (in *Inbox) transact(ctx context.Context, use func(*sql.Tx) error) error {
	tx, err := in.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := use(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// check finds out once whether the database speaks the dialect.
func (in *Inbox) check(ctx context.Context) error {
	if in.checked.Load() {
		return nil
	}
	var commits int
	err := in.again(ctx, func() (err error) {
		commits, err = in.dialect.ask(ctx, in.db)
		return err
	})
	if err != nil {
		return err
	}
	in.explicit.Store(commits == 0)
	in.checked.Store(true)
	return nil
}

// ask returns what the dialect's probe does. If the database does not know it, the error
// says which dialect the database speaks.
func (d *dialect) ask(ctx context.Context, q querier) (commits int, err error) {
	if err = q.QueryRowContext(ctx, d.probe).Scan(&commits); err == nil || ctx.Err() != nil {
		return commits, err
	}
	for other, def := range dialects {
		var n int
		if def != d && q.QueryRowContext(ctx, def.probe).Scan(&n) == nil {
			return 0, fmt.Errorf("%w: it is %s, and the database speaks %s: use sqlinbox.%s", ErrDialect, d.name, other, other)
		}
	}
	return 0, err
}

// definition returns what a dialect consists of.
func (d Dialect) definition() (*dialect, error) {
	def, ok := dialects[d]
	if !ok {
		return nil, fmt.Errorf("%w: %s: use sqlinbox.MySQL, sqlinbox.PostgreSQL or sqlinbox.SQLite", ErrDialect, d)
	}
	return def, nil
}

// fits refuses a text that the database might cut off.
func (d *dialect) fits(what, text string) error {
	if d.longest > 0 && len(text) > d.longest {
		return fmt.Errorf("the %s has %d bytes: %s keeps at most %d", what, len(text), d.name, d.longest)
	}
	return nil
}
