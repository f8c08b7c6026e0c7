package intram

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/strictjson"
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

// isPattern reports whether a subscription can ask for e: an exact type, a family with .*, * or all.
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
// DeliveryID and Attempt come from headers that the signature does not cover: good for a log, not for a decision. An
// event may come twice, and after a later one; OccurredAt tells them apart.
type Event struct {
	Type        EventType
	OperationID string
	OccurredAt  time.Time
	// Data is what the event is about: a [*PayoutEventData], [*PaymentRequestEventData], [*RefundEventData] or [*PingData],
	// and for an event that the SDK does not know, an [*UnknownEventData].
	Data EventData
	// Raw is the body, exactly as it was signed.
	Raw RawMessage
	// Scope is whose event it is, when one inbox serves several merchants or environments: see [WithInboxScope].
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
	// Fees and NetAmount are not set when the event does not say them, as before the customer has paid. The customer is charged Amount and
	// Fees, the merchant is credited NetAmount.
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

// parseEvent reads a delivery's body. It is signed, so it is not refused for an odd shape: what cannot be read of it is left
// empty, and the event is handed over with data that the SDK does not know. Refused is only what is no JSON object, has none of an
// event's members, or says one of them twice.
func parseEvent(body []byte) (*Event, error) {
	text := withoutBOM(body)
	var wire struct {
		Type        json.RawMessage `json:"event"`
		OperationID json.RawMessage `json:"operation_id"`
		OccurredAt  timestamp       `json:"occurred_at"`
		Data        json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
	}
	event := &Event{OccurredAt: wire.OccurredAt.Time}
	var typed, identified bool
	event.Type, typed = readEventType(wire.Type)
	event.OperationID, identified = readEventOperation(wire.OperationID)
	if !typed && event.OperationID == "" && wire.Data == nil && wire.OccurredAt.IsZero() {
		return nil, fmt.Errorf("%w: it has none of an event's members", ErrInvalidPayload)
	}
	if typed && identified {
		event.Data = decodeEventData(event.Type, wire.Data)
	} else {
		event.Data = &UnknownEventData{Raw: RawMessage(wire.Data)}
	}
	if err := strictjson.Check(text); err != nil {
		if len(wire.Data) == 0 || strictjson.Check(wire.Data) == nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
		}
		// The event is sure, and what it says of the money can be read in two ways: it is kept, unread.
		event.Data = &UnknownEventData{Raw: RawMessage(wire.Data)}
	}
	return event, event.Raw.UnmarshalJSON(body)
}

// readEventType reads the type of an event, as it is written: one in capitals is a type that the SDK does not know.
func readEventType(data json.RawMessage) (typ EventType, ok bool) {
	var text string
	if len(data) == 0 || data[0] != '"' || json.Unmarshal(data, &text) != nil {
		return "", false
	}
	return EventType(text), text != ""
}

// readEventOperation reads the operation of an event: a string, or an integer as it is written. None is fine.
func readEventOperation(data json.RawMessage) (id string, ok bool) {
	switch {
	case len(data) == 0 || isNull(data):
		return "", true
	case data[0] == '"':
		return id, json.Unmarshal(data, &id) == nil
	case len(data) <= 64 && allOf(string(data), isDigit):
		return string(data), true
	}
	return "", false
}

// decodeEventData reads the data as the type's family says. What does not fit is kept: an event that is signed is never refused for
// what it says.
func decodeEventData(typ EventType, data json.RawMessage) EventData {
	family, _, _ := strings.Cut(string(typ), ".")
	var typed interface {
		EventData
		json.Unmarshaler
	}
	switch family {
	case "payout":
		typed = new(PayoutEventData)
	case "payment_request":
		typed = new(PaymentRequestEventData)
	case "refund":
		typed = new(RefundEventData)
	case "test":
		typed = new(PingData)
	default:
		return &UnknownEventData{Raw: RawMessage(data)}
	}
	// Called directly: json.Unmarshal would go through the data twice more to find out that it is valid and where it ends.
	if len(data) == 0 || isNull(data) || typed.UnmarshalJSON(data) != nil {
		return &UnknownEventData{Raw: RawMessage(data)}
	}
	return typed
}

// UnmarshalJSON reads an event's data.
func (d *PayoutEventData) UnmarshalJSON(data []byte) error {
	var wire struct {
		payoutResultWire
		Error    *OperationError `json:"error"`
		Metadata RawMessage      `json:"metadata"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	d.Error, d.Metadata = wire.Error.orNil(), wire.Metadata
	return d.read(&wire.payoutResultWire, data)
}

// UnmarshalJSON reads an event's data.
func (d *PaymentRequestEventData) UnmarshalJSON(data []byte) error {
	var wire struct {
		paymentRequestResultWire
		Error         *OperationError   `json:"error"`
		WebhookData   RawMessage        `json:"webhook_data"`
		Fees          Amount            `json:"fees"`
		NetAmount     Amount            `json:"net_amount"`
		PaymentMethod paymentMethodWire `json:"payment_method"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	d.Error, d.WebhookData = wire.Error.orNil(), wire.WebhookData
	d.Fees, d.NetAmount, d.PaymentMethod = wire.Fees, wire.NetAmount, TransactionPaymentMethod(wire.PaymentMethod)
	return d.read(&wire.paymentRequestResultWire, data)
}

// UnmarshalJSON reads an event's data.
func (d *RefundEventData) UnmarshalJSON(data []byte) error {
	var wire struct {
		refundResultWire
		Error  *OperationError `json:"error"`
		Reason text            `json:"reason"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	d.Error, d.Reason = wire.Error.orNil(), string(wire.Reason)
	return d.read(&wire.refundResultWire, data)
}

// UnmarshalJSON reads an event's data.
func (d *PingData) UnmarshalJSON(data []byte) error {
	var wire struct {
		Test   flag      `json:"test"`
		SentAt timestamp `json:"sent_at"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	d.Test, d.SentAt = bool(wire.Test), wire.SentAt.Time
	return nil
}

// MarshalJSON writes what the API sent.
func (d *UnknownEventData) MarshalJSON() ([]byte, error) { return d.Raw.MarshalJSON() }

// Format implements [fmt.Formatter]: the payout, and why it failed.
func (d PayoutEventData) Format(f fmt.State, _ rune) {
	writeString(f, hidden("PayoutEventData", fmt.Sprint(d.PayoutResult), codeOf(d.Error)))
}

// LogValue implements [slog.LogValuer].
func (d PayoutEventData) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// Format implements [fmt.Formatter]: the payment, and why it failed.
func (d PaymentRequestEventData) Format(f fmt.State, _ rune) {
	writeString(f, hidden("PaymentRequestEventData", fmt.Sprint(d.PaymentRequestResult), codeOf(d.Error)))
}

// LogValue implements [slog.LogValuer].
func (d PaymentRequestEventData) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// Format implements [fmt.Formatter]: the refund, and why it failed.
func (d RefundEventData) Format(f fmt.State, _ rune) {
	writeString(f, hidden("RefundEventData", fmt.Sprint(d.RefundResult), codeOf(d.Error)))
}

// LogValue implements [slog.LogValuer].
func (d RefundEventData) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// Format implements [fmt.Formatter]: the length, never the content.
func (d UnknownEventData) Format(f fmt.State, _ rune) {
	writeString(f, hidden("UnknownEventData", d.Raw.summary()))
}

// LogValue implements [slog.LogValuer].
func (d UnknownEventData) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// codeOf is the code of an operation's error, empty for none.
func codeOf(e *OperationError) string {
	if e == nil {
		return ""
	}
	return redact.Word(string(e.Code))
}

// Format implements [fmt.Formatter]: what happened to what, without the data.
func (e Event) Format(f fmt.State, _ rune) {
	writeString(f, hidden("Event", redact.Word(string(e.Type)), scrubID(e.OperationID), e.OccurredAt.Format(time.RFC3339)))
}

// LogValue implements [slog.LogValuer].
func (e Event) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// Progress is how far an operation or a payment has come, as its events tell. Events arrive out of order; a Progress only goes
// forward. Keep it with your own record of the payout, payment or refund, and let [Progress.Apply] decide:
//
//	next, moved := order.Progress.Apply(event)
//	if !moved {
//		return nil // older news than what is known
//	}
//
// Read, apply and write in one transaction, or two events at once could both start from the same Progress. The zero value has seen
// nothing yet.
//
// The order is: payout.queued, .completed, then .failed; payment_request.created, .pending, .failed, then .paid (a
// customer whose first try failed may pay with the second); refund.pending, then .completed or .failed. Of the two ends of
// a refund, the one that occurred later stands. A payout's .failed stands whenever it occurred: a bank can return a
// payout that was completed, the reconciler may tell of that with an earlier date (an operation without an updated_date
// does not say when), and nothing completes a payout that failed, since its money was credited back.
type Progress struct {
	// Event is the event that came furthest, such as payout.completed.
	Event EventType `json:"event"`
	// OperationID is whose progress it is.
	OperationID string `json:"operation_id"`
	// OccurredAt is when.
	OccurredAt time.Time `json:"occurred_at"`
}

// Apply returns the progress after an event, and whether the event moved it. An event that moves nothing came late, says again what was known, is about
// another operation, or is of a type whose place in the order is not known.
func (p Progress) Apply(event *Event) (next Progress, moved bool) {
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
	return Progress{Event: event.Type, OperationID: event.OperationID, OccurredAt: event.OccurredAt}, true
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
