package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// formBrowser is a browser without JavaScript: it keeps cookies and sends forms.
type formBrowser struct {
	t      *testing.T
	url    string
	client *http.Client

	onResponse func(*http.Response) // looks at the response to a form
}

func (p *process) dashboard(t *testing.T) *formBrowser {
	t.Helper()
	return newFormBrowser(t, p.url)
}

func newFormBrowser(t *testing.T, base string) *formBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &formBrowser{t: t, url: base, client: &http.Client{Jar: jar}}
}

func (b *formBrowser) get(path string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	require.NoError(b.t, err)
	return b.send(r)
}

func (b *formBrowser) send(r *http.Request) (int, string) {
	b.t.Helper()
	resp, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}

var tokenField = regexp.MustCompile(`name="token" value="(\w+)"`)

// fresh is another tab of the same browser.
func (b *formBrowser) fresh() *formBrowser {
	copied := *b
	return &copied
}

// act sends one of the dashboard's forms, which must work, and returns the page that it
// leads to.
func (b *formBrowser) act(do string, fields ...string) string {
	b.t.Helper()
	status, page := b.post(do, nil, fields...)
	require.Equal(b.t, http.StatusOK, status, page)
	require.NotContains(b.t, page, `role="alert"`)
	require.Contains(b.t, page, `role="status"`)
	return page
}

// post sends one of the dashboard's forms, changed.
func (b *formBrowser) post(do string, change func(*http.Request, url.Values), fields ...string) (int, string) {
	b.t.Helper()
	_, page := b.get("/_intram/sandbox/")
	token := tokenField.FindStringSubmatch(page)
	require.NotNil(b.t, token, page)
	form := url.Values{"do": {do}, "token": {token[1]}, "back": {"/_intram/sandbox/"}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/_intram/act", nil)
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range b.client.Jar.Cookies(&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/_intram/"}) {
		r.AddCookie(c)
	}
	client := *b.client
	client.Jar = nil // the cookies are set already, for change to take away
	if change != nil {
		change(r, form)
	}
	encoded := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	if b.onResponse != nil {
		b.onResponse(resp)
	}
	if resp.StatusCode == http.StatusSeeOther {
		return b.get(resp.Header.Get("Location"))
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}

// wronglySigned makes a call with the documented mistake of signing the path that is
// called, and returns its id.
func wronglySigned(t *testing.T, p *process) string {
	t.Helper()
	keys := p.local().Sandbox
	body := `{"amount":1000,"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000000"},"note":"<script>alert(1)</script>"}`
	return signedBy(t, p.url, keys.PublicKey, keys.SecretKey, "/v1/payouts", body)
}

// signedBy posts a payout whose signature covers a path.
func signedBy(t *testing.T, base, publicKey, secretKey, path, body string) (requestID string) {
	t.Helper()
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write([]byte(at + "\nPOST\n" + path + "\n\n" + body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/payouts", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "signed-by-hand-1")
	r.Header.Set("X-Api-Key", publicKey)
	r.Header.Set("X-Timestamp", at)
	r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.Header.Get("X-Request-Id")
}
