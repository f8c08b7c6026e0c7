package mockapi

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
)

// entropy is the server's only randomness. Everything it draws (keys, ids, references, secrets) follows
// from one seed, so that a failing test can be run again with the same ones.
type entropy struct {
	mu     sync.Mutex
	seed   uint64
	source rand.PCG
}

func newEntropy(seed uint64) (*entropy, error) {
	for seed == 0 {
		var b [8]byte
		if _, err := cryptorand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("mockapi: drawing a seed: %w", err)
		}
		seed = binary.LittleEndian.Uint64(b[:])
	}
	e := &entropy{seed: seed}
	e.source.Seed(seed, 0)
	return e, nil
}

// id is prefix followed by n hexadecimal digits.
func (e *entropy) id(prefix string, n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, len(prefix)+n)
	copy(b, prefix)
	e.mu.Lock()
	defer e.mu.Unlock()
	var bits uint64
	for i := range n {
		if i%16 == 0 {
			bits = e.source.Uint64()
		}
		b[len(prefix)+i] = digits[bits&15]
		bits >>= 4
	}
	return string(b)
}

// reference is a public transaction reference: 10 characters of A-Z and 0-9.
func (e *entropy) reference() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var b [10]byte
	e.mu.Lock()
	defer e.mu.Unlock()
	bits := e.source.Uint64() // 36^10 < 2^52: one draw is enough
	for i := range b {
		b[i] = letters[bits%uint64(len(letters))]
		bits /= uint64(len(letters))
	}
	return string(b[:])
}

func (e *entropy) state() rand.PCG {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.source
}

func (e *entropy) restore(state rand.PCG) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.source = state
}
