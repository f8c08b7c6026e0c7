// Package examples_test runs each example as a user would: built, with keys in the
// environment, against a server of its own.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// programs is where the built examples are, for all tests.
var programs string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "intram-examples")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	programs = dir
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "./...").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// program is an example about to run against a server.
func program(t *testing.T, server *intramtest.Server, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "INTRAM_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if server != nil {
		cmd.Env = append(cmd.Env, "INTRAM_PUBLIC_KEY="+server.PublicKey, "INTRAM_SECRET_KEY="+server.SecretKey, "INTRAM_BASE_URL="+server.URL)
	}
	return cmd
}

func runningServer(t *testing.T) *intramtest.Server {
	t.Helper()
	return intramtest.NewServer(t, intramtest.WithRunningClock())
}

func TestQuickstartTellsItsStory(t *testing.T) {
	t.Parallel()
	out, err := program(t, nil, "quickstart").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, want := range []string{
		"against the bundled fake server", "25 000 XOF to MTN_BENIN_229", "nothing is paid twice", "12 000 XOF, fees 240 XOF, net 11 760 XOF",
		"2 000 XOF of transaction", "payout.completed", "payment_request.created", "payment_request.paid", "refund.completed",
		"4 of 4, 0 refused", "checks hold",
	} {
		assert.Contains(t, string(out), want)
	}
	assert.Regexp(t, `available, XOF\s+3 000 000\s+2 984 760\s+-15 240`, string(out))
	assert.Regexp(t, `ledger sum\s+0\n`, string(out))
}

func TestQuickstartTalksToASandboxAccount(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	cmd := program(t, server, "quickstart")
	lines := start(t, cmd)
	var reference string
	for line := range lines {
		if _, page, ok := strings.Cut(line, "/gateway/"); ok {
			reference = page
		}
		if strings.Contains(line, "Your turn") {
			require.NoError(t, server.Pay(reference))
		}
		if strings.Contains(line, "checks hold") {
			require.NoError(t, cmd.Wait())
			return
		}
	}
	t.Fatal("the story did not come to its end")
}

func TestQuickstartRefusesLiveKeys(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	cmd := program(t, server, "quickstart")
	cmd.Env = append(cmd.Env, "INTRAM_PUBLIC_KEY="+server.LivePublicKey, "INTRAM_SECRET_KEY="+server.LiveSecretKey)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "live keys")
	assert.Empty(t, server.Requests())
}

func TestPayoutPaysOnceHoweverOftenItRuns(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	for range 2 {
		out, err := program(t, server, "payout", "-reference", "PO-1", "-msisdn", "22961234567", "-amount", "25000").CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "Paid out 25000 XOF: completed.")
	}
	wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(975000), server.Ledger().Balance(wallet))
}

func TestPayoutSaysWhatToDoWhenItFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ msisdn, want string }{
		"no money in the wallet": {"22961000002", "nothing was paid out"},
		"a bad number":           {"+229 61", "no payout was made"},
		"refused by the payer":   {"22961000003", "provider_rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := program(t, runningServer(t), "payout", "-reference", "PO-1", "-msisdn", tc.msisdn, "-amount", "25000").CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(out), tc.want)
		})
	}
}

func TestCheckoutWaitsForTheCustomerAndRefundGivesBack(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	cmd := program(t, server, "checkout", "-order", "4521", "-amount", "12000")
	var reference, last string
	for line := range start(t, cmd) {
		last = line
		if _, page, ok := strings.Cut(line, "/gateway/"); ok {
			reference = page
			require.NoError(t, server.Pay(reference))
		}
	}
	require.NoError(t, cmd.Wait())
	assert.Contains(t, last, "12000 XOF paid, 11760 after fees")

	out, err := program(t, server, "refund", "-transaction", reference, "-ticket", "T-1", "-amount", "2000").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "of 2000 XOF: completed.")
	out, err = program(t, server, "refund", "-transaction", reference, "-ticket", "T-2", "-amount", "11000").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "more than is left")
	for _, unset := range []string{"", "0"} { // a script's variable that is not set gives nothing back
		out, err = program(t, server, "refund", "-transaction", reference, "-ticket", "T-4", "-amount", unset).CombinedOutput()
		require.Error(t, err, "%s", out)
	}
	out, err = program(t, server, "refund", "-transaction", "AB12CD34EF", "-ticket", "T-3").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "there is no payment")
}

func TestWebhookShowsWhatIsReallyIntrams(t *testing.T) {
	t.Parallel()
	cmd := program(t, nil, "webhook", "-listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "INTRAM_WEBHOOK_SECRET=whsec_old,whsec_new")
	lines := start(t, cmd)
	_, url, ok := strings.Cut(<-lines, "listening on ")
	require.True(t, ok)

	body := []byte(`{"event":"payout.completed","operation_id":"op_1","occurred_at":"2026-05-20T10:31:14.000Z","data":{"reference":"PO-1","amount":25000,"currency":"XOF"}}`)
	send := func(secret string, body []byte) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
		require.NoError(t, err)
		request.Header = intram.SignWebhook(secret, time.Now(), body)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusUnauthorized, send("whsec_another", body))
	assert.Equal(t, http.StatusBadRequest, send("whsec_new", []byte("{}")))
	for range 2 { // sent again, it takes no second effect
		assert.Equal(t, http.StatusOK, send("whsec_new", body))
	}
	assert.Equal(t, "payout.completed: payout PO-1 of 25000 XOF", <-lines)
	late := bytes.Replace(body, []byte("payout.completed"), []byte("payout.queued"), 1)
	assert.Equal(t, http.StatusOK, send("whsec_old", late))
	assert.Equal(t, "payout.queued: payout PO-1 of 25000 XOF (already payout.completed)", <-lines)
	require.NoError(t, cmd.Process.Kill())
	for range lines { // until it has ended
	}
	assert.Error(t, cmd.Wait())
}

func TestRecoverPaysOnceThroughAKillAtTheWorstMoment(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	journal := t.TempDir()
	pay := func() *exec.Cmd {
		return program(t, server, "recover", "-journal", journal, "-reference", "PO-1", "-msisdn", "22961234567", "-amount", "25000")
	}
	// Every response is lost after the payout was executed, and the program is killed
	// while it tries again.
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}))
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, On: "POST /payouts", RetryAfter: "20"}))
	executed := make(chan struct{}, 1)
	receiver := server.Receive(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { executed <- struct{}{} }))
	_, err := server.Client().Webhooks.Create(t.Context(), intram.WebhookParams{URL: receiver, Event: intram.EventPayoutCompleted})
	require.NoError(t, err)
	cmd := pay()
	require.NoError(t, cmd.Start())
	<-executed
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	server.ClearFaults()

	for range 2 {
		out, err := pay().CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "going on from there")
		assert.Contains(t, string(out), "Paid out 25000 XOF")
	}
	wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "paid once")
}

func TestRecoverStartedSeveralTimesAtOncePaysOnce(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	journal := t.TempDir()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			out, err := program(t, server, "recover", "-journal", journal, "-reference", "PO-1", "-msisdn", "22961234567", "-amount", "25000").CombinedOutput()
			assert.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "Paid out 25000 XOF")
		})
	}
	group.Wait()
	assert.Equal(t, int64(975000), server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
}

func TestRecoverLooksUpWhatIsTooOldToSendAgain(t *testing.T) {
	t.Parallel()
	server := runningServer(t)
	journal := t.TempDir()
	args := []string{"-journal", journal, "-reference", "PO-1", "-msisdn", "22961234567", "-amount", "25000"}
	out, err := program(t, server, "recover", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)

	// As after a crash a day ago: the intent is written down, the operation is not.
	file := filepath.Join(journal, "PO-1.json")
	var entry map[string]any
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &entry))
	entry["OperationID"] = ""
	intent, ok := entry["Intent"].(map[string]any)
	require.True(t, ok)
	intent["first_sent_at"] = time.Now().Add(-24 * time.Hour)
	data, err = json.Marshal(entry)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))

	out, err = program(t, server, "recover", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "Paid out 25000 XOF")
	assert.Equal(t, int64(975000), server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
}

// start runs a program and returns what it prints, line by line.
func start(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}
