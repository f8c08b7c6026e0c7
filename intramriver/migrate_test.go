package intramriver_test

import (
	"context"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

func tables(t *testing.T, pool *pgxpool.Pool, schema string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT table_name FROM information_schema.tables
		WHERE table_schema = coalesce(nullif($1, ''), current_schema()) AND table_name LIKE 'intram%' AND table_name <> 'intram_migrations' ORDER BY 1`, schema)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

func TestManyMachinesMigrateAtOnceForwardsAndBackwards(t *testing.T) {
	t.Parallel()
	address := newSchema(t, shared.URL(t))
	pool := newPool(t, address)
	var machines sync.WaitGroup
	for range 6 {
		machines.Go(func() { assert.NoError(t, intramriver.Migrate(t.Context(), pool, "")) })
	}
	machines.Wait()
	full := tables(t, pool, "")
	assert.Subset(t, full, []string{"intram_pauses", "intram_records", "intram_sweeps"})
	require.NoError(t, intramriver.MigrateTo(t.Context(), pool, "", 0))
	assert.Empty(t, tables(t, pool, ""))
	require.NoError(t, intramriver.MigrateTo(t.Context(), pool, "", 0))
	require.NoError(t, intramriver.Migrate(t.Context(), pool, ""))
	assert.Equal(t, full, tables(t, pool, ""))
	require.ErrorContains(t, intramriver.MigrateTo(t.Context(), pool, "", 1000), "version")
	require.ErrorContains(t, intramriver.MigrateTo(t.Context(), pool, "", -1), "version")
	require.ErrorContains(t, intramriver.Migrate(t.Context(), nil, ""), "pool is nil")
	// Each step has a way back.
	ups, err := fs.Glob(intramriver.Migrations(), "migrations/*.up.sql")
	require.NoError(t, err)
	downs, err := fs.Glob(intramriver.Migrations(), "migrations/*.down.sql")
	require.NoError(t, err)
	assert.Len(t, downs, len(ups))
}

// In schemas of their own, beside River's, and through a pooler in transaction mode,
// where no statement is prepared and no connection is one's own.
func TestItWorksInSchemasAndWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			config, err := pgxpool.ParseConfig(s.pool.Config().ConnString())
			require.NoError(t, err)
			config.ConnConfig.DefaultQueryExecMode = mode
			// Each statement outside a transaction comes over another connection, whose
			// search_path is another client's.
			config.MaxConns = 3
			schema := "s" + s.pool.Config().ConnConfig.RuntimeParams["search_path"]
			s.pool, err = pgxpool.NewWithConfig(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(s.pool.Close)
			require.NoError(t, intramriver.Migrate(t.Context(), s.pool, schema+"_money"))
			_, err = s.pool.Exec(t.Context(), "CREATE SCHEMA "+schema+"_river")
			require.NoError(t, err)
			t.Cleanup(func() {
				_, _ = s.pool.Exec(context.WithoutCancel(t.Context()), "DROP SCHEMA "+schema+"_river CASCADE; DROP SCHEMA "+schema+"_money CASCADE")
			})
			migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), &rivermigrate.Config{Schema: schema + "_river"})
			require.NoError(t, err)
			_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
			require.NoError(t, err)
			s.work = s.machine(func(c *intramriver.Config) { c.Schema, c.RiverSchema = schema+"_money", schema+"_river" })

			require.NoError(t, s.server.Fault(intramtest.Fault{Kind: intramtest.ServerError, On: "POST", Executed: true}))
			r := s.plan("PO-1", "000000")
			s.plan("PO-1", "000000")
			s.send(s.work, r.ID)
			s.pass(time.Minute)
			_, ended, _, _, err := s.work.Sweep(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 1, ended)
			assert.Equal(t, intramriver.Completed, s.state("PO-1"))
			assert.Equal(t, []string{"completed"}, s.books("PO-1"))
			h, err := s.work.Health(t.Context())
			require.NoError(t, err)
			assert.NotEqual(t, time.Duration(-1), h.SweepAge)
			s.pass(time.Hour)
			pruned, err := s.work.Prune(t.Context(), time.Minute)
			require.NoError(t, err)
			assert.Equal(t, int64(1), pruned)
			assert.Zero(t, s.count("SELECT count(*) FROM intram_records"), "nothing is in the other schema")
			assert.Zero(t, s.count("SELECT count(*) FROM river_job"))
		})
	}
}
