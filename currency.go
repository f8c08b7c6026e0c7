package intram

import "encoding/json"

// Currency is an ISO 4217 code, in capitals.
type Currency string

// XOF is the West African CFA franc, the API's first currency. It has no decimals.
const XOF Currency = "XOF"

// UnmarshalJSON reads both revisions of the docs: a code, or an object with one. null is no currency.
func (c *Currency) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var object struct {
			Code string `json:"code"`
		}
		if err := json.Unmarshal(data, &object); err != nil {
			return err
		}
		*c = Currency(object.Code)
		return nil
	}
	var code word
	if err := code.UnmarshalJSON(data); err != nil {
		return err
	}
	*c = Currency(code)
	return nil
}

// ProviderCode names a mobile-money operator. Codes that the SDK does not list are sent as they are.
type ProviderCode string

// The operators of Benin (Merchant API docs, Payouts).
const (
	MTNBenin  ProviderCode = "MTN_BENIN_229"
	MoovBenin ProviderCode = "MOOV_AFRICA_BENIN_229"
	SBINBenin ProviderCode = "SBIN_BENIN_229"
)
