package intram

import (
	"errors"
	"fmt"
	"strings"

	"github.com/intram/intram-go/internal/typed"
)

// ErrInvalidMSISDN is behind each error of [ParseMSISDN].
var ErrInvalidMSISDN = errors.New("intram: msisdn: not a phone number")

// ParseMSISDN reads a phone number as people write it and returns it in the form that
// both APIs take from this package: digits only, with the country's calling code, such as
// 2290161234501. country, ISO 3166 alpha-2, is whose a number is that is written without
// a calling code; it may be empty when all have one.
//
// The calling code may be written as +229, 00229 or 229. Spaces of every kind, dots,
// dashes, slashes, parentheses, invisible characters, the apostrophe of a spreadsheet and
// the .0 of a number that one has kept are left out. The length must be that of the
// country's numbers, for Benin, Burkina Faso, Cameroon, Côte d'Ivoire, Guinea-Bissau,
// Mali, Niger, Senegal and Togo; other countries' numbers need their calling code behind
// + or 00.
//
// A number of Benin in the form that was valid until 2024-11-30, 8 digits, is returned in
// that of today, with 01 in front: it is the same wallet. [SameWallet] compares two
// numbers in either form.
//
// Errors: [ErrInvalidMSISDN], without the number in the text. A number that a spreadsheet
// has rounded (2,29E+12) is one of them: its last digits are lost.
func ParseMSISDN(text, country string) (string, error) {
	number, err := typed.MSISDN(text, country)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalidMSISDN, err)
	}
	return number, nil
}

// SameWallet reports whether two phone numbers are one mobile-money wallet: the same
// digits, with + or without, or a number of Benin in the form of before 2024-11-30 and in
// that of today. Both are in international form.
func SameWallet(a, b string) bool { return typed.Wallet(a) == typed.Wallet(b) }

// callingCode is the calling code at the end of an operator's code, such as
// MTN_BENIN_229, and "" when it names none.
func (c ProviderCode) callingCode() string {
	suffix := string(c[strings.LastIndexByte(string(c), '_')+1:])
	if len(suffix) == 0 || len(suffix) > 3 || !allOf(suffix, isDigit) {
		return ""
	}
	return suffix
}
