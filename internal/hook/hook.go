// Package hook calls methods of the user's that are told what happens, so that none of
// them can change it.
package hook

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
)

// Guard calls hooks. It is safe for concurrent use.
type Guard struct {
	logger *slog.Logger
	logged sync.Map // the names of hooks whose failure was logged
}

// NewGuard returns a guard that logs the first failure of each hook to logger, unless
// that is nil.
func NewGuard(logger *slog.Logger) *Guard { return &Guard{logger: logger} }

// Run calls a hook and waits until it returns. The hook runs on a goroutine of its own:
// neither a panic nor [runtime.Goexit] in it reaches the caller's, which may be one that
// other calls depend on.
func (g *Guard) Run(ctx context.Context, name string, call func()) {
	var failure *failure
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if !returned {
				failure = failed(recover())
			}
		}()
		call()
		returned = true
	}()
	<-done
	if failure != nil {
		g.log(ctx, name, failure)
	}
}

// Start calls a hook that begins something, and returns the context of what it begins:
// see [Join].
func (g *Guard) Start(ctx context.Context, name string, start func(context.Context) context.Context) context.Context {
	var begun context.Context
	g.Run(ctx, name, func() {
		next := start(ctx)
		if next != nil {
			next.Value(probe{}) // one without a parent panics here, and is ignored
		}
		begun = next //nolint:fatcontext // of one hook
	})
	return Join(ctx, begun)
}

// probe is a key that no context has a value of.
type probe struct{}

// failure is how a hook failed.
type failure struct{ text, stack string }

// failed describes what a hook panicked with. Only the runtime's own words are shown: the
// rest may be anything, a customer's name included.
func failed(value any) *failure {
	switch value := value.(type) {
	case nil:
		return &failure{text: "it ended its goroutine"}
	case runtime.Error:
		return &failure{value.Error(), string(debug.Stack())}
	default:
		return &failure{fmt.Sprintf("panic with a %T", value), string(debug.Stack())}
	}
}

func (g *Guard) log(ctx context.Context, name string, f *failure) {
	if g.logger == nil {
		return
	}
	if _, before := g.logged.LoadOrStore(name, true); before {
		return
	}
	attrs := []slog.Attr{slog.String("hook", name), slog.String("error", f.text)}
	if f.stack != "" {
		attrs = append(attrs, slog.String("stack", f.stack))
	}
	g.logger.LogAttrs(ctx, slog.LevelError, "intram tracer failed", attrs...)
}

// Join returns a context that ends when ctx does, and no sooner. It has the values of
// begun, which a hook has returned, and those of ctx that begun lacks, or panics for. A
// nil begun is ignored.
func Join(ctx, begun context.Context) context.Context {
	if begun == nil || reflect.ValueOf(begun).Comparable() && begun == ctx {
		return ctx
	}
	return joined{ctx, begun}
}

type joined struct {
	context.Context //nolint:containedctx // the caller's: a context wraps another

	values context.Context //nolint:containedctx // it is a context itself
}

// Value implements [context.Context].
func (j joined) Value(key any) any {
	if value := j.begun(key); value != nil {
		return value
	}
	return j.Context.Value(key)
}

// begun returns the hook's value, nil if its context panics.
func (j joined) begun(key any) (value any) {
	defer func() { _ = recover() }()
	return j.values.Value(key)
}
