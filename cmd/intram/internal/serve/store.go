package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/intram/intram-go/cmd/intram/internal/durable"
	"github.com/intram/intram-go/internal/mockapi"
)

// store keeps a server's state in a file. A response waits until the state that it
// reports is on the disk. Changes between two responses (an operation that ends, an
// attempt to deliver) are saved at once too, and no call waits for them.
//
// The file begins with a complete state in one line, and each save appends a line with
// the changes, so that the cost of a call depends on what it changes. When the lines are
// longer than the state, the file is replaced by one with the state alone, as at the
// beginning and at the end. A line torn by a crash belongs to a call that had no
// response.
type store struct {
	path     string
	core     *mockapi.Server
	recorder *mockapi.Recorder
	log      *os.File     // what is appended to; nil until a whole state is there
	room     int64        // how many bytes may be appended before the file is replaced
	written  atomic.Int64 // bytes so far

	kick   chan struct{} // something is waiting to be saved
	stop   chan struct{}
	failed chan error // the state could not be written; the server must end
	done   sync.WaitGroup
	once   sync.Once

	mu    sync.Mutex
	moved *sync.Cond
	saved uint64 // the version that is on the disk, and one more: 0 is none
	ended bool
}

// statePath is the file behind --state, which may name a directory.
func statePath(flag string) string {
	if info, err := os.Stat(flag); err == nil && info.IsDir() || strings.HasSuffix(flag, string(filepath.Separator)) {
		return filepath.Join(flag, "state.json")
	}
	return flag
}

// readState reads a saved state; nil when there is none yet.
func readState(path string) ([]byte, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the file that the user has named
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func newStore(path string) *store {
	st := &store{path: path, kick: make(chan struct{}, 1), stop: make(chan struct{}), failed: make(chan error, 1)}
	st.moved = sync.NewCond(&st.mu)
	return st
}

// leastRoom is how many bytes are appended at least before the file is replaced.
const leastRoom = 1 << 20

// start saves the state once, to find out now what would go wrong, and then after every
// change.
func (st *store) start(core *mockapi.Server) error {
	st.begin(core)
	if err := st.save(); err != nil {
		return err
	}
	st.done.Go(st.keep)
	return nil
}

func (st *store) begin(core *mockapi.Server) { st.core, st.recorder = core, core.Record() }

func (st *store) keep() {
	for {
		changed := st.core.Changed()
		if err := st.save(); err != nil {
			st.failed <- err // nothing more is saved, and so no call gets a response any more
			return
		}
		select {
		case <-changed:
		case <-st.kick:
		case <-st.stop:
			return
		}
	}
}

// save writes the state when it is newer than what is on the disk.
func (st *store) save() error {
	st.mu.Lock()
	current := st.saved == st.core.Version()+1
	st.mu.Unlock()
	if current {
		return nil
	}
	version, err := st.append()
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.saved = version + 1
	st.moved.Broadcast()
	return nil
}

// append writes a line with what has changed, or replaces the file when that is due or
// the file is no longer the one that was written.
func (st *store) append() (version uint64, err error) {
	if !st.appendable() {
		return st.replace()
	}
	line, version, err := st.recorder.Changes()
	if err != nil {
		return 0, err
	}
	n, err := st.log.Write(append(line, '\n'))
	st.written.Add(int64(n))
	st.room -= int64(n)
	if err == nil {
		err = st.log.Sync()
	}
	return version, err
}

// appendable reports whether a line in the file is where the next start will look for it,
// and whether there is room for it.
func (st *store) appendable() bool {
	if st.log == nil || st.room <= 0 {
		return false
	}
	ours, err := st.log.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(st.path)
	return err == nil && os.SameFile(ours, there)
}

// replace writes the whole state into a new file, which takes the old one's place in one
// step.
func (st *store) replace() (version uint64, err error) {
	data, version, err := st.recorder.Whole()
	if err != nil {
		return 0, err
	}
	st.closeLog()
	if err := writeFile(st.path, append(data, '\n')); err != nil {
		return 0, err
	}
	st.written.Add(int64(len(data) + 1))
	st.room = max(int64(len(data)), leastRoom)
	st.log, err = os.OpenFile(st.path, os.O_WRONLY|os.O_APPEND, 0o600)
	return version, err
}

func (st *store) closeLog() {
	if st.log != nil {
		_ = st.log.Close() // each line is on the disk already
		st.log = nil
	}
}

// committed returns when the present state is on the disk, or when the server has ended.
func (st *store) committed() {
	version := st.core.Version() + 1
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.saved < version && !st.ended {
		select {
		case st.kick <- struct{}{}:
		default: // it has been told
		}
		st.moved.Wait()
	}
}

// release lets go of the callers that still wait: the server is closed, and their
// responses go nowhere.
func (st *store) release() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ended = true
	st.moved.Broadcast()
}

// close saves what is left and ends, with a whole state in the file: so an earlier
// version, and jq, can read it.
func (st *store) close() error {
	var err error
	st.once.Do(func() {
		close(st.stop)
		st.done.Wait()
		if _, err = st.replace(); err != nil {
			err = fmt.Errorf("--state: %w", err)
		}
		st.closeLog()
	})
	return err
}

// writeFile replaces a file in one step, in a folder that is made if it is not there.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.Replace(path, data)
}
