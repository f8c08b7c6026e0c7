package fidelity

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// plant is one difference between a second server and the fake.
type plant struct {
	name string
	line string // how the ledger's line that must find it begins
	// also are the lines that see it too, by their beginnings.
	also  []string
	match func(r *http.Request, body string) bool
	// change alters the response; instead responds without asking the fake.
	change  func(r *http.Request, w *httptest.ResponseRecorder)
	instead func(w http.ResponseWriter)
	// rewrite is what the fake gets in the place of the request's body.
	rewrite func(body string) string
}

// behind is the fake behind a socket and a handler that plants a difference.
func behind(t *testing.T, p plant) Config {
	t.Helper()
	server, config := sandbox(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		body := string(data)
		hit := p.match == nil || p.match(r, body)
		if hit && p.instead != nil {
			p.instead(w)
			return
		}
		sent := r.Clone(r.Context())
		if hit && p.rewrite != nil {
			body = p.rewrite(body)
			headers, err := signature.Sign(config.PublicKey, config.SecretKey, r.Method, r.URL.Path, []byte(body), server.Now())
			if err == nil {
				sent.Header.Set("X-Timestamp", headers[1][1])
				sent.Header.Set("X-Signature", headers[2][1])
			}
		}
		sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, sent)
		if hit && p.change != nil {
			p.change(r, recorder)
		}
		maps.Copy(w.Header(), recorder.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	}))
	t.Cleanup(proxy.Close)
	config.BaseURL, config.Payin.BaseURL, config.Transport = proxy.URL+"/v1", proxy.URL, nil
	return config
}

// What a plant changes.

type changeFunc = func(*http.Request, *httptest.ResponseRecorder)

func replace(old, another string) changeFunc {
	return func(_ *http.Request, w *httptest.ResponseRecorder) {
		w.Body = bytes.NewBuffer(bytes.ReplaceAll(w.Body.Bytes(), []byte(old), []byte(another)))
	}
}

func status(code int) changeFunc {
	return func(_ *http.Request, w *httptest.ResponseRecorder) { w.Code = code }
}

func noHeader(name string) changeFunc {
	return func(_ *http.Request, w *httptest.ResponseRecorder) { w.Header().Del(name) }
}

func answer(code int, body string) changeFunc {
	return func(_ *http.Request, w *httptest.ResponseRecorder) {
		w.Code, w.Body = code, bytes.NewBufferString(body)
		w.Header().Set("Content-Type", "application/json")
	}
}

// refusal is an error of the API.
func refusal(status int, code string) changeFunc {
	return answer(status, `{"error":true,"http_status":400,"code":"`+code+`","message":"no"}`)
}

var accepted = answer(http.StatusOK, `{"error":false,"http_status":200,"data":[]}`)

// When a plant is hit.

type matchFunc = func(*http.Request, string) bool

func call(method, pathEnd string) matchFunc {
	return func(r *http.Request, _ string) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, pathEnd)
	}
}

func calls(method, pathPart string) matchFunc {
	return func(r *http.Request, _ string) bool {
		return r.Method == method && strings.Contains(r.URL.Path, pathPart)
	}
}

func and(all ...matchFunc) matchFunc {
	return func(r *http.Request, body string) bool {
		for _, m := range all {
			if !m(r, body) {
				return false
			}
		}
		return true
	}
}

func queried(part string) matchFunc {
	return func(r *http.Request, _ string) bool { return strings.Contains(r.URL.RawQuery, part) }
}

func sends(part string) matchFunc {
	return func(_ *http.Request, body string) bool { return strings.Contains(body, part) }
}

func header(name, want string) matchFunc {
	return func(r *http.Request, _ string) bool { return r.Header.Get(name) == want }
}

func either(all ...matchFunc) matchFunc {
	return func(r *http.Request, body string) bool {
		for _, m := range all {
			if m(r, body) {
				return true
			}
		}
		return false
	}
}

// second is hit by the second call of one idempotency key.
func second(of matchFunc) matchFunc {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(r *http.Request, body string) bool {
		if !of(r, body) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get("Idempotency-Key") + r.Header.Get("X-Idempotency-Key")
		seen[key]++
		return seen[key] > 1
	}
}

// stamped is hit by timestamps that are that far from the test's clock.
func stamped(from, to time.Duration) matchFunc {
	return func(r *http.Request, _ string) bool {
		at, err := time.Parse(time.RFC3339Nano, r.Header.Get("X-Timestamp"))
		off := at.Sub(testTime)
		return err == nil && off >= from && off <= to
	}
}

func fakeReport(t *testing.T) *Report {
	t.Helper()
	report, _, err := RunFake(t.Context(), testTime, true)
	require.NoError(t, err)
	return report
}

// verdicts are the lines of each verdict, by their behaviours.
func verdicts(all []Comparison) map[Verdict][]Comparison {
	by := map[Verdict][]Comparison{}
	for _, c := range all {
		by[c.Verdict] = append(by[c.Verdict], c)
	}
	return by
}

func TestEachPlantedDifferenceIsFoundByItsLine(t *testing.T) {
	t.Parallel()
	fake := fakeReport(t)
	found := map[string]bool{}
	for _, p := range plants() {
		found[p.line] = true
		t.Run(p.line+"/"+p.name, func(t *testing.T) {
			t.Parallel()
			report, _, err := Run(t.Context(), behind(t, p), discard)
			require.NoError(t, err)
			by := verdicts(Compare(report, fake))
			hit := false
			for _, c := range by[Differs] {
				hit = hit || strings.HasPrefix(c.Behaviour, p.line)
				assert.True(t, begins(c.Behaviour, append(p.also, p.line)), "this line differs too: %s %v", c.Behaviour, c.Differences)
			}
			assert.True(t, hit, "not found: %v", by[Differs])
			for _, c := range by[Inconclusive] {
				assert.True(t, begins(c.Behaviour, p.also), "this line is inconclusive: %s: %s", c.Behaviour, c.Why)
			}
		})
	}
	for _, probe := range Probes() {
		planted := false
		for line := range found {
			planted = planted || strings.HasPrefix(probe.Behaviour, line)
		}
		assert.True(t, planted, "no difference is planted for: %s", probe.Behaviour)
	}
}

func begins(behaviour string, with []string) bool {
	for _, prefix := range with {
		if strings.HasPrefix(behaviour, prefix) {
			return true
		}
	}
	return false
}
