package intram

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/internal/transport"
)

// WithJitter draws the same jitter each time, in percent of its range.
func WithJitter(percent int) ClientOption {
	return withRand(func() float64 { return float64(percent) / 100 })
}

// Sign is what one attempt's X-Timestamp and X-Signature would be.
func Sign(secretKey string, at time.Time, method, endpoint, query string, body []byte) (timestamp, signature string) {
	return newSigner("pk_sandbox_x", secretKey).sign(at, method, endpoint, query, body)
}

// Signer signs many times with one key, as a client does.
func Signer(secretKey string) func(at time.Time, method, endpoint, query string, body []byte) (timestamp, signature string) {
	return newSigner("pk_sandbox_x", secretKey).sign
}

// Authorize sets the headers of one attempt.
func Authorize(publicKey, secretKey string, header http.Header, at time.Time, method, endpoint, query string, body []byte) {
	proof := newSigner(publicKey, secretKey).Authorize(at, &transport.Call{Method: method, Path: endpoint, Query: query, Body: body})
	for _, h := range proof {
		header.Set(h.Name, h.Value)
	}
}

// SortedQuery joins keys and values, given in pairs.
func SortedQuery(pairs ...string) string {
	var params []queryParam
	for i := 0; i < len(pairs); i += 2 {
		params = append(params, queryParam{pairs[i], pairs[i+1]})
	}
	return sortedQuery(params...)
}

// Doors to what only the tests outside the package need.
var (
	NeedsNoEncoding     = needsNoEncoding
	FormatBefore        = formatBefore
	ValidIdempotencyKey = validIdempotencyKey
	NewHTTPTransport    = newHTTPTransport
)

// Renewing is what the SDK makes of its own transport.
func Renewing(t *http.Transport) http.RoundTripper { return transport.NewRenewing(t) }

// MaxDoubts is how many keys in doubt a client remembers.
const MaxDoubts = maxDoubts

// Doubts are the keys that calls have left in doubt.
type Doubts struct{ doubts }

// NewDoubts returns none.
func NewDoubts() *Doubts { return new(Doubts) }

// Note records a key in doubt.
func (d *Doubts) Note(key string, first time.Time) { d.note(key, first) }

// Since is when the key was first sent, if it is in doubt.
func (d *Doubts) Since(key string) (time.Time, bool) { return d.since(key) }

// Settle forgets a key.
func (d *Doubts) Settle(key string) { d.settle(key) }

// Len is how many are kept, in both of its parts.
func (d *Doubts) Len() int { return max(len(d.keys), d.order.Len()) }

// SystemClock is the machine's clock.
var SystemClock Clock = system.Clock{}

// DecodeOperation reads an envelope with an operation.
func DecodeOperation(body []byte) (*Operation, error) {
	return readModel[Operation, operationWire](body)
}

// DecodeTransactions reads an envelope with a page of transactions.
func DecodeTransactions(body []byte) (*Page[Transaction], error) {
	return readPage[Transaction, transactionWire](body)
}

// DecodeFailure reads a refusal's body.
func DecodeFailure(status int, header http.Header, body []byte) *Error {
	return newError(&transport.Call{Method: http.MethodPost, Template: "/payouts", IdempotencyKey: "key-00001"},
		&transport.Result{Status: status, Header: header, Body: body, Attempts: 1, Outcome: transport.Rejected, Word: readError(status, body)})
}

// PendingWaits returns how many operations are waited for or being looked up.
func PendingWaits(c *Client) int { return c.operationWaits.Pending() }

// NotAfter is when the last attempt of a payout made now may begin.
func NotAfter(ctx context.Context, c *Client, params PayoutParams) (time.Time, error) {
	r := params.request()
	ready, refused := c.merchant.prepare(ctx, &r, newCallConfig(nil))
	if refused != nil {
		return time.Time{}, refused
	}
	return ready.call.NotAfter, nil
}

// Untraced returns what a call, a wait, a delivery and a request to the inbox do for a
// tracer, of a client and a handler that have none.
func Untraced(ctx context.Context) func() {
	c, in, err := &Client{trace: newTracing(defaultConfig())}, &intake{}, errors.New("x")
	event, call, res := &Event{}, &transport.Call{}, &transport.Result{}
	return func() {
		var traced *tracedCall
		traced.chose(call)
		traced.came(res, "op_1", err)
		traced.doubt(1)
		waiting, wait := c.startWait(ctx, waitOperation, 1)
		_ = wait.failed(err)
		wait.finished()
		wait.close()
		received, delivery := in.trace.start(waiting, sourceWebhook, nil)
		delivery.verified(event)
		delivery.came(failed, http.StatusOK, err)
		delivery.close()
		_, request := in.trace.startInbox(received, inboxClaim)
		request.close(ClaimHeld, err)
	}
}

// KeptMerchants is how many clients a platform keeps.
func KeptMerchants(p *Platform) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept.Len()
}
