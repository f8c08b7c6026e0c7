package mockapi

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Request is one call the server got, and what it made of it.
type Request struct {
	ID       string // the X-Request-Id of the answer
	Time     time.Time
	Method   string
	Path     string
	Query    string
	Endpoint string // the endpoint's template: "/operations/:id"; empty for an unknown path
	Header   http.Header
	Body     []byte
	ClientIP string

	PublicKey      string
	Environment    string
	Timestamp      string // X-Timestamp as received
	Signature      string // X-Signature as received
	IdempotencyKey string

	Status   int    // 0 when no answer was sent
	Code     string // the error code answered
	Reason   string // why it was refused, in more detail than the code
	Fault    string // the scripted fault that hit it
	Replayed bool   // the stored answer to an earlier request with the same key
	Lost     bool   // executed or not, the connection was cut instead of answering
	Response []byte

	signed signedRequest
}

// Canonical is the string the server expected to have been signed, in the raw reading of the query: what to
// compare with when a signature was refused. It is empty when the request was refused before the signature
// was looked at.
func (r *Request) Canonical() string {
	if r.signed.method == "" {
		return ""
	}
	return r.signed.canonical()
}

// String is one line without bodies, keys or signatures.
func (r Request) String() string {
	line := fmt.Sprintf("%s %s %s -> %d", wireTime(r.Time), r.Method, r.Path, r.Status)
	for _, word := range []string{r.Code, r.Reason, r.Fault} {
		if word != "" {
			line += " " + word
		}
	}
	return line
}

// GoString keeps %#v as discreet as String: a body holds names and phone numbers.
func (r Request) GoString() string { return r.String() }

// journal keeps the last entries, up to a capacity.
type journal[T any] struct {
	mu    sync.Mutex
	ring  []T
	next  int
	limit int
}

func (j *journal[T]) add(entry T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < j.limit {
		j.ring = append(j.ring, entry)
		return
	}
	j.ring[j.next] = entry
	j.next = (j.next + 1) % j.limit
}

// all returns the entries, oldest first.
func (j *journal[T]) all() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := make([]T, 0, len(j.ring))
	entries = append(entries, j.ring[j.next:]...)
	return append(entries, j.ring[:j.next]...)
}

// Requests returns the last calls, oldest first.
func (s *Server) Requests() []Request {
	entries := s.requests.all()
	requests := make([]Request, len(entries))
	for i, e := range entries {
		requests[i] = *e
		requests[i].Header = e.Header.Clone()
	}
	return requests
}
