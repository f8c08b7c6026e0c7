package otelintram_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	intram "github.com/intram/intram-go"
)

// tell tells r of everything that can have a word in it, once.
func tell(ctx context.Context, r recorder, word string) {
	call := intram.TraceCall{API: word, Method: word, Template: "/" + word, Environment: intram.Environment(word), ServerAddress: "api.intram.org"}
	begun := r.TraceCallStart(ctx, call)
	attempt := intram.TraceAttempt{TraceCall: call, Number: 1}
	r.TraceAttemptEnd(r.TraceAttemptStart(begun, attempt), intram.TraceAttemptEnd{
		TraceAttempt: attempt, Err: errors.New(word), Code: intram.ErrorCode(word), Protocol: word, Retry: true,
	})
	r.TraceAttemptEnd(r.TraceAttemptStart(begun, attempt), intram.TraceAttemptEnd{TraceAttempt: attempt, StatusCode: 429, Code: intram.ErrorCode(word)})
	r.TraceBudgetSpent(begun, call)
	r.TraceDoubt(begun, call, 1)
	r.TraceCallEnd(begun, intram.TraceCallEnd{TraceCall: call, Err: errors.New(word), Code: intram.ErrorCode(word), Outcome: intram.Outcome(word)})
	wait := intram.TraceWait{Kind: word, Environment: intram.Environment(word), Items: 1}
	r.TraceWaitEnd(r.TraceWaitStart(ctx, wait), intram.TraceWaitEnd{TraceWait: wait, Err: errors.New(word)})
	delivery := intram.TraceDelivery{Source: word}
	r.TraceDeliveryEnd(r.TraceDeliveryStart(ctx, delivery), intram.TraceDeliveryEnd{
		TraceDelivery: delivery, Verdict: word, Type: intram.EventType(word), Err: errors.New(word),
	})
	for _, request := range []string{word, "claim"} {
		inbox := intram.TraceInbox{Request: request}
		r.TraceInboxEnd(r.TraceInboxStart(ctx, inbox), intram.TraceInboxEnd{TraceInbox: inbox, State: intram.ClaimState(len(word)), Err: errors.New(word)})
	}
}

// attributeSets returns the attributes of each series of a metric.
func attributeSets(t *testing.T, m metricdata.Metrics) (sets []attribute.Set) {
	t.Helper()
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Histogram[float64]: //nolint:forbidigo // seconds are not money
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	default:
		require.Failf(t, "unknown", "%s is a %T", m.Name, m.Data)
	}
	return sets
}

func TestUnknownWordsMakeNoSeriesAndNoNames(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	for i := range 1000 {
		tell(t.Context(), r, fmt.Sprint("Zebulon", i))
	}
	all := r.metrics(t)
	assert.Len(t, all, 8, "a metric is not told of here")
	for name, m := range all {
		want := 1
		if name == "http.client.request.duration" {
			want = 2 // without a response, and 429
		}
		sets := attributeSets(t, m)
		assert.Len(t, sets, want, name)
		for _, set := range sets {
			assert.NotContains(t, strings.ToLower(set.Encoded(attribute.DefaultEncoder())), "zebulon", name)
		}
	}
	names := map[string]bool{}
	for _, s := range r.exporter.GetSpans() {
		names[s.Name] = true
		assert.NotContains(t, strings.ToLower(fmt.Sprint(attributesOf(s.Attributes), s.Events, s.Status)), "zebulon", s.Name)
	}
	assert.Equal(t, map[string]bool{
		"HTTP": true, "wait other": true, "reconcile other": true, "inbox other": true, "inbox claim": true,
	}, names)
}

func TestACodeThatDoesNotLookLikeOneIsLeftOut(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"insufficient_balance": "insufficient_balance", "provider.down": "provider.down", strings.Repeat("a", 64): strings.Repeat("a", 64),
		strings.Repeat("a", 65): "other", "22961000000": "other", "paid to Zebulon": "other", "é": "other", "A": "other",
	} {
		r := newRecorder(t)
		r.TraceCallEnd(r.TraceCallStart(t.Context(), payout), intram.TraceCallEnd{TraceCall: payout, Code: intram.ErrorCode(written)})
		assert.Equal(t, want, attributesOf(r.span(t, "POST /payouts").Attributes)["intram.code"], written)
	}
}

func TestErrorsHaveFewTypes(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error { return fmt.Errorf("POST /payouts: %w", err) }
	for _, c := range []struct {
		status int
		err    error
		want   string
	}{
		{400, nil, "400"}, {429, wrapped(io.EOF), "429"}, {599, nil, "599"}, {600, nil, "_OTHER"}, {200, wrapped(io.EOF), "connection_lost"},
		{0, wrapped(context.Canceled), "canceled"}, {0, wrapped(context.DeadlineExceeded), "timeout"}, {0, wrapped(os.ErrDeadlineExceeded), "timeout"},
		{0, wrapped(&net.DNSError{Err: "no such host"}), "name_not_resolved"}, {0, wrapped(&net.DNSError{IsTimeout: true}), "timeout"},
		{0, wrapped(&tls.CertificateVerificationError{Err: io.EOF}), "server_certificate_invalid"},
		{0, wrapped(&net.OpError{Err: syscall.ECONNREFUSED}), "connection_refused"}, {0, wrapped(syscall.ECONNRESET), "connection_lost"},
		{0, wrapped(syscall.EPIPE), "connection_lost"}, {0, io.ErrUnexpectedEOF, "connection_lost"}, {0, errors.New("x"), "_OTHER"},
	} {
		r := newRecorder(t)
		attempt := intram.TraceAttempt{TraceCall: payout, Number: 1}
		r.TraceAttemptEnd(r.TraceAttemptStart(t.Context(), attempt), intram.TraceAttemptEnd{
			TraceAttempt: attempt, StatusCode: c.status, Err: c.err, Retry: true,
		})
		assert.Equal(t, c.want, attributesOf(r.span(t, "POST /payouts").Attributes)["error.type"], "%d %v", c.status, c.err)
	}
}

func TestMethodsAreThoseOfTheConventions(t *testing.T) {
	t.Parallel()
	for method, want := range map[string][2]string{
		"POST": {"POST", "POST /payouts"}, "DELETE": {"DELETE", "DELETE /payouts"}, "post": {"_OTHER", "HTTP /payouts"}, "": {"_OTHER", "HTTP /payouts"},
	} {
		r := newRecorder(t)
		call := payout
		call.Method = method
		r.TraceCallEnd(r.TraceCallStart(t.Context(), call), intram.TraceCallEnd{TraceCall: call})
		assert.Equal(t, want[0], attributesOf(r.span(t, want[1]).Attributes)["http.request.method"])
	}
}

func TestProtocolsAreVersions(t *testing.T) {
	t.Parallel()
	for protocol, want := range map[string]any{"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3", "": nil, "Zebulon/1": nil} {
		r := newRecorder(t)
		attempt := intram.TraceAttempt{TraceCall: payout, Number: 1}
		r.TraceAttemptEnd(r.TraceAttemptStart(t.Context(), attempt), intram.TraceAttemptEnd{TraceAttempt: attempt, StatusCode: 200, Protocol: protocol})
		assert.Equal(t, want, attributesOf(r.span(t, "POST /payouts").Attributes)["network.protocol.version"], protocol)
	}
}

// A new type of event must not be counted as other.
func TestEachEventTypeOfTheSDKIsKnown(t *testing.T) {
	t.Parallel()
	surface, err := os.ReadFile("../api/intram.txt")
	require.NoError(t, err)
	types := regexp.MustCompile(`const Event\w+ EventType = "([^"]+)"`).FindAllStringSubmatch(string(surface), -1)
	require.Greater(t, len(types), 10)
	for _, found := range types {
		if found[1] == string(intram.EventAll) {
			continue
		}
		span := newRecorder(t).deliver(t, intram.TraceDeliveryEnd{TraceDelivery: delivered, Type: intram.EventType(found[1])})
		assert.Equal(t, "webhook "+found[1], span.Name)
	}
}

// A new path must not be counted as other: each of the root package's is in a span's
// name.
func TestEachPathOfTheSDKIsKnown(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	none := []string{"/", "/api/v1/merchant", "/v1", "/test"} // parts of paths
	paths := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				if regexp.MustCompile(`^/[a-z0-9/_{}-]*[a-z}]$`).MatchString(text) && !slices.Contains(none, text) {
					paths[text] = true
				}
			}
			return true
		})
	}
	require.Len(t, paths, 13)
	for path := range paths {
		r, call := newRecorder(t), payout
		call.Template = path
		r.TraceCallEnd(r.TraceCallStart(t.Context(), call), intram.TraceCallEnd{TraceCall: call})
		assert.Equal(t, path, attributesOf(r.span(t, "POST "+path).Attributes)["url.template"])
	}
}

// So are the verdicts that the handler tells.
func TestEachVerdictOfTheSDKIsKnown(t *testing.T) {
	t.Parallel()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../webhook_handler.go", nil, 0)
	require.NoError(t, err)
	told := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Name.Name != "word" {
			return true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				told++
				verdict, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				span := newRecorder(t).deliver(t, intram.TraceDeliveryEnd{TraceDelivery: delivered, Verdict: verdict})
				assert.Equal(t, verdict, attributesOf(span.Attributes)["intram.webhook.verdict"])
			}
			return true
		})
		return true
	})
	assert.Equal(t, 10, told)
}
