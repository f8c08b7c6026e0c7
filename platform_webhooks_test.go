package intram_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// reception is a platform's handler, mounted by path, and what took effect.
type reception struct {
	http.Handler

	platform *intram.Platform
	effects  map[string]int // by merchant and scope
	asked    atomic.Int64   // for secrets
	away     atomic.Bool    // the store of secrets
	left     atomic.Bool    // each merchant
}

// merchantSecret is a merchant's secret in an environment.
func merchantSecret(id, environment string) string { return "whsec_" + environment + "_of_" + id }

func newReception(t *testing.T, api *hostAPI, opts ...intram.PlatformOption) *reception {
	t.Helper()
	r := &reception{platform: newPlatform(t, api, opts...), effects: map[string]int{}}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/{merchant}", r.platform.WebhookHandler(intram.ResolveByPath("merchant"), r.secrets, new(intram.MemoryInbox),
		func(ctx context.Context, event *intram.Event) error {
			id, ok := intram.MerchantFromContext(ctx)
			assert.True(t, ok)
			r.effects[id+" "+event.Scope]++
			return nil
		}))
	r.Handler = mux
	return r
}

func (r *reception) secrets(_ context.Context, id string) ([]intram.WebhookSecret, error) {
	r.asked.Add(1)
	switch {
	case r.away.Load():
		return nil, errors.New("the vault is sealed")
	case r.left.Load() || strings.HasPrefix(id, "unknown"):
		return nil, intram.ErrUnknownMerchant
	case id == "scopeless":
		return []intram.WebhookSecret{{Secret: merchantSecret(id, "live")}}, nil
	}
	return []intram.WebhookSecret{
		{Secret: merchantSecret(id, "live"), Scope: "live"}, {Secret: merchantSecret(id, "sandbox"), Scope: "sandbox"},
	}, nil
}

func (r *reception) deliver(path, secret, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func TestASecretOfOneMerchantVerifiesNoOthersDeliveries(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced))
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1")).Code)
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1")).Code)
	bad := r.deliver("/webhooks/b", merchantSecret("a", "live"), payoutBody("op_2"))
	assert.Equal(t, 401, bad.Code)
	assert.Equal(t, "bad signature\n", bad.Body.String())

	// Each merchant, and each environment, has events of its own.
	assert.Equal(t, 200, r.deliver("/webhooks/b", merchantSecret("b", "live"), payoutBody("op_1")).Code)
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "sandbox"), payoutBody("op_1")).Code)
	assert.Equal(t, map[string]int{"a a/live": 1, "b b/live": 1, "a a/sandbox": 1}, r.effects)
	assert.NotEqual(t, intram.MerchantScope("a", "b/live"), intram.MerchantScope("a/b", "live"))
	assert.NotEqual(t, intram.MerchantScope("a%2Fb", "live"), intram.MerchantScope("a/b", "live"))
	assert.Equal(t, 200, r.deliver("/webhooks/a%2Fb", merchantSecret("a/b", "live"), payoutBody("op_1")).Code)
	assert.Equal(t, 1, r.effects["a/b a%2Fb/live"])
}

// Nothing tells a stranger which merchants there are.
func TestAnUnknownMerchantLooksLikeABadSignature(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced))
	mux := http.NewServeMux()
	never := r.platform.WebhookHandler(func(*http.Request) (string, bool, error) { return "", false, nil }, r.secrets, new(intram.MemoryInbox),
		func(context.Context, *intram.Event) error { t.Error("it took effect"); return nil })
	mux.Handle("/webhooks/nobody", never)
	mux.Handle("/", r.Handler)
	r.Handler = mux
	for _, secret := range []string{"whsec_another", "whsec_of_no_merchant_at_all_0000000000"} {
		for _, body := range []string{payoutBody("op_1"), "not json"} {
			bad := r.deliver("/webhooks/a", "whsec_another", body)
			for _, path := range []string{"/webhooks/unknown", "/webhooks/nobody"} {
				got := r.deliver(path, secret, body)
				assert.Equal(t, bad.Code, got.Code, path)
				assert.Equal(t, bad.Body.String(), got.Body.String(), path)
				assert.Equal(t, bad.Header(), got.Header(), path)
			}
		}
	}
	assert.Empty(t, r.effects)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/webhooks/unknown", nil))
	assert.Equal(t, 405, w.Code, "as for any merchant")
}

func TestAResolverOrAStoreThatFailsLosesNoEvent(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced))
	r.away.Store(true)
	for range 2 {
		w := r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1"))
		assert.Equal(t, 503, w.Code)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
	}
	assert.Equal(t, 503, r.deliver("/webhooks/scopeless", merchantSecret("scopeless", "live"), payoutBody("op_1")).Code)
	for name, resolve := range map[string]func(*http.Request) (string, bool, error){
		"fails":  func(*http.Request) (string, bool, error) { return "a", true, errors.New("the database is away") },
		"panics": func(*http.Request) (string, bool, error) { panic("the database is away") },
	} {
		h := r.platform.WebhookHandler(resolve, r.secrets, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil })
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(payoutBody("op_1")))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		assert.Equal(t, 503, w.Code, name)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		assert.NotContains(t, w.Body.String(), "database")
	}
	r.away.Store(false)
	assert.Equal(t, 200, r.deliver("/webhooks/b", merchantSecret("b", "live"), payoutBody("op_1")).Code)
	require.NoError(t, r.platform.Close())
	assert.Equal(t, 503, r.deliver("/webhooks/b", merchantSecret("b", "live"), payoutBody("op_2")).Code)
}

func TestMadeUpMerchantsPushNoSecretsOut(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced), intram.WithIdleMerchants(2))
	for i := range 3 {
		assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody(fmt.Sprint(i))).Code)
	}
	assert.Equal(t, int64(1), r.asked.Load())
	for i := range 50 {
		r.deliver(fmt.Sprintf("/webhooks/unknown%d", i), "whsec_x", payoutBody("op_1"))
	}
	asked := r.asked.Load()
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_4")).Code)
	assert.Equal(t, asked, r.asked.Load())
	for _, id := range []string{"b", "c", "a"} {
		assert.Equal(t, 200, r.deliver("/webhooks/"+id, merchantSecret(id, "live"), payoutBody("op_5")).Code)
	}
	assert.Equal(t, asked+3, r.asked.Load(), "a was not used for longest")
}

// A request without a signature, and a store that is away, say nothing of an id.
func TestWhatIsNotVerifiedPushesNoSecretsOut(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced), intram.WithIdleMerchants(2))
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1")).Code)
	for i := range 50 {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, fmt.Sprintf("/webhooks/unknown%d", i), nil))
		assert.Equal(t, 401, w.Code)
	}
	r.away.Store(true)
	for i := range 50 {
		assert.Equal(t, 503, r.deliver(fmt.Sprintf("/webhooks/unknown%d", i), "whsec_x", payoutBody("op_1")).Code)
	}
	assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_2")).Code, "its secrets stay known")
}

func TestAMerchantThatHasLeftIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReception(t, newHostAPI(balanced))
		assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1")).Code)
		r.left.Store(true)
		pass(5 * time.Minute)
		assert.Equal(t, 401, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_2")).Code)
		r.left.Store(false) // it comes back
		pass(10 * sec)
		assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_3")).Code)
	})
}

func TestTheSecretsThatWereUsedLastAreKept(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced), intram.WithIdleMerchants(2))
	for i, id := range []string{"a", "b", "a", "c", "a"} {
		assert.Equal(t, 200, r.deliver("/webhooks/"+id, merchantSecret(id, "live"), payoutBody(fmt.Sprint(i))).Code)
	}
	assert.EqualValues(t, 3, r.asked.Load(), "b made room for c")
}

func TestADeliveryWakesTheWaitOfItsMerchant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReception(t, newHostAPI(finished(t)))
		began := time.Now()
		ended := make(chan error, 1)
		a := merchantOf(t, r.platform, "a")
		go func() {
			_, err := a.WaitForOperation(t.Context(), "op_1", intram.WithInitialDelay(30*sec))
			ended <- err
		}()
		synctest.Wait()
		assert.Equal(t, 200, r.deliver("/webhooks/b", merchantSecret("b", "live"), payoutBody("op_1")).Code)
		synctest.Wait()
		assert.Empty(t, ended)
		assert.Equal(t, 200, r.deliver("/webhooks/a", merchantSecret("a", "live"), payoutBody("op_1")).Code)
		require.NoError(t, <-ended)
		assert.Less(t, time.Since(began), sec)
	})
}

func TestResolveByHostReadsTheHostHeaderAlone(t *testing.T) {
	t.Parallel()
	resolve := intram.ResolveByHost("hooks.Example.com.")
	for host, want := range map[string]string{
		"acme.hooks.example.com": "acme", "ACME.Hooks.Example.COM": "acme", "acme.hooks.example.com:8443": "acme", "acme.hooks.example.com.": "acme",
		"acme.hooks.example.com.:443": "acme", "hooks.example.com": "", ".hooks.example.com": "", "a.b.hooks.example.com": "", "acme.example.com": "",
		"acmehooks.example.com": "", "": "", "[::1]:80": "",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = host
		r.Header.Set("X-Forwarded-Host", "other.hooks.example.com")
		id, ok, err := resolve(r)
		require.NoError(t, err)
		assert.Equal(t, want != "", ok, host)
		if ok {
			assert.Equal(t, want, id, host)
		}
	}
}

// net/http cleans a path before it matches, by a redirect that Intram does not follow.
func TestAPathThatIsNotCleanReachesNoMerchant(t *testing.T) {
	t.Parallel()
	r := newReception(t, newHostAPI(balanced))
	for _, path := range []string{"/webhooks//a", "/webhooks/../webhooks/a", "/webhooks/a/"} {
		w := r.deliver(path, merchantSecret("a", "live"), payoutBody("op_1"))
		assert.GreaterOrEqual(t, w.Code, 300, path)
	}
	assert.Equal(t, 401, r.deliver("/webhooks/A", merchantSecret("a", "live"), payoutBody("op_1")).Code, "upper case differs")
	assert.Empty(t, r.effects)
}

func TestAPlatformsHandlerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, newHostAPI(balanced))
	handle := func(context.Context, *intram.Event) error { return nil }
	secrets := func(context.Context, string) ([]intram.WebhookSecret, error) { return nil, nil }
	resolve, inbox := intram.ResolveByPath("merchant"), new(intram.MemoryInbox)
	for want, h := range map[string]http.Handler{
		"resolves the merchant is nil":        p.WebhookHandler(nil, secrets, inbox, handle),
		"returns secrets is nil":              p.WebhookHandler(resolve, nil, inbox, handle),
		"the inbox is nil":                    p.WebhookHandler(resolve, secrets, nil, handle),
		"the function is nil":                 p.WebhookHandler(resolve, secrets, inbox, nil),
		"WithInboxScope and WithNotify are":   p.WebhookHandler(resolve, secrets, inbox, handle, intram.WithInboxScope("a")),
		"are of one merchant: a platform's h": p.WebhookHandler(resolve, secrets, inbox, handle, intram.WithNotify(merchantOf(t, p, "a"))),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
		assert.Equal(t, 500, w.Code)
		assert.Contains(t, w.Body.String(), want)
	}
}
