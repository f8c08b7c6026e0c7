package redislimit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if isProcess() {
		os.Exit(runProcess())
	}
	os.Exit(m.Run())
}

// redisServer is a private server: its own directory, reached over a socket in there.
type redisServer struct {
	dir, program string
	process      *exec.Cmd
}

var errNoRedis = errors.New("there is no redis-server on this machine: install redis")

func newServer(t *testing.T) *redisServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(errNoRedis) //nolint:forbidigo // a laptop may lack Redis; with CI=true this fails below
	}
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	require.NoError(t, err)
	s := &redisServer{dir: dir, program: program}
	t.Cleanup(func() {
		s.crash()
		_ = os.RemoveAll(s.dir)
	})
	require.NoError(t, s.start())
	return s
}

// start starts the server and waits until it responds.
func (s *redisServer) start() error {
	log := new(bytes.Buffer)
	s.process = exec.Command(s.program, "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "") //nolint:noctx // it is killed, not cancelled
	s.process.Stdout = log
	if err := s.process.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket()})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for client.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("redis-server did not come up: %s", log)
		}
	}
	return nil
}

// crash kills the server, and with it every connection.
func (s *redisServer) crash() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "redis.sock") }

func (s *redisServer) client(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
