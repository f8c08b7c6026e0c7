package intram

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/strictjson"

	"github.com/intram/intram-go/internal/wire"
)

// EventType names what happened.
type EventType string

// Event types (Merchant API docs, Webhooks). More may come, and arrive as they are.
const (
	EventPayoutCompleted       EventType = "payout.completed"
	EventPayoutQueued          EventType = "payout.queued"
	EventPayoutFailed          EventType = "payout.failed"
	EventPaymentRequestCreated EventType = "payment_request.created"
	EventPaymentRequestPaid    EventType = "payment_request.paid"
	EventPaymentRequestPending EventType = "payment_request.pending"
	EventPaymentRequestFailed  EventType = "payment_request.failed"
	EventRefundCompleted       EventType = "refund.completed"
	EventRefundPending         EventType = "refund.pending"
	EventRefundFailed          EventType = "refund.failed"
	EventTestPing              EventType = "test.ping"
	EventTransferCompleted     EventType = "transfer.completed" // earlier revision of the docs
	EventTransferFailed        EventType = "transfer.failed"    // earlier revision of the docs
	// EventAll is every event, in a subscription.
	EventAll EventType = "*"
)

// isPattern reports whether a subscription can ask for e: an exact type, a family with
// .*, * or all.
func (e EventType) isPattern() bool {
	if e == EventAll || e == "all" {
		return true
	}
	family, name, ok := strings.Cut(string(e), ".")
	word := func(c byte) bool { return isAlphanumeric(c) || c == '_' }
	return ok && len(e) <= 64 && family != "" && name != "" && allOf(family, word) && (name == "*" || allOf(name, word))
}

// Event is a webhook delivery whose signature is good.
//
// DeliveryID and Attempt come from headers that the signature does not cover: good for a
// log, not for a decision. An event may come twice, and after a later one; OccurredAt
// tells them apart.
type Event struct {
	Type        EventType
	OperationID string
	OccurredAt  time.Time
	// Data is what the event is about: a [*PayoutEventData], [*PaymentRequestEventData],
	// [*RefundEventData] or [*PingData], and for an event that the SDK does not know, an
	// [*UnknownEventData].
	Data EventData
	// Raw is the body, exactly as it was signed.
	Raw RawMessage
	// Scope is whose event it is, when one inbox serves several merchants or
	// environments: see [WithInboxScope].
	Scope string
	// DeliveryID and Attempt are not signed.
	DeliveryID string
	Attempt    int
}

// EventData is what an event is about.
type EventData interface{ isEventData() }

// PayoutEventData comes with payout.* events.
type PayoutEventData struct {
	PayoutResult
	// Error is why a payout failed, when the event says so.
	Error *OperationError
	// Metadata is what the payout carried: the Metadata of [PayoutParams].
	Metadata RawMessage
}

// PaymentRequestEventData comes with payment_request.* events.
type PaymentRequestEventData struct {
	PaymentRequestResult
	// Error is why a payment failed, when the event says so.
	Error *OperationError
	// WebhookData is what the payment request carried.
	WebhookData RawMessage
	// Fees and NetAmount are not set when the event does not say them, as before the
	// customer has paid. The customer is charged Amount and Fees, the merchant is
	// credited NetAmount.
	Fees, NetAmount Amount
	// PaymentMethod is how the customer paid, when the event says so.
	PaymentMethod TransactionPaymentMethod
}

// RefundEventData comes with refund.* events.
type RefundEventData struct {
	RefundResult
	// Reason is what the event says of why.
	Reason string
	// Error is why a refund failed, when the event says so.
	Error *OperationError
}

// PingData comes with test.ping.
type PingData struct {
	Test   bool
	SentAt time.Time
}

// UnknownEventData is the data of an event that the SDK does not know, or cannot read.
type UnknownEventData struct{ Raw RawMessage }

func (*PayoutEventData) isEventData()         {}
func (*PaymentRequestEventData) isEventData() {}
func (*RefundEventData) isEventData()         {}
func (*PingData) isEventData()                {}
func (*UnknownEventData) isEventData()        {}

// parseEvent reads a delivery's body. It is signed, so it is not refused for an odd
// shape: what cannot be read of it is left empty, and the event is handed over with data
// that the SDK does not know. Refused is only what is no JSON object, has none of an
// event's members, or says one of them twice.
func parseEvent(body []byte) (*Event, error) {
	event := &Event{Raw: bytes.Clone(body)}
	text := wire.WithoutBOM(event.Raw)
	parts, twoWays := strictjson.Split(text)
	if twoWays == nil && event.readTyped(text, parts) {
		return event, nil
	}
	var w struct {
		eventHead
		Data wire.Part `json:"data"`
	}
	if err := wire.UnmarshalObject(text, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
	}
	var typed bool
	event.Type, typed = readEventType(w.Type)
	event.OperationID, _ = readEventOperation(w.OperationID)
	event.OccurredAt = w.OccurredAt.Time
	event.Data = &UnknownEventData{Raw: RawMessage(slices.Clip(w.Data))}
	switch {
	case !typed && event.OperationID == "" && w.Data == nil && w.OccurredAt.IsZero():
		return nil, fmt.Errorf("%w: it has none of an event's members", ErrInvalidPayload)
	case twoWays != nil && (len(w.Data) == 0 || strictjson.Check(w.Data) == nil):
		return nil, fmt.Errorf("%w: %w", ErrInvalidPayload, within(twoWays))
	}
	// If it is the data that can be read in two ways, the event is sure: it is kept, and
	// its data is not read.
	return event, nil
}

// eventHead is what all events have.
type eventHead struct {
	Type        wire.Part `json:"event"`
	OperationID wire.Part `json:"operation_id"`
	OccurredAt  wire.Time `json:"occurred_at"`
}

// readTyped reads an event with data of a family that the SDK knows, in one pass. It
// reports false for every other one.
func (e *Event) readTyped(text []byte, parts strictjson.Parts) bool {
	typ, ok := readEventType(parts.Event)
	if !ok || !wire.IsObject(parts.Data) {
		return false
	}
	var head *eventHead
	var data EventData
	switch family, _, _ := strings.Cut(string(typ), "."); family {
	case "payout":
		head, data = readEventData[PayoutEventData, payoutEventWire](text, parts.Data)
	case "payment_request":
		head, data = readEventData[PaymentRequestEventData, paymentRequestEventWire](text, parts.Data)
	case "refund":
		head, data = readEventData[RefundEventData, refundEventWire](text, parts.Data)
	case "test":
		head, data = readEventData[PingData, pingWire](text, parts.Data)
	}
	if head == nil {
		return false
	}
	id, ok := readEventOperation(head.OperationID)
	if ok {
		e.Type, e.OperationID, e.OccurredAt, e.Data = typ, id, head.OccurredAt.Time, data
	}
	return ok
}

// readEventData reads a body around a W, which stands at raw. It returns nil when the
// body cannot be read so.
func readEventData[T any, W shape[T], P interface {
	*T
	EventData
}](text []byte, raw RawMessage) (*eventHead, EventData) {
	w := new(struct {
		eventHead
		Data W `json:"data"`
	})
	if wire.Unmarshal(text, w) != nil {
		return nil, nil
	}
	data := w.Data.model(raw)
	return &w.eventHead, P(&data)
}

// readEventType reads the type of an event, as it is written: one in capitals is a type
// that the SDK does not know.
func readEventType(data []byte) (typ EventType, ok bool) {
	text, ok := readString(data)
	return EventType(text), ok && text != ""
}

// readString reads what is a string.
func readString(data []byte) (text string, ok bool) {
	if text, ok = wire.String(data); !ok && wire.FirstByte(data) == '"' {
		var unescaped string
		err := json.Unmarshal(data, &unescaped)
		return unescaped, err == nil
	}
	return text, ok
}

// readEventOperation reads the operation of an event: a string, or an integer as it is
// written. None is fine.
func readEventOperation(data []byte) (id string, ok bool) {
	switch {
	case len(data) == 0 || wire.IsNull(data):
		return "", true
	case data[0] == '"':
		return readString(data)
	case len(data) <= 64 && allOf(string(data), isDigit):
		return string(data), true
	}
	return "", false
}

type payoutEventWire struct {
	payoutResultWire
	Error    *OperationError `json:"error"`
	Metadata wire.Part       `json:"metadata"`
}

// model implements shape.
func (w payoutEventWire) model(raw RawMessage) PayoutEventData {
	return PayoutEventData{PayoutResult: w.payoutResultWire.model(raw), Error: w.Error.orNil(), Metadata: w.Metadata.Of(raw)}
}

// UnmarshalJSON reads an event's data.
func (d *PayoutEventData) UnmarshalJSON(data []byte) error {
	return readValue[PayoutEventData, payoutEventWire](data, d)
}

type paymentRequestEventWire struct {
	paymentRequestResultWire
	Error         *OperationError   `json:"error"`
	WebhookData   wire.Part         `json:"webhook_data"`
	Fees          Amount            `json:"fees"`
	NetAmount     Amount            `json:"net_amount"`
	PaymentMethod paymentMethodWire `json:"payment_method"`
}

// model implements shape.
func (w paymentRequestEventWire) model(raw RawMessage) PaymentRequestEventData {
	return PaymentRequestEventData{
		PaymentRequestResult: w.paymentRequestResultWire.model(raw), Error: w.Error.orNil(), WebhookData: w.WebhookData.Of(raw),
		Fees: w.Fees, NetAmount: w.NetAmount, PaymentMethod: TransactionPaymentMethod(w.PaymentMethod),
	}
}

// UnmarshalJSON reads an event's data.
func (d *PaymentRequestEventData) UnmarshalJSON(data []byte) error {
	return readValue[PaymentRequestEventData, paymentRequestEventWire](data, d)
}

type refundEventWire struct {
	refundResultWire
	Error  *OperationError `json:"error"`
	Reason wire.Text       `json:"reason"`
}

// model implements shape.
func (w refundEventWire) model(raw RawMessage) RefundEventData {
	return RefundEventData{RefundResult: w.refundResultWire.model(raw), Error: w.Error.orNil(), Reason: string(w.Reason)}
}

// UnmarshalJSON reads an event's data.
func (d *RefundEventData) UnmarshalJSON(data []byte) error {
	return readValue[RefundEventData, refundEventWire](data, d)
}

type pingWire struct {
	Test   wire.Flag `json:"test"`
	SentAt wire.Time `json:"sent_at"`
}

// model implements shape.
func (w pingWire) model(RawMessage) PingData {
	return PingData{Test: bool(w.Test), SentAt: w.SentAt.Time}
}

// UnmarshalJSON reads an event's data.
func (d *PingData) UnmarshalJSON(data []byte) error { return readValue[PingData, pingWire](data, d) }

// MarshalJSON writes what the API sent.
func (d *UnknownEventData) MarshalJSON() ([]byte, error) { return d.Raw.MarshalJSON() }

// eventJSON is an event as it goes through a queue. The first four members are those of a
// delivery's body, to be read and searched; signed_body is the body itself, in base64, so
// that a store that writes JSON anew (jsonb does) changes nothing of it. It is null for
// an event that the reconciler made.
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

// MarshalJSON writes the event for a queue or a table of yours: [Event.UnmarshalJSON]
// reads it without loss, after PostgreSQL's jsonb too. The members are event,
// operation_id, occurred_at and data as in the delivery, signed_body (Raw in base64),
// scope, delivery_id and attempt. Data that jsonb would refuse (a NUL, text that is not
// UTF-8) is in signed_body only. It contains personal data. Docs: Merchant API, Webhooks.
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

// UnmarshalJSON reads what [Event.MarshalJSON] wrote, and the body of a delivery, which
// is what version 0.1.0 wrote. What it reads is not verified: it must come from a store
// of yours. Errors: [ErrInvalidPayload].
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

// marshalEventData writes the data of an event that has no body, in the names of one. It
// begins with what the API showed, and sets what the reconciler read differently.
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

// queued is the operator's response in the shape in which it came.
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

// isStorable reports whether PostgreSQL's jsonb takes the JSON: it refuses an escaped
// NUL, half a surrogate pair, and what is not UTF-8. All escaped surrogates are left out:
// signed_body has them.
func isStorable(data []byte) bool {
	return utf8.Valid(data) && !bytes.Contains(data, []byte(`\u0000`)) && !bytes.Contains(bytes.ToLower(data), []byte(`\ud`))
}

// storable is a text without what jsonb refuses.
func storable(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// shown returns what is printed: the payout, and why it failed.
func (d PayoutEventData) shown() string {
	return hidden("PayoutEventData", fmt.Sprint(d.PayoutResult), codeOf(d.Error))
}

// shown returns what is printed: the payment, and why it failed.
func (d PaymentRequestEventData) shown() string {
	return hidden("PaymentRequestEventData", fmt.Sprint(d.PaymentRequestResult), codeOf(d.Error))
}

// shown returns what is printed: the refund, and why it failed.
func (d RefundEventData) shown() string {
	return hidden("RefundEventData", fmt.Sprint(d.RefundResult), codeOf(d.Error))
}

// shown returns what is printed: the length, never the content.
func (d UnknownEventData) shown() string { return hidden("UnknownEventData", d.Raw.shown()) }

// codeOf is the code of an operation's error, empty for none.
func codeOf(e *OperationError) string {
	if e == nil {
		return ""
	}
	return redact.Word(string(e.Code))
}

// shown returns what is printed: what happened to what, without the data.
func (e Event) shown() string {
	return hidden("Event", redact.Word(string(e.Type)), scrubID(e.OperationID), e.OccurredAt.Format(time.RFC3339))
}

// EventOrder is how far an operation or a payment has come, as its events tell. Events
// arrive out of order; an EventOrder only goes forward. Keep it with your own record of
// the payout, payment or refund, and let [EventOrder.Apply] decide:
//
//	next, moved := order.Payout.Apply(event)
//	if !moved {
//		return nil // older news than what is known
//	}
//
// Read, apply and write in one transaction, or two events at once could both start from
// the same EventOrder. The zero value has seen nothing yet.
//
// The order is: payout.queued, .completed, then .failed; payment_request.created,
// .pending, .failed, then .paid (a customer whose first try failed may pay with the
// second); refund.pending, then .completed or .failed. Of the two ends of a refund, the
// one that occurred later stands. A payout's .failed stands whenever it occurred: a bank
// can return a payout that was completed, the reconciler may tell of that with an earlier
// date (an operation without an updated_date does not say when), and nothing completes a
// payout that failed, since its money was credited back.
type EventOrder struct { //nolint:recvcheck // Scan sets what it is called on
	// Event is the event that came furthest, such as payout.completed.
	Event EventType `json:"event"`
	// OperationID is whose progress it is.
	OperationID string `json:"operation_id"`
	// OccurredAt is when.
	OccurredAt time.Time `json:"occurred_at"`
}

// Apply returns the progress after an event, and whether the event moved it. An event
// that moves nothing came late, says again what was known, is about another operation, or
// is of a type whose place in the order is not known.
func (p EventOrder) Apply(event *Event) (next EventOrder, moved bool) {
	rank := event.Type.rank()
	switch {
	case rank == 0:
		return p, false
	case p.Event == "":
	case event.OperationID != p.OperationID || event.Type.family() != p.Event.family():
		return p, false
	case rank < p.Event.rank(), event.Type == p.Event:
		return p, false
	case rank == p.Event.rank() && !event.OccurredAt.After(p.OccurredAt):
		return p, false
	}
	return EventOrder{Event: event.Type, OperationID: event.OperationID, OccurredAt: event.OccurredAt}, true
}

// Value implements [driver.Valuer]: the order as JSON text, which json, jsonb and text
// columns take, also through a pooler that prepares no statements.
func (p EventOrder) Value() (driver.Value, error) {
	text, err := json.Marshal(p)
	return string(text), err
}

// Scan implements [sql.Scanner]. It reads what [EventOrder.Value] writes; NULL is the
// zero value.
func (p *EventOrder) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case nil:
		*p = EventOrder{}
		return nil
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("intram: event order: cannot scan a %T: use a json, jsonb or text column", src)
	}
	var read EventOrder
	if err := json.Unmarshal(text, &read); err != nil {
		return errors.New("intram: event order: the column is not the JSON of an EventOrder")
	}
	*p = read
	return nil
}

// rank is an event's place in the order of its family, from 1; 0 is no known place.
func (e EventType) rank() int {
	switch e {
	case EventPayoutQueued, EventPaymentRequestCreated, EventRefundPending:
		return 1
	case EventPaymentRequestPending, EventPayoutCompleted, EventRefundCompleted, EventRefundFailed,
		EventTransferCompleted, EventTransferFailed:
		return 2
	case EventPaymentRequestFailed, EventPayoutFailed:
		return 3
	case EventPaymentRequestPaid:
		return 4
	}
	return 0
}
