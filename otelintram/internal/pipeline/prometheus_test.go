package pipeline_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.yaml.in/yaml/v3"
)

const dashboards = "../../dashboards"

// program returns the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("there is no %s on this machine: install prometheus", name) //nolint:forbidigo // a laptop may lack it; with CI=true this fails below
	}
	require.NoError(t, err)
	return path
}

// promtool runs promtool in the folder of the rules.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	cmd.Dir, cmd.Stdin = dashboards, stdin
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "promtool %s\n%s", strings.Join(args, " "), out)
}

func TestTheAlertsFireForWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	promtool(t, nil, "check", "rules", "alerts.yml")
	promtool(t, nil, "test", "rules", "alerts_test.yml")
}

// scraped is a page of metrics that a tracer writes, as Prometheus reads it.
func scraped(t *testing.T) (*story, *httptest.Server) {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	require.NoError(t, err)
	s := newStory(t, newTracer(t, nil, []sdkmetric.Option{sdkmetric.WithReader(exporter)}))
	stop, err := s.tracer.ObserveOldest("orders", func(context.Context) (time.Duration, error) { return 90 * time.Second, nil })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, stop()) })
	page := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(page.Close)
	return s, page
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	return body
}

func TestPromtoolFindsNothingWrongWithTheNames(t *testing.T) {
	t.Parallel()
	s, page := scraped(t)
	s.tell(t.Context(), t)
	text := get(t, page.URL)
	promtool(t, bytes.NewReader(text), "check", "metrics")
	for _, name := range []string{
		"http_client_request_duration_seconds_bucket", "intram_client_retries_total", "intram_client_doubts_total", "intram_client_budget_total",
		"intram_client_rate_limited_total", "intram_wait_pending", "intram_webhook_duration_seconds_bucket", "intram_inbox_claims_total",
		"intram_inbox_oldest_event_age_seconds",
	} {
		assert.Contains(t, string(text), "\n"+name+"{")
	}
	for _, canary := range []string{canarySecret, canaryMSISDN, canaryEmail, canaryFirst, canaryLast, canaryText, "op_"} {
		assert.NotContains(t, string(text), canary)
	}
}

// startPrometheus starts one that scrapes an address with the alerting rules, and returns
// its own address.
func startPrometheus(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(dashboards, "alerts.yml"))
	require.NoError(t, err)
	config, err := yaml.Marshal(map[string]any{
		"global":     map[string]any{"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
		"rule_files": []string{rules},
		"scrape_configs": []any{map[string]any{
			"job_name": "shop", "static_configs": []any{map[string]any{"targets": []string{strings.TrimPrefix(target, "http://")}}},
		}},
	})
	require.NoError(t, err)
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, config, 0o600))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	address, log := make(chan string, 1), new(bytes.Buffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(address)
		listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(log, lines.Text())
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = cmd.Wait()
	})
	at, ok := <-address
	if !ok {
		require.Failf(t, "prometheus did not start", "%s", log)
	}
	return "http://" + at
}

// expressions returns the queries of the dashboard and of the alerts, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title       string
			Description string
			Targets     []struct{ Expr, RefID string }
		}
	}
	text, err := os.ReadFile(filepath.Join(dashboards, "intram.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &dashboard))
	variables := strings.NewReplacer("$environment", ".+", "$__rate_interval", "5m", "$__range", "6h")
	all := map[string]string{}
	for _, panel := range dashboard.Panels {
		assert.NotEmpty(t, panel.Description, panel.Title)
		for _, target := range panel.Targets {
			all[panel.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	require.Len(t, all, 14)
	for _, alert := range alerts(t) {
		// What it compares, without the bound: a series that has not reached it is not
		// there.
		bound := regexp.MustCompile(`\s>\s\d+\s*$`)
		require.Regexp(t, bound, alert.Expr)
		all[alert.Alert] = bound.ReplaceAllString(alert.Expr, "")
	}
	return all
}

type alert struct {
	Alert, Expr string
	Annotations struct {
		RunbookURL string `yaml:"runbook_url"`
	}
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	text, err := os.ReadFile(filepath.Join(dashboards, "alerts.yml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Len(t, file.Groups, 1)
	require.Len(t, file.Groups[0].Rules, 6)
	return file.Groups[0].Rules
}

// Each alert leads to a part of the documentation that is there.
func TestTheRunbooksAreWritten(t *testing.T) {
	t.Parallel()
	for _, a := range alerts(t) {
		page, anchor, ok := strings.Cut(strings.TrimPrefix(a.Annotations.RunbookURL, "https://github.com/intram/intram-go/blob/main/"), "#")
		require.True(t, ok, a.Alert)
		assert.Equal(t, strings.ToLower(a.Alert), anchor)
		text, err := os.ReadFile(filepath.Join("../../..", page))
		require.NoError(t, err)
		assert.Regexp(t, `(?m)^#+ `+a.Alert+`$`, string(text))
	}
}

// sample is one series of a result: its value is a number in a string.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

// query evaluates an expression of PromQL now.
func query(ctx context.Context, address, expression string) ([]sample, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/v1/query?"+url.Values{"query": {expression}}.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var result struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil {
		return nil, err
	}
	if result.Status != "success" {
		return nil, errors.New(result.Error)
	}
	return result.Data.Result, nil
}

// Each query has a result on what a Prometheus scraped, before and after things happened.
func TestEachQueryOfTheDashboardAndTheAlertsHasAResult(t *testing.T) {
	t.Parallel()
	s, page := scraped(t)
	s.tell(t.Context(), t)
	address := startPrometheus(t, page.URL)
	limit := time.Hour
	if deadline, ok := t.Deadline(); ok {
		limit = time.Until(deadline) - 10*time.Second
	}
	const tick = 100 * time.Millisecond
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		found, err := query(t.Context(), address, "intram_client_doubts_total")
		assert.NoError(c, err)
		assert.NotEmpty(c, found)
	}, limit, tick, "the first scrape")
	s.tell(t.Context(), t) // what rates are of

	for where, expression := range expressions(t) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			found, err := query(t.Context(), address, expression)
			assert.NoError(c, err)
			assert.NotEmpty(c, found)
			for _, series := range found {
				assert.NotContains(c, []any{"NaN", "+Inf"}, series.Value[1], "%v", series.Metric)
			}
		}, limit, tick, "%s: %s", where, expression)
	}
	// The alerts that have no time to wait fire.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		firing, err := query(t.Context(), address, `ALERTS{alertstate="firing"}`)
		assert.NoError(c, err)
		names := map[string]bool{}
		for _, a := range firing {
			names[a.Metric["alertname"]] = true
		}
		assert.Equal(c, map[string]bool{"IntramCallInDoubt": true, "IntramRetryBudgetSpent": true, "IntramKeyRefused": true}, names)
	}, limit, tick)
}
