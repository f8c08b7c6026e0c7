package inboxtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
)

const receiverSecret = "whsec_b4c3a2d1e0f9a8b7"

// Receiver is a handler on a real store, whose function counts its effects outside of
// that store.
type Receiver struct {
	// Inbox is what is tested.
	Inbox intram.Inbox
	// During is called by the function before it has its effect: it may hold a
	// connection, or crash the store.
	During func(ctx context.Context) error
	// Pass lets time go by on the clock that leases run by.
	Pass func(d time.Duration) error

	tb       testing.TB
	handler  http.Handler
	recorded chan struct{} // one for each effect that the inbox took note of

	mu      sync.Mutex
	effects map[string]int
}

func (r *Receiver) start(tb testing.TB) {
	tb.Helper()
	verifier, err := intram.NewWebhookVerifier(receiverSecret)
	if err != nil {
		tb.Fatal(err)
	}
	r.tb, r.effects, r.recorded = tb, make(map[string]int), make(chan struct{}, 1000)
	r.handler = intram.NewWebhookHandler(verifier, r.Inbox, func(ctx context.Context, event *intram.Event) error {
		if err := r.During(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.effects[event.OperationID]++
		return nil
	}, intram.WithHandlerLogger(slog.New(recordedLines{r.recorded})))
}

func (r *Receiver) deliver(n int) int {
	body := fmt.Sprintf(`{"event":"payout.completed","operation_id":"op_%d","occurred_at":"2026-05-20T10:31:14.000Z","data":{}}`, n)
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header = intram.SignWebhook(receiverSecret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w.Code
}

// settle waits until the inbox knows of every effect; a handler that has given up keeps
// it waiting for a while.
func (r *Receiver) settle() {
	r.mu.Lock()
	want := 0
	for _, n := range r.effects {
		want += n
	}
	r.mu.Unlock()
	patience, cancel := context.WithTimeout(r.tb.Context(), 20*time.Second)
	defer cancel()
	for range want {
		select {
		case <-r.recorded:
		case <-patience.Done():
			r.tb.Error("an effect was made, and the inbox was never told")
			return
		}
	}
}

// redeliver does what Intram does about deliveries that were not acknowledged: it sends
// them again, a minute later.
func (r *Receiver) redeliver(statuses []int) {
	for round := 0; ; round++ {
		if err := r.Pass(time.Minute); err != nil {
			r.tb.Fatalf("Pass: %v", err)
		}
		left := 0
		for n := range statuses {
			if statuses[n] != http.StatusOK {
				if statuses[n] = r.deliver(n); statuses[n] != http.StatusOK {
					left++
				}
			}
		}
		if left == 0 {
			break
		}
		if round == 10 {
			r.tb.Fatalf("%d events were never acknowledged: %v", left, statuses)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for id, n := range r.effects {
		if total += n; n != 1 {
			r.tb.Errorf("%s took effect %d times", id, n)
		}
	}
	if len(r.effects) != len(statuses) {
		r.tb.Errorf("%d of %d events took effect", len(r.effects), len(statuses))
	}
	r.tb.Logf("%d effects of %d events", total, len(statuses))
}

// Burst sends many deliveries at once, to a function that uses the few connections of the
// inbox.
func (r *Receiver) Burst(tb testing.TB, deliveries int) {
	tb.Helper()
	r.start(tb)
	statuses := make([]int, deliveries)
	var work sync.WaitGroup
	for n := range deliveries {
		work.Go(func() { statuses[n] = r.deliver(n) })
	}
	work.Wait()
	r.settle()
	r.redeliver(statuses)
}

// Failover sends one delivery. During crashes the store, and restart brings it back after
// the response to the delivery.
func (r *Receiver) Failover(tb testing.TB, restart func() error) {
	tb.Helper()
	r.start(tb)
	status := r.deliver(0)
	if status != http.StatusServiceUnavailable {
		tb.Errorf("without its store the handler responded %d, want 503", status)
	}
	if err := restart(); err != nil {
		tb.Fatal(err)
	}
	r.settle()
	r.redeliver([]int{status})
}

// recordedLines is a log of which only one line matters.
type recordedLines struct{ recorded chan<- struct{} }

func (recordedLines) Enabled(context.Context, slog.Level) bool { return true }
func (l recordedLines) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l recordedLines) WithGroup(string) slog.Handler          { return l }

// Handle implements slog.Handler.
func (l recordedLines) Handle(_ context.Context, line slog.Record) error {
	if line.Message == "webhook event took effect" {
		l.recorded <- struct{}{}
	}
	return nil
}
