package durable

import (
	"errors"
	"time"
)

// ReplaceFile is Replace with another way to make a folder durable.
func ReplaceFile(path string, data []byte, syncFolder func(string) error) error {
	d := machine
	d.syncFolder = syncFolder
	return d.replace(path, data)
}

// ErrOpen is the error of ReplaceBusyFile's system for a file that is open.
var ErrOpen = errors.New("the file is open")

// ReplaceBusyFile is Replace on a system that refuses the first renames. It returns how
// long was waited between them.
func ReplaceBusyFile(path string, data []byte, refusals int, refused error) (waited time.Duration, err error) {
	d, rename := machine, machine.rename
	d.rename = func(from, to string) error {
		if refusals--; refusals >= 0 {
			return refused
		}
		return rename(from, to)
	}
	d.isOpen = func(err error) bool { return errors.Is(err, ErrOpen) }
	d.pause = func(d time.Duration) { waited += d }
	err = d.replace(path, data)
	return waited, err
}

// SyncFolder makes the names in a folder durable.
var SyncFolder = syncFolder
