package mockapi

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// savedFormat is the version of what Save writes. A change that an older program would
// misread counts it up.
const savedFormat = 1

// saved is a server's state as JSON: what state holds, the idempotency keys, the faults,
// the clock and what is scheduled, and the randomness to come. The journal of requests is
// not part of it, and the settings of the server are its Config's.
//
// Where one thing is reached from several (a subscription that was deleted with a
// delivery under way, an event of several deliveries), it is in a table and the others
// hold its index.
type saved struct {
	Format    int    `json:"format"`
	Seed      uint64 `json:"seed"`
	PublicKey string `json:"public_key"` // the merchant's, by which a server knows that the state is its own

	Random uint64            `json:"random"`
	Calls  uint64            `json:"calls"`
	Now    time.Time         `json:"now"`
	Offset time.Duration     `json:"offset"` // how far a running clock is ahead of the wall's
	Latest time.Time         `json:"latest"`
	Tasks  []savedTask       `json:"tasks"`
	Down   []string          `json:"down,omitempty"`
	Behind []string          `json:"behind,omitempty"`
	Keys   []savedKey        `json:"keys"`
	Faults []savedFault      `json:"faults,omitempty"`
	Seeded *savedSeeded      `json:"seeded,omitempty"`
	Fired  map[FaultKind]int `json:"faults_fired,omitempty"`

	Accounts      []savedAccount               `json:"accounts"`
	Postings      []savedPosting               `json:"postings"`
	Books         map[string]savedBook         `json:"books"` // by environment
	Operations    map[string]*savedOperation   `json:"operations"`
	Transactions  map[string]*savedTransaction `json:"transactions"`
	Payins        []savedPayin                 `json:"payins"`
	Subscriptions []savedSubscription          `json:"subscriptions"`
	Events        []savedEvent                 `json:"events"`
	EventLog      []int                        `json:"event_log"`
	Deliveries    []savedDelivery              `json:"deliveries"` // oldest first
}

type savedTask struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	ID   string    `json:"id"`
}

type savedKey struct {
	Scope   string      `json:"scope"`
	Key     string      `json:"key"`
	Of      []byte      `json:"of"`
	Expires time.Time   `json:"expires"`
	Answer  savedAnswer `json:"answer"`
}

type savedAnswer struct {
	Status int    `json:"status"`
	Body   []byte `json:"body"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	HTML   bool   `json:"html,omitempty"`
	Allow  string `json:"allow,omitempty"`
	Lost   bool   `json:"lost,omitempty"`
}

type savedFault struct {
	Fault Fault     `json:"fault"`
	Left  int       `json:"left"`
	Until time.Time `json:"until"`
}

type savedSeeded struct {
	Seed     uint64            `json:"seed"`
	Rates    []savedSeededRate `json:"rates"`
	Attempts map[string]int    `json:"attempts"`
}

type savedSeededRate struct {
	Fault       Fault     `json:"fault"`
	PerThousand uint64    `json:"per_thousand"`
	Until       time.Time `json:"until"`
}

type savedAccount struct {
	Name    string `json:"name"`
	Balance int64  `json:"balance"`
}

type savedPosting struct {
	At          time.Time    `json:"at"`
	OperationID string       `json:"operation_id,omitempty"`
	Reference   string       `json:"reference,omitempty"`
	Memo        string       `json:"memo"`
	Moves       [2]savedMove `json:"moves"`
}

type savedMove struct {
	From   accountNumber `json:"from"`
	To     accountNumber `json:"to"`
	Amount int64         `json:"amount"`
}

type savedBook struct {
	Wallets       []string `json:"wallets"` // payment methods
	Operations    []string `json:"operations"`
	Transactions  []string `json:"transactions"`
	Subscriptions []int    `json:"subscriptions"`
	PayinWebhook  int      `json:"payin_webhook"` // -1 without one
}

type savedSubscription struct {
	ID             string    `json:"id"`
	URL            string    `json:"url"`
	Event          string    `json:"event"`
	Secret         string    `json:"secret"`
	PreviousSecret string    `json:"previous_secret,omitempty"`
	Created        time.Time `json:"created"`
	Payin          bool      `json:"payin,omitempty"`
}

type savedFailure struct {
	Code            string `json:"code"`
	Message         string `json:"message"`
	ResponseCode    string `json:"response_code,omitempty"`
	ResponseMessage string `json:"response_message,omitempty"`
}

type savedScript struct {
	Fails     *savedFailure `json:"fails,omitempty"`
	Before    bool          `json:"before,omitempty"`
	Delay     time.Duration `json:"delay,omitempty"`
	Expires   bool          `json:"expires,omitempty"`
	Stuck     bool          `json:"stuck,omitempty"`
	Silent    bool          `json:"silent,omitempty"`
	Twice     bool          `json:"twice,omitempty"`
	Reordered bool          `json:"reordered,omitempty"`
	Lost      bool          `json:"lost,omitempty"`
	Pends     bool          `json:"pends,omitempty"`
	Refused   bool          `json:"refused,omitempty"`
}

type savedWorker struct {
	Kind  workerKind    `json:"kind"`
	Delay time.Duration `json:"delay,omitempty"`
	Polls int           `json:"polls,omitempty"`
}

type savedOperation struct {
	ID          string               `json:"id"`
	Environment string               `json:"environment"`
	Kind        string               `json:"kind"`
	Payload     []byte               `json:"payload"`
	Payout      *savedPayout         `json:"payout,omitempty"`
	Payment     *savedPaymentRequest `json:"payment,omitempty"`
	Refund      *savedRefund         `json:"refund,omitempty"`
	Script      savedScript          `json:"script"`
	Mode        savedWorker          `json:"mode"`
	Key         string               `json:"key"`

	Status       string          `json:"status"`
	Attempts     int             `json:"attempts"`
	Polls        int             `json:"polls"`
	Created      time.Time       `json:"created"`
	Updated      time.Time       `json:"updated"`
	Completed    time.Time       `json:"completed"`
	ResultStatus string          `json:"result_status,omitempty"`
	Failure      *savedFailure   `json:"failure,omitempty"`
	Reference    string          `json:"reference,omitempty"`
	Prepared     string          `json:"prepared,omitempty"` // the reference of the transaction that is prepared
	Wallet       string          `json:"wallet,omitempty"`
	Held         int64           `json:"held,omitempty"`
	Settlement   settlementState `json:"settlement,omitempty"`
	Cancels      bool            `json:"cancels,omitempty"`
	Gateway      string          `json:"gateway,omitempty"`
	QRCode       string          `json:"qr_code,omitempty"`
}

type savedPayout struct {
	Amount       int64  `json:"amount"`
	Currency     string `json:"currency"`
	Bank         bool   `json:"bank,omitempty"`
	ProviderCode string `json:"provider_code,omitempty"`
	MSISDN       string `json:"msisdn,omitempty"`
	Account      string `json:"account,omitempty"`
	Name         string `json:"name,omitempty"`
	Reference    string `json:"reference,omitempty"`
}

type savedPaymentRequest struct {
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	Description string `json:"description,omitempty"`
	Email       string `json:"email,omitempty"`
	Name        string `json:"name,omitempty"`
	Phone       string `json:"phone,omitempty"`
	MethodCode  string `json:"method_code,omitempty"`
	MSISDN      string `json:"msisdn,omitempty"`
	SuccessURL  string `json:"success_url,omitempty"`
	CancelURL   string `json:"cancel_url,omitempty"`
	WebhookData []byte `json:"webhook_data,omitempty"`
}

type savedRefund struct {
	Reference string `json:"reference"`
	Amount    int64  `json:"amount"`
	Reason    string `json:"reason,omitempty"`
}

type savedTransaction struct {
	Reference     string             `json:"reference"`
	Environment   string             `json:"environment"`
	Operation     string             `json:"operation"`
	Status        string             `json:"status"`
	Kind          string             `json:"kind"`
	Amount        int64              `json:"amount"`
	Fees          int64              `json:"fees"`
	Net           int64              `json:"net"`
	Method        string             `json:"method,omitempty"`
	CustomerEmail string             `json:"customer_email,omitempty"`
	CustomerName  string             `json:"customer_name,omitempty"`
	Number        string             `json:"number,omitempty"`
	Created       time.Time          `json:"created"`
	Refunds       []savedRefundEntry `json:"refunds,omitempty"`
	Refunded      int64              `json:"refunded,omitempty"`
	Stage         paymentStage       `json:"stage"`
	Script        savedScript        `json:"script"`
	PendingNet    int64              `json:"pending_net,omitempty"`
	HeldEvent     int                `json:"held_event"` // -1 without one
}

type savedRefundEntry struct {
	Reference string    `json:"reference"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason,omitempty"`
	Date      time.Time `json:"date"`
}

type savedPayin struct {
	ID           string           `json:"id"`
	Reference    string           `json:"reference"`
	Code         string           `json:"code"`
	Environment  string           `json:"environment"`
	Number       string           `json:"number"`
	Customer     string           `json:"customer"`
	SuccessURL   string           `json:"success_url,omitempty"`
	FailureURL   string           `json:"failure_url,omitempty"`
	Amount       int64            `json:"amount"`
	Fee          int64            `json:"fee"`
	Created      time.Time        `json:"created"`
	Expires      time.Time        `json:"expires"`
	Script       savedPayinScript `json:"script"`
	Status       string           `json:"status"`
	Confirmation string           `json:"confirmation"`
	Answered     bool             `json:"answered,omitempty"`
	Failure      string           `json:"failure,omitempty"`
	Failed       time.Time        `json:"failed,omitzero"`
	Transaction  savedPayinMoney  `json:"transaction"`
}

type savedPayinMoney struct {
	Reference string    `json:"reference,omitempty"`
	Status    string    `json:"status,omitempty"`
	Processed time.Time `json:"processed"`
}

type savedPayinScript struct {
	Failure    string        `json:"failure,omitempty"`
	Declines   bool          `json:"declines,omitempty"`
	Refused    bool          `json:"refused,omitempty"`
	Delay      time.Duration `json:"delay,omitempty"`
	Unanswered bool          `json:"unanswered,omitempty"`
	Stuck      bool          `json:"stuck,omitempty"`
	Silent     bool          `json:"silent,omitempty"`
	Twice      bool          `json:"twice,omitempty"`
	Reordered  bool          `json:"reordered,omitempty"`
	Lost       bool          `json:"lost,omitempty"`
	Direct     bool          `json:"direct,omitempty"`
	Late       time.Duration `json:"late,omitempty"`
}

type savedEvent struct {
	Environment string    `json:"environment"`
	Kind        string    `json:"kind"`
	Operation   string    `json:"operation"`
	About       [3]string `json:"about"`
	Occurred    time.Time `json:"occurred"`
	Body        []byte    `json:"body"`
	Suppressed  bool      `json:"suppressed,omitempty"`
	Deliveries  []string  `json:"deliveries,omitempty"`
}

type savedDelivery struct {
	ID           string         `json:"id"`
	Subscription int            `json:"subscription"`
	Event        int            `json:"event"`
	Status       DeliveryStatus `json:"status"`
	Attempts     []Attempt      `json:"attempts,omitempty"`
	Failures     int            `json:"failures,omitempty"`
	Next         time.Time      `json:"next"`
	// Queued is how many attempts waited or were under way: they are made again.
	Queued int       `json:"queued,omitempty"`
	Repeat bool      `json:"repeat,omitempty"`
	Held   bool      `json:"held,omitempty"`
	Fault  FaultKind `json:"fault,omitempty"`
}

// Version counts the changes so far.
func (s *Server) Version() uint64 { return s.version.Load() }

// touch counts a change that no waiter is woken for.
func (s *Server) touch() { s.version.Add(1) }

// committed waits for Config.BeforeAnswer, where there is one.
func (s *Server) committed() {
	if s.beforeAnswer != nil {
		s.beforeAnswer()
	}
}

// Save returns the whole state as JSON, for Load. It waits for nothing: a call under way
// is either wholly in it, with its money and its idempotency key, or not at all, and an
// attempt of a delivery that is under way is saved as still to be made.
//
// The version is that of the saved state. A server with several merchants cannot be
// saved.
func (s *Server) Save() (data []byte, version uint64, err error) {
	kept, version, err := s.keepAll(nil)
	if err != nil {
		return nil, 0, err
	}
	data, err = json.Marshal(kept)
	return data, version, err
}

// lockSaved locks everything that a saved state consists of: no call is between its
// effect and its idempotency key, and no task between the clock's heap and its effect.
func (s *Server) lockSaved() (unlock func(), err error) {
	s.executing.Lock()
	s.clock.runMu.Lock()
	s.mu.Lock()
	unlock = func() {
		s.mu.Unlock()
		s.clock.runMu.Unlock()
		s.executing.Unlock()
	}
	if len(s.state.books) != 2 {
		unlock()
		return nil, errors.New("intramtest: Save: a server with several merchants cannot be saved")
	}
	return unlock, nil
}

// keptTasks returns the tasks to save, in the order in which they were scheduled, and the
// time they count from.
func (s *Server) keptTasks() (time.Time, []task) {
	now, tasks := s.clock.keep()
	slices.SortFunc(tasks, func(a, b task) int { return int(a.seq) - int(b.seq) }) //nolint:gosec // a count of tasks
	return now, tasks
}

func (s *Server) keptDown() []string {
	var codes []string
	for code, down := range s.state.down {
		if down {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// keepAll copies the state into what can be encoded without a lock. A recorder goes on
// from there.
func (s *Server) keepAll(recorder *Recorder) (*saved, uint64, error) {
	unlock, err := s.lockSaved()
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	version := s.version.Load() // what comes later may be in it too
	k := &saver{subscriptions: map[*subscription]int{}, events: map[*event]int{}, saved: saved{
		Format: savedFormat, Seed: s.entropy.seed, PublicKey: s.merchant.Sandbox.Public,
		Random: s.entropy.state.Load(), Calls: s.entropy.calls.Load(),
		Offset: time.Duration(s.clock.offset.Load()), Latest: s.state.latest,
		Behind: slices.Clone(s.state.behind), Books: map[string]savedBook{},
		Operations: map[string]*savedOperation{}, Transactions: map[string]*savedTransaction{},
	}}
	var tasks []task
	k.Now, tasks = s.keptTasks()
	for _, t := range tasks {
		k.Tasks = append(k.Tasks, savedTask{At: t.at, Kind: t.kind, ID: t.id})
	}
	k.Down = s.keptDown()
	for _, e := range s.keys.keep() {
		k.Keys = append(k.Keys, keepKey(e))
	}
	k.keepFaults(&s.faults)
	k.keepLedger(&s.state.ledger)
	for a, b := range s.state.books {
		k.Books[a.environment] = k.book(b)
	}
	for id, op := range s.state.operations {
		k.Operations[id] = keepOperation(op)
	}
	for reference, tx := range s.state.transactions {
		k.Transactions[reference] = k.transaction(tx)
	}
	for _, id := range slices.Sorted(maps.Keys(s.state.payins.byID)) {
		k.Payins = append(k.Payins, keepPayin(s.state.payins.byID[id]))
	}
	for _, e := range s.state.events {
		k.EventLog = append(k.EventLog, k.event(e))
	}
	for _, d := range s.state.deliveryLog {
		k.Deliveries = append(k.Deliveries, k.delivery(d))
	}
	whole := k.saved
	if recorder != nil {
		s.recorder = recorder // after a Restore there is none
		recorder.begin(k)
	}
	return &whole, version, nil
}

// saver is a state on its way into its tables.
type saver struct {
	saved
	subscriptions map[*subscription]int
	events        map[*event]int
}

func keepKey(e *execution) savedKey {
	a := e.answer
	return savedKey{
		Scope: e.id.scope, Key: e.id.key, Of: slices.Clone(e.of[:]), Expires: e.expires,
		Answer: savedAnswer{
			Status: a.status, Body: a.body, Code: a.code, Reason: a.reason, HTML: a.html, Allow: a.allow, Lost: a.lost,
		},
	}
}

func (k *saver) delivery(d *delivery) savedDelivery {
	return savedDelivery{
		ID: d.id, Subscription: k.subscription(d.subscription), Event: k.event(d.event), Status: d.status,
		Attempts: slices.Clone(d.attempts), Failures: d.failures, Next: d.next, Queued: d.queued, Repeat: d.repeat, Held: d.held, Fault: d.fault,
	}
}

func (k *saver) keepFaults(f *faults) {
	kept := f.keep()
	for _, a := range kept.active {
		k.Faults = append(k.Faults, savedFault{Fault: a.Fault, Left: a.left, Until: a.until})
	}
	if kept.seeded != nil {
		k.Seeded = &savedSeeded{Seed: kept.seeded.seed, Attempts: kept.seeded.attempts}
		for _, r := range kept.seeded.rates {
			k.Seeded.Rates = append(k.Seeded.Rates, savedSeededRate{Fault: r.Fault, PerThousand: r.perThousand, Until: r.until})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	k.Fired = maps.Clone(f.fired)
}

func (k *saver) keepLedger(l *ledger) {
	for _, a := range l.accounts {
		k.Accounts = append(k.Accounts, savedAccount{Name: a.name, Balance: a.balance})
	}
	for _, block := range l.postings {
		for _, p := range block {
			k.Postings = append(k.Postings, keepPosting(p))
		}
	}
}

func keepPosting(p posting) savedPosting {
	kept := savedPosting{At: p.at, OperationID: p.operationID, Reference: p.reference, Memo: p.memo}
	for i, m := range p.moves {
		kept.Moves[i] = savedMove{From: m.from, To: m.to, Amount: m.amount}
	}
	return kept
}

func (k *saver) book(b *book) savedBook {
	kept := savedBook{Wallets: b.walletCodes(), PayinWebhook: k.payinWebhook(b)}
	for _, op := range b.operations {
		kept.Operations = append(kept.Operations, op.id)
	}
	for _, tx := range b.transactions {
		kept.Transactions = append(kept.Transactions, tx.reference)
	}
	for _, sub := range b.subscriptions {
		kept.Subscriptions = append(kept.Subscriptions, k.subscription(sub))
	}
	return kept
}

// payinWebhook returns the index of the webhook of payins, or -1.
func (k *saver) payinWebhook(b *book) int {
	if b.payinWebhook == nil {
		return -1
	}
	return k.subscription(b.payinWebhook)
}

func (k *saver) subscription(sub *subscription) int {
	if i, ok := k.subscriptions[sub]; ok {
		return i
	}
	kept := savedSubscription{ID: sub.id, URL: sub.url, Event: sub.event, Secret: sub.key.secret, Created: sub.created, Payin: sub.payin}
	if sub.previous != nil {
		kept.PreviousSecret = sub.previous.secret
	}
	k.subscriptions[sub] = len(k.subscriptions)
	k.Subscriptions = append(k.Subscriptions, kept)
	return k.subscriptions[sub]
}

func (k *saver) event(e *event) int {
	if i, ok := k.events[e]; ok {
		return i
	}
	k.events[e] = len(k.events)
	k.Events = append(k.Events, keepEvent(e))
	return k.events[e]
}

func keepEvent(e *event) savedEvent {
	return savedEvent{
		Environment: e.account.environment, Kind: e.kind, Operation: e.operation, About: e.about, Occurred: e.occurred,
		Body: e.body(), Suppressed: e.suppressed, Deliveries: slices.Clone(e.deliveries),
	}
}

func keepOperation(op *operation) *savedOperation {
	kept := &savedOperation{
		ID: op.id, Environment: op.account.environment, Kind: op.kind, Payload: op.payload, Script: keepScript(op.script),
		Mode: savedWorker{Kind: op.mode.kind, Delay: op.mode.delay, Polls: op.mode.polls}, Key: op.key,
		Status: op.status, Attempts: op.attempts, Polls: op.polls, Created: op.created, Updated: op.updated, Completed: op.completed,
		ResultStatus: op.resultStatus, Failure: keepFailure(op.failure), Reference: op.reference, Wallet: op.wallet, Held: op.held,
		Settlement: op.settlement, Cancels: op.cancels, Gateway: op.gateway, QRCode: op.qrCode,
	}
	if op.prepared != nil {
		kept.Prepared = op.prepared.reference
	}
	if op.kind == kindPayout {
		kept.Payout = &savedPayout{
			Amount: op.payout.amount, Currency: op.payout.currency, Bank: op.payout.bank, ProviderCode: op.payout.providerCode,
			MSISDN: op.payout.msisdn, Account: op.payout.account, Name: op.payout.name, Reference: op.payout.reference,
		}
	}
	if p := op.payment; p != nil {
		kept.Payment = &savedPaymentRequest{
			Amount: p.amount, Currency: p.currency, Description: p.description, Email: p.email, Name: p.name, Phone: p.phone, MethodCode: p.methodCode,
			MSISDN: p.msisdn, SuccessURL: p.successURL, CancelURL: p.cancelURL, WebhookData: p.webhookData,
		}
	}
	if op.refund != nil {
		kept.Refund = &savedRefund{Reference: op.refund.reference, Amount: op.refund.amount, Reason: op.refund.reason}
	}
	return kept
}

func keepFailure(f *operationFailure) *savedFailure {
	if f == nil {
		return nil
	}
	return &savedFailure{Code: f.code, Message: f.message, ResponseCode: f.responseCode, ResponseMessage: f.responseMessage}
}

func keepScript(s script) savedScript {
	return savedScript{
		Fails: keepFailure(s.fails), Before: s.before, Delay: s.delay, Expires: s.expires, Stuck: s.stuck,
		Silent: s.silent, Twice: s.twice, Reordered: s.reordered, Lost: s.lost, Pends: s.pends, Refused: s.refused,
	}
}

func (k *saver) transaction(tx *transaction) *savedTransaction {
	kept := &savedTransaction{
		Reference: tx.reference, Environment: tx.account.environment, Operation: tx.operation, Status: tx.status, Kind: tx.kind,
		Amount: tx.amount, Fees: tx.fees, Net: tx.net, CustomerEmail: tx.customerEmail, CustomerName: tx.customerName, Number: tx.number,
		Created: tx.created, Refunded: tx.refunded, Stage: tx.stage, Script: keepScript(tx.script), PendingNet: tx.pendingNet, HeldEvent: -1,
	}
	if tx.method != nil {
		kept.Method = tx.method.code
	}
	for _, r := range tx.refunds {
		kept.Refunds = append(kept.Refunds, savedRefundEntry{Reference: r.reference, Status: r.status, Reason: r.reason, Date: r.date})
	}
	if tx.heldEvent != nil {
		kept.HeldEvent = k.event(tx.heldEvent)
	}
	return kept
}

func keepPayin(p *payin) savedPayin {
	return savedPayin{
		ID: p.id, Reference: p.reference, Code: p.code, Environment: p.account.environment, Number: p.number, Customer: p.customer, SuccessURL: p.successURL,
		FailureURL: p.failureURL, Amount: p.amount, Fee: p.fee, Created: p.created, Expires: p.expires,
		Script: keepPayinScript(p.script), Status: p.status, Confirmation: p.confirmation, Answered: p.answered,
		Failure: p.failure, Failed: p.failed,
		Transaction: savedPayinMoney{Reference: p.transaction.reference, Status: p.transaction.status, Processed: p.transaction.processed},
	}
}

func keepPayinScript(s payinScript) savedPayinScript {
	return savedPayinScript{
		Failure: s.failure, Declines: s.declines, Refused: s.refused, Delay: s.delay, Unanswered: s.unanswered, Stuck: s.stuck, Silent: s.silent,
		Twice: s.twice, Reordered: s.reordered, Lost: s.lost, Direct: s.direct, Late: s.late,
	}
}
