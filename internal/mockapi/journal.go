package mockapi

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Request is one call the server got, and what it made of it.
type Request struct {
	ID       string // the X-Request-Id of the response
	Time     time.Time
	Method   string
	Path     string
	Query    string
	Endpoint string // the endpoint's template: "/operations/:id"; empty for an unknown path
	Header   http.Header
	Body     []byte
	ClientIP string // where it came from: the peer, or what a trusted proxy says

	PublicKey      string
	Environment    string
	Timestamp      string // X-Timestamp as received
	Signature      string // X-Signature as received
	IdempotencyKey string

	Status   int    // 0 when no response was sent
	Code     string // the error code of the response
	Reason   string // why it was refused, in more detail than the code
	Fault    string // the fault that hit it
	Replayed bool   // the stored response to an earlier request with the same key
	Lost     bool   // executed or not, the connection was closed before the end of the response
	Followed bool   // it followed a FaultRedirect to the other host
	Response []byte

	idHeader   [1]string // the X-Request-Id header's value
	remote     string    // the peer, from which Requests derives ClientIP
	signedPath string    // the endpoint as the signature covers it, once the signature was looked at
}

// Canonical returns the string that should have been signed, with the query as it was
// sent, to compare with when a signature was refused. It is empty when the request was
// refused before its signature was verified.
func (r Request) Canonical() string {
	if r.signedPath == "" {
		return ""
	}
	q := signedRequest{timestamp: r.Timestamp, method: r.Method, endpoint: r.signedPath, query: r.Query, body: r.Body}
	return q.canonical()
}

// String returns one line without bodies, keys or signatures.
func (r Request) String() string {
	words := []string{wireTime(r.Time), r.Method, r.Path, "->", strconv.Itoa(r.Status)}
	for _, word := range []string{r.Code, r.Reason, r.Fault} {
		if word != "" {
			words = append(words, word)
		}
	}
	if r.Followed {
		words = append(words, "followed a redirect to another host")
	}
	return strings.Join(words, " ")
}

// GoString keeps %#v as discreet as String: a body holds names and phone numbers.
func (r Request) GoString() string { return r.String() }

// journal keeps the last entries, up to a capacity. Adding takes no lock, since every
// request does.
type journal struct {
	ring []atomic.Pointer[Request]
	next atomic.Uint64 // the number of the next entry, from 0
}

func (j *journal) add(entry *Request) {
	n := j.next.Add(1) - 1
	j.ring[n%uint64(len(j.ring))].Store(entry)
}

// all returns the entries, oldest first.
func (j *journal) all() []*Request {
	size := uint64(len(j.ring))
	end := j.next.Load()
	var entries []*Request
	for n := end - min(end, size); n < end; n++ {
		if e := j.ring[n%size].Load(); e != nil { // nil while it is being added
			entries = append(entries, e)
		}
	}
	return entries
}

// JournalSize returns how many requests, and how many deliveries and events, are kept.
func (s *Server) JournalSize() int { return s.journalSize }

// Requests returns the last calls, oldest first.
func (s *Server) Requests() []Request {
	entries := s.requests.all()
	requests := make([]Request, len(entries))
	for i, e := range entries {
		requests[i] = *e
		requests[i].Header = e.Header.Clone()
		requests[i].ClientIP = s.clientIP(e.remote, e.Header)
	}
	return requests
}
