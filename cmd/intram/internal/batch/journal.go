package batch

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	intram "github.com/intram/intram-go"
)

// Errors of opening a journal.
var (
	// ErrLocked: another process has it open.
	ErrLocked = errors.New("another run is at work on this file: wait until it has ended; it cannot be run twice at once")
	// ErrOtherFile: the journal was begun for another content, other keys or the other environment.
	ErrOtherFile = errors.New("the journal belongs to another file")
)

// State is how far a line has come. An absent record is a line that was never sent.
type State string

// The states of a line.
const (
	Intended State = "intended" // written down; it may have been sent
	Accepted State = "accepted" // the API has it; it has not ended yet
	Paid     State = "paid"
	Queued   State = "queued_for_settlement" // a bank has it, and has not paid yet
	Failed   State = "failed"                // the operation ended, and no money moved
	Refused  State = "refused"               // the API refused the call, and no money moved
	// NotSent, InDoubt and Unfinished are how a result tells an absent, an intended and an accepted line.
	NotSent    State = "not_sent"
	InDoubt    State = "in_doubt"
	Unfinished State = "unfinished"
)

// Ended reports whether nothing more happens to the line.
func (s State) Ended() bool { return s == Paid || s == Queued || s == Failed || s == Refused }

// Record is what the journal knows of a line.
type Record struct {
	State  State          `json:"state"`
	Intent *intram.Intent `json:"intent,omitempty"`
	// Generation counts the intents that grew too old without a payout.
	Generation           int              `json:"generation,omitempty"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	Code                 intram.ErrorCode `json:"code,omitempty"`
	Fees                 string           `json:"fees,omitempty"`
}

// Binding is what a journal belongs to.
type Binding struct {
	Version     int                `json:"version"`
	SHA256      string             `json:"sha256"` // of the file
	Lines       int                `json:"lines"`
	Environment intram.Environment `json:"environment"`
	PublicKey   string             `json:"public_key"`
}

// Journal is the record on disk of what was sent. What it has taken is on the disk before it says so.
type Journal struct{ db *bolt.DB }

var (
	metaBucket = []byte("meta")
	lineBucket = []byte("lines")
	bindingKey = []byte("binding")
)

// lockWait is how long a journal that another process holds is waited for.
const lockWait = 200 * time.Millisecond

// OpenJournal opens the journal of a file, or begins it. One process can have it open.
func OpenJournal(path string, binding Binding) (*Journal, error) {
	binding.Version = 1
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, NoFreelistSync: true})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%s is no journal, or was damaged: it was not written by intram payouts batch", path)
	case err != nil:
		return nil, fmt.Errorf("the journal cannot be opened: %w", err)
	}
	// Many workers write at once: what comes together shares a sync of the disk.
	db.MaxBatchDelay = 2 * time.Millisecond
	j := &Journal{db: db}
	if err := j.bind(path, binding); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return j, nil
}

// syncFolder has the folder remember the file when the power fails. Windows knows no such thing, and needs none.
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

// bind writes down what the journal belongs to, or compares.
func (j *Journal) bind(path string, binding Binding) error {
	return j.db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucketIfNotExists(lineBucket); err != nil {
			return err
		}
		data := meta.Get(bindingKey)
		if data == nil {
			if data, err = json.Marshal(binding); err != nil {
				return err
			}
			return meta.Put(bindingKey, data)
		}
		var found Binding
		if err := json.Unmarshal(data, &found); err != nil {
			return fmt.Errorf("%s is no journal of intram payouts batch", path)
		}
		return found.compare(path, binding)
	})
}

// compare says in which way a journal is not that of a run.
func (b Binding) compare(path string, with Binding) error {
	const advice = "if this is a new batch, give it a name of its own; if lines were corrected, put those that failed into a new file with new references"
	switch {
	case b.Version != with.Version:
		return fmt.Errorf("%s: %w: it was written by another version of intram", path, ErrOtherFile)
	case b.Environment != with.Environment:
		return fmt.Errorf("%s: %w: it was begun in the %s environment, and these keys are %s", path, ErrOtherFile, b.Environment, with.Environment)
	case b.PublicKey != with.PublicKey:
		return fmt.Errorf("%s: %w: it was begun with another public key", path, ErrOtherFile)
	case b.SHA256 != with.SHA256:
		return fmt.Errorf("%s: %w: the file has changed since the batch was begun: put it back as it was; %s", path, ErrOtherFile, advice)
	}
	return nil
}

// Close gives the journal back.
func (j *Journal) Close() error { return j.db.Close() }

// Put writes a line's record, and returns when it is on the disk.
func (j *Journal) Put(line int, r Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = j.db.Batch(func(tx *bolt.Tx) error { return tx.Bucket(lineBucket).Put(lineKey(line), data) })
	if err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	return nil
}

// Records reads all records, by the number of their line.
func (j *Journal) Records() (map[int]Record, error) {
	records := map[int]Record{}
	err := j.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(lineBucket).ForEach(func(key, data []byte) error {
			var r Record
			if err := json.Unmarshal(data, &r); err != nil || len(key) != 8 {
				return errors.New("a record of the journal cannot be read")
			}
			records[int(binary.BigEndian.Uint64(key))] = r //nolint:gosec // written by lineKey
			return nil
		})
	})
	return records, err
}

func lineKey(line int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(line)) //nolint:gosec // line numbers begin at 1
}
