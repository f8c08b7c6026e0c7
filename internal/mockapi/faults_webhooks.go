package mockapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// webhookFault takes the fault that hits an attempt of a delivery. The caller holds the
// lock.
func (s *Server) webhookFault(d *delivery, now time.Time) *Fault {
	if d.held {
		// It was held back already: one fault an attempt.
		d.held = false
		s.state.behind = slices.DeleteFunc(s.state.behind, func(id string) bool { return id == d.id })
		return nil
	}
	if s.faults.none() || d.status != DeliveryPending {
		return nil
	}
	return s.faults.take(s.deliveryTarget(d), now, atDelivery)
}

// withhold applies a fault that comes instead of an attempt, and reports whether it did.
// The caller holds the lock.
func (s *Server) withhold(d *delivery, f *Fault, now time.Time) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case FaultWebhookDropped:
		d.status, d.fault = DeliveryDropped, f.Kind
		return true
	case FaultWebhookReordered:
		s.state.behind = append(s.state.behind, d.id)
	case FaultWebhookLate:
	default:
		return false
	}
	d.held, d.fault = true, f.Kind
	d.next = now.Add(f.Delay)
	s.clock.schedule(task{at: d.next, kind: taskDeliver, id: d.id})
	return true
}

// release sends the deliveries that FaultWebhookReordered held back until this one was
// attempted. The caller holds the lock.
func (s *Server) release(after *delivery) {
	for _, id := range s.state.behind {
		d := s.state.deliveries[id]
		if d == nil || d == after || d.subscription.id != after.subscription.id || d.next.IsZero() {
			continue
		}
		s.clock.cancelTasks(taskDeliver, d.id)
		s.enqueue(d)
	}
}

// signAttempt signs an attempt, as its fault says.
func (d *delivery) signAttempt(a *Attempt, body []byte, f *Fault) {
	sub, at := *d.subscription, a.Time
	if f != nil {
		a.Fault = string(f.Kind)
		switch f.Kind {
		case FaultWebhookStale:
			a.Time = at.Add(-f.Delay)
		case FaultWebhookBadSignature:
			sub.key = newSigningKey("a secret of no subscription")
		case FaultWebhookPreviousSecret:
			sub.key = sub.previousKey()
		case FaultWebhookDuplicate:
			d.repeat = true
		}
	} else if d.fault != "" {
		a.Fault = string(d.fault) // it was held back
	}
	d.fault = ""
	sub.sign(a, body)
	a.Time = at
}

// previousKey returns the key from before the last rotation. A subscription that was
// never rotated has one derived from its secret.
func (sub *subscription) previousKey() *signingKey {
	if sub.previous != nil {
		return sub.previous
	}
	sum := sha256.Sum256([]byte("before " + sub.key.secret))
	return newSigningKey("whsec_" + hex.EncodeToString(sum[:16]))
}

// RotateWebhookSecret gives a subscription a new secret and returns it.
func (s *Server) RotateWebhookSecret(subscriptionID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.state.books {
		if i := b.subscriptionIndex(subscriptionID); i >= 0 {
			rotated := *b.subscriptions[i]
			rotated.previous, rotated.key = rotated.key, newSigningKey(s.entropy.id("whsec_", 32))
			b.subscriptions[i] = &rotated
			s.touch()
			return rotated.key.secret, nil
		}
	}
	return "", fmt.Errorf("intramtest: RotateWebhookSecret: subscription %q not found", subscriptionID)
}

// PreviousWebhookSecret returns the secret that FaultWebhookPreviousSecret signs with.
func (s *Server) PreviousWebhookSecret(subscriptionID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.state.books {
		if i := b.subscriptionIndex(subscriptionID); i >= 0 {
			return b.subscriptions[i].previousKey().secret, nil
		}
	}
	return "", fmt.Errorf("intramtest: PreviousWebhookSecret: subscription %q not found", subscriptionID)
}
