package pipeline_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// everything returns each span and each metric of the whole story, one a line.
func everything(t *testing.T) []string {
	t.Helper()
	exporter, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	s := newStory(t, newTracer(t, []sdktrace.TracerProviderOption{sdktrace.WithSyncer(exporter)}, []sdkmetric.Option{sdkmetric.WithReader(reader)}))
	s.tell(t.Context(), t)
	var lines []string
	add := func(v any) {
		line, err := json.Marshal(v)
		require.NoError(t, err)
		lines = append(lines, string(line))
	}
	for _, span := range exporter.GetSpans() {
		add(span)
	}
	var measured metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &measured))
	for _, scope := range measured.ScopeMetrics {
		for _, m := range scope.Metrics {
			add(m)
		}
	}
	return lines
}

// noSecrets runs scripts/no-secrets.sh on a log, as CI runs it on the output of tests.
func noSecrets(t *testing.T, log string) (out string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, []byte(log), 0o600))
	text, err := exec.CommandContext(t.Context(), "bash", "../../../scripts/no-secrets.sh", file, "TestSpansAndMetricsShowNobody").CombinedOutput()
	return string(text), err
}

// The whole story goes into the output of the test, which scripts/no-secrets.sh searches.
func TestSpansAndMetricsShowNobody(t *testing.T) {
	t.Parallel()
	lines := everything(t)
	for _, line := range lines {
		t.Log(line)
	}
	log := "=== RUN " + t.Name() + "\n" + strings.Join(lines, "\n") + "\n"
	for _, name := range []string{
		"POST /payouts", "POST /payment-requests", "POST /refunds", "POST /v1/payin/sessions", "webhook payout.completed", "webhook payment_request.paid",
		"intram.doubt", "intram.budget_spent", "intram.inbox.claims", "http.client.request.duration",
	} {
		assert.Contains(t, log, `"`+name+`"`)
	}
	out, err := noSecrets(t, log)
	require.NoError(t, err, out)

	// And it would find them.
	for _, planted := range []string{
		"sk_sandbox_0123456789abcdef", "sk_live_0123456789abcdef", "whsec_0123456789abcdef",
		canarySecret, canaryMSISDN, canaryEmail, canaryFirst, canaryLast, canaryText,
	} {
		span := strings.Replace(log, `"POST /payouts"`, `"POST /payouts `+planted+`"`, 1)
		require.NotEqual(t, log, span)
		out, err := noSecrets(t, span)
		require.Error(t, err, planted)
		assert.Contains(t, out, planted)
	}
	_, err = noSecrets(t, strings.Replace(log, t.Name(), "TestOther", 1))
	assert.Error(t, err, "a log of other tests proves nothing")
}
