package servetest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FormBrowser is a browser without JavaScript: it keeps cookies and sends forms.
type FormBrowser struct {
	t      *testing.T
	url    string
	client *http.Client

	OnResponse func(*http.Response) // looks at the response to a form
}

// Dashboard opens the dashboard.
func (p *Process) Dashboard(t *testing.T) *FormBrowser {
	t.Helper()
	return NewFormBrowser(t, p.URL)
}

// NewFormBrowser opens a browser at the address of a server.
func NewFormBrowser(t *testing.T, base string) *FormBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &FormBrowser{t: t, url: base, client: &http.Client{Jar: jar}}
}

// Get opens a page.
func (b *FormBrowser) Get(path string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	require.NoError(b.t, err)
	return b.Send(r)
}

// Send sends a request as the browser would, with its cookies.
func (b *FormBrowser) Send(r *http.Request) (int, string) {
	b.t.Helper()
	resp, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}

var tokenField = regexp.MustCompile(`name="token" value="(\w+)"`)

// Fresh returns another tab of the same browser.
func (b *FormBrowser) Fresh() *FormBrowser {
	copied := *b
	return &copied
}

// Act sends one of the dashboard's forms, which must work, and returns the page that it
// leads to.
func (b *FormBrowser) Act(do string, fields ...string) string {
	b.t.Helper()
	status, page := b.Post(do, nil, fields...)
	require.Equal(b.t, http.StatusOK, status, page)
	require.NotContains(b.t, page, `role="alert"`)
	require.Contains(b.t, page, `role="status"`)
	return page
}

// Post sends one of the dashboard's forms, changed.
func (b *FormBrowser) Post(do string, change func(*http.Request, url.Values), fields ...string) (int, string) {
	b.t.Helper()
	_, page := b.Get("/_intram/sandbox/")
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
	if b.OnResponse != nil {
		b.OnResponse(resp)
	}
	if resp.StatusCode == http.StatusSeeOther {
		return b.Get(resp.Header.Get("Location"))
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}
