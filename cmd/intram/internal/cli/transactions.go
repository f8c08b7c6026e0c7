package cli

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) transactionsCommand() *cobra.Command {
	return a.calls(group("transactions", "Look up money that moved, or is about to",
		`Look up money that moved, or is about to: payments, payouts and refunds, by their
reference of ten letters and digits.`,
		a.transactionsListCommand(), a.transactionsGetCommand(), a.transactionsWaitCommand()))
}

func (a *app) transactionsListCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "list", Short: "List transactions, newest first", Args: exactly(),
		Example: `  intram transactions list --status PENDING
  intram transactions list --type CREDIT --since yesterday --all --json`,
	}
	l.flags(cmd, words(intram.TransactionCredit, intram.TransactionDebit, intram.TransactionRefund),
		words(intram.TransactionPending, intram.TransactionSuccess, intram.TransactionError, intram.TransactionRefunded))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		since, before, err := l.check(a, cmd)
		if err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		params := intram.TransactionListParams{
			Limit: l.limit, Type: intram.TransactionType(l.typ), Status: intram.TransactionStatus(l.status), Since: since, Before: before,
		}
		items, odd, next, err := readList(cmd.Context(), l.all, params, client.Transactions.All, client.Transactions.List)
		if err != nil {
			return err
		}
		defer a.sayMore(next)
		if a.asJSON {
			return errors.Join(printRaws(a, items, func(t *intram.Transaction) intram.RawMessage { return t.Raw }), odd.err())
		}
		var rows [][]string
		for _, t := range items {
			rows = append(rows, []string{
				t.Reference, string(t.Type), clip(string(t.Status), 10), money(t.Amount, t.Currency), t.Fees.Grouped(), when(t.CreatedAt),
			})
		}
		header, rows := fit([]string{"TRANSACTION", "TYPE", "STATUS", "AMOUNT", "FEES", "CREATED"}, rows, narrowing{"CREATED", day})
		a.printList(header, rows, "There are no transactions.")
		return odd.err()
	}
	return cmd
}

func (a *app) transactionsGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "get REFERENCE", Short: "Show one transaction", Args: exactly("REFERENCE"),
		Example: `  intram transactions get AB12CD34EF
  intram transactions get AB12CD34EF --json | jq .customer`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		t, err := client.Transactions.Get(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printTransaction(t)
	}
	return cmd
}

func (a *app) transactionsWaitCommand() *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use: "wait REFERENCE", Short: "Wait until a payment is paid or declined", Args: exactly("REFERENCE"),
		Long:    `Wait until a transaction is no longer pending. The exit status tells: 0 when it succeeded (or was refunded since), 4 when it did not, 5 when it is still pending.`,
		Example: `  intram transactions wait AB12CD34EF --max-wait 6m && echo paid`,
	}
	w.flags(cmd, "6m")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := w.options(cmd)
		if err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		t, err := client.Transactions.Wait(cmd.Context(), args[0], opts...)
		if err != nil {
			return err
		}
		if err := a.printTransaction(t); err != nil {
			return err
		}
		if t.Status == intram.TransactionError {
			return said(exitFailed)
		}
		return nil
	}
	return cmd
}

// printTransaction prints a transaction without its customer; --json prints all of it.
func (a *app) printTransaction(t *intram.Transaction) error {
	if a.asJSON {
		return a.printJSON(t.Raw)
	}
	fields := []field{
		{"transaction", t.Reference}, {"type", string(t.Type)}, {"status", string(t.Status)}, {"amount", money(t.Amount, t.Currency)},
		{"fees", t.Fees.Grouped()}, {"net amount", t.NetAmount.Grouped()}, {"paid with", t.PaymentMethod.Name}, {"created", when(t.CreatedAt)},
	}
	for i, r := range t.Refunds {
		fields = append(fields, field{"refund " + strconv.Itoa(i+1), r.Reference + " " + string(r.Status)})
	}
	a.printFields(fields...)
	return nil
}
