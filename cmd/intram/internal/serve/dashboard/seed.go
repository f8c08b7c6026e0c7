package dashboard

import "crypto/rand"

// newSecret is what nobody can guess.
func newSecret() string { return rand.Text() }
