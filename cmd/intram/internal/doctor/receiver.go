package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Limits of webhook deliveries (section 8).
const (
	deliveryAdvice  = 5 * time.Second  // in which a receiver should respond
	deliveryTimeout = 15 * time.Second // after which Intram has given up
)

// Address judges the URL of a receiver, and resolves its host. It makes no connection.
// It returns nil if the URL is well.
func (m *Machine) Address(ctx context.Context, name, raw string, local bool) *Check {
	fail := func(what, do Text) *Check { c := Failure(name, Setting, what, do); return &c }
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil || u.Hostname() == "" || !validPort(u.Port()):
		return fail(Say("not a URL"), Say("write the whole URL, with https://"))
	case u.Scheme != "https" && !IsLoopback(u.Hostname()):
		return fail(Say("%s is not https, and Intram delivers to https only", Place(u)), Say("give the receiver a certificate, and write https://"))
	case local:
		return nil
	case IsLoopback(u.Hostname()):
		c := Warning(name, Say("%s is this machine, which Intram cannot reach", Place(u)), Say("subscribe a public https URL, or use a tunnel; with intram serve it is fine"))
		return &c
	}
	limited, cancel := m.Within(ctx, m.Timeout)
	defer cancel()
	addresses, err := m.addresses(limited, u.Hostname())
	if err != nil || len(addresses) == 0 {
		return fail(Say("the host of %s does not resolve from here", Place(u)), Say("check its spelling and its DNS record"))
	}
	for _, ip := range addresses {
		if unreachable(ip) {
			c := Warning(name, Say("the host of %s has an address of a private network, which Intram cannot reach: %s", Place(u), list([]netip.Addr{ip})),
				Say("give it a public address, or check it from outside of your network"))
			return &c
		}
	}
	return nil
}

// attempt is an event that no receiver may take.
type attempt struct {
	what   string
	header func(now time.Time) map[string]string
}

var attempts = []attempt{
	{"without a signature", func(time.Time) map[string]string { return nil }},
	{"with a wrong signature", func(now time.Time) map[string]string {
		return map[string]string{
			"X-Intram-Timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z"),
			"X-Intram-Signature": "sha256=" + strings.Repeat("0", 64),
		}
	}},
}

// Receiver posts a test.ping without a signature, and one with a wrong one, to a webhook
// receiver, which must refuse both. A receiver that verifies nothing has an event that
// says nothing.
func (m *Machine) Receiver(ctx context.Context, name, raw string, local bool) Check {
	if c := m.Address(ctx, name, raw, local); c != nil && c.Status == Fail {
		return *c
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return Failure(name, Setting, Say("not a URL"), Say("write the whole URL, with https://"))
	}
	patient := *m
	patient.Timeout = deliveryTimeout
	proxy, _ := m.proxy(u)
	api := API{URL: u}
	var statuses []string
	var slowest time.Duration
	for _, a := range attempts {
		req, err := a.request(ctx, u, m.Clock.Now())
		if err != nil {
			return Failure(name, Setting, Say("%s cannot be called", Place(u)), Say("correct the URL"))
		}
		r, p, err := patient.do(req)
		if c := patient.connection(api, proxy, p, err); c.Status == Fail {
			return Failure(name, Silent, Say("%s: %s", Place(u), c.Message), Say("start the receiver, and open its port to Intram"))
		}
		if c := patient.secured(api, p, r, err); c.Status == Fail {
			return Failure(name, Silent, Say("%s: %s", Place(u), c.Message), Say("give the receiver a certificate of a public authority, with its whole chain: Intram would not deliver"))
		}
		if err != nil {
			c := patient.noResponse(name, err)
			return Failure(name, Silent, Say("%s: %s", Place(u), c.Message), Say("respond first and work afterwards: Intram gives up after %d seconds", int(deliveryTimeout.Seconds())))
		}
		slowest = max(slowest, r.came.Sub(r.sent))
		if c, refused := refusal(name, u, a.what, r); !refused {
			return c
		}
		statuses = append(statuses, fmt.Sprintf("HTTP %d", r.status))
	}
	if slowest > deliveryAdvice {
		return Warning(name, Say("%s refuses unsigned events, and takes %d seconds for it", Place(u), int(slowest.Seconds())),
			Say("respond within %d seconds: respond first and work afterwards", int(deliveryAdvice.Seconds())))
	}
	return Good(name, Say("%s refuses events without a signature (%s) and with a wrong one (%s)", Place(u), statuses[0], statuses[1]))
}

// request builds the attempt's request.
func (a attempt) request(ctx context.Context, u *url.URL, now time.Time) (*http.Request, error) {
	body := fmt.Sprintf(`{"event":"test.ping","operation_id":"op_doctor","occurred_at":%q,"data":{}}`, now.UTC().Format("2006-01-02T15:04:05.000Z"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Intram-Event", "test.ping")
	req.Header.Set("X-Intram-Delivery", "whd_doctor")
	req.Header.Set("X-Intram-Attempt", "1")
	for header, value := range a.header(now) {
		req.Header.Set(header, value)
	}
	return req, nil
}

// refusal reports whether a receiver refused an event, or else what it did.
func refusal(name string, u *url.URL, what string, r *response) (Check, bool) {
	fail := func(text, do Text) (Check, bool) { return Failure(name, Refused, text, do), false }
	switch {
	case r.status < 300:
		return fail(Say("%s takes an event %s (HTTP %d): anybody can report a payment to it", Place(u), what, r.status),
			Say("verify X-Intram-Signature over the raw body before anything else, and respond 401 (in Go, intram.NewWebhookHandler does)"))
	case r.status < 400:
		return fail(Say("%s redirects (HTTP %d), and Intram takes that for a failed delivery", Place(u), r.status), Say("subscribe the URL that it redirects to"))
	case r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed || r.status == http.StatusGone:
		return fail(Say("%s takes no POST (HTTP %d)", Place(u), r.status), Say("check the path of the URL, and that the receiver is deployed"))
	case r.status >= 500:
		return Warning(name, Say("%s fails at an event %s (HTTP %d) instead of refusing it", Place(u), what, r.status),
			Say("respond 401 to a signature that is missing or wrong; after a 5xx Intram sends again")), false
	}
	return Check{}, true
}
