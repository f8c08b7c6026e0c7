package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

// inbox receives payin notifications on loopback. Nothing dates a notification, so that
// it only says where to look: what the shop acts on is what Refresh says, and it acts
// once for each reference.
type inbox struct {
	url    string
	secret string
	payin  *intram.PayinClient
	server *http.Server

	mu      sync.Mutex
	got     map[notification]int // how often each came
	shipped map[string]int       // how often each order was shipped
	refused int
	changed chan struct{} // closed and replaced with each notification
}

// notification is what came about a session, and what Get then said of it.
type notification struct {
	reference string
	event     intram.EventType
	outcome   intram.PayinOutcome
}

func openInbox(payin *intram.PayinClient, secret string) (*inbox, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &inbox{
		url: "http://" + listener.Addr().String() + "/payin/webhook", secret: secret, payin: payin,
		got: map[notification]int{}, shipped: map[string]int{}, changed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payin/webhook", b.receive)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go b.server.Serve(listener) //nolint:errcheck // it ends with ErrServerClosed when close is called
	return b, nil
}

func (b *inbox) close() { _ = b.server.Close() }

func (b *inbox) receive(w http.ResponseWriter, r *http.Request) {
	// The raw bytes, before anything decodes them: they are what is signed.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	note, err := intram.VerifyPayinNotification(r.Header, body, b.secret)
	if err != nil {
		b.mu.Lock()
		b.refused++
		b.mu.Unlock()
		status := http.StatusUnauthorized
		if errors.Is(err, intram.ErrInvalidPayload) {
			status = http.StatusBadRequest
		}
		http.Error(w, "not a payin notification", status)
		return
	}
	// Received; now look it up.
	payin, err := b.payin.Refresh(r.Context(), note.Payin)
	if err != nil {
		// Anything but a 2xx is sent again later.
		http.Error(w, "the session could not be looked up", http.StatusServiceUnavailable)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if payin.Outcome() == intram.PayinOutcomePaid && b.shipped[payin.Reference] == 0 {
		b.shipped[payin.Reference]++ // a shop's own database keeps this, in the same transaction as the order
	}
	b.got[notification{payin.Reference, note.Type, payin.Outcome()}]++
	close(b.changed)
	b.changed = make(chan struct{})
	w.WriteHeader(http.StatusNoContent)
}

// await waits until a notification has come so often.
func (b *inbox) await(ctx context.Context, want notification, times int) error {
	for {
		b.mu.Lock()
		times, changed := times-b.got[want], b.changed
		b.mu.Unlock()
		if times <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// count returns how many notifications came, how many of them about one session, how
// often its order was shipped, and how many were refused.
func (b *inbox) count(reference string) (all, about, shipped, refused int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, times := range b.got {
		all += times
		if n.reference == reference {
			about += times
		}
	}
	return all, about, b.shipped[reference], b.refused
}
