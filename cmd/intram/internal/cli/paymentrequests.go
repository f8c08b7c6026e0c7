package cli

import (
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) paymentRequestsCommand() *cobra.Command {
	return a.calls(group("payment-requests", "Ask customers for money through a checkout page",
		`Ask a customer for money. The operation ends with a checkout page; the customer pays
later: "intram transactions wait" tells when.`,
		a.paymentRequestsCreateCommand(),
		a.operationList(operationList{
			things: "payment requests", columns: []string{"OPERATION", "STATUS", "AMOUNT", "TRANSACTION", "ERROR", "CREATED"},
			example: `  intram payment-requests list --since 3d --all`,
			all:     func(c *intram.Client) listAll { return c.PaymentRequests.All },
			page:    func(c *intram.Client) listPage { return c.PaymentRequests.List },
		}),
		a.operationGet("payment request", `  intram payment-requests get op_6f7c`, func(c *intram.Client) lookup { return c.PaymentRequests.Get }),
		a.waitCommand(intram.OperationPaymentRequest, "Wait until the checkout page is there", `  intram payment-requests wait op_6f7c`)))
}

func (a *app) paymentRequestsCreateCommand() *cobra.Command {
	var (
		c                             creation
		w                             waiting
		amount, currency, description string
		customer                      intram.Customer
		method                        intram.PaymentMethod
		provider                      string
		urls                          intram.ReturnURLs
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Ask for one payment", Args: exactly(),
		Long: `Ask for a payment. With --wait, the address of the checkout page to send the customer to
is printed; no money moves before the customer pays there.`,
		Example: `  intram payment-requests create --amount 12000 --description "Order 4" --wait
  intram transactions wait AB12CD34EF`,
	}
	flags := cmd.Flags()
	flags.StringVar(&amount, "amount", "", "how much, in whole units of the currency")
	flags.StringVar(&currency, "currency", string(intram.XOF), "an ISO 4217 code")
	flags.StringVar(&description, "description", "", "a `text` that the customer sees")
	flags.StringVar(&customer.Email, "customer-email", "", "the customer's e-mail `address`")
	flags.StringVar(&customer.FirstName, "customer-first-name", "", "the customer's first `name`")
	flags.StringVar(&customer.LastName, "customer-last-name", "", "the customer's last `name`")
	flags.StringVar(&customer.Phone, "customer-phone", "", "the customer's `number`, international, digits only")
	flags.StringVar(&provider, "provider", "", "the operator's `code` that the checkout page begins with")
	flags.StringVar(&method.MSISDN, "msisdn", "", "the `number` that the checkout page begins with")
	flags.StringVar(&urls.Success, "success-url", "", "where the customer goes after paying")
	flags.StringVar(&urls.Cancel, "cancel-url", "", "where the customer goes after giving up")
	complete(cmd, "provider", providerCodes...)
	complete(cmd, "currency", string(intram.XOF))
	c.flags(cmd, "webhook-data")
	w.flagsAfter(cmd, operationWait)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		method.Code = intram.ProviderCode(provider)
		params := intram.PaymentRequestParams{
			Invoice:       intram.Invoice{Currency: intram.Currency(currency), Description: description, Customer: customer},
			PaymentMethod: method, ReturnURLs: urls,
		}
		var err error
		if params.Invoice.Amount, err = a.readAmount(amount, params.Invoice.Currency); err != nil {
			return err
		}
		if params.PaymentMethod.MSISDN, err = a.readMSISDN(method.MSISDN, method.CountryCode, method.Code); err != nil {
			return err
		}
		if params.WebhookData, err = a.readObject("--webhook-data", c.metadata); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		return a.create(cmd, client, &c, &w, "", creator{
			typ: intram.OperationPaymentRequest, harmless: true,
			prepare: func(opts ...intram.CallOption) (*intram.Intent, error) {
				return client.PaymentRequests.Prepare(params, opts...)
			},
			send: func(opt intram.CallOption) (*intram.Operation, error) {
				return client.PaymentRequests.Create(cmd.Context(), params, opt)
			},
		})
	}
	return cmd
}
