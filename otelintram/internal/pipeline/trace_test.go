package pipeline_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

var update = flag.Bool("update", false, "write the trace into docs/observability.md")

// shown are the attributes that the text of a trace has, in its order, without their
// first words.
var shown = []attribute.Key{
	"http.response.status_code", "http.request.resend_count", "intram.code", "intram.retry.delay", "intram.attempts",
	"intram.wait.items", "intram.wait.pending", "intram.webhook.verdict", "intram.inbox.state",
}

// text writes spans as trees, each root before what came after it.
func text(spans tracetest.SpanStubs) string {
	byID := map[trace.SpanID]tracetest.SpanStub{}
	for _, s := range spans {
		byID[s.SpanContext.SpanID()] = s
	}
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	var b strings.Builder
	var write func(s tracetest.SpanStub, depth int)
	write = func(s tracetest.SpanStub, depth int) {
		line := fmt.Sprintf("%-36s %-9s", strings.Repeat("  ", depth)+s.Name, s.SpanKind)
		for _, key := range shown {
			for _, kv := range s.Attributes {
				if kv.Key == key {
					name := string(key)
					line += fmt.Sprintf(" %s=%v", name[strings.LastIndex(name, ".")+1:], kv.Value.AsInterface())
				}
			}
		}
		if s.Status.Code == codes.Error {
			line += " ERROR"
		}
		for _, l := range s.Links {
			line += " linked to " + byID[l.SpanContext.SpanID()].Name
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
		for _, event := range s.Events {
			fmt.Fprintf(&b, "%s* %s\n", strings.Repeat("  ", depth+1), event.Name)
		}
		for _, child := range spans {
			if child.Parent.SpanID() == s.SpanContext.SpanID() {
				write(child, depth+1)
			}
		}
	}
	for _, s := range spans {
		if _, ok := byID[s.Parent.SpanID()]; !ok {
			write(s, 0)
		}
	}
	return b.String()
}

// The trace of a payout in the documentation is what the tracer makes.
func TestThePayoutInTheDocumentation(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	s := newStory(t, newTracer(t, []sdktrace.TracerProviderOption{sdktrace.WithSyncer(exporter)}, nil))
	ctx, order := provider.Tracer("shop").Start(t.Context(), "pay an order")
	s.payOut(ctx, t)
	order.End()
	got := text(exporter.GetSpans())

	const page, begin, end = "../../../docs/observability.md", "<!-- a payout, from TestThePayoutInTheDocumentation -->\n```text\n", "```\n"
	document, err := os.ReadFile(page)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(document), begin)
	require.True(t, ok, "%s has no %q", page, begin)
	written, tail, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(head+begin+got+end+tail), 0o600))
		return
	}
	assert.Equal(t, written, got, "run go test -run %s -update", t.Name())
}
