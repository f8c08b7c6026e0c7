package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
)

// Outcome says what a call that failed may have done on the other side.
type Outcome int

// The outcomes, from the harmless to the doubtful.
const (
	// NotSent: no byte of any attempt left this machine.
	NotSent Outcome = iota
	// Rejected: the server refused for good, and no attempt is in doubt.
	Rejected
	// Unknown: an attempt may have been executed, and no definitive answer came for its
	// key.
	Unknown
)

// outcome is over all attempts: one in doubt keeps the call in doubt, whatever a later
// one was told.
func (r *record) outcome() Outcome {
	switch {
	case r.inDoubt:
		return Unknown
	case r.sent:
		return Rejected
	default:
		return NotSent
	}
}

// Word is what the body of an error response says, as the protocol reads it.
type Word int

// The words, from none to the most specific.
const (
	// NoWord: the body is not the API's own error object. A proxy, a firewall or a
	// gateway wrote it, and what the API behind it has done is not known.
	NoWord Word = iota
	// Refused: the API says that it refused this call.
	Refused
	// KeyTaken: the API refused this call because of an earlier request, with its key or
	// about the same thing. That request may have been executed.
	KeyTaken
	// KeyBusy: likewise, and that request is still under way. The same key gets its
	// response a little later.
	KeyBusy
	// Unclear: the API refused this call in the name of something behind it, which may
	// have done the work.
	Unclear
)

// beforeTheWork lists the error statuses that decide without the API's own body: each can
// only come before the request reaches what executes it. Any other status can be put on
// the response of an executed call by something in between (403 and 451 by a firewall's
// response rules, 404 by error_page, 400 and 409 by a gateway), so without the API's own
// body it leaves the call in doubt. 413 is not listed: some gateways send it when the
// response was too large.
var beforeTheWork = map[int]bool{
	http.StatusProxyAuthRequired:           true, // 407: a proxy forwards nothing before it knows the client
	http.StatusRequestURITooLong:           true, // 414: the request line was refused while it was parsed
	http.StatusMisdirectedRequest:          true, // 421: the connection is for other hosts; RFC 9110 lets any method be sent again
	http.StatusTooManyRequests:             true, // 429: a rate limit is applied instead of the work
	http.StatusRequestHeaderFieldsTooLarge: true, // 431: the headers were refused while they were parsed
}

// failed notes an attempt without a whole answer.
func (r *record) failed(err error, conn *connTrace) {
	r.err, r.retryAfter = err, 0
	if conn.nothingSent(err) {
		r.last = verdict{retry: !permanent(err)}
		return
	}
	r.sent, r.inDoubt = true, true
	r.last = verdict{retry: !errors.Is(err, ErrResponseTooLarge)}
}

// answered notes an attempt with a whole answer. word is what its body says.
func (r *record) answered(resp *http.Response, body []byte, retryAfter retryAfter, word Word) {
	r.err, r.sent = nil, true
	r.status, r.header, r.body, r.retryAfter, r.word = resp.StatusCode, resp.Header, body, retryAfter.wait, word
	r.decided = isDecision(resp.StatusCode, word)
	refused := resp.StatusCode >= 400 && resp.StatusCode <= 499
	r.last = verdict{}
	switch {
	case resp.Header.Get("Idempotent-Replay") == "true" && resp.StatusCode != http.StatusTooManyRequests:
		// The stored answer to this very key: whatever became of earlier attempts, this
		// is what was decided for all of them (section 4), and asking again brings
		// nothing else. An answer that is in doubt by itself stays so: the stored 500 of
		// a lost attempt does not say that nothing was done, and the header says nothing
		// when something in between replaced the body.
		r.inDoubt = !r.decided
	case resp.StatusCode >= 500:
		// The API's own 500 and a proxy's 502 alike may come after the work was done.
		r.inDoubt = true
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case refused && word == KeyBusy:
		r.inDoubt, r.last = true, verdict{retry: true, retryAfter: retryAfter}
	case refused && (word == KeyTaken || word == Unclear) && r.call.Method != http.MethodGet:
		r.inDoubt = true // whatever the status: a limit takes back nothing of another request, or of the operator
	case resp.StatusCode == http.StatusTooManyRequests:
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		// The same key has one execution and one answer (section 4): this is it.
		r.inDoubt = false
	case r.decided, refused && beforeTheWork[resp.StatusCode]:
	case refused && (word == NoWord || word == Unclear) && r.call.Method == http.MethodGet:
		// A read does nothing, so that nothing is in doubt.
	default:
		// Not the API's word, or one about another request or about the operator. It is
		// not retried: what a firewall refuses once it refuses again, and the caller can
		// call again with the same key.
		r.inDoubt = true
	}
}

// isDecision reports whether an answer says what was done: a success, or a refusal in the
// API's own words. A redirect may follow a request that was executed (303), a 408 comes
// from something in between, a 5xx may come after the work, and so may any page or JSON
// that is not the API's: none of them is the API's last word.
func isDecision(status int, word Word) bool {
	return status >= 200 && status < 300 ||
		status >= 400 && status < 500 && status != http.StatusRequestTimeout && word == Refused
}

// beforeSending recognises the errors that can only come before a request is written.
func beforeSending(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || badCertificate(err)
}

// permanent recognises, among those, what no further attempt can change.
func permanent(err error) bool { return badCertificate(err) }

func badCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) ||
		errors.As(err, &hostname) || errors.As(err, &invalid)
}
