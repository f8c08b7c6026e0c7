package system

import (
	cryptorand "crypto/rand"
	"math/rand/v2"

	"github.com/google/uuid"
)

// Jitter returns a random number in [0, 1). It is the SDK's only randomness besides the
// UUIDs of keys and references.
func Jitter() float64 { return rand.Float64() } //nolint:forbidigo // no money

// UUID returns a random UUID of version 4 (RFC 9562), as uuid.NewRandom does, without
// allocating.
func UUID() (uuid.UUID, error) {
	var id uuid.UUID
	if _, err := cryptorand.Read(id[:]); err != nil {
		return uuid.Nil, err
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id, nil
}
