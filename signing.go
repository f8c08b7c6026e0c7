package intram

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/intram/intram-go/internal/transport"
)

const (
	// signedPathPrefix starts the signed path, whatever URL is called: the front proxy
	// rewrites /v1 to it (Merchant API docs, Signature).
	signedPathPrefix = "/api/v1/merchant"
	// timestampLayout is ISO 8601 in UTC with milliseconds, as X-Timestamp and cursors
	// carry it.
	timestampLayout = "2006-01-02T15:04:05.000Z"
	signatureScheme = "sha256="
)

// signer proves to the API who is calling. It is safe for concurrent use.
type signer struct {
	apiKey  string
	mac     *macPool
	digest  [sha256.Size]byte // of the secret key, to compare two
	version string            // Credentials.Version
	// encoded says that the server signs queries as it would write them itself. The docs
	// do not say which reading it takes. It outlives a change of keys.
	encoded *atomic.Bool
}

func newSigner(publicKey, secretKey string) *signer {
	return &signer{apiKey: publicKey, mac: newMACPool(secretKey), digest: sha256.Sum256([]byte(secretKey)), encoded: new(atomic.Bool)}
}

// Authorize signs one attempt (Merchant API docs, Request headers).
func (s *signer) Authorize(at time.Time, call *transport.Call) transport.Proof {
	query := call.Query
	if s.encoded.Load() {
		query = reencoded(query)
	}
	timestamp, signature := s.sign(at, call.Method, call.Path, query, call.Body)
	return transport.Proof{{"X-Api-Key", s.apiKey}, {"X-Timestamp", timestamp}, {"X-Signature", signature}}
}

var queryEncoder = strings.NewReplacer(":", "%3A", "~", "%7E")

// reencoded is a query as a server writes it that has taken it apart. The raw and the
// decoded reading are one: see needsNoEncoding.
func reencoded(query string) string { return queryEncoder.Replace(query) }

// Reread takes the other reading of queries after a refused signature, once for a call.
// The client keeps the one that is accepted; when neither is, the signature is refused
// for another reason.
func (s *signer) Reread(call *transport.Call, again bool) bool {
	if reencoded(call.Query) == call.Query {
		return false
	}
	if again {
		s.encoded.Store(false)
		return false
	}
	s.encoded.Store(!s.encoded.Load())
	return true
}

// sign computes the signature over the canonical string
//
//	<timestamp>\n<METHOD>\n<path>\n<sorted query>\n<raw body>
//
// and returns it with the timestamp it covers. Both strings are cut from one allocation.
func (s *signer) sign(at time.Time, method, endpoint, query string, body []byte) (timestamp, signature string) {
	state := s.mac.get()
	defer s.mac.put(state)
	b := at.UTC().AppendFormat(state.buf, timestampLayout)
	stamp := len(b)
	b = append(b, '\n')
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, signedPathPrefix...)
	b = append(b, endpoint...)
	b = append(b, '\n')
	b = append(b, query...)
	b = append(b, '\n')
	state.hash.Write(b)
	state.hash.Write(body)
	b = append(b[:stamp], signatureScheme...)
	b = hex.AppendEncode(b, state.finish())
	state.buf = b
	both := string(b)
	return both[:stamp], both[stamp:]
}

// macPool computes HMAC-SHA256 under one key. Setting up a keyed hash costs more than
// hashing a payout, so the states are kept and reset.
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

// finish returns the sum of all that was written. It is valid until the state is put
// back.
func (s *macState) finish() []byte { return s.hash.Sum(s.sum[:0]) }
