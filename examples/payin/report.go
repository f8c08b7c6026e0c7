package main

import (
	"errors"
	"fmt"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// report prints the table, and says whether all of the story holds.
func (s *story) report() error {
	if len(s.sessions) > 0 {
		fmt.Fprintf(s.out, "\n%-18s %-11s %-13s %-10s %14s\n", "session", "status", "confirmation", "outcome", "received, XOF")
	}
	received := intram.NewAmount(0)
	for _, p := range s.sessions {
		credited := intram.NewAmount(0)
		if p.Outcome() == intram.PayinOutcomePaid {
			credited = p.Amount
		}
		received = received.Add(credited)
		fmt.Fprintf(s.out, "%-18s %-11s %-13s %-10s %14s\n", p.Reference, p.Status, p.ConfirmationStatus, p.Outcome(), grouped(credited))
	}
	if s.fake != nil {
		ledger := s.fake.Ledger()
		sum, held := ledger.Sum(), ledger.Balance(s.fake.WalletAccount(intram.Sandbox, intramtest.PayinWallet))
		s.check(sum == 0, "the ledger's sum is %d", sum)
		s.check(received.Equal(intram.NewAmount(held)), "the wallet holds %d, not %s", held, received)
		s.check(held == price, "the wallet holds %d, not the price of one order", held)
		all, _, _, refused := s.inbox.count("")
		s.check(all == 3, "%d notifications arrived, not 3", all)
		fmt.Fprintf(s.out, "%-18s %51s\n", "wallet", grouped(intram.NewAmount(held)))
		fmt.Fprintf(s.out, "%-18s %51d\n", "ledger sum", sum)
		fmt.Fprintf(s.out, "%-18s %51s\n", "notifications", fmt.Sprintf("%d received, %d refused", all, refused))
	}
	if len(s.wrong) > 0 {
		return errors.New("not everything holds:\n  - " + strings.Join(s.wrong, "\n  - "))
	}
	fmt.Fprintf(s.out, "\nAll %d checks hold.\n", s.checks)
	return nil
}

// money writes an amount as people read it.
func money(a intram.Amount) string { return grouped(a) + " XOF" }

// grouped puts a space between thousands.
func grouped(a intram.Amount) string {
	whole, fraction, _ := strings.Cut(a.String(), ".")
	var parts []string
	for len(whole) > 3 {
		parts = append([]string{whole[len(whole)-3:]}, parts...)
		whole = whole[:len(whole)-3]
	}
	out := strings.Join(append([]string{whole}, parts...), " ")
	if fraction != "" {
		out += "." + fraction
	}
	return out
}
