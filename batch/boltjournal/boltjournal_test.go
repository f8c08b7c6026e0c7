package boltjournal_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
