package signature_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

const (
	hookSecret = "whsec_0123456789abcdef"
	hookBody   = `{"event":"payout.completed","operation_id":"op_1","occurred_at":"2026-05-20T10:30:00.000Z","data":{"reference":"PO/1","note":"café"}}`
)

func TestWebhookVerdictsAgreeWithTheSDKAndSayWhy(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		secret string // the receiver's; the right one unless said
		header func(http.Header)
		body   string
		now    time.Duration
		want   string // empty for a good one
	}{
		{name: "good"},
		{name: "good after five minutes", now: 5 * time.Minute},
		{name: "capitals are read", header: func(h http.Header) {
			h.Set("X-Intram-Signature", "sha256="+strings.ToUpper(strings.TrimPrefix(h.Get("X-Intram-Signature"), "sha256=")))
		}},
		{name: "stale", now: 5*time.Minute + time.Second, want: "stale"},
		{name: "in the future", now: -6 * time.Minute, want: "future"},
		{name: "no signature", header: func(h http.Header) { h.Del("X-Intram-Signature") }, want: "missing-signature"},
		{name: "no timestamp", header: func(h http.Header) { h.Del("X-Intram-Timestamp") }, want: "missing-timestamp"},
		{name: "two signatures", header: func(h http.Header) { h.Add("X-Intram-Signature", "sha256=00") }, want: "duplicate-header"},
		{name: "no signature at all", header: func(h http.Header) { h.Set("X-Intram-Signature", "sha256=hello!") }, want: "malformed-signature"},
		{name: "without sha256=", header: func(h http.Header) {
			h.Set("X-Intram-Signature", strings.TrimPrefix(h.Get("X-Intram-Signature"), "sha256="))
		}, want: "signature-prefix"},
		{name: "another secret", secret: "whsec_ffffffffffffffff", want: "signature-mismatch"},
		{name: "secret without its prefix", secret: "0123456789abcdef", want: "key-without-prefix"},
		{name: "indented", body: indent(hookBody), want: "body-reserialised"},
		{name: "escaped slashes", body: strings.ReplaceAll(hookBody, "/", `\/`), want: "body-reserialised"},
		{name: "line break added", body: hookBody + "\n", want: "body-line-break-sent"},
		{name: "changed", body: strings.Replace(hookBody, "op_1", "op_2", 1), want: "signature-mismatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			header := intram.SignWebhook(hookSecret, sent, []byte(hookBody))
			if test.header != nil {
				test.header(header)
			}
			secret, body := hookSecret, hookBody
			if test.secret != "" {
				secret = test.secret
			}
			if test.body != "" {
				body = test.body
			}
			v := signature.ExplainWebhook(header, []byte(body), []signature.Key{{Label: "the secret", Value: secret}}, sent.Add(test.now))
			if test.want == "" {
				assert.True(t, v.Good, "%v", v.Findings)
			} else {
				assert.False(t, v.Good)
				assert.Equal(t, []string{test.want}, ids(v))
			}
			assert.NotContains(t, fmt.Sprintf("%+v", v), secret)

			verifier, err := intram.NewWebhookVerifier(secret)
			require.NoError(t, err)
			err = verifier.WithClock(frozen(sent.Add(test.now))).Authenticate(header, []byte(body))
			assert.Equal(t, err == nil, v.Good, "the SDK's verifier says: %v", err)
		})
	}
}

// What is signed is the text as it was sent, so that every form of the time comes with a
// good signature.
func TestTheTimeOfADeliveryIsReadAsTheSDKReadsIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	const stale, future, format = "stale", "future", "timestamp-format"
	for _, test := range []struct{ timestamp, body, want string }{
		{timestamp: "2026-05-20T10:30:00.000Z"},
		{timestamp: "2026-05-20T10:30:00Z"},
		{timestamp: "2026-05-20T10:30:00,5Z"},
		{timestamp: "2026-05-20T11:30:00+01:00"},
		{timestamp: "2026-05-20T10:30:00.000+0000"},
		{timestamp: "2026-05-20T10:30:00+00"},
		{timestamp: "2026-05-20T10:30:00"},
		{timestamp: "2026-05-20T10:30:00.123456789"},
		{timestamp: "2026-05-20 10:30:00"},
		{timestamp: "2026-05-20 10:30:00Z"},
		{timestamp: "2026-05-20 10:30:00 +0000"},
		{timestamp: "2026-05-20 12:30:00.000+02:00"},
		{timestamp: "2026-05-20t10:30:00z"},
		{timestamp: "20260520T103000Z"},
		{timestamp: "20260520T103000.000Z"},
		{timestamp: "20260520T103000+0000"},
		{timestamp: "20260520T103000"},
		{timestamp: "2026-05-20T10:25:00"},
		{timestamp: "2026-05-20T10:35:00"},
		{timestamp: "2026-05-20T10:24:59", want: stale},
		{timestamp: "2026-05-20T10:35:01", want: future},
		{timestamp: "20260520T093000Z", want: stale},
		{timestamp: "2026-05-20 11:30:00", want: future},
		{timestamp: "2026-05-20T10:30:00+0100", want: stale},
		{timestamp: "2026-05-20", want: format},
		{timestamp: "10:30:00", want: format},
		{timestamp: "1779273000", want: format},
		{timestamp: "1779273000000", want: format},
		{timestamp: "20 May 2026 10:30:00", want: format},
		{timestamp: "Wed, 20 May 2026 10:30:00 GMT", want: format},
		{timestamp: "2026-05-20T10:30:00+0000+0000", want: format},
		{timestamp: "2026-02-30T10:30:00Z", want: format},
		{timestamp: "2026-05-20T24:30:00Z", want: format},
		{timestamp: "T", want: format},
		// The dot before the body must not be movable into a fraction of a second.
		{timestamp: "2026-05-20T10:30:00", body: "000Z." + hookBody, want: format},
		{timestamp: "20260520T103000", body: "000Z." + hookBody, want: format},
		{timestamp: "2026-05-20T10:30:00Z", body: "1" + hookBody},
	} {
		t.Run(test.timestamp+test.want, func(t *testing.T) {
			t.Parallel()
			body := test.body
			if body == "" {
				body = hookBody
			}
			sum := hmac.New(sha256.New, []byte(hookSecret))
			_, _ = sum.Write([]byte(test.timestamp + "." + body))
			header := http.Header{
				"X-Intram-Timestamp": {test.timestamp}, "X-Intram-Signature": {"sha256=" + hex.EncodeToString(sum.Sum(nil))},
			}
			v := signature.ExplainWebhook(header, []byte(body), []signature.Key{{Label: "the secret", Value: hookSecret}}, now)
			verifier, err := intram.NewWebhookVerifier(hookSecret)
			require.NoError(t, err)
			said := verifier.WithClock(frozen(now)).Authenticate(header, []byte(body))
			if test.want == "" {
				require.NoError(t, said, "the SDK")
				require.True(t, v.Good, "%v", v.Findings)
				return
			}
			sdk := map[string]error{stale: intram.ErrStaleTimestamp, future: intram.ErrStaleTimestamp, format: intram.ErrInvalidTimestamp}
			require.ErrorIs(t, said, sdk[test.want])
			require.Equal(t, test.want == future, strings.Contains(said.Error(), "in the future"))
			require.Equal(t, []string{test.want}, ids(v))
			require.False(t, v.Good)
		})
	}
}

func TestCRLFInADeliveryIsSeen(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	lines := indent(hookBody)
	crlf := strings.ReplaceAll(lines, "\n", "\r\n")
	keys := []signature.Key{{Label: "the secret", Value: hookSecret}}
	v := signature.ExplainWebhook(intram.SignWebhook(hookSecret, sent, []byte(lines)), []byte(crlf), keys, sent)
	assert.Equal(t, []string{"body-crlf-sent"}, ids(v))
	v = signature.ExplainWebhook(intram.SignWebhook(hookSecret, sent, []byte(crlf)), []byte(lines), keys, sent)
	assert.Equal(t, []string{"body-crlf-signed"}, ids(v))
}

func TestTheOtherKeysAreTriedOnADelivery(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	header := intram.SignWebhook("sk_sandbox_1", sent, []byte(hookBody))
	v := signature.ExplainWebhook(header, []byte(hookBody), []signature.Key{
		{Label: "the secret", Value: hookSecret}, {Label: "the API's secret key", Value: "sk_sandbox_1"},
	}, sent)
	require.Equal(t, []string{"wrong-key"}, ids(v))
	assert.Contains(t, v.Findings[0].What, "the API's secret key")
}

func TestTheVectorsOfWebhooksAreGood(t *testing.T) {
	t.Parallel()
	read := func(name string, into any) {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "testdata", "vectors", name))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, into))
	}
	var webhooks []struct{ Name, Secret, Timestamp, Body, Signature string }
	read("webhooks.json", &webhooks)
	require.NotEmpty(t, webhooks)
	for _, w := range webhooks {
		now, err := time.Parse(time.RFC3339Nano, w.Timestamp)
		require.NoError(t, err)
		header := http.Header{"X-Intram-Signature": {w.Signature}, "X-Intram-Timestamp": {w.Timestamp}}
		v := signature.ExplainWebhook(header, []byte(w.Body), []signature.Key{{Label: "the secret", Value: w.Secret}}, now)
		assert.True(t, v.Good, "%s: %v", w.Name, v.Findings)
	}
	var notifications []struct{ Name, Secret, Body, Signature string }
	read("payin_webhooks.json", &notifications)
	require.NotEmpty(t, notifications)
	for _, n := range notifications {
		header := http.Header{"X-Signature-Value": {n.Signature}}
		keys := []signature.Key{{Label: "the secret", Value: n.Secret}}
		assert.True(t, signature.ExplainWebhook(header, []byte(n.Body), keys, time.Time{}).Good, n.Name)
		plain := bytes.ReplaceAll([]byte(n.Body), []byte(`\/`), []byte("/"))
		assert.Equal(t, []string{"body-reserialised"}, ids(signature.ExplainWebhook(header, plain, keys, time.Time{})), n.Name)
		assert.Equal(t, []string{"signature-mismatch"}, ids(signature.ExplainWebhook(header, []byte("{}"), keys, time.Time{})), n.Name)
	}
}

// frozen is a clock that stands still.
type frozen time.Time

func (c frozen) Now() time.Time                                 { return time.Time(c) }
func (frozen) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Go's strict FIPS mode panics at the hashes and short keys that are tried as mistakes.
func TestMistakesAreTriedUnderStrictFIPS(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("this is the run in that mode") //nolint:forbidigo // its caller checks what it says
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestASignatureThatNoMistakeExplains$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	assert.Contains(t, string(said), "--- PASS: TestASignatureThatNoMistakeExplains")
}

func TestASignatureThatNoMistakeExplains(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"X-Api-Key": {"pk_sandbox_1"}, "X-Timestamp": {"2026-05-20T10:30:00.000Z"}, "X-Signature": {"sha256=" + strings.Repeat("0a", 32)},
	}
	keys := []signature.Key{{Label: "short", Value: "sk_1"}, {Label: "empty"}}
	v, err := signature.Explain(&signature.Request{Method: "GET", Target: "/v1/balance", Header: header}, keys, time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC))
	require.NoError(t, err)
	assert.False(t, v.Explained)
	assert.False(t, signature.ExplainWebhook(http.Header{
		"X-Intram-Timestamp": {"2026-05-20T10:30:00.000Z"}, "X-Intram-Signature": {"sha256=" + strings.Repeat("0a", 32)},
	}, []byte(hookBody), keys, time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)).Good)
}

func TestANotificationWithTwoSignaturesIsRefused(t *testing.T) {
	t.Parallel()
	const secret = "the portal's secret"
	body := []byte(`{"event":"payin.success"}`)
	sum := hmac.New(sha256.New, []byte(secret))
	_, _ = sum.Write(body)
	good := hex.EncodeToString(sum.Sum(nil))
	keys := []signature.Key{{Label: "the secret", Value: secret}}
	once := signature.ExplainWebhook(http.Header{"X-Signature-Value": {good}}, body, keys, time.Now())
	assert.True(t, once.Good, "%v", once.Findings)
	twice := signature.ExplainWebhook(http.Header{"X-Signature-Value": {good, good}}, body, keys, time.Now())
	assert.False(t, twice.Good)
	assert.Equal(t, "duplicate-header", twice.Findings[0].ID)
}
