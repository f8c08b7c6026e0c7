package mockapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIdempotencyKeyIsRequiredAndChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	body := payoutBody(1, "22961234567")
	with := func(key string) answer {
		return f.do(call{method: "POST", endpoint: "/payouts", body: body, edit: func(r *http.Request) {
			r.Header.Del("Idempotency-Key")
			if key != "" {
				r.Header.Set("Idempotency-Key", key)
			}
		}})
	}
	for key, code := range map[string]string{
		"": "missing_idempotency_key", "7_chars": "invalid_idempotency_key", strings.Repeat("a", 129): "invalid_idempotency_key",
		"with spaces": "invalid_idempotency_key", "accent-é-é": "invalid_idempotency_key", "dots.are.not": "invalid_idempotency_key",
		"slash/slash": "invalid_idempotency_key", "12345678": "", strings.Repeat("a", 128): "", "A_b-c_D-9": "",
	} {
		if code == "" {
			with(key).ok(202)
		} else {
			with(key).refused(400, code)
		}
	}
	f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) { r.Header.Set("Idempotency-Key", "x") }}).ok(200)
	whs, _ := f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
	f.do(call{method: "DELETE", endpoint: "/webhooks/" + whs}).ok(200)
}

func TestSameKeyAndRequestIsReplayedByteForByte(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "replayed-key"}
	first := f.do(c).ok(202)
	assert.Empty(t, first.header.Get("Idempotent-Replay"))
	f.s.Clock().Advance(24*time.Hour - time.Millisecond)
	c.prefix = "/api/v1/merchant" // the other base URL is the same request
	again := f.do(c).ok(202)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replay"))
	assert.Equal(t, string(first.body), string(again.body))
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin), "executed once")
	logged := f.s.Requests()
	assert.False(t, logged[0].Replayed)
	assert.True(t, logged[1].Replayed)
}

func TestSandboxAndLiveShareNoIdempotencyKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{IPAllowlist: []string{"127.0.0.1"}}})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "of-either-environment"}
	sandbox := f.do(c).ok(202)
	other := c
	other.keys, other.body = f.s.Merchant().Live, payoutBody(2000, "22961234567")
	live := f.do(other).ok(202) // no conflict either
	assert.Empty(t, live.header.Get("Idempotent-Replay"))
	assert.NotEqual(t, sandbox.text("data.operation_id"), live.text("data.operation_id"))
	for _, again := range []struct {
		c  call
		of answer
	}{{c, sandbox}, {other, live}} {
		replayed := f.do(again.c).ok(202)
		assert.Equal(t, "true", replayed.header.Get("Idempotent-Replay"))
		assert.Equal(t, string(again.of.body), string(replayed.body), "each environment has its own answer")
	}
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin), "executed once in each")
}

func TestKeysExpireAfterADay(t *testing.T) {
	t.Parallel()
	for after, replayed := range map[time.Duration]string{24*time.Hour - time.Millisecond: "true", 24 * time.Hour: ""} {
		f := newFixture(t, Config{})
		c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "expiring-key"}
		first := f.do(c).ok(202)
		f.s.Clock().Advance(after)
		again := f.do(c).ok(202)
		assert.Equal(t, replayed, again.header.Get("Idempotent-Replay"))
		assert.Equal(t, replayed == "true", first.text("data.operation_id") == again.text("data.operation_id"))
		assert.Equal(t, 1, f.s.keys.size(), "the expired key is gone")
	}
}

func TestExpiredKeysLeaveNoMemoryBehind(t *testing.T) {
	t.Parallel()
	keys := newIdempotency()
	now := start
	for i := range 5000 {
		e, _, _, err := keys.claim(t.Context(), idempotencyKey{"a", fmt.Sprint(i)}, fingerprint{}, now)
		require.NoError(t, err)
		keys.end(e, &reply{})
		now = now.Add(time.Minute)
	}
	assert.Equal(t, 24*60, keys.size())
	assert.Less(t, len(keys.order), 3*24*60)
}

func TestAnotherRequestUnderTheSameKeyConflicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "conflicting"}).ok(202)
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1001, "22961234567"), key: "conflicting"}).refused(409, "idempotency_conflict")
	f.do(call{method: "POST", endpoint: "/refunds", body: payoutBody(1000, "22961234567"), key: "conflicting"}).refused(409, "idempotency_conflict")
	// The stored response is still there.
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "conflicting"}).ok(202)
	// Keys belong to a credential: another merchant, and the other environment, may use
	// the same.
	other, err := f.s.AddMerchant(MerchantConfig{})
	require.NoError(t, err)
	f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1001, "22961234567"), key: "conflicting", keys: other.Sandbox}).ok(202)
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
}

func TestRefusalsAfterTheKeyAreKeptAndThoseBeforeAreNot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: `{"amount":0}`, key: "refused-key"}
	c.edit = func(r *http.Request) { r.Header.Set("X-Signature", "sha256=00") }
	f.do(c).refused(401, "signature_invalid")
	c.edit = nil
	first := f.do(c)
	first.refused(400, "validation_error")
	again := f.do(c)
	again.refused(400, "validation_error")
	assert.Equal(t, "true", again.header.Get("Idempotent-Replay"))
	assert.Equal(t, first.body, again.body)
	c.body = payoutBody(1, "22961234567")
	f.do(c).refused(409, "idempotency_conflict") // correct the request: use a new key
	c.key = "a-new-key"
	f.do(c).ok(202)

	r := call{method: "POST", endpoint: "/refunds", body: refundBody("ZZZZZZZZZZ", 0), key: "unknown-reference"}
	f.do(r).refused(404, "transaction_not_found")
	assert.Equal(t, "true", f.do(r).header.Get("Idempotent-Replay"))
	for _, body := range []string{"not json", "[]"} {
		c := call{method: "POST", endpoint: "/payouts", body: body, key: "no-json-" + fmt.Sprint(len(body))}
		f.do(c).refused(400, "invalid_body")
		assert.Equal(t, "true", f.do(c).header.Get("Idempotent-Replay"))
	}
}

func TestServerErrorIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, code := range []string{"internal_error", "auth_error", "idempotency_error"} {
		require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, Code: code}))
		c := call{method: "POST", endpoint: "/payouts", body: payoutBody(10, "22961234567"), key: "retried-" + code}
		f.do(c).refused(500, code)
		assert.Empty(t, f.do(c).ok(202).header.Get("Idempotent-Replay"), "the first one was never executed")
	}
	assert.EqualValues(t, 999_970, f.wallet(mtnBenin))
}

func TestCrashedExecutionIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(10, "22961234567"), key: "crashed-key"}
	books := f.s.state.books
	f.s.state.books = nil // whatever makes an execution crash
	f.do(c).refused(500, "internal_error")
	f.s.state.books = books
	clear(f.s.state.operations)
	assert.Empty(t, f.do(c).ok(202).header.Get("Idempotent-Replay"))
}

func TestTwinsExecuteOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "twins-key"}
	answers := make([]answer, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i], _ = f.send(c) })
	}
	wg.Wait()
	originals := 0
	for _, a := range answers {
		a.ok(202)
		assert.Equal(t, string(answers[0].body), string(a.body))
		if a.header.Get("Idempotent-Replay") == "" {
			originals++
		}
	}
	assert.Equal(t, 1, originals)
	assert.EqualValues(t, 999_000, f.wallet(mtnBenin))
}

func TestTwinWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := newIdempotency()
		id := idempotencyKey{"a", "b"}
		first, _, _, err := keys.claim(t.Context(), id, fingerprint{1}, start)
		require.NoError(t, err)

		var replayed *reply
		go func() { _, replayed, _, _ = keys.claim(t.Context(), id, fingerprint{1}, start) }()
		synctest.Wait()
		assert.Nil(t, replayed, "it waits")

		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		go func() { _, _, _, gaveUp = keys.claim(ctx, id, fingerprint{1}, start) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.ErrorIs(t, gaveUp, context.Canceled)

		_, _, conflict, err := keys.claim(t.Context(), id, fingerprint{2}, start)
		require.NoError(t, err)
		assert.True(t, conflict, "another request does not wait")

		keys.end(first, &reply{status: 202})
		synctest.Wait()
		require.NotNil(t, replayed)
		assert.Equal(t, 202, replayed.status)
	})
}

func TestTwinTakesThePlaceOfACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := newIdempotency()
		id := idempotencyKey{"a", "b"}
		first, _, _, err := keys.claim(t.Context(), id, fingerprint{1}, start)
		require.NoError(t, err)
		var second *execution
		go func() { second, _, _, _ = keys.claim(t.Context(), id, fingerprint{1}, start) }()
		synctest.Wait()
		keys.end(first, nil)
		synctest.Wait()
		require.NotNil(t, second)
		keys.end(second, &reply{status: 202})
		_, earlier, _, err := keys.claim(t.Context(), id, fingerprint{1}, start)
		require.NoError(t, err)
		assert.Equal(t, 202, earlier.status)
	})
}

func TestTwinThatLeavesIsNotAnswered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961234567"), key: "leaving-key"}
	mine, _, _, err := f.s.keys.claim(t.Context(), idempotencyKey{f.keys.Public, c.key}, fingerprintOf("POST", "/payouts", []byte(c.body)), f.s.Clock().Now())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := f.request(c).WithContext(ctx)
	w := &recorder{header: http.Header{}, request: r}
	f.s.ServeHTTP(w, r)
	assert.Equal(t, cutSilently, w.ended)
	f.s.keys.end(mine, nil)
	assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
}

func TestFingerprintCoversMethodPathAndBody(t *testing.T) {
	t.Parallel()
	base := fingerprintOf("POST", "/payouts", []byte("a"))
	assert.Equal(t, base, fingerprintOf("POST", "/payouts", []byte("a")))
	assert.NotEqual(t, base, fingerprintOf("PUT", "/payouts", []byte("a")))
	assert.NotEqual(t, base, fingerprintOf("POST", "/refunds", []byte("a")))
	assert.NotEqual(t, base, fingerprintOf("POST", "/payouts", []byte("b")))
	big := []byte(strings.Repeat("x", 100<<10))
	large := fingerprintOf("POST", "/p", big)
	assert.Equal(t, large, fingerprintOf("POST", "/p", big))
}
