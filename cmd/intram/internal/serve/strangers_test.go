package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// TestStrangersClientsWorkAgainstServe runs the clients that were written in other
// languages from the documentation alone against a real "intram serve". What they get is
// compared with what the SDK gets, field by field, by the fake's own tests; here it is
// the command.
func TestStrangersClientsWorkAgainstServe(t *testing.T) {
	t.Parallel()
	clients := filepath.Join("..", "..", "..", "..", "internal", "mockapi", "testdata", "clients")
	for script, needs := range map[string][]string{
		"client.js": {"node"}, "client.php": {"php"}, "client.py": {"python3"},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			servetest.Need(t, needs...)
			p := servetest.Start(t, t.TempDir(), "--state", filepath.Join(t.TempDir(), "state.json"))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, needs[0], filepath.Join(clients, script))
			keys := p.Local().Sandbox
			command.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "PYTHONDONTWRITEBYTECODE=1", "INTRAM_POLL_SECONDS=0.05",
				"INTRAM_URL="+p.URL, "INTRAM_PUBLIC_KEY="+keys.PublicKey, "INTRAM_SECRET_KEY="+keys.SecretKey)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			output, err := command.Output()
			require.NoError(t, err, "%s", stderr.String())

			steps := map[string]map[string]any{}
			deliveries := 0
			for line := range bytes.Lines(output) {
				var step map[string]any
				require.NoError(t, json.Unmarshal(line, &step), "%s", line)
				name, _ := step["step"].(string)
				steps[name] = step
				if name == "delivery" {
					deliveries++
					assert.Equal(t, []any{true, false}, []any{step["verified"], step["forged"]}, "%v", step["event"])
				}
			}
			assert.Equal(t, 9, deliveries)
			for name, want := range map[string]string{
				"payout.accepted": "202", "payout.conflict": "409", "payout.finished": "200", "refund.finished": "200",
				"refused.signature_mismatch": "401", "webhook.created": "201", "balance.after": "200",
			} {
				assert.Equal(t, want, steps[name]["status"], name)
			}
			// What it did is in the wallet, also for the SDK and after the server was
			// killed.
			assert.Equal(t, "941760", available(t, p))
			p.Kill()
			state := p.Command.Args[2]
			p = servetest.Start(t, p.Cache, "--state", state)
			assert.Equal(t, "941760", available(t, p))
		})
	}
}
