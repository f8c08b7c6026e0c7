package intram

import (
	"context"
	"errors"
	"net/http"

	"github.com/intram/intram-go/internal/transport"
)

// LimitKind is what a [Limiter] is asked for. Kinds may be added: treat one that you do
// not know as [LimitRead].
type LimitKind string

// Kinds of attempts.
const (
	LimitRead  LimitKind = "read"  // a GET of the Merchant API
	LimitWrite LimitKind = "write" // any other request of the Merchant API
	LimitPoll  LimitKind = "poll"  // a lookup that a wait makes; it is also bound by [WithPollRate]
	LimitPayin LimitKind = "payin" // any request of the payin API, which is another host
)

// Limiter bounds the requests of several clients or processes together. Module
// limit/redislimit has one for many processes, on Redis.
//
// A Limiter must be safe for concurrent use.
type Limiter interface {
	// Wait returns when one request may be sent, or an error if none may be. It must
	// return when ctx ends.
	Wait(ctx context.Context, kind LimitKind) error
}

// WithLimiter asks limiter before each attempt of each call: retries count, and so do the
// lookups of waits. The wait is bounded by the call's context, and by 10 minutes, but not
// by [WithTimeout], which begins after it. The request is signed after the wait.
//
// An error of the limiter's ends the call, with an [*Error] that wraps it. Its outcome is
// that of the attempts before: [OutcomeNotSent] if there was none, [OutcomeUnknown] if
// one of them is in doubt. A wait goes on, and makes its lookup later. So does it end if
// the limiter panics, or does not return: the limiter runs in a goroutine of its own.
func WithLimiter(limiter Limiter) ClientOption {
	return clientOption(func(cfg *clientConfig) error {
		if isNil(limiter) {
			return errors.New("WithLimiter: the limiter is nil")
		}
		cfg.limiter = limiter
		return nil
	})
}

// limitAttempts is the limiter as the transport calls it, nil without one.
func limitAttempts(limiter Limiter, kindOf func(*transport.Call) LimitKind) func(context.Context, *transport.Call) error {
	if limiter == nil {
		return nil
	}
	return func(ctx context.Context, call *transport.Call) error { return limiter.Wait(ctx, kindOf(call)) }
}

func merchantKind(call *transport.Call) LimitKind {
	switch {
	case call.Poll:
		return LimitPoll
	case call.Method == http.MethodGet:
		return LimitRead
	default:
		return LimitWrite
	}
}

func payinKind(*transport.Call) LimitKind { return LimitPayin }
