package mockapi

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/intram/intram-go/internal/jsstringify"
)

// The notifications of payin.md.
const (
	eventPayinConfirmed = "payin.confirmed"
	eventPayinDeclined  = "payin.declined"
)

// SetPayinWebhook says where the notifications of an API key go and what signs them, as
// the portal does. The secret is the webhook's own. An empty URL ends them; deliveries
// under way go on, to where they were going.
func (s *Server) SetPayinWebhook(apiKey, url, secret string) error {
	a := s.payinAccountOf(apiKey)
	switch {
	case a == nil:
		return errors.New("intramtest: SetPayinWebhook: no merchant has this payin API key")
	case url != "" && !isWebhookURL(url, s.strictURLs):
		return errors.New("intramtest: SetPayinWebhook: the URL must be https, or http on the loopback")
	case url != "" && strings.TrimSpace(secret) == "":
		return errors.New("intramtest: SetPayinWebhook: the secret is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch()
	if url == "" {
		s.state.books[a].payinWebhook = nil
		return nil
	}
	s.state.books[a].payinWebhook = &subscription{
		id: s.entropy.id("pwh_", 12), url: url, event: "payin.*", key: newSigningKey(secret), created: s.date(), payin: true,
	}
	return nil
}

// newPayinEvent makes a notification of a session as it is now. Its body is the session,
// without an envelope, written as JSON.stringify writes it: the documentation's sample
// signs what it has parsed and written again, which are the same bytes.
func (s *Server) newPayinEvent(p *payin, kind string) *event {
	b := appendStringField([]byte{'{'}, "id", p.id)
	b = appendIntField(b, "fees", p.fee)
	b = appendStringField(b, "type", "payin")
	b = appendIntField(b, "amount", p.amount)
	b = appendStringField(b, "status", p.status)
	b = p.appendFailure(appendName(b, "failure"), false)
	b = appendStringField(b, "currency", p.currency())
	b = p.appendCustomer(b)
	b = appendTimeField(b, "createdAt", p.created)
	b = appendStringField(b, "reference", p.reference)
	b = appendStringField(b, "paymentUrl", s.payinURL(p))
	b = appendIntField(b, "chargedAmount", p.charged())
	b = appendStringField(b, "confirmationStatus", p.confirmation)
	b = append(appendBoolField(b, "confirmationRequired", !p.script.direct), '}')
	made, ok := jsstringify.Rewrite(b)
	if !ok {
		made = b // larger than any session is
	}
	return &event{
		account: p.account, kind: kind, operation: p.id, about: [3]string{p.id, p.reference, p.transaction.reference},
		occurred: s.date(), made: made,
	}
}

// publishPayin logs a notification and starts its delivery. The subscriptions of the
// Merchant API are not told.
func (s *Server) publishPayin(e *event, script payinScript) {
	e.suppressed = script.silent
	s.logEvent(e)
	if webhook := s.state.books[e.account].payinWebhook; webhook != nil && !e.suppressed {
		s.deliver(webhook, e).repeat = script.twice
	}
	s.notify()
}

// signPayin is the signature of a notification: the body alone is covered, and no time.
func signPayin(secret string, body []byte) string {
	mac := keyedHash(secret)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// sign makes the signature of an attempt, and the timestamp it covers, if any.
func (sub *subscription) sign(a *Attempt, body []byte) {
	if sub.payin {
		a.Signature = signPayin(sub.key.secret, body)
		return
	}
	a.Timestamp = wireTime(a.Time)
	a.Signature = sub.key.signWebhook(a.Timestamp, body)
}

// SignPayinNotification returns the headers of a notification with this body.
func SignPayinNotification(secret string, body []byte) http.Header {
	h := http.Header{}
	setPayinHeaders(h, Attempt{Signature: signPayin(secret, body)})
	return h
}

// setPayinHeaders is all that a notification has: nothing names the event, the delivery
// or the attempt.
func setPayinHeaders(h http.Header, a Attempt) {
	h.Set("User-Agent", "Payin-Notifications/1.0")
	h.Set("Content-Type", "application/json")
	h.Set("X-Signature-Value", a.Signature)
}
