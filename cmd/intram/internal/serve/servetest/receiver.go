package servetest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Receiver is a merchant's webhook handler.
type Receiver struct {
	URL string

	mu         sync.Mutex
	changed    *sync.Cond
	failing    bool
	deliveries []Delivery
}

// Delivery is an event as it arrived.
type Delivery struct {
	Header http.Header
	Body   []byte
	taken  bool // and not refused
}

// NewReceiver starts a handler, which the end of the test stops.
func NewReceiver(t *testing.T) *Receiver {
	t.Helper()
	r := &Receiver{}
	r.changed = sync.NewCond(&r.mu)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL + "/webhooks"
	return r
}

// ServeHTTP keeps what arrives.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing || err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	r.deliveries = append(r.deliveries, Delivery{q.Header.Clone(), body, !r.failing})
	r.changed.Broadcast()
}

// Fail makes the handler refuse what arrives, or take it again.
func (r *Receiver) Fail(failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failing
}

// Acknowledged waits until an event about an operation was taken.
func (r *Receiver) Acknowledged(t *testing.T, event, id string) Delivery {
	t.Helper()
	return r.wait(t, event, id, true)
}

// Refused waits until an event about an operation was refused.
func (r *Receiver) Refused(t *testing.T, event, id string) Delivery {
	t.Helper()
	return r.wait(t, event, id, false)
}

func (r *Receiver) wait(t *testing.T, event, id string, taken bool) Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, r.changed.Broadcast)
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for ctx.Err() == nil {
		for _, d := range r.deliveries {
			if d.taken == taken && d.Header.Get("X-Intram-Event") == event && bytes.Contains(d.Body, []byte(`"operation_id":"`+id+`"`)) {
				return d
			}
		}
		r.changed.Wait()
	}
	require.Failf(t, "the event did not arrive", "%s about %s, taken: %t", event, id, taken)
	return Delivery{}
}
