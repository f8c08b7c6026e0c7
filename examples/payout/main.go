// Command payout sends money to a mobile-money account, once, and waits until it has
// arrived.
//
//	INTRAM_PUBLIC_KEY=pk_sandbox_… INTRAM_SECRET_KEY=sk_sandbox_… go run ./examples/payout -reference PO-2026-0001 -msisdn 22961000000 -amount 25000
//
// Run it again with the same reference, after a crash or out of doubt: the same payout is
// shown, and no second one is made.
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
	reference := flag.String("reference", "", "your own name of this one payout")
	msisdn := flag.String("msisdn", "", "the number to pay out to, international, without +")
	amount := flag.Int64("amount", 0, "whole units of XOF")
	flag.Parse()
	if err := payOut(context.Background(), *reference, *msisdn, *amount); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func payOut(ctx context.Context, reference, msisdn string, amount int64) error {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		return err
	}
	// The key comes from the reference, so a second run is the same payout to the API,
	// for 24 hours.
	key, err := intram.DeriveIdempotencyKey("payout", reference)
	if err != nil {
		return err
	}
	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount:      intram.NewAmount(amount),
		Currency:    intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
		Reference:   reference,
	}, intram.WithIdempotencyKey(key))
	if err != nil {
		if intram.OutcomeOf(err) == intram.OutcomeUnknown {
			return fmt.Errorf("the payout may have been made: run this again with the same reference: %w", err)
		}
		return fmt.Errorf("no payout was made: %w", err)
	}
	fmt.Printf("Payout %s accepted as operation %s.\n", reference, op.ID)

	result, err := client.Payouts.Wait(ctx, op.ID)
	var unfinished *intram.WaitError
	switch {
	case errors.Is(err, intram.CodeInsufficientBalance):
		return errors.New("the wallet has not enough money: nothing was paid out")
	case errors.As(err, &unfinished):
		return fmt.Errorf("not finished yet: run this again with the same reference: %w", err)
	case err != nil:
		return err
	}
	fmt.Printf("Paid out %s %s: %s.\n", result.Amount, result.Currency, result.Status)
	return nil
}
