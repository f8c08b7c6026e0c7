package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/intramtest"
)

var update = flag.Bool("update", false, "write the golden files and the man pages anew")

// bench is a command line of a test: an environment, a home and a server of its own.
type bench struct {
	server *intramtest.Server
	home   string
	env    map[string]string
	stdin  string
	// person says that a person sits at the terminal.
	person bool
	hidden string // what that person types where it is not shown
	opts   []intram.ClientOption
	clock  intram.Clock
	zone   *time.Location // nil is UTC
	// stdout is where the output goes instead of to the test.
	stdout io.Writer
	// webhookURL is what probes subscribe.
	webhookURL string
	// shows lists the secrets that a command may show: those that it is there to show.
	shows []string
	// edit changes the process.
	edit func(*app)
}

// testTime is when the tests take place that compare what they print.
var testTime = time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)

func newBench(t *testing.T, opts ...intramtest.Option) *bench {
	t.Helper()
	server := intramtest.NewServer(t, append([]intramtest.Option{intramtest.WithSeed(1), intramtest.WithFrozenClock(testTime)}, opts...)...)
	b := &bench{server: server, home: t.TempDir(), env: map[string]string{}, clock: server.Clock()}
	b.env["INTRAM_BASE_URL"] = server.URL
	b.env["INTRAM_PAYIN_BASE_URL"] = server.URL
	b.keys(server.PublicKey, server.SecretKey, server.PayinAPIKey, server.PayinAPIClient)
	b.opts = []intram.ClientOption{intram.WithHTTPClient(server.HTTPClient()), intram.WithClock(server.Clock())}
	return b
}

func (b *bench) keys(public, secret, payinKey, payinClient string) {
	b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"] = public, secret
	b.env["INTRAM_PAYIN_API_KEY"], b.env["INTRAM_PAYIN_API_CLIENT"] = payinKey, payinClient
}

func (b *bench) live() {
	b.keys(b.server.LivePublicKey, b.server.LiveSecretKey, b.server.LivePayinAPIKey, b.server.LivePayinAPIClient)
	b.env["INTRAM_PROFILE"] = "live"
}

func (b *bench) file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(b.home, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// result is what a command line came to.
type result struct {
	code     int
	out, err string
}

// run runs one command line, and checks what holds for all of them: no secret is shown,
// and what is for people fits 80 columns.
func (b *bench) run(t *testing.T, args ...string) result {
	t.Helper()
	return b.runWith(t, t.Context(), args...)
}

func (b *bench) runWith(t *testing.T, ctx context.Context, args ...string) result { //nolint:revive // the test comes first, as everywhere
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{
		in: strings.NewReader(b.stdin), out: &out, err: &errs, clock: b.clock, clientOptions: b.opts,
		lookupEnv:  func(name string) (string, bool) { value, ok := b.env[name]; return value, ok },
		configFile: filepath.Join(b.home, "intram", "config.toml"), localDir: filepath.Join(b.home, "servers"),
		isTerminal: func(stream any) bool { _, input := stream.(*strings.Reader); return b.person && input },
		readHidden: func(context.Context) (string, error) { return b.hidden, nil }, webhookURL: b.webhookURL,
	}
	if b.stdout != nil {
		a.out = b.stdout
	}
	a.environ = func() []string { return slices.Sorted(maps.Keys(b.env)) }
	a.buildInfo = func() (*debug.BuildInfo, bool) { return nil, false }
	if b.edit != nil {
		b.edit(a)
	}
	if a.location = b.zone; a.location == nil {
		a.location = time.UTC
	}
	code := a.run(ctx, args)
	r := result{code, out.String(), errs.String()}
	b.requireDiscreet(t, args, r)
	if !a.asJSON {
		requireColumns(t, args, strings.ReplaceAll(r.out+r.err, b.home, ""))
	}
	return r
}

func (b *bench) requireDiscreet(t *testing.T, args []string, r result) {
	t.Helper()
	secrets := []string{b.env["INTRAM_SECRET_KEY"], b.env["INTRAM_PAYIN_API_KEY"], b.env["INTRAM_PAYIN_API_CLIENT"], b.env["INTRAM_WEBHOOK_SECRET"], "whsec_", "sk_sandbox_0", "sk_live_0"}
	if b.server != nil {
		secrets = append(secrets, b.server.SecretKey, b.server.LiveSecretKey, b.server.PayinAPIKey, b.server.PayinAPIClient, b.server.LivePayinAPIKey)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(strings.Join(b.shows, " "), secret) {
			continue
		}
		if strings.Contains(strings.ReplaceAll(r.out+r.err, "whsec_…", ""), secret) {
			t.Fatalf("%v shows a secret", args)
		}
	}
}

// requireColumns looks for lines of more than 80 columns. Addresses, headers and commands
// to paste stay whole.
func requireColumns(t *testing.T, args []string, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		whole := len(args) > 0 && (args[0] == "sign" || args[0] == "completion") || strings.Contains(line, "://") || strings.HasPrefix(line, "  intram ") || strings.Contains(line, "/") && !strings.Contains(strings.TrimSpace(line), " ")
		if utf8.RuneCountInString(line) > columns && !whole {
			t.Errorf("%v prints a line of %d columns: %s", args, utf8.RuneCountInString(line), line)
		}
		assert.NotContains(t, line, "\x1b", "no colours where there is no terminal")
		assert.NotContains(t, line, "─", "no lines either")
		assert.False(t, strings.HasSuffix(line, " "), "%v: a line ends with a space: %q", args, line)
	}
}

// ok runs a command line that must succeed.
func (b *bench) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := b.run(t, args...)
	require.Zero(t, r.code, "%v: %s", args, r.err)
	return r.out
}

// json runs a command line with --json, and reads what it prints.
func (b *bench) json(t *testing.T, into any, args ...string) result {
	t.Helper()
	r := b.run(t, append(args, "--json")...)
	require.NoError(t, json.Unmarshal([]byte(r.out), into), "%v: %s %s", args, r.out, r.err)
	return r
}

var (
	somePort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	someKey  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// golden compares a text with the file of its name, in which ports, keys and folders have
// no value.
func (b *bench) golden(t *testing.T, name, text string) {
	t.Helper()
	text = someKey.ReplaceAllString(somePort.ReplaceAllString(text, "127.0.0.1:PORT"), "00000000-0000-4000-8000-000000000000")
	if b != nil {
		text = strings.ReplaceAll(text, b.home, "HOME")
	}
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with: go test ./internal/cli -update")
	assert.Equal(t, string(want), text)
}

const msisdn = "22961234567"

func payoutArgs(more ...string) []string {
	return append([]string{"payouts", "create", "--amount", "2500", "--provider", "MTN_BENIN_229", "--msisdn", msisdn, "--reference", "PO-1"}, more...)
}

func TestTheBalanceIsShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.golden(t, "balance", b.ok(t, "balance"))
	var balance struct {
		Currency string
		Methods  []struct{ Available int64 } `json:"payment_method_balances"`
	}
	b.json(t, &balance, "balance")
	assert.Equal(t, "XOF", balance.Currency)
	assert.EqualValues(t, 1_000_000, balance.Methods[0].Available)
	none := newBench(t, intramtest.WithoutWallets(intram.Sandbox))
	assert.Contains(t, none.ok(t, "balance"), "no wallet yet")
}

func TestAPayoutIsMadeWaitedForAndLookedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.run(t, payoutArgs("--note", "for March", "--metadata", `{"order": 12345678901234567890}`)...)
	require.Zero(t, r.code, r.err)
	assert.Contains(t, r.err, "Idempotency key: ")
	b.golden(t, "payout-created", r.out)
	id := regexp.MustCompile(`op_\w+`).FindString(r.out)

	b.golden(t, "payout-waited", b.ok(t, "payouts", "wait", id))
	assert.Equal(t, b.ok(t, "payouts", "wait", id), b.ok(t, "operations", "get", id))
	assert.Equal(t, b.ok(t, "payouts", "wait", id), b.ok(t, "operations", "wait", id))
	var op struct {
		Payload struct {
			Metadata    json.RawMessage
			Destination struct{ MSISDN string }
		}
	}
	b.json(t, &op, "operations", "get", id)
	assert.JSONEq(t, `{"order": 12345678901234567890}`, string(op.Payload.Metadata), "every digit is kept")
	assert.Equal(t, msisdn, op.Payload.Destination.MSISDN)
	assert.NotContains(t, b.ok(t, "operations", "get", id), msisdn, "a table shows nobody")

	r = b.run(t, "refunds", "wait", id)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "is no refund but a payout")
	r = b.run(t, payoutArgs("--wait", "--reference", "PO-2")...)
	assert.Zero(t, r.code)
	assert.Contains(t, r.out, "succeeded")
	assert.Contains(t, r.err, "Accepted as operation op_")
}

func TestABankPayoutIsToldAsQueued(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.ok(t, "payouts", "create", "--amount", "500", "--account-number", "BJ0610100100144390000769", "--swift", "ECOCBJBJ", "--wait")
	assert.Contains(t, out, "queued for settlement: the bank has not paid yet")
}

// Each exit status, by a command that ends with it.
func TestExitStatusesSayWhatHappened(t *testing.T) {
	t.Parallel()
	fault := func(f intramtest.Fault) func(*testing.T, *bench) {
		return func(t *testing.T, b *bench) { t.Helper(); require.NoError(t, b.server.Fault(f)) }
	}
	for _, test := range []struct {
		name   string
		before func(*testing.T, *bench)
		args   []string
		code   int
		says   string
	}{
		{"bad amount", nil, payoutArgs("--amount", "ten"), exitUsage, "--amount: not an amount"},
		{"no amount", nil, []string{"payouts", "create", "--provider", "MTN_BENIN_229", "--msisdn", msisdn}, exitUsage, "amount must be greater than 0"},
		{"bad number", nil, payoutArgs("--msisdn", "+229"), exitUsage, "--msisdn: a number of Benin has 10 digits"},
		{"no destination", nil, []string{"payouts", "create", "--amount", "5"}, exitUsage, "--msisdn for mobile money"},
		{"two destinations", nil, payoutArgs("--account-number", "1"), exitUsage, "not both"},
		{"no operator", nil, []string{"payouts", "create", "--amount", "5", "--msisdn", msisdn}, exitUsage, "--provider is missing"},
		{"bad metadata", nil, payoutArgs("--metadata", "[1]"), exitUsage, "--metadata must be a JSON object"},
		{"bad key", nil, payoutArgs("--idempotency-key", "short"), exitUsage, "idempotency_key must be 8 to 128"},
		{"type of a list of one type", nil, []string{"payouts", "list", "--type", "refund"}, exitUsage, "unknown flag: --type"},
		{"unknown flag", nil, []string{"balance", "--secret-key", "x"}, exitUsage, "unknown flag: --secret-key"},
		{"unknown command", nil, []string{"payout"}, exitUsage, `no command "payout"; did you mean payouts`},
		{"unknown subcommand", nil, []string{"payouts", "make"}, exitUsage, `no command "make"`},
		{"missing argument", nil, []string{"payouts", "wait"}, exitUsage, "takes OPERATION"},
		{"bad cursor", nil, []string{"operations", "list", "--before", "last May"}, exitUsage, "--before must be a day"},
		{"bad start", nil, []string{"payouts", "list", "--since", "20/05/2026"}, exitUsage, "--since must be a day"},
		{"start after the end", nil, []string{"transactions", "list", "--since", "1h", "--before", "2h"}, exitUsage, "since must be earlier than before"},
		{"bad limit", nil, []string{"operations", "list", "--limit", "1000"}, exitUsage, "limit must be between 1 and 100"},
		{"bad wait", nil, []string{"operations", "wait", "op_1", "--max-wait", "-1s"}, exitUsage, "--max-wait must not be negative"},
		{"bad refund amount", nil, []string{"refunds", "create", "--transaction", "AB12CD34EF", "--amount", "0"}, exitUsage, "leave it out to refund all"},
		{"bad wait after create", nil, payoutArgs("--wait", "--max-wait", "-1s"), exitUsage, "--max-wait must not be negative"},
		{"nobody there", func(_ *testing.T, b *bench) { b.env["INTRAM_BASE_URL"] = "http://127.0.0.1:1"; b.opts = b.opts[1:] }, []string{"balance"}, exitUsage, "nothing was sent"},

		{"unknown operation", nil, []string{"operations", "get", "op_1"}, exitRefused, "operation_not_found"},
		{"unknown operation waited for", nil, []string{"operations", "wait", "op_1"}, exitRefused, "operation_not_found"},
		{"unknown transaction", nil, []string{"transactions", "get", "AB12CD34EF"}, exitRefused, "transaction_not_found"},
		{"unknown payment refunded", nil, []string{"refunds", "create", "--transaction", "AB12CD34EF"}, exitRefused, "transaction_not_found"},
		{"unknown currency", nil, payoutArgs("--currency", "USD"), exitRefused, "unknown_currency"},
		{"unknown currency with a key of one's own", nil, payoutArgs("--currency", "USD", "--idempotency-key", "key-of-a-test"), exitRefused, "unknown_currency"},
		{"refused after a doubt", nil, payoutArgs("--currency", "USD", "--idempotency-key", "key-of-a-test", "--first-sent-at", "2026-05-20T10:00:00Z"), exitInDoubt, "unknown_currency"},
		{"unknown subscription", nil, []string{"webhooks", "delete", "whs_1"}, exitRefused, "HTTP 404"},
		{"wrong key", func(_ *testing.T, b *bench) { b.env["INTRAM_SECRET_KEY"] = "sk_sandbox_other" }, []string{"balance"}, exitRefused, "intram explain-signature"},

		{"lost answer", fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 9}), payoutArgs(), exitInDoubt, "it may have been executed"},
		{"lost answer to a refund", fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /refunds", Times: 9}), []string{"refunds", "create", "--transaction", "AB12CD34EF"}, exitInDoubt, "it may have been executed"},

		{"failed payout", nil, payoutArgs("--wait", "--msisdn", "22961000002"), exitFailed, "insufficient_balance"},
		{"not ended", func(t *testing.T, b *bench) { t.Helper(); require.NoError(t, b.server.SetWorker(intramtest.ByHand())) }, payoutArgs("--wait", "--max-wait", "5s"), exitUnfinished, "wait again with the same id"},
		{"no answer", fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "GET /balance", Times: 9}), []string{"balance"}, exitNoAnswer, "no response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if test.before != nil {
				test.before(t, b)
			}
			r := b.run(t, test.args...)
			assert.Equal(t, test.code, r.code, "%s", r.err)
			assert.Contains(t, strings.Join(strings.Fields(r.err), " "), test.says)
			if test.code == exitUsage {
				for _, sent := range b.server.Requests() {
					assert.NotEqual(t, http.MethodPost, sent.Method, "nothing was sent")
				}
			}
			// --json says the same in one line of JSON.
			again := newBench(t)
			if test.before != nil {
				test.before(t, again)
			}
			var line failureLine
			r = again.run(t, append(test.args, "--json")...)
			assert.Equal(t, test.code, r.code)
			if !strings.Contains(test.says, "unknown flag") && !strings.HasPrefix(test.name, "unknown command") && !strings.HasPrefix(test.name, "unknown sub") {
				require.NoError(t, json.Unmarshal([]byte(lastLine(r.err)), &line), "%s", r.err)
				assert.Equal(t, test.code, line.Exit)
				assert.NotContains(t, line.Message, msisdn)
			}
		})
	}
}

// lastLine is what --json says of a failure: before it come a line with the key, and one
// with the id of what was accepted.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestAPayoutInDoubtIsResumedByTheCommandThatIsPrinted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 4}))
	r := b.run(t, payoutArgs("--note", "it's for 'March'")...)
	require.Equal(t, exitInDoubt, r.code)
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	command := lines[len(lines)-1]
	require.True(t, strings.HasPrefix(command, "  intram payouts create "), command)
	assert.Contains(t, command, "--first-sent-at 2026-05-20T10:30:00Z")
	b.server.ClearFaults()

	args := shellWords(t, command)
	r = b.run(t, args[1:]...)
	require.Zero(t, r.code, r.err)
	operations := 0
	for _, err := range b.server.Client().Operations.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		operations++
	}
	assert.Equal(t, 1, operations, "it was paid once")

	b.server.Advance(24 * time.Hour)
	r = b.run(t, args[1:]...)
	assert.NotZero(t, r.code, "the API may have forgotten the key")
	assert.Contains(t, r.err, "23 hours")
	for _, wrong := range [][]string{{"--first-sent-at", "2026-05-20T10:30:00Z"}, {"--idempotency-key", "key-of-a-test", "--first-sent-at", "soon"}, {"--idempotency-key", "key-of-a-test", "--first-sent-at", "2036-05-20T10:30:00Z"}} {
		r = b.run(t, payoutArgs(wrong...)...)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, "--first-sent-at")
	}
}

// The same request with the same key would be refused again: what is printed must lead
// out of it.
func TestAKeyOfAnotherRequestIsNotResumed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Zero(t, b.run(t, payoutArgs("--idempotency-key", "key-of-a-test")...).code)
	for _, format := range [][]string{nil, {"--json"}} {
		r := b.run(t, payoutArgs(append(format, "--idempotency-key", "key-of-a-test", "--note", "another")...)...)
		assert.Equal(t, exitInDoubt, r.code)
		assert.NotContains(t, r.err, "payouts create --")
		if format == nil {
			assert.Contains(t, r.err, "  intram operations list --all --json\n")
		}
	}
}

// shellWords splits a command as a shell does, as far as the commands here need it.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	var quote byte
	open := false
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote == 0:
			i++
			word.WriteByte(command[i])
		case c == ' ' && quote == 0:
			if word.Len() > 0 || open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 || open {
		words = append(words, word.String())
	}
	return words
}

func TestLiveKeysAreAskedAbout(t *testing.T) {
	t.Parallel()
	payin := []string{"payin", "create", "--reference", "order-1", "--amount", "300", "--country", "CI", "--msisdn", "+2250700000000", "--customer-name", "Ada"}
	for name, args := range map[string][]string{
		"payout": payoutArgs(), "payin": payin, "refund": {"refunds", "create", "--transaction", "AB12CD34EF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.live()
			r := b.run(t, args...)
			assert.Equal(t, exitUsage, r.code, "nobody is there")
			assert.Contains(t, r.err, "--yes")
			b.person = true
			for _, answer := range []string{"no\n", "", "y\n", "YES please\n"} {
				b.stdin = answer
				r = b.run(t, args...)
				assert.Equal(t, exitUsage, r.code)
				assert.Contains(t, r.err, "nothing was sent")
			}
			for _, sent := range b.server.Requests() {
				assert.NotEqual(t, http.MethodPost, sent.Method)
			}
			b.stdin = "yes\n"
			r = b.run(t, args...)
			assert.NotContains(t, r.err, "not confirmed")
			b.person, b.stdin = false, ""
			r = b.run(t, append(args, "--yes")...)
			assert.NotContains(t, r.err, "no terminal to ask at")
			posts := 0
			for _, sent := range b.server.Requests() {
				if sent.Method == http.MethodPost {
					posts++
					assert.Equal(t, intram.Live, sent.Environment)
				}
			}
			assert.Equal(t, 2, posts)
		})
	}
}

func TestAPaymentIsAskedForPaidAndRefunded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var op struct {
		ID     string `json:"operation_id"`
		Result struct {
			Reference string `json:"transaction_reference"`
		}
	}
	b.json(t, &op, "payment-requests", "create", "--amount", "12000", "--description", "Order 4521", "--customer-email", "ada@example.com",
		"--success-url", "https://shop.example.com/ok", "--webhook-data", `{"order":1}`, "--wait")
	require.NotEmpty(t, op.Result.Reference)
	out := b.ok(t, "payment-requests", "wait", op.ID)
	assert.Contains(t, out, "checkout page")
	b.golden(t, "payment-request", out)
	r := b.run(t, "transactions", "wait", op.Result.Reference, "--max-wait", "1s")
	assert.Equal(t, exitUnfinished, r.code)
	require.NoError(t, b.server.Pay(op.Result.Reference))
	b.golden(t, "transaction", b.ok(t, "transactions", "wait", op.Result.Reference))
	assert.Contains(t, b.ok(t, "refunds", "create", "--transaction", op.Result.Reference, "--amount", "500", "--reason", "one of three", "--wait"), "completed")
	out = b.ok(t, "transactions", "get", op.Result.Reference)
	assert.Contains(t, out, "refund 1")
	assert.NotContains(t, out, "ada@example.com")
	var transaction map[string]any
	b.json(t, &transaction, "transactions", "get", op.Result.Reference)
	assert.Contains(t, transaction, "customer")

	b.json(t, &op, "payment-requests", "create", "--amount", "12000", "--wait")
	require.NoError(t, b.server.Decline(op.Result.Reference))
	r = b.run(t, "transactions", "wait", op.Result.Reference)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "ERROR")
}

func TestListsShowEverythingThatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	assert.Contains(t, b.ok(t, "operations", "list"), "There are no operations.")
	assert.Contains(t, b.ok(t, "transactions", "list"), "There are no transactions.")
	assert.Contains(t, b.ok(t, "webhooks", "list"), "There are no subscriptions.")
	for range 25 {
		b.server.Advance(time.Second)
		b.ok(t, payoutArgs()...)
	}
	b.ok(t, payoutArgs("--msisdn", "22961000003")...)
	for _, list := range []string{"operations", "transactions"} {
		r := b.run(t, list, "list")
		require.Zero(t, r.code)
		assert.Equal(t, 21, strings.Count(r.out, "\n"), "a head and a page")
		assert.Contains(t, r.err, "There are more: add --before 2026-05-20T10:30:0")
		var all, page []map[string]any
		b.json(t, &all, list, "list", "--all")
		assert.Len(t, all, 26)
		b.json(t, &page, list, "list", "--limit", "3", "--before", "2026-05-20T10:30:03Z")
		assert.Len(t, page, 2)
	}
	b.golden(t, "operations", b.ok(t, "operations", "list", "--limit", "3"))
	b.golden(t, "transactions", b.ok(t, "transactions", "list", "--limit", "3"))
	assert.Equal(t, 2, strings.Count(b.ok(t, "operations", "list", "--status", "failed"), "\n"))
	assert.Equal(t, 2, strings.Count(b.ok(t, "transactions", "list", "--status", "ERROR", "--all"), "\n"))
}

// Each list holds what its name says, and shows what people look for: their own
// reference, the transaction, the amount.
func TestEachKindOfOperationHasAListOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	assert.Contains(t, b.ok(t, "payment-requests", "list"), "There are no payment requests.")
	b.ok(t, payoutArgs("--amount", "150000", "--reference", "SALARY-2026-05-OF-ADA-LOVELACE", "--wait")...)
	b.run(t, payoutArgs("--amount", "12500", "--msisdn", "22961000002", "--wait")...)
	var request struct {
		ID     string `json:"operation_id"`
		Result struct {
			Reference string `json:"transaction_reference"`
		}
	}
	b.json(t, &request, "payment-requests", "create", "--amount", "12000", "--wait")
	require.NoError(t, b.server.Pay(request.Result.Reference))
	b.ok(t, "refunds", "create", "--transaction", request.Result.Reference, "--wait")
	b.ok(t, "refunds", "create", "--transaction", request.Result.Reference)
	require.NoError(t, b.server.Idle(t.Context()))

	payouts := b.ok(t, "payouts", "list")
	b.golden(t, "payouts", payouts)
	requests := b.ok(t, "payment-requests", "list")
	b.golden(t, "payment-requests", requests)
	refunds := b.ok(t, "refunds", "list", "--all")
	b.golden(t, "refunds", refunds)
	b.golden(t, "operations-mixed", b.ok(t, "operations", "list"))
	assert.Equal(t, 2, strings.Count(b.ok(t, "payouts", "list", "--status", "failed"), "\n"))

	assert.Equal(t, b.ok(t, "operations", "get", request.ID), b.ok(t, "payment-requests", "get", request.ID))
	payout := regexp.MustCompile(`op_\w+`).FindString(payouts)
	assert.Contains(t, b.ok(t, "payouts", "get", payout), "12 500")
	r := b.run(t, "refunds", "get", payout)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "the operation is a payout, not a refund; see: intram operations get "+payout)
}

// A list whose Since has passed ends, and does not say that there is more.
func TestAListBeginsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.zone = time.FixedZone("WAT", 60*60)
	for _, step := range []time.Duration{0, 13 * time.Hour, 10 * time.Hour, time.Hour} { // 11:30, 0:30, 10:30 and 11:30 in Porto-Novo
		b.server.Advance(step)
		b.ok(t, payoutArgs()...)
	}
	for since, want := range map[string]int{
		"yesterday": 4, "today": 3, "Today": 3, "90m": 2, "2h": 2, "2h ago": 2, "12h": 3, "1d": 4, "1w": 4, "2026-05-21": 3, "2026-05-20": 4, "2026-05-21T00:00": 3,
		"2026-05-21 10:30": 2, "2026-05-21 10:30:01": 1, "2026-05-21T09:30:00Z": 2, "2026-05-21 09:30:01Z": 1, "2026-05-21T10:30:00+01:00": 2, "now": 1,
	} {
		for _, list := range []string{"operations", "payouts", "transactions"} {
			r := b.run(t, list, "list", "--since", since, "--limit", "4")
			require.Zero(t, r.code, r.err)
			assert.Equal(t, want, strings.Count(r.out, "\n")-1, "%s since %s", list, since)
			assert.Equal(t, want, strings.Count(b.ok(t, list, "list", "--since", since, "--all"), "\n")-1, "%s since %s", list, since)
		}
	}
	assert.Equal(t, 2, strings.Count(b.ok(t, "operations", "list", "--before", "today"), "\n"), "the day before has one")
	r := b.run(t, "payouts", "list", "--since", "today", "--limit", "2")
	assert.Contains(t, r.err, "There are more")
	r = b.run(t, "payouts", "list", "--since", "2h", "--limit", "3")
	assert.Empty(t, r.err)
}

// odd makes the first item of each list unreadable.
type odd struct{ next http.RoundTripper }

func (o odd) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	body = regexp.MustCompile(`"data":\s*\[`).ReplaceAll(body, []byte(`"data":["odd",`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

func TestAListThatIsNotWholeSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok(t, payoutArgs()...)
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: odd{b.server.Transport()}}))
	for _, list := range []string{"operations", "transactions"} {
		for _, more := range []string{"--limit=5", "--all", "--json"} {
			r := b.run(t, list, "list", more)
			assert.Equal(t, exitNoAnswer, r.code, "%s %s", list, more)
			assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "incomplete list: 1 unreadable items")
			assert.Regexp(t, `op_\w+|[A-Z0-9]{10}`, r.out, "the others are shown")
		}
	}
}

func TestSubscriptionsAreMadeTestedAndEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	url := b.server.Receive(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secretFile := filepath.Join(b.home, "webhook.secret")
	out := b.ok(t, "webhooks", "create", "--url", url, "--event", "payout.*", "--secret-file", secretFile)
	assert.Contains(t, out, "written to")
	id := regexp.MustCompile(`whs_\w+`).FindString(out)
	secret, err := os.ReadFile(secretFile)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(secret), "whsec_"))
	info, err := os.Stat(secretFile)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	r := b.run(t, "webhooks", "create", "--url", url, "--secret-file", secretFile)
	assert.Equal(t, exitUsage, r.code, "a secret is not written over another")

	assert.Contains(t, b.ok(t, "webhooks", "list"), id)
	var list []map[string]any
	b.json(t, &list, "webhooks", "list")
	require.Len(t, list, 1)
	assert.NotContains(t, list[0], "secret")
	assert.Contains(t, b.ok(t, "webhooks", "test", id), "on its way")
	_, err = b.server.AwaitEvent(t.Context(), intram.EventTestPing, "op_test")
	require.NoError(t, err)
	assert.Contains(t, b.ok(t, "webhooks", "delete", id), "Deleted")
	assert.Equal(t, exitRefused, b.run(t, "webhooks", "delete", id).code)
	assert.Equal(t, exitUsage, b.run(t, "webhooks", "create", "--url", "ftp://x", "--secret-file", secretFile+"2").code)
	assert.NoFileExists(t, secretFile+"2", "what was not made leaves no file")

	b.shows = []string{"whsec_"}
	assert.Contains(t, b.ok(t, "webhooks", "create", "--url", url), "whsec_")
	var made subscription
	b.json(t, &made, "webhooks", "create", "--url", url)
	assert.True(t, strings.HasPrefix(made.Secret, "whsec_"))
}

// The provider's sandbox moves real money: a person is asked as with live keys, unless
// the server is on this machine.
func TestThePayinSandboxIsAskedAbout(t *testing.T) {
	t.Parallel()
	args := []string{"payin", "create", "--reference", "order-1", "--amount", "300", "--country", "CI", "--msisdn", "+2250700000000"}
	for address, isReal := range map[string]bool{
		"": true, "https://sandbox.novasend.app": true, "https://payin.example.com": true, "https://localhost.example.com": true,
		"http://localhost:4010": false, "https://127.0.0.1:4010": false, "http://[::1]:4010": false,
	} {
		b := newBench(t)
		var seen []sentTo
		b.opts = []intram.ClientOption{seeing(&seen), intram.WithMaxAttempts(1)}
		if b.env["INTRAM_PAYIN_BASE_URL"] = address; address == "" {
			delete(b.env, "INTRAM_PAYIN_BASE_URL")
		}
		r := b.run(t, args...)
		assert.Equal(t, !isReal, len(seen) == 1, address)
		assert.Equal(t, isReal, strings.Contains(r.err, "moves real money") && strings.Contains(r.err, "--yes") && r.code == exitUsage, "%s: %s", address, r.err)
		if !isReal {
			continue
		}
		b.person, b.stdin = true, "no\n"
		r = b.run(t, args...)
		assert.Empty(t, seen, address)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "The sandbox of payin sessions: this will take 300 XOF from a customer, with real money.")
		b.stdin = "yes\n"
		b.run(t, args...)
		assert.Len(t, seen, 1, address)
		b.person = false
		b.run(t, append(args, "--yes")...)
		assert.Len(t, seen, 2, address)
		b.run(t, "payin", "get", "order-1")
		assert.Len(t, seen, 3, "nothing moves: nobody is asked")
	}
}

func TestAPayinIsTakenAndLookedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	create := []string{
		"payin", "create", "--reference", "order-1", "--amount", "300", "--country", "CI", "--msisdn", "+2250700000000",
		"--customer-name", "Ada Lovelace", "--success-url", "https://shop.example.com/ok", "--failure-url", "https://shop.example.com/no",
	}
	r := b.run(t, create...)
	require.Zero(t, r.code, r.err)
	assert.Contains(t, r.out, "confirm at")
	assert.NotContains(t, r.out, "Ada")
	assert.Contains(t, b.ok(t, "payin", "get", "order-1"), "pending")
	again := b.run(t, create...)
	require.Zero(t, again.code)
	assert.Equal(t, r.err, again.err, "the same reference is the same key")
	assert.Equal(t, exitUnfinished, b.run(t, "payin", "wait", "order-1", "--max-wait", "1s").code)
	require.NoError(t, b.server.ConfirmPayin("order-1"))
	assert.Contains(t, b.ok(t, "payin", "wait", "order-1"), "paid")
	create[3] = "order-2"
	b.ok(t, create...)
	require.NoError(t, b.server.DeclinePayin("order-2"))
	r = b.run(t, "payin", "wait", "order-2")
	assert.Equal(t, exitFailed, r.code)
	assert.NotContains(t, r.err, "48 hours", "the customer said no")
	create[3] = "order-3"
	b.ok(t, create...)
	require.NoError(t, b.server.FailPayin("order-3", intram.CodeTransactionError))
	r = b.run(t, "payin", "wait", "order-3")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "may still be paid within 48 hours")
	var session map[string]any
	b.json(t, &session, "payin", "get", "order-1")
	assert.Contains(t, session, "chargedAmount")
	delete(b.env, "INTRAM_PAYIN_API_KEY")
	r = b.run(t, "payin", "get", "order-1")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "INTRAM_PAYIN_API_KEY")
}

func writeServer(t *testing.T, dir string, s local.Server) {
	t.Helper()
	_, err := local.Write(dir, s)
	require.NoError(t, err)
}

func TestTheLocalServerIsFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.server
	b.env = map[string]string{"INTRAM_PUBLIC_KEY": "pk_live_of_the_environment", "INTRAM_SECRET_KEY": "sk_live_of_the_environment"}
	r := b.run(t, "balance", "--local")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "intram serve")
	writeServer(t, filepath.Join(b.home, "servers"), local.Server{
		URL:     s.URL,
		Sandbox: local.Keys{PublicKey: s.PublicKey, SecretKey: s.SecretKey, PayinAPIKey: s.PayinAPIKey, PayinAPIClient: s.PayinAPIClient},
		Live:    local.Keys{PublicKey: s.LivePublicKey, SecretKey: s.LiveSecretKey, PayinAPIKey: s.LivePayinAPIKey, PayinAPIClient: s.LivePayinAPIClient},
	})
	assert.Contains(t, b.ok(t, "balance", "--local"), "1 000 000")
	assert.Contains(t, b.ok(t, "balance", "--local", "--profile", "live"), "1 000 000")
	assert.Equal(t, intram.Live, s.Requests()[1].Environment)
	assert.Equal(t, exitRefused, b.run(t, "payin", "get", "order-9", "--local").code)
	r = b.run(t, "balance", "--local", "--base-url", "https://api.intram.org/v1")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "--base-url, --payin-base-url")
	assert.Equal(t, exitUsage, b.run(t, "balance", "--local", "--profile", "staging").code)
}

func TestWhatIsInterruptedBeforeItIsSentSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{payoutArgs(), {"balance"}} {
		r := b.runWith(t, ctx, args...)
		assert.Equal(t, exitInterrupted, r.code, "%s", r.err)
	}
	assert.Empty(t, b.server.Requests())
}

func TestAWaitThatIsInterruptedCanBeTakenUpAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, intramtest.WithWorker(intramtest.ByHand()))
	out := b.ok(t, payoutArgs()...)
	id := regexp.MustCompile(`op_\w+`).FindString(out)
	ctx, cancel := context.WithCancel(t.Context())
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: ending{b.server.Transport(), cancel}}))
	r := b.runWith(t, ctx, "payouts", "wait", id)
	assert.Equal(t, exitUnfinished, r.code, "%s", r.err)
	b.opts = b.opts[:2]
	require.NoError(t, b.server.Complete(id))
	b.ok(t, "payouts", "wait", id)
}

// ending ends the run when a call has its response.
type ending struct {
	next http.RoundTripper
	end  func()
}

func (e ending) RoundTrip(r *http.Request) (*http.Response, error) {
	defer e.end()
	return e.next.RoundTrip(r)
}

func TestATableOnATerminalHasALineBelowItsHead(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{out: &out, isTerminal: func(any) bool { return true }}
	a.printList([]string{"STATUS", "LINES"}, [][]string{{"paid", "12"}}, "")
	assert.Equal(t, "STATUS  LINES\n"+strings.Repeat("─", 15)+"\npaid       12\n", out.String())
}
