package mockapi

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Statuses and types of transactions (intram.md section 7).
const (
	txPending  = "PENDING"
	txSuccess  = "SUCCESS"
	txError    = "ERROR"
	txRefunded = "REFUNDED"

	typeCredit = "CREDIT" // a payment
	typeDebit  = "DEBIT"  // a payout
	typeRefund = "REFUND"
)

var (
	transactionStatuses = []string{txPending, txSuccess, txError, txRefunded}
	transactionTypes    = []string{typeCredit, typeDebit, typeRefund}
)

// internalIDEnd ends every internal id: 24 hexadecimal digits, of which the first 20 are
// the reference's ten bytes.
const internalIDEnd = "c0de"

// internalID returns the other name of a transaction, which follows from its reference.
func internalID(reference string) string {
	return hex.EncodeToString([]byte(reference)) + internalIDEnd
}

// referenceOf returns the reference behind an internal id, or its argument if that is not
// an internal id.
func referenceOf(name string) string {
	digits, ok := strings.CutSuffix(name, internalIDEnd)
	if reference, err := hex.DecodeString(digits); ok && err == nil && len(reference) == 10 {
		return string(reference)
	}
	return name
}

// transaction is a movement of money as the merchant sees it. Payouts and refunds are
// transactions too: the docs list their types without showing one.
type transaction struct {
	reference string
	account   *account
	operation string // the one that made it
	status    string
	kind      string

	amount, fees, net int64
	method            *method // nil until it is known
	customerEmail     string
	customerName      string
	number            string // the other side's number
	created           time.Time

	refunds []refundEntry
	// refunded is how much of the amount has been refunded or is being refunded.
	refunded int64

	// The rest is a payment's: how far it is, and what its end will be.
	stage      paymentStage
	script     script
	pendingNet int64  // what its wallet holds as pending
	heldEvent  *event // the created event that a test number holds back
}

// refundEntry is one of a transaction's refunds[].
type refundEntry struct {
	reference, status, reason string
	date                      time.Time
}

// prepareTransaction fills in the transaction an operation will need.
func (s *Server) prepareTransaction(op *operation) {
	tx := op.prepared
	tx.reference, tx.status = s.entropy.reference(), txPending
	tx.account, tx.operation = op.account, op.id
}

// newTransaction dates the transaction of an operation and stores it under a new
// reference. The caller holds the lock.
func (s *Server) newTransaction(op *operation, kind string) *transaction {
	tx := op.prepared
	op.prepared = nil
	for s.state.transactions[tx.reference] != nil {
		tx.reference = s.entropy.reference()
	}
	tx.kind, tx.created = kind, s.date()
	s.addTransaction(tx)
	op.reference = tx.reference
	return tx
}

func (tx *transaction) appendJSON(b []byte, currency string) []byte {
	b = append(b, '{')
	b = appendStringField(b, "reference", tx.reference)
	b = appendStringField(b, "status", tx.status)
	b = appendStringField(b, "type", tx.kind)
	b = appendIntField(b, "amount", tx.amount)
	b = appendIntField(b, "fees", tx.fees)
	b = appendIntField(b, "net_amount", tx.net)
	b = appendStringField(b, "currency", currency)
	name := ""
	if tx.method != nil {
		name = tx.method.name
	}
	b = appendOptionalString(b, "payment_method", name)
	b = append(appendName(b, "customer"), '{')
	if tx.customerEmail != "" {
		b = appendStringField(b, "email", tx.customerEmail)
	}
	if tx.customerName != "" {
		b = appendStringField(b, "name", tx.customerName)
	}
	b = append(b, '}')
	b = append(appendName(b, "source"), '{')
	b = append(appendOptionalString(b, "number", tx.number), '}')
	b = appendTimeField(b, "date", tx.created)
	b = append(appendName(b, "refunds"), '[')
	for i, r := range tx.refunds {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendStringField(b, "reference", r.reference)
		b = appendStringField(b, "status", r.status)
		b = appendOptionalString(b, "reason", r.reason)
		b = appendTimeField(b, "date", r.date)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func (x *exchange) getTransaction() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transactionOf(x.account, x.id)
	if tx == nil {
		return transactionNotFound()
	}
	return success(http.StatusOK, tx.appendJSON(nil, s.currency), "")
}

func (x *exchange) listTransactions() reply {
	q, refused := validateList(x.request.URL.RawQuery, transactionStatuses, transactionTypes)
	if refused != nil {
		return *refused
	}
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(s.state.books[x.account].transactions, q,
		func(tx *transaction) time.Time { return tx.created },
		func(tx *transaction) bool {
			return (q.status == "" || tx.status == q.status) && (q.kind == "" || tx.kind == q.kind)
		},
		func(tx *transaction, b []byte) []byte { return tx.appendJSON(b, s.currency) })
}

func joinName(first, last string) string { return strings.TrimSpace(first + " " + last) }
