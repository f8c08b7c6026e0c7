package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// end writes what a record came to. It runs in the transaction that ends the record, once
// for each end: a payout that a bank returns ends a second time.
func (s *shop) end(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
	r := end.Record
	switch r.Kind {
	case intramriver.PaymentRequest:
		return pageReady(ctx, tx, end) // no money yet: an event tells of that
	case intramriver.Refund:
		state := map[bool]string{true: "refunded", false: "for_a_person"}[out(r.State)]
		if _, err := tx.Exec(ctx, "UPDATE orders SET state = $2 WHERE id = $1", r.Reference, state); err != nil {
			return err
		}
	case intramriver.Payout:
		if _, err := tx.Exec(ctx, "UPDATE salaries SET state = $2 WHERE reference = $1", r.Reference, string(r.State)); err != nil {
			return err
		}
	}
	if r.OperationID == "" {
		return nil // refused: there is no operation
	}
	amount := r.Amount
	if refund, ok := end.Result.(*intram.RefundResult); ok {
		amount = refund.Amount // a refund of all says here how much that was
	}
	if !out(r.State) {
		amount = intram.NewAmount(0) // failed, or it came back
	}
	return book(ctx, tx, r.OperationID, string(r.Kind)+" "+r.Reference, intram.NewAmount(0).Sub(amount))
}

// out reports whether the money of a payout or refund has left the wallet.
func out(state intramriver.State) bool {
	return state == intramriver.Completed || state == intramriver.QueuedForSettlement || state == intramriver.Settled
}

// bookPayment books what a payment brings: its amount less the fees.
func (s *shop) bookPayment(ctx context.Context, tx pgx.Tx, order string, event *intram.Event, data *intram.PaymentRequestEventData) error {
	net := data.NetAmount
	if !net.IsSet() { // an event that the reconciler found may not say
		payment, err := s.client.Transactions.Get(ctx, data.TransactionReference)
		if err != nil {
			return err
		}
		net = payment.NetAmount
	}
	return book(ctx, tx, event.OperationID, "order "+order, net)
}

func book(ctx context.Context, tx pgx.Tx, id, reference string, amount intram.Amount) error {
	_, err := tx.Exec(ctx, `INSERT INTO books (id, reference, amount) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET amount = excluded.amount`, id, reference, amount)
	return err
}

// compareBooks prints the books beside the ledger of the API, and checks each line.
func (s *shop) compareBooks(ctx context.Context) error {
	ledger := s.fake.Ledger()
	moved := map[string]int64{}
	wallet := s.fake.WalletAccount(intram.Sandbox, intram.MTNBenin)
	for _, entry := range ledger.Entries {
		if entry.Account == wallet && entry.OperationID != "" { // without one: what was there at the start
			moved[entry.OperationID] += entry.Amount
		}
	}
	rows, err := s.pool.Query(ctx, "SELECT id, reference, amount FROM books ORDER BY reference")
	if err != nil {
		return err
	}
	s.say("\n%-34s %12s %12s", "XOF", "books", "ledger")
	var id, reference string
	var amount, sum, sums int64
	_, err = pgx.ForEachRow(rows, []any{&id, &reference, &amount}, func() error {
		s.say("%-34s %12d %12d", reference, amount, moved[id])
		s.check(amount == moved[id], "%s: the books say %d, the ledger %d", reference, amount, moved[id])
		sum, sums = sum+amount, sums+moved[id]
		delete(moved, id)
		return nil
	})
	if err != nil {
		return err
	}
	s.say("%-34s %12d %12d", "sum", sum, sums)
	s.check(ledger.Sum() == 0, "the ledger's sum is %d", ledger.Sum())
	for _, id := range slices.Sorted(maps.Keys(moved)) {
		s.check(moved[id] == 0, "the ledger has %d of %s, which is not in the books", moved[id], id)
	}
	return nil
}

// checkHealth prints what a probe reads, and checks that nothing is left.
func (s *shop) checkHealth(ctx context.Context) error {
	health, err := s.work.Health(ctx)
	if err != nil {
		return err
	}
	s.say("\nHealth: %d in doubt, %d need a person, %d dead calls, %d dead events, oldest pending %v, planned %v, event %v; last sweep %v ago; paused %t",
		health.InDoubt, health.NeedsPerson, health.Dead, health.DeadEvents, health.OldestPending, health.OldestPlanned, health.OldestEvent,
		health.SweepAge.Round(time.Millisecond), health.Paused != nil)
	left := *health
	left.SweepAge = 0
	s.check(left == intramriver.Health{}, "something is left: %+v", left)
	s.check(health.SweepAge >= 0, "no sweep has run")
	return nil
}
