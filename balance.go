package intram

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/intram/intram-go/internal/wire"
)

// BalanceService reads the merchant's wallet.
//
//	balance, err := client.Balance.Get(ctx)
//	…
//	fmt.Println(balance.Available, balance.Currency)
type BalanceService struct{ client *Client }

// Balance is the merchant's wallet in the client's environment.
//
// A merchant without a wallet yet has no currency and no balances; that is not an error.
type Balance struct {
	// Currency is empty when there is no wallet yet.
	Currency Currency
	// Available and Pending are the whole wallet's. Where the API does not give them,
	// they are the sums of PaymentMethods.
	Available, Pending Amount
	// PaymentMethods splits the wallet by where the money came in.
	PaymentMethods []PaymentMethodBalance
	// AsOf is when the balance was taken, if the API says so.
	AsOf time.Time
	// Raw is the response as it came.
	Raw RawMessage
}

// PaymentMethodBalance is one payment method's part of a wallet.
type PaymentMethodBalance struct {
	// PaymentMethod is a name ("MTN Bénin") or, in the docs' earlier revision, a code.
	PaymentMethod string `json:"payment_method"`
	// Available can be paid out now, Pending not yet.
	Available Amount `json:"available"`
	Pending   Amount `json:"pending"`
}

// UnmarshalJSON reads a payment method's part. The name describes, and may be of any
// kind; the amounts may not.
func (b *PaymentMethodBalance) UnmarshalJSON(data []byte) error {
	var w struct {
		PaymentMethod wire.Text `json:"payment_method"`
		Available     Amount    `json:"available"`
		Pending       Amount    `json:"pending"`
	}
	if err := wire.UnmarshalObject(data, &w); err != nil {
		return err
	}
	*b = PaymentMethodBalance{PaymentMethod: string(w.PaymentMethod), Available: w.Available, Pending: w.Pending}
	return nil
}

// Get reads the balance of the client's environment.
//
// Endpoint: GET /balance. Errors: [*Error] with the authentication codes. Docs: Merchant
// API, Balance.
func (s *BalanceService) Get(ctx context.Context, opts ...CallOption) (*Balance, error) {
	return doModel[Balance, balanceWire](ctx, s.client, request{method: http.MethodGet, template: "/balance", path: "/balance"}, opts)
}

// balanceWire is a wallet as both revisions of the docs write it.
type balanceWire struct {
	Currency  Currency       `json:"currency"`
	Available *Amount        `json:"available"`
	Pending   *Amount        `json:"pending"`
	Methods   methodBalances `json:"payment_method_balances"`
	AsOf      wire.Time      `json:"as_of"`
}

// methodBalances are amounts, which are acted on: what is no list of them is an error.
type methodBalances []PaymentMethodBalance

// UnmarshalJSON reads a list.
func (m *methodBalances) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*[]PaymentMethodBalance)(m)); err != nil {
		return fmt.Errorf("payment_method_balances: %w", err)
	}
	return nil
}

// model implements shape.
func (w balanceWire) model(raw RawMessage) Balance {
	b := Balance{Currency: w.Currency, PaymentMethods: w.Methods, AsOf: w.AsOf.Time, Raw: raw}
	for _, m := range w.Methods {
		b.Available = b.Available.Add(m.Available)
		b.Pending = b.Pending.Add(m.Pending)
	}
	if w.Available != nil {
		b.Available = *w.Available
	}
	if w.Pending != nil {
		b.Pending = *w.Pending
	}
	return b
}

// UnmarshalJSON reads both revisions of the docs.
func (b *Balance) UnmarshalJSON(data []byte) error { return readValue[Balance, balanceWire](data, b) }

// MarshalJSON writes what the API sent.
func (b Balance) MarshalJSON() ([]byte, error) {
	type plain Balance
	return marshalRaw(b.Raw, plain(b))
}
