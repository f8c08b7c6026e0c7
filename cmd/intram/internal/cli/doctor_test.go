package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// examined is a report of "intram doctor --json".
type examined struct {
	Schema, Status string
	Exit           int
	Checks         []struct{ Name, Status, Message, Do string }
}

// of returns the checks of a name.
func (e examined) of(name string) (status, message, do string) {
	for _, c := range e.Checks {
		if c.Name == name {
			return c.Status, c.Message, c.Do
		}
	}
	return "", "", ""
}

// build and port differ between the machines that run the tests.
var (
	build = regexp.MustCompile(`(?s)intram \S+ with SDK.*?of its source`)
	port  = regexp.MustCompile(`port \d{4,}`)
)

func steady(report string) string {
	return port.ReplaceAllString(build.ReplaceAllString(report, "BUILD"), "port PORT")
}

// shiftedClock is a machine's clock that is off.
type shiftedClock struct {
	intram.Clock
	off time.Duration
}

func (c shiftedClock) Now() time.Time { return c.Clock.Now().Add(c.off) }

// page responds to everything with a page.
func page(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Welcome to Hotel Wifi, Ada</body></html>"))
	}
}

// serves starts a server and makes it the API's address.
func (b *bench) serves(t *testing.T, h http.Handler) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	b.env["INTRAM_BASE_URL"] = server.URL
}

// leads makes every name resolve, and each connection one to this address that would
// leave this machine.
func (b *bench) leads(address string, resolved ...string) {
	b.edit = func(a *app) {
		a.dial = func(ctx context.Context, network, asked string) (net.Conn, error) {
			if !strings.HasPrefix(asked, "127.0.0.1:") {
				asked = address
			}
			return (&net.Dialer{}).DialContext(ctx, network, asked)
		}
		a.lookup = func(context.Context, string) ([]netip.Addr, error) {
			var all []netip.Addr
			for _, ip := range resolved {
				all = append(all, netip.MustParseAddr(ip))
			}
			return all, nil
		}
	}
}

// also changes the process once more.
func (b *bench) also(change func(*app)) {
	before := b.edit
	b.edit = func(a *app) {
		if before != nil {
			before(a)
		}
		change(a)
	}
}

// secureServer is a TLS server for api.intram.org. Its certificate is of an authority of
// its own, which is returned.
func secureServer(t *testing.T, h http.Handler, from, to time.Time) (address string, authority *x509.Certificate) {
	t.Helper()
	issue := func(name string, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template.SerialNumber, template.Subject = big.NewInt(7), pkix.Name{CommonName: name, Organization: []string{"Ada & fils"}}
		template.NotBefore, template.NotAfter = from, to
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert, key
	}
	authority, signer := issue("Firewall CA", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, key := issue("api", &x509.Certificate{DNSNames: []string{"api.intram.org"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, authority, signer)
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), authority
}

func trusts(authority *x509.Certificate) func(*app) {
	return func(a *app) {
		a.roots = x509.NewCertPool()
		a.roots.AddCert(authority)
	}
}

func TestTheDoctorFindsAllWell(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "intram"), 0o700))
	b.env["HOME"] = b.home
	b.file(t, "intram/config.toml", "profile = \"shop2\"\n[profiles.shop2]\nenvironment = \"sandbox\"\ntimeout = \"7s\"\n")
	_, err := b.server.Client().Webhooks.Create(t.Context(), intram.WebhookParams{URL: "http://127.0.0.1:9/hook/for/ada", Event: "payout.*"})
	require.NoError(t, err)
	b.golden(t, "doctor-well", steady(b.ok(t, "doctor")))
	r := b.run(t, "doctor", "--json")
	require.Zero(t, r.code)
	for _, own := range []string{b.home, "shop2", "for/ada"} {
		assert.NotContains(t, r.out, own, "a report for an issue")
	}
	b.golden(t, "doctor-well-json", steady(r.out))
	for _, sent := range b.server.Requests() {
		if sent.Method == http.MethodPost {
			assert.Equal(t, "/webhooks", sent.Endpoint, "only this test's own call is a POST")
		}
	}
}

// A machine on which nothing is configured, and which is not online.
func TestTheDoctorWorksOffline(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	b.env["HOME"] = b.home
	b.edit = func(a *app) {
		a.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
	}
	r := b.run(t, "doctor")
	assert.Equal(t, exitUsage, r.code)
	assert.Empty(t, r.err)
	b.golden(t, "doctor-offline", steady(r.out))
}

// Each trouble, by a machine or a server that has it: the line that names it, and the
// exit status.
func TestTheDoctorNamesEachTrouble(t *testing.T) {
	t.Parallel()
	documented := func(b *bench) { delete(b.env, "INTRAM_BASE_URL") }
	day := 24 * time.Hour
	for _, test := range []struct {
		name    string
		opts    []intramtest.Option
		before  func(*testing.T, *bench)
		args    []string
		check   string
		status  string
		says    string
		do      string
		code    int
		private string // what only the text for the merchant may show
	}{
		// This machine's clock.
		{name: "clock ahead", before: func(_ *testing.T, b *bench) { b.clock = shiftedClock{b.clock, 6 * time.Minute} }, check: "clock", status: "fail", says: "360 seconds ahead of", do: "NTP", code: 2},
		{name: "clock behind", before: func(_ *testing.T, b *bench) { b.clock = shiftedClock{b.clock, -301 * time.Second} }, check: "clock", status: "fail", says: "302 seconds behind the API's clock; more than 300", do: "NTP", code: 2},
		{name: "clock that drifts", before: func(_ *testing.T, b *bench) { b.clock = shiftedClock{b.clock, 2 * time.Minute} }, check: "clock", status: "warn", says: "120 seconds ahead", do: "NTP"},
		{name: "clock that drifts, strictly", args: []string{"--strict"}, before: func(_ *testing.T, b *bench) { b.clock = shiftedClock{b.clock, 2 * time.Minute} }, check: "clock", status: "warn", says: "120 seconds ahead", do: "NTP", code: 2},
		{name: "clock a little off", before: func(_ *testing.T, b *bench) { b.clock = shiftedClock{b.clock, 20 * time.Second} }, check: "clock", status: "ok", says: "20 seconds ahead"},
		{name: "response without a Date", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.serves(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b.server.ServeHTTP(noDate{w}, r)
			}))
		}, check: "clock", status: "skipped", says: "no Date"},
		{name: "response of a cache", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.serves(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Age", "400")
				b.server.ServeHTTP(w, r)
			}))
		}, check: "clock", status: "skipped", says: "from a cache"},

		// What responds.
		{name: "page of a captive portal", before: func(t *testing.T, b *bench) { t.Helper(); b.serves(t, page(200)) }, check: "response", status: "fail", says: "HTTP 200 with a page (HTML) in place of the API's JSON: a captive portal", do: "sign in to the network", code: 6},
		{name: "page of a captive portal keeps the keys", before: func(t *testing.T, b *bench) { t.Helper(); b.serves(t, page(200)) }, check: "authentication", status: "skipped", says: "nothing else is given the keys", code: 6},
		{name: "maintenance", before: func(t *testing.T, b *bench) { t.Helper(); b.serves(t, page(503)) }, check: "response", status: "fail", says: "HTTP 503 with a page (HTML): the API is in maintenance", do: "wait some minutes", code: 6},
		{name: "page that is not there", before: func(t *testing.T, b *bench) { t.Helper(); b.serves(t, page(404)) }, check: "response", status: "fail", says: "no API at this path", do: "https://api.intram.org/api/v1/merchant", code: 6},
		{name: "JSON of another API", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.serves(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"hello": "world"}`)) }))
		}, check: "response", status: "fail", says: "JSON that is not the API's", do: "check the base URL", code: 6},
		{name: "nothing in the response", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.serves(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		}, check: "response", status: "fail", says: "HTTP 200 with nothing", do: "sign in", code: 6},
		{name: "redirect", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.serves(t, page(302, "Location", "https://login.wifi.example/?user=ada"))
		}, check: "response", status: "fail", says: "a redirect to", do: "captive portal", code: 6, private: "login.wifi.example"},
		{name: "API in trouble", before: func(t *testing.T, b *bench) {
			t.Helper()
			require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "GET /balance", Times: 1}))
		}, check: "response", status: "warn", says: "in trouble (HTTP 500 internal_error)", do: "some minutes"},
		{name: "connection that ends", before: func(t *testing.T, b *bench) {
			t.Helper()
			require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "GET /balance", Times: 9}))
		}, check: "response", status: "fail", says: "ended without a response", do: "proxy or firewall", code: 6},
		{name: "body that breaks off", before: func(t *testing.T, b *bench) {
			t.Helper()
			require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.Truncate, On: "GET /balance", Times: 9}))
		}, check: "response", status: "fail", says: "broke off", do: "try again", code: 6},
		{name: "server that is slow", before: func(t *testing.T, b *bench) {
			t.Helper()
			server, arrived := silence()
			b.serves(t, server)
			b.edit = func(a *app) { a.within = untilArrived(arrived) }
		}, check: "response", status: "fail", says: "no response within 30s", do: "--timeout", code: 6},

		// The way there.
		{name: "nothing listens", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "http://127.0.0.1:1" }, check: "connection", status: "fail", says: "this machine's port 1: connection refused", do: "start the server", code: 6},
		{name: "connection refused", before: func(_ *testing.T, b *bench) { documented(b); b.leads("127.0.0.1:1", "203.0.113.9") }, check: "connection", status: "fail", says: "api.intram.org refused the connection to port 443", do: "firewall", code: 6},
		{name: "name that does not exist", before: func(_ *testing.T, b *bench) { documented(b); b.leads("127.0.0.1:1") }, check: "dns", status: "fail", says: "does not exist", do: "nslookup api.intram.org", code: 6},
		{name: "DNS server that is silent", before: func(_ *testing.T, b *bench) {
			documented(b)
			b.edit = func(a *app) {
				a.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
					return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
				}
			}
		}, check: "dns", status: "fail", says: "does not respond", do: "online", code: 6},
		{name: "name that leads elsewhere", before: func(_ *testing.T, b *bench) { documented(b); b.leads("127.0.0.1:1", "10.1.2.3") }, check: "dns", status: "warn", says: "an address of a private network", do: "hosts file", code: 6, private: "10.1.2.3"},
		{name: "IPv6 alone", before: func(_ *testing.T, b *bench) { documented(b); b.leads("127.0.0.1:1", "2001:db8::1") }, check: "dns", status: "ok", says: "api.intram.org resolves to", code: 6, private: "2001:db8::1"},

		// TLS.
		{name: "unknown authority", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			address, _ := secureServer(t, b.server, testTime.Add(-day), testTime.Add(90*day))
			b.leads(address, "203.0.113.9")
			b.also(func(a *app) { a.roots = x509.NewCertPool() })
		}, check: "tls", status: "fail", says: "which this machine does not trust", do: "your organisation's proxy or antivirus", code: 6, private: "Ada & fils Firewall CA"},
		{name: "signed by itself", before: func(t *testing.T, b *bench) {
			t.Helper()
			server := httptest.NewUnstartedServer(b.server)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.StartTLS()
			t.Cleanup(server.Close)
			b.env["INTRAM_BASE_URL"] = server.URL
			b.edit = func(a *app) { a.roots = x509.NewCertPool() }
		}, check: "tls", status: "fail", says: "signed by itself", do: "SSL_CERT_FILE", code: 6},
		{name: "certificate of another host", before: func(t *testing.T, b *bench) {
			t.Helper()
			address, authority := secureServer(t, b.server, testTime.Add(-day), testTime.Add(90*day))
			b.env["INTRAM_BASE_URL"] = "https://" + address + "/v1"
			b.edit = trusts(authority)
		}, check: "tls", status: "fail", says: "for another host", do: "base URL", code: 6},
		{name: "certificate that ended", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			address, authority := secureServer(t, b.server, testTime.Add(-90*day), testTime.Add(-day))
			b.leads(address, "203.0.113.9")
			b.also(trusts(authority))
		}, check: "tls", status: "fail", says: "ended on 2026-05-19, and this machine's clock says 2026-05-20", do: "set the clock", code: 6},
		{name: "certificate of the future", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			address, authority := secureServer(t, b.server, testTime.Add(day), testTime.Add(90*day))
			b.leads(address, "203.0.113.9")
			b.also(trusts(authority))
		}, check: "tls", status: "fail", says: "not valid before 2026-05-21, and this machine's clock says 2026-05-20", do: "NTP", code: 6},
		{name: "certificate that ends soon", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			address, authority := secureServer(t, b.server, testTime.Add(-day), testTime.Add(5*day))
			b.leads(address, "203.0.113.9")
			b.also(trusts(authority))
		}, check: "tls", status: "warn", says: "TLS 1.3, and the certificate is good for 5 more days", do: "renewed"},
		{name: "certificate that is well", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			address, authority := secureServer(t, b.server, testTime.Add(-day), testTime.Add(90*day))
			b.leads(address, "203.0.113.9")
			b.also(trusts(authority))
		}, check: "tls", status: "ok", says: "TLS 1.3, and the certificate is good for 90 more days"},
		{name: "no TLS", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			b.leads(strings.TrimPrefix(b.server.URL, "http://"), "203.0.113.9")
		}, check: "tls", status: "fail", says: "does not speak TLS", do: "port", code: 6},

		// Proxies.
		{name: "proxy", before: func(_ *testing.T, b *bench) {
			documented(b)
			b.env["HTTPS_PROXY"] = "http://ada:proxy-ca5ec2e7@127.0.0.1:1"
		}, check: "proxy", status: "ok", says: "through the proxy", code: 6, private: "127.0.0.1:1"},
		{name: "proxy that is away", before: func(_ *testing.T, b *bench) {
			documented(b)
			b.env["https_proxy"] = "http://ada:proxy-ca5ec2e7@127.0.0.1:1"
		}, check: "connection", status: "fail", says: "no connection to the proxy", do: "HTTPS_PROXY", code: 6},
		{name: "proxy that wants a password", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			proxy := httptest.NewServer(page(http.StatusProxyAuthRequired))
			t.Cleanup(proxy.Close)
			b.env["HTTPS_PROXY"] = proxy.URL
		}, check: "connection", status: "fail", says: "asks for a user and a password (HTTP 407)", do: "HTTPS_PROXY", code: 6},
		{name: "proxy that refuses", before: func(t *testing.T, b *bench) {
			t.Helper()
			documented(b)
			proxy := httptest.NewServer(page(http.StatusForbidden))
			t.Cleanup(proxy.Close)
			b.env["HTTPS_PROXY"] = proxy.URL
		}, check: "connection", status: "fail", says: "refused to connect to api.intram.org (HTTP 403)", do: "ask who runs the proxy", code: 6},
		{name: "proxy that Go does not use", before: func(_ *testing.T, b *bench) { b.env["ALL_PROXY"] = "socks5://ada:proxy-ca5ec2e7@127.0.0.1:1" }, check: "proxy", status: "warn", says: "ALL_PROXY is set, which Go programs do not use", do: "HTTPS_PROXY"},
		{name: "proxy of another kind", before: func(_ *testing.T, b *bench) { b.env["HTTPS_PROXY"] = "ftp://ada:ca5ec2e7@proxy.example:21" }, check: "proxy", status: "fail", says: "HTTPS_PROXY is not the address of a proxy that can be used", do: "http://HOST:PORT", code: 1},
		{name: "proxy with a bracket", before: func(_ *testing.T, b *bench) { b.env["HTTPS_PROXY"] = "http://ada:ca5ec2e7@[::bad" }, check: "proxy", status: "fail", says: "HTTPS_PROXY is not the address of a proxy that can be used", do: "http://HOST:PORT", code: 1},
		{name: "proxy with a percent sign", before: func(_ *testing.T, b *bench) { b.env["HTTPS_PROXY"] = "http://ada:ca5ec2e7%zz@127.0.0.1:1" }, check: "proxy", status: "warn", says: "HTTPS_PROXY is not the address of a proxy, and is ignored", do: "http://HOST:PORT"},
		{name: "proxy that is excepted", before: func(_ *testing.T, b *bench) {
			documented(b)
			b.leads("127.0.0.1:1", "203.0.113.9")
			b.env["HTTPS_PROXY"], b.env["NO_PROXY"] = "http://ada:proxy-ca5ec2e7@127.0.0.1:1", ".intram.org"
		}, check: "proxy", status: "ok", says: "NO_PROXY or the loopback is excepted", code: 6},

		// The base URL.
		{name: "http", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "http://api.intram.org/v1" }, check: "base_url", status: "fail", says: "not encrypted", do: "https://", code: 1},
		{name: "v1 doubled", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://api.intram.org/v1/v1" }, check: "base_url", status: "fail", says: "has no such path", do: "https://api.intram.org/v1 or https://api.intram.org/api/v1/merchant", code: 1},
		{name: "an endpoint", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://gate.example.com/v1/balance" }, check: "base_url", status: "fail", says: "address of an endpoint", do: "remove /balance", code: 1},
		{name: "mistyped", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://api.intarm.org/v1" }, check: "base_url", status: "fail", says: "mistyped api.intram.org", do: "https://api.intram.org/v1", code: 1, private: "api.intarm.org"},
		{name: "the other API", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://business.novasend.app" }, check: "base_url", status: "fail", says: "is the other API", do: "https://api.intram.org/v1", code: 1},
		{name: "no scheme", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "api.intram.org/v1" }, check: "base_url", status: "fail", says: "not an absolute URL", do: "https://api.intram.org/v1", code: 1},
		{name: "password in the URL", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://ada:ca5ec2e7@api.intram.org/v1" }, check: "base_url", status: "fail", says: "a user or a password in the URL", do: "remove it", code: 1},
		{name: "no such port", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://127.0.0.1:99999/v1" }, check: "base_url", status: "fail", says: "the port is not 1 to 65535", do: "https://api.intram.org/v1", code: 1},
		{name: "letters of another script", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "https://api.intràm.org/v1" }, check: "base_url", status: "fail", says: "mistyped api.intram.org", do: "https://api.intram.org/v1", code: 1, private: "intràm"},
		{name: "spaces around it", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = " https://api.intram.org/v1\n" }, check: "base_url", status: "fail", says: "has spaces or a line break around it", do: "alone", code: 1},
		{name: "quotes around it", before: func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = `"https://api.intram.org/v1"` }, check: "base_url", status: "fail", says: "has quotes around it", do: "alone", code: 1},
		{name: "a host of one's own", before: func(_ *testing.T, b *bench) {
			b.env["INTRAM_BASE_URL"] = "https://gate.example.com/v1"
			b.leads("127.0.0.1:1", "203.0.113.9")
		}, check: "base_url", status: "warn", says: "no address of the documentation", do: "https://api.intram.org/v1", code: 6, private: "gate.example.com"},
		{name: "payin: v1 that is too much", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PAYIN_BASE_URL"] = "https://sandbox.novasend.app/v1" }, check: "payin_base_url", status: "fail", says: "has no such path", do: "https://sandbox.novasend.app", code: 1},
		{name: "payin: the other environment", before: func(_ *testing.T, b *bench) {
			b.env["INTRAM_PAYIN_BASE_URL"] = "https://business.novasend.app"
			b.leads("127.0.0.1:1", "203.0.113.9")
		}, check: "payin_base_url", status: "warn", says: "not of the sandbox environment", do: "leave payin_base_url out", code: 6},

		// Keys.
		{name: "swapped", before: func(_ *testing.T, b *bench) { b.keys(b.server.SecretKey, b.server.PublicKey, "", "") }, check: "key_pair", status: "fail", says: "swapped", do: "exchange them", code: 1},
		{name: "two environments", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PUBLIC_KEY"] = b.server.LivePublicKey }, check: "key_pair", status: "fail", says: "two environments", do: "of one environment", code: 1},
		{name: "secret key with quotes", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = `"` + b.server.SecretKey + `"` }, check: "secret_key", status: "fail", says: "has quotes around it: leave them out, from INTRAM_SECRET_KEY", do: "alone and whole", code: 1},
		{name: "secret key with a BOM", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = "\uFEFF" + b.server.SecretKey }, check: "secret_key", status: "fail", says: "byte order mark", do: "alone and whole", code: 1},
		{name: "secret key with a line break", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = b.server.SecretKey + "\n" }, check: "secret_key", status: "fail", says: "line break around it", do: "alone and whole", code: 1},
		{name: "private key", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = "priv_ca5ec2e7ca5ec2e7" }, check: "secret_key", status: "fail", says: "does not begin with sk_", do: "private key of the older API", code: 1},
		{name: "webhook secret that is a key", before: func(_ *testing.T, b *bench) { b.env["INTRAM_WEBHOOK_SECRET"] = b.server.SecretKey }, check: "webhook_secret", status: "fail", says: "is a secret key (sk_…)", do: "alone", code: 1},
		{name: "webhook secret", before: func(_ *testing.T, b *bench) { b.env["INTRAM_WEBHOOK_SECRET"] = "whsec_ca5ec2e7ca5ec2e7" }, check: "webhook_secret", status: "ok", says: "a webhook secret, from INTRAM_WEBHOOK_SECRET"},
		{name: "half of the payin keys", before: func(_ *testing.T, b *bench) { delete(b.env, "INTRAM_PAYIN_API_CLIENT") }, check: "payin_keys", status: "fail", says: "one of the two is not set", do: "INTRAM_PAYIN_API_CLIENT", code: 1},
		{name: "wrong secret key", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = "sk_sandbox_ca5ec2e7ca5ec2e7" }, check: "authentication", status: "fail", says: "signature_mismatch", do: "secret key that belongs to this public key", code: 2},
		{name: "unknown public key", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PUBLIC_KEY"] = "pk_sandbox_ca5ec2e7ca5ec2e7" }, check: "authentication", status: "fail", says: "invalid_api_key (HTTP 401): the API does not know the public key", do: "copy the public key", code: 2},
		{name: "inactive merchant", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.live()
			require.NoError(t, b.server.SetMerchantActive(b.server.PublicKey, false))
		}, check: "authentication", status: "fail", says: "merchant_inactive", do: "ask Intram", code: 2},
		{name: "wrong payin keys", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PAYIN_API_KEY"] = "ca5ec2e7ca5ec2e7ca5e" }, check: "payin_authentication", status: "fail", says: "HTTP 40", do: "payin portal", code: 2},

		// The allowlist.
		{name: "address not allowed", opts: []intramtest.Option{intramtest.WithPeerAddress("203.0.113.7"), intramtest.WithIPAllowlist("198.51.100.1")}, before: func(_ *testing.T, b *bench) { b.live() }, check: "allowlist", status: "fail", says: "not on the allowlist", do: "to the allowlist in the portal", code: 2, private: "203.0.113.7"},
		{name: "IPv6 address not allowed", opts: []intramtest.Option{intramtest.WithPeerAddress("2001:db8::7"), intramtest.WithIPAllowlist("198.51.100.1")}, before: func(_ *testing.T, b *bench) { b.live() }, check: "allowlist", status: "fail", says: "not on the allowlist", do: "add both", code: 2, private: "2001:db8::7"},
		{name: "empty allowlist", opts: []intramtest.Option{intramtest.WithIPAllowlist()}, before: func(_ *testing.T, b *bench) { b.live() }, check: "allowlist", status: "fail", says: "refuses every live call", do: "in the portal", code: 2},
		{name: "address allowed", before: func(_ *testing.T, b *bench) { b.live() }, check: "allowlist", status: "ok", says: "takes live calls"},
		{name: "sandbox", check: "allowlist", status: "skipped", says: "the sandbox has none"},

		// The configuration.
		{name: "unknown profile", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PROFILE"] = "ada-shop" }, check: "profile", status: "fail", says: "there is no profile", do: "--profile", code: 1},
		{name: "profile of another environment", before: func(_ *testing.T, b *bench) { b.env["INTRAM_PROFILE"] = "live" }, check: "profile", status: "fail", says: "starts with pk_sandbox_", do: "correct the keys", code: 1},
		{name: "file that is not there", args: []string{"--config", "/nowhere/ada.toml"}, check: "configuration", status: "fail", says: "no such file", do: "intram config init", code: 1, private: "/nowhere/ada.toml"},
		{name: "file that others can read", before: func(t *testing.T, b *bench) {
			t.Helper()
			path := b.file(t, "ada.toml", "[profiles.sandbox]\nsecret_key = \"sk_sandbox_ca5ec2e7\"\n")
			require.NoError(t, os.Chmod(path, 0o644))
			b.env["INTRAM_CONFIG"] = path
		}, check: "configuration", status: "fail", says: "others can read", do: "chmod 600", code: 1, private: "ada.toml"},
		{name: "file that is a folder", before: func(_ *testing.T, b *bench) { b.env["INTRAM_CONFIG"] = b.home }, check: "configuration", status: "fail", says: "is a directory", do: "correct the file", code: 1},
		{name: "file without an end", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.env["INTRAM_CONFIG"] = b.file(t, "ada.toml", strings.Repeat("# salaries\n", 100_000))
		}, check: "configuration", status: "fail", says: "larger than 1 MiB", do: "correct the file", code: 1, private: "ada.toml"},
		{name: "file that is not TOML", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.env["INTRAM_CONFIG"] = b.file(t, "ada.toml", "[profiles.sandbox]\nsecret_key = sk_sandbox_ca5ec2e7\n")
		}, check: "configuration", status: "fail", says: "line 2 is not TOML", do: "correct the file", code: 1, private: "ada.toml"},
		{name: "file of a secret that is not there", before: func(_ *testing.T, b *bench) {
			delete(b.env, "INTRAM_SECRET_KEY")
			b.env["INTRAM_SECRET_KEY_FILE"] = "/nowhere/ada.key"
		}, check: "secret_key", status: "fail", says: "no such file", do: "correct the file of the secret", code: 1, private: "/nowhere/ada.key"},
		{name: "bad timeout", before: func(_ *testing.T, b *bench) { b.env["INTRAM_TIMEOUT"] = "soon" }, check: "timeout", status: "fail", says: "not a duration, from INTRAM_TIMEOUT", do: "30s", code: 1},
		{name: "hidden by a flag", args: []string{"--base-url", "http://127.0.0.1:1"}, check: "variables", status: "warn", says: "INTRAM_BASE_URL is set, and --base-url is used instead", do: "unless it is meant", code: 6},
		{name: "hidden by another variable", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY_FILE"] = "/nowhere" }, check: "variables", status: "warn", says: "INTRAM_SECRET_KEY and INTRAM_SECRET_KEY_FILE are both set", do: "unset one"},
		{name: "hides the profile", before: func(t *testing.T, b *bench) {
			t.Helper()
			b.env["INTRAM_CONFIG"] = b.file(t, "ada.toml", "[profiles.sandbox]\nsecret_key = \"sk_sandbox_ca5ec2e7\"\n")
		}, check: "variables", status: "warn", says: "INTRAM_SECRET_KEY is used, and not the secret_key of the profile", do: "if the profile is meant"},
		{name: "mistyped variable", before: func(_ *testing.T, b *bench) { b.env["INTRAM_SECRETKEY"] = "sk_sandbox_ca5ec2e7" }, check: "variables", status: "warn", says: "INTRAM_SECRETKEY is not read: it looks like INTRAM_SECRET_KEY", do: "rename it"},
		{name: "variable in lower case", before: func(_ *testing.T, b *bench) { b.env["intram_secret_key"] = "sk_sandbox_ca5ec2e7" }, check: "variables", status: "warn", says: "intram_secret_key is not read", do: "rename it"},
		{name: "empty variable", before: func(_ *testing.T, b *bench) { b.env["INTRAM_WEBHOOK_SECRET"] = "" }, check: "variables", status: "warn", says: "INTRAM_WEBHOOK_SECRET is set and empty", do: "unset it"},
		{name: "local server and another address", args: []string{"--local", "--base-url", "http://127.0.0.1:1"}, check: "configuration", status: "fail", says: "--local has the address and the keys", do: "leave out those flags", code: 1},
		{name: "no local server", args: []string{"--local"}, check: "configuration", status: "fail", says: "no local server is known", do: "intram serve", code: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.opts...)
			b.env["HOME"] = b.home
			if test.before != nil {
				test.before(t, b)
			}
			var report examined
			r := b.json(t, &report, append([]string{"doctor"}, test.args...)...)
			status, message, do := report.of(test.check)
			assert.Equal(t, test.status, status, "%s: %s", test.check, message)
			assert.Contains(t, message, test.says)
			assert.Contains(t, do, test.do)
			assert.Equal(t, test.code, r.code, "%s", r.out)
			assert.Equal(t, test.code, report.Exit)
			assert.Empty(t, r.err)
			for _, canary := range []string{"ca5ec2e7", "ada", b.home} {
				assert.NotContains(t, r.out, canary)
			}
			for _, c := range report.Checks {
				assert.NotEmpty(t, c.Message, c.Name)
				assert.Equal(t, c.Status == "warn" || c.Status == "fail", c.Do != "", "%s: %s", c.Name, c.Do)
			}
			if test.private != "" {
				assert.NotContains(t, r.out, test.private)
			}

			again := newBench(t, test.opts...)
			again.env["HOME"] = again.home
			if test.before != nil {
				test.before(t, again)
			}
			r = again.run(t, append([]string{"doctor"}, test.args...)...)
			assert.Equal(t, test.code, r.code)
			assert.NotContains(t, r.out, "ca5ec2e7")
			text := strings.Join(strings.Fields(r.out), " ")
			assert.Contains(t, text, test.check+": ")
			assert.Contains(t, text, test.private)
			if test.private == "" {
				assert.Contains(t, strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(test.says, " ", ""))
			}
		})
	}
}

// noDate is a proxy that drops the Date.
type noDate struct{ http.ResponseWriter }

func (w noDate) WriteHeader(status int) {
	w.Header()["Date"] = nil
	w.ResponseWriter.WriteHeader(status)
}

// silence never responds. The channel is closed when a request has arrived.
func silence() (http.HandlerFunc, <-chan struct{}) {
	arrived := make(chan struct{})
	var once sync.Once
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
		once.Do(func() { close(arrived) })
		<-r.Context().Done()
	}, arrived
}

// untilArrived bounds a step by the arrival of a request, instead of by time.
func untilArrived(arrived <-chan struct{}) func(context.Context, time.Duration) (context.Context, context.CancelFunc) {
	return func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		go func() {
			select {
			case <-arrived:
				cancel(context.DeadlineExceeded)
			case <-ctx.Done():
			}
		}()
		return ctx, func() { cancel(nil) }
	}
}

func TestTheDoctorTellsAReleasedBuild(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]string{
		"v0.2.0": "a released build", "(devel)": "not a released build", "v0.2.0+dirty": "not a released build",
		"v0.0.0-20261126101500-0123456789ab": "not a released build: built from commit 0123456789ab",
	} {
		b := newConfigBench(t)
		b.edit = func(a *app) {
			a.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
			a.buildInfo = func() (*debug.BuildInfo, bool) {
				return &debug.BuildInfo{Main: debug.Module{Version: of}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}}}, true
			}
		}
		var report examined
		b.json(t, &report, "doctor")
		status, message, _ := report.of("version")
		assert.Equal(t, "ok", status)
		assert.Contains(t, message, want, of)
		assert.Equal(t, of == "v0.2.0", !strings.Contains(message, "not a released"), of)
	}
}

// Each kind of receiver: the SDK's own is well, and one that takes what is not signed is
// the worst finding.
func TestTheDoctorFindsReceiversThatTakeUnsignedEvents(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier("whsec_ca5ec2e7ca5ec2e7")
	require.NoError(t, err)
	own := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil })
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, test := range map[string]struct {
		receiver         http.Handler
		status, says, do string
		code, posts      int
	}{
		"the SDK's":              {own, "ok", "refuses events without a signature (HTTP 401) and with a wrong one (HTTP 401)", "", 0, 2},
		"none that verifies":     {status(204), "fail", "takes an event without a signature (HTTP 204)", "verify X-Intram-Signature", exitRefused, 1},
		"only that there is one": {signedSomehow(401, 200), "fail", "takes an event with a wrong signature (HTTP 200)", "verify X-Intram-Signature", exitRefused, 2},
		"only if there is one":   {signedSomehow(200, 401), "fail", "takes an event without a signature (HTTP 200)", "verify X-Intram-Signature", exitRefused, 1},
		"failing":                {status(500), "warn", "fails at an event without a signature (HTTP 500)", "respond 401", 0, 1},
		"redirecting":            {page(301, "Location", "/elsewhere"), "fail", "redirects (HTTP 301)", "that it redirects to", exitRefused, 1},
		"not there":              {status(404), "fail", "takes no POST (HTTP 404)", "path of the URL", exitRefused, 1},
		"for GET alone":          {status(405), "fail", "takes no POST (HTTP 405)", "path of the URL", exitRefused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var posts []*http.Request
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				posts = append(posts, r)
				test.receiver.ServeHTTP(w, r)
			}))
			t.Cleanup(receiver.Close)
			url := receiver.URL + "/hooks/for-ada?token=ca5ec2e7"
			_, err := b.server.Client().Webhooks.Create(t.Context(), intram.WebhookParams{URL: url, Event: "payout.*"})
			require.NoError(t, err)

			r := b.run(t, "doctor")
			assert.Zero(t, r.code)
			assert.Empty(t, posts, "nothing is posted unless it is asked for")
			assert.Contains(t, r.out, "webhook_receiver: nothing is posted unless you ask")

			for _, args := range [][]string{{"--webhook-url", url}, {"--probe-webhooks"}, {"--probe-webhooks", "--webhook-url", url}} {
				posts = nil
				var report examined
				r := b.json(t, &report, append([]string{"doctor"}, args...)...)
				got, message, do := report.of("webhook_receiver")
				assert.Equal(t, test.status, got)
				assert.Contains(t, message, test.says)
				assert.Contains(t, do, test.do)
				assert.Equal(t, test.code, r.code)
				assert.NotContains(t, r.out, "for-ada")
				assert.NotContains(t, r.out, "ca5ec2e7")
				assert.Len(t, posts, test.posts, "%v: once each", args)
				for _, post := range posts {
					assert.Equal(t, "test.ping", post.Header.Get("X-Intram-Event"))
				}
			}
			text := b.run(t, "doctor", "--webhook-url", url).out
			assert.Contains(t, text, "/hooks/for-ada", "it is shown to the merchant")
			assert.NotContains(t, text, "ca5ec2e7", "but not its query")
		})
	}
}

// signedSomehow responds according to whether there is a signature, right or wrong.
func signedSomehow(without, with int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Intram-Signature") == "" {
			w.WriteHeader(without)
			return
		}
		w.WriteHeader(with)
	}
}

func TestTheDoctorTimesReceivers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b.server.Advance(6 * time.Second)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(receiver.Close)
	var report examined
	r := b.json(t, &report, "doctor", "--webhook-url", receiver.URL)
	status, message, do := report.of("webhook_receiver")
	assert.Equal(t, "warn", status)
	assert.Contains(t, message, "takes 6 seconds for it")
	assert.Contains(t, do, "within 5 seconds")
	assert.Zero(t, r.code)

	// One that is slow at one of the two events.
	var later atomic.Bool
	once := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !later.Swap(true) {
			b.server.Advance(7 * time.Second)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(once.Close)
	b.json(t, &report, "doctor", "--webhook-url", once.URL)
	status, message, _ = report.of("webhook_receiver")
	assert.Equal(t, "warn", status)
	assert.Contains(t, message, "takes 7 seconds for it")

	server, arrived := silence()
	silent := httptest.NewServer(server)
	t.Cleanup(silent.Close)
	b.edit = func(a *app) { a.within = untilArrived(arrived) }
	r = b.json(t, &report, "doctor", "--webhook-url", silent.URL)
	status, message, do = report.of("webhook_receiver")
	assert.Equal(t, "fail", status)
	assert.Contains(t, message, "no response within 15s", "Intram's own timeout, whatever --timeout is")
	assert.Contains(t, do, "gives up after 15 seconds")
	assert.Equal(t, exitNoAnswer, r.code)
}

// Receivers that Intram cannot reach, by their URLs alone.
func TestTheDoctorLooksAtTheURLsOfReceivers(t *testing.T) {
	t.Parallel()
	for url, test := range map[string]struct{ resolved, status, says string }{
		"http://shop.example.com/hook":   {"203.0.113.9", "fail", "is not https"},
		"https://shop.example.com/hook":  {"10.1.2.3", "fail", "no connection"},
		"https://nowhere.example.com/":   {"", "fail", "does not resolve"},
		"shop.example.com/hook":          {"203.0.113.9", "fail", "not a URL"},
		"https://shop.example.com/hook2": {"203.0.113.9", "fail", "refused the connection"},
	} {
		b := newConfigBench(t)
		b.leads("127.0.0.1:1")
		b.also(func(a *app) {
			a.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
				if test.resolved == "" || host == "api.intram.org" {
					return nil, &net.DNSError{Name: host, IsNotFound: true}
				}
				return []netip.Addr{netip.MustParseAddr(test.resolved)}, nil
			}
		})
		var report examined
		r := b.json(t, &report, "doctor", "--webhook-url", url)
		status, message, _ := report.of("webhook_receiver")
		assert.Equal(t, test.status, status, url)
		assert.NotContains(t, r.out, "shop.example.com")
		if test.says != "no connection" {
			assert.Contains(t, message, test.says)
		}
	}
}

func TestTheReadmeHasTheChecksOfTheDoctor(t *testing.T) {
	t.Parallel()
	readme := mustRead(t, filepath.Join("..", "..", "README.md"))
	assert.Contains(t, readme, doctorHelp)
	var report examined
	newBench(t).json(t, &report, "doctor")
	assert.Greater(t, len(report.Checks), 25)
	for _, c := range report.Checks {
		assert.Contains(t, readme, "`"+c.Name+"`")
	}
}

// A secret is in no output, whatever way it is given and whatever is wrong with it.
func TestTheDoctorShowsNoSecret(t *testing.T) {
	t.Parallel()
	// Each begins as a key does, and has the canary in it; none is accepted.
	const canary = "ca5ec2e7"
	secrets := map[string]string{
		"INTRAM_PUBLIC_KEY": "pk_sandbox_" + canary + "pub", "INTRAM_SECRET_KEY": "sk_sandbox_" + canary + "sec",
		"INTRAM_PAYIN_API_KEY": canary + "payin-key-0123", "INTRAM_PAYIN_API_CLIENT": canary + "payin-client-01",
		"INTRAM_WEBHOOK_SECRET": "whsec_" + canary + "hook",
	}
	spoil := map[string]func(string) string{
		"as it is": func(s string) string { return s }, "quoted": func(s string) string { return `"` + s + `"` },
		"line break": func(s string) string { return s + "\n" }, "BOM": func(s string) string { return "\uFEFF" + s },
		"comment": func(s string) string { return s + " # mine" }, "two": func(s string) string { return s + " " + s },
		"live": func(s string) string { return strings.Replace(s, "_sandbox_", "_live_", 1) },
		"case": strings.ToUpper, "no prefix": func(s string) string { return s[strings.LastIndex(s, "_")+1:] },
		"other kind": func(s string) string {
			return strings.NewReplacer("pk_", "sk_", "sk_", "pk_", "whsec_", "sk_").Replace(s)
		},
		"not UTF-8": func(s string) string { return s + "\xff" }, "escape": func(s string) string { return "\x1b[2J" + s },
		"named again": func(s string) string { return "INTRAM_SECRET_KEY=" + s },
	}
	places := map[string]func(*testing.T, *bench, map[string]string){
		"environment": func(_ *testing.T, b *bench, values map[string]string) { maps.Copy(b.env, values) },
		"files": func(t *testing.T, b *bench, values map[string]string) {
			t.Helper()
			for name, value := range values {
				if name == "INTRAM_PUBLIC_KEY" {
					b.env[name] = value
					continue
				}
				b.env[name+"_FILE"] = b.file(t, name, value)
			}
		},
		"configuration": func(t *testing.T, b *bench, values map[string]string) {
			t.Helper()
			config := "[profiles.sandbox]\n"
			for name, value := range values {
				data, err := json.Marshal(strings.ToValidUTF8(value, "?"))
				require.NoError(t, err)
				config += strings.ToLower(strings.TrimPrefix(name, "INTRAM_")) + " = " + string(data) + "\n"
			}
			b.env["INTRAM_CONFIG"] = b.file(t, "c.toml", config)
		},
		"where other values belong": func(_ *testing.T, b *bench, values map[string]string) {
			secret := values["INTRAM_SECRET_KEY"]
			for _, name := range []string{"INTRAM_BASE_URL", "INTRAM_PAYIN_BASE_URL", "INTRAM_TIMEOUT", "INTRAM_SECRETKEY", "INTRAM_WEBHOOK_SECRET_FILE", "INTRAM_PAYIN_API_KEY_FILE"} {
				b.env[name] = secret
			}
			b.env["HTTPS_PROXY"], b.env["HTTP_PROXY"], b.env["ALL_PROXY"] = "http://ada:"+secret+"@127.0.0.1:1", "http://"+secret+"@127.0.0.1:1", secret
		},
		"as profile": func(_ *testing.T, b *bench, values map[string]string) {
			b.env["INTRAM_PROFILE"] = values["INTRAM_SECRET_KEY"]
		},
		"as file": func(_ *testing.T, b *bench, values map[string]string) {
			b.env["INTRAM_CONFIG"] = values["INTRAM_SECRET_KEY"]
		},
		"in URLs": func(_ *testing.T, b *bench, _ map[string]string) {
			b.env["INTRAM_BASE_URL"] = "https://ada:" + canary + "@api.intram.org/v1?key=" + canary + "#" + canary
			b.env["INTRAM_PAYIN_BASE_URL"] = "http://" + canary + "@127.0.0.1:1?" + canary
		},
	}
	for place, put := range places {
		for name, change := range spoil {
			t.Run(place+", "+name, func(t *testing.T) {
				t.Parallel()
				for _, format := range [][]string{nil, {"--json"}, {"--verbose"}} {
					if strings.HasPrefix(place, "as ") && name == "no prefix" {
						continue // nothing tells that it is one
					}
					b := newBench(t)
					b.leads("127.0.0.1:1")
					server := b.env["INTRAM_BASE_URL"]
					b.env = map[string]string{"INTRAM_BASE_URL": server, "INTRAM_PAYIN_BASE_URL": server}
					values := map[string]string{}
					for variable, secret := range secrets {
						values[variable] = change(secret)
					}
					put(t, b, values)
					r := b.run(t, append([]string{"doctor"}, format...)...)
					assert.NotZero(t, r.code)
					text := r.out + r.err
					assert.NotContains(t, strings.ToLower(text), canary)
					assert.NotContains(t, text, "\x1b")
				}
			})
		}
	}
}

// The words tell all, and a terminal that shows them gets the signs too.
func TestTheDoctorSignsForTerminalsThatShowThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env      map[string]string
		terminal bool
		want     string
	}{
		{map[string]string{"TERM": "xterm", "LANG": "en_GB.UTF-8"}, true, "✓ ok       version"},
		{map[string]string{"TERM": "xterm", "LANG": "en_GB.UTF-8"}, false, "ok       version"},
		{map[string]string{"TERM": "dumb", "LANG": "en_GB.UTF-8"}, true, "ok       version"},
		{map[string]string{"TERM": "xterm", "LANG": "en_GB.UTF-8", "LC_ALL": "C"}, true, "ok       version"},
		{map[string]string{"TERM": "xterm"}, true, "ok       version"},
	} {
		b := newConfigBench(t)
		maps.Copy(b.env, test.env)
		b.leads("127.0.0.1:1")
		b.also(func(a *app) { a.isTerminal = func(any) bool { return test.terminal } })
		out := b.run(t, "doctor").out
		assert.True(t, strings.HasPrefix(out, test.want), "%v: %.40q", test.env, out)
		signs := strings.HasPrefix(test.want, "✓")
		assert.Equal(t, signs, strings.Contains(out, "✗ FAIL     public_key: not set\n           -> "))
		assert.Equal(t, !signs, strings.Contains(out, "FAIL     public_key: not set\n         -> "))
	}
}

// Ctrl-C ends it, with the status of the other commands.
func TestTheDoctorIsInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.edit = func(a *app) {
		a.dial = func(context.Context, string, string) (net.Conn, error) { cancel(); return nil, ctx.Err() }
	}
	r := b.runWith(t, ctx, "doctor")
	assert.Equal(t, exitInterrupted, r.code)
	assert.Empty(t, r.out)
}

// public makes the fake the API at its documented address.
func (b *bench) public(t *testing.T) {
	t.Helper()
	address, authority := secureServer(t, b.server, testTime.Add(-24*time.Hour), testTime.Add(90*24*time.Hour))
	delete(b.env, "INTRAM_BASE_URL")
	b.leads(address, "203.0.113.9")
	b.also(trusts(authority))
}

// A dead address leaves the next one its share of the time.
func TestTheDoctorSharesTheTimeAmongAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.public(t)
	var shares []time.Duration
	b.also(func(a *app) {
		a.lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("203.0.113.8"), netip.MustParseAddr("203.0.113.9")}, nil
		}
		var share time.Duration // of the step that began last
		a.within = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			share = d
			return context.WithTimeout(ctx, d)
		}
		dial := a.dial
		a.dial = func(ctx context.Context, network, asked string) (net.Conn, error) {
			shares = append(shares, share)
			if strings.HasPrefix(asked, "203.0.113.8:") {
				return nil, context.DeadlineExceeded
			}
			return dial(ctx, network, asked)
		}
	})
	var report examined
	b.json(t, &report, "doctor", "--timeout", "20s")
	status, _, _ := report.of("response")
	assert.Equal(t, "ok", status)
	require.GreaterOrEqual(t, len(shares), 2)
	assert.Equal(t, []time.Duration{10 * time.Second, 10 * time.Second}, shares[:2])
}

// What is subscribed is judged by its URL, unless the API is this machine's.
func TestTheDoctorLooksAtTheSubscriptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		urls             []string
		resolved         string
		public           bool
		status, says, do string
	}{
		"well":             {[]string{"https://shop.example.com/hook"}, "203.0.113.9", true, "ok", "1 subscription: payout.*; the URLs were looked at, not called", ""},
		"this machine":     {[]string{"http://127.0.0.1:9/hook"}, "203.0.113.9", true, "warn", "is this machine, which Intram cannot reach", "public https URL"},
		"this machine too": {[]string{"http://127.0.0.1:9/hook"}, "203.0.113.9", false, "ok", "1 subscription", ""},
		"private network":  {[]string{"https://shop.example.com/hook"}, "192.168.1.7", true, "warn", "an address of a private network", "public address"},
		"private in part":  {[]string{"https://shop.example.com/hook"}, "203.0.113.9 192.168.1.7", true, "warn", "an address of a private network", "public address"},
		"no such host":     {[]string{"https://shop.example.com/hook"}, "", true, "fail", "does not resolve from here", "DNS record"},
		"twice":            {[]string{"https://shop.example.com/hook", "https://shop.example.com/hook"}, "203.0.113.9", true, "warn", "each event comes twice", "intram webhooks delete"},
		"none":             {nil, "203.0.113.9", true, "ok", "no subscriptions", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for _, url := range test.urls {
				_, err := b.server.Client().Webhooks.Create(t.Context(), intram.WebhookParams{URL: url, Event: "payout.*"})
				require.NoError(t, err)
			}
			if test.public {
				b.public(t)
			}
			b.also(func(a *app) {
				a.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
					ip := test.resolved
					if host == "api.intram.org" {
						ip = "203.0.113.9"
					}
					if ip == "" {
						return nil, nil
					}
					var all []netip.Addr
					for one := range strings.SplitSeq(ip, " ") {
						all = append(all, netip.MustParseAddr(one))
					}
					return all, nil
				}
			})
			var report examined
			r := b.json(t, &report, "doctor")
			status, message, do := report.of("webhooks")
			assert.Equal(t, test.status, status)
			assert.Contains(t, message, test.says)
			assert.Contains(t, do, test.do)
			assert.NotContains(t, r.out, "shop.example.com", "not in an issue")
			assert.NotContains(t, r.out, "192.168.1.7")
			if test.status != "ok" && len(test.urls) == 1 {
				assert.Contains(t, b.run(t, "doctor").out, test.urls[0], "it is shown to the merchant")
			}
		})
	}
}

// A merchant with payin keys alone has no keys of the Merchant API to miss.
func TestTheDoctorWorksForPayinsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	delete(b.env, "INTRAM_PUBLIC_KEY")
	delete(b.env, "INTRAM_SECRET_KEY")
	var report examined
	r := b.json(t, &report, "doctor")
	assert.Zero(t, r.code, r.out)
	for name, want := range map[string]string{"public_key": "skipped", "secret_key": "skipped", "authentication": "skipped", "payin_keys": "ok", "payin_response": "ok", "payin_authentication": "ok"} {
		status, message, _ := report.of(name)
		assert.Equal(t, want, status, "%s: %s", name, message)
	}

	// Its documented address follows from the environment, which its keys do not tell.
	delete(b.env, "INTRAM_PAYIN_BASE_URL")
	b.leads("127.0.0.1:1", "203.0.113.9")
	b.env["INTRAM_CONFIG"] = b.file(t, "c.toml", "profile = \"adas-shop\"\n[profiles.adas-shop]\n")
	r = b.json(t, &report, "doctor")
	status, message, do := report.of("payin_base_url")
	assert.Equal(t, "fail", status)
	assert.Contains(t, message, "the environment of the profile [name] is not known")
	assert.Contains(t, do, `environment = "live"`)
	assert.NotContains(t, r.out, "adas-shop")
	for environment, host := range map[string]string{"live": "https://business.novasend.app", "sandbox": "https://sandbox.novasend.app"} {
		b.env["INTRAM_CONFIG"] = b.file(t, "c.toml", "profile = \"adas-shop\"\n[profiles.adas-shop]\nenvironment = \""+environment+"\"\n")
		b.json(t, &report, "doctor")
		status, message, _ = report.of("payin_base_url")
		assert.Equal(t, "ok", status)
		assert.Contains(t, message, host+", from the default")
	}
}

// No key leaves this machine before the API itself has responded to a read without one.
func TestTheDoctorGivesItsKeysToTheAPIAlone(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"page": page(200), "maintenance": page(503), "redirect": page(302, "Location", "https://elsewhere.example/"),
		"JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"no route"}`))
		},
	} {
		b := newBench(t)
		var seen []*http.Request
		b.serves(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = append(seen, r); h(w, r) }))
		b.env["INTRAM_PAYIN_BASE_URL"] = b.env["INTRAM_BASE_URL"]
		if name == "JSON" { // which the payin API's check of health is judged by leniently, but for its status
			delete(b.env, "INTRAM_PAYIN_API_KEY")
			delete(b.env, "INTRAM_PAYIN_API_CLIENT")
		}
		r := b.run(t, "doctor")
		assert.Equal(t, exitNoAnswer, r.code, name)
		require.NotEmpty(t, seen)
		for _, request := range seen {
			assert.Equal(t, http.MethodGet, request.Method)
			for _, header := range []string{"X-Api-Key", "X-Signature", "Authorization", "Cookie"} {
				assert.Empty(t, request.Header.Get(header), "%s: %s", name, header)
			}
		}
	}
	b := newBench(t)
	b.ok(t, "doctor")
	requests := b.server.Requests()
	require.GreaterOrEqual(t, len(requests), 5)
	assert.Empty(t, requests[0].PublicKey)
	for _, sent := range requests {
		assert.Equal(t, http.MethodGet, sent.Method, "it never writes")
	}
}

// With --verbose the merchant reads what the API says, and an issue does not.
func TestTheDoctorShowsTheAPIsWordsWhenAsked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["INTRAM_SECRET_KEY"] = "sk_sandbox_ca5ec2e7ca5ec2e7"
	assert.NotContains(t, b.run(t, "doctor").out, "the API says")
	assert.Contains(t, strings.Join(strings.Fields(b.run(t, "doctor", "--verbose").out), " "), "the API says: Signature verification failed: signature_mismatch")
	assert.NotContains(t, b.run(t, "doctor", "--verbose", "--json").out, "verification failed")
}
