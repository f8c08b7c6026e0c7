package typed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/intram/intram-go/internal/redact"
)

// AmbiguousError is the error for an amount that can be read in two ways.
type AmbiguousError struct{ text, decimal, grouped string }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s: %s or %s? write it without separators", e.text, e.decimal, e.grouped)
}

// Amount returns the digits of an amount in a currency, with at most one point or one
// exponent, as a program would write it. The error is an [*AmbiguousError] if there are
// two readings. No error repeats a text that has more than digits and separators.
func Amount(text, currency string) (string, error) {
	number := withoutCurrency(visible(text), currency)
	if number == "" {
		return "", errNotTyped
	}
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 && isDigits(strings.TrimLeft(number[i+1:], "+-")) {
		mantissa, exponent = number[:i], number[i:]
	}
	switch {
	case strings.Trim(mantissa, "0123456789.,' ") != "":
		return "", notTyped(number, currency)
	case exponent == "":
		return plainNumber(mantissa)
	case strings.Count(mantissa, ",") == 1 && isDigits(strings.Replace(mantissa, ",", "", 1)):
		return "", errRounded
	}
	return mantissa + exponent, nil
}

var (
	errNotTyped = errors.New(`not an amount: write digits, such as "25000" or "25 000"`)
	errGroups   = errors.New(`the digits are not in groups of three: write it without spaces and separators`)
	errNegative = errors.New("negative: an amount is above zero")
	errRounded  = errors.New("rounded by a spreadsheet, and its last digits may be lost: format the column as a number without decimals and enter it again")
)

// otherCurrencies lists what people write beside an amount in another currency.
var otherCurrencies = []string{
	"€", "$", "£", "₦", "₵", "EUR", "EURO", "EUROS", "USD", "GBP", "CHF", "CAD", "CNY", "NGN", "GHS", "GNF", "XAF", "XOF", "FCFA", "F CFA", "CFA", "MAD", "ZAR", "KES",
}

// notTyped returns why a text with more than digits and separators is not an amount,
// without repeating it.
func notTyped(text string, currency string) error {
	number := func(s string) bool { return s != "" && isDigits(s[:1]) && strings.Trim(s, "0123456789.,' ") == "" }
	negative := strings.Replace(text, "\u2212", "-", 1)
	inside, bracketed := strings.CutPrefix(strings.TrimSuffix(negative, ")"), "(")
	if rest, minus := strings.CutPrefix(negative, "-"); minus && number(strings.TrimSpace(rest)) || bracketed && number(inside) {
		return errNegative
	}
	for _, word := range otherCurrencies {
		if slices.Contains(typedNames(currency), word) {
			continue // in front of the amount
		}
		front, back := len(text)-len(word), min(len(word), len(text))
		if front > 0 && (strings.EqualFold(text[front:], word) && number(strings.TrimSpace(text[:front])) ||
			strings.EqualFold(text[:back], word) && number(strings.TrimSpace(text[back:]))) {
			return fmt.Errorf("in another currency: write the amount in %s, without a currency", redact.Word(currency))
		}
	}
	return errNotTyped
}

// plainNumber converts a grouped number to the form that a program would write.
func plainNumber(s string) (string, error) {
	front, rest := s, ""
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		front, rest = s[:i], s[i:]
	}
	groups := strings.FieldsFunc(front, func(r rune) bool { return r == ' ' || r == '\'' })
	if len(groups) > 1 && strings.ContainsAny(rest, " '") {
		return "", errGroups
	}
	front, err := joined(groups)
	if err != nil {
		return "", err
	}
	s = front + rest
	last := strings.LastIndexAny(s, ".,")
	if last < 0 {
		return withoutLeadingZeros(s)
	}
	separator, other := s[last:last+1], ","
	if separator == "," {
		other = "."
	}
	whole, fraction := s[:last], s[last+1:]
	switch {
	case strings.Contains(whole, separator) && strings.Contains(whole, other):
		return "", errGroups
	case strings.Contains(whole, separator): // 1.250.000
		whole, err = joined(strings.Split(s, separator))
		fraction = ""
	case strings.Contains(whole, other): // 1.250,00
		if whole, err = joined(strings.Split(whole, other)); err == nil && len(fraction) == 3 {
			return "", &AmbiguousError{s, decimalReading(whole, fraction), whole + fraction}
		}
	case len(fraction) == 3 && len(whole) >= 1 && len(whole) <= 3 && whole[0] != '0':
		return "", &AmbiguousError{s, decimalReading(whole, fraction), whole + fraction}
	}
	if err != nil {
		return "", err
	}
	if whole, err = withoutLeadingZeros(whole); err != nil {
		return "", err
	}
	if fraction == "" {
		if strings.HasSuffix(s, separator) {
			return "", errNotTyped
		}
		return whole, nil
	}
	return whole + "." + fraction, nil
}

// decimalReading returns a number without trailing zeros after its point.
func decimalReading(whole, fraction string) string {
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// joined joins digits that are grouped by three, without the separators between the
// groups.
func joined(groups []string) (string, error) {
	if len(groups) <= 1 {
		return strings.Join(groups, ""), nil
	}
	if groups[0] == "" || len(groups[0]) > 3 {
		return "", errGroups
	}
	for _, group := range groups[1:] {
		if len(group) != 3 {
			return "", errGroups
		}
	}
	return strings.Join(groups, ""), nil
}

// withoutLeadingZeros refuses a text that is not a number, and a number with leading
// zeros: a phone number or an account is in the wrong column.
func withoutLeadingZeros(s string) (string, error) {
	if s == "" || len(s) > 1 && s[0] == '0' || !isDigits(s) {
		return "", errNotTyped
	}
	return s, nil
}

// typedNames returns what people call a currency.
func typedNames(currency string) []string {
	if currency == "XOF" || currency == "XAF" { // people call both CFA francs
		return []string{currency, "FCFA", "F CFA", "F.CFA", "CFA", "F"}
	}
	return []string{currency}
}

// withoutCurrency removes the currency from the end of an amount.
func withoutCurrency(text string, currency string) string {
	for _, word := range typedNames(currency) {
		if n := len(text) - len(word); word != "" && n > 0 && strings.EqualFold(text[n:], word) {
			return strings.TrimSpace(text[:n])
		}
	}
	return text
}
