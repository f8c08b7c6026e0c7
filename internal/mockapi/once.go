package mockapi

import (
	"net/http"
	"strings"
)

// once runs an endpoint under the call's idempotency key (intram.md section 4). A request
// under a key that was used before gets the response that was kept. Every response is
// kept, refusals included, except the server errors of payins; a panic keeps nothing.
func (x *exchange) once(route *route) reply {
	id, refused := x.keyID()
	if refused != nil {
		return *refused
	}
	keys := x.server.keys
	mine, earlier, conflict, err := keys.claim(x.request.Context(), id, fingerprintOf(x.request.Method, x.endpoint, x.body), x.now)
	switch {
	case err != nil:
		return reply{lost: true, reason: "the client left while another request with its key was executed"}
	case conflict:
		return x.keyConflict()
	case earlier != nil:
		replay := *earlier
		replay.replayed, replay.lost = true, false
		return replay
	}
	x.server.executing.RLock()
	defer x.server.executing.RUnlock()
	var kept *reply
	defer func() { keys.end(mine, kept); x.server.touch() }()
	rep := x.withBody(route)
	if !x.payin || rep.status < http.StatusInternalServerError {
		kept = &rep
	}
	return rep
}

// keyID returns the name under which the response is kept, or the refusal of a key that
// is missing or malformed. The scope of a payin cannot be a public key.
func (x *exchange) keyID() (idempotencyKey, *reply) {
	key := x.entry.IdempotencyKey
	var refused reply
	switch {
	case x.payin && key == "":
		refused = x.refusePayin(http.StatusBadRequest, "missing_idempotency_key", "no X-Idempotency-Key header")
	case x.payin && !isUUID(key):
		refused = x.refusePayin(http.StatusBadRequest, "invalid_idempotency_key", "the X-Idempotency-Key is not a UUID")
	case x.payin: // a UUID is the same in upper and in lower case
		return idempotencyKey{scope: "payin " + x.account.payin.keys.APIKey, key: strings.ToLower(key)}, nil
	case key == "":
		refused = failure(http.StatusBadRequest, "missing_idempotency_key", "The Idempotency-Key header is required")
	case !validIdempotencyKey(key):
		refused = failure(http.StatusBadRequest, "invalid_idempotency_key", "The Idempotency-Key must be 8 to 128 characters of A-Z, a-z, 0-9, _ and -")
	default:
		return idempotencyKey{scope: x.account.keys.Public, key: key}, nil
	}
	return idempotencyKey{}, &refused
}

// withBody parses the JSON of the body, which is the last of the checks.
func (x *exchange) withBody(route *route) reply {
	if !isJSON(first(x.request.Header, "Content-Type")) {
		return x.invalidBody("the Content-Type is not application/json")
	}
	document, ok := parseDocument(x.body)
	if !ok {
		return x.invalidBody("not a JSON object")
	}
	x.document = document
	return route.handle(x)
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

func (x *exchange) invalidBody(reason string) reply {
	const code = "invalid_body"
	if x.payin {
		return x.refusePayin(http.StatusBadRequest, code, reason)
	}
	r := failure(http.StatusBadRequest, code, "The request body is not a JSON object")
	r.reason = reason
	return r
}

func (x *exchange) keyConflict() reply {
	const code = "idempotency_conflict"
	if x.payin {
		return x.refusePayin(http.StatusConflict, code, "the key was used with another body")
	}
	return failure(http.StatusConflict, code, "Idempotency-Key already used with a different request body")
}

// keyUnderWay refuses a request whose key belongs to a request that is still being
// executed.
func (x *exchange) keyUnderWay() reply {
	const code = "idempotency_in_progress"
	if x.payin {
		return x.refusePayin(http.StatusConflict, code, "")
	}
	return failure(http.StatusConflict, code, "A request with this Idempotency-Key is being processed")
}
