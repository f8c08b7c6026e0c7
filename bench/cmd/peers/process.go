package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/intram/intram-go/intramtest"
)

// announcement is the one line that a server prints when it is ready.
type announcement struct {
	Plain, TLS, Admin string // addresses
	Certificate       string // PEM
	PublicKey         string
	SecretKey         string
}

// servers are what a process of this binary can be.
var servers = map[string]func() (announcement, error){
	"echo": serveEcho,
	"fake": func() (announcement, error) { return serveFake(intramtest.WithFrozenClock(time.Now())) },
	// With a clock that runs, its worker pays out what it has accepted, beside
	// responding.
	"fake-at-work": func() (announcement, error) { return serveFake() },
}

func serverNames() []string {
	names := make([]string, 0, len(servers))
	for name := range servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// runServer is a server process: it announces itself, and ends when its parent does,
// which closes stdin.
func runServer(name string, stdin io.Reader, stdout io.Writer) error {
	serve, ok := servers[name]
	if !ok {
		return fmt.Errorf("-serve: there is no server %q: there are %v", name, serverNames())
	}
	a, err := serve()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(stdout).Encode(a); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

// process is a server that this command started.
type process struct {
	announcement

	cmd   *exec.Cmd
	stdin io.Closer
	// ready is how long it took from the start of the process to the announcement.
	ready time.Duration
}

// start starts a server from this command's own binary.
func start(ctx context.Context, name string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", name) //nolint:gosec // this very program
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(stdout).Decode(&p.announcement); err != nil {
		p.stop()
		return nil, fmt.Errorf("server %s said nothing: %w", name, err)
	}
	p.ready = time.Since(began)
	return p, nil
}

// stop ends the process and waits for it.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait() // how it ended no longer matters
}

// freeAddress returns an unused address on the loopback.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
