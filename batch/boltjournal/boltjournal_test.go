package boltjournal_test

import (
	"path/filepath"
	"testing"

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
