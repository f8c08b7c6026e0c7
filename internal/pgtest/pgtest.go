// Package pgtest starts a PostgreSQL of its own for a test, from the programs of the
// machine. It needs no driver: modules with different ones share it. Where PostgreSQL is
// missing a test is skipped, saying so, and fails with CI=true.
package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ServerURL is the variable that names a PostgreSQL for [Shared]. Without it that starts
// one.
const ServerURL = "INTRAM_TEST_POSTGRES_URL"

// ErrMissing is the error of a machine without PostgreSQL.
var ErrMissing = errors.New("there is no postgres on this machine: install postgresql, or name a server with " + ServerURL)

// Shared is a server that many tests use, each in a schema of its own. It is up for the
// whole run.
type Shared struct {
	// Apart keeps a Ctrl-C of the terminal from the server, for a program that catches it
	// and calls Stop.
	Apart bool

	once   sync.Once
	server *Server
	err    error
}

// URL returns the address of the server, which is started at the first call.
func (s *Shared) URL(tb testing.TB) string {
	tb.Helper()
	address, err := s.Open()
	check(tb, err)
	return address
}

// Open does what URL does, for an Example and for TestMain, which have no test to skip.
// Errors: [ErrMissing].
func (s *Shared) Open() (address string, err error) {
	if named := os.Getenv(ServerURL); named != "" {
		return named, nil
	}
	s.once.Do(func() { s.server, s.err = start("off", s.Apart) })
	if s.err != nil {
		return "", s.err
	}
	return s.server.URL(), nil
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
	server, err := start("off", false)
	check(tb, err)
	tb.Cleanup(server.remove)
	return server
}

// NewDurable does what New does, for a benchmark: the server waits for the disk at each
// commit, as a merchant's does.
func NewDurable(tb testing.TB) *Server {
	tb.Helper()
	server, err := start("on", false)
	check(tb, err)
	tb.Cleanup(server.remove)
	return server
}

func check(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		tb.Skip(err) //nolint:forbidigo // a laptop may lack PostgreSQL; with CI=true this fails below
	default:
		tb.Fatal(err)
	}
}

// Server is a private server: its own data directory, reached over a socket in there.
type Server struct {
	dir, bin string
	fsync    string               // on or off
	apart    bool                 // whether it is in a process group of its own
	owner    *syscall.SysProcAttr // whom it runs as: PostgreSQL refuses to be root
	process  *exec.Cmd
}

func start(fsync string, apart bool) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	p := &Server{dir: dir, bin: bin, fsync: fsync, apart: apart}
	if err := p.init(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := p.Start(); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// programs finds the server's programs: in the PATH, or where Debian keeps them.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func (p *Server) init() error {
	if err := p.chooseOwner(); err != nil {
		return err
	}
	initdb := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return nil
}

func (p *Server) data() string { return filepath.Join(p.dir, "data") }

func (p *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...) //nolint:gosec,noctx // a program of the machine, stopped by signals
	cmd.Dir = p.dir
	cmd.SysProcAttr = p.owner
	return cmd
}

// Start starts a server that was crashed, and waits until it accepts connections. Without
// fsync it loses what the operating system loses, not what a killed process does.
func (p *Server) Start() error {
	log := &readyLog{ready: make(chan struct{})}
	p.process = p.command("postgres", "-D", p.data(), "-k", p.dir, "-c", "listen_addresses=", "-c", "fsync="+p.fsync,
		"-c", "max_connections=200", "-c", "shared_buffers=32MB")
	p.process.Stderr = log
	if err := p.process.Start(); err != nil {
		return err
	}
	select {
	case <-log.ready:
		return nil
	case <-time.After(time.Minute): //nolint:forbidigo // a program of its own knows no other clock
		return fmt.Errorf("postgres did not come up: %s", log)
	}
}

// readyLog is the server's log, which says when it takes connections. With the locale of
// init it says so in English.
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
	if !l.said && bytes.Contains(l.text, []byte("ready to accept connections")) {
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
func (p *Server) Crash() { p.end(syscall.SIGQUIT) }

func (p *Server) end(signal syscall.Signal) {
	if p.process != nil {
		_ = p.process.Process.Signal(signal)
		_ = p.process.Wait()
		p.process = nil
	}
}

// RestartFast shuts the server down, which ends the connections and tells the clients,
// and starts it again.
func (p *Server) RestartFast() error {
	p.end(syscall.SIGINT)
	return p.Start()
}

// Restart crashes the server and recovers it.
func (p *Server) Restart() error {
	p.Crash()
	return p.Start()
}

func (p *Server) remove() {
	p.Crash()
	_ = os.RemoveAll(p.dir)
}

// URL returns the server's address.
func (p *Server) URL() string {
	return "postgres://postgres@/postgres?sslmode=disable&host=" + url.QueryEscape(p.dir)
}
