package intram

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/intram/intram-go/internal/redact"
)

// ErrAmbiguousAmount is behind the error of [ParseTypedAmount] for an amount that can be read in two ways, such as "25.000":
// 25 with three decimals, or 25 thousand.
var ErrAmbiguousAmount = errors.New("intram: amount: it can be read in two ways")

// ParseTypedAmount reads an amount as a person writes it, in a form, a cell of a spreadsheet, or on a command line, where
// [ParseAmount] reads what a program has written. currency is the one that is expected, and may stand behind the number; empty
// is XOF, which people also write FCFA, F CFA, CFA and F.
//
// Thousands may be grouped by spaces of any kind or by apostrophes, "25 000 FCFA", but not by tabs or line breaks. Of a point or a comma it must be sure what they
// mean: "25000,00", "1.250.000" and "25 000,50" have one reading. "25.000" and "1,250" have two, and are refused with
// [ErrAmbiguousAmount] and both readings, since taking the wrong one pays a thousandth or a thousand times the amount. "2.5E+04",
// as programs write large numbers, is read too; with a comma it is what a spreadsheet has shown of a number, in three digits, and is
// refused. Show the person what was read, with [Amount.Grouped], before you send it.
//
// The amount that comes with an error is refused by every call that would send it. The error repeats the text only when it is digits and
// separators.
func ParseTypedAmount(text string, currency Currency) (Amount, error) {
	a, err := parseTypedAmount(text, currency)
	if err != nil {
		return invalidAmount(), fmt.Errorf("intram: amount: %w", err)
	}
	return a, nil
}

// ambiguous is an amount with two readings.
type ambiguous struct{ text, decimal, grouped string }

func (e *ambiguous) Error() string {
	return fmt.Sprintf("%s: %s or %s? write it without separators", e.text, e.decimal, e.grouped)
}

func (e *ambiguous) Is(target error) bool { return target == ErrAmbiguousAmount }

func parseTypedAmount(text string, currency Currency) (Amount, error) {
	number := cutTypedCurrency(visible(text), currency)
	if number == "" {
		return invalidAmount(), errNotTyped
	}
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 && allOf(strings.TrimLeft(number[i+1:], "+-"), isDigit) {
		mantissa, exponent = number[:i], number[i:]
	}
	if strings.Trim(mantissa, "0123456789.,' ") != "" {
		return invalidAmount(), notTyped(number, currency)
	}
	if exponent != "" {
		a, err := parseAmount(strings.Replace(mantissa, ",", ".", 1) + exponent)
		if err == nil && strings.Contains(mantissa, ",") {
			return invalidAmount(), errRounded
		}
		return a, err
	}
	plain, err := plainNumber(mantissa)
	if err != nil {
		return invalidAmount(), err
	}
	return parseAmount(plain)
}

var (
	errNotTyped = errors.New(`not an amount: write digits, such as "25000" or "25 000"`)
	errGroups   = errors.New(`the digits are not in groups of three: write it without spaces and separators`)
	errNegative = errors.New("negative: an amount is above zero")
	errRounded  = errors.New("rounded by a spreadsheet, and its last digits may be lost: format the column as a number without decimals and enter it again")
)

// otherCurrencies are what people write beside an amount in another currency.
var otherCurrencies = []string{
	"€", "$", "£", "₦", "₵", "EUR", "EURO", "EUROS", "USD", "GBP", "CHF", "CAD", "CNY", "NGN", "GHS", "GNF", "XAF", "XOF", "FCFA", "F CFA", "CFA", "MAD", "ZAR", "KES",
}

// notTyped says why a text with more than digits and separators is no amount, without repeating it.
func notTyped(text string, currency Currency) error {
	number := func(s string) bool { return s != "" && isDigit(s[0]) && strings.Trim(s, "0123456789.,' ") == "" }
	negative := strings.Replace(text, "\u2212", "-", 1)
	inside, bracketed := strings.CutPrefix(strings.TrimSuffix(negative, ")"), "(")
	if rest, minus := strings.CutPrefix(negative, "-"); minus && number(strings.TrimSpace(rest)) || bracketed && number(inside) {
		return errNegative
	}
	if currency == "" {
		currency = XOF
	}
	for _, word := range otherCurrencies {
		if slices.Contains(typedNames(currency), word) {
			continue // in front of the amount
		}
		front, back := len(text)-len(word), min(len(word), len(text))
		if front > 0 && (strings.EqualFold(text[front:], word) && number(strings.TrimSpace(text[:front])) ||
			strings.EqualFold(text[:back], word) && number(strings.TrimSpace(text[back:]))) {
			return fmt.Errorf("in another currency: write the amount in %s, without a currency", redact.Word(string(currency)))
		}
	}
	return errNotTyped
}

// plainNumber turns a grouped number into one that a program would write.
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
			return "", &ambiguous{s, decimalReading(whole, fraction), whole + fraction}
		}
	case len(fraction) == 3 && len(whole) >= 1 && len(whole) <= 3 && whole[0] != '0':
		return "", &ambiguous{s, decimalReading(whole, fraction), whole + fraction}
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

// decimalReading is a number without the zeros behind its point.
func decimalReading(whole, fraction string) string {
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// joined is a number whose digits are grouped by three, without what stood between the groups.
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

// withoutLeadingZeros refuses what is no number, and a number that begins with zeros: a phone number or an account is in the
// wrong column.
func withoutLeadingZeros(s string) (string, error) {
	if s == "" || len(s) > 1 && s[0] == '0' || !allOf(s, isDigit) {
		return "", errNotTyped
	}
	return s, nil
}

// visible replaces spaces of every kind, but for tabs and line breaks, by one, typographic apostrophes by plain ones, and leaves out what cannot be seen. The
// apostrophe by which spreadsheets mark a text goes too.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case r == '\u2019' || r == '\u02bc':
			b.WriteByte('\'')
		case unicode.Is(unicode.Cf, r): // zero widths, byte order marks, directions, soft hyphens
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(b.String()), "'"))
}

// typedNames are what people call a currency.
func typedNames(currency Currency) []string {
	if currency == "" {
		currency = XOF
	}
	if currency == XOF || currency == XAF { // people call both CFA francs
		return []string{string(currency), "FCFA", "F CFA", "F.CFA", "CFA", "F"}
	}
	return []string{string(currency)}
}

// cutTypedCurrency takes the currency off the end of an amount.
func cutTypedCurrency(text string, currency Currency) string {
	for _, word := range typedNames(currency) {
		if n := len(text) - len(word); word != "" && n > 0 && strings.EqualFold(text[n:], word) {
			return strings.TrimSpace(text[:n])
		}
	}
	return text
}

// Grouped writes the amount as people read it: the digits in groups of three with a space between them, and no zeros behind the
// point. 205000.00 is "205 000".
func (a Amount) Grouped() string {
	text := a.canonical().String()
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	whole, fraction, _ := strings.Cut(text, ".")
	var b strings.Builder
	b.WriteString(sign)
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(whole[i])
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}
