package fidelity

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canaries are what a report must not have, wherever a server puts it.
var canaries = []string{
	"sk_sandbox_canarycanary", "pk_sandbox_canarycanary", "whsec_canarycanary", "22997123456", "0197123456", "Adjovi Hounsou",
	"adjovi@example.com", "op_7f3a9c21", "AB12CD34EF", "BJ0610100100144390000769", "12 rue du Port, Cotonou",
}

// Every text of a response becomes a canary, the names of fields and the codes included:
// the next response has the next one.
func TestAReportHasNoSecretsAndNoPersonalData(t *testing.T) {
	t.Parallel()
	for where, change := range map[string]func(canary string) changeFunc{
		"codes":      func(canary string) changeFunc { return replace(`"code":"`, `"code":"`+canary) },
		"messages":   func(canary string) changeFunc { return replace(`"message":"`, `"message":"`+canary) },
		"statuses":   func(canary string) changeFunc { return replace(`"status":"`, `"status":"`+canary) },
		"types":      func(canary string) changeFunc { return replace(`"type":"`, `"type":"`+canary) },
		"paths":      func(canary string) changeFunc { return replace(`"path":"`, `"path":"`+canary+".") },
		"ids":        func(canary string) changeFunc { return replace(`"operation_id":"`, `"operation_id":"`+canary) },
		"references": func(canary string) changeFunc { return replace(`"reference":"`, `"reference":"`+canary) },
		"secrets":    func(canary string) changeFunc { return replace(`"secret":"`, `"secret":"`+canary) },
		"fields":     func(canary string) changeFunc { return replace(`"error":`, fmt.Sprintf(`%q:1,"error":`, canary)) },
		"data":       func(canary string) changeFunc { return replace(`"data":{`, fmt.Sprintf(`"data":{%q:1,`, canary)) },
		"results":    func(canary string) changeFunc { return replace(`"result":{`, fmt.Sprintf(`"result":{%q:1,`, canary)) },
		"headers": func(canary string) changeFunc {
			return func(_ *http.Request, w *httptest.ResponseRecorder) {
				for _, header := range []string{"X-Request-Id", "Idempotent-Replay", "Allow", "Content-Type"} {
					w.Header().Set(header, canary)
				}
			}
		},
		"pages": func(canary string) changeFunc {
			return func(_ *http.Request, w *httptest.ResponseRecorder) {
				if !bytes.HasPrefix(w.Body.Bytes(), []byte("{")) {
					w.Body = bytes.NewBufferString("<html>" + canary)
				}
			}
		},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			var turn atomic.Int64
			requireClean(t, behind(t, plant{change: func(r *http.Request, w *httptest.ResponseRecorder) {
				change(canaries[int(turn.Add(1))%len(canaries)])(r, w)
			}}))
		})
	}
}

func requireClean(t *testing.T, config Config) {
	t.Helper()
	report, _, err := Run(t.Context(), config, discard)
	require.NoError(t, err)
	data, err := report.Encode()
	require.NoError(t, err)
	for _, canary := range canaries {
		for _, part := range append(strings.Fields(canary), canary) {
			if len(part) >= 5 { // the words of an address that anything may have
				assert.NotContains(t, string(data), part)
			}
		}
	}
	for _, secret := range []string{config.PublicKey, config.SecretKey, config.Payin.APIKey, config.Payin.APIClient, config.Nonce + "-", mtnNumber, moovNumber, "fidelity@example.com"} {
		assert.NotContains(t, string(data), secret)
	}
}
