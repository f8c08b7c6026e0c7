package redact_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/redact"
)

func TestMessageLeavesOutWhatMayBeAPerson(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Subscriber Ada Lovelace not found":           "Subscriber … not found",
		"ADA LOVELACE is not registered":              "… is not registered",
		"the account of ada lovelace is blocked":      "the account of … is blocked",
		"customer_name 'Ada Lovelace' does not match": "customer_name … does not match",
		"Ada":                               "…",
		"first_name=Ada&last_name=Lovelace": "…",
		"ada.lovelace@example.com has no account":   "[e-mail] has no account",
		"<ada@example.com>":                         "<[e-mail]>",
		"22961234567 is not registered":             "•••••••••67 is not registered",
		"+229 61 23 45 67 is not registered":        "+•••••••••••••67 is not registered",
		"msisdn:22961234567":                        "msisdn:•••••••••67",
		"Ada22961234567":                            "…",
		"amount must be at most 2000000 XOF":        "amount must be at most •••••00 XOF",
		"destination.msisdn must be 8 to 15 digits": "destination.msisdn must be 8 to 15 digits",
		"(amount) > 0, < 500; 2.5%":                 "(amount) > 0, < 500; 2.5%",
		"Solde insuffisant":                         "…",
		"":                                          "",
		"line\nbreak":                               "line …",
	} {
		assert.Equal(t, want, redact.Message(in), "Message(%q)", in)
	}
}

// The docs' own messages come through whole: they are what a developer needs.
func TestMessageKeepsTheDocsOwnMessages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/examples/error.*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var refusal struct {
			Message string
			Details []struct{ Path, Msg string }
		}
		require.NoError(t, json.Unmarshal(data, &refusal))
		assert.Equal(t, refusal.Message, redact.Message(refusal.Message))
		for _, d := range refusal.Details {
			assert.Equal(t, d.Msg, redact.Message(d.Msg))
			assert.Equal(t, d.Path, redact.Message(d.Path))
		}
	}
	for _, reason := range []string{
		"missing_signature", "missing_timestamp", "invalid_timestamp_format", "timestamp_out_of_window", "signature_mismatch",
	} {
		message := "Signature verification failed: " + reason
		assert.Equal(t, message, redact.Message(message))
	}
	for _, message := range []string{
		"Insufficient merchant balance", "Subscriber not found", "Transaction not found", "Too many requests", "Internal server error",
		"must be an ISO 4217 code (3 upper-case letters)", "must be > 0", "must be at most 100 characters",
		"must be an event such as payout.completed, a family such as payout.*, * or all", "Service temporarily unavailable",
		"the answer is not JSON (text/html)", "the answer is JSON of another kind than the API's",
	} {
		assert.Equal(t, message, redact.Message(message))
	}
}

func TestCauseLeavesOutWhatItQuotes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`malformed HTTP response "Ada 22961234567"`:                          `malformed HTTP response "…"`,
		`malformed MIME header: missing colon: "Ada \"the\" Lovelace"; stop`: `malformed MIME header: missing colon: "…"; stop`,
		`an open "quote of Ada`:                                              `an open "…"`,
		"dial tcp 203.0.113.99:443: connect: connection refused":             "dial tcp 203.0.113.99:443: connect: connection refused",
		"read tcp 127.0.0.1:4000->127.0.0.1:5000: i/o timeout":               "read tcp 127.0.0.1:4000->127.0.0.1:5000: i/o timeout",
	} {
		assert.Equal(t, want, redact.Cause(in))
	}
}
