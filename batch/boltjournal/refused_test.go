package boltjournal_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
)

// A refused file is closed, and the second attempt fails like the first, not because
// another run holds the file.
func TestAFileThatIsRefusedIsNotHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err }))
	require.NoError(t, db.Close())
	for range 2 {
		_, err = boltjournal.At(path).Acquire(t.Context(), batch.Binding{Version: 2, Environment: intram.Sandbox})
		require.ErrorIs(t, err, batch.ErrDamaged)
	}
}
