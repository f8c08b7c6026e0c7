package intramriver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/intramriver"
)

// wrongClock is a machine's clock that is off.
type wrongClock struct {
	system.Clock

	by time.Duration
}

func (c wrongClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

// machine is one machine of the merchant's: customers order, and workers send.
type machine struct {
	config fleetConfig
	clock  intram.Clock
	pool   *pgxpool.Pool
	work   *intramriver.Work
	logger *slog.Logger
}

// playMachine is the process of a machine. It lives until it is killed.
func playMachine(ctx context.Context, c fleetConfig) error {
	m := &machine{config: c, clock: wrongClock{by: c.Skew}}
	client, err := intram.NewClient(c.API.PublicKey, c.API.SecretKey, intram.WithBaseURL(c.API.URL), intram.WithClock(m.clock))
	if err != nil {
		return err
	}
	pool, err := pgxpool.ParseConfig(c.Database)
	if err != nil {
		return err
	}
	pool.MaxConns = 20
	if m.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	m.logger = logger
	m.work, err = intramriver.New(client, intramriver.Config{Pool: m.pool, OnEnd: keepEnd, OnEvent: hear, Logger: logger})
	if err != nil {
		return err
	}
	m.work.SetIntervals(time.Second, 3*time.Second, 3*time.Second)
	workers := river.NewWorkers()
	if err := m.work.Register(workers); err != nil {
		return err
	}
	jobs, err := river.NewClient(riverpgxv5.New(m.pool), &river.Config{
		Workers: workers, Queues: m.work.Queues(8), PeriodicJobs: m.work.PeriodicJobs(), Logger: logger, FetchPollInterval: 500 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	for jobs.Start(ctx) != nil { // until the database is there
		if err := m.pause(ctx); err != nil {
			return err
		}
	}
	verifier, err := intram.NewWebhookVerifier(c.API.WebhookSecret)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &http.Server{Handler: m.work.Handler(verifier), ReadHeaderTimeout: time.Minute} // by the machine's right clock: a wrong one refuses deliveries
	go func() { _ = receiver.Serve(listener) }()
	defer func() { _ = receiver.Close() }()
	if _, err := fmt.Fprintf(os.Stdout, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	m.serve(ctx)
	return nil
}

// hear writes an event into the merchant's books. A second effect would be a second row.
func hear(ctx context.Context, event *intram.Event) error {
	_, err := intramriver.Tx(ctx).Exec(ctx, "INSERT INTO heard VALUES ($1, $2)", event.InboxKey(), string(event.Type))
	return err
}

// keepEnd writes an end into the merchant's books. A second one would be a second row.
func keepEnd(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
	r := end.Record
	var amount int64
	if r.Amount.IsSet() {
		if _, err := fmt.Sscan(r.Amount.String(), &amount); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "INSERT INTO ends VALUES ($1, $2, $3, $4, $5, $6)", string(r.Kind), r.Reference, string(r.State), amount, r.OperationID, string(r.Code))
	return err
}

// pause is between two customers, and before the database is tried again.
func (m *machine) pause(ctx context.Context) error { return m.clock.Sleep(ctx, m.config.Pace) }

// serve lets customers order until enough have.
func (m *machine) serve(ctx context.Context) {
	for ctx.Err() == nil {
		if err := m.customer(ctx); err != nil && !errors.Is(err, errChangedMind) && !strings.Contains(err.Error(), "SQLSTATE 57P") {
			m.logger.WarnContext(ctx, "an order failed", slog.String("error", err.Error()))
		}
		if m.pause(ctx) != nil {
			return
		}
	}
}

var errChangedMind = errors.New("the customer has changed his mind")

// customer orders something, and changes his mind at every tenth time.
func (m *machine) customer(ctx context.Context) error {
	var n int64
	err := m.pool.QueryRow(ctx, `SELECT nextval('customers') WHERE EXISTS
		(SELECT 1 FROM targets t WHERE wanted > (SELECT count(*) FROM orders o WHERE o.kind = t.kind))`).Scan(&n)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil // enough
	case err != nil:
		return err
	}
	err = pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		if err := m.order(ctx, tx, n); err != nil {
			return err
		}
		if n%10 == 3 {
			return errChangedMind
		}
		return nil
	})
	if err == nil && n%7 == 0 { // the browser sends it again
		err = pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
			if err := m.plan(ctx, tx, n); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO asked_twice VALUES ($1)", reference(n))
			return err
		})
	}
	return err
}

func reference(n int64) string { return fmt.Sprintf("ORDER-%06d", n) }

func kindOf(n int64) intramriver.Kind {
	switch n % 13 {
	case 0:
		return intramriver.Refund
	case 1, 7:
		return intramriver.PaymentRequest
	}
	return intramriver.Payout
}

func amountOf(n int64) int64 { return 500 + n%1000 }

// order writes the order and plans what it needs.
func (m *machine) order(ctx context.Context, tx pgx.Tx, n int64) error {
	if _, err := tx.Exec(ctx, "INSERT INTO orders VALUES ($1, $2, $3)", string(kindOf(n)), reference(n), amountOf(n)); err != nil {
		return err
	}
	return m.plan(ctx, tx, n)
}

func (m *machine) plan(ctx context.Context, tx pgx.Tx, n int64) (err error) {
	amount := intram.NewAmount(amountOf(n))
	switch kindOf(n) {
	case intramriver.Refund:
		sale := m.config.API.Sales[int(n/13)%len(m.config.API.Sales)]
		_, err = m.work.RefundTx(ctx, tx, reference(n), intram.RefundParams{TransactionReference: sale, Amount: amount})
	case intramriver.PaymentRequest:
		_, err = m.work.PaymentRequestTx(ctx, tx, reference(n), intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: amount, Currency: intram.XOF}})
	default:
		outcome := "000000"
		switch n % 40 {
		case 5:
			outcome = "000001" // the operator fails
		case 9:
			outcome = "000013" // executed, and the response is lost
		}
		p := payout(reference(n), outcome)
		p.Amount = amount
		_, err = m.work.PayoutTx(ctx, tx, p)
	}
	return err
}
