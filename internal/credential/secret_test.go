package credential_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/credential"
)

// A secret never shows itself, however it is asked.
func TestSecretsRedactThemselves(t *testing.T) {
	t.Parallel()
	canary := credential.NewSecret("sk_live_canary")
	for _, nested := range []any{canary, []credential.Secret{canary}, map[string]credential.Secret{"k": canary}, struct{ S credential.Secret }{canary}, &struct{ S credential.Secret }{canary}, struct{ s credential.Secret }{canary}, &struct{ s credential.Secret }{canary}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, nested)
			assert.NotContains(t, text, "canary", verb)
			assert.NotContains(t, text, fmt.Sprintf("%x", "canary"), verb)
		}
		out, err := json.Marshal(nested)
		require.NoError(t, err)
		assert.NotContains(t, string(out), "canary")
		assert.NotContains(t, slog.AnyValue(nested).Resolve().String(), "canary")
	}
	text, err := canary.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "[redacted]", string(text))
	out, err := json.Marshal(canary)
	require.NoError(t, err)
	assert.JSONEq(t, `"[redacted]"`, string(out))
}
