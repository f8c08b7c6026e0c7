package mockapi

// createPayout handles POST /payouts.
func (x *exchange) createPayout() reply {
	s := x.server
	request, refused := validatePayout(x.document, s, x.account.environment)
	if refused != nil {
		return *refused
	}
	op := x.newOperation(kindPayout)
	*op.payout = request
	op.script = scriptOf(op.account.environment, request.msisdn)
	s.enterLocking(op)
	return op.accepted()
}

// beginPayout debits the wallet with the amount and its fees: the one of the provider's
// payment method, or for a bank payout the first that holds enough. The money waits in
// clearing until the provider has responded.
func (s *Server) beginPayout(op *operation) *operationFailure {
	p := op.payout
	if !p.bank && p.providerCode == "" {
		return failureOf("missing_provider_code")
	}
	if !p.bank && !op.isHandled() {
		return failureOf("provider_unavailable")
	}
	fees := feeOf(p.amount, s.payoutFeeBasisPoints)
	debit := p.amount + fees
	wallets := s.state.books[op.account].wallets
	var w *wallet
	for _, candidate := range wallets {
		if p.bank && s.state.ledger.balance(candidate.available) >= debit || !p.bank && candidate.method.code == p.providerCode {
			w = candidate
			break
		}
	}
	switch {
	case w == nil && (!p.bank || len(wallets) == 0):
		return failureOf("merchant_wallet_missing")
	case w == nil || s.state.ledger.balance(w.available) < debit:
		return failureOf("insufficient_balance")
	case !p.bank && s.state.down[p.providerCode]:
		return failureOf("provider_unavailable")
	}
	number := p.msisdn
	if p.bank {
		number = p.account
	}
	tx := s.newTransaction(op, typeDebit)
	tx.amount, tx.fees, tx.net, tx.method, tx.number = p.amount, fees, p.amount, w.method, number
	tx.customerName = p.name
	op.wallet, op.held = w.method.code, debit
	s.post(op, "payout debited", move{w.available, op.account.clearing, debit})
	return nil
}

// isHandled reports whether there is a provider for the operator in the destination's
// country, which is Benin unless it is named.
func (op *operation) isHandled() bool {
	m := mobileMethod(op.payout.providerCode)
	if m == nil {
		return false
	}
	country := document(op.payload).members(nil).field("destination").members(nil).field("country_code")
	return !country.given() || country.text() == m.country
}

// completePayout: mobile money has arrived; a bank payout waits for the back office.
func (s *Server) completePayout(op *operation) {
	if op.payout.bank {
		op.settlement = settlementWaiting
		op.resultStatus = "queued_for_settlement"
		s.post(op, "settlement queued", move{op.account.clearing, op.account.settlement, op.held})
		s.emitPayout(op, "payout.queued", "queued_for_settlement", nil)
		return
	}
	s.changing(op.reference).status = txSuccess
	op.resultStatus = "completed"
	s.payOut(op, "payout completed", op.account.clearing, methodByCode(op.wallet))
	s.emitPayout(op, "payout.completed", "completed", nil)
	if op.script.reordered {
		// The event that came first arrives last.
		e := s.newEvent(op, "payout.queued", nil)
		e.payout, e.status, e.occurred = op, "queued", op.created
		s.publish(e, op.script)
	}
}

// failPayout credits back what was debited.
func (s *Server) failPayout(op *operation, f *operationFailure) {
	s.creditBack(op, op.account.clearing, "payout failed")
	s.emitPayout(op, "payout.failed", "failed", f)
}

// settlePayout: the back office has made the transfer.
func (s *Server) settlePayout(op *operation) {
	op.resultStatus = "completed"
	s.changing(op.reference).status = txSuccess
	s.payOut(op, "settlement completed", op.account.settlement, methodByCode(bankCode))
	s.emitPayout(op, "payout.completed", "completed", nil)
}

// rejectPayout: the back office could not make the transfer.
func (s *Server) rejectPayout(op *operation, f *operationFailure) {
	op.resultStatus = "failed"
	s.creditBack(op, op.account.settlement, "settlement rejected")
	s.emitPayout(op, "payout.failed", "failed", f)
}

// creditBack returns what an operation holds to the wallet it came from.
func (s *Server) creditBack(op *operation, from accountNumber, memo string) {
	if op.reference != "" {
		s.changing(op.reference).status = txError
	}
	if op.held == 0 {
		return
	}
	w := s.state.books[op.account].wallet(op.wallet)
	s.post(op, memo, move{from, w.available, op.held})
	op.held = 0
}

// payOut sends what a payout holds to its provider, and the fees to where fees go.
func (s *Server) payOut(op *operation, memo string, from accountNumber, m *method) {
	fees := s.state.transactions[op.reference].fees
	s.post(op, memo, move{from, op.account.provider(m), op.held - fees}, move{from, op.account.fees, fees})
	op.held = 0
}

// post moves money for an operation, in one or two moves.
func (s *Server) post(op *operation, memo string, moves ...move) {
	p := posting{at: s.date(), operationID: op.id, reference: op.reference, memo: memo}
	copy(p.moves[:], moves)
	s.state.ledger.post(p)
}

func (s *Server) emitPayout(op *operation, kind, status string, f *operationFailure) {
	e := s.newEvent(op, kind, nil)
	e.payout, e.status, e.failure = op, status, f
	s.publish(e, op.script)
}

// merchantReference returns the merchant's own reference, or the transaction's if it gave
// none.
func (op *operation) merchantReference() string {
	if op.payout.reference != "" {
		return op.payout.reference
	}
	return op.reference
}

// appendPayoutResult writes the result of GET /operations/:id.
func (op *operation) appendPayoutResult(b []byte) []byte {
	b = op.appendPayout(append(b, '{'))
	b = op.appendDestination(b)
	b = appendStringField(b, "status", op.resultStatus)
	if !op.payout.bank {
		b = append(appendName(b, "provider_response"), `{"responsecode":"00","responsemsg":"Success"`...)
		b = appendStringField(b, "serviceref", "SR"+op.id[len("op_"):])
		b = append(b, '}')
	}
	return append(b, '}')
}

// payoutData returns the data of a payout's event.
func (op *operation) payoutData(status string, f *operationFailure) []byte {
	b := op.appendPayout([]byte{'{'})
	b = appendStringField(b, "status", status)
	b = op.appendDestination(b)
	if metadata := document(op.payload).members(nil).field("metadata"); metadata.given() {
		b = appendRawField(b, "metadata", metadata)
	}
	if f != nil {
		b = f.appendJSON(appendName(b, "error"))
	}
	return append(b, '}')
}

func (op *operation) appendPayout(b []byte) []byte {
	b = appendOptionalString(b, "reference", op.merchantReference())
	b = appendIntField(b, "amount", op.payout.amount)
	return appendStringField(b, "currency", op.payout.currency)
}

func (op *operation) appendDestination(b []byte) []byte {
	b = append(appendName(b, "destination"), '{')
	if op.payout.bank {
		b = appendStringField(b, "type", "bank_account")
		b = appendStringField(b, "account_number", op.payout.account)
	} else {
		b = appendStringField(b, "type", "mobile_money")
		b = appendStringField(b, "msisdn", op.payout.msisdn)
	}
	return append(b, '}')
}
