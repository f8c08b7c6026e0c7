package servetest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
)

// Process is a running "intram serve".
type Process struct {
	Command *exec.Cmd
	Cache   string // the user's cache directory
	Banner  string // what it printed until it was ready
	URL     string
	Stderr  *bytes.Buffer

	t       *testing.T
	drained chan struct{}
}

// Start starts "intram serve" on a free port and waits until it has said that it is
// ready. The process is the test's own binary, see [Main].
func Start(t *testing.T, cache string, args ...string) *Process {
	t.Helper()
	p, err := TryStart(t, cache, args...)
	require.NoError(t, err)
	return p
}

// TryStart is Start for a server that may refuse to start: the error is what it printed.
func TryStart(t *testing.T, cache string, args ...string) (*Process, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if !strings.Contains(strings.Join(args, " "), "--addr") {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	p := &Process{t: t, Cache: cache, Stderr: &bytes.Buffer{}, drained: make(chan struct{})}
	p.Command = exec.CommandContext(context.WithoutCancel(t.Context()), self, args...) //nolint:gosec // the test itself
	p.Command.Env = append(os.Environ(), playServe+"=1", "INTRAM_LANG=en", "XDG_CACHE_HOME="+cache, "HOME="+cache)
	p.Command.Stderr = p.Stderr
	stdout, err := p.Command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Command.Start())
	t.Cleanup(func() {
		_ = p.Command.Process.Kill()
		_, _ = p.Command.Process.Wait()
	})
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		p.Banner += line
		if err != nil {
			_ = p.Command.Wait()
			return nil, &exec.Error{Name: "intram serve", Err: endError(p.Stderr.String())}
		}
		if strings.HasPrefix(line, "Stop with") {
			break
		}
	}
	go func() { defer close(p.drained); _, _ = io.Copy(io.Discard, lines) }()
	p.URL = regexp.MustCompile(`https?://\S+`).FindString(p.Banner)
	return p, nil
}

type endError string

func (e endError) Error() string { return string(e) }

// Interrupt is Ctrl-C, and waits for the end.
func (p *Process) Interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.Command.Process.Signal(syscall.SIGINT))
	require.NoError(p.t, p.Wait(), "%s", p.Stderr)
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.t.Helper()
	require.NoError(p.t, p.Command.Process.Kill())
	_ = p.Wait()
}

// Wait returns when the process has ended, as [exec.Cmd.Wait] does.
func (p *Process) Wait() error {
	<-p.drained
	return p.Command.Wait()
}

// Local returns what the server has told other programs of this machine.
func (p *Process) Local() local.Server {
	p.t.Helper()
	s, err := local.Read(filepath.Join(p.Cache, "intram", "servers"))
	require.NoError(p.t, err)
	return s
}

// Client returns a client of the SDK with the keys that the server has told.
func (p *Process) Client() *intram.Client {
	p.t.Helper()
	keys := p.Local().Sandbox
	c, err := intram.NewClient(keys.PublicKey, keys.SecretKey, intram.WithBaseURL(p.URL), intram.WithMaxAttempts(1))
	require.NoError(p.t, err)
	return c
}

// Need skips a test on a laptop that lacks a program; CI has all of them.
func Need(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and CI must have it", name)
			}
			t.Skipf("%s is missing", name) //nolint:forbidigo // a laptop may lack the program; CI may not
		}
	}
}
