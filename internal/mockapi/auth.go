package mockapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// signatureWindow is how far a timestamp may be from the server's clock, either way.
	signatureWindow = 5 * time.Minute
	// maxBody is the largest request body the proxy lets through.
	maxBody = 1 << 20
)

// authenticate makes the checks that come before the idempotency key, in the documented
// order: API key known, merchant active, live source address allowed, and only then the
// body is read and the signature checked.
func (x *exchange) authenticate() *reply {
	s, r := x.server, x.request
	publicKey := first(r.Header, "X-Api-Key")
	x.entry.PublicKey = publicKey
	if publicKey == "" {
		return refuse(failure(http.StatusUnauthorized, "missing_api_key", "Missing API key"), "no X-Api-Key header")
	}
	key := (*s.accounts.Load())[publicKey]
	switch {
	case key == nil:
		return refuse(failure(http.StatusUnauthorized, "invalid_api_key", "Invalid API key"), "no merchant has this key")
	case !key.valid(x.now):
		return refuse(failure(http.StatusUnauthorized, "invalid_api_key", "Invalid API key"), "the key was rotated, and is no longer valid")
	}
	a := key.account
	x.account = a
	x.entry.Environment = a.environment
	if a.environment == live && !a.merchant.active.Load() { // the sandbox is open to accounts that are not validated yet
		return refuse(failure(http.StatusForbidden, "merchant_inactive", "This merchant is not active"), "the merchant is inactive")
	}
	if a.environment == live {
		if refused := s.checkAddress(a.merchant, s.clientIP(r.RemoteAddr, r.Header)); refused != nil {
			return refused
		}
	}
	if r := x.readBody(); r != nil {
		return r
	}
	return x.checkSignature(key)
}

// checkAddress applies the live IP allowlist. The sandbox has none.
func (s *Server) checkAddress(m *merchant, clientIP string) *reply {
	allowlist := *m.allowlist.Load()
	if len(allowlist) == 0 {
		r := ipRefused("ip_allowlist_empty", "The merchant's IP allowlist is empty", clientIP)
		return &r
	}
	if addr, err := netip.ParseAddr(clientIP); err == nil && contains(allowlist, addr) {
		return nil
	}
	r := ipRefused("ip_not_allowed", "This source IP is not in the merchant allowlist", clientIP)
	return &r
}

// clientIP returns the address that a call came from: X-Real-IP if the peer is a trusted
// proxy, else the peer.
func (s *Server) clientIP(peer string, h http.Header) string {
	if s.peerAddress != "" {
		peer = s.peerAddress
	}
	if host, _, err := net.SplitHostPort(peer); err == nil {
		peer = host
	}
	addr, err := netip.ParseAddr(peer)
	if err != nil {
		return peer
	}
	if forwarded := h.Get("X-Real-Ip"); forwarded != "" && contains(s.trustedProxies, addr) {
		if realAddr, err := netip.ParseAddr(forwarded); err == nil {
			addr = realAddr
		}
	}
	return addr.Unmap().WithZone("").String()
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func (x *exchange) readBody() *reply {
	r := x.request
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > maxBody {
		tooLarge := proxied(http.StatusRequestEntityTooLarge)
		return &tooLarge
	}
	var err error
	if r.ContentLength > 0 {
		x.body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, x.body)
	} else {
		x.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err == nil && len(x.body) > maxBody {
			tooLarge := proxied(http.StatusRequestEntityTooLarge)
			return &tooLarge
		}
	}
	if err != nil {
		// The client left or cut its body short: no response can be sent.
		return &reply{lost: true, reason: "the request body ended early: " + bodyError(err)}
	}
	x.entry.Body = x.body
	return nil
}

func bodyError(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "unexpected EOF"
	}
	return "read error"
}

// first does what Header.Get does, for a name in canonical form.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// checkSignature gives the documented reasons in the documented order.
func (x *exchange) checkSignature(key *apiKey) *reply {
	h := x.request.Header
	x.entry.Signature, x.entry.Timestamp = first(h, "X-Signature"), first(h, "X-Timestamp")
	q := signedRequest{
		timestamp: x.entry.Timestamp, method: x.request.Method, endpoint: x.endpoint,
		query: x.request.URL.RawQuery, body: x.body,
	}
	x.entry.signedPath = x.endpoint
	switch {
	case x.entry.Signature == "":
		return signatureInvalid("missing_signature")
	case x.entry.Timestamp == "":
		return signatureInvalid("missing_timestamp")
	}
	at, ok := parseTime(x.entry.Timestamp)
	if !ok {
		return signatureInvalid("invalid_timestamp_format")
	}
	// The documented form has milliseconds, so the comparison has too: exactly five
	// minutes off still passes.
	now := x.now.Add(x.effect.skew).Truncate(time.Millisecond)
	if off := now.Sub(at.Truncate(time.Millisecond)); off > signatureWindow || off < -signatureWindow {
		return signatureInvalid("timestamp_out_of_window")
	}
	if !key.signed(&q, x.entry.Signature, x.now) {
		return signatureInvalid("signature_mismatch")
	}
	return nil
}

func signatureInvalid(reason string) *reply {
	return refuse(failure(http.StatusUnauthorized, "signature_invalid", "Signature verification failed: "+reason), reason)
}

func refuse(r reply, reason string) *reply {
	r.reason = reason
	return &r
}
