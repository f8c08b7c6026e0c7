package mockapi

import (
	"net/http"
	"net/url"
	"strings"
)

// route is one endpoint of the API.
type route struct {
	method   string
	template string // "/operations/:id"
	keyed    bool   // carries an idempotency key
	handle   func(*exchange) reply
}

// routes are the endpoints of intram.md section 7.
var routes = [...]route{
	{"GET", "/balance", false, (*exchange).getBalance},
	{"POST", "/payouts", true, (*exchange).createPayout},
	{"POST", "/payment-requests", true, (*exchange).createPaymentRequest},
	{"POST", "/refunds", true, (*exchange).createRefund},
	{"GET", "/transactions/:reference", false, (*exchange).getTransaction},
	{"GET", "/transactions", false, (*exchange).listTransactions},
	{"GET", "/operations/:id", false, (*exchange).getOperation},
	{"GET", "/operations", false, (*exchange).listOperations},
	{"GET", "/webhooks", false, (*exchange).listSubscriptions},
	{"POST", "/webhooks", true, (*exchange).createSubscription},
	{"DELETE", "/webhooks/:subscription_id", false, (*exchange).deleteSubscription},
	{"POST", "/webhooks/:subscription_id/test", true, (*exchange).testSubscription},
}

// pathPrefixes are the two ways to an endpoint: the documented one, and the one it is
// rewritten to, which some accounts must call themselves (intram.md section 1).
var pathPrefixes = [...]string{"/v1", signedPrefix}

// endpointOf cuts the prefix off an escaped path.
func endpointOf(path string) (string, bool) {
	if path == healthPath {
		return path, true
	}
	for _, prefix := range pathPrefixes {
		if rest, ok := strings.CutPrefix(path, prefix); ok && strings.HasPrefix(rest, "/") {
			return rest, true
		}
	}
	return "", false
}

// Serves reports whether an escaped path is under one of the API's prefixes, or that of a
// page of a payment: what is called there is a call, also when there is no such endpoint.
func Serves(path string) bool {
	if _, ok := endpointOf(path); ok {
		return true
	}
	for _, prefix := range []string{gatewayPath, linkPath, elsewherePath + "/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// findRoute finds the endpoint of a call in a protocol's table, and the id in its path. A
// path that exists for other methods only reports those in allow.
func findRoute(routes []route, method, endpoint string) (found *route, id, allow string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes {
		r := &routes[i]
		param, ok := matchTemplate(r.template, endpoint)
		if !ok {
			continue
		}
		if r.method == method {
			return r, param, ""
		}
		if allow != "" {
			allow += ", "
		}
		allow += r.method
	}
	return nil, "", allow
}

// matchTemplate matches a path and unescapes the one parameter a template may have.
func matchTemplate(template, endpoint string) (param string, ok bool) {
	if !strings.Contains(template, ":") {
		return "", template == endpoint
	}
	if strings.Count(template, "/") != strings.Count(endpoint, "/") {
		return "", false
	}
	for {
		var want, got string
		want, template, _ = strings.Cut(template, "/")
		got, endpoint, _ = strings.Cut(endpoint, "/")
		if strings.HasPrefix(want, ":") {
			p, err := url.PathUnescape(got)
			if err != nil || p == "" {
				return "", false
			}
			param = p
		} else if want != got {
			return "", false
		}
		if template == "" {
			return param, true
		}
	}
}
