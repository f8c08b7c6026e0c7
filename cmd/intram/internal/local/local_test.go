package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/local"
)

func TestAServerIsFoundByWhatItWrote(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "intram", "local.json")
	_, err := local.Read(path)
	require.ErrorIs(t, err, local.ErrNotRunning)

	server := local.Server{
		URL:     "http://127.0.0.1:4010",
		Sandbox: local.Keys{PublicKey: "pk_sandbox_1", SecretKey: "sk_sandbox_1", PayinAPIKey: "a", PayinAPIClient: "b"},
		Live:    local.Keys{PublicKey: "pk_live_1", SecretKey: "sk_live_1"}, PID: 7,
	}
	require.NoError(t, local.Write(path, server))
	got, err := local.Read(path)
	require.NoError(t, err)
	assert.Equal(t, server, got)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "only its owner reads the keys")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(format, server), "sk_")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".local-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestAServerRemovesOnlyItsOwnState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "local.json")
	require.NoError(t, local.Remove(path, "http://127.0.0.1:1"), "nothing there is fine")
	require.NoError(t, local.Write(path, local.Server{URL: "http://127.0.0.1:2"}))
	require.NoError(t, local.Remove(path, "http://127.0.0.1:1"))
	_, err := local.Read(path)
	require.NoError(t, err, "it is another server's")
	require.NoError(t, local.Remove(path, "http://127.0.0.1:2"))
	_, err = local.Read(path)
	require.ErrorIs(t, err, local.ErrNotRunning)
}

func TestAStateFileThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "local.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	_, err := local.Read(path)
	require.ErrorContains(t, err, "start intram serve again")
}
