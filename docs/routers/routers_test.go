package routers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/docs/routers"
	"github.com/intram/intram-go/inbox/pginbox"
)

const secret = "whsec_b4c3a2d1e0f9a8b7"

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// A router that touched the body would break its signature: this one has spaces and an accent that an encoder would change.
func TestTheHandlerGetsTheRawBodyThroughEveryRouter(t *testing.T) {
	t.Parallel()
	for name, mount := range map[string]func(http.Handler) http.Handler{
		"chi": routers.Chi, "gin": routers.Gin, "echo": routers.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verifier, err := intram.NewWebhookVerifier(secret)
			require.NoError(t, err)
			var got []string
			router := mount(intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(_ context.Context, e *intram.Event) error {
				got = append(got, string(e.Raw))
				return nil
			}))
			send := func(method, body string) int {
				r := httptest.NewRequest(method, "/intram/webhook", strings.NewReader(body))
				r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
				w := httptest.NewRecorder()
				router.ServeHTTP(w, r)
				return w.Code
			}
			body := "{ \"event\" : \"refund.failed\",\n \"operation_id\":\"op_1\", \"data\":{\"reason\":\"Refus\u00e9 <par> l\u2019op\\u00e9rateur\"} }"
			assert.Equal(t, http.StatusOK, send(http.MethodPost, body))
			assert.Equal(t, http.StatusOK, send(http.MethodPost, body))
			assert.Equal(t, []string{body}, got)
			assert.NotEqual(t, http.StatusOK, send(http.MethodGet, body))
		})
	}
}

func TestTheHandlersOfTheSharedInboxesAreMade(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	handler, err := routers.Redis(verifier)
	require.NoError(t, err)
	assert.NotNil(t, handler)
	_, err = routers.Postgres(t.Context(), nil, verifier)
	require.ErrorContains(t, err, "the pool is nil")
	require.ErrorContains(t, routers.Reconcile(t.Context(), slog.Default(), nil, nil, nil), "the pool is nil")
	routed, err := routers.Routed(new(pginbox.Inbox), verifier)
	require.NoError(t, err)
	assert.NotNil(t, routed)
}

// Every block that is marked golang in the documentation is in this package, to the letter but for its indentation.
func TestTheDocumentationShowsWhatIsTestedHere(t *testing.T) {
	t.Parallel()
	var doc []byte
	for _, file := range []string{"../../README.md", "../webhooks.md", "../inboxes.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		doc = append(doc, text...)
	}
	var code []byte
	for _, file := range []string{"routers.go", "clock.go", "sql.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		code = append(code, text...)
	}
	flat := func(s string) string {
		s = regexp.MustCompile(` +//nolint:.*`).ReplaceAllString(s, "")
		s = regexp.MustCompile(` +// `).ReplaceAllString(s, " // ") // aligned with one that is gone
		return regexp.MustCompile(`(?m)^\s+`).ReplaceAllString(strings.TrimSpace(s), "")
	}
	blocks := regexp.MustCompile("(?s)```golang\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	assert.Len(t, blocks, 16)
	for _, block := range blocks {
		assert.Contains(t, flat(string(code)), flat(block[1]))
	}
}
