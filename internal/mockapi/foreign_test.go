package mockapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/mockapi"
)

// The clients of testdata/clients were written from the API's documentation alone, in
// other languages and without a line of the SDK. Each lives through the same story
// against a fake of its own, and so does the SDK: every response must be the same, field
// by field. Then the SDK reads the very objects that the foreign client made, and must
// see in them what the foreign client saw, ids and dates included.
//
// So one misreading of the documentation cannot hide in both the SDK and the fake.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		needs  []string // the first runs the script
	}{
		{"client.py", []string{"python3"}},
		{"client.js", []string{"node"}},
		{"client.ts", []string{"node"}},
		{"client.php", []string{"php"}},
		{"client.java", []string{"java", "javac"}},
		{"client.sh", []string{"bash", "curl", "jq", "openssl", "python3"}},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			needPrograms(t, tt.needs...)
			script := "testdata/clients/" + tt.script
			if filepath.Ext(script) == ".ts" {
				script = compileTypeScript(t, tt.script)
			}
			server := newForeignServer(t)
			got := runForeignClient(t, server, tt.needs[0], script)
			want := sdkStory(t)

			assert.Equal(t, steps(want), steps(got), "the steps of the story")
			gotNames, wantNames := newRenamer(), newRenamer()
			for i := range min(len(got), len(want)) {
				assert.Equal(t, wantNames.rename(want[i].fields), gotNames.rename(got[i].fields), "step %s", got[i].step)
			}
			keepsItsPromises(t, got)
			readBack(t, server, got)
		})
	}
}

// promised is what the documentation says of the steps. The SDK and a foreign client may
// agree on a wrong response; this is what makes it right.
var promised = map[string]fields{
	"refused.missing_api_key":               {"answer.status": "401", "code": "missing_api_key"},
	"refused.invalid_api_key":               {"answer.status": "401", "code": "invalid_api_key"},
	"refused.missing_signature":             refusedSignature("missing_signature"),
	"refused.missing_timestamp":             refusedSignature("missing_timestamp"),
	"refused.invalid_timestamp_format":      refusedSignature("invalid_timestamp_format"),
	"refused.timestamp_out_of_window.late":  refusedSignature("timestamp_out_of_window"),
	"refused.timestamp_out_of_window.early": refusedSignature("timestamp_out_of_window"),
	"refused.signature_mismatch":            refusedSignature("signature_mismatch"),
	"refused.missing_idempotency_key":       {"answer.status": "400", "code": "missing_idempotency_key"},
	"refused.invalid_idempotency_key":       {"answer.status": "400", "code": "invalid_idempotency_key"},
	"refused.invalid_body":                  {"answer.status": "400", "code": "invalid_body"},

	"webhook.created":   {"answer.status": "201", "event": "*"},
	"payout.accepted":   {"answer.status": "202", "answer.replayed": "false", "status": "queued", "payload.amount": "25000"},
	"payout.replayed":   {"answer.status": "202", "answer.replayed": "true", "answer.same_bytes": "true"},
	"payout.conflict":   {"answer.status": "409", "code": "idempotency_conflict"},
	"payout.finished":   {"status": "succeeded", "result.status": "completed", "result.amount": "25000"},
	"payout.failed":     {"status": "failed", "error.code": "insufficient_balance"},
	"payout.bank":       {"status": "succeeded", "result.status": "queued_for_settlement", "result.amount": "40000"},
	"payout.invalid":    {"code": "validation_error", "paths": "amount currency destination.msisdn reference"},
	"balance.before":    {"payment_method_balances.0.available": "1000000"},
	"balance.after":     {"payment_method_balances.0.available": "941760"}, // − 25000 − 40000 + 11760 − 5000
	"webhooks.listed":   {"0.event": "*"},
	"webhook.tested":    {"answer.status": "202"},
	"webhook.deleted":   {"answer.status": "200"},
	"refund.accepted":   {"answer.status": "202", "status": "queued"},
	"refund.finished":   {"status": "succeeded", "result.status": "completed", "result.amount": "5000"},
	"refund.unknown":    {"answer.status": "404", "code": "transaction_not_found"},
	"operation.unknown": {"answer.status": "404", "code": "operation_not_found"},

	"payment_request.accepted": {"answer.status": "202", "status": "queued"},
	"payment_request.finished": {"status": "succeeded", "result.status": "pending", "result.amount": "12000"},
	"transaction.pending":      {"status": "PENDING", "type": "CREDIT", "amount": "12000"},
	"transaction.paid":         {"status": "SUCCESS", "amount": "12000", "fees": "240", "net_amount": "11760"},
	"transaction.declined":     {"status": "ERROR", "amount": "7000"},
	"transaction.refunded":     {"status": "SUCCESS", "refunds.0.status": "SUCCESS", "refunds.0.reason": "Demandé par le client"},
	"transaction.unknown":      {"answer.status": "404", "code": "transaction_not_found"},
	"transactions.listed":      {"answer.several_pages": "true"},
	"operations.listed":        {"answer.several_pages": "true", "0.payload.amount": "40000", "2.payload.amount": "25000"},
	"delivery":                 {"delivery.verified": "true", "delivery.forged": "false", "delivery.attempt": "1"},

	"delivery of payout.completed":       {"data.status": "completed", "data.amount": "25000", "data.reference": "PO-1"},
	"delivery of payout.failed":          {"data.status": "failed", "data.error.code": "insufficient_balance"},
	"delivery of payout.queued":          {"data.status": "queued_for_settlement", "data.amount": "40000"},
	"delivery of payment_request.paid":   {"data.status": "paid", "data.amount": "12000", "data.webhook_data.order_id": "4521"},
	"delivery of payment_request.failed": {"data.status": "failed", "data.amount": "7000", "data.webhook_data.order_id": "4522"},
	"delivery of refund.completed":       {"data.status": "completed", "data.amount": "5000", "data.reason": "Demandé par le client"},
	"delivery of test.ping":              {"operation_id": "op_test", "data.test": "true"},
}

func refusedSignature(reason string) fields {
	return fields{
		"answer.status": "401", "code": "signature_invalid", "message": "Signature verification failed: " + reason,
	}
}

func keepsItsPromises(t *testing.T, got []answer) {
	t.Helper()
	kept := make(map[string]bool)
	var events []string
	for _, a := range got {
		names := []string{a.step}
		if a.step == "delivery" {
			events = append(events, a.fields["event"])
			names = append(names, "delivery of "+a.fields["event"])
		}
		for _, name := range names {
			kept[name] = true
			for path, want := range promised[name] {
				assert.Equal(t, want, a.fields[path], "step %s, %s", name, path)
			}
		}
	}
	for step := range promised {
		assert.True(t, kept[step], "step %s is missing", step)
	}
	assert.Equal(t, []string{
		"payment_request.created", "payment_request.created", "payment_request.failed", "payment_request.paid",
		"payout.completed", "payout.failed", "payout.queued", "refund.completed", "test.ping",
	}, events)
}

// needPrograms skips the test where a program is missing, but not in CI, which installs
// all of them.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and CI must run every foreign client", name)
			}
			t.Skipf("%s is missing", name) //nolint:forbidigo // a laptop may lack the programs; CI may not
		}
	}
}

// needPackage skips the test without a package that npm brings, as needPrograms does.
func needPackage(t *testing.T, name string) {
	t.Helper()
	needPrograms(t, "node")
	if _, err := os.Stat(filepath.Join("testdata", "clients", "node_modules", name)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing, and CI must have it: make foreign-packages", name)
		}
		t.Skipf("%s is missing: make foreign-packages", name) //nolint:forbidigo // a laptop may lack it; CI may not
	}
}

// compileTypeScript checks the types of a script, and returns the path of what node runs.
func compileTypeScript(t *testing.T, script string) string {
	t.Helper()
	needPackage(t, "typescript")
	made, clients := t.TempDir(), filepath.Join("testdata", "clients")
	compiler := filepath.Join(clients, "node_modules", "typescript", "lib", "tsc.js")
	said, err := exec.CommandContext(t.Context(), "node", compiler, "--project", clients, "--outDir", made).CombinedOutput()
	require.NoError(t, err, "%s", said)
	return filepath.Join(made, strings.TrimSuffix(script, ".ts")+".js")
}

// newForeignServer starts a fake at a date long past, so that a client must read the
// server's time from its responses, as one with a wrong clock has to.
func newForeignServer(t *testing.T) *mockapi.Server {
	t.Helper()
	server, err := mockapi.New(mockapi.Config{Seed: 1, Start: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Listen("127.0.0.1:0"))
	return server
}

// What one step of the story returned, as text by the path of its field. What is null,
// empty or not there has no field: the SDK's types do not tell these apart.
type answer struct {
	step   string
	fields fields
}

type fields map[string]string

func steps(answers []answer) (names []string) {
	for _, a := range answers {
		names = append(names, a.step)
	}
	return names
}

func (f fields) set(path, value string) {
	if value != "" {
		f[path] = value
	}
}

func (f fields) date(path string, at time.Time) {
	if !at.IsZero() {
		f[path] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
}

// flatten adds what JSON says, by path.
func (f fields) flatten(path string, value any) {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			f.flatten(join(name), member)
		}
	case []any:
		for i, item := range value {
			f.flatten(join(strconv.Itoa(i)), item)
		}
	case nil:
	default:
		f.set(path, fmt.Sprint(value))
	}
}

func (f fields) raw(t *testing.T, path string, raw []byte) {
	t.Helper()
	if len(raw) > 0 {
		f.flatten(path, decode[any](t, raw))
	}
}

func decode[T any](t *testing.T, data []byte) (value T) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // digit for digit, as the foreign clients print them
	require.NoError(t, decoder.Decode(&value), "%s", data)
	return value
}

// untyped are the fields that the API sends and the SDK gives no name of their own; they
// are in Raw.
var untyped = regexp.MustCompile(`(^|\.)(_links\.self|payment_url)$` +
	`|^message$`) // of a success

func (f fields) dropUntyped() {
	maps.DeleteFunc(f, func(path, _ string) bool { return untyped.MatchString(path) })
}

// runForeignClient runs a script with the server's address and keys and nothing else of
// ours, and reads its lines.
func runForeignClient(t *testing.T, server *mockapi.Server, interpreter, script string) []answer {
	t.Helper()
	keys := server.Merchant().Sandbox
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // bash starts hundreds of programs, and a machine may be busy
	defer cancel()
	command := exec.CommandContext(ctx, interpreter, script)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=*", "no_proxy=*", "INTRAM_POLL_SECONDS=0.02",
		"INTRAM_URL="+server.BaseURL(), "INTRAM_PUBLIC_KEY="+keys.Public, "INTRAM_SECRET_KEY="+keys.Secret)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, "%s\nafter: %s", stderr.String(), lastLine(output))

	var answers []answer
	for line := range bytes.Lines(output) {
		l := decode[shown](t, line)
		if l.Page != "" {
			// The page is for people: what it did shows in the transaction.
			assert.Equal(t, "200", l.Page, l.Step)
			assert.True(t, l.Accepted, l.Step)
			continue
		}
		answers = append(answers, answer{l.Step, forComparison(l.Step, l.fields(t, decode[map[string]any](t, line)))})
	}
	return sortDeliveries(answers)
}

// shown is a line of a foreign client: the response to a call, a list, a delivery or a
// visit to the checkout page.
type shown struct {
	Step     string         `json:"step"`
	Status   string         `json:"status"`
	Body     map[string]any `json:"body"`
	Items    []any          `json:"items"`
	Page     string         `json:"page"`
	Accepted bool           `json:"accepted"`
}

// fields writes a line down as the SDK's values are. What the client itself observed is
// in line alone.
func (l shown) fields(t *testing.T, line map[string]any) fields {
	t.Helper()
	f := fields{}
	if l.Step == "delivery" {
		assert.Equal(t, l.Body["event"], line["event"], "the X-Intram-Event header")
		f.flatten("", l.Body)
		for _, name := range []string{"verified", "forged", "attempt", "delivery", "user_agent"} {
			f.flatten("delivery."+name, line[name])
		}
		f.dropUntyped()
		return f
	}
	if refused, _ := l.Body["error"].(bool); refused {
		f.flatten("", l.Body)
		assert.Equal(t, l.Status, f["http_status"], "%s: http_status is the status", l.Step)
		delete(f, "error")
		delete(f, "http_status")
	} else {
		f.flatten("", l.Body["data"])
		f.flatten("", l.Items)
		f.dropUntyped()
	}
	for _, name := range []string{"status", "replayed", "same_bytes", "several_pages"} {
		f.flatten("answer."+name, line[name])
	}
	return f
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// forComparison leaves out of a validation error what each side says in its own words:
// the SDK refuses before it sends anything. That it is the same fields that are wrong is
// what counts.
func forComparison(step string, f fields) fields {
	if step != "payout.invalid" {
		return f
	}
	var paths []string
	for path, value := range f {
		if strings.HasPrefix(path, "details.") && strings.HasSuffix(path, ".path") {
			paths = append(paths, value)
		}
	}
	slices.Sort(paths)
	return fields{"code": f["code"], "paths": strings.Join(paths, " ")}
}

// sortDeliveries puts the deliveries, which may come in any order, into one.
func sortDeliveries(answers []answer) []answer {
	key := func(a answer) string { return a.fields["event"] + " " + a.fields["data.amount"] }
	first := slices.IndexFunc(answers, func(a answer) bool { return a.step == "delivery" })
	if first < 0 {
		return answers
	}
	end := first
	for end < len(answers) && answers[end].step == "delivery" {
		end++
	}
	slices.SortStableFunc(answers[first:end], func(a, b answer) int { return cmp.Compare(key(a), key(b)) })
	return answers
}

// renamer gives what a server made up the same names in every run of the story: ids and
// references by their order of appearance, so that two responses about one object stay
// about one object; dates, hosts and pictures by their kind.
type renamer struct{ names map[string]string }

func newRenamer() *renamer { return &renamer{names: make(map[string]string)} }

var madeUp = regexp.MustCompile(`\b(?:op|whs|whd|whsec|mer)_[0-9a-f]{6,}` + // ids
	`|\b[A-Z0-9]{10}\b` + // transaction references
	`|\bSR[0-9a-f]{8,}\b` + // the operator's references
	`|\b\d{4}-\d\d-\d\dT[\d:.]+Z` +
	`|\b127\.0\.0\.1:\d+` +
	`|\bdata:image/png;base64,[A-Za-z0-9+/=]+`)

func (r *renamer) rename(f fields) fields {
	renamed := make(fields, len(f))
	for _, path := range slices.Sorted(maps.Keys(f)) {
		renamed[path] = madeUp.ReplaceAllStringFunc(f[path], func(s string) string {
			switch {
			case strings.HasPrefix(s, "data:"):
				return "<a picture>"
			case strings.HasPrefix(s, "127."):
				return "<a host>"
			case strings.HasSuffix(s, "Z") && strings.Contains(s, "T") && strings.Contains(s, ":"):
				return "<a date>"
			}
			kind, _, isID := strings.Cut(s, "_")
			if !isID {
				kind = "reference"
			}
			if r.names[s] == "" {
				r.names[s] = fmt.Sprintf("<%s %d>", kind, len(r.names)+1)
			}
			return r.names[s]
		})
	}
	return renamed
}

// readBack looks up, with the SDK, each operation and transaction that a foreign client
// was shown as its last word.
func readBack(t *testing.T, server *mockapi.Server, answers []answer) {
	t.Helper()
	client := newStoryClient(t, server, nil)
	read := 0
	for _, a := range answers {
		if strings.HasPrefix(a.step, "refused.") {
			continue
		}
		shown := make(fields, len(a.fields))
		for path, value := range a.fields {
			if !strings.HasPrefix(path, "answer.") {
				shown[path] = value
			}
		}
		switch a.step {
		case "payout.finished", "payout.failed", "payout.bank", "payment_request.finished", "refund.finished":
			op, err := client.Operations.Get(t.Context(), shown["operation_id"])
			require.NoError(t, err)
			assert.Equal(t, shown, operationFields(t, op), a.step)
			read++
		case "transaction.refunded", "transaction.declined":
			transaction, err := client.Transactions.Get(t.Context(), shown["reference"])
			require.NoError(t, err)
			assert.Equal(t, shown, transactionFields(t, transaction), a.step)
			read++
		}
	}
	assert.Equal(t, 7, read, "operations and transactions read back")
}
