package pginbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of database/sql
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// The amounts, intents and parameters of the SDK in columns of a real PostgreSQL: they
// have no database of their own to be tested with.
func TestAmountsGoThroughPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	url := shared.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer func() { assert.NoError(t, db.Close()) }()

	const query = `select $1::numeric(40,2), $2::bigint, $3::text, $4::integer, $5::numeric`
	for name, row := range map[string]func(args ...any) interface{ Scan(dest ...any) error }{
		"pgx": func(args ...any) interface{ Scan(dest ...any) error } {
			return conn.QueryRow(t.Context(), query, args...)
		},
		"database/sql": func(args ...any) interface{ Scan(dest ...any) error } {
			return db.QueryRowContext(t.Context(), query, args...)
		},
	} {
		for _, written := range []string{"25000", "25000.00", "0", "-3.00", "1e3", "2147483647"} {
			sent, err := intram.ParseAmount(written)
			require.NoError(t, err)
			var numeric, bigint, text, integer, free intram.Amount
			require.NoError(t, row(sent, sent, sent, sent, sent).Scan(&numeric, &bigint, &text, &integer, &free), "%s %s", name, written)
			for _, got := range []intram.Amount{numeric, bigint, text, integer, free} {
				assert.True(t, got.Equal(sent), "%s: %s came back as %s", name, written, got)
				assert.True(t, got.IsSet())
			}
		}
		// To the last digit.
		long, err := intram.ParseAmount("12345678901234567890123456789012345678.91")
		require.NoError(t, err)
		var got, text intram.Amount
		var none, nothing, number *intram.Amount
		require.NoError(t, row(long, nil, long, nil, long).Scan(&got, &none, &text, &nothing, &number))
		assert.Equal(t, long.String(), got.String())
		assert.Equal(t, long.String(), text.String())
		assert.Nil(t, none)
		require.NotNil(t, number)
		assert.Equal(t, long.String(), number.String())

		// What was computed from a NULL is no amount, and nothing refunds it.
		require.Error(t, row(nil, int64(1), "1", int64(1), "1").Scan(&got, &none, &text, &nothing, &number), name)
		assert.False(t, got.IsSet())
	}

	// A column that may be NULL.
	var maybe sql.Null[intram.Amount]
	require.NoError(t, db.QueryRowContext(t.Context(), `select null::numeric`).Scan(&maybe))
	assert.False(t, maybe.Valid)
	require.NoError(t, db.QueryRowContext(t.Context(), `select $1::numeric`, sql.Null[intram.Amount]{V: intram.NewAmount(7), Valid: true}).Scan(&maybe))
	assert.Equal(t, "7", maybe.V.String())
	// A floating-point column is not exact, and NaN is no amount.
	var bad intram.Amount
	require.ErrorContains(t, db.QueryRowContext(t.Context(), `select 0.1::double precision`).Scan(&bad), "cannot scan a float64")
	require.Error(t, db.QueryRowContext(t.Context(), `select 'NaN'::numeric`).Scan(&bad))
	assert.False(t, bad.IsSet())
}

func TestIntentsAndParametersGoThroughPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), shared.URL(t))
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6")
	require.NoError(t, err)
	params := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Reference: "PO-1",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
		Metadata:    map[string]any{"order": int64(9007199254740993), "ratio": 1.5},
	}
	intent, err := client.Payouts.Prepare(params)
	require.NoError(t, err)

	// jsonb writes objects in its own order and numbers in its own way.
	var stored intram.PayoutParams
	var saved intram.Intent
	var raw []byte
	require.NoError(t, conn.QueryRow(t.Context(), `select $1::jsonb, $2::jsonb, $1::jsonb::text`, params, intent).Scan(&stored, &saved, &raw))
	assert.True(t, json.Valid(raw))
	again, err := client.Payouts.Prepare(stored)
	require.NoError(t, err)
	assert.Equal(t, intent.CallSHA256, again.CallSHA256, "the same bytes")
	assert.Equal(t, intent.IdempotencyKey, saved.IdempotencyKey)
	assert.Equal(t, intent.AccountSHA256, saved.AccountSHA256)
	assert.True(t, intent.FirstSentAt.Equal(saved.FirstSentAt))
}
