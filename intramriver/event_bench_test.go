package intramriver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// BenchmarkDelivery compares a delivery, from its request to 200, with a request that
// verifies the same and makes one plain INSERT of as many bytes.
func BenchmarkDelivery(b *testing.B) {
	pool := newDatabase(b)
	client, err := intram.NewClient("pk_sandbox_bench", "sk_sandbox_bench")
	require.NoError(b, err)
	work, err := intramriver.New(client, intramriver.Config{Pool: pool, Seal: testSeal(b)})
	require.NoError(b, err)
	verifier, err := intram.NewWebhookVerifier(webhookSecret)
	require.NoError(b, err)
	_, err = pool.Exec(b.Context(), "CREATE TABLE plain (key text PRIMARY KEY, body bytea NOT NULL)")
	require.NoError(b, err)
	now := client.Clock().Now()
	var n atomic.Int64
	run := func(b *testing.B, handler http.Handler) {
		b.Helper()
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				body := told(intram.EventPayoutCompleted, fmt.Sprint("op_", n.Add(1)), mobileData)
				req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
				req.Header = intram.SignWebhook(webhookSecret, now, []byte(body))
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, req); w.Code != 200 {
					b.Errorf("status %d", w.Code)
				}
			}
		})
	}
	b.Run("stored with its job", func(b *testing.B) { run(b, work.Handler(verifier)) })
	b.Run("one plain insert", func(b *testing.B) {
		run(b, intram.NewWebhookHandler(verifier, intramriver.Passing, func(ctx context.Context, e *intram.Event) error {
			_, err := pool.Exec(ctx, "INSERT INTO plain VALUES ($1, $2)", e.InboxKey(), []byte(e.Raw))
			return err
		}))
	})
}
