package intram

// Currency is an ISO 4217 code, in capitals.
type Currency string

// XOF is the West African CFA franc, the API's first currency. It has no decimals.
const XOF Currency = "XOF"

// XAF is the Central African CFA franc, of payin sessions in Cameroon. It has no decimals.
const XAF Currency = "XAF"

// UnmarshalJSON reads both revisions of the docs: a code, or an object with one. null and any other kind of value are no currency.
func (c *Currency) UnmarshalJSON(data []byte) error {
	var code text
	if isObject(data) {
		var object struct {
			Code text `json:"code"`
		}
		if err := unmarshal(data, &object); err != nil {
			return err
		}
		code = object.Code
	} else if err := code.UnmarshalJSON(data); err != nil {
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
	SBINBenin ProviderCode = "SBIN_BENIN_229" // Celtiis
)
