package intram_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// Under the race detector a sync.Pool drops at random what it is given, so the count
// means nothing there.
func TestSigningAllocatesOnce(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	if raceDetector {
		return
	}
	sign := intram.Signer(secretKey)
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	body := []byte(example(t, "payout.mobile_money.request.json"))
	allocs := testing.AllocsPerRun(1000, func() { sign(at, http.MethodPost, "/payouts", "", body) })
	require.LessOrEqual(t, allocs, 1.0, "one string holds the timestamp and the signature")
}

// bare is what no HMAC can do without: the same message under the same key, with nothing
// around it.
func bare(b *testing.B, key, message []byte) (nsPerOp float64) {
	b.Helper()
	mac := hmac.New(sha256.New, key)
	sum := make([]byte, 0, sha256.Size)
	// Warm, and then as many rounds as the benchmark itself made.
	for range min(b.N, 1000) {
		mac.Reset()
		mac.Write(message)
		mac.Sum(sum)
	}
	began := time.Now()
	for range b.N {
		mac.Reset()
		mac.Write(message)
		mac.Sum(sum)
	}
	return float64(time.Since(began).Nanoseconds()) / float64(b.N)
}

// BenchmarkSign reports how much longer signing takes than the HMAC in it: the x/hmac
// metric.
func BenchmarkSign(b *testing.B) {
	body := []byte(example(b, "payout.mobile_money.request.json"))
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	sign := intram.Signer(secretKey)
	b.ReportAllocs()
	for b.Loop() {
		sign(at, http.MethodPost, "/payouts", "", body)
	}
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	message := append([]byte("2026-05-20T10:30:00.000Z\nPOST\n/api/v1/merchant/payouts\n\n"), body...)
	b.ReportMetric(own/bare(b, []byte(secretKey), message), "x/hmac")
}

// BenchmarkSignParallel shows that signers do not wait for each other.
func BenchmarkSignParallel(b *testing.B) {
	body := []byte(example(b, "payout.mobile_money.request.json"))
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	sign := intram.Signer(secretKey)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			sign(at, http.MethodPost, "/payouts", "", body)
		}
	})
}

// BenchmarkVerify reports how much longer verifying a delivery takes than the HMAC in it.
// The difference is reading the event.
func BenchmarkVerify(b *testing.B) {
	v := webhookVectors(b)[0]
	at, err := time.Parse(time.RFC3339, v.Timestamp)
	require.NoError(b, err)
	verifier, err := intram.NewWebhookVerifier(v.Secret)
	require.NoError(b, err)
	verifier = verifier.WithClock(fixedClock{at})
	header, body := v.header(), []byte(v.Body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(header, body); err != nil {
			b.Fatal(err)
		}
	}
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(own/bare(b, []byte(v.Secret), []byte(v.Timestamp+"."+v.Body)), "x/hmac")
}

// BenchmarkVerifyForged is what a stranger's request costs: the HMAC, and no reading.
func BenchmarkVerifyForged(b *testing.B) {
	v := webhookVectors(b)[0]
	verifier, err := intram.NewWebhookVerifier("whsec_another")
	require.NoError(b, err)
	header, body := v.header(), []byte(v.Body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(header, body); err == nil {
			b.Fatal("accepted")
		}
	}
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(own/bare(b, []byte(v.Secret), []byte(v.Timestamp+"."+v.Body)), "x/hmac")
}
