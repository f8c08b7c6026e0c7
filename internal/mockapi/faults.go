package mockapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault. Each is one way a network or a server fails; what a client may conclude from it
// differs, and the comments say how.
const (
	// FaultLatency answers after Delay on the server's clock.
	FaultLatency FaultKind = "latency"
	// FaultRefuse refuses the connection: the request cannot have been read. Only the in-process transport and
	// HTTPClient can tell it apart; a connection that is already open is reset.
	FaultRefuse FaultKind = "refuse"
	// FaultReset resets the connection before the request is read: nothing was executed.
	FaultReset FaultKind = "reset"
	// FaultDropResponse executes the call and cuts the connection instead of answering.
	FaultDropResponse FaultKind = "drop_response"
	// FaultServerError answers a 5xx with an error envelope; with Executed set, after executing the call.
	FaultServerError FaultKind = "server_error"
	// FaultUnavailable answers 429 or 503 with Retry-After, before executing anything.
	FaultUnavailable FaultKind = "unavailable"
)

// Fault is a scripted failure. It hits the next Times calls it matches, and then is gone.
type Fault struct {
	Kind FaultKind
	// On picks the calls: "POST /payouts", "GET /operations/:id", "/payouts" or "POST"; empty for every call.
	On string
	// Times is how many calls it hits. Default 1.
	Times int
	// For ends it after this long on the server's clock, hit or not. Zero: only Times ends it.
	For time.Duration
	// Delay is how long FaultLatency takes.
	Delay time.Duration
	// Status is the answer of FaultServerError (default 500) and FaultUnavailable (429 or 503, default 503).
	Status int
	// Code is the error code of FaultServerError: internal_error (default), auth_error or idempotency_error.
	Code string
	// Executed makes FaultServerError answer after the call was executed and its answer kept, rather than before.
	Executed bool
	// RetryAfter is the header of FaultUnavailable. Default "1"; "-" sends none.
	RetryAfter string
}

// faults holds the scripted failures in the order they were added.
type faults struct {
	waiting atomic.Int64 // len(active), for the calls that no fault concerns

	mu     sync.Mutex
	active []activeFault
}

type activeFault struct {
	Fault
	method, endpoint string
	left             int
	until            time.Time // zero: no end in time
}

// AddFault scripts a failure.
func (s *Server) AddFault(f Fault) error {
	active, err := prepareFault(f)
	if err != nil {
		return err
	}
	if f.For > 0 {
		active.until = s.clock.Now().Add(f.For)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = append(s.faults.active, active)
	s.faults.count()
	return nil
}

// ClearFaults ends every scripted failure.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = nil
	s.faults.count()
}

// PendingFaults returns the faults that have calls left to hit, with Times counting those.
func (s *Server) PendingFaults() []Fault {
	now := s.clock.Now()
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.expire(now)
	var pending []Fault
	for _, f := range s.faults.active {
		left := f.Fault
		left.Times = f.left
		pending = append(pending, left)
	}
	return pending
}

func prepareFault(f Fault) (activeFault, error) {
	if f.Times < 0 || f.For < 0 || f.Delay < 0 {
		return activeFault{}, errors.New("mockapi: Fault: Times, For and Delay must not be negative")
	}
	f.Times = max(f.Times, 1)
	switch f.Kind {
	case FaultRefuse, FaultReset, FaultDropResponse:
	case FaultLatency:
		if f.Delay == 0 {
			return activeFault{}, errors.New("mockapi: Fault.Delay: a latency fault needs one")
		}
	case FaultServerError:
		if f.Status == 0 {
			f.Status = http.StatusInternalServerError
		}
		if f.Status < 500 || f.Status > 599 {
			return activeFault{}, fmt.Errorf("mockapi: Fault.Status: %d is not a server error, want 500 to 599", f.Status)
		}
		if f.Code == "" {
			f.Code = "internal_error"
		}
	case FaultUnavailable:
		if f.Status == 0 {
			f.Status = http.StatusServiceUnavailable
		}
		if f.Status != http.StatusTooManyRequests && f.Status != http.StatusServiceUnavailable {
			return activeFault{}, fmt.Errorf("mockapi: Fault.Status: %d, want 429 or 503", f.Status)
		}
		if f.RetryAfter == "" {
			f.RetryAfter = "1"
		}
	default:
		return activeFault{}, fmt.Errorf("mockapi: Fault.Kind: unknown kind %q", f.Kind)
	}
	active := activeFault{Fault: f, left: f.Times}
	for word := range strings.FieldsSeq(f.On) {
		switch {
		case strings.HasPrefix(word, "/") && active.endpoint == "":
			active.endpoint = word
		case word == strings.ToUpper(word) && !strings.HasPrefix(word, "/") && active.method == "":
			active.method = word
		default:
			return activeFault{}, fmt.Errorf("mockapi: Fault.On: %q, want a method, a path or both, as in \"POST /payouts\"", f.On)
		}
	}
	return active, nil
}

// take removes one hit from the first fault that matches the call and want.
func (f *faults) take(method, endpoint string, now time.Time, want func(FaultKind) bool) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	for i := range f.active {
		a := &f.active[i]
		if !want(a.Kind) || a.method != "" && a.method != method || a.endpoint != "" && !matchesEndpoint(a.endpoint, endpoint) {
			continue
		}
		hit := a.Fault
		if a.left--; a.left == 0 {
			f.active = slices.Delete(f.active, i, i+1)
			f.count()
		}
		return &hit
	}
	return nil
}

func (f *faults) none() bool { return f.waiting.Load() == 0 }

// count is called after every change, with the lock held.
func (f *faults) count() { f.waiting.Store(int64(len(f.active))) }

func (f *faults) expire(now time.Time) {
	f.active = slices.DeleteFunc(f.active, func(a activeFault) bool {
		return !a.until.IsZero() && !a.until.After(now)
	})
	f.count()
}

// matchesEndpoint compares a pattern with the path of a call, a segment starting with a colon or an asterisk
// standing for any.
func matchesEndpoint(pattern, endpoint string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(endpoint, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], ":") && want[i] != "*" {
			return false
		}
	}
	return true
}

func isLatency(k FaultKind) bool    { return k == FaultLatency }
func isNotLatency(k FaultKind) bool { return k != FaultLatency }
func isRefusal(k FaultKind) bool    { return k == FaultRefuse }
