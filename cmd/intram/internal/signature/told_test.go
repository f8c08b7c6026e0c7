package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// The string that is signed for wrongCall, and its fields. Every field has text, so that
// no two mistakes sign the same bytes.
const (
	fieldTime   = "2026-05-20T12:00:00.000Z"
	fieldMethod = "POST"
	fieldPath   = "/api/v1/merchant/payouts"
	fieldQuery  = "a=1:2&b=%20"
	fieldBody   = `{"amount":5}`
	wrongTarget = "/v1/payouts?b=%20&a=1:2"
	wrongKey    = "sk_sandbox_YWJj"
)

// wrongCall is a call whose signature is of text instead of the five fields joined with
// line feeds.
type wrongCall struct {
	text                      string
	method, target, body, key string // those of the constants unless said
	header                    func(http.Header)
	sum                       func(key, text string) []byte
}

func fields(parts ...string) string { return strings.Join(parts, "\n") }

func withTime(time string) string { return fields(time, fieldMethod, fieldPath, fieldQuery, fieldBody) }

func withPath(path string) string { return fields(fieldTime, fieldMethod, path, fieldQuery, fieldBody) }

func withQuery(query string) string {
	return fields(fieldTime, fieldMethod, fieldPath, query, fieldBody)
}

func withHeader(set func(signature string) string) func(http.Header) {
	return func(h http.Header) { h.Set("X-Signature", set(strings.TrimPrefix(h.Get("X-Signature"), "sha256="))) }
}

func withEncoding(e *base64.Encoding) func(http.Header) {
	return withHeader(func(digits string) string {
		sum, _ := hex.DecodeString(digits)
		return "sha256=" + e.EncodeToString(sum)
	})
}

func (c wrongCall) explain(t *testing.T) *signature.Verdict {
	t.Helper()
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	r := &signature.Request{Method: or(c.method, fieldMethod), Target: or(c.target, wrongTarget), Header: http.Header{}}
	if c.method == "" {
		r.Body = []byte(or(c.body, fieldBody))
	}
	sum := c.sum
	if sum == nil {
		sum = hmacWith(sha256.New)
	}
	r.Header.Set("X-Api-Key", "pk_sandbox_1")
	r.Header.Set("X-Timestamp", fieldTime)
	right := fields(fieldTime, fieldMethod, fieldPath, fieldQuery, fieldBody)
	r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(sum(or(c.key, wrongKey), or(c.text, right))))
	if c.header != nil {
		c.header(r.Header)
	}
	v, err := signature.Explain(r, []signature.Key{{Label: "the secret key", Value: wrongKey}}, noon)
	require.NoError(t, err)
	return v
}

// A wrong word would send the reader to a part of his code that is right.
func TestAMistakeIsToldAsTheOneThatItIs(t *testing.T) {
	t.Parallel()
	require.True(t, wrongCall{}.explain(t).Good, "without a mistake")
	const prefix = "/api/v1/merchant"
	get := func(parts ...string) string {
		return fields(append([]string{fieldTime, "GET", prefix + "/balance"}, parts...)...)
	}
	all := []string{fieldTime, fieldMethod, fieldPath, fieldQuery, fieldBody}
	for what, call := range map[string]wrongCall{
		"the fields were joined without line feeds":        {text: strings.Join(all, "")},
		"the fields were joined with CRLF":                 {text: strings.Join(all, "\r\n")},
		"the fields were joined with a backslash and an n": {text: strings.Join(all, `\n`)},
		"the fields were joined with |":                    {text: strings.Join(all, "|")},
		"the fields were joined with a dot":                {text: strings.Join(all, ".")},
		"the fields were joined with a space":              {text: strings.Join(all, " ")},
		"the fields were joined with a colon":              {text: strings.Join(all, ":")},
		"the fields were joined with &":                    {text: strings.Join(all, "&")},
		"a line feed was signed after the body":            {method: "GET", target: "/v1/balance", text: get("", "", "")},
		"an empty line was signed before the body":         {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, "", fieldBody)},
		"a line feed was signed before the timestamp":      {text: "\n" + fields(all...)},
		"an empty field was left out together":             {method: "GET", target: "/v1/balance", text: get()},
		"the query's line was left out":                    {text: fields(fieldTime, fieldMethod, fieldPath, fieldBody)},
		"the query's line was left":                        {method: "GET", target: "/v1/balance", text: get("")},
		"the method was signed before the timestamp":       {text: fields(fieldMethod, fieldPath, fieldQuery, fieldTime, fieldBody)},
		"order: method, path, timestamp, query, body":      {text: fields(fieldMethod, fieldPath, fieldTime, fieldQuery, fieldBody)},
		"order: method, timestamp, path, query, body":      {text: fields(fieldMethod, fieldTime, fieldPath, fieldQuery, fieldBody)},
		"order: timestamp, method, path, body, query":      {text: fields(fieldTime, fieldMethod, fieldPath, fieldBody, fieldQuery)},
		"the timestamp was signed last":                    {text: fields(fieldMethod, fieldPath, fieldQuery, fieldBody, fieldTime)},
		"it was signed as a webhook is":                    {text: fieldTime + "." + fieldBody},
		"the body alone was signed":                        {text: fieldBody},

		"the time was signed as seconds since 1970":      {text: withTime("1779278400")},
		"the time was signed as milliseconds since 1970": {text: withTime("1779278400000")},
		"than it was sent: with seconds":                 {text: withTime("2026-05-20T12:00:00Z")},
		"than it was sent: with microseconds":            {text: withTime("2026-05-20T12:00:00.000000Z")},
		"than it was sent: with +00:00 and no milli":     {text: withTime("2026-05-20T12:00:00+00:00")},
		"than it was sent: with +00:00":                  {text: withTime("2026-05-20T12:00:00.000+00:00")},
		"than it was sent: without Z":                    {text: withTime("2026-05-20T12:00:00")},
		"than it was sent: with milliseconds and with":   {text: withTime("2026-05-20T12:00:00.000")},
		"than it was sent: as a database":                {text: withTime("2026-05-20 12:00:00")},

		"the path /merchant/payouts was signed":   {text: withPath("/merchant/payouts")},
		"the endpoint alone, /api/payouts, was":   {target: "https://proxy.example/api/payouts?b=%20&a=1:2", text: withPath("/api/payouts")},
		"the full URL was signed as the path":     {target: "http://127.0.0.1:4010/v1/payouts?b=%20&a=1:2", text: withPath("http://127.0.0.1:4010/v1/payouts")},
		"the full URL with its query was signed":  {target: "http://127.0.0.1:4010/v1/payouts?b=%20&a=1:2", text: withPath("http://127.0.0.1:4010/v1/payouts?b=%20&a=1:2")},
		"the query was signed as a part of":       {text: withPath(fieldPath + "?b=%20&a=1:2")},
		"the public path was signed, with the":    {text: withPath("/v1/payouts?b=%20&a=1:2")},
		"the path was signed decoded":             {method: "GET", target: "/v1/operations/a%3Ab", text: fields(fieldTime, "GET", prefix+"/operations/a:b", "", "")},
		"the query was signed with its question":  {text: withQuery("?" + fieldQuery)},
		"with its question mark, unsorted":        {text: withQuery("?b=%20&a=1:2")},
		"the query was signed as it was sent":     {text: withQuery("b=%20&a=1:2")},
		"the query was signed decoded":            {text: withQuery("a=1:2&b= ")},
		"percent signs that were not sent":        {text: withQuery("a=1%3A2&b=+")},
		"the query was signed in another order":   {target: "/v1/payouts?a=1&c=2&b=3", text: withQuery("c=2&b=3&a=1")},
		"the query was signed without &":          {text: withQuery("a=1:2b=%20")},
		"signed with the public key":              {key: "pk_sandbox_1"},
		"with the key and a line break after it":  {key: wrongKey + "\n"},
		"with the key and CRLF after it":          {key: wrongKey + "\r\n"},
		"with the key and a space after it":       {key: wrongKey + " "},
		"signed with the key in quotes":           {key: `"` + wrongKey + `"`},
		"signed with the key without sk_sandbox_": {key: "YWJj"},
		"signed with the key without sk_":         {key: "sandbox_YWJj"},
		"signed with the key decoded from base64": {key: "abc"},
		"signed with the base64 of the key":       {key: base64.StdEncoding.EncodeToString([]byte(wrongKey))},
		"SHA-256 of text and key":                 {sum: func(key, text string) []byte { sum := sha256.Sum256([]byte(text + key)); return sum[:] }},
		"HMAC-SHA384":                             {sum: hmacWith(sha512.New384)},
		"X-Signature has white space in it":       {header: withHeader(func(s string) string { return "sha256= " + s })},
		"X-Signature begins with SHA256= in":      {header: withHeader(func(s string) string { return "SHA256=" + s })},
		"X-Signature does not begin with sha256=": {header: withHeader(func(s string) string { return s })},
		"X-Signature is in base64 instead of hex": {header: withEncoding(base64.RawStdEncoding)},
		"X-Signature is in base64 instead of":     {header: withEncoding(base64.URLEncoding)},
		"X-Signature is in base64":                {header: withEncoding(base64.RawURLEncoding)},
		"SHA-256 of the body, in base64, was":     {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, base64Sum(fieldBody))},
		"a line break (CRLF) was signed at":       {text: fields(all...) + "\r\n"},
		"byte order mark was sent in front":       {body: "\ufeff" + fieldBody},
		"was signed: with a space after : and ,":  {body: `{"a":1,"b":"é"}`, text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, `{"a": 1, "b": "é"}`)},
		"was signed: indented by four spaces":     {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, "{\n    \"amount\": 5\n}")},
		"was signed: indented by a tab":           {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, "{\n\t\"amount\": 5\n}")},
		"was signed: with sorted keys and spaces": {body: `{"b":1,"a":[]}`, text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, `{"a": [], "b": 1}`)},
		"was signed: with sorted keys, indented":  {body: `{"b":1,"a":[2]}`, text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, "{\n  \"a\": [\n    2\n  ],\n  \"b\": 1\n}")},
		"was signed: with numbers in quotes":      {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, `{"amount":"5"}`)},
		"was signed: with whole numbers written":  {body: `{"a":5,"b":1.5,"c":1e3}`, text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, `{"a":5.0,"b":1.5,"c":1e3}`)},
		"\\u escapes for letters beyond ASCII":    {body: "{\"a\":\"\U00010000\uffff\u007f\"}", text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, "{\"a\":\"\\ud800\\udc00\\uffff\u007f\"}")},
		"was signed: compact":                     {body: `{ "a" : "\u0022\u005c\n\r\t\b\f\u001f\u0020" }`, text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, `{"a":"\"\\\n\r\t\b\f\u001f "}`)},
		"the SHA-256 of the body was signed":      {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, hexSum(fieldBody))},
		"the body was signed in base64":           {text: fields(fieldTime, fieldMethod, fieldPath, fieldQuery, base64.StdEncoding.EncodeToString([]byte(fieldBody)))},
		"the method GET was signed":               {text: fields(fieldTime, "GET", fieldPath, fieldQuery, fieldBody)},
		"the method PUT was signed":               {text: fields(fieldTime, "PUT", fieldPath, fieldQuery, fieldBody)},
		"the method DELETE was signed":            {text: fields(fieldTime, "DELETE", fieldPath, fieldQuery, fieldBody)},
		"the method was signed with one capital":  {text: fields(fieldTime, "Post", fieldPath, fieldQuery, fieldBody)},
		"the timestamp was left out of":           {text: withTime("")},
		"the path was left out of the signature":  {text: withPath("")},
	} {
		v := call.explain(t)
		assert.False(t, v.Good, what)
		assert.True(t, v.Explained, what)
		if assert.Len(t, v.Findings, 1, what) {
			assert.Contains(t, v.Findings[0].What, what)
			assert.NotEmpty(t, v.Findings[0].Fix, what)
		}
	}
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func base64Sum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Pairs of mistakes are not tried on a large body. What was not found out is no good
// signature.
func TestALargeBodyIsNotTakenForGood(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 1<<19+1)
	text := fields(fieldTime, fieldMethod, fieldPath, fieldQuery, large)
	v := wrongCall{body: large, text: text, key: "another key"}.explain(t)
	assert.False(t, v.Good)
	assert.False(t, v.Explained)
	assert.Empty(t, v.Findings)
	v = wrongCall{body: large, text: text}.explain(t)
	assert.True(t, v.Good)
	v = wrongCall{body: large, text: fields(fieldTime, "post", "/v1/payouts", fieldQuery, large)}.explain(t)
	assert.False(t, v.Good)
	assert.False(t, v.Explained)
	v = wrongCall{body: large, text: text + "\n"}.explain(t)
	require.Equal(t, []string{"body-line-break-signed"}, ids(v))
}

// A path that is signed as it is sent, percent signs included, is right.
func TestAPathWithPercentSignsIsGoodAsItIsSent(t *testing.T) {
	t.Parallel()
	v := explained(t, signedAt(t, "/v1/operations/a%3Ab", noon, noon))
	assert.True(t, v.Good, "%v", v.Findings)
	assert.Contains(t, v.Canonical, "/api/v1/merchant/operations/a%3Ab\n")
}

func TestEveryNameOfAHeaderIsRead(t *testing.T) {
	t.Parallel()
	header, err := signature.ParseHeaders([]byte("AZ-az-09_x: 1\nnot a name: 2\n[::1]: 3\n: 4\n"))
	require.NoError(t, err)
	assert.Equal(t, http.Header{"Az-Az-09_x": {"1"}}, header)
	header, err = signature.ParseHeaders([]byte(`{"x-number":7,"x-yes":true}`))
	require.NoError(t, err)
	assert.Equal(t, http.Header{"X-Number": {"7"}, "X-Yes": {"true"}}, header)
}

// The writing that was sent is the one thing that tells which library changed the body on
// the way.
func TestADeliveryThatWasWrittenAgainNamesTheWriting(t *testing.T) {
	t.Parallel()
	keys := []signature.Key{{Label: "the secret", Value: hookSecret}}
	sign := func(body string) http.Header {
		mac := hmac.New(sha256.New, []byte(hookSecret))
		_, _ = mac.Write([]byte(fieldTime + "." + body))
		return http.Header{"X-Intram-Timestamp": {fieldTime}, "X-Intram-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
	}
	for sent, what := range map[string]string{
		strings.ReplaceAll(hookBody, "/", `\/`): "the body was decoded and written again: it was sent compact, with escaped slashes",
		indent(hookBody):                        "the body was decoded and written again: it was sent indented by two spaces",
		hookBody + "\n":                         "the body lacks the line break at its end",
	} {
		v := signature.ExplainWebhook(sign(sent), []byte(hookBody), keys, noon)
		require.Len(t, v.Findings, 1, what)
		assert.Equal(t, what, v.Findings[0].What)
	}
	spaced := []signature.Key{{Label: "the secret", Value: hookSecret + "\n"}}
	v := signature.ExplainWebhook(sign(hookBody), []byte(hookBody), spaced, noon)
	assert.Equal(t, []string{"key-white-space"}, ids(v))
	v = signature.ExplainWebhook(http.Header{"X-Signature-Value": {"no hex"}}, []byte(hookBody), keys, noon)
	assert.Equal(t, []string{"malformed-signature"}, ids(v))
	assert.False(t, v.Good)
}

func TestASignatureThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for _, unreadable := range []string{"sha256=hello!", "sha256=0a0b", "sha256="} {
		v := wrongCall{header: withHeader(func(string) string { return unreadable })}.explain(t)
		assert.False(t, v.Good, unreadable)
		assert.False(t, v.Explained, unreadable)
		assert.Equal(t, []string{"malformed-signature"}, ids(v), unreadable)
	}
}
