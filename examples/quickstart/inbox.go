package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

// inbox receives webhooks on loopback, and remembers those that are really Intram's.
type inbox struct {
	url    string
	server *http.Server

	mu       sync.Mutex
	verifier *intram.WebhookVerifier
	events   map[expectation]*intram.Event
	refused  int
	changed  chan struct{} // closed and replaced with each event
}

func openInbox() (*inbox, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &inbox{
		url:     "http://" + listener.Addr().String() + "/intram/webhook",
		events:  map[expectation]*intram.Event{},
		changed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /intram/webhook", b.receive)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go b.server.Serve(listener) //nolint:errcheck // it ends with ErrServerClosed when close is called
	return b, nil
}

func (b *inbox) close() { _ = b.server.Close() }

func (b *inbox) verifyWith(v *intram.WebhookVerifier) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verifier = v
}

func (b *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.verifier == nil {
		// Not ready: anything but a 2xx is sent again later.
		http.Error(w, "no secret yet", http.StatusServiceUnavailable)
		return
	}
	event, err := b.verifier.Verify(r.Header, body)
	if err != nil {
		b.refused++
		http.Error(w, "not from Intram", http.StatusUnauthorized)
		return
	}
	// An event that comes twice counts once.
	b.events[expectation{event.Type, event.OperationID}] = event
	close(b.changed)
	b.changed = make(chan struct{})
	w.WriteHeader(http.StatusNoContent)
}

// await waits for one event.
func (b *inbox) await(ctx context.Context, want expectation) (*intram.Event, error) {
	for {
		b.mu.Lock()
		event, changed := b.events[want], b.changed
		b.mu.Unlock()
		if event != nil {
			return event, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// counts returns how many events were good, and how many deliveries were refused.
func (b *inbox) counts() (good, refused int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events), b.refused
}
