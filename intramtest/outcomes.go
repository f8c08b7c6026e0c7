package intramtest

import (
	"context"

	intram "github.com/intram/intram-go"
)

// Pay is the customer paying a payment request on the checkout page, with the method and
// the number of the request. What comes of it is the number's outcome. A card or bank
// payment stays pending for 30 s. One that was declined, has failed, or was not made
// within its time ([WithPaymentExpiry]) is an error: it cannot be paid any more.
func (s *Server) Pay(reference string) error { return s.core.Pay(reference) }

// PayWith is [Server.Pay] with a method and a number of the customer's choice; an empty
// one is the request's.
func (s *Server) PayWith(reference string, method intram.ProviderCode, msisdn string) error {
	return s.core.PayWith(reference, string(method), msisdn)
}

// Codes of payments by card and bank transfer in the fake. The documentation speaks of
// such payments without naming their codes, so these are ours.
const (
	Card intram.ProviderCode = "CARD"
	Bank intram.ProviderCode = "BANK"
)

// Decline is the customer declining to pay.
func (s *Server) Decline(reference string) error { return s.core.Decline(reference) }

// SettlePayment ends a payment that its provider has yet to confirm.
func (s *Server) SettlePayment(reference string) error { return s.core.SettlePayment(reference) }

// FailPayment ends a payment with an error code, paid or not.
func (s *Server) FailPayment(reference string, code intram.ErrorCode) error {
	return s.core.FailPayment(reference, string(code))
}

// Process takes a queued operation to processing by hand: its money is debited, and it
// stays there.
func (s *Server) Process(operationID string) error { return s.core.Process(operationID) }

// Complete ends an operation with success by hand, whatever its test number says. A bank
// payout that waits for its settlement is settled: payout.completed is sent.
func (s *Server) Complete(operationID string) error { return s.core.Complete(operationID) }

// Fail ends an operation with an error code by hand, and credits back what was debited. A
// bank payout that waits for its settlement is rejected: payout.failed is sent.
func (s *Server) Fail(operationID string, code intram.ErrorCode) error {
	return s.core.Fail(operationID, string(code))
}

// SetWorker changes when operations are worked off, for those created from now on.
func (s *Server) SetWorker(w Worker) error { return s.core.SetWorker(w.mode) }

// SetProviderDown makes a payment method's provider unavailable, or available again:
// payouts and refunds through it fail with provider_unavailable, card refunds with
// stripe_unavailable.
func (s *Server) SetProviderDown(method intram.ProviderCode, down bool) error {
	return s.core.SetProviderDown(string(method), down)
}

// Trigger sends an event about an existing object, whatever state the object is in: an
// operation by its id, a payment or refund by its reference. Nothing else changes.
func (s *Server) Trigger(event intram.EventType, id string) error {
	return s.core.Trigger(string(event), id)
}

// TriggerRaw sends an event with data of your own to the sandbox merchant's
// subscriptions: one that does not exist yet, or one with fields the fake does not know.
func (s *Server) TriggerRaw(event intram.EventType, operationID string, data []byte) error {
	return s.core.TriggerRaw(s.PublicKey, string(event), operationID, data)
}

// Resend makes one more attempt of a delivery at once, whatever its state.
func (s *Server) Resend(deliveryID string) error { return s.core.Resend(deliveryID) }

// OperationState is where an operation is.
type OperationState struct {
	ID        string
	Type      string
	Status    intram.OperationStatus
	Reference string           // of the transaction it made, when it made one
	ErrorCode intram.ErrorCode // when it failed
}

// TransactionState is where a transaction is. Amounts are in whole units.
type TransactionState struct {
	ID, Reference           string
	Status                  intram.TransactionStatus
	Type                    string
	OperationID             string
	Amount, Fees, NetAmount int64
	Refunded                int64 // refunded, or being refunded
}

// AwaitOperation waits until an operation has ended. It moves no clock: on a frozen one,
// [Server.Advance] does, or a client's own waiting. The error of a wait that ended first
// says where the operation is.
func (s *Server) AwaitOperation(ctx context.Context, id string) (OperationState, error) {
	op, err := s.core.AwaitOperation(ctx, id)
	return OperationState{
		ID: op.ID, Type: op.Type, Status: intram.OperationStatus(op.Status), Reference: op.Reference, ErrorCode: intram.ErrorCode(op.ErrorCode),
	}, err
}

// AwaitTransaction waits until a transaction is no longer PENDING.
func (s *Server) AwaitTransaction(ctx context.Context, reference string) (TransactionState, error) {
	tx, err := s.core.AwaitTransaction(ctx, reference)
	return TransactionState{
		ID: tx.ID, Reference: tx.Reference, Status: intram.TransactionStatus(tx.Status), Type: tx.Type, OperationID: tx.OperationID,
		Amount: tx.Amount, Fees: tx.Fees, NetAmount: tx.NetAmount, Refunded: tx.Refunded,
	}, err
}

// AwaitEvent waits until an event of this type has happened to an object (an operation by
// its id, a transaction by its reference) and no attempt to deliver it is queued or under
// way.
func (s *Server) AwaitEvent(ctx context.Context, event intram.EventType, id string) (Event, error) {
	e, err := s.core.AwaitEvent(ctx, string(event), id)
	return newEvent(e), err
}

// AwaitDelivery waits until a delivery was acknowledged or given up.
func (s *Server) AwaitDelivery(ctx context.Context, id string) (Delivery, error) {
	d, err := s.core.AwaitDelivery(ctx, id)
	return newDelivery(d), err
}
