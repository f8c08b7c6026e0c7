// Command webhook receives Intram's events, and shows each that is really Intram's, once.
//
//	INTRAM_WEBHOOK_SECRET=whsec_… go run ./examples/webhook -listen 127.0.0.1:8080
//
// To rotate a secret, give the old one and the new one with a comma between them. With
// INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY set, it also looks every hour for events that
// never arrived since it was started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen string) error {
	verifier, err := intram.NewWebhookVerifier(strings.Split(os.Getenv("INTRAM_WEBHOOK_SECRET"), ",")...)
	if err != nil {
		return fmt.Errorf("INTRAM_WEBHOOK_SECRET: %w", err)
	}
	// For one process, and until it ends. With real money use sqlinbox, which
	// can be a file, pginbox or redisinbox.
	inbox := new(intram.MemoryInbox)
	events := &shop{progress: make(map[string]intram.EventOrder)}
	router := events.router()
	if err := router.Err(); err != nil {
		return err
	}
	log := intram.WithHandlerLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv("INTRAM_PUBLIC_KEY") != "" {
		client, err := intram.NewClientFromEnv()
		if err != nil {
			return err
		}
		reconciler, err := intram.NewReconciler(client, inbox, router.Handle, log)
		if err != nil {
			return err
		}
		go reconcile(ctx, reconciler, time.Now())
	}

	mux := http.NewServeMux()
	mux.Handle("/intram/webhook", intram.NewWebhookHandler(verifier, inbox, router.Handle, log))
	return serve(ctx, listen, mux)
}

// serve ends with ctx, and lets requests that have begun finish.
func serve(ctx context.Context, listen string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s/intram/webhook\n", listener.Addr())
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

// reconcile looks for missing events now and every hour, but for none from before the
// start: an inbox in memory does not know which of those have taken effect. With
// sqlinbox, pginbox or redisinbox go back 48 hours, so that what happened while this
// program was down is found too.
func reconcile(ctx context.Context, reconciler *intram.Reconciler, started time.Time) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if _, err := reconciler.Run(ctx, later(started, time.Now().Add(-48*time.Hour))); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "reconciling:", err)
		}
		select {
		case <-hourly.C:
		case <-ctx.Done():
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// shop is what the events are for. It keeps the furthest state of each operation, since
// events come out of order; yours is a database.
type shop struct {
	mu       sync.Mutex
	progress map[string]intram.EventOrder
}

func (s *shop) router() *intram.EventRouter {
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(_ context.Context, e *intram.Event, payout *intram.PayoutEventData) error {
		return s.show(e, "payout %s of %s %s", payout.Reference, payout.Amount, payout.Currency)
	})
	intram.OnData(router, "payment_request.*", func(_ context.Context, e *intram.Event, payment *intram.PaymentRequestEventData) error {
		return s.show(e, "payment %s of %s %s", payment.TransactionReference, payment.Amount, payment.Currency)
	})
	intram.OnData(router, "refund.*", func(_ context.Context, e *intram.Event, refund *intram.RefundEventData) error {
		return s.show(e, "refund %s of %s", refund.RefundReference, refund.Amount)
	})
	return router.Default(func(_ context.Context, e *intram.Event) error {
		return s.show(e, "operation %s", e.OperationID)
	})
}

func (s *shop) show(e *intram.Event, format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := ""
	if next, moved := s.progress[e.OperationID].Apply(e); moved {
		s.progress[e.OperationID] = next
	} else if known := s.progress[e.OperationID].Event; known != "" {
		news = " (already " + string(known) + ")"
	}
	fmt.Printf("%s: %s%s\n", e.Type, fmt.Sprintf(format, args...), news)
	return nil
}
