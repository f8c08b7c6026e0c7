package intram

import (
	"context"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/deliverytime"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/system"
)

// Headers of a webhook delivery (Merchant API docs, Webhooks).
const (
	headerWebhookSignature = "X-Intram-Signature"
	headerWebhookTimestamp = "X-Intram-Timestamp"
	headerWebhookEvent     = "X-Intram-Event"
	headerWebhookDelivery  = "X-Intram-Delivery"
	headerWebhookAttempt   = "X-Intram-Attempt"
)

// webhookTolerance is how far a delivery's timestamp may be off, either way (Merchant API
// docs, Webhooks).
const webhookTolerance = 5 * time.Minute

// Why a delivery was refused. Test for them with [errors.Is].
var (
	// ErrMissingSignature: there is no signature header. The request is not from Intram,
	// or a proxy drops headers.
	ErrMissingSignature = redact.Sentinel("intram: webhook: the signature header is missing: not from Intram, or a proxy drops headers")
	// ErrMissingTimestamp: there is no X-Intram-Timestamp.
	ErrMissingTimestamp = redact.Sentinel("intram: webhook: the X-Intram-Timestamp header is missing")
	// ErrDuplicateHeader: the signature or the timestamp came more than once, and it is
	// not clear which one counts.
	ErrDuplicateHeader = redact.Sentinel("intram: webhook: the signature or timestamp header came more than once")
	// ErrInvalidSignature: the signature fits none of the secrets, or is not 64
	// hexadecimal digits (after sha256= for the Merchant API). The secret is another
	// one's, or the body is not the raw bytes that were sent.
	ErrInvalidSignature   = redact.Sentinel("intram: webhook: the signature does not fit: check the secret, and that the body is the raw one")
	errMalformedSignature = fmt.Errorf("%w (it is not 64 hexadecimal digits in the documented form)", ErrInvalidSignature)
	errAmbiguousSignature = fmt.Errorf("%w (it fits one secret of two scopes)", ErrInvalidSignature)
	// ErrInvalidTimestamp: the timestamp is in none of the common ISO 8601 forms. Without
	// an offset it is UTC.
	ErrInvalidTimestamp = redact.Sentinel("intram: webhook: the timestamp is not an ISO 8601 date")
	// ErrStaleTimestamp: the signature is good, and the timestamp more than five minutes
	// in the past or the future: an old delivery replayed, or a wrong clock.
	ErrStaleTimestamp  = redact.Sentinel("intram: webhook: the timestamp is more than 5 minutes off: a replay, or this machine's clock is wrong")
	errFutureTimestamp = fmt.Errorf("%w (it is in the future)", ErrStaleTimestamp)
	// ErrInvalidPayload: the signature is good, and the body is not an event.
	ErrInvalidPayload = redact.Sentinel("intram: webhook: the body is not an event")
)

// WebhookVerifier verifies the signature and age of webhook deliveries. It is safe for
// concurrent use.
type WebhookVerifier struct {
	secrets []webhookSecret
	sources []scopedSource // of secrets from functions
	clock   Clock
}

// webhookSecret is a secret, and whose it is.
type webhookSecret struct {
	mac    *macPool
	digest [sha256.Size]byte // of the secret, to compare two
	scope  string
}

// NewWebhookVerifier makes a verifier from the secrets of your subscriptions (whsec_…).
// For secrets that change while the program runs see [NewWebhookVerifierFunc]. Give
// several while you rotate: a delivery that fits any of them is good. The error says
// which one is empty, was damaged when it was copied (quotes, spaces, a byte order mark,
// a comment), is a key of another kind, or is too short for Go's strict FIPS mode. It
// shows no part of it.
//
// Docs: Merchant API, Webhooks.
func NewWebhookVerifier(secrets ...string) (_ *WebhookVerifier, err error) {
	defer markNotSent(&err)
	if len(secrets) == 0 {
		return nil, errors.New("intram: a webhook verifier needs at least one secret: the one that Webhooks.Create returned")
	}
	v := &WebhookVerifier{clock: system.Clock{}}
	for i, s := range secrets {
		if mistake := credential.MACMistake(credential.WebhookSecret, s); mistake != "" {
			return nil, fmt.Errorf("intram: webhook secret %d %s", i+1, mistake)
		}
		v.secrets = append(v.secrets, webhookSecret{mac: newMACPool(s), digest: sha256.Sum256([]byte(s))})
	}
	return v, nil
}

// WithClock returns a verifier with the same secrets that reads the time from clock; nil
// is the machine's own.
func (v *WebhookVerifier) WithClock(clock Clock) *WebhookVerifier {
	if clock == nil {
		clock = system.Clock{}
	}
	sources := slices.Clone(v.sources)
	for i, s := range sources {
		sources[i].source = newSecretSource(s.source.supply, clock)
	}
	return &WebhookVerifier{secrets: v.secrets, sources: sources, clock: clock}
}

// WithInboxScope returns a verifier with the same secrets whose events have that Scope,
// as [WithInboxScope] does for a handler: for a handler that receives for several
// merchants. [JoinVerifiers] makes one verifier of theirs.
func (v *WebhookVerifier) WithInboxScope(scope string) *WebhookVerifier {
	scoped := &WebhookVerifier{secrets: slices.Clone(v.secrets), sources: slices.Clone(v.sources), clock: v.clock}
	for i := range scoped.secrets {
		scoped.secrets[i].scope = scope
	}
	for i := range scoped.sources {
		scoped.sources[i].scope, scoped.sources[i].scoped = scope, true
	}
	return scoped
}

// JoinVerifiers makes one verifier with the secrets of several. Each event gets the Scope
// of the secret that its signature fits, so that no merchant can sign for another. The
// clock is the first one's. Errors: no verifier, a nil one, or one secret in two scopes.
// If functions return one secret in two scopes, what it signs is refused.
func JoinVerifiers(verifiers ...*WebhookVerifier) (*WebhookVerifier, error) {
	joined := new(WebhookVerifier)
	for i, v := range verifiers {
		if v == nil {
			return nil, fmt.Errorf("intram: JoinVerifiers: verifier %d is nil", i+1)
		}
		if joined.clock == nil {
			joined.clock = v.clock
		}
		for _, secret := range v.secrets {
			for _, known := range joined.secrets {
				if known.digest == secret.digest && known.scope != secret.scope {
					return nil, fmt.Errorf("intram: JoinVerifiers: verifier %d has a secret of another one's, with another scope", i+1)
				}
			}
			joined.secrets = append(joined.secrets, secret)
		}
		joined.sources = append(joined.sources, v.sources...)
	}
	if len(joined.secrets)+len(joined.sources) == 0 {
		return nil, errors.New("intram: JoinVerifiers: there is no verifier")
	}
	return joined, nil
}

// Format implements [fmt.Formatter]: how many secrets, and none of them.
func (v *WebhookVerifier) Format(f fmt.State, _ rune) {
	n := 0
	if v != nil {
		n = len(v.secrets)
		for _, s := range v.sources {
			if held := s.source.held.Load(); held != nil {
				n += len(held.secrets)
			}
		}
	}
	writeString(f, fmt.Sprintf("WebhookVerifier(%d secrets)", n))
}

// Verify checks a delivery's signature and age, and reads it. The body must be the raw
// bytes of the request, read once and before any JSON decoder: a body that was decoded
// and encoded again is another body.
//
// The signature is compared in constant time, over decoded bytes, and before the
// timestamp's age: an error other than [ErrStaleTimestamp] tells a stranger nothing. A
// delivery up to and including five minutes off is good.
//
// Errors: [ErrMissingSignature], [ErrMissingTimestamp], [ErrDuplicateHeader],
// [ErrInvalidSignature], [ErrInvalidTimestamp], [ErrStaleTimestamp], [ErrInvalidPayload],
// and [ErrSecretsUnavailable] of a verifier of [NewWebhookVerifierFunc].
// Docs: Merchant API, Webhooks.
func (v *WebhookVerifier) Verify(header http.Header, body []byte) (*Event, error) {
	return v.verify(context.Background(), header, body)
}

// verify waits for secrets no longer than ctx lasts.
func (v *WebhookVerifier) verify(ctx context.Context, header http.Header, body []byte) (*Event, error) {
	scope, err := v.authenticate(ctx, header, body)
	if err != nil {
		return nil, err
	}
	event, err := parseEvent(body)
	if err != nil {
		return nil, err
	}
	event.Scope = scope
	// Not signed: a bad attempt is no reason to refuse what is.
	event.DeliveryID, _ = onlyHeader(header, headerWebhookDelivery, nil)
	attempt, _ := onlyHeader(header, headerWebhookAttempt, nil)
	event.Attempt, _ = strconv.Atoi(attempt)
	return event, nil
}

// Authenticate checks a delivery's signature and age as [WebhookVerifier.Verify] does,
// and reads nothing of the body. It is for a proxy or a queue that hands the bytes on; it
// does not allocate.
//
// Errors: those of [WebhookVerifier.Verify] but [ErrInvalidPayload]. Docs: Merchant API,
// Webhooks.
func (v *WebhookVerifier) Authenticate(header http.Header, body []byte) error {
	_, err := v.authenticate(context.Background(), header, body)
	return err
}

// authenticate checks a delivery, and returns the scope of the secret that it was signed
// with.
func (v *WebhookVerifier) authenticate(ctx context.Context, header http.Header, body []byte) (scope string, err error) {
	signature, err := onlyHeader(header, headerWebhookSignature, ErrMissingSignature)
	if err != nil {
		return "", err
	}
	timestamp, err := onlyHeader(header, headerWebhookTimestamp, ErrMissingTimestamp)
	if err != nil {
		return "", err
	}
	scope, err = v.checkSignature(ctx, signature, timestamp, body)
	if err != nil {
		return "", err
	}
	return scope, v.checkAge(timestamp, body)
}

// onlyHeader returns a header that must come exactly once. Its name may be written in any
// case: API gateways hand on maps of headers in lower case, which net/http would never
// make.
func onlyHeader(header http.Header, name string, missing error) (string, error) {
	value, n := "", 0
	for key, values := range header {
		if len(key) == len(name) && len(values) > 0 && strings.EqualFold(key, name) {
			value, n = values[0], n+len(values)
		}
	}
	switch {
	case n > 1:
		return "", ErrDuplicateHeader
	case value == "":
		return "", missing
	}
	return value, nil
}

func (v *WebhookVerifier) checkSignature(ctx context.Context, signature, timestamp string, body []byte) (scope string, err error) {
	hexSum, ok := strings.CutPrefix(signature, signatureScheme)
	if !ok || len(hexSum) != 2*sha256.Size {
		return "", errMalformedSignature
	}
	d := signedDelivery{timestamp: timestamp, body: body}
	var digits [2 * sha256.Size]byte
	copy(digits[:], hexSum)
	if _, err := hex.Decode(d.sum[:], digits[:]); err != nil {
		return "", errMalformedSignature
	}
	m := d.match(v.secrets, signatureMatch{})
	if !m.fits && len(v.sources) > 0 {
		late := d // what goes on to other goroutines is allocated, and only then
		if m, err = v.supplied(ctx, &late, m); err != nil {
			return "", err
		}
	}
	switch {
	case !m.fits:
		return "", ErrInvalidSignature
	case m.ambiguous:
		return "", errAmbiguousSignature
	}
	return m.scope, nil
}

// signedDelivery is what a signature covers, and the signature.
type signedDelivery struct {
	timestamp string
	body      []byte
	sum       [sha256.Size]byte
}

// signatureMatch is what was found of a signature until now.
type signatureMatch struct {
	fits, ambiguous bool
	scope           string
}

// match tries all secrets, so that the time taken does not tell which one it was.
func (d *signedDelivery) match(secrets []webhookSecret, m signatureMatch) signatureMatch {
	for _, secret := range secrets {
		state := secret.mac.get()
		state.buf = append(append(state.buf, d.timestamp...), '.')
		state.hash.Write(state.buf)
		state.hash.Write(d.body)
		if hmac.Equal(state.finish(), d.sum[:]) {
			m.ambiguous = m.ambiguous || m.fits && m.scope != secret.scope
			m.fits, m.scope = true, secret.scope
		}
		secret.mac.put(state)
	}
	return m
}

func (v *WebhookVerifier) checkAge(timestamp string, body []byte) error {
	at, err := deliverytime.Parse(timestamp, body)
	if err != nil {
		return ErrInvalidTimestamp
	}
	switch age := v.clock.Now().Sub(at); {
	case age > webhookTolerance:
		return ErrStaleTimestamp
	case age < -webhookTolerance:
		return errFutureTimestamp
	}
	return nil
}

// SignWebhook signs a body as Intram would at that time, and returns the headers of the
// delivery. It is for testing your own receiver, and signs with any secret, also with one
// that [NewWebhookVerifier] refuses. It sets the signature, timestamp and event headers,
// and a delivery id and attempt number that you may change.
func SignWebhook(secret string, at time.Time, body []byte) http.Header {
	timestamp := at.UTC().Format(timestampLayout)
	var mac hash.Hash
	fips140.WithoutEnforcement(func() { mac = hmac.New(sha256.New, []byte(secret)) }) // which would panic at a short one
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "Intram-Webhooks/1.0")
	header.Set(headerWebhookSignature, signatureScheme+hex.EncodeToString(mac.Sum(nil)))
	header.Set(headerWebhookTimestamp, timestamp)
	header.Set(headerWebhookDelivery, "whd_test")
	header.Set(headerWebhookAttempt, "1")
	if event, err := parseEvent(body); err == nil {
		header.Set(headerWebhookEvent, string(event.Type))
	}
	return header
}
