// Package durable writes files that are whole whatever happens.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Replace writes a file in one step, so that it is whole whatever happens, and only its
// owner can read it. When it returns, the file and its name are on the disk.
func Replace(path string, data []byte) error { return replaceFile(path, data, syncFolder) }

func replaceFile(path string, data []byte, syncFolder func(string) error) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder)
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
