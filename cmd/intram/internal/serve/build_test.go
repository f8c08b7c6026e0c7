//go:build unix

package serve

import (
	"bufio"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// root is the repository's root.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", ".."))
	require.NoError(t, err)
	return dir
}

// TestTheContainersBuildCommandMakesAStaticServer runs the build command of the container
// file, and then what the container runs.
func TestTheContainersBuildCommandMakesAStaticServer(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root(t), "cmd", "intram", "Containerfile"))
	require.NoError(t, err)
	build := regexp.MustCompile(`(?m)^RUN (.* go .*) -o /intram (.*)$`).FindStringSubmatch(string(content))
	require.NotNil(t, build, "the container file has a build command")
	binary := filepath.Join(t.TempDir(), "intram")
	shell := exec.CommandContext(t.Context(), "sh", "-c", build[1]+" -o "+binary+" "+build[2])
	shell.Dir = root(t)
	shell.Env = append(os.Environ(), "GOWORK=auto", "GOFLAGS=")
	output, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", output)
	if runtime.GOOS == "linux" {
		f, err := elf.Open(binary)
		require.NoError(t, err)
		defer func() { _ = f.Close() }()
		for _, p := range f.Progs {
			assert.NotEqual(t, elf.PT_INTERP, p.Type, "it needs a dynamic linker, which a scratch container has not")
		}
	}
	cmd := regexp.MustCompile(`(?m)^CMD \[(.*)\]$`).FindStringSubmatch(string(content))
	require.NotNil(t, cmd)
	args := strings.Split(strings.ReplaceAll(cmd[1], `"`, ""), ", ")
	for i, arg := range args {
		args[i] = strings.NewReplacer(":4010", ":0", "/data", t.TempDir()).Replace(arg)
	}
	assert.NoError(t, stop(t, exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)))
}

// TestOneCommandServesFromAFreshClone does what the README says, in a clone.
func TestOneCommandServesFromAFreshClone(t *testing.T) {
	t.Parallel()
	servetest.Need(t, "git")
	if _, err := os.Stat(filepath.Join(root(t), ".git")); err != nil && os.Getenv("CI") != "true" {
		t.Skip("this is no repository") //nolint:forbidigo // a copy of the module on a laptop; CI has a repository
	}
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^go -C cmd/intram run \. serve$`).FindString(string(readme))
	require.NotEmpty(t, line, "the README has the command")
	clone := filepath.Join(t.TempDir(), "clone")
	output, err := exec.CommandContext(t.Context(), "git", "clone", "-q", root(t), clone).CombinedOutput()
	require.NoError(t, err, "%s", output)
	words := strings.Fields(line + " --addr 127.0.0.1:0")
	command := exec.CommandContext(context.WithoutCancel(t.Context()), words[0], words[1:]...)
	command.Dir = clone
	_ = stop(t, command) // go run itself ends with 1 when it is interrupted
}

// stop starts a server, looks at it when it has printed its banner, and interrupts it as
// a terminal does: the whole group of processes.
func stop(t *testing.T, command *exec.Cmd) error {
	t.Helper()
	command.Env = append(os.Environ(), "INTRAM_LANG=en", "XDG_CACHE_HOME="+t.TempDir(), "GOWORK=auto", "GOFLAGS=", "GOCACHE="+goCache(t))
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	command.Stderr = &stderr
	require.NoError(t, command.Start())
	killing := time.AfterFunc(4*time.Minute, func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
	defer killing.Stop()
	lines := bufio.NewScanner(stdout)
	url := ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Stop with") {
		if url == "" {
			url = regexp.MustCompile(`https?://\S+`).FindString(lines.Text())
		}
	}
	require.NotEmpty(t, url, stderr.String())
	status, page := servetest.NewFormBrowser(t, url).Get("/")
	assert.Equal(t, 200, status)
	assert.Contains(t, page, "Sandbox")
	require.NoError(t, syscall.Kill(-command.Process.Pid, syscall.SIGINT))
	for lines.Scan() { // to its end
		continue
	}
	return command.Wait()
}

// goCache is the machine's build cache: a test's own cache directory would make Go build
// everything anew.
func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
