//go:build !windows

package cli

import (
	"errors"
	"syscall"
)

// noReader reports whether a write failed because the pipe's reader has gone.
func noReader(err error) bool { return errors.Is(err, syscall.EPIPE) }
