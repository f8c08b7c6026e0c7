// Package typed reads what people type: amounts and phone numbers, on a command line or
// in a cell of a spreadsheet.
package typed

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	intram "github.com/intram/intram-go"
)

// Amount reads an amount; see [intram.ParseTypedAmount]. The error says why it is none,
// without the SDK's prefix.
func Amount(text string, currency intram.Currency) (intram.Amount, error) {
	amount, err := intram.ParseTypedAmount(text, currency)
	if err != nil {
		return amount, errors.New(strings.TrimPrefix(err.Error(), "intram: amount: "))
	}
	return amount, nil
}

// MSISDN reads a phone number. country is whose it is when it has no calling code; when
// that is empty, the operator's code says it, and else it is Benin, as the API has it.
// What is in international form already stays as it is, so that a payout that was asked
// for before is asked for in the same bytes.
func MSISDN(text, country string, operator intram.ProviderCode) (string, error) {
	if country == "" {
		country = countryOf(operator)
	}
	if country == "" {
		country = "BJ"
	}
	number, err := intram.ParseMSISDN(text, country)
	if err == nil {
		if !strings.HasPrefix(text, "+") && intram.SameWallet(number, text) {
			return text, nil
		}
		return number, nil
	}
	// The SDK knows the countries of the API exactly, and of the others only what has +
	// in front.
	parsed, parseErr := phonenumbers.Parse(text, country)
	letters := strings.ContainsFunc(text, unicode.IsLetter) // which phonenumbers would dial
	if parseErr == nil && !letters && phonenumbers.IsValidNumber(parsed) && !known(phonenumbers.GetRegionCodeForNumber(parsed)) {
		return strings.TrimPrefix(phonenumbers.Format(parsed, phonenumbers.E164), "+"), nil
	}
	return "", errors.New(strings.TrimPrefix(err.Error(), intram.ErrInvalidMSISDN.Error()+": "))
}

// known reports whether the SDK has the country's numbers.
func known(country string) bool {
	return slices.Contains([]string{"BJ", "BF", "CI", "CM", "GW", "ML", "NE", "SN", "TG"}, country)
}

// countryOf is the country in which an operator such as MTN_BENIN_229 is, and "" when its
// code does not say it.
func countryOf(operator intram.ProviderCode) string {
	suffix := string(operator[strings.LastIndexByte(string(operator), '_')+1:])
	code := 0
	for _, c := range suffix {
		if c < '0' || c > '9' || code > 999 {
			return ""
		}
		code = 10*code + int(c-'0')
	}
	if region := phonenumbers.GetRegionCodeForCountryCode(code); region != phonenumbers.UNKNOWN_REGION {
		return region
	}
	return ""
}
