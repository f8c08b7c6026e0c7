package intram

import "time"

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
