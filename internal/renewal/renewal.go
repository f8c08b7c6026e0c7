// Package renewal keeps a value that a function of the user's supplies, and asks for it
// again when it no longer holds. However many callers find that out at the same moment,
// the function is asked once.
package renewal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/intram/intram-go/internal/redact"
)

// Source holds the value. It is safe for concurrent use.
//
// A *T is also the moment at which it was supplied: the function returns a new pointer
// each time, for an unchanged value too. So a caller whose value was refused before the
// function was asked last does not ask again.
type Source[T any] struct {
	supply func(ctx context.Context, held *T) (*T, error)
	limit  time.Duration
	held   atomic.Pointer[T]

	mu     sync.Mutex
	flight *flight[T] // the request that is under way, nil for none
}

type flight[T any] struct {
	ctx   context.Context //nolint:containedctx // the request's own: it ends with it
	from  *T              // the value that was held when it began
	done  chan struct{}
	value *T
	err   error
}

// New returns a source without a value. supply is given the value that is held, nil for
// none, and returns another pointer, or an error that leaves the value as it is. It runs
// in a goroutine of its own, for limit at most: the context of one caller does not end
// what others wait for.
func New[T any](limit time.Duration, supply func(ctx context.Context, held *T) (*T, error)) *Source[T] {
	return &Source[T]{supply: supply, limit: limit}
}

// Load returns the value, nil if there is none yet.
func (s *Source[T]) Load() *T { return s.held.Load() }

// Renew asks the function for the value that follows used, unless it was asked since used
// was supplied. It waits for a request that is under way instead of making another, and
// no longer than ctx lasts. Errors: the function's, a panic in it, its limit, or the end
// of ctx.
func (s *Source[T]) Renew(ctx context.Context, used *T) (*T, error) {
	s.mu.Lock()
	if held := s.held.Load(); held != used {
		s.mu.Unlock()
		return held, nil
	}
	f := s.flight
	if f == nil {
		f = s.begin(ctx)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-f.ctx.Done():
	}
	select {
	case <-f.done: // at the very same time
		return f.value, f.err
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == f {
		s.flight = nil // a function that ignores its context must not stop all that follow
	}
	return nil, redact.Sentinel(fmt.Sprintf("the function has not returned within %v: check that it returns when its context is done", s.limit))
}

// begin starts a request. The lock is held.
func (s *Source[T]) begin(ctx context.Context) *flight[T] {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limit)
	held := s.held.Load()
	f := &flight[T]{ctx: own, from: held, done: make(chan struct{})}
	s.flight = f
	go func() {
		f.err = errExited
		defer func() {
			if value := recover(); value != nil {
				f.err = redact.Panicked("the function", value)
			}
			s.end(f)
			cancel()
		}()
		f.value, f.err = s.supply(own, held)
	}()
	return f
}

// end makes the value of a request the one that is held: of one that was given up too, so
// that a function which is slower than the limit supplies values still, unless another
// request has supplied one since.
func (s *Source[T]) end(f *flight[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inTime := s.flight == f
	if inTime {
		s.flight = nil
	}
	if f.err == nil && f.value != nil && (inTime || s.held.Load() == f.from) {
		s.held.Store(f.value)
	}
	close(f.done)
}

var errExited = redact.Sentinel("the function ended its goroutine instead of returning")
