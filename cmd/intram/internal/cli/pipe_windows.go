package cli

import (
	"errors"
	"syscall"
)

// Errors that package syscall does not name: ERROR_NO_DATA, "the pipe is being closed",
// and ERROR_PIPE_NOT_CONNECTED.
const (
	errNoData       = syscall.Errno(232)
	errNotConnected = syscall.Errno(233)
)

// noReader reports whether a write failed because the pipe's reader has gone.
func noReader(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errNoData) || errors.Is(err, errNotConnected)
}
