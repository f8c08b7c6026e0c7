// Command refund gives a customer the money of a payment back, all of it or a part.
//
//	INTRAM_PUBLIC_KEY=pk_sandbox_… INTRAM_SECRET_KEY=sk_sandbox_… go run ./examples/refund -transaction AB12CD34EF -ticket T-9001 -amount 2000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	intram "github.com/intram/intram-go"
)

func main() {
	transaction := flag.String("transaction", "", "the payment's reference")
	ticket := flag.String("ticket", "", "your own name of this one refund")
	var amount intram.Amount // unset: all of it; what a script left empty is an error, and 0 is refused
	flag.TextVar(&amount, "amount", intram.Amount{}, "whole units of XOF; leave it out to refund all of it")
	flag.Parse()
	if err := refund(context.Background(), *transaction, *ticket, amount); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func refund(ctx context.Context, transaction, ticket string, amount intram.Amount) error {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		return err
	}
	// Two refunds of one payment are two tickets, and so two keys.
	key, err := intram.DeriveIdempotencyKey("refund", ticket)
	if err != nil {
		return err
	}
	op, err := client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: transaction,
		Amount:               amount,
		Reason:               "Ticket " + ticket,
	}, intram.WithIdempotencyKey(key))
	if errors.Is(err, intram.CodeTransactionNotFound) {
		return fmt.Errorf("there is no payment %s in this environment", transaction)
	}
	if err != nil {
		return err
	}
	result, err := client.Refunds.Wait(ctx, op.ID)
	if errors.Is(err, intram.CodeAmountExceedsTransaction) {
		return errors.New("that is more than is left of the payment: nothing was refunded")
	}
	if err != nil {
		return err
	}
	fmt.Printf("Refund %s of %s XOF: %s.\n", result.RefundReference, result.Amount, result.Status)
	return nil
}
