package cli

import (
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) refundsCommand() *cobra.Command {
	return a.calls(group("refunds", "Give customers their money back",
		`Give a customer the money of a payment back, all of it or a part.`,
		a.refundsCreateCommand(),
		a.operationList(operationList{
			things: "refunds", columns: []string{"OPERATION", "STATUS", "AMOUNT", "TRANSACTION", "ERROR", "CREATED"},
			example: `  intram refunds list --status failed --since yesterday`,
			all:     func(c *intram.Client) listAll { return c.Refunds.All },
			page:    func(c *intram.Client) listPage { return c.Refunds.List },
		}),
		a.operationGet("refund", `  intram refunds get op_4d2a`, func(c *intram.Client) lookup { return c.Refunds.Get }),
		a.waitCommand(intram.OperationRefund, "Wait until a refund has ended", `  intram refunds wait op_4d2a`)))
}

func (a *app) refundsCreateCommand() *cobra.Command {
	var (
		c                                 creation
		w                                 waiting
		transaction, amount, reason, what string
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Refund one payment", Args: exactly(),
		Long: `Refund a payment by its transaction's reference. Without --amount all of it is given
back. With live keys a person is asked first; a script gives --yes.`,
		Example: `  intram refunds create --transaction AB12CD34EF --wait
  intram refunds create --transaction AB12CD34EF --amount 500 --reason "one of three"`,
	}
	flags := cmd.Flags()
	flags.StringVar(&transaction, "transaction", "", "the payment's `reference`")
	flags.StringVar(&amount, "amount", "", "how much, in whole units of the currency (default all of it)")
	flags.StringVar(&reason, "reason", "", "a `text` of up to 500 characters")
	c.flags(cmd, "metadata")
	c.flag(cmd)
	w.flagsAfter(cmd, operationWait)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		params := intram.RefundParams{TransactionReference: transaction, Reason: reason}
		var err error
		if params.Amount, err = a.readAmount(amount, ""); err != nil {
			return err
		}
		if amount != "" && params.Amount.Sign() <= 0 {
			return usagef("--amount must be greater than 0; leave it out to refund all of it")
		}
		if params.Metadata, err = a.readObject("--metadata", c.metadata); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		what = "refund all of " + transaction
		if amount != "" {
			what = "refund " + params.Amount.Grouped() + " of " + transaction
		}
		return a.create(cmd, client, &c, &w, what, creator{
			typ: intram.OperationRefund,
			prepare: func(opts ...intram.CallOption) (*intram.Intent, error) {
				return client.Refunds.Prepare(params, opts...)
			},
			send: func(opt intram.CallOption) (*intram.Operation, error) {
				return client.Refunds.Create(cmd.Context(), params, opt)
			},
		})
	}
	return cmd
}
