package serve

import (
	"fmt"

	"github.com/gofrs/flock"
)

// lock keeps a second server away from a state file. It ends with the process, however
// that ends.
func lock(path string) (release func(), err error) {
	l := flock.New(path+".lock", flock.SetPermissions(0o600))
	locked, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("--state: another intram serve is using %s", path)
	}
	return func() { _ = l.Close() }, nil
}
