package intram_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// Payins are read as strictly as everything else that says an amount.
func TestPayinsThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"an amount twice":         `{"reference":"r-0001","amount":300,"amount":3}`,
		"an amount in two cases":  `{"reference":"r-0001","amount":300,"Amount":3}`,
		"an amount in two guises": `{"reference":"r-0001","amount":300,"\u0061mount":3}`,
		"inside the transaction":  `{"reference":"r-0001","transaction":{"status":"failed","status":"completed"}}`,
		"something after it":      `{"reference":"r-0001"}{"reference":"r-0002"}`,
		"a word after it":         `{"reference":"r-0001"} x`,
		"more levels than wanted": `{"reference":"r-0001","x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
	} {
		server := &payinServer{answers: []payinAnswer{{status: http.StatusOK, body: body}}}
		session, err := newPayin(t, server).CreateSession(t.Context(), payinParams())
		assert.Nil(t, session, name)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s: %v", name, err)

		_, err = intram.VerifyPayinNotification(intramtest.SignPayinNotification("s", []byte(body)), []byte(body), "s")
		require.ErrorIs(t, err, intram.ErrInvalidPayload, name)
	}
}

// The search that CI makes through the output of all tests has to find what it looks for.
func TestSearchForSecretsFindsThem(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no bash")
		}
		t.Skip("there is no bash here to run scripts/no-secrets.sh with") //nolint:forbidigo // a laptop may lack it; CI may not
	}
	const planted = "--- PASS: TestErrorsAndLogLinesShowNobody (0.00s)\n"
	for name, tt := range map[string]struct {
		log  string
		says string // empty when there is nothing to find
	}{
		"nothing":             {planted + "ok  \tgithub.com/intram/intram-go\t1.0s\n", ""},
		"a public key":        {planted + publicKey + "\n", ""},
		"a secret key":        {planted + "key " + secretKey + "\n", "show a secret"},
		"a live key":          {planted + strings.Replace(secretKey, "sandbox", "live", 1), "show a secret"},
		"a webhook's secret":  {planted + `{"secret":"whsec_` + "0a1b2c3d4e5f" + `"}` + "\n", "show a secret"},
		"a phone number":      {planted + "+229" + "87654321\n", "show a secret"},
		"a name":              {planted + "dear Zebu" + "lon,\n", "show a secret"},
		"not the tests' log":  {"ok  \tgithub.com/intram/intram-go\t1.0s\n", "not a verbose run"},
		"a secret on line 1":  {secretKey + "\n" + planted, "show a secret"},
		"without a line feed": {planted + "x" + secretKey + "x", "show a secret"},
	} {
		log := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(log, []byte(tt.log), 0o600))
		said, err := exec.CommandContext(t.Context(), bash, "scripts/no-secrets.sh", log).CombinedOutput()
		if tt.says == "" {
			assert.NoError(t, err, name)
			continue
		}
		assert.Error(t, err, name)
		assert.True(t, strings.Contains(string(said), tt.says), name) //nolint:testifylint // Contains would show what was found
	}
}
