package mockapi

import (
	"errors"
	"fmt"
	"time"
)

// WorkerMode says when operations go from queued through processing to their end. The
// zero value is at once.
type WorkerMode struct {
	kind  workerKind
	delay time.Duration
	polls int
}

type workerKind int

const (
	workAtOnce workerKind = iota
	workAfterDelay
	workAfterPolls
	workByHand
)

// WorkAtOnce ends an operation before its creation returns; the response still says
// queued.
func WorkAtOnce() WorkerMode { return WorkerMode{} }

// WorkAfter starts an operation after half of d on the server's clock and ends it after
// d.
func WorkAfter(d time.Duration) WorkerMode { return WorkerMode{kind: workAfterDelay, delay: d} }

// WorkAfterPolls ends an operation at its n-th GET, which sees the end. The ones before
// see it processing, and the first of three or more sees it queued.
func WorkAfterPolls(n int) WorkerMode { return WorkerMode{kind: workAfterPolls, polls: n} }

// WorkByHand leaves operations queued until Process, Complete or Fail is called.
func WorkByHand() WorkerMode { return WorkerMode{kind: workByHand} }

func (m WorkerMode) validate() error {
	switch {
	case m.kind == workAfterDelay && m.delay <= 0:
		return fmt.Errorf("intramtest: WorkAfter: the delay is %v, want more than zero", m.delay)
	case m.kind == workAfterPolls && m.polls < 1:
		return fmt.Errorf("intramtest: WorkAfterPolls: %d polls, want at least 1", m.polls)
	}
	return nil
}

// SetWorker changes the mode for operations created from now on.
func (s *Server) SetWorker(m WorkerMode) error {
	if err := m.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker = m
	return nil
}

// Kinds of scheduled task.
const (
	taskStart   = "operation.start"
	taskFinish  = "operation.finish"
	taskPayment = "payment.end"
	taskRefund  = "refund.end"
	taskDeliver = "delivery.attempt"
)

// accept gives a new operation to the worker. The functions of the worker hold the
// server's lock.
func (s *Server) accept(op *operation) {
	op.mode = s.worker
	switch op.mode.kind {
	case workAtOnce:
		s.startOperation(op)
	case workAfterDelay:
		s.clock.schedule(task{at: s.clock.Now().Add(op.mode.delay / 2), kind: taskStart, id: op.id})
	}
}

// startOperation takes an operation from queued to processing, makes the checks that come
// before the provider is called, and arranges its end.
func (s *Server) startOperation(op *operation) {
	if op.status != statusQueued {
		return
	}
	s.touchOperation(op)
	op.status, op.attempts, op.updated = statusProcessing, 1, s.date()
	if f := s.begin(op); f != nil {
		s.failOperation(op, f)
		return
	}
	s.notify()
	switch script := op.script; {
	case script.stuck:
	case script.delay > 0:
		s.clock.schedule(task{at: s.clock.Now().Add(script.delay), kind: taskFinish, id: op.id})
	case op.mode.kind == workAtOnce:
		s.finishOperation(op)
	case op.mode.kind == workAfterDelay:
		s.clock.schedule(task{at: s.clock.Now().Add(op.mode.delay - op.mode.delay/2), kind: taskFinish, id: op.id})
	}
}

// finishOperation ends an operation as its script says.
func (s *Server) finishOperation(op *operation) {
	switch {
	case op.status != statusProcessing:
	case op.script.fails != nil:
		s.failOperation(op, op.script.fails)
	default:
		s.completeOperation(op)
	}
}

// begin moves the money an operation needs, or says why it cannot.
func (s *Server) begin(op *operation) *operationFailure {
	switch op.kind {
	case kindPayout:
		if op.script.before {
			return op.script.fails
		}
		return s.beginPayout(op)
	case kindRefund:
		return s.beginRefund(op)
	default:
		return s.beginPaymentRequest(op)
	}
}

func (s *Server) completeOperation(op *operation) {
	s.touchOperation(op)
	op.status = statusSucceeded
	op.completed = s.date()
	op.updated = op.completed
	switch op.kind {
	case kindPayout:
		s.completePayout(op)
	case kindRefund:
		s.completeRefund(op)
	default:
		s.completePaymentRequest(op)
	}
	s.notify()
}

func (s *Server) failOperation(op *operation, f *operationFailure) {
	s.touchOperation(op)
	op.status = statusFailed
	if op.script.expires && f == op.script.fails {
		op.status = statusExpired
	}
	op.failure = f
	op.completed = s.date()
	op.updated = op.completed
	switch op.kind {
	case kindPayout:
		s.failPayout(op, f)
	case kindRefund:
		s.failRefund(op, f)
	default:
		s.failPaymentRequest(op, f)
	}
	s.notify()
}

// poll counts a GET of an operation and, in that mode, moves it on.
func (s *Server) poll(op *operation) {
	s.touchOperation(op)
	op.polls++
	if op.mode.kind != workAfterPolls || op.polls == 1 && op.mode.polls >= 3 {
		return
	}
	s.startOperation(op)
	if op.polls >= op.mode.polls && !op.script.stuck && op.script.delay == 0 {
		s.finishOperation(op)
	}
}

func (s *Server) taskStartOperation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op := s.state.operations[id]; op != nil {
		s.startOperation(op)
	}
}

func (s *Server) taskFinishOperation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op := s.state.operations[id]; op != nil {
		s.finishOperation(op)
	}
}

// Process takes a queued operation to processing by hand. It stays there, unless its test
// number ends it later.
func (s *Server) Process(operationID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	op, err := s.byHand(operationID)
	if err != nil {
		return err
	}
	if op.status != statusQueued {
		return fmt.Errorf("intramtest: operation %s is already %s", op.id, op.status)
	}
	op.mode = WorkByHand()
	s.startOperation(op)
	return nil
}

// Complete ends an operation with success by hand, whatever its test number says. A bank
// payout that waits for its settlement is settled, and a refund that waits for its
// operator is completed.
func (s *Server) Complete(operationID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	op, err := s.byHand(operationID)
	if err != nil {
		return err
	}
	if op.settlement == settlementWaiting {
		s.settle(op, nil)
		return nil
	}
	if op.status == statusQueued {
		op.script.fails, op.script.before, op.script.delay, op.script.stuck = nil, false, 0, true // it ends here
		s.startOperation(op)
	}
	if op.status == statusProcessing {
		s.completeOperation(op)
		return nil
	}
	if op.failure != nil {
		return fmt.Errorf("intramtest: operation %s could not succeed: it is %s (%s)", op.id, op.status, op.failure.code)
	}
	return fmt.Errorf("intramtest: operation %s is already %s", op.id, op.status)
}

// settle ends what waits behind an operation that has succeeded, with success unless
// there is a failure.
func (s *Server) settle(op *operation, f *operationFailure) {
	s.touchOperation(op)
	op.settlement, op.updated = settlementEnded, s.date()
	switch {
	case op.kind == kindRefund:
		s.clock.cancelTasks(taskRefund, op.id)
		s.settleRefund(op, f)
	case f != nil:
		s.rejectPayout(op, f)
	default:
		s.settlePayout(op)
	}
	s.notify()
}

// Fail ends an operation with an error code by hand; what was debited is credited back. A
// bank payout that waits for its settlement is rejected, and so is a refund that waits
// for its operator.
func (s *Server) Fail(operationID, code string) error {
	if code == "" {
		return errors.New("intramtest: Fail: the error code is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	op, err := s.byHand(operationID)
	if err != nil {
		return err
	}
	switch {
	case op.settlement == settlementWaiting:
		s.settle(op, failureOf(code))
	case op.status == statusQueued, op.status == statusProcessing:
		op.attempts = 1
		s.failOperation(op, failureOf(code))
	default:
		return fmt.Errorf("intramtest: operation %s is already %s", op.id, op.status)
	}
	return nil
}

func (s *Server) byHand(id string) (*operation, error) {
	op := s.state.operations[id]
	if op == nil {
		return nil, fmt.Errorf("intramtest: there is no operation %q", id)
	}
	s.touchOperation(op)
	return op, nil
}

// SetProviderDown makes a payment method's provider unavailable, or available again:
// payouts through it fail with provider_unavailable, card refunds with
// stripe_unavailable.
func (s *Server) SetProviderDown(code string, down bool) error {
	if methodByCode(code) == nil {
		return fmt.Errorf("intramtest: unknown payment method %q", code)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.down[code] = down
	s.touch()
	return nil
}
