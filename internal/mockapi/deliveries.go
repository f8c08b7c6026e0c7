package mockapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// deliveryTimeout is how long a receiver may take (intram.md section 8).
	deliveryTimeout = 15 * time.Second
	// maxReceiverAnswer bounds what is read of a receiver's response, in bytes.
	maxReceiverAnswer = 64 << 10
	// keptReceiverAnswer is how much of one that is not 2xx is kept for the log.
	keptReceiverAnswer = 512
)

// retryDelays are the waits after a failed attempt. The sources contradict each other on
// the fifth: the changelog lists it, the table of headers counts attempts from 1 to 5.
// Config.DeliveryAttempts plays both.
var retryDelays = [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}

// DeliveryStatus is how far a delivery is.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"   // an attempt is under way or will follow
	DeliveryDelivered DeliveryStatus = "delivered" // a receiver responded 2xx
	DeliveryExhausted DeliveryStatus = "exhausted" // every attempt failed
	DeliveryDropped   DeliveryStatus = "dropped"   // a fault lost it before its first attempt
)

// Attempt is one try to deliver.
type Attempt struct {
	Number    int // X-Intram-Attempt
	Time      time.Time
	Timestamp string // X-Intram-Timestamp
	Signature string // X-Intram-Signature
	Status    int    // of the receiver's response; 0 when there was none
	Response  string `json:",omitempty"` // the beginning of its body, when the status was not 2xx
	Error     string // why there was none
	Latency   time.Duration
	Fault     string // the fault that hit it
}

// delivery is an event on its way to one subscription.
type delivery struct {
	id           string
	subscription *subscription
	event        *event
	status       DeliveryStatus
	attempts     []Attempt
	failures     int       // scheduled attempts that failed
	next         time.Time // when the next attempt is due
	queued       int       // attempts waiting in a lane or under way
	repeat       bool      // a test number or a fault wants it delivered twice
	held         bool      // a fault holds it back
	fault        FaultKind // the fault that holds it back, or has lost it
}

// Delivery is a delivery of the log.
type Delivery struct {
	ID             string
	SubscriptionID string
	Environment    string
	URL            string
	Event          string
	OperationID    string
	Body           []byte
	Status         DeliveryStatus
	Attempts       []Attempt
	NextAttempt    time.Time // zero when none is scheduled
}

// String returns one line without the body.
func (d Delivery) String() string {
	return fmt.Sprintf("%s %s %s to %s: %s after %d attempts", d.ID, d.Event, d.OperationID, d.URL, d.Status, len(d.Attempts))
}

// GoString keeps %#v as discreet as String: a body holds names and phone numbers.
func (d Delivery) GoString() string { return d.String() }

// lane is a row of deliveries that are attempted one after the other. A frozen server has
// a single lane, so that a test sees one order; a running one has a lane for each
// subscription, so that a slow receiver holds up no other.
type lane struct {
	queue []*delivery
}

// deliver starts a delivery. The caller holds the lock.
func (s *Server) deliver(sub *subscription, e *event) *delivery {
	d := &delivery{id: s.entropy.id("whd_", 16), subscription: sub, event: e, status: DeliveryPending}
	e.deliveries = append(e.deliveries, d.id)
	s.state.deliveries[d.id] = d
	s.state.deliveryLog = append(s.state.deliveryLog, d)
	s.forgetDeliveries()
	s.enqueue(d)
	return d
}

// forgetDeliveries caps the log, oldest first and in blocks. A delivery that is still
// pending is kept.
func (s *Server) forgetDeliveries() {
	excess := len(s.state.deliveryLog) - s.journalSize
	if excess <= 0 {
		return
	}
	excess = max(excess, s.journalSize/8)
	s.state.deliveryLog = slices.DeleteFunc(s.state.deliveryLog, func(d *delivery) bool {
		if excess == 0 || d.status == DeliveryPending || d.queued > 0 {
			return false
		}
		excess--
		delete(s.state.deliveries, d.id)
		return true
	})
}

// enqueue puts an attempt into its lane and starts the lane when it is idle. The caller
// holds the lock.
func (s *Server) enqueue(d *delivery) {
	if s.closed {
		return
	}
	s.touchDelivery(d)
	d.queued++
	d.next = time.Time{}
	s.inFlight++
	name := ""
	if s.clock.Running() {
		name = d.subscription.id
	}
	l := s.lanes[name]
	if l == nil {
		l = &lane{}
		s.lanes[name] = l
		s.running.Go(func() { s.drain(name, l) })
	}
	l.queue = append(l.queue, d)
}

// drain works a lane off and ends with it, so that an idle server has no goroutine.
func (s *Server) drain(name string, l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(l.queue) > 0 && !s.closed {
		d := l.queue[0]
		l.queue = l.queue[1:]
		s.attempt(d)
		s.touchDelivery(d)
		d.queued--
		s.inFlight--
		s.notify()
	}
	delete(s.lanes, name)
}

// attempt makes one try. It is called with the lock held and gives it up while the
// receiver has the floor.
func (s *Server) attempt(d *delivery) {
	s.touchDelivery(d)
	now := s.clock.Now()
	fault := s.webhookFault(d, now)
	if s.withhold(d, fault, now) {
		return
	}
	a := Attempt{Number: len(d.attempts) + 1, Time: now}
	body := d.event.body()
	d.signAttempt(&a, body, fault)
	s.mu.Unlock()
	a.Status, a.Response, a.Error = s.send(d, a, body)
	a.Latency = s.clock.Now().Sub(now)
	s.mu.Lock()
	if s.closed {
		return
	}
	d.attempts = append(d.attempts, a)
	s.release(d)
	switch {
	case a.Status >= 200 && a.Status < 300:
		d.status = DeliveryDelivered
		if !d.next.IsZero() { // a resend succeeded before the scheduled attempt
			s.clock.cancelTasks(taskDeliver, d.id)
			d.next = time.Time{}
		}
		if d.repeat {
			d.repeat = false
			s.enqueue(d)
		}
	case d.status == DeliveryPending && d.next.IsZero():
		s.scheduleRetry(d)
	}
}

// scheduleRetry arranges the next attempt, or gives up after the last.
func (s *Server) scheduleRetry(d *delivery) {
	if d.failures++; d.failures > len(s.retryDelays) {
		d.status = DeliveryExhausted
		return
	}
	d.next = s.clock.Now().Add(s.retryDelays[d.failures-1])
	s.clock.schedule(task{at: d.next, kind: taskDeliver, id: d.id})
}

func (s *Server) taskDeliver(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.state.deliveries[id]; d != nil && d.status == DeliveryPending {
		s.enqueue(d)
	}
}

// send posts a delivery and returns the receiver's status and words, or why there was
// none.
func (s *Server) send(d *delivery, a Attempt, body []byte) (status int, response, failure string) {
	ctx, cancel := context.WithCancel(context.WithValue(s.ctx, deliveringKey{}, s))
	defer cancel()
	var timedOut atomic.Bool
	expire := func() { timedOut.Store(true); cancel() }
	alarm := s.clock.schedule(task{at: s.clock.Now().Add(deliveryTimeout), fn: expire})
	defer s.clock.cancel(alarm)
	defer s.clock.guard(deliveryTimeout, expire)()

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.subscription.url, bytes.NewReader(body))
	if err != nil {
		return 0, "", "invalid url"
	}
	d.setHeaders(r.Header, a)
	resp, err := s.roundTripper(r.URL.Host).RoundTrip(r) // not a client: a redirect is a response that is not 2xx
	if err != nil {
		return 0, "", deliveryError(err, timedOut.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	limited := io.LimitReader(resp.Body, maxReceiverAnswer) // only the status counts, even if reading the body fails
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		words, _ := io.ReadAll(io.LimitReader(limited, keptReceiverAnswer))
		response = strings.ToValidUTF8(strings.TrimSpace(string(words)), "")
	}
	_, _ = io.Copy(io.Discard, limited)
	return resp.StatusCode, response, ""
}

func (d *delivery) setHeaders(h http.Header, a Attempt) {
	if d.subscription.payin {
		setPayinHeaders(h, a)
		return
	}
	h.Set("User-Agent", "Intram-Webhooks/1.0")
	h.Set("Content-Type", "application/json")
	h.Set("X-Intram-Signature", a.Signature)
	h.Set("X-Intram-Timestamp", a.Timestamp)
	h.Set("X-Intram-Event", d.event.kind)
	h.Set("X-Intram-Delivery", d.id)
	h.Set("X-Intram-Attempt", strconv.Itoa(a.Number))
}

// deliveryError says why there was no response, in words that do not depend on the
// platform.
func deliveryError(err error, timedOut bool) string {
	switch {
	case timedOut:
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed without a response"
	default:
		return "network error"
	}
}

// Resend makes one more attempt of a delivery at once, whatever its state. The retry
// schedule goes on as it was.
func (s *Server) Resend(deliveryID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.state.deliveries[deliveryID]
	switch {
	case d == nil:
		return fmt.Errorf("intramtest: there is no delivery %q", deliveryID)
	case s.closed:
		return ErrClosed
	}
	next := d.next
	s.enqueue(d)
	d.next = next
	return nil
}

// Deliveries returns the last deliveries, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	deliveries := make([]Delivery, len(s.state.deliveryLog))
	for i, d := range s.state.deliveryLog {
		deliveries[i] = d.public()
	}
	return deliveries
}

func (d *delivery) public() Delivery {
	return Delivery{
		ID: d.id, Environment: d.event.account.environment, SubscriptionID: d.subscription.id, URL: d.subscription.url, Event: d.event.kind,
		OperationID: d.event.operation, Body: d.event.body(), Status: d.status,
		Attempts: slices.Clone(d.attempts), NextAttempt: d.next,
	}
}

// waitIdle waits until no delivery is queued or under way, until stop is closed or until
// the server is.
func (s *Server) waitIdle(stop <-chan struct{}) {
	for {
		s.mu.Lock()
		if s.inFlight == 0 || s.closed {
			s.mu.Unlock()
			return
		}
		changed := s.changes()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return
		}
	}
}
