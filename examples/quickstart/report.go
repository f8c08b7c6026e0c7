package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	intram "github.com/intram/intram-go"
)

// report prints the books, and says whether all of the story holds.
func (s *story) report(context.Context) error {
	moved := s.after.Available.Sub(s.before.Available)
	fmt.Fprintf(s.out, "\n%-22s %14s %14s %14s\n", "", "before", "after", "difference")
	fmt.Fprintf(s.out, "%-22s %14s %14s %14s\n", "available, XOF", grouped(s.before.Available), grouped(s.after.Available), grouped(moved))
	fmt.Fprintf(s.out, "%-22s %14s %14s %14s\n", "pending, XOF", grouped(s.before.Pending), grouped(s.after.Pending),
		grouped(s.after.Pending.Sub(s.before.Pending)))

	if s.fake != nil {
		want := intram.NewAmount(-payoutAmount - refundAmount).Add(s.payment.NetAmount)
		s.check(moved.Equal(want), "the balance moved by %s, not by %s", moved, want)
		ledger := s.fake.Ledger()
		sum := ledger.Sum()
		s.check(sum == 0, "the ledger's sum is %d", sum)
		fmt.Fprintf(s.out, "%-22s %44d\n", "ledger sum", sum)
		good, refused := s.inbox.counts()
		s.check(good == len(s.expected), "%d events arrived, not %d", good, len(s.expected))
		s.check(refused == 0, "%d deliveries had a bad signature", refused)
		fmt.Fprintf(s.out, "%-22s %44s\n", "events received", fmt.Sprintf("%d of %d, %d refused", good, len(s.expected), refused))
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
	digits, negative := strings.CutPrefix(a.String(), "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	var parts []string
	for len(whole) > 3 {
		parts = append([]string{whole[len(whole)-3:]}, parts...)
		whole = whole[:len(whole)-3]
	}
	out := strings.Join(append([]string{whole}, parts...), " ")
	if fraction != "" {
		out += "." + fraction
	}
	if negative {
		out = "-" + out
	}
	return out
}
