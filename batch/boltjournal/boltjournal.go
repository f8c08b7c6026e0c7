// Package boltjournal keeps the journal of a batch in a bbolt file. The file is locked:
// one process holds it at a time.
//
// It reads and continues the journals that the intram command has written, including
// those of version 0.1.0.
package boltjournal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/intram/intram-go/batch"
)

// Journal is a journal in a file. It implements [batch.Journal].
type Journal struct {
	path       string
	syncFolder func(path string) error
}

// At returns the journal at a path. The file is created and locked when a batch is opened
// with it. Only its owner can read it.
func At(path string) Journal { return Journal{path, syncFolder} }

// unchecked is the format of intram 0.1.0, whose records have no checksums and are not
// counted.
const unchecked = 1

var (
	metaBucket = []byte("meta")
	lineBucket = []byte("lines")
	bindingKey = []byte("binding")
	countKey   = []byte("count") // the number of records: a page that lost some is detected
)

// lockWait is how long Acquire waits for a journal that another process holds.
const lockWait = 200 * time.Millisecond

// Acquire implements [batch.Journal]. It locks the file until the batch is closed. If the
// file is damaged, the error wraps [batch.ErrDamaged] and names the file.
func (j Journal) Acquire(_ context.Context, begin batch.Binding) (_ batch.Held, err error) {
	// The file was checked, but the disk may fail later: bbolt panics at a damaged page.
	defer func() {
		if r := recover(); r != nil {
			err = damaged(j.path, fmt.Errorf("%v", r))
		}
	}()
	if err := checkJournal(j.path); err != nil {
		return nil, err
	}
	db, err := openBolt(j.path, &bolt.Options{Timeout: lockWait, NoFreelistSync: true})
	if err != nil {
		return nil, err
	}
	// Many workers write at once: writes that arrive together share one sync of the disk.
	db.MaxBatchDelay = 2 * time.Millisecond
	h := &held{db: db}
	if err := h.bind(begin); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// The file's own bytes are on the disk; its name must be too.
	if err := j.syncFolder(filepath.Dir(j.path)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return h, nil
}

// openBolt opens the file. Its error names what is wrong with it.
func openBolt(path string, options *bolt.Options) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w (%s)", batch.ErrLocked, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, damaged(path, err)
	case err != nil:
		return nil, fmt.Errorf("boltjournal: the journal cannot be opened: %w", err)
	}
	return db, nil
}

// damaged returns the error for a journal that cannot be read, with what to do about it.
func damaged(path string, err error) error {
	return fmt.Errorf("%w: %s (%w); restore a copy of it, or compare the list of operations with the lines before you remove it",
		batch.ErrDamaged, path, err)
}

// syncFolder makes the file's directory entry durable. Windows has no such call, and
// needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path) //nolint:gosec // the folder of the user's own file
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// held is an open journal.
type held struct {
	db      *bolt.DB
	binding batch.Binding
}

// bind writes what a new journal belongs to, or reads it from an existing one.
func (h *held) bind(begin batch.Binding) error {
	path := h.db.Path()
	return h.db.Update(func(tx *bolt.Tx) error {
		if meta := tx.Bucket(metaBucket); meta != nil {
			if tx.Bucket(lineBucket) == nil || json.Unmarshal(meta.Get(bindingKey), &h.binding) != nil {
				return damaged(path, errors.New("it has no binding"))
			}
			return nil
		}
		// An empty file is new, or its run was cut off before it wrote anything.
		empty := true
		_ = tx.ForEach(func([]byte, *bolt.Bucket) error { empty = false; return nil }) // the function returns no error
		if !empty {
			return damaged(path, errors.New("it belongs to another program"))
		}
		h.binding = begin
		data, err := json.Marshal(begin)
		if err != nil {
			return err
		}
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(lineBucket); err != nil {
			return err
		}
		return meta.Put(bindingKey, data)
	})
}

// Binding implements [batch.Held].
func (h *held) Binding() batch.Binding { return h.binding }

// Release implements [batch.Held].
func (h *held) Release() error { return h.db.Close() }

// checked reports whether records have checksums and are counted.
func (h *held) checked() bool { return h.binding.Version != unchecked }

// Put implements [batch.Held].
func (h *held) Put(_ context.Context, line int, r batch.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(h.db.Path(), fmt.Errorf("%v", p))
		}
	}()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if h.checked() {
		data = fmt.Appendf(nil, "%08x %s", crc32.Checksum(data, castagnoli), data)
	}
	return h.db.Batch(func(tx *bolt.Tx) error {
		lines, meta := tx.Bucket(lineBucket), tx.Bucket(metaBucket)
		if h.checked() && lines.Get(lineKey(line)) == nil {
			if err := meta.Put(countKey, lineKey(count(meta)+1)); err != nil {
				return err
			}
		}
		return lines.Put(lineKey(line), data)
	})
}

// castagnoli is the table of the records' checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Records implements [batch.Held].
func (h *held) Records(context.Context) (_ map[int]batch.Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(h.db.Path(), fmt.Errorf("%v", p))
		}
	}()
	records := map[int]batch.Record{}
	err = h.db.View(func(tx *bolt.Tx) error {
		err := tx.Bucket(lineBucket).ForEach(func(key, data []byte) error {
			r, err := h.record(data)
			if err != nil || len(key) != 8 {
				return damaged(h.db.Path(), errors.New("a record cannot be read"))
			}
			records[int(binary.BigEndian.Uint64(key))] = r //nolint:gosec // written by lineKey
			return nil
		})
		if n := count(tx.Bucket(metaBucket)); err == nil && h.checked() && n != len(records) {
			return damaged(h.db.Path(), fmt.Errorf("records are missing: it has %d of %d", len(records), n))
		}
		return err
	})
	return records, err
}

// count is how many records were written.
func count(meta *bolt.Bucket) int {
	data := meta.Get(countKey)
	if len(data) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(data)) //nolint:gosec // written by lineKey
}

// record reads a record. A record that has changed is an error: one digit more or less in
// a key would be a second payout.
func (h *held) record(data []byte) (r batch.Record, err error) {
	if h.checked() {
		sum, rest, found := bytes.Cut(data, []byte(" "))
		if !found || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(rest, castagnoli)) {
			return r, errors.New("the checksum does not match")
		}
		data = rest
	}
	return r, json.Unmarshal(data, &r)
}

// lineKey encodes a line number so that keys sort like numbers.
func lineKey(line int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(line)) //nolint:gosec // line numbers begin at 1
}
