package intram

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/renewal"
	"github.com/intram/intram-go/internal/system"
)

const (
	// secretsTimeout is how long a delivery waits for the secrets. Intram waits 15 s for
	// the response, of which the merchant's function and the inbox have their shares.
	secretsTimeout = 2 * time.Second
	// secretsInterval is how often the function is asked at most. It is less than the
	// minute after which Intram tries a refused delivery again.
	secretsInterval = 10 * time.Second
	// secretsRetry is how often a function that fails is asked at most.
	secretsRetry = time.Second
	// secretsAge is how long secrets are used before the function is asked whether they
	// still are: one that was taken back would stay good.
	secretsAge = 5 * time.Minute
)

// ErrSecretsUnavailable is the error of a delivery whose signature fits none of the
// secrets that are known, while the function of [NewWebhookVerifierFunc] does not say
// whether there are others. The delivery may be good: have it sent again. The webhook
// handler responds 503 with Retry-After.
var ErrSecretsUnavailable = redact.Sentinel("intram: webhook: the secrets are not available now, and the signature fits none of those that are known")

// WebhookSecret is the secret of one subscription, as the function of
// [NewWebhookVerifierFunc] returns it. It prints no secret in any format, JSON included.
type WebhookSecret struct {
	// Secret is the subscription's (whsec_…).
	Secret string
	// Scope becomes [Event.Scope] of what it signs: see
	// [WebhookVerifier.WithInboxScope].
	Scope string
}

// shown returns what is printed: the scope, never the secret.
func (s WebhookSecret) shown() string { return "intram.WebhookSecret(" + redact.Text(s.Scope) + ")" }

// MarshalText implements [encoding.TextMarshaler], and so covers JSON: what Format
// prints.
func (s WebhookSecret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

// NewWebhookVerifierFunc makes a verifier whose secrets come from a function, for secrets
// that change while the program runs. Return those of all subscriptions: nothing in a
// delivery names its subscription, and the signature decides. During a rotation, return
// the old and the new one.
//
// The function is called at the first delivery, not before. It is asked again by a
// delivery whose signature fits no secret, and after 5 minutes, so that a secret that was
// taken back is forgotten. However many deliveries arrive, it is asked once at a time and
// every 10 seconds at most (every second while it fails): a flood of forged deliveries
// does not reach your secret store. It has 2 seconds, by its context, in a goroutine of
// its own; what it returns later is for the deliveries that come then. A panic in it is
// an error.
//
// While it fails, or returns no secrets, those that are known stay good. A delivery that
// fits none of them is refused with [ErrSecretsUnavailable] instead of
// [ErrInvalidSignature].
//
// [WebhookVerifier.WithInboxScope] replaces the scopes of its secrets, and
// [WebhookVerifier.WithClock] asks anew. Errors: a nil function.
//
// Docs: Merchant API, Webhooks.
func NewWebhookVerifierFunc(secrets func(ctx context.Context) ([]WebhookSecret, error)) (_ *WebhookVerifier, err error) {
	defer markNotSent(&err)
	if secrets == nil {
		return nil, errors.New("intram: NewWebhookVerifierFunc: the function is nil")
	}
	return &WebhookVerifier{clock: system.Clock{}, sources: []scopedSource{{source: newSecretSource(secrets, system.Clock{})}}}, nil
}

// scopedSource is a source of secrets, and whose they are, when that was said.
type scopedSource struct {
	source *secretSource
	scope  string
	scoped bool
}

// secretSource holds the secrets that a function returned.
type secretSource struct {
	supply func(context.Context) ([]WebhookSecret, error)
	clock  Clock
	held   *renewal.Source[heldSecrets]

	mu     sync.Mutex
	asked  time.Time // when the function was asked last
	failed error     // what it returned then
}

type heldSecrets struct {
	secrets []webhookSecret
	at      time.Time // when the function returned them
}

var errNoSecretsYet = redact.Sentinel("the function did not return")

func newSecretSource(supply func(context.Context) ([]WebhookSecret, error), clock Clock) *secretSource {
	s := &secretSource{supply: supply, clock: clock}
	s.held = renewal.New(secretsTimeout, s.ask)
	return s
}

// ask asks the function, unless it was asked a moment ago.
func (s *secretSource) ask(ctx context.Context, held *heldSecrets) (*heldSecrets, error) {
	now := s.clock.Now()
	if due, failed := s.begin(now); !due {
		if held == nil || failed != nil {
			return nil, cmp.Or(failed, errNoSecretsYet) // it returned this very moment
		}
		return &heldSecrets{held.secrets, held.at}, nil
	}
	given, err := s.supply(ctx)
	var secrets []webhookSecret
	if err == nil {
		secrets, err = readSecrets(given)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.Equal(now) { // or it was given up, and asked again
		s.failed = err
	}
	if err != nil {
		return nil, err
	}
	return &heldSecrets{secrets, now}, nil
}

// begin notes that the function is asked, if it may be asked again.
func (s *secretSource) begin(now time.Time) (due bool, failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := secretsInterval
	if s.failed != nil {
		pause = secretsRetry
	}
	if since := now.Sub(s.asked); !s.asked.IsZero() && since >= 0 && since < pause {
		return false, s.failed
	}
	s.asked, s.failed = now, errNoSecretsYet // until it returns
	return true, nil
}

func readSecrets(given []WebhookSecret) ([]webhookSecret, error) {
	if len(given) == 0 {
		return nil, redact.Sentinel("the function returned no secrets")
	}
	secrets := make([]webhookSecret, 0, len(given))
	for i, s := range given {
		if mistake := credential.MACMistake(credential.WebhookSecret, s.Secret); mistake != "" {
			return nil, redact.Sentinel(fmt.Sprintf("webhook secret %d %s", i+1, mistake))
		}
		secrets = append(secrets, webhookSecret{mac: newMACPool(s.Secret), digest: sha256.Sum256([]byte(s.Secret)), scope: s.Scope})
	}
	return secrets, nil
}

// known returns the secrets, and asks for them if there are none yet or they are old.
func (s *secretSource) known(ctx context.Context) (*heldSecrets, error) {
	held := s.held.Load()
	if held != nil {
		if age := s.clock.Now().Sub(held.at); age >= 0 && age < secretsAge {
			return held, nil
		}
	}
	next, err := s.held.Renew(ctx, held)
	if err != nil {
		return held, err
	}
	return next, nil
}

// supplied checks a signature against the secrets of the sources. They are asked again
// together if it fits none.
func (v *WebhookVerifier) supplied(ctx context.Context, d *signedDelivery, m signatureMatch) (signatureMatch, error) {
	used := make([]*heldSecrets, len(v.sources))
	failures := make([]error, len(v.sources))
	v.eachSource(func(i int, s scopedSource) { used[i], failures[i] = s.source.known(ctx) })
	for i, s := range v.sources {
		m = s.match(used[i], d, m)
	}
	if m.fits {
		return m, nil
	}
	v.eachSource(func(i int, s scopedSource) {
		if failures[i] != nil {
			return
		}
		var next *heldSecrets
		if next, failures[i] = s.source.held.Renew(ctx, used[i]); next != nil {
			used[i] = next
		}
	})
	for i, s := range v.sources {
		m = s.match(used[i], d, m)
	}
	if failed := errors.Join(failures...); !m.fits && failed != nil {
		return m, redact.Wrap(ErrSecretsUnavailable.Error(), unavailableError{failed})
	}
	return m, nil
}

// unavailableError is what the functions returned. It is ErrSecretsUnavailable.
type unavailableError struct{ err error }

func (e unavailableError) Error() string   { return causeText(e.err) }
func (e unavailableError) OwnText() string { return e.Error() }
func (e unavailableError) Unwrap() []error { return []error{ErrSecretsUnavailable, e.err} }

// eachSource calls f for each source: at the same time, so that stores that hang do not
// add up.
func (v *WebhookVerifier) eachSource(f func(int, scopedSource)) {
	if len(v.sources) == 1 {
		f(0, v.sources[0])
		return
	}
	var all sync.WaitGroup
	for i, s := range v.sources {
		all.Go(func() { f(i, s) })
	}
	all.Wait()
}

func (s scopedSource) match(held *heldSecrets, d *signedDelivery, m signatureMatch) signatureMatch {
	if held == nil {
		return m
	}
	if !s.scoped {
		return d.match(held.secrets, m)
	}
	secrets := slices.Clone(held.secrets)
	for i := range secrets {
		secrets[i].scope = s.scope
	}
	return d.match(secrets, m)
}
