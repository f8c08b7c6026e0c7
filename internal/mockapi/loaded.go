package mockapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// SavedSeed returns the seed of a saved state, which the server that loads it must have.
func SavedSeed(data []byte) (uint64, error) {
	var kept struct {
		Format int    `json:"format"`
		Seed   uint64 `json:"seed"`
	}
	if _, err := decodeWhole(data, &kept); err != nil {
		return 0, err
	}
	if kept.Format != savedFormat {
		return 0, fmt.Errorf("intramtest: the saved state has format %d, and this program reads %d", kept.Format, savedFormat)
	}
	return kept.Seed, nil
}

// Load restores a saved state: what Save or [Recorder.Whole] returned, followed by what
// [Recorder.Changes] returned, each on a line of its own. A last line that is torn is
// left out. The server must be new: it has the seed of the saved one (see SavedSeed) and
// has handled no call. A frozen clock is set to the saved time. A running one goes on
// from the present, no earlier, and what has come due meanwhile runs at once. Attempts of
// deliveries that were under way are made again.
func (s *Server) Load(data []byte) error {
	if _, err := SavedSeed(data); err != nil {
		return err
	}
	kept, err := readSaved(data)
	if err != nil {
		return err
	}
	if kept.Seed != s.entropy.seed || kept.PublicKey != s.merchant.Sandbox.Public {
		return errors.New("intramtest: Load: the saved state is another merchant's: it was made with another seed, or by another version")
	}
	accounts := map[string]*account{}
	for _, k := range *s.accounts.Load() {
		accounts[k.account.environment] = k.account
	}
	l := &loader{saved: kept, accounts: accounts}
	st, err := l.state()
	if err != nil {
		return err
	}
	keys, err := l.keys()
	if err != nil {
		return err
	}
	faults, err := l.faults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = st
	for _, a := range accounts { // accounts that a later version opens are known too
		a.openAccounts(&s.state.ledger)
	}
	s.keys.restore(keys)
	s.faults.restore(faults)
	s.faults.fire(kept.Fired)
	s.entropy.state.Store(kept.Random)
	s.entropy.calls.Store(kept.Calls)
	tasks := make([]task, len(kept.Tasks))
	for i, t := range kept.Tasks {
		if s.tasks[t.Kind] == nil {
			return fmt.Errorf("intramtest: the saved state has a task of an unknown kind, %q", t.Kind)
		}
		tasks[i] = task{at: t.At, seq: uint64(i), kind: t.Kind, id: t.ID}
	}
	s.clock.resume(kept.Now, kept.Offset, tasks)
	s.expectSavedPayments(tasks)
	for i, d := range s.state.deliveryLog {
		next := d.next
		for range kept.Deliveries[i].Queued {
			s.enqueue(d)
		}
		d.next = next
	}
	s.notify()
	return nil
}

// expectSavedPayments gives the open payments of an earlier version their end, which it
// did not schedule.
func (s *Server) expectSavedPayments(tasks []task) {
	scheduled := map[string]bool{}
	for _, t := range tasks {
		scheduled[t.id] = scheduled[t.id] || t.kind == taskPayment
	}
	for _, reference := range slices.Sorted(maps.Keys(s.state.transactions)) {
		tx := s.state.transactions[reference]
		if tx.kind == typeCredit && tx.status == txPending && tx.stage == paymentOpen && tx.refunded == 0 && !scheduled[tx.reference] {
			s.expectPayment(tx)
		}
	}
}

// loader makes the objects of a saved state.
type loader struct {
	*saved
	accounts      map[string]*account
	subscriptions []*subscription
	events        []*event
	err           error
}

// broken notes that the state does not hold together.
func (l *loader) broken(what string) {
	if l.err == nil {
		l.err = fmt.Errorf("intramtest: the saved state is damaged: %s", what)
	}
}

func (l *loader) account(environment string) *account {
	a := l.accounts[environment]
	if a == nil {
		l.broken("an environment is unknown")
	}
	return a
}

func (l *loader) state() (state, error) {
	st := newState()
	st.latest, st.behind = l.Latest, l.Behind
	for _, code := range l.Down {
		st.down[code] = true
	}
	l.ledger(&st.ledger)
	for _, sub := range l.Subscriptions {
		l.subscriptions = append(l.subscriptions, loadSubscription(sub))
	}
	for _, e := range l.Events {
		l.events = append(l.events, &event{
			account: l.account(e.Environment), kind: e.Kind, operation: e.Operation, about: e.About, occurred: e.Occurred,
			made: e.Body, suppressed: e.Suppressed, deliveries: e.Deliveries,
		})
	}
	for id, op := range l.Operations {
		st.operations[id] = l.operation(op)
	}
	for reference, tx := range l.Transactions {
		st.transactions[reference] = l.transaction(tx)
	}
	for _, p := range l.Payins {
		st.payins.add(&payin{
			id: p.ID, reference: p.Reference, code: p.Code, account: l.account(p.Environment), number: p.Number, customer: p.Customer, successURL: p.SuccessURL,
			failureURL: p.FailureURL, amount: p.Amount, fee: p.Fee, created: p.Created, expires: p.Expires,
			script: loadPayinScript(p.Script), status: p.Status, confirmation: p.Confirmation, answered: p.Answered,
			failure: p.Failure, failed: p.Failed,
			transaction: payinTransaction{reference: p.Transaction.Reference, status: p.Transaction.Status, processed: p.Transaction.Processed},
		})
	}
	for _, i := range l.EventLog {
		st.events = append(st.events, l.eventAt(i))
	}
	for _, d := range l.Deliveries {
		loaded := &delivery{
			id: d.ID, subscription: l.subscriptionAt(d.Subscription), event: l.eventAt(d.Event), status: d.Status, attempts: d.Attempts,
			failures: d.Failures, next: d.Next, repeat: d.Repeat, held: d.Held, fault: d.Fault,
		}
		st.deliveries[d.ID] = loaded
		st.deliveryLog = append(st.deliveryLog, loaded)
	}
	for environment, b := range l.Books {
		if a := l.account(environment); a != nil {
			st.books[a] = l.book(&st, a, b)
		}
	}
	for _, a := range l.accounts {
		if st.books[a] == nil {
			l.broken("an environment is missing")
		}
	}
	return st, l.err
}

func (l *loader) ledger(into *ledger) {
	for _, a := range l.Accounts {
		into.accounts[into.account(a.Name)].balance = 0 // what was posted makes the balance
	}
	known := func(n accountNumber) bool { return n >= 0 && int(n) < len(into.accounts) }
	for _, p := range l.Postings {
		made := posting{at: p.At, operationID: p.OperationID, reference: p.Reference, memo: p.Memo}
		for i, m := range p.Moves {
			if !known(m.From) || !known(m.To) {
				l.broken("the ledger moves money of an unknown account")
				return
			}
			made.moves[i] = move{from: m.From, to: m.To, amount: m.Amount}
		}
		into.post(made)
	}
	for _, a := range l.Accounts {
		if into.balance(into.account(a.Name)) != a.Balance {
			l.broken("a balance of the ledger is not what was posted")
		}
	}
}

func loadSubscription(s savedSubscription) *subscription {
	sub := &subscription{id: s.ID, url: s.URL, event: s.Event, key: newSigningKey(s.Secret), created: s.Created, payin: s.Payin}
	if s.PreviousSecret != "" {
		sub.previous = newSigningKey(s.PreviousSecret)
	}
	return sub
}

func (l *loader) subscriptionAt(i int) *subscription {
	if i < 0 || i >= len(l.subscriptions) {
		l.broken("a subscription is missing")
		return nil
	}
	return l.subscriptions[i]
}

func (l *loader) eventAt(i int) *event {
	if i < 0 || i >= len(l.events) {
		l.broken("an event is missing")
		return nil
	}
	return l.events[i]
}

func (l *loader) book(st *state, a *account, kept savedBook) *book {
	b := &book{}
	for _, code := range kept.Wallets {
		m := methodByCode(code)
		if m == nil {
			l.broken("a wallet's payment method is unknown")
			return b
		}
		b.openWallet(&st.ledger, a, m)
	}
	for _, id := range kept.Operations {
		if st.operations[id] == nil {
			l.broken("an operation is missing")
		}
		b.operations = append(b.operations, st.operations[id])
	}
	for _, reference := range kept.Transactions {
		if st.transactions[reference] == nil {
			l.broken("a transaction is missing")
		}
		b.transactions = append(b.transactions, st.transactions[reference])
	}
	for _, i := range kept.Subscriptions {
		b.subscriptions = append(b.subscriptions, l.subscriptionAt(i))
	}
	if kept.PayinWebhook >= 0 {
		b.payinWebhook = l.subscriptionAt(kept.PayinWebhook)
	}
	return b
}

func (l *loader) operation(o *savedOperation) *operation {
	op := &operation{
		id: o.ID, account: l.account(o.Environment), kind: o.Kind, payload: o.Payload, script: loadScript(o.Script),
		mode: WorkerMode{kind: o.Mode.Kind, delay: o.Mode.Delay, polls: o.Mode.Polls}, key: o.Key,
		status: o.Status, attempts: o.Attempts, polls: o.Polls, created: o.Created, updated: o.Updated, completed: o.Completed,
		resultStatus: o.ResultStatus, failure: loadFailure(o.Failure), reference: o.Reference, wallet: o.Wallet, held: o.Held,
		settlement: o.Settlement, cancels: o.Cancels, gateway: o.Gateway, qrCode: o.QRCode,
	}
	if o.Prepared != "" {
		op.prepared = &transaction{reference: o.Prepared, status: txPending, account: op.account, operation: op.id}
	}
	if p := o.Payout; p != nil {
		op.payout = &payoutRequest{
			amount: p.Amount, currency: p.Currency, bank: p.Bank, providerCode: p.ProviderCode, msisdn: p.MSISDN,
			account: p.Account, name: p.Name, reference: p.Reference,
		}
	}
	if p := o.Payment; p != nil {
		op.payment = &paymentRequest{
			amount: p.Amount, currency: p.Currency, description: p.Description, email: p.Email, name: p.Name, phone: p.Phone, methodCode: p.MethodCode,
			msisdn: p.MSISDN, successURL: p.SuccessURL, cancelURL: p.CancelURL, webhookData: p.WebhookData,
		}
	}
	if p := o.Refund; p != nil {
		op.refund = &refundRequest{reference: p.Reference, amount: p.Amount, reason: p.Reason}
	}
	if op.kind == kindPayout && op.payout == nil || op.kind == kindPaymentRequest && op.payment == nil || op.kind == kindRefund && op.refund == nil {
		l.broken("an operation has no request")
	}
	return op
}

func loadFailure(f *savedFailure) *operationFailure {
	if f == nil {
		return nil
	}
	return &operationFailure{code: f.Code, message: f.Message, responseCode: f.ResponseCode, responseMessage: f.ResponseMessage}
}

func loadScript(s savedScript) script {
	return script{
		fails: loadFailure(s.Fails), before: s.Before, delay: s.Delay, expires: s.Expires, stuck: s.Stuck,
		silent: s.Silent, twice: s.Twice, reordered: s.Reordered, lost: s.Lost, pends: s.Pends, refused: s.Refused,
	}
}

func (l *loader) transaction(t *savedTransaction) *transaction {
	tx := &transaction{
		reference: t.Reference, account: l.account(t.Environment), operation: t.Operation, status: t.Status, kind: t.Kind,
		amount: t.Amount, fees: t.Fees, net: t.Net, method: methodByCode(t.Method), customerEmail: t.CustomerEmail, customerName: t.CustomerName,
		number: t.Number, created: t.Created, refunded: t.Refunded, stage: t.Stage, script: loadScript(t.Script), pendingNet: t.PendingNet,
	}
	for _, r := range t.Refunds {
		tx.refunds = append(tx.refunds, refundEntry{reference: r.Reference, status: r.Status, reason: r.Reason, date: r.Date})
	}
	if t.HeldEvent >= 0 {
		tx.heldEvent = l.eventAt(t.HeldEvent)
	}
	if l.Operations[t.Operation] == nil {
		l.broken("a transaction has no operation")
	}
	return tx
}

func (l *loader) keys() ([]*execution, error) {
	var keys []*execution
	for _, k := range l.Keys {
		e := &execution{id: idempotencyKey{scope: k.Scope, key: k.Key}, expires: k.Expires, ended: true}
		if copy(e.of[:], k.Of) != len(e.of) {
			return nil, errors.New("intramtest: the saved state is damaged: an idempotency key has no fingerprint")
		}
		a := k.Answer
		e.answer = &reply{status: a.Status, body: a.Body, code: a.Code, reason: a.Reason, html: a.HTML, allow: a.Allow, lost: a.Lost}
		keys = append(keys, e)
	}
	return keys, nil
}

func (l *loader) faults() (keptFaults, error) {
	var kept keptFaults
	for _, f := range l.Faults {
		active, err := prepareFault(f.Fault)
		if err != nil {
			return kept, err
		}
		active.left, active.until = f.Left, f.Until
		kept.active = append(kept.active, active)
	}
	if l.Seeded != nil {
		kept.seeded = &seededFaults{seed: l.Seeded.Seed, attempts: l.Seeded.Attempts}
		if kept.seeded.attempts == nil {
			kept.seeded.attempts = map[string]int{}
		}
		for _, r := range l.Seeded.Rates {
			active, err := prepareFault(r.Fault)
			if err != nil {
				return kept, err
			}
			active.until = r.Until
			kept.seeded.rates = append(kept.seeded.rates, seededFault{activeFault: active, draw: drawOf(active.rule), perThousand: r.PerThousand})
		}
	}
	return kept, nil
}

func loadPayinScript(s savedPayinScript) payinScript {
	return payinScript{
		failure: s.Failure, declines: s.Declines, refused: s.Refused, delay: s.Delay, unanswered: s.Unanswered, stuck: s.Stuck, silent: s.Silent,
		twice: s.Twice, reordered: s.Reordered, lost: s.Lost, direct: s.Direct, late: s.Late,
	}
}
