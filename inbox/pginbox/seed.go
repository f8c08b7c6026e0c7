package pginbox

import "crypto/rand"

// newToken makes what tells a claim from every other. Nobody has to be kept from guessing
// it; no two may ever be the same.
func newToken() string { return rand.Text() }
