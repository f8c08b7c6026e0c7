package mockapi

// method is a way to pay: where a payment comes from and a payout goes to, and the wallet
// that holds the money meanwhile.
type method struct {
	code       string
	name       string // the wallet's name on the balance, and the transaction's payment_method
	country    string // where it handles mobile money, ISO 3166 alpha-2
	kind       methodKind
	refundable bool // once settled
	index      int  // in the catalogue
}

type methodKind int

const (
	mobileMoney methodKind = iota
	card
	bankTransfer
)

// The mobile-money codes are the documented ones. CARD and BANK are ours: the docs speak
// of card and bank payments (refunds, stripe_unavailable) without naming their codes.
const (
	mtnBenin  = "MTN_BENIN_229"
	moovBenin = "MOOV_AFRICA_BENIN_229"
	sbinBenin = "SBIN_BENIN_229"
	cardCode  = "CARD"
	bankCode  = "BANK"
)

// methods is the catalogue, in the order the balance lists wallets. The names of MTN,
// Moov and the card are the published ones; the other two are ours, in the same language.
var methods = [...]*method{
	{index: 0, code: mtnBenin, name: "MTN Bénin", country: "BJ", kind: mobileMoney, refundable: true},
	{index: 1, code: moovBenin, name: "Moov Bénin", country: "BJ", kind: mobileMoney, refundable: true},
	{index: 2, code: sbinBenin, name: "SBIN Bénin", country: "BJ", kind: mobileMoney, refundable: true},
	{index: 3, code: cardCode, name: "Carte Visa", kind: card, refundable: true},
	{index: 4, code: bankCode, name: "Virement bancaire", kind: bankTransfer},
}

func methodByCode(code string) *method {
	for _, m := range methods {
		if m.code == code {
			return m
		}
	}
	return nil
}

// methodName is the name of a payment method, and empty for a code that is unknown or
// missing.
func methodName(code string) string {
	if m := methodByCode(code); m != nil {
		return m.name
	}
	return ""
}

// mobileMethod is methodByCode for the codes a payout may name.
func mobileMethod(code string) *method {
	if m := methodByCode(code); m != nil && m.kind == mobileMoney {
		return m
	}
	return nil
}
