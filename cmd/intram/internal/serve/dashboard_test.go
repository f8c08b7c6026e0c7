package serve

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// inProcess is a server in the test's own process: everything of "intram serve" but the
// file that tells where it is.
type inProcess struct {
	*server
	t *testing.T
}

func startInProcess(t *testing.T, change ...func(*options)) *inProcess {
	t.Helper()
	o := options{addr: "127.0.0.1:0", clock: clockRunning, work: "at-once", seed: 4010, out: io.Discard}
	for _, c := range change {
		c(&o)
	}
	require.NoError(t, o.check())
	s := &server{options: o}
	require.NoError(t, s.open(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = s.web.Serve(s.listener) }()
	t.Cleanup(func() {
		assert.NoError(t, s.shutdown())
		s.close()
		<-done
	})
	return &inProcess{s, t}
}

func (s *inProcess) client(options ...intram.ClientOption) *intram.Client {
	s.t.Helper()
	keys := s.core.Merchant().Sandbox
	c, err := intram.NewClient(keys.Public, keys.Secret, append([]intram.ClientOption{intram.WithBaseURL(s.url), intram.WithMaxAttempts(1)}, options...)...)
	require.NoError(s.t, err)
	return c
}

// something makes one of everything, and returns the pages that show it.
func (s *inProcess) something(note string) []string {
	s.t.Helper()
	t, ctx, client := s.t, s.t.Context(), s.client()
	handler := servetest.NewReceiver(t)
	sub, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: handler.URL, Event: intram.EventAll})
	require.NoError(t, err)
	params := servetest.Payout("22961000000", 1000)
	params.Note, params.Reference = note, note
	op, err := client.Payouts.Create(ctx, params)
	require.NoError(t, err)
	request, err := client.PaymentRequests.Create(ctx, servetest.PaymentRequest(12000, note))
	require.NoError(t, err)
	m := s.core.Merchant().SandboxPayin
	payins, err := intram.NewPayinClient(m.APIKey, m.APIClient, intram.WithPayinBaseURL(s.url))
	require.NoError(t, err)
	payin, err := payins.CreateSession(ctx, intram.PayinSessionParams{
		Reference: "7d0c2c1e-6f0e-4b51-9d57-1c9d3c1b7a10", Amount: intram.NewAmount(3000), MSISDN: "+2250700000000", CustomerName: "Ada",
		Country: "CI", SuccessURL: "https://shop.example.com/merci", FailureURL: "https://shop.example.com/panier",
	})
	require.NoError(t, err)
	_, err = client.Operations.Get(ctx, "op_none")
	require.Error(t, err)
	require.NoError(t, s.core.Idle(ctx))
	require.NotEmpty(t, sub.Secret)
	pages := []string{"", "requests", "operations", "transactions", "payins", "wallets", "webhooks", "faults", "numbers", "search", "search?q=0000", "requests?polls=each"}
	for _, r := range s.core.Requests() {
		pages = append(pages, "requests/"+r.ID)
	}
	for _, d := range s.core.Deliveries() {
		pages = append(pages, "deliveries/"+d.ID)
	}
	reference := servetest.ReferenceOf(t, client, request)
	session, err := s.core.Payin(payin.Reference)
	require.NoError(t, err)
	return append(pages, "operations/"+op.ID, "operations/"+request.ID, "transactions/"+reference, "payins/"+session.ID)
}

func TestEveryPageIsWholeInBothLanguagesAndEscapesWhatItShows(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	const note = `<script>alert("note")</script>`
	pages := s.something(note)
	escaped := 0
	for _, path := range pages {
		for lang, word := range map[string]string{"en": "Test server", "fr": "Serveur de test"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/_intram/sandbox/"+path, nil)
			require.NoError(t, err)
			r.Header.Set("Accept-Language", lang)
			status, body := servetest.NewFormBrowser(t, s.url).Send(r)
			require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
			assert.Contains(t, body, word, path)
			assert.Contains(t, body, `<html lang="`+lang+`">`)
			assert.True(t, strings.HasSuffix(strings.TrimSpace(body), "</html>"), "%s is cut off", path)
			assert.NotContains(t, body, "<script>alert", path)
			assert.Len(t, regexp.MustCompile(`<h1`).FindAllString(body, -1), 1, path)
			assertLabelled(t, path, body)
			if strings.Contains(html.UnescapeString(strings.ReplaceAll(body, `\u0026`, "&")), "alert(") {
				escaped++
			}
		}
	}
	assert.Positive(t, escaped, "no page shows the note: nothing was tested")
	for _, path := range []string{"nothing", "operations/op_none", "requests/req_0", "deliveries/whd_0", "payins/x", "transactions/ZZZZZZZZZZ"} {
		status, _ := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/" + path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	// What is of one environment is not in the other.
	status, _ := servetest.NewFormBrowser(t, s.url).Get("/_intram/live/" + pages[len(pages)-1])
	assert.Equal(t, http.StatusNotFound, status)
}

// assertLabelled checks that each field has a label, each button words, each id one
// place, and each header of a table a scope.
func assertLabelled(t *testing.T, path, body string) {
	t.Helper()
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bid="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		assert.False(t, ids[m[1]], "%s: the id %s is there twice", path, m[1])
		ids[m[1]] = true
	}
	for _, field := range regexp.MustCompile(`<(?:input|select)\b[^>]*>`).FindAllString(body, -1) {
		if strings.Contains(field, `type="hidden"`) || strings.Contains(field, `type="checkbox"`) {
			continue
		}
		id := regexp.MustCompile(`\bid="([^"]+)"`).FindStringSubmatch(field)
		if assert.NotNil(t, id, "%s: %s", path, field) {
			assert.Contains(t, body, `<label for="`+id[1]+`"`, path)
		}
	}
	for _, th := range regexp.MustCompile(`<th\b[^>]*>`).FindAllString(body, -1) {
		assert.Contains(t, th, "scope=", path)
	}
}

func TestThePageActsWithoutAScript(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, func(o *options) { o.work = "by-hand" })
	b := servetest.NewFormBrowser(t, s.url)
	client := s.client()
	create := func() string {
		op, err := client.Payouts.Create(t.Context(), servetest.Payout("22961000000", 1000))
		require.NoError(t, err)
		return op.ID
	}
	status := func(id string) string {
		op, ok := s.core.Operation(id)
		require.True(t, ok)
		return op.Status + " " + op.ErrorCode
	}
	id := create()
	b.Act("process", "id", id)
	assert.Equal(t, "processing ", status(id))
	assert.Contains(t, b.Act("complete", "id", id), "completed")
	assert.Equal(t, "succeeded ", status(id))
	id = create()
	b.Act("fail", "id", id, "code", "provider_rejected")
	assert.Equal(t, "failed provider_rejected", status(id))

	handler := servetest.NewReceiver(t)
	b.Act("subscribe", "environment", "sandbox", "url", handler.URL, "event", "payout.*")
	subscriptions := s.core.Subscriptions("sandbox")
	require.Len(t, subscriptions, 1)
	b.Act("trigger", "id", id, "event", "payout.completed")
	d := handler.Acknowledged(t, "payout.completed", id)
	require.NoError(t, s.core.Idle(t.Context()))
	b.Act("resend", "id", d.Header.Get("X-Intram-Delivery"))
	require.NoError(t, s.core.Idle(t.Context()))
	assert.Len(t, s.core.Deliveries()[0].Attempts, 2)
	b.Act("ping", "id", subscriptions[0].ID)
	handler.Acknowledged(t, "test.ping", "op_test")
	b.Act("rotate", "id", subscriptions[0].ID)
	assert.NotEqual(t, subscriptions[0].Secret, s.core.Subscriptions("sandbox")[0].Secret)
	b.Act("unsubscribe", "id", subscriptions[0].ID)
	assert.Empty(t, s.core.Subscriptions("sandbox"))

	before := s.core.Clock().Now()
	b.Act("advance", "by", "2h")
	assert.Greater(t, s.core.Clock().Now().Sub(before), 2*time.Hour)
	b.Act("presets", "preset", "outage", "preset", "late-webhooks")
	assert.Equal(t, []string{"late-webhooks", "outage"}, s.presets.Names())
	b.Act("add_fault", "kind", "server_error", "on", "GET /balance", "times", "3")
	assert.Len(t, s.core.PendingFaults(), 1)
	b.Act("clear_faults")
	assert.Empty(t, s.core.PendingFaults())
	assert.Empty(t, s.presets.Names())
}

func TestAMistakeInAFormIsExplainedOnThePage(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	for name, tt := range map[string]struct {
		do     string
		fields []string
		want   string
	}{
		"an unknown operation":  {"complete", []string{"id", "op_none"}, "there is no operation"},
		"a clock to set back":   {"advance", []string{"by", "-5m"}, "a duration such as 90s"},
		"a century":             {"advance", []string{"by", "876000h"}, "a year at most"},
		"an unknown preset":     {"presets", []string{"preset", "gremlins"}, "no fault preset"},
		"presets that collide":  {"presets", []string{"preset", "outage", "preset", "rate-limit"}, "do not go together"},
		"a URL on the internet": {"subscribe", []string{"url", "http://example.com", "event", "*"}, "must be https"},
		"a fault without times": {"add_fault", []string{"kind", "reset", "times", "0"}, "1 to 1000"},
		"an unknown action":     {"explode", nil, "There is no such action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := servetest.NewFormBrowser(t, s.url)
			status, page := b.Post(tt.do, nil, tt.fields...)
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, page, `role="alert"`)
			assert.Contains(t, html.UnescapeString(page), tt.want)
		})
	}
}

// TestNoOtherSiteCanAct is a page of another site, open in the same browser, that tries
// to settle a payout.
func TestNoOtherSiteCanAct(t *testing.T) { //nolint:tparallel // the last word comes after all of them
	t.Parallel()
	s := startInProcess(t, func(o *options) { o.work = "by-hand" })
	b := servetest.NewFormBrowser(t, s.url)
	op, err := s.client().Payouts.Create(t.Context(), servetest.Payout("22961000000", 1000))
	require.NoError(t, err)
	for name, change := range map[string]func(*http.Request, url.Values){ //nolint:paralleltest // as above
		"the browser says cross-site":          func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"the browser says same-site":           func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin":                       func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.example") },
		"another port of this machine":         func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "http://127.0.0.1:9") },
		"an opaque origin":                     func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "null") },
		"no token":                             func(_ *http.Request, f url.Values) { f.Del("token") },
		"a guessed token":                      func(_ *http.Request, f url.Values) { f.Set("token", strings.Repeat("0", 64)) },
		"no cookie, as SameSite has it":        func(r *http.Request, _ url.Values) { r.Header.Del("Cookie") },
		"another browser's cookie":             func(r *http.Request, _ url.Values) { r.Header.Set("Cookie", "intram_session=MINE") },
		"a name that was made to point here":   func(r *http.Request, _ url.Values) { r.Host = "evil.example" },
		"the name with the port of the server": func(r *http.Request, _ url.Values) { r.Host = "evil.example:" + r.URL.Port() },
	} {
		t.Run(name, func(t *testing.T) {
			status, page := b.Fresh().Post("complete", change, "id", op.ID)
			assert.GreaterOrEqual(t, status, 400, page)
			now, _ := s.core.Operation(op.ID)
			assert.Equal(t, "queued", now.Status)
		})
	}
	t.Run("a GET does nothing", func(t *testing.T) {
		status, _ := b.Fresh().Get("/_intram/act?do=complete&id=" + op.ID)
		assert.Equal(t, http.StatusNotFound, status)
	})
	// The same form from the page itself: otherwise nothing would have been tested.
	status, _ := b.Fresh().Post("complete", func(r *http.Request, _ url.Values) {
		r.Header.Set("Origin", s.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}, "id", op.ID)
	assert.Equal(t, http.StatusOK, status)
	now, _ := s.core.Operation(op.ID)
	assert.Equal(t, "succeeded", now.Status)
}

func TestNoOtherSiteCanRead(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	for _, path := range []string{"/", "/_intram/sandbox/", "/_intram/changes", "/_intram/time", "/v1/balance", "/gateway/x"} {
		for name, host := range map[string]string{"its own address": "", "localhost": "localhost", "IPv6": "[::1]", "rebound": "evil.example", "the network's address": "192.168.1.7", "nothing like a name": "127.0.0.1.evil.example"} {
			if path == "/_intram/changes" && host != "evil.example" {
				continue // it does not end
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // for a response that should never have begun
			defer cancel()                                                  //nolint:revive // at the end of the test is early enough
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
			require.NoError(t, err)
			r.Header.Set("Origin", "https://evil.example")
			if host != "" {
				r.Host = host
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			require.NoError(t, resp.Body.Close())
			refused := host == "evil.example" || host == "192.168.1.7" || host == "127.0.0.1.evil.example"
			assert.Equal(t, refused, resp.StatusCode == http.StatusMisdirectedRequest, "%s by %s", path, name)
			for header := range resp.Header {
				assert.False(t, strings.HasPrefix(header, "Access-Control-"), "%s has %s", path, header)
			}
			if strings.HasPrefix(path, "/_intram/") && !refused {
				policy := resp.Header.Get("Content-Security-Policy")
				assert.Contains(t, policy, "default-src 'none'")
				assert.NotContains(t, policy, "unsafe")
				assert.Equal(t, "DENY", resp.Header.Get("X-Frame-Options"))
			}
			for _, c := range resp.Cookies() {
				assert.True(t, c.HttpOnly)
				assert.Equal(t, http.SameSiteStrictMode, c.SameSite)
			}
		}
	}
}

// A page whose name was made to point here can set headers: none of them makes the name
// known, for the API's paths neither.
func TestNoHeaderMakesANameKnown(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	keys := s.core.Merchant().Sandbox
	for _, path := range []string{"/v1/balance", "/_intram/sandbox/"} {
		for name, value := range map[string]string{
			"X-Forwarded-Host": "127.0.0.1:4010", "X-Host": "localhost", "Forwarded": "host=localhost", "X-Original-Host": "localhost",
			"X-Api-Key": keys.Public, "Authorization": "Basic eDp5", "Origin": s.url, "Referer": s.url, "Sec-Fetch-Site": "same-origin",
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Host = "evil.example"
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			s.web.Handler.ServeHTTP(w, r)
			assert.Equal(t, http.StatusMisdirectedRequest, w.Code, "%s with %s", path, name)
		}
	}
}

// from is a call that comes from a machine.
type from struct {
	handler http.Handler
	address string
}

func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = f.address
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// Live keys have an allowlist, as with the API: this machine, and with --allow-remote
// every other.
func TestLiveCallsOfOtherMachinesAreRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		s := startInProcess(t, func(o *options) { o.allowRemote = remote })
		keys := s.core.Merchant().Live
		for address, local := range map[string]bool{
			"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "10.0.0.5:1": false, "192.168.1.7:1": false, "203.0.113.9:1": false, "[fd00::7]:1": false, "[2001:db8::7]:1": false,
		} {
			client, err := intram.NewClient(keys.Public, keys.Secret, intram.WithBaseURL(s.url), intram.WithMaxAttempts(1),
				intram.WithHTTPClient(&http.Client{Transport: from{s.web.Handler, address}}))
			require.NoError(t, err)
			_, err = client.Balance.Get(t.Context())
			if local || remote {
				assert.NoError(t, err, "%s with --allow-remote=%v", address, remote)
				continue
			}
			assert.ErrorIs(t, err, intram.CodeIPNotAllowed, address)
		}
	}
}

func TestAFormLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	for _, to := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/v1/balance", "/_intram/../v1/balance", "javascript:alert(1)", "%zz", ""} {
		b := servetest.NewFormBrowser(t, s.url)
		var location string
		b.OnResponse = func(resp *http.Response) { location = resp.Header.Get("Location") }
		b.Post("advance", func(_ *http.Request, f url.Values) { f.Set("back", to) }, "by", "1s")
		assert.Equal(t, "/_intram/", location, to)
	}
}

func TestOnlyTheLoopbackUnlessAsked(t *testing.T) {
	t.Parallel()
	base := options{clock: clockRunning, work: "at-once", seed: 1}
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, "127.8.9.1:0": true,
		"0.0.0.0:4010": false, ":4010": false, "192.168.1.7:4010": false, "[::]:4010": false, "example.com:4010": false,
	} {
		o := base
		o.addr = addr
		assert.Equal(t, ok, o.check() == nil, addr)
		o.allowRemote = true
		assert.NoError(t, o.check(), addr)
	}
}

func TestTheNamesThatTheServerAnswersTo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		guard guard
		yes   []string
		no    []string
	}{
		"by default": {
			guard{}, []string{"127.0.0.1:4010", "localhost:4010", "LOCALHOST", "[::1]:4010", "127.0.0.9", "localhost.:4010"},
			[]string{"", "evil.example", "evil.example:4010", "localhost.evil.example", "192.168.1.7:4010", "127.0.0.1.nip.io", "[::1].evil.example:80", "0.0.0.0:4010", "intranet", "evil:4010"},
		},
		"with --allow-host": {guard{names: []string{"intram"}}, []string{"intram:4010", "Intram", "127.0.0.1"}, []string{"intram.evil.example", "192.168.1.7"}},
		"with --allow-remote": {
			guard{addresses: true}, []string{"192.168.1.7:4010", "[fd00::7]:4010", "localhost"}, []string{"evil.example:4010", "192.168.1.7.nip.io"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, host := range tt.yes {
				assert.True(t, tt.guard.knows(host), host)
			}
			for _, host := range tt.no {
				assert.False(t, tt.guard.knows(host), host)
			}
		})
	}
}

func TestAWrongFlagIsNamed(t *testing.T) {
	t.Parallel()
	for flag, change := range map[string]func(*options){
		"--addr":                         func(o *options) { o.addr = "4010" },
		"--clock":                        func(o *options) { o.clock = "broken" },
		"--work":                         func(o *options) { o.work = "-5s" },
		"--seed":                         func(o *options) { o.seed = 0 },
		"--payin-revision":               func(o *options) { o.payin = "second" },
		"--forward-to":                   func(o *options) { o.forwardTo = "localhost:3000" },
		"--balance: 25.000: 25 or 25000": func(o *options) { o.balances = []string{"25.000"} },
		"--balance: unknown operator":    func(o *options) { o.balances = []string{"MOON=1"} },
		"--balance: \"2.5\", want whole": func(o *options) { o.balances = []string{"MTN=2.5"} },
	} {
		o := options{addr: "127.0.0.1:0", clock: clockRunning, work: "at-once", seed: 1}
		change(&o)
		assert.ErrorContains(t, o.check(), flag)
	}
}

// TestEveryPresetDoesSomething switches each preset on and makes calls and events until
// it has hit.
func TestEveryPresetDoesSomething(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startInProcess(t, func(o *options) { o.faults = []string{name}; o.clock = clockFrozen })
			s.core.Receive(http.NotFoundHandler())
			_, err := s.core.Subscribe(s.core.Merchant().Sandbox.Public, s.core.Receive(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), "*")
			require.NoError(t, err)
			client := s.client(intram.WithClock(s.core.Clock()))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for i := 0; len(s.core.FiredFaults()) == 0 && ctx.Err() == nil && i < 200; i++ {
				_, _ = client.Payouts.Create(ctx, servetest.Payout("22961000000", 100), intram.WithIdempotencyKey("preset-key-"+string(rune('a'+i%26))+string(rune('a'+i/26))))
				assert.NoError(t, s.core.Idle(ctx))
			}
			assert.NotEmpty(t, s.core.FiredFaults())
			assert.Contains(t, s.banner(), "Faults: "+name)
			assert.Contains(t, presetsHelp(), name)
		})
	}
}

// TestAWrongSignatureIsExplained shows the expected string beside what was signed, and
// marks the difference.
func TestAWrongSignatureIsExplained(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	keys := s.core.Merchant()
	const body = `{"amount": 1000,"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000000"}}`
	for name, tt := range map[string]struct {
		secret, path string
		want         []string
	}{
		"the public path": {keys.Sandbox.Secret, "/v1/payouts", []string{
			"The public path /v1/payouts was signed", "/<mark>api/v1/merchant</mark>/payouts", "/<mark>v1</mark>/payouts", "differs",
		}},
		"the live secret": {keys.Live.Secret, "/api/v1/merchant/payouts", []string{"It was signed with the live secret key", "the same"}},
		"none we know":    {"sk_other", "/api/v1/merchant/payouts", []string{"None of the mistakes that we try", "/api/v1/merchant/payouts"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := servetest.SignedBy(t, s.url, keys.Sandbox.Public, tt.secret, tt.path, body)
			_, page := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/requests/" + id)
			for _, want := range tt.want {
				assert.Contains(t, html.UnescapeString(page), want)
			}
			assert.Contains(t, page, "Expected signature")
			if tt.secret != keys.Sandbox.Secret {
				assert.NotContains(t, page, "<mark>")
			}
			for _, secret := range []string{keys.Sandbox.Secret, keys.Live.Secret, "sk_other"} {
				assert.NotContains(t, page, secret)
			}
		})
	}
	t.Run("a good one", func(t *testing.T) {
		t.Parallel()
		_, err := s.client().Balance.Get(t.Context())
		require.NoError(t, err)
		var id string
		for _, r := range s.core.Requests() {
			if r.Endpoint == "/balance" {
				id = r.ID
			}
		}
		_, page := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/requests/" + id)
		assert.Contains(t, page, "The signature is right.")
		assert.NotContains(t, page, "<mark>")
	})
}

func TestAStateThatCannotBeWrittenEndsTheServer(t *testing.T) {
	t.Parallel()
	p := servetest.Start(t, t.TempDir(), "--state", t.TempDir())
	breakState(t, p)
	_, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000000", 1000))
	require.Error(t, err, "what is not saved is not answered")
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	require.Error(t, p.Wait())
	assert.Contains(t, p.Stderr.String(), "--state")
}

// breakState puts a directory where the state file was, so that it cannot be replaced.
func breakState(t *testing.T, p *servetest.Process) {
	t.Helper()
	path := strings.TrimSpace(regexp.MustCompile(`State: (\S+)`).FindStringSubmatch(p.Banner)[1])
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.MkdirAll(filepath.Join(path, "in", "the way"), 0o700))
}
