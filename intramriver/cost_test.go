package intramriver_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
)

// counter counts the statements of a pool.
type counter struct{ n atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestAPayoutCostsFewStatements(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	config, err := pgxpool.ParseConfig(s.pool.Config().ConnString())
	require.NoError(t, err)
	counted := new(counter)
	config.ConnConfig.Tracer = counted
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s.work = s.machine(func(c *intramriver.Config) { c.Pool = pool })
	const n = 50
	s.many(n)
	made := counted.n.Swap(0)
	s.sweep()
	ended := counted.n.Load()
	assert.Equal(t, n, s.count("SELECT count(*) FROM books"))
	t.Logf("%d payouts: %d statements to plan and send, %d to end, with BEGIN, COMMIT and that of OnEnd", n, made, ended)
	// BEGIN and COMMIT of the plan are the order's. What River does for a job, to fetch
	// and to complete it, it does for many at once.
	assert.LessOrEqual(t, made+ended-2*n, int64(9*n))
	assert.Equal(t, n, s.posts())
}

// History does not slow the statements down: none reads the table from end to end.
func TestTheStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	_, err := s.pool.Exec(t.Context(), `
		INSERT INTO intram_records (merchant, environment, kind, reference, state, amount, currency, params, intent, tries, operation_id, operation_at, look_at, created_at, changed_at, ended_at)
		SELECT 'default', 'sandbox', 'payout', 'OLD-' || n,
			CASE WHEN n % 100 = 0 THEN 'planned' WHEN n % 100 = 1 THEN 'accepted' WHEN n % 1000 = 2 THEN 'in_doubt' WHEN n % 100 = 3 THEN 'queued_for_settlement' ELSE 'completed' END,
			1, 'XOF', CASE WHEN n % 10 = 5 THEN 'p'::bytea END, 'i', 1, CASE WHEN n % 100 <> 0 THEN 'op_' || n END,
			clock_timestamp() - n * interval '1 second', now(), clock_timestamp(), clock_timestamp() - n * interval '1 second',
			CASE WHEN n % 100 > 2 THEN clock_timestamp() - n * interval '1 second' END
		FROM generate_series(1, 40000) n`)
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), "ANALYZE intram_records")
	require.NoError(t, err)
	for name, statement := range s.work.Statements(20_000, "op_20001", time.Now()) {
		rows, err := s.pool.Query(t.Context(), "EXPLAIN "+statement.SQL, statement.Args...)
		require.NoError(t, err, name)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, name)
		plan := strings.Join(lines, "\n")
		assert.NotContains(t, plan, "Seq Scan on intram_records", "%s:\n%s", name, plan)
		if name == "due" || name == "later" {
			assert.Contains(t, plan, "intram_records_operation", "%s:\n%s", name, plan)
		}
	}
}

// A rolling deploy: the next version has migrated, and this one works on.
func TestTheNextVersionsMigrationLeavesThisOneWorking(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	before := s.plan("PO-1", "000000")
	_, err := s.pool.Exec(t.Context(), `
		ALTER TABLE intram_records ADD COLUMN batch text NOT NULL DEFAULT '', ADD COLUMN approved_by text;
		INSERT INTO intram_migrations (version) VALUES (1000);
		UPDATE river_job SET args = args || '{"batch": "2026-W48"}'`)
	require.NoError(t, err)
	require.NoError(t, intramriver.Migrate(t.Context(), s.pool, ""), "it leaves a later version alone")
	after := s.plan("PO-2", "000000")
	for _, r := range []*intramriver.Record{before, after} {
		require.NoError(t, s.work.Send(t.Context(), r.ID))
	}
	machine := s.start(s.work)
	s.jobsUntil(intramriver.SendKind, 2, machine)
	// River has a sweep of its own, and one that is under way keeps this one out.
	require.NoError(t, machine.StopAndCancel(t.Context()))
	s.sweep()
	for i := range 2 {
		assert.Equal(t, []string{"completed"}, s.books(fmt.Sprintf("PO-%d", i+1)))
	}
}
