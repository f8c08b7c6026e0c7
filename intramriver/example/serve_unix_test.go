//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServeShowsTheJobsUntilCtrlC(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-serve")
	command.Env = append(os.Environ(), playMain+"=1", databaseURL+"=") // a private server
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) } // it removes its server
	var problems bytes.Buffer
	command.Stderr = &problems
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() })
	address := ""
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "Ctrl-C ends it." {
		if found := regexp.MustCompile(`http://127\.0\.0\.1:\d+/riverui`).FindString(lines.Text()); found != "" {
			address = found
		}
	}
	require.NotEmpty(t, address, "%s", &problems)

	assert.Contains(t, string(get(t, address+"/")), "<html")
	var jobs struct {
		Data []struct{ Kind string }
	}
	require.NoError(t, json.Unmarshal(get(t, address+"/api/jobs?state=completed&limit=100"), &jobs))
	kinds := map[string]bool{}
	for _, job := range jobs.Data {
		kinds[job.Kind] = true
	}
	assert.True(t, kinds["intram_send"] && kinds["intram_event"], "%v", kinds)

	require.NoError(t, syscall.Kill(-command.Process.Pid, syscall.SIGINT)) // as the terminal does: to the whole group
	_, err = io.Copy(io.Discard, stdout)
	require.NoError(t, err)
	require.NoError(t, command.Wait(), "%s", &problems)
	assert.Empty(t, problems.String(), "the workers stop before the database does")
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	return body
}
