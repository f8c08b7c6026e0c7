// Package redact makes text from outside fit for an error or a log, where no personal
// data may appear.
package redact

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// longest is how much of a text is kept, in bytes.
const longest = 300

var (
	email = regexp.MustCompile(`[^\s@<>"]+@[^\s@<>"]+`)
	// number is seven digits or more, as people group them: an MSISDN, an account number.
	number = regexp.MustCompile(`\d(?:[ .()\-]{0,2}\d){6,}`)
)

// Number keeps the last two characters of a number that identifies a person: enough to
// tell two lines of a log apart, too little to call.
func Number(s string) string {
	if len(s) <= 4 {
		return strings.Repeat("•", len(s))
	}
	return strings.Repeat("•", len(s)-2) + s[len(s)-2:]
}

// Text makes text from outside fit for one line of an error or a log: no control
// characters or line breaks, no long numbers, no e-mail addresses, and not too long.
// Addresses of machines stay.
func Text(s string) string {
	if len(s) > 4*longest {
		s = s[:4*longest]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	s = email.ReplaceAllString(s, "[e-mail]")
	s = number.ReplaceAllStringFunc(s, func(n string) string {
		if _, err := netip.ParseAddr(n); err == nil {
			return n
		}
		return Number(n)
	})
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// ID shows an id of a request, which a server chose: letters, digits and a few signs, and
// no number of a person.
func ID(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return shaped(s, requestID)
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9_.:/+=-]*$`)
