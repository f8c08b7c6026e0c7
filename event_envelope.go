package intram

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// EventEnvelope is an event that has been read as far as is needed to route or queue it. [WebhookVerifier.VerifyEnvelope] makes it at
// a fraction of the cost of [WebhookVerifier.Verify]; [EventEnvelope.Event] reads the rest.
type EventEnvelope struct {
	Type        EventType
	OperationID string
	OccurredAt  time.Time
	// Raw is the body as it was signed. It is the caller's own slice, not a copy.
	Raw RawMessage
	// Scope is whose event it is; see [WithInboxScope].
	Scope string
	// DeliveryID and Attempt are not signed.
	DeliveryID string
	Attempt    int
}

// VerifyEnvelope checks a delivery as [WebhookVerifier.Verify] does, and reads its type, operation and time. The data is left as it
// is, and has not been looked at: it may not even be valid JSON.
//
// Errors: those of [WebhookVerifier.Verify]. Docs: Merchant API, Webhooks.
func (v *WebhookVerifier) VerifyEnvelope(header http.Header, body []byte) (*EventEnvelope, error) {
	scope, err := v.authenticate(header, body)
	if err != nil {
		return nil, err
	}
	envelope := new(EventEnvelope)
	if !envelope.scan(body) {
		// Not what Intram writes. The strict reader decides.
		event, err := parseEvent(body)
		if err != nil {
			return nil, err
		}
		*envelope = EventEnvelope{Type: event.Type, OperationID: event.OperationID, OccurredAt: event.OccurredAt}
	}
	envelope.Raw, envelope.Scope = body, scope
	envelope.DeliveryID, envelope.Attempt = unsignedHeaders(header)
	return envelope, nil
}

// Event reads the rest of the event. Errors: [ErrInvalidPayload].
func (e *EventEnvelope) Event() (*Event, error) {
	event, err := parseEvent(e.Raw)
	if err != nil {
		return nil, err
	}
	event.Scope, event.DeliveryID, event.Attempt = e.Scope, e.DeliveryID, e.Attempt
	return event, nil
}

// unsignedHeaders are the delivery's id and attempt. A bad attempt is no reason to refuse what is signed.
func unsignedHeaders(header http.Header) (deliveryID string, attempt int) {
	deliveryID, _ = onlyHeader(header, headerWebhookDelivery, nil)
	number, _ := onlyHeader(header, headerWebhookAttempt, nil)
	attempt, _ = strconv.Atoi(number)
	return deliveryID, attempt
}

// scan reads the envelope in one pass. It takes what Intram writes and reports false for everything that is less plain: escapes
// in a name or a value it needs, a name twice, a value of another kind. Values it does not need it only finds the end of.
func (e *EventEnvelope) scan(body []byte) bool {
	s := bodyScanner{body: body}
	if !s.take('{') {
		return false
	}
	var seen [3]bool
	for first := true; ; first = false {
		if s.take('}') {
			return s.atEnd() && seen[0]
		}
		if !first && !s.take(',') {
			return false
		}
		name, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		field, ok := envelopeField(name)
		if !ok || field >= 0 && seen[field] {
			return false
		}
		if field < 0 {
			if !s.skip() {
				return false
			}
			continue
		}
		seen[field] = true
		value, ok := s.text()
		if !ok || !e.set(field, value) {
			return false
		}
	}
}

// envelopeFields are the names that make an envelope, in the order of EventEnvelope.set.
var envelopeFields = [...]string{"event", "operation_id", "occurred_at"}

// envelopeField is the place of a name among the envelope's, or -1. It is not ok when encoding/json would take the name for one of them, and
// it is not written like it.
func envelopeField(name []byte) (field int, ok bool) {
	for i, known := range envelopeFields {
		if string(name) == known {
			return i, true
		}
		if len(name) == len(known) && strings.EqualFold(string(name), known) {
			return -1, false
		}
	}
	return -1, true
}

func (e *EventEnvelope) set(field int, value []byte) bool {
	switch field {
	case 0:
		e.Type = EventType(value)
		return len(value) > 0
	case 1:
		e.OperationID = string(value)
		return true
	default:
		at, err := time.Parse(time.RFC3339Nano, string(value))
		e.OccurredAt = at.UTC()
		return err == nil
	}
}

// bodyScanner goes through a JSON document once.
type bodyScanner struct {
	body []byte
	at   int
}

func (s *bodyScanner) space() {
	for s.at < len(s.body) && (s.body[s.at] == ' ' || s.body[s.at] == '\n' || s.body[s.at] == '\r' || s.body[s.at] == '\t') {
		s.at++
	}
}

func (s *bodyScanner) atEnd() bool {
	s.space()
	return s.at == len(s.body)
}

// take goes past c, if that comes next.
func (s *bodyScanner) take(c byte) bool {
	if s.space(); s.at < len(s.body) && s.body[s.at] == c {
		s.at++
		return true
	}
	return false
}

// text goes past a string of plain ASCII and returns what is in it.
func (s *bodyScanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start := s.at
	for ; s.at < len(s.body); s.at++ {
		switch c := s.body[s.at]; {
		case c == '"':
			s.at++
			return s.body[start : s.at-1], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, false
		}
	}
	return nil, false
}

// skip goes past a value of any kind, counting brackets and leaving out strings.
func (s *bodyScanner) skip() bool {
	depth := 0
	for s.space(); s.at < len(s.body); {
		switch s.body[s.at] {
		case '"':
			if !s.skipString() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return true // of the object that the value is in
			}
			if depth--; depth == 0 {
				s.at++
				return true
			}
		case ',':
			if depth == 0 {
				return true
			}
		}
		s.at++
	}
	return false
}

// skipString goes past a string: to the first quote with an even number of backslashes before it.
func (s *bodyScanner) skipString() bool {
	for s.at++; ; {
		quote := bytes.IndexByte(s.body[s.at:], '"')
		if quote < 0 {
			return false
		}
		end := s.at + quote
		backslashes := 0
		for backslashes < quote && s.body[end-1-backslashes] == '\\' {
			backslashes++
		}
		s.at = end + 1
		if backslashes%2 == 0 {
			return true
		}
	}
}
