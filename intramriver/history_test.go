package intramriver_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
)

// historySize names how many rows of history there are: 1000000 takes two minutes.
const historySize = "INTRAMRIVER_HISTORY"

// walkable are the indexes that hold the history.
var walkable = regexp.MustCompile(`using intram_(records|events)_(reference|operation|key|prunable|done)`)

// countPending counts the operations that the reconciler has in view, all of them.
const countPending = "SELECT count(*) FROM intram_pending WHERE merchant = $1 AND environment = $2"

// Every statement in the source of this package is planned on a long history, whatever
// its parameters are: none reads a table from its beginning to its end.
func TestNoStatementReadsTheHistory(t *testing.T) {
	t.Parallel()
	rows := 100_000
	if size := os.Getenv(historySize); size != "" {
		n, err := strconv.Atoi(size)
		require.NoError(t, err)
		rows = n
	}
	server := pgtest.New(t)
	pool := newPool(t, server.URL())
	migrateAll(t, pool)
	conn, err := pgx.Connect(t.Context(), server.URL())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	for _, sql := range []string{
		// What has ended, and beside it a day's work in every other state.
		`INSERT INTO intram_records (merchant, environment, kind, reference, state, amount, currency, params, intent, operation_id, operation_at, look_at, created_at, changed_at, ended_at)
			SELECT 'default', 'sandbox', 'payout', 'PO-' || n, 'completed', 500, 'XOF', CASE WHEN n % 2 = 0 THEN '\x01'::bytea END, '\x01', 'op_' || n,
				now() - n * interval '10 s', now(), now() - n * interval '10 s', now() - n * interval '10 s', now() - n * interval '10 s'
			FROM generate_series(1, $1) n`,
		`INSERT INTO intram_records (merchant, environment, kind, reference, state, amount, currency, params, intent, operation_id, operation_at, look_at, created_at, changed_at)
			SELECT 'default', 'sandbox', 'payout', 'OPEN-' || n, (ARRAY['accepted', 'accepted', 'planned', 'sending', 'in_doubt'])[1 + n % 5], 500, 'XOF', '\x01', '\x01', 'op_open_' || n,
				now() - n * interval '1 s', now(), CURRENT_TIMESTAMP, now() - n * interval '1 s' FROM generate_series(1, $1 / 50) n`,
		`INSERT INTO intram_events (merchant, environment, key, type, operation_id, received_at, source, body, look_at, done_at)
			SELECT 'default', 'sandbox', 'key-' || n, 'payout.completed', 'op_' || n, now() - n * interval '10 s', 'delivery', '\x01', now(), now() - n * interval '10 s'
			FROM generate_series(1, $1) n`,
		`INSERT INTO intram_events (merchant, environment, key, type, operation_id, received_at, source, body, look_at, dead_at)
			SELECT 'default', 'sandbox', 'open-' || n, 'payout.completed', 'op_' || n, now(), 'delivery', '\x01', now(), CASE WHEN n % 2 = 0 THEN now() END
			FROM generate_series(1, $1 / 100) n`,
		`INSERT INTO intram_pending (merchant, environment, operation_id, told) SELECT 'default', 'sandbox', 'op_' || n, '{}' FROM generate_series(1, $1) n`,
	} {
		_, err := conn.Exec(t.Context(), sql, rows)
		require.NoError(t, err, sql)
	}
	for _, sql := range []string{"VACUUM ANALYZE", "SET plan_cache_mode = force_generic_plan"} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}

	all := statementsOfTheSource(t)
	for name, ends := range map[string][]string{ // what is put together when it runs
		"recordsSQL": {"true ORDER BY id LIMIT $5", "state IN ('needs_person', 'in_doubt') ORDER BY id LIMIT $5"},
		"pendingSQL": {" AND operation_id = ANY($3)", " AND (created_at IS NULL OR created_at < $3) ORDER BY since NULLS FIRST LIMIT $4"},
	} {
		for _, end := range ends {
			all[name+"…"+end] = all[name] + end
		}
		delete(all, name)
	}
	require.Greater(t, len(all), 40, "the statements were not found")
	for i, name := range slices.Sorted(maps.Keys(all)) {
		prepared, err := conn.Prepare(t.Context(), fmt.Sprintf("s%d", i), all[name])
		require.NoError(t, err, "%s: %s", name, all[name])
		explain := fmt.Sprintf("EXPLAIN (COSTS OFF) EXECUTE s%d", i)
		if n := len(prepared.ParamOIDs); n > 0 {
			explain += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
		}
		lines, err := conn.Query(t.Context(), explain)
		require.NoError(t, err, name)
		plan, err := pgx.CollectRows(lines, pgx.RowTo[string])
		require.NoError(t, err, name)
		t.Logf("%s\n%s", name, strings.Join(plan, "\n"))
		for j, line := range plan {
			for _, table := range []string{"intram_records", "intram_events", "intram_pending"} {
				if all[name] == countPending {
					continue
				}
				assert.NotContains(t, line, "Seq Scan on "+table, "%s:\n%s", name, strings.Join(plan, "\n"))
				// A condition on the merchant alone is none: most have one.
				next := ""
				if j+1 < len(plan) {
					next = plan[j+1]
				}
				walks := walkable.MatchString(line) && strings.Count(next, " AND ") < 2 || strings.Contains(line, "Scan using "+table) && !strings.Contains(next, "Index Cond")
				assert.False(t, walks, "%s walks through an index:\n%s", name, strings.Join(plan, "\n"))
			}
		}
	}
}

// statementsOfTheSource finds the SQL in the source: constants whose name ends in SQL,
// and what is given to (*Work).sql.
func statementsOfTheSource(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	constants := map[string]ast.Expr{}
	var parsed []*ast.File
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, 0)
		require.NoError(t, err)
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i, name := range v.Names {
					if i < len(v.Values) {
						constants[name.Name] = v.Values[i]
					}
				}
			}
			return true
		})
	}
	var text func(e ast.Expr) (string, bool)
	text = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			return s, err == nil && e.Kind == token.STRING
		case *ast.Ident:
			if c := constants[e.Name]; c != nil {
				return text(c)
			}
		case *ast.BinaryExpr:
			left, ok1 := text(e.X)
			right, ok2 := text(e.Y)
			return left + right, ok1 && ok2
		}
		return "", false
	}
	names := strings.NewReplacer("{now}", intramriver.DatabaseNow, "{", "intram_", "}", "")
	found := map[string]string{}
	for name, e := range constants {
		if sql, known := text(e); known && strings.HasSuffix(name, "SQL") {
			found[name] = names.Replace(sql)
		}
	}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if selector, ok := call.Fun.(*ast.SelectorExpr); !ok || selector.Sel.Name != "sql" {
				return true
			}
			sql, known := text(call.Args[0])
			at := set.Position(call.Pos())
			name := fmt.Sprintf("%s:%d", at.Filename, at.Line)
			if id, ok := call.Args[0].(*ast.Ident); ok {
				name = id.Name
			}
			switch {
			case known && strings.HasPrefix(strings.TrimSpace(sql), "{"): // a piece of a condition of River's
			case known && constants[name] == nil:
				found[name] = names.Replace(sql)
			}
			return true
		})
	}
	return found
}
