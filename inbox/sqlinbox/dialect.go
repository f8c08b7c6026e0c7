package sqlinbox

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Dialect is the SQL of a database. The zero value is none.
type Dialect int

// The dialects.
const (
	// MySQL is that of MySQL 8 and MariaDB 10.5 or later, with the driver
	// github.com/go-sql-driver/mysql.
	MySQL Dialect = iota + 1
	// PostgreSQL is that of PostgreSQL 12 or later, with github.com/jackc/pgx/v5/stdlib
	// or github.com/lib/pq.
	PostgreSQL
	// SQLite is that of SQLite 3.42 or later, with modernc.org/sqlite, which [OpenSQLite]
	// uses.
	SQLite
)

// String returns the name of the dialect, such as "MySQL".
func (d Dialect) String() string {
	if def, ok := dialects[d]; ok {
		return def.name
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// dialect is what a database does in its own way. Everything else is one implementation.
type dialect struct {
	name string
	dir  string // of its migrations
	// now is the database's clock, in microseconds since 1970. It does not depend on the
	// session's time zone, in which an hour of autumn comes twice.
	now string
	// numbered placeholders are $1, $2; others are question marks.
	numbered bool
	// unlessThere ends an INSERT of a claim that leaves a row that is there as it is.
	// Whatever counts, it counts 1 only when the row is new: of a row that is there MySQL
	// counts 2 if it changes, and 0 or 1, by a setting of the driver, if it does not.
	unlessThere string
	// replace puts a whole row in the place of another one. Empty: ON CONFLICT.
	replace string
	// probe is a query that only this dialect has. It returns 1, or 0 if a statement
	// outside of a transaction is not committed by itself.
	probe string
	// begin and lock start a migration, alone; lock returns 1 when it has the lock, and 0
	// when it gave up. unlock ends it.
	begin, lock, unlock string
	// longest is how long a key, a scope or an id may be, in bytes. Without a strict mode
	// MySQL cuts off the rest. 0: any length, or the database refuses it.
	longest int
	// code returns the server's code of an error, or "" if it did not come from there.
	code func(error) string
	// conflict are the codes of errors after which a transaction that was rolled back may
	// be tried again: another one was in its way.
	conflict []string
	// lost are the codes, or what they begin with, by which a server that goes away or
	// comes up ends a connection.
	lost []string
	// full and foreign are the codes of a full disk, and of a file that is no database.
	full, foreign []string
}

var dialects = map[Dialect]*dialect{
	MySQL: {
		name: "MySQL", dir: "mysql",
		now:         "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		unlessThere: "ON DUPLICATE KEY UPDATE writes = writes + 1",
		replace:     "REPLACE INTO",
		probe:       "SELECT @@autocommit",
		lock:        "SELECT GET_LOCK(CONCAT('intram_sqlinbox ', MD5(DATABASE())), 10)",
		unlock:      "SELECT RELEASE_LOCK(CONCAT('intram_sqlinbox ', MD5(DATABASE())))",
		longest:     512,
		code:        numberField,
		// A deadlock; a lock that was not free in time; a row that has changed since the
		// snapshot, which MariaDB says by itself since version 11.6.
		conflict: []string{"1213", "1205", "1020"},
		// A shutdown, a killed connection, a node that is not in its cluster yet.
		lost: []string{"1053", "1927", "3169", "1047"},
		full: []string{"1021", "1114"},
	},
	PostgreSQL: {
		name: "PostgreSQL", dir: "postgresql",
		now:         "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
		numbered:    true,
		unlessThere: "ON CONFLICT (event_key) DO NOTHING",
		probe:       "SELECT count(current_setting('server_version_num'))",
		begin:       "BEGIN",
		lock:        "SELECT count(pg_advisory_xact_lock(115848562532717))", // "intram" in ASCII
		code:        sqlState,
		conflict:    []string{"40001", "40P01"},
		lost:        []string{"57P", "08"},
		full:        []string{"53100"},
	},
	SQLite: {
		name: "SQLite", dir: "sqlite",
		now:         "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		unlessThere: "ON CONFLICT (event_key) DO NOTHING",
		probe:       "SELECT length(sqlite_version()) > 0",
		begin:       "BEGIN IMMEDIATE",
		code:        primaryCode,
		conflict:    []string{"5", "6"}, // busy, locked
		full:        []string{"13"},
		foreign:     []string{"26"},
	},
}

// sql writes a statement in the dialect: {now} is the clock, and each question mark a
// placeholder. No statement here has a question mark in a text.
func (d *dialect) sql(statement string) string {
	statement = strings.ReplaceAll(statement, "{now}", d.now)
	if !d.numbered {
		return statement
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		n++
		b.WriteString(part)
	}
	return b.String()
}

// put returns a statement that stores rows of a table, in the place of those that have
// the same keys.
func (d *dialect) put(table string, keys, values []string, rows int) string {
	columns := append(append([]string(nil), keys...), values...)
	verb, tail := d.replace, ""
	if verb == "" {
		verb = "INSERT INTO"
		sets := make([]string, len(values))
		for i, value := range values {
			sets[i] = value + " = excluded." + value
		}
		tail = " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
	}
	row := "(" + marks(len(columns)) + ")"
	return d.sql(fmt.Sprintf("%s %s (%s) VALUES %s%s", verb, table, strings.Join(columns, ", "), repeat(row, rows), tail))
}

// marks returns n placeholders.
func marks(n int) string { return repeat("?", n) }

func repeat(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+", ", n), ", ") }

// conflicts reports whether another transaction was in the way of one that failed, so
// that it may succeed when it is tried again.
func (d *dialect) conflicts(err error) bool { return d.is(err, d.conflict) }

// passes reports whether a statement that failed may succeed when it is sent again: it
// met a conflict, or its connection failed, which is what an error is that the server did
// not send.
func (d *dialect) passes(err error) bool {
	return d.conflicts(err) || d.is(err, d.lost) || d.code(err) == ""
}

func (d *dialect) is(err error, codes []string) bool {
	code := d.code(err)
	for _, c := range codes {
		if code != "" && strings.HasPrefix(code, c) {
			return true
		}
	}
	return false
}

// failed returns the error of what the package was asked for.
func (d *dialect) failed(what string, err error) error {
	switch {
	case d.is(err, d.full):
		return fmt.Errorf("sqlinbox: %s: %w: %w", what, ErrDiskFull, err)
	case d.is(err, d.foreign):
		return fmt.Errorf("sqlinbox: %s: %w: %w", what, ErrNotDatabase, err)
	}
	return fmt.Errorf("sqlinbox: %s: %w", what, err)
}

// sqlState returns the code of an error of lib/pq or pgx.
func sqlState(err error) string {
	if answer, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return answer.SQLState()
	}
	return ""
}

// primaryCode returns the code of an error of modernc.org/sqlite, without its extension.
func primaryCode(err error) string {
	if answer, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return strconv.Itoa(answer.Code() & 0xff)
	}
	return ""
}

// numberField returns the code of an error of go-sql-driver/mysql. It is a field, which
// is looked up by its name: this package does not link the driver.
func numberField(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range several.Unwrap() {
				if code := numberField(one); code != "" {
					return code
				}
			}
			return ""
		}
		value := reflect.Indirect(reflect.ValueOf(err))
		if value.Kind() != reflect.Struct || value.Type().Name() != "MySQLError" {
			continue
		}
		if number := value.FieldByName("Number"); number.IsValid() && number.CanUint() {
			return strconv.FormatUint(number.Uint(), 10)
		}
	}
	return ""
}
