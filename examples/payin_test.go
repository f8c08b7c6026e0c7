package examples_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestPayinTellsItsStory(t *testing.T) {
	t.Parallel()
	out, err := program(t, nil, "payin").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, want := range []string{
		"against the bundled fake server", "5 000 XOF and a fee of 100 XOF", "no customer is charged twice", "confirmed on the page http://127.0.0.1:",
		"payin.confirmed, signature good: then Get, which says paid", "5 100 XOF left the customer: shipped once, though notified twice",
		"payin.declined, signature good: then Get, which says declined", "no customer response for 10m0s", "Get says expired",
		"response 401, nothing shipped", "3 received, 1 refused", "checks hold",
	} {
		assert.Contains(t, string(out), want)
	}
	for _, row := range []string{
		`processed +accepted +paid +5 000\n`, `processing +declined +declined +0\n`, `expired +expired +expired +0\n`,
		`wallet +5 000\n`, `ledger sum +0\n`,
	} {
		assert.Regexp(t, row, string(out))
	}
}

// payinProgram is the example with the credentials of an account.
func payinProgram(t *testing.T, server *intramtest.Server, apiClient string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, nil, "payin")
	cmd.Env = append(cmd.Env, "INTRAM_PAYIN_API_KEY="+server.PayinAPIKey, "INTRAM_PAYIN_API_CLIENT="+apiClient, "INTRAM_PAYIN_BASE_URL="+server.URL)
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

func TestPayinTalksToASandboxAccount(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		outcome  intram.PayinOutcome
		received int64
	}{
		"confirm": {intram.PayinOutcomePaid, 5000}, "decline": {intram.PayinOutcomeDeclined, 0},
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			server := runningServer(t)
			reference, last := "", ""
			cmd := payinProgram(t, server, server.PayinAPIClient, "INTRAM_PAYIN_MSISDN=+22961234567", "INTRAM_PAYIN_COUNTRY=BJ")
			for line := range start(t, cmd) {
				if _, after, ok := strings.Cut(line, "ORDER-"); ok && reference == "" {
					reference, _, _ = strings.Cut("ORDER-"+after, ":")
				}
				if strings.Contains(line, " Session ") { // before the program first looks, or it looks again in 5 s
					if answer == "confirm" {
						require.NoError(t, server.ConfirmPayin(reference))
					} else {
						require.NoError(t, server.DeclinePayin(reference))
					}
				}
				if strings.Contains(line, "Get says") {
					assert.Contains(t, line, string(want.outcome))
				}
				last = line
			}
			require.NoError(t, cmd.Wait())
			assert.Contains(t, last, "checks hold")
			assert.Equal(t, want.received, server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intramtest.PayinWallet)))
		})
	}
}

func TestPayinMovesRealMoneyOnlyWhenItIsTold(t *testing.T) {
	t.Parallel()
	for _, more := range [][]string{nil, {"INTRAM_PAYIN_MSISDN=+22961234567"}, {"INTRAM_PAYIN_REAL_MONEY=yes"}} {
		cmd := program(t, nil, "payin")
		cmd.Env = append(append(cmd.Env, "INTRAM_PAYIN_API_KEY=key", "INTRAM_PAYIN_API_CLIENT=client"), more...)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "the payin sandbox moves real money")
		assert.Contains(t, string(out), "Nothing was sent")
	}
}

func TestPayinSaysWhenTheCredentialsAreWrong(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	out, err := payinProgram(t, server, "not-mine").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "api_token_invalid")
	assert.NotContains(t, string(out), "not-mine")
}
