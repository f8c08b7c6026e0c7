package mockapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Name, Secret, Timestamp, Method, Endpoint, Query, Body, Signature string }
	require.NoError(t, json.Unmarshal(testdata(t, "vectors", "signatures.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			q := signedRequest{v.Timestamp, v.Method, v.Endpoint, v.Query, []byte(v.Body)}
			key := newSigningKey(v.Secret)
			assert.True(t, q.signedBy(key, v.Signature))
			assert.Equal(t, v.Signature, sign(v.Secret, q.canonical()))
			assert.False(t, q.signedBy(key, strings.ToUpper(v.Signature)), "the hexadecimal digits are lower case")
			assert.False(t, q.signedBy(key, strings.TrimPrefix(v.Signature, "sha256=")), "the prefix belongs to it")
			assert.False(t, q.signedBy(newSigningKey(v.Secret+"x"), v.Signature), "another secret")
			q.body = append(q.body, ' ')
			assert.False(t, q.signedBy(key, v.Signature), "another body")
		})
	}
}

func TestQueryIsSortedByKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, raw, decoded string }{
		{"", "", ""},
		{"limit=5", "limit=5", "limit=5"},
		{"status=SUCCESS&limit=5", "limit=5&status=SUCCESS", "limit=5&status=SUCCESS"},
		{"b=2&a=2&a=1", "a=2&a=1&b=2", "a=2&a=1&b=2"},
		{"b&a=1", "a=1&b", "a=1&b="},
		{"before=2026-05-19T12%3A34%3A56.000Z&a=x+y", "a=x+y&before=2026-05-19T12%3A34%3A56.000Z", "a=x y&before=2026-05-19T12:34:56.000Z"},
		{"a-b=1&a=2", "a=2&a-b=1", "a=2&a-b=1"}, // by key, not by pair: "-" sorts before "="
	} {
		assert.Equal(t, c.raw, sortedRaw(c.query))
		decoded, ok := sortedDecoded(c.query)
		assert.True(t, ok)
		assert.Equal(t, c.decoded, decoded)
	}
	for _, malformed := range []string{"a=%zz", "%zz=1"} {
		_, ok := sortedDecoded(malformed)
		assert.False(t, ok, malformed)
	}
}

func TestSignatureFitsTheRawOrTheDecodedReading(t *testing.T) {
	t.Parallel()
	const query = "limit=5&before=2026-05-19T12%3A34%3A56.000Z"
	for _, c := range []struct {
		name, signed string
		status       int
	}{
		{"raw", "before=2026-05-19T12%3A34%3A56.000Z&limit=5", 200},
		{"decoded", "before=2026-05-19T12:34:56.000Z&limit=5", 200},
		{"unsorted", "limit=5&before=2026-05-19T12:34:56.000Z", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			a := f.do(call{method: "GET", endpoint: "/transactions", query: query, edit: func(r *http.Request) {
				r.Header.Set("X-Signature", sign(f.keys.Secret, r.Header.Get("X-Timestamp")+"\nGET\n/api/v1/merchant/transactions\n"+c.signed+"\n"))
			}})
			a.ok(c.status)
			if c.status != 200 {
				a.refused(c.status, "signature_invalid")
			}
		})
	}
	t.Run("path", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, Config{})
		f.do(call{method: "GET", endpoint: "/operations/op%20x", edit: func(r *http.Request) {
			r.Header.Set("X-Signature", signature(f.keys.Secret, r.Header.Get("X-Timestamp"), "GET", "/operations/op x", "", ""))
		}}).refused(404, "operation_not_found")
	})
	t.Run("malformed", func(t *testing.T) {
		t.Parallel()
		q := signedRequest{endpoint: "/x", query: "a=%zz"}
		assert.False(t, q.signedBy(newSigningKey("s"), "sha256=00"))
		q = signedRequest{endpoint: "/%zz"}
		assert.False(t, q.signedBy(newSigningKey("s"), "sha256=00"))
	})
}

func TestWebhookVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Name, Secret, Timestamp, Body, Signature string }
	require.NoError(t, json.Unmarshal(testdata(t, "vectors", "webhooks.json"), &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		assert.Equal(t, v.Signature, newSigningKey(v.Secret).signWebhook(v.Timestamp, []byte(v.Body)), v.Name)
	}
}
