package mockapi

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// subscription is where an account wants its events. It never changes: a rotation of its
// secret puts another in its place.
type subscription struct {
	id, url, event string
	key            *signingKey
	previous       *signingKey // before the secret was rotated; nil when it never was
	created        time.Time
	payin          bool // of the payin protocol, which signs its notifications otherwise
}

// matches: an event by name, a family, or everything.
func (sub *subscription) matches(kind string) bool {
	if sub.event == "*" || sub.event == "all" || sub.event == kind {
		return true
	}
	family, ok := strings.CutSuffix(sub.event, "*")
	return ok && strings.HasPrefix(kind, family)
}

// appendJSON writes a subscription; its secret is shown once, when it is made.
func (sub *subscription) appendJSON(b []byte, withSecret bool) []byte {
	b = append(b, '{')
	b = appendStringField(b, "subscription_id", sub.id)
	b = appendStringField(b, "url", sub.url)
	b = appendStringField(b, "event", sub.event)
	if withSecret {
		b = appendStringField(b, "secret", sub.key.secret)
	}
	b = appendTimeField(b, "date", sub.created)
	return append(b, '}')
}

func (x *exchange) createSubscription() reply {
	s := x.server
	request, refused := validateSubscription(x.document, s.strictURLs)
	if refused != nil {
		return *refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subscribe(x.account, request.url, request.event)
	return success(http.StatusCreated, sub.appendJSON(nil, true), "Webhook created. Store the secret now — it will not be shown again.")
}

func (x *exchange) listSubscriptions() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	b := []byte{'['}
	for i, sub := range s.state.books[x.account].subscriptions {
		if i > 0 {
			b = append(b, ',')
		}
		b = sub.appendJSON(b, false)
	}
	return success(http.StatusOK, append(b, ']'), "")
}

// deleteSubscription ends a subscription. Deliveries under way go on.
func (x *exchange) deleteSubscription() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.state.books[x.account]
	i := b.subscriptionIndex(x.id)
	if i < 0 {
		return subscriptionNotFound()
	}
	b.subscriptions = slices.Delete(b.subscriptions, i, i+1)
	s.notify()
	return success(http.StatusOK, nil, "Webhook deleted")
}

// testSubscription sends test.ping to one subscription, whatever it subscribed to.
func (x *exchange) testSubscription() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.state.books[x.account]
	i := b.subscriptionIndex(x.id)
	if i < 0 {
		return subscriptionNotFound()
	}
	s.ping(x.account, b.subscriptions[i])
	return success(http.StatusAccepted, nil, "Test delivery enqueued")
}

// ping sends test.ping to one subscription. The caller holds the lock.
func (s *Server) ping(a *account, sub *subscription) {
	now := s.date()
	data := appendTimeField([]byte(`{"test":true`), "sent_at", now)
	e := &event{
		account: a, kind: pingEvent, operation: pingOperation, occurred: now,
		about: [3]string{pingOperation, sub.id}, data: append(data, '}'),
	}
	s.state.events = append(s.state.events, e)
	s.deliver(sub, e)
	s.notify()
}

func (b *book) subscriptionIndex(id string) int {
	return slices.IndexFunc(b.subscriptions, func(sub *subscription) bool { return sub.id == id })
}

// subscriptionNotFound: the docs name no code for an unknown subscription. This one is
// ours.
func subscriptionNotFound() reply {
	return failure(http.StatusNotFound, "webhook_not_found", "Webhook not found")
}
