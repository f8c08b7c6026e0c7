package sqlinbox

import "crypto/rand"

// newToken returns the unique token of a claim. It need not be secret, but must never
// repeat.
func newToken() string { return rand.Text() }
