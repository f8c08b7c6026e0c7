//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package serve

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second server away from a state file. It ends with the process, however
// that ends.
func lock(path string) (release func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the file that the user has named
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("--state: another intram serve is using %s", path)
	}
	return func() { _ = f.Close() }, nil
}
