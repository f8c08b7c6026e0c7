package intramriver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// Seal encrypts what the database stores of a call: its parameters, with the names and
// phone numbers in them, and its intent, whose hash of the call would otherwise let a
// reader of the database guess a phone number. Use [NewAESGCM], or a key service of
// yours.
type Seal interface {
	// Seal encrypts plaintext. additional names the row and the column: it is not stored,
	// and Open must refuse a text that was sealed for another row.
	Seal(plaintext, additional []byte) ([]byte, error)
	// Open decrypts what Seal returned, also under keys that were in use before.
	Open(sealed, additional []byte) ([]byte, error)
}

// AESGCM is a [Seal] with AES-256-GCM. Each text has a key of its own, derived from the
// named one and a random salt by HKDF-SHA256, so that the number of texts has no bound
// that matters. It prints without its keys.
type AESGCM struct {
	current string
	keys    map[string][]byte
}

// The bounds of [AESGCM], in bytes.
const (
	sealKeySize   = 32
	sealSaltSize  = 16
	longestKeyID  = 64
	sealVersion   = 1
	sealInfo      = "intramriver seal 1"
	sealOverheads = 2 // the version, and the length of the key's id
)

// NewAESGCM returns a seal that seals with the key named current, and opens what any of
// the keys sealed. A key is 32 random bytes; its id is 1 to 64 bytes, and is stored
// beside each text. To rotate, add a key and make it current; an old one may go when the
// last row that it sealed was pruned. A lost key loses what it sealed: rows that are in
// doubt can then not be finished.
func NewAESGCM(current string, keys map[string][]byte) (*AESGCM, error) {
	own := make(map[string][]byte, len(keys))
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if id == "" || len(id) > longestKeyID {
			return nil, fmt.Errorf("intramriver: keys: the id of a key must be 1 to %d bytes", longestKeyID)
		}
		if len(keys[id]) != sealKeySize {
			return nil, fmt.Errorf("intramriver: keys: the key %q has %d bytes: give %d random ones", id, len(keys[id]), sealKeySize)
		}
		own[id] = slices.Clone(keys[id])
	}
	if own[current] == nil {
		return nil, fmt.Errorf("intramriver: current: no key is named %q", current)
	}
	return &AESGCM{current: current, keys: own}, nil
}

// Seal implements [Seal].
func (s *AESGCM) Seal(plaintext, additional []byte) ([]byte, error) {
	head := make([]byte, 0, sealOverheads+len(s.current)+sealSaltSize)
	head = append(head, sealVersion, byte(len(s.current))) //nolint:gosec // at most longestKeyID
	head = append(head, s.current...)
	salt := make([]byte, sealSaltSize)
	newSalt(salt)
	head = append(head, salt...)
	aead, err := s.aead(s.current, salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, nil, plaintext, additional), nil //nolint:gosec // the nonce is drawn by NewGCMWithRandomNonce
}

// Open implements [Seal]. Errors: [ErrSealed].
func (s *AESGCM) Open(sealed, additional []byte) ([]byte, error) {
	if len(sealed) < sealOverheads || sealed[0] != sealVersion || len(sealed) < sealOverheads+int(sealed[1])+sealSaltSize {
		return nil, fmt.Errorf("%w: it was not sealed by an AESGCM", ErrSealed)
	}
	end := sealOverheads + int(sealed[1])
	id, head := string(sealed[sealOverheads:end]), sealed[:end+sealSaltSize]
	if s.keys[id] == nil {
		return nil, fmt.Errorf("%w: there is no key %q", ErrSealed, id)
	}
	aead, err := s.aead(id, head[end:])
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, sealed[len(head):], additional)
	if err != nil {
		return nil, fmt.Errorf("%w: it was changed, or is of another row", ErrSealed)
	}
	return plaintext, nil
}

func (s *AESGCM) aead(id string, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.keys[id], salt, sealInfo, sealKeySize)
	if err != nil {
		return nil, fmt.Errorf("intramriver: seal: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("intramriver: seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("intramriver: seal: %w", err)
	}
	return aead, nil
}

// Format implements [fmt.Formatter]: every verb prints the id of the current key, and no
// key.
func (s *AESGCM) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "intramriver.AESGCM(%s)", s.id()) }

func (s *AESGCM) id() string {
	if s == nil {
		return "nil"
	}
	return s.current
}

// plain stores texts as they are: [Config.Seal] is nil.
type plain struct{}

func (plain) Seal(plaintext, _ []byte) ([]byte, error) { return plaintext, nil }
func (plain) Open(sealed, _ []byte) ([]byte, error)    { return sealed, nil }

// additional names a row and a column without ambiguity.
func additional(parts ...string) []byte {
	var b []byte
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
