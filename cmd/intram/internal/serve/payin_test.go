package serve

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// takePublished sends the request that the first revision of the payin docs publishes, as
// it stands.
func takePublished(t *testing.T, s *inProcess) (status int, body string) {
	t.Helper()
	published, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "testdata", "examples", "payin.request.json"))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/payin/sessions", strings.NewReader(string(published)))
	require.NoError(t, err)
	keys := s.core.Merchant().SandboxPayin
	r.SetBasicAuth(keys.APIKey, keys.APIClient)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Idempotency-Key", "ef76fb64-af0b-4c37-8729-bf61d85721fd")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

func TestTheFirstPayinRevisionTakesThePublishedRequest(t *testing.T) {
	t.Parallel()
	first := startInProcess(t, func(o *options) { o.payin = payinFirst })
	status, body := takePublished(t, first)
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, `"customerReference":"ef76fb64-af0b-4c37-8729-bf61d85721fd"`)
	assert.Equal(t, 2, strings.Count(first.banner(), "account merchant_9923lkdz"), "both environments")

	newer := startInProcess(t, func(o *options) { o.payin = payinNewer })
	status, body = takePublished(t, newer)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "action.successUrl is required")
	assert.NotContains(t, newer.banner(), "merchant_")
}

func TestAFailedPayinIsSettledOnItsPage(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, func(o *options) { o.payin = payinFirst })
	_, body := takePublished(t, s)
	require.Contains(t, body, "processing")
	const reference = "ef76fb64-af0b-4c37-8729-bf61d85721fd"
	session, err := s.core.Payin(reference)
	require.NoError(t, err)
	page := func() string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/_intram/sandbox/payins/"+session.ID, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		data, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(data)
	}
	assert.NotContains(t, page(), "settle_payin")
	require.NoError(t, s.core.FailPayin(reference, "transaction_error"))
	assert.Contains(t, page(), "settle_payin", "it may be paid late")
	require.NoError(t, s.core.SettlePayin(reference))
	assert.NotContains(t, page(), "settle_payin")
}
