package redislimit

import (
	"sync"

	"github.com/intram/intram-go"
)

// AskAgain forgets that Redis was away.
func (l *Limiter) AskAgain() { l.awayUntil.Store(0) }

// Occupy takes the queue of a kind, and returns what gives it back.
func (l *Limiter) Occupy(kind intram.LimitKind) (leave func()) {
	q := l.all.queue(kind)
	q <- struct{}{}
	return func() { <-q }
}

// Key returns the key in Redis.
func (l *Limiter) Key() string { return keyPrefix + l.all.key }

// Sleeping returns a channel that is closed when a request has to wait for Redis.
func (l *Limiter) Sleeping() <-chan struct{} {
	sleeping := make(chan struct{})
	l.beforeSleep = sync.OnceFunc(func() { close(sleeping) })
	return sleeping
}
