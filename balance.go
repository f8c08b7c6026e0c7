package intram

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// BalanceService reads the merchant's wallet.
type BalanceService struct{ client *Client }

// Balance is the merchant's wallet in the client's environment.
//
// A merchant without a wallet yet has no currency and no balances; that is not an error.
type Balance struct {
	// Currency is empty when there is no wallet yet.
	Currency Currency
	// Available and Pending are the whole wallet's. Where the API does not give them, they are the sums of
	// PaymentMethods.
	Available, Pending Amount
	// PaymentMethods splits the wallet by where the money came in.
	PaymentMethods []PaymentMethodBalance
	// AsOf is when the balance was taken, if the API says so.
	AsOf time.Time
	// Raw is the answer as it came.
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

// UnmarshalJSON reads a payment method's part. The name describes, and may be of any kind; the amounts may not.
func (b *PaymentMethodBalance) UnmarshalJSON(data []byte) error {
	var wire struct {
		PaymentMethod text   `json:"payment_method"`
		Available     Amount `json:"available"`
		Pending       Amount `json:"pending"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*b = PaymentMethodBalance{PaymentMethod: string(wire.PaymentMethod), Available: wire.Available, Pending: wire.Pending}
	return nil
}

// Get reads the balance of the client's environment.
//
// Endpoint: GET /balance. Errors: [*Error] with the authentication codes. Docs: Merchant API, Balance.
func (s *BalanceService) Get(ctx context.Context, opts ...CallOption) (*Balance, error) {
	env, err := do[Balance](ctx, s.client, request{method: http.MethodGet, template: "/balance", path: "/balance"}, opts)
	if err != nil {
		return nil, err
	}
	return &env.Data, nil
}

// UnmarshalJSON reads both revisions of the docs.
func (b *Balance) UnmarshalJSON(data []byte) error {
	var wire struct {
		Currency  Currency               `json:"currency"`
		Available *Amount                `json:"available"`
		Pending   *Amount                `json:"pending"`
		Methods   []PaymentMethodBalance `json:"payment_method_balances"`
		AsOf      timestamp              `json:"as_of"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*b = Balance{Currency: wire.Currency, PaymentMethods: wire.Methods, AsOf: wire.AsOf.Time}
	for _, m := range wire.Methods {
		b.Available = b.Available.Add(m.Available)
		b.Pending = b.Pending.Add(m.Pending)
	}
	if wire.Available != nil {
		b.Available = *wire.Available
	}
	if wire.Pending != nil {
		b.Pending = *wire.Pending
	}
	return b.Raw.UnmarshalJSON(data)
}

// MarshalJSON writes what the API sent.
func (b Balance) MarshalJSON() ([]byte, error) {
	type plain Balance
	return marshalRaw(b.Raw, plain(b))
}
