package mockapi

import (
	"maps"
	"slices"
	"time"
)

// apiKey is a public key and the secrets that sign for it. It never changes: a rotation
// replaces it.
type apiKey struct {
	account *account
	secrets []apiSecret
}

// apiSecret is a secret, and until when it is valid.
type apiSecret struct {
	key   *signingKey
	until time.Time // zero for one that was not rotated
}

// currentKeys are the keys that an account has now, and how many it has had.
type currentKeys struct {
	Keys
	version int
}

func (k *apiKey) valid(now time.Time) bool {
	return slices.ContainsFunc(k.secrets, func(s apiSecret) bool { return s.valid(now) })
}

func (s apiSecret) valid(now time.Time) bool { return s.until.IsZero() || now.Before(s.until) }

// signed reports whether a request is signed with one of the key's secrets.
func (k *apiKey) signed(q *signedRequest, signature string, now time.Time) bool {
	for _, s := range k.secrets {
		if s.valid(now) && q.signedBy(s.key, signature) {
			return true
		}
	}
	return false
}

// end returns the key with its secrets valid until then at most.
func (k *apiKey) end(until time.Time) *apiKey {
	ended := &apiKey{account: k.account}
	for _, s := range k.secrets {
		if s.until.IsZero() || until.Before(s.until) {
			s.until = until
		}
		ended.secrets = append(ended.secrets, s)
	}
	return ended
}

// RotateKeys gives the account of a public key, current or earlier, new keys and returns
// them. The current ones stay valid for overlap. The account is the same: its money, its
// operations, its webhooks and its idempotency keys (intram.md section 4 speaks of the
// merchant's requests, not of an API key's). With secretOnly the public key stays.
func (s *Server) RotateKeys(publicKey string, overlap time.Duration, secretOnly bool) (Keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accountOf(publicKey)
	if a == nil {
		return Keys{}, errUnknownKey
	}
	current := a.current.Load()
	next := Keys{Public: current.Public, Secret: s.entropy.id("sk_"+a.environment+"_", 32)}
	for !secretOnly && s.accountOf(next.Public) != nil { // after a Restore the same draws come again
		next.Public = s.entropy.id("pk_"+a.environment+"_", 24)
	}
	known := *s.accounts.Load()
	keys := make(map[string]*apiKey, len(known)+1)
	maps.Copy(keys, known)
	ended := keys[current.Public].end(s.clock.Now().Add(overlap))
	keys[current.Public] = ended
	fresh := apiSecret{key: newSigningKey(next.Secret)}
	if secretOnly {
		ended.secrets = append(ended.secrets, fresh)
	} else {
		keys[next.Public] = &apiKey{account: a, secrets: []apiSecret{fresh}}
	}
	s.accounts.Store(&keys)
	a.current.Store(&currentKeys{next, current.version + 1})
	return next, nil
}

// CurrentKeys returns the keys that the account of a public key, current or earlier, has
// now, with the account's name, which is its first public key, and how many it had.
func (s *Server) CurrentKeys(publicKey string) (account string, keys Keys, version int, err error) {
	a := s.accountOf(publicKey)
	if a == nil {
		return "", Keys{}, 0, errUnknownKey
	}
	current := a.current.Load()
	return a.keys.Public, current.Keys, current.version, nil
}
