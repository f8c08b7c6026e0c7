package intram

import (
	"bytes"
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/intram/intram-go/internal/typed"
	"github.com/intram/intram-go/internal/wire"
)

// Amount is an exact decimal amount of money, in whole units of its currency: 1000 is 1
// 000 XOF. It is never a float: what the API sends is what you get, to the last digit,
// and what you send is what it gets.
//
// The zero value is an amount that was never set, which counts as zero. It is not the
// same as a zero that was computed, parsed, or made with NewAmount(0): an unset
// [RefundParams].Amount refunds all of a payment, and a zero is refused before anything
// is sent. [Amount.IsSet] tells them apart. What a failed [ParseAmount], Scan or
// Unmarshal leaves behind is refused too, so that an error that was ignored moves no
// money; sums and differences with it are no better.
//
// Amounts are values: copy them freely. Compare them with [Amount.Equal] or [Amount.Cmp],
// since == tells 153 from 153.00.
//
// In JSON an Amount is a number; a number and a number in a string are both read. In SQL
// it is a numeric, an integer or a text column. An unset amount is written as 0, and so
// reads back as a zero.
type Amount struct { //nolint:recvcheck // Scan sets what it is called on
	d     apd.Decimal
	state amountState
}

// amountState is what is known of where an amount comes from.
type amountState uint8

const (
	amountUnset   amountState = iota
	amountSet                 // made, read or computed
	amountInvalid             // what a failure left behind
)

// invalidAmount is what a failure returns: nothing sends it.
func invalidAmount() Amount { return Amount{state: amountInvalid} }

// Bounds that no amount of money needs, and that keep a hostile number from growing when
// it is written out.
const (
	maxAmountDigits   = 64
	maxAmountExponent = 64
)

// maxRequestAmount is the largest amount that is sent: beyond it, a JSON number loses
// digits in many readers.
var maxRequestAmount = NewAmount(1<<53 - 1)

// NewAmount makes an amount of whole units: NewAmount(1000) is 1 000 XOF.
func NewAmount(units int64) Amount {
	a := Amount{state: amountSet}
	a.d.SetInt64(units)
	return a
}

// ParseAmount reads a decimal number as JSON writes it: "25000", "0.1", "1e3", "-12.50".
// It keeps every digit. An empty string, NaN, Inf, hexadecimal, a plus sign, spaces and
// separators are errors, and so are more than 64 digits or an exponent beyond ±64. The
// amount that comes with an error is refused by every call that would send it.
//
// It is for what a program wrote. To a program "25.000" is 25, and to many an office it
// is 25 thousand: read what a person typed with [ParseTypedAmount].
func ParseAmount(s string) (Amount, error) {
	a, err := parseAmount(s)
	if err != nil {
		return invalidAmount(), fmt.Errorf("intram: amount: %w", err)
	}
	return a, nil
}

var errNotANumber = errors.New(`not a decimal number: write digits, such as "25000" or "153.00"`)

func parseAmount(s string) (Amount, error) {
	rest, negative := strings.CutPrefix(s, "-")
	whole, rest := cutDigits(rest)
	if whole == "" || (len(whole) > 1 && whole[0] == '0') {
		return invalidAmount(), errNotANumber
	}
	var fraction string
	if after, ok := strings.CutPrefix(rest, "."); ok {
		if fraction, rest = cutDigits(after); fraction == "" {
			return invalidAmount(), errNotANumber
		}
	}
	exponent, err := parseExponent(rest)
	if err != nil {
		return invalidAmount(), err
	}
	if len(whole)+len(fraction) > maxAmountDigits {
		return invalidAmount(), fmt.Errorf("more than %d digits", maxAmountDigits)
	}
	a := Amount{state: amountSet}
	if !setCoefficient(&a.d.Coeff, whole, fraction) {
		return invalidAmount(), errNotANumber
	}
	a.d.Exponent = int32(exponent - len(fraction)) //nolint:gosec // both are bounded by 64
	a.d.Negative = negative && a.d.Coeff.Sign() != 0
	return a, nil
}

// shortDigits reads what nearly every amount is: a few digits and nothing else.
func shortDigits(data []byte) (int64, bool) {
	if len(data) == 0 || len(data) > 18 || data[0] == '0' && len(data) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range data {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// setCoefficient sets c to the digits of both parts. What fits 64 bits is set without
// allocating.
func setCoefficient(c *apd.BigInt, whole, fraction string) bool {
	if len(whole)+len(fraction) > 18 {
		_, ok := c.SetString(whole+fraction, 10)
		return ok
	}
	var n int64
	for _, part := range [...]string{whole, fraction} {
		for i := range len(part) {
			n = n*10 + int64(part[i]-'0')
		}
	}
	c.SetInt64(n)
	return true
}

// parseExponent reads what may follow the digits: nothing, or e, a sign and digits.
func parseExponent(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	if s[0] != 'e' && s[0] != 'E' {
		return 0, errNotANumber
	}
	digits, sign := s[1:], 1
	if after, ok := strings.CutPrefix(digits, "-"); ok {
		digits, sign = after, -1
	} else {
		digits = strings.TrimPrefix(digits, "+")
	}
	digits, rest := cutDigits(digits)
	if digits == "" || rest != "" {
		return 0, errNotANumber
	}
	n := 0
	for i := range len(digits) {
		if n = n*10 + int(digits[i]-'0'); n > maxAmountExponent {
			return 0, fmt.Errorf("an exponent beyond ±%d", maxAmountExponent)
		}
	}
	return sign * n, nil
}

func cutDigits(s string) (digits, rest string) {
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	return s[:n], s[n:]
}

// String writes the amount in plain decimal notation, without an exponent: "25000",
// "153.00".
func (a Amount) String() string { return string(a.appendTo(nil)) }

// canonical is the amount without zeros after its point: however it was written, it is
// sent in the same bytes.
func (a Amount) canonical() Amount {
	if a.d.Exponent >= 0 {
		return a
	}
	b := Amount{state: a.state} // of its own, since long amounts share their digits
	b.d.Reduce(&a.d)
	return b
}

// appendTo writes the amount in plain notation. Zero has one digit before its point,
// whatever its exponent: 0e5 is not 000000, which JSON would not take.
func (a Amount) appendTo(b []byte) []byte {
	if a.state == amountInvalid {
		return append(b, "invalid"...)
	}
	if a.d.IsZero() && a.d.Exponent > 0 {
		return append(b, '0')
	}
	return a.d.Append(b, 'f')
}

// GoString implements [fmt.GoStringer].
func (a Amount) GoString() string { return "intram.Amount(" + a.String() + ")" }

// IsSet reports whether the amount was made, read or computed, which a zero can be too.
// The zero value was not, nor was what a failure left behind.
func (a Amount) IsSet() bool { return a.state == amountSet }

// IsZero reports whether the amount is zero, set or not. A struct tag omitzero therefore
// leaves out a zero that was set: use a pointer where that matters.
func (a Amount) IsZero() bool { return a.d.IsZero() }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int { return a.d.Sign() }

// Cmp is -1, 0 or 1 as a is below, equal to or above b.
func (a Amount) Cmp(b Amount) int { return a.d.Cmp(&b.d) }

// Equal reports whether both are the same number: 153 equals 153.00.
func (a Amount) Equal(b Amount) bool {
	return a.Cmp(b) == 0 && a.state != amountInvalid && b.state != amountInvalid
}

// Add returns a + b, exactly.
func (a Amount) Add(b Amount) Amount {
	sum := Amount{state: stateOf(a, b)}
	// A context without a precision does not round, and two finite numbers have a sum: no
	// error is possible.
	_, _ = apd.BaseContext.Add(&sum.d, &a.d, &b.d)
	return sum
}

// stateOf is the state of what is computed from two amounts.
func stateOf(a, b Amount) amountState {
	if a.state == amountInvalid || b.state == amountInvalid {
		return amountInvalid
	}
	return amountSet
}

// Sub returns a - b, exactly.
func (a Amount) Sub(b Amount) Amount {
	difference := Amount{state: stateOf(a, b)}
	_, _ = apd.BaseContext.Sub(&difference.d, &a.d, &b.d)
	return difference
}

// Int64 returns the amount as an integer, and false when it has decimals or does not fit.
func (a Amount) Int64() (int64, bool) {
	n, err := a.d.Int64()
	return n, err == nil && a.state != amountInvalid
}

// isWhole reports whether the amount has no decimals: 153.00 is whole.
func (a Amount) isWhole() bool {
	var whole, fraction apd.Decimal
	a.d.Modf(&whole, &fraction)
	return fraction.IsZero()
}

// orNothing is the amount for a field that is left out when it was never set, and
// amountOf is the way back.
func (a Amount) orNothing() *Amount {
	if a.state == amountUnset {
		return nil
	}
	return &a
}

func amountOf(a *Amount) Amount {
	if a == nil {
		return Amount{}
	}
	return *a
}

var errInvalidAmount = errors.New("intram: amount: it is what a failed ParseAmount, Scan or Unmarshal left behind")

// MarshalJSON implements [json.Marshaler]: a number in plain notation.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.state == amountInvalid {
		return nil, errInvalidAmount
	}
	return a.appendTo(nil), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It reads a number, or a number in a
// string; null is an amount that was not set.
func (a *Amount) UnmarshalJSON(data []byte) error {
	if wire.IsNull(data) {
		*a = Amount{}
		return nil
	}
	if n, ok := shortDigits(data); ok {
		*a = NewAmount(n)
		return nil
	}
	s := string(bytes.TrimSpace(data))
	if strings.HasPrefix(s, `"`) {
		if err := json.Unmarshal(data, &s); err != nil {
			*a = invalidAmount()
			return fmt.Errorf("intram: amount: %w", err)
		}
	}
	return a.UnmarshalText([]byte(s))
}

// MarshalText implements [encoding.TextMarshaler]: plain notation, as [Amount.String].
func (a Amount) MarshalText() ([]byte, error) { return a.MarshalJSON() }

// UnmarshalText implements [encoding.TextUnmarshaler]. It reads what [ParseAmount] reads;
// an empty text is an error.
func (a *Amount) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAmount(string(text))
	return err
}

// Value implements [driver.Valuer]: the number as text, without zeros after its point,
// which numeric, integer and text columns take.
func (a Amount) Value() (driver.Value, error) {
	if a.state == amountInvalid {
		return nil, errInvalidAmount
	}
	return a.canonical().String(), nil
}

// Scan implements [sql.Scanner]. It reads numeric, integer and text columns. NULL is an
// error: what was computed from a NULL must not pass for an amount that was never set;
// scan a column that may be NULL into a *Amount or a [sql.Null]. A floating-point column
// is an error too, since it is not exact.
func (a *Amount) Scan(src any) error {
	switch v := src.(type) {
	case int64:
		*a = NewAmount(v)
		return nil
	case string:
		return a.UnmarshalText([]byte(v))
	case []byte:
		return a.UnmarshalText(v)
	}
	*a = invalidAmount()
	if src == nil {
		return errors.New("intram: amount: the column is NULL: scan it into a *intram.Amount or a sql.Null[intram.Amount]")
	}
	return fmt.Errorf("intram: amount: cannot scan a %T: use a numeric, integer or text column", src)
}

// Currency is an ISO 4217 code, in capitals.
type Currency string

// XOF is the West African CFA franc, the API's first currency. It has no decimals.
const XOF Currency = "XOF"

// XAF is the Central African CFA franc, of payin sessions in Cameroon. It has no
// decimals.
const XAF Currency = "XAF"

// UnmarshalJSON reads both revisions of the docs: a code, or an object with one. null and
// any other kind of value are no currency.
func (c *Currency) UnmarshalJSON(data []byte) error {
	if !wire.IsObject(data) {
		return (*wire.Text)(c).UnmarshalJSON(data)
	}
	var object struct {
		Code wire.Text `json:"code"`
	}
	if err := wire.Unmarshal(data, &object); err != nil {
		return err
	}
	*c = Currency(object.Code)
	return nil
}

// ProviderCode names a mobile-money operator. Codes that the SDK does not list are sent
// as they are.
type ProviderCode string

// The operators of Benin (Merchant API docs, Payouts).
const (
	MTNBenin  ProviderCode = "MTN_BENIN_229"
	MoovBenin ProviderCode = "MOOV_AFRICA_BENIN_229"
	SBINBenin ProviderCode = "SBIN_BENIN_229" // Celtiis
)

// ErrAmbiguousAmount is behind the error of [ParseTypedAmount] for an amount that can be
// read in two ways, such as "25.000": 25 with three decimals, or 25 thousand.
var ErrAmbiguousAmount = errors.New("intram: amount: it can be read in two ways")

// ParseTypedAmount reads an amount as a person writes it, in a form, a cell of a
// spreadsheet, or on a command line, where [ParseAmount] reads what a program has
// written. currency is the one that is expected, and may stand behind the number; empty
// is XOF, which people also write FCFA, F CFA, CFA and F.
//
// Thousands may be grouped by spaces of any kind or by apostrophes, "25 000 FCFA", but
// not by tabs or line breaks. Of a point or a comma it must be sure what they mean:
// "25000,00", "1.250.000" and "25 000,50" have one reading. "25.000" and "1,250" have
// two, and are refused with [ErrAmbiguousAmount] and both readings, since taking the
// wrong one pays a thousandth or a thousand times the amount. "2.5E+04", as programs
// write large numbers, is read too; with a comma it is what a spreadsheet has shown of a
// number, in three digits, and is refused. Show the person what was read, with
// [Amount.Grouped], before you send it.
//
// The amount that comes with an error is refused by every call that would send it. The
// error repeats the text only when it is digits and separators.
func ParseTypedAmount(text string, currency Currency) (Amount, error) {
	plain, err := typed.Amount(text, string(cmp.Or(currency, XOF)))
	if err == nil {
		var a Amount
		if a, err = parseAmount(plain); err == nil {
			return a, nil
		}
	}
	if ambiguous, ok := errors.AsType[*typed.AmbiguousError](err); ok {
		err = ambiguousAmountError{ambiguous}
	}
	return invalidAmount(), fmt.Errorf("intram: amount: %w", err)
}

// ambiguousAmountError is [ErrAmbiguousAmount] with both readings.
type ambiguousAmountError struct{ *typed.AmbiguousError }

func (ambiguousAmountError) Is(target error) bool { return target == ErrAmbiguousAmount }

// Grouped writes the amount as people read it: the digits in groups of three with a space
// between them, and no zeros behind the point. 205000.00 is "205 000".
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
