package intramtest

import (
	"net/http"
	"strings"
	"sync/atomic"

	intram "github.com/intram/intram-go"
)

// Subscribe makes a webhook receiver in this process: it subscribes to all events of the
// merchant's sandbox, and gives build a verifier with the subscription's secret and the
// server's clock. The handler that build returns gets the deliveries at a path such as
// "/intram/webhook"; a mux that build returns may have other paths, too. The subscription
// that it returns has the secret.
//
// A path that does not begin with a slash, or a handler that is nil, fails the test; in a
// program it panics.
func (s *Server) Subscribe(path string, build func(*intram.WebhookVerifier) http.Handler) *intram.WebhookSubscription {
	if s.tb != nil {
		s.tb.Helper()
	}
	if !strings.HasPrefix(path, "/") {
		s.fail("Subscribe: the path must begin with a slash, as in /intram/webhook")
		return nil
	}
	late := new(lateHandler)
	made, err := s.core.Subscribe(s.PublicKey, s.core.Receive(late)+path, string(intram.EventAll))
	if err != nil {
		s.fail("Subscribe: " + err.Error())
		return nil
	}
	verifier, err := intram.NewWebhookVerifier(made.Secret)
	if err != nil {
		s.fail("Subscribe: " + err.Error())
		return nil
	}
	handler := build(verifier.WithClock(s.Clock()))
	if handler == nil {
		s.fail("Subscribe: the handler is nil")
		return nil
	}
	late.handler.Store(&handler)
	return &intram.WebhookSubscription{
		ID: made.ID, URL: made.URL, Event: intram.EventType(made.Event), Secret: made.Secret, CreatedAt: made.Created,
	}
}

// lateHandler is a handler that is made after its address is known.
type lateHandler struct{ handler atomic.Pointer[http.Handler] }

func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := l.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	http.Error(w, "intramtest: the receiver is not ready yet", http.StatusServiceUnavailable)
}

// logRefusedDeliveries prints the deliveries that no receiver took, since a test that
// waits for their effect fails far from the cause.
func (s *Server) logRefusedDeliveries() {
	for _, d := range s.Deliveries() {
		for _, a := range d.Attempts {
			switch {
			case a.Status == 0:
				s.tb.Logf("intramtest: %s to %s, attempt %d: no response (%s)", d.Event, d.URL, a.Number, a.Error)
			case a.Status < 200 || a.Status > 299:
				s.tb.Logf("intramtest: %s to %s, attempt %d: HTTP %d %s", d.Event, d.URL, a.Number, a.Status, a.Response)
			}
		}
	}
}
