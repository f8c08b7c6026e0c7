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
	// Unknown: an attempt may have been executed, and no definitive answer came for its key.
	Unknown
)

// outcome is over all attempts: one in doubt keeps the call in doubt, whatever a later one was told.
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

// answered notes an attempt with a whole answer.
func (r *record) answered(resp *http.Response, body []byte, retryAfter retryAfter) {
	r.err, r.sent = nil, true
	r.status, r.header, r.body, r.retryAfter = resp.StatusCode, resp.Header, body, retryAfter.wait
	switch {
	case resp.Header.Get("Idempotent-Replay") == "true" && resp.StatusCode != http.StatusTooManyRequests:
		// The stored answer to this very key: whatever became of earlier attempts, this is what was
		// decided for all of them (section 4), and asking again brings nothing else. An answer that is
		// in doubt by itself stays so: the stored 500 of a lost attempt does not say that nothing was done.
		r.inDoubt = !isDecision(resp.StatusCode)
		r.last = verdict{}
	case resp.StatusCode >= 500:
		// The API's own 500 and a proxy's 502 alike may come after the work was done.
		r.inDoubt = true
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case resp.StatusCode == http.StatusTooManyRequests:
		r.last = verdict{retry: true, retryAfter: retryAfter}
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		// The same key has one execution and one answer (section 4): this is it.
		r.inDoubt = false
		r.last = verdict{}
	case !isDecision(resp.StatusCode):
		r.inDoubt = true
		r.last = verdict{}
	default:
		r.last = verdict{}
	}
}

// isDecision reports whether a status says what was done: success, or a refusal. A redirect may follow a
// request that was executed (303), a 408 comes from something in between, and a 5xx may come after the work:
// none of them is the API's last word.
func isDecision(status int) bool {
	return status >= 200 && status < 300 || status >= 400 && status < 500 && status != http.StatusRequestTimeout
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
