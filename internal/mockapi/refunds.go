package mockapi

// createRefund handles POST /refunds. A reference that is not the account's own is a 404
// at once; every other obstacle shows on the operation.
func (x *exchange) createRefund() reply {
	s := x.server
	request, refused := validateRefund(x.document)
	if refused != nil {
		return *refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transactionOf(x.account, request.reference)
	if tx == nil {
		return transactionNotFound()
	}
	request.reference = tx.reference // also when the request gave the internal id
	op := x.newOperation(kindRefund)
	op.refund = &request
	op.script = scriptOf(op.account.environment, tx.number)
	s.enter(op)
	return op.accepted()
}

// beginRefund checks the transaction and debits the wallet. The amount counts as refunded
// from here on, so that two refunds under way cannot exceed the transaction together.
func (s *Server) beginRefund(op *operation) *operationFailure {
	tx := s.changing(op.refund.reference)
	left := tx.amount - tx.refunded
	if op.refund.amount == 0 {
		op.refund = &refundRequest{reference: op.refund.reference, amount: left, reason: op.refund.reason}
	}
	op.cancels = tx.status == txPending
	if f := s.refundObstacle(op, tx, left); f != nil {
		return f
	}
	amount := op.refund.amount
	refund := s.newTransaction(op, typeRefund)
	refund.amount, refund.net, refund.method, refund.number = amount, amount, tx.method, tx.number
	refund.customerEmail, refund.customerName = tx.customerEmail, tx.customerName
	tx.refunded += amount
	tx.refunds = append(tx.refunds, refundEntry{
		reference: refund.reference, status: txPending, reason: op.refund.reason, date: refund.created,
	})
	if op.cancels {
		s.clock.cancelTasks(taskPayment, tx.reference) // the payment waits for what becomes of its cancellation
		return nil
	}
	w := s.walletFor(tx)
	op.wallet, op.held = w.method.code, amount
	s.post(op, "refund debited", move{w.available, op.account.clearing, amount})
	return nil
}

// refundObstacle says why a refund is impossible.
func (s *Server) refundObstacle(op *operation, tx *transaction, left int64) *operationFailure {
	amount := op.refund.amount
	switch {
	case tx.kind != typeCredit, tx.status == txError, tx.status == txRefunded:
		return failureOf("not_refundable")
	case op.cancels && (tx.method == nil || tx.method.kind == mobileMoney):
		return failureOf("transaction_not_settled")
	case amount > left || left == 0:
		return failureOf("amount_exceeds_transaction")
	case op.cancels && amount != tx.amount:
		return failureOf("transaction_not_settled") // only the whole of a pending payment can be cancelled
	case !op.cancels && !tx.method.refundable:
		return failureOf("unsupported_payment_method")
	case tx.method.kind == card && s.state.down[cardCode]:
		return failureOf("stripe_unavailable")
	case s.state.down[tx.method.code]:
		return failureOf("provider_unavailable")
	case !op.cancels && s.state.ledger.balance(s.walletFor(tx).available) < amount:
		return failureOf("insufficient_balance")
	}
	return nil
}

// completeRefund: the operation has succeeded. A mobile-money refund may wait for its
// operator behind it.
func (s *Server) completeRefund(op *operation) {
	if op.script.pends && !op.cancels {
		op.settlement, op.resultStatus = settlementWaiting, "pending"
		s.post(op, "refund waits for its operator", move{op.account.clearing, op.account.settlement, op.held})
		s.emit(op, "refund.pending", op.refundData("pending", nil))
		s.clock.schedule(task{at: s.clock.Now().Add(lateAnswer), kind: taskRefund, id: op.id})
		return
	}
	s.settleRefund(op, nil)
	if op.script.reordered {
		e := s.newEvent(op, "refund.pending", op.refundData("pending", nil))
		e.occurred = op.created
		s.publish(e, op.script)
	}
}

// settleRefund: the money is with the customer, or the operator has refused it.
func (s *Server) settleRefund(op *operation, f *operationFailure) {
	if f != nil {
		op.resultStatus = "failed"
		s.failRefund(op, f)
		return
	}
	tx := s.changing(op.refund.reference)
	s.changing(op.reference).status = txSuccess
	s.endRefund(tx, op.reference, txSuccess)
	if tx.refunded == tx.amount && !tx.refundPending() {
		tx.status = txRefunded
	}
	if op.cancels {
		s.withdrawPending(tx, "payment cancelled")
		tx.stage = paymentEnded
	}
	if op.held > 0 {
		s.post(op, "refund completed", move{op.heldAt(), op.account.provider(methodByCode(op.wallet)), op.held})
		op.held = 0
	}
	op.resultStatus = "completed"
	s.emit(op, "refund.completed", op.refundData("completed", nil))
}

// heldAt returns the account of a refund's money while it is under way.
func (op *operation) heldAt() accountNumber {
	if op.settlement != noSettlement {
		return op.account.settlement
	}
	return op.account.clearing
}

// taskEndRefund ends a refund that the operator reports late.
func (s *Server) taskEndRefund(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.state.operations[id]
	if op == nil {
		return
	}
	var f *operationFailure
	if op.script.refused {
		f = rejection("104", "Refused by the operator")
	}
	s.settle(op, f)
}

func (s *Server) failRefund(op *operation, f *operationFailure) {
	if op.reference != "" {
		tx := s.changing(op.refund.reference)
		s.endRefund(tx, op.reference, txError)
		tx.refunded -= op.refund.amount
		switch {
		case op.cancels && tx.stage == paymentConfirming && tx.script.delay > 0:
			s.clock.schedule(task{at: s.clock.Now().Add(tx.script.delay), kind: taskPayment, id: tx.reference})
		case op.cancels && tx.stage == paymentOpen:
			s.expectPayment(tx)
		}
	}
	s.creditBack(op, op.heldAt(), "refund failed")
	s.emit(op, "refund.failed", op.refundData("failed", f))
}

// endRefund marks one of a transaction's refunds[].
func (s *Server) endRefund(tx *transaction, reference, status string) {
	for i := range tx.refunds {
		if tx.refunds[i].reference == reference {
			tx.refunds[i].status = status
		}
	}
}

func (tx *transaction) refundPending() bool {
	for _, r := range tx.refunds {
		if r.status == txPending {
			return true
		}
	}
	return false
}

// appendRefundResult writes the result of GET /operations/:id.
func (op *operation) appendRefundResult(b []byte) []byte {
	b = appendStringField(append(b, '{'), "status", op.resultStatus)
	b = appendStringField(b, "refund_reference", op.reference)
	b = appendIntField(b, "amount", op.refund.amount)
	b = appendStringField(b, "transaction_reference", op.refund.reference)
	b = append(appendName(b, "provider_response"), `{"responsecode":"00","responsemsg":"Success"}`...)
	return append(b, '}')
}

// refundData returns the data of a refund's event.
func (op *operation) refundData(status string, f *operationFailure) []byte {
	b := appendOptionalString([]byte{'{'}, "refund_reference", op.reference)
	b = appendStringField(b, "transaction_reference", op.refund.reference)
	b = appendStringField(b, "status", status)
	b = appendIntField(b, "amount", op.refund.amount)
	if op.refund.reason != "" {
		b = appendStringField(b, "reason", op.refund.reason)
	}
	if f != nil {
		b = f.appendJSON(appendName(b, "error"))
	}
	return append(b, '}')
}
