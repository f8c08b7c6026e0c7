package signature_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
	"github.com/intram/intram-go/intramtest"
)

// client is a client of the API as a stranger may write it: what it sends, and what it
// signs, which should be the same.
type client struct {
	sent struct {
		timestamp, method, target, body string
		publicKey                       string
	}
	signed struct {
		timestamp, method, path, query, body string
		key                                  string
	}
	join    func(timestamp, method, path, query, body string) string
	sum     func(key, text string) []byte
	encode  func([]byte) string
	headers func(http.Header)
}

const privateKey = "legacy-private-key-0123456789"

const payoutBody = `{"amount":25000,"currency":"XOF","note":"café & co / <b>","destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000000"}}`

func hmacWith(h func() hash.Hash) func(key, text string) []byte {
	return func(key, text string) []byte {
		mac := hmac.New(h, []byte(key))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

// newClient is one that makes no mistake.
func newClient(server *intramtest.Server, method, target, endpoint, query, body string) *client {
	c := &client{}
	at := server.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	c.sent.timestamp, c.sent.method, c.sent.target, c.sent.body, c.sent.publicKey = at, method, target, body, server.PublicKey
	c.signed.timestamp, c.signed.method, c.signed.path, c.signed.query, c.signed.body = at, method, "/api/v1/merchant"+endpoint, query, body
	c.signed.key = server.SecretKey
	c.join = func(t, m, p, q, b string) string { return strings.Join([]string{t, m, p, q, b}, "\n") }
	c.sum = hmacWith(sha256.New)
	c.encode = func(sum []byte) string { return "sha256=" + hex.EncodeToString(sum) }
	return c
}

func (c *client) request() *signature.Request {
	s := c.signed
	header := http.Header{}
	header.Set("X-Api-Key", c.sent.publicKey)
	header.Set("X-Timestamp", c.sent.timestamp)
	header.Set("X-Signature", c.encode(c.sum(s.key, c.join(s.timestamp, s.method, s.path, s.query, s.body))))
	header.Set("Idempotency-Key", "a-key-of-a-test")
	if c.headers != nil {
		c.headers(header)
	}
	return &signature.Request{Method: c.sent.method, Target: c.sent.target, Header: header, Body: []byte(c.sent.body)}
}

// refusedBy sends the request, and returns the fake's own reason for refusing it.
func refusedBy(t *testing.T, server *intramtest.Server, r *signature.Request) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(r.Method), server.URL+r.Target, bytes.NewReader(r.Body))
	require.NoError(t, err)
	request.Header = r.Header.Clone()
	answer, err := server.HTTPClient().Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var envelope struct{ Code, Message string }
	require.NoError(t, json.Unmarshal(body, &envelope), "%s", body)
	if envelope.Code == "signature_invalid" {
		return strings.TrimPrefix(envelope.Message, "Signature verification failed: ")
	}
	return envelope.Code
}

// mistakes are planted one by one. Each has the name that explain-signature gives it, and
// the reason that the API gives.
var mistakes = []struct {
	name, method string // method: POST unless said
	id           string
	reason       string // signature_mismatch unless said
	plant        func(*client, *intramtest.Server)
}{
	{name: "public path", id: "public-path", plant: func(c *client, _ *intramtest.Server) {
		c.signed.path = strings.Replace(c.signed.path, "/api/v1/merchant", "/v1", 1)
	}},
	{name: "endpoint alone", id: "endpoint-path", plant: func(c *client, _ *intramtest.Server) { c.signed.path = "/payouts" }},
	{name: "a part of the path", id: "partial-path", plant: func(c *client, _ *intramtest.Server) { c.signed.path = "/api/v1/payouts" }},
	{name: "slash at the path's end", id: "path-slash", plant: func(c *client, _ *intramtest.Server) { c.signed.path += "/" }},
	{name: "no slash at the path's beginning", id: "path-slash", plant: func(c *client, _ *intramtest.Server) { c.signed.path = c.signed.path[1:] }},
	{name: "the public path behind the prefix", id: "partial-path", plant: func(c *client, _ *intramtest.Server) {
		c.signed.path = "/api/v1/merchant/v1/payouts"
	}},
	{name: "no path", id: "path-missing", plant: func(c *client, _ *intramtest.Server) { c.signed.path = "" }},
	{name: "full URL", id: "full-url", plant: func(c *client, _ *intramtest.Server) { c.signed.path = "https://api.intram.org/v1/payouts" }},
	{name: "full URL of the host that was called", id: "full-url", plant: func(c *client, _ *intramtest.Server) {
		c.signed.path = "http://127.0.0.1:4010/v1/payouts"
		c.headers = func(h http.Header) { h.Set("Host", "127.0.0.1:4010") }
	}},

	{name: "line break at the body's end sent", id: "body-line-break-sent", plant: func(c *client, _ *intramtest.Server) { c.sent.body += "\n" }},
	{name: "line break at the body's end signed", id: "body-line-break-signed", plant: func(c *client, _ *intramtest.Server) { c.signed.body += "\n" }},
	{name: "CRLF at the body's end signed", id: "body-line-break-signed", plant: func(c *client, _ *intramtest.Server) { c.signed.body += "\r\n" }},
	{name: "CRLF sent", id: "body-crlf-sent", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = indent(payoutBody)
		c.sent.body = strings.ReplaceAll(c.signed.body, "\n", "\r\n")
	}},
	{name: "CRLF signed", id: "body-crlf-signed", plant: func(c *client, _ *intramtest.Server) {
		c.sent.body = indent(payoutBody)
		c.signed.body = strings.ReplaceAll(c.sent.body, "\n", "\r\n")
	}},
	{name: "white space around the body", id: "body-trimmed", plant: func(c *client, _ *intramtest.Server) { c.sent.body = " " + c.sent.body + " " }},
	{name: "byte order mark", id: "body-bom", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "\ufeff" + c.signed.body }},
	{name: "no body", id: "body-missing", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "" }},
	{name: "hash of the body", id: "body-hash", plant: func(c *client, _ *intramtest.Server) {
		sum := sha256.Sum256([]byte(c.sent.body))
		c.signed.body = hex.EncodeToString(sum[:])
	}},
	{name: "base64 of the body", id: "body-base64", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = base64.StdEncoding.EncodeToString([]byte(c.sent.body))
	}},
	{name: "body as a JSON string", id: "body-quoted", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = `"` + strings.ReplaceAll(c.sent.body, `"`, `\"`) + `"`
		c.signed.body = strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(c.signed.body)
	}},
	{name: "compact JSON signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) { c.sent.body = indent(payoutBody) }},
	{name: "indented JSON signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) { c.signed.body = indent(payoutBody) }},
	{name: "sorted keys signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = `{"amount":25000,"currency":"XOF","destination":{"msisdn":"22961000000","provider_code":"MTN_BENIN_229","type":"mobile_money"},"note":"café & co / <b>"}`
	}},
	{name: "escaped letters signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "é", `\u00e9`) }},
	{name: "escaped slashes signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "/", `\/`) }},
	{name: "PHP's json_encode signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = strings.ReplaceAll(strings.ReplaceAll(payoutBody, "é", `\u00e9`), "/", `\/`)
	}},
	{name: "Python's json.dumps signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = `{"amount": 25000, "currency": "XOF", "note": "caf\u00e9 & co / <b>", "destination": {"type": "mobile_money", "provider_code": "MTN_BENIN_229", "msisdn": "22961000000"}}`
	}},
	{name: "Go's json.Marshal signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(payoutBody)
	}},
	{name: "decimals signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.signed.body = strings.ReplaceAll(payoutBody, "25000,", "25000.0,")
	}},
	{name: "Latin-1 signed", id: "body-latin1", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "é", "\xe9") }},
	{name: "Latin-1 sent", id: "body-latin1-sent", plant: func(c *client, _ *intramtest.Server) { c.sent.body = strings.ReplaceAll(payoutBody, "é", "\xe9") }},
	{name: "Node's latin1 signed", id: "body-latin1", plant: func(c *client, _ *intramtest.Server) {
		c.sent.body = strings.ReplaceAll(payoutBody, "café", "café ’")
		c.signed.body = strings.ReplaceAll(payoutBody, "café", "caf\xe9 \x19")
	}},
	{name: "PHP's utf8_decode signed", id: "body-latin1", plant: func(c *client, _ *intramtest.Server) {
		c.sent.body = strings.ReplaceAll(payoutBody, "café", "café ’")
		c.signed.body = strings.ReplaceAll(payoutBody, "café", "caf\xe9 ?")
	}},
	{name: "ASCII signed", id: "body-ascii", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "é", "?") }},
	{name: "UTF-8 of UTF-8 signed", id: "body-encoded-twice", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "é", "Ã©") }},
	{name: "UTF-8 of UTF-8 sent", id: "body-encoded-twice", plant: func(c *client, _ *intramtest.Server) { c.sent.body = strings.ReplaceAll(payoutBody, "é", "Ã©") }},
	{name: "accents apart signed", id: "body-normalised", plant: func(c *client, _ *intramtest.Server) { c.signed.body = strings.ReplaceAll(payoutBody, "é", "e\u0301") }},
	{name: "accents apart sent", id: "body-normalised", plant: func(c *client, _ *intramtest.Server) { c.sent.body = strings.ReplaceAll(payoutBody, "é", "e\u0301") }},
	{name: "{} signed for no body", method: "GET", id: "body-empty-object", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "{}" }},
	{name: "null signed for no body", method: "GET", id: "body-null", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "null" }},

	{name: "undefined signed for no body", method: "GET", id: "body-word", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "undefined" }},
	{name: "an object's text signed", id: "body-word", plant: func(c *client, _ *intramtest.Server) { c.signed.body = "[object Object]" }},
	{name: "Python's str() signed", id: "body-reserialised", plant: func(c *client, _ *intramtest.Server) {
		c.sent.body = `{"amount": 25000, "note": "it's", "x": [true, null]}`
		c.signed.body = `{'amount': 25000, 'note': "it's", 'x': [True, None]}`
	}},

	{name: "a word for no query", id: "query-word", plant: func(c *client, _ *intramtest.Server) { c.signed.query = "undefined" }},
	{name: "unsorted query", method: "GET", id: "query-unsorted", plant: func(c *client, _ *intramtest.Server) {
		c.signed.query = "type=DEBIT&limit=5&before=2026-05-20T10:30:00Z"
	}},
	{name: "no query", method: "GET", id: "query-missing", plant: func(c *client, _ *intramtest.Server) { c.signed.query = "" }},
	{name: "question mark", method: "GET", id: "query-mark", plant: func(c *client, _ *intramtest.Server) { c.signed.query = "?" + c.signed.query }},
	{name: "question mark and unsorted", method: "GET", id: "query-mark", plant: func(c *client, _ *intramtest.Server) {
		c.signed.query = "?type=DEBIT&limit=5&before=2026-05-20T10:30:00Z"
	}},
	{name: "encoded query signed", method: "GET", id: "query-encoded", plant: func(c *client, _ *intramtest.Server) { c.signed.query = strings.ReplaceAll(c.signed.query, ":", "%3A") }},
	{name: "question mark for no query", id: "query-mark", plant: func(c *client, _ *intramtest.Server) { c.signed.query = "?" }},

	{name: "public key as secret", id: "public-key-as-secret", plant: func(c *client, s *intramtest.Server) { c.signed.key = s.PublicKey }},
	{name: "live key for the sandbox", id: "wrong-key", plant: func(c *client, s *intramtest.Server) { c.signed.key = s.LiveSecretKey }},
	{name: "legacy private key", id: "wrong-key", plant: func(c *client, _ *intramtest.Server) { c.signed.key = privateKey }},
	{name: "webhook secret", id: "wrong-key", plant: func(c *client, _ *intramtest.Server) { c.signed.key = "whsec_of_a_test" }},
	{name: "no key", id: "key-empty", plant: func(c *client, _ *intramtest.Server) { c.signed.key = "" }},
	{name: "line break after the key", id: "key-white-space", plant: func(c *client, _ *intramtest.Server) { c.signed.key += "\n" }},
	{name: "key without its prefix", id: "key-without-prefix", plant: func(c *client, _ *intramtest.Server) { c.signed.key = strings.TrimPrefix(c.signed.key, "sk_sandbox_") }},
	{name: "key decoded from hex", id: "key-decoded", plant: func(c *client, _ *intramtest.Server) {
		raw, _ := hex.DecodeString(strings.TrimPrefix(c.signed.key, "sk_sandbox_"))
		c.signed.key = string(raw)
	}},

	{name: "lower-case method", id: "method-lower-case", plant: func(c *client, _ *intramtest.Server) { c.signed.method = "post" }},
	{name: "one capital", id: "method-case", plant: func(c *client, _ *intramtest.Server) { c.signed.method = "Post" }},
	{name: "no method", id: "method-missing", plant: func(c *client, _ *intramtest.Server) { c.signed.method = "" }},
	{name: "another method", id: "method-other", plant: func(c *client, _ *intramtest.Server) { c.signed.method = "GET" }},

	{name: "no separators", id: "separator-missing", plant: joined("")},
	{name: "CRLF separators", id: "separator-crlf", plant: joined("\r\n")},
	{name: `\n in single quotes`, id: "separator-literal", plant: joined(`\n`)},
	{name: "bars", id: "separator-other", plant: joined("|")},
	{name: "line feed after the body", id: "separator-extra", plant: func(c *client, _ *intramtest.Server) {
		// With a body that is not JSON, since this is also a line break at the body's
		// end.
		c.join = func(t, m, p, q, b string) string { return "\n" + strings.Join([]string{t, m, p, q, b}, "\n") }
	}},
	{name: "empty query dropped", id: "empty-field-dropped", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(t, m, p, _, b string) string { return strings.Join([]string{t, m, p, b}, "\n") }
	}},
	{name: "empty body dropped", method: "GET", id: "empty-field-dropped", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(t, m, p, q, _ string) string { return strings.Join([]string{t, m, p, q}, "\n") }
	}},
	{name: "JavaScript's text of a Date", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().UTC().Format("Mon Jan 02 2006 15:04:05 GMT+0000 (Coordinated Universal Time)")
	}},
	{name: "the date of HTTP", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) { c.signed.timestamp = s.Now().UTC().Format(http.TimeFormat) }},
	{name: "an order of one's own", id: "field-order", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(t, m, p, q, b string) string { return strings.Join([]string{b, m, t, q, p}, "\n") }
	}},
	{name: "method first", id: "field-order", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(t, m, p, q, b string) string { return strings.Join([]string{m, p, q, t, b}, "\n") }
	}},
	{name: "signed like a webhook", id: "webhook-layout", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(t, _, _, _, b string) string { return t + "." + b }
	}},
	{name: "body alone", id: "body-only", plant: func(c *client, _ *intramtest.Server) {
		c.join = func(_, _, _, _, b string) string { return b }
	}},

	{name: "base64", id: "signature-base64", plant: func(c *client, _ *intramtest.Server) {
		c.encode = func(sum []byte) string { return "sha256=" + base64.StdEncoding.EncodeToString(sum) }
	}},
	{name: "base64 of the hex", id: "signature-base64", plant: func(c *client, _ *intramtest.Server) {
		c.encode = func(sum []byte) string {
			return "sha256=" + base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum)))
		}
	}},
	{name: "the name of the algorithm in front", id: "signature-prefix", plant: func(c *client, _ *intramtest.Server) {
		c.encode = func(sum []byte) string { return "HMAC-SHA256 " + hex.EncodeToString(sum) }
	}},
	{name: "no sha256=", id: "signature-prefix", plant: func(c *client, _ *intramtest.Server) { c.encode = hex.EncodeToString }},
	{name: "capitals", id: "signature-upper-case", plant: func(c *client, _ *intramtest.Server) {
		c.encode = func(sum []byte) string { return "sha256=" + strings.ToUpper(hex.EncodeToString(sum)) }
	}},
	{name: "plain hash", id: "hash-without-key", plant: func(c *client, _ *intramtest.Server) {
		c.sum = func(_, text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:] }
	}},
	{name: "hash of key and text", id: "hash-not-hmac", plant: func(c *client, _ *intramtest.Server) {
		c.sum = func(key, text string) []byte { sum := sha256.Sum256([]byte(key + text)); return sum[:] }
	}},
	{name: "HMAC of the hash", id: "hash-before-hmac", plant: func(c *client, _ *intramtest.Server) {
		c.sum = func(key, text string) []byte {
			sum := sha256.Sum256([]byte(text))
			return hmacWith(sha256.New)(key, hex.EncodeToString(sum[:]))
		}
	}},
	{name: "UTF-16", id: "text-utf16", plant: func(c *client, _ *intramtest.Server) {
		c.sum = func(key, text string) []byte {
			var wide []byte
			for _, r := range text {
				wide = append(wide, byte(r), byte(r>>8))
			}
			return hmacWith(sha256.New)(key, string(wide))
		}
	}},
	{name: "HMAC with swapped arguments", id: "hmac-swapped", plant: func(c *client, _ *intramtest.Server) {
		c.sum = func(key, text string) []byte { return hmacWith(sha256.New)(text, key) }
	}},
	{name: "SHA-512", id: "other-algorithm", plant: func(c *client, _ *intramtest.Server) { c.sum = hmacWith(sha512.New) }},
	{name: "SHA-1", id: "other-algorithm", plant: func(c *client, _ *intramtest.Server) { c.sum = hmacWith(sha1.New) }},
	{name: "MD5", id: "other-algorithm", plant: func(c *client, _ *intramtest.Server) { c.sum = hmacWith(md5.New) }},

	{name: "another time signed than sent", id: "other-timestamp", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().Add(-137 * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z")
	}},
	{name: "seconds signed", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().UTC().Format("2006-01-02T15:04:05Z")
	}},
	{name: "Unix time signed", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = fmt.Sprint(s.Now().Unix())
	}},
	{name: "Python's isoformat() signed", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().UTC().Truncate(time.Millisecond).Add(456 * time.Microsecond).Format("2006-01-02T15:04:05.000000+00:00")
	}},
	{name: "Python's isoformat() signed and rounded", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().UTC().Truncate(time.Millisecond).Add(-456 * time.Microsecond).Format("2006-01-02T15:04:05.000000+00:00")
	}},
	{name: "Porto-Novo's time signed", id: "timestamp-other-form", plant: func(c *client, s *intramtest.Server) {
		c.signed.timestamp = s.Now().In(time.FixedZone("WAT", 3600)).Format(time.RFC3339)
	}},
	{name: "no time signed", id: "timestamp-missing", plant: func(c *client, _ *intramtest.Server) { c.signed.timestamp = "" }},
	{name: "a space sent", id: "timestamp-format", reason: "invalid_timestamp_format", plant: bothTimes("2006-01-02 15:04:05Z", 0)},
	{name: "Unix time sent", id: "timestamp-format", reason: "invalid_timestamp_format", plant: func(c *client, s *intramtest.Server) {
		c.sent.timestamp = fmt.Sprint(s.Now().Unix())
		c.signed.timestamp = c.sent.timestamp
	}},
	{name: "no offset sent", id: "timestamp-format", reason: "invalid_timestamp_format", plant: bothTimes("2006-01-02T15:04:05.000", 0)},
	{name: "no time at all", id: "timestamp-format", reason: "invalid_timestamp_format", plant: bothTimes("yesterday", 0)},
	{name: "clock behind", id: "timestamp-window", reason: "timestamp_out_of_window", plant: bothTimes("2006-01-02T15:04:05.000Z", -7*time.Minute)},
	{name: "clock ahead", id: "timestamp-window", reason: "timestamp_out_of_window", plant: bothTimes("2006-01-02T15:04:05.000Z", 8*time.Minute)},
	{name: "local time", id: "timestamp-local-time", reason: "timestamp_out_of_window", plant: bothTimes("2006-01-02T15:04:05.000Z", time.Hour)},

	{name: "no signature", id: "missing-signature", reason: "missing_signature", plant: without("X-Signature")},
	{name: "no timestamp", id: "missing-timestamp", reason: "missing_timestamp", plant: without("X-Timestamp")},
	{name: "no API key", id: "missing-api-key", reason: "missing_api_key", plant: without("X-Api-Key")},
	{name: "secret key sent", id: "secret-key-sent", reason: "invalid_api_key", plant: func(c *client, s *intramtest.Server) { c.sent.publicKey = s.SecretKey }},
	{name: "two environments", id: "two-environments", plant: func(c *client, s *intramtest.Server) { c.sent.publicKey = s.LivePublicKey }},
}

func joined(separator string) func(*client, *intramtest.Server) {
	return func(c *client, _ *intramtest.Server) {
		c.join = func(t, m, p, q, b string) string { return strings.Join([]string{t, m, p, q, b}, separator) }
	}
}

func bothTimes(layout string, off time.Duration) func(*client, *intramtest.Server) {
	return func(c *client, s *intramtest.Server) {
		c.sent.timestamp = s.Now().Add(off).UTC().Format(layout)
		c.signed.timestamp = c.sent.timestamp
	}
}

func without(header string) func(*client, *intramtest.Server) {
	return func(c *client, _ *intramtest.Server) { c.headers = func(h http.Header) { h.Del(header) } }
}

func indent(body string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

// newClientFor is a client that makes no mistake yet, for a payout or for a list.
func newClientFor(server *intramtest.Server, method string) *client {
	if method == "GET" {
		return newClient(server, "GET", "/v1/transactions?type=DEBIT&limit=5&before=2026-05-20T10:30:00Z", "/transactions",
			"before=2026-05-20T10:30:00Z&limit=5&type=DEBIT", "")
	}
	return newClient(server, "POST", "/v1/payouts", "/payouts", "", payoutBody)
}

func keysOf(server *intramtest.Server) []signature.Key {
	return []signature.Key{
		{Label: "the secret key", Value: server.SecretKey}, {Label: "the live secret key", Value: server.LiveSecretKey},
		{Label: "the private key of the legacy API", Value: privateKey}, {Label: "a webhook's secret", Value: "whsec_of_a_test"},
	}
}

func ids(v *signature.Verdict) []string {
	found := make([]string, len(v.Findings))
	for i, f := range v.Findings {
		found[i] = f.ID
	}
	return found
}

func TestEachMistakeThatTheAPIRefusesIsNamed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := newClientFor(server, m.method)
			m.plant(c, server)
			r := c.request()
			want := m.reason
			if want == "" {
				want = "signature_mismatch"
			}
			require.Equal(t, want, refusedBy(t, server, r), "it is a mistake to the API too")
			v, err := signature.Explain(r, keysOf(server), server.Now())
			require.NoError(t, err)
			assert.Contains(t, ids(v), m.id)
			assert.Len(t, v.Findings, 1)
			assert.False(t, v.Good)
			assert.True(t, v.Explained || m.name == "no time at all")
			for _, f := range v.Findings {
				assert.NotEmpty(t, f.What)
				assert.NotEmpty(t, f.Fix)
			}
			sayNoKey(t, server, fmt.Sprintf("%+v", v))
		})
	}
}

func sayNoKey(t *testing.T, server *intramtest.Server, text string) {
	t.Helper()
	for _, key := range []string{server.SecretKey, server.LiveSecretKey, privateKey, "whsec_of_a_test"} {
		assert.NotContains(t, text, key)
	}
}

func TestTwoMistakesAtOnceAreNamed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	tried := 0
	for i, first := range mistakes {
		for j, second := range mistakes[i+1:] {
			if (i+j)%17 != 0 {
				continue // all of them, thousands, take a minute
			}
			// What is missing leaves nothing to compare; and two of one part of the
			// string are one mistake.
			if first.method != second.method || part(first.id) == part(second.id) || part(first.id) == "" || part(second.id) == "" {
				continue
			}
			tried++
			c := newClientFor(server, first.method)
			first.plant(c, server)
			second.plant(c, server)
			r := c.request()
			v, err := signature.Explain(r, keysOf(server), server.Now())
			require.NoError(t, err)
			if !v.Explained {
				t.Errorf("%s and %s: not explained", first.name, second.name)
				continue
			}
			// Some pairs come to the same bytes as another single mistake, or hide one
			// another; that there is an explanation which gives the signature is what
			// counts, and that it is no longer than two.
			assert.LessOrEqual(t, len(v.Findings), 3, "%s and %s: %v", first.name, second.name, ids(v))
			assert.NotEmpty(t, v.Findings, "%s and %s", first.name, second.name)
		}
	}
	assert.Greater(t, tried, 80)
}

// part is the part of the signed string that a mistake is in; empty for one of the
// headers.
func part(id string) string {
	switch {
	case strings.Contains(id, "path"), id == "full-url":
		return "path"
	case strings.HasPrefix(id, "body") && id != "body-only":
		return "body"
	case strings.HasPrefix(id, "query"):
		return "query"
	case strings.Contains(id, "key"):
		if id == "missing-api-key" || id == "secret-key-sent" || id == "hash-without-key" {
			return ""
		}
		return "key"
	case strings.HasPrefix(id, "method"):
		return "method"
	case strings.HasPrefix(id, "timestamp-other"), id == "timestamp-missing":
		return "timestamp"
	case strings.HasPrefix(id, "signature"):
		return "encoding"
	default:
		return ""
	}
}

func TestChosenPairsAreNamedBoth(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	byName := map[string]func(*client, *intramtest.Server){}
	want := map[string]string{}
	for _, m := range mistakes {
		byName[m.name], want[m.name] = m.plant, m.id
	}
	for _, pair := range [][3]string{
		{"", "public path", "PHP's json_encode signed"},
		{"", "public path", "line break after the key"},
		{"", "endpoint alone", "lower-case method"},
		{"GET", "public path", "unsorted query"},
		{"GET", "question mark", "live key for the sandbox"},
		{"", "base64", "no body"},
		{"", "clock ahead", "public path"},
		{"", "legacy private key", "hash of the body"},
		{"", "seconds signed", "Python's json.dumps signed"},
	} {
		c := newClientFor(server, pair[0])
		for _, name := range pair[1:] {
			require.Contains(t, byName, name)
			byName[name](c, server)
		}
		v, err := signature.Explain(c.request(), keysOf(server), server.Now())
		require.NoError(t, err)
		assert.True(t, v.Explained, "%v", pair)
		assert.ElementsMatch(t, []string{want[pair[1]], want[pair[2]]}, ids(v), "%v", pair)
	}
}

// More than one mistake in one part of the string, and three in different ones.
func TestMistakesThatGoTogetherAreAllNamed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	const sent = "type=DEBIT&limit=5&before=2026-05-20T10%3A30%3A00Z"
	for name, test := range map[string]struct {
		method string
		ids    []string
		plant  func(*client)
	}{
		"query unsorted and decoded": {"GET", []string{"query-unsorted", "query-decoded"}, func(c *client) {
			c.sent.target, c.signed.query = "/v1/transactions?"+sent, "type=DEBIT&limit=5&before=2026-05-20T10:30:00Z"
		}},
		"query unsorted, decoded, on the public path": {"GET", []string{"query-unsorted", "query-decoded", "public-path"}, func(c *client) {
			c.sent.target, c.signed.query = "/v1/transactions?"+sent, "type=DEBIT&limit=5&before=2026-05-20T10:30:00Z"
			c.signed.path = "/v1/transactions"
		}},
		"body written by Python, in Latin-1": {"POST", []string{"body-reserialised", "body-latin1"}, func(c *client) {
			c.signed.body = strings.NewReplacer("é", "\xe9", ":", ": ", ",", ", ").Replace(payoutBody)
		}},
		"PHP's JSON and a line break": {"POST", []string{"body-reserialised", "separator-extra"}, func(c *client) {
			c.signed.body = strings.NewReplacer("é", `\u00e9`, "/", `\/`).Replace(payoutBody) + "\n"
		}},
		"another key, read from a file": {"POST", []string{"wrong-key", "key-white-space"}, func(c *client) { c.signed.key = privateKey + "\n" }},
		"isoformat() and the public path": {"POST", []string{"timestamp-other-form", "public-path"}, func(c *client) {
			c.signed.timestamp = strings.TrimSuffix(c.sent.timestamp, "Z") + "777+00:00"
			c.signed.path = "/v1/payouts"
		}},
		"a clock read twice and the public path": {"POST", []string{"other-timestamp", "public-path"}, func(c *client) {
			at, err := time.Parse(time.RFC3339Nano, c.sent.timestamp)
			require.NoError(t, err)
			c.signed.timestamp, c.signed.path = at.Add(-3*time.Millisecond).Format("2006-01-02T15:04:05.000Z"), "/v1/payouts"
		}},
		"isoformat() with its microseconds sent as Z": {"POST", []string{"timestamp-other-form"}, func(c *client) {
			c.sent.timestamp = strings.TrimSuffix(c.sent.timestamp, "Z") + "777Z"
			c.signed.timestamp = strings.TrimSuffix(c.sent.timestamp, "Z") + "+00:00"
		}},
		"isoformat() with seconds sent": {"POST", []string{"timestamp-other-form"}, func(c *client) {
			c.sent.timestamp = c.sent.timestamp[:19] + "Z"
			c.signed.timestamp = strings.TrimSuffix(c.sent.timestamp, "Z") + ".001777+00:00"
		}},
		"three at once": {"POST", []string{"public-path", "method-lower-case", "body-reserialised"}, func(c *client) {
			c.signed.path, c.signed.method = "/v1/payouts", "post"
			c.signed.body = strings.NewReplacer("é", `\u00e9`, "/", `\/`).Replace(payoutBody)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClientFor(server, test.method)
			test.plant(c)
			r := c.request()
			require.NotEmpty(t, refusedBy(t, server, r))
			v, err := signature.Explain(r, keysOf(server), server.Now())
			require.NoError(t, err)
			assert.True(t, v.Explained)
			assert.ElementsMatch(t, test.ids, ids(v))
		})
	}
}

func TestAGoodSignatureIsGood(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	for _, method := range []string{"GET", "POST"} {
		r := newClientFor(server, method).request()
		if method == "GET" {
			require.Empty(t, refusedBy(t, server, r))
		}
		v, err := signature.Explain(r, keysOf(server), server.Now())
		require.NoError(t, err)
		assert.True(t, v.Good)
		assert.Empty(t, v.Findings)
		assert.Equal(t, r.Header.Get("X-Signature"), v.Signature)
	}
}

// What the docs do not exclude is no mistake, and the server takes it.
func TestEachFormOfATimestampIsGood(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	for _, layout := range []string{
		"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.0Z", "2006-01-02T15:04:05.000000Z", "2006-01-02T15:04:05.000000000Z",
		"2006-01-02T15:04:05+00:00", "2006-01-02T15:04:05.000000+00:00", "2006-01-02T15:04:05+0000", "2006-01-02T15:04:05+00",
	} {
		c := newClientFor(server, "GET")
		bothTimes(layout, 0)(c, server)
		r := c.request()
		assert.Empty(t, refusedBy(t, server, r), layout)
		v, err := signature.Explain(r, keysOf(server), server.Now())
		require.NoError(t, err)
		assert.True(t, v.Good, layout)
		assert.Empty(t, v.Findings, layout)
	}
	c := newClientFor(server, "GET")
	c.sent.timestamp = server.Now().In(time.FixedZone("WAT", 3600)).Format(time.RFC3339)
	c.signed.timestamp = c.sent.timestamp
	v, err := signature.Explain(c.request(), keysOf(server), server.Now())
	require.NoError(t, err)
	assert.True(t, v.Good, "the hour of Porto-Novo says that it is one")
}

func TestAnUnknownMistakeIsNotMadeUp(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	c := newClientFor(server, "")
	c.signed.key = "a key that nobody gave us"
	v, err := signature.Explain(c.request(), keysOf(server), server.Now())
	require.NoError(t, err)
	assert.False(t, v.Good)
	assert.False(t, v.Explained)
	assert.Empty(t, v.Findings)
}

func TestTheVectorsOfOpensslAreGood(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "testdata", "vectors", "signatures.json"))
	require.NoError(t, err)
	var vectors []struct{ Name, Secret, Timestamp, Method, Endpoint, Query, Body, Signature string }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		at, err := time.Parse(time.RFC3339Nano, v.Timestamp)
		require.NoError(t, err)
		headers, err := signature.Sign("pk_sandbox_1", v.Secret, v.Method, v.Endpoint+"?"+v.Query, []byte(v.Body), at)
		require.NoError(t, err)
		assert.Equal(t, [2]string{"X-Timestamp", v.Timestamp}, headers[1], v.Name)
		assert.Equal(t, [2]string{"X-Signature", v.Signature}, headers[2], v.Name)
	}
}

func TestDumpsAreReadAsTheyAreKept(t *testing.T) {
	t.Parallel()
	want := &signature.Request{
		Method: "POST", Target: "/v1/payouts", Body: []byte("{\"a\":1}"),
		Header: http.Header{"X-Api-Key": {"pk_1"}, "Content-Length": {"7"}},
	}
	for name, dump := range map[string]string{
		"wire":            "POST /v1/payouts HTTP/1.1\r\nX-Api-Key: pk_1\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
		"editor":          "POST /v1/payouts HTTP/1.1\nX-Api-Key: pk_1\nContent-Length: 7\n\n{\"a\":1}\n",
		"curl -v":         "> POST /v1/payouts HTTP/1.1\n> X-Api-Key: pk_1\n> Content-Length: 7\n> \n{\"a\":1}\n",
		"lower-case name": "POST /v1/payouts HTTP/2\nx-api-key: pk_1\ncontent-length: 7\n\n{\"a\":1}",
	} {
		got, err := signature.ParseDump([]byte(dump))
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
	chunked, err := signature.ParseDump([]byte("POST /payouts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "{\"a\":1}", string(chunked.Body))
	for _, wrong := range []string{"", "hello", "POST\n\n", "POST /payouts\n\nbody"} {
		_, err := signature.ParseDump([]byte(wrong))
		assert.Error(t, err, "%q", wrong)
	}
	header, err := signature.ParseHeaders([]byte(`{"x-api-key":"pk_1","x-timestamp":["a","b"]}`))
	require.NoError(t, err)
	assert.Equal(t, http.Header{"X-Api-Key": {"pk_1"}, "X-Timestamp": {"a", "b"}}, header)
	for _, wrong := range []string{"", "{", "no header here"} {
		_, err := signature.ParseHeaders([]byte(wrong))
		assert.Error(t, err, "%q", wrong)
	}
}

func TestTargetsAreTakenApart(t *testing.T) {
	t.Parallel()
	for target, want := range map[string][3]string{
		"/payouts":                         {"/payouts", "/payouts", ""},
		"payouts":                          {"/payouts", "/payouts", ""},
		"/v1/payouts?a=b":                  {"/payouts", "/v1/payouts", "a=b"},
		"/api/v1/merchant/operations/op_1": {"/operations/op_1", "/api/v1/merchant/operations/op_1", ""},
		"https://api.intram.org/v1/balance?x=1#here": {"/balance", "/v1/balance", "x=1"},
	} {
		endpoint, path, query, err := signature.Split(target)
		require.NoError(t, err, target)
		assert.Equal(t, want, [3]string{endpoint, path, query}, target)
	}
	for _, wrong := range []string{"", "/", "https://", "/a b"} {
		_, _, _, err := signature.Split(wrong)
		assert.Error(t, err, "%q", wrong)
	}
}

func FuzzParseDump(f *testing.F) {
	f.Add([]byte("POST /v1/payouts HTTP/1.1\r\nX-Api-Key: pk_1\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, dump []byte) {
		r, err := signature.ParseDump(dump)
		if err != nil {
			return
		}
		if _, err := signature.Explain(r, []signature.Key{{Label: "the key", Value: "sk_sandbox_1"}}, time.Unix(0, 0)); err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}
