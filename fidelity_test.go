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

// fidelityRow is a line of docs/fidelity.md: what the fake does, on whose word, and the test that proves it.
type fidelityRow struct {
	line                    int
	behaviour, source, test string
}

func fidelityRows(t *testing.T) []fidelityRow {
	t.Helper()
	data, err := os.ReadFile("docs/fidelity.md")
	require.NoError(t, err)
	var rows []fidelityRow
	for i, line := range strings.Split(string(data), "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) < 3 || strings.HasPrefix(strings.TrimSpace(cells[0]), "--") || strings.TrimSpace(cells[1]) == "source" {
			continue
		}
		require.Len(t, cells, 3, "docs/fidelity.md:%d has not three cells", i+1)
		rows = append(rows, fidelityRow{i + 1, strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.Trim(strings.TrimSpace(cells[2]), "`")})
	}
	require.NotEmpty(t, rows)
	return rows
}

func TestFidelityNamesASourceAndAnExistingTest(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{}
	for _, row := range fidelityRows(t) {
		where := fmt.Sprintf("docs/fidelity.md:%d", row.line)
		assert.Contains(t, []string{"documented", "seen", "chosen"}, row.source, where)
		dir, name := filepath.Split(row.test)
		if _, ok := tests[dir]; !ok {
			tests[dir] = testFunctions(t, dir)
		}
		assert.Contains(t, tests[dir], name, "%s: no such test in %q", where, dir)
	}
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

// testFunctions lists the tests of a folder.
func testFunctions(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && regexp.MustCompile(`^(Test|Fuzz|Example)`).MatchString(f.Name.Name) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
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
