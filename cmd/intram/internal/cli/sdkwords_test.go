package cli

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// goAdvice is what a text about Go code looks like.
var goAdvice = regexp.MustCompile(`\b(intram|errors|http|context|sql)\.[A-Z]|\b(With|New|Derive|Parse)[A-Z]\w+|\b\w*Error\.[A-Z]|in Message` +
	`|\b(Resume|Prepare|Unwrap)\b|%T|\bnil\b|\b(public|secret)Key\b`)

// notOfTheCommand are parts of the SDK that the command does not use: handlers and
// verifiers of webhooks, platforms, limiters, functions that panic, and amounts in
// databases.
var notOfTheCommand = regexp.MustCompile(`(^|/)(webhook_\w+|platform\w*|limit|panicked|redact|amount)\.go$`)

// unreachable are texts for programs that give nil, or call what the command does not
// call.
var unreachable = regexp.MustCompile(`\bis (a )?nil\b|ClientOption is|an option is nil|^intent is what Prepare makes|use the intent as Prepare made it` +
	`|^WithPollRate|^WithPollInterval|^WithMaxWait|^WithInitialDelay|^WithAppInfo|^WithMaxAttempts|^WithPayin(Environment|Language)?:|an option of payin sessions|give intram\.WithPayin` +
	`|use WithPayinBaseURL$|an intram\.MobileMoney or an intram\.BankAccount|an error of ParseAmount|must be url\.Values or nil` +
	`|WithCredentials|the public key changed while an attempt was in doubt`) // the command's keys are fixed

// The SDK's errors are for people who write Go. What the command prints of them is for
// people at a shell.
func TestNoTextOfTheCommandIsAboutGoCode(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "..")
	seen, changed := 0, 0
	for _, dir := range []string{".", "internal/transport", "internal/redact", "internal/credential"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") || notOfTheCommand.MatchString(path) {
				continue
			}
			for _, text := range sentences(t, path) {
				seen++
				shown := inShellWords(strings.ReplaceAll(text, "%T", "*intram.Word"))
				if shown != text {
					changed++
				}
				if !unreachable.MatchString(text) {
					assert.NotRegexp(t, goAdvice, shown, "%s: give inShellWords what it comes to in a shell", path)
				}
			}
		}
	}
	assert.Greater(t, seen, 100)
	assert.Greater(t, changed, 8, "the texts that are replaced are in the SDK")
}

// sentences are the texts with a space in them of a Go file.
func sentences(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var texts []string
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		if strings.Contains(text, " ") {
			texts = append(texts, text)
		}
		return true
	})
	return texts
}

// fixed gives every call the same response.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
	return w.Result(), nil
}

func TestTheServersWordsAreOnlyShownWhenTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	const person = "Ada Lovelace +22961234567"
	refusal := func(code string) string {
		return `{"error":true,"code":"` + code + `","message":"no ` + person + `","details":[` +
			`{"path":"destination.msisdn","msg":"\u001b[2J` + person + `"},{"path":"metadata.` + person + `","msg":"odd"}]}`
	}
	for _, test := range []struct {
		name, code, says string
		details          []fieldError
	}{
		{"fields", "validation_error", "destination.msisdn", []fieldError{{Path: "destination.msisdn"}, {Path: "metadata.…"}}},
		{"a code without an explanation", "weather_is_bad", "destination.msisdn", []fieldError{{Path: "destination.msisdn"}, {Path: "metadata.…"}}},
		{"no code at all", person, "…", []fieldError{{Path: "destination.msisdn"}, {Path: "metadata.…"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run := func(args ...string) result {
				b := newBench(t)
				b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: answering{http.StatusBadRequest, refusal(test.code)}}))
				return b.run(t, append([]string{"balance"}, args...)...)
			}
			r := run()
			assert.Contains(t, r.err, test.says)
			assert.NotContains(t, r.err, "Lovelace")
			assert.NotContains(t, r.err, "61234567")
			r = run("--json")
			assert.NotContains(t, r.err, "Lovelace")
			assert.NotContains(t, r.err, "61234567")
			var line failureLine
			require.NoError(t, json.Unmarshal([]byte(lastLine(r.err)), &line), "%s", r.err)
			assert.Equal(t, test.details, line.Details)
			assert.Empty(t, line.APIMessage)

			r = run("--verbose")
			assert.Contains(t, r.err, "The API says: no "+person)
			assert.Contains(t, r.err, "The API says of destination.msisdn:")
			assert.NotContains(t, r.err, "\x1b", "a terminal would obey it")
			line = failureLine{}
			r = run("--verbose", "--json")
			require.NoError(t, json.Unmarshal([]byte(lastLine(r.err)), &line), "%s", r.err)
			assert.Equal(t, "no "+person, line.APIMessage)
			assert.Contains(t, line.Details[0].Msg, person)
		})
	}
}

// What the SDK itself finds wrong is in its own words, and names no value.
func TestTheChecksBeforeSendingAreToldByField(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.run(t, payoutArgs("--note", strings.Repeat("n", 501), "--json")...)
	var line failureLine
	require.NoError(t, json.Unmarshal([]byte(lastLine(r.err)), &line))
	require.Len(t, line.Details, 1)
	assert.Equal(t, "note", line.Details[0].Path)
	assert.Contains(t, line.Details[0].Msg, "longer than 500 characters")
}

func TestAFailedOperationIsToldInTheWordsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	run := func(args ...string) result {
		b := newBench(t)
		return b.run(t, payoutArgs(append([]string{"--wait", "--msisdn", "22961000002"}, args...)...)...)
	}
	quiet := run("--json")
	var line failureLine
	require.NoError(t, json.Unmarshal([]byte(lastLine(quiet.err)), &line))
	assert.Empty(t, line.APIMessage)
	loud := run("--json", "--verbose")
	require.NoError(t, json.Unmarshal([]byte(lastLine(loud.err)), &line))
	assert.NotEmpty(t, line.APIMessage)
	assert.NotContains(t, quiet.err, line.APIMessage)
	assert.Contains(t, run("--verbose").err, "The API says: ")
}

func TestTheAdviceOfAFailureIsACommandLine(t *testing.T) {
	t.Parallel()
	reply := func(status int, body string) func(*bench) {
		return func(b *bench) {
			b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: answering{status, body}}))
		}
	}
	for _, test := range []struct {
		name   string
		before func(*bench)
		args   []string
		says   string
	}{
		{"a code that has no explanation", reply(400, `{"error":true,"code":"weather_is_bad","message":"It rains"}`), nil, "--verbose shows the API's own words"},
		{"an address that is not told", reply(403, `{"error":true,"code":"ip_not_allowed","message":"no"}`), nil, "--verbose shows the API's own words"},
		{"another address", func(b *bench) {
			delete(b.env, "INTRAM_BASE_URL")
			reply(404, `<html>`)(b)
		}, nil, "try --base-url " + intram.BaseURLDirect},
		{"the other address", func(b *bench) {
			b.env["INTRAM_BASE_URL"] = intram.BaseURLDirect
			reply(404, `<html>`)(b)
		}, nil, "try --base-url " + intram.BaseURL},
		{"an odd address", nil, []string{"balance", "--base-url", "ftp://example.com"}, "--base-url: "},
		{"an old key", nil, payoutArgs("--idempotency-key", "key-of-a-test", "--first-sent-at", "2026-05-18T10:00:00Z"), "intram operations list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, intramtest.WithSeed(2))
			if test.before != nil {
				test.before(b)
			}
			args := test.args
			if args == nil {
				args = []string{"balance"}
			}
			r := b.run(t, args...)
			assert.NotZero(t, r.code)
			said := strings.Join(strings.Fields(r.err), " ")
			assert.Contains(t, said, test.says)
			assert.NotRegexp(t, goAdvice, said)
		})
	}
}
