package intram

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/intram/intram-go/internal/redact"
)

// EventHandler is a function of the merchant's that makes an event take effect.
type EventHandler = func(context.Context, *Event) error

// ErrUnexpectedData says that an event's data is not of the type that its function takes.
// The event has not taken effect.
var ErrUnexpectedData = redact.Sentinel("intram: webhook: the event's data is not of the type that its function takes")

// EventRouter calls a function by the event's type. Its Handle is what
// [NewWebhookHandler] and [NewReconciler] take.
//
//	router := new(intram.EventRouter)
//	router.On(intram.EventPayoutCompleted, markPaidOut)
//	router.On("refund.*", refundChanged)
//	router.Default(logIt)
//
// One function is called for an event: that of its exact type, else that of its family
// (refund.*), else that of all events (*), else the default. An event that none of them
// is for takes effect by being left alone, but for one whose type is missing or has
// capitals, which may be meant for one of them: without a default it fails with
// [ErrUnexpectedData].
//
// The zero value is ready to use. Register everything before the first event: a router is
// safe for concurrent use from then on.
type EventRouter struct {
	routes   map[EventType]EventHandler
	fallback EventHandler
	mistakes []error
}

// On registers handle for a type, a family such as payout.*, or all events with *. It
// returns the router. A mistake (a pattern that is none or that is there already, a nil
// function) is reported by [EventRouter.Err], and by every event.
func (r *EventRouter) On(pattern EventType, handle EventHandler) *EventRouter {
	if pattern == "all" {
		pattern = EventAll
	}
	_, taken := r.routes[pattern]
	switch {
	case !pattern.isPattern():
		r.mistake("On: %q is no event type, no family such as payout.* and not *", string(pattern))
	case taken:
		r.mistake("On: %s is registered twice", pattern)
	case handle == nil:
		r.mistake("On: the function for %s is nil", pattern)
	default:
		if r.routes == nil {
			r.routes = make(map[EventType]EventHandler)
		}
		r.routes[pattern] = handle
	}
	return r
}

// OnData registers a function that takes the event's data as its own type: a
// [*PayoutEventData], [*PaymentRequestEventData], [*RefundEventData], [*PingData] or
// [*UnknownEventData].
//
//	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, payout *intram.PayoutEventData) error { … })
//
// An event whose data is of another type, because the SDK could not read it, fails with
// [ErrUnexpectedData]: it is sent again, and seen in the log, instead of passing for
// handled.
func OnData[D EventData](r *EventRouter, pattern EventType, handle func(context.Context, *Event, D) error) {
	if handle == nil {
		r.On(pattern, nil)
		return
	}
	r.On(pattern, func(ctx context.Context, event *Event) error {
		data, ok := event.Data.(D)
		if !ok {
			return fmt.Errorf("%w: %s has %T", ErrUnexpectedData, redact.Text(string(event.Type)), event.Data)
		}
		return handle(ctx, event, data)
	})
}

// Default registers a function for the events that no other is for. It returns the
// router.
func (r *EventRouter) Default(handle EventHandler) *EventRouter {
	switch {
	case handle == nil:
		r.mistake("Default: the function is nil")
	case r.fallback != nil:
		r.mistake("Default is registered twice")
	default:
		r.fallback = handle
	}
	return r
}

// Err returns what was registered wrongly, or nil. Ask it when your program starts.
func (r *EventRouter) Err() error { return errors.Join(r.mistakes...) }

// Handle calls the event's function.
func (r *EventRouter) Handle(ctx context.Context, event *Event) error {
	if err := r.Err(); err != nil {
		return err
	}
	for _, pattern := range [...]EventType{event.Type, EventType(event.Type.family() + ".*"), EventAll} {
		if handle, ok := r.routes[pattern]; ok {
			return handle(ctx, event)
		}
	}
	if r.fallback != nil {
		return r.fallback(ctx, event)
	}
	if folded := EventType(strings.ToLower(string(event.Type))); folded != event.Type || folded == "" {
		return fmt.Errorf("%w: its type cannot be read, and there is no Default", ErrUnexpectedData)
	}
	return nil
}

// family is the part of a type before the dot.
func (e EventType) family() string {
	family, _, _ := strings.Cut(string(e), ".")
	return family
}

func (r *EventRouter) mistake(format string, args ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf("intram: EventRouter: "+format, args...))
}
