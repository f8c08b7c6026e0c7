package intramriver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// benchPool is a private PostgreSQL with all tables, which waits for its disk.
func benchPool(b *testing.B) *pgxpool.Pool {
	b.Helper()
	config, err := pgxpool.ParseConfig(pgtest.NewDurable(b).URL())
	require.NoError(b, err)
	config.MaxConns = 40
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	migrateAll(b, pool)
	return pool
}

func benchRiver(b *testing.B, pool *pgxpool.Pool, workers *river.Workers, queues map[string]river.QueueConfig) {
	b.Helper()
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Workers: workers, Queues: queues, Logger: slog.New(slog.DiscardHandler),
		FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 100 * time.Millisecond,
	})
	require.NoError(b, err)
	require.NoError(b, jobs.Start(context.WithoutCancel(b.Context())))
	b.Cleanup(func() { _ = jobs.StopAndCancel(context.Background()) })
}

type noopArgs struct{}

func (noopArgs) Kind() string { return "noop" }

type noopWorker struct {
	river.WorkerDefaults[noopArgs]

	left *atomic.Int64
	done chan struct{}
}

func (w *noopWorker) Work(context.Context, *river.Job[noopArgs]) error {
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
	return nil
}

const benchWorkers = 50

// inParallel does something n times, eight at once: as many requests as a small shop has.
func inParallel(b *testing.B, n int, do func(i int) error) {
	b.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := do(int(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkPay compares an enqueued payout, until the API has accepted it and until its
// OnEnd is committed, with River's own bound: a job in a transaction of its own that does
// nothing. The fake works in this process, and delivers one webhook after another.
func BenchmarkPay(b *testing.B) {
	b.Run("river's no-op job", func(b *testing.B) {
		pool := benchPool(b)
		left := new(atomic.Int64)
		left.Store(int64(b.N))
		done := make(chan struct{})
		workers := river.NewWorkers()
		river.AddWorker(workers, &noopWorker{left: left, done: done})
		inserter, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
		require.NoError(b, err)
		b.ResetTimer()
		benchRiver(b, pool, workers, map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: benchWorkers}})
		inParallel(b, b.N, func(int) error {
			return pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
				_, err := inserter.InsertTx(b.Context(), tx, noopArgs{}, nil)
				return err
			})
		})
		<-done
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	})
	b.Run("payout until accepted", func(b *testing.B) { benchPayouts(b, false) })
	b.Run("payout until its OnEnd", func(b *testing.B) { benchPayouts(b, true) })
}

func benchPayouts(b *testing.B, ends bool) {
	b.Helper()
	pool := benchPool(b)
	server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000_000), intramtest.WithJournalSize(16),
		intramtest.WithWorker(intramtest.After(time.Millisecond)))
	require.NoError(b, err)
	defer server.Close()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan struct{})
	one := func() {
		if left.Add(-1) == 0 {
			close(done)
		}
	}
	client, err := server.NewClient()
	require.NoError(b, err)
	work, err := intramriver.New(client, intramriver.Config{Pool: pool, Logger: slog.New(slog.DiscardHandler), OnEnd: func(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
		one()
		return keep(ctx, tx, end)
	}})
	require.NoError(b, err)
	if ends {
		server.Subscribe("/intram/webhook", work.Handler)
	} else {
		one = func() {}
		work.StopAt(func(_ context.Context, step string) error {
			if step == "accepted" && left.Add(-1) == 0 {
				close(done)
			}
			return nil
		})
	}
	workers := river.NewWorkers()
	require.NoError(b, work.Register(workers))
	b.ResetTimer()
	benchRiver(b, pool, workers, work.Queues(benchWorkers))
	inParallel(b, b.N, func(i int) error {
		_, err := work.Payout(b.Context(), payout(fmt.Sprintf("PO-%d", i), "000000"))
		return err
	})
	<-done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payouts/s")
}

// BenchmarkReceive compares the handler with a plain INSERT of the body per request, both
// through net/http and by eight senders.
func BenchmarkReceive(b *testing.B) {
	const secret = "whsec_bench"
	send := func(b *testing.B, handler http.Handler) {
		b.Helper()
		server := httptest.NewServer(handler)
		defer server.Close()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		b.ResetTimer()
		inParallel(b, b.N, func(i int) error {
			body := fmt.Appendf(nil, `{"event":"payout.completed","operation_id":"op_%d","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-%d","amount":25000,"currency":"XOF","status":"completed"}}`, i, i)
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
			if err != nil {
				return err
			}
			r.Header = intram.SignWebhook(secret, time.Now(), body)
			resp, err := client.Do(r)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", resp.StatusCode)
			}
			_ = resp.Body.Close()
			return err
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	}
	b.Run("plain INSERT", func(b *testing.B) {
		pool := benchPool(b)
		_, err := pool.Exec(b.Context(), "CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
		require.NoError(b, err)
		send(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				_, err = pool.Exec(r.Context(), "INSERT INTO plain (body) VALUES ($1)", body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
	})
	b.Run("handler", func(b *testing.B) {
		pool := benchPool(b)
		client, err := intram.NewClient("pk_sandbox_bench", "sk_sandbox_bench")
		require.NoError(b, err)
		work, err := intramriver.New(client, intramriver.Config{Pool: pool, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		verifier, err := intram.NewWebhookVerifier(secret)
		require.NoError(b, err)
		send(b, work.Handler(verifier))
	})
}
