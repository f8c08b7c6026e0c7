package redisinbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// serverURL names a Redis to test with. Without it the tests start one of their own.
const serverURL = "INTRAM_TEST_REDIS_URL"

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
	server *redisServer
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
	shared.once.Do(func() { shared.server, shared.err = newRedis() })
	requireServer(t, shared.err)
	return shared.server.url()
}

// ownServer starts a server that the test may restart.
func ownServer(t *testing.T) *redisServer {
	t.Helper()
	server, err := newRedis()
	requireServer(t, err)
	t.Cleanup(server.remove)
	return server
}

var errNoRedis = errors.New("there is no redis-server on this machine: install redis, or name a server with " + serverURL)

func requireServer(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNoRedis) && os.Getenv("CI") != "true" {
		t.Skip(err) //nolint:forbidigo // a laptop may lack Redis; with CI=true this fails below
	}
	require.NoError(t, err)
}

// redisServer is a private server: its own directory, reached over a socket in there.
type redisServer struct {
	dir, program string
	process      *exec.Cmd
}

func newRedis() (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	dir, err := os.MkdirTemp("", "redis") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	s := &redisServer{dir: dir, program: program}
	if err := s.start(); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// start starts the server and waits until it responds. Everything it has acknowledged is
// in its file: it survives being killed.
func (s *redisServer) start() error {
	log := new(bytes.Buffer)
	s.process = exec.Command(s.program, "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, //nolint:noctx // it is killed, not cancelled
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
	s.process.Stdout = log
	if err := s.process.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket()})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("redis-server did not come up: %w: %s", err, log)
		}
	}
}

// crash kills the server, and with it every connection.
func (s *redisServer) crash() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// restart is a crash and a recovery.
func (s *redisServer) restart() error {
	s.crash()
	return s.start()
}

func (s *redisServer) remove() {
	s.crash()
	_ = os.RemoveAll(s.dir)
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "redis.sock") }
func (s *redisServer) url() string    { return "unix://" + s.socket() }

var prefixes atomic.Int64

// newPrefix is a name space for one test.
func newPrefix() string { return fmt.Sprintf("redisinbox_%d_%d:", os.Getpid(), prefixes.Add(1)) }

// newClient opens a client that is closed with the test.
func newClient(t *testing.T, url string, change ...func(*redis.Options)) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	options.ContextTimeoutEnabled = true
	for _, f := range change {
		f(options)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
