package intram_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// fidelityRow is a line of docs/fidelity.md: what the fake does, on whose word, the tests
// that prove it, and what they assert.
type fidelityRow struct {
	behaviour, source string
	tests, assertions []string
	where             string
}

func fidelityRows(t *testing.T) []fidelityRow {
	t.Helper()
	data, err := os.ReadFile("docs/fidelity.md")
	require.NoError(t, err)
	var rows []fidelityRow
	for i, line := range strings.Split(string(data), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| behaviour |") {
			continue
		}
		where := fmt.Sprintf("docs/fidelity.md:%d", i+1)
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Len(t, cells, 4, "%s has not four cells", where)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, fidelityRow{cells[0], cells[1], quotes(cells[2]), quotes(cells[3]), where})
	}
	require.NotEmpty(t, rows)
	return rows
}

// quotes returns what a cell has between backquotes.
func quotes(cell string) []string {
	var found []string
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		found = append(found, span[1])
	}
	return found
}

// TestFidelityQuotesTheTestsThatProveIt finds each quote in what a named test asserts.
// Two lines of one test quote different things: each behaviour has an assertion of its
// own.
func TestFidelityQuotesTheTestsThatProveIt(t *testing.T) {
	t.Parallel()
	packages := map[string]*testSources{}
	quoting := map[string]string{}
	for _, row := range fidelityRows(t) {
		assert.Contains(t, []string{"documented", "seen", "chosen"}, row.source, row.where)
		asserted := map[string][]string{}
		for _, name := range row.tests {
			dir, test := filepath.Split(name)
			if packages[dir] == nil {
				packages[dir] = loadTests(t, filepath.Join(dir, "*_test.go"))
			}
			asserted[name] = packages[dir].assertions(test)
		}
		for _, problem := range wrongQuotes(asserted, row.assertions) {
			t.Errorf("%s: %s", row.where, problem)
		}
		for name, texts := range asserted {
			for _, quote := range row.assertions {
				if key := name + " " + quote; quoted(texts, quote) {
					assert.Empty(t, quoting[key], "%s quotes what another line quotes of %s: %s", row.where, name, quote)
					quoting[key] = row.where
				}
			}
		}
	}
}

// TestFidelityCountsItsLines holds the numbers at the head of the table against its
// lines.
func TestFidelityCountsItsLines(t *testing.T) {
	t.Parallel()
	sources := map[string]int{}
	rows := fidelityRows(t)
	for _, row := range rows {
		sources[row.source]++
	}
	document, err := os.ReadFile("docs/fidelity.md")
	require.NoError(t, err)
	head := fmt.Sprintf("%d lines: %d documented, %d seen, %d chosen.", len(rows), sources["documented"], sources["seen"], sources["chosen"])
	assert.True(t, strings.Contains(string(document), "\n"+head+"\n"), "the head of docs/fidelity.md must say: %s", head) //nolint:testifylint // the page is long
}

// wrongQuotes says what is wrong with the quotes of a line. Each must be found in what
// one of its tests asserts, and each test must have one.
func wrongQuotes(asserted map[string][]string, quotes []string) []string {
	var problems []string
	if len(asserted) == 0 {
		problems = append(problems, "names no test")
	}
	if len(quotes) == 0 {
		problems = append(problems, "quotes no assertion")
	}
	for name, texts := range asserted {
		switch {
		case texts == nil || !isTest.MatchString(filepath.Base(name)):
			problems = append(problems, "there is no test "+name+", or it asserts nothing")
		case !slices.ContainsFunc(quotes, func(quote string) bool { return quoted(texts, quote) }):
			problems = append(problems, "quotes nothing of what "+name+" asserts")
		}
	}
	for _, quote := range quotes {
		found := false
		for _, texts := range asserted {
			found = found || quoted(texts, quote)
		}
		switch {
		case regexp.MustCompile(`^((assert|require|t)\.)?[a-zA-Z]+$`).MatchString(quote):
			problems = append(problems, "quotes a name alone: "+quote)
		case !found:
			problems = append(problems, "quotes what no test asserts: "+quote)
		}
	}
	return problems
}

// TestFidelityLeavesNothingOut wants a row for every endpoint, error code, event and test
// number.
func TestFidelityLeavesNothingOut(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for _, row := range fidelityRows(t) {
		said.WriteString(row.behaviour + "\n")
	}
	wanted := []string{
		"GET /balance", "POST /payouts", "POST /payment-requests", "POST /refunds",
		"GET /transactions/:reference", "GET /transactions", "GET /operations/:id", "GET /operations",
		"GET /webhooks", "POST /webhooks", "DELETE /webhooks/:subscription_id", "POST /webhooks/:subscription_id/test",
		"POST /v1/payin/sessions", "GET /v1/payin/{reference}", "GET /health",
	}
	wanted = append(wanted, constants(t, "errors.go", "ErrorCode")...)
	wanted = append(wanted, constants(t, "webhook_event.go", "EventType")...)
	for n := range 16 {
		wanted = append(wanted, fmt.Sprintf("0000%02d", n))
	}
	for _, want := range wanted {
		if want == "*" || want == "operation_expired" || want == "result_failed" {
			continue // a subscription's pattern, and the SDK's own codes
		}
		if !strings.Contains(said.String(), "`"+want+"`") {
			t.Errorf("docs/fidelity.md has no row for %s", want)
		}
	}
}

// TestEveryCodeOfTheCatalogueIsRecognised holds also for the codes that the fake has no
// occasion to send.
func TestEveryCodeOfTheCatalogueIsRecognised(t *testing.T) {
	t.Parallel()
	codes := constants(t, "errors.go", "ErrorCode")
	require.Subset(t, codes, []string{
		"transaction_not_refundable", "transaction_not_processed", "wallet_not_enough_cash", "wallet_should_be_different",
		"client_kyc_not_approved", "transaction_otp_required", "transaction_already_refunded",
	}, "codes that the fake does not send")
	for _, code := range codes {
		server := &payinServer{answers: []payinAnswer{{status: http.StatusForbidden, body: `{"code":"` + code + `","message":"no","statusCode":403}`}}}
		_, err := newPayin(t, server).Get(t.Context(), "order-1")
		require.ErrorIs(t, err, intram.ErrorCode(code))

		var failed intram.Operation
		require.NoError(t, json.Unmarshal([]byte(`{"operation_id":"op_1","status":"failed","error":{"code":"`+code+`"}}`), &failed))
		require.ErrorIs(t, failed.Error, intram.ErrorCode(code))
		require.NotErrorIs(t, failed.Error, intram.ErrorCode(code+"x"))
	}
}

// TestALineMustQuoteWhatItsTestsAssert plants the mistakes that a line can make.
func TestALineMustQuoteWhatItsTestsAssert(t *testing.T) {
	t.Parallel()
	s := loadTests(t, "internal/mockapi/*_test.go")
	asserted := map[string][]string{"TestLiveAllowlist": s.assertions("TestLiveAllowlist")}
	assert.Empty(t, wrongQuotes(asserted, []string{`text("client_ip")`, `2001:db8::/32`}))
	const good = `text("client_ip")`
	for quote, problem := range map[string]string{
		`"not_there"`:   `quotes what no test asserts: "not_there"`,
		"no allowlist":  "quotes what no test asserts: no allowlist",  // a comment
		`"X-Real-IP"`:   `quotes what no test asserts: "X-Real-IP"`,   // only sent
		"allows every":  "quotes what no test asserts: allows every",  // of another test
		"the seed was ": "quotes what no test asserts: the seed was ", // logged by a fixture
		"refused":       "quotes a name alone: refused",
		"assert.Equal":  "quotes a name alone: assert.Equal",
	} {
		assert.Equal(t, []string{problem}, wrongQuotes(asserted, []string{good, quote}))
	}
	assert.Equal(t, []string{"quotes no assertion", "quotes nothing of what TestLiveAllowlist asserts"}, wrongQuotes(asserted, nil))
	assert.Equal(t, []string{"names no test", "quotes no assertion"}, wrongQuotes(nil, nil))
	asserted["TestNothing"] = s.assertions("TestNothing")
	assert.Equal(t, []string{"there is no test TestNothing, or it asserts nothing"}, wrongQuotes(asserted, []string{good}))
	asserted["TestNothing"] = s.assertions("TestAPIKeyErrors")
	assert.Equal(t, []string{"quotes nothing of what TestNothing asserts"}, wrongQuotes(asserted, []string{good}))
}

// constants lists the values of a file's constants of one type.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if ident, ok := spec.Type.(*ast.Ident); ok && ident.Name == typ {
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok, "%s is not a literal", spec.Names[0])
			value, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return true
	})
	require.NotEmpty(t, values, "%s has no constants of type %s", file, typ)
	return slices.Compact(values)
}
