package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/intramtest"
)

// playCLI is set in the environment of a test binary that is to be "intram".
const playCLI = "INTRAM_TEST_PLAY_CLI"

// TestMain lets the test binary be the command, so that tests have a real process with
// real pipes.
func TestMain(m *testing.M) {
	if os.Getenv(playCLI) != "" {
		os.Exit(Main())
	}
	status := m.Run()
	database.Stop()
	os.Exit(status)
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// mistake is an output whose writing panics, as a mistake of the command would.
type mistake struct{}

func (mistake) Write([]byte) (int, error) { panic("22961234567") }

// creations are the commands that the API accepts something by.
func creations(t *testing.T, b *bench) map[string][]string {
	t.Helper()
	// One payment to refund, made by hand.
	op, err := b.server.Client().PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(5000), Currency: intram.XOF, Customer: intram.Customer{Email: "ada@example.com"}},
	})
	require.NoError(t, err)
	request, err := b.server.Client().PaymentRequests.Wait(t.Context(), op.ID)
	require.NoError(t, err)
	require.NoError(t, b.server.Pay(request.TransactionReference))
	return map[string][]string{
		"payout":          payoutArgs(),
		"refund":          {"refunds", "create", "--transaction", request.TransactionReference},
		"payment request": {"payment-requests", "create", "--amount", "5000", "--customer-email", "ada@example.com"},
		"call":            {"call", "POST", "/payouts", "--data", callBody},
		"payin":           {"payin", "create", "--reference", "order-1", "--amount", "300", "--country", "CI", "--msisdn", "+2250700000000", "--customer-name", "Ada", "--success-url", "https://shop.example.com/ok", "--failure-url", "https://shop.example.com/no"},
		"batch":           {"payouts", "batch", b.file(t, "salaries.csv", "reference,amount,provider,msisdn\nPAY-1,1000,MTN_BENIN_229,22961000000\n")},
	}
}

var idAndKey = regexp.MustCompile(`(?s)(op_|pr_)\w+`)

func TestAnAcceptedCreationNeverEndsWithAStatusThatSaysNothingMoved(t *testing.T) {
	t.Parallel()
	for failure, output := range map[string]io.Writer{"full disk": fullDisk{}, "mistake of this program": mistake{}} {
		for _, asJSON := range []bool{false, true} {
			for name := range creations(t, newBench(t)) {
				t.Run(failure+" "+name, func(t *testing.T) {
					t.Parallel()
					b := newBench(t)
					args := creations(t, b)[name]
					if asJSON {
						args = append(args, "--json")
					}
					b.stdout = output
					r := b.run(t, args...)
					assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
					assert.NotContains(t, r.err, "22961234567", "what was given to panic may be a person's")
					if name == "batch" {
						assert.FileExists(t, filepath.Join(b.home, "salaries.results.csv"))
						return
					}
					assert.Regexp(t, idAndKey, r.err)
					if !asJSON {
						assert.Contains(t, r.err, "Idempotency key: ")
						assert.Contains(t, r.err, "Accepted as ")
						return
					}
					lines := strings.Split(strings.TrimSpace(r.err), "\n")
					require.Len(t, lines, 3, "the key, the id, the failure: %s", r.err)
					var key keyLine
					var taken acceptedLine
					var failed failureLine
					require.NoError(t, json.Unmarshal([]byte(lines[0]), &key))
					require.NoError(t, json.Unmarshal([]byte(lines[1]), &taken))
					require.NoError(t, json.Unmarshal([]byte(lines[2]), &failed))
					assert.NotEmpty(t, key.IdempotencyKey)
					assert.Equal(t, key.IdempotencyKey, taken.IdempotencyKey)
					assert.Equal(t, key.IdempotencyKey, failed.IdempotencyKey)
					assert.NotEmpty(t, taken.OperationID)
					assert.Equal(t, taken.OperationID, failed.OperationID)
					assert.Equal(t, exitUnfinished, failed.Exit)
				})
			}
		}
	}
}

// lagging knows no operation yet: the API's lookup reads a copy of its database.
type lagging struct{ next http.RoundTripper }

func (l lagging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return l.next.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"error":true,"http_status":404,"code":"operation_not_found","message":"Operation not found"}`)
	return w.Result(), nil
}

func TestALookUpThatLagsBehindTheCreationIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: lagging{b.server.Transport()}}))
	r := b.run(t, payoutArgs("--wait", "--max-wait", "30s")...)
	assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
	assert.Contains(t, r.err, "Accepted as operation op_")
	assert.Regexp(t, `  intram operations wait op_\w+`, r.err)
	r = b.run(t, "operations", "wait", "op_1")
	assert.NotEqual(t, exitFailed, r.code)
}

// panicking panics where the SDK calls the network, in the goroutine of the command.
type panicking struct{}

func (panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		panic("22961234567")
	}
	return nil, errors.New("the network is down")
}

func TestAPanicWhileACallIsUnderWayLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stage stage
		want  int
	}{{nothingSent, exitNoAnswer}, {sending, exitInDoubt}, {accepted, exitUnfinished}} {
		a := &app{err: io.Discard, out: io.Discard}
		a.creating.stage = test.stage
		assert.Equal(t, test.want, a.end(newPanicError("mistake")))
	}
	for name := range creations(t, newBench(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			args := creations(t, b)[name]
			b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: onPost{b.server.Transport(), panicking{}}}))
			r := b.run(t, args...)
			assert.Equal(t, exitInDoubt, r.code, "%s", r.err)
			assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "internal error")
			assert.NotContains(t, r.err, "22961234567")
		})
	}
}

// onPost sends what creates another way.
type onPost struct{ next, post http.RoundTripper }

func (o onPost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		return o.post.RoundTrip(r)
	}
	return o.next.RoundTrip(r)
}

// process runs the command as a process of its own, with this standard output.
func (b *bench) process(t *testing.T, stdout *os.File, args ...string) result {
	t.Helper()
	front := httptest.NewServer(b.server)
	defer front.Close()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	cmd.Env = append(os.Environ(), playCLI+"=1", "HOME="+b.home, "XDG_CONFIG_HOME="+b.home, "INTRAM_BASE_URL="+front.URL, "INTRAM_PAYIN_BASE_URL="+front.URL,
		"INTRAM_PUBLIC_KEY="+b.server.PublicKey, "INTRAM_SECRET_KEY="+b.server.SecretKey)
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &errs
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return result{cmd.ProcessState.ExitCode(), "", errs.String()}
}

// closedPipe is a pipe whose reader has gone, as with: intram … | true.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestAProcessWhoseOutputIsGoneTellsWhatWasAccepted(t *testing.T) {
	t.Parallel()
	outputs := map[string]func(*testing.T) *os.File{"closed pipe": closedPipe}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil { // Linux has one
		t.Cleanup(func() { _ = full.Close() })
		outputs["full disk"] = func(*testing.T) *os.File { return full }
	}
	for name, output := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := intramtest.Start()
			require.NoError(t, err)
			t.Cleanup(server.Close)
			b := &bench{server: server, home: t.TempDir()}
			for _, more := range [][]string{nil, {"--json"}, {"--wait"}} {
				r := b.process(t, output(t), payoutArgs(more...)...)
				assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
				assert.Regexp(t, `op_\w+`, r.err)
				assert.Regexp(t, someKey, r.err)
			}
			r := b.process(t, output(t), "payouts", "batch", b.file(t, "salaries.csv", "reference,amount,provider,msisdn\nPAY-1,1000,MTN_BENIN_229,22961000000\n"))
			assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
			r = b.process(t, output(t), "operations", "list")
			if name == "closed pipe" {
				assert.Equal(t, exitNoReader, r.code, "as shells have it")
				assert.Empty(t, r.err, "head has seen enough")
				return
			}
			assert.Equal(t, exitNoAnswer, r.code)
			assert.Contains(t, r.err, "no space left on device")
		})
	}
}

func TestResultsThatCannotBeWrittenAreNotSaidToBe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", "reference,amount,provider,msisdn\nPAY-1,1000,MTN_BENIN_229,22961000000\n")
	nowhere := filepath.Join(b.home, "missing", "results.csv")
	r := b.run(t, "payouts", "batch", file, "--results", nowhere)
	assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
	assert.NotContains(t, r.out, "Each line is in")
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "the results cannot be written")
	assert.Contains(t, r.out, string(batch.Paid))
	out := b.ok(t, "payouts", "batch", file)
	assert.Contains(t, out, "Each line is in")
}

func TestABatchThatWasBegunEndsWithWhatItsLinesCameTo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	require.Equal(t, exitUnfinished, b.run(t, "payouts", "batch", file, "--max-wait", "0").code)
	journal := file + ".journal"
	data, err := os.ReadFile(journal)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(journal, data[:8192], 0o600))
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitUsage, r.code, "nothing was sent")
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "the journal is damaged")
	require.NoError(t, os.WriteFile(journal, data, 0o600))
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: refusing401{}}))
	r = b.run(t, "payouts", "batch", file)
	assert.NotContains(t, []int{exitOK, exitUsage, exitRefused}, r.code, "lines were accepted: %s", r.err)
}

// refusing401 knows no key.
type refusing401 struct{}

func (refusing401) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, `{"error":true,"http_status":401,"code":"invalid_api_key","message":"Invalid API key"}`)
	return w.Result(), nil
}

func TestAFlagThatWasGivenAsNothingIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all := creations(t, b)
	sent := len(b.server.Requests())
	tried := 0
	ended, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused, such as a server, ends at once
	for cmd, words := range commands((&app{}).newRoot()) {
		if !cmd.Runnable() || cmd.HasSubCommands() {
			continue
		}
		for _, flag := range allFlags(cmd) {
			args := append(append([]string(nil), words...), "--"+flag, "")
			for range strings.Count(cmd.Use, " ") {
				args = append(args, "x")
			}
			r := b.runWith(t, ended, args...)
			assert.Equal(t, exitUsage, r.code, "%v", args)
			assert.Contains(t, r.err, "--"+flag+" is empty", "%v", args)
			tried++
		}
	}
	assert.Greater(t, tried, 150)
	for name, args := range all {
		for _, empty := range []string{"", " ", "\t"} {
			r := b.run(t, append(args, "--config", empty)...)
			assert.Equal(t, exitUsage, r.code, name)
		}
	}
	r := b.run(t, append(all["refund"], "--amount", "", "--yes")...)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "--amount is empty")
	r = b.run(t, append(all["batch"], "--allow-provider", "")...)
	assert.Equal(t, exitUsage, r.code)
	for _, wait := range [][]string{payoutArgs("--wait", "--max-wait", "0"), {"operations", "wait", "op_1", "--max-wait", "0s"}} {
		r = b.run(t, wait...)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, "--max-wait must be greater than 0")
	}
	for _, list := range []string{"operations", "transactions"} {
		r = b.run(t, list, "list", "--limit", "0")
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, "--limit must be between 1 and 100")
	}
	assert.Len(t, b.server.Requests(), sent, "nothing was sent")
}

// allFlags are the flags of a command that take a text.
func allFlags(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if f.Value.Type() == "string" || f.Value.Type() == "stringArray" {
			names = append(names, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}
