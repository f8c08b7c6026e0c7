package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
)

// database is the PostgreSQL of these tests.
var database pgtest.Shared

var sealKey = bytes.Repeat([]byte{7}, 32)

// storedBench has events and records in a database of its own.
type storedBench struct {
	*bench

	pool *pgxpool.Pool
	work *intramriver.Work
}

func newStoredBench(t *testing.T) *storedBench {
	t.Helper()
	ctx := t.Context()
	b := &storedBench{bench: newBench(t)}
	server := database.URL(t)
	admin, err := pgxpool.New(ctx, server)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	schema := "cli_" + strings.ToLower(strings.NewReplacer("/", "_").Replace(t.Name()))
	_, err = admin.Exec(ctx, "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = admin.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE") })
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	b.env["INTRAM_DATABASE_URL"] = server + separator + "search_path=" + url.QueryEscape(schema)
	b.env["INTRAM_SEAL_KEYS"] = "k1=" + base64.StdEncoding.EncodeToString(sealKey)
	b.pool, err = pgxpool.New(ctx, b.env["INTRAM_DATABASE_URL"])
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	migrator, err := rivermigrate.New(riverpgxv5.New(b.pool), nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	require.NoError(t, intramriver.Migrate(ctx, b.pool, ""))
	seal, err := intramriver.NewAESGCM("k1", map[string][]byte{"k1": sealKey})
	require.NoError(t, err)
	b.work, err = intramriver.New(b.server.Client(), intramriver.Config{Pool: b.pool, Seal: seal})
	require.NoError(t, err)
	return b
}

// receive stores an event; a dead one as if River had given it up.
func (b *storedBench) receive(t *testing.T, typ, operation string, dead bool) {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier("whsec_0123456789abcdef")
	require.NoError(t, err)
	body := fmt.Sprintf(`{"event":%q,"operation_id":%q,"occurred_at":"2026-05-20T10:31:00.000Z","data":{"amount":500,"destination":{"type":"mobile_money","msisdn":%q}}}`, typ, operation, msisdn)
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header = intram.SignWebhook("whsec_0123456789abcdef", b.clock.Now(), []byte(body))
	w := httptest.NewRecorder()
	b.work.Handler(verifier.WithClock(b.clock)).ServeHTTP(w, req)
	require.Equal(t, 200, w.Code)
	if dead {
		_, err := b.pool.Exec(t.Context(), `UPDATE intram_events SET dead_at = now(), failed_at = now(), attempts = 25, error = E'no row for\nthe customer' WHERE operation_id = $1`, operation)
		require.NoError(t, err)
	}
}

func (b *storedBench) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func TestStoredEventsAreListedShownAndReplayed(t *testing.T) {
	t.Parallel()
	b := newStoredBench(t)
	assert.Contains(t, b.ok(t, "events", "list"), "There are no such events.")
	b.receive(t, "payout.completed", "op_1", true)
	b.receive(t, "payout.failed", "op_2", true)
	b.receive(t, "refund.completed", "op_3", false)

	r := b.run(t, "events", "list")
	assert.Contains(t, r.out, "payout.completed")
	assert.Contains(t, r.out, "refund.completed")
	assert.Contains(t, r.err, "no row for the customer")
	var events []storedEvent
	b.json(t, &events, "events", "list", "--state", "dead", "--type", "payout.failed")
	require.Len(t, events, 1)
	assert.Equal(t, "op_2", events[0].OperationID)
	row := fmt.Sprint(events[0].ID)
	assert.Contains(t, b.run(t, "events", "list", "--limit", "1").err, "--after")

	assert.NotContains(t, b.ok(t, "events", "show", row), msisdn)
	assert.NotContains(t, b.ok(t, "events", "show", row, "--json"), msisdn)
	b.edit = func(a *app) { a.asJSON = true } // the body has one line
	assert.Contains(t, b.ok(t, "events", "show", row, "--body", "--json"), msisdn)
	b.edit = nil
	delete(b.env, "INTRAM_SEAL_KEYS")
	r = b.run(t, "events", "show", row, "--body")
	assert.Equal(t, exitRefused, r.code)
	assert.NotContains(t, r.out+r.err, msisdn)
	b.env["INTRAM_SEAL_KEYS"] = "k1=" + base64.StdEncoding.EncodeToString(sealKey)
	assert.Equal(t, exitRefused, b.run(t, "events", "show", "999").code)
	assert.Equal(t, exitRefused, b.run(t, "events", "show", row, "--merchant", "another").code, "it is not that merchant's")

	// Nothing is written without --yes.
	assert.Contains(t, b.ok(t, "events", "replay", "--all"), "2 events would be replayed")
	assert.Equal(t, 2, b.count(t, "SELECT count(*) FROM intram_events WHERE dead_at IS NOT NULL"))
	assert.Equal(t, 3, b.count(t, "SELECT count(*) FROM river_job"))
	assert.Contains(t, b.ok(t, "events", "replay", row, "--yes"), "1 event replayed.")
	var counted map[string]int
	b.json(t, &counted, "events", "replay", "--since", "2026-01-01", "--yes")
	assert.Equal(t, map[string]int{"replayed": 1}, counted)
	assert.Zero(t, b.count(t, "SELECT count(*) FROM intram_events WHERE dead_at IS NOT NULL"))
	assert.Equal(t, 5, b.count(t, "SELECT count(*) FROM river_job"))
	assert.Contains(t, b.ok(t, "events", "replay", "--state", "waiting"), "0 events")
}

func TestDeadCallsAreListedAndRetriedByTheCommand(t *testing.T) {
	t.Parallel()
	b := newStoredBench(t)
	assert.Contains(t, b.ok(t, "jobs", "list"), "Every call has ended")
	record, err := b.work.Payout(t.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(500), Currency: intram.XOF, Reference: "SAL-017",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
	})
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = $1, attempt = 3,
		errors = ARRAY[jsonb_build_object('at', now(), 'attempt', 3, 'error', 'cancelled by hand', 'trace', '')]`, b.clock.Now())
	require.NoError(t, err)
	out := b.ok(t, "jobs", "list")
	assert.Contains(t, out, "SAL-017")
	assert.Contains(t, out, "cancelled by hand")
	assert.NotContains(t, out, msisdn)
	var dead []deadJob
	b.json(t, &dead, "jobs", "list")
	require.Len(t, dead, 1)
	assert.Equal(t, record.ID, dead[0].Record)
	assert.Contains(t, b.ok(t, "jobs", "list", "--since", "2027-01-01"), "Every call has ended")

	assert.Contains(t, b.ok(t, "jobs", "retry", "--all"), "1 call would be worked on again")
	assert.Equal(t, 1, b.count(t, "SELECT count(*) FROM river_job"))
	assert.Contains(t, b.ok(t, "jobs", "retry", fmt.Sprint(record.ID), "--yes"), "1 call worked on again.")
	assert.Equal(t, 1, b.count(t, "SELECT count(*) FROM river_job WHERE state = 'available'"))
	assert.Empty(t, b.server.Requests(), "the command itself calls nothing")
}

func TestMistakesOfTheStoredCommandsWriteNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, args := range [][]string{
		{"events", "list"}, {"events", "show", "1"}, {"jobs", "list"}, // no INTRAM_DATABASE_URL
		{"events", "replay"}, {"events", "replay", "--all", "1"}, {"events", "show", "one"}, {"events", "list", "--limit", "0"},
		{"events", "list", "--state", "gone"}, {"events", "list", "--since", "soon"}, {"events", "list", "--before", "soon"},
		{"jobs", "retry"}, {"jobs", "retry", "x"}, {"jobs", "retry", "--all", "1"}, {"jobs", "list", "--since", "soon"}, {"jobs", "retry", "--all", "--since", "soon"},
	} {
		r := b.run(t, args...)
		assert.Equal(t, exitUsage, r.code, "%v: %s", args, r.err)
	}
	b.env["INTRAM_DATABASE_URL"] = "postgres://shop:hunter2@%zz/"
	r := b.run(t, "events", "list")
	assert.Equal(t, exitUsage, r.code)
	assert.NotContains(t, r.err, "hunter2")
	b.env["INTRAM_DATABASE_URL"] = "postgres://shop:hunter2@127.0.0.1:1/shop?connect_timeout=2"
	for _, args := range [][]string{{"events", "list"}, {"events", "show", "1"}, {"events", "replay", "--all"}, {"jobs", "list"}, {"jobs", "retry", "--all"}} {
		r = b.run(t, args...)
		assert.Equal(t, exitNoAnswer, r.code, "%v: %s", args, r.err)
		assert.NotContains(t, r.err, "hunter2")
	}
	for _, keys := range []string{"k1", "k1=?", "k1=AAAA"} {
		b.env["INTRAM_SEAL_KEYS"] = keys
		assert.Equal(t, exitUsage, b.run(t, "events", "list").code, keys)
	}
	delete(b.env, "INTRAM_SECRET_KEY")
	assert.Equal(t, exitUsage, b.run(t, "events", "list").code)
}
