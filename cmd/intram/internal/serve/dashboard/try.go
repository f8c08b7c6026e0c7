package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
	"github.com/intram/intram-go/internal/mockapi"
)

// The forms that make a payout and ask for a payment call the API as a merchant's program
// does, signed and with the SDK: the call is in the list of requests, and the documented
// checks apply.

// client is the SDK's, with the keys of an environment and without a socket.
func (d *Dashboard) client(env string) (*intram.Client, error) {
	keys := d.Core.Merchant().Sandbox
	if env == "live" {
		keys = d.Core.Merchant().Live
	}
	return intram.NewClient(keys.Public, keys.Secret, intram.WithBaseURL("http://127.0.0.1"), intram.WithMaxAttempts(1),
		intram.WithClock(d.Core.Clock()), intram.WithHTTPClient(&http.Client{Transport: d.Core.Transport()}))
}

// makePayout is the form "make a payout now". It returns the path of the operation.
func (d *Dashboard) makePayout(ctx context.Context, f url.Values) (string, error) {
	amount, number, err := d.read(f, intram.ProviderCode(f.Get("method")))
	if err == nil && number == "" {
		err = errors.New("number: missing")
	}
	if err != nil {
		return "", err
	}
	client, err := d.client(f.Get("environment"))
	if err != nil {
		return "", err
	}
	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: amount, Reference: strings.TrimSpace(f.Get("reference")),
		Destination: intram.MobileMoney{ProviderCode: intram.ProviderCode(f.Get("method")), MSISDN: number},
	})
	return operationPath(f.Get("environment"), op), err
}

// askForPayment is the form "ask for a payment now". It returns the path of the
// operation.
func (d *Dashboard) askForPayment(ctx context.Context, f url.Values) (string, error) {
	amount, number, err := d.read(f, "")
	if err != nil {
		return "", err
	}
	client, err := d.client(f.Get("environment"))
	if err != nil {
		return "", err
	}
	op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{Invoice: intram.Invoice{
		Amount: amount, Currency: intram.XOF, Description: strings.TrimSpace(f.Get("description")), Customer: intram.Customer{Phone: number},
	}})
	return operationPath(f.Get("environment"), op), err
}

func operationPath(env string, op *intram.Operation) string {
	if op == nil {
		return ""
	}
	return Path + env + "/operations/" + op.ID
}

// read reads the amount and the number of a form, as people type them. The number may be
// missing.
func (*Dashboard) read(f url.Values, method intram.ProviderCode) (amount intram.Amount, number string, err error) {
	if amount, err = typed.Amount(f.Get("amount"), intram.XOF); err != nil {
		return amount, "", errors.New("amount: " + err.Error())
	}
	if strings.TrimSpace(f.Get("number")) == "" {
		return amount, "", nil
	}
	if number, err = typed.MSISDN(f.Get("number"), "", method); err != nil {
		return amount, "", errors.New("number: " + err.Error())
	}
	return amount, number, nil
}

// topUp is the form that puts money into a wallet.
func (d *Dashboard) topUp(f url.Values) error {
	amount, _, err := d.read(f, "")
	if err != nil {
		return err
	}
	units, whole := amount.Int64()
	if !whole {
		return errors.New("amount: XOF has no fraction")
	}
	return d.Core.TopUp(f.Get("environment"), f.Get("method"), units)
}

// Methods are what the forms offer to pay through, mobile money alone where a payout
// goes.
func (*Dashboard) Methods(mobile bool) []mockapi.Method {
	all := mockapi.Methods()
	if !mobile {
		return append(all, mockapi.Method{Code: mockapi.PayinMethod, Name: "Payin"})
	}
	var phones []mockapi.Method
	for _, m := range all {
		if m.Mobile {
			phones = append(phones, m)
		}
	}
	return phones
}
