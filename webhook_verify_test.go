package intram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// webhookVector is one of testdata/vectors/webhooks.json, which openssl computed.
type webhookVector struct{ Name, Secret, Timestamp, Body, Signature string }

func webhookVectors(tb testing.TB) []webhookVector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors/webhooks.json")
	require.NoError(tb, err)
	var vectors []webhookVector
	require.NoError(tb, json.Unmarshal(data, &vectors))
	require.GreaterOrEqual(tb, len(vectors), 5, "vectors were lost")
	return vectors
}

func (v webhookVector) header() http.Header {
	h := http.Header{}
	h.Set("X-Intram-Signature", v.Signature)
	h.Set("X-Intram-Timestamp", v.Timestamp)
	h.Set("X-Intram-Event", v.Name)
	h.Set("X-Intram-Delivery", "whd_1")
	h.Set("X-Intram-Attempt", "2")
	return h
}

func (v webhookVector) at(tb testing.TB) time.Time {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, v.Timestamp)
	require.NoError(tb, err)
	return at
}

// verifierAt knows secrets, and lives at one moment.
func verifierAt(tb testing.TB, at time.Time, secrets ...string) *intram.WebhookVerifier {
	tb.Helper()
	v, err := intram.NewWebhookVerifier(secrets...)
	require.NoError(tb, err)
	return v.WithClock(fixedClock{at})
}

func TestWebhookVectors(t *testing.T) {
	t.Parallel()
	for _, v := range webhookVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			event, err := verifierAt(t, v.at(t), v.Secret).Verify(v.header(), []byte(v.Body))
			require.NoError(t, err)
			assert.Equal(t, v.Body, string(event.Raw), "the body is kept exactly")
			assert.Equal(t, "whd_1", event.DeliveryID)
			assert.Equal(t, 2, event.Attempt)
			var wire struct {
				Event       string    `json:"event"`
				OperationID string    `json:"operation_id"`
				OccurredAt  time.Time `json:"occurred_at"`
			}
			require.NoError(t, json.Unmarshal([]byte(v.Body), &wire))
			assert.Equal(t, wire.Event, string(event.Type))
			assert.Equal(t, wire.OperationID, event.OperationID)
			assert.True(t, wire.OccurredAt.Equal(event.OccurredAt))
			out, err := json.Marshal(event)
			require.NoError(t, err)
			back := new(intram.Event)
			require.NoError(t, json.Unmarshal(out, back))
			assert.Equal(t, event, back)

			// The SDK's own signer, for tests, makes the same.
			made := intram.SignWebhook(v.Secret, v.at(t), []byte(v.Body))
			assert.Equal(t, v.Signature, made.Get("X-Intram-Signature"))
			assert.Equal(t, v.Timestamp, made.Get("X-Intram-Timestamp"))
			assert.Equal(t, wire.Event, made.Get("X-Intram-Event"))
		})
	}
}

// Both sides of five minutes, to the millisecond.
func TestWebhookWindow(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	const window = 5 * time.Minute
	past := intram.ErrStaleTimestamp.Error()
	future := past + " (it is in the future)"
	for _, tt := range []struct {
		age  time.Duration
		want string
	}{
		{0, ""},
		{window - time.Millisecond, ""},
		{window, ""},
		{window + time.Nanosecond, past},
		{window + time.Millisecond, past},
		{24 * time.Hour, past},
		{-window + time.Millisecond, ""},
		{-window, ""},
		{-window - time.Nanosecond, future},
		{-window - time.Millisecond, future},
		{-24 * time.Hour, future},
		{250 * 365 * 24 * time.Hour, past},
	} {
		event, err := verifierAt(t, v.at(t).Add(tt.age), v.Secret).Verify(v.header(), []byte(v.Body))
		if tt.want == "" {
			require.NoError(t, err, "%v off", tt.age)
			continue
		}
		require.EqualError(t, err, tt.want, "%v off", tt.age)
		require.ErrorIs(t, err, intram.ErrStaleTimestamp, "one test serves both sides")
		assert.Nil(t, event)
	}
	// A clock at the ends of time does not wrap around.
	for _, now := range []time.Time{{}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		_, err := verifierAt(t, now, v.Secret).Verify(v.header(), []byte(v.Body))
		require.ErrorIs(t, err, intram.ErrStaleTimestamp)
	}
}

// Without a clock given, the machine's is asked: the vectors are of another year.
func TestWebhookVerifierReadsTheMachinesClock(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	verifier, err := intram.NewWebhookVerifier(v.Secret)
	require.NoError(t, err)
	header := intram.SignWebhook(v.Secret, time.Now(), []byte(v.Body))
	_, err = verifier.Verify(header, []byte(v.Body))
	require.NoError(t, err)
	header = intram.SignWebhook(v.Secret, time.Now().Add(-6*time.Minute), []byte(v.Body))
	_, err = verifier.Verify(header, []byte(v.Body))
	require.ErrorIs(t, err, intram.ErrStaleTimestamp)
	_, err = verifier.WithClock(nil).Verify(header, []byte(v.Body))
	require.ErrorIs(t, err, intram.ErrStaleTimestamp, "no clock is the machine's clock, not a panic")
}

func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	sum := strings.TrimPrefix(v.Signature, "sha256=")
	signed := func(timestamp, body string) func(http.Header) string {
		return func(h http.Header) string {
			// What SignWebhook would sign, with a timestamp of any shape.
			h.Set("X-Intram-Timestamp", timestamp)
			h.Set("X-Intram-Signature", "sha256="+hmacHex(v.Secret, timestamp+"."+body))
			return body
		}
	}
	tests := []struct {
		name   string
		change func(http.Header) (body string)
		want   error
		says   string // in the error's text
	}{
		{name: "no signature", change: func(h http.Header) string { h.Del("X-Intram-Signature"); return v.Body }, want: intram.ErrMissingSignature},
		{name: "empty signature", change: func(h http.Header) string { h.Set("X-Intram-Signature", ""); return v.Body }, want: intram.ErrMissingSignature},
		{name: "no timestamp", change: func(h http.Header) string { h.Del("X-Intram-Timestamp"); return v.Body }, want: intram.ErrMissingTimestamp},
		{name: "empty timestamp", change: func(h http.Header) string { h.Set("X-Intram-Timestamp", ""); return v.Body }, want: intram.ErrMissingTimestamp},
		{name: "no headers", change: func(h http.Header) string { clear(h); return v.Body }, want: intram.ErrMissingSignature},
		{name: "signature twice", change: func(h http.Header) string { h.Add("X-Intram-Signature", v.Signature); return v.Body }, want: intram.ErrDuplicateHeader},
		{name: "another signature after it", change: func(h http.Header) string { h.Add("X-Intram-Signature", "sha256=00"); return v.Body }, want: intram.ErrDuplicateHeader},
		{name: "timestamp twice", change: func(h http.Header) string { h.Add("X-Intram-Timestamp", v.Timestamp); return v.Body }, want: intram.ErrDuplicateHeader},
		{name: "an empty second signature", change: func(h http.Header) string { h.Add("X-Intram-Signature", ""); return v.Body }, want: intram.ErrDuplicateHeader},
		{name: "two in one header", change: func(h http.Header) string {
			h.Set("X-Intram-Signature", v.Signature+", "+v.Signature)
			return v.Body
		}, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "no scheme", change: func(h http.Header) string { h.Set("X-Intram-Signature", sum); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "another scheme", change: func(h http.Header) string { h.Set("X-Intram-Signature", "sha512="+sum); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "upper-case scheme", change: func(h http.Header) string { h.Set("X-Intram-Signature", "SHA256="+sum); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "one digit short", change: func(h http.Header) string { h.Set("X-Intram-Signature", "sha256="+sum[1:]); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "one byte short", change: func(h http.Header) string { h.Set("X-Intram-Signature", "sha256="+sum[2:]); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "one byte more", change: func(h http.Header) string { h.Set("X-Intram-Signature", "sha256="+sum+"00"); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "no digits", change: func(h http.Header) string { h.Set("X-Intram-Signature", "sha256="); return v.Body }, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "not hexadecimal", change: func(h http.Header) string {
			h.Set("X-Intram-Signature", "sha256="+strings.Repeat("g", 64))
			return v.Body
		}, want: intram.ErrInvalidSignature, says: "64 hexadecimal digits"},
		{name: "zeros", change: func(h http.Header) string {
			h.Set("X-Intram-Signature", "sha256="+strings.Repeat("0", 64))
			return v.Body
		}, want: intram.ErrInvalidSignature},
		{name: "another body", change: func(http.Header) string { return v.Body + " " }, want: intram.ErrInvalidSignature},
		{name: "no body", change: func(http.Header) string { return "" }, want: intram.ErrInvalidSignature},
		{name: "another timestamp", change: func(h http.Header) string {
			h.Set("X-Intram-Timestamp", "2026-05-20T10:31:14.001Z")
			return v.Body
		}, want: intram.ErrInvalidSignature},
		{name: "the same moment written otherwise", change: func(h http.Header) string {
			h.Set("X-Intram-Timestamp", "2026-05-20T10:31:14Z")
			return v.Body
		}, want: intram.ErrInvalidSignature},
		{name: "timestamp is no date", change: signed("yesterday", v.Body), want: intram.ErrInvalidTimestamp},
		{name: "timestamp in seconds", change: signed("1779273074", v.Body), want: intram.ErrInvalidTimestamp},
		{name: "an impossible date", change: signed("2026-02-30T10:31:14.000Z", v.Body), want: intram.ErrInvalidTimestamp},
		{name: "a separator moved", change: func(h http.Header) string {
			// The dot between timestamp and body must not be movable.
			h.Set("X-Intram-Timestamp", v.Timestamp[:len(v.Timestamp)-5])
			return v.Timestamp[len(v.Timestamp)-4:] + "." + v.Body
		}, want: intram.ErrInvalidTimestamp},
		{name: "stale", change: signed("2026-05-20T10:26:13.999Z", v.Body), want: intram.ErrStaleTimestamp},
		{name: "future", change: signed("2026-05-20T10:36:14.001Z", v.Body), want: intram.ErrStaleTimestamp, says: "(it is in the future)"},
		{name: "body is not JSON", change: signed(v.Timestamp, "event=x"), want: intram.ErrInvalidPayload},
		{name: "body is empty", change: signed(v.Timestamp, ""), want: intram.ErrInvalidPayload},
		{name: "body is null", change: signed(v.Timestamp, "null"), want: intram.ErrInvalidPayload},
		{name: "body is an array", change: signed(v.Timestamp, "[]"), want: intram.ErrInvalidPayload},
		{name: "body has no member of an event's", change: signed(v.Timestamp, `{"x":"op_1"}`), want: intram.ErrInvalidPayload},
		{name: "event is empty", change: signed(v.Timestamp, `{"event":""}`), want: intram.ErrInvalidPayload},
		{name: "event is a number", change: signed(v.Timestamp, `{"event":22961234567}`), want: intram.ErrInvalidPayload},
		{name: "two bodies", change: signed(v.Timestamp, v.Body+v.Body), want: intram.ErrInvalidPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := v.header()
			body := tt.change(header)
			event, err := verifierAt(t, v.at(t), v.Secret).Verify(header, []byte(body))
			assert.Nil(t, event)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.says)
			// Each failure is its own: none but the documented families overlap.
			for _, other := range []error{
				intram.ErrMissingSignature, intram.ErrMissingTimestamp, intram.ErrDuplicateHeader, intram.ErrInvalidSignature,
				intram.ErrInvalidTimestamp, intram.ErrStaleTimestamp, intram.ErrInvalidPayload,
			} {
				family := errors.Is(tt.want, other)
				assert.Equal(t, family, errors.Is(err, other), "%v", other)
			}
			for _, hidden := range []string{"22961234567", v.Secret, v.Signature, "Lovelace"} {
				assert.NotContains(t, err.Error(), hidden)
			}
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// A forged delivery learns nothing about the clock: the signature is judged before the
// age.
func TestWebhookSignatureIsJudgedBeforeAge(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	for _, timestamp := range []string{"2001-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", "nonsense"} {
		header := v.header()
		header.Set("X-Intram-Timestamp", timestamp)
		_, err := verifierAt(t, v.at(t), v.Secret).Verify(header, []byte(v.Body))
		require.ErrorIs(t, err, intram.ErrInvalidSignature)
		assert.NotErrorIs(t, err, intram.ErrStaleTimestamp)
	}
}

// Each bit of body, timestamp and signature counts.
func TestWebhookMutationsAreRefused(t *testing.T) {
	t.Parallel()
	for _, v := range webhookVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			verifier := verifierAt(t, v.at(t), v.Secret)
			body := []byte(v.Body)
			for i := range body {
				body[i] ^= 1 << (i % 8)
				_, err := verifier.Verify(v.header(), body)
				require.ErrorIs(t, err, intram.ErrInvalidSignature, "byte %d", i)
				body[i] ^= 1 << (i % 8)
			}
			for i := len("sha256="); i < len(v.Signature); i++ {
				digit := byte('0')
				if v.Signature[i] == '0' {
					digit = '1'
				}
				header := v.header()
				header.Set("X-Intram-Signature", v.Signature[:i]+string(digit)+v.Signature[i+1:])
				_, err := verifier.Verify(header, body)
				require.ErrorIs(t, err, intram.ErrInvalidSignature, "digit %d", i)
			}
			_, err := verifier.Verify(v.header(), body)
			require.NoError(t, err, "as it was")
		})
	}
}

// The digits are compared as bytes: their case says nothing.
func TestWebhookSignatureInUpperCaseHex(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	header := v.header()
	header.Set("X-Intram-Signature", "sha256="+strings.ToUpper(strings.TrimPrefix(v.Signature, "sha256=")))
	_, err := verifierAt(t, v.at(t), v.Secret).Verify(header, []byte(v.Body))
	require.NoError(t, err)
}

func TestWebhookSecretsRotate(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	for _, secrets := range [][]string{
		{v.Secret}, {v.Secret, "whsec_next"}, {"whsec_next", v.Secret}, {"whsec_1", v.Secret, "whsec_3"}, {v.Secret, v.Secret},
	} {
		_, err := verifierAt(t, v.at(t), secrets...).Verify(v.header(), []byte(v.Body))
		require.NoError(t, err, "%d secrets", len(secrets))
	}
	_, err := verifierAt(t, v.at(t), "whsec_next", "whsec_after").Verify(v.header(), []byte(v.Body))
	require.ErrorIs(t, err, intram.ErrInvalidSignature)
}

func TestWebhookVerifierWantsSecrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		secrets []string
		says    string
	}{
		{nil, "at least one secret"},
		{[]string{""}, "secret 1 is empty"},
		{[]string{"whsec_a", ""}, "secret 2 is empty"},
		{[]string{"whsec_a", "  "}, "secret 2 is empty"},
		{[]string{"whsec_canary\n"}, "secret 1 has spaces or a line break around it"},
		{[]string{"whsec_a", " whsec_canary"}, "secret 2 has spaces or a line break around it"},
		{[]string{`"whsec_canary"`}, "secret 1 has quotes around it"},
		{[]string{"\uFEFFwhsec_canary"}, "secret 1 begins with a byte order mark"},
		{[]string{"whsec_can\u200bary"}, "secret 1 has an invisible character"},
		{[]string{"whsec_can ary"}, "secret 1 has spaces or a line break in it"},
		{[]string{`whsec_canary\n`}, `secret 1 ends in a backslash and a letter`},
		{[]string{"whsec_canary # live"}, "secret 1 has a comment behind it"},
		{[]string{"whsec_"}, "secret 1 ends after its prefix"},
		{[]string{"sk_sandbox_canary"}, "secret 1 is a secret key (sk_…)"},
		{[]string{"pk_sandbox_canary"}, "secret 1 is a public key (pk_…)"},
	} {
		v, err := intram.NewWebhookVerifier(tt.secrets...)
		assert.Nil(t, v)
		require.ErrorContains(t, err, tt.says)
		assert.NotContains(t, err.Error(), "canary")
	}
	var zero intram.WebhookVerifier
	v := webhookVectors(t)[0]
	_, err := zero.Verify(v.header(), []byte(v.Body))
	require.ErrorIs(t, err, intram.ErrInvalidSignature, "a verifier without secrets lets nothing in")
}

func TestWebhookDeliveryHeadersAreNotTrusted(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	header := v.header()
	header.Set("X-Intram-Attempt", "many")
	header.Del("X-Intram-Delivery")
	header.Set("X-Intram-Event", "refund.completed") // not signed: the body says what it is
	event, err := verifierAt(t, v.at(t), v.Secret).Verify(header, []byte(v.Body))
	require.NoError(t, err)
	assert.Zero(t, event.Attempt)
	assert.Empty(t, event.DeliveryID)
	assert.Equal(t, intram.EventPayoutCompleted, event.Type)
}

// The event is the caller's to keep: it does not change with the buffer it was read from.
func TestWebhookEventKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[4] // an event that the SDK does not know, whose data is kept raw
	body := []byte(v.Body)
	event, err := verifierAt(t, v.at(t), v.Secret).Verify(v.header(), body)
	require.NoError(t, err)
	clear(body)
	assert.Equal(t, v.Body, string(event.Raw))
	unknown, ok := event.Data.(*intram.UnknownEventData)
	require.True(t, ok)
	assert.JSONEq(t, `{"anything":[1,2,3]}`, string(unknown.Raw))
}

func TestWebhookVerifierIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	verifier := verifierAt(t, v.at(t), "whsec_other", v.Secret)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for range 100 {
				body, want := []byte(v.Body), error(nil)
				if worker%2 == 0 {
					body, want = bytes.Replace(body, []byte("25000"), []byte("35000"), 1), intram.ErrInvalidSignature
				}
				if _, err := verifier.Verify(v.header(), body); !errors.Is(err, want) {
					t.Errorf("worker %d: %v, want %v", worker, err, want)
				}
			}
		})
	}
	group.Wait()
}

func TestSignWebhookRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 20, 10, 30, 0, 123456789, time.FixedZone("", 3600))
	body := []byte(`{"event":"payout.completed","operation_id":"op_1","data":{}}`)
	header := intram.SignWebhook("whsec_1", at, body)
	assert.Equal(t, "2026-05-20T09:30:00.123Z", header.Get("X-Intram-Timestamp"))
	assert.Equal(t, "payout.completed", header.Get("X-Intram-Event"))
	assert.Equal(t, "Intram-Webhooks/1.0", header.Get("User-Agent"))
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	assert.Equal(t, "1", header.Get("X-Intram-Attempt"))
	assert.NotEmpty(t, header.Get("X-Intram-Delivery"))
	event, err := verifierAt(t, at, "whsec_1").Verify(header, body)
	require.NoError(t, err)
	assert.Equal(t, intram.EventPayoutCompleted, event.Type)
	assert.Equal(t, 1, event.Attempt)
	// What is no event is signed all the same, for tests of a receiver that must refuse
	// it.
	header = intram.SignWebhook("whsec_1", at, []byte("not an event"))
	assert.Empty(t, header.Get("X-Intram-Event"))
	_, err = verifierAt(t, at, "whsec_1").Verify(header, []byte("not an event"))
	require.ErrorIs(t, err, intram.ErrInvalidPayload)
}

// hmacHex is HMAC-SHA256 from its definition; see secondSignature.
func hmacHex(secret, message string) string { return fmt.Sprintf("%x", secondHMAC(secret, message)) }

func FuzzVerifyWebhook(f *testing.F) {
	for _, v := range webhookVectors(f) {
		f.Add(v.Secret, v.Timestamp, v.Signature, []byte(v.Body), int64(0))
	}
	v := webhookVectors(f)[0]
	f.Add(v.Secret, v.Timestamp, strings.ToUpper(v.Signature), []byte(v.Body), int64(0))
	f.Add(v.Secret, v.Timestamp, v.Signature, []byte(v.Body+" "), int64(0))
	f.Add(v.Secret, v.Timestamp, v.Signature, []byte(v.Body), int64(5*time.Minute+1))
	f.Add(v.Secret, v.Timestamp, v.Signature, []byte(v.Body), int64(-5*time.Minute-1))
	f.Add("s", "2026-05-20T10:31:14,5Z", "sha256=00", []byte(`{"event":"refund.x","data":null}`), int64(1))
	f.Add("s", "x", "", []byte{}, int64(1))
	f.Fuzz(func(t *testing.T, secret, timestamp, signature string, body []byte, off int64) {
		verifier, err := intram.NewWebhookVerifier(secret)
		if err != nil {
			require.NotRegexp(t, `^whsec_[A-Za-z0-9]{8,}$`, secret, "a secret as the API makes them was refused")
			return
		}
		require.NotRegexp(t, `^$|["'\s]`, secret, "a secret that was damaged when it was copied was taken")
		now := time.Date(2026, 5, 20, 10, 31, 14, 0, time.UTC).Add(time.Duration(off))
		verifier = verifier.WithClock(fixedClock{now})
		header := http.Header{"X-Intram-Signature": {signature}, "X-Intram-Timestamp": {timestamp}}

		right := hmacHex(secret, timestamp+"."+string(body))
		given, scheme := strings.CutPrefix(signature, "sha256=")
		good := scheme && strings.EqualFold(given, right)
		event, err := verifier.Verify(header, body)
		switch {
		case signature == "":
			require.ErrorIs(t, err, intram.ErrMissingSignature)
		case timestamp == "":
			require.ErrorIs(t, err, intram.ErrMissingTimestamp)
		case !good:
			require.ErrorIs(t, err, intram.ErrInvalidSignature)
		}
		if err != nil {
			require.Nil(t, event)
		}

		// And with the right signature: only the time and the body decide.
		header["X-Intram-Signature"] = []string{"sha256=" + right}
		event, err = verifier.Verify(header, body)
		require.NotErrorIs(t, err, intram.ErrInvalidSignature)
		if timestamp == "" {
			return
		}
		at, dateErr := time.Parse(time.RFC3339Nano, timestamp)
		age := now.Sub(at)
		var wire map[string]json.RawMessage
		switch {
		case dateErr != nil:
			// Not RFC 3339. Other forms of ISO 8601 are read too, which the next test
			// pins; nothing else is.
			if !errors.Is(err, intram.ErrInvalidTimestamp) {
				require.Regexp(t, `^\d{4}-?\d\d-?\d\d[Tt ]\d\d:?\d\d(:?\d\d)?([.,]\d+)?([Zz]|[+-]\d\d(:?\d\d)?)$`, timestamp)
			}
		case age > 5*time.Minute, age < -5*time.Minute:
			require.ErrorIs(t, err, intram.ErrStaleTimestamp)
		case json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &wire) != nil, len(wire) == 0:
			require.ErrorIs(t, err, intram.ErrInvalidPayload)
		case err == nil:
			require.Equal(t, string(body), string(event.Raw))
			require.NotNil(t, event.Data)
			out, err := json.Marshal(event)
			require.NoError(t, err)
			back := new(intram.Event)
			require.NoError(t, json.Unmarshal(out, back))
			require.Equal(t, event, back)
		}
	})
}

// What is signed is the text as it was sent, so the form of the timestamp proves nothing.
func TestATimestampInAnyISO8601FormIsRead(t *testing.T) {
	t.Parallel()
	v := webhookVectors(t)[0]
	verify := func(timestamp, body string) error {
		h := v.header()
		h.Set("X-Intram-Timestamp", timestamp)
		h.Set("X-Intram-Signature", "sha256="+hmacHex(v.Secret, timestamp+"."+body))
		return verifierAt(t, v.at(t), v.Secret).Authenticate(h, []byte(body))
	}
	for _, form := range []string{
		"2026-05-20T%s:31:14.000+0000", "2026-05-20T%s:31:14+0000", "2026-05-20T%s:31:14+00", "20260520T%s3114Z", "20260520T%s3114.000Z",
		"20260520T%s3114+0000", "20260520T%s3114", "2026-05-20T%s:31:14.000", "2026-05-20T%s:31:14", "2026-05-20 %s:31:14", "2026-05-20 %s:31:14Z",
		"2026-05-20 %s:31:14.000+00:00", "2026-05-20 %s:31:14 +0000", "2026-05-20t%s:31:14z",
	} {
		require.NoError(t, verify(fmt.Sprintf(form, "10"), v.Body), form)
		require.ErrorIs(t, verify(fmt.Sprintf(form, "09"), v.Body), intram.ErrStaleTimestamp, form)
		require.ErrorContains(t, verify(fmt.Sprintf(form, "11"), v.Body), "in the future", form)
	}
	require.NoError(t, verify("2026-05-20T11:31:14.000+0100", v.Body))
	for _, none := range []string{"2026-05-20", "10:31:14", "20 May 2026 10:31:14", "2026-05-20T10:31:14+0000+0000", " ", "T"} {
		require.ErrorIs(t, verify(none, v.Body), intram.ErrInvalidTimestamp, none)
	}
	// The dot between timestamp and body must not be movable into a fraction of a second.
	for _, seconds := range []string{"2026-05-20T10:31:14", "20260520T103114"} {
		require.ErrorIs(t, verify(seconds, "000Z."+v.Body), intram.ErrInvalidTimestamp, seconds)
	}
}
