package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Limits of the API's documentation.
const (
	// allowedSkew is how far a signature's time may be from the API's clock (sections 2
	// and 8).
	allowedSkew = 5 * time.Minute
	// worrySkew is when a clock that drifts should be set, before the API refuses it.
	worrySkew = 30 * time.Second
	// certificateWorry is when a certificate should have been renewed.
	certificateWorry = 14 * 24 * time.Hour
	// largestBody is how much of a response is read.
	largestBody = 1 << 20
)

// Reached is how far the request without keys came.
type Reached struct {
	Checks []Check
	// Reached reports whether the API itself has responded.
	Reached bool
	// Addresses are those of the API's host, if this machine resolved it.
	Addresses []netip.Addr

	response *response
}

// response is what came back, and when.
type response struct {
	status      int
	header      http.Header
	body        []byte
	sent, came  time.Time
	tls         *tls.ConnectionState
	bodyFailure error
}

// API is one of the two APIs.
type API struct {
	// Prefix begins the names of its checks.
	Prefix string
	// URL is its base URL, nil if that is not usable.
	URL *url.URL
	// Path is what is read without keys.
	Path string
	// Judge judges the response.
	Judge func(name string, r *Response) (Check, bool)
	// Local says that it is the fake of "intram serve".
	Local bool
}

// Response is what a judge needs of a response.
type Response struct {
	Status int
	Code   string // of the API's own error, "" if there is none
	JSON   bool
}

// Skip returns the checks of an API that is not called.
func (a API) Skip(why Text) []Check {
	return a.skip(why, "dns", "connection", "tls", "response")
}

func (a API) skip(why Text, names ...string) []Check {
	checks := make([]Check, len(names))
	for i, name := range names {
		checks[i] = NotChecked(a.Prefix+name, why)
	}
	return checks
}

// Reach checks the way to an API with one GET request without keys.
func (m *Machine) Reach(ctx context.Context, api API) *Reached {
	out := &Reached{}
	proxy, _ := m.proxy(api.URL) // the check of proxies has said what is wrong
	first, addresses := m.resolve(ctx, api, proxy)
	out.Addresses = addresses
	out.Checks = append(out.Checks, first)
	if first.Status == Fail {
		out.Checks = append(out.Checks, api.skip(Say("the name was not resolved"), "connection", "tls", "response")...)
		return out
	}
	r, progress, err := m.get(ctx, api.URL.String()+api.Path)
	connection, secured := m.connection(api, proxy, progress, err), m.secured(api, progress, r, err)
	out.Checks = append(out.Checks, connection, secured)
	switch {
	case connection.Status == Fail:
		out.Checks = append(out.Checks, NotChecked(api.Prefix+"response", Say("there is no connection")))
	case secured.Status == Fail:
		out.Checks = append(out.Checks, NotChecked(api.Prefix+"response", Say("there is no secure connection")))
	case err != nil:
		out.Checks = append(out.Checks, m.noResponse(api.Prefix+"response", err))
	default:
		check, ok := judge(api, r)
		out.Checks = append(out.Checks, check)
		out.Reached, out.response = ok, r
	}
	return out
}

// resolve checks the name of an API's host.
func (m *Machine) resolve(ctx context.Context, api API, proxy *url.URL) (Check, []netip.Addr) {
	name, host := api.Prefix+"dns", api.URL.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return Good(name, Say("%s is an address: there is no name to resolve", Host(host))), nil
	}
	if proxy != nil {
		return NotChecked(name, Say("the proxy resolves %s", Host(host))), nil
	}
	ctx, cancel := m.Within(ctx, m.Timeout)
	defer cancel()
	addresses, err := m.Lookup(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = &net.DNSError{IsNotFound: true}
	}
	var failed *net.DNSError
	switch {
	case err == nil:
		if !IsLoopback(host) && slices.ContainsFunc(addresses, unreachable) {
			return Warning(name, Say("%s resolves to an address of a private network: %s", Host(host), list(addresses)),
				Say("if there is no proxy or fake of yours, look at the hosts file and the DNS server of this network")), addresses
		}
		return Good(name, Say("%s resolves to %s", Host(host), list(addresses))), addresses
	case errors.As(err, &failed) && failed.IsNotFound:
		return Failure(name, Silent, Say("%s does not exist for the DNS server of this network", Host(host)),
			Say("check the spelling and the network: nslookup %s", Host(host))), nil
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &failed) && failed.IsTimeout:
		return Failure(name, Silent, Say("the DNS server of this network does not respond"),
			Say("check that this machine is online, and its DNS server (/etc/resolv.conf)")), nil
	}
	return Failure(name, Silent, Say("%s cannot be resolved: %s", Host(host), why(err)),
		Say("check that this machine is online, and its DNS server (/etc/resolv.conf)")), nil
}

// list shows addresses: in public only how many there are of each kind.
func list(addresses []netip.Addr) any {
	var words []string
	four, six := 0, 0
	for _, ip := range addresses {
		words = append(words, ip.String())
		if ip.Unmap().Is4() {
			four++
		} else {
			six++
		}
	}
	var kinds []string
	for kind, n := range map[string]int{"IPv4": four, "IPv6": six} {
		if n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	slices.Sort(kinds)
	return Own("addresses: "+strings.Join(kinds, ", "), strings.Join(words, ", "))
}

// progress is how far a request came.
type progress struct{ connected, handshake, secured, sent atomic.Bool }

// get makes one GET request.
func (m *Machine) get(ctx context.Context, address string) (*response, *progress, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, &progress{}, err
	}
	req.Header.Set("Accept", "application/json")
	return m.do(req)
}

// do sends a request, and reads the response within the timeout.
func (m *Machine) do(req *http.Request) (*response, *progress, error) {
	p := &progress{}
	ctx, cancel := m.Within(req.Context(), m.Timeout)
	defer cancel()
	client := m.Client()
	defer client.CloseIdleConnections()
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:           func(httptrace.GotConnInfo) { p.connected.Store(true) },
		TLSHandshakeStart: func() { p.connected.Store(true); p.handshake.Store(true) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { p.secured.Store(err == nil) },
		WroteHeaders:      func() { p.sent.Store(true) },
	}))
	req.Header.Set("User-Agent", "intram-doctor")
	r := &response{sent: m.Clock.Now()}
	resp, err := client.Do(req)
	if err != nil {
		if ended := context.Cause(ctx); ended != nil {
			err = errors.Join(ended, err)
		}
		return nil, p, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	r.came = m.Clock.Now()
	r.status, r.header, r.tls = resp.StatusCode, resp.Header, resp.TLS
	r.body, r.bodyFailure = io.ReadAll(io.LimitReader(resp.Body, largestBody))
	return r, p, nil
}

// connection checks how far the connection came.
func (m *Machine) connection(api API, proxy *url.URL, p *progress, err error) Check {
	name, host := api.Prefix+"connection", Host(api.URL.Hostname())
	port := cmp.Or(api.URL.Port(), map[string]string{"https": "443", "http": "80"}[api.URL.Scheme])
	var refusal *proxyStatusError
	switch {
	case errors.As(err, &refusal) && refusal.status == http.StatusProxyAuthRequired:
		return Failure(name, Silent, Say("the proxy %s asks for a user and a password (HTTP 407)", Own("host", proxy.Host)),
			Say("write them into HTTPS_PROXY, or ask who runs the proxy"))
	case errors.As(err, &refusal):
		return Failure(name, Silent, Say("the proxy %s refused to connect to %s (HTTP %d)", Own("host", proxy.Host), host, refusal.status),
			Say("ask who runs the proxy to allow %s, port %s", host, port))
	case p.connected.Load() && proxy != nil:
		return Good(name, Say("to %s, through the proxy", host))
	case p.connected.Load():
		return Good(name, Say("to %s, port %s", host, port))
	case proxy != nil:
		return Failure(name, Silent, Say("no connection to the proxy %s: %s", Own("host", proxy.Host), why(err)),
			Say("check HTTPS_PROXY, and that this machine may call the proxy"))
	case api.Local:
		return Failure(name, Silent, Say("the local server does not accept connections: %s", why(err)), Say("start it again: intram serve"))
	case IsLoopback(api.URL.Hostname()):
		return Failure(name, Silent, Say("nothing accepts connections on this machine's port %s: %s", port, why(err)), Say("start the server there, or correct the base URL"))
	case errors.Is(err, syscall.ECONNREFUSED):
		return Failure(name, Silent, Say("%s refused the connection to port %s", host, port), Say("look for a firewall, a VPN or a wrong entry in the hosts file; if there is none, ask Intram"))
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return Failure(name, Silent, Say("there is no route to %s", host), Say("check that this machine is online, and that it has IPv4 or IPv6 as the host has"))
	}
	return Failure(name, Silent, Say("no connection to %s, port %s: %s", host, port, why(err)),
		Say("check that this machine is online and may make outgoing connections to port %s", port))
}

// why describes a network error without a server's words: in public without the hosts
// that it may name.
func why(err error) any {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	return Own("error", strings.ReplaceAll(redact.Cause(err, nil), " (errors.Unwrap shows it)", ""))
}

// secured checks TLS and the certificate.
func (m *Machine) secured(api API, p *progress, r *response, err error) Check {
	name := api.Prefix + "tls"
	if api.URL.Scheme == "http" {
		return NotChecked(name, Say("http on this machine has none"))
	}
	if !p.handshake.Load() && r == nil {
		return NotChecked(name, Say("there is no connection"))
	}
	if !p.secured.Load() && r == nil {
		return m.insecure(name, err)
	}
	if r == nil || r.tls == nil || len(r.tls.PeerCertificates) == 0 {
		return Good(name, Say("secured"))
	}
	left := r.tls.PeerCertificates[0].NotAfter.Sub(m.Clock.Now())
	days := int(left / (24 * time.Hour))
	text := Say("%s, and the certificate is good for %d more %s", tls.VersionName(r.tls.Version), days, plural(days, "day", "days"))
	if left < certificateWorry {
		return Warning(name, text, Say("it must be renewed where the server runs: for the API, tell Intram"))
	}
	return Good(name, text)
}

// insecure says why the server was not trusted.
func (m *Machine) insecure(name string, err error) Check {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		roots    x509.SystemRootsError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		issuer   = Say("an unknown authority")
		fail     = func(what, do Text) Check { return Failure(name, Silent, what, do) }
		received *x509.Certificate
	)
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		received = verify.UnverifiedCertificates[0]
		if by := strings.TrimSpace(strings.Join(received.Issuer.Organization, " ") + " " + received.Issuer.CommonName); by != "" {
			issuer = Say("%s", Own("issuer", by))
		}
	}
	switch {
	case errors.As(err, &roots):
		return fail(Say("this machine has no root certificates"), Say("install them (the package ca-certificates in a container)"))
	case errors.As(err, &unknown) && received != nil && received.CheckSignatureFrom(received) == nil:
		return fail(Say("the certificate is signed by itself, and not trusted"),
			Say("a proxy, an antivirus or another server responded in place of the API: if it is your organisation's, add its root certificate to this machine's (SSL_CERT_FILE)"))
	case errors.As(err, &unknown):
		return fail(Say("the certificate is signed by %s, which this machine does not trust", issuer),
			Say("if this is your organisation's proxy or antivirus, add its root certificate to this machine's (SSL_CERT_FILE); in a container, install ca-certificates"))
	case errors.As(err, &host):
		return fail(Say("the certificate is for another host"), Say("check the base URL; a captive portal or a proxy may have responded in its place"))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && received != nil:
		now := m.Clock.Now()
		if now.Before(received.NotBefore) {
			return fail(Say("the certificate is not valid before %s, and this machine's clock says %s", day(received.NotBefore), day(now)), Say(setClock))
		}
		return fail(Say("the certificate ended on %s, and this machine's clock says %s", day(received.NotAfter), day(now)), Say("if the day is wrong, set the clock; otherwise tell Intram"))
	case errors.As(err, &invalid):
		return fail(Say("the certificate is not valid"), Say("a proxy or another server may have responded in place of the API"))
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fail(Say("the server does not speak TLS"), Say("check the port of the base URL; a captive portal may have responded: open a page in a browser"))
	case errors.As(err, &alert):
		return fail(Say("the server refused the TLS handshake: %s", alert.Error()), Say("a proxy that allows only versions before TLS 1.2 may be in the way"))
	}
	return fail(Say("the TLS handshake failed: %s", why(err)), Say("a firewall may cut the connection: ask who runs the network to allow the host"))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// noResponse says why a request that was sent got no response.
func (m *Machine) noResponse(name string, err error) Check {
	if errors.Is(err, context.DeadlineExceeded) {
		return Failure(name, Silent, Say("no response within %s", m.Timeout), Say("try again; if it stays so, look for a proxy or firewall in between, or give --timeout a longer time"))
	}
	return Failure(name, Silent, Say("the connection ended without a response: %s", why(err)), Say("try again; if it stays so, look for a proxy or firewall in between"))
}

// judge tells the API's own response from that of something in between.
func judge(api API, r *response) (Check, bool) {
	name := api.Prefix + "response"
	fail := func(what, do Text) (Check, bool) { return Failure(name, Silent, what, do), false }
	if r.bodyFailure != nil {
		return fail(Say("HTTP %d, and its body broke off", r.status), Say("try again; if it stays so, look for a proxy or firewall in between"))
	}
	if r.status >= 300 && r.status < 400 {
		to := Say("somewhere else")
		if u, err := api.URL.Parse(r.header.Get("Location")); err == nil && u.Hostname() != "" {
			to = Say("%s", Host(u.Hostname()))
		}
		return fail(Say("a redirect to %s (HTTP %d), which the SDK does not follow", to, r.status),
			Say("correct the base URL; if it is right, a captive portal may be in between: open a page in a browser and sign in to the network"))
	}
	if r.status == http.StatusProxyAuthRequired {
		return fail(Say("the proxy asks for a user and a password (HTTP 407)"), Say("write them into the variable of the proxy"))
	}
	shape := Response{Status: r.status}
	shape.read(r.body)
	if shape.JSON {
		return api.Judge(name, &shape)
	}
	what := "text that is not JSON"
	if kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type")); kind == "text/html" || strings.Contains(strings.ToLower(string(r.body[:min(len(r.body), 512)])), "<html") {
		what = "a page (HTML)"
	} else if len(r.body) == 0 {
		what = "nothing"
	}
	switch r.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fail(Say("HTTP %d with %s: the API is in maintenance, or a proxy cannot reach it", r.status, what), Say("wait some minutes, and try again; payouts under way are not lost"))
	case http.StatusNotFound:
		return fail(Say("HTTP 404 with %s in place of the API's JSON: there is no API at this path", what), Say("correct the base URL: some accounts need https://api.intram.org/api/v1/merchant"))
	}
	return fail(Say("HTTP %d with %s in place of the API's JSON: a captive portal, a proxy or a firewall responded, or the base URL is another site's", r.status, what),
		Say("open a page in a browser and sign in to the network; then check the base URL and the proxy"))
}

// read finds what a body says of itself.
func (r *Response) read(body []byte) {
	var envelope struct {
		Error  any `json:"error"`
		Code   any `json:"code"`
		Status any `json:"statusCode"` // of the payin API
	}
	r.JSON = json.Unmarshal(body, &envelope) == nil
	code, _ := envelope.Code.(string)
	if failed, _ := envelope.Error.(bool); failed || envelope.Status != nil {
		r.Code = redact.Code(code)
	}
}

// JudgeMerchant judges the response of the Merchant API to a read without keys: it says
// that the key is missing.
func JudgeMerchant(name string, r *Response) (Check, bool) {
	switch {
	case r.Code == "missing_api_key":
		return Good(name, Say("the API responds (%s to a read without keys)", r.Code)), true
	case r.Code != "" && r.Status < 500:
		return Good(name, Say("the API responds (HTTP %d %s)", r.Status, r.Code)), true
	case r.Code != "":
		return Warning(name, Say("the API responds, and is in trouble (HTTP %d %s)", r.Status, r.Code), Say("try again in some minutes; if it stays so, ask Intram")), true
	}
	return notTheAPI(name, r)
}

// JudgePayin judges the response of the payin API to its check of health, which needs no
// keys.
func JudgePayin(name string, r *Response) (Check, bool) {
	switch {
	case r.Status < 300:
		return Good(name, Say("the API responds (HTTP %d)", r.Status)), true
	case r.Status >= 500:
		return Warning(name, Say("the API responds, and is in trouble (HTTP %d)", r.Status), Say("try again in some minutes; if it stays so, ask Intram")), true
	case r.Code != "":
		return Good(name, Say("the API responds (HTTP %d %s)", r.Status, r.Code)), true
	}
	return notTheAPI(name, r)
}

func notTheAPI(name string, r *Response) (Check, bool) {
	if r.Status == http.StatusNotFound {
		return Failure(name, Silent, Say("HTTP 404 with JSON that is not the API's: there is no API at this path"),
			Say("correct the base URL: some accounts need https://api.intram.org/api/v1/merchant")), false
	}
	return Failure(name, Silent, Say("HTTP %d with JSON that is not the API's", r.Status), Say("check the base URL, and look for a proxy or firewall that responds in place of the API")), false
}

const setClock = "set this machine's clock by NTP (Linux: timedatectl set-ntp true; Windows: w32tm /resync; a container has the clock of its host)"

// ClockCheck compares this machine's clock with the Date of the API's response.
func (m *Machine) ClockCheck(reached *Reached) Check {
	const name = "clock"
	if reached == nil || reached.response == nil || !reached.Reached {
		return NotChecked(name, Say("the API did not respond, so its time is not known"))
	}
	r := reached.response
	at, err := http.ParseTime(r.header.Get("Date"))
	switch {
	case r.header.Get("Date") == "":
		return NotChecked(name, Say("the response has no Date: compare this machine's time with https://time.is"))
	case err != nil:
		return NotChecked(name, Say("the Date of the response is not a date"))
	case r.header.Get("Age") != "":
		return NotChecked(name, Say("the response came from a cache, which has no time of its own"))
	case r.came.Sub(r.sent) > worrySkew:
		return NotChecked(name, Say("the response took too long to compare times by it"))
	}
	// Date has whole seconds, and was written somewhere between sending and receiving.
	here := r.sent.Add(r.came.Sub(r.sent) / 2)
	off := here.Sub(at.Add(time.Second / 2))
	seconds := int(math.Round(off.Seconds()))
	size, direction := max(seconds, -seconds), "ahead of"
	if seconds < 0 {
		direction = "behind"
	}
	text := Say("this machine is %d %s %s the API's clock", size, plural(size, "second", "seconds"), direction)
	switch {
	case off.Abs() > allowedSkew:
		return Failure(name, Refused, Say("%s; more than 300 seconds are refused, for calls and for webhooks", text), Say(setClock))
	case off.Abs() > worrySkew:
		return Warning(name, Say("%s; more than 300 seconds are refused, for calls and for webhooks", text), Say(setClock))
	case size <= 1:
		return Good(name, Say("as the API's, to the second (300 seconds apart are allowed)"))
	}
	return Good(name, Say("%s (300 are allowed)", text))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
