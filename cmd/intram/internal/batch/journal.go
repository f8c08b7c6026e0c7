package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	intram "github.com/intram/intram-go"
)

// Errors of opening a journal.
var (
	// ErrLocked: another process has it open.
	ErrLocked = errors.New("another run is at work on this file: wait until it has ended; it cannot be run twice at once")
	// ErrDamaged: what is on the disk is not what was written.
	ErrDamaged = errors.New("the journal is damaged, or is no journal of intram payouts batch")
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
	Failed   State = "failed"                // the operation ended, and failed
	Refused  State = "refused"               // the API refused the call, and no money moved
	// FailedUnclear is how a result tells a failed line whose code does not say that the operator has not paid.
	FailedUnclear State = "failed_unclear"
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

// known reports whether a record has a state that this version writes.
func (s State) known() bool {
	return slices.Contains([]State{Intended, Accepted, Paid, Queued, Failed, Refused}, s)
}

// Binding is what a journal belongs to.
type Binding struct {
	Identity

	Environment intram.Environment
	PublicKey   string
}

// savedBinding is the binding on the disk.
type savedBinding struct {
	Version int `json:"version"`
	// SHA256 is the hash of the file in version 1, and of its lines with their numbers in version 2.
	SHA256 string `json:"sha256"`
	// Keys is what the idempotency keys follow from. Version 1 has none: they follow from SHA256.
	Keys        string             `json:"keys,omitempty"`
	Environment intram.Environment `json:"environment"`
	PublicKey   string             `json:"public_key"`
}

// Versions of a journal. The first is that of intram 0.1.0: a batch that it has begun goes on with the same keys and the same
// format. Since the second, a journal belongs to the lines instead of the bytes of a file, and its records have checksums.
const (
	versionBytes = 1
	versionLines = 2
)

// Journal is the record on disk of what was sent. What it has taken is on the disk before it says so.
type Journal struct {
	db      *bolt.DB
	binding savedBinding
}

// Key makes the idempotency key of a line. It follows from the file's lines and the line's reference: a batch whose journal was
// lost, and that is run again within a day, is still the same payouts to the API. generation counts the intents that the API was
// shown never to have seen.
func (j *Journal) Key(reference string, generation int) (string, error) {
	if j.binding.Version == versionBytes {
		return intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch %s %d", j.binding.SHA256, generation), reference)
	}
	return intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch lines %s %d", j.binding.Keys, generation), sameReference(reference))
}

var (
	metaBucket = []byte("meta")
	lineBucket = []byte("lines")
	bindingKey = []byte("binding")
	countKey   = []byte("count") // of records: a page that lost some is noticed
)

// lockWait is how long a journal that another process holds is waited for.
const lockWait = 200 * time.Millisecond

// OpenJournal opens the journal of a file, or begins it. One process can have it open.
func OpenJournal(path string, binding Binding) (_ *Journal, err error) {
	// The file was checked, and the disk may fail later: bbolt panics at a page that is not what it should be.
	defer func() {
		if r := recover(); r != nil {
			err = damaged(path, fmt.Errorf("%v", r))
		}
	}()
	if err := checkJournal(path); err != nil {
		return nil, err
	}
	db, err := openBolt(path, &bolt.Options{Timeout: lockWait, NoFreelistSync: true})
	if err != nil {
		return nil, err
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

// openBolt opens the file, and names what is wrong with it.
func openBolt(path string, options *bolt.Options) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, damaged(path, err)
	case err != nil:
		return nil, fmt.Errorf("the journal cannot be opened: %w", err)
	}
	return db, nil
}

// damaged says what to do about a journal that cannot be read.
func damaged(path string, err error) error {
	return fmt.Errorf("%s: %w (%w); put back a copy of it, or look at what was paid with intram operations list --type payout "+
		"before you remove it", path, ErrDamaged, err)
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

// bind writes down what a new journal belongs to, or compares.
func (j *Journal) bind(path string, binding Binding) error {
	return j.db.Update(func(tx *bolt.Tx) error {
		if tx.Bucket(metaBucket) != nil {
			return j.rebind(path, tx, binding)
		}
		// An empty one is new, or the run that made it was cut off before it wrote anything.
		empty := true
		_ = tx.ForEach(func([]byte, *bolt.Bucket) error { empty = false; return nil }) // it returns no error itself
		if !empty {
			return damaged(path, errors.New("it is another program's"))
		}
		j.binding = savedBinding{
			Version: versionLines, SHA256: binding.Lines, Keys: binding.Keys, Environment: binding.Environment, PublicKey: binding.PublicKey,
		}
		data, err := json.Marshal(j.binding)
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

// rebind compares what a journal belongs to with what a run is for.
func (j *Journal) rebind(path string, tx *bolt.Tx, binding Binding) error {
	if tx.Bucket(lineBucket) == nil || json.Unmarshal(tx.Bucket(metaBucket).Get(bindingKey), &j.binding) != nil {
		return damaged(path, errors.New("it does not say what it belongs to"))
	}
	const advice = "if this is a new batch, give it a name of its own; if lines were corrected, put those that failed into a new file with new references"
	found, content := j.binding, binding.Lines
	if found.Version == versionBytes {
		content = binding.File
	}
	switch {
	case found.Version != versionBytes && found.Version != versionLines:
		return fmt.Errorf("%s: %w: it was written by another version of intram", path, ErrOtherFile)
	case found.Environment != binding.Environment:
		return fmt.Errorf("%s: %w: it was begun in the %s environment, and these keys are %s", path, ErrOtherFile, found.Environment, binding.Environment)
	case found.PublicKey != binding.PublicKey:
		return fmt.Errorf("%s: %w: it was begun with another public key", path, ErrOtherFile)
	case found.SHA256 != content:
		return fmt.Errorf("%s: %w: the file has changed since the batch was begun: put it back as it was; %s", path, ErrOtherFile, advice)
	}
	return nil
}

// Close gives the journal back.
func (j *Journal) Close() error { return j.db.Close() }

// Put writes a line's record, and returns when it is on the disk.
func (j *Journal) Put(line int, r Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(j.db.Path(), fmt.Errorf("%v", p))
		}
	}()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if j.binding.Version != versionBytes {
		data = fmt.Appendf(nil, "%08x %s", crc32.Checksum(data, castagnoli), data)
	}
	err = j.db.Batch(func(tx *bolt.Tx) error {
		lines, meta := tx.Bucket(lineBucket), tx.Bucket(metaBucket)
		if j.binding.Version != versionBytes && lines.Get(lineKey(line)) == nil {
			if err := meta.Put(countKey, lineKey(count(meta)+1)); err != nil {
				return err
			}
		}
		return lines.Put(lineKey(line), data)
	})
	if err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	return nil
}

// castagnoli is the table of the records' checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Records reads all records, by the number of their line.
func (j *Journal) Records() (_ map[int]Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(j.db.Path(), fmt.Errorf("%v", p))
		}
	}()
	records := map[int]Record{}
	err = j.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(lineBucket).ForEach(func(key, data []byte) error {
			r, err := j.record(data)
			if err != nil || len(key) != 8 {
				return damaged(j.db.Path(), errors.New("a record cannot be read"))
			}
			records[int(binary.BigEndian.Uint64(key))] = r //nolint:gosec // written by lineKey
			return nil
		})
	})
	if err == nil && j.binding.Version != versionBytes {
		err = j.db.View(func(tx *bolt.Tx) error {
			if n := count(tx.Bucket(metaBucket)); n != len(records) {
				return damaged(j.db.Path(), fmt.Errorf("it has %d records, and %d were written", len(records), n))
			}
			return nil
		})
	}
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

// record reads a record. What is not as it was written is no record: a digit more or less in a key is a second payout.
func (j *Journal) record(data []byte) (r Record, err error) {
	if j.binding.Version != versionBytes {
		sum, rest, found := bytes.Cut(data, []byte(" "))
		if !found || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(rest, castagnoli)) {
			return r, errors.New("the checksum is another")
		}
		data = rest
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, err
	}
	if !r.State.known() || r.State == Intended && r.Intent == nil || r.State == Accepted && r.OperationID == "" {
		return r, errors.New("it says nothing that a run can go on from")
	}
	return r, nil
}

// lineKey writes a number so that numbers sort.
func lineKey(line int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(line)) //nolint:gosec // line numbers begin at 1
}
