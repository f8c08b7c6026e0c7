package intram_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

func TestKeysAreCheckedAtConstruction(t *testing.T) {
	t.Parallel()
	const (
		pk = "pk_sandbox_canary1"
		sk = "sk_sandbox_canary2"
	)
	for name, tt := range map[string]struct{ public, secret, says string }{
		"no public key":                 {"", sk, "publicKey is empty"},
		"no secret key":                 {pk, "", "secretKey is empty"},
		"swapped":                       {sk, pk, "swapped"},
		"the secret key twice":          {sk, sk, "publicKey is a secret key (sk_…): give the public key"},
		"the public key twice":          {pk, pk, "secretKey is a public key (pk_…): give the secret key"},
		"private key of the legacy API": {pk, "tpk_canary", "secretKey must start with sk_"},
		"no environment":                {"pk_canary", sk, "publicKey must start with pk_sandbox_ or pk_live_"},
		"another environment":           {"pk_test_canary", sk, "publicKey must start with pk_sandbox_ or pk_live_"},
		"upper case":                    {"PK_SANDBOX_canary", sk, "publicKey must start with"},
		"a space before":                {" " + pk, sk, "publicKey has spaces or a line break around it"},
		"a line feed after":             {pk + "\n", sk, "publicKey has spaces"},
		"a space inside":                {"pk_sandbox_can ary", sk, "publicKey has spaces or a line break in it"},
		"a header's end":                {"pk_sandbox_x\r\nX-Evil: canary", sk, "publicKey has spaces"},
		"an accent":                     {"pk_sandbox_canaryé", sk, "publicKey has spaces or characters"},
		"a secret with a line feed":     {pk, sk + "\n", "secretKey has spaces"},
		"a secret with a space before":  {pk, " " + sk, "secretKey has spaces"},
		"a webhook's secret":            {pk, "whsec_canary", "secretKey is a webhook secret (whsec_…)"},
		"quotes":                        {pk, `"` + sk + `"`, "secretKey has quotes around it"},
		"a BOM":                         {"\uFEFF" + pk, sk, "publicKey begins with a byte order mark"},
		"a zero-width space":            {pk, sk + "\u200b", "secretKey has an invisible character"},
		"a written line feed":           {pk, sk + `\n`, `secretKey ends in a backslash and a letter`},
		"a comment":                     {pk, sk + " # live", "secretKey has a comment behind it"},
		"a secret with a tab after":     {pk, sk + "\t", "secretKey has spaces"},
		"live and sandbox":              {"pk_live_canary", sk, "two environments"},
		"sandbox and live":              {pk, "sk_live_canary", "two environments"},
		"only the start of a live key":  {"pk_live_", "sk_live_canary", "publicKey ends after"},
		"only the start of a key":       {"pk_sandbox_", sk, "publicKey ends after"},
		"only the start of a secret":    {pk, "sk_sandbox_", "secretKey ends after"},
		"less than a secret":            {pk, "sk_", "secretKey ends after"},
	} {
		client, err := intram.NewClient(tt.public, tt.secret)
		assert.Nil(t, client, name)
		require.ErrorContains(t, err, tt.says, name)
		assert.True(t, strings.HasPrefix(err.Error(), "intram: "), name)
		assert.NotContains(t, err.Error(), "canary", "%s: no part of a key is shown", name)
		assert.NotContains(t, err.Error(), "\n", name)
	}
	for _, key := range []string{"sandbox_x", "live_0123456789abcdef"} {
		client, err := intram.NewClient("pk_"+key, "sk_"+key)
		require.NoError(t, err)
		want := intram.Sandbox
		if strings.HasPrefix(key, "live") {
			want = intram.Live
		}
		assert.Equal(t, want, client.Environment())
	}
	// The docs' secret keys name their environment; one that does not may be of either.
	client, err := intram.NewClient("pk_live_x", "sk_x")
	require.NoError(t, err)
	assert.Equal(t, intram.Live, client.Environment(), "the public key decides, not the URL")
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                          "https://api.intram.org/v1/balance", // none given
		intram.BaseURL:              "https://api.intram.org/v1/balance",
		intram.BaseURLDirect:        "https://api.intram.org/api/v1/merchant/balance",
		"https://api.intram.org":    "https://api.intram.org/v1/balance",
		"https://api.intram.org/":   "https://api.intram.org/v1/balance",
		"https://api.intram.org//":  "https://api.intram.org/v1/balance",
		"https://x.example:8443/a/": "https://x.example:8443/a/balance",
		"https://x.example/a/b":     "https://x.example/a/b/balance",
		"https://x.example/a%2Fb/":  "https://x.example/a%2Fb/balance",
		"HTTPS://x.example":         "https://x.example/v1/balance",
		"http://127.0.0.1:8080":     "http://127.0.0.1:8080/v1/balance",
		"http://127.8.9.1:80/api":   "http://127.8.9.1:80/api/balance",
		"http://localhost:8080/":    "http://localhost:8080/v1/balance",
		"http://[::1]:8080":         "http://[::1]:8080/v1/balance",
	} {
		s := &script{t: t, steps: []step{answerFile(t, 200, "balance.current.json")}}
		var opts []intram.ClientOption
		if base != "" {
			opts = append(opts, intram.WithBaseURL(base))
		}
		_, err := newClient(t, s, opts...).Balance.Get(t.Context())
		require.NoError(t, err, base)
		assert.Equal(t, want, s.last().URL)
	}
	for base, says := range map[string]string{
		"":                                   "https://",
		"api.intram.org/v1":                  "https://",
		"/v1":                                "https://",
		"//api.intram.org/v1":                "https://",
		"http://api.intram.org/v1":           "loopback",
		"http://10.0.0.1":                    "loopback",
		"http://0.0.0.0:8080":                "loopback",
		"http://localhost.example.com":       "loopback",
		"http://127.0.0.1.example.com":       "loopback",
		"ftp://api.intram.org":               "https://",
		"https:api.intram.org":               "https://",
		"https://":                           "https://",
		"https://:443/v1":                    "https://",
		"https:///v1":                        "https://",
		"https://user:canary@api.intram.org": "user",
		"https://canary@api.intram.org":      "user",
		"https://api.intram.org/v1?x=canary": "query",
		"https://api.intram.org/v1?":         "query",
		"https://api.intram.org/v1#canary":   "fragment",
		"https://api.intram.org/\ncanary":    "not a URL",
		"https://[canary":                    "not a URL",
		"https://api.intram.org:canary":      "not a URL",
		"javascript:canary":                  "https://",
	} {
		client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL(base))
		assert.Nil(t, client, base)
		require.Error(t, err, base)
		assert.Contains(t, err.Error(), "WithBaseURL", base)
		assert.Contains(t, err.Error(), says, base)
		assert.NotContains(t, err.Error(), "canary", "a URL may hold a password")
	}
}

func TestOptionsAreCheckedAtConstruction(t *testing.T) {
	t.Parallel()
	for says, opt := range map[string]intram.ClientOption{
		"a ClientOption is nil":                      nil,
		"WithHTTPClient: the client is nil":          intram.WithHTTPClient(nil),
		"WithTimeout: 0s":                            intram.WithTimeout(0),
		"WithTimeout: -1s":                           intram.WithTimeout(-time.Second),
		"WithMaxAttempts: 0":                         intram.WithMaxAttempts(0),
		"WithMaxAttempts: -4":                        intram.WithMaxAttempts(-4),
		"WithLogger: the logger is nil":              intram.WithLogger(nil),
		"WithClock: the clock is nil":                intram.WithClock(nil),
		"WithTracer: the tracer is nil":              intram.WithTracer(nil),
		"WithTracer: the tracer":                     intram.WithTracer((*countingTracer)(nil)),
		"WithAppInfo: name must be one word":         intram.WithAppInfo("", "1"),
		"WithAppInfo: name must":                     intram.WithAppInfo("my shop", "1"),
		"WithAppInfo: name must be":                  intram.WithAppInfo("shop", "1\r\nX-Evil: x"),
		"WithAppInfo: name must be one":              intram.WithAppInfo("shop/1", ""),
		"WithAppInfo: name must be one word of":      intram.WithAppInfo("shöp", ""),
		"WithAppInfo: name must be one word of let":  intram.WithAppInfo("shop", "1 2"),
		"WithAppInfo: name must be one word of lett": intram.WithAppInfo("(shop)", ""),
	} {
		client, err := intram.NewClient(publicKey, secretKey, opt)
		assert.Nil(t, client, says)
		require.ErrorContains(t, err, says)
		assert.True(t, strings.HasPrefix(err.Error(), "intram: "), err.Error())
	}
}

func TestNewClientSendsNothing(t *testing.T) {
	t.Parallel()
	_ = newClient(t, sealed{t})
}

func TestClientFromEnvironment(t *testing.T) {
	t.Setenv("INTRAM_PUBLIC_KEY", "")
	t.Setenv("INTRAM_SECRET_KEY", "")
	t.Setenv("INTRAM_BASE_URL", "")
	_, err := intram.NewClientFromEnv()
	require.ErrorContains(t, err, "INTRAM_PUBLIC_KEY is not set")
	t.Setenv("INTRAM_PUBLIC_KEY", "pk_live_x")
	_, err = intram.NewClientFromEnv()
	require.ErrorContains(t, err, "INTRAM_SECRET_KEY is not set")
	t.Setenv("INTRAM_SECRET_KEY", "sk_live_x")
	client, err := intram.NewClientFromEnv()
	require.NoError(t, err)
	assert.Equal(t, intram.Live, client.Environment())
	assert.Equal(t, "intram.Client(live https://api.intram.org/v1)", fmt.Sprint(client))

	t.Setenv("INTRAM_BASE_URL", intram.BaseURLDirect)
	client, err = intram.NewClientFromEnv()
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(client), intram.BaseURLDirect)
	client, err = intram.NewClientFromEnv(intram.WithBaseURL("http://127.0.0.1:1"))
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(client), "http://127.0.0.1:1/v1", "options win")
	t.Setenv("INTRAM_BASE_URL", "http://api.intram.org")
	_, err = intram.NewClientFromEnv()
	require.ErrorContains(t, err, "WithBaseURL")
}

// A client is shared by all goroutines of a program.
func TestClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			return answer(202, `{"error":false,"data":{"operation_id":"op_1","subscription_id":"whs_1"}}`)(req)
		}
		return answer(404, `{"error":true,"code":"x"}`)(req)
	}}
	client := newClient(t, s)
	var group sync.WaitGroup
	for range 4 {
		for _, call := range everyCall {
			group.Go(func() { _ = call(t.Context(), client) })
		}
	}
	group.Wait()
	sent := s.requests()
	assert.Len(t, sent, 4*len(everyCall))
	for _, one := range sent {
		assert.Equal(t, secondSignature(secretKey, one.Header.Get("X-Timestamp"), one.Method, strings.TrimPrefix(one.Path, "/v1"), one.Query, one.Body),
			one.Header.Get("X-Signature"), "signatures do not mix")
	}
}

func TestDefaultTransport(t *testing.T) {
	t.Parallel()
	transport := intram.NewHTTPTransport()
	assert.GreaterOrEqual(t, transport.MaxIdleConnsPerHost, 64, "a connection for each of many concurrent calls")
	assert.GreaterOrEqual(t, transport.MaxIdleConns, transport.MaxIdleConnsPerHost)
	assert.True(t, transport.ForceAttemptHTTP2)
	assert.GreaterOrEqual(t, transport.TLSClientConfig.MinVersion, uint16(tls.VersionTLS12))
	assert.False(t, transport.TLSClientConfig.InsecureSkipVerify)
	assert.Positive(t, transport.TLSHandshakeTimeout)
	assert.Positive(t, transport.IdleConnTimeout)
	assert.Positive(t, transport.MaxResponseHeaderBytes)
	assert.NotSame(t, transport, intram.NewHTTPTransport(), "no two clients share a pool by accident")
}

// The machine's clock waits as long as it is told, and not a moment longer than the
// context lasts.
func TestSystemClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := intram.SystemClock
		began := time.Now()
		assert.Equal(t, began, clock.Now())
		require.NoError(t, clock.Sleep(t.Context(), time.Hour))
		assert.Equal(t, time.Hour, time.Since(began))

		began = time.Now()
		require.NoError(t, clock.Sleep(t.Context(), 0))
		require.NoError(t, clock.Sleep(t.Context(), -time.Hour))
		assert.Zero(t, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, clock.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, clock.Sleep(ctx, 0), context.DeadlineExceeded, "a context that has ended ends even the shortest sleep")
		require.ErrorIs(t, clock.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(began))
	})
}

func TestClientPrintsWhereItSpeaks(t *testing.T) {
	t.Parallel()
	client := newClient(t, sealed{t})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "intram.Client(live https://api.intram.org/v1)", fmt.Sprintf(verb, client))
	}
	assert.Equal(t, "intram.Client(live https://api.intram.org/v1)", slog.AnyValue(client).Resolve().String())
	assert.NotPanics(t, client.CloseIdleConnections)
}

// What other packages build on: a journal belongs to an account, and waits by the
// client's clock.
func TestAClientTellsItsAccountAndItsClock(t *testing.T) {
	t.Parallel()
	clock := &countingClock{now: at1030}
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1", intram.WithClock(clock))
	require.NoError(t, err)
	assert.Equal(t, "pk_sandbox_1", client.PublicKey())
	assert.Same(t, clock, client.Clock())
}
