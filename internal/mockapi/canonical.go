package mockapi

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"net/url"
	"sort"
	"strings"
	"sync"
)

// signedPrefix is the path every signature covers, whatever URL was called (intram.md
// section 1).
const signedPrefix = "/api/v1/merchant"

// signedRequest is what a signature covers, before the choice between the raw and the
// decoded reading.
type signedRequest struct {
	timestamp string
	method    string
	endpoint  string // as it came, escaped: "/operations/op_1"
	query     string // as it came, without the question mark
	body      []byte
}

// canonical is the string the server expects to have been signed, in the raw reading of
// the query.
func (q *signedRequest) canonical() string {
	return string(append(q.appendHead(nil, q.endpoint, sortedRaw(q.query)), q.body...))
}

// appendHead appends everything before the body: four fields and their line feeds.
func (q *signedRequest) appendHead(b []byte, endpoint, query string) []byte {
	b = append(b, q.timestamp...)
	b = append(b, '\n')
	b = append(b, q.method...)
	b = append(b, '\n')
	b = append(b, signedPrefix...)
	b = append(b, endpoint...)
	b = append(b, '\n')
	b = append(b, query...)
	return append(b, '\n')
}

// signedBy reports whether signature fits the request in either reading: raw, or
// percent-decoded. The docs do not say which one the server takes (intram.md section 3),
// so both are accepted.
func (q *signedRequest) signedBy(secret *signingKey, signature string) bool {
	if secret.matches(q, q.endpoint, sortedRaw(q.query), signature) {
		return true
	}
	if !strings.ContainsAny(q.endpoint, "%") && !strings.ContainsAny(q.query, "%+") {
		return false // both readings are the same string
	}
	endpoint, err := url.PathUnescape(q.endpoint)
	if err != nil {
		return false
	}
	query, ok := sortedDecoded(q.query)
	return ok && (secret.matches(q, endpoint, query, signature) || secret.matches(q, q.endpoint, query, signature))
}

// sortedRaw sorts the pairs of a query by key, keeping them as they are written.
func sortedRaw(query string) string {
	if !strings.Contains(query, "&") {
		return query
	}
	pairs := strings.Split(query, "&")
	sort.SliceStable(pairs, func(i, j int) bool { return queryKey(pairs[i]) < queryKey(pairs[j]) })
	return strings.Join(pairs, "&")
}

// sortedDecoded sorts the pairs of a query by decoded key and joins them decoded.
func sortedDecoded(query string) (string, bool) {
	if query == "" {
		return "", true
	}
	type pair struct{ key, value string }
	var pairs []pair
	for p := range strings.SplitSeq(query, "&") {
		rawKey, rawValue, _ := strings.Cut(p, "=")
		key, err := url.QueryUnescape(rawKey)
		if err != nil {
			return "", false
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return "", false
		}
		pairs = append(pairs, pair{key, value})
	}
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].key < pairs[j].key })
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key + "=" + p.value)
	}
	return b.String(), true
}

func queryKey(pair string) string {
	key, _, _ := strings.Cut(pair, "=")
	return key
}

// signingKey computes HMAC-SHA256 with one secret. The keyed states are pooled: making
// one hashes the secret twice, which would cost as much as signing a short request.
type signingKey struct {
	secret string
	pool   sync.Pool
}

type macState struct {
	mac  hash.Hash
	head []byte
	sum  []byte
	text []byte
}

// keyedHash is an HMAC under any secret, since the server does not choose what is tested
// with it. Go's strict FIPS mode would panic at a short one.
func keyedHash(secret string) (mac hash.Hash) {
	fips140.WithoutEnforcement(func() { mac = hmac.New(sha256.New, []byte(secret)) })
	return mac
}

func newSigningKey(secret string) *signingKey {
	k := &signingKey{secret: secret}
	k.pool.New = func() any {
		return &macState{mac: keyedHash(secret)}
	}
	return k
}

// matches compares in constant time. The prefix and the lower case are part of the
// format.
func (k *signingKey) matches(q *signedRequest, endpoint, query, signature string) bool {
	m, _ := k.pool.Get().(*macState) // New makes nothing else
	defer k.pool.Put(m)
	m.head = q.appendHead(m.head[:0], endpoint, query)
	m.sign(m.head, q.body)
	return subtle.ConstantTimeCompare(m.text, []byte(signature)) == 1
}

// signWebhook is the signature of a delivery: "<timestamp>.<body>" (intram.md section 8).
func (k *signingKey) signWebhook(timestamp string, body []byte) string {
	m, _ := k.pool.Get().(*macState) // New makes nothing else
	defer k.pool.Put(m)
	m.head = append(append(m.head[:0], timestamp...), '.')
	m.sign(m.head, body)
	return string(m.text)
}

// sign leaves "sha256=<hex>" of head and body in text.
func (m *macState) sign(head, body []byte) {
	m.mac.Reset()
	m.mac.Write(head)
	m.mac.Write(body)
	m.sum = m.mac.Sum(m.sum[:0])
	m.text = append(m.text[:0], "sha256="...)
	m.text = hex.AppendEncode(m.text, m.sum)
}
