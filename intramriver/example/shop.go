package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// shop is the merchant's web process. It plans calls and receives webhooks, and leaves
// the work to the workers.
type shop struct {
	out    io.Writer
	db     *database
	fake   *intramtest.Server
	client *intram.Client
	router *intram.EventRouter
	seal   *intramriver.AESGCM
	pool   *pgxpool.Pool
	work   *intramriver.Work
	server *http.Server
	url    string // of the web server

	workers []*worker
	checks  int
	wrong   []string
}

func openShop(ctx context.Context, out io.Writer, db *database) (*shop, error) {
	s := &shop{out: out, db: db}
	if err := s.open(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shop) open(ctx context.Context) error {
	var err error
	if s.fake, err = intramtest.Start(); err != nil {
		return err
	}
	if s.client, err = s.newClient(); err != nil {
		return err
	}
	// In production the key is kept where the secret keys are, and is the same at each
	// start.
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	if s.seal, err = intramriver.NewAESGCM("k1", map[string][]byte{"k1": key}); err != nil {
		return err
	}
	s.router = new(intram.EventRouter)
	intram.OnData(s.router, "payment_request.*", s.paymentMoved)
	if err := s.router.Err(); err != nil {
		return err
	}
	if s.pool, err = pgxpool.New(ctx, s.db.address); err != nil {
		return err
	}
	if s.work, err = s.newWork(s.pool); err != nil {
		return err
	}
	return s.listen(ctx)
}

func (s *shop) newClient() (*intram.Client, error) {
	return intram.NewClient(s.fake.PublicKey, s.fake.SecretKey, intram.WithBaseURL(s.fake.URL),
		intram.WithAppInfo("intramriver-example", intram.Version))
}

// listen subscribes to all events, and serves the webhook and River's web interface.
func (s *shop) listen(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer func() { go s.server.Serve(listener) }() //nolint:errcheck // it ends with ErrServerClosed when close is called

	subscription, err := s.client.Webhooks.Create(ctx, intram.WebhookParams{URL: s.url + "/intram/webhook", Event: intram.EventAll})
	if err != nil {
		return err
	}
	verifier, err := intram.NewWebhookVerifier(subscription.Secret) // shown this once
	if err != nil {
		return err
	}
	mux.Handle("POST /intram/webhook", s.work.Handler(verifier))
	ui, err := newUI(ctx, s.pool)
	if err != nil {
		return err
	}
	mux.Handle(uiPath+"/", ui)
	return nil
}

func (s *shop) close() {
	for _, w := range s.workers {
		w.stop()
	}
	if s.server != nil {
		_ = s.server.Close()
	}
	if s.fake != nil {
		s.fake.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}

// say prints one line of the story.
func (s *shop) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// check notes whether something that must hold does.
func (s *shop) check(ok bool, format string, args ...any) {
	s.checks++
	if !ok {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}
