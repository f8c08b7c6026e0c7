package cli

import (
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) payoutsCommand() *cobra.Command {
	return a.calls(group("payouts", "Send money to mobile-money and bank accounts",
		`Send money from the wallet to mobile-money accounts and bank accounts, one at a time or
a whole file of them.`,
		a.payoutsCreateCommand(),
		a.operationList(operationList{
			things: "payouts", columns: []string{"OPERATION", "STATUS", "AMOUNT", "REFERENCE", "ERROR", "CREATED"},
			example: `  intram payouts list --status failed --since yesterday`,
			all:     func(c *intram.Client) listAll { return c.Payouts.All },
			page:    func(c *intram.Client) listPage { return c.Payouts.List },
		}),
		a.operationGet("payout", `  intram payouts get op_2f4a8b1c`, func(c *intram.Client) lookup { return c.Payouts.Get }),
		a.waitCommand(intram.OperationPayout, "Wait until a payout has ended", `  intram payouts wait op_2f4a8b1c --max-wait 5m`),
		a.batchCommand()))
}

var providerCodes = words(intram.MTNBenin, intram.MoovBenin, intram.SBINBenin)

func (a *app) payoutsCreateCommand() *cobra.Command {
	var (
		c                                    creation
		w                                    waiting
		amount, currency, reference, note    string
		provider, msisdn, country            string
		account, swift, firstName, otherName string
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Pay out to one account", Args: exactly(),
		Long: `Pay out to a mobile-money account (--msisdn) or to a bank account (--account-number).

The idempotency key is printed before anything is sent. If the response is lost, the
message ends with the exact command that continues with the same key: it pays once,
whatever the first call did.

With live keys a person is asked first; a script gives --yes.`,
		Example: `  intram payouts create --amount 25000 --provider MTN_BENIN_229 \
      --msisdn 22961234567 --reference PO-2026-0001 --wait
  intram payouts create --amount 500000 --swift ECOCBJBJ --account-name Ada \
      --account-surname Lovelace --account-number BJ66BJ0610100100144390000769`,
	}
	flags := cmd.Flags()
	flags.StringVar(&amount, "amount", "", "how much, in whole units of the currency")
	flags.StringVar(&currency, "currency", "", "an ISO 4217 code (default the wallet's)")
	flags.StringVar(&provider, "provider", "", "the operator's `code`, such as "+providerCodes[0])
	flags.StringVar(&msisdn, "msisdn", "", "the phone `number` to pay, as people write it")
	flags.StringVar(&country, "country", "", "two letters (default BJ)")
	flags.StringVar(&account, "account-number", "", "the bank account's `number`, local or an IBAN")
	flags.StringVar(&swift, "swift", "", "the bank's `BIC`")
	flags.StringVar(&firstName, "account-name", "", "the holder's first `name`")
	flags.StringVar(&otherName, "account-surname", "", "the holder's other `name`")
	flags.StringVar(&reference, "reference", "", "your own `name` of this payout")
	flags.StringVar(&note, "note", "", "a `text` of up to 500 characters")
	complete(cmd, "provider", providerCodes...)
	complete(cmd, "currency", string(intram.XOF))
	c.flags(cmd, "metadata")
	c.flag(cmd)
	w.flagsAfter(cmd, operationWait)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		params := intram.PayoutParams{Currency: intram.Currency(currency), Reference: reference, Note: note}
		var err error
		if params.Amount, err = a.readAmount(amount, params.Currency); err != nil {
			return err
		}
		switch bank := account != "" || swift != ""; {
		case bank && (msisdn != "" || provider != "" || country != ""):
			return usagef("give --msisdn for mobile money or --account-number for a bank, not both")
		case bank:
			params.Destination = intram.BankAccount{AccountNumber: account, SWIFT: swift, AccountName: firstName, AccountSurname: otherName}
		case msisdn == "":
			return usagef("say where to pay: --msisdn for mobile money, or --account-number for a bank")
		case provider == "":
			return usagef("--provider is missing: without the operator's code the payout fails later; %s", join(providerCodes))
		default:
			number, err := a.readMSISDN(msisdn, country, intram.ProviderCode(provider))
			if err != nil {
				return err
			}
			params.Destination = intram.MobileMoney{
				ProviderCode: intram.ProviderCode(provider), MSISDN: number, CountryCode: country, AccountName: firstName, AccountSurname: otherName,
			}
		}
		if params.Metadata, err = a.readObject("--metadata", c.metadata); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		return a.create(cmd, client, &c, &w, "pay out "+money(params.Amount, params.Currency), creator{
			typ: intram.OperationPayout,
			prepare: func(opts ...intram.CallOption) (*intram.Intent, error) {
				return client.Payouts.Prepare(params, opts...)
			},
			send: func(opt intram.CallOption) (*intram.Operation, error) {
				return client.Payouts.Create(cmd.Context(), params, opt)
			},
		})
	}
	return cmd
}

// creator is a call that makes an operation.
type creator struct {
	typ     intram.OperationType
	prepare func(...intram.CallOption) (*intram.Intent, error)
	send    func(intram.CallOption) (*intram.Operation, error)
	// harmless calls move nothing by themselves, and are not asked about.
	harmless bool
}

// create checks, asks, prints the key, sends, and waits if requested.
func (a *app) create(cmd *cobra.Command, client *intram.Client, c *creation, w *waiting, what string, call creator) error {
	if _, err := w.options(cmd); err != nil {
		return err
	}
	intent, err := a.prepare(c, call.prepare)
	if err != nil {
		return err
	}
	if !call.harmless {
		if err := a.confirm(c.confirmation, client.Environment(), what); err != nil {
			return err
		}
	}
	a.printKey(intent)
	op, err := call.send(intram.WithIntent(intent))
	if err != nil {
		return inDoubt(cmd, intent, err)
	}
	a.accept("operation", op.ID, "intram operations wait "+shellQuote(op.ID)+again(cmd))
	if w.wait {
		return a.waitForOperation(cmd, client, op.ID, call.typ, w)
	}
	return a.printOperation(op)
}
