package intram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/intram/intram-go/internal/wire"
)

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

// eventJSON is an event as it goes through a queue. The first four members are those of a delivery's body, to be read and
// searched; signed_body is the body itself, in base64, so that a store that writes JSON anew (jsonb does) changes nothing
// of it. It is null for an event that the reconciler made.
type eventJSON struct {
	Type        string          `json:"event"`
	OperationID string          `json:"operation_id,omitempty"`
	OccurredAt  time.Time       `json:"occurred_at,omitzero"`
	Data        json.RawMessage `json:"data,omitempty"`
	SignedBody  []byte          `json:"signed_body"`
	Scope       string          `json:"scope,omitempty"`
	DeliveryID  string          `json:"delivery_id,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
}

// MarshalJSON writes the event for a queue or a table of yours: [Event.UnmarshalJSON] reads it without loss, after
// PostgreSQL's jsonb too. The members are event, operation_id, occurred_at and data as in the delivery, signed_body (Raw in
// base64), scope, delivery_id and attempt. Data that jsonb would refuse (a NUL, text that is not UTF-8) is in
// signed_body only. It contains personal data. Docs: Merchant API, Webhooks.
func (e Event) MarshalJSON() ([]byte, error) {
	w := eventJSON{
		Type: storable(string(e.Type)), OperationID: storable(e.OperationID), OccurredAt: e.OccurredAt,
		SignedBody: e.Raw, Scope: e.Scope, DeliveryID: storable(e.DeliveryID), Attempt: e.Attempt,
	}
	if len(e.Raw) == 0 {
		w.SignedBody = nil
		data, err := marshalEventData(e.Data)
		if err != nil {
			return nil, err
		}
		w.Data = data
	} else {
		var body struct {
			Data json.RawMessage `json:"data"`
		}
		if json.Unmarshal(wire.WithoutBOM(e.Raw), &body) == nil && isStorable(body.Data) {
			w.Data = body.Data
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what [Event.MarshalJSON] wrote, and the body of a delivery, which is what version 0.1.0 wrote. What it
// reads is not verified: it must come from a store of yours. Errors: [ErrInvalidPayload].
func (e *Event) UnmarshalJSON(data []byte) error {
	var queued struct {
		SignedBody wire.Part  `json:"signed_body"`
		Scope      wire.Text  `json:"scope"`
		DeliveryID wire.Text  `json:"delivery_id"`
		Attempt    wire.Count `json:"attempt"`
	}
	if err := wire.UnmarshalObject(data, &queued); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
	}
	var signed []byte
	if queued.SignedBody != nil {
		if err := json.Unmarshal(queued.SignedBody, &signed); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
		}
	}
	if len(signed) > 0 {
		data = signed
	}
	event, err := parseEvent(data)
	if err != nil {
		return err
	}
	if queued.SignedBody != nil { // it may be null, and is in what MarshalJSON wrote
		event.Scope, event.DeliveryID, event.Attempt = string(queued.Scope), string(queued.DeliveryID), int(queued.Attempt)
		if len(signed) == 0 {
			event.Raw = nil
			setEventOperation(event)
		}
	}
	*e = *event
	return nil
}

// marshalEventData writes the data of an event that has no body, in the names of one. It begins with what the API showed, and
// sets what the reconciler read differently.
func marshalEventData(data EventData) (json.RawMessage, error) {
	var raw RawMessage
	members := map[string]any{}
	var failure *OperationError
	switch d := data.(type) {
	case nil:
		return nil, nil
	case *UnknownEventData:
		return json.RawMessage(d.Raw), nil
	case *PingData:
		members["test"], members["sent_at"] = d.Test, d.SentAt
	case *PayoutEventData:
		raw, failure = d.Raw, d.Error
		members["reference"], members["amount"], members["currency"], members["status"] = d.Reference, d.Amount, d.Currency, d.Status
		members["destination"], members["metadata"] = eventDestination(d.Destination), d.Metadata
		members["provider_response"] = d.ProviderResponse.queued()
	case *PaymentRequestEventData:
		raw, failure = d.Raw, d.Error
		members["transaction_reference"], members["status"], members["amount"], members["currency"] = d.TransactionReference, d.Status, d.Amount, d.Currency
		members["gateway_url"], members["receipt_url"], members["qr_code"] = d.GatewayURL, d.ReceiptURL, d.QRCode
		members["webhook_data"] = d.WebhookData
		if d.Fees.IsSet() {
			members["fees"] = d.Fees
		}
		if d.NetAmount.IsSet() {
			members["net_amount"] = d.NetAmount
		}
		if m := d.PaymentMethod; m != (TransactionPaymentMethod{}) {
			members["payment_method"] = map[string]any{"name": m.Name, "code": m.Code, "type": m.Type}
		}
	case *RefundEventData:
		raw, failure = d.Raw, d.Error
		members["status"], members["refund_reference"], members["amount"] = d.Status, d.RefundReference, d.Amount
		members["transaction_reference"], members["reason"] = d.TransactionReference, d.Reason
		members["provider_response"] = d.ProviderResponse.queued()
	}
	all := map[string]json.RawMessage{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, err
		}
	}
	delete(all, "error")
	if failure != nil {
		members["error"] = map[string]any{"code": failure.Code, "message": failure.Message, "details": failure.Details.queued()}
	}
	for name, value := range members {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		all[name] = text
	}
	return json.Marshal(all)
}

// queued is the operator's answer in the shape in which it came.
func (p ProviderResponse) queued() any {
	if len(p.Raw) > 0 {
		return p.Raw
	}
	if p.ResponseCode == "" && p.ResponseMessage == "" && p.ServiceReference == "" {
		return nil
	}
	return p
}

// eventDestination is a payout's destination as the API writes it.
func eventDestination(destination Destination) any {
	switch d := destination.(type) {
	case nil:
		return nil
	case UnknownDestination:
		return d.Raw
	default:
		return destinationWire(new(validation), d)
	}
}

// setEventOperation names the operation in the error of an event, as the reconciler does.
func setEventOperation(e *Event) {
	var failure *OperationError
	switch d := e.Data.(type) {
	case *PayoutEventData:
		failure = d.Error
	case *PaymentRequestEventData:
		failure = d.Error
	case *RefundEventData:
		failure = d.Error
	}
	if failure != nil {
		failure.OperationID = e.OperationID
	}
}

// isStorable reports whether PostgreSQL's jsonb takes the JSON: it refuses an escaped NUL, half a surrogate pair, and what is
// not UTF-8. All escaped surrogates are left out: signed_body has them.
func isStorable(data []byte) bool {
	return utf8.Valid(data) && !bytes.Contains(data, []byte(`\u0000`)) && !bytes.Contains(bytes.ToLower(data), []byte(`\ud`))
}

// storable is a text without what jsonb refuses.
func storable(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }
