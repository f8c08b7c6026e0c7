package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

const orders = 9

// tell runs the whole story. What does not hold is collected, and told at the end.
func (s *shop) tell(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.begin, s.takeOrders, s.paySalaries, s.customersPay, s.goodsComeBack, s.settle, s.compareBooks, s.compareRows, s.checkHealth,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if len(s.wrong) > 0 {
		return errors.New("not everything holds:\n  - " + strings.Join(s.wrong, "\n  - "))
	}
	s.say("\nAll %d checks hold.", s.checks)
	return nil
}

func (s *shop) begin(ctx context.Context) error {
	where := "a private PostgreSQL"
	if s.db.named != "" {
		where = "the PostgreSQL of " + databaseURL
	}
	s.say("A shop on %s, schema %s, against the bundled fake at %s: no account, no real money\n", where, s.db.schema, s.fake.URL)
	return s.addWorker(ctx)
}

func (s *shop) addWorker(ctx context.Context) error {
	w, err := s.startWorker(ctx, fmt.Sprintf("worker-%d", len(s.workers)+1))
	if err == nil {
		s.workers = append(s.workers, w)
		s.say("%s starts", w.name)
	}
	return err
}

func orderID(i int) string { return fmt.Sprintf("ORD-%04d", i+1) }

// takeOrders takes orders, and one that is rolled back.
func (s *shop) takeOrders(ctx context.Context) error {
	for i := range orders {
		if err := s.placeOrder(ctx, orderID(i), catalogue[i%len(catalogue)], true); err != nil {
			return err
		}
	}
	gone := orderID(orders)
	if err := s.placeOrder(ctx, gone, catalogue[0], false); !errors.Is(err, errSoldOut) {
		return fmt.Errorf("order %s was taken: %w", gone, err)
	}
	_, err := s.work.Record(ctx, intramriver.PaymentRequest, gone)
	s.check(errors.Is(err, intramriver.ErrNoRecord), "order %s was rolled back, and is planned: %v", gone, err)
	s.say("%d orders are taken, each with its payment request in one transaction; another is rolled back, and nothing is planned", orders)
	return s.await(ctx, "a checkout page for each order", "SELECT count(*) = 0 FROM orders WHERE checkout_url IS NULL")
}

// paySalaries plans the month's salaries, and stops the first worker while it holds
// calls.
func (s *shop) paySalaries(ctx context.Context) error {
	// Calls take a while, so that there are some in the middle.
	if err := s.fake.Fault(intramtest.Fault{Kind: intramtest.Latency, On: "POST /payouts", Times: 2, Delay: time.Minute}); err != nil {
		return err
	}
	if err := s.plan(ctx); err != nil {
		return err
	}
	err := s.await(ctx, "calls under way", "SELECT count(*) = 2 FROM intram_records WHERE state = 'sending'")
	if err != nil {
		return err
	}
	if err := s.addWorker(ctx); err != nil {
		return err
	}
	s.workers[0].stop()
	s.say("%s is stopped in the middle of two payouts", s.workers[0].name)
	if err := s.plan(ctx); err != nil { // a person clicks again
		return err
	}
	s.say("the salaries are planned again: the same %d payouts", len(salaries))
	return nil
}

func (s *shop) plan(ctx context.Context) error {
	for i := range salaries {
		if err := s.paySalary(ctx, &salaries[i]); err != nil {
			return err
		}
	}
	return nil
}

// customersPay sends each customer to the checkout page. One of them declines.
func (s *shop) customersPay(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, "SELECT checkout_url FROM orders ORDER BY id")
	if err != nil {
		return err
	}
	pages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i, page := range pages {
		button := "pay"
		if i == len(pages)-1 {
			button = "decline"
		}
		if err := visit(ctx, page, button); err != nil {
			return err
		}
	}
	s.say("%d customers pay on the checkout page, and one declines", len(pages)-1)
	return s.await(ctx, "the events of the payments", "SELECT count(*) = 0 FROM orders WHERE state = 'open'")
}

func (s *shop) goodsComeBack(ctx context.Context) error {
	for range 2 { // a person clicks twice
		if err := s.refundOrder(ctx, orderID(1)); err != nil {
			return err
		}
	}
	s.say("the goods of %s come back: its payment is refunded, once for two clicks", orderID(1))
	return nil
}

// settle waits until every record has ended and every event has taken effect.
func (s *shop) settle(ctx context.Context) error {
	err := s.await(ctx, "the end of every record", "SELECT count(*) = 0 FROM intram_records WHERE ended_at IS NULL")
	if err != nil {
		return err
	}
	if err := s.fake.Idle(ctx); err != nil {
		return fmt.Errorf("deliveries are under way: %w", err)
	}
	err = s.await(ctx, "the effect of every event", "SELECT count(*) = 0 FROM intram_events WHERE done_at IS NULL")
	if err != nil {
		return err
	}
	return s.await(ctx, "a sweep", "SELECT count(*) > 0 FROM intram_sweeps WHERE finished_at IS NOT NULL")
}

// await asks the database until it says yes.
func (s *shop) await(ctx context.Context, what, query string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var yes bool
		if err := s.pool.QueryRow(ctx, query).Scan(&yes); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// compareRows checks the merchant's tables, and that nothing was executed that is not in
// them.
func (s *shop) compareRows(ctx context.Context) error {
	for i := range salaries {
		var state string
		err := s.pool.QueryRow(ctx, "SELECT state FROM salaries WHERE reference = $1", salaries[i].reference).Scan(&state)
		if err != nil {
			return err
		}
		s.check(state == string(salaries[i].want), "%s is %s, not %s", salaries[i].reference, state, salaries[i].want)
	}
	for i := range orders {
		want := map[int]string{1: "refunded", orders - 1: "failed"}[i]
		if want == "" {
			want = "paid"
		}
		var state string
		if err := s.pool.QueryRow(ctx, "SELECT state FROM orders WHERE id = $1", orderID(i)).Scan(&state); err != nil {
			return err
		}
		s.check(state == want, "%s is %s, not %s", orderID(i), state, want)
	}
	executed := 0
	for _, err := range s.client.Operations.All(ctx, intram.OperationListParams{}) {
		if err != nil {
			return err
		}
		executed++
	}
	want := orders + len(salaries) + 1
	s.check(executed == want, "the API has executed %d operations, not %d", executed, want)
	s.say("\n%d operations for %d orders, %d salaries and 1 refund", executed, orders, len(salaries))
	for _, w := range s.workers {
		var n int
		err := s.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE $1 = ANY (attempted_by)", w.name).Scan(&n)
		if err != nil {
			return err
		}
		s.check(n > 0, "%s has worked no job", w.name)
		s.say("%s worked %d jobs", w.name, n)
	}
	return nil
}
