package typed

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// numberPlan says how long the numbers of a country are, after its calling code.
type numberPlan struct {
	code   string
	digits int
}

// numberPlans holds the countries of both APIs. All numbers of a country have one length,
// except in Benin: see complete.
var numberPlans = map[string]numberPlan{
	"BJ": {"229", 10}, "BF": {"226", 8}, "CI": {"225", 10}, "CM": {"237", 9}, "GW": {"245", 9},
	"ML": {"223", 8}, "NE": {"227", 8}, "SN": {"221", 9}, "TG": {"228", 8},
}

// Benin's numbers had 8 digits until 2024-11-30, and have had 10 since: the same 8 with
// 01 in front.
const (
	beninCode   = "229"
	beninOld    = 8
	beninPrefix = "01"
)

// MSISDN returns the digits of a phone number with its calling code. country, ISO 3166
// alpha-2, is the country of a number without one, and may be empty.
func MSISDN(text, country string) (string, error) {
	digits, international, err := phoneDigits(text)
	if err != nil {
		return "", err
	}
	if !international {
		return localMSISDN(digits, country)
	}
	if plan, local, ok := planOf(digits); ok {
		return plan.complete(local)
	}
	if len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
		return "", errors.New("wrong length: an international number has 8 to 15 digits")
	}
	return digits, nil
}

// localMSISDN reads a number with neither + nor 00 in front. It may still have its
// calling code.
func localMSISDN(digits, country string) (string, error) {
	if country == "" {
		if plan, local, ok := planOf(digits); ok {
			return plan.complete(local)
		}
		return "", errors.New("no country calling code: write it with +")
	}
	plan, known := numberPlans[country]
	if !known {
		return "", errors.New("unknown country: write the number with + and the calling code")
	}
	if local, ok := strings.CutPrefix(digits, plan.code); ok && (len(local) == plan.digits || plan.code == beninCode && len(local) == beninOld) {
		return plan.complete(local)
	}
	if other, local, ok := planOf(digits); ok && other != plan && len(local) == other.digits {
		return digits, nil
	}
	return plan.complete(digits)
}

// planOf returns the plan whose calling code the digits begin with, and the digits after
// it.
func planOf(digits string) (plan numberPlan, local string, ok bool) {
	for _, plan := range numberPlans {
		if local, ok := strings.CutPrefix(digits, plan.code); ok {
			return plan, local, true
		}
	}
	return numberPlan{}, "", false
}

// complete adds the calling code to a number of the plan.
func (p numberPlan) complete(local string) (string, error) {
	switch {
	case p.code == beninCode && len(local) == beninOld:
		local = beninPrefix + local
	case p.code == beninCode && len(local) == p.digits-1 && local[0] == '1':
		return "", errors.New("the 0 in front is missing: a spreadsheet took it for a number, format the column as text and enter it again")
	case p.code == beninCode && (len(local) != p.digits || !strings.HasPrefix(local, beninPrefix)):
		return "", errors.New("a number of Benin has 10 digits that begin with 01, or the 8 digits of before 2024-11-30")
	case len(local) != p.digits:
		return "", fmt.Errorf("a number behind +%s has %d digits", p.code, p.digits)
	}
	return p.code + local, nil
}

// phoneDigits removes what people write around the digits.
func phoneDigits(text string) (digits string, international bool, err error) {
	text = visible(text)
	if strings.ContainsAny(text, "eE") && strings.Trim(text, "0123456789.,eE+-") == "" {
		return "", false, errors.New("a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again")
	}
	text = withoutDecimals(text)
	text = strings.Replace(text, "(0)", "", 1) // +33 (0)6 …
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0 && !international: // (+229) …
			international = true
		case r == ' ' || r == '.' || r == '/' || r == '(' || r == ')' || unicode.Is(unicode.Pd, r):
		default:
			return "", false, errors.New("not a phone number: write only digits, spaces and +")
		}
	}
	digits = b.String()
	if rest, ok := strings.CutPrefix(digits, "00"); ok && !international {
		digits, international = rest, true
	}
	if digits == "" {
		return "", false, errors.New("not a phone number: no digits")
	}
	return digits, international, nil
}

// withoutDecimals removes the .0 or ,00 of a cell that holds a number instead of a text.
func withoutDecimals(text string) string {
	i := strings.LastIndexAny(text, ".,")
	if i < 1 || strings.Trim(text[i+1:], "0") != "" || strings.ContainsAny(text[:i], "., -/") {
		return text
	}
	return text[:i]
}

// Wallet returns the number by which a wallet is known: the same for every number of one
// wallet.
func Wallet(msisdn string) string {
	digits := strings.TrimPrefix(msisdn, "+")
	if local, ok := strings.CutPrefix(digits, beninCode); ok && len(local) == beninOld {
		return beninCode + beninPrefix + local
	}
	return digits
}
