// Command checkout asks a customer for money, and waits until it is paid.
//
//	INTRAM_PUBLIC_KEY=pk_sandbox_… INTRAM_SECRET_KEY=sk_sandbox_… go run ./examples/checkout -order 4521 -amount 12000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	intram "github.com/intram/intram-go"
)

func main() {
	order := flag.String("order", "", "your own name of this one order")
	amount := flag.Int64("amount", 0, "whole units of XOF")
	flag.Parse()
	if err := checkOut(context.Background(), *order, *amount); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func checkOut(ctx context.Context, order string, amount int64) error {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		return err
	}
	key, err := intram.DeriveIdempotencyKey("checkout", order)
	if err != nil {
		return err
	}
	op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount:      intram.NewAmount(amount),
			Currency:    intram.XOF,
			Description: "Order " + order,
		},
		WebhookData: map[string]any{"order": order},
	}, intram.WithIdempotencyKey(key))
	if err != nil {
		return err
	}
	// The end of the operation is the checkout page, not the payment.
	page, err := client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		return err
	}
	fmt.Printf("Send your customer to %s\n", page.GatewayURL)

	payment, err := client.Transactions.Wait(ctx, page.TransactionReference)
	if err != nil {
		return err
	}
	if payment.Status != intram.TransactionSuccess {
		return fmt.Errorf("payment %s was not made: %s", payment.Reference, payment.Status)
	}
	fmt.Printf("Payment %s: %s %s paid, %s after fees.\n", payment.Reference, payment.Amount, payment.Currency, payment.NetAmount)
	return nil
}
