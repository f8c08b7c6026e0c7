package mockapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBothPrefixesAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for prefix, status := range map[string]int{"/v1": 200, "/api/v1/merchant": 200, "/v2": 404} {
		f.do(call{method: "GET", endpoint: "/balance", prefix: prefix}).ok(status)
	}
	// The path of the URL that was called is not the signed one.
	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
		r.Header.Set("X-Signature", sign(f.keys.Secret, r.Header.Get("X-Timestamp")+"\nGET\n/v1/balance\n\n"))
	}}).refused(401, "signature_invalid")
}

func TestUnknownPathsAreTheProxysHTML(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, path := range []string{"/v2/balance", "/v1/nothing", "/v1/balance/", "/v1/operations/op_1/", "/v1/operations/a/b", "/", "/v1", "/v1/webhooks//test"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.intram.test"+path, http.NoBody)
		require.NoError(t, err)
		resp, err := f.s.Transport().RoundTrip(r)
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		assert.Equal(t, 404, resp.StatusCode, path)
		assert.Equal(t, "text/html", resp.Header.Get("Content-Type"))
		assert.Contains(t, string(body), "<title>404 Not Found</title>")
	}
}

func TestWrongMethodIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, c := range []struct{ method, endpoint, allow string }{
		{"POST", "/balance", "GET"},
		{"GET", "/payouts", "POST"},
		{"DELETE", "/webhooks", "GET, POST"},
		{"PUT", "/operations/op_1", "GET"},
		{"PATCH", "/refunds", "POST"},
	} {
		a := f.do(call{method: c.method, endpoint: c.endpoint})
		a.ok(405)
		assert.Equal(t, c.allow, a.header.Get("Allow"), c.endpoint)
		assert.Equal(t, "text/html", a.header.Get("Content-Type"))
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	a := f.do(call{method: "HEAD", endpoint: "/balance"}).ok(200)
	assert.Empty(t, a.body)
}

func TestSignatureReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason string
		edit   func(h http.Header)
	}{
		{"missing_signature", func(h http.Header) { h.Del("X-Signature") }},
		{"missing_signature", func(h http.Header) { h.Del("X-Signature"); h.Del("X-Timestamp") }},
		{"missing_timestamp", func(h http.Header) { h.Del("X-Timestamp") }},
		{"invalid_timestamp_format", func(h http.Header) { h.Set("X-Timestamp", "1716200000") }},
		{"invalid_timestamp_format", func(h http.Header) { h.Set("X-Timestamp", "2026-05-20T10:30:00") }},
		{"invalid_timestamp_format", func(h http.Header) { h.Set("X-Timestamp", "2026-05-20") }},
		{"invalid_timestamp_format", func(h http.Header) { h.Set("X-Timestamp", "2026-13-20T10:30:00.000Z") }},
		{"timestamp_out_of_window", func(h http.Header) { h.Set("X-Timestamp", wireTime(start.Add(-5*time.Minute-time.Millisecond))) }},
		{"timestamp_out_of_window", func(h http.Header) { h.Set("X-Timestamp", wireTime(start.Add(5*time.Minute+time.Millisecond))) }},
		{"timestamp_out_of_window", func(h http.Header) { h.Set("X-Timestamp", start.Add(-301*time.Second).Format(time.RFC3339)) }},
		{"timestamp_out_of_window", func(h http.Header) { h.Set("X-Timestamp", start.UTC().Format("2006-01-02T15:04:05")+"+01:00") }},
		{"signature_mismatch", func(h http.Header) { h.Set("X-Timestamp", start.UTC().Format("2006-01-02T15:04:05Z")) }}, // signed in another form
		{"signature_mismatch", func(h http.Header) { h.Set("X-Signature", "sha256=00") }},
		{"signature_mismatch", func(h http.Header) { h.Set("X-Timestamp", wireTime(start.Add(time.Millisecond))) }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			a := f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { c.edit(r.Header) }})
			a.refused(401, "signature_invalid")
			assert.Equal(t, "Signature verification failed: "+c.reason, a.text("message"))
			logged := f.s.Requests()[0]
			assert.Equal(t, c.reason, logged.Reason)
			assert.True(t, strings.HasSuffix(logged.Canonical(), "\nGET\n/api/v1/merchant/balance\n\n"), logged.Canonical())
		})
	}
}

func TestTimestampWindowIncludesItsEdges(t *testing.T) {
	t.Parallel()
	for off, status := range map[time.Duration]int{
		-5*time.Minute - time.Millisecond: 401, -5 * time.Minute: 200, 5 * time.Minute: 200, 5*time.Minute + 2*time.Millisecond: 401,
	} {
		f := newFixture(t, Config{Start: start.Add(400 * time.Microsecond)}) // the wire only has milliseconds
		f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
			at := wireTime(start.Add(off))
			r.Header.Set("X-Timestamp", at)
			r.Header.Set("X-Signature", signature(f.keys.Secret, at, "GET", "/balance", "", ""))
		}}).ok(status)
	}
}

// Every form of a moment is good, with the bytes of the header signed as they are.
func TestTimestampsOfEveryISOForm(t *testing.T) {
	t.Parallel()
	for layout, zone := range map[string]int{
		"2006-01-02T15:04:05Z": 0, "2006-01-02T15:04:05.0Z": 0, "2006-01-02T15:04:05.000000Z": 0, "2006-01-02T15:04:05,000000000Z": 0,
		"2006-01-02T15:04:05-07:00": 0, "2006-01-02T15:04:05.000000-07:00": 3600, "2006-01-02T15:04:05-0700": -16200, "2006-01-02T15:04:05-07": 0,
	} {
		f := newFixture(t, Config{})
		at := start.In(time.FixedZone("", zone)).Format(layout)
		f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
			r.Header.Set("X-Timestamp", at)
			r.Header.Set("X-Signature", signature(f.keys.Secret, at, "GET", "/balance", "", ""))
		}}).ok(200)
		assert.True(t, strings.HasPrefix(f.s.Requests()[0].Canonical(), at+"\nGET\n"), at)
	}
}

func TestAPIKeyErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { r.Header.Del("X-Api-Key") }}).refused(401, "missing_api_key")
	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { r.Header.Set("X-Api-Key", "pk_sandbox_nobody") }}).refused(401, "invalid_api_key")
	require.NoError(t, f.s.SetMerchantActive(f.keys.Public, false))
	f.get("/balance").ok(200) // the sandbox is open to accounts that are not validated yet
	f.keys = f.s.Merchant().Live
	f.get("/balance").refused(403, "merchant_inactive")
	require.NoError(t, f.s.SetMerchantActive(f.keys.Public, true))
	f.get("/balance").refused(403, "ip_allowlist_empty")
	require.Error(t, f.s.SetMerchantActive("pk_nobody", true))
	require.Error(t, f.s.SetIPAllowlist("pk_nobody"))
}

// Each request below has every mistake from its own on, so the response shows which check
// comes first.
func TestChecksComeInTheDocumentedOrder(t *testing.T) {
	t.Parallel()
	wrongs := []struct {
		code  string
		apply func(f *fixture, r *http.Request)
	}{
		{"missing_api_key", func(_ *fixture, r *http.Request) { r.Header.Del("X-Api-Key") }},
		{"merchant_inactive", func(f *fixture, _ *http.Request) { _ = f.s.SetMerchantActive(f.keys.Public, false) }},
		{"ip_not_allowed", func(f *fixture, _ *http.Request) { _ = f.s.SetIPAllowlist(f.keys.Public, "203.0.113.1") }},
		{"signature_invalid", func(_ *fixture, r *http.Request) { r.Header.Set("X-Signature", "sha256=00") }},
		{"missing_idempotency_key", func(_ *fixture, r *http.Request) { r.Header.Del("Idempotency-Key") }},
		{"invalid_body", nil},
	}
	for first := range wrongs {
		t.Run(wrongs[first].code, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: []string{"127.0.0.1"}}})
			f.keys = f.s.Merchant().Live
			status := map[string]int{"missing_api_key": 401, "merchant_inactive": 403, "ip_not_allowed": 403, "signature_invalid": 401}[wrongs[first].code]
			if status == 0 {
				status = 400
			}
			f.do(call{method: "POST", endpoint: "/payouts", body: "not json", edit: func(r *http.Request) {
				for _, wrong := range wrongs[first:] {
					if wrong.apply != nil {
						wrong.apply(f, r)
					}
				}
			}}).refused(status, wrongs[first].code)
		})
	}
}

func TestRefusedAddressIsNotEvenRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	r := f.request(call{method: "POST", endpoint: "/payouts", body: "{}", keys: f.s.Merchant().Live})
	body := &readCounter{Reader: strings.NewReader("{}")}
	r.Body = io.NopCloser(body)
	w := &recorder{header: http.Header{}, request: r}
	f.s.ServeHTTP(w, r)
	assert.Equal(t, 403, w.status)
	assert.Zero(t, body.reads)
}

type readCounter struct {
	io.Reader
	reads int
}

func (r *readCounter) Read(b []byte) (int, error) { r.reads++; return r.Reader.Read(b) }

func TestLiveAllowlist(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		allowlist []string
		peer      string
		realIP    string
		proxies   []string
		code      string
		shown     string
	}{
		{name: "empty", peer: "203.0.113.7", code: "ip_allowlist_empty"},
		{name: "exact", allowlist: []string{"203.0.113.7"}, peer: "203.0.113.7:4711"},
		{name: "another", allowlist: []string{"203.0.113.7"}, peer: "203.0.113.8", code: "ip_not_allowed", shown: "203.0.113.8"},
		{name: "cidr", allowlist: []string{"203.0.113.0/28"}, peer: "203.0.113.15"},
		{name: "outside cidr", allowlist: []string{"203.0.113.0/28"}, peer: "203.0.113.16", code: "ip_not_allowed", shown: "203.0.113.16"},
		{name: "unmasked cidr", allowlist: []string{"203.0.113.9/28"}, peer: "203.0.113.1"},
		{name: "v6", allowlist: []string{"2001:db8::1"}, peer: "[2001:db8::1]:443"},
		{name: "v6 cidr", allowlist: []string{"2001:db8::/32"}, peer: "2001:db8:1::2"},
		{name: "outside v6 cidr", allowlist: []string{"2001:db8::/32"}, peer: "2001:db9::1", code: "ip_not_allowed", shown: "2001:db9::1"},
		{name: "v4 in v6", allowlist: []string{"203.0.113.7"}, peer: "::ffff:203.0.113.7"},
		{name: "second of two", allowlist: []string{"198.51.100.1", "203.0.113.7"}, peer: "203.0.113.7"},
		{name: "X-Real-IP of a stranger", allowlist: []string{"203.0.113.7"}, peer: "198.51.100.1", realIP: "203.0.113.7", code: "ip_not_allowed", shown: "198.51.100.1"},
		{name: "X-Real-IP of the proxy", allowlist: []string{"203.0.113.7"}, peer: "198.51.100.1", realIP: "203.0.113.7", proxies: []string{"198.51.100.0/24"}},
		{name: "proxy without X-Real-IP", allowlist: []string{"203.0.113.7"}, peer: "198.51.100.1", proxies: []string{"198.51.100.1"}, code: "ip_not_allowed", shown: "198.51.100.1"},
		{name: "nonsense in X-Real-IP", allowlist: []string{"203.0.113.7"}, peer: "198.51.100.1", realIP: "x", proxies: []string{"198.51.100.1"}, code: "ip_not_allowed", shown: "198.51.100.1"},
		{name: "no address at all", allowlist: []string{"203.0.113.7"}, peer: "pipe", code: "ip_not_allowed", shown: "pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{
				Merchant: MerchantConfig{IPAllowlist: c.allowlist}, PeerAddress: c.peer, TrustedProxies: c.proxies,
			})
			edit := func(r *http.Request) {
				if c.realIP != "" {
					r.Header.Set("X-Real-IP", c.realIP)
				}
			}
			f.do(call{method: "GET", endpoint: "/balance", edit: edit}).ok(200) // the sandbox has no allowlist
			a := f.do(call{method: "GET", endpoint: "/balance", keys: f.s.Merchant().Live, edit: edit})
			if c.code == "" {
				a.ok(200)
				return
			}
			a.refused(403, c.code)
			if c.shown != "" {
				assert.Equal(t, c.shown, a.text("client_ip"))
			} else {
				assert.NotContains(t, string(a.body), "client_ip")
			}
		})
	}
}

func TestAllowlistEntries(t *testing.T) {
	t.Parallel()
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf("203.0.113.%d", i)
	}
	for _, c := range []struct {
		name    string
		entries []string
		wrong   string
	}{
		{"nonsense", []string{"example.com"}, `"example.com" is neither`},
		{"nonsense range", []string{"203.0.113.0/33"}, "is neither"},
		{"everything", []string{"0.0.0.0/0"}, "allows every address"},
		{"everything in v6", []string{"::/0"}, "allows every address"},
		{"too many", many, "21 entries, at most 20"},
	} {
		_, err := New(Config{Merchant: MerchantConfig{IPAllowlist: c.entries}})
		assert.ErrorContains(t, err, c.wrong, c.name)
	}
	f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: many[:20]}})
	require.NoError(t, f.s.SetIPAllowlist(f.keys.Public, "127.0.0.1"))
	f.do(call{method: "GET", endpoint: "/balance", keys: f.s.Merchant().Live}).ok(200)
	require.Error(t, f.s.SetIPAllowlist(f.keys.Public, many...))
	_, err := New(Config{TrustedProxies: []string{"proxy"}})
	require.ErrorContains(t, err, "TrustedProxies")
}

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	big := strings.Repeat(" ", maxBody+1)
	f.do(call{method: "POST", endpoint: "/payouts", body: big}).ok(413)
	f.do(call{method: "POST", endpoint: "/payouts", body: "", key: "no-body-1"}).refused(400, "invalid_body")

	// A body of unknown length, as a chunked request has it.
	chunked := func(body string) int {
		r := f.request(call{method: "POST", endpoint: "/payouts", body: body})
		r.ContentLength = -1
		r.Body = io.NopCloser(strings.NewReader(body))
		w := &recorder{header: http.Header{}, request: r}
		f.s.ServeHTTP(w, r)
		return w.status
	}
	assert.Equal(t, 202, chunked(payoutBody(1, "22961234567")))
	assert.Equal(t, 413, chunked(big))

	// A client that leaves before its body is complete gets no response, and nothing is
	// executed.
	r := f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567")})
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingReader{}))
	w := &recorder{header: http.Header{}, request: r}
	f.s.ServeHTTP(w, r)
	assert.Equal(t, cutSilently, w.ended)
	r = f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567")})
	r.Body = io.NopCloser(strings.NewReader("{"))
	w = &recorder{header: http.Header{}, request: r}
	f.s.ServeHTTP(w, r)
	assert.Equal(t, cutSilently, w.ended)
	assert.EqualValues(t, 999_999, f.wallet(mtnBenin))
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestEnvironmentsAndMerchantsAreIsolated(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: []string{"127.0.0.1"}}})
	other, err := f.s.AddMerchant(MerchantConfig{Name: "Other"})
	require.NoError(t, err)
	id := f.payout(1000, "22961234567")
	_, reference := f.requestPayment(5000, mtnBenin, "22961234567")
	whs, _ := f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
	for name, keys := range map[string]Keys{"live": f.s.Merchant().Live, "other merchant": other.Sandbox} {
		stranger := func(method, endpoint, body string) answer {
			return f.do(call{method: method, endpoint: endpoint, body: body, keys: keys})
		}
		stranger("GET", "/operations/"+id, "").refused(404, "operation_not_found")
		stranger("GET", "/transactions/"+reference, "").refused(404, "transaction_not_found")
		stranger("POST", "/refunds", refundBody(reference, 0)).refused(404, "transaction_not_found")
		stranger("DELETE", "/webhooks/"+whs, "").refused(404, "webhook_not_found")
		stranger("POST", "/webhooks/"+whs+"/test", "{}").refused(404, "webhook_not_found")
		assert.Empty(t, stranger("GET", "/operations", "").ok(200).at("data"), name)
		assert.Empty(t, stranger("GET", "/transactions", "").ok(200).at("data"), name)
		assert.Empty(t, stranger("GET", "/webhooks", "").ok(200).at("data"), name)
		assert.Equal(t, "1000000", stranger("GET", "/balance", "").ok(200).at("data.payment_method_balances.0.available"), name)
	}
	assert.Equal(t, "live", f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1, "22961234567"), keys: f.s.Merchant().Live}).ok(202).text("data.env"))
}
