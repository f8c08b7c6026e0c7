package cli

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/local"
)

// fidelityBench is a bench whose fake stands for the sandbox.
func fidelityBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.webhookURL = b.server.Receive(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	return b
}

func TestTheProbesAreConfirmedPlayedAndCompared(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	report := filepath.Join(b.home, "report.json")
	b.person, b.stdin = true, "yes\n"
	r := b.run(t, "fidelity", "run", "--payin", "--out", report)
	require.Zero(t, r.code, r.err)
	b.golden(t, "fidelity-run", beginning(r.out, 20))
	said := strings.Join(strings.Fields(r.err), " ") // where its lines break depends on the address
	assert.Regexp(t, `^About \d+ calls will be sent to http://127.0.0.1:\d+/v1, one after the other, .*They create 7 payouts \(700 XOF in all, to the published test numbers\), `+
		`\d+ payment requests \(never paid\), 1 refund \(of an unpaid one\) and 6 webhook subscriptions \(deleted again\)\. `+
		`Some of the calls go to payin sessions at .*, and create nothing\. Type yes to go on: `, said)
	assert.Contains(t, said, "To hold it against the fake: intram fidelity compare "+report)

	r = b.run(t, "fidelity", "compare", report)
	require.Zero(t, r.code, r.err)
	b.golden(t, "fidelity-compare", beginning(r.out, 2)+sectionOf(r.out, "Idempotency"))
	assert.Regexp(t, `\n\d+ agree, 0 differ, 0 inconclusive, \d+ not played\.\nThe report is of a server on this machine, and says nothing of the sandbox\.\n$`, r.out)
	sandbox := b.file(t, "real.json", strings.Replace(mustRead(t, report), `"a server on this machine"`, `"https://api.intram.org/v1"`, 1))
	assert.Regexp(t, `\nChosen so far, and now seen: \d+ lines\.\n$`, b.ok(t, "fidelity", "compare", sandbox))
	assert.NotContains(t, r.out, "DIFFERS")
	assert.Contains(t, sectionOf(r.out, "Payin sessions"), "agrees", "the fake is asked about payins too")

	r = b.run(t, "fidelity", "compare", report, "--against", report)
	assert.Zero(t, r.code, r.err)
	var compared struct {
		Agree, Differ int
		Lines         []struct{ Verdict string }
	}
	b.json(t, &compared, "fidelity", "compare", report)
	assert.Greater(t, compared.Agree, 50)
	assert.Zero(t, compared.Differ)

	r = b.run(t, "fidelity", "run", "--out", report, "--yes")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "must be a new file")
}

func TestTheProbesAreNotSentUnlessTheyAreConfirmed(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	report := filepath.Join(b.home, "report.json")
	r := b.run(t, "fidelity", "run", "--out", report)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "give --yes to play them")
	b.person, b.stdin = true, "no\n"
	r = b.run(t, "fidelity", "run", "--out", report)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "calls will be sent to")
	assert.Empty(t, b.server.Requests())
	assert.NoFileExists(t, report)
}

func TestProbesAreNeverSentWithLiveKeysNorToAnUnknownAddress(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	public, secret := b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"]
	for _, tt := range []struct {
		name  string
		spoil func()
	}{
		{"live keys", func() { b.live() }},
		{"a live secret key", func() { delete(b.env, "INTRAM_PROFILE"); b.env["INTRAM_PUBLIC_KEY"] = public }},
		{"a live public key", func() { b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"] = b.server.LivePublicKey, secret }},
		{"another address", func() { b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_BASE_URL"] = public, "https://api.example.com/v1" }},
		{"live payins", func() {
			b.env["INTRAM_BASE_URL"], b.env["INTRAM_PAYIN_BASE_URL"] = b.server.URL, "https://business.novasend.app"
		}},
	} {
		tt.spoil()
		r := b.run(t, "fidelity", "run", "--payin", "--yes", "--out", filepath.Join(b.home, "report.json"))
		assert.Equal(t, exitUsage, r.code, "%s: %s", tt.name, r.err)
		assert.Empty(t, b.server.Requests(), tt.name)
		assert.NoFileExists(t, filepath.Join(b.home, "report.json"))
	}
}

func TestADifferenceIsToldWithItsExitStatus(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	b.rewritten(t, func(_ *http.Request, header http.Header, body string) string {
		header.Del("X-Request-Id")
		return strings.ReplaceAll(body, `"completed_date"`, `"completed_at"`)
	})
	report := filepath.Join(b.home, "report.json")
	b.ok(t, "fidelity", "run", "--yes", "--out", report)
	r := b.run(t, "fidelity", "compare", report)
	assert.Equal(t, exitRefused, r.code)
	b.golden(t, "fidelity-differs", grepAround(r.out, "DIFFERS"))
	assert.Contains(t, r.out, " agree, 2 differ, ")
	var compared struct{ Differ int }
	r = b.json(t, &compared, "fidelity", "compare", report)
	assert.Equal(t, 2, compared.Differ)
	assert.Equal(t, exitRefused, r.code)
}

// rewritten puts a proxy in front of the bench's server, which rewrites its responses.
func (b *bench) rewritten(t *testing.T, rewrite func(r *http.Request, header http.Header, body string) string) {
	t.Helper()
	fake := b.server
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		fake.ServeHTTP(recorder, r)
		maps.Copy(w.Header(), recorder.Header())
		body := rewrite(r, w.Header(), recorder.Body.String())
		w.WriteHeader(recorder.Code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(proxy.Close)
	b.env["INTRAM_BASE_URL"] = proxy.URL
}

// beginning is the first lines of a text.
func beginning(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[:min(n, len(lines))], "")
}

// sectionOf is one section of a comparison: the others change with each line of the
// ledger.
func sectionOf(text, name string) string {
	_, rest, _ := strings.Cut(text, "\n"+name+"\n")
	section, _, _ := strings.Cut(rest, "\n\n")
	return name + "\n" + section + "\n"
}

// grepAround keeps the lines that have one of the words, and those that go on below them.
func grepAround(text string, words ...string) string {
	var kept []string
	on := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "      ") {
			on = false
			for _, w := range words {
				on = on || strings.Contains(line, w)
			}
		}
		if on {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestAnInterruptedRunLeavesAReport(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	ctx, interrupt := context.WithCancel(t.Context())
	fake := b.server
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/payouts") {
			interrupt()
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	b.env["INTRAM_BASE_URL"] = proxy.URL
	report := filepath.Join(b.home, "report.json")
	r := b.runWith(t, ctx, "fidelity", "run", "--yes", "--out", report)
	assert.Equal(t, exitNoAnswer, r.code)
	assert.Contains(t, r.err, "interrupted; the report has what was seen until then")
	r = b.run(t, "fidelity", "compare", report)
	assert.Zero(t, r.code)
	assert.Contains(t, r.out, "The run of this report was interrupted.")
	assert.Contains(t, r.out, "the run was interrupted")
	compared := struct{ Finished bool }{true}
	b.json(t, &compared, "fidelity", "compare", report)
	assert.False(t, compared.Finished)
}

func TestARunWithoutAnyResponseIsNoSuccess(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	b.env["INTRAM_BASE_URL"] = "http://127.0.0.1:1"
	report := filepath.Join(b.home, "report.json")
	r := b.run(t, "fidelity", "run", "--yes", "--out", report)
	assert.Equal(t, exitNoAnswer, r.code)
	assert.Contains(t, r.err, "no line could be played")
	r = b.run(t, "fidelity", "compare", report)
	assert.Equal(t, exitNoAnswer, r.code)
	assert.Contains(t, r.err, "no line could be compared")
}

func TestTheLocalFakeIsPlayedWithoutAsking(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	keys := local.Keys{PublicKey: b.server.PublicKey, SecretKey: b.server.SecretKey, PayinAPIKey: b.server.PayinAPIKey, PayinAPIClient: b.server.PayinAPIClient}
	_, err := local.Write(filepath.Join(b.home, "servers"), local.Server{URL: b.server.URL, Sandbox: keys})
	require.NoError(t, err)
	report := filepath.Join(b.home, "report.json")
	r := b.run(t, "fidelity", "run", "--local", "--json", "--out", report)
	require.Zero(t, r.code, r.err)
	var shown, kept map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.out), &shown))
	data, err := os.ReadFile(report)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &kept))
	assert.Equal(t, kept, shown)
	assert.Equal(t, "a server on this machine", kept["server"])
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	r := b.run(t, "fidelity", "compare", b.file(t, "other.json", `{"schema":"intram.fidelity/99"}`))
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "version intram.fidelity/1")
	r = b.run(t, "fidelity", "compare", filepath.Join(b.home, "missing.json"))
	assert.Equal(t, exitUsage, r.code)
}

// The keys say sandbox and the API says live: the run ends, and so says the exit status.
func TestARunThatTurnsOutToBeLiveIsNoSuccess(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	b.rewritten(t, func(_ *http.Request, _ http.Header, body string) string {
		return strings.ReplaceAll(body, `"env":"sandbox"`, `"env":"LIVE"`)
	})
	r := b.run(t, "fidelity", "run", "--yes", "--out", filepath.Join(b.home, "report.json"))
	assert.NotZero(t, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "live environment; nothing more was sent")
}

func TestARunNeedsANewFileAndATimeToWait(t *testing.T) {
	t.Parallel()
	b := fidelityBench(t)
	report := filepath.Join(b.home, "report.json")
	r := b.run(t, "fidelity", "run", "--yes", "--max-wait", "0s", "--out", report)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "--max-wait must be greater than 0")
	require.NoError(t, os.Symlink(filepath.Join(b.home, "elsewhere.json"), report)) // which leads to no file
	r = b.run(t, "fidelity", "run", "--yes", "--out", report)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "must be a new file")
	assert.Empty(t, b.server.Requests())
}

// A report is a file that a stranger may send: a terminal obeys nothing in it.
func TestAReportsWordsAreShownAndNotObeyed(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	const schema = `{"schema":"intram.fidelity/1","server":"a\u001b[1m","merchant":"m\u001b[1m","lines":[`
	first := b.file(t, "first.json", schema+`{"section":"S\u001b[2m","behaviour":"one\u001b[3m","state":"seen","facts":{"f\u001b[4m":"v\u001b[5m"}},`+
		`{"section":"S","behaviour":"two","state":"inconclusive","why":"w\u001b[6m"}]}`)
	second := b.file(t, "second.json", schema+`{"section":"S\u001b[2m","behaviour":"one\u001b[3m","state":"seen","facts":{"f\u001b[4m":"other\u001b[7m"}},`+
		`{"section":"S","behaviour":"two","state":"seen"}]}`)
	r := b.run(t, "fidelity", "compare", first, "--against", second)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.out, "DIFFERS")
	assert.NotContains(t, r.out, "\x1b")
}
