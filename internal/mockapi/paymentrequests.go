package mockapi

import (
	"fmt"
	"time"
)

// paymentStage is how far a customer is with a payment.
type paymentStage int

const (
	paymentOpen       paymentStage = iota // neither paid nor declined
	paymentConfirming                     // the customer has paid, the provider has not responded
	paymentEnded
)

// createPaymentRequest handles POST /payment-requests.
func (x *exchange) createPaymentRequest() reply {
	s := x.server
	request, refused := validatePaymentRequest(x.document, s, x.account.environment)
	if refused != nil {
		return *refused
	}
	op := x.newOperation(kindPaymentRequest)
	op.payment = &request
	// A customer's test number decides what happens to the payment. Of the request itself
	// it decides only whether the response is lost.
	op.script = script{lost: scriptOf(op.account.environment, request.suggestedNumber()).lost}
	s.enterLocking(op)
	return op.accepted()
}

// beginPaymentRequest checks that the money could arrive.
func (s *Server) beginPaymentRequest(op *operation) *operationFailure {
	if code := op.payment.methodCode; code != "" && methodByCode(code) == nil {
		return failureOf("unsupported_payment_method")
	}
	if len(s.state.books[op.account].wallets) == 0 {
		return failureOf("merchant_wallet_missing")
	}
	return nil
}

// completePaymentRequest opens the payment: a pending transaction and the page to pay it
// on.
func (s *Server) completePaymentRequest(op *operation) {
	p := op.payment
	tx := s.newTransaction(op, typeCredit)
	tx.amount = p.amount
	tx.fees = feeOf(p.amount, s.feeBasisPoints)
	tx.net = tx.amount - tx.fees
	tx.method = methodByCode(p.methodCode)
	tx.number = p.msisdn
	tx.customerEmail, tx.customerName = p.email, p.name
	s.expectPayment(tx)
	gateway := s.gatewayURL(tx.reference)
	op.qrCode = qrCode(gateway)
	op.gateway, op.resultStatus = gateway, "pending"

	data := s.paymentCreatedData(op, tx)
	if scriptOf(op.account.environment, p.suggestedNumber()).reordered {
		tx.heldEvent = s.newEvent(op, "payment_request.created", data)
		return
	}
	s.emit(op, "payment_request.created", data)
}

// cardExpiry is how long a payment by card or bank is open. The docs say nothing of it.
const cardExpiry = 24 * time.Hour

// expectPayment gives the customer the time there is to pay.
func (s *Server) expectPayment(tx *transaction) {
	s.clock.schedule(task{at: s.paymentDeadline(tx), kind: taskPayment, id: tx.reference})
}

// paymentDeadline returns when a payment that is not paid ends.
func (s *Server) paymentDeadline(tx *transaction) time.Time {
	open := s.paymentExpiry
	if tx.method != nil && tx.method.kind != mobileMoney {
		open = max(open, cardExpiry)
	}
	return tx.created.Add(open)
}

func (s *Server) failPaymentRequest(op *operation, f *operationFailure) {
	s.emit(op, "payment_request.failed", op.payment.failedData(f))
}

// failedData returns the data of .failed for a payment that was never opened.
func (p *paymentRequest) failedData(f *operationFailure) []byte {
	b := appendStringField([]byte{'{'}, "status", "failed")
	b = appendIntField(b, "amount", p.amount)
	b = appendStringField(b, "currency", p.currency)
	b = p.appendWebhookData(b)
	return append(f.appendJSON(appendName(b, "error")), '}')
}

// feeOf returns the fee of an amount, rounded half up to whole units. The amount is below
// 10^15, so the product fits.
func feeOf(amount, basisPoints int64) int64 {
	whole, rest := amount/10_000, amount%10_000
	return whole*basisPoints + (rest*basisPoints+5_000)/10_000
}

// appendPaymentResult writes the result of GET /operations/:id.
func (op *operation) appendPaymentResult(b []byte) []byte {
	b = appendStringField(append(b, '{'), "transaction_reference", op.reference)
	b = appendStringField(b, "status", op.resultStatus)
	b = appendIntField(b, "amount", op.payment.amount)
	b = appendStringField(b, "currency", op.payment.currency)
	b = appendStringField(b, "gateway_url", op.gateway)
	b = appendStringField(b, "payment_url", op.gateway)
	b = appendStringField(b, "receipt_url", op.gateway)
	b = appendStringField(b, "qr_code", op.qrCode)
	return append(b, '}')
}

// appendPaymentData starts the data of a payment's event; the caller closes the object.
func (s *Server) appendPaymentData(op *operation, tx *transaction, status string) []byte {
	b := appendStringField([]byte{'{'}, "transaction_reference", tx.reference)
	b = appendStringField(b, "status", status)
	b = appendIntField(b, "amount", tx.amount)
	b = appendStringField(b, "currency", op.payment.currency)
	return b
}

// appendWebhookData writes the caller's own object, which every event of the payment
// request carries.
func (p *paymentRequest) appendWebhookData(b []byte) []byte {
	if p.webhookData == nil {
		return b
	}
	return appendRawField(b, "webhook_data", p.webhookData)
}

// paymentCreatedData returns the data of .created.
func (s *Server) paymentCreatedData(op *operation, tx *transaction) []byte {
	b := s.appendPaymentData(op, tx, "pending")
	b = appendStringField(b, "gateway_url", s.gatewayURL(tx.reference))
	return append(op.payment.appendWebhookData(b), '}')
}

// paymentData returns the data of .paid, .pending and .failed.
func (s *Server) paymentData(tx *transaction, status string, f *operationFailure) []byte {
	op := s.state.operations[tx.operation]
	b := s.appendPaymentData(op, tx, status)
	b = appendIntField(b, "fees", tx.fees)
	b = appendIntField(b, "net_amount", tx.net)
	if tx.method != nil {
		b = appendStringField(b, "payment_method", tx.method.name)
	}
	b = op.payment.appendWebhookData(b)
	if f != nil {
		b = f.appendJSON(appendName(b, "error"))
	}
	return append(b, '}')
}

// suggestedNumber returns the number that the customer will pay from, as far as the
// request says.
func (p *paymentRequest) suggestedNumber() string {
	if p.msisdn != "" {
		return p.msisdn
	}
	return p.phone
}

// Pay pays as the customer does, with the method and the number of the request.
func (s *Server) Pay(reference string) error { return s.PayWith(reference, "", "") }

// PayWith pays with a method and a number that the customer chose; empty ones are the
// request's. The number says what follows. A card or bank payment stays pending for 30 s.
func (s *Server) PayWith(reference, methodCode, number string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.openPayment(reference)
	if err != nil {
		return err
	}
	p := s.state.operations[tx.operation].payment
	if methodCode == "" {
		methodCode = p.methodCode
	}
	if methodCode == "" {
		methodCode = mtnBenin
	}
	m := methodByCode(methodCode)
	if m == nil {
		return fmt.Errorf("intramtest: unknown payment method %q", methodCode)
	}
	if number == "" {
		number = p.suggestedNumber()
	}
	tx.method = m
	if m.kind == mobileMoney {
		tx.number = number
		tx.script = scriptOf(tx.account.environment, number)
	} else {
		tx.number = ""
		tx.script = script{delay: lateAnswer}
	}
	s.confirmPayment(tx)
	return nil
}

// Decline declines to pay, as the customer does.
func (s *Server) Decline(reference string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.openPayment(reference)
	if err != nil {
		return err
	}
	tx.script = script{}
	s.clock.cancelTasks(taskPayment, tx.reference)
	s.failPayment(tx, rejection("101", "Declined by the payer"))
	return nil
}

// SettlePayment ends a payment that the customer has confirmed, without waiting for its
// provider.
func (s *Server) SettlePayment(reference string) error { return s.endByHand(reference, nil) }

// FailPayment ends a payment with an error code, whether the customer has confirmed it or
// not.
func (s *Server) FailPayment(reference, code string) error {
	return s.endByHand(reference, failureOf(code))
}

func (s *Server) endByHand(reference string, f *operationFailure) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.payment(reference)
	if err != nil {
		return err
	}
	if tx.stage == paymentEnded || f == nil && tx.stage != paymentConfirming {
		return fmt.Errorf("intramtest: transaction %s is %s and not waiting for its provider", tx.reference, tx.status)
	}
	s.clock.cancelTasks(taskPayment, tx.reference)
	if f != nil {
		s.failPayment(tx, f)
	} else {
		s.settlePayment(tx)
	}
	return nil
}

func (s *Server) payment(reference string) (*transaction, error) {
	tx := s.transaction(reference)
	if tx == nil || tx.kind != typeCredit {
		return nil, fmt.Errorf("intramtest: there is no payment %q", reference)
	}
	if tx.status == txPending && tx.refunded > 0 {
		return nil, fmt.Errorf("intramtest: transaction %s is being cancelled", tx.reference)
	}
	return tx, nil
}

func (s *Server) openPayment(reference string) (*transaction, error) {
	tx, err := s.payment(reference)
	if err == nil && tx.stage != paymentOpen {
		err = fmt.Errorf("intramtest: transaction %s is not open: it is %s", tx.reference, tx.status)
	}
	return tx, err
}

// confirmPayment does what the customer's number says.
func (s *Server) confirmPayment(tx *transaction) {
	s.touchTransaction(tx)
	s.clock.cancelTasks(taskPayment, tx.reference) // it is not unanswered any more
	switch script := tx.script; {
	case script.stuck:
		tx.stage = paymentConfirming
		s.notify()
	case script.delay > 0:
		tx.stage = paymentConfirming
		if !script.expires {
			// The provider has announced the money; an unanswered request has announced
			// nothing.
			w := s.walletFor(tx)
			tx.pendingNet = tx.net
			s.postTransaction(tx, "payment announced", [2]move{{tx.account.provider(tx.method), w.pending, tx.net}})
		}
		s.emitPayment(tx, "payment_request.pending", "pending", nil)
		s.clock.schedule(task{at: s.clock.Now().Add(script.delay), kind: taskPayment, id: tx.reference})
		s.notify()
	case script.fails != nil:
		s.failPayment(tx, script.fails)
	default:
		s.settlePayment(tx)
	}
}

func (s *Server) taskEndPayment(reference string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transaction(reference)
	switch {
	case tx == nil || tx.stage == paymentEnded:
	case tx.stage == paymentOpen:
		s.failPayment(tx, rejection("105", "Not confirmed in time"))
	case tx.script.fails != nil:
		s.failPayment(tx, tx.script.fails)
	default:
		s.settlePayment(tx)
	}
}

// settlePayment credits the wallet with the net amount, and what the customer and the
// merchant pay to where fees go: the fees are charged on top of the amount, and taken
// from it.
func (s *Server) settlePayment(tx *transaction) {
	s.touchTransaction(tx)
	tx.stage, tx.status = paymentEnded, txSuccess
	w := s.walletFor(tx)
	provider := tx.account.provider(tx.method)
	from := provider
	if tx.pendingNet > 0 {
		from, tx.pendingNet = w.pending, 0
	}
	s.postTransaction(tx, "payment received", [2]move{{from, w.available, tx.net}, {provider, tx.account.fees, 2 * tx.fees}})
	s.emitPayment(tx, "payment_request.paid", "paid", nil)
	if tx.heldEvent != nil {
		s.publish(tx.heldEvent, tx.script)
		tx.heldEvent = nil
	}
	s.notify()
}

func (s *Server) failPayment(tx *transaction, f *operationFailure) {
	s.touchTransaction(tx)
	tx.stage, tx.status = paymentEnded, txError
	s.withdrawPending(tx, "payment failed")
	s.emitPayment(tx, "payment_request.failed", "failed", f)
	s.notify()
}

// withdrawPending takes back what was only announced.
func (s *Server) withdrawPending(tx *transaction, memo string) {
	if tx.pendingNet == 0 {
		return
	}
	s.postTransaction(tx, memo, [2]move{{s.walletFor(tx).pending, tx.account.provider(tx.method), tx.pendingNet}})
	tx.pendingNet = 0
}

// walletFor returns the wallet of a payment's method, which the first payment through it
// opens.
func (s *Server) walletFor(tx *transaction) *wallet {
	b := s.state.books[tx.account]
	if w := b.wallet(tx.method.code); w != nil {
		return w
	}
	return b.openWallet(&s.state.ledger, tx.account, tx.method)
}

func (s *Server) postTransaction(tx *transaction, memo string, moves [2]move) {
	s.state.ledger.post(posting{at: s.date(), operationID: tx.operation, reference: tx.reference, memo: memo, moves: moves})
}

// emitPayment sends an event of a payment, as its number says.
func (s *Server) emitPayment(tx *transaction, event, status string, f *operationFailure) {
	op := s.state.operations[tx.operation]
	data := s.paymentData(tx, status, f)
	s.publish(s.newEvent(op, event, data), tx.script)
}

// paymentDetails is what the checkout page shows of a payment.
type paymentDetails struct {
	merchant, reference, status, description string
	amount, fees                             int64
	currency, methodCode, number             string
	successURL, cancelURL, qrCode            string
	stage                                    paymentStage
	date, deadline                           time.Time
}

func (s *Server) paymentDetails(reference string) (paymentDetails, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transaction(reference)
	if tx == nil || tx.kind != typeCredit || tx.reference != reference {
		return paymentDetails{}, false
	}
	op := s.state.operations[tx.operation]
	d := paymentDetails{
		merchant: tx.account.merchant.name, reference: tx.reference, status: tx.status, description: op.payment.description,
		amount: tx.amount, fees: tx.fees, currency: op.payment.currency, methodCode: op.payment.methodCode,
		number: op.payment.suggestedNumber(), successURL: op.payment.successURL, cancelURL: op.payment.cancelURL,
		qrCode: op.qrCode, stage: tx.stage, date: tx.created, deadline: s.paymentDeadline(tx),
	}
	if tx.method != nil {
		d.methodCode = tx.method.code
	}
	return d, true
}
