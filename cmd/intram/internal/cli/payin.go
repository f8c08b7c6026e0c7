package cli

import (
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) payinCommand() *cobra.Command {
	return a.calls(group("payin", "Take payments by payin sessions",
		`Take a payment from a mobile-money wallet, which the customer confirms through a link.
This is a second API with credentials of its own: INTRAM_PAYIN_API_KEY and
INTRAM_PAYIN_API_CLIENT. Its sandbox moves real money, according to the provider.`,
		a.payinCreateCommand(), a.payinGetCommand(), a.payinWaitCommand()))
}

func (a *app) payinCreateCommand() *cobra.Command {
	var (
		c      creation
		amount string
		params intram.PayinSessionParams
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Ask for one payment", Args: exactly(),
		Long: `Ask for a payment. The idempotency key follows from --reference, so the same
reference is the same session. A person is asked first, and a script gives --yes:
real money moves with live keys, and in the provider's sandbox too. To test
without money, use --local with intram serve.

The API takes 100 to 2 000 000 XOF. Cameroon has limits of its own, in XAF.`,
		Example: `  intram payin create --reference order-4521 --amount 300 --country CI \
      --msisdn +2250700000000 --customer-name "Ada Lovelace" \
      --success-url https://shop.example.com/ok \
      --failure-url https://shop.example.com/no`,
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Reference, "reference", "", "your own `name` of this payment")
	flags.StringVar(&amount, "amount", "", "how much, in whole units of the currency")
	flags.StringVar(&params.MSISDN, "msisdn", "", "the customer's phone `number`, as people write it")
	flags.StringVar(&params.CustomerName, "customer-name", "", "the customer's `name`; optional in the API's newer revision")
	flags.StringVar(&params.Country, "country", "", "two letters, such as CI, SN, TG or CM")
	flags.StringVar(&params.AccountID, "account", "", "the merchant `account` or sub-account")
	flags.StringVar(&params.SuccessURL, "success-url", "", "where the customer goes after paying")
	flags.StringVar(&params.FailureURL, "failure-url", "", "where the customer goes after a failure")
	complete(cmd, "country", "CI", "SN", "TG", "BJ", "CM")
	c.flags(cmd, "")
	c.flag(cmd)
	flags.Lookup("yes").Usage = "do not ask before real money moves (live keys, and the provider's sandbox)"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		currency := intram.XOF
		if params.Country == "CM" {
			currency = intram.XAF
		}
		if params.Amount, err = a.readAmount(amount, currency); err != nil {
			return err
		}
		if params.MSISDN, err = a.readMSISDN(params.MSISDN, params.Country, ""); err != nil {
			return err
		}
		payin, s, err := a.payinAccount()
		if err != nil {
			return err
		}
		if c.key == "" && params.Reference != "" {
			if c.key, err = intram.DerivePayinKey(params.Reference); err != nil {
				return err
			}
		}
		intent, err := a.prepare(&c, func(opts ...intram.CallOption) (*intram.Intent, error) { return payin.Prepare(params, opts...) })
		if err != nil {
			return err
		}
		if err := a.confirmPayin(c.confirmation, s, "take "+money(params.Amount, currency)+" from a customer"); err != nil {
			return err
		}
		a.printKey(intent)
		session, err := payin.CreateSession(cmd.Context(), params, intram.WithIntent(intent))
		if err != nil {
			return inDoubt(cmd, intent, err)
		}
		a.accept("session", session.ID, "intram payin get "+shellQuote(session.Reference)+again(cmd))
		return a.printPayin(session)
	}
	return cmd
}

func (a *app) payinGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "get REFERENCE", Short: "Show one session", Args: exactly("REFERENCE"),
		Example: `  intram payin get order-4521`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		payin, _, err := a.payinClient()
		if err != nil {
			return err
		}
		session, err := payin.Get(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printPayin(session)
	}
	return cmd
}

func (a *app) payinWaitCommand() *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use: "wait REFERENCE", Short: "Wait until a session has ended", Args: exactly("REFERENCE"),
		Long: `Wait until a session has ended. The exit status tells: 0 when it was paid, 4 when it
was not, 5 when it is still pending. A session that failed may still be paid within
48 hours: look at it again before you take another payment for the same order.`,
		Example: `  intram payin wait order-4521 && echo paid`,
	}
	w.flags(cmd, "10m")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := w.options(cmd)
		if err != nil {
			return err
		}
		payin, _, err := a.payinClient()
		if err != nil {
			return err
		}
		session, err := payin.Wait(cmd.Context(), args[0], opts...)
		if err != nil {
			return err
		}
		if err := a.printPayin(session); err != nil {
			return err
		}
		switch session.Outcome() {
		case intram.PayinOutcomePaid:
		case intram.PayinOutcomeFailed, intram.PayinOutcomeRefused:
			a.note("It may still be paid within 48 hours: look again before you take another payment for the same order.")
			return said(exitFailed)
		default:
			return said(exitFailed)
		}
		return nil
	}
	return cmd
}

// printPayin prints a session without its customer; --json prints all of it.
func (a *app) printPayin(p *intram.Payin) error {
	if a.asJSON {
		return a.printJSON(p.Raw)
	}
	fields := []field{
		{"session", p.ID}, {"reference", p.Reference}, {"outcome", string(p.Outcome())}, {"amount", money(p.Amount, p.Currency)},
		{"fee", p.Fee.Grouped()}, {"charged", p.ChargedAmount.Grouped()}, {"created", when(p.CreatedAt)},
	}
	if p.ConfirmationRequired && !p.Outcome().Finished() {
		fields = append(fields, field{"confirm at", p.PaymentURL})
	}
	if p.Failure != nil {
		fields = append(fields, field{"error", string(p.Failure.Code)})
	}
	a.printFields(fields...)
	return nil
}
