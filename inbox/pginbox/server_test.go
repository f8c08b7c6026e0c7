package pginbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/inbox/pginbox"
)

// serverURL names a PostgreSQL to test with. Without it the tests start one of their own.
const serverURL = "INTRAM_TEST_POSTGRES_URL"

func TestMain(m *testing.M) {
	if isReplica() {
		os.Exit(runReplica())
	}
	status := m.Run()
	shared.stop()
	os.Exit(status)
}

// shared is the server of all tests but those that restart theirs.
var shared sharedServer

type sharedServer struct {
	once   sync.Once
	server *postgres
	err    error
}

func (s *sharedServer) stop() {
	if s.server != nil {
		s.server.remove()
	}
}

// sharedURL returns the address of a server that is up for the whole run.
func sharedURL(t *testing.T) string {
	t.Helper()
	if named := os.Getenv(serverURL); named != "" {
		return named
	}
	shared.once.Do(func() { shared.server, shared.err = newPostgres() })
	requireServer(t, shared.err)
	return shared.server.url()
}

// ownServer starts a server that the test may restart.
func ownServer(t *testing.T) *postgres {
	t.Helper()
	server, err := newPostgres()
	requireServer(t, err)
	t.Cleanup(server.remove)
	return server
}

var errNoPostgres = errors.New("there is no postgres on this machine: install postgresql, or name a server with " + serverURL)

func requireServer(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Skip(err) //nolint:forbidigo // a laptop may lack PostgreSQL; with CI=true this fails below
	}
	require.NoError(t, err)
}

// postgres is a private server: its own data directory, reached over a socket in there.
type postgres struct {
	dir, bin   string
	credential *syscall.Credential // whom it runs as: PostgreSQL refuses to be root
	process    *exec.Cmd
}

func newPostgres() (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir, bin: bin}
	if err := p.init(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := p.start(); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// postgresBin finds the server's programs: in the PATH, or where Debian keeps them.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNoPostgres
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func (p *postgres) init() error {
	if os.Geteuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, err := strconv.ParseUint(owner.Uid, 10, 32)
		if err != nil {
			return err
		}
		gid, err := strconv.ParseUint(owner.Gid, 10, 32)
		if err != nil {
			return err
		}
		p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(p.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	initdb := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return nil
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...) //nolint:noctx // it is stopped by signals, not by a context
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	return cmd
}

// start starts the server and waits until it answers. Without fsync it loses what the operating system loses, not what a killed
// process does.
func (p *postgres) start() error {
	log := new(bytes.Buffer)
	p.process = p.command("postgres", "-D", p.data(), "-k", p.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB")
	p.process.Stderr = log
	if err := p.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("postgres did not come up: %w: %s", err, log)
		}
	}
}

// crash kills the server, and with it every connection: nothing is flushed and nobody is told.
func (p *postgres) crash() {
	p.end(syscall.SIGQUIT)
}

func (p *postgres) end(signal syscall.Signal) {
	if p.process != nil {
		_ = p.process.Process.Signal(signal)
		_ = p.process.Wait()
		p.process = nil
	}
}

// restart is a crash and a recovery.
func (p *postgres) restart() error {
	p.crash()
	return p.start()
}

func (p *postgres) remove() {
	p.end(syscall.SIGQUIT)
	_ = os.RemoveAll(p.dir)
}

func (p *postgres) url() string {
	return "postgres://postgres@/postgres?sslmode=disable&host=" + url.QueryEscape(p.dir)
}

var schemas atomic.Int64

// newSchema makes a schema for one test on a server, and returns the server's address with the schema as search_path.
func newSchema(t *testing.T, server string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	name := fmt.Sprintf("pginbox_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = conn.Exec(ctx, "CREATE SCHEMA "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), server); err == nil {
			_, _ = conn.Exec(context.Background(), "DROP SCHEMA "+name+" CASCADE")
			_ = conn.Close(context.Background())
		}
	})
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + name
}

// newPool opens a pool that is closed with the test.
func newPool(t *testing.T, address string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// newDatabase makes a migrated schema on the shared server.
func newDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := newPool(t, newSchema(t, sharedURL(t)))
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	return pool
}
