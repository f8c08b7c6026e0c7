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

// fidelityRow is a line of docs/fidelity.md: what the fake does, on whose word, the test that proves it, and what that
// test asserts.
type fidelityRow struct {
	behaviour, source, test string
	assertions              []string
	where                   string
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
		row := fidelityRow{behaviour: cells[0], source: cells[1], test: strings.Trim(cells[2], "`"), where: where}
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1) {
			row.assertions = append(row.assertions, span[1])
		}
		rows = append(rows, row)
	}
	require.NotEmpty(t, rows)
	return rows
}

// TestFidelityQuotesTheTestsThatProveIt finds each quoted fragment in what the named test asserts. Two lines of one test
// quote different fragments: each behaviour has an assertion of its own.
func TestFidelityQuotesTheTestsThatProveIt(t *testing.T) {
	t.Parallel()
	packages := map[string]*testSources{}
	quotes := map[string]string{}
	for _, row := range fidelityRows(t) {
		assert.Contains(t, []string{"documented", "seen", "chosen"}, row.source, row.where)
		dir, test := filepath.Split(row.test)
		if packages[dir] == nil {
			packages[dir] = loadTests(t, filepath.Join(dir, "*_test.go"))
		}
		if !slices.Contains(packages[dir].tests(), test) {
			t.Errorf("%s: no such test in %q: %s", row.where, dir, test)
			continue
		}
		if len(row.assertions) == 0 {
			continue // not read against its test yet
		}
		for _, problem := range wrongQuotes(packages[dir], test, row.assertions) {
			t.Errorf("%s: %s", row.where, problem)
		}
		for _, fragment := range row.assertions {
			key := row.test + " " + fragment
			assert.Empty(t, quotes[key], "%s quotes what another line quotes of the same test: %s", row.where, fragment)
			quotes[key] = row.where
		}
	}
}

// wrongQuotes says which fragments do not prove a behaviour, and why.
func wrongQuotes(s *testSources, test string, fragments []string) []string {
	var problems []string
	if len(fragments) == 0 {
		problems = append(problems, "quotes no assertion of "+test)
	}
	for _, fragment := range fragments {
		switch {
		case s.decls[fragment] != nil || regexp.MustCompile(`^[a-zA-Z.]+$`).MatchString(fragment):
			problems = append(problems, "quotes a name alone: "+fragment)
		case !quoted(s, test, fragment):
			problems = append(problems, test+" does not assert "+fragment)
		}
	}
	return problems
}

// TestFidelityLeavesNothingOut wants a row for every endpoint, error code, event and test number.
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
	for n := range 14 {
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

// TestEveryCodeOfTheCatalogueIsRecognised holds also for the codes that the fake has no occasion to send.
func TestEveryCodeOfTheCatalogueIsRecognised(t *testing.T) {
	t.Parallel()
	for _, code := range constants(t, "errors.go", "ErrorCode") {
		server := &payinServer{answers: []payinAnswer{{status: http.StatusForbidden, body: `{"code":"` + code + `","message":"no","statusCode":403}`}}}
		_, err := newPayin(t, server).Get(t.Context(), "order-1")
		require.ErrorIs(t, err, intram.ErrorCode(code))

		var failed intram.Operation
		require.NoError(t, json.Unmarshal([]byte(`{"operation_id":"op_1","status":"failed","error":{"code":"`+code+`"}}`), &failed))
		require.ErrorIs(t, failed.Error, intram.ErrorCode(code))
		require.NotErrorIs(t, failed.Error, intram.ErrorCode(code+"x"))
	}
}

// TestALineMustQuoteWhatItsTestAsserts plants the mistakes a line can make.
func TestALineMustQuoteWhatItsTestAsserts(t *testing.T) {
	t.Parallel()
	s := loadTests(t, "internal/mockapi/*_test.go")
	const test = "TestLiveAllowlist"
	assert.Empty(t, wrongQuotes(s, test, []string{`text("client_ip")`, `2001:db8::/32`}))
	for problem, fragments := range map[string][]string{
		"quotes no assertion of TestLiveAllowlist":        nil,
		`TestLiveAllowlist does not assert "not_there"`:   {`text("client_ip")`, `"not_there"`},
		"TestLiveAllowlist does not assert no allowlist":  {"no allowlist"},  // a comment
		`TestLiveAllowlist does not assert "X-Real-IP"`:   {`"X-Real-IP"`},   // only sent
		"TestLiveAllowlist does not assert allows every":  {"allows every"},  // of another test
		"quotes a name alone: refused":                    {"refused"},       // a helper
		"quotes a name alone: assert.Equal":               {"assert.Equal"},  // of testify
		"TestLiveAllowlist does not assert the seed was ": {"the seed was "}, // logged by a fixture
		"TestNothing does not assert 403":                 {"403"},
	} {
		name := test
		if strings.HasPrefix(problem, "TestNothing") {
			name = "TestNothing"
		}
		assert.Equal(t, []string{problem}, wrongQuotes(s, name, fragments))
	}
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
