package dashboard

import "crypto/rand"

// newSecret returns a secret that cannot be guessed.
func newSecret() string { return rand.Text() }
