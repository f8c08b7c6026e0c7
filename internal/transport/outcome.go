package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
)

// Outcome says what a failed call may have done on the server.
type Outcome int

// The outcomes, from harmless to doubtful.
const (
	// NotSent: no byte of any attempt left this machine.
	NotSent Outcome = iota
	// Rejected: the server refused permanently, and no attempt is in doubt.
	Rejected
	// Unknown: an attempt may have been executed, and no definitive response came for its
	// key.
	Unknown
)

// outcome returns the outcome over all attempts: one attempt in doubt keeps the call in
// doubt, even if a later one was refused.
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

// Word classifies the body of an error response, as the protocol reads it.
type Word int

// The words, from none to the most specific.
const (
	// NoWord: the body is not the API's own error object. A proxy, a firewall or a
	// gateway wrote it; what the API behind it has done is not known.
	NoWord Word = iota
	// Refused: the API refused this call.
	Refused
	// KeyTaken: the API refused this call because of an earlier request, with its key or
	// about the same thing. That request may have been executed.
	KeyTaken
	// KeyBusy: likewise, and that request is still running. The same key gets its
	// response a little later.
	KeyBusy
	// Unclear: the API refused this call on behalf of a system behind it, which may have
	// done the work.
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

// failed records an attempt without a complete response.
func (r *record) failed(err error, conn *connTrace) {
	r.err, r.retryAfter = err, 0
	if conn.nothingSent(err) {
		r.last = verdict{retry: !permanent(err)}
		return
	}
	r.sent, r.inDoubt = true, true
	r.last = verdict{retry: !errors.Is(err, ErrResponseTooLarge)}
}

// It records an attempt with a complete response. word classifies its body.
func (r *record) answered(resp *http.Response, body []byte, retryAfter retryAfter, word Word) {
	r.err, r.sent = nil, true
	r.status, r.header, r.body, r.retryAfter, r.word = resp.StatusCode, resp.Header, body, retryAfter.wait, word
	r.decided = isDecision(resp.StatusCode, word)
	refused := resp.StatusCode >= 400 && resp.StatusCode <= 499
	r.last = verdict{}
	switch {
	case resp.Header.Get("Idempotent-Replay") == "true" && resp.StatusCode != http.StatusTooManyRequests:
		// The stored response to this key. Whatever happened to earlier attempts, this is
		// the decision for all of them (section 4), and another call brings nothing else.
		// A response that is itself in doubt stays so: the stored 500 of a lost attempt
		// does not say that nothing was done, and the header proves nothing if an
		// intermediary replaced the body.
		r.inDoubt = !r.decided
	case resp.StatusCode >= 500:
		// The API's own 500 and a proxy's 502 may both come after the work was done.
		r.inDoubt = true
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case refused && word == KeyBusy:
		r.inDoubt, r.last = true, verdict{retry: true, retryAfter: retryAfter}
	case refused && (word == KeyTaken || word == Unclear) && r.call.Method != http.MethodGet:
		r.inDoubt = true // whatever the status: a limit undoes nothing that another request or the operator did
	case resp.StatusCode == http.StatusTooManyRequests:
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		// One key has one execution and one response (section 4), and this is it.
		r.inDoubt = false
	case r.decided, refused && beforeTheWork[resp.StatusCode]:
	case refused && (word == NoWord || word == Unclear) && r.call.Method == http.MethodGet:
		// A read changes nothing, so nothing is in doubt.
	default:
		// Not the API's own refusal, or one about another request or about the operator.
		// It is not retried: a firewall refuses again, and the caller can call again with
		// the same key.
		r.inDoubt = true
	}
}

// isDecision reports whether a response says what was done: a success, or a refusal by
// the API itself. A redirect may follow an executed request (303), a 408 comes from an
// intermediary, a 5xx may come after the work, and so may any page or JSON that is not
// the API's: none of them is final.
func isDecision(status int, word Word) bool {
	return status >= 200 && status < 300 ||
		status >= 400 && status < 500 && status != http.StatusRequestTimeout && word == Refused
}

// beforeSending reports whether an error can only come before a request is written.
func beforeSending(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || badCertificate(err)
}

// permanent reports whether such an error will meet every further attempt.
func permanent(err error) bool { return badCertificate(err) }

func badCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) ||
		errors.As(err, &hostname) || errors.As(err, &invalid)
}
