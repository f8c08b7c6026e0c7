package mockapi

import (
	"net/http"
	"sort"
	"time"
)

// Kinds and statuses of operations (intram.md section 7).
const (
	kindPayout         = "payout"
	kindPaymentRequest = "payment_request"
	kindRefund         = "refund"

	statusQueued     = "queued"
	statusProcessing = "processing"
	statusSucceeded  = "succeeded"
	statusFailed     = "failed"
	statusExpired    = "expired"
)

var (
	operationKinds    = []string{kindPayout, kindPaymentRequest, kindRefund, "transfer"}
	operationStatuses = []string{statusQueued, statusProcessing, statusSucceeded, statusFailed, statusExpired}
)

// operation is a request that the worker executes. What was asked never changes once it
// is made.
type operation struct {
	id      string
	account *account
	kind    string
	payload []byte // the request's JSON, compact
	payout  *payoutRequest
	payment *paymentRequest
	refund  *refundRequest
	script  script
	mode    WorkerMode
	key     string // the idempotency key that made it

	status                      string
	attempts, polls             int
	created, updated, completed time.Time
	resultStatus                string // the status in the result, once there is one
	failure                     *operationFailure

	// reference is the transaction the operation made: the payment, the payout's debit or
	// the refund.
	reference string
	// prepared is the transaction that the worker will make, allocated outside of the
	// lock.
	prepared *transaction
	// firstEvent is likewise the event it will most likely send.
	firstEvent *event
	// wallet is the payment method whose wallet was debited, and held the amount that
	// left it and has not yet arrived anywhere.
	wallet     string
	held       int64
	settlement settlementState
	// cancels is set on a refund of a payment that is still pending.
	cancels bool
	// gateway and qrCode are a payment request's.
	gateway, qrCode string
}

// settlementState is how far the back office is with a bank payout, or the operator with
// a refund.
type settlementState int

const (
	noSettlement settlementState = iota
	settlementWaiting
	settlementEnded
)

// newOperation makes a queued operation, without a date yet: enter gives it one.
func (x *exchange) newOperation(kind string) *operation {
	// One allocation for the operation and what it will need.
	room := &struct {
		op     operation
		tx     transaction
		payout payoutRequest
		event  event
	}{}
	op := &room.op
	op.id, op.account, op.kind = x.server.entropy.id("op_", 16), x.account, kind
	op.payload, op.status, op.key = x.document.compact(), statusQueued, x.entry.IdempotencyKey
	op.payout, op.prepared, op.firstEvent = &room.payout, &room.tx, &room.event
	x.server.prepareTransaction(op)
	return op
}

// enter dates an operation, makes it known and gives it to the worker.
func (s *Server) enter(op *operation) {
	op.created = s.date()
	op.updated = op.created
	s.addOperation(op)
	s.accept(op)
}

func (s *Server) enterLocking(op *operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(op)
}

// accepted returns the response to a creation: the operation as it was queued, whatever
// the worker has made of it since. That of a payout has its payload and its links, the
// others do not, as in the published payloads.
func (op *operation) accepted() reply {
	b := append(make([]byte, 0, len(op.payload)+256), `{"error":false,"http_status":202,"data":{"operation_id":"`...)
	b = append(b, op.id...)
	b = append(b, `","type":"`...)
	b = append(b, op.kind...)
	b = append(b, `","status":"`+statusQueued+`","env":"`...)
	b = append(b, op.account.environment...)
	b = append(b, '"')
	if op.kind == kindPayout {
		b = appendRawField(b, "payload", op.payload)
	}
	b = appendTimeField(b, "date", op.created)
	if op.kind == kindPayout {
		b = op.appendLinks(b)
	}
	return reply{status: http.StatusAccepted, body: append(b, "}}"...), lost: op.script.lost}
}

// appendJSON writes the operation as GET shows it.
func (op *operation) appendJSON(b []byte) []byte {
	b = append(b, '{')
	b = appendStringField(b, "operation_id", op.id)
	b = appendStringField(b, "type", op.kind)
	b = appendStringField(b, "status", op.status)
	b = appendStringField(b, "env", op.account.environment)
	b = appendRawField(b, "payload", op.payload)
	b = appendName(b, "result")
	b = op.appendResult(b)
	b = op.failure.appendJSON(appendName(b, "error"))
	b = appendIntField(b, "attempts", int64(op.attempts))
	b = appendTimeField(b, "date", op.created)
	b = appendTimeField(b, "updated_date", op.updated)
	b = appendTimeField(b, "completed_date", op.completed)
	return append(op.appendLinks(b), '}')
}

func (op *operation) appendResult(b []byte) []byte {
	switch {
	case op.resultStatus == "":
		return append(b, "null"...)
	case op.kind == kindPayout:
		return op.appendPayoutResult(b)
	case op.kind == kindRefund:
		return op.appendRefundResult(b)
	default:
		return op.appendPaymentResult(b)
	}
}

func (op *operation) appendLinks(b []byte) []byte {
	b = append(appendName(b, "_links"), '{')
	b = append(appendName(b, "self"), `"`+signedPrefix+`/operations/`...)
	b = append(b, op.id...)
	return append(b, `"}`...)
}

func (x *exchange) getOperation() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.operationOf(x.account, x.id)
	if op == nil {
		return operationNotFound()
	}
	s.poll(op)
	return success(http.StatusOK, op.appendJSON(nil), "")
}

func (x *exchange) listOperations() reply {
	q, refused := validateList(x.request.URL.RawQuery, operationStatuses, operationKinds)
	if refused != nil {
		return *refused
	}
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(s.state.books[x.account].operations, q,
		func(op *operation) time.Time { return op.created },
		func(op *operation) bool {
			return (q.status == "" || op.status == q.status) && (q.kind == "" || op.kind == q.kind)
		},
		func(op *operation, b []byte) []byte { return op.appendJSON(b) })
}

// page returns a list: newest first, created strictly before the cursor. The next cursor
// is the date of the last item, and null when nothing older matches. Items of one
// millisecond on both sides of a boundary are lost to a client that takes it literally;
// that is the API's behavior, which the fake keeps (intram.md section 7).
func page[T any](items []T, q listQuery, date func(T) time.Time, matches func(T) bool, appendJSON func(T, []byte) []byte) reply {
	end := len(items)
	if !q.before.IsZero() {
		end = sort.Search(len(items), func(i int) bool { return !date(items[i]).Before(q.before) })
	}
	b := []byte{'['}
	var last time.Time
	nextBefore := ""
	shown := 0
	for i := end - 1; i >= 0; i-- {
		if !matches(items[i]) {
			continue
		}
		if shown == q.limit {
			nextBefore = wireTime(last)
			break
		}
		if shown > 0 {
			b = append(b, ',')
		}
		b = appendJSON(items[i], b)
		last = date(items[i])
		shown++
	}
	return listed(append(b, ']'), q.limit, nextBefore)
}
