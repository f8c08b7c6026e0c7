package mockapi

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"
)

// entropy is the server's only randomness. Everything it draws (keys, ids, references,
// secrets) follows from one seed, so that a failing test can be run again with the same
// ones.
//
// It is SplitMix64: a counter and a mixing function. That needs no lock and its state is
// one number.
type entropy struct {
	seed  uint64
	state atomic.Uint64
	// calls numbers the requests. Their ids are not drawn, so that one poll more or less
	// changes no other id.
	calls atomic.Uint64
}

func newEntropy(seed uint64) (*entropy, error) {
	for seed == 0 {
		var b [8]byte
		if _, err := cryptorand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("intramtest: drawing a seed: %w", err)
		}
		seed = binary.LittleEndian.Uint64(b[:])
	}
	e := &entropy{seed: seed}
	e.state.Store(seed)
	return e, nil
}

// refresh draws what comes next from a place that no seed leads to.
func (e *entropy) refresh() error {
	var b [16]byte
	if _, err := cryptorand.Read(b[:]); err != nil {
		return fmt.Errorf("intramtest: drawing fresh ids: %w", err)
	}
	e.state.Store(binary.LittleEndian.Uint64(b[:8]))
	e.calls.Store(binary.LittleEndian.Uint64(b[8:]))
	return nil
}

// FreshIDs makes the ids, references and secrets that come next differ from those of
// every other server with the same seed. The keys, the secrets and the subscriptions that
// exist stay. A server that forgets its state must not repeat the ids of its operations:
// a receiver that remembers events would take new ones for known.
func (s *Server) FreshIDs() error { return s.entropy.refresh() }

func (e *entropy) draw() uint64 { return mix(e.state.Add(0x9e3779b97f4a7c15)) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// id is prefix followed by n hexadecimal digits.
func (e *entropy) id(prefix string, n int) string {
	const digits = "0123456789abcdef"
	var room [64]byte
	b := append(room[:0], prefix...)
	var bits uint64
	for i := range n {
		if i%16 == 0 {
			bits = e.draw()
		}
		b = append(b, digits[bits&15])
		bits >>= 4
	}
	return string(b)
}

// requestID is the X-Request-Id of the next call.
func (e *entropy) requestID() string {
	var room [20]byte
	b := append(room[:0], "req_"...)
	bits := mix(e.seed ^ e.calls.Add(1))
	return string(strconv.AppendUint(b, bits, 16))
}

// reference is a public transaction reference: 10 characters of A-Z and 0-9.
func (e *entropy) reference() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var b [10]byte
	bits := e.draw() // 36^10 < 2^52: one draw is enough
	for i := range b {
		b[i] = letters[bits%uint64(len(letters))]
		bits /= uint64(len(letters))
	}
	return string(b[:])
}
