package intram

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/intram/intram-go/internal/redact"
)

// ErrUnknownMerchant is returned by the functions of a platform's webhook handler for an
// id that is no merchant's. The handler responds as it does to a bad signature.
var ErrUnknownMerchant = redact.Sentinel("intram: webhook: there is no such merchant")

// MerchantSecrets returns the webhook secrets of one merchant, as the function of
// [NewWebhookVerifierFunc] does. The Scope of each is required: it names the environment,
// such as "live", so that the events of two environments stay apart. The handler puts the
// merchant before it: see [MerchantScope]. An id that is no merchant's is
// [ErrUnknownMerchant]; any other error is a store that is away.
type MerchantSecrets func(ctx context.Context, merchantID string) ([]WebhookSecret, error)

// MerchantScope returns the inbox scope of a merchant's events, for the [WithInboxScope]
// of its [Reconciler]. Two merchants never have the same one, whatever their ids are.
func MerchantScope(merchantID, scope string) string { return url.PathEscape(merchantID) + "/" + scope }

// ResolveByPath resolves the merchant from a wildcard of the pattern that the handler is
// mounted at, such as "merchant" of "POST /webhooks/{merchant}". Register one URL for
// each merchant, or for each subscription. net/http cleans paths with a redirect before
// it matches them, and Intram follows none, so register the clean one. The value is
// decoded, and upper case differs from lower case.
func ResolveByPath(wildcard string) func(*http.Request) (merchantID string, ok bool, err error) {
	return func(r *http.Request) (string, bool, error) {
		id := r.PathValue(wildcard)
		return id, id != "", nil
	}
}

// ResolveByHost resolves the merchant from the first label of the host, such as acme of
// acme.hooks.example.com for the domain "hooks.example.com". Case, a port and a trailing
// dot make no difference. It believes the Host header alone: X-Forwarded-Host and
// Forwarded can be set by anyone who sends a request. If your proxy replaces the host,
// have it keep the Host header.
func ResolveByHost(domain string) func(*http.Request) (merchantID string, ok bool, err error) {
	domain = "." + strings.Trim(strings.ToLower(domain), ".")
	return func(r *http.Request) (string, bool, error) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		id, ok := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(host), "."), domain)
		if !ok || id == "" || strings.Contains(id, ".") {
			return "", false, nil
		}
		return id, true, nil
	}
}

// WebhookHandler receives the deliveries of all merchants at one place. It does what
// [NewWebhookHandler] does for each of them, with the merchant's own secrets, and in the
// merchant's own scope of the inbox: a secret never verifies another merchant's
// deliveries, and an event of one merchant never counts as another's. handle finds the
// merchant by [MerchantFromContext], and a verified event wakes the waits of the
// merchant's client.
//
// resolve finds the merchant of a request: [ResolveByPath], [ResolveByHost], or a
// function of your own, which must not read the body. What it finds is not to be trusted
// before the signature is checked, and nothing is done with it but to ask for secrets.
//
// An unknown merchant, by resolve or by [ErrUnknownMerchant], gets the response of a bad
// signature, after the same work: 401, "bad signature". So does, within 5 minutes, one
// that was a merchant before. If resolve fails or panics, or the secrets are not
// available, the response is 503 with Retry-After: no event is lost.
// Secrets are kept as [NewWebhookVerifierFunc] says, for as many merchants as
// [WithIdleMerchants] says. [WithInboxScope] and [WithNotify] are not for this handler.
//
// A mistake in the parameters makes a handler that responds 500 to everything, and says
// why. Docs: Merchant API, Webhooks.
func (p *Platform) WebhookHandler(resolve func(*http.Request) (merchantID string, ok bool, err error), secrets MerchantSecrets, inbox Inbox, handle EventHandler, opts ...HandlerOption) http.Handler {
	in, err := newIntake(inbox, handle, opts)
	switch {
	case err != nil:
	case resolve == nil:
		err = errors.New("the function that resolves the merchant is nil")
	case secrets == nil:
		err = errors.New("the function that returns secrets is nil")
	case in.scope != "" || in.notify != nil:
		err = errors.New("WithInboxScope and WithNotify are of one merchant: a platform's handler has them for each")
	}
	if err != nil {
		return misconfigured(in, err)
	}
	in.trace.setClock(p.clock)
	most := max(1, p.mostIdle)
	h := &platformHandler{platform: p, resolve: resolve, secrets: secrets, intake: in, verifiers: verifierCache{most: most}, strangers: verifierCache{most: most}}
	h.decoy = h.verifierOf("", func(context.Context, string) ([]WebhookSecret, error) { return nil, ErrUnknownMerchant })
	return h
}

type platformHandler struct {
	platform *Platform
	resolve  func(*http.Request) (string, bool, error)
	secrets  MerchantSecrets
	intake   *intake
	decoy    *merchantVerifier // of no merchant

	// verifiers are those of merchants whose secrets were seen. strangers are those of
	// other ids, which anyone can make up: they push none of the first out.
	verifiers, strangers verifierCache
}

// merchantVerifier verifies the deliveries of one merchant.
type merchantVerifier struct {
	*WebhookVerifier

	merchant atomic.Bool // the function has returned secrets
}

// ServeHTTP implements [http.Handler].
func (h *platformHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, known, err := h.find(r)
	if err == nil {
		err = h.platform.closedError()
	}
	if err != nil {
		ctx, delivery := h.intake.trace.start(r.Context(), sourceWebhook, r.Header)
		defer delivery.close()
		h.intake.logger.LogAttrs(ctx, slog.LevelError, "webhook merchant was not resolved", slog.String("error", causeText(err)))
		delivery.came(notVerified, respondLater(w, storeRetryAfter, "not available"), ownWordsError{err})
		return
	}
	own := *h.intake
	one := &webhookHandler{verifier: h.decoy.WebhookVerifier, intake: &own}
	if known {
		v, settled := h.of(id)
		one.verifier = v.WebhookVerifier
		if !settled {
			one.verified = func() {
				if v.merchant.Load() {
					h.verifiers.put(id, v)
				}
			}
		}
		own.notify = h.platform.cached(id)
	}
	one.ServeHTTP(w, r.WithContext(withMerchant(r.Context(), id)))
}

// of returns the verifier of an id, and whether it is among the merchants'.
func (h *platformHandler) of(id string) (v *merchantVerifier, settled bool) {
	if v, settled = h.verifiers.get(id); settled {
		return v, true
	}
	v, seen := h.strangers.get(id)
	if !seen {
		v = h.strangers.put(id, h.verifierOf(id, h.secrets))
	}
	return v, false
}

// find calls the function, which is the merchant's own.
func (h *platformHandler) find(r *http.Request) (id string, known bool, err error) {
	defer func() {
		if value := recover(); value != nil {
			id, known, err = "", false, fmt.Errorf("intram: webhook: the function that resolves the merchant panicked with a %T", value)
		}
	}()
	id, known, err = h.resolve(r)
	if errors.Is(err, ErrUnknownMerchant) {
		return "", false, nil
	}
	return id, known && id != "", err
}

var errNoScope = redact.Sentinel(`a secret has no Scope: name its environment, such as "live"`)

// verifierOf returns a verifier with the secrets of one merchant. Of an id that is no
// merchant's, or no longer, it is a secret that no sender knows: what was known of it is
// forgotten as after a rotation, and a delivery costs the same work.
func (h *platformHandler) verifierOf(id string, secrets MerchantSecrets) *merchantVerifier {
	one := new(merchantVerifier)
	v, _ := NewWebhookVerifierFunc(func(ctx context.Context) ([]WebhookSecret, error) { // the function is not nil
		given, err := secrets(ctx, id)
		if errors.Is(err, ErrUnknownMerchant) {
			nobodys, err := uuid.NewRandom()
			return []WebhookSecret{{Secret: "whsec_" + nobodys.String()}}, err
		}
		if err != nil {
			return nil, err
		}
		scoped := make([]WebhookSecret, len(given))
		for i, s := range given {
			if s.Scope == "" {
				return nil, errNoScope
			}
			scoped[i] = WebhookSecret{Secret: s.Secret, Scope: MerchantScope(id, s.Scope)}
		}
		if len(scoped) > 0 {
			one.merchant.Store(true)
		}
		return scoped, nil
	})
	one.WebhookVerifier = v.WithClock(h.platform.clock)
	return one
}

// cached returns the merchant's client, nil if there is none now.
func (p *Platform) cached(id string) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.merchants[id]; m != nil {
		return m.client.Value()
	}
	return nil
}

// verifierCache holds the verifiers that were used last.
type verifierCache struct {
	most int

	mu    sync.Mutex
	byID  map[string]*list.Element
	order list.List // of cachedVerifier, the last used one first
}

type cachedVerifier struct {
	id       string
	verifier *merchantVerifier
}

func (c *verifierCache) get(id string) (*merchantVerifier, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	one, _ := e.Value.(cachedVerifier)
	return one.verifier, true
}

// put keeps a verifier, and returns the one that is kept.
func (c *verifierCache) put(id string, v *merchantVerifier) *merchantVerifier {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[string]*list.Element{}
	}
	if e := c.byID[id]; e != nil { // another delivery was first
		first, _ := e.Value.(cachedVerifier)
		return first.verifier
	}
	c.byID[id] = c.order.PushFront(cachedVerifier{id, v})
	if c.order.Len() > c.most {
		last, _ := c.order.Remove(c.order.Back()).(cachedVerifier)
		delete(c.byID, last.id)
	}
	return v
}
