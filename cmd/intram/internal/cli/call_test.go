package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

const callBody = `{"amount": 2500, "reference": "PO-1", "metadata": {"order": 12345678901234567890},
	"destination": {"type": "mobile_money", "provider_code": "MTN_BENIN_229", "msisdn": "22961234567"}}`

func TestAnyCallIsMade(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.run(t, "call", "post", "/payouts", "--data", "@"+b.file(t, "payout.json", callBody))
	require.Zero(t, r.code, r.err)
	var created struct {
		Data struct {
			ID string `json:"operation_id"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &created))
	sent := b.server.Requests()[0]
	assert.Contains(t, r.err, "Idempotency key: "+sent.IdempotencyKey)
	assert.Contains(t, r.err, "Accepted as operation "+created.Data.ID)
	assert.Contains(t, string(sent.Body), "12345678901234567890", "every digit is sent")
	b.ok(t, "payouts", "wait", created.Data.ID)

	var list struct{ Data []map[string]any }
	r = b.json(t, &list, "call", "GET", "/operations", "--query", "type=payout", "--query", "limit=5")
	assert.Len(t, list.Data, 1)
	assert.Empty(t, r.err)
	assert.Equal(t, "limit=5&type=payout", b.server.Requests()[len(b.server.Requests())-1].Query)
	assert.Equal(t, exitRefused, b.run(t, "call", "DELETE", "/webhooks/whs_1").code)
	assert.Equal(t, exitRefused, b.run(t, "call", "POST", "/payouts", "--data", strings.Replace(callBody, "2500", "-1", 1)).code)
	for says, args := range map[string][]string{
		"--data must be a JSON object":       {"POST", "/payouts", "--data", "[1]"},
		"--data goes with POST":              {"GET", "/payouts", "--data", "{}"},
		"--query goes with GET":              {"POST", "/payouts", "--query", "a=1"},
		"--query must be NAME=VALUE":         {"GET", "/payouts", "--query", "limit"},
		"params must have one value a key":   {"GET", "/payouts", "--query", "a=1", "--query", "a=2"},
		"carry no key":                       {"DELETE", "/payouts/op_1", "--idempotency-key", "key-of-a-test"},
		"path must begin with a slash":       {"GET", "payouts"},
		"method must be":                     {"FETCH", "/payouts"},
		"idempotency_key must be 8 to 128":   {"POST", "/payouts", "--idempotency-key", "short"},
		"--first-sent-at goes with the --id": {"POST", "/payouts", "--first-sent-at", "2026-05-20T10:30:00Z"},
	} {
		before := len(b.server.Requests())
		r := b.run(t, append([]string{"call"}, args...)...)
		assert.Equal(t, exitUsage, r.code, says)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), says)
		assert.Len(t, b.server.Requests(), before)
	}
}

func TestACallInDoubtIsResumedByTheCommandThatIsPrinted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 4}))
	r := b.run(t, "call", "POST", "/payouts", "--data", "@"+b.file(t, "payout.json", callBody))
	require.Equal(t, exitInDoubt, r.code, r.err)
	_, command, found := strings.Cut(r.err, "\n  intram call ")
	require.True(t, found, r.err)
	b.server.ClearFaults()
	args := shellWords(t, strings.TrimSpace(command))
	b.ok(t, append([]string{"call"}, args...)...)
	operations := 0
	for _, err := range b.server.Client().Operations.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		operations++
	}
	assert.Equal(t, 1, operations, "it was paid once")

	b.server.Advance(24 * time.Hour)
	r = b.run(t, append([]string{"call"}, args...)...)
	assert.Equal(t, exitInDoubt, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "may have forgotten the idempotency key")
}

func TestACallWithLiveKeysIsAskedAbout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	for _, args := range [][]string{{"call", "POST", "/payouts", "--data", callBody}, {"call", "DELETE", "/webhooks/whs_1"}} {
		r := b.run(t, args...)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, "--yes")
	}
	assert.Empty(t, b.server.Requests())
	b.ok(t, "call", "GET", "/balance")
	b.ok(t, "call", "POST", "/payouts", "--data", callBody, "--yes")
	sent := b.server.Requests()
	assert.Equal(t, http.MethodPost, sent[len(sent)-1].Method)
}

// A key that stands in the text of a call that was never sent would be looked for in
// vain.
func TestNoKeyIsNamedThatWasNeverSent(t *testing.T) {
	t.Parallel()
	payin := []string{"payin", "create", "--reference", "order-1", "--amount", "300", "--country", "CI", "--msisdn", "+2250700000000", "--customer-name", "Ada"}
	for name, args := range map[string][]string{
		"payout": payoutArgs("--idempotency-key", "key-of-a-test"), "call": {"call", "POST", "/payouts", "--data", callBody, "--idempotency-key", "key-of-a-test"},
		"refund": {"refunds", "create", "--transaction", "AB12CD34EF", "--idempotency-key", "key-of-a-test"}, "payin": payin,
		"bad parameters": payoutArgs("--idempotency-key", "key-of-a-test", "--note", strings.Repeat("x", 501)),
	} {
		for _, format := range []string{"", "--json"} {
			b := newBench(t)
			b.live()
			if format != "" {
				args = append(args, format)
			}
			r := b.run(t, args...)
			assert.Equal(t, exitUsage, r.code, name)
			assert.NotContains(t, r.out+r.err, "key-of-a-test", name)
			assert.NotContains(t, strings.ToLower(r.err), "idempotency", name)
			assert.Empty(t, b.server.Requests(), name)
		}
	}
}

// Asking again with an id that the API does not know brings nothing.
func TestAnUnknownIDIsNotWaitedForAgain(t *testing.T) {
	t.Parallel()
	for _, wait := range [][]string{
		{"operations", "wait", "op_1"}, {"payouts", "wait", "op_1"}, {"refunds", "wait", "op_1"}, {"payment-requests", "wait", "op_1"},
		{"transactions", "wait", "AB12CD34EF"}, {"payin", "wait", "order-1"},
	} {
		for _, format := range []string{"", "--json"} {
			b := newBench(t)
			args := wait
			if format != "" {
				args = append(slices.Clip(args), format)
			}
			r := b.run(t, args...)
			text := strings.Join(strings.Fields(r.err), " ")
			assert.Equal(t, exitRefused, r.code, "%v: %s", args, text)
			assert.NotContains(t, text, "again with the same", "%v", args)
			assert.Regexp(t, "check (the|its) (id|reference)|environment", text, "%v", args)
		}
	}
}
