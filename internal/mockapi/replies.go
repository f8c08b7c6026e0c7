package mockapi

import (
	"net/http"
	"strconv"
)

// reply is a response before it is written: what the idempotency store keeps and sends
// again byte for byte.
type reply struct {
	status   int
	body     []byte
	code     string // the error code, for the journal; empty on success
	reason   string // why it was refused, in more detail than the code
	html     bool   // from the proxy in front of the API rather than the API
	allow    string // the Allow header of a 405
	replayed bool   // the stored response to an earlier request with the same key
	lost     bool   // executed, and the connection is closed without a response
}

// detail is one entry of an error's details[].
type detail struct{ path, msg string }

// success returns the envelope of a successful response. Either data or message may be
// empty.
func success(status int, data []byte, message string) reply {
	b := make([]byte, 0, len(data)+len(message)+64)
	b = append(b, `{"error":false,"http_status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	if data != nil {
		b = appendRawField(b, "data", data)
	}
	if message != "" {
		b = appendStringField(b, "message", message)
	}
	return reply{status: status, body: append(b, '}')}
}

// listed returns the envelope of a page.
func listed(items []byte, limit int, nextBefore string) reply {
	b := make([]byte, 0, len(items)+96)
	b = append(b, `{"error":false,"http_status":200,"data":`...)
	b = append(b, items...)
	b = append(b, `,"paging":{"limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	b = appendOptionalString(b, "next_before", nextBefore)
	return reply{status: http.StatusOK, body: append(b, "}}"...)}
}

// failure returns the envelope of an error.
func failure(status int, code, message string, details ...detail) reply {
	b := failureHead(status, code, message)
	if len(details) > 0 {
		b = append(b, `,"details":[`...)
		for i, d := range details {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			b = appendStringField(b, "path", d.path)
			b = appendStringField(b, "msg", d.msg)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return reply{status: status, body: append(b, '}'), code: code}
}

// ipRefused returns the error of the IP allowlist, which names the address of the caller.
func ipRefused(code, message, clientIP string) reply {
	b := failureHead(http.StatusForbidden, code, message)
	if code == "ip_not_allowed" {
		b = appendStringField(b, "client_ip", clientIP)
	}
	return reply{status: http.StatusForbidden, body: append(b, '}'), code: code, reason: "source address " + clientIP}
}

func failureHead(status int, code, message string) []byte {
	b := append(make([]byte, 0, 256), `{"error":true,"http_status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = appendStringField(b, "code", code)
	return appendStringField(b, "message", message)
}

// proxied returns a response of the proxy in front of the API: HTML, not the envelope.
func proxied(status int) reply {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	return reply{
		status: status, html: true, reason: "response of the proxy: " + title,
		body: []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
	}
}

// gatewayRefusal returns a refusal of a gateway in front of the API, in the gateway's own
// JSON.
func gatewayRefusal(status int) reply {
	b := appendStringField([]byte{'{'}, "message", http.StatusText(status))
	b = appendStringField(b, "request_id", "gw-0001")
	return reply{status: status, body: append(b, '}'), reason: "response of a gateway: " + strconv.Itoa(status)}
}

// deniedRefusal returns a 400 whose body says that nothing failed.
func deniedRefusal() reply {
	return reply{
		status: http.StatusBadRequest, body: []byte(`{"error":false,"http_status":400,"message":"Bad Request"}`),
		reason: "a body that contradicts its status",
	}
}

func methodNotAllowed(allow string) reply {
	r := proxied(http.StatusMethodNotAllowed)
	r.allow = allow
	return r
}

func operationNotFound() reply {
	return failure(http.StatusNotFound, "operation_not_found", "Operation not found")
}

func transactionNotFound() reply {
	return failure(http.StatusNotFound, "transaction_not_found", "Transaction not found")
}
