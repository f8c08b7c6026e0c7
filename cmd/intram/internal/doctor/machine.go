package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Machine is what the checks use of this machine.
type Machine struct {
	// Clock is this machine's clock.
	Clock interface{ Now() time.Time }
	// Env reads the environment.
	Env func(name string) (string, bool)
	// Lookup resolves a host, and Dial connects to an address.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// Within bounds a step.
	Within func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// Roots are the trusted certificates, nil for the machine's.
	Roots *x509.CertPool
	// Timeout bounds each step.
	Timeout time.Duration
}

// Transport returns a transport like the SDK's, which uses this machine.
func (m *Machine) Transport() *http.Transport {
	return &http.Transport{
		Proxy:                  func(r *http.Request) (*url.URL, error) { return m.proxy(r.URL) },
		OnProxyConnectResponse: proxyResponse,
		DialContext:            m.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.Roots, Time: m.Clock.Now},
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Client returns a client that follows no redirects.
func (m *Machine) Client() *http.Client {
	return &http.Client{Transport: m.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// proxyEnv reads the variables of proxies as net/http does: the upper-case name first.
func (m *Machine) proxyEnv(name, lower string) (value, from string) {
	for _, variable := range []string{name, lower} {
		if value, _ := m.Env(variable); value != "" {
			return value, variable
		}
	}
	return "", ""
}

func (m *Machine) proxyConfig() *httpproxy.Config {
	https, _ := m.proxyEnv("HTTPS_PROXY", "https_proxy")
	plain, _ := m.proxyEnv("HTTP_PROXY", "http_proxy")
	no, _ := m.proxyEnv("NO_PROXY", "no_proxy")
	return &httpproxy.Config{HTTPSProxy: https, HTTPProxy: plain, NoProxy: no}
}

// proxy returns the proxy for a URL, nil if there is none.
func (m *Machine) proxy(u *url.URL) (*url.URL, error) { return m.proxyConfig().ProxyFunc()(u) }

// proxyStatusError is a proxy's refusal to connect.
type proxyStatusError struct{ status int }

func (e *proxyStatusError) Error() string { return "the proxy refused: " + http.StatusText(e.status) }

func proxyResponse(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &proxyStatusError{resp.StatusCode}
	}
	return nil
}

// addresses resolves a host, unless it is an address.
func (m *Machine) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	return m.Lookup(ctx, host)
}

// dial connects to the first address of a host that accepts. Each has its share of the
// time, so that a dead one does not take all of it.
func (m *Machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := m.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var failed []error
	for _, ip := range addresses {
		conn, err := m.dialOne(ctx, network, net.JoinHostPort(ip.String(), port), m.Timeout/time.Duration(len(addresses)))
		if err == nil {
			return conn, nil
		}
		if failed = append(failed, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failed...)
}

func (m *Machine) dialOne(ctx context.Context, network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := m.Within(ctx, limit)
	defer cancel()
	return m.Dial(ctx, network, address)
}
