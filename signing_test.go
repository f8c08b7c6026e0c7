package intram_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// signatureVector is one of testdata/vectors/signatures.json, which openssl computed.
type signatureVector struct {
	Name, Secret, Timestamp, Method, Endpoint, Query, Body, Signature string
}

func signatureVectors(tb testing.TB) []signatureVector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors/signatures.json")
	require.NoError(tb, err)
	var vectors []signatureVector
	require.NoError(tb, json.Unmarshal(data, &vectors))
	require.GreaterOrEqual(tb, len(vectors), 12, "vectors were lost")
	return vectors
}

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range signatureVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, v.Timestamp)
			require.NoError(t, err)
			timestamp, signature := intram.Sign(v.Secret, at, v.Method, v.Endpoint, v.Query, []byte(v.Body))
			assert.Equal(t, v.Timestamp, timestamp)
			assert.Equal(t, v.Signature, signature)
		})
	}
}

// The vectors once more, on the wire: what a whole client sends is signed as openssl
// signs it.
func TestClientSendsSignaturesOfTheVectors(t *testing.T) {
	t.Parallel()
	before := time.Date(2026, 5, 19, 12, 34, 56, 0, time.UTC)
	calls := map[string]func(*intram.Client) error{
		"balance":         func(c *intram.Client) error { _, err := c.Balance.Get(t.Context()); return err },
		"payout":          func(c *intram.Client) error { _, err := c.Payouts.Create(t.Context(), mobilePayout()); return err },
		"payout-live-key": func(c *intram.Client) error { _, err := c.Payouts.Create(t.Context(), mobilePayout()); return err },
		"operation":       func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "op_2f4a8b1c"); return err },
		"list-two-keys": func(c *intram.Client) error {
			_, err := c.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 100, Status: intram.TransactionSuccess})
			return err
		},
		"list-cursor": func(c *intram.Client) error {
			_, err := c.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 100, Before: before})
			return err
		},
		"operations-three-keys": func(c *intram.Client) error {
			_, err := c.Operations.List(t.Context(), intram.OperationListParams{
				Limit: 100, Status: intram.OperationFailed, Type: intram.OperationPayout,
			})
			return err
		},
		"delete-webhook":            func(c *intram.Client) error { return c.Webhooks.Delete(t.Context(), "whs_b4c3a2") },
		"webhook-test-empty-object": func(c *intram.Client) error { return c.Webhooks.SendTest(t.Context(), "whs_b4c3a2") },
	}
	for _, v := range signatureVectors(t) {
		call, ok := calls[v.Name]
		if !ok {
			continue // a body that the SDK would write otherwise
		}
		delete(calls, v.Name)
		for _, base := range []string{intram.BaseURL, intram.BaseURLDirect, "http://127.0.0.1:9999", "https://proxy.example.com/some/where"} {
			t.Run(v.Name+" at "+base, func(t *testing.T) {
				t.Parallel()
				at, err := time.Parse(time.RFC3339, v.Timestamp)
				require.NoError(t, err)
				s := &script{t: t, steps: []step{answer(404, `{"error":true,"code":"x"}`)}}
				public := strings.Replace(v.Secret, "sk_", "pk_", 1)
				client, err := intram.NewClient(public, v.Secret, intram.WithBaseURL(base),
					intram.WithHTTPClient(&http.Client{Transport: s}), intram.WithClock(fixedClock{now: at}))
				require.NoError(t, err)
				require.Error(t, call(client))
				sent := s.last()
				assert.Equal(t, v.Method, sent.Method)
				assert.Equal(t, v.Query, sent.Query)
				assert.True(t, strings.HasSuffix(sent.Path, v.Endpoint), sent.Path)
				assert.Equal(t, v.Body, sent.Body)
				assert.Equal(t, []string{public}, sent.Header["X-Api-Key"])
				assert.Equal(t, []string{v.Timestamp}, sent.Header["X-Timestamp"])
				assert.Equal(t, []string{v.Signature}, sent.Header["X-Signature"], "whatever URL was called, the signed path is one")
			})
		}
	}
	assert.Empty(t, calls, "calls without a vector")
}

// secondSignature computes what sign computes from the definitions alone: the canonical
// string of section 3 of the spec as one join, under secondHMAC. It shares nothing with
// signing.go but sha256.
func secondSignature(secret, timestamp, method, endpoint, query, body string) string {
	message := strings.Join([]string{timestamp, method, "/api/v1/merchant" + endpoint, query, body}, "\n")
	return fmt.Sprintf("sha256=%x", secondHMAC(secret, message))
}

// secondHMAC is RFC 2104 written out over SHA-256.
func secondHMAC(secret, message string) [sha256.Size]byte {
	key := []byte(secret)
	if len(key) > 64 {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	var padded [64]byte
	copy(padded[:], key)
	xored := func(pad byte) []byte {
		block := make([]byte, 0, 64+len(message))
		for _, k := range padded {
			block = append(block, k^pad)
		}
		return block
	}
	digest := sha256.Sum256(append(xored(0x36), message...))
	return sha256.Sum256(append(xored(0x5c), digest[:]...))
}

func TestSignatureAgreesWithASecondComputation(t *testing.T) {
	t.Parallel()
	agrees := func(secret, method, endpoint, query string, body []byte, ms int64) bool {
		at := time.UnixMilli(ms % 253402300799999).UTC()
		if ms < 0 {
			at = time.UnixMilli(-(ms % 60000000000)).UTC()
		}
		timestamp, signature := intram.Sign(secret, at, method, endpoint, query, body)
		want := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond()/1e6)
		return timestamp == want && signature == secondSignature(secret, want, method, endpoint, query, string(body))
	}
	require.NoError(t, quick.Check(agrees, &quick.Config{MaxCount: 3000}))
	// Sizes around those of the hash's blocks and of the signer's own buffer.
	for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 255, 256, 257, 511, 512, 513, 5000, 1 << 20} {
		long := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
		assert.True(t, agrees("sk_"+long, "POST", "/payouts", "", []byte("{}"), 0), "a secret of %d bytes", n)
		assert.True(t, agrees("sk_1", "POST", "/"+long, "", nil, 0), "a path of %d bytes", n)
		assert.True(t, agrees("sk_1", "GET", "/x", long, nil, 0), "a query of %d bytes", n)
		assert.True(t, agrees("sk_1", "POST", "/x", "", []byte(long), 0), "a body of %d bytes", n)
	}
}

// The fields are kept apart: moving a line feed from one to another is another request.
func TestSignatureCoversEachField(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	type request struct {
		secret, method, endpoint, query, body string
		at                                    time.Time
	}
	base := request{"sk_1", "POST", "/payouts", "a=1", "{}", at}
	_, want := intram.Sign(base.secret, base.at, base.method, base.endpoint, base.query, []byte(base.body))
	for name, change := range map[string]func(*request){
		"secret":     func(r *request) { r.secret = "sk_2" },
		"method":     func(r *request) { r.method = "PUT" },
		"path":       func(r *request) { r.endpoint = "/refunds" },
		"query":      func(r *request) { r.query = "a=2" },
		"body":       func(r *request) { r.body = "{ }" },
		"timestamp":  func(r *request) { r.at = at.Add(time.Millisecond) },
		"line feeds": func(r *request) { r.query, r.body = "", "a=1\n{}" },
	} {
		r := base
		change(&r)
		_, got := intram.Sign(r.secret, r.at, r.method, r.endpoint, r.query, []byte(r.body))
		assert.NotEqual(t, want, got, name)
	}
	// What is finer than a millisecond is not sent, and so is not signed; and the zone is
	// always UTC.
	_, got := intram.Sign(base.secret, at.Add(999*time.Microsecond).In(time.FixedZone("", 3600)), base.method, base.endpoint, base.query, []byte(base.body))
	assert.Equal(t, want, got)
}

func TestSigningIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	sign := intram.Signer(secretKey)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				at := time.UnixMilli(int64(worker*1e9 + i)).UTC()
				query := strings.Repeat("q", i)
				body := strings.Repeat("b", worker*i)
				timestamp, signature := sign(at, "POST", "/payouts", query, []byte(body))
				if want := secondSignature(secretKey, timestamp, "POST", "/payouts", query, body); want != signature {
					t.Errorf("worker %d, %d: %s, want %s", worker, i, signature, want)
					return
				}
				if again := at.Format("2006-01-02T15:04:05.000Z"); again != timestamp {
					t.Errorf("timestamp %s, want %s", timestamp, again)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestAuthorizeSetsThreeHeadersAndNothingElse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	h := http.Header{"X-Signature": {"stale", "twice"}, "Accept": {"x"}}
	intram.Authorize(publicKey, secretKey, h, at, "GET", "/balance", "", nil)
	_, signature := intram.Sign(secretKey, at, "GET", "/balance", "", nil)
	assert.Equal(t, http.Header{
		"Accept": {"x"}, "X-Api-Key": {publicKey}, "X-Timestamp": {"2026-05-20T10:30:00.000Z"}, "X-Signature": {signature},
	}, h)
	// A transport that adds to one header must not write into another, nor into the next
	// request's.
	h.Add("X-Timestamp", "more")
	h.Add("X-Api-Key", "more")
	assert.Equal(t, []string{signature}, h["X-Signature"])
	again := http.Header{}
	intram.Authorize(publicKey, secretKey, again, at, "GET", "/balance", "", nil)
	assert.Equal(t, []string{publicKey}, again["X-Api-Key"])
}

func TestSortedQuery(t *testing.T) {
	t.Parallel()
	assert.Empty(t, intram.SortedQuery())
	assert.Empty(t, intram.SortedQuery("limit", "", "before", ""))
	assert.Equal(t, "a=1", intram.SortedQuery("a", "1"))
	assert.Equal(t, "before=2026-05-19T12:34:56.000Z&limit=100&status=SUCCESS&type=CREDIT",
		intram.SortedQuery("type", "CREDIT", "status", "SUCCESS", "limit", "100", "before", "2026-05-19T12:34:56.000Z"))
	assert.Equal(t, "a=1&c=3", intram.SortedQuery("c", "3", "b", "", "a", "1"))
}

func TestBeforeIsAWholeMillisecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 19, 12, 34, 56, 789e6, time.UTC)
	assert.Empty(t, intram.FormatBefore(time.Time{}))
	assert.Equal(t, "2026-05-19T12:34:56.789Z", intram.FormatBefore(at))
	assert.Equal(t, "2026-05-19T12:34:56.789Z", intram.FormatBefore(at.In(time.FixedZone("", -5*3600))))
	// Everything before a finer time is before the next millisecond.
	assert.Equal(t, "2026-05-19T12:34:56.790Z", intram.FormatBefore(at.Add(1)))
	assert.Equal(t, "2026-05-19T12:34:56.790Z", intram.FormatBefore(at.Add(time.Millisecond-1)))
	assert.Equal(t, "2027-01-01T00:00:00.000Z", intram.FormatBefore(time.Date(2026, 12, 31, 23, 59, 59, 999999999, time.UTC)))
}

// Whatever reading of "sorted query" the server takes, raw or decoded, it is the string
// that was sent.
func TestQueriesNeedNoEncoding(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		value := string([]byte{byte(c)})
		safe := url.QueryEscape(value) == value || value == ":"
		assert.Equal(t, safe, intram.NeedsNoEncoding(value), "%q", value)
	}
	client, s := scripted(t)
	s.forever = answerFile(t, 200, "transactions.last_page.current.json")
	times := []time.Time{{}, time.Unix(0, 1).UTC(), time.Date(2026, 5, 19, 12, 34, 56, 789123456, time.FixedZone("", 5*3600+1800))}
	for _, before := range times {
		for _, limit := range []int{0, 1, 100} {
			_, err := client.Transactions.List(t.Context(), intram.TransactionListParams{
				Before: before, Limit: limit, Status: "SUCCESS", Type: "CREDIT.x-y_z~1",
			})
			require.NoError(t, err)
			sent := s.last().Query
			pairs := strings.Split(sent, "&")
			assert.True(t, slices.IsSorted(pairs), sent)
			for _, pair := range pairs {
				_, value, _ := strings.Cut(pair, "=")
				decoded, err := url.QueryUnescape(value)
				require.NoError(t, err)
				assert.Equal(t, value, decoded, "raw and decoded are one")
				assert.Equal(t, value, strings.ReplaceAll(url.QueryEscape(value), "%3A", ":"), "nothing is left to encode")
			}
		}
	}
}

// fixedClock stands still, and does not wait.
type fixedClock struct{ now time.Time }

func (c fixedClock) Now() time.Time { return c.now }

func (c fixedClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func FuzzCanonicalQuery(f *testing.F) {
	f.Add("limit", "100", "status", "SUCCESS")
	f.Add("before", "2026-05-19T12:34:56.000Z", "limit", "1")
	f.Add("b", "", "a", "x y")
	f.Add("type", "a&b=c", "status", "%41")
	f.Add("k", "é", "j", "+")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		if k1 == k2 || !intram.NeedsNoEncoding(k1) || !intram.NeedsNoEncoding(k2) || k1 == "" || k2 == "" {
			return // the SDK's own keys are constants
		}
		for _, v := range []string{v1, v2} {
			// What is let through reads the same raw and decoded, on the wire and in any
			// server.
			decoded, err := url.QueryUnescape(v)
			if intram.NeedsNoEncoding(v) {
				require.NoError(t, err)
				require.Equal(t, v, decoded)
				require.NotContains(t, v, "&")
				require.NotContains(t, v, "=")
			} else {
				require.NotEqual(t, v, strings.ReplaceAll(url.QueryEscape(v), "%3A", ":"), "a harmless value is refused")
			}
		}
		if !intram.NeedsNoEncoding(v1) || !intram.NeedsNoEncoding(v2) {
			return
		}
		query := intram.SortedQuery(k1, v1, k2, v2)
		require.Equal(t, query, intram.SortedQuery(k2, v2, k1, v1), "the order of the parameters does not matter")
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		want := url.Values{}
		if v1 != "" {
			want.Set(k1, v1)
		}
		if v2 != "" {
			want.Set(k2, v2)
		}
		require.Equal(t, want, values, "a server reads back what was meant")
		u, err := url.Parse("https://api.intram.org/v1/x?" + query)
		require.NoError(t, err)
		require.Equal(t, query, u.RawQuery)
	})
}

// Three readings of a query exist: as it is sent, taken apart, and written anew. After a
// refusal of a read with a query the client tries the next one, and keeps what is
// accepted.
func TestAQueryIsSignedAsTheServerReadsIt(t *testing.T) {
	t.Parallel()
	const encoded = "before=2026-05-20T10%3A30%3A00.000Z"
	for name, accepts := range map[string][]string{
		"raw": {"before=2026-05-20T10:30:00.000Z"}, "written anew": {encoded}, "neither": nil,
	} {
		var signed []string
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			assert.Equal(t, "before=2026-05-20T10:30:00.000Z", req.URL.RawQuery, "what is sent stays")
			for _, query := range []string{req.URL.RawQuery, encoded} {
				mac := hmac.New(sha256.New, []byte(secretKey))
				mac.Write([]byte(strings.Join([]string{req.Header.Get("X-Timestamp"), "GET", "/api/v1/merchant/operations", query, ""}, "\n")))
				if req.Header.Get("X-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
					continue
				}
				signed = append(signed, query)
				if slices.Contains(accepts, query) {
					return answer(200, `{"error":false,"data":[]}`)(req)
				}
			}
			return answer(401, `{"error":true,"code":"signature_invalid","message":"Signature verification failed: signature_mismatch"}`)(req)
		}), intram.WithMaxAttempts(1))
		params := intram.OperationListParams{Before: at1030}
		for range 3 {
			_, err := client.Operations.List(t.Context(), params)
			if accepts == nil {
				require.ErrorIs(t, err, intram.CodeSignatureInvalid)
			} else {
				require.NoError(t, err, name)
			}
		}
		switch name {
		case "raw":
			assert.Len(t, signed, 3)
		case "written anew":
			assert.Len(t, signed, 4, "it is remembered")
		default:
			raw := "before=2026-05-20T10:30:00.000Z"
			assert.Equal(t, []string{raw, encoded, raw, encoded, raw, encoded}, signed, "one more try a call, and a reading that helped nothing is not kept")
		}
	}
	// A read without a query, and one whose query reads the same, is not tried again.
	client, s := scripted(t, answer(401, `{"error":true,"code":"signature_invalid","message":"signature_mismatch"}`),
		answer(401, `{"error":true,"code":"signature_invalid","message":"signature_mismatch"}`))
	_, err := client.Balance.Get(t.Context())
	require.Error(t, err)
	_, err = client.Operations.List(t.Context(), intram.OperationListParams{Limit: 5})
	require.Error(t, err)
	assert.Len(t, s.requests(), 2)
}
