// Command recover pays out once, however often it is killed on the way, or started at the
// same time.
//
//	INTRAM_PUBLIC_KEY=pk_sandbox_… INTRAM_SECRET_KEY=sk_sandbox_… go run ./examples/recover -journal payouts -reference PO-2026-0001 -msisdn 22961000000 -amount 25000
//
// Before it asks for the payout it writes down that it will: the intent, in a file. Run
// again after a crash, it finds the file, and Resume goes on from there: with the same
// key and the same parameters for 23 hours, and by a lookup in the list of operations
// afterwards.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	intram "github.com/intram/intram-go"
)

func main() {
	journal := flag.String("journal", "payouts", "the folder where payouts are written down")
	reference := flag.String("reference", "", "your own name of this one payout, letters and digits and -")
	msisdn := flag.String("msisdn", "", "the number to pay out to, international, without +")
	amount := flag.Int64("amount", 0, "whole units of XOF")
	flag.Parse()
	if err := payOut(context.Background(), *journal, *reference, *msisdn, *amount); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// payout is what is written down of one payout. A shop keeps it in its database, in the
// transaction that decides to pay.
type payout struct {
	MSISDN      string
	Amount      int64
	Intent      *intram.Intent
	OperationID string // once the API has accepted it
}

func payOut(ctx context.Context, journal, reference, msisdn string, amount int64) error {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		return err
	}
	if reference == "" || filepath.Base(reference) != reference {
		return errors.New("give a -reference, the same one after a crash")
	}
	file := filepath.Join(journal, reference+".json")

	p, err := read(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The first time: write it down before anything is sent.
		intent, err := client.Payouts.Prepare(payoutParams(reference, msisdn, amount))
		if err != nil {
			return err
		}
		p = &payout{MSISDN: msisdn, Amount: amount, Intent: intent}
		err = write(file, p, linkNew)
		if errors.Is(err, fs.ErrExist) {
			p, err = read(file) // of two that are started at once, the second goes on with the intent of the first
		}
		if err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		fmt.Println("Found", file, "- going on from there.")
	}

	if p.OperationID == "" {
		op, err := client.Payouts.Resume(ctx, payoutParams(reference, p.MSISDN, p.Amount), p.Intent)
		if errors.Is(err, intram.ErrNeverSent) {
			return fmt.Errorf("no payout was made: delete %s, and run this again to make it: %w", file, err)
		}
		if errors.Is(err, intram.ErrCannotTell) {
			return fmt.Errorf("the payout may have been made: compare it with your operations before you pay again: %w", err)
		}
		if err != nil {
			if intram.OutcomeOf(err) == intram.OutcomeUnknown {
				return fmt.Errorf("the payout may have been made: run this again: %w", err)
			}
			return fmt.Errorf("no payout was made: correct it, and use a new reference: %w", err)
		}
		p.OperationID = op.ID
		if err := write(file, p, os.Rename); err != nil {
			return err
		}
	}
	result, err := client.Payouts.Wait(ctx, p.OperationID)
	if err != nil {
		return err
	}
	fmt.Printf("Paid out %s %s as operation %s: %s.\n", result.Amount, result.Currency, p.OperationID, result.Status)
	return nil
}

func payoutParams(reference, msisdn string, amount int64) intram.PayoutParams {
	return intram.PayoutParams{
		Amount:      intram.NewAmount(amount),
		Currency:    intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
		Reference:   reference,
	}
}

func read(file string) (*payout, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the folder is the user's own choice, and the name is checked
	if err != nil {
		return nil, err
	}
	p := new(payout)
	return p, json.Unmarshal(data, p)
}

// write puts the file in its place in one step, and only when it is on the disk.
func write(file string, p *payout, put func(from, to string) error) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return put(f.Name(), file)
}

// linkNew renames a file, unless there is one of the new name.
func linkNew(from, to string) error { return errors.Join(os.Link(from, to), os.Remove(from)) }
