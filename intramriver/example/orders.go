package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// item is what the shop sells.
type item struct {
	name  string
	price int64
}

var catalogue = []item{{"Karité butter, 500 g", 4_500}, {"Bogolan cloth", 25_000}, {"Basket of raffia", 12_000}}

var errSoldOut = errors.New("sold out")

// placeOrder saves an order and plans its payment request, or neither.
func (s *shop) placeOrder(ctx context.Context, id string, what item, inStock bool) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (id, item, amount) VALUES ($1, $2, $3)", id, what.name, what.price); err != nil {
			return err
		}
		_, err := s.work.PaymentRequestTx(ctx, tx, id, intram.PaymentRequestParams{
			Invoice: intram.Invoice{Amount: intram.NewAmount(what.price), Currency: intram.XOF, Description: what.name},
		})
		if err == nil && !inStock {
			err = errSoldOut // nothing was planned either
		}
		return err
	})
}

// pageReady saves where the customer of an order pays. It is part of the end of the
// order's payment request.
func pageReady(ctx context.Context, tx pgx.Tx, end intramriver.End) error {
	page, ok := end.Result.(*intram.PaymentRequestResult)
	if !ok {
		_, err := tx.Exec(ctx, "UPDATE orders SET state = 'failed' WHERE id = $1", end.Record.Reference)
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE orders SET operation_id = $2, checkout_url = $3, transaction = $4 WHERE id = $1",
		end.Record.Reference, end.Record.OperationID, page.GatewayURL, page.TransactionReference)
	return err
}

// paymentMoved lets an event of a payment request take effect. Events come in any order:
// the order's progress, locked, says which are older news.
func (s *shop) paymentMoved(ctx context.Context, event *intram.Event, data *intram.PaymentRequestEventData) error {
	tx := intramriver.Tx(ctx) // committed with the completion of the event's job
	var own map[string]any
	_ = json.Unmarshal(data.WebhookData, &own) // an event that the reconciler found may be without: then the operation's id tells
	reference, _ := own[intramriver.ReferenceKey].(string)
	var id, state string
	var amount intram.Amount
	var progress intram.EventOrder
	err := tx.QueryRow(ctx, "SELECT id, state, amount, progress FROM orders WHERE id = $1 OR operation_id = $2 FOR UPDATE",
		reference, event.OperationID).Scan(&id, &state, &amount, &progress)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // another program's
	}
	if err != nil {
		return err
	}
	next, moved := progress.Apply(event)
	if !moved {
		return nil
	}
	switch {
	case event.Type == intram.EventPaymentRequestFailed:
		state = "failed"
	case event.Type != intram.EventPaymentRequestPaid:
	case !data.Amount.Equal(amount):
		state = "for_a_person"
	default:
		state = "paid" // send the goods: a row for the warehouse, in this transaction
		if err := s.bookPayment(ctx, tx, id, event, data); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "UPDATE orders SET state = $2, progress = $3 WHERE id = $1", id, state, next)
	return err
}

// refundOrder plans the refund of a paid order. Two clicks are one refund.
func (s *shop) refundOrder(ctx context.Context, id string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var transaction string
		err := tx.QueryRow(ctx, "UPDATE orders SET state = 'refund_due' WHERE id = $1 AND state IN ('paid', 'refund_due') RETURNING transaction",
			id).Scan(&transaction)
		if err != nil {
			return fmt.Errorf("order %s is not paid: %w", id, err)
		}
		_, err = s.work.RefundTx(ctx, tx, id, intram.RefundParams{TransactionReference: transaction, Reason: "the goods came back"})
		return err
	})
}

// visit does what a customer does on the checkout page: look at it, and press pay or
// decline.
func visit(ctx context.Context, page, button string) error {
	for _, r := range []struct{ method, url string }{{http.MethodGet, page}, {http.MethodPost, page + "/" + button}} {
		request, err := http.NewRequestWithContext(ctx, r.method, r.url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the checkout page responds with %s to %s", response.Status, r.method)
		}
	}
	return nil
}
