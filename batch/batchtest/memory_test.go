package batchtest_test

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"testing"

	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/batchtest"
)

// memory is a journal as a database would keep one: rows, and a lease whose token each
// write is compared with.
type memory struct {
	mu      sync.Mutex
	token   int // of the run that holds it
	free    bool
	begun   *batch.Binding
	records map[int][]byte
}

type lease struct {
	*memory

	token int
}

func (m *memory) Acquire(_ context.Context, begin batch.Binding) (batch.Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.free {
		return nil, batch.ErrLocked
	}
	if m.begun == nil {
		m.begun, m.records = &begin, map[int][]byte{}
	}
	m.free = false
	m.token++
	return &lease{m, m.token}, nil
}

func (l *lease) Binding() batch.Binding { return *l.begun }

func (l *lease) Records(context.Context) (map[int]batch.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := map[int]batch.Record{}
	for line, data := range maps.All(l.records) {
		var record batch.Record
		if err := json.Unmarshal(data, &record); err != nil {
			return nil, err
		}
		records[line] = record
	}
	return records, nil
}

func (l *lease) Put(_ context.Context, line int, record batch.Record) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token != l.memory.token {
		return batch.ErrLost
	}
	l.records[line] = data
	return nil
}

func (l *lease) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = l.free || l.token == l.memory.token
	return nil
}

func ExampleTestJournal() {
	_ = func(t *testing.T) { // TestMyJournal
		batchtest.TestJournal(t, func(*testing.T) batchtest.Store {
			m := &memory{free: true}
			return batchtest.Store{
				Open:   func(*testing.T) batch.Journal { return m },
				Expire: func(*testing.T) { m.mu.Lock(); defer m.mu.Unlock(); m.free = true },
			}
		})
	}
	// Output:
}

func TestAJournalInMemoryPasses(t *testing.T) {
	t.Parallel()
	batchtest.TestJournal(t, func(*testing.T) batchtest.Store {
		m := &memory{free: true}
		return batchtest.Store{
			Open:   func(*testing.T) batch.Journal { return m },
			Expire: func(*testing.T) { m.mu.Lock(); defer m.mu.Unlock(); m.free = true },
		}
	})
}
