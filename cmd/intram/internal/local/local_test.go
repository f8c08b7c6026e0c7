package local_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/local"
)

func TestAServerIsFoundByWhatItWrote(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "intram", "servers")
	_, err := local.Read(dir)
	require.ErrorIs(t, err, local.ErrNotRunning)

	server := local.Server{
		URL:     "http://127.0.0.1:4010",
		Sandbox: local.Keys{PublicKey: "pk_sandbox_1", SecretKey: "sk_sandbox_1", PayinAPIKey: "a", PayinAPIClient: "b"},
		Live:    local.Keys{PublicKey: "pk_live_1", SecretKey: "sk_live_1"}, PID: 7,
	}
	file, err := local.Write(dir, server)
	require.NoError(t, err)
	got, err := local.Read(dir)
	require.NoError(t, err)
	assert.Equal(t, server, got)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "only its owner reads the keys")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(format, server), "sk_")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

// listener is a server that listens until the test ends it.
func listener(t *testing.T, pid int) (local.Server, func()) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return local.Server{URL: "http://" + l.Addr().String(), PID: pid}, func() { require.NoError(t, l.Close()) }
}

func write(t *testing.T, dir string, s local.Server, age time.Duration) string {
	t.Helper()
	file, err := local.Write(dir, s)
	require.NoError(t, err)
	then := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC).Add(-age)
	require.NoError(t, os.Chtimes(file, then, then))
	return file
}

func found(t *testing.T, dir string) string {
	t.Helper()
	s, err := local.Read(dir)
	require.NoError(t, err)
	return s.URL
}

func TestAServerThatStillRunsIsNotForgottenWhenAnotherEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, _ := listener(t, 1)
	second, endSecond := listener(t, 2)
	third, endThird := listener(t, 3)
	write(t, dir, first, 3*time.Hour)
	secondFile := write(t, dir, second, 2*time.Hour)
	write(t, dir, third, time.Hour)
	assert.Equal(t, third.URL, found(t, dir), "the last one that started")

	endThird() // killed: nothing removes its file
	assert.Equal(t, second.URL, found(t, dir))
	endSecond()
	require.NoError(t, local.Remove(secondFile))
	require.NoError(t, local.Remove(secondFile), "it has gone already")
	assert.Equal(t, first.URL, found(t, dir))

	fourth, _ := listener(t, 4)
	write(t, dir, fourth, 0)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "that of the killed one was swept away")
}

// A server that is started again at once writes before the one that ends has removed what
// it wrote.
func TestAServerStartedAgainIsNotForgottenByTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, _ := listener(t, 1)
	before := write(t, dir, server, time.Hour)
	server.PID = 2
	write(t, dir, server, 0)
	require.NoError(t, local.Remove(before))
	s, err := local.Read(dir)
	require.NoError(t, err)
	assert.Equal(t, 2, s.PID)
}

func TestAFileThatIsNoServersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1-1.json"), []byte("{}"), 0o600))
	_, err := local.Read(dir)
	require.ErrorContains(t, err, "is not what intram serve writes: remove it")
}
