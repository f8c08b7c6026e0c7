// Package durable writes files that are whole whatever happens.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Replace writes a file in one step, so that it is whole whatever happens, and only its
// owner can read it. On Windows, those can read it who can read its folder. When it
// returns, the file and its name are on the disk.
func Replace(path string, data []byte) error { return machine.replace(path, data) }

// disk is what Replace asks of the operating system. Tests replace it.
type disk struct {
	rename     func(from, to string) error
	syncFolder func(path string) error
	// isOpen reports whether a rename failed because another program has the file open.
	isOpen func(error) bool
	pause  func(time.Duration)
}

var machine = disk{rename: os.Rename, syncFolder: syncFolder, isOpen: isOpen, pause: pause}

func (d disk) replace(path string, data []byte) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = d.renameOver(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return d.syncFolder(folder)
}

// renameOver tries for a second: Windows replaces no file that is open, and virus
// scanners and indexers open each file for a moment after it was written.
func (d disk) renameOver(from, to string) error {
	err := d.rename(from, to)
	for wait := time.Millisecond; err != nil && d.isOpen(err) && wait <= 512*time.Millisecond; wait *= 2 {
		d.pause(wait)
		err = d.rename(from, to)
	}
	return err
}

// syncFolder makes the names in a folder durable. Windows has no such call and needs
// none, and some file systems have none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path) //nolint:gosec // the folder of the user's own file
	if err != nil {
		return err
	}
	synced := f.Sync()
	if errors.Is(synced, errors.ErrUnsupported) || errors.Is(synced, syscall.EINVAL) {
		synced = nil
	}
	return errors.Join(synced, f.Close())
}
