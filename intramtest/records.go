package intramtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// LedgerEntry is one side of a movement of money: an amount put into an account, or taken
// out of it when negative.
type LedgerEntry struct {
	Posting     int // shared by the entries of one movement, which sum to zero
	Time        time.Time
	Account     string // see [Server.WalletAccount]
	Amount      int64  // whole units
	OperationID string
	Reference   string // the transaction's
	Memo        string // what the movement was, in words
}

// Ledger is every movement of money so far, oldest first. Each is double-entry, fees
// included, so the whole sums to zero.
type Ledger struct{ Entries []LedgerEntry }

// Ledger returns the movements of all merchants and environments.
func (s *Server) Ledger() Ledger {
	entries := s.core.Ledger()
	l := Ledger{Entries: make([]LedgerEntry, len(entries))}
	for i, e := range entries {
		l.Entries[i] = LedgerEntry(e)
	}
	return l
}

// Sum returns the sum of all entries. Anything but zero is a bug of the fake.
func (l Ledger) Sum() int64 {
	var sum int64
	for _, e := range l.Entries {
		sum += e.Amount
	}
	return sum
}

// Balance returns what an account holds, in whole units.
func (l Ledger) Balance(account string) int64 {
	var sum int64
	for _, e := range l.Entries {
		if e.Account == account {
			sum += e.Amount
		}
	}
	return sum
}

// Accounts returns the accounts that money has moved through, in alphabetical order.
func (l Ledger) Accounts() []string {
	var accounts []string
	for _, e := range l.Entries {
		accounts = append(accounts, e.Account)
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// For returns the entries about an operation, by its id, or about a transaction, by its
// reference.
func (l Ledger) For(id string) []LedgerEntry {
	var entries []LedgerEntry
	for _, e := range l.Entries {
		if id != "" && (e.OperationID == id || e.Reference == id) {
			entries = append(entries, e)
		}
	}
	return entries
}

// WalletAccount returns the ledger's name of the account that holds what is available in
// the merchant's wallet for a payment method.
func (s *Server) WalletAccount(environment intram.Environment, method intram.ProviderCode) string {
	return mockapi.WalletAccount(s.core.Merchant().ID, string(environment), string(method))
}

// Request is one call the server got, and what it made of it.
type Request struct {
	ID       string // the X-Request-Id of the response
	Time     time.Time
	Method   string
	Path     string
	Query    string
	Endpoint string // "/operations/:id"; empty for an unknown path
	Header   http.Header
	Body     intram.RawMessage
	ClientIP string

	PublicKey      string
	Environment    intram.Environment
	Timestamp      string // X-Timestamp as received
	Signature      string // X-Signature as received
	IdempotencyKey string

	// Canonical is the string the server expected to have been signed: what to compare
	// with when a signature was refused. It is empty when the call was refused before its
	// signature was looked at. It ends with the body.
	Canonical intram.RawMessage

	Status   int              // of the response; 0 when none was sent
	Code     intram.ErrorCode // of the response, when it was a refusal
	Reason   string           // why, in more detail than the code: for a signature, which of the five reasons
	Fault    FaultKind        // the fault that hit it
	Replayed bool             // the stored response to an earlier request with the same key
	Lost     bool             // the connection was closed before the end of the response
	Followed bool             // it followed a [Redirect] to the other host
	Response intram.RawMessage
}

// String returns one line, without bodies, keys or signatures.
func (r Request) String() string {
	words := []string{fmt.Sprintf("%s %s -> %d", r.Method, r.Path, r.Status)}
	for _, word := range []string{string(r.Code), r.Reason, string(r.Fault)} {
		if word != "" {
			words = append(words, word)
		}
	}
	if r.Followed {
		words = append(words, "followed a redirect to another host")
	}
	return strings.Join(words, " ")
}

// GoString keeps %#v as discreet as String.
func (r Request) GoString() string { return r.String() }

// Requests returns the last calls, oldest first, up to the journal's size.
func (s *Server) Requests() []Request {
	calls := s.core.Requests()
	requests := make([]Request, len(calls))
	for i, c := range calls {
		requests[i] = Request{
			ID: c.ID, Time: c.Time, Method: c.Method, Path: c.Path, Query: c.Query, Endpoint: c.Endpoint, Header: c.Header,
			Body: c.Body, ClientIP: c.ClientIP, PublicKey: c.PublicKey, Environment: intram.Environment(c.Environment),
			Timestamp: c.Timestamp, Signature: c.Signature, IdempotencyKey: c.IdempotencyKey, Canonical: intram.RawMessage(c.Canonical()),
			Status: c.Status, Code: intram.ErrorCode(c.Code), Reason: c.Reason, Fault: FaultKind(c.Fault),
			Replayed: c.Replayed, Lost: c.Lost, Followed: c.Followed, Response: c.Response,
		}
	}
	return requests
}

// Attempt is one try to deliver an event.
type Attempt struct {
	Number    int // X-Intram-Attempt
	Time      time.Time
	Timestamp string // X-Intram-Timestamp
	Signature string // X-Intram-Signature
	Status    int    // of the receiver's response; 0 when there was none
	Response  string // the beginning of its body, when the status was not 2xx
	Error     string // why there was none, such as "timeout"
	Latency   time.Duration
	Fault     FaultKind // the fault that hit it
}

// DeliveryStatus is how far a delivery is.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"   // an attempt is under way or will follow
	DeliveryDelivered DeliveryStatus = "delivered" // the receiver responded 2xx
	DeliveryExhausted DeliveryStatus = "exhausted" // the last attempt has failed
	DeliveryDropped   DeliveryStatus = "dropped"   // a [WebhookDropped] lost it before its first attempt
)

// Delivery is an event on its way to one subscription.
type Delivery struct {
	ID             string // X-Intram-Delivery
	SubscriptionID string
	URL            string
	Event          intram.EventType
	OperationID    string
	Body           intram.RawMessage
	Status         DeliveryStatus
	Attempts       []Attempt
	NextAttempt    time.Time // zero when none is scheduled
}

// Deliveries returns the last deliveries, oldest first, up to the journal's size.
func (s *Server) Deliveries() []Delivery {
	logged := s.core.Deliveries()
	deliveries := make([]Delivery, len(logged))
	for i, d := range logged {
		deliveries[i] = newDelivery(d)
	}
	return deliveries
}

func newDelivery(d mockapi.Delivery) Delivery {
	out := Delivery{
		ID: d.ID, SubscriptionID: d.SubscriptionID, URL: d.URL, Event: intram.EventType(d.Event), OperationID: d.OperationID,
		Body: d.Body, Status: DeliveryStatus(d.Status), NextAttempt: d.NextAttempt,
	}
	for _, a := range d.Attempts {
		out.Attempts = append(out.Attempts, Attempt{
			Number: a.Number, Time: a.Time, Timestamp: a.Timestamp, Signature: a.Signature, Status: a.Status, Response: a.Response, Error: a.Error,
			Latency: a.Latency, Fault: FaultKind(a.Fault),
		})
	}
	return out
}

// Event is something that happened, whether or not anybody subscribed to it.
type Event struct {
	Type        intram.EventType
	OperationID string
	OccurredAt  time.Time
	Body        intram.RawMessage
	Suppressed  bool     // a test number keeps it from being sent
	Deliveries  []string // the ids of its deliveries, one for each subscription that matched
}

// Events returns the last events, oldest first, up to the journal's size.
func (s *Server) Events() []Event {
	logged := s.core.Events()
	events := make([]Event, len(logged))
	for i, e := range logged {
		events[i] = newEvent(e)
	}
	return events
}

func newEvent(e mockapi.Event) Event {
	return Event{
		Type: intram.EventType(e.Type), OperationID: e.OperationID, OccurredAt: e.OccurredAt, Body: e.Body,
		Suppressed: e.Suppressed, Deliveries: e.Deliveries,
	}
}
