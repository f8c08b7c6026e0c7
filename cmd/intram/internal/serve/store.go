package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/intram/intram-go/internal/mockapi"
)

// store keeps a server's state in a file. What was answered is in it: an answer waits until the state that it speaks of is on the disk.
// What happens between two answers (an operation that ends, an attempt to deliver) is saved at once too, and nobody waits for it.
type store struct {
	path string
	core *mockapi.Server

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

// start saves the state once, to find out now what would go wrong, and then after every change.
func (st *store) start(core *mockapi.Server) error {
	st.core = core
	if err := st.save(); err != nil {
		return err
	}
	st.done.Go(st.keep)
	return nil
}

func (st *store) keep() {
	for {
		changed := st.core.Changed()
		if err := st.save(); err != nil {
			st.failed <- err // nothing more is saved, and so nothing more is answered
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
	data, version, err := st.core.Save()
	if err == nil {
		err = writeFile(st.path, data)
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.saved = version + 1
	st.moved.Broadcast()
	return nil
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

// release lets go of whoever still waits: the server is closed, and their answers go nowhere.
func (st *store) release() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ended = true
	st.moved.Broadcast()
}

// close saves what is left and ends.
func (st *store) close() error {
	var err error
	st.once.Do(func() {
		close(st.stop)
		st.done.Wait()
		err = st.save()
	})
	return err
}

// writeFile replaces a file in one step: after a crash at any moment it is the old one or the new one, whole. Only its owner
// can read it.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if d, err := os.Open(dir); err == nil { //nolint:gosec // the directory that was just written to
		_ = d.Sync() // not every file system can, and the file itself is written
		_ = d.Close()
	}
	return nil
}
