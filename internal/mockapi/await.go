package mockapi

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Operation is what waiting for an operation returns.
type Operation struct {
	ID, Type, Status string
	Environment      string
	Reference        string // the transaction it made, when it made one
	ErrorCode        string
	ErrorMessage     string
	Payload, Result  []byte
	Amount           int64
	Created, Updated time.Time
	// OwnReference is the merchant's own, which a payout may have; Description is a
	// payment request's, or the reason of a refund.
	OwnReference, Description string
	// Method is the payment method's name, Number the other side's wallet or account,
	// Customer its name, as far as they are known.
	Method, Number, Customer string
	// IdempotencyKey is the one that it was created with.
	IdempotencyKey string
	// ResultStatus is the status in the result. A bank payout that its bank has returned
	// is an operation that succeeded, with a result that failed.
	ResultStatus string
	// AwaitsSettlement is set on a bank payout that the back office has yet to settle.
	AwaitsSettlement bool
}

// Transaction is what waiting for a transaction returns.
type Transaction struct {
	ID, Reference, Status, Type string
	OperationID                 string
	Amount, Fees, NetAmount     int64
	Refunded                    int64
	Environment                 string
	Method, Number              string // the payment method's name and the other side's number, once they are known
	Customer                    string
	Created                     time.Time
	// Open is set on a payment that is neither paid nor declined, Confirming while its
	// provider has not responded.
	Open, Confirming bool
}

// Operation looks an operation up, of any merchant and environment.
func (s *Server) Operation(id string) (Operation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.state.operations[id]
	if op == nil {
		return Operation{}, false
	}
	return op.public(), true
}

// Transaction looks a transaction up by reference or internal id, of any merchant and
// environment.
func (s *Server) Transaction(reference string) (Transaction, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transaction(reference)
	if tx == nil {
		return Transaction{}, false
	}
	return tx.public(), true
}

// AwaitOperation waits until an operation has ended. It moves no clock: a frozen one must
// be moved by the caller.
func (s *Server) AwaitOperation(ctx context.Context, id string) (Operation, error) {
	var found Operation
	err := s.await(ctx, func() (bool, string) {
		op := s.state.operations[id]
		if op == nil {
			return false, "there is no operation " + id
		}
		found = op.public()
		return op.status != statusQueued && op.status != statusProcessing, "operation " + id + " is " + op.status
	})
	return found, err
}

// AwaitTransaction waits until a transaction is no longer PENDING.
func (s *Server) AwaitTransaction(ctx context.Context, reference string) (Transaction, error) {
	var found Transaction
	err := s.await(ctx, func() (bool, string) {
		tx := s.transaction(reference)
		if tx == nil {
			return false, "there is no transaction " + reference
		}
		found = tx.public()
		return tx.status != txPending, "transaction " + reference + " is " + tx.status
	})
	return found, err
}

// AwaitEvent waits until an event of this type has happened to an object (an operation's
// id, or a transaction's reference) and no attempt to deliver it is queued or under way.
func (s *Server) AwaitEvent(ctx context.Context, kind, id string) (Event, error) {
	var found Event
	err := s.await(ctx, func() (bool, string) {
		for _, e := range slices.Backward(s.state.events) {
			if e.kind != kind || !slices.Contains(e.about[:], id) {
				continue
			}
			found = e.public()
			for _, d := range e.deliveries {
				if d := s.state.deliveries[d]; d != nil && d.queued > 0 {
					return false, "delivery " + d.id + " of " + kind + " is under way"
				}
			}
			return true, ""
		}
		return false, "there was no " + kind + " about " + id
	})
	return found, err
}

// AwaitDelivery waits until a delivery was acknowledged or given up.
func (s *Server) AwaitDelivery(ctx context.Context, id string) (Delivery, error) {
	var found Delivery
	err := s.await(ctx, func() (bool, string) {
		d := s.state.deliveries[id]
		if d == nil {
			return false, "there is no delivery " + id
		}
		found = d.public()
		return d.status != DeliveryPending && d.queued == 0, "delivery " + found.String()
	})
	return found, err
}

// Idle waits until no delivery is queued or under way.
func (s *Server) Idle(ctx context.Context) error {
	return s.await(ctx, func() (bool, string) {
		return s.inFlight == 0, fmt.Sprintf("%d deliveries are under way", s.inFlight)
	})
}

// await waits until done says so, looking again at each change. The error of a wait that
// ended first says what was still missing, and when the server would do something by
// itself.
func (s *Server) await(ctx context.Context, done func() (bool, string)) error {
	for {
		s.mu.Lock()
		ok, missing := done()
		closed, changed := s.closed, s.changes()
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case closed:
			return fmt.Errorf("%w: %s", ErrClosed, missing)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("intramtest: %s%s: %w", missing, s.nextHint(), ctx.Err())
		}
	}
}

func (s *Server) nextHint() string {
	if s.clock.Running() {
		return ""
	}
	next, ok := s.clock.NextDue()
	if !ok {
		return " (the clock is frozen and nothing is due)"
	}
	return fmt.Sprintf(" (the clock is frozen, and the next thing is due in %s: Advance)", next.Sub(s.clock.Now()).Round(time.Millisecond))
}

func (op *operation) public() Operation {
	o := Operation{
		ID: op.id, Type: op.kind, Status: op.status, Environment: op.account.environment, Reference: op.reference,
		Payload: op.payload, Created: op.created, Updated: op.updated, AwaitsSettlement: op.settlement == settlementWaiting,
		IdempotencyKey: op.key, ResultStatus: op.resultStatus,
	}
	switch {
	case op.kind == kindPayout:
		p := op.payout
		o.Amount, o.OwnReference, o.Number, o.Customer = p.amount, p.reference, p.msisdn, p.name
		o.Method = methodName(p.providerCode)
		if p.bank {
			o.Number, o.Method = p.account, methodName(bankCode)
		}
	case op.payment != nil:
		p := op.payment
		o.Amount, o.Description, o.Number, o.Customer = p.amount, p.description, p.suggestedNumber(), p.name
		o.Method = methodName(p.methodCode)
	case op.refund != nil:
		o.Amount, o.Description = op.refund.amount, op.refund.reason
	}
	if op.resultStatus != "" {
		o.Result = op.appendResult(nil)
	}
	if op.failure != nil {
		o.ErrorCode, o.ErrorMessage = op.failure.code, op.failure.message
	}
	return o
}

func (tx *transaction) public() Transaction {
	t := Transaction{
		ID: internalID(tx.reference), Reference: tx.reference, Status: tx.status, Type: tx.kind, OperationID: tx.operation,
		Amount: tx.amount, Fees: tx.fees, NetAmount: tx.net, Refunded: tx.refunded, Environment: tx.account.environment,
		Number: tx.number, Customer: tx.customerName, Created: tx.created,
	}
	if tx.method != nil {
		t.Method = tx.method.name
	}
	if tx.kind == typeCredit && tx.status == txPending {
		t.Open, t.Confirming = tx.stage == paymentOpen, tx.stage == paymentConfirming
	}
	return t
}
