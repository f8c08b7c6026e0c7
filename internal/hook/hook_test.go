package hook_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/internal/hook"
)

// uncomparable is a context that the operator == panics at.
type uncomparable struct {
	context.Context //nolint:containedctx // it is one

	tags []string
}

// orphan is a context that forgot its parent.
type orphan struct{ context.Context } //nolint:containedctx // it is one

// fragile panics at its second question.
type fragile struct {
	context.Context //nolint:containedctx // it is one

	asked *int
}

func (f fragile) Value(key any) any {
	if *f.asked++; *f.asked > 1 {
		panic("fragile")
	}
	return f.Context.Value(key)
}

type callersKey struct{}

func TestNoContextOfAHookPanicsInTheCall(t *testing.T) {
	t.Parallel()
	caller := uncomparable{context.WithValue(t.Context(), callersKey{}, "kept"), nil}
	for name, c := range map[string]struct {
		made   context.Context //nolint:containedctx // what the hook returns
		logged bool
	}{
		"the caller's": {caller, false}, "nil": {nil, false}, "a nil pointer": {(*orphan)(nil), true}, "no parent": {orphan{}, true},
		"one that panics later": {fragile{t.Context(), new(int)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines strings.Builder
			guard := hook.NewGuard(slog.New(slog.NewTextHandler(&lines, nil)))
			ctx := guard.Start(caller, "TraceCallStart", func(context.Context) context.Context { return c.made })
			assert.Equal(t, "kept", ctx.Value(callersKey{}))
			assert.NoError(t, ctx.Err())
			assert.Equal(t, c.logged, strings.Contains(lines.String(), "hook=TraceCallStart"))
		})
	}
}
