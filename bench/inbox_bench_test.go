package bench

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/inbox/redisinbox"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/mariatest"
	"github.com/intram/intram-go/internal/pgtest"
)

// BenchmarkInboxes measures how many events a second each inbox takes: a claim and its
// completion, by eight callers. Beside each is what its store does at most: one INSERT a
// row, committed to the disk, by as many callers, in the same run. The ratio is what
// counts; two are the least that an event can be, since it is written twice.
func BenchmarkInboxes(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		kept := new(sync.Map)
		measure(b, &intram.MemoryInbox{Capacity: 10_000_000}, func(_ context.Context, key string) error {
			kept.Store(key, true)
			return nil
		})
	})
	b.Run("sqlinbox, SQLite", func(b *testing.B) {
		inbox, err := sqlinbox.OpenSQLite(filepath.Join(b.TempDir(), "intram.db"))
		check(b, err)
		b.Cleanup(func() { _ = inbox.Close() })
		measure(b, inbox, inserting(b, inbox.DB(), "INSERT INTO inserted VALUES (?)"))
	})
	b.Run("sqlinbox, MariaDB", func(b *testing.B) {
		dsn := mariatest.NewDurable(b).DSN()
		admin := open(b, "mysql", dsn+"/")
		_, err := admin.ExecContext(b.Context(), "CREATE DATABASE bench")
		check(b, err)
		overSQL(b, open(b, "mysql", dsn+"/bench?interpolateParams=true"), sqlinbox.MySQL, "INSERT INTO inserted VALUES (?)")
	})
	b.Run("sqlinbox, PostgreSQL", func(b *testing.B) {
		overSQL(b, open(b, "pgx", pgtest.NewDurable(b).URL()), sqlinbox.PostgreSQL, "INSERT INTO inserted VALUES ($1)")
	})
	b.Run("pginbox", func(b *testing.B) {
		url := pgtest.NewDurable(b).URL()
		pool, err := pgxpool.New(b.Context(), url+"&pool_max_conns=8")
		check(b, err)
		b.Cleanup(pool.Close)
		check(b, pginbox.Migrate(b.Context(), pool))
		inbox, err := pginbox.New(pool)
		check(b, err)
		_, err = pool.Exec(b.Context(), "CREATE TABLE inserted (k text PRIMARY KEY)")
		check(b, err)
		measure(b, inbox, func(ctx context.Context, key string) error {
			_, err := pool.Exec(ctx, "INSERT INTO inserted VALUES ($1)", key)
			return err
		})
	})
	b.Run("redisinbox", func(b *testing.B) {
		client := startRedis(b)
		inbox, err := redisinbox.New(client)
		check(b, err)
		measure(b, inbox, func(ctx context.Context, key string) error { return client.Set(ctx, "row:"+key, 1, 0).Err() })
	})
}

const callers = 8

// measure reports events and inserts a second, in turns, and their ratio.
func measure(b *testing.B, inbox intram.Inbox, insert func(ctx context.Context, key string) error) {
	b.Helper()
	each := func(do func(key string) error) time.Duration {
		var next atomic.Int64
		var work sync.WaitGroup
		began := time.Now()
		for range callers {
			work.Go(func() {
				for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
					if err := do(fmt.Sprintf("%064x", n)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		work.Wait()
		return time.Since(began)
	}
	ctx := b.Context()
	b.ResetTimer()
	inserts := each(func(key string) error { return insert(ctx, key) })
	events := each(func(key string) error {
		claim, err := inbox.Claim(ctx, key, time.Minute)
		if err != nil {
			return err
		}
		return inbox.Complete(ctx, claim)
	})
	b.ReportMetric(float64(b.N)/events.Seconds(), "events/s")
	b.ReportMetric(float64(b.N)/inserts.Seconds(), "inserts/s")
	b.ReportMetric(events.Seconds()/inserts.Seconds(), "inserts/event")
	b.ReportMetric(0, "ns/op")
}

func overSQL(b *testing.B, db *sql.DB, dialect sqlinbox.Dialect, insert string) {
	b.Helper()
	check(b, sqlinbox.Migrate(b.Context(), db, dialect))
	inbox, err := sqlinbox.New(db, dialect)
	check(b, err)
	measure(b, inbox, inserting(b, db, insert))
}

func inserting(b *testing.B, db *sql.DB, insert string) func(ctx context.Context, key string) error {
	b.Helper()
	_, err := db.ExecContext(b.Context(), "CREATE TABLE inserted (k varchar(64) PRIMARY KEY)")
	check(b, err)
	return func(ctx context.Context, key string) error {
		_, err := db.ExecContext(ctx, insert, key)
		return err
	}
}

func open(b *testing.B, driver, dsn string) *sql.DB {
	b.Helper()
	db, err := sql.Open(driver, dsn)
	check(b, err)
	db.SetMaxOpenConns(callers)
	db.SetMaxIdleConns(callers)
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// startRedis starts a Redis that waits for the disk at each write.
func startRedis(b *testing.B) *redis.Client {
	b.Helper()
	path, err := exec.LookPath("redis-server")
	check(b, err)
	dir, err := os.MkdirTemp("", "rb") //nolint:usetesting // a socket's path must be short
	check(b, err)
	socket := filepath.Join(dir, "s")
	server := exec.CommandContext(b.Context(), path, "--port", "0", "--unixsocket", socket, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", "")
	check(b, server.Start())
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true, PoolSize: callers, MaxRetries: 10,
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			for { // it is about to listen
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if err == nil || ctx.Err() != nil {
					return conn, err
				}
			}
		}})
	b.Cleanup(func() {
		_ = client.Close()
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	})
	return client
}
