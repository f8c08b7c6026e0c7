package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) balanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "balance", Short: "Show the wallet", Args: exactly(),
		Long: `Show what is in the wallet: what can be paid out now, and what is not settled yet.
Amounts are in whole units of the currency.`,
		Example: `  intram balance
  intram balance --local
  intram balance --json | jq .payment_method_balances`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		balance, err := client.Balance.Get(cmd.Context())
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.printJSON(balance.Raw)
		}
		var rows [][]string
		for _, m := range balance.PaymentMethods {
			rows = append(rows, []string{clip(m.PaymentMethod, 32), m.Available.Grouped(), m.Pending.Grouped()})
		}
		if len(rows) > 0 {
			rows = append(rows, []string{a.inLanguage("all"), balance.Available.Grouped(), balance.Pending.Grouped()})
		}
		head := "WALLET"
		if balance.Currency != "" {
			head += " (" + string(balance.Currency) + ")"
		}
		a.printList([]string{head, "AVAILABLE", "PENDING"}, rows, "There is no wallet yet: it comes with the first payment.")
		return nil
	}
	return a.calls(cmd)
}
