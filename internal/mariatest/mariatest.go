// Package mariatest starts a MariaDB of its own for a test, from the programs of the
// machine. It needs no driver. Where MariaDB is missing a test is skipped, saying so, and
// fails with CI=true.
package mariatest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ServerDSN is the variable that names a MariaDB or a MySQL for [Shared], as the driver
// go-sql-driver/mysql takes it, up to the slash: root@tcp(127.0.0.1:3306). Without it
// that starts a MariaDB.
const ServerDSN = "INTRAM_TEST_MYSQL_DSN"

// ErrMissing is the error of a machine without MariaDB.
var ErrMissing = errors.New("there is no mariadbd on this machine: install mariadb-server, or name a server with " + ServerDSN)

// Shared is a server that many tests use, each in a database of its own. It is up for the
// whole run.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// DSN returns the address of the server, up to the slash. The server is started at the
// first call.
func (s *Shared) DSN(tb testing.TB) string {
	tb.Helper()
	if named := os.Getenv(ServerDSN); named != "" {
		return strings.TrimSuffix(named, "/")
	}
	s.once.Do(func() { s.server, s.err = start("2") })
	check(tb, s.err)
	return s.server.DSN()
}

// Stop ends the server, if it was started. TestMain calls it.
func (s *Shared) Stop() {
	if s.server != nil {
		s.server.remove()
	}
}

// New starts a server that the test may crash. It is removed when the test ends.
func New(tb testing.TB) *Server {
	tb.Helper()
	return open(tb, "2")
}

// NewDurable does what New does, for a benchmark: the server waits for the disk at each
// commit, as a merchant's does.
func NewDurable(tb testing.TB) *Server {
	tb.Helper()
	return open(tb, "1")
}

func open(tb testing.TB, flush string) *Server {
	tb.Helper()
	server, err := start(flush)
	check(tb, err)
	tb.Cleanup(server.remove)
	return server
}

func check(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		tb.Skip(err) //nolint:forbidigo // a laptop may lack MariaDB; with CI=true this fails below
	default:
		tb.Fatal(err)
	}
}

// Server is a private server: its own data directory, reached over a socket in there.
type Server struct {
	dir     string
	flush   string               // innodb_flush_log_at_trx_commit
	owner   *syscall.SysProcAttr // whom it runs as: MariaDB refuses to be root
	process *exec.Cmd
}

// program finds a program of the server: in the PATH, or where Debian keeps it.
func program(name string) (string, error) {
	for _, path := range []string{name, filepath.Join("/usr/sbin", name), filepath.Join("/usr/bin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", ErrMissing
}

func start(flush string) (*Server, error) {
	dir, err := os.MkdirTemp("", "maria") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	m := &Server{dir: dir, flush: flush}
	if err := m.init(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := m.Start(); err != nil {
		m.remove()
		return nil, err
	}
	return m, nil
}

func (m *Server) init() error {
	if _, err := program("mariadbd"); err != nil {
		return err
	}
	if err := m.chooseOwner(); err != nil {
		return err
	}
	// A database for anybody who reaches the socket, which the folder's permissions
	// guard.
	install, err := m.command("mariadb-install-db", "--no-defaults", "--datadir="+m.data(),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M", withoutAIO)
	if err != nil {
		return err
	}
	if output, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, output)
	}
	return nil
}

// withoutAIO leaves out what a system has a small number of for all of its servers.
const withoutAIO = "--innodb-use-native-aio=0"

func (m *Server) data() string { return filepath.Join(m.dir, "data") }

func (m *Server) socket() string { return filepath.Join(m.dir, "s") }

func (m *Server) command(name string, args ...string) (*exec.Cmd, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // a program of the machine, stopped by signals
	cmd.Dir = m.dir
	cmd.SysProcAttr = m.owner
	return cmd, nil
}

// Start starts a server that was crashed, and waits until it accepts connections. Unless
// it is durable it loses what the operating system loses, not what a killed process does.
func (m *Server) Start() error {
	log := &readyLog{ready: make(chan struct{})}
	server, err := m.command("mariadbd", "--no-defaults", "--datadir="+m.data(), "--socket="+m.socket(), "--pid-file="+filepath.Join(m.dir, "pid"),
		"--skip-networking", "--innodb-flush-log-at-trx-commit="+m.flush, "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
		"--max-connections=300", "--log-warnings=1", "--lc-messages=en_US", withoutAIO)
	if err != nil {
		return err
	}
	m.process = server
	m.process.Stderr = log
	if err := m.process.Start(); err != nil {
		return err
	}
	select {
	case <-log.ready:
		return nil
	case <-time.After(time.Minute): //nolint:forbidigo // a program of its own knows no other clock
		return fmt.Errorf("mariadbd did not come up: %s", log)
	}
}

// readyLog is the server's log, which says when it takes connections.
type readyLog struct {
	mu    sync.Mutex
	text  []byte
	ready chan struct{}
	said  bool
}

func (l *readyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if !l.said && bytes.Contains(l.text, []byte("ready for connections")) {
		l.said = true
		close(l.ready)
	}
	return len(p), nil
}

func (l *readyLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// Crash kills the server, and with it every connection: nothing is flushed, and no client
// is told.
func (m *Server) Crash() { m.end(syscall.SIGKILL) }

func (m *Server) end(signal syscall.Signal) {
	if m.process != nil {
		_ = m.process.Process.Signal(signal)
		_ = m.process.Wait()
		m.process = nil
	}
}

// RestartFast shuts the server down, which ends the connections and tells the clients,
// and starts it again.
func (m *Server) RestartFast() error {
	m.end(syscall.SIGTERM)
	return m.Start()
}

// Restart crashes the server and recovers it.
func (m *Server) Restart() error {
	m.Crash()
	return m.Start()
}

func (m *Server) remove() {
	m.Crash()
	_ = os.RemoveAll(m.dir)
}

// DSN returns the server's address, as go-sql-driver/mysql takes it, up to the slash.
func (m *Server) DSN() string { return "root@unix(" + m.socket() + ")" }
