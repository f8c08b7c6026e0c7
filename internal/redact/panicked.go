package redact

import (
	"fmt"
	"runtime"
)

// Panicked returns the error of a function, named at the beginning of a sentence, that
// panicked with a value. Only the runtime's own words are shown: the rest may be
// anything, a secret or a customer's name included.
func Panicked(function string, value any) error {
	if err, ok := value.(runtime.Error); ok {
		return Wrap(function+" panicked", err)
	}
	return Sentinel(fmt.Sprintf("%s panicked with a %T", function, value))
}
