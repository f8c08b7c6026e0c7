package serve

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// formBrowser is a browser without JavaScript: it keeps cookies and sends forms.
type formBrowser struct {
	t      *testing.T
	url    string
	client *http.Client
}

func (p *process) dashboard(t *testing.T) *formBrowser {
	t.Helper()
	return newFormBrowser(t, p.url)
}

func newFormBrowser(t *testing.T, base string) *formBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &formBrowser{t, base, &http.Client{Jar: jar}}
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

// act sends one of the dashboard's forms and returns the page that it leads to.
func (b *formBrowser) act(do string, fields ...string) string {
	b.t.Helper()
	_, page := b.get("/_intram/sandbox/")
	token := tokenField.FindStringSubmatch(page)
	require.NotNil(b.t, token, page)
	form := url.Values{"do": {do}, "token": {token[1]}, "back": {"/_intram/sandbox/"}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	resp, err := b.client.PostForm(b.url+"/_intram/act", form)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusOK, resp.StatusCode, "%s", body)
	require.NotContains(b.t, string(body), `role="alert"`)
	return string(body)
}
