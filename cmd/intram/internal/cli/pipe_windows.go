package cli

import (
	"errors"
	"syscall"
)

// noData is ERROR_NO_DATA, "the pipe is being closed", which package syscall does not
// name.
const noData = syscall.Errno(232)

// noReader reports whether a write failed because the pipe's reader has gone.
func noReader(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, noData)
}
