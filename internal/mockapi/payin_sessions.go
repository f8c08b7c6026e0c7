package mockapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kinds of scheduled task.
const (
	taskPayinExpire = "payin.expire"
	taskPayinEnd    = "payin.end"
	taskPayinLate   = "payin.late"
)

// createPayinSession handles POST /v1/payin/sessions.
func (x *exchange) createPayinSession() reply {
	request, refused := x.validatePayin()
	if refused != nil {
		return *refused
	}
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.payins.find(x.account, request.reference) != nil {
		// The docs only say that a reference is unique. A second charge under the same
		// name is never what was meant.
		return x.refusePayin(http.StatusConflict, "transaction_is_already_processed", "the reference is taken")
	}
	p := s.newPayin(x.account, request)
	created := s.appendPayinCreated(nil, p)
	if p.script.direct {
		s.confirmPayin(p)
	} else {
		s.clock.schedule(task{at: p.expires, kind: taskPayinExpire, id: p.id})
	}
	s.notify()
	return reply{status: http.StatusOK, body: created, lost: p.script.lost}
}

func (s *Server) newPayin(a *account, request payinRequest) *payin {
	prefix := "pr_"
	if s.payin.revision == PayinFirst {
		prefix = "tr_"
	}
	p := &payin{
		id: s.entropy.id(prefix, 26), reference: request.reference, code: s.entropy.reference(), account: a,
		number: request.number, customer: request.customer, successURL: request.successURL, failureURL: request.failureURL,
		amount: request.amount, fee: feeOf(request.amount, s.feeBasisPoints), created: s.date(), script: payinScriptOf(a.environment, request.number),
		status: payinProcessing, confirmation: payinNone,
	}
	p.expires = p.created.Add(s.payin.expiry)
	s.state.payins.add(p)
	s.touchPayin(p)
	return p
}

// getPayin handles GET /v1/payin/{reference}. Reports differ on which reference the path
// takes, so it takes both.
func (x *exchange) getPayin() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.state.payins.find(x.account, x.id)
	if p == nil {
		return x.refusePayin(http.StatusNotFound, "transaction_does_not_exist", "the account has no such session")
	}
	return reply{status: http.StatusOK, body: s.appendPayin(nil, p, x.french())}
}

// confirmPayin confirms a session, for the customer or where no confirmation is required.
// The number says what follows. The functions below hold the server's lock.
func (s *Server) confirmPayin(p *payin) {
	s.touchPayin(p)
	p.answered = true
	switch script := p.script; {
	case script.unanswered: // the operator asks once more, without a response: the session still expires
		s.notify()
		return
	case script.declines:
		s.declinePayin(p)
		return
	}
	// An older notification, made of what the session looked like before, and sent last.
	var older *event
	if p.script.reordered || p.script.direct {
		older = s.newPayinEvent(p, eventPayinConfirmed)
	}
	s.clock.cancelTasks(taskPayinExpire, p.id)
	if !p.script.direct {
		p.confirmation = payinAccepted
	}
	if p.script.failure != "" {
		s.failPayin(p, p.script.failure)
		if p.script.late > 0 {
			s.clock.schedule(task{at: p.failed.Add(p.script.late), kind: taskPayinLate, id: p.id})
		}
		s.publishPayin(s.newPayinEvent(p, eventPayinConfirmed), p.script)
		return
	}
	p.transaction = payinTransaction{reference: s.entropy.id("tr_", 16), status: payinPending}
	if p.script.stuck {
		s.notify()
		return
	}
	p.status = payinProcessed
	if p.script.delay > 0 {
		s.clock.schedule(task{at: s.clock.Now().Add(p.script.delay), kind: taskPayinEnd, id: p.id})
	} else {
		s.endPayin(p)
	}
	if !p.script.direct {
		s.publishPayin(s.newPayinEvent(p, eventPayinConfirmed), p.script)
	}
	if older != nil { // a session without confirmation is notified of as it was created: that is what was seen
		s.publishPayin(older, payinScript{})
	}
}

// declinePayin declines a session.
func (s *Server) declinePayin(p *payin) {
	s.touchPayin(p)
	s.clock.cancelTasks(taskPayinExpire, p.id)
	p.answered, p.confirmation = true, payinDeclined
	s.publishPayin(s.newPayinEvent(p, eventPayinDeclined), p.script)
}

// expirePayin ends a session that was not confirmed in time. No event is documented for
// it.
func (s *Server) expirePayin(p *payin) {
	s.touchPayin(p)
	s.clock.cancelTasks(taskPayinExpire, p.id)
	p.answered, p.status, p.confirmation = true, payinExpired, payinExpired
	s.notify()
}

// endPayin gives a transaction the end its number says.
func (s *Server) endPayin(p *payin) {
	if p.script.refused {
		s.refuseTransaction(p, "")
		return
	}
	s.completeTransaction(p)
}

// completeTransaction moves the money: the amount to the merchant's wallet, and the fee,
// which the customer pays on top, to where fees go.
func (s *Server) completeTransaction(p *payin) {
	a := p.account
	s.touchPayin(p)
	wallet, provider, fees := a.payin.wallet, a.payin.provider, a.fees
	if p.currency() == xaf { // another currency, and no money of the same accounts
		l := &s.state.ledger
		wallet = l.account(WalletAccount(a.merchant.id, a.environment, PayinXAFMethod))
		provider = l.account("provider:" + a.environment + ":" + PayinXAFMethod)
		fees = l.account("fees:" + a.merchant.id + ":" + a.environment + ":" + xaf)
	}
	p.status = payinProcessed
	p.transaction.status, p.transaction.processed = payinCompleted, s.date()
	s.state.ledger.post(posting{
		at: p.transaction.processed, operationID: p.id, reference: p.transaction.reference, memo: "payin received",
		moves: [2]move{{provider, wallet, p.amount}, {provider, fees, p.fee}},
	})
	s.notify()
}

// refuseTransaction ends a transaction without money, and with a failure if there is a
// code.
func (s *Server) refuseTransaction(p *payin, code string) {
	s.touchPayin(p)
	p.status, p.failed = payinProcessed, s.date()
	p.transaction.status, p.transaction.processed = payinFailed, p.failed
	if code != "" {
		s.failPayin(p, code)
	}
	s.notify()
}

// failPayin gives a session its failure, and the status failed where the docs have one.
func (s *Server) failPayin(p *payin, code string) {
	s.touchPayin(p)
	p.failure, p.failed = code, s.date()
	if s.payin.revision == PayinNewer {
		p.status = payinFailed
	}
}

// payLate completes a payment that had failed, and sends a notification.
func (s *Server) payLate(p *payin) {
	s.touchPayin(p)
	s.clock.cancelTasks(taskPayinLate, p.id)
	p.failure = ""
	if !p.script.direct {
		p.confirmation = payinAccepted
	}
	if p.transaction.reference == "" {
		p.transaction.reference = s.entropy.id("tr_", 16)
	}
	s.completeTransaction(p)
	if s.payin.revision == PayinNewer {
		p.status = payinSuccess
	}
	s.publishPayin(s.newPayinEvent(p, eventPayinConfirmed), payinScript{})
}

func (s *Server) taskPayLate(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.state.payins.byID[id]; p != nil && p.mayBePaidLate(s.clock.Now()) {
		s.payLate(p)
	}
}

func (s *Server) taskExpirePayin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.state.payins.byID[id]; p != nil && p.confirmation == payinNone && !p.ended() {
		s.expirePayin(p)
	}
}

func (s *Server) taskEndPayin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.state.payins.byID[id]; p != nil && p.transaction.status == payinPending {
		s.endPayin(p)
	}
}

// Payin is a session as a test sees it.
type Payin struct {
	ID, Reference        string // the system's reference and the merchant's
	Environment          string
	Status, Confirmation string
	Transaction          string // its status; empty while there is none
	Failure              string // its code; empty without one
	PaymentURL           string
	Amount, Fee          int64
	Currency             string
	Number               string // the customer's
	Created              time.Time
	// Open is set while the customer can confirm or decline, Pending while the money of a
	// confirmed session is under way, Ended when nothing more happens by itself, and Late
	// while a failed session may still be paid.
	Open, Pending, Ended, Late bool
}

// Payin looks a session up by either reference, of any merchant and environment.
func (s *Server) Payin(reference string) (Payin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.anyPayin(reference)
	if err != nil {
		return Payin{}, err
	}
	return s.publicPayin(p), nil
}

func (s *Server) publicPayin(p *payin) Payin {
	return Payin{
		ID: p.id, Reference: p.reference, Environment: p.account.environment, Status: p.status, Confirmation: p.confirmation,
		Transaction: p.transaction.status, Failure: p.failure, PaymentURL: s.payinURL(p), Amount: p.amount, Fee: p.fee, Currency: p.currency(),
		Number: p.number, Created: p.created, Open: !p.answered, Pending: p.transaction.status == payinPending, Ended: p.ended(),
		Late: p.mayBePaidLate(s.clock.Now()),
	}
}

// anyPayin finds a session by the system's reference or, when only one merchant has it,
// by the merchant's.
func (s *Server) anyPayin(reference string) (*payin, error) {
	if p := s.state.payins.byID[reference]; p != nil {
		return p, nil
	}
	var found *payin
	for _, a := range *s.payin.accounts.Load() {
		p := s.state.payins.byReference[payinReference{a, reference}]
		if p != nil && found != nil {
			return nil, fmt.Errorf("intramtest: several merchants have a payin %q: use the system's reference", reference)
		}
		if p != nil {
			found = p
		}
	}
	if found == nil {
		return nil, fmt.Errorf("intramtest: there is no payin %q", reference)
	}
	return found, nil
}

// openSession finds a session that the customer can still confirm or decline.
func (s *Server) openSession(reference string) (*payin, error) {
	p, err := s.anyPayin(reference)
	if err == nil && p.answered {
		err = fmt.Errorf("intramtest: payin %s is not open: it is %s, confirmation %s", p.reference, p.status, p.confirmation)
	}
	return p, err
}

// ConfirmPayin confirms a session as the customer does. The number says what follows.
func (s *Server) ConfirmPayin(reference string) error {
	return s.answerPayin(reference, s.confirmPayin)
}

// DeclinePayin declines a session as the customer does.
func (s *Server) DeclinePayin(reference string) error {
	return s.answerPayin(reference, func(p *payin) {
		p.script = payinScript{}
		s.declinePayin(p)
	})
}

// ExpirePayin ends a session that is not confirmed, ahead of its time.
func (s *Server) ExpirePayin(reference string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.anyPayin(reference)
	if err != nil {
		return err
	}
	if p.confirmation != payinNone || p.transaction.reference != "" || p.ended() {
		return fmt.Errorf("intramtest: payin %s cannot expire: it is %s, confirmation %s", p.reference, p.status, p.confirmation)
	}
	s.expirePayin(p)
	return nil
}

func (s *Server) answerPayin(reference string, answer func(*payin)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.openSession(reference)
	if err != nil {
		return err
	}
	answer(p)
	return nil
}

// SettlePayin completes a transaction that is pending, whatever its number says, or pays
// a session that failed in the last 48 hours, which a notification tells.
func (s *Server) SettlePayin(reference string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.anyPayin(reference)
	if err != nil {
		return err
	}
	if p.mayBePaidLate(s.clock.Now()) {
		s.payLate(p)
		return nil
	}
	if p.transaction.status != payinPending {
		return fmt.Errorf("intramtest: payin %s has no pending transaction, and has not failed in the last 48 hours", p.reference)
	}
	s.clock.cancelTasks(taskPayinEnd, p.id)
	s.completeTransaction(p)
	return nil
}

// FailPayin ends a session with a failure of this code: before the customer has
// confirmed, or while the transaction is pending, which then fails.
func (s *Server) FailPayin(reference, code string) error {
	if code == "" {
		return errors.New("intramtest: FailPayin: the code is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.anyPayin(reference)
	if err != nil {
		return err
	}
	if p.ended() {
		return fmt.Errorf("intramtest: payin %s has ended already", p.reference)
	}
	s.clock.cancelTasks(taskPayinExpire, p.id)
	s.clock.cancelTasks(taskPayinEnd, p.id)
	s.touchPayin(p)
	p.answered = true
	if p.transaction.reference != "" {
		s.refuseTransaction(p, code)
		return nil
	}
	s.failPayin(p, code)
	s.notify()
	return nil
}

// AwaitPayin waits until a session has ended. It moves no clock: a frozen one must be
// moved by the caller.
func (s *Server) AwaitPayin(ctx context.Context, reference string) (Payin, error) {
	var found Payin
	err := s.await(ctx, func() (bool, string) {
		p, err := s.anyPayin(reference)
		if err != nil {
			return false, "there is no payin " + reference
		}
		found = s.publicPayin(p)
		return p.ended(), "payin " + reference + " is " + p.status + ", confirmation " + p.confirmation
	})
	return found, err
}
