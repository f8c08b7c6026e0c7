package boltjournal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/batchtest"
	"github.com/intram/intram-go/batch/boltjournal"
)

func TestTheJournalIsOne(t *testing.T) {
	t.Parallel()
	batchtest.TestJournal(t, func(t *testing.T) batchtest.Store {
		path := filepath.Join(t.TempDir(), "journal")
		return batchtest.Store{Open: func(*testing.T) batch.Journal { return boltjournal.At(path) }}
	})
}

// A file whose name is lost when the power fails is a batch that was never begun.
func TestTheNameOfAJournalIsOnTheDiskBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	begin := batch.Binding{Version: 2, Environment: intram.Sandbox}
	var synced []string
	journal := boltjournal.At(filepath.Join(folder, "journal")).WithSync(func(path string) error {
		synced = append(synced, path)
		return nil
	})
	held, err := journal.Acquire(t.Context(), begin)
	require.NoError(t, err)
	assert.Equal(t, []string{folder}, synced)
	require.NoError(t, held.Release())

	failed := errors.New("the disk is gone")
	_, err = journal.WithSync(func(string) error { return failed }).Acquire(t.Context(), begin)
	require.ErrorIs(t, err, failed)
	held, err = journal.Acquire(t.Context(), begin)
	require.NoError(t, err, "a journal that could not be used is free")
	require.NoError(t, held.Release())
}

// A file has two headers, and the second is on the second page, whose size is that of the
// machine that began the journal.
func TestAJournalIsReadByItsSecondHeader(t *testing.T) {
	t.Parallel()
	for size := 1 << 10; size <= 1<<16; size <<= 1 {
		path := filepath.Join(t.TempDir(), "journal")
		db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: size})
		require.NoError(t, err)
		require.NoError(t, db.Close())
		begin := batch.Binding{Version: 2, SHA256: "lines", Environment: intram.Sandbox}
		held, err := boltjournal.At(path).Acquire(t.Context(), begin)
		require.NoError(t, err)
		for range 2 { // both headers know the line
			require.NoError(t, held.Put(t.Context(), 1, batch.Record{State: batch.Paid}))
		}
		require.NoError(t, held.Release())
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = file.WriteAt(make([]byte, 64), 16)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		held, err = boltjournal.At(path).Acquire(t.Context(), begin)
		require.NoError(t, err, "pages of %d bytes", size)
		records, err := held.Records(t.Context())
		require.NoError(t, err)
		assert.Len(t, records, 1)
		require.NoError(t, held.Release())
	}
}

// bbolt finds keys that are out of order in another goroutine, which goes on reading the
// file after the open has failed. So the check finds them first.
func TestKeysInAnotherOrderAreFoundBeforeBboltReadsThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	held, err := boltjournal.At(path).Acquire(t.Context(), batch.Binding{Version: 2, SHA256: "lines", Environment: intram.Sandbox})
	require.NoError(t, err)
	const first = 100_000 // no number of a page
	for line := range 300 {
		require.NoError(t, held.Put(t.Context(), first+line, batch.Record{State: batch.Paid}))
	}
	require.NoError(t, held.Release())
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range 299 { // the last one stays the last
		key := binary.BigEndian.AppendUint64(nil, uint64(first+line))
		data := bytes.Clone(good)
		for at := 0; ; {
			next := bytes.Index(data[at:], key)
			if next < 0 {
				break
			}
			at += next
			data[at] = 0x80 // behind all others
			at += len(key)
		}
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := boltjournal.At(path).Acquire(t.Context(), batch.Binding{})
		require.ErrorIs(t, err, batch.ErrDamaged, "line %d", line)
		require.ErrorContains(t, err, "in another order", "line %d", line)
	}
}
