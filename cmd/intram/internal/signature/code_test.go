package signature_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// programs are how the programs whose lines are shown are run.
var programs = map[string][]string{
	"php": {"php", "programs/sign.php"}, "node": {"node", "programs/sign.mjs"}, "python": {"python3", "programs/sign.py"},
	"go": {"go", "run", "./programs/golang"},
}

func TestTheLinesThatAreShownSignAsTheAPIWantsIt(t *testing.T) {
	t.Parallel()
	const calls = `[
		{"method": "post", "endpoint": "/payouts", "payload": {"amount": 25000, "note": "café / <b> & 😀", "reference": "PO-1"}},
		{"method": "GET", "endpoint": "/transactions", "params": {"type": "DEBIT", "before": "2026-05-20T10:30:00.000Z", "limit": "5"}},
		{"method": "GET", "endpoint": "/balance"},
		{"method": "DELETE", "endpoint": "/webhooks/whs_1"}
	]`
	for _, language := range signature.Languages {
		t.Run(language.Name, func(t *testing.T) {
			t.Parallel()
			words := programs[language.ID]
			program, err := exec.LookPath(words[0])
			if err != nil && os.Getenv("CI") != "true" {
				t.Skipf("%s is missing", words[0]) //nolint:forbidigo // a laptop may lack the program; CI may not
			}
			require.NoError(t, err)
			run := exec.CommandContext(t.Context(), program, words[1:]...)
			run.Env = append(run.Environ(), "INTRAM_PUBLIC_KEY=pk_sandbox_1", "INTRAM_SECRET_KEY=sk_sandbox_1\n", "GOWORK=auto")
			run.Stdin = strings.NewReader(calls)
			var errs bytes.Buffer
			run.Stderr = &errs
			out, err := run.Output()
			require.NoError(t, err, "%s", errs.String())
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Len(t, lines, 4, "%s", out)
			for _, line := range lines {
				var sent struct {
					Method, Target string
					Headers        []string
					Body           []byte
				}
				require.NoError(t, json.Unmarshal([]byte(line), &sent), "%s", line)
				header, err := signature.ParseHeaders([]byte(strings.Join(sent.Headers, "\n")))
				require.NoError(t, err)
				at, err := time.Parse(time.RFC3339Nano, header.Get("X-Timestamp"))
				require.NoError(t, err)
				r := &signature.Request{Method: sent.Method, Target: sent.Target, Header: header, Body: sent.Body}
				v, err := signature.Explain(r, []signature.Key{{Label: "the secret key", Value: "sk_sandbox_1"}}, at)
				require.NoError(t, err)
				assert.True(t, v.Good, "%s: %v", line, v.Findings)
			}
		})
	}
}

// Each mistake has lines, and all of them fit beside their indent in 80 columns.
func TestEachMistakeHasTheRightLinesInEachLanguage(t *testing.T) {
	t.Parallel()
	for _, language := range signature.Languages {
		whole := (&signature.Verdict{}).Code(language)
		assert.Greater(t, len(whole), 10)
		for _, line := range whole {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 76, "%s: %s", language.Name, line)
			assert.NotContains(t, line, "\t")
		}
		for _, m := range mistakes {
			lines := (&signature.Verdict{Findings: []signature.Finding{{ID: m.id}}}).Code(language)
			assert.NotEmpty(t, lines, m.id)
			assert.Less(t, len(lines), len(whole), m.id)
		}
		for id, want := range map[string]string{
			"query-unsorted": "query", "body-latin1": "body", "timestamp-other-form": "timestamp", "public-path": "/api/v1/merchant", "method-lower-case": "upper",
			"separator-crlf": "text", "hash-not-hmac": "sha256", "key-white-space": "INTRAM_SECRET_KEY", "missing-timestamp": http.CanonicalHeaderKey("x-timestamp"),
		} {
			lines := (&signature.Verdict{Findings: []signature.Finding{{ID: id}}}).Code(language)
			assert.Contains(t, strings.ToLower(strings.Join(lines, "\n")), strings.ToLower(want), "%s: %s", language.Name, id)
		}
	}
}
