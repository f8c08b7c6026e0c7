package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/durable"
)

func TestAFileIsReplacedInOneStep(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "r.csv")
	require.NoError(t, os.WriteFile(path, []byte("older"), 0o644)) // an earlier version wrote it
	require.NoError(t, os.Chmod(path, 0o644))
	var synced []string
	sync := func(path string) error { synced = append(synced, path); return nil }
	require.NoError(t, durable.ReplaceFile(path, []byte("newer"), sync))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "newer", string(data))
	assert.Equal(t, []string{folder}, synced, "the name is on the disk too")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "who was paid what is its owner's alone to read")

	failed := errors.New("the disk is gone")
	require.ErrorIs(t, durable.ReplaceFile(path, nil, func(string) error { return failed }), failed)
	require.Error(t, durable.Replace(filepath.Join(path, "x"), nil))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "taken"), 0o700))
	require.Error(t, durable.Replace(filepath.Join(folder, "taken"), nil))
	require.Error(t, durable.SyncFolder(filepath.Join(folder, "none")))
	left, err := filepath.Glob(filepath.Join(folder, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, durable.Replace(filepath.Join(folder, "real"), []byte("x")))
}

// As on Windows, where a scanner has the file open for a moment after each write.
func TestAFileThatIsOpenIsReplacedWhenItIsClosed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "state.json")
	require.NoError(t, durable.Replace(path, []byte("older")))
	waited, err := durable.ReplaceBusyFile(path, []byte("newer"), 4, durable.ErrOpen)
	require.NoError(t, err)
	assert.Equal(t, 15*time.Millisecond, waited, "1, 2, 4 and 8 ms")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "newer", string(data))

	waited, err = durable.ReplaceBusyFile(path, []byte("newest"), 1000, durable.ErrOpen)
	require.ErrorIs(t, err, durable.ErrOpen)
	assert.Equal(t, 1023*time.Millisecond, waited, "a second, and no longer")

	other := errors.New("the disk is gone")
	waited, err = durable.ReplaceBusyFile(path, []byte("newest"), 1, other)
	require.ErrorIs(t, err, other)
	assert.Zero(t, waited, "waiting helps a file that is open, and nothing else")
	left, err := filepath.Glob(filepath.Join(folder, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}
