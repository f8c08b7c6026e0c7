package mockapi

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

// healthPath is the one path of the payin protocol that has no prefix and needs no
// credentials.
const healthPath = "/health"

// payinRoutes are the endpoints of payin.md. A fault names them as it names the others:
// "POST /payin/sessions".
var payinRoutes = [...]route{
	{"POST", "/payin/sessions", true, (*exchange).createPayinSession},
	{"GET", "/payin/:reference", false, (*exchange).getPayin},
	{"GET", healthPath, false, (*exchange).getHealth},
}

// isPayinPath reports whether a path belongs to payin sessions, which share the prefix
// /v1 with the Merchant API but not the other one.
func isPayinPath(path string) bool {
	return path == healthPath || strings.HasPrefix(path, "/v1/payin/")
}

// authenticatePayin checks the Basic credentials, then reads the body. The docs list 401,
// 403 api_token_invalid and 404 api_token_not_found without saying which is when: here
// they are no credentials, a wrong pair, and an unknown API key.
func (x *exchange) authenticatePayin() *reply {
	headers := x.request.Header.Values("Authorization")
	if len(headers) == 0 {
		r := x.refusePayin(http.StatusUnauthorized, "unauthorized", "no Authorization header")
		return &r
	}
	scheme, encoded, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		r := x.refusePayin(http.StatusUnauthorized, "unauthorized", "the Authorization is not Basic")
		return &r
	}
	invalid := func(reason string) *reply {
		r := x.refusePayin(http.StatusForbidden, "api_token_invalid", reason)
		return &r
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	apiKey, apiClient, pair := strings.Cut(string(decoded), ":")
	switch {
	case len(headers) > 1:
		return invalid("there are several Authorization headers")
	case err != nil:
		return invalid("the credentials are not base64")
	case !pair || apiKey == "" || apiClient == "":
		return invalid("the credentials are not api_key:api_client")
	}
	x.entry.PublicKey = apiKey
	a := x.server.payinAccountOf(apiKey)
	if a == nil {
		r := x.refusePayin(http.StatusNotFound, "api_token_not_found", "no merchant has this API key")
		return &r
	}
	x.account, x.entry.Environment = a, a.environment
	switch {
	case subtle.ConstantTimeCompare([]byte(apiClient), []byte(a.payin.keys.APIClient)) != 1:
		return invalid("the api_client is not the one of this API key")
	case !a.merchant.active.Load():
		return invalid("the merchant is inactive")
	}
	return x.readBody()
}

// isUUID takes the usual form of 36 characters only.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

// keyHeader returns the idempotency key of a call, from the header of its protocol.
func keyHeader(path string, h http.Header) string {
	if isPayinPath(path) {
		return h.Get("X-Idempotency-Key")
	}
	return first(h, "Idempotency-Key")
}

// journalHeader removes Basic credentials before a call is journaled: unlike a signature,
// they are the secret itself. The PublicKey of a request says whose they were, and its
// Reason what was wrong with them.
func journalHeader(h http.Header) http.Header {
	if h["Authorization"] == nil {
		return h
	}
	h = h.Clone()
	h.Set("Authorization", "[redacted]")
	return h
}
