package sheet

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes a file in one step, so that it is whole whatever happens, and only its owner can read it. When it returns, the file and
// its name are on the disk.
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

// syncFolder makes the names in a folder durable. Windows has no such call, and needs none.
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
