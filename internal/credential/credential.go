// Package credential detects mistakes in keys and secrets that happen when they are
// copied. Without it the API would respond with invalid_api_key or signature_mismatch,
// which say nothing about the cause.
//
// A message never shows any part of the value.
package credential

import (
	"crypto/fips140"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what a value should be.
type Kind int

// The kinds of keys and secrets.
const (
	PublicKey     Kind = iota // pk_sandbox_… or pk_live_…
	SecretKey                 // sk_…
	WebhookSecret             // whsec_…
	PayinKey                  // the API key or API client of payin sessions
	PayinSecret               // the secret of payin notifications, which a merchant may have chosen
)

// prefixes identifies the Merchant API's kinds. The payin API documents none.
var prefixes = []struct {
	prefix string
	kind   Kind
	name   string
}{
	{"pk_", PublicKey, "a public key (pk_…)"},
	{"sk_", SecretKey, "a secret key (sk_…)"},
	{"whsec_", WebhookSecret, "a webhook secret (whsec_…)"},
}

// wanted describes the kind that belongs where another was given.
var wanted = map[Kind]string{
	PublicKey: "the public key (pk_…)", SecretKey: "the secret key (sk_…)", WebhookSecret: "the subscription's own secret (whsec_…)",
	PayinKey: "a credential of payin sessions", PayinSecret: "the secret of payin notifications, which is set in the portal",
}

// Mistake returns what is wrong with a value and what to do about it. The text follows
// the name of the parameter. It is empty if no mistake was found.
func Mistake(kind Kind, value string) string {
	switch {
	case value == "":
		return "is empty"
	case UTF16([]byte(value)):
		return "is UTF-16 text: save the file as UTF-8"
	case strings.HasPrefix(value, "\uFEFF"):
		return "begins with a byte order mark (BOM): save the file as UTF-8 without one"
	case strings.TrimSpace(value) == "":
		return "is empty: it has white space only"
	case strings.TrimSpace(value) != value:
		return "has spaces or a line break around it: copy the value alone"
	case quoted(value):
		return "has quotes around it: leave them out"
	case strings.HasSuffix(value, `\n`) || strings.HasSuffix(value, `\r`) || strings.HasSuffix(value, `\t`):
		return `ends in a backslash and a letter (\n), written out: leave them out`
	case !utf8.ValidString(value):
		return "is not UTF-8 text: save the file as UTF-8"
	case strings.ContainsFunc(value, invisible):
		return "has an invisible character in it (zero-width, no-break space or control): type it or copy it from the portal again"
	}
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(value, p.prefix)
		if !ok {
			continue
		}
		if p.kind != kind {
			return "is " + p.name + ": give " + wanted[kind]
		}
		if rest == "" || rest == "sandbox_" || rest == "live_" {
			return "ends after its prefix: it looks truncated"
		}
	}
	if kind == PayinSecret {
		return "" // a merchant may have chosen it, with spaces and accents
	}
	switch {
	case strings.Contains(value, " #") || strings.Contains(value, " //") || strings.Contains(value, "\t#"):
		return "has a comment behind it: a comment stands on a line of its own"
	case strings.ContainsAny(value, " \t\r\n"):
		return "has spaces or a line break in it: copy it from the portal again"
	case kind != SecretKey && kind != WebhookSecret && strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }):
		// What signs is never sent, and may be any text. What is sent is a header's
		// value.
		return "has spaces or characters that no key has: copy it from the portal again"
	case strings.ContainsAny(value, "\"'`\\"):
		return "has a quote or a backslash in it: copy it from the portal again"
	}
	return ""
}

// MACMistake is [Mistake] for values that become a signature's key. Go's strict FIPS mode
// (GODEBUG=fips140=only) panics on a key that is too short; here it is an error.
func MACMistake(kind Kind, value string) string {
	if mistake := Mistake(kind, value); mistake != "" {
		return mistake
	}
	const shortest = 112 / 8
	if len(value) < shortest && fips140.Enforced() {
		return "is shorter than 14 bytes, which GODEBUG=fips140=only allows for no signature"
	}
	return ""
}

// quoted reports whether quotes, of the same or of a typographic pair, begin or end the
// value.
func quoted(value string) bool {
	const quotes = "\"'`“”„‘’«»"
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	return strings.ContainsRune(quotes, first) && strings.ContainsRune(quotes, last)
}

// invisible reports whether an editor shows nothing, or only a space, for a rune that is
// not a space.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) && r > unicode.MaxASCII || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r)
}

// UTF16 reports whether data is text in UTF-16, as PowerShell and old editors write it.
func UTF16(data []byte) bool {
	if len(data) < 2 {
		return false
	}
	if data[0] == 0xff && data[1] == 0xfe || data[0] == 0xfe && data[1] == 0xff {
		return true
	}
	// Without its mark it still has a zero in every second byte of ASCII.
	return len(data) >= 4 && (data[0] == 0 && data[2] == 0 || data[1] == 0 && data[3] == 0)
}
