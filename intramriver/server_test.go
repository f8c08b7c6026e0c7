package intramriver_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(fleetRole); role != "" {
		if err := playFleet(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	// An Example cannot skip itself.
	if _, err := shared.Open(); errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") != "true" {
		fmt.Fprintln(os.Stderr, "the Examples are skipped:", err)
		if err := flag.Set("test.skip", "^Example"); err != nil {
			panic(err)
		}
	}
	status := m.Run()
	shared.Stop()
	os.Exit(status)
}

// shared is the server of all tests but those that restart theirs.
var shared pgtest.Shared

var schemas atomic.Int64

// newSchema makes a schema for one test on a server, and returns the server's address
// with the schema as search_path.
func newSchema(tb testing.TB, server string) string {
	tb.Helper()
	ctx := tb.Context()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(tb, err)
	defer func() { _ = conn.Close(ctx) }()
	name := fmt.Sprintf("intramriver_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = conn.Exec(ctx, "CREATE SCHEMA "+name)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), server); err == nil {
			_, _ = conn.Exec(context.Background(), "DROP SCHEMA "+name+" CASCADE")
			_ = conn.Close(context.Background())
		}
	})
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + url.QueryEscape(name)
}

// newPool opens a pool that is closed with the test.
func newPool(tb testing.TB, address string) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(address)
	require.NoError(tb, err)
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

// newDatabase makes a schema with the tables of River and of this package.
func newDatabase(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool := newPool(tb, newSchema(tb, shared.URL(tb)))
	migrateAll(tb, pool)
	return pool
}

func migrateAll(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	require.NoError(tb, err)
	_, err = migrator.Migrate(tb.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(tb, err)
	require.NoError(tb, intramriver.Migrate(tb.Context(), pool, ""))
	_, err = pool.Exec(tb.Context(), `
		CREATE TABLE test_clock (skew interval NOT NULL);
		INSERT INTO test_clock VALUES ('0');
		CREATE TABLE books (reference text NOT NULL, state text NOT NULL, amount numeric, code text NOT NULL)`)
	require.NoError(tb, err)
}

// shop is a merchant with a database and the fake API.
type shop struct {
	t      testing.TB
	server *intramtest.Server
	pool   *pgxpool.Pool
	work   *intramriver.Work
	log    *log
	onEnd  func(ctx context.Context, tx pgx.Tx, end intramriver.End) error
}

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newShop(tb testing.TB, opts ...intramtest.Option) *shop {
	tb.Helper()
	s := &shop{t: tb, pool: newDatabase(tb), log: new(log)}
	s.server = intramtest.NewServer(tb, opts...)
	s.work = s.machine(nil)
	return s
}

// rich is a wallet that pays thousands of payouts.
var rich = intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000)

// keep writes an end into the merchant's books.
func keep(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
	var amount any
	if end.Record.Amount.IsSet() {
		amount = end.Record.Amount
	}
	_, err := tx.Exec(ctx, "INSERT INTO books VALUES ($1, $2, $3, $4)", end.Record.Reference, string(end.Record.State), amount, string(end.Record.Code))
	return err
}

// machine is one more process of the merchant's, with a client of its own.
func (s *shop) machine(change func(*intramriver.Config), opts ...intram.ClientOption) *intramriver.Work {
	s.t.Helper()
	config := intramriver.Config{
		Pool: s.pool, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Seal: testSeal(s.t),
		OnEnd: func(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
			if s.onEnd != nil {
				if err := s.onEnd(ctx, tx, end); err != nil {
					return err
				}
			}
			return keep(ctx, tx, end)
		},
	}
	if change != nil {
		change(&config)
	}
	work, err := intramriver.New(s.server.Client(opts...), config)
	require.NoError(s.t, err)
	work.SetNow("(clock_timestamp() + (SELECT skew FROM test_clock))", config.Schema)
	return work
}

func testSeal(tb testing.TB) *intramriver.AESGCM {
	tb.Helper()
	seal, err := intramriver.NewAESGCM("k1", map[string][]byte{"k1": bytes.Repeat([]byte{7}, 32)})
	require.NoError(tb, err)
	return seal
}

// pass lets time go by, for the API, the clients and the database.
func (s *shop) pass(d time.Duration) {
	s.t.Helper()
	s.server.Advance(d)
	_, err := s.pool.Exec(context.WithoutCancel(s.t.Context()), "UPDATE test_clock SET skew = skew + $1::interval", d)
	require.NoError(s.t, err)
}

// payout is a payout of 25 000 to a number that ends with the outcome.
func payout(reference, outcome string) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(25_000), Currency: intram.XOF, Reference: reference,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161" + outcome, AccountName: "Awa", AccountSurname: "Dossou"},
	}
}

// plan plans a payout, which is committed.
func (s *shop) plan(reference, outcome string) *intramriver.Record {
	s.t.Helper()
	r, err := s.work.Payout(s.t.Context(), payout(reference, outcome))
	require.NoError(s.t, err)
	return r
}

// record returns a payout's record.
func (s *shop) record(reference string) *intramriver.Record {
	s.t.Helper()
	r, err := s.work.Record(s.t.Context(), intramriver.Payout, reference)
	require.NoError(s.t, err)
	return r
}

// state returns the state of a payout's record.
func (s *shop) state(reference string) intramriver.State { return s.record(reference).State }

// books returns what OnEnd has written about a reference, in order.
func (s *shop) books(reference string) []string {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), "SELECT state FROM books WHERE reference = $1", reference)
	require.NoError(s.t, err)
	states, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s.t, err)
	return states
}

// moved returns how often money moved for a payout's reference: how many operations of
// it have postings.
func (s *shop) moved(reference string) int {
	s.t.Helper()
	n := 0
	for op, err := range s.server.Client().Operations.All(s.t.Context(), intram.OperationListParams{Limit: 100}) {
		require.NoError(s.t, err)
		if op.Reference() == reference && len(s.server.Ledger().For(op.ID)) > 0 {
			n++
		}
	}
	return n
}

// posts returns how many calls created something, executed or not.
func (s *shop) posts() int {
	n := 0
	for _, r := range s.server.Requests() {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}
