package fidelity

import (
	"crypto/rand"
	"strings"
)

// NewNonce is what the keys and references of one run begin with, so that no run meets
// the keys of another.
func NewNonce() string { return strings.ToLower(rand.Text()[:12]) }
