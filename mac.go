package intram

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// macPool computes HMAC-SHA256 under one key. Setting up a keyed hash costs more than hashing a payout,
// so the states are kept and reset.
type macPool struct{ states sync.Pool }

// macState is one keyed hash with room for what is fed to it and read from it.
type macState struct {
	hash hash.Hash
	buf  []byte
	sum  [sha256.Size]byte
}

func newMACPool(key string) *macPool {
	return &macPool{states: sync.Pool{New: func() any {
		h := hmac.New(sha256.New, []byte(key))
		h.Reset() // the first Reset saves the keyed state, later ones restore it
		return &macState{hash: h, buf: make([]byte, 0, 256)}
	}}}
}

func (p *macPool) get() *macState {
	s, _ := p.states.Get().(*macState) // New makes nothing else
	s.hash.Reset()
	s.buf = s.buf[:0]
	return s
}

func (p *macPool) put(s *macState) { p.states.Put(s) }

// finish returns the sum of all that was written. It is valid until the state is put back.
func (s *macState) finish() []byte { return s.hash.Sum(s.sum[:0]) }

// newTestMAC is a keyed hash for what signs in the place of Intram, in tests: with any secret. Go's
// strict FIPS mode would panic at a short one.
func newTestMAC(secret string) (mac hash.Hash) {
	fips140.WithoutEnforcement(func() { mac = hmac.New(sha256.New, []byte(secret)) })
	return mac
}
