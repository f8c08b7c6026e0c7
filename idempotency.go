package intram

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// Bounds of an idempotency key (Merchant API docs, Request headers).
const (
	minIdempotencyKey = 8
	maxIdempotencyKey = 128

	idempotencyKeyRule = "8 to 128 characters of A-Z, a-z, 0-9, _ and -"
)

// newIdempotencyKey is the key of a call whose caller gave none: a UUID v4.
func newIdempotencyKey() (string, error) {
	id, err := randomUUID()
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// validIdempotencyKey reports whether the API takes key: 8 to 128 characters of [A-Za-z0-9_-].
func validIdempotencyKey(key string) bool {
	if len(key) < minIdempotencyKey || len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if c := key[i]; !isAlphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// DeriveIdempotencyKey makes a valid idempotency key from what a call is for ("payout", "refund") and the
// merchant's own reference of it ("PO-2026-0001"). The same two strings always make the same key, so a
// program that crashed can call again without having stored a key: within the 24 hours for which the
// API keeps keys, the call is executed once. Those hours begin with the first use of the key, by whatever
// process and intent. Where a crash may last longer, save an intent, and finish it with Resume.
//
// Use a purpose for each kind of call, and a reference that names one intent for good: a second, intended
// payout needs another reference. Neither string can be read back from the key. Both must be non-empty.
//
// Docs: Merchant API, Idempotency.
func DeriveIdempotencyKey(purpose, reference string) (_ string, err error) {
	defer markNotSent(&err)
	if purpose == "" {
		return "", errors.New("intram: purpose is empty: say what the call is for, such as \"payout\"")
	}
	if reference == "" {
		return "", errors.New("intram: reference is empty: give your own identifier of this one payout, refund or payment")
	}
	// The length keeps ("ab", "c") apart from ("a", "bc").
	material := binary.BigEndian.AppendUint64(nil, uint64(len(purpose)))
	material = append(material, purpose...)
	material = append(material, reference...)
	sum := sha256.Sum256(material)
	return "idem_" + hex.EncodeToString(sum[:]), nil
}
